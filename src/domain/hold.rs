//! Holds (暂停支付): a person may not be paid until a clerk has resolved something.
//! A hold stops payment, not the claim: what is owed stays owed and is paid once it is cleared.

use chrono::NaiveDate;

use super::bank::ReasonClass;

/// A hold on a person.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Number within the agency.
    pub no: i64,
    /// The person.
    pub beneficiary_no: i64,
    /// Why.
    pub reason: ReasonClass,
    /// In words: the bank's text and the payment it answered.
    pub note: String,
    /// Since when.
    pub opened_on: NaiveDate,
}
