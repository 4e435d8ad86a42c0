//! How a bank's own payment file and its own answer look, as data: what a layout of
//! `config/banks/*.toml` says once it was read and found right. Which texts mean what is decided in
//! `formats::bank::layout`; nothing here reads or writes a file.

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
    /// Every field with its name in a layout file and its name for a clerk.
    pub const ALL: [(Field, &'static str, &'static str); 28] = [
        (Field::FileRef, "file_ref", "文件编号"),
        (Field::Rows, "rows", "总笔数"),
        (Field::Total, "total", "总金额"),
        (Field::SentRows, "sent_rows", "报盘总笔数"),
        (Field::SentTotal, "sent_total", "报盘总金额"),
        (Field::PayDate, "pay_date", "支付日期"),
        (Field::Agency, "agency", "机构代码"),
        (Field::Scheme, "scheme", "项目代码"),
        (Field::Period, "period", "所属期"),
        (Field::Run, "run", "批次序号"),
        (Field::Part, "part", "第几件"),
        (Field::Parts, "parts", "共几件"),
        (Field::Bank, "bank", "银行代码"),
        (Field::BankName, "bank_name", "收款行名"),
        (Field::BankNo, "bank_no", "收款行号"),
        (Field::PayerAccount, "payer_account", "付款账号"),
        (Field::PayerName, "payer_name", "付款户名"),
        (Field::PayerBank, "payer_bank", "付款开户行"),
        (Field::UnitNo, "unit_no", "单位编号"),
        (Field::Seq, "seq", "序号"),
        (Field::LineNo, "line_no", "行号"),
        (Field::Account, "account", "账号"),
        (Field::Holder, "holder", "户名"),
        (Field::Amount, "amount", "金额"),
        (Field::Remark, "remark", "摘要"),
        (Field::PaymentRef, "payment_ref", "支付明细号"),
        (Field::CitizenNumber, "citizen_number", "公民身份号码"),
        (Field::Nth, "nth", "同一账号第几次"),
    ];

    /// As a layout file writes it.
    pub fn name(self) -> &'static str {
        Field::ALL.iter().find(|(field, _, _)| *field == self).map_or("", |(_, name, _)| name)
    }

    /// As a clerk knows it.
    pub fn title(self) -> &'static str {
        Field::ALL.iter().find(|(field, _, _)| *field == self).map_or("", |(_, _, title)| title)
    }

    /// True for what only a row of a payment file has.
    pub fn is_of_row(self) -> bool {
        use Field::{Account, Amount, CitizenNumber, Holder, LineNo, Nth, PaymentRef, Remark, Seq};
        matches!(self, Seq | Nth | LineNo | Account | Holder | Amount | Remark | PaymentRef | CitizenNumber)
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
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// The text of a field.
    Field(Field, Style),
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
    /// Every column with its name in a layout file and its name for a clerk.
    pub const ALL: [(Column, &'static str, &'static str); 10] = [
        (Column::Seq, "seq", "序号"),
        (Column::PaymentRef, "payment_ref", "支付明细号"),
        (Column::Account, "account", "账号"),
        (Column::Holder, "holder", "户名"),
        (Column::Amount, "amount", "金额"),
        (Column::Status, "status", "状态"),
        (Column::ReasonCode, "reason_code", "原因代码"),
        (Column::Reason, "reason", "原因"),
        (Column::BankRef, "bank_ref", "银行流水号"),
        (Column::Date, "date", "日期"),
    ];

    /// As a clerk knows it.
    pub fn title(self) -> &'static str {
        Column::ALL.iter().find(|(column, _, _)| *column == self).map_or("", |(_, _, title)| title)
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
    /// Between the fields of a text.
    pub separator: char,
    /// Of its amounts.
    pub unit: Unit,
    /// Lines before the titles, or before the rows; cell by cell, an empty template is anything.
    pub head: Vec<Vec<Template>>,
    /// Lines after the rows.
    pub tail: Vec<Vec<Template>>,
    /// Lines that begin so are skipped; empty: none are.
    pub comment: String,
    /// Where the columns are.
    pub columns: Vec<(Column, Place)>,
    /// Which texts are which status, exactly.
    pub statuses: Vec<(Said, String)>,
    /// Stands between code and text where both are in one column.
    pub reason_split: Option<char>,
    /// How rows find their payments.
    pub match_by: MatchBy,
}

impl AnswerForm {
    /// True when the columns are found by their titles.
    pub fn has_titles(&self) -> bool {
        self.columns.iter().any(|(_, place)| matches!(place, Place::Titled(_)))
    }

    /// The texts that are a status.
    pub fn status_texts(&self) -> Vec<&str> {
        self.statuses.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// A bank's own payment file and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Of the payment file, and of an answer in text.
    pub charset: FormCharset,
    /// At the end of every line.
    pub newline: &'static str,
    /// Stands in no text of a row.
    pub separator: char,
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
