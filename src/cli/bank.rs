//! `fafang bank`: payment files out, answers in, and the simulated bank.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::json;

use super::{Answer, Desk, bank_layouts, exit_code, statement};
use crate::domain::bank::{Layout, Standard};
use crate::domain::period::date_from_number;
use crate::exchange::folder::{self, Waiting};
use crate::failure::Failure;
use crate::formats::bank::layout::read_back::NotOfLayout;
use crate::formats::bank::neutral::{AnswerKind, read_payment_file, seeming_kind};
use crate::formats::bank::treasury::envelope::kind_of;
use crate::formats::xml::seems_xml;
use crate::storage::payment_file::Tally;
use crate::training::simulated_answer::{Own, owners};
use crate::training::simulated_bank::{Faults, SimulatedBank};
use crate::workflow::issue_files::{Issued, issue_files_to};
use crate::workflow::pay_date;
use crate::workflow::take_return::{AnswerFile, Taken, take_returns};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 列出文件格式和使用它的银行；检查布局文件，试看样子
    Layouts {
        #[command(subcommand)]
        command: Option<bank_layouts::Command>,
    },
    /// 报盘: 写出批次的支付文件（重复报盘得到同样的字节）
    Issue {
        /// 批次号
        run: String,
        /// 写到哪个文件夹
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// 支付日期: 文件送交银行的那天（默认业务日期）；报过盘而没有送出的文件改为这一天
        #[arg(long, value_name = "DATE", value_parser = super::date_argument)]
        pay_date: Option<NaiveDate>,
        /// 改支付日期时写明原来的文件没有送给银行
        #[arg(long, default_value = "")]
        note: String,
    },
    /// 读入回盘文件，可以一次多个: 要么全部读入，要么都不读入
    Return {
        /// 银行返回的文件，或装着这些文件的文件夹
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// 它回答的支付文件的编号或文件名；只在程序从回盘看不出来时才需要
        #[arg(long = "file", value_name = "REF")]
        answers: Option<String>,
    },
    /// 读入退票文件（成功之后又退回的款），可以一次多个
    LateReturn {
        /// 银行返回的文件，或装着这些文件的文件夹
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// 它回答的支付文件的编号或文件名；只在程序从退票看不出来时才需要
        #[arg(long = "file", value_name = "REF")]
        answers: Option<String>,
    },
    /// 读入银行对账单，与报盘、回盘失败、退票逐笔配对
    Statement(statement::Args),
    /// 指明一笔未配对的对账单分录是哪个文件或明细的款
    Match(statement::MatchArgs),
    /// 模拟银行（只用于培训和测试）: 读支付文件，写回盘、第二次回盘和退票
    Simulate(SimulateArgs),
}

#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// 支付文件，或装着支付文件的文件夹
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// 写到哪个文件夹
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// 支付文件的布局；只在看不出来时才需要
    #[arg(long)]
    layout: Option<String>,
    /// 随机种子: 同样的种子得到同样的结果
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// 每万笔中户名不符的笔数
    #[arg(long, default_value_t = 0)]
    name_mismatch: u32,
    /// 每万笔中已销户的笔数
    #[arg(long, default_value_t = 0)]
    closed_account: u32,
    /// 每万笔中第一次回盘未决的笔数
    #[arg(long, default_value_t = 0)]
    still_open: u32,
    /// 每万笔中成功后退票的笔数
    #[arg(long, default_value_t = 0)]
    late_return: u32,
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    match command {
        Command::Layouts { command } => return bank_layouts::run(command, desk).await,
        Command::Issue { run, out, pay_date, note } => {
            let wait = |name: &str, bytes: &[u8]| folder::write_waiting(&out.join(name), bytes);
            let mut issued = issue_files_to(&desk.office, &run, (pay_date, &note), wait).await?;
            let paths = folder::release(&out, issued.files.iter_mut().map(|f| &mut f.bytes))?;
            let dates: BTreeSet<i64> = issued.files.iter().map(|f| f.file.pay_date).collect();
            let dates: Vec<NaiveDate> = dates.into_iter().filter_map(date_from_number).collect();
            let remarks = if issued.again && pay_date.is_none() {
                Vec::new()
            } else {
                pay_date::remarks(&desk.office, &issued.run, &dates).await?
            };
            for remark in remarks {
                desk.out.note(&format!("提示: {remark}"));
            }
            desk.out.answer(|| issued_document(&issued, &paths), || issued_words(&issued, &paths));
        }
        Command::Return { files, answers } => return take(desk, AnswerKind::Return, &files, answers).await,
        Command::LateReturn { files, answers } => return take(desk, AnswerKind::LateReturn, &files, answers).await,
        Command::Statement(args) => return statement::run(args, desk).await,
        Command::Match(args) => return statement::run_match(args, desk).await,
        Command::Simulate(args) => return simulate(&args, desk),
    }
    Ok(exit_code::DONE)
}

fn issued_document(issued: &Issued<Waiting>, paths: &[PathBuf]) -> serde_json::Value {
    let files = issued.files.iter().zip(paths).map(|(f, path)| {
        json!({
            "path": path, "name": f.file.name, "file_ref": f.file.file_ref, "bank": f.file.bank_code, "part": f.file.part,
            "parts": f.file.parts, "rows": f.file.row_count, "total_fen": f.file.total_fen, "digest": f.file.digest, "pay_date": date_from_number(f.file.pay_date),
        })
    });
    let withheld = issued
        .withheld
        .iter()
        .map(|w| json!({ "line_no": w.line_no, "name": w.name, "amount_fen": w.amount, "reason": w.reason }));
    json!({
        "run": issued.run.code, "again": issued.again, "redated": issued.redated, "files": files.collect::<Vec<_>>(),
        "withheld": withheld.collect::<Vec<_>>(),
    })
}

fn issued_words(issued: &Issued<Waiting>, paths: &[PathBuf]) -> String {
    let mut lines = Vec::new();
    if issued.redated > 0 {
        let (run, count) = (&issued.run.code, issued.redated);
        lines.push(format!("{run} 有 {count} 个没有送出的文件改了支付日期，原来写出的文件不要再用；已送出的没有变"));
    } else if issued.again {
        lines.push(format!("{} 已报过盘，写出的是同样的文件", issued.run.code));
    }
    for (f, path) in issued.files.iter().zip(paths) {
        let total = crate::domain::money::Money(f.file.total_fen).grouped();
        let (rows, digest) = (f.file.row_count, &f.file.digest);
        lines.push(format!("{}  {rows} 笔 {total} 元  sha256 {digest}", path.display()));
        if !f.file.name.contains(&f.file.file_ref) {
            lines.push(format!("  文件编号 {}", f.file.file_ref));
        }
    }
    for w in &issued.withheld {
        lines.push(format!("  暂缓 第 {} 笔 {} {} 元: {}", w.line_no, w.name, w.amount.grouped(), w.reason));
    }
    lines.join("\n")
}

async fn take(desk: &Desk, kind: AnswerKind, named: &[PathBuf], answers: Option<String>) -> Answer {
    let paths = answers_of(desk, named)?;
    if answers.is_some() && paths.len() != 1 {
        return Err(Failure::input("ONE_FILE", format!("--file 只能用于一个回盘文件，这里有 {} 个", paths.len()))
            .hint("请一个一个读入"));
    }
    let mut others = Vec::new();
    let files = paths.iter().filter_map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = match folder::read(path) {
            Ok(bytes) => bytes,
            Err(unread) => return Some(Err(unread)),
        };
        // Banks put both kinds into one folder; a file that was named itself is taken at its word, and refused.
        let of_vouchers = || seems_xml(&bytes).then(|| kind_of(&bytes).ok().flatten()).flatten();
        let seems = || seeming_kind(&bytes).or_else(of_vouchers);
        if !named.contains(path) && seems().is_some_and(|is| is != kind) {
            others.push(name);
            return None;
        }
        Some(Ok(AnswerFile { name, bytes, answers: answers.clone() }))
    });
    let taken = take_returns(&desk.office, kind, files).await?;
    if !others.is_empty() {
        let (are, command) = match kind {
            AnswerKind::Return => ("退票", "bank late-return"),
            AnswerKind::LateReturn => ("回盘", "bank return"),
        };
        desk.out.note(&format!("文件夹里另有{are}文件，没有读入，请用 {command} 读入: {}", others.join("、")));
    }
    match taken.as_slice() {
        [] => {
            return Err(Failure::input("NO_FILES", "指定的文件夹里没有可以读入的文件")
                .hint("请指出银行返回的文件，或放着它们的文件夹"));
        }
        [only] => desk.out.answer(|| taken_document(only), || taken_words(only)),
        several => desk.out.answer(|| all_taken_document(several), || all_taken_words(several)),
    }
    Ok(if taken.iter().all(|t| t.findings.is_empty()) { exit_code::DONE } else { exit_code::REFUSED })
}

/// Sums over several files; open is what is open in the files that are named, each once, as it is after the last answer.
struct Sum {
    credited: Tally,
    rejected: Tally,
    open: Tally,
    returned: Tally,
}

fn sum(taken: &[Taken]) -> Sum {
    let total = |tallies: &mut dyn Iterator<Item = Tally>| {
        tallies.fold(Tally::default(), |a, b| Tally { rows: a.rows + b.rows, amount: a.amount + b.amount })
    };
    let is_last = |(at, t): &(usize, &Taken)| taken[at + 1..].iter().all(|later| later.file_ref != t.file_ref);
    Sum {
        credited: total(&mut taken.iter().map(|t| t.credited)),
        rejected: total(&mut taken.iter().map(|t| t.rejected)),
        open: total(&mut taken.iter().enumerate().filter(is_last).map(|(_, t)| t.open)),
        returned: total(&mut taken.iter().map(|t| t.returned)),
    }
}

fn all_taken_document(taken: &[Taken]) -> serde_json::Value {
    let sum = sum(taken);
    json!({
        "files": taken.iter().map(taken_document).collect::<Vec<_>>(),
        "already": taken.iter().filter(|t| t.already.is_some()).count(),
        "credited": sum.credited.rows, "credited_fen": sum.credited.amount,
        "rejected": sum.rejected.rows, "rejected_fen": sum.rejected.amount,
        "open": sum.open.rows, "open_fen": sum.open.amount,
        "returned": sum.returned.rows, "returned_fen": sum.returned.amount,
        "holds": taken.iter().map(|t| t.holds).sum::<usize>(),
        "findings": taken.iter().map(|t| t.findings.len()).sum::<usize>(),
    })
}

fn all_taken_words(taken: &[Taken]) -> String {
    let mut lines: Vec<String> = taken.iter().map(taken_words).collect();
    let sum = sum(taken);
    let words = tallies_words(&sum.credited, &sum.rejected, &sum.open, &sum.returned);
    lines.push(format!("共 {} 个文件: {words}", taken.len()));
    lines.join("\n")
}

pub(super) fn taken_document(taken: &Taken) -> serde_json::Value {
    let findings = taken
        .findings
        .iter()
        .map(|f| json!({ "code": f.code, "line_no": f.line_no, "fen": f.amount, "text": f.message }));
    json!({
        "run": taken.run_code, "file_ref": taken.file_ref, "already": taken.already,
        "credited": taken.credited.rows, "credited_fen": taken.credited.amount,
        "rejected": taken.rejected.rows, "rejected_fen": taken.rejected.amount,
        "open": taken.open.rows, "open_fen": taken.open.amount,
        "returned": taken.returned.rows, "returned_fen": taken.returned.amount,
        "holds": taken.holds, "settled": taken.settled, "notices": taken.notices, "findings": findings.collect::<Vec<_>>(),
    })
}

pub(super) fn taken_words(taken: &Taken) -> String {
    if let Some(already) = &taken.already {
        return format!("{already}，内容相同，没有任何改动");
    }
    let Taken { credited, rejected, open, returned, .. } = taken;
    let mut lines =
        vec![format!("{} {}: {}", taken.run_code, taken.file_ref, tallies_words(credited, rejected, open, returned))];
    if taken.holds > 0 {
        lines.push(format!("  {} 人转入暂停支付，用 fafang hold list 查看", taken.holds));
    }
    if taken.settled {
        lines.push(format!("  批次 {} 已结清", taken.run_code));
    }
    lines.extend(taken.notices.iter().map(|notice| format!("  说明 {notice}")));
    lines.extend(taken.findings.iter().map(|f| format!("  差异 [{}] {}", f.code, f.message)));
    if !taken.findings.is_empty() {
        lines.push("  用 fafang finding list 查看，查明后用 finding explain 说明".into());
    }
    lines.join("\n")
}

fn tallies_words(credited: &Tally, rejected: &Tally, open: &Tally, returned: &Tally) -> String {
    let part = |word: &str, t: &Tally| format!("{word} {} 笔 {} 元", t.rows, t.amount.grouped());
    if returned.rows > 0 {
        part("退票", returned)
    } else {
        format!("{}，{}，{}", part("成功", credited), part("失败", rejected), part("未决", open))
    }
}

fn simulate(args: &SimulateArgs, desk: &Desk) -> Answer {
    let faults = Faults {
        name_mismatch: args.name_mismatch,
        closed_account: args.closed_account,
        still_open: args.still_open,
        late_return: args.late_return,
    };
    let bank = SimulatedBank::new(args.seed, faults, desk.office.business_date());
    let mut written: Vec<(&'static str, PathBuf)> = Vec::new();
    for path in files_with(desk, &args.files, &["txt", "csv", "xlsx", "xml", "bpt"])? {
        let bytes = folder::read(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wrong = |e: crate::formats::bank::neutral::ReadError| Failure::input(e.code(), format!("{name}: {e}"));
        let mut put = |kind: &'static str, prefix: &str, bytes: &[u8]| -> Result<(), Failure> {
            let path = args.out.join(format!("{prefix}-{name}"));
            folder::replace(&path, bytes)?;
            written.push((kind, path));
            Ok(())
        };
        if let Some(own) = owner(args, desk, &name, &bytes)? {
            let unanswered = |e: NotOfLayout| Failure::input("BANK_FILE_UNANSWERABLE", format!("{name}: {e}"));
            let answers = bank.answer_own(own, &name, &bytes).map_err(unanswered)?;
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            let all = [
                ("return", "return-1", answers.first),
                ("return", "return-2", answers.second),
                ("late_return", "late-return", answers.late),
            ];
            for (kind, prefix, bytes) in all {
                if let Some(bytes) = bytes {
                    let path = args.out.join(format!("{prefix}-{stem}.{}", answers.extension));
                    folder::replace(&path, &bytes)?;
                    written.push((kind, path));
                }
            }
            continue;
        }
        let first = bank.answer(&bytes).map_err(wrong)?;
        put("return", "return-1", &first)?;
        if let Some(second) = bank.answer_open(&bytes, &first).map_err(wrong)? {
            put("return", "return-2", &second)?;
        }
        if let Some(late) = bank.late_returns(&bytes, &first).map_err(wrong)? {
            put("late_return", "late-return", &late)?;
        }
    }
    desk.out.answer(
        || json!({ "simulated": true, "files": written.iter().map(|(kind, path)| json!({ "kind": kind, "path": path })).collect::<Vec<_>>() }),
        || {
            let lines: Vec<String> = written.iter().map(|(_, path)| path.display().to_string()).collect();
            format!("模拟银行（只用于培训和测试）写出:\n{}", lines.join("\n"))
        },
    );
    Ok(exit_code::DONE)
}

/// The bank of the office whose own layout the file has; none where it is ours.
fn owner<'a>(args: &SimulateArgs, desk: &'a Desk, name: &str, bytes: &[u8]) -> Result<Option<Own<'a>>, Failure> {
    if read_payment_file(bytes).is_ok() {
        return Ok(None);
    }
    let mut owners = owners(&desk.office.banks, name, bytes);
    owners.retain(|own| args.layout.as_ref().is_none_or(|layout| own.layout.code == *layout));
    match owners.as_slice() {
        [] => Ok(None),
        [own] => Ok(Some(*own)),
        several => {
            let codes: Vec<&str> = several.iter().map(|own| own.layout.code.as_str()).collect();
            Err(Failure::input("LAYOUT_UNCLEAR", format!("{name} 可能是布局 {} 的文件", codes.join("、")))
                .hint("请用 --layout 写明是哪一个"))
        }
    }
}

/// Files named, and of folders named those that may be answers, in order of name: where a bank has another layout than ours,
/// tables and XML too.
fn answers_of(desk: &Desk, named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    files_with(desk, named, &["txt", "csv", "xls", "xlsx", "xml"])
}

/// Files named, and of folders named those with these endings; `.txt` alone where every bank has our own layout.
fn files_with(desk: &Desk, named: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let book = &desk.office.banks;
    let is_other = |layout: &Layout| layout.form.is_some() || layout.standard != Standard::Neutral;
    let endings = if book.layouts_in_use().any(is_other) { endings } else { &["txt"] };
    folder::named(named, |path| {
        let mut inside = Vec::new();
        for ending in endings {
            inside.extend(folder::list(path, ending)?);
        }
        inside.sort();
        Ok(inside)
    })
}
