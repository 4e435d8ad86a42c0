//! Schemes that exclude each other, and certification: who is held, who lapses, who is paid again.

use fafang::domain::hold::HoldReason;
use fafang::failure::Failure;
use fafang::office::Office;
use fafang::reports::certification::certification;
use fafang::storage::kept_file;
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::enter_change::accept;
use fafang::workflow::import_certifications::{Certified, import_certifications};

use crate::support::changes::{NewAccount, Person, change_account, stop};
use crate::support::lists::{another_scheme, column, scheme_with_lines};
use crate::support::{CODE, Row, day, on_both_engines, on_both_engines_with, refused, yuan};
use fafang::domain::enrolment::StopReason;

const RULE: &str = "[certification]\ncycle_months = 3\nwarning_months = 1\nback_pay = \"paid\"\n";

async fn certify(office: &Office, text: &str) -> Result<Certified, Failure> {
    import_certifications(office, CODE, "认证.csv", text.as_bytes(), None).await
}

fn list(people: &[(&Row, &str)]) -> String {
    let line = |(row, day): &(&Row, &str)| format!("{},{},{day},上门\n", row.name, row.citizen_number);
    format!("姓名,公民身份号码,认证日期,认证方式\n{}", people.iter().map(line).collect::<String>())
}

#[tokio::test]
async fn who_is_owed_by_two_schemes_that_exclude_each_other_is_held_in_both_whichever_file_says_so() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.load_scheme(&another_scheme("erxiang", "excludes = [\"pochan1995\"]")).await;
        office.import(&people).await;
        let late = people[1].clone().from("2026-02");
        office.import_into("erxiang", &[people[0].clone(), late]).await;
        let january = office.prepare("2026-01").await;
        assert_eq!((january.run.payments, january.held.len()), (2, 1), "the other begins in February");
        let held = &january.held[0];
        assert_eq!((&held.name, held.what.0.reason, held.what.1), (&people[0].name, HoldReason::Exclusion, yuan(120)));
        assert!(
            held.what.0.note.contains("erxiang") && held.what.0.note.contains("2026-01 起"),
            "{}",
            held.what.0.note
        );
        let only = office.changes_nothing(office.prepare_of("erxiang", "2026-01")).await;
        refused(only, "NOTHING_PAYABLE");

        clear_hold(&office.as_maker(), 1, "两项可同时享受，见来文").await.unwrap();
        let other = office.prepare_of("erxiang", "2026-01").await.unwrap();
        assert_eq!((other.run.payments, other.held.len()), (1, 0), "cleared with a reason, nothing changed since");
        office.go_to("2026-02-10");
        let february = office.prepare_of("erxiang", "2026-02").await.unwrap();
        assert_eq!((february.run.payments, february.held.len()), (1, 1));
        assert_eq!(february.held[0].name, people[1].name);

        // A change of either enrolment asks again.
        let person = Person { citizen_number: &people[0].citizen_number, scheme: Some("erxiang") };
        let number = &office.neighbours(4)[3].account;
        let new = NewAccount { number, bank: None, holder: None, relation: "" };
        change_account(&office.as_maker(), person, new, "换卡").await.unwrap();
        let again = office.prepare("2026-02").await;
        assert_eq!((again.run.payments, again.held.len()), (1, 2));
        // Stopped in one before the other began: no month is owed by both any more.
        let second = Person { citizen_number: &people[1].citizen_number, scheme: Some(CODE) };
        stop(&office.as_maker(), second, StopReason::Moved, day("2026-01-31"), "").await.unwrap();
        let hold = office.holds().await.iter().find(|h| h.note.contains("2026-02 起")).unwrap().no;
        clear_hold(&office.as_maker(), hold, "已停发一项").await.unwrap();
        office.go_to("2026-03-10");
        let march = office.prepare_of("erxiang", "2026-03").await.unwrap();
        assert_eq!(march.run.payments, 1);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn schemes_that_do_not_exclude_each_other_both_pay() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.load_scheme(&another_scheme("erxiang", "")).await;
        office.import(&people).await;
        office.import_into("erxiang", &people).await;
        assert_eq!(office.prepare("2026-01").await.run.payments, 2);
        assert_eq!(office.prepare_of("erxiang", "2026-01").await.unwrap().run.payments, 2);
        assert!(office.holds().await.is_empty());
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_certification_list_is_all_or_nothing_and_twice_says_so() {
    on_both_engines_with(&scheme_with_lines(RULE), async |office| {
        let people = office.neighbours(4);
        office.import(&people[..3]).await;
        office.go_to("2026-03-20");
        let wrong = list(&[(&people[0], "2026-03-18"), (&people[3], "2026-03-18"), (&people[1], "2026-03-21")]);
        let failure = refused(office.changes_nothing(certify(&office.as_maker(), &wrong)).await, "CERTIFICATION_LIST");
        let told: Vec<_> = failure.findings.iter().map(|f| (f.row, f.code)).collect();
        assert_eq!(told, [(3, "UNKNOWN_PERSON"), (4, "DATE_FUTURE")]);
        let mut namesake = people[0].clone();
        namesake.name = "赵无名".into();
        let other = certify(&office.as_maker(), &list(&[(&namesake, "2026-03-18")])).await;
        assert_eq!(refused(other, "CERTIFICATION_LIST").findings[0].code, "NAME_DIFFERS");

        stop(&office.as_maker(), crate::support::person(&people[2]), StopReason::Death, day("2026-02-03"), "")
            .await
            .unwrap();
        let text = list(&[(&people[0], "2026-03-18"), (&people[2], "2026-03-19")]);
        let expected = "enrolment_event +2, enrolment_now ~1, enrolment_now +1, kept_file +1";
        let done = office.changes(expected, certify(&office.as_maker(), &text)).await.unwrap();
        assert_eq!((done.rows, done.entered, done.known, done.pending), (2, 2, 0, None));
        assert_eq!(done.findings[0].code, "CERTIFIED_AFTER_DEATH");
        let kept = kept_file::digest_of(text.as_bytes());
        let evidence: Vec<(String, String)> = office
            .ask(
                "SELECT new_value, evidence FROM enrolment_event WHERE kind = 'certified' ORDER BY enrolment_no",
                vec![],
            )
            .await;
        assert_eq!(evidence[0], ("上门".into(), "认证.csv 第 2 行".into()));
        let names: Vec<(String,)> = office.ask("SELECT digest FROM kept_file WHERE name = '认证.csv'", vec![]).await;
        assert_eq!(names, [(kept,)]);
        let again = office.changes_nothing(certify(&office.as_maker(), &text)).await.unwrap();
        assert_eq!((again.entered, again.known), (0, 2));
        refused(office.changes_nothing(certify(&office.as_finance(), &text)).await, "WRONG_ROLE");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn who_does_not_certify_is_reported_before_and_after_and_paid_once_they_do() {
    on_both_engines_with(&scheme_with_lines(RULE), async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        office.go_to("2026-03-10");
        office.pay("2026-03", &office.good_bank()).await;
        let report = certification(&office.as_maker(), CODE).await.unwrap();
        assert!(report.sheets[1].rows.is_empty());
        assert_eq!(column(&report, "certified_until"), ["2026-03"; 3]);
        certify(&office.as_maker(), &list(&[(&people[0], "2026-03-09")])).await.unwrap();
        office.go_to("2026-05-10");
        let may = office.prepare("2026-05").await;
        assert_eq!((may.run.payments, may.run.total), (1, yuan(240)));
        let report = certification(&office.as_maker(), CODE).await.unwrap();
        assert_eq!(column(&report, "name"), [people[0].name.clone()], "June is within the warning month");
        let lapsed = &report.sheets[1];
        assert_eq!(lapsed.rows.len(), 2);
        let shown: Vec<String> = lapsed.rows[0].iter().map(fafang::reports::table::Value::plain).collect();
        assert_eq!(shown[2..], ["无记录", "2026-03", "2026-04", "2", "240.00"]);
        assert_eq!(lapsed.total.as_ref().unwrap()[6].plain(), "480.00");
        certify(&office.as_maker(), &list(&[(&people[1], "2026-05-08")])).await.unwrap();
        let more = office.prepare_more("2026-05").await;
        assert_eq!((more.run.payments, more.run.total), (1, yuan(240)), "the suspended months are paid back");
        office.doctor().await;
    })
    .await;
    on_both_engines(async |office| {
        office.import(&office.neighbours(1)).await;
        refused(certification(&office.as_maker(), CODE).await, "NO_CERTIFICATION");
        let text = list(&[(&office.neighbours(1)[0], "2026-01-02")]);
        refused(office.changes_nothing(certify(&office.as_maker(), &text)).await, "NO_CERTIFICATION");
    })
    .await;
}

#[tokio::test]
async fn where_changes_need_a_second_person_a_certification_list_waits() {
    let rules = format!("second_person = [\"changes\"]\n{RULE}");
    on_both_engines_with(&scheme_with_lines(&rules), async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        office.go_to("2026-05-10");
        let text = list(&[(&people[0], "2026-05-01"), (&people[1], "2026-05-02")]);
        let expected = "change_request +1, kept_file +1";
        let asked = office.changes(expected, certify(&office.as_maker(), &text)).await.unwrap();
        assert_eq!(asked.pending, Some(1));
        assert_eq!(certification(&office.as_maker(), CODE).await.unwrap().sheets[1].rows.len(), 2);
        let expected = "change_request ~1, enrolment_event +2, enrolment_now +2";
        office.changes(expected, accept(&office.as_reviewer(), 1)).await.unwrap();
        assert!(certification(&office.as_maker(), CODE).await.unwrap().sheets[1].rows.is_empty());
        office.doctor().await;
    })
    .await;
}
