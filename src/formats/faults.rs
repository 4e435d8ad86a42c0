//! Faults of a scheme file, noted while reading goes on, so that a file is corrected in one go.

use chrono::NaiveDate;

use crate::domain::document::DocumentNumber;
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};

/// The faults so far, each a sentence with its place in front. What a method cannot read it notes
/// and answers with nothing, so that a scheme is only built when there is no fault at all.
#[derive(Default)]
pub struct Faults(pub Vec<String>);

impl Faults {
    pub fn note(&mut self, place: &str, fault: &str) {
        self.0.push(format!("{place}: {fault}"));
    }

    pub fn take<T, E: std::fmt::Display>(&mut self, place: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|e| self.note(place, &e.to_string())).ok()
    }

    pub fn need<T>(&mut self, place: &str, value: Option<T>, fault: &str) -> Option<T> {
        if value.is_none() {
            self.note(place, fault);
        }
        value
    }

    /// What one of these words stands for.
    pub fn word<T: Copy>(&mut self, place: &str, text: Option<&str>, words: &[(&str, T)], default: T) -> T {
        let Some(text) = text else { return default };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.need(place, found, &format!("“{text}”，应为 {}", known.join("、"))).unwrap_or(default)
    }

    pub fn period(&mut self, place: &str, text: Option<&str>) -> Option<Period> {
        self.take(place, text?.parse())
    }

    pub fn date(&mut self, place: &str, text: Option<&str>) -> Option<NaiveDate> {
        let text = text?;
        self.need(place, parse_date(text), &format!("“{text}”，应为 1995-12-31 这样的日期"))
    }

    pub fn document(&mut self, place: &str, text: Option<&str>) -> Option<DocumentNumber> {
        self.take(place, DocumentNumber::parse(text?))
    }

    /// An amount above nothing.
    pub fn amount(&mut self, place: &str, text: Option<&str>) -> Option<Money> {
        let amount = self.take(place, Money::parse(text?))?;
        self.above_nothing(place, amount)
    }

    /// What many are paid together, above nothing.
    pub fn total(&mut self, place: &str, text: &str) -> Option<Money> {
        let amount = self.take(place, Money::parse_total(text))?;
        self.above_nothing(place, amount)
    }

    fn above_nothing(&mut self, place: &str, amount: Money) -> Option<Money> {
        self.need(place, (amount > Money::ZERO).then_some(amount), "应大于 0")
    }

    /// A number within these bounds, both included.
    pub fn number<N: PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        place: &str,
        number: Option<N>,
        least: N,
        most: N,
    ) -> Option<N> {
        let number = number?;
        let fits = (least..=most).contains(&number).then_some(number);
        self.need(place, fits, &format!("{number}，应为 {least} 至 {most}"))
    }
}
