//! The only file that knows SQLite from PostgreSQL.
//!
//! The schema is narrow (BIGINT, TEXT, bytes), so one [`Value`] binds everything, one SQL text with
//! `$1` placeholders runs on both engines, and a row type is any `FromRow` that both can read.
//! Per engine stay: how to open, how a transaction begins, how rows go in in bulk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Executor as _, FromRow, Postgres, Row as _, Sqlite, Transaction};

use super::error::StorageError;
use crate::domain::text::hex;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rows per INSERT on SQLite: one statement text that stays in the statement cache.
const SQLITE_ROWS_PER_INSERT: usize = 400;

/// Rows that SQLite's thread may read ahead of ours: with few, the two wake each other for every handful.
const SQLITE_ROWS_AHEAD: usize = 1024;

/// Bytes of a page of a new SQLite file: most of what is stored is in rows of many pages, each of which goes to the log
/// and then into the file by a call of its own.
const SQLITE_PAGE: u32 = 16_384;

/// SQLite's page cache, in KiB and therefore below zero: the pages that are written more than once, so that none goes
/// to the log twice. Pages of lines are written and read once, and a larger cache would only be more fresh memory.
const SQLITE_CACHE: &str = "-16384";

/// PostgreSQL takes this many rows in one INSERT rather than by COPY: the end of a COPY is a small
/// packet of its own, which TCP holds back for 40 ms until the data before it is acknowledged.
const POSTGRES_FEW_ROWS: usize = 500;

/// The same for rows that are pages or files, told by their column `content`: some hundred of them at once would be
/// all that is stored.
const BULKY_ROWS_PER_INSERT: usize = 16;

/// How PostgreSQL stores long values: its usual way takes ten times as long to write pages and kept files, and
/// makes them no smaller.
const POSTGRES_COMPRESSION: &str = "SET default_toast_compression = 'lz4'";

/// SQLite's limit on parameters of a statement (SQLITE_MAX_VARIABLE_NUMBER of the bundled build).
const SQLITE_PARAMETERS: usize = 32_766;

/// Bytes collected before a piece of COPY is sent to PostgreSQL.
const COPY_PIECE: usize = 1 << 20;

/// A value for a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// BIGINT, or its NULL.
    Int(Option<i64>),
    /// TEXT, or its NULL.
    Text(Option<String>),
    /// Bytes of a kept file.
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(Some(n))
    }
}

impl From<Option<i64>> for Value {
    fn from(n: Option<i64>) -> Value {
        Value::Int(n)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(Some(text.to_string()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(Some(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(Some(text.clone()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Value {
        Value::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Value {
        Value::Text(text.map(str::to_string))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Value {
        Value::Bytes(bytes)
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// BIGINT.
    Int,
    /// TEXT.
    Text,
    /// Bytes of a kept file.
    Bytes,
}

/// A column, as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Its place in the primary key: 1, 2, 3 …; 0 if it is not in it.
    pub key_place: i64,
}

/// A table, as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Name.
    pub name: String,
    /// In the order of the schema.
    pub columns: Vec<Column>,
    /// Tables that its foreign keys name.
    pub refers_to: Vec<String>,
}

/// Placeholders' values in order: `values![agency, run_no]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::storage::engine::Value::from($value)),*] };
}

/// What both engines can read a row into.
pub trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// An open database.
#[derive(Debug, Clone)]
pub enum Database {
    /// One file, one office.
    Sqlite(SqlitePool),
    /// A server.
    Postgres(PgPool),
}

/// A transaction. Dropped without [`Tx::commit`], nothing happened.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// A row that is read where the driver has it: a long text is not copied to be looked at.
#[derive(Debug)]
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    /// The BIGINT of a column.
    ///
    /// # Errors
    /// When it is none.
    pub fn int(&self, column: usize) -> Result<i64, StorageError> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The bytes of a column of TEXT, not looked at.
    ///
    /// # Errors
    /// When it is none.
    pub fn bytes(&self, column: usize) -> Result<&[u8], StorageError> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            // The driver lets a text be read as bytes only by whoever says that it knows.
            Row::Postgres(row) => row.try_get_unchecked(column)?,
        })
    }

    /// The TEXT of a column.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self, column: usize) -> Result<&str, StorageError> {
        utf8(self.bytes(column)?)
    }
}

/// A text of the database. Pages of it are read whole: the drivers look at their bytes one after another, this at many.
///
/// # Errors
/// When it is none.
pub fn utf8(bytes: &[u8]) -> Result<&str, StorageError> {
    simdutf8::basic::from_utf8(bytes).map_err(|e| StorageError::Driver(sqlx::Error::Decode(Box::new(e))))
}

/// Runs the body with the engine's own connection.
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            Tx::Sqlite(tx) => {
                let $connection = &mut **tx;
                $body
            }
            Tx::Postgres(tx) => {
                let $connection = &mut **tx;
                $body
            }
        }
    };
}

/// Binds all values to a query of either engine.
macro_rules! bind_all {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Int(n) => query.bind(n),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

/// The values of a row of either engine.
macro_rules! row_values {
    ($row:expr, $kinds:expr) => {{
        let mut values = Vec::with_capacity($kinds.len());
        for (at, kind) in $kinds.iter().enumerate() {
            values.push(match kind {
                ColumnKind::Int => Value::Int($row.try_get(at)?),
                ColumnKind::Text => Value::Text($row.try_get(at)?),
                ColumnKind::Bytes => Value::Bytes($row.try_get(at)?),
            });
        }
        Ok(values)
    }};
}

/// Table, column, type and place in the primary key of every column, in the order of the tables.
const SQLITE_COLUMNS: &str = "SELECT m.name, c.name, c.type, c.pk FROM sqlite_master m, pragma_table_info(m.name) c \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
    ORDER BY m.name, c.cid";
const POSTGRES_COLUMNS: &str = "SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT), \
    UPPER(FORMAT_TYPE(a.atttypid, NULL)), CAST(COALESCE(ARRAY_POSITION(k.conkey, a.attnum), 0) AS BIGINT) \
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace \
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
    LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p' \
    WHERE n.nspname = CURRENT_SCHEMA() AND t.relkind IN ('r', 'p') AND t.relname NOT LIKE '\\_sqlx%' \
    ORDER BY t.relname, a.attnum";

/// Table and table referred to, of every foreign key.
const SQLITE_REFERENCES: &str = "SELECT DISTINCT m.name, f.\"table\" \
    FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1, 2";
const POSTGRES_REFERENCES: &str = "SELECT DISTINCT CAST(t.relname AS TEXT), CAST(f.relname AS TEXT) FROM pg_constraint c \
    JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid \
    JOIN pg_namespace n ON n.oid = t.relnamespace \
    WHERE n.nspname = CURRENT_SCHEMA() AND c.contype = 'f' ORDER BY 1, 2";

impl Database {
    /// Opens a database that exists, and brings its schema up to this program's.
    ///
    /// `url` is `postgres://…`, or `sqlite:PATH`, or just a path.
    ///
    /// # Errors
    /// When there is none, it cannot be reached, or it was made by a newer program.
    pub async fn open(url: &str) -> Result<Database, StorageError> {
        Self::connect(url, false).await
    }

    /// Opens a database, making the SQLite file if there is none.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn create(url: &str) -> Result<Database, StorageError> {
        Self::connect(url, true).await
    }

    async fn connect(url: &str, create: bool) -> Result<Database, StorageError> {
        let database = if is_postgres(url) {
            let options = PgConnectOptions::from_str(url)?;
            let pool = PgPoolOptions::new().max_connections(8).after_connect(|connection, _| {
                Box::pin(async move {
                    // A server that cannot do it goes on in its usual way.
                    let _ = connection.execute(POSTGRES_COMPRESSION).await;
                    Ok(())
                })
            });
            Database::Postgres(pool.connect_with(options).await?)
        } else {
            let path = sqlite_path(url);
            if !create && !Path::new(path).exists() {
                return Err(StorageError::NoDatabase { path: path.to_string() });
            }
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(create)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .row_buffer_size(SQLITE_ROWS_AHEAD)
                .page_size(SQLITE_PAGE)
                // What would undo a statement of many rows is kept in memory: no file can be read after a crash anyway.
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", SQLITE_CACHE)
                .busy_timeout(Duration::from_secs(10));
            // A second connection could not write beside the first, yet is opened where the pool has not quite taken
            // that one back, and costs a sync of its own when it closes.
            // The one that there is need not be asked whether it is still there: that wakes its thread for nothing.
            let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
            Database::Sqlite(pool.connect_with(options).await?)
        };
        database.migrate().await?;
        Ok(database)
    }

    /// Applies what is missing; costs one query when nothing is.
    async fn migrate(&self) -> Result<(), StorageError> {
        const APPLIED: &str = "SELECT COALESCE(MAX(version), 0), COUNT(*) FROM _sqlx_migrations WHERE success";
        let applied: Result<(i64, i64), sqlx::Error> = match self {
            Database::Sqlite(pool) => sqlx::query_as(APPLIED).fetch_one(pool).await,
            Database::Postgres(pool) => sqlx::query_as(APPLIED).fetch_one(pool).await,
        };
        let newest = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
        match applied {
            Ok((version, count)) if version == newest && usize::try_from(count) == Ok(MIGRATIONS.iter().count()) => {
                Ok(())
            }
            Ok((version, _)) if version > newest => Err(StorageError::NewerDatabase { found: version, known: newest }),
            // Behind, or the table is not there yet.
            _ => match self {
                Database::Sqlite(pool) => Ok(MIGRATIONS.run(pool).await?),
                Database::Postgres(pool) => Ok(MIGRATIONS.run(pool).await?),
            },
        }
    }

    /// Begins a writing transaction. On SQLite it takes the write lock at once, so that a
    /// transaction that has read never fails when it comes to write.
    ///
    /// # Errors
    /// When the database is busy or gone.
    pub async fn write(&self) -> Result<Tx, StorageError> {
        Ok(match self {
            Database::Sqlite(pool) => Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Database::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Begins a reading transaction: one unchanging picture for as long as it lasts.
    ///
    /// # Errors
    /// When the database is gone.
    pub async fn read(&self) -> Result<Tx, StorageError> {
        Ok(match self {
            Database::Sqlite(pool) => Tx::Sqlite(pool.begin().await?),
            Database::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
            }
        })
    }

    /// Begins a writing transaction that also has one unchanging picture for as long as it lasts. On PostgreSQL it
    /// fails where another has changed, since the picture, what it comes to write.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_on_one_picture(&self) -> Result<Tx, StorageError> {
        Ok(match self {
            Database::Sqlite(_) => self.write().await?,
            Database::Postgres(pool) => Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?),
        })
    }

    /// Where the database is, as it may be shown and kept: a whole path, or a URL without a password.
    pub fn place(&self) -> String {
        match self {
            Database::Sqlite(pool) => sqlite_place(pool.connect_options().get_filename()),
            Database::Postgres(pool) => postgres_place(&pool.connect_options()),
        }
    }

    /// Which database this is, the same through whatever name or link it was opened.
    ///
    /// # Errors
    /// When the database is gone.
    pub async fn identity(&self) -> Result<String, StorageError> {
        const POSTGRES: &str = "SELECT CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) AS TEXT) || ' ' || \
                                CURRENT_DATABASE() || ' ' || COALESCE(CURRENT_SCHEMA(), '')";
        match self {
            Database::Sqlite(pool) => {
                let options = pool.connect_options();
                let path = std::fs::canonicalize(options.get_filename()).map_err(sqlx::Error::Io)?;
                Ok(path.to_string_lossy().into_owned())
            }
            Database::Postgres(pool) => Ok(sqlx::query_scalar(POSTGRES).fetch_one(pool).await?),
        }
    }

    /// Closes all connections; on SQLite this folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Database::Sqlite(pool) => pool.close().await,
            Database::Postgres(pool) => pool.close().await,
        }
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Writes a consistent copy of a SQLite database to `path`.
    ///
    /// # Errors
    /// On PostgreSQL, whose own tools do this; or when the copy cannot be written.
    pub async fn copy_to(&self, path: &str) -> Result<(), StorageError> {
        match self {
            Database::Sqlite(pool) => {
                sqlx::query("VACUUM INTO $1").bind(path.to_string()).execute(pool).await?;
                Ok(())
            }
            Database::Postgres(_) => Err(StorageError::NotOnThisEngine { what: "backup", use_instead: "pg_dump" }),
        }
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// [`Database::place`] of what a URL names, without opening it.
///
/// # Errors
/// When it is no URL.
pub fn place(url: &str) -> Result<String, StorageError> {
    Ok(if is_postgres(url) {
        postgres_place(&PgConnectOptions::from_str(url)?)
    } else {
        sqlite_place(Path::new(sqlite_path(url)))
    })
}

fn sqlite_place(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

fn postgres_place(options: &PgConnectOptions) -> String {
    let host = options.get_socket().map_or(options.get_host().into(), |socket| socket.to_string_lossy());
    let user = options.get_username();
    let name = options.get_database().unwrap_or(user);
    format!("postgres://{user}@{host}:{}/{name}", options.get_port())
}

/// The path in `sqlite:PATH`, `sqlite://PATH` or `PATH`.
pub fn sqlite_path(url: &str) -> &str {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    path.strip_prefix("//").unwrap_or(path)
}

impl Tx {
    /// Runs a statement; the number of rows it touched.
    ///
    /// # Errors
    /// The database's.
    pub async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, StorageError> {
        Ok(on!(self, connection => bind_all!(sqlx::query(sql), values).execute(connection).await?.rows_affected()))
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// The database's.
    pub async fn fetch_all<T: Record>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<T>, StorageError> {
        Ok(on!(self, connection => bind_all!(sqlx::query_as::<_, T>(sql), values).fetch_all(connection).await?))
    }

    /// All rows of a query, to be read where they are.
    ///
    /// # Errors
    /// The database's.
    pub async fn fetch_rows(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, StorageError> {
        Ok(match self {
            Tx::Sqlite(tx) => {
                let rows = bind_all!(sqlx::query(sql), values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Tx::Postgres(tx) => {
                let rows = bind_all!(sqlx::query(sql), values).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// All rows of a query of one TEXT, each read where it stands: a value costs the drivers more than its bytes.
    ///
    /// # Errors
    /// The database's, or the reader's.
    pub async fn fetch_lines<T>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        read: impl Fn(&str) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let mut lines = Vec::new();
        on!(self, connection => {
            let mut rows = bind_all!(sqlx::query(sql), values).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                // As bytes: see [`Row::bytes`].
                lines.push(read(utf8(row.try_get_unchecked(0)?)?)?);
            }
        });
        Ok(lines)
    }

    /// Calls `take` with the bytes of every row of a query of one value, where they stand.
    ///
    /// # Errors
    /// The database's.
    pub async fn fetch_bytes(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), StorageError> {
        on!(self, connection => {
            let mut rows = bind_all!(sqlx::query(sql), values).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                take(row.try_get(0)?);
            }
        });
        Ok(())
    }

    /// The row of a query, if there is one.
    ///
    /// # Errors
    /// The database's.
    pub async fn fetch_optional<T: Record>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<T>, StorageError> {
        Ok(on!(self, connection => bind_all!(sqlx::query_as::<_, T>(sql), values).fetch_optional(connection).await?))
    }

    /// The row of a query that always has one (an aggregate, a RETURNING).
    ///
    /// # Errors
    /// The database's; also when there is no row.
    pub async fn fetch_one<T: Record>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<T, StorageError> {
        Ok(on!(self, connection => bind_all!(sqlx::query_as::<_, T>(sql), values).fetch_one(connection).await?))
    }

    /// Puts many rows into a table: chunked INSERTs on SQLite; on PostgreSQL one INSERT for a few
    /// rows, else COPY. Each row has one value per column.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_rows(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<(), StorageError> {
        let mut rows = rows.into_iter();
        match self {
            Tx::Sqlite(tx) => insert_chunked(tx, table, columns, rows).await,
            Tx::Postgres(tx) => {
                let few = rows_per_insert(columns, POSTGRES_FEW_ROWS);
                let first: Vec<Vec<Value>> = rows.by_ref().take(few + 1).collect();
                match first.len() {
                    0 => Ok(()),
                    count if count <= few => insert_few(tx, table, columns, first).await,
                    _ => copy_in(tx, table, columns, first.into_iter().chain(rows)).await,
                }
            }
        }
    }

    /// All rows of a query that was put together for a table of [`Tx::tables`], its columns of these kinds.
    ///
    /// # Errors
    /// The database's; also when a value is of another kind.
    pub async fn fetch_values(
        &mut self,
        sql: String,
        values: Vec<Value>,
        kinds: &[ColumnKind],
    ) -> Result<Vec<Vec<Value>>, StorageError> {
        on!(self, connection => {
            let rows = bind_all!(sqlx::query(AssertSqlSafe(sql)), values).fetch_all(connection).await?;
            rows.iter().map(|row| row_values!(row, kinds)).collect()
        })
    }

    /// Every table of ours, by name.
    ///
    /// # Errors
    /// The database's; also when a column is of no kind that the schema has.
    pub async fn tables(&mut self) -> Result<Vec<Table>, StorageError> {
        let (columns, references) = match self {
            Tx::Sqlite(_) => (SQLITE_COLUMNS, SQLITE_REFERENCES),
            Tx::Postgres(_) => (POSTGRES_COLUMNS, POSTGRES_REFERENCES),
        };
        let columns: Vec<(String, String, String, i64)> = self.fetch_all(columns, Vec::new()).await?;
        let references: Vec<(String, String)> = self.fetch_all(references, Vec::new()).await?;
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for (table, name, kind, key_place) in columns {
            let kind = match kind.as_str() {
                "BIGINT" => ColumnKind::Int,
                "TEXT" => ColumnKind::Text,
                "BYTEA" => ColumnKind::Bytes,
                other => return Err(StorageError::inconsistent("schema", format!("{table}.{name}"), other)),
            };
            let new = || Table { name: table.clone(), columns: Vec::new(), refers_to: Vec::new() };
            tables.entry(table.clone()).or_insert_with(new).columns.push(Column { name, kind, key_place });
        }
        for (table, target) in references {
            tables.entry(table).and_modify(|table| table.refers_to.push(target));
        }
        Ok(tables.into_values().collect())
    }

    /// What stands after a TEXT expression so that it is ordered by its bytes, in whatever language the database
    /// was made: only then both engines have one order.
    pub fn by_bytes(&self) -> &'static str {
        match self {
            Tx::Sqlite(_) => "",
            Tx::Postgres(_) => " COLLATE \"C\"",
        }
    }

    /// Parses a statement against the schema without running it: how a test finds a typo.
    ///
    /// # Errors
    /// The database's complaint.
    pub async fn prepare(&mut self, sql: &'static str) -> Result<(), StorageError> {
        use sqlx::SqlSafeStr;
        on!(self, connection => { connection.prepare(sql.into_sql_str()).await?; });
        Ok(())
    }

    /// Makes everything done in this transaction last.
    ///
    /// # Errors
    /// The database's; then nothing lasts.
    pub async fn commit(self) -> Result<(), StorageError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

fn rows_per_insert(columns: &[&str], most: usize) -> usize {
    if columns.contains(&"content") { BULKY_ROWS_PER_INSERT } else { most }
}

async fn insert_chunked(
    tx: &mut Transaction<'static, Sqlite>,
    table: &str,
    columns: &[&str],
    mut rows: impl Iterator<Item = Vec<Value>>,
) -> Result<(), StorageError> {
    let per_insert = rows_per_insert(columns, SQLITE_ROWS_PER_INSERT.min(SQLITE_PARAMETERS / columns.len()));
    // Bare `?`: SQLite looks numbered parameters up one by one, which is quadratic.
    let row = format!("({})", vec!["?"; columns.len()].join(","));
    let mut next = || {
        let chunk: Vec<Vec<Value>> = rows.by_ref().take(per_insert).collect();
        let all = vec![row.as_str(); chunk.len()].join(",");
        let sql = format!("INSERT INTO {table} ({}) VALUES {all}", columns.join(","));
        let query: Query<'_, Sqlite, SqliteArguments> = sqlx::query(AssertSqlSafe(sql));
        (!chunk.is_empty()).then(|| bind_all!(query, chunk.into_iter().flatten()))
    };
    let mut ready = next();
    while let Some(query) = ready {
        // The next chunk is made while SQLite's thread works at this one.
        let (done, following) = tokio::join!(query.execute(&mut **tx), async { next() });
        done?;
        ready = following;
    }
    Ok(())
}

async fn insert_few(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    columns: &[&str],
    rows: Vec<Vec<Value>>,
) -> Result<(), StorageError> {
    let mut sql = format!("INSERT INTO {table} ({}) VALUES ", columns.join(","));
    for number in 0..rows.len() * columns.len() {
        let before = match number % columns.len() {
            0 if number == 0 => "(",
            0 => "),(",
            _ => ",",
        };
        let _ = write!(sql, "{before}${}", number + 1);
    }
    sql.push(')');
    // Not kept in the statement cache: the text is another for every number of rows.
    let query: Query<'_, Postgres, PgArguments> = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    bind_all!(query, rows.into_iter().flatten()).execute(&mut **tx).await?;
    Ok(())
}

async fn copy_in(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Value>>,
) -> Result<(), StorageError> {
    let statement = format!("COPY {table} ({}) FROM STDIN", columns.join(","));
    let mut copy = tx.copy_in_raw(&statement).await?;
    let mut piece = String::with_capacity(COPY_PIECE + 4096);
    for row in rows {
        for (i, value) in row.iter().enumerate() {
            if i > 0 {
                piece.push('\t');
            }
            match value {
                Value::Int(Some(n)) => {
                    let _ = write!(piece, "{n}");
                }
                Value::Text(Some(text)) => escape_for_copy(text, &mut piece),
                Value::Int(None) | Value::Text(None) => piece.push_str("\\N"),
                Value::Bytes(bytes) => {
                    piece.push_str("\\\\x");
                    piece.push_str(&hex(bytes));
                }
            }
        }
        piece.push('\n');
        if piece.len() >= COPY_PIECE {
            copy.send(piece.as_bytes()).await?;
            piece.clear();
        }
    }
    copy.send(piece.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// COPY's text form: backslash, tab and line ends are escaped.
fn escape_for_copy(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
}
