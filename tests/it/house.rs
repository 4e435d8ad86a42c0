//! The rules of the house, read from the sources: which layer may know which, where SQL stands,
//! who prints. Every rule has a planted sample that it must catch.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers and root files by name, with what each may know. `cli` and `main` may know everything.
const MAY_KNOW: [(&str, &[&str]); 14] = [
    ("domain", &["domain"]),
    ("calculation", &["domain", "calculation"]),
    ("formats", &["domain", "formats", "progress"]),
    ("storage", &["domain", "storage"]),
    ("training", &["domain", "formats", "training"]),
    ("office", ROOT_FILE),
    ("failure", ROOT_FILE),
    ("clock", ROOT_FILE),
    ("crash", ROOT_FILE),
    ("progress", &[]),
    (
        "workflow",
        &["domain", "calculation", "formats", "storage", "workflow", "office", "failure", "clock", "crash", "progress"],
    ),
    ("reports", &["domain", "calculation", "formats", "storage", "reports", "office", "failure", "clock", "progress"]),
    ("exchange", &["domain", "exchange", "failure", "crash"]),
    ("lib", &[]),
];

const ROOT_FILE: &[&str] = &["domain", "formats", "storage", "clock", "failure", "progress"];

/// The story of a whole year is told with the office's own verbs.
const STORY: (&str, &[&str]) = (
    "src/training/county_year.rs",
    &["workflow", "office", "failure", "reports", "exchange", "clock", "calculation", "storage"],
);

/// No file is longer.
const MOST_LINES: usize = 1_300;

/// A source file with comments blanked, so that a word in a sentence is no word of the program.
struct Source {
    path: String,
    text: String,
    /// The same without its unit tests.
    program: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let text = without_comments(text);
        let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_string();
        Source { path: path.to_string(), text, program }
    }

    /// The layer: folder or root file below `src`.
    fn layer(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_free(&self) -> bool {
        ["cli", "main"].contains(&self.layer())
    }
}

/// Line comments become nothing; texts in quotes stay as they are.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut in_quotes = false;
    for line in text.lines() {
        let bytes = line.as_bytes();
        let mut end = line.len();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if in_quotes => at += 1,
                b'\'' if !in_quotes && bytes[at + 1..].starts_with(b"\"'") => at += 2,
                b'\'' if !in_quotes && bytes[at + 1..].starts_with(b"\\\"'") => at += 3,
                b'"' => in_quotes = !in_quotes,
                b'/' if !in_quotes && bytes[at + 1..].starts_with(b"/") => {
                    end = at;
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        plain.push_str(&line[..end]);
        plain.push('\n');
    }
    plain
}

fn sources() -> Vec<Source> {
    fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(Path::new("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 50, "{}", paths.len());
    let read = |path: &PathBuf| Source::new(path.to_str().unwrap(), &fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

/// Names of our modules that a file speaks of: `crate::x`, `crate::{x, y}`, `fafang::x`,
/// `super::super::…` up to the root, `values!`.
fn known(source: &Source) -> Vec<String> {
    let mut names = Vec::new();
    // How many `super::` reach the root from this file: one for each folder below `src`.
    let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
    let upwards = "super::".repeat(depth.max(1));
    for start in ["crate::", "fafang::", upwards.as_str()] {
        for (at, _) in source.text.match_indices(start) {
            let before = source.text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = source.text[at + start.len()..].trim_start();
            match rest.strip_prefix('{') {
                Some(list) => names.extend(first_names(list)),
                None => names.extend(first_name(rest)),
            }
        }
    }
    let macro_names = ["values", "statements"];
    let says_macro = macro_names.iter().any(|name| {
        let call = format!("{name}!");
        source
            .text
            .match_indices(&call)
            .any(|(at, _)| !source.text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    });
    names.retain(|name| name != "values");
    if says_macro {
        names.push("storage".to_string());
    }
    names.sort();
    names.dedup();
    names
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first name of each entry of a use list, at its outer level.
fn first_names(list: &str) -> Vec<String> {
    let (mut names, mut level, mut entry) = (Vec::new(), 0, String::new());
    for c in list.chars() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => {
                names.extend(first_name(entry.trim_start()));
                entry.clear();
            }
            _ if level == 0 => entry.push(c),
            _ => {}
        }
    }
    names.extend(first_name(entry.trim_start()));
    names
}

/// Arrows that the picture of the house does not have.
fn wrong_arrows(source: &Source) -> Vec<String> {
    if source.is_free() {
        return Vec::new();
    }
    let Some((_, may_know)) = MAY_KNOW.iter().find(|(layer, _)| *layer == source.layer()) else {
        return vec![format!("{}: {} is no layer of the house", source.path, source.layer())];
    };
    // What is no layer is an item of the root or of a module inside the file.
    let is_layer =
        |name: &str| ["cli", "main", "web"].contains(&name) || MAY_KNOW.iter().any(|(layer, _)| *layer == name);
    let is_allowed = |name: &str| {
        !is_layer(name)
            || may_know.contains(&name)
            || name == source.layer()
            || (source.path == STORY.0 && STORY.1.contains(&name))
    };
    let wrong = known(source).into_iter().filter(|name| !is_allowed(name));
    wrong.map(|name| format!("{}: {} may not know {name}", source.path, source.layer())).collect()
}

/// Two neighbouring words that only SQL has, in texts of the program.
const SQL: [(&str, &str); 8] = [
    ("SELECT", "FROM"),
    ("INSERT", "INTO"),
    ("DELETE", "FROM"),
    ("UPDATE", "SET"),
    ("CREATE", "TABLE"),
    ("ALTER", "TABLE"),
    ("ORDER", "BY"),
    ("GROUP", "BY"),
];

/// Words of one engine only.
const DIALECT: [&str; 15] = [
    "PRAGMA",
    "VACUUM",
    "COPY ",
    "BEGIN",
    "ISOLATION LEVEL",
    "sqlite_master",
    "pg_",
    "rowid",
    "ILIKE",
    "GLOB ",
    "::BIGINT",
    "::TEXT",
    "SqlitePool",
    "PgPool",
    "INSERT OR",
];

/// Texts in quotes.
fn texts(program: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut text: Option<String> = None;
    let mut rest = program.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, &mut text) {
            ('\'', None) if rest.peek() == Some(&'"') => {
                rest.next();
            }
            ('\\', Some(inner)) => inner.extend(rest.next().filter(|c| *c != '\n')),
            ('"', Some(_)) => texts.extend(text.take()),
            ('"', None) => text = Some(String::new()),
            (c, Some(inner)) => inner.push(c),
            _ => {}
        }
    }
    texts
}

fn sql_outside_storage(source: &Source) -> Vec<String> {
    if source.layer() == "storage" {
        return Vec::new();
    }
    let is_sql = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        SQL.iter().any(|(first, second)| words.contains(first) && words.contains(second))
    };
    let mut wrong: Vec<String> = texts(&source.program).into_iter().filter(|text| is_sql(text)).collect();
    if source.program.contains("sqlx::query") {
        wrong.push("sqlx::query".into());
    }
    wrong.into_iter().map(|text| format!("{}: SQL outside storage: {text}", source.path)).collect()
}

fn dialect_outside_the_engine(source: &Source) -> Vec<String> {
    let is_storage = source.layer() == "storage";
    if source.path == "src/storage/engine.rs" {
        return Vec::new();
    }
    let mut looked_at = if is_storage { texts(&source.program).join("\n") } else { String::new() };
    looked_at.push_str(&source.program.replace(char::is_whitespace, " ").replace("COPY ", "").replace("BEGIN", ""));
    let words = DIALECT.iter().filter(|word| looked_at.contains(**word) && (is_storage || !word.ends_with(' ')));
    words.map(|word| format!("{}: {word} belongs into storage/engine.rs", source.path)).collect()
}

fn prints(source: &Source) -> Vec<String> {
    if source.layer() == "cli" {
        return Vec::new();
    }
    let ends_a_word = |text: &str| text.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_said = |word: &str| source.program.match_indices(word).any(|(at, _)| !ends_a_word(&source.program[..at]));
    let words = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "io::stdout(", "io::stderr("];
    let said = words.into_iter().filter(|word| is_said(word));
    said.map(|word| format!("{}: {word} outside cli", source.path)).collect()
}

/// Texts that begin like a path of one machine.
fn absolute_paths(source: &Source) -> Vec<String> {
    const STARTS: [&str; 8] = ["/home/", "/root/", "/tmp/", "/usr/", "/etc/", "/var/", "/opt/", "C:\\"];
    let found = texts(&source.text).into_iter().filter(|text| STARTS.iter().any(|start| text.contains(start)));
    found.map(|text| format!("{}: {text} is a path of one machine", source.path)).collect()
}

fn is_clean(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn in_all(rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(rule).collect()
}

#[test]
fn no_layer_knows_what_it_should_not() {
    is_clean(&in_all(wrong_arrows));
}

#[test]
fn planted_arrows_are_caught() {
    for (path, text, wrong) in [
        ("src/domain/a.rs", "use crate::storage::run;", "storage"),
        ("src/domain/a.rs", "use crate::{domain::money, formats::table};", "formats"),
        ("src/domain/a.rs", "fn f() { crate::clock::Clock::System; }", "clock"),
        ("src/domain/a.rs", "use super::super::workflow::step;", "workflow"),
        ("src/formats/bank/a.rs", "use super::super::super::storage::run;", "storage"),
        ("src/calculation/a.rs", "use crate::formats::table;", "formats"),
        ("src/formats/a.rs", "use crate::calculation::claim;", "calculation"),
        ("src/storage/a.rs", "use crate::failure::Failure;", "failure"),
        ("src/training/a.rs", "use crate::workflow::step;", "workflow"),
        ("src/training/county_year.rs", "use crate::cli::output;", "cli"),
        ("src/office.rs", "use crate::workflow::step;", "workflow"),
        ("src/workflow/a.rs", "use crate::{\n    reports::doctor,\n};", "reports"),
        ("src/workflow/a.rs", "pub(in crate::cli) fn f() {}", "cli"),
        ("src/reports/a.rs", "use fafang::workflow::step;", "workflow"),
        ("src/reports/a.rs", "use crate::exchange::folder;", "exchange"),
        ("src/exchange/a.rs", "use crate::storage::run;", "storage"),
        ("src/exchange/a.rs", "let v = values![1];", "storage"),
        ("src/exchange/a.rs", "let v = crate::values![1];", "storage"),
        ("src/lib.rs", "use crate::domain::money;", "domain"),
        ("src/helpers/a.rs", "", "helpers"),
    ] {
        let found = wrong_arrows(&Source::new(path, text));
        assert!(found.len() == 1 && found[0].contains(wrong), "{path}: {text}: {found:?}");
    }
    for (path, text) in [
        ("src/domain/a.rs", "//! crate::storage is elsewhere\nuse super::money; // crate::storage"),
        ("src/domain/a.rs", "const A: &str = \"// crate\"; use crate::domain::money;"),
        ("src/storage/a.rs", "use crate::values; use super::engine::Tx; let v = values![1];"),
        ("src/training/county_year.rs", "use crate::workflow::step; use crate::reports::doctor;"),
        ("src/formats/bank/a.rs", "use super::super::charset;"),
        ("src/cli/a.rs", "use crate::storage::run;"),
        ("src/main.rs", "use fafang::cli;"),
    ] {
        is_clean(&wrong_arrows(&Source::new(path, text)));
    }
}

#[test]
fn sql_stands_in_storage_only() {
    is_clean(&in_all(sql_outside_storage));
    for text in
        ["\"SELECT 1 FROM run\"", "\"UPDATE run \\\n SET x = 1\"", "sqlx::query(\"x\")", "let s = \"x ORDER BY y\";"]
    {
        let found = sql_outside_storage(&Source::new("src/reports/a.rs", text));
        assert_eq!(found.len(), 1, "{text}");
    }
    is_clean(&sql_outside_storage(&Source::new("src/reports/a.rs", "// SELECT a FROM b\nlet s = \"FROM here\";")));
    is_clean(&sql_outside_storage(&Source::new("src/storage/a.rs", "\"SELECT 1 FROM run\"")));
}

#[test]
fn one_file_knows_sqlite_from_postgres() {
    is_clean(&in_all(dialect_outside_the_engine));
    for text in
        ["\"PRAGMA foreign_keys\"", "\"SELECT pg_sleep(1)\"", "\"INSERT OR IGNORE INTO run\"", "use sqlx::PgPool;"]
    {
        let found = dialect_outside_the_engine(&Source::new("src/storage/a.rs", text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
    assert_eq!(dialect_outside_the_engine(&Source::new("src/cli/a.rs", "use sqlx::SqlitePool;")).len(), 1);
    is_clean(&dialect_outside_the_engine(&Source::new("src/storage/engine.rs", "\"PRAGMA x\"")));
}

#[test]
fn only_the_command_line_prints() {
    is_clean(&in_all(prints));
    for text in ["println!(\"x\");", "eprintln!();", "dbg!(1);", "writeln!(std::io::stdout(), \"x\");"] {
        assert_eq!(prints(&Source::new("src/workflow/a.rs", text)).len(), 1, "{text}");
    }
    is_clean(&prints(&Source::new("src/cli/a.rs", "println!(\"x\");")));
    is_clean(&prints(&Source::new(
        "src/workflow/a.rs",
        "// println!\n#[cfg(test)]\nmod tests { fn f() { println!(); } }",
    )));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    is_clean(&in_all(absolute_paths));
    assert_eq!(absolute_paths(&Source::new("src/cli/a.rs", "let p = \"/home/li/office.db\";")).len(), 1);
    is_clean(&absolute_paths(&Source::new("src/cli/a.rs", "let p = \"元/月/人\"; // /home/li")));
}

#[test]
fn no_file_is_longer_than_can_be_read_in_one_go() {
    let too_long = |path: &str, text: &str| {
        let lines = text.lines().count();
        (lines > MOST_LINES).then(|| format!("{path}: {lines} lines"))
    };
    let long: Vec<String> = sources().iter().filter_map(|s| too_long(&s.path, &s.text)).collect();
    is_clean(&long);
    assert!(too_long("a.rs", &"\n".repeat(MOST_LINES + 1)).is_some());
    assert!(too_long("a.rs", &"\n".repeat(MOST_LINES)).is_none());
}

#[test]
fn the_house_has_no_room_for_odds_and_ends() {
    for source in sources() {
        for word in source.path.split(['/', '.']) {
            let is_vague = ["utils", "util", "common", "helpers", "helper", "types", "manager", "misc"].contains(&word);
            assert!(!is_vague, "{}: named after no word of the business", source.path);
        }
    }
}
