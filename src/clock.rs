//! The only place that asks for "now". All days of the office are China Standard Time (UTC+8).

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, Utc};

/// Where the time comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A given instant, for tests.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The instant, as stored: RFC 3339, UTC, whole milliseconds.
    pub fn instant(self) -> String {
        self.now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Today in China.
    pub fn today(self) -> NaiveDate {
        const EAST_8: i32 = 8 * 3600;
        FixedOffset::east_opt(EAST_8)
            .map_or_else(|| self.now().date_naive(), |zone| self.now().with_timezone(&zone).date_naive())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(self) -> DateTime<Utc> {
        match self {
            Clock::System => Utc::now(),
            Clock::Fixed(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_china() {
        let late = Clock::Fixed("2026-01-31T16:00:00Z".parse().unwrap());
        assert_eq!(late.today().to_string(), "2026-02-01");
        assert_eq!(late.instant(), "2026-01-31T16:00:00.000Z");
    }
}
