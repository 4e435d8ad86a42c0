//! Registers an agency with its administrator, and users with their roles.

use serde_json::json;

use super::step::{Step, gone};
use crate::clock::Clock;
use crate::domain::actor::{Actor, Role};
use crate::domain::bank::BankBook;
use crate::domain::period::date_number;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::audit_event::{self, AuditEvent};
use crate::storage::engine::Database;
use crate::storage::{actor, agency, counter, moved_away};

/// Makes the office: the agency, the head of its audit chain, and its administrator.
///
/// # Errors
/// When the agency is already there, its code is no division code, or the database was moved away.
pub async fn agency(
    database: Database,
    code: &str,
    name: &str,
    administrator: &str,
    banks: BankBook,
    clock: Clock,
) -> Result<Office, Failure> {
    if !(6..=12).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::refused(
            "AGENCY_CODE",
            format!("“{code}”不是行政区划代码，应为 6 至 12 位数字，例如和静县 652827"),
        ));
    }
    let mut tx = database.write().await?;
    if let Some(moved) = moved_away::first(&mut tx).await? {
        return Err(gone(&moved));
    }
    let at = clock.instant();
    if !agency::insert(&mut tx, code, name, &at).await? {
        return Err(Failure::refused("AGENCY_EXISTS", format!("数据库里已有经办机构 {code}"))
            .hint("直接使用即可；如需另建，请用 --database 指定另一个数据库"));
    }
    audit_event::start(&mut tx, code).await?;
    let (event_no, previous_hash) = audit_event::advance(&mut tx, code).await?.unwrap_or((1, String::new()));
    let actor_no = counter::take(&mut tx, code, "actor", 1).await?;
    let admin = Actor { name: administrator.to_string(), role: Role::Admin };
    actor::upsert(&mut tx, code, &admin, actor_no, event_no).await?;
    let mut event = AuditEvent {
        event_no,
        occurred_at: at,
        business_date: date_number(clock.today()),
        actor: administrator.to_string(),
        action: "agency.init".into(),
        subject: code.into(),
        detail: json!({ "name": name, "administrator": administrator }).to_string(),
        previous_hash,
        hash: String::new(),
    };
    event.hash = event.computed_hash(code);
    audit_event::append(&mut tx, code, &event).await?;
    tx.commit().await?;
    Office::open(database, Some(code), banks, clock).await
}

/// Registers a user, or gives one another role. False when nothing changed.
///
/// # Errors
/// Unless an administrator acts, or when the only administrator would lose the role.
pub async fn user(office: &Office, name: &str, role: Role) -> Result<bool, Failure> {
    let name = name.trim();
    if name.is_empty() || name.chars().any(char::is_control) || name.chars().count() > 50 {
        return Err(Failure::refused("USER_NAME", "用户名应为 1 至 50 个字，不含控制字符"));
    }
    let mut step = Step::begin(office, "user.register", &[Role::Admin]).await?;
    let users = actor::list(&mut step.tx, &step.agency).await?;
    let old = users.iter().find(|u| u.name == name).map(|u| u.role);
    if old == Some(role) {
        return Ok(false);
    }
    if old == Some(Role::Admin) && users.iter().filter(|u| u.role == Role::Admin).count() == 1 {
        return Err(
            Failure::refused("LAST_ADMIN", format!("{name} 是唯一的管理员，不能改任{role}")).hint("先登记另一位管理员")
        );
    }
    let actor_no = counter::take(&mut step.tx, &step.agency, "actor", 1).await?;
    let user = Actor { name: name.to_string(), role };
    actor::upsert(&mut step.tx, &step.agency, &user, actor_no, step.event_no).await?;
    step.finish(name, json!({ "role": role.code(), "was": old.map(Role::code) })).await?;
    Ok(true)
}
