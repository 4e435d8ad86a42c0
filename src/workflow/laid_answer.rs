//! A bank's own answer: which payment file it answers, and what it says of its payments.
//!
//! The file is known by our reference in the rows or the head, by its name, or the clerk names it;
//! it is never guessed. What comes out is what the layout `neutral` would have said, and
//! `take_return` goes on with it as with any other.

use std::collections::BTreeSet;

use super::issue_files::reference_stem;
use super::step::Step;
use super::take_return::run_of;
use crate::domain::bank::{Bank, Layout};
use crate::domain::bank_form::{Field, Form, MatchBy, Said};
use crate::domain::payment::OutcomeKind;
use crate::domain::period::date_from_number;
use crate::domain::run::Run;
use crate::failure::Failure;
use crate::formats::bank::layout::matching::{self, Ambiguous, Sent};
use crate::formats::bank::layout::reader::{LaidAnswer, read_answer};
use crate::formats::bank::neutral::{Answer, AnswerKind, AnswerRow, FileHeader, seeming_kind};
use crate::office::Office;
use crate::storage::finding::NewFinding;
use crate::storage::payment::{self, Pages};
use crate::storage::payment_file::{self, PaymentFile};

/// A bank's own answer, understood.
pub struct Laid {
    /// The file that it answers.
    pub file: PaymentFile,
    /// Its run.
    pub run: Run,
    /// What it says.
    pub answer: Answer,
    /// What could mean several payments.
    pub findings: Vec<NewFinding>,
    /// What the clerk should know of how it was read.
    pub notices: Vec<String>,
}

/// A layout with which files were sent to a bank.
struct Candidate<'a> {
    bank: &'a Bank,
    layout: &'a Layout,
    form: &'a Form,
}

/// Understands an answer in a bank's own layout; `None` for an answer in ours. `said` is the payment file that
/// the clerk names.
///
/// # Errors
/// When no layout in use can read it, or the payment file cannot be told, or head and file differ.
pub async fn understand(
    office: &Office,
    step: &mut Step,
    kind: AnswerKind,
    (name, bytes, digest): (&str, &[u8], &str),
    said: Option<&str>,
) -> Result<Option<Laid>, Failure> {
    if seeming_kind(bytes).is_some() {
        return Ok(None);
    }
    let mut files = payment_file::list(&mut step.tx, &step.agency).await?;
    let mut is_chosen = true;
    if let Some(past) = payment_file::past_return(&mut step.tx, &step.agency, digest).await? {
        files.retain(|f| (f.period, f.run_no, f.file_no) == (past.period, past.run_no, past.file_no));
    } else if let Some(said) = said {
        files.retain(|f| f.file_ref == said || f.name == said);
        if files.is_empty() {
            let message = format!("{name}: 没有发出过支付文件“{said}”");
            return Err(Failure::input("RETURN_FILE_UNKNOWN", message).hint("--file 应为报盘时的文件编号或文件名"));
        }
    } else {
        is_chosen = false;
    }
    let candidates = candidates(office, &files);
    if candidates.is_empty() {
        return Ok(None);
    }
    let (mut found, mut unread, mut named) = (Vec::new(), Vec::new(), None);
    for candidate in &candidates {
        match read_answer(candidate.layout, candidate.form, candidate.bank, name, bytes) {
            Ok(laid) => match file_of(candidate, &files, is_chosen, &laid, name, &step.agency) {
                Some(file) => found.push((candidate, file, laid)),
                None => named = named.or_else(|| laid.claim(Field::FileRef).map(str::to_string)),
            },
            Err(error) => unread.push((candidate, error)),
        }
    }
    found.dedup_by(|a, b| a.1.file_ref == b.1.file_ref);
    if found.len() == 1 {
        let (candidate, file, laid) = found.remove(0);
        return matched(step, kind, name, candidate, file, &laid).await.map(Some);
    }
    if unread.len() == candidates.len() {
        let list: Vec<String> = unread.iter().map(|(c, e)| format!("按 {} 读: {e}", c.layout.code)).collect();
        let code = unread.first().map_or("BANK_FILE_FIELD", |(_, e)| e.code());
        return Err(Failure::input(code, format!("{name} 读不出来\n{}", list.join("\n")))
            .hint("请确认是银行给的原文件；银行改了格式时用 fafang bank layouts check 核对布局"));
    }
    if let Some(named) = named {
        let message = format!("{name} 写明的文件编号是“{named}”，没有发出过这个支付文件");
        return Err(Failure::input("RETURN_FILE_UNKNOWN", message).hint("可能是别的单位的回盘，没有读入；请向银行核实"));
    }
    Err(Failure::input("RETURN_FILE_UNKNOWN", format!("{name} 看不出是哪个支付文件的回盘"))
        .hint("请用 --file 文件编号 写明它回答的是哪个支付文件（bank issue 显示过编号）"))
}

/// The answer in our layout must be to the file that the clerk names.
///
/// # Errors
/// When it is to another.
pub fn is_the_named(name: &str, file: &PaymentFile, said: Option<&str>) -> Result<(), Failure> {
    match said {
        Some(said) if file.file_ref != said && file.name != said => {
            let message = format!("{name} 回答的是 {}，不是 --file 写明的 {said}", file.file_ref);
            Err(Failure::input("RETURN_HEADER_DIFFERS", message).hint("请核对是哪个文件的回盘"))
        }
        _ => Ok(()),
    }
}

fn candidates<'a>(office: &'a Office, files: &[PaymentFile]) -> Vec<Candidate<'a>> {
    let used: BTreeSet<(&str, &str)> = files.iter().map(|f| (f.bank_code.as_str(), f.layout_code.as_str())).collect();
    let candidate = |(bank, layout): (&str, &str)| {
        let (bank, layout) = (office.banks.bank(bank)?, office.banks.layout(layout)?);
        Some(Candidate { bank, layout, form: layout.form.as_ref()? })
    };
    used.into_iter().filter_map(candidate).collect()
}

/// The one file that the answer names: by our reference in its rows, by its head, or by its name; or the one that
/// was chosen, because the clerk named it or these very bytes were taken in for it.
fn file_of(
    candidate: &Candidate<'_>,
    files: &[PaymentFile],
    is_chosen: bool,
    laid: &LaidAnswer,
    name: &str,
    agency: &str,
) -> Option<PaymentFile> {
    let is_of = |f: &&PaymentFile| f.bank_code == candidate.bank.code && f.layout_code == candidate.layout.code;
    let own: Vec<&PaymentFile> = files.iter().filter(is_of).collect();
    if let ([only], true) = (own.as_slice(), is_chosen) {
        return Some((*only).clone());
    }
    let named = |f: &PaymentFile, reference: &str| {
        let stem = format!("{agency}-{}-{}-", f.period, f.run_no);
        let line = reference.strip_prefix(&stem).and_then(|line| line.parse::<i64>().ok());
        line.is_some_and(|line| (f.first_line_no..=f.last_line_no).contains(&line))
    };
    let refs = || laid.rows.iter().filter_map(|row| row.payment_ref.as_deref());
    let by_rows = refs().find_map(|reference| own.iter().find(|f| named(f, reference)));
    let by_head = || laid.claim(Field::FileRef).and_then(|found| own.iter().find(|f| f.file_ref == found));
    let stem = |f: &PaymentFile| f.name.rsplit_once('.').map_or(f.name.clone(), |(stem, _)| stem.to_string());
    let by_name = || {
        let mut fitting = own.iter().filter(|f| name.contains(&f.file_ref) || name.contains(&stem(f)));
        fitting.next().filter(|_| fitting.next().is_none())
    };
    by_rows.or_else(by_head).or_else(by_name).map(|f| (*f).clone())
}

async fn matched(
    step: &mut Step,
    kind: AnswerKind,
    name: &str,
    Candidate { bank, layout, form }: &Candidate<'_>,
    file: PaymentFile,
    laid: &LaidAnswer,
) -> Result<Laid, Failure> {
    is_of_kind(kind, name, layout, form, laid)?;
    let run = run_of(step, &file).await?;
    let header = header(step, &run, &file);
    heads_agree(name, laid, (&header, bank), &file)?;
    let stem = reference_stem(&step.agency, &run);
    let sent = sent(step, &run, &file).await?;
    let matched = matching::matched(&form.answer, laid, kind, header, &stem, &sent);
    let is_ours = |row: &AnswerRow| {
        let line = row.payment_ref.strip_prefix(&stem).and_then(|line| line.parse::<i64>().ok());
        let at = line.and_then(|line| sent.binary_search_by_key(&line, |payment| payment.line_no).ok());
        at.is_some_and(|at| sent[at].account == row.account)
    };
    if !matched.answer.rows.iter().any(is_ours) {
        let message = format!("{name} 没有一笔是支付文件 {} 里的", file.name);
        return Err(Failure::input("RETURN_HEADER_DIFFERS", message).hint("可能是别的批次的回盘，没有读入；请核对"));
    }
    let findings = matched.ambiguous.iter().map(|a| not_told_apart(a, &stem)).collect();
    let mut notices = Vec::new();
    if let MatchBy::Account(reason) = &form.answer.match_by {
        notices.push(format!(
            "布局 {} 的回盘没有明细号（{reason}），已按账号、户名、金额和先后顺序核对；完全相同又结果不一的按未决处理",
            layout.code
        ));
    }
    if let Some(reason) = &form.answer.no_account {
        notices.push(format!(
            "布局 {} 的回盘不写账号或金额（{reason}），已按银行带回的编号认出每一笔，账号和金额以报盘为准",
            layout.code
        ));
    }
    Ok(Laid { file, run, answer: matched.answer, findings, notices })
}

/// A return holds no money that came back, and a late return nothing else.
fn is_of_kind(kind: AnswerKind, name: &str, layout: &Layout, form: &Form, laid: &LaidAnswer) -> Result<(), Failure> {
    let says = |said: &[Said]| said.iter().any(|said| laid.says(&form.answer, *said));
    let has_returned = form.answer.statuses.iter().any(|(said, _)| *said == Said::Returned);
    match kind {
        AnswerKind::LateReturn if !has_returned => {
            Err(Failure::input("OTHER_ANSWER_KIND", format!("{name}: 布局 {} 没有写明哪个状态是退票", layout.code))
                .hint("问明银行后写入布局的 answer.status.returned，再读入"))
        }
        AnswerKind::LateReturn if !says(&[Said::Returned]) => {
            Err(Failure::input("OTHER_ANSWER_KIND", format!("{name} 里没有一笔退票"))
                .hint("如是回盘文件，请用 fafang bank return 读入"))
        }
        AnswerKind::Return if says(&[Said::Returned]) && !says(&[Said::Credited, Said::Rejected, Said::Open]) => {
            Err(Failure::input("OTHER_ANSWER_KIND", format!("{name} 里只有退票"))
                .hint("请用 fafang bank late-return 读入"))
        }
        _ => Ok(()),
    }
}

/// Head of the payment file, as it was sent.
pub(super) fn header(step: &Step, run: &Run, file: &PaymentFile) -> FileHeader {
    FileHeader {
        file_ref: file.file_ref.clone(),
        agency_code: step.agency.clone(),
        scheme_code: run.scheme_code.clone(),
        periods: run.periods,
        pay_date: date_from_number(file.pay_date).unwrap_or_default(),
        rows: usize::try_from(file.row_count).unwrap_or_default(),
        total: file.total(),
        part: usize::try_from(file.part).unwrap_or_default(),
        parts: usize::try_from(file.parts).unwrap_or_default(),
    }
}

/// What head and tail say of the payment file, against the file that was sent.
fn heads_agree(
    name: &str,
    laid: &LaidAnswer,
    (header, bank): (&FileHeader, &Bank),
    file: &PaymentFile,
) -> Result<(), Failure> {
    let sent = |field: Field| match field {
        Field::FileRef => Some(header.file_ref.clone()),
        Field::UnitNo => bank.value("unit_no").map(str::to_string),
        Field::PayDate => Some(header.pay_date.to_string()),
        Field::SentRows => Some(header.rows.to_string()),
        Field::SentTotal => Some(header.total.to_string()),
        _ => None,
    };
    let differs = laid.claims.iter().filter_map(|claim| {
        let sent = sent(claim.field).filter(|sent| *sent != claim.text)?;
        Some(format!("{name} 第{}行 {}: {}，应为 {sent}", claim.row, claim.field.title(), claim.text))
    });
    let differs: Vec<String> = differs.collect();
    if differs.is_empty() {
        return Ok(());
    }
    Err(Failure::input("RETURN_HEADER_DIFFERS", differs.join("\n"))
        .hint(format!("与发出的支付文件 {} 不符，没有读入；请向银行核实后重新取回", file.name)))
}

/// The payments of a file in its order, without the withheld ones.
pub(super) async fn sent(step: &mut Step, run: &Run, file: &PaymentFile) -> Result<Vec<Sent>, Failure> {
    let lines = (file.first_line_no, file.last_line_no);
    let outcomes = payment::outcomes_of_lines(&mut step.tx, &step.agency, run, lines).await?;
    let withheld = |line_no: i64| outcomes.get(&line_no).is_some_and(|o| o[0].kind == OutcomeKind::Withheld.code());
    let mut sent = Vec::new();
    let mut pages = Pages::of(&step.agency, run, lines);
    while let Some(page) = pages.next(&mut step.tx).await? {
        for line in page.lines()? {
            if (lines.0..=lines.1).contains(&line.line_no) && !withheld(line.line_no) {
                let payee = line.payee().map_err(payment::unreadable)?;
                sent.push(Sent {
                    line_no: line.line_no,
                    account: payee.account_number.to_string(),
                    holder: payee.account_holder.to_string(),
                    amount: line.amount,
                });
            }
        }
    }
    Ok(sent)
}

fn not_told_apart(Ambiguous { line_nos, rows, amount }: &Ambiguous, stem: &str) -> NewFinding {
    let join = |numbers: Vec<String>| numbers.join("、");
    let (rows, refs) = (
        join(rows.iter().map(ToString::to_string).collect()),
        join(line_nos.iter().map(|no| format!("{stem}{no}")).collect()),
    );
    NewFinding {
        code: "RETURN_ROWS_AMBIGUOUS",
        line_no: line_nos.first().copied(),
        amount: *amount,
        message: format!("第{rows}行: 明细 {refs} 的账号、户名、金额完全相同，分不清是哪一笔，按未决处理"),
    }
}
