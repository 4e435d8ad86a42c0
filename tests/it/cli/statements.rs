//! A bank's statement at the terminal: taken in, answered by the clerk, and the table of balances in every form.

use super::{Desk, FINANCE};
use crate::support::statements::{ACCOUNT, mt940};

#[test]
fn a_month_from_the_statement_to_the_printed_table() {
    let desk = Desk::new().with_office().with_people(20);
    let run = desk.signed("2026-01");
    let issued =
        desk.as_(FINANCE, &["--on", "2026-11-26", "bank", "issue", &run, "--out", "out", "--json"]).done().json();
    let files = issued["files"].as_array().unwrap();
    let file = files.iter().find(|f| f["bank"] == "RCC").unwrap();
    let (reference, total) = (file["file_ref"].as_str().unwrap(), file["total_fen"].as_i64().unwrap());
    let booked = [
        ("1126", 9_000_000, "", "T1", "财政拨款"),
        ("1126", -total, "", "T2", "批量代发"),
        ("1126", -500, "", "T3", "汇划手续费"),
        ("1126", 3_300, "", "T4", "张三 6217000000000000017 往来款"),
    ];
    desk.put("1.sta", mt940(ACCOUNT, "1", 50, &booked, "1231"));
    let take = |more: &[&str]| desk.as_(FINANCE, &[&["bank", "statement", "1.sta"], more].concat());
    desk.changes_nothing(|| take(&[]).exits(3)).says("--bank");
    let taken = take(&["--bank", "RCC"]).exits(1).says("3001****0001").says("STATEMENT_FOREIGN").says("新分录 4 笔");
    assert!(!taken.out.contains("6217000000000000017"), "{}", taken.out);
    desk.changes_nothing(|| take(&[]).done()).says("没有任何改动");
    desk.run(&["todo"]).says("bank match 4");
    desk.as_(FINANCE, &["bank", "match", "4", reference]).exits(1).says("金额须与账上的项目相同");
    let table = |more: &[&str]| desk.run(&[&["report", "bank-reconciliation", "--period", "2026-12"], more].concat());
    table(&[]).done().says("银行已收单位未收").says("两边调节后余额相等").says("33.00");
    let json = table(&["--json"]).done().json();
    let sheet = &json["sheets"][0];
    assert_eq!(sheet["rows"][0]["bank_amount_fen"], 9_000_000 - total - 500 + 3_300 + 50, "{sheet}");
    for ending in ["xlsx", "html", "json", "txt", "csv"] {
        table(&["--out", &format!("表.{ending}")]).done();
    }
    desk.run(&["report", "bank-reconciliation"]).exits(1).says("--period");
    desk.run(&["report", "bank-reconciliation", "--period", "2026-12", "--year", "2025"]).exits(1);
    desk.run(&["report", "bank-reconciliation", "--period", "2026-12", "--bank", "ABC"])
        .exits(1)
        .says("还没有读入对账单");
    desk.is_healthy();
}
