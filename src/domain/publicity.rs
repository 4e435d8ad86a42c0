//! Publicity (公示): the list that is shown to the public, and whether it was shown long enough.
//!
//! The list names people without giving them away: never the account, and of the citizen number only
//! as much of the tail as tells namesakes apart, which for most names is nothing.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::calendar::{Calendar, MissingYear};
use super::money::Money;
use super::payment::Payment;
use super::period::Period;
use super::text::{hex, mask_middle};

/// What a list is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicityKind {
    /// 发放前公示: who is to be paid, before the approval.
    Before,
    /// 结果公示: who was paid.
    Result,
}

impl PublicityKind {
    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            PublicityKind::Before => "before",
            PublicityKind::Result => "result",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            PublicityKind::Before => "发放前公示",
            PublicityKind::Result => "发放结果公示",
        }
    }

    /// From the stored form or the Chinese word.
    pub fn parse(text: &str) -> Option<PublicityKind> {
        [PublicityKind::Before, PublicityKind::Result].into_iter().find(|k| k.code() == text || k.title() == text)
    }
}

/// One line of a shown list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRow {
    /// Name, or the name of a unit.
    pub name: String,
    /// Citizen number, masked as far as namesakes allow.
    pub citizen_number: String,
    /// 原工作单位.
    pub unit: String,
    /// The months paid: `2026-01`, `2026-01 至 2026-03`.
    pub months: String,
    /// Their number.
    pub month_count: usize,
    /// Their sum.
    pub amount: Money,
}

/// The list of some payments in line order; `units` by person.
pub fn shown_rows(payments: &[Payment], units: &HashMap<i64, String, impl BuildHasher>) -> Vec<ShownRow> {
    let masks = masked_for_namesakes(payments.iter().map(|p| (p.name.as_str(), p.citizen_number.as_str())));
    let row = |(p, citizen_number): (&Payment, String)| {
        let months: Vec<Period> = p.covers.iter().map(|c| c.period).collect();
        ShownRow {
            name: p.name.clone(),
            citizen_number,
            unit: units.get(&p.beneficiary_no).cloned().unwrap_or_default(),
            months: spans(&months),
            month_count: months.len(),
            amount: p.amount,
        }
    };
    payments.iter().zip(masks).map(row).collect()
}

/// Numbers masked so that no two people of one name look the same, each with the shortest tail that
/// does so for its name. A number alone under its name is masked whole.
fn masked_for_namesakes<'a>(people: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let people: Vec<(&str, &str)> = people.collect();
    let mut namesakes: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (name, number) in &people {
        namesakes.entry(name).or_default().insert(number);
    }
    let tails: HashMap<&str, usize> =
        namesakes.into_iter().map(|(name, numbers)| (name, telling_tail(&numbers))).collect();
    people.iter().map(|(name, number)| mask_middle(number, 0, tails[name])).collect()
}

/// Length of the shortest tail that differs between all of the numbers.
fn telling_tail(numbers: &HashSet<&str>) -> usize {
    let longest = numbers.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let differ = |tail: &usize| {
        let masked: HashSet<String> = numbers.iter().map(|number| mask_middle(number, 0, *tail)).collect();
        masked.len() == numbers.len()
    };
    (0..longest).find(differ).unwrap_or(longest.saturating_sub(1))
}

/// Months in order as spans: `2026-01 至 2026-03、2026-05`.
pub fn spans(months: &[Period]) -> String {
    let mut spans: Vec<(Period, Period)> = Vec::new();
    for month in months {
        match spans.last_mut() {
            Some((_, last)) if last.next() == *month => *last = *month,
            _ => spans.push((*month, *month)),
        }
    }
    let words = spans.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a} 至 {b}") });
    words.collect::<Vec<_>>().join("、")
}

/// SHA-256, in hexadecimal, over the rows in order.
pub fn list_digest(rows: &[ShownRow]) -> String {
    let mut digest = Sha256::new();
    for row in rows {
        for field in [&row.name, &row.citizen_number, &row.unit, &row.months, &row.amount.fen().to_string()] {
            digest.update(field.as_bytes());
            digest.update([0x1F]);
        }
        digest.update([0x1E]);
    }
    hex(&digest.finalize())
}

/// A list that was shown, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Showing {
    /// 1, 2 … per run.
    pub no: i64,
    /// What for.
    pub kind: PublicityKind,
    /// Where.
    pub place: String,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// What was objected and what came of it; empty when nobody objected.
    pub objections: String,
    /// [`list_digest`] of what was shown.
    pub list_digest: String,
    /// Lines of the list.
    pub rows: i64,
    /// Their sum.
    pub total: Money,
    /// Who recorded it.
    pub recorded_by: String,
    /// On which business date.
    pub recorded_on: NaiveDate,
}

impl Showing {
    /// In words: where, from when to when, what was objected.
    pub fn sentence(&self) -> String {
        let objections = if self.objections.is_empty() { "无异议" } else { &self.objections };
        format!(
            "{} {} 至 {} {}（{} 人 {} 元，{objections}；{} {} 登记）",
            self.kind.title(),
            self.from,
            self.to,
            self.place,
            self.rows,
            self.total.grouped(),
            self.recorded_by,
            self.recorded_on
        )
    }
}

/// What is missing until a list counts as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Working days that must still pass.
    pub days: i64,
    /// The last day on which the list must be shown.
    pub until: NaiveDate,
    /// The showing that comes nearest.
    pub nearest: Option<Showing>,
    /// True when lists were shown, but none of them is this one.
    pub other_list: bool,
}

/// Whether one of the showings before the approval is of this list, lasted at least `needed` working
/// days, first and last day counted, and ended before `today`. `None` when one did. Showings are not added up.
///
/// # Errors
/// When the calendar of a year on the way is missing.
pub fn missing_before_approval(
    calendar: &Calendar,
    showings: &[Showing],
    digest: &str,
    needed: i64,
    today: NaiveDate,
) -> Result<Option<Missing>, MissingYear> {
    let yesterday = |day: NaiveDate| day.pred_opt().unwrap_or(day);
    let before: Vec<&Showing> = showings.iter().filter(|s| s.kind == PublicityKind::Before).collect();
    let mut nearest: Option<Missing> = None;
    for showing in before.iter().filter(|s| s.list_digest == digest) {
        let full = calendar.add_working_days(yesterday(showing.from), needed)?;
        let until = full.max(showing.to);
        if showing.to >= full && showing.to < today {
            return Ok(None);
        }
        let seen = showing.to.min(yesterday(today));
        let missing = Missing {
            days: calendar.working_days_between(seen, until)?,
            until,
            nearest: Some((*showing).clone()),
            other_list: false,
        };
        if nearest.as_ref().is_none_or(|n| missing.days < n.days) {
            nearest = Some(missing);
        }
    }
    if nearest.is_none() {
        let until = calendar.add_working_days(yesterday(today), needed)?;
        nearest = Some(Missing { days: needed, until, nearest: None, other_list: !before.is_empty() });
    }
    Ok(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::CalendarYear;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn masked(people: &[(&str, &str)]) -> Vec<String> {
        masked_for_namesakes(people.iter().copied())
    }

    #[test]
    fn namesakes_show_the_shortest_tail_that_tells_them_apart_and_nobody_else_shows_any() {
        let people = [
            ("王芳", "652827195001010025"),
            ("王芳", "652827194803020425"),
            ("王芳", "652827194803020441"),
            ("买买提·艾力", "652827194511110017"),
        ];
        assert_eq!(
            masked(&people),
            ["***************025", "***************425", "***************441", "******************"]
        );
        // Without the two that end alike, the last digit is enough.
        assert_eq!(masked(&people[1..]), ["*****************5", "*****************1", "******************"]);
        assert_eq!(masked(&people[3..]), ["******************"]);
        // One number twice is one person.
        assert_eq!(masked(&[people[0], people[0]]), ["******************"; 2]);
    }

    #[test]
    fn months_are_told_in_spans() {
        let months: Vec<Period> =
            ["2025-12", "2026-01", "2026-02", "2026-05"].iter().map(|m| m.parse().unwrap()).collect();
        assert_eq!(spans(&months), "2025-12 至 2026-02、2026-05");
        assert_eq!(spans(&months[..1]), "2025-12");
        assert_eq!(spans(&[]), "");
    }

    fn showing(from: &str, to: &str, digest: &str) -> Showing {
        Showing {
            no: 1,
            kind: PublicityKind::Before,
            place: "公示栏".into(),
            from: day(from),
            to: day(to),
            objections: String::new(),
            list_digest: digest.into(),
            rows: 1,
            total: Money(12_000),
            recorded_by: "经办".into(),
            recorded_on: day(from),
        }
    }

    /// 2026-03-02 is a Monday; that Friday is made a day off.
    fn calendar() -> Calendar {
        let friday =
            super::super::calendar::DaysOff { name: "假".into(), from: day("2026-03-06"), to: day("2026-03-06") };
        let mut calendar = Calendar::default();
        calendar.set(CalendarYear { year: 2026, documents: Vec::new(), off: vec![friday], work: Vec::new() });
        calendar
    }

    fn missing(showings: &[Showing], needed: i64, today: &str) -> Option<(i64, String, bool)> {
        let found = missing_before_approval(&calendar(), showings, "d", needed, day(today)).unwrap();
        found.map(|m| (m.days, m.until.to_string(), m.other_list))
    }

    #[test]
    fn a_list_counts_once_it_was_shown_long_enough_and_is_taken_down() {
        let week = [showing("2026-03-02", "2026-03-09", "d")];
        // Monday to Thursday and the next Monday are five working days.
        assert_eq!(missing(&week, 5, "2026-03-10"), None);
        assert_eq!(missing(&week, 5, "2026-03-09"), Some((1, "2026-03-09".into(), false)), "it still hangs");
        assert_eq!(missing(&week, 5, "2026-03-04"), Some((3, "2026-03-09".into(), false)));
        assert_eq!(missing(&week, 6, "2026-03-20"), Some((1, "2026-03-10".into(), false)), "taken down too early");
        assert_eq!(missing(&[], 5, "2026-03-02"), Some((5, "2026-03-09".into(), false)));
        assert_eq!(missing(&[], 5, "2026-03-07"), Some((5, "2026-03-13".into(), false)), "from Monday on");
        let other = [showing("2026-03-02", "2026-03-09", "e")];
        assert_eq!(missing(&other, 5, "2026-03-10"), Some((5, "2026-03-16".into(), true)));
        // Of two, the one that comes nearer is told.
        let two = [showing("2026-03-02", "2026-03-03", "d"), showing("2026-03-02", "2026-03-05", "d")];
        assert_eq!(missing(&two, 5, "2026-03-20"), Some((1, "2026-03-09".into(), false)));
    }

    #[test]
    fn a_result_is_no_showing_before_the_approval_and_a_missing_year_is_an_error() {
        let result = Showing { kind: PublicityKind::Result, ..showing("2026-03-02", "2026-03-09", "d") };
        assert!(missing(&[result], 5, "2026-03-10").is_some());
        let late = [showing("2026-12-28", "2027-01-08", "d")];
        let error = missing_before_approval(&calendar(), &late, "d", 7, day("2027-01-09")).unwrap_err();
        assert_eq!(error.year, 2027);
    }

    #[test]
    fn the_digest_is_over_every_shown_word() {
        let row = ShownRow {
            name: "王芳".into(),
            citizen_number: "*5".into(),
            unit: "县农机厂".into(),
            months: "2026-01".into(),
            month_count: 1,
            amount: Money(12_000),
        };
        let one = list_digest(std::slice::from_ref(&row));
        for other in [
            ShownRow { name: "王".into(), citizen_number: "芳*5".into(), ..row.clone() },
            ShownRow { unit: "县砖厂".into(), ..row.clone() },
            ShownRow { months: "2026-02".into(), ..row.clone() },
            ShownRow { amount: Money(12_001), ..row.clone() },
        ] {
            assert_ne!(list_digest(&[other]), one);
        }
        assert_ne!(list_digest(&[row.clone(), row]), one);
    }
}
