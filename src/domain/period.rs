//! The benefit month (所属期), and the dates of the office.
//!
//! A period is neither the pay date nor the bank's entry date nor the accounting date.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::folded;

/// A calendar month. Stored as `yyyymm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    // Months since year 0: arithmetic is plain addition.
    months: i32,
}

/// A text or number that is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}”不是月份，应为 2026-01 这样的年月")]
pub struct PeriodError(pub String);

impl Period {
    /// The month of a year; `None` outside 1900–2199 or January–December.
    pub fn new(year: i32, month: u32) -> Option<Period> {
        let month = i32::try_from(month).ok()?;
        ((1900..2200).contains(&year) && (1..=12).contains(&month)).then_some(Period { months: year * 12 + month - 1 })
    }

    /// From the stored form `yyyymm`.
    ///
    /// # Errors
    /// When the number is no month.
    pub fn from_number(yyyymm: i64) -> Result<Period, PeriodError> {
        let year = i32::try_from(yyyymm / 100).ok();
        let month = u32::try_from(yyyymm % 100).ok();
        year.zip(month).and_then(|(y, m)| Period::new(y, m)).ok_or_else(|| PeriodError(yyyymm.to_string()))
    }

    /// The month a day lies in.
    pub fn of(date: NaiveDate) -> Period {
        Period { months: date.year() * 12 + i32::try_from(date.month0()).unwrap_or(0) }
    }

    /// The stored form `yyyymm`.
    pub fn number(self) -> i64 {
        i64::from(self.year()) * 100 + i64::from(self.month())
    }

    /// Year.
    pub fn year(self) -> i32 {
        self.months / 12
    }

    /// Month, 1–12.
    pub fn month(self) -> u32 {
        u32::try_from(self.months % 12 + 1).unwrap_or(1)
    }

    /// The month after.
    #[must_use]
    pub fn next(self) -> Period {
        Period { months: self.months + 1 }
    }

    /// The month before.
    #[must_use]
    pub fn previous(self) -> Period {
        Period { months: self.months - 1 }
    }

    /// The month so many months later (earlier when negative).
    #[must_use]
    pub fn plus(self, months: i32) -> Period {
        Period { months: self.months + months }
    }

    /// Months from `earlier` to `self`; negative when it is later.
    pub fn since(self, earlier: Period) -> i32 {
        self.months - earlier.months
    }

    /// Last day.
    pub fn last_day(self) -> NaiveDate {
        self.next().first_day().pred_opt().unwrap_or_default()
    }

    /// Months from `self` to `last`, both included; none if `last` is earlier.
    pub fn through(self, last: Period) -> impl DoubleEndedIterator<Item = Period> + Clone {
        (self.months..=last.months).map(|months| Period { months })
    }

    /// The twelve months of a year.
    pub fn of_year(year: i32) -> impl DoubleEndedIterator<Item = Period> + Clone {
        (year * 12..year * 12 + 12).map(|months| Period { months })
    }

    /// First day.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year(), self.month(), 1).unwrap_or_default()
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    /// Accepts `2026-01`, `202601`, `2026/1`, `2026.01`, `2026年1月`, and a full date's month.
    fn from_str(text: &str) -> Result<Period, PeriodError> {
        if let Some((year, month, day)) = plain_date(text)
            && day.is_none_or(|day| NaiveDate::from_ymd_opt(year, month, day).is_some())
            && let Some(period) = Period::new(year, month)
        {
            return Ok(period);
        }
        Period::in_any_form(text)
    }
}

impl Period {
    fn in_any_form(text: &str) -> Result<Period, PeriodError> {
        let folded = folded(text);
        let parts: Vec<&str> = folded.split(['-', '/', '.', '年', '月', '日']).filter(|p| !p.is_empty()).collect();
        let found = match parts.as_slice() {
            [compact] if compact.len() == 6 || compact.len() == 8 => {
                let (year, rest) = compact.split_at_checked(4).unwrap_or(("", ""));
                let (month, day) = rest.split_at_checked(2).unwrap_or(("", ""));
                day_fits(year, month, day).then_some((year, month))
            }
            [year, month] if year.len() == 4 => Some((*year, *month)),
            [year, month, day] if year.len() == 4 => day_fits(year, month, day).then_some((*year, *month)),
            _ => None,
        };
        found
            .and_then(|(y, m)| Period::new(y.parse().ok()?, m.parse().ok()?))
            .ok_or_else(|| PeriodError(text.trim().to_string()))
    }
}

/// Year, month and day of `2026-01` and `2026-01-31`, as nearly every date is written; `None` of any other text.
fn plain_date(text: &str) -> Option<(i32, u32, Option<u32>)> {
    let bytes = text.as_bytes();
    let number = |place: Range<usize>| {
        let add = |number, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'));
        bytes[place].iter().try_fold(0, add)
    };
    let has_day = match bytes {
        [_, _, _, _, b'-', _, _] => false,
        [_, _, _, _, b'-', _, _, b'-', _, _] => true,
        _ => return None,
    };
    let day = if has_day { Some(number(8..10)?) } else { None };
    Some((i32::try_from(number(0..4)?).ok()?, number(5..7)?, day))
}

fn day_fits(year: &str, month: &str, day: &str) -> bool {
    day.is_empty()
        || matches!((year.parse(), month.parse(), day.parse()),
            (Ok(y), Ok(m), Ok(d)) if NaiveDate::from_ymd_opt(y, m, d).is_some())
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A run's release: one month, or several paid at once (a quarter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodRange {
    /// First month, included.
    pub first: Period,
    /// Last month, included; never before `first`.
    pub last: Period,
}

impl FromStr for PeriodRange {
    type Err = PeriodError;

    /// `2026-01` or `2026-01..2026-03`.
    fn from_str(text: &str) -> Result<PeriodRange, PeriodError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let range = PeriodRange { first: first.parse()?, last: last.parse()? };
        if range.first > range.last {
            return Err(PeriodError(text.to_string()));
        }
        Ok(range)
    }
}

impl fmt::Display for PeriodRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

/// A calendar date in its stored form `yyyymmdd`.
pub fn date_number(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// Back from the stored form `yyyymmdd`; `None` if that is no day.
pub fn date_from_number(yyyymmdd: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(
        i32::try_from(yyyymmdd / 10_000).ok()?,
        u32::try_from(yyyymmdd / 100 % 100).ok()?,
        u32::try_from(yyyymmdd % 100).ok()?,
    )
}

/// A date as clerks write it: `2026-05-12`, `20260512`, `2026/5/12`, `2026.5.12`, `2026年5月12日`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    if let Some((year, month, Some(day))) = plain_date(text) {
        return NaiveDate::from_ymd_opt(year, month, day);
    }
    date_in_any_form(text)
}

fn date_in_any_form(text: &str) -> Option<NaiveDate> {
    let folded = folded(text);
    if folded.len() == 8 && folded.bytes().all(|b| b.is_ascii_digit()) {
        return date_from_number(folded.parse().ok()?);
    }
    let parts: Vec<&str> = folded.split(['-', '/', '.', '年', '月', '日']).filter(|p| !p.is_empty()).collect();
    let [year, month, day] = parts.as_slice() else { return None };
    if year.len() != 4 {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_as_clerks_write_them() {
        for text in ["2026-01", "202601", "2026/1", "2026.01", "2026年1月", "２０２６年１月", "2026-01-31", "20260131"]
        {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), "2026-01", "{text}");
        }
        for text in ["", "2026-13", "2026", "26-01", "2026-00", "二月", "2026-02-30", "年月"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn months_run_over_the_year_end() {
        let december: Period = "2026-12".parse().unwrap();
        assert_eq!(december.next().to_string(), "2027-01");
        assert_eq!(december.next().number(), 202_701);
        assert_eq!(december.next().previous(), december);
        assert_eq!(december.through(december.next()).count(), 2);
        assert_eq!(december.next().through(december).count(), 0);
    }

    #[test]
    fn ranges_and_dates() {
        assert_eq!("2026-01..2026-03".parse::<PeriodRange>().unwrap().to_string(), "2026-01..2026-03");
        assert!("2026-03..2026-01".parse::<PeriodRange>().is_err());
        for text in ["2026-05-12", "20260512", "2026/5/12", "2026年5月12日", "2026.05.12"] {
            assert_eq!(parse_date(text).map(date_number), Some(20_260_512), "{text}");
        }
        assert_eq!(parse_date("2026-02-30"), None);
    }

    proptest! {
        #[test]
        fn a_plain_date_is_read_as_any_other(text in "[12][0-9]{3}-[01][0-9](-[0-3][0-9])?|[0-9]{4}-[0-9]{1,3}(-.{1,3})?|\\PC{0,12}") {
            prop_assert_eq!(text.parse::<Period>(), Period::in_any_form(&text));
            prop_assert_eq!(parse_date(&text), date_in_any_form(&text));
        }
    }
}
