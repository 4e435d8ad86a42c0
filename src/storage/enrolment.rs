//! Beneficiaries and their enrolments, with what the events have made of them.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;

use super::engine::{Tx, Value};
use super::enrolment_event::{self, ChangeMark, StoredFact};
use super::error::StorageError;
use super::{HUNDRED, date, hundred_values, period};
use crate::domain::bank_account::AccountNumber;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{Account, Enrolment, StopReason};
use crate::domain::entitlement::{Entitlement, Fact};
use crate::domain::money::Money;
use crate::domain::period::{Period, date_number};
use crate::values;

/// An enrolment with its person as one text, its fields between tabs: a column costs the drivers more than it holds.
/// What may be any text stands last.
macro_rules! select {
    ($($condition:expr)+) => {
        concat!(
            "SELECT CONCAT_WS('\t', e.enrolment_no, e.scheme_code, e.beneficiary_no, b.citizen_number, b.name, COALESCE(b.retired_on, 0), \
             e.first_period, COALESCE(e.first_on, 0), COALESCE(e.last_period, 0), e.amount_fen, COALESCE(e.amount_from, 0), \
             COALESCE(e.certified_on, 0), e.bank_code, e.account_number, e.account_holder, e.changed_event_no, e.category) FROM enrolment e \
             JOIN beneficiary b ON b.agency_code = e.agency_code AND b.beneficiary_no = e.beneficiary_no WHERE e.agency_code = $1 AND ",
            $($condition),+
        )
    };
}

statements! {
    /// Everybody of a hundred people: whoever asks for fewer repeats one.
    OF_PEOPLE = select!("e.beneficiary_no IN (SELECT beneficiary_no FROM beneficiary WHERE agency_code = $1 AND citizen_number IN (" hundred!() "))");
    MARK_MANY = concat!("UPDATE enrolment SET changed_event_no = $102 WHERE agency_code = $1 AND enrolment_no IN (", hundred!(), ")");
    /// Without ORDER BY, for which SQLite would read the enrolments of every scheme.
    OF_SCHEME = select!("e.scheme_code = $2 AND e.changed_event_no > $3");
    BY_NO = select!("e.enrolment_no = $2");
    OF_NUMBERS = select!("e.enrolment_no IN (" hundred!() ") AND e.scheme_code = $102");
    LATER_THAN = "SELECT enrolment_no FROM enrolment WHERE agency_code = $1 AND scheme_code = $2 AND enrolment_no > $3";
    /// CROSS JOIN is a plain join; to SQLite it says that the person is to be found first. No ORDER BY, for which it
    /// would go through everybody's enrolments.
    OF_PERSON = "SELECT e.scheme_code, e.enrolment_no FROM beneficiary b CROSS JOIN enrolment e \
                 WHERE b.agency_code = $1 AND b.citizen_number = $2 AND e.agency_code = b.agency_code AND e.beneficiary_no = b.beneficiary_no";
    PEOPLE = "SELECT beneficiary_no, citizen_number, name FROM beneficiary WHERE agency_code = $1";
    PERSON = "SELECT beneficiary_no, name, former_unit, retired_on, phone FROM beneficiary WHERE agency_code = $1 AND citizen_number = $2";
    ACCOUNTS = "SELECT e.account_number, e.beneficiary_no, e.holder_relation FROM enrolment e WHERE e.agency_code = $1";
    OTHER_USERS = "SELECT COUNT(*) FROM enrolment WHERE agency_code = $1 AND account_number = $2 AND beneficiary_no <> $3";
    SCHEMES_OF_PEOPLE = "SELECT beneficiary_no, scheme_code, enrolment_no FROM enrolment WHERE agency_code = $1";
    MARK_CHANGED = "UPDATE enrolment SET changed_event_no = $3 WHERE agency_code = $1 AND enrolment_no = $2";
    MARK_PERSON = "UPDATE enrolment SET changed_event_no = $3 WHERE agency_code = $1 AND beneficiary_no = $2";
    SET_NAME = "UPDATE beneficiary SET name = $3 WHERE agency_code = $1 AND beneficiary_no = $2";
    SET_ACCOUNT = "UPDATE enrolment SET bank_code = $3, account_number = $4, account_holder = $5, holder_relation = $6, account_set_by = $7, \
                   changed_event_no = $8 WHERE agency_code = $1 AND enrolment_no = $2";
}

/// An enrolment, as it was stored, and its scheme; from the text of [`select!`].
fn read(line: &str) -> Result<(&str, Enrolment), StorageError> {
    let mut fields = line.splitn(17, '\t');
    let wrong = || StorageError::inconsistent("enrolment", line.split('\t').next().unwrap_or_default(), "无法读取");
    let mut text = || fields.next().ok_or_else(wrong);
    let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
    let day = |text: &str| Some(number(text)?).filter(|n| *n != 0).map(|on| date("enrolment", on)).transpose();
    let month = |text: &str| Some(number(text)?).filter(|n| *n != 0).map(|p| period("enrolment", p)).transpose();
    let (no, scheme, beneficiary_no) = (number(text()?)?, text()?, number(text()?)?);
    let (citizen_number, name) = (CitizenNumber::from_stored(text()?.to_string()), text()?.to_string());
    let retired_on = day(text()?)?;
    let (first, first_day, last) = (period("enrolment", number(text()?)?)?, day(text()?)?, month(text()?)?);
    let (amount, amount_from) = (Money(number(text()?)?), month(text()?)?);
    let certified = day(text()?)?;
    let account = Account {
        bank_code: text()?.to_string(),
        number: AccountNumber::from_stored(text()?.to_string()),
        holder: text()?.to_string(),
    };
    let changed_event_no = number(text()?)?;
    let entitlement = Entitlement {
        first,
        first_day,
        last,
        last_day: None,
        stop_reason: last.map(|_| StopReason::Roster),
        suspensions: Vec::new(),
        categories: vec![(first, text()?.to_string())],
        amounts: amount_from.map(|from| (from, amount)).into_iter().collect(),
        certified: certified.into_iter().collect(),
        born_on: citizen_number.born_on(),
        retired_on,
    };
    Ok((scheme, Enrolment { no, beneficiary_no, citizen_number, name, entitlement, account, changed_event_no }))
}

/// The same without the scheme.
fn read_enrolment(line: &str) -> Result<Enrolment, StorageError> {
    Ok(read(line)?.1)
}

/// All enrolments of a scheme in roster order, as their facts have made them.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_scheme(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Vec<Enrolment>, StorageError> {
    changed_since(tx, agency, scheme, 0).await
}

/// The numbered facts of an enrolment, by its number.
pub type Facts = HashMap<i64, Vec<(i64, Fact)>>;

/// The same, with the facts of those who have any.
///
/// # Errors
/// As [`of_scheme`].
pub async fn of_scheme_with_facts(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
) -> Result<(Vec<Enrolment>, Facts), StorageError> {
    let mut enrolments = as_enrolled(tx, agency, scheme, 0).await?;
    let mut facts = Facts::new();
    // Where nobody is there is nothing to look for.
    if !enrolments.is_empty() {
        for told in enrolment_event::facts_of_scheme(tx, agency, scheme).await? {
            facts.entry(told.enrolment_no).or_default().push((told.seq_no, told.fact));
        }
    }
    for enrolment in &mut enrolments {
        if let Some(facts) = facts.get(&enrolment.no) {
            enrolment.entitlement = enrolment.entitlement.clone().after(facts);
        }
    }
    Ok((enrolments, facts))
}

/// An enrolment of a person, as it began, and what has happened since.
#[derive(Debug, Clone)]
pub struct Told {
    /// Code of the scheme.
    pub scheme: String,
    /// As it was stored, without the facts.
    pub enrolment: Enrolment,
    /// The numbered facts, in order.
    pub facts: Vec<(i64, Fact)>,
}

/// Every enrolment of people, by their citizen numbers, in order.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_people(tx: &mut Tx, agency: &str, citizen_numbers: &[&str]) -> Result<Vec<Told>, StorageError> {
    let mut told: Vec<Told> = Vec::with_capacity(citizen_numbers.len());
    for some in citizen_numbers.chunks(HUNDRED) {
        let read = |line: &str| {
            let (scheme, enrolment) = read(line)?;
            Ok(Told { scheme: scheme.to_string(), enrolment, facts: Vec::new() })
        };
        told.extend(tx.fetch_lines(OF_PEOPLE, hundred_values(agency, some), read).await?);
    }
    told.sort_by_key(|t| t.enrolment.no);
    let numbers: Vec<i64> = told.iter().map(|t| t.enrolment.no).collect();
    for fact in enrolment_event::facts_of(tx, agency, &numbers).await? {
        if let Ok(index) = numbers.binary_search(&fact.enrolment_no) {
            told[index].facts.push((fact.seq_no, fact.fact));
        }
    }
    Ok(told)
}

/// Marks enrolments as changed: payments prepared before are looked at again.
///
/// # Errors
/// The database's.
pub async fn mark_all_changed(
    tx: &mut Tx,
    agency: &str,
    enrolment_nos: &[i64],
    event_no: i64,
) -> Result<(), StorageError> {
    for some in enrolment_nos.chunks(HUNDRED) {
        let mut values = hundred_values(agency, some);
        values.push(event_no.into());
        tx.execute(MARK_MANY, values).await?;
    }
    Ok(())
}

/// Those of a scheme that came or changed after an audit event.
///
/// # Errors
/// As [`of_scheme`].
pub async fn changed_since(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    event_no: i64,
) -> Result<Vec<Enrolment>, StorageError> {
    let mut enrolments = as_enrolled(tx, agency, scheme, event_no).await?;
    let facts = enrolment_event::facts_of_scheme(tx, agency, scheme).await?;
    now_and_then(&mut enrolments, &facts, i64::MAX);
    Ok(enrolments)
}

/// Entitlements by enrolment, as they were at some event.
pub type Then = HashMap<i64, Entitlement>;

/// All enrolments of a scheme in roster order, and the entitlements, as they were at an audit event, of those of which
/// something was told after it.
///
/// # Errors
/// As [`of_scheme`].
pub async fn of_scheme_since(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    event_no: i64,
) -> Result<(Vec<Enrolment>, Then), StorageError> {
    let mut enrolments = as_enrolled(tx, agency, scheme, 0).await?;
    let facts = enrolment_event::facts_of_scheme(tx, agency, scheme).await?;
    let then = now_and_then(&mut enrolments, &facts, event_no);
    Ok((enrolments, then))
}

/// The same of some enrolments; numbers of other schemes are passed over.
///
/// # Errors
/// As [`of_scheme`].
pub async fn some_since(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    numbers: &BTreeSet<i64>,
    event_no: i64,
) -> Result<(Vec<Enrolment>, Then), StorageError> {
    let numbers: Vec<i64> = numbers.iter().copied().collect();
    let mut enrolments: Vec<Enrolment> = Vec::with_capacity(numbers.len());
    for some in numbers.chunks(HUNDRED) {
        let mut values = hundred_values(agency, some);
        values.push(scheme.into());
        enrolments.extend(tx.fetch_lines(OF_NUMBERS, values, read_enrolment).await?);
    }
    enrolments.sort_by_key(|e| e.no);
    let facts = enrolment_event::facts_of(tx, agency, &numbers).await?;
    let then = now_and_then(&mut enrolments, &facts, event_no);
    Ok((enrolments, then))
}

/// Numbers of enrolments of a scheme that are greater than one.
///
/// # Errors
/// The database's.
pub async fn later_than(tx: &mut Tx, agency: &str, scheme: &str, enrolment_no: i64) -> Result<Vec<i64>, StorageError> {
    let rows: Vec<(i64,)> = tx.fetch_all(LATER_THAN, values![agency, scheme, enrolment_no]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

async fn as_enrolled(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    changed_after: i64,
) -> Result<Vec<Enrolment>, StorageError> {
    let key = values![agency, scheme, changed_after];
    let mut enrolments: Vec<Enrolment> = tx.fetch_lines(OF_SCHEME, key, read_enrolment).await?;
    enrolments.sort_by_key(|e| e.no);
    Ok(enrolments)
}

/// Makes of enrolments, as enrolled, what their facts have made of them; and what those up to an event had made of
/// those that have later ones. Both lists are in order of enrolment.
fn now_and_then(enrolments: &mut [Enrolment], facts: &[StoredFact], event_no: i64) -> Then {
    let numbered = |facts: &[StoredFact]| -> Vec<_> { facts.iter().map(|f| (f.seq_no, f.fact.clone())).collect() };
    let mut then = Then::new();
    for of_one in facts.chunk_by(|a, b| a.enrolment_no == b.enrolment_no) {
        let no = of_one[0].enrolment_no;
        let Ok(index) = enrolments.binary_search_by_key(&no, |e| e.no) else { continue };
        let entitlement = &mut enrolments[index].entitlement;
        // Events are numbered in the order in which they were told.
        let known = of_one.partition_point(|f| f.event_no <= event_no);
        if known < of_one.len() {
            then.insert(no, entitlement.clone().after(&numbered(&of_one[..known])));
        }
        *entitlement = entitlement.clone().after(&numbered(of_one));
    }
    then
}

/// One enrolment, as its facts have made it.
///
/// # Errors
/// The database's, or when there is none of this number.
pub async fn by_no(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Enrolment, StorageError> {
    Ok(with_facts(tx, agency, enrolment_no).await?.0)
}

/// The same, with the numbered facts that have made it.
///
/// # Errors
/// As [`by_no`].
pub async fn with_facts(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
) -> Result<(Enrolment, Vec<(i64, Fact)>), StorageError> {
    let found = tx.fetch_lines(BY_NO, values![agency, enrolment_no], read_enrolment).await?;
    let mut enrolment =
        found.into_iter().next().ok_or_else(|| StorageError::inconsistent("enrolment", enrolment_no, "没有"))?;
    let facts = enrolment_event::facts(tx, agency, enrolment_no).await?;
    enrolment.entitlement = enrolment.entitlement.after(&facts);
    Ok((enrolment, facts))
}

/// Scheme and number of every enrolment of a person.
///
/// # Errors
/// The database's.
pub async fn of_person(tx: &mut Tx, agency: &str, citizen_number: &str) -> Result<Vec<(String, i64)>, StorageError> {
    let mut enrolments: Vec<(String, i64)> = tx.fetch_all(OF_PERSON, values![agency, citizen_number]).await?;
    enrolments.sort_by_key(|(_, no)| *no);
    Ok(enrolments)
}

/// Number and name of every person of the agency, by citizen number.
///
/// # Errors
/// The database's.
pub async fn people(tx: &mut Tx, agency: &str) -> Result<HashMap<String, (i64, String)>, StorageError> {
    let rows: Vec<(i64, String, String)> = tx.fetch_all(PEOPLE, values![agency]).await?;
    Ok(rows.into_iter().map(|(no, number, name)| (number, (no, name))).collect())
}

/// What is known of a person beside the citizen number.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Person {
    /// Number within the agency.
    pub beneficiary_no: i64,
    /// Name.
    pub name: String,
    /// 原工作单位.
    pub former_unit: String,
    /// 退休日期, `yyyymmdd`.
    pub retired_on: Option<i64>,
    /// 联系电话.
    pub phone: String,
}

/// The person of a citizen number.
///
/// # Errors
/// The database's.
pub async fn person(tx: &mut Tx, agency: &str, citizen_number: &str) -> Result<Option<Person>, StorageError> {
    tx.fetch_optional(PERSON, values![agency, citizen_number]).await
}

/// Person and stated relation behind every account in use, over all schemes.
///
/// # Errors
/// The database's.
pub async fn accounts(tx: &mut Tx, agency: &str) -> Result<Vec<(String, i64, String)>, StorageError> {
    tx.fetch_all(ACCOUNTS, values![agency]).await
}

/// True when somebody else is paid into an account.
///
/// # Errors
/// The database's.
pub async fn is_used_by_another(
    tx: &mut Tx,
    agency: &str,
    account: &AccountNumber,
    beneficiary_no: i64,
) -> Result<bool, StorageError> {
    let (others,): (i64,) = tx.fetch_one(OTHER_USERS, values![agency, account.as_str(), beneficiary_no]).await?;
    Ok(others > 0)
}

/// Person, scheme and number of every enrolment of the agency.
///
/// # Errors
/// The database's.
pub async fn schemes_of_people(tx: &mut Tx, agency: &str) -> Result<Vec<(i64, String, i64)>, StorageError> {
    tx.fetch_all(SCHEMES_OF_PEOPLE, values![agency]).await
}

/// A person to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewBeneficiary<'a> {
    /// Number within the agency.
    pub no: i64,
    /// Citizen number, whole.
    pub citizen_number: &'a str,
    /// Name.
    pub name: &'a str,
    /// 原工作单位.
    pub former_unit: &'a str,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// 联系电话.
    pub phone: &'a str,
}

/// Stores people in bulk.
///
/// # Errors
/// The database's.
pub async fn insert_people(
    tx: &mut Tx,
    agency: &str,
    people: impl Iterator<Item = NewBeneficiary<'_>>,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 7] =
        ["agency_code", "beneficiary_no", "citizen_number", "name", "former_unit", "retired_on", "phone"];
    let row = |p: NewBeneficiary<'_>| -> Vec<Value> {
        values![agency, p.no, p.citizen_number, p.name, p.former_unit, p.retired_on.map(date_number), p.phone]
    };
    tx.insert_rows("beneficiary", &COLUMNS, people.map(row)).await
}

/// An enrolment to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewEnrolment<'a> {
    /// Number within the agency.
    pub no: i64,
    /// Scheme.
    pub scheme_code: &'a str,
    /// Person.
    pub beneficiary_no: i64,
    /// 人员类别.
    pub category: &'a str,
    /// First month owed.
    pub first: Period,
    /// Day in it, when known.
    pub first_day: Option<NaiveDate>,
    /// Last month owed, when the roster says one.
    pub last: Option<Period>,
    /// The person's own amount, and the month from which it is known.
    pub amount: Option<(Period, Money)>,
    /// Last certification.
    pub certified_on: Option<NaiveDate>,
    /// Account.
    pub account: &'a Account,
    /// Why the holder is another person.
    pub holder_relation: &'a str,
}

/// Stores enrolments in bulk; `import_no` is the roster import that brought them, if one did.
///
/// # Errors
/// The database's.
pub async fn insert_enrolments(
    tx: &mut Tx,
    agency: &str,
    enrolments: impl Iterator<Item = NewEnrolment<'_>>,
    import_no: Option<i64>,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 18] = [
        "agency_code",
        "enrolment_no",
        "scheme_code",
        "beneficiary_no",
        "category",
        "first_period",
        "first_on",
        "last_period",
        "amount_fen",
        "amount_from",
        "certified_on",
        "bank_code",
        "account_number",
        "account_holder",
        "holder_relation",
        "account_set_by",
        "import_no",
        "changed_event_no",
    ];
    let row = |e: NewEnrolment<'_>| -> Vec<Value> {
        values![
            agency,
            e.no,
            e.scheme_code,
            e.beneficiary_no,
            e.category,
            e.first.number(),
            e.first_day.map(date_number),
            e.last.map(Period::number),
            e.amount.map_or(0, |(_, monthly)| monthly.fen()),
            e.amount.map(|(from, _)| from.number()),
            e.certified_on.map(date_number),
            &e.account.bank_code,
            e.account.number.as_str(),
            &e.account.holder,
            e.holder_relation,
            mark.by,
            import_no,
            mark.event_no,
        ]
    };
    tx.insert_rows("enrolment", &COLUMNS, enrolments.map(row)).await
}

/// Marks an enrolment as changed: payments prepared before are looked at again.
///
/// # Errors
/// The database's.
pub async fn mark_changed(tx: &mut Tx, agency: &str, enrolment_no: i64, event_no: i64) -> Result<(), StorageError> {
    tx.execute(MARK_CHANGED, values![agency, enrolment_no, event_no]).await?;
    Ok(())
}

/// Gives a person another name, and marks all the person's enrolments as changed.
///
/// # Errors
/// The database's.
pub async fn set_name(
    tx: &mut Tx,
    agency: &str,
    beneficiary_no: i64,
    name: &str,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(SET_NAME, values![agency, beneficiary_no, name]).await?;
    tx.execute(MARK_PERSON, values![agency, beneficiary_no, event_no]).await?;
    Ok(())
}

/// Sets the account, and who set it.
///
/// # Errors
/// The database's.
pub async fn set_account(
    tx: &mut Tx,
    agency: &str,
    enrolment_no: i64,
    account: &Account,
    holder_relation: &str,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    tx.execute(
        SET_ACCOUNT,
        values![
            agency,
            enrolment_no,
            &account.bank_code,
            account.number.as_str(),
            &account.holder,
            holder_relation,
            mark.by,
            mark.event_no,
        ],
    )
    .await?;
    Ok(())
}
