//! Prepares a run: claims minus cover, for every month up to the given one.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::exclusion::hold_excluded;
use super::offset;
use super::step::Step;
use crate::calculation::baseline::{Claims, SentSoFar, SentTo, Since};
use crate::calculation::payable::{Overpaid, Payable, payable, payable_after};
use crate::calculation::recovery::{Deduction, deduct};
use crate::domain::actor::Role;
use crate::domain::baseline::{Baseline, Sent};
use crate::domain::enrolment::Enrolment;
use crate::domain::hold::Hold;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, Payment};
use crate::domain::period::{Period, PeriodRange};
use crate::domain::run::{Run, RunKind, RunState};
use crate::domain::scheme::{Release, Scheme};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::recovery::Moved;
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
    let moved = recovery::moved(&mut step.tx, &step.agency).await?;
    let bar = step.progress.begin("读取名册和已付月份", None, "人");
    let (enrolments, mut books) = Books::read(office, &mut step, (&scheme, version), &runs, &moved, periods).await?;
    if enrolments.is_empty() {
        return Err(Failure::refused("EMPTY_ROSTER", format!("项目 {scheme_code} 还没有名册"))
            .hint("先运行 fafang roster import"));
    }
    hold_excluded(office, &mut step, &scheme, &enrolments, periods.last).await?;
    let holds = hold::open_by_person(&mut step.tx, &step.agency).await?;
    let mut debts = offset::debts(office, &mut step, scheme_code, &enrolments).await?;
    let asked_back = AskedBack::read(&mut step, moved).await?;
    drop(bar);
    let bar = step.progress.begin("计算应发", Some(enrolments.len()), "人");
    let mut lines: Vec<(&Enrolment, Vec<Cover>)> = Vec::with_capacity(enrolments.len());
    let (mut held, mut overpaid, mut without_case, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for person in &enrolments {
        bar.advance(1);
        let (sent, result) = books.payable(person, periods.last);
        overpaid.extend(result.overpaid.iter().map(|o| flag(person, *o)));
        let unasked = result.overpaid.iter().filter(|o| !asked_back.holds(person.no, o));
        without_case.extend(unasked.map(|o| flag(person, *o)));
        let mut covers = result.covers;
        let hold = holds.get(&person.beneficiary_no).filter(|_| !covers.is_empty());
        let paid_so_far = offsets.len();
        if let Some((hold, _)) = hold {
            held.push(flag(person, (hold.clone(), covers.iter().map(|c| c.amount).sum())));
            covers.clear();
        }
        for debt in debts.get_mut(&person.no).into_iter().flatten() {
            offsets.extend(deduct(&mut covers, debt).into_iter().map(|d| (person, d)));
        }
        books.keep(person, sent, &covers, hold.is_some() || offsets.len() > paid_so_far);
        // A payment of nothing is none.
        if !covers.is_empty() {
            lines.push((person, covers));
        }
    }
    let offset: Money = offsets.iter().map(|(_, d)| d.amount).sum();
    if lines.is_empty() {
        return Err(nothing_payable(&runs, periods, &held, offset));
    }
    check_banks(office, &lines)?;
    // By bank, so that a file is a stretch of lines; within a bank in roster order.
    lines.sort_by(|(a, _), (b, _)| (&a.account.bank_code, a.no).cmp(&(&b.account.bank_code, b.no)));
    let total = lines.iter().flat_map(|(_, covers)| covers).map(|c| c.amount).sum();
    let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
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
    let mut sums = month_sum::Sums::default();
    for (_, covers) in &lines {
        sums.add(covers, 0, None);
    }
    let back_pay = back_pay(&lines, periods);
    drop(bar);
    let bar = step.progress.begin("写入发放明细", Some(lines.len()), "笔");
    let payments = laid_end_to_end(lines).inspect(|_| bar.advance(1));
    payment::insert(&mut step.tx, &step.agency, &run, payments).await?;
    month_sum::add(&mut step.tx, &step.agency, &run, sums).await?;
    let standing_runs = run::standing(&runs).count() + 1;
    if let Some(baseline) = books.into_baseline(&run, &enrolments) {
        baseline::insert(&mut step.tx, &step.agency, &run, standing_runs, &baseline).await?;
    }
    let numbered: Vec<(i64, Deduction)> = offsets.iter().map(|(person, d)| (person.no, *d)).collect();
    offset::store(&mut step, &run, &numbered).await?;
    let notices = notices(office, periods);
    let detail = json!({
        "payments": count, "total_fen": total.fen(), "scheme_version": version, "kind": kind.code(),
        "held": held.len(), "overpaid": overpaid.len(), "offset_fen": offset.fen(),
    });
    let offsets = offsets.iter().map(|(person, d)| flag(person, *d)).collect();
    step.finish(&run.code, detail).await?;
    Ok(Prepared { run, back_pay, held, overpaid, without_case, offsets, notices })
}

/// What recoveries did, by enrolment and month.
type MovedMonths = HashMap<(i64, Period), Moved>;

/// What was sent for people before this run, and the baseline that it leaves behind.
struct Books {
    scheme: Scheme,
    sent: SentSoFar,
    /// What recoveries put into a month, less what they took out of it.
    moved: HashMap<i64, Vec<(Period, Money)>>,
    /// Last month of the baseline that this run leaves behind.
    last: Period,
    claims: Claims,
    uneven: BTreeMap<i64, Sent>,
}

impl Books {
    /// The people of the scheme with what was sent for them. The payments of earlier runs are read only when no
    /// baseline holds.
    async fn read(
        office: &Office,
        step: &mut Step,
        (scheme, version): (&Scheme, i64),
        runs: &[Run],
        moved: &MovedMonths,
        periods: PeriodRange,
    ) -> Result<(Vec<Enrolment>, Books), Failure> {
        let mut moved_of: HashMap<i64, Vec<(Period, Money)>> = HashMap::new();
        for ((enrolment_no, month), moved) in moved {
            moved_of.entry(*enrolment_no).or_default().push((*month, moved.offset_in - moved.recovered));
        }
        let last = run::standing(runs).map(|r| r.periods.last).fold(periods.last, Period::max);
        let (tx, agency) = (&mut step.tx, step.agency.as_str());
        let code = scheme.code.as_str();
        let baseline = baseline::standing(tx, agency, runs).await?;
        let since_event = baseline.as_ref().map_or(i64::MAX, |b| b.event_no);
        let (people, then) = enrolment::of_scheme_since(tx, agency, code, since_event).await?;
        let mut claims = Claims::default();
        let sent = match (&baseline, run::standing(runs).next_back()) {
            (Some(baseline), Some(last_run)) => {
                let known_as = office.scheme_of(tx, last_run).await?;
                let failed = cover::failed_since(tx, agency, runs, baseline.event_no).await?;
                let failed: Vec<(i64, Vec<Cover>)> = failed.into_iter().map(|f| (f.enrolment_no, f.covers)).collect();
                let is_other_version = baseline.scheme_version != version;
                if !is_other_version {
                    claims = Claims::of(baseline);
                }
                let since = Since { scheme: &known_as, is_other_version, then: &then, failed: &failed };
                SentSoFar::since(baseline, &since, people.iter().map(|p| (p.no, &p.entitlement)), |no| {
                    moved_of.contains_key(&no)
                })
            }
            (None, Some(_)) => SentSoFar::counted(cover::sent(tx, agency, code).await?),
            _ => SentSoFar::nothing(scheme),
        };
        let kept = baseline.as_ref().filter(|b| b.scheme_version == version);
        for person in &people {
            let known = kept.filter(|b| person.no <= b.last_enrolment_no);
            match (known, then.get(&person.no)) {
                (Some(baseline), None) => claims.add(scheme, &person.entitlement, baseline.last.next(), last),
                (Some(baseline), Some(then)) => {
                    claims.take(scheme, then, baseline.last);
                    claims.add(scheme, &person.entitlement, scheme.first, last);
                }
                (None, _) => claims.add(scheme, &person.entitlement, scheme.first, last),
            }
        }
        let scheme = scheme.clone();
        Ok((people, Books { scheme, sent, moved: moved_of, last, claims, uneven: BTreeMap::new() }))
    }

    /// What is payable to a person up to a month, with what was sent before.
    fn payable(&mut self, person: &Enrolment, last: Period) -> (SentTo, Payable) {
        let sent = self.sent.take(person.no);
        let result = match &sent {
            SentTo::Even(until) => payable_after(&self.scheme, &person.entitlement, *until, last),
            SentTo::Listed(months) => {
                let mut covered = months.clone();
                for (month, amount) in self.moved.get(&person.no).into_iter().flatten() {
                    *covered.entry(*month).or_default() += *amount;
                }
                payable(&self.scheme, &person.entitlement, &covered, last)
            }
        };
        (sent, result)
    }

    /// Remembers what is sent for a person after this run, unless the person is even by it. `is_short` tells that not
    /// all is paid that is payable.
    fn keep(&mut self, person: &Enrolment, sent: SentTo, paid: &[Cover], is_short: bool) {
        if matches!(sent, SentTo::Even(_)) && !is_short {
            return;
        }
        let mut months = sent.months(&self.scheme, &person.entitlement);
        for cover in paid {
            *months.entry(cover.period).or_default() += cover.amount;
        }
        // Whom recoveries touched stays listed: what is sent and what is covered are not the same then.
        let is_even = !is_short
            && !self.moved.contains_key(&person.no)
            && payable(&self.scheme, &person.entitlement, &months, self.last).is_even();
        if !is_even {
            self.uneven.insert(person.no, months);
        }
    }

    /// The baseline after this run; none when so many are not even that it would be no help.
    fn into_baseline(self, run: &Run, people: &[Enrolment]) -> Option<Baseline> {
        let is_of_use = self.uneven.len() <= 1_000 + people.len() / 4;
        is_of_use.then(|| Baseline {
            scheme_version: run.scheme_version,
            event_no: run.prepared_event_no,
            last: self.last,
            last_enrolment_no: people.iter().map(|p| p.no).max().unwrap_or(0),
            claims: self.claims.into_sums(),
            uneven: self.uneven,
        })
    }
}

/// Overpaid months that somebody has dealt with.
struct AskedBack {
    open: HashSet<(i64, Period)>,
    moved: MovedMonths,
}

impl AskedBack {
    async fn read(step: &mut Step, moved: MovedMonths) -> Result<AskedBack, Failure> {
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

fn flag<T>(person: &Enrolment, what: T) -> Flagged<T> {
    Flagged { citizen_number: person.citizen_number.masked(), name: person.name.clone(), what }
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

fn check_banks(office: &Office, lines: &[(&Enrolment, Vec<Cover>)]) -> Result<(), Failure> {
    match lines.iter().find(|(p, _)| office.banks.bank(&p.account.bank_code).is_none()) {
        None => Ok(()),
        Some((person, _)) => Err(Failure::new(
            crate::failure::Kind::Configuration,
            "BANK_UNKNOWN",
            format!("{} 的开户银行 {} 不在银行配置里", person.name, person.account.bank_code),
        )
        .hint("在 config/banks 中补上这家银行")),
    }
}

/// The payments of a run, each beginning in its money where the one before ends.
fn laid_end_to_end(lines: Vec<(&Enrolment, Vec<Cover>)>) -> impl Iterator<Item = Payment> {
    let mut offset = Money::ZERO;
    (1..).zip(lines).map(move |(line_no, (person, covers))| {
        let amount: Money = covers.iter().map(|c| c.amount).sum();
        let payment = Payment {
            line_no,
            enrolment_no: person.no,
            beneficiary_no: person.beneficiary_no,
            citizen_number: person.citizen_number.as_str().to_string(),
            name: person.name.clone(),
            bank_code: person.account.bank_code.clone(),
            account_number: person.account.number.as_str().to_string(),
            account_holder: person.account.holder.clone(),
            amount,
            offset,
            covers,
        };
        offset += amount;
        payment
    })
}

fn back_pay(lines: &[(&Enrolment, Vec<Cover>)], periods: PeriodRange) -> (i64, Money) {
    let earlier =
        |covers: &[Cover]| covers.iter().filter(|c| c.period < periods.first).map(|c| c.amount).sum::<Money>();
    let amounts: Vec<Money> = lines.iter().map(|(_, covers)| earlier(covers)).filter(|m| !m.is_zero()).collect();
    (i64::try_from(amounts.len()).unwrap_or(i64::MAX), amounts.into_iter().sum())
}

fn notices(office: &Office, periods: PeriodRange) -> Vec<String> {
    let now = office.current_period();
    if periods.last > now {
        vec![format!("所属期 {} 晚于业务日期所在月 {now}", periods.last)]
    } else {
        Vec::new()
    }
}
