//! The bank's own statements: what was sent, what came back, what only the bank knew, and the month's table of balances.

use fafang::domain::money::Money;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::workflow::explain_finding::explain_finding;
use fafang::workflow::take_statement::{Said, StatementFile, match_entry, take_statements};

use crate::support::statements::{ACCOUNT, Booking, Table, mt940, table, tables, take, try_take};
use crate::support::{TestOffice, on_both_engines, paper, refused};

/// Its account at the second bank.
const OTHER: &str = "300200000002";

const FILE: &str = "652827-202601-1-RCC-1";

/// January of three people at one bank, 360.00 in one file; the first is rejected.
async fn january(office: &TestOffice) -> Vec<u8> {
    office.import(&office.neighbours(3)).await;
    let file = office.send("2026-01").await.files.remove(0);
    assert_eq!((&*file.file.file_ref, file.file.total_fen), (FILE, 36_000));
    let mut answer = paper::all_credited(&file.bytes);
    paper::reject(&mut answer, 0, "3028");
    office.take(&paper::bytes(&answer)).await;
    file.bytes
}

/// The third comes back late.
async fn late_return(office: &TestOffice, file: &[u8]) {
    let mut late = paper::all_returned(file);
    late.rows.retain(|row| row.line_no == "3");
    office.take_late(&paper::bytes(&late)).await;
}

/// What the bank booked in January.
const BOOKED: [Booking<'static>; 7] = [
    ("0105", 100_000, "", "T1", "财政拨款 2026年补贴"),
    ("0115", -36_000, FILE, "T2", "代发补贴"),
    ("0116", 12_000, "", "T3", "代发失败退回 652827-202601-1-RCC-1"),
    ("0121", 53, "", "T4", "结息"),
    ("0122", -500, "", "T5", "汇划手续费"),
    ("0123", 12_000, "652827-202601-1-3", "T6", "退票 户名不符"),
    ("0126", 3_300, "", "T7", "张三 往来款"),
];

#[tokio::test]
async fn a_month_foots_and_a_foreign_entry_is_carried_over_until_it_is_explained() {
    on_both_engines(async |office| {
        let file = january(office).await;
        office.go_to("2026-01-24");
        late_return(office, &file).await;
        office.go_to("2026-02-02");
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        let expected = "bank_statement +1, finding +1, kept_file +1, statement_entry +7, statement_match +6";
        let statement = mt940(ACCOUNT, "1", 50, &BOOKED, "0131");
        let taken = office.changes(expected, take(&desk, &[&statement])).await;
        let kinds: Vec<_> = taken.answered.iter().map(|(kind, (count, sum))| (*kind, *count, sum.fen())).collect();
        let all = [
            ("charge", 1, -500),
            ("funding", 1, 100_000),
            ("interest", 1, 53),
            ("rejected", 1, 12_000),
            ("returned", 1, 12_000),
            ("sent", 1, -36_000),
        ];
        assert_eq!(kinds, all);
        assert_eq!((taken.open, taken.findings.len(), taken.findings[0].code), (1, 1, "STATEMENT_FOREIGN"));
        assert!(taken.findings[0].message.contains("2026-01-26 33.00 元（张三 往来款，T7）"), "{:?}", taken.findings);

        // The late return stands in our books on the 24th; the bank had it on the 23rd: the same month.
        let closing = 50 + BOOKED.iter().map(|b| b.1).sum::<i64>();
        let expected = Table {
            bank: closing,
            book: closing - 3_300,
            ours: (0, 0),
            banks: (3_300, 0),
            right: closing,
            open: vec!["银行已收单位未收 2026-01-26 5天 33.00".into()],
        };
        assert_eq!(tables(&desk, "2026-01").await, [expected]);
        let february = tables(&desk, "2026-02").await;
        assert_eq!(february[0].open, ["银行已收单位未收 2026-01-26 33天 33.00"]);

        explain_finding(&desk, 1, "退还的误转款，已转出").await.unwrap();
        assert_eq!(tables(&desk, "2026-01").await[0].open.len(), 1, "January was as it was");
        let february = tables(&desk, "2026-02").await;
        assert_eq!((february[0].book, february[0].banks, february[0].open.len()), (closing, (0, 0), 0));
        let again = office.changes_nothing(take(&desk, &[&statement])).await;
        assert!(again.already[0].contains("已由 财务 于 2026-02-02 读入"), "{:?}", again.already);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn overlapping_statements_and_another_format_count_each_entry_once() {
    on_both_engines(async |office| {
        let file = january(office).await;
        office.go_to("2026-01-24");
        late_return(office, &file).await;
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        let first = mt940(ACCOUNT, "1", 50, &BOOKED[..3], "0120");
        let second = mt940(ACCOUNT, "2", 50 + 100_000, &BOOKED[1..], "0131");
        // Given in the wrong order: they are taken in by their days.
        let taken = take(&desk, &[&second, &first]).await;
        let counted: Vec<_> = taken.statements.iter().map(|s| (s.statement.entries.len(), s.new)).collect();
        assert_eq!(counted, [(3, 3), (6, 4)]);
        assert_eq!(taken.answered.values().map(|(count, _)| count).sum::<usize>(), 6);
        let month = table(ACCOUNT, 50, &BOOKED, "0131");
        let expected = "bank_statement +1, kept_file +1";
        let taken = office.changes(expected, take(&desk, &[&month])).await;
        assert_eq!((taken.statements[0].new, taken.open), (0, 1));
        let table = &tables(&desk, "2026-01").await[0];
        assert_eq!(table.bank, 50 + BOOKED.iter().map(|b| b.1).sum::<i64>());
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_bank_has_and_we_have_not_yet_and_the_other_way_round() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        take(&desk, &[&mt940(ACCOUNT, "1", 0, &[("0105", 100_000, "", "T1", "财政拨款")], "0110")]).await;
        office.go_to("2026-01-30");
        let file = office.send("2026-01").await.files.remove(0);
        // Sent on the last working day, debited in February.
        let table = &tables(&desk, "2026-01").await[0];
        assert_eq!((table.ours, table.book, table.right), ((0, 36_000), 64_000, 64_000));
        assert_eq!(table.open, ["单位已付银行未付 2026-01-30 1天 360.00"]);

        // The bank's money is back before its return and its late return were taken in.
        let february = [
            ("0202", -36_000, FILE, "T2", "代发"),
            ("0203", 12_000, "652827-202601-1-1", "T3", "失败退回"),
            ("0204", 12_000, "652827-202601-1-3", "T4", "退票"),
        ];
        office.go_to("2026-02-27");
        let taken = take(&desk, &[&mt940(ACCOUNT, "2", 100_000, &february, "0228")]).await;
        let codes: Vec<_> = taken.findings.iter().map(|f| f.code).collect();
        assert_eq!((codes, taken.open), (vec!["STATEMENT_RETURN_MISSING"; 2], 2));
        assert!(taken.findings[0].message.contains("还没有读入"), "{:?}", taken.findings);
        let open = &tables(&desk, "2026-02").await[0];
        assert_eq!((open.banks, open.ours), ((24_000, 0), (0, 0)));

        office.go_to("2026-03-03");
        let mut answer = paper::all_credited(&file.bytes);
        paper::reject(&mut answer, 0, "3028");
        office.take(&paper::bytes(&answer)).await;
        late_return(office, &file.bytes).await;
        let matched = office.changes("finding ~2, statement_match +2", take(&desk, &[])).await;
        assert_eq!((matched.settled_findings.len(), matched.open), (2, 0));
        office.changes_nothing(take(&desk, &[])).await;
        // At the end of February we did not have it yet.
        let february = &tables(&desk, "2026-02").await[0];
        assert_eq!((february.banks, february.open.len()), ((24_000, 0), 2));
        let march = &tables(&desk, "2026-03").await[0];
        assert_eq!((march.book, march.bank, march.open.len()), (88_000, 88_000, 0));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn two_files_of_the_same_amount_on_one_day_are_told_apart_by_reference_alone() {
    on_both_engines(async |office| {
        let people = office.people(60);
        let of = |bank: &str| {
            people.iter().find(|p| p.bank == office.as_finance().banks.bank(bank).unwrap().name).unwrap().clone()
        };
        office.import(&[of("RCC"), of("PSBC")]).await;
        let files = office.send("2026-01").await.files;
        assert_eq!(files.iter().map(|f| f.file.total_fen).collect::<Vec<_>>(), [12_000, 12_000]);
        // One account pays both banks' files.
        let desk = office.paying(&[("RCC", ACCOUNT), ("PSBC", ACCOUNT)]);
        let booked = [("0115", -12_000, "", "T1", "代发"), ("0115", -12_000, "", "T2", "代发")];
        let taken = take(&desk, &[&mt940(ACCOUNT, "1", 50_000, &booked, "0120")]).await;
        let codes: Vec<_> = taken.findings.iter().map(|f| f.code).collect();
        assert_eq!((codes, taken.answered.len()), (vec!["STATEMENT_AMBIGUOUS"; 2], 0));
        let table = &tables(&desk, "2026-01").await[0];
        assert_eq!((table.ours, table.banks), ((0, 24_000), (0, 24_000)));

        // A clerk knows from the bank's slip which is which; then the other is alone.
        let [first, second] = [&files[0].file.file_ref, &files[1].file.file_ref];
        refused(match_entry(&desk, 9, std::slice::from_ref(first)).await, "ENTRY_NOT_OPEN");
        refused(match_entry(&desk, 1, &["652827-202601-1-CCB-9".into()]).await, "UNKNOWN_REFERENCE");
        let matched = match_entry(&desk, 1, std::slice::from_ref(second));
        assert_eq!(office.changes("finding ~1, statement_match +1", matched).await.unwrap(), Money(-12_000));
        refused(match_entry(&desk, 2, std::slice::from_ref(second)).await, "STATEMENT_TWICE");
        let rest = office.changes("finding ~1, statement_match +1", take(&desk, &[])).await;
        assert_eq!((rest.answered["sent"].0, rest.open), (1, 0));
        assert!(tables(&desk, "2026-01").await[0].open.is_empty());
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn what_does_not_foot_or_chain_or_belong_is_refused_whole() {
    on_both_engines(async |office| {
        january(office).await;
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        let good = mt940(ACCOUNT, "1", 50, &BOOKED[..3], "0120");
        let text = String::from_utf8_lossy(&good).into_owned();
        let says = async |files: &[&[u8]], code| refused(office.changes_nothing(try_take(&desk, files)).await, code);
        let broken = text.replace(":62F:C260120CNY760,50", ":62F:C260120CNY760,51").into_bytes();
        let failure = says(&[&broken, &good], "STATEMENT_DOES_NOT_FOOT").await;
        assert!(failure.message.contains("期初余额 0.50 + 发生额合计 760.00 ≠ 期末余额 760.51"), "{}", failure.message);
        let both = says(&[&broken, b"\x00"], "STATEMENT_DOES_NOT_FOOT").await;
        assert!(both.message.contains("2 个文件被退回"), "{}", both.message);
        take(&desk, &[&good]).await;
        let gap = mt940(ACCOUNT, "3", 76_000, &BOOKED[4..], "0131");
        let failure = says(&[&gap], "STATEMENT_DOES_NOT_CHAIN").await;
        assert!(failure.message.contains("3001****0001"), "{}", failure.message);
        assert!(
            failure.message.contains("期初余额 760.00 与已读入的 2026-01-22 之前的余额 760.50 不衔接，差 -0.50"),
            "{}",
            failure.message
        );
        let other = mt940(ACCOUNT, "4", 50, &[BOOKED[0], BOOKED[1], ("0116", 12_000, "", "X9", "退回")], "0120");
        says(&[&other], "STATEMENT_CONTRADICTS").await;
        let stranger = mt940("300100000009", "1", 0, &[], "0131");
        says(&[&stranger], "STATEMENT_BANK_UNKNOWN").await;
        let said = |bank, account| Said { bank, account, place: None };
        let file = |bytes: &[u8]| [Ok(StatementFile { name: "对账单".into(), bytes: bytes.to_vec() })];
        let next = mt940(ACCOUNT, "2", 76_050, &BOOKED[3..], "0131");
        for (said, code) in [
            (said(Some("PSBC"), None), "STATEMENT_BANK_DIFFERS"),
            (said(None, Some("300100000009")), "STATEMENT_ACCOUNT_DIFFERS"),
        ] {
            refused(office.changes_nothing(take_statements(&desk, file(&next), said)).await, code);
        }
        let bare = table("", 76_050, &BOOKED[3..], "0131");
        refused(take_statements(&desk, file(&bare), Said::default()).await, "STATEMENT_ACCOUNT_UNKNOWN");
        take_statements(&desk, file(&bare), said(None, Some("3001-0000-0001"))).await.unwrap();
        refused(take_statements(&office.as_maker(), file(&next), Said::default()).await, "WRONG_ROLE");
        // Two accounts at a bank of which the office has not said which one pays.
        let silent = office.as_finance();
        let one = mt940("300200000001", "1", 0, &[], "0131");
        let two = mt940("300200000002", "1", 0, &[], "0131");
        take_statements(&silent, file(&one), said(Some("PSBC"), None)).await.unwrap();
        refused(take_statements(&silent, file(&two), said(Some("PSBC"), None)).await, "STATEMENT_WHICH_ACCOUNT");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn one_strange_line_stops_no_other_and_wrong_amounts_and_second_times_are_named() {
    on_both_engines(async |office| {
        january(office).await;
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        let booked = [
            ("0115", -36_001, FILE, "T1", "代发，多扣一分"),
            ("0115", -36_000, FILE, "T2", "代发"),
            ("0115", -36_000, FILE, "T3", "代发，又一次"),
            ("0116", 12_000, "652827-202601-1-1", "T4", "冲正"),
            ("0116", 12_000, "652827-202601-1-1", "T4", "冲正"),
            ("0117", -777, "", "T5", "某某公司"),
        ];
        let taken = take(&desk, &[&mt940(ACCOUNT, "1", 500_000, &booked, "0120")]).await;
        let codes: Vec<_> = taken.findings.iter().map(|f| f.code).collect();
        let expected = ["STATEMENT_AMOUNT_DIFFERS", "STATEMENT_TWICE", "STATEMENT_TWICE", "STATEMENT_FOREIGN"];
        assert_eq!((codes, taken.answered.len()), (expected.to_vec(), 2));
        assert!(taken.findings[0].message.contains("账上应为 -360.00 元"), "{:?}", taken.findings);
        let table = &tables(&desk, "2026-01").await[0];
        assert_eq!(table.banks, (12_000, 36_001 + 36_000 + 777));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_bank_that_books_each_payment_is_followed_payment_by_payment() {
    on_both_engines(async |office| {
        january(office).await;
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        let booked = [
            ("0115", -12_000, "652827-202601-1-1", "T1", ""),
            ("0115", -12_000, "652827-202601-1-2", "T2", ""),
            ("0115", -12_000, "652827-202601-1-3", "T3", ""),
            ("0116", 12_000, "652827-202601-1-1", "T4", "冲正"),
        ];
        let first = take(&desk, &[&mt940(ACCOUNT, "1", 40_000, &booked[..2], "0115")]).await;
        assert_eq!((first.answered["sent"].0, first.open), (2, 0));
        assert_eq!(
            tables(&desk, "2026-01").await[0].ours,
            (12_000, 12_000),
            "a third is not debited, the rejected one not back"
        );
        let rest = take(&desk, &[&mt940(ACCOUNT, "2", 16_000, &booked[2..], "0116")]).await;
        assert_eq!((rest.answered["sent"].0, rest.answered["rejected"].0, rest.open), (1, 1, 0));
        assert!(tables(&desk, "2026-01").await[0].open.is_empty());
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn two_banks_have_two_tables() {
    on_both_engines(async |office| {
        let people = office.people(60);
        let of = |bank: &str| {
            people.iter().find(|p| p.bank == office.as_finance().banks.bank(bank).unwrap().name).unwrap().clone()
        };
        office.import(&[of("RCC"), of("PSBC")]).await;
        let files = office.send("2026-01").await.files;
        office.answer(&files, &office.good_bank()).await;
        let desk = office.paying(&[("RCC", ACCOUNT), ("PSBC", OTHER)]);
        let rcc = mt940(ACCOUNT, "1", 20_000, &[("0115", -12_000, "", "A1", "代发")], "0131");
        let psbc = mt940(OTHER, "1", 15_000, &[("0116", -12_000, "", "B1", "代发")], "0131");
        let taken = take(&desk, &[&rcc, &psbc]).await;
        assert_eq!((taken.answered["sent"].0, taken.open), (2, 0), "each account has one file of its own");
        let balances: Vec<_> = tables(&desk, "2026-01").await.iter().map(|t| (t.bank, t.book, t.open.len())).collect();
        assert_eq!(balances, [(3_000, 3_000, 0), (8_000, 8_000, 0)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn doctor_sees_a_match_that_is_not_its_entry() {
    on_both_engines(async |office| {
        january(office).await;
        let desk = office.paying(&[("RCC", ACCOUNT)]);
        take(&desk, &[&mt940(ACCOUNT, "1", 50, &BOOKED[..3], "0120")]).await;
        office.doctor().await;
        for (change, back) in [
            (
                "UPDATE statement_match SET amount_fen = -35999 WHERE kind = 'sent'",
                "UPDATE statement_match SET amount_fen = -36000 WHERE kind = 'sent'",
            ),
            (
                "UPDATE statement_entry SET amount_fen = 99999 WHERE entry_no = 1",
                "UPDATE statement_entry SET amount_fen = 100000 WHERE entry_no = 1",
            ),
        ] {
            assert_eq!(office.by_hand(change, vec![]).await, 1);
            assert_eq!(office.broken().await, ["STATEMENTS"]);
            assert_eq!(office.by_hand(back, vec![]).await, 1);
        }
        let late = office.try_take(AnswerKind::LateReturn, b"x").await;
        assert!(late.is_err());
        office.doctor().await;
    })
    .await;
}
