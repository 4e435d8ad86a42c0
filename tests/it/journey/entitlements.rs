//! What people are owed: quarters, latecomers, new standards, deaths, suspensions. One subtraction.

use crate::support::changes::{resume, stop, suspend};
use fafang::domain::enrolment::StopReason;
use fafang::domain::money::Money;
use fafang::domain::period::Period;
use fafang::domain::run::RunKind;
use fafang::formats::bank::neutral::read_payment_file;
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::prepare_run::Prepared;

use crate::support::{SCHEME, TestOffice, day, on_both_engines, on_both_engines_with, paper, person, refused, yuan};

/// The shipped scheme with one text replaced, and without its cap, which a higher standard would break.
fn scheme_with(from: &str, to: &str) -> String {
    let cap = "monthly_cap = \"120.00\"";
    assert!(SCHEME.contains(from) && SCHEME.contains(cap));
    SCHEME.replacen(from, to, 1).replacen(cap, "", 1)
}

fn month(text: &str) -> Period {
    text.parse().unwrap()
}

/// Amount of every payment of a run, with the months it covers.
async fn lines(office: &TestOffice, prepared: &Prepared) -> Vec<(i64, Vec<String>)> {
    let payments = office.payments(&prepared.run).await;
    payments.iter().map(|p| (p.amount.fen(), p.covers.iter().map(|c| c.period.to_string()).collect())).collect()
}

fn months(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn one_payment_of_a_quarter_covers_three_named_months_to_the_fen() {
    // 120.10 × 3 = 360.30: an amount that a float or a whole number of yuan does not survive.
    let scheme = scheme_with("release = \"monthly\"", "release = \"quarterly\"").replacen(
        "from = \"2026-01\"\nmonthly = \"120.00\"",
        "from = \"2026-01\"\nmonthly = \"120.10\"",
        1,
    );
    on_both_engines_with(&scheme, async |office| {
        office.import(&office.neighbours(3)).await;
        let early = office.try_prepare("2026-01..2026-02", RunKind::Regular);
        refused(office.changes_nothing(early).await, "NOT_A_QUARTER");
        office.go_to("2026-03-20");
        let quarter = office.prepare("2026-01..2026-03");
        let prepared = office.changes("baseline +1, month_sum +3, payment_page +1, run +1", quarter).await;
        assert_eq!(prepared.run.code, "pochan1995-2026-03-r1");
        assert_eq!((prepared.run.payments, prepared.run.total), (3, Money(108_090)));
        assert_eq!(prepared.back_pay, (0, Money::ZERO), "the months of the quarter itself are no back-pay");
        for (amount, covered) in lines(office, &prepared).await {
            assert_eq!((amount, covered), (36_030, months(&["2026-01", "2026-02", "2026-03"])));
        }
        office.sign(&prepared.run).await;
        let issued =
            office.changes("kept_file +1, month_sum ~3, payment_file +1, run ~1", office.issue(&prepared.run)).await;
        let (header, rows) = read_payment_file(&issued.files[0].bytes).unwrap();
        assert_eq!(
            (header.periods.to_string(), header.total.to_string()),
            ("2026-01..2026-03".into(), "1080.90".into())
        );
        assert!(rows.iter().all(|r| r.amount.to_string() == "360.30" && r.remark.contains("2026-01..2026-03")));
        let answer = office.good_bank().answer(&issued.files[0].bytes).unwrap();
        let expected = "appropriation ~1, bank_return +1, kept_file +1, payment_file ~1, posting +1, run ~1";
        let taken = office.changes(expected, office.take(&answer)).await;
        assert_eq!((taken.credited.rows, taken.credited.amount, taken.settled), (3, Money(108_090), true));
        assert_eq!(office.money().await, (Money(28_900_000 - 108_090), Money::ZERO, Money(108_090)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_person_added_late_is_paid_from_the_first_month() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people[..3]).await;
        for period in ["2026-01", "2026-02"] {
            office.pay(period, &office.good_bank()).await;
        }
        office.go_to("2026-03-10");
        let imported =
            office.changes("kept_file +1, roll_index +1, roll_page +1, roster_import +1", office.import(&people)).await;
        assert_eq!((imported.new, imported.unchanged, imported.missing.len()), (1, 3, 0));
        let prepared = office.prepare("2026-03").await;
        assert_eq!((prepared.run.payments, prepared.run.total), (4, yuan(3 * 120 + 360)));
        assert_eq!(prepared.back_pay, (1, yuan(240)));
        assert_eq!(lines(office, &prepared).await[3], (36_000, months(&["2026-01", "2026-02", "2026-03"])));
        let again = office.try_prepare("2026-03", RunKind::Regular);
        let failure = refused(office.changes_nothing(again).await, "NOTHING_PAYABLE");
        assert!(failure.message.contains(&prepared.run.code), "{}", failure.message);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_standard_that_rises_from_july_is_paid_from_july() {
    let raised = format!(
        "{}\n[[standard]]\nfrom = \"2026-07\"\nmonthly = \"130.50\"\n",
        scheme_with("from = \"2026-01\"\nmonthly", "from = \"2026-01\"\nto = \"2026-06\"\nmonthly")
    );
    on_both_engines(async |office| {
        let people: Vec<_> = office.neighbours(2).into_iter().map(|row| row.from("2026-06")).collect();
        office.import(&people).await;
        office.go_to("2026-06-15");
        let june = office.pay("2026-06", &office.good_bank()).await;
        let version = office.changes("scheme_version +1", office.load_scheme(&raised)).await;
        assert_eq!(version, 2);
        assert_eq!(office.changes_nothing(office.load_scheme(&raised)).await, 2);
        office.go_to("2026-07-15");
        let july = office.prepare("2026-07").await;
        assert_eq!((july.run.total, july.back_pay), (Money(2 * 13_050), (0, Money::ZERO)));
        assert_eq!((june.run.scheme_version, july.run.scheme_version), (1, 2));
        assert_eq!(
            office.run(&june.run.code).await.scheme_version,
            1,
            "a run keeps the version it was worked out with"
        );
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_standard_raised_with_effect_from_january_pays_the_difference() {
    let raised = scheme_with("from = \"2026-01\"\nmonthly = \"120.00\"", "from = \"2026-01\"\nmonthly = \"125.00\"");
    let lowered = raised.replacen("monthly = \"125.00\"", "monthly = \"110.00\"", 1);
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        for period in ["2026-01", "2026-02"] {
            office.pay(period, &office.good_bank()).await;
        }
        office.load_scheme(&raised).await;
        let march = office.prepare("2026-03").await;
        assert_eq!((march.run.total, march.back_pay), (yuan(2 * (125 + 5 + 5)), (2, yuan(20))));
        assert_eq!(lines(office, &march).await[0], (13_500, months(&["2026-01", "2026-02", "2026-03"])));
        office.sign(&march.run).await;
        let issued = office.issue(&march.run).await;
        office.answer(&issued.files, &office.good_bank()).await;
        // Lowered with effect from January: an overpayment of every month, never netted.
        office.load_scheme(&lowered).await;
        let april = office.prepare("2026-04").await;
        assert_eq!((april.run.total, april.overpaid.len()), (yuan(220), 6));
        assert!(april.overpaid.iter().all(|o| o.what.amount() == yuan(15)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_approved_under_the_old_standard_is_not_sent_above_the_new_one() {
    let lowered = scheme_with("from = \"2026-01\"\nmonthly = \"120.00\"", "from = \"2026-01\"\nmonthly = \"110.00\"");
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        office.load_scheme(&lowered).await;
        let issue = fafang::workflow::issue_files::issue_files(&office.as_finance(), &run.code).await;
        refused(issue, "ALL_WITHHELD");
        let approver = office.as_approver();
        let cancel = fafang::workflow::decide_run::cancel(&approver, &run.code, "标准已降低");
        office.changes("appropriation ~1, posting +1, run ~1", cancel).await.unwrap();
        let next = office.prepare("2026-01").await;
        assert_eq!((next.run.code.as_str(), next.run.total), ("pochan1995-2026-01-r2", yuan(220)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_month_of_death_is_paid_and_the_next_is_not() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        office.pay("2026-01", &office.good_bank()).await;
        office.go_to("2026-02-12");
        let maker = office.as_maker();
        let death = stop(&maker, person(&people[1]), StopReason::Death, day("2026-02-10"), "死亡证明");
        let changed = office.changes("enrolment_event +1, enrolment_now +1", death).await.unwrap();
        assert!(changed.overpaid.is_empty() && changed.cleared_holds.is_empty());
        assert!(!changed.citizen_number.contains(&people[1].citizen_number[6..14]), "masked");
        let again = stop(&maker, person(&people[1]), StopReason::Death, day("2026-02-10"), "死亡证明");
        refused(office.changes_nothing(again).await, "ALREADY_STOPPED");
        let february = office.prepare("2026-02").await.run;
        assert_eq!(february.payments, 3);
        office.sign(&february).await;
        assert!(office.issue(&february).await.withheld.is_empty(), "the month of death is still paid");
        assert_eq!(office.prepare("2026-03").await.run.payments, 2);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_death_entered_late_is_an_overpayment_that_is_listed_and_never_netted() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        for period in ["2026-01", "2026-02", "2026-03"] {
            office.pay(period, &office.good_bank()).await;
        }
        office.go_to("2026-04-08");
        let maker = office.as_maker();
        let death = stop(&maker, person(&people[0]), StopReason::Death, day("2026-01-31"), "公安反馈");
        let changed = office.changes("enrolment_event +1, enrolment_now +1", death).await.unwrap();
        let overpaid: Vec<_> = changed.overpaid.iter().map(|o| (o.period, o.amount())).collect();
        assert_eq!(overpaid, [(month("2026-02"), yuan(120)), (month("2026-03"), yuan(120))]);
        let april =
            office.changes("baseline +1, month_sum +1, payment_page +1, run +1", office.prepare("2026-04")).await;
        assert_eq!(april.run.total, yuan(240), "the others are paid in full");
        let listed: Vec<_> = april.overpaid.iter().map(|o| (&*o.name, o.what.period, o.what.amount())).collect();
        assert_eq!(
            listed,
            [(&*people[0].name, overpaid[0].0, yuan(120)), (&*people[0].name, overpaid[1].0, yuan(120))]
        );
        assert_eq!(office.money().await.2, yuan(3 * 360), "what was paid stays paid");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_death_between_approval_and_issue_withholds_exactly_that_payment() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people).await;
        office.pay("2026-01", &office.good_bank()).await;
        let run = office.prepare("2026-02").await.run;
        office.sign(&run).await;
        assert_eq!(office.money().await, (yuan(289_000 - 960), yuan(480), yuan(480)));
        stop(&office.as_maker(), person(&people[2]), StopReason::Death, day("2026-01-20"), "死亡证明").await.unwrap();
        let expected = "appropriation ~1, kept_file +1, month_sum ~1, month_sum +1, payment_file +1, payment_outcome +1, posting +1, run ~1";
        let issued = office.changes(expected, office.issue(&run)).await;
        assert_eq!(issued.withheld.len(), 1);
        let withheld = &issued.withheld[0];
        assert_eq!((&*withheld.name, withheld.amount, withheld.line_no), (&*people[2].name, yuan(120), 3));
        assert!(withheld.reason.contains("2026-02") && withheld.reason.contains("死亡"), "{}", withheld.reason);
        let (header, rows) = read_payment_file(&issued.files[0].bytes).unwrap();
        assert_eq!((header.rows, header.total), (3, yuan(360)));
        assert!(rows.iter().all(|r| r.account != people[2].account));
        assert_eq!(office.money().await, (yuan(289_000 - 840), yuan(360), yuan(480)), "its money is free again");
        office.doctor().await;
        let taken = office.answer(&issued.files, &office.good_bank()).await;
        assert!(taken[0].settled && taken[0].findings.is_empty(), "a withheld payment is not missed in the return");
        let failure = refused(office.try_prepare("2026-02", RunKind::Regular).await, "NOTHING_PAYABLE");
        assert!(failure.hint.is_empty(), "nobody is on hold");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_between_approval_and_issue_withholds_and_the_claim_stays_open() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        let january = office.pay("2026-01", &office.good_bank()).await;
        let run = office.prepare("2026-02").await.run;
        office.sign(&run).await;
        let mut late = paper::all_returned(&january.files[0].bytes);
        late.rows.truncate(1);
        office.take_late(&paper::bytes(&late)).await;
        let issued = office.issue(&run).await;
        assert_eq!(issued.withheld.len(), 1);
        assert!(issued.withheld[0].reason.contains("退票"), "{}", issued.withheld[0].reason);
        office.answer(&issued.files, &office.good_bank()).await;
        office.doctor().await;
        let holds = office.holds().await;
        assert_eq!(holds.len(), 1);
        clear_hold(&office.as_maker(), holds[0].no, "本人已到银行激活").await.unwrap();
        // January came back and February was withheld: two components in one payment.
        let more = office.prepare_more("2026-02").await;
        assert_eq!(lines(office, &more).await, [(24_000, months(&["2026-01", "2026-02"]))]);
        office.sign(&more.run).await;
        let issued = office.issue(&more.run).await;
        assert_eq!(read_payment_file(&issued.files[0].bytes).unwrap().1.len(), 1);
        office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!(office.money().await, (yuan(289_000 - 720), Money::ZERO, yuan(720)));
        office.doctor().await;
    })
    .await;
}

/// Suspended from February, resumed from April: what April pays.
async fn suspended_for_two_months(office: &TestOffice) -> Vec<(i64, Vec<String>)> {
    let people = office.neighbours(2);
    office.import(&people).await;
    office.pay("2026-01", &office.good_bank()).await;
    let maker = office.as_maker();
    let pause = suspend(&maker, person(&people[0]), month("2026-02"), "未认证");
    office.changes("enrolment_event +1, enrolment_now +1", pause).await.unwrap();
    let again = suspend(&maker, person(&people[0]), month("2026-02"), "未认证");
    refused(office.changes_nothing(again).await, "CONTRADICTS");
    for period in ["2026-02", "2026-03"] {
        assert_eq!(office.pay(period, &office.good_bank()).await.run.payments, 1);
    }
    let early = resume(&maker, person(&people[0]), month("2026-01"), "已认证");
    refused(office.changes_nothing(early).await, "RESUME_TOO_EARLY");
    let stranger = resume(&maker, person(&people[1]), month("2026-04"), "已认证");
    refused(office.changes_nothing(stranger).await, "NOT_SUSPENDED");
    let back = resume(&maker, person(&people[0]), month("2026-04"), "已认证");
    office.changes("enrolment_event +1, enrolment_now ~1", back).await.unwrap();
    let april = office.prepare("2026-04").await;
    office.sign(&april.run).await;
    let issued = office.issue(&april.run).await;
    office.answer(&issued.files, &office.good_bank()).await;
    office.doctor().await;
    lines(office, &april).await
}

#[tokio::test]
async fn a_suspension_is_paid_back_where_the_scheme_says_so() {
    on_both_engines(async |office| {
        let april = suspended_for_two_months(office).await;
        let all = months(&["2026-02", "2026-03", "2026-04"]);
        assert_eq!(april, [(36_000, all), (12_000, months(&["2026-04"]))]);
    })
    .await;
}

#[tokio::test]
async fn a_suspension_is_lost_where_the_scheme_says_so() {
    on_both_engines_with(&scheme_with("back_pay = \"paid\"", "back_pay = \"forfeited\""), async |office| {
        let april = suspended_for_two_months(office).await;
        assert_eq!(april, [(12_000, months(&["2026-04"])), (12_000, months(&["2026-04"]))]);
    })
    .await;
}

#[tokio::test]
async fn at_half_past_four_in_the_afternoon_utc_it_is_tomorrow_in_the_county() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(1)).await;
        let maker = office.at_instant("2026-01-31T16:30:00Z", "经办");
        let periods = "2026-02".parse().unwrap();
        let prepared =
            fafang::workflow::prepare_run::prepare_run(&maker, "pochan1995", periods, RunKind::Regular).await.unwrap();
        assert!(prepared.notices.is_empty(), "February has begun: {:?}", prepared.notices);
        assert_eq!(prepared.run.prepared.on, day("2026-02-01"));
        let event = office.events().await.pop().unwrap();
        assert_eq!((event.business_date, &*event.occurred_at), (20_260_201, "2026-01-31T16:30:00.000Z"));
        office.doctor().await;
    })
    .await;
}
