//! What was sent for people, told by the baseline of a scheme and by what happened since, without reading what earlier
//! runs paid. It is the same as the sum over all their payments: `doctor` and a property test compare the two.

use std::collections::{BTreeMap, HashMap};

use super::claim::{Claim, claim, first_claim_period};
use crate::domain::baseline::{Baseline, ClaimSum, Sent};
use crate::domain::entitlement::Entitlement;
use crate::domain::money::Money;
use crate::domain::payment::Cover;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;

/// What was sent for someone even: every claim up to a month.
pub fn even(scheme: &Scheme, entitlement: &Entitlement, last: Period) -> Sent {
    let months = first_claim_period(scheme, entitlement).through(last);
    months.map(|month| (month, claim(scheme, entitlement, month).amount())).filter(|(_, due)| !due.is_zero()).collect()
}

/// What was sent for the people of a scheme.
#[derive(Debug, Clone)]
pub struct SentSoFar {
    even_until: Option<Period>,
    listed: HashMap<i64, Sent>,
}

/// What was sent for one enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentTo {
    /// Exactly the claims up to this month, and nothing after it.
    Even(Period),
    /// This.
    Listed(Sent),
}

/// What happened since a baseline, that it does not know.
#[derive(Debug)]
pub struct Since<'a> {
    /// The scheme as the baseline knew it.
    pub scheme: &'a Scheme,
    /// True when the scheme has another version now.
    pub is_other_version: bool,
    /// Entitlements as the baseline knew them, of those who changed.
    pub then: &'a HashMap<i64, Entitlement>,
    /// Covers that were sent before and failed since: enrolment and what it had sent.
    pub failed: &'a [(i64, Vec<Cover>)],
}

impl SentSoFar {
    /// When no run stands: nothing was sent, whatever the scheme's first month is.
    pub fn nothing(scheme: &Scheme) -> SentSoFar {
        SentSoFar { even_until: Some(scheme.first.previous()), listed: HashMap::new() }
    }

    /// What the payments themselves say of everybody; who is not in it was sent nothing.
    pub fn counted(listed: HashMap<i64, Sent>) -> SentSoFar {
        SentSoFar { even_until: None, listed }
    }

    /// What the baseline and all that happened since say of these enrolments, with their entitlements as they are now.
    /// `is_moved` tells whom recoveries touched.
    pub fn since<'p>(
        baseline: &Baseline,
        since: &Since<'_>,
        people: impl IntoIterator<Item = (i64, &'p Entitlement)>,
        is_moved: impl Fn(i64) -> bool,
    ) -> SentSoFar {
        let mut failed: HashMap<i64, Vec<&Cover>> = HashMap::new();
        for (enrolment_no, covers) in since.failed {
            failed.entry(*enrolment_no).or_default().extend(covers);
        }
        let mut listed = HashMap::new();
        for (no, now) in people {
            let then = since.then.get(&no);
            let told = since.is_other_version || then.is_some() || is_moved(no) || failed.contains_key(&no);
            let mut sent = match baseline.uneven.get(&no) {
                Some(sent) => sent.clone(),
                None if no > baseline.last_enrolment_no => Sent::new(),
                None if told => even(since.scheme, then.unwrap_or(now), baseline.last),
                None => continue,
            };
            for cover in failed.remove(&no).into_iter().flatten() {
                *sent.entry(cover.period).or_default() -= cover.amount;
            }
            listed.insert(no, sent);
        }
        SentSoFar { even_until: Some(baseline.last), listed }
    }

    /// What was sent for one enrolment; asked once of each.
    pub fn take(&mut self, enrolment_no: i64) -> SentTo {
        match (self.listed.remove(&enrolment_no), self.even_until) {
            (Some(sent), _) => SentTo::Listed(sent),
            (None, Some(last)) => SentTo::Even(last),
            (None, None) => SentTo::Listed(Sent::new()),
        }
    }
}

impl SentTo {
    /// The amounts by month.
    pub fn months(self, scheme: &Scheme, entitlement: &Entitlement) -> Sent {
        match self {
            SentTo::Even(last) => even(scheme, entitlement, last),
            SentTo::Listed(sent) => sent,
        }
    }
}

/// Claims of all people by month, kept up person by person.
#[derive(Debug, Clone, Default)]
pub struct Claims(BTreeMap<Period, ClaimSum>);

impl Claims {
    /// Those of a baseline, to be kept up.
    pub fn of(baseline: &Baseline) -> Claims {
        Claims(baseline.claims.clone())
    }

    /// Adds what an entitlement is owed for the months from `first` to `last`.
    pub fn add(&mut self, scheme: &Scheme, entitlement: &Entitlement, first: Period, last: Period) {
        self.count(scheme, entitlement, first, last, 1);
    }

    /// Takes away what an entitlement was owed for the months up to `last`.
    pub fn take(&mut self, scheme: &Scheme, entitlement: &Entitlement, last: Period) {
        self.count(scheme, entitlement, scheme.first, last, -1);
    }

    fn count(&mut self, scheme: &Scheme, entitlement: &Entitlement, first: Period, last: Period, sign: i64) {
        for month in first_claim_period(scheme, entitlement).max(first).through(last) {
            let claim = claim(scheme, entitlement, month);
            let suspended = if let Claim::Suspended(amount, _) = claim { amount } else { Money::ZERO };
            if !(claim.amount().is_zero() && suspended.is_zero()) {
                let sum = self.0.entry(month).or_default();
                sum.count += sign * i64::from(!claim.amount().is_zero());
                sum.amount += Money(sign * claim.amount().fen());
                sum.suspended += Money(sign * suspended.fen());
            }
        }
    }

    /// The sums by month.
    pub fn into_sums(self) -> BTreeMap<Period, ClaimSum> {
        self.0
    }

    /// The sum of a month.
    pub fn of_month(&self, month: Period) -> ClaimSum {
        self.0.get(&month).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calculation::payable::{payable, payable_after};
    use crate::domain::enrolment::SuspensionCause;
    use crate::domain::entitlement::Suspension;
    use crate::domain::scheme::Standard;

    fn month(index: u32) -> Period {
        Period::new(2026, 1).unwrap().plus(i32::try_from(index).unwrap())
    }

    fn scheme(monthly: i64) -> Scheme {
        let (from, monthly) = (month(0), Money(monthly));
        Scheme::sample(vec![Standard { category: String::new(), from, to: None, monthly, document: None }])
    }

    /// First month, last month, first suspended month.
    type Terms = (u32, Option<u32>, Option<u32>);

    fn entitlement((first, last, suspended): Terms) -> Entitlement {
        let mut entitlement = Entitlement::sample(&month(first).to_string());
        entitlement.last = last.map(month);
        let suspension = |from| Suspension {
            cause: SuspensionCause::Other,
            from: month(from),
            resumed_from: None,
            back_paid: false,
        };
        entitlement.suspensions = suspended.map(suspension).into_iter().collect();
        entitlement
    }

    fn terms() -> impl Strategy<Value = Terms> {
        (0_u32..10, proptest::option::of(0_u32..14), proptest::option::of(0_u32..14))
    }

    proptest! {
        /// Whatever changed and failed since, the baseline leads to what was sent, and so to what is payable.
        #[test]
        fn a_baseline_tells_what_was_sent(
            then in terms(),
            changed in proptest::option::of(terms()),
            last in 0_u32..10,
            more in 0_u32..4,
            other_sums in proptest::option::of(proptest::collection::btree_map(0_u32..10, 1_i64..30_000, 0..4)),
            is_moved: bool,
            is_new: bool,
            failing in proptest::collection::vec(0_u32..10, 0..3),
            new_standard in proptest::option::of(Just(13_000_i64)),
        ) {
            let known_as = scheme(12_000);
            let now_as = scheme(new_standard.unwrap_or(12_000));
            let (before, last) = (entitlement(then), month(last));
            // What was sent up to the baseline: what is owed, something else, or nothing to somebody who was not there.
            let mut sent = match &other_sums {
                _ if is_new => Sent::new(),
                Some(sums) => sums.iter().map(|(m, fen)| (month(*m), Money(*fen))).filter(|(m, _)| *m <= last).collect(),
                None => even(&known_as, &before, last),
            };
            let is_even = payable(&known_as, &before, &sent, last).is_even();
            let now = changed.map_or_else(|| before.clone(), entitlement);
            let baseline = Baseline {
                scheme_version: 1,
                event_no: 1,
                last,
                last_enrolment_no: if is_new { 6 } else { 7 },
                claims: BTreeMap::new(),
                uneven: (!is_new && !is_even).then(|| (7, sent.clone())).into_iter().collect(),
            };
            let failed: Vec<(i64, Vec<Cover>)> = failing
                .iter()
                .filter_map(|m| sent.remove(&month(*m)).map(|amount| (month(*m), amount)))
                .map(|(period, amount)| (7, vec![Cover { period, amount, claim: amount, covered_before: Money::ZERO }]))
                .collect();
            let then: HashMap<i64, Entitlement> = changed.map(|_| (7, before)).into_iter().collect();
            let is_other_version = new_standard.is_some();
            let since = Since { scheme: &known_as, is_other_version, then: &then, failed: &failed };
            let mut told = SentSoFar::since(&baseline, &since, [(7, &now)], |_| is_moved);
            let told = told.take(7);
            if let SentTo::Even(until) = &told {
                let owed = payable(&now_as, &now, &sent, last.plus(i32::try_from(more).unwrap()));
                prop_assert_eq!(
                    payable_after(&now_as, &now, *until, last.plus(i32::try_from(more).unwrap())),
                    owed
                );
            }
            let mut told = told.months(&known_as, &now);
            told.retain(|_, amount| !amount.is_zero());
            prop_assert_eq!(told, sent);
        }
    }
}
