//! People: on hold, owed again, overpaid, to be certified.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;

use super::{Books, Todo};
use crate::calculation::claim::certified_until;
use crate::calculation::payable::{Overpaid, payable};
use crate::domain::actor::Role;
use crate::domain::enrolment::Enrolment;
use crate::domain::hold::HoldReason;
use crate::domain::money::Money;
use crate::domain::period::{Period, date_from_number};
use crate::domain::run::RunKind;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::storage::engine::Tx;
use crate::storage::{cover, enrolment, recovery};

/// Names told of a group; the lists behind it have them all.
const NAMES: usize = 3;

/// Open holds by reason.
pub(super) fn on_hold(books: &Books<'_>) -> Vec<Todo> {
    let mut by_reason: Vec<(HoldReason, NaiveDate, HashSet<i64>)> = Vec::new();
    for (hold, _) in &books.holds {
        match by_reason.iter_mut().find(|(reason, ..)| *reason == hold.reason) {
            Some((_, since, people)) => {
                *since = hold.opened_on.min(*since);
                people.insert(hold.beneficiary_no);
            }
            None => by_reason.push((hold.reason, hold.opened_on, HashSet::from([hold.beneficiary_no]))),
        }
    }
    let todo = |(reason, since, people): (HoldReason, NaiveDate, HashSet<i64>)| Todo {
        what: format!("{} 人暂停支付: {}", people.len(), reason.advice()),
        command: match reason {
            // Such a hold goes with its hit: clearing it by itself is refused.
            HoldReason::Comparison(_) => {
                "fafang comparison hits，核实后 comparison confirm 编号 或 dismiss 编号 --reason 原因"
            }
            HoldReason::Bank(_) | HoldReason::Exclusion => "fafang hold list，处理后 hold clear 编号 --note 处理结果",
        }
        .into(),
        ..Todo::new("HOLD_OPEN", &[Role::Maker], since, reason.title())
    };
    by_reason.into_iter().map(todo).collect()
}

/// What one pass over the people of each scheme finds.
pub(super) async fn by_scheme(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let agency = books.office.agency_code.as_str();
    let held: HashSet<i64> = books.holds.iter().map(|(hold, _)| hold.beneficiary_no).collect();
    let cases = recovery::cases(tx, agency).await?;
    let asked_back: HashSet<i64> = cases.iter().filter(|c| c.closed.is_none()).map(|c| c.enrolment_no).collect();
    let mut list = Vec::new();
    for scheme in &books.schemes {
        let people = enrolment::of_scheme(tx, agency, &scheme.code).await?;
        let mut covered = cover::covered(tx, agency, &scheme.code).await?;
        let failed = cover::failed(tx, agency, &scheme.code).await?;
        let mut again = OwedAgain::default();
        let mut certification = Certification::default();
        for person in &people {
            let months = covered.remove(&person.no).unwrap_or_default();
            let result = payable(scheme, &person.entitlement, &months, books.now());
            if let Some(first) = result.overpaid.first().filter(|_| !asked_back.contains(&person.no)) {
                let total: Money = result.overpaid.iter().map(Overpaid::amount).sum();
                list.push(Todo {
                    what: format!("多发 {} 个月（自 {}），应追回", result.overpaid.len(), first.period),
                    amount: Some(total),
                    command: "fafang recovery open 公民身份号码 --cause 原因".into(),
                    ..Todo::new(
                        "OVERPAID",
                        &[Role::Maker],
                        first.period.first_day().min(books.today),
                        format!("{} {} {}", scheme.code, person.name, person.citizen_number.masked()),
                    )
                });
            }
            if !held.contains(&person.beneficiary_no) {
                let owed = result.covers.iter().map(|c| (c.period, c.amount));
                again.add(person, owed, &failed);
            }
            certification.add(scheme, person, books.now());
        }
        list.extend(again.todo(books, scheme));
        list.extend(certification.todo(scheme));
    }
    Ok(list)
}

/// Months whose payment failed and that no run has taken up since.
#[derive(Default)]
struct OwedAgain {
    names: Vec<String>,
    total: Money,
    since: Option<i64>,
}

impl OwedAgain {
    fn add(
        &mut self,
        person: &Enrolment,
        owed: impl Iterator<Item = (Period, Money)>,
        failed: &HashMap<(i64, Period), i64>,
    ) {
        let mut found = false;
        for (period, amount) in owed {
            if let Some(on) = failed.get(&(person.no, period)) {
                found = true;
                self.total += amount;
                self.since = Some(self.since.map_or(*on, |since| since.min(*on)));
            }
        }
        if found {
            self.names.push(person.name.clone());
        }
    }

    fn todo(self, books: &Books<'_>, scheme: &Scheme) -> Option<Todo> {
        let since = date_from_number(self.since?)?.min(books.today);
        let regular = books.live_runs().filter(|r| r.scheme_code == scheme.code && r.kind == RunKind::Regular);
        let last = regular.map(|r| r.periods.last).max()?;
        Some(Todo {
            what: format!("{}的失败、退票或暂缓款待补发，没有在任何批次里", named(&self.names)),
            amount: Some(self.total),
            command: format!("fafang run prepare --scheme {} --period {last} --kind supplementary", scheme.code),
            ..Todo::new("OWED_AGAIN", &[Role::Maker], since, scheme.code.clone())
        })
    }
}

/// People by the last month that their certification reaches: lapsed, or soon to lapse.
#[derive(Default)]
struct Certification {
    lapsed: BTreeMap<Period, Vec<String>>,
    due: BTreeMap<Period, Vec<String>>,
}

impl Certification {
    fn add(&mut self, scheme: &Scheme, person: &Enrolment, now: Period) {
        let Some(until) = certified_until(scheme, &person.entitlement) else { return };
        let warning = scheme.certification.map_or(0, |rule| rule.warning_months);
        if person.entitlement.last.is_some_and(|last| last < now) || person.entitlement.first > now {
            return;
        }
        let group = if now > until {
            &mut self.lapsed
        } else if now > until.plus(-warning) {
            &mut self.due
        } else {
            return;
        };
        group.entry(until).or_default().push(person.name.clone());
    }

    fn todo(self, scheme: &Scheme) -> Vec<Todo> {
        let warning = scheme.certification.map_or(0, |rule| rule.warning_months);
        let todo = |code, since: Period, what| Todo {
            what,
            command: format!(
                "fafang change certify 公民身份号码 --date 认证日期，或 certify import 认证名单 --scheme {}",
                scheme.code
            ),
            ..Todo::new(code, &[Role::Maker], since.first_day(), scheme.code.clone())
        };
        let lapsed = self.lapsed.into_iter().map(|(until, names)| {
            let what = format!("{}的资格认证已于 {until} 到期，逾期暂停", named(&names));
            todo("CERTIFICATION_LAPSED", until.next(), what)
        });
        let due = self.due.into_iter().map(|(until, names)| {
            let what = format!("{}的资格认证将于 {until} 到期", named(&names));
            todo("CERTIFICATION_DUE", until.plus(1 - warning), what)
        });
        lapsed.chain(due).collect()
    }
}

/// `王芳、李明、张伟 等 12 人`.
fn named(names: &[String]) -> String {
    let first = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join("、");
    if names.len() > NAMES { format!("{first} 等 {} 人", names.len()) } else { first }
}
