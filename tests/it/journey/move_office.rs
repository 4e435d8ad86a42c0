//! The office moves to another database: everything arrives, work goes on there, and the old place only shows.

use fafang::domain::comparison::ComparisonKind;
use fafang::domain::enrolment::StopReason;
use fafang::domain::money::Money;
use fafang::domain::recovery::Cause;
use fafang::failure::Kind;
use fafang::office::Office;
use fafang::reports::reconciliation::{Basis, reconcile};
use fafang::reports::{audit, doctor, month, recoveries, year_end};
use fafang::storage::whole_office;
use fafang::values;
use fafang::workflow::decide_run::submit;
use fafang::workflow::move_office::{Outcome, move_office};
use fafang::workflow::{recover, register};

use crate::support::changes::{stop, suspend};
use crate::support::contents::Contents;
use crate::support::lists::deaths;
use crate::support::{
    AGENCY, CODE, Engine, SCHEME, TestDatabase, TestOffice, day, on_both_engines, paper, person, refused, yuan,
};

/// A secret that must stand nowhere.
const PASSWORD: &str = "geheim-9x";

/// How a person would type where the database is: with a password, which a test server does not ask for.
fn typed(home: &TestDatabase) -> String {
    home.url.replace("postgres@", &format!("postgres:{PASSWORD}@"))
}

/// Three months with everything that an office has: failures, findings, a late return, a death told late, a recovery
/// case that is partly repaid, a list of another office, texts that a careless copy would spoil.
async fn eventful(office: &TestOffice, people: usize) {
    let everybody = office.people(people);
    office.import(&everybody).await;
    let issued = office.pay("2026-01", &office.good_bank()).await;
    office.go_to("2026-01-25");
    office.take_late(&paper::bytes(&paper::all_returned(&issued.files[0].bytes))).await;
    office.go_to("2026-02-15");
    let issued = office.send("2026-02").await;
    for (at, file) in issued.files.iter().enumerate() {
        let mut answer = paper::all_credited(&file.bytes);
        match at {
            0 => paper::reject(&mut answer, 0, "2001"),
            1 => paper::leave_open(&mut answer, 0),
            2 => answer.rows[0].holder = "别人".into(),
            _ => {}
        }
        office.take(&paper::bytes(&answer)).await;
    }
    assert!(!office.findings().await.is_empty());
    office.go_to("2026-03-15");
    let maker = office.as_maker();
    let (dead, jailed) = (&everybody[people - 1], &everybody[people - 2]);
    stop(&maker, person(dead), StopReason::Death, day("2026-01-10"), "a\\b 'c' \"d\" %_|;").await.unwrap();
    suspend(&maker, person(jailed), "2026-03".parse().unwrap(), "服刑").await.unwrap();
    let case = recover::open(&maker, &dead.citizen_number, Some(CODE), Cause::DeathToldLate, None).await.unwrap();
    recover::repay(&office.as_finance(), case.case.no, Money(5_001), office.today(), "收据\\N").await.unwrap();
    office.compare(ComparisonKind::Death, &deaths(&[(&everybody[0], "2026-03-01")])).await;
    office.prepare("2026-03").await;
    for (number, text) in (1..).zip(["\t\\\\", "\\N", "\\.", "a\tb\\c\nd\r\ne", "'; DROP TABLE actor; --", "𬭎䶮㛃"])
    {
        let sql = "INSERT INTO counter (agency_code, name, value) VALUES ($1, $3, $2)";
        assert_eq!(office.by_hand(sql, values![AGENCY, number, text]).await, 1);
    }
}

/// What the office's books say, in full.
async fn books(office: &Office) -> Vec<String> {
    let examined = doctor::examine(office).await.unwrap();
    assert!(examined.ok, "{examined:#?}");
    vec![
        serde_json::to_string(&examined).unwrap(),
        serde_json::to_string(&reconcile(office, 2026, None, None, Basis::Kept).await.unwrap()).unwrap(),
        format!("{:?}", year_end::year_end(office, CODE, 2026).await.unwrap()),
        format!("{:?}", month::month(office, CODE, "2026-02".parse().unwrap()).await.unwrap()),
        format!("{:?}", recoveries::recoveries(office, None).await.unwrap()),
        format!("{:?}", audit::audit(office).await.unwrap()),
    ]
}

#[tokio::test]
async fn an_office_moves_to_a_server_and_back_to_a_file_and_works_on() {
    let Some(server) = TestDatabase::create(Engine::Postgres).await else { return };
    let start = TestOffice::open(Engine::Sqlite, SCHEME).await.unwrap();
    eventful(&start, 620).await;
    let before = books(&start.as_admin()).await;
    let done = move_office(&start.as_admin(), &typed(&server)).await.unwrap();
    assert_eq!(done.outcome, Outcome::Copied);
    assert!(done.target.starts_with("postgres://postgres@127.0.0.1"), "{}", done.target);
    let count = |table: &str| done.survey.tables.iter().find(|t| t.name == table).unwrap().clone();
    assert_eq!((count("roll_page").rows, count("actor").rows, count("recovery_case").rows), (3, 6, 1));
    assert_eq!(count("appropriation").sums[0], ("appropriated_fen".to_string(), 28_900_000));
    let there = start.in_database(server);

    // Both say the same, the move is the last event of both, and nothing says the password.
    let after = books(&start.as_admin()).await;
    assert_eq!(after, books(&there.as_admin()).await);
    assert_eq!(before[1..5], after[1..5], "the move itself changed no figure");
    let events = there.events().await;
    assert_eq!(events.last().unwrap().action, "office.move");
    assert_eq!(start.events().await.last().unwrap().hash, events.last().unwrap().hash);
    let (old, new) = (Contents::read(&start.home).await, Contents::read(&there.home).await);
    assert_eq!(old.until(&new), ("moved_away -1".to_string(), 0));
    assert!(!format!("{old:?}{new:?}").contains(PASSWORD));

    // The old place shows everything and does nothing.
    let run = start.run_list().await.pop().unwrap();
    let failure = refused(start.changes_nothing(submit(&start.as_maker(), &run.code)).await, "MOVED_AWAY");
    assert_eq!(failure.kind, Kind::Refused);
    assert!(failure.message.contains(&done.target) && failure.message.contains("管理员"), "{}", failure.message);
    assert!(!format!("{failure:?}").contains(PASSWORD));
    refused(start.try_prepare("2026-04", fafang::domain::run::RunKind::Regular).await, "MOVED_AWAY");
    let (database, banks) = (start.home.database.clone(), start.as_admin().banks);
    let another = register::agency(database, "652828", "和硕县", "甲", banks, start.as_admin().clock).await;
    refused(another, "MOVED_AWAY");

    // Work goes on in the new one: the run that was under way, and the next month.
    there.sign(&run).await;
    let issued = there.issue(&run).await;
    there.answer(&issued.files, &there.good_bank()).await;
    there.go_to("2026-04-15");
    there.pay("2026-04", &there.good_bank()).await;
    there.doctor().await;

    // Done again it is done; to another place it is not.
    let again = start.changes_nothing(move_office(&start.as_admin(), &typed(&there.home))).await.unwrap();
    assert_eq!((again.outcome, again.survey.digest), (Outcome::Already, done.survey.digest));
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere.db");
    let twice = move_office(&start.as_admin(), elsewhere.to_str().unwrap()).await;
    refused(twice, "MOVED_AWAY");
    assert!(!elsewhere.exists(), "the refusal came first");

    // And back to a file.
    let file = TestDatabase::create(Engine::Sqlite).await.unwrap();
    let books_there = books(&there.as_admin()).await;
    let returned = move_office(&there.as_admin(), &file.url).await.unwrap();
    assert_eq!(returned.outcome, Outcome::Copied);
    let home = there.in_database(file);
    assert_eq!(books_there[1..5], books(&home.as_admin()).await[1..5]);
    let (old, new) = (Contents::read(&there.home).await, Contents::read(&home.home).await);
    assert_eq!(old.until(&new), ("moved_away -1".to_string(), 0));
    refused(there.try_prepare("2026-05", fafang::domain::run::RunKind::Regular).await, "MOVED_AWAY");
    home.go_to("2026-05-15");
    home.add_money("70000.00").await;
    home.pay("2026-05", &home.good_bank()).await;
    home.doctor().await;
    for office in [start, there, home] {
        office.close().await;
    }
}

#[tokio::test]
async fn only_an_administrator_moves_and_only_to_an_empty_place() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let other = TestOffice::open(Engine::Sqlite, SCHEME).await.unwrap();
        for name in ["经办", "复核", "审批", "财务", "稽核"] {
            let desk = office.acting_as(name);
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("new.db");
            refused(office.changes_nothing(move_office(&desk, place.to_str().unwrap())).await, "WRONG_ROLE");
            assert!(!place.exists(), "not even an empty database was made");
        }
        let admin = office.as_admin();
        let there = other.home.url.clone();
        let moving = other.changes_nothing(move_office(&admin, &there));
        let failure = refused(office.changes_nothing(moving).await, "TARGET_NOT_EMPTY");
        assert_eq!(failure.kind, Kind::Conflict);
        for words in ["652827 和静县社会保险中心", "roll_index（本库 1 行，目标 0 行）", "应当是空的"]
        {
            assert!(failure.message.contains(words), "{}", failure.message);
        }
        let itself = typed(&office.home).replace("127.0.0.1", "localhost");
        refused(office.changes_nothing(move_office(&admin, &itself)).await, "SAME_DATABASE");
        let nowhere = other.home.url.replace("office.db", "none/office.db");
        refused(office.changes_nothing(move_office(&admin, &nowhere)).await, "DATABASE_UNREACHABLE");
        other.close().await;
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn every_agency_of_the_database_goes_along() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        let admin = office.as_admin();
        let (database, banks, clock) = (office.home.database.clone(), admin.banks.clone(), admin.clock);
        let second = register::agency(database, "652828", "和硕县社会保险中心", "主任", banks, clock).await.unwrap();
        let home = TestDatabase::create(Engine::Sqlite).await.unwrap();
        let target = home.url.clone();
        let there = office.in_database(home);
        let before = Contents::read(&office.home).await;
        let moved = move_office(&admin, &target).await.unwrap();
        assert_eq!(moved.survey.tables.iter().find(|table| table.name == "agency").unwrap().rows, 2);
        let after = Contents::read(&office.home).await;
        assert_eq!(before.until(&after), ("moved_away +2".to_string(), 2), "one event for each chain");
        for agency in [&admin, &second] {
            let arrived = Office { database: there.home.database.clone(), ..agency.clone() };
            assert_eq!(books_of(agency).await, books_of(&arrived).await);
            refused(register::user(agency, "新人", fafang::domain::actor::Role::Maker).await, "MOVED_AWAY");
            assert!(register::user(&arrived, "新人", fafang::domain::actor::Role::Maker).await.unwrap());
        }
        there.close().await;
    })
    .await;
}

async fn books_of(office: &Office) -> Vec<String> {
    let examined = doctor::examine(office).await.unwrap();
    assert!(examined.ok, "{examined:#?}");
    vec![serde_json::to_string(&examined).unwrap(), format!("{:?}", audit::audit(office).await.unwrap())]
}

#[tokio::test]
async fn a_move_that_is_dropped_before_its_commit_leaves_an_empty_place() {
    on_both_engines(async |office| {
        office.import(&office.neighbours(3)).await;
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let Some(home) = TestDatabase::create(engine).await else { continue };
            let mut source = office.home.database.read().await.unwrap();
            let mut target = home.database.write().await.unwrap();
            whole_office::copy(&mut source, &mut target, |_| ()).await.unwrap();
            let there = whole_office::survey(&mut target).await.unwrap();
            assert_eq!(whole_office::survey(&mut source).await.unwrap(), there);
            assert!(there.rows() > 10 && !whole_office::is_empty(&mut target).await.unwrap());
            drop(target);
            assert!(whole_office::is_empty(&mut home.database.read().await.unwrap()).await.unwrap());
            home.close().await;
        }
        assert_eq!(office.pay("2026-01", &office.good_bank()).await.run.total, yuan(360));
        office.doctor().await;
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_move_to_end_is_refused() {
    let Some(start) = TestOffice::open(Engine::Postgres, SCHEME).await else { return };
    start.import(&start.neighbours(3)).await;
    let home = TestDatabase::create(Engine::Sqlite).await.unwrap();
    let admin = start.as_admin();
    let desk = start.another_desk("经办").await;
    let periods = "2026-01".parse().unwrap();
    let prepare =
        fafang::workflow::prepare_run::prepare_run(&desk, CODE, periods, fafang::domain::run::RunKind::Regular);
    let (moved, prepared) = tokio::join!(move_office(&admin, &home.url), prepare);
    // Whoever was first, no run is in one database only.
    match (moved, prepared) {
        (Ok(_), Err(failure)) => assert_eq!(failure.code, "MOVED_AWAY", "{failure:?}"),
        (Ok(moved), Ok(_)) => {
            let runs = moved.survey.tables.iter().find(|table| table.name == "run").unwrap().rows;
            assert_eq!(runs, 1);
        }
        (Err(failure), Ok(_)) => assert_eq!(failure.code, "BUSY", "{failure:?}"),
        other => panic!("{other:?}"),
    }
    desk.database.close().await;
    home.close().await;
    start.close().await;
}
