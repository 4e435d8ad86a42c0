//! Recovery cases, their months, and their entries.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::engine::{Tx, Value};
use super::error::StorageError;
use super::{appropriation, cover, date, period};
use crate::domain::money::Money;
use crate::domain::period::{Period, date_number};
use crate::domain::recovery::{
    Case, CaseMonth, Cause, Credited, Entry, EntryKind, EntryState, Plan, RunKey, Source, Stretch, Target,
};
use crate::domain::run::Run;
use crate::values;

macro_rules! select_cases {
    ($condition:literal) => {
        concat!(
            "SELECT case_no, enrolment_no, beneficiary_no, scheme_code, cause, notice_no, total_fen, opened_by, opened_on, \
             deduct_scheme, monthly_cap_fen, consent, closed_by, closed_on FROM recovery_case WHERE agency_code = $1",
            $condition,
            " ORDER BY case_no"
        )
    };
}

/// With the run of an offset and the row that takes it back, if there is one: they tell its state.
macro_rules! select_entries {
    ($condition:literal) => {
        concat!(
            "SELECT e.case_no, e.entry_no, e.kind, e.enrolment_no, e.period, e.amount_fen, e.paid_run_period, e.paid_run_no, \
             e.appropriation_no, e.to_enrolment_no, e.to_period, e.claim_fen, e.run_period, e.run_no, e.run_from_fen, \
             e.released_entry_no, e.reference, e.received_on, e.made_by, e.made_on, e.accepted_by, r.status, x.entry_no AS taken_back \
             FROM recovery_entry e LEFT JOIN run r ON r.agency_code = e.agency_code AND r.period = e.run_period AND r.run_no = e.run_no \
             LEFT JOIN recovery_entry x ON x.agency_code = e.agency_code AND x.case_no = e.case_no AND x.released_entry_no = e.entry_no \
             WHERE e.agency_code = $1",
            $condition,
            " ORDER BY e.case_no, e.entry_no"
        )
    };
}

statements! {
    INSERT_CASE = "INSERT INTO recovery_case (agency_code, case_no, enrolment_no, beneficiary_no, scheme_code, cause, notice_no, \
                   total_fen, opened_by, opened_on, opened_event_no, deduct_scheme, monthly_cap_fen, consent) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 0, '')";
    INSERT_MONTH = "INSERT INTO recovery_month (agency_code, case_no, period, claim_fen, amount_fen) VALUES ($1, $2, $3, $4, $5)";
    CASES = select_cases!("");
    CASE = select_cases!(" AND case_no = $2");
    OF_ENROLMENT = select_cases!(" AND enrolment_no = $2");
    MONTHS = "SELECT case_no, period, claim_fen, amount_fen FROM recovery_month WHERE agency_code = $1 ORDER BY case_no, period";
    MONTHS_OF = "SELECT case_no, period, claim_fen, amount_fen FROM recovery_month WHERE agency_code = $1 AND case_no = $2 ORDER BY period";
    BY_NOTICE = "SELECT case_no FROM recovery_case WHERE agency_code = $1 AND notice_no = $2";
    PLAN = "UPDATE recovery_case SET deduct_scheme = $3, monthly_cap_fen = $4, consent = $5, planned_event_no = $6 \
            WHERE agency_code = $1 AND case_no = $2 AND closed_on IS NULL";
    CLOSE = "UPDATE recovery_case SET closed_by = $3, closed_on = $4, closed_event_no = $5 \
             WHERE agency_code = $1 AND case_no = $2 AND closed_on IS NULL";
    ENTRIES = select_entries!("");
    ENTRIES_OF_ENROLMENT = select_entries!(" AND e.enrolment_no = $2");
    OFFSETS_OF_RUN = select_entries!(" AND e.run_period = $2 AND e.run_no = $3 AND e.kind = 'offset'");
    OFFSETS_INTO = select_entries!(" AND e.to_enrolment_no = $2 AND e.kind = 'offset'");
    RECOVERED_OF_RUN = select_entries!(" AND e.paid_run_period = $2 AND e.paid_run_no = $3");
    LAST_ENTRY = "SELECT CAST(COALESCE(MAX(entry_no), 0) AS BIGINT) FROM recovery_entry WHERE agency_code = $1 AND case_no = $2";
    BY_RECEIPT = select_entries!(" AND e.kind = 'repayment' AND e.reference = $2");
    /// The months' figures once more, counted by the database.
    BY_MONTH = "SELECT x.period, CAST(SUM(x.recovered) AS BIGINT), CAST(SUM(x.offset_in) AS BIGINT), CAST(SUM(x.written_off) AS BIGINT) FROM ( \
                SELECT e.enrolment_no AS enrolment_no, e.period AS period, CASE e.kind WHEN 'released' THEN -e.amount_fen WHEN 'write_off' THEN 0 \
                ELSE e.amount_fen END AS recovered, 0 AS offset_in, CASE e.kind WHEN 'write_off' THEN e.amount_fen ELSE 0 END AS written_off \
                FROM recovery_entry e LEFT JOIN run r ON r.agency_code = e.agency_code AND r.period = e.run_period AND r.run_no = e.run_no \
                WHERE e.agency_code = $1 AND (r.status IS NULL OR r.status <> 'cancelled') \
                UNION ALL SELECT e.to_enrolment_no, e.to_period, 0, CASE e.kind WHEN 'released' THEN -e.amount_fen ELSE e.amount_fen END, 0 \
                FROM recovery_entry e JOIN run r ON r.agency_code = e.agency_code AND r.period = e.run_period AND r.run_no = e.run_no \
                WHERE e.agency_code = $1 AND r.status <> 'cancelled') x \
                JOIN roll_page p ON p.agency_code = $1 AND x.enrolment_no BETWEEN p.first_enrolment_no AND p.last_enrolment_no \
                WHERE p.scheme_code = $2 AND x.period BETWEEN $3 AND $4 GROUP BY x.period ORDER BY x.period";
    /// Given back to appropriations by case.
    POSTED = "SELECT case_no, appropriation_no, CAST(SUM(amount_fen) AS BIGINT) FROM posting \
              WHERE agency_code = $1 AND case_no IS NOT NULL GROUP BY case_no, appropriation_no ORDER BY case_no, appropriation_no";
}

#[derive(sqlx::FromRow)]
struct CaseRow {
    case_no: i64,
    enrolment_no: i64,
    beneficiary_no: i64,
    scheme_code: String,
    cause: String,
    notice_no: String,
    total_fen: i64,
    opened_by: String,
    opened_on: i64,
    deduct_scheme: String,
    monthly_cap_fen: i64,
    consent: String,
    closed_by: Option<String>,
    closed_on: Option<i64>,
}

impl CaseRow {
    fn with(self, months: Vec<CaseMonth>) -> Result<Case, StorageError> {
        let cause = Cause::parse(&self.cause)
            .ok_or_else(|| StorageError::inconsistent("recovery_case", self.case_no, "没有这种原因"))?;
        let closed = self.closed_by.zip(self.closed_on);
        Ok(Case {
            no: self.case_no,
            enrolment_no: self.enrolment_no,
            beneficiary_no: self.beneficiary_no,
            scheme_code: self.scheme_code,
            cause,
            notice_no: self.notice_no,
            total: Money(self.total_fen),
            months,
            opened_by: self.opened_by,
            opened_on: date("recovery_case", self.opened_on)?,
            plan: (self.monthly_cap_fen > 0).then_some(Plan {
                scheme: self.deduct_scheme,
                monthly_cap: Money(self.monthly_cap_fen),
                consent: self.consent,
            }),
            closed: closed.map(|(by, on)| date("recovery_case", on).map(|on| (by, on))).transpose()?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    case_no: i64,
    entry_no: i64,
    kind: String,
    enrolment_no: i64,
    period: i64,
    amount_fen: i64,
    paid_run_period: Option<i64>,
    paid_run_no: Option<i64>,
    appropriation_no: Option<i64>,
    to_enrolment_no: Option<i64>,
    to_period: Option<i64>,
    claim_fen: i64,
    run_period: Option<i64>,
    run_no: Option<i64>,
    run_from_fen: i64,
    released_entry_no: Option<i64>,
    reference: String,
    received_on: Option<i64>,
    made_by: String,
    made_on: i64,
    accepted_by: Option<String>,
    status: Option<String>,
    taken_back: Option<i64>,
}

fn month(yyyymm: i64) -> Result<Period, StorageError> {
    period("recovery_entry", yyyymm)
}

fn key(period: i64, no: i64) -> Result<RunKey, StorageError> {
    Ok(RunKey { no, period: month(period)? })
}

impl TryFrom<EntryRow> for Entry {
    type Error = StorageError;
    fn try_from(row: EntryRow) -> Result<Entry, StorageError> {
        let kind = EntryKind::ALL
            .into_iter()
            .find(|k| k.code() == row.kind)
            .ok_or_else(|| StorageError::inconsistent("recovery_entry", &row.kind, "没有这种记录"))?;
        let state = match (kind, row.status.as_deref()) {
            (EntryKind::Repayment | EntryKind::WriteOff, _) => EntryState::Booked,
            (EntryKind::Released, _) | (_, Some("cancelled") | None) => EntryState::Void,
            _ if row.taken_back.is_some() => EntryState::Void,
            (_, Some("issued" | "settled" | "closed")) => EntryState::Booked,
            _ => EntryState::Planned,
        };
        let source = match (row.paid_run_period, row.paid_run_no, row.appropriation_no) {
            (Some(period), Some(no), Some(appropriation_no)) => {
                Some(Source { run: key(period, no)?, appropriation_no })
            }
            _ => None,
        };
        let target = match (row.to_enrolment_no, row.to_period, row.run_period, row.run_no) {
            (Some(enrolment_no), Some(period), Some(run_period), Some(run_no)) => Some(Target {
                enrolment_no,
                period: month(period)?,
                claim: Money(row.claim_fen),
                run: key(run_period, run_no)?,
                at: Money(row.run_from_fen),
            }),
            _ => None,
        };
        Ok(Entry {
            case_no: row.case_no,
            no: row.entry_no,
            kind,
            enrolment_no: row.enrolment_no,
            period: month(row.period)?,
            amount: Money(row.amount_fen),
            source,
            target,
            releases: row.released_entry_no,
            reference: row.reference,
            received_on: row.received_on.map(|on| date("recovery_entry", on)).transpose()?,
            made_by: row.made_by,
            made_on: date("recovery_entry", row.made_on)?,
            accepted_by: row.accepted_by,
            state,
        })
    }
}

/// Stores a case that was just opened, with its months.
///
/// # Errors
/// The database's.
pub async fn insert_case(tx: &mut Tx, agency: &str, case: &Case, event_no: i64) -> Result<(), StorageError> {
    let values = values![
        agency,
        case.no,
        case.enrolment_no,
        case.beneficiary_no,
        &case.scheme_code,
        case.cause.code(),
        &case.notice_no,
        case.total.fen(),
        &case.opened_by,
        date_number(case.opened_on),
        event_no,
    ];
    tx.execute(INSERT_CASE, values).await?;
    for month in &case.months {
        let values = values![agency, case.no, month.period.number(), month.claim.fen(), month.amount.fen()];
        tx.execute(INSERT_MONTH, values).await?;
    }
    Ok(())
}

async fn with_months(
    tx: &mut Tx,
    rows: Vec<CaseRow>,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Vec<Case>, StorageError> {
    let mut months: HashMap<i64, Vec<CaseMonth>> = HashMap::new();
    if !rows.is_empty() {
        let found: Vec<(i64, i64, i64, i64)> = tx.fetch_all(sql, values).await?;
        for (case_no, yyyymm, claim, amount) in found {
            let month = CaseMonth { period: month(yyyymm)?, claim: Money(claim), amount: Money(amount) };
            months.entry(case_no).or_default().push(month);
        }
    }
    rows.into_iter()
        .map(|row| {
            let own = months.remove(&row.case_no).unwrap_or_default();
            row.with(own)
        })
        .collect()
}

/// Every case, in order.
///
/// # Errors
/// The database's.
pub async fn cases(tx: &mut Tx, agency: &str) -> Result<Vec<Case>, StorageError> {
    let rows: Vec<CaseRow> = tx.fetch_all(CASES, values![agency]).await?;
    with_months(tx, rows, MONTHS, values![agency]).await
}

/// The case of this number.
///
/// # Errors
/// The database's.
pub async fn case(tx: &mut Tx, agency: &str, case_no: i64) -> Result<Option<Case>, StorageError> {
    let rows: Vec<CaseRow> = tx.fetch_all(CASE, values![agency, case_no]).await?;
    Ok(with_months(tx, rows, MONTHS_OF, values![agency, case_no]).await?.pop())
}

/// The cases of an enrolment, in order.
///
/// # Errors
/// The database's.
pub async fn cases_of(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<Case>, StorageError> {
    let rows: Vec<CaseRow> = tx.fetch_all(OF_ENROLMENT, values![agency, enrolment_no]).await?;
    with_months(tx, rows, MONTHS, values![agency]).await
}

/// The case that has this notice number.
///
/// # Errors
/// The database's.
pub async fn by_notice(tx: &mut Tx, agency: &str, notice_no: &str) -> Result<Option<i64>, StorageError> {
    let found: Option<(i64,)> = tx.fetch_optional(BY_NOTICE, values![agency, notice_no]).await?;
    Ok(found.map(|(no,)| no))
}

/// Sets how an open case is deducted from later payments; false when it is closed.
///
/// # Errors
/// The database's.
pub async fn set_plan(
    tx: &mut Tx,
    agency: &str,
    case_no: i64,
    plan: &Plan,
    event_no: i64,
) -> Result<bool, StorageError> {
    let values = values![agency, case_no, &plan.scheme, plan.monthly_cap.fen(), &plan.consent, event_no];
    Ok(tx.execute(PLAN, values).await? == 1)
}

/// Closes an open case.
///
/// # Errors
/// The database's.
pub async fn close(
    tx: &mut Tx,
    agency: &str,
    case_no: i64,
    by: &str,
    on: NaiveDate,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(CLOSE, values![agency, case_no, by, date_number(on), event_no]).await?;
    Ok(())
}

async fn entries(tx: &mut Tx, sql: &'static str, values: Vec<Value>) -> Result<Vec<Entry>, StorageError> {
    let rows: Vec<EntryRow> = tx.fetch_all(sql, values).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Every entry of every case, in order.
///
/// # Errors
/// The database's.
pub async fn all_entries(tx: &mut Tx, agency: &str) -> Result<Vec<Entry>, StorageError> {
    entries(tx, ENTRIES, values![agency]).await
}

/// The offsets of a run as they were frozen, those that were left out at issue too, as they lie in its money.
///
/// # Errors
/// The database's.
pub async fn offsets_of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Vec<Entry>, StorageError> {
    let mut offsets = entries(tx, OFFSETS_OF_RUN, values![agency, run.periods.last.number(), run.no]).await?;
    offsets.sort_by_key(|e| e.target.map(|t| t.at));
    Ok(offsets)
}

/// Enrolments of whose money, as this run paid it, something was recovered.
///
/// # Errors
/// The database's.
pub async fn recovered_of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<HashSet<i64>, StorageError> {
    let found = entries(tx, RECOVERED_OF_RUN, values![agency, run.periods.last.number(), run.no]).await?;
    Ok(found.iter().filter(|e| e.recovers()).map(|e| e.enrolment_no).collect())
}

/// The entries that book a receipt.
///
/// # Errors
/// The database's.
pub async fn by_receipt(tx: &mut Tx, agency: &str, receipt: &str) -> Result<Vec<Entry>, StorageError> {
    entries(tx, BY_RECEIPT, values![agency, receipt]).await
}

/// Last entry number of a case, 0 when it has none.
///
/// # Errors
/// The database's.
pub async fn last_entry(tx: &mut Tx, agency: &str, case_no: i64) -> Result<i64, StorageError> {
    let (last,): (i64,) = tx.fetch_one(LAST_ENTRY, values![agency, case_no]).await?;
    Ok(last)
}

/// Stores entries.
///
/// # Errors
/// The database's.
pub async fn insert_entries(tx: &mut Tx, agency: &str, list: &[Entry], event_no: i64) -> Result<(), StorageError> {
    const COLUMNS: [&str; 23] = [
        "agency_code",
        "case_no",
        "entry_no",
        "kind",
        "enrolment_no",
        "period",
        "amount_fen",
        "paid_run_period",
        "paid_run_no",
        "appropriation_no",
        "to_enrolment_no",
        "to_period",
        "claim_fen",
        "run_period",
        "run_no",
        "run_from_fen",
        "released_entry_no",
        "reference",
        "received_on",
        "made_by",
        "made_on",
        "event_no",
        "accepted_by",
    ];
    let row = |e: &Entry| -> Vec<Value> {
        let target = e.target.as_ref();
        values![
            agency,
            e.case_no,
            e.no,
            e.kind.code(),
            e.enrolment_no,
            e.period.number(),
            e.amount.fen(),
            e.source.map(|s| s.run.period.number()),
            e.source.map(|s| s.run.no),
            e.source.map(|s| s.appropriation_no),
            target.map(|t| t.enrolment_no),
            target.map(|t| t.period.number()),
            target.map_or(0, |t| t.claim.fen()),
            target.map(|t| t.run.period.number()),
            target.map(|t| t.run.no),
            target.map_or(0, |t| t.at.fen()),
            e.releases,
            &e.reference,
            e.received_on.map(date_number),
            &e.made_by,
            date_number(e.made_on),
            event_no,
            e.accepted_by.clone(),
        ]
    };
    tx.insert_rows("recovery_entry", &COLUMNS, list.iter().map(row)).await
}

/// What recoveries did to a month of an enrolment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Given back or offset out of it.
    pub recovered: Money,
    /// Offset into it.
    pub offset_in: Money,
    /// Overpaid, and written off.
    pub written_off: Money,
}

/// What recoveries did, by enrolment and month.
///
/// # Errors
/// The database's.
pub async fn moved(tx: &mut Tx, agency: &str) -> Result<HashMap<(i64, Period), Moved>, StorageError> {
    let mut moved: HashMap<(i64, Period), Moved> = HashMap::new();
    for entry in all_entries(tx, agency).await? {
        let from = moved.entry((entry.enrolment_no, entry.period)).or_default();
        if entry.kind == EntryKind::WriteOff {
            from.written_off += entry.amount;
        } else if entry.recovers() {
            from.recovered += entry.amount;
            if let Some(target) = entry.target {
                moved.entry((target.enrolment_no, target.period)).or_default().offset_in += entry.amount;
            }
        }
    }
    Ok(moved)
}

/// What recoveries did to the months of a scheme from `first` to `last`, counted by the database.
///
/// # Errors
/// The database's.
pub async fn by_month(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    first: Period,
    last: Period,
) -> Result<HashMap<Period, Moved>, StorageError> {
    let rows: Vec<(i64, i64, i64, i64)> =
        tx.fetch_all(BY_MONTH, values![agency, scheme, first.number(), last.number()]).await?;
    let moved = |recovered, offset_in, written_off| Moved {
        recovered: Money(recovered),
        offset_in: Money(offset_in),
        written_off: Money(written_off),
    };
    rows.into_iter().map(|(p, out, into, off)| Ok((month(p)?, moved(out, into, off)))).collect()
}

/// Given back to appropriations by case: case, appropriation, sum.
///
/// # Errors
/// The database's.
pub async fn posted(tx: &mut Tx, agency: &str) -> Result<Vec<(i64, i64, Money)>, StorageError> {
    let rows: Vec<(i64, i64, i64)> = tx.fetch_all(POSTED, values![agency]).await?;
    Ok(rows.into_iter().map(|(case_no, no, fen)| (case_no, no, Money(fen))).collect())
}

/// What was credited to an enrolment by payments and issued offsets, and what was recovered of it.
///
/// # Errors
/// The database's.
pub async fn credited(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Credited, StorageError> {
    let mut stretches = cover::credited_of(tx, agency, enrolment_no).await?;
    for offset in entries(tx, OFFSETS_INTO, values![agency, enrolment_no]).await? {
        if let (EntryState::Booked, Some(target)) = (offset.state, offset.target) {
            stretches.push(Stretch { period: target.period, run: target.run, at: target.at, amount: offset.amount });
        }
    }
    stretches.sort_by_key(|s| (s.run.no, s.at));
    let mut draws = HashMap::new();
    for stretch in &stretches {
        if let std::collections::hash_map::Entry::Vacant(place) = draws.entry(stretch.run) {
            place.insert(appropriation::draws(tx, agency, stretch.run.period.number(), stretch.run.no).await?);
        }
    }
    let entries = entries(tx, ENTRIES_OF_ENROLMENT, values![agency, enrolment_no]).await?;
    Ok(Credited { stretches, draws, entries })
}
