//! What differs between a roster file and the roster in force, and what is written so that the one
//! becomes the other. New people are enrolled, changed ones get an event with old and new value,
//! people missing from the file are told and never stopped.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::change_enrolment::clear_answered_holds;
use super::import_comparison::{as_finding, compare_enrolled};
use super::import_roster::{Difference as Told, Imported};
use super::step::Step;
use crate::calculation::claim::monthly;
use crate::domain::enrolment::{Enrolment, EventKind, StopReason};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::formats::roster::{Roster, RosterRow};
use crate::storage::counter;
use crate::storage::enrolment::{self, NewBeneficiary, NewEnrolment};
use crate::storage::enrolment_event::{self, ChangeMark, NewEvent};

/// What must be stored so that the roster in force becomes the file's.
pub(super) struct Plan<'a> {
    pub new: Vec<&'a RosterRow>,
    pub changed: Vec<(&'a RosterRow, &'a Enrolment, Vec<Difference>)>,
    pub unchanged: usize,
    /// Month from which amounts and categories of the file hold, when the clerk said one.
    as_of: Option<Period>,
    /// The same, or the business month.
    amounts_as_of: Period,
}

pub(super) enum Difference {
    Account,
    Category,
    Amount(Money),
    FirstMonth,
    LastMonth,
    Certified,
}

impl<'a> Plan<'a> {
    pub fn of(
        scheme: &Scheme,
        roster: &'a Roster,
        in_force: &'a [Enrolment],
        as_of: Option<Period>,
        now: Period,
    ) -> Plan<'a> {
        let by_number: HashMap<&str, &Enrolment> = in_force.iter().map(|e| (e.citizen_number.as_str(), e)).collect();
        let amounts_as_of = as_of.unwrap_or(now);
        let mut plan = Plan { new: Vec::new(), changed: Vec::new(), unchanged: 0, as_of, amounts_as_of };
        for row in &roster.rows {
            match by_number.get(row.citizen_number.as_str()) {
                None => plan.new.push(row),
                Some(enrolment) => {
                    let differences = plan.differences(scheme, row, enrolment);
                    if differences.is_empty() {
                        plan.unchanged += 1;
                    } else {
                        plan.changed.push((row, enrolment, differences));
                    }
                }
            }
        }
        plan
    }

    pub fn summary(&self, roster: &Roster, in_force: &[Enrolment]) -> Imported {
        let in_file: HashSet<&str> = roster.rows.iter().map(|r| r.citizen_number.as_str()).collect();
        let missing =
            in_force.iter().filter(|e| e.entitlement.last.is_none() && !in_file.contains(e.citizen_number.as_str()));
        let changes = self.changed.iter().flat_map(|(row, enrolment, differences)| {
            differences.iter().map(|difference| {
                let (field, old, new) = difference.words(row, enrolment);
                let citizen_number = row.citizen_number.masked();
                Told { row: row.row, citizen_number, name: row.name.clone(), field, old, new }
            })
        });
        Imported {
            rows: roster.data_rows,
            new: self.new.len(),
            changes: changes.collect(),
            changed: self.changed.len(),
            unchanged: self.unchanged,
            missing: missing.map(|e| (e.citizen_number.masked(), e.name.clone())).collect(),
            findings: roster.findings.clone(),
            already: None,
            pending: None,
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
        by: (&str, Option<&str>),
    ) -> Result<Vec<RowFinding>, Failure> {
        let mark = ChangeMark { by: by.0, on: step.on, event_no: step.event_no, accepted_by: by.1 };
        let strangers: Vec<&RosterRow> =
            self.new.iter().copied().filter(|row| !people.contains_key(row.citizen_number.as_str())).collect();
        let first_person = counter::take(&mut step.tx, &step.agency, "beneficiary", count(strangers.len())).await?;
        let person_of: HashMap<&str, i64> =
            strangers.iter().map(|row| row.citizen_number.as_str()).zip(first_person..).collect();
        let new_people = strangers.iter().zip(first_person..).map(|(row, no)| NewBeneficiary {
            no,
            citizen_number: row.citizen_number.as_str().to_string(),
            name: row.name.clone(),
            former_unit: row.former_unit.clone(),
            retired_on: row.retired_on,
            phone: row.phone.clone(),
        });
        enrolment::insert_people(&mut step.tx, &step.agency, new_people.collect()).await?;
        let first_enrolment = counter::take(&mut step.tx, &step.agency, "enrolment", count(self.new.len())).await?;
        let beneficiary_no = |row: &RosterRow| {
            let number = row.citizen_number.as_str();
            people.get(number).map(|(no, _)| *no).or_else(|| person_of.get(number).copied()).unwrap_or_default()
        };
        let new_enrolments = self.new.iter().zip(first_enrolment..).map(|(row, no)| NewEnrolment {
            no,
            scheme_code: scheme.code.clone(),
            beneficiary_no: beneficiary_no(row),
            category: row.category.clone(),
            first: row.first,
            first_day: row.first_day,
            last: row.last,
            amount: row.amount.map(|monthly| (self.as_of.unwrap_or(scheme.first.max(row.first)), monthly)),
            certified_on: row.certified_on,
            account: row.account.clone(),
            holder_relation: row.holder_relation.clone(),
        });
        let new_enrolments = new_enrolments.collect();
        enrolment::insert_enrolments(&mut step.tx, &step.agency, new_enrolments, import_no, mark).await?;
        for (row, enrolment, differences) in &self.changed {
            for difference in differences {
                self.store_difference(difference, step, row, enrolment, mark).await?;
            }
            if differences.iter().any(|d| matches!(d, Difference::Account)) {
                clear_answered_holds(step, enrolment.beneficiary_no, "账户已由名册变更").await?;
            }
        }
        let row_of: HashMap<i64, usize> = self.new.iter().map(|row| (beneficiary_no(row), row.row)).collect();
        let hits = compare_enrolled(step, &row_of.keys().copied().collect()).await?;
        Ok(hits.iter().map(|hit| as_finding(hit, row_of[&hit.beneficiary_no])).collect())
    }

    fn differences(&self, scheme: &Scheme, row: &RosterRow, enrolment: &Enrolment) -> Vec<Difference> {
        let entitlement = &enrolment.entitlement;
        let mut found = Vec::new();
        if row.account != enrolment.account {
            found.push(Difference::Account);
        }
        let category = self.as_of.map_or_else(|| entitlement.last_category(), |as_of| entitlement.category(as_of));
        if row.category != category {
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
        if row.last.is_some() && row.last != entitlement.last && !is_stopped_otherwise(enrolment) {
            found.push(Difference::LastMonth);
        }
        if row.certified_on.is_some_and(|on| !entitlement.certified.contains(&on)) {
            found.push(Difference::Certified);
        }
        found
    }

    async fn store_difference(
        &self,
        difference: &Difference,
        step: &mut Step,
        row: &RosterRow,
        old: &Enrolment,
        mark: ChangeMark<'_>,
    ) -> Result<(), Failure> {
        let (_, old_value, new_value) = difference.words(row, old);
        let event = |kind| NewEvent { reason: "名册导入".into(), old_value, new_value, ..NewEvent::new(kind) };
        let event = match difference {
            // A history with a masked account could not tell later where the money went.
            Difference::Account => {
                NewEvent { old_value: old.account.whole(), new_value: row.account.whole(), ..event(EventKind::Account) }
            }
            Difference::Category => {
                NewEvent { period: self.as_of, new_value: row.category.clone(), ..event(EventKind::Category) }
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
        };
        let Step { tx, agency, .. } = step;
        enrolment_event::append(tx, agency, old.no, &event, mark).await?;
        if matches!(difference, Difference::Account) {
            enrolment::set_account(tx, agency, old.no, &row.account, &row.holder_relation, mark).await?;
        } else {
            enrolment::mark_changed(tx, agency, old.no, mark.event_no).await?;
        }
        Ok(())
    }
}

/// Stopped for a reason of its own, not by a roster's last month.
fn is_stopped_otherwise(enrolment: &Enrolment) -> bool {
    enrolment.entitlement.stop_reason.is_some_and(|reason| reason != StopReason::Roster)
}

/// Tells of rows whose last month a registered stop overrules.
pub(super) fn overruled_last_months(roster: &mut Roster, in_force: &[Enrolment]) {
    let stopped: HashMap<&str, &Enrolment> =
        in_force.iter().filter(|e| is_stopped_otherwise(e)).map(|e| (e.citizen_number.as_str(), e)).collect();
    for row in &roster.rows {
        let Some(enrolment) = stopped.get(row.citizen_number.as_str()) else { continue };
        if row.last.is_some() && row.last != enrolment.entitlement.last {
            let reason = enrolment.entitlement.stop_reason.map_or("", StopReason::title);
            let until = enrolment.entitlement.last.map_or_else(String::new, |p| p.to_string());
            roster.findings.push(RowFinding {
                row: row.row,
                column: "享受终止月".into(),
                code: "STOP_OVERRULES",
                found: format!("{}，已登记停发（{reason}，最后一个月 {until}），名册不改变停发", row.name),
                expected: String::new(),
                severity: Severity::Warning,
                hint: "需要更正停发时用 change stop".into(),
            });
        }
    }
}

impl Difference {
    fn words(&self, row: &RosterRow, enrolment: &Enrolment) -> (&'static str, String, String) {
        let month = |p: Option<Period>| p.map_or_else(|| "无".to_string(), |p| p.to_string());
        match self {
            Difference::Account => ("账户", enrolment.account.masked(), row.account.masked()),
            Difference::Category => {
                ("人员类别", enrolment.entitlement.last_category().to_string(), row.category.clone())
            }
            Difference::Amount(now) => {
                ("月待遇", now.to_string(), row.amount.map_or_else(String::new, |m| m.to_string()))
            }
            Difference::Certified => {
                let day = |on: Option<&NaiveDate>| on.map_or_else(String::new, NaiveDate::to_string);
                ("最近认证日期", day(enrolment.entitlement.certified.last()), day(row.certified_on.as_ref()))
            }
            Difference::FirstMonth => ("享受起始月", enrolment.entitlement.first.to_string(), row.first.to_string()),
            Difference::LastMonth => ("享受终止月", month(enrolment.entitlement.last), month(row.last)),
        }
    }
}

/// A number of rows as it is stored.
pub(super) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
