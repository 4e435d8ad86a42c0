//! Payments through the treasury: one appropriation a voucher, a return to the fen, money that comes back later.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fafang::domain::bank::{Layout, ReasonClass};
use fafang::domain::hold::HoldReason;
use fafang::domain::money::Money;
use fafang::failure::Failure;
use fafang::formats::bank::book::{add, check_whole};
use fafang::formats::bank::neutral::AnswerKind;
use fafang::formats::bank::treasury::envelope::{Body, Voucher, open, wrap};
use fafang::formats::charset::{Charset, decode};
use fafang::office::Office;
use fafang::workflow::issue_files::issue_files;
use fafang::workflow::take_return::{AnswerFile, Taken, take_returns};
use fafang::workflow::try_layout::try_layout;

use crate::support::{Row, SCHEME, TestOffice, on_both_engines, on_both_engines_with, refused, yuan};

/// The finance desk, with the credit union paying from the treasury's account.
fn finance(office: &TestOffice) -> Office {
    let mut finance = office.as_finance();
    let entry = "[[bank]]\ncode = \"RCC\"\nlayout = \"treasury\"\npayer_account = \"3000000000000000018\"\n\
                 payer_name = \"和静县财政局零余额账户\"\npayer_bank = \"和静农信社\"\n[bank.voucher]\nTreCode = \"2600000000\"\n\
                 FundTypeCode = \"1\"\nFundTypeName = \"公共财政预算资金\"\nPayBankCode = \"402000000001\"\nPayBankName = \"和静农信社\"\n\
                 AgencyCode = \"101001\"\nAgencyName = \"和静县社会保险中心\"\n";
    add(&mut finance.banks, entry).unwrap();
    check_whole(&finance.banks).unwrap();
    finance
}

/// People whose names a treasury can write.
fn people(office: &TestOffice) -> Vec<Row> {
    let mut people = office.neighbours(5);
    for (row, name) in people.iter_mut().zip(["王東", "李建国", "张秀英", "阿依古丽·买买提", "马玉兰"])
    {
        row.name = name.into();
    }
    people
}

async fn take(finance: &Office, kind: AnswerKind, bytes: Vec<u8>) -> Result<Taken, Failure> {
    let file = AnswerFile { name: "凭证.xml".into(), bytes, answers: None };
    Ok(take_returns(finance, kind, [Ok(file)]).await?.remove(0))
}

/// The list of people in a payment file, as it can be read and as it stands there.
fn list(bytes: &[u8]) -> (Body, String) {
    let packed = String::from_utf8(bytes.to_vec()).unwrap();
    let packed = packed.lines().filter_map(|l| l.trim().strip_prefix("<Voucher>")).next_back().unwrap();
    let text = STANDARD.decode(packed.strip_suffix("</Voucher>").unwrap()).unwrap();
    let list = open(bytes).unwrap().into_iter().find(|body| body.code == "8207").unwrap();
    (list, decode(&text, Some(Charset::Gb18030)).unwrap().0)
}

fn enveloped(code: &'static str, flag: &'static str, number: &str, text: String) -> Vec<u8> {
    let (division, year) = ("652827".to_string(), "2026".to_string());
    wrap(&[Voucher { division, year, code, number: number.into(), flag, text }]).unwrap()
}

/// The bank's return of the list: everyone is paid but those for whom there is a reason.
fn receipt(bytes: &[u8], reason: impl Fn(usize) -> &'static str) -> Vec<u8> {
    let (list, text) = list(bytes);
    let details: Vec<_> = list.voucher.at("DetailList").unwrap().children("Detail").collect();
    let paid = |at: usize| if reason(at).is_empty() { details[at].text_at("PayAmt") } else { "0.00" };
    let sum: Money = (0..details.len()).map(|at| Money::parse(paid(at)).unwrap()).sum();
    let (head, body) = text.split_once("<DetailList>").unwrap();
    let mut filled = head
        .replace("<XPayDate></XPayDate>", "<XPayDate>20260116</XPayDate>")
        .replace("<XSumAmt></XSumAmt>", &format!("<XSumAmt>{sum}</XSumAmt>"));
    filled.push_str("<DetailList>");
    for (at, detail) in body.split_inclusive("</Detail>").enumerate() {
        if at < details.len() {
            let detail = detail
                .replace("<XPayDate></XPayDate>", "<XPayDate>20260116</XPayDate>")
                .replace(
                    "<XAgentBusinessNo></XAgentBusinessNo>",
                    &format!("<XAgentBusinessNo>B{at}</XAgentBusinessNo>"),
                )
                .replace("<XPayAmt></XPayAmt>", &format!("<XPayAmt>{}</XPayAmt>", paid(at)))
                .replace("<XAddWord></XAddWord>", &format!("<XAddWord>{}</XAddWord>", reason(at)));
            filled.push_str(&detail);
        } else {
            filled.push_str(detail);
        }
    }
    enveloped("8207", "1", &list.number, filled)
}

/// The notice of the receiving bank about one detail.
fn refund(bytes: &[u8], at: usize, remark: &str) -> Vec<u8> {
    let (list, _) = list(bytes);
    let detail = list.voucher.at("DetailList").unwrap().children("Detail").nth(at).unwrap();
    let (id, account, name) = (detail.text_at("Id"), detail.text_at("PayeeAcctNo"), detail.text_at("PayeeAcctName"));
    let (number, amount) = ("402202601220001", detail.text_at("PayAmt"));
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<Voucher><VtCode>2252</VtCode><VoucherNo>{number}</VoucherNo>\
         <OriBillNo>{}</OriBillNo><PayAmt>-{amount}</PayAmt><PayDate>20260121</PayDate><DetailList><Detail><Id>{id}</Id>\
         <PayeeAcctNo>{account}</PayeeAcctNo><PayeeAcctName>{name}</PayeeAcctName><PayAmt>-{amount}</PayAmt><Remark>{remark}</Remark>\
         </Detail></DetailList></Voucher>",
        list.number
    );
    enveloped("2252", "0", number, text)
}

#[tokio::test]
async fn a_month_through_vouchers_with_a_failure_and_money_that_comes_back_reconciles_to_the_fen() {
    on_both_engines(async |office| {
        office.import(&people(office)).await;
        let treasury = finance(office);
        let run = office.prepare("2026-01").await.run;
        let early = office.changes_nothing(try_layout(&treasury, "treasury", &run.code)).await;
        assert!(refused(early, "CANNOT_WRITE").message.contains("还没有占用预算指标"));
        office.sign(&run).await;
        let tried = office.changes_nothing(try_layout(&treasury, "treasury", &run.code)).await.unwrap();
        let issued = issue_files(&treasury, &run.code).await.unwrap();
        assert_eq!(issued.files.len(), 1);
        let (file, bytes) = (&issued.files[0].file, &issued.files[0].bytes);
        assert_eq!((file.name.as_str(), &tried[0].bytes), ("652827-202601-1-RCC-1of1.xml", bytes));
        let again = issue_files(&treasury, &run.code).await.unwrap();
        assert_eq!((again.again, &again.files[0].bytes), (true, bytes));
        let sent = open(bytes).unwrap();
        assert_eq!(
            (sent[0].voucher.text_at("FileNoCode"), sent[0].voucher.text_at("PayAmt")),
            ("巴财社〔2025〕98号", "600.00")
        );
        assert_eq!(
            (sent[0].voucher.text_at("ExpFuncCode"), sent[0].voucher.text_at("ExpEcoCode")),
            ("2080601", "30305")
        );

        // What was sent is no answer; neither is a return of other values, nor the one kind where the other is read.
        let own = take(&treasury, AnswerKind::Return, bytes.clone());
        refused(office.changes_nothing(own).await, "BANK_FILE_WRONG_KIND");
        let good = receipt(bytes, |at| if at == 2 { "已销户" } else { "" });
        let late = take(&treasury, AnswerKind::LateReturn, good.clone());
        refused(office.changes_nothing(late).await, "OTHER_ANSWER_KIND");
        let (list, text) = list(&good);
        let wrong = text.replacen("<PayeeAcctName>李建国", "<PayeeAcctName>李建", 1);
        let taken = take(&treasury, AnswerKind::Return, enveloped("8207", "1", &list.number, wrong));
        let failure = refused(office.changes_nothing(taken).await, "RETURN_HEADER_DIFFERS");
        assert!(failure.message.contains("现“李建”与原“李建国”不一致"), "{}", failure.message);
        let foreign = text.replace("652827-202601-1-RCC-1", "652827-202601-9-RCC-1");
        let taken = take(&treasury, AnswerKind::Return, enveloped("8207", "1", "652827-202601-9-RCC-1", foreign));
        refused(office.changes_nothing(taken).await, "RETURN_FILE_UNKNOWN");

        let taken = take(&treasury, AnswerKind::Return, good.clone()).await.unwrap();
        assert_eq!((taken.credited.rows, taken.credited.amount, taken.rejected.rows), (4, yuan(480), 1));
        assert!(taken.settled && taken.findings.is_empty(), "{taken:?}");
        assert_eq!(office.holds().await[0].reason, HoldReason::Bank(ReasonClass::AccountClosed));
        assert!(take(&treasury, AnswerKind::Return, good).await.unwrap().already.is_some());
        office.doctor().await;

        // A week later the receiving bank gives one back.
        office.go_to("2026-01-22");
        let treasury = finance(office);
        let notice = refund(bytes, 1, "账号与户名不符");
        let wrong = take(&treasury, AnswerKind::Return, notice.clone());
        refused(office.changes_nothing(wrong).await, "OTHER_ANSWER_KIND");
        let taken = take(&treasury, AnswerKind::LateReturn, notice.clone()).await.unwrap();
        assert_eq!((taken.returned.rows, taken.returned.amount, taken.holds), (1, yuan(120), 1));
        assert!(taken.findings.is_empty(), "{:?}", taken.findings);
        let reasons: Vec<HoldReason> = office.holds().await.iter().map(|hold| hold.reason).collect();
        assert!(reasons.contains(&HoldReason::Bank(ReasonClass::NameMismatch)), "{reasons:?}");
        assert!(take(&treasury, AnswerKind::LateReturn, notice).await.unwrap().already.is_some());
        // Money that never arrived cannot come back.
        let never = take(&treasury, AnswerKind::LateReturn, refund(bytes, 2, "退")).await.unwrap();
        assert_eq!((never.returned.rows, never.findings[0].code), (0, "LATE_RETURN_NOT_CREDITED"));
        let (_, reserved, paid) = office.money().await;
        assert_eq!((reserved, paid), (yuan(0), yuan(360)));
        office.doctor().await;
    })
    .await;
}

/// The county's scheme with a smaller document before its own.
fn two_documents(first: &str) -> String {
    let smaller = format!(
        "[[appropriation]]\nyear = 2026\ndocument = \"巴财社〔2025〕97号\"\nproject = \"生活补贴\"\nfunction_code = \"2080601\"\n\
         economic_code = \"30305\"\nsource = \"superior\"\nexpenditure = \"project\"\namount = \"{first}\"\n\n[[appropriation]]"
    );
    SCHEME.replacen("[[appropriation]]", &smaller, 1)
}

#[tokio::test]
async fn each_appropriation_has_vouchers_of_its_own() {
    on_both_engines_with(&two_documents("240.00"), async |office| {
        office.import(&people(office)).await;
        let mut treasury = finance(office);
        let layout = treasury.banks.layout("treasury").unwrap().clone();
        treasury.banks.layouts.push(Layout { row_limit: 2, ..layout });
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        let issued = issue_files(&treasury, &run.code).await.unwrap();
        let drawn = |bytes: &[u8]| {
            let voucher = &open(bytes).unwrap()[0].voucher;
            format!("{} {}", voucher.text_at("FileNoCode"), voucher.text_at("PayAmt"))
        };
        let drawn: Vec<String> = issued.files.iter().map(|f| drawn(&f.bytes)).collect();
        assert_eq!(drawn, ["巴财社〔2025〕97号 240.00", "巴财社〔2025〕98号 240.00", "巴财社〔2025〕98号 120.00"]);
        for file in &issued.files {
            take(&treasury, AnswerKind::Return, receipt(&file.bytes, |_| "")).await.unwrap();
        }
        assert_eq!(office.run(&run.code).await.state.code(), "settled");
        let paid: Vec<Money> = office.appropriations().await.iter().map(|a| a.paid).collect();
        assert_eq!(paid, [yuan(240), yuan(360)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_out_of_two_documents_fits_no_voucher() {
    on_both_engines_with(&two_documents("300.00"), async |office| {
        office.import(&people(office)).await;
        let treasury = finance(office);
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        let issued = issue_files(&treasury, &run.code);
        let failure = refused(office.changes_nothing(issued).await, "CANNOT_WRITE");
        assert!(failure.message.contains("第 3 笔由两个预算指标支付"), "{}", failure.message);
        assert_eq!(office.run(&run.code).await.state.code(), "approved");
        office.doctor().await;
    })
    .await;
}
