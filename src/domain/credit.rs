//! Credits: the payments of a run while it is prepared. People are looked at in roster order, but the lines of a run go
//! bank by bank, so what is paid waits with its bank, as the text that it will be, until all banks are known.

use std::collections::BTreeMap;

use super::money::Money;
use super::payment::{Cover, Payee};
use super::text::push_number;

/// Payments that wait together: few enough that a sheaf is let go soon after it is laid out.
const SHEAF: usize = 512;

/// What a run pays, bank by bank, in roster order.
#[derive(Debug, Default)]
pub struct Credits {
    banks: BTreeMap<String, Vec<Sheaf>>,
    /// How many there are.
    pub count: usize,
    /// Their sum.
    pub total: Money,
    last_enrolment_no: i64,
    unsound: Option<i64>,
}

#[derive(Debug, Default)]
struct Sheaf {
    /// Enrolment, amount, and where its text ends.
    payments: Vec<(i64, Money, usize)>,
    text: String,
}

/// Some lines of a run, laid out.
#[derive(Debug)]
pub struct LaidPage {
    /// First line, from 1.
    pub first_line_no: i64,
    /// Last line.
    pub last_line_no: i64,
    /// The smallest enrolment on it.
    pub first_enrolment_no: i64,
    /// The greatest.
    pub last_enrolment_no: i64,
    /// The lines, as [`super::payment::Payment::frozen_form`] has them.
    pub content: String,
}

impl Credits {
    /// Adds the payment of an enrolment; enrolments come in order, each once. True when it is the first of its bank.
    pub fn add(&mut self, enrolment_no: i64, payee: &Payee<'_>, covers: &[Cover]) -> bool {
        let is_next = enrolment_no > self.last_enrolment_no;
        self.last_enrolment_no = enrolment_no;
        let is_new_bank = !self.banks.contains_key(payee.bank_code);
        if is_new_bank {
            self.banks.insert(payee.bank_code.to_string(), Vec::new());
        }
        let Some(sheaves) = self.banks.get_mut(payee.bank_code) else { return is_new_bank };
        if sheaves.last().is_none_or(|sheaf| sheaf.payments.len() == SHEAF) {
            sheaves.push(Sheaf { payments: Vec::with_capacity(SHEAF), text: String::with_capacity(SHEAF * 112) });
        }
        let Some(sheaf) = sheaves.last_mut() else { return is_new_bank };
        if !payee.write_in_one_line(&mut sheaf.text) || !is_next || covers.is_empty() {
            self.unsound.get_or_insert(enrolment_no);
        }
        let mut amount = Money::ZERO;
        for (i, cover) in covers.iter().enumerate() {
            if !cover.is_sound() {
                self.unsound.get_or_insert(enrolment_no);
            }
            sheaf.text.push(if i == 0 { '\t' } else { ' ' });
            cover.write(&mut sheaf.text);
            amount += cover.amount;
        }
        sheaf.payments.push((enrolment_no, amount, sheaf.text.len()));
        self.count += 1;
        self.total += amount;
        is_new_bank
    }

    /// The first enrolment whose payment cannot be one: it would break its line, pays what is not owed, or pays again.
    pub fn unsound(&self) -> Option<i64> {
        self.unsound
    }

    /// The lines of the run, so many a page, each payment beginning in the run's money where the one before ends.
    pub fn into_pages(self, lines_of_a_page: usize) -> impl Iterator<Item = LaidPage> {
        let mut sheaves = self.banks.into_values().flatten();
        let mut sheaf = Sheaf::default();
        let (mut next, mut begin) = (0, 0);
        let (mut line_no, mut offset) = (0, Money::ZERO);
        std::iter::from_fn(move || {
            let mut page = LaidPage {
                first_line_no: line_no + 1,
                last_line_no: line_no,
                first_enrolment_no: i64::MAX,
                last_enrolment_no: 0,
                content: String::with_capacity(lines_of_a_page * 144),
            };
            for _ in 0..lines_of_a_page {
                while next == sheaf.payments.len() {
                    let Some(following) = sheaves.next() else { break };
                    (sheaf, next, begin) = (following, 0, 0);
                }
                let Some((enrolment_no, amount, end)) = sheaf.payments.get(next).copied() else { break };
                line_no += 1;
                for number in [line_no, enrolment_no, amount.0, offset.0] {
                    push_number(&mut page.content, number);
                    page.content.push('\t');
                }
                page.content.push_str(&sheaf.text[begin..end]);
                page.content.push('\n');
                page.last_line_no = line_no;
                page.first_enrolment_no = page.first_enrolment_no.min(enrolment_no);
                page.last_enrolment_no = page.last_enrolment_no.max(enrolment_no);
                offset += amount;
                (next, begin) = (next + 1, end);
            }
            (page.last_line_no >= page.first_line_no).then_some(page)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payment::{FrozenLine, Payment};

    fn payee(bank_code: &str) -> Payee<'_> {
        Payee {
            beneficiary_no: 5,
            citizen_number: "652827194001010011",
            name: "阿依古丽·买买提",
            bank_code,
            account_number: "6222020000000000017",
            account_holder: "阿依古丽 买买提",
        }
    }

    fn cover(month: &str, amount: i64) -> Cover {
        let (amount, covered_before) = (Money(amount), Money(1_000));
        Cover { period: month.parse().unwrap(), amount, claim: amount + covered_before, covered_before }
    }

    #[test]
    fn lines_go_bank_by_bank_and_each_begins_where_the_one_before_ends() {
        let mut credits = Credits::default();
        let banks = ["RCC", "ABC", "RCC", "ABC", "ABC"];
        for (enrolment_no, bank) in (1..).zip(banks) {
            let covers = [cover("2026-01", 1_000 * enrolment_no), cover("2026-02", 1)];
            assert_eq!(credits.add(enrolment_no, &payee(bank), &covers), enrolment_no < 3);
        }
        assert_eq!((credits.count, credits.total, credits.unsound()), (5, Money(15_005), None));
        let pages: Vec<LaidPage> = credits.into_pages(2).collect();
        let bounds: Vec<_> = pages
            .iter()
            .map(|p| (p.first_line_no, p.last_line_no, p.first_enrolment_no, p.last_enrolment_no))
            .collect();
        assert_eq!(bounds, [(1, 2, 2, 4), (3, 4, 1, 5), (5, 5, 3, 3)]);
        let text: String = pages.into_iter().map(|page| page.content).collect();
        let payments: Vec<Payment> =
            text.lines().map(|line| FrozenLine::read(line).unwrap().payment().unwrap()).collect();
        let told: Vec<_> = payments.iter().map(|p| (p.line_no, p.enrolment_no, p.amount.0, p.offset.0)).collect();
        assert_eq!(
            told,
            [
                (1, 2, 2_001, 0),
                (2, 4, 4_001, 2_001),
                (3, 5, 5_001, 6_002),
                (4, 1, 1_001, 11_003),
                (5, 3, 3_001, 12_004)
            ]
        );
        let mut again = String::new();
        for payment in &payments {
            payment.frozen_form(&mut again);
        }
        assert_eq!(again, text, "a line is the payment's frozen form");
    }

    #[test]
    fn what_cannot_be_a_payment_is_told() {
        let unsound = |enrolments: &[i64], payee: Payee<'_>, covers: &[Cover]| {
            let mut credits = Credits::default();
            for no in enrolments {
                credits.add(*no, &payee, covers);
            }
            credits.unsound()
        };
        let one = [cover("2026-01", 5)];
        assert_eq!(unsound(&[3, 4], payee("ABC"), &one), None);
        assert_eq!(unsound(&[3, 3], payee("ABC"), &one), Some(3), "paid again");
        assert_eq!(unsound(&[3], Payee { name: "甲\t乙", ..payee("ABC") }, &one), Some(3));
        assert_eq!(unsound(&[3], payee("ABC"), &[]), Some(3));
        assert_eq!(unsound(&[3], payee("ABC"), &[cover("2026-01", 0)]), Some(3));
        let more = Cover { claim: Money(5), ..one[0] };
        assert_eq!(unsound(&[3], payee("ABC"), &[more]), Some(3), "more than is owed");
    }
}
