//! What can be asked back, what is open of it, and what later payments give.
//!
//! ```text
//! excess(month) = credited − recovered − claim − written off
//! notice = repaid + offset + written off + lapsed + open
//! ```
//!
//! What is in flight is not asked back: it may yet fail. An excess that disappears because the claim
//! rose again lapses (更正冲减); what was recovered of it is owed again by `payable`.

use std::collections::BTreeMap;

use crate::calculation::claim::claim;
use crate::domain::appropriation::split_over_draws;
use crate::domain::entitlement::Entitlement;
use crate::domain::money::Money;
use crate::domain::payment::Cover;
use crate::domain::period::Period;
use crate::domain::recovery::{Case, CaseMonth, Credited, Entry, EntryKind, Source, Target};
use crate::domain::scheme::Scheme;

/// Months with more credited than owed and neither recovered nor written off, in order.
pub fn excess(scheme: &Scheme, entitlement: &Entitlement, credited: &Credited) -> Vec<CaseMonth> {
    let mut months: BTreeMap<Period, Money> = BTreeMap::new();
    for stretch in &credited.stretches {
        *months.entry(stretch.period).or_default() += stretch.amount;
    }
    for entry in credited.entries.iter().filter(|e| e.recovers() || e.kind == EntryKind::WriteOff) {
        *months.entry(entry.period).or_default() -= entry.amount;
    }
    let month = |(period, kept): (Period, Money)| {
        let claim = claim(scheme, entitlement, period).amount();
        CaseMonth { period, claim, amount: (kept - claim).at_least_zero() }
    };
    months.into_iter().map(month).filter(|m| !m.amount.is_zero()).collect()
}

/// Where `amount` of a month's credited money came from and goes back to: what was paid last comes first.
/// Shorter than asked only when less is there.
pub fn sources(credited: &Credited, period: Period, amount: Money) -> Vec<(Source, Money)> {
    let mut stretches: Vec<_> = credited.stretches.iter().filter(|s| s.period == period).collect();
    stretches.sort_by_key(|s| std::cmp::Reverse((s.run.no, s.at)));
    let mut there: Vec<(Source, Money)> = Vec::new();
    for stretch in stretches {
        let draws = credited.draws.get(&stretch.run).map_or(&[][..], Vec::as_slice);
        for (appropriation_no, part) in split_over_draws(draws, stretch.at, stretch.amount).into_iter().rev() {
            let source = Source { run: stretch.run, appropriation_no };
            match there.iter_mut().find(|(known, _)| *known == source) {
                Some((_, sum)) => *sum += part,
                None => there.push((source, part)),
            }
        }
    }
    let taken = |source: Source| -> Money {
        let of = credited.entries.iter().filter(|e| e.recovers() && e.period == period && e.source == Some(source));
        of.map(|e| e.amount).sum()
    };
    let mut wanted = amount;
    let mut parts = Vec::new();
    for (source, sum) in there {
        let part = (sum - taken(source)).at_least_zero().min(wanted);
        if !part.is_zero() {
            parts.push((source, part));
            wanted -= part;
        }
    }
    parts
}

/// What became of a month of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthStanding {
    /// The overpaid month.
    pub period: Period,
    /// What the notice asks.
    pub amount: Money,
    /// 退款.
    pub repaid: Money,
    /// 抵扣, of runs that are not issued too.
    pub offset: Money,
    /// 核销.
    pub written_off: Money,
    /// 更正冲减: no longer overpaid.
    pub lapsed: Money,
    /// Still to be recovered.
    pub open: Money,
}

/// What became of a case, month by month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// In order.
    pub months: Vec<MonthStanding>,
}

impl Standing {
    /// Sum over the months of one of the figures.
    pub fn sum(&self, of: fn(&MonthStanding) -> Money) -> Money {
        self.months.iter().map(of).sum()
    }

    /// Still to be recovered.
    pub fn open(&self) -> Money {
        self.sum(|m| m.open)
    }

    /// `amount` of what is open, oldest month first; less only when less is open.
    pub fn oldest_first(&self, amount: Money) -> Vec<(Period, Money)> {
        let mut left = amount;
        let mut parts = Vec::new();
        for month in &self.months {
            let part = month.open.min(left);
            if !part.is_zero() {
                parts.push((month.period, part));
                left -= part;
            }
        }
        parts
    }
}

/// What became of a case, its enrolment's excess being known. Nothing is open of a closed case.
pub fn standing(case: &Case, entries: &[Entry], excess: &[CaseMonth]) -> Standing {
    let month = |frozen: &CaseMonth| {
        let own = || entries.iter().filter(|e| e.case_no == case.no && e.period == frozen.period);
        let sum = |kind: EntryKind| -> Money {
            own().filter(|e| e.kind == kind && (e.recovers() || kind == EntryKind::WriteOff)).map(|e| e.amount).sum()
        };
        let (repaid, offset) = (sum(EntryKind::Repayment), sum(EntryKind::Offset));
        let written_off = sum(EntryKind::WriteOff);
        let left = frozen.amount - repaid - offset - written_off;
        let over = excess.iter().find(|m| m.period == frozen.period).map_or(Money::ZERO, |m| m.amount);
        let open = if case.closed.is_some() { Money::ZERO } else { left.min(over) };
        let lapsed = left - open;
        MonthStanding { period: frozen.period, amount: frozen.amount, repaid, offset, written_off, lapsed, open }
    };
    Standing { months: case.months.iter().map(month).collect() }
}

/// What one case may take from the payments of one enrolment.
#[derive(Debug, Clone)]
pub struct Debt {
    /// The case.
    pub case_no: i64,
    /// Whose months were overpaid.
    pub enrolment_no: i64,
    /// Most per benefit month that is paid.
    pub monthly_cap: Money,
    /// What it took from benefit months before.
    pub deducted: BTreeMap<Period, Money>,
    /// What is open, oldest month first, by where it came from.
    pub open: Vec<(Period, Source, Money)>,
}

/// Some fen of a payable month that are paid with some fen of an overpaid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deduction {
    /// The case.
    pub case_no: i64,
    /// Whose month was overpaid.
    pub enrolment_no: i64,
    /// The overpaid month.
    pub period: Period,
    /// Where its money came from.
    pub source: Source,
    /// The month that is paid with it.
    pub to_period: Period,
    /// What is owed for that month.
    pub claim: Money,
    /// How much.
    pub amount: Money,
}

/// Takes from payable months what a case may take: per month at most the cap, never more than is
/// payable, never more than is open. Months that are paid whole by it disappear.
pub fn deduct(covers: &mut Vec<Cover>, debt: &mut Debt) -> Vec<Deduction> {
    let mut deductions = Vec::new();
    for cover in covers.iter_mut() {
        let deducted = debt.deducted.entry(cover.period).or_default();
        let mut room = (debt.monthly_cap - *deducted).at_least_zero().min(cover.amount);
        for (period, source, open) in &mut debt.open {
            let amount = room.min(*open);
            if amount.is_zero() {
                continue;
            }
            room -= amount;
            *open -= amount;
            *deducted += amount;
            cover.amount -= amount;
            deductions.push(Deduction {
                case_no: debt.case_no,
                enrolment_no: debt.enrolment_no,
                period: *period,
                source: *source,
                to_period: cover.period,
                claim: cover.claim,
                amount,
            });
        }
    }
    covers.retain(|c| !c.amount.is_zero());
    deductions
}

/// A case's debt to the payments of an enrolment, as things stand.
pub fn debt(case: &Case, cap: Money, to_enrolment: i64, credited: &Credited, standing: &Standing) -> Debt {
    let mut deducted: BTreeMap<Period, Money> = BTreeMap::new();
    for entry in credited.entries.iter().filter(|e| e.case_no == case.no && e.recovers()) {
        if let Some(Target { enrolment_no, period, .. }) = entry.target
            && enrolment_no == to_enrolment
        {
            *deducted.entry(period).or_default() += entry.amount;
        }
    }
    let of_month = |(period, amount)| {
        sources(credited, period, amount).into_iter().map(move |(source, part)| (period, source, part))
    };
    Debt {
        case_no: case.no,
        enrolment_no: case.enrolment_no,
        monthly_cap: cap,
        deducted,
        open: standing.oldest_first(standing.open()).into_iter().flat_map(of_month).collect(),
    }
}
