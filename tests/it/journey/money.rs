//! The appropriation: never over it, drawn in order, given back to where it came from.

use fafang::domain::appropriation::Appropriation;
use fafang::domain::document::DocumentNumber;
use fafang::domain::money::Money;
use fafang::failure::Failure;
use fafang::formats::budget::parse_budget;
use fafang::office::Office;
use fafang::workflow::decide_run::approve;
use fafang::workflow::load_budget::{Which, adjust_budget, load_budget};

use crate::support::{SCHEME, TestOffice, on_both_engines, on_both_engines_with, paper, refused, yuan};

fn with_amount(amount: &str) -> String {
    assert!(SCHEME.contains("\"289000.00\""));
    SCHEME.replacen("amount = \"289000.00\"", &format!("amount = \"{amount}\""), 1)
}

const SUPERIOR: &str = "巴财社〔2025〕98号";
const LOCAL: &str = "静财社〔2026〕5号";
const BASIS: &str = "巴财社〔2026〕30号";

/// Adjusts the appropriation of a document on the basis of another.
async fn adjust(office: &Office, of: &str, amount: Money, basis: &str, note: &str) -> Result<Appropriation, Failure> {
    let which = Which { document: DocumentNumber::parse(of).unwrap(), scheme: None, year: None };
    adjust_budget(office, &which, amount, &DocumentNumber::parse(basis).unwrap(), note).await
}

#[tokio::test]
async fn a_run_beyond_the_appropriation_is_refused_and_the_missing_amount_named() {
    on_both_engines_with(&with_amount("300.00"), async |office| {
        office.import(&office.neighbours(3)).await;
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        let approver = office.as_approver();
        let failure = refused(office.changes_nothing(approve(&approver, &run.code)).await, "OVER_BUDGET");
        for part in ["360.00", "300.00", "缺 60.00 元", SUPERIOR] {
            assert!(failure.message.contains(part), "{part}: {}", failure.message);
        }
        assert_eq!(office.money().await, (yuan(300), Money::ZERO, Money::ZERO));
        let finance = office.as_finance();
        let more = adjust(&finance, SUPERIOR, yuan(60), "巴财社〔2026〕11号", "追加");
        let after = office.changes("appropriation ~1, posting +1", more).await.unwrap();
        assert_eq!((after.appropriated, after.available), (yuan(360), yuan(360)));
        approve(&approver, &run.code).await.unwrap();
        assert_eq!(office.money().await, (Money::ZERO, yuan(360), Money::ZERO), "to the last fen");
        // One fen more cannot be had.
        let failure = refused(
            office.changes_nothing(adjust(&finance, SUPERIOR, Money(-1), LOCAL, "收回")).await,
            "BUDGET_ADJUST",
        );
        assert!(failure.message.contains("0.01"), "{}", failure.message);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn money_that_is_promised_or_paid_cannot_be_taken_back() {
    on_both_engines_with(&with_amount("1000.00"), async |office| {
        office.import(&office.neighbours(3)).await;
        office.pay("2026-01", &office.good_bank()).await;
        let run = office.prepare("2026-02").await.run;
        office.sign(&run).await;
        assert_eq!(office.money().await, (yuan(280), yuan(360), yuan(360)));
        let finance = office.as_finance();
        let unknown = adjust(&finance, LOCAL, yuan(1), BASIS, "追加");
        refused(office.changes_nothing(unknown).await, "UNKNOWN_APPROPRIATION");
        let nothing = adjust(&finance, SUPERIOR, Money::ZERO, BASIS, "追加");
        refused(office.changes_nothing(nothing).await, "NOTHING_TO_ADJUST");
        let too_much = adjust(&finance, SUPERIOR, Money(-28_001), BASIS, "调减");
        refused(office.changes_nothing(too_much).await, "BUDGET_ADJUST");
        let by_maker = office.as_maker();
        let stranger = adjust(&by_maker, SUPERIOR, yuan(1), BASIS, "追加");
        refused(office.changes_nothing(stranger).await, "WRONG_ROLE");
        let all = adjust(&finance, SUPERIOR, yuan(-280), BASIS, "收回");
        let after = office.changes("appropriation ~1, posting +1", all).await.unwrap();
        assert_eq!((after.appropriated, after.available), (yuan(720), Money::ZERO));
        assert_eq!(office.postings().await["adjust"], (-28_000, 1));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_budget_file_read_again_changes_nothing_and_another_amount_is_refused() {
    on_both_engines(async |office| {
        let lines = |text: &str| parse_budget("pochan1995.toml", text.as_bytes(), None).unwrap();
        let finance = office.as_finance();
        let again = lines(SCHEME);
        let loaded = office.changes_nothing(load_budget(&finance, &again)).await.unwrap();
        assert_eq!((loaded.new.len(), loaded.unchanged), (0, 1));
        let other = lines(&with_amount("289000.01"));
        let failure = refused(office.changes_nothing(load_budget(&finance, &other)).await, "BUDGET_DIFFERS");
        assert!(
            failure.message.contains("289,000.00") && failure.message.contains("289,000.01"),
            "{}",
            failure.message
        );
        let mut stranger = lines(SCHEME);
        stranger[0].scheme_code = "gaoling".into();
        refused(office.changes_nothing(load_budget(&finance, &stranger)).await, "UNKNOWN_SCHEME");
        office.doctor().await;
    })
    .await;
}

/// The shipped scheme with two appropriations, in this order.
fn with_two(first: (&str, &str), second: (&str, &str)) -> String {
    let start = SCHEME.find("[[appropriation]]").unwrap();
    let end = SCHEME.find("# 绩效指标").unwrap();
    let table = |(document, amount): (&str, &str)| {
        let source = if document == LOCAL { "local" } else { "superior" };
        format!(
            "[[appropriation]]\nyear = 2026\ndocument = \"{document}\"\nproject = \"生活补贴\"\nfunction_code = \"2080601\"\n\
             economic_code = \"30305\"\nsource = \"{source}\"\nexpenditure = \"project\"\namount = \"{amount}\"\n\n"
        )
    };
    format!("{}{}{}{}", &SCHEME[..start], table(first), table(second), &SCHEME[end..])
}

/// Document, available, reserved, paid in yuan.
async fn books(office: &TestOffice) -> Vec<(String, i64, i64, i64)> {
    let all = office.appropriations().await.into_iter();
    all.map(|a| (a.document, a.available.fen() / 100, a.reserved.fen() / 100, a.paid.fen() / 100)).collect()
}

#[tokio::test]
async fn two_appropriations_are_drawn_in_order_and_a_rejection_goes_back_where_it_came_from() {
    on_both_engines_with(&with_two((SUPERIOR, "300.00"), (LOCAL, "400.00")), async |office| {
        office.import(&office.neighbours(3)).await;
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        let approver = office.as_approver();
        let expected = "appropriation ~2, posting +2, run ~1, run_draw +2";
        let decided = office.changes(expected, approve(&approver, &run.code)).await.unwrap();
        assert_eq!(decided.drawn, [(SUPERIOR.to_string(), yuan(300)), (LOCAL.to_string(), yuan(60))]);
        assert_eq!(books(office).await, [(SUPERIOR.into(), 0, 300, 0), (LOCAL.into(), 340, 60, 0)]);
        let file = office.issue(&run).await.files.remove(0).bytes;
        // The third payment lies on the border: 60 of it from each.
        let mut answer = paper::all_credited(&file);
        paper::reject(&mut answer, 2, "3028");
        let taken = office.take(&paper::bytes(&answer)).await;
        assert_eq!((taken.credited.rows, taken.rejected.rows), (2, 1));
        assert_eq!(books(office).await, [(SUPERIOR.into(), 60, 0, 240), (LOCAL.into(), 400, 0, 0)]);
        office.doctor().await;
        // The first two come back: all of it from the first.
        let mut late = paper::all_returned(&file);
        late.rows.truncate(1);
        office.take_late(&paper::bytes(&late)).await;
        assert_eq!(books(office).await, [(SUPERIOR.into(), 180, 0, 120), (LOCAL.into(), 400, 0, 0)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_schemes_own_order_counts_not_the_order_of_loading() {
    on_both_engines_with(&with_two((SUPERIOR, "300.00"), (LOCAL, "400.00")), async |office| {
        office.import(&office.neighbours(3)).await;
        office.load_scheme(&with_two((LOCAL, "400.00"), (SUPERIOR, "300.00"))).await;
        let run = office.prepare("2026-01").await.run;
        let decided = office.sign(&run).await;
        assert_eq!(decided.drawn, [(LOCAL.to_string(), yuan(360))]);
        assert_eq!(books(office).await, [(SUPERIOR.into(), 300, 0, 0), (LOCAL.into(), 40, 360, 0)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn money_of_the_year_before_last_pays_nothing() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(1)).await;
        office.go_to("2028-01-15");
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        let approver = office.as_approver();
        let failure = refused(office.changes_nothing(approve(&approver, &run.code)).await, "OVER_BUDGET");
        assert!(failure.message.contains("2028"), "{}", failure.message);
        office.doctor().await;
    })
    .await;
}
