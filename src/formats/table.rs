//! Tables from outside: CSV, XLSX and XLS as rows of cells, and back again with one more column.
//! Only the form is judged here, never the meaning. A formula is kept as a formula and a number as
//! a number, so that the readers above can refuse what a spreadsheet has computed or damaged.
//!
//! The rows of a text file are read one by one and its cells are pieces of the file: as cells of their own a roster of
//! a million people would be several times as large.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, Reader, SheetType, SheetVisible, Xls, XlsError, Xlsx, XlsxError, XlsxFormulaMetadata};
use chrono::NaiveDate;
use memchr::{memchr_iter, memchr3};
use rust_xlsxwriter::{Format, Workbook};

use super::charset::{self, Charset, CharsetError, Unmappable};
use super::container;
use crate::domain::text::{folded, is_blank};

const LARGEST_FILE: usize = 200 * 1024 * 1024;
const LONGEST_LINE: usize = 1024 * 1024;
const MOST_ROWS: usize = 2_000_000;
const MOST_COLUMNS: usize = 1000;
/// Rows in which a header is looked for; title rows stand above it.
const HEADER_ROWS: usize = 30;

/// One cell, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'t> {
    /// Nothing.
    Empty,
    /// Text. A CSV field is always text (or a formula).
    Text(Cow<'t, str>),
    /// A number of a workbook, in decimals without exponent and with the 15 digits that Excel has.
    Number(Cow<'t, str>),
    /// A date of a workbook.
    Date(NaiveDate),
    /// A formula, without its `=`.
    Formula(Cow<'t, str>),
    /// An error value: `#N/A`.
    Error(Cow<'t, str>),
    /// True or false.
    Bool(bool),
}

impl<'t> Cell<'t> {
    /// What a clerk sees; of a formula the formula.
    #[must_use]
    pub fn text(&self) -> Cow<'t, str> {
        match self {
            Cell::Empty => "".into(),
            Cell::Text(text) | Cell::Number(text) | Cell::Error(text) => text.clone(),
            Cell::Date(date) => date.to_string().into(),
            Cell::Formula(formula) => format!("={formula}").into(),
            Cell::Bool(value) => if *value { "TRUE" } else { "FALSE" }.into(),
        }
    }

    /// True when a clerk sees nothing.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Cell::Empty => true,
            Cell::Text(text) => text.chars().all(is_blank),
            _ => false,
        }
    }

    /// The same cell, its text borrowed.
    fn lent(&self) -> Cell<'_> {
        match self {
            Cell::Empty => Cell::Empty,
            Cell::Text(text) => Cell::Text((&**text).into()),
            Cell::Number(text) => Cell::Number((&**text).into()),
            Cell::Date(date) => Cell::Date(*date),
            Cell::Formula(text) => Cell::Formula((&**text).into()),
            Cell::Error(text) => Cell::Error((&**text).into()),
            Cell::Bool(value) => Cell::Bool(*value),
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'t> {
    /// Row as the spreadsheet counts it, or line on which it starts in a text file; from 1.
    pub number: usize,
    /// Its cells from the first column; blank ones at the end are left out.
    pub cells: Vec<Cell<'t>>,
    /// Columns of a CSV row that were written `="…"` or with a leading `'` or tab, so that Excel
    /// keeps their digits; they are written back like that.
    pub guarded: Vec<usize>,
}

impl<'t> Row<'t> {
    /// The cell of a column, `Empty` beyond the end.
    #[must_use]
    pub fn cell(&self, column: usize) -> &Cell<'t> {
        self.cells.get(column).unwrap_or(&Cell::Empty)
    }

    fn lent(&self) -> Row<'_> {
        let cells = self.cells.iter().map(Cell::lent).collect();
        Row { number: self.number, cells, guarded: self.guarded.clone() }
    }
}

/// What kind of file a table came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableKind {
    /// Text with a delimiter.
    Csv {
        /// Its charset.
        charset: Charset,
        /// Its delimiter.
        delimiter: u8,
    },
    /// XLSX or XLS.
    Workbook {
        /// The sheet that was read.
        sheet: String,
    },
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table<'t> {
    /// File name.
    pub name: String,
    /// Where it came from.
    pub kind: TableKind,
    content: Content<'t>,
}

/// Where the rows of a table are.
#[derive(Debug, Clone)]
enum Content<'t> {
    /// In a text, which was found to be a table of so many rows, with this delimiter.
    Text { text: Cow<'t, str>, delimiter: u8, rows: usize },
    /// Here.
    Rows(Vec<Row<'t>>),
}

impl Table<'_> {
    /// Its rows in the order of the file. Those of a text are read each time anew.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let (text, rows) = match &self.content {
            // Whatever could be wrong with a row was looked for when the table was opened.
            Content::Text { text, delimiter, .. } => (Some(CsvRows::new(text, *delimiter).map_while(Result::ok)), None),
            Content::Rows(rows) => (None, Some(rows.iter().map(Row::lent))),
        };
        text.into_iter().flatten().chain(rows.into_iter().flatten())
    }

    /// The text of a text file, of which the texts of its cells are pieces where they stand in it as they are.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            Content::Rows(_) => None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn row_count(&self) -> usize {
        match &self.content {
            Content::Text { rows, .. } => *rows,
            Content::Rows(rows) => rows.len(),
        }
    }

    /// The same table with some of its rows alone.
    #[must_use]
    pub fn only(&self, is_kept: impl Fn(usize) -> bool) -> Table<'_> {
        let rows = self.rows().filter(|row| is_kept(row.number)).collect();
        Table { name: self.name.clone(), kind: self.kind.clone(), content: Content::Rows(rows) }
    }
}

/// Why a file is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// No byte, or no cell.
    #[error("文件是空的，应有表头和数据；请确认选对了文件")]
    Empty,
    /// Beyond the limit.
    #[error("文件 {found} 字节，上限 200 MB；请按乡镇或月份拆分后分别导入")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// A line or cell beyond the limit.
    #[error("第 {row} 行超过 1 MB，应为一人一行；请检查换行和引号")]
    LineTooLong {
        /// Row, from 1.
        row: usize,
    },
    /// Too many rows.
    #[error("超过 2000000 行；请拆分后分别导入")]
    TooManyRows,
    /// A cell far to the right.
    #[error("第 {row} 行有第 {column} 列，最多 1000 列；请删除右侧多余的单元格")]
    TooManyColumns {
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A quote that is not closed, or has text after it.
    #[error("第 {row} 行的引号（\"）没有正确闭合，其后的行会被并入；请删除多余的引号")]
    Quote {
        /// Line on which the field starts.
        row: usize,
    },
    /// A workbook that cannot be read.
    #[error("工作簿无法读取（{detail}），可能已损坏或未传完；请用表格软件打开后另存为 xlsx")]
    Damaged {
        /// The reader's own words.
        detail: String,
    },
    /// A workbook with a password.
    #[error("工作簿有打开密码；请取消密码后另存")]
    Encrypted,
    /// Another kind of file, often with a false extension.
    #[error("文件内容是 {found}，应为 CSV、xlsx 或 xls；请用表格软件打开后另存为 xlsx")]
    NotATable {
        /// What it is.
        found: &'static str,
    },
    /// Text that does not decode.
    #[error(transparent)]
    Charset(#[from] CharsetError),
}

impl TableError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "FILE_EMPTY",
            Self::TooLarge { .. } => "FILE_TOO_LARGE",
            Self::LineTooLong { .. } => "LINE_TOO_LONG",
            Self::TooManyRows => "TOO_MANY_ROWS",
            Self::TooManyColumns { .. } => "TOO_MANY_COLUMNS",
            Self::Quote { .. } => "QUOTE_OPEN",
            Self::Damaged { .. } => "WORKBOOK_DAMAGED",
            Self::Encrypted => "WORKBOOK_ENCRYPTED",
            Self::NotATable { .. } => "NOT_A_TABLE",
            Self::Charset(error) => error.code(),
        }
    }
}

/// Why a table cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableWriteError {
    /// A character that the file's charset does not have.
    #[error(transparent)]
    Unmappable(#[from] Unmappable),
    /// The workbook writer's own words.
    #[error("无法写出工作簿：{0}")]
    Workbook(String),
}

impl From<rust_xlsxwriter::XlsxError> for TableWriteError {
    fn from(error: rust_xlsxwriter::XlsxError) -> Self {
        TableWriteError::Workbook(error.to_string())
    }
}

/// True for the first bytes of an XLSX or XLS file, whatever its name.
#[must_use]
pub fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0")
}

/// Reads a table; the kind is told from the bytes, because exports are often named wrongly.
/// Of a workbook the first visible sheet that has cells is read. `said` forces a text's charset.
///
/// # Errors
/// When the file is no table, damaged, or beyond a limit.
pub fn read_table<'t>(name: &str, bytes: &'t [u8], said: Option<Charset>) -> Result<Table<'t>, TableError> {
    if bytes.len() > LARGEST_FILE {
        return Err(TableError::TooLarge { found: bytes.len() });
    }
    let (kind, content) = if is_workbook(bytes) {
        // The workbook parser indexes into what it reads; a damaged file must end in a message
        // for the clerk and not in a crash of the program.
        let read = catch_unwind(AssertUnwindSafe(|| read_workbook(bytes)));
        let (sheet, rows) = read.unwrap_or_else(|_| Err(TableError::Damaged { detail: "结构错误".into() }))?;
        (TableKind::Workbook { sheet }, Content::Rows(rows))
    } else {
        let (text, charset) = charset::text_of(bytes, said)?;
        let start = text.trim_start();
        if start.starts_with('<') || start.starts_with("%PDF") {
            return Err(TableError::NotATable { found: if start.starts_with('<') { "网页或 XML" } else { "PDF" } });
        }
        let delimiter = find_delimiter(&text);
        let rows = CsvRows::new(&text, delimiter).count_sound()?;
        (TableKind::Csv { charset, delimiter }, Content::Text { text, delimiter, rows })
    };
    let table = Table { name: name.to_string(), kind, content };
    if table.rows().all(|row| row.cells.is_empty()) {
        return Err(TableError::Empty);
    }
    Ok(table)
}

/// The delimiter that stands on most lines near the top, then the most frequent one, then a
/// comma: amounts and remarks hold commas too, but not on every line.
fn find_delimiter(text: &str) -> u8 {
    let evidence = |delimiter: u8| {
        let counts = text.lines().take(HEADER_ROWS).map(|line| {
            let mut quoted = false;
            let is_delimiter = |b: &u8| {
                quoted ^= *b == b'"';
                *b == delimiter && !quoted
            };
            line.as_bytes().iter().copied().filter(is_delimiter).count()
        });
        counts.filter(|n| *n > 0).fold((0, 0), |(lines, total), n| (lines + 1, total + n))
    };
    // The last of equal maxima wins, so the usual one stands last.
    b";\t,".iter().copied().max_by_key(|d| evidence(*d)).unwrap_or(b',')
}

/// Splits CSV by hand: the line numbers must survive blank lines and quoted line breaks, and an
/// open quote must be an error, since it would swallow the people on the lines after it.
#[derive(Clone)]
struct CsvRows<'t> {
    text: &'t str,
    delimiter: u8,
    at: usize,
    /// Line at which we are, from 1.
    line: usize,
    /// Cells of the row before: the next one probably has as many.
    width: usize,
}

impl<'t> CsvRows<'t> {
    fn new(text: &'t str, delimiter: u8) -> CsvRows<'t> {
        CsvRows { text, delimiter, at: 0, line: 1, width: 0 }
    }

    /// Counts the rows. After this every row can be read.
    fn count_sound(mut self) -> Result<usize, TableError> {
        let mut rows = 0;
        while self.at < self.text.len() {
            if rows == MOST_ROWS {
                return Err(TableError::TooManyRows);
            }
            match self.plain_line() {
                Some(line) => self.go_on(line.len()),
                None => drop(self.row()?),
            }
            rows += 1;
        }
        Ok(rows)
    }

    /// The line at which we are, if it is a row that only has to be cut at its delimiters: no quote is in it, and it
    /// is too short to break any limit.
    fn plain_line(&self) -> Option<&'t str> {
        let rest = &self.text[self.at..];
        let end = memchr3(b'\n', b'\r', b'"', rest.as_bytes()).unwrap_or(rest.len());
        let is_plain = end <= MOST_COLUMNS && rest.as_bytes().get(end) != Some(&b'"');
        is_plain.then(|| &rest[..end])
    }

    /// Past the rest of a line and its end.
    fn go_on(&mut self, length: usize) {
        self.at += length;
        self.at += if self.text.as_bytes()[self.at..].starts_with(b"\r\n") { 2 } else { 1 };
        self.line += 1;
    }

    fn row(&mut self) -> Result<Row<'t>, TableError> {
        let mut row = Row { number: self.line, cells: Vec::with_capacity(self.width), guarded: Vec::new() };
        if let Some(line) = self.plain_line() {
            let mut start = 0;
            for end in memchr_iter(self.delimiter, line.as_bytes()).chain([line.len()]) {
                push_field(&mut row, line[start..end].into())?;
                start = end + 1;
            }
            self.go_on(line.len());
        } else {
            self.fields_into(&mut row)?;
            self.go_on(0);
        }
        self.width = row.cells.len();
        let used = row.cells.iter().rposition(|cell| *cell != Cell::Empty).map_or(0, |last| last + 1);
        row.cells.truncate(used);
        Ok(row)
    }

    /// Field by field, up to the end of the row's last line.
    fn fields_into(&mut self, row: &mut Row<'t>) -> Result<(), TableError> {
        let (text, delimiter, start) = (self.text, self.delimiter, self.at);
        let bytes = text.as_bytes();
        loop {
            let field = if bytes.get(self.at) == Some(&b'"') {
                let end = closing_quote(bytes, self.at + 1).ok_or(TableError::Quote { row: self.line })?;
                let inside = &text[self.at + 1..end];
                if bytes.get(end + 1).is_some_and(|b| *b != delimiter && *b != b'\r' && *b != b'\n') {
                    return Err(TableError::Quote { row: self.line });
                }
                self.line += inside.bytes().filter(|b| *b == b'\n').count();
                self.at = end + 1;
                if inside.contains('"') { inside.replace("\"\"", "\"").into() } else { inside.into() }
            } else {
                let is_end = |b: &u8| *b == delimiter || *b == b'\r' || *b == b'\n';
                let end = bytes[self.at..].iter().position(is_end).map_or(bytes.len(), |n| self.at + n);
                let field = &text[self.at..end];
                self.at = end;
                field.into()
            };
            push_field(row, field)?;
            if self.at - start > LONGEST_LINE {
                return Err(TableError::LineTooLong { row: row.number });
            }
            if bytes.get(self.at) != Some(&delimiter) {
                return Ok(());
            }
            self.at += 1;
        }
    }
}

impl<'t> Iterator for CsvRows<'t> {
    type Item = Result<Row<'t>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.text.len()).then(|| self.row())
    }
}

/// Index of the quote that closes a field; doubled ones belong to it.
fn closing_quote(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = from + bytes[from..].iter().position(|b| *b == b'"')?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

fn push_field<'t>(row: &mut Row<'t>, field: Cow<'t, str>) -> Result<(), TableError> {
    let column = row.cells.len();
    if column >= MOST_COLUMNS && !field.is_empty() {
        return Err(TableError::TooManyColumns { row: row.number, column: column + 1 });
    }
    let cell = match field.as_bytes().first() {
        None => Cell::Empty,
        Some(b'=' | b'\'' | b'\t') => marked(row, &field),
        Some(_) => Cell::Text(field),
    };
    row.cells.push(cell);
    Ok(())
}

/// A field that begins with a mark of spreadsheets: guarded text, or a formula.
fn marked<'t>(row: &mut Row<'t>, field: &Cow<'t, str>) -> Cell<'t> {
    let guarded = |field: &str| {
        let quoted = field.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
        match quoted.filter(|inside| !inside.contains('"')) {
            Some(inside) => Some(2..2 + inside.len()),
            None => field.starts_with(['\'', '\t']).then_some(1..field.len()),
        }
    };
    let piece = |range: Range<usize>| match field {
        Cow::Borrowed(field) => Cow::Borrowed(&field[range]),
        Cow::Owned(field) => Cow::Owned(field[range].to_string()),
    };
    if let Some(inside) = guarded(field) {
        row.guarded.push(row.cells.len());
        Cell::Text(piece(inside))
    } else {
        Cell::Formula(piece(1..field.len()))
    }
}

/// Cells by absolute row; only what is there takes memory, however far out one stray cell is.
#[derive(Default)]
struct Grid(BTreeMap<usize, Vec<Cell<'static>>>);

impl Grid {
    /// Row and column count from 0.
    fn put(&mut self, (row, column): (u32, u32), cell: Cell<'static>) -> Result<(), TableError> {
        if cell == Cell::Empty {
            return Ok(());
        }
        let (row, column) = (row as usize, column as usize);
        if column >= MOST_COLUMNS {
            return Err(TableError::TooManyColumns { row: row + 1, column: column + 1 });
        }
        if matches!(&cell, Cell::Text(text) if text.len() > LONGEST_LINE) {
            return Err(TableError::LineTooLong { row: row + 1 });
        }
        let cells = self.0.entry(row).or_default();
        if cells.len() <= column {
            cells.resize(column + 1, Cell::Empty);
        }
        cells[column] = cell;
        if self.0.len() > MOST_ROWS { Err(TableError::TooManyRows) } else { Ok(()) }
    }

    fn into_rows(self) -> Vec<Row<'static>> {
        self.0.into_iter().map(|(row, cells)| Row { number: row + 1, cells, guarded: Vec::new() }).collect()
    }
}

fn damaged(error: impl std::fmt::Display) -> TableError {
    TableError::Damaged { detail: error.to_string() }
}

fn read_workbook(bytes: &[u8]) -> Result<(String, Vec<Row<'static>>), TableError> {
    if bytes.starts_with(b"PK") { read_xlsx(bytes) } else { read_xls(bytes) }
}

fn visible_sheets(sheets: &[calamine::Sheet]) -> Vec<String> {
    let is_table = |s: &&calamine::Sheet| s.visible == SheetVisible::Visible && s.typ == SheetType::WorkSheet;
    sheets.iter().filter(is_table).map(|s| s.name.clone()).collect()
}

/// Cell by cell, because a range would allocate everything between the outermost cells.
fn read_xlsx(bytes: &[u8]) -> Result<(String, Vec<Row<'static>>), TableError> {
    container::check_xlsx(bytes).map_err(damaged)?;
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    for sheet in visible_sheets(book.sheets_metadata()) {
        let mut grid = Grid::default();
        let mut cells = book.worksheet_cells_reader(&sheet).map_err(damaged)?;
        while let Some(record) = cells.next_cell_with_formula_metadata().map_err(damaged)? {
            let cell = match record.formula {
                None => cell_of(record.value.into()),
                Some(XlsxFormulaMetadata::Normal { formula } | XlsxFormulaMetadata::Shared { formula, .. }) => {
                    Cell::Formula(formula.into())
                }
                // Copied down from another cell; its text stands there.
                Some(_) => Cell::Formula("（与上方相同的公式）".into()),
            };
            grid.put(record.pos, cell)?;
        }
        if !grid.0.is_empty() {
            return Ok((sheet, grid.into_rows()));
        }
    }
    Err(TableError::Empty)
}

fn read_xls(bytes: &[u8]) -> Result<(String, Vec<Row<'static>>), TableError> {
    container::check_xls(bytes).map_err(damaged)?;
    let mut book = Xls::new(Cursor::new(bytes)).map_err(|error| {
        // An XLSX with a password is wrapped in the container of the old format.
        let is_wrapped = || matches!(Xlsx::new(Cursor::new(bytes)), Err(XlsxError::Password));
        if matches!(error, XlsError::Password) || is_wrapped() { TableError::Encrypted } else { damaged(error) }
    })?;
    for sheet in visible_sheets(book.sheets_metadata()) {
        let values = book.worksheet_range(&sheet).map_err(damaged)?;
        let formulas = book.worksheet_formula(&sheet).map_err(damaged)?;
        let mut grid = Grid::default();
        // The two ranges start at different cells: only absolute places can be compared.
        let (top, left) = values.start().unwrap_or_default();
        for (row, column, value) in values.used_cells() {
            let place = (top + u32::try_from(row).unwrap_or(0), left + u32::try_from(column).unwrap_or(0));
            grid.put(place, cell_of(value.clone()))?;
        }
        let (top, left) = formulas.start().unwrap_or_default();
        for (row, column, formula) in formulas.used_cells().filter(|(_, _, formula)| !formula.is_empty()) {
            let place = (top + u32::try_from(row).unwrap_or(0), left + u32::try_from(column).unwrap_or(0));
            grid.put(place, Cell::Formula(formula.clone().into()))?;
        }
        if !grid.0.is_empty() {
            return Ok((sheet, grid.into_rows()));
        }
    }
    Err(TableError::Empty)
}

fn cell_of(value: Data) -> Cell<'static> {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) if text.is_empty() => Cell::Empty,
        Data::String(text) | Data::DurationIso(text) => Cell::Text(text.into()),
        Data::Int(number) => Cell::Number(number.to_string().into()),
        Data::Float(number) => Cell::Number(number_text(number).into()),
        Data::Bool(value) => Cell::Bool(value),
        Data::DateTime(moment) => match moment.as_datetime() {
            Some(time) if moment.is_datetime() => Cell::Date(time.date()),
            _ => Cell::Number(number_text(moment.as_f64()).into()),
        },
        Data::DateTimeIso(text) => match text.get(..10).and_then(|day| day.parse().ok()) {
            Some(day) => Cell::Date(day),
            None => Cell::Text(text.into()),
        },
        Data::Error(error) => Cell::Error(error.to_string().into()),
    }
}

/// With the 15 digits that a spreadsheet shows: 0.1 + 0.2 is 0.3 to the clerk.
fn number_text(number: f64) -> String {
    format!("{number:.14e}").parse::<f64>().unwrap_or(number).to_string()
}

/// A title as it is compared: width folded, without blanks and the `*` of required columns.
fn title_key(text: &str) -> String {
    folded(text).trim_matches('*').to_string()
}

/// The columns of a table, found by their titles.
#[derive(Debug, Clone)]
pub struct Header<C> {
    /// Row number of the titles; 0 when no row has any known title.
    pub row: usize,
    /// Known columns: which, where, and the title as it stands in the file.
    pub known: Vec<(C, usize, String)>,
    /// Other columns that have a title.
    pub unknown: Vec<String>,
}

impl<C: Copy + PartialEq> Header<C> {
    /// Finds the row near the top that has the most known titles; columns stand in any order.
    /// A remark in brackets after a known title is ignored: `月标准(元)`.
    #[must_use]
    pub fn find(table: &Table, titles: &[(C, &[&str])]) -> Header<C> {
        let mut best = Header { row: 0, known: Vec::new(), unknown: Vec::new() };
        for row in table.rows().take(HEADER_ROWS) {
            let mut header = Header { row: row.number, known: Vec::new(), unknown: Vec::new() };
            for (column, cell) in row.cells.iter().enumerate().filter(|(_, cell)| !cell.is_blank()) {
                let title = cell.text().trim().to_string();
                let key = title_key(&title);
                let bare = key.split('(').next().unwrap_or_default();
                let named = |wanted: &str| titles.iter().find(|(_, names)| names.contains(&wanted));
                match named(&key).or_else(|| named(bare)) {
                    Some((which, _)) => header.known.push((*which, column, title)),
                    None => header.unknown.push(title),
                }
            }
            if header.known.len() > best.known.len() {
                best = header;
            }
        }
        best
    }

    /// Place and title of a column; of two the first.
    #[must_use]
    pub fn column(&self, which: C) -> Option<(usize, &str)> {
        self.known.iter().find(|(c, _, _)| *c == which).map(|(_, column, title)| (*column, title.as_str()))
    }
}

/// The word with which a row of totals begins, and what stands behind it in the same cell.
#[must_use]
pub fn total_word(row: &Row) -> Option<String> {
    let text = row.cells.iter().find(|cell| !cell.is_blank())?.text();
    // All these words have this character, which nearly no other text has.
    if !text.contains('计') {
        return None;
    }
    let even = folded(&text);
    let first = even.trim_matches('*');
    ["合计", "总计", "共计", "小计"].into_iter().find_map(|word| first.strip_prefix(word)).map(ToString::to_string)
}

/// The input with one more column at the end, or with that column filled anew when the input is
/// such a file already. CSV keeps charset and delimiter; a workbook becomes XLSX. Texts stay
/// texts and numbers stay numbers: a card number that a spreadsheet has damaged must not come
/// back as an innocent text.
///
/// # Errors
/// When a reason cannot be encoded or the workbook cannot be made.
pub fn write_with_reasons(
    table: &Table,
    header_row: usize,
    reasons: &[(usize, String)],
    column_title: &str,
) -> Result<Vec<u8>, TableWriteError> {
    let mut by_row: HashMap<usize, String> = HashMap::new();
    for (row, reason) in reasons {
        let text = by_row.entry(*row).or_default();
        if !text.is_empty() {
            text.push('；');
        }
        text.push_str(reason);
    }
    by_row.insert(header_row, column_title.to_string());
    let header = table.rows().find(|row| row.number == header_row);
    let own = header.and_then(|row| row.cells.iter().position(|cell| cell.text().trim() == column_title));
    let widest = table.rows().map(|row| row.cells.len()).max().unwrap_or(0);
    let column = own.unwrap_or(widest);
    // As many fields in every row, or other programs refuse the file.
    let width = widest.max(column + 1);
    match &table.kind {
        TableKind::Csv { charset, delimiter } => {
            Ok(charset::encode(&csv_text(table, char::from(*delimiter), (column, width), &by_row), *charset)?)
        }
        TableKind::Workbook { sheet } => workbook_bytes(table, sheet, column, &by_row),
    }
}

fn csv_text(
    table: &Table,
    delimiter: char,
    (column, width): (usize, usize),
    reasons: &HashMap<usize, String>,
) -> String {
    let mut text = String::new();
    for row in table.rows() {
        let reason = reasons.get(&row.number).map_or("", String::as_str);
        for i in 0..width {
            if i > 0 {
                text.push(delimiter);
            }
            let field = if i == column && reason.starts_with(['=', '+', '-', '@']) {
                // Otherwise the spreadsheet would take it for a formula.
                format!("'{reason}").into()
            } else if i == column {
                reason.into()
            } else {
                match row.cell(i).text() {
                    text if !row.guarded.contains(&i) => text,
                    text if text.contains('"') => format!("'{text}").into(),
                    text => format!("=\"{text}\"").into(),
                }
            };
            if field.contains([delimiter, '"', '\r', '\n']) {
                text.push('"');
                text.push_str(&field.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(&field);
            }
        }
        text.push_str("\r\n");
    }
    text
}

fn workbook_bytes(
    table: &Table,
    sheet: &str,
    column: usize,
    reasons: &HashMap<usize, String>,
) -> Result<Vec<u8>, TableWriteError> {
    let too_far = |_| TableWriteError::Workbook("超出工作表的行数或列数".into());
    let as_text = Format::new().set_num_format("@");
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    page.set_name(sheet)?;
    for row in table.rows() {
        let at = u32::try_from(row.number.saturating_sub(1)).map_err(too_far)?;
        for (i, cell) in row.cells.iter().enumerate().filter(|(i, cell)| *i != column && **cell != Cell::Empty) {
            let i = u16::try_from(i).map_err(too_far)?;
            match cell {
                Cell::Number(number) if number.parse::<f64>().is_ok_and(f64::is_finite) => {
                    page.write_number(at, i, number.parse::<f64>().unwrap_or_default())?
                }
                other => page.write_string_with_format(at, i, other.text(), &as_text)?,
            };
        }
        if let Some(reason) = reasons.get(&row.number) {
            page.write_string(at, u16::try_from(column).map_err(too_far)?, reason)?;
        }
    }
    Ok(book.save_to_buffer()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csv(text: &str) -> Table<'_> {
        read_table("名册.csv", text.as_bytes(), None).unwrap()
    }

    fn code(bytes: &[u8]) -> &'static str {
        read_table("x", bytes, None).unwrap_err().code()
    }

    fn rows<'t>(table: &'t Table<'t>) -> Vec<Row<'t>> {
        table.rows().collect()
    }

    fn texts(row: &Row) -> Vec<String> {
        row.cells.iter().map(|cell| cell.text().into_owned()).collect()
    }

    fn sample_workbook() -> Vec<u8> {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("空").unwrap();
        let page = book.add_worksheet();
        page.set_name("名册").unwrap();
        let day = Format::new().set_num_format("yyyy-mm-dd");
        // Starts at C3, the formula further in: offsets must not slip.
        page.write_string(2, 2, "652827194005010017").unwrap();
        page.write_number(2, 3, 6_217_000_011_112_222_333_f64).unwrap();
        page.write_formula(4, 4, rust_xlsxwriter::Formula::new("=1+1").set_result("2")).unwrap();
        let january = rust_xlsxwriter::ExcelDateTime::from_ymd(2026, 1, 1).unwrap();
        page.write_date_with_format(4, 2, &january, &day).unwrap();
        page.write_number(4, 3, 120.5).unwrap();
        page.write_string(5, 2, "=cmd|' /C calc'!A0").unwrap();
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn rows_count_as_the_editor_counts_lines() {
        let table = csv("姓名,备注\n\n王,\"两\r\n行\"\r\n李,\"引\"\"号\"\n");
        let numbers: Vec<usize> = table.rows().map(|row| row.number).collect();
        assert_eq!(numbers, [1, 2, 3, 5]);
        assert_eq!(texts(&rows(&table)[2]), ["王", "两\r\n行"]);
        assert_eq!(texts(&rows(&table)[3]), ["李", "引\"号"]);
    }

    #[test]
    fn the_delimiter_is_found_in_any_charset() {
        for (text, expected) in
            [("标题\na;b;c\n\"1,2\";3", b';'), ("a\tb\n1\t2,3", b'\t'), ("a,b\n", b','), ("a", b',')]
        {
            let bytes = charset::encode(&format!("姓名\n{text}"), Charset::Gb18030).unwrap();
            let kind = read_table("x", &bytes, None).unwrap().kind;
            assert_eq!(kind, TableKind::Csv { charset: Charset::Gb18030, delimiter: expected }, "{text}");
        }
    }

    #[test]
    fn guarded_numbers_are_text_and_other_formulas_are_not() {
        let table = csv("=\"0652\",'6217,\"=\"\"17\"\"\",=1+1,=\"a\"&\"b\",\t88");
        let cells = rows(&table).remove(0).cells;
        assert_eq!(cells[0], Cell::Text("0652".into()));
        assert_eq!(cells[1], Cell::Text("6217".into()));
        assert_eq!(cells[2], Cell::Text("17".into()));
        assert_eq!(cells[3], Cell::Formula("1+1".into()));
        assert_eq!(cells[4], Cell::Formula("\"a\"&\"b\"".into()));
        assert_eq!(cells[5], Cell::Text("88".into()));
        let written = write_with_reasons(&table, 9, &[(1, "=1".into())], "退回原因").unwrap();
        let again = read_table("x", &written, None).unwrap();
        assert_eq!(rows(&again)[0].cells[..6], cells);
        assert_eq!(rows(&again)[0].cells[6], Cell::Text("=1".into()), "guarded, not a formula");
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(code(b""), "FILE_EMPTY");
        assert_eq!(code(b"\n,,\n"), "FILE_EMPTY");
        assert_eq!(code("姓名,\"王\n李,\n".as_bytes()), "QUOTE_OPEN");
        assert_eq!(code("姓名,\"王\n李\"四,\n".as_bytes()), "QUOTE_OPEN");
        assert_eq!(code(&vec![b'a'; 10 * LONGEST_LINE]), "LINE_TOO_LONG");
        assert_eq!(code(&vec![b'\n'; MOST_ROWS + 1]), "TOO_MANY_ROWS");
        assert_eq!(code(format!("{}a", ",".repeat(1000)).as_bytes()), "TOO_MANY_COLUMNS");
        assert_eq!(code(&vec![0; LARGEST_FILE + 1]), "FILE_TOO_LARGE");
        assert_eq!(code(b"a\0b"), "CHARSET_NUL");
        assert_eq!(code("<html><table>".as_bytes()), "NOT_A_TABLE");
        let book = sample_workbook();
        assert_eq!(code(&book[..book.len() / 2]), "WORKBOOK_DAMAGED");
        assert_eq!(code(b"PK\x03\x04"), "WORKBOOK_DAMAGED");
        assert_eq!(code(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), "WORKBOOK_DAMAGED");
    }

    #[test]
    fn cells_of_a_workbook_keep_place_and_kind() {
        let book = sample_workbook();
        let table = read_table("名册.csv", &book, None).unwrap();
        assert_eq!(table.kind, TableKind::Workbook { sheet: "名册".into() });
        let numbers: Vec<usize> = table.rows().map(|row| row.number).collect();
        assert_eq!(numbers, [3, 5, 6]);
        assert_eq!(*rows(&table)[0].cell(2), Cell::Text("652827194005010017".into()));
        assert_eq!(*rows(&table)[0].cell(3), Cell::Number("6217000011112220000".into()));
        assert_eq!(*rows(&table)[1].cell(2), Cell::Date(NaiveDate::from_ymd_opt(2026, 1, 1).unwrap()));
        assert_eq!(*rows(&table)[1].cell(3), Cell::Number("120.5".into()));
        assert_eq!(*rows(&table)[1].cell(4), Cell::Formula("1+1".into()));
        assert_eq!(*rows(&table)[1].cell(9), Cell::Empty);
    }

    #[test]
    fn reasons_come_in_a_last_column_and_are_replaced_the_next_time() {
        let table = csv("标题\n姓名;备注\n王;\"a;b\"\n李\n");
        let reasons = [(4, "一".to_string()), (4, "二".to_string())];
        let bytes = write_with_reasons(&table, 2, &reasons, "退回原因").unwrap();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "标题;;\r\n姓名;备注;退回原因\r\n王;\"a;b\";\r\n李;;一；二\r\n"
        );
        let again = read_table("x", &bytes, None).unwrap();
        let bytes = write_with_reasons(&again, 2, &[(3, "三".into())], "退回原因").unwrap();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), "标题;;\r\n姓名;备注;退回原因\r\n王;\"a;b\";三\r\n李;;\r\n");
    }

    #[test]
    fn a_workbook_comes_back_with_the_same_cells() {
        let book = sample_workbook();
        let table = read_table("x", &book, None).unwrap();
        let bytes = write_with_reasons(&table, 3, &[(6, "=不是公式".into())], "退回原因").unwrap();
        let again = read_table("x", &bytes, None).unwrap();
        assert_eq!(again.kind, table.kind);
        assert_eq!(texts(&rows(&again)[0])[2..], ["652827194005010017", "6217000011112220000", "", "退回原因"]);
        assert_eq!(*rows(&again)[0].cell(3), *rows(&table)[0].cell(3), "a damaged number stays a number");
        assert_eq!(*rows(&again)[2].cell(2), Cell::Text("=cmd|' /C calc'!A0".into()));
        assert_eq!(*rows(&again)[2].cell(5), Cell::Text("=不是公式".into()));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600), head in 0..4_usize) {
            let magic = [&b""[..], b"PK\x03\x04", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", b"\"=\","][head];
            let _ = read_table("x", &[magic, &bytes].concat(), None);
        }

        #[test]
        fn a_damaged_workbook_has_an_answer(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = sample_workbook();
            let place = at.index(bytes.len());
            bytes[place] = byte;
            if cut {
                bytes.truncate(place);
            }
            let _ = read_table("x", &bytes, None);
        }

        #[test]
        fn fields_survive_writing_and_reading(rows in proptest::collection::vec(proptest::collection::vec("[a-c,;\"' \r\n姓名]{1,6}", 1..4), 1..6)) {
            let rows: Vec<Row> = rows.into_iter().enumerate().map(|(i, row)| Row {
                number: i + 1,
                cells: row.into_iter().map(|field| Cell::Text(format!("x{field}").into())).collect(),
                guarded: Vec::new(),
            }).collect();
            let kind = TableKind::Csv { charset: Charset::Utf8, delimiter: b',' };
            let table = Table { name: "x".into(), kind, content: Content::Rows(rows) };
            let text = csv_text(&table, ',', (9, 10), &HashMap::new());
            let again = CsvRows::new(&text, b',').map(Result::unwrap);
            prop_assert_eq!(again.map(|row| row.cells).collect::<Vec<_>>(), table.rows().map(|row| row.cells).collect::<Vec<_>>());
        }

        #[test]
        fn a_line_cut_at_its_delimiters_is_read_as_any_other(text in "([a-b,;\"'=\t \r\n王]|,{995,1005}|x{995,1005}){0,40}") {
            let mut careful = CsvRows::new(&text, b',');
            let mut wanted = Ok(Vec::new());
            while let (Ok(rows), true) = (&mut wanted, careful.at < text.len()) {
                let mut row = Row { number: careful.line, cells: Vec::new(), guarded: Vec::new() };
                let read = careful.fields_into(&mut row);
                careful.go_on(0);
                while row.cells.last() == Some(&Cell::Empty) {
                    row.cells.pop();
                }
                rows.push(row);
                wanted = read.and(wanted);
            }
            let counted = CsvRows::new(&text, b',').count_sound();
            prop_assert_eq!(&counted, &wanted.as_ref().map(Vec::len).map_err(Clone::clone));
            prop_assert_eq!(CsvRows::new(&text, b',').collect::<Result<Vec<_>, _>>(), wanted);
        }
    }
}
