//! What is remarkable about people and their accounts, whatever was paid.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ACCOUNT_CHANGE_DAYS, Check, Found, OLD_AGE, Screened};
use crate::calculation::claim::age_on;
use crate::domain::enrolment::Enrolment;
use crate::domain::entitlement::Fact;
use crate::domain::person_name::same_name;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::enrolment;
use crate::storage::enrolment_event::{self, AccountChange, StoredFact};

static ACCOUNT_SHARED: Check = Check {
    code: "ACCOUNT_SHARED",
    expected: "一个账户只发给一人",
    action: "核实为何使用同一账户，改用本人账户，或写明关系并留存依据",
};
static SAME_NAME_ACCOUNT: Check = Check {
    code: "SAME_NAME_ACCOUNT",
    expected: "一人只有一个公民身份号码",
    action: "核对身份证，可能是同一人以两个号码享受待遇",
};
static SEVERAL_ACCOUNTS: Check =
    Check {
        code: "SEVERAL_ACCOUNTS", expected: "一人只用一个账户", action: "核实各账户是否本人，改为同一张卡"
    };
static HOLDER_DIFFERS: Check = Check {
    code: "HOLDER_DIFFERS",
    expected: "户名与姓名相同，或写明关系",
    action: "与身份证和银行卡核对，用 change name 或 change account 更正",
};
static VERY_OLD: Check =
    Check {
        code: "VERY_OLD", expected: "百岁以上的人一年内有资格认证", action: "上门核实是否健在，登记认证或停发"
    };
static ACCOUNT_CHANGED: Check =
    Check {
        code: "ACCOUNT_CHANGED", expected: "发放前近期没有换账户", action: "向本人核实换卡申请和依据"
    };
static BACK_AFTER_STOP: Check =
    Check { code: "BACK_AFTER_STOP", expected: "停发以后不再发放", action: "核对撤销停发的依据" };

/// A person of one of the schemes.
type Place<'a> = (&'a str, &'a Enrolment);

pub(super) async fn screen(tx: &mut Tx, office: &Office, schemes: &[Screened]) -> Result<Vec<Found>, Failure> {
    let agency = office.agency_code.as_str();
    let everyone: Vec<Place<'_>> =
        schemes.iter().flat_map(|s| s.people.iter().map(|person| (s.scheme.code.as_str(), person))).collect();
    let stated: HashMap<(String, i64), String> = enrolment::accounts(tx, agency)
        .await?
        .into_iter()
        .filter(|(_, _, relation)| !relation.is_empty())
        .map(|(account, person, relation)| ((account, person), relation))
        .collect();
    let mut found = accounts(&everyone, &stated);
    for (scheme, person) in &everyone {
        found.extend(very_old(office, scheme, person));
        let key = (person.account.number.as_str().to_string(), person.beneficiary_no);
        if !same_name(&person.account.holder, &person.name) && !stated.contains_key(&key) {
            let what = format!("户名“{}”，姓名“{}”，没有写明关系", person.account.holder, person.name);
            found.push(Found::of_person(&HOLDER_DIFFERS, scheme, person, what));
        }
    }
    let changes = enrolment_event::account_changes(tx, agency).await?;
    for screened in schemes {
        found.extend(changed_accounts(screened, &changes));
        let facts = enrolment_event::facts_of_scheme(tx, agency, &screened.scheme.code).await?;
        found.extend(back_after_stop(screened, &facts));
    }
    Ok(found)
}

fn accounts(everyone: &[Place<'_>], stated: &HashMap<(String, i64), String>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut by_account: BTreeMap<&str, Vec<Place<'_>>> = BTreeMap::new();
    let mut by_person: BTreeMap<i64, Vec<Place<'_>>> = BTreeMap::new();
    for (scheme, person) in everyone {
        by_account.entry(person.account.number.as_str()).or_default().push((scheme, person));
        by_person.entry(person.beneficiary_no).or_default().push((scheme, person));
    }
    for (account, owners) in &by_account {
        for (scheme, person) in owners {
            let others = || owners.iter().filter(|(_, o)| o.beneficiary_no != person.beneficiary_no);
            let Some((_, other)) = others().next() else { continue };
            let is_namesake = others().any(|(_, o)| same_name(&o.name, &person.name));
            let relation = stated.get(&((*account).to_string(), person.beneficiary_no));
            let relation = relation.map_or_else(|| "没有写明关系".to_string(), |r| format!("写明关系: {r}"));
            let what =
                format!("与 {} {} 共用账户 {}，{relation}", other.name, other.citizen_number, person.account.number);
            let check = if is_namesake { &SAME_NAME_ACCOUNT } else { &ACCOUNT_SHARED };
            found.push(Found::of_person(check, scheme, person, what));
        }
    }
    for places in by_person.values() {
        let numbers: BTreeSet<&str> = places.iter().map(|(_, p)| p.account.number.as_str()).collect();
        if numbers.len() > 1 {
            let list: Vec<String> = places.iter().map(|(scheme, p)| format!("{scheme} {}", p.account.number)).collect();
            let (scheme, person) = places[0];
            found.push(Found::of_person(&SEVERAL_ACCOUNTS, scheme, person, list.join("，")));
        }
    }
    found
}

fn very_old(office: &Office, scheme: &str, person: &Enrolment) -> Option<Found> {
    let today = office.business_date();
    let entitlement = &person.entitlement;
    let age = age_on(entitlement.born_on?, today);
    let has_ended = entitlement.last.is_some_and(|last| last < office.current_period());
    let last = entitlement.certified.last();
    if age <= OLD_AGE || has_ended || last.is_some_and(|on| age_on(*on, today) < 1) {
        return None;
    }
    let last = last.map_or_else(|| "没有认证记录".to_string(), |on| format!("最近认证 {on}"));
    Some(Found::of_person(&VERY_OLD, scheme, person, format!("{age} 岁，{last}")))
}

/// The first run that paid a person soon after the account was changed.
fn changed_accounts(screened: &Screened, changes: &[AccountChange]) -> Vec<Found> {
    let found = changes.iter().filter_map(|change| {
        let person = screened.person(change.enrolment_no)?;
        let paid = screened.traces.get(&person.no).map_or(&[][..], Vec::as_slice);
        let run = screened.runs.iter().find(|run| {
            let days = (run.prepared.on - change.on).num_days();
            (0..=ACCOUNT_CHANGE_DAYS).contains(&days) && paid.iter().any(|t| t.run_code == run.code)
        })?;
        let by = match &change.accepted_by {
            Some(second) => format!("{}（{second} 复核）", change.by),
            None => change.by.clone(),
        };
        let days = (run.prepared.on - change.on).num_days();
        let what = format!("{} 由 {by} 换账户，{days} 天后批次 {} 发放", change.on, run.code);
        Some(Found::of_person(&ACCOUNT_CHANGED, &screened.scheme.code, person, what))
    });
    found.collect()
}

fn back_after_stop(screened: &Screened, facts: &[StoredFact]) -> Vec<Found> {
    let undone = facts.iter().filter_map(|told| match told.fact {
        Fact::Undone(seq) => Some((told.enrolment_no, seq)),
        _ => None,
    });
    let found = undone.filter_map(|(enrolment_no, seq)| {
        let stop = facts.iter().find(|told| (told.enrolment_no, told.seq_no) == (enrolment_no, seq))?;
        let Fact::Stopped { last, reason, .. } = &stop.fact else { return None };
        let person = screened.person(enrolment_no)?;
        let covered = screened.covered_of(person);
        let paid = covered.keys().filter(|month| **month > *last).count();
        let what = format!("停发（{}，最后一个月 {last}）后来撤销，此后已发 {paid} 个月", reason.title());
        Some(Found::of_person(&BACK_AFTER_STOP, &screened.scheme.code, person, what))
    });
    found.collect()
}
