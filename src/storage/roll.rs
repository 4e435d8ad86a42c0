//! Rolls: the enrolments of an agency as they began, in pages of lines, and what tells otherwise since.
//!
//! A page is read and written as one value: a million people are four thousand of them. Whoever runs over a roll does so
//! some pages at a time, beside what changed since (`enrolment_now`) and the facts of the same people, and holds no more
//! than that. One person is found by number through the pages' bounds, or by citizen number through `roll_index`.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::Write as _;

use chrono::NaiveDate;

use super::engine::{Row, Tx};
use super::enrolment_event::{self, ChangeMark, StoredFact};
use super::error::StorageError;
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{Account, Enrolment};
use crate::domain::entitlement::{Entitlement, Fact};
use crate::domain::payment::Payee;
use crate::domain::roll::{NewEnrolment, RollLine};
use crate::domain::text::lines_of;
use crate::values;

/// Lines of a page: some 30 KB, little enough to be read for one person.
const PAGE_LINES: usize = 256;

/// Lines of a page of the index.
const INDEX_LINES: usize = 512;

/// Pages read at once: two megabytes.
const PAGES_AT_ONCE: usize = 64;

macro_rules! select_pages {
    ($($rest:expr),+) => {
        concat!("SELECT p.scheme_code, p.first_enrolment_no, p.last_enrolment_no, p.event_no, p.content FROM roll_page p ", $($rest),+)
    };
}

statements! {
    /// A few pages at a time, of a scheme or of all, of which something was told after an event.
    PAGES = select_pages!("WHERE p.agency_code = $1 AND p.first_enrolment_no > $3 AND (CAST($2 AS TEXT) IS NULL OR p.scheme_code = $2) \
             AND (p.event_no > $4 OR EXISTS (SELECT 1 FROM enrolment_now w WHERE w.agency_code = p.agency_code \
             AND w.enrolment_no BETWEEN p.first_enrolment_no AND p.last_enrolment_no AND w.changed_event_no > $4)) \
             ORDER BY p.first_enrolment_no LIMIT $5");
    PAGE_OF = select_pages!("WHERE p.agency_code = $1 AND p.first_enrolment_no <= $2 ORDER BY p.first_enrolment_no DESC LIMIT 1");
    NOW = "SELECT enrolment_no, name, bank_code, account_number, account_holder, holder_relation, changed_event_no \
           FROM enrolment_now WHERE agency_code = $1 AND enrolment_no BETWEEN $2 AND $3";
    ENTERED_BY = "SELECT content FROM roll_page WHERE agency_code = $1 AND scheme_code = $2 AND entered_by = $3";
    INDEXED = "SELECT scheme_code, content FROM roll_index WHERE agency_code = $1 AND first_key <= $2 AND last_key >= $2";
    BOUNDS = "SELECT first_enrolment_no, page_no, first_key, last_key FROM roll_index WHERE agency_code = $1";
    INDEX = "SELECT first_enrolment_no, page_no, first_key, last_key, content FROM roll_index WHERE agency_code = $1 \
             AND (first_enrolment_no > $2 OR first_enrolment_no = $2 AND page_no > $3) ORDER BY first_enrolment_no, page_no LIMIT $4";
    /// Whatever refers to an enrolment or a person, once each.
    REFERRED = "SELECT DISTINCT 'enrolment_now', enrolment_no FROM enrolment_now WHERE agency_code = $1 \
                UNION ALL SELECT DISTINCT 'enrolment_event', enrolment_no FROM enrolment_event WHERE agency_code = $1 \
                UNION ALL SELECT DISTINCT 'hold', beneficiary_no FROM hold WHERE agency_code = $1 \
                UNION ALL SELECT DISTINCT 'comparison_hit', beneficiary_no FROM comparison_hit WHERE agency_code = $1 \
                UNION ALL SELECT DISTINCT 'recovery_case', enrolment_no FROM recovery_case WHERE agency_code = $1 \
                UNION ALL SELECT DISTINCT 'recovery_case', beneficiary_no FROM recovery_case WHERE agency_code = $1";
    INDEX_PAGE = "SELECT scheme_code, content FROM roll_index WHERE agency_code = $1 AND first_enrolment_no = $2 AND page_no = $3";
}

/// Some hundred enrolments as they began.
#[derive(Debug)]
pub struct Page {
    /// Their scheme.
    pub scheme_code: String,
    first_enrolment_no: i64,
    last_enrolment_no: i64,
    event_no: i64,
    row: Row,
}

/// What an enrolment is now, where that is not what it was.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Now {
    enrolment_no: i64,
    name: Option<String>,
    bank_code: Option<String>,
    account_number: Option<String>,
    account_holder: Option<String>,
    holder_relation: Option<String>,
    changed_event_no: i64,
}

/// A roll, some pages after another.
#[derive(Debug)]
pub struct Roll {
    agency: String,
    scheme: Option<String>,
    with_facts: bool,
    /// Pages of which nothing was told after this event are passed over.
    since: i64,
    after: i64,
    is_over: bool,
}

impl Roll {
    /// That of a scheme, with facts.
    pub fn of_scheme(agency: &str, scheme: &str) -> Roll {
        Roll::changed_since(agency, scheme, 0)
    }

    /// Those pages of a scheme on which somebody came or changed after an event.
    pub(super) fn changed_since(agency: &str, scheme: &str, event_no: i64) -> Roll {
        let scheme = Some(scheme.to_string());
        Roll { agency: agency.to_string(), scheme, with_facts: true, since: event_no, after: 0, is_over: false }
    }

    /// Those pages of a scheme whose enrolments came after one of this number.
    pub(super) fn later_than(agency: &str, scheme: &str, enrolment_no: i64) -> Roll {
        Roll { after: enrolment_no, with_facts: false, ..Roll::of_scheme(agency, scheme) }
    }

    /// Everybody of the agency, over all schemes, without facts.
    pub fn of_agency(agency: &str) -> Roll {
        Roll { agency: agency.to_string(), scheme: None, with_facts: false, since: 0, after: 0, is_over: false }
    }

    /// The next pages.
    ///
    /// # Errors
    /// The database's, or a stored value that cannot be.
    pub async fn next(&mut self, tx: &mut Tx) -> Result<Option<Stretch>, StorageError> {
        if self.is_over {
            return Ok(None);
        }
        let limit = i64::try_from(PAGES_AT_ONCE).unwrap_or(i64::MAX);
        let key = values![&self.agency, self.scheme.as_deref(), self.after, self.since, limit];
        let rows = tx.fetch_rows(PAGES, key).await?;
        let pages = rows.into_iter().map(Page::read).collect::<Result<Vec<_>, _>>()?;
        self.is_over = pages.len() < PAGES_AT_ONCE;
        let Some(last) = pages.last() else { return Ok(None) };
        self.after = last.first_enrolment_no;
        Stretch::of(tx, &self.agency, pages, self.with_facts).await.map(Some)
    }
}

/// Some pages of a roll, with what was told of their people since.
#[derive(Debug)]
pub struct Stretch {
    pages: Vec<Page>,
    /// By enrolment.
    now: Vec<Now>,
    /// By enrolment and number.
    facts: Vec<StoredFact>,
}

impl Stretch {
    /// What is told of other schemes' people, whose numbers lie between, is passed over.
    async fn of(tx: &mut Tx, agency: &str, pages: Vec<Page>, with_facts: bool) -> Result<Stretch, StorageError> {
        let bounds = pages.first().zip(pages.last());
        let bounds = bounds.map_or((0, 0), |(first, last)| (first.first_enrolment_no, last.last_enrolment_no));
        let mut now: Vec<Now> = tx.fetch_all(NOW, values![agency, bounds.0, bounds.1]).await?;
        now.sort_unstable_by_key(|now| now.enrolment_no);
        let facts = if with_facts { enrolment_event::facts_between(tx, agency, bounds).await? } else { Vec::new() };
        Ok(Stretch { pages, now, facts })
    }

    /// Its enrolments, in order.
    pub fn enrolled(&self) -> impl Iterator<Item = Result<Enrolled<'_>, StorageError>> {
        let (mut now, mut facts) = (self.now.as_slice(), self.facts.as_slice());
        let lines = self.pages.iter().flat_map(|page| {
            let (content, unreadable) = match page.content() {
                Ok(content) => (content, None),
                Err(error) => ("", Some(Err(error))),
            };
            lines_of(content).map(Ok).chain(unreadable).map(move |line| (page, line))
        });
        let mut last = 0;
        lines.map(move |(page, line)| {
            let line = RollLine::read(line?).map_err(|e| page.wrong(&e))?;
            if line.no <= last || !(page.first_enrolment_no..=page.last_enrolment_no).contains(&line.no) {
                return Err(page.wrong(&format_args!("第 {} 号待遇资格不应在此页", line.no)));
            }
            last = line.no;
            while now.first().is_some_and(|now| now.enrolment_no < line.no) {
                now = &now[1..];
            }
            while facts.first().is_some_and(|told| told.enrolment_no < line.no) {
                facts = &facts[1..];
            }
            let own = facts.iter().take_while(|told| told.enrolment_no == line.no).count();
            let now = now.first().filter(|now| now.enrolment_no == line.no);
            Ok(Enrolled { page, line, now, facts: &facts[..own] })
        })
    }
}

impl Page {
    fn read(row: Row) -> Result<Page, StorageError> {
        Ok(Page {
            scheme_code: row.text(0)?.to_string(),
            first_enrolment_no: row.int(1)?,
            last_enrolment_no: row.int(2)?,
            event_no: row.int(3)?,
            row,
        })
    }

    fn content(&self) -> Result<&str, StorageError> {
        self.row.text(4)
    }

    fn wrong(&self, problem: &dyn std::fmt::Display) -> StorageError {
        StorageError::inconsistent("roll_page", self.first_enrolment_no, problem)
    }
}

/// An enrolment, read in place: as it began, with what was told since.
#[derive(Debug, Clone, Copy)]
pub struct Enrolled<'a> {
    page: &'a Page,
    /// As it began.
    pub line: RollLine<'a>,
    now: Option<&'a Now>,
    /// What happened since, in order.
    pub facts: &'a [StoredFact],
}

impl<'a> Enrolled<'a> {
    /// Code of the scheme.
    pub fn scheme(&self) -> &'a str {
        &self.page.scheme_code
    }

    /// Who is paid and where, as things are now.
    pub fn payee(&self) -> Payee<'a> {
        let enrolled = self.line.payee();
        let Some(now) = self.now else { return enrolled };
        Payee {
            name: now.name.as_deref().unwrap_or(enrolled.name),
            bank_code: now.bank_code.as_deref().unwrap_or(enrolled.bank_code),
            account_number: now.account_number.as_deref().unwrap_or(enrolled.account_number),
            account_holder: now.account_holder.as_deref().unwrap_or(enrolled.account_holder),
            ..enrolled
        }
    }

    /// Why the holder of the account is another person; empty when it is not.
    pub fn holder_relation(&self) -> String {
        let now = self.now.and_then(|now| now.holder_relation.clone());
        now.unwrap_or_else(|| self.line.holder_relation().into_owned())
    }

    /// Audit event that last changed it: payments prepared before it are checked again.
    pub fn changed_event_no(&self) -> i64 {
        self.now.map_or(self.page.event_no, |now| now.changed_event_no)
    }

    /// What is owed as the enrolment began.
    ///
    /// # Errors
    /// When its line cannot be read.
    pub fn began(&self) -> Result<Entitlement, StorageError> {
        self.line.entitlement().map_err(|e| self.page.wrong(&e))
    }

    /// What is owed, as the facts have it.
    ///
    /// # Errors
    /// When its line cannot be read.
    pub fn entitlement(&self) -> Result<Entitlement, StorageError> {
        self.known(self.facts)
    }

    /// What was owed as far as it was known at an event; none when nothing was told after it.
    ///
    /// # Errors
    /// When its line cannot be read.
    pub fn entitlement_at(&self, event_no: i64) -> Result<Option<Entitlement>, StorageError> {
        // Events are numbered in the order in which they were told.
        let known = self.facts.partition_point(|told| told.event_no <= event_no);
        if known == self.facts.len() { Ok(None) } else { self.known(&self.facts[..known]).map(Some) }
    }

    fn known(&self, facts: &[StoredFact]) -> Result<Entitlement, StorageError> {
        let began = self.began()?;
        Ok(if facts.is_empty() { began } else { began.after(&numbered(facts)) })
    }

    /// The numbered facts, in order.
    pub fn numbered_facts(&self) -> Vec<(i64, Fact)> {
        numbered(self.facts)
    }

    /// 退休日期 as enrolled.
    ///
    /// # Errors
    /// When its line cannot be read.
    pub fn retired_on(&self) -> Result<Option<NaiveDate>, StorageError> {
        self.line.retired_on().map_err(|e| self.page.wrong(&e))
    }

    /// The same, to be held.
    ///
    /// # Errors
    /// When its line cannot be read.
    pub fn enrolment(&self) -> Result<Enrolment, StorageError> {
        Ok(self.with(self.entitlement()?))
    }

    /// The same, before any fact.
    ///
    /// # Errors
    /// When its line cannot be read.
    pub fn enrolment_as_it_began(&self) -> Result<Enrolment, StorageError> {
        Ok(self.with(self.began()?))
    }

    fn with(&self, entitlement: Entitlement) -> Enrolment {
        let payee = self.payee();
        Enrolment {
            no: self.line.no,
            beneficiary_no: payee.beneficiary_no,
            citizen_number: CitizenNumber::from_stored(payee.citizen_number),
            name: payee.name.to_string(),
            entitlement,
            account: Account {
                bank_code: payee.bank_code.to_string(),
                number: AccountNumber::from_stored(payee.account_number),
                holder: payee.account_holder.to_string(),
            },
            changed_event_no: self.changed_event_no(),
        }
    }
}

fn numbered(facts: &[StoredFact]) -> Vec<(i64, Fact)> {
    facts.iter().map(|told| (told.seq_no, told.fact.clone())).collect()
}

/// Calls `take` with enrolments of these numbers, in order; there need not be one of each. Every page is read once.
///
/// # Errors
/// The database's, a stored value that cannot be, or those of `take`.
pub(super) async fn each_of(
    tx: &mut Tx,
    agency: &str,
    mut numbers: &[i64],
    mut take: impl FnMut(&Enrolled<'_>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    debug_assert!(numbers.is_sorted());
    while let Some(first) = numbers.first() {
        let row = tx.fetch_rows(PAGE_OF, values![agency, *first]).await?.pop();
        let Some(page) = row.map(Page::read).transpose()?.filter(|page| page.last_enrolment_no >= *first) else {
            numbers = &numbers[1..];
            continue;
        };
        let wanted = numbers.partition_point(|no| *no <= page.last_enrolment_no);
        let (own, later) = numbers.split_at(wanted);
        let stretch = Stretch::of(tx, agency, vec![page], true).await?;
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            if own.binary_search(&enrolled.line.no).is_ok() {
                take(&enrolled)?;
            }
        }
        numbers = later;
    }
    Ok(())
}

/// Numbers of a scheme's enrolments that a person entered.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub(super) async fn entered_by(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    actor: &str,
) -> Result<HashSet<i64>, StorageError> {
    let mut numbers = HashSet::new();
    let contents: Vec<(String,)> = tx.fetch_all(ENTERED_BY, values![agency, scheme, actor]).await?;
    for line in contents.iter().flat_map(|(content,)| lines_of(content)) {
        numbers.insert(RollLine::read(line).map_err(|e| StorageError::inconsistent("roll_page", scheme, e))?.no);
    }
    Ok(numbers)
}

/// Where an enrolment of a citizen number stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub citizen_number: String,
    pub scheme: String,
    pub enrolment_no: i64,
}

/// Calls `take` with every citizen number of the index and the enrolment that it leads to.
///
/// # Errors
/// The database's, or a page that cannot be read or not be found by its bounds.
pub async fn each_indexed(tx: &mut Tx, agency: &str, mut take: impl FnMut(&str, i64)) -> Result<(), StorageError> {
    let limit = i64::try_from(PAGES_AT_ONCE).unwrap_or(i64::MAX);
    let mut last = (0, 0);
    loop {
        let pages: Vec<(i64, i64, i64, i64, String)> =
            tx.fetch_all(INDEX, values![agency, last.0, last.1, limit]).await?;
        for (import, page_no, first_key, last_key, content) in &pages {
            for line in lines_of(content) {
                let (number, enrolment_no) = indexed(line)?;
                if !(*first_key..=*last_key).contains(&key(number)) {
                    let row = format!("{import}-{page_no}");
                    return Err(StorageError::inconsistent("roll_index", row, "有一行不应在此页"));
                }
                take(number, enrolment_no);
            }
            last = (*import, *page_no);
        }
        if pages.len() < PAGES_AT_ONCE {
            return Ok(());
        }
    }
}

/// Numbers of enrolments and people that other tables refer to, with the table.
///
/// # Errors
/// The database's.
pub async fn referred(tx: &mut Tx, agency: &str) -> Result<Vec<(String, i64)>, StorageError> {
    tx.fetch_all(REFERRED, values![agency]).await
}

/// The key of a citizen number in the index: what its first seventeen characters hold of digits.
pub fn key(citizen_number: &str) -> i64 {
    let digits = citizen_number.bytes().take(17).filter(u8::is_ascii_digit);
    digits.fold(0, |key, digit| key * 10 + i64::from(digit - b'0'))
}

/// The last character of a number of eighteen characters whose others are digits: with the key it is the whole number.
/// None of a number in any other form.
pub fn beside_key(citizen_number: &str) -> Option<u8> {
    let (digits, last) = citizen_number.as_bytes().split_first_chunk::<17>()?;
    let is_whole = last.len() == 1 && digits.iter().all(u8::is_ascii_digit);
    is_whole.then(|| last[0])
}

/// A line of the index.
fn indexed(line: &str) -> Result<(&str, i64), StorageError> {
    let found = line.split_once('\t').and_then(|(number, no)| Some((number, no.parse().ok()?)));
    found.ok_or_else(|| StorageError::inconsistent("roll_index", line.len(), "无法读取"))
}

/// Every enrolment of some citizen numbers, by its number.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub(super) async fn places(tx: &mut Tx, agency: &str, citizen_numbers: &[&str]) -> Result<Vec<Place>, StorageError> {
    let mut keys: Vec<i64> = citizen_numbers.iter().map(|number| key(number)).collect();
    keys.sort_unstable();
    let pages: Vec<(String, String)> = match keys.as_slice() {
        [] => Vec::new(),
        [one] => tx.fetch_all(INDEXED, values![agency, *one]).await?,
        _ => {
            let bounds: Vec<(i64, i64, i64, i64)> = tx.fetch_all(BOUNDS, values![agency]).await?;
            let mut pages = Vec::new();
            for (import, page_no, first, last) in bounds {
                if keys.get(keys.partition_point(|key| *key < first)).is_some_and(|key| *key <= last) {
                    pages.push(tx.fetch_one(INDEX_PAGE, values![agency, import, page_no]).await?);
                }
            }
            pages
        }
    };
    let wanted: HashSet<&str> = citizen_numbers.iter().copied().collect();
    let mut places = Vec::new();
    for (scheme, content) in &pages {
        for line in lines_of(content) {
            let (number, enrolment_no) = indexed(line)?;
            if wanted.contains(number) {
                places.push(Place { citizen_number: number.to_string(), scheme: scheme.clone(), enrolment_no });
            }
        }
    }
    places.sort_by_key(|place| place.enrolment_no);
    Ok(places)
}

/// Writes enrolments of a scheme, in order of their numbers, into its roll and into the index; `import_no` is the roster
/// import that brought them, if one did. Each is made when its line is written, and let go.
///
/// # Errors
/// The database's, when a number is enrolled twice, or a text would break its line.
pub async fn insert<E>(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    enrolled: impl Iterator<Item = E>,
    import_no: Option<i64>,
    mark: ChangeMark<'_>,
    as_enrolment: impl Fn(&E) -> NewEnrolment<'_>,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 8] = [
        "agency_code",
        "first_enrolment_no",
        "last_enrolment_no",
        "scheme_code",
        "import_no",
        "entered_by",
        "event_no",
        "content",
    ];
    let mut index = Index::with_capacity(enrolled.size_hint().0);
    let mut unsound = None;
    let mut enrolled = enrolled.peekable();
    let pages = std::iter::from_fn(|| {
        let first = as_enrolment(enrolled.peek()?).no;
        let mut last = first;
        let mut content = String::with_capacity(PAGE_LINES * 128);
        for one in enrolled.by_ref().take(PAGE_LINES) {
            let enrolment = as_enrolment(&one);
            if !enrolment.is_sound() {
                unsound.get_or_insert(enrolment.no);
            }
            enrolment.write_line(&mut content);
            index.add(enrolment.citizen_number, enrolment.no);
            last = enrolment.no;
        }
        Some(values![agency, first, last, scheme, import_no, mark.by, mark.event_no, content])
    });
    tx.insert_rows("roll_page", &COLUMNS, pages).await?;
    if let Some(no) = unsound {
        return Err(StorageError::inconsistent("roll_page", no, "姓名或账户中有不能保存的字符"));
    }
    index.insert(tx, agency, scheme).await
}

/// The numbers of an import and their enrolments, sixteen bytes each.
#[derive(Default)]
struct Index {
    entries: Vec<Entry>,
    /// Numbers of any form but that of a person's eighteen characters, which the key does not hold whole.
    others: Vec<String>,
    first_no: i64,
}

#[derive(Clone, Copy)]
struct Entry {
    key: i64,
    /// The enrolment, counted from the first of the import.
    at: u32,
    /// The last character of a number whose others are the digits of the key; else, beyond all characters, where it stands
    /// among the others.
    rest: u32,
}

/// Beyond the last character of a number: see [`beside_key`].
const OTHERS: u32 = 256;

impl Index {
    fn with_capacity(numbers: usize) -> Index {
        Index { entries: Vec::with_capacity(numbers), ..Index::default() }
    }

    fn add(&mut self, citizen_number: &str, no: i64) {
        if self.entries.is_empty() {
            self.first_no = no;
        }
        let rest = beside_key(citizen_number).map_or_else(
            || {
                self.others.push(citizen_number.to_string());
                OTHERS.saturating_add(u32::try_from(self.others.len() - 1).unwrap_or(u32::MAX))
            },
            u32::from,
        );
        // Numbers of an import follow each other, and a file has no more rows than there is room for.
        let at = u32::try_from(no - self.first_no).unwrap_or(u32::MAX);
        self.entries.push(Entry { key: key(citizen_number), at, rest });
    }

    /// Writes the number of an entry.
    fn write(&self, entry: &Entry, text: &mut String) {
        if let Some(other) = entry.rest.checked_sub(OTHERS) {
            text.push_str(&self.others[other as usize]);
        } else {
            // Writing to a String does not fail.
            let _ = write!(text, "{:017}", entry.key);
            text.extend(char::from_u32(entry.rest));
        }
    }

    /// What tells numbers of one key apart, in the order of the numbers.
    fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        let number = |entry: &Entry| {
            let mut number = String::new();
            self.write(entry, &mut number);
            number
        };
        a.key
            .cmp(&b.key)
            .then_with(|| if a.rest.max(b.rest) < OTHERS { a.rest.cmp(&b.rest) } else { number(a).cmp(&number(b)) })
    }

    async fn insert(mut self, tx: &mut Tx, agency: &str, scheme: &str) -> Result<(), StorageError> {
        const COLUMNS: [&str; 7] =
            ["agency_code", "first_enrolment_no", "page_no", "scheme_code", "first_key", "last_key", "content"];
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| self.compare(a, b).then(a.at.cmp(&b.at)));
        let no = |entry: &Entry| self.first_no + i64::from(entry.at);
        if let Some([_, again]) = entries.array_windows().find(|[a, b]| self.compare(a, b).is_eq()) {
            return Err(StorageError::inconsistent("roll_index", no(again), "同一公民身份号码登记了两次"));
        }
        let pages = (1_i64..).zip(entries.chunks(INDEX_LINES)).map(|(page_no, page)| {
            let mut content = String::with_capacity(page.len() * 28);
            for entry in page {
                self.write(entry, &mut content);
                let _ = writeln!(content, "\t{}", no(entry));
            }
            values![agency, self.first_no, page_no, scheme, page[0].key, page[page.len() - 1].key, content]
        });
        tx.insert_rows("roll_index", &COLUMNS, pages).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_comes_out_of_the_index_as_it_went_in_and_in_order(
            numbers in proptest::collection::vec("[0-9]{17}[0-9X]|0{10}[0-9]{8}|[12]{16}[0-9A-Z]{2}|[A-Z]{3}[0-9]{12}|9[0-9]{0,19}", 1..40)
        ) {
            let mut index = Index::default();
            for (number, no) in numbers.iter().zip(7..) {
                index.add(number, no);
            }
            let text = |entry: &Entry| {
                let mut text = String::new();
                index.write(entry, &mut text);
                text
            };
            prop_assert_eq!(index.entries.iter().map(text).collect::<Vec<_>>(), numbers.clone());
            for a in &index.entries {
                for b in &index.entries {
                    prop_assert_eq!(index.compare(a, b), (key(&text(a)), text(a)).cmp(&(key(&text(b)), text(b))));
                }
            }
        }
    }
}
