//! What happened to payment files on their way to the bank.

use chrono::NaiveDate;

use super::date;
use super::engine::Tx;
use super::error::StorageError;
use super::payment_file::PaymentFile;
use crate::domain::delivery::DeliveryKind;
use crate::domain::period::date_number;
use crate::values;

/// What a row is read from, in every query.
macro_rules! columns {
    () => {
        "period, run_no, file_no, seq_no, kind, place, sent_name, sent_digest, note, done_by, done_on, done_at, event_no"
    };
}

statements! {
    INSERT = "INSERT INTO delivery (agency_code, period, run_no, file_no, seq_no, kind, place, sent_name, sent_digest, note, done_by, \
              done_on, done_at, event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    LIST = concat!("SELECT ", columns!(), " FROM delivery WHERE agency_code = $1 ORDER BY run_no, file_no, seq_no");
    OF_FILE = concat!("SELECT ", columns!(), " FROM delivery \
               WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND file_no = $4 ORDER BY seq_no");
}

/// One thing that happened to a file.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    /// Period of its run.
    pub period: i64,
    /// Its run.
    pub run_no: i64,
    /// The file.
    pub file_no: i64,
    /// 1, 2 … per file.
    pub seq_no: i64,
    kind: String,
    /// Name of the place; empty when a clerk carried it.
    pub place: String,
    /// Name of the file there.
    pub sent_name: String,
    /// SHA-256 of the bytes there.
    pub sent_digest: String,
    /// What was said of it.
    pub note: String,
    /// By whom.
    pub done_by: String,
    done_on: i64,
    /// When, RFC 3339.
    pub done_at: String,
    /// Its audit event.
    pub event_no: i64,
}

impl Delivery {
    /// What happened.
    ///
    /// # Errors
    /// When the stored word is none.
    pub fn kind(&self) -> Result<DeliveryKind, StorageError> {
        DeliveryKind::parse(&self.kind)
            .ok_or_else(|| StorageError::inconsistent("delivery", &self.kind, "没有这种记录"))
    }

    /// On which business date.
    ///
    /// # Errors
    /// When the stored number is none.
    pub fn done_on(&self) -> Result<NaiveDate, StorageError> {
        date("delivery", self.done_on)
    }
}

/// Something to be written down.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery<'a> {
    /// What happened.
    pub kind: DeliveryKind,
    /// Name of the place; empty when a clerk carried it.
    pub place: &'a str,
    /// Name of the file there.
    pub sent_name: &'a str,
    /// SHA-256 of the bytes there.
    pub sent_digest: &'a str,
    /// What is said of it.
    pub note: &'a str,
}

/// Writes down what happened to a file, as its `seq_no`-th delivery.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    (file, seq_no): (&PaymentFile, i64),
    new: &NewDelivery<'_>,
    (by, on, at): (&str, NaiveDate, &str),
    event_no: i64,
) -> Result<(), StorageError> {
    let NewDelivery { kind, place, sent_name, sent_digest, note } = *new;
    tx.execute(
        INSERT,
        values![
            agency,
            file.period,
            file.run_no,
            file.file_no,
            seq_no,
            kind.code(),
            place,
            sent_name,
            sent_digest,
            note,
            by,
            date_number(on),
            at,
            event_no
        ],
    )
    .await?;
    Ok(())
}

/// All deliveries, in order of issue and then as they happened.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<Delivery>, StorageError> {
    tx.fetch_all(LIST, values![agency]).await
}

/// What happened to one file.
///
/// # Errors
/// The database's.
pub async fn of_file(tx: &mut Tx, agency: &str, file: &PaymentFile) -> Result<Vec<Delivery>, StorageError> {
    tx.fetch_all(OF_FILE, values![agency, file.period, file.run_no, file.file_no]).await
}
