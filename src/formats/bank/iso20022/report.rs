//! Reads `pain.002`: what became of a payment file, of its payments together and of single ones.
//!
//! Credited is only what the bank calls settled (ACSC) or credited (ACCC); accepted is still open. What is said of
//! all counts for every payment that has no word of its own; a message that says of all one final thing and of
//! one payment the other is refused whole.

use std::collections::HashSet;

use chrono::NaiveDate;

use crate::domain::bank::Layout;
use crate::domain::bank_form::Said;
use crate::domain::money::Money;
use crate::domain::period::parse_date;
use crate::domain::text::mask_long_numbers;
use crate::formats::bank::layout::matching::Sent;
use crate::formats::bank::neutral::{Answer, AnswerKind, AnswerRow, AnswerStatus, FileHeader};
use crate::formats::bank::standard::{Doubt, ReadError, Unbelievable, Understood};
use crate::formats::xml::{Event, Limits, Node, Reader, XmlError, decode};

/// A status with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Line of the file, from 1.
    pub line: usize,
    /// ISO code: `ACSC`.
    pub code: String,
    /// Reason code, or the bank's own.
    pub reason: String,
    /// What is added in words.
    pub words: String,
}

/// What is said of many payments together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Together {
    /// Line of the file, from 1.
    pub line: usize,
    /// `OrgnlMsgId` or `OrgnlPmtInfId`.
    pub id: String,
    /// `OrgnlMsgNmId`.
    pub message: String,
    /// How many were sent.
    pub count: String,
    /// Their sum.
    pub sum: String,
    /// Their status.
    pub status: Option<Status>,
}

/// What is said of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Line of the file, from 1.
    pub line: usize,
    /// Our reference.
    pub reference: String,
    /// Its status.
    pub status: Option<Status>,
    /// Amount, or the text that is none; with a currency if it is not ours.
    pub amount: Option<Result<Money, String>>,
    /// Account.
    pub account: String,
    /// Account holder.
    pub holder: String,
    /// The bank's reference.
    pub bank_ref: String,
    /// Day of the credit.
    pub on: Option<NaiveDate>,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of the message that was sent.
    pub group: Together,
    /// Of its payment informations.
    pub parts: Vec<Together>,
    /// Of single payments.
    pub transactions: Vec<Transaction>,
}

/// True for XML that is a report, by its first two elements.
///
/// # Errors
/// When it cannot be read so far.
pub fn is_report(bytes: &[u8]) -> Result<bool, XmlError> {
    let text = decode(bytes, &Limits::default())?;
    let mut reader = Reader::new(&text);
    let document = reader.root()?;
    while let Some(event) = reader.next()? {
        if let Event::Start(start) = event {
            return Ok(document.name == "Document" && is_root(&start.name));
        }
    }
    Ok(false)
}

fn is_root(name: &str) -> bool {
    // The second one is the word of the first versions.
    matches!(name, "CstmrPmtStsRpt" | "pain.002.001.02")
}

/// Reads a report.
///
/// # Errors
/// When it is none, or something in it cannot be read.
pub fn read_report(bytes: &[u8]) -> Result<Report, ReadError> {
    let text = decode(bytes, &Limits::default())?;
    let mut reader = Reader::new(&text);
    let mut depth_of_report = None;
    let (mut group, mut parts, mut transactions) = (None, Vec::new(), Vec::new());
    while let Some(event) = reader.next()? {
        let Event::Start(start) = event else { continue };
        match start.name.as_str() {
            "Document" if reader.depth() == 1 => {}
            name if reader.depth() <= 2 && depth_of_report.is_none() => {
                if !is_root(name) {
                    let (line, found) = (start.line, name.to_string());
                    return Err(ReadError::Other { line, found, expected: "ISO 20022 支付状态报告 pain.002" });
                }
                depth_of_report = Some(reader.depth());
            }
            "OrgnlGrpInfAndSts" => group = Some(together(&reader.node(start)?, "OrgnlMsgId", "GrpSts")?),
            // Its transactions come one by one.
            "OrgnlPmtInfAndSts" => parts.push(Together { line: start.line, ..Together::default() }),
            "TxInfAndSts" => transactions.push(transaction(&reader.node(start)?)),
            name => {
                let is_of_part = reader.depth() == depth_of_report.unwrap_or_default() + 2;
                let node = reader.node(start.clone())?;
                if let (true, Some(part)) = (is_of_part, parts.last_mut()) {
                    part_says(part, name, &node);
                }
            }
        }
    }
    let group =
        group.ok_or(ReadError::Missing { line: 1, element: "CstmrPmtStsRpt".into(), missing: "OrgnlGrpInfAndSts" })?;
    match parts.iter().find(|part| part.id.is_empty()) {
        Some(part) => {
            let (line, element) = (part.line, "OrgnlPmtInfAndSts".to_string());
            Err(ReadError::Missing { line, element, missing: "OrgnlPmtInfId" })
        }
        None => Ok(Report { group, parts, transactions }),
    }
}

fn together(node: &Node, id: &'static str, status: &str) -> Result<Together, ReadError> {
    if node.text_at(id).is_empty() {
        return Err(ReadError::Missing { line: node.line, element: node.name.clone(), missing: id });
    }
    Ok(Together {
        line: node.line,
        id: node.text_at(id).to_string(),
        message: node.text_at("OrgnlMsgNmId").to_string(),
        count: node.text_at("OrgnlNbOfTxs").to_string(),
        sum: node.text_at("OrgnlCtrlSum").to_string(),
        status: status_of(node, status),
    })
}

/// What a child of a payment information says of it.
fn part_says(part: &mut Together, name: &str, node: &Node) {
    match name {
        "OrgnlPmtInfId" => part.id = node.text().to_string(),
        "OrgnlNbOfTxs" => part.count = node.text().to_string(),
        "OrgnlCtrlSum" => part.sum = node.text().to_string(),
        "PmtInfSts" => {
            part.status = Some(Status { line: node.line, code: node.text().to_string(), ..Status::default() });
        }
        "StsRsnInf" => {
            if let Some(status) = &mut part.status {
                add_reason(status, node);
            }
        }
        _ => {}
    }
}

fn status_of(node: &Node, element: &str) -> Option<Status> {
    let found = node.at(element)?;
    let mut status = Status { line: found.line, code: found.text().to_string(), ..Status::default() };
    node.children("StsRsnInf").for_each(|reason| add_reason(&mut status, reason));
    Some(status)
}

/// The first reason decides; what is said in words is kept whole.
fn add_reason(status: &mut Status, node: &Node) {
    let code = [node.text_at("Rsn/Cd"), node.text_at("Rsn/Prtry"), node.text_at("StsRsn/Cd")];
    if status.reason.is_empty() {
        status.reason = code.into_iter().find(|code| !code.is_empty()).unwrap_or_default().to_string();
    }
    for words in node.children("AddtlInf").map(Node::text).filter(|words| !words.is_empty()) {
        if !status.words.is_empty() {
            status.words.push(' ');
        }
        status.words.push_str(words);
    }
}

fn transaction(node: &Node) -> Transaction {
    let first = |paths: &[&str]| {
        let texts = paths.iter().map(|path| node.text_at(path));
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_string()
    };
    let amount = ["OrgnlTxRef/Amt/InstdAmt", "OrgnlTxRef/IntrBkSttlmAmt"].iter().find_map(|path| node.at(path));
    Transaction {
        line: node.line,
        reference: first(&["OrgnlEndToEndId", "OrgnlInstrId"]),
        status: status_of(node, "TxSts"),
        amount: amount.map(|amount| {
            let currency = amount.attribute("Ccy").unwrap_or("CNY");
            let read = Money::parse(amount.text()).ok().filter(|_| currency == "CNY");
            read.ok_or_else(|| format!("{currency} {}", amount.text()))
        }),
        account: first(&["OrgnlTxRef/CdtrAcct/Id/Othr/Id", "OrgnlTxRef/CdtrAcct/Id/IBAN"]),
        holder: first(&["OrgnlTxRef/Cdtr/Nm", "OrgnlTxRef/Cdtr/Pty/Nm"]),
        bank_ref: first(&["AcctSvcrRef", "ClrSysRef", "StsId"]),
        on: parse_date(&first(&["FctvIntrBkSttlmDt/Dt", "FctvIntrBkSttlmDt", "OrgnlTxRef/IntrBkSttlmDt"])),
    }
}

/// What a status of a payment, or of all, means; none for one that is not known.
fn said(code: &str) -> Option<Said> {
    match code {
        "ACSC" | "ACCC" => Some(Said::Credited),
        "RJCT" => Some(Said::Rejected),
        "ACCP" | "ACSP" | "ACTC" | "ACWC" | "ACFC" | "PDNG" | "RCVD" => Some(Said::Open),
        _ => None,
    }
}

fn answer_status(code: &str) -> AnswerStatus {
    match said(code) {
        Some(Said::Credited) => AnswerStatus::Credited,
        Some(Said::Rejected) => AnswerStatus::Rejected,
        Some(Said::Open) => AnswerStatus::Open,
        Some(Said::Returned) | None => AnswerStatus::Unknown(code.to_string()),
    }
}

impl Report {
    /// What it says of the payments that were sent. `stem` and a line make our reference.
    ///
    /// # Errors
    /// When it is to something else, contradicts itself, or says nothing of the payments.
    pub fn understood(
        &self,
        layout: &Layout,
        header: &FileHeader,
        stem: &str,
        sent: &[Sent],
    ) -> Result<Understood, Unbelievable> {
        let mut differs = Vec::new();
        if !self.group.message.is_empty() && !self.group.message.starts_with("pain.001") {
            differs.push(format!("第{}行 原报文 OrgnlMsgNmId: {}，应为 pain.001", self.group.line, self.group.message));
        }
        let of_group = ("原报文号 OrgnlMsgId", "OrgnlNbOfTxs", "OrgnlCtrlSum", &self.group);
        let of_parts = self.parts.iter().map(|p| ("原支付组号 OrgnlPmtInfId", "OrgnlNbOfTxs", "OrgnlCtrlSum", p));
        for (id, count, sum, together) in std::iter::once(of_group).chain(of_parts) {
            let mut compare = |field: &str, found: &str, is_same: bool, expected: String| {
                if !is_same {
                    differs.push(format!("第{}行 {field}: {found}，应为 {expected}", together.line));
                }
            };
            compare(id, &together.id, together.id == header.file_ref, header.file_ref.clone());
            let read = together.count.parse() == Ok(header.rows);
            compare(
                &format!("总笔数 {count}"),
                &together.count,
                together.count.is_empty() || read,
                header.rows.to_string(),
            );
            let read = Money::parse_total(&together.sum) == Ok(header.total);
            compare(&format!("总金额 {sum}"), &together.sum, together.sum.is_empty() || read, header.total.to_string());
        }
        let of_all = self.of_all(&mut differs);
        if !differs.is_empty() {
            return Err(Unbelievable::Differs(differs));
        }
        if of_all.is_none() && self.transactions.is_empty() {
            return Err(Unbelievable::SaysNothing);
        }
        let mut rows: Vec<AnswerRow> =
            self.transactions.iter().map(|told| row(layout, told, of_all.as_ref(), stem, sent)).collect();
        let named: HashSet<String> = rows.iter().map(|row| row.payment_ref.clone()).collect();
        let mut doubts = Vec::new();
        match of_all {
            Some(status) => {
                let of_known = said(&status.code).is_some();
                if !of_known {
                    let known = layout.known_statuses();
                    let message = format!(
                        "第{}行: 整批状态“{}”不认识，应为 {known} 或 PART，按未决处理",
                        status.line, status.code
                    );
                    doubts.push(Doubt { code: "RETURN_STATUS_UNKNOWN", message });
                }
                let others = sent.iter().filter(|payment| !named.contains(&format!("{stem}{}", payment.line_no)));
                rows.extend(others.map(|payment| {
                    let mut row = row_of(layout, Some(&status), payment, stem);
                    if !of_known {
                        row.status = AnswerStatus::Open;
                    }
                    row
                }));
            }
            None if !sent.iter().any(|payment| named.contains(&format!("{stem}{}", payment.line_no))) => {
                return Err(Unbelievable::Foreign);
            }
            None => {}
        }
        Ok(Understood { answer: Answer { kind: AnswerKind::Return, header: header.clone(), rows }, doubts })
    }

    /// The status that counts for every payment without one of its own, after all contradictions were told.
    fn of_all(&self, differs: &mut Vec<String>) -> Option<Status> {
        let whole = |together: &Together| together.status.clone().filter(|status| status.code != "PART");
        let group = whole(&self.group);
        // A bank may tell of one payment information in several pieces.
        let mut of_parts = self.parts.iter().filter_map(whole);
        let part = of_parts.next();
        let is_final = |code: &str| matches!(said(code), Some(Said::Credited | Said::Rejected));
        let mut contradicts = |one: &Status, other: &Status| {
            if is_final(&one.code) && said(&other.code).is_some_and(|it| Some(it) != said(&one.code)) {
                let (first, second) = (one.line, other.line);
                differs.push(format!("第{first}行整批状态是 {}，第{second}行又是 {}，互相矛盾", one.code, other.code));
            }
        };
        if let Some(part) = &part {
            group.iter().cloned().chain(of_parts).for_each(|other| contradicts(&other, part));
        }
        let of_all = part.or(group)?;
        let differs_from_all = |status: &&Status| said(&status.code).is_some_and(|it| Some(it) != said(&of_all.code));
        // One is enough: the file is refused.
        let other = self.transactions.iter().filter_map(|told| told.status.as_ref()).find(differs_from_all);
        if let Some(other) = other {
            contradicts(&of_all, other);
        }
        Some(of_all)
    }
}

/// A row about a payment, as far as the status says it.
fn row_of(layout: &Layout, status: Option<&Status>, payment: &Sent, stem: &str) -> AnswerRow {
    let Status { line, code, reason, words } = status.cloned().unwrap_or_default();
    let reason_code = match layout.reason_of_text(&words) {
        Some(known) if !layout.knows_reason(&reason) => known.code.clone(),
        _ => reason,
    };
    let of_code = layout.reasons.iter().find(|known| known.code == reason_code).map(|known| known.text.clone());
    let status = answer_status(&code);
    AnswerRow {
        row: line,
        line_no: payment.line_no.to_string(),
        account: payment.account.clone(),
        holder: payment.holder.clone(),
        amount: Ok(payment.amount),
        reason_text: if words.is_empty() { of_code.unwrap_or_default() } else { words },
        reason_code,
        status,
        bank_ref: String::new(),
        on: None,
        payment_ref: format!("{stem}{}", payment.line_no),
    }
}

/// A row about a payment that has a word of its own. What the bank does not repeat is as it was sent.
fn row(layout: &Layout, told: &Transaction, of_all: Option<&Status>, stem: &str, sent: &[Sent]) -> AnswerRow {
    let line_no = told.reference.strip_prefix(stem).and_then(|line| line.parse::<i64>().ok());
    let at = line_no.and_then(|line_no| sent.binary_search_by_key(&line_no, |payment| payment.line_no).ok());
    let nobody = Sent { line_no: 0, account: String::new(), holder: String::new(), amount: Money::ZERO };
    let payment = at.map_or(&nobody, |at| &sent[at]);
    let mut row = row_of(layout, told.status.as_ref().or(of_all), payment, stem);
    row.row = told.line;
    row.payment_ref = if told.reference.is_empty() {
        "（没有 OrgnlEndToEndId）".to_string()
    } else {
        mask_long_numbers(&told.reference)
    };
    if at.is_some() {
        row.payment_ref.clone_from(&told.reference);
    }
    if let Some(amount) = &told.amount {
        row.amount.clone_from(amount);
    }
    for (text, found) in [(&mut row.account, &told.account), (&mut row.holder, &told.holder)] {
        if !found.is_empty() {
            text.clone_from(found);
        }
    }
    row.bank_ref.clone_from(&told.bank_ref);
    row.on = told.on;
    row
}
