//! Recovery (追回) of what was paid too much: cases, their months, and what became of every fen.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::appropriation::Draw;
use super::money::Money;
use super::period::Period;

/// Why it came to be paid too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// 死亡未及时报告.
    DeathToldLate,
    /// 服刑.
    Prison,
    /// 重复领取.
    DoubleBenefit,
    /// 登记错误.
    WrongRegistration,
    /// 标准有误.
    Standard,
    /// 其他.
    Other,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 6] = [
        Cause::DeathToldLate,
        Cause::Prison,
        Cause::DoubleBenefit,
        Cause::WrongRegistration,
        Cause::Standard,
        Cause::Other,
    ];

    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            Cause::DeathToldLate => "death_told_late",
            Cause::Prison => "prison",
            Cause::DoubleBenefit => "double_benefit",
            Cause::WrongRegistration => "wrong_registration",
            Cause::Standard => "standard",
            Cause::Other => "other",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            Cause::DeathToldLate => "死亡未及时报告",
            Cause::Prison => "服刑期间领取",
            Cause::DoubleBenefit => "重复领取待遇",
            Cause::WrongRegistration => "登记有误",
            Cause::Standard => "标准有误",
            Cause::Other => "其他",
        }
    }

    /// From the stored or typed form.
    pub fn parse(text: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|c| c.code() == text || c.title() == text)
    }
}

/// A case (追缴案件): what one notice asks back from one person in one scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// 1, 2, 3 … per agency.
    pub no: i64,
    /// Where it was overpaid.
    pub enrolment_no: i64,
    /// The person.
    pub beneficiary_no: i64,
    /// Scheme of the enrolment.
    pub scheme_code: String,
    /// Why.
    pub cause: Cause,
    /// 追缴通知书 number.
    pub notice_no: String,
    /// Sum of the notice.
    pub total: Money,
    /// Its months as the notice froze them, in order.
    pub months: Vec<CaseMonth>,
    /// Who opened it.
    pub opened_by: String,
    /// Business date.
    pub opened_on: NaiveDate,
    /// How it is deducted from later payments, if it is.
    pub plan: Option<Plan>,
    /// Who closed it and when.
    pub closed: Option<(String, NaiveDate)>,
}

impl Case {
    /// The scheme whose payments are reduced.
    pub fn deducts_from(&self) -> Option<&str> {
        let plan = self.plan.as_ref()?;
        Some(if plan.scheme.is_empty() { &self.scheme_code } else { &plan.scheme })
    }
}

/// A month of a case, as its notice froze it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseMonth {
    /// The overpaid month.
    pub period: Period,
    /// What was owed for it.
    pub claim: Money,
    /// What was to be recovered.
    pub amount: Money,
}

/// How a case is deducted from later payments (抵扣).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Scheme whose payments are reduced; empty for the case's own.
    pub scheme: String,
    /// Most per benefit month.
    pub monthly_cap: Money,
    /// The person's consent.
    pub consent: String,
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// 退款: the payee gave money back.
    Repayment,
    /// 抵扣: a later month was paid with it.
    Offset,
    /// 抵扣撤回: an offset was left out at issue.
    Released,
    /// 核销: nobody will give it back.
    WriteOff,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [EntryKind; 4] = [EntryKind::Repayment, EntryKind::Offset, EntryKind::Released, EntryKind::WriteOff];

    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            EntryKind::Repayment => "repayment",
            EntryKind::Offset => "offset",
            EntryKind::Released => "released",
            EntryKind::WriteOff => "write_off",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            EntryKind::Repayment => "退款",
            EntryKind::Offset => "抵扣",
            EntryKind::Released => "抵扣撤回",
            EntryKind::WriteOff => "核销",
        }
    }
}

/// Whether an entry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// 待报盘: an offset of a run that is not issued yet. It counts, as a planned payment does.
    Planned,
    /// 已入账.
    Booked,
    /// 无效: an offset of a cancelled run, one that was taken back, or the taking back itself.
    Void,
}

impl EntryState {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            EntryState::Planned => "planned",
            EntryState::Booked => "booked",
            EntryState::Void => "void",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            EntryState::Planned => "待报盘",
            EntryState::Booked => "已入账",
            EntryState::Void => "无效",
        }
    }
}

/// A run by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// Number within the agency.
    pub no: i64,
    /// Last release period.
    pub period: Period,
}

/// Where overpaid money came from: it goes back there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The run that paid it.
    pub run: RunKey,
    /// The appropriation that it was drawn from.
    pub appropriation_no: i64,
}

/// The month that an offset pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Whose.
    pub enrolment_no: i64,
    /// The benefit month.
    pub period: Period,
    /// What was owed for it when the run was prepared.
    pub claim: Money,
    /// The run that pays it.
    pub run: RunKey,
    /// Fen of the run's payments and earlier offsets: where this one lies in the run's money.
    pub at: Money,
}

/// What became of some fen of a month of a case. Never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The case.
    pub case_no: i64,
    /// 1, 2, 3 … per case.
    pub no: i64,
    /// What it does.
    pub kind: EntryKind,
    /// Whose month was overpaid.
    pub enrolment_no: i64,
    /// The overpaid month.
    pub period: Period,
    /// How much.
    pub amount: Money,
    /// Where the money came from; none for a write-off.
    pub source: Option<Source>,
    /// What is paid with it; offsets only.
    pub target: Option<Target>,
    /// The offset that a release takes back.
    pub releases: Option<i64>,
    /// Receipt or bank statement entry; the reason of a release or write-off.
    pub reference: String,
    /// The day the money of a repayment came.
    pub received_on: Option<NaiveDate>,
    /// Who made it.
    pub made_by: String,
    /// Business date.
    pub made_on: NaiveDate,
    /// The second person of a write-off.
    pub accepted_by: Option<String>,
    /// Whether it counts.
    pub state: EntryState,
}

impl Entry {
    /// True when it takes money out of the overpaid month.
    pub fn recovers(&self) -> bool {
        self.state != EntryState::Void && matches!(self.kind, EntryKind::Repayment | EntryKind::Offset)
    }

    /// What a digest of frozen payments takes of an offset.
    pub fn frozen_form(&self) -> String {
        let source = self
            .source
            .map_or_else(String::new, |s| format!("{}-{}-{}", s.run.period.number(), s.run.no, s.appropriation_no));
        let target = self
            .target
            .map_or_else(String::new, |t| format!("{}={}={}={}", t.enrolment_no, t.period.number(), t.claim.0, t.at.0));
        format!(
            "{}\x1F{}\x1F{}\x1F{}\x1F{}\x1F{source}\x1F{target}\x1E",
            self.case_no,
            self.no,
            self.enrolment_no,
            self.period.number(),
            self.amount.0
        )
    }
}

/// Money that a run put, or is putting, into a month of an enrolment, by payment or by offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The benefit month.
    pub period: Period,
    /// The run.
    pub run: RunKey,
    /// Where it lies in the run's money.
    pub at: Money,
    /// How much.
    pub amount: Money,
}

/// Everything that was credited to an enrolment, where it came from, and what was recovered of it.
#[derive(Debug, Clone, Default)]
pub struct Credited {
    /// By payment or offset, in order of runs.
    pub stretches: Vec<Stretch>,
    /// Where the money of those runs came from.
    pub draws: HashMap<RunKey, Vec<Draw>>,
    /// Every entry of every case of the enrolment.
    pub entries: Vec<Entry>,
}
