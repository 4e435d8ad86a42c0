//! The rows of a roster that were read so far, and who and which account stood in them first.
//!
//! Numbers are held once, in their rows: what finds them are places of four bytes, so that a million people and their
//! accounts take a tenth of the memory and cache that maps with keys of their own would take.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::RosterRow;
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;

/// A row that cannot be used: what could be read of whose it is.
pub struct Refused {
    pub row: usize,
    pub number: Option<CitizenNumber>,
    pub account: Option<AccountNumber>,
    pub is_related: bool,
}

/// Where a row is kept: in the list of good rows, or with the highest bit in that of refused ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place(u32);

impl Place {
    const REFUSED: u32 = 1 << 31;

    /// A table has fewer rows than there are places.
    fn of(index: usize, mark: u32) -> Place {
        Place(u32::try_from(index).unwrap_or(Place::REFUSED - 1) | mark)
    }
}

/// The rows themselves.
struct Kept<'t> {
    rows: Vec<RosterRow<'t>>,
    refused: Vec<Refused>,
}

impl<'t> Kept<'t> {
    fn good(&self, place: Place) -> Option<&RosterRow<'t>> {
        self.rows.get(place.0 as usize)
    }

    fn bad(&self, place: Place) -> Option<&Refused> {
        self.refused.get(place.0.checked_sub(Place::REFUSED)? as usize)
    }

    fn row(&self, place: Place) -> usize {
        let good = self.good(place).map(|row| row.row);
        good.or_else(|| self.bad(place).map(|row| row.row)).unwrap_or_default()
    }

    fn number(&self, place: Place) -> Option<&CitizenNumber> {
        match self.good(place) {
            Some(row) => Some(&row.citizen_number),
            None => self.bad(place)?.number.as_ref(),
        }
    }

    fn account(&self, place: Place) -> Option<&AccountNumber> {
        match self.good(place) {
            Some(row) => Some(&row.account_number),
            None => self.bad(place)?.account.as_ref(),
        }
    }

    fn is_related(&self, place: Place) -> bool {
        match self.good(place) {
            Some(row) => !row.more().holder_relation.is_empty(),
            None => self.bad(place).is_some_and(|row| row.is_related),
        }
    }
}

/// See the module. Between two calls of [`Seen::take`] or [`Seen::refuse`] everything is about one row.
pub struct Seen<'t> {
    kept: Kept<'t>,
    people: HashTable<Place>,
    accounts: HashTable<Place>,
    /// Of accounts whose first row states a relation: the first row without one.
    owners: HashMap<Place, usize>,
    hasher: RandomState,
}

impl<'t> Seen<'t> {
    pub fn with_capacity(rows: usize) -> Seen<'t> {
        Seen {
            kept: Kept { rows: Vec::with_capacity(rows), refused: Vec::new() },
            people: HashTable::with_capacity(rows),
            accounts: HashTable::with_capacity(rows),
            owners: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Notes the person of this row, unless an earlier row has the same: that row.
    pub fn person(&mut self, number: &CitizenNumber) -> Option<usize> {
        let Seen { kept, people, hasher, .. } = self;
        let hash = hasher.hash_one(number);
        let earlier = people.find(hash, |place| kept.number(*place) == Some(number)).copied();
        if earlier.is_none() {
            let rehash = |place: &Place| kept.number(*place).map_or(0, |number| hasher.hash_one(number));
            people.insert_unique(hash, Place::of(kept.rows.len(), 0), rehash);
        }
        earlier.map(|place| kept.row(place))
    }

    /// Notes the account of this row, unless another person has it already: the row of whom, and whether neither of
    /// the two rows states a relation.
    pub fn account(
        &mut self,
        row: usize,
        account: &AccountNumber,
        person: Option<&CitizenNumber>,
        is_related: bool,
    ) -> Option<(usize, bool)> {
        let Seen { kept, accounts, owners, hasher, .. } = self;
        let hash = hasher.hash_one(account);
        let Some(place) = accounts.find(hash, |place| kept.account(*place) == Some(account)).copied() else {
            let rehash = |place: &Place| kept.account(*place).map_or(0, |account| hasher.hash_one(account));
            accounts.insert_unique(hash, Place::of(kept.rows.len(), 0), rehash);
            return None;
        };
        if person.is_some() && kept.number(place) == person {
            return None; // One person twice is reported as that.
        }
        let first = kept.row(place);
        if is_related {
            return Some((first, false));
        }
        if !kept.is_related(place) {
            return Some((first, true));
        }
        let owner = owners.get(&place).copied();
        owners.entry(place).or_insert(row);
        Some(owner.map_or((first, false), |owner| (owner, true)))
    }

    /// This row is good.
    pub fn take(&mut self, row: RosterRow<'t>) {
        self.kept.rows.push(row);
    }

    /// This row is not.
    pub fn refuse(&mut self, refused: Refused) {
        let Seen { kept, people, accounts, hasher, .. } = self;
        let here = Place::of(kept.rows.len(), 0);
        let there = Place::of(kept.refused.len(), Place::REFUSED);
        let person = refused.number.as_ref().and_then(|n| people.find_mut(hasher.hash_one(n), |p| *p == here));
        let account = refused.account.as_ref().and_then(|a| accounts.find_mut(hasher.hash_one(a), |p| *p == here));
        for place in [person, account].into_iter().flatten() {
            *place = there;
        }
        kept.refused.push(refused);
    }

    /// The good rows and the refused ones, both in the order of the file.
    pub fn into_rows(self) -> (Vec<RosterRow<'t>>, Vec<Refused>) {
        (self.kept.rows, self.kept.refused)
    }
}
