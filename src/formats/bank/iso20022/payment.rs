//! Writes `pain.001.001.09`. Everything is checked before the first byte.

use crate::domain::text::fold_width;
use crate::formats::bank::neutral::PaymentRow;
use crate::formats::bank::standard::{CannotWrite, Checks, Most, Sheet};
use crate::formats::xml::Writer;

/// Namespace of the message.
const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";

/// Longest identification (`Max35Text`).
const ID: Most = Most::Characters(35);
/// Longest name or remark (`Max140Text`).
const NAME: Most = Most::Characters(140);
/// Longest account (`Max34Text`).
const ACCOUNT: Most = Most::Characters(34);

/// Writes name and bytes of a payment file.
///
/// # Errors
/// All that stands against writing; then no byte is written.
pub fn write_payment_file<T: AsRef<str>>(
    sheet: &Sheet<'_>,
    rows: &[PaymentRow<T>],
) -> Result<(String, Vec<u8>), Vec<CannotWrite>> {
    check(sheet, rows)?;
    let header = sheet.header;
    let (count, sum) = (header.rows.to_string(), header.total.to_string());
    let mut xml = Writer::new("UTF-8");
    xml.open_with("Document", &[("xmlns", NAMESPACE)]);
    xml.open("CstmrCdtTrfInitn");
    xml.open("GrpHdr");
    xml.leaf("MsgId", &header.file_ref);
    // The day alone: issued again, the bytes are the same.
    xml.leaf("CreDtTm", &format!("{}T00:00:00+08:00", header.pay_date));
    xml.leaf("NbOfTxs", &count);
    xml.leaf("CtrlSum", &sum);
    xml.open("InitgPty");
    xml.leaf("Nm", initiating_party(sheet));
    other_id(&mut xml, "OrgId", sheet.setting("unit_no"));
    xml.close();
    xml.close();
    xml.open("PmtInf");
    xml.leaf("PmtInfId", &header.file_ref);
    xml.leaf("PmtMtd", "TRF");
    xml.leaf("NbOfTxs", &count);
    xml.leaf("CtrlSum", &sum);
    payment_type(&mut xml, sheet);
    xml.open("ReqdExctnDt");
    xml.leaf("Dt", &header.pay_date.to_string());
    xml.close();
    xml.open("Dbtr");
    xml.leaf("Nm", sheet.setting("payer_name"));
    xml.close();
    xml.open("DbtrAcct");
    account(&mut xml, sheet.setting("payer_account"));
    xml.leaf("Ccy", "CNY");
    xml.close();
    agent(&mut xml, "DbtrAgt", sheet.setting("payer_bank_no"), sheet.setting("payer_bank"));
    for row in rows {
        transaction(&mut xml, sheet, row);
    }
    Ok((sheet.file_name(), xml.finish().into_bytes()))
}

fn check<T: AsRef<str>>(sheet: &Sheet<'_>, rows: &[PaymentRow<T>]) -> Result<(), Vec<CannotWrite>> {
    let mut checks = Checks::default();
    checks.rows(sheet, rows);
    checks.at("文件的");
    checks.text("文件编号", &sheet.header.file_ref, ID);
    checks.at(format!("银行 {} 设置的", sheet.bank.code));
    checks.text("付款户名 payer_name", sheet.setting("payer_name"), NAME);
    checks.text("付款账号 payer_account", sheet.setting("payer_account"), ACCOUNT);
    checks.if_any("发起方 initiating_party", sheet.setting("initiating_party"), NAME);
    checks.if_any("单位编号 unit_no", sheet.setting("unit_no"), ID);
    checks.if_any("付款开户行 payer_bank", sheet.setting("payer_bank"), NAME);
    checks.if_any("收款行名 name", &sheet.bank.name, NAME);
    checks.text("付款行号 payer_bank_no", sheet.setting("payer_bank_no"), ID);
    for (field, key) in [("付款行号 payer_bank_no", "payer_bank_no"), ("收款行号 bank_no", "bank_no")] {
        let number = sheet.setting(key);
        if !number.is_empty() && !is_bic(number) && !is_member(number) {
            checks.refuse(field, format!("“{number}”，应为 12 位联行号，或 8 位、11 位 BIC"));
        }
    }
    for (field, key) in [("服务级别 service_level", "service_level"), ("业务种类 category_purpose", "category_purpose")]
    {
        let code = sheet.setting(key);
        if code.len() > 4 || !code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            checks.refuse(field, format!("“{code}”，应为不超过 4 位的大写字母或数字，如 GOVT、SSBE"));
        }
    }
    for row in rows {
        checks.at_row(row);
        let holder = row.holder.as_ref();
        checks.text("户名", holder, NAME);
        if holder.len() > sheet.layout.name_bytes {
            let (found, limit) = (holder.len(), sheet.layout.name_bytes);
            checks.refuse("户名", format!("共 {found} 字节，布局最多 {limit} 字节；不能截断，请与银行商定写法"));
        }
        checks.text("账号", row.account.as_ref(), ACCOUNT);
        checks.text("支付明细号", row.payment_ref.as_ref(), ID);
        checks.if_any("摘要", row.remark.as_ref(), NAME);
    }
    checks.done()
}

fn initiating_party<'a>(sheet: &Sheet<'a>) -> &'a str {
    let said = sheet.bank.value("initiating_party").filter(|name| !name.is_empty());
    said.or_else(|| sheet.bank.value("payer_name")).unwrap_or_default()
}

/// Bank, country, place and, of eleven, branch.
fn is_bic(text: &str) -> bool {
    let letters = |range: &str| range.bytes().all(|b| b.is_ascii_uppercase());
    let any = |range: &str| range.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    matches!(text.len(), 8 | 11) && text.is_ascii() && any(&text[..4]) && letters(&text[4..6]) && any(&text[6..])
}

/// The number of a bank in the payment systems of the central bank (联行号).
fn is_member(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn payment_type(xml: &mut Writer, sheet: &Sheet<'_>) {
    let [level, purpose] = ["service_level", "category_purpose"].map(|key| sheet.setting(key));
    if level.is_empty() && purpose.is_empty() {
        return;
    }
    xml.open("PmtTpInf");
    for (element, code) in [("SvcLvl", level), ("CtgyPurp", purpose)] {
        if !code.is_empty() {
            xml.open(element);
            xml.leaf("Cd", code);
            xml.close();
        }
    }
    xml.close();
}

fn other_id(xml: &mut Writer, kind: &'static str, id: &str) {
    if !id.is_empty() {
        xml.open("Id");
        xml.open(kind);
        xml.open("Othr");
        xml.leaf("Id", id);
        xml.close();
        xml.close();
        xml.close();
    }
}

fn account(xml: &mut Writer, number: &str) {
    xml.open("Id");
    xml.open("Othr");
    xml.leaf("Id", number);
    xml.close();
    xml.close();
}

fn agent(xml: &mut Writer, element: &'static str, number: &str, name: &str) {
    if number.is_empty() && name.is_empty() {
        return;
    }
    xml.open(element);
    xml.open("FinInstnId");
    let number = fold_width(number);
    if is_bic(&number) {
        xml.leaf("BICFI", &number);
    } else if !number.is_empty() {
        xml.open("ClrSysMmbId");
        xml.open("ClrSysId");
        xml.leaf("Cd", "CNAPS");
        xml.close();
        xml.leaf("MmbId", &number);
        xml.close();
    }
    if !name.is_empty() {
        xml.leaf("Nm", name);
    }
    xml.close();
    xml.close();
}

fn transaction<T: AsRef<str>>(xml: &mut Writer, sheet: &Sheet<'_>, row: &PaymentRow<T>) {
    xml.open("CdtTrfTxInf");
    xml.open("PmtId");
    xml.leaf("EndToEndId", row.payment_ref.as_ref());
    xml.close();
    xml.open("Amt");
    xml.leaf_with("InstdAmt", &[("Ccy", "CNY")], &row.amount.to_string());
    xml.close();
    agent(xml, "CdtrAgt", sheet.setting("bank_no"), &sheet.bank.name);
    xml.open("Cdtr");
    xml.leaf("Nm", row.holder.as_ref());
    xml.close();
    xml.open("CdtrAcct");
    account(xml, row.account.as_ref());
    xml.close();
    if !row.remark.as_ref().is_empty() {
        xml.open("RmtInf");
        xml.leaf("Ustrd", row.remark.as_ref());
        xml.close();
    }
    xml.close();
}
