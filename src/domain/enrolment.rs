//! A beneficiary in a scheme: who, where the money goes, and the kinds of what may happen to them.
//! What they are entitled to is in [`super::entitlement`].

use serde::{Deserialize, Serialize};

use super::bank_account::AccountNumber;
use super::citizen_number::CitizenNumber;
use super::entitlement::Entitlement;

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
    /// What is owed, as the facts have it.
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

/// An account that is held by something else: a row of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountRef<'a> {
    /// Bank code.
    pub bank_code: &'a str,
    /// Account number.
    pub number: &'a AccountNumber,
    /// 户名: the bank's spelling of the holder.
    pub holder: &'a str,
}

impl Account {
    /// The same account, lent.
    pub fn lent(&self) -> AccountRef<'_> {
        AccountRef { bank_code: &self.bank_code, number: &self.number, holder: &self.holder }
    }

    /// For screens and messages: the number masked.
    pub fn masked(&self) -> String {
        self.lent().masked()
    }

    /// For the person's own history: the number whole, or nobody could tell later where money went.
    pub fn whole(&self) -> String {
        self.lent().whole()
    }
}

impl AccountRef<'_> {
    /// The account by itself.
    pub fn kept(self) -> Account {
        let number = self.number.clone();
        Account { bank_code: self.bank_code.to_string(), number, holder: self.holder.to_string() }
    }

    /// For screens and messages: the number masked.
    pub fn masked(self) -> String {
        format!("{} {} {}", self.bank_code, self.number.masked(), self.holder)
    }

    /// For the person's own history: the number whole, or nobody could tell later where money went.
    pub fn whole(self) -> String {
        format!("{} {} {}", self.bank_code, self.number.as_str(), self.holder)
    }
}

/// Why an entitlement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Why someone is suspended. Each cause begins and ends by itself: a certificate does not release
/// a prisoner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspensionCause {
    /// 未认证.
    NotCertified,
    /// 疑似丧失资格.
    Suspected,
    /// 服刑.
    Prison,
    /// 失踪.
    Missing,
    /// 其他.
    Other,
}

impl SuspensionCause {
    /// Every cause.
    pub const ALL: [SuspensionCause; 5] = [
        SuspensionCause::NotCertified,
        SuspensionCause::Suspected,
        SuspensionCause::Prison,
        SuspensionCause::Missing,
        SuspensionCause::Other,
    ];

    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            SuspensionCause::NotCertified => "not_certified",
            SuspensionCause::Suspected => "suspected",
            SuspensionCause::Prison => "prison",
            SuspensionCause::Missing => "missing",
            SuspensionCause::Other => "other",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            SuspensionCause::NotCertified => "未认证",
            SuspensionCause::Suspected => "疑似丧失资格",
            SuspensionCause::Prison => "服刑",
            SuspensionCause::Missing => "失踪",
            SuspensionCause::Other => "其他原因",
        }
    }

    /// The cause that a clerk's words name; [`SuspensionCause::Other`] when they name none.
    pub fn in_words(text: &str) -> SuspensionCause {
        let named = |cause: &SuspensionCause| *cause != SuspensionCause::Other && text.contains(cause.title());
        SuspensionCause::ALL.into_iter().find(named).unwrap_or(SuspensionCause::Other)
    }

    /// From a code or the Chinese word.
    pub fn parse(text: &str) -> Option<SuspensionCause> {
        SuspensionCause::ALL.into_iter().find(|c| c.code() == text || c.title() == text)
    }
}

macro_rules! event_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $code:literal $title:literal,)+) => {
        /// Kind of an enrolment's event, one append-only row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EventKind {
            $($(#[doc = $doc])* $kind,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[EventKind] = &[$(EventKind::$kind),+];

            /// Stored form.
            pub fn code(self) -> &'static str {
                match self { $(EventKind::$kind => $code),+ }
            }

            /// Printed form.
            pub fn title(self) -> &'static str {
                match self { $(EventKind::$kind => $title),+ }
            }

            /// From the stored form.
            pub fn parse(text: &str) -> Option<EventKind> {
                EventKind::ALL.iter().copied().find(|k| k.code() == text)
            }
        }
    };
}

event_kinds! {
    /// `period` is the last month owed, `on_date` the day.
    Stopped "stopped" "停发",
    /// `period` is the first suspended month.
    Suspended "suspended" "暂停",
    /// `period` is the first month paid again.
    Resumed "resumed" "恢复",
    /// Another account.
    Account "account" "账户变更",
    /// Another name.
    Name "name" "姓名变更",
    /// `period` is the first month of the category, none from the beginning.
    Category "category" "类别变更",
    /// `period` is the first month of the amount, none from the beginning.
    Amount "amount" "待遇变更",
    /// `period` is the new first month, `on_date` its day.
    FirstMonth "first_month" "起始月变更",
    /// `on_date` is the day.
    Certified "certified" "资格认证",
    /// `on_date` is the right birth date.
    Born "born" "出生日期更正",
    /// `on_date` is the right retirement date.
    Retired "retired" "退休日期更正",
    /// `undoes_seq` was wrong.
    Undone "undone" "撤销",
}
