//! Writes down what happens to payment files on their way to the bank: about to be given their name at a
//! place, handed over, acknowledged, or found not to have been sent. The bytes are moved by whoever calls.
//!
//! What was seen before counts only if nothing was written down since: of two desks that send the same
//! file one is told that the other did.

use std::collections::HashMap;

use serde_json::json;

use super::step::{Step, actor_in};
use crate::domain::actor::Role;
use crate::domain::delivery::DeliveryKind;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::delivery::{self, Delivery, NewDelivery};
use crate::storage::kept_file;
use crate::storage::payment_file::{self, PaymentFile};

/// A payment file and what happened to it.
#[derive(Debug, Clone)]
pub struct FileOnItsWay {
    /// The file.
    pub file: PaymentFile,
    /// What happened to it, in order.
    pub deliveries: Vec<Delivery>,
}

impl FileOnItsWay {
    /// What happened last.
    ///
    /// # Errors
    /// When the stored word is none.
    pub fn last(&self) -> Result<Option<DeliveryKind>, Failure> {
        Ok(self.deliveries.last().map(Delivery::kind).transpose()?)
    }

    /// True when it was put, or was about to be put, somewhere under this digest.
    ///
    /// # Errors
    /// When a stored word is none.
    pub fn was_sent_as(&self, digest: &str) -> Result<bool, Failure> {
        for delivery in &self.deliveries {
            if delivery.sent_digest == digest && delivery.kind()?.may_have_arrived() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where a file stands, under which name and as which bytes.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Name of the place; empty when a clerk carries it.
    pub place: &'a str,
    /// Its name there.
    pub name: &'a str,
    /// SHA-256 of its bytes there.
    pub digest: &'a str,
}

/// All payment files in order of issue, for finance.
///
/// # Errors
/// When somebody else asks.
pub async fn for_finance(office: &Office) -> Result<Vec<FileOnItsWay>, Failure> {
    actor_in(office, &mut office.read().await?, &[Role::Finance]).await?;
    files(office).await
}

/// All payment files in order of issue.
///
/// # Errors
/// The database's.
pub async fn files(office: &Office) -> Result<Vec<FileOnItsWay>, Failure> {
    let mut tx = office.read().await?;
    let mut deliveries: HashMap<(i64, i64), Vec<Delivery>> = HashMap::new();
    for delivery in delivery::list(&mut tx, &office.agency_code).await? {
        deliveries.entry((delivery.run_no, delivery.file_no)).or_default().push(delivery);
    }
    let files = payment_file::list(&mut tx, &office.agency_code).await?;
    let on_its_way = |file: PaymentFile| {
        let deliveries = deliveries.remove(&(file.run_no, file.file_no)).unwrap_or_default();
        FileOnItsWay { file, deliveries }
    };
    Ok(files.into_iter().map(on_its_way).collect())
}

/// The bytes of a payment file.
///
/// # Errors
/// When they are not what was kept.
pub async fn content(office: &Office, file: &PaymentFile) -> Result<Vec<u8>, Failure> {
    Ok(kept_file::content(&mut office.read().await?, &office.agency_code, &file.digest).await?)
}

/// What happened to a file so far.
///
/// # Errors
/// The database's.
pub async fn of_file(office: &Office, file: &PaymentFile) -> Result<Vec<Delivery>, Failure> {
    Ok(delivery::of_file(&mut office.read().await?, &office.agency_code, file).await?)
}

/// Writes down that a file lies at the place under a temporary name and is about to be given its own. Only then may it
/// be given its name.
///
/// # Errors
/// When something happened to the file since it was looked at.
pub async fn sending(office: &Office, known: &FileOnItsWay, standing: Standing<'_>) -> Result<(), Failure> {
    write_down(office, "exchange.sending", known, DeliveryKind::Sending, standing, "").await
}

/// Writes down that a file stands at its place.
///
/// # Errors
/// When something else happened to the file since it was looked at.
pub async fn handed_over(office: &Office, known: &FileOnItsWay, standing: Standing<'_>) -> Result<(), Failure> {
    write_down(office, "exchange.push", known, DeliveryKind::HandedOver, standing, "").await
}

/// Writes down that the bank says it has a file.
///
/// # Errors
/// When something else happened to the file since it was looked at.
pub async fn acknowledged(
    office: &Office,
    known: &FileOnItsWay,
    standing: Standing<'_>,
    note: &str,
) -> Result<(), Failure> {
    write_down(office, "exchange.acknowledge", known, DeliveryKind::Acknowledged, standing, note).await
}

/// What a person found out about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundOut {
    /// The bank has it.
    Sent,
    /// The bank has nothing of it.
    NotSent,
}

/// Writes down what a person found out about a file, by its reference or name: that it reached the bank by other means,
/// or that one whose sending was interrupted did not. What is written down already is said again and changes nothing.
///
/// # Errors
/// Without a note, for no file of the office, for a file that was answered, and for *not sent* unless its sending
/// was interrupted.
pub async fn record(office: &Office, reference: &str, found: FoundOut, note: &str) -> Result<FileOnItsWay, Failure> {
    let note = note.trim();
    if note.is_empty() {
        return Err(Failure::refused("NO_NOTE", "必须写明怎样送达或怎样核实")
            .hint("用 --note 写明，例如 --note \"U 盘送交，银行经办人张某签收\""));
    }
    let files = for_finance(office).await?;
    let known = files.into_iter().find(|f| f.file.file_ref == reference || f.file.name == reference);
    let known = known.ok_or_else(|| {
        Failure::refused("UNKNOWN_FILE", format!("没有支付文件“{reference}”"))
            .hint("fafang exchange list 列出支付文件的编号和文件名")
    })?;
    if known.file.is_answered() {
        return Err(Failure::refused("FILE_ANSWERED", format!("{} 银行已经回盘，不必登记", known.file.name)));
    }
    let last = known.last()?;
    let kind = match (found, last) {
        (FoundOut::Sent, Some(DeliveryKind::HandedOver | DeliveryKind::Acknowledged))
        | (FoundOut::NotSent, Some(DeliveryKind::NotSent)) => return Ok(known),
        (FoundOut::Sent, _) => DeliveryKind::HandedOver,
        (FoundOut::NotSent, Some(DeliveryKind::Sending)) => DeliveryKind::NotSent,
        (FoundOut::NotSent, _) => {
            let state = if last.is_none() { "还没有送出过" } else { "已记录送达" };
            return Err(Failure::refused(
                "NOT_INTERRUPTED",
                format!("{} {state}，不是送出中断的文件", known.file.name),
            )
            .hint("银行说没有收到已送出的文件时，用 bank issue 写出同样的文件送交银行"));
        }
    };
    let name = known.file.name.clone();
    let standing = match known.deliveries.last().filter(|_| last == Some(DeliveryKind::Sending)) {
        Some(d) => Standing { place: &d.place, name: &d.sent_name, digest: &d.sent_digest },
        None => Standing { place: "", name: &name, digest: &known.file.digest },
    };
    write_down(office, "exchange.record", &known, kind, standing, note).await?;
    Ok(known)
}

async fn write_down(
    office: &Office,
    action: &'static str,
    known: &FileOnItsWay,
    kind: DeliveryKind,
    standing: Standing<'_>,
    note: &str,
) -> Result<(), Failure> {
    let mut step = Step::begin(office, action, &[Role::Finance]).await?;
    let file = payment_file::find(&mut step.tx, &step.agency, &known.file.file_ref).await?;
    let now = delivery::of_file(&mut step.tx, &step.agency, &known.file).await?;
    let is_same = file.as_ref().is_some_and(|file| file.digest == known.file.digest && !file.is_answered());
    if now.len() != known.deliveries.len() || !is_same {
        let by = now.last().map_or_else(String::new, |d| format!("（{}）", d.done_by));
        return Err(Failure::conflict("FILE_MOVED", format!("{} 刚被其他人处理过{by}", known.file.name))
            .hint("用 fafang exchange list 查看"));
    }
    let seq_no = i64::try_from(now.len() + 1).unwrap_or(i64::MAX);
    let Standing { place, name, digest } = standing;
    let new = NewDelivery { kind, place, sent_name: name, sent_digest: digest, note };
    let signature = step.signature();
    let mark = (signature.by.as_str(), signature.on, signature.at.as_str());
    delivery::insert(&mut step.tx, &step.agency, (&known.file, seq_no), &new, mark, step.event_no).await?;
    let detail = json!({
        "file": known.file.file_ref, "delivery": kind.code(), "place": place, "name": name, "digest": digest, "note": note,
    });
    step.finish(&known.file.name, detail).await
}
