//! A bank's own layout at the terminal: looked at, switched to, written, and its answer taken.

use super::{Desk, FINANCE, files_in};

/// The desk with an office, where the rural bank has another layout.
fn switched(entry: &str) -> Desk {
    let desk = Desk::new().with_office().with_people(20);
    let config = std::fs::read_to_string(desk.path("fafang.toml")).unwrap();
    assert!(config.contains("\nbanks = []\n"), "{config}");
    desk.put("fafang.toml", config.replace("\nbanks = []\n", "\nbanks = [\"own.toml\"]\n"));
    desk.put("own.toml", entry);
    desk
}

#[test]
fn a_description_is_checked_before_it_is_used() {
    let desk = Desk::new().with_office();
    let good = include_str!("../../../config/banks/psbc.toml");
    desk.put("good.toml", good);
    desk.run(&["bank", "layouts", "check", "good.toml"]).done().says("描述正确").says("王建国 120.00 元 成功");
    desk.put("bad.toml", good.replace("holder = ", "hodler = "));
    desk.run(&["bank", "layouts", "check", "bad.toml"]).exits(5).says("hodler").says("可用");
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_the_reference_explains_every_key() {
    let desk = Desk::new().with_office();
    let good = include_str!("../../../config/banks/psbc.toml");
    let bad = good
        .replace("holder = ", "hodler = ")
        .replace("charset = \"gbk\"", "charset = \"big5\"")
        .replace("{holder}", "{name}");
    desk.put("bad.toml", bad);
    let told = desk.run(&["bank", "layouts", "check", "bad.toml"]).exits(5);
    let told = told.says("有 3 处错误").says("answer.columns.hodler").says("file.charset: “big5”，应为 gbk、");
    told.says("file.row: 这里没有 {name} 这一项").says("bank layouts reference");
    desk.run(&["bank", "layouts", "reference"]).done().says("| `row_least` |").says("| `{payment_ref}` | 支付明细号 |");
}

#[test]
fn a_workbook_is_tried_sent_simulated_and_taken() {
    let desk = switched(
        "[[bank]]\ncode = \"RCC\"\nlayout = \"abc-register\"\npayer_account = \"3000000000000000018\"\npayer_name = \"中心\"\n",
    );
    let run = desk.signed("2026-01");
    desk.changes_nothing(|| desk.as_(FINANCE, &["bank", "layouts", "try", "icbc-workbook", &run]).done())
        .says("姓名(不超过60个字节)|卡号|")
        .says("202601-1");
    desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out"]).done().says(".xlsx");
    desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out"]).done();
    desk.as_(FINANCE, &["bank", "simulate", "out", "--out", "answers", "--name-mismatch", "2000"])
        .done()
        .says("return-1-ABC");
    desk.as_(FINANCE, &["bank", "return", "answers"]).done();
    desk.run(&["hold", "list"]).done().says("户名不符");
    desk.run(&["doctor"]).done();
}

#[test]
fn what_a_layout_writes_and_nobody_has_said_is_named_when_the_program_starts() {
    let desk = switched("[[bank]]\ncode = \"RCC\"\nlayout = \"icbc-bpt\"\n");
    desk.run(&["run", "list"]).exits(5).says("payer_account");
    desk.put("own.toml", "[[bank]]\ncode = \"RCC\"\nlayout = \"icbc\"\n");
    desk.run(&["run", "list"]).exits(5).says("icbc-bpt");
}

#[test]
fn an_answer_that_names_no_file_of_ours_is_taken_only_for_the_file_that_the_clerk_names() {
    let desk = switched("[[bank]]\ncode = \"RCC\"\nlayout = \"ccb-private-a\"\n");
    let run = desk.signed("2026-01");
    let shown = desk.changes_nothing(|| desk.as_(FINANCE, &["bank", "layouts", "try", "ccb-private-b", &run]).done());
    shown.says("0000001|");
    let issued = desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out", "--json"]).done().json();
    let file = files_in(&desk.path("out")).into_iter().find(|p| p.to_string_lossy().contains("CCBPRI")).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap().to_string();
    let listed = issued["files"].as_array().unwrap().iter().find(|f| f["path"].to_string().contains(&name)).unwrap();
    let sent = std::fs::read(&file).unwrap();
    let rows: Vec<&[u8]> = sent.split(|b| *b == b'\n').filter(|row| !row.is_empty()).collect();
    assert_eq!(listed["rows"], rows.len());
    // 成功 in GBK.
    let answer: Vec<u8> =
        rows.iter().flat_map(|row| [row.trim_ascii_end(), b"\xB3\xC9\xB9\xA6|\r\n"].concat()).collect();
    desk.put("answer.txt", answer);
    let take = |more: &[&str]| desk.as_(FINANCE, &[&["bank", "return", "answer.txt"], more].concat());
    desk.changes_nothing(|| take(&[])).exits(3).says("--file");
    desk.changes_nothing(|| take(&["--file", "CCBPRI.txt"])).exits(3).says("没有发出过");
    let taken = take(&["--file", &name]).done().says(&format!("成功 {} 笔", rows.len())).says("没有明细号");
    assert!(!taken.out.contains("差异"), "{}", taken.out);
    desk.changes_nothing(|| take(&[])).done().says("没有任何改动");
    desk.is_healthy();
}
