//! The day of the month on which a scheme pays (发放日), moved off days on which offices and banks are closed.

use chrono::{Datelike, NaiveDate};

use super::calendar::{Calendar, MissingYear};
use super::period::Period;

/// A day of every month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayDay {
    /// 1 to 31; in a shorter month its last day.
    pub day: u32,
    /// Where it goes when it is no working day.
    pub shift: Shift,
}

/// Which way a pay day moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// To the working day before.
    Earlier,
    /// To the working day after.
    Later,
}

impl PayDay {
    /// The pay day of a month.
    ///
    /// # Errors
    /// When the calendar has no such year.
    pub fn of(self, month: Period, calendar: &Calendar) -> Result<NaiveDate, MissingYear> {
        let last = month.last_day();
        let date = last.with_day(self.day.min(last.day())).unwrap_or(last);
        match self.shift {
            _ if calendar.is_working_day(date)? => Ok(date),
            Shift::Earlier => calendar.previous_working_day(date),
            Shift::Later => calendar.next_working_day(date),
        }
    }

    /// Printed form.
    pub fn title(self) -> String {
        let shift = if self.shift == Shift::Earlier { "提前" } else { "顺延" };
        format!("每月 {} 日（遇非工作日{shift}）", self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::{CalendarYear, DaysOff};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Spring festival of 2026: 15 to 23 February, 14 and 28 February are worked.
    fn calendar() -> Calendar {
        let mut calendar = Calendar::default();
        calendar.set(CalendarYear {
            year: 2026,
            documents: Vec::new(),
            off: vec![DaysOff { name: "春节".into(), from: day("2026-02-15"), to: day("2026-02-23") }],
            work: vec![day("2026-02-14"), day("2026-02-28")],
        });
        calendar
    }

    #[test]
    fn a_pay_day_leaves_days_off_either_way() {
        let calendar = calendar();
        let of = |day, shift, month: &str| PayDay { day, shift }.of(month.parse().unwrap(), &calendar);
        assert_eq!(of(15, Shift::Earlier, "2026-01"), Ok(day("2026-01-15")));
        assert_eq!(of(15, Shift::Earlier, "2026-02"), Ok(day("2026-02-14")), "a Saturday that is worked");
        assert_eq!(of(15, Shift::Later, "2026-02"), Ok(day("2026-02-24")));
        assert_eq!(of(31, Shift::Later, "2026-02"), Ok(day("2026-02-28")), "the last day, a Saturday that is worked");
        assert_eq!(of(31, Shift::Later, "2026-05"), Ok(day("2026-06-01")), "a Sunday");
        assert_eq!(of(15, Shift::Earlier, "2027-01"), Err(MissingYear { year: 2027 }));
        assert_eq!(of(31, Shift::Later, "2026-12"), Ok(day("2026-12-31")));
        assert_eq!(
            of(1, Shift::Earlier, "2026-01"),
            Ok(day("2026-01-01")),
            "a Thursday, as this calendar knows no New Year"
        );
    }
}
