//! Takes in the bank's answer to a payment file: a return (回盘), or a late return (退票).
//!
//! The file as a whole is checked first and refused if its head does not fit what was sent. Then
//! each row is matched by payment reference and compared; what does not fit becomes a finding and
//! is neither success nor failure. Only a positive failure makes money payable again.
//!
//! Rows and payments are both in order of line, so they are walked side by side; the payments are those
//! that were sent only if their digest, taken on the way, says so: until then nothing is stored.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::issue_files::{class_of, move_money, reference_stem};
use super::step::Step;
use super::{laid_answer, standard_answer};
use crate::domain::actor::Role;
use crate::domain::appropriation::PostingKind;
use crate::domain::bank::{Layout, ReasonClass};
use crate::domain::hold::HoldReason;
use crate::domain::money::Money;
use crate::domain::payment::{FrozenDigest, FrozenLine, OutcomeKind, PaymentState};
use crate::domain::period::date_from_number;
use crate::domain::person_name::same_name;
use crate::domain::run::{Run, RunState};
use crate::failure::{Failure, Kind};
use crate::formats::bank::neutral::{
    Answer, AnswerKind, AnswerRow, AnswerStatus, ReadError, Rows, answer_text, parse_answer,
};
use crate::office::Office;
use crate::storage::appropriation::PostingReason;
use crate::storage::finding::{self, NewFinding};
use crate::storage::hold::{self, NewHold};
use crate::storage::payment::{NewOutcome, Outcomes, Pages, StoredOutcome, payment_state};
use crate::storage::payment_file::{NewReturn, PaymentFile, Tally};
use crate::storage::{kept_file, month_sum, payment, payment_file, recovery, run};

/// What an answer did.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Run it belongs to.
    pub run_code: String,
    /// File it answers.
    pub file_ref: String,
    /// SHA-256 of its bytes.
    pub digest: String,
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
    /// What the clerk should know of how the file was read.
    pub notices: Vec<String>,
    /// True when it was the last answer of the run.
    pub settled: bool,
    /// Set when these bytes were taken in before: when and by whom. Then nothing was done.
    pub already: Option<String>,
}

/// A file of the bank, as it came.
#[derive(Debug, Clone)]
pub struct AnswerFile {
    /// Its name, for messages and for the record.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Our reference of the payment file that it answers, where the clerk says so.
    pub answers: Option<String>,
}

/// Takes in a return or a late return.
///
/// # Errors
/// When the file cannot be read, is of the other kind, answers no file of ours, or its head does
/// not fit the file it answers. Then nothing is stored.
pub async fn take_return(office: &Office, kind: AnswerKind, name: &str, bytes: &[u8]) -> Result<Taken, Failure> {
    let file = AnswerFile { name: name.to_string(), bytes: bytes.to_vec(), answers: None };
    let taken = take_returns(office, kind, [Ok(file)]).await?.pop();
    taken.ok_or_else(|| Failure::new(Kind::Internal, "INCONSISTENT", format!("{name} 没有结果")))
}

/// Takes in several returns, or late returns, one after another in one step: all of them or none. Each is what it would
/// be alone; one that was taken in before, or comes twice among them, changes nothing and the others go on. `files` are
/// asked for one by one, so that no more than one is in memory; one that could not be had is refused like any other.
///
/// # Errors
/// As [`take_return`], with every file that is refused by its name.
pub async fn take_returns(
    office: &Office,
    kind: AnswerKind,
    files: impl IntoIterator<Item = Result<AnswerFile, Failure>>,
) -> Result<Vec<Taken>, Failure> {
    take_returns_of(office, None, kind, files).await
}

/// The same for files that came from a place: they must answer files of its banks.
///
/// # Errors
/// As [`take_returns`], and for an answer to a file of another bank.
pub async fn take_returns_of(
    office: &Office,
    banks: Option<&[String]>,
    kind: AnswerKind,
    files: impl IntoIterator<Item = Result<AnswerFile, Failure>>,
) -> Result<Vec<Taken>, Failure> {
    let action = if kind == AnswerKind::Return { "bank.return" } else { "bank.late_return" };
    let mut step = Step::begin(office, action, &[Role::Finance]).await?;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for file in files {
        let result = match file {
            Ok(file) => take_file(office, &mut step, (kind, banks), file).await,
            Err(unread) => Err(unread),
        };
        match result {
            Ok(one) => taken.push(one),
            // The clerk corrects all such files at once; anything else is no matter of files.
            Err(failure) if failure.kind == Kind::Input => refused.push(failure),
            Err(failure) => return Err(failure),
        }
    }
    if let Some(failure) = refusal(refused, taken.len()) {
        return Err(failure);
    }
    let new = || taken.iter().filter(|t| t.already.is_none());
    let mut details: Vec<Value> = new().map(detail).collect();
    let detail = match details.len() {
        0 => return Ok(taken),
        1 => details.remove(0),
        _ => json!({ "files": details }),
    };
    let mut runs: Vec<&str> = Vec::new();
    for one in new() {
        if !runs.contains(&&*one.run_code) {
            runs.push(&one.run_code);
        }
    }
    step.finish(&runs.join(" "), detail).await?;
    Ok(taken)
}

/// What the audit event says of a file.
fn detail(taken: &Taken) -> Value {
    json!({
        "file": taken.file_ref, "digest": taken.digest, "credited_fen": taken.credited.amount.fen(),
        "rejected_fen": taken.rejected.amount.fen(), "open_fen": taken.open.amount.fen(),
        "returned_fen": taken.returned.amount.fen(), "findings": taken.findings.len(), "settled": taken.settled,
    })
}

/// The one answer about all files that were refused; a file that came alone is told as it is.
fn refusal(mut refused: Vec<Failure>, others: usize) -> Option<Failure> {
    if refused.len() + others < 2 {
        return refused.pop();
    }
    let first = refused.first()?;
    let code = if refused.iter().all(|f| f.code == first.code) { first.code } else { "RETURNS_REFUSED" };
    let list: Vec<String> = refused.iter().map(|f| format!("{} [{}]", f.message, f.code)).collect();
    let mut hints = vec!["这些文件没有读入，同时给出的其他文件也没有读入；更正或去掉以后重新读入全部文件".to_string()];
    for failure in refused {
        if !failure.hint.is_empty() && !hints.contains(&failure.hint) {
            hints.push(failure.hint);
        }
    }
    let message = format!("{} 个文件被退回:\n{}", list.len(), list.join("\n"));
    Some(Failure::input(code, message).hint(hints.join("\n")))
}

/// Takes in one file within a step.
async fn take_file(
    office: &Office,
    step: &mut Step,
    (kind, banks): (AnswerKind, Option<&[String]>),
    AnswerFile { name, bytes, answers }: AnswerFile,
) -> Result<Taken, Failure> {
    let digest = kept_file::digest_of(&bytes);
    let laid = match standard_answer::understand(office, step, kind, (&name, &bytes), answers.as_deref()).await? {
        None => laid_answer::understand(office, step, kind, (&name, &bytes, &digest), answers.as_deref()).await?,
        standard => standard,
    };
    let unbelievable = |e: ReadError| Failure::input(e.code(), format!("{name}: {e}"));
    let text = if laid.is_none() { answer_text(&bytes).map_err(unbelievable)? } else { String::new() };
    // Kept before anything is made of it, so that it need not be held: where one file is refused, nothing of the step stays.
    kept_file::keep_under(&mut step.tx, &step.agency, &digest, &name, &bytes, step.event_no).await?;
    drop(bytes);
    let (answer, file, run) = if let Some(laid) = &laid {
        let Answer { kind, header, rows } = &laid.answer;
        let answer = Answer { kind: *kind, header: header.clone(), rows: Rows::whole(rows) };
        (answer, laid.file.clone(), laid.run.clone())
    } else {
        let answer = parse_answer(&text).map_err(unbelievable)?;
        let file = find_file(step, kind, &name, &answer).await?;
        laid_answer::is_the_named(&name, &file, answers.as_deref())?;
        let run = run_of(step, &file).await?;
        (answer, file, run)
    };
    if banks.is_some_and(|banks| !banks.contains(&file.bank_code)) {
        let message = format!("{name} 回答的是 {} 的文件 {}，不应从这里来", file.bank_code, file.name);
        return Err(
            Failure::input("OTHER_BANKS_FILE", message).hint("请向银行核实；确是这家银行的，用 bank return 读入")
        );
    }
    if let Some(past) = payment_file::past_return(&mut step.tx, &step.agency, &digest).await? {
        let already = format!("{name} 已由 {} 于 {} 读入", past.received_by, past.received_on()?);
        return Ok(Taken { already: Some(already), ..nothing(&run, &file, digest) });
    }
    check_header(&name, &answer, &step.agency, &run, &file)?;
    let lines = (file.first_line_no, file.last_line_no);
    let outcomes = payment::outcomes_of_lines(&mut step.tx, &step.agency, &run, lines).await?;
    let recovered = match kind {
        AnswerKind::Return => HashSet::new(),
        AnswerKind::LateReturn => recovery::recovered_of_run(&mut step.tx, &step.agency, &run).await?,
    };
    let stem = reference_stem(&step.agency, &run);
    let (ahead, strangers) = by_line(&answer.rows, &stem);
    let mut matching = Matching {
        stem: &stem,
        run: &run,
        file: &file,
        layout: office.banks.layout(&file.layout_code),
        on: step.on,
        untold: payment_state(run.state.code(), Some(&file.status), None)?,
        outcomes: &outcomes,
        recovered: &recovered,
        rows: &answer.rows,
        ahead: &ahead,
        strangers,
        result: Effect::default(),
    };
    let mut sent = FrozenDigest::default();
    let bar = step.progress.begin("核对银行应答", usize::try_from(file.row_count).ok(), "笔");
    let mut pages = Pages::of(&step.agency, &run, lines);
    while let Some(page) = pages.next(&mut step.tx).await? {
        bar.advance(page.span());
        for line in page.lines()? {
            if (lines.0..=lines.1).contains(&line.line_no) && !is_withheld(&line, &outcomes) {
                sent.line(&line);
                match kind {
                    AnswerKind::Return => matching.take(&line)?,
                    AnswerKind::LateReturn => matching.take_late(&line)?,
                }
            }
        }
    }
    if sent.finish(&[]) != file.payments_digest {
        return Err(tampered(&run, &file));
    }
    let (mut result, count) = (matching.finish(), answer.rows.len());
    if let Some(laid) = laid {
        result.findings.splice(0..0, laid.findings);
        result.notices = laid.notices;
    }
    if kind == AnswerKind::Return {
        result.notices.extend(refused_whole(&run, &file, &result));
    }
    store(step, &run, &file, kind, (&name, digest), count, result).await
}

/// What a clerk does when the bank has refused a file whole for a reason that is no person's: nobody is on hold, the money
/// is free again, and the same payments go into a new file.
fn refused_whole(run: &Run, file: &PaymentFile, result: &Effect) -> Option<String> {
    if result.rejected.rows == 0 || result.rejected.rows != file.row_count {
        return None;
    }
    let first = result.outcomes.first()?;
    let class = first.reason_class.filter(|class| !class.needs_correction())?;
    if result.outcomes.iter().any(|outcome| outcome.reason_class != Some(class)) {
        return None;
    }
    let said = if first.reason_text.is_empty() { class.title() } else { &first.reason_text };
    let before = if class == ReasonClass::Funds { "补足付款账户资金" } else { "按银行说的原因处理" };
    Some(format!(
        "文件 {} 被银行整个退回（{said}），{} 笔 {} 元都没有付出，没有暂停任何人；{before}以后，用 fafang run prepare --scheme {} \
         --period {} --kind supplementary 重新计算，同样的付款写在新的文件里；退回的文件不要再送",
        file.name,
        file.row_count,
        file.total().grouped(),
        run.scheme_code,
        run.periods.last,
    ))
}

/// A withheld payment lies between the lines of its file but was never in it.
pub(super) fn is_withheld(line: &FrozenLine<'_>, outcomes: &Outcomes) -> bool {
    outcomes.get(&line.line_no).is_some_and(|o| o[0].kind == OutcomeKind::Withheld.code())
}

/// The payments of the file are not those that were sent.
pub(super) fn tampered(run: &Run, file: &PaymentFile) -> Failure {
    Failure::new(Kind::Internal, "RUN_TAMPERED", format!("批次 {} 文件 {} 的明细与报盘时不一致", run.code, file.name))
        .hint("数据可能被程序以外的手段改动过，没有读入；请运行 fafang doctor")
}

fn nothing(run: &Run, file: &PaymentFile, digest: String) -> Taken {
    Taken {
        digest,
        run_code: run.code.clone(),
        file_ref: file.file_ref.clone(),
        credited: Tally::default(),
        rejected: Tally::default(),
        open: Tally { rows: file.open_rows, amount: Money(file.open_fen) },
        returned: Tally::default(),
        holds: 0,
        findings: Vec::new(),
        notices: Vec::new(),
        settled: run.state.is_settled(),
        already: None,
    }
}

async fn find_file(
    step: &mut Step,
    kind: AnswerKind,
    name: &str,
    answer: &Answer<Rows<'_>>,
) -> Result<PaymentFile, Failure> {
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

pub(super) async fn run_of(step: &mut Step, file: &PaymentFile) -> Result<Run, Failure> {
    let run = run::of_file(&mut step.tx, &step.agency, file).await?;
    run.ok_or_else(|| Failure::new(Kind::Internal, "INCONSISTENT", format!("文件 {} 没有批次", file.file_ref)))
}

/// Head of the answer against the file that was sent: run, part, date, count, sum.
fn check_header(
    name: &str,
    answer: &Answer<Rows<'_>>,
    agency: &str,
    run: &Run,
    file: &PaymentFile,
) -> Result<(), Failure> {
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
    let rows_total = answer.rows.total();
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
    notices: Vec<String>,
    holds: Vec<NewHold>,
    credited: Tally,
    rejected: Tally,
    returned: Tally,
    credited_money: Vec<(Money, Money)>,
    rejected_money: Vec<(Money, Money)>,
    returned_money: Vec<(Money, Money)>,
}

/// Adds a payment's money to the stretches of fen it came from; payments that lie side by side are one stretch.
fn lay(stretches: &mut Vec<(Money, Money)>, line: &FrozenLine<'_>) {
    match stretches.last_mut() {
        Some((offset, amount)) if *offset + *amount == line.offset => *amount += line.amount,
        _ => stretches.push((line.offset, line.amount)),
    }
}

type Row<'a> = AnswerRow<&'a str>;

/// The place of a row of the answer under the line of the run that its reference names.
type PlaceOfLine = (i64, usize);

/// Rows that bear a reference of this run, in order of line, those of one line as they stand in the file; and the others.
fn by_line(rows: &Rows<'_>, stem: &str) -> (Vec<PlaceOfLine>, Vec<usize>) {
    let (mut ours, mut strangers) = (Vec::with_capacity(rows.len()), Vec::new());
    for place in 0..rows.len() {
        match rows.payment_ref(place).and_then(|found| found.strip_prefix(stem)).and_then(plain_number) {
            Some(line_no) => ours.push((line_no, place)),
            None => strangers.push(place),
        }
    }
    // Stable, and nothing to do for the usual answer.
    ours.sort_by_key(|(line_no, _)| *line_no);
    (ours, strangers)
}

/// A number from 1 in its one spelling: `-01` is not `-1`.
fn plain_number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok()).flatten()
}

struct Matching<'a> {
    stem: &'a str,
    run: &'a Run,
    file: &'a PaymentFile,
    layout: Option<&'a Layout>,
    on: chrono::NaiveDate,
    /// The state of payments without an outcome.
    untold: PaymentState,
    outcomes: &'a Outcomes,
    recovered: &'a HashSet<i64>,
    rows: &'a Rows<'a>,
    /// Places of the rows of lines that are still to come.
    ahead: &'a [PlaceOfLine],
    /// Places of rows that are no payment of this file.
    strangers: Vec<usize>,
    result: Effect,
}

/// What the bank says of one payment, after everything that does not fit was made a finding.
enum Verdict<'a> {
    Credited(Row<'a>),
    Rejected(Row<'a>),
    Returned(Row<'a>),
    /// Nothing that counts; the row's own words, if there is a row.
    Open(&'a str),
}

impl<'a> Matching<'a> {
    fn finding(&mut self, code: &'static str, line_no: Option<i64>, amount: Money, message: String) {
        self.result.findings.push(NewFinding { code, line_no, amount, message });
    }

    fn reference(&self, line: &FrozenLine<'_>) -> String {
        format!("{}{}", self.stem, line.line_no)
    }

    /// The first row of a payment, and where the others are. Payments are asked for in order of line: what lies before is
    /// no payment of this file.
    fn rows_of(&mut self, line_no: i64) -> (Option<Row<'a>>, &'a [PlaceOfLine]) {
        let count = |places: &[PlaceOfLine], line_no| places.iter().take_while(|(no, _)| *no <= line_no).count();
        let (strangers, rest) = self.ahead.split_at(count(self.ahead, line_no - 1));
        self.strangers.extend(strangers.iter().map(|(_, place)| *place));
        let (places, rest) = rest.split_at(count(rest, line_no));
        self.ahead = rest;
        let Some(((_, first), others)) = places.split_first() else { return (None, places) };
        (self.rows.get(*first), others)
    }

    fn state(&self, line_no: i64) -> Result<PaymentState, Failure> {
        match self.outcomes.get(&line_no).and_then(|outcomes| outcomes.last()) {
            None => Ok(self.untold),
            Some(last) => Ok(payment_state(self.run.state.code(), Some(&self.file.status), Some(&last.kind))?),
        }
    }

    /// Compares the first row of one payment, and whatever rows come after it, with the payment and with each other.
    fn verdict(&mut self, line: &FrozenLine<'_>, row: Row<'a>, others: &[PlaceOfLine]) -> Result<Verdict<'a>, Failure> {
        let line_no = Some(line.line_no);
        if !others.is_empty() {
            let others: Vec<Row<'a>> = others.iter().filter_map(|(_, place)| self.rows.get(*place)).collect();
            let numbers: Vec<String> = [&row].into_iter().chain(&others).map(|r| r.row.to_string()).collect();
            let place = format!("第{}行 明细 {} 重复", numbers.join("、"), self.reference(line));
            let said = |r: &Row<'a>| (r.status, r.amount, r.account, r.holder, r.reason_code, r.line_no);
            if others.iter().any(|other| said(other) != said(&row)) {
                self.finding("RETURN_ROWS_CONTRADICT", line_no, line.amount, format!("{place}且结果不同，按未决处理"));
                return Ok(Verdict::Open("回盘重复且矛盾"));
            }
            self.finding("RETURN_ROW_DUPLICATE", line_no, Money::ZERO, format!("{place}，结果相同，只计一次"));
        }
        let payee = line.payee().map_err(payment::unreadable)?;
        let mut differences = Vec::new();
        if plain_number(row.line_no) != line_no {
            differences.push(("RETURN_LINE_DIFFERS", format!("序号 {}，应为 {}", row.line_no, line.line_no)));
        }
        if row.account != payee.account_number {
            differences.push(("RETURN_ACCOUNT_DIFFERS", "账号与发出的不同".to_string()));
        }
        if !same_name(row.holder, payee.account_holder) {
            let message = format!("户名“{}”，应为“{}”", row.holder, payee.account_holder);
            differences.push(("RETURN_NAME_DIFFERS", message));
        }
        if row.amount != Ok(line.amount) {
            let found = row.amount.map_or_else(str::to_string, |amount| amount.to_string());
            differences.push(("RETURN_AMOUNT_DIFFERS", format!("金额 {found}，应为 {}", line.amount)));
        }
        if let Some((code, _)) = differences.first() {
            let words: Vec<&str> = differences.iter().map(|(_, words)| words.as_str()).collect();
            let message = format!("第{}行 明细 {}: {}，按未决处理", row.row, self.reference(line), words.join("；"));
            self.finding(code, line_no, line.amount, message);
            return Ok(Verdict::Open("回盘内容与报盘不同"));
        }
        Ok(match row.status {
            AnswerStatus::Credited => Verdict::Credited(row),
            AnswerStatus::Rejected => Verdict::Rejected(row),
            AnswerStatus::Returned => Verdict::Returned(row),
            AnswerStatus::Open => Verdict::Open(row.reason_text),
            AnswerStatus::Unknown(text) => {
                let known = self.layout.map_or_else(String::new, Layout::known_statuses);
                let message = format!(
                    "第{}行 明细 {}: 状态“{text}”不认识，应为 {known}，按未决处理",
                    row.row,
                    self.reference(line)
                );
                self.finding("RETURN_STATUS_UNKNOWN", line_no, line.amount, message);
                Verdict::Open(text)
            }
        })
    }

    fn outcome(
        &mut self,
        line: &FrozenLine<'_>,
        kind: OutcomeKind,
        row: Option<Row<'_>>,
        text: &str,
    ) -> Result<(), Failure> {
        let before = self.outcomes.get(&line.line_no).map_or(&[][..], Vec::as_slice);
        let last = before.last().map(StoredOutcome::kind).transpose()?;
        self.result.sums.tell(line, self.file.file_no, last, kind)?;
        let reason_code = row.map_or_else(String::new, |r| r.reason_code.to_string());
        let failed = matches!(kind, OutcomeKind::Rejected | OutcomeKind::Returned);
        self.result.outcomes.push(NewOutcome {
            line_no: line.line_no,
            seq_no: i64::try_from(before.len() + 1).unwrap_or(i64::MAX),
            kind,
            reason_class: failed.then(|| class_of(self.layout, &reason_code)),
            reason_code,
            reason_text: text.to_string(),
            bank_ref: row.map_or_else(String::new, |r| r.bank_ref.to_string()),
            on: row.and_then(|r| r.on).unwrap_or(self.on),
            paid: line.paid().map_err(payment::unreadable)?,
        });
        Ok(())
    }

    /// Opens a hold for a failure that needs a correction; an unknown code is also a finding.
    fn hold(&mut self, line: &FrozenLine<'_>, row: &Row<'_>, what: &str) -> Result<(), Failure> {
        let class = class_of(self.layout, row.reason_code);
        let reference = self.reference(line);
        if class == ReasonClass::Unknown {
            let message = if row.reason_code.is_empty() && row.reason_text.is_empty() {
                format!("第{}行 明细 {reference}: 银行没有写失败原因，请向银行查询", row.row)
            } else {
                format!(
                    "第{}行 明细 {reference}: 原因代码“{}”不在代码表里（{}）",
                    row.row, row.reason_code, row.reason_text
                )
            };
            self.finding("RETURN_REASON_UNKNOWN", Some(line.line_no), Money::ZERO, message);
        }
        if class.needs_correction() {
            let beneficiary_no = line.payee().map_err(payment::unreadable)?.beneficiary_no;
            let note = format!("{what} {} {}（明细 {reference}）", row.reason_code, row.reason_text);
            self.result.holds.push(NewHold { beneficiary_no, reason: HoldReason::Bank(class), note });
        }
        Ok(())
    }

    /// What a return says of the next payment of its file.
    fn take(&mut self, line: &FrozenLine<'_>) -> Result<(), Failure> {
        let is_first = !self.file.is_answered();
        let (row, others) = self.rows_of(line.line_no);
        let verdict = match row {
            Some(row) => self.verdict(line, row, others)?,
            None if is_first => {
                let message = format!("明细 {} {} 元没有出现在回盘里，按未决处理", self.reference(line), line.amount);
                self.finding("RETURN_ROW_MISSING", Some(line.line_no), line.amount, message);
                Verdict::Open("回盘缺行")
            }
            None => return Ok(()),
        };
        match (self.state(line.line_no)?, verdict) {
            (PaymentState::Sent, Verdict::Credited(row)) => {
                if !is_first {
                    self.outcome(line, OutcomeKind::Credited, Some(row), "")?;
                }
                self.result.credited.add(line.amount);
                lay(&mut self.result.credited_money, line);
            }
            (PaymentState::Sent, Verdict::Rejected(row)) => {
                self.outcome(line, OutcomeKind::Rejected, Some(row), row.reason_text)?;
                self.hold(line, &row, "回盘失败")?;
                self.result.rejected.add(line.amount);
                lay(&mut self.result.rejected_money, line);
            }
            (PaymentState::Sent, Verdict::Open(text)) => {
                if is_first {
                    self.outcome(line, OutcomeKind::Open, row, text)?;
                }
            }
            (PaymentState::Credited, Verdict::Credited(_)) | (PaymentState::Rejected, Verdict::Rejected(_)) => {}
            (state, _) => {
                let message = format!(
                    "明细 {} 已是“{}”，这次回盘说法不同，没有改动；退票请用 bank late-return",
                    self.reference(line),
                    state.title()
                );
                self.finding("RETURN_CONTRADICTS", Some(line.line_no), line.amount, message);
            }
        }
        Ok(())
    }

    /// What a late return says of the next payment of its file.
    fn take_late(&mut self, line: &FrozenLine<'_>) -> Result<(), Failure> {
        let (Some(row), others) = self.rows_of(line.line_no) else { return Ok(()) };
        // What does not fit is a finding already.
        let Verdict::Returned(row) = self.verdict(line, row, others)? else { return Ok(()) };
        match self.state(line.line_no)? {
            PaymentState::Credited if self.recovered.contains(&line.enrolment_no) => {
                // The same fen cannot come back twice: a person must find out which of the two it was.
                let message = format!(
                    "明细 {} 的钱已经追回（或正在抵扣），又有退票，没有改动；请核实退款与退票",
                    self.reference(line)
                );
                self.finding("LATE_RETURN_RECOVERED", Some(line.line_no), line.amount, message);
            }
            PaymentState::Credited => {
                self.outcome(line, OutcomeKind::Returned, Some(row), row.reason_text)?;
                self.hold(line, &row, "退票")?;
                self.result.returned.add(line.amount);
                lay(&mut self.result.returned_money, line);
            }
            state => {
                let message =
                    format!("明细 {} 是“{}”，只有成功的明细才会退票，没有改动", self.reference(line), state.title());
                self.finding("LATE_RETURN_NOT_CREDITED", Some(line.line_no), line.amount, message);
            }
        }
        Ok(())
    }

    /// What all rows amount to; rows that are no payment of this file come first among the findings.
    fn finish(mut self) -> Effect {
        self.strangers.extend(self.ahead.iter().map(|(_, place)| *place));
        self.strangers.sort_unstable();
        let unknown = self.strangers.iter().filter_map(|place| self.rows.get(*place)).map(|row| NewFinding {
            code: "RETURN_ROW_UNKNOWN",
            line_no: None,
            amount: row.amount.unwrap_or_default(),
            message: format!("第{}行 明细号“{}”不在文件 {} 中", row.row, row.payment_ref, self.file.file_ref),
        });
        let findings = unknown.chain(self.result.findings).collect();
        Effect { findings, ..self.result }
    }
}

async fn store(
    step: &mut Step,
    run: &Run,
    file: &PaymentFile,
    kind: AnswerKind,
    (name, digest): (&str, String),
    rows: usize,
    result: Effect,
) -> Result<Taken, Failure> {
    let (on, event_no, by) = (step.on, step.event_no, step.actor.name.clone());
    let code = if kind == AnswerKind::Return { "return" } else { "late_return" };
    let new = NewReturn { kind: code, name, digest: &digest, rows: i64::try_from(rows).unwrap_or(i64::MAX) };
    let return_no = payment_file::insert_return(&mut step.tx, &step.agency, file, &new, &by, on, event_no).await?;
    let answer = Some((file.file_no, return_no));
    payment::insert_outcomes(&mut step.tx, &step.agency, run, answer, result.outcomes, event_no).await?;
    month_sum::add(&mut step.tx, &step.agency, run, result.sums).await?;
    finding::insert(&mut step.tx, &step.agency, file.period, file.run_no, file.file_no, &result.findings, on, event_no)
        .await?;
    hold::insert(&mut step.tx, &step.agency, &result.holds, &by, on, event_no).await?;
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
        digest,
        credited: result.credited,
        rejected: result.rejected,
        open: Tally { rows: now.open_rows, amount: Money(now.open_fen) },
        returned: result.returned,
        holds: result.holds.len(),
        findings: result.findings,
        notices: result.notices,
        settled,
        already: None,
    })
}
