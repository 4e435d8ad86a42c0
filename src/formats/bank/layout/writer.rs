//! Writes a payment file as its bank wants it. Everything is checked before the first byte; no
//! character is cut or replaced.

use std::collections::{HashMap, HashSet};

use super::workbook;
use crate::domain::bank::{Bank, Layout};
use crate::domain::bank_form::{Field, Form, FormCharset, Medium, Piece, Side, Style, Template, Unit};
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::domain::person_name::{is_look_alike, masked_name};
use crate::domain::text::is_blank;
use crate::formats::bank::neutral::{FileHeader, PaymentRow, references_grow};
use crate::formats::charset::{self, Charset};

/// What keeps a file from being written. Shows no account and no whole name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {problem}", .field.title())]
pub struct CannotWrite {
    /// `明细第 17 行（阿***逊）`, or `文件`.
    pub place: String,
    /// Which field.
    pub field: Field,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// All that a file is written from, beside its rows.
#[derive(Debug, Clone, Copy)]
pub struct Sheet<'a> {
    /// Reference, dates and sums.
    pub header: &'a FileHeader,
    /// Number of the run.
    pub run_no: i64,
    /// The bank, with what the office says of it.
    pub bank: &'a Bank,
    /// Limits of the layout.
    pub layout: &'a Layout,
    /// Its lines.
    pub form: &'a Form,
}

/// Writes name and bytes of a payment file.
///
/// # Errors
/// All that stands against writing; then no byte is written.
pub fn write_payment_file<T: AsRef<str>>(
    sheet: &Sheet<'_>,
    rows: &[PaymentRow<T>],
) -> Result<(String, Vec<u8>), Vec<CannotWrite>> {
    let text = String::with_capacity(rows.len() * 128);
    let mut lines = Lines { sheet, line_no: 0, holder: String::new(), text, problems: Vec::new() };
    let (least, limit) = (sheet.form.row_least.max(1), sheet.layout.row_limit);
    if !(least..=limit).contains(&rows.len()) {
        lines.refuse(Field::Rows, format!("{} 笔，应为 {least} 至 {limit} 笔", rows.len()));
    }
    let total: Money = rows.iter().map(|row| row.amount).sum();
    if (sheet.header.rows, sheet.header.total) != (rows.len(), total) {
        lines.refuse(Field::Total, format!("{}，按明细应为 {total}", sheet.header.total));
    }
    let name = lines.file_name();
    sheet.form.head.iter().for_each(|line| lines.line(line, |field| sheet.value(field)));
    let mut refs = (!references_grow(rows)).then(|| HashSet::with_capacity(rows.len()));
    let numbers_accounts = sheet.form.row.has(Field::Nth);
    let mut accounts: HashMap<&str, usize> = HashMap::new();
    for (seq, row) in (1_usize..).zip(rows) {
        lines.line_no = row.line_no;
        lines.holder.clear();
        lines.holder.push_str(row.holder.as_ref());
        let mut nth = 1;
        if numbers_accounts {
            nth = *accounts.entry(row.account.as_ref()).and_modify(|before| *before += 1).or_insert(1);
        }
        lines.row((seq, nth), row);
        if refs.as_mut().is_some_and(|refs| !refs.insert(row.payment_ref.as_ref())) {
            lines.refuse(Field::PaymentRef, "重复，同一笔支付不能报两次".to_string());
        }
    }
    lines.line_no = 0;
    sheet.form.tail.iter().for_each(|line| lines.line(line, |field| sheet.value(field)));
    if lines.problems.is_empty() {
        match bytes(sheet.form, rows.len(), &lines.text) {
            Ok(bytes) => return Ok((name, bytes)),
            Err(problem) => lines.refuse(Field::FileRef, problem),
        }
    }
    Err(lines.problems)
}

/// The lines as the bank's kind of file. A workbook's lines are split where the separator stands: no field holds it.
fn bytes(form: &Form, rows: usize, text: &str) -> Result<Vec<u8>, String> {
    let (Medium::Workbook, Some(separator)) = (form.medium, form.separator) else {
        return encode(text, form.charset).map_err(|c| unencodable(c, form.charset));
    };
    let numbers = |template: &Template| -> Vec<bool> {
        template.cells(separator).iter().map(|cell| cell.iter().any(Piece::is_number)).collect()
    };
    let several = |lines: &[Template]| -> Vec<Vec<bool>> { lines.iter().map(numbers).collect() };
    let (head, row, tail) = (several(&form.head), numbers(&form.row), several(&form.tail));
    let numbers = head.iter().chain(std::iter::repeat_n(&row, rows)).chain(&tail);
    let lines = text.lines().zip(numbers);
    let lines: Vec<workbook::Line<'_>> =
        lines.map(|(line, numbers)| workbook::Line { cells: line.split(separator).collect(), numbers }).collect();
    workbook::write(&form.sheet, &lines).map_err(|error| format!("无法写出工作簿: {error}"))
}

/// The text in the charset, or the first character that it does not have.
pub(super) fn encode(text: &str, form: FormCharset) -> Result<Vec<u8>, char> {
    let charset = match form {
        FormCharset::Gbk => return charset::encode_gbk(text).map_err(|e| e.character),
        FormCharset::Gb18030 => Charset::Gb18030,
        FormCharset::Utf8 => Charset::Utf8,
        FormCharset::Utf8Bom => Charset::Utf8Bom,
    };
    charset::encode(text, charset).map_err(|e| e.character)
}

/// How many bytes a text takes within a file.
pub(super) fn width(text: &str, form: FormCharset) -> Result<usize, char> {
    if matches!(form, FormCharset::Utf8 | FormCharset::Utf8Bom) || text.is_ascii() {
        return Ok(text.len());
    }
    // Two bytes each in both charsets: what nearly every name is made of.
    let bytes = |c: char| match c {
        '\0'..='\x7F' => Some(1),
        '\u{4E00}'..='\u{9FA5}' | '·' => Some(2),
        _ => None,
    };
    match text.chars().map(bytes).sum() {
        Some(width) => Ok(width),
        None => encode(text, form).map(|bytes| bytes.len()),
    }
}

/// Where so many bytes of a file end in a text, and how many bytes that is: more where a character goes beyond.
pub(super) fn prefix(text: &str, bytes: usize, form: FormCharset) -> (usize, usize) {
    let (mut end, mut taken) = (0, 0);
    for c in text.chars() {
        if taken >= bytes {
            break;
        }
        taken += width(c.encode_utf8(&mut [0; 4]), form).unwrap_or(1);
        end += c.len_utf8();
    }
    (end, taken)
}

/// How text of a file is decoded: GBK as what contains it.
pub(super) fn decoded_as(form: FormCharset) -> Charset {
    match form {
        FormCharset::Gbk | FormCharset::Gb18030 => Charset::Gb18030,
        FormCharset::Utf8 | FormCharset::Utf8Bom => Charset::Utf8,
    }
}

/// What is wrong with a character, and with a look-alike of the separator of names.
pub(super) fn unencodable(c: char, form: FormCharset) -> String {
    let charset = form.code().to_ascii_uppercase();
    let advice = if is_look_alike(c) { "；它不是间隔号，应为“·”(U+00B7)" } else { "" };
    format!("含有“{c}”(U+{:04X})，{charset} 无法表示{advice}", u32::from(c))
}

/// What the clerk can do about it: the name stays, the bank's own spelling is registered beside it.
fn advice(field: Field) -> &'static str {
    match field {
        Field::Holder => {
            "；请问明银行里的户名怎么写，用 fafang change account … --holder 登记银行的写法（姓名不变），再重新计算"
        }
        _ => "；请更正，或与银行商定写法",
    }
}

/// An amount in a unit.
fn money(amount: Money, unit: Unit, bank: &Bank) -> String {
    match unit {
        Unit::Yuan => amount.to_string(),
        Unit::AsBankSays if !bank.amounts_in_fen() => amount.to_string(),
        Unit::Fen | Unit::AsBankSays => amount.fen().to_string(),
    }
}

/// What a field holds: a text, or an amount whose unit its style says.
enum Value<'a> {
    Text(std::borrow::Cow<'a, str>),
    Amount(Money),
}

impl<'a> Sheet<'a> {
    /// The value of a field that belongs to the file.
    fn value(&self, field: Field) -> Value<'a> {
        let header = self.header;
        let text = match field {
            Field::Total => return Value::Amount(header.total),
            Field::FileRef => header.file_ref.as_str().into(),
            Field::Rows => header.rows.to_string().into(),
            Field::PayDate => format!("{:08}", date_number(header.pay_date)).into(),
            Field::Agency => header.agency_code.as_str().into(),
            Field::Scheme => header.scheme_code.as_str().into(),
            Field::Period => header.periods.last.number().to_string().into(),
            Field::Run => self.run_no.to_string().into(),
            Field::Part => header.part.to_string().into(),
            Field::Parts => header.parts.to_string().into(),
            Field::Bank => self.bank.code.as_str().into(),
            Field::BankName => self.bank.name.as_str().into(),
            _ => self.bank.value(field.name()).unwrap_or_default().into(),
        };
        Value::Text(text)
    }

    fn value_of_row<'r, T: AsRef<str>>(
        &self,
        field: Field,
        (seq, nth): (usize, usize),
        row: &'r PaymentRow<T>,
    ) -> Value<'r>
    where
        'a: 'r,
    {
        let text = match field {
            Field::Amount => return Value::Amount(row.amount),
            Field::Seq => seq.to_string().into(),
            Field::Nth => nth.to_string().into(),
            Field::LineNo => row.line_no.to_string().into(),
            Field::Account => row.account.as_ref().into(),
            Field::Holder => row.holder.as_ref().into(),
            Field::Remark => row.remark.as_ref().into(),
            Field::PaymentRef => row.payment_ref.as_ref().into(),
            Field::CitizenNumber => row.citizen_number.as_ref().into(),
            other => return self.value(other),
        };
        Value::Text(text)
    }
}

/// Lines as they grow, with what stands against them.
struct Lines<'a> {
    sheet: &'a Sheet<'a>,
    /// Whose line it is, for what stands against it; 0: the file's.
    line_no: i64,
    holder: String,
    text: String,
    problems: Vec<CannotWrite>,
}

impl Lines<'_> {
    fn refuse(&mut self, field: Field, problem: String) {
        let place = match self.line_no {
            0 => "文件".to_string(),
            line_no => format!("明细第 {line_no} 行（{}）", masked_name(&self.holder)),
        };
        self.problems.push(CannotWrite { place, field, problem });
    }

    /// Letters, digits and `-_.` only: a name is a name on every machine.
    fn file_name(&mut self) -> String {
        let before = self.text.len();
        let sheet = self.sheet;
        self.pieces(&sheet.form.name, |field| sheet.value(field));
        let name = self.text.split_off(before);
        if name.chars().any(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) || name.starts_with('.') {
            self.refuse(Field::FileRef, format!("文件名“{name}”只能有字母、数字和 - _ ."));
        }
        name
    }

    fn row<T: AsRef<str>>(&mut self, numbers: (usize, usize), row: &PaymentRow<T>) {
        if row.amount <= Money::ZERO {
            self.refuse(Field::Amount, format!("{} 元，应大于 0", row.amount));
        }
        for (field, text) in [(Field::Account, row.account.as_ref()), (Field::Holder, row.holder.as_ref())] {
            let is_foreign = field == Field::Holder && text.is_ascii();
            if text.is_empty() {
                self.refuse(field, "为空，应填写".to_string());
            } else if !is_foreign && text.chars().any(char::is_whitespace) {
                self.refuse(field, "中间或首尾有空格，请删除".to_string());
            }
        }
        let sheet = self.sheet;
        self.line(&sheet.form.row, |field| sheet.value_of_row(field, numbers, row));
    }

    fn too_long(&mut self, field: Field, bytes: usize, limit: usize) {
        self.refuse(field, format!("共 {bytes} 字节，最多 {limit} 字节；不能截断，请与银行商定写法"));
    }

    fn line<'v>(&mut self, template: &Template, value: impl Fn(Field) -> Value<'v>) {
        self.pieces(template, value);
        self.text.push_str(self.sheet.form.newline);
    }

    fn pieces<'v>(&mut self, template: &Template, value: impl Fn(Field) -> Value<'v>) {
        for piece in &template.0 {
            match piece {
                Piece::Text(text) => self.text.push_str(text),
                Piece::Field(field, style) => match value(*field) {
                    Value::Text(text) => self.put(*field, &text, *style),
                    Value::Amount(amount) => {
                        let text = money(amount, style.unit, self.sheet.bank);
                        self.put(*field, &text, *style);
                    }
                },
            }
        }
    }

    /// One field in its style.
    fn put(&mut self, field: Field, text: &str, style: Style) {
        let form = self.sheet.form;
        // Once is enough: it is the same in every row.
        if field.is_of_bank() && text.is_empty() && self.problems.iter().all(|p| p.field != field) {
            let problem = format!("没有填写，请在银行 {} 的设置里补上 {}", self.sheet.bank.code, field.name());
            self.problems.push(CannotWrite { place: "银行设置的".to_string(), field, problem });
        }
        let is_plain = |b: u8| matches!(b, b' '..=b'~') && form.separator != Some(char::from(b));
        if !text.bytes().all(is_plain)
            && let Some(c) = text.chars().find(|c| c.is_control() || Some(*c) == form.separator)
        {
            self.refuse(field, format!("含有“{}”(U+{:04X})，不能写入银行文件，请更正", c.escape_debug(), u32::from(c)));
            return;
        }
        if style.unspaced && text.contains(is_blank) {
            return self.refuse(field, "里面有空格，这家银行不收，请与银行商定写法".to_string());
        }
        let bytes = match width(text, form.charset) {
            Ok(bytes) => bytes,
            Err(c) => return self.refuse(field, unencodable(c, form.charset) + advice(field)),
        };
        let of_names = (field == Field::Holder).then_some(self.sheet.layout.name_bytes);
        let limits = [style.most, style.zeros, style.width.map(|(_, width)| width), of_names];
        if let Some(limit) = limits.into_iter().flatten().min().filter(|limit| bytes > *limit) {
            return self.too_long(field, bytes, limit);
        }
        let zeros = style.zeros.map_or(0, |zeros| zeros - bytes);
        let (before, after) = match style.width {
            Some((Side::Left, width)) => (0, width.saturating_sub(bytes + zeros)),
            Some((Side::Right, width)) => (width.saturating_sub(bytes + zeros), 0),
            None => (0, usize::from(style.blank && text.is_empty())),
        };
        self.text.extend(std::iter::repeat_n(' ', before));
        self.text.extend(std::iter::repeat_n('0', zeros));
        match form.medium {
            Medium::Xml => self.text.push_str(&escaped(text)),
            _ => self.text.push_str(text),
        }
        self.text.extend(std::iter::repeat_n(' ', after));
    }
}

/// A text as it stands in XML, inside an element or an attribute.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_a_character_is_that_of_its_bytes() {
        let characters = ('\0'..='\u{A000}').chain(['𠮷', '\u{E000}', '\u{FF08}', '\u{FFFD}']);
        for text in characters.map(String::from) {
            for form in [FormCharset::Gbk, FormCharset::Gb18030, FormCharset::Utf8] {
                assert_eq!(width(&text, form), encode(&text, form).map(|bytes| bytes.len()), "{text:?} {form:?}");
            }
        }
    }
}
