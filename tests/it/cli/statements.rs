//! A bank's statement at the terminal: taken in, answered by the clerk, and the table of balances in every form.

use std::fs;

use fafang::domain::money::Money;

use super::exchange::DAY;
use super::{Desk, FINANCE, on_both_engines};
use crate::support::statements::{ACCOUNT, mt940, table};

/// Its account at a second bank.
const OTHER: &str = "300200000002";

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

/// An account of which the office never spoke.
const STRANGER: &str = "300900000009";

/// A camt.053 of one interest entry on the 5th of March.
fn camt(account: &str, opening: &str, interest: &str, closing: &str) -> String {
    let balance = |code: &str, amount: &str, day: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
             <Dt><Dt>{day}</Dt></Dt></Bal>"
        )
    };
    format!(
        "<Document><BkToCstmrStmt><Stmt><Id>3</Id><Acct><Id><Othr><Id>{account}</Id></Othr></Id></Acct>{}{}<Ntry>\
         <Amt Ccy=\"CNY\">{interest}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-03-05</Dt></BookgDt>\
         <AcctSvcrRef>T9</AcctSvcrRef><AddtlNtryInf>结息</AddtlNtryInf></Ntry></Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", opening, "2026-03-01"),
        balance("CLBD", closing, "2026-03-05"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_come_from_the_banks_place_with_its_answers() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(30).with_place("RCC", "marker = \"ok\"").with_place("ABC", "");
        desk.issued();
        desk.finance(DAY, &["exchange", "push"]).done();
        let sent = desk.finance(DAY, &["--json", "exchange", "list"]).done().json();
        let rows = sent["sheets"][0]["rows"].as_array().unwrap();
        let file = rows.iter().find(|row| row["bank"] == "RCC").unwrap();
        let (reference, total) = (file["file_ref"].as_str().unwrap(), file["total_fen"].as_i64().unwrap());
        let january = [("0105", 9_000_000, "", "T1", "财政拨款"), ("0115", -total, reference, "T2", "批量代发")];
        let february = [("0205", -500, "", "T3", "汇划手续费"), ("0206", 3_300, "", "T4", "往来款")];
        let put = |name: &str, bytes: &[u8]| fs::write(desk.path("RCC/in").join(name), bytes).unwrap();
        let left = 9_000_000 - total + 50;
        put("z-1.sta", &mt940(ACCOUNT, "1", 50, &january, "0131"));
        // Whose account it is, nobody has said: set aside, with what to do.
        let pulled = desk.changes_nothing(|| desk.finance("2026-03-06", &["exchange", "pull"]).exits(1));
        pulled.says("STATEMENT_BANK_UNKNOWN").says("payer_account").says("z-1.sta 没有读入");
        let reason = fs::read_to_string(desk.path("RCC/quarantine/z-1.sta.reason.txt")).unwrap();
        assert!(reason.contains("STATEMENT_BANK_UNKNOWN") && reason.contains("bank statement"), "{reason}");
        for name in ["z-1.sta", "z-1.sta.reason.txt"] {
            fs::remove_file(desk.path("RCC/quarantine").join(name)).unwrap();
        }
        let accounts = format!(
            "[[bank]]\ncode = \"RCC\"\npayer_account = \"{ACCOUNT}\"\n\n[[bank]]\ncode = \"ABC\"\npayer_account = \"{OTHER}\"\n"
        );
        desk.put("accounts.toml", accounts);
        let config = fs::read_to_string(desk.path("fafang.toml")).unwrap();
        desk.put("fafang.toml", config.replace("banks = []\n", "banks = [\"accounts.toml\"]\n"));

        // Everything at once, in names that say nothing of the order: the month that follows before the one before, and both
        // before the return that they tell of.
        put("z-1.sta", &mt940(ACCOUNT, "1", 50, &january, "0131"));
        put("a-2.txt", &mt940(ACCOUNT, "2", left, &february, "0228"));
        put("b-3.xml", camt(ACCOUNT, &Money(left + 2_800).to_string(), "1.23", &Money(left + 2_923).to_string()).as_bytes());
        // January again as a table: every entry of it is known.
        put("c-1.csv", &table(ACCOUNT, 50, &january, "0131"));
        // What does not foot, what leaves a gap, another bank's, a stranger's.
        let broken = String::from_utf8(table(ACCOUNT, 50, &january, "0131")).unwrap();
        assert!(broken.contains("90000.50"));
        put("d-wrong.csv", broken.replacen("90000.50", "90000.51", 1).as_bytes());
        put("e-gap.xml", camt(ACCOUNT, "1.00", "1.00", "2.00").as_bytes());
        put("f-other.sta", &mt940(OTHER, "1", 0, &[("0105", 100, "", "T1", "利息")], "0131"));
        put("g-stranger.sta", &mt940(STRANGER, "1", 0, &[("0105", 100, "", "T1", "利息")], "0131"));
        put("h-notice.txt", "系统升级通知".as_bytes());
        let answers = desk.bank_answers("RCC", &[]);
        assert_eq!(answers.len(), 10, "{answers:?}");
        let before = desk.events();
        let pulled = desk.finance("2026-03-06", &["--json", "exchange", "pull"]).exits(1).json();
        assert_eq!(desk.events(), before + 5, "each file is a step of its own: {pulled}");
        let listed = |key: &str, what: &str| -> Vec<String> {
            let list = pulled[key].as_array().unwrap();
            list.iter().map(|one| one[what].as_str().unwrap().to_string()).collect()
        };
        assert_eq!(listed("files", "name").len(), 1);
        assert_eq!(listed("statements", "name"), ["c-1.csv", "z-1.sta", "a-2.txt", "b-3.xml"]);
        let new: Vec<i64> = pulled["statements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|taken| taken["statements"][0]["new"].as_i64().unwrap())
            .collect();
        assert_eq!(new, [2, 0, 2, 1], "an entry counts once: {pulled}");
        let february = &pulled["statements"][2];
        assert_eq!((&february["place"], &february["findings"][0]["code"]), (&"RCC".into(), &"STATEMENT_FOREIGN".into()));
        let reasons: Vec<(String, String)> = std::iter::zip(listed("quarantined", "name"), listed("quarantined", "code")).collect();
        let reason = |name: &str| reasons.iter().find(|(of, _)| of == name).map(|(_, code)| code.as_str());
        assert_eq!(reasons.len(), 5, "{reasons:?}");
        assert_eq!(reason("d-wrong.csv"), Some("STATEMENT_LINE"));
        assert_eq!(reason("e-gap.xml"), Some("STATEMENT_DOES_NOT_CHAIN"));
        assert_eq!(reason("f-other.sta"), Some("OTHER_BANKS_FILE"));
        assert_eq!(reason("g-stranger.sta"), Some("STATEMENT_BANK_UNKNOWN"));
        assert!(reason("h-notice.txt").is_some());
        assert!(desk.names("RCC/in").is_empty());
        assert_eq!(desk.names("RCC/archive").len(), 5);
        desk.finance("2026-03-06", &["exchange", "list"]).done().says("d-wrong.csv").says("STATEMENT_DOES_NOT_CHAIN");

        // What is open at the bank is mentioned where the year is looked at, with the way to see it.
        let year = desk.run(&["--on", "2026-03-06", "reconcile", "--year", "2026", "--json"]).done().json();
        let open = &year["bank_accounts"][0];
        assert_eq!((&open["bank"], &open["account"], &open["as_of"]), (&"RCC".into(), &"3001****0001".into(), &"2026-03-06".into()));
        assert_eq!((&open["bank_only_count"], &open["bank_only_fen"]), (&1.into(), &3_300.into()), "{year}");
        assert_eq!((&open["office_only_count"], &open["office_only_fen"]), (&0.into(), &0.into()), "{year}");
        assert_eq!((year["bank_accounts"].as_array().unwrap().len(), &year["balanced"]), (1, &true.into()));
        let command = open["show"].as_str().unwrap().strip_prefix("fafang ").unwrap();
        let words = desk.run(&["--on", "2026-03-06", "reconcile", "--year", "2026"]).done();
        words.says("银行已记、账上没有 1 笔 33.00 元").says(command);
        desk.run(&command.split(' ').collect::<Vec<_>>()).done().says("银行已收单位未收").says("33.00");
        let then = desk.run(&["--on", "2026-03-06", "reconcile", "--year", "2026", "--period", "2026-01", "--json"]);
        assert_eq!(then.done().json()["bank_accounts"], serde_json::json!([]), "nothing was open then");

        // What comes again is archived again and changes nothing.
        put("again.sta", &mt940(ACCOUNT, "1", 50, &january, "0131"));
        desk.changes_nothing(|| desk.finance("2026-03-06", &["exchange", "pull"]).done().says("没有任何改动"));
        assert_eq!(desk.names("RCC/archive").len(), 6);
        let table = desk.run(&["report", "bank-reconciliation", "--period", "2026-03", "--json"]).done().json();
        assert_eq!(table["sheets"][0]["rows"][0]["bank_amount_fen"], left + 2_923, "{table}");
        desk.is_healthy();
    })
    .await;
}

#[test]
fn a_folder_of_statements_is_taken_whole_or_not_at_all() {
    let desk = Desk::new().with_office().with_people(4);
    let put = |name: &str, bytes: &[u8]| {
        fs::create_dir_all(desk.path("in")).unwrap();
        fs::write(desk.path("in").join(name), bytes).unwrap();
    };
    let take = |more: &[&str]| desk.as_(FINANCE, &[&["bank", "statement", "in", "--bank", "RCC"], more].concat());
    put("readme.txt", b"x");
    desk.changes_nothing(|| take(&[]).exits(3).says("NO_FILES").says("readme.txt"));
    put("2.sta", &mt940(ACCOUNT, "1", 0, &[("0105", 9_000, "", "T1", "财政拨款")], "0131"));
    put("1.sta", &mt940(ACCOUNT, "2", 9_000, &[("0205", 100, "", "T2", "利息")], "0228"));
    put("3.sta", &mt940(ACCOUNT, "3", 1, &[("0305", 100, "", "T3", "利息")], "0331"));
    put(".~lock.1.sta", b"x");
    desk.changes_nothing(|| take(&[]).exits(3).says("STATEMENT_DOES_NOT_CHAIN").says("3.sta"));
    fs::remove_file(desk.path("in/3.sta")).unwrap();
    let taken = take(&["--json"]).done();
    assert!(taken.err.contains("readme.txt"), "{taken:?}");
    let files: Vec<String> =
        taken.json()["statements"].as_array().unwrap().iter().map(|s| s["file"].to_string()).collect();
    assert_eq!(files, ["\"2.sta\"", "\"1.sta\""], "in the order of their days");
    desk.changes_nothing(|| take(&[]).done().says("没有任何改动"));
    // A file that is named itself is taken at its word.
    desk.changes_nothing(|| desk.as_(FINANCE, &["bank", "statement", "in/readme.txt"]).exits(3).says("表头"));
}

#[test]
fn a_bank_has_titles_of_its_own_and_the_others_those_of_the_office() {
    let desk = Desk::new().with_office().with_people(4);
    let config = fs::read_to_string(desk.path("fafang.toml")).unwrap();
    let tables = "\n[statement.table]\ndate = [\"过账日\"]\n\n[statement.tables.RCC]\ndate = [\"记日\"]\ndebit = [\"付\"]\n\
                  credit = [\"收\"]\nbalance = [\"结余额\"]\nfen = true\n";
    desk.put("fafang.toml", format!("{config}{tables}"));
    desk.put("rcc.csv", format!("账号,{ACCOUNT}\n记日,付,收,结余额,摘要\n20260105,,9000,9050,财政拨款\n"));
    desk.put("abc.csv", format!("账号,{OTHER}\n过账日,借方,贷方,余额,摘要\n20260105,,90.00,90.50,财政拨款\n"));
    let take = |words: &[&str]| desk.as_(FINANCE, &[&["bank", "statement"], words].concat());
    desk.changes_nothing(|| take(&["rcc.csv"]).exits(3).says("表头"));
    desk.changes_nothing(|| take(&["rcc.csv", "--bank", "ABC"]).exits(3).says("表头"));
    desk.changes_nothing(|| take(&["abc.csv", "--bank", "RCC"]).exits(3).says("表头"));
    take(&["rcc.csv", "--bank", "RCC"]).done().says("期末 90.50 元");
    take(&["abc.csv", "--bank", "ABC"]).done().says("期末 90.50 元");
    desk.put("fafang.toml", format!("{config}{}", tables.replace("tables.RCC", "tables.XYZ")));
    desk.run(&["run", "list"]).exits(5).says("statement.tables.XYZ");
    desk.put("fafang.toml", config);
    desk.is_healthy();
}
