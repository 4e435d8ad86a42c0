//! What auditors found in other counties, planted here: each is seen, or cannot happen. Results that
//! were not published and personal data that were stand in `publicity`, the ledger of offsets in
//! `recovery`.

use std::collections::BTreeMap;

use fafang::domain::citizen_number::check_character;
use fafang::domain::comparison::ComparisonKind;
use fafang::domain::credit::Credits;
use fafang::domain::enrolment::StopReason;
use fafang::domain::hold::HoldReason;
use fafang::domain::money::Money;
use fafang::domain::run::RunKind;
use fafang::reports::run_difference::run_difference;
use fafang::reports::screening::screening;
use fafang::storage::payment;
use fafang::training::simulated_bank::Forced;
use fafang::workflow::change_enrolment::Changed;
use fafang::workflow::decide_run;
use fafang::workflow::import_certifications::import_certifications;

use crate::support::changes::{NewAccount, change_account, enter, stop};
use crate::support::lists::{another_scheme, column, confirmed, deaths, scheme_with_lines};
use crate::support::{
    AGENCY, CODE, Row, SCHEME, TestOffice, day, on_both_engines, on_both_engines_with, paper, person, refused,
};

/// Who was found and what, of one code of the screening report.
async fn found(office: &TestOffice, code: &str) -> Vec<(String, String)> {
    let report = screening(&office.acting_as("稽核"), None).await.unwrap();
    let sheet = &report.sheets[0];
    assert!(
        sheet.rows.iter().all(|row| row.iter().skip(4).all(|cell| !cell.plain().is_empty())),
        "each says what to do"
    );
    let told = column(&report, "code").into_iter().zip(column(&report, "name")).zip(column(&report, "found"));
    told.filter(|((c, _), _)| c == code).map(|((_, name), what)| (name, what)).collect()
}

/// The only finding of a code.
async fn only(office: &TestOffice, code: &str) -> (String, String) {
    let mut all = found(office, code).await;
    assert_eq!(all.len(), 1, "{code}: {all:?}");
    all.remove(0)
}

async fn pay_months(office: &TestOffice, months: &[&str]) {
    for month in months {
        office.go_to(&format!("{month}-15"));
        office.pay(month, &office.good_bank()).await;
    }
}

fn by_number(rows: &[Row], who: usize) -> crate::support::Person<'_> {
    person(&rows[who])
}

async fn undo(office: &TestOffice, row: &Row, event: i64) -> Changed {
    enter(&office.as_maker(), person(row), fafang::domain::change::What::Undo(event), "登记错").await.unwrap()
}

#[tokio::test]
async fn paid_to_dead_persons_by_the_number_of_months_after_the_death() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        pay_months(office, &["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]).await;
        assert_eq!(found(office, "PAID_AFTER_DEATH").await, []);
        office.compare(ComparisonKind::Death, &deaths(&[(&people[1], "2026-01-08"), (&people[2], "2026-05-02")])).await;
        let hits = office.hits(false).await;
        assert_eq!(column(&hits, "months_after"), ["4", "0"]);
        assert_eq!(column(&hits, "paid_after"), ["480.00", "0.00"]);
        confirmed(&office.as_maker(), 1).await.unwrap();
        let (name, what) = only(office, "PAID_AFTER_DEATH").await;
        assert_eq!(name, people[1].name);
        assert!(what.contains("2026-02 至 2026-05 4 个月 480.00 元"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn paid_to_prisoners() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        pay_months(office, &["2026-01", "2026-02", "2026-03"]).await;
        let list = format!("身份证号,入狱日期\n{},2026-02-02\n", people[0].citizen_number);
        office.compare(ComparisonKind::Prison, &list).await;
        assert_eq!(column(&office.hits(false).await, "paid_after"), ["240.00"]);
        office.go_to("2026-04-15");
        assert_eq!(office.prepare("2026-04").await.run.payments, 1, "held from the moment of the list");
        confirmed(&office.as_maker(), 1).await.unwrap();
        let (name, what) = only(office, "PAID_NOT_OWED").await;
        assert!(name == people[0].name && what.contains("240.00 元，暂停（服刑）"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn double_benefit_in_two_schemes_and_under_the_old_and_the_new_number() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.load_scheme(&another_scheme("erxiang", "excludes = [\"pochan1995\"]")).await;
        office.import(&people).await;
        let mut old = people[0].clone();
        old.citizen_number = format!("{}{}", &old.citizen_number[..6], &old.citizen_number[8..17]);
        office.import_into("erxiang", &[old.clone()]).await;
        let prepared = office.prepare("2026-01").await;
        assert_eq!((prepared.held.len(), prepared.held[0].what.0.reason), (1, HoldReason::Exclusion));
        assert_eq!(prepared.held[0].name, people[0].name);
        // In one scheme the old number is the same person, so there is no second enrolment at all.
        let again = office.import(&[people[1].clone(), old]).await;
        assert_eq!((again.new, again.unchanged), (0, 2));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn not_at_the_standard() {
    let lower = SCHEME.replacen("monthly = \"120.00\"", "monthly = \"100.00\"", 1);
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        pay_months(office, &["2026-01", "2026-02"]).await;
        assert_eq!(found(office, "AMOUNT_DIFFERS").await, []);
        office.load_scheme(&lower).await;
        let all = found(office, "AMOUNT_DIFFERS").await;
        assert_eq!(all.len(), 2);
        assert!(all[0].1.contains("2026-01 至 2026-02 2 个月 240.00 元，应发 100.00 元"), "{all:?}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_line_that_is_not_the_sum_of_its_months_is_seen_and_never_leaves_the_office() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let prepared = office.prepare("2026-01").await;
        decide_run::submit(&office.as_maker(), &prepared.run.code).await.unwrap();
        office.alter_payment(2, |p| p.amount = Money(13_000)).await;
        let (_, what) = only(office, "LINE_TAMPERED").await;
        assert!(what.contains("130.00 元，各月合计 120.00 元"), "{what}");
        refused(decide_run::review(&office.as_reviewer(), &prepared.run.code).await, "RUN_TAMPERED");
        assert!(office.broken().await.contains(&"FROZEN"));
    })
    .await;
}

#[tokio::test]
async fn not_paid_in_time_and_money_left_over() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        office.go_to("2026-02-10");
        let all = found(office, "DUE_UNPAID").await;
        assert_eq!(all.len(), 2);
        assert!(all[0].1.contains("2026-01 120.00 元，已 10 天未发"), "{all:?}");
        pay_months(office, &["2026-02"]).await;
        assert_eq!(found(office, "DUE_UNPAID").await, []);
        office.go_to("2026-06-10");
        let (_, what) = only(office, "MONEY_IDLE").await;
        assert!(what.contains("巴财社〔2025〕98号") && what.contains("288,520.00 元"), "{what}");
        assert!(found(office, "DUE_UNPAID").await[0].1.contains("2026-03 至 2026-05 3 个月 360.00 元"));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_month_left_out_between_paid_ones() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people[..1]).await;
        pay_months(office, &["2026-01", "2026-02", "2026-03"]).await;
        office.import(&people).await;
        let first = by_number(&people, 1);
        office.go_to("2026-04-15");
        let what = fafang::domain::change::What::Suspend {
            cause: fafang::domain::enrolment::SuspensionCause::Other,
            from: "2026-02".parse().unwrap(),
        };
        enter(&office.as_maker(), first, what, "待查").await.unwrap();
        let resumed = fafang::domain::change::What::Resume {
            cause: None,
            from: "2026-03".parse().unwrap(),
            back_pay: Some(false),
        };
        let resumed = enter(&office.as_maker(), first, resumed, "已查").await.unwrap();
        office.pay("2026-04", &office.good_bank()).await;
        assert_eq!(found(office, "MONTH_GAP").await, []);
        // The suspension was wrong: February is owed, and lies between paid months.
        undo(office, &people[1], resumed.event.unwrap()).await;
        undo(office, &people[1], resumed.event.unwrap() - 1).await;
        let (name, what) = only(office, "MONTH_GAP").await;
        assert!(name == people[1].name && what.contains("2026-02 120.00 元"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn failed_payments_left_lying_and_files_without_answer() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let bank = office.good_bank().with_answer(&people[0].account, Forced::Reject("3018".into()));
        office.pay("2026-01", &bank).await;
        office.go_to("2026-02-20");
        let (name, what) = only(office, "FAILED_UNPAID").await;
        assert_eq!(name, people[0].name);
        assert!(what.contains("回盘失败") && what.contains("已 20 天未发（暂停支付）"), "{what}");
        office.send("2026-02").await;
        assert_eq!(found(office, "FILE_UNANSWERED").await, []);
        office.go_to("2026-03-05");
        let (_, what) = only(office, "FILE_UNANSWERED").await;
        assert!(what.contains("13 天，1 笔 120.00 元没有结果"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_eligible_person_left_out_and_an_ineligible_one_paid_differ_from_last_month_with_a_reason() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people[..2]).await;
        pay_months(office, &["2026-01"]).await;
        office.go_to("2026-02-10");
        office.import(&[people[0].clone(), people[2].clone().from("2026-02")]).await;
        stop(&office.as_maker(), by_number(&people, 1), StopReason::Ineligible, day("2026-01-20"), "复查")
            .await
            .unwrap();
        let run = office.prepare("2026-02").await.run;
        let reader = office.as_maker();
        let difference = run_difference(&mut reader.read().await.unwrap(), &reader, &run).await.unwrap();
        assert_eq!((difference.new.len(), difference.gone.len(), difference.same), (1, 1, 1));
        assert_eq!((&difference.new[0].name, &difference.gone[0].name), (&people[2].name, &people[1].name));
        assert!(difference.gone[0].reason.contains("不再符合条件"), "{}", difference.gone[0].reason);
        office.doctor().await;
    })
    .await;
}

/// Several pages of several banks: who moved to another bank is no other person.
#[tokio::test]
async fn whoever_differs_from_last_month_is_found_over_pages_and_banks() {
    on_both_engines(async |office| {
        let people = office.people(1_240);
        office.import(&people[..1_200]).await;
        let bank = office.good_bank().with_answer(&people[0].account, Forced::Reject("3018".into()));
        office.go_to("2026-01-15");
        let january = office.pay("2026-01", &bank).await.run;
        office.go_to("2026-02-10");
        let new: Vec<Row> = people[1_200..1_230].iter().map(|row| row.clone().from("2026-01")).collect();
        office.import(&new).await;
        for gone in [1, 600, 1_199] {
            let on = day("2026-01-20");
            stop(&office.as_maker(), by_number(&people, gone), StopReason::Ineligible, on, "复查").await.unwrap();
        }
        let mut moved = 0;
        for (who, to) in [0, 5, 700, 900, 1_100].into_iter().zip(&people[1_230..]) {
            moved += usize::from(people[who].bank != to.bank);
            let new = NewAccount { number: &to.account, bank: Some(&to.bank), holder: None, relation: "" };
            change_account(&office.as_maker(), by_number(&people, who), new, "换卡").await.unwrap();
        }
        assert!(moved > 1, "they move to other banks");
        let run = office.prepare("2026-02").await.run;
        let reader = office.as_maker();
        let difference = run_difference(&mut reader.read().await.unwrap(), &reader, &run).await.unwrap();
        let amounts = async |run| -> BTreeMap<String, Money> {
            let payments = office.payments(run).await;
            payments.into_iter().map(|p| (p.name + &p.citizen_number, p.amount)).collect()
        };
        let (then, now) = (amounts(&january).await, amounts(&run).await);
        let count =
            |of: &BTreeMap<String, Money>, differs: fn(Option<&Money>, &Money) -> bool, other: &BTreeMap<_, _>| {
                of.iter().filter(|(who, amount)| differs(other.get(*who), amount)).count()
            };
        let told = (difference.new.len(), difference.gone.len(), difference.changed.len(), difference.same);
        let is_other = |was: Option<&Money>, is: &Money| was.is_some_and(|was| was != is);
        let plain = (
            count(&now, |was, _| was.is_none(), &then),
            count(&then, |is, _| is.is_none(), &now),
            count(&now, is_other, &then),
            count(&now, |was, is| was == Some(is), &then),
        );
        assert_eq!(told, plain);
        assert_eq!(told, (30, 3, 1, 1_196));
        assert_eq!((difference.changed[0].was_fen, difference.changed[0].now_fen), (Money(12_000), Money(24_000)));
    })
    .await;
}

#[tokio::test]
async fn a_faked_certification_has_a_day_a_way_and_an_operator() {
    let rule = "[certification]\ncycle_months = 12\nwarning_months = 3\nback_pay = \"paid\"\n";
    on_both_engines_with(&scheme_with_lines(rule), async |office| {
        let people = office.neighbours(1);
        office.import(&people).await;
        office.go_to("2026-03-10");
        stop(&office.as_maker(), by_number(&people, 0), StopReason::Death, day("2026-01-20"), "").await.unwrap();
        let list = format!(
            "姓名,公民身份号码,认证日期,认证方式\n{},{},2026-03-01,人脸识别\n",
            people[0].name, people[0].citizen_number
        );
        let done = import_certifications(&office.as_maker(), CODE, "认证.csv", list.as_bytes(), None).await.unwrap();
        assert_eq!(done.findings[0].code, "CERTIFIED_AFTER_DEATH");
        let evidence: Vec<(i64, String, String, String)> = office
            .ask("SELECT on_date, new_value, made_by, evidence FROM enrolment_event WHERE kind = 'certified'", vec![])
            .await;
        assert_eq!(evidence, [(20_260_301, "人脸识别".into(), "经办".into(), "认证.csv 第 2 行".into())]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_file_changed_between_office_and_bank_is_refused_when_it_comes_back() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let issued = office.send("2026-01").await;
        let changed = paper::edited(&issued.files[0].bytes, "|120.00|", "|620.00|");
        let changed = paper::edited(&changed, "|240.00", "|1240.00");
        let answer = paper::bytes(&paper::all_credited(&changed));
        let result = office.try_take(fafang::formats::bank::neutral::AnswerKind::Return, &answer);
        let failure = office.changes_nothing(result).await.unwrap_err();
        assert!(failure.message.contains("1,240.00") || failure.message.contains("1240.00"), "{failure:?}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn one_account_for_many_persons_with_and_without_a_relation() {
    on_both_engines(async |office| {
        let mut people = office.neighbours(3);
        people[1].account = people[0].account.clone();
        refused(office.changes_nothing(office.try_import(&people, false)).await, "ROSTER");
        people[0].relation = "夫妻".into();
        people[1].relation = "夫妻".into();
        people[1].holder = people[0].name.clone();
        office.import(&people).await;
        let all = found(office, "ACCOUNT_SHARED").await;
        assert_eq!(all.len(), 2);
        assert!(all[0].1.contains(&people[1].name) && all[0].1.contains("写明关系: 夫妻"), "{all:?}");
        assert!(!all[0].1.contains(&people[0].account), "masked");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn one_person_with_many_accounts_and_one_name_with_two_numbers_on_one_account() {
    on_both_engines(async |office| {
        let mut people = office.neighbours(3);
        office.load_scheme(&another_scheme("erxiang", "")).await;
        let mut elsewhere = people[2].clone();
        elsewhere.account.clone_from(&office.neighbours(4)[3].account);
        people[1].name = people[0].name.clone();
        people[1].account = people[0].account.clone();
        people[0].relation = "本人".into();
        people[1].relation = "本人".into();
        office.import(&people).await;
        office.import_into("erxiang", &[elsewhere]).await;
        assert_eq!(only(office, "SEVERAL_ACCOUNTS").await.0, people[2].name);
        let twins = found(office, "SAME_NAME_ACCOUNT").await;
        assert_eq!(twins.len(), 2);
        assert!(found(office, "ACCOUNT_SHARED").await.is_empty(), "told once, under the graver word");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_account_changed_shortly_before_a_payment_and_by_whom() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        let spare = office.neighbours(5);
        let new = |i: usize| NewAccount { number: &spare[i].account, bank: None, holder: None, relation: "" };
        change_account(&office.as_maker(), by_number(&people, 0), new(3), "换卡").await.unwrap();
        office.go_to("2026-03-10");
        change_account(&office.as_maker(), by_number(&people, 1), new(4), "换卡").await.unwrap();
        assert_eq!(found(office, "ACCOUNT_CHANGED").await, [], "nothing was paid yet");
        office.go_to("2026-03-14");
        office.pay("2026-03", &office.good_bank()).await;
        let (name, what) = only(office, "ACCOUNT_CHANGED").await;
        assert_eq!(name, people[1].name);
        assert!(what.contains("2026-03-10 由 经办 换账户，4 天后批次 pochan1995-2026-03-r1"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn older_than_a_hundred_without_a_certification_of_the_last_year() {
    on_both_engines(async |office| {
        let mut people = office.neighbours(2);
        let body = "65282719241201001";
        people[0].citizen_number = format!("{body}{}", check_character(body));
        office.import(&people).await;
        let (name, what) = only(office, "VERY_OLD").await;
        assert!(name == people[0].name && what.contains("101 岁，没有认证记录"), "{what}");
        let what = fafang::domain::change::What::Certify { on: day("2026-01-10"), way: "上门".into() };
        enter(&office.as_maker(), by_number(&people, 0), what, "").await.unwrap();
        assert_eq!(found(office, "VERY_OLD").await, []);
        office.go_to("2027-01-11");
        assert!(only(office, "VERY_OLD").await.1.contains("102 岁，最近认证 2026-01-10"));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_far_from_the_last_one() {
    on_both_engines(async |office| {
        let people = office.neighbours(12);
        office.import(&people[..10]).await;
        pay_months(office, &["2026-01"]).await;
        let later: Vec<Row> = people[..12].iter().cloned().map(|r| r.from("2026-02")).collect();
        let mut second = people[..10].to_vec();
        second.extend_from_slice(&later[10..]);
        office.go_to("2026-02-10");
        office.import(&second).await;
        pay_months(office, &["2026-02"]).await;
        assert_eq!(found(office, "RUN_TOTAL_JUMP").await, [], "1,200 and 1,440: twenty per cent exactly");
        let third: Vec<_> = office.neighbours(15).into_iter().skip(12).map(|r| r.from("2026-03")).collect();
        second.extend(third);
        office.go_to("2026-03-10");
        office.import(&second).await;
        pay_months(office, &["2026-03"]).await;
        let (_, what) = only(office, "RUN_TOTAL_JUMP").await;
        assert!(what.contains("1,800.00 元") && what.contains("1,440.00 元"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_person_back_after_a_stop() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        pay_months(office, &["2026-01"]).await;
        let stopped =
            stop(&office.as_maker(), by_number(&people, 0), StopReason::Moved, day("2026-01-20"), "").await.unwrap();
        pay_months(office, &["2026-02"]).await;
        assert_eq!(found(office, "BACK_AFTER_STOP").await, []);
        undo(office, &people[0], stopped.event.unwrap()).await;
        pay_months(office, &["2026-03"]).await;
        let (name, what) = only(office, "BACK_AFTER_STOP").await;
        assert!(name == people[0].name && what.contains("迁出") && what.contains("此后已发 2 个月"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_sent_again_while_the_first_is_open_is_impossible() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        office.send("2026-01").await;
        let again = office.try_prepare("2026-01", RunKind::Supplementary);
        refused(office.changes_nothing(again).await, "NOTHING_PAYABLE");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn back_pay_beyond_the_months_missed_is_impossible() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(1)).await;
        pay_months(office, &["2026-01"]).await;
        let run = office.prepare("2026-02").await.run;
        let mut payments = office.payments(&run).await;
        payments[0].covers[0].amount += Money(100);
        let mut credits = Credits::default();
        credits.add(payments[0].enrolment_no, &payments[0].payee(), &payments[0].covers);
        let mut tx = office.home.database.write().await.unwrap();
        let inserted = payment::insert(&mut tx, AGENCY, &run, credits, |_| ()).await;
        assert!(inserted.is_err(), "more than the month's claim");
        drop(tx);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_differs_between_roster_and_bank() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        assert_eq!(found(office, "HOLDER_DIFFERS").await, []);
        let number = &office.neighbours(3)[2].account;
        let new = NewAccount { number, bank: None, holder: Some("赵无名"), relation: "" };
        let changed = change_account(&office.as_maker(), by_number(&people, 1), new, "换卡").await.unwrap();
        assert!(changed.notices[0].contains("没有写明关系"));
        let (name, what) = only(office, "HOLDER_DIFFERS").await;
        assert!(name == people[1].name && what.contains("户名“赵无名”"), "{what}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_invalid_number_and_an_account_damaged_by_a_spreadsheet_are_refused() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        let mut wrong = people.clone();
        let last = wrong[0].citizen_number.pop().unwrap();
        wrong[0].citizen_number.push(if last == '1' { '2' } else { '1' });
        wrong[1].account = "6.21345E+18".into();
        let result = office.changes_nothing(office.try_import(&wrong, false)).await;
        let failure = refused(result, "ROSTER");
        let told: Vec<_> = failure.findings.iter().map(|f| (f.row, f.code)).collect();
        assert_eq!(told, [(2, "CITIZEN_NUMBER_CHECK_DIGIT"), (3, "SCIENTIFIC_NOTATION")]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn one_scheme_alone_can_be_screened() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(1)).await;
        office.load_scheme(&another_scheme("erxiang", "")).await;
        office.import_into("erxiang", &office.neighbours(1)).await;
        office.go_to("2026-02-10");
        let auditor = office.acting_as("稽核");
        let one = office.changes_nothing(screening(&auditor, Some("erxiang"))).await.unwrap();
        assert_eq!((column(&one, "code"), column(&one, "scheme")), (vec!["DUE_UNPAID".into()], vec!["erxiang".into()]));
        assert_eq!(column(&screening(&auditor, None).await.unwrap(), "code"), ["DUE_UNPAID"; 2]);
        refused(screening(&auditor, Some("none")).await, "UNKNOWN_SCHEME");
        let numbers = column(&one, "citizen_number");
        assert_ne!(numbers[0], office.neighbours(1)[0].citizen_number, "masked");
    })
    .await;
}
