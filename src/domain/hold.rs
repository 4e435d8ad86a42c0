//! Holds (暂停支付): a person may not be paid until a clerk has resolved something.
//! A hold stops payment, not the claim: what is owed stays owed and is paid once it is cleared.

use chrono::NaiveDate;

use super::bank::ReasonClass;
use super::comparison::ComparisonKind;

/// A hold on a person.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Number within the agency.
    pub no: i64,
    /// The person.
    pub beneficiary_no: i64,
    /// Why.
    pub reason: HoldReason,
    /// In words: the bank's text and the payment it answered, or the list and its row.
    pub note: String,
    /// Since when.
    pub opened_on: NaiveDate,
}

/// Why a person is on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// A bank did not credit a payment.
    Bank(ReasonClass),
    /// A comparison list names the person.
    Comparison(ComparisonKind),
    /// The person is owed in the same months by schemes that exclude each other.
    Exclusion,
}

impl HoldReason {
    /// Stored form. A bank's class stands for itself.
    pub fn code(self) -> &'static str {
        match self {
            HoldReason::Bank(class) => class.code(),
            HoldReason::Comparison(ComparisonKind::Death) => "comparison_death",
            HoldReason::Comparison(ComparisonKind::Prison) => "comparison_prison",
            HoldReason::Comparison(ComparisonKind::Missing) => "comparison_missing",
            HoldReason::Comparison(ComparisonKind::PayList) => "comparison_pay_list",
            HoldReason::Exclusion => "exclusion",
        }
    }

    /// From the stored form.
    pub fn parse(code: &str) -> Option<HoldReason> {
        let of_banks = ReasonClass::ALL.into_iter().map(HoldReason::Bank);
        let of_lists = ComparisonKind::ALL.into_iter().map(HoldReason::Comparison);
        of_banks.chain(of_lists).chain([HoldReason::Exclusion]).find(|reason| reason.code() == code)
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            HoldReason::Bank(class) => class.title(),
            HoldReason::Comparison(ComparisonKind::Death) => "比对: 疑似死亡",
            HoldReason::Comparison(ComparisonKind::Prison) => "比对: 疑似服刑",
            HoldReason::Comparison(ComparisonKind::Missing) => "比对: 疑似失踪",
            HoldReason::Comparison(ComparisonKind::PayList) => "比对: 疑似重复享受",
            HoldReason::Exclusion => "项目互斥",
        }
    }

    /// What the clerk must do.
    pub fn advice(self) -> &'static str {
        match self {
            HoldReason::Bank(class) => class.advice(),
            HoldReason::Comparison(_) => "核实后用 comparison confirm 确认，或用 comparison dismiss 排除",
            HoldReason::Exclusion => "核实应享受哪一项，停发另一项或说明理由后，用 hold clear 解除",
        }
    }

    /// True when a new account number answers the reason.
    pub fn is_answered_by_new_account(self) -> bool {
        matches!(self, HoldReason::Bank(class) if class.is_answered_by_new_account())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reasons_are_read_as_they_are_written_and_no_two_share_a_word() {
        let lists = ComparisonKind::ALL.map(HoldReason::Comparison);
        let banks = ReasonClass::ALL.map(HoldReason::Bank);
        let all: Vec<HoldReason> = banks.into_iter().chain(lists).chain([HoldReason::Exclusion]).collect();
        for reason in &all {
            assert_eq!(HoldReason::parse(reason.code()), Some(*reason));
        }
        assert_eq!(all.iter().map(|r| r.code()).collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|r| r.title()).collect::<HashSet<_>>().len(), all.len());
        assert_eq!(HoldReason::parse("death"), None);
    }

    #[test]
    fn a_new_account_answers_a_bank_and_nobody_else() {
        assert!(HoldReason::Bank(ReasonClass::AccountClosed).is_answered_by_new_account());
        assert!(!HoldReason::Bank(ReasonClass::Duplicate).is_answered_by_new_account());
        assert!(!HoldReason::Comparison(ComparisonKind::Death).is_answered_by_new_account());
        assert!(!HoldReason::Exclusion.is_answered_by_new_account());
    }
}
