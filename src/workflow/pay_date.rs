//! The date of a payment file: what a clerk should know of it, and giving files that were not sent another one.
//!
//! A file bears the day on which the bank gets it; many banks refuse one made on Friday and sent on Monday. The
//! date stands in bytes that are evidence, so it is chosen when files are issued and changed only in files
//! that never left the office: those are written anew, the same payments to the fen, and the earlier bytes stay kept. Only
//! whom a hold or a stop has overtaken meanwhile is withheld, as at any issue: nobody leaves with a file of another day
//! who would not be paid on that day.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::issue_files::{
    Overtaken, Withheld, bank_and_layout, overtaken_since, payment_row, record_withheld, reference_stem, remark,
    too_few, written,
};
use super::laid_answer::header;
use super::step::Step;
use super::take_return::{is_withheld, tampered};
use super::voucher_basis;
use crate::domain::calendar::Calendar;
use crate::domain::delivery::DeliveryKind;
use crate::domain::money::Money;
use crate::domain::payment::FrozenDigest;
use crate::domain::period::{date_from_number, date_number};
use crate::domain::run::Run;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::payment::Pages;
use crate::storage::payment_file::PaymentFile;
use crate::storage::{delivery, kept_file, month_sum, payment, payment_file};

/// The day on which a run should be paid, if its scheme has a pay day: that of the run's last month.
///
/// # Errors
/// When the calendar has no such year.
pub fn pay_day(office: &Office, scheme: &Scheme, run: &Run) -> Result<Option<NaiveDate>, Failure> {
    Ok(scheme.pay_day.map(|day| day.of(run.periods.last, &office.calendar)).transpose()?)
}

/// What a clerk should know of the date of files: banks are closed, it is later than the scheme's pay day. Nothing of
/// this keeps anybody from sending them.
///
/// # Errors
/// When the scheme cannot be read.
pub async fn remarks(office: &Office, run: &Run, dates: &[NaiveDate]) -> Result<Vec<String>, Failure> {
    let scheme = office.scheme_of(&mut office.read().await?, run).await?;
    let mut remarks = Vec::new();
    for date in dates {
        remarks.extend(closed(&office.calendar, *date));
    }
    match pay_day(office, &scheme, run) {
        Ok(Some(day)) if dates.iter().any(|date| *date > day) => {
            remarks.push(format!("批次 {} 的发放日是 {day}，文件的支付日期晚于发放日", run.code));
        }
        Ok(_) => {}
        Err(missing) => remarks.push(format!("算不出发放日: {}", missing.message)),
    }
    Ok(remarks)
}

/// Words for a day on which banks are closed, or of which nobody knows.
pub fn closed(calendar: &Calendar, date: NaiveDate) -> Option<String> {
    match calendar.is_working_day(date) {
        Ok(true) => None,
        Ok(false) => {
            let next =
                calendar.next_working_day(date).map_or_else(|_| String::new(), |day| format!("，下一个工作日是 {day}"));
            Some(format!("支付日期 {date} 不是工作日，银行当天可能不受理{next}"))
        }
        Err(missing) => Some(format!("看不出支付日期 {date} 是不是工作日: {missing}")),
    }
}

/// The date that files get.
///
/// # Errors
/// When it is past.
pub(super) fn chosen(step: &Step, asked: Option<NaiveDate>) -> Result<NaiveDate, Failure> {
    let date = asked.unwrap_or(step.on);
    if date >= step.on {
        return Ok(date);
    }
    Err(Failure::refused("PAY_DATE_PAST", format!("支付日期 {date} 早于业务日期 {}", step.on))
        .hint("支付日期是文件送交银行的那天，应为今天或以后的日期"))
}

/// Writes the files of an issued run anew for another day, except those that the bank has or may have; what the audit
/// event says of them, and who is withheld.
///
/// # Errors
/// When the bank has or may have all of them, without a note, when the date is past, or when nobody in a file may be paid.
pub(super) async fn redate(
    office: &Office,
    step: &mut Step,
    run: &Run,
    asked: NaiveDate,
    note: &str,
) -> Result<(Vec<Value>, Vec<Withheld>), Failure> {
    let (mut ours, mut gone) = (Vec::new(), Vec::new());
    for file in payment_file::of_run(&mut step.tx, &step.agency, run).await? {
        let last = delivery::of_file(&mut step.tx, &step.agency, &file).await?;
        let last = last.last().map(delivery::Delivery::kind).transpose()?;
        if file.pay_date == date_number(asked) {
            continue;
        }
        if file.is_answered() || last.is_some_and(DeliveryKind::may_have_arrived) {
            gone.push(file.name);
        } else {
            ours.push(file);
        }
    }
    if ours.is_empty() && gone.is_empty() {
        return Ok(Default::default());
    }
    if ours.is_empty() {
        let message = format!("批次 {} 的文件已经送出或回盘，不能再改支付日期: {}", run.code, gone.join("、"));
        return Err(Failure::refused("FILE_HANDED_OVER", message)
            .hint("同一笔款可能付两次。银行整个退回文件的，请取得写明失败的回盘再读入"));
    }
    let date = chosen(step, Some(asked))?;
    if note.trim().is_empty() {
        let first = date_from_number(ours[0].pay_date).unwrap_or_default();
        let message =
            format!("批次 {} 已按支付日期 {first} 报过盘，改为 {date} 须写明原来的文件没有送给银行", run.code);
        return Err(Failure::refused("NO_NOTE", message)
            .hint("用 --note 写明，例如 --note \"原文件没有送出，已销毁\"；没有把握时不要改: 同一笔款可能付两次"));
    }
    let overtaken = overtaken_since(office, step, run).await?;
    let (mut detail, mut sums, mut left) = (Vec::new(), month_sum::Sums::default(), Vec::new());
    for file in ours {
        let before = left.len();
        detail.push(write_anew(office, step, run, (&file, date), (&overtaken, &mut left)).await?);
        left[before..].iter().for_each(|(payment, _)| sums.withhold(&payment.covers, file.file_no));
    }
    let withheld = record_withheld(step, run, &left, "改支付日期时暂缓").await?;
    month_sum::add(&mut step.tx, &step.agency, run, sums).await?;
    Ok((detail, withheld))
}

/// Writes one file anew, without those who are overtaken; they are added to those who are left out.
async fn write_anew(
    office: &Office,
    step: &mut Step,
    run: &Run,
    (file, date): (&PaymentFile, NaiveDate),
    (overtaken, left): (&[Overtaken], &mut Vec<Overtaken>),
) -> Result<Value, Failure> {
    let bank = bank_and_layout(office, &file.bank_code)?.0;
    let layout = office.banks.layout(&file.layout_code).ok_or_else(|| {
        Failure::refused("CANNOT_WRITE", format!("没有布局 {}，{} 写不出来", file.layout_code, file.name))
            .hint("报盘以后不要从 config/banks 去掉用过的布局")
    })?;
    let lines = (file.first_line_no, file.last_line_no);
    let outcomes = payment::outcomes_of_lines(&mut step.tx, &step.agency, run, lines).await?;
    let pages = Pages::of(&step.agency, run, lines).all(&mut step.tx).await?;
    let (stem, text) = (reference_stem(&step.agency, run), remark(run.periods));
    let (mut before, mut now) = (FrozenDigest::default(), FrozenDigest::default());
    let (mut rows, mut total, mut left_here) = (Vec::new(), Money::ZERO, Vec::new());
    for page in &pages {
        for line in page.lines()? {
            if !(lines.0..=lines.1).contains(&line.line_no) || is_withheld(&line, &outcomes) {
                continue;
            }
            before.line(&line);
            // They were found line by line.
            if let Ok(at) = overtaken.binary_search_by_key(&line.line_no, |(payment, _)| payment.line_no) {
                left_here.push(overtaken[at].clone());
                continue;
            }
            now.line(&line);
            total += line.amount;
            rows.push(payment_row(&stem, &text, &line).map_err(payment::unreadable)?);
        }
    }
    if before.finish(&[]) != file.payments_digest {
        return Err(tampered(run, file));
    }
    if rows.is_empty() {
        return Err(nobody_left(file, &left_here));
    }
    if rows.len() < layout.row_least() {
        return Err(too_few(bank, layout, rows.len()));
    }
    let mut header = header(step, run, file);
    (header.pay_date, header.rows, header.total) = (date, rows.len(), total);
    let basis = voucher_basis::of_lines(&mut step.tx, &step.agency, run, layout, lines).await?;
    let (name, bytes) = written(run, bank, layout, basis.as_ref(), &header, &rows)?;
    let digest = kept_file::keep(&mut step.tx, &step.agency, &name, &bytes, step.event_no).await?;
    let anew = PaymentFile {
        pay_date: date_number(date),
        name,
        digest,
        row_count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        total_fen: total.fen(),
        payments_digest: now.finish(&[]),
        ..file.clone()
    };
    if !payment_file::write_anew(&mut step.tx, &step.agency, file, &anew).await? {
        return Err(Failure::conflict("FILE_MOVED", format!("{} 刚被其他人处理过", file.name)));
    }
    let withheld = left_here.len();
    left.extend(left_here);
    Ok(json!({
        "file": file.file_ref, "pay_date": date, "name": anew.name, "digest": anew.digest, "payments": anew.payments_digest,
        "was": file.digest, "withheld": withheld,
    }))
}

/// Of a file in which nobody may be paid any more nothing is left to be written.
fn nobody_left(file: &PaymentFile, left: &[Overtaken]) -> Failure {
    let names: Vec<String> = left
        .iter()
        .take(20)
        .map(|(payment, reason)| {
            format!("第 {} 笔 {} {} 元: {reason}", payment.line_no, payment.name, payment.amount.grouped())
        })
        .collect();
    let message = format!("{} 里的 {} 笔都不能再付，没有改支付日期:\n{}", file.name, left.len(), names.join("\n"));
    Failure::refused("ALL_WITHHELD", message)
        .hint("这个文件不要送银行；逐人查明，用 fafang hold clear 解除暂停以后再改支付日期")
}
