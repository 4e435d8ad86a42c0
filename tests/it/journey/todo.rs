//! The list of what must be done: nothing is forgotten, nothing stands there that cannot be done.

use fafang::domain::actor::{Actor, Role};
use fafang::domain::change::{Change, What};
use fafang::domain::comparison::ComparisonKind;
use fafang::domain::enrolment::StopReason;
use fafang::domain::publicity::PublicityKind;
use fafang::domain::recovery::Cause;
use fafang::reports::payment_sheet::Numbers;
use fafang::reports::person::person as person_report;
use fafang::reports::render::text;
use fafang::reports::todo::{Reader, Todo, list, todo};
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::decide_run::{approve, review, send_back, submit};
use fafang::workflow::enter_change::{self, enter_change};
use fafang::workflow::explain_finding::explain_finding;
use fafang::workflow::publish::{NewShowing, record_publicity};
use fafang::workflow::recover;

use crate::support::changes::stop;
use crate::support::lists::{confirmed, deaths, scheme_with_lines};
use crate::support::{SCHEME, TestOffice, day, on_both_engines, on_both_engines_with, paper, person, yuan};

async fn todos(office: &TestOffice, reader: Reader) -> Vec<Todo> {
    list(&office.as_admin(), &reader).await.unwrap()
}

async fn codes(office: &TestOffice, reader: Reader) -> Vec<&'static str> {
    todos(office, reader).await.into_iter().map(|t| t.code).collect()
}

async fn all(office: &TestOffice) -> Vec<&'static str> {
    codes(office, Reader::Everybody).await
}

#[tokio::test]
async fn a_run_stands_on_the_list_of_whoever_is_next() {
    on_both_engines(async |office| {
        assert!(all(office).await.is_empty());
        office.import(&office.neighbours(2)).await;
        let run = office.prepare("2026-01").await.run;
        let code = &run.code;
        assert_eq!(all(office).await, ["RUN_TO_SUBMIT"]);
        submit(&office.as_maker(), code).await.unwrap();
        send_back(&office.as_reviewer(), code, "人数与上月不符").await.unwrap();
        let back = todos(office, Reader::Post(Role::Maker)).await;
        assert_eq!((back[0].code, &*back[0].what), ("RUN_SENT_BACK", "复核 退回: 人数与上月不符"));
        submit(&office.as_maker(), code).await.unwrap();
        assert_eq!(codes(office, Reader::Post(Role::Reviewer)).await, ["RUN_TO_REVIEW"]);
        // Whoever prepared it is not asked to review it, whatever the post.
        let of = |name: &str, role| Reader::Person(Actor { name: name.into(), role });
        assert!(codes(office, of("经办", Role::Reviewer)).await.is_empty());
        assert_eq!(codes(office, of("复核", Role::Reviewer)).await, ["RUN_TO_REVIEW"]);
        assert!(codes(office, of("财务", Role::Finance)).await.is_empty());
        assert_eq!(codes(office, of("稽核", Role::Auditor)).await, ["RUN_TO_REVIEW"]);
        review(&office.as_reviewer(), code).await.unwrap();
        assert!(codes(office, of("复核", Role::Approver)).await.is_empty());
        assert_eq!(codes(office, of("审批", Role::Approver)).await, ["RUN_TO_APPROVE"]);
        approve(&office.as_approver(), code).await.unwrap();
        let issue = todos(office, Reader::Post(Role::Finance)).await;
        assert_eq!(issue[0].code, "RUN_TO_ISSUE");
        assert_eq!(
            (issue[0].amount, &*issue[0].command),
            (Some(yuan(240)), "fafang bank issue pochan1995-2026-01-r1 --out 文件夹")
        );
        let sent = office.issue(&run).await.files;
        assert!(all(office).await.is_empty(), "the bank has three working days");
        // Issued on Thursday 2026-01-15: Tuesday is the third working day, Wednesday one too many.
        office.go_to("2026-01-20");
        assert!(all(office).await.is_empty());
        office.go_to("2026-01-21");
        let late = todos(office, Reader::Everybody).await;
        assert_eq!((late[0].code, late[0].since), ("FILE_NOT_ANSWERED", day("2026-01-15")));
        assert!(late[0].what.contains("已 4 个工作日没有回盘"), "{}", late[0].what);
        office.answer(&sent, &office.good_bank()).await;
        assert_eq!(all(office).await, ["RUN_TO_CLOSE"]);
        fafang::workflow::decide_run::close(&office.as_finance(), code).await.unwrap();
        assert!(all(office).await.is_empty());
        // Sixty days after its last movement the money lies idle.
        office.go_to("2026-03-22");
        assert!(all(office).await.is_empty());
        office.go_to("2026-03-23");
        let idle = todos(office, Reader::Post(Role::Finance)).await;
        assert_eq!((idle[0].code, idle[0].amount), ("APPROPRIATION_IDLE", Some(yuan(289_000 - 240))));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_bank_and_the_people_leave_behind_is_on_the_list_until_it_is_done() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people).await;
        let run = office.send("2026-01").await;
        let sent = &run.files[0].bytes;
        let mut answer = paper::all_credited(sent);
        paper::reject(&mut answer, 0, "3031");
        paper::leave_open(&mut answer, 1);
        answer.rows.remove(3);
        office.take(&paper::bytes(&answer)).await;
        office.go_to("2026-01-16");
        assert_eq!(all(office).await, ["FINDING_UNEXPLAINED", "HOLD_OPEN", "OUTCOMES_OPEN"]);
        let open = todos(office, Reader::Post(Role::Finance)).await;
        assert_eq!((open[1].code, open[1].amount), ("OUTCOMES_OPEN", Some(yuan(240))));
        explain_finding(&office.as_finance(), 1, "银行漏行，已催").await.unwrap();
        office.take(&paper::bytes(&paper::all_credited(sent))).await;
        clear_hold(&office.as_maker(), 1, "户名已更正").await.unwrap();
        // The second answer called a rejected line credited: that is a finding of its own.
        explain_finding(&office.as_finance(), 2, "以第一次为准").await.unwrap();
        let again = todos(office, Reader::Post(Role::Maker)).await;
        assert_eq!(again.len(), 1, "{again:?}");
        assert_eq!(
            (again[0].code, &*again[0].what, again[0].amount, &*again[0].command),
            (
                "OWED_AGAIN",
                &*format!("{}的失败、退票或暂缓款待补发，没有在任何批次里", people[0].name),
                Some(yuan(120)),
                "fafang run prepare --scheme pochan1995 --period 2026-01 --kind supplementary"
            )
        );
        office.prepare_more("2026-01").await;
        assert_eq!(codes(office, Reader::Post(Role::Maker)).await, ["RUN_TO_SUBMIT"]);
        // Paid for January, and dead since December.
        stop(&office.as_maker(), person(&people[2]), StopReason::Death, day("2025-12-05"), "证明").await.unwrap();
        let overpaid = todos(office, Reader::Post(Role::Maker)).await.remove(0);
        assert_eq!((overpaid.code, overpaid.amount, overpaid.since), ("OVERPAID", Some(yuan(120)), day("2026-01-01")));
        assert!(overpaid.subject.contains(&people[2].name) && !overpaid.subject.contains(&people[2].citizen_number));
        // Once it is asked back, the case stands there instead, until the money is in.
        let number = &people[2].citizen_number;
        let case = recover::open(&office.as_maker(), number, None, Cause::DeathToldLate, None).await.unwrap().case.no;
        let open = todos(office, Reader::Post(Role::Finance)).await;
        let open: Vec<_> = open.iter().filter(|t| t.code == "RECOVERY_OPEN").map(|t| t.amount).collect();
        assert_eq!(open, [Some(yuan(120))]);
        assert!(!all(office).await.contains(&"OVERPAID"));
        recover::repay(&office.as_finance(), case, yuan(120), office.today(), "R-1").await.unwrap();
        assert!(!all(office).await.contains(&"RECOVERY_OPEN"));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_public_is_on_the_list_while_something_is_to_be_hung_up() {
    let scheme = SCHEME.replace(
        "# [publicity]\n# days_before_approval = 7\n# result = true",
        "[publicity]\ndays_before_approval = 7\nresult = true",
    );
    on_both_engines_with(&scheme, async |office| {
        office.import(&office.neighbours(2)).await;
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        // The approver cannot approve yet, and is not asked to.
        let due = todos(office, Reader::Everybody).await;
        assert_eq!((due.len(), due[0].code, &*due[0].what), (1, "PUBLICITY_DUE", "公示名单，还差 7 个工作日"));
        let showing = |kind, to: &'static str| NewShowing {
            kind,
            place: "公示栏",
            from: day("2026-01-15"),
            to: day(to),
            objections: "",
        };
        let before = showing(PublicityKind::Before, "2026-01-23");
        record_publicity(&office.as_maker(), &run.code, before).await.unwrap();
        assert!(all(office).await.is_empty(), "it hangs");
        office.go_to("2026-01-24");
        assert_eq!(all(office).await, ["RUN_TO_APPROVE"]);
        approve(&office.as_approver(), &run.code).await.unwrap();
        let files = office.issue(&run).await.files;
        office.answer(&files, &office.good_bank()).await;
        assert_eq!(all(office).await, ["RESULT_PUBLICITY_DUE"]);
        let result = NewShowing { from: day("2026-01-24"), ..showing(PublicityKind::Result, "2026-01-30") };
        record_publicity(&office.as_maker(), &run.code, result).await.unwrap();
        assert_eq!(all(office).await, ["RUN_TO_CLOSE"]);
        // Without the calendar nobody can say when: that is the administrator's.
        office.go_to("2026-12-28");
        office.prepare("2026-12").await;
        assert!(codes(office, Reader::Post(Role::Admin)).await.contains(&"CALENDAR_YEAR_MISSING"));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn certifications_and_second_persons_are_waited_for() {
    let scheme = SCHEME
        .replace(
            "# [certification]\n# cycle_months = 12\n# warning_months = 3\n# back_pay = \"paid\"",
            "[certification]\ncycle_months = 6\nwarning_months = 2\nback_pay = \"paid\"",
        )
        .replace("# second_person = [\"rosters\", \"changes\"]", "second_person = [\"changes\"]");
    assert_ne!(scheme.replace("second_person = [\"changes\"]", ""), SCHEME);
    on_both_engines_with(&scheme, async |office| {
        let people = office.neighbours(5);
        office.import(&people).await;
        // Nothing known: certified in December, valid to June, two months before the end are May and June.
        let money = ["APPROPRIATION_IDLE"];
        office.go_to("2026-04-30");
        assert_eq!(all(office).await, money);
        office.go_to("2026-05-01");
        let due = todos(office, Reader::Post(Role::Maker)).await;
        assert_eq!((due[0].code, due[0].since), ("CERTIFICATION_DUE", day("2026-05-01")));
        assert!(due[0].command.contains("certify import"), "{}", due[0].command);
        assert!(due[0].what.contains("等 5 人的资格认证将于 2026-06 到期"), "{}", due[0].what);
        let certify = Change {
            citizen_number: people[0].citizen_number.clone(),
            scheme: None,
            what: What::Certify { on: day("2026-05-01"), way: "上门".into() },
            reason: "认证".into(),
            evidence: String::new(),
        };
        enter_change(&office.as_maker(), certify).await.unwrap();
        let waits = todos(office, Reader::Post(Role::Reviewer)).await;
        assert_eq!((waits[0].code, &*waits[0].subject), ("REQUEST_WAITS", "第 1 号申请"));
        assert!(waits[0].command.starts_with("fafang change accept 1"), "{}", waits[0].command);
        let maker = Reader::Person(Actor { name: "经办".into(), role: Role::Reviewer });
        assert!(codes(office, maker).await.is_empty(), "nobody accepts what they asked for");
        fafang::workflow::enter_change::accept(&office.as_reviewer(), 1).await.unwrap();
        assert!(codes(office, Reader::Post(Role::Reviewer)).await.is_empty());
        office.go_to("2026-07-01");
        let lapsed = todos(office, Reader::Post(Role::Maker)).await;
        assert_eq!((lapsed.len(), lapsed[0].code, lapsed[0].since), (1, "CERTIFICATION_LAPSED", day("2026-07-01")));
        assert!(lapsed[0].what.contains("等 4 人的资格认证已于 2026-06 到期"), "{}", lapsed[0].what);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_screen_word_for_word() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        office.prepare("2026-01").await;
        office.go_to("2026-01-20");
        let report = todo(&office.as_admin(), &Reader::Post(Role::Maker)).await.unwrap();
        let rule = "─".repeat(120);
        let expected = format!(
            "\
待办 1 项
单位: 和静县社会保险中心    经办    截至 2026-01-20

自          天数  岗位  代码           对象                   事项         金额  怎样办
{rule}
2026-01-15     5  经办  RUN_TO_SUBMIT  pochan1995-2026-01-r1  提交 2 笔  240.00  fafang run submit pochan1995-2026-01-r1
{rule}
"
        );
        assert_eq!(text::render(&report), expected);
    })
    .await;
}

#[tokio::test]
async fn what_a_list_or_a_write_off_asks_for_stands_with_the_command_that_is_not_refused() {
    on_both_engines_with(&scheme_with_lines("second_person = [\"changes\"]"), async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        office.pay("2026-01", &office.good_bank()).await;
        office.go_to("2026-02-10");
        office.compare(ComparisonKind::Death, &deaths(&[(&people[0], "2025-12-20")])).await;
        let held = todos(office, Reader::Post(Role::Maker)).await.into_iter().find(|t| t.code == "HOLD_OPEN").unwrap();
        assert!(held.command.contains("comparison confirm") && !held.command.contains("hold clear"), "{held:?}");
        confirmed(&office.as_maker(), 1).await.unwrap();
        let waits = todos(office, Reader::Post(Role::Reviewer)).await;
        assert_eq!(
            (waits[0].code, &*waits[0].command),
            ("REQUEST_WAITS", "fafang change accept 1 或 change reject 1 --reason 原因")
        );
        let number = &people[0].citizen_number;
        let story = person_report(&office.as_maker(), number, None, Numbers::Masked).await.unwrap();
        assert_eq!(story.sheets[2].rows.len(), 1, "the confirmation waits in the person's own story");
        enter_change::accept(&office.as_reviewer(), 1).await.unwrap();
        recover::open(&office.as_maker(), number, None, Cause::DeathToldLate, None).await.unwrap();
        let write_off = recover::WriteOff { case_no: 1, amount: yuan(120), reason: "无遗产".into() };
        recover::request_write_off(&office.as_maker(), write_off).await.unwrap();
        assert!(codes(office, Reader::Post(Role::Reviewer)).await.is_empty(), "a reviewer could not accept it");
        let waits = todos(office, Reader::Post(Role::Approver)).await;
        assert!(waits.iter().any(|t| t.code == "REQUEST_WAITS" && t.what.contains("核销")), "{waits:?}");
        office.doctor().await;
    })
    .await;
}
