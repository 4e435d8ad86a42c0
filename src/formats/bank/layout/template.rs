//! A line as it will look: `RMB|{pay_date}|{amount:fen}|{holder:max=60}|`. What stands in braces is a
//! field, with styles after a colon.

use crate::domain::bank_form::{Field, Piece, Side, Style, Template, Unit};

/// How a field may be written: word, whether a number follows, what it means.
pub const STYLES: [(&str, bool, &str); 10] = [
    ("yuan", false, "金额以元为单位，两位小数（不写即是）"),
    ("fen", false, "金额以分为单位，整数"),
    ("unit", false, "金额单位按银行设置的 amount_unit"),
    ("zeros", true, "前面补零到几位，如 zeros=7"),
    ("left", true, "靠左，后面补空格到几字节"),
    ("right", true, "靠右，前面补空格到几字节"),
    ("max", true, "最多几字节，超出即拒绝，绝不截断"),
    ("blank", false, "没有内容时写一个空格"),
    ("unspaced", false, "里面不得有空格，外文户名也不得有"),
    ("number", false, "工作簿里写成数字；不写即文字。只能用于金额、笔数、序号，长号码写成数字会被表格软件改坏"),
];

/// Where a line stands, which decides what fields it may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Of the whole payment file.
    File,
    /// One payment.
    Row,
    /// Head or tail of an answer.
    Answer,
}

impl Holds {
    /// True where the field may stand.
    #[must_use]
    pub fn may_hold(self, field: Field) -> bool {
        match self {
            Holds::Answer => field.is_of_answer(),
            Holds::File => !field.is_of_row() && !matches!(field, Field::SentRows | Field::SentTotal),
            Holds::Row => !matches!(field, Field::SentRows | Field::SentTotal),
        }
    }
}

/// Reads a line with its fields.
///
/// # Errors
/// The first thing that is wrong in it.
pub fn template(text: &str, holds: Holds) -> Result<Template, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(format!("含有控制字符 U+{:04X}，一行写一项", u32::from(c)));
    }
    while !rest.is_empty() {
        let (plain, after) = rest.split_once('{').map_or((rest, None), |(plain, after)| (plain, Some(after)));
        if plain.contains('}') {
            return Err(format!("“{text}”中的 }} 没有对应的 {{"));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_string()));
        }
        let Some(after) = after else { break };
        let Some((inside, after)) = after.split_once('}') else {
            return Err(format!("“{text}”中的 {{ 没有对应的 }}"));
        };
        pieces.push(piece(inside, holds)?);
        rest = after;
    }
    Ok(Template(pieces))
}

fn piece(inside: &str, holds: Holds) -> Result<Piece, String> {
    let (name, styles) = inside.split_once(':').unwrap_or((inside, ""));
    let known = Field::ALL.iter().find(|(field, known, ..)| *known == name && holds.may_hold(*field));
    let Some((field, ..)) = known else {
        let names = Field::ALL.iter().filter(|(f, ..)| holds.may_hold(*f)).map(|(_, name, ..)| *name);
        return Err(format!("这里没有 {{{name}}} 这一项，可用: {}", names.collect::<Vec<_>>().join("、")));
    };
    let mut style = Style::default();
    for text in styles.split(',').filter(|text| !text.is_empty()) {
        put(&mut style, inside, text)?;
    }
    if style.unit != Unit::Yuan && !field.is_money() {
        return Err(format!("{{{inside}}}: 只有金额才分元和分"));
    }
    if style.number && !field.is_countable() {
        return Err(format!("{{{inside}}}: 只有金额、笔数和序号可以写成数字，长号码写成数字会被表格软件改坏"));
    }
    if style.number && (style.zeros.is_some() || style.width.is_some() || style.blank) {
        return Err(format!("{{{inside}}}: 写成数字的一格不能补零或补空格"));
    }
    Ok(Piece::Field(*field, style))
}

fn put(style: &mut Style, inside: &str, text: &str) -> Result<(), String> {
    let (word, number) = text.split_once('=').unwrap_or((text, ""));
    let has_number = text.contains('=');
    if !STYLES.iter().any(|(known, takes, _)| *known == word && *takes == has_number) {
        let known = STYLES.iter().map(|(word, takes, _)| format!("{word}{}", if *takes { "=" } else { "" }));
        return Err(format!("{{{inside}}} 的“{text}”，应为 {}", known.collect::<Vec<_>>().join("、")));
    }
    let number = match number.parse::<usize>() {
        Ok(number @ 1..=1000) => Some(number),
        _ if has_number => return Err(format!("{{{inside}}} 的“{text}”，应为 {word}=1 至 {word}=1000")),
        _ => None,
    };
    match word {
        "yuan" => style.unit = Unit::Yuan,
        "fen" => style.unit = Unit::Fen,
        "unit" => style.unit = Unit::AsBankSays,
        "blank" => style.blank = true,
        "unspaced" => style.unspaced = true,
        "number" => style.number = true,
        "zeros" => style.zeros = number,
        "left" => style.width = number.map(|number| (Side::Left, number)),
        "right" => style.width = number.map(|number| (Side::Right, number)),
        _ => style.most = number,
    }
    Ok(())
}
