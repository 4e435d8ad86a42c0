//! The rows of a roster that were read so far, and who and which account stood in them first.
//!
//! Numbers are held once, in their rows or in the file: what finds them are places of four bytes, so that a million people and their
//! accounts take a tenth of the memory and cache that maps with keys of their own would take.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::{RosterRow, Rows};
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
    rows: Rows<'t>,
    refused: Vec<Refused>,
}

impl Kept<'_> {
    fn bad(&self, place: Place) -> Option<&Refused> {
        self.refused.get(place.0.checked_sub(Place::REFUSED)? as usize)
    }

    fn row(&self, place: Place) -> usize {
        let good = self.rows.row(place.0 as usize);
        good.or_else(|| self.bad(place).map(|row| row.row)).unwrap_or_default()
    }

    fn number(&self, place: Place) -> Option<&str> {
        let good = self.rows.citizen_number(place.0 as usize);
        good.or_else(|| self.bad(place)?.number.as_ref().map(CitizenNumber::as_str))
    }

    fn account(&self, place: Place) -> Option<&str> {
        let good = self.rows.account_number(place.0 as usize);
        good.or_else(|| self.bad(place)?.account.as_ref().map(AccountNumber::as_str))
    }

    fn is_related(&self, place: Place) -> bool {
        self.rows.is_related(place.0 as usize) || self.bad(place).is_some_and(|row| row.is_related)
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
    pub fn with_capacity(text: &'t str, rows: usize) -> Seen<'t> {
        Seen {
            kept: Kept { rows: Rows::with_capacity(text, rows), refused: Vec::new() },
            people: HashTable::with_capacity(rows),
            accounts: HashTable::with_capacity(rows),
            owners: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Notes the person of this row, unless an earlier row has the same: that row.
    pub fn person(&mut self, number: &CitizenNumber) -> Option<usize> {
        let Seen { kept, people, hasher, .. } = self;
        let is_it = |place: &Place| kept.number(*place) == Some(number.as_str());
        let rehash = |place: &Place| kept.number(*place).map_or(0, |number| hasher.hash_one(number));
        match people.entry(hasher.hash_one(number.as_str()), is_it, rehash) {
            Entry::Occupied(earlier) => Some(kept.row(*earlier.get())),
            Entry::Vacant(free) => {
                free.insert(Place::of(kept.rows.len(), 0));
                None
            }
        }
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
        let is_it = |place: &Place| kept.account(*place) == Some(account.as_str());
        let rehash = |place: &Place| kept.account(*place).map_or(0, |account| hasher.hash_one(account));
        let place = match accounts.entry(hasher.hash_one(account.as_str()), is_it, rehash) {
            Entry::Occupied(earlier) => *earlier.get(),
            Entry::Vacant(free) => {
                free.insert(Place::of(kept.rows.len(), 0));
                return None;
            }
        };
        if person.is_some() && kept.number(place) == person.map(CitizenNumber::as_str) {
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

    /// This row is good; see [`Rows::push`].
    pub fn take(&mut self, row: RosterRow<'t>, number: &str, account: &str) {
        self.kept.rows.push(row, number, account);
    }

    /// This row is not.
    pub fn refuse(&mut self, refused: Refused) {
        let Seen { kept, people, accounts, hasher, .. } = self;
        let here = Place::of(kept.rows.len(), 0);
        let there = Place::of(kept.refused.len(), Place::REFUSED);
        let person = refused.number.as_ref().and_then(|n| people.find_mut(hasher.hash_one(n.as_str()), |p| *p == here));
        let account =
            refused.account.as_ref().and_then(|a| accounts.find_mut(hasher.hash_one(a.as_str()), |p| *p == here));
        for place in [person, account].into_iter().flatten() {
            *place = there;
        }
        kept.refused.push(refused);
    }

    /// The good rows and the refused ones, both in the order of the file.
    pub fn into_rows(self) -> (Rows<'t>, Vec<Refused>) {
        (self.kept.rows, self.kept.refused)
    }
}
