//! What was sent for people, told by the baseline of a scheme and by what happened since, without reading what earlier
//! runs paid. It is the same as the sum over all their payments: `doctor` and a property test compare the two.

use std::collections::{BTreeMap, HashMap};

use super::claim::{Claim, ClaimStretch, claims, first_claim_period};
use crate::domain::baseline::{Baseline, ClaimSum, Sent};
use crate::domain::entitlement::Entitlement;
use crate::domain::money::Money;
use crate::domain::payment::Cover;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;

/// What was sent for someone even: every claim up to a month.
pub fn even(scheme: &Scheme, entitlement: &Entitlement, last: Period) -> Sent {
    let stretches = claims(scheme, entitlement, first_claim_period(scheme, entitlement), last);
    let due = stretches.filter(|stretch| !stretch.claim.amount().is_zero());
    due.flat_map(|stretch| stretch.first.through(stretch.last).map(move |month| (month, stretch.claim.amount())))
        .collect()
}

/// What was sent for the people of a scheme, asked of one after another.
#[derive(Debug)]
pub enum SentSoFar<'a> {
    /// When no run stands: nothing was sent. The month before the scheme's first.
    Nothing(Period),
    /// What the payments themselves say of everybody; who is not in it was sent nothing.
    Counted(HashMap<i64, Sent>),
    /// What a baseline and all that happened since say.
    Since(Since<'a>),
}

/// What was sent for one enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentTo {
    /// Exactly the claims up to this month, and nothing after it.
    Even(Period),
    /// This.
    Listed(Sent),
}

/// A baseline, and what happened since that it does not know.
#[derive(Debug)]
pub struct Since<'a> {
    /// What was known then.
    pub baseline: &'a Baseline,
    /// The scheme as the baseline knew it.
    pub scheme: &'a Scheme,
    /// True when the scheme has another version now.
    pub is_other_version: bool,
    /// Covers that were sent before and failed since, by enrolment.
    pub failed: HashMap<i64, Vec<Cover>>,
}

/// Someone of whom is asked what was sent.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The enrolment.
    pub no: i64,
    /// As it is now.
    pub now: &'a Entitlement,
    /// As the baseline knew it, where something was told since.
    pub then: Option<&'a Entitlement>,
    /// True when recoveries touched it.
    pub is_moved: bool,
}

impl SentSoFar<'_> {
    /// When no run stands: nothing was sent, whatever the scheme's first month is.
    pub fn nothing(scheme: &Scheme) -> SentSoFar<'static> {
        SentSoFar::Nothing(scheme.first.previous())
    }

    /// What was sent for one enrolment; asked once of each.
    pub fn to(&mut self, asked: Asked<'_>) -> SentTo {
        match self {
            SentSoFar::Nothing(until) => SentTo::Even(*until),
            SentSoFar::Counted(listed) => SentTo::Listed(listed.remove(&asked.no).unwrap_or_default()),
            SentSoFar::Since(since) => since.to(asked),
        }
    }
}

impl Since<'_> {
    fn to(&mut self, Asked { no, now, then, is_moved }: Asked<'_>) -> SentTo {
        let Since { baseline, scheme, is_other_version, failed } = self;
        let failed = if failed.is_empty() { None } else { failed.remove(&no) };
        let told = *is_other_version || then.is_some() || is_moved || failed.is_some();
        let mut sent = match baseline.uneven.get(&no) {
            Some(sent) => sent.clone(),
            None if no > baseline.last_enrolment_no => Sent::new(),
            None if told => even(scheme, then.unwrap_or(now), baseline.last),
            None => return SentTo::Even(baseline.last),
        };
        for cover in failed.into_iter().flatten() {
            *sent.entry(cover.period).or_default() -= cover.amount;
        }
        SentTo::Listed(sent)
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

/// Claims of all people by month, kept up person by person: what changes from the month before, since most people are
/// owed the same for many months.
#[derive(Debug, Clone, Default)]
pub struct Claims(BTreeMap<Period, ClaimSum>);

impl Claims {
    /// Those of a baseline, to be kept up.
    pub fn of(baseline: &Baseline) -> Claims {
        let mut claims = Claims::default();
        for (month, sum) in &baseline.claims {
            claims.change(*month, *sum, 1);
            claims.change(month.next(), *sum, -1);
        }
        claims
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
        let first = first_claim_period(scheme, entitlement).max(first);
        claims(scheme, entitlement, first, last).for_each(|stretch| self.count_stretch(&stretch, sign));
    }

    /// Adds what somebody is owed for each of some months.
    pub fn add_stretch(&mut self, stretch: &ClaimStretch) {
        self.count_stretch(stretch, 1);
    }

    fn count_stretch(&mut self, stretch: &ClaimStretch, sign: i64) {
        let amount = stretch.claim.amount();
        let suspended = if let Claim::Suspended(amount, _) = stretch.claim { amount } else { Money::ZERO };
        let sum = ClaimSum { count: i64::from(!amount.is_zero()), amount, suspended };
        if sum != ClaimSum::default() {
            self.change(stretch.first, sum, sign);
            self.change(stretch.last.next(), sum, -sign);
        }
    }

    fn change(&mut self, month: Period, by: ClaimSum, sign: i64) {
        self.0.entry(month).or_default().add(by, sign);
    }

    /// The sums by month.
    pub fn into_sums(self) -> BTreeMap<Period, ClaimSum> {
        let (Some(first), Some(last)) = (self.0.keys().next().copied(), self.0.keys().next_back().copied()) else {
            return BTreeMap::new();
        };
        let mut sum = ClaimSum::default();
        let months = first.through(last).map(|month| {
            sum.add(self.0.get(&month).copied().unwrap_or_default(), 1);
            (month, sum)
        });
        months.filter(|(_, sum)| *sum != ClaimSum::default()).collect()
    }

    /// The sum of a month.
    pub fn of_month(&self, month: Period) -> ClaimSum {
        let mut sum = ClaimSum::default();
        self.0.range(..=month).for_each(|(_, change)| sum.add(*change, 1));
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calculation::claim::claim;
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
        /// Claims that are kept up by what changes from month to month are the sums over all people of each month.
        #[test]
        fn claims_are_the_sums_of_all_people(
            people in proptest::collection::vec((terms(), any::<bool>()), 0..6),
            last in 0_u32..14,
        ) {
            let (scheme, last) = (scheme(12_000), month(last));
            let mut kept = Claims::default();
            let mut plain: BTreeMap<Period, ClaimSum> = BTreeMap::new();
            for (terms, is_gone) in people {
                let person = entitlement(terms);
                kept.add(&scheme, &person, scheme.first, last);
                if is_gone {
                    kept.take(&scheme, &person, last);
                    continue;
                }
                for month in scheme.first.through(last) {
                    let claim = claim(&scheme, &person, month);
                    let suspended = if let Claim::Suspended(amount, _) = claim { amount } else { Money::ZERO };
                    let amount = claim.amount();
                    let one = ClaimSum { count: i64::from(!amount.is_zero()), amount, suspended };
                    plain.entry(month).or_default().add(one, 1);
                }
            }
            plain.retain(|_, sum| *sum != ClaimSum::default());
            let baseline = Baseline {
                scheme_version: 1,
                event_no: 1,
                last,
                last_enrolment_no: 7,
                claims: plain.clone(),
                uneven: BTreeMap::new(),
            };
            for month in scheme.first.through(last.next()) {
                let sum = plain.get(&month).copied().unwrap_or_default();
                prop_assert_eq!((kept.of_month(month), Claims::of(&baseline).of_month(month)), (sum, sum));
            }
            prop_assert_eq!(Claims::of(&baseline).into_sums(), plain.clone());
            prop_assert_eq!(kept.into_sums(), plain);
        }
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
            let failed: Vec<Cover> = failing
                .iter()
                .filter_map(|m| sent.remove(&month(*m)).map(|amount| (month(*m), amount)))
                .map(|(period, amount)| Cover { period, amount, claim: amount, covered_before: Money::ZERO })
                .collect();
            let failed: HashMap<i64, Vec<Cover>> = (!failed.is_empty()).then_some((7, failed)).into_iter().collect();
            let then = changed.map(|_| before);
            let is_other_version = new_standard.is_some();
            let since = Since { baseline: &baseline, scheme: &known_as, is_other_version, failed };
            let asked = Asked { no: 7, now: &now, then: then.as_ref(), is_moved };
            let told = SentSoFar::Since(since).to(asked);
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
