//! The move as the administrator sees it: the table, the JSON, the refusals, and a kill at any point of it.

use serde_json::json;

use super::{APPROVER, CODE, Desk, MAKER, REVIEWER};
use crate::support::{Engine, TestDatabase};

const PASSWORD: &str = "geheim-9x";

impl Desk {
    /// The same folder, looking at another database.
    fn at(&self, database: &str, look: impl FnOnce(&Desk)) {
        let folder = tempfile::tempdir().unwrap();
        let database = if database.starts_with("postgres") {
            database.to_string()
        } else {
            self.path(database).to_str().unwrap().to_string()
        };
        look(&Desk { folder, database: Some(database) });
    }
}

/// Moves an office to this place, with kills on the way.
fn moves_to(desk: &Desk, to: &str) {
    let before = desk.events();
    let moving = ["move", "--to", to];
    desk.dies("office.move:before-target-commit", "管理员甲", &moving);
    assert_eq!(desk.events(), before);
    desk.at(to, |there| {
        there.run(&["doctor"]).exits(5).says("NO_AGENCY");
    });
    desk.is_healthy();

    // Killed when the target has everything and the source knows nothing of it: to be finished.
    desk.dies("office.move:before-commit", "管理员甲", &moving);
    assert_eq!(desk.events(), before);
    desk.at(to, |there| assert_eq!(there.events(), before + 1));
    let finished = desk.run(&["move", "--to", to, "--json"]).done().json();
    assert_eq!((&finished["outcome"], desk.events()), (&json!("same"), before + 1));
    let runs = finished["tables"].as_array().unwrap().iter().find(|t| t["table"] == "run").unwrap().clone();
    assert_eq!((&runs["rows"], &runs["sums"]["total_fen"]), (&json!(1), &json!(120_000)));
    assert_eq!(finished["digest"].as_str().unwrap().len(), 64);
    let again = desk.run(&moving).done().says("早已迁到").says("没有任何改动").says("payment_page").says("1,200.00");
    assert!(!format!("{again:?}{finished}").contains(PASSWORD), "{again:?}");

    let run = "pochan1995-2026-01-r1";
    let refused = desk.changes_nothing(|| desk.as_(APPROVER, &["run", "approve", run])).exits(1).says("MOVED_AWAY");
    assert!(!refused.err.contains(PASSWORD), "{}", refused.err);
    desk.run(&["run", "show", run]).done().says("1,200.00");
    let trail = desk.run(&["audit", "list", "--json"]).done().says("office.move");
    assert!(!trail.out.contains(PASSWORD));
    desk.at(to, |there| {
        there.is_healthy();
        there.as_(APPROVER, &["run", "approve", run]).done();
        there.is_healthy();
    });
}

fn reviewed() -> Desk {
    let desk = Desk::new().with_office().with_people(10);
    let run = desk.prepared("2026-01");
    desk.as_(MAKER, &["run", "submit", &run]).done();
    desk.as_(REVIEWER, &["run", "review", &run]).done();
    desk
}

#[test]
fn a_file_moves_to_a_file_through_kills_at_every_point() {
    moves_to(&reviewed(), "new.db");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_moves_to_a_server_through_kills_at_every_point() {
    let Some(server) = TestDatabase::create(Engine::Postgres).await else { return };
    let url = server.url.replace("postgres@", &format!("postgres:{PASSWORD}@"));
    moves_to(&reviewed(), &url);
    server.close().await;
}

#[test]
fn what_was_written_after_an_interrupted_move_is_not_lost_silently() {
    let desk = reviewed();
    desk.dies("office.move:before-commit", "管理员甲", &["move", "--to", "new.db"]);
    desk.as_(APPROVER, &["run", "approve", "pochan1995-2026-01-r1"]).done();
    let refused = desk.changes_nothing(|| desk.run(&["move", "--to", "new.db"])).exits(4).says("TARGET_NOT_EMPTY");
    assert!(refused.err.contains("posting（本库 2 行，目标 1 行）") && refused.err.contains("提示"), "{}", refused.err);
}

#[test]
fn a_move_says_what_arrived_and_a_kill_after_it_changes_nothing() {
    let desk = reviewed();
    desk.as_(MAKER, &["move", "--to", "new.db"]).exits(1).says("WRONG_ROLE").says("管理员");
    assert!(!desk.path("new.db").exists());
    desk.run(&["move", "--to", "fafang.db"]).exits(1).says("SAME_DATABASE");
    let done = desk.run(&["move", "--to", "new.db"]).done();
    for words in ["已全部迁到", "new.db", "逐表核对一致", "行数", "金额合计", "available_fen", "289,000.00", "总校验"]
    {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    let other = reviewed();
    other.dies("office.move:after-commit", "管理员甲", &["move", "--to", "new.db"]);
    other.as_(MAKER, &["run", "prepare", "--scheme", CODE, "--period", "2026-02"]).exits(1).says("MOVED_AWAY");
    other.run(&["move", "--to", "new.db"]).done().says("早已迁到");
    // A backup of what was moved away is moved away too.
    other.run(&["backup", "--out", "backup.db"]).done();
    other.at("backup.db", |backup| {
        backup.as_(MAKER, &["run", "prepare", "--scheme", CODE, "--period", "2026-02"]).exits(1).says("MOVED_AWAY");
    });
}
