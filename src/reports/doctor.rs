//! Doctor: recounts everything that is kept, and checks every invariant on a live database.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::bank_reconciliation;
use super::rolls::rolls;
use crate::calculation::baseline::{Asked, Claims, SentSoFar, Since};
use crate::domain::appropriation::{Appropriation, Draw, PostingKind, split_over_draws};
use crate::domain::money::Money;
use crate::domain::payment::{FrozenDigest, PaymentState};
use crate::domain::recovery::{Entry, EntryKind, EntryState};
use crate::domain::run::{Run, RunState};
use crate::failure::Failure;
use crate::office::Office;
use crate::progress::Bar;
use crate::storage::audit_event;
use crate::storage::cover::{MonthSum, Recount, WronglyCovered};
use crate::storage::engine::Tx;
use crate::storage::error::StorageError;
use crate::storage::payment::{Page, Pages, Standing, StoredOutcome, unreadable};
use crate::storage::payment_file::PaymentFile;
use crate::storage::{appropriation, baseline, cover, enrolment, kept_file, month_sum, payment, recovery, run, scheme};

/// One invariant and what breaks it.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Stable code.
    pub code: &'static str,
    /// The invariant in words.
    pub title: &'static str,
    /// How many things were looked at.
    pub examined: usize,
    /// What breaks it; empty when it holds.
    pub problems: Vec<String>,
}

/// All checks, in a fixed order.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// True when nothing breaks any invariant.
    pub ok: bool,
    /// One per invariant.
    pub checks: Vec<Check>,
}

/// Checks every invariant.
///
/// # Errors
/// Only when the database cannot be read; a broken invariant is a finding, not an error.
pub async fn examine(office: &Office) -> Result<Examination, Failure> {
    let mut tx = office.read().await?;
    let agency = office.agency_code.as_str();
    let mut books = Books::read(&mut tx, office).await?;
    let entries = recovery::all_entries(&mut tx, agency).await?;
    let bar = office.progress.begin("重算合计", None, "笔");
    let [never_twice, kept] = match cover::recount(&mut tx, agency, &books.runs).await {
        Ok(counted) => {
            let kept = match kept(&mut tx, office, &books.runs, &counted).await {
                // A roll that cannot be read is told by ROLLS too.
                Err(failure) if failure.code == "INCONSISTENT" => {
                    Check { problems: vec![failure.message], ..check("KEPT", KEPT) }
                }
                other => other?,
            };
            [never_twice(&counted, &entries), kept]
        }
        // A page that cannot be read is told by FROZEN too; nothing can be counted then.
        Err(error @ StorageError::Inconsistent { .. }) => {
            let mut unread = never_twice(&Recount::default(), &[]);
            unread.problems.push(error.to_string());
            [unread, check("KEPT", KEPT)]
        }
        Err(error) => return Err(error.into()),
    };
    drop(bar);
    let checks = vec![
        audit_chain(&mut tx, agency).await?,
        books.postings(&mut tx, agency).await?,
        never_twice,
        kept,
        std::mem::replace(&mut books.totals, check("TOTALS", "")),
        std::mem::replace(&mut books.files, check("FILES", "")),
        std::mem::replace(&mut books.frozen, check("FROZEN", "")),
        std::mem::replace(&mut books.states, check("STATES", "")),
        books.money(),
        books.four_eyes(),
        kept_files(&mut tx, agency).await?,
        recoveries(&mut tx, agency, &entries).await?,
        rolls(&mut tx, agency).await?,
        statements(&mut tx, office).await?,
    ];
    Ok(Examination { ok: checks.iter().all(|c| c.problems.is_empty()), checks })
}

const KEPT: &str = "留存的合计和结平基准与逐笔重算一致";

fn check(code: &'static str, title: &'static str) -> Check {
    Check { code, title, examined: 0, problems: Vec::new() }
}

/// Events are numbered without gaps, each hash fits its event and the one before, the head is the last.
///
/// # Errors
/// Only when the database cannot be read.
pub async fn audit_chain(tx: &mut Tx, agency: &str) -> Result<Check, Failure> {
    let mut result = check("AUDIT_CHAIN", "审计记录连续、未被改动");
    let events = audit_event::list(tx, agency).await?;
    let mut previous = String::new();
    for (expected_no, event) in (1_i64..).zip(&events) {
        result.examined += 1;
        let no = event.event_no;
        if no != expected_no {
            result.problems.push(format!("第 {expected_no} 号记录缺失（下一条是第 {no} 号）"));
            break;
        }
        if event.previous_hash != previous {
            result.problems.push(format!("第 {no} 号记录与前一条不衔接，其间有增删"));
        }
        if event.computed_hash(agency) != event.hash {
            result.problems.push(format!("第 {no} 号记录的内容被改动（{} {}）", event.actor, event.action));
        }
        previous.clone_from(&event.hash);
    }
    let last = events.last().map_or((0, String::new()), |e| (e.event_no, e.hash.clone()));
    if audit_event::head(tx, agency).await? != Some(last) {
        result.problems.push("末尾的记录被删除或增加".into());
    }
    Ok(result)
}

fn never_twice(counted: &Recount, entries: &[Entry]) -> Check {
    let mut result = check("NEVER_TWICE", "每人每月的已覆盖金额（减追回、加抵扣）不为负、不超过发送时的应发");
    result.examined = counted.covers;
    for WronglyCovered { enrolment_no, period, covered, claim } in counted.wrongly_covered(entries) {
        let (covered, claim) = (covered.grouped(), claim.grouped());
        result.problems.push(format!("资格 {enrolment_no} 的 {period}: 已覆盖 {covered} 元，应发 {claim} 元"));
    }
    result
}

/// What is kept so that nobody need read all payments, against all payments: sums by month, and the baseline that the
/// next run would begin with.
async fn kept(tx: &mut Tx, office: &Office, all: &[Run], counted: &Recount) -> Result<Check, Failure> {
    let mut result = check("KEPT", KEPT);
    let agency = office.agency_code.as_str();
    let moved: HashSet<i64> = recovery::moved(tx, agency).await?.into_keys().map(|(no, _)| no).collect();
    for code in scheme::codes(tx, agency).await? {
        let runs: Vec<Run> = all.iter().filter(|r| r.scheme_code == code).cloned().collect();
        let Some(last_run) = runs.last() else { continue };
        result.examined += 1;
        let of_scheme = |sum: &&MonthSum| runs.iter().any(|r| r.no == sum.run_no);
        let sums: Vec<&MonthSum> = counted.sums.iter().filter(of_scheme).collect();
        if let (Some(first), Some(last)) = (sums.first(), sums.last()) {
            let kept = month_sum::by_month(tx, agency, &code, first.period, last.period).await?;
            for month in first.period.through(last.period) {
                let of_month = |sum: &&&MonthSum| sum.period == month;
                if !sums.iter().filter(of_month).copied().eq(kept.iter().filter(|sum| sum.period == month)) {
                    result.problems.push(format!("{code} {month}: 按月合计与明细不符"));
                }
            }
        }
        let Some(baseline) = baseline::standing(tx, agency, &runs).await? else { continue };
        let known_as = office.scheme_of(tx, run::standing(&runs).next_back().unwrap_or(last_run)).await?;
        let (_, version) = office.scheme(tx, &code).await?;
        let (people, then) = enrolment::of_scheme_since(tx, agency, &code, baseline.event_no).await?;
        let failed = cover::failed_since(tx, agency, &runs, baseline.event_no).await?;
        let failed = cover::by_enrolment(failed);
        let is_other_version = baseline.scheme_version != version;
        let since = Since { baseline: &baseline, scheme: &known_as, is_other_version, failed };
        let mut sent = SentSoFar::Since(since);
        let mut claims = Claims::default();
        for person in &people {
            if person.no <= baseline.last_enrolment_no {
                let entitlement = then.get(&person.no).unwrap_or(&person.entitlement);
                claims.add(&known_as, entitlement, known_as.first, baseline.last);
            }
            let then = then.get(&person.no);
            let is_moved = moved.contains(&person.no);
            let asked = Asked { no: person.no, now: &person.entitlement, then, is_moved };
            let sent = sent.to(asked).months(&known_as, &person.entitlement);
            let told = sent.into_iter().filter(|(_, amount)| !amount.is_zero());
            let months = known_as.first.min(person.entitlement.first).through(baseline.last);
            let counted = months.filter_map(|month| {
                let (covered, _) = counted.months.get(&(person.no, month))?;
                (!covered.is_zero()).then_some((month, *covered))
            });
            if !told.eq(counted) {
                result.problems.push(format!("{code} 资格 {}: 结平基准与明细不符", person.no));
            }
        }
        if claims.into_sums() != baseline.claims {
            result.problems.push(format!("{code}: 结平基准的应发合计与名册不符"));
        }
    }
    Ok(result)
}

/// Every fen of a case has one place, and its money went back to where it came from.
async fn recoveries(tx: &mut Tx, agency: &str, entries: &[Entry]) -> Result<Check, Failure> {
    let mut result = check("RECOVERIES", "追回: 通知书 = 各月；各月记录不超过通知书；退回指标 = 已入账的记录");
    for case in recovery::cases(tx, agency).await? {
        result.examined += 1;
        let of_months: Money = case.months.iter().map(|m| m.amount).sum();
        if of_months != case.total {
            let (total, sum) = (case.total.grouped(), of_months.grouped());
            result.problems.push(format!("第 {} 号追回案件: 通知书 {total} 元，各月 {sum} 元", case.no));
        }
        for month in &case.months {
            let own = entries.iter().filter(|e| e.case_no == case.no && e.period == month.period);
            let counts = own.filter(|e| e.recovers() || e.kind == EntryKind::WriteOff);
            let sum: Money = counts.map(|e| e.amount).sum();
            if sum > month.amount {
                let (sum, amount, period) = (sum.grouped(), month.amount.grouped(), month.period);
                result.problems.push(format!("第 {} 号追回案件 {period}: 记录 {sum} 元，通知书 {amount} 元", case.no));
            }
        }
    }
    let mut books: BTreeMap<(i64, i64), (Money, Money)> = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.recovers() && e.state == EntryState::Booked) {
        if let Some(source) = entry.source {
            books.entry((entry.case_no, source.appropriation_no)).or_default().0 += entry.amount;
        }
    }
    for (case_no, appropriation_no, amount) in recovery::posted(tx, agency).await? {
        books.entry((case_no, appropriation_no)).or_default().1 += amount;
    }
    for ((case_no, appropriation_no), (entered, posted)) in books {
        if entered != posted {
            let (entered, posted) = (entered.grouped(), posted.grouped());
            result.problems.push(format!(
                "第 {case_no} 号追回案件: 记录 {entered} 元，第 {appropriation_no} 号指标退回 {posted} 元"
            ));
        }
    }
    Ok(result)
}

/// What entries of statements answer is their amount and no more than the books have; balances chain.
async fn statements(tx: &mut Tx, office: &Office) -> Result<Check, Failure> {
    let mut result = check("STATEMENTS", "对账单: 余额衔接；每笔分录的配对合计 = 分录金额，不超过账上的项目");
    for account in bank_reconciliation::accounts(tx, office).await? {
        result.examined += account.count();
        result.problems.extend(account.problems()?);
    }
    Ok(result)
}

async fn kept_files(tx: &mut Tx, agency: &str) -> Result<Check, Failure> {
    let mut result = check("KEPT_FILES", "留存文件与其摘要一致");
    for (digest, name) in kept_file::digests(tx, agency).await? {
        result.examined += 1;
        if let Err(problem) = kept_file::content(tx, agency, &digest).await {
            result.problems.push(format!("{name}: {problem}"));
        }
    }
    Ok(result)
}

/// Sums of rows by file (0: in none) and state.
type StateSums = HashMap<(i64, PaymentState), (i64, Money)>;

/// What the payments of a run say together.
#[derive(Default)]
struct Seen {
    digest: FrozenDigest,
    count: i64,
    total: Money,
    covered: Money,
    sums: StateSums,
}

/// Everything about runs, gathered in one pass.
struct Books {
    appropriations: Vec<Appropriation>,
    runs: Vec<Run>,
    totals: Check,
    files: Check,
    frozen: Check,
    states: Check,
    /// Recounted from payments and their outcomes: appropriation → (reserved, paid).
    recounted: BTreeMap<i64, (Money, Money)>,
}

impl Books {
    async fn read(tx: &mut Tx, office: &Office) -> Result<Books, Failure> {
        let agency = office.agency_code.as_str();
        let mut books = Books {
            appropriations: appropriation::list(tx, agency).await?,
            runs: run::list(tx, agency, None).await?,
            totals: check("TOTALS", "批次 = 明细 = 覆盖；批次 = 文件 + 暂缓；抵扣 = 抵扣记录"),
            files: check("FILES", "文件合计 = 成功 + 失败 + 退票 + 未决"),
            frozen: check("FROZEN", "提交后的明细未被改动"),
            states: check("STATES", "批次和明细的状态合法"),
            recounted: BTreeMap::new(),
        };
        let all: i64 = books.runs.iter().map(|r| r.payments).sum();
        let bar = office.progress.begin("逐笔检查", usize::try_from(all).ok(), "笔");
        for run in books.runs.clone() {
            books.examine_run(tx, agency, &run, &bar).await?;
        }
        for entry in recovery::all_entries(tx, agency).await? {
            if let (true, EntryState::Booked, Some(source)) = (entry.recovers(), entry.state, entry.source) {
                books.recounted.entry(source.appropriation_no).or_default().1 -= entry.amount;
            }
        }
        Ok(books)
    }

    async fn examine_run(&mut self, tx: &mut Tx, agency: &str, run: &Run, bar: &Bar) -> Result<(), Failure> {
        let standing = payment::Standing::of(tx, agency, run).await?;
        let offsets = recovery::offsets_of_run(tx, agency, run).await?;
        let draws = appropriation::draws(tx, agency, run.periods.last.number(), run.no).await?;
        self.totals.examined += 1;
        let offset: Money = offsets.iter().map(|o| o.amount).sum();
        if offset != run.offset {
            let (kept, found) = (run.offset.grouped(), offset.grouped());
            self.totals.problems.push(format!("{}: 批次抵扣 {kept} 元，抵扣记录 {found} 元", run.code));
        }
        self.recount_offsets(run, &offsets, &draws);
        let mut seen = Seen::default();
        let mut pages = Pages::of(agency, run, payment::ALL_LINES);
        while let Some(page) = pages.next(tx).await? {
            bar.advance(page.span());
            match self.examine_page(run, &page, &standing, &draws, &mut seen) {
                Err(error @ StorageError::Inconsistent { .. }) => {
                    self.frozen.problems.push(format!("{}: {error}", run.code));
                    return Ok(());
                }
                other => other?,
            }
        }
        let Seen { digest, count, total, covered, sums } = seen;
        if total != run.total || covered != run.total || count != run.payments {
            self.totals.problems.push(format!(
                "{}: 批次 {} 元，明细 {} 元，覆盖 {} 元",
                run.code,
                run.total.grouped(),
                total.grouped(),
                covered.grouped()
            ));
        }
        if let Some(expected) = run.state.digest() {
            self.frozen.examined += 1;
            if digest.finish(&offsets) != expected {
                self.frozen.problems.push(format!("{}: 明细与提交时的摘要不符", run.code));
            }
        }
        self.examine_files(run, standing.files(), &sums);
        Ok(())
    }

    fn examine_page(
        &mut self,
        run: &Run,
        page: &Page,
        standing: &Standing,
        draws: &[Draw],
        seen: &mut Seen,
    ) -> Result<(), StorageError> {
        for line in page.lines()? {
            line.payee().map_err(unreadable)?;
            for cover in line.covers() {
                seen.covered += cover.map_err(unreadable)?.amount;
            }
            seen.digest.line(&line);
            seen.count += 1;
            seen.total += line.amount;
            let file = standing.file(line.line_no);
            let Some(state) = self.state(run, line.line_no, file, standing.outcomes(line.line_no)) else { continue };
            let sum = seen.sums.entry((file.map_or(0, |f| f.file_no), state)).or_default();
            sum.0 += 1;
            sum.1 += line.amount;
            for (appropriation_no, part) in split_over_draws(draws, line.offset, line.amount) {
                let books = self.recounted.entry(appropriation_no).or_default();
                match state {
                    PaymentState::Approved | PaymentState::Sent => books.0 += part,
                    PaymentState::Credited => books.1 += part,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// An offset is paid by the run's appropriations and gives back to those of the overpaid month.
    fn recount_offsets(&mut self, run: &Run, offsets: &[Entry], draws: &[Draw]) {
        for offset in offsets.iter().filter(|o| o.state != EntryState::Void) {
            let at = offset.target.map_or(Money::ZERO, |t| t.at);
            for (appropriation_no, part) in split_over_draws(draws, at, offset.amount) {
                let books = self.recounted.entry(appropriation_no).or_default();
                match run.state {
                    RunState::Approved(_) => books.0 += part,
                    RunState::Issued(..) | RunState::Settled(..) | RunState::Closed(..) => books.1 += part,
                    _ => {}
                }
            }
        }
    }

    /// State of a payment, replayed outcome by outcome so that an illegal move shows.
    fn state(
        &mut self,
        run: &Run,
        line_no: i64,
        file: Option<&PaymentFile>,
        rows: &[StoredOutcome],
    ) -> Option<PaymentState> {
        self.states.examined += 1;
        let mut state = match &run.state {
            RunState::Prepared { .. } | RunState::Submitted(_) | RunState::Reviewed(..) => PaymentState::Planned,
            RunState::Cancelled(..) => PaymentState::Cancelled,
            RunState::Approved(_) => PaymentState::Approved,
            // A withheld payment never reached its file.
            _ if rows.first().is_some_and(|r| r.kind == "withheld") => PaymentState::Approved,
            RunState::Issued(..) | RunState::Settled(..) | RunState::Closed(..) => {
                let told = rows.iter().any(|r| r.kind == "open" || r.kind == "rejected" || r.kind == "credited");
                match file {
                    Some(f) if f.is_answered() && !told => PaymentState::Credited,
                    Some(_) => PaymentState::Sent,
                    None => {
                        self.states.problems.push(format!("{} 第 {} 笔不在任何文件里", run.code, line_no));
                        return None;
                    }
                }
            }
        };
        for row in rows {
            let next = row.kind().ok().and_then(|kind| state.after(kind).ok());
            let Some(next) = next else {
                let words = format!("{} 第 {} 笔: {} 之后不能是 {}", run.code, line_no, state.title(), row.kind);
                self.states.problems.push(words);
                return None;
            };
            state = next;
        }
        Some(state)
    }

    fn examine_files(&mut self, run: &Run, files: &[PaymentFile], sums: &StateSums) {
        if run.state.issued().is_none() {
            return;
        }
        let sum = |file_no: i64, state| sums.get(&(file_no, state)).copied().unwrap_or_default();
        let mut in_files = Money::ZERO;
        for file in files {
            self.files.examined += 1;
            in_files += file.total();
            for (state, rows, fen) in [
                (PaymentState::Sent, file.open_rows, file.open_fen),
                (PaymentState::Credited, file.credited_rows, file.credited_fen),
                (PaymentState::Rejected, file.rejected_rows, file.rejected_fen),
                (PaymentState::Returned, file.returned_rows, file.returned_fen),
            ] {
                let found = sum(file.file_no, state);
                if found != (rows, Money(fen)) {
                    self.files.problems.push(format!(
                        "{} {}: 登记 {rows} 笔 {} 元，明细 {} 笔 {} 元",
                        file.name,
                        state.title(),
                        Money(fen).grouped(),
                        found.0,
                        found.1.grouped()
                    ));
                }
            }
        }
        let withheld: Money =
            sums.iter().filter(|((_, s), _)| *s == PaymentState::Withheld).map(|(_, (_, m))| *m).sum();
        if in_files + withheld != run.total {
            self.totals.problems.push(format!(
                "{}: 批次 {} 元，文件 {} 元 + 暂缓 {} 元",
                run.code,
                run.total.grouped(),
                in_files.grouped(),
                withheld.grouped()
            ));
        }
        let complete = files.iter().all(|f| f.is_answered() && f.open_rows == 0);
        if complete != run.state.is_settled() {
            self.states.problems.push(format!(
                "{}: 状态是{}，而文件{}全部有结果",
                run.code,
                run.state.title(),
                if complete { "已" } else { "未" }
            ));
        }
    }

    /// Kept totals of appropriations against the sums of their postings.
    async fn postings(&self, tx: &mut Tx, agency: &str) -> Result<Check, Failure> {
        let mut result = check("POSTINGS", "指标 = 可用 + 占用 + 支付，且等于流水之和");
        let sums = appropriation::posting_sums(tx, agency).await?;
        for a in &self.appropriations {
            result.examined += 1;
            let mut totals = (0, 0, 0, 0);
            for (no, kind, amount, _) in &sums {
                if *no == a.no {
                    let effect = PostingKind::effect(*kind);
                    totals.0 += effect.0 * amount.0;
                    totals.1 += effect.1 * amount.0;
                    totals.2 += effect.2 * amount.0;
                    totals.3 += effect.3 * amount.0;
                }
            }
            let kept = (a.appropriated.0, a.available.0, a.reserved.0, a.paid.0);
            if kept != totals || a.appropriated != a.available + a.reserved + a.paid || kept.1 < 0 {
                result.problems.push(format!("{}: 登记 {kept:?} 分，流水合计 {totals:?} 分", a.document));
            }
        }
        Ok(result)
    }

    /// Reserved and paid against what the payments themselves say.
    fn money(&self) -> Check {
        let mut result = check("MONEY", "占用 = 在途明细和抵扣，支付 = 成功明细 + 抵扣 − 追回");
        for a in &self.appropriations {
            result.examined += 1;
            let (reserved, paid) = self.recounted.get(&a.no).copied().unwrap_or_default();
            if (a.reserved, a.paid) != (reserved, paid) {
                result.problems.push(format!(
                    "{}: 占用 {} 元、支付 {} 元，明细为 {} 元、{} 元",
                    a.document,
                    a.reserved.grouped(),
                    a.paid.grouped(),
                    reserved.grouped(),
                    paid.grouped()
                ));
            }
        }
        result
    }

    fn four_eyes(&self) -> Check {
        let mut result = check("FOUR_EYES", "经办、复核、审批不是同一人");
        for run in &self.runs {
            if let Some(signed) = run.state.signed() {
                result.examined += 1;
                let makers = [&run.prepared.by, &signed.submitted.by.by];
                let same = makers.contains(&&signed.reviewed.by)
                    || makers.contains(&&signed.approved.by)
                    || signed.reviewed.by == signed.approved.by;
                if same {
                    result.problems.push(format!(
                        "{}: {} / {} / {}",
                        run.code, run.prepared.by, signed.reviewed.by, signed.approved.by
                    ));
                }
            }
        }
        result
    }
}
