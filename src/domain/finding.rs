//! Findings: what is wrong or remarkable, always with place, found, expected and what to do.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Told, nothing to do.
    Notice,
    /// To be looked at.
    Warning,
    /// Must be corrected first.
    Error,
}

impl Severity {
    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            Severity::Notice => "提示",
            Severity::Warning => "警告",
            Severity::Error => "错误",
        }
    }
}

/// One thing found in an input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowFinding {
    /// Row of the file, from 1, as a spreadsheet or editor counts it; 0 for the file as a whole.
    pub row: usize,
    /// Column title, empty for the row as a whole.
    pub column: String,
    /// Stable code.
    pub code: &'static str,
    /// What stood there (numbers of people and accounts masked).
    pub found: String,
    /// What should stand there.
    pub expected: String,
    /// How bad it is.
    pub severity: Severity,
    /// How to mend it; empty when `expected` says it all.
    pub hint: String,
}

impl RowFinding {
    /// `第214行 银行账号: 18 位，应为 16 或 19 位`, for a terminal or a reject column.
    pub fn sentence(&self) -> String {
        let mut text = String::new();
        if self.row > 0 {
            text = format!("第{}行 ", self.row);
        }
        text.push_str(&self.without_row());
        text
    }

    /// The same without the row: `银行账号: 18 位，应为 16 或 19 位`.
    pub fn without_row(&self) -> String {
        let mut text = String::new();
        if !self.column.is_empty() {
            text.push_str(&self.column);
            text.push_str(": ");
        }
        text.push_str(&self.found);
        if !self.expected.is_empty() {
            text.push_str("，应为 ");
            text.push_str(&self.expected);
        }
        if !self.hint.is_empty() {
            text.push('（');
            text.push_str(&self.hint);
            text.push('）');
        }
        text
    }
}
