//! Prepares a run: claims minus cover, for every month up to the given one.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::exclusion::hold_excluded;
use super::offset;
use super::step::Step;
use crate::calculation::payable::{Overpaid, payable};
use crate::calculation::recovery::{Deduction, deduct};
use crate::domain::actor::Role;
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
use crate::storage::{counter, cover, enrolment, hold, payment, recovery, run};

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
    let enrolments = enrolment::of_scheme(&mut step.tx, &step.agency, scheme_code).await?;
    if enrolments.is_empty() {
        return Err(Failure::refused("EMPTY_ROSTER", format!("项目 {scheme_code} 还没有名册"))
            .hint("先运行 fafang roster import"));
    }
    let mut covered = cover::covered(&mut step.tx, &step.agency, scheme_code).await?;
    hold_excluded(office, &mut step, &scheme, &enrolments, periods.last).await?;
    let holds = hold::open_by_person(&mut step.tx, &step.agency).await?;
    let mut debts = offset::debts(office, &mut step, scheme_code, &enrolments).await?;
    let asked_back = AskedBack::read(&mut step).await?;
    let mut lines: Vec<(&Enrolment, Vec<Cover>)> = Vec::with_capacity(enrolments.len());
    let (mut held, mut overpaid, mut without_case, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for person in &enrolments {
        let months: BTreeMap<_, _> = covered.remove(&person.no).unwrap_or_default();
        let result = payable(&scheme, &person.entitlement, &months, periods.last);
        overpaid.extend(result.overpaid.iter().map(|o| flag(person, *o)));
        let unasked = result.overpaid.iter().filter(|o| !asked_back.holds(person.no, o));
        without_case.extend(unasked.map(|o| flag(person, *o)));
        if result.covers.is_empty() {
            continue;
        }
        if let Some((hold, _)) = holds.get(&person.beneficiary_no) {
            held.push(flag(person, (hold.clone(), result.total())));
            continue;
        }
        let mut covers = result.covers;
        for debt in debts.get_mut(&person.no).into_iter().flatten() {
            offsets.extend(deduct(&mut covers, debt).into_iter().map(|d| (person, d)));
        }
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
    let (payments, total) = lay_end_to_end(lines);
    let count = i64::try_from(payments.len()).unwrap_or(i64::MAX);
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
    payment::insert(&mut step.tx, &step.agency, &run, &payments).await?;
    let numbered: Vec<(i64, Deduction)> = offsets.iter().map(|(person, d)| (person.no, *d)).collect();
    offset::store(&mut step, &run, &numbered).await?;
    let back_pay = back_pay(&payments, periods);
    let notices = notices(office, periods);
    let detail = json!({
        "payments": count, "total_fen": total.fen(), "scheme_version": version, "kind": kind.code(),
        "held": held.len(), "overpaid": overpaid.len(), "offset_fen": offset.fen(),
    });
    let offsets = offsets.iter().map(|(person, d)| flag(person, *d)).collect();
    step.finish(&run.code, detail).await?;
    Ok(Prepared { run, back_pay, held, overpaid, without_case, offsets, notices })
}

/// Overpaid months that somebody has dealt with.
struct AskedBack {
    open: HashSet<(i64, Period)>,
    moved: HashMap<(i64, Period), Moved>,
}

impl AskedBack {
    async fn read(step: &mut Step) -> Result<AskedBack, Failure> {
        let cases = recovery::cases(&mut step.tx, &step.agency).await?;
        let open = cases.iter().filter(|c| c.closed.is_none());
        let open = open.flat_map(|c| c.months.iter().map(|m| (c.enrolment_no, m.period))).collect();
        Ok(AskedBack { open, moved: recovery::moved(&mut step.tx, &step.agency).await? })
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

fn lay_end_to_end(lines: Vec<(&Enrolment, Vec<Cover>)>) -> (Vec<Payment>, Money) {
    let mut offset = Money::ZERO;
    let payments = (1..)
        .zip(lines)
        .map(|(line_no, (person, covers))| {
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
        .collect();
    (payments, offset)
}

fn back_pay(payments: &[Payment], periods: PeriodRange) -> (i64, Money) {
    let earlier = |p: &Payment| p.covers.iter().filter(|c| c.period < periods.first).map(|c| c.amount).sum::<Money>();
    let amounts: Vec<Money> = payments.iter().map(earlier).filter(|m| !m.is_zero()).collect();
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
