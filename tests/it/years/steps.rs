//! What happens to runs, files and answers, each operation judged by the model's rules.

use std::collections::BTreeMap;

use fafang::domain::actor::Role;
use fafang::domain::money::Money;
use fafang::domain::payment::Payment;
use fafang::domain::period::PeriodRange;
use fafang::domain::run::RunKind;
use fafang::failure::Failure;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::workflow::decide_run::{self, Decided};
use fafang::workflow::issue_files::{Issued, issue_files};
use fafang::workflow::prepare_run::prepare_run;
use fafang::workflow::take_return::{Taken, take_return};

use super::Invariant::*;
use super::bank::{Crafted, Effect, fields};
use super::model::{FIRST, File, Hold, LineState, Month, Run, RunState, month_of, month_text, period, yuan};
use super::walk::{Checked, Expect, SCHEME, STEPS, Step, Walk, abandoned, ensure, expect, refused};
use crate::support::altered;
use crate::support::dice::Dice;

/// How a payment is changed by hand.
pub type Alteration = fn(&mut Payment);

/// What a step of a run gave back.
enum Reply {
    Decided(Decided),
    Issued(Issued),
}

impl Walk {
    // ---- runs ----------------------------------------------------------------------------------

    pub async fn prepare(&mut self, first: Month, last: Month, is_regular: bool) -> Checked<bool> {
        let payables = self.model.payables(last);
        let terms = self.model.terms();
        let has_regular = |r: &Run| r.is_regular && r.last >= last && r.state != RunState::Cancelled;
        let code = if last < FIRST || terms.last.is_some_and(|end| first > end) {
            Some("PERIOD_OUTSIDE")
        } else if is_regular && terms.quarterly && last % 3 != 2 {
            Some("NOT_A_QUARTER")
        } else if !is_regular && !self.model.runs.iter().any(has_regular) {
            Some("NO_REGULAR_RUN")
        } else if payables.lines.is_empty() {
            Some("NOTHING_PAYABLE")
        } else {
            None
        };
        let kind = if is_regular { RunKind::Regular } else { RunKind::Supplementary };
        let maker = self.with_post(Role::Maker, self.model.runs.len());
        let before = self.version().await;
        let periods = PeriodRange { first: period(first), last: period(last) };
        let result = prepare_run(&self.at_desk(maker), SCHEME, periods, kind).await;
        if !self.judge(NeverTwice, &expect(code), before, &result).await? {
            return Ok(false);
        }
        let prepared = result.unwrap();
        let run = &prepared.run;
        let total: i64 = payables.lines.iter().map(|l| l.amount).sum();
        let count = i64::try_from(payables.lines.len()).unwrap();
        ensure!(
            ExactMoney,
            (run.payments, run.total.fen()) == (count, total),
            "{}: {} payments of {} fen, should be {count} of {total}",
            run.code,
            run.payments,
            run.total.fen()
        );
        let held: Vec<(String, i64)> = prepared.held.iter().map(|f| (f.name.clone(), f.what.1.fen())).collect();
        ensure!(NothingLost, held == payables.held, "held: {held:?}, should be {:?}", payables.held);
        let mut found: Vec<_> = prepared
            .overpaid
            .iter()
            .map(|f| (f.citizen_number.clone(), month_of(f.what.period), f.what.claim.fen(), f.what.cover.fen()))
            .collect();
        let mut kept: Vec<_> = payables
            .overpaid
            .iter()
            .map(|(who, month, claim, cover)| (self.masked(*who), *month, *claim, *cover))
            .collect();
        found.sort();
        kept.sort();
        ensure!(NeverTwice, found == kept, "overpaid: {found:?}, should be {kept:?}");
        self.say(format!("{}: {count} 笔 {} 元", run.code, yuan(total)));
        let remarkable = [
            (true, if is_regular { "runs_regular" } else { "runs_supplementary" }),
            (!kept.is_empty(), "overpaid_listed"),
            (!held.is_empty(), "held_listed"),
            (payables.lines.iter().any(|l| l.months.len() > 1), "back_pay"),
        ];
        for (_, what) in remarkable.into_iter().filter(|(is, _)| *is) {
            self.count(what);
        }
        let prepared_by = self.posts[maker].0.to_string();
        self.model.runs.push(Run {
            no: run.no,
            code: run.code.clone(),
            last,
            is_regular,
            lines: payables.lines,
            state: RunState::Prepared,
            prepared_by,
            submitted_by: None,
            reviewed_by: None,
            approved_by: None,
            files: Vec::new(),
        });
        Ok(true)
    }

    /// First six and last four characters.
    fn masked(&self, who: usize) -> String {
        let number = &self.model.people[who].citizen_number;
        format!("{}{}{}", &number[..6], "*".repeat(number.len() - 10), &number[number.len() - 4..])
    }

    /// What the rules say to someone who wants to take a step.
    fn rule(&self, run: usize, step: Step, who: usize) -> Expect {
        use RunState as S;
        let (name, role) = self.posts[who];
        let r = &self.model.runs[run];
        let allowed: &[Role] = match step {
            Step::Submit => &[Role::Maker],
            Step::Review => &[Role::Reviewer],
            Step::Approve => &[Role::Approver],
            Step::SendBack => &[Role::Reviewer, Role::Approver],
            Step::Cancel => &[Role::Maker, Role::Approver],
            Step::Issue => &[Role::Finance],
        };
        if !allowed.contains(&role) {
            return refused("WRONG_ROLE");
        }
        let is = |by: &Option<String>| by.as_deref() == Some(name);
        let done_by = |by: &Option<String>| if is(by) { Expect::Already } else { refused("ALREADY_DONE") };
        match (step, r.state) {
            (Step::Submit, S::Prepared) => {
                let has_moved = |l: &super::model::Line| self.model.people[l.who].account != l.account;
                expect(r.lines.iter().any(has_moved).then_some("ROSTER_CHANGED"))
            }
            (Step::Submit, S::Cancelled) => Expect::Refused(vec!["RUN_WRONG_STATE", "ROSTER_CHANGED"]),
            (Step::Submit, _) => done_by(&r.submitted_by),
            (Step::Review, S::Submitted) => {
                expect((r.prepared_by == name || is(&r.submitted_by)).then_some("FOUR_EYES"))
            }
            (Step::Review, S::Reviewed | S::Approved | S::Issued | S::Settled) => done_by(&r.reviewed_by),
            (Step::Approve, S::Reviewed) => {
                let had_a_hand = r.prepared_by == name || is(&r.submitted_by) || is(&r.reviewed_by);
                let code = if had_a_hand {
                    Some("FOUR_EYES")
                } else if r.lines.iter().any(|l| l.set_by == name || self.model.people[l.who].set_by == name) {
                    Some("ACCOUNT_BY_APPROVER")
                } else {
                    (self.model.missing(run, self.year()) > 0).then_some("OVER_BUDGET")
                };
                expect(code)
            }
            (Step::Approve, S::Approved | S::Issued | S::Settled) => done_by(&r.approved_by),
            (Step::Cancel, S::Approved) if role != Role::Approver => refused("WRONG_ROLE"),
            (Step::SendBack, S::Submitted | S::Reviewed)
            | (Step::Cancel, S::Prepared | S::Submitted | S::Reviewed | S::Approved)
            | (Step::Issue, S::Issued | S::Settled) => Expect::Done,
            (Step::Issue, S::Approved) => {
                let overtaken = self.model.overtaken(run);
                let sent = r.lines.iter().enumerate().filter(|(i, _)| !overtaken.contains(i));
                let is_too_long = |l: &super::model::Line| encoding_rs::GB18030.encode(&l.account.holder).0.len() > 60;
                let code = if overtaken.len() == r.lines.len() {
                    Some("ALL_WITHHELD")
                } else {
                    sent.map(|(_, l)| l).any(is_too_long).then_some("CANNOT_WRITE")
                };
                expect(code)
            }
            _ => refused("RUN_WRONG_STATE"),
        }
    }

    async fn wish(&self, run: usize, step: Step, who: usize) -> Result<Reply, Failure> {
        let (office, code) = (self.at_desk(who), self.model.runs[run].code.as_str());
        Ok(match step {
            Step::Submit => Reply::Decided(decide_run::submit(&office, code).await?),
            Step::Review => Reply::Decided(decide_run::review(&office, code).await?),
            Step::Approve => Reply::Decided(decide_run::approve(&office, code).await?),
            Step::SendBack => Reply::Decided(decide_run::send_back(&office, code, "请核对").await?),
            Step::Cancel => Reply::Decided(decide_run::cancel(&office, code, "重新计算").await?),
            Step::Issue => Reply::Issued(issue_files(&office, code).await?),
        })
    }

    /// Takes a step of a run, as the rules allow or not. True when it was done.
    pub async fn step(&mut self, run: usize, step: Step, who: usize, dice: &mut Dice) -> Checked<bool> {
        let (name, code) = (self.posts[who].0, self.model.runs[run].code.clone());
        self.say(format!("{name} {step:?} {code}"));
        let mut expected = self.rule(run, step, who);
        let was_sent = matches!(self.model.runs[run].state, RunState::Issued | RunState::Settled);
        let can_repeat = matches!(step, Step::Submit | Step::Review | Step::Approve | Step::Issue);
        let mut was_abandoned = false;
        if can_repeat && dice.percent(8) && !was_sent {
            // The process ends somewhere in the step; then it is done again by the same person.
            let polls = dice.below(16);
            was_abandoned = abandoned(self.wish(run, step, who), polls).await.is_none();
            self.count(if was_abandoned { "abandoned" } else { "done_before_abandoned" });
            self.say(format!("（第 {polls} 次之后中断）"));
        }
        let before = self.version().await;
        let contents = if step == Step::Issue && was_sent { Some(self.dump().await) } else { None };
        let missing = if step == Step::Approve { self.model.missing(run, self.year()) } else { 0 };
        let result = self.wish(run, step, who).await;
        let is_repeated = match &result {
            Ok(Reply::Decided(d)) => d.already,
            Ok(Reply::Issued(i)) => i.again,
            Err(_) => false,
        };
        let was_interrupted = can_repeat && !was_sent && is_repeated && matches!(expected, Expect::Done);
        if was_interrupted {
            ensure!(AllOrNothing, self.story.last().is_some_and(|w| w.contains("中断")), "done before anyone did it");
            self.count(if was_abandoned { "abandoned_yet_done" } else { "repeated_at_once" });
            expected = Expect::Done;
        }
        let invariant = match step {
            Step::Approve if missing > 0 => NeverOverBudget,
            Step::Issue => NeverTwice,
            _ => FourEyes,
        };
        if let (Err(failure), Step::Approve) = (&result, step)
            && failure.code == "OVER_BUDGET"
        {
            let words = format!("缺 {} 元", fafang::domain::money::Money(missing).grouped());
            ensure!(NeverOverBudget, failure.message.contains(&words), "{} does not say {words}", failure.message);
        }
        if !self.judge(invariant, &expected, before, &result).await? {
            if let Ok(reply) = &result {
                let is_told = match reply {
                    Reply::Decided(decided) => decided.already,
                    Reply::Issued(issued) => issued.again,
                };
                ensure!(BytesAreEvidence, is_told, "not told that it was done before");
            }
            return Ok(false);
        }
        match result.unwrap() {
            Reply::Issued(issued) if was_sent => self.issued_again(run, &issued, contents.unwrap()).await?,
            Reply::Issued(issued) => self.issued(run, &issued, was_interrupted, dice)?,
            Reply::Decided(_) => self.decided(run, step, name),
        }
        self.money_moved().await?;
        Ok(true)
    }

    fn decided(&mut self, run: usize, step: Step, name: &str) {
        let by = Some(name.to_string());
        match step {
            Step::Submit => {
                self.model.runs[run].submitted_by = by;
                self.model.runs[run].state = RunState::Submitted;
            }
            Step::Review => {
                self.model.runs[run].reviewed_by = by;
                self.model.runs[run].state = RunState::Reviewed;
            }
            Step::Approve => {
                self.model.reserve(run, self.year());
                self.model.runs[run].approved_by = by;
                self.model.runs[run].state = RunState::Approved;
                let has_two = |l: &super::model::Line| l.split.len() > 1;
                if self.model.runs[run].lines.iter().any(has_two) {
                    self.count("payments_of_two_sources");
                }
                if self.model.runs[run].last / 12 < self.year() {
                    self.count("approved_after_year_end");
                }
            }
            Step::SendBack => {
                let run = &mut self.model.runs[run];
                (run.submitted_by, run.reviewed_by) = (None, None);
                run.state = RunState::Prepared;
            }
            Step::Cancel | Step::Issue => {
                for line in 0..self.model.runs[run].lines.len() {
                    self.model.move_line(run, line, LineState::Cancelled);
                }
                self.model.runs[run].state = RunState::Cancelled;
            }
        }
        self.count(match step {
            Step::Submit => "submitted",
            Step::Review => "reviewed",
            Step::Approve => "approved",
            Step::SendBack => "sent_back",
            Step::Cancel | Step::Issue => "cancelled",
        });
    }

    async fn issued_again(&mut self, run: usize, issued: &Issued, before: Vec<(String, String)>) -> Checked {
        let is_same = issued.again
            && issued.files.iter().map(|f| &f.bytes).eq(self.model.runs[run].files.iter().map(|f| &f.bytes));
        ensure!(FrozenAtSubmit, is_same, "issued again with other bytes");
        let after = self.dump().await;
        let changed: Vec<&String> = before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| &a.0).collect();
        ensure!(BytesAreEvidence, changed.is_empty(), "issued again, and {changed:?} changed");
        self.count("issued_again");
        Ok(())
    }

    fn issued(&mut self, run: usize, issued: &Issued, was_interrupted: bool, dice: &mut Dice) -> Checked {
        let overtaken = self.model.overtaken(run);
        let withheld: Vec<usize> = issued.withheld.iter().map(|w| usize::try_from(w.line_no - 1).unwrap()).collect();
        ensure!(NeverTwice, was_interrupted || withheld == overtaken, "withheld {withheld:?}, should be {overtaken:?}");
        for line in &overtaken {
            self.model.move_line(run, *line, LineState::Withheld);
            self.count("withheld");
        }
        let mut sent = Vec::new();
        for file in &issued.files {
            let rows = fields(&file.bytes);
            let (head, trailer) = (&rows[0], &rows[rows.len() - 1]);
            let mut lines = Vec::new();
            let mut total = 0;
            for row in &rows[1..rows.len() - 1] {
                let index = row[1].parse::<usize>().unwrap() - 1;
                let line = &self.model.runs[run].lines[index];
                let kept = [
                    &line.account.number,
                    &line.account.holder,
                    &yuan(line.amount),
                    &self.model.people[line.who].citizen_number,
                ];
                let found = [&row[2], &row[3], &row[4], &row[5]];
                ensure!(FrozenAtSubmit, found == kept, "{}: {found:?} sent, {kept:?} frozen", row[7]);
                ensure!(NeverTwice, !self.bank.entries.contains_key(&row[7]), "{} sent twice", row[7]);
                total += line.amount;
                lines.push(index);
            }
            let count = (rows.len() - 2).to_string();
            let is_right =
                head[6] == count && trailer[1] == count && head[7] == yuan(total) && trailer[2] == yuan(total);
            ensure!(
                NothingLost,
                is_right,
                "head {head:?} and trailer {trailer:?} over {count} rows of {}",
                yuan(total)
            );
            sent.extend(lines.iter().copied());
            let head_ref = head[1].clone();
            self.model.runs[run].files.push(File {
                reference: head_ref,
                bytes: file.bytes.clone(),
                lines,
                is_answered: false,
            });
            self.bank.carry_out(&file.bytes, dice, self.failures);
            self.count("files");
        }
        let all: Vec<usize> = (0..self.model.runs[run].lines.len()).filter(|i| !overtaken.contains(i)).collect();
        ensure!(NothingLost, sent == all, "sent {sent:?}, should be {all:?}");
        for line in all {
            self.model.move_line(run, line, LineState::Sent);
        }
        self.model.runs[run].state = RunState::Issued;
        // The heart of it: at this moment nobody is sent more than is owed.
        let cover = self.model.cover();
        for line in self.model.runs[run].lines.iter().filter(|l| l.state == LineState::Sent) {
            for (month, _) in &line.months {
                let (cover, claim) = (cover[&(line.who, *month)], self.model.claim(line.who, *month));
                ensure!(
                    NeverTwice,
                    cover <= claim,
                    "{} {}: {cover} sent, {claim} owed",
                    self.model.people[line.who].name,
                    month_text(*month)
                );
            }
        }
        self.bank_owes_nobody_twice()?;
        self.count("issued");
        Ok(())
    }

    /// From the bank's side, by citizen number: what it credited is at most what was or is owed.
    fn bank_owes_nobody_twice(&self) -> Checked {
        let mut credited: BTreeMap<&str, i64> = BTreeMap::new();
        for entry in self.bank.entries.values().filter(|e| e.is_credited && !e.is_taken_back) {
            *credited.entry(&entry.citizen_number).or_default() += entry.fen;
        }
        let mut overpaid: BTreeMap<usize, i64> = BTreeMap::new();
        for (who, _, claim, cover) in self.model.overpaid() {
            *overpaid.entry(who).or_default() += cover - claim;
        }
        for (who, person) in self.model.people.iter().enumerate() {
            let owed: i64 = (FIRST..FIRST + 24).map(|month| self.model.claim(who, month)).sum();
            let known = overpaid.get(&who).copied().unwrap_or(0);
            let fen = credited.get(person.citizen_number.as_str()).copied().unwrap_or(0);
            ensure!(
                NeverTwice,
                fen <= owed + known,
                "{}: the bank credited {fen}, owed {owed}, known overpayment {known}",
                person.name
            );
        }
        Ok(())
    }

    // ---- answers -------------------------------------------------------------------------------

    /// Delivers an answer, perhaps in a process that ends on the way, and judges what was made of it.
    pub async fn deliver(
        &mut self,
        run: usize,
        file: usize,
        kind: AnswerKind,
        crafted: Crafted,
        dice: &mut Dice,
    ) -> Checked {
        if crafted.rows == 0 {
            return Ok(());
        }
        let expected = expect(crafted.is_refused.then_some("RETURN_HEADER_DIFFERS"));
        let name = if kind == AnswerKind::Return { "回盘.txt" } else { "退票.txt" };
        let office = self.finance();
        if dice.percent(8) {
            let polls = dice.below(24);
            let gone = abandoned(take_return(&office, kind, name, &crafted.bytes), polls).await.is_none();
            self.count(if gone { "abandoned" } else { "done_before_abandoned" });
            self.say(format!("（回盘读到第 {polls} 次中断）"));
        }
        let before = self.version().await;
        let result = take_return(&office, kind, name, &crafted.bytes).await;
        self.say(format!("{} {kind:?} {:?}", self.model.runs[run].files[file].reference, crafted.kinds));
        if !self.judge(NamedNeverGuessed, &expected, before, &result).await? {
            self.count("answers_refused");
            return Ok(());
        }
        let taken = result.unwrap();
        if taken.already.is_some() {
            ensure!(AllOrNothing, self.story[self.story.len() - 2].contains("中断"), "read before anyone read it");
            self.count("abandoned_yet_done");
        } else {
            self.compare_taken(run, &crafted, &taken)?;
        }
        self.take(run, file, kind, &crafted);
        if taken.already.is_none() {
            let is_settled = self.model.runs[run].state == RunState::Settled;
            ensure!(NothingLost, taken.settled <= is_settled, "settled too early");
            let open: i64 = self.model.runs[run].open(file).iter().map(|i| self.model.runs[run].lines[*i].amount).sum();
            ensure!(NothingLost, taken.open.amount.fen() == open, "{} open, should be {open}", taken.open.amount.fen());
        }
        for kind in &crafted.kinds {
            self.count(kind);
        }
        for finding in &taken.findings {
            self.discreet(&finding.message)?;
        }
        self.answers.push((kind, crafted.bytes));
        self.count(if kind == AnswerKind::Return { "returns" } else { "late_returns" });
        self.money_moved().await
    }

    fn compare_taken(&self, run: usize, crafted: &Crafted, taken: &Taken) -> Checked {
        let mut found: Vec<(&str, Option<i64>)> = taken.findings.iter().map(|f| (f.code, f.line_no)).collect();
        let mut kept: Vec<(&str, Option<i64>)> = crafted.findings.clone();
        found.sort_unstable();
        kept.sort_unstable();
        ensure!(NamedNeverGuessed, found == kept, "findings {found:?}, should be {kept:?}");
        let sum = |of: &dyn Fn(&Effect) -> bool| -> (i64, i64) {
            let lines =
                crafted.effects.iter().filter(|(_, e)| of(e)).map(|(line, _)| self.model.runs[run].lines[*line].amount);
            (i64::try_from(lines.clone().count()).unwrap(), lines.sum())
        };
        for (tally, kept, what) in [
            (taken.credited, sum(&|e| *e == Effect::Credited), "credited"),
            (taken.rejected, sum(&|e| matches!(e, Effect::Rejected { .. })), "rejected"),
            (taken.returned, sum(&|e| matches!(e, Effect::Returned { .. })), "returned"),
        ] {
            let found = (tally.rows, tally.amount.fen());
            ensure!(NamedNeverGuessed, found == kept, "{what}: {found:?} rows and fen, should be {kept:?}");
        }
        Ok(())
    }

    fn take(&mut self, run: usize, file: usize, kind: AnswerKind, crafted: &Crafted) {
        for (line, effect) in &crafted.effects {
            let (to, hold) = match effect {
                Effect::Credited => (LineState::Credited, None),
                Effect::Rejected { hold } => (LineState::Rejected, *hold),
                Effect::Returned { hold } => (LineState::Returned, *hold),
            };
            self.model.move_line(run, *line, to);
            if let Some(by_account) = hold {
                let who = self.model.runs[run].lines[*line].who;
                self.model.holds.push(Hold { who, by_account, is_open: true });
                self.count("holds");
            }
        }
        self.model.findings += i64::try_from(crafted.findings.len()).unwrap();
        if kind == AnswerKind::Return {
            self.model.runs[run].files[file].is_answered = true;
        } else if self.model.runs[run].last / 12 < self.year() && !crafted.effects.is_empty() {
            self.count("late_after_year_end");
        }
        if self.model.settle(run) {
            self.count("settled");
        }
    }

    /// Bytes that were taken in before change nothing.
    pub async fn answer_again(&mut self, pick: usize) -> Checked {
        if self.answers.is_empty() {
            return Ok(());
        }
        let (kind, bytes) = self.answers[pick % self.answers.len()].clone();
        let before = self.version().await;
        let result = take_return(&self.finance(), kind, "又一次.txt", &bytes).await;
        self.judge(BytesAreEvidence, &Expect::Already, before, &result).await?;
        ensure!(BytesAreEvidence, result.unwrap().already.is_some(), "the same bytes were taken in again");
        self.count("same_answer_twice");
        Ok(())
    }

    /// Answers that must be refused as a whole.
    pub async fn bad_answer(&mut self, pick: usize, how: usize) -> Checked {
        let files = self.files(|run, file| !run.open(file).is_empty());
        if files.is_empty() {
            return Ok(());
        }
        let (run, file) = files[pick % files.len()];
        let mut dice = Dice::new(0);
        let crafted = {
            let (model, bank) = (&self.model, &mut self.bank);
            bank.craft_return(&model.runs[run], file, &mut dice, true)
        };
        if crafted.rows == 0 {
            return Ok(());
        }
        let reference = self.model.runs[run].files[file].reference.clone();
        let text = encoding_rs::GB18030.decode(&crafted.bytes).0.into_owned();
        let encode = |text: String| encoding_rs::GB18030.encode(&text).0.into_owned();
        let without_trailer = text.trim_end().rsplit_once('\n').unwrap().0.to_string() + "\n";
        let (kind, code, bytes) = match how {
            0 => (AnswerKind::Return, "BANK_FILE_TRUNCATED", encode(without_trailer)),
            1 => (
                AnswerKind::Return,
                "RETURN_FILE_UNKNOWN",
                encode(text.replacen(&reference, &reference.replacen("652827", "652801", 1), 1)),
            ),
            2 => (AnswerKind::LateReturn, "OTHER_ANSWER_KIND", crafted.bytes),
            3 => (AnswerKind::Return, "RETURN_HEADER_DIFFERS", encode(text.replacen("|nian|", "|nina|", 1))),
            4 => (AnswerKind::Return, "BANK_FILE_NUL", [crafted.bytes, vec![0]].concat()),
            5 => (
                AnswerKind::Return,
                "BANK_FILE_AFTER_TRAILER",
                [crafted.bytes.clone(), b"T|0|0.00|0|0.00\r\n".to_vec()].concat(),
            ),
            _ => {
                let trailer = text.trim_end().rsplit('\n').next().unwrap().to_string();
                (
                    AnswerKind::Return,
                    "BANK_FILE_TOTALS",
                    encode(text.replacen(&trailer, &trailer.replacen("T|", "T|9", 1), 1)),
                )
            }
        };
        let before = self.version().await;
        let result = take_return(&self.finance(), kind, "坏.txt", &bytes).await;
        self.judge(NamedNeverGuessed, &refused(code), before, &result).await?;
        Ok(())
    }

    /// Files of issued runs for which something holds.
    pub fn files(&self, of: impl Fn(&Run, usize) -> bool) -> Vec<(usize, usize)> {
        let runs = self.model.runs.iter().enumerate();
        runs.flat_map(|(r, run)| (0..run.files.len()).filter(|f| of(run, *f)).map(move |f| (r, f)).collect::<Vec<_>>())
            .collect()
    }

    pub async fn answer(&mut self, run: usize, file: usize, dice: &mut Dice) -> Checked {
        let is_tame = self.is_tame;
        let crafted = self.bank.craft_return(&self.model.runs[run], file, dice, is_tame);
        self.deliver(run, file, AnswerKind::Return, crafted, dice).await
    }

    pub async fn second(&mut self, pick: usize, seed: u64) -> Checked {
        let files =
            self.files(|run, f| run.files[f].is_answered && (!run.open(f).is_empty() || pick.is_multiple_of(4)));
        if files.is_empty() {
            return Ok(());
        }
        let (run, file) = files[pick % files.len()];
        self.count("second_returns");
        self.answer(run, file, &mut Dice::new(seed)).await
    }

    pub async fn late(&mut self, pick: usize, seed: u64) -> Checked {
        let files = self.files(|_, _| true);
        if files.is_empty() {
            return Ok(());
        }
        let (run, file) = files[pick % files.len()];
        let mut dice = Dice::new(seed);
        let crafted = self.bank.craft_late(&self.model.runs[run], file, &mut dice);
        self.deliver(run, file, AnswerKind::LateReturn, crafted, &mut dice).await
    }

    // ---- moving on -----------------------------------------------------------------------------

    /// The next step of a run under way.
    pub async fn advance(&mut self, dice: &mut Dice) -> Checked {
        let is_open = |r: &Run| !matches!(r.state, RunState::Settled | RunState::Cancelled);
        let open: Vec<usize> = (0..self.model.runs.len()).filter(|i| is_open(&self.model.runs[*i])).collect();
        let Some(oldest) = open.first() else { return Ok(()) };
        let run = if self.is_tame || dice.percent(60) { *oldest } else { *dice.pick(&open) };
        let pick = dice.below(8);
        match self.model.runs[run].state {
            RunState::Prepared => {
                let who = self.with_post(Role::Maker, pick);
                let expected = self.rule(run, Step::Submit, who);
                if !self.step(run, Step::Submit, who, dice).await? && matches!(expected, Expect::Refused(_)) {
                    self.step(run, Step::Cancel, who, dice).await?;
                }
            }
            RunState::Submitted => {
                let who = self.with_post(Role::Reviewer, pick);
                self.step(run, Step::Review, who, dice).await?;
            }
            RunState::Reviewed => {
                let who = self.with_post(Role::Approver, pick);
                let missing = self.model.missing(run, self.year());
                self.step(run, Step::Approve, who, dice).await?;
                if missing > 0 && (self.is_tame || dice.percent(60)) {
                    self.adjust(0, missing + if self.is_tame { 0 } else { 50_000 }).await?;
                }
            }
            RunState::Approved => {
                let done = self.step(run, Step::Issue, 6, dice).await?;
                if !done && self.model.runs[run].state == RunState::Approved {
                    let who = self.with_post(Role::Approver, pick);
                    self.step(run, Step::Cancel, who, dice).await?;
                }
            }
            RunState::Issued => {
                let unanswered: Vec<usize> = (0..self.model.runs[run].files.len())
                    .filter(|f| !self.model.runs[run].files[*f].is_answered)
                    .collect();
                let open: Vec<usize> = (0..self.model.runs[run].files.len())
                    .filter(|f| !self.model.runs[run].open(*f).is_empty())
                    .collect();
                let file = if unanswered.is_empty() { *dice.pick(&open) } else { *dice.pick(&unanswered) };
                self.answer(run, file, dice).await?;
            }
            RunState::Settled | RunState::Cancelled => {}
        }
        Ok(())
    }

    /// Everyone is asked, allowed or not.
    pub async fn anyone(&mut self, seed: u64) -> Checked {
        if self.model.runs.is_empty() {
            return Ok(());
        }
        let mut dice = Dice::new(seed);
        let recent = self.model.runs.len().saturating_sub(3);
        let run = recent + dice.below(self.model.runs.len() - recent);
        let step = *dice.pick(&STEPS);
        let who = dice.below(self.posts.len());
        self.step(run, step, who, &mut dice).await?;
        Ok(())
    }

    /// Frozen payments changed behind the program's back stop the next step.
    pub async fn tamper(&mut self, pick: usize, field: usize) -> Checked {
        let is_frozen = |r: &Run| {
            matches!(r.state, RunState::Submitted | RunState::Reviewed | RunState::Approved | RunState::Issued)
        };
        let frozen: Vec<usize> = (0..self.model.runs.len()).filter(|i| is_frozen(&self.model.runs[*i])).collect();
        if frozen.is_empty() {
            return Ok(());
        }
        let run = frozen[pick % frozen.len()];
        let tamperings: [(Alteration, Alteration); 5] = [
            (|p| p.account_number.push('0'), |p| p.account_number.truncate(p.account_number.len() - 1)),
            (|p| p.account_holder.push('甲'), |p| p.account_holder.truncate(p.account_holder.len() - '甲'.len_utf8())),
            (|p| p.name.push('甲'), |p| p.name.truncate(p.name.len() - '甲'.len_utf8())),
            (|p| p.amount += Money(1), |p| p.amount -= Money(1)),
            (|p| p.bank_code.push('X'), |p| p.bank_code.truncate(p.bank_code.len() - 1)),
        ];
        let (change, undo) = tamperings[field];
        // An answer is checked against the payments of its own file; the steps before, against all.
        let lines = match self.model.runs[run].state {
            RunState::Issued => self.model.runs[run].files[0].lines.clone(),
            _ => (0..self.model.runs[run].lines.len()).collect(),
        };
        let line = i64::try_from(lines[pick % lines.len()] + 1).unwrap();
        self.behind_the_back(change, run, line).await;
        let mut dice = Dice::new(0);
        let before = self.version().await;
        let result = match self.model.runs[run].state {
            RunState::Submitted => self.wish(run, Step::Review, self.with_post(Role::Reviewer, pick)).await.err(),
            RunState::Reviewed => self.wish(run, Step::Approve, self.with_post(Role::Approver, pick)).await.err(),
            RunState::Approved => self.wish(run, Step::Issue, 6).await.err(),
            _ => {
                let crafted = self.bank.craft_return(&self.model.runs[run], 0, &mut dice, true);
                if crafted.rows == 0 {
                    self.behind_the_back(undo, run, line).await;
                    return Ok(());
                }
                take_return(&self.finance(), AnswerKind::Return, "回盘.txt", &crafted.bytes).await.err()
            }
        };
        let result: Result<(), Failure> = result.map_or(Ok(()), Err);
        let codes = vec!["RUN_TAMPERED", "FOUR_EYES", "ACCOUNT_BY_APPROVER"];
        self.judge(FrozenAtSubmit, &Expect::Refused(codes), before, &result).await?;
        self.behind_the_back(undo, run, line).await;
        Ok(())
    }

    pub async fn behind_the_back(&mut self, change: Alteration, run: usize, line: i64) {
        let run_no = self.model.runs[run].no;
        let of_line = "WHERE run_no = $1 AND $2 BETWEEN first_line_no AND last_line_no";
        let asked = format!("SELECT content FROM payment_page {of_line}");
        let asked = sqlx::query_scalar(sqlx::AssertSqlSafe(asked)).bind(run_no).bind(line);
        let content: String = asked.fetch_one(&mut self.raw).await.unwrap();
        let sql = format!("UPDATE payment_page SET content = $3 {of_line}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(run_no).bind(line).bind(altered(&content, line, change));
        assert_eq!(query.execute(&mut self.raw).await.unwrap().rows_affected(), 1);
    }
}
