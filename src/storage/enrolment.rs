//! Beneficiaries and their enrolments, as of now, and the append-only events that made them so.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::engine::{Tx, Value};
use super::error::StorageError;
use super::period;
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{Account, Enrolment, Entitlement, EventKind, StopReason, Suspension};
use crate::domain::period::{Period, date_number};
use crate::values;

statements! {
    OF_SCHEME = "SELECT e.enrolment_no, e.beneficiary_no, b.citizen_number, b.name, e.category, e.first_period, e.last_period, \
                 e.stop_reason, e.bank_code, e.account_number, e.account_holder, e.changed_event_no \
                 FROM enrolment e JOIN beneficiary b ON b.agency_code = e.agency_code AND b.beneficiary_no = e.beneficiary_no \
                 WHERE e.agency_code = $1 AND e.scheme_code = $2 ORDER BY e.enrolment_no";
    OF_PERSON = "SELECT e.scheme_code, e.enrolment_no FROM enrolment e \
                 JOIN beneficiary b ON b.agency_code = e.agency_code AND b.beneficiary_no = e.beneficiary_no \
                 WHERE e.agency_code = $1 AND b.citizen_number = $2 ORDER BY e.enrolment_no";
    SUSPENSIONS = "SELECT v.enrolment_no, v.kind, v.period, v.back_paid FROM enrolment_event v \
                   JOIN enrolment e ON e.agency_code = v.agency_code AND e.enrolment_no = v.enrolment_no \
                   WHERE v.agency_code = $1 AND e.scheme_code = $2 AND v.kind IN ('suspended', 'resumed') \
                   ORDER BY v.enrolment_no, v.seq_no";
    EVENTS = "SELECT seq_no, kind, period, back_paid, reason, old_value, new_value, made_by, made_on FROM enrolment_event \
              WHERE agency_code = $1 AND enrolment_no = $2 ORDER BY seq_no";
    PEOPLE = "SELECT beneficiary_no, citizen_number, name FROM beneficiary WHERE agency_code = $1";
    ACCOUNTS = "SELECT e.account_number, e.beneficiary_no, e.holder_relation FROM enrolment e WHERE e.agency_code = $1";
    NEXT_SEQ = "SELECT COALESCE(MAX(seq_no), 0) + 1 FROM enrolment_event WHERE agency_code = $1 AND enrolment_no = $2";
    INSERT_EVENT = "INSERT INTO enrolment_event (agency_code, enrolment_no, seq_no, kind, period, back_paid, reason, old_value, new_value, \
                    made_by, made_on, event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    SET_ENTITLEMENT = "UPDATE enrolment SET first_period = $3, last_period = $4, stop_reason = $5, changed_event_no = $6 \
                       WHERE agency_code = $1 AND enrolment_no = $2";
    SET_CATEGORY = "UPDATE enrolment SET category = $3, changed_event_no = $4 WHERE agency_code = $1 AND enrolment_no = $2";
    SET_ACCOUNT = "UPDATE enrolment SET bank_code = $3, account_number = $4, account_holder = $5, holder_relation = $6, account_set_by = $7, \
                   changed_event_no = $8 WHERE agency_code = $1 AND enrolment_no = $2";
    IMPORTED = "SELECT import_no, file_name, imported_by, imported_on FROM roster_import \
                WHERE agency_code = $1 AND scheme_code = $2 AND digest = $3";
    INSERT_IMPORT = "INSERT INTO roster_import (agency_code, import_no, scheme_code, file_name, digest, row_count, new_count, changed_count, \
                     missing_count, imported_by, imported_on, event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
}

#[derive(sqlx::FromRow)]
struct Row {
    enrolment_no: i64,
    beneficiary_no: i64,
    citizen_number: String,
    name: String,
    category: String,
    first_period: i64,
    last_period: Option<i64>,
    stop_reason: Option<String>,
    bank_code: String,
    account_number: String,
    account_holder: String,
    changed_event_no: i64,
}

impl TryFrom<Row> for Enrolment {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Enrolment, StorageError> {
        let stop_reason = row.stop_reason.as_deref().map(|code| {
            StopReason::parse(code).ok_or_else(|| StorageError::inconsistent("enrolment", row.enrolment_no, "停发原因"))
        });
        Ok(Enrolment {
            no: row.enrolment_no,
            beneficiary_no: row.beneficiary_no,
            citizen_number: CitizenNumber::from_stored(row.citizen_number),
            name: row.name,
            category: row.category,
            entitlement: Entitlement {
                first: period("enrolment", row.first_period)?,
                last: row.last_period.map(|p| period("enrolment", p)).transpose()?,
                stop_reason: stop_reason.transpose()?,
                suspensions: Vec::new(),
            },
            account: Account {
                bank_code: row.bank_code,
                number: AccountNumber::from_stored(row.account_number),
                holder: row.account_holder,
            },
            changed_event_no: row.changed_event_no,
        })
    }
}

/// All enrolments of a scheme in roster order, with their suspensions.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_scheme(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Vec<Enrolment>, StorageError> {
    let rows: Vec<Row> = tx.fetch_all(OF_SCHEME, values![agency, scheme]).await?;
    let mut enrolments: Vec<Enrolment> = rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    let events: Vec<(i64, String, Option<i64>, Option<i64>)> =
        tx.fetch_all(SUSPENSIONS, values![agency, scheme]).await?;
    for (enrolment_no, kind, at, back_paid) in events {
        let at = period("enrolment_event", at.unwrap_or(0))?;
        // Both lists are in order of enrolment_no.
        let Ok(index) = enrolments.binary_search_by_key(&enrolment_no, |e| e.no) else { continue };
        fold_suspension(&mut enrolments[index].entitlement.suspensions, &kind, at, back_paid == Some(1));
    }
    Ok(enrolments)
}

fn fold_suspension(suspensions: &mut Vec<Suspension>, kind: &str, at: Period, back_paid: bool) {
    if kind == EventKind::Suspended.code() {
        suspensions.push(Suspension { from: at, resumed_from: None, back_paid: false });
    } else if let Some(open) = suspensions.iter_mut().rev().find(|s| s.resumed_from.is_none()) {
        open.resumed_from = Some(at);
        open.back_paid = back_paid;
    }
}

/// Scheme and number of every enrolment of a person.
///
/// # Errors
/// The database's.
pub async fn of_person(tx: &mut Tx, agency: &str, citizen_number: &str) -> Result<Vec<(String, i64)>, StorageError> {
    tx.fetch_all(OF_PERSON, values![agency, citizen_number]).await
}

/// An event of an enrolment as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredEvent {
    /// 1, 2, 3 …
    pub seq_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Month it speaks of.
    pub period: Option<i64>,
    /// Resumed with back-pay.
    pub back_paid: Option<i64>,
    /// Reason or evidence.
    pub reason: String,
    /// Before.
    pub old_value: String,
    /// After.
    pub new_value: String,
    /// Who entered it.
    pub made_by: String,
    /// Business date.
    pub made_on: i64,
}

/// All events of an enrolment in order.
///
/// # Errors
/// The database's.
pub async fn events(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<StoredEvent>, StorageError> {
    tx.fetch_all(EVENTS, values![agency, enrolment_no]).await
}

/// Number and name of every person of the agency, by citizen number.
///
/// # Errors
/// The database's.
pub async fn people(tx: &mut Tx, agency: &str) -> Result<HashMap<String, (i64, String)>, StorageError> {
    let rows: Vec<(i64, String, String)> = tx.fetch_all(PEOPLE, values![agency]).await?;
    Ok(rows.into_iter().map(|(no, number, name)| (number, (no, name))).collect())
}

/// Person and stated relation behind every account in use, over all schemes.
///
/// # Errors
/// The database's.
pub async fn accounts(tx: &mut Tx, agency: &str) -> Result<Vec<(String, i64, String)>, StorageError> {
    tx.fetch_all(ACCOUNTS, values![agency]).await
}

/// A person to be stored.
#[derive(Debug, Clone)]
pub struct NewBeneficiary {
    /// Number within the agency.
    pub no: i64,
    /// Citizen number, whole.
    pub citizen_number: String,
    /// Name.
    pub name: String,
    /// 原工作单位.
    pub former_unit: String,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// 联系电话.
    pub phone: String,
}

/// Stores people in bulk.
///
/// # Errors
/// The database's.
pub async fn insert_people(tx: &mut Tx, agency: &str, people: Vec<NewBeneficiary>) -> Result<(), StorageError> {
    const COLUMNS: [&str; 7] =
        ["agency_code", "beneficiary_no", "citizen_number", "name", "former_unit", "retired_on", "phone"];
    let row = |p: NewBeneficiary| -> Vec<Value> {
        values![agency, p.no, p.citizen_number, p.name, p.former_unit, p.retired_on.map(date_number), p.phone]
    };
    tx.insert_rows("beneficiary", &COLUMNS, people.into_iter().map(row).collect()).await
}

/// An enrolment to be stored.
#[derive(Debug, Clone)]
pub struct NewEnrolment {
    /// Number within the agency.
    pub no: i64,
    /// Scheme.
    pub scheme_code: String,
    /// Person.
    pub beneficiary_no: i64,
    /// 人员类别.
    pub category: String,
    /// First month owed.
    pub first: Period,
    /// Last month owed, when the roster says one.
    pub last: Option<Period>,
    /// Account.
    pub account: Account,
    /// Why the holder is another person.
    pub holder_relation: String,
}

/// Stores enrolments in bulk.
///
/// # Errors
/// The database's.
pub async fn insert_enrolments(
    tx: &mut Tx,
    agency: &str,
    enrolments: Vec<NewEnrolment>,
    by: &str,
    import_no: i64,
    event_no: i64,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 15] = [
        "agency_code",
        "enrolment_no",
        "scheme_code",
        "beneficiary_no",
        "category",
        "first_period",
        "last_period",
        "stop_reason",
        "bank_code",
        "account_number",
        "account_holder",
        "holder_relation",
        "account_set_by",
        "import_no",
        "changed_event_no",
    ];
    let row = |e: NewEnrolment| -> Vec<Value> {
        values![
            agency,
            e.no,
            e.scheme_code,
            e.beneficiary_no,
            e.category,
            e.first.number(),
            e.last.map(Period::number),
            e.last.map(|_| StopReason::Roster.code()),
            e.account.bank_code,
            e.account.number.as_str(),
            e.account.holder,
            e.holder_relation,
            by,
            import_no,
            event_no,
        ]
    };
    tx.insert_rows("enrolment", &COLUMNS, enrolments.into_iter().map(row).collect()).await
}

/// An event to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// Month it speaks of.
    pub period: Option<Period>,
    /// Resumed with back-pay; `Some` only for that kind.
    pub back_paid: Option<bool>,
    /// Reason or evidence.
    pub reason: String,
    /// Before.
    pub old_value: String,
    /// After.
    pub new_value: String,
}

/// Who made a change, when, under which audit event.
#[derive(Debug, Clone, Copy)]
pub struct ChangeMark<'a> {
    /// Actor's name.
    pub by: &'a str,
    /// Business date.
    pub on: NaiveDate,
    /// Audit event.
    pub event_no: i64,
}

/// Appends an event to an enrolment's history.
///
/// # Errors
/// The database's.
pub async fn append_event(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
    event: &NewEvent,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    let (seq_no,): (i64,) = tx.fetch_one(NEXT_SEQ, values![agency, enrolment_no]).await?;
    tx.execute(
        INSERT_EVENT,
        values![
            agency,
            enrolment_no,
            seq_no,
            event.kind.code(),
            event.period.map(Period::number),
            event.back_paid.map(i64::from),
            &event.reason,
            &event.old_value,
            &event.new_value,
            mark.by,
            date_number(mark.on),
            mark.event_no,
        ],
    )
    .await?;
    Ok(())
}

/// Sets first and last month. Also marks the enrolment changed, so it is called for suspensions too.
///
/// # Errors
/// The database's.
pub async fn set_entitlement(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
    entitlement: &Entitlement,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(
        SET_ENTITLEMENT,
        values![
            agency,
            enrolment_no,
            entitlement.first.number(),
            entitlement.last.map(Period::number),
            entitlement.stop_reason.map(StopReason::code),
            event_no,
        ],
    )
    .await?;
    Ok(())
}

/// Sets the category.
///
/// # Errors
/// The database's.
pub async fn set_category(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
    category: &str,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(SET_CATEGORY, values![agency, enrolment_no, category, event_no]).await?;
    Ok(())
}

/// Sets the account, and who set it.
///
/// # Errors
/// The database's.
pub async fn set_account(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
    account: &Account,
    holder_relation: &str,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    tx.execute(
        SET_ACCOUNT,
        values![
            agency,
            enrolment_no,
            &account.bank_code,
            account.number.as_str(),
            &account.holder,
            holder_relation,
            mark.by,
            mark.event_no,
        ],
    )
    .await?;
    Ok(())
}

/// An import that took effect: number, file name, who, business date.
pub type PastImport = (i64, String, String, i64);

/// The import of exactly these bytes into the scheme, if there was one.
///
/// # Errors
/// The database's.
pub async fn imported(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    digest: &str,
) -> Result<Option<PastImport>, StorageError> {
    tx.fetch_optional(IMPORTED, values![agency, scheme, digest]).await
}

/// Counts of an import.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImportCounts {
    /// Rows of people in the file.
    pub rows: i64,
    /// Enrolled by it.
    pub new: i64,
    /// Changed by it.
    pub changed: i64,
    /// In force but not in it.
    pub missing: i64,
}

/// Records an import.
///
/// # Errors
/// The database's.
#[expect(clippy::too_many_arguments, reason = "an import is exactly these facts")]
pub async fn insert_import(
    tx: &mut Tx,
    agency: &str,
    import_no: i64,
    scheme: &str,
    file_name: &str,
    digest: &str,
    counts: ImportCounts,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    tx.execute(
        INSERT_IMPORT,
        values![
            agency,
            import_no,
            scheme,
            file_name,
            digest,
            counts.rows,
            counts.new,
            counts.changed,
            counts.missing,
            mark.by,
            date_number(mark.on),
            mark.event_no,
        ],
    )
    .await?;
    Ok(())
}
