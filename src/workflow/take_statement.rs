//! Takes in statements of banks, and holds their entries against our own books: files sent, what of them was rejected or
//! came back late.
//!
//! Every statement must foot and join what is known of its account, or nothing of the command is taken in. Then every
//! entry that is still open, of whatever statement, is looked at: it answers items of our books whole, is of a kind of
//! its own (money of the treasury, charges, interest), or is a finding that a clerk must answer. Nothing is guessed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::step::Step;
use crate::calculation::statement_chain::{self, Known};
use crate::calculation::statement_match::{Matching, NamedPayment, Part, Verdict, mentions, payment_refs};
use crate::domain::actor::Role;
use crate::domain::bank_book::{BookItem, ItemKind, OwnKind};
use crate::domain::money::Money;
use crate::domain::payment::PaymentRef;
use crate::domain::period::date_from_number;
use crate::domain::statement::{Statement, TakenEntry, masked_account, plain_account};
use crate::failure::Failure;
use crate::formats::statement::read_statements;
use crate::office::Office;
use crate::storage::finding::{self, NewFinding, StoredFinding};
use crate::storage::payment::{Pages, Standing};
use crate::storage::statement::{self, Origin, StoredEntry, StoredPart, StoredStatement};
use crate::storage::{kept_file, run};

/// A file of the bank, as it came.
#[derive(Debug, Clone)]
pub struct StatementFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What the clerk says of the files, where they do not say it themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// Code of the bank.
    pub bank: Option<&'a str>,
    /// Account of the office.
    pub account: Option<&'a str>,
    /// Banks of the place that the files came from: their accounts must be of these.
    pub place: Option<&'a [String]>,
}

impl<'a> Said<'a> {
    /// The bank whose tables these must be: the one that was said, or the only one of the place.
    #[must_use]
    pub fn bank_of_tables(&self) -> Option<&'a str> {
        self.bank.or(match self.place {
            Some([only]) => Some(only),
            _ => None,
        })
    }
}

/// What became of one statement.
#[derive(Debug, Clone)]
pub struct TakenStatement {
    /// Name of its file.
    pub file_name: String,
    /// The statement as it was read.
    pub statement: Statement,
    /// Bank.
    pub bank_code: String,
    /// Entries that no statement before it had.
    pub new: usize,
}

/// What all files did.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Statements, in the order of their days.
    pub statements: Vec<TakenStatement>,
    /// Files that were taken in before: when and by whom. They did nothing.
    pub already: Vec<String>,
    /// Entries that answer our books now, by kind, and their sum.
    pub answered: BTreeMap<&'static str, (usize, Money)>,
    /// Findings of earlier statements that an item of our books has answered meanwhile.
    pub settled_findings: Vec<i64>,
    /// What is new and open.
    pub findings: Vec<NewFinding>,
    /// Entries that are open after it, of all statements.
    pub open: usize,
}

impl Taken {
    /// True when nothing changed.
    fn is_nothing(&self) -> bool {
        self.statements.is_empty() && self.answered.is_empty() && self.findings.is_empty()
    }
}

/// Takes in statements, all of them or none, and matches what is open. Without files it only matches: what came into our
/// books since may answer entries of earlier statements.
///
/// # Errors
/// When a file is no statement, does not foot, does not join what is known of its account, or nobody knows whose it is.
pub async fn take_statements(
    office: &Office,
    files: impl IntoIterator<Item = Result<StatementFile, Failure>>,
    said: Said<'_>,
) -> Result<Taken, Failure> {
    let mut step = Step::begin(office, "bank.statement", &[Role::Finance]).await?;
    let stored = statement::list(&mut step.tx, &step.agency).await?;
    let mut taken = Taken::default();
    let read = read_all(office, &stored, files, said, &mut taken)?;
    let mut desk = Accounts::open(office, &mut step, stored, said).await?;
    for (file, statement) in read {
        let one = desk.take(&mut step, &file, statement).await?;
        taken.statements.push(one);
    }
    match_open(office, &mut step, &mut taken).await?;
    if taken.is_nothing() {
        return Ok(taken);
    }
    let list: Vec<_> = taken
        .statements
        .iter()
        .map(|t| {
            json!({
                "bank": t.bank_code, "account": t.statement.masked_account(), "number": t.statement.number,
                "first_on": t.statement.first_on, "last_on": t.statement.last_on,
                "opening_fen": t.statement.balances.map(|b| b.opening), "closing_fen": t.statement.balances.map(|b| b.closing),
                "entries": t.statement.entries.len(), "new": t.new,
            })
        })
        .collect();
    let answered: BTreeMap<_, _> = taken.answered.iter().map(|(kind, (count, _))| (kind, count)).collect();
    let banks: BTreeSet<&str> = taken.statements.iter().map(|t| t.bank_code.as_str()).collect();
    let subject = banks.into_iter().collect::<Vec<_>>().join(" ");
    let detail = json!({
        "statements": list, "answered": answered, "findings": taken.findings.len(),
        "settled_findings": taken.settled_findings, "open": taken.open,
    });
    step.finish(&subject, detail).await?;
    Ok(taken)
}

/// A file that was read.
struct ReadFile {
    name: String,
    digest: String,
    bytes: Vec<u8>,
}

/// Reads every file and puts all statements in the order of their days; those of files that are known are left out.
fn read_all(
    office: &Office,
    stored: &[StoredStatement],
    files: impl IntoIterator<Item = Result<StatementFile, Failure>>,
    said: Said<'_>,
    taken: &mut Taken,
) -> Result<Vec<(std::sync::Arc<ReadFile>, Statement)>, Failure> {
    let (mut read, mut refused, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for file in files {
        let StatementFile { name, bytes } = match file {
            Ok(file) => file,
            Err(failure) => {
                refused.push(failure);
                continue;
            }
        };
        let digest = kept_file::digest_of(&bytes);
        if let Some(past) = stored.iter().find(|s| s.digest == digest) {
            let on = date_from_number(past.taken_on).map_or_else(String::new, |on| on.to_string());
            taken.already.push(format!("{name} 已由 {} 于 {on} 读入", past.taken_by));
            continue;
        }
        if !seen.insert(digest.clone()) {
            taken.already.push(format!("{name} 与同时给出的另一个文件内容相同"));
            continue;
        }
        match read_statements(&name, &bytes, office.settings.statement_table_of(said.bank_of_tables())) {
            Err(error) => {
                let usual = "没有读入；请向银行重新取对账单，不要手工修改";
                refused.push(Failure::unread(error.code(), &name, &error, usual));
            }
            Ok(statements) => {
                let file = std::sync::Arc::new(ReadFile { name, digest, bytes });
                for statement in statements {
                    match with_account(&file.name, statement, said.account) {
                        Ok(statement) => read.push((file.clone(), statement)),
                        Err(failure) => refused.push(failure),
                    }
                }
            }
        }
    }
    match refused.len() {
        0 => {
            read.sort_by(|(_, a), (_, b)| {
                (&a.account, a.first_on, a.last_on).cmp(&(&b.account, b.first_on, b.last_on))
            });
            Ok(read)
        }
        1 => Err(refused.remove(0)),
        count => {
            let code = refused[0].code;
            let list: Vec<String> = refused.iter().map(|f| format!("{} [{}]", f.message, f.code)).collect();
            Err(Failure::input(code, format!("{count} 个文件被退回:\n{}", list.join("\n")))
                .hint("同时给出的其他文件也没有读入；更正或去掉以后重新读入全部文件"))
        }
    }
}

/// The account of a statement: what the file says, or the clerk where it says nothing.
fn with_account(name: &str, statement: Statement, said: Option<&str>) -> Result<Statement, Failure> {
    match said.map(plain_account) {
        None if statement.account.is_empty() => {
            let message = format!("{name}: 文件里没有账号，不知道是哪个账户的对账单");
            Err(Failure::input("STATEMENT_ACCOUNT_UNKNOWN", message).hint("用 --account 账号 写明"))
        }
        Some(account) if statement.account.is_empty() => Ok(Statement { account, ..statement }),
        Some(account) if account != statement.account => {
            let (found, said) = (statement.masked_account(), masked_account(&account));
            let message = format!("{name}: 是账户 {found} 的对账单，不是 {said} 的");
            Err(Failure::input("STATEMENT_ACCOUNT_DIFFERS", message).hint("请核对文件，或去掉 --account"))
        }
        _ => Ok(statement),
    }
}

/// The accounts of the office, as far as statements tell of them.
struct Accounts<'a> {
    office: &'a Office,
    said: Said<'a>,
    /// Bank and what is known, by account.
    known: HashMap<String, (String, Known)>,
    kept: HashSet<String>,
}

impl<'a> Accounts<'a> {
    async fn open(
        office: &'a Office,
        step: &mut Step,
        stored: Vec<StoredStatement>,
        said: Said<'a>,
    ) -> Result<Accounts<'a>, Failure> {
        let mut entries: HashMap<String, Vec<TakenEntry>> = HashMap::new();
        for entry in statement::entries(&mut step.tx, &step.agency).await? {
            entries.entry(entry.account).or_default().push(entry.taken);
        }
        let mut by_account: BTreeMap<String, Vec<StoredStatement>> = BTreeMap::new();
        for statement in stored {
            by_account.entry(statement.account.clone()).or_default().push(statement);
        }
        let mut known = HashMap::new();
        for (account, statements) in by_account {
            let bank_code = statements[0].bank_code.clone();
            let mut complete = Vec::new();
            for statement in &statements {
                if let Some((opening, _)) = statement.balances() {
                    let (first_on, last_on) = statement.days()?;
                    complete.push((first_on, last_on, opening));
                }
            }
            let entries = entries.remove(&account).unwrap_or_default();
            known.insert(account, (bank_code, Known::of(complete.into_iter(), entries)));
        }
        Ok(Accounts { office, said, known, kept: HashSet::new() })
    }

    /// Whose account it is: as before, as the office or the clerk has said; never by being the only bank.
    fn bank_of(&self, name: &str, statement: &Statement) -> Result<String, Failure> {
        let shown = statement.masked_account();
        let code = self.bank_of_account(name, statement, &shown)?;
        if self.said.place.is_some_and(|banks| !banks.contains(&code)) {
            let message = format!("{name}: 是银行 {code} 账户 {shown} 的对账单，不应从这里来");
            return Err(Failure::input("OTHER_BANKS_FILE", message)
                .hint("请向银行核实；确是这个账户的，用 fafang bank statement 读入"));
        }
        Ok(code)
    }

    fn bank_of_account(&self, name: &str, statement: &Statement, shown: &str) -> Result<String, Failure> {
        let differs = |known: &str, said: &str| {
            let message = format!("{name}: 账户 {shown} 是银行 {known} 的，不是 {said} 的");
            Err(Failure::input("STATEMENT_BANK_DIFFERS", message).hint("请核对文件，或去掉 --bank"))
        };
        if let Some((known, _)) = self.known.get(&statement.account) {
            return match self.said.bank {
                Some(said) if said != known => differs(known, said),
                _ => Ok(known.clone()),
            };
        }
        let book = &self.office.banks;
        let pays = |code: &str| book.payer_account(code).is_some_and(|payer| payer == statement.account);
        let code = if let Some(said) = self.said.bank {
            book.bank(said).map(|bank| bank.code.clone()).ok_or_else(|| {
                Failure::refused("UNKNOWN_BANK", format!("没有银行 {said}"))
                    .hint("fafang bank layouts 列出银行和它们的代码")
            })?
        } else {
            let found = book.banks.iter().find(|bank| pays(&bank.code)).map(|bank| bank.code.clone());
            found.ok_or_else(|| {
                Failure::input("STATEMENT_BANK_UNKNOWN", format!("{name}: 不知道账户 {shown} 是哪家银行的"))
                    .hint("用 --bank 银行代码 写明，或在银行配置里写明该行的 payer_account")
            })?
        };
        // Of two accounts at one bank only the office can say which pays its files.
        let other = self.known.iter().find(|(_, (bank, _))| *bank == code).map(|(account, _)| masked_account(account));
        if let Some(other) = other.filter(|_| book.payer_account(&code).is_none()) {
            let message =
                format!("{name}: 银行 {code} 已有账户 {other} 的对账单，又有账户 {shown}，不知道报盘从哪个账户支付");
            return Err(Failure::input("STATEMENT_WHICH_ACCOUNT", message)
                .hint("请在银行配置里写明该行的 payer_account，再读入"));
        }
        Ok(code)
    }

    async fn take(&mut self, step: &mut Step, file: &ReadFile, read: Statement) -> Result<TakenStatement, Failure> {
        let bank_code = self.bank_of(&file.name, &read)?;
        let (_, known) =
            self.known.entry(read.account.clone()).or_insert_with(|| (bank_code.clone(), Known::default()));
        let places = statement_chain::join(known, &read).map_err(|unfit| {
            let message = format!("{} 账户 {}: {unfit}", file.name, read.masked_account());
            Failure::input(unfit.code(), message)
                .hint("没有读入；请先读入中间缺的对账单，或核对是否同一账户、是否银行改过的对账单")
        })?;
        let new: Vec<_> = read
            .entries
            .iter()
            .zip(&places)
            .filter(|(_, place)| place.is_none())
            .map(|(entry, _)| entry.clone())
            .collect();
        let Step { tx, agency, actor, on, event_no, .. } = step;
        if self.kept.insert(file.digest.clone()) {
            kept_file::keep_under(tx, agency, &file.digest, &file.name, &file.bytes, *event_no).await?;
        }
        let origin = Origin {
            bank_code: &bank_code,
            file_name: &file.name,
            digest: &file.digest,
            by: &actor.name,
            on: *on,
            event_no: *event_no,
        };
        let count = new.len();
        let taken = statement::insert(tx, agency, &read, new, &origin).await?;
        known.add(&read, taken);
        Ok(TakenStatement { file_name: file.name.clone(), statement: read, bank_code, new: count })
    }
}

/// What answers nothing of our books yet, and the books that it is held against.
struct Open {
    /// By account, with its bank; those too that a clerk has explained.
    entries: BTreeMap<(String, String), Vec<TakenEntry>>,
    parts: Vec<StoredPart>,
    items: Vec<BookItem>,
    /// Findings of entries that nobody has explained, by entry.
    findings: HashMap<i64, StoredFinding>,
    /// Entries that were explained.
    explained: HashSet<i64>,
}

impl Open {
    async fn read(step: &mut Step) -> Result<Open, Failure> {
        let parts = statement::parts(&mut step.tx, &step.agency).await?;
        let items = statement::book_items(&mut step.tx, &step.agency, &parts).await?;
        let done: HashSet<i64> = parts.iter().map(|part| part.entry_no).collect();
        let (mut findings, mut explained) = (HashMap::new(), HashSet::new());
        for found in finding::list(&mut step.tx, &step.agency).await? {
            let Some(entry_no) = found.entry_no else { continue };
            if found.explained_on.is_some() {
                explained.insert(entry_no);
            } else {
                findings.insert(entry_no, found);
            }
        }
        let mut entries: BTreeMap<(String, String), Vec<TakenEntry>> = BTreeMap::new();
        for StoredEntry { taken, bank_code, account, .. } in statement::entries(&mut step.tx, &step.agency).await? {
            if !done.contains(&taken.no) {
                entries.entry((account, bank_code)).or_default().push(taken);
            }
        }
        for of_account in entries.values_mut() {
            of_account.sort_by_key(|taken| (taken.entry.booked_on, taken.no));
        }
        Ok(Open { entries, parts, items, findings, explained })
    }

    /// The books of one account, with the payments that these references name.
    async fn matching<'a>(
        &self,
        office: &'a Office,
        step: &mut Step,
        (account, bank_code): (&str, &str),
        references: &BTreeSet<String>,
    ) -> Result<Matching<'a>, Failure> {
        let pays = |item: &&BookItem| office.banks.is_paid_from(&item.bank_code, account, bank_code);
        let items: Vec<BookItem> = self.items.iter().filter(pays).cloned().collect();
        let runs: BTreeSet<(i64, i64)> = items.iter().map(|item| (item.run_no, item.file_no)).collect();
        let payments =
            named_payments(step, &self.parts, references, |run_no, file_no| runs.contains(&(run_no, file_no)));
        let payments = payments.await?;
        Ok(Matching { agency: &office.agency_code, words: &office.settings.statement_words, items, payments })
    }
}

/// The payments that references name, of files that the account pays.
async fn named_payments(
    step: &mut Step,
    parts: &[StoredPart],
    references: &BTreeSet<String>,
    is_of_account: impl Fn(i64, i64) -> bool,
) -> Result<HashMap<String, NamedPayment>, Failure> {
    let mut wanted: BTreeMap<i64, BTreeMap<i64, PaymentRef>> = BTreeMap::new();
    for reference in payment_refs(references).filter(|r| r.agency_code == step.agency) {
        wanted.entry(reference.run_no).or_default().insert(reference.line_no, reference);
    }
    let mut named = HashMap::new();
    if wanted.is_empty() {
        return Ok(named);
    }
    let out_and_back = |run_no: i64, line_no: i64| {
        let of = |p: &&StoredPart| p.run_no == Some(run_no) && p.line_no == Some(line_no);
        let mine: Vec<&StoredPart> = parts.iter().filter(of).collect();
        let is_out = |p: &&&StoredPart| p.kind == ItemKind::Sent.code();
        (mine.iter().any(|p| is_out(&p)), mine.iter().any(|p| !is_out(&p)))
    };
    let with_lines: HashSet<i64> = parts.iter().filter(|p| p.line_no.is_some()).filter_map(|p| p.run_no).collect();
    for run in run::list(&mut step.tx, &step.agency, None).await? {
        let Some(lines) = wanted.remove(&run.no) else { continue };
        let (Some(first), Some(last)) = (lines.keys().next(), lines.keys().next_back()) else { continue };
        let standing = Standing::of(&mut step.tx, &step.agency, &run).await?;
        let period = run.periods.last;
        let failures = statement::failures(&mut step.tx, &step.agency, period.number(), run.no).await?;
        let mut pages = Pages::of(&step.agency, &run, (*first, *last));
        while let Some(page) = pages.next(&mut step.tx).await? {
            for line in page.lines()? {
                let Some(reference) = lines.get(&line.line_no).filter(|r| r.run_period == period) else { continue };
                let Some(file) = standing.file(line.line_no) else { continue };
                if !is_of_account(run.no, file.file_no) {
                    continue;
                }
                let (state, _) = standing.state(line.line_no)?;
                let back = failures.get(&line.line_no).map(|(kind, event_no)| {
                    let kind = if kind == "rejected" { ItemKind::Rejected } else { ItemKind::Returned };
                    (kind, *event_no)
                });
                let (is_out_answered, is_back_answered) =
                    if with_lines.contains(&run.no) { out_and_back(run.no, line.line_no) } else { (false, false) };
                let payment = NamedPayment {
                    run_no: run.no,
                    file_no: file.file_no,
                    line_no: line.line_no,
                    amount: line.amount,
                    state: state.title(),
                    back,
                    is_out_answered,
                    is_back_answered,
                };
                named.insert(reference.to_string(), payment);
            }
        }
    }
    Ok(named)
}

/// Looks at every entry that is open, and stores what it answers or what is not known of it.
async fn match_open(office: &Office, step: &mut Step, taken: &mut Taken) -> Result<(), Failure> {
    let mut open = Open::read(step).await?;
    for entries in open.entries.values_mut() {
        entries.retain(|taken| !open.explained.contains(&taken.no));
    }
    let (mut parts, mut findings, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for ((account, bank_code), entries) in &open.entries {
        let references = entries.iter().flat_map(|taken| mentions(&step.agency, &taken.entry)).collect();
        let mut matching = open.matching(office, step, (account, bank_code), &references).await?;
        for (entry, verdict) in entries.iter().zip(matching.verdicts(entries)) {
            let found = open.findings.get(&entry.no);
            match stored_parts(entry, &verdict, &matching.items) {
                Ok(answered) => {
                    let kind = taken.answered.entry(answered.0).or_default();
                    kind.0 += 1;
                    kind.1 += entry.entry.amount;
                    parts.extend(answered.1);
                    settled.extend(found.map(|f| f.finding_no));
                }
                Err((code, message)) => {
                    taken.open += 1;
                    if found.is_none() {
                        findings
                            .push((entry.no, NewFinding { code, line_no: None, amount: entry.entry.amount, message }));
                    }
                }
            }
        }
    }
    let Step { tx, agency, on, event_no, .. } = step;
    statement::insert_parts(tx, agency, &parts, *event_no).await?;
    finding::insert_of_entries(tx, agency, &findings, *on, *event_no).await?;
    for finding_no in &settled {
        settle(step, *finding_no).await?;
    }
    taken.findings = findings.into_iter().map(|(_, finding)| finding).collect();
    taken.settled_findings = settled;
    Ok(())
}

/// A finding of an entry that answers our books after all.
async fn settle(step: &mut Step, finding_no: i64) -> Result<(), Failure> {
    let Step { tx, agency, actor, on, event_no, .. } = step;
    finding::explain(tx, agency, finding_no, &actor.name, *on, *event_no, "已与账上相符的项目配对").await?;
    Ok(())
}

/// What is stored of an entry: what kind of answer it is, and its parts; or why it is open.
fn stored_parts(
    taken: &TakenEntry,
    verdict: &Verdict,
    items: &[BookItem],
) -> Result<(&'static str, Vec<StoredPart>), (&'static str, String)> {
    let own = |kind: OwnKind| StoredPart {
        entry_no: taken.no,
        kind: kind.code().to_string(),
        period: None,
        run_no: None,
        file_no: None,
        book_event_no: None,
        line_no: None,
        amount_fen: taken.entry.amount.fen(),
    };
    let part = |part: &Part| {
        let item = &items[part.item];
        StoredPart {
            entry_no: taken.no,
            kind: item.kind.code().to_string(),
            period: Some(item.period),
            run_no: Some(item.run_no),
            file_no: Some(item.file_no),
            book_event_no: Some(item.event_no),
            line_no: part.line_no,
            amount_fen: part.amount.fen(),
        }
    };
    match verdict {
        Verdict::Own(kind) => Ok((kind.code(), vec![own(*kind)])),
        Verdict::Answers(parts) => {
            let kind = parts.first().map_or(ItemKind::Sent, |part| items[part.item].kind);
            Ok((kind.code(), parts.iter().map(part).collect()))
        }
        Verdict::Open { code, message } => Err((code, message.clone())),
    }
}

/// Matches an entry that answers nothing yet to what a clerk says that it answers: references of files or payments. Amounts must fit as if
/// the bank had written them.
///
/// # Errors
/// When there is no such open entry, the references are not ours, or the amounts differ.
pub async fn match_entry(office: &Office, entry_no: i64, references: &[String]) -> Result<Money, Failure> {
    let mut step = Step::begin(office, "bank.match", &[Role::Finance]).await?;
    let open = Open::read(&mut step).await?;
    let found = open
        .entries
        .iter()
        .find_map(|(account, entries)| entries.iter().find(|taken| taken.no == entry_no).map(|taken| (account, taken)));
    let Some(((account, bank_code), taken)) = found else {
        return Err(Failure::refused("ENTRY_NOT_OPEN", format!("对账单第 {entry_no} 号分录不存在，或已配对"))
            .hint("fafang finding list 列出未说明的分录"));
    };
    let references: BTreeSet<String> = references.iter().map(|text| text.trim().to_string()).collect();
    let matching = open.matching(office, &mut step, (account, bank_code), &references).await?;
    let Some(verdict) = matching.by_reference(taken, &references) else {
        let list = references.into_iter().collect::<Vec<_>>().join("、");
        return Err(Failure::refused("UNKNOWN_REFERENCE", format!("{list} 不是从这个账户支付的文件或明细的编号"))
            .hint("文件编号见 fafang bank issue 的输出和报表 bank-reconciliation"));
    };
    let (kind, parts) = stored_parts(taken, &verdict, &matching.items)
        .map_err(|(code, message)| Failure::refused(code, message).hint("金额须与账上的项目相同"))?;
    statement::insert_parts(&mut step.tx, &step.agency, &parts, step.event_no).await?;
    if let Some(found) = open.findings.get(&entry_no) {
        settle(&mut step, found.finding_no).await?;
    }
    let amount = taken.entry.amount;
    let detail = json!({ "entry": entry_no, "kind": kind, "references": references, "amount_fen": amount });
    step.finish(&format!("entry {entry_no}"), detail).await?;
    Ok(amount)
}
