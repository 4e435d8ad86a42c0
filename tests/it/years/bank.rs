//! The bank as it really is: what it credited and took back, read from nothing but the bytes of
//! payment files; and its answers, honest or not, written row by row together with what a careful
//! office must make of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use encoding_rs::GB18030;

use super::model::{LineState, Run, yuan};
use crate::support::dice::Dice;

/// What the bank really did with one row of ours.
pub struct Entry {
    pub line_no: String,
    pub account: String,
    pub holder: String,
    pub fen: i64,
    pub citizen_number: String,
    pub is_credited: bool,
    pub is_taken_back: bool,
}

/// All rows the bank ever got, by payment reference.
#[derive(Default)]
pub struct Ledger {
    pub entries: BTreeMap<String, Entry>,
    /// Bank references given out, so that no two answers have the same bytes.
    given: u64,
}

fn fen(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap();
    assert_eq!(part.len(), 2);
    whole.parse::<i64>().unwrap() * 100 + part.parse::<i64>().unwrap()
}

/// Lines of a file, split.
pub fn fields(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes).unwrap();
    text.lines().map(|line| line.split('|').map(ToString::to_string).collect()).collect()
}

impl Ledger {
    /// Carries out a payment file. Rows it has seen are not carried out again.
    pub fn carry_out(&mut self, bytes: &[u8], dice: &mut Dice, failures: usize) {
        for row in fields(bytes).iter().filter(|row| row[0] == "D") {
            let is_credited = !dice.percent(failures);
            self.entries.entry(row[7].clone()).or_insert_with(|| Entry {
                line_no: row[1].clone(),
                account: row[2].clone(),
                holder: row[3].clone(),
                fen: fen(&row[4]),
                citizen_number: row[5].clone(),
                is_credited,
                is_taken_back: false,
            });
        }
    }
}

/// What a row of an answer makes of its payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Credited,
    Rejected { hold: Option<bool> },
    Returned { hold: Option<bool> },
}

/// An answer with what must follow from it.
#[derive(Default)]
pub struct Crafted {
    pub bytes: Vec<u8>,
    /// By index of the line in the run.
    pub effects: BTreeMap<usize, Effect>,
    /// Code and line number.
    pub findings: Vec<(&'static str, Option<i64>)>,
    /// The sums of the file deny each other: it must be refused.
    pub is_refused: bool,
    /// Kinds of rows planted.
    pub kinds: Vec<&'static str>,
    pub rows: usize,
}

#[derive(Clone)]
struct Row {
    line_no: String,
    account: String,
    holder: String,
    fen: i64,
    status: String,
    code: &'static str,
    bank_ref: String,
    reference: String,
}

/// Codes of failures: code, whether a hold follows, and whether a new account answers it.
const FAILURES: [(&str, Option<bool>); 6] = [
    ("3031", Some(true)),
    ("3018", Some(true)),
    ("3051", Some(false)),
    ("3028", None),
    ("3008", None),
    ("9999", Some(false)),
];
const LATE_FAILURES: [(&str, Option<bool>); 4] =
    [("3056", Some(true)), ("3018", Some(true)), ("3028", None), ("9999", Some(false))];
/// All codes that this bank uses and the layout knows.
pub const CODES: [&str; 6] = ["3031", "3018", "3051", "3028", "3008", "3056"];
/// Status texts that look like something and are nothing.
const NO_STATUS: [&str; 6] = ["未成功", "成功", "s", "", "R", "失败"];

fn reference(run: &Run, line: usize) -> String {
    format!("652827-{}{:02}-{}-{}", run.last / 12, run.last % 12 + 1, run.no, line + 1)
}

fn line_no(line: usize) -> i64 {
    i64::try_from(line + 1).unwrap()
}

struct Clerk<'a> {
    run: &'a Run,
    file: usize,
    dice: &'a mut Dice,
    rows: Vec<Row>,
    out: Crafted,
}

impl Ledger {
    fn row(&mut self, run: &Run, line: usize) -> Row {
        let reference = reference(run, line);
        let entry = &self.entries[&reference];
        self.given += 1;
        Row {
            line_no: entry.line_no.clone(),
            account: entry.account.clone(),
            holder: entry.holder.clone(),
            fen: entry.fen,
            status: String::new(),
            code: "",
            bank_ref: format!("B{}", self.given),
            reference,
        }
    }

    /// A return of a file. The first answers all rows, a later one some of those still open. A tame
    /// one is honest and complete.
    pub fn craft_return(&mut self, run: &Run, file: usize, dice: &mut Dice, is_tame: bool) -> Crafted {
        let is_first = !run.files[file].is_answered;
        let lines = run.files[file].lines.clone();
        let mut clerk = Clerk { run, file, dice, rows: Vec::new(), out: Crafted::default() };
        for line in lines {
            let row = self.row(run, line);
            let is_credited = self.entries[&row.reference].is_credited;
            match run.lines[line].state {
                LineState::Sent if is_tame => clerk.honest(line, row, is_credited),
                LineState::Sent if is_first => clerk.any(line, row, is_credited, true),
                LineState::Sent => {
                    if clerk.dice.percent(75) {
                        clerk.any(line, row, is_credited, false);
                    }
                }
                state => clerk.again(line, row, state, is_tame),
            }
        }
        if !is_tame {
            clerk.strangers();
            if clerk.dice.percent(30) {
                clerk.dice.shuffle(&mut clerk.rows);
            }
        }
        clerk.finish("R", "S", true)
    }

    /// A late return of a file: credited payments come back, and some rows that cannot be.
    pub fn craft_late(&mut self, run: &Run, file: usize, dice: &mut Dice) -> Crafted {
        let lines = run.files[file].lines.clone();
        let mut clerk = Clerk { run, file, dice, rows: Vec::new(), out: Crafted::default() };
        for line in lines {
            let mut row = self.row(run, line);
            let reference = row.reference.clone();
            let (code, hold) = *clerk.dice.pick(&LATE_FAILURES);
            row.code = code;
            row.status = "R".into();
            let is_credited = run.lines[line].state == LineState::Credited;
            match clerk.dice.below(20) {
                0..6 if is_credited => {
                    self.entries.get_mut(&reference).unwrap().is_taken_back = true;
                    let times = if clerk.dice.percent(20) { 2 } else { 1 };
                    clerk.returned(line, row, hold, times);
                }
                6..8 if !is_credited => clerk.odd("late_not_credited", "LATE_RETURN_NOT_CREDITED", line, row),
                8 => {
                    row.status = "S".into();
                    clerk.odd("late_status_unknown", "RETURN_STATUS_UNKNOWN", line, row);
                }
                9 => {
                    row.fen += 100;
                    clerk.odd("late_amount_differs", "RETURN_AMOUNT_DIFFERS", line, row);
                }
                _ => {}
            }
        }
        clerk.strangers();
        clerk.finish("L", "R", false)
    }
}

impl Clerk<'_> {
    fn honest(&mut self, line: usize, mut row: Row, is_credited: bool) {
        if is_credited {
            row.status = "S".into();
            self.out.kinds.push("row_credited");
            self.out.effects.insert(line, Effect::Credited);
        } else {
            let (code, hold) = *self.dice.pick(&FAILURES);
            row.status = "F".into();
            row.code = code;
            self.out.kinds.push(match (code, hold) {
                ("9999", _) => "row_rejected_unknown_code",
                (_, Some(_)) => "row_rejected_correction",
                (_, None) => "row_rejected_technical",
            });
            if code == "9999" {
                self.out.findings.push(("RETURN_REASON_UNKNOWN", Some(line_no(line))));
            }
            self.out.effects.insert(line, Effect::Rejected { hold });
        }
        self.rows.push(row);
    }

    /// A row that is nothing but a finding.
    fn odd(&mut self, kind: &'static str, finding: &'static str, line: usize, row: Row) {
        self.out.kinds.push(kind);
        self.out.findings.push((finding, Some(line_no(line))));
        self.rows.push(row);
    }

    /// An open payment: answered honestly, or with one of the oddities.
    fn any(&mut self, line: usize, mut row: Row, is_credited: bool, is_first: bool) {
        let (word, other) = if is_credited { ("S", "F") } else { ("F", "S") };
        row.status = word.into();
        match self.dice.below(40) {
            0..3 => {
                row.status = "P".into();
                self.out.kinds.push("row_open");
                self.rows.push(row);
            }
            3..5 if is_first => {
                self.out.kinds.push("row_missing");
                self.out.findings.push(("RETURN_ROW_MISSING", Some(line_no(line))));
            }
            5..7 => {
                row.status = (*self.dice.pick(&NO_STATUS)).into();
                self.odd("row_status_unknown", "RETURN_STATUS_UNKNOWN", line, row);
            }
            7..9 => {
                self.out.findings.push(("RETURN_ROW_DUPLICATE", Some(line_no(line))));
                self.out.kinds.push("row_duplicate");
                self.honest(line, row, is_credited);
                self.rows.push(self.rows[self.rows.len() - 1].clone());
            }
            9..11 => {
                let mut contrary = row.clone();
                match self.dice.below(4) {
                    0 => contrary.fen += 1,
                    1 => contrary.holder.push('某'),
                    _ => contrary.status = other.into(),
                }
                if self.dice.percent(50) {
                    std::mem::swap(&mut row, &mut contrary);
                }
                self.rows.push(row);
                self.odd("row_contradiction", "RETURN_ROWS_CONTRADICT", line, contrary);
            }
            11..13 => {
                row.fen += if self.dice.percent(50) { 1 } else { 10_000 };
                self.odd("row_amount_differs", "RETURN_AMOUNT_DIFFERS", line, row);
            }
            13 => {
                row.account.replace_range(..1, "9");
                self.odd("row_account_differs", "RETURN_ACCOUNT_DIFFERS", line, row);
            }
            14 => {
                row.holder.push('某');
                self.odd("row_name_differs", "RETURN_NAME_DIFFERS", line, row);
            }
            15 => {
                row.line_no = "777".into();
                self.odd("row_line_differs", "RETURN_LINE_DIFFERS", line, row);
            }
            _ => self.honest(line, row, is_credited),
        }
    }

    /// A payment with an outcome is told of once more.
    fn again(&mut self, line: usize, mut row: Row, state: LineState, is_tame: bool) {
        if is_tame || !self.dice.percent(20) {
            return;
        }
        row.code = "3028";
        row.status = if self.dice.percent(50) { "S" } else { "F" }.into();
        match (state, row.status.as_str()) {
            (LineState::Credited, "S") | (LineState::Rejected, "F") => {
                self.out.kinds.push("row_told_again");
                self.rows.push(row);
            }
            _ => self.odd("row_told_otherwise", "RETURN_CONTRADICTS", line, row),
        }
    }

    fn returned(&mut self, line: usize, row: Row, hold: Option<bool>, times: usize) {
        self.out.kinds.push("late_return");
        self.out.effects.insert(line, Effect::Returned { hold });
        if row.code == "9999" {
            self.out.findings.push(("RETURN_REASON_UNKNOWN", Some(line_no(line))));
        }
        if times > 1 {
            self.out.kinds.push("late_duplicate");
            self.out.findings.push(("RETURN_ROW_DUPLICATE", Some(line_no(line))));
        }
        self.rows.extend(vec![row; times]);
    }

    /// Rows that are no payment of this file.
    fn strangers(&mut self) {
        if !self.dice.percent(15) {
            return;
        }
        let Some(model) = self.rows.first().cloned() else { return };
        let (run, mine) = (self.run, &self.run.files[self.file].lines);
        let mut references = vec![
            "随便".to_string(),
            String::new(),
            model.reference.replacen("652827", "652828", 1),
            format!("652827-{}{:02}-{}-1", run.last / 12, run.last % 12 + 1, run.no + 500),
            reference(run, 900),
            model.reference.replacen("652827-", "652827-0", 1),
        ];
        // A payment of the same run in another file, or in none.
        references.extend((0..run.lines.len()).filter(|i| !mine.contains(i)).map(|i| reference(run, i)));
        let stranger = Row { reference: self.dice.pick(&references).clone(), status: "S".into(), ..model };
        self.out.kinds.push("row_unknown");
        self.out.findings.push(("RETURN_ROW_UNKNOWN", None));
        self.rows.push(stranger);
    }

    fn finish(mut self, letter: &str, counted: &str, sums_must_agree: bool) -> Crafted {
        let sent = fields(&self.run.files[self.file].bytes);
        let mut head = sent[0].clone();
        head[0] = letter.into();
        let total: i64 = self.rows.iter().map(|r| r.fen).sum();
        let good = || self.rows.iter().filter(|r| r.status == counted);
        let good_total: i64 = good().map(|r| r.fen).sum();
        let mut text = head.join("|") + "\r\n";
        for row in &self.rows {
            let Row { line_no, account, holder, fen, status, code, bank_ref, reference } = row;
            let why = if code.is_empty() { "" } else { "原因" };
            let _ = write!(
                text,
                "D|{line_no}|{account}|{holder}|{}|{status}|{code}|{why}|{bank_ref}||{reference}\r\n",
                yuan(*fen)
            );
        }
        let (rows, good_rows) = (self.rows.len(), good().count());
        let _ = write!(text, "T|{rows}|{}|{good_rows}|{}\r\n", yuan(total), yuan(good_total));
        self.out.is_refused = sums_must_agree && head[6] == rows.to_string() && head[7] != yuan(total);
        self.out.rows = rows;
        self.out.bytes = GB18030.encode(&text).0.into_owned();
        self.out
    }
}
