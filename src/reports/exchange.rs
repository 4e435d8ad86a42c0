//! Files between the office and its banks: where payment files are, what waits to be taken in, what was set aside and why.

use std::collections::HashMap;

use super::table::{Column, Report, Sheet, Value};
use crate::domain::delivery::state_title;
use crate::domain::money::Money;
use crate::domain::period::date_from_number;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::delivery::{self, Delivery};
use crate::storage::payment_file;

/// What somebody saw at one place; whoever asks has looked.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Name of the place.
    pub place: String,
    /// Its files of the bank that wait: name, bytes.
    pub waiting: Vec<(String, u64)>,
    /// Files in quarantine: name, reason.
    pub quarantined: Vec<(String, String)>,
    /// Why it could not be looked at, if so.
    pub unreachable: Option<String>,
}

/// The report. With `all`, also payment files that were answered.
///
/// # Errors
/// When the database cannot be read.
pub async fn report(office: &Office, looks: &[Look], all: bool) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let mut last: HashMap<(i64, i64), Delivery> = HashMap::new();
    for delivery in delivery::list(&mut tx, &office.agency_code).await? {
        last.insert((delivery.run_no, delivery.file_no), delivery);
    }
    let mut rows: Vec<Vec<Value>> = Vec::new();
    let mut unanswered = 0;
    for file in payment_file::list(&mut tx, &office.agency_code).await? {
        if file.is_answered() && !all {
            continue;
        }
        unanswered += usize::from(!file.is_answered());
        let last = last.get(&(file.run_no, file.file_no));
        let kind = last.map(Delivery::kind).transpose()?;
        let (at, on, by, note) = match last {
            Some(d) => {
                let at = if d.place.is_empty() { "人工" } else { d.place.as_str() };
                (at.to_string(), d.done_on()?.to_string(), d.done_by.clone(), d.note.clone())
            }
            None => Default::default(),
        };
        rows.push(vec![
            file.name.clone().into(),
            file.file_ref.clone().into(),
            file.bank_code.clone().into(),
            file.row_count.into(),
            Value::Money(Money(file.total_fen)),
            date_from_number(file.pay_date).map_or_else(String::new, |date| date.to_string()).into(),
            state_title(kind, file.is_answered()).into(),
            at.into(),
            on.into(),
            by.into(),
            last.map_or_else(String::new, |d| d.sent_digest.clone()).into(),
            note.into(),
        ]);
    }
    let columns = vec![
        Column::text("name", "支付文件"),
        Column::text("file_ref", "编号"),
        Column::text("bank", "银行"),
        Column::count("rows", "笔数"),
        Column::money("total", "金额"),
        Column::text("pay_date", "支付日期"),
        Column::text("state", "状态"),
        Column::text("place", "地方"),
        Column::text("on", "日期"),
        Column::text("by", "经手人"),
        Column::text("sent_digest", "送出的 sha256"),
        Column::text("note", "说明"),
    ];
    let files = Sheet { name: "支付文件".into(), columns, rows, total: None, notes: Vec::new() };
    let waiting = looks.iter().flat_map(|look| {
        let row = |(name, size): &(String, u64)| -> Vec<Value> {
            vec![look.place.clone().into(), name.clone().into(), i64::try_from(*size).unwrap_or(i64::MAX).into()]
        };
        look.waiting.iter().map(row).collect::<Vec<_>>()
    });
    let waiting = Sheet {
        name: "等着读入".into(),
        columns: vec![Column::text("place", "地方"), Column::text("name", "文件"), Column::count("bytes", "字节")],
        rows: waiting.collect(),
        total: None,
        notes: Vec::new(),
    };
    let quarantined = looks.iter().flat_map(|look| {
        let row = |(name, reason): &(String, String)| -> Vec<Value> {
            vec![look.place.clone().into(), name.clone().into(), reason.clone().into()]
        };
        look.quarantined.iter().map(row).collect::<Vec<_>>()
    });
    let quarantined = Sheet {
        name: "已隔离".into(),
        columns: vec![Column::text("place", "地方"), Column::text("name", "文件"), Column::text("reason", "原因")],
        rows: quarantined.collect(),
        total: None,
        notes: Vec::new(),
    };
    let unreachable = looks.iter().filter_map(|look| Some(format!("{}: {}", look.place, look.unreachable.as_ref()?)));
    let mut notes: Vec<String> = unreachable.collect();
    if !all {
        notes.push("已回盘的支付文件用 --all 列出".into());
    }
    Ok(Report {
        code: "exchange",
        title: format!(
            "交换: {unanswered} 个支付文件没有回盘，{} 个文件等着读入，{} 个已隔离",
            waiting.rows.len(),
            quarantined.rows.len()
        ),
        subtitle: vec![format!("单位: {}    截至 {}", office.agency_name, office.business_date())],
        sheets: vec![files, waiting, quarantined],
        notes,
    })
}
