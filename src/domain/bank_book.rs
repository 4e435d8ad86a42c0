//! What our own books say of a bank account of the office: payment files that were sent, and what of them came back. The
//! books of the fund are elsewhere (appropriations); these are held against the bank's statement.

use chrono::{NaiveDate, TimeDelta};

use super::money::Money;

/// Days after which a mere amount is no sign any more that an entry answers an item of our books.
const WINDOW_DAYS: i64 = 10;

/// What an item of our books is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKind {
    /// A payment file that was handed to the bank: money out.
    Sent,
    /// What its return said was not credited: money back.
    Rejected,
    /// What came back late (退票): money back.
    Returned,
}

impl ItemKind {
    /// Every kind.
    pub const ALL: [ItemKind; 3] = [ItemKind::Sent, ItemKind::Rejected, ItemKind::Returned];

    /// Stored form.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ItemKind::Sent => "sent",
            ItemKind::Rejected => "rejected",
            ItemKind::Returned => "returned",
        }
    }

    /// Printed form.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            ItemKind::Sent => "报盘",
            ItemKind::Rejected => "回盘失败",
            ItemKind::Returned => "退票",
        }
    }
}

/// What an entry is that answers nothing which we have sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKind {
    /// 财政拨款.
    Funding,
    /// 手续费.
    Charge,
    /// 利息.
    Interest,
}

impl OwnKind {
    /// Every kind.
    pub const ALL: [OwnKind; 3] = [OwnKind::Funding, OwnKind::Charge, OwnKind::Interest];

    /// Stored form.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            OwnKind::Funding => "funding",
            OwnKind::Charge => "charge",
            OwnKind::Interest => "interest",
        }
    }

    /// Printed form.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            OwnKind::Funding => "财政拨款",
            OwnKind::Charge => "银行手续费",
            OwnKind::Interest => "利息",
        }
    }
}

/// One item of our books that concerns a bank account.
#[derive(Debug, Clone)]
pub struct BookItem {
    /// Kind.
    pub kind: ItemKind,
    /// Period of the run.
    pub period: i64,
    /// The run.
    pub run_no: i64,
    /// Its file.
    pub file_no: i64,
    /// The audit event that booked it.
    pub event_no: i64,
    /// Bank of the file.
    pub bank_code: String,
    /// Our reference of the file.
    pub file_ref: String,
    /// Name of the file without its ending.
    pub file_name: String,
    /// The day on which the file was to be paid.
    pub paid_on: NaiveDate,
    /// The day on which it stands in our books.
    pub on: NaiveDate,
    /// Below zero for money out.
    pub amount: Money,
    /// How much of it entries have answered, with the same sign.
    pub answered: Money,
}

impl BookItem {
    /// What no entry has answered.
    #[must_use]
    pub fn rest(&self) -> Money {
        self.amount - self.answered
    }

    /// True when a mere amount at that day may mean it.
    #[must_use]
    pub fn is_near(&self, day: NaiveDate) -> bool {
        (self.paid_on..=self.on + TimeDelta::days(WINDOW_DAYS)).contains(&day)
    }

    /// How a clerk knows it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}（{}，{} 元）", self.kind.title(), self.file_ref, self.on, self.amount.grouped())
    }
}
