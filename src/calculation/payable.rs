//! What is payable: claims minus cover, over all months up to now.
//!
//! ```text
//! payable(enrolment, period) = claim − cover,   cover = Σ in flight + Σ credited
//! ```
//!
//! A rejected payment, a resumed suspension, a late enrolment, a standard that rises with effect
//! from January are all this one subtraction. Where cover is greater than the claim, that is an
//! overpayment: shown, never netted against another month.

use std::collections::BTreeMap;

use crate::calculation::claim::{claim, first_claim_period};
use crate::domain::entitlement::Entitlement;
use crate::domain::money::Money;
use crate::domain::payment::Cover;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;

/// Result of the subtraction for one enrolment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payable {
    /// Months with something to pay, in order, each with its trace.
    pub covers: Vec<Cover>,
    /// Months with more covered than owed, in order.
    pub overpaid: Vec<Overpaid>,
}

/// A month with more covered than owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overpaid {
    /// The month.
    pub period: Period,
    /// What is owed.
    pub claim: Money,
    /// What is in flight or credited.
    pub cover: Money,
}

impl Overpaid {
    /// cover − claim.
    pub fn amount(&self) -> Money {
        self.cover - self.claim
    }
}

impl Payable {
    /// True when exactly what is owed was sent.
    pub fn is_even(&self) -> bool {
        self.covers.is_empty() && self.overpaid.is_empty()
    }

    /// Sum to pay.
    pub fn total(&self) -> Money {
        self.covers.iter().map(|c| c.amount).sum()
    }
}

/// Subtracts cover from claims for every month from the first claim to `last`. Cover of months
/// outside that span is looked at too: it can only be an overpayment.
pub fn payable(scheme: &Scheme, entitlement: &Entitlement, covered: &BTreeMap<Period, Money>, last: Period) -> Payable {
    let mut result = Payable::default();
    let owed = first_claim_period(scheme, entitlement).through(last);
    let mut periods: Vec<Period> = covered.keys().copied().chain(owed).collect();
    periods.sort_unstable();
    periods.dedup();
    for period in periods {
        let due = claim(scheme, entitlement, period).amount();
        let cover = covered.get(&period).copied().unwrap_or_default();
        if cover > due {
            result.overpaid.push(Overpaid { period, claim: due, cover });
        } else if cover < due && period <= last {
            result.covers.push(Cover { period, amount: due - cover, claim: due, covered_before: cover });
        }
    }
    result
}

/// The same for someone even up to a month, of whom nothing was sent for later ones: what is owed since.
pub fn payable_after(scheme: &Scheme, entitlement: &Entitlement, even_until: Period, last: Period) -> Payable {
    let months = first_claim_period(scheme, entitlement).max(even_until.next()).through(last);
    let due = months.map(|period| (period, claim(scheme, entitlement, period).amount()));
    let covers = due.filter(|(_, due)| !due.is_zero()).map(|(period, due)| Cover {
        period,
        amount: due,
        claim: due,
        covered_before: Money::ZERO,
    });
    Payable { covers: covers.collect(), overpaid: Vec::new() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calculation::claim::Claim;
    use crate::domain::enrolment::{StopReason, SuspensionCause};
    use crate::domain::entitlement::Suspension;
    use crate::domain::scheme::Standard;

    fn month(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn scheme(standards: &[(&str, &str, i64)]) -> Scheme {
        let to = |text: &str| (!text.is_empty()).then(|| month(text));
        let standards = standards
            .iter()
            .map(|(from, until, fen)| Standard {
                category: String::new(),
                from: month(from),
                to: to(until),
                monthly: Money(*fen),
                document: None,
            })
            .collect();
        Scheme::sample(standards)
    }

    fn entitled_from(first: &str) -> Entitlement {
        Entitlement::sample(first)
    }

    fn lines(scheme: &Scheme, entitlement: &Entitlement, covered: &[(&str, i64)], last: &str) -> Vec<(String, i64)> {
        let covered = covered.iter().map(|(p, fen)| (month(p), Money(*fen))).collect();
        payable(scheme, entitlement, &covered, month(last))
            .covers
            .iter()
            .map(|c| (c.period.to_string(), c.amount.0))
            .collect()
    }

    #[test]
    fn a_person_added_late_is_paid_from_the_first_month() {
        let scheme = scheme(&[("2026-01", "", 12_000)]);
        assert_eq!(
            lines(&scheme, &entitled_from("2010-05"), &[], "2026-03"),
            [("2026-01".into(), 12_000), ("2026-02".into(), 12_000), ("2026-03".into(), 12_000)]
        );
        assert_eq!(lines(&scheme, &entitled_from("2026-03"), &[], "2026-03").len(), 1);
        assert_eq!(lines(&scheme, &entitled_from("2026-04"), &[], "2026-03").len(), 0);
    }

    #[test]
    fn a_standard_that_rises_from_january_pays_the_difference_of_paid_months() {
        let scheme = scheme(&[("2026-01", "2026-06", 13_000), ("2026-07", "", 14_000)]);
        let covered = [("2026-05", 12_000), ("2026-06", 12_000)];
        let entitlement = entitled_from("2026-05");
        assert_eq!(
            lines(&scheme, &entitlement, &covered, "2026-07"),
            [("2026-05".into(), 1_000), ("2026-06".into(), 1_000), ("2026-07".into(), 14_000)]
        );
    }

    #[test]
    fn a_suspension_is_paid_back_or_lost_as_the_event_says() {
        let scheme = scheme(&[("2026-01", "", 12_000)]);
        let mut entitlement = entitled_from("2026-01");
        entitlement.suspensions = vec![Suspension {
            cause: SuspensionCause::Other,
            from: month("2026-02"),
            resumed_from: None,
            back_paid: false,
        }];
        assert_eq!(lines(&scheme, &entitlement, &[("2026-01", 12_000)], "2026-04"), []);
        assert_eq!(
            claim(&scheme, &entitlement, month("2026-03")),
            Claim::Suspended(Money(12_000), SuspensionCause::Other)
        );
        entitlement.suspensions[0].resumed_from = Some(month("2026-04"));
        assert_eq!(lines(&scheme, &entitlement, &[("2026-01", 12_000)], "2026-04"), [("2026-04".into(), 12_000)]);
        assert_eq!(claim(&scheme, &entitlement, month("2026-03")), Claim::Forfeited);
        entitlement.suspensions[0].back_paid = true;
        assert_eq!(lines(&scheme, &entitlement, &[("2026-01", 12_000)], "2026-04").len(), 3);
    }

    #[test]
    fn the_month_of_death_is_paid_and_later_cover_is_an_overpayment() {
        let scheme = scheme(&[("2026-01", "", 12_000)]);
        let entitlement = Entitlement {
            last: Some(month("2026-02")),
            stop_reason: Some(StopReason::Death),
            ..entitled_from("2026-01")
        };
        let covered = BTreeMap::from([(month("2026-01"), Money(12_000)), (month("2026-03"), Money(12_000))]);
        let result = payable(&scheme, &entitlement, &covered, month("2026-04"));
        assert_eq!(result.covers.iter().map(|c| c.period.to_string()).collect::<Vec<_>>(), ["2026-02"]);
        assert_eq!(result.overpaid, [Overpaid { period: month("2026-03"), claim: Money::ZERO, cover: Money(12_000) }]);
        assert_eq!(claim(&scheme, &entitlement, month("2026-03")), Claim::Ended(Some(StopReason::Death)));
    }

    #[test]
    fn a_month_partly_covered_is_topped_up_and_no_other_month_nets_it() {
        let scheme = scheme(&[("2026-01", "", 12_000)]);
        let covered = BTreeMap::from([(month("2026-01"), Money(15_000)), (month("2026-02"), Money(2_000))]);
        let result = payable(&scheme, &entitled_from("2026-01"), &covered, month("2026-02"));
        assert_eq!(result.total(), Money(10_000));
        assert_eq!(result.overpaid[0].amount(), Money(3_000));
    }

    proptest! {
        #[test]
        fn paying_what_is_payable_makes_cover_equal_claim(
            first in 0..14_usize, length in prop::option::of(0..14_usize),
            stops in prop::collection::vec((0..14_usize, prop::option::of(0..14_usize), any::<bool>()), 0..3),
            paid in prop::collection::btree_map(0..14_usize, 0..20_000_i64, 0..14), until in 0..14_usize,
        ) {
            let months: Vec<Period> = month("2025-12").through(month("2027-01")).collect();
            let scheme = scheme(&[("2026-01", "2026-06", 12_000), ("2026-07", "", 13_050)]);
            let entitlement = Entitlement {
                last: length.map(|l| months[l]),
                suspensions: stops.iter().map(|(from, to, back)| Suspension {
                    cause: SuspensionCause::Other, from: months[*from], resumed_from: to.map(|t| months[t]), back_paid: *back }).collect(),
                ..entitled_from(&months[first].to_string())
            };
            let mut covered: BTreeMap<Period, Money> = paid.into_iter().map(|(p, fen)| (months[p], Money(fen))).collect();
            let before = payable(&scheme, &entitlement, &covered, months[until]);
            for line in &before.covers {
                prop_assert!(line.amount > Money::ZERO);
                prop_assert_eq!(line.covered_before + line.amount, line.claim);
                *covered.entry(line.period).or_default() += line.amount;
            }
            let after = payable(&scheme, &entitlement, &covered, months[until]);
            prop_assert!(after.covers.is_empty());
            prop_assert_eq!(&after.overpaid, &before.overpaid);
            for period in &months[..=until] {
                let due = claim(&scheme, &entitlement, *period).amount();
                let cover = covered.get(period).copied().unwrap_or_default();
                prop_assert!(cover == due || after.overpaid.iter().any(|o| o.period == *period && o.cover == cover));
            }
        }
    }
}
