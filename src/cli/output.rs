//! What the user sees: data on stdout, everything else on stderr.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::exit_code;
use crate::domain::finding::{RowFinding, Severity};
use crate::failure::Failure;
use crate::reports::render::{json as json_report, text};
use crate::reports::table::Report;

/// Most errors printed; the rejects file has them all.
const MOST_ERRORS: usize = 200;

/// Most warnings and notices printed: they must not bury the errors. `--json` has them all.
const MOST_WARNINGS: usize = 20;

/// How a command answers: text for people, or one JSON document.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// True for `--json`.
    pub json: bool,
}

impl Output {
    /// One JSON document with `--json`, else the text.
    pub fn answer(self, document: impl FnOnce() -> Value, words: impl FnOnce() -> String) {
        let text = if self.json { document().to_string() } else { words() };
        write_or_stop(&mut io::stdout().lock(), &text);
    }

    /// A report as text or JSON.
    pub fn report(self, report: &Report) {
        self.answer(|| json_report::render(report), || text::render(report).trim_end().to_string());
    }

    /// Something to know, on stderr.
    pub fn note(self, words: &str) {
        let _ = writeln!(io::stderr().lock(), "{words}");
    }

    /// Row findings on stderr, unless JSON carries them.
    pub fn findings(self, findings: &[RowFinding], file: &str) {
        if self.json {
            return;
        }
        let mut stderr = io::stderr().lock();
        let (errors, others): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.severity == Severity::Error);
        for (list, most) in [(errors, MOST_ERRORS), (others, MOST_WARNINGS)] {
            for finding in list.iter().take(most) {
                let _ = writeln!(stderr, "{} {file} {}", finding.severity.title(), finding.sentence());
            }
            if list.len() > most {
                let _ = writeln!(stderr, "……还有 {} 条{}", list.len() - most, list[0].severity.title());
            }
        }
    }

    /// A failure: JSON on stdout, or message and hint on stderr. Returns the exit code.
    pub fn failure(self, failure: &Failure) -> u8 {
        if self.json {
            let document = json!({ "error": {
                "code": failure.code, "message": failure.message, "hint": failure.hint, "findings": failure.findings,
            }});
            write_or_stop(&mut io::stdout().lock(), &document.to_string());
        } else {
            self.complain(failure);
        }
        exit_code::of(failure.kind)
    }

    /// Message and hint on stderr.
    pub fn complain(self, failure: &Failure) {
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{}: {} [{}]", Severity::Error.title(), failure.message, failure.code);
        if !failure.hint.is_empty() {
            let _ = writeln!(stderr, "提示: {}", failure.hint);
        }
    }
}

/// A reader that closed the pipe has seen enough: that is no failure.
fn write_or_stop(out: &mut impl Write, text: &str) {
    if writeln!(out, "{text}").is_err() {
        std::process::exit(i32::from(exit_code::DONE));
    }
}
