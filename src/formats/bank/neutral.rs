//! The layout `neutral`: our payment file to a bank, and the bank's answers.
//!
//! GB18030, CRLF, fields separated by `|`. The payment file:
//! ```text
//! H|<file ref>|<agency>|<scheme>|<periods>|<pay date YYYYMMDD>|<rows>|<total 0.00>|<part>/<parts>
//! D|<line no>|<account>|<account name>|<amount 0.00>|<citizen number>|<remark>|<payment ref>
//! T|<rows>|<total 0.00>
//! ```
//! The return (回盘) has the sent header with the letter `R`, and of the rows that it answers:
//! ```text
//! D|<line no>|<account>|<account name>|<amount>|<status>|<reason code>|<reason text>|<bank ref>|<on YYYYMMDD>|<payment ref>
//! T|<rows>|<total>|<credited rows>|<credited total>
//! ```
//! Status: `S` credited, `F` rejected, `P` still open; any other text is none of them. A partial
//! return has fewer rows than its header says: its trailer counts the rows of this very file.
//! The late return (退票) is our own addition: the letter `L`, the same header and rows, only the
//! status `R` counts, `<on>` is the day on which the money came back, and the second pair of the
//! trailer counts the returned rows.
//!
//! Writing refuses before the first byte and never cuts or replaces a character. Reading decodes
//! the whole file before it is split, because the byte of `|` is a legal second byte of a GB18030
//! character (東, 晐), and believes nothing that its trailer does not confirm. Whether a row
//! belongs to a payment of ours is not decided here. Layout and traps: the design's chapters on
//! files and bank answers; the limits of a name: 民委发〔2016〕33号 and the layout file.

mod payment;
mod rows;

use std::collections::HashSet;

use chrono::NaiveDate;
use memchr::memchr_iter;

pub use self::payment::PaymentWriter;
pub use self::rows::Rows;
use crate::domain::bank::Layout;
use crate::domain::money::Money;
use crate::domain::period::{PeriodRange, date_from_number, date_number};
use crate::domain::text::mask_middle;
use crate::formats::charset::{self, Charset, CharsetError, Unmappable, is_unmarked_utf8};

/// Longest line read: far beyond any real one, so a file of another kind is refused early.
const LONGEST_LINE: usize = 64 * 1024;

/// First line of a payment file, repeated by its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHeader {
    /// Our name of this file: `652827-202601-1-RCC-1`.
    pub file_ref: String,
    /// Agency code.
    pub agency_code: String,
    /// Scheme code.
    pub scheme_code: String,
    /// Benefit months.
    pub periods: PeriodRange,
    /// Day on which the bank shall pay.
    pub pay_date: NaiveDate,
    /// Rows of the payment file.
    pub rows: usize,
    /// Sum of the payment file.
    pub total: Money,
    /// Which file of the run and bank, from 1.
    pub part: usize,
    /// How many files.
    pub parts: usize,
}

/// One credit asked of the bank. `T` holds a text: its own, or borrowed from where the payment is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow<T = String> {
    /// Line within the run, from 1.
    pub line_no: i64,
    /// Account number, whole.
    pub account: T,
    /// Account holder (户名).
    pub holder: T,
    /// Amount.
    pub amount: Money,
    /// Citizen number, whole.
    pub citizen_number: T,
    /// What the person reads in the bank statement.
    pub remark: T,
    /// Our reference; it alone matches the answer to the payment.
    pub payment_ref: T,
}

/// Which answer a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// 回盘.
    Return,
    /// 退票.
    LateReturn,
}

impl AnswerKind {
    fn letter(self) -> &'static str {
        match self {
            AnswerKind::Return => "R",
            AnswerKind::LateReturn => "L",
        }
    }

    /// The status that the second pair of the trailer counts.
    fn counted<T>(self) -> AnswerStatus<T> {
        match self {
            AnswerKind::Return => AnswerStatus::Credited,
            AnswerKind::LateReturn => AnswerStatus::Returned,
        }
    }
}

/// What the bank says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerStatus<T = String> {
    /// `S` 成功.
    Credited,
    /// `F` 失败.
    Rejected,
    /// `P` 处理中.
    Open,
    /// `R` 退票.
    Returned,
    /// Any other text, or a status that this kind of answer does not have: neither success nor
    /// failure. `未成功` holds `成功`, so nothing but the exact letter counts.
    Unknown(T),
}

impl<T: AsRef<str>> AnswerStatus<T> {
    fn read(text: T, kind: AnswerKind) -> AnswerStatus<T> {
        match (kind, text.as_ref()) {
            (AnswerKind::Return, "S") => AnswerStatus::Credited,
            (AnswerKind::Return, "F") => AnswerStatus::Rejected,
            (AnswerKind::Return, "P") => AnswerStatus::Open,
            (AnswerKind::LateReturn, "R") => AnswerStatus::Returned,
            _ => AnswerStatus::Unknown(text),
        }
    }

    fn text(&self) -> &str {
        match self {
            AnswerStatus::Credited => "S",
            AnswerStatus::Rejected => "F",
            AnswerStatus::Open => "P",
            AnswerStatus::Returned => "R",
            AnswerStatus::Unknown(text) => text.as_ref(),
        }
    }
}

/// One row of an answer, as the bank wrote it. `T` holds a text: its own, or borrowed from that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRow<T = String> {
    /// Line of the file, from 1.
    pub row: usize,
    /// Line within the run, as text.
    pub line_no: T,
    /// Account number.
    pub account: T,
    /// Account holder.
    pub holder: T,
    /// Amount, or the text that is none. (A file that was read has only amounts.)
    pub amount: Result<Money, T>,
    /// Status.
    pub status: AnswerStatus<T>,
    /// The bank's reason code.
    pub reason_code: T,
    /// The bank's reason text.
    pub reason_text: T,
    /// The bank's reference.
    pub bank_ref: T,
    /// Day of the credit, or on which the money came back.
    pub on: Option<NaiveDate>,
    /// Our reference.
    pub payment_ref: T,
}

impl AnswerRow {
    /// The same with its texts borrowed.
    fn lent(&self) -> AnswerRow<&str> {
        AnswerRow {
            row: self.row,
            line_no: &self.line_no,
            account: &self.account,
            holder: &self.holder,
            amount: self.amount.as_ref().map_err(String::as_str).copied(),
            status: match &self.status {
                AnswerStatus::Credited => AnswerStatus::Credited,
                AnswerStatus::Rejected => AnswerStatus::Rejected,
                AnswerStatus::Open => AnswerStatus::Open,
                AnswerStatus::Returned => AnswerStatus::Returned,
                AnswerStatus::Unknown(text) => AnswerStatus::Unknown(text),
            },
            reason_code: &self.reason_code,
            reason_text: &self.reason_text,
            bank_ref: &self.bank_ref,
            on: self.on,
            payment_ref: &self.payment_ref,
        }
    }
}

impl AnswerRow<&str> {
    fn owned(self) -> AnswerRow {
        AnswerRow {
            row: self.row,
            line_no: self.line_no.to_string(),
            account: self.account.to_string(),
            holder: self.holder.to_string(),
            amount: self.amount.map_err(str::to_string),
            status: match self.status {
                AnswerStatus::Credited => AnswerStatus::Credited,
                AnswerStatus::Rejected => AnswerStatus::Rejected,
                AnswerStatus::Open => AnswerStatus::Open,
                AnswerStatus::Returned => AnswerStatus::Returned,
                AnswerStatus::Unknown(text) => AnswerStatus::Unknown(text.to_string()),
            },
            reason_code: self.reason_code.to_string(),
            reason_text: self.reason_text.to_string(),
            bank_ref: self.bank_ref.to_string(),
            on: self.on,
            payment_ref: self.payment_ref.to_string(),
        }
    }
}

/// A bank's answer to a payment file. `R` holds its rows: as they are, or [`Rows`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<R = Vec<AnswerRow>> {
    /// Return or late return.
    pub kind: AnswerKind,
    /// Header of the payment file that is answered.
    pub header: FileHeader,
    /// Rows answered.
    pub rows: R,
}

/// What keeps a file from being written. Shows no account and no whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotWrite {
    /// Line of the payment within the run (of the file, for an answer); 0 for the header.
    pub line_no: i64,
    /// Field, as the clerk knows it: 户名.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

impl std::fmt::Display for CannotWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line_no {
            0 => write!(f, "文件头 {}: {}", self.field, self.problem),
            line => write!(f, "明细第 {line} 行 {}: {}", self.field, self.problem),
        }
    }
}

impl std::error::Error for CannotWrite {}

/// What is wrong with a field that shall be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing there.
    #[error("为空，应填写")]
    Empty,
    /// The separator or a control character.
    #[error("含有 {}，不能写入银行文件，请更正名册", shown_character(*.0))]
    Forbidden(char),
    /// Blanks at an end: the reader would lose them.
    #[error("首尾有空格，请删除")]
    Padded,
    /// A character that GB18030 has no code of its own for.
    #[error("含有 {}，GB18030 无法表示，请按身份证和银行预留户名更正", shown_character(*.0))]
    Unencodable(char),
    /// A name longer than the bank's field. It is never cut.
    #[error("“{masked}”共 {bytes} 字节，最多 {limit} 字节；不能截断，请与银行商定写法")]
    TooLong {
        /// The name, masked.
        masked: String,
        /// Its length in bytes.
        bytes: usize,
        /// The layout's limit.
        limit: usize,
    },
    /// Nothing to pay, or less.
    #[error("{0} 元，应大于 0")]
    NotPositive(Money),
    /// An amount that no reader would take.
    #[error("{0} 元，超出金额上限")]
    TooLarge(Money),
    /// Header and rows tell different stories.
    #[error("写明 {stated}，按明细应为 {counted}")]
    Differs {
        /// In the header.
        stated: String,
        /// From the rows.
        counted: String,
    },
    /// Outside its bounds.
    #[error("{found}，应为 {expected}")]
    Bounds {
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The same payment twice in one file.
    #[error("{0} 重复，同一笔支付不能报两次")]
    Twice(String),
}

fn shown_character(c: char) -> String {
    if c.is_control() {
        format!("控制字符 U+{:04X}", u32::from(c))
    } else {
        format!("“{c}”(U+{:04X})", u32::from(c))
    }
}

/// Why a file is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No bytes, or blank lines only.
    #[error("文件为空，应有文件头、明细和文件尾\n请重新取文件")]
    Empty,
    /// Bytes that are no GB18030 (or no UTF-8 after its mark).
    #[error("{0}\n请让银行按 GB18030 重新提供，不要用编辑器另存")]
    Charset(CharsetError),
    /// Text that is UTF-8 but does not say so. Read as GB18030 its names would be other names.
    #[error("文件是没有标记（BOM）的 UTF-8，应为 GB18030\n请让银行按 GB18030 重新提供，或存为带 BOM 的 UTF-8")]
    UnmarkedUtf8,
    /// A line that no layout of ours has.
    #[error("第 {row} 行长 {bytes} 字节，应不超过 65536 字节\n这不像银行文件，请核对")]
    LineTooLong {
        /// Line of the file, from 1.
        row: usize,
        /// Its length.
        bytes: usize,
    },
    /// A payment file where an answer is read, or the other way round.
    #[error("第 1 行: 这是{found}，不是{expected}")]
    WrongKind {
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The first line is no header.
    #[error("第 1 行以“{found}”开头，应为文件头 {expected}\n文件可能不完整，请重新取文件")]
    NoHeader {
        /// Its letter.
        found: String,
        /// The letters that a header may have.
        expected: String,
    },
    /// Two files in one: line of the second header.
    #[error("第 {0} 行又是文件头，一个文件只能有一个\n可能是几个文件拼在一起，请分开")]
    SecondHeader(usize),
    /// A line that is neither row nor trailer.
    #[error("第 {row} 行以“{found}”开头，应为 D（明细）或 T（文件尾）")]
    Letter {
        /// Line of the file, from 1.
        row: usize,
        /// How the line begins.
        found: String,
    },
    /// Too many or too few fields.
    #[error("第 {row} 行有 {found} 栏，应为 {expected} 栏（竖线分隔）")]
    FieldCount {
        /// Line of the file, from 1.
        row: usize,
        /// Fields found.
        found: usize,
        /// Fields of such a line.
        expected: usize,
    },
    /// A field that cannot be read.
    #[error("第 {row} 行 {field}: “{found}”，应为 {expected}")]
    Field {
        /// Line of the file, from 1.
        row: usize,
        /// Which field.
        field: &'static str,
        /// What stands there, shortened.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// No trailer after so many rows.
    #[error("读到 {0} 笔明细后没有文件尾 T\n文件可能不完整，请重新取回盘文件")]
    Truncated(usize),
    /// Something follows the trailer, in this line.
    #[error("第 {0} 行在文件尾之后，应没有内容\n可能是几个文件拼在一起，请分开")]
    AfterTrailer(usize),
    /// The rows do not add up to what header or trailer say.
    #[error("第 {row} 行 {field}: 写明 {stated}，按明细应为 {counted}\n文件可能不完整或被改动，请重新取文件")]
    Totals {
        /// Line of the header or trailer.
        row: usize,
        /// Which sum.
        field: &'static str,
        /// What the file says.
        stated: String,
        /// What the rows say.
        counted: String,
    },
    /// A payment file that can be understood but is not what we write: first differing line.
    #[error("第 {0} 行与本系统写出的格式不一致，文件被改动过\n请重新导出支付文件")]
    Altered(usize),
    /// The answer to a file that was read cannot be written (simulated bank only).
    #[error("无法写出应答: {0}")]
    Unanswerable(CannotWrite),
}

impl ReadError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "BANK_FILE_EMPTY",
            Self::Charset(CharsetError::Nul { .. }) => "BANK_FILE_NUL",
            Self::Charset(_) | Self::UnmarkedUtf8 => "BANK_FILE_ENCODING",
            Self::LineTooLong { .. } => "BANK_FILE_LINE_TOO_LONG",
            Self::WrongKind { .. } => "BANK_FILE_WRONG_KIND",
            Self::NoHeader { .. } => "BANK_FILE_NO_HEADER",
            Self::SecondHeader(_) => "BANK_FILE_SECOND_HEADER",
            Self::Letter { .. } => "BANK_FILE_LETTER",
            Self::FieldCount { .. } => "BANK_FILE_FIELD_COUNT",
            Self::Field { .. } => "BANK_FILE_FIELD",
            Self::Truncated(_) => "BANK_FILE_TRUNCATED",
            Self::AfterTrailer(_) => "BANK_FILE_AFTER_TRAILER",
            Self::Totals { .. } => "BANK_FILE_TOTALS",
            Self::Altered(_) => "BANK_FILE_ALTERED",
            Self::Unanswerable(_) => "BANK_FILE_UNANSWERABLE",
        }
    }
}

/// Name of the file on disk: `652827-202601-1-RCC-1of1.txt`. Letters, digits, `-` and `_` only.
#[must_use]
pub fn file_name(header: &FileHeader, bank_code: &str) -> String {
    let FileHeader { file_ref, part, parts, .. } = header;
    let tail = format!("-{bank_code}-{part}");
    let stem = file_ref.strip_suffix(&tail).unwrap_or(file_ref);
    let plain: String = format!("{stem}{tail}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
        .collect();
    format!("{plain}of{parts}.txt")
}

// ---- writing -------------------------------------------------------------------------------

/// Writes a payment file. Everything is checked first.
///
/// # Errors
/// All that stands against writing, with line, field and limit; then no byte is written.
pub fn write_payment_file<T: AsRef<str>>(
    header: &FileHeader,
    rows: &[PaymentRow<T>],
    layout: &Layout,
) -> Result<Vec<u8>, Vec<CannotWrite>> {
    let mut writer = PaymentWriter::new(layout, rows.len());
    // References of a run grow from row to row, so that none can come twice; others are all remembered.
    let mut refs = (!references_grow(rows)).then(|| HashSet::with_capacity(rows.len()));
    for row in rows {
        let is_twice = refs.as_mut().is_some_and(|refs| !refs.insert(row.payment_ref.as_ref()));
        writer.put(row, is_twice);
    }
    writer.finish(header)
}

/// Writes an answer, computing its trailer. For the simulated bank and tests.
///
/// # Errors
/// All fields that could not be read back as they are.
pub fn write_answer(answer: &Answer) -> Result<Vec<u8>, Vec<CannotWrite>> {
    let mut refusals = Refusals::default();
    refusals.header(&answer.header);
    let mut text = header_line(answer.kind.letter(), &answer.header);
    for (line_no, row) in (2..).zip(&answer.rows) {
        for (field, value) in [
            ("行号", &row.line_no),
            ("账号", &row.account),
            ("户名", &row.holder),
            ("原因代码", &row.reason_code),
            ("原因说明", &row.reason_text),
            ("银行流水号", &row.bank_ref),
            ("支付明细号", &row.payment_ref),
        ] {
            refusals.text(line_no, field, value, false);
        }
        let status = row.status.text();
        refusals.text(line_no, "状态", status, false);
        if AnswerStatus::read(status.to_string(), answer.kind) != row.status {
            let (found, expected) = (status.to_string(), "本类应答可用的状态".to_string());
            refusals.add(line_no, "状态", Problem::Bounds { found, expected });
        }
        match row.amount {
            Ok(amount) if is_readable(amount) => {}
            Ok(amount) => refusals.add(line_no, "金额", Problem::TooLarge(amount)),
            Err(_) => refusals.add(line_no, "金额", Problem::Empty),
        }
        line(
            &mut text,
            &[
                "D",
                &row.line_no,
                &row.account,
                &row.holder,
                &row.amount.as_ref().map_or_else(String::clone, ToString::to_string),
                status,
                &row.reason_code,
                &row.reason_text,
                &row.bank_ref,
                &row.on.map_or_else(String::new, |on| date_number(on).to_string()),
                &row.payment_ref,
            ],
        );
    }
    let (rows, total) = count(&answer.rows, |_| true);
    let (counted_rows, counted_total) = count(&answer.rows, |r| r.status == answer.kind.counted());
    if !is_readable(total) {
        refusals.add(0, "总金额", Problem::TooLarge(total));
    }
    line(
        &mut text,
        &["T", &rows.to_string(), &total.to_string(), &counted_rows.to_string(), &counted_total.to_string()],
    );
    refusals.bytes(&text)
}

/// All that stands against writing.
#[derive(Debug, Default)]
struct Refusals(Vec<CannotWrite>);

impl Refusals {
    fn add(&mut self, line_no: i64, field: &'static str, problem: Problem) {
        self.0.push(CannotWrite { line_no, field, problem });
    }

    fn differs(&mut self, field: &'static str, stated: String, counted: String) {
        if stated != counted {
            self.add(0, field, Problem::Differs { stated, counted });
        }
    }

    fn text(&mut self, line_no: i64, field: &'static str, text: &str, is_needed: bool) {
        // Numbers and references, nearly always: nothing of them can be wrong.
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'|') {
            return;
        }
        self.shape(line_no, field, text, is_needed);
        if let Err(unmappable) = gb18030(text) {
            self.add(line_no, field, Problem::Unencodable(unmappable.character));
        }
    }

    /// All but the charset.
    fn shape(&mut self, line_no: i64, field: &'static str, text: &str, is_needed: bool) {
        if is_needed && text.trim().is_empty() {
            self.add(line_no, field, Problem::Empty);
        }
        if let Some(found) = text.chars().find(|c| *c == '|' || c.is_control()) {
            self.add(line_no, field, Problem::Forbidden(found));
        } else if text.trim() != text {
            self.add(line_no, field, Problem::Padded);
        }
    }

    /// The same for a text that is mostly Chinese, with its bytes. The one before is remembered: a remark is that of
    /// all rows.
    fn encoded(&mut self, line_no: i64, field: &'static str, text: &str, is_needed: bool, encoded: &mut Encoded) {
        if encoded.is_sound && encoded.text == text {
            return;
        }
        encoded.text.clear();
        encoded.text.push_str(text);
        encoded.bytes.clear();
        let before = self.0.len();
        self.shape(line_no, field, text, is_needed);
        if let Err(unmappable) = charset::encode_onto(text, &mut encoded.bytes) {
            self.add(line_no, field, Problem::Unencodable(unmappable.character));
        }
        encoded.is_sound = self.0.len() == before;
    }

    fn header(&mut self, header: &FileHeader) {
        self.text(0, "文件编号", &header.file_ref, true);
        self.text(0, "机构代码", &header.agency_code, true);
        self.text(0, "项目代码", &header.scheme_code, true);
        if !(1..=header.parts).contains(&header.part) {
            let found = format!("{}/{}", header.part, header.parts);
            self.add(0, "分件", Problem::Bounds { found, expected: "1/1 这样的第几件/共几件".to_string() });
        }
        if !is_readable(header.total) {
            self.add(0, "总金额", Problem::TooLarge(header.total));
        }
    }

    /// The bytes, if nothing stands against them.
    fn bytes(mut self, text: &str) -> Result<Vec<u8>, Vec<CannotWrite>> {
        if self.0.is_empty() {
            if let Ok(bytes) = gb18030(text) {
                return Ok(bytes);
            }
            self.add(0, "文件", Problem::Unencodable(char::REPLACEMENT_CHARACTER));
        }
        Err(self.0)
    }
}

fn is_readable(amount: Money) -> bool {
    Money::parse(&amount.to_string()) == Ok(amount)
}

/// Saturating: a sum beyond `i64` equals no total that can be read.
fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    Money(amounts.fold(0, |total, amount| total.saturating_add(amount.0)))
}

fn count<T>(rows: &[AnswerRow<T>], is_counted: impl Fn(&AnswerRow<T>) -> bool) -> (usize, Money) {
    let counted = || rows.iter().filter(|r| is_counted(r));
    (counted().count(), sum(counted().filter_map(|r| r.amount.as_ref().ok().copied())))
}

/// Rows and their sum, saturating like [`sum`].
#[derive(Debug, Default)]
struct Tally {
    rows: usize,
    total: Money,
}

impl Tally {
    fn add(&mut self, amount: Money) {
        self.rows += 1;
        self.total = Money(self.total.0.saturating_add(amount.0));
    }
}

fn line(text: &mut String, fields: &[&str]) {
    text.push_str(&fields.join("|"));
    text.push_str("\r\n");
}

fn header_line(letter: &str, header: &FileHeader) -> String {
    format!(
        "{letter}|{}|{}|{}|{}|{:08}|{}|{}|{}/{}\r\n",
        header.file_ref,
        header.agency_code,
        header.scheme_code,
        header.periods,
        date_number(header.pay_date),
        header.rows,
        header.total,
        header.part,
        header.parts
    )
}

fn trailer_line(header: &FileHeader) -> String {
    format!("T|{}|{}\r\n", header.rows, header.total)
}

/// Whether the references of the rows grow.
pub(super) fn references_grow<T: AsRef<str>>(rows: &[PaymentRow<T>]) -> bool {
    rows.is_sorted_by(|a, b| grows(a.payment_ref.as_ref(), b.payment_ref.as_ref()))
}

/// Whether a reference is greater than that before it: longer, or of the same length and greater by its characters.
fn grows(before: &str, next: &str) -> bool {
    (before.len(), before) < (next.len(), next)
}

/// A text in the charset of the file, kept for the next row.
#[derive(Debug, Default)]
struct Encoded {
    text: String,
    bytes: Vec<u8>,
    /// Nothing stands against it.
    is_sound: bool,
}

fn put_row<T: AsRef<str>>(bytes: &mut Vec<u8>, row: &PaymentRow<T>, holder: &[u8], remark: &[u8]) {
    bytes.extend_from_slice(b"D|");
    put_number(bytes, row.line_no);
    bytes.push(b'|');
    put_text(bytes, row.account.as_ref());
    bytes.push(b'|');
    bytes.extend_from_slice(holder);
    bytes.push(b'|');
    put_money(bytes, row.amount);
    bytes.push(b'|');
    put_text(bytes, row.citizen_number.as_ref());
    bytes.push(b'|');
    bytes.extend_from_slice(remark);
    bytes.push(b'|');
    put_text(bytes, row.payment_ref.as_ref());
    bytes.extend_from_slice(b"\r\n");
}

/// A text that was refused is not written, and neither is its file.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let _ = charset::encode_onto(text, bytes);
}

/// As `Display` writes it, without its machinery.
fn put_number(bytes: &mut Vec<u8>, number: i64) {
    if number < 0 {
        bytes.push(b'-');
    }
    put_digits(bytes, number.unsigned_abs());
}

/// As `Display` writes it.
fn put_money(bytes: &mut Vec<u8>, amount: Money) {
    if amount < Money::ZERO {
        bytes.push(b'-');
    }
    let fen = amount.0.unsigned_abs();
    put_digits(bytes, fen / 100);
    let cents = u8::try_from(fen % 100).unwrap_or_default();
    bytes.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10]);
}

fn put_digits(bytes: &mut Vec<u8>, mut number: u64) {
    let (mut digits, mut at) = ([0; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            return bytes.extend_from_slice(&digits[at..]);
        }
    }
}

// ---- reading -------------------------------------------------------------------------------

/// Reads a payment file of ours, strictly: only what [`write_payment_file`] writes. For the
/// simulated bank and tests.
///
/// # Errors
/// The first rule that the file breaks.
pub fn read_payment_file(bytes: &[u8]) -> Result<(FileHeader, Vec<PaymentRow>), ReadError> {
    let text = decode(bytes)?;
    let file = File::open(&text, &["H"], "支付文件")?;
    let header = file.head.header()?;
    let head = file.head;
    let (rows, trailer) = file.rows(header.rows, [8, 3], |line| {
        Ok(PaymentRow {
            line_no: line.read(1, "行号", "整数", |t| t.parse().ok())?,
            account: line.fields[2].to_string(),
            holder: line.fields[3].to_string(),
            amount: line.money(4, "金额")?,
            citizen_number: line.fields[5].to_string(),
            remark: line.fields[6].to_string(),
            payment_ref: line.fields[7].to_string(),
        })
    })?;
    let total = sum(rows.iter().map(|r| r.amount));
    for (line, at) in [(&head, 6), (&trailer, 1)] {
        line.confirms(at, rows.len(), total, ["笔数", "总金额"])?;
    }
    let mut written = Vec::with_capacity(bytes.len());
    put_text(&mut written, &header_line("H", &header));
    let (mut holder, mut remark) = (Vec::new(), Vec::new());
    for row in &rows {
        holder.clear();
        remark.clear();
        put_text(&mut holder, &row.holder);
        put_text(&mut remark, &row.remark);
        put_row(&mut written, row, &holder, &remark);
    }
    put_text(&mut written, &trailer_line(&header));
    if written != bytes {
        let is_end = |byte: &u8| *byte == b'\n';
        let same = bytes.split(is_end).zip(written.split(is_end)).take_while(|(a, b)| a == b).count();
        return Err(ReadError::Altered(same + 1));
    }
    Ok((header, rows))
}

/// The text of a return or late return, to be read by [`parse_answer`].
///
/// # Errors
/// When the bytes are no text in GB18030, or marked UTF-8.
pub fn answer_text(bytes: &[u8]) -> Result<String, ReadError> {
    if is_unmarked_utf8(bytes) {
        return Err(ReadError::UnmarkedUtf8);
    }
    decode(bytes)
}

/// Which answer a file seems to be, by its first letter; nothing else of it was looked at.
#[must_use]
pub fn seeming_kind(bytes: &[u8]) -> Option<AnswerKind> {
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match body.split(|b| *b == b'|').next()?.trim_ascii() {
        b"R" => Some(AnswerKind::Return),
        b"L" => Some(AnswerKind::LateReturn),
        _ => None,
    }
}

/// Reads a return or late return.
///
/// # Errors
/// The first rule that the file breaks: nothing of such a file may count.
pub fn read_answer(bytes: &[u8]) -> Result<Answer, ReadError> {
    let text = answer_text(bytes)?;
    let Answer { kind, header, rows } = parse_answer(&text)?;
    Ok(Answer { kind, header, rows: rows.iter().map(AnswerRow::owned).collect() })
}

/// Reads the text of a return or late return in place: a file of many rows costs no copy of their texts, nor a list of them.
///
/// # Errors
/// The first rule that the file breaks, from its top: nothing of such a file may count.
pub fn parse_answer(text: &str) -> Result<Answer<Rows<'_>>, ReadError> {
    let file = File::open(text, &["R", "L"], "回盘")?;
    let kind = if file.head.fields[0] == "L" { AnswerKind::LateReturn } else { AnswerKind::Return };
    let header = file.head.header()?;
    let (mut all, mut counted) = (Tally::default(), Tally::default());
    let (lines, trailer) = file.rows(header.rows, [ANSWER_FIELDS, 5], |line| {
        let row = line.answer_row(kind)?;
        let amount = row.amount.unwrap_or_default();
        all.add(amount);
        if row.status == kind.counted() {
            counted.add(amount);
        }
        Ok(line.text)
    })?;
    trailer.confirms(1, all.rows, all.total, ["笔数", "总金额"])?;
    let fields = match kind {
        AnswerKind::Return => ["成功笔数", "成功金额"],
        AnswerKind::LateReturn => ["退票笔数", "退票金额"],
    };
    trailer.confirms(3, counted.rows, counted.total, fields)?;
    Ok(Answer { kind, header, rows: Rows::of_lines(kind, lines, all.total) })
}

fn gb18030(text: &str) -> Result<Vec<u8>, Unmappable> {
    charset::encode(text, Charset::Gb18030)
}

/// The whole file as text: GB18030, or UTF-8 if it carries the mark.
fn decode(bytes: &[u8]) -> Result<String, ReadError> {
    let charset = if bytes.starts_with(b"\xEF\xBB\xBF") { Charset::Utf8Bom } else { Charset::Gb18030 };
    charset::decode(bytes, Some(charset)).map(|(text, _)| text).map_err(ReadError::Charset)
}

/// Fields of the longest kind of line, a row of an answer.
const ANSWER_FIELDS: usize = 11;

/// Fields of a header.
const HEADER_FIELDS: usize = 9;

/// One line, split; blanks around the fields are gone.
#[derive(Clone, Copy)]
struct Line<'t> {
    row: usize,
    text: &'t str,
    fields: [&'t str; ANSWER_FIELDS],
    count: usize,
}

/// A file whose header was looked at, its other lines to be read one by one.
struct File<'t> {
    head: Line<'t>,
    rest: std::iter::Enumerate<std::str::Split<'t, char>>,
    length: usize,
}

impl<'t> File<'t> {
    fn open(text: &'t str, heads: &[&str], title: &'static str) -> Result<File<'t>, ReadError> {
        if text.trim_start().is_empty() {
            return Err(ReadError::Empty);
        }
        // The newline of the last line, then at most one empty line.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.rsplit_once('\n').filter(|(_, last)| last.trim().is_empty()).map_or(text, |(rest, _)| rest);
        let mut rest = text.split('\n').enumerate();
        let head = rest.next().map_or(Err(ReadError::Empty), Line::split)?;
        if !heads.contains(&head.fields[0]) {
            return Err(match kind_of(head.fields[0]) {
                Some(found) => ReadError::WrongKind { found, expected: title },
                None => ReadError::NoHeader { found: shortened(head.fields[0], 4), expected: heads.join(" 或 ") },
            });
        }
        head.has(HEADER_FIELDS)?;
        Ok(File { head, rest, length: text.len() })
    }

    /// Its rows, about as many as `stated`, and its trailer. `widths`: fields of row and trailer.
    fn rows<R>(
        mut self,
        stated: usize,
        widths: [usize; 2],
        mut read: impl FnMut(&Line<'t>) -> Result<R, ReadError>,
    ) -> Result<(Vec<R>, Line<'t>), ReadError> {
        // No file has more rows than there is room for, whatever its header says.
        let mut rows = Vec::with_capacity(stated.min(self.length / (2 * widths[0])));
        while let Some(line) = self.rest.next().map(Line::split).transpose()? {
            match line.fields[0] {
                "D" => {
                    line.has(widths[0])?;
                    rows.push(read(&line)?);
                }
                "T" => {
                    line.has(widths[1])?;
                    return match self.rest.next() {
                        None => Ok((rows, line)),
                        Some(_) => Err(ReadError::AfterTrailer(line.row + 1)),
                    };
                }
                letter if kind_of(letter).is_some() => return Err(ReadError::SecondHeader(line.row)),
                other => return Err(ReadError::Letter { row: line.row, found: shortened(other, 4) }),
            }
        }
        Err(ReadError::Truncated(rows.len()))
    }
}

/// Which kind of file begins with this letter.
fn kind_of(letter: &str) -> Option<&'static str> {
    match letter {
        "H" => Some("支付文件"),
        "R" => Some("回盘"),
        "L" => Some("退票文件"),
        _ => None,
    }
}

impl<'t> Line<'t> {
    fn split((index, line): (usize, &'t str)) -> Result<Line<'t>, ReadError> {
        let row = index + 1;
        if line.len() > LONGEST_LINE {
            return Err(ReadError::LineTooLong { row, bytes: line.len() });
        }
        let text = line.strip_suffix('\r').unwrap_or(line);
        let (mut fields, mut count, mut start) = ([""; ANSWER_FIELDS], 0, 0);
        for end in memchr_iter(b'|', text.as_bytes()).chain([text.len()]) {
            if let Some(place) = fields.get_mut(count) {
                *place = trimmed(&text[start..end]);
            }
            count += 1;
            start = end + 1;
        }
        Ok(Line { row, text, fields, count })
    }

    fn has(&self, expected: usize) -> Result<(), ReadError> {
        let found = self.count;
        if found == expected { Ok(()) } else { Err(ReadError::FieldCount { row: self.row, found, expected }) }
    }

    fn read<T>(
        &self,
        at: usize,
        field: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ReadError> {
        let text = self.fields[at];
        parse(text).ok_or_else(|| ReadError::Field { row: self.row, field, found: shortened(text, 20), expected })
    }

    fn money(&self, at: usize, field: &'static str) -> Result<Money, ReadError> {
        self.read(at, field, "120.00 这样的金额", |t| Money::parse(t).ok())
    }

    fn count(&self, at: usize, field: &'static str) -> Result<usize, ReadError> {
        self.read(at, field, "整数", number)
    }

    fn date(&self, at: usize, field: &'static str) -> Result<NaiveDate, ReadError> {
        let date = |t: &str| (t.len() == 8).then(|| number(t)).flatten().and_then(|n| i64::try_from(n).ok());
        self.read(at, field, "20260115 这样的日期", |t| date(t).and_then(date_from_number))
    }

    /// A row of an answer.
    fn answer_row(&self, kind: AnswerKind) -> Result<AnswerRow<&'t str>, ReadError> {
        Ok(AnswerRow {
            row: self.row,
            line_no: self.fields[1],
            account: self.fields[2],
            holder: self.fields[3],
            amount: Ok(self.money(4, "金额")?),
            status: AnswerStatus::read(self.fields[5], kind),
            reason_code: self.fields[6],
            reason_text: self.fields[7],
            bank_ref: self.fields[8],
            on: if self.fields[9].is_empty() { None } else { Some(self.date(9, "入账日期")?) },
            payment_ref: self.fields[10],
        })
    }

    fn header(&self) -> Result<FileHeader, ReadError> {
        let filled = |at, field| self.read(at, field, "非空", |t| (!t.is_empty()).then(|| t.to_string()));
        let (part, parts) = self.read(8, "分件", "1/1 这样的第几件/共几件", |t| {
            let (part, parts) = t.split_once('/')?;
            Some((number(part.trim())?, number(parts.trim())?)).filter(|(part, parts)| (1..=*parts).contains(part))
        })?;
        Ok(FileHeader {
            file_ref: filled(1, "文件编号")?,
            agency_code: filled(2, "机构代码")?,
            scheme_code: filled(3, "项目代码")?,
            periods: self.read(4, "所属期", "2026-01 或 2026-01..2026-03", |t| t.parse().ok())?,
            pay_date: self.date(5, "支付日期")?,
            rows: self.count(6, "笔数")?,
            total: self.money(7, "总金额")?,
            part,
            parts,
        })
    }

    /// The number of rows at `at` and the total after it are what the rows say.
    fn confirms(&self, at: usize, rows: usize, total: Money, fields: [&'static str; 2]) -> Result<(), ReadError> {
        let differ = |field, stated, counted| Err(ReadError::Totals { row: self.row, field, stated, counted });
        let stated = (self.count(at, fields[0])?, self.money(at + 1, fields[1])?);
        if stated.0 != rows {
            return differ(fields[0], stated.0.to_string(), rows.to_string());
        }
        if stated.1 != total {
            return differ(fields[1], stated.1.to_string(), total.to_string());
        }
        Ok(())
    }
}

/// Without the blanks around it, which most fields do not have.
fn trimmed(field: &str) -> &str {
    let is_plain = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_graphic);
    let bytes = field.as_bytes();
    if is_plain(bytes.first()) && is_plain(bytes.last()) { field } else { field.trim() }
}

/// Digits only; `parse` alone would take `+5`.
fn number(text: &str) -> Option<usize> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The beginning, for a message. What may be an account or citizen number in the wrong place is
/// masked.
fn shortened(text: &str, characters: usize) -> String {
    if text.len() >= 15 && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return mask_middle(&text[text.len() - 15..], 0, 4);
    }
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests;
