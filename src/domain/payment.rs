//! Payments (发放明细): one credit to one account in a run, covering one or more periods.
//!
//! A payment is written once, as one line of text: what is stored, what is digested and what an auditor can read are
//! the same characters. What became of it is told by the state of its run and file, and by outcome rows where it
//! differs: an answered file means credited unless a row says otherwise.

use std::fmt;
use std::str::FromStr;

use memchr::{memchr_iter, memchr2_iter, memrchr};
use sha2::{Digest, Sha256};

use super::money::Money;
use super::period::Period;
use super::recovery::Entry;
use super::text::{between, hex, push_number};

/// Our reference on a payment. It goes to the bank and comes back, and it alone matches a return
/// to a payment: agency, run and line. `652827-202601-1-17`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentRef {
    /// Agency code.
    pub agency_code: String,
    /// Last period of the run.
    pub run_period: Period,
    /// Run number within the agency.
    pub run_no: i64,
    /// Line within the run, from 1.
    pub line_no: i64,
}

impl fmt::Display for PaymentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}-{}", self.agency_code, self.run_period.number(), self.run_no, self.line_no)
    }
}

/// A text that is no payment reference of ours.
#[derive(Debug, thiserror::Error)]
#[error("“{0}”不是本系统的支付明细号")]
pub struct PaymentRefError(String);

impl FromStr for PaymentRef {
    type Err = PaymentRefError;
    fn from_str(text: &str) -> Result<PaymentRef, PaymentRefError> {
        let wrong = || PaymentRefError(text.to_string());
        let mut parts = text.trim().rsplitn(4, '-');
        let mut number = || parts.next().and_then(|p| p.parse::<i64>().ok()).filter(|n| *n > 0);
        let (line_no, run_no, period) = (number(), number(), number());
        let agency_code = parts.next().filter(|a| !a.is_empty()).ok_or_else(wrong)?.to_string();
        let found = PaymentRef {
            agency_code,
            run_period: period.and_then(|p| Period::from_number(p).ok()).ok_or_else(wrong)?,
            run_no: run_no.ok_or_else(wrong)?,
            line_no: line_no.ok_or_else(wrong)?,
        };
        // Only the one spelling counts: `-01` is not `-1`.
        if found.to_string() == text.trim() { Ok(found) } else { Err(wrong()) }
    }
}

/// A payment as frozen in its run.
#[derive(Debug, Clone)]
pub struct Payment {
    /// Line within the run, from 1; ordered by bank, then by roster.
    pub line_no: i64,
    /// Whose.
    pub enrolment_no: i64,
    /// Whose, as a person.
    pub beneficiary_no: i64,
    /// Citizen number, whole.
    pub citizen_number: String,
    /// Name at that moment.
    pub name: String,
    /// Bank code at that moment.
    pub bank_code: String,
    /// Account number at that moment, whole.
    pub account_number: String,
    /// Account holder at that moment.
    pub account_holder: String,
    /// Sum of what it covers.
    pub amount: Money,
    /// Fen of all earlier lines: where this payment lies in the run's money (see `appropriation::Draw`).
    pub offset: Money,
    /// What it covers, month by month.
    pub covers: Vec<Cover>,
}

impl Payment {
    /// The payment as a line, its fields between tabs and its covers between spaces:
    ///
    /// `line enrolment amount offset beneficiary number name bank account holder month=amount/claim/covered …`
    ///
    /// Numbers in fen and yyyymm. No field can hold a tab or a line break (see [`Payee::write_in_one_line`]).
    pub fn frozen_form(&self, line: &mut String) {
        for number in [self.line_no, self.enrolment_no, self.amount.0, self.offset.0] {
            push_number(line, number);
            line.push('\t');
        }
        self.payee().write(line);
        for (i, cover) in self.covers.iter().enumerate() {
            line.push(if i == 0 { '\t' } else { ' ' });
            cover.write(line);
        }
        line.push('\n');
    }

    /// Whose it is and what it covers.
    pub fn paid(&self) -> Paid {
        let mut covers = String::new();
        for (i, cover) in self.covers.iter().enumerate() {
            if i > 0 {
                covers.push(' ');
            }
            cover.write(&mut covers);
        }
        Paid { enrolment_no: self.enrolment_no, beneficiary_no: self.beneficiary_no, covers }
    }

    /// Who is paid and where.
    pub fn payee(&self) -> Payee<'_> {
        Payee {
            beneficiary_no: self.beneficiary_no,
            citizen_number: &self.citizen_number,
            name: &self.name,
            bank_code: &self.bank_code,
            account_number: &self.account_number,
            account_holder: &self.account_holder,
        }
    }
}

/// A payment's line, read in place: what runs over whole years looks at a few fields of very many.
#[derive(Debug, Clone, Copy)]
pub struct FrozenLine<'a> {
    /// Line within the run.
    pub line_no: i64,
    /// Whose.
    pub enrolment_no: i64,
    /// Sum of what it covers.
    pub amount: Money,
    /// Fen of all earlier lines.
    pub offset: Money,
    text: &'a str,
    rest: &'a str,
}

/// Who is paid and where, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payee<'a> {
    /// Whose.
    pub beneficiary_no: i64,
    /// Citizen number, whole.
    pub citizen_number: &'a str,
    /// Name.
    pub name: &'a str,
    /// Bank code.
    pub bank_code: &'a str,
    /// Account number, whole.
    pub account_number: &'a str,
    /// Account holder.
    pub account_holder: &'a str,
}

impl Payee<'_> {
    fn texts(&self) -> [&str; 5] {
        [self.citizen_number, self.name, self.bank_code, self.account_number, self.account_holder]
    }

    /// The fields of a payment's line that tell the payee.
    pub fn write(&self, line: &mut String) {
        push_number(line, self.beneficiary_no);
        for text in self.texts() {
            line.push('\t');
            line.push_str(text);
        }
    }

    /// The same; false when a text would break its line.
    pub fn write_in_one_line(&self, line: &mut String) -> bool {
        let start = line.len();
        self.write(line);
        memchr2_iter(b'\t', b'\n', &line.as_bytes()[start..]).count() == self.texts().len()
    }
}

/// Whose payment it is and what it covers: what is kept beside an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The enrolment.
    pub enrolment_no: i64,
    /// The person.
    pub beneficiary_no: i64,
    /// The covers as the payment's line has them.
    pub covers: String,
}

/// The covers of a text that a payment's line or an outcome has.
///
/// # Errors
/// The text of one that cannot be read; it names nobody.
pub fn read_covers(text: &str) -> impl Iterator<Item = Result<Cover, FrozenLineError>> {
    Covers(Some(text)).map(|read| read.map_err(|text| FrozenLineError(text.to_string())))
}

/// A line that is no frozen payment. It is told by its number alone: what stands in it is for no screen or log.
#[derive(Debug, thiserror::Error)]
#[error("第 {0} 笔不是完整的发放明细")]
pub struct FrozenLineError(String);

impl<'a> FrozenLine<'a> {
    /// Reads a line, without its line break.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(line: &'a str) -> Result<FrozenLine<'a>, FrozenLineError> {
        let (line_no, rest) = number(line, Some(b'\t')).ok_or_else(|| FrozenLineError("?".to_string()))?;
        let numbers = || {
            let (enrolment_no, rest) = number(rest, Some(b'\t'))?;
            let (amount, rest) = number(rest, Some(b'\t'))?;
            let (offset, rest) = number(rest, Some(b'\t'))?;
            Some((enrolment_no, amount, offset, rest))
        };
        let (enrolment_no, amount, offset, rest) = numbers().ok_or_else(|| FrozenLineError(line_no.to_string()))?;
        Ok(FrozenLine { line_no, enrolment_no, amount: Money(amount), offset: Money(offset), text: line, rest })
    }

    /// What it covers, month by month.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn covers(&self) -> impl Iterator<Item = Result<Cover, FrozenLineError>> {
        Covers(Some(self.covers_field())).map(|read| read.map_err(|_| self.unreadable()))
    }

    fn unreadable(&self) -> FrozenLineError {
        FrozenLineError(self.line_no.to_string())
    }

    fn covers_field(&self) -> &'a str {
        memrchr(b'\t', self.rest.as_bytes()).map_or("", |tab| &self.rest[tab + 1..])
    }

    /// Who is paid and where.
    ///
    /// # Errors
    /// When a field is missing, is too many or cannot be read.
    pub fn payee(&self) -> Result<Payee<'a>, FrozenLineError> {
        let mut fields = between(b'\t', self.rest);
        let mut field = || fields.next().ok_or_else(|| self.unreadable());
        let payee = Payee {
            beneficiary_no: field()?.parse().map_err(|_| self.unreadable())?,
            citizen_number: field()?,
            name: field()?,
            bank_code: field()?,
            account_number: field()?,
            account_holder: field()?,
        };
        // The covers, and neither a field less nor one more.
        let is_whole = fields.next().is_some() && fields.next().is_none();
        is_whole.then_some(payee).ok_or_else(|| self.unreadable())
    }

    /// Looks whether [`FrozenLine::payee`] could be read, without reading it.
    ///
    /// # Errors
    /// As there.
    pub fn has_payee(&self) -> Result<(), FrozenLineError> {
        let tabs = memchr_iter(b'\t', self.rest.as_bytes()).count();
        let is_whole = tabs == 6 && number(self.rest, Some(b'\t')).is_some();
        is_whole.then_some(()).ok_or_else(|| self.unreadable())
    }

    /// Whose it is and what it covers.
    ///
    /// # Errors
    /// When the person cannot be read.
    pub fn paid(&self) -> Result<Paid, FrozenLineError> {
        let (beneficiary_no, _) = number(self.rest, Some(b'\t')).ok_or_else(|| self.unreadable())?;
        Ok(Paid { enrolment_no: self.enrolment_no, beneficiary_no, covers: self.covers_field().to_string() })
    }

    /// The whole payment.
    ///
    /// # Errors
    /// When a field is missing or cannot be read.
    pub fn payment(&self) -> Result<Payment, FrozenLineError> {
        let payee = self.payee()?;
        Ok(Payment {
            line_no: self.line_no,
            enrolment_no: self.enrolment_no,
            beneficiary_no: payee.beneficiary_no,
            citizen_number: payee.citizen_number.to_string(),
            name: payee.name.to_string(),
            bank_code: payee.bank_code.to_string(),
            account_number: payee.account_number.to_string(),
            account_holder: payee.account_holder.to_string(),
            amount: self.amount,
            offset: self.offset,
            covers: self.covers().collect::<Result<_, _>>()?,
        })
    }
}

/// The number at the beginning of a text, and what stands after the byte, or the text's end, that ends it. Years of payments are read with
/// it, digit by digit; what has more digits than any amount is no number.
fn number(text: &str, end: Option<u8>) -> Option<(i64, &str)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut value = 0_i64;
    for (at, byte) in digits.bytes().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return if end == Some(byte) && at > 0 { Some((sign * value, digits.get(at + 1..)?)) } else { None };
        }
        if at == 18 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    (end.is_none() && !digits.is_empty()).then_some((sign * value, ""))
}

/// The covers of a text, a blank between two; what cannot be read is the end of them.
struct Covers<'a>(Option<&'a str>);

impl<'a> Iterator for Covers<'a> {
    type Item = Result<Cover, &'a str>;

    fn next(&mut self) -> Option<Result<Cover, &'a str>> {
        let text = self.0.take()?;
        Some(match cover(text) {
            Some((cover, rest)) => {
                self.0 = rest;
                Ok(cover)
            }
            None => Err(text),
        })
    }
}

/// The first cover of a text, and what stands after the blank behind it.
fn cover(text: &str) -> Option<(Cover, Option<&str>)> {
    let (month, rest) = number(text, Some(b'='))?;
    let (amount, rest) = number(rest, Some(b'/'))?;
    let (claim, rest) = number(rest, Some(b'/'))?;
    let (covered_before, rest) = match number(rest, None) {
        Some((last, _)) => (last, None),
        None => number(rest, Some(b' ')).map(|(number, rest)| (number, Some(rest)))?,
    };
    let period = Period::from_number(month).ok()?;
    Some((Cover { period, amount: Money(amount), claim: Money(claim), covered_before: Money(covered_before) }, rest))
}

/// SHA-256 over frozen payments with what each covers, and what is offset beside them, taken in as they are read.
#[derive(Debug, Default)]
pub struct FrozenDigest(Sha256);

impl FrozenDigest {
    /// Some payments, as they are stored, each with its line break.
    pub fn lines(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The next payment, as it is stored.
    pub fn line(&mut self, line: &FrozenLine<'_>) {
        self.0.update(line.text.as_bytes());
        self.0.update(b"\n");
    }

    /// What is offset beside all payments, and the digest in hexadecimal.
    pub fn finish(mut self, offsets: &[Entry]) -> String {
        for offset in offsets {
            self.0.update(offset.frozen_form().as_bytes());
        }
        hex(&self.0.finalize())
    }
}

/// The part of one claim that one payment covers, with how it was worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover {
    /// The benefit month.
    pub period: Period,
    /// What this payment covers of it.
    pub amount: Money,
    /// What was owed for the month when the run was prepared.
    pub claim: Money,
    /// What was covered before.
    pub covered_before: Money,
}

impl Cover {
    /// Its field of a payment's line.
    pub fn write(&self, line: &mut String) {
        push_number(line, self.period.number());
        for (before, amount) in [('=', self.amount), ('/', self.claim), ('/', self.covered_before)] {
            line.push(before);
            push_number(line, amount.0);
        }
    }

    /// True when it pays something, and no more than is owed.
    pub fn is_sound(&self) -> bool {
        self.amount > Money::ZERO && self.amount <= self.claim - self.covered_before
    }
}

/// What an outcome row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// Not put into a file: a hold or a stop came after the run was prepared. Final.
    Withheld,
    /// The bank has not said, or said something that does not count. Still covers.
    Open,
    /// Credited after having been open.
    Credited,
    /// The bank said no. Final; the claim is open again.
    Rejected,
    /// Came back after success (退票). Final; the claim is open again.
    Returned,
}

impl OutcomeKind {
    /// Every kind.
    pub const ALL: [OutcomeKind; 5] =
        [OutcomeKind::Withheld, OutcomeKind::Open, OutcomeKind::Credited, OutcomeKind::Rejected, OutcomeKind::Returned];

    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            OutcomeKind::Withheld => "withheld",
            OutcomeKind::Open => "open",
            OutcomeKind::Credited => "credited",
            OutcomeKind::Rejected => "rejected",
            OutcomeKind::Returned => "returned",
        }
    }
}

/// State of a payment. Which moves exist is the match in [`PaymentState::after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// 待批: in a run that is not approved.
    Planned,
    /// 已批待发: approved, in no file yet.
    Approved,
    /// 暂缓: left out of the file.
    Withheld,
    /// 在途: sent, outcome unknown.
    Sent,
    /// 成功.
    Credited,
    /// 失败.
    Rejected,
    /// 退票.
    Returned,
    /// 作废: its run was cancelled.
    Cancelled,
}

impl From<OutcomeKind> for PaymentState {
    /// What a payment is when this was the last that was said of it.
    fn from(kind: OutcomeKind) -> PaymentState {
        match kind {
            OutcomeKind::Withheld => PaymentState::Withheld,
            OutcomeKind::Open => PaymentState::Sent,
            OutcomeKind::Credited => PaymentState::Credited,
            OutcomeKind::Rejected => PaymentState::Rejected,
            OutcomeKind::Returned => PaymentState::Returned,
        }
    }
}

impl PaymentState {
    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            PaymentState::Planned => "planned",
            PaymentState::Approved => "approved",
            PaymentState::Withheld => "withheld",
            PaymentState::Sent => "sent",
            PaymentState::Credited => "credited",
            PaymentState::Rejected => "rejected",
            PaymentState::Returned => "returned",
            PaymentState::Cancelled => "cancelled",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            PaymentState::Planned => "待批",
            PaymentState::Approved => "已批待发",
            PaymentState::Withheld => "暂缓",
            PaymentState::Sent => "在途",
            PaymentState::Credited => "成功",
            PaymentState::Rejected => "失败",
            PaymentState::Returned => "退票",
            PaymentState::Cancelled => "作废",
        }
    }

    /// Cover = in flight + credited. An unknown outcome covers; only a positive failure,
    /// a withheld line or a cancelled run makes the money payable again.
    pub fn covers(self) -> bool {
        matches!(self, PaymentState::Planned | PaymentState::Approved | PaymentState::Sent | PaymentState::Credited)
    }

    /// The state after an outcome.
    ///
    /// # Errors
    /// The state and the outcome that does not fit it.
    pub fn after(self, outcome: OutcomeKind) -> Result<PaymentState, (PaymentState, OutcomeKind)> {
        match (self, outcome) {
            (PaymentState::Approved, OutcomeKind::Withheld) => Ok(PaymentState::Withheld),
            (PaymentState::Sent, OutcomeKind::Open) => Ok(PaymentState::Sent),
            (PaymentState::Sent, OutcomeKind::Credited) => Ok(PaymentState::Credited),
            (PaymentState::Sent, OutcomeKind::Rejected) => Ok(PaymentState::Rejected),
            (PaymentState::Credited, OutcomeKind::Returned) => Ok(PaymentState::Returned),
            (state, outcome) => Err((state, outcome)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [`FrozenDigest`] of payments that are at hand.
    fn frozen_digest<'a>(payments: impl IntoIterator<Item = &'a Payment>, offsets: &[Entry]) -> String {
        let mut digest = FrozenDigest::default();
        let mut line = String::new();
        for payment in payments {
            line.clear();
            payment.frozen_form(&mut line);
            digest.0.update(line.as_bytes());
        }
        digest.finish(offsets)
    }

    #[test]
    fn references_are_read_back_exactly() {
        let reference: PaymentRef = "652827-202601-3-17".parse().unwrap();
        assert_eq!((reference.run_no, reference.line_no), (3, 17));
        assert_eq!(reference.to_string(), "652827-202601-3-17");
        for text in [
            "",
            "652827-202601-3",
            "652827-202613-3-17",
            "652827-202601-3-017",
            "652827-202601-0-17",
            "-202601-3-17",
            "652827-202601-3-17x",
        ] {
            assert!(text.parse::<PaymentRef>().is_err(), "{text}");
        }
    }

    fn payment() -> Payment {
        let month = |text: &str, amount, covered| Cover {
            period: text.parse().unwrap(),
            amount: Money(amount),
            claim: Money(12_000),
            covered_before: Money(covered),
        };
        Payment {
            line_no: 17,
            enrolment_no: 3,
            beneficiary_no: 5,
            citizen_number: "652827194001010011".into(),
            name: "阿依古丽·买买提".into(),
            bank_code: "RCC".into(),
            account_number: "6222020000000000017".into(),
            account_holder: "阿依古丽 买买提".into(),
            amount: Money(14_000),
            offset: Money(192_000),
            covers: vec![month("2026-01", 2_000, 10_000), month("2026-02", 12_000, 0)],
        }
    }

    #[test]
    fn a_payment_is_one_line_that_reads_back() {
        let mut line = String::new();
        payment().frozen_form(&mut line);
        assert_eq!(
            line,
            "17\t3\t14000\t192000\t5\t652827194001010011\t阿依古丽·买买提\tRCC\t6222020000000000017\t阿依古丽 买买提\t\
             202601=2000/12000/10000 202602=12000/12000/0\n"
        );
        let read = FrozenLine::read(line.trim_end_matches('\n')).unwrap();
        assert_eq!((read.line_no, read.enrolment_no, read.amount, read.offset), (17, 3, Money(14_000), Money(192_000)));
        assert_eq!(read.covers().collect::<Result<Vec<_>, _>>().unwrap(), payment().covers);
        let mut again = String::new();
        read.payment().unwrap().frozen_form(&mut again);
        assert_eq!(again, line);
        assert_eq!(read.paid().unwrap(), payment().paid());
        assert_eq!(read_covers(&payment().paid().covers).collect::<Result<Vec<_>, _>>().unwrap(), payment().covers);
        assert!(read.has_payee().is_ok() && read.payee().is_ok());
        let mut digest = FrozenDigest::default();
        digest.lines(line.as_bytes());
        assert_eq!(digest.finish(&[]), frozen_digest([&payment()], &[]), "a page is digested like its lines");
        let mut digest = FrozenDigest::default();
        digest.line(&read);
        assert_eq!(digest.finish(&[]), frozen_digest([&payment()], &[]), "what is stored is what is digested");
        let broken = ["", "17\t3\t14000\t192000", "x\t3\t14000\t192000\t5"];
        assert!(broken.iter().all(|text| FrozenLine::read(text).is_err()));
        for wrong in [line.replace("202602=", "202613="), line.replace("/10000 ", " "), line.replace("\tRCC\t", "\t")] {
            let line = FrozenLine::read(wrong.trim_end()).unwrap();
            assert_eq!(line.has_payee().is_ok(), line.payee().is_ok(), "{wrong}");
            let told = line.payment().unwrap_err().to_string();
            assert_eq!(told, "第 17 笔不是完整的发放明细", "{wrong}");
        }
    }

    #[test]
    fn every_character_of_a_payment_is_digested() {
        let digest = frozen_digest([&payment()], &[]);
        let other = |change: fn(&mut Payment)| {
            let mut changed = payment();
            change(&mut changed);
            assert_ne!(frozen_digest([&changed], &[]), digest);
        };
        other(|p| p.enrolment_no = 4);
        other(|p| p.beneficiary_no = 4);
        other(|p| p.citizen_number.push('0'));
        other(|p| p.name.push('甲'));
        other(|p| p.bank_code.push('X'));
        other(|p| p.account_number.push('0'));
        other(|p| p.account_holder.push('甲'));
        other(|p| p.amount += Money(1));
        other(|p| p.offset += Money(1));
        other(|p| p.covers[1].claim += Money(1));
        other(|p| p.covers[1].covered_before += Money(1));
        other(|p| p.covers.truncate(1));
    }

    #[test]
    fn only_a_positive_failure_ends_cover() {
        use PaymentState as S;
        for state in [S::Planned, S::Approved, S::Sent, S::Credited] {
            assert!(state.covers());
        }
        for state in [S::Withheld, S::Rejected, S::Returned, S::Cancelled] {
            assert!(!state.covers());
            for outcome in OutcomeKind::ALL {
                assert!(state.after(outcome).is_err(), "{state:?} is final");
            }
        }
        assert_eq!(S::Sent.after(OutcomeKind::Open), Ok(S::Sent));
        assert!(S::Credited.after(OutcomeKind::Rejected).is_err());
    }
}
