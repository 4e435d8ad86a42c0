//! Runs (发放批次): what is paid together, and the four eyes it passes.
//!
//! A state carries the signatures that it needs, a transition consumes the run, and a wrong wish
//! is answered with the state and the wish.

use super::actor::Signature;
use super::money::Money;
use super::period::PeriodRange;

/// Regular or supplementary. The money is the same subtraction; the word is for the clerks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// 正常.
    Regular,
    /// 补发.
    Supplementary,
}

impl RunKind {
    /// Stored and typed form.
    pub fn code(self) -> &'static str {
        match self {
            RunKind::Regular => "regular",
            RunKind::Supplementary => "supplementary",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            RunKind::Regular => "正常",
            RunKind::Supplementary => "补发",
        }
    }

    /// From the stored or typed form.
    pub fn parse(text: &str) -> Option<RunKind> {
        match text {
            "regular" | "正常" => Some(RunKind::Regular),
            "supplementary" | "补发" => Some(RunKind::Supplementary),
            _ => None,
        }
    }
}

/// A run with everything its state needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Number within the agency.
    pub no: i64,
    /// Short stable code: `pochan1995-2026-01-r1`.
    pub code: String,
    /// Scheme.
    pub scheme_code: String,
    /// Version of the scheme it was worked out with.
    pub scheme_version: i64,
    /// Regular or supplementary.
    pub kind: RunKind,
    /// Release period or periods.
    pub periods: PeriodRange,
    /// Number of payments.
    pub payments: i64,
    /// Their sum.
    pub total: Money,
    /// Paid beside them by offsetting what was overpaid: nobody is sent it, but the appropriations give it.
    pub offset: Money,
    /// Who prepared it.
    pub prepared: Signature,
    /// Audit event of the preparation: later changes and holds are looked for after it.
    pub prepared_event_no: i64,
    /// Where it stands.
    pub state: RunState,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// 已计算; `sent_back` tells who refused it and why, if someone did.
    Prepared {
        /// Last refusal.
        sent_back: Option<(Signature, String)>,
    },
    /// 已提交: frozen and digested.
    Submitted(Submitted),
    /// 已复核.
    Reviewed(Submitted, Signature),
    /// 已审批: money reserved.
    Approved(Signed),
    /// 已报盘: files written; the outcome is the bank's.
    Issued(Signed, Signature),
    /// 已结清: every payment has its outcome.
    Settled(Signed, Signature),
    /// 已办结: nothing is left to do; the signatures are of the issue and of the closing.
    Closed(Signed, Signature, Signature),
    /// 已作废, with reason.
    Cancelled(Signature, String),
}

/// Submitted by someone, with the digest of all payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Who submitted.
    pub by: Signature,
    /// SHA-256 over the frozen payments.
    pub digest: String,
}

/// All three signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Submission.
    pub submitted: Submitted,
    /// Review.
    pub reviewed: Signature,
    /// Approval.
    pub approved: Signature,
}

/// A move that the run's state, or the rule of four eyes, forbids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunRefusal {
    /// The state does not allow the wish.
    #[error("批次 {run} {state}，不能{wish}")]
    WrongState {
        /// Run code.
        run: String,
        /// State, with who and when.
        state: String,
        /// What was wanted.
        wish: &'static str,
    },
    /// The same person already did another of the steps.
    #[error("批次 {run} 由 {by} {did}，同一人不能再{wish}")]
    SamePerson {
        /// Run code.
        run: String,
        /// The person.
        by: String,
        /// What the person did.
        did: &'static str,
        /// What was wanted.
        wish: &'static str,
    },
}

impl RunRefusal {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            RunRefusal::WrongState { .. } => "RUN_WRONG_STATE",
            RunRefusal::SamePerson { .. } => "FOUR_EYES",
        }
    }
}

impl RunState {
    /// Stored form.
    pub fn code(&self) -> &'static str {
        match self {
            RunState::Prepared { .. } => "prepared",
            RunState::Submitted(_) => "submitted",
            RunState::Reviewed(..) => "reviewed",
            RunState::Approved(_) => "approved",
            RunState::Issued(..) => "issued",
            RunState::Settled(..) => "settled",
            RunState::Closed(..) => "closed",
            RunState::Cancelled(..) => "cancelled",
        }
    }

    /// Printed form, without names.
    pub fn title(&self) -> &'static str {
        match self {
            RunState::Prepared { sent_back: None } => "已计算",
            RunState::Prepared { sent_back: Some(_) } => "已退回",
            RunState::Submitted(_) => "已提交",
            RunState::Reviewed(..) => "已复核",
            RunState::Approved(_) => "已审批",
            RunState::Issued(..) => "已报盘",
            RunState::Settled(..) => "已结清",
            RunState::Closed(..) => "已办结",
            RunState::Cancelled(..) => "已作废",
        }
    }

    /// Printed form with who and when.
    pub fn sentence(&self) -> String {
        let last = match self {
            RunState::Prepared { sent_back: None } => return self.title().to_string(),
            RunState::Submitted(s) => &s.by,
            RunState::Approved(s) => &s.approved,
            RunState::Prepared { sent_back: Some((by, _)) }
            | RunState::Reviewed(_, by)
            | RunState::Issued(_, by)
            | RunState::Settled(_, by)
            | RunState::Closed(_, _, by)
            | RunState::Cancelled(by, _) => by,
        };
        format!("{}（{last}）", self.title())
    }

    /// The signatures, once there are three.
    pub fn signed(&self) -> Option<&Signed> {
        match self {
            RunState::Approved(s) | RunState::Issued(s, _) | RunState::Settled(s, _) | RunState::Closed(s, ..) => {
                Some(s)
            }
            _ => None,
        }
    }

    /// The signature of the issue: once there is one, the bank may have paid.
    pub fn issued(&self) -> Option<&Signature> {
        match self {
            RunState::Issued(_, issued) | RunState::Settled(_, issued) | RunState::Closed(_, issued, _) => Some(issued),
            _ => None,
        }
    }

    /// True once every payment has its outcome.
    pub fn is_settled(&self) -> bool {
        matches!(self, RunState::Settled(..) | RunState::Closed(..))
    }

    /// The digest, once submitted.
    pub fn digest(&self) -> Option<&str> {
        match self {
            RunState::Submitted(s) | RunState::Reviewed(s, _) => Some(&s.digest),
            other => other.signed().map(|s| s.submitted.digest.as_str()),
        }
    }
}

impl Run {
    /// What the appropriations must give: payments and offsets.
    pub fn needs(&self) -> Money {
        self.total + self.offset
    }

    fn wrong_state(&self, wish: &'static str) -> RunRefusal {
        RunRefusal::WrongState { run: self.code.clone(), state: self.state.sentence(), wish }
    }

    fn other_eyes(
        &self,
        actor: &str,
        others: &[(&Signature, &'static str)],
        wish: &'static str,
    ) -> Result<(), RunRefusal> {
        match others.iter().find(|(signature, _)| signature.by == actor) {
            None => Ok(()),
            Some((signature, did)) => {
                Err(RunRefusal::SamePerson { run: self.code.clone(), by: signature.by.clone(), did, wish })
            }
        }
    }

    /// prepared → submitted.
    ///
    /// # Errors
    /// Unless prepared.
    pub fn submit(mut self, by: Signature, digest: String) -> Result<Run, RunRefusal> {
        let RunState::Prepared { .. } = self.state else { return Err(self.wrong_state("提交")) };
        self.state = RunState::Submitted(Submitted { by, digest });
        Ok(self)
    }

    /// submitted → reviewed, by someone who neither prepared nor submitted it.
    ///
    /// # Errors
    /// Unless submitted, or when the reviewer had a hand in it.
    pub fn review(mut self, by: Signature) -> Result<Run, RunRefusal> {
        let RunState::Submitted(submitted) = self.state.clone() else { return Err(self.wrong_state("复核")) };
        self.other_eyes(&by.by, &[(&self.prepared, "计算"), (&submitted.by, "提交")], "复核")?;
        self.state = RunState::Reviewed(submitted, by);
        Ok(self)
    }

    /// reviewed → approved, by a third person.
    ///
    /// # Errors
    /// Unless reviewed, or when the approver had a hand in it.
    pub fn approve(mut self, by: Signature) -> Result<Run, RunRefusal> {
        let RunState::Reviewed(submitted, reviewed) = self.state.clone() else {
            return Err(self.wrong_state("审批"));
        };
        self.other_eyes(&by.by, &[(&self.prepared, "计算"), (&submitted.by, "提交"), (&reviewed, "复核")], "审批")?;
        self.state = RunState::Approved(Signed { submitted, reviewed, approved: by });
        Ok(self)
    }

    /// submitted or reviewed → prepared, with the reason.
    ///
    /// # Errors
    /// In any other state.
    pub fn send_back(mut self, by: Signature, reason: String) -> Result<Run, RunRefusal> {
        let (RunState::Submitted(_) | RunState::Reviewed(..)) = self.state else {
            return Err(self.wrong_state("退回"));
        };
        self.state = RunState::Prepared { sent_back: Some((by, reason)) };
        Ok(self)
    }

    /// Anything before issue → cancelled, with the reason.
    ///
    /// # Errors
    /// Once issued: the bank may have paid.
    pub fn cancel(mut self, by: Signature, reason: String) -> Result<Run, RunRefusal> {
        match self.state {
            _ if self.state.issued().is_some() => Err(self.wrong_state("作废")),
            RunState::Cancelled(..) => Err(self.wrong_state("作废")),
            _ => {
                self.state = RunState::Cancelled(by, reason);
                Ok(self)
            }
        }
    }

    /// approved → issued.
    ///
    /// # Errors
    /// Unless approved.
    pub fn issue(mut self, by: Signature) -> Result<Run, RunRefusal> {
        let RunState::Approved(signed) = self.state.clone() else { return Err(self.wrong_state("报盘")) };
        self.state = RunState::Issued(signed, by);
        Ok(self)
    }

    /// issued → settled, when the last outcome is known.
    ///
    /// # Errors
    /// Unless issued.
    pub fn settle(mut self) -> Result<Run, RunRefusal> {
        let RunState::Issued(signed, issued) = self.state.clone() else { return Err(self.wrong_state("结清")) };
        self.state = RunState::Settled(signed, issued);
        Ok(self)
    }

    /// settled → closed: all that the office had to do is done.
    ///
    /// # Errors
    /// Unless settled.
    pub fn close(mut self, by: Signature) -> Result<Run, RunRefusal> {
        let RunState::Settled(signed, issued) = self.state.clone() else { return Err(self.wrong_state("办结")) };
        self.state = RunState::Closed(signed, issued, by);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn signature(by: &str) -> Signature {
        Signature {
            by: by.into(),
            on: NaiveDate::from_ymd_opt(2026, 1, 10).unwrap(),
            at: "2026-01-10T02:00:00Z".into(),
        }
    }

    fn prepared() -> Run {
        Run {
            no: 1,
            code: "pochan1995-2026-01-r1".into(),
            scheme_code: "pochan1995".into(),
            scheme_version: 1,
            kind: RunKind::Regular,
            periods: "2026-01".parse().unwrap(),
            payments: 2,
            total: Money(24_000),
            offset: Money::ZERO,
            prepared: signature("经办甲"),
            prepared_event_no: 3,
            state: RunState::Prepared { sent_back: None },
        }
    }

    #[test]
    fn three_people_take_a_run_to_the_bank() {
        let run = prepared().submit(signature("经办甲"), "d".into()).unwrap();
        let run = run.review(signature("复核乙")).unwrap().approve(signature("审批丙")).unwrap();
        let run = run.issue(signature("财务丁")).unwrap().settle().unwrap();
        assert_eq!(run.state.code(), "settled");
        assert_eq!(run.state.digest(), Some("d"));
        let run = run.close(signature("财务戊")).unwrap();
        assert_eq!((run.state.code(), run.state.digest()), ("closed", Some("d")));
        assert_eq!(run.state.issued().map(|s| s.by.as_str()), Some("财务丁"));
        let again = run.clone().close(signature("财务丁")).unwrap_err();
        assert_eq!(again.to_string(), "批次 pochan1995-2026-01-r1 已办结（财务戊 2026-01-10），不能办结");
        assert!(run.cancel(signature("甲"), "x".into()).is_err());
    }

    #[test]
    fn nobody_checks_their_own_work() {
        let run = prepared().submit(signature("经办戊"), "d".into()).unwrap();
        for name in ["经办甲", "经办戊"] {
            assert_eq!(run.clone().review(signature(name)).unwrap_err().code(), "FOUR_EYES");
        }
        let run = run.review(signature("复核乙")).unwrap();
        for name in ["经办甲", "经办戊", "复核乙"] {
            let refusal = run.clone().approve(signature(name)).unwrap_err();
            assert_eq!(refusal.code(), "FOUR_EYES");
            assert!(refusal.to_string().contains(name));
        }
    }

    #[test]
    fn a_wrong_wish_names_state_and_wish() {
        let refusal = prepared().approve(signature("审批丙")).unwrap_err();
        assert_eq!(refusal.to_string(), "批次 pochan1995-2026-01-r1 已计算，不能审批");
        let run = prepared().submit(signature("经办甲"), "d".into()).unwrap();
        assert_eq!(
            run.submit(signature("经办甲"), "d".into()).unwrap_err().to_string(),
            "批次 pochan1995-2026-01-r1 已提交（经办甲 2026-01-10），不能提交"
        );
    }

    #[test]
    fn what_went_to_the_bank_cannot_be_cancelled() {
        let run = prepared()
            .submit(signature("甲"), "d".into())
            .unwrap()
            .review(signature("乙"))
            .unwrap()
            .approve(signature("丙"))
            .unwrap();
        assert!(run.clone().cancel(signature("甲"), "x".into()).is_ok());
        assert!(run.issue(signature("丁")).unwrap().cancel(signature("甲"), "x".into()).is_err());
    }
}
