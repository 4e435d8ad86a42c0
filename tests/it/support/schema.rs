//! The schema as the migrated database itself describes it, the same on both engines.

use fafang::storage::engine::{Database, Record};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// Table.
    pub table: String,
    /// Name.
    pub name: String,
    /// Type, in capitals.
    pub kind: String,
    /// True if it may be NULL.
    pub is_nullable: bool,
    /// Its default, `''` for none.
    pub default: String,
}

/// A key of any sort: of a table, over columns in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Table.
    pub table: String,
    /// Columns in order.
    pub columns: Vec<String>,
    /// Table and columns referred to, for a foreign key.
    pub target: Option<(String, Vec<String>)>,
}

async fn all<T: Record>(database: &Database, sqlite: &'static str, postgres: &'static str) -> Vec<T> {
    let sql = match database {
        Database::Sqlite(_) => sqlite,
        Database::Postgres(_) => postgres,
    };
    database.read().await.unwrap().fetch_all(sql, vec![]).await.unwrap()
}

/// Every column of our tables.
pub async fn columns(database: &Database) -> Vec<Column> {
    let rows: Vec<(String, String, String, i64, String)> = all(
        database,
        "SELECT m.name, c.name, UPPER(c.type), CAST(c.\"notnull\" = 0 AS INTEGER), COALESCE(c.dflt_value, '') \
         FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), UPPER(CAST(data_type AS TEXT)), \
         CAST(CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END AS BIGINT), COALESCE(CAST(column_default AS TEXT), '') \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'",
    )
    .await;
    let mut columns: Vec<Column> = rows
        .into_iter()
        .map(|(table, name, kind, nullable, default)| Column { table, name, kind, is_nullable: nullable == 1, default })
        .collect();
    columns.sort();
    columns
}

fn key((table, columns, target, target_columns): (String, String, String, String)) -> Key {
    let list = |text: &str| text.split(',').map(ToString::to_string).collect::<Vec<_>>();
    Key { table, columns: list(&columns), target: (!target.is_empty()).then(|| (target, list(&target_columns))) }
}

async fn constraints(database: &Database, sqlite: &'static str, postgres: &'static str) -> Vec<Key> {
    let rows: Vec<(String, String, String, String)> = all(database, sqlite, postgres).await;
    let mut keys: Vec<Key> = rows.into_iter().map(key).filter(|key| !key.table.starts_with("_sqlx")).collect();
    keys.sort();
    keys
}

/// One SELECT for each sort of constraint of PostgreSQL.
macro_rules! of_sort {
    ($sort:literal) => {
        concat!(
            "SELECT CAST(t.relname AS TEXT), \
             (SELECT STRING_AGG(a.attname, ',' ORDER BY k.place) FROM UNNEST(c.conkey) WITH ORDINALITY k(no, place) \
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.no), \
             COALESCE(CAST(f.relname AS TEXT), ''), \
             COALESCE((SELECT STRING_AGG(a.attname, ',' ORDER BY k.place) FROM UNNEST(c.confkey) WITH ORDINALITY k(no, place) \
              JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.no), '') \
             FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid LEFT JOIN pg_class f ON f.oid = c.confrelid \
             JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'public' AND c.contype = '",
            $sort,
            "'"
        )
    };
}

/// Every primary key.
pub async fn primary_keys(database: &Database) -> Vec<Key> {
    constraints(
        database,
        "SELECT m.name, (SELECT GROUP_CONCAT(name, ',') FROM (SELECT name FROM pragma_table_info(m.name) WHERE pk > 0 ORDER BY pk)), \
         '', '' FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
        of_sort!("p"),
    )
    .await
}

/// Every UNIQUE.
pub async fn uniques(database: &Database) -> Vec<Key> {
    constraints(
        database,
        "SELECT m.name, (SELECT GROUP_CONCAT(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)), '', '' \
         FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.\"unique\" = 1 AND i.origin <> 'pk'",
        of_sort!("u"),
    )
    .await
}

/// Every foreign key.
pub async fn foreign_keys(database: &Database) -> Vec<Key> {
    constraints(
        database,
        "SELECT name, GROUP_CONCAT(\"from\", ','), target, GROUP_CONCAT(\"to\", ',') FROM \
         (SELECT m.name, f.id, f.\"table\" AS target, f.\"from\", f.\"to\" \
          FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq) \
         GROUP BY name, id, target",
        of_sort!("f"),
    )
    .await
}

/// Names of triggers, sequences, views and procedures: there are none.
pub async fn machinery(database: &Database) -> Vec<String> {
    let rows: Vec<(String,)> = all(
        database,
        "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view') OR name = 'sqlite_sequence'",
        "SELECT CAST(tgname AS TEXT) FROM pg_trigger WHERE NOT tgisinternal \
         UNION ALL SELECT CAST(c.relname AS TEXT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND c.relkind IN ('S', 'v', 'm') \
         UNION ALL SELECT CAST(p.proname AS TEXT) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = 'public'",
    )
    .await;
    rows.into_iter().map(|(name,)| name).collect()
}
