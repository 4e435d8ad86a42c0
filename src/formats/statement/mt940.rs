//! MT940 customer statements, bare or within `{1:…}{4:…-}`, as banks really send them: Chinese in `:86:`, lines that
//! are continued, pages that are chained by intermediate balances.
//!
//! `:61:` is value date, entry date, mark (`C`, `D`, `RC`, `RD`), funds code, amount with a decimal comma, kind,
//! our reference, `//` and the bank's reference. `:86:` after it belongs to it.

use chrono::{Datelike, NaiveDate};

use super::{ReadError, amount, wrong};
use crate::domain::money::Money;
use crate::domain::statement::{Balances, Entry, Statement};

/// A field with its continuation lines, as it stands in the file.
struct Field<'t> {
    line: usize,
    tag: &'t str,
    value: Vec<&'t str>,
}

impl Field<'_> {
    fn first(&self) -> &str {
        self.value.first().copied().unwrap_or_default()
    }
}

/// True when the text can only be meant as MT940.
pub(super) fn seems(text: &str) -> bool {
    text.lines().take(50).any(|line| {
        let line = line.trim_start();
        let line = line.rsplit_once("{4:").map_or(line, |(_, after)| after);
        line.starts_with(":20:") || line.starts_with(":25:") || line.starts_with("{1:F")
    })
}

/// Cuts a text into messages and these into fields; what is in no block 4 is passed over.
fn messages(text: &str) -> Vec<Vec<Field<'_>>> {
    let mut messages: Vec<Vec<Field<'_>>> = vec![Vec::new()];
    for (number, line) in (1..).zip(text.lines()) {
        let mut line = line.trim_end();
        if line.starts_with('{') {
            messages.push(Vec::new());
            line = line.split_once("{4:").map_or("", |(_, after)| after);
        }
        line = line.strip_suffix("-}").unwrap_or(line);
        if line == "-" || line.is_empty() || line.starts_with("-}") {
            continue;
        }
        let Some(fields) = messages.last_mut() else { continue };
        match tag(line) {
            Some((tag, value)) => {
                if tag == "20" && !fields.is_empty() {
                    messages.push(vec![Field { line: number, tag, value: vec![value] }]);
                } else {
                    fields.push(Field { line: number, tag, value: vec![value] });
                }
            }
            None => {
                if let Some(last) = fields.last_mut() {
                    last.value.push(line);
                }
            }
        }
    }
    messages.retain(|fields| fields.iter().any(|f| ["25", "60F", "60M", "61", "62F", "62M"].contains(&f.tag)));
    messages
}

/// `:28C:` and what stands behind it: two digits and perhaps a letter.
fn tag(line: &str) -> Option<(&str, &str)> {
    let (tag, value) = line.strip_prefix(':')?.split_once(':')?;
    let (digits, letter) = tag.split_at_checked(2)?;
    let is_tag = digits.bytes().all(|b| b.is_ascii_digit())
        && letter.len() <= 1
        && letter.bytes().all(|b| b.is_ascii_uppercase());
    is_tag.then_some((tag, value))
}

/// One page: what a message says.
struct Page {
    line: usize,
    account: String,
    number: String,
    opening: (Money, bool),
    closing: (Money, bool, NaiveDate),
    entries: Vec<Entry>,
}

/// Reads every statement of a text.
pub(super) fn read(text: &str) -> Result<Vec<Statement>, ReadError> {
    let mut statements = Vec::new();
    // A statement of which the last page is still to come.
    let mut begun: Option<Page> = None;
    for fields in messages(text) {
        let page = page(&fields)?;
        let whole = match begun.take() {
            None if page.opening.1 => page,
            None => return Err(wrong(page.line, "期初余额是 :60M:（续页），但前面没有这份对账单的前一页")),
            Some(begun) => chained(begun, page)?,
        };
        if whole.closing.1 {
            statements.push(statement(whole)?);
        } else {
            begun = Some(whole);
        }
    }
    match begun {
        None => Ok(statements),
        Some(page) => Err(wrong(page.line, format!("对账单 {} 以 :62M:（未完）结束，缺后面的页", page.number))),
    }
}

/// A further page of the same statement: its opening balance is the closing one of the page before.
fn chained(begun: Page, page: Page) -> Result<Page, ReadError> {
    if page.account != begun.account || page.number != begun.number || page.opening.1 {
        let what = format!("应是对账单 {} 的续页（:60M:），实为 {}", begun.number, page.number);
        return Err(wrong(page.line, what));
    }
    if page.opening.0 != begun.closing.0 {
        let (found, expected) = (page.opening.0.grouped(), begun.closing.0.grouped());
        return Err(wrong(page.line, format!("续页的期初余额 {found}，应为前一页的期末余额 {expected}")));
    }
    let entries = begun.entries.into_iter().chain(page.entries).collect();
    Ok(Page { line: begun.line, opening: begun.opening, entries, ..page })
}

fn statement(page: Page) -> Result<Statement, ReadError> {
    let (closing, _, last_on) = page.closing;
    let balances = Some(Balances { opening: page.opening.0, closing });
    Statement::new(&page.account, &page.number, Some(last_on), balances, page.entries)
        .map_err(|error| ReadError::Statement { line: page.line, number: page.number, error })
}

fn page(fields: &[Field<'_>]) -> Result<Page, ReadError> {
    let line = fields.first().map_or(1, |f| f.line);
    let (mut account, mut number) = (String::new(), String::new());
    let (mut opening, mut closing) = (None, None);
    let mut entries: Vec<Entry> = Vec::new();
    // Whether the next `:86:` belongs to an entry.
    let mut is_of_entry = false;
    for field in fields {
        let was_of_entry = std::mem::replace(&mut is_of_entry, field.tag == "61");
        match field.tag {
            "25" | "25P" => account = field.first().trim().to_string(),
            // The number without its page: pages of one statement have one number.
            "28" | "28C" => number = field.first().trim().split('/').next().unwrap_or_default().to_string(),
            "60F" | "60M" => {
                let (money, _) = balance(field)?;
                if opening.replace((money, field.tag == "60F")).is_some() {
                    return Err(wrong(field.line, "同一份对账单有两个期初余额"));
                }
            }
            "62F" | "62M" => {
                let (money, on) = balance(field)?;
                if closing.replace((money, field.tag == "62F", on)).is_some() {
                    return Err(wrong(field.line, "同一份对账单有两个期末余额"));
                }
            }
            "61" => entries.push(entry(field)?),
            "86" if was_of_entry => {
                if let Some(entry) = entries.last_mut() {
                    describe(entry, &field.value);
                }
            }
            _ => {}
        }
    }
    let opening = opening.ok_or_else(|| wrong(line, "对账单没有期初余额（:60F:）"))?;
    let closing = closing.ok_or_else(|| wrong(line, "对账单没有期末余额（:62F:），可能不完整"))?;
    if account.is_empty() {
        return Err(wrong(line, "对账单没有账号（:25:）"));
    }
    Ok(Page { line, account, number, opening, closing, entries })
}

/// Takes so many characters off the front.
fn cut<'t>(rest: &mut &'t str, count: usize) -> Option<&'t str> {
    let (front, back) = rest.split_at_checked(count)?;
    *rest = back;
    Some(front)
}

fn date(text: &str) -> Option<NaiveDate> {
    let number: u32 = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()?;
    let year = 2000 + i32::try_from(number / 10_000).ok()?;
    NaiveDate::from_ymd_opt(year, number / 100 % 100, number % 100)
}

/// The day `MMDD` nearest to another: an entry of 2 January may be of value 31 December.
fn near(day: NaiveDate, month_and_day: &str) -> Option<NaiveDate> {
    let number: u32 = month_and_day.parse().ok()?;
    let of = |year| NaiveDate::from_ymd_opt(year, number / 100, number % 100);
    let days = [day.year() - 1, day.year(), day.year() + 1].into_iter().filter_map(of);
    days.min_by_key(|found| (*found - day).num_days().abs())
}

/// `1234,5`: a comma, then none to two digits. Nothing else is an amount here.
fn money(line: usize, text: &str) -> Result<Money, ReadError> {
    let is_amount = text.matches(',').count() == 1 && text.bytes().all(|b| b.is_ascii_digit() || b == b',');
    if !is_amount || text.starts_with(',') {
        return Err(wrong(line, format!("金额“{text}”，应为 1234,50 这样的数（逗号是小数点）")));
    }
    amount(line, "金额", Money::parse_total(text.replace(',', ".").trim_end_matches('.')))
}

/// `C260131CNY1234,56`.
fn balance(field: &Field<'_>) -> Result<(Money, NaiveDate), ReadError> {
    let line = field.line;
    let text = field.first().trim();
    let strange = || wrong(line, format!("余额“{text}”，应为 C260131CNY1234,56 这样"));
    let mut rest = text;
    let mark = cut(&mut rest, 1).ok_or_else(strange)?;
    let on = cut(&mut rest, 6).and_then(date).ok_or_else(strange)?;
    let currency = cut(&mut rest, 3).ok_or_else(strange)?;
    if !matches!(currency, "CNY" | "RMB") {
        return Err(wrong(line, format!("币种 {currency}，应为人民币 CNY")));
    }
    let sum = money(line, rest)?;
    match mark {
        "C" => Ok((sum, on)),
        "D" => Ok((-sum, on)),
        _ => Err(strange()),
    }
}

/// `:61:2601200120D120,00NTRFOURREF//BANKREF`, and a second line of further words.
fn entry(field: &Field<'_>) -> Result<Entry, ReadError> {
    let line = field.line;
    let strange = |what: &str| wrong(line, format!(":61: {what}: “{}”", field.first()));
    let mut rest = field.first();
    let valued_on = cut(&mut rest, 6).and_then(date).ok_or_else(|| strange("起息日不是日期"))?;
    let has_entry_date = rest.get(..4).is_some_and(|four| four.bytes().all(|b| b.is_ascii_digit()));
    let booked_on = if has_entry_date {
        cut(&mut rest, 4).and_then(|text| near(valued_on, text)).ok_or_else(|| strange("记账日不是日期"))?
    } else {
        valued_on
    };
    let is_reversal = rest.starts_with('R') && cut(&mut rest, 1).is_some();
    let is_credit = match cut(&mut rest, 1) {
        // What is reversed is named, and the money goes the other way.
        Some("C") => !is_reversal,
        Some("D") => is_reversal,
        _ => return Err(strange("收付标志应为 C、D、RC 或 RD")),
    };
    if rest.starts_with(|c: char| c.is_ascii_uppercase()) {
        // Third letter of the currency.
        cut(&mut rest, 1);
    }
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
    let sum = money(line, cut(&mut rest, end).unwrap_or_default())?;
    let code = cut(&mut rest, 4).ok_or_else(|| strange("金额后面应有四位业务类型"))?;
    let (our_ref, bank_ref) = rest.split_once("//").unwrap_or((rest, ""));
    let reference = |text: &str| {
        let text = text.trim();
        if text.eq_ignore_ascii_case("NONREF") { String::new() } else { text.to_string() }
    };
    Ok(Entry {
        booked_on,
        valued_on: Some(valued_on),
        amount: if is_credit { sum } else { -sum },
        bank_ref: reference(bank_ref),
        our_ref: reference(our_ref),
        counterparty_name: String::new(),
        counterparty_account: String::new(),
        text: field.value.get(1..).unwrap_or_default().join(" ").trim().to_string(),
        code: code.to_string(),
        is_reversal,
    })
}

/// What `:86:` says of an entry: free words, or `166?00…?20…?31…?32…` in numbered parts.
fn describe(entry: &mut Entry, lines: &[&str]) {
    let first = lines.first().copied().unwrap_or_default();
    let is_structured = first.len() > 5
        && first.as_bytes()[..3].iter().all(u8::is_ascii_digit)
        && first.as_bytes()[3] == b'?'
        && first.as_bytes()[4..6].iter().all(u8::is_ascii_digit);
    let mut words: Vec<String> = Vec::new();
    if is_structured {
        let whole = lines.concat();
        let mut use_words = String::new();
        for part in whole.split('?').skip(1) {
            let Some((number, value)) = part.split_at_checked(2) else { continue };
            match number.parse::<u32>() {
                Ok(0) => words.push(value.trim().to_string()),
                // What was cut into pieces of a fixed width belongs together again.
                Ok(20..=29 | 60..=63) => use_words.push_str(value),
                Ok(31) => entry.counterparty_account = value.trim().to_string(),
                Ok(32 | 33) => entry.counterparty_name.push_str(value.trim()),
                _ => {}
            }
        }
        if let Some(found) = tagged(&use_words, "EREF+").filter(|_| entry.our_ref.is_empty()) {
            entry.our_ref = found;
        }
        words.push(use_words.trim().to_string());
    } else {
        words.extend(lines.iter().map(|line| line.trim().to_string()));
    }
    words.insert(0, std::mem::take(&mut entry.text));
    words.retain(|word| !word.is_empty());
    entry.text = words.join(" ");
}

/// What stands behind a mark like `EREF+`, up to the next one.
fn tagged(text: &str, mark: &str) -> Option<String> {
    const MARKS: [&str; 5] = ["EREF+", "KREF+", "MREF+", "CRED+", "SVWZ+"];
    let (_, after) = text.split_once(mark)?;
    let end = MARKS.iter().filter_map(|next| after.find(next)).min().unwrap_or(after.len());
    let found = after[..end].trim();
    (!found.is_empty() && !found.eq_ignore_ascii_case("NOTPROVIDED")).then(|| found.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::charset::{self, Charset};

    const TWO_DAYS: &str = "{1:F01ABOCCNBJAXXX0000000000}{2:O9400000260121ABOCCNBJ}{4:\r\n\
        :20:STMT260121\r\n:25:622800012345CNY\r\n:28C:21/1\r\n:60F:C260119CNY1000,\r\n\
        :61:2601200120D360,30NTRF652827-202601-1-RCC-1//A0001\r\n:86:代发补贴 652827-202601-1-RCC-1\r\n共三笔\r\n\
        :61:2512310102CY120,5NMSCNONREF//A0002\r\n补充说明\r\n:86:166?00退票?20补贴2026-01?21户名不符?31 6217000001?32阿依\r\n?33古丽\r\n\
        :61:260121RD,\r\n-}";

    fn text(entries: &str) -> String {
        format!(":20:X\n:25:622800012345\n:28C:7\n:60F:C260119CNY100,\n{entries}:62F:C260121CNY100,\n")
    }

    #[test]
    fn a_statement_in_blocks_with_chinese_is_read_to_the_last_field() {
        let whole = TWO_DAYS
            .replace(":61:260121RD,\r\n", ":62F:C260121CNY760,20\r\n:64:C260121CNY760,20\r\n:86:末尾的说明\r\n");
        for charset in [Charset::Utf8, Charset::Gb18030] {
            let bytes = charset::encode(&whole, charset).unwrap();
            let (decoded, _) = charset::decode(&bytes, None).unwrap();
            assert!(seems(&decoded));
            let statements = read(&decoded).unwrap();
            let [statement] = &statements[..] else { panic!("{statements:?}") };
            assert_eq!((&*statement.account, &*statement.number), ("622800012345", "21"));
            let balances = statement.balances.unwrap();
            assert_eq!((balances.opening, balances.closing), (Money(100_000), Money(76_020)));
            // In the order of booking: the return of value 31 December was booked on 2 January.
            let [back, file] = &statement.entries[..] else { panic!("{statement:?}") };
            assert_eq!((back.booked_on.to_string(), back.amount), ("2026-01-02".into(), Money(12_050)));
            assert_eq!(back.valued_on.unwrap().to_string(), "2025-12-31");
            assert_eq!((&*back.our_ref, &*back.bank_ref, &*back.code), ("", "A0002", "NMSC"));
            assert_eq!(back.text, "补充说明 退票 补贴2026-01户名不符");
            assert_eq!((&*back.counterparty_account, &*back.counterparty_name), ("6217000001", "阿依古丽"));
            assert_eq!((file.amount, &*file.our_ref), (Money(-36_030), "652827-202601-1-RCC-1"));
            assert_eq!((&*file.text, file.is_reversal), ("代发补贴 652827-202601-1-RCC-1 共三笔", false));
        }
    }

    #[test]
    fn reversals_turn_the_money_around() {
        let both = text(":61:260120RD120,00NTRF1\n:61:260120RCR120,00NTRF2\n");
        let statement = read(&both).unwrap().remove(0);
        let said: Vec<_> = statement.entries.iter().map(|e| (e.amount.fen(), e.is_reversal, &*e.our_ref)).collect();
        assert_eq!(said, [(12_000, true, "1"), (-12_000, true, "2")]);
    }

    #[test]
    fn pages_are_chained_by_their_balances() {
        let pages = ":20:A\n:25:622800012345\n:28C:7/1\n:60F:C260119CNY100,\n:61:260120D40,NTRFX\n:62M:C260120CNY60,\n-\n\
                     :20:A\n:25:622800012345\n:28C:7/2\n:60M:C260120CNY60,\n:61:260121C5,NTRFY\n:62F:C260121CNY65,\n-\n";
        let statements = read(pages).unwrap();
        assert_eq!((statements.len(), statements[0].entries.len()), (1, 2));
        let balances = statements[0].balances.unwrap();
        assert_eq!((balances.opening, balances.closing), (Money(10_000), Money(6_500)));
        let says = |text: &str| read(text).unwrap_err().to_string();
        let torn = pages.replace(":60M:C260120CNY60,", ":60M:C260120CNY61,");
        assert_eq!(says(&torn), "第 8 行 续页的期初余额 61.00，应为前一页的期末余额 60.00");
        let (first, second) = pages.split_at(pages.find(":20:A\n:25:622800012345\n:28C:7/2").unwrap());
        assert!(says(first).contains("缺后面的页"), "{}", says(first));
        assert!(says(second).contains("没有这份对账单的前一页"), "{}", says(second));
        assert!(says(&pages.replace("7/2", "8/2")).contains("应是对账单 7 的续页"));
    }

    #[test]
    fn several_statements_in_one_file_stay_apart() {
        let two = format!("{}{}", text(""), text("").replace("622800012345", "955990001").replace(":28C:7", ":28C:8"));
        let accounts: Vec<_> = read(&two).unwrap().into_iter().map(|s| (s.account, s.number)).collect();
        assert_eq!(accounts, [("622800012345".into(), "7".into()), ("955990001".into(), "8".to_string())]);
    }

    #[test]
    fn what_is_not_as_it_must_be_is_named_by_its_line() {
        for (entries, line, word) in [
            (":61:26012D1,NTRFX\n", 5, "起息日"),
            (":61:260120X1,NTRFX\n", 5, "收付标志"),
            (":61:260120D1.00NTRFX\n", 5, "逗号是小数点"),
            (":61:260120D1,005NTRFX\n", 5, "小数超过两位"),
            (":61:260120D,50NTRFX\n", 5, "逗号是小数点"),
            (":61:260120D1,00NT\n", 5, "四位业务类型"),
            (":61:260120D1,00NTRFX\n", 1, "差 1.00"),
            (":60F:C260119CNY100,\n", 5, "两个期初余额"),
            (":61:2601201345D1,00NTRFX\n", 5, "记账日"),
        ] {
            let error = read(&text(entries)).unwrap_err().to_string();
            assert!(error.contains(&format!("第 {line} 行")) && error.contains(word), "{entries}: {error}");
        }
        for (from, to, word) in [
            ("CNY100,\n:62F", "USD100,\n:62F", "币种 USD"),
            (":62F:C260121CNY100,\n", "", "期末余额"),
            (":25:622800012345\n", "", "账号"),
            (":60F:C260119CNY100,", ":60F:X260119CNY100,", "余额“X260119CNY100,”"),
        ] {
            let error = read(&text("").replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(word), "{from}: {error}");
        }
        let torn = TWO_DAYS.replace("\r\n", "\n");
        assert!(read(&torn).unwrap_err().to_string().contains("逗号是小数点"));
    }
}
