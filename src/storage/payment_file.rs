//! Payment files, their kept totals, and the bank's answers to them.

use chrono::NaiveDate;

use super::date;
use super::engine::Tx;
use super::error::StorageError;
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::domain::run::Run;
use crate::values;

/// What a row is read from, in every query.
macro_rules! columns {
    () => {
        "period, run_no, file_no, file_ref, name, bank_code, layout_code, part, parts, pay_date, \
         first_line_no, last_line_no, row_count, total_fen, digest, payments_digest, status, open_rows, \
         open_fen, credited_rows, credited_fen, rejected_rows, rejected_fen, returned_rows, returned_fen"
    };
}

statements! {
    INSERT = "INSERT INTO payment_file (agency_code, period, run_no, file_no, file_ref, name, bank_code, layout_code, part, parts, pay_date, \
              first_line_no, last_line_no, row_count, total_fen, digest, payments_digest, status, open_rows, open_fen, credited_rows, credited_fen, \
              rejected_rows, rejected_fen, returned_rows, returned_fen, event_no) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'written', $14, $15, 0, 0, 0, 0, 0, 0, $18)";
    OF_RUN = concat!("SELECT ", columns!(), " FROM payment_file WHERE agency_code = $1 AND period = $2 AND run_no = $3 ORDER BY file_no");
    LIST = concat!("SELECT ", columns!(), " FROM payment_file WHERE agency_code = $1 ORDER BY run_no, file_no");
    BY_REF = concat!("SELECT ", columns!(), " FROM payment_file WHERE agency_code = $1 AND file_ref = $2");
    ANSWER = "UPDATE payment_file SET status = 'answered', open_rows = open_rows - $5 - $7, open_fen = open_fen - $6 - $8, \
              credited_rows = credited_rows + $5, credited_fen = credited_fen + $6, \
              rejected_rows = rejected_rows + $7, rejected_fen = rejected_fen + $8 \
              WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND file_no = $4";
    WRITE_ANEW = "UPDATE payment_file SET pay_date = $6, name = $7, digest = $8, row_count = $9, open_rows = $9, total_fen = $10, \
                  open_fen = $10, payments_digest = $11 \
              WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND file_no = $4 AND digest = $5 AND status = 'written'";
    GIVE_BACK = "UPDATE payment_file SET credited_rows = credited_rows - $5, credited_fen = credited_fen - $6, \
                 returned_rows = returned_rows + $5, returned_fen = returned_fen + $6 \
                 WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND file_no = $4";
    INSERT_RETURN = "INSERT INTO bank_return (agency_code, period, run_no, file_no, return_no, kind, name, digest, row_count, received_by, \
                     received_on, event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    RETURN_BY_DIGEST = "SELECT period, run_no, file_no, return_no, kind, received_by, received_on FROM bank_return \
                        WHERE agency_code = $1 AND digest = $2";
    FIRST_ANSWER = "SELECT MIN(received_on) FROM bank_return \
                    WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND file_no = $4 AND kind = 'return'";
    RETURNS_OF_FILE = "SELECT COUNT(*) FROM bank_return WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND file_no = $4";
}

/// A payment file as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PaymentFile {
    /// Period of its run.
    pub period: i64,
    /// Its run.
    pub run_no: i64,
    /// 1, 2 … within the run.
    pub file_no: i64,
    /// Reference that the bank repeats.
    pub file_ref: String,
    /// File name.
    pub name: String,
    /// Bank.
    pub bank_code: String,
    /// Layout.
    pub layout_code: String,
    /// Part …
    pub part: i64,
    /// … of parts, per bank.
    pub parts: i64,
    /// The bank's day, yyyymmdd.
    pub pay_date: i64,
    /// First line of the run in it.
    pub first_line_no: i64,
    /// Last line of the run in it.
    pub last_line_no: i64,
    /// Rows.
    pub row_count: i64,
    /// Their sum, fen.
    pub total_fen: i64,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// SHA-256 over its frozen payments.
    pub payments_digest: String,
    /// `written` or `answered`.
    pub status: String,
    /// Outcome unknown.
    pub open_rows: i64,
    /// Outcome unknown, fen.
    pub open_fen: i64,
    /// Credited and not returned.
    pub credited_rows: i64,
    /// Credited and not returned, fen.
    pub credited_fen: i64,
    /// Rejected.
    pub rejected_rows: i64,
    /// Rejected, fen.
    pub rejected_fen: i64,
    /// Returned late.
    pub returned_rows: i64,
    /// Returned late, fen.
    pub returned_fen: i64,
}

impl PaymentFile {
    /// True once the bank has answered.
    pub fn is_answered(&self) -> bool {
        self.status == "answered"
    }

    /// Sum of its rows.
    pub fn total(&self) -> Money {
        Money(self.total_fen)
    }
}

/// Stores a written file: everything in it is open.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, agency: &str, file: &PaymentFile, event_no: i64) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![
            agency,
            file.period,
            file.run_no,
            file.file_no,
            &file.file_ref,
            &file.name,
            &file.bank_code,
            &file.layout_code,
            file.part,
            file.parts,
            file.pay_date,
            file.first_line_no,
            file.last_line_no,
            file.row_count,
            file.total_fen,
            &file.digest,
            &file.payments_digest,
            event_no,
        ],
    )
    .await?;
    Ok(())
}

/// The files of a run.
///
/// # Errors
/// The database's.
pub async fn of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Vec<PaymentFile>, StorageError> {
    tx.fetch_all(OF_RUN, values![agency, run.periods.last.number(), run.no]).await
}

/// All files in order of issue.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<PaymentFile>, StorageError> {
    tx.fetch_all(LIST, values![agency]).await
}

/// The file with this reference.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, agency: &str, file_ref: &str) -> Result<Option<PaymentFile>, StorageError> {
    tx.fetch_optional(BY_REF, values![agency, file_ref]).await
}

/// Rows and fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows.
    pub rows: i64,
    /// Their sum.
    pub amount: Money,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, amount: Money) {
        self.rows += 1;
        self.amount += amount;
    }
}

/// Moves open rows to credited and rejected.
///
/// # Errors
/// The database's.
pub async fn answer(
    tx: &mut Tx,
    agency: &str,
    file: &PaymentFile,
    credited: Tally,
    rejected: Tally,
) -> Result<(), StorageError> {
    tx.execute(
        ANSWER,
        values![
            agency,
            file.period,
            file.run_no,
            file.file_no,
            credited.rows,
            credited.amount.fen(),
            rejected.rows,
            rejected.amount.fen(),
        ],
    )
    .await?;
    Ok(())
}

/// Puts a file in the place of one that was not answered: for another day, and without those who are withheld meanwhile;
/// false when that is not as it was.
///
/// # Errors
/// The database's.
pub async fn write_anew(tx: &mut Tx, agency: &str, was: &PaymentFile, now: &PaymentFile) -> Result<bool, StorageError> {
    let values = values![
        agency,
        was.period,
        was.run_no,
        was.file_no,
        &was.digest,
        now.pay_date,
        &now.name,
        &now.digest,
        now.row_count,
        now.total_fen,
        &now.payments_digest
    ];
    Ok(tx.execute(WRITE_ANEW, values).await? == 1)
}

/// Moves credited rows to returned.
///
/// # Errors
/// The database's.
pub async fn give_back(tx: &mut Tx, agency: &str, file: &PaymentFile, returned: Tally) -> Result<(), StorageError> {
    tx.execute(
        GIVE_BACK,
        values![agency, file.period, file.run_no, file.file_no, returned.rows, returned.amount.fen()],
    )
    .await?;
    Ok(())
}

/// An answer that was taken in.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PastReturn {
    /// Period of the run.
    pub period: i64,
    /// The run.
    pub run_no: i64,
    /// The file.
    pub file_no: i64,
    /// 1, 2 … per file.
    pub return_no: i64,
    /// `return` or `late_return`.
    pub kind: String,
    /// Who took it in.
    pub received_by: String,
    /// Business date.
    pub received_on: i64,
}

impl PastReturn {
    /// Business date as a date.
    ///
    /// # Errors
    /// When the stored number is none.
    pub fn received_on(&self) -> Result<NaiveDate, StorageError> {
        date("bank_return", self.received_on)
    }
}

/// The answer with exactly these bytes, if it was taken in.
///
/// # Errors
/// The database's.
pub async fn past_return(tx: &mut Tx, agency: &str, digest: &str) -> Result<Option<PastReturn>, StorageError> {
    tx.fetch_optional(RETURN_BY_DIGEST, values![agency, digest]).await
}

/// When a file was first answered, yyyymmdd; none while it was not.
///
/// # Errors
/// The database's.
pub async fn first_answer(tx: &mut Tx, agency: &str, file: &PaymentFile) -> Result<Option<i64>, StorageError> {
    let key = values![agency, file.period, file.run_no, file.file_no];
    let (on,): (Option<i64>,) = tx.fetch_one(FIRST_ANSWER, key).await?;
    Ok(on)
}

/// An answer to be recorded.
#[derive(Debug, Clone)]
pub struct NewReturn<'a> {
    /// `return` or `late_return`.
    pub kind: &'static str,
    /// File name.
    pub name: &'a str,
    /// SHA-256 of its bytes.
    pub digest: &'a str,
    /// Rows.
    pub rows: i64,
}

/// Records an answer and returns its number within the file.
///
/// # Errors
/// The database's.
pub async fn insert_return(
    tx: &mut Tx,
    agency: &str,
    file: &PaymentFile,
    new: &NewReturn<'_>,
    by: &str,
    on: NaiveDate,
    event_no: i64,
) -> Result<i64, StorageError> {
    let (earlier,): (i64,) =
        tx.fetch_one(RETURNS_OF_FILE, values![agency, file.period, file.run_no, file.file_no]).await?;
    let return_no = earlier + 1;
    tx.execute(
        INSERT_RETURN,
        values![
            agency,
            file.period,
            file.run_no,
            file.file_no,
            return_no,
            new.kind,
            new.name,
            new.digest,
            new.rows,
            by,
            date_number(on),
            event_no,
        ],
    )
    .await?;
    Ok(return_no)
}
