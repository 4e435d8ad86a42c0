//! Killed at any moment, a step happened or it did not, and running it again is safe.

use std::process::Stdio;
use std::time::Duration;

use super::{APPROVER, CODE, Desk, FINANCE, MAKER, REVIEWER, answer, files_in, roster};

impl Desk {
    /// Runs a command that is killed at a point.
    #[track_caller]
    pub(super) fn dies(&self, at: &str, who: &str, words: &[&str]) {
        let killed = answer(self.command(&[&["--as", who], words].concat()).env("FAFANG_CRASH_AT", at));
        assert_eq!(killed.code, None, "{at} was not reached: {killed:?}");
    }

    /// Kills the step before its commit (nothing happened) and after it (all of it happened).
    #[track_caller]
    pub(super) fn survives(&self, action: &str, who: &str, words: &[&str]) {
        let before = self.events();
        self.dies(&format!("{action}:before-commit"), who, words);
        assert_eq!(self.events(), before, "{action}");
        self.is_healthy();
        self.dies(&format!("{action}:after-commit"), who, words);
        assert_eq!(self.events(), before + 1, "{action}");
        self.is_healthy();
    }
}

#[test]
fn every_step_of_a_month_survives_a_kill() {
    let desk = Desk::new().with_office();
    desk.put("roster.csv", roster(30));
    let import = ["roster", "import", "roster.csv", "--scheme", CODE];
    desk.survives("roster.import", MAKER, &import);
    desk.as_(MAKER, &import).done().says("没有任何改动");
    let prepare = ["run", "prepare", "--scheme", CODE, "--period", "2026-01"];
    desk.survives("run.prepare", MAKER, &prepare);
    desk.as_(MAKER, &prepare).exits(1).says("NOTHING_PAYABLE").says("pochan1995-2026-01-r1");
    let run = "pochan1995-2026-01-r1";
    for (action, who, verb) in
        [("run.submit", MAKER, "submit"), ("run.review", REVIEWER, "review"), ("run.approve", APPROVER, "approve")]
    {
        desk.survives(action, who, &["run", verb, run]);
        desk.as_(who, &["run", verb, run]).done().says("早已办理");
    }
    let issue = ["bank", "issue", run, "--out", "out"];
    desk.survives("bank.issue", FINANCE, &issue);
    let unnamed = files_in(&desk.path("out"));
    assert!(
        unnamed.iter().all(|f| f.extension().is_some_and(|e| e == "part")),
        "killed before the first name: {unnamed:?}"
    );
    desk.dies("folder:after-write", FINANCE, &issue);
    desk.dies("folder:after-rename", FINANCE, &issue);
    desk.as_(FINANCE, &issue).done().says("同样的文件");
    let files = files_in(&desk.path("out"));
    assert!(files.iter().all(|f| f.extension().is_some_and(|e| e == "txt")), "{files:?}");
    let kept: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    desk.as_(FINANCE, &["bank", "issue", run, "--out", "again"]).done();
    assert_eq!(kept, files_in(&desk.path("again")).iter().map(|f| std::fs::read(f).unwrap()).collect::<Vec<_>>());
    desk.run(&["bank", "simulate", "out", "--out", "ret", "--late-return", "10000"]).done();
    let answers = files_in(&desk.path("ret"));
    let named = |prefix: &str| {
        answers
            .iter()
            .filter(|f| f.file_name().unwrap().to_str().unwrap().starts_with(prefix))
            .map(|f| f.to_str().unwrap())
            .collect::<Vec<_>>()
    };
    let returns = named("return-1");
    assert!(returns.len() > 1, "{returns:?}");
    desk.survives("bank.return", FINANCE, &[&["bank", "return"][..], &returns].concat());
    for file in &returns {
        desk.as_(FINANCE, &["bank", "return", file]).done().says("没有任何改动");
    }
    let all = desk.as_(FINANCE, &[&["--json", "bank", "return"][..], &returns].concat()).done().json();
    assert_eq!((all["files"].as_array().unwrap().len(), &all["credited"]), (returns.len(), &serde_json::json!(0)));
    assert_eq!((&all["already"], &all["open"]), (&serde_json::json!(returns.len()), &serde_json::json!(0)));
    // A folder holds both kinds: each command takes its own, and says so of the others.
    desk.as_(FINANCE, &["bank", "return", "ret"]).done().says("late-return");
    let late = ["bank", "late-return", named("late-return")[0]];
    desk.survives("bank.late_return", FINANCE, &late);
    desk.as_(FINANCE, &late).done().says("没有任何改动");
    desk.is_healthy();
}

#[test]
fn a_kill_at_a_random_moment_leaves_all_or_nothing() {
    let desk = Desk::new().with_office();
    desk.put("roster.csv", roster(1_500));
    let import = ["--as", MAKER, "roster", "import", "roster.csv", "--scheme", CODE];
    let before = desk.events();
    for milliseconds in [40, 80, 120, 160, 240, 320, 480, 640] {
        let mut child = desk.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = child.kill();
        child.wait().unwrap();
        let people = desk.run(&["roster", "list", "--scheme", CODE, "--json"]).done().json()["sheets"][0]["rows"]
            .as_array()
            .unwrap()
            .len();
        assert!(people == 0 && desk.events() == before || people == 1_500 && desk.events() == before + 1, "{people}");
        desk.is_healthy();
    }
    desk.run(&import).done();
    assert_eq!(desk.events(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_at_the_same_time_reserve_once() {
    super::on_both_engines(|desk| {
        let desk = desk.with_office().with_people(10);
        desk.run(&["user", "add", "古丽", "--role", "approver"]).done();
        let run = desk.prepared("2026-01");
        desk.as_(MAKER, &["run", "submit", &run]).done();
        desk.as_(REVIEWER, &["run", "review", &run]).done();
        let children: Vec<_> = [APPROVER, "古丽", APPROVER, "古丽"]
            .iter()
            .map(|who| {
                desk.command(&["--as", who, "run", "approve", &run])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let codes: Vec<Option<i32>> = children.into_iter().map(|mut c| c.wait().unwrap().code()).collect();
        // Of the two people one was first; she is told so again, the other that it is done.
        let count = |code| codes.iter().filter(|c| **c == Some(code)).count();
        assert_eq!((count(0), count(4)), (2, 2), "{codes:?}");
        let year = desk.run(&["reconcile", "--year", "2026", "--period", "2026-01", "--json"]).done().json();
        assert_eq!(year["schemes"][0]["appropriations"][0]["reserved_fen"], 120_000);
        desk.is_healthy();
    })
    .await;
}
