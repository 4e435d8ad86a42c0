//! The whole story of one person, as the office is asked for it.

use fafang::domain::change::{Change, What};
use fafang::domain::enrolment::StopReason;
use fafang::reports::payment_sheet::Numbers;
use fafang::reports::person::person as story;
use fafang::reports::render::text;
use fafang::reports::table::Report;
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::enter_change::enter_change;

use crate::support::changes::{NewAccount, change_account, enter, stop};
use crate::support::{
    CODE, Row, SCHEME, TestOffice, day, on_both_engines, on_both_engines_with, paper, person, refused,
};

/// The cells of a sheet under some keys.
fn cells(report: &Report, sheet: &str, keys: &[&str]) -> Vec<Vec<String>> {
    let sheet = report.sheets.iter().find(|s| s.name == sheet).unwrap();
    let places: Vec<usize> = keys.iter().map(|key| sheet.columns.iter().position(|c| c.key == *key).unwrap()).collect();
    let cell = |row: &Vec<_>, i: usize| row.get(i).map_or_else(String::new, fafang::reports::table::Value::plain);
    sheet.rows.iter().map(|row| places.iter().map(|i| cell(row, *i)).collect()).collect()
}

/// January rejected and paid again, a new account, death found late, and February come back.
async fn troubled(office: &TestOffice) -> Row {
    let people = office.neighbours(2);
    office.import(&people[..1]).await;
    let who = people[0].clone();
    let sent = office.send("2026-01").await.files.remove(0).bytes;
    let mut answer = paper::all_credited(&sent);
    paper::reject(&mut answer, 0, "3031");
    office.take(&paper::bytes(&answer)).await;
    clear_hold(&office.as_maker(), office.holds().await[0].no, "户名已更正").await.unwrap();
    office.go_to("2026-02-10");
    let sent = office.pay("2026-02", &office.good_bank()).await.files.remove(0).bytes;
    office.go_to("2026-02-20");
    let mut late = paper::all_returned(&sent);
    late.rows[0].on = Some(day("2026-02-19"));
    office.take_late(&paper::bytes(&late)).await;
    let new = NewAccount { number: &people[1].account, bank: None, holder: None, relation: "" };
    change_account(&office.as_maker(), person(&who), new, "换卡").await.unwrap();
    office.pay("2026-02", &office.good_bank()).await;
    office.go_to("2026-03-10");
    office.pay("2026-03", &office.good_bank()).await;
    let maker = office.as_maker();
    stop(&maker, person(&who), StopReason::Moved, day("2026-01-20"), "迁出证明").await.unwrap();
    enter(&maker, person(&who), What::Undo(2), "日期登记错").await.unwrap();
    stop(&maker, person(&who), StopReason::Death, day("2026-02-03"), "死亡证明12号").await.unwrap();
    who
}

#[tokio::test]
async fn every_month_tells_what_was_owed_what_was_sent_and_what_came_of_it() {
    on_both_engines(async |office| {
        let who = troubled(office).await;
        let office_now = office.acting_as("稽核");
        let report = story(&office_now, &who.citizen_number, None, Numbers::Masked).await.unwrap();
        assert_eq!(
            cells(
                &report,
                "按月发放",
                &["period", "claim", "reason", "amount", "run", "line_no", "state", "on", "answer"]
            ),
            [
                [
                    "2026-01",
                    "120.00",
                    "",
                    "120.00",
                    "pochan1995-2026-01-r1",
                    "1",
                    "失败",
                    "2026-01-15",
                    "3031 银行说明"
                ],
                ["2026-01", "", "", "120.00", "pochan1995-2026-02-r1", "1", "退票", "2026-02-19", "3056 退票"],
                ["2026-01", "", "", "120.00", "pochan1995-2026-02-r2", "1", "成功", "2026-02-20", ""],
                ["2026-02", "120.00", "", "120.00", "pochan1995-2026-02-r1", "1", "退票", "2026-02-19", "3056 退票"],
                ["2026-02", "", "", "120.00", "pochan1995-2026-02-r2", "1", "成功", "2026-02-20", ""],
                ["2026-03", "0.00", "停发（死亡）", "120.00", "pochan1995-2026-03-r1", "1", "成功", "2026-03-10", ""],
            ]
        );
        let history = cells(&report, "按月发放", &["history"]);
        assert_eq!(history[1][0], "成功 2026-02-10；退票 2026-02-19 3056 退票");
        assert!(cells(&report, "按月发放", &["file"]).iter().all(|row| !row[0].is_empty()));
        assert_eq!(
            cells(&report, "变更", &["event_no", "kind", "what", "made_by", "made_on", "accepted_by", "undone"])[1..],
            [
                ["2", "停发", "无 → 2026-01 迁出 2026-01-20", "经办", "2026-03-10", "", "已由第 3 号撤销"],
                ["3", "撤销", "第 2 号 停发 2026-01 迁出 2026-01-20", "经办", "2026-03-10", "", ""],
                ["4", "停发", "无 → 2026-02 死亡 2026-02-03", "经办", "2026-03-10", "", ""],
            ]
            .map(|row| row.map(str::to_string).to_vec())
        );
        assert_eq!(
            cells(&report, "暂停支付", &["hold_no", "reason", "opened_on", "cleared_on", "cleared_by", "resolution"]),
            [
                ["1", "户名不符", "2026-01-15", "2026-01-15", "经办", "户名已更正"],
                ["2", "退票", "2026-02-20", "2026-02-20", "经办", "账户已变更: 换卡"],
            ]
        );
        assert_eq!(
            cells(&report, "多发", &["period", "claim", "cover", "overpaid"]),
            [["2026-03", "0.00", "120.00", "120.00"]]
        );
        assert_eq!(
            cells(&report, "待遇资格", &["scheme", "last_period", "status"]),
            [[CODE, "2026-02", "停发（死亡）"]]
        );
        // Masked for everybody, whole for whom it is asked for.
        let screen = text::render(&report);
        assert!(!screen.contains(&who.citizen_number) && !screen.contains(&who.account), "{screen}");
        let whole = text::render(&story(&office_now, &who.citizen_number, None, Numbers::Whole).await.unwrap());
        assert!(whole.contains(&who.citizen_number) && whole.contains(&who.account), "{whole}");
        let stranger = &office.neighbours(3)[2].citizen_number;
        refused(story(&office_now, stranger, None, Numbers::Masked).await, "UNKNOWN_PERSON");
        refused(story(&office_now, "123", None, Numbers::Masked).await, "CITIZEN_NUMBER_LENGTH");
        refused(story(&office_now, &who.citizen_number, Some("other"), Numbers::Masked).await, "UNKNOWN_PERSON");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_months_after_the_end_are_told_once_and_cancelled_runs_too() {
    on_both_engines(async |office| {
        let people = office.neighbours(1);
        office.import(&people).await;
        let run = office.prepare("2026-01").await.run;
        fafang::workflow::decide_run::cancel(&office.as_maker(), &run.code, "重算").await.unwrap();
        let maker = office.as_maker();
        stop(&maker, person(&people[0]), StopReason::Death, day("2025-12-30"), "死亡证明").await.unwrap();
        office.go_to("2026-09-01");
        let report = story(&office.as_maker(), &people[0].citizen_number, Some(CODE), Numbers::Masked).await.unwrap();
        assert_eq!(
            cells(&report, "按月发放", &["period", "claim", "reason", "run", "state", "file"]),
            [["2026-01", "0.00", "停发（死亡）", "pochan1995-2026-01-r1", "作废", ""]]
        );
        assert_eq!(report.sheets.last().unwrap().notes, ["无"]);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_second_person_is_told_of_whom_it_concerns() {
    let scheme = SCHEME.replace("# second_person = [\"rosters\", \"changes\"]", "second_person = [\"changes\"]");
    assert_ne!(scheme, SCHEME);
    on_both_engines_with(&scheme, async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let change = |who: &Row| Change {
            citizen_number: who.citizen_number.to_lowercase(),
            scheme: None,
            what: What::Name("王改名".into()),
            reason: "更正".into(),
            evidence: String::new(),
        };
        enter_change(&office.as_maker(), change(&people[0])).await.unwrap();
        let told = async |who: &Row| {
            let report = story(&office.as_maker(), &who.citizen_number, None, Numbers::Masked).await.unwrap();
            cells(&report, "等待复核", &["request_no", "scheme", "made_by"])
        };
        assert_eq!(told(&people[0]).await, [["1", CODE, "经办"]]);
        assert!(told(&people[1]).await.is_empty());
        fafang::workflow::enter_change::accept(&office.as_reviewer(), 1).await.unwrap();
        assert!(told(&people[0]).await.is_empty());
        let report = story(&office.as_maker(), &people[0].citizen_number, None, Numbers::Masked).await.unwrap();
        assert_eq!(cells(&report, "变更", &["kind", "accepted_by"]), [["姓名变更", "复核"]]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_screen_word_for_word() {
    on_both_engines(async |office| {
        let people = office.neighbours(1);
        office.import(&people).await;
        office.prepare("2026-01").await;
        let report = story(&office.as_maker(), &people[0].citizen_number, None, Numbers::Masked).await.unwrap();
        let expected = "\
玛依努尔·托合提 652825********1985
单位: 和静县社会保险中心    截至 2026-01-15
原工作单位:     退休日期:     联系电话: 

待遇资格
项目        人员类别  起始月   终止月  状态  月待遇  最近认证  认证有效至  开户银行                银行账号             户名
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
pochan1995            2026-01          正常  120.00                        和静县农村信用合作联社  6299***********7709  玛依努尔·托合提
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

变更
项目  编号  变更  内容  原因  依据  办理人  日期  复核人  撤销
──────────────────────────────────────────────────────────────
无

等待复核
编号  项目  种类  内容  提出人  日期
────────────────────────────────────
无

暂停支付
编号  原因  情况  自  登记人  解除  解除人  处理结果
────────────────────────────────────────────────────
无

按月发放
项目        所属期     应发  不发原因    发放  批次                   序号  支付文件  结果  日期  银行说明  经过
────────────────────────────────────────────────────────────────────────────────────────────────────────────────
pochan1995  2026-01  120.00            120.00  pochan1995-2026-01-r1  1               待批
────────────────────────────────────────────────────────────────────────────────────────────────────────────────

多发
项目  所属期  应发  已发和在途  多发
────────────────────────────────────
无
";
        assert_eq!(text::render(&report), expected);
    })
    .await;
}
