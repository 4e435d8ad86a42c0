//! A scheme (补贴项目): policy documents, dated standards, rules, plan, appropriations and
//! indicators of one benefit. Its text form is `config/schemes/*.toml` (see `formats::scheme`);
//! nothing of any scheme is in code.

use chrono::NaiveDate;

use super::document::DocumentNumber;
use super::money::Money;
use super::period::Period;

/// One benefit, validated: standards have neither gaps nor overlaps.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Short code, part of run codes: `pochan1995`.
    pub code: String,
    /// Full official name.
    pub name: String,
    /// Policy basis.
    pub policies: Vec<DocumentNumber>,
    /// First month that this engine pays.
    pub first: Period,
    /// Last month, if the scheme ends.
    pub last: Option<Period>,
    /// How often money is released.
    pub release: Release,
    /// Way of paying, as the document says it: 直补, 一卡通.
    pub payment_way: String,
    /// What happens to the months of a suspension when it ends.
    pub back_pay: BackPay,
    /// Whether the month of death (or other stop) is still paid.
    pub stop_month: StopMonth,
    /// Who had retired by this day belongs to the closed cohort.
    pub retired_by: Option<NaiveDate>,
    /// Dated monthly amounts.
    pub standards: Vec<Standard>,
    /// What each year was planned to cost.
    pub plans: Vec<Plan>,
    /// Appropriations in the order in which they are drawn.
    pub funding: Vec<Funding>,
    /// Performance indicators (绩效指标).
    pub indicators: Vec<Indicator>,
}

/// How often money is released. The claim is monthly in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// A regular run may end with any month.
    Monthly,
    /// A regular run ends with March, June, September or December.
    Quarterly,
}

/// What happens to the months of a suspension when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackPay {
    /// They are paid after all.
    Paid,
    /// They are lost.
    Forfeited,
}

/// Whether the month in which someone dies or leaves is still paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMonth {
    /// Payment stops from the next month.
    Paid,
    /// Payment stops with that month.
    NotPaid,
}

/// Dated monthly amount (补贴标准) for a category of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    /// Category (人员类别); empty when the scheme knows only one.
    pub category: String,
    /// First month in force.
    pub from: Period,
    /// Last month in force, `None` while it lasts.
    pub to: Option<Period>,
    /// 元/月/人.
    pub monthly: Money,
    /// The document that set it.
    pub document: Option<DocumentNumber>,
}

/// A year's plan: people × monthly × months, and the performance table's own total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Budget year.
    pub year: i32,
    /// People planned.
    pub people: i64,
    /// Months planned.
    pub months: i64,
    /// 元/月/人 planned.
    pub monthly: Money,
    /// 年度预算总额 of the performance table, which need not agree with anything.
    pub target: Option<Money>,
}

impl Plan {
    /// people × monthly × months.
    pub fn total(&self) -> Money {
        self.monthly.times(self.people).times(self.months)
    }
}

/// Where money may come from: the key of an appropriation, without the year's amount.
/// The function code alone is never enough: 2080601 holds two sources and two kinds of expenditure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funding {
    /// Budget year.
    pub year: i32,
    /// 指标文号.
    pub document: DocumentNumber,
    /// 项目名称.
    pub project: String,
    /// 功能科目.
    pub function_code: String,
    /// 部门经济科目.
    pub economic_code: String,
    /// 资金来源.
    pub source: Source,
    /// 支出类别.
    pub expenditure: Expenditure,
    /// Amount at the start of the year.
    pub amount: Money,
}

/// Who provides the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// 上级转移支付.
    Superior,
    /// 本级.
    Local,
}

impl Source {
    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            Source::Superior => "superior",
            Source::Local => "local",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            Source::Superior => "上级转移支付",
            Source::Local => "本级",
        }
    }

    /// From a code or any usual Chinese wording.
    pub fn parse(text: &str) -> Option<Source> {
        match text.trim() {
            "superior" | "上级" | "上级转移支付" | "转移支付" => Some(Source::Superior),
            "local" | "本级" | "本级财力" | "本级资金" => Some(Source::Local),
            _ => None,
        }
    }
}

/// Kind of expenditure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expenditure {
    /// 项目支出.
    Project,
    /// 基本支出.
    Basic,
}

impl Expenditure {
    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            Expenditure::Project => "project",
            Expenditure::Basic => "basic",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            Expenditure::Project => "项目支出",
            Expenditure::Basic => "基本支出",
        }
    }

    /// From a code or the Chinese wording.
    pub fn parse(text: &str) -> Option<Expenditure> {
        match text.trim() {
            "project" | "项目" | "项目支出" => Some(Expenditure::Project),
            "basic" | "基本" | "基本支出" => Some(Expenditure::Basic),
            _ => None,
        }
    }
}

/// One row of the performance table (绩效指标).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// 三级指标.
    pub name: String,
    /// 年度指标值, as printed: `=100 %`, `≤120 元/月/人`.
    pub target: String,
    /// 分值.
    pub points: i64,
}

impl Scheme {
    /// The standard in force for a category in a month.
    pub fn standard(&self, category: &str, period: Period) -> Option<&Standard> {
        self.standards.iter().find(|s| s.category == category && s.from <= period && s.to.is_none_or(|to| period <= to))
    }

    /// True if some standard exists for the category.
    pub fn has_category(&self, category: &str) -> bool {
        self.standards.iter().any(|s| s.category == category)
    }

    /// All categories, in file order.
    pub fn categories(&self) -> Vec<&str> {
        let mut categories: Vec<&str> = Vec::new();
        for standard in &self.standards {
            if !categories.contains(&standard.category.as_str()) {
                categories.push(&standard.category);
            }
        }
        categories
    }

    /// The plan of a year, if the scheme file has one.
    pub fn plan(&self, year: i32) -> Option<&Plan> {
        self.plans.iter().find(|p| p.year == year)
    }
}
