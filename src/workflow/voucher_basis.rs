//! On which appropriation a voucher of the treasury is drawn: one voucher, one document.

use std::collections::HashSet;

use crate::domain::appropriation::{Appropriation, split_over_draws};
use crate::domain::bank::{Layout, Standard};
use crate::domain::run::Run;
use crate::failure::Failure;
use crate::storage::appropriation;
use crate::storage::engine::Tx;
use crate::storage::payment::Pages;

/// True for files that are drawn on one appropriation each.
pub fn is_needed(layout: &Layout) -> bool {
    layout.form.is_none() && layout.standard == Standard::Treasury
}

/// Lines of a run at which a file must end, because the money of the next appropriation begins with them. Of those
/// that are left out, the next one that is sent.
///
/// # Errors
/// The database's.
pub async fn breaks(tx: &mut Tx, agency: &str, run: &Run, left_out: &HashSet<i64>) -> Result<HashSet<i64>, Failure> {
    let draws = appropriation::draws(tx, agency, run.periods.last.number(), run.no).await?;
    let mut borders = draws.iter().skip(1).map(|draw| draw.from_fen).peekable();
    let mut breaks = HashSet::new();
    let last = run.payments;
    let mut pages = Pages::of(agency, run, (1, last));
    while borders.peek().is_some() {
        let Some(page) = pages.next(tx).await? else { break };
        for line in page.lines()? {
            while borders.next_if(|fen| *fen < line.offset.fen() + line.amount.fen()).is_some() {
                breaks.extend((line.line_no..=last).find(|line_no| !left_out.contains(line_no)));
            }
        }
    }
    Ok(breaks)
}

/// The one appropriation that pays the lines of a file, from the first to the last; none where its layout does not
/// ask for it.
///
/// # Errors
/// When the run has drawn nothing yet, or a payment is paid by two.
pub async fn of_lines(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    layout: &Layout,
    lines: (i64, i64),
) -> Result<Option<Appropriation>, Failure> {
    if !is_needed(layout) {
        return Ok(None);
    }
    let draws = appropriation::draws(tx, agency, run.periods.last.number(), run.no).await?;
    let mut found: Option<i64> = None;
    let mut pages = Pages::of(agency, run, lines);
    while let Some(page) = pages.next(tx).await? {
        for line in page.lines()?.into_iter().filter(|line| (lines.0..=lines.1).contains(&line.line_no)) {
            for (appropriation_no, _) in split_over_draws(&draws, line.offset, line.amount) {
                if found.is_some_and(|found| found != appropriation_no) {
                    let message =
                        format!("批次 {} 第 {} 笔由两个预算指标支付，一张凭证只能列支一个指标", run.code, line.line_no);
                    return Err(Failure::refused("CANNOT_WRITE", message).hint(
                        "作废批次，用 fafang budget adjust 把前一个指标调到正好付清前一笔，再重新计算；没有写出任何文件",
                    ));
                }
                found = Some(appropriation_no);
            }
        }
    }
    let all = appropriation::list(tx, agency).await?;
    all.into_iter().find(|one| Some(one.no) == found).map(Some).ok_or_else(|| {
        Failure::refused("CANNOT_WRITE", format!("批次 {} 还没有占用预算指标，不知道凭证列支哪个指标", run.code))
            .hint("审批以后再试看或报盘")
    })
}
