//! Everything that stands in a database, and what a step changed of it.
//!
//! A story that says "nothing else happened" compares all rows of all tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fafang::storage::engine::Database;

use super::{TestDatabase, TestOffice, schema};

/// Rows of every table, each as one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    tables: BTreeMap<String, Vec<String>>,
}

impl Contents {
    /// Reads all rows in one question. Kept bytes are compared by their digest, which stands beside them.
    pub async fn read(home: &TestDatabase) -> Contents {
        let question = if let Some(known) = home.everything.get() {
            *known
        } else {
            let asked = ask_for_everything(&home.database).await;
            home.everything.get_or_init(|| asked)
        };
        let rows: Vec<(String, String)> =
            home.database.read().await.unwrap().fetch_all(question, vec![]).await.unwrap();
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, row) in rows {
            tables.entry(table).or_default().push(row);
        }
        for rows in tables.values_mut() {
            rows.sort_unstable();
        }
        Contents { tables }
    }

    /// What changed until `after`, table by table: `payment_file +5, posting +1, run ~1`, where `~`
    /// counts rows that took another form. The audit chain is told apart, by its number of events.
    pub fn until(&self, after: &Contents) -> (String, usize) {
        let mut words = String::new();
        let mut events = 0;
        let tables: BTreeSet<&String> = self.tables.keys().chain(after.tables.keys()).collect();
        let none = Vec::new();
        for table in tables {
            let (old, new) = (self.tables.get(table).unwrap_or(&none), after.tables.get(table).unwrap_or(&none));
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

/// One statement that gives every row of every table as a text.
async fn ask_for_everything(database: &Database) -> &'static str {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for column in schema::columns(database).await {
        if column.kind != "BYTEA" {
            let text = format!("COALESCE(CAST({} AS TEXT), '∅')", column.name);
            tables.entry(column.table).or_default().push(text);
        }
    }
    let of_table = |(table, columns): (String, Vec<String>)| {
        format!("SELECT CAST('{table}' AS TEXT), {} FROM {table}", columns.join(" || '|' || "))
    };
    let statement = tables.into_iter().map(of_table).collect::<Vec<_>>().join(" UNION ALL ");
    Box::leak(statement.into_boxed_str())
}

impl TestOffice {
    /// Does something that must succeed as one step: one audit event more, and exactly these changes.
    #[track_caller]
    pub fn changes<T>(&self, expected: &str, step: impl Future<Output = T>) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let before = Contents::read(&self.home).await;
            let result = step.await;
            let after = Contents::read(&self.home).await;
            assert_eq!(before.until(&after), (expected.to_string(), 1), "{caller}, {:?}", self.home.engine);
            result
        }
    }

    /// Does something that must leave no trace at all, not even a number given.
    #[track_caller]
    pub fn changes_nothing<T>(&self, step: impl Future<Output = T>) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let before = Contents::read(&self.home).await;
            let result = step.await;
            let after = Contents::read(&self.home).await;
            assert_eq!(before.until(&after), (String::new(), 0), "{caller}, {:?}", self.home.engine);
            assert!(before == after, "{caller}: numbers were given, {:?}", self.home.engine);
            result
        }
    }
}
