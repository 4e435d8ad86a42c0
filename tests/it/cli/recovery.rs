//! `fafang recovery`: the shape of its JSON, its notice, and its steps killed at any moment.

use super::{APPROVER, CODE, Desk, FINANCE, MAKER, files_in};

impl Desk {
    /// One person paid for January and February who died in December, and the person's number.
    fn with_overpaid(self) -> (Desk, String) {
        let desk = self.with_office().with_people(3);
        let run = desk.signed("2026-01");
        desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out"]).done();
        desk.run(&["bank", "simulate", "out", "--out", "ret"]).done();
        for answer in files_in(&desk.path("ret")) {
            desk.as_(FINANCE, &["bank", "return", answer.to_str().unwrap()]).done();
        }
        let text = std::fs::read_to_string(desk.path("roster.csv")).unwrap();
        let is_number = |field: &&str| field.len() == 18 && field.as_bytes()[..17].iter().all(u8::is_ascii_digit);
        let number = text.split([',', '\n']).find(is_number).unwrap().to_string();
        desk.as_(MAKER, &["change", "stop", &number, "--reason", "death", "--date", "2025-12-20"]).done();
        (desk, number)
    }
}

#[test]
fn a_case_from_opening_to_the_last_fen_survives_a_kill_and_tells_fen() {
    let (desk, number) = Desk::new().with_overpaid();
    let open = ["recovery", "open", &number, "--cause", "death_told_late", "--notice", "静社追〔2026〕7号"];
    desk.survives("recovery.open", MAKER, &open);
    desk.as_(MAKER, &open).exits(1).says("CASE_OPEN");
    let plan = desk.as_(MAKER, &["--json", "recovery", "plan", "1", "--monthly-cap", "60.00", "--consent", "同意书"]);
    let plan = plan.done().json();
    assert_eq!((&plan["monthly_cap_fen"], &plan["deduct_scheme"]), (&6_000.into(), &CODE.into()));
    desk.as_(MAKER, &["recovery", "open", &number, "--cause", "weather"]).exits(2).says("weather");

    let today = business_date(&desk);
    let repay = ["recovery", "repay", "1", "--amount", "20.00", "--date", &today, "--receipt", "R-1"];
    desk.survives("recovery.repay", FINANCE, &repay);
    let again = desk.as_(FINANCE, &[&["--json"], &repay[..]].concat()).done().json();
    assert!(again["already"].is_string() && again["parts"].as_array().unwrap().is_empty(), "{again}");
    assert_eq!(again["months"][0]["period"], "2026-01");
    let fen = |key: &str| again[format!("{key}_fen")].as_i64().unwrap();
    assert_eq!((fen("total"), fen("repaid"), fen("open")), (12_000, 2_000, 10_000));
    assert_eq!((fen("offset"), fen("written_off"), fen("lapsed")), (0, 0, 0));

    let asked = ["--json", "recovery", "write-off", "1", "--amount", "100.00", "--reason", "无遗产"];
    let request = desk.as_(MAKER, &asked).done().json()["pending"].to_string();
    desk.as_(APPROVER, &["change", "list"]).done().says("核销");
    let accepted = desk.as_(APPROVER, &["--json", "change", "accept", &request]).done().json();
    assert_eq!((&accepted["status"], &accepted["written_off_fen"]), (&"closed".into(), &10_000.into()));

    let shown = desk.as_(FINANCE, &["--json", "recovery", "show", "1"]).done().json();
    assert_eq!(shown["sheets"][2]["rows"].as_array().unwrap().len(), 2);
    desk.as_(FINANCE, &["recovery", "list"]).done().says("追回案件 0 件");
    let listed = desk.as_(FINANCE, &["--json", "recovery", "list", "--all"]).done().json();
    let row = &listed["sheets"][0]["rows"][0];
    assert_eq!(
        (&row["total_fen"], &row["open_fen"], &row["notice"]),
        (&12_000.into(), &0.into(), &"静社追〔2026〕7号".into())
    );
    for ending in ["xlsx", "csv", "json"] {
        let name = format!("ledger.{ending}");
        desk.as_(FINANCE, &["report", "recoveries", "--out", &name]).done();
    }
    assert!(desk.path("ledger.xlsx").exists() && desk.path("ledger.json").exists());

    for name in ["notice.txt", "notice.html"] {
        desk.as_(MAKER, &["recovery", "notice", "1", "--out", name, "--deadline", "2099-05-01"]).done();
        let text = std::fs::read_to_string(desk.path(name)).unwrap();
        for words in ["静社追〔2026〕7号", "壹佰贰拾元整", "第八十八条", "2099年5月1日", "2026-01", "复核"]
        {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        assert!(!text.contains(&number), "numbers are masked");
    }
    desk.as_(MAKER, &["recovery", "notice", "1", "--out", "notice.csv"]).exits(1).says("LETTER_FORMAT");
    desk.as_(MAKER, &["recovery", "notice", "1", "--out", "x.txt", "--deadline", "2020-01-01"]).exits(1);
    desk.is_healthy();
}

/// The business date of the desk, as its audit trail has it.
fn business_date(desk: &Desk) -> String {
    let listed = desk.as_(FINANCE, &["--json", "recovery", "list"]).done().json();
    let subtitle = listed["subtitle"][0].as_str().unwrap();
    subtitle.rsplit(' ').next().unwrap().to_string()
}
