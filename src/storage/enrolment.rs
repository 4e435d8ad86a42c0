//! Beneficiaries and their enrolments, with what the events have made of them. How they are stored is in
//! [`super::roll`].

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;

use super::engine::Tx;
use super::enrolment_event::ChangeMark;
use super::error::StorageError;
use super::roll::{self, Roll};
use super::{HUNDRED, hundred_values};
use crate::domain::bank_account::AccountNumber;
use crate::domain::enrolment::{Account, Enrolment};
use crate::domain::entitlement::{Entitlement, Fact};
use crate::values;

statements! {
    /// The numbers of a page are consecutive.
    COUNT = "SELECT CAST(COALESCE(SUM(last_enrolment_no - first_enrolment_no + 1), 0) AS BIGINT) FROM roll_page \
             WHERE agency_code = $1 AND scheme_code = $2";
    MARK = "INSERT INTO enrolment_now (agency_code, enrolment_no, changed_event_no) VALUES ($1, $2, $3) \
            ON CONFLICT (agency_code, enrolment_no) DO UPDATE SET changed_event_no = excluded.changed_event_no";
    MARKED = concat!("SELECT enrolment_no FROM enrolment_now WHERE agency_code = $1 AND enrolment_no IN (", hundred!(), ")");
    MARK_MANY = concat!("UPDATE enrolment_now SET changed_event_no = $102 WHERE agency_code = $1 AND enrolment_no IN (", hundred!(), ")");
    SET_NAME = "INSERT INTO enrolment_now (agency_code, enrolment_no, name, changed_event_no) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (agency_code, enrolment_no) DO UPDATE SET name = excluded.name, changed_event_no = excluded.changed_event_no";
    SET_ACCOUNT = "INSERT INTO enrolment_now (agency_code, enrolment_no, bank_code, account_number, account_holder, holder_relation, \
                   account_set_by, changed_event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                   ON CONFLICT (agency_code, enrolment_no) DO UPDATE SET bank_code = excluded.bank_code, \
                   account_number = excluded.account_number, account_holder = excluded.account_holder, \
                   holder_relation = excluded.holder_relation, account_set_by = excluded.account_set_by, \
                   changed_event_no = excluded.changed_event_no";
}

/// All enrolments of a scheme in roster order, as their facts have made them.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_scheme(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Vec<Enrolment>, StorageError> {
    changed_since(tx, agency, scheme, 0).await
}

/// How many people a scheme has.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, agency: &str, scheme: &str) -> Result<usize, StorageError> {
    let (count,): (i64,) = tx.fetch_one(COUNT, values![agency, scheme]).await?;
    Ok(usize::try_from(count).unwrap_or_default())
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
    let (mut enrolments, mut facts) = (Vec::new(), Facts::new());
    let mut roll = Roll::of_scheme(agency, scheme);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            enrolments.push(enrolled.enrolment()?);
            if !enrolled.facts.is_empty() {
                facts.insert(enrolled.line.no, enrolled.numbered_facts());
            }
        }
    }
    Ok((enrolments, facts))
}

/// An enrolment of a person, as it began, and what has happened since.
#[derive(Debug, Clone)]
pub struct Told {
    /// Code of the scheme.
    pub scheme: String,
    /// Without the facts; name and account are those in force.
    pub enrolment: Enrolment,
    /// The numbered facts, in order.
    pub facts: Vec<(i64, Fact)>,
}

/// Every enrolment of people, by their citizen numbers, in order.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_people(tx: &mut Tx, agency: &str, citizen_numbers: &[&str]) -> Result<Vec<Told>, StorageError> {
    let numbers = numbers_of(tx, agency, citizen_numbers).await?;
    let mut told: Vec<Told> = Vec::with_capacity(numbers.len());
    roll::each_of(tx, agency, &numbers, |enrolled| {
        told.push(Told {
            scheme: enrolled.scheme().to_string(),
            enrolment: enrolled.enrolment_as_it_began()?,
            facts: enrolled.numbered_facts(),
        });
        Ok(())
    })
    .await?;
    Ok(told)
}

/// Enrolments of people, by their citizen numbers, in order.
async fn numbers_of(tx: &mut Tx, agency: &str, citizen_numbers: &[&str]) -> Result<Vec<i64>, StorageError> {
    let places = roll::places(tx, agency, citizen_numbers).await?;
    Ok(places.into_iter().map(|place| place.enrolment_no).collect())
}

/// Person and number of every enrolment of people, by their citizen numbers.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn numbers_of_people(
    tx: &mut Tx,
    agency: &str,
    citizen_numbers: &[&str],
) -> Result<Vec<(i64, i64)>, StorageError> {
    let mut first: HashMap<String, i64> = HashMap::new();
    let places = roll::places(tx, agency, citizen_numbers).await?;
    // The first enrolment is the person's number.
    let numbers = places.into_iter().map(|place| {
        let person = *first.entry(place.citizen_number).or_insert(place.enrolment_no);
        (person, place.enrolment_no)
    });
    Ok(numbers.collect())
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
        let marked: Vec<(i64,)> = tx.fetch_all(MARKED, hundred_values(agency, some)).await?;
        let marked: HashSet<i64> = marked.into_iter().map(|(no,)| no).collect();
        if !marked.is_empty() {
            let mut values = hundred_values(agency, some);
            values.push(event_no.into());
            tx.execute(MARK_MANY, values).await?;
        }
        let others: BTreeSet<i64> = some.iter().copied().filter(|no| !marked.contains(no)).collect();
        let rows = others.into_iter().map(|no| values![agency, no, event_no]);
        tx.insert_rows("enrolment_now", &["agency_code", "enrolment_no", "changed_event_no"], rows).await?;
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
    let mut enrolments = Vec::new();
    let mut roll = Roll::changed_since(agency, scheme, event_no);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            if enrolled.changed_event_no() > event_no {
                enrolments.push(enrolled.enrolment()?);
            }
        }
    }
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
    let (mut enrolments, mut then) = (Vec::new(), Then::new());
    let mut roll = Roll::of_scheme(agency, scheme);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            then.extend(enrolled.entitlement_at(event_no)?.map(|then| (enrolled.line.no, then)));
            enrolments.push(enrolled.enrolment()?);
        }
    }
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
    let (mut enrolments, mut then) = (Vec::with_capacity(numbers.len()), Then::new());
    roll::each_of(tx, agency, &numbers, |enrolled| {
        if enrolled.scheme() == scheme {
            then.extend(enrolled.entitlement_at(event_no)?.map(|then| (enrolled.line.no, then)));
            enrolments.push(enrolled.enrolment()?);
        }
        Ok(())
    })
    .await?;
    Ok((enrolments, then))
}

/// Numbers of enrolments of a scheme that are greater than one.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn later_than(tx: &mut Tx, agency: &str, scheme: &str, enrolment_no: i64) -> Result<Vec<i64>, StorageError> {
    let mut numbers = Vec::new();
    let mut roll = Roll::later_than(agency, scheme, enrolment_no);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            numbers.push(enrolled?.line.no);
        }
    }
    Ok(numbers)
}

/// One enrolment, as its facts have made it.
///
/// # Errors
/// The database's, or when there is none of this number.
pub async fn by_no(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Enrolment, StorageError> {
    let mut found = None;
    roll::each_of(tx, agency, &[enrolment_no], |enrolled| {
        found = Some(enrolled.enrolment()?);
        Ok(())
    })
    .await?;
    found.ok_or_else(|| StorageError::inconsistent("roll_page", enrolment_no, "没有"))
}

/// Scheme and number of every enrolment of a person.
///
/// # Errors
/// The database's.
pub async fn of_person(tx: &mut Tx, agency: &str, citizen_number: &str) -> Result<Vec<(String, i64)>, StorageError> {
    let places = roll::places(tx, agency, &[citizen_number]).await?;
    Ok(places.into_iter().map(|place| (place.scheme, place.enrolment_no)).collect())
}

/// The enrolment of a person, by number, in a scheme.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn of_beneficiary(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    beneficiary_no: i64,
) -> Result<Option<i64>, StorageError> {
    let Some(person) = persons(tx, agency, [beneficiary_no]).await?.remove(&beneficiary_no) else { return Ok(None) };
    let places = of_person(tx, agency, &person.citizen_number).await?;
    Ok(places.into_iter().find(|(code, _)| code == scheme).map(|(_, no)| no))
}

/// Number and name of every person of the agency, by citizen number.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn people(tx: &mut Tx, agency: &str) -> Result<HashMap<String, (i64, String)>, StorageError> {
    let mut people = HashMap::new();
    let mut roll = Roll::of_agency(agency);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let payee = enrolled?.payee();
            let person = || (payee.beneficiary_no, payee.name.to_string());
            people.entry(payee.citizen_number.to_string()).or_insert_with(person);
        }
    }
    Ok(people)
}

/// The same of some people only, if they are ours.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn known(
    tx: &mut Tx,
    agency: &str,
    citizen_numbers: &[&str],
) -> Result<HashMap<String, (i64, String)>, StorageError> {
    let mut people = HashMap::new();
    let numbers = numbers_of(tx, agency, citizen_numbers).await?;
    roll::each_of(tx, agency, &numbers, |enrolled| {
        let payee = enrolled.payee();
        let person = || (payee.beneficiary_no, payee.name.to_string());
        people.entry(payee.citizen_number.to_string()).or_insert_with(person);
        Ok(())
    })
    .await?;
    Ok(people)
}

/// What is known of a person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Number within the agency: that of the first enrolment.
    pub beneficiary_no: i64,
    /// Citizen number, whole.
    pub citizen_number: String,
    /// Name.
    pub name: String,
    /// 原工作单位.
    pub former_unit: String,
    /// 退休日期.
    pub retired_on: Option<NaiveDate>,
    /// 联系电话.
    pub phone: String,
}

/// People by their numbers within the agency.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn persons(
    tx: &mut Tx,
    agency: &str,
    beneficiary_nos: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, Person>, StorageError> {
    let numbers: BTreeSet<i64> = beneficiary_nos.into_iter().collect();
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let mut persons = HashMap::with_capacity(numbers.len());
    roll::each_of(tx, agency, &numbers, |enrolled| {
        let payee = enrolled.payee();
        let person = Person {
            beneficiary_no: payee.beneficiary_no,
            citizen_number: payee.citizen_number.to_string(),
            name: payee.name.to_string(),
            former_unit: enrolled.line.former_unit().into_owned(),
            retired_on: enrolled.retired_on()?,
            phone: enrolled.line.phone().into_owned(),
        };
        persons.insert(enrolled.line.no, person);
        Ok(())
    })
    .await?;
    Ok(persons)
}

/// The person of a citizen number.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn person(tx: &mut Tx, agency: &str, citizen_number: &str) -> Result<Option<Person>, StorageError> {
    // The first enrolment is the person's number.
    let first = numbers_of(tx, agency, &[citizen_number]).await?.into_iter().next();
    Ok(persons(tx, agency, first).await?.into_values().next())
}

/// Person and stated relation behind every account in use, over all schemes.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn accounts(tx: &mut Tx, agency: &str) -> Result<Vec<(String, i64, String)>, StorageError> {
    let mut accounts = Vec::new();
    let mut roll = Roll::of_agency(agency);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            let payee = enrolled.payee();
            accounts.push((payee.account_number.to_string(), payee.beneficiary_no, enrolled.holder_relation()));
        }
    }
    Ok(accounts)
}

/// True when somebody else is paid into an account.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn is_used_by_another(
    tx: &mut Tx,
    agency: &str,
    account: &AccountNumber,
    beneficiary_no: i64,
) -> Result<bool, StorageError> {
    let mut roll = Roll::of_agency(agency);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let payee = enrolled?.payee();
            if payee.account_number == account.as_str() && payee.beneficiary_no != beneficiary_no {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Marks an enrolment as changed: payments prepared before are looked at again.
///
/// # Errors
/// The database's.
pub async fn mark_changed(tx: &mut Tx, agency: &str, enrolment_no: i64, event_no: i64) -> Result<(), StorageError> {
    tx.execute(MARK, values![agency, enrolment_no, event_no]).await?;
    Ok(())
}

/// Gives a person another name, in all enrolments, and marks them as changed.
///
/// # Errors
/// The database's.
pub async fn set_name(
    tx: &mut Tx,
    agency: &str,
    citizen_number: &str,
    name: &str,
    event_no: i64,
) -> Result<(), StorageError> {
    for enrolment_no in numbers_of(tx, agency, &[citizen_number]).await? {
        tx.execute(SET_NAME, values![agency, enrolment_no, name, event_no]).await?;
    }
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
