//! One change of one enrolment, checked against the roster and written as an event; what follows for
//! money comes out of the one subtraction. History is never overwritten: a wrong event is undone by
//! another. Entering, waiting for a second person and lists of changes are in `enter_change`.

use chrono::NaiveDate;

use super::dossiers::{Dossier, Dossiers};
use super::import_roster;
use super::step::Step;
use crate::calculation::payable::Overpaid;
use crate::domain::bank_account::AccountNumber;
use crate::domain::change::{Change, What};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{Account, Enrolment, EventKind, StopReason, SuspensionCause};
use crate::domain::entitlement::{Entitlement, Fact};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::person_name::{PersonName, same_name};
use crate::domain::scheme::{AmountRule, BackPay, Scheme};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::enrolment_event::{self, ChangeMark, NewEvent};
use crate::storage::{enrolment, hold};

/// What a change did.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Scheme code.
    pub scheme: String,
    /// Number of the enrolment.
    pub enrolment_no: i64,
    /// Name of the person.
    pub name: String,
    /// Masked citizen number.
    pub citizen_number: String,
    /// Number of the event within the enrolment; none for an enrolment itself.
    pub event: Option<i64>,
    /// In words: `停发（死亡），最后一个月 2026-05`.
    pub what: String,
    /// Things to know.
    pub notices: Vec<String>,
    /// Months that were paid and are no longer owed.
    pub overpaid: Vec<Overpaid>,
    /// Holds that the change answers, now cleared.
    pub cleared_holds: Vec<i64>,
}

/// What a change does to the enrolment found, in words and as an event.
pub(super) struct Planned {
    pub event: NewEvent,
    pub what: String,
    pub notices: Vec<String>,
}

/// Whom a change is about.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub scheme: &'a Scheme,
    pub enrolment: &'a Enrolment,
    pub facts: &'a [(i64, Fact)],
}

/// Checks a change and writes it, in the name of `by`.
///
/// # Errors
/// When the person is unknown or in several schemes and none is named, the change contradicts a
/// registered fact, or its values are wrong.
pub(super) async fn apply(
    office: &Office,
    step: &mut Step,
    change: &Change,
    by: &str,
    accepted_by: Option<&str>,
) -> Result<Changed, Failure> {
    let mut dossiers = Dossiers::of(step, std::iter::once(change)).await?;
    let changed = apply_to(office, step, &mut dossiers, change, (by, accepted_by)).await?;
    dossiers.write(step, by, accepted_by).await?;
    Ok(changed)
}

/// Checks a change against the dossiers and adds it to them; what it does beside a fact is done at once.
///
/// # Errors
/// As [`apply`]; then the dossiers are as they were.
pub(super) async fn apply_to(
    office: &Office,
    step: &mut Step,
    dossiers: &mut Dossiers,
    change: &Change,
    (by, accepted_by): (&str, Option<&str>),
) -> Result<Changed, Failure> {
    let number = parsed(&change.citizen_number, step.on)?;
    if !change.what.is_only_a_fact() {
        // What looks into the database must find there what the changes before have made.
        dossiers.write(step, by, accepted_by).await?;
    }
    if let What::Enrol(fields) = &change.what {
        let enrolled = import_roster::enrol_one(office, step, change, fields, by, accepted_by).await?;
        dossiers.forget(&number);
        return Ok(enrolled);
    }
    let places = dossiers.of_person(step, &number).await?;
    let place = one_of(&number, places, change.scheme.as_deref(), |dossier| dossier.scheme.as_str())?;
    let scheme_code = places[place].scheme.clone();
    let scheme = dossiers.scheme(office, step, &scheme_code).await?;
    let Dossier { enrolment, facts, .. } = &dossiers.of_person(step, &number).await?[place];
    let found = Found { scheme: &scheme, enrolment, facts };
    let mut account = None;
    let mut name = None;
    let mut planned = match &change.what {
        What::Stop { reason, on } => stop(found, *reason, *on)?,
        What::Suspend { cause, from } => suspend(found, *cause, *from)?,
        What::Resume { cause, from, back_pay } => resume(found, *cause, *from, *back_pay)?,
        What::Account { number, bank, holder, relation } => {
            let new = checked_account(office, enrolment, number, bank.as_deref(), holder.as_deref())?;
            let planned = new_account(step, enrolment, &new, relation).await?;
            account = Some((new, relation.as_str()));
            planned
        }
        What::Name(text) => {
            let (planned, new) = new_name(enrolment, text)?;
            name = Some(new);
            planned
        }
        What::Category { category, from } => category_from(found, category, *from)?,
        What::Amount { monthly, from } => amount_from(found, *monthly, *from)?,
        What::Born(on) => corrected_day(EventKind::Born, enrolment.entitlement.born_on, *on, step.on)?,
        What::Retired(on) => corrected_day(EventKind::Retired, enrolment.entitlement.retired_on, *on, step.on)?,
        What::Certify { on, way } => certify(found, *on, way, step.on)?,
        What::Undo(seq) => undo(step, found, *seq).await?,
        What::Enrol(_) => return Err(Failure::refused("UNKNOWN_CHANGE", "新增不能与其他变更混用")),
    };
    planned.event.reason.clone_from(&change.reason);
    planned.event.evidence.clone_from(&change.evidence);
    let enrolment = enrolment.clone();
    let (seq_no, mut enrolment) = dossiers.add(&enrolment, planned.event)?;
    let mut cleared_holds = Vec::new();
    if name.is_some() || account.is_some() {
        dossiers.write(step, by, accepted_by).await?;
        let mark = ChangeMark { by, on: step.on, event_no: step.event_no, accepted_by };
        let Step { tx, agency, .. } = step;
        if let Some(new) = name {
            enrolment::set_name(tx, agency, number.as_str(), &new, mark.event_no).await?;
            enrolment.name = new;
        }
        if let Some((new, relation)) = &account {
            enrolment::set_account(tx, agency, enrolment.no, new, relation, mark).await?;
            let resolution = format!("账户已变更: {}", change.reason);
            cleared_holds = clear_answered_holds(step, enrolment.beneficiary_no, &resolution).await?;
        }
        dossiers.forget(&number);
    }
    Ok(Changed {
        overpaid: dossiers.overpaid(step, &scheme, &enrolment).await?,
        scheme: scheme_code,
        enrolment_no: enrolment.no,
        name: enrolment.name,
        citizen_number: number.masked(),
        event: Some(seq_no),
        what: planned.what,
        notices: planned.notices,
        cleared_holds,
    })
}

fn parsed(number: &str, today: NaiveDate) -> Result<CitizenNumber, Failure> {
    CitizenNumber::parse_any(number, today).map_err(|e| Failure::refused(e.code(), format!("公民身份号码: {e}")))
}

/// Which of a person's enrolments is meant: that of the scheme, or the only one.
fn one_of<T>(
    number: &CitizenNumber,
    places: &[T],
    scheme: Option<&str>,
    code: impl Fn(&T) -> &str,
) -> Result<usize, Failure> {
    let meant: Vec<usize> =
        (0..places.len()).filter(|i| scheme.is_none_or(|wanted| code(&places[*i]) == wanted)).collect();
    match meant.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::refused("UNKNOWN_PERSON", format!("名册中没有 {number}"))
            .hint("fafang roster list --scheme 项目 列出名册")),
        several => {
            let codes: Vec<&str> = several.iter().map(|i| code(&places[*i])).collect();
            Err(Failure::refused("WHICH_SCHEME", format!("{number} 同时在 {} 中", codes.join("、")))
                .hint("用 --scheme 指明是哪个项目"))
        }
    }
}

/// Scheme and enrolment of a person, who must be named with the scheme when in several.
pub(super) async fn enrolment_of(
    step: &mut Step,
    number: &str,
    scheme: Option<&str>,
) -> Result<(String, i64), Failure> {
    let number = parsed(number, step.on)?;
    let mut places = enrolment::of_person(&mut step.tx, &step.agency, number.as_str()).await?;
    let place = one_of(&number, &places, scheme, |(code, _)| code.as_str())?;
    Ok(places.swap_remove(place))
}

impl<'a> Found<'a> {
    /// Numbered facts that were not undone.
    pub fn in_force(self) -> impl Iterator<Item = &'a (i64, Fact)> {
        let is_undone = move |no: i64| self.facts.iter().any(|(_, f)| *f == Fact::Undone(no));
        self.facts.iter().filter(move |(no, _)| !is_undone(*no))
    }

    fn entitlement(self) -> &'a Entitlement {
        &self.enrolment.entitlement
    }

    fn name(self) -> &'a str {
        &self.enrolment.name
    }

    /// Two facts that cannot both be true: one must be undone first.
    fn contradicts(self, event: i64, known: &str) -> Failure {
        Failure::refused("CONTRADICTS", format!("{} 已登记{known}（第 {event} 号变更）", self.name()))
            .hint(format!("登记有误时先撤销: fafang change undo … --event {event} --reason …"))
    }
}

fn planned(event: NewEvent, what: String) -> Planned {
    Planned { event, what, notices: Vec::new() }
}

pub(super) fn show_month(month: Option<Period>) -> String {
    month.map_or_else(|| "无".to_string(), |p| p.to_string())
}

/// The event of leaving on a day, of someone whose last month was `old`.
pub(super) fn stopped(scheme: &Scheme, reason: StopReason, on: NaiveDate, old: Option<Period>) -> NewEvent {
    let last = scheme.last_month(reason, on);
    NewEvent {
        period: Some(last),
        on: Some(on),
        cause: reason.code(),
        old_value: show_month(old),
        new_value: format!("{last} {} {on}", reason.title()),
        ..NewEvent::new(EventKind::Stopped)
    }
}

/// The event of being suspended from a month on.
pub(super) fn suspended(cause: SuspensionCause, from: Period) -> NewEvent {
    NewEvent {
        period: Some(from),
        cause: cause.code(),
        new_value: from.to_string(),
        ..NewEvent::new(EventKind::Suspended)
    }
}

pub(super) fn stop(found: Found<'_>, reason: StopReason, on: NaiveDate) -> Result<Planned, Failure> {
    let last = found.scheme.last_month(reason, on);
    for (no, fact) in found.in_force() {
        match fact {
            Fact::Stopped { on: Some(day), reason: r, last: known } if *r == reason && *day == on => {
                let said = format!("{} 已停发（{}，{day}），最后一个月就是 {known}", found.name(), r.title());
                return Err(Failure::refused("ALREADY_STOPPED", said));
            }
            Fact::Stopped { on: Some(day), reason: r, last: known } if *r == reason => {
                return Err(found.contradicts(*no, &format!("停发（{}，{day}），最后一个月 {known}", r.title())));
            }
            _ => {}
        }
    }
    let old = found.entitlement().last;
    let mut planned =
        planned(stopped(found.scheme, reason, on, old), format!("停发（{}，{on}），最后一个月 {last}", reason.title()));
    if let Some(old) = old.filter(|old| *old < last) {
        planned.notices.push(format!("此前登记的最后一个月是 {old}，以较早的为准"));
    }
    Ok(planned)
}

/// A mark that stands in the way of a suspension or resumption of this cause in this month.
fn same_month(found: Found<'_>, cause: SuspensionCause, from: Period) -> Result<(), Failure> {
    for (no, fact) in found.in_force() {
        match fact {
            Fact::Suspended { from: f, cause: c } if (*f, *c) == (from, cause) => {
                return Err(found.contradicts(*no, &format!("自 {from} 起暂停（{}）", cause.title())));
            }
            Fact::Resumed { from: f, cause: c, .. } if (*f, *c) == (from, cause) => {
                return Err(found.contradicts(*no, &format!("自 {from} 起恢复（{}）", cause.title())));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn suspend(found: Found<'_>, cause: SuspensionCause, from: Period) -> Result<Planned, Failure> {
    same_month(found, cause, from)?;
    let mut planned = planned(suspended(cause, from), format!("自 {from} 起暂停（{}）", cause.title()));
    let same = |s: &&crate::domain::entitlement::Suspension| s.cause == cause && s.from < from;
    if let Some(open) = found.entitlement().suspensions.iter().filter(same).find(|s| s.resumed_from.is_none()) {
        planned.notices.push(format!("自 {} 起已暂停（{}），此项登记在其恢复以后才起作用", open.from, cause.title()));
    }
    if let Some(last) = found.entitlement().last.filter(|last| *last < from) {
        planned.notices.push(format!("最后一个月是 {last}，在暂停月之前"));
    }
    Ok(planned)
}

fn resume(
    found: Found<'_>,
    cause: Option<SuspensionCause>,
    from: Period,
    back_pay: Option<bool>,
) -> Result<Planned, Failure> {
    let open: Vec<_> = found.entitlement().suspensions.iter().filter(|s| s.resumed_from.is_none()).collect();
    let cause = match (cause, open.as_slice()) {
        (Some(cause), _) => cause,
        (None, [one]) => one.cause,
        (None, []) => {
            return Err(Failure::refused("NOT_SUSPENDED", format!("{} 没有暂停", found.name()))
                .hint("暂停的通知尚未登记时，用 --cause 写明原因先登记恢复"));
        }
        (None, several) => {
            let causes: Vec<&str> = several.iter().map(|s| s.cause.title()).collect();
            return Err(Failure::refused("WHICH_CAUSE", format!("{} 因{}暂停", found.name(), causes.join("、")))
                .hint("用 --cause 写明恢复的是哪一项"));
        }
    };
    same_month(found, cause, from)?;
    let began = open.iter().find(|s| s.cause == cause).map(|s| s.from);
    if let Some(began) = began.filter(|began| from < *began) {
        return Err(Failure::refused("RESUME_TOO_EARLY", format!("恢复月 {from} 早于暂停月 {began}")));
    }
    let back_paid = back_pay.unwrap_or(found.scheme.back_pay == BackPay::Paid);
    let back = if back_paid { "补发暂停月份" } else { "暂停月份不补发" };
    let mut planned = planned(
        NewEvent {
            period: Some(from),
            cause: cause.code(),
            back_paid: Some(back_paid),
            old_value: show_month(began),
            new_value: from.to_string(),
            ..NewEvent::new(EventKind::Resumed)
        },
        format!("自 {from} 起恢复（{}），{back}", cause.title()),
    );
    if began.is_none() {
        planned.notices.push(format!("还没有{}的暂停登记，登记以后此项恢复才起作用", cause.title()));
    }
    Ok(planned)
}

async fn new_account(
    step: &mut Step,
    enrolment: &Enrolment,
    new: &Account,
    relation: &str,
) -> Result<Planned, Failure> {
    if *new == enrolment.account {
        return Err(Failure::refused("SAME_ACCOUNT", format!("{} 的账户没有变化", enrolment.name)));
    }
    let person = enrolment.beneficiary_no;
    if relation.is_empty() && enrolment::is_used_by_another(&mut step.tx, &step.agency, &new.number, person).await? {
        return Err(Failure::refused("ACCOUNT_IN_USE", format!("{} 已是另一人的账号", new.number))
            .hint("确需使用他人账户时，用 --relation 写明关系"));
    }
    // A history with a masked account could not tell later where the money went.
    let event =
        NewEvent { old_value: enrolment.account.whole(), new_value: new.whole(), ..NewEvent::new(EventKind::Account) };
    let mut planned = planned(event, format!("账户变更为 {}", new.masked()));
    if relation.is_empty() && !same_name(&new.holder, &enrolment.name) {
        planned.notices.push(format!("户名“{}”与姓名“{}”不同，没有写明关系", new.holder, enrolment.name));
    }
    Ok(planned)
}

fn new_name(enrolment: &Enrolment, text: &str) -> Result<(Planned, String), Failure> {
    let new = PersonName::parse(text).map_err(|e| Failure::refused(e.code(), format!("姓名: {e}")))?.name;
    if new == enrolment.name {
        return Err(Failure::refused("SAME_NAME", format!("{} 的姓名没有变化", enrolment.name)));
    }
    let event =
        NewEvent { old_value: enrolment.name.clone(), new_value: new.clone(), ..NewEvent::new(EventKind::Name) };
    let mut planned = planned(event, format!("姓名变更为 {new}"));
    if !same_name(&new, &enrolment.account.holder) {
        let holder = &enrolment.account.holder;
        planned.notices.push(format!("账户户名仍是“{holder}”；银行户名也已变更时，用 change account 更正"));
    }
    Ok((planned, new))
}

fn category_from(found: Found<'_>, category: &str, from: Period) -> Result<Planned, Failure> {
    if !found.scheme.has_category(category) {
        let known = found.scheme.categories().join("、");
        return Err(Failure::refused("CATEGORY_UNKNOWN", format!("人员类别“{category}”，应为 {known}")));
    }
    for (no, fact) in found.in_force() {
        if let Fact::Category { from: Some(f), category: c } = fact
            && *f == from
        {
            return Err(found.contradicts(*no, &format!("自 {from} 起类别“{c}”")));
        }
    }
    let old = found.entitlement().category(from);
    if old == category {
        return Err(Failure::refused("SAME_CATEGORY", format!("{} 在 {from} 的类别已是“{category}”", found.name())));
    }
    let event = NewEvent {
        period: Some(from),
        old_value: old.to_string(),
        new_value: category.to_string(),
        ..NewEvent::new(EventKind::Category)
    };
    Ok(planned(event, format!("自 {from} 起类别变更为“{category}”")))
}

fn amount_from(found: Found<'_>, monthly: Money, from: Period) -> Result<Planned, Failure> {
    if found.scheme.amount != AmountRule::Individual {
        return Err(Failure::refused("NOT_INDIVIDUAL", format!("项目 {} 按标准发放，没有个人待遇", found.scheme.code))
            .hint("标准写在项目文件的 [[standard]]，改后重新载入"));
    }
    if monthly <= Money::ZERO || found.scheme.monthly_cap.is_some_and(|cap| monthly > cap) {
        let most = found.scheme.monthly_cap.map_or_else(String::new, |cap| format!("，不超过 {}", cap.grouped()));
        return Err(Failure::refused("AMOUNT_OUTSIDE", format!("月待遇 {} 元，应大于 0{most}", monthly.grouped())));
    }
    for (no, fact) in found.in_force() {
        if let Fact::Amount { from: Some(f), monthly: m } = fact
            && *f == from
        {
            return Err(found.contradicts(*no, &format!("自 {from} 起月待遇 {} 元", m.grouped())));
        }
    }
    let old = crate::calculation::claim::monthly(found.scheme, found.entitlement(), from);
    let event = NewEvent {
        period: Some(from),
        amount: Some(monthly),
        old_value: old.map_or_else(String::new, |m| m.to_string()),
        new_value: monthly.to_string(),
        ..NewEvent::new(EventKind::Amount)
    };
    Ok(planned(event, format!("自 {from} 起月待遇 {} 元", monthly.grouped())))
}

fn corrected_day(kind: EventKind, old: Option<NaiveDate>, on: NaiveDate, today: NaiveDate) -> Result<Planned, Failure> {
    if on > today {
        return Err(Failure::refused("DATE_AHEAD", format!("{} {on} 在业务日期 {today} 之后", kind.title())));
    }
    if old == Some(on) {
        return Err(Failure::refused("SAME_DATE", format!("{}: 登记的日期已是 {on}", kind.title())));
    }
    let show = |day: Option<NaiveDate>| day.map_or_else(String::new, |d| d.to_string());
    let event = NewEvent { on: Some(on), old_value: show(old), new_value: on.to_string(), ..NewEvent::new(kind) };
    Ok(planned(event, format!("{}为 {on}", kind.title())))
}

fn certify(found: Found<'_>, on: NaiveDate, way: &str, today: NaiveDate) -> Result<Planned, Failure> {
    if on > today {
        return Err(Failure::refused("DATE_AHEAD", format!("认证日期 {on} 在业务日期 {today} 之后")));
    }
    if found.entitlement().certified.contains(&on) {
        return Err(Failure::refused("ALREADY_CERTIFIED", format!("{} 在 {on} 已认证", found.name())));
    }
    let old = found.entitlement().certified.last().map_or_else(String::new, NaiveDate::to_string);
    let event =
        NewEvent { on: Some(on), old_value: old, new_value: way.to_string(), ..NewEvent::new(EventKind::Certified) };
    let mut planned =
        planned(event, format!("{on} 资格认证{}", if way.is_empty() { String::new() } else { format!("（{way}）") }));
    if let (Some(StopReason::Death), Some(last)) = (found.entitlement().stop_reason, found.entitlement().last) {
        planned.notices.push(format!("此人已登记死亡，最后一个月 {last}；请核实"));
    }
    Ok(planned)
}

async fn undo(step: &mut Step, found: Found<'_>, seq: i64) -> Result<Planned, Failure> {
    let events = enrolment_event::events(&mut step.tx, &step.agency, found.enrolment.no).await?;
    let Some(wrong) = events.iter().find(|e| e.seq_no == seq) else {
        return Err(Failure::refused("UNKNOWN_EVENT", format!("{} 没有第 {seq} 号变更", found.name()))
            .hint("fafang roster show 列出此人的全部变更"));
    };
    if let Some(by) = events.iter().find(|e| e.undoes_seq == Some(seq)) {
        return Err(Failure::refused("ALREADY_UNDONE", format!("第 {seq} 号变更已由 {} 撤销", by.made_by)));
    }
    let kind = EventKind::parse(&wrong.kind).map_or("变更", EventKind::title);
    if matches!(EventKind::parse(&wrong.kind), Some(EventKind::Account | EventKind::Name | EventKind::Undone)) {
        return Err(
            Failure::refused("NOT_UNDONE", format!("第 {seq} 号“{kind}”不能撤销")).hint("再登记一次正确的内容即可")
        );
    }
    let event = NewEvent {
        undoes_seq: Some(seq),
        old_value: format!("{kind} {}", wrong.new_value),
        ..NewEvent::new(EventKind::Undone)
    };
    Ok(planned(event, format!("撤销第 {seq} 号变更（{kind} {}）", wrong.new_value)))
}

/// Clears the holds on a person that a new account answers; their numbers.
///
/// # Errors
/// The database's.
pub async fn clear_answered_holds(step: &mut Step, beneficiary_no: i64, resolution: &str) -> Result<Vec<i64>, Failure> {
    let (tx, agency, mark) = step.to_change();
    let mut cleared = Vec::new();
    for (open, _) in hold::open(tx, agency).await? {
        if open.beneficiary_no == beneficiary_no && open.reason.is_answered_by_new_account() {
            hold::clear(tx, agency, open.no, mark.by, mark.on, mark.event_no, resolution).await?;
            cleared.push(open.no);
        }
    }
    Ok(cleared)
}

fn checked_account(
    office: &Office,
    enrolment: &Enrolment,
    number: &str,
    bank: Option<&str>,
    holder: Option<&str>,
) -> Result<Account, Failure> {
    let found = match bank {
        None => office.banks.bank(&enrolment.account.bank_code),
        Some(text) => office.banks.find(text),
    };
    let bank = found.ok_or_else(|| {
        let names: Vec<&str> = office.banks.banks.iter().map(|b| b.name.as_str()).collect();
        Failure::refused("BANK_UNKNOWN", format!("开户银行: “{}”，应为 {}", bank.unwrap_or_default(), names.join("、")))
    })?;
    let number = AccountNumber::parse(number, &bank.account_lengths)
        .map_err(|e| Failure::refused(e.code(), format!("银行账号: {e}")))?;
    let holder = match holder {
        None => enrolment.account.holder.clone(),
        Some(text) => PersonName::parse(text).map_err(|e| Failure::refused(e.code(), format!("户名: {e}")))?.name,
    };
    Ok(Account { bank_code: bank.code.clone(), number, holder })
}
