//! Payments (发放明细): one credit to one account in a run, covering one or more periods.
//!
//! A payment row is written once. What became of it is told by the state of its run and file, and
//! by outcome rows where it differs: an answered file means credited unless a row says otherwise.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::money::Money;
use super::period::Period;
use super::recovery::Entry;
use super::text::hex;

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
}

impl Payment {
    /// Adds this payment, with what it covers, to the digest of its run.
    fn digest_into(&self, covers: &[Cover], digest: &mut Sha256) {
        for field in [
            &self.line_no.to_string(),
            &self.enrolment_no.to_string(),
            &self.beneficiary_no.to_string(),
            &self.offset.0.to_string(),
            &self.citizen_number,
            &self.name,
            &self.bank_code,
            &self.account_number,
            &self.account_holder,
            &self.amount.0.to_string(),
        ] {
            digest.update(field.as_bytes());
            digest.update([0x1F]);
        }
        for cover in covers {
            digest.update(format!("{}={}\x1F", cover.period.number(), cover.amount.0).as_bytes());
        }
        digest.update([0x1E]);
    }
}

/// SHA-256, in hexadecimal, over frozen payments, what each covers, and what is offset beside them.
pub fn frozen_digest<'a>(
    payments: impl IntoIterator<Item = &'a Payment>,
    covers: &HashMap<i64, Vec<Cover>, impl BuildHasher>,
    offsets: &[Entry],
) -> String {
    let mut digest = Sha256::new();
    for payment in payments {
        payment.digest_into(covers.get(&payment.line_no).map_or(&[], Vec::as_slice), &mut digest);
    }
    for offset in offsets {
        digest.update(offset.frozen_form().as_bytes());
    }
    hex(&digest.finalize())
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
