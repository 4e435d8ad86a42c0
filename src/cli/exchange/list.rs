//! Looks at every place and tells what is where.

use super::super::{Answer, Desk, exit_code};
use super::pull::{REASON, files_of_bank};
use crate::domain::place::Place;
use crate::exchange::folder;
use crate::exchange::place::Connection;
use crate::failure::Failure;
use crate::reports::exchange::{Look, report};

pub async fn list(desk: &Desk, all: bool) -> Answer {
    let mut looks = Vec::new();
    for place in &desk.office.places {
        let mut look = Look { place: place.name.clone(), quarantined: quarantined(place)?, ..Look::default() };
        match waiting(place).await {
            Ok(waiting) => look.waiting = waiting,
            Err(failure) => look.unreachable = Some(format!("{} [{}]", failure.message, failure.code)),
        }
        looks.push(look);
    }
    desk.out.report(&report(&desk.office, &looks, all).await?);
    Ok(exit_code::DONE)
}

async fn waiting(place: &Place) -> Result<Vec<(String, u64)>, Failure> {
    let connection = Connection::open(place).await?;
    let inbox = connection.inbox().await;
    connection.close().await;
    Ok(files_of_bank(place, inbox?).into_iter().map(|found| (found.name, found.size)).collect())
}

/// Files set aside, each with the first line of its reason.
fn quarantined(place: &Place) -> Result<Vec<(String, String)>, Failure> {
    if !place.quarantine.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for path in folder::all(&place.quarantine)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(REASON) {
            continue;
        }
        let reason = folder::read(&place.quarantine.join(format!("{name}{REASON}")));
        let reason = reason.map(|bytes| String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_string());
        found.push((name, reason.unwrap_or_else(|_| "没有说明文件".into())));
    }
    Ok(found)
}
