//! What a person at a terminal reads, word for word, and the exit codes.

use super::{CODE, Desk, FINANCE, MAKER};

#[test]
fn every_kind_of_failure_has_its_exit_code_and_a_hint() {
    let desk = Desk::new();
    let missing = desk.run(&["run", "list"]).exits(5);
    assert_eq!(
        missing.err,
        "错误: 没有数据库 fafang.db [NO_DATABASE]\n提示: 先运行 fafang init --agency 代码 --name 名称，或用 --database 指出数据库\n"
    );
    assert_eq!(missing.out, "");
    let desk = desk.with_office();
    desk.run(&["nonsense"]).exits(2);
    desk.run(&["run", "prepare", "--scheme", CODE, "--period", "2026-13"]).exits(2).says("不是所属期");
    desk.as_(MAKER, &["run", "prepare", "--scheme", CODE, "--period", "2026-01"]).exits(1).says("EMPTY_ROSTER");
    desk.as_("没有此人", &["run", "submit", "x"]).exits(1).says("UNKNOWN_USER");
    desk.as_(MAKER, &["roster", "import", "none.csv", "--scheme", CODE]).exits(3).says("没有这个文件");
    desk.run(&["init", "--agency", "652827", "--name", "又一个"]).exits(1).says("AGENCY_EXISTS");
    desk.put("bad.toml", "databse = \"x\"");
    desk.run(&["--config", "bad.toml", "run", "list"]).exits(5).says("databse");
    desk.put("broken.toml", "code = ");
    desk.run(&["scheme", "load", "broken.toml"]).exits(3);
    desk.run(&["--json", "run", "show", "x"]).exits(1).says("\"code\":\"UNKNOWN_RUN\"");
}

#[test]
fn a_month_reads_like_the_office_speaks() {
    let desk = Desk::new().with_office().with_people(3);
    let prepared =
        desk.as_(MAKER, &["--on", "2026-01-05", "run", "prepare", "--scheme", CODE, "--period", "2026-01"]).done();
    assert_eq!(prepared.out, "pochan1995-2026-01-r1 3 笔 360.00 元（正常）\n没有上一批次可比\n");
    let submitted = desk.as_(MAKER, &["--on", "2026-01-05", "run", "submit", "pochan1995-2026-01-r1"]).done();
    assert_eq!(submitted.out, "pochan1995-2026-01-r1 已提交（阿依努尔 2026-01-05），3 笔 360.00 元\n");
    let refused = desk.as_(FINANCE, &["bank", "issue", "pochan1995-2026-01-r1", "--out", "o"]).exits(1);
    assert_eq!(
        refused.err,
        "错误: 批次 pochan1995-2026-01-r1 已提交（阿依努尔 2026-01-05），不能报盘 [RUN_WRONG_STATE]\n"
    );
    assert!(!desk.path("o").exists());
}

#[test]
fn help_names_every_command() {
    let help = Desk::new().run(&["--help"]).done().out;
    for command in [
        "init",
        "demo",
        "scheme",
        "budget",
        "roster",
        "change",
        "hold",
        "run",
        "publicity",
        "todo",
        "bank",
        "finding",
        "reconcile",
        "report",
        "audit",
        "user",
        "backup",
        "restore",
        "move",
        "doctor",
    ] {
        assert!(help.lines().any(|l| l.trim_start().starts_with(command)), "{command}\n{help}");
    }
}

#[test]
fn nothing_on_a_screen_shows_a_whole_number() {
    let desk = Desk::new().with_office().with_people(8);
    let run = desk.signed("2026-01");
    let roster = std::fs::read_to_string(desk.path("roster.csv")).unwrap();
    let numbers: Vec<&str> = roster
        .split([',', '\r', '\n'])
        .filter(|f| f.len() >= 18 && f.bytes().all(|b| b.is_ascii_digit() || b == b'X'))
        .collect();
    assert_eq!(numbers.len(), 16);
    let screens = [
        vec!["run", "show", &run],
        vec!["todo"],
        vec!["roster", "show", numbers[0]],
        vec!["roster", "show", numbers[0], "--json"],
        vec!["run", "show", &run, "--json"],
        vec!["roster", "list", "--scheme", CODE],
        vec!["audit", "list"],
        vec!["report", "year-end", "--scheme", CODE, "--year", "2026"],
        vec!["report", "month", "--scheme", CODE, "--period", "2026-01", "--json"],
    ];
    for words in screens {
        let answer = desk.run(&words).done();
        for number in &numbers {
            assert!(!answer.out.contains(number) && !answer.err.contains(number), "{words:?}");
        }
    }
}
