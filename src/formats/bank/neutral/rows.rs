//! The rows of an answer, held small: of one in our layout the lines of its text, sixteen bytes each, which are cut again
//! when a row is asked for; of any other the rows themselves. Which of the two it is makes no difference to anybody.

use memchr::memrchr;

use super::{AnswerKind, AnswerRow, Line, sum, trimmed};
use crate::domain::money::Money;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<'t>(Held<'t>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held<'t> {
    /// Each was read once, without fault; the header stands before them.
    Lines {
        kind: AnswerKind,
        lines: Vec<&'t str>,
        total: Money,
    },
    Whole(&'t [AnswerRow]),
}

impl<'t> Rows<'t> {
    /// Rows that are at hand.
    #[must_use]
    pub fn whole(rows: &'t [AnswerRow]) -> Rows<'t> {
        Rows(Held::Whole(rows))
    }

    pub(super) fn of_lines(kind: AnswerKind, lines: Vec<&'t str>, total: Money) -> Rows<'t> {
        Rows(Held::Lines { kind, lines, total })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Lines { lines, .. } => lines.len(),
            Held::Whole(rows) => rows.len(),
        }
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at a place, from 0 in the order of the file.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<AnswerRow<&'t str>> {
        match &self.0 {
            Held::Lines { kind, lines, .. } => Line::split((place + 1, lines.get(place)?)).ok()?.answer_row(*kind).ok(),
            Held::Whole(rows) => rows.get(place).map(AnswerRow::lent),
        }
    }

    /// All rows in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = AnswerRow<&'t str>> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Our reference of the row at a place, without cutting the others from it.
    #[must_use]
    pub fn payment_ref(&self, place: usize) -> Option<&'t str> {
        match &self.0 {
            Held::Lines { lines, .. } => {
                let line = lines.get(place)?;
                memrchr(b'|', line.as_bytes()).map(|before| trimmed(&line[before + 1..]))
            }
            Held::Whole(rows) => rows.get(place).map(|row| row.payment_ref.as_str()),
        }
    }

    /// The sum of the amounts that can be read.
    #[must_use]
    pub fn total(&self) -> Money {
        match &self.0 {
            Held::Lines { total, .. } => *total,
            Held::Whole(rows) => sum(rows.iter().filter_map(|row| row.amount.as_ref().ok().copied())),
        }
    }
}
