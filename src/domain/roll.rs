//! The roll (花名册): every enrolment of a scheme as it began, one line of text each, in the order of enrolment.
//!
//! A line is written once. What became of it is told elsewhere: by facts, and where the account or the name is another
//! one now, by exception. Whoever runs over everybody reads lines where they stand and copies little.

use std::borrow::Cow;
use std::fmt::Write;

use chrono::NaiveDate;
use memchr::memchr2;

use super::citizen_number::CitizenNumber;
use super::enrolment::StopReason;
use super::entitlement::Entitlement;
use super::money::Money;
use super::payment::Payee;
use super::period::{Period, date_from_number, date_number};
use super::text::between;

/// An enrolment as it begins.
#[derive(Debug, Clone, Copy)]
pub struct NewEnrolment<'a> {
    /// Number within the agency; the order of the roster.
    pub no: i64,
    /// The person: the number of that person's first enrolment.
    pub beneficiary_no: i64,
    /// Citizen number, whole.
    pub citizen_number: &'a str,
    /// Name as on the identity card.
    pub name: &'a str,
    /// Bank code.
    pub bank_code: &'a str,
    /// Account number, whole.
    pub account_number: &'a str,
    /// 户名, the bank's spelling.
    pub account_holder: &'a str,
    /// 人员类别.
    pub category: &'a str,
    /// First month owed.
    pub first: Period,
    /// Day in it, when known.
    pub first_day: Option<NaiveDate>,
    /// Last month owed, when the roster says one.
    pub last: Option<Period>,
    /// The person's own amount, and the month from which it is known.
    pub amount: Option<(Period, Money)>,
    /// Last certification.
    pub certified_on: Option<NaiveDate>,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// Why the holder is another person.
    pub holder_relation: &'a str,
    /// 原工作单位.
    pub former_unit: &'a str,
    /// 联系电话.
    pub phone: &'a str,
}

impl NewEnrolment<'_> {
    /// The enrolment as a line, its fields between tabs:
    ///
    /// `enrolment beneficiary number name bank account holder category first-month first-day last-month amount
    /// amount-from certified retired relation former-unit phone`
    ///
    /// Months are yyyymm, days yyyymmdd, amounts fen, and empty what is not known. What may be any text (category and
    /// the last three) is escaped; the payee's texts hold no tab and no line break (see [`NewEnrolment::is_sound`]).
    pub fn write_line(&self, line: &mut String) {
        // Writing to a String does not fail.
        let _ = write!(line, "{}\t{}", self.no, self.beneficiary_no);
        for text in self.payee_texts() {
            line.push('\t');
            line.push_str(text);
        }
        line.push('\t');
        escape(self.category, line);
        let _ = write!(line, "\t{}", self.first.number());
        let numbers = [
            self.first_day.map(date_number),
            self.last.map(Period::number),
            self.amount.map(|(_, monthly)| monthly.fen()),
            self.amount.map(|(from, _)| from.number()),
            self.certified_on.map(date_number),
            self.retired_on.map(date_number),
        ];
        for number in numbers {
            line.push('\t');
            if let Some(number) = number {
                let _ = write!(line, "{number}");
            }
        }
        for text in [self.holder_relation, self.former_unit, self.phone] {
            line.push('\t');
            escape(text, line);
        }
        line.push('\n');
    }

    fn payee_texts(&self) -> [&str; 5] {
        [self.citizen_number, self.name, self.bank_code, self.account_number, self.account_holder]
    }

    /// True when no text that goes into payments would break its line.
    pub fn is_sound(&self) -> bool {
        !self.payee_texts().iter().any(|text| memchr2(b'\t', b'\n', text.as_bytes()).is_some())
    }
}

/// Backslash, tab and line ends are written in two characters.
fn escape(text: &str, line: &mut String) {
    if !text.contains(['\\', '\t', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(other),
        }
    }
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        plain.push(match c {
            '\\' => match characters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                other => other.unwrap_or('\\'),
            },
            other => other,
        });
    }
    plain.into()
}

/// Fields of a line.
const FIELDS: usize = 18;

/// A line of the roll, read in place.
#[derive(Debug, Clone, Copy)]
pub struct RollLine<'a> {
    /// Number within the agency; the order of the roster.
    pub no: i64,
    /// The person: the number of that person's first enrolment.
    pub beneficiary_no: i64,
    fields: [&'a str; FIELDS],
}

/// A line that is no enrolment. It is told by its number alone: what stands in it is for no screen or log.
#[derive(Debug, thiserror::Error)]
#[error("第 {0} 号待遇资格无法读取")]
pub struct RollLineError(String);

impl<'a> RollLine<'a> {
    /// Reads a line, without its line break.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(line: &'a str) -> Result<RollLine<'a>, RollLineError> {
        let mut fields = [""; FIELDS];
        let mut found = between(b'\t', line);
        let whole = fields.iter_mut().all(|field| found.next().map(|text| *field = text).is_some());
        let wrong = || RollLineError(fields[0].to_string());
        if !whole || found.next().is_some() {
            return Err(wrong());
        }
        let no = fields[0].parse().map_err(|_| wrong())?;
        let beneficiary_no = fields[1].parse().map_err(|_| wrong())?;
        Ok(RollLine { no, beneficiary_no, fields })
    }

    /// Citizen number, whole.
    pub fn citizen_number(&self) -> &'a str {
        self.fields[2]
    }

    /// Who is paid and where, as enrolled.
    pub fn payee(&self) -> Payee<'a> {
        let [_, _, citizen_number, name, bank_code, account_number, account_holder, ..] = self.fields;
        let beneficiary_no = self.beneficiary_no;
        Payee { beneficiary_no, citizen_number, name, bank_code, account_number, account_holder }
    }

    /// What is owed, as the enrolment began, before any fact.
    ///
    /// # Errors
    /// When a field cannot be read.
    pub fn entitlement(&self) -> Result<Entitlement, RollLineError> {
        let first = self.month(8)?.ok_or_else(|| self.unreadable())?;
        let last = self.month(10)?;
        let amount = self.number(11)?.map(Money).zip(self.month(12)?);
        Ok(Entitlement {
            first,
            first_day: self.day(9)?,
            last,
            last_day: None,
            stop_reason: last.map(|_| StopReason::Roster),
            suspensions: Vec::new(),
            categories: vec![(first, unescaped(self.fields[7]).into_owned())],
            amounts: amount.map(|(monthly, from)| (from, monthly)).into_iter().collect(),
            certified: self.day(13)?.into_iter().collect(),
            born_on: CitizenNumber::birth_date(self.citizen_number()),
            retired_on: self.day(14)?,
        })
    }

    /// 退休日期 as enrolled.
    ///
    /// # Errors
    /// When it is no day.
    pub fn retired_on(&self) -> Result<Option<NaiveDate>, RollLineError> {
        self.day(14)
    }

    /// Why the holder is another person, as enrolled; empty when it is not.
    pub fn holder_relation(&self) -> Cow<'a, str> {
        unescaped(self.fields[15])
    }

    /// 原工作单位.
    pub fn former_unit(&self) -> Cow<'a, str> {
        unescaped(self.fields[16])
    }

    /// 联系电话.
    pub fn phone(&self) -> Cow<'a, str> {
        unescaped(self.fields[17])
    }

    fn unreadable(&self) -> RollLineError {
        RollLineError(self.no.to_string())
    }

    fn number(&self, field: usize) -> Result<Option<i64>, RollLineError> {
        let text = self.fields[field];
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| self.unreadable())
    }

    fn month(&self, field: usize) -> Result<Option<Period>, RollLineError> {
        self.number(field)?.map(|yyyymm| Period::from_number(yyyymm).map_err(|_| self.unreadable())).transpose()
    }

    fn day(&self, field: usize) -> Result<Option<NaiveDate>, RollLineError> {
        self.number(field)?.map(|yyyymmdd| date_from_number(yyyymmdd).ok_or_else(|| self.unreadable())).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolment() -> NewEnrolment<'static> {
        NewEnrolment {
            no: 17,
            beneficiary_no: 3,
            citizen_number: "652827194001010011",
            name: "阿依古丽·买买提",
            bank_code: "RCC",
            account_number: "6222020000000000017",
            account_holder: "阿依古丽 买买提",
            category: "老人\\",
            first: "2026-01".parse().unwrap(),
            first_day: None,
            last: Some("2026-12".parse().unwrap()),
            amount: Some(("2026-02".parse().unwrap(), Money(12_345))),
            certified_on: NaiveDate::from_ymd_opt(2025, 5, 20),
            retired_on: None,
            holder_relation: "",
            former_unit: "a\tb\\c\nd\r\ne",
            phone: "\\N",
        }
    }

    #[test]
    fn an_enrolment_is_one_line_that_reads_back() {
        let mut line = String::new();
        enrolment().write_line(&mut line);
        assert_eq!(
            line,
            "17\t3\t652827194001010011\t阿依古丽·买买提\tRCC\t6222020000000000017\t阿依古丽 买买提\t老人\\\\\t202601\t\t202612\t\
             12345\t202602\t20250520\t\t\ta\\tb\\\\c\\nd\\r\\ne\t\\\\N\n"
        );
        let read = RollLine::read(line.trim_end_matches('\n')).unwrap();
        assert_eq!((read.no, read.beneficiary_no, read.payee().account_holder), (17, 3, "阿依古丽 买买提"));
        assert_eq!((&*read.former_unit(), &*read.phone(), &*read.holder_relation()), ("a\tb\\c\nd\r\ne", "\\N", ""));
        let entitlement = read.entitlement().unwrap();
        let first: Period = "2026-01".parse().unwrap();
        assert_eq!(entitlement.categories, [(first, "老人\\".to_string())]);
        assert_eq!(entitlement.amounts, [(first.next(), Money(12_345))]);
        assert_eq!((entitlement.last, entitlement.stop_reason), (Some(first.plus(11)), Some(StopReason::Roster)));
        assert_eq!(entitlement.born_on, NaiveDate::from_ymd_opt(1940, 1, 1));
        assert_eq!((entitlement.certified.len(), entitlement.retired_on), (1, None));
    }

    #[test]
    fn what_is_no_line_is_told_by_its_number_alone() {
        let mut line = String::new();
        enrolment().write_line(&mut line);
        let line = line.trim_end_matches('\n');
        for broken in ["", "17\t3", &format!("{line}\t"), line.strip_suffix("\t\\\\N").unwrap()] {
            assert!(RollLine::read(broken).is_err(), "{broken}");
        }
        let wrong = line.replace("\t202601\t", "\t202613\t");
        let told = RollLine::read(&wrong).unwrap().entitlement().unwrap_err().to_string();
        assert_eq!(told, "第 17 号待遇资格无法读取");
        assert!(enrolment().is_sound());
        assert!(!NewEnrolment { account_holder: "甲\t乙", ..enrolment() }.is_sound());
    }
}
