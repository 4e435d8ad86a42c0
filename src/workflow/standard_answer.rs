//! An answer in one of the standards that the program reads itself: which payment file it answers, and what it says.
//!
//! Such an answer names the file that it is about, so nothing is guessed; one that differs from what was sent is
//! refused whole. What comes out is what the layout `neutral` would have said, and `take_return` goes on with it.

use super::issue_files::reference_stem;
use super::laid_answer::{Laid, header, is_the_named, sent};
use super::step::Step;
use super::take_return::run_of;
use crate::domain::bank::{Layout, Standard};
use crate::domain::money::Money;
use crate::domain::run::Run;
use crate::failure::Failure;
use crate::formats::bank::iso20022::report::{is_report, read_report};
use crate::formats::bank::layout::matching::Sent;
use crate::formats::bank::neutral::{AnswerKind, FileHeader};
use crate::formats::bank::standard::{Doubt, ReadError, Unbelievable, Understood};
use crate::formats::bank::treasury::answer::read_answer;
use crate::formats::bank::treasury::envelope::kind_of;
use crate::formats::xml::{XmlError, seems_xml};
use crate::office::Office;
use crate::storage::finding::NewFinding;
use crate::storage::kept_file;
use crate::storage::payment_file::{self, PaymentFile};

/// Understands an answer in a standard; `None` for any other. `said` is the payment file that the clerk names.
///
/// # Errors
/// When it cannot be read, answers no file of ours, is of the other kind, or differs from what was sent.
pub async fn understand(
    office: &Office,
    step: &mut Step,
    kind: AnswerKind,
    (name, bytes): (&str, &[u8]),
    said: Option<&str>,
) -> Result<Option<Laid>, Failure> {
    if !seems_xml(bytes) {
        return Ok(None);
    }
    if speaks(office, name, is_report(bytes))? {
        is_of_kind(kind, AnswerKind::Return, name, "pain.002")?;
        let report = read_report(bytes).map_err(|e| unreadable(name, &e))?;
        let sent = answered(office, step, name, said, (&report.group.id, Standard::Iso20022)).await?;
        let understood = report.understood(sent.layout, &sent.header, &sent.stem, &sent.payments);
        return sent.laid(name, understood).map(Some);
    }
    if let Some(is) = speaks(office, name, kind_of(bytes))? {
        is_of_kind(kind, is, name, "国库凭证")?;
        let returned = read_answer(bytes).map_err(|e| unreadable(name, &e))?;
        let sent = answered(office, step, name, said, (returned.reference(), Standard::Treasury)).await?;
        let bytes = kept_file::content(&mut step.tx, &step.agency, &sent.file.digest).await?;
        let understood = returned.understood(sent.layout, &sent.header, &sent.stem, (&bytes, &sent.payments));
        return sent.laid(name, understood).map(Some);
    }
    Ok(None)
}

/// Whether XML is such a message. What cannot be read at all is told where a bank uses a standard; elsewhere the
/// bank's own layout may say better what is wrong.
fn speaks<T: Default>(office: &Office, name: &str, is_message: Result<T, XmlError>) -> Result<T, Failure> {
    let is_standard = |layout: &Layout| layout.form.is_none() && layout.standard != Standard::Neutral;
    let uses_one = || office.banks.layouts_in_use().any(is_standard);
    match is_message {
        Ok(is_message) => Ok(is_message),
        Err(error) if uses_one() => Err(unreadable(name, &ReadError::Xml(error))),
        Err(_) => Ok(T::default()),
    }
}

/// What was sent, as far as an answer is about it.
struct SentFile<'a> {
    file: PaymentFile,
    run: Run,
    layout: &'a Layout,
    header: FileHeader,
    stem: String,
    payments: Vec<Sent>,
}

impl SentFile<'_> {
    /// What an answer says of it, if that is believed.
    fn laid(self, name: &str, understood: Result<Understood, Unbelievable>) -> Result<Laid, Failure> {
        let Understood { answer, doubts } = understood.map_err(|why| unbelievable(name, &self.file, why))?;
        let finding = |Doubt { code, message }| NewFinding { code, line_no: None, amount: Money::ZERO, message };
        let findings = doubts.into_iter().map(finding).collect();
        Ok(Laid { file: self.file, run: self.run, answer, findings, notices: Vec::new() })
    }
}

/// A return holds no money that came back, and a late return nothing else.
fn is_of_kind(asked: AnswerKind, is: AnswerKind, name: &str, what: &str) -> Result<(), Failure> {
    if asked == is {
        return Ok(());
    }
    let (kind, command) = match is {
        AnswerKind::Return => ("回盘", "fafang bank return"),
        AnswerKind::LateReturn => ("退票", "fafang bank late-return"),
    };
    Err(Failure::input("OTHER_ANSWER_KIND", format!("{name} 是{kind}（{what}）")).hint(format!("请用 {command} 读入")))
}

/// The payment file with this reference, which must have been sent in this standard.
async fn answered<'a>(
    office: &'a Office,
    step: &mut Step,
    name: &str,
    said: Option<&str>,
    (reference, standard): (&str, Standard),
) -> Result<SentFile<'a>, Failure> {
    let unknown = |message: String| {
        Failure::input("RETURN_FILE_UNKNOWN", message).hint("可能是别的单位或别的系统的回盘，请核对后重新取回")
    };
    let file = payment_file::find(&mut step.tx, &step.agency, reference).await?;
    let Some(file) = file else {
        return Err(unknown(format!("{name} 回答的“{reference}”不是本机构发出的支付文件")));
    };
    is_the_named(name, &file, said)?;
    let layout = office.banks.layout(&file.layout_code);
    let Some(layout) = layout.filter(|layout| layout.form.is_none() && layout.standard == standard) else {
        let (layout, expected) = (&file.layout_code, standard.code());
        return Err(unknown(format!("{name} 回答的支付文件 {} 是按 {layout} 报的，不是 {expected}", file.name)));
    };
    let run = run_of(step, &file).await?;
    let (header, stem) = (header(step, &run, &file), reference_stem(&step.agency, &run));
    let payments = sent(step, &run, &file).await?;
    Ok(SentFile { file, run, layout, header, stem, payments })
}

fn unreadable(name: &str, error: &ReadError) -> Failure {
    Failure::unread(error.code(), name, error, "没有读入；请向银行重新取文件，不要手工修改")
}

fn unbelievable(name: &str, file: &PaymentFile, why: Unbelievable) -> Failure {
    match why {
        Unbelievable::Differs(list) => {
            let list: Vec<String> = list.iter().map(|line| format!("{name} {line}")).collect();
            Failure::input("RETURN_HEADER_DIFFERS", list.join("\n"))
                .hint(format!("与发出的支付文件 {} 不符，没有读入；请向银行核实后重新取回", file.name))
        }
        Unbelievable::Foreign => {
            Failure::input("RETURN_HEADER_DIFFERS", format!("{name} 没有一笔是支付文件 {} 里的", file.name))
                .hint("可能是别的批次的回盘，没有读入；请核对")
        }
        Unbelievable::SaysNothing => Failure::input("BANK_FILE_EMPTY", format!("{name} 没有说明任何一笔支付的状态"))
            .hint("请向银行索取带明细的回盘"),
    }
}
