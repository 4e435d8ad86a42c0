//! A year in which two banks take another layout every month: every layout that is shipped sends money, hears
//! of failures, of what is still open and of what comes back, and at the end the books are right to the fen.

use fafang::domain::bank::ReasonClass;
use fafang::domain::hold::HoldReason;
use fafang::domain::money::Money;
use fafang::domain::period::Period;
use fafang::formats::bank::book::{add, built_in, check_whole};
use fafang::formats::bank::neutral::AnswerKind;
use fafang::office::Office;
use fafang::training::simulated_answer::owners;
use fafang::training::simulated_bank::{Forced, SimulatedBank};
use fafang::workflow::clear_hold::clear_hold;
use fafang::workflow::explain_finding::explain_finding;
use fafang::workflow::issue_files::{IssuedFile, issue_files};
use fafang::workflow::take_return::{AnswerFile, Taken, take_returns};
use fafang::workflow::try_layout::{Tried, try_layout};

use crate::support::{Row, TestOffice, on_both_engines, refused, yuan};

/// Names that every bank can write.
const NAMES: [&str; 6] = ["王東", "李建国", "张秀英", "阿依古丽·买买提", "马玉兰", "古丽娜尔·吐尔逊江"];

/// Layouts with files of the banks' own.
fn layouts() -> Vec<String> {
    let book = built_in().unwrap();
    let own = book.all_layouts().into_iter().filter(|layout| layout.form.is_some());
    own.map(|layout| layout.code.clone()).collect()
}

/// The finance desk in a month in which two banks have these layouts.
fn desk(office: &TestOffice, layouts: [&str; 2]) -> Office {
    let mut desk = office.as_finance();
    for (bank, layout) in ["RCC", "ABC"].into_iter().zip(layouts) {
        let entry = format!(
            "[[bank]]\ncode = \"{bank}\"\nlayout = \"{layout}\"\npayer_bank = \"00001\"\nunit_no = \"1001\"\n\
             payer_account = \"3000000000000000018\"\npayer_name = \"和静县社会保险中心\"\n\
             bank_no = \"402000000001\"\namount_unit = \"fen\"\n"
        );
        add(&mut desk.banks, &entry).unwrap();
    }
    check_whole(&desk.banks).unwrap();
    desk
}

fn people(office: &TestOffice, count: usize) -> Vec<Row> {
    let mut people = office.neighbours(count);
    for (at, row) in people.iter_mut().enumerate() {
        row.name = NAMES[at % NAMES.len()].into();
        if at % 2 == 1 {
            row.bank = "农行".into();
        }
    }
    people
}

/// Everything that the simulated bank has to say of the files: returns first, then what comes back.
async fn answered(desk: &Office, files: &[IssuedFile], bank: &SimulatedBank) -> Vec<Taken> {
    let (mut returns, mut late) = (Vec::new(), Vec::new());
    for IssuedFile { file, bytes } in files {
        let mut owners = owners(&desk.banks, &file.name, bytes);
        owners.retain(|own| own.layout.code == file.layout_code);
        let answers = bank.answer_own(owners[0], &file.name, bytes).unwrap();
        let named = |no: &str, bytes: Vec<u8>| AnswerFile {
            name: format!("{no}-{}", file.name),
            bytes,
            answers: Some(file.file_ref.clone()),
        };
        returns.extend(answers.first.map(|bytes| named("1", bytes)));
        returns.extend(answers.second.map(|bytes| named("2", bytes)));
        late.extend(answers.late.map(|bytes| named("3", bytes)));
    }
    let mut taken = take_returns(desk, AnswerKind::Return, returns.into_iter().map(Ok)).await.unwrap();
    taken.extend(take_returns(desk, AnswerKind::LateReturn, late.into_iter().map(Ok)).await.unwrap());
    taken
}

#[tokio::test]
async fn a_year_of_twelve_months_through_every_layout_reconciles_to_the_fen() {
    on_both_engines(async |office| {
        let count = if office.is_sqlite() { 24 } else { 12 };
        let people = people(office, count);
        office.import(&people).await;
        let layouts = layouts();
        let last_month = Period::new(2026, 12).unwrap();
        let (mut credited, mut came_back, mut used) = (Money::ZERO, Money::ZERO, Vec::new());
        for (month, period) in Period::of_year(2026).enumerate() {
            office.go_to(&format!("{period}-12"));
            let now = [month % layouts.len(), (month + 12) % layouts.len()].map(|at| layouts[at].as_str());
            used.extend(now);
            let desk = desk(office, now);
            let run = office.prepare(&period.to_string()).await.run;
            let shown = office.changes_nothing(try_layout(&desk, now[0], &run.code)).await.unwrap();
            office.sign(&run).await;
            let issued = issue_files(&desk, &run.code).await.unwrap();
            assert_eq!(issued.files.len(), 2, "{now:?}");
            let again = issue_files(&desk, &run.code).await.unwrap();
            for (first, second) in issued.files.iter().zip(&again.files) {
                assert_eq!(first.bytes, second.bytes, "{now:?}: the same bytes again");
                // The layout is tried on both banks, of which one has it.
                let is_of_file =
                    |tried: &&Tried| tried.bank_code == first.file.bank_code && tried.name == first.file.name;
                let tried = shown.iter().find(is_of_file);
                assert!(
                    tried.is_none_or(|tried| tried.bytes == first.bytes),
                    "{now:?}: what was shown is what is sent"
                );
            }
            // Every month somebody has a wrong name, somebody's answer comes later, somebody's money comes back; only
            // December has none, so that the year closes.
            let mut bank = office.good_bank();
            if period != last_month {
                let at = |n: usize| people[(2 * month + n) % count].account.clone();
                bank = bank
                    .with_answer(at(0), Forced::Reject("3031".into()))
                    .with_answer(at(1), Forced::Open)
                    .with_answer(at(3), Forced::LateReturn);
            }
            let taken = answered(&desk, &issued.files, &bank).await;
            // Where a bank has no word for what is still open, its first answer leaves the row out; where it has no place for
            // a reason, it gives none. Both are named.
            let found = || taken.iter().flat_map(|t| &t.findings);
            let is_of_layout = |code: &str| ["RETURN_ROW_MISSING", "RETURN_REASON_UNKNOWN"].contains(&code);
            assert!(found().all(|finding| is_of_layout(finding.code)), "{now:?}: {taken:#?}");
            for finding in office.findings().await.iter().filter(|finding| finding.explained_on.is_none()) {
                explain_finding(&desk, finding.finding_no, "第二次回盘已有，或银行不写原因，已电话核对").await.unwrap();
            }
            assert_eq!(office.run(&run.code).await.state.code(), "settled", "{now:?}");
            credited += taken.iter().map(|t| t.credited.amount).sum::<Money>();
            came_back += taken.iter().map(|t| t.returned.amount).sum::<Money>();
            for hold in office.holds().await {
                // Not every layout has a place for the reason.
                let class = match hold.reason {
                    HoldReason::Bank(class) => Some(class),
                    _ => None,
                };
                let expected = [ReasonClass::NameMismatch, ReasonClass::ReturnedLater, ReasonClass::Unknown];
                let is_of_bank = class.is_some_and(|class| expected.contains(&class));
                assert!(is_of_bank, "{now:?}: {hold:?}");
                clear_hold(&office.as_maker(), hold.no, "已与银行核对").await.unwrap();
            }
        }
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), layouts.len(), "every layout had its month: {used:?}");
        assert!(came_back > Money::ZERO);
        let owed = yuan(120 * 12 * i64::try_from(count).unwrap());
        assert_eq!((credited - came_back, office.money().await.2), (owed, owed));
        let year = office.reconcile(2026).await;
        assert!(year.balanced, "{year:#?}");
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn three_payments_are_too_few_for_a_bank_that_takes_five_and_nothing_is_written() {
    on_both_engines(async |office| {
        let mut people = people(office, 8);
        people[7].bank = people[0].bank.clone();
        office.import(&people).await;
        let run = office.prepare("2026-01").await.run;
        let few = desk(office, ["psbc", "lanzhou"]);
        let failure = refused(office.changes_nothing(try_layout(&few, "lanzhou", &run.code)).await, "TOO_FEW_ROWS");
        assert!(failure.message.contains("只有 3 笔，布局 lanzhou 每个文件至少 5 笔"), "{}", failure.message);
        office.sign(&run).await;
        refused(office.changes_nothing(issue_files(&few, &run.code)).await, "TOO_FEW_ROWS");
        assert_eq!(office.run(&run.code).await.state.code(), "approved");
        // The bank takes another layout for once.
        let issued = issue_files(&desk(office, ["lanzhou", "psbc"]), &run.code).await.unwrap();
        let mut rows: Vec<i64> = issued.files.iter().map(|f| f.file.row_count).collect();
        rows.sort_unstable();
        assert_eq!(rows, [3, 5]);
        office.doctor().await;
    })
    .await;
}
