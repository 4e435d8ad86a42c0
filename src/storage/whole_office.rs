//! A whole database as rows: copied table by table, and surveyed (counted, added up, digested) so that two databases
//! can be compared without either knowing of the other.
//!
//! Tables and columns are read from the migrated schema, so a new table is neither forgotten in a copy nor in its
//! survey. Rows go in pages in the order of their keys, one agency after the other: memory stays flat, and every page
//! is found by the primary key. The statements are put together here because no file can know all tables.

use sha2::{Digest, Sha256};

use super::agency;
use super::engine::{ColumnKind, Table, Tx, Value};
use super::error::StorageError;
use crate::domain::text::hex;
use crate::values;

/// The one table that is not copied: it says of one database that it is not the office any more.
const MARK: &str = "moved_away";

/// Rows of a page: enough for bulk, few enough for memory.
const ROWS_OF_A_PAGE: usize = 4_000;

/// Rows of a page that carry whole files, or hundreds of payments.
const BULKY_ROWS_OF_A_PAGE: usize = 16;

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// By name.
    pub tables: Vec<SurveyedTable>,
    /// SHA-256 over the names, row counts and digests of all tables.
    pub digest: String,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedTable {
    /// Name.
    pub name: String,
    /// Rows, as the database counts them.
    pub rows: i64,
    /// Name and sum of every column of money, as the database adds them up.
    pub sums: Vec<(String, i64)>,
    /// SHA-256 over all rows in the order of their keys.
    pub digest: String,
}

impl Survey {
    /// Rows of all tables.
    pub fn rows(&self) -> i64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Tables that are not the same in another survey, ours first.
    pub fn differing<'a>(&'a self, other: &'a Survey) -> Vec<(&'a SurveyedTable, &'a SurveyedTable)> {
        self.tables.iter().zip(&other.tables).filter(|(ours, theirs)| ours != theirs).collect()
    }
}

/// True if no table has a row.
///
/// # Errors
/// The database's.
pub async fn is_empty(tx: &mut Tx) -> Result<bool, StorageError> {
    for table in tx.tables().await? {
        let sql = format!("SELECT agency_code FROM {} LIMIT 1", table.name);
        if !tx.fetch_values(sql, values![], &[ColumnKind::Text]).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies every row into a database that has none; `copied` is told how many more.
///
/// # Errors
/// The databases'.
pub async fn copy(source: &mut Tx, target: &mut Tx, copied: impl Fn(usize)) -> Result<(), StorageError> {
    let agencies = agencies(source).await?;
    for table in in_order_of_reference(tables(source).await?)? {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        for agency in &agencies {
            let mut pages = Pages::new(source, &table, agency);
            while let Some(rows) = pages.next(source).await? {
                let count = rows.len();
                target.insert_rows(&table.name, &columns, rows).await?;
                copied(count);
            }
        }
    }
    Ok(())
}

/// Counts, adds up and digests every table.
///
/// # Errors
/// The database's; also when a row is of no agency that there is, which no copy would take along.
pub async fn survey(tx: &mut Tx) -> Result<Survey, StorageError> {
    let agencies = agencies(tx).await?;
    let mut surveyed = Vec::new();
    let mut whole = Sha256::new();
    for table in tables(tx).await? {
        let (rows, sums) = totals(tx, &table).await?;
        let mut digest = Sha256::new();
        let mut seen = 0_i64;
        for agency in &agencies {
            let mut pages = Pages::new(tx, &table, agency);
            while let Some(page) = pages.next(tx).await? {
                for value in page.iter().flatten() {
                    digest_value(&mut digest, value);
                }
                seen = seen.saturating_add_unsigned(page.len() as u64);
            }
        }
        if seen != rows {
            let problem = format!("共 {rows} 行，其中 {} 行不属于任何经办机构", rows - seen);
            return Err(StorageError::inconsistent("agency", table.name, problem));
        }
        let digest = hex(&digest.finalize());
        whole.update(format!("{} {rows} {digest}\n", table.name));
        surveyed.push(SurveyedTable { name: table.name, rows, sums, digest });
    }
    Ok(Survey { tables: surveyed, digest: hex(&whole.finalize()) })
}

async fn tables(tx: &mut Tx) -> Result<Vec<Table>, StorageError> {
    let mut tables = tx.tables().await?;
    tables.retain(|table| table.name != MARK);
    Ok(tables)
}

/// Codes in the order of their bytes, which is the same everywhere.
async fn agencies(tx: &mut Tx) -> Result<Vec<String>, StorageError> {
    let mut codes: Vec<String> = agency::list(tx).await?.into_iter().map(|(code, _)| code).collect();
    codes.sort_unstable();
    Ok(codes)
}

/// A table after all that it refers to.
fn in_order_of_reference(mut waiting: Vec<Table>) -> Result<Vec<Table>, StorageError> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|table| table.name.clone()).collect();
        let must_wait =
            |table: &Table| table.refers_to.iter().any(|target| *target != table.name && names.contains(target));
        let (later, ready): (Vec<Table>, Vec<Table>) = waiting.into_iter().partition(must_wait);
        if ready.is_empty() {
            return Err(StorageError::inconsistent("schema", names.join("、"), "外键互相引用"));
        }
        ordered.extend(ready);
        waiting = later;
    }
    Ok(ordered)
}

async fn totals(tx: &mut Tx, table: &Table) -> Result<(i64, Vec<(String, i64)>), StorageError> {
    let money: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).filter(|c| c.ends_with("_fen")).collect();
    let mut asked = vec!["COUNT(*)".to_string()];
    asked.extend(money.iter().map(|column| format!("CAST(COALESCE(SUM({column}), 0) AS BIGINT)")));
    let sql = format!("SELECT {} FROM {}", asked.join(", "), table.name);
    let kinds = vec![ColumnKind::Int; money.len() + 1];
    let rows = tx.fetch_values(sql, values![], &kinds).await?;
    let mut numbers = rows.into_iter().flatten().map(|value| if let Value::Int(Some(n)) = value { n } else { 0 });
    let count = numbers.next().unwrap_or(0);
    Ok((count, money.into_iter().map(str::to_string).zip(numbers).collect()))
}

/// Every value says its kind and, where it can vary, its length: no two rows have one image.
fn digest_value(digest: &mut Sha256, value: &Value) {
    let mut sized = |kind: u8, bytes: &[u8]| {
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    match value {
        Value::Int(None) | Value::Text(None) => digest.update([0]),
        Value::Int(Some(number)) => {
            digest.update([1]);
            digest.update(number.to_be_bytes());
        }
        Value::Text(Some(text)) => sized(2, text.as_bytes()),
        Value::Bytes(bytes) => sized(3, bytes),
    }
}

/// The rows of one agency in a table, page by page, in the order of the key.
struct Pages {
    first: String,
    next: String,
    kinds: Vec<ColumnKind>,
    /// Where the rest of the key, after the agency, stands among the columns.
    key: Vec<usize>,
    size: usize,
    agency: String,
    /// The key's rest of the last row that was read.
    last: Option<Vec<Value>>,
    done: bool,
}

impl Pages {
    fn new(tx: &Tx, table: &Table, agency: &str) -> Pages {
        let mut key: Vec<usize> = (0..table.columns.len()).filter(|at| table.columns[*at].key_place > 1).collect();
        key.sort_by_key(|at| table.columns[*at].key_place);
        let ordered = |at: &usize| {
            let column = &table.columns[*at];
            let order = if column.kind == ColumnKind::Text { tx.by_bytes() } else { "" };
            format!("{}{order}", column.name)
        };
        let ordered: Vec<String> = key.iter().map(ordered).collect();
        // Kept files and pages of payments.
        let is_bulky = table.columns.iter().any(|column| column.name == "content");
        let size = if is_bulky { BULKY_ROWS_OF_A_PAGE } else { ROWS_OF_A_PAGE };
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let select = format!("SELECT {} FROM {} WHERE agency_code = $1", columns.join(", "), table.name);
        let (mut after, mut order) = (String::new(), String::new());
        if !key.is_empty() {
            let places: Vec<String> = (0..key.len()).map(|n| format!("${}", n + 2)).collect();
            after = format!(" AND ({}) > ({})", ordered.join(", "), places.join(", "));
            order = format!(" ORDER BY {}", ordered.join(", "));
        }
        Pages {
            first: format!("{select}{order} LIMIT {size}"),
            next: format!("{select}{after}{order} LIMIT {size}"),
            kinds: table.columns.iter().map(|column| column.kind).collect(),
            key,
            size,
            agency: agency.to_string(),
            last: None,
            done: false,
        }
    }

    /// The next rows; `None` after the last.
    async fn next(&mut self, tx: &mut Tx) -> Result<Option<Vec<Vec<Value>>>, StorageError> {
        if self.done {
            return Ok(None);
        }
        let sql = if self.last.is_some() { &self.next } else { &self.first };
        let mut values = values![&self.agency];
        values.extend(self.last.take().into_iter().flatten());
        let rows = tx.fetch_values(sql.clone(), values, &self.kinds).await?;
        self.done = rows.len() < self.size;
        self.last = rows.last().map(|row| self.key.iter().map(|at| row[*at].clone()).collect());
        Ok((!rows.is_empty()).then_some(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, refers_to: &[&str]) -> Table {
        let refers_to = refers_to.iter().map(ToString::to_string).collect();
        Table { name: name.into(), columns: Vec::new(), refers_to }
    }

    #[test]
    fn a_table_comes_after_those_it_refers_to() {
        let tables = vec![table("a", &["c", "a"]), table("b", &[]), table("c", &["b", "d"]), table("d", &["b"])];
        let ordered: Vec<String> = in_order_of_reference(tables).unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(ordered, ["b", "d", "c", "a"]);
        assert!(in_order_of_reference(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }

    #[test]
    fn rows_that_differ_have_different_images() {
        let image = |values: Vec<Value>| {
            let mut digest = Sha256::new();
            for value in &values {
                digest_value(&mut digest, value);
            }
            hex(&digest.finalize())
        };
        let rows = [
            values!["ab", "c"],
            values!["a", "bc"],
            values!["abc", ""],
            values!["abc", None::<String>],
            values![1, 2],
            values![2, 1],
            values![None::<i64>, 1],
            vec![Value::Bytes(b"ab".to_vec()), Value::from("c")],
        ];
        let mut images: Vec<String> = rows.into_iter().map(image).collect();
        images.sort();
        images.dedup();
        assert_eq!(images.len(), 8);
    }
}
