//! What was paid too much comes back: cases, repayments, offsets, write-offs; every fen to where it came from.

use fafang::domain::change::What;
use fafang::domain::enrolment::StopReason;
use fafang::domain::money::Money;
use fafang::domain::recovery::Cause;
use fafang::domain::run::RunKind;
use fafang::failure::Failure;
use fafang::formats::budget::parse_budget;
use fafang::reports::ledger::MonthFigures;
use fafang::reports::reconciliation::{Basis, reconcile};
use fafang::reports::recoveries;
use fafang::reports::year_end::year_end;
use fafang::storage::finding::StoredFinding;
use fafang::values;
use fafang::workflow::decide_run::{cancel, close, review, submit};
use fafang::workflow::enter_change::{Accepted, accept};
use fafang::workflow::import_roster::{ImportRoster, import_roster};
use fafang::workflow::load_budget::load_budget;
use fafang::workflow::prepare_run::{Prepared, prepare_run};
use fafang::workflow::recover::{self, Recovery, Repaid, WriteOff};

use crate::support::changes::{enter, stop, suspend};
use crate::support::{CODE, Row, TestOffice, day, on_both_engines, paper, person, refused, yuan};

const OTHER: &str = "gaoling";
const OTHER_SCHEME: &str = r#"
code = "gaoling"
name = "高龄津贴"
policies = ["新政办发〔2010〕168号"]
payment_way = "一卡通"
first = "2026-01"
release = "monthly"
back_pay = "paid"
stop_month = "paid"

[[standard]]
from = "2026-01"
monthly = "100.00"

[[appropriation]]
year = 2026
document = "静财社〔2026〕5号"
project = "高龄津贴"
function_code = "2080601"
economic_code = "30305"
source = "local"
expenditure = "project"
amount = "5000.00"
"#;

/// Three neighbours, paid for some months of 2026.
async fn paid(office: &TestOffice, last: &str) -> Vec<Row> {
    let people = office.neighbours(3);
    office.import(&people).await;
    let last: u32 = last.parse().unwrap();
    for month in 1..=last {
        office.go_to(&format!("2026-{month:02}-15"));
        office.pay(&format!("2026-{month:02}"), &office.good_bank()).await;
    }
    people
}

/// The first of them died in January, which was told in April: February and March are overpaid.
async fn dead_since_january(office: &TestOffice) -> Vec<Row> {
    let people = paid(office, "3").await;
    office.go_to("2026-04-08");
    stop(&office.as_maker(), person(&people[0]), StopReason::Death, day("2026-01-31"), "公安反馈").await.unwrap();
    people
}

/// The first of them was in prison in February and March, which was told in April.
async fn jailed_for_two_months(office: &TestOffice) -> Vec<Row> {
    let people = paid(office, "3").await;
    office.go_to("2026-04-08");
    let maker = office.as_maker();
    suspend(&maker, person(&people[0]), "2026-02".parse().unwrap(), "服刑").await.unwrap();
    let released = What::Resume { cause: None, from: "2026-04".parse().unwrap(), back_pay: Some(false) };
    enter(&maker, person(&people[0]), released, "刑满").await.unwrap();
    people
}

async fn open(office: &TestOffice, row: &Row, cause: Cause) -> Recovery {
    recover::open(&office.as_maker(), &row.citizen_number, Some(CODE), cause, None).await.unwrap()
}

async fn repay(office: &TestOffice, case: i64, amount: Money, receipt: &str) -> Result<Repaid, Failure> {
    recover::repay(&office.as_finance(), case, amount, office.today(), receipt).await
}

async fn plan(office: &TestOffice, case: i64, cap: Money, scheme: Option<&str>) -> Recovery {
    recover::plan(&office.as_maker(), case, cap, "同意书 2026-04-08", scheme).await.unwrap()
}

/// Repaid, offset, written off, lapsed and open of a case; they add up to the notice.
async fn standing(office: &TestOffice, case: i64) -> [i64; 5] {
    let file =
        recoveries::find(&mut office.as_finance().read().await.unwrap(), &office.as_finance(), case).await.unwrap();
    let sum = |of| file.standing.sum(of).fen() / 100;
    let found = [
        sum(|m| m.repaid),
        sum(|m| m.offset),
        sum(|m| m.written_off),
        sum(|m| m.lapsed),
        file.standing.open().fen() / 100,
    ];
    assert_eq!(found.iter().sum::<i64>(), file.case.total.fen() / 100, "every fen of the notice");
    found
}

async fn is_closed(office: &TestOffice, case: i64) -> bool {
    let asked = "SELECT case_no FROM recovery_case WHERE case_no = $1 AND closed_on IS NOT NULL";
    !office.ask::<(i64,)>(asked, values![case]).await.is_empty()
}

/// The doctor finds nothing, and the year has no difference that nothing explains.
async fn all_is_well(office: &TestOffice) {
    office.doctor().await;
    let found = office.reconcile(2026).await;
    assert!(found.balanced, "{found:#?}");
    assert!(found.schemes.iter().flat_map(|s| &s.periods).all(MonthFigures::foots));
}

#[tokio::test]
async fn a_late_death_is_repaid_in_two_parts_and_the_appropriation_has_its_money_again() {
    on_both_engines(async |office| {
        let people = dead_since_january(office).await;
        let listed = office.prepare("2026-04").await;
        assert_eq!((listed.overpaid.len(), listed.without_case.len()), (2, 2));
        let opening = recover::open(&office.as_finance(), &people[0].citizen_number, None, Cause::Other, None).await;
        refused(opening, "WRONG_ROLE");
        let maker = office.as_maker();
        let living = recover::open(&maker, &people[1].citizen_number, None, Cause::Other, None);
        refused(office.changes_nothing(living).await, "NOTHING_OVERPAID");
        let opening = open(office, &people[0], Cause::DeathToldLate);
        let opened = office.changes("recovery_case +1, recovery_month +2", opening).await;
        assert_eq!((opened.case.no, opened.case.total), (1, yuan(240)));
        assert_eq!(opened.case.notice_no, "652827追〔2026〕1号");
        let twice = recover::open(&maker, &people[0].citizen_number, None, Cause::Other, None);
        refused(office.changes_nothing(twice).await, "CASE_OPEN");

        let before = office.money().await;
        let first = repay(office, 1, yuan(150), "收据1");
        let repaid = office.changes("appropriation ~1, posting +2, recovery_entry +2", first).await.unwrap();
        let parts: Vec<_> = repaid.parts.iter().map(|(p, _, m)| (p.to_string(), m.fen() / 100)).collect();
        assert_eq!(parts, [("2026-02".to_string(), 120), ("2026-03".to_string(), 30)], "the oldest month first");
        assert_eq!(standing(office, 1).await, [150, 0, 0, 0, 90]);
        let after = office.money().await;
        assert_eq!((after.0 - before.0, before.2 - after.2), (yuan(150), yuan(150)));
        let again = office.changes_nothing(repay(office, 1, yuan(150), "收据1")).await.unwrap();
        assert!(again.already.unwrap().contains("收据1"));
        refused(office.changes_nothing(repay(office, 1, yuan(90), "收据1")).await, "RECEIPT_USED");
        refused(office.changes_nothing(repay(office, 1, Money(9_001), "收据2")).await, "MORE_THAN_OPEN");
        refused(office.changes_nothing(repay(office, 1, Money::ZERO, "收据2")).await, "NOT_AN_AMOUNT");
        refused(office.changes_nothing(repay(office, 1, yuan(1), " ")).await, "NO_RECEIPT");
        let finance = office.as_finance();
        let tomorrow = recover::repay(&finance, 1, yuan(1), day("2026-04-09"), "收据2");
        refused(office.changes_nothing(tomorrow).await, "DATE_IN_FUTURE");
        assert!(!is_closed(office, 1).await);
        let rest = repay(office, 1, yuan(90), "收据2");
        office.changes("appropriation ~1, posting +1, recovery_case ~1, recovery_entry +1", rest).await.unwrap();
        assert_eq!((standing(office, 1).await, is_closed(office, 1).await), ([240, 0, 0, 0, 0], true));
        refused(office.changes_nothing(repay(office, 1, yuan(1), "收据3")).await, "CASE_CLOSED");
        assert!(repay(office, 1, yuan(90), "收据2").await.unwrap().already.is_some());
        // A settled overpayment is gone.
        cancel(&maker, &listed.run.code, "重算").await.unwrap();
        let april = office.prepare("2026-04").await;
        assert_eq!((april.run.total, april.overpaid.len()), (yuan(240), 0));
        all_is_well(office).await;
        let months = reconcile(&finance, 2026, Some(CODE), None, Basis::Kept).await.unwrap().schemes.remove(0).periods;
        assert_eq!((months[1].credited, months[1].recovered, months[1].overpaid), (yuan(360), yuan(120), Money::ZERO));
    })
    .await;
}

#[tokio::test]
async fn money_that_comes_back_after_the_year_goes_to_the_year_it_was_paid_from() {
    on_both_engines(async |office| {
        let people = paid(office, "12").await;
        office.go_to("2027-01-20");
        let maker = office.as_maker();
        stop(&maker, person(&people[0]), StopReason::Death, day("2026-11-02"), "公安反馈").await.unwrap();
        open(office, &people[0], Cause::DeathToldLate).await;
        let (_, _, paid) = office.money().await;
        repay(office, 1, yuan(120), "银行流水 77").await.unwrap();
        assert_eq!(office.money().await.2, paid - yuan(120));
        let year = reconcile(&office.as_finance(), 2026, Some(CODE), None, Basis::Kept).await.unwrap();
        let late = year.schemes[0].appropriations[0].returned_later_fen;
        assert_eq!((late, year.balanced), (yuan(120), true));
        assert!(year.schemes[0].findings.iter().any(|f| f.code == "RETURNED_AFTER_YEAR_END"));
        let report = year_end(&office.as_finance(), CODE, 2026).await.unwrap();
        let sheet = report.sheets.iter().find(|s| s.name == "多发").unwrap();
        let text = format!("{:?}", sheet.rows);
        assert!(sheet.rows.len() == 1 && text.contains("652827追〔2027〕1号"), "{text}");
        all_is_well(office).await;
    })
    .await;
}

/// Amount of the first person's payment, if there is one.
async fn first_payment(office: &TestOffice, prepared: &Prepared) -> Option<i64> {
    let payments = office.payments(&prepared.run).await;
    payments.iter().find(|p| p.enrolment_no == 1).map(|p| p.amount.fen() / 100)
}

#[tokio::test]
async fn later_payments_give_at_most_the_cap_a_month_until_nothing_is_open() {
    on_both_engines(async |office| {
        let people = jailed_for_two_months(office).await;
        open(office, &people[0], Cause::Prison).await;
        let maker = office.as_maker();
        let silent = recover::plan(&maker, 1, yuan(100), " ", None);
        refused(office.changes_nothing(silent).await, "NO_CONSENT");
        let stranger = recover::plan(&maker, 1, yuan(100), "同意书", Some(CODE)).await.unwrap();
        assert_eq!(stranger.case.deducts_from(), Some(CODE));
        office.changes("recovery_case ~1", plan(office, 1, yuan(100), None)).await;
        for (month, left, line) in [("2026-04", 140, 20), ("2026-05", 40, 20), ("2026-06", 0, 80)] {
            office.go_to(&format!("{month}-15"));
            let spent = office.money().await.2;
            let prepared = office.prepare(month).await;
            let offset = yuan(120 - line);
            assert_eq!((first_payment(office, &prepared).await, prepared.run.offset), (Some(line), offset));
            assert_eq!(prepared.run.total, yuan(240 + line));
            assert_eq!(standing(office, 1).await[4], left);
            office.sign(&prepared.run).await;
            assert_eq!(office.money().await.1, yuan(360), "the whole month is reserved");
            office.doctor().await;
            let issued = office.issue(&prepared.run).await;
            assert_eq!((issued.offset, is_closed(office, 1).await), ((offset, Money::ZERO), left == 0));
            office.doctor().await;
            office.answer(&issued.files, &office.good_bank()).await;
            // The month costs what is sent: the offset part was paid before.
            assert_eq!(office.money().await.2 - spent, prepared.run.total);
            all_is_well(office).await;
            close(&office.as_finance(), &prepared.run.code).await.unwrap();
            all_is_well(office).await;
        }
        assert_eq!(standing(office, 1).await, [0, 240, 0, 0, 0]);
        office.go_to("2026-07-15");
        let july = office.prepare("2026-07").await;
        assert_eq!((july.run.total, july.run.offset, july.overpaid.len()), (yuan(360), Money::ZERO, 0));
    })
    .await;
}

#[tokio::test]
async fn the_cap_holds_for_a_month_however_many_runs_pay_it_and_every_month_of_back_pay_has_its_own() {
    on_both_engines(async |office| {
        let people = jailed_for_two_months(office).await;
        open(office, &people[0], Cause::Prison).await;
        plan(office, 1, yuan(50), None).await;
        office.go_to("2026-05-15");
        let both = office.prepare("2026-05").await;
        assert_eq!((both.run.offset, first_payment(office, &both).await), (yuan(100), Some(140)));
        office.sign(&both.run).await;
        let issued = office.issue(&both.run).await;
        let mut answer = paper::all_credited(&issued.files[0].bytes);
        paper::reject(&mut answer, 0, "3028");
        office.take(&paper::bytes(&answer)).await;
        for hold in office.holds().await {
            fafang::workflow::clear_hold::clear_hold(&office.as_maker(), hold.no, "已核实").await.unwrap();
        }
        // What the bank rejected is owed again, without the part that was offset.
        let again = office.prepare_more("2026-05").await;
        assert_eq!((again.run.offset, again.run.total), (Money::ZERO, yuan(140)));
        all_is_well(office).await;
    })
    .await;
}

async fn prepare_other(office: &TestOffice, period: &str) -> Prepared {
    prepare_run(&office.as_maker(), OTHER, period.parse().unwrap(), RunKind::Regular).await.unwrap()
}

async fn books(office: &TestOffice) -> Vec<(i64, i64, i64)> {
    let all = office.appropriations().await.into_iter();
    all.map(|a| (a.available.fen() / 100, a.reserved.fen() / 100, a.paid.fen() / 100)).collect()
}

#[tokio::test]
async fn deduction_from_another_scheme_restores_both_appropriations() {
    on_both_engines(async |office| {
        office.load_scheme(OTHER_SCHEME).await;
        let lines = parse_budget("gaoling.toml", OTHER_SCHEME.as_bytes(), None).unwrap();
        load_budget(&office.as_finance(), &lines).await.unwrap();
        let people = paid(office, "3").await;
        office.go_to("2026-04-08");
        let maker = office.as_maker();
        suspend(&maker, person(&people[0]), "2026-02".parse().unwrap(), "重复领取").await.unwrap();
        let opened = open(office, &people[0], Cause::DoubleBenefit).await;
        assert_eq!(opened.case.total, yuan(240));
        let missing = recover::plan(&maker, 1, yuan(80), "同意书", Some(OTHER));
        refused(office.changes_nothing(missing).await, "NOT_ENROLLED");
        let both: Vec<Row> = people[..2].iter().map(|p| p.clone().from("2026-03")).collect();
        let bytes = paper::roster(&both);
        let roster = ImportRoster {
            scheme: OTHER,
            file_name: "高龄.csv",
            bytes: &bytes,
            charset: None,
            first: None,
            accept_good: false,
            dry_run: false,
        };
        import_roster(&maker, roster).await.unwrap();
        plan(office, 1, yuan(100), Some(OTHER)).await;
        let before = books(office).await;
        let run = prepare_other(office, "2026-04").await;
        // Two months of two people; the first is paid nothing, so there is no line.
        assert_eq!((run.run.payments, run.run.total, run.run.offset), (1, yuan(200), yuan(200)));
        office.sign(&run.run).await;
        let issued = office.issue(&run.run).await;
        office.answer(&issued.files, &office.good_bank()).await;
        let after = books(office).await;
        assert_eq!(
            (after[0].0 - before[0].0, before[0].2 - after[0].2),
            (200, 200),
            "the overpaid scheme has it again"
        );
        assert_eq!((before[1].0 - after[1].0, after[1].2), (400, 400), "the other paid both people's months");
        assert_eq!(standing(office, 1).await, [0, 200, 0, 0, 40]);
        all_is_well(office).await;
        // The rest comes in cash, of March, which is what was not offset.
        let repaid = repay(office, 1, yuan(40), "收据9").await.unwrap();
        assert_eq!((repaid.parts.len(), repaid.parts[0].0.to_string()), (1, "2026-03".to_string()));
        assert_eq!(books(office).await[0].0 - before[0].0, 240);
        // A month that an offset had paid can itself turn out to be too much: it comes back from where it was paid.
        let wanted = person(&people[0]);
        let wanted = crate::support::Person { scheme: Some(OTHER), ..wanted };
        stop(&maker, wanted, StopReason::Ineligible, day("2026-03-10"), "复查").await.unwrap();
        let second =
            recover::open(&maker, &people[0].citizen_number, Some(OTHER), Cause::Other, Some("补1号")).await.unwrap();
        assert_eq!((second.case.no, second.case.total, &*second.case.notice_no), (2, yuan(100), "补1号"));
        repay(office, 2, yuan(100), "收据10").await.unwrap();
        assert_eq!(books(office).await[1].2, 300);
        all_is_well(office).await;
    })
    .await;
}

#[tokio::test]
async fn the_offsets_of_a_cancelled_run_never_were() {
    on_both_engines(async |office| {
        let people = jailed_for_two_months(office).await;
        open(office, &people[0], Cause::Prison).await;
        plan(office, 1, yuan(60), None).await;
        let first = office.prepare("2026-04").await;
        let told: Vec<_> = first.offsets.iter().map(|o| (o.what.period.to_string(), o.what.amount)).collect();
        assert_eq!(told, [("2026-02".to_string(), yuan(60))]);
        assert_eq!(standing(office, 1).await, [0, 60, 0, 0, 180]);
        office.sign(&first.run).await;
        cancel(&office.as_approver(), &first.run.code, "重算").await.unwrap();
        assert_eq!(standing(office, 1).await, [0, 0, 0, 0, 240]);
        all_is_well(office).await;
        // Repaid in between: what the cancelled run had taken is free again.
        repay(office, 1, yuan(240), "收据1").await.unwrap();
        let second = office.prepare("2026-04").await;
        assert_eq!((second.run.total, second.run.offset), (yuan(360), Money::ZERO));
        all_is_well(office).await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_before_issue_withholds_the_payment_and_takes_its_offset_back() {
    on_both_engines(async |office| {
        let people = jailed_for_two_months(office).await;
        open(office, &people[0], Cause::Prison).await;
        plan(office, 1, yuan(60), None).await;
        let run = office.prepare("2026-04").await.run;
        office.sign(&run).await;
        stop(&office.as_maker(), person(&people[0]), StopReason::Death, day("2026-03-20"), "公安反馈").await.unwrap();
        let issued = office.issue(&run).await;
        assert_eq!((issued.withheld.len(), issued.offset), (1, (Money::ZERO, yuan(60))));
        assert_eq!(standing(office, 1).await, [0, 0, 0, 0, 240]);
        office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!(office.money().await.1, Money::ZERO, "nothing stays reserved");
        all_is_well(office).await;
    })
    .await;
}

#[tokio::test]
async fn an_overpayment_corrected_before_issue_is_not_taken_and_the_rest_of_the_month_is_owed() {
    on_both_engines(async |office| {
        let people = jailed_for_two_months(office).await;
        open(office, &people[0], Cause::Prison).await;
        plan(office, 1, yuan(60), None).await;
        let run = office.prepare("2026-04").await.run;
        office.sign(&run).await;
        // Both facts were wrong: the person never was in prison.
        for event in [2, 1] {
            enter(&office.as_maker(), person(&people[0]), What::Undo(event), "核实无此事").await.unwrap();
        }
        assert_eq!(standing(office, 1).await, [0, 60, 0, 180, 0]);
        let issued = office.issue(&run).await;
        assert_eq!((issued.withheld.len(), issued.offset), (0, (Money::ZERO, yuan(60))));
        office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!((standing(office, 1).await, is_closed(office, 1).await), ([0, 0, 0, 240, 0], true));
        let more = office.prepare_more("2026-04").await;
        assert_eq!((more.run.payments, more.run.total), (1, yuan(60)));
        all_is_well(office).await;
    })
    .await;
}

#[tokio::test]
async fn what_nobody_will_give_back_is_written_off_by_two_people() {
    on_both_engines(async |office| {
        let people = dead_since_january(office).await;
        open(office, &people[0], Cause::DeathToldLate).await;
        repay(office, 1, yuan(100), "收据1").await.unwrap();
        let asked = |amount, reason: &str| WriteOff { case_no: 1, amount, reason: reason.into() };
        let maker = office.as_maker();
        let too_much = recover::request_write_off(&maker, asked(yuan(141), "无遗产"));
        refused(office.changes_nothing(too_much).await, "MORE_THAN_OPEN");
        let silent = recover::request_write_off(&maker, asked(yuan(140), ""));
        refused(office.changes_nothing(silent).await, "NO_REASON");
        let asking = recover::request_write_off(&maker, asked(yuan(140), "无遗产可供追偿"));
        let request = office.changes("change_request +1", asking).await.unwrap();
        assert_eq!(standing(office, 1).await, [100, 0, 0, 0, 140], "it waits");
        let reviewer = office.as_reviewer();
        refused(office.changes_nothing(accept(&reviewer, request)).await, "WRONG_ROLE");
        let approver = office.as_approver();
        let accepting = accept(&approver, request);
        let expected = "change_request ~1, recovery_case ~1, recovery_entry +2";
        let accepted = office.changes(expected, accepting).await.unwrap();
        assert!(matches!(accepted, Accepted::WriteOff(ref done) if done.case.closed.is_some()));
        assert_eq!(standing(office, 1).await, [100, 0, 140, 0, 0]);
        // The months stay paid too much, but nobody is asked again.
        let april = office.prepare("2026-04").await;
        assert_eq!((april.overpaid.len(), april.without_case.len()), (2, 0));
        let again = recover::open(&maker, &people[0].citizen_number, None, Cause::Other, None);
        refused(office.changes_nothing(again).await, "NOTHING_OVERPAID");
        all_is_well(office).await;
        let year = reconcile(&approver, 2026, None, None, Basis::Kept).await.unwrap();
        let found =
            |code: &str| year.schemes[0].findings.iter().filter(|f| f.code == code).map(|f| f.fen).sum::<Money>();
        assert_eq!((found("WRITTEN_OFF"), found("OVERPAID"), found("RECOVERED")), (yuan(140), Money::ZERO, yuan(100)));
    })
    .await;
}

#[tokio::test]
async fn a_corrected_fact_lets_the_case_lapse_and_what_was_repaid_is_owed_and_paid_again() {
    on_both_engines(async |office| {
        let people = dead_since_january(office).await;
        open(office, &people[0], Cause::DeathToldLate).await;
        repay(office, 1, yuan(150), "收据1").await.unwrap();
        // It was another person of the same name.
        enter(&office.as_maker(), person(&people[0]), What::Undo(1), "同名误登").await.unwrap();
        assert_eq!(standing(office, 1).await, [150, 0, 0, 90, 0]);
        refused(office.changes_nothing(repay(office, 1, yuan(10), "收据2")).await, "MORE_THAN_OPEN");
        all_is_well(office).await;
        let issued = office.pay("2026-04", &office.good_bank()).await;
        assert_eq!(issued.run.total, yuan(360 + 150), "what was repaid is owed again");
        assert_eq!(office.money().await.2, yuan(4 * 360));
        all_is_well(office).await;
        // Dead after all, from March on: a new case, now that the old one has lapsed.
        office.go_to("2026-05-06");
        stop(&office.as_maker(), person(&people[0]), StopReason::Death, day("2026-02-11"), "公安反馈").await.unwrap();
        assert_eq!(standing(office, 1).await, [150, 0, 0, 0, 90], "as long as nobody closes it, it lives again");
        repay(office, 1, yuan(90), "收据3").await.unwrap();
        let second = open(office, &people[0], Cause::DeathToldLate).await;
        let months: Vec<_> = second.case.months.iter().map(|m| (m.period.to_string(), m.amount.fen() / 100)).collect();
        assert_eq!(months, [("2026-03".to_string(), 30), ("2026-04".to_string(), 120)]);
        repay(office, 2, yuan(150), "收据4").await.unwrap();
        assert_eq!(office.money().await.2, yuan(4 * 360 - 240));
        all_is_well(office).await;
    })
    .await;
}

#[tokio::test]
async fn the_same_money_cannot_come_back_from_the_person_and_from_the_bank() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let issued = office.send("2026-01").await;
        office.answer(&issued.files, &office.good_bank()).await;
        stop(&office.as_maker(), person(&people[0]), StopReason::Ineligible, day("2025-12-31"), "复查").await.unwrap();
        open(office, &people[0], Cause::WrongRegistration).await;
        repay(office, 1, yuan(20), "收据1").await.unwrap();
        let late = paper::all_returned(&issued.files[0].bytes);
        let taken = office.take_late(&paper::bytes(&late)).await;
        assert_eq!((taken.returned.rows, taken.returned.amount), (1, yuan(120)), "only the other person's");
        let found: Vec<StoredFinding> = office.findings().await;
        assert_eq!(found.iter().map(|f| &*f.code).collect::<Vec<_>>(), ["LATE_RETURN_RECOVERED"]);
        assert_eq!(standing(office, 1).await, [20, 0, 0, 0, 100]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn money_in_flight_is_not_asked_back() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        office.send("2026-01").await;
        stop(&office.as_maker(), person(&people[0]), StopReason::Ineligible, day("2025-12-31"), "复查").await.unwrap();
        let maker = office.as_maker();
        let early = recover::open(&maker, &people[0].citizen_number, None, Cause::Other, None);
        refused(office.changes_nothing(early).await, "NOTHING_OVERPAID");
    })
    .await;
}

#[tokio::test]
async fn offsets_are_frozen_with_the_payments() {
    on_both_engines(async |office| {
        let people = jailed_for_two_months(office).await;
        open(office, &people[0], Cause::Prison).await;
        plan(office, 1, yuan(60), None).await;
        let run = office.prepare("2026-04").await.run;
        submit(&office.as_maker(), &run.code).await.unwrap();
        let moved =
            office.by_hand("UPDATE recovery_entry SET to_period = 202605 WHERE kind = 'offset'", values![]).await;
        assert_eq!((moved, office.broken().await), (1, vec!["FROZEN"]));
        let reviewer = office.as_reviewer();
        refused(office.changes_nothing(review(&reviewer, &run.code)).await, "RUN_TAMPERED");
        office.by_hand("UPDATE recovery_entry SET amount_fen = 5000 WHERE kind = 'offset'", values![]).await;
        assert!(office.broken().await.contains(&"TOTALS"));
    })
    .await;
}

#[tokio::test]
async fn the_doctor_counts_cases_and_their_postings() {
    on_both_engines(async |office| {
        let people = dead_since_january(office).await;
        open(office, &people[0], Cause::DeathToldLate).await;
        repay(office, 1, yuan(120), "收据1").await.unwrap();
        office.doctor().await;
        for (sql, undo, expected) in [
            (
                "UPDATE recovery_entry SET amount_fen = 12001",
                "UPDATE recovery_entry SET amount_fen = 12000",
                &["NEVER_TWICE", "MONEY", "RECOVERIES"][..],
            ),
            (
                "UPDATE recovery_month SET amount_fen = 11999 WHERE period = 202602",
                "UPDATE recovery_month SET amount_fen = 12000 WHERE period = 202602",
                &["RECOVERIES"][..],
            ),
            (
                "UPDATE posting SET case_no = NULL",
                "UPDATE posting SET case_no = 1 WHERE kind = 'give_back'",
                &["RECOVERIES"][..],
            ),
        ] {
            office.by_hand(sql, values![]).await;
            assert_eq!(office.broken().await, expected, "{sql}");
            office.by_hand(undo, values![]).await;
            office.doctor().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_ledger_of_recoveries_names_cases_months_and_every_entry() {
    on_both_engines(async |office| {
        let people = dead_since_january(office).await;
        let finance = office.as_finance();
        let before = recoveries::list(&finance, false).await.unwrap();
        assert_eq!((before.sheets[0].rows.len(), before.sheets[1].rows.len()), (0, 2), "two months without a case");
        open(office, &people[0], Cause::DeathToldLate).await;
        repay(office, 1, yuan(150), "收据1").await.unwrap();
        let report = recoveries::recoveries(&finance, None).await.unwrap();
        let rows: Vec<_> = report.sheets.iter().map(|s| (&*s.name, s.rows.len())).collect();
        assert_eq!(rows, [("追回案件", 1), ("各月", 2), ("追回明细", 2), ("尚未立案", 0)]);
        assert_eq!(recoveries::case(&finance, 1).await.unwrap().sheets[2].rows.len(), 2);
        refused(recoveries::case(&finance, 2).await, "UNKNOWN_CASE");
        repay(office, 1, yuan(90), "收据2").await.unwrap();
        let open_cases = recoveries::list(&finance, false).await.unwrap().sheets[0].rows.len();
        assert_eq!((open_cases, recoveries::list(&finance, true).await.unwrap().sheets[0].rows.len()), (0, 1));
    })
    .await;
}
