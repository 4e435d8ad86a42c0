//! Sums of covers by month, kept in the transactions that change them.

use std::collections::HashMap;

use super::cover::MonthSum;
use super::engine::{Tx, Value};
use super::error::StorageError;
use super::payment::{outcome_kind, payment_state, unreadable};
use super::period;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, FrozenLine, OutcomeKind};
use crate::domain::period::Period;
use crate::domain::run::Run;
use crate::values;

statements! {
    BY_MONTH = "SELECT s.covered_period, r.first_period, r.run_no, r.status, f.status AS file_status, s.told, s.cover_count, s.amount_fen \
                FROM month_sum s JOIN run r ON r.agency_code = s.agency_code AND r.period = s.period AND r.run_no = s.run_no \
                LEFT JOIN payment_file f ON f.agency_code = s.agency_code AND f.period = s.period AND f.run_no = s.run_no AND f.file_no = s.file_no \
                WHERE s.agency_code = $1 AND r.scheme_code = $2 AND s.covered_period BETWEEN $3 AND $4 AND s.cover_count <> 0";
    OF_RUN = "SELECT covered_period, file_no, told, cover_count, amount_fen FROM month_sum \
              WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND (cover_count <> 0 OR amount_fen <> 0)";
    FORGET = "DELETE FROM month_sum WHERE agency_code = $1 AND period = $2 AND run_no = $3";
    ADD = "INSERT INTO month_sum (agency_code, period, run_no, covered_period, file_no, told, cover_count, amount_fen) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (agency_code, period, run_no, covered_period, file_no, told) \
           DO UPDATE SET cover_count = month_sum.cover_count + excluded.cover_count, amount_fen = month_sum.amount_fen + excluded.amount_fen";
}

/// Month, file (0: in none) and last outcome of some covers.
pub type Place = (Period, i64, Option<OutcomeKind>);

/// Sums of some payments by month, file and last outcome.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    by_key: HashMap<Place, (i64, Money)>,
    /// Those of the key that was counted last, not yet among the others: nearly all payments of a file have one month.
    last: Option<(Place, (i64, Money))>,
}

impl Sums {
    /// Adds a payment's covers.
    pub fn add(&mut self, covers: &[Cover], file_no: i64, told: Option<OutcomeKind>) {
        for cover in covers {
            self.count(cover, file_no, told, 1);
        }
    }

    /// Adds those of a frozen payment in a file of which nothing was told.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn send(&mut self, line: &FrozenLine<'_>, file_no: i64) -> Result<(), StorageError> {
        line.covers().try_for_each(|cover| {
            self.count(&cover.map_err(unreadable)?, file_no, None, 1);
            Ok(())
        })
    }

    /// Something new was told of a frozen payment of a file.
    ///
    /// # Errors
    /// When its covers cannot be read.
    pub fn tell(
        &mut self,
        line: &FrozenLine<'_>,
        file_no: i64,
        before: Option<OutcomeKind>,
        told: OutcomeKind,
    ) -> Result<(), StorageError> {
        line.covers().try_for_each(|cover| {
            let cover = cover.map_err(unreadable)?;
            self.count(&cover, file_no, before, -1);
            self.count(&cover, file_no, Some(told), 1);
            Ok(())
        })
    }

    /// A payment of a file that never left is in no file any more.
    pub fn withhold(&mut self, covers: &[Cover], file_no: i64) {
        for cover in covers {
            self.count(cover, file_no, None, -1);
            self.count(cover, 0, Some(OutcomeKind::Withheld), 1);
        }
    }

    fn count(&mut self, cover: &Cover, file_no: i64, told: Option<OutcomeKind>, sign: i64) {
        let key = (cover.period, file_no, told);
        if self.last.as_ref().is_none_or(|(last, _)| *last != key) {
            self.put_last();
        }
        let (_, (count, amount)) = self.last.get_or_insert((key, (0, Money::ZERO)));
        *count += sign;
        *amount += Money(sign * cover.amount.fen());
    }

    fn put_last(&mut self) {
        if let Some((key, (count, amount))) = self.last.take() {
            let sum = self.by_key.entry(key).or_default();
            sum.0 += count;
            sum.1 += amount;
        }
    }
}

/// The sums of a run as they are kept, those of nothing left out.
///
/// # Errors
/// The database's, or a stored word that is unknown.
pub async fn of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<HashMap<Place, (i64, Money)>, StorageError> {
    let key = values![agency, run.periods.last.number(), run.no];
    let rows: Vec<(i64, i64, String, i64, i64)> = tx.fetch_all(OF_RUN, key).await?;
    let read = |(month, file_no, told, count, fen): (i64, i64, String, i64, i64)| {
        let told = if told.is_empty() { None } else { Some(outcome_kind(&told)?) };
        Ok(((period("month_sum", month)?, file_no, told), (count, Money(fen))))
    };
    rows.into_iter().map(read).collect()
}

/// Adds to the sums of a run.
///
/// # Errors
/// The database's.
pub async fn add(tx: &mut Tx, agency: &str, run: &Run, mut sums: Sums) -> Result<(), StorageError> {
    sums.put_last();
    for ((month, file_no, told), (count, amount)) in sums.by_key {
        let told = told.map_or("", OutcomeKind::code);
        let values: Vec<Value> =
            values![agency, run.periods.last.number(), run.no, month.number(), file_no, told, count, amount.fen()];
        tx.execute(ADD, values).await?;
    }
    Ok(())
}

/// Puts other sums in the place of a run's: its payments are in files now.
///
/// # Errors
/// The database's.
pub async fn replace(tx: &mut Tx, agency: &str, run: &Run, sums: Sums) -> Result<(), StorageError> {
    tx.execute(FORGET, values![agency, run.periods.last.number(), run.no]).await?;
    add(tx, agency, run, sums).await
}

#[derive(sqlx::FromRow)]
struct Row {
    covered_period: i64,
    first_period: i64,
    run_no: i64,
    status: String,
    file_status: Option<String>,
    told: String,
    cover_count: i64,
    amount_fen: i64,
}

/// Kept sums per month, run and state for the months from `first` to `last`, in this order: the same as
/// [`super::cover::by_month`] counts from the payments.
///
/// # Errors
/// The database's, or a stored word that is unknown.
pub async fn by_month(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    first: Period,
    last: Period,
) -> Result<Vec<MonthSum>, StorageError> {
    let rows: Vec<Row> = tx.fetch_all(BY_MONTH, values![agency, scheme, first.number(), last.number()]).await?;
    let mut sums: HashMap<(i64, i64, &'static str), MonthSum> = HashMap::new();
    for row in rows {
        let told = Some(row.told.as_str()).filter(|told| !told.is_empty());
        let state = payment_state(&row.status, row.file_status.as_deref(), told)?;
        let sum = MonthSum {
            period: period("month_sum", row.covered_period)?,
            run_first: period("month_sum", row.first_period)?,
            run_no: row.run_no,
            state,
            count: 0,
            amount: Money::ZERO,
        };
        let sum = sums.entry((row.covered_period, row.run_no, state.code())).or_insert(sum);
        sum.count += row.cover_count;
        sum.amount += Money(row.amount_fen);
    }
    let mut sums: Vec<MonthSum> = sums.into_values().collect();
    sums.sort_by_key(|s| (s.period, s.run_no, s.state.code()));
    Ok(sums)
}
