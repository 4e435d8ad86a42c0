//! Events of enrolments: facts, corrections and the undoing of wrong ones. Append-only.

use chrono::NaiveDate;

use super::engine::{Tx, Value};
use super::error::StorageError;
use super::{date, period};
use crate::domain::enrolment::{EventKind, StopReason, SuspensionCause};
use crate::domain::entitlement::Fact;
use crate::domain::money::Money;
use crate::domain::period::{Period, date_number};
use crate::values;

/// A fact as one text, its fields between tabs: a column costs the drivers more than it holds. What may be any text stands
/// last, and only a category is more than what a history shows.
macro_rules! select_facts {
    ($($rest:expr),+) => {
        concat!(
            "SELECT CONCAT_WS('\t', v.enrolment_no, v.seq_no, v.kind, COALESCE(v.period, 0), COALESCE(v.on_date, 0), v.cause, v.amount_fen, \
             COALESCE(v.back_paid, 0), COALESCE(v.undoes_seq, 0), v.event_no, CASE v.kind WHEN 'category' THEN v.new_value ELSE '' END) FROM ",
            $($rest),+
        )
    };
}

statements! {
    /// CROSS JOIN is a plain join; to SQLite it says that the pages come first.
    FACTS_OF_SCHEME = select_facts!("roll_page p CROSS JOIN enrolment_event v WHERE p.agency_code = $1 AND p.scheme_code = $2 \
                       AND v.agency_code = p.agency_code AND v.enrolment_no BETWEEN p.first_enrolment_no AND p.last_enrolment_no");
    FACTS_BETWEEN = select_facts!("enrolment_event v WHERE v.agency_code = $1 AND v.enrolment_no BETWEEN $2 AND $3");
    FACTS = select_facts!("enrolment_event v WHERE v.agency_code = $1 AND v.enrolment_no = $2");
    TOLD_SINCE = "SELECT DISTINCT enrolment_no FROM enrolment_event WHERE agency_code = $1 AND event_no > $2";
    EVENTS = "SELECT seq_no, kind, period, on_date, cause, amount_fen, back_paid, undoes_seq, reason, evidence, old_value, new_value, \
              made_by, made_on, accepted_by FROM enrolment_event WHERE agency_code = $1 AND enrolment_no = $2 ORDER BY seq_no";
    NEXT_SEQ = "SELECT COALESCE(MAX(seq_no), 0) + 1 FROM enrolment_event WHERE agency_code = $1 AND enrolment_no = $2";
    /// Changes of accounts that were there before; the account of an enrolment by hand is none.
    ACCOUNT_CHANGES = "SELECT enrolment_no, made_by, made_on, accepted_by FROM enrolment_event \
                       WHERE agency_code = $1 AND kind = 'account' AND old_value <> '' ORDER BY enrolment_no, seq_no";
}

/// A fact as it is stored; 0 where there is no month, day or number.
struct FactRow<'a> {
    enrolment_no: i64,
    seq_no: i64,
    kind: &'a str,
    period: i64,
    on_date: i64,
    cause: &'a str,
    amount_fen: i64,
    back_paid: i64,
    undoes_seq: i64,
    event_no: i64,
    new_value: &'a str,
}

impl<'a> FactRow<'a> {
    /// From the text of [`select_facts!`].
    fn read(line: &'a str) -> Result<FactRow<'a>, StorageError> {
        let mut fields = line.splitn(11, '\t');
        let wrong = || {
            let key: Vec<&str> = line.split('\t').take(2).collect();
            StorageError::inconsistent("enrolment_event", key.join("-"), "无法读取")
        };
        let mut text = || fields.next().ok_or_else(wrong);
        let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
        Ok(FactRow {
            enrolment_no: number(text()?)?,
            seq_no: number(text()?)?,
            kind: text()?,
            period: number(text()?)?,
            on_date: number(text()?)?,
            cause: text()?,
            amount_fen: number(text()?)?,
            back_paid: number(text()?)?,
            undoes_seq: number(text()?)?,
            event_no: number(text()?)?,
            new_value: text()?,
        })
    }
}

impl TryFrom<FactRow<'_>> for Fact {
    type Error = StorageError;
    fn try_from(row: FactRow<'_>) -> Result<Fact, StorageError> {
        let wrong = |what: &str| {
            StorageError::inconsistent("enrolment_event", format!("{}-{}", row.enrolment_no, row.seq_no), what)
        };
        let told = |number: i64| (number != 0).then_some(number);
        let month = || period("enrolment_event", row.period);
        let maybe_month = || told(row.period).map(|p| period("enrolment_event", p)).transpose();
        let maybe_day = || told(row.on_date).map(|on| date("enrolment_event", on)).transpose();
        let day = || date("enrolment_event", row.on_date);
        let suspended_by = || SuspensionCause::parse(row.cause).ok_or_else(|| wrong("暂停原因"));
        Ok(match EventKind::parse(row.kind).ok_or_else(|| wrong("种类"))? {
            EventKind::Stopped => Fact::Stopped {
                last: month()?,
                on: maybe_day()?,
                reason: StopReason::parse(row.cause).ok_or_else(|| wrong("停发原因"))?,
            },
            EventKind::Suspended => Fact::Suspended { from: month()?, cause: suspended_by()? },
            EventKind::Resumed => {
                Fact::Resumed { from: month()?, cause: suspended_by()?, back_paid: row.back_paid == 1 }
            }
            EventKind::Category => Fact::Category { from: maybe_month()?, category: row.new_value.to_string() },
            EventKind::Amount => Fact::Amount {
                from: maybe_month()?,
                monthly: Some(Money(row.amount_fen)).filter(|m| *m > Money::ZERO).ok_or_else(|| wrong("金额"))?,
            },
            EventKind::FirstMonth => Fact::FirstMonth { first: month()?, day: maybe_day()? },
            EventKind::Certified => Fact::Certified(day()?),
            EventKind::Born => Fact::Born(day()?),
            EventKind::Retired => Fact::Retired(day()?),
            EventKind::Undone => Fact::Undone(told(row.undoes_seq).ok_or_else(|| wrong("撤销的编号"))?),
            EventKind::Account | EventKind::Name => Fact::Other,
        })
    }
}

/// A fact of an enrolment, as it is stored.
#[derive(Debug, Clone)]
pub struct StoredFact {
    /// Whose.
    pub enrolment_no: i64,
    /// 1, 2, 3 … per enrolment.
    pub seq_no: i64,
    /// Audit event that told it.
    pub event_no: i64,
    /// What.
    pub fact: Fact,
}

impl StoredFact {
    fn read(line: &str) -> Result<StoredFact, StorageError> {
        let row = FactRow::read(line)?;
        let FactRow { enrolment_no, seq_no, event_no, .. } = row;
        Ok(StoredFact { enrolment_no, seq_no, event_no, fact: row.try_into()? })
    }
}

/// Facts of every enrolment of a scheme, by enrolment and number.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn facts_of_scheme(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Vec<StoredFact>, StorageError> {
    Ok(in_order(tx.fetch_lines(FACTS_OF_SCHEME, values![agency, scheme], StoredFact::read).await?))
}

/// Facts of the enrolments of a stretch of numbers, both included, by enrolment and number.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub(super) async fn facts_between(
    tx: &mut Tx,
    agency: &str,
    (first, last): (i64, i64),
) -> Result<Vec<StoredFact>, StorageError> {
    Ok(in_order(tx.fetch_lines(FACTS_BETWEEN, values![agency, first, last], StoredFact::read).await?))
}

/// In Rust, because an ORDER BY would make SQLite sort texts.
fn in_order(mut facts: Vec<StoredFact>) -> Vec<StoredFact> {
    facts.sort_unstable_by_key(|told| (told.enrolment_no, told.seq_no));
    facts
}

/// Enrolments, of all schemes, of which something was told after an audit event.
///
/// # Errors
/// The database's.
pub async fn told_since(tx: &mut Tx, agency: &str, event_no: i64) -> Result<Vec<i64>, StorageError> {
    let rows: Vec<(i64,)> = tx.fetch_all(TOLD_SINCE, values![agency, event_no]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

/// Numbered facts of an enrolment, in order.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn facts(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<(i64, Fact)>, StorageError> {
    let mut facts = tx.fetch_lines(FACTS, values![agency, enrolment_no], StoredFact::read).await?;
    facts.sort_by_key(|told| told.seq_no);
    Ok(facts.into_iter().map(|told| (told.seq_no, told.fact)).collect())
}

/// An event of an enrolment as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredEvent {
    /// 1, 2, 3 …
    pub seq_no: i64,
    /// Stored kind.
    pub kind: String,
    /// Month it speaks of.
    pub period: Option<i64>,
    /// Day it speaks of.
    pub on_date: Option<i64>,
    /// Cause of a stop or suspension.
    pub cause: String,
    /// New monthly amount, else 0.
    pub amount_fen: i64,
    /// Resumed with back-pay.
    pub back_paid: Option<i64>,
    /// The event that was wrong.
    pub undoes_seq: Option<i64>,
    /// Reason.
    pub reason: String,
    /// Evidence.
    pub evidence: String,
    /// Before.
    pub old_value: String,
    /// After.
    pub new_value: String,
    /// Who entered it.
    pub made_by: String,
    /// Business date.
    pub made_on: i64,
    /// The second person.
    pub accepted_by: Option<String>,
}

/// All events of an enrolment in order.
///
/// # Errors
/// The database's.
pub async fn events(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<StoredEvent>, StorageError> {
    tx.fetch_all(EVENTS, values![agency, enrolment_no]).await
}

/// Who changed an account, and when.
#[derive(Debug, Clone)]
pub struct AccountChange {
    /// Enrolment.
    pub enrolment_no: i64,
    /// Who changed it.
    pub by: String,
    /// Business date.
    pub on: NaiveDate,
    /// The second person, where there was one.
    pub accepted_by: Option<String>,
}

/// Every change of an account, in order of enrolment and event.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn account_changes(tx: &mut Tx, agency: &str) -> Result<Vec<AccountChange>, StorageError> {
    let rows: Vec<(i64, String, i64, Option<String>)> = tx.fetch_all(ACCOUNT_CHANGES, values![agency]).await?;
    let change = |(enrolment_no, by, on, accepted_by)| {
        Ok(AccountChange { enrolment_no, by, on: date("enrolment_event", on)?, accepted_by })
    };
    rows.into_iter().map(change).collect()
}

/// An event to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// Month it speaks of.
    pub period: Option<Period>,
    /// Day it speaks of.
    pub on: Option<NaiveDate>,
    /// Cause of a stop or suspension.
    pub cause: &'static str,
    /// New monthly amount.
    pub amount: Option<Money>,
    /// Resumed with back-pay; `Some` only for that kind.
    pub back_paid: Option<bool>,
    /// The event that was wrong; `Some` only for an undoing.
    pub undoes_seq: Option<i64>,
    /// Reason.
    pub reason: String,
    /// Evidence.
    pub evidence: String,
    /// Before.
    pub old_value: String,
    /// After.
    pub new_value: String,
}

impl NewEvent {
    /// An event of a kind, with nothing else said yet.
    pub fn new(kind: EventKind) -> NewEvent {
        NewEvent {
            kind,
            period: None,
            on: None,
            cause: "",
            amount: None,
            back_paid: None,
            undoes_seq: None,
            reason: String::new(),
            evidence: String::new(),
            old_value: String::new(),
            new_value: String::new(),
        }
    }

    /// What the event will say once it is stored, as number `seq_no` of an enrolment.
    ///
    /// # Errors
    /// When it is none that could be read again.
    pub fn fact(&self, enrolment_no: i64, seq_no: i64) -> Result<Fact, StorageError> {
        let row = FactRow {
            enrolment_no,
            seq_no,
            kind: self.kind.code(),
            period: self.period.map_or(0, Period::number),
            on_date: self.on.map_or(0, date_number),
            cause: self.cause,
            amount_fen: self.amount.map_or(0, Money::fen),
            back_paid: self.back_paid.map_or(0, i64::from),
            undoes_seq: self.undoes_seq.unwrap_or(0),
            // A fact does not say which event told it.
            event_no: 0,
            new_value: &self.new_value,
        };
        row.try_into()
    }
}

/// Who made a change, when, under which audit event, and who accepted it.
#[derive(Debug, Clone, Copy)]
pub struct ChangeMark<'a> {
    /// Who made it.
    pub by: &'a str,
    /// Business date.
    pub on: NaiveDate,
    /// Audit event.
    pub event_no: i64,
    /// The second person, where the scheme asks for one.
    pub accepted_by: Option<&'a str>,
}

/// Appends an event to an enrolment's history; its number.
///
/// # Errors
/// The database's.
pub async fn append(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
    event: &NewEvent,
    mark: ChangeMark<'_>,
) -> Result<i64, StorageError> {
    let (seq_no,): (i64,) = tx.fetch_one(NEXT_SEQ, values![agency, enrolment_no]).await?;
    append_all(tx, agency, std::iter::once((enrolment_no, seq_no, event.clone())), mark).await?;
    Ok(seq_no)
}

/// Appends events in bulk: enrolment, number of the event within it, event.
///
/// # Errors
/// The database's; also when an enrolment has an event of that number.
pub async fn append_all(
    tx: &mut Tx,
    agency: &str,
    events: impl Iterator<Item = (i64, i64, NewEvent)>,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 18] = [
        "agency_code",
        "enrolment_no",
        "seq_no",
        "kind",
        "period",
        "on_date",
        "cause",
        "amount_fen",
        "back_paid",
        "undoes_seq",
        "reason",
        "evidence",
        "old_value",
        "new_value",
        "made_by",
        "made_on",
        "accepted_by",
        "event_no",
    ];
    let row = |(enrolment_no, seq_no, event): (i64, i64, NewEvent)| -> Vec<Value> {
        values![
            agency,
            enrolment_no,
            seq_no,
            event.kind.code(),
            event.period.map(Period::number),
            event.on.map(date_number),
            event.cause,
            event.amount.map_or(0, Money::fen),
            event.back_paid.map(i64::from),
            event.undoes_seq,
            event.reason,
            event.evidence,
            event.old_value,
            event.new_value,
            mark.by,
            date_number(mark.on),
            mark.accepted_by,
            mark.event_no,
        ]
    };
    tx.insert_rows("enrolment_event", &COLUMNS, events.map(row)).await
}
