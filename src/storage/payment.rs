//! Payments, frozen in pages, and their outcomes by exception.
//!
//! A page is read and written as one value: a month of a million people is two thousand of them. Which page to read for
//! some lines or for one enrolment is told by its bounds.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use memchr::{memchr, memrchr};

use super::engine::{Row, Tx, Value, utf8};
use super::error::StorageError;
use super::payment_file::{self, PaymentFile};
use super::{enrolment, roll};
use crate::domain::bank::ReasonClass;
use crate::domain::credit::{Credits, LaidPage};
use crate::domain::enrolment::Account;
use crate::domain::payment::{FrozenLine, OutcomeKind, Paid, Payment, PaymentState};
use crate::domain::period::date_number;
use crate::domain::run::Run;
use crate::domain::text::lines_of;
use crate::values;

/// Lines of a page: some 60 KB.
const PAGE_LINES: usize = 500;

/// Pages read at once: a megabyte.
const PAGES_AT_ONCE: usize = 16;

statements! {
    /// A few pages at a time, so that a large run is never in memory whole.
    PAGES = "SELECT period, run_no, page_no, first_line_no, last_line_no, first_enrolment_no, last_enrolment_no, content FROM payment_page \
             WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND page_no > $4 AND last_line_no >= $5 AND first_line_no <= $6 \
             ORDER BY page_no LIMIT $7";
    PAGES_OF_ENROLMENT = "SELECT period, run_no, page_no, first_line_no, last_line_no, first_enrolment_no, last_enrolment_no, content \
             FROM payment_page WHERE agency_code = $1 AND first_enrolment_no <= $2 AND last_enrolment_no >= $2 ORDER BY run_no, page_no";
    /// Enrolments whose account was entered by a given person: now; or by the last change before the run was prepared.
    /// CROSS JOIN and `+` are a plain join and nothing; to SQLite they say that the pages come first.
    SET_NOW = "SELECT w.enrolment_no FROM roll_page p CROSS JOIN enrolment_now w WHERE p.agency_code = $1 AND p.scheme_code = $2 \
               AND w.agency_code = p.agency_code AND w.enrolment_no BETWEEN p.first_enrolment_no AND p.last_enrolment_no AND w.account_set_by = $3";
    SET_THEN = "SELECT v.enrolment_no FROM roll_page p CROSS JOIN enrolment_event v WHERE p.agency_code = $1 AND p.scheme_code = $2 \
                AND v.agency_code = p.agency_code AND v.enrolment_no BETWEEN p.first_enrolment_no AND p.last_enrolment_no \
                AND v.kind = 'account' AND v.made_by = $3 AND +v.event_no <= $4 \
                AND NOT EXISTS (SELECT 1 FROM enrolment_event w WHERE w.agency_code = v.agency_code AND w.enrolment_no = v.enrolment_no \
                    AND w.seq_no > v.seq_no AND w.kind = 'account' AND +w.event_no <= $4)";
    /// Those whose account was changed, up to an event, after a given person had entered the first one.
    CHANGED_AFTER = "SELECT v.enrolment_no FROM roll_page p CROSS JOIN enrolment_event v WHERE p.agency_code = $1 AND p.scheme_code = $2 \
                     AND p.entered_by = $3 AND v.agency_code = p.agency_code \
                     AND v.enrolment_no BETWEEN p.first_enrolment_no AND p.last_enrolment_no AND v.kind = 'account' AND +v.event_no <= $4";
    OUTCOMES_OF_LINES = "SELECT line_no, seq_no, kind, reason_class, reason_code, reason_text, bank_ref, outcome_on, file_no, enrolment_no, beneficiary_no, covers \
                       FROM payment_outcome WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND line_no BETWEEN $4 AND $5 ORDER BY line_no, seq_no";
}

/// Some hundred frozen payments.
#[derive(Debug)]
pub struct Page {
    /// Last period of the run.
    pub period: i64,
    /// Run.
    pub run_no: i64,
    no: i64,
    first_line_no: i64,
    last_line_no: i64,
    first_enrolment_no: i64,
    last_enrolment_no: i64,
    row: Row,
}

/// Where a page's lines stand among the columns of [`PAGES`].
const CONTENT: usize = 7;

impl Page {
    fn read(row: Row) -> Result<Page, StorageError> {
        Ok(Page {
            period: row.int(0)?,
            run_no: row.int(1)?,
            no: row.int(2)?,
            first_line_no: row.int(3)?,
            last_line_no: row.int(4)?,
            first_enrolment_no: row.int(5)?,
            last_enrolment_no: row.int(6)?,
            row,
        })
    }

    /// Its first and last line.
    pub fn bounds(&self) -> RangeInclusive<i64> {
        self.first_line_no..=self.last_line_no
    }

    /// The smallest and the greatest enrolment on it.
    pub fn enrolments(&self) -> RangeInclusive<i64> {
        self.first_enrolment_no..=self.last_enrolment_no
    }

    /// Its payments as they are stored, byte for byte.
    ///
    /// # Errors
    /// The database's.
    pub fn bytes(&self) -> Result<&[u8], StorageError> {
        self.row.bytes(CONTENT)
    }

    /// How many lines it spans.
    pub fn span(&self) -> usize {
        usize::try_from(self.last_line_no - self.first_line_no + 1).unwrap_or_default()
    }

    /// Its payments in line order.
    ///
    /// # Errors
    /// When one cannot be read, or is not within the bounds by which the page is found.
    pub fn lines(&self) -> Result<Vec<FrozenLine<'_>>, StorageError> {
        let content = self.text(self.bytes()?)?;
        let mut lines = Vec::with_capacity(PAGE_LINES);
        for line in lines_of(content) {
            lines.push(self.line(line)?);
        }
        Ok(lines)
    }

    /// Its first and its last payment; the others are not looked at.
    ///
    /// # Errors
    /// As [`Page::lines`], of these two; when there is none.
    pub fn ends(&self) -> Result<(FrozenLine<'_>, FrozenLine<'_>), StorageError> {
        let bytes = self.bytes()?;
        let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let first = memchr(b'\n', lines).map_or(lines, |end| &lines[..end]);
        let last = memrchr(b'\n', lines).map_or(lines, |end| &lines[end + 1..]);
        Ok((self.line(self.text(first)?)?, self.line(self.text(last)?)?))
    }

    fn text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, StorageError> {
        utf8(bytes).map_err(|e| self.wrong(e))
    }

    fn line<'a>(&self, text: &'a str) -> Result<FrozenLine<'a>, StorageError> {
        let line = FrozenLine::read(text).map_err(|e| self.wrong(e))?;
        if self.bounds().contains(&line.line_no) && self.enrolments().contains(&line.enrolment_no) {
            return Ok(line);
        }
        Err(self.wrong(format_args!("第 {} 笔不应在此页", line.line_no)))
    }

    /// Something is wrong with it.
    pub fn wrong(&self, problem: impl std::fmt::Display) -> StorageError {
        let row = format!("{}-{} 第 {} 页", self.period, self.run_no, self.no);
        StorageError::inconsistent("payment_page", row, problem)
    }
}

/// What a line that cannot be read is to the storage.
pub fn unreadable(error: impl std::fmt::Display) -> StorageError {
    StorageError::inconsistent("payment_page", error, "无法读取")
}

/// The pages of a run, or of a stretch of it, one after another.
#[derive(Debug)]
pub struct Pages {
    key: (String, i64, i64),
    lines: Lines,
    ready: VecDeque<Page>,
    last_page_no: i64,
    is_over: bool,
}

impl Pages {
    /// Those of some lines of a run.
    pub fn of(agency: &str, run: &Run, lines: Lines) -> Pages {
        let key = (agency.to_string(), run.periods.last.number(), run.no);
        Pages { key, lines, ready: VecDeque::new(), last_page_no: 0, is_over: false }
    }

    /// The next page.
    ///
    /// # Errors
    /// The database's.
    pub async fn next(&mut self, tx: &mut Tx) -> Result<Option<Page>, StorageError> {
        if self.ready.is_empty() && !self.is_over {
            let (agency, period, run_no) = &self.key;
            let (first, last) = self.lines;
            let limit = i64::try_from(PAGES_AT_ONCE).unwrap_or(i64::MAX);
            let key = values![agency, *period, *run_no, self.last_page_no, first, last, limit];
            let rows = tx.fetch_rows(PAGES, key).await?;
            self.ready = rows.into_iter().map(Page::read).collect::<Result<_, _>>()?;
            self.is_over = self.ready.len() < PAGES_AT_ONCE;
        }
        let next = self.ready.pop_front();
        self.last_page_no = next.as_ref().map_or(self.last_page_no, |page| page.no);
        Ok(next)
    }

    /// All of them: for a stretch that is held whole, like that of a file.
    ///
    /// # Errors
    /// The database's.
    pub async fn all(mut self, tx: &mut Tx) -> Result<Vec<Page>, StorageError> {
        let mut pages = Vec::new();
        while let Some(page) = self.next(tx).await? {
            pages.push(page);
        }
        Ok(pages)
    }
}

/// Stores the payments of a run, a page at a time; `laid` is told how many more.
///
/// # Errors
/// The database's, or when one cannot be a payment (see [`Credits::unsound`]).
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    credits: Credits,
    laid: impl Fn(usize),
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 9] = [
        "agency_code",
        "period",
        "run_no",
        "page_no",
        "first_line_no",
        "last_line_no",
        "first_enrolment_no",
        "last_enrolment_no",
        "content",
    ];
    if let Some(enrolment_no) = credits.unsound() {
        return Err(StorageError::inconsistent("payment_page", enrolment_no, "不能作为发放明细"));
    }
    let pages = (1_i64..).zip(credits.into_pages(PAGE_LINES)).map(|(page_no, page)| {
        let LaidPage { first_line_no, last_line_no, first_enrolment_no, last_enrolment_no, content } = page;
        laid(usize::try_from(last_line_no - first_line_no + 1).unwrap_or_default());
        let period = run.periods.last.number();
        values![
            agency,
            period,
            run.no,
            page_no,
            first_line_no,
            last_line_no,
            first_enrolment_no,
            last_enrolment_no,
            content
        ]
    });
    tx.insert_rows("payment_page", &COLUMNS, pages).await
}

/// The payments of a run in line order.
///
/// # Errors
/// The database's.
pub async fn of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Vec<Payment>, StorageError> {
    of_lines(tx, agency, run, ALL_LINES).await
}

/// First and last line of a stretch of a run.
pub type Lines = (i64, i64);

/// Every line of a run.
pub const ALL_LINES: Lines = (0, i64::MAX);

/// The payments of a stretch of a run in line order.
///
/// # Errors
/// The database's.
pub async fn of_lines(tx: &mut Tx, agency: &str, run: &Run, lines: Lines) -> Result<Vec<Payment>, StorageError> {
    let mut payments = Vec::new();
    let mut pages = Pages::of(agency, run, lines);
    while let Some(page) = pages.next(tx).await? {
        let wanted = page.lines()?.into_iter().filter(|l| (lines.0..=lines.1).contains(&l.line_no));
        for line in wanted {
            payments.push(line.payment().map_err(unreadable)?);
        }
    }
    Ok(payments)
}

/// The pages that may hold payments of an enrolment, over all runs.
///
/// # Errors
/// The database's.
pub(super) async fn pages_of_enrolment(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
) -> Result<Vec<Page>, StorageError> {
    let rows = tx.fetch_rows(PAGES_OF_ENROLMENT, values![agency, enrolment_no]).await?;
    rows.into_iter().map(Page::read).collect()
}

/// Bank, account and holder in force, by enrolment.
pub type Accounts = HashMap<i64, Account>;

/// Accounts in force of those enrolments of the run's scheme that changed since it was prepared.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn changed_accounts(tx: &mut Tx, agency: &str, run: &Run) -> Result<Accounts, StorageError> {
    let changed = enrolment::changed_since(tx, agency, &run.scheme_code, run.prepared_event_no).await?;
    Ok(changed.into_iter().map(|person| (person.no, person.account)).collect())
}

/// Enrolments of the run's scheme whose account was entered by this person. The roster may have
/// moved on to another account since; what counts is the one that is paid.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn accounts_set_by(tx: &mut Tx, agency: &str, run: &Run, actor: &str) -> Result<HashSet<i64>, StorageError> {
    let by = || values![agency, &run.scheme_code, actor];
    let until = || values![agency, &run.scheme_code, actor, run.prepared_event_no];
    let mut set: HashSet<i64> = roll::entered_by(tx, agency, &run.scheme_code, actor).await?;
    for (no,) in tx.fetch_all::<(i64,)>(CHANGED_AFTER, until()).await? {
        set.remove(&no);
    }
    set.extend(tx.fetch_all::<(i64,)>(SET_THEN, until()).await?.into_iter().map(|(no,)| no));
    set.extend(tx.fetch_all::<(i64,)>(SET_NOW, by()).await?.into_iter().map(|(no,)| no));
    Ok(set)
}

/// What tells the state of every payment of a run: run, files and outcomes together.
#[derive(Debug)]
pub struct Standing {
    run_state: &'static str,
    files: Vec<PaymentFile>,
    outcomes: Outcomes,
}

impl Standing {
    /// That of a run.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(tx: &mut Tx, agency: &str, run: &Run) -> Result<Standing, StorageError> {
        Ok(Standing {
            run_state: run.state.code(),
            files: payment_file::of_run(tx, agency, run).await?,
            outcomes: outcomes_of_run(tx, agency, run).await?,
        })
    }

    /// The run's files, in line order.
    pub fn files(&self) -> &[PaymentFile] {
        &self.files
    }

    /// The file that a line lies in; a withheld line was never sent with it.
    pub fn file(&self, line_no: i64) -> Option<&PaymentFile> {
        let at = self.files.partition_point(|f| f.last_line_no < line_no);
        self.files.get(at).filter(|f| f.first_line_no <= line_no)
    }

    /// Lines that something was told of, in order.
    pub fn told_lines(&self) -> Vec<i64> {
        let mut lines: Vec<i64> = self.outcomes.keys().copied().collect();
        lines.sort_unstable();
        lines
    }

    /// Outcomes of a line, in order.
    pub fn outcomes(&self, line_no: i64) -> &[StoredOutcome] {
        self.outcomes.get(&line_no).map_or(&[], Vec::as_slice)
    }

    /// The last outcome of a line, and the state that all of it tells.
    ///
    /// # Errors
    /// When a stored word is unknown.
    pub fn state(&self, line_no: i64) -> Result<(PaymentState, Option<&StoredOutcome>), StorageError> {
        let last = self.outcomes(line_no).last();
        let file = self.file(line_no).map(|f| f.status.as_str());
        Ok((payment_state(self.run_state, file, last.map(|o| o.kind.as_str()))?, last))
    }
}

/// The state that run, file and last outcome tell together.
///
/// # Errors
/// When a stored word is unknown.
pub fn payment_state(
    run_state: &str,
    file_status: Option<&str>,
    last_outcome: Option<&str>,
) -> Result<PaymentState, StorageError> {
    if let Some(kind) = last_outcome {
        return Ok(outcome_kind(kind)?.into());
    }
    match (run_state, file_status) {
        ("prepared" | "submitted" | "reviewed", _) => Ok(PaymentState::Planned),
        ("cancelled", _) => Ok(PaymentState::Cancelled),
        ("approved", _) => Ok(PaymentState::Approved),
        ("issued" | "settled" | "closed", Some("answered")) => Ok(PaymentState::Credited),
        ("issued" | "settled" | "closed", Some("written")) => Ok(PaymentState::Sent),
        (run, file) => Err(StorageError::inconsistent("payment_file", run, format!("支付文件状态 {file:?}"))),
    }
}

/// An outcome row of a run.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredOutcome {
    /// Payment.
    pub line_no: i64,
    /// 1, 2 … per payment.
    pub seq_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Stored class, `''` for none.
    pub reason_class: String,
    /// The bank's code.
    pub reason_code: String,
    /// The bank's text.
    pub reason_text: String,
    /// The bank's reference.
    pub bank_ref: String,
    /// yyyymmdd.
    pub outcome_on: i64,
    /// File whose answer said so.
    pub file_no: Option<i64>,
    enrolment_no: i64,
    beneficiary_no: i64,
    covers: String,
}

impl StoredOutcome {
    /// True when it is of this payment: whose it is and what it covers are kept with both.
    pub fn is_of(&self, paid: &Paid) -> bool {
        let StoredOutcome { enrolment_no, beneficiary_no, covers, .. } = self;
        (*enrolment_no, *beneficiary_no, covers) == (paid.enrolment_no, paid.beneficiary_no, &paid.covers)
    }

    /// Kind as a value.
    ///
    /// # Errors
    /// When the stored word is unknown.
    pub fn kind(&self) -> Result<OutcomeKind, StorageError> {
        outcome_kind(&self.kind)
    }
}

/// A stored outcome kind.
///
/// # Errors
/// When the word is unknown.
pub fn outcome_kind(code: &str) -> Result<OutcomeKind, StorageError> {
    OutcomeKind::ALL
        .into_iter()
        .find(|kind| kind.code() == code)
        .ok_or_else(|| StorageError::inconsistent("payment_outcome", code, "没有这种结果"))
}

/// Outcome rows by payment, in order.
pub type Outcomes = HashMap<i64, Vec<StoredOutcome>>;

/// Outcome rows of a run by payment, in order.
///
/// # Errors
/// The database's.
pub async fn outcomes_of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<Outcomes, StorageError> {
    outcomes_of_lines(tx, agency, run, ALL_LINES).await
}

/// Outcome rows of a stretch of a run by payment, in order.
///
/// # Errors
/// The database's.
pub async fn outcomes_of_lines(tx: &mut Tx, agency: &str, run: &Run, lines: Lines) -> Result<Outcomes, StorageError> {
    let key = values![agency, run.periods.last.number(), run.no, lines.0, lines.1];
    let rows: Vec<StoredOutcome> = tx.fetch_all(OUTCOMES_OF_LINES, key).await?;
    let mut outcomes = Outcomes::new();
    for row in rows {
        outcomes.entry(row.line_no).or_default().push(row);
    }
    Ok(outcomes)
}

/// An outcome to be stored.
#[derive(Debug, Clone)]
pub struct NewOutcome {
    /// Payment.
    pub line_no: i64,
    /// 1, 2 … per payment.
    pub seq_no: i64,
    /// What happened.
    pub kind: OutcomeKind,
    /// Why, for us.
    pub reason_class: Option<ReasonClass>,
    /// The bank's code.
    pub reason_code: String,
    /// The bank's text.
    pub reason_text: String,
    /// The bank's reference.
    pub bank_ref: String,
    /// The bank's date, else the business date.
    pub on: NaiveDate,
    /// Of which payment it is told.
    pub paid: Paid,
}

/// Stores outcomes of one run; `answer` is the file and return that said so, if any.
///
/// # Errors
/// The database's.
pub async fn insert_outcomes(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    answer: Option<(i64, i64)>,
    outcomes: Vec<NewOutcome>,
    event_no: i64,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 17] = [
        "agency_code",
        "period",
        "run_no",
        "line_no",
        "seq_no",
        "kind",
        "reason_class",
        "reason_code",
        "reason_text",
        "bank_ref",
        "outcome_on",
        "file_no",
        "return_no",
        "event_no",
        "enrolment_no",
        "beneficiary_no",
        "covers",
    ];
    let row = |o: NewOutcome| -> Vec<Value> {
        values![
            agency,
            run.periods.last.number(),
            run.no,
            o.line_no,
            o.seq_no,
            o.kind.code(),
            o.reason_class.map_or("", ReasonClass::code),
            o.reason_code,
            o.reason_text,
            o.bank_ref,
            date_number(o.on),
            answer.map(|(file_no, _)| file_no),
            answer.map(|(_, return_no)| return_no),
            event_no,
            o.paid.enrolment_no,
            o.paid.beneficiary_no,
            o.paid.covers,
        ]
    };
    tx.insert_rows("payment_outcome", &COLUMNS, outcomes.into_iter().map(row)).await
}
