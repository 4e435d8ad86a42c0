//! Calendar files (`config/calendar/YYYY.toml`): one year's notice as TOML to a checked
//! [`CalendarYear`]. All faults at once.

use std::sync::{Arc, LazyLock};

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;

use super::faults::Faults;
use crate::domain::calendar::{Calendar, CalendarYear, DaysOff, LazyCalendar, is_weekday};
use crate::domain::document::DocumentNumber;
use crate::domain::period::parse_date;

const BUILT_IN: [&str; 2] =
    [include_str!("../../config/calendar/2025.toml"), include_str!("../../config/calendar/2026.toml")];

/// No holiday was ever this long; a wrong month easily is.
const LONGEST_HOLIDAY: i64 = 16;

/// Why a calendar file cannot be loaded: every fault, each a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct CalendarFileError(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    year: i32,
    documents: Vec<String>,
    #[serde(default)]
    off: Vec<OffTable>,
    #[serde(default)]
    work: Vec<WorkTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OffTable {
    name: String,
    from: String,
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkTable {
    date: String,
}

/// The years that come with the program.
///
/// # Errors
/// Never in a tested build.
pub fn built_in() -> Result<Calendar, CalendarFileError> {
    let mut calendar = Calendar::default();
    for text in BUILT_IN {
        calendar.set(parse_calendar(text)?);
    }
    Ok(calendar)
}

/// The same, read when it is first asked for. Should it not be readable, which a test rules out, no year is known, and
/// whoever counts days is told so.
pub fn built_in_when_asked() -> LazyCalendar {
    Arc::new(LazyLock::new(Box::new(|| built_in().unwrap_or_default())))
}

/// Reads and checks a calendar file.
///
/// # Errors
/// Every fault: TOML's own with its line, unknown keys, dates that are none or belong to another
/// year, no document, overlapping days off, make-up days on a weekday, on a day off, or twice.
pub fn parse_calendar(text: &str) -> Result<CalendarYear, CalendarFileError> {
    let file: File = toml::from_str(text).map_err(|e| CalendarFileError(vec![e.to_string().trim_end().to_string()]))?;
    let mut faults = Faults::default();
    faults.need("year", (2000..2200).contains(&file.year).then_some(()), "应为四位年份");
    faults.need("documents", (!file.documents.is_empty()).then_some(()), "为空，应写放假通知的文号");
    let documents = file.documents.iter().filter_map(|t| faults.take("documents", DocumentNumber::parse(t))).collect();
    faults.need("[[off]]", (!file.off.is_empty()).then_some(()), "没有放假日期，至少应有一个");
    let off = file.off.iter().enumerate().filter_map(|(i, t)| days_off(t, i + 1, file.year, &mut faults)).collect();
    let place = |i: usize| format!("第 {} 个 [[work]]", i + 1);
    let work: Vec<NaiveDate> = file
        .work
        .iter()
        .enumerate()
        .filter_map(|(i, t)| date_of_year(&place(i), &t.date, file.year, &mut faults))
        .collect();
    let year = CalendarYear { year: file.year, documents, off, work };
    check_overlaps(&year, &mut faults);
    if faults.0.is_empty() { Ok(year) } else { Err(CalendarFileError(faults.0)) }
}

fn days_off(table: &OffTable, number: usize, year: i32, faults: &mut Faults) -> Option<DaysOff> {
    let place = format!("第 {number} 个 [[off]]");
    let name = table.name.trim();
    faults.need(&place, (!name.is_empty()).then_some(()), "name 为空，应写节日名称");
    let from = date_of_year(&place, &table.from, year, faults);
    let to = table.to.as_ref().map_or(from, |to| date_of_year(&place, to, year, faults));
    let (from, to) = (from?, to?);
    if to < from {
        faults.0.push(format!("{place}: to {to} 早于 from {from}"));
        return None;
    }
    let days = (to - from).num_days() + 1;
    if days > LONGEST_HOLIDAY {
        faults.0.push(format!("{place}: {from} 至 {to} 共 {days} 天，应不超过 {LONGEST_HOLIDAY} 天"));
    }
    Some(DaysOff { name: name.to_string(), from, to })
}

/// A date of the year or of the December before.
fn date_of_year(place: &str, text: &str, year: i32, faults: &mut Faults) -> Option<NaiveDate> {
    let fault = format!("“{text}”不是日期，应为 {year}-01-01 这样的日期");
    let date = faults.need(place, parse_date(text), &fault)?;
    let fits = date.year() == year || date.year() == year - 1 && date.month() == 12;
    let fault = format!("{date} 不属于 {year} 年，应在 {}-12-01 至 {year}-12-31 之间", year - 1);
    faults.need(place, fits.then_some(date), &fault)
}

fn check_overlaps(year: &CalendarYear, faults: &mut Faults) {
    for (i, days) in year.off.iter().enumerate() {
        for earlier in year.off[..i].iter().filter(|e| e.from <= days.to && days.from <= e.to) {
            let (a, b) = (&earlier.name, &days.name);
            faults.0.push(format!(
                "[[off]]: {a}（{} 至 {}）与{b}（{} 至 {}）重叠",
                earlier.from, earlier.to, days.from, days.to
            ));
        }
    }
    for (i, date) in year.work.iter().enumerate() {
        if is_weekday(*date) {
            faults.0.push(format!("[[work]]: {date} 是周一至周五，应为周六或周日；工作日不用写"));
        }
        if let Some(days) = year.off.iter().find(|o| (o.from..=o.to).contains(date)) {
            faults.0.push(format!("[[work]]: {date} 在{}放假期间，应删除其中之一", days.name));
        }
        if year.work[..i].contains(date) {
            faults.0.push(format!("[[work]]: {date} 出现两次，应只有一条"));
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Weekday;

    use super::*;

    const Y2026: &str = BUILT_IN[1];

    fn day(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    /// The weekdays are printed in the notices; a slipped date would be on another one.
    #[test]
    fn the_built_in_years_have_the_weekdays_of_the_notices() {
        use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
        let calendar = built_in().unwrap();
        let expected = [
            (
                2025,
                "国办发明电〔2024〕12号",
                vec![(Wed, Wed, 1), (Tue, Tue, 8), (Fri, Sun, 3), (Thu, Mon, 5), (Sat, Mon, 3), (Wed, Wed, 8)],
                vec![Sun, Sat, Sun, Sun, Sat],
            ),
            (
                2026,
                "国办发明电〔2025〕7号",
                vec![
                    (Thu, Sat, 3),
                    (Sun, Mon, 9),
                    (Sat, Mon, 3),
                    (Fri, Tue, 5),
                    (Fri, Sun, 3),
                    (Fri, Sun, 3),
                    (Thu, Wed, 7),
                ],
                vec![Sun, Sat, Sat, Sat, Sun, Sat],
            ),
        ];
        let found: Vec<_> = calendar
            .years()
            .map(|y| {
                let days = |o: &DaysOff| (o.from.weekday(), o.to.weekday(), (o.to - o.from).num_days() + 1);
                let work = y.work.iter().map(Datelike::weekday).collect::<Vec<_>>();
                (y.year, y.documents[0].as_str(), y.off.iter().map(days).collect::<Vec<_>>(), work)
            })
            .collect();
        assert_eq!(found, expected);
    }

    /// 365 days less weekends and statutory days: 11 holidays became 13 in 2025.
    #[test]
    fn a_year_has_as_many_working_days_as_the_law_gives() {
        let calendar = built_in().unwrap();
        assert_eq!(calendar.working_days_between(day("2025-01-01"), day("2025-12-31")), Ok(248));
        assert_eq!(calendar.working_days_between(day("2025-12-31"), day("2026-12-31")), Ok(248));
    }

    #[test]
    fn a_time_limit_runs_over_the_spring_festival() {
        let calendar = built_in().unwrap();
        assert_eq!(calendar.add_working_days(day("2026-02-12"), 3), Ok(day("2026-02-24")));
        assert_eq!(calendar.previous_working_day(day("2026-02-15")), Ok(day("2026-02-14")));
        assert!(calendar.is_working_day(day("2027-01-01")).is_err());
    }

    #[test]
    fn every_fault_comes_at_once() {
        let text = Y2026
            .replace("\"国办发明电〔2025〕7号\"", "\"国办发明电7号\"")
            .replace("to = \"2026-01-03\"", "to = \"2026-01-33\"")
            .replace("from = \"2026-02-15\"", "from = \"2025-02-15\"")
            .replace("to = \"2026-04-06\"", "to = \"2026-05-06\"")
            .replace("name = \"端午节\"", "name = \" \"")
            .replace("to = \"2026-09-27\"", "to = \"2026-09-24\"")
            .replace("date = \"2026-02-28\"", "date = \"2026-02-14\"")
            .replace("date = \"2026-09-20\"", "date = \"2026-09-21\"")
            .replace("date = \"2026-10-10\"", "date = \"2026-10-04\"");
        let faults = parse_calendar(&text).unwrap_err().0;
        let expected = [
            "国办发明电7号",
            "第 1 个 [[off]]: “2026-01-33”",
            "第 2 个 [[off]]: 2025-02-15 不属于 2026 年",
            "第 3 个 [[off]]: 2026-04-04 至 2026-05-06 共 33 天",
            "第 5 个 [[off]]: name 为空",
            "第 6 个 [[off]]: to 2026-09-24 早于",
            "清明节（2026-04-04 至 2026-05-06）与劳动节",
            "2026-02-14 出现两次",
            "2026-09-21 是周一至周五",
            "2026-10-04 在国庆节放假期间",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, part) in faults.iter().zip(expected) {
            assert!(fault.contains(part), "{fault} has not {part}");
        }
    }

    #[test]
    fn a_file_without_notice_or_days_is_refused_and_keys_are_known() {
        let faults = parse_calendar("year = 26\ndocuments = []\n").unwrap_err().0;
        assert_eq!(faults.len(), 3, "{faults:?}");
        let unknown = parse_calendar(&format!("colour = 1\n{Y2026}")).unwrap_err().to_string();
        assert!(unknown.contains("colour"), "{unknown}");
        let reaching_back = "year = 2019\ndocuments = [\"国办发明电〔2018〕15号\"]\n[[off]]\nname = \"元旦\"\n\
                             from = \"2018-12-30\"\nto = \"2019-01-01\"\n[[work]]\ndate = \"2018-12-29\"\n";
        assert_eq!(parse_calendar(reaching_back).unwrap().off[0].from, day("2018-12-30"));
    }
}
