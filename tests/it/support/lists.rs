//! Lists that other offices send, and what the office makes of them.

use fafang::domain::comparison::ComparisonKind;
use fafang::failure::Failure;
use fafang::office::Office;
use fafang::reports::comparison;
use fafang::reports::table::{Report, Value};
use fafang::workflow::decide_hit::{Confirm, DecidedHit, confirm};
use fafang::workflow::import_comparison::{Compared, ImportComparison, import_comparison};
use fafang::workflow::import_roster::{ImportRoster, Imported, import_roster};
use fafang::workflow::prepare_run::{Prepared, prepare_run};

use super::{CODE, Row, SCHEME, TestOffice, paper};

/// Imports the text of a list as `名单.csv` of the police.
pub async fn compare(office: &Office, kind: ComparisonKind, text: &str) -> Result<Compared, Failure> {
    let input =
        ImportComparison { kind, source: "公安", file_name: "名单.csv", bytes: text.as_bytes(), charset: None };
    import_comparison(office, input).await
}

/// The text of a list of the dead.
pub fn deaths(people: &[(&Row, &str)]) -> String {
    let line = |(row, day): &(&Row, &str)| format!("{},{},{day}\n", row.name, row.citizen_number);
    format!("姓名,公民身份号码,死亡日期\n{}", people.iter().map(line).collect::<String>())
}

/// Confirms a hit as the list has it.
pub async fn confirmed(office: &Office, hit_no: i64) -> Result<DecidedHit, Failure> {
    confirm(office, Confirm { hit_no, ..Confirm::default() }).await
}

/// The shipped scheme under another code, with lines put before its standards.
pub fn another_scheme(code: &str, lines: &str) -> String {
    let head = format!("{lines}\n# 待遇资格认证");
    let text = SCHEME.replacen("code = \"pochan1995\"", &format!("code = \"{code}\""), 1);
    assert!(text.contains("\n# 待遇资格认证") && text.contains(code));
    text.replacen("# 待遇资格认证", &head, 1)
}

/// The shipped scheme with lines put before its standards.
pub fn scheme_with_lines(lines: &str) -> String {
    another_scheme(CODE, lines)
}

/// Cells of a column of a report's first sheet.
pub fn column(report: &Report, key: &str) -> Vec<String> {
    let sheet = &report.sheets[0];
    let at = sheet.columns.iter().position(|c| c.key == key).unwrap();
    sheet.rows.iter().map(|row| row.get(at).map_or_else(String::new, Value::plain)).collect()
}

impl TestOffice {
    /// Imports a roster into another scheme.
    pub async fn import_into(&self, scheme: &str, people: &[Row]) -> Imported {
        let bytes = paper::roster(people);
        let input = ImportRoster {
            scheme,
            file_name: "名册.csv",
            bytes: &bytes,
            charset: None,
            first: None,
            accept_good: false,
            dry_run: false,
        };
        import_roster(&self.as_maker(), input).await.unwrap()
    }

    /// Prepares the regular run of another scheme.
    pub async fn prepare_of(&self, scheme: &str, period: &str) -> Result<Prepared, Failure> {
        let kind = fafang::domain::run::RunKind::Regular;
        prepare_run(&self.as_maker(), scheme, period.parse().unwrap(), kind).await
    }

    /// Compares a list that can be read.
    pub async fn compare(&self, kind: ComparisonKind, text: &str) -> Compared {
        compare(&self.as_maker(), kind, text).await.unwrap()
    }

    /// The hits, as the clerk sees them.
    pub async fn hits(&self, all: bool) -> Report {
        comparison::hits(&self.as_maker(), all).await.unwrap()
    }
}
