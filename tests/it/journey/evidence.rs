//! Frozen payments and the chain of evidence: what is changed behind the program's back is found.

use crate::support::changes::{NewAccount, change_account};
use fafang::domain::run::RunKind;
use fafang::reports::doctor;
use fafang::reports::reconciliation::{Basis, reconcile};
use fafang::storage::engine::Value;
use fafang::values;
use fafang::workflow::decide_run::{approve, cancel, review, submit};
use fafang::workflow::hand_over::{self, Standing};
use fafang::workflow::issue_files::issue_files;

use fafang::domain::money::Money;
use fafang::domain::payment::Payment;

use crate::support::{AGENCY, TestOffice, on_both_engines, paper, person, refused};

/// A line, how it is changed, and how it is put back.
type Tampering = (i64, fn(&mut Payment), fn(&mut Payment));

const TAMPERINGS: [Tampering; 6] = [
    (1, |p| p.amount = Money(99_900), |p| p.amount = Money(12_000)),
    (2, |p| p.account_number.push('0'), |p| p.account_number.truncate(p.account_number.len() - 1)),
    (2, |p| p.account_holder.push('甲'), |p| p.account_holder.truncate(p.account_holder.len() - '甲'.len_utf8())),
    // The month that a payment covers: the bank would not notice.
    (2, |p| p.covers[0].period = "2025-12".parse().unwrap(), |p| p.covers[0].period = "2026-01".parse().unwrap()),
    // Whose month it is.
    (1, |p| p.beneficiary_no += 1, |p| p.beneficiary_no -= 1),
    // How it was worked out.
    (2, |p| p.covers[0].claim = Money(24_000), |p| p.covers[0].claim = Money(12_000)),
];

#[tokio::test]
async fn a_payment_changed_after_submit_stops_every_later_step() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let run = office.prepare("2026-01").await.run;
        submit(&office.as_maker(), &run.code).await.unwrap();
        let (reviewer, approver, finance) = (office.as_reviewer(), office.as_approver(), office.as_finance());
        for step in ["review", "approve", "issue", "return"] {
            for (line_no, change, put_back) in TAMPERINGS {
                assert!(office.alter_payment(line_no, change).await > 0);
                let failure = match step {
                    "review" => refused(office.changes_nothing(review(&reviewer, &run.code)).await, "RUN_TAMPERED"),
                    "approve" => refused(office.changes_nothing(approve(&approver, &run.code)).await, "RUN_TAMPERED"),
                    "issue" => refused(office.changes_nothing(issue_files(&finance, &run.code)).await, "RUN_TAMPERED"),
                    _ => {
                        let file = office.issue(&run).await.files.remove(0).bytes;
                        let answer = paper::bytes(&paper::all_credited(&file));
                        let taken = office.try_take(fafang::formats::bank::neutral::AnswerKind::Return, &answer);
                        refused(office.changes_nothing(taken).await, "RUN_TAMPERED")
                    }
                };
                assert!(failure.message.contains(&run.code), "{}", failure.message);
                let broken = office.broken().await;
                assert!(broken.contains(&"FROZEN"), "{step}: {broken:?}");
                office.alter_payment(line_no, put_back).await;
                office.doctor().await;
            }
            match step {
                "review" => drop(review(&reviewer, &run.code).await.unwrap()),
                "approve" => drop(approve(&approver, &run.code).await.unwrap()),
                "issue" => drop(issue_files(&finance, &run.code).await.unwrap()),
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn payments_changed_between_preparation_and_submission_are_not_submitted() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let run = office.prepare("2026-01").await.run;
        let maker = office.as_maker();
        // Each begins where the one before ends; the last ends where the run does.
        for (line_no, code) in [(1, "INCONSISTENT"), (2, "INCONSISTENT"), (3, "RUN_TAMPERED")] {
            office.alter_payment(line_no, |p| p.amount = Money(12_100)).await;
            refused(office.changes_nothing(submit(&maker, &run.code)).await, code);
            office.alter_payment(line_no, |p| p.amount = Money(12_000)).await;
        }
        submit(&maker, &run.code).await.unwrap();
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_account_changed_before_submit_stops_it_and_after_submit_changes_no_byte() {
    on_both_engines(async |office| {
        let people = office.neighbours(5);
        office.import(&people[..3]).await;
        let first = office.prepare("2026-01").await.run;
        let to = |row: usize| NewAccount { number: &people[row].account, bank: None, holder: None, relation: "" };
        let maker = office.as_maker();
        change_account(&maker, person(&people[0]), to(3), "换卡").await.unwrap();
        let failure = refused(office.changes_nothing(submit(&maker, &first.code)).await, "ROSTER_CHANGED");
        assert!(failure.message.contains(&people[0].name) && failure.hint.contains("run cancel"), "{failure:?}");
        cancel(&maker, &first.code, "账户已变更").await.unwrap();
        let run = office.prepare("2026-01").await.run;
        office.review(&run).await;
        change_account(&maker, person(&people[0]), to(4), "又换卡").await.unwrap();
        approve(&office.as_approver(), &run.code).await.unwrap();
        let file = office.issue(&run).await.files.remove(0).bytes;
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.contains(&people[3].account) && !text.contains(&people[4].account));
        office.take(&paper::bytes(&paper::all_credited(&file))).await;
        let next = office.prepare("2026-02").await.run;
        office.sign(&next).await;
        let file = office.issue(&next).await.files.remove(0).bytes;
        assert!(String::from_utf8_lossy(&file).contains(&people[4].account));
        office.doctor().await;
    })
    .await;
}

/// Problems of the chain after a change that does not last.
async fn after(office: &TestOffice, changes: &[(&'static str, Vec<Value>)]) -> Vec<String> {
    let mut tx = office.home.database.write().await.unwrap();
    for (sql, values) in changes {
        assert!(tx.execute(sql, values.clone()).await.unwrap() > 0, "{sql}");
    }
    let check = doctor::audit_chain(&mut tx, AGENCY).await.unwrap();
    assert_eq!(check.code, "AUDIT_CHAIN");
    check.problems
}

#[tokio::test]
async fn a_changed_a_missing_an_added_and_a_cut_off_event_are_found() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        office.pay("2026-01", &office.good_bank()).await;
        let events = office.events().await;
        let last = events.last().unwrap();
        assert!(after(office, &[]).await.is_empty());
        for column in ["occurred_at", "actor", "action", "subject", "detail", "hash", "previous_hash"] {
            for event_no in [1, 5, last.event_no] {
                let sql = format!("UPDATE audit_event SET {column} = {column} || '1' WHERE agency_code = $1 AND event_no = $2");
                let problems = after(office, &[(Box::leak(sql.into_boxed_str()), values![AGENCY, event_no])]).await;
                assert!(!problems.is_empty(), "{column} of {event_no}");
                assert!(problems.iter().any(|p| p.contains(&format!("第 {event_no} 号"))), "{column}: {problems:?}");
            }
        }
        let backdate = "UPDATE audit_event SET business_date = 20250101 WHERE agency_code = $1 AND event_no = $2";
        assert!(after(office, &[(backdate, values![AGENCY, 7])]).await[0].contains("第 7 号"));
        let delete = "DELETE FROM audit_event WHERE agency_code = $1 AND event_no = $2";
        assert!(after(office, &[(delete, values![AGENCY, 4])]).await[0].contains("第 4 号记录缺失"));
        assert!(after(office, &[(delete, values![AGENCY, 1])]).await[0].contains("第 1 号记录缺失"));
        assert_eq!(after(office, &[(delete, values![AGENCY, last.event_no])]).await, ["末尾的记录被删除或增加"]);
        // Cut off with the number of the head set back, but without knowing the hash before.
        let head = "UPDATE audit_head SET event_no = event_no - 1 WHERE agency_code = $1";
        let cut = [(delete, values![AGENCY, last.event_no]), (head, values![AGENCY])];
        assert!(!after(office, &cut).await.is_empty());
        // Added at the end, with hashes that fit.
        let mut forged = last.clone();
        forged.event_no += 1;
        forged.previous_hash.clone_from(&last.hash);
        forged.hash = forged.computed_hash(AGENCY);
        let insert = "INSERT INTO audit_event (agency_code, event_no, occurred_at, business_date, actor, action, subject, \
                      detail, previous_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let row = values![
            AGENCY,
            forged.event_no,
            &forged.occurred_at,
            forged.business_date,
            &forged.actor,
            &forged.action,
            &forged.subject,
            &forged.detail,
            &forged.previous_hash,
            &forged.hash
        ];
        assert_eq!(after(office, &[(insert, row)]).await, ["末尾的记录被删除或增加"]);
        // Two events that change places.
        let swap = "UPDATE audit_event SET event_no = CASE event_no WHEN -3 THEN 4 ELSE 3 END \
                    WHERE agency_code = $1 AND event_no IN (-3, -4)";
        let away = "UPDATE audit_event SET event_no = -event_no WHERE agency_code = $1 AND event_no IN (3, 4)";
        assert!(!after(office, &[(away, values![AGENCY]), (swap, values![AGENCY])]).await.is_empty());
        // Nothing of it lasted.
        office.doctor().await;
        assert_eq!(office.try_prepare("2026-02", RunKind::Regular).await.unwrap().run.payments, 2);
    })
    .await;
}

#[tokio::test]
async fn a_reconciliation_from_wrong_sums_does_not_foot_and_the_recounted_one_says_why() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        office.send("2026-01").await;
        office.doctor().await;
        // From kept sums that are wrong no month foots; the recounted one does, and says what is wrong.
        let codes = async |basis| -> Vec<String> {
            let found = reconcile(&office.as_finance(), 2026, None, None, basis).await.unwrap();
            assert!(!found.balanced);
            let all = found.findings.into_iter().chain(found.schemes.into_iter().flat_map(|s| s.findings));
            all.filter(|d| !d.explained).map(|d| d.code).collect()
        };
        let sums = "UPDATE month_sum SET amount_fen = amount_fen + 1 WHERE agency_code = $1 AND told = ''";
        assert_eq!(office.by_hand(sums, values![AGENCY]).await, 1);
        assert_eq!(codes(Basis::Kept).await, ["PERIOD_DOES_NOT_FOOT"]);
        assert_eq!(codes(Basis::Recounted).await, ["KEPT"]);
        let put_back = "UPDATE month_sum SET amount_fen = amount_fen - 1 WHERE agency_code = $1 AND told = ''";
        office.by_hand(put_back, values![AGENCY]).await;
        office.doctor().await;
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one list of what can be changed by hand")]
#[tokio::test]
async fn the_doctor_names_what_was_changed() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let issued = office.send("2026-01").await;
        let mut answer = paper::all_credited(&issued.files[0].bytes);
        paper::reject(&mut answer, 0, "3028");
        paper::leave_open(&mut answer, 1);
        office.take(&paper::bytes(&answer)).await;
        office.doctor().await;
        // Without their own constraints these amounts could not be changed one by one.
        for (change, put_back, code) in [
            (
                "UPDATE appropriation SET available_fen = available_fen - 1, paid_fen = paid_fen + 1 WHERE agency_code = $1",
                "UPDATE appropriation SET available_fen = available_fen + 1, paid_fen = paid_fen - 1 WHERE agency_code = $1",
                "POSTINGS",
            ),
            (
                "UPDATE posting SET amount_fen = amount_fen + 1 WHERE agency_code = $1 AND kind = 'pay'",
                "UPDATE posting SET amount_fen = amount_fen - 1 WHERE agency_code = $1 AND kind = 'pay'",
                "POSTINGS",
            ),
            (
                "UPDATE payment_file SET open_rows = open_rows - 1, credited_rows = credited_rows + 1 WHERE agency_code = $1",
                "UPDATE payment_file SET open_rows = open_rows + 1, credited_rows = credited_rows - 1 WHERE agency_code = $1",
                "FILES",
            ),
            (
                "UPDATE payment_outcome SET kind = 'credited' WHERE agency_code = $1 AND kind = 'rejected'",
                "UPDATE payment_outcome SET kind = 'rejected' WHERE agency_code = $1 AND kind = 'credited'",
                "MONEY",
            ),
            (
                "UPDATE payment_page SET content = REPLACE(content, '=12000/12000/', '=13000/12000/') WHERE agency_code = $1",
                "UPDATE payment_page SET content = REPLACE(content, '=13000/12000/', '=12000/12000/') WHERE agency_code = $1",
                "NEVER_TWICE",
            ),
            (
                "UPDATE payment_page SET content = REPLACE(content, '=12000/12000/', '=12000,12000/') WHERE agency_code = $1",
                "UPDATE payment_page SET content = REPLACE(content, '=12000,12000/', '=12000/12000/') WHERE agency_code = $1",
                "FROZEN",
            ),
            (
                "UPDATE payment_page SET first_enrolment_no = 2 WHERE agency_code = $1",
                "UPDATE payment_page SET first_enrolment_no = 1 WHERE agency_code = $1",
                "FROZEN",
            ),
            (
                "UPDATE roll_page SET content = REPLACE(content, '\t202601\t', '\t202613\t') WHERE agency_code = $1",
                "UPDATE roll_page SET content = REPLACE(content, '\t202613\t', '\t202601\t') WHERE agency_code = $1",
                "ROLLS",
            ),
            (
                "UPDATE roll_page SET content = REPLACE(content, '3\t3\t', '3\t2\t') WHERE agency_code = $1",
                "UPDATE roll_page SET content = REPLACE(content, '3\t2\t', '3\t3\t') WHERE agency_code = $1",
                "ROLLS",
            ),
            (
                "UPDATE roll_index SET content = REPLACE(content, '\t3', '\t9') WHERE agency_code = $1",
                "UPDATE roll_index SET content = REPLACE(content, '\t9', '\t3') WHERE agency_code = $1",
                "ROLLS",
            ),
            (
                "INSERT INTO enrolment_now (agency_code, enrolment_no, changed_event_no) VALUES ($1, 4, 1)",
                "DELETE FROM enrolment_now WHERE agency_code = $1 AND enrolment_no = 4",
                "ROLLS",
            ),
            (
                "UPDATE payment_page SET last_enrolment_no = last_enrolment_no + 1 WHERE agency_code = $1",
                "UPDATE payment_page SET last_enrolment_no = last_enrolment_no - 1 WHERE agency_code = $1",
                "FROZEN",
            ),
            (
                "UPDATE payment_page SET last_line_no = last_line_no + 1 WHERE agency_code = $1",
                "UPDATE payment_page SET last_line_no = last_line_no - 1 WHERE agency_code = $1",
                "FROZEN",
            ),
            (
                "UPDATE payment_outcome SET enrolment_no = enrolment_no + 1 WHERE agency_code = $1",
                "UPDATE payment_outcome SET enrolment_no = enrolment_no - 1 WHERE agency_code = $1",
                "STATES",
            ),
            (
                "UPDATE payment_outcome SET covers = REPLACE(covers, '=12000/', '=11000/') WHERE agency_code = $1",
                "UPDATE payment_outcome SET covers = REPLACE(covers, '=11000/', '=12000/') WHERE agency_code = $1",
                "STATES",
            ),
            (
                "UPDATE payment_file SET payments_digest = payments_digest || '0' WHERE agency_code = $1",
                "UPDATE payment_file SET payments_digest = SUBSTR(payments_digest, 1, 64) WHERE agency_code = $1",
                "FILES",
            ),
            (
                "UPDATE month_sum SET file_no = file_no + 1 WHERE agency_code = $1",
                "UPDATE month_sum SET file_no = file_no - 1 WHERE agency_code = $1",
                "KEPT",
            ),
            (
                "UPDATE kept_file SET byte_count = byte_count + 1 WHERE agency_code = $1",
                "UPDATE kept_file SET byte_count = byte_count - 1 WHERE agency_code = $1",
                "KEPT_FILES",
            ),
            (
                "UPDATE month_sum SET amount_fen = amount_fen + 1 WHERE agency_code = $1",
                "UPDATE month_sum SET amount_fen = amount_fen - 1 WHERE agency_code = $1",
                "KEPT",
            ),
            (
                "UPDATE baseline SET last_enrolment_no = last_enrolment_no - 1 WHERE agency_code = $1",
                "UPDATE baseline SET last_enrolment_no = last_enrolment_no + 1 WHERE agency_code = $1",
                "KEPT",
            ),
            (
                "UPDATE baseline SET claims = REPLACE(claims, '[', '[1') WHERE agency_code = $1",
                "UPDATE baseline SET claims = REPLACE(claims, '[1', '[') WHERE agency_code = $1",
                "KEPT",
            ),
            (
                "UPDATE run SET total_fen = total_fen + 1 WHERE agency_code = $1",
                "UPDATE run SET total_fen = total_fen - 1 WHERE agency_code = $1",
                "TOTALS",
            ),
            (
                "UPDATE run SET status = 'settled' WHERE agency_code = $1",
                "UPDATE run SET status = 'issued' WHERE agency_code = $1",
                "STATES",
            ),
            (
                "UPDATE kept_file SET digest = digest, name = name, byte_count = byte_count, content = $2 || content \
                 WHERE agency_code = $1 AND name LIKE '%.csv'",
                "",
                "KEPT_FILES",
            ),
        ] {
            let mut values = values![AGENCY];
            if change.contains("$2") {
                values.push(Value::Bytes(b"!".to_vec()));
            }
            assert!(office.by_hand(change, values).await > 0);
            let broken = office.broken().await;
            assert!(broken.contains(&code), "{change}: {broken:?}");
            if !put_back.is_empty() {
                office.by_hand(put_back, values![AGENCY]).await;
                office.doctor().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn doctor_sees_a_delivery_of_other_bytes_or_of_no_file_or_one_that_is_gone() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let file = office.send("2026-01").await.files.remove(0).file;
        let finance = office.as_finance();
        let known = || async { hand_over::files(&finance).await.unwrap().remove(0) };
        let standing = Standing { place: "农信社", name: &file.name, digest: &file.digest };
        hand_over::sending(&finance, &known().await, standing).await.unwrap();
        hand_over::handed_over(&finance, &known().await, standing).await.unwrap();
        office.doctor().await;
        for (change, back) in [
            ("SET sent_digest = 'x' || sent_digest", "SET sent_digest = SUBSTR(sent_digest, 2)"),
            ("SET sent_name = sent_name || '.age'", "SET sent_name = REPLACE(sent_name, '.age', '')"),
            ("SET place = '工行'", "SET place = '农信社'"),
            ("SET note = 'x'", "SET note = ''"),
            ("SET kind = 'acknowledged'", "SET kind = 'handed_over'"),
            ("SET seq_no = 3", "SET seq_no = 2"),
            ("SET event_no = event_no - 1", "SET event_no = event_no + 1"),
        ] {
            let of = |set: &str| -> &'static str {
                format!("UPDATE delivery {set} WHERE agency_code = $1 AND seq_no > 1").leak()
            };
            assert_eq!(office.by_hand(of(change), values![AGENCY]).await, 1, "{change}");
            assert_eq!(office.broken().await, ["DELIVERIES"], "{change}");
            assert_eq!(office.by_hand(of(back), values![AGENCY]).await, 1, "{back}");
            office.doctor().await;
        }
        // A file that the bank has is there once.
        office
            .by_hand("UPDATE delivery SET kind = 'handed_over' WHERE agency_code = $1 AND seq_no = 1", values![AGENCY])
            .await;
        assert_eq!(office.broken().await, ["DELIVERIES"]);
        let problems = doctor::examine(&finance).await.unwrap().checks;
        let told = problems.into_iter().find(|check| check.code == "DELIVERIES").unwrap().problems.join("\n");
        assert!(told.contains("又送了一次") && told.contains("第 1 次送出记录: 与第"), "{told}");
        office
            .by_hand("UPDATE delivery SET kind = 'sending' WHERE agency_code = $1 AND seq_no = 1", values![AGENCY])
            .await;
        office.doctor().await;
        // The run was never issued.
        let unissued = "UPDATE run SET status = 'approved', issued_by = NULL WHERE agency_code = $1";
        assert_eq!(office.by_hand(unissued, values![AGENCY]).await, 1);
        assert!(office.broken().await.contains(&"DELIVERIES"));
        office
            .by_hand("UPDATE run SET status = 'issued', issued_by = '财务' WHERE agency_code = $1", values![AGENCY])
            .await;
        office.doctor().await;
        office.by_hand("DELETE FROM delivery WHERE agency_code = $1 AND seq_no = 2", values![AGENCY]).await;
        assert_eq!(office.broken().await, ["DELIVERIES"]);
    })
    .await;
}

/// What is done to the payments of a run, and the check that finds it.
type Forgery = (fn(&mut Vec<Payment>), &'static str);

#[tokio::test]
async fn what_no_digest_guards_yet_is_found_line_by_line() {
    const FORGERIES: [Forgery; 8] = [
        // Two lines that change places, and one that is not there.
        (|all| all.swap(0, 1), "FROZEN"),
        (|all| drop(all.pop()), "TOTALS"),
        // A payment that does not lie where the one before ends: its money would come from elsewhere.
        (|all| all[1].offset += Money(1), "TOTALS"),
        // A month that another run has paid.
        (|all| all[0].covers[0].period = "2026-01".parse().unwrap(), "NEVER_TWICE"),
        // Somebody paid twice in one run, and somebody who is on no roll.
        (|all| all[1].enrolment_no = all[0].enrolment_no, "NEVER_TWICE"),
        (|all| all[2].enrolment_no = 99, "NEVER_TWICE"),
        // More than is owed, and more than it covers.
        (
            |all| {
                all[0].amount = Money(13_000);
                all[0].covers[0].amount = Money(13_000);
            },
            "NEVER_TWICE",
        ),
        (|all| all[0].amount = Money(13_000), "NEVER_TWICE"),
    ];
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        office.pay("2026-01", &office.good_bank()).await;
        let run = office.prepare("2026-02").await.run;
        office.doctor().await;
        let payments = office.payments(&run).await;
        for (forge, code) in FORGERIES {
            let mut forged = payments.clone();
            forge(&mut forged);
            store(office, run.no, &forged).await;
            let broken = office.broken().await;
            assert!(broken.contains(&code), "{code}: {broken:?}");
            store(office, run.no, &payments).await;
            office.doctor().await;
        }
    })
    .await;
}

/// Puts payments into the only page of a run, with the bounds that they have.
async fn store(office: &TestOffice, run_no: i64, payments: &[Payment]) {
    let mut content = String::new();
    for payment in payments {
        payment.frozen_form(&mut content);
    }
    let enrolments = || payments.iter().map(|p| p.enrolment_no);
    let bounds = (enrolments().min().unwrap(), enrolments().max().unwrap());
    let last = payments.iter().map(|p| p.line_no).max().unwrap();
    let sql = "UPDATE payment_page SET content = $3, first_enrolment_no = $4, last_enrolment_no = $5, last_line_no = $6 \
               WHERE agency_code = $1 AND run_no = $2";
    assert_eq!(office.by_hand(sql, values![AGENCY, run_no, content, bounds.0, bounds.1, last]).await, 1);
}
