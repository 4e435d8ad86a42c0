//! The program as a clerk and another program see it: commands, exit codes, files, JSON.

mod bad_input;
mod bank_layouts;
mod commands;
mod crash;
mod exchange;
mod move_office;
mod publicity;
mod recovery;
mod sftp;
mod statements;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{CODE, Engine, SCHEME, TestDatabase};

/// The county's people, each with one post.
const MAKER: &str = "阿依努尔";
const REVIEWER: &str = "王建国";
const APPROVER: &str = "李红梅";
const FINANCE: &str = "巴特尔";

/// A working folder with the program in it.
struct Desk {
    folder: tempfile::TempDir,
    /// Given as `--database`; none means the folder's own configuration.
    database: Option<String>,
}

/// What a command answered.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    #[track_caller]
    fn done(self) -> Answer {
        self.exits(0)
    }

    #[track_caller]
    fn exits(self, code: i32) -> Answer {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }

    #[track_caller]
    fn says(self, words: &str) -> Answer {
        let all = format!("{}\n{}", self.out, self.err);
        assert!(all.contains(words), "“{words}” is not in:\n{all}");
        self
    }
}

impl Desk {
    fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap(), database: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fafang"));
        for name in ["FAFANG_CONFIG", "FAFANG_DATABASE", "FAFANG_USER", "FAFANG_LOG", "FAFANG_CRASH_AT"] {
            command.env_remove(name);
        }
        command.env("USER", "管理员甲").current_dir(self.folder.path()).args(words).stdin(Stdio::null());
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        command
    }

    fn run(&self, words: &[&str]) -> Answer {
        answer(&mut self.command(words))
    }

    fn as_(&self, who: &str, words: &[&str]) -> Answer {
        self.run(&[&["--as", who], words].concat())
    }

    /// The office with its people, scheme and money, and nobody on the roster.
    fn with_office(self) -> Desk {
        self.run(&["init", "--agency", "652827", "--name", "和静县社会保险中心"]).done();
        for (name, role) in [(MAKER, "maker"), (REVIEWER, "reviewer"), (APPROVER, "approver"), (FINANCE, "finance")] {
            self.run(&["user", "add", name, "--role", role]).done();
        }
        self.put("scheme.toml", SCHEME);
        self.run(&["scheme", "load", "scheme.toml"]).done();
        self.as_(FINANCE, &["budget", "load", "scheme.toml"]).done();
        self
    }

    fn with_people(self, count: usize) -> Desk {
        self.put("roster.csv", roster(count));
        self.as_(MAKER, &["roster", "import", "roster.csv", "--scheme", CODE]).done();
        self
    }

    /// Prepares and signs; the run's code.
    fn signed(&self, period: &str) -> String {
        let run = self.prepared(period);
        self.as_(MAKER, &["run", "submit", &run]).done();
        self.as_(REVIEWER, &["run", "review", &run]).done();
        self.as_(APPROVER, &["run", "approve", &run]).done();
        run
    }

    fn prepared(&self, period: &str) -> String {
        let made = self.as_(MAKER, &["run", "prepare", "--scheme", CODE, "--period", period, "--json"]).done();
        made.json()["run"].as_str().unwrap().to_string()
    }

    /// How much has been written down: every step that did something is one event.
    fn events(&self) -> u64 {
        self.run(&["audit", "verify", "--json"]).done().json()["events"].as_u64().unwrap()
    }

    /// Asserts that a step changed nothing and left the office healthy.
    #[track_caller]
    fn changes_nothing(&self, step: impl FnOnce() -> Answer) -> Answer {
        let before = self.events();
        let answer = step();
        assert_eq!(self.events(), before, "{answer:?}");
        self.is_healthy();
        answer
    }

    #[track_caller]
    fn is_healthy(&self) {
        self.run(&["doctor"]).done();
    }
}

fn answer(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A roster of invented people as a clerk keeps it.
fn roster(count: usize) -> String {
    let banks = fafang::formats::bank::book::built_in().unwrap();
    let people = fafang::training::people::invent(count, 7, &banks);
    fafang::training::people::roster_csv(
        &people,
        &banks,
        "2026-01".parse().unwrap(),
        Some(fafang::domain::money::Money(12_000)),
    )
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

/// A story on a SQLite file of the folder and, where there is a server, on PostgreSQL.
async fn on_both_engines(story: impl Fn(Desk)) {
    story(Desk::new());
    if let Some(database) = TestDatabase::create(Engine::Postgres).await {
        story(Desk { folder: tempfile::tempdir().unwrap(), database: Some(database.url.clone()) });
        database.close().await;
    }
}
