//! JSON for programs: amounts are integers in fen under a key that says so, 万元 and shares are
//! decimal strings, an empty cell is null.

use serde_json::{Map, Value as Json, json};

use crate::reports::table::{Kind, Report, Sheet, Value};

/// The report as one document.
#[must_use]
pub fn render(report: &Report) -> Json {
    json!({
        "code": report.code,
        "title": report.title,
        "subtitle": report.subtitle,
        "sheets": report.sheets.iter().map(sheet).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn sheet(sheet: &Sheet) -> Json {
    let object = |row: &Vec<Value>| -> Json {
        let entries = sheet.cells(row).map(|(column, value)| {
            let suffix = if column.kind == Kind::Money { "_fen" } else { "" };
            (format!("{}{suffix}", column.key), cell(value))
        });
        Json::Object(entries.collect::<Map<_, _>>())
    };
    json!({
        "name": sheet.name,
        "rows": sheet.rows.iter().map(object).collect::<Vec<_>>(),
        "total": sheet.total.as_ref().map(object),
        "notes": sheet.notes,
    })
}

fn cell(value: &Value) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::Text(text) => json!(text),
        Value::Count(count) => json!(count),
        Value::Money(money) => json!(money.fen()),
        Value::Wan(number) | Value::Percent(number) => json!(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::render::sample;

    #[test]
    fn fen_are_integers_and_decimals_are_strings() {
        let document = render(&sample());
        assert_eq!(document["code"], "sample");
        assert_eq!(
            document["sheets"],
            json!([{
                "name": "发放汇总",
                "rows": [
                    {
                        "citizen_number": "652827196001011234", "name": "阿依古丽·买买提", "months": 12,
                        "paid_fen": 28_800_000, "paid_wan": "28.80", "credited": "0.9965",
                    },
                    {
                        "citizen_number": "65282719600101002X", "name": "=王芳", "months": 1,
                        "paid_fen": 0, "paid_wan": null, "credited": null,
                    },
                ],
                "total": {
                    "citizen_number": "合计", "name": null, "months": 13,
                    "paid_fen": 28_800_000, "paid_wan": null, "credited": null,
                },
                "notes": ["注：金额为实际到账数。"],
            }])
        );
    }
}
