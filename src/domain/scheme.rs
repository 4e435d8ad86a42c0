//! A scheme (补贴项目): policy documents, dated standards, rules, plan, appropriations and
//! indicators of one benefit. Its text form is `config/schemes/*.toml` (see `formats::scheme`);
//! nothing of any scheme is in code.

use chrono::NaiveDate;

use super::document::DocumentNumber;
use super::enrolment::StopReason;
use super::money::Money;
use super::pay_day::PayDay;
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
    /// On which day of the month money is paid, where that is fixed.
    pub pay_day: Option<PayDay>,
    /// Who receives: persons or units.
    pub payees: Payees,
    /// Where the monthly amount comes from.
    pub amount: AmountRule,
    /// What a result with a fraction becomes: percentages and part months.
    pub rounding: Rounding,
    /// Way of paying, as the document says it: 直补, 一卡通.
    pub payment_way: String,
    /// What happens to the months of a suspension when it ends.
    pub back_pay: BackPay,
    /// How the month is paid in which an entitlement begins.
    pub start_month: StartMonth,
    /// How the month is paid in which someone leaves.
    pub stop_month: StopMonth,
    /// How the month of death is paid; the same as `stop_month` unless the file says otherwise.
    pub death_month: StopMonth,
    /// Most that may be owed for a month, whatever the standards and adjustments say.
    pub monthly_cap: Option<Money>,
    /// Most months that one person may ever be owed.
    pub max_months: Option<i64>,
    /// Most people entitled at the same time.
    pub max_people: Option<i64>,
    /// Schemes that one person may not have at the same time as this one.
    pub excludes: Vec<String>,
    /// What takes effect only when a second person has accepted it.
    pub second_person: SecondPerson,
    /// The rule of certification (待遇资格认证), where there is one.
    pub certification: Option<Certification>,
    /// What must be shown to the public.
    pub publicity: Publicity,
    /// Who had retired by this day belongs to the closed cohort.
    pub retired_by: Option<NaiveDate>,
    /// Dated monthly amounts; none where each person has an own amount.
    pub standards: Vec<Standard>,
    /// Dated raises, by their month and then in file order.
    pub adjustments: Vec<Adjustment>,
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
    /// A regular run ends with June or December.
    HalfYearly,
    /// A regular run ends with December.
    Yearly,
    /// Owed once, for the first month of the entitlement.
    Once,
}

impl Release {
    /// True when a regular run may end with this month.
    pub fn may_end_with(self, period: Period) -> bool {
        match self {
            Release::Monthly | Release::Once => true,
            Release::Quarterly => period.month().is_multiple_of(3),
            Release::HalfYearly => period.month().is_multiple_of(6),
            Release::Yearly => period.month() == 12,
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            Release::Monthly => "按月",
            Release::Quarterly => "按季",
            Release::HalfYearly => "按半年",
            Release::Yearly => "按年",
            Release::Once => "一次性",
        }
    }
}

/// Who receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payees {
    /// People, by citizen number.
    Persons,
    /// Units (单位), by unified social credit code.
    Units,
}

/// Where the monthly amount comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountRule {
    /// The dated standard of the person's category.
    Standard,
    /// Each person's own amount from the roster, with the scheme's dated adjustments.
    Individual,
}

/// How a month is paid in which an entitlement begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartMonth {
    /// Whole.
    Whole,
    /// Not at all: payment begins with the next month.
    Next,
    /// From the day on, by the days of the calendar month.
    CalendarDays,
    /// From the day on, by days of a month of thirty.
    ThirtyDays,
}

/// What a result with a fraction becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounding {
    /// Smallest step in fen: 1 分, 10 角, 100 元.
    pub unit_fen: i64,
    /// Which way.
    pub direction: RoundingDirection,
}

/// Which way a fraction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundingDirection {
    /// 四舍五入.
    HalfUp,
    /// 见分进角: away from zero.
    Up,
    /// 舍去.
    Down,
}

impl Rounding {
    /// 四舍五入到分, unless a scheme says otherwise.
    pub const FEN: Rounding = Rounding { unit_fen: 1, direction: RoundingDirection::HalfUp };

    /// `fen × numerator / denominator`, exact until the one rounding at the end. Amounts are not negative.
    pub fn share(self, amount: Money, numerator: i64, denominator: i64) -> Money {
        let (n, d) =
            (i128::from(amount.0) * i128::from(numerator), i128::from(denominator) * i128::from(self.unit_fen));
        let (whole, rest) = (n.div_euclid(d), n.rem_euclid(d));
        let up = match self.direction {
            RoundingDirection::HalfUp => 2 * rest >= d,
            RoundingDirection::Up => rest > 0,
            RoundingDirection::Down => false,
        };
        Money(i64::try_from((whole + i128::from(up)) * i128::from(self.unit_fen)).unwrap_or(i64::MAX))
    }
}

/// A dated raise of all or some amounts (待遇调整). Each is a document with an effective month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// First month with the raise.
    pub from: Period,
    /// The document that set it.
    pub document: Option<DocumentNumber>,
    /// How much.
    pub raise: Raise,
    /// Only this category.
    pub category: Option<String>,
    /// Only who has reached this age …
    pub min_age: Option<i64>,
    /// … and not yet passed this one …
    pub max_age: Option<i64>,
    /// … on this day; default the last day before `from`.
    pub age_on: NaiveDate,
    /// Only who had retired by this day.
    pub retired_by: Option<NaiveDate>,
}

/// How much an adjustment adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raise {
    /// The same for everybody.
    Fixed(Money),
    /// Hundredths of a per cent of the amount before it: 3.8 % is 380.
    Percent(i64),
}

/// What takes effect only when a second person has accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecondPerson {
    /// The difference of a roster file to the roster in force.
    pub rosters: bool,
    /// Changes of single people, by command or list.
    pub changes: bool,
}

/// The rule of certification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certification {
    /// Months that a certification lasts, counted from its own month.
    pub cycle_months: i32,
    /// Months before the end in which a person is on the list of who is due.
    pub warning_months: i32,
    /// What happens to the suspended months once certified again.
    pub back_pay: BackPay,
}

/// What must be shown to the public (公示).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Publicity {
    /// Working days that the list must have been shown before approval; none when it need not.
    pub days_before_approval: Option<i64>,
    /// True when a run is closed only after its result was published.
    pub result: bool,
}

/// What happens to the months of a suspension when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackPay {
    /// They are paid after all.
    Paid,
    /// They are lost.
    Forfeited,
}

/// How the month in which someone dies or leaves is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMonth {
    /// Payment stops from the next month.
    Paid,
    /// Payment stops with that month.
    NotPaid,
    /// Up to the day, by the days of the calendar month.
    CalendarDays,
    /// Up to the day, by days of a month of thirty.
    ThirtyDays,
}

impl StopMonth {
    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            StopMonth::Paid => "照发",
            StopMonth::NotPaid => "不发",
            StopMonth::CalendarDays => "按当月天数",
            StopMonth::ThirtyDays => "按三十天折算",
        }
    }
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

    /// True if some standard exists for the category; any category will do where amounts are individual.
    pub fn has_category(&self, category: &str) -> bool {
        self.amount == AmountRule::Individual || self.standards.iter().any(|s| s.category == category)
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

    /// How the month is paid in which someone leaves for this reason.
    pub fn stop_rule(&self, reason: StopReason) -> StopMonth {
        if reason == StopReason::Death { self.death_month } else { self.stop_month }
    }

    /// The last month owed to someone who leaves on a day: whether its month is still paid is the scheme's rule.
    pub fn last_month(&self, reason: StopReason, on: NaiveDate) -> Period {
        match self.stop_rule(reason) {
            StopMonth::NotPaid => Period::of(on).previous(),
            StopMonth::Paid | StopMonth::CalendarDays | StopMonth::ThirtyDays => Period::of(on),
        }
    }

    /// The plan of a year, if the scheme file has one.
    pub fn plan(&self, year: i32) -> Option<&Plan> {
        self.plans.iter().find(|p| p.year == year)
    }
}

#[cfg(test)]
impl Scheme {
    /// A plain monthly scheme that pays everybody so many fen from 2026-01, for unit tests.
    pub(crate) fn sample_of(fen: i64) -> Scheme {
        let from = "2026-01".parse().unwrap();
        let only = Standard { category: String::new(), from, to: None, monthly: Money(fen), document: None };
        Scheme::sample(vec![only])
    }

    /// A plain monthly scheme from 2026-01 with these standards, for unit tests.
    pub(crate) fn sample(standards: Vec<Standard>) -> Scheme {
        Scheme {
            code: "sample".into(),
            name: "样例补贴".into(),
            policies: Vec::new(),
            first: "2026-01".parse().unwrap(),
            last: None,
            release: Release::Monthly,
            pay_day: None,
            payees: Payees::Persons,
            amount: AmountRule::Standard,
            rounding: Rounding::FEN,
            payment_way: "一卡通".into(),
            back_pay: BackPay::Paid,
            start_month: StartMonth::Whole,
            stop_month: StopMonth::Paid,
            death_month: StopMonth::Paid,
            monthly_cap: None,
            max_months: None,
            max_people: None,
            excludes: Vec::new(),
            second_person: SecondPerson::default(),
            certification: None,
            publicity: Publicity::default(),
            retired_by: None,
            standards,
            adjustments: Vec::new(),
            plans: Vec::new(),
            funding: Vec::new(),
            indicators: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_once_and_the_way_the_scheme_says() {
        let to = |unit_fen, direction| Rounding { unit_fen, direction };
        assert_eq!(Rounding::FEN.share(Money(10_000), 1, 3), Money(3_333));
        assert_eq!(Rounding::FEN.share(Money(10_000), 2, 3), Money(6_667));
        assert_eq!(Rounding::FEN.share(Money(1), 1, 2), Money(1));
        assert_eq!(to(10, RoundingDirection::Up).share(Money(10_000), 1, 3), Money(3_340));
        assert_eq!(to(100, RoundingDirection::Down).share(Money(10_000), 2, 3), Money(6_600));
        assert_eq!(to(10, RoundingDirection::Up).share(Money(3_340), 1, 1), Money(3_340));
    }
}
