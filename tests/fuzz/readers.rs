//! Everything that reads a file from outside, as a function of its bytes. The fuzz targets call them, and so does
//! the test that keeps what fuzzing found.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use fafang::domain::appropriation::Appropriation;
use fafang::domain::bank::{Bank, BankBook, Layout};
use fafang::domain::comparison::ComparisonKind;
use fafang::domain::money::Money;
use fafang::domain::period::Period;
use fafang::domain::scheme::{Expenditure, Scheme, Source};
use fafang::formats::bank::layout::matching::{Sent, matched};
use fafang::formats::bank::layout::workbook::{self, Line};
use fafang::formats::bank::layout::{read_back, reader, sample, writer};
use fafang::formats::bank::neutral::{self, AnswerKind, FileHeader, PaymentRow};
use fafang::formats::bank::standard::Sheet;
use fafang::formats::bank::treasury::envelope::{Voucher, wrap};
use fafang::formats::bank::{book, iso20022, treasury};
use fafang::formats::roster::{RosterContext, parse_roster};
use fafang::formats::statement::{StatementTable, read_statements};
use fafang::formats::table::{Header, Table, read_table};
use fafang::formats::{budget, calendar, certification, change, charset, comparison, scheme};
use fafang::progress::Progress;
use fafang::training::simulated_bank::{Faults, SimulatedBank};

/// A reader under test.
#[derive(Clone, Copy)]
pub struct Reader {
    /// Name of its fuzz target.
    pub name: &'static str,
    /// Reads whatever bytes. True when something was understood.
    pub read: fn(&[u8]) -> bool,
    /// Files that are understood, to begin with.
    pub samples: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const READERS: &[Reader] = &[
    Reader { name: "roster", read: roster, samples: rosters },
    Reader { name: "budget", read: budgets, samples: budget_samples },
    Reader { name: "changes", read: changes, samples: change_samples },
    Reader { name: "certifications", read: certifications, samples: certification_samples },
    Reader { name: "comparisons", read: comparisons, samples: comparison_samples },
    Reader { name: "workbook", read: any_workbook, samples: workbooks },
    Reader { name: "scheme", read: schemes, samples: scheme_samples },
    Reader { name: "calendar", read: calendars, samples: calendar_samples },
    Reader { name: "bank-file", read: bank_file, samples: bank_files },
    Reader { name: "neutral", read: neutral_file, samples: neutral_samples },
    Reader { name: "bank-answer", read: bank_answer, samples: bank_answers },
    Reader { name: "iso20022", read: iso20022_report, samples: iso20022_samples },
    Reader { name: "treasury", read: treasury_answer, samples: treasury_samples },
    Reader { name: "camt", read: statement, samples: camt_samples },
    Reader { name: "mt940", read: statement, samples: mt940_samples },
    Reader { name: "statement-table", read: statement, samples: statement_tables },
];

/// The reader of this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn named(name: &str) -> Reader {
    *READERS.iter().find(|reader| reader.name == name).unwrap_or_else(|| panic!("no reader is called {name}"))
}

const SCHEMES: [&str; 2] =
    [include_str!("../../config/schemes/pochan1995.toml"), include_str!("../../config/schemes/yanglao_qiye.toml")];
const CALENDARS: [&str; 2] =
    [include_str!("../../config/calendar/2025.toml"), include_str!("../../config/calendar/2026.toml")];

/// Columns of the widest sample.
const WIDEST: usize = 12;

/// Invented people with right check digits.
const PEOPLE: [(&str, &str, &str); 2] = [
    ("王建国", "652827194001010011", "6228000000000000019"),
    ("阿依古丽·买买提", "652827195002020021", "6228000000000000027"),
];

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 15).expect("a day")
}

/// Banks with one that uses each standard.
static BANKS: LazyLock<BankBook> = LazyLock::new(|| {
    let mut banks = book::built_in().expect("built in");
    let payer = "payer_account = \"3000000000000000018\"\npayer_name = \"和静县社会保险中心\"\n";
    let entries = format!(
        "[[bank]]\ncode = \"RCC\"\nlayout = \"iso20022\"\n{payer}payer_bank_no = \"402000000001\"\n\
         [[bank]]\ncode = \"ABC\"\nlayout = \"treasury\"\n{payer}payer_bank = \"和静农信社\"\n[bank.voucher]\n\
         TreCode = \"2600000000\"\nFundTypeCode = \"1\"\nFundTypeName = \"公共财政预算资金\"\n\
         PayBankCode = \"402000000001\"\nPayBankName = \"和静农信社\"\nAgencyCode = \"101001\"\n\
         AgencyName = \"和静县社会保险中心\"\n"
    );
    book::add(&mut banks, &entries).expect("two banks");
    banks
});

/// What was sent, of which all answers speak.
static SENT: LazyLock<(FileHeader, Vec<PaymentRow>, Vec<Sent>)> = LazyLock::new(|| {
    let (header, rows) = sample::payments(today());
    let sent = rows.iter().map(|row| Sent {
        line_no: row.line_no,
        account: row.account.clone(),
        holder: row.holder.clone(),
        amount: row.amount,
    });
    let sent = sent.collect();
    (header, rows, sent)
});

const STEM: &str = "652827-202601-1-";

fn sheet(code: &str) -> Sheet<'static> {
    let bank = BANKS.bank(code).expect("a bank");
    Sheet { header: &SENT.0, bank, layout: BANKS.layout(&bank.layout).expect("its layout") }
}

/// One file in the charsets and kinds in which it may come.
fn in_all_forms(lines: &[&str]) -> Vec<Vec<u8>> {
    let text = [lines.join("\r\n").as_str(), "\r\n"].concat();
    let gb18030 = charset::encode(&text, charset::Charset::Gb18030).expect("a text");
    let table = read_table("x.csv", text.as_bytes(), None).expect("a table");
    let numbers = [false; WIDEST];
    let texts: Vec<Vec<Cow<'_, str>>> =
        table.rows().map(|row| (0..WIDEST).map(|at| row.cell(at).text()).collect()).collect();
    let lines: Vec<Line<'_>> = texts
        .iter()
        .map(|cells| Line { cells: cells.iter().map(AsRef::as_ref).collect(), numbers: &numbers })
        .collect();
    let workbook = workbook::write("Sheet1", &lines).expect("a workbook");
    vec![text.clone().into_bytes(), gb18030, workbook]
}

fn of_table(bytes: &[u8], understood: impl Fn(&Table) -> bool) -> bool {
    read_table("x", bytes, None).is_ok_and(|table| understood(&table))
}

fn roster(bytes: &[u8]) -> bool {
    static PARSED: LazyLock<Vec<Scheme>> =
        LazyLock::new(|| SCHEMES.iter().map(|text| scheme::parse_scheme(text).expect("a scheme")).collect());
    of_table(bytes, |table| {
        let bar = Progress::default().begin("", None, "");
        let first = Period::new(2026, 1).expect("a month");
        let read = |scheme| {
            let context = RosterContext { scheme, banks: &BANKS, today: today(), first, bar: &bar };
            !parse_roster(table, &context).rows.is_empty()
        };
        let read: Vec<bool> = PARSED.iter().map(read).collect();
        read.contains(&true)
    })
}

fn rosters() -> Vec<Vec<u8>> {
    let [a, b] = PEOPLE;
    let row =
        |(name, number, account): (&str, &str, &str), more: &str| format!("{name},{number},{account},农信社{more}");
    let county = in_all_forms(&["姓名,公民身份号码,银行账号,开户银行", &row(a, ""), &row(b, "")]);
    let pension = in_all_forms(&[
        "姓名,公民身份号码,银行账号,开户银行,月待遇,享受起始月,待遇终止日期,停发原因,发放状态,暂停起始月,暂停原因",
        &row(a, ",3120.50,2025-06,,,正常,,"),
        &row(b, ",\"2,800.00\",2025年6月,2026-03-31,死亡,停发,,"),
        "合计,,,,5920.50",
    ]);
    [county, pension].concat()
}

fn budgets(bytes: &[u8]) -> bool {
    budget::parse_budget("x", bytes, None).is_ok()
}

fn budget_samples() -> Vec<Vec<u8>> {
    in_all_forms(&[
        "年度,指标文号,补贴项目,项目名称,功能科目,经济科目,资金来源,支出类别,金额(万元)",
        "2026,巴财社〔2025〕98号,pochan1995,生活补贴,2080601,30305,上级,项目,28.90",
    ])
}

fn changes(bytes: &[u8]) -> bool {
    change::parse_changes("x", bytes, None, Some("pochan1995"), today()).is_ok()
}

fn change_samples() -> Vec<Vec<u8>> {
    let [(name, number, account), (other, second, _)] = PEOPLE;
    in_all_forms(&[
        "变更类型,公民身份号码,姓名,日期,月份,原因类别,是否补发,说明,依据,新账号,开户行,户名",
        &format!("死亡,{number},{name},2025-12-03,,,,家属来报,死亡证明,,,"),
        &format!("账户变更,{second},{other},,,,,换卡,申请表,{account},农信社,{other}"),
        &format!("暂停,{second},{other},,2026-02,其他原因,,电话打不通,,,,"),
        &format!("恢复,{second},{other},,2026-03,,是,已核实,,,,"),
    ])
}

fn certifications(bytes: &[u8]) -> bool {
    of_table(bytes, |table| !certification::parse_certifications(table, today()).rows.is_empty())
}

fn certification_samples() -> Vec<Vec<u8>> {
    let [(name, number, _), (other, second, _)] = PEOPLE;
    in_all_forms(&[
        "姓名,公民身份号码,认证日期,认证方式,经办人,备注",
        &format!("{name},{number},2025-11-03,人脸识别,,"),
        &format!("{other},{second},20251204,现场,帕提古丽,"),
    ])
}

fn comparisons(bytes: &[u8]) -> bool {
    of_table(bytes, |table| {
        let read = |kind| !comparison::parse_comparison(table, kind, today()).rows.is_empty();
        ComparisonKind::ALL.map(read).contains(&true)
    })
}

fn comparison_samples() -> Vec<Vec<u8>> {
    let [(name, number, _), (other, second, _)] = PEOPLE;
    let deaths = in_all_forms(&[
        "死者姓名,死者身份证号,死亡日期,来源",
        &format!("{name},{number},2025-12-03,民政火化"),
        &format!("{other},{second},2025年11月,卫健"),
    ]);
    let paid = in_all_forms(&[
        "姓名,证件号,险种,所属期,金额,起始月,终止月",
        &format!("{name},{number},城乡居民养老,2025-12,180.00,2024-01,"),
    ]);
    [deaths, paid].concat()
}

fn any_workbook(bytes: &[u8]) -> bool {
    of_table(bytes, |table| {
        let header = Header::find(table, &[(0, &["姓名"] as &[&str]), (1, &["公民身份号码"])]);
        let texts: usize = table.rows().map(|row| (0..40).map(|at| row.cell(at).text().len()).sum::<usize>()).sum();
        header.column(0).is_some() && texts > 0
    })
}

fn workbooks() -> Vec<Vec<u8>> {
    let mut samples = vec![include_bytes!("../data/roster/three-people.xls").to_vec()];
    samples.extend(rosters());
    samples
}

/// Text as the program reads its own files: what is no UTF-8 is refused before.
fn of_text(bytes: &[u8], understood: impl Fn(&str) -> bool) -> bool {
    str::from_utf8(bytes).is_ok_and(understood)
}

fn schemes(bytes: &[u8]) -> bool {
    of_text(bytes, |text| scheme::parse_scheme(text).is_ok())
}

fn scheme_samples() -> Vec<Vec<u8>> {
    SCHEMES.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn calendars(bytes: &[u8]) -> bool {
    of_text(bytes, |text| calendar::parse_calendar(text).is_ok())
}

fn calendar_samples() -> Vec<Vec<u8>> {
    CALENDARS.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A layout that is accepted must also write, and read back what it wrote.
fn bank_file(bytes: &[u8]) -> bool {
    of_text(bytes, |text| {
        let Ok((layout, _)) = book::parse_bank_file(text) else { return false };
        let Some(layout) = layout else { return true };
        let Some(form) = &layout.form else { return true };
        let bank = sample::bank(&layout.code, form);
        let sheet = writer::Sheet { header: &SENT.0, run_no: 1, bank: &bank, layout: &layout, form };
        if let Ok((name, bytes)) = writer::write_payment_file(&sheet, &SENT.1) {
            let _ = read_back::read_payment_file(form, &bank, &name, &bytes);
            let _ = reader::read_answer(&layout, form, &bank, &name, &bytes);
        }
        true
    })
}

fn bank_files() -> Vec<Vec<u8>> {
    [
        include_str!("../../config/banks/neutral.toml"),
        include_str!("../../config/banks/icbc-bpt.toml"),
        include_str!("../../config/banks/citic.toml"),
        include_str!("../../config/banks/city-bank-core.toml"),
        include_str!("../../config/banks/unionpay-chinapay.toml"),
        include_str!("../../config/banks/unionpay-aipg.toml"),
        include_str!("../../config/banks/boc-payoff.toml"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn neutral_file(bytes: &[u8]) -> bool {
    let _ = neutral::seeming_kind(bytes);
    neutral::read_payment_file(bytes).is_ok() | neutral::read_answer(bytes).is_ok()
}

fn neutral_samples() -> Vec<Vec<u8>> {
    let layout = BANKS.layout("neutral").expect("built in");
    let payments = neutral::write_payment_file(&SENT.0, &SENT.1, layout).expect("a payment file");
    let bank = SimulatedBank::new(1, Faults::default(), today());
    let answer = bank.answer(&payments).expect("an answer");
    vec![payments, answer]
}

/// Layouts of the banks' own, each with a bank that uses it.
static LAYOUTS: LazyLock<Vec<(Layout, Bank)>> = LazyLock::new(|| {
    let own = BANKS.all_layouts().into_iter();
    own.filter_map(|layout| Some((layout.clone(), sample::bank(&layout.code, layout.form.as_ref()?)))).collect()
});

fn bank_answer(bytes: &[u8]) -> bool {
    let (header, _, sent) = &*SENT;
    let read = |(layout, bank): &(Layout, Bank)| {
        let form = layout.form.as_ref()?;
        let _ = read_back::read_payment_file(form, bank, "652827-202601-1-BANK-1of1.txt", bytes);
        let laid = reader::read_answer(layout, form, bank, "answer.txt", bytes).ok()?;
        Some(matched(&form.answer, &laid, AnswerKind::Return, header.clone(), STEM, sent))
    };
    LAYOUTS.iter().filter_map(read).count() > 0
}

fn bank_answers() -> Vec<Vec<u8>> {
    let (header, rows, _) = &*SENT;
    let answer = |(layout, bank): &(Layout, Bank)| {
        let form = layout.form.as_ref()?;
        let said = |at: usize| form.answer.statuses.get(at % form.answer.statuses.len().max(1)).map(|(said, _)| *said);
        let fates = rows.iter().enumerate().filter_map(|(at, row)| {
            Some(sample::Fate {
                seq: at + 1,
                row,
                said: said(at)?,
                reason_code: "",
                reason: "户名不符",
                bank_ref: "B1",
            })
        });
        let fates: Vec<sample::Fate<'_>> = fates.collect();
        sample::bytes(form, &sample::answer(form, bank, header, &fates)).ok()
    };
    LAYOUTS.iter().filter_map(answer).collect()
}

fn iso20022_report(bytes: &[u8]) -> bool {
    let (header, _, sent) = &*SENT;
    let _ = iso20022::report::is_report(bytes);
    iso20022::report::read_report(bytes)
        .is_ok_and(|report| report.understood(sheet("RCC").layout, header, STEM, sent).is_ok())
}

fn iso20022_samples() -> Vec<Vec<u8>> {
    let reference = &SENT.0.file_ref;
    let payment = |line: i64, status: &str, reason: &str| {
        format!(
            "<TxInfAndSts><StsId>S{line}</StsId><OrgnlEndToEndId>{STEM}{line}</OrgnlEndToEndId><TxSts>{status}</TxSts>\
             {reason}<OrgnlTxRef><Amt><InstdAmt Ccy=\"CNY\">120.00</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>"
        )
    };
    let of_group = |group: &str, inner: String| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\">\
             <CstmrPmtStsRpt><GrpHdr><MsgId>B1</MsgId><CreDtTm>2026-01-16T10:00:00</CreDtTm></GrpHdr><OrgnlGrpInfAndSts>\
             <OrgnlMsgId>{reference}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>\
             {inner}</CstmrPmtStsRpt></Document>"
        )
        .into_bytes()
    };
    let reason = "<StsRsnInf><Rsn><Cd>BE04</Cd></Rsn><AddtlInf>户名不符</AddtlInf></StsRsnInf>";
    let single = format!(
        "<OrgnlPmtInfAndSts><OrgnlPmtInfId>{reference}</OrgnlPmtInfId><PmtInfSts>PART</PmtInfSts>{}{}</OrgnlPmtInfAndSts>",
        payment(1, "ACSC", ""),
        payment(2, "RJCT", reason).replace("120.00", "240.50")
    );
    vec![of_group("<GrpSts>ACSC</GrpSts>", String::new()), of_group("", single)]
}

fn vouchers() -> &'static [u8] {
    static VOUCHERS: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let from = Appropriation {
            no: 1,
            year: 2026,
            document: "巴财社〔2025〕98号".into(),
            scheme_code: "pochan1995".into(),
            project: "生活补贴".into(),
            function_code: "2080601".into(),
            economic_code: "30305".into(),
            source: Source::Superior,
            expenditure: Expenditure::Project,
            appropriated: Money::ZERO,
            available: Money::ZERO,
            reserved: Money::ZERO,
            paid: Money::ZERO,
        };
        treasury::payment::write_payment_file(&sheet("ABC"), &from, &SENT.1).expect("vouchers").1
    });
    &VOUCHERS
}

/// As a file, and as what stands inside the list of one: no change of a byte would get through the base64.
fn treasury_answer(bytes: &[u8]) -> bool {
    let (header, _, sent) = &*SENT;
    let inside = Voucher {
        division: "652827".into(),
        year: "2026".into(),
        code: "8207",
        number: header.file_ref.clone(),
        flag: "1",
        text: String::from_utf8_lossy(bytes).into_owned(),
    };
    let read = |bytes: &[u8]| {
        let _ = (treasury::envelope::kind_of(bytes), treasury::envelope::shown(bytes));
        let returned = treasury::answer::read_answer(bytes).ok()?;
        returned.understood(sheet("ABC").layout, header, STEM, (vouchers(), sent)).ok()
    };
    let wrapped = wrap(&[inside]).ok();
    read(bytes).or_else(|| read(&wrapped?)).is_some()
}

fn treasury_samples() -> Vec<Vec<u8>> {
    let file = String::from_utf8_lossy(vouchers());
    let mut packed = file.lines().filter_map(|line| line.trim().strip_prefix("<Voucher>")?.strip_suffix("</Voucher>"));
    let list = STANDARD.decode(packed.next_back().expect("a list")).expect("base64");
    let (list, _) = charset::decode(&list, Some(charset::Charset::Gb18030)).expect("GBK");
    let paid = |list: String, amount: &str| {
        let (day, reference) = ("<XPayDate>20260116</XPayDate>", "<XAgentBusinessNo>B7</XAgentBusinessNo>");
        list.replacen("<XPayDate></XPayDate>", day, 1)
            .replacen("<XAgentBusinessNo></XAgentBusinessNo>", reference, 1)
            .replacen("<XPayAmt></XPayAmt>", &format!("<XPayAmt>{amount}</XPayAmt>"), 1)
    };
    let list = list.replacen("<XPayDate></XPayDate>", "<XPayDate>20260116</XPayDate>", 1);
    let list = list.replacen("<XSumAmt></XSumAmt>", "<XSumAmt>360.50</XSumAmt>", 1);
    let inside = paid(paid(list, "120.00"), "240.50");
    let voucher = Voucher {
        division: "652827".into(),
        year: "2026".into(),
        code: "8207",
        number: SENT.0.file_ref.clone(),
        flag: "1",
        text: inside.clone(),
    };
    vec![wrap(&[voucher]).expect("an answer"), inside.into_bytes()]
}

fn statement(bytes: &[u8]) -> bool {
    read_statements("x", bytes, &StatementTable::default()).is_ok()
}

fn camt_samples() -> Vec<Vec<u8>> {
    let day = |tag: &str, day: &str| format!("<{tag}><Dt>{day}</Dt></{tag}>");
    let balance = |kind: &str, amount: &str, on: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>{}</Bal>",
            day("Dt", on)
        )
    };
    let statement = format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr>\
         <Stmt><Id>S1</Id><ElctrncSeqNb>1</ElctrncSeqNb><Acct><Id><Othr><Id>3000000000000000018</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\
         {}{}<Ntry><NtryRef>1</NtryRef><Amt Ccy=\"CNY\">360.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>{}{}\
         <AcctSvcrRef>A1</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>652827-202601-1-BANK-1</EndToEndId></Refs>\
         <Amt Ccy=\"CNY\">360.50</Amt><RmtInf><Ustrd>代发</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", "1000.00", "2026-01-15"),
        balance("CLBD", "639.50", "2026-01-16"),
        day("BookgDt", "2026-01-15"),
        day("ValDt", "2026-01-15"),
    );
    vec![
        statement.clone().into_bytes(),
        statement.replace("001.08", "001.02").replace("<Sts><Cd>BOOK</Cd></Sts>", "<Sts>BOOK</Sts>").into_bytes(),
    ]
}

fn mt940_samples() -> Vec<Vec<u8>> {
    vec![
        "{1:F01X}{4:\r\n:20:X\r\n:25:622800012345CNY\r\n:28C:7/1\r\n:60F:C260119CNY100,\r\n\
         :61:2601200120RDY40,5NTRF652827-202601-1-1//A\r\n:86:166?00退票?20EREF+652827-202601-1-1?31 62170?32阿依\r\n\
         ?33古丽\r\n:62F:C260121CNY140,50\r\n-}"
            .as_bytes()
            .to_vec(),
    ]
}

fn statement_tables() -> Vec<Vec<u8>> {
    in_all_forms(&[
        "账号:,622800012345",
        "起止日期: 20260101-20260131",
        "交易日期,借方,贷方,余额,摘要",
        "20260105,,\"1,000.00\",1000.5,拨款",
        "2026-01-06,-3,,1003.5,冲",
    ])
}
