//! A payment file to the byte, what the schema asks of every element, and what banks say of payments.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::payment::write_payment_file;
use super::report::{is_report, read_report};
use crate::domain::bank::{Bank, BankBook, Layout};
use crate::domain::money::Money;
use crate::formats::bank::book::{add, built_in, check_whole, parse_bank_file};
use crate::formats::bank::layout::matching::Sent;
use crate::formats::bank::neutral::{AnswerStatus, FileHeader, PaymentRow};
use crate::formats::bank::standard::{CannotWrite, Sheet, Unbelievable, Understood};
use crate::formats::xml::{Limits, Node, Reader, decode};

const STEM: &str = "652827-202601-1-";
const REF: &str = "652827-202601-1-RCC-1";

fn book(more: &str) -> BankBook {
    let mut book = built_in().unwrap();
    let entry = "[[bank]]\ncode = \"RCC\"\nlayout = \"iso20022\"\npayer_account = \"3000000000000000018\"\n\
                 payer_name = \"和静县社会保险中心\"\npayer_bank_no = \"402000000001\"\n";
    add(&mut book, &format!("{entry}{more}")).unwrap();
    check_whole(&book).unwrap();
    book
}

/// The bank and its layout with these settings more; without any they are read once.
fn parts(more: &str) -> (Bank, Layout) {
    static PLAIN: LazyLock<(Bank, Layout)> = LazyLock::new(|| of(&book("")));
    fn of(book: &BankBook) -> (Bank, Layout) {
        (book.bank("RCC").unwrap().clone(), book.layout("iso20022").unwrap().clone())
    }
    if more.is_empty() { PLAIN.clone() } else { of(&book(more)) }
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

fn written(more: &str, rows: &[PaymentRow]) -> Result<(String, String), Vec<CannotWrite>> {
    let (bank, layout) = parts(more);
    let header = header(rows);
    let sheet = Sheet { header: &header, bank: &bank, layout: &layout };
    write_payment_file(&sheet, rows).map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
}

fn two() -> Vec<PaymentRow> {
    vec![payment(1, "王建国", 12_000), payment(2, "阿依古丽·买买提", 24_050)]
}

#[test]
#[expect(clippy::too_many_lines, reason = "the file, line by line")]
fn a_payment_file_to_the_byte() {
    let more = "payer_bank = \"和静农信社\"\nbank_no = \"402000000019\"\nunit_no = \"1001\"\ncategory_purpose = \"SSBE\"\nservice_level = \"NURG\"\n";
    let (name, text) = written(more, &two()).unwrap();
    assert_eq!(name, "652827-202601-1-RCC-1of1.xml");
    let transaction = |no: usize, amount: &str, holder: &str, account: &str| {
        format!(
            "      <CdtTrfTxInf>
        <PmtId>
          <EndToEndId>652827-202601-1-{no}</EndToEndId>
        </PmtId>
        <Amt>
          <InstdAmt Ccy=\"CNY\">{amount}</InstdAmt>
        </Amt>
        <CdtrAgt>
          <FinInstnId>
            <ClrSysMmbId>
              <ClrSysId>
                <Cd>CNAPS</Cd>
              </ClrSysId>
              <MmbId>402000000019</MmbId>
            </ClrSysMmbId>
            <Nm>和静县农村信用合作联社</Nm>
          </FinInstnId>
        </CdtrAgt>
        <Cdtr>
          <Nm>{holder}</Nm>
        </Cdtr>
        <CdtrAcct>
          <Id>
            <Othr>
              <Id>{account}</Id>
            </Othr>
          </Id>
        </CdtrAcct>
        <RmtInf>
          <Ustrd>补贴2026-01</Ustrd>
        </RmtInf>
      </CdtTrfTxInf>
"
        )
    };
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\">
  <CstmrCdtTrfInitn>
    <GrpHdr>
      <MsgId>652827-202601-1-RCC-1</MsgId>
      <CreDtTm>2026-01-15T00:00:00+08:00</CreDtTm>
      <NbOfTxs>2</NbOfTxs>
      <CtrlSum>360.50</CtrlSum>
      <InitgPty>
        <Nm>和静县社会保险中心</Nm>
        <Id>
          <OrgId>
            <Othr>
              <Id>1001</Id>
            </Othr>
          </OrgId>
        </Id>
      </InitgPty>
    </GrpHdr>
    <PmtInf>
      <PmtInfId>652827-202601-1-RCC-1</PmtInfId>
      <PmtMtd>TRF</PmtMtd>
      <NbOfTxs>2</NbOfTxs>
      <CtrlSum>360.50</CtrlSum>
      <PmtTpInf>
        <SvcLvl>
          <Cd>NURG</Cd>
        </SvcLvl>
        <CtgyPurp>
          <Cd>SSBE</Cd>
        </CtgyPurp>
      </PmtTpInf>
      <ReqdExctnDt>
        <Dt>2026-01-15</Dt>
      </ReqdExctnDt>
      <Dbtr>
        <Nm>和静县社会保险中心</Nm>
      </Dbtr>
      <DbtrAcct>
        <Id>
          <Othr>
            <Id>3000000000000000018</Id>
          </Othr>
        </Id>
        <Ccy>CNY</Ccy>
      </DbtrAcct>
      <DbtrAgt>
        <FinInstnId>
          <ClrSysMmbId>
            <ClrSysId>
              <Cd>CNAPS</Cd>
            </ClrSysId>
            <MmbId>402000000001</MmbId>
          </ClrSysMmbId>
          <Nm>和静农信社</Nm>
        </FinInstnId>
      </DbtrAgt>
{}{}    </PmtInf>
  </CstmrCdtTrfInitn>
</Document>
",
        transaction(1, "120.00", "王建国", "6299000000000000001"),
        transaction(2, "240.50", "阿依古丽·买买提", "6299000000000000002"),
    );
    assert_eq!(text, expected);
}

/// Children of an element in the only order that the schema of pain.001.001.09 allows, as far as we write them.
const SCHEMA: [(&str, &[&str]); 22] = [
    ("Document", &["CstmrCdtTrfInitn"]),
    ("CstmrCdtTrfInitn", &["GrpHdr", "PmtInf"]),
    ("GrpHdr", &["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"]),
    ("InitgPty", &["Nm", "Id"]),
    (
        "PmtInf",
        &[
            "PmtInfId",
            "PmtMtd",
            "NbOfTxs",
            "CtrlSum",
            "PmtTpInf",
            "ReqdExctnDt",
            "Dbtr",
            "DbtrAcct",
            "DbtrAgt",
            "CdtTrfTxInf",
        ],
    ),
    ("PmtTpInf", &["SvcLvl", "CtgyPurp"]),
    ("SvcLvl", &["Cd"]),
    ("CtgyPurp", &["Cd"]),
    ("ReqdExctnDt", &["Dt"]),
    ("Dbtr", &["Nm"]),
    ("DbtrAcct", &["Id", "Ccy"]),
    ("DbtrAgt", &["FinInstnId"]),
    ("CdtrAgt", &["FinInstnId"]),
    ("FinInstnId", &["BICFI", "ClrSysMmbId", "Nm"]),
    ("ClrSysMmbId", &["ClrSysId", "MmbId"]),
    ("ClrSysId", &["Cd"]),
    ("CdtTrfTxInf", &["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"]),
    ("PmtId", &["EndToEndId"]),
    ("Amt", &["InstdAmt"]),
    ("Cdtr", &["Nm"]),
    ("CdtrAcct", &["Id"]),
    ("RmtInf", &["Ustrd"]),
];

/// Where an element breaks the schema: an order, an empty text, a text that is too long.
fn breaks(node: &Node, within: &str, found: &mut Vec<String>) {
    let allowed = match (within, node.name.as_str()) {
        ("InitgPty", "Id") => &["OrgId"][..],
        (_, "OrgId") | ("DbtrAcct" | "CdtrAcct", "Id") => &["Othr"],
        (_, "Othr") => &["Id"],
        (_, name) => SCHEMA.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, children)| children),
    };
    let places: Vec<Option<usize>> =
        node.children.iter().map(|child| allowed.iter().position(|name| *name == child.name)).collect();
    if places.contains(&None) || !places.is_sorted() {
        found.push(format!("{within}/{}", node.name));
    }
    let most = match (within, node.name.as_str()) {
        ("Othr", "Id") => 34,
        (_, "Nm" | "Ustrd") => 140,
        (_, "Cd") => 5,
        _ => 35,
    };
    let length = node.text().chars().count();
    if node.children.is_empty() && !(1..=most).contains(&length) {
        found.push(format!("{within}/{}: {length}", node.name));
    }
    node.children.iter().for_each(|child| breaks(child, &node.name, found));
}

fn parsed(text: &str) -> Node {
    let mut reader = Reader::new(text);
    let root = reader.root().unwrap();
    reader.node(root).unwrap()
}

/// The elements that the schema demands.
fn demanded(document: &Node) {
    for path in
        ["GrpHdr/MsgId", "GrpHdr/CreDtTm", "GrpHdr/NbOfTxs", "GrpHdr/InitgPty", "PmtInf/PmtInfId", "PmtInf/PmtMtd"]
            .into_iter()
            .chain(["PmtInf/ReqdExctnDt/Dt", "PmtInf/Dbtr", "PmtInf/DbtrAcct/Id", "PmtInf/DbtrAgt/FinInstnId"])
            .chain(["PmtInf/CdtTrfTxInf/PmtId/EndToEndId", "PmtInf/CdtTrfTxInf/Amt/InstdAmt"])
    {
        assert!(document.at(&format!("CstmrCdtTrfInitn/{path}")).is_some(), "{path}");
    }
}

#[test]
fn every_element_stands_where_the_schema_wants_it() {
    for more in
        ["", "bank_no = \"ICBKCNBJ\"\n", "unit_no = \"1\"\npayer_bank = \"农信\"\ninitiating_party = \"财政\"\n"]
    {
        let (_, text) = written(more, &two()).unwrap();
        let document = parsed(&text);
        let mut found = Vec::new();
        breaks(&document, "", &mut found);
        assert!(found.is_empty(), "{found:?}");
        demanded(&document);
    }
    // And it would be told if one did not.
    let (_, text) = written("", &two()).unwrap();
    for wrong in [
        text.replace("<PmtMtd>TRF</PmtMtd>\n", "")
            .replace("<ReqdExctnDt>", "<PmtMtd>TRF</PmtMtd><ReqdExctnDt>")
            .replace("</NbOfTxs>", "</NbOfTxs><Oops/>"),
        text.replace("王建国", &"王".repeat(141)),
        text.replace("<Nm>王建国</Nm>", "<Nm></Nm>"),
    ] {
        let mut found = Vec::new();
        breaks(&parsed(&wrong), "", &mut found);
        assert!(!found.is_empty());
    }
}

#[test]
fn what_the_message_cannot_hold_is_refused_before_the_first_byte() {
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
        &|rows| rows[0].holder = "王".repeat(141),
        "明细第 1 行（王***王）户名: 共 141 个字符，最多 140 个字符",
    );
    refused("", &|rows| rows[0].holder = "王\u{1}".into(), "控制字符 U+0001");
    refused("", &|rows| rows[0].holder = " 王".into(), "首尾有空格");
    refused("", &|rows| rows[0].holder = String::new(), "户名: 为空");
    refused("", &|rows| rows[0].holder = "𠀀".repeat(110), "共 440 字节，布局最多 420 字节");
    refused("", &|rows| rows[0].account = "1".repeat(35), "账号: 共 35 个字符，最多 34");
    refused("", &|rows| rows[0].payment_ref = "1".repeat(36), "支付明细号: 共 36 个字符");
    refused("", &|rows| rows[1].payment_ref = format!("{STEM}1"), "同一笔支付不能报两次");
    refused("", &|rows| rows[0].amount = Money(0), "0.00 元，应大于 0");
    refused("", &Vec::clear, "0 笔，应为 1 至 1000 笔");
    refused("bank_no = \"12345\"\n", &|_| {}, "收款行号 bank_no: “12345”，应为 12 位联行号");
    refused("category_purpose = \"社保\"\n", &|_| {}, "应为不超过 4 位的大写字母或数字");
    let (bank, layout) = parts("");
    let rows = two();
    let mut header = header(&rows);
    header.total = Money(36_051);
    let told = write_payment_file(&Sheet { header: &header, bank: &bank, layout: &layout }, &rows).unwrap_err();
    assert!(told[0].to_string().contains("写明 2 笔 360.51，按明细应为 2 笔 360.50"), "{}", told[0]);
}

#[test]
fn a_layout_names_a_standard_or_describes_its_files_never_both() {
    let iso = include_str!("../../../../config/banks/iso20022.toml");
    let treasury = include_str!("../../../../config/banks/treasury.toml");
    let icbc = include_str!("../../../../config/banks/icbc-bpt.toml");
    for (text, words) in [
        (iso.replace("standard = \"iso20022\"", "standard = \"iso\""), "“iso”，应为 neutral、iso20022、treasury"),
        (icbc.replacen("row_limit", "standard = \"iso20022\"\nrow_limit", 1), "不能再有 [file] 和 [answer]"),
        (treasury.replace("row_limit = 499", "row_limit = 500"), "row_limit: treasury 最多 499"),
    ] {
        let error = parse_bank_file(&text).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let mut book = built_in().unwrap();
    add(&mut book, "[[bank]]\ncode = \"RCC\"\nlayout = \"iso20022\"\n").unwrap();
    assert!(check_whole(&book).unwrap_err().to_string().contains("payer_account、payer_name、payer_bank_no"));
}

/// A report of version `.10` with this group status and these parts of it.
fn report(group: &str, inner: &str) -> String {
    let status = if group.is_empty() { String::new() } else { format!("<GrpSts>{group}</GrpSts>") };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\">\n\
         <CstmrPmtStsRpt><GrpHdr><MsgId>B1</MsgId><CreDtTm>2026-01-16T10:00:00</CreDtTm></GrpHdr>\n\
         <OrgnlGrpInfAndSts><OrgnlMsgId>{REF}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>\
         <OrgnlNbOfTxs>3</OrgnlNbOfTxs><OrgnlCtrlSum>480.5</OrgnlCtrlSum>{status}</OrgnlGrpInfAndSts>\n{inner}\n</CstmrPmtStsRpt></Document>"
    )
}

fn part(status: &str, transactions: &str) -> String {
    let status = if status.is_empty() { String::new() } else { format!("<PmtInfSts>{status}</PmtInfSts>") };
    format!("<OrgnlPmtInfAndSts><OrgnlPmtInfId>{REF}</OrgnlPmtInfId>{status}{transactions}</OrgnlPmtInfAndSts>")
}

fn told(line: i64, status: &str, more: &str) -> String {
    format!(
        "<TxInfAndSts><StsId>S{line}</StsId><OrgnlEndToEndId>{STEM}{line}</OrgnlEndToEndId><TxSts>{status}</TxSts>{more}</TxInfAndSts>\n"
    )
}

fn reason(code: &str, words: &str) -> String {
    format!("<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn><AddtlInf>{words}</AddtlInf></StsRsnInf>")
}

fn sent() -> Vec<Sent> {
    let rows = [payment(1, "王建国", 12_000), payment(2, "阿依古丽·买买提", 24_050), payment(3, "马玉兰", 12_000)];
    let sent = |row: &PaymentRow| Sent {
        line_no: row.line_no,
        account: row.account.clone(),
        holder: row.holder.clone(),
        amount: row.amount,
    };
    rows.iter().map(sent).collect()
}

fn understood(text: &str) -> Result<Understood, Unbelievable> {
    assert_eq!(is_report(text.as_bytes()), Ok(true));
    let (_, layout) = parts("");
    let rows = [payment(1, "", 12_000), payment(2, "", 24_050), payment(3, "", 12_000)];
    read_report(text.as_bytes()).unwrap().understood(&layout, &header(&rows), STEM, &sent())
}

/// Line and letter of every row.
fn fates(text: &str) -> Vec<(String, &'static str)> {
    let letter = |status: &AnswerStatus| match status {
        AnswerStatus::Credited => "S",
        AnswerStatus::Rejected => "F",
        AnswerStatus::Open => "P",
        AnswerStatus::Returned => "R",
        AnswerStatus::Unknown(_) => "?",
    };
    let mut fates: Vec<_> =
        understood(text).unwrap().answer.rows.iter().map(|row| (row.line_no.clone(), letter(&row.status))).collect();
    fates.sort();
    fates
}

fn all(letter: &'static str) -> Vec<(String, &'static str)> {
    ["1", "2", "3"].map(|line| (line.to_string(), letter)).to_vec()
}

#[test]
fn what_is_said_of_all_counts_for_everyone_without_a_word_of_his_own() {
    for (code, letter) in [("ACSC", "S"), ("ACCC", "S"), ("RJCT", "F"), ("ACCP", "P"), ("ACSP", "P"), ("ACTC", "P")]
        .into_iter()
        .chain([("PDNG", "P"), ("RCVD", "P"), ("ACWC", "P")])
    {
        assert_eq!(fates(&report(code, "")), all(letter), "{code}");
        assert_eq!(fates(&report("", &part(code, ""))), all(letter), "{code}");
    }
    let mixed = report("ACSP", &part("", &(told(1, "ACSC", "") + &told(2, "RJCT", &reason("AC04", "已销户")))));
    assert_eq!(fates(&mixed), [("1".into(), "S"), ("2".into(), "F"), ("3".into(), "P")]);
    let only = report("PART", &part("PART", &told(2, "RJCT", "")));
    assert_eq!(fates(&only), [("2".to_string(), "F")], "who is not named stays open");
    let pieces = report("PART", &(part("", &told(1, "ACSC", "")) + &part("", &told(3, "RJCT", ""))));
    assert_eq!(fates(&pieces), [("1".into(), "S"), ("3".into(), "F")]);
    let inherits = told(1, "", "").replace("<TxSts></TxSts>", "");
    assert_eq!(fates(&report("RJCT", &part("", &inherits))), all("F"));
    let strange = understood(&report("BLCK", "")).unwrap();
    assert!(strange.answer.rows.iter().all(|row| row.status == AnswerStatus::Open));
    assert!(strange.doubts[0].message.contains("整批状态“BLCK”不认识"), "{:?}", strange.doubts);
    assert_eq!(fates(&report("PART", &part("", &told(1, "XXXX", "")))), [("1".to_string(), "?")]);
}

#[test]
fn reasons_amounts_accounts_and_names_come_as_the_bank_says_them() {
    let tx_ref = "<OrgnlTxRef><Amt><InstdAmt Ccy=\"CNY\">240.50</InstdAmt></Amt><Cdtr><Pty><Nm>阿依古丽 买买提</Nm></Pty></Cdtr>\
                  <CdtrAcct><Id><Othr><Id>6299</Id></Othr></Id></CdtrAcct></OrgnlTxRef>";
    let more = format!(
        "{}<FctvIntrBkSttlmDt><Dt>2026-01-16</Dt></FctvIntrBkSttlmDt><AcctSvcrRef>R77</AcctSvcrRef>{tx_ref}",
        reason("AC04", "账户 已销")
    );
    let answer = understood(&report("PART", &part("", &told(2, "RJCT", &more)))).unwrap().answer;
    let row = &answer.rows[0];
    assert_eq!(
        (row.reason_code.as_str(), row.reason_text.as_str(), row.bank_ref.as_str()),
        ("AC04", "账户 已销", "R77")
    );
    assert_eq!(
        (row.amount.clone(), row.account.as_str(), row.holder.as_str()),
        (Ok(Money(24_050)), "6299", "阿依古丽 买买提")
    );
    assert_eq!(row.on, chrono::NaiveDate::from_ymd_opt(2026, 1, 16));
    let dollars = more.replace("CNY", "USD");
    let answer = understood(&report("PART", &part("", &told(2, "ACSC", &dollars)))).unwrap().answer;
    assert_eq!(answer.rows[0].amount, Err("USD 240.50".to_string()));
    // Version .03 has the name elsewhere; a proprietary reason is found by its words.
    let old = told(
        2,
        "RJCT",
        "<StsRsnInf><Rsn><Prtry>77</Prtry></Rsn><AddtlInf>重复业务</AddtlInf></StsRsnInf><OrgnlTxRef><Cdtr><Nm>买买提</Nm></Cdtr></OrgnlTxRef>",
    );
    let answer = understood(&report("PART", &part("", &old)).replace("002.001.10", "002.001.03")).unwrap().answer;
    assert_eq!((answer.rows[0].reason_code.as_str(), answer.rows[0].holder.as_str()), ("AM05", "买买提"));
    assert_eq!(answer.rows[0].account, sent()[1].account, "what is not repeated is as it was sent");
    let group = report("RJCT", "").replace("</GrpSts>", &format!("</GrpSts>{}", reason("FF01", "")));
    let answer = understood(&group).unwrap().answer;
    assert!(answer.rows.iter().all(|row| row.reason_code == "FF01" && row.reason_text == "文件格式错误"));
}

#[test]
fn an_answer_to_something_else_or_against_itself_is_refused_whole() {
    let good = report("PART", &part("PART", &told(1, "ACSC", "")));
    for (from, to, words) in [
        ("<OrgnlNbOfTxs>3", "<OrgnlNbOfTxs>4", "总笔数 OrgnlNbOfTxs: 4，应为 3"),
        ("<OrgnlCtrlSum>480.5<", "<OrgnlCtrlSum>480.51<", "总金额 OrgnlCtrlSum: 480.51，应为 480.50"),
        ("pain.001.001.09", "pain.008.001.08", "OrgnlMsgNmId: pain.008.001.08，应为 pain.001"),
        ("<OrgnlPmtInfId>652827", "<OrgnlPmtInfId>652828", "原支付组号 OrgnlPmtInfId: 652828"),
        ("<GrpSts>PART", "<GrpSts>RJCT", "整批状态是 RJCT"),
        ("<PmtInfSts>PART", "<PmtInfSts>RJCT", "整批状态是 RJCT"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good);
        match understood(&wrong) {
            Err(Unbelievable::Differs(list)) => assert!(list.iter().any(|d| d.contains(words)), "{words}: {list:?}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    let both = report("ACSC", &part("RJCT", ""));
    assert!(matches!(understood(&both), Err(Unbelievable::Differs(_))));
    assert_eq!(understood(&report("PART", "")).unwrap_err(), Unbelievable::SaysNothing);
    let foreign = report("PART", &part("", &told(9, "ACSC", "")));
    assert_eq!(understood(&foreign).unwrap_err(), Unbelievable::Foreign);
}

#[test]
fn what_is_no_report_is_told() {
    for (text, code) in [
        (report("ACSC", "").replace("CstmrPmtStsRpt", "CstmrCdtTrfInitn"), "BANK_FILE_WRONG_KIND"),
        (report("ACSC", "").replace("OrgnlMsgId", "MsgId"), "BANK_FILE_MISSING"),
        (report("ACSC", "").replace("OrgnlGrpInfAndSts", "Grp"), "BANK_FILE_MISSING"),
        (report("", &part("ACSC", "")).replace("OrgnlPmtInfId", "Id"), "BANK_FILE_MISSING"),
        (report("ACSC", "").replace("</Document>", ""), "XML_TRUNCATED"),
        (format!("<!DOCTYPE a>{}", report("ACSC", "").split_once("?>").unwrap().1), "XML_DOCTYPE"),
    ] {
        assert_eq!(read_report(text.as_bytes()).unwrap_err().code(), code, "{text}");
    }
    for text in ["<Document><BkToCstmrStmt/></Document>", "<MOF/>", "<Doc><CstmrPmtStsRpt/></Doc>"] {
        assert_eq!(is_report(text.as_bytes()), Ok(false), "{text}");
    }
    assert!(is_report(b"H|1").is_err());
}

proptest! {
    /// Whatever can be written is what the bank reads.
    #[test]
    fn what_is_written_reads_back(people in proptest::collection::vec(("[一-龥·a-z<&\"' ]{0,150}", 1..100_000_000_i64), 1..20)) {
        let rows: Vec<PaymentRow> = (1..).zip(&people).map(|(line, (name, fen))| payment(line, name, *fen)).collect();
        if let Ok((_, text)) = written("", &rows) {
            let text = decode(text.as_bytes(), &Limits::default()).unwrap();
            let document = parsed(&text);
            let part = document.at("CstmrCdtTrfInitn/PmtInf").unwrap();
            let read: Vec<(String, String, String, String)> = part.children("CdtTrfTxInf").map(|tx| {
                let of = |path: &str| tx.text_at(path).to_string();
                (of("PmtId/EndToEndId"), of("Cdtr/Nm"), of("CdtrAcct/Id/Othr/Id"), of("Amt/InstdAmt"))
            }).collect();
            let expected: Vec<_> = rows.iter().map(|row| (row.payment_ref.clone(), row.holder.clone(), row.account.clone(), row.amount.to_string())).collect();
            prop_assert_eq!(read, expected);
            prop_assert_eq!(part.text_at("CtrlSum"), header(&rows).total.to_string());
        } else {
            prop_assert!(people.iter().any(|(name, _)| name.trim() != name || name.is_empty() || name.chars().count() > 140 || name.len() > 420));
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..400_usize) {
        let _ = read_report(&bytes);
        let mut text = report("PART", &part("PART", &told(1, "ACSC", ""))).into_bytes();
        let at = at.min(text.len());
        text.splice(at..(at + bytes.len()).min(text.len()), bytes);
        if let Ok(report) = read_report(&text) {
            let (_, layout) = parts("");
            let _ = report.understood(&layout, &header(&two()), STEM, &sent());
        }
    }
}
