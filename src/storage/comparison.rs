//! Comparison lists, their entries, and the hits: our people on them.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::engine::{Tx, Value};
use super::error::StorageError;
use super::{counter, date, enrolment};
use crate::domain::comparison::{ComparisonKind, ComparisonRow, HitStatus};
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::values;

/// Entries with the list they stand in.
macro_rules! entries {
    () => {
        "comparison_entry e JOIN comparison_list l ON l.agency_code = e.agency_code AND l.list_no = e.list_no"
    };
}

macro_rules! select_hits {
    ($condition:literal) => {
        concat!(
            "SELECT h.hit_no, h.list_no, h.row_no, l.kind, l.source, l.file_name, h.beneficiary_no, e.citizen_number, \
             e.name AS listed_name, e.from_on, e.to_on, e.amount_fen, e.detail, h.hold_no, h.status, h.found_on, h.decided_by, \
             h.decided_on, h.decision FROM ",
            entries!(),
            " JOIN comparison_hit h ON h.agency_code = e.agency_code AND h.list_no = e.list_no AND h.row_no = e.row_no \
             WHERE h.agency_code = $1 AND ",
            $condition,
            " ORDER BY h.hit_no"
        )
    };
}

statements! {
    IMPORTED = "SELECT list_no, file_name, imported_by, imported_on FROM comparison_list \
                WHERE agency_code = $1 AND kind = $2 AND digest = $3";
    INSERT_LIST = "INSERT INTO comparison_list (agency_code, list_no, kind, source, file_name, digest, row_count, imported_by, \
                   imported_on, event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    LISTS = "SELECT l.list_no, l.kind, l.source, l.file_name, l.row_count, l.imported_by, l.imported_on, COUNT(h.hit_no) AS hits, \
             COUNT(CASE WHEN h.status = 'open' THEN 1 END) AS open_hits FROM comparison_list l \
             LEFT JOIN comparison_hit h ON h.agency_code = l.agency_code AND h.list_no = l.list_no WHERE l.agency_code = $1 \
             GROUP BY l.list_no, l.kind, l.source, l.file_name, l.row_count, l.imported_by, l.imported_on ORDER BY l.list_no";
    /// Of one list, or of any.
    ENTRIES = concat!(
        "SELECT e.list_no, e.row_no, l.kind, l.source, l.file_name, CAST(0 AS BIGINT) AS beneficiary_no, e.citizen_number, \
         e.name AS listed_name, e.from_on, e.to_on FROM ",
        entries!(),
        " WHERE e.agency_code = $1 AND (CAST($2 AS BIGINT) IS NULL OR e.list_no = $2) ORDER BY e.list_no, e.row_no");
    INSERT_HIT = "INSERT INTO comparison_hit (agency_code, hit_no, list_no, row_no, beneficiary_no, hold_no, status, found_on, event_no) \
                  VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8)";
    HITS = select_hits!("(CAST($2 AS TEXT) IS NULL OR h.status = $2)");
    HIT = select_hits!("h.hit_no = $2");
    OPEN_OF_HOLD = "SELECT hit_no FROM comparison_hit WHERE agency_code = $1 AND hold_no = $2 AND status = 'open'";
    DECIDE = "UPDATE comparison_hit SET status = $3, decided_by = $4, decided_on = $5, decided_event_no = $6, decision = $7 \
              WHERE agency_code = $1 AND hit_no = $2 AND status = 'open'";
}

/// Number, file name, who, business date of a list that was imported.
pub type PastList = (i64, String, String, i64);

/// The list of this kind with exactly these bytes, if it was imported.
///
/// # Errors
/// The database's.
pub async fn imported(
    tx: &mut Tx,
    agency: &str,
    kind: ComparisonKind,
    digest: &str,
) -> Result<Option<PastList>, StorageError> {
    tx.fetch_optional(IMPORTED, values![agency, kind.code(), digest]).await
}

/// A list to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewList<'a> {
    /// What it says about its people.
    pub kind: ComparisonKind,
    /// Who sent it; may be empty.
    pub source: &'a str,
    /// File name.
    pub file_name: &'a str,
    /// Kept file.
    pub digest: &'a str,
    /// People in the file.
    pub rows: usize,
}

/// Stores a list with its entries; its number.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    list: NewList<'_>,
    entries: &[ComparisonRow],
    by: &str,
    on: NaiveDate,
    event_no: i64,
) -> Result<i64, StorageError> {
    const COLUMNS: [&str; 9] =
        ["agency_code", "list_no", "row_no", "citizen_number", "name", "from_on", "to_on", "amount_fen", "detail"];
    let list_no = counter::take(tx, agency, "comparison_list", 1).await?;
    let NewList { kind, source, file_name, digest, rows } = list;
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let values = values![agency, list_no, kind.code(), source, file_name, digest, rows, by, date_number(on), event_no];
    tx.execute(INSERT_LIST, values).await?;
    let entry = |e: &ComparisonRow| -> Vec<Value> {
        values![
            agency,
            list_no,
            i64::try_from(e.row).unwrap_or(i64::MAX),
            e.citizen_number.as_str(),
            &e.name,
            e.from.map(date_number),
            e.to.map(date_number),
            e.amount.map_or(0, Money::fen),
            &e.detail,
        ]
    };
    tx.insert_rows("comparison_entry", &COLUMNS, entries.iter().map(entry)).await?;
    Ok(list_no)
}

/// A list as stored, with its hits counted.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredList {
    /// Number within the agency.
    pub list_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Who sent it.
    pub source: String,
    /// File name.
    pub file_name: String,
    /// People in the file.
    pub row_count: i64,
    /// Who imported it.
    pub imported_by: String,
    /// Business date.
    pub imported_on: i64,
    /// Our people on it.
    pub hits: i64,
    /// Those that nobody has decided.
    pub open_hits: i64,
}

/// Every list, in order.
///
/// # Errors
/// The database's.
pub async fn lists(tx: &mut Tx, agency: &str) -> Result<Vec<StoredList>, StorageError> {
    tx.fetch_all(LISTS, values![agency]).await
}

/// One of our people on a list.
#[derive(Debug, Clone)]
pub struct Match {
    /// List.
    pub list_no: i64,
    /// Row of the file.
    pub row_no: i64,
    /// What the list says.
    pub kind: ComparisonKind,
    /// Who sent it.
    pub source: String,
    /// File name.
    pub file_name: String,
    /// The person.
    pub beneficiary_no: i64,
    /// The person's name here.
    pub name: String,
    /// The person's number, whole.
    pub citizen_number: String,
    /// The name on the list; may be empty.
    pub listed_name: String,
    /// Since when.
    pub from: Option<NaiveDate>,
    /// Until when.
    pub to: Option<NaiveDate>,
}

impl Match {
    /// Who says so: the sender, or the file when none was named.
    pub fn sender(&self) -> &str {
        if self.source.is_empty() { &self.file_name } else { &self.source }
    }

    /// Where it stands: `死亡名单（公安）第 3 行`.
    pub fn place(&self) -> String {
        format!("{}（{}）第 {} 行", self.kind.title(), self.sender(), self.row_no)
    }
}

#[derive(sqlx::FromRow)]
struct MatchRow {
    list_no: i64,
    row_no: i64,
    kind: String,
    source: String,
    file_name: String,
    beneficiary_no: i64,
    citizen_number: String,
    listed_name: String,
    from_on: Option<i64>,
    to_on: Option<i64>,
}

impl MatchRow {
    fn of(self, beneficiary_no: i64, name: String) -> Result<Match, StorageError> {
        Ok(Match {
            list_no: self.list_no,
            row_no: self.row_no,
            kind: kind(&self.kind)?,
            source: self.source,
            file_name: self.file_name,
            beneficiary_no,
            name,
            citizen_number: self.citizen_number,
            listed_name: self.listed_name,
            from: day(self.from_on)?,
            to: day(self.to_on)?,
        })
    }
}

fn day(on: Option<i64>) -> Result<Option<NaiveDate>, StorageError> {
    on.map(|on| date("comparison_entry", on)).transpose()
}

/// A stored kind.
///
/// # Errors
/// When the word is unknown.
pub fn kind(code: &str) -> Result<ComparisonKind, StorageError> {
    ComparisonKind::parse(code).ok_or_else(|| StorageError::inconsistent("comparison_list", code, "没有这种名单"))
}

/// Our people on one list, or on any, in order of list and row.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn matches(tx: &mut Tx, agency: &str, list_no: Option<i64>) -> Result<Vec<Match>, StorageError> {
    let rows: Vec<MatchRow> = tx.fetch_all(ENTRIES, values![agency, list_no]).await?;
    let listed: BTreeSet<&str> = rows.iter().map(|row| row.citizen_number.as_str()).collect();
    let listed: Vec<&str> = listed.into_iter().collect();
    let people = enrolment::known(tx, agency, &listed).await?;
    let ours = rows.into_iter().filter_map(|row| {
        let (beneficiary_no, name) = people.get(&row.citizen_number)?.clone();
        Some(row.of(beneficiary_no, name))
    });
    ours.collect()
}

/// Stores a hit that nobody has decided; its number.
///
/// # Errors
/// The database's.
pub async fn insert_hit(
    tx: &mut Tx,
    agency: &str,
    found: &Match,
    hold_no: i64,
    on: NaiveDate,
    event_no: i64,
) -> Result<i64, StorageError> {
    let hit_no = counter::take(tx, agency, "comparison_hit", 1).await?;
    let Match { list_no, row_no, beneficiary_no, .. } = *found;
    let values = values![agency, hit_no, list_no, row_no, beneficiary_no, hold_no, date_number(on), event_no];
    tx.execute(INSERT_HIT, values).await?;
    Ok(hit_no)
}

/// A hit as stored.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Number within the agency.
    pub no: i64,
    /// The person, the list and what it says.
    pub of: Match,
    /// What the other office pays; zero when the list does not say.
    pub amount: Money,
    /// In the words of the list.
    pub detail: String,
    /// The hold it opened.
    pub hold_no: i64,
    /// What became of it.
    pub status: HitStatus,
    /// When it was found.
    pub found_on: NaiveDate,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_on: Option<NaiveDate>,
    /// Why.
    pub decision: Option<String>,
}

#[derive(sqlx::FromRow)]
struct HitRow {
    hit_no: i64,
    #[sqlx(flatten)]
    of: MatchRow,
    amount_fen: i64,
    detail: String,
    hold_no: i64,
    status: String,
    found_on: i64,
    decided_by: Option<String>,
    decided_on: Option<i64>,
    decision: Option<String>,
}

impl HitRow {
    fn of(self, name: String) -> Result<Hit, StorageError> {
        let person = self.of.beneficiary_no;
        Ok(Hit {
            no: self.hit_no,
            of: self.of.of(person, name)?,
            amount: Money(self.amount_fen),
            detail: self.detail,
            hold_no: self.hold_no,
            status: HitStatus::parse(&self.status)
                .ok_or_else(|| StorageError::inconsistent("comparison_hit", self.hit_no, "没有这种状态"))?,
            found_on: date("comparison_hit", self.found_on)?,
            decided_by: self.decided_by,
            decided_on: day(self.decided_on)?,
            decision: self.decision,
        })
    }
}

async fn named(tx: &mut Tx, agency: &str, rows: Vec<HitRow>) -> Result<Vec<Hit>, StorageError> {
    let people = enrolment::persons(tx, agency, rows.iter().map(|row| row.of.beneficiary_no)).await?;
    let name = |row: &HitRow| people.get(&row.of.beneficiary_no).map(|person| person.name.clone());
    rows.into_iter()
        .map(|row| {
            let name = name(&row).unwrap_or_default();
            row.of(name)
        })
        .collect()
}

/// Hits of a status, or all, in order.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn hits(tx: &mut Tx, agency: &str, status: Option<HitStatus>) -> Result<Vec<Hit>, StorageError> {
    let rows = tx.fetch_all(HITS, values![agency, status.map(HitStatus::code)]).await?;
    named(tx, agency, rows).await
}

/// The hit of this number.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn hit(tx: &mut Tx, agency: &str, hit_no: i64) -> Result<Option<Hit>, StorageError> {
    let rows = tx.fetch_all(HIT, values![agency, hit_no]).await?;
    Ok(named(tx, agency, rows).await?.pop())
}

/// The undecided hit behind a hold, if there is one.
///
/// # Errors
/// The database's.
pub async fn open_of_hold(tx: &mut Tx, agency: &str, hold_no: i64) -> Result<Option<i64>, StorageError> {
    let row: Option<(i64,)> = tx.fetch_optional(OPEN_OF_HOLD, values![agency, hold_no]).await?;
    Ok(row.map(|(hit_no,)| hit_no))
}

/// Decides a hit; false when it was decided before.
///
/// # Errors
/// The database's.
#[expect(clippy::too_many_arguments, reason = "a decision is exactly these facts")]
pub async fn decide(
    tx: &mut Tx,
    agency: &str,
    hit_no: i64,
    status: HitStatus,
    by: &str,
    on: NaiveDate,
    event_no: i64,
    why: &str,
) -> Result<bool, StorageError> {
    Ok(tx.execute(DECIDE, values![agency, hit_no, status.code(), by, date_number(on), event_no, why]).await? == 1)
}
