//! A report as a value: titles, sheets, typed columns and cells. What it looks like on a screen,
//! in Excel or in a pipe is decided by `render`, so every report foots the same way everywhere.

use rust_decimal::Decimal;

use crate::domain::money::Money;

/// A report: one or more sheets under one title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Stable English code, also its name on the command line: `annual_summary`.
    pub code: &'static str,
    /// The title line.
    pub title: String,
    /// Lines under the title: agency, scheme, period, unit.
    pub subtitle: Vec<String>,
    /// The tables.
    pub sheets: Vec<Sheet>,
    /// Lines under everything.
    pub notes: Vec<String>,
}

/// One table of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Name of the worksheet, and of the CSV file when there are several.
    pub name: String,
    /// What each column holds.
    pub columns: Vec<Column>,
    /// The cells, row by row. A short row is filled up with empty cells.
    pub rows: Vec<Vec<Value>>,
    /// The last row, set apart by a line.
    pub total: Option<Vec<Value>>,
    /// Lines under the table.
    pub notes: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// English `snake_case` key for JSON, the same word as in the tables of the database.
    pub key: &'static str,
    /// What the clerk reads.
    pub title: String,
    /// What the cells are.
    pub kind: Kind,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words, and numbers nobody adds up: citizen numbers, accounts, periods.
    Text,
    /// How many.
    Count,
    /// Amounts in 元.
    Money,
    /// Amounts in 万元, rounded for printing.
    Wan,
    /// A share of a whole.
    Percent,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing to say. Not the same as zero.
    Empty,
    /// Words; also every number that must keep its leading zeros and its last digits.
    Text(String),
    /// How many.
    Count(i64),
    /// An exact amount.
    Money(Money),
    /// 万元.
    Wan(Decimal),
    /// A share: 0.9965 is 99.65 %.
    Percent(Decimal),
}

impl Sheet {
    /// The sum of every count and money column becomes the total row; `label` stands in its
    /// first column. Columns in 万元 and shares are not sums of what is printed: they stay empty,
    /// for the report to fill.
    pub fn total_of_columns(&mut self, label: &str) {
        let cells = |i: usize| self.rows.iter().filter_map(move |row| row.get(i));
        let sum = |(i, column): (usize, &Column)| match column.kind {
            _ if i == 0 => Value::from(label),
            Kind::Count => Value::Count(cells(i).map(|cell| if let Value::Count(n) = cell { *n } else { 0 }).sum()),
            Kind::Money => {
                Value::Money(cells(i).map(|cell| if let Value::Money(m) = cell { *m } else { Money::ZERO }).sum())
            }
            Kind::Text | Kind::Wan | Kind::Percent => Value::Empty,
        };
        self.total = Some(self.columns.iter().enumerate().map(sum).collect());
    }

    /// A row as wide as the table, whatever was given.
    pub(super) fn cells<'a>(&'a self, row: &'a [Value]) -> impl Iterator<Item = (&'a Column, &'a Value)> {
        self.columns.iter().zip(row.iter().chain(std::iter::repeat(&Value::Empty)))
    }

    /// The rows, and the total as the last of them.
    pub(super) fn rows_and_total(&self) -> impl Iterator<Item = &[Value]> {
        self.rows.iter().chain(&self.total).map(Vec::as_slice)
    }
}

impl Column {
    /// A column of words.
    pub fn text(key: &'static str, title: impl Into<String>) -> Column {
        Column { key, title: title.into(), kind: Kind::Text }
    }

    /// A column of counts.
    pub fn count(key: &'static str, title: impl Into<String>) -> Column {
        Column { key, title: title.into(), kind: Kind::Count }
    }

    /// A column of amounts in 元.
    pub fn money(key: &'static str, title: impl Into<String>) -> Column {
        Column { key, title: title.into(), kind: Kind::Money }
    }

    /// A column of amounts in 万元.
    pub fn wan(key: &'static str, title: impl Into<String>) -> Column {
        Column { key, title: title.into(), kind: Kind::Wan }
    }

    /// A column of shares.
    pub fn percent(key: &'static str, title: impl Into<String>) -> Column {
        Column { key, title: title.into(), kind: Kind::Percent }
    }
}

impl Kind {
    /// Whether cells stand on the right, digit under digit.
    #[must_use]
    pub fn is_number(self) -> bool {
        self != Kind::Text
    }
}

impl Value {
    /// For machines and CSV: no thousands separators.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Value::Empty => String::new(),
            Value::Text(text) => text.clone(),
            Value::Count(count) => count.to_string(),
            Value::Money(money) => money.to_string(),
            Value::Wan(wan) => two_decimals(*wan),
            Value::Percent(share) => format!("{}%", two_decimals(*share * Decimal::ONE_HUNDRED)),
        }
    }

    /// For people: amounts in groups of three digits.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Value::Money(money) => money.grouped(),
            other => other.plain(),
        }
    }
}

/// Rounds half away from zero, as Excel's number formats do, so that screen and workbook agree.
fn two_decimals(number: Decimal) -> String {
    use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    let mut rounded = number.round_dp_with_strategy(2, MidpointAwayFromZero);
    rounded.rescale(2);
    rounded.to_string()
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(count: i64) -> Value {
        Value::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Value {
        Value::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Value {
        Value::Money(money)
    }
}

/// `parts` and their `total` in 万元 to two decimals, each rounded for itself, and the rounding
/// line (四舍五入差额) that makes the column foot: Σ parts + difference = total, exactly.
///
/// `total` must be the sum of `parts` to the fen: a missing part must never hide in a rounding line.
#[must_use]
pub fn wan_with_rounding(parts: &[Money], total: Money) -> (Vec<Decimal>, Decimal, Decimal) {
    debug_assert_eq!(parts.iter().copied().sum::<Money>(), total, "a rounding line explains rounding only");
    let rounded: Vec<Decimal> = parts.iter().map(|part| part.wan_yuan()).collect();
    let total = total.wan_yuan();
    let difference = total - rounded.iter().sum::<Decimal>();
    (rounded, total, difference)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(parts: &[Money]) -> Money {
        parts.iter().copied().sum()
    }

    #[test]
    fn a_column_that_foots_needs_no_rounding_line() {
        let parts = [Money(28_800_000), Money(28_890_000), Money(28_900_000)];
        let (wan, total, difference) = wan_with_rounding(&parts, sum(&parts));
        assert_eq!(wan, ["28.80", "28.89", "28.90"].map(|t| t.parse().unwrap()));
        assert_eq!(total.to_string(), "86.59");
        assert_eq!(difference, Decimal::ZERO);
    }

    #[test]
    fn a_column_that_does_not_foot_gets_one() {
        // 28.804 + 28.894 + 28.904 = 86.602, printed 28.80 + 28.89 + 28.90 = 86.59 ≠ 86.60.
        let parts = [Money(28_804_000), Money(28_894_000), Money(28_904_000)];
        let (_, total, difference) = wan_with_rounding(&parts, sum(&parts));
        assert_eq!((total.to_string().as_str(), difference.to_string().as_str()), ("86.60", "0.01"));
        let parts = [Money(5_000), Money(5_000)];
        let (_, total, difference) = wan_with_rounding(&parts, sum(&parts));
        assert_eq!((total.to_string().as_str(), difference.to_string().as_str()), ("0.01", "-0.01"));
    }

    #[test]
    fn totals_are_of_counts_and_money_only() {
        let mut sheet = Sheet {
            name: "表".into(),
            columns: vec![
                Column::text("period", "月份"),
                Column::count("people", "人数"),
                Column::money("paid", "金额"),
                Column::wan("paid_wan", "万元"),
            ],
            rows: vec![
                vec!["2026-01".into(), 200_i64.into(), Money(2_400_050).into(), Value::Wan(Decimal::TWO)],
                vec!["2026-02".into(), 3_usize.into(), Value::Empty],
                vec!["2026-03".into(), Value::Empty, Money(-50).into()],
            ],
            total: None,
            notes: Vec::new(),
        };
        sheet.total_of_columns("合计");
        let expected = vec!["合计".into(), 203_i64.into(), Money(2_400_000).into(), Value::Empty];
        assert_eq!(sheet.total, Some(expected));
    }

    #[test]
    fn cells_for_people_and_for_machines() {
        let percent = Value::Percent("0.9965".parse().unwrap());
        assert_eq!((percent.shown(), percent.plain()), ("99.65%".into(), "99.65%".into()));
        let money = Value::Money(Money(28_800_000));
        assert_eq!((money.shown(), money.plain()), ("288,000.00".into(), "288000.00".into()));
        assert_eq!(Value::Wan("28.8".parse().unwrap()).shown(), "28.80");
        assert_eq!(Value::Empty.shown(), "");
    }

    proptest! {
        #[test]
        fn a_column_in_wan_always_foots(fen in prop::collection::vec(-1_000_000_000_000_i64..=1_000_000_000_000, 0..40)) {
            let parts: Vec<Money> = fen.into_iter().map(Money).collect();
            let (wan, total, difference) = wan_with_rounding(&parts, sum(&parts));
            prop_assert_eq!(wan.iter().sum::<Decimal>() + difference, total);
            prop_assert_eq!(total, sum(&parts).wan_yuan());
            // No more than half a cent of 万元 per number that was rounded.
            prop_assert!(difference.abs() <= Decimal::new(5, 3) * Decimal::from(parts.len() + 1));
        }
    }
}
