//! The claim (应发): what an enrolment is owed for a month.
//!
//! It depends on the scheme's rules and on the entitlement's facts alone, never on what was paid.

use crate::domain::enrolment::{Entitlement, StopReason};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;

/// What is owed for one month, or why nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Owed.
    Due(Money),
    /// Would be owed, but the person is suspended.
    Suspended(Money),
    /// Was suspended, and the scheme does not pay those months back.
    Forfeited,
    /// Before the first month of the person or the scheme.
    NotYet,
    /// After the last month of the person; the reason if it is known.
    Ended(Option<StopReason>),
    /// After the last month of the scheme.
    SchemeEnded,
    /// The scheme has no standard for the category: refused when rosters and schemes are loaded.
    NoStandard,
}

impl Claim {
    /// The amount owed; nothing unless due.
    pub fn amount(self) -> Money {
        match self {
            Claim::Due(amount) => amount,
            _ => Money::ZERO,
        }
    }

    /// Why nothing is owed, in words; empty when something is.
    pub fn reason(self) -> String {
        match self {
            Claim::Due(_) => String::new(),
            Claim::Suspended(_) => "暂停".into(),
            Claim::Forfeited => "暂停期间不补发".into(),
            Claim::NotYet => "未到起始月".into(),
            Claim::Ended(None) => "已停发".into(),
            Claim::Ended(Some(reason)) => format!("停发（{}）", reason.title()),
            Claim::SchemeEnded => "项目已结束".into(),
            Claim::NoStandard => "没有补贴标准".into(),
        }
    }
}

/// The claim of an enrolment for a month.
pub fn claim(scheme: &Scheme, category: &str, entitlement: &Entitlement, period: Period) -> Claim {
    if period < scheme.first || period < entitlement.first {
        return Claim::NotYet;
    }
    if scheme.last.is_some_and(|last| period > last) {
        return Claim::SchemeEnded;
    }
    if entitlement.last.is_some_and(|last| period > last) {
        return Claim::Ended(entitlement.stop_reason);
    }
    let Some(standard) = scheme.standard(category, period) else {
        return Claim::NoStandard;
    };
    // Several suspensions may touch a month (one ended, another begun): each must allow it.
    for suspension in &entitlement.suspensions {
        match suspension.resumed_from {
            _ if period < suspension.from => {}
            None => return Claim::Suspended(standard.monthly),
            Some(resumed) if period < resumed && !suspension.back_paid => return Claim::Forfeited,
            Some(_) => {}
        }
    }
    Claim::Due(standard.monthly)
}

/// First month for which the enrolment can be owed anything.
pub fn first_claim_period(scheme: &Scheme, entitlement: &Entitlement) -> Period {
    scheme.first.max(entitlement.first)
}
