//! What the entries of a bank's statement answer in our own books: a payment file that was sent, what of it was rejected
//! or came back late, or nothing of these: money from the treasury, charges, interest.
//!
//! Our references count first, then the words of the office, then the amount, and that only where exactly one item of
//! our books and exactly one entry can mean each other. Everything else stays open, with its reason.

use std::collections::{BTreeSet, HashMap};

use crate::domain::bank_book::{BookItem, ItemKind, OwnKind};
use crate::domain::money::Money;
use crate::domain::payment::PaymentRef;
use crate::domain::statement::{Entry, StatementWords, TakenEntry};
use crate::domain::text::mask_long_numbers;

/// One payment that an entry names.
#[derive(Debug, Clone)]
pub struct NamedPayment {
    /// The run.
    pub run_no: i64,
    /// Its file.
    pub file_no: i64,
    /// Its line.
    pub line_no: i64,
    /// Its amount.
    pub amount: Money,
    /// What became of it, in words.
    pub state: &'static str,
    /// As what it came back, and the event that said so.
    pub back: Option<(ItemKind, i64)>,
    /// Whether an entry has answered its going out.
    pub is_out_answered: bool,
    /// Whether an entry has answered its coming back.
    pub is_back_answered: bool,
}

/// A part of an entry and the item of our books that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Place of the item in the list.
    pub item: usize,
    /// The payment, where one was named.
    pub line_no: Option<i64>,
    /// How much, with the sign of the entry.
    pub amount: Money,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It answers items of our books.
    Answers(Vec<Part>),
    /// It is of a kind of its own.
    Own(OwnKind),
    /// Nobody knows yet.
    Open {
        /// Stable code.
        code: &'static str,
        /// In words.
        message: String,
    },
}

/// Our references that stand in an entry: runs of letters, digits and hyphens that begin with the agency's code. What a
/// bank has broken over lines is looked for without the blanks too.
#[must_use]
pub fn mentions(agency: &str, entry: &Entry) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let start = format!("{agency}-");
    for text in [&entry.our_ref, &entry.text, &entry.text.replace(' ', ""), &entry.bank_ref] {
        for (at, _) in text.match_indices(&*start) {
            let is_inside = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
            let end =
                text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(text.len(), |end| at + end);
            if !is_inside {
                found.insert(text[at..end].trim_end_matches('-').to_string());
            }
        }
    }
    found
}

/// The payments among the references.
pub fn payment_refs(references: &BTreeSet<String>) -> impl Iterator<Item = PaymentRef> + '_ {
    references.iter().filter_map(|text| text.parse().ok())
}

/// The books against which entries are held.
#[derive(Debug)]
pub struct Matching<'a> {
    /// Code of the agency.
    pub agency: &'a str,
    /// Words of the office.
    pub words: &'a StatementWords,
    /// Items of our books for the account.
    pub items: Vec<BookItem>,
    /// Payments that entries name, by reference.
    pub payments: HashMap<String, NamedPayment>,
}

impl Matching<'_> {
    /// What each entry is, in their order. What they answer counts as answered from then on.
    pub fn verdicts(&mut self, entries: &[TakenEntry]) -> Vec<Verdict> {
        let references: Vec<BTreeSet<String>> =
            entries.iter().map(|taken| mentions(self.agency, &taken.entry)).collect();
        let mut verdicts: Vec<Option<Verdict>> = vec![None; entries.len()];
        // What is told most exactly comes first, so that what is told less exactly has less to mean.
        for rule in [Matching::by_payments, Matching::by_files, Matching::by_words] {
            for ((taken, references), verdict) in entries.iter().zip(&references).zip(&mut verdicts) {
                if verdict.is_none() {
                    *verdict = rule(self, taken, references);
                    self.book(verdict.as_ref());
                }
            }
        }
        let left: Vec<(usize, &TakenEntry)> =
            entries.iter().enumerate().filter(|(at, _)| verdicts[*at].is_none()).collect();
        let candidates: Vec<Vec<usize>> = left.iter().map(|(_, taken)| self.of_amount(&taken.entry)).collect();
        let mut suitors: HashMap<usize, usize> = HashMap::new();
        candidates.iter().flatten().for_each(|item| *suitors.entry(*item).or_default() += 1);
        for ((at, taken), items) in left.into_iter().zip(candidates) {
            let verdict = match items[..] {
                [item] if suitors[&item] == 1 => {
                    Verdict::Answers(vec![Part { item, line_no: None, amount: taken.entry.amount }])
                }
                [] if taken.entry.amount > Money::ZERO
                    && StatementWords::stand_in(&self.words.late_return, &taken.entry) =>
                {
                    open(taken, "STATEMENT_RETURN_MISSING", "看来是退回的款，但账上没有相符的回盘失败或退票")
                }
                [] => open(taken, "STATEMENT_FOREIGN", "不是报盘、回盘失败、退票、拨款、手续费或利息"),
                _ => {
                    let names: Vec<String> = items.iter().map(|item| self.items[*item].name()).collect();
                    let what = format!(
                        "金额相同的不止一项或不止一笔（{}），没有写明我方编号，不能确定是哪一项",
                        names.join("、")
                    );
                    open(taken, "STATEMENT_AMBIGUOUS", &what)
                }
            };
            self.book(Some(&verdict));
            verdicts[at] = Some(verdict);
        }
        verdicts.into_iter().flatten().collect()
    }

    /// What an entry is that names these references; none where none of them is ours.
    pub fn by_reference(&self, taken: &TakenEntry, references: &BTreeSet<String>) -> Option<Verdict> {
        self.by_payments(taken, references).or_else(|| self.by_files(taken, references))
    }

    fn by_payments(&self, taken: &TakenEntry, references: &BTreeSet<String>) -> Option<Verdict> {
        let payments: Vec<(&String, &NamedPayment)> =
            references.iter().filter_map(|text| self.payments.get_key_value(text)).collect();
        (!payments.is_empty()).then(|| self.of_payments(taken, &payments))
    }

    fn by_files(&self, taken: &TakenEntry, references: &BTreeSet<String>) -> Option<Verdict> {
        let is_named = |item: &BookItem| {
            let is_in_text = || item.file_name.len() >= 8 && taken.entry.text.contains(&item.file_name);
            references.contains(&item.file_ref) || references.contains(&item.file_name) || is_in_text()
        };
        let named: Vec<usize> = (0..self.items.len()).filter(|at| is_named(&self.items[*at])).collect();
        (!named.is_empty()).then(|| self.of_files(taken, &named))
    }

    fn of_payments(&self, taken: &TakenEntry, payments: &[(&String, &NamedPayment)]) -> Verdict {
        let amount = taken.entry.amount;
        let is_out = amount < Money::ZERO;
        let mut parts = Vec::new();
        for (reference, payment) in payments {
            let what = if is_out {
                Some((ItemKind::Sent, None))
            } else {
                payment.back.map(|(kind, event)| (kind, Some(event)))
            };
            let Some((kind, event)) = what else {
                let state = payment.state;
                let what = format!("明细 {reference} 的款已退回，而账上是“{state}”，还没有读入说明它的回盘或退票");
                return open(taken, "STATEMENT_RETURN_MISSING", &what);
            };
            let is_it = |item: &BookItem| {
                (item.run_no, item.file_no, item.kind) == (payment.run_no, payment.file_no, kind)
                    && event.is_none_or(|event| event == item.event_no)
            };
            let item = self.items.iter().position(is_it);
            let Some(item) = item.filter(|at| self.items[*at].rest().fen().abs() >= payment.amount.fen()) else {
                return open(taken, "STATEMENT_TWICE", &format!("明细 {reference} 所在的文件已由其他分录入账"));
            };
            if if is_out { payment.is_out_answered } else { payment.is_back_answered } {
                return open(taken, "STATEMENT_TWICE", &format!("明细 {reference} 已由另一笔分录入账"));
            }
            let amount = if is_out { -payment.amount } else { payment.amount };
            parts.push(Part { item, line_no: Some(payment.line_no), amount });
        }
        self.if_equal(taken, parts)
    }

    fn of_files(&self, taken: &TakenEntry, named: &[usize]) -> Verdict {
        let amount = taken.entry.amount;
        let open_parts = |kinds: &[ItemKind]| -> Vec<Part> {
            let is_open = |at: &&usize| kinds.contains(&self.items[**at].kind) && !self.items[**at].rest().is_zero();
            named
                .iter()
                .filter(is_open)
                .map(|at| Part { item: *at, line_no: None, amount: self.items[*at].rest() })
                .collect()
        };
        let sum = |parts: &[Part]| parts.iter().map(|p| p.amount).sum::<Money>();
        let (sent, rejected) = (open_parts(&[ItemKind::Sent]), open_parts(&[ItemKind::Rejected]));
        let names: BTreeSet<&str> = named.iter().map(|at| self.items[*at].file_ref.as_str()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join("、");
        if amount < Money::ZERO {
            if sent.is_empty() {
                return open(taken, "STATEMENT_TWICE", &format!("文件 {names} 已由另一笔分录入账"));
            }
            // A bank that books what it credited, and nothing else, has left out what it rejected.
            let net: Vec<Part> = sent.iter().chain(&rejected).copied().collect();
            return self.if_equal(taken, if sum(&net) == amount { net } else { sent });
        }
        let back = open_parts(&[ItemKind::Rejected, ItemKind::Returned]);
        let alone: Vec<&Part> = back.iter().filter(|part| part.amount == amount).collect();
        match alone[..] {
            [only] => Verdict::Answers(vec![*only]),
            [] if back.is_empty() => {
                let what = format!("文件 {names} 的款有退回，而账上没有未到账的回盘失败或退票");
                open(taken, "STATEMENT_RETURN_MISSING", &what)
            }
            [] => self.if_equal(taken, if sum(&rejected) == amount { rejected } else { back }),
            _ => {
                open(taken, "STATEMENT_AMBIGUOUS", &format!("文件 {names} 有几项失败或退票金额相同，不能确定是哪一项"))
            }
        }
    }

    /// The parts, if they are the whole entry.
    fn if_equal(&self, taken: &TakenEntry, parts: Vec<Part>) -> Verdict {
        let sum: Money = parts.iter().map(|part| part.amount).sum();
        if sum == taken.entry.amount {
            return Verdict::Answers(parts);
        }
        let names: Vec<String> = parts.iter().take(3).map(|part| self.items[part.item].name()).collect();
        let more = if parts.len() > 3 { "等" } else { "" };
        let what = format!("写明的是{}{more}，账上应为 {} 元", names.join("、"), sum.grouped());
        open(taken, "STATEMENT_AMOUNT_DIFFERS", &what)
    }

    fn by_words(&self, taken: &TakenEntry, _: &BTreeSet<String>) -> Option<Verdict> {
        let entry = &taken.entry;
        let StatementWords { charge, interest, funding, late_return } = self.words;
        let came = entry.amount > Money::ZERO;
        // What comes back is not what the treasury sends, even if its text says whose money it was.
        if came && !entry.is_reversal && StatementWords::stand_in(late_return, entry) {
            return None;
        }
        let kinds =
            [(OwnKind::Charge, charge, false), (OwnKind::Interest, interest, true), (OwnKind::Funding, funding, true)];
        let fits = |(_, words, comes): &(OwnKind, &Vec<String>, bool)| {
            (*comes == came || entry.is_reversal) && StatementWords::stand_in(words, entry)
        };
        kinds.into_iter().find(fits).map(|(kind, ..)| Verdict::Own(kind))
    }

    /// Items that no entry has touched, of exactly this amount and about this day.
    fn of_amount(&self, entry: &Entry) -> Vec<usize> {
        let is_it =
            |item: &BookItem| item.answered.is_zero() && item.amount == entry.amount && item.is_near(entry.booked_on);
        (0..self.items.len()).filter(|at| is_it(&self.items[*at])).collect()
    }

    /// What was answered is answered.
    fn book(&mut self, verdict: Option<&Verdict>) {
        let Some(Verdict::Answers(parts)) = verdict else { return };
        for part in parts {
            let item = &mut self.items[part.item];
            item.answered += part.amount;
            let Some(line_no) = part.line_no else { continue };
            let reference = format!("{}-{}-{}-{line_no}", self.agency, item.period, item.run_no);
            if let Some(payment) = self.payments.get_mut(&reference) {
                match item.kind {
                    ItemKind::Sent => payment.is_out_answered = true,
                    ItemKind::Rejected | ItemKind::Returned => payment.is_back_answered = true,
                }
            }
        }
    }
}

fn open(taken: &TakenEntry, code: &'static str, what: &str) -> Verdict {
    let entry = &taken.entry;
    let words = [entry.text.as_str(), entry.counterparty_name.as_str(), entry.bank_ref.as_str()];
    let said: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).map(mask_long_numbers).collect();
    let said = if said.is_empty() { "没有摘要".to_string() } else { said.join("，") };
    let message =
        format!("对账单第 {} 号分录 {} {} 元（{said}）: {what}", taken.no, entry.booked_on, entry.amount.grouped());
    Verdict::Open { code, message }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    const AGENCY: &str = "652827";

    fn on(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn entry(no: i64, day: u32, fen: i64, our_ref: &str, text: &str) -> TakenEntry {
        let entry = Entry {
            booked_on: on(day),
            valued_on: None,
            amount: Money(fen),
            bank_ref: String::new(),
            our_ref: our_ref.into(),
            counterparty_name: String::new(),
            counterparty_account: String::new(),
            text: text.into(),
            code: String::new(),
            is_reversal: false,
        };
        TakenEntry { no, entry }
    }

    fn item(kind: ItemKind, file_no: i64, day: u32, fen: i64) -> BookItem {
        BookItem {
            kind,
            period: 202_601,
            run_no: 1,
            file_no,
            event_no: 10 + file_no,
            bank_code: "RCC".into(),
            file_ref: format!("652827-202601-1-RCC-{file_no}"),
            file_name: format!("652827-202601-1-RCC-{file_no}"),
            paid_on: on(15),
            on: on(day),
            amount: Money(fen),
            answered: Money::ZERO,
        }
    }

    fn payment(line_no: i64, fen: i64, back: Option<(ItemKind, i64)>) -> (String, NamedPayment) {
        let payment = NamedPayment {
            run_no: 1,
            file_no: 1,
            line_no,
            amount: Money(fen),
            state: "成功",
            back,
            is_out_answered: false,
            is_back_answered: false,
        };
        (format!("652827-202601-1-{line_no}"), payment)
    }

    fn verdicts(items: Vec<BookItem>, payments: Vec<(String, NamedPayment)>, entries: &[TakenEntry]) -> Vec<String> {
        let words = StatementWords::default();
        let payments = payments.into_iter().collect();
        let mut matching = Matching { agency: AGENCY, words: &words, items, payments };
        let told = |verdict: &Verdict| match verdict {
            Verdict::Answers(parts) => {
                let part = |p: &Part| match p.line_no {
                    None => format!("{}{}", ["S", "B"][usize::from(p.amount > Money::ZERO)], p.item),
                    Some(line) => format!("L{line}"),
                };
                parts.iter().map(part).collect::<Vec<_>>().join("+")
            }
            Verdict::Own(kind) => kind.code().to_string(),
            Verdict::Open { code, .. } => code.trim_start_matches("STATEMENT_").to_string(),
        };
        matching.verdicts(entries).iter().map(told).collect()
    }

    use ItemKind::{Rejected, Returned, Sent};

    #[test]
    fn references_are_found_wherever_a_bank_puts_them() {
        let of = |our_ref: &str, text: &str| {
            mentions(AGENCY, &entry(1, 15, 1, our_ref, text).entry).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of("652827-202601-1-RCC-1", ""), ["652827-202601-1-RCC-1"]);
        assert_eq!(of("", "代发652827-202601-1-7等，共三笔"), ["652827-202601-1-7"]);
        assert!(of("", "代发 652827-202601-1-RC C-12 补贴").contains(&"652827-202601-1-RCC-12".to_string()));
        assert_eq!(of("", "1652827-202601-1-7"), [""; 0]);
    }

    #[test]
    fn a_reference_comes_before_words_and_words_before_amounts() {
        let items = vec![item(Sent, 1, 15, -36_030), item(Sent, 2, 15, -500)];
        let entries = [
            entry(1, 15, -36_030, "652827-202601-1-RCC-1", "手续费"),
            entry(2, 15, -500, "", "汇划手续费"),
            entry(3, 15, 100_000, "", "财政拨款"),
            entry(4, 21, 12, "", "利息"),
            entry(5, 22, 3_300, "", "张三还款"),
        ];
        assert_eq!(verdicts(items, vec![], &entries), ["S0", "charge", "funding", "interest", "FOREIGN"]);
    }

    #[test]
    fn a_mere_amount_counts_only_where_both_sides_are_alone() {
        let two = vec![item(Sent, 1, 15, -500), item(Sent, 2, 15, -500)];
        assert_eq!(verdicts(two.clone(), vec![], &[entry(1, 16, -500, "", "代发")]), ["AMBIGUOUS"]);
        let one = vec![item(Sent, 1, 15, -500)];
        let twice = [entry(1, 16, -500, "", "代发"), entry(2, 16, -500, "", "代发")];
        assert_eq!(verdicts(one.clone(), vec![], &twice), ["AMBIGUOUS", "AMBIGUOUS"]);
        assert_eq!(verdicts(one.clone(), vec![], &twice[..1]), ["S0"]);
        assert_eq!(verdicts(one.clone(), vec![], &[entry(1, 26, -500, "", "代发")]), ["FOREIGN"], "eleven days later");
        assert_eq!(verdicts(one.clone(), vec![], &[entry(1, 14, -500, "", "代发")]), ["FOREIGN"], "before it was sent");
        assert_eq!(verdicts(one, vec![], &[entry(1, 16, -501, "", "代发")]), ["FOREIGN"]);
        // One is told by its reference: the other is alone then.
        let told = [entry(1, 16, -500, "", "代发"), entry(2, 16, -500, "", "652827-202601-1-RCC-1")];
        assert_eq!(verdicts(two, vec![], &told), ["S1", "S0"]);
    }

    #[test]
    fn a_wrong_amount_and_a_second_time_are_named() {
        let items = vec![item(Sent, 1, 15, -36_030)];
        let reference = "652827-202601-1-RCC-1";
        let entries = [
            entry(1, 15, -36_031, reference, ""),
            entry(2, 15, -36_030, reference, ""),
            entry(3, 15, -36_030, reference, ""),
        ];
        assert_eq!(verdicts(items, vec![], &entries), ["AMOUNT_DIFFERS", "S0", "TWICE"]);
    }

    #[test]
    fn a_bank_may_book_each_payment() {
        let items = vec![item(Sent, 1, 15, -36_030), item(Rejected, 1, 16, 12_010), item(Returned, 1, 20, 12_010)];
        let payments =
            vec![payment(1, 12_010, None), payment(2, 12_010, Some((Rejected, 11))), payment(3, 12_010, None)];
        let entries = [
            entry(1, 15, -12_010, "652827-202601-1-1", ""),
            entry(2, 15, -12_010, "652827-202601-1-2", ""),
            entry(3, 15, -12_011, "652827-202601-1-3", ""),
            entry(4, 16, 12_010, "652827-202601-1-2", "冲正"),
            entry(5, 16, 12_010, "652827-202601-1-2", "冲正"),
            entry(6, 17, 12_010, "652827-202601-1-1", "退票"),
            entry(7, 17, -12_010, "652827-202601-1-1", ""),
        ];
        let expected = ["L1", "L2", "AMOUNT_DIFFERS", "L2", "TWICE", "RETURN_MISSING", "TWICE"];
        assert_eq!(verdicts(items, payments, &entries), expected);
    }

    #[test]
    fn what_comes_back_of_a_file_in_one_sum() {
        let reference = "652827-202601-1-RCC-1";
        let items = || vec![item(Sent, 1, 15, -36_030), item(Rejected, 1, 16, 12_010), item(Returned, 1, 20, 5_000)];
        let one = |fen, text: &str| verdicts(items(), vec![], &[entry(1, 20, fen, "", text)]).remove(0);
        assert_eq!(one(12_010, reference), "B1");
        assert_eq!(one(5_000, reference), "B2");
        assert_eq!(one(17_010, reference), "B1+B2");
        assert_eq!(one(17_011, reference), "AMOUNT_DIFFERS");
        assert_eq!(one(12_010, "补贴拨款退票"), "B1", "by its amount, and no funding");
        assert_eq!(one(12_011, "补贴拨款退票"), "RETURN_MISSING");
        assert_eq!(one(-24_020, reference), "S0+B1", "a bank that books only what it credited");
        let same = vec![item(Rejected, 1, 16, 500), item(Returned, 1, 20, 500)];
        assert_eq!(verdicts(same.clone(), vec![], &[entry(1, 20, 500, reference, "")]), ["AMBIGUOUS"]);
        // The other one is told by its payment, if later: the file has only one left.
        let both = [entry(1, 20, 500, reference, ""), entry(2, 21, 500, "652827-202601-1-3", "")];
        assert_eq!(verdicts(same, vec![payment(3, 500, Some((Returned, 11)))], &both), ["B0", "L3"]);
    }
}
