//! Lists of other offices: nobody is stopped by a list alone, and nobody on one is paid before a
//! clerk has decided.

use fafang::domain::actor::Role;
use fafang::domain::comparison::ComparisonKind;
use fafang::domain::enrolment::StopReason;
use fafang::domain::hold::HoldReason;
use fafang::failure::Kind;
use fafang::storage::enrolment;
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::decide_hit::{Confirm, confirm, dismiss};
use fafang::workflow::decide_run;
use fafang::workflow::enter_change::{accept, reject};

use crate::support::changes::{Person, stop};
use crate::support::lists::{another_scheme, column, compare, confirmed, deaths, scheme_with_lines};
use crate::support::{
    AGENCY, CODE, Row, TestOffice, day, on_both_engines, on_both_engines_with, person, refused, yuan,
};

use ComparisonKind::{Death, Missing, PayList, Prison};

/// An office that has paid four people for January to March.
async fn paid_until_march(office: &TestOffice) -> Vec<Row> {
    let people = office.neighbours(4);
    office.import(&people).await;
    for (period, date) in [("2026-01", "2026-01-15"), ("2026-02", "2026-02-15"), ("2026-03", "2026-03-15")] {
        office.go_to(date);
        office.pay(period, &office.good_bank()).await;
    }
    office.go_to("2026-04-10");
    people
}

#[tokio::test]
async fn who_is_on_a_death_list_is_held_and_confirmed_becomes_a_stop_with_its_overpayment() {
    on_both_engines(async |office| {
        let people = paid_until_march(office).await;
        let list = deaths(&[(&people[1], "2026-01-20")]);
        let expected = "comparison_entry +1, comparison_hit +1, comparison_list +1, hold +1, kept_file +1";
        let compared = office.changes(expected, office.compare(Death, &list)).await;
        assert_eq!((compared.rows, compared.compared, compared.hits.len(), compared.nothing_new), (1, 1, 1, 0));
        assert!(compared.hits[0].note.contains("公安") && compared.hits[0].note.contains("2026-01-20 死亡"));
        assert!(!compared.hits[0].citizen_number.contains(&people[1].citizen_number[6..14]), "masked");
        assert_eq!(office.holds().await[0].reason, HoldReason::Comparison(Death));

        let again = office.changes_nothing(office.compare(Death, &list)).await;
        assert!(again.already.unwrap().contains("经办") && again.hits.is_empty());

        let shown = office.hits(false).await;
        assert_eq!(column(&shown, "name"), [people[1].name.clone()]);
        assert_eq!(column(&shown, "schemes"), [CODE]);
        assert_eq!(
            (column(&shown, "months_after"), column(&shown, "paid_after")),
            (vec!["2".into()], vec!["240.00".into()])
        );

        let april = office.prepare("2026-04").await;
        assert_eq!((april.run.payments, april.held.len()), (3, 1));
        assert_eq!(april.held[0].what.0.reason, HoldReason::Comparison(Death));
        decide_run::cancel(&office.as_maker(), &april.run.code, "先核实").await.unwrap();

        let maker = office.as_maker();
        let cleared = office.changes_nothing(clear_hold(&maker, compared.hits[0].hold_no, "算了")).await;
        let failure = refused(cleared, "HIT_OPEN");
        assert!(failure.hint.contains("comparison confirm 1"), "{}", failure.hint);

        let expected = "comparison_hit ~1, enrolment_event +1, enrolment_now +1, hold ~1";
        let decided = office.changes(expected, confirmed(&office.as_maker(), 1)).await.unwrap();
        assert_eq!((decided.changed.len(), decided.pending), (1, None));
        let overpaid: Vec<_> = decided.changed[0].overpaid.iter().map(|o| (o.period.to_string(), o.amount())).collect();
        assert_eq!(overpaid, [("2026-02".into(), yuan(120)), ("2026-03".into(), yuan(120))]);
        assert!(office.holds().await.is_empty() && column(&office.hits(false).await, "hit_no").is_empty());
        assert_eq!(column(&office.hits(true).await, "status"), ["已确认"]);
        let evidence: Vec<(String, String)> =
            office.ask("SELECT cause, evidence FROM enrolment_event WHERE kind = 'stopped'", vec![]).await;
        assert_eq!(evidence.len(), 1);
        assert!(evidence[0].0 == "death" && evidence[0].1.contains("第 1 号死亡名单（公安）第 2 行"), "{evidence:?}");

        let twice = office.changes_nothing(confirmed(&office.as_maker(), 1)).await;
        assert_eq!(refused(twice, "HIT_DECIDED").kind, Kind::Conflict);
        let late = office.changes_nothing(dismiss(&office.as_maker(), 1, "错了")).await;
        refused(late, "HIT_DECIDED");
        office.prepare("2026-04").await;
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_that_says_nothing_new_opens_nothing() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people).await;
        office.go_to("2026-03-10");
        stop(&office.as_maker(), person(&people[0]), StopReason::Death, day("2026-02-03"), "").await.unwrap();
        let first = deaths(&[(&people[0], "2026-02-03"), (&people[1], "2026-01-07"), (&people[2], "2026-01-08")]);
        let compared = office.compare(Death, &first).await;
        assert_eq!((compared.hits.len(), compared.nothing_new), (2, 1), "a registered death is no news");
        dismiss(&office.as_maker(), 1, "同号不同人").await.unwrap();
        let second = format!("{first}合计,3\n");
        let compared =
            office.changes("comparison_entry +3, comparison_list +1, kept_file +1", office.compare(Death, &second));
        assert_eq!(compared.await.nothing_new, 3, "stopped, dismissed and open");
        let earlier = deaths(&[(&people[0], "2026-01-30"), (&people[1], "2026-02-07"), (&people[3], "")]);
        let compared = office.compare(Death, &earlier).await;
        assert_eq!((compared.hits.len(), compared.nothing_new), (3, 0), "other days are news");
        let rows: Vec<_> = compared.hits.iter().map(|h| h.row).collect();
        assert_eq!(rows, [2, 3, 4]);
        // An earlier death than the registered one contradicts it: somebody must find out first.
        let failure = refused(office.changes_nothing(confirmed(&office.as_maker(), 3)).await, "CONTRADICTS");
        assert!(failure.hint.contains("change undo"), "{}", failure.hint);
        let none = office.changes_nothing(confirmed(&office.as_maker(), 5)).await;
        refused(none, "DATE_NEEDED");
        let ahead = Confirm { hit_no: 5, date: Some(day("2026-03-11")), ..Confirm::default() };
        refused(office.changes_nothing(confirm(&office.as_maker(), ahead)).await, "DATE_AHEAD");
        let known = Confirm { hit_no: 5, date: Some(day("2026-03-01")), ..Confirm::default() };
        assert_eq!(confirm(&office.as_maker(), known).await.unwrap().changed.len(), 1);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_dismissed_hit_is_paid_again_with_what_was_held() {
    on_both_engines(async |office| {
        let people = paid_until_march(office).await;
        office.compare(Death, &deaths(&[(&people[0], "2026-03-01")])).await;
        assert_eq!(office.prepare("2026-04").await.run.payments, 3);
        refused(office.changes_nothing(dismiss(&office.as_maker(), 1, " ")).await, "NO_REASON");
        let maker = office.as_maker();
        let done = office.changes("comparison_hit ~1, hold ~1", dismiss(&maker, 1, "本人到场核实")).await;
        assert_eq!(done.unwrap().hold_no, 1);
        office.go_to("2026-05-10");
        let may = office.prepare("2026-05").await;
        assert_eq!((may.run.payments, may.run.total), (4, yuan(5 * 120)), "April follows in May");
        assert!(column(&office.hits(true).await, "decision")[0].contains("本人到场核实"));
        refused(dismiss(&office.as_maker(), 9, "没有").await, "UNKNOWN_HIT");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn prisoners_and_missing_people_are_suspended_and_released_ones_paid_again() {
    on_both_engines(async |office| {
        let people = paid_until_march(office).await;
        let row = |i: usize, days: &str| format!("{},{days}\n", people[i].citizen_number);
        let prison = format!(
            "身份证号,入狱日期,释放日期\n{}{}{}",
            row(0, "2026-01-05,2026-02-20"),
            row(1, "2026-03-02,2029-04-30"),
            row(2, "2026-03-09,")
        );
        office.compare(Prison, &prison).await;
        office.compare(Missing, &format!("身份证号,失踪日期\n{}", row(3, "2026-04-02"))).await;
        let maker = office.as_maker();
        let released = confirmed(&maker, 1).await.unwrap();
        let whats: Vec<_> = released.changed.iter().map(|c| c.what.as_str()).collect();
        assert_eq!(whats, ["自 2026-01 起暂停（服刑）", "自 2026-03 起恢复（服刑），暂停月份不补发"]);
        let overpaid = &released.changed[1].overpaid;
        assert_eq!(overpaid.iter().map(|o| o.period.to_string()).collect::<Vec<_>>(), ["2026-01", "2026-02"]);
        let inside = confirmed(&maker, 2).await.unwrap();
        assert_eq!(inside.changed.len(), 1, "a planned release is none yet");
        assert!(inside.notices[0].contains("2029-04-30"), "{:?}", inside.notices);
        confirmed(&maker, 3).await.unwrap();
        confirmed(&maker, 4).await.unwrap();
        assert!(office.holds().await.is_empty());
        let april = office.prepare("2026-04").await;
        assert_eq!((april.run.payments, april.run.total), (1, yuan(120)), "only who was released");
        // The same letter again by another office: suspended already.
        let again = office.compare(Prison, &format!("身份证号,入狱日期,备注\n{}", row(2, "2026-03-10,再次来函"))).await;
        assert_eq!(again.hits.len(), 1);
        let known = confirmed(&maker, 5).await.unwrap();
        assert!(known.changed.is_empty() && known.notices[0].contains("自 2026-03 起已暂停"), "{:?}", known.notices);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_pay_list_is_one_hit_per_person_and_stops_only_when_told_from_when() {
    on_both_engines(async |office| {
        let people = paid_until_march(office).await;
        let lines = |i: usize| -> String {
            ["2026-03", "2026-02"].map(|m| format!("{},城乡居保,{m},150\n", people[i].citizen_number)).concat()
        };
        let list = format!("身份证号,待遇名称,所属期,金额\n{}{}{}", lines(0), lines(1), lines(2));
        let compared = office.compare(PayList, &list).await;
        assert_eq!((compared.compared, compared.hits.len()), (6, 3));
        assert!(compared.hits[0].note.contains("共 2 行"), "{}", compared.hits[0].note);
        let shown = office.hits(false).await;
        assert_eq!(column(&shown, "paid_after")[0], "120.00", "the month that both paid");
        assert!(column(&shown, "says")[0].contains("城乡居保") && column(&shown, "says")[0].contains("150.00"));
        let maker = office.as_maker();
        let noted = office.changes("comparison_hit ~1, hold ~1", confirmed(&maker, 1)).await.unwrap();
        assert!(noted.changed.is_empty() && noted.notices[0].contains("--stop-from"));
        let month = "2026-03".parse().ok();
        let both = Confirm { hit_no: 2, date: Some(day("2026-02-28")), stop_from: month, ..Confirm::default() };
        refused(confirm(&maker, both).await, "DATE_OR_MONTH");
        let stopped = confirm(&maker, Confirm { hit_no: 2, stop_from: month, ..Confirm::default() }).await.unwrap();
        assert_eq!(stopped.changed[0].what, "停发（不再符合条件，2026-02-28），最后一个月 2026-02");
        assert_eq!(stopped.changed[0].overpaid.len(), 1);
        let dated = Confirm { hit_no: 3, date: Some(day("2026-03-02")), ..Confirm::default() };
        assert!(confirm(&maker, dated).await.unwrap().changed[0].overpaid.is_empty());
        let death = office.compare(Death, &deaths(&[(&people[3], "2026-04-01")])).await;
        let wrong = Confirm { hit_no: death.hits[0].no, stop_from: month, ..Confirm::default() };
        refused(office.changes_nothing(confirm(&maker, wrong)).await, "NOT_FOR_THIS_LIST");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_death_stops_every_scheme_and_who_is_enrolled_later_meets_the_lists_that_are_there() {
    on_both_engines(async |office| {
        let people = office.neighbours(5);
        office.import(&people[..3]).await;
        office.load_scheme(&another_scheme("erxiang", "")).await;
        office.import_into("erxiang", &people[..2]).await;
        office.go_to("2026-03-10");
        let list = deaths(&[(&people[0], "2026-02-11"), (&people[2], "2026-02-12"), (&people[4], "2026-02-13")]);
        assert_eq!(office.compare(Death, &list).await.hits.len(), 2);
        let decided = confirmed(&office.as_maker(), 1).await.unwrap();
        let schemes: Vec<_> = decided.changed.iter().map(|c| c.scheme.as_str()).collect();
        assert_eq!(schemes, [CODE, "erxiang"]);
        confirmed(&office.as_maker(), 2).await.unwrap();

        // The dead of February is put on the other scheme's roster, and a stranger on the first one.
        let imported = office.import_into("erxiang", &people[..3]).await;
        let told: Vec<_> = imported.findings.iter().filter(|f| f.code == "COMPARISON_HIT").collect();
        assert_eq!((told.len(), told[0].row), (1, 4));
        assert!(told[0].found.contains("死亡名单") && told[0].hint.contains("confirm 3"), "{:?}", told[0]);
        let strangers = office.changes(
            "comparison_hit +1, hold +1, kept_file +1, roll_index +1, roll_page +1, roster_import +1",
            office.import(&people),
        );
        assert_eq!(strangers.await.findings.iter().filter(|f| f.code == "COMPARISON_HIT").count(), 1);
        assert_eq!(column(&office.hits(false).await, "name"), [people[2].name.clone(), people[4].name.clone()]);
        let march = office.prepare("2026-03").await;
        assert_eq!(march.held.len(), 2, "the hold is on the person, whichever scheme pays");
        assert_eq!(march.held[0].what.1, yuan(240), "January and February, the month of death");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn one_person_entered_by_hand_meets_the_lists_too() {
    use fafang::domain::change::{Change, What};
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people[..1]).await;
        office.go_to("2026-03-10");
        let late = &people[1];
        office.compare(Death, &deaths(&[(late, "2026-02-11")])).await;
        let fields = [
            ("公民身份号码", &late.citizen_number),
            ("姓名", &late.name),
            ("开户银行", &late.bank),
            ("银行账号", &late.account),
        ];
        let what = What::Enrol(fields.map(|(title, value)| (title.to_string(), value.clone())).to_vec());
        let change = Change {
            citizen_number: late.citizen_number.clone(),
            scheme: Some(CODE.into()),
            what,
            reason: "新增".into(),
            evidence: String::new(),
        };
        let entered = fafang::workflow::enter_change::enter_change(&office.as_maker(), change).await.unwrap();
        let notices = &entered.changed[0].notices;
        assert!(notices.iter().any(|n| n.contains("死亡名单（公安）") && n.contains("已暂停支付")), "{notices:?}");
        assert_eq!(office.holds().await.len(), 1);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_approver_is_told_who_was_put_on_hold_after_preparing_and_issue_withholds_them() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people).await;
        let prepared = office.prepare("2026-01").await;
        office.review(&prepared.run).await;
        office.compare(Death, &deaths(&[(&people[2], "2026-01-02")])).await;
        let approved = decide_run::approve(&office.as_approver(), &prepared.run.code).await.unwrap();
        assert_eq!(approved.held.len(), 1);
        let held = &approved.held[0];
        assert_eq!((held.line_no, &held.name, held.amount), (3, &people[2].name, yuan(120)));
        assert_eq!(held.reason, HoldReason::Comparison(Death));
        assert_ne!(held.citizen_number, people[2].citizen_number);
        let issued = office.issue(&prepared.run).await;
        assert_eq!((issued.withheld.len(), issued.withheld[0].line_no), (1, 3));
        assert!(issued.withheld[0].reason.contains("疑似死亡"), "{}", issued.withheld[0].reason);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn where_changes_need_a_second_person_hit_and_hold_wait_for_one() {
    on_both_engines_with(&scheme_with_lines("second_person = [\"changes\"]"), async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        office.go_to("2026-02-10");
        office.compare(Death, &deaths(&[(&people[0], "2026-02-01"), (&people[1], "2026-02-02")])).await;
        let asked = office.changes("change_request +1", confirmed(&office.as_maker(), 1)).await.unwrap();
        assert_eq!((asked.pending, asked.changed.len()), (Some(1), 1));
        assert_eq!(office.holds().await.len(), 2);
        let again = office.changes_nothing(confirmed(&office.as_maker(), 1)).await;
        assert!(refused(again, "HIT_WAITS").hint.contains("change accept 1"));
        refused(office.changes_nothing(dismiss(&office.as_maker(), 1, "活着")).await, "HIT_WAITS");
        reject(&office.as_reviewer(), 1, "先上门").await.unwrap();
        assert_eq!(confirmed(&office.as_maker(), 1).await.unwrap().pending, Some(2));
        let expected = "change_request ~1, comparison_hit ~1, enrolment_event +1, enrolment_now +1, hold ~1";
        office.changes(expected, accept(&office.as_reviewer(), 2)).await.unwrap();
        assert_eq!(
            (office.holds().await.len(), column(&office.hits(true).await, "status")),
            (1, vec!["已确认".into(), "待核实".into()])
        );
        let mut tx = office.home.database.read().await.unwrap();
        let stopped = enrolment::by_no(&mut tx, AGENCY, 1).await.unwrap().entitlement;
        assert_eq!(stopped.stop_reason, Some(StopReason::Death));
        drop(tx);
        // Dismissing changes nothing that is owed: one person is enough.
        dismiss(&office.as_maker(), 2, "本人到场").await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_leaves_no_trace_and_only_the_maker_may() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let people = office.neighbours(2);
        let list = deaths(&[(&people[0], "2026-01-02")]);
        for (kind, text, code) in
            [(Prison, list.as_str(), "COMPARISON_LIST"), (Death, "姓名,死亡日期\n王,2026-01-01\n", "COMPARISON_LIST")]
        {
            let result = office.changes_nothing(compare(&office.as_maker(), kind, text)).await;
            let failure = refused(result, code);
            assert_eq!(failure.kind, Kind::Input);
            assert!(!failure.findings.is_empty());
        }
        refused(office.changes_nothing(compare(&office.as_maker(), Death, "")).await, "FILE_EMPTY");
        for who in ["财务", "稽核", "复核"] {
            refused(office.changes_nothing(compare(&office.acting_as(who), Death, &list)).await, "WRONG_ROLE");
        }
        // Fifteen digits and a wrong name still find the person, and the name is told.
        let old = format!("{}{}", &people[0].citizen_number[..6], &people[0].citizen_number[8..17]);
        let compared = office.compare(Death, &format!("姓名,身份证号,死亡日期\n赵无名,{old},2026-01-02\n")).await;
        assert!(compared.hits[0].note.contains("名单姓名“赵无名”"), "{}", compared.hits[0].note);
        assert_eq!(column(&office.hits(false).await, "listed_name"), ["赵无名"]);
        office.appoint("另一经办", Role::Maker).await;
        confirmed(&office.acting_as("另一经办"), 1).await.unwrap();
        let missing = Person { citizen_number: &people[1].citizen_number, scheme: None };
        stop(&office.as_maker(), missing, StopReason::Moved, day("2026-01-09"), "").await.unwrap();
        office.doctor().await;
    })
    .await;
}
