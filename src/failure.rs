//! How a step fails: what was found, what was expected, what to do.

use crate::domain::calendar::MissingYear;
use crate::domain::finding::RowFinding;
use crate::domain::run::RunRefusal;
use crate::storage::error::StorageError;

/// Kinds of failure; each has one exit code (`cli::exit_code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A rule of the office says no.
    Refused,
    /// The input file is wrong.
    Input,
    /// Someone else was first.
    Conflict,
    /// The program is not set up for this.
    Configuration,
    /// A fault of the program or its machine.
    Internal,
}

/// A failure, in the clerk's language, with a stable code for programs.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Kind.
    pub kind: Kind,
    /// Stable code: `OVER_BUDGET`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
    /// Row by row, for input files.
    pub findings: Vec<RowFinding>,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { kind, code, message: message.into(), hint: String::new(), findings: Vec::new() }
    }

    /// A rule of the office says no.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(Kind::Refused, code, message)
    }

    /// The input is wrong.
    pub fn input(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(Kind::Input, code, message)
    }

    /// The input is wrong, as its reader says: what is there and what should be, and, on a line of its own where it has one,
    /// what to do; `usual` is done otherwise.
    pub fn unread(code: &'static str, name: &str, reader: &impl std::fmt::Display, usual: &str) -> Failure {
        let text = reader.to_string();
        let (message, hint) = text.split_once('\n').unwrap_or((&text, usual));
        Failure::input(code, format!("{name}: {message}")).hint(hint)
    }

    /// Someone else was first.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(Kind::Conflict, code, message)
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = hint.into();
        self
    }

    /// Adds what was found row by row.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<RowFinding>) -> Failure {
        self.findings = findings;
        self
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Failure {
        match &error {
            StorageError::NoDatabase { .. } => Failure::new(Kind::Configuration, "NO_DATABASE", error.to_string())
                .hint("先运行 fafang init --agency 代码 --name 名称，或用 --database 指出数据库"),
            StorageError::NewerDatabase { .. } => {
                Failure::new(Kind::Configuration, "NEWER_DATABASE", error.to_string()).hint("请升级 fafang 程序")
            }
            StorageError::NotOnThisEngine { .. } => {
                Failure::new(Kind::Configuration, "WRONG_ENGINE", error.to_string())
            }
            StorageError::Inconsistent { .. } => Failure::new(Kind::Internal, "INCONSISTENT", error.to_string())
                .hint("数据可能被程序以外的手段改动过，请运行 fafang doctor 和 fafang audit verify"),
            StorageError::Driver(_) if error.is_conflict() => {
                Failure::conflict("BUSY", "数据库正被其他操作占用，本次操作没有生效").hint("请稍后重试")
            }
            StorageError::Driver(_) if error.is_unreachable() => {
                Failure::new(Kind::Configuration, "DATABASE_UNREACHABLE", error.to_string())
                    .hint("请检查数据库的名称、密码和数据库服务")
            }
            StorageError::Driver(_) | StorageError::Migration(_) => {
                Failure::new(Kind::Internal, "DATABASE", error.to_string()).hint("本次操作没有生效")
            }
        }
    }
}

impl From<MissingYear> for Failure {
    fn from(missing: MissingYear) -> Failure {
        Failure::new(Kind::Configuration, "CALENDAR_YEAR_MISSING", missing.to_string())
            .hint("按国务院办公厅当年的放假通知新建该文件，格式与程序自带的 2026.toml 相同")
    }
}

impl From<RunRefusal> for Failure {
    fn from(refusal: RunRefusal) -> Failure {
        Failure::refused(refusal.code(), refusal.to_string())
    }
}
