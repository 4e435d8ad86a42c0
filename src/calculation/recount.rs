//! What was covered for everybody, month by month, counted payment by payment.
//!
//! Nearly everybody has one stretch of months with one amount, and that is all that is kept of them: memory grows with
//! people and with what changes, not with months. What does not fit is kept as it is, so nothing is approximate.

use std::collections::{HashMap, HashSet};

use crate::domain::money::Money;
use crate::domain::period::Period;

/// Months of an enrolment with the same cover and the same claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoveredStretch {
    /// First month.
    pub first: Period,
    /// Last month.
    pub last: Period,
    /// Covered for each of them, before recoveries.
    pub covered: Money,
    /// The most that was ever owed for each of them.
    pub claim: Money,
}

impl CoveredStretch {
    fn month(month: Period, covered: Money, claim: Money) -> CoveredStretch {
        CoveredStretch { first: month, last: month, covered, claim: claim.at_least_zero() }
    }

    fn goes_on_with(&self, next: &CoveredStretch) -> bool {
        self.last.next() == next.first && self.covered == next.covered && self.claim == next.claim
    }
}

/// Cover by enrolment and month.
#[derive(Debug, Default)]
pub struct Recount {
    /// The only stretch of those who have one, by number.
    single: Vec<Option<CoveredStretch>>,
    /// The stretches of all others, in order of months.
    several: HashMap<i64, Vec<CoveredStretch>>,
}

/// Greater numbers have no place of their own: one that nobody gave must not cost the memory of all below it.
const PLACES: usize = 20_000_000;

impl Recount {
    /// With room for about so many enrolments.
    pub fn of_about(enrolments: usize) -> Recount {
        let room = (enrolments + enrolments / 8).min(PLACES);
        Recount { single: Vec::with_capacity(room), several: HashMap::new() }
    }

    /// The place of an enrolment.
    fn place(&mut self, enrolment_no: i64) -> Option<&mut Option<CoveredStretch>> {
        let at = usize::try_from(enrolment_no).ok().filter(|at| *at < PLACES)?;
        if at >= self.single.len() {
            self.single.resize(at + 1, None);
        }
        self.single.get_mut(at)
    }

    /// Adds to the cover of a month; of what was owed for it the most counts.
    pub fn add(&mut self, enrolment_no: i64, month: Period, covered: Money, claim: Money) {
        let new = CoveredStretch::month(month, covered, claim);
        let Some(place) = self.place(enrolment_no) else {
            insert(self.several.entry(enrolment_no).or_default(), new);
            return;
        };
        let mut stretches = match place {
            Some(own) if own.goes_on_with(&new) => {
                own.last = month;
                return;
            }
            Some(own) => vec![*own],
            None => self.several.remove(&enrolment_no).unwrap_or_default(),
        };
        insert(&mut stretches, new);
        let only = if let [one] = stretches[..] { Some(one) } else { None };
        if only.is_none() {
            self.several.insert(enrolment_no, stretches);
        }
        self.place(enrolment_no).into_iter().for_each(|place| *place = only);
    }

    /// The stretches of an enrolment in order of months; none for whom nothing was ever sent.
    pub fn of(&self, enrolment_no: i64) -> &[CoveredStretch] {
        let single = usize::try_from(enrolment_no).ok().and_then(|at| self.single.get(at)?.as_ref());
        match single {
            Some(own) => std::slice::from_ref(own),
            None => self.several.get(&enrolment_no).map_or(&[], Vec::as_slice),
        }
    }

    /// Leaves an enrolment out of what is still to be looked at.
    pub fn forget(&mut self, enrolment_no: i64) {
        if self.place(enrolment_no).and_then(Option::take).is_none() {
            self.several.remove(&enrolment_no);
        }
    }

    /// Enrolments that something was sent for, in order.
    pub fn enrolments(&self) -> Vec<i64> {
        let single = self.single.iter().enumerate().filter(|(_, own)| own.is_some());
        let single = single.filter_map(|(at, _)| i64::try_from(at).ok());
        let mut all: Vec<i64> = single.chain(self.several.keys().copied()).collect();
        all.sort_unstable();
        all
    }
}

/// Numbers of enrolments, a bit each.
#[derive(Debug, Default)]
pub struct EnrolmentSet {
    words: Vec<u64>,
    others: HashSet<i64>,
}

impl EnrolmentSet {
    /// Adds one; false when it is in already.
    pub fn insert(&mut self, enrolment_no: i64) -> bool {
        let Some(at) = usize::try_from(enrolment_no).ok().filter(|at| *at < PLACES) else {
            return self.others.insert(enrolment_no);
        };
        if at / 64 >= self.words.len() {
            self.words.resize(at / 64 + 1, 0);
        }
        let (word, bit) = (&mut self.words[at / 64], 1 << (at % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// Adds a month to stretches: it lengthens one, stands between them, or parts the one that it lies in.
fn insert(stretches: &mut Vec<CoveredStretch>, new: CoveredStretch) {
    let month = new.first;
    let at = stretches.partition_point(|s| s.last < month);
    match stretches.get(at).copied().filter(|s| s.first <= month) {
        None => stretches.insert(at, new),
        Some(old) => {
            let now = CoveredStretch::month(month, old.covered + new.covered, old.claim.max(new.claim));
            let before = CoveredStretch { last: month.previous(), ..old };
            let after = CoveredStretch { first: month.next(), ..old };
            let parts = [before, now, after].into_iter().filter(|s| s.first <= s.last);
            stretches.splice(at..=at, parts);
        }
    }
    stretches.dedup_by(|next, own| {
        let is_one = own.goes_on_with(next);
        if is_one {
            own.last = next.last;
        }
        is_one
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn month(index: u32) -> Period {
        Period::new(2026, 1).unwrap().plus(i32::try_from(index).unwrap())
    }

    proptest! {
        /// Stretches say of every month what a plain sum says, however months come, and no two of them are one.
        #[test]
        fn stretches_are_the_plain_sums(
            added in proptest::collection::vec((0_usize..5, 0_u32..9, -1_i64..3, -1_i64..3), 0..60),
        ) {
            // Two of the five have no place of their own.
            const NUMBERS: [i64; 5] = [-1, 0, 1, 7, i64::MAX];
            let mut recount = Recount::of_about(2);
            let mut plain: BTreeMap<i64, BTreeMap<Period, (Money, Money)>> = BTreeMap::new();
            for (no, at, covered, claim) in added {
                let no = NUMBERS[no];
                recount.add(no, month(at), Money(covered), Money(claim));
                let sum = plain.entry(no).or_default().entry(month(at)).or_default();
                *sum = (sum.0 + Money(covered), sum.1.max(Money(claim)));
            }
            prop_assert_eq!(recount.enrolments(), plain.keys().copied().collect::<Vec<_>>());
            for no in NUMBERS {
                let stretches = recount.of(no).to_vec();
                let months: BTreeMap<Period, (Money, Money)> =
                    stretches.iter().flat_map(|s| s.first.through(s.last).map(|m| (m, (s.covered, s.claim)))).collect();
                prop_assert_eq!(months, plain.get(&no).cloned().unwrap_or_default());
                prop_assert!(stretches.windows(2).all(|two| two[0].last < two[1].first && !two[0].goes_on_with(&two[1])));
                recount.forget(no);
                prop_assert!(recount.of(no).is_empty());
            }
            prop_assert!(recount.enrolments().is_empty());
        }
    }

    #[test]
    fn an_enrolment_is_in_a_set_once() {
        let mut set = EnrolmentSet::default();
        for no in [0, 63, 64, 1_000, -1, i64::MAX] {
            assert!(set.insert(no) && !set.insert(no), "{no}");
        }
        assert!(set.insert(65) && set.words.len() == 16 && set.others.len() == 2);
    }

    #[test]
    fn a_raise_paid_back_to_january_is_one_stretch_again() {
        let mut recount = Recount::of_about(1);
        for at in 0..6 {
            recount.add(1, month(at), Money(12_000), Money(12_000));
        }
        for at in 0..6 {
            recount.add(1, month(at), Money(1_000), Money(13_000));
        }
        recount.add(1, month(6), Money(13_000), Money(13_000));
        let (first, last, amount) = (month(0), month(6), Money(13_000));
        assert_eq!(recount.of(1), [CoveredStretch { first, last, covered: amount, claim: amount }]);
        assert!(recount.several.is_empty());
    }
}
