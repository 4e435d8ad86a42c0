//! Changes (变更) as clerks enter them, singly or by list, before they are checked against the
//! roster: who, what, why and on what evidence. One that needs a second person waits in this form.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::enrolment::{StopReason, SuspensionCause};
use super::money::Money;
use super::period::Period;

/// A change of one person in one scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Citizen number in any accepted form.
    pub citizen_number: String,
    /// Scheme code; needed when the person is in several.
    pub scheme: Option<String>,
    /// What changes.
    pub what: What,
    /// Why.
    pub reason: String,
    /// On what evidence: a certificate, the number of a letter.
    pub evidence: String,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// 新增: as a row of a roster, title by title.
    Enrol(Vec<(String, String)>),
    /// 停发.
    Stop {
        /// Why.
        reason: StopReason,
        /// The day it happened.
        on: NaiveDate,
    },
    /// 暂停.
    Suspend {
        /// Why.
        cause: SuspensionCause,
        /// First suspended month.
        from: Period,
    },
    /// 恢复.
    Resume {
        /// What is over; `None` when only one suspension is open.
        cause: Option<SuspensionCause>,
        /// First month paid again.
        from: Period,
        /// Whether the suspended months are owed; `None` as the scheme says.
        back_pay: Option<bool>,
    },
    /// 账户变更; parts not given stay as they are.
    Account {
        /// Account number.
        number: String,
        /// Bank, by code or name.
        bank: Option<String>,
        /// 户名.
        holder: Option<String>,
        /// Why the holder is another person.
        relation: String,
    },
    /// 姓名变更.
    Name(String),
    /// 类别变更.
    Category {
        /// The category.
        category: String,
        /// First month.
        from: Period,
    },
    /// 待遇变更 of a person with an own amount.
    Amount {
        /// The amount.
        monthly: Money,
        /// First month.
        from: Period,
    },
    /// 出生日期更正.
    Born(NaiveDate),
    /// 退休日期更正.
    Retired(NaiveDate),
    /// 资格认证.
    Certify {
        /// The day.
        on: NaiveDate,
        /// How: 数据比对, 人脸识别, 上门.
        way: String,
    },
    /// 撤销 of an event of this person, by its number.
    Undo(i64),
}

impl What {
    /// True when it does no more than to add a fact to one enrolment, whatever else is in the database.
    pub fn is_only_a_fact(&self) -> bool {
        !matches!(self, What::Enrol(_) | What::Account { .. } | What::Name(_) | What::Undo(_))
    }

    /// Action of the audit event when it is entered by itself.
    pub fn action(&self) -> &'static str {
        match self {
            What::Enrol(_) => "change.enrol",
            What::Stop { .. } => "change.stop",
            What::Suspend { .. } => "change.suspend",
            What::Resume { .. } => "change.resume",
            What::Account { .. } => "change.account",
            What::Name(_) => "change.name",
            What::Category { .. } => "change.category",
            What::Amount { .. } => "change.amount",
            What::Born(_) => "change.birth",
            What::Retired(_) => "change.retirement",
            What::Certify { .. } => "change.certify",
            What::Undo(_) => "change.undo",
        }
    }
}
