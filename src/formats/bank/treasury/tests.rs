//! Vouchers to the byte, and every refusal that the receiving systems of the treasury know, by name.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::answer::{Returned, read_answer};
use super::envelope::{Voucher, kind_of, open, shown, wrap};
use super::payment::write_payment_file;
use crate::domain::appropriation::Appropriation;
use crate::domain::bank::{Bank, BankBook, Layout};
use crate::domain::money::Money;
use crate::domain::scheme::{Expenditure, Source};
use crate::formats::bank::book::{add, built_in, check_whole};
use crate::formats::bank::layout::matching::Sent;
use crate::formats::bank::neutral::{AnswerKind, AnswerStatus, FileHeader, PaymentRow};
use crate::formats::bank::standard::{CannotWrite, Sheet, Unbelievable, Understood};
use crate::formats::charset::{self, Charset};

const STEM: &str = "652827-202601-1-";
const REF: &str = "652827-202601-1-RCC-1";

const ENTRY: &str = "[[bank]]\ncode = \"RCC\"\nlayout = \"treasury\"\npayer_account = \"3000000000000000018\"\n\
    payer_name = \"和静县财政局零余额账户\"\npayer_bank = \"和静农信社\"\n[bank.voucher]\nTreCode = \"2600000000\"\n\
    FundTypeCode = \"1\"\nFundTypeName = \"公共财政预算资金\"\nPayBankCode = \"402000000001\"\nPayBankName = \"和静农信社\"\n\
    AgencyCode = \"101001\"\nAgencyName = \"和静县社会保险中心\"\n";

fn book(more: &str) -> BankBook {
    let mut book = built_in().unwrap();
    add(&mut book, &format!("{ENTRY}{more}")).unwrap();
    check_whole(&book).unwrap();
    book
}

/// The bank and its layout with these settings more; without any they are read once.
fn parts(more: &str) -> (Bank, Layout) {
    static PLAIN: LazyLock<(Bank, Layout)> = LazyLock::new(|| of(&book("")));
    fn of(book: &BankBook) -> (Bank, Layout) {
        (book.bank("RCC").unwrap().clone(), book.layout("treasury").unwrap().clone())
    }
    if more.is_empty() { PLAIN.clone() } else { of(&book(more)) }
}

fn appropriation() -> Appropriation {
    Appropriation {
        no: 1,
        year: 2026,
        document: "巴财社〔2025〕98号".into(),
        scheme_code: "pochan1995".into(),
        project: "生活补贴".into(),
        function_code: "2080601".into(),
        economic_code: "30305".into(),
        source: Source::Superior,
        expenditure: Expenditure::Project,
        appropriated: Money::ZERO,
        available: Money::ZERO,
        reserved: Money::ZERO,
        paid: Money::ZERO,
    }
}

fn payment(line_no: i64, holder: &str, fen: i64) -> PaymentRow {
    PaymentRow {
        line_no,
        account: format!("62990000000000{line_no:05}"),
        holder: holder.into(),
        amount: Money(fen),
        citizen_number: "652827194001010012".into(),
        remark: "补贴2026-01".into(),
        payment_ref: format!("{STEM}{line_no}"),
    }
}

fn header(rows: &[PaymentRow]) -> FileHeader {
    FileHeader {
        file_ref: REF.into(),
        agency_code: "652827".into(),
        scheme_code: "pochan1995".into(),
        periods: "2026-01".parse().unwrap(),
        pay_date: chrono::NaiveDate::from_ymd_opt(2026, 1, 15).unwrap(),
        rows: rows.len(),
        total: rows.iter().map(|row| row.amount).sum(),
        part: 1,
        parts: 1,
    }
}

fn written(more: &str, rows: &[PaymentRow]) -> Result<Vec<u8>, Vec<CannotWrite>> {
    let (bank, layout) = parts(more);
    let header = header(rows);
    let sheet = Sheet { header: &header, bank: &bank, layout: &layout };
    write_payment_file(&sheet, &appropriation(), rows).map(|(name, bytes)| {
        assert_eq!(name, "652827-202601-1-RCC-1of1.xml");
        bytes
    })
}

fn two() -> Vec<PaymentRow> {
    vec![payment(1, "王建国", 12_000), payment(2, "阿依古丽·买买提", 24_050)]
}

fn sent() -> Vec<Sent> {
    let sent = |row: &PaymentRow| Sent {
        line_no: row.line_no,
        account: row.account.clone(),
        holder: row.holder.clone(),
        amount: row.amount,
    };
    two().iter().map(sent).collect()
}

fn gbk(text: &str) -> Vec<u8> {
    charset::encode_gbk(text).unwrap()
}

/// `<Name>text</Name>` on lines of their own.
fn lines(depth: usize, fields: &[(&str, &str)]) -> String {
    let line = |(name, text): &(&str, &str)| format!("{}<{name}>{text}</{name}>\n", "  ".repeat(depth));
    fields.iter().map(line).collect::<Vec<_>>().concat()
}

#[test]
#[expect(clippy::too_many_lines, reason = "the file, line by line")]
fn a_file_of_both_vouchers_to_the_byte() {
    let direct = lines(
        1,
        &[
            ("Id", REF),
            ("AdmDivCode", "652827"),
            ("StYear", "2026"),
            ("VtCode", "5201"),
            ("VouDate", "20260115"),
            ("VoucherNo", REF),
            ("TreCode", "2600000000"),
            ("FinOrgCode", ""),
            ("PayTypeCode", "11"),
            ("PayTypeName", "财政直接支付"),
            ("BusinessTypeCode", "4"),
            ("BusinessTypeName", "批量"),
        ],
    );
    let budget = [
        ("FundTypeCode", "1"),
        ("FundTypeName", "公共财政预算资金"),
        ("BgtTypeCode", ""),
        ("BgtTypeName", ""),
        ("FileNoCode", "巴财社〔2025〕98号"),
        ("FileNoName", "巴财社〔2025〕98号"),
        ("SupDepCode", ""),
        ("SupDepName", ""),
        ("AgencyCode", "101001"),
        ("AgencyName", "和静县社会保险中心"),
        ("ExpFuncCode", "2080601"),
        ("ExpFuncName", "企业关闭破产补助"),
        ("ExpEcoCode", "30305"),
        ("ExpEcoName", ""),
        ("DepProCode", ""),
        ("DepProName", "生活补贴"),
    ];
    let rest = lines(
        1,
        &[
            ("SetModeCode", ""),
            ("SetModeName", ""),
            ("PayBankCode", "402000000001"),
            ("PayBankName", "和静农信社"),
            ("ClearBankCode", ""),
            ("ClearBankName", ""),
            ("PayeeAcctNo", ""),
            ("PayeeAcctName", ""),
            ("PayeeAcctBankName", ""),
            ("PayAcctNo", "3000000000000000018"),
            ("PayAcctName", "和静县财政局零余额账户"),
            ("PayAcctBankName", "和静农信社"),
            ("PaySummaryCode", ""),
            ("PaySummaryName", "补贴2026-01"),
            ("PayAmt", "360.50"),
            ("XPayDate", ""),
            ("XAgentBusinessNo", ""),
            ("XCheckNo", ""),
            ("XPayAmt", ""),
            ("XPayeeAcctBankName", ""),
            ("XPayeeAcctNo", ""),
            ("XPayeeAcctName", ""),
        ],
    );
    let own = lines(3, &[("Id", "652827-202601-1-RCC-1-1"), ("VoucherBillId", REF), ("VoucherBillNo", REF)]);
    let start = "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<Voucher>\n";
    let first = format!(
        "{start}{direct}{}{rest}  <DetailList>\n    <Detail>\n{own}{}{}    </Detail>\n  </DetailList>\n</Voucher>\n",
        lines(1, &budget),
        lines(3, &budget),
        lines(3, &[("PayAmt", "360.50")]),
    );
    let list = lines(
        1,
        &[
            ("Id", REF),
            ("AdmDivCode", "652827"),
            ("StYear", "2026"),
            ("VtCode", "8207"),
            ("VouDate", "20260115"),
            ("VoucherNo", REF),
            ("TreCode", "2600000000"),
            ("FinOrgCode", ""),
            ("OriginalVtCode", "5201"),
            ("OriginalVoucherNo", REF),
            ("FundTypeCode", "1"),
            ("FundTypeName", "公共财政预算资金"),
            ("SumAmt", "360.50"),
            ("AgencyCode", "101001"),
            ("AgencyName", "和静县社会保险中心"),
            ("PayAcctNo", "3000000000000000018"),
            ("PayAcctName", "和静县财政局零余额账户"),
            ("PayAcctBankName", "和静农信社"),
            ("PayBankCode", "402000000001"),
            ("PayBankName", "和静农信社"),
            ("PayTypeCode", "11"),
            ("PayTypeName", "财政直接支付"),
            ("BusinessTypeCode", "4"),
            ("BusinessTypeName", "批量"),
            ("ExpFuncCode", "2080601"),
            ("XPayDate", ""),
            ("XSumAmt", ""),
        ],
    );
    let detail = |no: usize, account: &str, holder: &str, amount: &str| {
        let id = format!("{STEM}{no}");
        let fields = [
            ("Id", id.as_str()),
            ("OriVoucherNo", REF),
            ("PayeeAcctNo", account),
            ("PayeeAcctName", holder),
            ("PayeeAcctBankName", "和静县农村信用合作联社"),
            ("PayAmt", amount),
            ("Remark", "补贴2026-01"),
            ("ExpFuncCode", "2080601"),
            ("XPayDate", ""),
            ("XAgentBusinessNo", ""),
            ("XPayAmt", ""),
            ("XPayeeAcctBankName", ""),
            ("XPayeeAcctNo", ""),
            ("XPayeeAcctName", ""),
            ("XAddWordCode", ""),
            ("XAddWord", ""),
        ];
        format!("    <Detail>\n{}    </Detail>\n", lines(3, &fields))
    };
    let second = format!(
        "{start}{list}  <DetailList>\n{}{}  </DetailList>\n</Voucher>\n",
        detail(1, "6299000000000000001", "王建国", "120.00"),
        detail(2, "6299000000000000002", "阿依古丽·买买提", "240.50"),
    );
    let body = |code: &str, voucher: &str| {
        format!(
            "  <VoucherBody AdmDivCode=\"652827\" StYear=\"2026\" VtCode=\"{code}\" VoucherNo=\"{REF}\">\n    <Attach></Attach>\n\
             \x20   <VoucherFlag>0</VoucherFlag>\n    <Voucher>{}</Voucher>\n  </VoucherBody>\n",
            STANDARD.encode(gbk(voucher))
        )
    };
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<MOF>\n  <VoucherCount>2</VoucherCount>\n{}{}</MOF>\n",
        body("5201", &first),
        body("8207", &second)
    );
    let bytes = written("ExpFuncName = \"企业关闭破产补助\"\n", &two()).unwrap();
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    let seen = shown(&bytes);
    assert!(
        seen.contains("<PayeeAcctName>阿依古丽·买买提</PayeeAcctName>") && seen.contains("<VoucherFlag>0"),
        "{seen}"
    );
}

#[test]
fn what_the_vouchers_cannot_hold_is_refused_before_the_first_byte() {
    let refused = |more: &str, change: &dyn Fn(&mut Vec<PaymentRow>), words: &str| {
        let mut rows = two();
        change(&mut rows);
        let told: Vec<String> = written(more, &rows).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|problem| problem.contains(words)), "{words}: {told:?}");
        assert!(
            !told.iter().any(|problem| problem.contains("6299000000000000") || problem.contains("建国")),
            "{told:?}"
        );
    };
    refused(
        "",
        &|rows| rows[0].holder = "王".repeat(61),
        "明细第 1 行（王***王）收款人名称: 共 122 字节，最多 120 字节",
    );
    refused("", &|rows| rows[0].holder = "李𬭎".into(), "收款人名称: 含有“𬭎”(U+2CB4E)，GBK 无法表示");
    refused("", &|rows| rows[0].holder = "王\t".into(), "控制字符 U+0009");
    refused("", &|rows| rows[0].account = "1".repeat(43), "收款人账号: 共 43 字节，最多 42 字节");
    refused("", &|rows| rows[0].remark = "补".repeat(101), "用途: 共 202 字节，最多 200 字节");
    refused("", &|rows| rows[1].payment_ref = format!("{STEM}1"), "同一笔支付不能报两次");
    refused("", &|rows| rows[1].amount = Money(0), "应大于 0");
    refused("", &Vec::clear, "0 笔，应为 1 至 499 笔");
    refused("", &|rows| *rows = (1..=500).map(|no| payment(no, "王", 1)).collect(), "500 笔，应为 1 至 499 笔");
    refused(&format!("SetModeName = \"{}\"\n", "转".repeat(31)), &|_| {}, "SetModeName: 共 62 字节，最多 60 字节");
    refused("AdmDivCode = \"和静\"\n", &|_| {}, "行政区划: “和静”，应为数字");
    let mut book = built_in().unwrap();
    let error = add(&mut book, &format!("{ENTRY}TreNo = \"1\"\n")).unwrap_err();
    assert!(error.to_string().contains("TreNo: 没有这一项，可用: TreCode"), "{error}");
    add(&mut book, &ENTRY.replace("TreCode = \"2600000000\"\n", "")).unwrap();
    assert!(check_whole(&book).unwrap_err().to_string().contains("还应写明 TreCode"));
}

/// The vouchers that were sent, with this flag and after these changes to the text of the one with this code.
fn returned(flag: &str, code: &str, changes: &[(&str, &str)]) -> Vec<u8> {
    let text = String::from_utf8(written("", &two()).unwrap()).unwrap();
    let unpacked = |line: &str| {
        let packed = line.trim().strip_prefix("<Voucher>").unwrap().strip_suffix("</Voucher>").unwrap();
        charset::decode(&STANDARD.decode(packed).unwrap(), Some(Charset::Gb18030)).unwrap().0
    };
    let inner: Vec<String> = text.lines().filter(|line| line.contains("<Voucher>")).map(unpacked).collect();
    let vouchers =
        [("5201", &inner[0]), ("8207", &inner[1])].into_iter().filter(|(one, _)| code.is_empty() || *one == code);
    let voucher = |(code, text): (&'static str, &String)| {
        let mut text = text.clone();
        for (from, to) in changes {
            assert!(code != "8207" || text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let flag = if flag == "1" { "1" } else { "0" };
        Voucher { division: "652827".into(), year: "2026".into(), code, number: REF.into(), flag, text }
    };
    wrap(&vouchers.map(voucher).collect::<Vec<_>>()).unwrap()
}

/// Changes that make a return of the list: one paid, one with this amount and reason.
fn paid(second: &'static str, total: &'static str, reason: &'static str) -> Vec<(&'static str, String)> {
    let blank = "<XPayDate></XPayDate>\n      <XAgentBusinessNo></XAgentBusinessNo>\n      <XPayAmt></XPayAmt>";
    let told = |amount: &str| {
        format!(
            "<XPayDate>20260116</XPayDate>\n      <XAgentBusinessNo>B7</XAgentBusinessNo>\n      <XPayAmt>{amount}</XPayAmt>"
        )
    };
    let mut changes = vec![
        (
            "<XPayDate></XPayDate>\n  <XSumAmt></XSumAmt>",
            format!("<XPayDate>20260116</XPayDate>\n  <XSumAmt>{total}</XSumAmt>"),
        ),
        (blank, told("120.00")),
        (blank, told(second)),
    ];
    if !reason.is_empty() {
        // Of the second detail, which is the last.
        changes.push((
            "<XAddWord></XAddWord>\n    </Detail>\n  </DetailList>",
            format!("{reason}\n    </Detail>\n  </DetailList>"),
        ));
    }
    changes
}

fn changed(changes: &[(&'static str, String)]) -> Vec<u8> {
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (*from, to.as_str())).collect();
    returned("1", "8207", &changes)
}

fn understood(bytes: &[u8]) -> Result<Understood, Unbelievable> {
    let (_, layout) = parts("");
    let sent_bytes = written("", &two()).unwrap();
    let answer = read_answer(bytes).unwrap();
    assert_eq!(answer.reference(), REF);
    answer.understood(&layout, &header(&two()), STEM, (&sent_bytes, &sent()))
}

fn differences(bytes: &[u8]) -> Vec<String> {
    match understood(bytes) {
        Err(Unbelievable::Differs(list)) => list,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_was_paid_what_was_asked_is_credited_and_who_has_nothing_and_a_reason_is_rejected() {
    let bytes = changed(&paid("240.50", "360.5", ""));
    assert_eq!(kind_of(&bytes), Ok(Some(AnswerKind::Return)));
    let rows = understood(&bytes).unwrap().answer.rows;
    assert!(rows.iter().all(|row| row.status == AnswerStatus::Credited), "{rows:?}");
    assert_eq!((rows[0].bank_ref.as_str(), rows[0].on), ("B7", chrono::NaiveDate::from_ymd_opt(2026, 1, 16)));
    let rows = understood(&changed(&paid("0.00", "120.00", "<XAddWord>已销户</XAddWord>"))).unwrap().answer.rows;
    assert_eq!((&rows[1].status, rows[1].reason_code.as_str()), (&AnswerStatus::Rejected, "CLOSED"));
    assert_eq!((rows[1].payment_ref.as_str(), rows[1].line_no.as_str()), ("652827-202601-1-2", "2"));
    // Neither: nothing without a reason, a part, all of it with a reason.
    for (amount, total, reason) in
        [("0", "120.00", ""), ("100.00", "220.00", ""), ("240.50", "360.50", "<XAddWord>户名不符</XAddWord>")]
    {
        let rows = understood(&changed(&paid(amount, total, reason))).unwrap().answer.rows;
        assert!(matches!(&rows[1].status, AnswerStatus::Unknown(text) if text.starts_with("实付")), "{rows:?}");
    }
    // Money that went to another account is told with that account.
    let elsewhere = "<XAddWord></XAddWord>";
    let mut changes = paid("240.50", "360.50", elsewhere);
    changes.push(("<XPayeeAcctNo></XPayeeAcctNo>", "<XPayeeAcctNo>777</XPayeeAcctNo>".into()));
    assert_eq!(understood(&changed(&changes)).unwrap().answer.rows[0].account, "777");
    // The voucher of direct payment may come along.
    let with: Vec<(&str, String)> = paid("240.50", "360.50", "");
    let with: Vec<(&str, &str)> = with.iter().map(|(from, to)| (*from, to.as_str())).collect();
    assert!(matches!(read_answer(&returned("1", "", &with)).unwrap(), Returned::List(_, Some(_))));
    assert!(understood(&returned("1", "", &with)).is_ok());
}

#[test]
fn a_return_that_differs_from_what_was_sent_is_refused_with_both_values() {
    for (from, to, words) in [
        ("<VouDate>20260115", "<VouDate>20260116", "凭证日期 VouDate: 现“20260116”与原“20260115”不一致"),
        ("<TreCode>26", "<TreCode>27", "国库主体代码 TreCode: 现“27"),
        ("<OriginalVoucherNo>652827", "<OriginalVoucherNo>652828", "主支付凭证编号 OriginalVoucherNo"),
        ("<FundTypeCode>1", "<FundTypeCode>2", "资金性质编码 FundTypeCode: 现“2”与原“1”不一致"),
        ("<SumAmt>360.50", "<SumAmt>360.51", "汇总支付金额 SumAmt: 现“360.51”与原“360.50”不一致"),
        ("<PayAcctNo>3000000000000000018", "<PayAcctNo>3000000000000000026", "付款人账号 PayAcctNo"),
        ("<PayAcctName>和静县", "<PayAcctName>和硕县", "付款人名称 PayAcctName"),
        ("<PayBankCode>4020", "<PayBankCode>1020", "代理银行编码 PayBankCode"),
        ("<BusinessTypeCode>4", "<BusinessTypeCode>3", "业务类型编码 BusinessTypeCode: 现“3”与原“4”不一致"),
        ("<PayeeAcctNo>6299", "<PayeeAcctNo>6288", "明细 652827-202601-1-1 第"),
        ("<PayeeAcctName>王建国", "<PayeeAcctName>王建", "收款人名称 PayeeAcctName: 现“王建”与原“王建国”不一致"),
        ("<PayAmt>120.00", "<PayAmt>121.00", "支付金额 PayAmt: 现“121.00”与原“120.00”不一致"),
        ("<Id>652827-202601-1-2", "<Id>652827-202601-1-9", "明细编号“652827-202601-1-9”不在原凭证中"),
        ("<Id>652827-202601-1-2", "<Id>652827-202601-1-1", "应不为空、不重复"),
        ("<XPayAmt>120.00", "<XPayAmt>", "实际支付金额 XPayAmt: “”"),
        ("<XSumAmt>360.50", "<XSumAmt>360.00", "实际支付汇总金额 XSumAmt: “360.00”，按明细应为 360.50"),
        (
            "<XPayDate>20260116</XPayDate>\n  <XSumAmt>",
            "<XPayDate></XPayDate>\n  <XSumAmt>",
            "实际支付日期 XPayDate: 为空",
        ),
        ("<Detail>", "<Lost>", "明细条数: 现 1 条与原 2 条不一致"),
    ] {
        let mut changes = paid("240.50", "360.50", "");
        changes.push((from, to.to_string()));
        if from == "<Detail>" {
            changes.push(("</Detail>", "</Lost>".into()));
        }
        let told = differences(&changed(&changes));
        assert!(told.iter().any(|line| line.contains(words)), "{words}: {told:?}");
        assert!(
            !told.iter().any(|line| line.contains("6288000000") || line.contains("3000000000000000026")),
            "{told:?}"
        );
    }
}

/// A notice that money came back, with these details.
fn refund(number: &str, total: &str, details: &str, more: &str) -> Vec<u8> {
    let text = format!(
        "<Voucher><Id>{number}</Id><VtCode>2252</VtCode><VoucherNo>{number}</VoucherNo><VouDate>20260122</VouDate>\
         <OriBillNo>{REF}</OriBillNo><OriginalVoucherNo>{REF}</OriginalVoucherNo><FundTypeCode>1</FundTypeCode>{more}\
         <PayAmt>{total}</PayAmt><PayDate>20260121</PayDate><DetailList>{details}</DetailList></Voucher>"
    );
    let voucher = Voucher {
        division: "652827".into(),
        year: "2026".into(),
        code: "2252",
        number: number.into(),
        flag: "0",
        text,
    };
    wrap(&[voucher]).unwrap()
}

fn back(line: i64, amount: &str, remark: &str) -> String {
    format!("<Detail><Id>{STEM}{line}</Id><PayAmt>{amount}</PayAmt><Remark>{remark}</Remark></Detail>")
}

#[test]
fn a_notice_of_the_receiving_bank_is_a_late_return() {
    let bytes = refund("402202601220001", "-240.50", &back(2, "-240.50", "账户已销户"), "");
    assert_eq!(kind_of(&bytes), Ok(Some(AnswerKind::LateReturn)));
    let answer = understood(&bytes).unwrap().answer;
    let row = &answer.rows[0];
    assert_eq!(
        (answer.kind, &row.status, row.amount.clone()),
        (AnswerKind::LateReturn, &AnswerStatus::Returned, Ok(Money(24_050)))
    );
    assert_eq!((row.reason_code.as_str(), row.reason_text.as_str()), ("CLOSED2", "账户已销户"));
    assert_eq!((row.on, row.account.as_str()), (chrono::NaiveDate::from_ymd_opt(2026, 1, 21), "6299000000000000002"));
    let other = refund("402202601220001", "-120.00", &back(1, "-120.00", "客户退回"), "");
    assert_eq!(
        understood(&other).unwrap().answer.rows[0].reason_code,
        "2252",
        "money that came back, whatever the words"
    );
    let all = (1..=500).map(|line| back(line, "-1.00", "退")).collect::<Vec<_>>().concat();
    for (bytes, words) in [
        (refund("40220260122001", "-120.00", &back(1, "-120.00", "退"), ""), "3 位银行编码、8 位日期、4 位序号"),
        (refund("402202613320001", "-120.00", &back(1, "-120.00", "退"), ""), "3 位银行编码、8 位日期、4 位序号"),
        (refund("402202601220001", "120.00", &back(1, "120.00", "退"), ""), "退款金额 PayAmt: “120.00”，应为负数"),
        (refund("402202601220001", "0", &back(1, "0.00", "退"), ""), "应为负数，不能为零"),
        (refund("402202601220001", "-120.00", &back(1, "-120.00", ""), ""), "退款原因 Remark: 为空"),
        (refund("402202601220001", "-120.01", &back(1, "-120.00", "退"), ""), "“-120.01”，按明细应为 -120.00"),
        (refund("402202601220001", "-500", &all, ""), "500 条，应为 1 至 499 条"),
        (refund("402202601220001", "0", "", ""), "0 条，应为 1 至 499 条"),
        (refund("402202601220001", "-240.00", &(back(1, "-120.00", "退") + &back(1, "-120.00", "退")), ""), "不重复"),
        (
            refund("402202601220001", "-120.00", &back(1, "-120.00", "退"), "<FundTypeName>基金</FundTypeName>"),
            "资金性质名称",
        ),
    ] {
        let told = differences(&bytes);
        assert!(told.iter().any(|line| line.contains(words)), "{words}: {told:?}");
    }
    let foreign = refund("402202601220001", "-120.00", &back(9, "-120.00", "退"), "");
    assert_eq!(understood(&foreign).unwrap_err(), Unbelievable::Foreign);
}

#[test]
fn an_envelope_that_is_not_whole_or_holds_something_else_is_told() {
    let good = String::from_utf8(changed(&paid("240.50", "360.50", ""))).unwrap();
    let twice = good.replace(
        "</MOF>",
        &format!("{}</MOF>", &good[good.find("  <VoucherBody").unwrap()..good.find("</MOF>").unwrap()]),
    );
    for (text, code) in [
        (good.replace("<VoucherCount>1", "<VoucherCount>2"), "BANK_FILE_FIELD"),
        (good.replace("<VoucherFlag>1", "<VoucherFlag>2"), "BANK_FILE_FIELD"),
        (good.replace("<VoucherFlag>1", "<VoucherFlag>0"), "BANK_FILE_WRONG_KIND"),
        (good.replace("VtCode=\"8207\"", "VtCode=\"8202\""), "BANK_FILE_FIELD"),
        // Number outside and number inside once differed.
        (good.replace("VoucherNo=\"652827", "VoucherNo=\"652828"), "BANK_FILE_FIELD"),
        (good.replace(" StYear=\"2026\"", ""), "BANK_FILE_MISSING"),
        (good.replace("<Voucher>", "<Voucher>***"), "BANK_FILE_FIELD"),
        (good.replace("<Voucher>", "<V>").replace("</Voucher>", "</V>"), "BANK_FILE_MISSING"),
        (good.replace("MOF>", "FOM>"), "BANK_FILE_WRONG_KIND"),
        (good.replace("</MOF>", ""), "XML_TRUNCATED"),
        (twice.replace("<VoucherCount>1", "<VoucherCount>2"), "BANK_FILE_WRONG_KIND"),
        ("<MOF><VoucherCount>0</VoucherCount></MOF>".to_string(), "BANK_FILE_MISSING"),
    ] {
        assert_eq!(read_answer(text.as_bytes()).unwrap_err().code(), code, "{text}");
    }
    let inside = |text: &str| {
        let voucher = Voucher {
            division: "652827".into(),
            year: "2026".into(),
            code: "8207",
            number: REF.into(),
            flag: "1",
            text: text.into(),
        };
        read_answer(&wrap(&[voucher]).unwrap()).unwrap_err().code()
    };
    assert_eq!(inside("<Bill/>"), "BANK_FILE_WRONG_KIND");
    assert_eq!(inside("<!DOCTYPE a [<!ENTITY x \"y\">]><Voucher>&x;</Voucher>"), "XML_DOCTYPE");
    assert_eq!(inside("<Voucher>"), "XML_TRUNCATED");
    assert_eq!(kind_of(b"<Document/>"), Ok(None));
}

proptest! {
    /// Whatever can be written is what the bank reads.
    #[test]
    fn what_is_written_reads_back(people in proptest::collection::vec(("[一-龥·a-z<&\"' ]{0,70}", 1..100_000_000_i64), 1..20)) {
        let rows: Vec<PaymentRow> = (1..).zip(&people).map(|(line, (name, fen))| payment(line, name, *fen)).collect();
        if let Ok(bytes) = written("", &rows) {
            let bodies = open(&bytes).unwrap();
            prop_assert_eq!(bodies.iter().map(|b| b.code.as_str()).collect::<Vec<_>>(), ["5201", "8207"]);
            let list = &bodies[1].voucher;
            let read: Vec<(String, String, String, String)> = list.at("DetailList").unwrap().children("Detail").map(|d| {
                let of = |name: &str| d.text_at(name).to_string();
                (of("Id"), of("PayeeAcctName"), of("PayeeAcctNo"), of("PayAmt"))
            }).collect();
            let expected: Vec<_> = rows.iter().map(|row| (row.payment_ref.clone(), row.holder.clone(), row.account.clone(), row.amount.to_string())).collect();
            prop_assert_eq!(read, expected);
            let total = header(&rows).total.to_string();
            prop_assert_eq!((list.text_at("SumAmt"), bodies[0].voucher.text_at("PayAmt")), (total.as_str(), total.as_str()));
        } else {
            prop_assert!(people.iter().any(|(name, _)| name.trim() != name || name.is_empty() || charset::encode_gbk(name).map_or(true, |b| b.len() > 120)));
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..3000_usize) {
        let _ = (read_answer(&bytes), shown(&bytes));
        let mut text = changed(&paid("240.50", "360.50", ""));
        let at = at.min(text.len());
        text.splice(at..(at + bytes.len()).min(text.len()), bytes);
        if let Ok(answer) = read_answer(&text) {
            let (_, layout) = parts("");
            let sent_bytes = written("", &two()).unwrap();
            let _ = answer.understood(&layout, &header(&two()), STEM, (&sent_bytes, &sent()));
        }
    }
}
