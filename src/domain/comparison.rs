//! Comparison lists (比对名单): people of whom another office says that they died, are in prison, are
//! missing, or are paid elsewhere. What follows for a benefit is not decided here.

use chrono::NaiveDate;

use super::citizen_number::CitizenNumber;
use super::money::Money;

/// What a list says about its people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonKind {
    /// They died.
    Death,
    /// They serve a sentence.
    Prison,
    /// Nobody knows where they are.
    Missing,
    /// Another scheme or office pays them.
    PayList,
}

impl ComparisonKind {
    /// Every kind.
    pub const ALL: [ComparisonKind; 4] =
        [ComparisonKind::Death, ComparisonKind::Prison, ComparisonKind::Missing, ComparisonKind::PayList];

    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            ComparisonKind::Death => "death",
            ComparisonKind::Prison => "prison",
            ComparisonKind::Missing => "missing",
            ComparisonKind::PayList => "pay_list",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            ComparisonKind::Death => "死亡名单",
            ComparisonKind::Prison => "服刑名单",
            ComparisonKind::Missing => "失踪名单",
            ComparisonKind::PayList => "待遇发放名单",
        }
    }

    /// What a list says of someone, in words: `2026-03-05 死亡`, `自 2025-03-01 至 2026-04-30 服刑`.
    pub fn says(self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> String {
        let what = match self {
            ComparisonKind::Death => "死亡",
            ComparisonKind::Prison => "服刑",
            ComparisonKind::Missing => "失踪",
            ComparisonKind::PayList => "享受其他待遇",
        };
        match (self, from, to) {
            (_, None, None) => format!("{what}，日期不详"),
            (ComparisonKind::Death, Some(on), _) => format!("{on} {what}"),
            (_, Some(from), None) => format!("自 {from} 起{what}"),
            (_, Some(from), Some(to)) => format!("自 {from} 至 {to} {what}"),
            (_, None, Some(to)) => format!("至 {to} {what}"),
        }
    }

    /// From the stored, typed or printed form.
    pub fn parse(text: &str) -> Option<ComparisonKind> {
        Self::ALL.into_iter().find(|kind| kind.code() == text || kind.title() == text)
    }
}

/// What became of a hit: a person of the office on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HitStatus {
    /// Nobody has decided; the person is on hold.
    Open,
    /// The list is right: what follows was entered.
    Confirmed,
    /// The list is wrong, or means nothing for the benefit.
    Dismissed,
}

impl HitStatus {
    /// Every status.
    pub const ALL: [HitStatus; 3] = [HitStatus::Open, HitStatus::Confirmed, HitStatus::Dismissed];

    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            HitStatus::Open => "open",
            HitStatus::Confirmed => "confirmed",
            HitStatus::Dismissed => "dismissed",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            HitStatus::Open => "待核实",
            HitStatus::Confirmed => "已确认",
            HitStatus::Dismissed => "已排除",
        }
    }

    /// From the stored form.
    pub fn parse(code: &str) -> Option<HitStatus> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// One line of a list: a person, and since when what it says is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonRow {
    /// Row of the file.
    pub row: usize,
    /// 公民身份号码.
    pub citizen_number: CitizenNumber,
    /// 姓名 as the list has it; empty when it has none that could be read.
    pub name: String,
    /// Day of death, of going to prison or missing, first day paid for; `None` when the list does
    /// not say, or not so that it could be read.
    pub from: Option<NaiveDate>,
    /// Day of release or last day paid for; `None` while it lasts or when the list does not say.
    pub to: Option<NaiveDate>,
    /// What the other office pays.
    pub amount: Option<Money>,
    /// Benefit, source and remark in the words of the list.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in ComparisonKind::ALL {
            assert_eq!(ComparisonKind::parse(kind.code()), Some(kind));
            assert_eq!(ComparisonKind::parse(kind.title()), Some(kind));
        }
        assert_eq!(ComparisonKind::parse("dead"), None);
    }
}
