//! Everything that stands in a database, and what a step changed of it.
//!
//! A story that says "nothing else happened" compares all rows of all tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fafang::storage::engine::Database;

use super::{TestOffice, schema};

/// Rows of every table, each as one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    tables: BTreeMap<String, Vec<String>>,
}

impl Contents {
    /// Reads all rows. Kept bytes are compared by their digest, which stands beside them.
    pub async fn read(database: &Database) -> Contents {
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for column in schema::columns(database).await {
            if column.kind != "BYTEA" {
                let text = format!("COALESCE(CAST({} AS TEXT), '∅')", column.name);
                columns.entry(column.table).or_default().push(text);
            }
        }
        let mut tx = database.read().await.unwrap();
        let mut tables = BTreeMap::new();
        for (table, columns) in columns {
            let sql = format!("SELECT {} FROM {table}", columns.join(" || '|' || "));
            let rows: Vec<(String,)> = tx.fetch_all(Box::leak(sql.into_boxed_str()), vec![]).await.unwrap();
            let mut rows: Vec<String> = rows.into_iter().map(|(row,)| row).collect();
            rows.sort_unstable();
            tables.insert(table, rows);
        }
        Contents { tables }
    }

    /// What changed until `after`, table by table: `payment_file +5, posting +1, run ~1`, where `~`
    /// counts rows that took another form. The audit chain is told apart, by its number of events.
    pub fn until(&self, after: &Contents) -> (String, usize) {
        let mut words = String::new();
        let mut events = 0;
        for (table, old) in &self.tables {
            let new = &after.tables[table];
            let gone = old.iter().filter(|row| new.binary_search(row).is_err()).count();
            let come = new.iter().filter(|row| old.binary_search(row).is_err()).count();
            match table.as_str() {
                "audit_event" => {
                    assert_eq!(gone, 0, "an audit event was changed");
                    events = come;
                }
                // Follow from the rest.
                "audit_head" | "counter" => {}
                _ => {
                    let same = gone.min(come);
                    for (sign, count) in [('~', same), ('+', come - same), ('-', gone - same)] {
                        if count > 0 {
                            let comma = if words.is_empty() { "" } else { ", " };
                            let _ = write!(words, "{comma}{table} {sign}{count}");
                        }
                    }
                }
            }
        }
        (words, events)
    }
}

impl TestOffice {
    /// Does something that must succeed as one step: one audit event more, and exactly these changes.
    #[track_caller]
    pub fn changes<T>(&self, expected: &str, step: impl Future<Output = T>) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let before = Contents::read(&self.home.database).await;
            let result = step.await;
            let after = Contents::read(&self.home.database).await;
            assert_eq!(before.until(&after), (expected.to_string(), 1), "{caller}, {:?}", self.home.engine);
            result
        }
    }

    /// Does something that must leave no trace at all, not even a number given.
    #[track_caller]
    pub fn changes_nothing<T>(&self, step: impl Future<Output = T>) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let before = Contents::read(&self.home.database).await;
            let result = step.await;
            let after = Contents::read(&self.home.database).await;
            assert_eq!(before.until(&after), (String::new(), 0), "{caller}, {:?}", self.home.engine);
            assert!(before == after, "{caller}: numbers were given, {:?}", self.home.engine);
            result
        }
    }
}
