//! The rules of a scheme file that are words or small tables.

use serde::Deserialize;

use crate::domain::pay_day::{PayDay, Shift};
use crate::domain::scheme::{
    AmountRule, BackPay, Certification, Payees, Publicity, Release, Rounding, RoundingDirection, SecondPerson,
    StartMonth, StopMonth,
};
use crate::formats::faults::Faults;

pub const RELEASES: &[(&str, Release)] = &[
    ("monthly", Release::Monthly),
    ("quarterly", Release::Quarterly),
    ("half_yearly", Release::HalfYearly),
    ("yearly", Release::Yearly),
    ("once", Release::Once),
];

pub const PAYEES: &[(&str, Payees)] = &[("persons", Payees::Persons), ("units", Payees::Units)];

pub const AMOUNTS: &[(&str, AmountRule)] =
    &[("standard", AmountRule::Standard), ("individual", AmountRule::Individual)];

pub const BACK_PAYS: &[(&str, BackPay)] = &[("paid", BackPay::Paid), ("forfeited", BackPay::Forfeited)];

pub const START_MONTHS: &[(&str, StartMonth)] = &[
    ("whole", StartMonth::Whole),
    ("next", StartMonth::Next),
    ("calendar_days", StartMonth::CalendarDays),
    ("thirty_days", StartMonth::ThirtyDays),
];

pub const STOP_MONTHS: &[(&str, StopMonth)] = &[
    ("paid", StopMonth::Paid),
    ("not_paid", StopMonth::NotPaid),
    ("calendar_days", StopMonth::CalendarDays),
    ("thirty_days", StopMonth::ThirtyDays),
];

const UNITS: &[(&str, i64)] = &[("0.01", 1), ("0.10", 10), ("1.00", 100)];

const DIRECTIONS: &[(&str, RoundingDirection)] =
    &[("half_up", RoundingDirection::HalfUp), ("up", RoundingDirection::Up), ("down", RoundingDirection::Down)];

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct RoundingTable {
    unit: Option<String>,
    direction: Option<String>,
}

const SHIFTS: &[(&str, Shift)] = &[("earlier", Shift::Earlier), ("later", Shift::Later)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayDayTable {
    day: u32,
    closed: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificationTable {
    cycle_months: Option<i32>,
    warning_months: Option<i32>,
    back_pay: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct PublicityTable {
    days_before_approval: Option<i64>,
    #[serde(default)]
    result: bool,
}

pub fn rounding(table: &RoundingTable, faults: &mut Faults) -> Rounding {
    let unit = table.unit.as_deref();
    let direction = table.direction.as_deref();
    Rounding {
        unit_fen: faults.word("rounding.unit", unit, UNITS, Rounding::FEN.unit_fen),
        direction: faults.word("rounding.direction", direction, DIRECTIONS, Rounding::FEN.direction),
    }
}

/// Which way the day moves must be said: offices do it either way.
pub fn pay_day(table: &PayDayTable, faults: &mut Faults) -> Option<PayDay> {
    let day = faults.number("pay_day.day", Some(table.day), 1, 31);
    let closed = table.closed.as_deref();
    faults.need("pay_day.closed", closed, "没有写，应为 earlier 或 later");
    let shift = faults.word("pay_day.closed", closed, SHIFTS, Shift::Earlier);
    Some(PayDay { day: day?, shift })
}

/// What the table leaves out is the usual rule: twelve months, three of warning, months paid back.
pub fn certification(table: &CertificationTable, faults: &mut Faults) -> Certification {
    let cycle = table.cycle_months.unwrap_or(12);
    let warning = table.warning_months.unwrap_or(3.min(cycle));
    faults.number("certification.cycle_months", Some(cycle), 1, 120);
    faults.number("certification.warning_months", Some(warning), 0, cycle.clamp(1, 120));
    let back_pay = table.back_pay.as_deref();
    Certification {
        cycle_months: cycle,
        warning_months: warning,
        back_pay: faults.word("certification.back_pay", back_pay, BACK_PAYS, BackPay::Paid),
    }
}

pub fn publicity(table: &PublicityTable, faults: &mut Faults) -> Publicity {
    let days = faults.number("publicity.days_before_approval", table.days_before_approval, 1, 365);
    Publicity { days_before_approval: days, result: table.result }
}

pub fn second_person(words: &[String], faults: &mut Faults) -> SecondPerson {
    let mut second = SecondPerson::default();
    for word in words {
        match word.as_str() {
            "rosters" => second.rosters = true,
            "changes" => second.changes = true,
            other => faults.note("second_person", &format!("“{other}”，应为 rosters、changes")),
        }
    }
    second
}
