//! Rosters: the wanted state of the people, all or nothing, and never a silent stop.

use crate::support::changes::stop;
use fafang::domain::enrolment::StopReason;
use fafang::domain::finding::Severity;
use fafang::failure::Kind;
use fafang::training::simulated_bank::Forced;

use crate::support::{Row, day, on_both_engines, paper, person, refused, yuan};

#[tokio::test]
async fn the_same_roster_twice_changes_nothing_and_says_so() {
    on_both_engines(async |office| {
        let people = office.neighbours(5);
        let seen = office.changes_nothing(office.try_import(&people, true)).await.unwrap();
        assert_eq!((seen.rows, seen.new, seen.already), (5, 5, None));
        office.import(&people).await;
        let again = office.changes_nothing(office.import(&people)).await;
        let already = again.already.unwrap();
        assert!(already.contains("名册.csv") && already.contains("经办"), "{already}");
        // The same people in other bytes: nothing new, but a file that took effect.
        let mut turned = people.clone();
        turned.reverse();
        let imported = office.changes("kept_file +1, roster_import +1", office.import(&turned)).await;
        assert_eq!((imported.new, imported.changed, imported.unchanged), (0, 0, 5));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_changed_roster_shows_old_and_new_before_and_when_it_takes_effect() {
    on_both_engines(async |office| {
        let people = office.neighbours(6);
        office.import(&people[..4]).await;
        let mut changed = people[..5].to_vec();
        changed[0].account.clone_from(&people[5].account);
        changed[1].first = "2026-03".into();
        changed[2].last = "2026-06".into();
        let look = office.changes_nothing(office.try_import(&changed, true)).await.unwrap();
        let done = office.import(&changed).await;
        assert_eq!(look.changes, done.changes);
        assert_eq!((done.new, done.changed, done.unchanged, done.missing.len()), (1, 3, 1, 0));
        let shown: Vec<_> = done.changes.iter().map(|c| (c.row, &*c.name, c.field)).collect();
        let expected = [(2, 0, "账户"), (3, 1, "享受起始月"), (4, 2, "享受终止月")];
        assert_eq!(shown, expected.map(|(row, who, field)| (row, &*people[who].name, field)));
        assert!(done.changes[0].old != done.changes[0].new);
        assert_eq!((&*done.changes[1].old, &*done.changes[1].new), ("2026-01", "2026-03"));
        assert_eq!((&*done.changes[2].old, &*done.changes[2].new), ("无", "2026-06"));
        for change in &done.changes {
            for row in &people {
                let whole = [&row.citizen_number, &row.account];
                assert!(whole.iter().all(|text| !format!("{change:?}").contains(text.as_str())), "{change:?}");
            }
        }
        let events: Vec<(String, String, String)> = office
            .ask("SELECT kind, old_value, new_value FROM enrolment_event ORDER BY enrolment_no, seq_no", vec![])
            .await;
        let kinds: Vec<&str> = events.iter().map(|(kind, _, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["account", "first_month", "stopped"]);
        // The history, unlike a message, can tell later where money went.
        assert!(events[0].1.contains(&people[0].account) && events[0].2.contains(&people[5].account), "{events:?}");
        // Person 1 is owed nothing before March; the new person is owed everything.
        assert_eq!(office.prepare("2026-02").await.run.payments, 4);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn people_missing_from_the_roster_are_told_and_not_stopped() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people).await;
        let imported = office.changes("kept_file +1, roster_import +1", office.import(&people[1..])).await;
        assert_eq!(imported.missing.len(), 1);
        assert_eq!(imported.missing[0].1, people[0].name);
        assert_ne!(imported.missing[0].0, people[0].citizen_number, "masked");
        assert_eq!(office.prepare("2026-01").await.run.payments, 4, "still owed and paid");
        office.doctor().await;
    })
    .await;
}

/// Codes of the errors of a refused roster, with their rows.
async fn errors(office: &crate::support::TestOffice, people: &[Row]) -> Vec<(usize, &'static str)> {
    let rejected = office.changes_nothing(office.try_import(people, false)).await.unwrap_err();
    assert_eq!((rejected.failure.kind, rejected.failure.code), (Kind::Input, "ROSTER"));
    let file = rejected.file.expect("the input with a column of reasons");
    assert!(String::from_utf8_lossy(&file).contains("退回原因"));
    let findings = rejected.failure.findings.iter().filter(|f| f.severity == Severity::Error);
    findings.map(|f| (f.row, f.code)).collect()
}

#[tokio::test]
async fn one_bad_row_and_the_whole_roster_stays_out() {
    on_both_engines(async |office| {
        let people = office.neighbours(6);
        office.import(&people[..3]).await;
        let mut another_name = people.clone();
        another_name[1].name = "张三".into();
        assert_eq!(errors(office, &another_name).await, [(3, "NAME_DIFFERS")]);
        let mut in_use = people.clone();
        in_use[4].account.clone_from(&people[0].account);
        in_use.remove(0);
        assert_eq!(errors(office, &in_use).await, [(5, "ACCOUNT_IN_USE")]);
        let mut bad_number = people.clone();
        bad_number[5].citizen_number.replace_range(17.., "!");
        assert_eq!(errors(office, &bad_number).await.len(), 1);
        let mut twice = people.clone();
        twice.push(people[5].clone());
        assert_eq!(errors(office, &twice).await, [(8, "DUPLICATE_PERSON")]);
        let mut many = people.clone();
        many[3].bank = "火星银行".into();
        many[3].first = "二月".into();
        many[4].name = String::new();
        let found = errors(office, &many).await;
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [5, 5, 6], "all faults at once: {found:?}");
        // With the relation stated, the account of another person is a warning.
        in_use[3].relation = "子女".into();
        in_use[3].holder.clone_from(&people[0].name);
        let imported = office.import(&in_use).await;
        assert_eq!(imported.new, 3);
        let warnings: Vec<_> = imported.findings.iter().filter(|f| f.severity == Severity::Warning).collect();
        assert!(warnings.iter().any(|f| f.code == "ACCOUNT_IN_USE"), "{warnings:?}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_no_roster_is_refused() {
    on_both_engines(async |office| {
        let good = paper::roster(&office.neighbours(2));
        let header_only = good.split_inclusive(|b| *b == b'\n').next().unwrap().to_vec();
        for (what, bytes) in [
            ("nothing", vec![]),
            ("NUL bytes", vec![0; 100]),
            ("no titles", b"1,2,3\n4,5,6\n".to_vec()),
            ("titles only", header_only),
            ("half a character", [&good[..], &[0xE5, 0x8D]].concat()),
        ] {
            let result = office.changes_nothing(office.import_bytes(&bytes, false)).await;
            let rejected = result.expect_err(what);
            assert_eq!(rejected.failure.kind, Kind::Input, "{what}: {:?}", rejected.failure);
        }
        let maker = office.as_maker();
        let input = fafang::workflow::import_roster::ImportRoster {
            scheme: "gaoling",
            file_name: "名册.csv",
            bytes: &good,
            charset: None,
            first: None,
            accept_good: false,
            dry_run: false,
        };
        let unknown = fafang::workflow::import_roster::import_roster(&maker, input);
        refused(office.changes_nothing(unknown).await, "UNKNOWN_SCHEME");
        let early = office.try_prepare("2026-01", fafang::domain::run::RunKind::Regular);
        refused(office.changes_nothing(early).await, "EMPTY_ROSTER");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_roster_does_not_bring_the_dead_back() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        let who = person(&people[1]);
        stop(&office.as_maker(), who, StopReason::Death, day("2026-02-10"), "死亡证明").await.unwrap();
        let mut later = people.clone();
        later[1].last = "2026-12".into();
        later[2].last = "2026-06".into();
        let imported = office.import(&later).await;
        assert_eq!((imported.changed, imported.unchanged), (1, 2));
        let told: Vec<_> = imported.findings.iter().map(|f| (f.row, f.code, f.severity)).collect();
        assert_eq!(told, [(3, "STOP_OVERRULES", Severity::Warning)]);
        let run = office.prepare("2026-04").await.run;
        // Two people for four months, and two months of the third.
        assert_eq!((run.payments, run.total), (3, yuan(120 * 10)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_account_on_the_roster_answers_the_hold_on_the_old_one() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        office.import(&people[..3]).await;
        let bank = office.good_bank().with_answer(people[1].account.clone(), Forced::Reject("3018".into()));
        office.pay("2026-01", &bank).await;
        assert_eq!(office.holds().await.len(), 1);
        let mut mended = people[..3].to_vec();
        mended[1].account.clone_from(&people[3].account);
        office.import(&mended).await;
        assert!(office.holds().await.is_empty());
        let run = office.prepare("2026-02").await.run;
        assert_eq!((run.payments, run.total), (3, yuan(120 * 4)));
        office.doctor().await;
    })
    .await;
}

/// A roster with ends and suspensions: 待遇终止日期, 停发原因, 发放状态, 暂停起始月, 暂停原因.
fn roster_with_ends(people: &[(&Row, [&str; 5])]) -> Vec<u8> {
    let mut text =
        "姓名,公民身份号码,开户银行,银行账号,享受起始月,待遇终止日期,停发原因,发放状态,暂停起始月,暂停原因\n"
            .to_string();
    for (r, ends) in people {
        let fields = [&r.name, &r.citizen_number, &r.bank, &r.account, &r.first].map(String::as_str);
        text.push_str(&[fields.join(","), ends.join(",")].join(","));
        text.push('\n');
    }
    text.into_bytes()
}

/// Facts of everybody, without what differs between a roster and a change: cause, month, day, what is owed.
async fn facts(office: &crate::support::TestOffice) -> Vec<(i64, String, Option<i64>, Option<i64>, String)> {
    office
        .ask(
            "SELECT enrolment_no, kind, period, on_date, cause FROM enrolment_event ORDER BY enrolment_no, seq_no",
            vec![],
        )
        .await
}

#[tokio::test]
async fn a_roster_knows_who_has_ended_and_who_is_suspended() {
    on_both_engines(async |office| {
        office.go_to("2026-03-05");
        let p = office.neighbours(4);
        let nothing = ["", "", "", "", ""];
        let first = roster_with_ends(&[
            (&p[0], ["2026-02-10", "迁出", "停发", "", ""]),
            (&p[1], ["", "", "暂停", "2026-02", "服刑通知"]),
            (&p[2], ["2026-02-20", "死亡", "", "2026-01", ""]),
            (&p[3], ["", "", "正常", "", ""]),
        ]);
        let imported = office.import_bytes(&first, false).await.unwrap();
        assert_eq!((imported.new, imported.findings.len()), (4, 0), "{:?}", imported.findings);
        let known = facts(office).await;
        let fact =
            |no, kind: &str, period, on, cause: &str| (no, kind.to_string(), Some(period), on, cause.to_string());
        let expected = [
            fact(1, "stopped", 202_602, Some(20_260_210), "moved"),
            fact(2, "suspended", 202_602, None, "prison"),
            fact(3, "stopped", 202_602, Some(20_260_220), "death"),
            fact(3, "suspended", 202_601, None, "other"),
        ];
        assert_eq!(known, expected);
        let why: Vec<(String, String)> =
            office.ask("SELECT reason, evidence FROM enrolment_event ORDER BY enrolment_no, seq_no", vec![]).await;
        assert_eq!(why[1], ("服刑通知".to_string(), "名册 名册.csv（第 1 次导入）".to_string()));
        // Two months, one month, none, three months.
        assert_eq!(office.prepare("2026-03").await.run.total, yuan(120 * 6));
        // Blank lifts nothing, and what is known is no change; a suspension is not lifted by a word either.
        let again = roster_with_ends(&[
            (&p[0], nothing),
            (&p[1], ["", "", "正常", "", ""]),
            (&p[2], ["2026-02-20", "", "停发", "", ""]),
            (&p[3], ["2026-04-30", "", "", "2026-03", "失踪"]),
        ]);
        let look = office.changes_nothing(office.import_bytes(&again, true)).await.unwrap();
        assert_eq!((look.changed, look.unchanged), (1, 3));
        let shown: Vec<_> = look.changes.iter().map(|c| (c.row, c.field)).collect();
        assert_eq!(shown, [(5, "停发"), (5, "暂停")]);
        let told: Vec<_> = look.findings.iter().map(|f| (f.row, f.code)).collect();
        assert_eq!(told, [(3, "SUSPENSION_OVERRULES")]);
        office.import_bytes(&again, false).await.unwrap();
        assert_eq!(facts(office).await.len(), 6);
        // Another day of the same death contradicts the known one: it is undone first, as with a change.
        let other = roster_with_ends(&[(&p[2], ["2026-02-21", "死亡", "", "", ""])]);
        let rejected = office.changes_nothing(office.import_bytes(&other, false)).await.unwrap_err();
        let told: Vec<_> = rejected.failure.findings.iter().map(|f| (f.row, f.column.as_str(), f.code)).collect();
        assert_eq!(told, [(2, "待遇终止日期", "CONTRADICTS")]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_roster_says_the_same_as_changes_would() {
    let told = std::cell::RefCell::new(Vec::new());
    for by_roster in [true, false] {
        on_both_engines(async |office| {
            office.go_to("2026-03-05");
            let p = office.neighbours(2);
            if by_roster {
                let ends = [["2026-02-10", "死亡", "", "", ""], ["", "", "暂停", "2026-02", "失踪"]];
                office.import_bytes(&roster_with_ends(&[(&p[0], ends[0]), (&p[1], ends[1])]), false).await.unwrap();
            } else {
                office.import(&p).await;
                let maker = office.as_maker();
                stop(&maker, person(&p[0]), StopReason::Death, day("2026-02-10"), "").await.unwrap();
                crate::support::changes::suspend(&maker, person(&p[1]), "2026-02".parse().unwrap(), "失踪")
                    .await
                    .unwrap();
            }
            let all = (facts(office).await, office.prepare("2026-03").await.run.total);
            told.borrow_mut().push(all);
        })
        .await;
    }
    let told = told.into_inner();
    assert!(told.len() > 1 && told.iter().all(|t| *t == told[0]), "{told:?}");
}

#[tokio::test]
async fn the_good_rows_take_effect_and_the_bad_ones_come_back() {
    on_both_engines(async |office| {
        let people = office.neighbours(6);
        office.import(&people[..2]).await;
        let mut mixed = people.clone();
        mixed[1].bank = "火星银行".into();
        mixed[3].citizen_number.replace_range(17.., "!");
        mixed[5].citizen_number.clone_from(&people[4].citizen_number);
        let bytes = paper::roster(&mixed);
        let maker = office.as_maker();
        let import = async |bytes: &[u8], accept_good| {
            let (scheme, file_name) = (crate::support::CODE, "名册.csv");
            let input = fafang::workflow::import_roster::ImportRoster {
                scheme,
                file_name,
                bytes,
                charset: None,
                first: None,
                accept_good,
                dry_run: false,
            };
            fafang::workflow::import_roster::import_roster(&maker, input).await
        };
        office.changes_nothing(import(&bytes, false)).await.unwrap_err();
        let counts = "kept_file +2, roll_index +1, roll_page +1, roster_import +1";
        let imported = office.changes(counts, import(&bytes, true)).await.unwrap();
        assert_eq!((imported.rows, imported.accepted(), imported.rejected), (6, 3, 3));
        // The person in force whose row is bad is neither changed nor missing.
        assert_eq!((imported.new, imported.changed, imported.unchanged, imported.missing.len()), (2, 0, 1, 0));
        let errors: Vec<_> = imported.findings.iter().filter(|f| f.severity == Severity::Error).collect();
        assert_eq!(
            errors.iter().map(|f| (f.row, f.code)).collect::<Vec<_>>(),
            [(3, "BANK_UNKNOWN"), (5, "CITIZEN_NUMBER_CHARACTER"), (7, "DUPLICATE_PERSON")]
        );
        let detail: Vec<(String,)> =
            office.ask("SELECT detail FROM audit_event ORDER BY event_no DESC LIMIT 1", vec![]).await;
        assert!(detail[0].0.contains("\"accepted\":3") && detail[0].0.contains("\"rejected\":3"), "{detail:?}");
        let rejects = String::from_utf8(imported.rejects.unwrap()).unwrap();
        let again = office.changes_nothing(import(&bytes, true)).await.unwrap();
        assert!(again.already.is_some() && again.rejects.unwrap() == rejects.as_bytes(), "given back once more");
        // Another file with the same bad rows: what is given back is the same bytes, kept once.
        let other = [&bytes[..], b"\n"].concat();
        assert_eq!(import(&other, true).await.unwrap().rejects.unwrap(), rejects.as_bytes());
        let again = office.changes_nothing(import(&other, true)).await.unwrap();
        assert!(again.already.is_some() && again.rejects.unwrap() == rejects.as_bytes(), "of this file too");
        let widths: Vec<usize> = rejects.lines().map(|line| line.matches(',').count()).collect();
        assert_eq!(widths, [8; 4], "titles and three rows, all of one width: {rejects}");
        // Corrected, it brings the new ones; the others were never meant to be in it.
        let mended =
            rejects.replace("火星银行", &people[1].bank).replace(&mixed[3].citizen_number, &people[3].citizen_number);
        let last = mended.lines().last().unwrap().to_string();
        let mended = mended.replace(&last, &last.replacen(&people[4].citizen_number, &people[5].citizen_number, 1));
        let imported = import(mended.as_bytes(), false).await.unwrap();
        assert_eq!((imported.new, imported.unchanged, imported.missing.len()), (2, 1, 0));
        assert_eq!(office.prepare("2026-01").await.run.payments, 6);
        // A fault of the whole file, or no good row at all, and nothing takes effect.
        let total = [paper::roster(&mixed[..4]), "合计,9,,,,,,\n".into()].concat();
        office.changes_nothing(import(&total, true)).await.unwrap_err();
        office.changes_nothing(import(&paper::roster(&mixed[1..2]), true)).await.unwrap_err();
        office.doctor().await;
    })
    .await;
}
