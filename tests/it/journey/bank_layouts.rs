//! Banks with files of their own: what goes out, what comes back in the bank's words, to the fen.

use encoding_rs::GBK;
use fafang::domain::bank::ReasonClass;
use fafang::domain::hold::HoldReason;
use fafang::failure::Failure;
use fafang::formats::bank::book::{add, check_whole};
use fafang::formats::bank::neutral::AnswerKind;
use fafang::office::Office;
use fafang::workflow::issue_files::{Issued, issue_files};
use fafang::workflow::take_return::{AnswerFile, Taken, take_returns};
use fafang::workflow::try_layout::try_layout;

use crate::support::{Row, TestOffice, on_both_engines, refused, yuan};

/// The finance desk, with the credit union moved to a layout as an office does it.
fn finance(office: &TestOffice, layout: &str) -> Office {
    let mut finance = office.as_finance();
    let entry = format!(
        "[[bank]]\ncode = \"RCC\"\nlayout = \"{layout}\"\npayer_bank = \"00001\"\npayer_account = \"3000000000000000018\"\n\
         payer_name = \"和静县社会保险中心\"\nunit_no = \"1001\"\nbank_no = \"402000000001\"\namount_unit = \"yuan\"\n"
    );
    add(&mut finance.banks, &entry).unwrap();
    check_whole(&finance.banks).unwrap();
    finance
}

/// People of the credit union whose names every bank can write.
fn people(office: &TestOffice) -> Vec<Row> {
    let mut people = office.neighbours(5);
    for (row, name) in people.iter_mut().zip(["王東", "李建国", "张秀英", "阿依古丽·买买提", "马玉兰"])
    {
        row.name = name.into();
    }
    people
}

async fn send(office: &TestOffice, finance: &Office, month: &str) -> Issued {
    let run = office.prepare(month).await.run;
    office.sign(&run).await;
    issue_files(finance, &run.code).await.unwrap()
}

async fn take(
    finance: &Office,
    kind: AnswerKind,
    name: &str,
    text: &str,
    answers: Option<&str>,
) -> Result<Taken, Failure> {
    let (bytes, _, unmappable) = GBK.encode(text);
    assert!(!unmappable);
    let file = AnswerFile { name: name.into(), bytes: bytes.into_owned(), answers: answers.map(String::from) };
    Ok(take_returns(finance, kind, [Ok(file)]).await?.remove(0))
}

/// The rows of a payment file as the bank sees them.
fn rows(bytes: &[u8], is_row: impl Fn(&[&str]) -> bool) -> Vec<Vec<String>> {
    let (text, _, malformed) = GBK.decode(bytes);
    assert!(!malformed);
    let cells = text.lines().map(|line| line.split('|').collect::<Vec<_>>());
    cells.filter(|cells| is_row(cells)).map(|cells| cells.into_iter().map(String::from).collect()).collect()
}

fn icbc_return(bytes: &[u8], status: impl Fn(usize) -> (&'static str, &'static str)) -> String {
    let head = "[BatchPayDetail]\r\n查询时间：2026-01-16\r\n批次号：HQP1\r\n\
                序号|币种|付款账号|付款单位名称|收款账号|收款单位名称|金额|用途|网上银行状态|银行反馈信息\r\n";
    let rows = rows(bytes, |cells| cells.len() > 10 && cells[2] == "2");
    let line = |(at, cells): (usize, &Vec<String>)| {
        let (account, holder, fen, purpose) = (&cells[11], &cells[12], cells[13].parse::<i64>().unwrap(), &cells[14]);
        let (status, said) = status(at);
        let amount = format!("{}.{:02}元", fen / 100, fen % 100);
        format!(
            "HQP1-{}|人民币|{}|{}|{account}|{holder}|{amount}|{purpose}|{status}|{said}\r\n",
            at + 1,
            cells[5],
            cells[6]
        )
    };
    head.to_string() + &rows.iter().enumerate().map(line).collect::<String>()
}

#[tokio::test]
async fn a_month_through_icbc_and_one_through_ccb_reconcile_to_the_fen() {
    on_both_engines(async |office| {
        office.import(&people(office)).await;
        // January: the workers' bank, one account is closed.
        let icbc = finance(office, "icbc-bpt");
        let issued = send(office, &icbc, "2026-01").await;
        assert_eq!(issued.files.len(), 1);
        let (file, bytes) = (&issued.files[0].file, &issued.files[0].bytes);
        assert_eq!((file.name.as_str(), file.layout_code.as_str()), ("20260115000101.bpt", "icbc-bpt"));
        let again = issue_files(&icbc, &issued.run.code).await.unwrap();
        assert_eq!((again.again, &again.files[0].bytes), (true, bytes));
        let answer = icbc_return(bytes, |at| {
            if at == 2 { ("处理失败", "0212:已销户") } else { ("处理成功", "全部成功") }
        });
        let taken = take(&icbc, AnswerKind::Return, "batpaydetaildl.txt", &answer, None).await.unwrap();
        assert_eq!((taken.credited.rows, taken.credited.amount, taken.rejected.rows), (4, yuan(480), 1));
        assert!(taken.settled && taken.findings.is_empty() && taken.notices.is_empty(), "{taken:?}");
        assert_eq!(office.holds().await[0].reason, HoldReason::Bank(ReasonClass::AccountClosed));
        let twice = take(&icbc, AnswerKind::Return, "batpaydetaildl.txt", &answer, None).await.unwrap();
        assert!(twice.already.is_some());
        assert_eq!(office.money().await.2, yuan(480));
        office.doctor().await;

        // February: the construction bank, which returns nothing of ours; one row says nothing that counts.
        office.go_to("2026-02-12");
        let ccb = finance(office, "ccb-private-a");
        let issued = send(office, &ccb, "2026-02").await;
        let rows = rows(&issued.files[0].bytes, |cells| cells.len() == 4);
        assert_eq!(rows.len(), 4, "who has no account is on hold");
        let answer = |status: &str| -> String {
            let line = |(at, cells): (usize, &Vec<String>)| {
                let status = if at == 1 { status } else { "成功" };
                format!("{}|{}|{}|{status}|\r\n", cells[0], cells[1], cells[2])
            };
            rows.iter().enumerate().map(line).collect()
        };
        let unclear = answer("未成功");
        let unnamed = take(&ccb, AnswerKind::Return, "回盘.txt", &unclear, None);
        refused(office.changes_nothing(unnamed).await, "RETURN_FILE_UNKNOWN");
        let january = take(&ccb, AnswerKind::Return, "回盘.txt", &unclear, Some(&file.file_ref));
        refused(office.changes_nothing(january).await, "BANK_FILE_EMPTY");
        let reference = issued.files[0].file.file_ref.as_str();
        let first = take(&ccb, AnswerKind::Return, "回盘.txt", &unclear, Some(reference)).await.unwrap();
        assert_eq!((first.credited.rows, first.rejected.rows, first.open.rows), (3, 0, 1));
        assert_eq!(first.findings[0].code, "RETURN_STATUS_UNKNOWN");
        assert!(first.findings[0].message.contains("应为 成功、失败"), "{}", first.findings[0].message);
        assert!(first.notices[0].contains("按账号、户名、金额"), "{:?}", first.notices);
        // The final file bears the name of ours: nobody has to say which it is.
        let name = format!("R_{}", issued.files[0].file.name);
        let second = take(&ccb, AnswerKind::Return, &name, &answer("成功"), None).await.unwrap();
        assert_eq!((second.credited.rows, second.open.rows, second.settled), (1, 0, true));
        assert_eq!(office.money().await, (office.money().await.0, yuan(0), yuan(960)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn sent_to_the_bank_is_open_until_it_is_credited_and_may_come_back_later() {
    on_both_engines(async |office| {
        office.import(&people(office)).await;
        let pay = finance(office, "unionpay-chinapay");
        let issued = send(office, &pay, "2026-01").await;
        let rows = rows(&issued.files[0].bytes, |cells| cells.len() == 11);
        let answer = |status: &dyn Fn(usize) -> &'static str| -> String {
            let line = |(at, r): (usize, &Vec<String>)| {
                let status = status(at);
                format!(
                    "{0}|1001|{1}|{0}|1|1|{0}||{status}|{2}|{3}|{4}|{5}|0|||||{6}||x|{7}\r\n",
                    r[0],
                    r[1],
                    r[2],
                    r[3],
                    r[4],
                    r[8],
                    r[9],
                    at + 1
                )
            };
            rows.iter().enumerate().map(line).collect()
        };
        let first = answer(&|at| if at < 2 { "5" } else { "s" });
        let taken = take(&pay, AnswerKind::Return, "TransDetail1.txt", &first, None).await.unwrap();
        assert_eq!((taken.credited.rows, taken.open.rows, taken.findings.len()), (3, 2, 0));
        let second = answer(&|_| "s");
        let taken = take(&pay, AnswerKind::Return, "TransDetail2.txt", &second, None).await.unwrap();
        assert_eq!((taken.credited.rows, taken.settled), (2, true));
        let third = second.clone() + "\r\n";
        let nothing = take(&pay, AnswerKind::LateReturn, "TransDetail3.txt", &third, None);
        refused(office.changes_nothing(nothing).await, "OTHER_ANSWER_KIND");
        let late: String = answer(&|_| "6").lines().take(1).collect();
        let taken = take(&pay, AnswerKind::LateReturn, "TransDetail4.txt", &late, None).await.unwrap();
        assert_eq!((taken.returned.rows, taken.returned.amount), (1, yuan(120)));
        assert_eq!(office.money().await.2, yuan(480));
        office.doctor().await;
    })
    .await;
}

/// An answer in XML that tells neither account nor amount: the number of the request says which file it answers, and
/// nothing else does.
#[tokio::test]
async fn an_answer_in_xml_counts_for_the_file_whose_number_it_brings_back() {
    on_both_engines(async |office| {
        office.import(&people(office)).await;
        let aipg = finance(office, "unionpay-aipg");
        let issued = send(office, &aipg, "2026-01").await;
        let (file, sent) = (&issued.files[0].file, GBK.decode(&issued.files[0].bytes).0);
        assert!(sent.contains(&format!("<REQ_SN>{}</REQ_SN>", file.file_ref)) && sent.contains("<TOTAL_SUM>60000<"));
        assert_eq!(sent.matches("<AMOUNT>12000</AMOUNT>").count(), 5);
        let answer = |reference: &str, code: &dyn Fn(usize) -> &'static str| -> String {
            let row = |at| format!("<RET_DETAIL><SN>{at:04}</SN><RET_CODE>{}</RET_CODE><ERR_MSG/></RET_DETAIL>\n", code(at));
            let rows: String = (1..=5).map(row).collect();
            format!(
                "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<AIPG><INFO><REQ_SN>{reference}</REQ_SN></INFO>\n<BODY>{rows}</BODY></AIPG>"
            )
        };
        let first = |at| ["", "0000", "3018", "4000", "3028", "0000"][at];
        let other = answer("652827-202512-1-RCC-1", &first);
        let unnamed = take(&aipg, AnswerKind::Return, "回盘.xml", &other, None);
        let failure = refused(office.changes_nothing(unnamed).await, "RETURN_FILE_UNKNOWN");
        assert!(failure.message.contains("“652827-202512-1-RCC-1”，没有发出过"), "{}", failure.message);
        // Also where the clerk says that it is this file's.
        let named = take(&aipg, AnswerKind::Return, "回盘.xml", &other, Some(&file.file_ref));
        let failure = refused(office.changes_nothing(named).await, "RETURN_HEADER_DIFFERS");
        assert!(failure.message.contains("文件编号: 652827-202512-1-RCC-1，应为"), "{}", failure.message);
        let good = answer(&file.file_ref, &first);
        let cut = good.split("</BODY>").next().unwrap();
        let damaged = take(&aipg, AnswerKind::Return, "回盘.xml", cut, None);
        refused(office.changes_nothing(damaged).await, "XML_TRUNCATED");

        let taken = take(&aipg, AnswerKind::Return, "回盘.xml", &good, None).await.unwrap();
        assert_eq!((taken.credited.rows, taken.rejected.rows, taken.open.rows), (3, 1, 1));
        assert!(taken.findings.is_empty() && taken.notices[0].contains("账号和金额以报盘为准"), "{taken:?}");
        assert_eq!(office.holds().await[0].reason, HoldReason::Bank(ReasonClass::AccountClosed));
        let settled = answer(&file.file_ref, &|at| if at == 4 { "0000" } else { first(at) });
        let taken = take(&aipg, AnswerKind::Return, "回盘2.xml", &settled, None).await.unwrap();
        assert!(taken.settled, "{taken:?}");
        let mut late = answer(&file.file_ref, &|_| "3056").replace("<BODY>", "<BODY>\n");
        let other_rows = |line: &&str| !line.contains("<SN>") || line.contains("<SN>0005<");
        late = late.lines().filter(other_rows).collect();
        let taken = take(&aipg, AnswerKind::LateReturn, "退票.xml", &late, None).await.unwrap();
        assert_eq!((taken.returned.rows, taken.returned.amount), (1, yuan(120)));
        assert_eq!(office.money().await.2, yuan(360));
        office.doctor().await;
    })
    .await;
}

/// Trap 11 and the refusals of a core system: the answer to another file is refused whole, with what differs.
#[tokio::test]
async fn trap_11_an_answer_to_another_batch_date_total_or_unit_is_refused_whole() {
    on_both_engines(async |office| {
        office.import(&people(office)).await;
        let city = finance(office, "city-bank-core");
        let issued = send(office, &city, "2026-01").await;
        let reference = issued.files[0].file.file_ref.as_str();
        let good = city_return(&issued.files[0].bytes, "成功|");
        assert!(good.starts_with("0|1|20260115|1001|4|5|5|600.00|\r\n"));
        for (from, to, named) in [
            ("|1001|", "|1002|", "单位编号: 1002，应为 1001"),
            ("|20260115|", "|20260116|", "支付日期: 2026-01-16，应为 2026-01-15"),
            ("|5|600.00|", "|5|599.99|", "报盘总金额: 599.99，应为 600.00"),
            ("|5|600.00|", "|6|600.00|", "报盘总笔数: 6，应为 5"),
        ] {
            let wrong = good.replacen(from, to, 1);
            assert_ne!(wrong, good);
            let taken = take(&city, AnswerKind::Return, "回盘.txt", &wrong, Some(reference));
            let failure = refused(office.changes_nothing(taken).await, "RETURN_HEADER_DIFFERS");
            assert!(failure.message.contains(named), "{}", failure.message);
        }
        // The sum of a complete answer must be that of the file.
        let more = good.replacen("|120.00|", "|121.00|", 1);
        let taken = take(&city, AnswerKind::Return, "回盘.txt", &more, Some(reference));
        refused(office.changes_nothing(taken).await, "RETURN_HEADER_DIFFERS");
        let foreign = good.replace("|629", "|628");
        let taken = take(&city, AnswerKind::Return, "回盘.txt", &foreign, Some(reference));
        refused(office.changes_nothing(taken).await, "RETURN_HEADER_DIFFERS");
        let nowhere = take(&city, AnswerKind::Return, "回盘.txt", &good, Some("652827-202512-9-RCC-1"));
        refused(office.changes_nothing(nowhere).await, "RETURN_FILE_UNKNOWN");
        let taken = take(&city, AnswerKind::Return, "回盘.txt", &good, Some(reference)).await.unwrap();
        assert_eq!((taken.credited.rows, taken.settled, taken.findings.len()), (5, true, 0));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_the_bank_cannot_write_stops_the_file_and_a_trial_shows_it_before() {
    on_both_engines(async |office| {
        let mut people = people(office);
        people[1].name = "李𬭎".into();
        office.import(&people).await;
        let run = office.prepare("2026-01").await.run;
        let icbc = finance(office, "icbc-bpt");
        let failure = refused(office.changes_nothing(try_layout(&icbc, "icbc-bpt", &run.code)).await, "CANNOT_WRITE");
        assert!(failure.message.contains("（李*）户名: 含有“𬭎”(U+2CB4E)，GBK"), "{}", failure.message);
        let tried = office.changes_nothing(try_layout(&icbc, "neutral", &run.code)).await.unwrap();
        assert_eq!((tried.len(), tried[0].bank_code.as_str()), (1, "RCC"));
        office.sign(&run).await;
        let issued = issue_files(&icbc, &run.code);
        refused(office.changes_nothing(issued).await, "CANNOT_WRITE");
        assert_eq!(office.run(&run.code).await.state.code(), "approved");
        office.doctor().await;
    })
    .await;
}

/// A city bank's answer to a payment file, each row with this fate.
fn city_return(bytes: &[u8], fate: &str) -> String {
    let text = GBK.decode(bytes).0.into_owned();
    let (head, body) = text.split_once("\r\n").unwrap();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        format!("{}|{}|{}|{}|{fate}\r\n", cells[0], cells[1], cells[2], cells[3])
    };
    let rows: String = body.lines().map(line).collect();
    format!("{head}\r\n顺序编号|客户姓名|金额|账号|处理结果|失败原因\r\n{rows}")
}

/// The bank refuses the file for what is nobody's fault: nobody is on hold, the money is free, and the same payments go
/// out in a new file, which the bank credits.
async fn refused_whole(text: &str, what_to_do: &str) {
    on_both_engines(async |office| {
        office.import(&people(office)).await;
        let city = finance(office, "city-bank-core");
        let issued = send(office, &city, "2026-01").await;
        let (old, bytes) = (&issued.files[0].file, &issued.files[0].bytes);
        let answer = city_return(bytes, &format!("失败|{text}"));
        let taken = take(&city, AnswerKind::Return, "回盘.txt", &answer, Some(&old.file_ref)).await.unwrap();
        assert_eq!((taken.rejected.rows, taken.rejected.amount, taken.open.rows), (5, yuan(600), 0));
        assert!(taken.settled && taken.findings.is_empty() && taken.holds == 0, "{taken:?}");
        let told = taken.notices.iter().find(|notice| notice.contains("整个退回")).expect("told what to do");
        for part in [text, &old.name, "5 笔 600.00 元", what_to_do, "--period 2026-01 --kind supplementary", "不要再送"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(office.holds().await.is_empty());
        assert_eq!(office.money().await, (yuan(289_000), yuan(0), yuan(0)));

        let more = office.prepare_more("2026-01").await;
        assert_eq!((more.run.payments, more.run.total, more.held.len()), (5, yuan(600), 0));
        office.sign(&more.run).await;
        let again = issue_files(&city, &more.run.code).await.unwrap();
        let (new, new_bytes) = (&again.files[0].file, &again.files[0].bytes);
        assert_ne!((&new.name, &new.file_ref), (&old.name, &old.file_ref));
        let body = |bytes: &[u8]| GBK.decode(bytes).0.split_once("\r\n").unwrap().1.to_string();
        assert_eq!(body(new_bytes), body(bytes), "the same payments, line by line");
        let credited = city_return(new_bytes, "成功|");
        // The bank's word on the new file is none on the old one.
        let late = take(&city, AnswerKind::Return, "回盘2.txt", &credited, Some(&new.file_ref)).await.unwrap();
        assert_eq!((late.credited.rows, late.settled, late.notices.len()), (5, true, taken.notices.len() - 1));
        assert_eq!(office.money().await, (yuan(289_000 - 600), yuan(0), yuan(600)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn file_refused_because_the_balance_of_the_paying_account_is_too_small() {
    refused_whole("付款账户余额不足", "补足付款账户资金以后").await;
}

#[tokio::test]
async fn file_refused_because_the_paying_account_is_closed_or_frozen() {
    refused_whole("付款账户状态异常", "按银行说的原因处理以后").await;
}

#[tokio::test]
async fn file_refused_because_of_another_unit_number() {
    refused_whole("单位编号不符", "按银行说的原因处理以后").await;
}

#[tokio::test]
async fn file_refused_because_its_date_is_not_the_banks_day() {
    refused_whole("批量日期不是银行当日", "按银行说的原因处理以后").await;
}

#[tokio::test]
async fn file_refused_because_its_lines_do_not_sum_up_to_the_head() {
    refused_whole("明细合计与总金额不符", "按银行说的原因处理以后").await;
}

#[tokio::test]
async fn file_refused_because_its_lines_are_not_as_many_as_the_head_says() {
    refused_whole("明细笔数与总笔数不符", "按银行说的原因处理以后").await;
}
