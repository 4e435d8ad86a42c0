//! Appropriations (预算指标) and their postings (指标流水).

use serde::Serialize;

use super::money::Money;
use super::scheme::{Expenditure, Source};

/// Money allowed by one document for one purpose, and where it stands.
/// Always `appropriated = available + reserved + paid`, none of them negative.
#[derive(Debug, Clone)]
pub struct Appropriation {
    /// Number within the agency.
    pub no: i64,
    /// Budget year.
    pub year: i32,
    /// 指标文号.
    pub document: String,
    /// Scheme that may draw it; empty when no scheme of this engine does.
    pub scheme_code: String,
    /// 项目名称.
    pub project: String,
    /// 功能科目.
    pub function_code: String,
    /// 部门经济科目.
    pub economic_code: String,
    /// 资金来源.
    pub source: Source,
    /// 支出类别.
    pub expenditure: Expenditure,
    /// Sum of appropriate and adjust postings.
    pub appropriated: Money,
    /// Free to be reserved.
    pub available: Money,
    /// Promised to approved runs whose outcome is not known.
    pub reserved: Money,
    /// Credited to people, net of what came back.
    pub paid: Money,
}

/// Kind of a posting, with what it does to available / reserved / paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingKind {
    /// 年初下达: + available.
    Appropriate,
    /// 追加、调减、收回 (signed): ± available.
    Adjust,
    /// 审批占用: available → reserved.
    Reserve,
    /// 释放占用 (rejected, withheld, cancelled): reserved → available.
    Release,
    /// 支付 (credited): reserved → paid.
    Pay,
    /// 退回 (late return): paid → available.
    GiveBack,
}

impl PostingKind {
    /// Every kind.
    pub const ALL: [PostingKind; 6] = [
        PostingKind::Appropriate,
        PostingKind::Adjust,
        PostingKind::Reserve,
        PostingKind::Release,
        PostingKind::Pay,
        PostingKind::GiveBack,
    ];

    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            PostingKind::Appropriate => "appropriate",
            PostingKind::Adjust => "adjust",
            PostingKind::Reserve => "reserve",
            PostingKind::Release => "release",
            PostingKind::Pay => "pay",
            PostingKind::GiveBack => "give_back",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            PostingKind::Appropriate => "下达",
            PostingKind::Adjust => "调整",
            PostingKind::Reserve => "占用",
            PostingKind::Release => "释放",
            PostingKind::Pay => "支付",
            PostingKind::GiveBack => "退回",
        }
    }

    /// Effect of one fen: (appropriated, available, reserved, paid).
    pub fn effect(self) -> (i64, i64, i64, i64) {
        match self {
            PostingKind::Appropriate | PostingKind::Adjust => (1, 1, 0, 0),
            PostingKind::Reserve => (0, -1, 1, 0),
            PostingKind::Release => (0, 1, -1, 0),
            PostingKind::Pay => (0, 0, -1, 1),
            PostingKind::GiveBack => (0, 1, 0, -1),
        }
    }
}

/// A stretch of a run's money drawn from one appropriation: the fen `[from, to)` when the run's
/// payments are laid end to end in line order. So the source of every fen is known, and a rejected
/// payment gives back to the appropriation it came from, without a row per payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Appropriation drawn.
    pub appropriation_no: i64,
    /// First fen, counted from 0.
    pub from_fen: i64,
    /// One after the last fen.
    pub to_fen: i64,
}

/// How much of the stretch `[offset, offset + amount)` falls on each draw.
pub fn split_over_draws(draws: &[Draw], offset: Money, amount: Money) -> Vec<(i64, Money)> {
    draws
        .iter()
        .filter_map(|d| {
            let shared = d.to_fen.min(offset.0 + amount.0) - d.from_fen.max(offset.0);
            (shared > 0).then_some((d.appropriation_no, Money(shared)))
        })
        .collect()
}

/// Lays `total` over appropriations in order, each giving at most what it has available.
///
/// # Errors
/// The amount missing when all together do not suffice.
pub fn draw_in_order(available: &[(i64, Money)], total: Money) -> Result<Vec<Draw>, Money> {
    let mut draws = Vec::new();
    let mut at = Money::ZERO;
    for &(appropriation_no, free) in available {
        let take = free.at_least_zero().min(total - at);
        if take > Money::ZERO {
            draws.push(Draw { appropriation_no, from_fen: at.0, to_fen: (at + take).0 });
            at += take;
        }
    }
    if at == total { Ok(draws) } else { Err(total - at) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn drawn_in_order_and_the_missing_amount_is_named() {
        let available = [(1, Money(100)), (2, Money(50))];
        assert_eq!(
            draw_in_order(&available, Money(120)),
            Ok(vec![
                Draw { appropriation_no: 1, from_fen: 0, to_fen: 100 },
                Draw { appropriation_no: 2, from_fen: 100, to_fen: 120 }
            ])
        );
        assert_eq!(draw_in_order(&available, Money(151)), Err(Money(1)));
        assert_eq!(draw_in_order(&available, Money::ZERO), Ok(vec![]));
    }

    #[test]
    fn a_payment_on_the_border_is_split() {
        let draws = draw_in_order(&[(1, Money(100)), (2, Money(50))], Money(120)).unwrap();
        assert_eq!(split_over_draws(&draws, Money(90), Money(20)), vec![(1, Money(10)), (2, Money(10))]);
        assert_eq!(split_over_draws(&draws, Money(0), Money(30)), vec![(1, Money(30))]);
    }

    proptest! {
        #[test]
        fn every_fen_of_a_run_has_one_source(amounts in prop::collection::vec(1..10_000_i64, 1..40), parts in prop::collection::vec(0..200_000_i64, 1..5)) {
            let total: i64 = amounts.iter().sum();
            let available: Vec<(i64, Money)> = (1..).zip(parts.iter().map(|p| Money(*p))).collect();
            match draw_in_order(&available, Money(total)) {
                Err(missing) => prop_assert_eq!(missing.0, total - parts.iter().sum::<i64>()),
                Ok(draws) => {
                    let mut used = vec![0_i64; parts.len() + 1];
                    let mut offset = 0;
                    for amount in &amounts {
                        let split = split_over_draws(&draws, Money(offset), Money(*amount));
                        prop_assert_eq!(split.iter().map(|(_, m)| m.0).sum::<i64>(), *amount);
                        for (no, money) in split { used[usize::try_from(no).unwrap()] += money.0; }
                        offset += amount;
                    }
                    for (no, free) in available { prop_assert!(used[usize::try_from(no).unwrap()] <= free.0); }
                }
            }
        }
    }
}
