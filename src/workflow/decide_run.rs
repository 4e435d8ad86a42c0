//! Four eyes: submit, review, approve, send back, cancel; and the end, close. By different people, on the same bytes.

use serde_json::json;

use super::publish::{published_before, published_result};
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::appropriation::{Appropriation, Draw, PostingKind, draw_in_order};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::hold::HoldReason;
use crate::domain::money::Money;
use crate::domain::payment::{FrozenDigest, FrozenLine, Payee};
use crate::domain::recovery::Entry;
use crate::domain::run::{Run, RunState};
use crate::domain::scheme::Scheme;
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::appropriation::{self, PostingReason};
use crate::storage::error::StorageError;
use crate::storage::payment::{self, Page, Pages};
use crate::storage::{hold, recovery, run};

/// What a decision did.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The run as it is now.
    pub run: Run,
    /// True when the same person had done the same before: nothing was changed.
    pub already: bool,
    /// Appropriations drawn by an approval: document and amount.
    pub drawn: Vec<(String, Money)>,
    /// Payments whose people were put on hold since the run was prepared: told at approval, and
    /// withheld at issue unless the hold is cleared before.
    pub held: Vec<HeldPayment>,
}

/// A payment of a person on hold.
#[derive(Debug, Clone)]
pub struct HeldPayment {
    /// Line of the run.
    pub line_no: i64,
    /// Name.
    pub name: String,
    /// Masked citizen number.
    pub citizen_number: String,
    /// Amount.
    pub amount: Money,
    /// Why.
    pub reason: HoldReason,
}

impl Decided {
    fn of(run: Run, already: bool) -> Decided {
        Decided { run, already, drawn: Vec::new(), held: Vec::new() }
    }
}

/// What stands beside a run's frozen payments, all of them read and found unchanged.
#[derive(Debug)]
pub struct Frozen {
    /// What is offset beside them, in order.
    pub offsets: Vec<Entry>,
    /// SHA-256 over all of it.
    pub digest: String,
}

/// Recomputes the digest of a run's frozen payments and checks count and sum with it: pages adjoin, and the last line
/// tells where the run's money ends. `look` sees every page while it is read: a run is never in memory whole. What it
/// gathered counts only if this succeeds.
///
/// What stands between the ends of a page was read when the run was submitted ([`read_whole`]), and is proven by the
/// digest to be the same ever since.
///
/// # Errors
/// When rows, sum or digest differ from what the run says: someone changed frozen payments.
pub async fn verify_frozen(
    step: &mut Step,
    run: &Run,
    mut look: impl FnMut(&Page) -> Result<(), StorageError>,
) -> Result<Frozen, Failure> {
    let (mut seen, mut count, mut total) = (FrozenDigest::default(), 0_i64, Money::ZERO);
    let mut adjoin = true;
    let bar = step.progress.begin("核对明细", usize::try_from(run.payments).ok(), "笔");
    let mut pages = Pages::of(&step.agency, run, payment::ALL_LINES);
    while let Some(page) = pages.next(&mut step.tx).await? {
        bar.advance(page.span());
        let (first, last) = page.ends()?;
        adjoin &= (first.line_no, first.offset) == (count + 1, total);
        seen.lines(page.bytes()?);
        (count, total) = (last.line_no, last.offset + last.amount);
        look(&page)?;
    }
    let offsets = recovery::offsets_of_run(&mut step.tx, &step.agency, run).await?;
    let digest = seen.finish(&offsets);
    let offset: Money = offsets.iter().map(|o| o.amount).sum();
    let sums_fit = adjoin && count == run.payments && total == run.total && offset == run.offset;
    let fits = sums_fit && run.state.digest().is_none_or(|d| d == digest);
    if fits {
        return Ok(Frozen { offsets, digest });
    }
    Err(Failure::new(
        Kind::Internal,
        "RUN_TAMPERED",
        format!(
            "批次 {} 的明细与提交时不一致: 登记 {} 笔 {} 元、抵扣 {} 元，现有 {count} 笔 {} 元、抵扣 {} 元",
            run.code,
            run.payments,
            run.total.grouped(),
            run.offset.grouped(),
            total.grouped(),
            offset.grouped()
        ),
    )
    .hint("数据可能被程序以外的手段改动过，请停止支付并运行 fafang doctor"))
}

/// Reads every line of a page: whole, numbered without gaps, each beginning in the run's money where the one before ends.
fn read_whole(page: &Page) -> Result<Vec<FrozenLine<'_>>, StorageError> {
    let lines = page.lines()?;
    for (line, next) in lines.iter().zip(lines.iter().skip(1).map(Some).chain([None])) {
        line.has_payee().map_err(payment::unreadable)?;
        if next.is_some_and(|next| (next.line_no, next.offset) != (line.line_no + 1, line.offset + line.amount)) {
            return Err(page.wrong(format_args!("第 {} 笔之后不是紧接的一笔", line.line_no)));
        }
    }
    Ok(lines)
}

/// True, with the run, when this person already did exactly this.
fn repeated(run: &Run, signed_by: Option<&str>, actor: &str) -> Option<Decided> {
    (signed_by == Some(actor)).then(|| Decided::of(run.clone(), true))
}

/// Someone else did it first: not a mistake of the clerk, so a conflict.
fn first_come(run: &Run, signed_by: Option<&str>, wish: &str) -> Result<(), Failure> {
    match signed_by {
        None => Ok(()),
        Some(by) => Err(Failure::conflict(
            "ALREADY_DONE",
            format!("批次 {} 已由 {by} {wish}，{}", run.code, run.state.sentence()),
        )),
    }
}

async fn store(step: &mut Step, run: &Run, from: &RunState) -> Result<(), Failure> {
    if run::move_from(&mut step.tx, &step.agency, run, from).await? {
        return Ok(());
    }
    Err(Failure::conflict("RUN_MOVED", format!("批次 {} 刚被其他人处理过", run.code))
        .hint("用 fafang run show 查看现状"))
}

/// Submits a prepared run: freezes and digests it.
///
/// # Errors
/// Unless prepared; or when the roster's accounts changed since it was prepared.
pub async fn submit(office: &Office, code: &str) -> Result<Decided, Failure> {
    let mut step = Step::begin(office, "run.submit", &[Role::Maker]).await?;
    let run = office.run(&mut step.tx, code).await?;
    let signed_by = match &run.state {
        RunState::Submitted(s) | RunState::Reviewed(s, _) => Some(s.by.by.as_str()),
        other => other.signed().map(|s| s.submitted.by.by.as_str()),
    };
    if let Some(done) = repeated(&run, signed_by, &step.actor.name) {
        return Ok(done);
    }
    first_come(&run, signed_by, "提交")?;
    let now = payment::changed_accounts(&mut step.tx, &step.agency, &run).await?;
    let mut moved: Vec<(i64, String)> = Vec::new();
    let digest = verify_frozen(&mut step, &run, |page| {
        for line in read_whole(page)? {
            let Some(account) = now.get(&line.enrolment_no) else { continue };
            let frozen = line.payee().map_err(payment::unreadable)?;
            let now = (&*account.bank_code, account.number.as_str(), &*account.holder);
            if (frozen.bank_code, frozen.account_number, frozen.account_holder) != now {
                moved.push((line.line_no, frozen.name.to_string()));
            }
        }
        Ok(())
    });
    let digest = digest.await?.digest;
    if let Some((line_no, name)) = moved.first() {
        return Err(Failure::refused(
            "ROSTER_CHANGED",
            format!("批次 {code} 计算之后有 {} 人的账户已变更（第 {line_no} 笔 {name} 等）", moved.len()),
        )
        .hint("用 fafang run cancel 作废后重新计算"));
    }
    let from = run.state.clone();
    let run = run.submit(step.signature(), digest.clone())?;
    store(&mut step, &run, &from).await?;
    step.finish(code, json!({ "digest": digest, "payments": run.payments, "total_fen": run.total.fen() })).await?;
    Ok(Decided::of(run, false))
}

/// Reviews a submitted run.
///
/// # Errors
/// Unless submitted, by another person, and unchanged since.
pub async fn review(office: &Office, code: &str) -> Result<Decided, Failure> {
    let mut step = Step::begin(office, "run.review", &[Role::Reviewer]).await?;
    let run = office.run(&mut step.tx, code).await?;
    let signed_by = match &run.state {
        RunState::Reviewed(_, by) => Some(by.by.as_str()),
        other => other.signed().map(|s| s.reviewed.by.as_str()),
    };
    if let Some(done) = repeated(&run, signed_by, &step.actor.name) {
        return Ok(done);
    }
    first_come(&run, signed_by, "复核")?;
    let from = run.state.clone();
    let run = run.review(step.signature())?;
    let digest = verify_frozen(&mut step, &run, |_| Ok(())).await?.digest;
    store(&mut step, &run, &from).await?;
    step.finish(code, json!({ "digest": digest })).await?;
    Ok(Decided::of(run, false))
}

/// Approves a reviewed run and reserves its money in the same transaction.
///
/// # Errors
/// Unless reviewed, by a third person who entered none of its accounts, unchanged since, shown to the
/// public as the scheme asks, and within the appropriations; the days or the amount missing are named.
pub async fn approve(office: &Office, code: &str) -> Result<Decided, Failure> {
    let mut step = Step::begin(office, "run.approve", &[Role::Approver]).await?;
    let run = office.run(&mut step.tx, code).await?;
    let signed_by = run.state.signed().map(|s| s.approved.by.as_str());
    if let Some(done) = repeated(&run, signed_by, &step.actor.name) {
        return Ok(done);
    }
    first_come(&run, signed_by, "审批")?;
    let from = run.state.clone();
    let run = run.approve(step.signature())?;
    let set = payment::accounts_set_by(&mut step.tx, &step.agency, &run, &step.actor.name).await?;
    let mut holds = hold::open_by_person(&mut step.tx, &step.agency).await?;
    holds.retain(|_, (_, opened)| is_held_since(&run, *opened));
    let (mut own, mut held) = (0, Vec::new());
    let digest = verify_frozen(&mut step, &run, |page| {
        // Whoever has nobody to look for looks at no line.
        let lines = if set.is_empty() && holds.is_empty() { Vec::new() } else { page.lines()? };
        for line in &lines {
            own += usize::from(set.contains(&line.enrolment_no));
            if !holds.is_empty() {
                let payee = line.payee().map_err(payment::unreadable)?;
                let hold = holds.get(&payee.beneficiary_no);
                held.extend(hold.map(|(hold, _)| held_payment(line, &payee, hold.reason)));
            }
        }
        Ok(())
    });
    let digest = digest.await?.digest;
    if own > 0 {
        return Err(Failure::refused(
            "ACCOUNT_BY_APPROVER",
            format!("批次 {code} 中有 {own} 笔的账户由 {} 录入", step.actor.name),
        )
        .hint("录入账户的人不能审批付款，请由其他审批人办理"));
    }
    let (scheme, _) = office.scheme(&mut step.tx, &run.scheme_code).await?;
    published_before(office, &mut step, &run, &scheme).await?;
    let (draws, drawn) = reserve(&mut step, &run, &scheme).await?;
    appropriation::insert_draws(&mut step.tx, &step.agency, run.periods.last.number(), run.no, &draws).await?;
    store(&mut step, &run, &from).await?;
    let sources: Vec<_> = drawn.iter().map(|(d, m)| json!({ "document": d, "amount_fen": m.fen() })).collect();
    step.finish(code, json!({ "digest": digest, "reserved": sources, "held": held.len() })).await?;
    Ok(Decided { run, already: false, drawn, held })
}

/// True for a hold that was opened, by the event of this number, after the run was prepared: whoever was on hold then
/// has no payment in it.
pub(super) fn is_held_since(run: &Run, opened_event_no: i64) -> bool {
    opened_event_no > run.prepared_event_no
}

fn held_payment(line: &FrozenLine<'_>, payee: &Payee<'_>, reason: HoldReason) -> HeldPayment {
    HeldPayment {
        line_no: line.line_no,
        name: payee.name.to_string(),
        citizen_number: CitizenNumber::from_stored(payee.citizen_number).masked(),
        amount: line.amount,
        reason,
    }
}

/// Appropriations that a run may draw, in order.
///
/// An appropriation is used in its own year and, as carried-over money for the same purpose, in the
/// next one (after two years the treasury takes it back). The year of the run's last month comes
/// first, then the scheme's own order, then the order of loading.
fn usable(all: Vec<Appropriation>, run: &Run, scheme: &Scheme, year: i32) -> Vec<Appropriation> {
    let mut usable: Vec<Appropriation> = all
        .into_iter()
        .filter(|a| a.scheme_code == run.scheme_code && (a.year == year || a.year == year - 1))
        .collect();
    let place = |a: &Appropriation| {
        scheme
            .funding
            .iter()
            .position(|f| {
                f.year == a.year
                    && f.document.as_str() == a.document
                    && f.function_code == a.function_code
                    && f.economic_code == a.economic_code
                    && f.source == a.source
            })
            .unwrap_or(usize::MAX)
    };
    usable.sort_by_key(|a| (a.year != run.periods.last.year(), place(a), a.no));
    usable
}

async fn reserve(step: &mut Step, run: &Run, scheme: &Scheme) -> Result<(Vec<Draw>, Vec<(String, Money)>), Failure> {
    use chrono::Datelike;
    let all = appropriation::list(&mut step.tx, &step.agency).await?;
    let usable = usable(all, run, scheme, step.on.year());
    let available: Vec<(i64, Money)> = usable.iter().map(|a| (a.no, a.available)).collect();
    let draws = draw_in_order(&available, run.needs()).map_err(|missing| {
        let have: Money = available.iter().map(|(_, m)| *m).sum();
        let list: Vec<String> =
            usable.iter().map(|a| format!("{} 可用 {} 元", a.document, a.available.grouped())).collect();
        let list = if list.is_empty() {
            format!("项目没有 {} 年可用的指标", step.on.year())
        } else {
            list.join("，")
        };
        Failure::refused(
            "OVER_BUDGET",
            format!(
                "批次 {} 需要 {} 元，指标可用 {} 元，缺 {} 元（{list}）",
                run.code,
                run.needs().grouped(),
                have.grouped(),
                missing.grouped()
            ),
        )
        .hint("追加指标（fafang budget load 或 budget adjust）后再审批")
    })?;
    let mut drawn = Vec::with_capacity(draws.len());
    for draw in &draws {
        let amount = Money(draw.to_fen - draw.from_fen);
        let reason = PostingReason { run_no: Some(run.no), note: "审批占用", ..PostingReason::default() };
        let no = draw.appropriation_no;
        let moved = appropriation::post(
            &mut step.tx,
            &step.agency,
            no,
            PostingKind::Reserve,
            amount,
            &reason,
            step.on,
            step.event_no,
        )
        .await?;
        if !moved {
            return Err(Failure::conflict("BUDGET_MOVED", "指标余额刚被其他批次占用").hint("请重试"));
        }
        let document = usable.iter().find(|a| a.no == no).map_or_else(String::new, |a| a.document.clone());
        drawn.push((document, amount));
    }
    Ok((draws, drawn))
}

/// Sends a run back to its maker with a reason.
///
/// # Errors
/// Unless submitted or reviewed, or without a reason.
pub async fn send_back(office: &Office, code: &str, reason: &str) -> Result<Decided, Failure> {
    need_reason(reason)?;
    let mut step = Step::begin(office, "run.send_back", &[Role::Reviewer, Role::Approver]).await?;
    let run = office.run(&mut step.tx, code).await?;
    let from = run.state.clone();
    let run = run.send_back(step.signature(), reason.to_string())?;
    store(&mut step, &run, &from).await?;
    step.finish(code, json!({ "reason": reason })).await?;
    Ok(Decided::of(run, false))
}

/// Cancels a run before issue; reserved money becomes available again.
///
/// # Errors
/// Once issued, or without a reason; an approved run is cancelled by an approver.
pub async fn cancel(office: &Office, code: &str, reason: &str) -> Result<Decided, Failure> {
    need_reason(reason)?;
    let mut step = Step::begin(office, "run.cancel", &[Role::Maker, Role::Approver]).await?;
    let run = office.run(&mut step.tx, code).await?;
    let from = run.state.clone();
    if matches!(from, RunState::Approved(_)) && step.actor.role != Role::Approver {
        return Err(Failure::refused("WRONG_ROLE", format!("批次 {code} 已审批，应由审批人作废")));
    }
    let run = run.cancel(step.signature(), reason.to_string())?;
    if matches!(from, RunState::Approved(_)) {
        for draw in appropriation::draws(&mut step.tx, &step.agency, run.periods.last.number(), run.no).await? {
            let amount = Money(draw.to_fen - draw.from_fen);
            let posting = PostingReason { run_no: Some(run.no), note: "批次作废", ..PostingReason::default() };
            post_or_inconsistent(&mut step, draw.appropriation_no, PostingKind::Release, amount, &posting).await?;
        }
    }
    store(&mut step, &run, &from).await?;
    step.finish(code, json!({ "reason": reason, "was": from.code() })).await?;
    Ok(Decided::of(run, false))
}

/// Closes a settled run: all that the office had to do is done. Money that still comes back later is
/// taken in all the same.
///
/// # Errors
/// Until every payment has its outcome and, where the scheme asks for it, the result was shown to the public.
pub async fn close(office: &Office, code: &str) -> Result<Decided, Failure> {
    let mut step = Step::begin(office, "run.close", &[Role::Finance]).await?;
    let run = office.run(&mut step.tx, code).await?;
    let signed_by = match &run.state {
        RunState::Closed(_, _, by) => Some(by.by.as_str()),
        _ => None,
    };
    if let Some(done) = repeated(&run, signed_by, &step.actor.name) {
        return Ok(done);
    }
    first_come(&run, signed_by, "办结")?;
    let from = run.state.clone();
    let run = run.close(step.signature())?;
    let (scheme, _) = office.scheme(&mut step.tx, &run.scheme_code).await?;
    published_result(&mut step, &run, &scheme).await?;
    store(&mut step, &run, &from).await?;
    step.finish(code, json!({ "payments": run.payments, "total_fen": run.total.fen() })).await?;
    Ok(Decided::of(run, false))
}

/// Posts a movement that the books must be able to take; if they cannot, they are wrong.
///
/// # Errors
/// When the appropriation would fall below zero.
pub async fn post_or_inconsistent(
    step: &mut Step,
    appropriation_no: i64,
    kind: PostingKind,
    amount: Money,
    reason: &PostingReason<'_>,
) -> Result<(), Failure> {
    let (on, event_no) = (step.on, step.event_no);
    if appropriation::post(&mut step.tx, &step.agency, appropriation_no, kind, amount, reason, on, event_no).await? {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Internal,
        "INCONSISTENT",
        format!("第 {appropriation_no} 号指标不足以{} {} 元", kind.title(), amount.grouped()),
    )
    .hint("请运行 fafang doctor"))
}

fn need_reason(reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::refused("NO_REASON", "必须写明原因").hint("用 --reason 写明"));
    }
    Ok(())
}
