//! The life of an enrolment: told late, in any order, wrongly, corrected, and by two people.

use std::fmt::Write as _;

use fafang::domain::actor::Role;
use fafang::domain::change::{Change, What};
use fafang::domain::enrolment::{StopReason, SuspensionCause};
use fafang::domain::money::Money;
use fafang::domain::period::Period;
use fafang::failure::Failure;
use fafang::formats::change::parse_changes;
use fafang::office::Office;
use fafang::storage::change_request;
use fafang::workflow::enter_change::{Accepted, Entered, accept, enter_change, enter_list, reject};
use fafang::workflow::import_roster::{ImportRoster, import_roster};

use crate::support::changes::{NewAccount, change_account, enter, resume, stop, suspend};
use crate::support::{
    AGENCY, CODE, Row, SCHEME, TestOffice, day, on_both_engines, on_both_engines_with, paper, person,
};
use crate::support::{refused, yuan};

fn month(text: &str) -> Period {
    text.parse().unwrap()
}

/// The shipped scheme with keys put before its standards, and without its cap.
fn scheme_with(keys: &str) -> String {
    SCHEME.replacen("monthly_cap = \"120.00\"", "", 1).replacen("\n[[standard]]", &format!("\n{keys}\n[[standard]]"), 1)
}

/// A scheme in which everybody has an own amount.
fn pension_with(keys: &str) -> String {
    let (head, rest) = SCHEME.split_once("\n[[standard]]").unwrap();
    let rest = &rest[rest.find("\n[[").unwrap()..];
    let head = head.replacen("monthly_cap = \"120.00\"", "", 1);
    format!("{head}\namount = \"individual\"\n{keys}{rest}")
}

/// A roster with own amounts.
fn pensioners(people: &[(&Row, &str)]) -> Vec<u8> {
    let mut text = "姓名,公民身份号码,开户银行,银行账号,享受起始月,月待遇\n".to_string();
    for (r, amount) in people {
        let fields = [&r.name, &r.citizen_number, &r.bank, &r.account, &r.first].map(String::as_str);
        let _ = writeln!(text, "{},{amount}", fields.join(","));
    }
    text.into_bytes()
}

fn change(row: &Row, what: What) -> Change {
    let citizen_number = row.citizen_number.clone();
    Change { citizen_number, scheme: None, what, reason: "来函".into(), evidence: "〔2026〕7号".into() }
}

async fn ask(office: &Office, row: &Row, what: What) -> Entered {
    enter_change(office, change(row, what)).await.unwrap()
}

/// Months that a run pays to a person, with what it pays for each.
async fn paid(office: &TestOffice, period: &str, row: &Row) -> Vec<(i64, i64)> {
    let run = office.prepare(period).await.run;
    let payments = office.payments(&run).await;
    let own = payments.iter().filter(|p| p.citizen_number == row.citizen_number).flat_map(|p| &p.covers);
    own.map(|c| (c.period.number(), c.amount.fen())).collect()
}

#[tokio::test]
async fn a_wrong_stop_is_undone_and_the_lost_months_are_paid() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        office.pay("2026-01", &office.good_bank()).await;
        let maker = office.as_maker();
        let died = stop(&maker, person(&people[0]), StopReason::Death, day("2026-01-20"), "误报").await.unwrap();
        assert_eq!(office.pay("2026-02", &office.good_bank()).await.run.payments, 1);
        let undo = What::Undo(died.event.unwrap());
        let back = enter(&maker, person(&people[0]), undo.clone(), "本人健在");
        office.changes("enrolment_event +1, enrolment_now ~1", back).await.unwrap();
        let twice = enter(&maker, person(&people[0]), undo, "本人健在");
        refused(office.changes_nothing(twice).await, "ALREADY_UNDONE");
        let unknown = enter(&maker, person(&people[0]), What::Undo(9), "");
        refused(office.changes_nothing(unknown).await, "UNKNOWN_EVENT");
        assert_eq!(paid(office, "2026-03", &people[0]).await, [(202_602, 12_000), (202_603, 12_000)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn of_two_ends_the_earlier_counts_whichever_was_told_first() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let maker = office.as_maker();
        for (row, order) in people.iter().zip([[0, 1], [1, 0]]) {
            for which in order {
                let (reason, on) = [(StopReason::Moved, "2026-03-31"), (StopReason::Death, "2026-02-11")][which];
                stop(&maker, person(row), reason, day(on), "来函").await.unwrap();
            }
            let other_day = stop(&maker, person(row), StopReason::Death, day("2026-02-12"), "另一来函");
            let refusal = refused(office.changes_nothing(other_day).await, "CONTRADICTS");
            assert!(refusal.hint.contains("undo"), "{refusal:?}");
        }
        office.go_to("2026-04-10");
        let run = office.prepare("2026-04").await.run;
        assert_eq!((run.payments, run.total), (2, yuan(2 * 240)), "January and February of both");
    })
    .await;
}

#[tokio::test]
async fn a_resumption_told_before_its_suspension_waits_for_it() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let maker = office.as_maker();
        let again =
            What::Resume { cause: Some(SuspensionCause::Prison), from: month("2026-04"), back_pay: Some(false) };
        let early = enter(&maker, person(&people[0]), again, "释放证明").await.unwrap();
        assert_eq!(early.notices.len(), 1, "{early:?}");
        suspend(&maker, person(&people[0]), month("2026-02"), "服刑").await.unwrap();
        // The other way round for the neighbour.
        suspend(&maker, person(&people[1]), month("2026-02"), "服刑").await.unwrap();
        let prison = What::Resume { cause: None, from: month("2026-04"), back_pay: Some(false) };
        enter(&maker, person(&people[1]), prison, "释放证明").await.unwrap();
        // Another cause goes its own way.
        suspend(&maker, person(&people[1]), month("2026-04"), "未认证").await.unwrap();
        office.go_to("2026-05-10");
        assert_eq!(
            paid(office, "2026-05", &people[0]).await,
            [(202_601, 12_000), (202_604, 12_000), (202_605, 12_000)]
        );
        let run = office.run_list().await.remove(0);
        assert_eq!(run.total, yuan(3 * 120 + 120));
        resume(&maker, person(&people[1]), month("2026-06"), "已认证").await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_change_without_effect_until_another_person_accepts_it() {
    on_both_engines_with(&scheme_with("second_person = [\"changes\"]"), async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        let maker = office.as_maker();
        let died = What::Stop { reason: StopReason::Death, on: day("2026-01-10") };
        let asked = office.changes("change_request +1", ask(&maker, &people[0], died.clone())).await;
        assert_eq!((asked.pending, asked.changed.len()), (Some(1), 1));
        office.go_to("2026-02-10");
        let run = office.prepare("2026-02").await.run;
        assert_eq!(run.payments, 3, "nobody has accepted it yet");
        fafang::workflow::decide_run::cancel(&maker, &run.code, "重算").await.unwrap();
        refused(office.changes_nothing(accept(&maker, 1)).await, "WRONG_ROLE");
        // Not even with another post: whoever asked does not accept.
        office.appoint("经办", Role::Reviewer).await;
        refused(office.changes_nothing(accept(&office.as_maker(), 1)).await, "SAME_PERSON");
        office.appoint("经办", Role::Maker).await;
        let accepted = office
            .changes("change_request ~1, enrolment_event +1, enrolment_now +1", accept(&office.as_reviewer(), 1))
            .await
            .unwrap();
        let Accepted::Changes(changed) = accepted else { panic!("{accepted:?}") };
        assert!(changed[0].what.contains("停发"), "{changed:?}");
        let event: Vec<(String, Option<String>)> = office
            .ask("SELECT made_by, accepted_by FROM enrolment_event WHERE agency_code = $1", fafang::values![AGENCY])
            .await;
        assert_eq!(event, [("经办".to_string(), Some("复核".to_string()))]);
        refused(office.changes_nothing(accept(&office.as_reviewer(), 1)).await, "ALREADY_DECIDED");
        refused(office.changes_nothing(accept(&office.as_reviewer(), 9)).await, "UNKNOWN_REQUEST");
        // What is wrong is refused at once, not left for the second person to find.
        let wrong = enter_change(&maker, change(&people[0], died));
        refused(office.changes_nothing(wrong).await, "ALREADY_STOPPED");
        let moved = What::Stop { reason: StopReason::Moved, on: day("2026-01-31") };
        assert_eq!(ask(&maker, &people[1], moved).await.pending, Some(2));
        refused(office.changes_nothing(reject(&office.as_approver(), 2, "")).await, "NO_REASON");
        office.changes("change_request ~1", reject(&office.as_approver(), 2, "查无此事")).await.unwrap();
        assert_eq!(office.prepare("2026-02").await.run.payments, 3, "the dead are still owed January");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_accepted_account_is_still_the_makers_and_the_maker_does_not_approve_it() {
    on_both_engines_with(&scheme_with("second_person = [\"changes\"]"), async |office| {
        office.appoint("代办", Role::Maker).await;
        let people = office.neighbours(3);
        office.import(&people[..2]).await;
        let new =
            What::Account { number: people[2].account.clone(), bank: None, holder: None, relation: String::new() };
        let asked = ask(&office.acting_as("代办"), &people[0], new).await;
        accept(&office.as_reviewer(), asked.pending.unwrap()).await.unwrap();
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        office.appoint("代办", Role::Approver).await;
        let himself = office.acting_as("代办");
        let own = fafang::workflow::decide_run::approve(&himself, &run.code);
        refused(office.changes_nothing(own).await, "ACCOUNT_BY_APPROVER");
        fafang::workflow::decide_run::approve(&office.as_approver(), &run.code).await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn the_difference_of_a_roster_waits_for_another_person_and_nobody_missing_is_stopped() {
    on_both_engines_with(&scheme_with("second_person = [\"rosters\"]"), async |office| {
        let people = office.neighbours(4);
        let first = office.import(&people[..3]).await;
        assert_eq!((first.new, first.pending), (3, None), "the first roster differs from nothing");
        assert!(office.import(&people[..3]).await.already.is_some(), "the same bytes");
        let mut second: Vec<Row> = people[1..].to_vec();
        second[0].last = "2026-06".into();
        let import = office.try_import(&second, false);
        let waiting = office.changes("change_request +1, kept_file +1", import).await.unwrap();
        assert_eq!((waiting.new, waiting.changed, waiting.missing.len(), waiting.pending), (1, 1, 1, Some(1)));
        assert_eq!(office.prepare("2026-01").await.run.payments, 3);
        let stored = change_request::pending(&mut office.as_maker().read().await.unwrap(), AGENCY).await.unwrap();
        assert!(stored[0].summary.contains("缺少 1"), "{}", stored[0].summary);
        let approver = office.as_approver();
        let accepted = accept(&approver, 1);
        let counts =
            "change_request ~1, enrolment_event +1, enrolment_now +1, roll_index +1, roll_page +1, roster_import +1";
        let Accepted::Roster(imported) = office.changes(counts, accepted).await.unwrap() else { panic!() };
        assert_eq!((imported.new, imported.changed), (1, 1));
        office.go_to("2026-07-10");
        let july = office.prepare("2026-07").await.run;
        let of = |n: i64| 12_000 * n;
        assert_eq!(
            july.total,
            Money(of(6) + of(6) + of(5) + of(7)),
            "missing is not stopped, June is the other's last"
        );
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn pensions_have_own_amounts_and_a_raise_with_effect_from_january_is_paid_back() {
    on_both_engines_with(&pension_with(""), async |office| {
        let people = office.neighbours(2);
        let roster = pensioners(&[(&people[0], "3210.55"), (&people[1], "1800.00")]);
        office.import_bytes(&roster, false).await.unwrap();
        office.add_money("900000").await;
        let january = office.pay("2026-01", &office.good_bank()).await.run;
        assert_eq!(january.total, Money(321_055 + 180_000));
        // In July the document comes: 3.8 % and 20 元 for everybody, from January on.
        let raise = "[[adjustment]]\nfrom = \"2026-01\"\npercent = \"3.8\"\n[[adjustment]]\nfrom = \"2026-01\"\nfixed = \"20\"\n";
        office.load_scheme(&pension_with(raise)).await;
        office.go_to("2026-02-10");
        // 3.8 % of 3,210.55 is 122.0009.
        assert_eq!(paid(office, "2026-02", &people[0]).await, [(202_601, 14_200), (202_602, 335_255)]);
        // A later amount holds what came before it.
        let run = office.run_list().await.pop().unwrap();
        office.sign(&run).await;
        let issued = office.issue(&run).await;
        office.answer(&issued.files, &office.good_bank()).await;
        let maker = office.as_maker();
        let amount = What::Amount { monthly: Money(400_000), from: month("2026-03") };
        enter(&maker, person(&people[0]), amount.clone(), "重新核定").await.unwrap();
        refused(office.changes_nothing(enter(&maker, person(&people[0]), amount, "重新核定")).await, "CONTRADICTS");
        office.go_to("2026-03-10");
        assert_eq!(paid(office, "2026-03", &people[0]).await, [(202_603, 400_000)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_roster_of_a_month_changes_amounts_from_that_month() {
    on_both_engines_with(&pension_with(""), async |office| {
        let people = office.neighbours(1);
        office.import_bytes(&pensioners(&[(&people[0], "1000.00")]), false).await.unwrap();
        office.go_to("2026-04-10");
        let bytes = pensioners(&[(&people[0], "1100.00")]);
        let input = ImportRoster {
            scheme: CODE,
            file_name: "名册4月.csv",
            bytes: &bytes,
            charset: None,
            first: Some(month("2026-03")),
            accept_good: false,
            dry_run: false,
        };
        let imported = import_roster(&office.as_maker(), input).await.unwrap();
        assert_eq!((imported.changed, imported.changes[0].field), (1, "月待遇"));
        let months = paid(office, "2026-04", &people[0]).await;
        assert_eq!(months, [(202_601, 100_000), (202_602, 100_000), (202_603, 110_000), (202_604, 110_000)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn part_months_are_paid_by_the_day_to_the_fen() {
    let keys = "start_month = \"calendar_days\"\nstop_month = \"calendar_days\"\ndeath_month = \"paid\"\n";
    let scheme = pension_with(keys).replacen("stop_month = \"paid\"", "", 1);
    on_both_engines_with(&scheme, async |office| {
        let mut people = office.neighbours(2);
        people[0].first = "2026-01-17".into();
        let roster = pensioners(&[(&people[0], "1000.00"), (&people[1], "1000.00")]);
        office.import_bytes(&roster, false).await.unwrap();
        let maker = office.as_maker();
        stop(&maker, person(&people[0]), StopReason::Moved, day("2026-02-10"), "迁出证明").await.unwrap();
        stop(&maker, person(&people[1]), StopReason::Death, day("2026-02-10"), "死亡证明").await.unwrap();
        office.go_to("2026-03-10");
        // 15 of 31 days, 10 of 28.
        assert_eq!(paid(office, "2026-03", &people[0]).await, [(202_601, 48_387), (202_602, 35_714)]);
        let run = office.run_list().await.remove(0);
        assert_eq!(run.total, Money(48_387 + 35_714 + 200_000), "the month of death is whole");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn another_category_counts_from_its_own_month() {
    let second = "[[standard]]\ncategory = \"乙类\"\nfrom = \"2026-01\"\nmonthly = \"200.00\"\n\n[[standard]]";
    let scheme =
        scheme_with("").replacen("category = \"\" ", "category = \"甲类\" ", 1).replacen("[[standard]]", second, 1);
    on_both_engines_with(&scheme, async |office| {
        let people = office.neighbours(1);
        let r = &people[0];
        let text = format!(
            "姓名,公民身份号码,开户银行,银行账号,享受起始月,人员类别\n{},{},{},{},2026-01,甲类\n",
            r.name, r.citizen_number, r.bank, r.account
        );
        office.import_bytes(text.as_bytes(), false).await.unwrap();
        office.pay("2026-01", &office.good_bank()).await;
        office.pay("2026-02", &office.good_bank()).await;
        let maker = office.as_maker();
        let wrong = What::Category { category: "丙类".into(), from: month("2026-02") };
        refused(office.changes_nothing(enter(&maker, person(r), wrong, "")).await, "CATEGORY_UNKNOWN");
        let right = What::Category { category: "乙类".into(), from: month("2026-02") };
        enter(&maker, person(r), right, "评定").await.unwrap();
        office.go_to("2026-03-10");
        assert_eq!(paid(office, "2026-03", r).await, [(202_602, 8_000), (202_603, 20_000)]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_lapsed_certification_stops_payment_and_the_next_one_pays_it_back() {
    let rule = "[certification]\ncycle_months = 2\nwarning_months = 1\nback_pay = \"paid\"\n";
    on_both_engines_with(&scheme_with(rule), async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let certify = |on: &str| What::Certify { on: day(on), way: "上门".into() };
        office.go_to("2026-02-10");
        let maker = office.as_maker();
        enter(&maker, person(&people[1]), certify("2026-02-03"), "").await.unwrap();
        let ahead = enter(&maker, person(&people[1]), certify("2026-02-11"), "");
        refused(office.changes_nothing(ahead).await, "DATE_AHEAD");
        // Nothing known of the first: December 2025 and two months.
        for (period, payments) in [("2026-01", 2), ("2026-02", 2), ("2026-03", 1), ("2026-04", 1)] {
            assert_eq!(office.pay(period, &office.good_bank()).await.run.payments, payments, "{period}");
        }
        office.go_to("2026-05-10");
        enter(&office.as_maker(), person(&people[0]), certify("2026-05-06"), "").await.unwrap();
        let months = paid(office, "2026-05", &people[0]).await;
        assert_eq!(months, [(202_603, 12_000), (202_604, 12_000), (202_605, 12_000)]);
        assert_eq!(office.run_list().await.pop().unwrap().payments, 1, "the other's has lapsed now");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn one_person_is_enrolled_by_a_change_and_never_beyond_the_schemes_limit() {
    on_both_engines_with(&scheme_with("max_people = 2"), async |office| {
        let people = office.neighbours(3);
        office.import(&people[..1]).await;
        let maker = office.as_maker();
        let fields = |row: &Row| {
            let pairs = [
                ("公民身份号码", &row.citizen_number),
                ("姓名", &row.name),
                ("开户银行", &row.bank),
                ("银行账号", &row.account),
            ];
            What::Enrol(pairs.map(|(title, value)| (title.to_string(), value.clone())).to_vec())
        };
        let enrol = async |row: &Row| -> Result<Entered, Failure> {
            enter_change(&maker, Change { scheme: Some(CODE.into()), ..change(row, fields(row)) }).await
        };
        let counts = "enrolment_event +1, roll_index +1, roll_page +1";
        office.changes(counts, enrol(&people[1])).await.unwrap();
        refused(office.changes_nothing(enrol(&people[1])).await, "ALREADY_ENROLLED");
        refused(office.changes_nothing(enrol(&people[2])).await, "TOO_MANY_PEOPLE");
        refused(office.changes_nothing(office.try_import(&people, false)).await, "TOO_MANY_PEOPLE");
        let mut wrong = people[2].clone();
        wrong.account = "12".into();
        let refusal = refused(office.changes_nothing(enrol(&wrong)).await, "ENROL");
        assert!(refusal.message.contains("银行账号"), "{refusal:?}");
        let run = office.prepare("2026-01").await.run;
        assert_eq!(run.payments, 2);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_unit_is_enrolled_by_its_credit_code() {
    on_both_engines_with(&pension_with("payees = \"units\"\n"), async |office| {
        let first = "91652827MA7812345";
        let code = format!("{first}{}", fafang::domain::credit_code::check_character(first));
        let account = &office.neighbours(1)[0];
        let fields = [
            ("公民身份号码", code.as_str()),
            ("姓名", "和静县巴音社区服务站"),
            ("开户银行", &account.bank),
            ("银行账号", &account.account),
            ("月待遇", "833.33"),
        ];
        let what = What::Enrol(fields.map(|(title, value)| (title.to_string(), value.to_string())).to_vec());
        let change = Change { citizen_number: code.clone(), scheme: Some(CODE.into()), ..change(account, what) };
        enter_change(&office.as_maker(), change).await.unwrap();
        let run = office.prepare("2026-01").await.run;
        assert_eq!((run.payments, run.total), (1, Money(83_333)));
        let unit = crate::support::Person { citizen_number: &code, scheme: None };
        stop(&office.as_maker(), unit, StopReason::Ineligible, day("2026-02-10"), "撤销").await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_of_changes_is_made_whole_or_not_at_all() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        office.import(&people).await;
        office.go_to("2026-02-10");
        let maker = office.as_maker();
        let list = |third: &str| {
            let text = format!(
                "变更类型,公民身份号码,日期,月份,原因\n死亡,{},2026-01-12,,\n暂停,{},,2026-02,失踪\n{third}\n",
                people[0].citizen_number, people[1].citizen_number
            );
            parse_changes("变更.csv", text.as_bytes(), None, Some(CODE), office.today()).unwrap().changes
        };
        let stranger = &office.neighbours(9)[8].citizen_number;
        let bad = enter_list(&maker, list(&format!("死亡,{stranger},2026-01-12,,")), "变更.csv");
        let refusal = refused(office.changes_nothing(bad).await, "CHANGES_REJECTED");
        assert_eq!((refusal.findings.len(), refusal.findings[0].row), (1, 4));
        let good =
            enter_list(&maker, list(&format!("恢复,{},,2026-05,失踪找回", people[1].citizen_number)), "变更.csv");
        let entered = office.changes("enrolment_event +3, enrolment_now +2", good).await.unwrap();
        assert_eq!(entered.changed.len(), 3);
        assert_eq!(
            office.prepare("2026-02").await.run.total,
            yuan(120 + 240 + 240),
            "found again in May: the months between are owed"
        );
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn names_and_birth_dates_are_corrected_and_the_history_keeps_what_was() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        office.import(&people).await;
        let maker = office.as_maker();
        let changed = enter(&maker, person(&people[0]), What::Name("阿依古丽·买买提".into()), "身份证").await.unwrap();
        assert!(changed.notices[0].contains("户名仍是"), "{changed:?}");
        let (number, holder) = (people[0].account.clone(), "阿依古丽·买买提");
        let new = NewAccount { number: &number, bank: None, holder: Some(holder), relation: "" };
        change_account(&maker, person(&people[0]), new, "银行户名已变更").await.unwrap();
        enter(&maker, person(&people[0]), What::Born(day("1939-02-03")), "档案").await.unwrap();
        enter(&maker, person(&people[0]), What::Retired(day("1994-02-03")), "档案").await.unwrap();
        let ahead = enter(&maker, person(&people[0]), What::Born(day("2039-02-03")), "档案");
        refused(office.changes_nothing(ahead).await, "DATE_AHEAD");
        let names: Vec<(String, String, String)> = office
            .ask(
                "SELECT kind, old_value, new_value FROM enrolment_event WHERE agency_code = $1 ORDER BY seq_no",
                fafang::values![AGENCY],
            )
            .await;
        let kinds: Vec<&str> = names.iter().map(|(kind, ..)| kind.as_str()).collect();
        assert_eq!(kinds, ["name", "account", "born", "retired"]);
        assert_eq!((names[0].1.as_str(), names[0].2.as_str()), (people[0].name.as_str(), "阿依古丽·买买提"));
        let run = office.prepare("2026-01").await.run;
        let paid = office.payments(&run).await;
        assert!(paid.iter().any(|p| p.name == "阿依古丽·买买提" && p.account_holder == holder), "{paid:?}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn half_a_year_is_released_at_its_end_and_once_is_once() {
    let half = scheme_with("").replacen("release = \"monthly\"", "release = \"half_yearly\"", 1);
    on_both_engines_with(&half, async |office| {
        office.import(&office.neighbours(1)).await;
        office.go_to("2026-06-20");
        let early = office.try_prepare("2026-01..2026-05", fafang::domain::run::RunKind::Regular);
        refused(office.changes_nothing(early).await, "NOT_A_HALF_YEAR");
        assert_eq!(office.pay("2026-01..2026-06", &office.good_bank()).await.run.total, yuan(720));
    })
    .await;
    let once = scheme_with("").replacen("release = \"monthly\"", "release = \"once\"", 1);
    on_both_engines_with(&once, async |office| {
        let people = office.neighbours(2);
        office.import(&people[..1]).await;
        assert_eq!(office.pay("2026-01", &office.good_bank()).await.run.total, yuan(120));
        office.go_to("2026-03-10");
        let again = office.try_prepare("2026-03", fafang::domain::run::RunKind::Regular);
        refused(office.changes_nothing(again).await, "NOTHING_PAYABLE");
        office.import_bytes(&paper::roster(&[people[1].clone().from("2026-02")]), false).await.unwrap();
        assert_eq!(office.pay("2026-03", &office.good_bank()).await.run.total, yuan(120));
        office.doctor().await;
    })
    .await;
}
