//! Cases of recovery that wait for money.

use super::{Books, Todo};
use crate::domain::actor::Role;
use crate::failure::Failure;
use crate::reports::recoveries::case_file;
use crate::storage::engine::Tx;
use crate::storage::recovery;

/// Open cases with what is still open of each: the clerk's to arrange, the cashier's to book.
pub(super) async fn open(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let mut list = Vec::new();
    for case in recovery::cases(tx, &books.office.agency_code).await? {
        if case.closed.is_some() {
            continue;
        }
        let file = case_file(tx, books.office, case).await?;
        let left = file.standing.open();
        if left.is_zero() {
            continue;
        }
        let how = match file.case.deducts_from() {
            Some(scheme) => format!("按月从 {scheme} 抵扣"),
            None => "催收退款，或约定抵扣".to_string(),
        };
        list.push(Todo {
            what: format!("追回案件未结，{how}"),
            amount: Some(left),
            command: format!("fafang recovery show {}", file.case.no),
            ..Todo::new(
                "RECOVERY_OPEN",
                &[Role::Maker, Role::Finance],
                file.case.opened_on,
                format!("{} {} {}", file.case.notice_no, file.person.name, file.person.citizen_number.masked()),
            )
        });
    }
    Ok(list)
}
