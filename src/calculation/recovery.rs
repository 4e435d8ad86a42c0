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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calculation::payable::payable;
    use crate::domain::appropriation::Draw;
    use crate::domain::recovery::{Cause, EntryState, RunKey, Stretch};

    fn month(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn run(no: i64) -> RunKey {
        RunKey { no, period: month("2026-01") }
    }

    /// One payment of several months from January on, drawn from two appropriations.
    fn paid(months: &[i64], border: i64) -> Credited {
        let mut credited = Credited::default();
        let mut at = Money(50);
        for (period, fen) in month("2026-01").through(month("2027-12")).zip(months) {
            credited.stretches.push(Stretch { period, run: run(1), at, amount: Money(*fen) });
            at += Money(*fen);
        }
        credited.stretches.retain(|s| !s.amount.is_zero());
        let draws = [(1, 0, border), (2, border, at.0.max(border + 1))];
        let draw = |(appropriation_no, from_fen, to_fen)| Draw { appropriation_no, from_fen, to_fen };
        credited.draws.insert(run(1), draws.map(draw).to_vec());
        credited
    }

    fn case(months: Vec<CaseMonth>) -> Case {
        Case {
            no: 1,
            enrolment_no: 1,
            beneficiary_no: 1,
            scheme_code: "s".into(),
            cause: Cause::Other,
            notice_no: "1".into(),
            total: months.iter().map(|m| m.amount).sum(),
            months,
            opened_by: "甲".into(),
            opened_on: month("2026-12").first_day(),
            plan: None,
            closed: None,
        }
    }

    fn entry(kind: EntryKind, period: Period, source: Option<Source>, amount: Money) -> Entry {
        Entry {
            case_no: 1,
            no: 1,
            kind,
            enrolment_no: 1,
            period,
            amount,
            source,
            target: None,
            releases: None,
            reference: String::new(),
            received_on: None,
            made_by: "甲".into(),
            made_on: month("2026-12").first_day(),
            accepted_by: None,
            state: EntryState::Booked,
        }
    }

    #[test]
    fn what_was_paid_last_goes_back_first_and_no_fen_twice() {
        let mut credited = paid(&[12_000, 12_000], 20_050);
        let february = month("2026-02");
        let source = |appropriation_no| Source { run: run(1), appropriation_no };
        let whole = [(source(2), Money(4_000)), (source(1), Money(8_000))];
        assert_eq!(sources(&credited, february, Money(99_999)), whole);
        credited.entries.push(entry(EntryKind::Repayment, february, Some(source(2)), Money(3_000)));
        assert_eq!(sources(&credited, february, Money(1_500)), [(source(2), Money(1_000)), (source(1), Money(500))]);
        assert_eq!(sources(&credited, month("2026-01"), Money(10)), [(source(1), Money(10))]);
    }

    #[test]
    fn an_excess_that_a_correction_ends_lapses_and_what_is_written_off_is_not_asked_again() {
        let scheme = Scheme::sample_of(12_000);
        let mut person = Entitlement::sample("2026-01");
        person.last = Some(month("2026-01"));
        let mut credited = paid(&[12_000, 12_000, 12_000], 10_000);
        let case = case(excess(&scheme, &person, &credited));
        assert_eq!(case.total, Money(24_000));
        credited.entries.push(entry(EntryKind::WriteOff, month("2026-02"), None, Money(5_000)));
        let now = standing(&case, &credited.entries, &excess(&scheme, &person, &credited));
        assert_eq!((now.sum(|m| m.written_off), now.open()), (Money(5_000), Money(19_000)));
        person.last = Some(month("2026-02"));
        let now = standing(&case, &credited.entries, &excess(&scheme, &person, &credited));
        assert_eq!((now.sum(|m| m.lapsed), now.open()), (Money(7_000), Money(12_000)));
        let closed = Case { closed: Some(("甲".into(), case.opened_on)), ..case };
        let ended = standing(&closed, &credited.entries, &excess(&scheme, &person, &credited));
        assert_eq!((ended.sum(|m| m.lapsed), ended.open()), (Money(19_000), Money::ZERO));
    }

    #[test]
    fn a_month_gives_at_most_the_cap_less_what_it_gave_before() {
        let cover = |text, fen| Cover {
            period: month(text),
            amount: Money(fen),
            claim: Money(12_000),
            covered_before: Money(12_000 - fen),
        };
        let source = Source { run: run(1), appropriation_no: 1 };
        let mut debt = Debt {
            case_no: 1,
            enrolment_no: 1,
            monthly_cap: Money(6_000),
            deducted: BTreeMap::from([(month("2026-04"), Money(5_000))]),
            open: vec![(month("2026-01"), source, Money(4_000)), (month("2026-02"), source, Money(4_000))],
        };
        let mut covers = vec![cover("2026-04", 7_000), cover("2026-05", 5_500), cover("2026-06", 12_000)];
        let taken = deduct(&mut covers, &mut debt);
        let amounts: Vec<_> = taken.iter().map(|d| (d.to_period.month(), d.period.month(), d.amount.0)).collect();
        assert_eq!(amounts, [(4, 1, 1_000), (5, 1, 3_000), (5, 2, 2_500), (6, 2, 1_500)]);
        assert_eq!(
            covers.iter().map(|c| (c.period.month(), c.amount.0)).collect::<Vec<_>>(),
            [(4, 6_000), (6, 10_500)]
        );
    }

    proptest! {
        #[test]
        fn every_fen_of_a_case_is_accounted_for_and_what_was_paid_less_repaid_is_what_was_owed(
            credit in prop::collection::vec(0..20_000_i64, 1..8), border in 1..60_000_i64, last in 0..8_i32,
            cap in 0..15_000_i64, steps in prop::collection::vec((any::<bool>(), 1..9_000_i64), 0..12),
        ) {
            let (scheme, other) = (Scheme::sample_of(12_000), Scheme::sample_of(10_000));
            let mut person = Entitlement::sample("2026-01");
            person.last = Some(month("2025-12").plus(last));
            let mut credited = paid(&credit, border);
            let months = excess(&scheme, &person, &credited);
            if months.is_empty() { return Ok(()); }
            let case = case(months);
            // The other scheme pays the same person month by month.
            let payee = Entitlement::sample("2026-01");
            let mut covered: BTreeMap<Period, Money> = BTreeMap::new();
            let (mut sent, mut repaid) = (Money::ZERO, Money::ZERO);
            let mut until = month("2026-01");
            for (offsets, amount) in steps.into_iter().chain([(false, i64::MAX)]) {
                let now = standing(&case, &credited.entries, &excess(&scheme, &person, &credited));
                if offsets {
                    let mut debt = debt(&case, Money(cap), 2, &credited, &now);
                    let mut covers = payable(&other, &payee, &covered, until).covers;
                    let owed: Money = covers.iter().map(|c| c.amount).sum();
                    let taken = deduct(&mut covers, &mut debt);
                    let offset: Money = taken.iter().map(|d| d.amount).sum();
                    prop_assert!(offset <= now.open());
                    prop_assert_eq!(covers.iter().map(|c| c.amount).sum::<Money>() + offset, owed);
                    sent += owed - offset;
                    for d in taken {
                        prop_assert!(d.amount.0 <= cap);
                        *covered.entry(d.to_period).or_default() += d.amount;
                        credited.entries.push(Entry {
                            target: Some(Target { enrolment_no: 2, period: d.to_period, claim: d.claim, run: run(2), at: Money::ZERO }),
                            ..entry(EntryKind::Offset, d.period, Some(d.source), d.amount)
                        });
                    }
                    for cover in covers { *covered.entry(cover.period).or_default() += cover.amount; }
                    until = until.next();
                } else {
                    let amount = Money(amount).min(now.open());
                    for (period, part) in now.oldest_first(amount) {
                        let parts = sources(&credited, period, part);
                        prop_assert_eq!(parts.iter().map(|(_, m)| *m).sum::<Money>(), part);
                        for (source, part) in parts {
                            credited.entries.push(entry(EntryKind::Repayment, period, Some(source), part));
                        }
                    }
                    repaid += amount;
                }
                let now = standing(&case, &credited.entries, &excess(&scheme, &person, &credited));
                for m in &now.months {
                    prop_assert_eq!(m.repaid + m.offset + m.written_off + m.lapsed + m.open, m.amount);
                    prop_assert!(m.lapsed.is_zero() && m.open >= Money::ZERO);
                }
            }
            prop_assert!(excess(&scheme, &person, &credited).is_empty());
            // Settled: both schemes together cost what was owed, less what was never paid in the first.
            let paid: Money = credited.stretches.iter().map(|s| s.amount).sum();
            let owed: Money = credited.stretches.iter()
                .map(|s| claim(&scheme, &person, s.period).amount().min(s.amount)).sum();
            prop_assert_eq!(paid + sent - repaid, owed + covered.values().copied().sum::<Money>());
        }
    }
}
