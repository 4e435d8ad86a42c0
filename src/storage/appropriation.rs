//! Appropriations and their postings. The four amounts of an appropriation are kept totals, moved
//! by one guarded UPDATE in the transaction that writes the posting.

use super::engine::Tx;
use super::error::StorageError;
use super::{counter, date};
use crate::domain::appropriation::{Appropriation, Draw, PostingKind};
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::domain::scheme::{Expenditure, Funding, Source};
use crate::values;

statements! {
    INSERT = "INSERT INTO appropriation (agency_code, appropriation_no, year, document, scheme_code, project, function_code, \
              economic_code, source, expenditure, appropriated_fen, available_fen, reserved_fen, paid_fen) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, 0)";
    LIST = "SELECT appropriation_no, year, document, scheme_code, project, function_code, economic_code, source, expenditure, \
            appropriated_fen, available_fen, reserved_fen, paid_fen FROM appropriation WHERE agency_code = $1 ORDER BY appropriation_no";
    /// The money guard: no row is touched when any amount would fall below zero.
    MOVE = "UPDATE appropriation SET appropriated_fen = appropriated_fen + $3, available_fen = available_fen + $4, \
            reserved_fen = reserved_fen + $5, paid_fen = paid_fen + $6 \
            WHERE agency_code = $1 AND appropriation_no = $2 AND available_fen + $4 >= 0 AND reserved_fen + $5 >= 0 AND paid_fen + $6 >= 0";
    INSERT_POSTING = "INSERT INTO posting (agency_code, appropriation_no, posting_no, kind, amount_fen, document, run_no, file_no, \
                      case_no, posted_on, event_no, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    POSTINGS = "SELECT posting_no, appropriation_no, kind, amount_fen, document, run_no, file_no, posted_on, note FROM posting \
                WHERE agency_code = $1 ORDER BY posting_no";
    SUMS = "SELECT appropriation_no, kind, CAST(COALESCE(SUM(amount_fen), 0) AS BIGINT), COUNT(*) FROM posting \
            WHERE agency_code = $1 GROUP BY appropriation_no, kind ORDER BY appropriation_no, kind";
    LAST_POSTED = "SELECT appropriation_no, MAX(posted_on) FROM posting WHERE agency_code = $1 GROUP BY appropriation_no";
    INSERT_DRAW = "INSERT INTO run_draw (agency_code, period, run_no, draw_no, appropriation_no, from_fen, to_fen) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DRAWS = "SELECT appropriation_no, from_fen, to_fen FROM run_draw WHERE agency_code = $1 AND period = $2 AND run_no = $3 ORDER BY draw_no";
}

#[derive(sqlx::FromRow)]
struct Row {
    appropriation_no: i64,
    year: i64,
    document: String,
    scheme_code: String,
    project: String,
    function_code: String,
    economic_code: String,
    source: String,
    expenditure: String,
    appropriated_fen: i64,
    available_fen: i64,
    reserved_fen: i64,
    paid_fen: i64,
}

impl TryFrom<Row> for Appropriation {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Appropriation, StorageError> {
        let wrong = |what: &str| StorageError::inconsistent("appropriation", row.appropriation_no, what);
        Ok(Appropriation {
            no: row.appropriation_no,
            year: i32::try_from(row.year).map_err(|_| wrong("年度"))?,
            source: Source::parse(&row.source).ok_or_else(|| wrong("资金来源"))?,
            expenditure: Expenditure::parse(&row.expenditure).ok_or_else(|| wrong("支出类别"))?,
            document: row.document,
            scheme_code: row.scheme_code,
            project: row.project,
            function_code: row.function_code,
            economic_code: row.economic_code,
            appropriated: Money(row.appropriated_fen),
            available: Money(row.available_fen),
            reserved: Money(row.reserved_fen),
            paid: Money(row.paid_fen),
        })
    }
}

/// A movement as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Posting {
    /// Number within the agency.
    pub posting_no: i64,
    /// Appropriation moved.
    pub appropriation_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Signed for adjust, positive otherwise.
    pub amount_fen: i64,
    /// Document of an appropriation or adjustment.
    pub document: String,
    /// Run that moved it.
    pub run_no: Option<i64>,
    /// Its file.
    pub file_no: Option<i64>,
    /// Business date.
    pub posted_on: i64,
    /// In words.
    pub note: String,
}

impl Posting {
    /// Kind as a value.
    ///
    /// # Errors
    /// When the stored word is unknown.
    pub fn kind(&self) -> Result<PostingKind, StorageError> {
        posting_kind(&self.kind)
    }

    /// Business date as a date.
    ///
    /// # Errors
    /// When the stored number is none.
    pub fn posted_on(&self) -> Result<chrono::NaiveDate, StorageError> {
        date("posting", self.posted_on)
    }
}

fn posting_kind(code: &str) -> Result<PostingKind, StorageError> {
    PostingKind::ALL
        .into_iter()
        .find(|kind| kind.code() == code)
        .ok_or_else(|| StorageError::inconsistent("posting", code, "没有这种流水"))
}

/// What a posting is about.
#[derive(Debug, Clone, Default)]
pub struct PostingReason<'a> {
    /// Document of an appropriation or adjustment.
    pub document: &'a str,
    /// Run that moves it.
    pub run_no: Option<i64>,
    /// Its file.
    pub file_no: Option<i64>,
    /// Recovery case that gives it back.
    pub case_no: Option<i64>,
    /// In words.
    pub note: &'a str,
}

/// Registers an appropriation with nothing in it; the amount comes as a posting.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    no: i64,
    scheme_code: &str,
    funding: &Funding,
) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![
            agency,
            no,
            i64::from(funding.year),
            funding.document.as_str(),
            scheme_code,
            &funding.project,
            &funding.function_code,
            &funding.economic_code,
            funding.source.code(),
            funding.expenditure.code(),
        ],
    )
    .await?;
    Ok(())
}

/// All appropriations in order of loading.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<Appropriation>, StorageError> {
    let rows: Vec<Row> = tx.fetch_all(LIST, values![agency]).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Moves money by one posting. False when an amount would fall below zero; then nothing happened.
///
/// # Errors
/// The database's.
#[expect(clippy::too_many_arguments, reason = "a posting is exactly these facts")]
pub async fn post(
    tx: &mut Tx,
    agency: &str,
    appropriation_no: i64,
    kind: PostingKind,
    amount: Money,
    reason: &PostingReason<'_>,
    on: chrono::NaiveDate,
    event_no: i64,
) -> Result<bool, StorageError> {
    let fen = amount.fen();
    let (appropriated, available, reserved, paid) = kind.effect();
    let moved = tx
        .execute(
            MOVE,
            values![agency, appropriation_no, appropriated * fen, available * fen, reserved * fen, paid * fen],
        )
        .await?;
    if moved == 0 {
        return Ok(false);
    }
    let posting_no = counter::take(tx, agency, "posting", 1).await?;
    tx.execute(
        INSERT_POSTING,
        values![
            agency,
            appropriation_no,
            posting_no,
            kind.code(),
            fen,
            reason.document,
            reason.run_no,
            reason.file_no,
            reason.case_no,
            date_number(on),
            event_no,
            reason.note,
        ],
    )
    .await?;
    Ok(true)
}

/// All postings in order.
///
/// # Errors
/// The database's.
pub async fn postings(tx: &mut Tx, agency: &str) -> Result<Vec<Posting>, StorageError> {
    tx.fetch_all(POSTINGS, values![agency]).await
}

/// Sum and number of postings per appropriation and kind.
///
/// # Errors
/// The database's.
pub async fn posting_sums(tx: &mut Tx, agency: &str) -> Result<Vec<(i64, PostingKind, Money, i64)>, StorageError> {
    let rows: Vec<(i64, String, i64, i64)> = tx.fetch_all(SUMS, values![agency]).await?;
    rows.into_iter().map(|(no, kind, fen, count)| Ok((no, posting_kind(&kind)?, Money(fen), count))).collect()
}

/// Records where a run's money comes from.
///
/// # Errors
/// The database's.
pub async fn insert_draws(
    tx: &mut Tx,
    agency: &str,
    period: i64,
    run_no: i64,
    draws: &[Draw],
) -> Result<(), StorageError> {
    for (draw_no, draw) in (1_i64..).zip(draws) {
        tx.execute(
            INSERT_DRAW,
            values![agency, period, run_no, draw_no, draw.appropriation_no, draw.from_fen, draw.to_fen],
        )
        .await?;
    }
    Ok(())
}

/// Where a run's money comes from.
///
/// # Errors
/// The database's.
pub async fn draws(tx: &mut Tx, agency: &str, period: i64, run_no: i64) -> Result<Vec<Draw>, StorageError> {
    let rows: Vec<(i64, i64, i64)> = tx.fetch_all(DRAWS, values![agency, period, run_no]).await?;
    Ok(rows
        .into_iter()
        .map(|(appropriation_no, from_fen, to_fen)| Draw { appropriation_no, from_fen, to_fen })
        .collect())
}

/// When each appropriation last moved, yyyymmdd by number.
///
/// # Errors
/// The database's.
pub async fn last_posted(tx: &mut Tx, agency: &str) -> Result<std::collections::HashMap<i64, i64>, StorageError> {
    let rows: Vec<(i64, i64)> = tx.fetch_all(LAST_POSTED, values![agency]).await?;
    Ok(rows.into_iter().collect())
}
