//! The ledger of a scheme's months: for every person and month what is owed, what became of it, and
//! why what is missing is missing. All other reports are views of it.

use std::collections::HashMap;

use serde::Serialize;

use crate::calculation::claim::{Claim, claim};
use crate::domain::baseline::ClaimSum;
use crate::domain::enrolment::Enrolment;
use crate::domain::hold::Hold;
use crate::domain::money::Money;
use crate::domain::payment::PaymentState;
use crate::domain::period::Period;
use crate::domain::run::Run;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::cover::{self, MonthSum, Trace};
use crate::storage::engine::Tx;
use crate::storage::recovery::Moved;
use crate::storage::{enrolment, hold, recovery, run};

/// A scheme's people over some months of one year.
#[derive(Debug)]
pub struct Ledger {
    /// The scheme in force.
    pub scheme: Scheme,
    /// Months, in order.
    pub months: Vec<Period>,
    /// People in roster order.
    pub people: Vec<PersonYear>,
    /// Sums by month, run and state, counted payment by payment: a second way to the same figures.
    pub sums: Vec<MonthSum>,
    /// What recoveries did to each month, counted in the same way.
    pub moved: HashMap<Period, Moved>,
}

/// One person's months.
#[derive(Debug)]
pub struct PersonYear {
    /// The enrolment.
    pub enrolment: Enrolment,
    /// The hold on the person, if there is one.
    pub hold: Option<Hold>,
    /// One per month of the ledger.
    pub months: Vec<PersonMonth>,
}

/// One person's month.
#[derive(Debug)]
pub struct PersonMonth {
    /// The month.
    pub period: Period,
    /// What is owed.
    pub claim: Claim,
    /// Credited and not returned.
    pub credited: Money,
    /// Planned, approved or sent: outcome unknown.
    pub in_flight: Money,
    /// What recoveries took from it or put into it.
    pub moved: Moved,
    /// Every attempt, in order.
    pub traces: Vec<Trace>,
}

/// Why a claim is not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Uncovered {
    /// The person is on hold.
    Held,
    /// The bank rejected the last attempt.
    Rejected,
    /// The last attempt came back after success.
    Returned,
    /// The last attempt was withheld at issue.
    Withheld,
    /// No run has it yet.
    NotPrepared,
}

impl Uncovered {
    /// Why a month is not covered, by a hold on the person and the last payment of it that failed.
    pub fn because(is_held: bool, failed: Option<PaymentState>) -> Uncovered {
        match (is_held, failed) {
            (true, _) => Uncovered::Held,
            (false, Some(PaymentState::Rejected)) => Uncovered::Rejected,
            (false, Some(PaymentState::Returned)) => Uncovered::Returned,
            (false, Some(PaymentState::Withheld)) => Uncovered::Withheld,
            (false, _) => Uncovered::NotPrepared,
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            Uncovered::Held => "暂停支付",
            Uncovered::Rejected => "回盘失败待补发",
            Uncovered::Returned => "退票待补发",
            Uncovered::Withheld => "报盘时暂缓",
            Uncovered::NotPrepared => "尚未计算",
        }
    }
}

impl PersonMonth {
    /// In flight and credited, less what was recovered, and with what was offset into it.
    pub fn covered(&self) -> Money {
        self.credited + self.in_flight - self.moved.recovered + self.moved.offset_in
    }

    /// Owed and not covered.
    pub fn uncovered(&self) -> Money {
        (self.claim.amount() - self.covered()).at_least_zero()
    }

    /// Covered and not owed.
    pub fn overpaid(&self) -> Money {
        (self.covered() - self.claim.amount()).at_least_zero()
    }

    /// Covered and not owed, less what was written off.
    pub fn to_recover(&self) -> Money {
        (self.overpaid() - self.moved.written_off).at_least_zero()
    }

    /// Why it is not covered; `None` when it is.
    pub fn why_uncovered(&self, hold: Option<&Hold>) -> Option<Uncovered> {
        if self.uncovered().is_zero() {
            return None;
        }
        let failed = self.traces.iter().map(|t| t.state).rfind(|state| !state.covers());
        Some(Uncovered::because(hold.is_some(), failed))
    }
}

impl Ledger {
    /// Reads the months of a year up to the later of the business month and the last run; or one month.
    ///
    /// # Errors
    /// When there is no such scheme.
    pub async fn read(
        tx: &mut Tx,
        office: &Office,
        scheme_code: &str,
        year: i32,
        only: Option<Period>,
    ) -> Result<Ledger, Failure> {
        let (scheme, _) = office.scheme(tx, scheme_code).await?;
        let agency = office.agency_code.as_str();
        let runs = run::list(tx, agency, Some(scheme_code)).await?;
        let months = months(office, &scheme, &runs, year, only);
        let (Some(first), Some(last)) = (months.first().copied(), months.last().copied()) else {
            return Ok(Ledger { scheme, months, people: Vec::new(), sums: Vec::new(), moved: HashMap::new() });
        };
        let enrolments = enrolment::of_scheme(tx, agency, scheme_code).await?;
        let mut holds = hold::open_by_person(tx, agency).await?;
        let mut traces: HashMap<(i64, Period), Vec<Trace>> = HashMap::new();
        for trace in cover::traces(tx, agency, scheme_code, first, last).await? {
            traces.entry((trace.enrolment_no, trace.period)).or_default().push(trace);
        }
        let sums = cover::by_month(tx, agency, scheme_code, first, last).await?;
        let by_month = recovery::by_month(tx, agency, scheme_code, first, last).await?;
        let moved = recovery::moved(tx, agency).await?;
        let people = enrolments
            .into_iter()
            .map(|enrolment| {
                let months = months.iter().map(|&period| {
                    let own = traces.remove(&(enrolment.no, period)).unwrap_or_default();
                    let moved = moved.get(&(enrolment.no, period)).copied().unwrap_or_default();
                    person_month(&scheme, &enrolment, period, own, moved)
                });
                let months = months.collect();
                let hold = holds.remove(&enrolment.beneficiary_no).map(|(hold, _)| hold);
                PersonYear { enrolment, hold, months }
            })
            .collect();
        Ok(Ledger { scheme, months, people, sums, moved: by_month })
    }

    /// All people's entries of one month.
    pub fn of_month(&self, period: Period) -> impl Iterator<Item = (&PersonYear, &PersonMonth)> {
        self.people.iter().flat_map(move |p| p.months.iter().filter(move |m| m.period == period).map(move |m| (p, m)))
    }

    /// All people's entries of all months.
    pub fn entries(&self) -> impl Iterator<Item = (&PersonYear, &PersonMonth)> {
        self.people.iter().flat_map(|p| p.months.iter().map(move |m| (p, m)))
    }
}

/// The months of a year up to the later of the business month and the last run; or one month.
pub(super) fn months(office: &Office, scheme: &Scheme, runs: &[Run], year: i32, only: Option<Period>) -> Vec<Period> {
    let until = runs.iter().map(|r| r.periods.last).fold(office.current_period(), Period::max);
    let in_scheme = |p: &Period| *p >= scheme.first && scheme.last.is_none_or(|last| *p <= last);
    match only {
        Some(period) => vec![period],
        None => Period::of_year(year).filter(|p| *p <= until).filter(in_scheme).collect(),
    }
}

fn person_month(
    scheme: &Scheme,
    enrolment: &Enrolment,
    period: Period,
    traces: Vec<Trace>,
    moved: Moved,
) -> PersonMonth {
    let sum = |wanted: fn(PaymentState) -> bool| traces.iter().filter(|t| wanted(t.state)).map(|t| t.amount).sum();
    PersonMonth {
        period,
        claim: claim(scheme, &enrolment.entitlement, period),
        credited: sum(|s| s == PaymentState::Credited),
        in_flight: sum(|s| s.covers() && s != PaymentState::Credited),
        moved,
        traces,
    }
}

/// A month's figures over all people.
#[derive(Debug, Clone, Serialize)]
pub struct MonthFigures {
    /// The month.
    pub period: Period,
    /// People owed something.
    pub claim_count: usize,
    /// Owed.
    #[serde(rename = "claim_fen")]
    pub claim: Money,
    /// Ever put into a file for this month, failures included.
    #[serde(rename = "sent_fen")]
    pub sent: Money,
    /// Credited and not returned.
    #[serde(rename = "credited_fen")]
    pub credited: Money,
    /// Rejected by the bank, paid again or not.
    #[serde(rename = "rejected_fen")]
    pub rejected: Money,
    /// Returned after success, paid again or not.
    #[serde(rename = "returned_fen")]
    pub returned: Money,
    /// Given back, or offset against other months.
    #[serde(rename = "recovered_fen")]
    pub recovered: Money,
    /// Paid by offsetting what was overpaid in other months.
    #[serde(rename = "offset_in_fen")]
    pub offset_in: Money,
    /// Written off, overpaid still or not.
    #[serde(rename = "written_off_fen")]
    pub written_off: Money,
    /// Covered and not owed, less what was written off.
    #[serde(rename = "to_recover_fen")]
    pub to_recover: Money,
    /// Credited by a run of a later month.
    #[serde(rename = "back_pay_fen")]
    pub back_pay: Money,
    /// Planned, approved or sent: outcome unknown.
    #[serde(rename = "open_fen")]
    pub open: Money,
    /// Owed and not covered.
    #[serde(rename = "uncovered_fen")]
    pub uncovered: Money,
    /// Why not, with people and money.
    pub uncovered_by: Vec<ByReason>,
    /// Covered and not owed.
    #[serde(rename = "overpaid_fen")]
    pub overpaid: Money,
    /// Not owed because suspended.
    #[serde(rename = "suspended_fen")]
    pub suspended: Money,
}

/// Uncovered claims of one reason.
#[derive(Debug, Clone, Serialize)]
pub struct ByReason {
    /// Why.
    pub reason: Uncovered,
    /// People.
    pub count: usize,
    /// Money.
    pub fen: Money,
}

impl MonthFigures {
    /// claim + overpaid = credited − recovered + offset in + open + uncovered.
    pub fn foots(&self) -> bool {
        self.gap().is_zero()
    }

    /// By how much the two sides differ.
    pub fn gap(&self) -> Money {
        let there = self.credited - self.recovered + self.offset_in + self.open;
        self.claim + self.overpaid - there - self.uncovered
    }
}

impl Ledger {
    /// The figures of a month: claims and reasons from the people, what became of the money from the payments'
    /// sums, so that footing means something.
    pub fn figures(&self, period: Period) -> MonthFigures {
        let mut figures = MonthFigures::of_sums(period, &self.sums, self.moved.get(&period).copied());
        for (person, month) in self.of_month(period) {
            let suspended = if let Claim::Suspended(amount, _) = month.claim { amount } else { Money::ZERO };
            let amount = month.claim.amount();
            figures.owe(ClaimSum { count: i64::from(!amount.is_zero()), amount, suspended });
            figures.differ(month.overpaid(), month.to_recover());
            if let Some(reason) = month.why_uncovered(person.hold.as_ref()) {
                figures.miss(month.uncovered(), reason);
            }
        }
        figures.uncovered_by.sort_by_key(|b| b.reason);
        figures
    }
}

impl MonthFigures {
    /// What became of the money of a month; nobody is owed anything yet.
    pub(super) fn of_sums(period: Period, sums: &[MonthSum], moved: Option<Moved>) -> MonthFigures {
        let sum = |wanted: &dyn Fn(&MonthSum) -> bool| -> Money {
            sums.iter().filter(|s| s.period == period && wanted(s)).map(|s| s.amount).sum()
        };
        let reached_a_file = |state| {
            matches!(
                state,
                PaymentState::Sent | PaymentState::Credited | PaymentState::Rejected | PaymentState::Returned
            )
        };
        let moved = moved.unwrap_or_default();
        MonthFigures {
            period,
            recovered: moved.recovered,
            offset_in: moved.offset_in,
            written_off: moved.written_off,
            to_recover: Money::ZERO,
            claim_count: 0,
            claim: Money::ZERO,
            sent: sum(&|s| reached_a_file(s.state)),
            credited: sum(&|s| s.state == PaymentState::Credited),
            rejected: sum(&|s| s.state == PaymentState::Rejected),
            returned: sum(&|s| s.state == PaymentState::Returned),
            back_pay: sum(&|s| s.state == PaymentState::Credited && s.run_first > period),
            open: sum(&|s| s.state.covers() && s.state != PaymentState::Credited),
            uncovered: Money::ZERO,
            uncovered_by: Vec::new(),
            overpaid: Money::ZERO,
            suspended: Money::ZERO,
        }
    }

    /// Adds what is owed.
    pub(super) fn owe(&mut self, claims: ClaimSum) {
        self.claim_count += usize::try_from(claims.count).unwrap_or(0);
        self.claim += claims.amount;
        self.suspended += claims.suspended;
    }

    /// Adds what a person has too much, and how much of it is not written off.
    pub(super) fn differ(&mut self, overpaid: Money, to_recover: Money) {
        self.overpaid += overpaid;
        self.to_recover += to_recover;
    }

    /// Adds what a person lacks.
    pub(super) fn miss(&mut self, uncovered: Money, reason: Uncovered) {
        self.uncovered += uncovered;
        match self.uncovered_by.iter_mut().find(|by| by.reason == reason) {
            Some(by) => {
                by.count += 1;
                by.fen += uncovered;
            }
            None => self.uncovered_by.push(ByReason { reason, count: 1, fen: uncovered }),
        }
    }
}
