//! The claim (应发): what an enrolment is owed for a month.
//!
//! It depends on the scheme's rules and on the entitlement's facts alone, never on what was paid and
//! never on today. Checks run in this order: before the scheme or the person begins; once only; the
//! most months; the scheme's end; the person's end; no amount; certification lapsed; suspended; due.

use chrono::{Datelike, NaiveDate};

use crate::domain::enrolment::{StopReason, SuspensionCause};
use crate::domain::entitlement::Entitlement;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::scheme::{
    Adjustment, AmountRule, BackPay, Certification, Raise, Release, Scheme, StartMonth, StopMonth,
};

/// What is owed for one month, or why nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Owed.
    Due(Money),
    /// Would be owed, but the person is suspended.
    Suspended(Money, SuspensionCause),
    /// Was suspended, and the scheme does not pay those months back.
    Forfeited,
    /// Before the first month of the person or the scheme.
    NotYet,
    /// Owed once, for the first month; this is a later one.
    PaidOnce,
    /// The scheme pays only so many months.
    LimitReached,
    /// After the last month of the person; the reason if it is known.
    Ended(Option<StopReason>),
    /// After the last month of the scheme.
    SchemeEnded,
    /// The scheme has no standard for the category, or the person no amount: refused when rosters
    /// and schemes are loaded.
    NoStandard,
}

impl Claim {
    /// The amount owed; nothing unless due.
    pub fn amount(self) -> Money {
        match self {
            Claim::Due(amount) => amount,
            _ => Money::ZERO,
        }
    }

    /// Why nothing is owed, in words; empty when something is.
    pub fn reason(self) -> String {
        match self {
            Claim::Due(_) => String::new(),
            Claim::Suspended(_, cause) => format!("暂停（{}）", cause.title()),
            Claim::Forfeited => "暂停期间不补发".into(),
            Claim::NotYet => "未到起始月".into(),
            Claim::PaidOnce => "一次性待遇，只发首月".into(),
            Claim::LimitReached => "已满最长月数".into(),
            Claim::Ended(None) => "已停发".into(),
            Claim::Ended(Some(reason)) => format!("停发（{}）", reason.title()),
            Claim::SchemeEnded => "项目已结束".into(),
            Claim::NoStandard => "没有补贴标准".into(),
        }
    }
}

/// The claim of an enrolment for a month.
pub fn claim(scheme: &Scheme, entitlement: &Entitlement, period: Period) -> Claim {
    let first = first_claim_period(scheme, entitlement);
    if period < first {
        return Claim::NotYet;
    }
    if scheme.release == Release::Once && period > first {
        return Claim::PaidOnce;
    }
    if scheme.max_months.is_some_and(|most| i64::from(period.since(first)) >= most) {
        return Claim::LimitReached;
    }
    if scheme.last.is_some_and(|last| period > last) {
        return Claim::SchemeEnded;
    }
    if entitlement.last.is_some_and(|last| period > last) {
        return Claim::Ended(entitlement.stop_reason);
    }
    let Some(monthly) = monthly(scheme, entitlement, period) else {
        return Claim::NoStandard;
    };
    let (days, of) = part_of_month(scheme, entitlement, period);
    let amount = if days == of { monthly } else { scheme.rounding.share(monthly, days, of) };
    if let Some(rule) = &scheme.certification {
        match lapse(rule, certified_before(first, entitlement), entitlement, period) {
            Some(Lapse::Open) => return Claim::Suspended(amount, SuspensionCause::NotCertified),
            Some(Lapse::Over) if rule.back_pay == BackPay::Forfeited => return Claim::Forfeited,
            _ => {}
        }
    }
    // Several suspensions may touch a month: each must allow it.
    let mut forfeited = false;
    for suspension in &entitlement.suspensions {
        match suspension.resumed_from {
            _ if period < suspension.from => {}
            None => return Claim::Suspended(amount, suspension.cause),
            Some(resumed) => forfeited |= period < resumed && !suspension.back_paid,
        }
    }
    if forfeited { Claim::Forfeited } else { Claim::Due(amount) }
}

/// Months with one and the same claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimStretch {
    /// First month.
    pub first: Period,
    /// Last month.
    pub last: Period,
    /// What is owed for each of them.
    pub claim: Claim,
}

/// The claims of the months from `first` to `last`, in stretches: worked out only for the months at which one may turn.
pub fn claims<'a>(
    scheme: &'a Scheme,
    entitlement: &'a Entitlement,
    first: Period,
    last: Period,
) -> impl Iterator<Item = ClaimStretch> + 'a {
    let mut next = Some(first).filter(|first| *first <= last);
    std::iter::from_fn(move || {
        let first = next?;
        next = next_turn(scheme, entitlement, first).filter(|turn| *turn <= last);
        Some(ClaimStretch {
            first,
            last: next.map_or(last, Period::previous),
            claim: claim(scheme, entitlement, first),
        })
    })
}

/// The first month after this one whose claim may be another: everything that [`claim`] asks of a month is named here.
fn next_turn(scheme: &Scheme, entitlement: &Entitlement, month: Period) -> Option<Period> {
    let mut next: Option<Period> = None;
    let mut turn = |at: Period| {
        if at > month && next.is_none_or(|earlier| at < earlier) {
            next = Some(at);
        }
    };
    let begins = first_claim_period(scheme, entitlement);
    turn(begins);
    if scheme.release == Release::Once {
        turn(begins.next());
    }
    if let Some(most) = scheme.max_months {
        turn(begins.plus(i32::try_from(most).unwrap_or(i32::MAX / 2)));
    }
    scheme.last.into_iter().chain(entitlement.last).for_each(|last| turn(last.next()));
    scheme.standards.iter().for_each(|standard| {
        turn(standard.from);
        standard.to.into_iter().for_each(|to| turn(to.next()));
    });
    scheme.adjustments.iter().for_each(|adjustment| turn(adjustment.from));
    entitlement.categories.iter().for_each(|(from, _)| turn(*from));
    entitlement.amounts.iter().for_each(|(from, _)| turn(*from));
    // A month of which only days are owed stands alone.
    for day in entitlement.first_day.into_iter().chain(entitlement.last_day) {
        turn(Period::of(day));
        turn(Period::of(day).next());
    }
    if let Some(rule) = &scheme.certification {
        let start = certified_before(begins, entitlement);
        turn(start.plus(rule.cycle_months).next());
        for certified in entitlement.certified.iter().map(|day| Period::of(*day)) {
            turn(certified);
            turn(certified.plus(rule.cycle_months).next());
        }
    }
    for suspension in &entitlement.suspensions {
        turn(suspension.from);
        suspension.resumed_from.into_iter().for_each(&mut turn);
    }
    next
}

/// First month for which the enrolment can be owed anything.
pub fn first_claim_period(scheme: &Scheme, entitlement: &Entitlement) -> Period {
    scheme.first.max(entitlement.first)
}

/// The amount of a whole month: the standard or the person's own amount, with every adjustment of
/// its month or later up to `period`, and never above the scheme's cap.
pub fn monthly(scheme: &Scheme, entitlement: &Entitlement, period: Period) -> Option<Money> {
    let (since, base) = match scheme.amount {
        AmountRule::Standard => scheme.standard(entitlement.category(period), period).map(|s| (s.from, s.monthly))?,
        AmountRule::Individual => entitlement.amount(period)?,
    };
    let raised = scheme
        .adjustments
        .iter()
        .filter(|a| a.from >= since && a.from <= period && applies(a, entitlement))
        .fold(base, |amount, a| amount + raise(scheme, a.raise, amount));
    Some(scheme.monthly_cap.map_or(raised, |cap| raised.min(cap)))
}

fn raise(scheme: &Scheme, raise: Raise, amount: Money) -> Money {
    match raise {
        Raise::Fixed(more) => more,
        Raise::Percent(hundredths) => scheme.rounding.share(amount, hundredths, 10_000),
    }
}

/// A condition on something that is not known is not met: better a question than a wrong payment.
fn applies(adjustment: &Adjustment, entitlement: &Entitlement) -> bool {
    let age = entitlement.born_on.map(|born| age_on(born, adjustment.age_on));
    adjustment.category.as_deref().is_none_or(|category| category == entitlement.category(adjustment.from))
        && adjustment.min_age.is_none_or(|least| age.is_some_and(|age| age >= least))
        && adjustment.max_age.is_none_or(|most| age.is_some_and(|age| age <= most))
        && adjustment.retired_by.is_none_or(|by| entitlement.retired_on.is_some_and(|on| on <= by))
}

/// Full years (周岁) on a day. Who is born on 29 February completes a year on 1 March of other years.
pub fn age_on(born: NaiveDate, day: NaiveDate) -> i64 {
    let had_birthday = (day.month(), day.day()) >= (born.month(), born.day());
    i64::from(day.year() - born.year()) - i64::from(!had_birthday)
}

/// Which part of the month is owed, as days of days: by the scheme's rules for the months in which
/// an entitlement begins and ends. The thirty-day month counts its 31st with the 30th, and the last
/// day of February as its 30th.
fn part_of_month(scheme: &Scheme, entitlement: &Entitlement, period: Period) -> (i64, i64) {
    let stop_rule = entitlement.stop_reason.map_or(scheme.stop_month, |reason| scheme.stop_rule(reason));
    let by_days = |day: Option<NaiveDate>, counts: bool| day.filter(|day| counts && Period::of(*day) == period);
    let begins =
        by_days(entitlement.first_day, matches!(scheme.start_month, StartMonth::CalendarDays | StartMonth::ThirtyDays));
    let ends = by_days(entitlement.last_day, matches!(stop_rule, StopMonth::CalendarDays | StopMonth::ThirtyDays));
    if begins.is_none() && ends.is_none() {
        return (1, 1);
    }
    let thirty = begins.is_some() && scheme.start_month == StartMonth::ThirtyDays
        || ends.is_some() && stop_rule == StopMonth::ThirtyDays;
    let last_of_month = i64::from(period.last_day().day());
    let length = if thirty { 30 } else { last_of_month };
    let place = |day: NaiveDate| {
        let day = i64::from(day.day());
        if thirty && day == last_of_month { 30 } else { day.min(length) }
    };
    let (from, to) = (begins.map_or(1, place), ends.map_or(length, place));
    ((to - from + 1).clamp(0, length), length)
}

/// A month that no certification reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lapse {
    /// Not certified since.
    Open,
    /// Certified again later.
    Over,
}

/// Where nothing else is known, a person counts as certified in the month before the first.
fn certified_before(first: Period, entitlement: &Entitlement) -> Period {
    entitlement.certified.first().map_or(first.previous(), |day| Period::of(*day).min(first.previous()))
}

fn lapse(rule: &Certification, start: Period, entitlement: &Entitlement, period: Period) -> Option<Lapse> {
    let months = || entitlement.certified.iter().map(|day| Period::of(*day));
    let last = months().rfind(|month| *month <= period).map_or(start, |month| month.max(start));
    if period <= last.plus(rule.cycle_months) {
        return None;
    }
    Some(if months().any(|month| month > period) { Lapse::Over } else { Lapse::Open })
}

/// Last month that the certifications reach, for schemes that ask for them.
pub fn certified_until(scheme: &Scheme, entitlement: &Entitlement) -> Option<Period> {
    let rule = scheme.certification.as_ref()?;
    let start = certified_before(first_claim_period(scheme, entitlement), entitlement);
    let last = entitlement.certified.last().map_or(start, |day| Period::of(*day).max(start));
    Some(last.plus(rule.cycle_months))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::entitlement::Suspension;
    use crate::domain::scheme::{Rounding, RoundingDirection, Standard};

    fn month(text: &str) -> Period {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn pension() -> Scheme {
        Scheme { amount: AmountRule::Individual, ..Scheme::sample(Vec::new()) }
    }

    fn entitled(first: &str, last: &str, reason: StopReason) -> Entitlement {
        let (first, last) = (day(first), day(last));
        Entitlement {
            first_day: Some(first),
            last: Some(Period::of(last)),
            last_day: Some(last),
            stop_reason: Some(reason),
            ..Entitlement::sample(&Period::of(first).to_string())
        }
    }

    #[test]
    fn part_months_by_the_four_rules() {
        let left = |first, last| entitled(first, last, StopReason::Moved);
        let amount = |scheme: &Scheme, e: &Entitlement, m| claim(scheme, e, month(m)).amount().fen();
        let whole = Scheme::sample_of(30_000);
        let calendar = Scheme {
            start_month: StartMonth::CalendarDays,
            stop_month: StopMonth::CalendarDays,
            ..Scheme::sample_of(30_000)
        };
        let thirty = Scheme {
            start_month: StartMonth::ThirtyDays,
            stop_month: StopMonth::ThirtyDays,
            ..Scheme::sample_of(30_000)
        };
        let e = left("2026-01-17", "2026-02-14");
        assert_eq!((amount(&whole, &e, "2026-01"), amount(&whole, &e, "2026-02")), (30_000, 30_000));
        // 15 of 31 days, 14 of 28.
        assert_eq!((amount(&calendar, &e, "2026-01"), amount(&calendar, &e, "2026-02")), (14_516, 15_000));
        // 14 of 30, 14 of 30.
        assert_eq!((amount(&thirty, &e, "2026-01"), amount(&thirty, &e, "2026-02")), (14_000, 14_000));
        // Whole months are whole in every rule, and so is February to its last day.
        assert_eq!(amount(&thirty, &left("2026-01-01", "2026-02-28"), "2026-02"), 30_000);
        assert_eq!(amount(&thirty, &left("2026-01-31", "2026-03-31"), "2026-01"), 1_000);
        assert_eq!(amount(&calendar, &left("2026-01-10", "2026-01-12"), "2026-01"), 2_903);
        // The month of death follows its own rule.
        let died = entitled("2026-01-01", "2026-02-14", StopReason::Death);
        assert_eq!(amount(&calendar, &died, "2026-02"), 30_000);
    }

    #[test]
    fn an_own_amount_takes_the_adjustments_after_it_by_age_and_category() {
        let adjustment = |from: &str, raise| Adjustment {
            from: month(from),
            document: None,
            raise,
            category: None,
            min_age: None,
            max_age: None,
            age_on: month(from).previous().last_day(),
            retired_by: None,
        };
        let scheme = Scheme {
            rounding: Rounding { unit_fen: 10, direction: RoundingDirection::Up },
            adjustments: vec![
                adjustment("2025-01", Raise::Fixed(Money(99_900))),
                adjustment("2026-07", Raise::Percent(380)),
                Adjustment { min_age: Some(80), ..adjustment("2026-07", Raise::Fixed(Money(3_000))) },
                Adjustment { category: Some("高龄".into()), ..adjustment("2026-08", Raise::Fixed(Money(1))) },
            ],
            ..pension()
        };
        let mut person = Entitlement::sample("2010-05");
        person.amounts = vec![(month("2026-01"), Money(321_050))];
        person.born_on = Some(day("1946-06-30"));
        let due = |e: &Entitlement, m| claim(&scheme, e, month(m)).amount().fen();
        assert_eq!(due(&person, "2026-06"), 321_050);
        // 3.8 % of 3,210.50 is 121.999, up to the next 角: 122.00; 80 on the last day of June: 30.00.
        assert_eq!(due(&person, "2026-07"), 321_050 + 12_200 + 3_000);
        person.born_on = Some(day("1946-07-01"));
        assert_eq!(due(&person, "2026-07"), 321_050 + 12_200);
        person.amounts.push((month("2026-09"), Money(400_000)));
        assert_eq!(due(&person, "2026-09"), 400_000, "an amount given later already holds the raises before it");
        let capped = Scheme { monthly_cap: Some(Money(330_000)), ..scheme.clone() };
        assert_eq!(claim(&capped, &person, month("2026-08")).amount(), Money(330_000));
    }

    #[test]
    fn certification_lapses_after_its_cycle_and_is_made_good_by_the_next() {
        let rule = Certification { cycle_months: 12, warning_months: 3, back_pay: BackPay::Paid };
        let scheme = Scheme { certification: Some(rule), ..Scheme::sample_of(12_000) };
        let forfeiting = Scheme {
            certification: Some(Certification { back_pay: BackPay::Forfeited, ..rule }),
            ..Scheme::sample_of(12_000)
        };
        let mut person = Entitlement::sample("2026-01");
        person.certified = vec![day("2025-05-20")];
        assert_eq!(certified_until(&scheme, &person), Some(month("2026-05")));
        assert_eq!(claim(&scheme, &person, month("2026-05")), Claim::Due(Money(12_000)));
        let lapsed = Claim::Suspended(Money(12_000), SuspensionCause::NotCertified);
        assert_eq!(claim(&scheme, &person, month("2026-06")), lapsed);
        person.certified.push(day("2026-09-01"));
        assert_eq!(claim(&scheme, &person, month("2026-06")), Claim::Due(Money(12_000)));
        assert_eq!(claim(&forfeiting, &person, month("2026-08")), Claim::Forfeited);
        assert_eq!(claim(&forfeiting, &person, month("2026-09")), Claim::Due(Money(12_000)));
        assert_eq!(claim(&scheme, &person, month("2027-10")), lapsed);
        // Nothing known: twelve months from the first.
        let unknown = Entitlement::sample("2026-01");
        assert_eq!(certified_until(&scheme, &unknown), Some(month("2026-12")));
    }

    #[test]
    fn once_and_limits() {
        let once = Scheme { release: Release::Once, ..Scheme::sample_of(50_000) };
        let person = Entitlement::sample("2026-03");
        assert_eq!(claim(&once, &person, month("2026-02")), Claim::NotYet);
        assert_eq!(claim(&once, &person, month("2026-03")), Claim::Due(Money(50_000)));
        assert_eq!(claim(&once, &person, month("2026-04")), Claim::PaidOnce);
        let limited = Scheme { max_months: Some(2), ..Scheme::sample_of(12_000) };
        assert_eq!(claim(&limited, &person, month("2026-04")), Claim::Due(Money(12_000)));
        assert_eq!(claim(&limited, &person, month("2026-05")), Claim::LimitReached);
    }

    #[test]
    fn years_are_complete_on_the_birthday() {
        assert_eq!(age_on(day("1946-06-30"), day("2026-06-29")), 79);
        assert_eq!(age_on(day("1946-06-30"), day("2026-06-30")), 80);
        assert_eq!(age_on(day("1948-02-29"), day("2026-02-28")), 77);
        assert_eq!(age_on(day("1948-02-29"), day("2026-03-01")), 78);
    }

    /// Index of a month from 2025-11 on, if any.
    fn maybe() -> impl Strategy<Value = Option<i32>> {
        prop::option::of(0..24_i32)
    }

    proptest! {
        /// Whatever may turn a claim is known: the stretches say of every month what is worked out for it alone.
        #[test]
        fn stretches_of_claims_are_the_claims_of_their_months(
            standards in prop::collection::vec((0..24_i32, maybe(), 0..2_usize, 1..9_i64), 1..4),
            raises in prop::collection::vec((0..24_i32, prop::option::of(0..2_usize), 1..900_i64), 0..3),
            (is_individual, is_once, forfeits) in (any::<bool>(), prop::bool::weighted(0.1), any::<bool>()),
            (ends, most, cycle) in (maybe(), prop::option::of(1..12_i64), prop::option::of(1..8_i32)),
            (start_rule, stop_rule) in (0..3_usize, 0..4_usize),
            (first, first_day, last, last_day) in (0..24_i32, any::<bool>(), maybe(), any::<bool>()),
            categories in prop::collection::vec((0..24_i32, 0..2_usize), 1..3),
            amounts in prop::collection::vec((0..24_i32, 1..9_i64), 0..3),
            certified in prop::collection::btree_set(0..24_i32, 0..3),
            suspended in prop::collection::vec((0..24_i32, maybe(), any::<bool>()), 0..3),
        ) {
            let at = |index: i32| month("2025-11").plus(index);
            let mid = |index: i32| at(index).first_day() + chrono::Days::new(12);
            let category = |index: usize| ["甲", "乙"][index].to_string();
            let scheme = Scheme {
                last: ends.map(at),
                release: if is_once { Release::Once } else { Release::Monthly },
                amount: if is_individual { AmountRule::Individual } else { AmountRule::Standard },
                start_month: [StartMonth::Whole, StartMonth::CalendarDays, StartMonth::ThirtyDays][start_rule],
                stop_month: [StopMonth::Paid, StopMonth::NotPaid, StopMonth::CalendarDays, StopMonth::ThirtyDays][stop_rule],
                max_months: most,
                certification: cycle.map(|cycle_months| Certification {
                    cycle_months,
                    warning_months: 1,
                    back_pay: if forfeits { BackPay::Forfeited } else { BackPay::Paid },
                }),
                adjustments: raises
                    .iter()
                    .map(|(from, only, percent)| Adjustment {
                        from: at(*from),
                        document: None,
                        raise: Raise::Percent(*percent),
                        category: only.map(category),
                        min_age: None,
                        max_age: None,
                        age_on: at(*from).previous().last_day(),
                        retired_by: None,
                    })
                    .collect(),
                ..Scheme::sample(
                    standards
                        .iter()
                        .map(|(from, to, of, fen)| Standard {
                            category: category(*of),
                            from: at(*from),
                            to: to.map(at),
                            monthly: Money(*fen * 1_000),
                            document: None,
                        })
                        .collect(),
                )
            };
            let mut person = Entitlement {
                first_day: first_day.then(|| mid(first)),
                last: last.map(at),
                last_day: last.filter(|_| last_day).map(mid),
                stop_reason: last.map(|_| StopReason::Moved),
                categories: categories.iter().map(|(from, of)| (at(*from), category(*of))).collect(),
                amounts: amounts.iter().map(|(from, fen)| (at(*from), Money(*fen * 700))).collect(),
                certified: certified.iter().map(|index| mid(*index)).collect(),
                suspensions: suspended
                    .iter()
                    .map(|(from, to, back_paid)| Suspension {
                        cause: SuspensionCause::Other,
                        from: at(*from),
                        resumed_from: to.map(at),
                        back_paid: *back_paid,
                    })
                    .collect(),
                ..Entitlement::sample(&at(first).to_string())
            };
            person.categories.sort();
            person.amounts.sort();
            let (from, to) = (at(-1), at(30));
            let told: Vec<(Period, Claim)> = claims(&scheme, &person, from, to)
                .flat_map(|stretch| stretch.first.through(stretch.last).map(move |month| (month, stretch.claim)))
                .collect();
            let plain: Vec<(Period, Claim)> =
                from.through(to).map(|month| (month, claim(&scheme, &person, month))).collect();
            prop_assert_eq!(told, plain);
        }
    }
}
