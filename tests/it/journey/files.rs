//! Payment files: the same bytes whenever they are asked for, every character as it is, or nothing.

use fafang::domain::enrolment::StopReason;
use fafang::domain::run::Run;
use fafang::failure::Failure;
use fafang::formats::bank::neutral::{AnswerKind, read_payment_file};
use fafang::storage::kept_file::digest_of;
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::issue_files::{Issued, issue_files, issue_files_to};

use crate::support::changes::stop;
use crate::support::{TestOffice, day, on_both_engines, paper, person, refused, yuan};

#[tokio::test]
async fn files_issued_again_are_the_same_bytes() {
    on_both_engines(async |office| {
        office.import(&office.people(20)).await;
        let first = office.send("2026-01").await;
        assert!(first.files.len() > 1, "one file for each bank");
        let rows: usize = first.files.iter().map(|f| read_payment_file(&f.bytes).unwrap().1.len()).sum();
        assert_eq!(rows, 20);
        for file in &first.files {
            assert_eq!(file.file.digest, digest_of(&file.bytes));
            assert_eq!(file.file.name, format!("652827-202601-1-{}-1of1.txt", file.file.bank_code));
        }
        let again = office.changes("", office.issue(&first.run)).await;
        assert!(again.again && again.withheld.is_empty());
        office.answer(&first.files, &office.good_bank()).await;
        office.go_to("2026-06-01");
        let much_later = office.issue(&first.run).await;
        for files in [&again.files, &much_later.files] {
            let bytes = |files: &[fafang::workflow::issue_files::IssuedFile]| -> Vec<(String, Vec<u8>)> {
                files.iter().map(|f| (f.file.digest.clone(), f.bytes.clone())).collect()
            };
            assert_eq!(bytes(files), bytes(&first.files));
        }
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn more_rows_than_a_file_may_hold_become_several_files() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(5)).await;
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        let mut finance = office.as_finance();
        finance.banks.layouts[0].row_limit = 2;
        let issued = issue_files(&finance, &run.code).await.unwrap();
        let parts: Vec<_> = issued.files.iter().map(|f| (f.file.part, f.file.parts, f.file.row_count)).collect();
        assert_eq!(parts, [(1, 3, 2), (2, 3, 2), (3, 3, 1)]);
        office.doctor().await;
        // The answer to one part is no answer to another.
        let mut wrong = paper::all_credited(&issued.files[0].bytes);
        wrong.header.file_ref.clone_from(&issued.files[1].file.file_ref);
        let bytes = paper::bytes(&wrong);
        let taken = office.try_take(AnswerKind::Return, &bytes);
        refused(office.changes_nothing(taken).await, "RETURN_HEADER_DIFFERS");
        let taken = office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!(taken.iter().map(|t| t.settled).collect::<Vec<_>>(), [false, false, true]);
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn rare_characters_go_out_and_come_back_whole() {
    on_both_engines(async |office| {
        let mut people = office.neighbours(4);
        // The second byte of 東 is that of the separator; 𬭎 and 䶮 have four bytes.
        for (row, name) in people.iter_mut().zip(["王東", "李𬭎", "张䶮", "阿依古丽·買買提"]) {
            row.name = name.into();
        }
        office.import(&people).await;
        let issued = office.send("2026-01").await;
        let (_, rows) = read_payment_file(&issued.files[0].bytes).unwrap();
        let names: Vec<&str> = rows.iter().map(|r| r.holder.as_str()).collect();
        assert_eq!(names, ["王東", "李𬭎", "张䶮", "阿依古丽·買買提"]);
        assert!(issued.files[0].bytes.windows(2).any(|pair| pair == [0x96, b'|']), "東 has the byte of the separator");
        let taken = office.answer(&issued.files, &office.good_bank()).await;
        assert_eq!((taken[0].credited.rows, taken[0].findings.len(), taken[0].settled), (4, 0, true));
        assert_eq!(office.money().await.2, yuan(480));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_name_longer_than_the_banks_field_stops_the_file_and_the_run_stays_approved() {
    on_both_engines(async |office| {
        let mut people = office.neighbours(3);
        // 31 characters, 62 bytes; the field has 60.
        people[1].name = "阿卜杜克热木·".repeat(4) + "买买提";
        assert_eq!(people[1].name.chars().count(), 31);
        office.import(&people).await;
        let run = office.prepare("2026-01").await.run;
        office.sign(&run).await;
        let finance = office.as_finance();
        let failure = refused(office.changes_nothing(issue_files(&finance, &run.code)).await, "CANNOT_WRITE");
        assert!(failure.message.contains("第 2 行 户名") && failure.message.contains("60 字节"), "{}", failure.message);
        assert!(!failure.message.contains(&people[1].name), "masked: {}", failure.message);
        assert_eq!(office.run(&run.code).await.state.code(), "approved");
        assert!(office.files_of(&run).await.is_empty());
        office.doctor().await;
    })
    .await;
}

/// Files of a run that never left the office, written anew for another day.
async fn redate(office: &TestOffice, run: &Run, on: &str) -> Result<Issued, Failure> {
    let asked = (Some(day(on)), "原文件没有送出");
    issue_files_to(&office.as_finance(), &run.code, asked, |_, bytes| Ok(bytes.to_vec())).await
}

#[tokio::test]
async fn who_is_held_after_the_issue_does_not_leave_with_a_file_of_another_day() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(4)).await;
        let january = office.pay("2026-01", &office.good_bank()).await;
        office.go_to("2026-02-13");
        let february = office.send("2026-02").await;
        let before = february.files[0].bytes.clone();
        assert_eq!((february.files[0].file.row_count, office.money().await.1), (4, yuan(480)));
        // The file lies in the office over the weekend. Money of January comes back: the first is on hold; the second dies.
        let mut late = paper::all_returned(&january.files[0].bytes);
        late.rows.truncate(1);
        office.take_late(&paper::bytes(&late)).await;
        let people = office.neighbours(4);
        stop(&office.as_maker(), person(&people[1]), StopReason::Death, day("2026-01-20"), "死亡证明").await.unwrap();
        office.go_to("2026-02-16");
        let anew = redate(office, &february.run, "2026-02-16").await.unwrap();
        let reasons: Vec<(i64, &str)> = anew.withheld.iter().map(|w| (w.line_no, w.reason.as_str())).collect();
        assert_eq!((reasons.len(), reasons[0].0, reasons[1].0), (2, 1, 2), "{reasons:?}");
        assert!(reasons[0].1.contains("退票") && reasons[1].1.contains("2026-02"), "{reasons:?}");
        let (head, rows) = read_payment_file(&anew.files[0].bytes).unwrap();
        assert_eq!((rows.len(), head.total, head.pay_date.to_string()), (2, yuan(240), "2026-02-16".into()));
        assert_eq!((anew.redated, anew.files[0].file.row_count, anew.files[0].file.total_fen), (1, 2, 24_000));
        assert_eq!(office.money().await.1, yuan(240), "what does not leave is free again");
        office.doctor().await;
        // The bytes that were made first stay kept; an answer to them is none to these.
        let old = office.try_take(AnswerKind::Return, &paper::bytes(&paper::all_credited(&before))).await;
        refused(old, "RETURN_HEADER_DIFFERS");
        // Again the same day nothing changes, and another day once more.
        let same = redate(office, &february.run, "2026-02-16").await.unwrap();
        assert_eq!((same.redated, same.withheld.len(), &same.files[0].bytes), (0, 0, &anew.files[0].bytes));
        office.go_to("2026-02-17");
        let third = redate(office, &february.run, "2026-02-17").await.unwrap();
        assert_eq!((third.redated, third.withheld.len(), third.files[0].file.row_count), (1, 0, 2));
        office.doctor().await;
        office.answer(&third.files, &office.good_bank()).await;
        assert!(office.run(&february.run.code).await.state.is_settled());
        office.doctor().await;
        // Who was on hold is paid both months once that is cleared; the dead are not.
        clear_hold(&office.as_maker(), office.holds().await[0].no, "本人已到银行激活").await.unwrap();
        let more = office.prepare_more("2026-02").await.run;
        assert_eq!((more.payments, more.total), (1, yuan(240)));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn a_file_of_which_nobody_may_be_paid_gets_no_other_day() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(2)).await;
        let january = office.pay("2026-01", &office.good_bank()).await;
        office.go_to("2026-02-13");
        let february = office.send("2026-02").await;
        office.take_late(&paper::bytes(&paper::all_returned(&january.files[0].bytes))).await;
        office.go_to("2026-02-16");
        let nobody = office.changes_nothing(redate(office, &february.run, "2026-02-16")).await;
        let failure = refused(nobody, "ALL_WITHHELD");
        assert!(failure.message.contains("2 笔都不能再付") && failure.message.contains("退票"), "{}", failure.message);
        assert!(failure.hint.contains("不要送银行") && failure.hint.contains("hold clear"), "{}", failure.hint);
        for hold in office.holds().await {
            clear_hold(&office.as_maker(), hold.no, "已核实").await.unwrap();
        }
        let anew = redate(office, &february.run, "2026-02-16").await.unwrap();
        assert_eq!((anew.redated, anew.withheld.len(), anew.files[0].file.row_count), (1, 0, 2));
        office.doctor().await;
    })
    .await;
}
