//! Statements of banks, their entries, and what these answer in our books.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::engine::Tx;
use super::error::StorageError;
use super::payment_file::PaymentFile;
use super::{counter, date, payment_file};
use crate::domain::bank_book::{BookItem, ItemKind};
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::domain::statement::{Entry, Statement, TakenEntry};
use crate::values;

statements! {
    INSERT = "INSERT INTO bank_statement (agency_code, statement_no, bank_code, account, number, first_on, last_on, has_balances, \
              opening_fen, closing_fen, entry_count, new_count, file_name, digest, taken_by, taken_on, event_no) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    LIST = "SELECT statement_no, bank_code, account, number, first_on, last_on, has_balances, opening_fen, closing_fen, entry_count, \
            new_count, file_name, digest, taken_by, taken_on FROM bank_statement WHERE agency_code = $1 ORDER BY statement_no";
    ENTRIES = "SELECT entry_no, statement_no, bank_code, account, booked_on, valued_on, amount_fen, bank_ref, our_ref, \
               counterparty_name, counterparty_account, text, code, is_reversal FROM statement_entry \
               WHERE agency_code = $1 ORDER BY entry_no";
    PARTS = "SELECT entry_no, kind, period, run_no, file_no, book_event_no, line_no, amount_fen FROM statement_match \
             WHERE agency_code = $1 ORDER BY entry_no, part_no";
    /// What of a file came back, by the event that said so.
    BACK = "SELECT run_no, file_no, kind, posted_on, event_no, CAST(SUM(amount_fen) AS BIGINT) AS amount_fen FROM posting \
            WHERE agency_code = $1 AND kind IN ('release', 'give_back') AND file_no IS NOT NULL AND case_no IS NULL \
            GROUP BY run_no, file_no, kind, posted_on, event_no ORDER BY event_no, run_no, file_no, kind";
    ISSUED = "SELECT run_no, file_no, event_no FROM payment_file WHERE agency_code = $1";
    OUTCOME_EVENTS = "SELECT line_no, kind, event_no FROM payment_outcome WHERE agency_code = $1 AND period = $2 AND run_no = $3 \
                      AND kind IN ('rejected', 'returned') ORDER BY line_no, seq_no";
}

/// A statement as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredStatement {
    /// Number within the agency.
    pub statement_no: i64,
    /// Bank.
    pub bank_code: String,
    /// Account of the office.
    pub account: String,
    /// The bank's number of it.
    pub number: String,
    /// Day of its first entry.
    pub first_on: i64,
    /// Last day that it tells of.
    pub last_on: i64,
    /// 1 where it has balances.
    pub has_balances: i64,
    /// Opening balance.
    pub opening_fen: i64,
    /// Closing balance.
    pub closing_fen: i64,
    /// Entries in it.
    pub entry_count: i64,
    /// Entries that came with it.
    pub new_count: i64,
    /// Name of its file.
    pub file_name: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// Who took it in.
    pub taken_by: String,
    /// Business date.
    pub taken_on: i64,
}

impl StoredStatement {
    /// First and last day.
    ///
    /// # Errors
    /// When the stored numbers are none.
    pub fn days(&self) -> Result<(NaiveDate, NaiveDate), StorageError> {
        Ok((date("bank_statement", self.first_on)?, date("bank_statement", self.last_on)?))
    }

    /// Opening and closing balance, where it has them.
    pub fn balances(&self) -> Option<(Money, Money)> {
        (self.has_balances == 1).then_some((Money(self.opening_fen), Money(self.closing_fen)))
    }
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    entry_no: i64,
    statement_no: i64,
    bank_code: String,
    account: String,
    booked_on: i64,
    valued_on: Option<i64>,
    amount_fen: i64,
    bank_ref: String,
    our_ref: String,
    counterparty_name: String,
    counterparty_account: String,
    text: String,
    code: String,
    is_reversal: i64,
}

/// An entry as stored.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    /// Number and entry.
    pub taken: TakenEntry,
    /// The first statement that told it.
    pub statement_no: i64,
    /// Bank.
    pub bank_code: String,
    /// Account of the office.
    pub account: String,
}

impl TryFrom<EntryRow> for StoredEntry {
    type Error = StorageError;
    fn try_from(row: EntryRow) -> Result<StoredEntry, StorageError> {
        let day = |number| date("statement_entry", number);
        let entry = Entry {
            booked_on: day(row.booked_on)?,
            valued_on: row.valued_on.map(day).transpose()?,
            amount: Money(row.amount_fen),
            bank_ref: row.bank_ref,
            our_ref: row.our_ref,
            counterparty_name: row.counterparty_name,
            counterparty_account: row.counterparty_account,
            text: row.text,
            code: row.code,
            is_reversal: row.is_reversal == 1,
        };
        let taken = TakenEntry { no: row.entry_no, entry };
        Ok(StoredEntry { taken, statement_no: row.statement_no, bank_code: row.bank_code, account: row.account })
    }
}

/// A part of what an entry answers.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredPart {
    /// The entry.
    pub entry_no: i64,
    /// `sent`, `rejected`, `returned`, `funding`, `charge`, `interest`.
    pub kind: String,
    /// Period of the run.
    pub period: Option<i64>,
    /// The run.
    pub run_no: Option<i64>,
    /// The file.
    pub file_no: Option<i64>,
    /// Event that booked what is answered.
    pub book_event_no: Option<i64>,
    /// One payment of it.
    pub line_no: Option<i64>,
    /// With the sign of the entry.
    pub amount_fen: i64,
}

/// Money of a file that came back, by the event that said so.
#[derive(sqlx::FromRow)]
struct CameBack {
    run_no: i64,
    file_no: i64,
    kind: String,
    posted_on: i64,
    event_no: i64,
    amount_fen: i64,
}

/// Where a statement came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Bank.
    pub bank_code: &'a str,
    /// Name of the file.
    pub file_name: &'a str,
    /// SHA-256 of its bytes.
    pub digest: &'a str,
    /// Who takes it in.
    pub by: &'a str,
    /// Business date.
    pub on: NaiveDate,
    /// Audit event.
    pub event_no: i64,
}

/// Stores a statement with those of its entries that are new; these under their numbers.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    statement: &Statement,
    new: Vec<Entry>,
    origin: &Origin<'_>,
) -> Result<Vec<TakenEntry>, StorageError> {
    const COLUMNS: [&str; 15] = [
        "agency_code",
        "entry_no",
        "statement_no",
        "bank_code",
        "account",
        "booked_on",
        "valued_on",
        "amount_fen",
        "bank_ref",
        "our_ref",
        "counterparty_name",
        "counterparty_account",
        "text",
        "code",
        "is_reversal",
    ];
    let statement_no = counter::take(tx, agency, "bank_statement", 1).await?;
    let balances = statement.balances.map_or((0, 0), |b| (b.opening.fen(), b.closing.fen()));
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    tx.execute(
        INSERT,
        values![
            agency,
            statement_no,
            origin.bank_code,
            &statement.account,
            &statement.number,
            date_number(statement.first_on),
            date_number(statement.last_on),
            i64::from(statement.balances.is_some()),
            balances.0,
            balances.1,
            count(statement.entries.len()),
            count(new.len()),
            origin.file_name,
            origin.digest,
            origin.by,
            date_number(origin.on),
            origin.event_no,
        ],
    )
    .await?;
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let first_no = counter::take(tx, agency, "statement_entry", count(new.len())).await?;
    let taken: Vec<TakenEntry> = (first_no..).zip(new).map(|(no, entry)| TakenEntry { no, entry }).collect();
    let rows = taken.iter().map(|TakenEntry { no, entry }| {
        values![
            agency,
            *no,
            statement_no,
            origin.bank_code,
            &statement.account,
            date_number(entry.booked_on),
            entry.valued_on.map(date_number),
            entry.amount.fen(),
            &entry.bank_ref,
            &entry.our_ref,
            &entry.counterparty_name,
            &entry.counterparty_account,
            &entry.text,
            &entry.code,
            i64::from(entry.is_reversal),
        ]
    });
    tx.insert_rows("statement_entry", &COLUMNS, rows).await?;
    Ok(taken)
}

/// All statements, in the order of taking in.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<StoredStatement>, StorageError> {
    tx.fetch_all(LIST, values![agency]).await
}

/// All entries, in the order of taking in.
///
/// # Errors
/// The database's.
pub async fn entries(tx: &mut Tx, agency: &str) -> Result<Vec<StoredEntry>, StorageError> {
    let rows: Vec<EntryRow> = tx.fetch_all(ENTRIES, values![agency]).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What entries answer.
///
/// # Errors
/// The database's.
pub async fn parts(tx: &mut Tx, agency: &str) -> Result<Vec<StoredPart>, StorageError> {
    tx.fetch_all(PARTS, values![agency]).await
}

/// Stores what entries answer, those of one entry one after another.
///
/// # Errors
/// The database's.
pub async fn insert_parts(tx: &mut Tx, agency: &str, parts: &[StoredPart], event_no: i64) -> Result<(), StorageError> {
    const COLUMNS: [&str; 11] = [
        "agency_code",
        "entry_no",
        "part_no",
        "kind",
        "period",
        "run_no",
        "file_no",
        "book_event_no",
        "line_no",
        "amount_fen",
        "event_no",
    ];
    if parts.is_empty() {
        return Ok(());
    }
    let mut last = (0, 0);
    let rows = parts.iter().map(|p| {
        last = if last.0 == p.entry_no { (p.entry_no, last.1 + 1) } else { (p.entry_no, 1) };
        values![
            agency,
            p.entry_no,
            last.1,
            &p.kind,
            p.period,
            p.run_no,
            p.file_no,
            p.book_event_no,
            p.line_no,
            p.amount_fen,
            event_no
        ]
    });
    let rows: Vec<_> = rows.collect();
    tx.insert_rows("statement_match", &COLUMNS, rows).await
}

/// What our books say of bank accounts: every file sent, what of it was rejected, and what came back late, each with
/// what these parts answer of it.
///
/// # Errors
/// The database's.
pub async fn book_items(tx: &mut Tx, agency: &str, parts: &[StoredPart]) -> Result<Vec<BookItem>, StorageError> {
    let mut answered: HashMap<(i64, i64, &str, i64), Money> = HashMap::new();
    for part in parts {
        if let (Some(run_no), Some(file_no), Some(event_no)) = (part.run_no, part.file_no, part.book_event_no) {
            *answered.entry((run_no, file_no, &part.kind, event_no)).or_default() += Money(part.amount_fen);
        }
    }
    let item = |file: &PaymentFile, kind: ItemKind, on: i64, event_no: i64, amount: Money| {
        let answered = answered.get(&(file.run_no, file.file_no, kind.code(), event_no)).copied();
        Ok::<_, StorageError>(BookItem {
            kind,
            period: file.period,
            run_no: file.run_no,
            file_no: file.file_no,
            event_no,
            bank_code: file.bank_code.clone(),
            file_ref: file.file_ref.clone(),
            file_name: file.name.rsplit_once('.').map_or(file.name.as_str(), |(stem, _)| stem).to_string(),
            paid_on: date("payment_file", file.pay_date)?,
            on: date("posting", on)?,
            amount,
            answered: answered.unwrap_or_default(),
        })
    };
    let issued: Vec<(i64, i64, i64)> = tx.fetch_all(ISSUED, values![agency]).await?;
    let issued: HashMap<(i64, i64), i64> = issued.into_iter().map(|(run, file, event)| ((run, file), event)).collect();
    let files: BTreeMap<(i64, i64), PaymentFile> =
        payment_file::list(tx, agency).await?.into_iter().map(|file| ((file.run_no, file.file_no), file)).collect();
    let mut items = Vec::with_capacity(files.len());
    for (key, file) in &files {
        let event_no = issued.get(key).copied().unwrap_or_default();
        items.push(item(file, ItemKind::Sent, file.pay_date, event_no, -file.total())?);
    }
    let back: Vec<CameBack> = tx.fetch_all(BACK, values![agency]).await?;
    for CameBack { run_no, file_no, kind, posted_on, event_no, amount_fen } in back {
        let kind = if kind == "release" { ItemKind::Rejected } else { ItemKind::Returned };
        if let Some(file) = files.get(&(run_no, file_no)) {
            items.push(item(file, kind, posted_on, event_no, Money(amount_fen))?);
        }
    }
    Ok(items)
}

/// The last failure of each payment of a run, by line: `rejected` or `returned`, and the event that said so.
///
/// # Errors
/// The database's.
pub async fn failures(
    tx: &mut Tx,
    agency: &str,
    period: i64,
    run_no: i64,
) -> Result<BTreeMap<i64, (String, i64)>, StorageError> {
    let rows: Vec<(i64, String, i64)> = tx.fetch_all(OUTCOME_EVENTS, values![agency, period, run_no]).await?;
    Ok(rows.into_iter().map(|(line_no, kind, event_no)| (line_no, (kind, event_no))).collect())
}
