//! The people whom changes are about (dossiers): read a hundred at a time, kept in memory as the changes
//! before have made them, so that a list costs a few statements and not a few for each of its rows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::step::Step;
use crate::calculation::payable::{Overpaid, payable};
use crate::domain::change::Change;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::Enrolment;
use crate::domain::entitlement::{Entitlement, Fact};
use crate::domain::scheme::Scheme;
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::cover::{self, Covered};
use crate::storage::enrolment::{self, Told};
use crate::storage::enrolment_event::{self, ChangeMark, NewEvent};

/// From so many people on, what is covered is read of a whole scheme rather than of each of them.
const MANY: usize = 50;

/// One enrolment with everything that is known of it.
#[derive(Debug, Clone)]
pub(super) struct Dossier {
    /// Code of the scheme.
    pub scheme: String,
    /// As the facts have made it.
    pub enrolment: Enrolment,
    /// Numbered, in order; those not yet written among them.
    pub facts: Vec<(i64, Fact)>,
    /// Without the facts.
    began: Entitlement,
}

impl From<Told> for Dossier {
    fn from(Told { scheme, mut enrolment, facts }: Told) -> Dossier {
        let began = enrolment.entitlement.clone();
        if !facts.is_empty() {
            enrolment.entitlement = began.clone().after(&facts);
        }
        Dossier { scheme, enrolment, facts, began }
    }
}

/// The people of a list of changes.
#[derive(Debug, Default)]
pub(super) struct Dossiers {
    by_person: HashMap<String, Vec<Dossier>>,
    schemes: HashMap<String, Arc<Scheme>>,
    /// Enrolment, number of the event within it, event.
    unwritten: Vec<(i64, i64, NewEvent)>,
    covered: HashMap<String, Covered>,
}

impl Dossiers {
    /// Reads the people of some changes. Who is not in the roster has no dossier.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(step: &mut Step, changes: impl Iterator<Item = &Change>) -> Result<Dossiers, Failure> {
        let numbers = changes.filter_map(|change| CitizenNumber::parse_any(&change.citizen_number, step.on).ok());
        let people: HashSet<String> = numbers.map(|number| number.as_str().to_string()).collect();
        let mut dossiers = Dossiers::default();
        dossiers.read(step, people).await?;
        Ok(dossiers)
    }

    async fn read(&mut self, step: &mut Step, people: HashSet<String>) -> Result<(), Failure> {
        let mut numbers: Vec<&str> = people.iter().map(String::as_str).collect();
        numbers.sort_unstable();
        let told = enrolment::of_people(&mut step.tx, &step.agency, &numbers).await?;
        self.by_person.extend(people.into_iter().map(|number| (number, Vec::new())));
        for told in told {
            let number = told.enrolment.citizen_number.as_str().to_string();
            self.by_person.entry(number).or_default().push(told.into());
        }
        Ok(())
    }

    /// A person's dossiers, one a scheme; read if that was not done or has been forgotten.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_person(&mut self, step: &mut Step, number: &CitizenNumber) -> Result<&[Dossier], Failure> {
        if !self.by_person.contains_key(number.as_str()) {
            self.read(step, HashSet::from([number.as_str().to_string()])).await?;
        }
        Ok(self.by_person.get(number.as_str()).map_or(&[], Vec::as_slice))
    }

    /// What is known of a person is no longer true: it is read again when it is asked for.
    pub fn forget(&mut self, number: &CitizenNumber) {
        self.by_person.remove(number.as_str());
    }

    /// The scheme in force.
    ///
    /// # Errors
    /// When there is none of this code.
    pub async fn scheme(&mut self, office: &Office, step: &mut Step, code: &str) -> Result<Arc<Scheme>, Failure> {
        if let Some(scheme) = self.schemes.get(code) {
            return Ok(Arc::clone(scheme));
        }
        let scheme = Arc::new(office.scheme(&mut step.tx, code).await?.0);
        self.schemes.insert(code.to_string(), Arc::clone(&scheme));
        Ok(scheme)
    }

    /// Adds an event to the dossier of an enrolment; its number within it, and the enrolment as it is now. What
    /// was added is stored by [`Dossiers::write`].
    ///
    /// # Errors
    /// When there is no such dossier, or the event is none that could be read again.
    pub fn add(&mut self, of: &Enrolment, event: NewEvent) -> Result<(i64, Enrolment), Failure> {
        let dossiers = self.by_person.get_mut(of.citizen_number.as_str());
        let dossier = dossiers.and_then(|dossiers| dossiers.iter_mut().find(|d| d.enrolment.no == of.no));
        let dossier = dossier
            .ok_or_else(|| Failure::new(Kind::Internal, "NO_DOSSIER", format!("没有读到第 {} 号待遇资格", of.no)))?;
        let seq_no = dossier.facts.last().map_or(0, |(last, _)| *last) + 1;
        dossier.facts.push((seq_no, event.fact(of.no, seq_no)?));
        dossier.enrolment.entitlement = dossier.began.clone().after(&dossier.facts);
        self.unwritten.push((of.no, seq_no, event));
        Ok((seq_no, dossier.enrolment.clone()))
    }

    /// Stores what was added, and marks the enrolments as changed.
    ///
    /// # Errors
    /// The database's.
    pub async fn write(&mut self, step: &mut Step, by: &str, accepted_by: Option<&str>) -> Result<(), Failure> {
        let mark = ChangeMark { by, on: step.on, event_no: step.event_no, accepted_by };
        let unwritten = std::mem::take(&mut self.unwritten);
        let mut changed: Vec<i64> = unwritten.iter().map(|(enrolment_no, ..)| *enrolment_no).collect();
        enrolment_event::append_all(&mut step.tx, &step.agency, unwritten.into_iter(), mark).await?;
        changed.sort_unstable();
        changed.dedup();
        Ok(enrolment::mark_all_changed(&mut step.tx, &step.agency, &changed, mark.event_no).await?)
    }

    /// Months with more in flight or credited than owed.
    ///
    /// # Errors
    /// The database's.
    pub async fn overpaid(
        &mut self,
        step: &mut Step,
        scheme: &Scheme,
        enrolment: &Enrolment,
    ) -> Result<Vec<Overpaid>, Failure> {
        let one;
        let none = BTreeMap::new();
        let covered = if self.by_person.len() < MANY {
            one = cover::covered_of(&mut step.tx, &step.agency, enrolment.no).await?;
            &one
        } else {
            if !self.covered.contains_key(&scheme.code) {
                let covered = cover::covered(&mut step.tx, &step.agency, &scheme.code).await?;
                self.covered.insert(scheme.code.clone(), covered);
            }
            self.covered.get(&scheme.code).and_then(|covered| covered.get(&enrolment.no)).unwrap_or(&none)
        };
        let Some(last) = covered.keys().next_back() else { return Ok(Vec::new()) };
        Ok(payable(scheme, &enrolment.entitlement, covered, *last).overpaid)
    }
}
