//! The description of a bank's files: from the tables `[file]` and `[answer]` of a layout file to a
//! [`Form`] that can be relied on. `config/banks/icbc-bpt.toml` explains every key.
//!
//! A line is written as it will look, with `{field:style,…}` where a field stands. Styles: `yuan`,
//! `fen`, `unit` (the office's entry of the bank says which), `zeros=7`, `left=32`, `right=32`
//! (blanks up to so many bytes), `max=60` (bytes), `blank` (one blank instead of nothing).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::bank_form::{
    AnswerForm, Column, Field, Form, FormCharset, MatchBy, Piece, Place, Said, Side, Style, Template, Unit,
};

/// Why a description is refused: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Wrong {
    /// The key: `file.row`.
    pub key: String,
    /// What was found, what was expected.
    pub problem: String,
}

fn wrong(key: impl Into<String>, problem: impl Into<String>) -> Wrong {
    Wrong { key: key.into(), problem: problem.into() }
}

/// The table `[file]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    charset: String,
    newline: String,
    separator: String,
    name: String,
    #[serde(default)]
    head: Vec<String>,
    row: String,
    #[serde(default)]
    tail: Vec<String>,
}

/// The table `[answer]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerTable {
    separator: Option<String>,
    amount: String,
    #[serde(default)]
    head: Vec<String>,
    #[serde(default)]
    tail: Vec<String>,
    #[serde(default)]
    comment: String,
    by_position: Option<String>,
    no_reference: Option<String>,
    reason_split: Option<String>,
    columns: BTreeMap<String, toml::Value>,
    status: StatusTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusTable {
    credited: Vec<String>,
    rejected: Vec<String>,
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    returned: Vec<String>,
}

/// Reads both tables.
///
/// # Errors
/// The first thing that is wrong, by its key.
pub fn form(file: &FileTable, answer: AnswerTable) -> Result<Form, Wrong> {
    let charset = FormCharset::ALL
        .into_iter()
        .find(|c| c.code() == file.charset)
        .ok_or_else(|| wrong("file.charset", format!("“{}”，应为 gbk、gb18030、utf-8 或 utf-8-bom", file.charset)))?;
    let newline = match file.newline.as_str() {
        "crlf" => "\r\n",
        "lf" => "\n",
        other => return Err(wrong("file.newline", format!("“{other}”，应为 crlf 或 lf"))),
    };
    let separator = separator("file.separator", &file.separator)?;
    let lines = |key: &str, texts: &[String]| -> Result<Vec<Template>, Wrong> {
        texts.iter().map(|text| template(key, text, Holds::File)).collect()
    };
    let form = Form {
        charset,
        newline,
        separator,
        name: template("file.name", &file.name, Holds::File)?,
        head: lines("file.head", &file.head)?,
        row: template("file.row", &file.row, Holds::Row)?,
        tail: lines("file.tail", &file.tail)?,
        answer: answer_form(answer, separator)?,
    };
    for (field, why) in [(Field::Account, "收款账号"), (Field::Holder, "户名"), (Field::Amount, "金额")] {
        if !form.row.has(field) {
            return Err(wrong("file.row", format!("没有 {{{}}}，明细必须写明{why}", field.name())));
        }
    }
    for field in [Field::PayDate, Field::Run, Field::Part] {
        if !form.name.has(field) && !form.name.has(Field::FileRef) {
            let name = field.name();
            return Err(wrong(
                "file.name",
                format!("没有 {{{name}}}，文件名会重复；应含 {{pay_date}}、{{run}}、{{part}}，或 {{file_ref}}"),
            ));
        }
    }
    let comes_back = match form.answer.match_by {
        MatchBy::Reference => Some(Field::PaymentRef),
        MatchBy::Seq => Some(Field::Seq),
        MatchBy::Account(_) => None,
    };
    match comes_back {
        Some(field) if !form.row.has(field) => {
            let name = field.name();
            Err(wrong("answer.columns", format!("{name} 要从回盘取回，file.row 里却没有 {{{name}}}")))
        }
        _ => Ok(form),
    }
}

fn separator(key: &str, text: &str) -> Result<char, Wrong> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) if !c.is_alphanumeric() && !matches!(c, '\r' | '\n' | '{' | '}' | '-' | '.') => Ok(c),
        _ => Err(wrong(key, format!("“{}”，应为一个符号，如 |", text.escape_debug()))),
    }
}

/// Which fields a template may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    File,
    Row,
    Answer,
}

/// Reads a line with its fields.
fn template(key: &str, text: &str, holds: Holds) -> Result<Template, Wrong> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(wrong(key, format!("含有控制字符 U+{:04X}，一行写一项", u32::from(c))));
    }
    while !rest.is_empty() {
        let (plain, after) = rest.split_once('{').map_or((rest, None), |(plain, after)| (plain, Some(after)));
        if plain.contains('}') {
            return Err(wrong(key, format!("“{text}”中的 }} 没有对应的 {{")));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_string()));
        }
        let Some(after) = after else { break };
        let Some((inside, after)) = after.split_once('}') else {
            return Err(wrong(key, format!("“{text}”中的 {{ 没有对应的 }}")));
        };
        pieces.push(piece(key, inside, holds)?);
        rest = after;
    }
    Ok(Template(pieces))
}

fn piece(key: &str, inside: &str, holds: Holds) -> Result<Piece, Wrong> {
    let (name, styles) = inside.split_once(':').unwrap_or((inside, ""));
    let may_stand = |field: Field| match holds {
        Holds::Answer => {
            use Field::{FileRef, PayDate, Rows, SentRows, SentTotal, Total, UnitNo};
            matches!(field, FileRef | PayDate | Rows | SentRows | SentTotal | Total | UnitNo)
        }
        Holds::File => !field.is_of_row() && !matches!(field, Field::SentRows | Field::SentTotal),
        Holds::Row => !matches!(field, Field::SentRows | Field::SentTotal),
    };
    let known = Field::ALL.iter().find(|(field, known, _)| *known == name && may_stand(*field));
    let Some((field, _, _)) = known else {
        let names: Vec<&str> = Field::ALL.iter().filter(|(f, _, _)| may_stand(*f)).map(|(_, name, _)| *name).collect();
        return Err(wrong(key, format!("这里没有 {{{name}}} 这一项，可用: {}", names.join("、"))));
    };
    let mut style = Style::default();
    for text in styles.split(',').filter(|text| !text.is_empty()) {
        let (word, number) = text.split_once('=').unwrap_or((text, ""));
        let number = || match number.parse::<usize>() {
            Ok(number @ 1..=1000) => Ok(number),
            _ => Err(wrong(key, format!("{{{inside}}} 的“{text}”，应为 {word}=1 至 {word}=1000"))),
        };
        match (word, text.contains('=')) {
            ("yuan", false) => style.unit = Unit::Yuan,
            ("fen", false) => style.unit = Unit::Fen,
            ("unit", false) => style.unit = Unit::AsBankSays,
            ("blank", false) => style.blank = true,
            ("zeros", true) => style.zeros = Some(number()?),
            ("left", true) => style.width = Some((Side::Left, number()?)),
            ("right", true) => style.width = Some((Side::Right, number()?)),
            ("max", true) => style.most = Some(number()?),
            _ => {
                let expected = "yuan、fen、unit、blank、zeros=、left=、right= 或 max=";
                return Err(wrong(key, format!("{{{inside}}} 的“{text}”，应为 {expected}")));
            }
        }
    }
    let is_money = matches!(field, Field::Amount | Field::Total | Field::SentTotal);
    if style.unit != Unit::Yuan && !is_money {
        return Err(wrong(key, format!("{{{inside}}}: 只有金额才分元和分")));
    }
    Ok(Piece::Field(*field, style))
}

fn answer_form(table: AnswerTable, file_separator: char) -> Result<AnswerForm, Wrong> {
    let separator = match &table.separator {
        Some(text) => separator("answer.separator", text)?,
        None => file_separator,
    };
    let unit = match table.amount.as_str() {
        "yuan" => Unit::Yuan,
        "fen" => Unit::Fen,
        "unit" => Unit::AsBankSays,
        other => {
            return Err(wrong("answer.amount", format!("“{other}”，应为 yuan（元）、fen（分）或 unit（按银行设置）")));
        }
    };
    let lines = |key: &str, texts: &[String]| -> Result<Vec<Vec<Template>>, Wrong> {
        let cells = |text: &String| text.split(separator).map(|cell| answer_cell(key, cell)).collect();
        texts.iter().map(cells).collect()
    };
    let (head, tail) = (lines("answer.head", &table.head)?, lines("answer.tail", &table.tail)?);
    let columns = columns(&table.columns)?;
    let by_position = columns.iter().filter(|(_, place)| matches!(place, Place::At(_))).count();
    match table.by_position.as_deref().map(str::trim) {
        Some(reason) if by_position == columns.len() && !reason.is_empty() => {}
        None if by_position == 0 => {}
        Some(_) if by_position == columns.len() => {
            return Err(wrong("answer.by_position", "为空，应写明为什么不能按栏名找"));
        }
        Some(_) => return Err(wrong("answer.by_position", "按位置找时，answer.columns 应全部是第几栏（从 1 起）")),
        None => {
            return Err(wrong("answer.by_position", "按第几栏找容易找错；请改用栏名，或在这里写明银行为什么没有栏名"));
        }
    }
    let has = |wanted: Column| columns.iter().any(|(column, _)| *column == wanted);
    for needed in [Column::Account, Column::Amount, Column::Status] {
        if !has(needed) {
            return Err(wrong("answer.columns", format!("没有{}，回盘必须有账号、金额和状态", needed.title())));
        }
    }
    let match_by = match table.no_reference.as_deref().map(str::trim) {
        None if has(Column::PaymentRef) => MatchBy::Reference,
        None if has(Column::Seq) => MatchBy::Seq,
        Some(reason) if !reason.is_empty() && has(Column::Holder) && !has(Column::PaymentRef) && !has(Column::Seq) => {
            MatchBy::Account(reason.to_string())
        }
        None => {
            let problem = "回盘里没有 payment_ref 或 seq，认不出是哪一笔；如银行确实不返回，请在这里写明原因，将按账号、户名、金额核对";
            return Err(wrong("answer.no_reference", problem));
        }
        Some(_) => {
            let problem = "写了它就应写明原因、有户名一栏，并且没有 payment_ref 和 seq";
            return Err(wrong("answer.no_reference", problem));
        }
    };
    let reason_split =
        table.reason_split.as_deref().map(|text| self::separator("answer.reason_split", text)).transpose()?;
    let statuses = statuses(table.status)?;
    Ok(AnswerForm { separator, unit, head, tail, comment: table.comment, columns, statuses, reason_split, match_by })
}

/// At most one field, or the text around it could mean several things.
fn answer_cell(key: &str, text: &str) -> Result<Template, Wrong> {
    let cell = template(key, text, Holds::Answer)?;
    if cell.fields().count() > 1 {
        return Err(wrong(key, format!("“{text}”一栏里有几项，只能有一项")));
    }
    Ok(cell)
}

fn columns(table: &BTreeMap<String, toml::Value>) -> Result<Vec<(Column, Place)>, Wrong> {
    let mut columns: Vec<(Column, Place)> = Vec::new();
    for (name, value) in table {
        let key = format!("answer.columns.{name}");
        let Some((column, _, _)) = Column::ALL.iter().find(|(_, known, _)| known == name) else {
            let names: Vec<&str> = Column::ALL.iter().map(|(_, name, _)| *name).collect();
            return Err(wrong(key, format!("没有这一项，可用: {}", names.join("、"))));
        };
        let text = |value: &toml::Value| value.as_str().map(str::trim).filter(|t| !t.is_empty()).map(String::from);
        let place = match value {
            toml::Value::Integer(at) => usize::try_from(*at).ok().filter(|at| (1..=1000).contains(at)).map(Place::At),
            toml::Value::Array(titles) if !titles.is_empty() => {
                titles.iter().map(text).collect::<Option<_>>().map(Place::Titled)
            }
            other => text(other).map(|title| Place::Titled(vec![title])),
        };
        let place = place.ok_or_else(|| wrong(key.as_str(), "应为栏名、几个栏名，或第几栏（从 1 起）"))?;
        if columns.iter().any(|(_, other)| *other == place) {
            return Err(wrong(key, "与另一项是同一栏"));
        }
        columns.push((*column, place));
    }
    Ok(columns)
}

/// Exact texts; the same text may mean rejected in a return and returned in a late return.
fn statuses(table: StatusTable) -> Result<Vec<(Said, String)>, Wrong> {
    if table.credited.is_empty() || table.rejected.is_empty() {
        return Err(wrong("answer.status", "credited 和 rejected 都应至少有一个状态"));
    }
    let mut statuses: Vec<(Said, String)> = Vec::new();
    let lists = [
        (Said::Credited, table.credited),
        (Said::Rejected, table.rejected),
        (Said::Open, table.open),
        (Said::Returned, table.returned),
    ];
    for (said, texts) in lists {
        for text in texts {
            let text = text.trim().to_string();
            let twice = |(other, known): &(Said, String)| {
                *known == text && (said != Said::Returned || *other != Said::Rejected)
            };
            if text.is_empty() || statuses.iter().any(twice) {
                return Err(wrong("answer.status", format!("“{text}”为空或出现两次")));
            }
            statuses.push((said, text));
        }
    }
    Ok(statuses)
}
