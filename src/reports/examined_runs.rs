//! Runs as `doctor` looks at them: everything that is asked of a payment is asked in one reading, page by page.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::RangeInclusive;

use super::doctor::{Check, check};
use crate::calculation::recount::{EnrolmentSet, Recount};
use crate::domain::appropriation::{Draw, split_over_draws};
use crate::domain::money::Money;
use crate::domain::payment::{FrozenDigest, FrozenLine, OutcomeKind, PaymentState};
use crate::domain::period::Period;
use crate::domain::recovery::{Entry, EntryState};
use crate::domain::run::{Run, RunState};
use crate::failure::Failure;
use crate::progress::Bar;
use crate::storage::engine::Tx;
use crate::storage::error::StorageError;
use crate::storage::month_sum::{self, Place};
use crate::storage::payment::{self, Page, Pages, Standing, StoredOutcome, unreadable};
use crate::storage::payment_file::PaymentFile;
use crate::storage::{appropriation, recovery};

/// What was found of all runs.
pub(super) struct ExaminedRuns {
    pub totals: Check,
    pub files: Check,
    pub frozen: Check,
    pub states: Check,
    pub never_twice: Check,
    pub kept: Check,
    /// What the payments say of appropriations: reserved, paid.
    pub money: BTreeMap<i64, (Money, Money)>,
}

impl ExaminedRuns {
    pub(super) fn new() -> ExaminedRuns {
        ExaminedRuns {
            totals: check("TOTALS", "批次 = 明细 = 覆盖；批次 = 文件 + 暂缓；抵扣 = 抵扣记录"),
            files: check("FILES", "文件合计 = 成功 + 失败 + 退票 + 未决；文件与报盘的审计记录一致"),
            frozen: check("FROZEN", "提交后的明细未被改动"),
            states: check("STATES", "批次和明细的状态合法"),
            never_twice: check("NEVER_TWICE", "每人每月的已覆盖金额（减追回、加抵扣）不为负、不超过发送时的应发"),
            kept: check("KEPT", "留存的合计和结平基准与逐笔重算一致"),
            money: BTreeMap::new(),
        }
    }

    /// Examines a run and adds its payments to the recount. False when a page cannot be read: nothing can be counted
    /// then.
    pub(super) async fn examine(
        &mut self,
        tx: &mut Tx,
        agency: &str,
        run: &Run,
        recount: &mut Recount,
        bar: &Bar,
    ) -> Result<bool, Failure> {
        let standing = Standing::of(tx, agency, run).await?;
        let offsets = recovery::offsets_of_run(tx, agency, run).await?;
        let draws = appropriation::draws(tx, agency, run.periods.last.number(), run.no).await?;
        self.totals.examined += 1;
        let offset: Money = offsets.iter().map(|o| o.amount).sum();
        if offset != run.offset {
            let (kept, found) = (run.offset.grouped(), offset.grouped());
            self.totals.problems.push(format!("{}: 批次抵扣 {kept} 元，抵扣记录 {found} 元", run.code));
        }
        self.recount_offsets(run, &offsets, &draws);
        let told = standing.told_lines();
        let mut reading = Reading::new(run, &standing, &draws, &told, recount);
        let mut pages = Pages::of(agency, run, payment::ALL_LINES);
        while let Some(page) = pages.next(tx).await? {
            bar.advance(page.span());
            match reading.page(&page, self) {
                Err(error @ StorageError::Inconsistent { .. }) => {
                    self.frozen.problems.push(format!("{}: {error}", run.code));
                    self.never_twice.problems.push(error.to_string());
                    return Ok(false);
                }
                other => other?,
            }
        }
        let Seen { digest, count, total, covered, by_file, by_month } = reading.finish(self);
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
        self.examine_files(run, standing.files(), &by_file);
        self.examine_sums(run, &by_month, &month_sum::of_run(tx, agency, run).await?);
        Ok(true)
    }

    /// An offset is paid by the run's appropriations and gives back to those of the overpaid month.
    fn recount_offsets(&mut self, run: &Run, offsets: &[Entry], draws: &[Draw]) {
        for offset in offsets.iter().filter(|o| o.state != EntryState::Void) {
            let at = offset.target.map_or(Money::ZERO, |t| t.at);
            for (appropriation_no, part) in split_over_draws(draws, at, offset.amount) {
                let books = self.money.entry(appropriation_no).or_default();
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

    fn examine_files(&mut self, run: &Run, files: &[PaymentFile], sums: &Sums<(i64, PaymentState)>) {
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

    /// Kept sums by month, file and outcome against the covers themselves.
    fn examine_sums(&mut self, run: &Run, counted: &Sums<Place>, kept: &Sums<Place>) {
        let differs = |(place, sum): (&Place, &(i64, Money)), other: &Sums<Place>| {
            (other.get(place) != Some(sum)).then_some(place.0)
        };
        let more = counted.iter().filter_map(|one| differs(one, kept));
        let mut months: Vec<Period> = more.chain(kept.iter().filter_map(|one| differs(one, counted))).collect();
        months.sort_unstable();
        months.dedup();
        self.kept.problems.extend(months.iter().map(|month| format!("{} {month}: 按月合计与明细不符", run.code)));
    }
}

/// Number and sum of rows.
type Sums<K> = HashMap<K, (i64, Money)>;

/// Sums by something that stays the same for many rows on end.
struct Tally<K> {
    sums: Sums<K>,
    running: Option<(K, (i64, Money))>,
}

impl<K: Copy + Eq + Hash> Tally<K> {
    fn new() -> Tally<K> {
        Tally { sums: HashMap::new(), running: None }
    }

    fn add(&mut self, key: K, amount: Money) {
        match &mut self.running {
            Some((of, sum)) if *of == key => {
                sum.0 += 1;
                sum.1 += amount;
            }
            _ => {
                self.put_down();
                self.running = Some((key, (1, amount)));
            }
        }
    }

    fn put_down(&mut self) {
        if let Some((key, (count, amount))) = self.running.take() {
            let sum = self.sums.entry(key).or_default();
            sum.0 += count;
            sum.1 += amount;
        }
    }

    fn finish(mut self) -> Sums<K> {
        self.put_down();
        self.sums
    }
}

/// Lines of which nothing was told one by one: of one file, or of a run that has none yet.
struct Untold {
    lines: RangeInclusive<i64>,
    file_no: i64,
    state: PaymentState,
}

/// A stretch of the run's money of which the same has become.
struct Stretch {
    is_paid: bool,
    at: Money,
    amount: Money,
}

/// What the payments of a run say together.
struct Seen {
    digest: FrozenDigest,
    count: i64,
    total: Money,
    covered: Money,
    by_file: Sums<(i64, PaymentState)>,
    by_month: Sums<Place>,
}

/// A run being read.
struct Reading<'a> {
    run: &'a Run,
    standing: &'a Standing,
    draws: &'a [Draw],
    /// Lines that something was told of and that are still to come.
    told: &'a [i64],
    recount: &'a mut Recount,
    untold: Option<Untold>,
    money: Option<Stretch>,
    digest: FrozenDigest,
    count: i64,
    total: Money,
    covered: Money,
    by_file: Tally<(i64, PaymentState)>,
    by_month: Tally<Place>,
    /// Who is paid by the run.
    paid: EnrolmentSet,
    is_in_order: bool,
    is_end_to_end: bool,
}

impl<'a> Reading<'a> {
    fn new(
        run: &'a Run,
        standing: &'a Standing,
        draws: &'a [Draw],
        told: &'a [i64],
        recount: &'a mut Recount,
    ) -> Reading<'a> {
        Reading {
            run,
            standing,
            draws,
            told,
            untold: None,
            money: None,
            digest: FrozenDigest::default(),
            count: 0,
            total: Money::ZERO,
            covered: Money::ZERO,
            by_file: Tally::new(),
            by_month: Tally::new(),
            recount,
            paid: EnrolmentSet::default(),
            is_in_order: true,
            is_end_to_end: true,
        }
    }

    fn page(&mut self, page: &Page, found: &mut ExaminedRuns) -> Result<(), StorageError> {
        let lines = page.lines()?;
        self.digest.lines(page.bytes()?);
        found.states.examined += lines.len();
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        for line in &lines {
            least = least.min(line.enrolment_no);
            most = most.max(line.enrolment_no);
            self.line(line, found)?;
        }
        let ends = lines.first().zip(lines.last()).map(|(first, last)| first.line_no..=last.line_no);
        if ends != Some(page.bounds()) || page.enrolments() != (least..=most) {
            found.frozen.problems.push(format!("{}: {}", self.run.code, page.wrong("界限与内容不符")));
        }
        Ok(())
    }

    fn line(&mut self, line: &FrozenLine<'_>, found: &mut ExaminedRuns) -> Result<(), StorageError> {
        line.has_payee().map_err(unreadable)?;
        self.place(line, found);
        let (file_no, state, told) = self.state(line, found)?;
        if let Some(state) = state.legal {
            self.by_file.add((file_no, state), line.amount);
            self.pay(line, state, found);
        }
        let state = state.told;
        let file_no = if state == PaymentState::Withheld { 0 } else { file_no };
        let (mut sum, mut is_sound) = (Money::ZERO, true);
        for cover in line.covers() {
            let cover = cover.map_err(unreadable)?;
            found.never_twice.examined += 1;
            sum += cover.amount;
            is_sound &= cover.is_sound();
            self.by_month.add((cover.period, file_no, told), cover.amount);
            if state != PaymentState::Cancelled {
                let covered = if state.covers() { cover.amount } else { Money::ZERO };
                self.recount.add(line.enrolment_no, cover.period, covered, cover.claim);
            }
        }
        self.covered += sum;
        if !is_sound || sum != line.amount {
            let words = format!("{} 第 {} 笔: 金额不是各月之和，或超过当月尚欠的应发", self.run.code, line.line_no);
            found.never_twice.problems.push(words);
        }
        Ok(())
    }

    /// Lines are numbered without gaps, lie end to end in the run's money, and pay nobody twice.
    fn place(&mut self, line: &FrozenLine<'_>, found: &mut ExaminedRuns) {
        self.count += 1;
        // What comes after the first that is out of place is so too.
        if self.is_in_order && line.line_no != self.count {
            self.is_in_order = false;
            let words = format!("{}: 第 {} 笔的序号是 {}", self.run.code, self.count, line.line_no);
            found.frozen.problems.push(words);
        }
        if self.is_end_to_end && line.offset != self.total {
            self.is_end_to_end = false;
            let words = format!("{} 第 {} 笔: 不与前一笔的金额首尾相接", self.run.code, line.line_no);
            found.totals.problems.push(words);
        }
        self.total += line.amount;
        if !self.paid.insert(line.enrolment_no) {
            let words =
                format!("{} 第 {} 笔: 资格 {} 在同一批次里有两笔", self.run.code, line.line_no, line.enrolment_no);
            found.never_twice.problems.push(words);
        }
    }

    /// File, state and last outcome of a line.
    fn state(
        &mut self,
        line: &FrozenLine<'_>,
        found: &mut ExaminedRuns,
    ) -> Result<(i64, LineState, Option<OutcomeKind>), StorageError> {
        let line_no = line.line_no;
        if !self.is_in_order {
            self.told = &self.told[self.told.partition_point(|told| *told < line_no)..];
        }
        if self.told.first() == Some(&line_no) {
            self.told = &self.told[1..];
            let (file, rows) = (self.standing.file(line_no), self.standing.outcomes(line_no));
            let paid = line.paid().map_err(unreadable)?;
            if !rows.iter().all(|row| row.is_of(&paid)) {
                found
                    .states
                    .problems
                    .push(format!("{} 第 {line_no} 笔: 结果记录的人或所属期与明细不符", self.run.code));
            }
            let legal = found.state(self.run, line_no, file, rows);
            let told = rows.last().map(StoredOutcome::kind).transpose()?;
            let state = LineState { legal, told: self.standing.state(line_no)?.0 };
            return Ok((file.map_or(0, |f| f.file_no), state, told));
        }
        if let Some(untold) = self.untold.as_ref().filter(|untold| untold.lines.contains(&line_no)) {
            return Ok((untold.file_no, LineState::of(untold.state), None));
        }
        let file = self.standing.file(line_no);
        let Some(state) = found.state(self.run, line_no, file, &[]) else {
            return Ok((0, LineState { legal: None, told: self.standing.state(line_no)?.0 }, None));
        };
        let lines = file.map_or(1..=i64::MAX, |f| f.first_line_no..=f.last_line_no);
        let file_no = file.map_or(0, |f| f.file_no);
        self.untold = Some(Untold { lines, file_no, state });
        Ok((file_no, LineState::of(state), None))
    }

    /// What has become of the money of a payment; payments side by side are one stretch.
    fn pay(&mut self, line: &FrozenLine<'_>, state: PaymentState, found: &mut ExaminedRuns) {
        let is_paid = match state {
            PaymentState::Approved | PaymentState::Sent => false,
            PaymentState::Credited => true,
            _ => return,
        };
        match &mut self.money {
            Some(stretch) if stretch.is_paid == is_paid && stretch.at + stretch.amount == line.offset => {
                stretch.amount += line.amount;
            }
            _ => {
                self.put_down(found);
                self.money = Some(Stretch { is_paid, at: line.offset, amount: line.amount });
            }
        }
    }

    fn put_down(&mut self, found: &mut ExaminedRuns) {
        let Some(Stretch { is_paid, at, amount }) = self.money.take() else { return };
        for (appropriation_no, part) in split_over_draws(self.draws, at, amount) {
            let books = found.money.entry(appropriation_no).or_default();
            *(if is_paid { &mut books.1 } else { &mut books.0 }) += part;
        }
    }

    fn finish(mut self, found: &mut ExaminedRuns) -> Seen {
        self.put_down(found);
        let Reading { digest, count, total, covered, by_file, by_month, .. } = self;
        Seen { digest, count, total, covered, by_file: by_file.finish(), by_month: by_month.finish() }
    }
}

/// State of a payment.
#[derive(Clone, Copy)]
struct LineState {
    /// As its outcomes lead to it one by one; none when they cannot.
    legal: Option<PaymentState>,
    /// As the last of them says.
    told: PaymentState,
}

impl LineState {
    fn of(state: PaymentState) -> LineState {
        LineState { legal: Some(state), told: state }
    }
}
