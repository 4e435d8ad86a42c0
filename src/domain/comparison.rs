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

    /// From the stored, typed or printed form.
    pub fn parse(text: &str) -> Option<ComparisonKind> {
        Self::ALL.into_iter().find(|kind| kind.code() == text || kind.title() == text)
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
