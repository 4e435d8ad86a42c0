//! The schema and its statements, on both engines: the rules that let one text run on SQLite,
//! PostgreSQL and Citus, read from the migrated database and from the files.

use std::collections::BTreeMap;
use std::fs;

use fafang::storage::all_statements;
use fafang::storage::engine::{Database, Value};
use fafang::storage::{kept_file, whole_office};
use fafang::values;

use crate::support::{Engine, TestDatabase, schema};

/// Runs a check on a fresh database of each engine.
async fn on_both(check: impl AsyncFn(&TestDatabase)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if let Some(home) = TestDatabase::create(engine).await {
            check(&home).await;
            home.close().await;
        }
    }
}

#[tokio::test]
async fn every_statement_is_understood() {
    on_both(async |home| {
        let statements = all_statements();
        assert!(statements.len() > 60, "{}", statements.len());
        for (file, name, sql) in statements {
            // A failed statement spoils a transaction of PostgreSQL, so each has its own.
            let mut tx = home.database.read().await.unwrap();
            let result = tx.prepare(sql).await;
            assert!(result.is_ok(), "{:?} {file}::{name}: {}\n{sql}", home.engine, result.unwrap_err());
        }
    })
    .await;
}

#[tokio::test]
async fn the_agency_is_first_in_every_key() {
    on_both(async |home| {
        let mut tables: Vec<String> = schema::columns(&home.database).await.into_iter().map(|c| c.table).collect();
        tables.dedup();
        let keys = schema::primary_keys(&home.database).await;
        assert_eq!(keys.iter().map(|k| k.table.clone()).collect::<Vec<_>>(), tables, "every table has a primary key");
        assert!(tables.len() >= 18, "{tables:?}");
        for key in &keys {
            assert_eq!(key.columns[0], "agency_code", "{key:?}");
            let is_per_agency = ["agency", "audit_head", "moved_away"].contains(&key.table.as_str());
            assert_eq!(key.columns.len() == 1, is_per_agency, "{key:?}");
        }
        let uniques = schema::uniques(&home.database).await;
        let foreign = schema::foreign_keys(&home.database).await;
        assert!(uniques.len() >= 7 && foreign.len() >= 13, "{} and {}", uniques.len(), foreign.len());
        for key in uniques.iter().chain(&foreign) {
            assert_eq!(key.columns[0], "agency_code", "{:?}: {key:?}", home.engine);
            if let Some((_, columns)) = &key.target {
                assert_eq!(columns[0], "agency_code", "{key:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_refers_to_a_month_of_payments_names_the_month() {
    on_both(async |home| {
        let parted = ["run", "payment_page", "payment_file"];
        let primary = schema::primary_keys(&home.database).await;
        for table in parted.into_iter().chain(["bank_return", "payment_outcome", "run_draw"]) {
            let key = primary.iter().find(|k| k.table == table).unwrap();
            assert_eq!(key.columns[..2], ["agency_code", "period"], "{key:?}");
        }
        let mut count = 0;
        for key in schema::foreign_keys(&home.database).await {
            let Some((target, columns)) = &key.target else { panic!("{key:?}") };
            if parted.contains(&target.as_str()) {
                count += 1;
                let at = columns.iter().position(|c| c == "period");
                assert!(at.is_some_and(|at| key.columns[at].ends_with("period")), "{key:?}");
            }
        }
        assert!(count >= 6, "{count}");
    })
    .await;
}

#[tokio::test]
async fn columns_are_bigint_text_or_bytes_and_nothing_has_a_life_of_its_own() {
    on_both(async |home| {
        for column in schema::columns(&home.database).await {
            assert!(["BIGINT", "TEXT", "BYTEA"].contains(&column.kind.as_str()), "{column:?}");
            assert!(
                column.kind != "BYTEA" || ["kept_file", "kept_piece"].contains(&column.table.as_str()),
                "{column:?}"
            );
            assert_eq!(column.default, "", "{column:?}");
            assert!(column.name != "agency_code" || (column.kind == "TEXT" && !column.is_nullable), "{column:?}");
            let is_money = column.name.ends_with("_fen");
            assert!(!is_money || (column.kind == "BIGINT" && !column.is_nullable), "{column:?}");
            assert!(!column.name.ends_with("period") || column.kind == "BIGINT", "{column:?}");
        }
        assert_eq!(schema::machinery(&home.database).await, [""; 0], "no trigger, sequence, view or procedure");
    })
    .await;
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let mut seen = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if let Some(home) = TestDatabase::create(engine).await {
            let database = &home.database;
            let (columns, primary) = (schema::columns(database).await, schema::primary_keys(database).await);
            let (unique, foreign) = (schema::uniques(database).await, schema::foreign_keys(database).await);
            seen.push((columns, primary, unique, foreign));
            home.close().await;
        }
    }
    if let [sqlite, postgres] = &seen[..] {
        assert_eq!(sqlite.0, postgres.0);
        assert_eq!(sqlite.1, postgres.1);
        assert_eq!(sqlite.2, postgres.2);
        assert_eq!(sqlite.3, postgres.3);
    }
}

/// Statements of a migration: what ends with `;` outside comments and quotes.
fn statements(sql: &str) -> Vec<String> {
    let mut plain = String::new();
    for line in sql.lines() {
        let mut in_quotes = false;
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            in_quotes ^= c == '\'';
            if !in_quotes && c == '-' && rest.peek() == Some(&'-') {
                break;
            }
            plain.push(if in_quotes && c == ';' { ',' } else { c });
        }
        plain.push('\n');
    }
    plain.split(';').map(str::trim).filter(|s| !s.is_empty()).map(ToString::to_string).collect()
}

/// What no migration may say.
const FORBIDDEN: [&str; 17] = [
    "AUTOINCREMENT",
    "SERIAL",
    "BIGSERIAL",
    "IDENTITY",
    "SEQUENCE",
    "TRIGGER",
    "RANDOM",
    "GEN_RANDOM_UUID",
    "NOW",
    "CURRENT_TIMESTAMP",
    "DEFAULT",
    "JSONB",
    "NUMERIC",
    "BOOLEAN",
    "TIMESTAMPTZ",
    "PARTITION",
    "CONCURRENTLY",
];

/// Forbidden words of a migration.
fn forbidden(sql: &str) -> Vec<&'static str> {
    let text = statements(sql).join(" ").to_uppercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    FORBIDDEN.into_iter().filter(|word| words.contains(word)).collect()
}

#[test]
fn the_first_migration_may_hold_many_statements_and_every_later_one_holds_one() {
    let mut files: Vec<_> = fs::read_dir("migrations").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files[0].ends_with("0001_the_office.sql"), "{files:?}");
    let mut last = 0;
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let number: u32 = name.split_once('_').unwrap().0.parse().unwrap();
        assert!(number > last && name.as_bytes()[4] == b'_', "{name}: four digits, every number once");
        last = number;
        let sql = fs::read_to_string(path).unwrap();
        let count = statements(&sql).len();
        assert!(count == 1 || number == 1, "{name}: {count} statements");
        assert_eq!(forbidden(&sql), [""; 0], "{name}");
        for statement in statements(&sql).iter().filter(|s| s.starts_with("CREATE TABLE")) {
            let first = statement.lines().nth(1).unwrap().trim();
            assert!(first.starts_with("agency_code TEXT NOT NULL"), "{name}: {statement}");
        }
    }
    let sample = "CREATE TABLE a (x TEXT); -- one; or two\nCREATE TABLE b (y TEXT CHECK (y <> ';'), z SERIAL);";
    assert_eq!((statements(sample).len(), forbidden(sample)), (2, vec!["SERIAL"]));
}

#[test]
fn no_statement_asks_the_database_for_chance_or_time() {
    for (file, name, sql) in all_statements() {
        let words = sql.to_uppercase();
        for word in ["RANDOM(", "UUID", "NOW(", "CURRENT_", "NEXTVAL", "DATETIME(", "STRFTIME("] {
            assert!(!words.contains(word), "{file}::{name} says {word}");
        }
        let is_plain_sum =
            words.matches("SUM(").count() <= words.matches("AS BIGINT").count() + words.matches("HAVING").count();
        assert!(is_plain_sum, "{file}::{name}: a SUM must be cast to BIGINT");
    }
}

#[tokio::test]
async fn awkward_texts_come_back_from_bulk_as_they_went_in() {
    const TEXTS: [&str; 14] = [
        "",
        " ",
        "\t",
        "\\",
        "\\N",
        "\\.",
        "a\tb\\c\nd\r\ne",
        "'",
        "\"",
        "''; DROP TABLE actor; --",
        "%_|;,",
        "東晐",
        "𬭎䶮㛃",
        "阿依古丽·買買提\u{200B}",
    ];
    on_both(async |home| {
        let columns =
            ["agency_code", "finding_no", "code", "period", "amount_fen", "message", "opened_on", "opened_event_no"];
        // Few rows go another way than many, and many are more than one INSERT of SQLite takes.
        let row = |no: i64| -> Vec<Value> {
            let text = TEXTS[usize::try_from(no).unwrap() % TEXTS.len()];
            values!["652827", no, text, (no % 3 == 0).then_some(no), no, text, 20_260_101, 1]
        };
        let mut tx = home.database.write().await.unwrap();
        tx.insert_rows("finding", &columns, vec![]).await.unwrap();
        tx.insert_rows("finding", &columns, vec![row(1)]).await.unwrap();
        tx.insert_rows("finding", &columns, (2..=40).map(row)).await.unwrap();
        tx.insert_rows("finding", &columns, (41..=2_500).map(row)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = home.database.read().await.unwrap();
        let rows: Vec<(i64, String, Option<i64>, String)> = tx
            .fetch_all("SELECT finding_no, code, period, message FROM finding ORDER BY finding_no", vec![])
            .await
            .unwrap();
        assert_eq!(rows.len(), 2_500);
        for (expected, (no, code, period, message)) in (1..).zip(rows) {
            let text = TEXTS[usize::try_from(no).unwrap() % TEXTS.len()];
            assert_eq!((no, &*code, &*message), (expected, text, text), "{:?}", home.engine);
            assert_eq!(period, (no % 3 == 0).then_some(no));
        }
    })
    .await;
}

/// Rows of many pages: keys of two numbers, of texts that languages sort in other ways than bytes do, and files.
async fn fill(database: &Database) {
    const NAMES: [&str; 9] = ["_x", "x", "X", "a-b", "ab", "乙", "阿依努尔", "é", "z"];
    let mut tx = database.write().await.unwrap();
    for agency in ["652827", "652828"] {
        let insert = "INSERT INTO agency (agency_code, name, created_at) VALUES ($1, $2, $3)";
        tx.execute(insert, values![agency, "中心", "2026"]).await.unwrap();
        let columns =
            ["agency_code", "list_no", "row_no", "citizen_number", "name", "from_on", "to_on", "amount_fen", "detail"];
        let lists = [
            "agency_code",
            "list_no",
            "kind",
            "source",
            "file_name",
            "digest",
            "row_count",
            "imported_by",
            "imported_on",
            "event_no",
        ];
        let content =
            |no: i64| if no == 7 { Vec::new() } else { (0..no).map(|b| b.to_le_bytes()[0]).collect::<Vec<u8>>() };
        let file = |no: i64| -> Vec<Value> {
            let mut row = values![agency, format!("{no:x}"), "名单.csv", no];
            row.push(Value::Bytes(content(no)));
            row.push(Value::from(1));
            row
        };
        let files = ["agency_code", "digest", "name", "byte_count", "content", "event_no"];
        tx.insert_rows("kept_file", &files, (1..=600).map(file)).await.unwrap();
        let piece = |no: i64| {
            let mut row = values![agency, format!("{:x}", no % 10 + 1), no];
            row.push(Value::Bytes(content(no)));
            row
        };
        let pieces = ["agency_code", "digest", "piece_no", "content"];
        tx.insert_rows("kept_piece", &pieces, (2..=40).map(piece)).await.unwrap();
        let list = |no: i64| values![agency, no, "death", "", "名单.csv", format!("{no:x}"), 1, "甲", 20_260_101, 1];
        tx.insert_rows("comparison_list", &lists, (1..=3).map(list)).await.unwrap();
        let entry =
            |no: i64| values![agency, no % 3 + 1, no, "", "甲\t\\N", (no % 2 == 0).then_some(no), None::<i64>, no, ""];
        tx.insert_rows("comparison_entry", &columns, (1..=30_000).map(entry)).await.unwrap();
        let counters = ["agency_code", "name", "value"];
        tx.insert_rows("counter", &counters, NAMES.iter().map(|name| values![agency, *name, 1])).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// On PostgreSQL also a database whose language sorts otherwise than bytes do, where the server knows one.
async fn places() -> Vec<TestDatabase> {
    let mut places = Vec::new();
    for engine in [Engine::Sqlite, Engine::Sqlite, Engine::Postgres] {
        places.extend(TestDatabase::create(engine).await);
    }
    places.extend(TestDatabase::create_in_chinese().await);
    places
}

#[tokio::test]
async fn a_long_file_is_kept_in_pieces_and_every_byte_of_it_counts() {
    const PIECE: usize = 256 << 10;
    let bytes = |count: usize| (0..count).map(|at| (at % 251).to_le_bytes()[0]).collect::<Vec<u8>>();
    on_both(async |home| {
        // Around the bounds of a piece, and longer than what is read at once.
        for count in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 16 * PIECE, 17 * PIECE, 40 * PIECE + 5] {
            let mut tx = home.database.write().await.unwrap();
            let bytes = bytes(count);
            let digest = kept_file::keep(&mut tx, "652827", "长文件", &bytes, 1).await.unwrap();
            assert_eq!(kept_file::keep(&mut tx, "652827", "再来一次", &bytes, 2).await.unwrap(), digest);
            let held = kept_file::content(&mut tx, "652827", &digest).await.unwrap();
            assert!(held == bytes, "{count}");
            let [kept] = &*kept_file::all(&mut tx, "652827").await.unwrap() else { panic!("{count}") };
            assert_eq!(*kept, (digest.clone(), "长文件".to_string(), i64::try_from(count).unwrap()));
            kept_file::verify(&mut tx, "652827", kept).await.unwrap();
            assert!(kept_file::content(&mut tx, "652828", &digest).await.is_err(), "another office has no such file");
            // Dropped: nothing of it is kept.
        }
        for forgery in [
            "DELETE FROM kept_piece WHERE piece_no = 2",
            "DELETE FROM kept_piece WHERE piece_no = 41",
            "DELETE FROM kept_piece",
            "UPDATE kept_piece SET piece_no = 100 WHERE piece_no = 3",
            "UPDATE kept_piece SET content = (SELECT k.content FROM kept_file AS k) WHERE piece_no = 41",
            "UPDATE kept_file SET content = (SELECT k.content FROM kept_piece AS k WHERE k.piece_no = 41)",
            "UPDATE kept_file SET byte_count = byte_count + 1",
            "UPDATE kept_file SET byte_count = 3",
            "INSERT INTO kept_piece (agency_code, digest, piece_no, content) \
             SELECT agency_code, digest, 42, content FROM kept_piece WHERE piece_no = 41",
        ] {
            let mut tx = home.database.write().await.unwrap();
            let digest = kept_file::keep(&mut tx, "652827", "长文件", &bytes(40 * PIECE + 5), 1).await.unwrap();
            let kept = kept_file::all(&mut tx, "652827").await.unwrap().remove(0);
            assert!(tx.execute(forgery, vec![]).await.unwrap() > 0, "{forgery}");
            assert!(kept_file::content(&mut tx, "652827", &digest).await.is_err(), "{forgery}");
            assert!(kept_file::verify(&mut tx, "652827", &kept).await.is_err(), "{forgery}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_many_pages_is_the_same_everywhere() {
    let mut places = places().await;
    fill(&places[0].database).await;
    let mut before = places[0].database.read().await.unwrap();
    let first = whole_office::survey(&mut before).await.unwrap();
    drop(before);
    let rows = |name: &str| first.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!((rows("comparison_entry").rows, rows("kept_file").rows, rows("counter").rows), (60_000, 1_200, 18));
    assert_eq!(rows("comparison_entry").sums, [("amount_fen".to_string(), 900_030_000)]);
    // Every table of the schema is in the survey, but the one that says where a database went.
    let mut tables: Vec<String> = schema::columns(&places[0].database).await.into_iter().map(|c| c.table).collect();
    tables.dedup();
    tables.retain(|table| table != "moved_away");
    assert_eq!(first.tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>(), tables);
    for pair in places.windows(2) {
        let mut source = pair[0].database.read().await.unwrap();
        let mut target = pair[1].database.write().await.unwrap();
        assert!(whole_office::is_empty(&mut target).await.unwrap());
        whole_office::copy(&mut source, &mut target, |_| ()).await.unwrap();
        assert_eq!(whole_office::survey(&mut target).await.unwrap(), first, "{:?}", pair[1].engine);
        target.commit().await.unwrap();
    }
    for home in places.drain(..) {
        home.close().await;
    }
}

#[tokio::test]
async fn a_survey_sees_every_change() {
    on_both(async |home| {
        fill(&home.database).await;
        let survey = async || whole_office::survey(&mut home.database.read().await.unwrap()).await.unwrap();
        let mut last = survey().await;
        for (table, sql) in [
            (
                "kept_file",
                "UPDATE kept_file SET content = (SELECT k.content FROM kept_file AS k WHERE k.agency_code = '652828' AND k.digest = '10') WHERE digest = 'ff'",
            ),
            ("kept_piece", "UPDATE kept_piece SET piece_no = 100 WHERE agency_code = '652828' AND piece_no = 9"),
            (
                "comparison_entry",
                "UPDATE comparison_entry SET name = '甲\t\\n' WHERE agency_code = '652828' AND row_no = 30000",
            ),
            ("comparison_entry", "UPDATE comparison_entry SET detail = name, name = detail WHERE row_no = 4001"),
            ("comparison_entry", "UPDATE comparison_entry SET from_on = to_on, to_on = from_on WHERE row_no = 8000"),
            ("counter", "DELETE FROM counter WHERE agency_code = '652827' AND name = '_x'"),
            ("counter", "UPDATE counter SET name = '_y' WHERE name = 'x' AND agency_code = '652827'"),
            ("audit_head", "INSERT INTO audit_head (agency_code, event_no, hash) VALUES ('652827', 0, '')"),
        ] {
            let mut tx = home.database.write().await.unwrap();
            assert!(tx.execute(sql, vec![]).await.unwrap() > 0, "{sql}");
            tx.commit().await.unwrap();
            let now = survey().await;
            let differing: Vec<&str> = last.differing(&now).into_iter().map(|(table, _)| table.name.as_str()).collect();
            assert_eq!(differing, [table], "{sql}");
            assert_ne!(last.digest, now.digest);
            last = now;
        }
        let mut tx = home.database.write().await.unwrap();
        tx.execute("INSERT INTO counter (agency_code, name, value) VALUES ('nobody', 'x', 1)", vec![]).await.unwrap();
        let orphan = whole_office::survey(&mut tx).await.unwrap_err().to_string();
        assert!(orphan.contains("counter") && orphan.contains("不属于任何经办机构"), "{orphan}");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_committed_did_not_happen_and_a_constraint_is_kept() {
    on_both(async |home| {
        let insert = "INSERT INTO agency (agency_code, name, created_at) VALUES ($1, $2, $3)";
        let mut tx = home.database.write().await.unwrap();
        tx.execute(insert, values!["652827", "和静县", "2026"]).await.unwrap();
        drop(tx);
        let mut tx = home.database.write().await.unwrap();
        assert_eq!(tx.execute(insert, values!["652827", "和静县", "2026"]).await.unwrap(), 1, "it was not there");
        tx.commit().await.unwrap();
        let mut tx = home.database.write().await.unwrap();
        let twice = tx.execute(insert, values!["652827", "和静县", "2026"]).await.unwrap_err();
        assert!(twice.is_conflict(), "{twice}");
        drop(tx);
        for (what, sql) in [
            (
                "payments of no run",
                "INSERT INTO payment_page VALUES ('652827', 202601, 9, 1, 1, 1, 1, 1, '')",
            ),
            ("a role that is none", "INSERT INTO actor VALUES ('652827', '甲', 1, 'king', 1)"),
            (
                "more reserved than there is",
                "INSERT INTO appropriation VALUES ('652827', 1, 2026, 'd', 's', 'p', '1', '1', 'local', 'basic', 100, 50, 60, 0)",
            ),
            (
                "less than nothing",
                "INSERT INTO appropriation VALUES ('652827', 1, 2026, 'd', 's', 'p', '1', '1', 'local', 'basic', 100, -1, 101, 0)",
            ),
        ] {
            let mut tx = home.database.write().await.unwrap();
            let error = tx.execute(sql, vec![]).await.expect_err(what);
            assert!(!error.is_conflict(), "{what}: {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn opening_again_migrates_nothing_and_a_newer_database_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(home) = TestDatabase::create(engine).await else { continue };
        let again = Database::open(&home.url).await.unwrap();
        let applied: Vec<(i64,)> =
            again.read().await.unwrap().fetch_all("SELECT COUNT(*) FROM _sqlx_migrations", vec![]).await.unwrap();
        assert_eq!(usize::try_from(applied[0].0).unwrap(), fs::read_dir("migrations").unwrap().count());
        let mut tx = again.write().await.unwrap();
        tx.execute("UPDATE _sqlx_migrations SET version = version + 1000", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        again.close().await;
        let failure = fafang::failure::Failure::from(Database::open(&home.url).await.unwrap_err());
        assert_eq!(failure.code, "NEWER_DATABASE");
        home.discard().await;
    }
    let nowhere = tempfile::tempdir().unwrap();
    let path = nowhere.path().join("none.db");
    let failure = fafang::failure::Failure::from(Database::open(path.to_str().unwrap()).await.unwrap_err());
    assert_eq!((failure.code, path.exists()), ("NO_DATABASE", false));
}

#[test]
fn every_statement_has_a_name_of_its_own() {
    let mut names: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (file, name, _) in all_statements() {
        *names.entry((file, name)).or_default() += 1;
    }
    assert!(names.values().all(|count| *count == 1), "{names:?}");
    for entry in fs::read_dir("src/storage").unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        let is_listed = names.keys().any(|(file, _)| *file == stem);
        assert_eq!(text.contains("\nstatements! {"), is_listed, "{stem} stands in all_statements");
    }
}
