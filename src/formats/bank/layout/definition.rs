//! The description of a bank's files: from the tables `[file]` and `[answer]` of a layout file to a
//! [`Form`] that can be relied on. What the keys are is told in `keys`, what a line may hold in `template`;
//! here is what they must be together. Everything that is wrong is told at once.

use super::keys::{FORM, Problem, Said as Stands, Told};
use super::records::Path;
use super::template::{Holds, template};
use super::writer;
use crate::domain::bank_form::{
    AnswerForm, Column, Field, Form, FormCharset, MatchBy, Medium, Piece, Place, Said, Template, Unit,
};

/// Between the cells of a description whose file has no separator of its own.
const CELLS: char = '|';

/// Reads both tables, whose keys and kinds were found right. `row_limit` is that of the layout.
pub fn form(file: &Told<'_>, answer: &Told<'_>, row_limit: usize, problems: &mut Vec<Problem>) -> Option<Form> {
    let charset = FormCharset::ALL.into_iter().find(|c| Some(c.code()) == file.text("charset"));
    let charset = charset.unwrap_or(FormCharset::Gb18030);
    let medium = medium(file, Medium::Text);
    let newline = match file.text("newline") {
        Some("crlf") => "\r\n",
        None if medium != Medium::Workbook => {
            problems.push(file.missing("newline"));
            "\n"
        }
        _ => "\n",
    };
    let separator = separator(file, "separator", problems);
    let mut line = |text: &str, at: Problem, holds| checked(text, at, holds, charset, problems);
    let name = line(file.text("name").unwrap_or_default(), file.wrong("name", ""), Holds::File);
    let row = line(file.text("row").unwrap_or_default(), file.wrong("row", ""), Holds::Row);
    let mut lines = |key: &str| -> Vec<Template> {
        let at = |number| Problem { line: number, ..file.wrong(key, "") };
        file.texts(key).into_iter().map(|(number, text)| line(text, at(number), Holds::File)).collect()
    };
    let (head, tail) = (lines("head"), lines("tail"));
    let answer_form = answer_form(answer, self::medium(answer, medium), separator, problems)?;
    let form = Form {
        medium,
        charset,
        newline,
        separator,
        sheet: file.text("sheet").unwrap_or("Sheet1").trim().to_string(),
        row_least: file.number("row_least").unwrap_or(1),
        name,
        head,
        row,
        tail,
        answer: answer_form,
    };
    agrees(&form, file, answer, row_limit, problems);
    Some(form)
}

fn medium(told: &Told<'_>, otherwise: Medium) -> Medium {
    let known = |code: &str| Medium::ALL.into_iter().find(|(_, known)| *known == code).map(|(medium, _)| medium);
    told.text("kind").and_then(known).unwrap_or(otherwise)
}

/// A line whose words the charset can write; empty where it is wrong.
fn checked(text: &str, at: Problem, holds: Holds, charset: FormCharset, problems: &mut Vec<Problem>) -> Template {
    let problem = match template(text, holds) {
        Err(problem) => problem,
        Ok(template) => {
            let words = template.0.iter().filter_map(|piece| match piece {
                Piece::Text(text) => Some(text),
                Piece::Field(..) => None,
            });
            match words.map(String::as_str).find_map(|words| writer::encode(words, charset).err()) {
                Some(c) => writer::unencodable(c, charset),
                None => return template,
            }
        }
    };
    problems.push(Problem { problem, ..at });
    Template::default()
}

fn separator(told: &Told<'_>, key: &str, problems: &mut Vec<Problem>) -> Option<char> {
    let text = told.text(key)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) if !c.is_alphanumeric() && !matches!(c, '\r' | '\n' | '{' | '}' | '-' | '.') => Some(c),
        _ => {
            problems.push(told.wrong(key, format!("“{}”，应为一个符号，如 |", text.escape_debug())));
            None
        }
    }
}

/// What the parts of a description must be together. A line that could not be read is not also found wanting.
fn agrees(form: &Form, file: &Told<'_>, answer: &Told<'_>, row_limit: usize, problems: &mut Vec<Problem>) {
    for (field, why) in [(Field::Account, "收款账号"), (Field::Holder, "户名"), (Field::Amount, "金额")] {
        if !form.row.has(field) && !form.row.0.is_empty() {
            problems.push(file.wrong("row", format!("没有 {{{}}}，明细必须写明{why}", field.name())));
        }
    }
    for field in [Field::PayDate, Field::Run, Field::Part] {
        if !form.name.has(field) && !form.name.has(Field::FileRef) && !form.name.0.is_empty() {
            let name = field.name();
            let problem =
                format!("没有 {{{name}}}，文件名会重复；应含 {{pay_date}}、{{run}}、{{part}}，或 {{file_ref}}");
            problems.push(file.wrong("name", problem));
        }
    }
    if form.row_least > row_limit.div_ceil(2).max(1) {
        let problem = format!("{} 超过 row_limit {row_limit} 的一半，分不成几个都够数的文件", form.row_least);
        problems.push(file.wrong("row_least", problem));
    }
    let comes_back = match form.answer.match_by {
        MatchBy::Reference => Some(Field::PaymentRef),
        MatchBy::Seq => Some(Field::Seq),
        MatchBy::Account(_) => None,
    };
    if let Some(field) = comes_back.filter(|field| !form.row.has(*field) && !form.row.0.is_empty()) {
        let name = field.name();
        problems.push(answer.wrong("columns", format!("{name} 要从回盘取回，file.row 里却没有 {{{name}}}")));
    }
    match form.medium {
        Medium::Text => as_text(form, file, problems),
        Medium::Workbook => as_workbook(form, file, problems),
        Medium::Xml => as_xml(form, file, problems),
    }
    let has_separator = form.separator.is_some() || answer.has("separator") || !form.answer.widths.is_empty();
    if form.answer.medium == Medium::Text && !has_separator {
        problems.push(answer.missing("separator"));
    }
}

/// Without a separator, every field has its own width, or nobody could tell where it ends.
fn as_text(form: &Form, file: &Told<'_>, problems: &mut Vec<Problem>) {
    let is_wide = |(field, style): &(Field, _)| -> Option<&'static str> {
        let style: &crate::domain::bank_form::Style = style;
        (style.width.is_none() && style.zeros.is_none()).then(|| field.name())
    };
    if form.separator.is_none()
        && let Some(name) = form.row.fields().find_map(|field| is_wide(&field))
    {
        let problem = format!("没有 separator，{{{name}}} 又没有 left=、right= 或 zeros=，分不清各栏；请写明其中一种");
        problems.push(file.wrong("row", problem));
    }
    uses_number(form, file, problems);
}

fn as_workbook(form: &Form, file: &Told<'_>, problems: &mut Vec<Problem>) {
    let Some(separator) = form.separator else {
        problems.push(file.missing("separator"));
        return;
    };
    let ends_right = matches!(form.name.0.last(), Some(Piece::Text(text)) if text.rsplit_once('.').is_some_and(|(_, end)| end == "xlsx"));
    if !ends_right {
        problems.push(file.wrong("name", "工作簿的文件名应以 .xlsx 结尾"));
    }
    let is_bad = |c: char| matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\'') || c.is_control();
    if form.sheet.chars().count() > 31 || form.sheet.contains(is_bad) {
        problems.push(file.wrong("sheet", "工作表名最多 31 个字，不能有 [ ] : * ? / \\ '"));
    }
    for (key, template) in form.lines_with_keys() {
        if template.cells(separator).iter().any(|cell| cell.len() > 1 && cell.iter().any(Piece::is_number)) {
            problems.push(file.wrong(key, "写成数字（number）的一格里还有别的内容，数字应单独一格"));
        }
    }
}

fn as_xml(form: &Form, file: &Told<'_>, problems: &mut Vec<Problem>) {
    if form.separator.is_some() {
        problems.push(file.wrong("separator", "XML 没有分隔符，请删除这一项"));
    }
    let first = form.head.first().and_then(|line| line.0.first());
    let charset = form.charset.declared();
    let is_declared = |text: &str| {
        text.starts_with("<?xml ") && text.to_ascii_uppercase().contains(&format!("ENCODING=\"{charset}\""))
    };
    if !matches!(first, Some(Piece::Text(text)) if is_declared(text)) {
        let problem = format!("第一行应为 <?xml version=\"1.0\" encoding=\"{charset}\"?>，与 charset 一致");
        problems.push(file.wrong("head", problem));
    }
    uses_number(form, file, problems);
}

fn uses_number(form: &Form, file: &Told<'_>, problems: &mut Vec<Problem>) {
    for (key, template) in form.lines_with_keys() {
        if template.0.iter().any(Piece::is_number) {
            problems.push(file.wrong(key, "number 只用于工作簿"));
        }
    }
}

fn answer_form(
    told: &Told<'_>,
    medium: Medium,
    file_separator: Option<char>,
    problems: &mut Vec<Problem>,
) -> Option<AnswerForm> {
    let separator = separator(told, "separator", problems).or(file_separator).unwrap_or(CELLS);
    let unit = match told.text("amount")? {
        "fen" => Unit::Fen,
        "unit" => Unit::AsBankSays,
        _ => Unit::Yuan,
    };
    let widths = told.numbers("widths").unwrap_or_default();
    let has_cells = medium != Medium::Xml && widths.is_empty();
    let mut lines = |key: &str| -> Vec<Vec<Template>> {
        let mut cell = |line: usize, text: &str| match answer_cell(text) {
            Ok(cell) => cell,
            Err(problem) => {
                problems.push(Problem { line, ..told.wrong(key, problem) });
                Template::default()
            }
        };
        let cells = |(line, text): (usize, &'_ str)| {
            let cells = if has_cells { text.split(separator).collect() } else { vec![text] };
            cells.into_iter().map(|text| cell(line, text)).collect()
        };
        told.texts(key).into_iter().map(cells).collect()
    };
    let (head, tail) = (lines("head"), lines("tail"));
    let columns = columns(&told.table("columns")?, problems);
    by_position(told, &columns, problems);
    let has = |wanted: Column| columns.iter().any(|(column, _)| *column == wanted);
    let no_account = told.text("no_account").map(|reason| reason.trim().to_string());
    for needed in [Column::Account, Column::Amount, Column::Status] {
        if !has(needed) && (no_account.is_none() || needed == Column::Status) {
            let problem = format!(
                "没有{}，回盘必须有账号、金额和状态；银行确实不写账号或金额时，写明 no_account",
                needed.title()
            );
            problems.push(told.wrong("columns", problem));
        }
    }
    let match_by = match told.text("no_reference") {
        None if has(Column::PaymentRef) => MatchBy::Reference,
        None if has(Column::Seq) => MatchBy::Seq,
        Some(reason) if has(Column::Holder) && !has(Column::PaymentRef) && !has(Column::Seq) => {
            MatchBy::Account(reason.trim().to_string())
        }
        said => {
            let problem = match said {
                None => {
                    "回盘里没有 payment_ref 或 seq，认不出是哪一笔；如银行确实不返回，请在这里写明原因，将按账号、户名、金额核对"
                }
                Some(_) => "写了它就应写明原因、有户名一栏，并且没有 payment_ref 和 seq",
            };
            problems.push(told.wrong("no_reference", problem));
            MatchBy::Seq
        }
    };
    let reason_split = self::separator(told, "reason_split", problems);
    let statuses = statuses(&told.table("status")?, problems);
    let comment = told.text("comment").unwrap_or_default().to_string();
    let record = told.text("record").unwrap_or_default().trim().to_string();
    let form = AnswerForm {
        medium,
        separator,
        widths,
        unit,
        record,
        head,
        tail,
        comment,
        columns,
        statuses,
        reason_split,
        match_by,
        no_account,
    };
    tells_no_account(&form, told, problems);
    if told.has("widths") {
        answer_of_widths(&form, told, problems);
    }
    match medium {
        Medium::Xml => answer_in_xml(&form, told, problems),
        _ if told.has("record") => problems.push(told.wrong("record", "只有 kind = \"xml\" 的回盘才写")),
        _ => {}
    }
    Some(form)
}

/// Rows that tell no account, or no amount, are known by our own words alone: those must say which file it is.
fn tells_no_account(form: &AnswerForm, told: &Told<'_>, problems: &mut Vec<Problem>) {
    if form.no_account.is_none() {
        return;
    }
    let has = |wanted: Column| form.columns.iter().any(|(column, _)| *column == wanted);
    let says = |wanted: Field| form.head.iter().chain(&form.tail).flatten().any(|cell| cell.has(wanted));
    let problem = match form.match_by {
        _ if has(Column::Account) && has(Column::Amount) => "账号和金额两栏都有，请删除这一项",
        MatchBy::Account(_) => "按账号、户名、金额核对（no_reference）时，账号和金额都要有",
        MatchBy::Seq if !says(Field::FileRef) => {
            "只有序号认不出是哪个文件的回盘；请在 head 里用 {file_ref} 写明银行带回的文件编号"
        }
        _ if says(Field::Total) && !has(Column::Amount) => "没有金额一栏，head 和 tail 里的 {total} 无从核对",
        _ => return,
    };
    problems.push(told.wrong("no_account", problem));
}

/// Fields of fixed widths are known by where they stand.
fn answer_of_widths(form: &AnswerForm, told: &Told<'_>, problems: &mut Vec<Problem>) {
    let problem = match form.medium {
        Medium::Text if told.has("separator") => "有分隔符（separator）的不写",
        Medium::Text => {
            let beyond = |place: &Place| !matches!(place, Place::At(at) if *at <= form.widths.len());
            for (column, _) in form.columns.iter().filter(|(_, place)| beyond(place)) {
                let problem = format!("{}应为第几栏，1 至 {}（widths 的栏数）", column.title(), form.widths.len());
                problems.push(told.wrong("columns", problem));
            }
            return;
        }
        Medium::Workbook | Medium::Xml => "只有 kind = \"text\" 的定长回盘才写",
    };
    problems.push(told.wrong("widths", problem));
}

/// In XML everything is found by its name.
fn answer_in_xml(form: &AnswerForm, told: &Told<'_>, problems: &mut Vec<Problem>) {
    if !told.has("record") {
        problems.push(told.missing("record"));
    } else if Path::of(&form.record).is_none_or(|path| path.attribute.is_some()) {
        problems.push(told.wrong("record", format!("“{}”，应为元素名，如 RET_DETAIL、BODY/RET_DETAIL", form.record)));
    }
    for key in ["separator", "tail", "comment", "by_position"] {
        if told.has(key) {
            problems.push(told.wrong(key, "XML 里没有，请删除这一项"));
        }
    }
    for ((line, text), cells) in told.texts("head").into_iter().zip(&form.head) {
        if cells.first().and_then(Path::of_head).is_none() {
            let problem = format!("“{text}”，应为元素或属性的名称、等号、内容，如 INFO/REQ_SN={{file_ref}}");
            problems.push(Problem { line, ..told.wrong("head", problem) });
        }
    }
    for (column, place) in &form.columns {
        let is_wrong = match place {
            Place::At(_) => true,
            Place::Titled(paths) => paths.iter().any(|path| Path::of(path).is_none()),
        };
        if is_wrong {
            let problem = format!("{}应为明细里的元素或属性，如 SN、PAYEE/NAME、@state", column.title());
            problems.push(told.wrong("columns", problem));
        }
    }
}

/// At most one field, or the text around it could mean several things.
fn answer_cell(text: &str) -> Result<Template, String> {
    let cell = template(text, Holds::Answer)?;
    if cell.fields().count() > 1 {
        return Err(format!("“{text}”一栏里有几项，只能有一项"));
    }
    Ok(cell)
}

/// All columns by title, or all by position with the reason why.
fn by_position(told: &Told<'_>, columns: &[(Column, Place)], problems: &mut Vec<Problem>) {
    let placed = columns.iter().filter(|(_, place)| matches!(place, Place::At(_))).count();
    let problem = match told.text("by_position") {
        Some(_) if placed == columns.len() => return,
        None if placed == 0 => return,
        Some(_) => "按位置找时，answer.columns 应全部是第几栏（从 1 起）",
        None => "按第几栏找容易找错；请改用栏名，或在这里写明银行为什么没有栏名",
    };
    problems.push(told.wrong("by_position", problem));
}

fn columns(told: &Told<'_>, problems: &mut Vec<Problem>) -> Vec<(Column, Place)> {
    let mut columns: Vec<(Column, Place)> = Vec::new();
    for (name, line, said) in told.places() {
        let mut wrong = |problem: String| problems.push(Problem { line, code: FORM, key: told.path(name), problem });
        let Some((column, ..)) = Column::ALL.iter().find(|(_, known, ..)| *known == name) else {
            let names: Vec<&str> = Column::ALL.iter().map(|(_, name, ..)| *name).collect();
            wrong(format!("没有这一项，可用: {}", names.join("、")));
            continue;
        };
        let place = match said {
            Stands::Number(at) if (1..=1000).contains(&at) => Place::At(at),
            Stands::Titles(titles) if !titles.is_empty() && titles.iter().all(|t| !t.trim().is_empty()) => {
                Place::Titled(titles.into_iter().map(|title| title.trim().to_string()).collect())
            }
            _ => {
                wrong("应为栏名、几个栏名，或第几栏（从 1 起）".to_string());
                continue;
            }
        };
        // A bank's code of the result may be status and reason in one.
        let shared = |other: Column| {
            [(Column::Status, Column::ReasonCode), (Column::ReasonCode, Column::Status)].contains(&(*column, other))
        };
        if columns.iter().any(|(known, other)| *other == place && !shared(*known)) {
            wrong("与另一项是同一栏".to_string());
        }
        columns.push((*column, place));
    }
    columns
}

/// Exact texts; the same text may mean rejected in a return and returned in a late return.
fn statuses(told: &Told<'_>, problems: &mut Vec<Problem>) -> Vec<(Said, String)> {
    let lists = [
        (Said::Credited, "credited"),
        (Said::Rejected, "rejected"),
        (Said::Open, "open"),
        (Said::Returned, "returned"),
    ];
    let mut statuses: Vec<(Said, String)> = Vec::new();
    for (said, key) in lists {
        let texts = told.texts(key);
        if texts.is_empty() && matches!(said, Said::Credited | Said::Rejected) {
            problems.push(told.wrong(key, "应至少有一个状态"));
        }
        for (line, text) in texts {
            let text = text.trim().to_string();
            let twice = |(other, known): &(Said, String)| {
                *known == text && (said != Said::Returned || *other != Said::Rejected)
            };
            if text.is_empty() || statuses.iter().any(twice) {
                problems.push(Problem { line, ..told.wrong(key, format!("“{text}”为空或出现两次")) });
            }
            statuses.push((said, text));
        }
    }
    statuses
}
