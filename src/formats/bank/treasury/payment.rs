//! Writes the voucher of direct payment (5201) with its list of people (8207). Everything is checked before the
//! first byte; lengths are bytes of GBK.

use super::envelope::{Voucher, wrap};
use super::{LIST, PAYMENT, title};
use crate::domain::appropriation::Appropriation;
use crate::domain::period::date_number;
use crate::formats::bank::neutral::PaymentRow;
use crate::formats::bank::standard::{CannotWrite, Checks, Most, Sheet};
use crate::formats::xml::Writer;

/// Longest code, number or account.
const CODE: usize = 42;
/// Longest name of a kind or a bank: 30 characters.
const NAME: usize = 60;
/// Longest name of a unit, a person or a project: 60 characters.
const LONG_NAME: usize = 120;
/// Longest remark.
const REMARK: usize = 200;

/// An element with its text and the most bytes that it may have.
type Field = (&'static str, String, usize);

/// Writes name and bytes of a payment file: both vouchers, drawn on one appropriation.
///
/// # Errors
/// All that stands against writing; then no byte is written.
pub fn write_payment_file<T: AsRef<str>>(
    sheet: &Sheet<'_>,
    appropriation: &Appropriation,
    rows: &[PaymentRow<T>],
) -> Result<(String, Vec<u8>), Vec<CannotWrite>> {
    let remark = rows.first().map(|row| row.remark.as_ref().to_string()).unwrap_or_default();
    let direct = direct_payment(sheet, appropriation, &remark);
    let budget = budget_line(sheet, appropriation);
    let list = list(sheet, appropriation);
    check(sheet, &[&direct, &list].map(Vec::as_slice), rows)?;
    let one = |code, write: &dyn Fn(&mut Writer)| {
        let mut xml = Writer::new("GBK");
        xml.open("Voucher");
        write(&mut xml);
        let (division, year) = (division(sheet), year(sheet));
        Voucher { division, year, code, number: sheet.header.file_ref.clone(), flag: "0", text: xml.finish() }
    };
    let vouchers = [
        one(PAYMENT, &|xml| {
            write_fields(xml, &direct);
            xml.open("DetailList");
            xml.open("Detail");
            write_fields(xml, &budget);
            xml.close();
            xml.close();
        }),
        one(LIST, &|xml| {
            write_fields(xml, &list);
            xml.open("DetailList");
            for row in rows {
                xml.open("Detail");
                write_fields(xml, &detail(sheet, appropriation, row));
                xml.close();
            }
            xml.close();
        }),
    ];
    match wrap(&vouchers) {
        Ok(bytes) => Ok((sheet.file_name(), bytes)),
        Err(unmappable) => {
            let mut checks = Checks::default();
            checks.at("文件的");
            checks.refuse("凭证", unmappable.to_string());
            checks.done().map(|()| (String::new(), Vec::new()))
        }
    }
}

fn write_fields(xml: &mut Writer, fields: &[Field]) {
    for (element, text, _) in fields {
        xml.leaf(element, text);
    }
}

fn check<T: AsRef<str>>(
    sheet: &Sheet<'_>,
    vouchers: &[&[Field]],
    rows: &[PaymentRow<T>],
) -> Result<(), Vec<CannotWrite>> {
    let mut checks = Checks::default();
    checks.rows(sheet, rows);
    checks.at("凭证的");
    for (element, text, most) in vouchers.iter().copied().flatten() {
        checks.if_any(title(element), text, Most::Gbk(*most));
    }
    let division = division(sheet);
    if division.is_empty() || !division.bytes().all(|b| b.is_ascii_digit()) {
        checks.refuse(title("AdmDivCode"), format!("“{division}”，应为数字；请在银行设置的 voucher 里写明 AdmDivCode"));
    }
    for row in rows {
        checks.at_row(row);
        checks.text(title("PayeeAcctName"), row.holder.as_ref(), Most::Gbk(sheet.layout.name_bytes.min(LONG_NAME)));
        checks.text(title("PayeeAcctNo"), row.account.as_ref(), Most::Gbk(CODE));
        checks.text("明细编号", row.payment_ref.as_ref(), Most::Gbk(CODE));
        checks.if_any("摘要", row.remark.as_ref(), Most::Gbk(REMARK));
    }
    checks.done()
}

fn division(sheet: &Sheet<'_>) -> String {
    match sheet.setting("AdmDivCode") {
        "" => sheet.header.agency_code.chars().take(6).collect(),
        said => said.to_string(),
    }
}

fn year(sheet: &Sheet<'_>) -> String {
    (date_number(sheet.header.pay_date) / 10_000).to_string()
}

/// What both vouchers begin with.
fn head(sheet: &Sheet<'_>, code: &str) -> Vec<Field> {
    vec![
        ("Id", sheet.header.file_ref.clone(), CODE),
        ("AdmDivCode", division(sheet), CODE),
        ("StYear", year(sheet), 4),
        ("VtCode", code.to_string(), 4),
        ("VouDate", format!("{:08}", date_number(sheet.header.pay_date)), 8),
        ("VoucherNo", sheet.header.file_ref.clone(), CODE),
    ]
}

/// Elements that the office says of the bank, as they are.
fn said(sheet: &Sheet<'_>, elements: &[(&'static str, usize)]) -> Vec<Field> {
    elements.iter().map(|(element, most)| (*element, sheet.setting(element).to_string(), *most)).collect()
}

fn payer(sheet: &Sheet<'_>) -> Vec<Field> {
    vec![
        ("PayAcctNo", sheet.setting("payer_account").to_string(), CODE),
        ("PayAcctName", sheet.setting("payer_name").to_string(), LONG_NAME),
        ("PayAcctBankName", sheet.setting("payer_bank").to_string(), NAME),
    ]
}

fn kinds() -> [Field; 4] {
    [
        ("PayTypeCode", "11".to_string(), CODE),
        ("PayTypeName", "财政直接支付".to_string(), NAME),
        ("BusinessTypeCode", "4".to_string(), CODE),
        ("BusinessTypeName", "批量".to_string(), NAME),
    ]
}

fn blank(elements: &[&'static str]) -> Vec<Field> {
    elements.iter().map(|element| (*element, String::new(), 0)).collect()
}

/// What an appropriation says of the budget: the same in the voucher and in its one detail.
fn budget(sheet: &Sheet<'_>, appropriation: &Appropriation) -> Vec<Field> {
    let mut fields =
        said(sheet, &[("FundTypeCode", CODE), ("FundTypeName", NAME), ("BgtTypeCode", CODE), ("BgtTypeName", NAME)]);
    fields.push(("FileNoCode", appropriation.document.clone(), LONG_NAME));
    fields.push(("FileNoName", appropriation.document.clone(), LONG_NAME));
    fields.extend(said(
        sheet,
        &[("SupDepCode", CODE), ("SupDepName", LONG_NAME), ("AgencyCode", CODE), ("AgencyName", LONG_NAME)],
    ));
    fields.push(("ExpFuncCode", appropriation.function_code.clone(), CODE));
    fields.extend(said(sheet, &[("ExpFuncName", NAME)]));
    fields.push(("ExpEcoCode", appropriation.economic_code.clone(), CODE));
    fields.extend(said(sheet, &[("ExpEcoName", NAME), ("DepProCode", CODE)]));
    fields.push(("DepProName", appropriation.project.clone(), LONG_NAME));
    fields
}

fn direct_payment(sheet: &Sheet<'_>, appropriation: &Appropriation, remark: &str) -> Vec<Field> {
    let mut fields = head(sheet, PAYMENT);
    fields.extend(said(sheet, &[("TreCode", CODE), ("FinOrgCode", CODE)]));
    fields.extend(kinds());
    fields.extend(budget(sheet, appropriation));
    fields.extend(said(
        sheet,
        &[("SetModeCode", CODE), ("SetModeName", NAME), ("PayBankCode", CODE), ("PayBankName", NAME)],
    ));
    fields.extend(said(sheet, &[("ClearBankCode", CODE), ("ClearBankName", NAME)]));
    fields.extend(blank(&["PayeeAcctNo", "PayeeAcctName", "PayeeAcctBankName"]));
    fields.extend(payer(sheet));
    fields.extend(said(sheet, &[("PaySummaryCode", CODE)]));
    fields.push(("PaySummaryName", remark.to_string(), REMARK));
    fields.push(("PayAmt", sheet.header.total.to_string(), CODE));
    fields.extend(blank(&["XPayDate", "XAgentBusinessNo", "XCheckNo", "XPayAmt"]));
    fields.extend(blank(&["XPayeeAcctBankName", "XPayeeAcctNo", "XPayeeAcctName"]));
    fields
}

fn budget_line(sheet: &Sheet<'_>, appropriation: &Appropriation) -> Vec<Field> {
    let mut fields = vec![
        ("Id", format!("{}-1", sheet.header.file_ref), CODE),
        ("VoucherBillId", sheet.header.file_ref.clone(), CODE),
        ("VoucherBillNo", sheet.header.file_ref.clone(), CODE),
    ];
    fields.extend(budget(sheet, appropriation));
    fields.push(("PayAmt", sheet.header.total.to_string(), CODE));
    fields
}

fn list(sheet: &Sheet<'_>, appropriation: &Appropriation) -> Vec<Field> {
    let mut fields = head(sheet, LIST);
    fields.extend(said(sheet, &[("TreCode", CODE), ("FinOrgCode", CODE)]));
    fields.push(("OriginalVtCode", PAYMENT.to_string(), 4));
    fields.push(("OriginalVoucherNo", sheet.header.file_ref.clone(), CODE));
    fields.extend(said(sheet, &[("FundTypeCode", CODE), ("FundTypeName", NAME)]));
    fields.push(("SumAmt", sheet.header.total.to_string(), CODE));
    fields.extend(said(sheet, &[("AgencyCode", CODE), ("AgencyName", LONG_NAME)]));
    fields.extend(payer(sheet));
    fields.extend(said(sheet, &[("PayBankCode", CODE), ("PayBankName", NAME)]));
    fields.extend(kinds());
    fields.push(("ExpFuncCode", appropriation.function_code.clone(), CODE));
    fields.extend(blank(&["XPayDate", "XSumAmt"]));
    fields
}

fn detail<T: AsRef<str>>(sheet: &Sheet<'_>, appropriation: &Appropriation, row: &PaymentRow<T>) -> Vec<Field> {
    let mut fields = vec![
        ("Id", row.payment_ref.as_ref().to_string(), CODE),
        ("OriVoucherNo", sheet.header.file_ref.clone(), CODE),
        ("PayeeAcctNo", row.account.as_ref().to_string(), CODE),
        ("PayeeAcctName", row.holder.as_ref().to_string(), LONG_NAME),
        ("PayeeAcctBankName", sheet.bank.name.clone(), NAME),
        ("PayAmt", row.amount.to_string(), CODE),
        ("Remark", row.remark.as_ref().to_string(), REMARK),
        ("ExpFuncCode", appropriation.function_code.clone(), CODE),
    ];
    fields.extend(blank(&["XPayDate", "XAgentBusinessNo", "XPayAmt", "XPayeeAcctBankName", "XPayeeAcctNo"]));
    fields.extend(blank(&["XPayeeAcctName", "XAddWordCode", "XAddWord"]));
    fields
}
