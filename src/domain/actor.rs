//! The people who act, and what each role may do (岗位分离: 业务、财务、数据、稽核 are never one person).

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::Serialize;

/// What a registered user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 经办: imports rosters, enters changes, prepares and submits runs.
    Maker,
    /// 复核: checks a submitted run.
    Reviewer,
    /// 审批: approves a reviewed run, which reserves the money.
    Approver,
    /// 财务: issues payment files, reads the bank's answers, keeps the appropriations.
    Finance,
    /// 稽核: reads everything, changes nothing.
    Auditor,
    /// 管理员: registers users and loads configuration and master data, moves no money.
    Admin,
}

impl Role {
    /// Every role, in the order of the work.
    pub const ALL: [Role; 6] = [Role::Maker, Role::Reviewer, Role::Approver, Role::Finance, Role::Auditor, Role::Admin];

    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            Role::Maker => "maker",
            Role::Reviewer => "reviewer",
            Role::Approver => "approver",
            Role::Finance => "finance",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
        }
    }

    /// The post's name.
    pub fn title(self) -> &'static str {
        match self {
            Role::Maker => "经办",
            Role::Reviewer => "复核",
            Role::Approver => "审批",
            Role::Finance => "财务",
            Role::Auditor => "稽核",
            Role::Admin => "管理员",
        }
    }
}

/// A word that is no role.
#[derive(Debug, thiserror::Error)]
#[error(
    "没有“{0}”这个岗位，应为 maker 经办、reviewer 复核、approver 审批、finance 财务、auditor 稽核、admin 管理员 之一"
)]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> Result<Role, RoleError> {
        Role::ALL
            .into_iter()
            .find(|role| role.code() == text || role.title() == text)
            .ok_or_else(|| RoleError(text.to_string()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// A registered user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Name, as typed after `--as`.
    pub name: String,
    /// What this person may do.
    pub role: Role,
}

/// Who did a step, on which business day and at which true instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// Actor's name.
    pub by: String,
    /// Business date (业务日期).
    pub on: NaiveDate,
    /// True instant, RFC 3339 UTC.
    pub at: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.by, self.on)
    }
}
