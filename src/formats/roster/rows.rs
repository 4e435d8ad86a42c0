//! The good rows of a roster, held small: of a row of a text file where its texts stand in that file, beside what was
//! read of it. A million people take a third of the memory that whole rows would. A row whose texts are no pieces of the
//! file (of a workbook, or normalised) is held whole; which of the two it is makes no difference to anybody.

use std::sync::Arc;

use chrono::NaiveDate;

use super::{More, RosterRow, Status};
use crate::domain::bank::Bank;
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::money::Money;
use crate::domain::period::Period;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows<'t> {
    text: &'t str,
    kept: Vec<Kept<'t>>,
    /// What some rows say beside the usual, with their rows of the file.
    more: Vec<(u32, Arc<More<'t>>)>,
    /// Few, of many rows.
    banks: Vec<&'t Bank>,
    categories: Vec<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept<'t> {
    Pieces(Pieces),
    Whole(Box<RosterRow<'t>>),
}

/// A row whose texts stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pieces {
    /// Never below nothing, and nothing where there is none: see [`RosterRow::amount`].
    fen: i64,
    row: u32,
    name: u32,
    citizen_number: u32,
    account_number: u32,
    /// What its beginning is told by; of a month the first day.
    begin: NaiveDate,
    /// The first day of the month.
    last: Option<NaiveDate>,
    retired_on: Option<NaiveDate>,
    certified_on: Option<NaiveDate>,
    bank: u8,
    category: u8,
    /// Bytes of name, citizen number and account number.
    lengths: [u8; 3],
    status: Option<Status>,
    told_by: Begin,
    says_more: bool,
}

/// What tells the first month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    Month,
    DayInIt,
    DayInTheMonthBefore,
}

impl<'t> Rows<'t> {
    /// Room for so many rows of a text file with this text; of any other table the text is empty.
    pub(super) fn with_capacity(text: &'t str, rows: usize) -> Rows<'t> {
        Rows { text, kept: Vec::with_capacity(rows), ..Rows::default() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The row at a place, from 0 in the order of the file.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<RosterRow<'t>> {
        self.kept.get(place).map(|kept| self.whole(kept))
    }

    /// The citizen numbers of all rows.
    pub fn citizen_numbers(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|place| self.citizen_number(place))
    }

    /// All rows in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = RosterRow<'t>> {
        self.kept.iter().map(|kept| self.whole(kept))
    }

    /// True when this row of the file is one of them.
    #[must_use]
    pub fn has_row(&self, row: usize) -> bool {
        self.kept.binary_search_by_key(&row, Kept::row).is_ok()
    }

    /// Leaves out those rows of the file for which it is false.
    pub fn retain(&mut self, mut is_kept: impl FnMut(usize) -> bool) {
        self.kept.retain(|kept| is_kept(kept.row()));
    }

    /// One more; `number` and `account` are the texts of the file that its numbers were read from, as far as there are any.
    pub(super) fn push(&mut self, row: RosterRow<'t>, number: &str, account: &str) {
        let kept = self.pieces(&row, number, account).map_or_else(|| Kept::Whole(Box::new(row)), Kept::Pieces);
        self.kept.push(kept);
    }

    fn pieces(&mut self, row: &RosterRow<'t>, number: &str, account: &str) -> Option<Pieces> {
        if number != row.citizen_number.as_str() || account != row.account_number.as_str() {
            return None;
        }
        let amount = row.amount.unwrap_or_default();
        let is_plain = amount > Money::ZERO || row.amount.is_none();
        let (name, name_length) = self.piece(&row.name)?;
        let (citizen_number, number_length) = self.piece(number)?;
        let (account_number, account_length) = self.piece(account)?;
        let told_by = match row.first_day.map(Period::of) {
            None => Begin::Month,
            Some(month) if month == row.first => Begin::DayInIt,
            Some(month) if month.next() == row.first => Begin::DayInTheMonthBefore,
            Some(_) => return None,
        };
        let pieces = Pieces {
            fen: amount.fen(),
            row: u32::try_from(row.row).ok().filter(|_| is_plain)?,
            name,
            citizen_number,
            account_number,
            begin: row.first_day.unwrap_or(row.first.first_day()),
            last: row.last.map(Period::first_day),
            retired_on: row.retired_on,
            certified_on: row.certified_on,
            bank: place(&mut self.banks, |bank| std::ptr::eq(*bank, row.bank), || row.bank)?,
            category: place(&mut self.categories, |known| **known == *row.category, || row.category.clone())?,
            lengths: [name_length, number_length, account_length],
            status: row.status,
            told_by,
            says_more: row.more.is_some(),
        };
        self.more.extend(row.more.as_ref().map(|more| (pieces.row, more.clone())));
        Some(pieces)
    }

    /// Where a piece of the file stands in it, and its length.
    fn piece(&self, piece: &str) -> Option<(u32, u8)> {
        let at = piece.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        let is_there = self.text.get(at..at.checked_add(piece.len())?) == Some(piece);
        is_there.then(|| Some((u32::try_from(at).ok()?, u8::try_from(piece.len()).ok()?))).flatten()
    }

    /// The text of a piece.
    fn text(&self, at: u32, length: u8) -> &'t str {
        let at = at as usize;
        self.text.get(at..at + usize::from(length)).unwrap_or_default()
    }

    fn whole(&self, kept: &Kept<'t>) -> RosterRow<'t> {
        match kept {
            Kept::Whole(row) => (**row).clone(),
            Kept::Pieces(pieces) => RosterRow {
                row: pieces.row as usize,
                citizen_number: CitizenNumber::from_stored(self.text(pieces.citizen_number, pieces.lengths[1])),
                name: self.text(pieces.name, pieces.lengths[0]).into(),
                bank: self.banks[usize::from(pieces.bank)],
                account_number: AccountNumber::from_stored(self.text(pieces.account_number, pieces.lengths[2])),
                category: self.categories[usize::from(pieces.category)].clone(),
                amount: (pieces.fen > 0).then_some(Money(pieces.fen)),
                first: match pieces.told_by {
                    Begin::Month | Begin::DayInIt => Period::of(pieces.begin),
                    Begin::DayInTheMonthBefore => Period::of(pieces.begin).next(),
                },
                first_day: (pieces.told_by != Begin::Month).then_some(pieces.begin),
                last: pieces.last.map(Period::of),
                status: pieces.status,
                retired_on: pieces.retired_on,
                certified_on: pieces.certified_on,
                more: self.more_of(pieces).cloned(),
            },
        }
    }

    /// Row of the file of the row at a place.
    pub(super) fn row(&self, place: usize) -> Option<usize> {
        self.kept.get(place).map(Kept::row)
    }

    /// Citizen number of the row at a place.
    pub(super) fn citizen_number(&self, place: usize) -> Option<&str> {
        Some(match self.kept.get(place)? {
            Kept::Pieces(pieces) => self.text(pieces.citizen_number, pieces.lengths[1]),
            Kept::Whole(row) => row.citizen_number.as_str(),
        })
    }

    /// Account number of the row at a place.
    pub(super) fn account_number(&self, place: usize) -> Option<&str> {
        Some(match self.kept.get(place)? {
            Kept::Pieces(pieces) => self.text(pieces.account_number, pieces.lengths[2]),
            Kept::Whole(row) => row.account_number.as_str(),
        })
    }

    /// True when the row at a place says why the account is another person's.
    pub(super) fn is_related(&self, place: usize) -> bool {
        self.more(place).is_some_and(|more| !more.holder_relation.is_empty())
    }

    /// True when the row at a place says anything that most rows do not: see [`More`].
    #[must_use]
    pub fn says_more(&self, place: usize) -> bool {
        self.more(place).is_some()
    }

    fn more(&self, place: usize) -> Option<&Arc<More<'t>>> {
        match self.kept.get(place)? {
            Kept::Pieces(pieces) => self.more_of(pieces),
            Kept::Whole(row) => row.more.as_ref(),
        }
    }

    fn more_of(&self, pieces: &Pieces) -> Option<&Arc<More<'t>>> {
        if !pieces.says_more {
            return None;
        }
        let at = self.more.binary_search_by_key(&pieces.row, |(row, _)| *row).ok()?;
        self.more.get(at).map(|(_, more)| more)
    }
}

impl Kept<'_> {
    fn row(&self) -> usize {
        match self {
            Kept::Pieces(pieces) => pieces.row as usize,
            Kept::Whole(row) => row.row,
        }
    }
}

/// The place of one of few things in a list, to which it is added where it is new; a list that is long already takes
/// no more: such a file has nearly as many of them as rows, and searching them takes longer than holding the row whole.
fn place<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> Option<u8> {
    let known = list.iter().position(is_it);
    let at = u8::try_from(known.unwrap_or(list.len())).ok()?;
    if known.is_none() {
        list.push(new());
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_in_pieces_takes_little() {
        assert!(size_of::<Kept<'_>>() <= 48, "{}", size_of::<Kept<'_>>());
    }
}
