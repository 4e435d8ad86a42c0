//! Money that lies idle.

use super::{Books, Todo};
use crate::domain::actor::Role;
use crate::failure::Failure;
use crate::storage::engine::Tx;
use crate::storage::{appropriation, date};

/// Appropriations with money left that nothing has moved for longer than the office allows.
pub(super) async fn idle(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let agency = books.office.agency_code.as_str();
    let moved = appropriation::last_posted(tx, agency).await?;
    let mut list = Vec::new();
    for a in appropriation::list(tx, agency).await? {
        let Some(last) = moved.get(&a.no) else { continue };
        let last = date("posting", *last)?;
        let days = (books.today - last).num_days();
        if !a.available.is_zero() && days > books.office.settings.idle_appropriation_days {
            list.push(Todo {
                what: format!("{} 年指标余额 {days} 天没有变动: {}", a.year, a.project),
                amount: Some(a.available),
                command: format!("fafang budget check {}；应发未发见 fafang reconcile --year {}", a.document, a.year),
                ..Todo::new("APPROPRIATION_IDLE", &[Role::Finance], last, a.document.clone())
            });
        }
    }
    Ok(list)
}
