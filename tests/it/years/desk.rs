//! What happens at the desks besides the runs: rosters, changes of people, holds, money, schemes,
//! posts; and the end of the year, when everything must come out even.

use std::fmt::Write as _;

use fafang::domain::actor::Role;
use fafang::domain::document::DocumentNumber;
use fafang::domain::enrolment::StopReason;
use fafang::domain::money::Money;
use fafang::domain::scheme::{Expenditure, Funding, Source};
use fafang::failure::Failure;
use fafang::formats::budget::BudgetLine;
use fafang::reports::doctor;
use fafang::workflow::change_enrolment::Changed;
use fafang::workflow::import_roster::{ImportRoster, import_roster};
use fafang::workflow::load_budget::{Which, adjust_budget, load_budget};
use fafang::workflow::load_scheme::load_scheme;
use fafang::workflow::{clear_hold, explain_finding, register};

use super::Invariant::*;
use super::model::{Account, FIRST, Month, Pot, RunState, Terms, category_name, month_of, month_text, yuan};
use super::plan::{MONTHS, Op};
use super::walk::{Checked, Expect, MOVING, SCHEME, Step, Walk, ensure, expect, refused};
use crate::support::changes;
use crate::support::dice::Dice;

/// One row of a roster under preparation.
struct Row {
    who: usize,
    account: Account,
    category: usize,
    first: Month,
    last: Option<Month>,
}

impl Walk {
    pub async fn operate(&mut self, op: &Op) -> Checked {
        match *op {
            Op::Advance { steps, seed } => {
                let mut dice = Dice::new(seed);
                for _ in 0..steps {
                    self.advance(&mut dice).await?;
                }
                Ok(())
            }
            Op::Prepare { how } => {
                let (first, last, is_regular) = match how {
                    0 => (self.month, self.month, true),
                    1 => (self.month, self.month, false),
                    2 => (FIRST, self.month, true),
                    3 => (self.month + 1, self.month + 1, true),
                    4 => (self.month - 1, self.month - 1, false),
                    // Where there is a regular run, a supplementary one can follow it.
                    _ => {
                        let sent = self.model.runs.iter().filter(|r| r.is_regular && r.state != RunState::Cancelled);
                        let last = sent.map(|r| r.last).max().unwrap_or(self.month);
                        (last, last, false)
                    }
                };
                self.prepare(first, last, is_regular).await.map(|_| ())
            }
            Op::SendBack { pick, seed } => self.wish_for(Step::SendBack, pick, seed).await,
            Op::Cancel { pick, seed } => self.wish_for(Step::Cancel, pick, seed).await,
            Op::IssueAgain { pick } => {
                let issued = self.files(|_, file| file == 0);
                if issued.is_empty() {
                    return Ok(());
                }
                self.step(issued[pick % issued.len()].0, Step::Issue, 6, &mut Dice::new(0)).await.map(|_| ())
            }
            Op::AnswerAgain { pick } => self.answer_again(pick).await,
            Op::Second { pick, seed } => self.second(pick, seed).await,
            Op::Late { pick, seed } => self.late(pick, seed).await,
            Op::BadAnswer { pick, how } => self.bad_answer(pick, how).await,
            Op::Stop { who, months, reason } => self.stop(who, self.month + months, reason).await,
            Op::Suspend { who, months } => self.suspend(who, self.month + months).await,
            Op::Resume { who, months } => self.resume(who, self.month + months).await,
            Op::Account { who, how } => self.account(who, how).await,
            Op::ClearHold { pick } => self.clear_hold(pick).await,
            Op::Import { seed } => self.import(seed).await,
            Op::Reload { how, month, fen } => self.change_scheme(how, month, fen).await,
            Op::Adjust { pick, percent } => {
                let pot = pick % self.model.pots.len();
                self.adjust(pot, self.model.pots[pot].appropriated * percent / 100).await
            }
            Op::NextYearsMoney { percent } => {
                self.new_pot(2027, self.model.pots[0].appropriated * percent / 100 + 1).await
            }
            Op::Anyone { seed } => self.anyone(seed).await,
            Op::Role { to } => self.role([Role::Maker, Role::Reviewer, Role::Approver][to]).await,
            Op::Tamper { pick, field } => self.tamper(pick, field).await,
            Op::Explain { pick } => self.explain(pick).await,
        }
    }

    /// A step of a run that is not yet sent, by someone of a fitting post.
    async fn wish_for(&mut self, step: Step, pick: usize, seed: u64) -> Checked {
        let is_early = |i: &usize| !matches!(self.model.runs[*i].state, RunState::Cancelled | RunState::Settled);
        let runs: Vec<usize> = (0..self.model.runs.len()).filter(is_early).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let role = if pick.is_multiple_of(2) {
            Role::Approver
        } else if step == Step::Cancel {
            Role::Maker
        } else {
            Role::Reviewer
        };
        let who = self.with_post(role, pick);
        self.step(runs[pick % runs.len()], step, who, &mut Dice::new(seed)).await.map(|_| ())
    }

    // ---- people --------------------------------------------------------------------------------

    pub async fn first_roster(&mut self, people: usize) -> Checked {
        let rows = (0..people).map(|who| Row {
            who,
            account: self.model.people[who].spare[0].clone(),
            category: who % self.model.terms().rates.len(),
            first: if who % 4 == 3 { FIRST + 1 } else { FIRST - 7 },
            last: None,
        });
        let rows = rows.collect();
        self.bring_in(rows, false, 0).await
    }

    async fn import(&mut self, seed: u64) -> Checked {
        let mut dice = Dice::new(seed);
        if dice.percent(15) {
            let bytes = dice.pick(&self.rosters).clone();
            return self.bring_in_bytes(&bytes, Vec::new(), false, Expect::Already, 0).await;
        }
        let mut rows = Vec::new();
        for who in self.model.enrolled() {
            if dice.percent(8) {
                continue;
            }
            let person = &self.model.people[who];
            let (mut account, mut category, mut first) = (person.account.clone(), person.category, person.first);
            account.holder.clone_from(&person.name);
            let mut last = None;
            match dice.below(14) {
                0 | 1 => account = dice.pick(&person.spare).clone(),
                2 => category = dice.below(self.model.terms().rates.len()),
                3 => first = FIRST + i32::try_from(dice.below(6)).unwrap() - 2,
                4 => last = Some(first.max(FIRST) + i32::try_from(dice.below(16)).unwrap()),
                _ => {}
            }
            rows.push(Row { who, account, category, first, last });
        }
        if let Some(who) = (0..self.model.people.len()).find(|i| self.model.people[*i].order.is_none())
            && dice.percent(50)
        {
            let account = self.model.people[who].spare[0].clone();
            let first = self.month - i32::try_from(dice.below(4)).unwrap();
            let category = dice.below(self.model.terms().rates.len());
            rows.push(Row { who, account, category, first, last: None });
        }
        if rows.is_empty() {
            return Ok(());
        }
        let maker = self.with_post(Role::Maker, dice.below(8));
        if dice.percent(12) {
            let text = self.roster(&rows);
            // An account with digits missing, a person twice.
            let broken = [
                text.replacen(&rows[0].account.number, &rows[0].account.number[5..], 1),
                format!("{text}{}\r\n", text.lines().last().unwrap()),
            ];
            let bytes = dice.pick(&broken).clone().into_bytes();
            self.count("bad_rosters");
            return self.bring_in_bytes(&bytes, Vec::new(), false, refused("ROSTER"), maker).await;
        }
        let is_dry = dice.percent(12);
        self.bring_in(rows, is_dry, maker).await
    }

    fn roster(&self, rows: &[Row]) -> String {
        let mut text = "姓名,公民身份号码,开户银行,银行账号,人员类别,享受起始月,享受终止月\r\n".to_string();
        for row in rows {
            let person = &self.model.people[row.who];
            let category = category_name(row.category, self.model.terms().rates.len());
            let (first, last) = (month_text(row.first), row.last.map_or_else(String::new, month_text));
            let Account { bank, number, .. } = &row.account;
            let _ =
                write!(text, "{},{},{bank},{number},{category},{first},{last}\r\n", person.name, person.citizen_number);
        }
        text
    }

    async fn bring_in(&mut self, rows: Vec<Row>, is_dry: bool, maker: usize) -> Checked {
        let bytes = self.roster(&rows).into_bytes();
        let expected = if is_dry { Expect::Already } else { Expect::Done };
        let expected = if self.rosters.contains(&bytes) { Expect::Already } else { expected };
        self.bring_in_bytes(&bytes, rows, is_dry, expected, maker).await
    }

    async fn bring_in_bytes(
        &mut self,
        bytes: &[u8],
        rows: Vec<Row>,
        dry_run: bool,
        expected: Expect,
        maker: usize,
    ) -> Checked {
        let before = self.version().await;
        let input = ImportRoster {
            scheme: SCHEME,
            file_name: "名册.csv",
            bytes,
            charset: None,
            first: None,
            accept_good: false,
            dry_run,
        };
        let result = import_roster(&self.at_desk(maker), input).await.map_err(|rejected| rejected.failure);
        let is_known = self.rosters.iter().any(|r| r == bytes);
        if !self.judge(BytesAreEvidence, &expected, before, &result).await? {
            if let Ok(imported) = result {
                ensure!(
                    BytesAreEvidence,
                    imported.already.is_some() == is_known,
                    "not told that it was imported before"
                );
                self.count(if is_known { "same_roster_twice" } else { "dry_runs" });
            }
            return Ok(());
        }
        let imported = result.unwrap();
        let name = self.posts[maker].0;
        let (mut new, mut changed, mut order) = (0, 0, self.model.enrolled().len());
        let missing = self
            .model
            .enrolled()
            .into_iter()
            .filter(|who| self.model.people[*who].last.is_none() && !rows.iter().any(|r| r.who == *who));
        let missing = missing.count();
        for row in &rows {
            let person = &mut self.model.people[row.who];
            if person.order.is_none() {
                order += 1;
                new += 1;
                person.order = Some(i64::try_from(order).unwrap());
                (person.category, person.first, person.roster_last) = (row.category, row.first, row.last);
                person.settle();
                person.account = row.account.clone();
                person.set_by = name.to_string();
                continue;
            }
            let has_account = person.account != row.account;
            let has_category = person.category != row.category;
            let has_first = person.first.max(FIRST) != row.first.max(FIRST);
            let is_stopped = person.reason.is_some_and(|reason| reason != StopReason::Roster);
            let has_last = row.last.is_some() && row.last != person.last && !is_stopped;
            if has_account {
                person.account = row.account.clone();
                person.set_by = name.to_string();
                let answered = self.model.holds.iter_mut().filter(|h| h.who == row.who && h.by_account);
                answered.for_each(|h| h.is_open = false);
            }
            person.category = row.category;
            if has_first || has_last {
                person.first = row.first;
            }
            if has_last {
                person.roster_last = row.last;
                person.settle();
            }
            changed += usize::from(has_account || has_category || has_first || has_last);
        }
        let found = (imported.new, imported.changed, imported.missing.len());
        ensure!(
            NothingLost,
            found == (new, changed, missing),
            "new, changed, missing: {found:?}, should be {:?}",
            (new, changed, missing)
        );
        for (what, count) in [("people_new", new), ("people_changed", changed), ("people_missing", missing)] {
            *self.tally.entry(what).or_default() += u64::try_from(count).unwrap();
        }
        self.rosters.push(bytes.to_vec());
        self.count("imports");
        Ok(())
    }

    /// Someone on the roster, by pick; sometimes one who is not.
    fn known(&self, who: usize) -> bool {
        self.model.people[who].order.is_some()
    }

    async fn changed(
        &mut self,
        expected: Expect,
        before: i64,
        who: usize,
        result: Result<Changed, Failure>,
    ) -> Checked<bool> {
        if !self.judge(NeverTwice, &expected, before, &result).await? {
            return Ok(false);
        }
        let changed = result.unwrap();
        self.discreet(&format!("{} {}", changed.citizen_number, changed.what))?;
        self.say(changed.what.clone());
        let found = changed.overpaid.iter().map(|o| (who, month_of(o.period), o.claim.fen(), o.cover.fen()));
        self.told = Some((who, found.collect()));
        Ok(true)
    }

    /// What the engine told of an overpayment, now that the model has changed too.
    fn compare_overpaid(&mut self) -> Checked {
        let Some((who, found)) = self.told.take() else { return Ok(()) };
        let kept: Vec<_> = self.model.overpaid().into_iter().filter(|o| o.0 == who).collect();
        ensure!(NeverTwice, found == kept, "overpaid {found:?}, should be {kept:?}");
        if !kept.is_empty() {
            self.count("overpaid_by_change");
        }
        Ok(())
    }

    async fn stop(&mut self, who: usize, month: Month, reason: usize) -> Checked {
        let reason = [StopReason::Death, StopReason::Moved, StopReason::Ineligible, StopReason::Other][reason];
        let date = format!("{}-15", month_text(month)).parse().unwrap();
        let last = if self.model.terms().stop_month_paid { month } else { month - 1 };
        let code = if self.known(who) {
            let same = self.model.people[who].stops.iter().find(|(_, _, r, _)| *r == reason);
            same.map(|(.., at)| if *at == month { "ALREADY_STOPPED" } else { "CONTRADICTS" })
        } else {
            Some("UNKNOWN_PERSON")
        };
        let (office, number) = (self.at_desk(0), self.model.people[who].citizen_number.clone());
        let person = changes::Person { citizen_number: &number, scheme: None };
        let before = self.version().await;
        let result = changes::stop(&office, person, reason, date, "证明").await;
        if self.changed(expect(code), before, who, result).await? {
            let person = &mut self.model.people[who];
            person.stops.push((last, if last == month { 15 } else { 99 }, reason, month));
            person.settle();
            self.count(if last < self.month { "stops_backdated" } else { "stops" });
            self.compare_overpaid()?;
        }
        Ok(())
    }

    async fn suspend(&mut self, who: usize, from: Month) -> Checked {
        let person = &self.model.people[who];
        let code = if !self.known(who) {
            Some("UNKNOWN_PERSON")
        } else if person.marks.iter().any(|(at, _)| *at == from) {
            Some("CONTRADICTS")
        } else {
            None
        };
        let (office, number) = (self.at_desk(0), person.citizen_number.clone());
        let meant = changes::Person { citizen_number: &number, scheme: Some(SCHEME) };
        let before = self.version().await;
        let result = changes::suspend(&office, meant, super::model::period(from), "未认证").await;
        if self.changed(expect(code), before, who, result).await? {
            self.model.people[who].marks.push((from, None));
            self.count("suspensions");
            self.compare_overpaid()?;
        }
        Ok(())
    }

    async fn resume(&mut self, who: usize, to: Month) -> Checked {
        // Most of the time someone is meant who is suspended.
        let is_suspended = |p: &super::model::Person| p.open_suspension().is_some();
        let who = self.model.people.iter().position(is_suspended).filter(|_| !who.is_multiple_of(3)).unwrap_or(who);
        let open = self.model.people[who].open_suspension();
        let code = match open {
            _ if !self.known(who) => Some("UNKNOWN_PERSON"),
            None => Some("NOT_SUSPENDED"),
            Some(_) if self.model.people[who].marks.iter().any(|(at, _)| *at == to) => Some("CONTRADICTS"),
            Some(from) if to < from => Some("RESUME_TOO_EARLY"),
            Some(_) => None,
        };
        let (office, number) = (self.at_desk(0), self.model.people[who].citizen_number.clone());
        let meant = changes::Person { citizen_number: &number, scheme: None };
        let before = self.version().await;
        let result = changes::resume(&office, meant, super::model::period(to), "已认证").await;
        if self.changed(expect(code), before, who, result).await? {
            let back_paid = self.model.terms().back_pay;
            self.model.people[who].marks.push((to, Some(back_paid)));
            self.count(if back_paid { "resumed_with_back_pay" } else { "resumed_without" });
            self.compare_overpaid()?;
        }
        Ok(())
    }

    async fn account(&mut self, who: usize, how: usize) -> Checked {
        let maker = self.with_post(Role::Maker, how);
        let person = &self.model.people[who];
        let mut new = person.spare[how % person.spare.len()].clone();
        if how == 7 {
            // 31 characters of two bytes: longer than the bank's field.
            new.holder = "买".repeat(31);
        }
        let neighbour = (0..self.model.people.len()).find(|i| *i != who && self.known(*i)).unwrap();
        if how == 8 {
            new = Account { holder: new.holder, ..self.model.people[neighbour].account.clone() };
        }
        let code = if !self.known(who) {
            Some("UNKNOWN_PERSON")
        } else if new == person.account {
            Some("SAME_ACCOUNT")
        } else if how == 8 && self.is_another_ones(who, &new) {
            Some("ACCOUNT_IN_USE")
        } else {
            None
        };
        let (office, number, name) = (self.at_desk(maker), person.citizen_number.clone(), self.posts[maker].0);
        let meant = changes::Person { citizen_number: &number, scheme: None };
        let wanted =
            changes::NewAccount { number: &new.number, bank: Some(&new.bank), holder: Some(&new.holder), relation: "" };
        let before = self.version().await;
        let result = changes::change_account(&office, meant, wanted, "本人申请").await;
        let cleared = result.as_ref().map_or(0, |c| c.cleared_holds.len());
        if self.changed(expect(code), before, who, result).await? {
            let person = &mut self.model.people[who];
            person.account = new;
            person.set_by = name.to_string();
            let answered = self.model.holds.iter_mut().filter(|h| h.is_open && h.who == who && h.by_account);
            let count = answered.map(|h| h.is_open = false).count();
            ensure!(
                NamedNeverGuessed,
                cleared == count,
                "{cleared} holds cleared by the new account, should be {count}"
            );
            if count > 0 {
                self.count("holds_cleared_by_account");
            }
            self.count("accounts_changed");
            self.compare_overpaid()?;
        }
        Ok(())
    }

    fn is_another_ones(&self, who: usize, account: &Account) -> bool {
        let others = self.model.people.iter().enumerate().filter(|(i, p)| *i != who && p.order.is_some());
        others.into_iter().any(|(_, p)| p.account.number == account.number)
    }

    async fn clear_hold(&mut self, pick: usize) -> Checked {
        let open: Vec<usize> = (0..self.model.holds.len()).filter(|i| self.model.holds[*i].is_open).collect();
        let (index, code) = match open.as_slice() {
            [] => (self.model.holds.len() + pick, Some("HOLD_NOT_OPEN")),
            _ if pick.is_multiple_of(9) => (open[0], Some("NO_RESOLUTION")),
            _ => (open[pick % open.len()], None),
        };
        let number = i64::try_from(index + 1).unwrap();
        let words = if code == Some("NO_RESOLUTION") { " " } else { "已核实" };
        let before = self.version().await;
        let result = clear_hold::clear_hold(&self.at_desk(0), number, words).await;
        if self.judge(NamedNeverGuessed, &expect(code), before, &result).await? {
            self.model.holds[index].is_open = false;
            self.count("holds_cleared");
        }
        Ok(())
    }

    async fn explain(&mut self, pick: usize) -> Checked {
        if self.model.findings == 0 {
            return Ok(());
        }
        let number = i64::try_from(pick).unwrap() % self.model.findings + 1;
        let is_new = self.explained.insert(number);
        let code = (!is_new).then_some("FINDING_NOT_OPEN");
        let before = self.version().await;
        let result = explain_finding::explain_finding(&self.finance(), number, "已与银行核实").await;
        self.judge(NamedNeverGuessed, &expect(code), before, &result).await?;
        Ok(())
    }

    // ---- scheme, money, posts ------------------------------------------------------------------

    async fn change_scheme(&mut self, how: usize, month: usize, fen: i64) -> Checked {
        let mut terms = self.model.terms().clone();
        match how {
            0..3 => {
                let category = how % terms.rates.len();
                terms.rates[category][month..].iter_mut().for_each(|rate| *rate = (*rate + fen).max(100));
            }
            3 => terms.back_pay = !terms.back_pay,
            4 => terms.stop_month_paid = !terms.stop_month_paid,
            5 => terms.quarterly = !terms.quarterly,
            6 => terms.last = if terms.last.is_some() { None } else { Some(FIRST + 8 + i32::try_from(month).unwrap()) },
            _ => {}
        }
        self.reload(terms).await
    }

    pub async fn reload(&mut self, terms: Terms) -> Checked {
        let text = terms.toml();
        let is_same = self.model.terms.last().is_some_and(|old| old.toml() == text);
        let expected = if is_same { Expect::Already } else { Expect::Done };
        let before = self.version().await;
        let result = load_scheme(&self.admin(), &text).await;
        if self.judge(BytesAreEvidence, &expected, before, &result).await? {
            self.model.terms.push(terms);
            let version = usize::try_from(result.unwrap().version).unwrap();
            ensure!(BytesAreEvidence, version == self.model.terms.len(), "version {version}");
            if version > 1 {
                self.count("schemes_reloaded");
            }
        }
        Ok(())
    }

    pub async fn new_pot(&mut self, year: i32, fen: i64) -> Checked {
        let document = format!("巴财社〔{year}〕{}号", self.model.pots.iter().filter(|p| p.year == year).count() + 1);
        let funding = Funding {
            year,
            document: DocumentNumber::parse(&document).unwrap(),
            project: "检验".into(),
            function_code: "2080601".into(),
            economic_code: "30305".into(),
            source: Source::Superior,
            expenditure: Expenditure::Project,
            amount: Money(fen),
        };
        let line = BudgetLine { row: 1, scheme_code: SCHEME.into(), funding };
        let before = self.version().await;
        let result = load_budget(&self.finance(), std::slice::from_ref(&line)).await;
        self.judge(NeverOverBudget, &Expect::Done, before, &result).await?;
        self.model.pots.push(Pot { year, document, available: fen, reserved: 0, paid: 0, appropriated: fen });
        let before = self.version().await;
        let again = load_budget(&self.finance(), &[line]).await;
        self.judge(BytesAreEvidence, &Expect::Already, before, &again).await?;
        self.count(if year > 2026 { "appropriations_of_next_year" } else { "appropriations" });
        self.money_moved().await
    }

    pub async fn adjust(&mut self, pot: usize, fen: i64) -> Checked {
        let code = if fen == 0 {
            Some("NOTHING_TO_ADJUST")
        } else {
            (self.model.pots[pot].available + fen < 0).then_some("BUDGET_ADJUST")
        };
        let document = DocumentNumber::parse(&self.model.pots[pot].document).unwrap();
        let which = Which { document, scheme: None, year: None };
        let basis = DocumentNumber::parse("和财社〔2026〕7号").unwrap();
        let before = self.version().await;
        let result = adjust_budget(&self.finance(), &which, Money(fen), &basis, "调整").await;
        if self.judge(NeverOverBudget, &expect(code), before, &result).await? {
            self.model.pots[pot].available += fen;
            self.model.pots[pot].appropriated += fen;
            self.count(if fen > 0 { "budget_raised" } else { "budget_cut" });
            self.say(format!("调整 {}", yuan(fen.abs())));
        }
        self.money_moved().await
    }

    async fn role(&mut self, role: Role) -> Checked {
        let expected = if self.posts[MOVING].1 == role { Expect::Already } else { Expect::Done };
        let before = self.version().await;
        let result = register::user(&self.admin(), self.posts[MOVING].0, role).await;
        if self.judge(FourEyes, &expected, before, &result).await? {
            self.posts[MOVING].1 = role;
            self.count("posts_changed");
        }
        Ok(())
    }

    // ---- the end -------------------------------------------------------------------------------

    /// Everything that is open is closed; then what is owed is covered, to the fen.
    pub async fn close_the_year(&mut self, seed: u64) -> Checked {
        self.story.push("—— 年终 ——".into());
        self.is_tame = true;
        self.failures = 0;
        let mut dice = Dice::new(seed);
        let end = FIRST + i32::try_from(MONTHS).unwrap();
        (self.month, self.day) = (end, 20);
        for who in 0..self.model.people.len() {
            if self.model.people[who].account.holder.chars().count() > 30 {
                self.account(who, 0).await?;
            }
        }
        let mut rounds = 0;
        loop {
            while self.model.runs.iter().any(|r| !matches!(r.state, RunState::Settled | RunState::Cancelled)) {
                rounds += 1;
                ensure!(NothingLost, rounds < 2_000, "runs never end");
                self.advance(&mut dice).await?;
            }
            for hold in 0..self.model.holds.len() {
                if self.model.holds[hold].is_open {
                    let result =
                        clear_hold::clear_hold(&self.at_desk(0), i64::try_from(hold + 1).unwrap(), "已核实").await;
                    ensure!(NamedNeverGuessed, result.is_ok(), "{result:?}");
                    self.model.holds[hold].is_open = false;
                }
            }
            let is_there = |r: &super::model::Run| r.is_regular && r.last >= end && r.state != RunState::Cancelled;
            let is_regular = !self.model.runs.iter().any(is_there);
            if !self.prepare(FIRST, end, is_regular).await? {
                break;
            }
        }
        self.compare_books().await?;
        self.comes_out_even(end)?;
        self.examine().await?;
        self.keeps_secrets().await?;
        self.finds_tampering(&mut dice).await
    }

    fn comes_out_even(&mut self, end: Month) -> Checked {
        let (cover, really) = (self.model.cover(), self.really_credited());
        ensure!(NothingLost, cover == really, "covered {cover:?}, and the bank credited {really:?}");
        let overpaid = self.model.overpaid();
        for who in self.model.enrolled() {
            for month in FIRST..=end {
                let claim = self.model.claim(who, month);
                let fen = really.get(&(who, month)).copied().unwrap_or(0);
                let more = overpaid.iter().find(|o| (o.0, o.1) == (who, month)).map_or(0, |o| o.3 - o.2);
                let name = &self.model.people[who].name;
                ensure!(
                    NothingLost,
                    fen == claim + more,
                    "{name} {}: credited {fen}, owed {claim}, overpaid {more}",
                    month_text(month)
                );
            }
        }
        self.count("years_even");
        if !overpaid.is_empty() {
            self.count("years_with_overpayments");
        }
        Ok(())
    }

    async fn examine(&mut self) -> Checked {
        let examination = doctor::examine(&self.office).await.unwrap();
        let broken: Vec<_> = examination.checks.iter().filter(|c| !c.problems.is_empty()).collect();
        ensure!(ChainOfEvidence, examination.ok && broken.is_empty(), "doctor: {broken:?}");
        Ok(())
    }

    /// What is told to many names nobody's number whole.
    async fn keeps_secrets(&mut self) -> Checked {
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT subject || ' ' || detail FROM audit_event UNION ALL SELECT message FROM finding UNION ALL SELECT note FROM hold \
             UNION ALL SELECT note FROM posting",
        )
        .fetch_all(&mut self.raw)
        .await
        .unwrap();
        self.discreet(&texts.join("\n"))
    }

    /// What is changed behind the program's back is found, each by its own check.
    async fn finds_tampering(&mut self, dice: &mut Dice) -> Checked {
        let events = self.scalar("SELECT COUNT(*) FROM audit_event").await;
        let victim = 1 + i64::try_from(dice.below(usize::try_from(events).unwrap())).unwrap();
        let (what, statement) = *dice.pick(&[
            ("audit_changed", "UPDATE audit_event SET detail = detail || ' ' WHERE event_no = $1"),
            ("audit_changed", "UPDATE audit_event SET actor = '别人' WHERE event_no = $1"),
            ("audit_changed", "UPDATE audit_event SET business_date = business_date + 1 WHERE event_no = $1"),
            ("audit_removed", "DELETE FROM audit_event WHERE event_no = $1"),
            ("audit_removed", "DELETE FROM audit_event WHERE event_no > $1 OR event_no = (SELECT MAX(event_no) FROM audit_event)"),
            (
                "audit_added",
                "INSERT INTO audit_event SELECT agency_code, (SELECT MAX(event_no) + 1 FROM audit_event), occurred_at, business_date, \
                 actor, action, subject, detail, (SELECT hash FROM audit_head), hash FROM audit_event WHERE event_no = $1",
            ),
        ]);
        let touched = sqlx::query(statement).bind(victim).execute(&mut self.raw).await.unwrap().rows_affected();
        assert!(touched > 0);
        self.count(what);
        let mut wanted = vec!["AUDIT_CHAIN"];
        if let Some(run) = self.model.runs.iter().position(|r| r.state == RunState::Settled) {
            self.behind_the_back(|p| p.account_holder.push('甲'), run, 1).await;
            wanted.push("FROZEN");
            let sql = "UPDATE kept_file SET content = content || x'20' WHERE digest = (SELECT digest FROM payment_file LIMIT 1)";
            sqlx::query(sql).execute(&mut self.raw).await.unwrap();
            wanted.push("KEPT_FILES");
            let sql = "UPDATE posting SET amount_fen = amount_fen + 1 WHERE posting_no = (SELECT MAX(posting_no) FROM posting)";
            sqlx::query(sql).execute(&mut self.raw).await.unwrap();
            wanted.push("POSTINGS");
            self.count("tampered_books");
        }
        let examination = doctor::examine(&self.office).await.unwrap();
        for code in wanted {
            let check = examination.checks.iter().find(|c| c.code == code).unwrap();
            ensure!(ChainOfEvidence, !check.problems.is_empty(), "{what} (event {victim}) and not found by {code}");
        }
        self.office.database.close().await;
        Ok(())
    }
}
