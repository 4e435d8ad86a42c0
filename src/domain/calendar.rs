//! The working-day calendar (放假安排): days off and make-up working days (调休上班) as the yearly
//! notice of the State Council sets them. No rule computes them, so a year without its notice is an
//! error and never a guess; the one lenient count says when it guessed.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::{Datelike, NaiveDate, Weekday};

use super::document::DocumentNumber;

/// Consecutive days off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaysOff {
    /// Name of the holiday: 春节.
    pub name: String,
    /// First day, included.
    pub from: NaiveDate,
    /// Last day, included; never before `from`.
    pub to: NaiveDate,
}

/// What one year's notice sets. It may reach into the December before: 元旦 of 2019 began in 2018.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarYear {
    /// Year.
    pub year: i32,
    /// The notices.
    pub documents: Vec<DocumentNumber>,
    /// Days off, weekends inside them included.
    pub off: Vec<DaysOff>,
    /// Saturdays and Sundays on which offices work.
    pub work: Vec<NaiveDate>,
}

impl CalendarYear {
    /// Whether the notice makes this a working day; `None` for a day that it does not name.
    fn says(&self, date: NaiveDate) -> Option<bool> {
        if self.work.contains(&date) {
            return Some(true);
        }
        self.off.iter().any(|o| (o.from..=o.to).contains(&date)).then_some(false)
    }
}

/// A calendar that is read when it is first asked for: few commands count working days.
pub type LazyCalendar = Arc<LazyLock<Calendar, Box<dyn FnOnce() -> Calendar + Send>>>;

/// One that was read already.
pub fn at_hand(calendar: Calendar) -> LazyCalendar {
    Arc::new(LazyLock::new(Box::new(move || calendar)))
}

/// A year whose notice is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("没有 {year} 年的放假安排，算不出工作日，应有文件 config/calendar/{year}.toml")]
pub struct MissingYear {
    /// The year.
    pub year: i32,
}

/// A number of working days, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedDays {
    /// Working days.
    pub days: i64,
    /// True when Monday to Friday stood in for a year without notice.
    pub guessed: bool,
}

/// The years that the office has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i32, CalendarYear>,
}

impl Calendar {
    /// Adds a year; one that is there already is replaced whole.
    pub fn set(&mut self, year: CalendarYear) {
        self.years.insert(year.year, year);
    }

    /// The years, earliest first.
    pub fn years(&self) -> impl Iterator<Item = &CalendarYear> {
        self.years.values()
    }

    /// Whether offices work on a day. The notice of the next year overrules for December; while it
    /// is not there yet, December is as its own year says.
    ///
    /// # Errors
    /// When the year is missing.
    pub fn is_working_day(&self, date: NaiveDate) -> Result<bool, MissingYear> {
        let year = self.years.get(&date.year()).ok_or(MissingYear { year: date.year() })?;
        let next = self.years.get(&(date.year() + 1));
        Ok(next.and_then(|n| n.says(date)).or_else(|| year.says(date)).unwrap_or_else(|| is_weekday(date)))
    }

    /// The first working day after a day.
    ///
    /// # Errors
    /// When a year on the way is missing.
    pub fn next_working_day(&self, date: NaiveDate) -> Result<NaiveDate, MissingYear> {
        self.walk(date, NaiveDate::succ_opt)
    }

    /// The last working day before a day.
    ///
    /// # Errors
    /// When a year on the way is missing.
    pub fn previous_working_day(&self, date: NaiveDate) -> Result<NaiveDate, MissingYear> {
        self.walk(date, NaiveDate::pred_opt)
    }

    fn walk(&self, mut date: NaiveDate, step: fn(&NaiveDate) -> Option<NaiveDate>) -> Result<NaiveDate, MissingYear> {
        loop {
            date = step(&date).ok_or(MissingYear { year: date.year() })?;
            if self.is_working_day(date)? {
                return Ok(date);
            }
        }
    }

    /// The `n`-th working day after a day, or before it when `n` is negative; for 0 the day itself,
    /// working or not. The day itself is never counted, as time limits are.
    ///
    /// # Errors
    /// When a year on the way is missing.
    pub fn add_working_days(&self, date: NaiveDate, n: i64) -> Result<NaiveDate, MissingYear> {
        (0..n.unsigned_abs())
            .try_fold(date, |day, _| if n > 0 { self.next_working_day(day) } else { self.previous_working_day(day) })
    }

    /// Working days after `from` up to and including `to`; 0 when `to` is not later.
    ///
    /// # Errors
    /// When a year between them is missing.
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> Result<i64, MissingYear> {
        days_after(from, to).try_fold(0, |sum, day| Ok(sum + i64::from(self.is_working_day(day)?)))
    }

    /// The same for lists that only tell how old a thing is: years without notice are counted
    /// Monday to Friday. Never for a time limit.
    pub fn working_days_or_weekdays_between(&self, from: NaiveDate, to: NaiveDate) -> CountedDays {
        days_after(from, to).fold(CountedDays { days: 0, guessed: false }, |sum, day| {
            let known = self.is_working_day(day);
            let works = known.unwrap_or_else(|_| is_weekday(day));
            CountedDays { days: sum.days + i64::from(works), guessed: sum.guessed || known.is_err() }
        })
    }
}

/// Monday to Friday.
pub fn is_weekday(date: NaiveDate) -> bool {
    !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

fn days_after(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().skip(1).take_while(move |day| *day <= to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::period::parse_date;

    fn day(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    fn year(year: i32, off: &[(&str, &str)], work: &[&str]) -> CalendarYear {
        let off = off.iter().map(|(from, to)| DaysOff { name: "假日".into(), from: day(from), to: day(to) });
        CalendarYear {
            year,
            documents: Vec::new(),
            off: off.collect(),
            work: work.iter().map(|text| day(text)).collect(),
        }
    }

    /// The turn of 2018 to 2019 and May 2019, as they were.
    fn calendar() -> Calendar {
        let mut calendar = Calendar::default();
        calendar.set(year(2018, &[("2018-01-01", "2018-01-01")], &[]));
        calendar.set(year(
            2019,
            &[("2018-12-30", "2019-01-01"), ("2019-05-01", "2019-05-04")],
            &["2018-12-29", "2019-04-28", "2019-05-05"],
        ));
        calendar
    }

    #[test]
    fn a_notice_may_reach_into_the_december_before() {
        let mut calendar = calendar();
        for (date, works) in [
            ("2018-12-28", true),
            ("2018-12-29", true),
            ("2018-12-30", false),
            ("2018-12-31", false),
            ("2019-01-01", false),
            ("2019-01-02", true),
            ("2019-01-05", false),
        ] {
            assert_eq!(calendar.is_working_day(day(date)), Ok(works), "{date}");
        }
        calendar.set(year(2019, &[], &[]));
        assert_eq!(calendar.is_working_day(day("2018-12-31")), Ok(true), "a Monday, before the notice is there");
        assert_eq!(calendar.years().map(|y| y.year).collect::<Vec<_>>(), [2018, 2019]);
    }

    #[test]
    fn steps_jump_over_days_off_and_land_on_make_up_days() {
        let calendar = calendar();
        assert_eq!(calendar.next_working_day(day("2019-04-30")), Ok(day("2019-05-05")));
        assert_eq!(calendar.previous_working_day(day("2019-05-05")), Ok(day("2019-04-30")));
        assert_eq!(calendar.add_working_days(day("2018-12-27"), 3), Ok(day("2019-01-02")));
        assert_eq!(calendar.add_working_days(day("2019-01-02"), -3), Ok(day("2018-12-27")));
        assert_eq!(calendar.add_working_days(day("2019-05-02"), 0), Ok(day("2019-05-02")));
        assert_eq!(calendar.working_days_between(day("2018-12-27"), day("2019-01-02")), Ok(3));
        assert_eq!(calendar.working_days_between(day("2019-05-05"), day("2019-05-05")), Ok(0));
        assert_eq!(calendar.working_days_between(day("2019-05-06"), day("2019-05-05")), Ok(0));
    }

    #[test]
    fn counting_and_stepping_agree() {
        let calendar = calendar();
        for n in 0..260 {
            let start = day("2018-12-25");
            let end = calendar.add_working_days(start, n).unwrap();
            assert_eq!(calendar.working_days_between(start, end), Ok(n), "{end}");
        }
    }

    #[test]
    fn a_missing_year_is_an_error_that_names_the_file() {
        let calendar = calendar();
        let error = calendar.add_working_days(day("2019-12-30"), 5).unwrap_err();
        assert_eq!(error, MissingYear { year: 2020 });
        assert!(error.to_string().contains("config/calendar/2020.toml"), "{error}");
        assert_eq!(calendar.previous_working_day(day("2018-01-02")), Err(MissingYear { year: 2017 }));
        assert_eq!(calendar.add_working_days(day("2019-12-30"), i64::MAX), Err(MissingYear { year: 2020 }));
        assert_eq!(calendar.next_working_day(NaiveDate::MAX).map_err(|e| e.year), Err(NaiveDate::MAX.year()));
        assert_eq!(calendar.working_days_between(day("2019-12-30"), day("2020-01-01")), Err(error));
    }

    #[test]
    fn the_lenient_count_says_when_it_guessed() {
        let calendar = calendar();
        let count = |from, to| calendar.working_days_or_weekdays_between(day(from), day(to));
        assert_eq!(count("2018-12-27", "2019-01-02"), CountedDays { days: 3, guessed: false });
        assert_eq!(count("2019-12-31", "2020-01-03"), CountedDays { days: 3, guessed: true });
        assert_eq!(count("2020-01-03", "2019-12-31"), CountedDays { days: 0, guessed: false });
    }
}
