//! Invented truth, and how it comes to the office: when, in which order, with which mistakes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fafang::domain::bank::BankBook;
use fafang::domain::change::{Change, What};
use fafang::domain::enrolment::{StopReason, SuspensionCause};
use fafang::domain::money::Money;
use fafang::training::people::InventedPerson;

use super::day_in;
use super::truth::{Enrolled, MONTHS, Month, SCHEMES, Terms, True, month_of, period};
use crate::support::dice::Dice;

/// People in one to four schemes each, with what is true of them.
pub fn invent_truth(people: usize, seed: u64) -> Vec<Enrolled> {
    let mut dice = Dice::new(seed);
    let mut enrolled = Vec::new();
    for who in 0..people {
        let mut schemes: Vec<usize> = (0..SCHEMES.len()).collect();
        dice.shuffle(&mut schemes);
        schemes.truncate(1 + dice.below(4));
        for scheme in schemes {
            enrolled.push(invent_one(&mut dice, who, scheme));
        }
    }
    enrolled
}

fn month(dice: &mut Dice, from: Month, to: Month) -> Month {
    from + Month::try_from(dice.below(usize::try_from(to - from).unwrap())).unwrap()
}

fn invent_one(dice: &mut Dice, who: usize, scheme: usize) -> Enrolled {
    let terms = &SCHEMES[scheme];
    let first = if dice.percent(70) { month(dice, -3, 1) } else { month(dice, 1, 18) };
    let first = if terms.by_days && dice.percent(60) { day_in(dice, first) } else { period(first).first_day() };
    let mut enrolled = Enrolled {
        who,
        scheme,
        first,
        category: dice.below(2),
        amount: i64::try_from(50_000 + dice.below(400_000)).unwrap(),
        facts: Vec::new(),
    };
    let facts = &mut enrolled.facts;
    let begins = month_of(first).max(0);
    if dice.percent(30) {
        let reason = *dice.pick(&[StopReason::Death, StopReason::Moved, StopReason::Ineligible]);
        let at = month(dice, begins, MONTHS);
        facts.push(True::Stopped(reason, day_in(dice, at)));
    }
    for _ in 0..2 {
        if dice.percent(20) {
            let cause = *dice.pick(&[SuspensionCause::Prison, SuspensionCause::Missing, SuspensionCause::Suspected]);
            let from = month(dice, 0, MONTHS - 2);
            let is_free = |at: Month, facts: &[True]| {
                !facts
                    .iter()
                    .any(|f| matches!(f, True::Suspended(c, m) | True::Resumed(c, m, _) if (*c, *m) == (cause, at)))
            };
            if is_free(from, facts) {
                facts.push(True::Suspended(cause, from));
                let to = month(dice, from + 1, MONTHS);
                if dice.percent(70) && is_free(to, facts) {
                    facts.push(True::Resumed(cause, to, *dice.pick(&[None, Some(true), Some(false)])));
                }
            }
        }
    }
    if terms.standards.is_some() && dice.percent(15) {
        facts.push(True::Category(1 - enrolled.category, month(dice, begins, MONTHS)));
    }
    if terms.standards.is_none() && dice.percent(20) {
        let fen = i64::try_from(50_000 + dice.below(400_000)).unwrap();
        facts.push(True::Amount(fen, month(dice, begins, MONTHS)));
    }
    if let Some(cycle) = terms.certification {
        let mut at = begins + month(dice, 0, cycle);
        while at < MONTHS {
            if dice.percent(80) {
                facts.push(True::Certified(day_in(dice, at)));
            }
            at += month(dice, cycle - 3, cycle + 2);
        }
    }
    enrolled
}

/// Something told to the office.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: usize,
    pub enrolled: usize,
    at: Month,
    what: Told,
}

#[derive(Debug, Clone)]
enum Told {
    Fact(True),
    /// What was told under this id was wrong.
    Undone(usize),
}

/// When what is told.
pub struct Schedule {
    /// Month in which the roster with the enrolment arrives.
    pub arrives: Vec<Month>,
    entries: Vec<Entry>,
}

impl Schedule {
    /// Every fact is told some time after it is true and the person is known; some also wrongly
    /// before, some are withdrawn by mistake and told again.
    pub fn new(enrolled: &[Enrolled], seed: u64) -> Schedule {
        let mut dice = Dice::new(seed ^ 0x00C0_FFEE);
        let last = MONTHS - 1;
        let mut schedule = Schedule { arrives: Vec::new(), entries: Vec::new() };
        for (place, person) in enrolled.iter().enumerate() {
            let arrives =
                (month_of(person.first).max(0) + if dice.percent(75) { 0 } else { month(&mut dice, 0, 4) }).min(last);
            schedule.arrives.push(arrives);
            let late = |dice: &mut Dice, at: Month| {
                let delay = if dice.percent(40) { 0 } else { month(dice, 0, 7) };
                (at.max(arrives) + delay).min(last)
            };
            for fact in &person.facts {
                let since = match fact {
                    True::Stopped(_, day) | True::Certified(day) => month_of(*day),
                    True::Suspended(_, at) | True::Resumed(_, at, _) | True::Category(_, at) | True::Amount(_, at) => {
                        *at
                    }
                };
                let at = late(&mut dice, since);
                let told = schedule.push(place, at, Told::Fact(fact.clone()));
                if dice.percent(10) && at + 1 < last {
                    // Withdrawn by mistake, and told again.
                    let undone = at + 1;
                    schedule.push(place, undone, Told::Undone(told));
                    schedule.push(place, late(&mut dice, undone + 1), Told::Fact(fact.clone()));
                }
            }
            if dice.percent(20) && arrives + 1 < last {
                // A rumour, corrected later. Its cause is no other fact's.
                let at = month(&mut dice, arrives, last);
                let since = month(&mut dice, 0, at + 1);
                let rumour = if dice.percent(50) {
                    True::Stopped(StopReason::Other, day_in(&mut dice, since))
                } else {
                    True::Suspended(SuspensionCause::Other, since)
                };
                let told = schedule.push(place, at, Told::Fact(rumour));
                schedule.push(place, late(&mut dice, at + 1).max(at + 1), Told::Undone(told));
            }
        }
        schedule
    }

    fn push(&mut self, enrolled: usize, at: Month, what: Told) -> usize {
        let id = self.entries.len();
        self.entries.push(Entry { id, enrolled, at, what });
        id
    }

    /// What is told in a month.
    pub fn of(&self, month: Month) -> Vec<Entry> {
        self.entries.iter().filter(|e| e.at == month).cloned().collect()
    }
}

impl Entry {
    /// As the office enters it.
    pub fn change(&self, citizen_number: &str, scheme: &str, events: &BTreeMap<usize, i64>) -> Change {
        let what = match &self.what {
            Told::Fact(True::Stopped(reason, on)) => What::Stop { reason: *reason, on: *on },
            Told::Fact(True::Suspended(cause, from)) => What::Suspend { cause: *cause, from: period(*from) },
            Told::Fact(True::Resumed(cause, from, back_pay)) => {
                What::Resume { cause: Some(*cause), from: period(*from), back_pay: *back_pay }
            }
            Told::Fact(True::Category(category, from)) => {
                What::Category { category: category_name(*category).into(), from: period(*from) }
            }
            Told::Fact(True::Amount(fen, from)) => What::Amount { monthly: Money(*fen), from: period(*from) },
            Told::Fact(True::Certified(on)) => What::Certify { on: *on, way: String::new() },
            Told::Undone(told) => What::Undo(events[told]),
        };
        let (citizen_number, scheme) = (citizen_number.to_string(), Some(scheme.to_string()));
        Change { citizen_number, scheme, what, reason: "来函".into(), evidence: String::new() }
    }
}

fn category_name(category: usize) -> &'static str {
    ["甲类", "乙类"][category]
}

/// The roster that brings these enrolments.
pub fn roster(
    terms: &Terms,
    enrolled: &[Enrolled],
    new: &[usize],
    people: &[InventedPerson],
    banks: &BankBook,
) -> Vec<u8> {
    let own = if terms.standards.is_some() { "人员类别" } else { "月待遇" };
    let mut text = format!("姓名,公民身份号码,开户银行,银行账号,享受起始月,{own}\n");
    for place in new {
        let (row, person) = (&enrolled[*place], &people[enrolled[*place].who]);
        let bank = &banks.bank(&person.bank_code).unwrap().name;
        let first = if terms.by_days { row.first.to_string() } else { row.first.format("%Y-%m").to_string() };
        let own = match terms.standards {
            Some(_) => category_name(row.category).to_string(),
            None => Money(row.amount).to_string(),
        };
        let _ = writeln!(text, "{},{},{bank},{},{first},{own}", person.name, person.citizen_number, person.account);
    }
    text.into_bytes()
}
