//! Payments, frozen, and their outcomes by exception.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::engine::{Tx, Value};
use super::error::StorageError;
use crate::domain::bank::ReasonClass;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, OutcomeKind, Payment};
use crate::domain::period::date_number;
use crate::domain::run::Run;
use crate::values;

statements! {
    OF_LINES = "SELECT line_no, enrolment_no, beneficiary_no, citizen_number, name, bank_code, account_number, account_holder, amount_fen, offset_fen \
              FROM payment WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND line_no BETWEEN $4 AND $5 ORDER BY line_no";
    /// Payments whose account is no longer the roster's: the run was prepared before the change.
    MOVED_ACCOUNTS = "SELECT p.line_no, p.name FROM payment p \
                      JOIN enrolment e ON e.agency_code = p.agency_code AND e.enrolment_no = p.enrolment_no \
                      WHERE p.agency_code = $1 AND p.period = $2 AND p.run_no = $3 \
                      AND (p.account_number <> e.account_number OR p.account_holder <> e.account_holder OR p.bank_code <> e.bank_code) \
                      ORDER BY p.line_no";
    /// Payments whose account was entered by a given person: the one in force when the run was
    /// prepared (its last change until then, else the roster that enrolled the person), or now.
    ACCOUNTS_SET_BY = "SELECT COUNT(*) FROM payment p \
                       JOIN enrolment e ON e.agency_code = p.agency_code AND e.enrolment_no = p.enrolment_no \
                       WHERE p.agency_code = $1 AND p.period = $2 AND p.run_no = $3 AND (e.account_set_by = $4 OR $4 = COALESCE( \
                           (SELECT v.made_by FROM enrolment_event v WHERE v.agency_code = e.agency_code AND v.enrolment_no = e.enrolment_no \
                                AND v.kind = 'account' AND v.event_no <= $5 ORDER BY v.seq_no DESC LIMIT 1), \
                           (SELECT i.imported_by FROM roster_import i WHERE i.agency_code = e.agency_code AND i.import_no = e.import_no)))";
    OUTCOMES_OF_LINES = "SELECT line_no, seq_no, kind, reason_class, reason_code, reason_text, bank_ref, outcome_on, file_no FROM payment_outcome \
                       WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND line_no BETWEEN $4 AND $5 ORDER BY line_no, seq_no";
    OUTCOMES = "SELECT period, run_no, line_no, seq_no, kind, reason_class, reason_code, reason_text, outcome_on FROM payment_outcome \
                WHERE agency_code = $1 ORDER BY period, run_no, line_no, seq_no";
    OUTCOMES_OF_ENROLMENT = "SELECT o.period, o.run_no, o.line_no, o.seq_no, o.kind, o.reason_class, o.reason_code, o.reason_text, o.outcome_on \
                FROM payment_outcome o JOIN payment p ON p.agency_code = o.agency_code AND p.period = o.period AND p.run_no = o.run_no \
                AND p.line_no = o.line_no WHERE o.agency_code = $1 AND p.enrolment_no = $2 ORDER BY o.period, o.run_no, o.line_no, o.seq_no";
}

#[derive(sqlx::FromRow)]
struct Row {
    line_no: i64,
    enrolment_no: i64,
    beneficiary_no: i64,
    citizen_number: String,
    name: String,
    bank_code: String,
    account_number: String,
    account_holder: String,
    amount_fen: i64,
    offset_fen: i64,
}

impl From<Row> for Payment {
    fn from(row: Row) -> Payment {
        Payment {
            line_no: row.line_no,
            enrolment_no: row.enrolment_no,
            beneficiary_no: row.beneficiary_no,
            citizen_number: row.citizen_number,
            name: row.name,
            bank_code: row.bank_code,
            account_number: row.account_number,
            account_holder: row.account_holder,
            amount: Money(row.amount_fen),
            offset: Money(row.offset_fen),
        }
    }
}

/// Stores the payments of a run with what each covers.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    payments: &[(Payment, Vec<Cover>)],
) -> Result<(), StorageError> {
    const PAYMENT: [&str; 13] = [
        "agency_code",
        "period",
        "run_no",
        "line_no",
        "enrolment_no",
        "beneficiary_no",
        "citizen_number",
        "name",
        "bank_code",
        "account_number",
        "account_holder",
        "amount_fen",
        "offset_fen",
    ];
    const COVER: [&str; 9] = [
        "agency_code",
        "run_period",
        "run_no",
        "line_no",
        "period",
        "enrolment_no",
        "amount_fen",
        "claim_fen",
        "covered_fen",
    ];
    let period = run.periods.last.number();
    let payment_row = |(p, _): &(Payment, Vec<Cover>)| -> Vec<Value> {
        values![
            agency,
            period,
            run.no,
            p.line_no,
            p.enrolment_no,
            p.beneficiary_no,
            &p.citizen_number,
            &p.name,
            &p.bank_code,
            &p.account_number,
            &p.account_holder,
            p.amount.fen(),
            p.offset.fen(),
        ]
    };
    let cover_row = |p: &Payment, c: &Cover| -> Vec<Value> {
        values![
            agency,
            period,
            run.no,
            p.line_no,
            c.period.number(),
            p.enrolment_no,
            c.amount.fen(),
            c.claim.fen(),
            c.covered_before.fen(),
        ]
    };
    tx.insert_rows("payment", &PAYMENT, payments.iter().map(payment_row)).await?;
    let covers = payments.iter().flat_map(|(p, covers)| covers.iter().map(move |c| cover_row(p, c)));
    tx.insert_rows("cover", &COVER, covers).await
}

/// The payments of a run in line order.
///
/// # Errors
/// The database's.
pub async fn of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Vec<Payment>, StorageError> {
    of_lines(tx, agency, run, ALL_LINES).await
}

/// First and last line of a stretch of a run.
pub type Lines = (i64, i64);

/// Every line of a run.
pub const ALL_LINES: Lines = (0, i64::MAX);

/// The payments of a stretch of a run in line order.
///
/// # Errors
/// The database's.
pub async fn of_lines(tx: &mut Tx, agency: &str, run: &Run, lines: Lines) -> Result<Vec<Payment>, StorageError> {
    let key = values![agency, run.periods.last.number(), run.no, lines.0, lines.1];
    let rows: Vec<Row> = tx.fetch_all(OF_LINES, key).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Line and name of payments whose account differs from the roster in force.
///
/// # Errors
/// The database's.
pub async fn moved_accounts(tx: &mut Tx, agency: &str, run: &Run) -> Result<Vec<(i64, String)>, StorageError> {
    tx.fetch_all(MOVED_ACCOUNTS, values![agency, run.periods.last.number(), run.no]).await
}

/// How many payments of the run go to an account that this person entered. The roster may have
/// moved on to another account since; what counts is the one that is paid.
///
/// # Errors
/// The database's.
pub async fn accounts_set_by(tx: &mut Tx, agency: &str, run: &Run, actor: &str) -> Result<i64, StorageError> {
    let values = values![agency, run.periods.last.number(), run.no, actor, run.prepared_event_no];
    let (count,): (i64,) = tx.fetch_one(ACCOUNTS_SET_BY, values).await?;
    Ok(count)
}

/// An outcome row of a run.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredOutcome {
    /// Payment.
    pub line_no: i64,
    /// 1, 2 … per payment.
    pub seq_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Stored class, `''` for none.
    pub reason_class: String,
    /// The bank's code.
    pub reason_code: String,
    /// The bank's text.
    pub reason_text: String,
    /// The bank's reference.
    pub bank_ref: String,
    /// yyyymmdd.
    pub outcome_on: i64,
    /// File whose answer said so.
    pub file_no: Option<i64>,
}

impl StoredOutcome {
    /// Kind as a value.
    ///
    /// # Errors
    /// When the stored word is unknown.
    pub fn kind(&self) -> Result<OutcomeKind, StorageError> {
        outcome_kind(&self.kind)
    }
}

/// A stored outcome kind.
///
/// # Errors
/// When the word is unknown.
pub fn outcome_kind(code: &str) -> Result<OutcomeKind, StorageError> {
    OutcomeKind::ALL
        .into_iter()
        .find(|kind| kind.code() == code)
        .ok_or_else(|| StorageError::inconsistent("payment_outcome", code, "没有这种结果"))
}

/// Outcome rows by payment, in order.
pub type Outcomes = HashMap<i64, Vec<StoredOutcome>>;

/// Outcome rows of a run by payment, in order.
///
/// # Errors
/// The database's.
pub async fn outcomes_of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Outcomes, StorageError> {
    outcomes_of_lines(tx, agency, run, ALL_LINES).await
}

/// Outcome rows of a stretch of a run by payment, in order.
///
/// # Errors
/// The database's.
pub async fn outcomes_of_lines(tx: &mut Tx, agency: &str, run: &Run, lines: Lines) -> Result<Outcomes, StorageError> {
    let key = values![agency, run.periods.last.number(), run.no, lines.0, lines.1];
    let rows: Vec<StoredOutcome> = tx.fetch_all(OUTCOMES_OF_LINES, key).await?;
    let mut outcomes = Outcomes::new();
    for row in rows {
        outcomes.entry(row.line_no).or_default().push(row);
    }
    Ok(outcomes)
}

/// An outcome row of any run.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AnyOutcome {
    /// Run's period.
    pub period: i64,
    /// Run.
    pub run_no: i64,
    /// Payment.
    pub line_no: i64,
    /// 1, 2 … per payment.
    pub seq_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Stored class, `''` for none.
    pub reason_class: String,
    /// The bank's code.
    pub reason_code: String,
    /// The bank's text.
    pub reason_text: String,
    /// yyyymmdd.
    pub outcome_on: i64,
}

/// Every outcome row of the agency, in order of payment.
///
/// # Errors
/// The database's.
pub async fn outcomes(tx: &mut Tx, agency: &str) -> Result<Vec<AnyOutcome>, StorageError> {
    tx.fetch_all(OUTCOMES, values![agency]).await
}

/// Every outcome row of one enrolment's payments, in order of payment.
///
/// # Errors
/// The database's.
pub async fn outcomes_of_enrolment(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
) -> Result<Vec<AnyOutcome>, StorageError> {
    tx.fetch_all(OUTCOMES_OF_ENROLMENT, values![agency, enrolment_no]).await
}

/// An outcome to be stored.
#[derive(Debug, Clone)]
pub struct NewOutcome {
    /// Payment.
    pub line_no: i64,
    /// 1, 2 … per payment.
    pub seq_no: i64,
    /// What happened.
    pub kind: OutcomeKind,
    /// Why, for us.
    pub reason_class: Option<ReasonClass>,
    /// The bank's code.
    pub reason_code: String,
    /// The bank's text.
    pub reason_text: String,
    /// The bank's reference.
    pub bank_ref: String,
    /// The bank's date, else the business date.
    pub on: NaiveDate,
}

/// Stores outcomes of one run; `answer` is the file and return that said so, if any.
///
/// # Errors
/// The database's.
pub async fn insert_outcomes(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    answer: Option<(i64, i64)>,
    outcomes: Vec<NewOutcome>,
    event_no: i64,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 14] = [
        "agency_code",
        "period",
        "run_no",
        "line_no",
        "seq_no",
        "kind",
        "reason_class",
        "reason_code",
        "reason_text",
        "bank_ref",
        "outcome_on",
        "file_no",
        "return_no",
        "event_no",
    ];
    let row = |o: NewOutcome| -> Vec<Value> {
        values![
            agency,
            run.periods.last.number(),
            run.no,
            o.line_no,
            o.seq_no,
            o.kind.code(),
            o.reason_class.map_or("", ReasonClass::code),
            o.reason_code,
            o.reason_text,
            o.bank_ref,
            date_number(o.on),
            answer.map(|(file_no, _)| file_no),
            answer.map(|(_, return_no)| return_no),
            event_no,
        ]
    };
    tx.insert_rows("payment_outcome", &COLUMNS, outcomes.into_iter().map(row)).await
}
