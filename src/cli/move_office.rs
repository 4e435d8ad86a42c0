//! `fafang move`: the whole database to another place, and what arrived there.

use serde_json::{Map, json};

use super::{Answer, Desk, exit_code};
use crate::domain::money::Money;
use crate::reports::render::text;
use crate::reports::table::{Column, Report, Sheet, Value};
use crate::storage::whole_office::{Survey, SurveyedTable};
use crate::workflow::move_office::{Moved, Outcome, move_office};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// 迁到哪里: 文件名，或 postgres://…；应当是空的
    #[arg(long, value_name = "URL")]
    to: String,
}

pub async fn run(args: Args, desk: &Desk) -> Answer {
    let moved = move_office(&desk.office, &args.to).await?;
    desk.out.answer(|| document(&moved), || words(&moved));
    Ok(exit_code::DONE)
}

fn document(moved: &Moved) -> serde_json::Value {
    let outcome = match moved.outcome {
        Outcome::Copied => "copied",
        Outcome::Same => "same",
        Outcome::Already => "already_moved",
    };
    let table = |t: &SurveyedTable| {
        let sums: Map<String, serde_json::Value> = t.sums.iter().map(|(c, fen)| (c.clone(), json!(fen))).collect();
        json!({ "table": t.name, "rows": t.rows, "sums": sums, "digest": t.digest })
    };
    let tables: Vec<_> = moved.survey.tables.iter().map(table).collect();
    json!({
        "outcome": outcome, "target": moved.target, "tables": tables, "rows": moved.survey.rows(),
        "digest": moved.survey.digest,
    })
}

fn words(moved: &Moved) -> String {
    let target = &moved.target;
    let done = match moved.outcome {
        Outcome::Copied => format!("已全部迁到 {target}，两边逐表核对一致"),
        Outcome::Same => format!("{target} 里的数据与本库完全相同，没有再复制；本库已标记为迁出"),
        Outcome::Already => format!("早已迁到 {target}，没有任何改动"),
    };
    let report = Report {
        code: "move",
        title: done,
        subtitle: Vec::new(),
        sheets: vec![sheet(&moved.survey)],
        notes: vec![
            format!("总校验 {}", moved.survey.digest),
            format!("本库从此只能查看。以后请用新库: 把配置文件的 database 改成 {target}（密码自行补上）"),
        ],
    };
    text::render(&report).trim_end().to_string()
}

/// One line per table, and one more for each further column of money.
fn sheet(survey: &Survey) -> Sheet {
    let columns = vec![
        Column::text("table", "表"),
        Column::count("rows", "行数"),
        Column::text("column", "金额列"),
        Column::money("sum_fen", "金额合计"),
    ];
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for table in &survey.tables {
        let mut row = vec![Value::from(table.name.as_str()), Value::Count(table.rows)];
        for (column, fen) in &table.sums {
            row.extend([Value::from(column.as_str()), Value::Money(Money(*fen))]);
            rows.push(std::mem::replace(&mut row, vec![Value::Empty, Value::Empty]));
        }
        if table.sums.is_empty() {
            rows.push(row);
        }
    }
    let total = vec![Value::from("合计"), Value::Count(survey.rows())];
    Sheet { name: "表".into(), columns, rows, total: Some(total), notes: Vec::new() }
}
