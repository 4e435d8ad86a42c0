//! What is true of people, and what they are owed by it: told a second time and naively. Nothing of
//! the engine's calculation is called, and nothing here knows when anything was told.

use chrono::{Datelike, NaiveDate};
use fafang::domain::enrolment::{StopReason, SuspensionCause};
use fafang::domain::period::Period;

/// Months from 2026-01, which is 0.
pub type Month = i32;

/// Months that a life lasts.
pub const MONTHS: Month = 24;

pub fn period(month: Month) -> Period {
    Period::new(2026, 1).unwrap().plus(month)
}

pub fn month_of(day: NaiveDate) -> Month {
    (day.year() - 2026) * 12 + i32::try_from(day.month0()).unwrap()
}

/// The rules of a scheme of the centre, as far as they decide what is owed.
#[expect(clippy::struct_excessive_bools, reason = "each is one word of a scheme file")]
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub code: &'static str,
    pub text: &'static str,
    /// Monthly fen of the categories 甲类 and 乙类; none where everyone has an own amount.
    pub standards: Option<[i64; 2]>,
    /// Last months of a release are those whose number from 1 is a multiple of this.
    pub release: Month,
    pub once: bool,
    /// By days of the calendar month, at both ends.
    pub by_days: bool,
    /// The month of death or leaving is paid (where it is not by days).
    pub stop_month_paid: bool,
    /// What a resumption that says nothing does with the months before.
    pub back_pay: bool,
    /// Months that a certification lasts.
    pub certification: Option<Month>,
    /// From this month 3.8 % and 20 元 more for who has an own amount.
    pub raise: Option<Month>,
}

macro_rules! scheme {
    ($code:literal, $keys:literal, $standards:literal) => {
        concat!("code = \"", $code, "\"\nname = \"", $code, "\"\npolicies = []\npayment_way = \"一卡通\"\nfirst = \"2026-01\"\n",
            $keys, "\n", $standards, scheme!(money $code, 2026), scheme!(money $code, 2027))
    };
    (money $code:literal, $year:literal) => {
        concat!("[[appropriation]]\nyear = ", $year, "\ndocument = \"巴财社〔", $year, "〕1号\"\nproject = \"", $code,
            "\"\nfunction_code = \"2080601\"\neconomic_code = \"30305\"\nsource = \"superior\"\nexpenditure = \"project\"\n\
             amount = \"90000000.00\"\n")
    };
}

/// The six schemes, side by side.
pub const SCHEMES: [Terms; 6] = [
    Terms {
        code: "shenghuo",
        text: scheme!(
            "shenghuo",
            "release = \"monthly\"\nback_pay = \"paid\"\nstop_month = \"paid\"",
            "[[standard]]\ncategory = \"甲类\"\nfrom = \"2026-01\"\nmonthly = \"120.00\"\n\
             [[standard]]\ncategory = \"乙类\"\nfrom = \"2026-01\"\nmonthly = \"95.55\"\n"
        ),
        standards: Some([12_000, 9_555]),
        release: 1,
        once: false,
        by_days: false,
        stop_month_paid: true,
        back_pay: true,
        certification: None,
        raise: None,
    },
    Terms {
        code: "jidu",
        text: scheme!(
            "jidu",
            "release = \"quarterly\"\nback_pay = \"forfeited\"\nstop_month = \"not_paid\"",
            "[[standard]]\ncategory = \"甲类\"\nfrom = \"2026-01\"\nmonthly = \"60.10\"\n\
             [[standard]]\ncategory = \"乙类\"\nfrom = \"2026-01\"\nmonthly = \"80.00\"\n"
        ),
        standards: Some([6_010, 8_000]),
        release: 3,
        once: false,
        by_days: false,
        stop_month_paid: false,
        back_pay: false,
        certification: None,
        raise: None,
    },
    Terms {
        code: "bannian",
        text: scheme!(
            "bannian",
            "release = \"half_yearly\"\nback_pay = \"paid\"\nstop_month = \"paid\"\n[certification]\ncycle_months = 9\n\
             warning_months = 2\nback_pay = \"forfeited\"",
            "[[standard]]\ncategory = \"甲类\"\nfrom = \"2026-01\"\nmonthly = \"33.33\"\n\
             [[standard]]\ncategory = \"乙类\"\nfrom = \"2026-01\"\nmonthly = \"44.44\"\n"
        ),
        standards: Some([3_333, 4_444]),
        release: 6,
        once: false,
        by_days: false,
        stop_month_paid: true,
        back_pay: true,
        certification: Some(9),
        raise: None,
    },
    Terms {
        code: "yanglao",
        text: scheme!(
            "yanglao",
            "amount = \"individual\"\nback_pay = \"paid\"\nstop_month = \"paid\"\n[certification]\ncycle_months = 12\n\
             warning_months = 3\nback_pay = \"paid\"",
            "[[adjustment]]\nfrom = \"2027-01\"\npercent = \"3.8\"\n[[adjustment]]\nfrom = \"2027-01\"\nfixed = \"20\"\n"
        ),
        standards: None,
        release: 1,
        once: false,
        by_days: false,
        stop_month_paid: true,
        back_pay: true,
        certification: Some(12),
        raise: Some(12),
    },
    Terms {
        code: "tuixiu",
        text: scheme!(
            "tuixiu",
            "amount = \"individual\"\nback_pay = \"paid\"\nstart_month = \"calendar_days\"\nstop_month = \"calendar_days\"",
            ""
        ),
        standards: None,
        release: 1,
        once: false,
        by_days: true,
        stop_month_paid: true,
        back_pay: true,
        certification: None,
        raise: None,
    },
    Terms {
        code: "yicixing",
        text: scheme!(
            "yicixing",
            "amount = \"individual\"\nrelease = \"once\"\nback_pay = \"paid\"\nstop_month = \"paid\"",
            ""
        ),
        standards: None,
        release: 1,
        once: true,
        by_days: false,
        stop_month_paid: true,
        back_pay: true,
        certification: None,
        raise: None,
    },
];

/// Something true of an enrolment.
#[derive(Debug, Clone, PartialEq)]
pub enum True {
    Stopped(StopReason, NaiveDate),
    Suspended(SuspensionCause, Month),
    Resumed(SuspensionCause, Month, Option<bool>),
    Category(usize, Month),
    Amount(i64, Month),
    Certified(NaiveDate),
}

/// One person in one scheme.
#[derive(Debug, Clone)]
pub struct Enrolled {
    pub who: usize,
    pub scheme: usize,
    /// First day; the first of the month where the roster names a month.
    pub first: NaiveDate,
    pub category: usize,
    /// Own monthly fen.
    pub amount: i64,
    pub facts: Vec<True>,
}

impl Enrolled {
    /// What is owed for a month, in fen.
    pub fn owed(&self, month: Month) -> i64 {
        let terms = &SCHEMES[self.scheme];
        let first = month_of(self.first).max(0);
        if month < first || (terms.once && month > first) {
            return 0;
        }
        let whole = self.whole_month(terms, month);
        let days = i64::from(period(month).last_day().day());
        let mut from = 1;
        let mut to = days;
        if terms.by_days && month == month_of(self.first) {
            from = i64::from(self.first.day());
        }
        for fact in &self.facts {
            let True::Stopped(_, day) = fact else { continue };
            let at = month_of(*day);
            if at < month || (at == month && !terms.stop_month_paid) {
                return 0;
            }
            if at == month && terms.by_days {
                to = to.min(i64::from(day.day()));
            }
        }
        if from > to || self.is_suspended(terms, month) || self.has_lapsed(terms, first, month) {
            return 0;
        }
        // Half up, in whole fen.
        (2 * whole * (to - from + 1) + days) / (2 * days)
    }

    fn whole_month(&self, terms: &Terms, month: Month) -> i64 {
        if let Some(standards) = terms.standards {
            let changes = self.facts.iter().filter_map(|f| match f {
                True::Category(category, from) if *from <= month => Some((*from, *category)),
                _ => None,
            });
            return standards[changes.max().map_or(self.category, |(_, category)| category)];
        }
        let changes = self.facts.iter().filter_map(|f| match f {
            True::Amount(fen, from) if *from <= month => Some((*from, *fen)),
            _ => None,
        });
        // An amount is known as of its month; the first as of the first month owed.
        let (since, fen) = changes.max().unwrap_or((month_of(self.first).max(0), self.amount));
        match terms.raise {
            Some(raise) if raise <= month && since <= raise => fen + (fen * 38 + 500) / 1000 + 2_000,
            _ => fen,
        }
    }

    fn is_suspended(&self, terms: &Terms, month: Month) -> bool {
        SuspensionCause::ALL.into_iter().any(|cause| {
            let marks = self.facts.iter().filter_map(|f| match f {
                True::Suspended(c, from) if *c == cause => Some((*from, None)),
                True::Resumed(c, from, back) if *c == cause => Some((*from, Some(back.unwrap_or(terms.back_pay)))),
                _ => None,
            });
            let last = marks.clone().filter(|(at, _)| *at <= month).max();
            let next = marks.filter(|(at, again)| *at > month && again.is_some()).min();
            matches!(last, Some((_, None))) && !matches!(next, Some((_, Some(true))))
        })
    }

    fn has_lapsed(&self, terms: &Terms, first: Month, month: Month) -> bool {
        let Some(cycle) = terms.certification else { return false };
        let certified =
            || self.facts.iter().filter_map(|f| if let True::Certified(day) = f { Some(month_of(*day)) } else { None });
        let start = certified().min().map_or(first - 1, |at| at.min(first - 1));
        let last = certified().filter(|at| *at <= month).max().map_or(start, |at| at.max(start));
        let again = certified().any(|at| at > month);
        // Back-paid certifications make the months between good again.
        let made_good = again && terms.code == "yanglao";
        month > last + cycle && !made_good
    }
}
