//! What happened to a payment file on its way to the bank, and what may be done next.
//!
//! A file that may have reached the bank is never put there a second time: the bank could pay twice.
//! So each file is uploaded under a temporary name, then written down as *being sent*, and only then
//! given its name; whatever interrupts this leaves something that tells how far it was.

use chrono::NaiveDate;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryKind {
    /// Its bytes lie at the place under a temporary name and are about to get theirs.
    Sending,
    /// It stands at the place, or a clerk carried it.
    HandedOver,
    /// It turned out that the bank has nothing of it.
    NotSent,
    /// The bank says that it has it.
    Acknowledged,
}

impl DeliveryKind {
    /// Every kind.
    pub const ALL: [DeliveryKind; 4] =
        [DeliveryKind::Sending, DeliveryKind::HandedOver, DeliveryKind::NotSent, DeliveryKind::Acknowledged];

    /// As stored.
    pub fn code(self) -> &'static str {
        match self {
            DeliveryKind::Sending => "sending",
            DeliveryKind::HandedOver => "handed_over",
            DeliveryKind::NotSent => "not_sent",
            DeliveryKind::Acknowledged => "acknowledged",
        }
    }

    /// The kind stored as this.
    pub fn parse(code: &str) -> Option<DeliveryKind> {
        DeliveryKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// True when the bank may have the file.
    pub fn may_have_arrived(self) -> bool {
        self != DeliveryKind::NotSent
    }
}

/// Where a file is, by its last delivery and its answer.
pub fn state_title(last: Option<DeliveryKind>, is_answered: bool) -> &'static str {
    match last {
        _ if is_answered => "已回盘",
        None | Some(DeliveryKind::NotSent) => "未送出",
        Some(DeliveryKind::Sending) => "送出中断，待核实",
        Some(DeliveryKind::HandedOver) => "已送出",
        Some(DeliveryKind::Acknowledged) => "银行已收妥",
    }
}

/// What lies at the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The file, with bytes that are ours.
    Ours,
    /// A file of that name with other bytes.
    Other,
    /// Only its temporary file.
    Staged,
    /// Nothing.
    Nothing,
}

/// What to do with a file that is not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Put it there.
    Send,
    /// It is there: write that down.
    Record,
    /// Another file has its name.
    Differs,
    /// It was about to be there and is not: the bank may have taken it, a person must ask.
    AskBank,
    /// Its date is ahead.
    WaitUntil(NaiveDate),
    /// Its date is past, and the bank reads it.
    DatePast(NaiveDate),
}

/// What to do with a file whose last delivery is `last`, for what is `seen` at the place. `dated` is its date, and
/// whether the bank reads it in the file.
pub fn next_move(
    last: Option<DeliveryKind>,
    seen: Seen,
    (dated, is_read): (NaiveDate, bool),
    today: NaiveDate,
) -> Move {
    match (last, seen) {
        (_, Seen::Ours) => Move::Record,
        (_, Seen::Other) => Move::Differs,
        (Some(DeliveryKind::Sending), Seen::Nothing) => Move::AskBank,
        _ if dated > today => Move::WaitUntil(dated),
        _ if dated < today && is_read => Move::DatePast(dated),
        _ => Move::Send,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, number).unwrap()
    }

    #[test]
    fn nothing_that_may_have_arrived_is_sent_again() {
        use DeliveryKind::{NotSent, Sending};
        let today = (day(15), true);
        let next = |last, seen| next_move(last, seen, today, day(15));
        for last in [None, Some(Sending), Some(NotSent)] {
            assert_eq!(next(last, Seen::Ours), Move::Record);
            assert_eq!(next(last, Seen::Other), Move::Differs);
            assert_eq!(next(last, Seen::Staged), Move::Send, "it never got its name");
        }
        assert_eq!(next(Some(Sending), Seen::Nothing), Move::AskBank);
        assert_eq!(next(None, Seen::Nothing), Move::Send);
        assert_eq!(next(Some(NotSent), Seen::Nothing), Move::Send);
    }

    #[test]
    fn a_file_goes_on_its_day_and_what_is_there_is_there_on_any_day() {
        let next = |on, is_read, seen| next_move(None, seen, (day(16), is_read), on);
        assert_eq!(next(day(15), true, Seen::Nothing), Move::WaitUntil(day(16)));
        assert_eq!(next(day(16), true, Seen::Nothing), Move::Send);
        assert_eq!(next(day(17), true, Seen::Nothing), Move::DatePast(day(16)));
        assert_eq!(next(day(17), false, Seen::Nothing), Move::Send, "no bank reads the date");
        assert_eq!(next(day(17), true, Seen::Ours), Move::Record);
    }

    #[test]
    fn kinds_are_stored_under_their_codes() {
        for kind in DeliveryKind::ALL {
            assert_eq!(DeliveryKind::parse(kind.code()), Some(kind));
        }
    }
}
