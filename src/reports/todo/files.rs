//! What the bank owes: answers, outcomes, and answers that did not fit.

use std::collections::HashMap;

use super::{Books, Todo};
use crate::domain::actor::Role;
use crate::domain::delivery::DeliveryKind;
use crate::domain::money::Money;
use crate::domain::period::{date_from_number, date_number};
use crate::failure::Failure;
use crate::storage::delivery::{self, Delivery};
use crate::storage::engine::Tx;
use crate::storage::finding;
use crate::storage::payment_file::{self, PaymentFile};

/// Files without an answer for longer than the office waits, and answered files with open rows.
pub(super) async fn without_answer(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let mut list = Vec::new();
    let mut last: HashMap<(i64, i64), Delivery> = HashMap::new();
    for delivery in delivery::list(tx, &books.office.agency_code).await? {
        last.insert((delivery.run_no, delivery.file_no), delivery);
    }
    for file in payment_file::list(tx, &books.office.agency_code).await? {
        let Some(run) = books.run(file.run_no) else { continue };
        let Some(issued) = run.state.issued() else { continue };
        let todo = |code| Todo {
            amount: Some(Money(file.open_fen)),
            ..Todo::new(code, &[Role::Finance], issued.on, file.name.clone())
        };
        if file.is_answered() && file.open_rows > 0 {
            list.push(Todo {
                what: format!("批次 {} 有 {} 笔没有结果，向银行查询", run.code, file.open_rows),
                command: "取回补充回盘后 fafang bank return 文件".into(),
                ..todo("OUTCOMES_OPEN")
            });
        } else if let Some((what, command)) = not_sent(books, &file, last.get(&(file.run_no, file.file_no)))? {
            list.push(Todo { what, command, ..todo("FILE_NOT_SENT") });
        } else if !file.is_answered() {
            let passed = books.office.calendar.working_days_or_weekdays_between(issued.on, books.today);
            if passed.days > books.office.settings.return_overdue_days {
                let guessed = if passed.guessed { "（缺放假安排，按周一至周五计）" } else { "" };
                list.push(Todo {
                    what: format!("批次 {} 报盘已 {} 个工作日{guessed}没有回盘", run.code, passed.days),
                    command: "确认文件已送银行，取回回盘后 fafang bank return 文件".into(),
                    ..todo("FILE_NOT_ANSWERED")
                });
            }
        }
    }
    Ok(list)
}

/// What is to be done about a file that should have gone to a bank's place by now.
fn not_sent(
    books: &Books<'_>,
    file: &PaymentFile,
    last: Option<&Delivery>,
) -> Result<Option<(String, String)>, Failure> {
    let place = books.office.places.iter().find(|place| place.banks.contains(&file.bank_code));
    let Some(place) = place.filter(|_| !file.is_answered() && file.pay_date <= date_number(books.today)) else {
        return Ok(None);
    };
    Ok(match last.map(Delivery::kind).transpose()? {
        None | Some(DeliveryKind::NotSent) => {
            Some((format!("支付文件没有送到“{}”", place.name), "fafang exchange push".into()))
        }
        Some(DeliveryKind::Sending) => Some((
            format!("支付文件送到“{}”时中断，核实银行是否收到", place.name),
            format!(
                "fafang exchange push；不能确定的，核实后 fafang exchange record {} --found sent 或 not-sent",
                file.name
            ),
        )),
        Some(DeliveryKind::HandedOver | DeliveryKind::Acknowledged) => None,
    })
}

/// Differences that nobody has explained.
pub(super) async fn findings(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let findings = finding::list(tx, &books.office.agency_code).await?;
    let open = findings.into_iter().filter(|f| f.explained_on.is_none());
    let explain = |f: &finding::StoredFinding| {
        let explain = format!("fafang finding explain {} --note 原因和处理", f.finding_no);
        f.entry_no.map_or(explain.clone(), |entry_no| {
            format!("fafang bank match {entry_no} 文件或明细编号；与发放无关的 {explain}")
        })
    };
    let todo = |f: finding::StoredFinding| Todo {
        command: explain(&f),
        what: f.message,
        amount: Some(Money(f.amount_fen)).filter(|m| !m.is_zero()),
        ..Todo::new(
            "FINDING_UNEXPLAINED",
            &[Role::Finance],
            date_from_number(f.opened_on).unwrap_or(books.today),
            format!("第 {} 号差异", f.finding_no),
        )
    };
    Ok(open.map(todo).collect())
}
