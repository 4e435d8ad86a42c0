//! Money: whole fen in an `i64`, never a float. 1 元 = 100 fen, 1 万元 = 1,000,000 fen.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use super::text::folded;

/// An amount in fen. May be negative (a reversal, a difference).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Nothing but blanks.
    #[error("金额为空")]
    Empty,
    /// A character that no amount has.
    #[error("“{0}”不是金额")]
    NotANumber(String),
    /// More precise than a fen.
    #[error("“{0}”的小数超过两位（分）")]
    TooPrecise(String),
    /// Thousands separators that do not stand every three digits: perhaps a decimal comma.
    #[error("“{0}”的千位分隔符位置不对")]
    Separators(String),
    /// Larger than a payment, or than an appropriation, could be.
    #[error("“{0}”超出金额上限")]
    TooLarge(String),
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// Largest magnitude of what is paid to one: 10,000,000,000.00 元. Sums over any roster stay inside `i64`.
    const LARGEST_FEN: i64 = 1_000_000_000_000;

    /// Largest magnitude of a total: 10,000,000,000,000.00 元, more than a nation pays in a year.
    const LARGEST_TOTAL_FEN: i64 = 1_000_000_000_000_000;

    /// Reads an amount in 元 as banks and clerks write it: `120`, `120.00`, `.01`, `1,234.00`,
    /// `0.01元`, `１２０`, with blanks around. (Each form was found in a real bank's answer.)
    ///
    /// # Errors
    /// When the text is empty, has another character, more than two decimals that are not zero,
    /// misplaced separators, or is beyond the limit. Nothing is ever rounded or guessed.
    pub fn parse(text: &str) -> Result<Money, MoneyError> {
        Self::parse_up_to(text, Self::LARGEST_FEN)
    }

    /// The same for what many are paid together: a total, an appropriation.
    ///
    /// # Errors
    /// As [`Money::parse`], with a limit a thousand times as high.
    pub fn parse_total(text: &str) -> Result<Money, MoneyError> {
        Self::parse_up_to(text, Self::LARGEST_TOTAL_FEN)
    }

    fn parse_up_to(text: &str, largest_fen: i64) -> Result<Money, MoneyError> {
        if let Some(fen) = plain_fen(text).filter(|fen| *fen <= largest_fen) {
            return Ok(Money(fen));
        }
        let shown = || text.trim().to_string();
        let folded = folded(text);
        let folded = folded.strip_suffix('元').unwrap_or(&folded);
        let folded = folded.strip_prefix(['¥', '￥']).unwrap_or(folded);
        let (negative, digits) = match folded.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, folded),
        };
        if digits.is_empty() {
            return Err(if negative { MoneyError::NotANumber(shown()) } else { MoneyError::Empty });
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if !fraction.bytes().all(|b| b.is_ascii_digit())
            || !whole.bytes().all(|b| b.is_ascii_digit() || b == b',')
            || (whole.is_empty() && fraction.is_empty())
        {
            return Err(MoneyError::NotANumber(shown()));
        }
        let whole = Self::without_separators(whole).ok_or_else(|| MoneyError::Separators(shown()))?;
        let kept = fraction.trim_end_matches('0');
        if kept.len() > 2 {
            return Err(MoneyError::TooPrecise(shown()));
        }
        let yuan: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| MoneyError::TooLarge(shown()))? };
        let cents: i64 = format!("{kept:0<2}").parse().map_err(|_| MoneyError::NotANumber(shown()))?;
        let fen = yuan
            .checked_mul(100)
            .and_then(|f| f.checked_add(cents))
            .filter(|f| *f <= largest_fen)
            .ok_or_else(|| MoneyError::TooLarge(shown()))?;
        Ok(Money(if negative { -fen } else { fen }))
    }

    fn without_separators(whole: &str) -> Option<String> {
        if !whole.contains(',') {
            return Some(whole.to_string());
        }
        let groups: Vec<&str> = whole.split(',').collect();
        let well_formed = (1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|g| g.len() == 3);
        well_formed.then(|| groups.concat())
    }

    /// The fen.
    pub const fn fen(self) -> i64 {
        self.0
    }

    /// `n` times this amount.
    ///
    /// # Panics
    /// Never for amounts of the office: limits are checked when amounts are read.
    pub const fn times(self, n: i64) -> Money {
        Money(self.0 * n)
    }

    /// True for nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The amount if positive, else nothing.
    pub fn at_least_zero(self) -> Money {
        self.max(Money::ZERO)
    }

    /// 元 with two decimals and thousands separators, for people: `288,000.00`.
    pub fn grouped(self) -> String {
        let plain = self.to_string();
        let (sign, plain) = plain.strip_prefix('-').map_or(("", plain.as_str()), |p| ("-", p));
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "00"));
        let mut grouped = String::with_capacity(plain.len() + 4);
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        format!("{sign}{grouped}.{fraction}")
    }

    /// 元, exact.
    pub fn yuan(self) -> Decimal {
        Decimal::new(self.0, 2)
    }

    /// 万元 rounded half up (away from zero) to two decimals, as budget tables print it.
    pub fn wan_yuan(self) -> Decimal {
        let mut wan = Decimal::new(self.0, 6).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        wan.rescale(2);
        wan
    }

    /// Capital numerals for paper (大写), after the People's Bank's rules for filling in
    /// settlement vouchers (正确填写票据和结算凭证的基本规定): 整 after 元 and 角, none after 分;
    /// one 零 for any run of zeros between digits, and where 角 is missing before 分.
    pub fn capitals(self) -> String {
        const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];
        const UNITS: [&str; 4] = ["", "拾", "佰", "仟"];
        const SECTIONS: [&str; 4] = ["", "万", "亿", "万亿"];
        let digit = |n: u64| DIGITS[usize::try_from(n % 10).unwrap_or(0)];
        let fen = self.0.unsigned_abs();
        let (yuan, jiao, cent) = (fen / 100, fen / 10 % 10, fen % 10);
        let mut text = String::from(if self.0 < 0 { "负" } else { "" });
        if yuan > 0 {
            let mut pending_zero = false;
            for section in (0..4_u32).rev() {
                let value = yuan / 10_u64.pow(section * 4) % 10_000;
                for place in (0..4_u32).rev() {
                    let d = value / 10_u64.pow(place) % 10;
                    if d == 0 {
                        pending_zero = true;
                        continue;
                    }
                    if pending_zero && text.chars().any(|c| c != '负') {
                        text.push('零');
                    }
                    pending_zero = false;
                    text.push(digit(d));
                    text.push_str(UNITS[place as usize]);
                }
                if value > 0 {
                    text.push_str(SECTIONS[section as usize]);
                }
            }
            text.push('元');
        }
        match (jiao, cent) {
            (0, 0) if yuan == 0 => text.push_str("零元整"),
            (0, 0) => text.push('整'),
            (j, 0) => {
                text.push(digit(j));
                text.push_str("角整");
            }
            (0, c) => {
                if yuan > 0 {
                    text.push('零');
                }
                text.push(digit(c));
                text.push('分');
            }
            (j, c) => {
                text.push(digit(j));
                text.push('角');
                text.push(digit(c));
                text.push('分');
            }
        }
        text
    }
}

/// Fen of an amount written as nearly all are, `120.00`; none for any other text.
fn plain_fen(text: &str) -> Option<i64> {
    let (yuan, cents) = text.as_bytes().split_last_chunk::<3>()?;
    let &[b'.', tens, ones] = cents else { return None };
    // With fifteen digits before the point nothing overflows.
    if yuan.is_empty() || yuan.len() > 15 {
        return None;
    }
    yuan.iter()
        .chain(&[tens, ones])
        .try_fold(0, |fen, digit| digit.is_ascii_digit().then(|| fen * 10 + i64::from(digit - b'0')))
}

/// 元 with two decimals, no separators: what bank files carry. `0.05`, `-120.00`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fen = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", fen / 100, fen % 100)
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        self.0 += other.0;
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        self.0 -= other.0;
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_many_are_paid_together_may_be_a_thousand_times_as_much_as_what_one_is() {
        let (million_pensioners, too_much) = ("42000000000.00", "10000000000000.01");
        assert_eq!(Money::parse_total(million_pensioners), Ok(Money(4_200_000_000_000)));
        assert_eq!(Money::parse(million_pensioners), Err(MoneyError::TooLarge(million_pensioners.into())));
        assert_eq!(Money::parse_total("10000000000000.00"), Ok(Money(1_000_000_000_000_000)));
        assert_eq!(Money::parse_total(too_much), Err(MoneyError::TooLarge(too_much.into())));
    }

    #[test]
    fn amounts_as_banks_write_them() {
        for (text, fen) in [
            ("120", 12_000),
            ("120.00", 12_000),
            (".01", 1),
            ("0.01元", 1),
            ("1,234.00", 123_400),
            ("1,234.00元", 123_400),
            ("１２０", 12_000),
            ("１，２３４．５０", 123_450),
            ("  120.5 ", 12_050),
            ("360.30", 36_030),
            ("120.100", 12_010),
            ("-120.00", -12_000),
            ("2001.5", 200_150),
            ("12,345,678.90", 1_234_567_890),
            ("0", 0),
            ("5.", 500),
        ] {
            assert_eq!(Money::parse(text), Ok(Money(fen)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "  ",
            "abc",
            "12O",
            "1.2.3",
            ".",
            "-",
            "--1",
            "1e5",
            "120.005",
            "12,34.00",
            "1,2345",
            ",123",
            "99999999999999999999",
            "+5",
            "一百",
        ] {
            assert!(Money::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn capitals_follow_the_rules_for_vouchers() {
        for (fen, text) in [
            (0, "零元整"),
            (1, "壹分"),
            (10, "壹角整"),
            (12, "壹角贰分"),
            (100, "壹元整"),
            (105, "壹元零伍分"),
            (110, "壹元壹角整"),
            (12_000, "壹佰贰拾元整"),
            (100_000, "壹仟元整"),
            (100_500, "壹仟零伍元整"),
            (1_001_000, "壹万零壹拾元整"),
            (2_400_000, "贰万肆仟元整"),
            (28_800_000, "贰拾捌万捌仟元整"),
            (28_890_000, "贰拾捌万捌仟玖佰元整"),
            (1_000_000_000, "壹仟万元整"),
            (1_000_010_000, "壹仟万零壹佰元整"),
            (10_000_000_000, "壹亿元整"),
            (10_000_000_100, "壹亿零壹元整"),
            (10_000_100_000, "壹亿零壹仟元整"),
            (123_456_789, "壹佰贰拾叁万肆仟伍佰陆拾柒元捌角玖分"),
            (-12_000, "负壹佰贰拾元整"),
            (100_010_000_000_000, "壹万亿零壹亿元整"),
        ] {
            assert_eq!(Money(fen).capitals(), text, "{fen}");
        }
    }

    #[test]
    fn wan_yuan_is_rounded_half_up_for_printing_only() {
        assert_eq!(Money(28_890_000).wan_yuan().to_string(), "28.89");
        assert_eq!(Money(5_000).wan_yuan().to_string(), "0.01");
        assert_eq!(Money(4_999).wan_yuan().to_string(), "0.00");
        assert_eq!(Money(-5_000).wan_yuan().to_string(), "-0.01");
    }

    #[test]
    fn grouping() {
        assert_eq!(Money(28_800_000).grouped(), "288,000.00");
        assert_eq!(Money(99).grouped(), "0.99");
        assert_eq!(Money(-123_456_789).grouped(), "-1,234,567.89");
    }

    proptest! {
        #[test]
        fn what_we_write_we_read_back(fen in -1_000_000_000_000_i64..=1_000_000_000_000) {
            prop_assert_eq!(Money::parse(&Money(fen).to_string()), Ok(Money(fen)));
            prop_assert_eq!(Money::parse(&Money(fen).grouped()), Ok(Money(fen)));
        }

        #[test]
        fn an_amount_in_the_usual_form_is_read_like_any_other(text in "[0-9]{0,17}[.,]?[0-9]{0,3}") {
            // A blank is not in the usual form.
            prop_assert_eq!(Money::parse(&text), Money::parse(&format!(" {text}")));
            prop_assert_eq!(Money::parse_total(&text), Money::parse_total(&format!(" {text}")));
        }

        #[test]
        fn any_text_is_an_amount_or_a_reason(text in ".{0,24}") {
            let _ = Money::parse(&text);
        }
    }
}
