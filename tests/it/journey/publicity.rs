//! The list that is shown to the public, what it opens and closes, and the end of a run.

use fafang::domain::publicity::PublicityKind;
use fafang::failure::{Failure, Kind};
use fafang::office::Office;
use fafang::reports::publicity::{Notice, notice};
use fafang::reports::render::text;
use fafang::reports::table::{Report, Value};
use fafang::values;
use fafang::workflow::decide_run::{approve, cancel, close};
use fafang::workflow::publish::{NewShowing, Recorded, record_publicity};

use crate::support::paper::{all_credited, all_returned, bytes, reject};
use crate::support::{SCHEME, TestOffice, day, on_both_engines, on_both_engines_with, refused};

/// The county's scheme, with the list shown seven working days before the approval, and the result.
fn shown_scheme() -> String {
    let text = SCHEME.replace(
        "# [publicity]\n# days_before_approval = 7\n# result = true",
        "[publicity]\ndays_before_approval = 7\nresult = true",
    );
    assert_ne!(text, SCHEME);
    text
}

fn before<'a>(from: &str, to: &str) -> NewShowing<'a> {
    NewShowing { kind: PublicityKind::Before, place: "中心公示栏", from: day(from), to: day(to), objections: "" }
}

fn result<'a>(from: &str, to: &str) -> NewShowing<'a> {
    NewShowing { kind: PublicityKind::Result, ..before(from, to) }
}

async fn record(office: &Office, run: &str, new: NewShowing<'_>) -> Result<Recorded, Failure> {
    record_publicity(office, run, new).await
}

#[tokio::test]
async fn a_run_is_approved_only_after_its_list_hung_for_the_working_days_of_the_scheme() {
    on_both_engines_with(&shown_scheme(), async |office| {
        office.import(&office.neighbours(2)).await;
        let run = office.prepare("2026-01").await.run;
        let code = &run.code;
        office.review(&run).await;
        let failure = refused(office.changes_nothing(approve(&office.as_approver(), code)).await, "NOT_PUBLISHED");
        assert_eq!(
            failure.message,
            "批次 pochan1995-2026-01-r1 审批前须公示 7 个工作日: 没有公示记录，还差 7 个工作日，\
             今天开始的话应公示到 2026-01-23，期满次日起可以审批"
        );
        // Entered on the day it is hung up; then it hangs.
        let maker = office.as_maker();
        let first = before("2026-01-15", "2026-01-23");
        let recorded = office.changes("publicity +1", record(&maker, code, first)).await.unwrap();
        assert_eq!((recorded.showing.rows, recorded.showing.total.fen(), recorded.already), (2, 24_000, false));
        assert!(office.changes_nothing(record(&maker, code, first)).await.unwrap().already);
        office.go_to("2026-01-21");
        let failure = refused(office.changes_nothing(approve(&office.as_approver(), code)).await, "NOT_PUBLISHED");
        assert!(
            failure
                .message
                .ends_with("已登记 2026-01-15 至 2026-01-23，还差 3 个工作日，应公示到 2026-01-23，期满次日起可以审批"),
            "{}",
            failure.message
        );
        office.go_to("2026-01-23");
        refused(office.changes_nothing(approve(&office.as_approver(), code)).await, "NOT_PUBLISHED");
        // A Saturday: nothing is missing any more.
        office.go_to("2026-01-24");
        approve(&office.as_approver(), code).await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn six_working_days_are_not_seven_and_what_cannot_be_is_not_written_down() {
    on_both_engines_with(&shown_scheme(), async |office| {
        office.import(&office.neighbours(2)).await;
        let run = office.prepare("2026-01").await.run;
        let code = &run.code;
        office.review(&run).await;
        office.go_to("2026-01-30");
        let maker = office.as_maker();
        for (new, wrong) in [
            (before("2026-01-14", "2026-01-23"), "PUBLICITY_DATES"), // before it was prepared
            (before("2026-01-20", "2026-01-19"), "PUBLICITY_DATES"),
            (before("2026-02-02", "2026-02-10"), "PUBLICITY_DATES"), // not begun
            (NewShowing { place: " ", ..before("2026-01-15", "2026-01-23") }, "NO_PLACE"),
            (result("2026-01-15", "2026-01-23"), "RUN_WRONG_STATE"),
        ] {
            refused(office.changes_nothing(record(&maker, code, new)).await, wrong);
        }
        for name in ["复核", "审批", "财务", "稽核", "管理员"] {
            let desk = office.acting_as(name);
            refused(
                office.changes_nothing(record(&desk, code, before("2026-01-15", "2026-01-23"))).await,
                "WRONG_ROLE",
            );
        }
        record(&maker, code, before("2026-01-16", "2026-01-23")).await.unwrap();
        let failure = refused(office.changes_nothing(approve(&office.as_approver(), code)).await, "NOT_PUBLISHED");
        assert!(failure.message.contains("还差 1 个工作日，应公示到 2026-01-26"), "{}", failure.message);
        // It did hang until Monday: that is another record.
        let whole = NewShowing { objections: "一人询问月数，已答复", ..before("2026-01-16", "2026-01-26") };
        assert_eq!(record(&maker, code, whole).await.unwrap().showing.no, 2);
        approve(&office.as_approver(), code).await.unwrap();
        refused(
            office.changes_nothing(record(&maker, code, before("2026-01-16", "2026-01-27"))).await,
            "RUN_WRONG_STATE",
        );
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn without_the_calendar_of_the_year_nobody_guesses() {
    on_both_engines_with(&shown_scheme(), async |office| {
        office.import(&office.neighbours(1)).await;
        office.go_to("2026-12-28");
        let run = office.prepare("2026-12").await.run;
        office.review(&run).await;
        let failure =
            refused(office.changes_nothing(approve(&office.as_approver(), &run.code)).await, "CALENDAR_YEAR_MISSING");
        assert_eq!(failure.kind, Kind::Configuration);
        assert!(failure.message.contains("2027"), "{}", failure.message);
        let export = Notice { phone: Some("0996-5020000".into()), ..Notice::default() };
        refused(notice(&office.as_maker(), &run.code, export).await, "CALENDAR_YEAR_MISSING");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn another_list_than_the_shown_one_is_not_approved() {
    on_both_engines_with(&shown_scheme(), async |office| {
        let people = office.neighbours(3);
        office.import(&people[..2]).await;
        let first = office.prepare("2026-01").await.run;
        let maker = office.as_maker();
        record(&maker, &first.code, before("2026-01-15", "2026-01-23")).await.unwrap();
        // Someone was objected to: the run is made anew, and its list was shown to nobody.
        cancel(&maker, &first.code, "有异议").await.unwrap();
        refused(
            office.changes_nothing(record(&maker, &first.code, before("2026-01-15", "2026-01-26"))).await,
            "RUN_WRONG_STATE",
        );
        office.import(&people).await;
        let second = office.prepare("2026-01").await.run;
        record(&maker, &second.code, before("2026-01-15", "2026-01-23")).await.unwrap();
        // Behind the program's back, before the submission froze anything.
        assert_eq!(office.alter_payment(1, |p| p.name = "王后补".into()).await, 2);
        office.go_to("2026-01-26");
        office.review(&second).await;
        let failure =
            refused(office.changes_nothing(approve(&office.as_approver(), &second.code)).await, "NOT_PUBLISHED");
        assert!(failure.message.contains("公示过的名单与现在的明细不同，还差 7 个工作日"), "{}", failure.message);
        office.doctor().await;
    })
    .await;
}

/// Pays January to three people; the second is rejected.
async fn paid_with_one_rejected(office: &TestOffice) -> (String, Vec<u8>) {
    office.import(&office.neighbours(3)).await;
    let run = office.prepare("2026-01").await.run;
    record(&office.as_maker(), &run.code, before("2026-01-15", "2026-01-23")).await.unwrap();
    office.go_to("2026-01-26");
    office.sign(&run).await;
    let sent = office.issue(&run).await.files.remove(0).bytes;
    let finance = office.as_finance();
    refused(office.changes_nothing(close(&finance, &run.code)).await, "RUN_WRONG_STATE");
    let early = record(&office.as_maker(), &run.code, result("2026-01-26", "2026-01-30")).await;
    refused(early, "RUN_WRONG_STATE");
    let mut answer = all_credited(&sent);
    reject(&mut answer, 1, "3031");
    assert!(office.take(&bytes(&answer)).await.settled);
    (run.code, sent)
}

fn texts(report: &Report, column: usize) -> Vec<String> {
    report.sheets[0].rows.iter().map(|row| row[column].plain()).collect()
}

#[tokio::test]
async fn a_run_is_closed_when_its_result_was_shown_and_money_still_comes_back() {
    on_both_engines_with(&shown_scheme(), async |office| {
        let (code, sent) = paid_with_one_rejected(office).await;
        let finance = office.as_finance();
        let failure = refused(office.changes_nothing(close(&finance, &code)).await, "RESULT_NOT_PUBLISHED");
        assert!(failure.message.contains("没有发放结果的公示记录"), "{}", failure.message);
        let export = Notice { phone: Some("0996-5020000".into()), ..Notice::default() };
        let list = notice(&office.as_maker(), &code, export).await.unwrap();
        assert!(list.title.ends_with("发放结果公示"), "{}", list.title);
        assert_eq!(texts(&list, 0), ["1", "2"], "who was rejected is not among those who were paid");
        let maker = office.as_maker();
        record(&maker, &code, result("2026-01-26", "2026-01-30")).await.unwrap();
        // One of them comes back: the shown result is no longer the result.
        let mut late = all_returned(&sent);
        late.rows.truncate(1);
        assert_eq!(office.take_late(&bytes(&late)).await.returned.rows, 1);
        let failure = refused(office.changes_nothing(close(&finance, &code)).await, "RESULT_NOT_PUBLISHED");
        assert!(failure.message.contains("与现在的不同（其后有退票）"), "{}", failure.message);
        record(&maker, &code, result("2026-01-26", "2026-01-30")).await.unwrap();
        for name in ["经办", "复核", "审批", "稽核", "管理员"] {
            refused(office.changes_nothing(close(&office.acting_as(name), &code)).await, "WRONG_ROLE");
        }
        let closed = office.changes("run ~1", close(&finance, &code)).await.unwrap();
        assert_eq!(closed.run.state.sentence(), "已办结（财务 2026-01-26）");
        assert!(office.changes_nothing(close(&finance, &code)).await.unwrap().already);
        refused(office.changes_nothing(cancel(&office.as_approver(), &code, "晚了")).await, "RUN_WRONG_STATE");
        assert_eq!(office.runs().await, [(code.clone(), "closed")]);
        // The bank sends back the third, too: it is taken in and owed again, and the run stays closed.
        office.go_to("2026-02-03");
        let mut late = all_returned(&sent);
        late.rows.remove(0);
        late.rows.remove(0);
        let taken = office.take_late(&bytes(&late)).await;
        assert_eq!((taken.returned.rows, taken.holds), (1, 1));
        assert_eq!(office.runs().await, [(code.clone(), "closed")]);
        let again = fafang::workflow::issue_files::issue_files(&office.as_finance(), &code).await.unwrap();
        assert!(again.again, "the same bytes, for the evidence");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_scheme_that_asks_for_nothing_is_closed_as_soon_as_it_is_settled() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let run = office.send("2026-01").await;
        refused(office.changes_nothing(close(&office.as_finance(), &run.run.code)).await, "RUN_WRONG_STATE");
        office.answer(&run.files, &office.good_bank()).await;
        office.changes("run ~1", close(&office.as_finance(), &run.run.code)).await.unwrap();
        // Closed without a signature is no state of the database.
        let sql = "UPDATE run SET closed_by = NULL WHERE agency_code = $1";
        assert!(office.try_by_hand(sql, values!["652827"]).await.is_err());
        office.pay("2026-02", &office.good_bank()).await;
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_list_names_people_and_never_their_numbers_or_accounts() {
    on_both_engines_with(&shown_scheme(), async |office| {
        let mut people = office.neighbours(4);
        for row in &mut people[..3] {
            row.name = "王芳".into();
        }
        office.import(&people).await;
        let run = office.prepare("2026-01").await.run;
        let maker = office.as_maker();
        refused(notice(&maker, &run.code, Notice::default()).await, "NO_PHONE");
        let result = Notice { kind: Some(PublicityKind::Result), phone: Some("1".into()), ..Notice::default() };
        refused(notice(&maker, &run.code, result).await, "RUN_WRONG_STATE");
        let export = || Notice { phone: Some("0996-5020000".into()), ..Notice::default() };
        let list = notice(&maker, &run.code, export()).await.unwrap();
        assert_eq!(list.title, "2026年州直关闭破产困难企业1995年底前退休人员生活补贴发放前公示");
        assert_eq!(
            list.subtitle,
            [
                "单位: 和静县社会保险中心    批次: pochan1995-2026-01-r1    所属期: 2026-01",
                "政策依据: 新政办发〔2010〕168号、巴劳社字〔2010〕161号    补贴标准: 120.00 元/月",
                "公示时间: 2026-01-15 至 2026-01-23    监督电话: 0996-5020000",
            ]
        );
        let screen = text::render(&list);
        for row in &people {
            assert!(!screen.contains(&row.account) && !screen.contains(&row.citizen_number[6..14]), "{screen}");
        }
        // The three namesakes differ, by no more digits than that takes; the fourth shows none.
        let names = texts(&list, 1);
        let masked = texts(&list, 2);
        let mut namesakes = Vec::new();
        for (name, number) in names.iter().zip(&masked) {
            let tail = number.trim_start_matches('*').len();
            if name == "王芳" {
                namesakes.push((number.clone(), tail));
            } else {
                assert_eq!(tail, 0);
            }
        }
        assert_eq!(namesakes.len(), 3);
        let tail = namesakes[0].1;
        let distinct = |tail: usize| {
            let ends: std::collections::HashSet<&str> =
                people[..3].iter().map(|p| &p.citizen_number[18 - tail..]).collect();
            ends.len() == 3
        };
        assert!(distinct(tail) && !distinct(tail - 1), "{namesakes:?}");
        assert!(namesakes.iter().all(|(_, t)| *t == tail));
        let total = list.sheets[0].total.clone().unwrap();
        assert_eq!((&total[0], &total[5], total[6].plain()), (&Value::from("合计"), &Value::Count(4), "480.00".into()));
        // A phone of the configuration is enough, and the last day may be given.
        let mut desk = office.as_maker();
        desk.settings.complaint_phone = "0996-5021111".into();
        let given = Notice { from: Some(day("2026-02-02")), to: Some(day("2026-02-10")), ..Notice::default() };
        let list = notice(&desk, &run.code, given).await.unwrap();
        assert_eq!(list.subtitle[2], "公示时间: 2026-02-02 至 2026-02-10    监督电话: 0996-5021111");
        let turned = Notice { from: Some(day("2026-02-02")), to: Some(day("2026-02-01")), ..Notice::default() };
        refused(notice(&desk, &run.code, turned).await, "PUBLICITY_DATES");
        office.doctor().await;
    })
    .await;
}
