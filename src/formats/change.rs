//! Lists of changes (变更表): one row, one change. Which columns a row needs depends on its kind.
//! Whether a change fits the person is judged where it is made.

use chrono::NaiveDate;

use super::charset::Charset;
use super::list::{Common, IGNORED_TITLES, ListColumn, ListReader, NAME_TITLES, NUMBER_TITLES, Titles, quoted};
use super::table::{Header, Row, read_table};
use crate::domain::change::{Change, What};
use crate::domain::enrolment::{StopReason, SuspensionCause};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::Period;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeList {
    /// Changes in the order of the file, each with its row.
    pub changes: Vec<(usize, Change)>,
    /// Everything found that is no error.
    pub findings: Vec<RowFinding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Kind,
    Number,
    Name,
    Scheme,
    Date,
    Month,
    Cause,
    BackPay,
    Reason,
    Evidence,
    Account,
    Bank,
    Holder,
    Relation,
    Category,
    Amount,
    Way,
    Event,
    NewName,
    Ignored,
}

impl ListColumn for Column {
    fn number(self) -> usize {
        self as usize
    }
}

const TITLES: &Titles<Column> = &[
    (Column::Kind, &["变更类型", "变更事项", "变更种类", "类型"]),
    (Column::Number, NUMBER_TITLES),
    (Column::Name, NAME_TITLES),
    (Column::Scheme, &["项目", "项目编码", "补贴项目"]),
    (Column::Date, &["日期", "发生日期", "死亡日期", "认证日期"]),
    (Column::Month, &["月份", "生效月", "起始月", "暂停月", "恢复月"]),
    (Column::Cause, &["原因类别", "停发原因", "暂停原因", "种类"]),
    (Column::BackPay, &["是否补发", "补发"]),
    (Column::Reason, &["原因", "说明", "备注"]),
    (Column::Evidence, &["依据", "证明材料"]),
    (Column::Account, &["银行账号", "新账号", "账号", "卡号"]),
    (Column::Bank, &["开户银行", "开户行"]),
    (Column::Holder, &["户名"]),
    (Column::Relation, &["户名关系"]),
    (Column::Category, &["人员类别", "新类别"]),
    (Column::Amount, &["月待遇", "金额"]),
    (Column::Way, &["认证方式"]),
    (Column::Event, &["变更编号"]),
    (Column::NewName, &["新姓名"]),
    (Column::Ignored, IGNORED_TITLES),
];

const COMMON: Common<Column> = Common {
    list: "变更表",
    one_row: "一行一项变更",
    name: Column::Name,
    number: Column::Number,
    ignored: Column::Ignored,
};

/// Reads a list of changes. `scheme` stands for rows without one.
///
/// # Errors
/// Everything found, when any of it is an error: titles that do not fit, and of every row the first
/// missing, wrong or damaged value.
pub fn parse_changes(
    name: &str,
    bytes: &[u8],
    charset: Option<Charset>,
    scheme: Option<&str>,
    today: NaiveDate,
) -> Result<ChangeList, Vec<RowFinding>> {
    let table = read_table(name, bytes, charset).map_err(|e| {
        vec![RowFinding {
            row: 0,
            column: String::new(),
            code: e.code(),
            found: e.to_string(),
            expected: "CSV、XLSX 或 XLS 变更表".into(),
            severity: Severity::Error,
            hint: String::new(),
        }]
    })?;
    let header = Header::find(&table, TITLES);
    let mut list = ListReader::new(TITLES, &header, COMMON, Severity::Error);
    list.payees = None;
    let (changes, _) = list.people(&table, &[Column::Kind, Column::Number], |list, row| {
        Some((row.number, Fields { list, row }.change(scheme, today)?))
    });
    let findings = list.findings;
    if findings.iter().any(|f| f.severity == Severity::Error) {
        Err(findings)
    } else {
        Ok(ChangeList { changes, findings })
    }
}

/// One row; what cannot be read is told, and nothing after it is looked at.
struct Fields<'l, 'a> {
    list: &'l mut ListReader<'a, Column>,
    row: &'l Row<'l>,
}

impl Fields<'_, '_> {
    fn text(&mut self, column: Column) -> Option<String> {
        Some(self.list.text(self.row, column)?.into_owned())
    }

    fn wrong<T>(&mut self, column: Column, text: &str, expected: &str) -> Option<T> {
        self.list.fault(column, "VALUE", quoted(text), expected, "");
        None
    }

    fn need<T>(&mut self, column: Column, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(column)?;
        parse(&text).or_else(|| self.wrong(column, &text, expected))
    }

    fn account(&mut self) -> Option<String> {
        Some(self.list.digits(self.row, Column::Account, 0)?.into_owned())
    }

    fn date(&mut self) -> Option<NaiveDate> {
        self.list.plain_date(self.row, Column::Date)
    }

    fn month(&mut self) -> Option<Period> {
        self.list.month(self.row, Column::Month)
    }

    fn change(&mut self, scheme: Option<&str>, today: NaiveDate) -> Option<Change> {
        let citizen_number = self.list.citizen_number(self.row, today)?.as_str().to_string();
        let scheme = given(self.text(Column::Scheme)?).or_else(|| scheme.map(str::to_string));
        let reason = self.text(Column::Reason)?;
        let evidence = self.text(Column::Evidence)?;
        let kind = self.text(Column::Kind)?;
        let what = match kind.as_str() {
            "新增" => What::Enrol(self.roster_fields(&citizen_number)?),
            "停发" | "死亡" | "迁出" => {
                let word = given(self.text(Column::Cause)?).unwrap_or(kind);
                What::Stop { reason: self.stop_reason(&word)?, on: self.date()? }
            }
            "暂停" => What::Suspend { cause: self.cause(&reason)?, from: self.month()? },
            "恢复" => {
                let back_pay = self.need(Column::BackPay, "是 或 否", |text| match text {
                    "" => Some(None),
                    "是" | "补发" => Some(Some(true)),
                    "否" | "不补发" => Some(Some(false)),
                    _ => None,
                })?;
                let is_named = !self.list.cell(self.row, Column::Cause).is_blank();
                let cause = Some(self.cause(&reason)?).filter(|c| is_named || *c != SuspensionCause::Other);
                What::Resume { cause, from: self.month()?, back_pay }
            }
            "账户变更" | "换卡" => {
                let number = given(self.account()?).or_else(|| self.wrong(Column::Account, "", "号码"))?;
                let [bank, holder] = [Column::Bank, Column::Holder].map(|c| self.text(c).map(given));
                What::Account { number, bank: bank?, holder: holder?, relation: self.text(Column::Relation)? }
            }
            "姓名变更" => What::Name(self.need(Column::NewName, "新姓名", not_empty)?),
            "类别变更" => {
                What::Category { category: self.need(Column::Category, "类别", not_empty)?, from: self.month()? }
            }
            "待遇变更" => What::Amount {
                monthly: self.need(Column::Amount, "金额，元", |t| Money::parse(t).ok())?,
                from: self.month()?,
            },
            "出生日期更正" => What::Born(self.date()?),
            "退休日期更正" => What::Retired(self.date()?),
            "认证" | "资格认证" => What::Certify { on: self.date()?, way: self.text(Column::Way)? },
            "撤销" => What::Undo(self.need(Column::Event, "要撤销的变更编号", |t| t.parse().ok())?),
            other => {
                let known = "新增、停发、暂停、恢复、账户变更、姓名变更、类别变更、待遇变更、出生日期更正、退休日期更正、资格认证、撤销";
                self.list.fault(Column::Kind, "KIND_UNKNOWN", quoted(other), known, "");
                return None;
            }
        };
        Some(Change { citizen_number, scheme, what, reason, evidence })
    }

    fn stop_reason(&mut self, word: &str) -> Option<StopReason> {
        let reasons = || StopReason::ALL.into_iter().filter(|r| *r != StopReason::Roster);
        let reason = reasons().find(|r| r.title() == word || r.code() == word);
        reason.or_else(|| {
            let known: Vec<&str> = reasons().map(StopReason::title).collect();
            self.wrong(Column::Cause, word, &known.join("、"))
        })
    }

    /// The cause of a suspension as named, else as the words of the reason tell it.
    fn cause(&mut self, reason: &str) -> Option<SuspensionCause> {
        if self.list.cell(self.row, Column::Cause).is_blank() {
            return Some(SuspensionCause::in_words(reason));
        }
        let known = SuspensionCause::ALL.map(SuspensionCause::title).join("、");
        self.need(Column::Cause, &known, SuspensionCause::parse)
    }

    /// What a roster would say of the person, by its titles.
    fn roster_fields(&mut self, citizen_number: &str) -> Option<Vec<(String, String)>> {
        let own = [
            (Column::Name, "姓名"),
            (Column::Account, "银行账号"),
            (Column::Bank, "开户银行"),
            (Column::Holder, "户名"),
            (Column::Relation, "户名关系"),
            (Column::Category, "人员类别"),
            (Column::Month, "享受起始月"),
            (Column::Amount, "月待遇"),
        ];
        let mut fields = vec![("公民身份号码".to_string(), citizen_number.to_string())];
        for (column, title) in own {
            let text = if column == Column::Account { self.account()? } else { self.text(column)? };
            fields.extend(given(text).map(|text| (title.to_string(), text)));
        }
        Some(fields)
    }
}

/// Nothing for an empty text.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn not_empty(text: &str) -> Option<String> {
    given(text.to_string())
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::Workbook;

    use super::*;
    use crate::domain::credit_code;
    use crate::formats::list::tests::{citizen, told};

    fn read_bytes(bytes: &[u8]) -> Result<ChangeList, Vec<RowFinding>> {
        parse_changes("变更.csv", bytes, None, Some("pochan1995"), "2026-08-01".parse().unwrap())
    }

    fn read(text: &str) -> Result<ChangeList, Vec<RowFinding>> {
        read_bytes(text.as_bytes())
    }

    #[test]
    fn each_kind_reads_the_columns_it_needs() {
        let n = citizen(1);
        let text = format!(
            "变更类型,公民身份号码,日期,月份,停发原因,原因,依据\n停发,{n},2026-05-12,,死亡,,死亡证明\n\
             死亡,{n},2026-05-12,,,,\n暂停,{n},,2026-06,,服刑通知,法院来函\n恢复,{n},,2026-07,,刑满,\n认证,{n},2026-07-02,,,,\n恢复,{n},,2026-07,其他原因,,\n"
        );
        let ChangeList { changes, findings } = read(&text).unwrap();
        assert_eq!(findings, []);
        assert_eq!(changes.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
        let died = What::Stop { reason: StopReason::Death, on: "2026-05-12".parse().unwrap() };
        assert_eq!((&changes[0].1.what, &changes[1].1.what), (&died, &died));
        assert_eq!(changes[0].1.evidence, "死亡证明");
        assert!(matches!(changes[2].1.what, What::Suspend { cause: SuspensionCause::Prison, .. }));
        assert!(matches!(changes[3].1.what, What::Resume { cause: None, back_pay: None, .. }));
        assert_eq!(changes[4].1.scheme.as_deref(), Some("pochan1995"));
        assert!(matches!(changes[5].1.what, What::Resume { cause: Some(SuspensionCause::Other), .. }));
    }

    #[test]
    fn every_wrong_row_is_told_at_once() {
        let n = citizen(1);
        let text = format!(
            "变更类型,公民身份号码,日期,月份\n离岗,{n},,\n停发,{n},2026-13-01,\n死亡,123,2026-05-12,\n暂停,{n},,\n"
        );
        let faults = read(&text).unwrap_err();
        let told: Vec<_> = faults.iter().map(|f| (f.row, f.column.as_str())).collect();
        // 停发 without a reason is told before its date.
        assert_eq!(told, [(2, "变更类型"), (3, "原因类别"), (4, "公民身份号码"), (5, "月份")]);
        assert_eq!(read("姓名,日期\n甲,2026-01-01\n").unwrap_err()[0].code, "COLUMN_MISSING");
    }

    #[test]
    fn rows_that_are_no_changes_are_passed_over() {
        let text = format!(
            "变更登记表\n序号,变更类型,身份证号,死亡日期,乡镇,退回原因\n1,死亡,{},2026-05-12,巴润哈尔莫敦,缺证明\n\
             2,,,,,\n合计,1,,,,\n审核：赵六,,,2026-05-20,,\n",
            citizen(1)
        );
        let list = read(&text).unwrap();
        assert_eq!(list.changes.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [3]);
        assert_eq!(told(&list.findings), ["2 COLUMN_UNKNOWN"]);
        assert_eq!(told(&read("变更类型,身份证号\n合计,0\n").unwrap_err()), ["1 NO_DATA"]);
        let twice = format!("变更类型,身份证号,日期,死亡日期\n死亡,{},2026-05-12,2026-05-13\n", citizen(1));
        assert_eq!(told(&read(&twice).unwrap_err()), ["1 COLUMN_TWICE"]);
    }

    #[test]
    fn damaged_cells_are_never_believed() {
        let titles = ["变更类型", "公民身份号码", "银行账号", "月份", "依据"];
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        for (i, title) in (0_u16..).zip(titles) {
            page.write_string(0, i, title).unwrap();
        }
        for (row, kind) in (1..).zip(["死亡", "换卡", "新增", "暂停", "暂停"]) {
            page.write_string(row, 0, kind).unwrap();
            page.write_string(row, 1, citizen(row)).unwrap();
        }
        page.write_number(1, 1, 652_827_194_005_010_017_f64).unwrap();
        page.write_number(2, 2, 123_456_789_012_f64).unwrap();
        page.write_number(3, 2, 123_456_789_012_f64).unwrap();
        page.write_string(4, 3, "2026.1").unwrap();
        page.write_formula(5, 4, "=VLOOKUP(B6,X:Y,2)").unwrap();
        let findings = read_bytes(&book.save_to_buffer().unwrap()).unwrap_err();
        let expected = ["2 NUMERIC_CELL", "3 NUMERIC_CELL", "4 NUMERIC_CELL", "5 MONTH_INVALID", "6 FORMULA_CELL"];
        assert_eq!(told(&findings), expected);
        let text = format!("变更类型,身份证号,账号\n换卡,{},6.217E+18\n停发,6.52827E+17,\n", citizen(1));
        let findings = read(&text).unwrap_err();
        assert_eq!(told(&findings), ["2 SCIENTIFIC_NOTATION", "3 SCIENTIFIC_NOTATION"]);
        assert_eq!((findings[0].column.as_str(), findings[0].found.as_str()), ("账号", "科学计数法 6.21*E+18"));
    }

    #[test]
    fn a_units_code_of_digits_and_one_e_is_no_damaged_number() {
        let code = |serial: u32| {
            let body = format!("12652827E12345{serial:03}");
            format!("{body}{}", credit_code::check_character(&body))
        };
        let code = (0..100).map(code).find(|code| code.ends_with(|c: char| c.is_ascii_digit())).unwrap();
        let list = read(&format!("变更类型,公民身份号码,新姓名\n姓名变更,{},甲公司\n", code.to_lowercase())).unwrap();
        assert_eq!((&list.changes[0].1.citizen_number, &list.changes[0].1.what), (&code, &What::Name("甲公司".into())));
    }
}
