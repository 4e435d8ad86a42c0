//! What waits for a second person.

use super::{Books, Todo};
use crate::domain::actor::Role;
use crate::domain::period::date_from_number;
use crate::failure::Failure;
use crate::storage::change_request;
use crate::storage::engine::Tx;

/// Changes and rosters that another person must accept or reject.
pub(super) async fn waiting(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let pending = change_request::pending(tx, &books.office.agency_code).await?;
    let todo = |r: change_request::StoredRequest| {
        let (what, roles): (_, &[Role]) = match r.kind.as_str() {
            "roster" => ("名册", &[Role::Reviewer, Role::Approver]),
            "write_off" => ("核销", &[Role::Approver]),
            _ => ("变更", &[Role::Reviewer, Role::Approver]),
        };
        Todo {
            not_by: vec![r.made_by.clone()],
            what: format!("复核{}提出的{what}: {}", r.made_by, r.summary),
            command: format!("fafang change accept {0} 或 change reject {0} --reason 原因", r.request_no),
            ..Todo::new(
                "REQUEST_WAITS",
                roles,
                date_from_number(r.made_on).unwrap_or(books.today),
                format!("第 {} 号申请", r.request_no),
            )
        }
    };
    Ok(pending.into_iter().map(todo).collect())
}
