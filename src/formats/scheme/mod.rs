//! Scheme files (`config/schemes/*.toml`): TOML text to a checked [`Scheme`]. All faults at once.

mod funding;
mod rules;
mod standards;

use serde::Deserialize;

use super::faults::Faults;
use crate::domain::scheme::{AmountRule, BackPay, Indicator, Payees, Release, Scheme, StartMonth, StopMonth};

/// Why a scheme file cannot be loaded: every fault, each a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SchemeError(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    code: String,
    name: String,
    policies: Vec<String>,
    payment_way: String,
    first: String,
    last: Option<String>,
    release: Option<String>,
    pay_day: Option<rules::PayDayTable>,
    payees: Option<String>,
    amount: Option<String>,
    #[serde(default)]
    rounding: rules::RoundingTable,
    back_pay: String,
    start_month: Option<String>,
    stop_month: Option<String>,
    death_month: Option<String>,
    monthly_cap: Option<String>,
    max_months: Option<i64>,
    max_people: Option<i64>,
    #[serde(default)]
    excludes: Vec<String>,
    #[serde(default)]
    second_person: Vec<String>,
    certification: Option<rules::CertificationTable>,
    #[serde(default)]
    publicity: rules::PublicityTable,
    retired_by: Option<String>,
    #[serde(default)]
    standard: Vec<standards::StandardTable>,
    #[serde(default)]
    adjustment: Vec<standards::AdjustmentTable>,
    #[serde(default)]
    plan: Vec<funding::PlanTable>,
    #[serde(default)]
    appropriation: Vec<funding::AppropriationTable>,
    #[serde(default)]
    indicator: Vec<IndicatorTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndicatorTable {
    name: String,
    target: String,
    points: i64,
}

/// Reads and checks a scheme file.
///
/// # Errors
/// Every fault: TOML's own with its line, unknown keys, words and codes, months that are none,
/// document numbers without issuer, year or serial, standards with gaps or overlaps or above the
/// cap, rules that contradict each other.
pub fn parse_scheme(text: &str) -> Result<Scheme, SchemeError> {
    let file: File = toml::from_str(text).map_err(|e| SchemeError(vec![e.to_string().trim_end().to_string()]))?;
    let mut faults = Faults::default();
    let scheme = read(&file, &mut faults);
    scheme.filter(|_| faults.0.is_empty()).ok_or(SchemeError(faults.0))
}

fn read(file: &File, faults: &mut Faults) -> Option<Scheme> {
    check_code("code", &file.code, faults);
    let first = faults.period("first", Some(&file.first));
    let stop_month = faults.word("stop_month", file.stop_month.as_deref(), rules::STOP_MONTHS, StopMonth::Paid);
    let standards = standards::standards(&file.standard, faults);
    let all_read = standards.is_some();
    let scheme = Scheme {
        code: file.code.clone(),
        name: file.name.clone(),
        policies: file.policies.iter().filter_map(|text| faults.document("policies", Some(text))).collect(),
        last: faults.period("last", file.last.as_deref()),
        release: faults.word("release", file.release.as_deref(), rules::RELEASES, Release::Monthly),
        pay_day: file.pay_day.as_ref().and_then(|table| rules::pay_day(table, faults)),
        payees: faults.word("payees", file.payees.as_deref(), rules::PAYEES, Payees::Persons),
        amount: faults.word("amount", file.amount.as_deref(), rules::AMOUNTS, AmountRule::Standard),
        rounding: rules::rounding(&file.rounding, faults),
        payment_way: file.payment_way.clone(),
        back_pay: faults.word("back_pay", Some(&file.back_pay), rules::BACK_PAYS, BackPay::Paid),
        start_month: faults.word("start_month", file.start_month.as_deref(), rules::START_MONTHS, StartMonth::Whole),
        stop_month,
        death_month: faults.word("death_month", file.death_month.as_deref(), rules::STOP_MONTHS, stop_month),
        monthly_cap: faults.amount("monthly_cap", file.monthly_cap.as_deref()),
        max_months: faults.number("max_months", file.max_months, 1, 1_200),
        max_people: faults.number("max_people", file.max_people, 1, 99_999_999),
        excludes: file.excludes.clone(),
        second_person: rules::second_person(&file.second_person, faults),
        certification: file.certification.as_ref().map(|table| rules::certification(table, faults)),
        publicity: rules::publicity(&file.publicity, faults),
        retired_by: faults.date("retired_by", file.retired_by.as_deref()),
        standards: standards.unwrap_or_default(),
        adjustments: standards::adjustments(&file.adjustment, faults),
        plans: file.plan.iter().filter_map(|table| funding::plan(table, faults)).collect(),
        funding: (1..)
            .zip(&file.appropriation)
            .filter_map(|(number, table)| funding::funding(table, number, faults))
            .collect(),
        indicators: file.indicator.iter().map(IndicatorTable::read).collect(),
        // Last, so that the faults of everything else are told when there is none.
        first: first?,
    };
    check(&scheme, all_read, faults);
    Some(scheme)
}

impl IndicatorTable {
    fn read(&self) -> Indicator {
        Indicator { name: self.name.clone(), target: self.target.clone(), points: self.points }
    }
}

fn check_code(place: &str, code: &str, faults: &mut Faults) {
    let is_plain = code.len() <= 32
        && code.starts_with(|c: char| c.is_ascii_lowercase())
        && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !is_plain {
        faults.note(place, &format!("“{code}”，应为小写字母开头的字母、数字和下划线，最多 32 个，例如 pochan1995"));
    }
}

/// What the parts of a scheme say about each other. Standards are judged only when all were read.
fn check(scheme: &Scheme, standards_were_read: bool, faults: &mut Faults) {
    if scheme.last.is_some_and(|last| last < scheme.first) {
        faults.note("last", "早于 first");
    }
    for (i, code) in scheme.excludes.iter().enumerate() {
        check_code("excludes", code, faults);
        if *code == scheme.code {
            faults.note("excludes", &format!("“{code}”是本项目，应为其他项目的编码"));
        }
        if scheme.excludes[..i].contains(code) {
            faults.note("excludes", &format!("“{code}”写了两次"));
        }
    }
    if scheme.payees == Payees::Units && scheme.certification.is_some() {
        faults.note("certification", "payees = \"units\" 的项目发给单位，没有待遇资格认证，应删除");
    }
    match scheme.amount {
        AmountRule::Standard if standards_were_read => {
            standards::check_standards(scheme, faults);
            standards::check_adjustments(scheme, faults);
        }
        AmountRule::Standard => {}
        AmountRule::Individual => {
            if !standards_were_read || !scheme.standards.is_empty() {
                faults.0.push("amount = \"individual\" 的项目按名册中每人的金额发放，不应有 [[standard]]".into());
            }
            standards::check_adjustments(scheme, faults);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::document::DocumentNumber;
    use crate::domain::money::Money;
    use crate::domain::scheme::{Certification, Publicity, Raise, Rounding, RoundingDirection, SecondPerson};
    use crate::formats::budget::parse_budget;

    const COUNTY: &str = include_str!("../../../config/schemes/pochan1995.toml");

    #[test]
    fn the_county_scheme_says_what_its_document_says() {
        let scheme = parse_scheme(COUNTY).unwrap();
        let plan = scheme.plan(2026).unwrap();
        assert_eq!(plan.total(), Money(28_800_000));
        assert_eq!(plan.target, Some(Money(28_890_000)));
        assert_eq!(scheme.funding[0].amount, Money(28_900_000));
        assert_eq!(scheme.funding[0].document.as_str(), "巴财社〔2025〕98号");
        assert_eq!(scheme.indicators.iter().map(|i| i.points).sum::<i64>(), 90);
    }

    fn with_standards(standards: &str) -> Result<Scheme, SchemeError> {
        let head = COUNTY.split("[[standard]]").next().unwrap();
        parse_scheme(&format!("{head}{standards}"))
    }

    fn standard_text(from: &str, to: &str) -> String {
        let to = if to.is_empty() { String::new() } else { format!("to = \"{to}\"\n") };
        format!("[[standard]]\nfrom = \"{from}\"\n{to}monthly = \"120\"\n")
    }

    #[test]
    fn gaps_and_overlaps_of_standards_are_named() {
        for (standards, fault) in [
            (vec![], "没有 [[standard]]"),
            (vec![("2026-03", "")], "空档: 2026-01 至 2026-02"),
            (vec![("2026-01", "2026-03"), ("2026-05", "")], "空档: 2026-04 至 2026-04"),
            (vec![("2026-01", "2026-06"), ("2026-06", "")], "重叠: 2026-01 起的标准与 2026-06 起的标准"),
            (vec![("2026-01", ""), ("2026-06", "")], "重叠"),
            (vec![("2026-01", "2026-06")], "到 2026-06 为止，而项目没有终止月"),
        ] {
            let text: String = standards.iter().map(|(from, to)| standard_text(from, to)).collect();
            let error = with_standards(&text).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
        assert!(with_standards(&(standard_text("2026-07", "") + &standard_text("2025-01", "2026-06"))).is_ok());
    }

    #[test]
    fn all_faults_come_at_once_and_unknown_keys_are_faults() {
        let text = COUNTY
            .replace("first = \"2026-01\"", "first = \"2026-13\"")
            .replace("function_code = \"2080601\"", "function_code = \"20806\u{4E00}\"")
            .replace("source = \"superior\"", "source = \"中央\"")
            .replace("新政办发〔2010〕168号\", \"巴劳", "新政办发168号\", \"巴劳");
        let faults = parse_scheme(&text).unwrap_err().0;
        assert_eq!(faults.len(), 4, "{faults:?}");
        let unknown = parse_scheme(&format!("colour = \"red\"\n{COUNTY}")).unwrap_err().to_string();
        assert!(unknown.contains("colour"), "{unknown}");
    }

    /// A scheme with only the keys that it must have, and these.
    fn with_keys(keys: &str) -> Result<Scheme, SchemeError> {
        let needed = "code = \"sample\"\nname = \"样例\"\npolicies = []\npayment_way = \"一卡通\"\nfirst = \"2026-01\"\n\
                      back_pay = \"paid\"\n";
        parse_scheme(&format!("{needed}{keys}"))
    }

    const MONTHLY: &str = "[[standard]]\nfrom = \"2026-01\"\nmonthly = \"120\"\n";

    #[test]
    fn every_key_of_a_pension_is_read() {
        let scheme = with_keys(
            "release = \"half_yearly\"\namount = \"individual\"\nrounding = { unit = \"0.10\", direction = \"up\" }\n\
             start_month = \"next\"\nstop_month = \"thirty_days\"\ndeath_month = \"paid\"\nmonthly_cap = \"9000.00\"\n\
             max_months = 24\nmax_people = 3\nexcludes = [\"other_1\"]\nsecond_person = [\"changes\", \"rosters\"]\n\
             certification = { cycle_months = 6, warning_months = 2, back_pay = \"forfeited\" }\n\
             publicity = { days_before_approval = 7, result = true }\n\
             [[adjustment]]\nfrom = \"2026-07\"\npercent = \"3.8\"\n\
             [[adjustment]]\nfrom = \"2026-02\"\ndocument = \"示例发〔2026〕1号\"\nfixed = \"60.00\"\ncategory = \"高龄\"\n\
             min_age = 80\nmax_age = 89\nage_on = \"2025-12-01\"\nretired_by = \"1995-12-31\"\n",
        )
        .unwrap();
        assert_eq!(scheme.release, Release::HalfYearly);
        assert_eq!(scheme.amount, AmountRule::Individual);
        assert_eq!(scheme.rounding, Rounding { unit_fen: 10, direction: RoundingDirection::Up });
        assert_eq!(scheme.start_month, StartMonth::Next);
        assert_eq!((scheme.stop_month, scheme.death_month), (StopMonth::ThirtyDays, StopMonth::Paid));
        assert_eq!(
            (scheme.monthly_cap, scheme.max_months, scheme.max_people),
            (Some(Money(900_000)), Some(24), Some(3))
        );
        assert_eq!(scheme.excludes, ["other_1"]);
        assert_eq!(scheme.second_person, SecondPerson { rosters: true, changes: true });
        let rule = Certification { cycle_months: 6, warning_months: 2, back_pay: BackPay::Forfeited };
        assert_eq!(scheme.certification, Some(rule));
        assert_eq!(scheme.publicity, Publicity { days_before_approval: Some(7), result: true });
        let [fixed, percent] = scheme.adjustments.as_slice() else { panic!("{:?}", scheme.adjustments) };
        assert_eq!((fixed.raise, percent.raise), (Raise::Fixed(Money(6_000)), Raise::Percent(380)));
        assert_eq!((fixed.min_age, fixed.max_age, fixed.category.as_deref()), (Some(80), Some(89), Some("高龄")));
        assert_eq!((fixed.age_on.to_string(), percent.age_on.to_string()), ("2025-12-01".into(), "2026-06-30".into()));
        assert_eq!(fixed.retired_by.map(|day| day.to_string()).as_deref(), Some("1995-12-31"));
        assert_eq!(fixed.document.as_ref().map(DocumentNumber::as_str), Some("示例发〔2026〕1号"));
    }

    #[test]
    fn what_is_not_written_is_the_usual_rule() {
        let scheme = with_keys(MONTHLY).unwrap();
        assert_eq!(
            (scheme.release, scheme.payees, scheme.amount),
            (Release::Monthly, Payees::Persons, AmountRule::Standard)
        );
        assert_eq!((scheme.rounding, scheme.start_month), (Rounding::FEN, StartMonth::Whole));
        assert_eq!((scheme.stop_month, scheme.death_month), (StopMonth::Paid, StopMonth::Paid));
        assert_eq!((scheme.certification, scheme.publicity), (None, Publicity::default()));
        assert_eq!(scheme.second_person, SecondPerson::default());
        let scheme = with_keys(&format!("stop_month = \"not_paid\"\ncertification = {{}}\n{MONTHLY}")).unwrap();
        assert_eq!(scheme.death_month, StopMonth::NotPaid);
        let rule = Certification { cycle_months: 12, warning_months: 3, back_pay: BackPay::Paid };
        assert_eq!(scheme.certification, Some(rule));
    }

    #[test]
    fn each_rule_that_cannot_be_is_named() {
        let raised = |lines: &str| format!("{MONTHLY}[[adjustment]]\n{lines}");
        for (keys, fault) in [
            (format!("release = \"weekly\"\n{MONTHLY}"), "release: “weekly”，应为 monthly、quarterly、half_yearly"),
            (format!("payees = \"people\"\n{MONTHLY}"), "payees: “people”，应为 persons、units"),
            (format!("rounding = {{ unit = \"0.02\" }}\n{MONTHLY}"), "rounding.unit: “0.02”，应为 0.01、0.10、1.00"),
            (format!("rounding = {{ direction = \"away\" }}\n{MONTHLY}"), "rounding.direction"),
            (format!("start_month = \"paid\"\n{MONTHLY}"), "start_month"),
            (format!("death_month = \"whole\"\n{MONTHLY}"), "death_month"),
            (format!("monthly_cap = \"119.99\"\n{MONTHLY}"), "2026-01 起 120.00，应不高于月上限 monthly_cap 119.99"),
            (format!("monthly_cap = \"0\"\n{MONTHLY}"), "monthly_cap: 应大于 0"),
            (format!("max_months = 0\n{MONTHLY}"), "max_months: 0，应为 1 至"),
            (format!("max_people = -1\n{MONTHLY}"), "max_people: -1，应为 1 至"),
            (format!("excludes = [\"sample\"]\n{MONTHLY}"), "excludes: “sample”是本项目"),
            (format!("excludes = [\"a\", \"a\"]\n{MONTHLY}"), "excludes: “a”写了两次"),
            (format!("excludes = [\"其他\"]\n{MONTHLY}"), "excludes: “其他”，应为小写字母开头"),
            (format!("second_person = [\"runs\"]\n{MONTHLY}"), "second_person: “runs”，应为 rosters、changes"),
            (format!("certification = {{ cycle_months = 0 }}\n{MONTHLY}"), "certification.cycle_months: 0，应为 1"),
            (format!("certification = {{ warning_months = 13 }}\n{MONTHLY}"), "warning_months: 13，应为 0 至 12"),
            (format!("payees = \"units\"\ncertification = {{}}\n{MONTHLY}"), "单位，没有待遇资格认证"),
            (format!("publicity = {{ days_before_approval = 0 }}\n{MONTHLY}"), "days_before_approval: 0，应为 1"),
            (format!("amount = \"individual\"\n{MONTHLY}"), "不应有 [[standard]]"),
            ("amount = \"standard\"\n".into(), "没有 [[standard]]"),
            (
                raised("from = \"2026-07\"\n"),
                "第 1 个 [[adjustment]]: fixed（定额，元）和 percent（百分比）应写且只写一个",
            ),
            (raised("from = \"2026-07\"\nfixed = \"1\"\npercent = \"1\"\n"), "应写且只写一个"),
            (raised("from = \"2026-07\"\nfixed = \"0\"\n"), "第 1 个 [[adjustment]] fixed: 应大于 0"),
            (raised("from = \"2026-07\"\npercent = \"3.805\"\n"), "percent: “3.805”，应为大于 0"),
            (raised("from = \"2026-07\"\npercent = \"3,8\"\n"), "percent: “3,8”"),
            (raised("from = \"2026-07\"\nfixed = \"1\"\ncategory = \"甲\"\n"), "没有类别“甲”"),
            (raised("from = \"2026-07\"\nfixed = \"1\"\nmin_age = 80\nmax_age = 79\n"), "max_age 79 小于 min_age 80"),
            (raised("from = \"2026-07\"\nfixed = \"1\"\nage_on = \"2026-06-30\"\n"), "有 age_on 而没有"),
            (raised("from = \"2025-12\"\nfixed = \"1\"\n"), "2025-12 起的 [[adjustment]]: 早于项目第一个月 2026-01"),
        ] {
            let faults = with_keys(&keys).unwrap_err().0;
            assert!(faults.len() == 1 && faults[0].contains(fault), "{keys}\n{faults:?}");
        }
        let faults =
            with_keys("release = \"x\"\nmonthly_cap = \"y\"\nmax_months = 0\nexcludes = [\"sample\"]\n").unwrap_err().0;
        assert_eq!(faults.len(), 5, "{faults:?}");
    }

    /// The text with its examples of keys, which stand in comments, in force.
    fn with_examples(text: &str) -> String {
        let is_key = |line: &str| {
            let key = line.split(" = ").next().unwrap_or_default();
            line.starts_with('[') || key.len() < line.len() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let lines = text.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_shipped_scheme_is_read_and_so_are_the_examples_in_its_comments() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/schemes");
        let mut schemes: Vec<Scheme> = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let scheme = parse_scheme(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(Some(scheme.code.as_str()), path.file_stem().and_then(|name| name.to_str()));
            parse_scheme(&with_examples(&text)).unwrap_or_else(|e| panic!("{} with examples: {e}", path.display()));
            let lines = parse_budget("scheme.toml", text.as_bytes(), None).unwrap();
            assert!(lines.iter().map(|line| &line.funding).eq(&scheme.funding), "{}", path.display());
            schemes.push(scheme);
        }
        assert_eq!(schemes.len(), 10);
        let of = |code: &str| schemes.iter().find(|s| s.code == code).unwrap();
        let allowed = |code: &str| of(code).funding.iter().map(|f| f.amount).sum::<Money>();
        assert_eq!(allowed("gqgaige"), Money(37_000_000));
        assert_eq!(allowed("shenghuobuzhu"), Money(14_690_000));
        // One document in three parts.
        let parts = ["jingban", "jingban_pinyong", "jingban_jiangli"];
        assert_eq!(parts.map(allowed).into_iter().sum::<Money>(), Money(3_500_000));
        let projects: BTreeSet<&str> = parts.iter().map(|code| of(code).funding[0].project.as_str()).collect();
        let documents: BTreeSet<&str> = parts.iter().map(|code| of(code).funding[0].document.as_str()).collect();
        assert_eq!((projects.len(), documents.len()), (3, 1));
        for code in ["yanglao_qiye", "yanglao_jiguan", "tuixiu"] {
            assert_eq!(of(code).plan(2026).unwrap().total(), allowed(code), "{code}");
        }
        let examples = parse_scheme(&with_examples(COUNTY)).unwrap();
        assert!(examples.certification.is_some() && examples.adjustments.len() == 1 && examples.max_months.is_some());
    }
}
