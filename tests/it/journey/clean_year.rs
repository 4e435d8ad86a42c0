//! A year in which nothing goes wrong.

use fafang::domain::money::Money;
use fafang::domain::period::Period;

use crate::support::{on_both_engines, yuan};

#[tokio::test]
async fn a_clean_year_pays_every_month_and_leaves_a_thousand_yuan() {
    on_both_engines(async |office| {
        let count: i64 = if office.is_sqlite() { 200 } else { 20 };
        let people = office.people(usize::try_from(count).unwrap());
        let imported =
            office.changes("kept_file +1, roll_index +1, roll_page +1, roster_import +1", office.import(&people)).await;
        assert_eq!((imported.rows, imported.new, imported.changed), (people.len(), people.len(), 0));
        for period in Period::of_year(2026) {
            office.go_to(&format!("{period}-15"));
            let issued = office.send(&period.to_string()).await;
            assert!(issued.withheld.is_empty() && !issued.again);
            let taken = office.answer(&issued.files, &office.good_bank()).await;
            let credited: Money = taken.iter().map(|t| t.credited.amount).sum();
            assert_eq!(credited, yuan(120 * count));
            assert_eq!(taken.iter().map(|t| t.settled).collect::<Vec<_>>().iter().filter(|s| **s).count(), 1);
            assert!(taken.iter().all(|t| t.findings.is_empty() && t.holds == 0 && t.open.rows == 0));
        }
        let year = yuan(120 * 12 * count);
        assert_eq!(office.money().await, (yuan(289_000) - year, Money::ZERO, year));
        if office.is_sqlite() {
            assert_eq!(office.money().await, (yuan(1_000), Money::ZERO, yuan(288_000)));
        }
        let runs = office.run_list().await;
        assert_eq!(runs.len(), 12);
        assert!(
            runs.iter().all(|r| r.state.code() == "settled" && r.payments == count && r.total == yuan(120 * count))
        );
        assert_eq!((&*runs[0].code, &*runs[11].code), ("pochan1995-2026-01-r1", "pochan1995-2026-12-r1"));
        let postings = office.postings().await;
        assert_eq!(postings.keys().copied().collect::<Vec<_>>(), ["appropriate", "pay", "reserve"]);
        assert_eq!((postings["pay"].0, postings["reserve"]), (year.fen(), (year.fen(), 12)));
        assert!(office.holds().await.is_empty() && office.findings().await.is_empty());
        let files: usize = runs.len() * office.files_of(&runs[0]).await.len();
        // agency, 5 users, scheme, budget, roster; per month: prepare, 3 signatures, issue; per file: return.
        assert_eq!(office.events().await.len(), 9 + 12 * 5 + files);
        office.doctor().await;
    })
    .await;
}
