//! Baselines: how a scheme stood when its runs were prepared.

use std::collections::BTreeMap;

use super::engine::Tx;
use super::error::StorageError;
use super::{period, run};
use crate::domain::baseline::{Baseline, ClaimSum, Sent};
use crate::domain::money::Money;
use crate::domain::run::Run;
use crate::values;

statements! {
    INSERT = "INSERT INTO baseline (agency_code, period, run_no, standing_runs, last_period, last_enrolment_no, claims, uneven) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    OF_RUN = "SELECT standing_runs, last_period, last_enrolment_no, claims, uneven FROM baseline \
              WHERE agency_code = $1 AND period = $2 AND run_no = $3";
}

#[derive(sqlx::FromRow)]
struct Row {
    standing_runs: i64,
    last_period: i64,
    last_enrolment_no: i64,
    claims: String,
    uneven: String,
}

/// Month: people owed, fen owed, fen suspended.
type StoredClaims = BTreeMap<i64, (i64, i64, i64)>;
/// Enrolment: month: fen.
type StoredSent = BTreeMap<i64, BTreeMap<i64, i64>>;

/// The baseline that holds for a scheme, of whose `runs` (all of them, in order) it is that of the last one not
/// cancelled. None when no run stands, or when one that the baseline knew was cancelled since.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn standing(tx: &mut Tx, agency: &str, runs: &[Run]) -> Result<Option<Baseline>, StorageError> {
    let standing: Vec<&Run> = run::standing(runs).collect();
    let Some(last) = standing.last() else { return Ok(None) };
    let key = values![agency, last.periods.last.number(), last.no];
    let row: Option<Row> = tx.fetch_optional(OF_RUN, key).await?;
    match row {
        Some(row) if usize::try_from(row.standing_runs).ok() == Some(standing.len()) => Ok(Some(row.read(last)?)),
        _ => Ok(None),
    }
}

impl Row {
    fn read(self, run: &Run) -> Result<Baseline, StorageError> {
        let wrong = |error: serde_json::Error| StorageError::inconsistent("baseline", &run.code, error);
        let month = |yyyymm: i64| period("baseline", yyyymm);
        let claims: StoredClaims = serde_json::from_str(&self.claims).map_err(wrong)?;
        let uneven: StoredSent = serde_json::from_str(&self.uneven).map_err(wrong)?;
        let claim = |(yyyymm, (count, owed, suspended)): (i64, (i64, i64, i64))| -> Result<_, StorageError> {
            Ok((month(yyyymm)?, ClaimSum { count, amount: Money(owed), suspended: Money(suspended) }))
        };
        let sent = |(enrolment_no, months): (i64, BTreeMap<i64, i64>)| -> Result<_, StorageError> {
            let sent: Result<Sent, StorageError> =
                months.into_iter().map(|(yyyymm, fen)| Ok((month(yyyymm)?, Money(fen)))).collect();
            Ok((enrolment_no, sent?))
        };
        Ok(Baseline {
            scheme_version: run.scheme_version,
            event_no: run.prepared_event_no,
            last: month(self.last_period)?,
            last_enrolment_no: self.last_enrolment_no,
            claims: claims.into_iter().map(claim).collect::<Result<_, _>>()?,
            uneven: uneven.into_iter().map(sent).collect::<Result<_, _>>()?,
        })
    }
}

/// Stores the baseline of a run that was just prepared, the last of so many that stand.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    standing_runs: usize,
    baseline: &Baseline,
) -> Result<(), StorageError> {
    let wrong = |error: serde_json::Error| StorageError::inconsistent("baseline", &run.code, error);
    let claims = baseline.claims.iter();
    let claims: StoredClaims =
        claims.map(|(month, sum)| (month.number(), (sum.count, sum.amount.fen(), sum.suspended.fen()))).collect();
    let months = |sent: &Sent| sent.iter().map(|(month, amount)| (month.number(), amount.fen())).collect();
    let uneven: StoredSent = baseline.uneven.iter().map(|(no, sent)| (*no, months(sent))).collect();
    let values = values![
        agency,
        run.periods.last.number(),
        run.no,
        i64::try_from(standing_runs).unwrap_or(i64::MAX),
        baseline.last.number(),
        baseline.last_enrolment_no,
        serde_json::to_string(&claims).map_err(wrong)?,
        serde_json::to_string(&uneven).map_err(wrong)?,
    ];
    tx.execute(INSERT, values).await?;
    Ok(())
}
