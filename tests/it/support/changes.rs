//! Changes of one person, in the words of the stories.

use chrono::NaiveDate;
use fafang::domain::change::{Change, What};
use fafang::domain::enrolment::{StopReason, SuspensionCause};
use fafang::domain::period::Period;
use fafang::failure::Failure;
use fafang::office::Office;
use fafang::workflow::change_enrolment::Changed;
use fafang::workflow::enter_change::enter_change;

/// Who is meant.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub citizen_number: &'a str,
    pub scheme: Option<&'a str>,
}

/// A new account; parts not given stay as they are.
#[derive(Debug, Clone, Copy)]
pub struct NewAccount<'a> {
    pub number: &'a str,
    pub bank: Option<&'a str>,
    pub holder: Option<&'a str>,
    pub relation: &'a str,
}

/// Enters any change that takes effect at once.
pub async fn enter(office: &Office, person: Person<'_>, what: What, reason: &str) -> Result<Changed, Failure> {
    let change = Change {
        citizen_number: person.citizen_number.into(),
        scheme: person.scheme.map(str::to_string),
        what,
        reason: reason.into(),
        evidence: String::new(),
    };
    let mut entered = enter_change(office, change).await?;
    assert_eq!(entered.pending, None);
    Ok(entered.changed.remove(0))
}

pub async fn stop(
    office: &Office,
    person: Person<'_>,
    reason: StopReason,
    on: NaiveDate,
    evidence: &str,
) -> Result<Changed, Failure> {
    enter(office, person, What::Stop { reason, on }, evidence).await
}

pub async fn suspend(office: &Office, person: Person<'_>, from: Period, reason: &str) -> Result<Changed, Failure> {
    enter(office, person, What::Suspend { cause: SuspensionCause::in_words(reason), from }, reason).await
}

pub async fn resume(office: &Office, person: Person<'_>, from: Period, reason: &str) -> Result<Changed, Failure> {
    enter(office, person, What::Resume { cause: None, from, back_pay: None }, reason).await
}

pub async fn change_account(
    office: &Office,
    person: Person<'_>,
    new: NewAccount<'_>,
    reason: &str,
) -> Result<Changed, Failure> {
    let what = What::Account {
        number: new.number.into(),
        bank: new.bank.map(str::to_string),
        holder: new.holder.map(str::to_string),
        relation: new.relation.into(),
    };
    enter(office, person, what, reason).await
}
