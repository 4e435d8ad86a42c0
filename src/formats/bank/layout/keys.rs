//! Every key that a layout file may hold: how its value is written, whether it must be there, and what it
//! means. The same tables read a file ([`Told`], [`check`]) and make the page that explains it
//! (`reference`), so neither can say what the other does not know.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong in a layout file, for the clerk who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("第 {line} 行 {key}: {problem}")]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: usize,
    /// The key: `file.row`.
    pub key: String,
    /// What was found, what was expected.
    pub problem: String,
    /// Stable code for logs, JSON and tests.
    pub code: &'static str,
}

/// A value that has the right kind and still cannot be right.
pub(crate) const FORM: &str = "BANK_CONFIG_FORM";
/// Something that is not there.
pub(crate) const MISSING: &str = "BANK_CONFIG_MISSING";
/// No TOML, a key that does not exist, a value of the wrong kind.
pub(crate) const SYNTAX: &str = "BANK_CONFIG_SYNTAX";

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// True where it must be there.
    pub must: bool,
    /// What it means, for the page that explains it.
    pub meaning: &'static str,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text that is not blank.
    Text,
    /// A line with fields, which may be empty.
    Line,
    /// Several texts or lines.
    Texts,
    /// One of these words; each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// A whole number within these bounds.
    Number(usize, usize),
    /// Several such numbers.
    Numbers(usize, usize),
    /// true or false.
    Switch,
    /// For each column a title, several titles, or a number.
    Columns,
    /// A table of its own.
    Table(&'static [Key]),
    /// Any number of tables.
    Tables(&'static [Key]),
}

const fn must(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { name, kind, must: true, meaning }
}

const fn may(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { name, kind, must: false, meaning }
}

const MEDIA: Kind = Kind::Choice(&[("text", "文本，分隔符分栏或定长"), ("workbook", "工作簿（xlsx）"), ("xml", "XML")]);

const UNITS: Kind = Kind::Choice(&[
    ("yuan", "元，120.00；回盘里 0.01元、1,234.00、.01 都认得"),
    ("fen", "分，12000"),
    ("unit", "由银行设置的 amount_unit 决定（公开资料互相矛盾的格式）"),
]);

const STANDARDS: Kind = Kind::Choice(&[
    ("neutral", "程序自带的中性格式"),
    ("iso20022", "ISO 20022: 报盘 pain.001，回盘 pain.002"),
    ("treasury", "国库集中支付凭证: 报盘 5201 和 8207，回盘 8207 回单，退票 2252；row_limit 最多 499"),
]);

const CLASSES: Kind = Kind::Choice(&[
    ("name_mismatch", "户名不符: 与身份证核对"),
    ("account_not_found", "无此账户: 要新账号"),
    ("account_closed", "已销户: 要新卡，并核实是否健在"),
    ("account_blocked", "冻结、挂失等: 本人到银行处理"),
    ("account_dormant", "长期不动、未激活、过期: 本人到银行处理，并核实是否健在"),
    ("not_settlement", "非结算户等: 换一个能入账的账户"),
    ("duplicate", "重复业务: 查明之前不得再付"),
    ("funds", "付款账户余额不足: 补足后自动补发"),
    ("technical", "银行系统原因且确认未入账: 自动补发"),
    ("returned_later", "退票: 钱已退回，更正后补发"),
    ("unknown", "原因不明: 向银行查询"),
]);

/// A whole layout file.
pub const FILE: &[Key] = &[
    may("code", Kind::Text, "布局代码，银行引用布局时使用，启用后不要改。只有银行、没有布局的文件不写"),
    may("title", Kind::Text, "布局名称，只用于显示；有 code 就要有"),
    may("row_limit", Kind::Number(1, 1_000_000), "每个文件最多多少笔，超过时自动分成几个文件；有 code 就要有"),
    may(
        "name_bytes",
        Kind::Number(1, 1000),
        "户名最多多少字节（按文件编码）；超长的在报盘前被拒绝，绝不截断；有 code 就要有",
    ),
    may("standard", STANDARDS, "不写 [file] 和 [answer] 的布局，文件由程序按哪个标准写出和读入；不写即 neutral"),
    may("file", Kind::Table(PAYMENT), "支付文件（报盘）；不写就由程序按 standard 写出和读入"),
    may("answer", Kind::Table(ANSWER), "回盘；与 [file] 同时写"),
    may("reason", Kind::Tables(REASON), "失败原因，一条一个 [[reason]]；不在表中的按 unknown 处理并暂停该人"),
    may("usual_reasons", Kind::Switch, "true: [[reason]] 之外再按常见的说法找（config/banks/usual-reasons.toml）"),
    may("bank", Kind::Tables(BANK), "代发银行，一家一个 [[bank]]；没有 name 的只修改已有的同代码银行里写出的各项"),
];

/// The table `[file]`.
pub const PAYMENT: &[Key] = &[
    may("kind", MEDIA, "文件种类，不写即 text"),
    must(
        "charset",
        Kind::Choice(&[
            ("gbk", "GBK（代码页 936）；它没有的字即使能写成两个字节也拒绝"),
            ("gb18030", "GB18030，任何字都能写"),
            ("utf-8", "UTF-8，不带标记"),
            ("utf-8-bom", "UTF-8，带标记（BOM）"),
        ]),
        "文件的编码；工作簿写银行系统的编码，字节数按它计，它没有的字拒绝",
    ),
    may("newline", Kind::Choice(&[("crlf", "回车换行"), ("lf", "换行")]), "行尾；text 和 xml 必须写"),
    may(
        "separator",
        Kind::Text,
        "分隔符，一个符号，内容里不得出现；workbook 里它在这份描述中分开各个单元格；xml 和每栏都定长的 text 不写",
    ),
    may("sheet", Kind::Text, "workbook 的工作表名，不写即 Sheet1"),
    may(
        "row_least",
        Kind::Number(1, 1_000_000),
        "每个文件最少多少笔；最后一个文件不足时从前一个匀过来，总数不足时拒绝报盘",
    ),
    must("name", Kind::Line, "文件名，只能用字母、数字和 - _ . ；要能区分日期、批次和第几件；几家银行共用时加 {bank}"),
    may("head", Kind::Texts, "明细之前的行: 说明、栏名、总计，几行都可以"),
    must("row", Kind::Line, "一笔明细；必须有 {account}、{holder}、{amount}"),
    may("tail", Kind::Texts, "明细之后的行: 总计、结束标志"),
];

/// The table `[answer]`.
pub const ANSWER: &[Key] = &[
    may("kind", MEDIA, "银行给的文件种类，不写即与报盘相同；text 和 workbook 读入时按内容识别，xls 也可以"),
    may("separator", Kind::Text, "回盘的分隔符，不写即与报盘相同"),
    may(
        "widths",
        Kind::Numbers(1, 1000),
        "定长的文本回盘: 明细每栏多少字节（按文件编码），columns 写第几栏；head 和 tail 一行一项，行尾的空格可以没有",
    ),
    may(
        "record",
        Kind::Text,
        "xml 里一笔明细是哪个元素，如 RET_DETAIL；同名的有别的用处时写上外层，如 BODY/RET_DETAIL",
    ),
    must("amount", UNITS, "回盘的金额单位"),
    may(
        "head",
        Kind::Texts,
        "栏名之前的行，一行一项，按分隔符分栏；写出的文字必须一致，空着的不看，{…} 与报盘或明细核对。xml 写明细之外的元素和内容，如 INFO/REQ_SN={file_ref}、INFO/RET_CODE=0000",
    ),
    may("tail", Kind::Texts, "明细之后的行，写法同 head；xml 不写"),
    may("comment", Kind::Text, "以它开头的行跳过，如 #"),
    may("by_position", Kind::Text, "回盘没有栏名时写明原因，columns 改写第几栏"),
    may(
        "no_reference",
        Kind::Text,
        "回盘带不回 payment_ref 和 seq 时写明原因，将按账号、户名、金额核对；三者相同而结果不一的按未决处理",
    ),
    may(
        "no_account",
        Kind::Text,
        "回盘不写账号或金额时写明原因；这时必须有 payment_ref，或者有 seq 并在 head 里用 {file_ref} 认出是哪个文件",
    ),
    may("reason_split", Kind::Text, "原因写成“代码:原因”时中间的符号"),
    must(
        "columns",
        Kind::Columns,
        "各栏的栏名（几个写法用数组），或第几栏（从 1 起）；xml 写明细里的元素或属性，如 SN、PAYEE/NAME、@state",
    ),
    must("status", Kind::Table(STATUS), "状态文字，完全一致才算；不在表里的一律按未决处理并列为差异"),
];

/// The table `[answer.status]`.
pub const STATUS: &[Key] = &[
    must("credited", Kind::Texts, "已入账"),
    must("rejected", Kind::Texts, "未入账，不会再入账"),
    may("open", Kind::Texts, "银行明说还没有结果，如 已发送银行"),
    may("returned", Kind::Texts, "退票（bank late-return）: 入账后又退回"),
];

/// A table `[[reason]]`.
pub const REASON: &[Key] = &[
    must("code", Kind::Text, "银行的原因代码；银行没有代码时自定，不得重复"),
    must("text", Kind::Text, "银行的原因文字；没有代码时完全一致才算，* 代表任意文字"),
    must("class", CLASSES, "对我们意味着什么: 由谁处理，能否直接补发"),
];

/// A table `[[bank]]`.
pub const BANK: &[Key] = &[
    must("code", Kind::Text, "简短代码，出现在文件名和支付明细里，启用后不要改"),
    may("name", Kind::Text, "银行全称；不写即修改已有的银行"),
    may("aliases", Kind::Texts, "名册“开户银行”一栏可能出现的其他写法；完全一致才算，一个写法不能属于两家银行"),
    may("account_lengths", Kind::Numbers(8, 32), "账号可能的位数；不写或 [] 表示 8 至 32 位都可以"),
    may("card_check", Kind::Switch, "true: 账号都是银行卡，校验位不符即报错；不写则只警告（存折没有校验位）"),
    may("layout", Kind::Text, "用哪个布局；不写即本文件的布局"),
    may("bank_no", Kind::Text, "收款行联行号"),
    may("payer_account", Kind::Text, "付款账号"),
    may("payer_name", Kind::Text, "付款户名"),
    may("payer_bank", Kind::Text, "付款账户的开户行，名称或行号"),
    may("unit_no", Kind::Text, "银行给本单位的编号（单位编号、商户号、协议号）"),
    may("amount_unit", Kind::Choice(&[("yuan", "元"), ("fen", "分")]), "这家银行的金额单位，布局里写 unit 的地方按它"),
    may("payer_bank_no", Kind::Text, "付款行: 12 位联行号，或 8 位、11 位 BIC（iso20022）"),
    may("initiating_party", Kind::Text, "发起方名称，不写即付款户名（iso20022）"),
    may("service_level", Kind::Text, "服务级别代码，如 NURG；银行要求时才写（iso20022）"),
    may("category_purpose", Kind::Text, "业务种类代码，如 SSBE、GOVT；银行要求时才写（iso20022）"),
    may("voucher", Kind::Table(VOUCHER), "国库凭证里由财政和代理银行规定的栏目（treasury）"),
];

/// The table `[bank.voucher]`: fields of the treasury's vouchers that neither the run nor the appropriation knows,
/// named as they are there.
pub const VOUCHER: &[Key] = &[
    may("TreCode", Kind::Text, "国库主体代码；treasury 必须写"),
    may("FundTypeCode", Kind::Text, "资金性质编码；treasury 必须写"),
    may("FundTypeName", Kind::Text, "资金性质名称；treasury 必须写"),
    may("PayBankCode", Kind::Text, "代理银行编码；treasury 必须写"),
    may("PayBankName", Kind::Text, "代理银行名称；treasury 必须写"),
    may("AgencyCode", Kind::Text, "基层预算单位编码；treasury 必须写"),
    may("AgencyName", Kind::Text, "基层预算单位名称；treasury 必须写"),
    may("AdmDivCode", Kind::Text, "行政区划代码，不写即机构代码的前 6 位"),
    may("FinOrgCode", Kind::Text, "财政机关代码"),
    may("BgtTypeCode", Kind::Text, "预算类型编码"),
    may("BgtTypeName", Kind::Text, "预算类型名称"),
    may("SupDepCode", Kind::Text, "一级预算单位编码"),
    may("SupDepName", Kind::Text, "一级预算单位名称"),
    may("ExpFuncName", Kind::Text, "功能科目名称"),
    may("ExpEcoName", Kind::Text, "经济科目名称"),
    may("DepProCode", Kind::Text, "项目编码"),
    may("SetModeCode", Kind::Text, "结算方式编码"),
    may("SetModeName", Kind::Text, "结算方式名称"),
    may("ClearBankCode", Kind::Text, "清算银行编码"),
    may("ClearBankName", Kind::Text, "清算银行名称"),
    may("PaySummaryCode", Kind::Text, "用途编码"),
];

/// A table of the file, with the place where it stands.
#[derive(Clone)]
pub struct Told<'a> {
    source: &'a str,
    /// `file`, `answer.status`, empty for the whole file.
    path: String,
    /// Where the table begins, from 1.
    pub line: usize,
    table: &'a DeTable<'a>,
}

type Value<'a> = &'a Spanned<DeValue<'a>>;

impl<'a> Told<'a> {
    /// The whole file.
    #[must_use]
    pub fn of(source: &'a str, table: &'a DeTable<'a>) -> Told<'a> {
        Told { source, path: String::new(), line: 1, table }
    }

    /// The key with the tables it stands in: `file.row`.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn value(&self, key: &str) -> Option<Value<'a>> {
        self.table.get(key)
    }

    fn line_at(&self, value: Value<'a>) -> usize {
        line_of(self.source, value.span().start)
    }

    /// Where the key stands, else where its table begins.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        self.value(key).map_or(self.line, |value| self.line_at(value))
    }

    /// True when the key is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// A text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.value(key)?.get_ref().as_str()
    }

    /// Texts, each with its line.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<(usize, &'a str)> {
        let one = |value: Value<'a>| Some((self.line_at(value), value.get_ref().as_str()?));
        self.array(key).filter_map(one).collect()
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<usize> {
        whole(self.value(key)?.get_ref())
    }

    /// Whole numbers.
    #[must_use]
    pub fn numbers(&self, key: &str) -> Option<Vec<usize>> {
        self.value(key)?;
        Some(self.array(key).filter_map(|value| whole(value.get_ref())).collect())
    }

    /// true or false.
    #[must_use]
    pub fn switch(&self, key: &str) -> Option<bool> {
        self.value(key)?.get_ref().as_bool()
    }

    /// A table.
    #[must_use]
    pub fn table(&self, key: &str) -> Option<Told<'a>> {
        let value = self.value(key)?;
        Some(self.inner(self.path(key), value, value.get_ref().as_table()?))
    }

    /// Tables, in their order.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Told<'a>> {
        let one = |value: Value<'a>| Some(self.inner(format!("[[{key}]]"), value, value.get_ref().as_table()?));
        self.array(key).filter_map(one).collect()
    }

    /// What each key of the table says: one text, several, or a number.
    #[must_use]
    pub fn places(&self) -> Vec<(&'a str, usize, Said<'a>)> {
        let place = |(name, value): (&'a Spanned<std::borrow::Cow<'a, str>>, Value<'a>)| {
            let said = match value.get_ref() {
                DeValue::String(text) => Said::Titles(vec![text.as_ref()]),
                DeValue::Array(titles) => Said::Titles(titles.iter().filter_map(|t| t.get_ref().as_str()).collect()),
                other => whole(other).map_or(Said::Titles(Vec::new()), Said::Number),
            };
            (name.get_ref().as_ref(), self.line_at(value), said)
        };
        self.table.iter().map(place).collect()
    }

    fn inner(&self, path: String, value: Value<'a>, table: &'a DeTable<'a>) -> Told<'a> {
        Told { source: self.source, path, line: self.line_at(value), table }
    }

    fn array(&self, key: &str) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.value(key).and_then(|value| value.get_ref().as_array()).into_iter().flat_map(|array| array.iter())
    }

    /// A problem of one key.
    #[must_use]
    pub fn wrong(&self, key: &str, problem: impl Into<String>) -> Problem {
        Problem { line: self.line_of(key), key: self.path(key), problem: problem.into(), code: FORM }
    }

    /// A key that must be there and is not.
    #[must_use]
    pub fn missing(&self, key: &str) -> Problem {
        Problem { problem: "没有写，应写明".to_string(), code: MISSING, ..self.wrong(key, "") }
    }
}

/// What stands for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<'a> {
    /// One of these titles.
    Titles(Vec<&'a str>),
    /// The column's number.
    Number(usize),
}

fn line_of(source: &str, at: usize) -> usize {
    // Asked for every value of every file at every start.
    1 + memchr::memchr_iter(b'\n', source.as_bytes().get(..at).unwrap_or_default()).count()
}

fn whole(value: &DeValue<'_>) -> Option<usize> {
    let number = value.as_integer()?;
    usize::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Reads a file: its table, or everything that is no TOML in it.
///
/// # Errors
/// What is no TOML, line by line.
pub fn parse(source: &str) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    if errors.is_empty() {
        return Ok(table);
    }
    let problem = |error: &toml::de::Error| Problem {
        line: line_of(source, error.span().map_or(0, |span| span.start)),
        key: "TOML".to_string(),
        problem: format!("{}；文字要写在双引号里，几项写在 [ ] 里用逗号分开", error.message()),
        code: SYNTAX,
    };
    Err(errors.iter().map(problem).collect())
}

/// Every key is known, is there where it must be, and has a value of its kind.
pub fn check(told: &Told<'_>, keys: &[Key], problems: &mut Vec<Problem>) {
    for name in told.table.keys() {
        if !keys.iter().any(|key| key.name == name.get_ref()) {
            let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
            problems.push(Problem {
                line: line_of(told.source, name.span().start),
                key: told.path(name.get_ref()),
                problem: format!("没有这一项，可用: {}", known.join("、")),
                code: SYNTAX,
            });
        }
    }
    for key in keys {
        match told.value(key.name) {
            None if key.must => problems.push(told.missing(key.name)),
            None => {}
            Some(value) => check_value(told, key, value, problems),
        }
    }
}

fn check_value(told: &Told<'_>, key: &Key, value: Value<'_>, problems: &mut Vec<Problem>) {
    let found = value.get_ref();
    let mut wrong = |problem: String, code| problems.push(Problem { problem, code, ..told.wrong(key.name, "") });
    let within = |value: &DeValue<'_>, least, most| whole(value).is_some_and(|n| (least..=most).contains(&n));
    match key.kind {
        Kind::Text => match found.as_str() {
            None => wrong("应为文字（写在双引号里）".to_string(), SYNTAX),
            Some(text) if text.trim().is_empty() => wrong("为空，应填写".to_string(), MISSING),
            Some(_) => {}
        },
        Kind::Line if found.as_str().is_none() => wrong("应为文字（写在双引号里）".to_string(), SYNTAX),
        Kind::Texts => {
            let is_right = found.as_array().is_some_and(|array| array.iter().all(|v| v.get_ref().is_str()));
            if !is_right {
                wrong("应为几项文字，如 [\"甲\", \"乙\"]".to_string(), SYNTAX);
            }
        }
        Kind::Choice(words) => {
            let text = found.as_str().unwrap_or_default();
            if !words.iter().any(|(word, _)| *word == text) {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                wrong(format!("“{text}”，应为 {}", words.join("、")), FORM);
            }
        }
        Kind::Number(least, most) if !within(found, least, most) => {
            wrong(format!("应为 {least} 至 {most} 的整数"), FORM);
        }
        Kind::Numbers(least, most) => {
            let is_right = found.as_array().is_some_and(|array| array.iter().all(|v| within(v.get_ref(), least, most)));
            if !is_right {
                wrong(format!("应为几个 {least} 至 {most} 的整数，如 [16, 19]"), FORM);
            }
        }
        Kind::Switch if found.as_bool().is_none() => wrong("应为 true 或 false".to_string(), SYNTAX),
        Kind::Columns if found.as_table().is_none() => wrong("应为一张表 [answer.columns]".to_string(), SYNTAX),
        Kind::Line | Kind::Number(..) | Kind::Switch | Kind::Columns => {}
        Kind::Table(keys) => match told.table(key.name) {
            Some(inner) => check(&inner, keys, problems),
            None => wrong(format!("应为一张表 [{}]", told.path(key.name)), SYNTAX),
        },
        Kind::Tables(keys) => {
            let tables = told.tables(key.name);
            if found.as_array().is_none_or(|array| array.iter().count() != tables.len()) {
                wrong(format!("应为 [[{}]]", key.name), SYNTAX);
            }
            for inner in &tables {
                check(inner, keys, problems);
            }
        }
    }
}
