//! Payment files: the same bytes whenever they are asked for, every character as it is, or nothing.

use fafang::formats::bank::neutral::{AnswerKind, read_payment_file};
use fafang::storage::kept_file::digest_of;
use fafang::workflow::issue_files::issue_files;

use crate::support::{on_both_engines, paper, refused, yuan};

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
