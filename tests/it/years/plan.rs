//! What happens in a generated year: its setting and, month by month, what the office is asked to do.
//!
//! Operations hold picks, not objects: which person or run a pick means is decided when it is done,
//! so that a failing year stays a year when operations are taken out of it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Months of a generated year: it runs into the spring of the next.
pub const MONTHS: usize = 14;

/// A generated year.
#[derive(Debug, Clone)]
pub struct Plan {
    pub setting: Setting,
    pub months: Vec<Vec<Op>>,
}

/// What the year begins with.
#[expect(clippy::struct_excessive_bools, reason = "each is one word of a scheme file")]
#[derive(Debug, Clone)]
pub struct Setting {
    /// People on the first roster.
    pub people: usize,
    /// Monthly fen per category; one or two.
    pub rates: Vec<i64>,
    /// Month (from 0) from which the first category gets so much more.
    pub rise: Option<(usize, i64)>,
    pub quarterly: bool,
    pub back_pay: bool,
    pub stop_month_paid: bool,
    /// Appropriations, each in per cent of what the year will cost.
    pub pots: Vec<i64>,
    /// The scheme lists its appropriations in the opposite order of their loading.
    pub reversed: bool,
    /// Rows per payment file.
    pub row_limit: usize,
    pub seed: u64,
}

/// Something the office is asked to do.
#[derive(Debug, Clone)]
pub enum Op {
    /// The next steps of runs under way: sign, issue, answer.
    Advance {
        steps: usize,
        seed: u64,
    },
    Prepare {
        how: usize,
    },
    SendBack {
        pick: usize,
        seed: u64,
    },
    Cancel {
        pick: usize,
        seed: u64,
    },
    IssueAgain {
        pick: usize,
    },
    /// Bytes that were taken in before.
    AnswerAgain {
        pick: usize,
    },
    /// A further partial return.
    Second {
        pick: usize,
        seed: u64,
    },
    Late {
        pick: usize,
        seed: u64,
    },
    /// An answer that must be refused as a whole.
    BadAnswer {
        pick: usize,
        how: usize,
    },
    Stop {
        who: usize,
        months: i32,
        reason: usize,
    },
    Suspend {
        who: usize,
        months: i32,
    },
    Resume {
        who: usize,
        months: i32,
    },
    Account {
        who: usize,
        how: usize,
    },
    ClearHold {
        pick: usize,
    },
    Import {
        seed: u64,
    },
    Reload {
        how: usize,
        month: usize,
        fen: i64,
    },
    Adjust {
        pick: usize,
        percent: i64,
    },
    NextYearsMoney {
        percent: i64,
    },
    /// Any step of any run by anyone.
    Anyone {
        seed: u64,
    },
    /// One clerk gets another post.
    Role {
        to: usize,
    },
    /// Frozen payments are changed behind the program's back.
    Tamper {
        pick: usize,
        field: usize,
    },
    Explain {
        pick: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let pick = 0..64_usize;
    prop_oneof![
        30 => (1..8_usize, any::<u64>()).prop_map(|(steps, seed)| Op::Advance { steps, seed }),
        7 => (0..8_usize).prop_map(|how| Op::Prepare { how }),
        2 => (pick.clone(), any::<u64>()).prop_map(|(pick, seed)| Op::SendBack { pick, seed }),
        2 => (pick.clone(), any::<u64>()).prop_map(|(pick, seed)| Op::Cancel { pick, seed }),
        2 => pick.clone().prop_map(|pick| Op::IssueAgain { pick }),
        2 => pick.clone().prop_map(|pick| Op::AnswerAgain { pick }),
        5 => (pick.clone(), any::<u64>()).prop_map(|(pick, seed)| Op::Second { pick, seed }),
        4 => (pick.clone(), any::<u64>()).prop_map(|(pick, seed)| Op::Late { pick, seed }),
        3 => (pick.clone(), 0..7_usize).prop_map(|(pick, how)| Op::BadAnswer { pick, how }),
        3 => (0..9_usize, -4..3_i32, 0..4_usize).prop_map(|(who, months, reason)| Op::Stop { who, months, reason }),
        3 => (0..9_usize, -2..2_i32).prop_map(|(who, months)| Op::Suspend { who, months }),
        4 => (0..9_usize, -2..2_i32).prop_map(|(who, months)| Op::Resume { who, months }),
        4 => (0..9_usize, 0..12_usize).prop_map(|(who, how)| Op::Account { who, how }),
        5 => pick.clone().prop_map(|pick| Op::ClearHold { pick }),
        4 => any::<u64>().prop_map(|seed| Op::Import { seed }),
        2 => (0..8_usize, 0..MONTHS, -3_000..5_000_i64).prop_map(|(how, month, fen)| Op::Reload { how, month, fen }),
        2 => (pick.clone(), -40..40_i64).prop_map(|(pick, percent)| Op::Adjust { pick, percent }),
        1 => (5..40_i64).prop_map(|percent| Op::NextYearsMoney { percent }),
        5 => any::<u64>().prop_map(|seed| Op::Anyone { seed }),
        2 => (0..3_usize).prop_map(|to| Op::Role { to }),
        1 => (pick.clone(), 0..5_usize).prop_map(|(pick, field)| Op::Tamper { pick, field }),
        1 => pick.prop_map(|pick| Op::Explain { pick }),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    let money = (vec(8_000..20_000_i64, 1..3), option::of((1..12_usize, 1..4_000_i64)), vec(10..70_i64, 1..4));
    let words = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (3..9_usize, money, words, prop_oneof![Just(1000_usize), 1..4_usize], any::<u64>()).prop_map(
        |(people, (rates, rise, pots), (quarterly, back_pay, stop_month_paid, reversed), row_limit, seed)| Setting {
            people,
            rates,
            rise,
            quarterly,
            back_pay,
            stop_month_paid,
            pots,
            reversed,
            row_limit,
            seed,
        },
    )
}

/// Any year.
pub fn plan() -> impl Strategy<Value = Plan> {
    (setting(), vec(vec(op(), 2..7), MONTHS)).prop_map(|(setting, months)| Plan { setting, months })
}
