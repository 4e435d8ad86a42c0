//! What the bank says: rejections, open rows, late returns, and files that are not believed.

use crate::support::changes::{NewAccount, change_account};
use fafang::domain::bank::ReasonClass;
use fafang::domain::hold::HoldReason;
use fafang::domain::money::Money;
use fafang::domain::run::RunKind;
use fafang::formats::bank::neutral::{Answer, AnswerKind, AnswerStatus, read_payment_file};
use fafang::training::simulated_bank::Forced;
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::explain_finding::explain_finding;

use crate::support::{Row, TestOffice, on_both_engines, paper, person, refused, yuan};

/// January of some people, issued: the bytes of its only file.
async fn january(office: &TestOffice, people: &[Row]) -> Vec<u8> {
    office.import(people).await;
    let mut issued = office.send("2026-01").await;
    assert_eq!(issued.files.len(), 1);
    issued.files.remove(0).bytes
}

const FIRST_RETURN: &str =
    "appropriation ~1, bank_return +1, kept_file +1, month_sum ~1, month_sum +1, payment_file ~1, ";

#[tokio::test]
async fn a_name_mismatch_is_held_until_cleared_and_then_paid_with_the_next_run() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        let file = january(office, &people).await;
        let mut answer = paper::all_credited(&file);
        paper::reject(&mut answer, 1, "3031");
        let expected = "appropriation ~1, bank_return +1, hold +1, kept_file +1, month_sum ~1, month_sum +1, payment_file ~1, payment_outcome +1, \
                        posting +2, run ~1";
        let bytes = paper::bytes(&answer);
        let taken = office.changes(expected, office.take(&bytes)).await;
        assert_eq!((taken.credited.rows, taken.rejected.rows, taken.holds, taken.settled), (2, 1, 1, true));
        assert!(taken.findings.is_empty());
        assert_eq!(office.money().await, (yuan(289_000 - 240), Money::ZERO, yuan(240)));
        let postings = office.postings().await;
        assert_eq!((postings["release"], postings["pay"]), ((12_000, 1), (24_000, 1)));
        let holds = office.holds().await;
        assert_eq!((holds.len(), holds[0].reason), (1, HoldReason::Bank(ReasonClass::NameMismatch)));
        assert!(holds[0].note.contains("3031"), "{}", holds[0].note);

        let february = office.prepare("2026-02").await;
        assert_eq!((february.run.payments, february.held.len()), (2, 1));
        assert_eq!((&*february.held[0].name, february.held[0].what.1), (&*people[1].name, yuan(240)));
        let more = office.try_prepare("2026-01", RunKind::Supplementary);
        let failure = refused(office.changes_nothing(more).await, "NOTHING_PAYABLE");
        assert!(failure.hint.contains("1 人"), "{}", failure.hint);

        let maker = office.as_maker();
        refused(office.changes_nothing(clear_hold(&maker, holds[0].no, " ")).await, "NO_RESOLUTION");
        office.changes("hold ~1", clear_hold(&maker, holds[0].no, "户名已更正")).await.unwrap();
        refused(office.changes_nothing(clear_hold(&maker, holds[0].no, "再次")).await, "HOLD_NOT_OPEN");
        let more = office.prepare_more("2026-02").await;
        assert_eq!((more.run.payments, more.run.total, more.back_pay), (1, yuan(240), (1, yuan(120))));
        assert_eq!(more.run.code, "pochan1995-2026-02-r2");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_closed_account_is_changed_which_clears_the_hold_and_pays_the_new_account() {
    on_both_engines(async |office| {
        let people = office.neighbours(4);
        let file = january(office, &people[..3]).await;
        let bank = office.good_bank().with_answer(&people[0].account, Forced::Reject("3018".into()));
        let taken = office.take(&bank.answer(&file).unwrap()).await;
        assert_eq!((taken.rejected.rows, taken.holds), (1, 1));
        assert_eq!(office.holds().await[0].reason, HoldReason::Bank(ReasonClass::AccountClosed));
        let maker = office.as_maker();
        let new = NewAccount { number: &people[3].account, bank: None, holder: None, relation: "" };
        let same = NewAccount { number: &people[0].account, ..new };
        refused(office.changes_nothing(change_account(&maker, person(&people[0]), same, "新卡")).await, "SAME_ACCOUNT");
        let taken_by_other = NewAccount { number: &people[1].account, ..new };
        let refusal = change_account(&maker, person(&people[0]), taken_by_other, "新卡");
        refused(office.changes_nothing(refusal).await, "ACCOUNT_IN_USE");
        let change = change_account(&maker, person(&people[0]), new, "新卡");
        let changed = office.changes("enrolment_event +1, enrolment_now +1, hold ~1", change).await.unwrap();
        assert_eq!(changed.cleared_holds.len(), 1);
        assert!(office.holds().await.is_empty());
        let more = office.prepare_more("2026-01").await.run;
        office.sign(&more).await;
        let issued = office.issue(&more).await;
        let (_, rows) = read_payment_file(&issued.files[0].bytes).unwrap();
        assert_eq!((rows.len(), &rows[0].account, rows[0].amount), (1, &people[3].account, yuan(120)));
        office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!(office.money().await, (yuan(289_000 - 360), Money::ZERO, yuan(360)));
        assert_eq!(
            office.runs().await,
            [("pochan1995-2026-01-r1".into(), "settled"), ("pochan1995-2026-01-r2".into(), "settled")]
        );
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_technical_reason_holds_nobody_and_the_next_run_pays() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        let file = january(office, &people).await;
        let mut answer = paper::all_credited(&file);
        paper::reject(&mut answer, 0, "3028");
        let taken = office.take(&paper::bytes(&answer)).await;
        assert_eq!((taken.rejected.rows, taken.holds, taken.findings.len()), (1, 0, 0));
        assert!(office.holds().await.is_empty());
        let february = office.prepare("2026-02").await;
        assert_eq!((february.run.payments, february.run.total, february.held.len()), (2, yuan(360), 0));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_still_open_is_never_payable_until_the_bank_has_said() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        let file = january(office, &people).await;
        let bank = office.good_bank().with_answer(&people[0].account, Forced::Open);
        let first = bank.answer(&file).unwrap();
        let expected = format!("{FIRST_RETURN}payment_outcome +1, posting +1");
        let taken = office.changes(&expected, office.take(&first)).await;
        assert_eq!((taken.credited.rows, taken.open.rows, taken.open.amount), (2, 1, yuan(120)));
        assert!(!taken.settled && taken.holds == 0);
        assert_eq!(office.money().await, (yuan(289_000 - 360), yuan(120), yuan(240)));
        office.doctor().await;
        let more = office.try_prepare("2026-01", RunKind::Supplementary);
        refused(office.changes_nothing(more).await, "NOTHING_PAYABLE");
        office.go_to("2026-02-15");
        assert_eq!(office.prepare("2026-02").await.run.total, yuan(360), "January is covered by what is open");

        let again = office.changes_nothing(office.take(&first)).await;
        let already = again.already.unwrap();
        assert!(already.contains("财务") && already.contains("2026-01-15"), "{already}");
        assert_eq!((again.credited.rows, again.open.rows), (0, 1));

        let second = bank.answer_open(&file, &first).unwrap().unwrap();
        let expected = format!("{FIRST_RETURN}payment_outcome +1, posting +1, run ~1");
        let taken = office.changes(&expected, office.take(&second)).await;
        assert_eq!((taken.credited.rows, taken.open.rows, taken.settled), (1, 0, true));
        assert!(taken.findings.is_empty(), "{:?}", taken.findings);
        assert_eq!(office.money().await, (yuan(289_000 - 360), Money::ZERO, yuan(360)));
        assert!(office.changes_nothing(office.take(&first)).await.already.is_some());
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn an_open_row_that_is_rejected_in_the_end_is_owed_again() {
    on_both_engines(async |office| {
        let people = office.neighbours(2);
        let file = january(office, &people).await;
        let mut first = paper::all_credited(&file);
        paper::leave_open(&mut first, 1);
        office.take(&paper::bytes(&first)).await;
        let mut second = paper::all_credited(&file);
        second.rows.remove(0);
        paper::reject(&mut second, 0, "3028");
        let taken = office.take(&paper::bytes(&second)).await;
        assert_eq!((taken.rejected.rows, taken.settled), (1, true));
        // The bank changes its mind a third time: nothing moves.
        let mut third = paper::all_credited(&file);
        third.rows.remove(0);
        let expected = "bank_return +1, finding +1, kept_file +1";
        let bytes = paper::bytes(&third);
        let taken = office.changes(expected, office.take(&bytes)).await;
        assert_eq!((taken.credited.rows, taken.findings[0].code), (0, "RETURN_CONTRADICTS"));
        assert_eq!(office.prepare_more("2026-01").await.run.total, yuan(120));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_late_return_after_the_year_end_is_repaid_from_last_years_appropriation() {
    on_both_engines(async |office| {
        let people: Vec<Row> = office.neighbours(3).into_iter().map(|row| row.from("2026-12")).collect();
        office.import(&people).await;
        office.go_to("2026-12-15");
        let december = office.pay("2026-12", &office.good_bank()).await;
        assert_eq!(office.money().await.2, yuan(360));
        office.go_to("2027-02-10");
        let mut late = paper::all_returned(&december.files[0].bytes);
        late.rows.retain(|row| row.account == people[1].account);
        let bytes = paper::bytes(&late);
        let expected =
            "appropriation ~1, bank_return +1, hold +1, kept_file +1, month_sum ~1, month_sum +1, payment_file ~1, payment_outcome +1, posting +1";
        let taken = office.changes(expected, office.take_late(&bytes)).await;
        assert_eq!((taken.returned.rows, taken.returned.amount, taken.holds), (1, yuan(120), 1));
        assert_eq!(office.postings().await["give_back"], (12_000, 1));
        assert_eq!(office.money().await, (yuan(289_000 - 240), Money::ZERO, yuan(240)));
        assert!(office.changes_nothing(office.take_late(&bytes)).await.already.is_some());
        office.doctor().await;
        // The same row once more, in other bytes: it is not credited any more.
        late.rows[0].reason_text = "再次退回".into();
        let bytes = paper::bytes(&late);
        let taken = office.changes("bank_return +1, finding +1, kept_file +1", office.take_late(&bytes)).await;
        assert_eq!((taken.returned.rows, taken.findings[0].code), (0, "LATE_RETURN_NOT_CREDITED"));

        clear_hold(&office.as_maker(), office.holds().await[0].no, "已到银行处理").await.unwrap();
        let more = office.prepare_more("2026-12").await.run;
        assert_eq!((more.payments, more.total), (1, yuan(120)));
        let decided = office.sign(&more).await;
        assert_eq!(decided.drawn, [("巴财社〔2025〕98号".to_string(), yuan(120))]);
        let issued = office.issue(&more).await;
        assert_eq!(issued.files[0].file.pay_date, 20_270_210);
        office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!(office.appropriations().await[0].year, 2026);
        assert_eq!(office.money().await, (yuan(289_000 - 360), Money::ZERO, yuan(360)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn trap_11_a_return_that_does_not_fit_as_a_whole_changes_nothing() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        let file = january(office, &people).await;
        let second = office.send("2026-02").await.files.remove(0).bytes;
        let good = paper::all_credited(&file);
        let good_bytes = paper::bytes(&good);
        let other_head = |change: &dyn Fn(&mut Answer)| {
            let mut answer = good.clone();
            change(&mut answer);
            paper::bytes(&answer)
        };
        let february = paper::all_credited(&second).header;
        let half = good_bytes.len() / 2;
        let mut ragged = good_bytes.clone();
        ragged.truncate(half);
        let lines: Vec<&[u8]> = good_bytes.split_inclusive(|b| *b == b'\n').collect();
        let without_trailer = lines[..lines.len() - 1].concat();
        let without_a_row = [&lines[..1], &lines[2..]].concat().concat();
        for (what, code, bytes) in [
            ("another agency", "RETURN_HEADER_DIFFERS", other_head(&|a| a.header.agency_code = "652801".into())),
            ("another agency's file", "RETURN_FILE_UNKNOWN", paper::edited(&good_bytes, "652827", "652801")),
            (
                "unknown file",
                "RETURN_FILE_UNKNOWN",
                other_head(&|a| a.header.file_ref = "652827-202601-9-RCC-1".into()),
            ),
            ("another total", "RETURN_HEADER_DIFFERS", other_head(&|a| a.header.total = yuan(361))),
            ("another count", "RETURN_HEADER_DIFFERS", other_head(&|a| a.header.rows = 4)),
            ("another part", "RETURN_HEADER_DIFFERS", other_head(&|a| (a.header.part, a.header.parts) = (1, 2))),
            ("another scheme", "RETURN_HEADER_DIFFERS", other_head(&|a| a.header.scheme_code = "gaoling".into())),
            (
                "the other run's header",
                "RETURN_HEADER_DIFFERS",
                other_head(&|a| {
                    let file_ref = a.header.file_ref.clone();
                    a.header = february.clone();
                    a.header.file_ref = file_ref;
                }),
            ),
            ("one amount altered", "RETURN_HEADER_DIFFERS", other_head(&|a| a.rows[0].amount = Ok(yuan(1_200)))),
            ("one amount, trailer not", "BANK_FILE_TOTALS", paper::edited(&good_bytes, "|120.00|S||", "|121.00|S||")),
            ("the payment file itself", "BANK_FILE_WRONG_KIND", file.clone()),
            ("cut in the middle", "", ragged),
            ("without its end", "BANK_FILE_TRUNCATED", without_trailer),
            ("without one row", "BANK_FILE_TOTALS", without_a_row),
            ("twice in one file", "BANK_FILE_AFTER_TRAILER", [&good_bytes[..], &good_bytes[..]].concat()),
            ("a late return", "OTHER_ANSWER_KIND", paper::bytes(&paper::all_returned(&file))),
            ("nothing", "BANK_FILE_EMPTY", vec![]),
            ("NUL bytes", "BANK_FILE_NUL", vec![0; 64]),
            ("one long line", "BANK_FILE_LINE_TOO_LONG", vec![b'R'; 10 << 20]),
        ] {
            let taken = office.changes_nothing(office.try_take(AnswerKind::Return, &bytes)).await;
            let failure = taken.expect_err(what);
            assert!(code.is_empty() || failure.code == code, "{what}: {failure:?}");
            assert!(failure.message.starts_with("回盘.txt"), "{what}: {}", failure.message);
        }
        let late = office.try_take(AnswerKind::LateReturn, &good_bytes);
        refused(office.changes_nothing(late).await, "OTHER_ANSWER_KIND");
        // January's rows under February's head: no row is February's, so nothing is success or failure.
        let mixed = Answer { header: february.clone(), ..good.clone() };
        let taken = office.take(&paper::bytes(&mixed)).await;
        assert_eq!((taken.credited.rows, taken.rejected.rows, taken.open.rows), (0, 0, 3));
        assert_eq!(taken.findings.iter().filter(|f| f.code == "RETURN_ROW_UNKNOWN").count(), 3);
        assert_eq!(office.money().await.2, Money::ZERO);
        assert!(office.take(&good_bytes).await.settled);
        office.doctor().await;
    })
    .await;
}

/// What one spoilt return does: codes of the findings, credited, rejected and open rows, holds.
type Expected<'a> = (&'a [&'a str], i64, i64, i64, usize);

/// What was done to a good return.
type Spoilt<'a> = (&'a str, &'a dyn Fn(&mut Answer), Expected<'a>);

#[tokio::test]
async fn a_row_that_does_not_fit_becomes_a_finding_and_stays_open() {
    on_both_engines(async |office| {
        // The last of four has a separator in the name.
        let (with, without): (Vec<Row>, Vec<Row>) =
            office.neighbours(40).into_iter().partition(|row| row.name.contains('·'));
        let people = [&without[..3], &with[..1]].concat();
        office.import(&people).await;
        let spoilt: [Spoilt<'_>; 12] = [
            (
                "one amount altered, partial so that the totals fit",
                &|a| {
                    a.rows.truncate(1);
                    a.rows[0].amount = Ok(yuan(119));
                },
                (
                    &["RETURN_AMOUNT_DIFFERS", "RETURN_ROW_MISSING", "RETURN_ROW_MISSING", "RETURN_ROW_MISSING"],
                    0,
                    0,
                    4,
                    0,
                ),
            ),
            (
                "two amounts altered so that the sum is the same",
                &|a| {
                    a.rows[0].amount = Ok(yuan(119));
                    a.rows[1].amount = Ok(yuan(121));
                },
                (&["RETURN_AMOUNT_DIFFERS", "RETURN_AMOUNT_DIFFERS"], 2, 0, 2, 0),
            ),
            (
                "unknown reference",
                &|a| a.rows[0].payment_ref = "652827-202601-99-1".into(),
                (&["RETURN_ROW_UNKNOWN", "RETURN_ROW_MISSING"], 3, 0, 1, 0),
            ),
            ("the same row twice", &|a| a.rows.push(a.rows[0].clone()), (&["RETURN_ROW_DUPLICATE"], 4, 0, 0, 0)),
            (
                "two rows that contradict",
                &|a| {
                    a.rows.push(a.rows[0].clone());
                    paper::reject(a, 4, "3018");
                },
                (&["RETURN_ROWS_CONTRADICT"], 3, 0, 1, 0),
            ),
            ("a missing row", &|a| drop(a.rows.remove(2)), (&["RETURN_ROW_MISSING"], 3, 0, 1, 0)),
            (
                "未成功 is neither",
                &|a| a.rows[1].status = AnswerStatus::Unknown("未成功".into()),
                (&["RETURN_STATUS_UNKNOWN"], 3, 0, 1, 0),
            ),
            ("an unknown reason code", &|a| paper::reject(a, 0, "7777"), (&["RETURN_REASON_UNKNOWN"], 3, 1, 0, 1)),
            (
                "another account",
                &|a| a.rows[2].account = a.rows[3].account.clone(),
                (&["RETURN_ACCOUNT_DIFFERS"], 3, 0, 1, 0),
            ),
            ("another name", &|a| a.rows[2].holder = "张三".into(), (&["RETURN_NAME_DIFFERS"], 3, 0, 1, 0)),
            ("another line", &|a| a.rows[2].line_no = "9".into(), (&["RETURN_LINE_DIFFERS"], 3, 0, 1, 0)),
            (
                "only another separator",
                &|a| {
                    assert!(a.rows[3].holder.contains('·'));
                    a.rows[3].holder = a.rows[3].holder.replace('·', "・");
                },
                (&[], 4, 0, 0, 0),
            ),
        ];
        let mut findings = 0;
        for (month, (what, spoil, (codes, credited, rejected, open, holds))) in (1..).zip(spoilt) {
            office.go_to(&format!("2026-{month:02}-15"));
            let file = office.send(&format!("2026-{month:02}")).await.files.remove(0).bytes;
            let mut answer = paper::all_credited(&file);
            spoil(&mut answer);
            let taken = office.take(&paper::bytes(&answer)).await;
            assert_eq!(taken.findings.iter().map(|f| f.code).collect::<Vec<_>>(), codes, "{what}");
            assert_eq!(
                (taken.credited.rows, taken.rejected.rows, taken.open.rows, taken.holds),
                (credited, rejected, open, holds),
                "{what}"
            );
            assert_eq!(taken.settled, open == 0, "{what}");
            findings += codes.len();
            assert_eq!(office.findings().await.len(), findings, "{what}");
            office.doctor().await;
            // The bank sets it right.
            if open > 0 {
                let taken = office.take(&paper::bytes(&paper::all_credited(&file))).await;
                assert_eq!((taken.credited.rows, taken.settled, taken.findings.len()), (open, true, 0), "{what}");
            }
            for hold in office.holds().await {
                clear_hold(&office.as_maker(), hold.no, "已查明").await.unwrap();
            }
        }
        assert_eq!(office.money().await, (yuan(289_000 - 4 * 120 * 12), Money::ZERO, yuan(4 * 120 * 12)));
        let first = office.findings().await[0].finding_no;
        let finance = office.as_finance();
        refused(office.changes_nothing(explain_finding(&finance, first, "")).await, "NO_EXPLANATION");
        office.changes("finding ~1", explain_finding(&finance, first, "银行已更正")).await.unwrap();
        refused(office.changes_nothing(explain_finding(&finance, first, "再次")).await, "FINDING_NOT_OPEN");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn trap_9_the_answers_of_two_runs_are_one_step_and_one_that_comes_twice_counts_once() {
    on_both_engines(async |office| {
        let people = office.neighbours(3);
        let january = january(office, &people).await;
        office.go_to("2026-02-15");
        let february = office.send("2026-02").await.files.remove(0).bytes;
        let whole = paper::bytes(&paper::all_credited(&january));
        let mut open = paper::all_credited(&february);
        paper::leave_open(&mut open, 1);
        let mut second = paper::all_credited(&february);
        second.rows = vec![second.rows.remove(1)];
        paper::reject(&mut second, 0, "3031");
        let (open, second) = (paper::bytes(&open), paper::bytes(&second));
        // The second answer of February's file builds upon the first, in the same step.
        let files: [(&str, &[u8]); 4] =
            [("甲.txt", &whole), ("乙.txt", &open), ("甲又.txt", &whole), ("丙.txt", &second)];
        let expected = "appropriation ~1, bank_return +3, hold +1, kept_file +3, month_sum ~1, month_sum +2, payment_file ~2, payment_outcome +2, \
                        posting +3, run ~2";
        let taken = office.changes(expected, office.try_take_all(AnswerKind::Return, &files)).await.unwrap();
        let rows = |t: &fafang::workflow::take_return::Taken| {
            (t.credited.rows, t.rejected.rows, t.open.rows, t.settled, t.already.is_some())
        };
        assert_eq!(
            taken.iter().map(rows).collect::<Vec<_>>(),
            [(3, 0, 0, true, false), (2, 0, 1, false, false), (0, 0, 0, true, true), (0, 1, 0, true, false)]
        );
        assert_eq!((&*taken[0].run_code, &*taken[1].run_code), ("pochan1995-2026-01-r1", "pochan1995-2026-02-r1"));
        assert_eq!(office.money().await, (yuan(289_000 - 600), Money::ZERO, yuan(600)));
        let again = office.changes_nothing(office.try_take_all(AnswerKind::Return, &files)).await.unwrap();
        assert!(again.iter().all(|t| t.already.is_some()));

        let late: Vec<Vec<u8>> = [&january, &february]
            .map(|file| {
                let mut late = paper::all_returned(file);
                late.rows.truncate(1);
                paper::bytes(&late)
            })
            .into();
        let files: [(&str, &[u8]); 2] = [("丁.txt", &late[0]), ("戊.txt", &late[1])];
        let taken = office.try_take_all(AnswerKind::LateReturn, &files).await.unwrap();
        assert_eq!(taken.iter().map(|t| t.returned.rows).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(office.postings().await["give_back"], (24_000, 2));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn of_several_answers_all_are_taken_or_none_and_every_refused_one_is_named() {
    on_both_engines(async |office| {
        let file = january(office, &office.neighbours(3)).await;
        let answer = paper::all_credited(&file);
        let good = paper::bytes(&answer);
        let unknown = paper::edited(&good, "652827-202601-1-RCC-1", "652827-202601-9-RCC-1");
        let late = paper::bytes(&paper::all_returned(&file));
        let files: [(&str, &[u8]); 4] = [("好.txt", &good), ("别处.txt", &unknown), ("空.txt", b""), ("退.txt", &late)];
        let refused_all = office.changes_nothing(office.try_take_all(AnswerKind::Return, &files)).await;
        let failure = refused_all.unwrap_err();
        assert_eq!((failure.kind, failure.code), (fafang::failure::Kind::Input, "RETURNS_REFUSED"));
        let lines: Vec<&str> = failure.message.lines().collect();
        assert!(lines[0].starts_with("3 个文件"), "{failure:?}");
        for (name, code) in
            [("别处.txt", "[RETURN_FILE_UNKNOWN]"), ("空.txt", "[BANK_FILE_EMPTY]"), ("退.txt", "[OTHER_ANSWER_KIND]")]
        {
            let told = failure.message.split(name).nth(1).unwrap_or_default();
            assert!(told.contains(code), "{name}: {}", failure.message);
        }
        assert!(
            failure.hint.contains("其他文件也没有读入") && failure.hint.contains("late-return"),
            "{}",
            failure.hint
        );
        // What the first file would have settled is taken as ever.
        let one_bad = office.try_take_all(AnswerKind::Return, &files[..2]);
        refused(office.changes_nothing(one_bad).await, "RETURN_FILE_UNKNOWN");
        assert!(office.try_take_all(AnswerKind::Return, &files[..1]).await.unwrap()[0].settled);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn payments_changed_behind_our_back_are_not_answered() {
    on_both_engines(async |office| {
        let file = january(office, &office.neighbours(3)).await;
        let bytes = paper::bytes(&paper::all_credited(&file));
        let name = paper::all_credited(&file).rows[1].holder.clone();
        let meddle = "UPDATE payment_page SET content = REPLACE(content, $1, '张三')";
        office.by_hand(meddle, fafang::values![name]).await;
        let failure = office.try_take(AnswerKind::Return, &bytes).await.unwrap_err();
        assert_eq!(failure.code, "RUN_TAMPERED");
        assert_eq!(office.money().await.2, Money::ZERO);
    })
    .await;
}

#[tokio::test]
async fn two_desks_taking_in_the_same_return_pay_once() {
    on_both_engines(async |office| {
        let file = january(office, &office.neighbours(3)).await;
        let bytes = paper::bytes(&paper::all_credited(&file));
        let (one, two) = (office.another_desk("财务").await, office.another_desk("财务").await);
        let take = |desk| fafang::workflow::take_return::take_return(desk, AnswerKind::Return, "回盘.txt", &bytes);
        let (first, second) = tokio::join!(take(&one), take(&two));
        let already = [first.unwrap(), second.unwrap()].map(|taken| taken.already.is_some());
        assert!(already == [true, false] || already == [false, true], "{already:?}");
        assert_eq!(office.postings().await["pay"], (36_000, 1));
        for desk in [one, two] {
            desk.database.close().await;
        }
        office.doctor().await;
    })
    .await;
}
