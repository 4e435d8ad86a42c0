//! The commands and the JSON that other programs rely on, from init to a reconciled year.

use serde_json::json;

use super::{APPROVER, CODE, FINANCE, MAKER, REVIEWER, files_in, on_both_engines};

#[tokio::test(flavor = "multi_thread")]
async fn a_month_through_the_commands_with_the_json_of_the_contract() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(20);
        let again = desk.as_(MAKER, &["roster", "import", "roster.csv", "--scheme", CODE, "--json"]).done().json();
        assert!(again["already_imported"].as_str().unwrap().contains(MAKER));
        let made =
            desk.as_(MAKER, &["run", "prepare", "--scheme", CODE, "--period", "2026-01", "--json"]).done().json();
        assert_eq!(made["run"], "pochan1995-2026-01-r1");
        assert_eq!((&made["payments"], &made["total_fen"]), (&json!(20), &json!(240_000)));
        let run = "pochan1995-2026-01-r1";
        desk.as_(MAKER, &["run", "submit", run]).done();
        desk.as_(REVIEWER, &["run", "review", run]).done();
        let approved = desk.as_(APPROVER, &["run", "approve", run, "--json"]).done().json();
        assert_eq!(approved["reserved"], json!([{ "document": "巴财社〔2025〕98号", "amount_fen": 240_000 }]));
        let issued =
            desk.as_(FINANCE, &["--on", "2026-01-10", "bank", "issue", run, "--out", "out", "--json"]).done().json();
        let files = issued["files"].as_array().unwrap();
        assert_eq!(files.iter().map(|f| f["rows"].as_i64().unwrap()).sum::<i64>(), 20);
        assert_eq!(files.iter().map(|f| f["total_fen"].as_i64().unwrap()).sum::<i64>(), 240_000);
        for file in files {
            let bytes = std::fs::read(desk.path(file["path"].as_str().unwrap())).unwrap();
            assert_eq!(file["digest"], fafang::storage::kept_file::digest_of(&bytes));
        }
        assert_eq!(files_in(&desk.path("out")).len(), files.len());
        let shown = desk.run(&["run", "show", run, "--json"]).done().json();
        assert_eq!((&shown["status"], shown["lines"].as_array().unwrap().len()), (&json!("issued"), 20));
        desk.run(&["--on", "2026-01-11", "bank", "simulate", "out", "--out", "ret"]).done();
        for file in files_in(&desk.path("ret")) {
            let taken =
                desk.as_(FINANCE, &["--on", "2026-01-12", "bank", "return", file.to_str().unwrap(), "--json"]).done();
            assert_eq!(taken.json()["findings"], json!([]));
        }
        let year = desk.run(&["--on", "2026-01-31", "reconcile", "--year", "2026", "--json"]).done().json();
        assert_eq!((&year["year"], &year["balanced"]), (&json!(2026), &json!(true)));
        let scheme = &year["schemes"][0];
        assert_eq!(
            (&scheme["scheme"], &scheme["plan_fen"], &scheme["target_fen"]),
            (&json!(CODE), &json!(28_800_000), &json!(28_890_000))
        );
        let appropriation = &scheme["appropriations"][0];
        for (key, value) in [
            ("document", json!("巴财社〔2025〕98号")),
            ("source", json!("superior")),
            ("appropriated_fen", json!(28_900_000)),
            ("reserved_fen", json!(0)),
            ("paid_fen", json!(240_000)),
            ("available_fen", json!(28_660_000)),
        ] {
            assert_eq!(appropriation[key], value, "{key}");
        }
        assert_eq!(scheme["periods"].as_array().unwrap().len(), 1);
        let period = &scheme["periods"][0];
        for (key, value) in [
            ("period", json!("2026-01")),
            ("claim_fen", json!(240_000)),
            ("claim_count", json!(20)),
            ("credited_fen", json!(240_000)),
            ("rejected_fen", json!(0)),
            ("open_fen", json!(0)),
            ("uncovered_fen", json!(0)),
        ] {
            assert_eq!(period[key], value, "{key}");
        }
        let codes: Vec<&str> =
            scheme["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        for code in ["APPROPRIATION_VS_PLAN", "TARGET_VS_PLAN", "TARGET_VS_APPROPRIATION", "PLAN_VS_CLAIM"] {
            assert!(codes.contains(&code), "{codes:?}");
        }
        let health = desk.run(&["doctor", "--json"]).done().json();
        assert_eq!(health["ok"], json!(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_on_postgres_and_one_on_a_file_say_the_same() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(3);
        desk.run(&["user", "list"]).done().says("阿依努尔\tmaker\t经办");
        desk.run(&["scheme", "show", CODE]).done().says("200 人 × 12 个月 × 120.00 元 = 288,000.00 元").says("分）");
        desk.run(&["scheme", "load", "scheme.toml"]).done().says("没有变化");
        desk.run(&["budget", "list"]).done().says("2080601");
        desk.as_(
            FINANCE,
            &[
                "budget",
                "adjust",
                "巴财社[2025]98号",
                "--amount",
                "-1000",
                "--basis",
                "巴财社【2026】7号",
                "--note",
                "调减",
            ],
        )
        .done()
        .says("288,000.00");
        desk.run(&["budget", "check", "巴财社〔2025〕98号"]).done().says("一致").says("巴财社〔2026〕7号");
        desk.run(&["roster", "list", "--scheme", CODE]).done().says("正常");
        desk.run(&["roster", "template", "t.xlsx", "--scheme", CODE]).done();
        desk.run(&["roster", "export", "--scheme", CODE, "--out", "r.xlsx"]).done();
        assert!(desk.path("t.xlsx").exists() && desk.path("r.xlsx").exists());
        desk.run(&["bank", "layouts"]).done().says("neutral").says("和静县农村信用合作联社");
        desk.run(&["report", "list"]).done().says("year-end").says("screening").says("certification");
        desk.run(&["report", "screening"]).done().says("核查清单");
        desk.run(&["report", "certification"]).exits(1).says("REPORT_NEEDS").says("--scheme");
        desk.run(&["hold", "list"]).done();
        desk.run(&["finding", "list"]).done();
        desk.run(&["audit", "list"]).done().says("budget.adjust");
        desk.is_healthy();
    })
    .await;
}

#[tokio::test]
async fn reports_become_files_and_whole_numbers_only_go_to_finance() {
    let desk = super::Desk::new().with_office().with_people(12);
    let run = desk.signed("2026-01");
    for name in ["payments.xlsx", "payments.csv", "payments.json", "payments.txt", "payments.html"] {
        desk.run(&["report", "payments", "--run", &run, "--out", name]).done();
        assert!(std::fs::metadata(desk.path(name)).unwrap().len() > 100, "{name}");
    }
    let text = std::fs::read_to_string(desk.path("payments.txt")).unwrap();
    assert!(text.contains("壹仟肆佰肆拾元整"), "{text}");
    let masked = std::fs::read_to_string(desk.path("payments.csv")).unwrap();
    assert!(
        masked.contains("********")
            && !masked.lines().any(|l| l.split(',').any(|f| f.len() == 18 && f.bytes().all(|b| b.is_ascii_digit())))
    );
    desk.as_(MAKER, &["report", "payments", "--run", &run, "--full"]).exits(1).says("WRONG_ROLE");
    desk.as_(FINANCE, &["report", "payments", "--run", &run, "--full", "--out", "full.csv"]).done();
    assert!(!std::fs::read_to_string(desk.path("full.csv")).unwrap().contains("********"));
    desk.run(&["--on", "2026-01-31", "report", "year-end", "--scheme", CODE, "--year", "2026", "--out", "y.csv"])
        .done();
    assert!(files_in(desk.folder.path()).iter().filter(|p| p.to_str().unwrap().contains("y-")).count() >= 6);
    desk.run(&["report", "month", "--scheme", CODE, "--period", "2026-01"]).done().says("在途");
    desk.run(&["report", "nothing"]).exits(1).says("UNKNOWN_REPORT");
    desk.run(&["report", "month"]).exits(1).says("--scheme 项目 --period 所属期");
    desk.run(&["report", "payments", "--run", &run, "--out", "x.doc"]).exits(1).says("REPORT_FORMAT");
}

#[test]
fn a_report_on_paper_is_read_by_other_programs() {
    let desk = super::Desk::new().with_office().with_people(12);
    let run = desk.signed("2026-01");
    let reports = [
        (
            "sheet.pdf",
            vec!["report", "payments", "--run", &run],
            vec!["发放清册", "序号", "120.00", "壹仟肆佰肆拾元整", "审批:"],
        ),
        ("roster.pdf", vec!["roster", "export", "--scheme", CODE], vec!["名册", "序号", "6528", "正常"]),
    ];
    for (name, mut words, in_order) in reports {
        words.extend(["--out", name]);
        if cfg!(not(feature = "pdf")) {
            desk.run(&words).exits(1).says("WITHOUT_PDF");
            assert!(!desk.path(name).exists());
            continue;
        }
        desk.run(&words).done();
        let document = lopdf::Document::load(desk.path(name)).unwrap();
        assert_eq!(document.get_pages().len(), 1);
        let text = document.extract_text(&[1]).unwrap();
        let places: Vec<_> = in_order.iter().map(|words| text.find(words)).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}\n{text}");
        assert!(text.contains("第 1 页　共 1 页") && text.contains("********"), "{text}");
    }
}

#[test]
fn a_backup_is_checked_before_it_becomes_the_office() {
    let desk = super::Desk::new().with_office().with_people(5);
    let run = desk.signed("2026-01");
    desk.run(&["backup", "--out", "b.db"]).done();
    desk.run(&["backup", "--out", "b.db"]).exits(4);
    desk.run(&["restore", "b.db"]).exits(4).says("已存在");
    let other = super::Desk::new();
    let from = desk.path("b.db");
    other.run(&["restore", from.to_str().unwrap()]).done();
    other.run(&["run", "show", &run]).done();
    let third = super::Desk::new();
    let mut bytes = std::fs::read(&from).unwrap();
    bytes.truncate(bytes.len() / 2);
    third.put("half.db", &bytes);
    third.run(&["restore", "half.db"]).exits(3);
    assert!(!third.path("fafang.db").exists());
}

#[test]
fn the_demonstration_ends_with_the_promised_figures() {
    let desk = super::Desk::new();
    let year = desk.run(&["demo", "--clean", "--dir", "d", "--json"]).done().json();
    assert_eq!(
        (&year["credited_fen"], &year["person_months"], &year["left_fen"]),
        (&json!(28_800_000), &json!(2_400), &json!(100_000))
    );
    let year = desk.run(&["demo", "--dir", "d", "--json"]).done().json();
    assert_eq!(year["reconciliation"]["balanced"], json!(true));
    assert_eq!(year["events"].as_array().unwrap().len(), 12);
    let (credited, left) = (year["credited_fen"].as_i64().unwrap(), year["left_fen"].as_i64().unwrap());
    assert_eq!(credited + left, 28_900_000);
    for folder in ["rosters", "payment-files", "returns", "reports"] {
        assert!(!files_in(&desk.path("d").join(folder)).is_empty(), "{folder}");
    }
    std::fs::create_dir(desk.path("mine")).unwrap();
    desk.put("mine/letter.txt", "x");
    desk.run(&["demo", "--dir", "mine"]).exits(4);
    assert!(desk.path("mine/letter.txt").exists());
}

#[test]
fn an_offices_own_bank_file_decides_parts_and_account_lengths() {
    let desk = super::Desk::new().with_office();
    let own = "code = \"neutral\"\ntitle = \"本地\"\nrow_limit = 3\nname_bytes = 60\n\n[[reason]]\ncode = \"3031\"\ntext = \"账号户名不符\"\nclass = \"name_mismatch\"\n\n\
               [[bank]]\ncode = \"RCC\"\nname = \"和静县农村信用合作联社\"\naliases = [\"农信社\"]\naccount_lengths = [19]\n";
    desk.put("own.toml", own);
    let config = std::fs::read_to_string(desk.path("fafang.toml")).unwrap();
    desk.put("fafang.toml", config.replace("banks = []\n", "banks = [\"own.toml\"]\n"));
    let desk = desk.with_people(20);
    let run = desk.signed("2026-01");
    let issued = desk.as_(FINANCE, &["bank", "issue", &run, "--out", "out", "--json"]).done().json();
    let files = issued["files"].as_array().unwrap();
    assert!(files.iter().all(|f| f["rows"].as_i64().unwrap() <= 3), "{issued}");
    let of_rcc: Vec<_> = files.iter().filter(|f| f["bank"] == "RCC").collect();
    let parts: Vec<i64> = of_rcc.iter().map(|f| f["part"].as_i64().unwrap()).collect();
    assert_eq!(parts, (1..=i64::try_from(of_rcc.len()).unwrap()).collect::<Vec<_>>());
    assert!(of_rcc.len() > 1 && of_rcc.iter().all(|f| f["parts"] == of_rcc.len()));
    desk.run(&["bank", "simulate", "out", "--out", "ret"]).done();
    for file in files_in(&desk.path("ret")) {
        desk.as_(FINANCE, &["bank", "return", file.to_str().unwrap()]).done();
    }
    desk.run(&["run", "show", &run, "--json"]).done().says("\"status\":\"settled\"");
    desk.run(&["bank", "layouts"]).done().says("每个文件最多 3 行");
    desk.put("fafang.toml", config.replace("banks = []\n", "banks = [\"none.toml\"]\n"));
    desk.run(&["bank", "layouts"]).exits(5).says("none.toml");
    desk.put("fafang.toml", &config);
    desk.is_healthy();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_other_offices_through_the_commands_with_their_json() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(3);
        let people = super::roster(3);
        let (names, numbers): (Vec<&str>, Vec<&str>) = people.lines().filter_map(name_and_number).unzip();
        desk.put("deaths.csv", format!("身份证号,死亡日期\n{},2026-01-02\n{},2026-01-03\n", numbers[0], numbers[1]));
        let run = desk.prepared("2026-01");
        let import = ["comparison", "import", "deaths.csv", "--kind", "death", "--source", "公安", "--json"];
        let import = [&["--on", "2026-01-20"], &import[..]].concat();
        let made = desk.as_(MAKER, &import).done().json();
        for (key, value) in [
            ("list", json!(1)),
            ("kind", json!("death")),
            ("rows", json!(2)),
            ("compared", json!(2)),
            ("nothing_new", json!(0)),
            ("already_imported", json!(null)),
        ] {
            assert_eq!(made[key], value, "{key}: {made}");
        }
        assert_eq!(
            (&made["hits"][0]["hit"], &made["hits"][0]["hold"], &made["hits"][1]["row"]),
            (&json!(1), &json!(1), &json!(3))
        );
        assert!(!made.to_string().contains(numbers[0]), "masked: {made}");
        let again = desk.changes_nothing(|| desk.as_(MAKER, &import).done()).json();
        assert!(again["already_imported"].as_str().unwrap().contains(MAKER));
        desk.as_(FINANCE, &import).exits(1).says("WRONG_ROLE");
        desk.as_(MAKER, &["comparison", "import", "deaths.csv", "--kind", "ghosts"]).exits(2).says("pay_list");

        desk.as_(MAKER, &["run", "submit", &run]).done();
        desk.as_(REVIEWER, &["run", "review", &run]).done();
        let approved = desk.as_(APPROVER, &["run", "approve", &run, "--json"]).done().json();
        let held = approved["held"].as_array().unwrap();
        assert_eq!(
            (held.len(), &held[0]["reason"], &held[0]["amount_fen"]),
            (2, &json!("comparison_death"), &json!(12_000))
        );

        let hits = desk.run(&["comparison", "hits", "--json"]).done().json();
        let rows = hits["sheets"][0]["rows"].as_array().unwrap();
        assert_eq!((rows.len(), &rows[0]["hit_no"], &rows[0]["schemes"]), (2, &json!(1), &json!(CODE)));
        desk.run(&["comparison", "hits"]).done().says("2026-01-02 死亡").says("待核实");
        desk.run(&["comparison", "list"]).done().says("deaths.csv").says("公安");
        desk.run(&["hold", "list"]).done().says("疑似死亡").says("comparison confirm");
        desk.as_(MAKER, &["hold", "clear", "1", "--note", "算了"]).exits(1).says("HIT_OPEN");
        let confirm = ["--on", "2026-01-20", "comparison", "confirm", "1", "--reason", "家属来电", "--json"];
        let confirmed = desk.as_(MAKER, &confirm).done().json();
        assert_eq!(
            (&confirmed["status"], &confirmed["pending"], &confirmed["cleared_hold"]),
            (&json!("confirmed"), &json!(null), &json!(1))
        );
        assert_eq!(confirmed["changes"][0]["scheme"], CODE);
        desk.as_(MAKER, &confirm).exits(4).says("HIT_DECIDED");
        let dismissed =
            desk.as_(MAKER, &["comparison", "dismiss", "2", "--reason", "本人到场", "--json"]).done().json();
        assert_eq!((&dismissed["status"], &dismissed["changes"]), (&json!("dismissed"), &json!([])));
        desk.run(&["report", "comparison"]).done().says("家属来电").says("本人到场");
        desk.run(&["--on", "2026-03-01", "report", "screening", "--out", "s.xlsx"]).done();
        let screened =
            desk.run(&["--on", "2026-03-01", "report", "screening", "--scheme", CODE, "--json"]).done().json();
        let row = &screened["sheets"][0]["rows"][0];
        for key in ["code", "scheme", "name", "citizen_number", "found", "expected", "action"] {
            assert!(row[key].is_string(), "{key}: {row}");
        }
        desk.run(&["report", "certification", "--scheme", CODE]).exits(1).says("NO_CERTIFICATION");
        desk.put("认证.csv", "姓名,公民身份号码,认证日期\n");
        desk.as_(MAKER, &["certify", "import", "认证.csv", "--scheme", CODE]).exits(1).says("NO_CERTIFICATION");
        let rule = "[certification]\ncycle_months = 12\nwarning_months = 12\nback_pay = \"paid\"\n[[standard]]";
        desk.put("scheme.toml", crate::support::SCHEME.replacen("[[standard]]", rule, 1));
        desk.run(&["scheme", "load", "scheme.toml"]).done();
        desk.as_(MAKER, &["certify", "import", "认证.csv", "--scheme", CODE]).exits(3).says("表头之下没有人员");
        desk.put("认证.csv", format!("姓名,公民身份号码,认证日期\n{},{},2026-01-19\n", names[0], numbers[0]));
        let import = ["--on", "2026-01-20", "certify", "import", "认证.csv", "--scheme", CODE, "--json"];
        let certified = desk.as_(MAKER, &import).done().json();
        assert_eq!(
            (&certified["certified"], &certified["known"], &certified["pending"]),
            (&json!(1), &json!(0), &json!(null))
        );
        desk.run(&["--on", "2026-01-20", "report", "certification", "--scheme", CODE]).done().says("无记录");
        desk.is_healthy();
    })
    .await;
}

/// Name and citizen number in a line of a roster; none in the line of titles.
fn name_and_number(line: &str) -> Option<(&str, &str)> {
    let is_number = |cell: &&str| cell.len() == 18 && cell.is_ascii() && cell[..17].bytes().all(|b| b.is_ascii_digit());
    let is_name = |cell: &&str| !cell.is_empty() && !cell.is_ascii();
    Some((line.split(',').find(is_name)?, line.split(',').find(is_number)?))
}
