//! What the standards that the program itself writes and reads have in common: texts are looked at before the
//! first byte, and an answer becomes the one that the layout `neutral` would have given.

use std::collections::HashSet;

use super::neutral::{Answer, FileHeader, PaymentRow, file_name};
use crate::domain::bank::{Bank, Layout};
use crate::domain::money::Money;
use crate::domain::person_name::masked_name;
use crate::domain::text::mask_long_numbers;
use crate::formats::charset;
use crate::formats::xml::{XmlError, is_of_xml};

/// What keeps a file from being written. Shows no account and no whole name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{field}: {problem}")]
pub struct CannotWrite {
    /// `明细第 17 行（阿***逊）`, or `文件的`.
    pub place: String,
    /// Which field.
    pub field: &'static str,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// All that a file is written from, beside its rows.
#[derive(Debug, Clone, Copy)]
pub struct Sheet<'a> {
    /// Reference, dates and sums.
    pub header: &'a FileHeader,
    /// The bank, with what the office says of it.
    pub bank: &'a Bank,
    /// Limits of the layout.
    pub layout: &'a Layout,
}

impl Sheet<'_> {
    /// Name of the file on disk: `652827-202601-1-RCC-1of1.xml`.
    pub fn file_name(&self) -> String {
        let name = file_name(self.header, &self.bank.code);
        format!("{}.xml", name.strip_suffix(".txt").unwrap_or(&name))
    }

    /// What the office says of the bank; empty where it says nothing.
    pub fn setting(&self, key: &str) -> &str {
        self.bank.value(key).unwrap_or_default()
    }
}

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// So many characters.
    Characters(usize),
    /// So many bytes of GBK, which must have every character.
    Gbk(usize),
}

/// Looks at texts before they are written, and keeps all that is wrong with them.
#[derive(Debug, Default)]
pub struct Checks {
    place: String,
    problems: Vec<CannotWrite>,
}

impl Checks {
    /// What follows stands here.
    pub fn at(&mut self, place: impl Into<String>) {
        self.place = place.into();
    }

    /// What follows stands in a row.
    pub fn at_row<T: AsRef<str>>(&mut self, row: &PaymentRow<T>) {
        self.place = format!("明细第 {} 行（{}）", row.line_no, masked_name(row.holder.as_ref()));
    }

    /// Something is wrong here.
    pub fn refuse(&mut self, field: &'static str, problem: impl Into<String>) {
        self.problems.push(CannotWrite { place: self.place.clone(), field, problem: problem.into() });
    }

    /// A text that must be there.
    pub fn text(&mut self, field: &'static str, text: &str, most: Most) {
        if text.trim().is_empty() {
            self.refuse(field, "为空，应填写");
        } else {
            self.if_any(field, text, most);
        }
    }

    /// A text that may be missing.
    pub fn if_any(&mut self, field: &'static str, text: &str, most: Most) {
        if let Some(c) = text.chars().find(|c| c.is_control() || !is_of_xml(*c)) {
            return self.refuse(field, format!("含有控制字符 U+{:04X}，不能写入 XML，请更正", u32::from(c)));
        }
        if text.trim() != text {
            return self.refuse(field, "首尾有空格，请删除");
        }
        let (found, limit, unit) = match most {
            Most::Characters(limit) => (text.chars().count(), limit, "个字符"),
            Most::Gbk(limit) => match charset::encode_gbk(text) {
                Ok(bytes) => (bytes.len(), limit, "字节"),
                Err(unmappable) => {
                    let c = unmappable.character;
                    let hint = "请按身份证和银行预留户名更正，或与银行商定写法";
                    return self.refuse(field, format!("含有“{c}”(U+{:04X})，GBK 无法表示，{hint}", u32::from(c)));
                }
            },
        };
        if found > limit {
            self.refuse(field, format!("共 {found} {unit}，最多 {limit} {unit}；不能截断，请与银行商定写法"));
        }
    }

    /// Head and rows tell the same story, no payment stands there twice, and none is nothing.
    pub fn rows<T: AsRef<str>>(&mut self, sheet: &Sheet<'_>, rows: &[PaymentRow<T>]) {
        self.at("文件的");
        let limit = sheet.layout.row_limit.min(sheet.layout.standard.row_limit());
        if rows.is_empty() || rows.len() > limit {
            self.refuse("笔数", format!("{} 笔，应为 1 至 {limit} 笔", rows.len()));
        }
        let total: Money = rows.iter().map(|row| row.amount).sum();
        if (sheet.header.rows, sheet.header.total) != (rows.len(), total) {
            let stated = format!("{} 笔 {}", sheet.header.rows, sheet.header.total);
            self.refuse("总金额", format!("写明 {stated}，按明细应为 {} 笔 {total}", rows.len()));
        }
        let mut refs = HashSet::with_capacity(rows.len());
        for row in rows {
            self.at_row(row);
            if row.amount <= Money::ZERO {
                self.refuse("金额", format!("{} 元，应大于 0", row.amount));
            }
            if !refs.insert(row.payment_ref.as_ref()) {
                self.refuse("支付明细号", "重复，同一笔支付不能报两次");
            }
        }
    }

    /// All that is wrong, if anything is.
    ///
    /// # Errors
    /// Then nothing may be written.
    pub fn done(self) -> Result<(), Vec<CannotWrite>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

/// Why an answer is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No XML that may be read.
    #[error("{0}")]
    Xml(XmlError),
    /// Not what is read here.
    #[error("第 {line} 行: 这是“{found}”，应为 {expected}\n请确认选对了文件")]
    Other {
        /// Line of the file, from 1.
        line: usize,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Something that must be there is not.
    #[error("第 {line} 行的 {element} 里没有 {missing}\n文件不完整，请重新取文件")]
    Missing {
        /// Line of the element, from 1.
        line: usize,
        /// Where.
        element: String,
        /// What.
        missing: &'static str,
    },
    /// A text that cannot be read.
    #[error("第 {line} 行 {field}: “{found}”，应为 {expected}")]
    Field {
        /// Line of the file, from 1.
        line: usize,
        /// Which.
        field: &'static str,
        /// What stands there, long numbers masked.
        found: String,
        /// What should.
        expected: &'static str,
    },
}

impl ReadError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Other { .. } => "BANK_FILE_WRONG_KIND",
            Self::Missing { .. } => "BANK_FILE_MISSING",
            Self::Field { .. } => "BANK_FILE_FIELD",
        }
    }

    /// A text that cannot be read, shortened and masked.
    #[must_use]
    pub fn field(line: usize, field: &'static str, found: &str, expected: &'static str) -> ReadError {
        let found = mask_long_numbers(found).chars().take(40).collect();
        ReadError::Field { line, field, found, expected }
    }
}

impl From<XmlError> for ReadError {
    fn from(error: XmlError) -> ReadError {
        ReadError::Xml(error)
    }
}

/// Why an answer that can be read is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unbelievable {
    /// It is to something else than was sent, or contradicts itself: each difference with what was found and expected.
    Differs(Vec<String>),
    /// No row of it is a payment of the file.
    Foreign,
    /// It says nothing of any payment.
    SaysNothing,
}

/// Something that a clerk must look at, and that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Stable code.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

/// An answer that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// As the layout `neutral` would have said it.
    pub answer: Answer,
    /// What is told beside it.
    pub doubts: Vec<Doubt>,
}
