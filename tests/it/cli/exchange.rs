//! Files to and from the banks' places: a month by folders, what is not understood, and every interruption.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use fafang::formats::bank::neutral::read_payment_file;
use fafang::storage::kept_file::digest_of;
use serde_json::{Value, json};

use super::{Answer, Desk, FINANCE, MAKER, files_in, on_both_engines};

/// A Thursday.
pub(super) const DAY: &str = "2026-01-15";

impl Desk {
    /// As the finance clerk on a day.
    pub(super) fn finance(&self, day: &str, words: &[&str]) -> Answer {
        self.as_(FINANCE, &[&["--on", day], words].concat())
    }

    /// A place for a bank in folders of this desk, named as the bank.
    pub(super) fn with_place(self, bank: &str, more: &str) -> Desk {
        for folder in ["out", "in"] {
            fs::create_dir_all(self.path(&format!("{bank}/{folder}"))).unwrap();
        }
        let table = format!(
            "\n[[exchange]]\nname = \"{bank}\"\nbanks = [\"{bank}\"]\nkind = \"folder\"\noutbox = \"{bank}/out\"\n\
             inbox = \"{bank}/in\"\narchive = \"{bank}/archive\"\nquarantine = \"{bank}/quarantine\"\n\
             settle_seconds = 0\n{more}\n"
        );
        let text = fs::read_to_string(self.path("fafang.toml")).unwrap();
        self.put("fafang.toml", text + &table);
        self
    }

    /// Prepares, signs and issues January on [`DAY`]; its code.
    pub(super) fn issued(&self) -> String {
        let run = self.signed("2026-01");
        self.finance(DAY, &["bank", "issue", &run, "--out", "issued"]).done();
        run
    }

    /// Names in a folder, which may be missing.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let path = self.path(folder);
        if !path.exists() {
            return Vec::new();
        }
        files_in(&path).iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_string()).collect()
    }

    /// The bank takes what lies in its outbox and answers everything as credited; names of the answers in the inbox.
    pub(super) fn bank_answers(&self, bank: &str, more: &[&str]) -> Vec<String> {
        let (out, answers) = (format!("{bank}/out"), format!("{bank}-answers"));
        self.run(&[&["--on", DAY, "bank", "simulate", &out, "--out", &answers], more].concat()).done();
        for file in files_in(&self.path(&answers)) {
            fs::rename(&file, self.path(&format!("{bank}/in")).join(file.file_name().unwrap())).unwrap();
        }
        self.names(&format!("{bank}/in"))
    }

    /// State of each payment file by its bank.
    pub(super) fn states(&self) -> Vec<(String, String)> {
        let list = self.run(&["exchange", "list", "--all", "--json"]).done().json();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_string();
        list["sheets"][0]["rows"].as_array().unwrap().iter().map(|r| (text(r, "bank"), text(r, "state"))).collect()
    }

    #[track_caller]
    pub(super) fn state(&self, bank: &str) -> String {
        let states = self.states();
        states.iter().find(|(b, _)| b == bank).unwrap_or_else(|| panic!("{bank}: {states:?}")).1.clone()
    }
}

/// The only payment file of a bank in a folder.
#[track_caller]
pub(super) fn file_of(desk: &Desk, folder: &str, bank: &str) -> PathBuf {
    let mut files = files_in(&desk.path(folder));
    files.retain(|f| f.to_str().unwrap().contains(&format!("-{bank}-")) && f.extension().is_some_and(|e| e == "txt"));
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_goes_to_the_banks_and_comes_back() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(30).with_place("RCC", "marker = \"ok\"").with_place("ABC", "");
        desk.finance(DAY, &["exchange", "push"]).done().says("没有要送出");
        desk.issued();
        let todo = desk.run(&["--on", DAY, "todo", "--role", "finance"]).done();
        assert_eq!(todo.out.matches("FILE_NOT_SENT").count(), 2, "{}", todo.out);
        let pushed = desk.finance(DAY, &["--json", "exchange", "push"]).done().json();
        let handed = pushed["handed_over"].as_array().unwrap();
        assert_eq!(handed.len(), 2, "only banks that have a place: {pushed}");
        for bank in ["RCC", "ABC"] {
            let (issued, sent) = (file_of(&desk, "issued", bank), file_of(&desk, &format!("{bank}/out"), bank));
            let bytes = fs::read(&sent).unwrap();
            assert_eq!((fs::read(&issued).unwrap(), name_of(&issued)), (bytes.clone(), name_of(&sent)));
            let told = handed.iter().find(|h| h["place"] == bank).unwrap();
            assert_eq!((&told["digest"], &told["sent_digest"]), (&json!(digest_of(&bytes)), &json!(digest_of(&bytes))));
            assert_eq!(desk.state(bank), "已送出");
        }
        let sent = file_of(&desk, "RCC/out", "RCC");
        let marker = fs::read_to_string(format!("{}.ok", sent.display())).unwrap();
        let bytes = fs::read(&sent).unwrap();
        assert_eq!(
            marker,
            format!("file={}\r\nsize={}\r\nsha256={}\r\n", name_of(&sent), bytes.len(), digest_of(&bytes))
        );
        assert_eq!((desk.names("RCC/out").len(), desk.names("ABC/out").len()), (2, 1), "nothing half-named is left");
        assert!(!desk.run(&["--on", DAY, "todo", "--role", "finance"]).done().out.contains("FILE_NOT_SENT"));
        // Again: nothing happens, also when the bank has taken the file away.
        fs::remove_file(format!("{}.ok", sent.display())).unwrap();
        let again = || {
            desk.finance("2026-01-16", &["exchange", "push"])
                .done()
                .says("已由 巴特尔 于 2026-01-15 送出（RCC），没有再送")
        };
        desk.changes_nothing(again);
        assert_eq!(desk.names("RCC/out").len(), 1);

        // The late return's name comes before that of the return it follows; everything is taken in in order.
        let names = desk.bank_answers("RCC", &["--late-return", "10000"]);
        assert!(names.len() == 2 && names[0].starts_with("late-return"), "{names:?}");
        desk.bank_answers("ABC", &[]);
        let list = desk.run(&["exchange", "list", "--json"]).done().json();
        assert_eq!(list["sheets"][1]["rows"].as_array().unwrap().len(), 3, "{list}");
        let before = desk.events();
        let pulled = desk.finance("2026-01-16", &["--json", "exchange", "pull"]).done().json();
        assert_eq!(desk.events(), before + 3, "each file is a step of its own");
        let files = pulled["files"].as_array().unwrap();
        let rows = |key: &str| files.iter().map(|f| f[key].as_i64().unwrap()).sum::<i64>();
        let of_rcc = i64::try_from(read_payment_file(&bytes).unwrap().1.len()).unwrap();
        assert!(files.len() == 3 && files.iter().all(|f| f["findings"].as_array().unwrap().is_empty()), "{pulled}");
        assert_eq!(rows("returned"), of_rcc);
        assert_eq!((desk.names("RCC/in"), desk.names("ABC/in")), (vec![], vec![]));
        assert_eq!((desk.names("RCC/archive"), desk.names("RCC/quarantine")), (names.clone(), vec![]));
        assert_eq!(desk.state("RCC"), "已回盘");
        desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).done().says("没有要读入"));
        // An answer that comes again is archived again, and says so.
        fs::copy(desk.path("RCC/archive").join(&names[1]), desk.path("RCC/in").join(&names[1])).unwrap();
        desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).done().says("没有任何改动"));
        assert_eq!((desk.names("RCC/in"), desk.names("RCC/archive")), (vec![], names));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_does_not_stop_the_others() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(30).with_place("RCC", "marker = \"ok\"").with_place("ABC", "");
        desk.issued();
        desk.finance(DAY, &["exchange", "push"]).done();
        let good = desk.bank_answers("RCC", &[]).remove(0);
        let others = desk.bank_answers("ABC", &[]).remove(0);
        // What lies in the inbox of RCC: nonsense, the answer to another bank's file, one that its marker does not fit,
        // and what is not complete.
        let put = |name: &str, bytes: &[u8]| fs::write(desk.path("RCC/in").join(name), bytes).unwrap();
        put("0-notice.txt", "系统升级通知".as_bytes());
        put("a-other.txt", &fs::read(desk.path("ABC/in").join(&others)).unwrap());
        let mut late = fs::read(desk.path("RCC/in").join(&good)).unwrap();
        put("b-late.txt", &late);
        put("b-late.txt.ok", b"sha256=00\n");
        late.truncate(late.len() / 2);
        put("c-half.txt.part", &late);
        put(".d.txt.swp", b"x");
        let pulled = desk.finance(DAY, &["--json", "exchange", "pull"]).exits(1).json();
        let reasons: Vec<(&str, &str)> = pulled["quarantined"]
            .as_array()
            .unwrap()
            .iter()
            .map(|q| (q["name"].as_str().unwrap(), q["code"].as_str().unwrap()))
            .collect();
        assert_eq!(reasons.len(), 3, "{pulled}");
        assert_eq!(reasons[0].0, "0-notice.txt");
        assert_eq!(reasons[1..], [("a-other.txt", "OTHER_BANKS_FILE"), ("b-late.txt", "MARKER_DIFFERS")]);
        assert_eq!(pulled["files"].as_array().unwrap().len(), 2, "the good ones of both places: {pulled}");
        assert_eq!(desk.names("RCC/in"), [".d.txt.swp", "c-half.txt.part"]);
        assert_eq!(
            desk.names("RCC/quarantine"),
            [
                "0-notice.txt",
                "0-notice.txt.reason.txt",
                "a-other.txt",
                "a-other.txt.reason.txt",
                "b-late.txt",
                "b-late.txt.reason.txt"
            ]
        );
        let reason = fs::read_to_string(desk.path("RCC/quarantine/a-other.txt.reason.txt")).unwrap();
        assert!(reason.contains("OTHER_BANKS_FILE") && reason.contains("sha256"), "{reason}");
        let list = desk.run(&["exchange", "list"]).done();
        list.says("a-other.txt").says("OTHER_BANKS_FILE").says("3 个已隔离");
        // Another file of the same name does not replace the one that lies there.
        put("0-notice.txt", "又一个通知".as_bytes());
        desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).exits(1).says("0-notice~2.txt"));
        // The office of another bank took its own answer in.
        assert_eq!((desk.state("RCC"), desk.state("ABC")), ("已回盘".into(), "已回盘".into()));
        desk.is_healthy();
    })
    .await;
}

#[test]
fn a_bank_that_acknowledges_is_believed_for_files_that_it_got() {
    let desk = Desk::new().with_office().with_people(30).with_place("RCC", "acknowledgement = \"ack\"");
    desk.issued();
    desk.finance(DAY, &["exchange", "push"]).done();
    let name = name_of(&file_of(&desk, "RCC/out", "RCC")).to_string();
    let put = |name: &str| fs::write(desk.path("RCC/in").join(name), b"").unwrap();
    put(&format!("{name}.ack"));
    put("nothing-of-ours.txt.ack");
    let pulled = desk.finance(DAY, &["exchange", "pull"]).exits(1);
    pulled.says(&format!("银行已收妥 {name}")).says("ACKNOWLEDGES_NOTHING");
    assert_eq!(desk.state("RCC"), "银行已收妥");
    put(&format!("{name}.ack"));
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).done());
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).done().says("没有再送"));
    desk.bank_answers("RCC", &[]);
    desk.finance(DAY, &["exchange", "pull"]).done();
    assert_eq!(desk.state("RCC"), "已回盘");
    desk.is_healthy();
}

#[test]
fn another_file_of_the_same_name_is_never_replaced() {
    let desk = Desk::new().with_office().with_people(30).with_place("RCC", "marker = \"ok\"");
    let run = desk.issued();
    let (issued, out) = (file_of(&desk, "issued", "RCC"), desk.path("RCC/out"));
    let sent = out.join(name_of(&issued));
    fs::write(&sent, b"another").unwrap();
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).exits(4).says("FILE_DIFFERS"));
    assert_eq!((fs::read(&sent).unwrap(), desk.names("RCC/out").len()), (b"another".to_vec(), 1));
    // The same bytes, which a clerk put there, are written down and not sent.
    fs::remove_file(&sent).unwrap();
    desk.finance(DAY, &["bank", "issue", &run, "--out", "RCC/out"]).done();
    desk.finance(DAY, &["exchange", "push"]).done().says("已在那里，补记送出");
    assert!(desk.names("RCC/out").contains(&format!("{}.ok", name_of(&issued))));
    assert_eq!(desk.state("RCC"), "已送出");
    // Nobody but finance hands over, and nothing is reached that is not there.
    desk.as_(MAKER, &["exchange", "push"]).exits(1).says("WRONG_ROLE");
    desk.as_(MAKER, &["exchange", "pull"]).exits(1).says("WRONG_ROLE");
    fs::rename(desk.path("RCC/in"), desk.path("RCC/away")).unwrap();
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).exits(3).says("PLACE_UNREACHABLE"));
    desk.finance(DAY, &["exchange", "pull", "--place", "nowhere"]).exits(5).says("UNKNOWN_PLACE");
    desk.run(&["exchange", "list"]).done().says("PLACE_UNREACHABLE");
}

#[test]
fn handing_over_survives_a_kill_at_any_moment() {
    for at in [
        "exchange:after-upload",
        "exchange.sending:before-commit",
        "exchange.sending:after-commit",
        "exchange:after-name",
        "exchange:after-marker",
        "exchange.push:before-commit",
        "exchange.push:after-commit",
    ] {
        let desk = Desk::new().with_office().with_people(20).with_place("RCC", "marker = \"ok\"");
        desk.issued();
        desk.dies(at, FINANCE, &["--on", DAY, "exchange", "push"]);
        desk.is_healthy();
        // What the bank can see is whole at any moment.
        let issued = fs::read(file_of(&desk, "issued", "RCC")).unwrap();
        let named: Vec<String> = desk.names("RCC/out").into_iter().filter(|n| !n.starts_with('.')).collect();
        for name in named.iter().filter(|name| name.rsplit_once('.').is_some_and(|(_, end)| end == "txt")) {
            assert_eq!(fs::read(desk.path("RCC/out").join(name)).unwrap(), issued, "{at}");
        }
        desk.finance(DAY, &["exchange", "push"]).done();
        assert_eq!(desk.state("RCC"), "已送出", "{at}");
        assert_eq!(fs::read(file_of(&desk, "RCC/out", "RCC")).unwrap(), issued, "{at}");
        let left = desk.names("RCC/out");
        let left: Vec<&String> = left.iter().filter(|n| n.starts_with('.')).collect();
        assert!(left.is_empty() || at == "exchange.push:after-commit", "{at}: {left:?}");
        desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).done().says("没有再送"));
    }
}

#[test]
fn a_file_that_the_bank_may_have_is_not_sent_again_until_somebody_asked() {
    for found in ["sent", "not-sent"] {
        let desk = Desk::new().with_office().with_people(20).with_place("RCC", "");
        desk.issued();
        desk.dies("exchange:after-name", FINANCE, &["--on", DAY, "exchange", "push"]);
        // The bank was quick.
        let file = file_of(&desk, "RCC/out", "RCC");
        fs::rename(&file, desk.path("taken.txt")).unwrap();
        let name = name_of(&file);
        desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).exits(1).says("SENT_OR_NOT").says(name));
        assert_eq!(desk.state("RCC"), "送出中断，待核实");
        desk.finance(DAY, &["exchange", "record", name, "--found", found, "--note", " "]).exits(1).says("NO_NOTE");
        let record = ["exchange", "record", name, "--found", found, "--note", "问过银行张某"];
        desk.finance(DAY, &record).done();
        desk.changes_nothing(|| desk.finance(DAY, &record).done());
        let pushed = desk.finance(DAY, &["exchange", "push"]).done();
        assert_eq!(file.exists(), found == "not-sent", "{pushed:?}");
        assert_eq!(desk.state("RCC"), "已送出");
        desk.finance(DAY, &["exchange", "record", name, "--found", "not-sent", "--note", "银行说没有"])
            .exits(1)
            .says("NOT_INTERRUPTED");
        desk.finance(DAY, &["exchange", "record", "nothing", "--found", "sent", "--note", "x"])
            .exits(1)
            .says("UNKNOWN_FILE");
        desk.is_healthy();
    }
}

#[test]
fn a_file_that_a_clerk_carried_is_not_sent() {
    let desk = Desk::new().with_office().with_people(20).with_place("RCC", "");
    desk.issued();
    let name = name_of(&file_of(&desk, "issued", "RCC")).to_string();
    desk.finance(DAY, &["exchange", "record", &name, "--found", "sent", "--note", "U 盘送交"]).done();
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).done().says("人工送达"));
    assert_eq!((desk.names("RCC/out"), desk.state("RCC")), (vec![], "已送出".to_string()));
    desk.run(&["exchange", "list"]).done().says("U 盘送交");
}

#[test]
fn taking_in_survives_a_kill_at_any_moment() {
    let desk = Desk::new().with_office().with_people(20).with_place("RCC", "marker = \"ok\"");
    desk.issued();
    desk.finance(DAY, &["exchange", "push"]).done();
    fs::write(desk.path("RCC/in/a-notice.txt"), b"notice").unwrap();
    let names = desk.bank_answers("RCC", &[]);
    assert_eq!(names.len(), 2);
    let pull = ["--on", DAY, "exchange", "pull"];
    // The notice comes first: set aside twice, it lies there once.
    desk.dies("folder:after-write", FINANCE, &pull);
    desk.dies("exchange:before-remove", FINANCE, &pull);
    assert!(desk.path("RCC/in/a-notice.txt").exists());
    fs::remove_file(desk.path("RCC/in/a-notice.txt")).unwrap();
    let before = desk.events();
    desk.dies("bank.return:before-commit", FINANCE, &pull);
    assert_eq!(desk.events(), before);
    desk.dies("bank.return:after-commit", FINANCE, &pull);
    assert_eq!((desk.events(), desk.names("RCC/in").len()), (before + 1, 1));
    desk.is_healthy();
    for at in ["exchange:before-archive", "folder:after-rename", "exchange:before-remove"] {
        desk.dies(at, FINANCE, &pull);
        assert_eq!(desk.events(), before + 1, "{at}");
    }
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).done().says("没有任何改动"));
    assert_eq!((desk.names("RCC/in"), desk.names("RCC/archive")), (vec![], vec![names[1].clone()]));
    assert_eq!(desk.names("RCC/quarantine"), ["a-notice.txt", "a-notice.txt.reason.txt"]);
}

#[cfg(feature = "age")]
#[test]
fn encrypted_files_go_to_the_banks_key_and_come_to_ours() {
    let desk = Desk::new().with_office().with_people(20);
    let keygen = |name: &str| {
        let made = desk.run(&["--json", "exchange", "keygen", "--out", name]).done().json();
        made["recipient"].as_str().unwrap().to_string()
    };
    let (ours, bank, stranger) = (keygen("ours.age"), keygen("bank.age"), keygen("stranger.age"));
    desk.run(&["exchange", "keygen", "--out", "ours.age"]).exits(4).says("没有改动");
    let desk = desk.with_place("RCC", &format!("encrypt_to = [\"{bank}\"]\nidentity = \"ours.age\"\nmarker = \"ok\""));
    desk.issued();
    // Killed with the file in place: it cannot be made again byte for byte, and is known by what was written down.
    desk.dies("exchange:after-name", FINANCE, &["--on", DAY, "exchange", "push"]);
    let out = files_in(&desk.path("RCC/out"));
    let [sealed] = &out[..] else { panic!("{out:?}") };
    let bytes = fs::read(sealed).unwrap();
    desk.finance(DAY, &["exchange", "push"]).done().says("补记送出").says(&digest_of(&bytes));
    assert_eq!(fs::read(sealed).unwrap(), bytes);
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).done().says("没有再送"));
    let open = |key: &str, bytes: &[u8]| fafang::exchange::seal::open("x", &desk.path(key), bytes);
    let plain = open("bank.age", &bytes).unwrap();
    assert_eq!(plain, fs::read(file_of(&desk, "issued", "RCC")).unwrap());
    assert!(open("ours.age", &bytes).is_err());
    assert!(name_of(sealed).ends_with(".txt.age"));

    // The bank answers three times: for somebody else's key, not encrypted at all, and as it should.
    fs::create_dir(desk.path("opened")).unwrap();
    fs::write(desk.path("opened/p.txt"), &plain).unwrap();
    desk.run(&["--on", DAY, "bank", "simulate", "opened", "--out", "answers"]).done();
    let answer = fs::read(desk.path("answers/return-1-p.txt")).unwrap();
    let seal = |to: &str| fafang::exchange::seal::seal(&[to.to_string()], &answer).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(desk.path("RCC/in").join(name), bytes).unwrap();
    put("a.txt.age", &seal(&stranger));
    put("b.txt", &answer);
    put("c.txt.age", &seal(&ours));
    let pulled = desk.finance(DAY, &["--json", "exchange", "pull"]).exits(1).json();
    let codes: Vec<&str> =
        pulled["quarantined"].as_array().unwrap().iter().map(|q| q["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["FILE_NOT_OPENED", "FILE_NOT_SEALED"]);
    assert_eq!(
        (pulled["files"].as_array().unwrap().len(), desk.names("RCC/archive")),
        (1, vec!["c.txt.age".to_string()])
    );
    assert_eq!(desk.state("RCC"), "已回盘");
    desk.is_healthy();
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_8_a_file_goes_on_the_day_that_it_bears() {
    on_both_engines(|desk| {
        let desk = desk.with_office().with_people(20).with_place("RCC", "");
        let run = desk.signed("2026-01");
        // Made on Friday; on Monday the bank would refuse it.
        let (friday, monday) = ("2026-01-16", "2026-01-19");
        let issue = |day: &str, out: &str, more: &[&str]| {
            desk.finance(day, &[&["bank", "issue", &run, "--out", out], more].concat())
        };
        issue(friday, "issued", &[]).done();
        let first = fs::read(file_of(&desk, "issued", "RCC")).unwrap();
        let refused = || {
            desk.finance(monday, &["exchange", "push"]).exits(1).says("FILE_DATE_PAST").says("--pay-date 2026-01-19")
        };
        desk.changes_nothing(refused);
        assert!(desk.names("RCC/out").is_empty());
        issue(monday, "monday", &["--pay-date", friday]).done().says("同样的文件");
        issue(monday, "monday", &["--pay-date", monday]).exits(1).says("NO_NOTE");
        issue(monday, "monday", &["--pay-date", "2026-01-18", "--note", "x"]).exits(1).says("PAY_DATE_PAST");
        issue(monday, "tuesday", &["--pay-date", "2026-01-20", "--note", "原文件没有送出"]).done();
        // It waits for its day, and goes then; the same payments, another day, and from now on these bytes.
        desk.changes_nothing(|| desk.finance(monday, &["exchange", "push"]).done().says("到那天再送"));
        let again = issue("2026-01-20", "again", &[]).done();
        assert!(!again.err.contains("提示"), "{again:?}");
        let second = fs::read(file_of(&desk, "tuesday", "RCC")).unwrap();
        assert_eq!(fs::read(file_of(&desk, "again", "RCC")).unwrap(), second);
        let (heads, rows): (Vec<_>, Vec<_>) =
            [&first, &second].map(|bytes| read_payment_file(bytes).unwrap()).into_iter().unzip();
        assert_eq!(rows[0], rows[1]);
        assert_eq!(heads[1].pay_date.to_string(), "2026-01-20");
        desk.finance("2026-01-20", &["exchange", "push"]).done().says(&digest_of(&second));
        desk.is_healthy();
        // What the bank has keeps its day.
        issue("2026-01-20", "x", &["--pay-date", "2026-01-21", "--note", "x"]).done().says("改了支付日期");
        assert_eq!(fs::read(file_of(&desk, "x", "RCC")).unwrap(), second, "the other banks' files were not sent");
        // An answer to the file of Friday is none to that of Tuesday.
        desk.run(&["--on", monday, "bank", "simulate", "issued", "--out", "old"]).done();
        let old = file_of(&desk, "old", "RCC");
        fs::copy(&old, desk.path("RCC/in/old.txt")).unwrap();
        desk.finance(monday, &["exchange", "pull"]).exits(1).says("RETURN_HEADER_DIFFERS").says("应为 2026-01-20");
        desk.is_healthy();
    })
    .await;
}

#[test]
fn a_day_on_which_banks_are_closed_is_told() {
    let desk = Desk::new().with_office().with_people(20).with_place("RCC", "");
    let run = desk.signed("2026-01");
    // A Sunday; in 2031 nobody knows yet.
    let sunday = desk.finance("2026-01-16", &["bank", "issue", &run, "--out", "o", "--pay-date", "2026-01-18"]).done();
    sunday.says("2026-01-18 不是工作日").says("下一个工作日是 2026-01-19");
    desk.finance("2026-01-18", &["exchange", "push"]).done().says("不是工作日");
    let later = desk.signed("2026-02");
    desk.finance("2031-03-03", &["bank", "issue", &later, "--out", "p"]).done().says("config/calendar/2031.toml");
}

#[test]
fn a_pay_day_is_told_where_a_clerk_looks() {
    let desk = Desk::new().with_office().with_people(20);
    let scheme = crate::support::SCHEME.replacen("# pay_day =", "pay_day =", 1);
    desk.put("scheme.toml", &scheme);
    desk.run(&["scheme", "load", "scheme.toml"]).done();
    let show = |day: &str| desk.run(&["--on", day, "scheme", "show", super::CODE]);
    // The 15th of February is the first day of the festival; the Saturday before is worked.
    show("2026-02-01").done().says("每月 15 日（遇非工作日提前），本月是 2026-02-14");
    let json = desk.run(&["--on", "2026-01-05", "--json", "scheme", "show", super::CODE]).done().json();
    assert_eq!((&json["pay_day"], &json["pay_day_this_month"]), (&json!(15), &json!("2026-01-15")));
    show("2027-02-01").exits(5).says("config/calendar/2027.toml");
    let prepare = ["--on", "2026-02-02", "run", "prepare", "--scheme", super::CODE, "--period", "2026-02"];
    desk.as_(MAKER, &prepare).done().says("发放日 2026-02-14");
    let run = "pochan1995-2026-02-r1";
    for (who, verb) in [(MAKER, "submit"), (super::REVIEWER, "review"), (super::APPROVER, "approve")] {
        desk.as_(who, &["--on", "2026-02-02", "run", verb, run]).done();
    }
    desk.run(&["--on", "2026-02-02", "todo", "--role", "finance"]).done().says("发放日 2026-02-14");
    let issued = desk.finance("2026-02-24", &["bank", "issue", run, "--out", "o"]).done();
    issued.says("发放日是 2026-02-14，文件的支付日期晚于发放日");
    for (wrong, part) in [("{ day = 32, closed = \"later\" }", "pay_day.day"), ("{ day = 3 }", "pay_day.closed")] {
        let text = scheme.replace("{ day = 15, closed = \"earlier\" }", wrong);
        desk.put("wrong.toml", &text);
        desk.run(&["scheme", "load", "wrong.toml"]).exits(3).says(part);
    }
}

/// Waits for something that another process does.
#[track_caller]
pub(super) fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(unix)]
#[test]
fn a_watch_takes_in_what_comes_until_it_is_told_to_stop() {
    let desk = Desk::new().with_office().with_people(20).with_place("RCC", "");
    desk.issued();
    desk.as_(MAKER, &["exchange", "watch"]).exits(1).says("WRONG_ROLE");
    let words = ["--as", FINANCE, "--on", DAY, "exchange", "watch", "--every", "1s", "--push"];
    let child = desk.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the file", || !desk.names("RCC/out").iter().all(|name| name.starts_with('.')));
    wait_for("its record", || desk.state("RCC") == "已送出");
    let names = desk.bank_answers("RCC", &[]);
    wait_for("the archive", || desk.names("RCC/archive") == names);
    let stop = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stop.success());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    assert!(out.contains("已停止") && err.contains("pushed") && err.contains("pulled"), "{out}\n{err}");
    desk.is_healthy();
}
