//! Publicity, closing, one person's story and the list of what is to be done, as commands.

use serde_json::json;

use super::{APPROVER, CODE, Desk, FINANCE, MAKER, REVIEWER, files_in, on_both_engines};
use crate::support::SCHEME;

const RUN: &str = "pochan1995-2026-01-r1";

/// An office whose scheme is shown to the public, with its people.
fn shown(desk: Desk, people: usize) -> Desk {
    let desk = desk.with_office().with_people(people);
    let scheme = SCHEME.replace(
        "# [publicity]\n# days_before_approval = 7\n# result = true",
        "[publicity]\ndays_before_approval = 7\nresult = true",
    );
    desk.put("shown.toml", scheme);
    desk.run(&["scheme", "load", "shown.toml"]).done();
    desk
}

fn at<'a>(date: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [&["--on", date], words].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_exported_recorded_and_opens_the_approval_and_the_closing() {
    on_both_engines(|desk| {
        let desk = shown(desk, 3);
        desk.as_(MAKER, &at("2026-01-05", &["run", "prepare", "--scheme", CODE, "--period", "2026-01"])).done();
        desk.as_(MAKER, &at("2026-01-05", &["run", "submit", RUN])).done();
        desk.as_(REVIEWER, &at("2026-01-05", &["run", "review", RUN])).done();
        let refused =
            desk.changes_nothing(|| desk.as_(APPROVER, &at("2026-01-06", &["run", "approve", RUN, "--json"])));
        assert_eq!((refused.code, &refused.json()["error"]["code"]), (Some(1), &json!("NOT_PUBLISHED")));
        desk.as_(MAKER, &["publicity", "export", RUN, "--out", "list.csv"]).exits(1).says("NO_PHONE").says("--phone");
        let export = ["publicity", "export", RUN, "--phone", "0996-5020000", "--out"];
        for name in ["list.csv", "list.xlsx", "list.json", "list.txt"] {
            desk.as_(MAKER, &at("2026-01-06", &[&export[..], &[name]].concat())).done().says(name);
        }
        let list: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.path("list.json")).unwrap()).unwrap();
        assert_eq!(list["sheets"][0]["rows"].as_array().unwrap().len(), 3);
        assert_eq!(list["sheets"][0]["rows"][0]["amount_fen"], json!(12_000));
        assert!(list["subtitle"][2].as_str().unwrap().contains("2026-01-06 至 2026-01-14"), "{list}");
        let csv = std::fs::read_to_string(desk.path("list.csv")).unwrap();
        let roster = std::fs::read_to_string(desk.path("roster.csv")).unwrap();
        for number in roster.split([',', '\r', '\n']).filter(|f| f.len() >= 16 && f.is_ascii()) {
            assert!(!csv.contains(number), "{number}");
        }
        let record = |kind: &'static str, from: &'static str, to: &'static str, on: &'static str| {
            at(
                on,
                &[
                    "publicity",
                    "record",
                    RUN,
                    "--kind",
                    kind,
                    "--place",
                    "中心公示栏",
                    "--from",
                    from,
                    "--to",
                    to,
                    "--json",
                ],
            )
        };
        let told = desk.as_(MAKER, &record("before", "2026-01-06", "2026-01-14", "2026-01-06")).done().json();
        assert_eq!((&told["run"], &told["publicity_no"], &told["already"]), (&json!(RUN), &json!(1), &json!(false)));
        assert_eq!(
            (&told["from_date"], &told["rows"], &told["total_fen"]),
            (&json!("2026-01-06"), &json!(3), &json!(36_000))
        );
        assert_eq!(told["list_digest"].as_str().unwrap().len(), 64);
        desk.as_(APPROVER, &at("2026-01-14", &["run", "approve", RUN]))
            .exits(1)
            .says("还差 1 个工作日，应公示到 2026-01-14");
        desk.as_(APPROVER, &at("2026-01-15", &["run", "approve", RUN])).done();
        desk.as_(FINANCE, &at("2026-01-15", &["bank", "issue", RUN, "--out", "out"])).done();
        desk.as_(FINANCE, &["run", "close", RUN]).exits(1).says("RUN_WRONG_STATE");
        desk.run(&at("2026-01-15", &["bank", "simulate", "out", "--out", "ret"])).done();
        for file in files_in(&desk.path("ret")) {
            desk.as_(FINANCE, &at("2026-01-15", &["bank", "return", file.to_str().unwrap()])).done();
        }
        desk.as_(FINANCE, &at("2026-01-16", &["run", "close", RUN])).exits(1).says("RESULT_NOT_PUBLISHED");
        desk.as_(MAKER, &record("result", "2026-01-16", "2026-01-22", "2026-01-16")).done();
        let closed = desk.as_(FINANCE, &at("2026-01-16", &["run", "close", RUN, "--json"])).done().json();
        assert_eq!((&closed["status"], &closed["closed_by"]), (&json!("closed"), &json!(FINANCE)));
        assert_eq!(closed["issued_by"], json!(FINANCE));
        desk.run(&["run", "list"]).done().says("已办结（巴特尔 2026-01-16）");
        let shown = desk.run(&["run", "show", RUN, "--json"]).done().json();
        assert_eq!((&shown["status"], shown["publicity"].as_array().unwrap().len()), (&json!("closed"), 2));
        desk.run(&["run", "show", RUN])
            .done()
            .says("发放前公示 2026-01-06 至 2026-01-14 中心公示栏（3 人 360.00 元，无异议；阿依努尔 2026-01-06 登记）");
        desk.is_healthy();
    })
    .await;
}

#[test]
fn one_persons_story_is_masked_unless_a_post_that_may_asks() {
    let desk = shown(Desk::new(), 1);
    desk.as_(MAKER, &at("2026-01-05", &["run", "prepare", "--scheme", CODE, "--period", "2026-01"])).done();
    let roster = std::fs::read_to_string(desk.path("roster.csv")).unwrap();
    let number = roster.split([',', '\r', '\n']).find(|f| f.len() == 18 && f.is_ascii()).unwrap().to_string();
    let show =
        |who: &str, more: &[&str]| desk.as_(who, &[&["--on", "2026-02-05", "roster", "show", &number], more].concat());
    let masked = show(REVIEWER, &[]).done();
    assert!(!masked.out.contains(&number), "{}", masked.out);
    for who in [REVIEWER, APPROVER] {
        show(who, &["--full"]).exits(1).says("WRONG_ROLE").says("经办、财务、稽核");
    }
    for who in [MAKER, FINANCE] {
        assert!(show(who, &["--full"]).done().out.contains(&number));
    }
    let story = show(MAKER, &["--json"]).done().json();
    assert_eq!(story["code"], json!("person"));
    let names: Vec<&str> = story["sheets"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["待遇资格", "变更", "等待复核", "暂停支付", "按月发放", "多发"]);
    let months = &story["sheets"][4]["rows"];
    assert_eq!(
        (&months[0]["period"], &months[0]["claim_fen"], &months[0]["run"]),
        (&json!("2026-01"), &json!(12_000), &json!(RUN))
    );
    assert_eq!(
        (&months[1]["period"], &months[1]["claim_fen"], &months[1]["run"]),
        (&json!("2026-02"), &json!(12_000), &json!(null))
    );
    show(MAKER, &["--out", "story.xlsx"]).done();
    assert!(desk.path("story.xlsx").exists());
    show(MAKER, &["--scheme", "other"]).exits(1).says("UNKNOWN_PERSON");
}

#[test]
fn the_list_of_what_is_to_be_done_is_each_posts_own() {
    let desk = shown(Desk::new(), 2);
    desk.as_(MAKER, &at("2026-01-05", &["run", "prepare", "--scheme", CODE, "--period", "2026-01"])).done();
    let rows = |answer: super::Answer| answer.done().json()["sheets"][0]["rows"].clone();
    let all = rows(desk.run(&at("2026-01-08", &["todo", "--json"])));
    let codes: Vec<&str> = all.as_array().unwrap().iter().map(|t| t["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["PUBLICITY_DUE", "RUN_TO_SUBMIT"]);
    assert_eq!(
        all[1],
        json!({
            "since": "2026-01-05", "age_days": 3, "roles": "经办", "code": "RUN_TO_SUBMIT", "subject": RUN, "what": "提交 2 笔",
            "amount_fen": 24_000, "command": "fafang run submit pochan1995-2026-01-r1",
        })
    );
    assert_eq!(rows(desk.as_(MAKER, &at("2026-01-08", &["todo", "--json"]))), all);
    assert_eq!(rows(desk.as_(FINANCE, &at("2026-01-08", &["todo", "--json"]))), json!([]));
    assert_eq!(rows(desk.as_(FINANCE, &at("2026-01-08", &["todo", "--role", "经办", "--json"]))), all);
    desk.as_("没有此人", &["todo"]).exits(1).says("UNKNOWN_USER");
    desk.run(&["todo", "--role", "king"]).exits(2).says("没有“king”这个岗位");
    let config = std::fs::read_to_string(desk.path("fafang.toml")).unwrap();
    assert!(config.contains("return_overdue_days = 3"), "{config}");
}
