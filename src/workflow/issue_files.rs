//! Issues the payment files of an approved run: per bank and part, kept byte for byte.
//!
//! Just before, every claim that may have changed since the run was prepared is looked at again: a
//! payment that a hold or a stop has overtaken is withheld, and its money released. So cover never
//! exceeds claim at the moment of sending.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use serde_json::json;

use super::decide_run::{Frozen, is_held_since, post_or_inconsistent, verify_frozen};
use super::offset;
use super::pay_date;
use super::step::Step;
use super::voucher_basis;
use crate::calculation::claim::claim;
use crate::domain::actor::Role;
use crate::domain::appropriation::{Appropriation, PostingKind, split_over_draws};
use crate::domain::bank::{Bank, Layout, ReasonClass, Standard};
use crate::domain::enrolment::Enrolment;
use crate::domain::hold::Hold;
use crate::domain::money::Money;
use crate::domain::payment::{FrozenDigest, FrozenLine, FrozenLineError, OutcomeKind, Payee, Payment};
use crate::domain::period::{Period, PeriodRange, date_number};
use crate::domain::run::Run;
use crate::domain::scheme::Scheme;
use crate::domain::text::push_number;
use crate::failure::{Failure, Kind};
use crate::formats::bank::layout::writer;
use crate::formats::bank::neutral::{
    CannotWrite, FileHeader, PaymentRow, PaymentWriter, file_name, write_payment_file,
};
use crate::formats::bank::{iso20022, standard, treasury};
use crate::office::Office;
use crate::storage::appropriation::PostingReason;
use crate::storage::error::StorageError;
use crate::storage::payment::{Lines, NewOutcome, Page, Pages, unreadable};
use crate::storage::payment_file::PaymentFile;
use crate::storage::{appropriation, cover, enrolment, hold, kept_file, month_sum, payment, payment_file, run};

/// A file with its bytes, or with what they became in the hands that they were given to.
#[derive(Debug, Clone)]
pub struct IssuedFile<T = Vec<u8>> {
    /// As stored.
    pub file: PaymentFile,
    /// As written.
    pub bytes: T,
}

/// A payment left out of the files.
#[derive(Debug, Clone)]
pub struct Withheld {
    /// Line of the run.
    pub line_no: i64,
    /// Name.
    pub name: String,
    /// Amount.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// What was issued.
#[derive(Debug, Clone)]
pub struct Issued<T = Vec<u8>> {
    /// The run.
    pub run: Run,
    /// Its files.
    pub files: Vec<IssuedFile<T>>,
    /// Payments left out this time.
    pub withheld: Vec<Withheld>,
    /// Offset against what was overpaid, and left open after all.
    pub offset: (Money, Money),
    /// True when the files had been issued before: these are the same bytes, but for those that are …
    pub again: bool,
    /// … so many written anew for another day.
    pub redated: usize,
}

/// Issues the files of a run, or hands out the same bytes again.
///
/// # Errors
/// Unless approved, unchanged since, and writable in the bank's layout to the last character;
/// then nothing is written and the run stays approved.
pub async fn issue_files(office: &Office, code: &str) -> Result<Issued, Failure> {
    issue_files_to(office, code, (None, ""), |_, bytes| Ok(bytes.to_vec())).await
}

/// The same, with every file handed over by name and bytes as soon as it is made, so that no more than one is in memory.
/// What they became counts only once this succeeds: the commit comes last.
///
/// Files bear the day that is asked for, else today: the day on which the bank gets them. Of a run that was issued, those
/// that never left the office are written anew for that day, as long as the note says so (`pay_date`).
///
/// # Errors
/// As [`issue_files`], and when a file cannot be taken over; when the day is past; as [`pay_date::redate`].
pub async fn issue_files_to<T>(
    office: &Office,
    code: &str,
    (asked, note): (Option<NaiveDate>, &str),
    mut hand_over: impl FnMut(&str, &[u8]) -> Result<T, Failure>,
) -> Result<Issued<T>, Failure> {
    let mut step = Step::begin(office, "bank.issue", &[Role::Finance]).await?;
    let run = office.run(&mut step.tx, code).await?;
    if run.state.issued().is_some() {
        let (detail, withheld) = match asked {
            Some(date) => pay_date::redate(office, &mut step, &run, date, note).await?,
            None => Default::default(),
        };
        let files = kept_files(&mut step, &run, hand_over).await?;
        let redated = detail.len();
        let detail = if redated == 0 {
            json!({ "again": true, "files": files.len() })
        } else {
            json!({ "again": true, "files": files.len(), "redated": detail, "withheld": withheld.len(), "note": note.trim() })
        };
        step.finish(code, detail).await?;
        let offset = (Money::ZERO, Money::ZERO);
        return Ok(Issued { run, files, withheld, offset, again: true, redated });
    }
    let pay_date = pay_date::chosen(&step, asked)?;
    let from = run.state.clone();
    let run = run.issue(step.signature())?;
    let (frozen, doubtful, stretches) = look_again(office, &mut step, &run).await?;
    let mut sums = month_sum::Sums::default();
    let (withheld, left) = withhold(&mut step, &run, &frozen, doubtful, &mut sums).await?;
    let left_out: HashSet<i64> = withheld.iter().map(|w| w.line_no).collect();
    let breaks = voucher_breaks(office, &mut step, &run, &left_out).await?;
    let files = lay_out(office, &stretches, &left_out, (&breaks, pay_date))?;
    if files.is_empty() {
        return Err(Failure::refused("ALL_WITHHELD", format!("批次 {code} 的明细全部被暂缓，没有可以报盘的"))
            .hint("用 fafang run cancel 作废批次"));
    }
    let offsets = offset::book(office, &mut step, &run, &frozen.offsets, &left).await?;
    let files = write_files(&mut step, &run, (&files, &left_out), &mut sums, &mut hand_over).await?;
    month_sum::replace(&mut step.tx, &step.agency, &run, sums).await?;
    if !run::move_from(&mut step.tx, &step.agency, &run, &from).await? {
        return Err(Failure::conflict("RUN_MOVED", format!("批次 {code} 刚被其他人处理过")));
    }
    let list: Vec<_> = files
        .iter()
        .map(|f| json!({ "name": f.file.name, "rows": f.file.row_count, "total_fen": f.file.total_fen, "digest": f.file.digest, "payments": f.file.payments_digest }))
        .collect();
    offset::close_settled(office, &mut step, &frozen.offsets).await?;
    let detail =
        json!({ "files": list, "withheld": withheld.len(), "offset_fen": offsets.0, "offset_released_fen": offsets.1 });
    step.finish(code, detail).await?;
    Ok(Issued { run, files, withheld, offset: offsets, again: false, redated: 0 })
}

async fn kept_files<T>(
    step: &mut Step,
    run: &Run,
    mut hand_over: impl FnMut(&str, &[u8]) -> Result<T, Failure>,
) -> Result<Vec<IssuedFile<T>>, Failure> {
    let mut files = Vec::new();
    for file in payment_file::of_run(&mut step.tx, &step.agency, run).await? {
        let bytes = kept_file::content(&mut step.tx, &step.agency, &file.digest).await?;
        let bytes = hand_over(&file.name, &bytes)?;
        files.push(IssuedFile { file, bytes });
    }
    Ok(files)
}

/// Payments that may have to be withheld, and what is asked about them.
struct Doubtful {
    scheme: Scheme,
    holds: HashMap<i64, (Hold, i64)>,
    /// Whose claim may have changed since the run was prepared.
    changed: Vec<Enrolment>,
    payments: Vec<Payment>,
}

/// The lines of a bank, which lie together, without a gap.
struct Stretch {
    bank_code: String,
    lines: Lines,
}

/// Looks whether the frozen payments are unchanged, which are doubtful, and which lines each bank has. Lines go bank by
/// bank: where a page begins and ends with one bank, nothing between is looked at unless somebody is looked for
/// ([`write_file`] refuses a line of another bank).
async fn look_again(office: &Office, step: &mut Step, run: &Run) -> Result<(Frozen, Doubtful, Vec<Stretch>), Failure> {
    let (scheme, version) = office.scheme(&mut step.tx, &run.scheme_code).await?;
    let holds = hold::open_by_person(&mut step.tx, &step.agency).await?;
    let held: HashSet<i64> =
        holds.iter().filter(|(_, (_, opened))| is_held_since(run, *opened)).map(|(person, _)| *person).collect();
    // Another version of the scheme may have changed anyone's claim.
    let since = if version == run.scheme_version { run.prepared_event_no } else { 0 };
    let changed = enrolment::changed_since(&mut step.tx, &step.agency, &run.scheme_code, since).await?;
    let numbers: HashSet<i64> = changed.iter().map(|person| person.no).collect();
    let (mut payments, mut stretches) = (Vec::new(), Vec::<Stretch>::new());
    let frozen = verify_frozen(step, run, |page| {
        let (first, last) = page.ends()?;
        let of_one_bank = bank_of(&first)? == bank_of(&last)?;
        let lines =
            if of_one_bank && held.is_empty() && numbers.is_empty() { vec![first, last] } else { page.lines()? };
        for line in &lines {
            let payee = line.payee().map_err(unreadable)?;
            if numbers.contains(&line.enrolment_no) || held.contains(&payee.beneficiary_no) {
                payments.push(line.payment().map_err(unreadable)?);
            }
            match stretches.last_mut() {
                Some(last) if last.bank_code == payee.bank_code => last.lines.1 = line.line_no,
                _ => {
                    let (bank_code, lines) = (payee.bank_code.to_string(), (line.line_no, line.line_no));
                    stretches.push(Stretch { bank_code, lines });
                }
            }
        }
        Ok(())
    });
    let frozen = frozen.await?;
    Ok((frozen, Doubtful { scheme, holds, changed, payments }, stretches))
}

fn bank_of<'a>(line: &FrozenLine<'a>) -> Result<&'a str, StorageError> {
    Ok(line.payee().map_err(unreadable)?.bank_code)
}

/// A payment that must not be sent any more, and why.
pub(super) type Overtaken = (Payment, String);

/// Payments of an issued run that must not be sent any more, as they would not have been had they been issued now.
///
/// # Errors
/// When the run is not as it was submitted.
pub(super) async fn overtaken_since(office: &Office, step: &mut Step, run: &Run) -> Result<Vec<Overtaken>, Failure> {
    let (frozen, doubtful, _) = look_again(office, step, run).await?;
    Ok(not_to_be_sent(step, run, &frozen, doubtful).await?.0)
}

/// What must not be sent any more; with everyone, by enrolment, whose offsets are left out too.
async fn not_to_be_sent(
    step: &mut Step,
    run: &Run,
    frozen: &Frozen,
    doubtful: Doubtful,
) -> Result<(Vec<Overtaken>, HashMap<i64, String>), Failure> {
    let mut left = overtaken(step, run, frozen, &doubtful).await?;
    let Doubtful { holds, payments, .. } = doubtful;
    for target in frozen.offsets.iter().filter_map(|o| o.target) {
        let person = enrolment::by_no(&mut step.tx, &step.agency, target.enrolment_no).await?;
        if let Some((hold, _)) = holds.get(&person.beneficiary_no) {
            left.insert(target.enrolment_no, format!("暂停支付: {}", hold.reason.title()));
        }
    }
    let mut found = Vec::new();
    for payment in payments {
        if let Some((hold, _)) = holds.get(&payment.beneficiary_no) {
            left.insert(payment.enrolment_no, format!("暂停支付: {}", hold.reason.title()));
        }
        if let Some(reason) = left.get(&payment.enrolment_no) {
            found.push((payment, reason.clone()));
        }
    }
    Ok((found, left))
}

/// Records what is not sent and releases its money; with everyone, by enrolment, whose offsets are left out too.
async fn withhold(
    step: &mut Step,
    run: &Run,
    frozen: &Frozen,
    doubtful: Doubtful,
    sums: &mut month_sum::Sums,
) -> Result<(Vec<Withheld>, HashMap<i64, String>), Failure> {
    let (found, left) = not_to_be_sent(step, run, frozen, doubtful).await?;
    for (payment, _) in &found {
        sums.add(&payment.covers, 0, Some(OutcomeKind::Withheld));
    }
    let withheld = record_withheld(step, run, &found, "报盘时暂缓").await?;
    Ok((withheld, left))
}

/// Writes down of payments that they were not sent, and releases their money.
///
/// # Errors
/// The database's.
pub(super) async fn record_withheld(
    step: &mut Step,
    run: &Run,
    found: &[Overtaken],
    note: &str,
) -> Result<Vec<Withheld>, Failure> {
    let (mut withheld, mut stretches, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for (payment, reason) in found {
        let Payment { line_no, amount, .. } = *payment;
        outcomes.push(NewOutcome {
            line_no,
            seq_no: 1,
            kind: OutcomeKind::Withheld,
            reason_class: None,
            reason_code: String::new(),
            reason_text: reason.clone(),
            bank_ref: String::new(),
            on: step.on,
            paid: payment.paid(),
        });
        withheld.push(Withheld { line_no, name: payment.name.clone(), amount, reason: reason.clone() });
        stretches.push((payment.offset, amount));
    }
    if withheld.is_empty() {
        return Ok(withheld);
    }
    payment::insert_outcomes(&mut step.tx, &step.agency, run, None, outcomes, step.event_no).await?;
    let reason = PostingReason { run_no: Some(run.no), note, ..PostingReason::default() };
    move_money(step, run, PostingKind::Release, &stretches, &reason).await?;
    Ok(withheld)
}

/// Enrolments whose cover now exceeds their claim, with the reason, looked at only where something
/// changed after the run was prepared.
async fn overtaken(
    step: &mut Step,
    run: &Run,
    frozen: &Frozen,
    Doubtful { scheme, changed, payments, .. }: &Doubtful,
) -> Result<HashMap<i64, String>, Failure> {
    let mut found = HashMap::new();
    if changed.is_empty() {
        return Ok(found);
    }
    let covered = cover::covered(&mut step.tx, &step.agency, &run.scheme_code).await?;
    let mut months_of: HashMap<i64, BTreeSet<Period>> = HashMap::new();
    for payment in payments {
        months_of.entry(payment.enrolment_no).or_default().extend(payment.covers.iter().map(|c| c.period));
    }
    for target in frozen.offsets.iter().filter_map(|o| o.target) {
        months_of.entry(target.enrolment_no).or_default().insert(target.period);
    }
    for person in changed {
        for period in months_of.get(&person.no).into_iter().flatten() {
            let now = claim(scheme, &person.entitlement, *period);
            let cover = covered.get(&person.no).and_then(|m| m.get(period)).copied().unwrap_or_default();
            if cover > now.amount() {
                let why = if now.reason().is_empty() { "应发已减少".to_string() } else { now.reason() };
                found.insert(person.no, format!("{period} {why}"));
            }
        }
    }
    Ok(found)
}

/// Posts the money of some payments to the appropriations it came from, one posting each.
///
/// # Errors
/// When the books cannot take it.
pub async fn move_money(
    step: &mut Step,
    run: &Run,
    kind: PostingKind,
    stretches: &[(Money, Money)],
    reason: &PostingReason<'_>,
) -> Result<(), Failure> {
    let draws = appropriation::draws(&mut step.tx, &step.agency, run.periods.last.number(), run.no).await?;
    let mut sums: BTreeMap<i64, Money> = BTreeMap::new();
    for (offset, amount) in stretches {
        for (appropriation_no, part) in split_over_draws(&draws, *offset, *amount) {
            *sums.entry(appropriation_no).or_default() += part;
        }
    }
    for (appropriation_no, amount) in sums {
        post_or_inconsistent(step, appropriation_no, kind, amount, reason).await?;
    }
    Ok(())
}

/// A file to be written: the lines of a bank that it takes.
struct Sheet<'a> {
    bank: &'a Bank,
    layout: &'a Layout,
    part: usize,
    parts: usize,
    pay_date: NaiveDate,
    /// The first and the last; what is withheld may lie between them.
    lines: Lines,
    rows: usize,
}

/// Where a file must end because the next payment comes out of another appropriation.
async fn voucher_breaks(
    office: &Office,
    step: &mut Step,
    run: &Run,
    left_out: &HashSet<i64>,
) -> Result<HashSet<i64>, Failure> {
    if office.banks.layouts_in_use().any(voucher_basis::is_needed) {
        return voucher_basis::breaks(&mut step.tx, &step.agency, run, left_out).await;
    }
    Ok(HashSet::new())
}

/// The files of a run, in order: per bank, and per part where the layout limits the rows.
fn lay_out<'a>(
    office: &'a Office,
    stretches: &'a [Stretch],
    left_out: &HashSet<i64>,
    (breaks, pay_date): (&HashSet<i64>, NaiveDate),
) -> Result<Vec<Sheet<'a>>, Failure> {
    let mut sheets = Vec::new();
    for Stretch { bank_code, lines } in stretches {
        let mut sent = (lines.0..=lines.1).filter(|line_no| !left_out.contains(line_no));
        let count = sent.clone().count();
        if count == 0 {
            continue;
        }
        let (bank, layout) = bank_and_layout(office, bank_code)?;
        // A voucher is drawn on one appropriation: each has files of its own.
        let mut of_one = vec![0];
        for line_no in sent.clone() {
            if voucher_basis::is_needed(layout) && breaks.contains(&line_no) && of_one.last() != Some(&0) {
                of_one.push(0);
            }
            if let Some(rows) = of_one.last_mut() {
                *rows += 1;
            }
        }
        let pieces = of_one.into_iter().map(|count| layout.parts(count).ok_or_else(|| too_few(bank, layout, count)));
        let pieces = pieces.collect::<Result<Vec<_>, _>>()?.concat();
        let parts = pieces.len();
        for (part, rows) in (1..).zip(pieces) {
            let mut lines = sent.by_ref().take(rows);
            let first = lines.next().unwrap_or_default();
            sheets.push(Sheet {
                bank,
                layout,
                part,
                parts,
                pay_date,
                lines: (first, lines.last().unwrap_or(first)),
                rows,
            });
        }
    }
    Ok(sheets)
}

/// The bank takes no file with so few rows, and there is no other file to join.
pub(super) fn too_few(bank: &Bank, layout: &Layout, rows: usize) -> Failure {
    let least = layout.row_least();
    let message = format!("{} 只有 {rows} 笔，布局 {} 每个文件至少 {least} 笔", bank.name, layout.code);
    Failure::refused("TOO_FEW_ROWS", message).hint(format!(
        "没有写出任何文件；与银行商定后给 {} 改用别的布局（[[bank]] layout），或作废批次，等下月一起发",
        bank.code
    ))
}

/// Writes file after file, each from the pages that its lines lie in.
async fn write_files<T>(
    step: &mut Step,
    run: &Run,
    (sheets, left_out): (&[Sheet<'_>], &HashSet<i64>),
    sums: &mut month_sum::Sums,
    hand_over: &mut impl FnMut(&str, &[u8]) -> Result<T, Failure>,
) -> Result<Vec<IssuedFile<T>>, Failure> {
    let bar = step.progress.begin("写支付文件", Some(sheets.iter().map(|s| s.rows).sum()), "笔");
    let mut files = Vec::with_capacity(sheets.len());
    for (file_no, sheet) in (1..).zip(sheets) {
        let (file, bytes) = write_file(step, run, (sheet, file_no), left_out, sums).await?;
        if files.iter().any(|f: &IssuedFile<T>| f.file.name == file.name) {
            let message = format!("批次 {} 的两个文件同名: {}", run.code, file.name);
            return Err(Failure::refused("CANNOT_WRITE", message)
                .hint("几家银行用同一布局时，请在布局的 file.name 里加上 {bank}；没有写出任何文件"));
        }
        let handed = hand_over(&file.name, &bytes)?;
        kept_file::keep_under(&mut step.tx, &step.agency, &file.digest, &file.name, &bytes, step.event_no).await?;
        payment_file::insert(&mut step.tx, &step.agency, &file, step.event_no).await?;
        files.push(IssuedFile { file, bytes: handed });
        bar.advance(sheet.rows);
    }
    Ok(files)
}

/// A bank, and the layout its files are written in.
pub(super) fn bank_and_layout<'a>(office: &'a Office, bank_code: &str) -> Result<(&'a Bank, &'a Layout), Failure> {
    let bank = office.banks.bank(bank_code);
    bank.and_then(|bank| Some((bank, office.banks.layout(&bank.layout)?))).ok_or_else(|| {
        Failure::new(Kind::Configuration, "BANK_UNKNOWN", format!("银行 {bank_code} 没有文件格式"))
            .hint("在 config/banks 中补上这家银行")
    })
}

/// Name and bytes of a file, in the bank's own layout or in ours.
pub(super) fn written<T: AsRef<str>>(
    run: &Run,
    bank: &Bank,
    layout: &Layout,
    basis: Option<&Appropriation>,
    header: &FileHeader,
    rows: &[PaymentRow<T>],
) -> Result<(String, Vec<u8>), Failure> {
    let sheet = standard::Sheet { header, bank, layout };
    let result = match (&layout.form, layout.standard, basis) {
        (None, Standard::Neutral, _) => neutral_file(bank, header, write_payment_file(header, rows, layout)),
        (None, Standard::Iso20022, _) => iso20022::payment::write_payment_file(&sheet, rows)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect()),
        (None, Standard::Treasury, Some(basis)) => treasury::payment::write_payment_file(&sheet, basis, rows)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect()),
        (None, Standard::Treasury, None) => Err(vec!["不知道凭证列支哪个预算指标".to_string()]),
        (Some(form), ..) => {
            let sheet = writer::Sheet { header, run_no: run.no, bank, layout, form };
            writer::write_payment_file(&sheet, rows)
                .map_err(|problems| problems.iter().map(ToString::to_string).collect())
        }
    };
    result.map_err(|problems| cannot_write(run, bank, &problems))
}

/// Name and bytes of a file in our layout, or what stands against them.
fn neutral_file(
    bank: &Bank,
    header: &FileHeader,
    written: Result<Vec<u8>, Vec<CannotWrite>>,
) -> Result<(String, Vec<u8>), Vec<String>> {
    let bytes = written.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok((file_name(header, &bank.code), bytes))
}

fn cannot_write(run: &Run, bank: &Bank, problems: &[String]) -> Failure {
    let list = problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    Failure::refused("CANNOT_WRITE", format!("批次 {} 不能写成 {} 的文件:\n{list}", run.code, bank.code))
        .hint("更正名册中的户名或账号后作废批次重新计算；没有写出任何文件")
}

/// The payments of a file on their way into it.
struct Sending<'a> {
    sheet: &'a Sheet<'a>,
    file_no: i64,
    left_out: &'a HashSet<i64>,
    /// See [`reference_stem`] and [`remark`].
    texts: (&'a str, &'a str),
    sums: &'a mut month_sum::Sums,
    digest: FrozenDigest,
    rows: usize,
    total: Money,
}

impl<'a> Sending<'a> {
    /// Hands over the payments on a page that go into the file.
    fn page<'p>(&mut self, page: &'p Page, mut take: impl FnMut(PaymentRow<Cow<'p, str>>)) -> Result<(), Failure>
    where
        'a: 'p,
    {
        let Sheet { bank, lines, .. } = self.sheet;
        for line in page.lines()? {
            if !(lines.0..=lines.1).contains(&line.line_no) || self.left_out.contains(&line.line_no) {
                continue;
            }
            let payee = line.payee().map_err(unreadable)?;
            if payee.bank_code != bank.code {
                Err(page.wrong(format_args!("第 {} 笔不在本银行的各笔之间", line.line_no)))?;
            }
            self.sums.send(&line, self.file_no)?;
            self.digest.line(&line);
            self.rows += 1;
            self.total += line.amount;
            take(row_of(self.texts.0, self.texts.1, &line, &payee));
        }
        Ok(())
    }

    fn header(&self, agency: &str, run: &Run) -> FileHeader {
        let Sheet { bank, part, parts, pay_date, .. } = *self.sheet;
        FileHeader {
            file_ref: format!("{}{}-{part}", self.texts.0, bank.code),
            agency_code: agency.to_string(),
            scheme_code: run.scheme_code.clone(),
            periods: run.periods,
            pay_date,
            rows: self.rows,
            total: self.total,
            part,
            parts,
        }
    }
}

/// A file, not yet stored, and its bytes.
async fn write_file(
    step: &mut Step,
    run: &Run,
    (sheet, file_no): (&Sheet<'_>, i64),
    left_out: &HashSet<i64>,
    sums: &mut month_sum::Sums,
) -> Result<(PaymentFile, Vec<u8>), Failure> {
    let Sheet { bank, layout, part, parts, lines, rows: count, .. } = *sheet;
    let (stem, remark) = (reference_stem(&step.agency, run), remark(run.periods));
    let (texts, digest) = ((stem.as_str(), remark.as_str()), FrozenDigest::default());
    let mut sending = Sending { sheet, file_no, left_out, texts, sums, digest, rows: 0, total: Money::ZERO };
    let mut pages = Pages::of(&step.agency, run, lines);
    let (header, name, bytes);
    if layout.form.is_none() && layout.standard == Standard::Neutral {
        // Our own layout is written as the pages come; the others look at all rows.
        let mut writer = PaymentWriter::new(layout, count);
        while let Some(page) = pages.next(&mut step.tx).await? {
            sending.page(&page, |row| writer.row(&row))?;
        }
        header = sending.header(&step.agency, run);
        let file = neutral_file(bank, &header, writer.finish(&header));
        (name, bytes) = file.map_err(|problems| cannot_write(run, bank, &problems))?;
    } else {
        let (pages, mut rows) = (pages.all(&mut step.tx).await?, Vec::with_capacity(count));
        for page in &pages {
            sending.page(page, |row| rows.push(row))?;
        }
        header = sending.header(&step.agency, run);
        let basis = voucher_basis::of_lines(&mut step.tx, &step.agency, run, layout, lines).await?;
        (name, bytes) = written(run, bank, layout, basis.as_ref(), &header, &rows)?;
    }
    let file = PaymentFile {
        period: run.periods.last.number(),
        run_no: run.no,
        file_no,
        file_ref: header.file_ref,
        name,
        bank_code: bank.code.clone(),
        layout_code: layout.code.clone(),
        part: i64::try_from(part).unwrap_or(i64::MAX),
        parts: i64::try_from(parts).unwrap_or(i64::MAX),
        pay_date: date_number(header.pay_date),
        first_line_no: lines.0,
        last_line_no: lines.1,
        row_count: i64::try_from(header.rows).unwrap_or(i64::MAX),
        total_fen: header.total.fen(),
        digest: kept_file::digest_of(&bytes),
        payments_digest: sending.digest.finish(&[]),
        status: "written".into(),
        open_rows: 0,
        open_fen: 0,
        credited_rows: 0,
        credited_fen: 0,
        rejected_rows: 0,
        rejected_fen: 0,
        returned_rows: 0,
        returned_fen: 0,
    };
    Ok((file, bytes))
}

/// What every reference of a run begins with, before the line or the bank (see `PaymentRef`).
pub fn reference_stem(agency: &str, run: &Run) -> String {
    format!("{agency}-{}-{}-", run.periods.last.number(), run.no)
}

/// One row of a payment file.
pub(super) fn payment_row<'a>(
    stem: &str,
    remark: &'a str,
    line: &FrozenLine<'a>,
) -> Result<PaymentRow<Cow<'a, str>>, FrozenLineError> {
    Ok(row_of(stem, remark, line, &line.payee()?))
}

fn row_of<'a>(stem: &str, remark: &'a str, line: &FrozenLine<'a>, payee: &Payee<'a>) -> PaymentRow<Cow<'a, str>> {
    PaymentRow {
        line_no: line.line_no,
        account: payee.account_number.into(),
        holder: payee.account_holder.into(),
        amount: line.amount,
        citizen_number: payee.citizen_number.into(),
        remark: remark.into(),
        payment_ref: reference(stem, line.line_no).into(),
    }
}

fn reference(stem: &str, line_no: i64) -> String {
    let mut reference = String::with_capacity(stem.len() + 20);
    reference.push_str(stem);
    push_number(&mut reference, line_no);
    reference
}

pub(super) fn remark(periods: PeriodRange) -> String {
    format!("补贴{periods}")
}

/// The class under which a reason is told when a hold is opened.
pub fn class_of(layout: Option<&Layout>, code: &str) -> ReasonClass {
    layout.map_or(ReasonClass::Unknown, |l| l.reason_class(code))
}
