//! How wide each column becomes and how large its type, so that numbers are never broken, words
//! only where they may be, and the table fills its page.

use unicode_width::UnicodeWidthChar;

use super::typeface::Typeface;
use crate::domain::text::printable;
use crate::reports::table::{Column, Sheet, Value};

/// Left and right of a cell's words, in tenths of a point.
pub(super) const PADDING: u32 = 30;
/// Columns of words wider than this are broken before the type is made smaller, in thousandths of its size.
const WIDE: u32 = 16_000;
/// Words that are not wider than this stay on one line.
const NARROW: u32 = 5_000;
/// Characters without a place to break before one is made: a code, never a word or a number of ours.
const LONGEST_RUN: usize = 40;
/// A place to break that shows nothing.
const BREAK: char = '\u{200B}';
/// The smallest type that can be read, in tenths of a point.
const SMALLEST: u32 = 50;
/// From one size of type to the next.
const STEP: usize = 5;

/// A column's widths, in thousandths of the size of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// Below it something would run over the edge.
    least: u32,
    /// At it the column looks well.
    good: u32,
    /// At it nothing is broken.
    all: u32,
}

/// A table's size of type and widths of columns, in tenths of a point.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) size: u32,
    pub(super) widths: Vec<u32>,
}

impl Fit {
    /// About how many lines the last row, the total and the notes take.
    pub(super) fn lines_at_the_end(&self, sheet: &Sheet, typeface: &Typeface) -> u32 {
        let lines = |text: &str, width: u32| {
            let all = Words::measure(&printable(text), typeface).all;
            (all * self.size).div_ceil(1000 * width.max(1)).max(1)
        };
        let row = |cells: &Vec<Value>| {
            let columns = sheet.cells(cells).zip(&self.widths);
            columns.map(|((_, value), width)| lines(&value.shown(), width - 2 * PADDING)).max().unwrap_or(0)
        };
        let page = self.widths.iter().sum();
        let rows: u32 = sheet.rows.last().into_iter().chain(&sheet.total).map(row).sum();
        rows + sheet.notes.iter().map(|note| lines(note, page)).sum::<u32>()
    }
}

/// What the columns of a sheet need.
pub(super) fn needs(sheet: &Sheet, typeface: &Typeface) -> Vec<Need> {
    let title = |column: &Column| {
        let words = Words::measure(&printable(&column.title), typeface);
        let least = words.longest_run.max(words.all.min(NARROW));
        Need { least, good: words.all, all: words.all }
    };
    let mut needs: Vec<Need> = sheet.columns.iter().map(title).collect();
    for row in sheet.rows_and_total() {
        for (need, (column, value)) in needs.iter_mut().zip(sheet.cells(row)) {
            let words = Words::measure(&breakable(&printable(&value.shown())), typeface);
            let (least, good) = if column.kind.is_number() {
                (words.all, words.all)
            } else {
                (words.longest_run.max(words.all.min(NARROW)), words.all.min(WIDE))
            };
            need.least = need.least.max(least);
            need.good = need.good.max(good).max(least);
            need.all = need.all.max(words.all);
        }
    }
    needs
}

/// The largest type from `largest` down to `good` at which every column looks well; else words are
/// broken at `good` and, if need be, below it. None where even the smallest type has no room.
pub(super) fn fit(needs: &[Need], room: u32, largest: u32, good: u32) -> Option<Fit> {
    let sizes = |from: u32, to: u32| (to..=from).rev().step_by(STEP);
    let well = sizes(largest, good).find(|size| total(needs, *size, |need| need.good) <= room);
    if let Some(size) = well {
        return Some(Fit { size, widths: spread(needs, size, room, |need| need.good, |need| need.all) });
    }
    let size = sizes(good, SMALLEST).find(|size| total(needs, *size, |need| need.least) <= room)?;
    Some(Fit { size, widths: spread(needs, size, room, |need| need.least, |need| need.good - need.least + 1) })
}

/// The largest type from `largest` down to `least` at which a line is not broken; else `least`.
pub(super) fn line(text: &str, typeface: &Typeface, room: u32, largest: u32, least: u32) -> u32 {
    let all = Words::measure(&printable(text), typeface).all;
    (least..=largest).rev().step_by(STEP).find(|size| all * size <= room * 1000).unwrap_or(least)
}

/// Whether every column looks well at a size.
pub(super) fn is_good(needs: &[Need], room: u32, size: u32) -> bool {
    total(needs, size, |need| need.good) <= room
}

fn total(needs: &[Need], size: u32, part: impl Fn(&Need) -> u32) -> u32 {
    needs.iter().map(|need| set(part(need), size)).sum()
}

/// The width of a cell with its padding, at a size of type.
fn set(width: u32, size: u32) -> u32 {
    (width * size).div_ceil(1000) + 2 * PADDING + 1
}

/// `base` for every column, and the rest of the room in shares of `weight`.
fn spread(needs: &[Need], size: u32, room: u32, base: fn(&Need) -> u32, weight: fn(&Need) -> u32) -> Vec<u32> {
    let rest = u64::from(room - total(needs, size, base));
    let weights: u64 = needs.iter().map(|need| u64::from(weight(need))).sum();
    let share = |need: &Need| u32::try_from(rest * u64::from(weight(need)) / weights.max(1)).unwrap_or(0);
    needs.iter().map(|need| set(base(need), size) + share(need)).collect()
}

/// The text with places to break where a run of characters would force its column wide.
pub(super) fn breakable(text: &str) -> String {
    let mut run = 0;
    let mut broken = String::with_capacity(text.len());
    for c in text.chars() {
        run = if may_break_at(c) { 0 } else { run + 1 };
        if run > LONGEST_RUN {
            broken.push(BREAK);
            run = 1;
        }
        broken.push(c);
    }
    broken
}

/// Blanks and Chinese characters. That lines may also break elsewhere does no harm.
fn may_break_at(c: char) -> bool {
    c == BREAK || c.is_whitespace() || (c.is_alphanumeric() && c.width() == Some(2))
}

/// A text's widths, in thousandths of the size of its type.
struct Words {
    all: u32,
    /// Its longest stretch without a place to break.
    longest_run: u32,
}

impl Words {
    /// Wider than any page, however long the text.
    const ENDLESS: u32 = 10_000_000;

    fn measure(text: &str, typeface: &Typeface) -> Words {
        let (mut all, mut run, mut longest_run) = (0, 0, 0);
        for c in text.chars() {
            let width = typeface.width(c);
            all = Words::ENDLESS.min(all + width);
            run = if may_break_at(c) { width } else { Words::ENDLESS.min(run + width) };
            longest_run = longest_run.max(run);
            if may_break_at(c) {
                run = 0;
            }
        }
        Words { all, longest_run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Money;

    /// A4 upright and across between margins of 15 mm, in tenths of a point.
    const UPRIGHT: u32 = 5_100;
    const ACROSS: u32 = 7_560;

    fn sheet(columns: Vec<Column>, cells: Vec<Value>) -> Sheet {
        Sheet { name: "表".into(), columns, rows: vec![cells], total: None, notes: Vec::new() }
    }

    fn needs_of(sheet: &Sheet) -> Vec<Need> {
        needs(sheet, &Typeface::new().unwrap())
    }

    #[test]
    fn words_give_way_and_numbers_do_not() {
        let columns =
            vec![Column::text("text", "说明"), Column::text("account", "账号"), Column::money("paid", "实发")];
        let long = "很长的说明".repeat(40);
        let needs =
            needs_of(&sheet(columns, vec![long.into(), "6217*******1234567".into(), Money(123_456_789).into()]));
        let digits = |n: u32| n * 555;
        assert_eq!(needs[0], Need { least: NARROW, good: WIDE, all: 200_000 });
        assert_eq!((needs[1].least, needs[1].good), (needs[1].all, needs[1].all));
        assert!(needs[2].least == needs[2].all && needs[2].least > digits(9), "{needs:?}");
        let fitted = fit(&needs, UPRIGHT, 100, 85).unwrap();
        assert_eq!(fitted.size, 100);
        assert!(fitted.widths[0] > fitted.widths[1] && fitted.widths[1] > fitted.widths[2], "{fitted:?}");
    }

    #[test]
    fn a_table_fills_its_page_and_never_leaves_it() {
        for count in 1..=40 {
            let columns = (0..count).map(|_| Column::money("paid", "实发")).collect();
            let needs = needs_of(&sheet(columns, vec![Money(123_456_789).into(); count]));
            let Some(fitted) = fit(&needs, ACROSS, 100, 80) else {
                assert!(count > 20, "{count} columns found no room");
                continue;
            };
            let width: u32 = fitted.widths.iter().sum();
            let slack = u32::try_from(count).unwrap();
            assert!(width <= ACROSS && width + slack >= ACROSS, "{count}: {width}");
            assert!((SMALLEST..=100).contains(&fitted.size), "{count}: {}", fitted.size);
            assert_eq!(is_good(&needs, ACROSS, 80), fitted.size >= 80);
        }
        let columns = (0..40).map(|_| Column::money("paid", "实发")).collect();
        assert_eq!(fit(&needs_of(&sheet(columns, vec![Money(123_456_789).into(); 40])), ACROSS, 100, 80), None);
    }

    #[test]
    fn a_run_without_a_place_to_break_gets_one() {
        let code = "a".repeat(100);
        let broken = breakable(&code);
        assert_eq!(broken.split(BREAK).map(str::len).collect::<Vec<_>>(), [40, 40, 20]);
        for text in [
            "652827196001011234",
            "很长的说明".repeat(20).as_str(),
            "pochan1995-2026-01-r1 and words".repeat(3).as_str(),
        ] {
            assert_eq!(breakable(text), text);
        }
    }
}
