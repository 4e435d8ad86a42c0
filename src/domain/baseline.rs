//! The baseline (结平基准) of a scheme: after a run was prepared, everybody was even, but those it lists.
//!
//! Even means that for every month up to the baseline's last one exactly the claim was sent. The next run need not read
//! what earlier ones paid: it looks at those listed, at those of whom something was told since, and at the months since.

use std::collections::BTreeMap;

use super::money::Money;
use super::period::Period;

/// What was sent for the months of an enrolment, in flight and credited together, before recoveries.
pub type Sent = BTreeMap<Period, Money>;

/// How things stood when a run was prepared, with the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Version of the scheme that it was worked out with.
    pub scheme_version: i64,
    /// Audit event of the preparation: what is told later is not in it.
    pub event_no: i64,
    /// Last month up to which people are even.
    pub last: Period,
    /// Greatest enrolment number then; greater ones came later.
    pub last_enrolment_no: i64,
    /// Claims of everybody, by month.
    pub claims: BTreeMap<Period, ClaimSum>,
    /// Enrolments that were not even, or that recoveries touched, with what was sent for them.
    pub uneven: BTreeMap<i64, Sent>,
}

/// Claims of a month over all people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClaimSum {
    /// People owed something.
    pub count: i64,
    /// Owed.
    pub amount: Money,
    /// Not owed because suspended.
    pub suspended: Money,
}

impl ClaimSum {
    /// Adds another, or takes it away where `sign` is −1.
    pub fn add(&mut self, other: ClaimSum, sign: i64) {
        self.count += sign * other.count;
        self.amount += Money(sign * other.amount.fen());
        self.suspended += Money(sign * other.suspended.fen());
    }
}
