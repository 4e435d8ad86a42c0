//! What can go wrong below the office's own rules.

/// A storage failure. Business refusals are not here: they are decided in `workflow`.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The SQLite file does not exist.
    #[error("没有数据库 {path}")]
    NoDatabase {
        /// Path looked at.
        path: String,
    },
    /// Made by a newer program.
    #[error("数据库结构版本 {found} 比本程序的 {known} 新")]
    NewerDatabase {
        /// Version of the database.
        found: i64,
        /// Version of the program.
        known: i64,
    },
    /// Asked of the wrong engine.
    #[error("{what} 不能用于此数据库，请用 {use_instead}")]
    NotOnThisEngine {
        /// What was asked.
        what: &'static str,
        /// What to use.
        use_instead: &'static str,
    },
    /// A stored value that this program cannot have written.
    #[error("{table} 表中 {row} 的数据不一致: {problem}")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Its key.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The driver's.
    #[error("数据库出错: {0}")]
    Driver(#[from] sqlx::Error),
    /// A migration's.
    #[error("升级数据库结构失败: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

impl StorageError {
    /// A stored value that cannot be.
    pub fn inconsistent(
        table: &'static str,
        row: impl std::fmt::Display,
        problem: impl std::fmt::Display,
    ) -> StorageError {
        StorageError::Inconsistent { table, row: row.to_string(), problem: problem.to_string() }
    }

    /// True when someone else holds what we need, or was first: trying again may help.
    pub fn is_conflict(&self) -> bool {
        let StorageError::Driver(sqlx::Error::Database(error)) = self else { return false };
        // SQLITE_BUSY (with its extensions), serialization failure, deadlock, lock not available.
        error.is_unique_violation()
            || matches!(error.code().as_deref(), Some("5" | "261" | "517" | "40001" | "40P01" | "55P03"))
    }
    /// True when the database is not where it was said to be, or does not let us in.
    pub fn is_unreachable(&self) -> bool {
        match self {
            StorageError::Driver(sqlx::Error::Configuration(_) | sqlx::Error::Io(_) | sqlx::Error::Tls(_)) => true,
            // SQLITE_CANTOPEN; wrong password, no such user, no such database.
            StorageError::Driver(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("14" | "28P01" | "28000" | "3D000"))
            }
            _ => false,
        }
    }
}
