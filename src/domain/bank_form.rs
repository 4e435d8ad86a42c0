//! How a bank's own payment file and its own answer look, as data: what a layout of
//! `config/banks/*.toml` says once it was read and found right. Which texts mean what is decided in
//! `formats::bank::layout`; nothing here reads or writes a file.

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Medium {
    /// Lines of text, delimited or of fixed widths.
    #[default]
    Text,
    /// A workbook (XLSX): the separator of the description stands between two cells.
    Workbook,
    /// XML: lines of text in which the texts of fields are escaped.
    Xml,
}

impl Medium {
    /// Every kind, as a layout file writes it.
    pub const ALL: [(Medium, &'static str); 3] =
        [(Medium::Text, "text"), (Medium::Workbook, "workbook"), (Medium::Xml, "xml")];
}

/// The characters of a payment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormCharset {
    /// One or two bytes a character; what GB18030 writes with four does not exist.
    Gbk,
    /// GB18030.
    Gb18030,
    /// UTF-8 without a mark.
    Utf8,
    /// UTF-8 after its mark.
    Utf8Bom,
}

impl FormCharset {
    /// Every charset.
    pub const ALL: [FormCharset; 4] = [FormCharset::Gbk, FormCharset::Gb18030, FormCharset::Utf8, FormCharset::Utf8Bom];

    /// As a layout file writes it.
    pub fn code(self) -> &'static str {
        match self {
            FormCharset::Gbk => "gbk",
            FormCharset::Gb18030 => "gb18030",
            FormCharset::Utf8 => "utf-8",
            FormCharset::Utf8Bom => "utf-8-bom",
        }
    }

    /// As XML declares it.
    pub fn declared(self) -> &'static str {
        match self {
            FormCharset::Gbk => "GBK",
            FormCharset::Gb18030 => "GB18030",
            FormCharset::Utf8 | FormCharset::Utf8Bom => "UTF-8",
        }
    }
}

/// How an amount is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// 元 with two decimals.
    #[default]
    Yuan,
    /// 分, an integer.
    Fen,
    /// What the office's entry of the bank says: descriptions of this layout contradict each other.
    AsBankSays,
}

/// What a field holds: the closed list of names that a layout may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Our reference of the file.
    FileRef,
    /// Rows of the file.
    Rows,
    /// Their sum.
    Total,
    /// In an answer: rows of the payment file.
    SentRows,
    /// In an answer: sum of the payment file.
    SentTotal,
    /// Day on which the bank shall pay, yyyymmdd.
    PayDate,
    /// Agency code.
    Agency,
    /// Scheme code.
    Scheme,
    /// Last benefit month, yyyymm.
    Period,
    /// Number of the run.
    Run,
    /// Which file of run and bank.
    Part,
    /// How many files.
    Parts,
    /// Our code of the bank.
    Bank,
    /// Full name of the bank.
    BankName,
    /// The bank's number (联行号), from the office's entry of the bank.
    BankNo,
    /// Account that pays, from the office's entry.
    PayerAccount,
    /// Its holder, from the office's entry.
    PayerName,
    /// Its bank, from the office's entry.
    PayerBank,
    /// The number that the bank gave the office (单位编号、商户号), from the office's entry.
    UnitNo,
    /// Row within the file, from 1.
    Seq,
    /// Line within the run.
    LineNo,
    /// Account.
    Account,
    /// Account holder.
    Holder,
    /// Amount.
    Amount,
    /// What the person reads in the statement.
    Remark,
    /// Our reference of the payment.
    PaymentRef,
    /// Citizen number.
    CitizenNumber,
    /// How often the account has stood in this file, with this row.
    Nth,
}

impl Field {
    /// Every field with its name in a layout file, its name for a clerk, and what it holds.
    pub const ALL: [(Field, &'static str, &'static str, &'static str); 28] = [
        (
            Field::FileRef,
            "file_ref",
            "文件编号",
            "本程序给每个支付文件的编号，机构-所属期-批次-银行-件；银行带回它，就认得出是哪个文件",
        ),
        (Field::Rows, "rows", "总笔数", "这个文件有多少笔"),
        (Field::Total, "total", "总金额", "这个文件各笔之和"),
        (Field::SentRows, "sent_rows", "报盘总笔数", "报盘时的总笔数，回盘写明的必须与它一致"),
        (Field::SentTotal, "sent_total", "报盘总金额", "报盘时的总金额，回盘写明的必须与它一致"),
        (Field::PayDate, "pay_date", "支付日期", "报盘那一天，yyyymmdd；有的银行只收当日的文件，请当天送盘"),
        (Field::Agency, "agency", "机构代码", "本机构的行政区划代码"),
        (Field::Scheme, "scheme", "项目代码", "补贴项目的代码"),
        (Field::Period, "period", "所属期", "批次最后一个所属期，yyyymm"),
        (Field::Run, "run", "批次序号", "批次在该所属期里的序号"),
        (Field::Part, "part", "第几件", "一家银行分几个文件时，这是第几个"),
        (Field::Parts, "parts", "共几件", "一家银行分几个文件"),
        (Field::Bank, "bank", "银行代码", "银行代码，如 ICBC"),
        (Field::BankName, "bank_name", "收款行名", "银行设置里的全称"),
        (Field::BankNo, "bank_no", "收款行号", "收款行联行号，写在银行设置里"),
        (Field::PayerAccount, "payer_account", "付款账号", "付款账号，写在银行设置里"),
        (Field::PayerName, "payer_name", "付款户名", "付款账户的户名，写在银行设置里"),
        (Field::PayerBank, "payer_bank", "付款开户行", "付款账户的开户行（名称或行号，看银行要求），写在银行设置里"),
        (Field::UnitNo, "unit_no", "单位编号", "银行给本单位的编号（单位编号、商户号、协议号），写在银行设置里"),
        (Field::Seq, "seq", "序号", "文件内第几笔，从 1 起"),
        (Field::LineNo, "line_no", "行号", "批次内第几笔"),
        (Field::Account, "account", "账号", "收款账号"),
        (Field::Holder, "holder", "户名", "户名，以登记的户名为准（银行的写法与身份证不同时用 change account 登记）"),
        (Field::Amount, "amount", "金额", "金额"),
        (Field::Remark, "remark", "摘要", "本人在流水里看到的文字，如 补贴2026-01"),
        (
            Field::PaymentRef,
            "payment_ref",
            "支付明细号",
            "支付明细号，机构-所属期-批次-行号；写进回盘会带回的一栏，回盘就能逐笔认出",
        ),
        (Field::CitizenNumber, "citizen_number", "公民身份号码", "公民身份号码"),
        (Field::Nth, "nth", "同一账号第几次", "该账号在这个文件里第几次出现，从 1 起"),
    ];

    /// As a layout file writes it.
    pub fn name(self) -> &'static str {
        Field::ALL.iter().find(|(field, ..)| *field == self).map_or("", |(_, name, ..)| name)
    }

    /// As a clerk knows it.
    pub fn title(self) -> &'static str {
        Field::ALL.iter().find(|(field, ..)| *field == self).map_or("", |(_, _, title, _)| title)
    }

    /// True for what only a row of a payment file has.
    pub fn is_of_row(self) -> bool {
        use Field::{Account, Amount, CitizenNumber, Holder, LineNo, Nth, PaymentRef, Remark, Seq};
        matches!(self, Seq | Nth | LineNo | Account | Holder | Amount | Remark | PaymentRef | CitizenNumber)
    }

    /// True for what an answer's head or tail may say.
    pub fn is_of_answer(self) -> bool {
        use Field::{FileRef, PayDate, Rows, SentRows, SentTotal, Total, UnitNo};
        matches!(self, FileRef | PayDate | Rows | SentRows | SentTotal | Total | UnitNo)
    }

    /// True for amounts of money.
    pub fn is_money(self) -> bool {
        matches!(self, Field::Amount | Field::Total | Field::SentTotal)
    }

    /// True for what a spreadsheet may hold as a number: no account, no reference, no citizen number.
    pub fn is_countable(self) -> bool {
        use Field::{LineNo, Nth, Part, Parts, Rows, Run, Seq};
        self.is_money() || matches!(self, Rows | Seq | LineNo | Nth | Part | Parts | Run)
    }

    /// True for what the office's own entry of the bank must say.
    pub fn is_of_bank(self) -> bool {
        use Field::{BankNo, PayerAccount, PayerBank, PayerName, UnitNo};
        matches!(self, BankNo | PayerAccount | PayerName | PayerBank | UnitNo)
    }
}

/// At which end of a fixed width the text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Blanks follow.
    Left,
    /// Blanks come first.
    Right,
}

/// How a field is written. Widths are bytes of the file's charset; nothing is ever cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Of amounts.
    pub unit: Unit,
    /// Zeros in front, up to so many digits.
    pub zeros: Option<usize>,
    /// Blanks up to so many bytes.
    pub width: Option<(Side, usize)>,
    /// Longest text.
    pub most: Option<usize>,
    /// One blank where there is nothing.
    pub blank: bool,
    /// No blank inside, not even in a foreign name.
    pub unspaced: bool,
    /// In a workbook, a number instead of a text.
    pub number: bool,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// The text of a field.
    Field(Field, Style),
}

impl Piece {
    /// True for a field that is a number of a workbook.
    pub fn is_number(&self) -> bool {
        matches!(self, Piece::Field(_, style) if style.number)
    }
}

/// A line, or a file name, as it will look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(pub Vec<Piece>);

impl Template {
    /// The fields in it.
    pub fn fields(&self) -> impl Iterator<Item = (Field, Style)> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Field(field, style) => Some((*field, *style)),
        })
    }

    /// Its pieces, cell by cell.
    pub fn cells(&self, separator: char) -> Vec<Vec<Piece>> {
        let mut cells = vec![Vec::new()];
        for piece in &self.0 {
            let Piece::Text(text) = piece else {
                cells.last_mut().into_iter().for_each(|cell: &mut Vec<Piece>| cell.push(piece.clone()));
                continue;
            };
            for (at, part) in text.split(separator).enumerate() {
                if at > 0 {
                    cells.push(Vec::new());
                }
                if !part.is_empty() {
                    cells.last_mut().into_iter().for_each(|cell| cell.push(Piece::Text(part.to_string())));
                }
            }
        }
        cells
    }

    /// True when the field is in it.
    pub fn has(&self, wanted: Field) -> bool {
        self.fields().any(|(field, _)| field == wanted)
    }
}

/// What a column of an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Row of the payment file.
    Seq,
    /// Our reference.
    PaymentRef,
    /// Account.
    Account,
    /// Account holder.
    Holder,
    /// Amount.
    Amount,
    /// What the bank really credited.
    PaidAmount,
    /// Status.
    Status,
    /// Reason code.
    ReasonCode,
    /// Reason.
    Reason,
    /// The bank's reference.
    BankRef,
    /// Day of the credit, or on which money came back.
    Date,
}

impl Column {
    /// Every column with its name in a layout file, its name for a clerk, and what it holds.
    pub const ALL: [(Column, &'static str, &'static str, &'static str); 11] = [
        (Column::Seq, "seq", "序号", "我们写的文件内序号（前面的零有没有都可以；写成“批次号-序号”的取最后一段）"),
        (Column::PaymentRef, "payment_ref", "支付明细号", "我们写的支付明细号（末尾的逗号不算）"),
        (Column::Account, "account", "账号", "收款账号，与报盘不一致的列为差异"),
        (Column::Holder, "holder", "户名", "户名，与报盘不一致的列为差异"),
        (Column::Amount, "amount", "金额", "报盘的金额，与报盘不一致的列为差异"),
        (
            Column::PaidAmount,
            "paid_amount",
            "实处理金额",
            "银行实际入账的金额；状态是成功而它不等于金额的，按未决处理并列为差异",
        ),
        (Column::Status, "status", "状态", "状态文字，含义写在 answer.status"),
        (Column::ReasonCode, "reason_code", "原因代码", "失败原因的代码，含义写在 [[reason]]"),
        (Column::Reason, "reason", "原因", "失败原因的文字；没有代码时按 [[reason]] 的 text 找"),
        (Column::BankRef, "bank_ref", "银行流水号", "银行的流水号"),
        (Column::Date, "date", "日期", "入账或退回的日期；带时间的只取日期"),
    ];

    /// As a clerk knows it.
    pub fn title(self) -> &'static str {
        Column::ALL.iter().find(|(column, ..)| *column == self).map_or("", |(_, _, title, _)| title)
    }
}

/// Where a column is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Under one of these titles.
    Titled(Vec<String>),
    /// From 1.
    At(usize),
}

/// What a status text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Credited.
    Credited,
    /// Rejected.
    Rejected,
    /// Neither yet.
    Open,
    /// Came back after it was credited.
    Returned,
}

/// How rows of an answer find their payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchBy {
    /// Our reference comes back.
    Reference,
    /// The row's number within the file comes back.
    Seq,
    /// Neither does, for the reason given: account, holder and amount, where they are unambiguous.
    Account(String),
}

/// How a bank's answer looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerForm {
    /// What the bank gives; text and workbooks are told from their bytes all the same.
    pub medium: Medium,
    /// Between the fields of a text.
    pub separator: char,
    /// Where its rows have no separator: bytes of every field, in the file's charset; empty elsewhere.
    pub widths: Vec<usize>,
    /// Of its amounts.
    pub unit: Unit,
    /// In XML, the element that is one row, with those around it that tell it from others; empty elsewhere.
    pub record: String,
    /// Lines before the titles, or before the rows; cell by cell, an empty template is anything. In XML, elements
    /// outside of the rows: `INFO/REQ_SN={file_ref}`.
    pub head: Vec<Vec<Template>>,
    /// Lines after the rows.
    pub tail: Vec<Vec<Template>>,
    /// Lines that begin so are skipped; empty: none are.
    pub comment: String,
    /// Where the columns are; in XML, their titles are elements and attributes within the row.
    pub columns: Vec<(Column, Place)>,
    /// Which texts are which status, exactly.
    pub statuses: Vec<(Said, String)>,
    /// Stands between code and text where both are in one column.
    pub reason_split: Option<char>,
    /// How rows find their payments.
    pub match_by: MatchBy,
    /// Why its rows tell no account, or no amount, where they do not.
    pub no_account: Option<String>,
}

impl AnswerForm {
    /// True when the columns are found by their titles.
    pub fn has_titles(&self) -> bool {
        self.columns.iter().any(|(_, place)| matches!(place, Place::Titled(_)))
    }

    /// True when its lines have cells, so that a line of head or tail may hold several fields.
    pub fn has_cells(&self) -> bool {
        self.medium != Medium::Xml && self.widths.is_empty()
    }

    /// True when the text is a status of this kind: exactly as it is listed.
    pub fn means(&self, text: &str, said: Said) -> bool {
        self.statuses.iter().any(|(known, known_text)| *known == said && known_text == text)
    }

    /// True when one column holds both the status and the code of the reason.
    pub fn status_is_reason(&self) -> bool {
        let of = |wanted: Column| self.columns.iter().find(|(column, _)| *column == wanted).map(|(_, place)| place);
        of(Column::ReasonCode).is_some_and(|place| Some(place) == of(Column::Status))
    }

    /// The texts that are a status.
    pub fn status_texts(&self) -> Vec<&str> {
        self.statuses.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// A bank's own payment file and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Of the payment file.
    pub medium: Medium,
    /// Of the payment file, and of an answer in text. Of a workbook: what the bank's own system can hold.
    pub charset: FormCharset,
    /// At the end of every line.
    pub newline: &'static str,
    /// Stands in no text of a row; none in XML, and where all widths are fixed.
    pub separator: Option<char>,
    /// Name of a workbook's sheet.
    pub sheet: String,
    /// Fewest rows in one file.
    pub row_least: usize,
    /// File name.
    pub name: Template,
    /// Lines before the rows.
    pub head: Vec<Template>,
    /// One row.
    pub row: Template,
    /// Lines after the rows.
    pub tail: Vec<Template>,
    /// The answer.
    pub answer: AnswerForm,
}

impl Form {
    /// Every line of the payment file with its key in `[file]`.
    pub fn lines_with_keys(&self) -> impl Iterator<Item = (&'static str, &Template)> + '_ {
        let (head, tail) = (self.head.iter().map(|line| ("head", line)), self.tail.iter().map(|line| ("tail", line)));
        head.chain([("row", &self.row)]).chain(tail)
    }

    /// Every line of the payment file, and its name.
    pub fn templates(&self) -> impl Iterator<Item = &Template> + '_ {
        [&self.name, &self.row].into_iter().chain(&self.head).chain(&self.tail)
    }

    /// Names of what the office's own entry of the bank must say.
    pub fn needs_of_bank(&self) -> Vec<&'static str> {
        let mut needs: Vec<&'static str> = Vec::new();
        let mut says_unit = self.answer.unit == Unit::AsBankSays;
        for (field, style) in self.templates().flat_map(Template::fields) {
            if field.is_of_bank() && !needs.contains(&field.name()) {
                needs.push(field.name());
            }
            says_unit |= style.unit == Unit::AsBankSays;
        }
        if says_unit {
            needs.push("amount_unit");
        }
        needs
    }
}
