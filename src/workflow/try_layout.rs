//! Shows how a run would look in a layout, before a bank is moved to it. Only reads: nothing is issued or kept.

use super::issue_files::{payment_row, reference_stem, remark, too_few, written};
use super::voucher_basis;
use crate::domain::bank::Bank;
use crate::domain::payment::FrozenLine;
use crate::failure::{Failure, Kind};
use crate::formats::bank::neutral::{FileHeader, PaymentRow};
use crate::office::Office;
use crate::storage::payment::{self, Pages};

/// A file as it would be issued today.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Bank of its payments.
    pub bank_code: String,
    /// Name.
    pub name: String,
    /// Bytes.
    pub bytes: Vec<u8>,
}

/// The first file of each bank of the run, in the layout.
///
/// # Errors
/// When there is no such layout or run, or the layout cannot write its payments: all that stands against it.
pub async fn try_layout(office: &Office, layout_code: &str, run_code: &str) -> Result<Vec<Tried>, Failure> {
    let layout = office.banks.layout(layout_code).ok_or_else(|| {
        Failure::new(Kind::Configuration, "BANK_UNKNOWN", format!("没有布局 {layout_code}"))
            .hint("fafang bank layouts 列出所有布局")
    })?;
    let mut tx = office.read().await?;
    let run = office.run(&mut tx, run_code).await?;
    let pages = Pages::of(&office.agency_code, &run, (1, i64::MAX)).all(&mut tx).await?;
    let (stem, remark) = (reference_stem(&office.agency_code, &run), remark(run.periods));
    let mut banks: Vec<(&Bank, Vec<PaymentRow<_>>)> = Vec::new();
    let lines: Vec<FrozenLine<'_>> = pages.iter().map(|page| page.lines()).collect::<Result<Vec<_>, _>>()?.concat();
    for line in &lines {
        let payee = line.payee().map_err(payment::unreadable)?;
        let row = payment_row(&stem, &remark, line).map_err(payment::unreadable)?;
        match banks.last_mut() {
            Some((bank, rows)) if bank.code == payee.bank_code => rows.push(row),
            _ => {
                let bank = office.banks.bank(payee.bank_code).ok_or_else(|| {
                    Failure::new(Kind::Configuration, "BANK_UNKNOWN", format!("没有银行 {}", payee.bank_code))
                        .hint("在 config/banks 中补上这家银行")
                })?;
                banks.push((bank, vec![row]));
            }
        }
    }
    let mut tried = Vec::with_capacity(banks.len());
    for (bank, rows) in banks {
        let pieces = layout.parts(rows.len()).ok_or_else(|| too_few(bank, layout, rows.len()))?;
        let (parts, rows) = (pieces.len(), &rows[..pieces[0]]);
        let header = FileHeader {
            file_ref: format!("{stem}{}-1", bank.code),
            agency_code: office.agency_code.clone(),
            scheme_code: run.scheme_code.clone(),
            periods: run.periods,
            pay_date: office.business_date(),
            rows: rows.len(),
            total: rows.iter().map(|row| row.amount).sum(),
            part: 1,
            parts,
        };
        // Where a file would end because of its money is seen when it is issued.
        let first = (rows[0].line_no, rows[0].line_no);
        let basis = voucher_basis::of_lines(&mut tx, &office.agency_code, &run, layout, first).await?;
        let (name, bytes) = written(&run, bank, layout, basis.as_ref(), &header, rows)?;
        tried.push(Tried { bank_code: bank.code.clone(), name, bytes });
    }
    Ok(tried)
}
