//! Taking in what the banks left: each complete file is its own step of the same workflow as `bank return`,
//! `bank late-return` and `bank statement`, and goes to the archive after that step's commit; what is not understood goes to quarantine
//! with its reason beside it. Until its move a file stays where it is, and a file that is looked at again changes nothing.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::super::bank::{taken_document, taken_words};
use super::super::{Desk, statement};
use super::{Trouble, exit_code_of, is_lost};
use crate::crash;
use crate::domain::delivery::DeliveryKind;
use crate::domain::place::{Place, SEALED};
use crate::exchange::place::{Connection, Found, is_incomplete};
use crate::exchange::{folder, seal};
use crate::failure::{Failure, Kind};
use crate::formats::bank::neutral::AnswerKind;
use crate::formats::statement::{read_statements, seems_statement};
use crate::office::Office;
use crate::storage::kept_file::digest_of;
use crate::workflow::hand_over::{self, Standing};
use crate::workflow::take_return::{AnswerFile, Taken, take_returns_of};
use crate::workflow::take_statement::{self, Said, StatementFile, take_statements};

/// Ending of the file that tells why another is in quarantine.
pub const REASON: &str = ".reason.txt";

/// What became of a file of the bank.
enum Became {
    /// An answer, taken in now or before.
    Answer(Box<Taken>),
    /// A statement, taken in now or before.
    Statement(Box<take_statement::Taken>),
    /// The bank has this file of ours.
    Acknowledged(String),
}

/// A file that was taken in.
struct Done {
    place: String,
    name: String,
    became: Became,
}

/// A file that was not understood.
struct Refused {
    place: String,
    name: String,
    path: PathBuf,
    failure: Failure,
}

/// What a pull did.
#[derive(Default)]
pub struct Pulled {
    done: Vec<Done>,
    quarantined: Vec<Refused>,
    /// Files that are not complete yet, in words.
    growing: Vec<String>,
    troubles: Vec<Trouble>,
}

/// A file as it came.
struct Letter<'a> {
    name: &'a str,
    raw: Vec<u8>,
    /// The file that says it is complete, and what it says.
    marker: Option<(String, Vec<u8>)>,
}

/// Takes in every complete file of the places; `is_stopped` is asked between files.
///
/// # Errors
/// When the person may not. What goes wrong with a place or file is told, and the others go on.
pub async fn pull(desk: &Desk, places: &[Place], is_stopped: &dyn Fn() -> bool) -> Result<Pulled, Failure> {
    let office = &desk.office;
    hand_over::for_finance(office).await?;
    let mut pulled = Pulled::default();
    for place in places {
        if is_stopped() {
            break;
        }
        let result = match Connection::open(place).await {
            Ok(connection) => {
                let result = OpenPlace { office, place, connection: &connection }.pull(&mut pulled, is_stopped).await;
                connection.close().await;
                result
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = result {
            pulled.troubles.push(Trouble { at: place.name.clone(), failure });
        }
    }
    Ok(pulled)
}

/// Files of the bank in an inbox: neither those that other programs still write nor markers.
pub fn files_of_bank(place: &Place, inbox: Vec<Found>) -> Vec<Found> {
    let is_file =
        |found: &Found| !is_incomplete(&found.name) && Place::base(place.marker.as_deref(), &found.name).is_none();
    inbox.into_iter().filter(is_file).collect()
}

/// One place that is open.
struct OpenPlace<'a> {
    office: &'a Office,
    place: &'a Place,
    connection: &'a Connection,
}

impl OpenPlace<'_> {
    async fn pull(&self, pulled: &mut Pulled, is_stopped: &dyn Fn() -> bool) -> Result<(), Failure> {
        let (complete, growing) = self.complete().await?;
        pulled.growing.extend(growing.iter().map(|name| format!("{} {name} 还没有写完，下次再取", self.place.name)));
        // A late return may lie beside the return that it follows, and a statement beside both, which it tells of too:
        // returns come first, statements last and in the order of their days, whatever the names.
        let (mut late, mut statements) = (Vec::new(), Vec::new());
        for (name, marker) in complete {
            if is_stopped() {
                return Ok(());
            }
            match self.take_in(pulled, &name, marker.clone(), Pass::Returns).await? {
                Turn::Over => {}
                Turn::LateReturn => late.push((name, marker)),
                Turn::Statement(day) => statements.push((day, name, marker)),
            }
        }
        statements.sort();
        let late = late.into_iter().map(|(name, marker)| (Pass::LateReturns, name, marker));
        let statements = statements.into_iter().map(|(_, name, marker)| (Pass::Statements, name, marker));
        for (pass, name, marker) in late.chain(statements) {
            if is_stopped() {
                return Ok(());
            }
            self.take_in(pulled, &name, marker, pass).await?;
        }
        Ok(())
    }

    /// Complete files in order of name, with their markers, and those that are not complete: a marker says so, or two
    /// looks see the same.
    async fn complete(&self) -> Result<(Vec<(String, Option<String>)>, Vec<String>), Failure> {
        let first = self.connection.inbox().await?;
        let marker_of = |name: &str| {
            let marker = self.place.marker_of(name)?;
            first.iter().any(|found| found.name == marker).then_some(marker)
        };
        let files = files_of_bank(self.place, first.clone());
        let second = if files.iter().all(|found| marker_of(&found.name).is_some()) {
            Vec::new()
        } else {
            tokio::time::sleep(self.place.settle).await;
            self.connection.inbox().await?
        };
        let (mut complete, mut growing) = (Vec::new(), Vec::new());
        for found in files {
            let marker = marker_of(&found.name);
            if marker.is_some() || second.contains(&found) {
                complete.push((found.name, marker));
            } else {
                growing.push(found.name);
            }
        }
        Ok((complete, growing))
    }

    /// Takes in one file, if it is of those that this pass takes.
    ///
    /// # Errors
    /// Only when the place is gone.
    async fn take_in(
        &self,
        pulled: &mut Pulled,
        name: &str,
        marker: Option<String>,
        pass: Pass,
    ) -> Result<Turn, Failure> {
        match self.take(pulled, name, marker, pass).await {
            Ok(turn) => Ok(turn),
            Err(failure) if is_lost(&failure) => Err(failure),
            Err(failure) => {
                pulled.troubles.push(Trouble { at: format!("{} {name}", self.place.name), failure });
                Ok(Turn::Over)
            }
        }
    }

    async fn take(&self, pulled: &mut Pulled, name: &str, marker: Option<String>, pass: Pass) -> Result<Turn, Failure> {
        let raw = self.connection.take(name).await?;
        let marker = match marker {
            Some(marker) => Some((marker.clone(), self.connection.take(&marker).await?)),
            None => None,
        };
        let letter = Letter { name, raw, marker };
        let place = self.place.name.clone();
        match self.understand(&letter, pass).await {
            Ok(Understood::Later(turn)) => return Ok(turn),
            Ok(Understood::Now(became)) => {
                crash::point("exchange", "before-archive");
                pulled.done.push(Done { place, name: name.to_string(), became });
                folder::put_beside(&self.place.archive, name, &letter.raw)?;
                crash::point("exchange", "before-remove");
                self.remove(&letter).await?;
            }
            // Only what is wrong with the file itself; when the office cannot take it now, it stays.
            Err(failure) if failure.kind == Kind::Input => {
                let path = folder::put_beside(&self.place.quarantine, name, &letter.raw)?;
                let mut reason = path.clone().into_os_string();
                reason.push(REASON);
                folder::replace(&PathBuf::from(reason), reason_text(self.place, &letter, &failure).as_bytes())?;
                pulled.quarantined.push(Refused { place, name: name.to_string(), path, failure });
                crash::point("exchange", "before-remove");
                self.remove(&letter).await?;
            }
            Err(failure) => return Err(failure),
        }
        Ok(Turn::Over)
    }

    /// The marker goes first: a file without one is still a file, a marker without its file is nothing.
    async fn remove(&self, letter: &Letter<'_>) -> Result<(), Failure> {
        if let Some((marker, _)) = &letter.marker {
            self.connection.remove(marker).await?;
        }
        self.connection.remove(letter.name).await
    }

    /// What a file is, and what that does. A new kind of file from the bank is one more attempt here.
    async fn understand(&self, letter: &Letter<'_>, pass: Pass) -> Result<Understood, Failure> {
        if let Some(base) = Place::base(self.place.acknowledgement.as_deref(), letter.name) {
            return self.acknowledge(letter, base).await.map(Understood::Now);
        }
        agrees_with_marker(letter)?;
        let (name, bytes) = self.opened(letter)?;
        let (office, banks) = (self.office, Some(self.place.banks.as_slice()));
        let said = Said { place: banks, ..Said::default() };
        let table = office.settings.statement_table_of(said.bank_of_tables());
        if pass != Pass::LateReturns && seems_statement(&name, &bytes, table) {
            if pass == Pass::Returns {
                let days = read_statements(&name, &bytes, table).unwrap_or_default();
                let first = days.iter().map(|statement| statement.first_on).min();
                return Ok(Understood::Later(Turn::Statement(first.unwrap_or(NaiveDate::MAX))));
            }
            let taken = take_statements(office, [Ok(StatementFile { name, bytes })], said).await?;
            return Ok(Understood::Now(Became::Statement(Box::new(taken))));
        }
        let kind = if pass == Pass::LateReturns { AnswerKind::LateReturn } else { AnswerKind::Return };
        let file = AnswerFile { name, bytes, answers: None };
        match take_returns_of(office, banks, kind, [Ok(file)]).await {
            Ok(mut taken) => {
                let taken = taken.pop().ok_or_else(|| Failure::new(Kind::Internal, "INCONSISTENT", letter.name))?;
                Ok(Understood::Now(Became::Answer(Box::new(taken))))
            }
            Err(other) if pass == Pass::Returns && other.code == "OTHER_ANSWER_KIND" => {
                Ok(Understood::Later(Turn::LateReturn))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Name and bytes as they read.
    fn opened(&self, letter: &Letter<'_>) -> Result<(String, Vec<u8>), Failure> {
        match (&self.place.identity, letter.name.strip_suffix(SEALED)) {
            (Some(identity), Some(name)) => Ok((name.to_string(), seal::open(letter.name, identity, &letter.raw)?)),
            (Some(_), None) => {
                Err(Failure::input("FILE_NOT_SEALED", format!("{}: 没有加密，这里只收加密的文件", letter.name))
                    .hint("请向银行核实是谁放的；不再加密的，从配置里去掉 identity"))
            }
            (None, Some(_)) => Err(Failure::new(
                Kind::Configuration,
                "NO_IDENTITY",
                format!("{} 已加密，而“{}”没有写 identity", letter.name, self.place.name),
            )
            .hint("用 fafang exchange keygen 生成密钥，公钥交给银行，私钥写在配置的 identity")),
            (None, None) => Ok((letter.name.to_string(), letter.raw.clone())),
        }
    }

    async fn acknowledge(&self, letter: &Letter<'_>, base: &str) -> Result<Became, Failure> {
        for known in hand_over::files(self.office).await? {
            let sent = known.deliveries.iter().rev().find(|d| d.place == self.place.name && d.sent_name == base);
            let Some(sent) = sent else { continue };
            let is_told = known.file.is_answered() || known.last()? == Some(DeliveryKind::Acknowledged);
            if !is_told {
                let standing = Standing { place: &self.place.name, name: base, digest: &sent.sent_digest };
                let note = format!("{} sha256 {}", letter.name, digest_of(&letter.raw));
                hand_over::acknowledged(self.office, &known, standing, &note).await?;
            }
            return Ok(Became::Acknowledged(known.file.name));
        }
        let message = format!("{}: 没有送出过支付文件 {base}", letter.name);
        Err(Failure::input("ACKNOWLEDGES_NOTHING", message).hint("请向银行核实是给谁的回执"))
    }
}

/// A marker that tells a digest tells that of its file.
fn agrees_with_marker(letter: &Letter<'_>) -> Result<(), Failure> {
    let Some((marker, said)) = &letter.marker else { return Ok(()) };
    let said = String::from_utf8_lossy(said);
    let said = said.lines().find_map(|line| line.trim().strip_prefix("sha256=")).map(str::to_ascii_lowercase);
    let found = digest_of(&letter.raw);
    match said {
        Some(said) if said != found => {
            let message = format!("{}: 摘要是 {found}，{marker} 写的是 {said}", letter.name);
            Err(Failure::input("MARKER_DIFFERS", message).hint("文件在途中改变或没有传完，请向银行重新取回"))
        }
        _ => Ok(()),
    }
}

/// What is taken in one after another at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Returns,
    LateReturns,
    Statements,
}

/// When a file has its turn.
enum Turn {
    /// It is done with.
    Over,
    /// It is a late return: after all returns.
    LateReturn,
    /// It is a statement that begins on this day: after all that it tells of.
    Statement(NaiveDate),
}

/// What became of a file, or when it has its turn.
enum Understood {
    Now(Became),
    Later(Turn),
}

fn reason_text(place: &Place, letter: &Letter<'_>, failure: &Failure) -> String {
    let hint = if failure.hint.is_empty() { String::new() } else { format!("提示: {}\r\n", failure.hint) };
    format!(
        "没有读入: {} [{}]\r\n{hint}来自: {}\r\n文件: {}  {} 字节  sha256 {}\r\n\
         处理以后放回取文件的地方再取，或用 fafang bank return、bank late-return、bank statement 读入；不要的连同本说明一起删去。\r\n",
        failure.message.replace('\n', "；"),
        failure.code,
        place.name,
        letter.name,
        letter.raw.len(),
        digest_of(&letter.raw)
    )
}

impl Pulled {
    pub fn exit_code(&self) -> u8 {
        let has_findings = |done: &Done| match &done.became {
            Became::Answer(taken) => !taken.findings.is_empty(),
            Became::Statement(taken) => !taken.findings.is_empty(),
            Became::Acknowledged(_) => false,
        };
        let is_clean = self.quarantined.is_empty() && !self.done.iter().any(has_findings);
        exit_code_of(&self.troubles, is_clean)
    }

    /// True when there is anything to say.
    pub fn is_news(&self) -> bool {
        !self.done.is_empty() || !self.quarantined.is_empty() || !self.troubles.is_empty()
    }

    pub fn document(&self) -> Value {
        let (mut files, mut statements, mut acknowledged) = (Vec::new(), Vec::new(), Vec::new());
        for Done { place, name, became } in &self.done {
            let (list, mut document) = match became {
                Became::Answer(taken) => (&mut files, taken_document(taken)),
                Became::Statement(taken) => (&mut statements, statement::document(taken)),
                Became::Acknowledged(file) => (&mut acknowledged, json!({ "file": file })),
            };
            document["place"] = json!(place);
            document["name"] = json!(name);
            list.push(document);
        }
        let quarantined = self.quarantined.iter().map(|refused| {
            let Failure { code, message, .. } = &refused.failure;
            json!({ "place": refused.place, "name": refused.name, "path": refused.path, "code": code, "message": message })
        });
        json!({
            "files": files, "statements": statements, "acknowledged": acknowledged,
            "quarantined": quarantined.collect::<Vec<_>>(), "growing": self.growing,
            "troubles": self.troubles.iter().map(Trouble::document).collect::<Vec<_>>(),
        })
    }

    pub fn words(&self) -> String {
        let mut lines = Vec::new();
        for done in &self.done {
            match &done.became {
                Became::Answer(taken) => {
                    lines.push(format!("{} {}，已归档\n{}", done.place, done.name, taken_words(taken)));
                }
                Became::Statement(taken) => {
                    lines.push(format!("{} {}，已归档\n{}", done.place, done.name, statement::words(taken)));
                }
                Became::Acknowledged(file) => lines.push(format!("{}: 银行已收妥 {file}", done.place)),
            }
        }
        for refused in &self.quarantined {
            let Failure { code, message, hint, .. } = &refused.failure;
            lines.push(format!("{} {} 没有读入，已隔离到 {}", refused.place, refused.name, refused.path.display()));
            lines.push(format!("  原因: {message} [{code}]"));
            if !hint.is_empty() {
                lines.push(format!("  提示: {hint}"));
            }
        }
        lines.extend(self.growing.iter().cloned());
        lines.extend(self.troubles.iter().map(Trouble::words));
        if lines.is_empty() {
            lines.push("没有要读入的文件".into());
        }
        lines.join("\n")
    }
}
