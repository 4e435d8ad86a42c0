//! What the bank owes: answers, outcomes, and answers that did not fit.

use super::{Books, Todo};
use crate::domain::actor::Role;
use crate::domain::money::Money;
use crate::domain::period::date_from_number;
use crate::failure::Failure;
use crate::storage::engine::Tx;
use crate::storage::{finding, payment_file};

/// Files without an answer for longer than the office waits, and answered files with open rows.
pub(super) async fn without_answer(tx: &mut Tx, books: &Books<'_>) -> Result<Vec<Todo>, Failure> {
    let mut list = Vec::new();
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
