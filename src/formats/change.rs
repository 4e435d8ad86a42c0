//! Lists of changes (变更表): one row, one change. Which columns a row needs depends on its kind.
//! Whether a change fits the person is judged where it is made.

use chrono::NaiveDate;

use super::charset::Charset;
use super::table::{Cell, Header, Row, read_table, total_word};
use crate::domain::change::{Change, What};
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{StopReason, SuspensionCause};
use crate::domain::finding::{RowFinding, Severity};
use crate::domain::money::Money;
use crate::domain::period::{Period, parse_date};
use crate::domain::text::without_blanks;

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

const TITLES: &[(Column, &[&str])] = &[
    (Column::Kind, &["变更类型", "变更事项", "变更种类", "类型"]),
    (Column::Number, &["公民身份号码", "身份证号", "身份证号码", "证件号码"]),
    (Column::Name, &["姓名"]),
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
    (Column::Ignored, &["序号", "退回原因"]),
];

fn title(column: Column) -> &'static str {
    TITLES.iter().find(|(c, _)| *c == column).and_then(|(_, names)| names.first()).copied().unwrap_or_default()
}

/// Reads a list of changes, each with its row. `scheme` stands for rows without one.
///
/// # Errors
/// Every fault of every row: unknown kinds, missing or wrong values, numbers damaged by a spreadsheet.
pub fn parse_changes(
    name: &str,
    bytes: &[u8],
    charset: Option<Charset>,
    scheme: Option<&str>,
    today: NaiveDate,
) -> Result<Vec<(usize, Change)>, Vec<RowFinding>> {
    let fault = |row, column: Option<Column>, code, found: String, expected: &str| RowFinding {
        row,
        column: column.map_or("", title).to_string(),
        code,
        found,
        expected: expected.to_string(),
        severity: Severity::Error,
        hint: String::new(),
    };
    let table = read_table(name, bytes, charset)
        .map_err(|e| vec![fault(0, None, e.code(), e.to_string(), "CSV、XLSX 或 XLS 变更表")])?;
    let header = Header::find(&table, TITLES);
    let missing = [Column::Kind, Column::Number].into_iter().find(|c| header.column(*c).is_none());
    if let Some(column) = missing {
        return Err(vec![fault(
            header.row,
            None,
            "COLUMN_MISSING",
            format!("没有“{}”列", title(column)),
            "变更类型、公民身份号码",
        )]);
    }
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    for row in table.rows.iter().filter(|r| r.number > header.row) {
        if row.cells.iter().all(Cell::is_blank) || total_word(row).is_some() {
            continue;
        }
        let reader = Fields { header: &header, row };
        match reader.change(scheme, today) {
            Ok(change) => changes.push((row.number, change)),
            Err((column, code, found, expected)) => {
                faults.push(fault(row.number, Some(column), code, found, &expected));
            }
        }
    }
    if faults.is_empty() { Ok(changes) } else { Err(faults) }
}

type Fault = (Column, &'static str, String, String);

struct Fields<'a> {
    header: &'a Header<Column>,
    row: &'a Row,
}

impl Fields<'_> {
    fn cell(&self, column: Column) -> &Cell {
        self.header.column(column).map_or(&Cell::Empty, |(i, _)| self.row.cell(i))
    }

    fn text(&self, column: Column) -> String {
        self.cell(column).text().trim().to_string()
    }

    fn given(&self, column: Column) -> Option<String> {
        Some(self.text(column)).filter(|text| !text.is_empty())
    }

    fn need<T>(&self, column: Column, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
        let text = self.text(column);
        let found = if text.is_empty() { "为空".to_string() } else { format!("“{text}”") };
        parse(&text).ok_or((column, "VALUE", found, expected.to_string()))
    }

    /// A number with more digits than a spreadsheet keeps must stand in a text cell.
    fn number(&self, column: Column) -> Result<String, Fault> {
        if let Cell::Number(_) = self.cell(column) {
            let text = self.text(column);
            if without_blanks(&text).len() > 15 || text.contains(['e', 'E']) {
                return Err((column, "NUMBER_CELL", "数值格式的长号码，末尾几位可能已丢失".into(), "文本格式".into()));
            }
        }
        self.need(column, "号码", |t| (!t.is_empty()).then(|| t.to_string()))
    }

    fn date(&self) -> Result<NaiveDate, Fault> {
        self.need(Column::Date, "2026-05-12 这样的日期", parse_date)
    }

    fn month(&self) -> Result<Period, Fault> {
        self.need(Column::Month, "2026-05 这样的年月", |t| t.parse().ok())
    }

    fn change(&self, scheme: Option<&str>, today: NaiveDate) -> Result<Change, Fault> {
        let citizen_number = self.number(Column::Number)?;
        CitizenNumber::parse_any(&citizen_number, today)
            .map_err(|e| (Column::Number, e.code(), e.to_string(), String::new()))?;
        let scheme = self.given(Column::Scheme).or_else(|| scheme.map(str::to_string));
        let reason = self.text(Column::Reason);
        let causes = || SuspensionCause::ALL.map(SuspensionCause::title).join("、");
        let suspension = || match self.given(Column::Cause) {
            None => Ok(Some(SuspensionCause::in_words(&reason)).filter(|c| *c != SuspensionCause::Other)),
            Some(_) => self.need(Column::Cause, &causes(), SuspensionCause::parse).map(Some),
        };
        let what = match self.text(Column::Kind).as_str() {
            "新增" => What::Enrol(self.roster_fields()),
            "停发" | "死亡" | "迁出" => {
                let word = self.given(Column::Cause).unwrap_or_else(|| self.text(Column::Kind));
                let reasons = StopReason::ALL.into_iter().filter(|r| *r != StopReason::Roster);
                let known: Vec<&str> = reasons.clone().map(StopReason::title).collect();
                let reason = reasons.into_iter().find(|r| r.title() == word || r.code() == word);
                let reason = reason.ok_or((Column::Cause, "VALUE", format!("“{word}”"), known.join("、")))?;
                What::Stop { reason, on: self.date()? }
            }
            "暂停" => What::Suspend { cause: suspension()?.unwrap_or(SuspensionCause::Other), from: self.month()? },
            "恢复" => {
                let back_pay = match self.text(Column::BackPay).as_str() {
                    "" => None,
                    "是" | "补发" => Some(true),
                    "否" | "不补发" => Some(false),
                    other => return Err((Column::BackPay, "VALUE", format!("“{other}”"), "是 或 否".into())),
                };
                What::Resume { cause: suspension()?, from: self.month()?, back_pay }
            }
            "账户变更" | "换卡" => What::Account {
                number: self.number(Column::Account)?,
                bank: self.given(Column::Bank),
                holder: self.given(Column::Holder),
                relation: self.text(Column::Relation),
            },
            "姓名变更" => What::Name(self.need(Column::NewName, "新姓名", |t| (!t.is_empty()).then(|| t.into()))?),
            "类别变更" => What::Category {
                category: self.need(Column::Category, "类别", |t| (!t.is_empty()).then(|| t.into()))?,
                from: self.month()?,
            },
            "待遇变更" => What::Amount {
                monthly: self.need(Column::Amount, "金额，元", |t| Money::parse(t).ok())?,
                from: self.month()?,
            },
            "出生日期更正" => What::Born(self.date()?),
            "退休日期更正" => What::Retired(self.date()?),
            "认证" | "资格认证" => What::Certify { on: self.date()?, way: self.text(Column::Way) },
            "撤销" => What::Undo(self.need(Column::Event, "要撤销的变更编号", |t| t.parse().ok())?),
            other => {
                let known = "新增、停发、暂停、恢复、账户变更、姓名变更、类别变更、待遇变更、出生日期更正、退休日期更正、资格认证、撤销";
                return Err((Column::Kind, "KIND_UNKNOWN", format!("“{other}”"), known.into()));
            }
        };
        Ok(Change { citizen_number, scheme, what, reason, evidence: self.text(Column::Evidence) })
    }

    /// What a roster would say of the person: its titles, and columns that only it knows as they stand.
    fn roster_fields(&self) -> Vec<(String, String)> {
        let own = [
            (Column::Number, "公民身份号码"),
            (Column::Name, "姓名"),
            (Column::Account, "银行账号"),
            (Column::Bank, "开户银行"),
            (Column::Holder, "户名"),
            (Column::Relation, "户名关系"),
            (Column::Category, "人员类别"),
            (Column::Month, "享受起始月"),
            (Column::Amount, "月待遇"),
        ];
        own.into_iter().filter_map(|(column, title)| Some((title.to_string(), self.given(column)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, Change)>, Vec<RowFinding>> {
        parse_changes("变更.csv", text.as_bytes(), None, Some("pochan1995"), "2026-08-01".parse().unwrap())
    }

    const NUMBER: &str = "652827194005010014";

    fn number() -> String {
        let body = &NUMBER[..17];
        format!("{body}{}", crate::domain::citizen_number::check_character(body))
    }

    #[test]
    fn each_kind_reads_the_columns_it_needs() {
        let n = number();
        let text = format!(
            "变更类型,公民身份号码,日期,月份,停发原因,原因,依据\n停发,{n},2026-05-12,,死亡,,死亡证明\n\
             死亡,{n},2026-05-12,,,,\n暂停,{n},,2026-06,,服刑通知,法院来函\n恢复,{n},,2026-07,,刑满,\n认证,{n},2026-07-02,,,,\n"
        );
        let changes = read(&text).unwrap();
        assert_eq!(changes.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        let died = What::Stop { reason: StopReason::Death, on: "2026-05-12".parse().unwrap() };
        assert_eq!((&changes[0].1.what, &changes[1].1.what), (&died, &died));
        assert_eq!(changes[0].1.evidence, "死亡证明");
        assert!(matches!(changes[2].1.what, What::Suspend { cause: SuspensionCause::Prison, .. }));
        assert!(matches!(changes[3].1.what, What::Resume { cause: None, back_pay: None, .. }));
        assert_eq!(changes[4].1.scheme.as_deref(), Some("pochan1995"));
    }

    #[test]
    fn every_wrong_row_is_told_at_once() {
        let n = number();
        let text = format!(
            "变更类型,公民身份号码,日期,月份\n离岗,{n},,\n停发,{n},2026-13-01,\n死亡,123,2026-05-12,\n暂停,{n},,\n"
        );
        let faults = read(&text).unwrap_err();
        let told: Vec<_> = faults.iter().map(|f| (f.row, f.column.as_str())).collect();
        // 停发 without a reason is told before its date.
        assert_eq!(told, [(2, "变更类型"), (3, "原因类别"), (4, "公民身份号码"), (5, "月份")]);
        assert_eq!(read("姓名,日期\n甲,2026-01-01\n").unwrap_err()[0].code, "COLUMN_MISSING");
    }
}
