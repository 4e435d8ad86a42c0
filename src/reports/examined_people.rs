//! The people of a scheme as `doctor` looks at them: what was covered for each, against what may be, and against what
//! the baseline tells that the next run would begin with.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::examined_runs::ExaminedRuns;
use crate::calculation::baseline::{Asked, Claims, SentSoFar, SentTo, Since};
use crate::calculation::claim::{claims, first_claim_period};
use crate::calculation::recount::{CoveredStretch, Recount};
use crate::domain::baseline::Baseline;
use crate::domain::entitlement::Entitlement;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::recovery::Entry;
use crate::domain::run::Run;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::progress::Bar;
use crate::storage::engine::Tx;
use crate::storage::roll::Roll;
use crate::storage::{baseline, cover, recovery, run};

/// Months that recoveries touched, by enrolment: what they added to the cover, and the most that was owed beside.
pub(super) struct MovedMonths(HashMap<i64, BTreeMap<Period, (Money, Money)>>);

impl MovedMonths {
    pub(super) fn of(entries: &[Entry]) -> MovedMonths {
        let mut moved: HashMap<i64, BTreeMap<Period, (Money, Money)>> = HashMap::new();
        for entry in entries.iter().filter(|e| e.recovers()) {
            moved.entry(entry.enrolment_no).or_default().entry(entry.period).or_default().0 -= entry.amount;
            if let Some(target) = entry.target {
                let month = moved.entry(target.enrolment_no).or_default().entry(target.period).or_default();
                month.0 += entry.amount;
                month.1 = month.1.max(target.claim);
            }
        }
        MovedMonths(moved)
    }

    /// Enrolments that were not looked at, in order.
    pub(super) fn left(&self) -> Vec<i64> {
        let mut left: Vec<i64> = self.0.keys().copied().collect();
        left.sort_unstable();
        left
    }
}

/// Looks at everybody of a scheme, whose payments were counted. Who was looked at is no longer in `moved`.
pub(super) async fn examine_people(
    tx: &mut Tx,
    office: &Office,
    (code, runs): (&str, &[Run]),
    mut recount: Recount,
    moved: &mut MovedMonths,
    (found, bar): (&mut ExaminedRuns, &Bar),
) -> Result<(), Failure> {
    let agency = office.agency_code.as_str();
    let baseline = match (baseline::standing(tx, agency, runs).await?, run::standing(runs).next_back()) {
        (Some(baseline), Some(last_run)) => Some((baseline, office.scheme_of(tx, last_run).await?)),
        _ => None,
    };
    let mut kept = match &baseline {
        Some((baseline, known_as)) => Some(Kept::read(tx, office, (baseline, known_as), (code, runs)).await?),
        None => None,
    };
    let event_no = baseline.as_ref().map_or(i64::MAX, |(baseline, _)| baseline.event_no);
    let mut roll = Roll::of_scheme(agency, code);
    while let Some(stretch) = roll.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            bar.advance(1);
            let no = enrolled.line.no;
            let counted = recount.of(no);
            let wrong = wrongly_covered(counted, moved.0.remove(&no).as_ref());
            found.never_twice.problems.extend(wrong.into_iter().map(|(month, (covered, claim))| {
                let (covered, claim) = (covered.grouped(), claim.grouped());
                format!("资格 {no} 的 {month}: 已覆盖 {covered} 元，应发 {claim} 元")
            }));
            if let Some(kept) = &mut kept {
                let (now, then) = (enrolled.entitlement()?, enrolled.entitlement_at(event_no)?);
                if !kept.tells(no, &now, then.as_ref(), counted) {
                    found.kept.problems.push(format!("{code} 资格 {no}: 结平基准与明细不符"));
                }
            }
            recount.forget(no);
        }
    }
    let strangers = recount.enrolments();
    found.never_twice.problems.extend(strangers.iter().map(|no| format!("{code} 资格 {no}: 有发放明细而不在名册里")));
    found.kept.examined += 1;
    if kept.is_some_and(|kept| kept.claims.into_sums() != kept.baseline.claims) {
        found.kept.problems.push(format!("{code}: 结平基准的应发合计与名册不符"));
    }
    Ok(())
}

/// Months that are, with what recoveries did, covered by more than was ever owed, or by less than nothing.
fn wrongly_covered(
    counted: &[CoveredStretch],
    moved: Option<&BTreeMap<Period, (Money, Money)>>,
) -> BTreeMap<Period, (Money, Money)> {
    let is_wrong = |(covered, claim): (Money, Money)| !(Money::ZERO..=claim).contains(&covered);
    let mut wrong = BTreeMap::new();
    for stretch in counted.iter().filter(|s| is_wrong((s.covered, s.claim))) {
        wrong.extend(stretch.first.through(stretch.last).map(|month| (month, (stretch.covered, stretch.claim))));
    }
    for (month, (more, owed)) in moved.into_iter().flatten() {
        let own = counted.iter().find(|s| (s.first..=s.last).contains(month));
        let (covered, claim) = own.map_or_else(Default::default, |s| (s.covered, s.claim));
        let now = (covered + *more, claim.max(*owed));
        if is_wrong(now) {
            wrong.insert(*month, now);
        } else {
            wrong.remove(month);
        }
    }
    wrong
}

/// Months with the same amount, one after another.
type Amounts = Vec<(Period, Period, Money)>;

fn append(amounts: &mut Amounts, first: Period, last: Period, amount: Money) {
    match amounts.last_mut() {
        _ if amount.is_zero() => {}
        Some(own) if own.1.next() == first && own.2 == amount => own.1 = last,
        _ => amounts.push((first, last, amount)),
    }
}

/// What is kept so that nobody need read all payments.
struct Kept<'a> {
    baseline: &'a Baseline,
    known_as: &'a Scheme,
    sent: SentSoFar<'a>,
    is_moved: HashSet<i64>,
    claims: Claims,
    /// Room for the amounts of one person.
    told: Amounts,
    counted: Amounts,
}

impl<'a> Kept<'a> {
    async fn read(
        tx: &mut Tx,
        office: &Office,
        (baseline, known_as): (&'a Baseline, &'a Scheme),
        (code, runs): (&str, &[Run]),
    ) -> Result<Kept<'a>, Failure> {
        let agency = office.agency_code.as_str();
        let (_, version) = office.scheme(tx, code).await?;
        let failed = cover::by_enrolment(cover::failed_since(tx, agency, runs, baseline.event_no).await?);
        let is_other_version = baseline.scheme_version != version;
        Ok(Kept {
            baseline,
            known_as,
            sent: SentSoFar::Since(Since { baseline, scheme: known_as, is_other_version, failed }),
            is_moved: recovery::moved(tx, agency).await?.into_keys().map(|(no, _)| no).collect(),
            claims: Claims::default(),
            told: Amounts::new(),
            counted: Amounts::new(),
        })
    }

    /// True when the baseline tells of a person what was counted. Counts the claims that it knew.
    fn tells(&mut self, no: i64, now: &Entitlement, then: Option<&Entitlement>, counted: &[CoveredStretch]) -> bool {
        let sent = self.sent.to(Asked { no, now, then, is_moved: self.is_moved.contains(&no) });
        self.told.clear();
        self.counted.clear();
        for s in counted {
            append(&mut self.counted, s.first, s.last, s.covered);
        }
        let (known, is_even) = (then.unwrap_or(now), matches!(sent, SentTo::Even(_)));
        if no <= self.baseline.last_enrolment_no {
            let first = first_claim_period(self.known_as, known);
            for stretch in claims(self.known_as, known, first, self.baseline.last) {
                self.claims.add_stretch(&stretch);
                if is_even {
                    append(&mut self.told, stretch.first, stretch.last, stretch.claim.amount());
                }
            }
        }
        if let SentTo::Listed(months) = sent {
            for (month, amount) in months {
                append(&mut self.told, month, month, amount);
            }
        }
        self.told == self.counted
    }
}
