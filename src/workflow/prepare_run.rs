//! Prepares a run: claims minus cover, for every month up to the given one.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::exclusion::hold_excluded;
use super::offset;
use super::step::Step;
use crate::calculation::baseline::{Asked, Claims, SentSoFar, SentTo, Since};
use crate::calculation::payable::{Overpaid, Payable, payable, payable_after};
use crate::calculation::recovery::{Deduction, deduct};
use crate::domain::actor::Role;
use crate::domain::baseline::{Baseline, Sent};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::credit::Credits;
use crate::domain::entitlement::Entitlement;
use crate::domain::hold::Hold;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, Payee};
use crate::domain::period::{Period, PeriodRange};
use crate::domain::run::{Run, RunKind, RunState};
use crate::domain::scheme::{Release, Scheme};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::error::StorageError;
use crate::storage::recovery::Moved;
use crate::storage::roll::{Enrolled, Roll};
use crate::storage::{baseline, counter, cover, enrolment, hold, month_sum, payment, recovery, run};

/// A person with something that a clerk must see.
#[derive(Debug, Clone)]
pub struct Flagged<T> {
    /// Masked citizen number.
    pub citizen_number: String,
    /// Name.
    pub name: String,
    /// What.
    pub what: T,
}

/// What was prepared.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The run.
    pub run: Run,
    /// Payments that hold a month before the release, or more than one month beside it.
    pub back_pay: (i64, Money),
    /// People left out because of a hold, with what they are owed.
    pub held: Vec<Flagged<(Hold, Money)>>,
    /// Months with more covered than owed.
    pub overpaid: Vec<Flagged<Overpaid>>,
    /// Those of them that no open case asks back and nobody has written off.
    pub without_case: Vec<Flagged<Overpaid>>,
    /// What is paid by offsetting what was overpaid before.
    pub offsets: Vec<Flagged<Deduction>>,
    /// Things to know.
    pub notices: Vec<String>,
}

/// Prepares a run of a scheme.
///
/// # Errors
/// When the periods do not fit the scheme, or nothing is payable (which says why).
pub async fn prepare_run(
    office: &Office,
    scheme_code: &str,
    periods: PeriodRange,
    kind: RunKind,
) -> Result<Prepared, Failure> {
    let mut step = Step::begin(office, "run.prepare", &[Role::Maker]).await?;
    let (scheme, version) = office.scheme(&mut step.tx, scheme_code).await?;
    let runs = run::list(&mut step.tx, &step.agency, Some(scheme_code)).await?;
    check_periods(&scheme, periods, kind, &runs)?;
    let people = enrolment::count(&mut step.tx, &step.agency, scheme_code).await?;
    if people == 0 {
        return Err(Failure::refused("EMPTY_ROSTER", format!("项目 {scheme_code} 还没有名册"))
            .hint("先运行 fafang roster import"));
    }
    let bar = step.progress.begin("读取已付月份", None, "人");
    let moved = recovery::moved(&mut step.tx, &step.agency).await?;
    let baseline = baseline_of(office, &mut step, &runs).await?;
    let sent = sent_so_far(&mut step, (&scheme, version), &runs, baseline.as_ref()).await?;
    let last = run::standing(&runs).map(|r| r.periods.last).fold(periods.last, Period::max);
    let mut books = Books::of((&scheme, version), baseline.as_ref().map(|(b, _)| b), sent, &moved, last);
    hold_excluded(office, &mut step, &scheme, periods.last).await?;
    let holds = hold::open_by_person(&mut step.tx, &step.agency).await?;
    let mut debts = offset::debts(office, &mut step, scheme_code).await?;
    let asked_back = AskedBack::read(&mut step, &moved).await?;
    drop(bar);
    let bar = step.progress.begin("计算应发", Some(people), "人");
    let mut paid = Paid::default();
    let (mut held, mut overpaid, mut without_case, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut roll = Roll::of_scheme(&step.agency, scheme_code);
    while let Some(stretch) = roll.next(&mut step.tx).await? {
        for person in stretch.enrolled() {
            let person = person?;
            bar.advance(1);
            let (no, payee) = (person.line.no, person.payee());
            let (known, result) = books.payable(&person, periods.last)?;
            overpaid.extend(result.overpaid.iter().map(|o| flag(&payee, *o)));
            let unasked = result.overpaid.iter().filter(|o| !asked_back.holds(no, o));
            without_case.extend(unasked.map(|o| flag(&payee, *o)));
            let mut covers = result.covers;
            let hold = holds.get(&payee.beneficiary_no).filter(|_| !covers.is_empty());
            let paid_so_far = offsets.len();
            if let Some((hold, _)) = hold {
                held.push(flag(&payee, (hold.clone(), covers.iter().map(|c| c.amount).sum())));
                covers.clear();
            }
            for debt in debts.get_mut(&no).into_iter().flatten() {
                offsets.extend(deduct(&mut covers, debt).into_iter().map(|d| (no, flag(&payee, d))));
            }
            books.keep(no, known, &covers, hold.is_some() || offsets.len() > paid_so_far);
            // A payment of nothing is none.
            if !covers.is_empty() {
                paid.add(office, no, &payee, &covers, periods)?;
            }
        }
    }
    let offset: Money = offsets.iter().map(|(_, d)| d.what.amount).sum();
    let Paid { credits, sums, back_pay } = paid;
    let (count, total) = (i64::try_from(credits.count).unwrap_or(i64::MAX), credits.total);
    if count == 0 {
        return Err(nothing_payable(&runs, periods, &held, offset));
    }
    let number = run::count_of_period(&mut step.tx, &step.agency, scheme_code, periods.last).await? + 1;
    let run = Run {
        no: counter::take(&mut step.tx, &step.agency, "run", 1).await?,
        code: format!("{scheme_code}-{}-r{number}", periods.last),
        scheme_code: scheme_code.to_string(),
        scheme_version: version,
        kind,
        periods,
        payments: count,
        total,
        offset,
        prepared: step.signature(),
        prepared_event_no: step.event_no,
        state: RunState::Prepared { sent_back: None },
    };
    run::insert(&mut step.tx, &step.agency, &run).await?;
    drop(bar);
    let bar = step.progress.begin("写入发放明细", Some(credits.count), "笔");
    payment::insert(&mut step.tx, &step.agency, &run, credits, |count| bar.advance(count)).await?;
    month_sum::add(&mut step.tx, &step.agency, &run, sums).await?;
    let standing_runs = run::standing(&runs).count() + 1;
    if let Some(baseline) = books.into_baseline(&run) {
        baseline::insert(&mut step.tx, &step.agency, &run, standing_runs, &baseline).await?;
    }
    let numbered: Vec<(i64, Deduction)> = offsets.iter().map(|(no, d)| (*no, d.what)).collect();
    offset::store(&mut step, &run, &numbered).await?;
    let notices = notices(office, periods);
    let detail = json!({
        "payments": count, "total_fen": total.fen(), "scheme_version": version, "kind": kind.code(),
        "held": held.len(), "overpaid": overpaid.len(), "offset_fen": offset.fen(),
    });
    let offsets = offsets.into_iter().map(|(_, d)| d).collect();
    step.finish(&run.code, detail).await?;
    Ok(Prepared { run, back_pay, held, overpaid, without_case, offsets, notices })
}

/// What recoveries did, by enrolment and month.
type MovedMonths = HashMap<(i64, Period), Moved>;

/// The baseline that holds, with the scheme as it was known then.
async fn baseline_of(office: &Office, step: &mut Step, runs: &[Run]) -> Result<Option<(Baseline, Scheme)>, Failure> {
    let baseline = baseline::standing(&mut step.tx, &step.agency, runs).await?;
    let Some((baseline, run)) = baseline.zip(run::standing(runs).next_back()) else { return Ok(None) };
    Ok(Some((baseline, office.scheme_of(&mut step.tx, run).await?)))
}

/// What was sent by earlier runs. Their payments are read only when no baseline holds.
async fn sent_so_far<'a>(
    step: &mut Step,
    (scheme, version): (&Scheme, i64),
    runs: &[Run],
    baseline: Option<&'a (Baseline, Scheme)>,
) -> Result<SentSoFar<'a>, Failure> {
    let (tx, agency) = (&mut step.tx, step.agency.as_str());
    if run::standing(runs).next().is_none() {
        return Ok(SentSoFar::nothing(scheme));
    }
    let Some((baseline, known_as)) = baseline else {
        return Ok(SentSoFar::Counted(cover::sent(tx, agency, &scheme.code).await?));
    };
    let failed = cover::by_enrolment(cover::failed_since(tx, agency, runs, baseline.event_no).await?);
    let is_other_version = baseline.scheme_version != version;
    Ok(SentSoFar::Since(Since { baseline, scheme: known_as, is_other_version, failed }))
}

/// What was sent for people before this run, and the baseline that it leaves behind.
struct Books<'a> {
    scheme: &'a Scheme,
    /// The baseline that holds, if one does.
    baseline: Option<&'a Baseline>,
    /// True when the claims of that baseline are those of this version of the scheme.
    keeps_claims: bool,
    sent: SentSoFar<'a>,
    /// What recoveries put into a month, less what they took out of it.
    moved: HashMap<i64, Vec<(Period, Money)>>,
    /// Last month of the baseline that this run leaves behind.
    last: Period,
    claims: Claims,
    uneven: BTreeMap<i64, Sent>,
    people: usize,
    last_enrolment_no: i64,
}

/// What is owed to someone, and what was sent before.
struct Known {
    entitlement: Entitlement,
    sent: SentTo,
}

impl<'a> Books<'a> {
    fn of(
        (scheme, version): (&'a Scheme, i64),
        baseline: Option<&'a Baseline>,
        sent: SentSoFar<'a>,
        moved: &MovedMonths,
        last: Period,
    ) -> Books<'a> {
        let mut moved_of: HashMap<i64, Vec<(Period, Money)>> = HashMap::new();
        for ((enrolment_no, month), moved) in moved {
            moved_of.entry(*enrolment_no).or_default().push((*month, moved.offset_in - moved.recovered));
        }
        let keeps_claims = baseline.is_some_and(|b| b.scheme_version == version);
        Books {
            scheme,
            baseline,
            keeps_claims,
            sent,
            moved: moved_of,
            last,
            claims: baseline.filter(|_| keeps_claims).map(Claims::of).unwrap_or_default(),
            uneven: BTreeMap::new(),
            people: 0,
            last_enrolment_no: 0,
        }
    }

    /// What is payable to a person up to a month, with what was sent before.
    fn payable(&mut self, person: &Enrolled<'_>, last: Period) -> Result<(Known, Payable), StorageError> {
        let no = person.line.no;
        (self.people, self.last_enrolment_no) = (self.people + 1, no);
        let entitlement = person.entitlement()?;
        let then = match self.baseline {
            Some(baseline) => person.entitlement_at(baseline.event_no)?,
            None => None,
        };
        self.claim(no, &entitlement, then.as_ref());
        let asked = Asked { no, now: &entitlement, then: then.as_ref(), is_moved: self.moved.contains_key(&no) };
        let sent = self.sent.to(asked);
        let result = match &sent {
            SentTo::Even(until) => payable_after(self.scheme, &entitlement, *until, last),
            SentTo::Listed(months) => {
                let mut covered = months.clone();
                for (month, amount) in self.moved.get(&no).into_iter().flatten() {
                    *covered.entry(*month).or_default() += *amount;
                }
                payable(self.scheme, &entitlement, &covered, last)
            }
        };
        Ok((Known { entitlement, sent }, result))
    }

    /// Keeps up the claims of everybody.
    fn claim(&mut self, no: i64, now: &Entitlement, then: Option<&Entitlement>) {
        let known = self.baseline.filter(|b| self.keeps_claims && no <= b.last_enrolment_no);
        match (known, then) {
            (Some(baseline), None) => self.claims.add(self.scheme, now, baseline.last.next(), self.last),
            (Some(baseline), Some(then)) => {
                self.claims.take(self.scheme, then, baseline.last);
                self.claims.add(self.scheme, now, self.scheme.first, self.last);
            }
            (None, _) => self.claims.add(self.scheme, now, self.scheme.first, self.last),
        }
    }

    /// Remembers what is sent for a person after this run, unless the person is even by it. `is_short` tells that not
    /// all is paid that is payable.
    fn keep(&mut self, no: i64, known: Known, paid: &[Cover], is_short: bool) {
        let Known { entitlement, sent } = known;
        if matches!(sent, SentTo::Even(_)) && !is_short {
            return;
        }
        let mut months = sent.months(self.scheme, &entitlement);
        for cover in paid {
            *months.entry(cover.period).or_default() += cover.amount;
        }
        // Whom recoveries touched stays listed: what is sent and what is covered are not the same then.
        let is_even = !is_short
            && !self.moved.contains_key(&no)
            && payable(self.scheme, &entitlement, &months, self.last).is_even();
        if !is_even {
            self.uneven.insert(no, months);
        }
    }

    /// The baseline after this run; none when so many are not even that it would be no help.
    fn into_baseline(self, run: &Run) -> Option<Baseline> {
        let is_of_use = self.uneven.len() <= 1_000 + self.people / 4;
        is_of_use.then(|| Baseline {
            scheme_version: run.scheme_version,
            event_no: run.prepared_event_no,
            last: self.last,
            last_enrolment_no: self.last_enrolment_no,
            claims: self.claims.into_sums(),
            uneven: self.uneven,
        })
    }
}

/// What the run pays, as far as people were looked at.
#[derive(Default)]
struct Paid {
    credits: Credits,
    sums: month_sum::Sums,
    /// Payments that hold a month before the release, and what those months are of them.
    back_pay: (i64, Money),
}

impl Paid {
    fn add(
        &mut self,
        office: &Office,
        enrolment_no: i64,
        payee: &Payee<'_>,
        covers: &[Cover],
        periods: PeriodRange,
    ) -> Result<(), Failure> {
        let is_new_bank = self.credits.add(enrolment_no, payee, covers);
        if is_new_bank && office.banks.bank(payee.bank_code).is_none() {
            return Err(Failure::new(
                crate::failure::Kind::Configuration,
                "BANK_UNKNOWN",
                format!("{} 的开户银行 {} 不在银行配置里", payee.name, payee.bank_code),
            )
            .hint("在 config/banks 中补上这家银行"));
        }
        self.sums.add(covers, 0, None);
        let earlier: Money = covers.iter().filter(|c| c.period < periods.first).map(|c| c.amount).sum();
        if !earlier.is_zero() {
            self.back_pay = (self.back_pay.0 + 1, self.back_pay.1 + earlier);
        }
        Ok(())
    }
}

/// Overpaid months that somebody has dealt with.
struct AskedBack<'a> {
    open: HashSet<(i64, Period)>,
    moved: &'a MovedMonths,
}

impl<'a> AskedBack<'a> {
    async fn read(step: &mut Step, moved: &'a MovedMonths) -> Result<AskedBack<'a>, Failure> {
        let cases = recovery::cases(&mut step.tx, &step.agency).await?;
        let open = cases.iter().filter(|c| c.closed.is_none());
        let open = open.flat_map(|c| c.months.iter().map(|m| (c.enrolment_no, m.period))).collect();
        Ok(AskedBack { open, moved })
    }

    fn holds(&self, enrolment_no: i64, month: &Overpaid) -> bool {
        let key = (enrolment_no, month.period);
        self.open.contains(&key) || self.moved.get(&key).is_some_and(|m| m.written_off >= month.amount())
    }
}

fn flag<T>(payee: &Payee<'_>, what: T) -> Flagged<T> {
    let citizen_number = CitizenNumber::from_stored(payee.citizen_number).masked();
    Flagged { citizen_number, name: payee.name.to_string(), what }
}

fn check_periods(scheme: &Scheme, periods: PeriodRange, kind: RunKind, runs: &[Run]) -> Result<(), Failure> {
    if periods.last < scheme.first || scheme.last.is_some_and(|last| periods.first > last) {
        let until = scheme.last.map_or_else(String::new, |last| format!("至 {last}"));
        return Err(Failure::refused(
            "PERIOD_OUTSIDE",
            format!("所属期 {periods} 不在项目期间内（{} 起{until}）", scheme.first),
        ));
    }
    if kind == RunKind::Regular && !scheme.release.may_end_with(periods.last) {
        let (code, end, example) = match scheme.release {
            Release::HalfYearly => ("NOT_A_HALF_YEAR", "半年末月（6、12 月）", "2026-01..2026-06"),
            Release::Yearly => ("NOT_A_YEAR", "年末月", "2026-01..2026-12"),
            _ => ("NOT_A_QUARTER", "季末月", "2026-01..2026-03"),
        };
        let found = format!("项目{}发放，{} 不是{end}", scheme.release.title(), periods.last);
        return Err(
            Failure::refused(code, found).hint(format!("例如 --period {example}；期中补发用 --kind supplementary"))
        );
    }
    let has_regular = |r: &Run| r.kind == RunKind::Regular && r.periods.last >= periods.last && !is_cancelled(r);
    if kind == RunKind::Supplementary && !runs.iter().any(has_regular) {
        return Err(Failure::refused("NO_REGULAR_RUN", format!("{} 还没有正常批次，不能补发", periods.last))
            .hint("先做正常批次；以前月份的欠发会自动带上"));
    }
    Ok(())
}

fn is_cancelled(run: &Run) -> bool {
    matches!(run.state, RunState::Cancelled(..))
}

fn nothing_payable(runs: &[Run], periods: PeriodRange, held: &[Flagged<(Hold, Money)>], offset: Money) -> Failure {
    let mut message = format!("截至 {} 没有应付而未付的金额", periods.last);
    if let Some(last) = runs.iter().rev().find(|r| !is_cancelled(r) && r.periods.last >= periods.last) {
        message = format!("{message}；批次 {} 由 {} 计算，{}", last.code, last.prepared, last.state.sentence());
    }
    if !offset.is_zero() {
        message =
            format!("{message}；应付的 {} 元全部用于抵扣，没有要发的明细，留待有明细的批次抵扣", offset.grouped());
    }
    let mut failure = Failure::refused("NOTHING_PAYABLE", message);
    if !held.is_empty() {
        let owed: Money = held.iter().map(|h| h.what.1).sum();
        // A hold that this step would have opened is not in the list: nothing of a refused step lasts.
        let first: Vec<String> =
            held.iter().take(3).map(|h| format!("{}（{}）", h.name, h.what.0.reason.title())).collect();
        let (count, owed) = (held.len(), owed.grouped());
        failure =
            failure.hint(format!("{count} 人暂停支付，欠发 {owed} 元: {}；用 fafang hold list 查看", first.join("、")));
    }
    failure
}

fn notices(office: &Office, periods: PeriodRange) -> Vec<String> {
    let now = office.current_period();
    if periods.last > now {
        vec![format!("所属期 {} 晚于业务日期所在月 {now}", periods.last)]
    } else {
        Vec::new()
    }
}
