//! A bank that speaks ISO 20022: what goes out, and what its status reports do to the fen.

use fafang::domain::bank::{Layout, ReasonClass};
use fafang::domain::hold::HoldReason;
use fafang::failure::Failure;
use fafang::formats::bank::book::{add, check_whole};
use fafang::formats::bank::neutral::AnswerKind;
use fafang::formats::xml::{Limits, Node, Reader, decode};
use fafang::office::Office;
use fafang::workflow::issue_files::issue_files;
use fafang::workflow::take_return::{AnswerFile, Taken, take_returns};
use fafang::workflow::try_layout::try_layout;

use crate::support::{TestOffice, on_both_engines, refused, yuan};

/// The finance desk, with the credit union moved to the standard as an office does it.
fn finance(office: &TestOffice) -> Office {
    let mut finance = office.as_finance();
    let entry = "[[bank]]\ncode = \"RCC\"\nlayout = \"iso20022\"\npayer_account = \"3000000000000000018\"\n\
                 payer_name = \"和静县社会保险中心\"\npayer_bank_no = \"402000000001\"\ncategory_purpose = \"SSBE\"\n";
    add(&mut finance.banks, entry).unwrap();
    check_whole(&finance.banks).unwrap();
    finance
}

async fn take(finance: &Office, kind: AnswerKind, text: &str) -> Result<Taken, Failure> {
    let file = AnswerFile { name: "pain002.xml".into(), bytes: text.into(), answers: None };
    Ok(take_returns(finance, kind, [Ok(file)]).await?.remove(0))
}

/// What the bank reads of a payment file.
fn payments(bytes: &[u8]) -> Node {
    let text = decode(bytes, &Limits::default()).unwrap();
    let mut reader = Reader::new(&text);
    let root = reader.root().unwrap();
    reader.node(root).unwrap()
}

/// The official schema has the last word where it is at hand: `FAFANG_TEST_PAIN001_XSD` names the file of
/// pain.001.001.09, which is not ours to give away, and `xmllint` is installed.
fn is_valid(bytes: &[u8]) {
    let Ok(schema) = std::env::var("FAFANG_TEST_PAIN001_XSD") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pain001.xml");
    std::fs::write(&path, bytes).unwrap();
    let told =
        std::process::Command::new("xmllint").args(["--noout", "--schema", &schema]).arg(&path).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// A status report on the file: its group status, and the status of each payment that is told of.
fn report(bytes: &[u8], group: &str, of: impl Fn(usize) -> Option<(&'static str, &'static str)>) -> String {
    let document = payments(bytes);
    let head = document.at("CstmrCdtTrfInitn/GrpHdr").unwrap();
    let part = document.at("CstmrCdtTrfInitn/PmtInf").unwrap();
    let (id, count, sum) = (head.text_at("MsgId"), head.text_at("NbOfTxs"), head.text_at("CtrlSum"));
    let one = |(at, tx): (usize, &Node)| {
        let (status, reason) = of(at)?;
        let (reference, amount) = (tx.text_at("PmtId/EndToEndId"), tx.text_at("Amt/InstdAmt"));
        let reason = match reason {
            "" => String::new(),
            code => format!("<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>"),
        };
        Some(format!(
            "<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>{status}</TxSts>{reason}\
             <OrgnlTxRef><Amt><InstdAmt Ccy=\"CNY\">{amount}</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>\n"
        ))
    };
    let transactions: String = part.children("CdtTrfTxInf").enumerate().filter_map(one).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\"><CstmrPmtStsRpt>\n\
         <GrpHdr><MsgId>{group}-{}</MsgId></GrpHdr>\n\
         <OrgnlGrpInfAndSts><OrgnlMsgId>{id}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId><OrgnlNbOfTxs>{count}</OrgnlNbOfTxs>\
         <OrgnlCtrlSum>{sum}</OrgnlCtrlSum><GrpSts>{group}</GrpSts></OrgnlGrpInfAndSts>\n\
         <OrgnlPmtInfAndSts><OrgnlPmtInfId>{id}</OrgnlPmtInfId>\n{transactions}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>\n",
        transactions.len()
    )
}

#[tokio::test]
async fn a_month_accepted_first_then_credited_or_rejected_reconciles_to_the_fen() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(6)).await;
        let iso = finance(office);
        let run = office.prepare("2026-01").await.run;
        let tried = office.changes_nothing(try_layout(&iso, "iso20022", &run.code)).await.unwrap();
        office.sign(&run).await;
        let issued = issue_files(&iso, &run.code).await.unwrap();
        assert_eq!(issued.files.len(), 1);
        let (file, bytes) = (&issued.files[0].file, &issued.files[0].bytes);
        assert_eq!((file.name.as_str(), file.layout_code.as_str()), ("652827-202601-1-RCC-1of1.xml", "iso20022"));
        assert_eq!(&tried[0].bytes, bytes, "a trial shows the very bytes");
        let again = issue_files(&iso, &run.code).await.unwrap();
        assert_eq!((again.again, &again.files[0].bytes), (true, bytes));
        is_valid(bytes);
        let sent = payments(bytes);
        assert_eq!(sent.text_at("CstmrCdtTrfInitn/GrpHdr/CtrlSum"), "720.00");
        assert_eq!(sent.at("CstmrCdtTrfInitn/PmtInf").unwrap().children("CdtTrfTxInf").count(), 6);

        // The bank accepts the batch: nothing has happened yet, and nothing is wrong.
        let accepted = take(&iso, AnswerKind::Return, &report(bytes, "ACCP", |_| None)).await.unwrap();
        assert_eq!((accepted.credited.rows, accepted.open.rows, accepted.findings.len()), (0, 6, 0));
        // By day it credits some, rejects one for good and one for want of money, and knows a state that nobody knows.
        let first = report(bytes, "PART", |at| match at {
            0 | 1 => Some(("ACSC", "")),
            2 => Some(("RJCT", "AC04")),
            3 => Some(("RJCT", "AM04")),
            4 => Some(("QUEU", "")),
            _ => None,
        });
        let taken = take(&iso, AnswerKind::Return, &first).await.unwrap();
        assert_eq!((taken.credited.rows, taken.rejected.rows, taken.open.rows), (2, 2, 2));
        assert_eq!(taken.findings.len(), 1, "{:?}", taken.findings);
        assert!(taken.findings[0].message.contains("状态“QUEU”不认识，应为 ACSC"), "{}", taken.findings[0].message);
        let holds = office.holds().await;
        assert_eq!(holds.len(), 1, "want of money is nobody's fault");
        assert_eq!(holds[0].reason, HoldReason::Bank(ReasonClass::AccountClosed));
        let twice = take(&iso, AnswerKind::Return, &first).await.unwrap();
        assert!(twice.already.is_some());
        // The final report tells of all; what was told before stays as it is.
        let last = report(bytes, "PART", |at| match at {
            2 => Some(("RJCT", "AC04")),
            3 => Some(("RJCT", "AM04")),
            _ => Some(("ACCC", "")),
        });
        let taken = take(&iso, AnswerKind::Return, &last).await.unwrap();
        assert_eq!((taken.credited.rows, taken.rejected.rows, taken.open.rows, taken.settled), (2, 0, 0, true));
        assert!(taken.findings.is_empty(), "{:?}", taken.findings);
        let (_, reserved, paid) = office.money().await;
        assert_eq!((reserved, paid), (yuan(0), yuan(480)));
        office.doctor().await;

        // February: who failed for want of money is owed two months; the bank rejects the whole message once.
        office.go_to("2026-02-12");
        let iso = finance(office);
        let run = office.prepare("2026-02").await.run;
        office.sign(&run).await;
        let issued = issue_files(&iso, &run.code).await.unwrap();
        let bytes = &issued.files[0].bytes;
        assert_eq!(payments(bytes).text_at("CstmrCdtTrfInitn/PmtInf/CtrlSum"), "720.00");
        let rejected = report(bytes, "RJCT", |_| None)
            .replace("</GrpSts>", "</GrpSts><StsRsnInf><Rsn><Cd>FF01</Cd></Rsn><AddtlInf>格式</AddtlInf></StsRsnInf>");
        let taken = take(&iso, AnswerKind::Return, &rejected).await.unwrap();
        assert_eq!((taken.rejected.rows, taken.rejected.amount, taken.settled, taken.holds), (5, yuan(720), true, 0));
        // March pays it all, told in one word.
        office.go_to("2026-03-12");
        let iso = finance(office);
        let run = office.prepare("2026-03").await.run;
        office.sign(&run).await;
        let issued = issue_files(&iso, &run.code).await.unwrap();
        let taken = take(&iso, AnswerKind::Return, &report(&issued.files[0].bytes, "ACSC", |_| None)).await.unwrap();
        assert_eq!((taken.credited.rows, taken.credited.amount, taken.settled), (5, yuan(1320), true));
        assert_eq!(office.money().await.2, yuan(1800));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_report_on_another_batch_count_or_sum_or_of_another_kind_changes_nothing() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let iso = finance(office);
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        let issued = issue_files(&iso, &run.code).await.unwrap();
        let good = report(&issued.files[0].bytes, "ACSC", |_| None);
        for (from, to, code, words) in [
            ("<OrgnlMsgId>652827", "<OrgnlMsgId>652828", "RETURN_FILE_UNKNOWN", "不是本机构发出的支付文件"),
            ("<OrgnlNbOfTxs>3", "<OrgnlNbOfTxs>2", "RETURN_HEADER_DIFFERS", "2，应为 3"),
            ("<OrgnlCtrlSum>360.00", "<OrgnlCtrlSum>360.01", "RETURN_HEADER_DIFFERS", "360.01，应为 360.00"),
            ("<OrgnlPmtInfId>652827", "<OrgnlPmtInfId>652828", "RETURN_HEADER_DIFFERS", "应为 652827"),
            ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE a>", "XML_DOCTYPE", "DOCTYPE"),
        ] {
            let wrong = good.replacen(from, to, 1);
            assert_ne!(wrong, good, "{from}");
            let taken = take(&iso, AnswerKind::Return, &wrong);
            let failure = refused(office.changes_nothing(taken).await, code);
            assert!(failure.message.contains(words), "{}", failure.message);
        }
        let late = take(&iso, AnswerKind::LateReturn, &good);
        refused(office.changes_nothing(late).await, "OTHER_ANSWER_KIND");
        let taken = take(&iso, AnswerKind::Return, &good).await.unwrap();
        assert_eq!((taken.credited.rows, taken.settled), (3, true));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_row_limit_makes_parts_and_each_is_answered_alone() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(5)).await;
        let mut iso = finance(office);
        let layout = iso.banks.layout("iso20022").unwrap().clone();
        iso.banks.layouts.push(Layout { row_limit: 2, ..layout });
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        let issued = issue_files(&iso, &run.code).await.unwrap();
        let names: Vec<&str> = issued.files.iter().map(|f| f.file.name.as_str()).collect();
        assert_eq!(
            names,
            ["652827-202601-1-RCC-1of3.xml", "652827-202601-1-RCC-2of3.xml", "652827-202601-1-RCC-3of3.xml"]
        );
        for file in &issued.files {
            take(&iso, AnswerKind::Return, &report(&file.bytes, "ACSC", |_| None)).await.unwrap();
        }
        assert_eq!(office.run(&run.code).await.state.code(), "settled");
        assert_eq!(office.money().await.2, yuan(600));
        office.doctor().await;
    })
    .await;
}
