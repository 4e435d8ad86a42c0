//! What differs between a roster file and the roster in force, and what is written so that the one
//! becomes the other. New people are enrolled, changed ones get an event with old and new value,
//! people missing from the file are told and never stopped.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::change_enrolment::{self, Found, Planned, clear_answered_holds, show_month, stopped};
use super::import_comparison::{as_finding, compare_enrolled};
use super::import_roster::{Difference as Told, Imported};
use super::step::Step;
use crate::calculation::claim::monthly;
use crate::domain::enrolment::{Enrolment, EventKind, StopReason, SuspensionCause};
use crate::domain::entitlement::Fact;
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::roll::NewEnrolment;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::formats::roster::{Roster, RosterRow, Status};
use crate::storage::enrolment::{self, Facts};
use crate::storage::enrolment_event::{self, ChangeMark, NewEvent};
use crate::storage::{counter, roll};

/// What must be stored so that the roster in force becomes the file's.
pub(super) struct Plan<'a> {
    roster: &'a Roster<'a>,
    /// Places of the roster's rows.
    new: Vec<u32>,
    pub changed: Vec<(RosterRow<'a>, &'a Enrolment, Vec<Difference>)>,
    pub unchanged: usize,
    /// What the file says against registered facts: an error where both cannot be true, and then the row is in
    /// none of the lists.
    pub findings: Vec<RowFinding>,
    facts: &'a Facts,
    /// Month from which amounts and categories of the file hold, when the clerk said one.
    as_of: Option<Period>,
    /// The same, or the business month.
    amounts_as_of: Period,
    /// The business month.
    now: Period,
}

pub(super) enum Difference {
    Account,
    Category,
    Amount(Money),
    FirstMonth,
    LastMonth,
    Certified,
    Stopped(Planned),
    Suspended(Planned),
}

impl<'a> Plan<'a> {
    pub fn of(
        scheme: &Scheme,
        roster: &'a Roster<'a>,
        (in_force, facts): (&'a [Enrolment], &'a Facts),
        as_of: Option<Period>,
        now: Period,
    ) -> Plan<'a> {
        let by_number: HashMap<&str, &Enrolment> = in_force.iter().map(|e| (e.citizen_number.as_str(), e)).collect();
        let amounts_as_of = as_of.unwrap_or(now);
        let (changed, findings) = (Vec::new(), Vec::new());
        let new = Vec::with_capacity(roster.rows.len().saturating_sub(in_force.len()));
        let mut plan = Plan { roster, new, changed, unchanged: 0, findings, facts, as_of, amounts_as_of, now };
        for (place, number) in (0_u32..).zip(roster.rows.citizen_numbers()) {
            let Some((enrolment, row)) = by_number.get(number).copied().zip(roster.rows.get(place as usize)) else {
                plan.new.push(place);
                continue;
            };
            let mut differences = plan.differences(scheme, &row, enrolment);
            let told = facts.get(&enrolment.no).map_or(&[][..], Vec::as_slice);
            match plan.ends(&row, Found { scheme, enrolment, facts: told }) {
                Ok(ends) => differences.extend(ends),
                Err(refusal) => {
                    plan.findings.push(*refusal);
                    continue;
                }
            }
            plan.told_otherwise(&row, enrolment, &differences);
            if differences.is_empty() {
                plan.unchanged += 1;
            } else {
                plan.changed.push((row, enrolment, differences));
            }
        }
        plan
    }

    /// People of whom the scheme knows nothing.
    pub fn new_rows(&self) -> impl Iterator<Item = RosterRow<'a>> {
        self.new.iter().filter_map(|place| self.roster.rows.get(*place as usize))
    }

    /// How many those are.
    pub fn new_count(&self) -> usize {
        self.new.len()
    }

    /// The stop and the suspension of a row that no fact says yet, by the rules of a change.
    fn ends(&mut self, row: &RosterRow, found: Found<'_>) -> Result<Vec<Difference>, Box<RowFinding>> {
        let mut ends = Vec::new();
        let refused = |column: &str, refusal: Failure| {
            let told = finding(row, column, refusal.code, refusal.message, Severity::Error, &refusal.hint);
            Box::new(told)
        };
        if let Some(stop) = row.more().stop {
            let is_known = found.in_force().any(|(_, fact)| {
                matches!(fact, Fact::Stopped { on: Some(on), reason, .. }
                    if *on == stop.on && stop.reason.is_none_or(|said| said == *reason))
            });
            if !is_known {
                let planned = change_enrolment::stop(found, stop.reason_or_other(), stop.on);
                ends.push(Difference::Stopped(planned.map_err(|refusal| refused("待遇终止日期", refusal))?));
            }
        }
        if let Some(suspension) = &row.more().suspension {
            let cause = suspension.cause();
            let is_known = found.in_force().any(|(_, fact)| {
                matches!(fact, Fact::Suspended { from, cause: known }
                    if *from == suspension.from && cause.is_none_or(|said| said == *known))
            });
            if !is_known {
                let cause = cause.unwrap_or(SuspensionCause::Other);
                let planned = change_enrolment::suspend(found, cause, suspension.from);
                ends.push(Difference::Suspended(planned.map_err(|refusal| refused("暂停起始月", refusal))?));
            }
        }
        for end in &ends {
            if let Difference::Stopped(planned) | Difference::Suspended(planned) = end {
                for notice in &planned.notices {
                    self.findings.push(finding(row, "", "CHANGE_NOTICE", notice.clone(), Severity::Notice, ""));
                }
            }
        }
        Ok(ends)
    }

    /// Tells where a registered stop, suspension or resumption says otherwise: a roster lifts none of them.
    fn told_otherwise(&mut self, row: &RosterRow, enrolment: &Enrolment, differences: &[Difference]) {
        let entitlement = &enrolment.entitlement;
        let mut warn = |column, code, found, hint| {
            self.findings.push(finding(row, column, code, found, Severity::Warning, hint));
        };
        let says_last = row.last.is_some() && row.more().stop.is_none() && row.last != entitlement.last;
        let says_paid = row.status == Some(Status::Paid) && entitlement.last.is_some_and(|last| last < self.now);
        if is_stopped_otherwise(enrolment) && (says_last || says_paid) {
            let reason = entitlement.stop_reason.map_or("", StopReason::title);
            let until = show_month(entitlement.last);
            let found = format!("{}，已登记停发（{reason}，最后一个月 {until}），名册不改变停发", row.name);
            let column = if says_last { "享受终止月" } else { "发放状态" };
            warn(column, "STOP_OVERRULES", found, "需要更正停发时用 change stop");
        }
        match (row.status, entitlement.open_suspension()) {
            (Some(Status::Paid), Some(open)) => {
                let found = format!("{}，自 {} 起暂停（{}），名册不恢复发放", row.name, open.from, open.cause.title());
                warn("发放状态", "SUSPENSION_OVERRULES", found, "恢复发放用 change resume，写明恢复月和是否补发");
            }
            (Some(Status::Suspended), None) if !differences.iter().any(|d| matches!(d, Difference::Suspended(_))) => {
                let found = format!("{}，此项暂停已登记恢复，名册不改变恢复", row.name);
                warn("发放状态", "RESUMED_OVERRULES", found, "再次暂停的，写明新的暂停起始月");
            }
            _ => {}
        }
    }

    pub fn summary(&self, roster: &Roster, in_force: &[Enrolment]) -> Imported {
        let mut in_file: HashSet<&str> = HashSet::new();
        // Nobody is missing from a first roster.
        if !in_force.is_empty() {
            in_file.extend(roster.rows.citizen_numbers());
            // Whose row is refused is in the file all the same, even if only the account can be read.
            in_file.extend(roster.refused.values().flatten().map(String::as_str));
        }
        let is_told =
            |e: &Enrolment| in_file.contains(e.citizen_number.as_str()) || in_file.contains(e.account.number.as_str());
        // A file of what was given back was never meant to hold the others.
        let missing = in_force.iter().filter(|e| !roster.is_given_back && e.entitlement.last.is_none() && !is_told(e));
        let changes = self.changed.iter().flat_map(|(row, enrolment, differences)| {
            differences.iter().map(|difference| {
                let (field, old, new) = difference.words(row, enrolment);
                let citizen_number = row.citizen_number.masked();
                Told { row: row.row, citizen_number, name: row.name.to_string(), field, old, new }
            })
        });
        Imported {
            rows: roster.data_rows,
            new: self.new.len(),
            changes: changes.collect(),
            changed: self.changed.len(),
            unchanged: self.unchanged,
            missing: missing.map(|e| (e.citizen_number.masked(), e.name.clone())).collect(),
            ..Imported::default()
        }
    }

    /// Enrols the new and writes an event for every difference, in the name of `mark`. Tells who of the
    /// new stands on a comparison list, beside the row.
    pub async fn store(
        &self,
        step: &mut Step,
        scheme: &Scheme,
        people: &HashMap<String, (i64, String)>,
        import_no: Option<i64>,
        (reason, evidence): (&str, &str),
        by: (&str, Option<&str>),
    ) -> Result<Vec<RowFinding>, Failure> {
        let mark = ChangeMark { by: by.0, on: step.on, event_no: step.event_no, accepted_by: by.1 };
        let first_enrolment = counter::take(&mut step.tx, &step.agency, "enrolment", count(self.new.len())).await?;
        let enrolled = first_enrolment..=first_enrolment + count(self.new.len()) - 1;
        // Who is known from another scheme stays the same person.
        let known = |row: &RosterRow| people.get(row.citizen_number.as_str()).map(|(no, _)| *no);
        // Where nobody is known, nobody is looked for.
        let persons: Vec<i64> =
            if people.is_empty() { Vec::new() } else { self.new_rows().filter_map(|row| known(&row)).collect() };
        let persons = enrolment::persons(&mut step.tx, &step.agency, persons).await?;
        let bar = step.progress.begin("写入名册", Some(self.new.len()), "人");
        let new = self.new_rows().zip(enrolled.clone()).inspect(|_| bar.advance(1));
        roll::insert(&mut step.tx, &step.agency, &scheme.code, new, import_no, mark, |(row, no)| {
            let person = known(row).and_then(|no| persons.get(&no));
            NewEnrolment {
                no: *no,
                beneficiary_no: person.map_or(*no, |person| person.beneficiary_no),
                citizen_number: row.citizen_number.as_str(),
                name: person.map_or(&*row.name, |person| &person.name),
                bank_code: row.account().bank_code,
                account_number: row.account_number.as_str(),
                account_holder: row.account().holder,
                category: &row.category,
                first: row.first,
                first_day: row.first_day,
                last: row.last,
                amount: row.amount.map(|monthly| (self.as_of.unwrap_or(scheme.first.max(row.first)), monthly)),
                certified_on: row.certified_on,
                retired_on: person.map_or(row.retired_on, |person| person.retired_on),
                holder_relation: &row.more().holder_relation,
                former_unit: person.map_or(&*row.more().former_unit, |person| &person.former_unit),
                phone: person.map_or(&*row.more().phone, |person| &person.phone),
            }
        })
        .await?;
        drop(bar);
        let because = |row: &RosterRow, event: NewEvent| {
            // The file's own words, where it has some.
            let words =
                row.more().suspension.as_ref().filter(|s| event.kind == EventKind::Suspended && !s.reason.is_empty());
            let reason = words.map_or(reason, |suspension| &*suspension.reason);
            NewEvent { reason: reason.into(), evidence: evidence.into(), ..event }
        };
        let rows = &self.roster.rows;
        let says_more = self.new.iter().map(|place| *place as usize).zip(first_enrolment..);
        let says_more = says_more.filter(|(place, _)| rows.says_more(*place));
        let first = says_more.filter_map(|(place, no)| Some((rows.get(place)?, no))).flat_map(|(row, no)| {
            let events = first_events(scheme, &row).into_iter().map(|event| because(&row, event));
            (1..).zip(events).map(|(seq_no, event)| (no, seq_no, event)).collect::<Vec<_>>()
        });
        let later = self.changed.iter().flat_map(|(row, enrolment, differences)| {
            let last = self.facts.get(&enrolment.no).and_then(|facts| facts.last()).map_or(0, |(last, _)| *last);
            let told = differences.iter().map(move |difference| because(row, self.event(difference, row, enrolment)));
            (last + 1..).zip(told).map(|(seq_no, event)| (enrolment.no, seq_no, event))
        });
        enrolment_event::append_all(&mut step.tx, &step.agency, first.chain(later), mark).await?;
        let changed: Vec<i64> = self.changed.iter().map(|(_, enrolment, _)| enrolment.no).collect();
        enrolment::mark_all_changed(&mut step.tx, &step.agency, &changed, mark.event_no).await?;
        for (row, enrolment, differences) in &self.changed {
            if differences.iter().any(|d| matches!(d, Difference::Account)) {
                let (account, relation) = (&row.account().kept(), &row.more().holder_relation);
                enrolment::set_account(&mut step.tx, &step.agency, enrolment.no, account, relation, mark).await?;
                clear_answered_holds(step, enrolment.beneficiary_no, "账户已由名册变更").await?;
            }
        }
        let hits = compare_enrolled(step, enrolled.clone()).await?;
        if hits.is_empty() {
            return Ok(Vec::new());
        }
        let person = |row: &RosterRow, no: i64| known(row).unwrap_or(no);
        let row_of: HashMap<i64, usize> =
            self.new_rows().zip(enrolled).map(|(row, no)| (person(&row, no), row.row)).collect();
        Ok(hits.iter().map(|hit| as_finding(hit, row_of[&hit.beneficiary_no])).collect())
    }

    fn differences(&self, scheme: &Scheme, row: &RosterRow, enrolment: &Enrolment) -> Vec<Difference> {
        let entitlement = &enrolment.entitlement;
        let mut found = Vec::new();
        if row.account() != enrolment.account.lent() {
            found.push(Difference::Account);
        }
        let category = self.as_of.map_or_else(|| entitlement.last_category(), |as_of| entitlement.category(as_of));
        if *row.category != *category {
            found.push(Difference::Category);
        }
        let now = monthly(scheme, entitlement, self.amounts_as_of);
        if row.amount.is_some() && row.amount != now {
            found.push(Difference::Amount(now.unwrap_or_default()));
        }
        // Months before the scheme's first are never owed here: 2010-05 and 2026-01 mean the same.
        let begins = row.first.max(scheme.first);
        let is_other_day =
            row.first_day.is_some() && row.first >= scheme.first && row.first_day != entitlement.first_day;
        if begins != entitlement.first.max(scheme.first) || is_other_day {
            found.push(Difference::FirstMonth);
        }
        // A roster without a last month does not undo a stop, and one with another month does not
        // overrule a death or other stop that was registered: that needs its own change.
        let says_last = row.last.is_some() && row.more().stop.is_none();
        if says_last && row.last != entitlement.last && !is_stopped_otherwise(enrolment) {
            found.push(Difference::LastMonth);
        }
        if row.certified_on.is_some_and(|on| !entitlement.certified.contains(&on)) {
            found.push(Difference::Certified);
        }
        found
    }

    fn event(&self, difference: &Difference, row: &RosterRow, old: &Enrolment) -> NewEvent {
        let (_, old_value, new_value) = difference.words(row, old);
        let event = |kind| NewEvent { old_value, new_value, ..NewEvent::new(kind) };
        match difference {
            // A history with a masked account could not tell later where the money went.
            Difference::Account => NewEvent {
                old_value: old.account.whole(),
                new_value: row.account().whole(),
                ..event(EventKind::Account)
            },
            Difference::Category => {
                NewEvent { period: self.as_of, new_value: row.category.to_string(), ..event(EventKind::Category) }
            }
            Difference::Amount(_) => {
                NewEvent { period: Some(self.amounts_as_of), amount: row.amount, ..event(EventKind::Amount) }
            }
            Difference::FirstMonth => {
                NewEvent { period: Some(row.first), on: row.first_day, ..event(EventKind::FirstMonth) }
            }
            Difference::LastMonth => {
                NewEvent { period: row.last, cause: StopReason::Roster.code(), ..event(EventKind::Stopped) }
            }
            Difference::Certified => NewEvent { on: row.certified_on, ..event(EventKind::Certified) },
            Difference::Stopped(planned) | Difference::Suspended(planned) => planned.event.clone(),
        }
    }
}

/// What the row of someone new says of an end and of a suspension.
fn first_events(scheme: &Scheme, row: &RosterRow) -> Vec<NewEvent> {
    let stop = row.more().stop.map(|stop| stopped(scheme, stop.reason_or_other(), stop.on, None));
    let suspension = row.more().suspension.as_ref().map(|suspension| {
        change_enrolment::suspended(suspension.cause().unwrap_or(SuspensionCause::Other), suspension.from)
    });
    stop.into_iter().chain(suspension).collect()
}

fn finding(
    row: &RosterRow,
    column: &str,
    code: &'static str,
    found: String,
    severity: Severity,
    hint: &str,
) -> RowFinding {
    RowFinding {
        row: row.row,
        column: column.into(),
        code,
        found,
        expected: String::new(),
        severity,
        hint: hint.into(),
    }
}

/// Stopped for a reason of its own, not by a roster's last month.
fn is_stopped_otherwise(enrolment: &Enrolment) -> bool {
    enrolment.entitlement.stop_reason.is_some_and(|reason| reason != StopReason::Roster)
}

impl Difference {
    fn words(&self, row: &RosterRow, enrolment: &Enrolment) -> (&'static str, String, String) {
        match self {
            Difference::Account => ("账户", enrolment.account.masked(), row.account().masked()),
            Difference::Category => {
                ("人员类别", enrolment.entitlement.last_category().to_string(), row.category.to_string())
            }
            Difference::Amount(now) => {
                ("月待遇", now.to_string(), row.amount.map_or_else(String::new, |m| m.to_string()))
            }
            Difference::Certified => {
                let day = |on: Option<&NaiveDate>| on.map_or_else(String::new, NaiveDate::to_string);
                ("最近认证日期", day(enrolment.entitlement.certified.last()), day(row.certified_on.as_ref()))
            }
            Difference::FirstMonth => ("享受起始月", enrolment.entitlement.first.to_string(), row.first.to_string()),
            Difference::LastMonth => ("享受终止月", show_month(enrolment.entitlement.last), show_month(row.last)),
            Difference::Stopped(planned) => {
                ("停发", show_month(enrolment.entitlement.last), planned.event.new_value.clone())
            }
            Difference::Suspended(planned) => {
                let open = enrolment.entitlement.open_suspension();
                let old = open.map_or_else(|| "无".to_string(), |s| format!("自 {}（{}）", s.from, s.cause.title()));
                ("暂停", old, planned.what.clone())
            }
        }
    }
}

/// A number of rows as it is stored.
pub(super) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
