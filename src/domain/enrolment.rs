//! A beneficiary in a scheme (待遇资格), from a first to a last month, with its suspensions.

use super::bank_account::AccountNumber;
use super::citizen_number::CitizenNumber;
use super::period::Period;

/// What the engine knows of one person in one scheme.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Number within the agency; the order of the roster.
    pub no: i64,
    /// The person.
    pub beneficiary_no: i64,
    /// The person's number.
    pub citizen_number: CitizenNumber,
    /// The person's name.
    pub name: String,
    /// 人员类别; empty when the scheme knows only one.
    pub category: String,
    /// Months owed.
    pub entitlement: Entitlement,
    /// Where the money goes now.
    pub account: Account,
    /// Audit event that last changed this row: payments prepared before it are checked again.
    pub changed_event_no: i64,
}

/// Where a person's money goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Bank code.
    pub bank_code: String,
    /// Account number.
    pub number: AccountNumber,
    /// 户名: the bank's spelling of the holder.
    pub holder: String,
}

impl Account {
    /// For screens and messages: the number masked.
    pub fn masked(&self) -> String {
        format!("{} {} {}", self.bank_code, self.number.masked(), self.holder)
    }

    /// For the person's own history: the number whole, or nobody could tell later where money went.
    pub fn whole(&self) -> String {
        format!("{} {} {}", self.bank_code, self.number.as_str(), self.holder)
    }
}

/// From when to when someone is entitled, and when not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// First month owed.
    pub first: Period,
    /// Last month owed, `None` while it lasts.
    pub last: Option<Period>,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// Suspensions, by their first month.
    pub suspensions: Vec<Suspension>,
}

/// Months that are not paid, at least for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    /// First suspended month.
    pub from: Period,
    /// First month paid again, `None` while suspended.
    pub resumed_from: Option<Period>,
    /// True when the suspended months are owed after all.
    pub back_paid: bool,
}

/// Why an entitlement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// 死亡.
    Death,
    /// 迁出.
    Moved,
    /// 不再符合条件.
    Ineligible,
    /// The roster's own last month (享受终止月).
    Roster,
    /// 其他.
    Other,
}

impl StopReason {
    /// Every reason.
    pub const ALL: [StopReason; 5] =
        [StopReason::Death, StopReason::Moved, StopReason::Ineligible, StopReason::Roster, StopReason::Other];

    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            StopReason::Death => "death",
            StopReason::Moved => "moved",
            StopReason::Ineligible => "ineligible",
            StopReason::Roster => "roster",
            StopReason::Other => "other",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            StopReason::Death => "死亡",
            StopReason::Moved => "迁出",
            StopReason::Ineligible => "不再符合条件",
            StopReason::Roster => "名册终止月",
            StopReason::Other => "其他原因",
        }
    }

    /// From a code or the Chinese word.
    pub fn parse(text: &str) -> Option<StopReason> {
        StopReason::ALL.into_iter().find(|r| r.code() == text || r.title() == text)
    }
}

/// What happened to an enrolment, as one append-only row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// 停发: `period` is the last month owed.
    Stopped,
    /// 暂停: `period` is the first suspended month.
    Suspended,
    /// 恢复: `period` is the first month paid again.
    Resumed,
    /// 账户变更.
    Account,
    /// 类别变更.
    Category,
    /// 起始月变更: `period` is the new first month.
    FirstMonth,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 6] = [
        EventKind::Stopped,
        EventKind::Suspended,
        EventKind::Resumed,
        EventKind::Account,
        EventKind::Category,
        EventKind::FirstMonth,
    ];

    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            EventKind::Stopped => "stopped",
            EventKind::Suspended => "suspended",
            EventKind::Resumed => "resumed",
            EventKind::Account => "account",
            EventKind::Category => "category",
            EventKind::FirstMonth => "first_month",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            EventKind::Stopped => "停发",
            EventKind::Suspended => "暂停",
            EventKind::Resumed => "恢复",
            EventKind::Account => "账户变更",
            EventKind::Category => "类别变更",
            EventKind::FirstMonth => "起始月变更",
        }
    }
}
