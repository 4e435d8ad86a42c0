//! Doctor's look at what went to the banks: every delivery is of a file that was issued, of the bytes that were kept (or
//! of their encrypted form), told by its audit event; and nothing that the bank may have was put there again.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::doctor::{Check, check};
use crate::domain::delivery::DeliveryKind;
use crate::domain::place::SEALED;
use crate::domain::run::Run;
use crate::failure::Failure;
use crate::storage::audit_event::AuditEvent;
use crate::storage::delivery::{self, Delivery};
use crate::storage::engine::Tx;
use crate::storage::payment_file::{self, PaymentFile};

/// The check.
///
/// # Errors
/// Only when the database cannot be read.
pub(super) async fn deliveries(
    tx: &mut Tx,
    agency: &str,
    runs: &[Run],
    events: &[AuditEvent],
) -> Result<Check, Failure> {
    let mut result = check("DELIVERIES", "送出的是已报盘的文件、留存的字节，与审计记录一致，没有送两次");
    let mut of_file: BTreeMap<(i64, i64), Vec<Delivery>> = BTreeMap::new();
    for delivery in delivery::list(tx, agency).await? {
        of_file.entry((delivery.run_no, delivery.file_no)).or_default().push(delivery);
    }
    let mut told: HashMap<i64, Value> = HashMap::new();
    let mut redated: Vec<(i64, Value)> = Vec::new();
    for event in events {
        let is_of_files = event.action.starts_with("exchange.") || event.action == "bank.issue";
        let Some(detail) = is_of_files.then(|| serde_json::from_str::<Value>(&event.detail).ok()).flatten() else {
            continue;
        };
        for file in detail["redated"].as_array().into_iter().flatten() {
            redated.push((event.event_no, file.clone()));
        }
        if detail["delivery"].is_string() {
            told.insert(event.event_no, detail);
        }
    }
    for file in payment_file::list(tx, agency).await? {
        let deliveries = of_file.remove(&(file.run_no, file.file_no)).unwrap_or_default();
        if deliveries.is_empty() {
            continue;
        }
        let is_issued = runs.iter().any(|run| run.no == file.run_no && run.state.issued().is_some());
        if !is_issued {
            result.problems.push(format!("{}: 批次没有报盘，却有送出的记录", file.name));
        }
        let mut before: Option<DeliveryKind> = None;
        for (seq_no, delivery) in (1..).zip(&deliveries) {
            result.examined += 1;
            let nth = format!("{} 第 {} 次送出记录", file.name, delivery.seq_no);
            if delivery.seq_no != seq_no {
                result.problems.push(format!("{nth}: 应为第 {seq_no} 次"));
            }
            let kind = delivery.kind().ok();
            let was_there = matches!(before, Some(DeliveryKind::HandedOver | DeliveryKind::Acknowledged));
            if was_there && kind != Some(DeliveryKind::Acknowledged) {
                result.problems.push(format!("{nth}: 银行已经有这个文件，又送了一次"));
            }
            let kept = digest_at(&file, &redated, delivery.event_no);
            if !delivery.sent_name.ends_with(SEALED) && delivery.sent_digest != kept {
                result.problems.push(format!("{nth}: 送出的摘要 {}，留存的是 {kept}", delivery.sent_digest));
            }
            match told.remove(&delivery.event_no) {
                Some(event) if is_told(&file, delivery, &event) => {}
                _ => result.problems.push(format!("{nth}: 与第 {} 号审计记录不符", delivery.event_no)),
            }
            before = kind;
        }
    }
    let mut left: Vec<(&i64, &Value)> = told.iter().collect();
    left.sort_by_key(|(event_no, _)| **event_no);
    for (event_no, event) in left {
        let file = event["file"].as_str().unwrap_or_default();
        result.problems.push(format!("{file}: 第 {event_no} 号审计记录说的送出没有记录"));
    }
    Ok(result)
}

/// The digest that the file had when this event came: a later event that wrote it anew tells what it was before.
fn digest_at<'a>(file: &'a PaymentFile, redated: &'a [(i64, Value)], event_no: i64) -> &'a str {
    let later = redated.iter().find(|(no, of)| *no > event_no && of["file"] == *file.file_ref);
    later.and_then(|(_, of)| of["was"].as_str()).unwrap_or(&file.digest)
}

fn is_told(file: &PaymentFile, delivery: &Delivery, event: &Value) -> bool {
    let kind = delivery.kind().map(DeliveryKind::code);
    [
        ("file", file.file_ref.as_str()),
        ("delivery", kind.unwrap_or_default()),
        ("place", &delivery.place),
        ("name", &delivery.sent_name),
        ("digest", &delivery.sent_digest),
        ("note", &delivery.note),
    ]
    .iter()
    .all(|(key, stored)| event[*key] == **stored)
}
