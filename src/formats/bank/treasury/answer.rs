//! Reads what comes back: the list of people as a return (8207 回单), and the notice that money came back (2252).
//!
//! A return is compared field by field with the vouchers that were sent and is refused whole where it differs, with
//! both values. Of a person who was paid the amount paid is the amount asked; who was not has 0.00 and a reason.
//! Anything between is neither.

use std::collections::{HashMap, HashSet};

use super::envelope::{Body, open};
use super::{LIST, PAYMENT, REFUND, title};
use crate::domain::bank::Layout;
use crate::domain::money::Money;
use crate::domain::period::{date_from_number, parse_date};
use crate::domain::text::mask_long_numbers;
use crate::formats::bank::layout::matching::Sent;
use crate::formats::bank::neutral::{Answer, AnswerKind, AnswerRow, AnswerStatus, FileHeader};
use crate::formats::bank::standard::{ReadError, Unbelievable, Understood};
use crate::formats::xml::Node;

/// Most details of a voucher.
const MOST_DETAILS: usize = 499;

/// Main fields that a returned list has as they were sent.
const OF_LIST: [&str; 16] = [
    "VouDate",
    "TreCode",
    "OriginalVtCode",
    "OriginalVoucherNo",
    "FundTypeCode",
    "FundTypeName",
    "SumAmt",
    "AgencyCode",
    "PayAcctNo",
    "PayAcctName",
    "PayAcctBankName",
    "PayBankCode",
    "PayBankName",
    "BusinessTypeCode",
    "BusinessTypeName",
    "PayTypeCode",
];

/// Main fields that a returned voucher of direct payment has as they were sent.
const OF_PAYMENT: [&str; 10] = [
    "VouDate",
    "FundTypeCode",
    "PayTypeCode",
    "FileNoCode",
    "AgencyCode",
    "ExpFuncCode",
    "PayAcctNo",
    "PayAcctName",
    "PayBankCode",
    "PayAmt",
];

/// Fields of a detail that come back as they were sent.
const OF_DETAIL: [&str; 4] = ["PayeeAcctNo", "PayeeAcctName", "PayeeAcctBankName", "PayAmt"];

/// A file of vouchers that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// The list of people, and the voucher it belongs to if that is with it.
    List(Body, Option<Box<Body>>),
    /// The notice that money came back.
    Refund(Body),
}

/// Reads a file of vouchers that came back.
///
/// # Errors
/// When it cannot be read, or holds other vouchers.
pub fn read_answer(bytes: &[u8]) -> Result<Returned, ReadError> {
    let (mut list, mut payment, mut refund) = (None, None, None);
    for body in open(bytes)? {
        let place = match (body.code.as_str(), body.is_return) {
            (LIST, true) => &mut list,
            (PAYMENT, true) => &mut payment,
            (REFUND, false) => &mut refund,
            (code, is_return) => {
                let kind = if is_return { "回单" } else { "发送单" };
                let expected = "8207 回单（可带 5201 回单），或 2252 退款通知";
                return Err(ReadError::Other { line: body.line, found: format!("凭证 {code} {kind}"), expected });
            }
        };
        if let Some(second) = place.replace(body) {
            let found = format!("第二张凭证 {}", second.code);
            return Err(ReadError::Other { line: second.line, found, expected: "每种凭证一张" });
        }
    }
    match (list, payment, refund) {
        (Some(list), payment, None) => Ok(Returned::List(list, payment.map(Box::new))),
        (None, None, Some(refund)) => Ok(Returned::Refund(refund)),
        _ => {
            let found = "凭证组合不对".to_string();
            Err(ReadError::Other {
                line: 1, found, expected: "一张 8207 回单（可带 5201 回单），或一张 2252 退款通知"
            })
        }
    }
}

impl Returned {
    /// Which answer it is.
    #[must_use]
    pub fn kind(&self) -> AnswerKind {
        match self {
            Returned::List(..) => AnswerKind::Return,
            Returned::Refund(_) => AnswerKind::LateReturn,
        }
    }

    /// Our reference of the payment file that it answers.
    #[must_use]
    pub fn reference(&self) -> &str {
        match self {
            Returned::List(list, _) => &list.number,
            Returned::Refund(refund) => refund.voucher.text_at("OriBillNo"),
        }
    }

    /// What it says of the payments that were sent. `sent_bytes` are those of the payment file; `stem` and a line make
    /// our reference.
    ///
    /// # Errors
    /// When it differs from what was sent, or contradicts itself: all differences.
    pub fn understood(
        &self,
        layout: &Layout,
        header: &FileHeader,
        stem: &str,
        (sent_bytes, sent): (&[u8], &[Sent]),
    ) -> Result<Understood, Unbelievable> {
        let bodies = open(sent_bytes).map_err(|e| Unbelievable::Differs(vec![format!("报盘文件读不出来: {e}")]))?;
        let of = |code: &str| bodies.iter().find(|body| body.code == code);
        let (Some(payment), Some(list)) = (of(PAYMENT), of(LIST)) else { return Err(Unbelievable::SaysNothing) };
        let mut differs = Vec::new();
        let rows = match self {
            Returned::List(found, with) => {
                same_envelope(found, list, &mut differs);
                same(&found.voucher, &list.voucher, &OF_LIST, &mut differs);
                if let Some(found) = with {
                    same_envelope(found, payment, &mut differs);
                    same(&found.voucher, &payment.voucher, &OF_PAYMENT, &mut differs);
                }
                rows_of_list(found, list, layout, (stem, sent), &mut differs)
            }
            Returned::Refund(found) => {
                refund_is_right(found, list, payment, &mut differs);
                rows_of_refund(found, layout, (stem, sent), &mut differs)
            }
        };
        if !differs.is_empty() {
            return Err(Unbelievable::Differs(differs));
        }
        let is_ours = |row: &AnswerRow| position(&row.payment_ref, stem, sent).is_some();
        if !rows.iter().any(is_ours) {
            return Err(Unbelievable::Foreign);
        }
        Ok(Understood { answer: Answer { kind: self.kind(), header: header.clone(), rows }, doubts: Vec::new() })
    }
}

fn position(reference: &str, stem: &str, sent: &[Sent]) -> Option<usize> {
    let line_no = reference.strip_prefix(stem)?.parse::<i64>().ok()?;
    sent.binary_search_by_key(&line_no, |payment| payment.line_no).ok()
}

fn same_envelope(found: &Body, sent: &Body, differs: &mut Vec<String>) {
    for (element, found_text, sent_text) in [
        ("AdmDivCode", &found.division, &sent.division),
        ("StYear", &found.year, &sent.year),
        ("VoucherNo", &found.number, &sent.number),
    ] {
        if found_text != sent_text {
            differs.push(difference(&found.code, found.line, element, found_text, sent_text));
        }
    }
}

fn difference(what: &str, line: usize, element: &'static str, found: &str, sent: &str) -> String {
    let (found, sent) = (mask_long_numbers(found), mask_long_numbers(sent));
    format!("{what} 第{line}行 {} {element}: 现“{found}”与原“{sent}”不一致", title(element))
}

/// Fields that must come back as they were sent; amounts by what they are worth.
fn same(found: &Node, sent: &Node, elements: &[&'static str], differs: &mut Vec<String>) {
    for element in elements {
        let (found_text, sent_text) = (found.text_at(element), sent.text_at(element));
        let is_amount = matches!(*element, "PayAmt" | "SumAmt");
        let worth = |text: &str| Money::parse_total(text).ok();
        let is_same = found_text == sent_text
            || (is_amount && worth(found_text).is_some() && worth(found_text) == worth(sent_text));
        if !is_same {
            let line = found.at(element).map_or(found.line, |node| node.line);
            let what =
                if found.name == "Detail" { format!("明细 {}", found.text_at("Id")) } else { "凭证".to_string() };
            differs.push(difference(&what, line, element, found_text, sent_text));
        }
    }
}

fn details(voucher: &Node) -> Vec<&Node> {
    voucher.at("DetailList").map(|list| list.children("Detail").collect()).unwrap_or_default()
}

/// Every detail has a number of its own.
fn numbers(found: &[&Node], differs: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for detail in found {
        let id = detail.text_at("Id");
        if id.is_empty() || !seen.insert(id) {
            differs.push(format!(
                "凭证 第{}行 明细编号 Id: “{}”，应不为空、不重复",
                detail.line,
                mask_long_numbers(id)
            ));
        }
    }
}

/// A row with what the list of reasons knows of it. What is not repeated is as it was sent.
fn row(layout: &Layout, detail: &Node, (stem, sent): (&str, &[Sent]), (code, words): (&str, &str)) -> AnswerRow {
    let id = detail.text_at("Id");
    let payment = position(id, stem, sent).map(|at| &sent[at]);
    let or = |text: &str, sent: Option<&String>| match (text, sent) {
        ("", Some(sent)) => sent.clone(),
        (text, _) => text.to_string(),
    };
    let reason_code = match layout.reason_of_text(words) {
        Some(known) if !layout.knows_reason(code) => known.code.clone(),
        _ => code.to_string(),
    };
    AnswerRow {
        row: detail.line,
        line_no: payment.map_or(String::new(), |payment| payment.line_no.to_string()),
        account: or(detail.text_at("PayeeAcctNo"), payment.map(|p| &p.account)),
        holder: or(detail.text_at("PayeeAcctName"), payment.map(|p| &p.holder)),
        amount: Ok(payment.map_or(Money::ZERO, |p| p.amount)),
        status: AnswerStatus::Open,
        reason_code,
        reason_text: words.to_string(),
        bank_ref: detail.text_at("XAgentBusinessNo").to_string(),
        on: parse_date(detail.text_at("XPayDate")),
        payment_ref: id.to_string(),
    }
}

fn rows_of_list(
    found: &Body,
    sent_list: &Body,
    layout: &Layout,
    of_file: (&str, &[Sent]),
    differs: &mut Vec<String>,
) -> Vec<AnswerRow> {
    let (returned, sent_details) = (details(&found.voucher), details(&sent_list.voucher));
    numbers(&returned, differs);
    if returned.len() != sent_details.len() {
        differs.push(format!("凭证 明细条数: 现 {} 条与原 {} 条不一致", returned.len(), sent_details.len()));
    }
    if found.voucher.text_at("XPayDate").is_empty() {
        differs.push("凭证 实际支付日期 XPayDate: 为空，回单必须写明".to_string());
    }
    let by_id: HashMap<&str, &Node> = sent_details.iter().map(|detail| (detail.text_at("Id"), *detail)).collect();
    let (mut rows, mut paid_total) = (Vec::with_capacity(returned.len()), Money::ZERO);
    for detail in returned {
        let id = detail.text_at("Id");
        let Some(original) = by_id.get(id) else {
            differs.push(format!("凭证 第{}行 明细编号“{}”不在原凭证中", detail.line, mask_long_numbers(id)));
            continue;
        };
        same(detail, original, &OF_DETAIL, differs);
        let Ok(paid) = Money::parse(detail.text_at("XPayAmt")) else {
            let text = mask_long_numbers(detail.text_at("XPayAmt"));
            differs
                .push(format!("明细 {id} 第{}行 实际支付金额 XPayAmt: “{text}”，应为 120.00 这样的金额", detail.line));
            continue;
        };
        paid_total += paid;
        let (code, words) = (detail.text_at("XAddWordCode"), detail.text_at("XAddWord"));
        let has_reason = !code.is_empty() || !words.is_empty();
        let mut row = row(layout, detail, of_file, (code, words));
        row.status = match (Ok(paid) == row.amount, paid.is_zero(), has_reason) {
            (true, _, false) => AnswerStatus::Credited,
            (_, true, true) => AnswerStatus::Rejected,
            _ => AnswerStatus::Unknown(format!(
                "实付 {paid}{}",
                if has_reason { format!("，{code} {words}") } else { String::new() }
            )),
        };
        // Where the money really went.
        for (text, element) in [(&mut row.account, "XPayeeAcctNo"), (&mut row.holder, "XPayeeAcctName")] {
            if !detail.text_at(element).is_empty() {
                *text = detail.text_at(element).to_string();
            }
        }
        rows.push(row);
    }
    if Money::parse_total(found.voucher.text_at("XSumAmt")) != Ok(paid_total) {
        let text = found.voucher.text_at("XSumAmt");
        differs.push(format!("凭证 实际支付汇总金额 XSumAmt: “{text}”，按明细应为 {paid_total}"));
    }
    rows
}

/// The notice itself: its number, and that it is about the list that was sent.
fn refund_is_right(found: &Body, list: &Body, payment: &Body, differs: &mut Vec<String>) {
    let digits = found.number.len() == 15 && found.number.bytes().all(|b| b.is_ascii_digit());
    let day = digits.then(|| found.number[3..11].parse().ok().and_then(date_from_number)).flatten();
    if day.is_none() {
        differs.push(format!("退款通知单号“{}”，应为 3 位银行编码、8 位日期、4 位序号", found.number));
    }
    let voucher = &found.voucher;
    for (element, sent) in [
        ("OriBillNo", list.number.as_str()),
        ("OriginalVoucherNo", payment.number.as_str()),
        ("FundTypeCode", list.voucher.text_at("FundTypeCode")),
        ("FundTypeName", list.voucher.text_at("FundTypeName")),
        ("PayTypeCode", list.voucher.text_at("PayTypeCode")),
    ] {
        let text = voucher.text_at(element);
        if text != sent && (element == "OriBillNo" || !text.is_empty()) {
            differs.push(difference("凭证", voucher.line, element, text, sent));
        }
    }
    if found.division != list.division {
        differs.push(difference(REFUND, found.line, "AdmDivCode", &found.division, &list.division));
    }
}

fn rows_of_refund(
    found: &Body,
    layout: &Layout,
    of_file: (&str, &[Sent]),
    differs: &mut Vec<String>,
) -> Vec<AnswerRow> {
    let returned = details(&found.voucher);
    numbers(&returned, differs);
    if returned.is_empty() || returned.len() > MOST_DETAILS {
        differs.push(format!("凭证 明细条数: {} 条，应为 1 至 {MOST_DETAILS} 条", returned.len()));
    }
    let on = parse_date(found.voucher.text_at("PayDate"));
    let (mut rows, mut total) = (Vec::with_capacity(returned.len()), Money::ZERO);
    for detail in returned {
        let (id, words) = (detail.text_at("Id"), detail.text_at("Remark"));
        let text = detail.text_at("PayAmt");
        let amount = match Money::parse(text) {
            Ok(amount) if amount < Money::ZERO => amount,
            _ => {
                let text = mask_long_numbers(text);
                differs.push(format!("明细 {id} 第{}行 退款金额 PayAmt: “{text}”，应为负数，不能为零", detail.line));
                continue;
            }
        };
        if words.is_empty() {
            differs.push(format!("明细 {id} 第{}行 退款原因 Remark: 为空，应写明", detail.line));
        }
        total += amount;
        let mut row = row(layout, detail, of_file, (REFUND, words));
        // A reason that the list knows says more than that money came back.
        if let Some(known) = layout.reason_of_text(words) {
            row.reason_code.clone_from(&known.code);
        }
        row.status = AnswerStatus::Returned;
        row.amount = Ok(-amount);
        row.on = row.on.or(on);
        rows.push(row);
    }
    if Money::parse_total(found.voucher.text_at("PayAmt")) != Ok(total) {
        let text = found.voucher.text_at("PayAmt");
        differs.push(format!("凭证 退款汇总金额 PayAmt: “{text}”，按明细应为 {total}"));
    }
    rows
}
