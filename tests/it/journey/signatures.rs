//! Four eyes: who may do what to a run, in what order, and how often.

use crate::support::changes::{NewAccount, change_account};
use fafang::domain::actor::Role;
use fafang::domain::money::Money;
use fafang::domain::run::RunKind;
use fafang::failure::Kind;
use fafang::formats::bank::neutral::AnswerKind;
use fafang::values;
use fafang::workflow::decide_run::{approve, cancel, review, send_back, submit};
use fafang::workflow::issue_files::issue_files;
use fafang::workflow::load_scheme::load_scheme;
use fafang::workflow::prepare_run::prepare_run;
use fafang::workflow::register;
use fafang::workflow::take_return::take_return;

use crate::support::{CODE, SCHEME, on_both_engines, person, refused, yuan};

#[tokio::test]
async fn three_people_sign_and_each_signature_is_one_step() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let code = office.prepare("2026-01").await.run.code;
        let maker = office.as_maker();
        office.changes("run ~1", submit(&maker, &code)).await.unwrap();
        let reviewer = office.as_reviewer();
        office.changes("run ~1", review(&reviewer, &code)).await.unwrap();
        let approver = office.as_approver();
        let expected = "appropriation ~1, posting +1, run ~1, run_draw +1";
        let decided = office.changes(expected, approve(&approver, &code)).await.unwrap();
        assert!(!decided.already);
        assert_eq!(decided.drawn, [("巴财社〔2025〕98号".to_string(), yuan(240))]);
        assert_eq!(office.money().await, (yuan(289_000 - 240), yuan(240), Money::ZERO));
        // Each of them once more: it is done, nothing moves.
        assert!(office.changes_nothing(submit(&maker, &code)).await.unwrap().already);
        assert!(office.changes_nothing(review(&reviewer, &code)).await.unwrap().already);
        assert!(office.changes_nothing(approve(&approver, &code)).await.unwrap().already);
        // Another of the same post: too late, and it is told who was first.
        office.appoint("审批二", Role::Approver).await;
        let other = office.acting_as("审批二");
        let failure = refused(office.changes_nothing(approve(&other, &code)).await, "ALREADY_DONE");
        assert_eq!(failure.kind, Kind::Conflict);
        assert!(failure.message.contains("审批"), "{}", failure.message);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_signs_twice_whatever_role_they_are_given() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let code = office.prepare("2026-01").await.run.code;
        submit(&office.as_maker(), &code).await.unwrap();
        let maker = office.as_maker();
        refused(office.changes_nothing(review(&maker, &code)).await, "WRONG_ROLE");
        refused(office.changes_nothing(approve(&maker, &code)).await, "WRONG_ROLE");
        // The maker becomes a reviewer, the reviewer an approver: the run remembers.
        office.appoint("经办", Role::Reviewer).await;
        refused(office.changes_nothing(review(&maker, &code)).await, "FOUR_EYES");
        review(&office.as_reviewer(), &code).await.unwrap();
        office.appoint("经办", Role::Approver).await;
        office.appoint("复核", Role::Approver).await;
        refused(office.changes_nothing(approve(&maker, &code)).await, "FOUR_EYES");
        let reviewer = office.as_reviewer();
        let failure = refused(office.changes_nothing(approve(&reviewer, &code)).await, "FOUR_EYES");
        assert!(failure.message.contains("复核"), "{}", failure.message);
        // Not even someone who writes into the database can make it so.
        for (signature, whose) in [("reviewed", "prepared"), ("approved", "reviewed"), ("approved", "submitted")] {
            let sql = format!(
                "UPDATE run SET status = '{signature}', {signature}_by = {whose}_by, {signature}_on = {whose}_on, \
                 {signature}_at = {whose}_at WHERE agency_code = $1 AND run_code = $2"
            );
            let sql: &'static str = Box::leak(sql.into_boxed_str());
            let error = office.try_by_hand(sql, values!["652827", &code]).await.unwrap_err();
            assert!(error.to_string().to_uppercase().contains("CHECK"), "{error}");
        }
        let unsigned = "UPDATE run SET status = 'approved' WHERE agency_code = $1 AND run_code = $2";
        assert!(office.try_by_hand(unsigned, values!["652827", &code]).await.is_err());
        approve(&office.as_approver(), &code).await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn every_step_asks_for_its_post() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let run = office.prepare("2026-01").await.run;
        let code = &run.code;
        let periods = run.periods;
        for name in ["复核", "审批", "财务", "稽核", "管理员"] {
            let desk = office.acting_as(name);
            refused(office.changes_nothing(prepare_run(&desk, CODE, periods, RunKind::Regular)).await, "WRONG_ROLE");
            refused(office.changes_nothing(submit(&desk, code)).await, "WRONG_ROLE");
        }
        for name in ["经办", "审批", "财务", "稽核", "管理员"] {
            refused(office.changes_nothing(review(&office.acting_as(name), code)).await, "WRONG_ROLE");
        }
        for name in ["经办", "复核", "财务", "稽核", "管理员"] {
            refused(office.changes_nothing(approve(&office.acting_as(name), code)).await, "WRONG_ROLE");
        }
        for name in ["经办", "复核", "审批", "稽核", "管理员"] {
            let desk = office.acting_as(name);
            refused(office.changes_nothing(issue_files(&desk, code)).await, "WRONG_ROLE");
            let take = take_return(&desk, AnswerKind::Return, "回盘.txt", b"");
            refused(office.changes_nothing(take).await, "WRONG_ROLE");
        }
        for name in ["经办", "复核", "审批", "财务", "稽核"] {
            let desk = office.acting_as(name);
            refused(office.changes_nothing(load_scheme(&desk, SCHEME)).await, "WRONG_ROLE");
            refused(office.changes_nothing(register::user(&desk, "新人", Role::Admin)).await, "WRONG_ROLE");
        }
        let stranger = office.acting_as("路人");
        refused(office.changes_nothing(submit(&stranger, code)).await, "UNKNOWN_USER");
        let admin = office.as_admin();
        let last = register::user(&admin, "管理员", Role::Auditor);
        refused(office.changes_nothing(last).await, "LAST_ADMIN");
        // The steps in another order.
        let maker = office.as_maker();
        refused(office.changes_nothing(review(&office.as_reviewer(), code)).await, "RUN_WRONG_STATE");
        refused(office.changes_nothing(approve(&office.as_approver(), code)).await, "RUN_WRONG_STATE");
        let failure = refused(office.changes_nothing(issue_files(&office.as_finance(), code)).await, "RUN_WRONG_STATE");
        assert!(failure.message.contains(code.as_str()) && failure.message.contains("已计算"), "{}", failure.message);
        refused(office.changes_nothing(submit(&maker, "pochan1995-2026-09-r1")).await, "UNKNOWN_RUN");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn who_entered_an_account_does_not_approve_its_payment() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people[..3]).await;
        office.appoint("代办", Role::Maker).await;
        let new = NewAccount { number: &people[3].account, bank: None, holder: None, relation: "" };
        change_account(&office.acting_as("代办"), person(&people[0]), new, "换卡").await.unwrap();
        office.appoint("代办", Role::Approver).await;
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        let desk = office.acting_as("代办");
        let failure = refused(office.changes_nothing(approve(&desk, &run.code)).await, "ACCOUNT_BY_APPROVER");
        assert!(failure.message.contains("1 笔"), "{}", failure.message);
        // The roster moves on to yet another account; what is paid is still the one that 代办 entered.
        let newer = NewAccount { number: "6299000000000000003", ..new };
        change_account(&office.as_maker(), person(&people[0]), newer, "再换卡").await.unwrap();
        refused(office.changes_nothing(approve(&desk, &run.code)).await, "ACCOUNT_BY_APPROVER");
        approve(&office.as_approver(), &run.code).await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn who_imported_the_roster_does_not_approve_its_payments() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        office.appoint("经办二", Role::Maker).await;
        let other = office.acting_as("经办二");
        let run = prepare_run(&other, CODE, "2026-01".parse().unwrap(), RunKind::Regular).await.unwrap().run;
        submit(&other, &run.code).await.unwrap();
        review(&office.as_reviewer(), &run.code).await.unwrap();
        office.appoint("经办", Role::Approver).await;
        let importer = office.acting_as("经办");
        let failure = refused(office.changes_nothing(approve(&importer, &run.code)).await, "ACCOUNT_BY_APPROVER");
        assert!(failure.message.contains("3 笔"), "{}", failure.message);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn two_approvals_at_the_same_time_reserve_the_money_once() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        office.appoint("审批二", Role::Approver).await;
        let (one, two) = (office.another_desk("审批").await, office.another_desk("审批二").await);
        let (first, second) = tokio::join!(approve(&one, &run.code), approve(&two, &run.code));
        let lost = match (first, second) {
            (Ok(_), Err(failure)) | (Err(failure), Ok(_)) => failure,
            other => panic!("{other:?}"),
        };
        assert_eq!(lost.kind, Kind::Conflict, "{lost:?}");
        assert_eq!(office.postings().await["reserve"], (36_000, 1));
        assert_eq!(office.run(&run.code).await.state.code(), "approved");
        // Two at the finance desk: one writes the files, the other gets the same bytes.
        let (one, two) = (one.acting_as("财务"), two.acting_as("财务"));
        let (first, second) = tokio::join!(issue_files(&one, &run.code), issue_files(&two, &run.code));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_ne!(first.again, second.again);
        assert_eq!(first.files[0].bytes, second.files[0].bytes);
        assert_eq!(office.files_of(&run).await.len(), 1);
        for desk in [one, two] {
            desk.database.close().await;
        }
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_is_sent_back_with_a_reason_and_submitted_again() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let code = office.prepare("2026-01").await.run.code;
        submit(&office.as_maker(), &code).await.unwrap();
        let reviewer = office.as_reviewer();
        refused(office.changes_nothing(send_back(&reviewer, &code, "  ")).await, "NO_REASON");
        office.changes("run ~1", send_back(&reviewer, &code, "人数与上月不符")).await.unwrap();
        let run = office.run(&code).await;
        assert!(run.state.digest().is_none() && run.state.sentence().contains("复核"), "{}", run.state.sentence());
        let approver = office.as_approver();
        refused(office.changes_nothing(send_back(&approver, &code, "晚了")).await, "RUN_WRONG_STATE");
        office.review(&run).await;
        office.changes("run ~1", send_back(&approver, &code, "再核一次")).await.unwrap();
        office.sign(&run).await;
        refused(office.changes_nothing(send_back(&approver, &code, "晚了")).await, "RUN_WRONG_STATE");
        assert_eq!(office.postings().await["reserve"], (24_000, 1));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_is_cancelled_before_issue_and_never_after() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let maker = office.as_maker();
        let first = office.prepare("2026-01").await.run;
        office.changes("run ~1", cancel(&maker, &first.code, "名册有误")).await.unwrap();
        refused(office.changes_nothing(submit(&maker, &first.code)).await, "RUN_WRONG_STATE");
        let second = office.prepare("2026-01").await.run;
        assert_eq!((second.code.as_str(), second.total), ("pochan1995-2026-01-r2", yuan(240)));
        office.sign(&second).await;
        refused(office.changes_nothing(cancel(&maker, &second.code, "名册有误")).await, "WRONG_ROLE");
        let approver = office.as_approver();
        refused(office.changes_nothing(cancel(&approver, &second.code, "")).await, "NO_REASON");
        let expected = "appropriation ~1, posting +1, run ~1";
        office.changes(expected, cancel(&approver, &second.code, "名册有误")).await.unwrap();
        assert_eq!(office.money().await, (yuan(289_000), Money::ZERO, Money::ZERO));
        let third = office.send("2026-01").await.run;
        refused(office.changes_nothing(cancel(&approver, &third.code, "晚了")).await, "RUN_WRONG_STATE");
        let statuses: Vec<_> = office.runs().await.into_iter().map(|(_, status)| status).collect();
        assert_eq!(statuses, ["cancelled", "cancelled", "issued"]);
        office.doctor().await;
    })
    .await;
}
