//! Takes in the bank's answer to a payment file: a return (回盘), or a late return (退票).
//!
//! The file as a whole is checked first and refused if its head does not fit what was sent. Then
//! each row is matched by payment reference and compared; what does not fit becomes a finding and
//! is neither success nor failure. Only a positive failure makes money payable again.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::issue_files::{class_of, move_money, payment_row};
use super::step::Step;
use crate::domain::actor::Role;
use crate::domain::appropriation::PostingKind;
use crate::domain::bank::{Layout, ReasonClass};
use crate::domain::hold::HoldReason;
use crate::domain::money::Money;
use crate::domain::payment::{OutcomeKind, Payment, PaymentRef, PaymentState, frozen_digest};
use crate::domain::period::date_from_number;
use crate::domain::person_name::same_name;
use crate::domain::run::{Run, RunState};
use crate::failure::{Failure, Kind};
use crate::formats::bank::neutral::{Answer, AnswerKind, AnswerRow, AnswerStatus, read_answer};
use crate::office::Office;
use crate::storage::appropriation::PostingReason;
use crate::storage::finding::{self, NewFinding};
use crate::storage::payment::{NewOutcome, Outcomes, payment_state};
use crate::storage::payment_file::{NewReturn, PaymentFile, Tally};
use crate::storage::{hold, kept_file, month_sum, payment, payment_file, recovery, run};

/// What an answer did.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Run it belongs to.
    pub run_code: String,
    /// File it answers.
    pub file_ref: String,
    /// Credited by it.
    pub credited: Tally,
    /// Rejected by it.
    pub rejected: Tally,
    /// Still open in the file after it.
    pub open: Tally,
    /// Returned by it (late return only).
    pub returned: Tally,
    /// Holds opened by it.
    pub holds: usize,
    /// What did not fit.
    pub findings: Vec<NewFinding>,
    /// True when it was the last answer of the run.
    pub settled: bool,
    /// Set when these bytes were taken in before: when and by whom. Then nothing was done.
    pub already: Option<String>,
}

/// Takes in a return or a late return.
///
/// # Errors
/// When the file cannot be read, is of the other kind, answers no file of ours, or its head does
/// not fit the file it answers. Then nothing is stored.
pub async fn take_return(office: &Office, kind: AnswerKind, name: &str, bytes: &[u8]) -> Result<Taken, Failure> {
    let action = if kind == AnswerKind::Return { "bank.return" } else { "bank.late_return" };
    let mut step = Step::begin(office, action, &[Role::Finance]).await?;
    let digest = kept_file::digest_of(bytes);
    let answer = read_answer(bytes).map_err(|e| Failure::input(e.code(), format!("{name}: {e}")))?;
    let file = find_file(&mut step, kind, name, &answer).await?;
    let run = run_of(&mut step, &file).await?;
    if let Some(past) = payment_file::past_return(&mut step.tx, &step.agency, &digest).await? {
        let already = format!("{name} 已由 {} 于 {} 读入", past.received_by, past.received_on()?);
        return Ok(Taken { already: Some(already), ..nothing(&run, &file) });
    }
    check_header(name, &answer, &step.agency, &run, &file)?;
    let lines = (file.first_line_no, file.last_line_no);
    let outcomes = payment::outcomes_of_lines(&mut step.tx, &step.agency, &run, lines).await?;
    let mut payments = payment::of_lines(&mut step.tx, &step.agency, &run, lines).await?;
    payments.retain(|p| !is_withheld(p, &outcomes));
    verify_sent(&run, &file, &payments)?;
    let recovered = recovery::recovered_of_run(&mut step.tx, &step.agency, &run).await?;
    let layout = office.banks.layout(&file.layout_code);
    let mut matching =
        Matching { agency: &step.agency, run: &run, file: &file, layout, on: step.on, result: Effect::default() };
    let rows = matching.by_line(&answer, &payments);
    match kind {
        AnswerKind::Return => matching.take_rows(&rows, &payments, &outcomes)?,
        AnswerKind::LateReturn => matching.take_late_rows(&rows, &payments, &outcomes, &recovered)?,
    }
    let result = matching.result;
    let taken = store(&mut step, &run, &file, kind, (name, bytes, &digest), answer.rows.len(), result).await?;
    let detail = json!({
        "file": file.file_ref, "digest": digest, "credited_fen": taken.credited.amount.fen(),
        "rejected_fen": taken.rejected.amount.fen(), "open_fen": taken.open.amount.fen(),
        "returned_fen": taken.returned.amount.fen(), "findings": taken.findings.len(), "settled": taken.settled,
    });
    step.finish(&run.code, detail).await?;
    Ok(taken)
}

/// A withheld payment lies between the lines of its file but was never in it.
fn is_withheld(payment: &Payment, outcomes: &Outcomes) -> bool {
    outcomes.get(&payment.line_no).is_some_and(|o| o[0].kind == OutcomeKind::Withheld.code())
}

/// The payments of the file are still those that were sent.
fn verify_sent(run: &Run, file: &PaymentFile, payments: &[Payment]) -> Result<(), Failure> {
    if frozen_digest(payments, &[]) == file.payments_digest {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Internal,
        "RUN_TAMPERED",
        format!("批次 {} 文件 {} 的明细与报盘时不一致", run.code, file.name),
    )
    .hint("数据可能被程序以外的手段改动过，没有读入；请运行 fafang doctor"))
}

fn nothing(run: &Run, file: &PaymentFile) -> Taken {
    Taken {
        run_code: run.code.clone(),
        file_ref: file.file_ref.clone(),
        credited: Tally::default(),
        rejected: Tally::default(),
        open: Tally { rows: file.open_rows, amount: Money(file.open_fen) },
        returned: Tally::default(),
        holds: 0,
        findings: Vec::new(),
        settled: run.state.is_settled(),
        already: None,
    }
}

async fn find_file(step: &mut Step, kind: AnswerKind, name: &str, answer: &Answer) -> Result<PaymentFile, Failure> {
    if answer.kind != kind {
        let (is, command) = match answer.kind {
            AnswerKind::Return => ("回盘文件", "fafang bank return"),
            AnswerKind::LateReturn => ("退票文件", "fafang bank late-return"),
        };
        return Err(Failure::input("OTHER_ANSWER_KIND", format!("{name} 是{is}")).hint(format!("请用 {command} 读入")));
    }
    let file = payment_file::find(&mut step.tx, &step.agency, &answer.header.file_ref).await?;
    file.ok_or_else(|| {
        Failure::input(
            "RETURN_FILE_UNKNOWN",
            format!("{name} 第1行 文件号: “{}” 不是本机构发出的支付文件", answer.header.file_ref),
        )
        .hint("可能是别的单位或别的系统的回盘，请核对后重新取回")
    })
}

async fn run_of(step: &mut Step, file: &PaymentFile) -> Result<Run, Failure> {
    let run = run::of_file(&mut step.tx, &step.agency, file).await?;
    run.ok_or_else(|| Failure::new(Kind::Internal, "INCONSISTENT", format!("文件 {} 没有批次", file.file_ref)))
}

/// Head of the answer against the file that was sent: run, part, date, count, sum.
fn check_header(name: &str, answer: &Answer, agency: &str, run: &Run, file: &PaymentFile) -> Result<(), Failure> {
    let found = &answer.header;
    let mut differences = Vec::new();
    let mut compare = |field: &str, found: String, sent: String| {
        if found != sent {
            differences.push(format!("{name} 第1行 {field}: {found}，应为 {sent}"));
        }
    };
    let pay_date = date_from_number(file.pay_date).unwrap_or_default();
    compare("机构代码", found.agency_code.clone(), agency.to_string());
    compare("项目编码", found.scheme_code.clone(), run.scheme_code.clone());
    compare("所属期", found.periods.to_string(), run.periods.to_string());
    compare("支付日期", found.pay_date.to_string(), pay_date.to_string());
    compare("总笔数", found.rows.to_string(), file.row_count.to_string());
    compare("总金额", found.total.to_string(), file.total().to_string());
    compare("分包", format!("{}/{}", found.part, found.parts), format!("{}/{}", file.part, file.parts));
    let rows_total: Money = answer.rows.iter().filter_map(|r| r.amount.clone().ok()).sum();
    if answer.kind == AnswerKind::Return && answer.rows.len() == found.rows && rows_total != found.total {
        differences.push(format!("{name} 明细合计: {rows_total}，应为报盘总金额 {}", found.total));
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::input("RETURN_HEADER_DIFFERS", differences.join("\n"))
        .hint("与发出的支付文件不符，没有读入；请向银行核实后重新取回"))
}

/// What the rows amount to.
#[derive(Default)]
struct Effect {
    outcomes: Vec<NewOutcome>,
    sums: month_sum::Sums,
    findings: Vec<NewFinding>,
    holds: Vec<(i64, ReasonClass, String)>,
    credited: Tally,
    rejected: Tally,
    returned: Tally,
    credited_money: Vec<(Money, Money)>,
    rejected_money: Vec<(Money, Money)>,
    returned_money: Vec<(Money, Money)>,
}

struct Matching<'a> {
    agency: &'a str,
    run: &'a Run,
    file: &'a PaymentFile,
    layout: Option<&'a Layout>,
    on: chrono::NaiveDate,
    result: Effect,
}

/// What the bank says of one payment, after everything that does not fit was made a finding.
enum Verdict<'a> {
    Credited(&'a AnswerRow),
    Rejected(&'a AnswerRow),
    Returned(&'a AnswerRow),
    /// Nothing that counts; the row's own words, if there is a row.
    Open(String),
}

impl<'a> Matching<'a> {
    fn finding(&mut self, code: &'static str, line_no: Option<i64>, amount: Money, message: String) {
        self.result.findings.push(NewFinding { code, line_no, amount, message });
    }

    /// Rows of the answer by payment; rows that are no payment of this file become findings.
    fn by_line(&mut self, answer: &'a Answer, payments: &[Payment]) -> BTreeMap<i64, Vec<&'a AnswerRow>> {
        let mut rows: BTreeMap<i64, Vec<&AnswerRow>> = BTreeMap::new();
        for row in &answer.rows {
            let reference: Option<PaymentRef> = row.payment_ref.parse().ok();
            let own = reference.filter(|r| {
                r.agency_code == self.agency && r.run_no == self.run.no && r.run_period == self.run.periods.last
            });
            let line_no = own.map(|r| r.line_no);
            let known =
                line_no.and_then(|n| payments.binary_search_by_key(&n, |p| p.line_no).ok()).map(|at| &payments[at]);
            match known {
                Some(payment) => rows.entry(payment.line_no).or_default().push(row),
                None => self.finding(
                    "RETURN_ROW_UNKNOWN",
                    None,
                    row.amount.clone().unwrap_or_default(),
                    format!("第{}行 明细号“{}”不在文件 {} 中", row.row, row.payment_ref, self.file.file_ref),
                ),
            }
        }
        rows
    }

    fn state(&self, payment: &Payment, outcomes: &Outcomes) -> Result<PaymentState, Failure> {
        let last = outcomes.get(&payment.line_no).and_then(|o| o.last()).map(|o| o.kind.as_str());
        Ok(payment_state(self.run.state.code(), Some(&self.file.status), last)?)
    }

    /// Compares the rows of one payment with it and with each other.
    fn verdict(&mut self, payment: &Payment, rows: &[&'a AnswerRow]) -> Verdict<'a> {
        let sent = payment_row(self.agency, self.run, payment);
        let line = Some(payment.line_no);
        let row = rows[0];
        if rows.len() > 1 {
            let numbers: Vec<String> = rows.iter().map(|r| r.row.to_string()).collect();
            let place = format!("第{}行 明细 {} 重复", numbers.join("、"), sent.payment_ref);
            let said = |r: &AnswerRow| {
                (r.status.clone(), r.amount.clone(), r.account.clone(), r.holder.clone(), r.reason_code.clone())
            };
            if rows.iter().any(|r| said(r) != said(row) || r.line_no != row.line_no) {
                self.finding("RETURN_ROWS_CONTRADICT", line, payment.amount, format!("{place}且结果不同，按未决处理"));
                return Verdict::Open("回盘重复且矛盾".into());
            }
            self.finding("RETURN_ROW_DUPLICATE", line, Money::ZERO, format!("{place}，结果相同，只计一次"));
        }
        let mut differences = Vec::new();
        if row.line_no != sent.line_no.to_string() {
            differences.push(("RETURN_LINE_DIFFERS", format!("序号 {}，应为 {}", row.line_no, sent.line_no)));
        }
        if row.account != sent.account {
            differences.push(("RETURN_ACCOUNT_DIFFERS", "账号与发出的不同".to_string()));
        }
        if !same_name(&row.holder, &sent.holder) {
            differences.push(("RETURN_NAME_DIFFERS", format!("户名“{}”，应为“{}”", row.holder, sent.holder)));
        }
        if row.amount.as_ref() != Ok(&sent.amount) {
            let found = row.amount.as_ref().map_or_else(Clone::clone, ToString::to_string);
            differences.push(("RETURN_AMOUNT_DIFFERS", format!("金额 {found}，应为 {}", sent.amount)));
        }
        if let Some((code, _)) = differences.first() {
            let words: Vec<&str> = differences.iter().map(|(_, words)| words.as_str()).collect();
            let message = format!("第{}行 明细 {}: {}，按未决处理", row.row, sent.payment_ref, words.join("；"));
            self.finding(code, line, payment.amount, message);
            return Verdict::Open("回盘内容与报盘不同".into());
        }
        match &row.status {
            AnswerStatus::Credited => Verdict::Credited(row),
            AnswerStatus::Rejected => Verdict::Rejected(row),
            AnswerStatus::Returned => Verdict::Returned(row),
            AnswerStatus::Open => Verdict::Open(row.reason_text.clone()),
            AnswerStatus::Unknown(text) => {
                let message = format!(
                    "第{}行 明细 {}: 状态“{text}”不认识，应为 S、F 或 P，按未决处理",
                    row.row, sent.payment_ref
                );
                self.finding("RETURN_STATUS_UNKNOWN", line, payment.amount, message);
                Verdict::Open(text.clone())
            }
        }
    }

    fn outcome(
        &mut self,
        payment: &Payment,
        outcomes: &Outcomes,
        kind: OutcomeKind,
        row: Option<&AnswerRow>,
        text: &str,
    ) {
        let before = outcomes.get(&payment.line_no).map_or(&[][..], Vec::as_slice);
        let last = before.last().and_then(|o| o.kind().ok());
        self.result.sums.tell(payment, self.file.file_no, last, kind);
        let reason_code = row.map_or_else(String::new, |r| r.reason_code.clone());
        let failed = matches!(kind, OutcomeKind::Rejected | OutcomeKind::Returned);
        self.result.outcomes.push(NewOutcome {
            line_no: payment.line_no,
            seq_no: i64::try_from(before.len() + 1).unwrap_or(i64::MAX),
            kind,
            reason_class: failed.then(|| class_of(self.layout, &reason_code)),
            reason_code,
            reason_text: text.to_string(),
            bank_ref: row.map_or_else(String::new, |r| r.bank_ref.clone()),
            on: row.and_then(|r| r.on).unwrap_or(self.on),
        });
    }

    /// Opens a hold for a failure that needs a correction; an unknown code is also a finding.
    fn hold(&mut self, payment: &Payment, row: &AnswerRow, what: &str) {
        let class = class_of(self.layout, &row.reason_code);
        let reference = payment_row(self.agency, self.run, payment).payment_ref;
        if class == ReasonClass::Unknown {
            let message = format!(
                "第{}行 明细 {reference}: 原因代码“{}”不在代码表里（{}）",
                row.row, row.reason_code, row.reason_text
            );
            self.finding("RETURN_REASON_UNKNOWN", Some(payment.line_no), Money::ZERO, message);
        }
        if class.needs_correction() {
            let note = format!("{what} {} {}（明细 {reference}）", row.reason_code, row.reason_text);
            self.result.holds.push((payment.beneficiary_no, class, note));
        }
    }

    fn take_rows(
        &mut self,
        rows: &BTreeMap<i64, Vec<&'a AnswerRow>>,
        payments: &[Payment],
        outcomes: &Outcomes,
    ) -> Result<(), Failure> {
        let first = !self.file.is_answered();
        for payment in payments {
            let state = self.state(payment, outcomes)?;
            let verdict = match rows.get(&payment.line_no) {
                Some(rows) => self.verdict(payment, rows),
                None if first => {
                    let reference = payment_row(self.agency, self.run, payment).payment_ref;
                    let message = format!("明细 {reference} {} 元没有出现在回盘里，按未决处理", payment.amount);
                    self.finding("RETURN_ROW_MISSING", Some(payment.line_no), payment.amount, message);
                    Verdict::Open("回盘缺行".into())
                }
                None => continue,
            };
            match (state, verdict) {
                (PaymentState::Sent, Verdict::Credited(row)) => {
                    if !first {
                        self.outcome(payment, outcomes, OutcomeKind::Credited, Some(row), "");
                    }
                    self.result.credited.add(payment.amount);
                    self.result.credited_money.push((payment.offset, payment.amount));
                }
                (PaymentState::Sent, Verdict::Rejected(row)) => {
                    self.outcome(payment, outcomes, OutcomeKind::Rejected, Some(row), &row.reason_text);
                    self.hold(payment, row, "回盘失败");
                    self.result.rejected.add(payment.amount);
                    self.result.rejected_money.push((payment.offset, payment.amount));
                }
                (PaymentState::Sent, Verdict::Open(text)) => {
                    if first {
                        self.outcome(
                            payment,
                            outcomes,
                            OutcomeKind::Open,
                            rows.get(&payment.line_no).map(|r| r[0]),
                            &text,
                        );
                    }
                }
                (PaymentState::Credited, Verdict::Credited(_)) | (PaymentState::Rejected, Verdict::Rejected(_)) => {}
                (state, _) => {
                    let reference = payment_row(self.agency, self.run, payment).payment_ref;
                    let message = format!(
                        "明细 {reference} 已是“{}”，这次回盘说法不同，没有改动；退票请用 bank late-return",
                        state.title()
                    );
                    self.finding("RETURN_CONTRADICTS", Some(payment.line_no), payment.amount, message);
                }
            }
        }
        Ok(())
    }

    fn take_late_rows(
        &mut self,
        rows: &BTreeMap<i64, Vec<&'a AnswerRow>>,
        payments: &[Payment],
        outcomes: &Outcomes,
        recovered: &HashSet<i64>,
    ) -> Result<(), Failure> {
        for payment in payments {
            let Some(rows) = rows.get(&payment.line_no) else { continue };
            let state = self.state(payment, outcomes)?;
            match (state, self.verdict(payment, rows)) {
                (PaymentState::Credited, Verdict::Returned(_)) if recovered.contains(&payment.enrolment_no) => {
                    // The same fen cannot come back twice: a person must find out which of the two it was.
                    let reference = payment_row(self.agency, self.run, payment).payment_ref;
                    let message =
                        format!("明细 {reference} 的钱已经追回（或正在抵扣），又有退票，没有改动；请核实退款与退票");
                    self.finding("LATE_RETURN_RECOVERED", Some(payment.line_no), payment.amount, message);
                }
                (PaymentState::Credited, Verdict::Returned(row)) => {
                    self.outcome(payment, outcomes, OutcomeKind::Returned, Some(row), &row.reason_text);
                    self.hold(payment, row, "退票");
                    self.result.returned.add(payment.amount);
                    self.result.returned_money.push((payment.offset, payment.amount));
                }
                (state, Verdict::Returned(_)) => {
                    let reference = payment_row(self.agency, self.run, payment).payment_ref;
                    let message = format!("明细 {reference} 是“{}”，只有成功的明细才会退票，没有改动", state.title());
                    self.finding("LATE_RETURN_NOT_CREDITED", Some(payment.line_no), payment.amount, message);
                }
                // What does not fit is a finding already.
                _ => {}
            }
        }
        Ok(())
    }
}

async fn store(
    step: &mut Step,
    run: &Run,
    file: &PaymentFile,
    kind: AnswerKind,
    (name, bytes, digest): (&str, &[u8], &str),
    rows: usize,
    result: Effect,
) -> Result<Taken, Failure> {
    let (on, event_no, by) = (step.on, step.event_no, step.actor.name.clone());
    kept_file::keep(&mut step.tx, &step.agency, name, bytes.to_vec(), event_no).await?;
    let code = if kind == AnswerKind::Return { "return" } else { "late_return" };
    let new = NewReturn { kind: code, name, digest, rows: i64::try_from(rows).unwrap_or(i64::MAX) };
    let return_no = payment_file::insert_return(&mut step.tx, &step.agency, file, &new, &by, on, event_no).await?;
    let answer = Some((file.file_no, return_no));
    payment::insert_outcomes(&mut step.tx, &step.agency, run, answer, result.outcomes, event_no).await?;
    month_sum::add(&mut step.tx, &step.agency, run, result.sums).await?;
    finding::insert(&mut step.tx, &step.agency, file.period, file.run_no, file.file_no, &result.findings, on, event_no)
        .await?;
    for (beneficiary_no, class, note) in &result.holds {
        let reason = HoldReason::Bank(*class);
        hold::insert(&mut step.tx, &step.agency, *beneficiary_no, reason, note, &by, on, event_no).await?;
    }
    let reason =
        |note| PostingReason { run_no: Some(run.no), file_no: Some(file.file_no), note, ..PostingReason::default() };
    move_money(step, run, PostingKind::Pay, &result.credited_money, &reason("回盘成功")).await?;
    move_money(step, run, PostingKind::Release, &result.rejected_money, &reason("回盘失败")).await?;
    move_money(step, run, PostingKind::GiveBack, &result.returned_money, &reason("退票")).await?;
    if kind == AnswerKind::Return {
        payment_file::answer(&mut step.tx, &step.agency, file, result.credited, result.rejected).await?;
    } else {
        payment_file::give_back(&mut step.tx, &step.agency, file, result.returned).await?;
    }
    let files = payment_file::of_run(&mut step.tx, &step.agency, run).await?;
    let complete = files.iter().all(|f| f.is_answered() && f.open_rows == 0);
    let settled = complete && matches!(run.state, RunState::Issued(..));
    if settled {
        let done = run.clone().settle()?;
        run::move_from(&mut step.tx, &step.agency, &done, &run.state).await?;
    }
    let now = files.iter().find(|f| f.file_no == file.file_no).unwrap_or(file);
    Ok(Taken {
        run_code: run.code.clone(),
        file_ref: file.file_ref.clone(),
        credited: result.credited,
        rejected: result.rejected,
        open: Tally { rows: now.open_rows, amount: Money(now.open_fen) },
        returned: result.returned,
        holds: result.holds.len(),
        findings: result.findings,
        settled,
        already: None,
    })
}
