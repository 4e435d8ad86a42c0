//! Lists that were shown to the public, and the rows of the list that would be shown now.

use std::collections::HashMap;

use super::date;
use super::engine::Tx;
use super::error::StorageError;
use super::payment;
use super::roll::Roll;
use crate::domain::money::Money;
use crate::domain::payment::PaymentState;
use crate::domain::period::date_number;
use crate::domain::publicity::{PublicityKind, Showing, ShownRow, shown_rows};
use crate::domain::run::Run;
use crate::values;

statements! {
    OF_RUN = "SELECT publicity_no, kind, place, from_date, to_date, objections, list_digest, row_count AS line_count, total_fen, recorded_by, recorded_on \
              FROM publicity WHERE agency_code = $1 AND period = $2 AND run_no = $3 ORDER BY publicity_no";
    INSERT = "INSERT INTO publicity (agency_code, period, run_no, publicity_no, kind, place, from_date, to_date, objections, list_digest, \
              row_count, total_fen, recorded_by, recorded_on, event_no) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
}

#[derive(sqlx::FromRow)]
struct Row {
    publicity_no: i64,
    kind: String,
    place: String,
    from_date: i64,
    to_date: i64,
    objections: String,
    list_digest: String,
    line_count: i64,
    total_fen: i64,
    recorded_by: String,
    recorded_on: i64,
}

impl TryFrom<Row> for Showing {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Showing, StorageError> {
        let kind = PublicityKind::parse(&row.kind);
        Ok(Showing {
            no: row.publicity_no,
            kind: kind.ok_or_else(|| StorageError::inconsistent("publicity", &row.kind, "没有这种公示"))?,
            place: row.place,
            from: date("publicity", row.from_date)?,
            to: date("publicity", row.to_date)?,
            objections: row.objections,
            list_digest: row.list_digest,
            rows: row.line_count,
            total: Money(row.total_fen),
            recorded_by: row.recorded_by,
            recorded_on: date("publicity", row.recorded_on)?,
        })
    }
}

/// What was shown of a run, in order of recording.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Vec<Showing>, StorageError> {
    let rows: Vec<Row> = tx.fetch_all(OF_RUN, values![agency, run.periods.last.number(), run.no]).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Records what was shown of a run.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    showing: &Showing,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![
            agency,
            run.periods.last.number(),
            run.no,
            showing.no,
            showing.kind.code(),
            &showing.place,
            date_number(showing.from),
            date_number(showing.to),
            &showing.objections,
            &showing.list_digest,
            showing.rows,
            showing.total.fen(),
            &showing.recorded_by,
            date_number(showing.recorded_on),
            event_no,
        ],
    )
    .await?;
    Ok(())
}

/// The list of a run as it is now: before the approval every payment, as a result those that are credited.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn list(tx: &mut Tx, agency: &str, run: &Run, kind: PublicityKind) -> Result<Vec<ShownRow>, StorageError> {
    let mut payments = payment::of_run(tx, agency, run).await?;
    let mut units: HashMap<i64, String> = HashMap::new();
    let mut roll = Roll::of_scheme(agency, &run.scheme_code);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let line = enrolled?.line;
            units.insert(line.beneficiary_no, line.former_unit().into_owned());
        }
    }
    if kind == PublicityKind::Result {
        let standing = payment::Standing::of(tx, agency, run).await?;
        let mut credited = Vec::with_capacity(payments.len());
        for payment in payments {
            if standing.state(payment.line_no)?.0 == PaymentState::Credited {
                credited.push(payment);
            }
        }
        payments = credited;
    }
    Ok(shown_rows(&payments, &units))
}
