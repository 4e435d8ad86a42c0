//! ISO 20022 account statements, camt.053, and debit and credit notifications, camt.054, of the versions of 2009 (`.02`)
//! and 2019 (`.08`) and those between: by local names, element by element, so that a batch of many transactions is
//! never held as a tree.
//!
//! An entry with the details of its transactions, each with its amount and together the entry's, is as many entries:
//! that is how a bank tells a payment file that it booked in one sum. Pending and future entries are not counted.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta};

use super::{ReadError, amount, wrong};
use crate::domain::money::Money;
use crate::domain::statement::{Balances, Entry, Statement};
use crate::domain::text::printable;
use crate::formats::xml::{self, Event, Limits, Node, Reader, Start};

/// Statements of banks that book each payment are large: a million entries of some 400 bytes.
const LARGEST_FILE: usize = 512 * 1024 * 1024;

/// Reads every statement or notification of a message.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Statement>, ReadError> {
    let limits = Limits { bytes: LARGEST_FILE, ..Limits::default() };
    let text = xml::decode(bytes, &limits)?;
    let mut reader = Reader::within(&text, limits);
    let root = reader.root()?;
    let mut statements = Vec::new();
    if is_message(&root.name) {
        message(&mut reader, &mut statements)?;
    } else {
        let mut other = Some(root.name).filter(|name| name != "Document");
        while let Some(start) = child(&mut reader)? {
            if other.is_none() && is_message(&start.name) {
                message(&mut reader, &mut statements)?;
            } else {
                other.get_or_insert(start.name);
                reader.skip()?;
            }
        }
        if let Some(name) = other {
            return Err(ReadError::NotAStatement(name));
        }
    }
    // What stands behind the message must be well-formed too.
    while reader.next()?.is_some() {}
    Ok(statements)
}

/// True when a message that says so begins.
pub(super) fn seems(bytes: &[u8]) -> bool {
    let limits = Limits { bytes: LARGEST_FILE, ..Limits::default() };
    let Ok(text) = xml::decode(bytes, &limits) else { return false };
    let mut reader = Reader::within(&text, limits);
    let Ok(root) = reader.root() else { return false };
    let mut inner = || child(&mut reader).ok().flatten();
    is_message(&root.name) || root.name == "Document" && inner().is_some_and(|start| is_message(&start.name))
}

fn is_message(name: &str) -> bool {
    matches!(name, "BkToCstmrStmt" | "BkToCstmrDbtCdtNtfctn")
}

/// The next element within the one that is open; none at its end.
fn child(reader: &mut Reader<'_>) -> Result<Option<Start>, ReadError> {
    loop {
        match reader.next()? {
            Some(Event::Start(start)) => return Ok(Some(start)),
            Some(Event::Text(_)) => {}
            Some(Event::End) | None => return Ok(None),
        }
    }
}

fn message(reader: &mut Reader<'_>, statements: &mut Vec<Statement>) -> Result<(), ReadError> {
    while let Some(start) = child(reader)? {
        match start.name.as_str() {
            "Stmt" => statements.push(statement(reader, start.line, true)?),
            "Ntfctn" => statements.push(statement(reader, start.line, false)?),
            _ => reader.skip()?,
        }
    }
    Ok(())
}

fn statement(reader: &mut Reader<'_>, line: usize, has_balances: bool) -> Result<Statement, ReadError> {
    let (mut account, mut id, mut number) = (String::new(), String::new(), String::new());
    let (mut opening, mut previous, mut closing) = (None, None, None);
    let (mut entries, mut notices, mut until) = (Vec::new(), Vec::new(), None);
    let mut not_booked = 0_usize;
    while let Some(start) = child(reader)? {
        match start.name.as_str() {
            "Ntry" => {
                if !entry(reader, start.line, &mut entries, &mut notices)? {
                    not_booked += 1;
                }
            }
            "Id" => id = reader.node(start)?.text().to_string(),
            "ElctrncSeqNb" => number = reader.node(start)?.text().to_string(),
            "LglSeqNb" if number.is_empty() => number = reader.node(start)?.text().to_string(),
            "FrToDt" => until = day(&reader.node(start)?, "ToDtTm", "ToDt")?,
            "Acct" => account = account_of(&reader.node(start)?),
            "Bal" => {
                let node = reader.node(start)?;
                let (on, money) = (day(&node, "Dt/DtTm", "Dt/Dt")?, signed(&node)?);
                // Of several days' balances the first opens and the last closes.
                match node.text_at("Tp/CdOrPrtry/Cd") {
                    "OPBD" => opening = opening.filter(|(first, _)| *first <= on).or(Some((on, money))),
                    "PRCD" => previous = previous.filter(|(first, _)| *first <= on).or(Some((on, money))),
                    "CLBD" => closing = closing.filter(|(last, _)| *last >= on).or(Some((on, money))),
                    _ => {}
                }
            }
            _ => reader.skip()?,
        }
    }
    if account.is_empty() {
        return Err(wrong(line, "对账单没有账号（Acct/Id）"));
    }
    if not_booked > 0 {
        notices.push(format!("{not_booked} 笔分录尚未记账（状态不是 BOOK），没有计入"));
    }
    let balances = match (opening.or(previous), closing) {
        _ if !has_balances => None,
        (Some((_, opening)), Some((_, closing))) => Some(Balances { opening, closing }),
        _ => return Err(wrong(line, "对账单缺期初余额（OPBD、PRCD）或期末余额（CLBD）")),
    };
    let number = if number.is_empty() { id } else { number };
    let latest = entries.iter().map(|e: &Entry| e.booked_on).max();
    let last_on = closing.and_then(|(on, _)| on).or(until.max(latest));
    let read = Statement::new(&account, &number, last_on, balances, entries);
    let read = read.map_err(|error| ReadError::Statement { line, number, error })?;
    Ok(Statement { notices, ..read })
}

/// Name and account.
type Party = (String, String);

/// What `TxDtls` says of one transaction.
struct Detail {
    amount: Option<Money>,
    bank_ref: String,
    our_ref: String,
    debtor: Party,
    creditor: Party,
    text: String,
}

/// Reads one `Ntry`; false when it is not booked.
fn entry(
    reader: &mut Reader<'_>,
    line: usize,
    entries: &mut Vec<Entry>,
    notices: &mut Vec<String>,
) -> Result<bool, ReadError> {
    let mut parts = Node::default();
    let (mut details, mut batch) = (Vec::new(), Node::default());
    while let Some(start) = child(reader)? {
        if start.name != "NtryDtls" {
            parts.children.push(reader.node(start)?);
            continue;
        }
        while let Some(start) = child(reader)? {
            let node = reader.node(start)?;
            match node.name.as_str() {
                "TxDtls" => details.push(detail(&node)?),
                "Btch" => batch = node,
                _ => {}
            }
        }
    }
    parts.line = line;
    let status = parts.at("Sts").map_or("", |sts| if sts.text().is_empty() { sts.text_at("Cd") } else { sts.text() });
    match status {
        "BOOK" => {}
        "" => return Err(wrong(line, "分录没有状态（Sts）")),
        _ => return Ok(false),
    }
    let money = signed(&parts)?;
    let valued_on = day(&parts, "ValDt/DtTm", "ValDt/Dt")?;
    let booked_on = day(&parts, "BookgDt/DtTm", "BookgDt/Dt")?;
    let mut whole = Entry {
        booked_on: booked_on.or(valued_on).ok_or_else(|| wrong(line, "分录没有记账日（BookgDt）"))?,
        valued_on,
        amount: money,
        bank_ref: reference(parts.text_at("AcctSvcrRef")),
        our_ref: [batch.text_at("PmtInfId"), batch.text_at("MsgId")]
            .into_iter()
            .map(reference)
            .find(|r| !r.is_empty())
            .unwrap_or_default(),
        counterparty_name: String::new(),
        counterparty_account: String::new(),
        text: parts.text_at("AddtlNtryInf").to_string(),
        code: code(&parts),
        is_reversal: matches!(parts.text_at("RvslInd"), "true" | "1"),
    };
    let is_told_apart = details.len() > 1 && details.iter().any(|d| !d.our_ref.is_empty());
    let amounts: Option<Vec<Money>> =
        details.iter().map(|d| d.amount.map(|a| if money < Money::ZERO { -a } else { a })).collect();
    match amounts {
        Some(amounts) if is_told_apart => {
            let sum: i128 = amounts.iter().map(|a| i128::from(a.fen())).sum();
            if sum == i128::from(money.fen()) {
                entries.extend(amounts.into_iter().zip(details).map(|(amount, one)| merged(&whole, one, amount)));
                return Ok(true);
            }
            notices.push(format!(
                "{} 的分录 {} 元: {} 笔明细合计与分录金额不同，按一笔计",
                whole.booked_on,
                money.grouped(),
                details.len()
            ));
        }
        _ => {
            if details.len() == 1 {
                whole = details.into_iter().next().map_or(whole.clone(), |one| merged(&whole, one, money));
            }
        }
    }
    entries.push(whole);
    Ok(true)
}

/// What a transaction says, and of the entry what it does not say.
fn merged(whole: &Entry, one: Detail, amount: Money) -> Entry {
    let or = |own: String, of_entry: &str| if own.is_empty() { of_entry.to_string() } else { own };
    // The other side is the one on which we do not stand.
    let (counterparty_name, counterparty_account) = if amount < Money::ZERO { one.creditor } else { one.debtor };
    let texts = [whole.text.as_str(), one.text.as_str()];
    Entry {
        amount,
        bank_ref: or(one.bank_ref, &whole.bank_ref),
        our_ref: or(one.our_ref, &whole.our_ref),
        counterparty_name,
        counterparty_account,
        text: texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "),
        ..whole.clone()
    }
}

/// Reads one `TxDtls`.
fn detail(node: &Node) -> Result<Detail, ReadError> {
    let of = |path: &str| reference(node.text_at(path));
    let ours = ["Refs/EndToEndId", "Refs/InstrId", "Refs/PmtInfId"].into_iter().map(of).find(|found| !found.is_empty());
    let own = node.at("Amt").or_else(|| node.at("AmtDtls/TxAmt/Amt"));
    let party = |name: [&str; 2], account: &str| {
        let name = name.into_iter().map(|path| node.text_at(path)).find(|name| !name.is_empty());
        (name.unwrap_or_default().to_string(), node.at(account).map(account_of).unwrap_or_default())
    };
    let mut words: Vec<String> = Vec::new();
    for info in node.children("RmtInf") {
        words.extend(info.children("Ustrd").map(|text| text.text().to_string()));
    }
    words.push(node.text_at("RtrInf/Rsn/Cd").to_string());
    words.extend(node.children("RtrInf").flat_map(|r| r.children("AddtlInf")).map(|text| text.text().to_string()));
    words.push(node.text_at("AddtlTxInf").to_string());
    words.retain(|word| !word.is_empty());
    Ok(Detail {
        amount: own.map(money).transpose()?,
        bank_ref: of("Refs/AcctSvcrRef"),
        our_ref: ours.unwrap_or_default(),
        debtor: party(["RltdPties/Dbtr/Pty/Nm", "RltdPties/Dbtr/Nm"], "RltdPties/DbtrAcct"),
        creditor: party(["RltdPties/Cdtr/Pty/Nm", "RltdPties/Cdtr/Nm"], "RltdPties/CdtrAcct"),
        text: words.join(" "),
    })
}

fn reference(text: &str) -> String {
    let text = text.trim();
    if ["NOTPROVIDED", "NONREF"].iter().any(|none| text.eq_ignore_ascii_case(none)) {
        String::new()
    } else {
        text.to_string()
    }
}

/// The number of an element that has an `Id`.
fn account_of(node: &Node) -> String {
    let known = ["Id/IBAN", "Id/Othr/Id"].into_iter().map(|path| node.text_at(path)).find(|text| !text.is_empty());
    known.unwrap_or_default().to_string()
}

fn code(entry: &Node) -> String {
    let of = |path: &str| entry.text_at(path);
    let own = of("BkTxCd/Prtry/Cd");
    if !own.is_empty() {
        return own.to_string();
    }
    let domain = [of("BkTxCd/Domn/Cd"), of("BkTxCd/Domn/Fmly/Cd"), of("BkTxCd/Domn/Fmly/SubFmlyCd")];
    domain.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// An amount in 元 with its currency.
fn money(node: &Node) -> Result<Money, ReadError> {
    let currency = node.attribute("Ccy").unwrap_or("CNY");
    if currency != "CNY" {
        return Err(wrong(node.line, format!("币种 {}，应为人民币 CNY", printable(currency))));
    }
    let text = node.text();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(wrong(node.line, format!("金额“{}”，应为 1234.50 这样的数", printable(text))));
    }
    amount(node.line, "金额", Money::parse_total(text))
}

/// `Amt` with its direction. Of a reversal too it says which way the money went now.
fn signed(node: &Node) -> Result<Money, ReadError> {
    let sum = money(node.at("Amt").ok_or_else(|| wrong(node.line, "没有金额（Amt）"))?)?;
    match node.text_at("CdtDbtInd") {
        "CRDT" => Ok(sum),
        "DBIT" => Ok(-sum),
        other => Err(wrong(node.line, format!("收付标志“{}”，应为 CRDT 或 DBIT", printable(other)))),
    }
}

/// A day: alone, or the day in China of an instant; none where neither stands.
fn day(node: &Node, with_time: &str, alone: &str) -> Result<Option<NaiveDate>, ReadError> {
    let Some(found) = node.at(with_time).or_else(|| node.at(alone)) else { return Ok(None) };
    let text = found.text();
    let instant = DateTime::parse_from_rfc3339(text).ok();
    let in_china =
        instant.and_then(|at| at.naive_utc().checked_add_signed(TimeDelta::hours(8))).as_ref().map(NaiveDateTime::date);
    // Without a zone it is the bank's own day.
    let date = in_china.or_else(|| text.get(..10).and_then(|day| day.parse().ok()));
    date.map(Some).ok_or_else(|| wrong(found.line, format!("日期“{}”，应为 2026-01-31 这样的日期", printable(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement of either version, with these entries.
    fn statement_of(version: &str, opening: &str, closing: &str, entries: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}\">\
             <BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr>\n<Stmt><Id>S-1</Id><ElctrncSeqNb>12</ElctrncSeqNb>\
             <FrToDt><FrDtTm>2026-01-01T00:00:00</FrDtTm><ToDtTm>2026-01-31T23:59:59</ToDtTm></FrToDt>\
             <Acct><Id><Othr><Id>6228 0001 2345</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\n\
             <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{opening}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-01</Dt></Dt></Bal>\n\
             <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{closing}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>\n\
             {entries}</Stmt></BkToCstmrStmt></Document>"
        )
    }

    fn entry_of(amount: &str, way: &str, status: &str, rest: &str) -> String {
        format!(
            "<Ntry><Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd>{status}<BookgDt><Dt>2026-01-20</Dt></BookgDt>\
             <ValDt><Dt>2026-01-19</Dt></ValDt><AcctSvcrRef>B{amount}</AcctSvcrRef>{rest}</Ntry>\n"
        )
    }

    const OLD: &str = "<Sts>BOOK</Sts>";
    const NEW: &str = "<Sts><Cd>BOOK</Cd></Sts>";

    fn details(version: &str, list: &[(&str, &str)]) -> String {
        let one = |(reference, amount): &(&str, &str)| {
            let (amount, name) = match version {
                "02" => (
                    format!("<AmtDtls><TxAmt><Amt Ccy=\"CNY\">{amount}</Amt></TxAmt></AmtDtls>"),
                    "<Cdtr><Nm>阿依古丽</Nm></Cdtr>",
                ),
                _ => (
                    format!("<Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd>"),
                    "<Cdtr><Pty><Nm>阿依古丽</Nm></Pty></Cdtr>",
                ),
            };
            format!(
                "<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{amount}<RltdPties>{name}\
                 <CdtrAcct><Id><Othr><Id>6217000001</Id></Othr></Id></CdtrAcct></RltdPties>\
                 <RmtInf><Ustrd>补贴</Ustrd></RmtInf></TxDtls>"
            )
        };
        format!("<NtryDtls>{}</NtryDtls>", list.iter().map(one).collect::<String>())
    }

    #[test]
    fn both_versions_say_the_same() {
        for (version, booked) in [("02", OLD), ("08", NEW)] {
            let pending = booked.replace("BOOK", "PDNG");
            let single = details(version, &[("652827-202601-1-7", "120.10")]);
            let entries = [
                entry_of(
                    "360.30",
                    "DBIT",
                    booked,
                    "<NtryDtls><Btch><PmtInfId>652827-202601-1-RCC-1</PmtInfId></Btch></NtryDtls><AddtlNtryInf>代发</AddtlNtryInf>",
                ),
                entry_of("120.10", "CRDT", &format!("<RvslInd>true</RvslInd>{booked}"), &single),
                entry_of("5.00", "DBIT", &pending, ""),
            ];
            let text = statement_of(version, "1000.00", "759.8", &entries.concat());
            let statements = read(text.as_bytes()).unwrap();
            let [statement] = &statements[..] else { panic!("{statements:?}") };
            assert_eq!((&*statement.account, &*statement.number), ("622800012345", "12"));
            assert_eq!(statement.last_on.to_string(), "2026-01-31");
            let [file, back] = &statement.entries[..] else { panic!("{statement:?}") };
            assert_eq!((file.amount, &*file.our_ref, &*file.text), (Money(-36_030), "652827-202601-1-RCC-1", "代发"));
            assert_eq!(
                (file.booked_on.to_string(), file.valued_on.unwrap().to_string()),
                ("2026-01-20".into(), "2026-01-19".into())
            );
            assert_eq!((back.amount, &*back.our_ref, back.is_reversal), (Money(12_010), "652827-202601-1-7", true));
            assert_eq!((&*back.bank_ref, &*back.text), ("B120.10", "补贴"));
            assert_eq!(statement.notices.len(), 1, "{:?}", statement.notices);
        }
    }

    #[test]
    fn a_batch_is_told_apart_where_its_transactions_foot() {
        for (version, booked) in [("02", OLD), ("08", NEW)] {
            let parts = [("652827-202601-1-1", "120.10"), ("652827-202601-1-2", "240.20")];
            let batch = |list: &[(&str, &str)]| {
                let text = statement_of(
                    version,
                    "1000",
                    "639.70",
                    &entry_of("360.30", "DBIT", booked, &details(version, list)),
                );
                read(text.as_bytes()).unwrap().remove(0)
            };
            let apart = batch(&parts);
            let said: Vec<_> =
                apart.entries.iter().map(|e| (e.amount.fen(), &*e.our_ref, &*e.counterparty_name)).collect();
            assert_eq!(said, [(-12_010, parts[0].0, "阿依古丽"), (-24_020, parts[1].0, "阿依古丽")]);
            assert_eq!(apart.entries[0].counterparty_account, "6217000001");
            let wrong = batch(&[parts[0], (parts[1].0, "240.21")]);
            assert_eq!((wrong.entries.len(), wrong.entries[0].amount.fen(), wrong.notices.len()), (1, -36_030, 1));
            assert!(wrong.notices[0].contains("2 笔明细合计"), "{:?}", wrong.notices);
        }
    }

    #[test]
    fn a_notification_has_no_balances() {
        let text = statement_of("08", "1", "1", &entry_of("3.00", "CRDT", NEW, ""));
        let text = text.replace("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn").replace("Stmt>", "Ntfctn>");
        let read = read(text.as_bytes()).unwrap();
        assert_eq!((read[0].balances, read[0].entries.len()), (None, 1));
    }

    #[test]
    fn several_statements_and_several_days_in_one_message() {
        let one = statement_of("02", "10", "10", "");
        let (head, tail) = one.split_once("<Stmt>").unwrap();
        let (stmt, end) = tail.split_once("</Stmt>").unwrap();
        let other = stmt.replace("2345", "9999");
        let two = format!("{head}<Stmt>{stmt}</Stmt><Stmt>{other}</Stmt>{end}");
        let accounts: Vec<_> = read(two.as_bytes()).unwrap().into_iter().map(|s| s.account).collect();
        assert_eq!(accounts, ["622800012345", "622800019999"]);
    }

    #[test]
    fn an_instant_counts_by_the_day_in_china() {
        let node = |text: &str| Node {
            children: vec![Node { name: "DtTm".into(), content: text.into(), ..Node::default() }],
            ..Node::default()
        };
        let of = |text: &str| day(&node(text), "DtTm", "Dt").map(|d| d.unwrap().to_string());
        assert_eq!(of("2026-01-31T16:30:00Z").unwrap(), "2026-02-01");
        assert_eq!(of("2026-01-31T23:59:59+08:00").unwrap(), "2026-01-31");
        assert_eq!(of("2026-01-31T23:59:59").unwrap(), "2026-01-31");
        assert!(of("31.01.2026").is_err());
    }

    #[test]
    fn what_is_not_believed_is_named() {
        let ok = entry_of("3.00", "CRDT", OLD, "");
        let says = |text: String| read(text.as_bytes()).unwrap_err().to_string();
        let with = |entry: &str| statement_of("02", "1.00", "4.00", entry);
        assert!(read(with(&ok).as_bytes()).is_ok());
        assert!(
            says(statement_of("02", "1.00", "4.01", &ok)).contains("1.00 + 发生额合计 3.00 ≠ 期末余额 4.01，差 0.01")
        );
        assert!(says(with(&ok.replace("\"CNY\"", "\"USD\""))).contains("币种 USD"));
        assert!(says(with(&ok.replace("CRDT", "CREDIT"))).contains("CRDT 或 DBIT"));
        assert!(says(with(&ok.replace("3.00<", "3,00<"))).contains("1234.50"));
        assert!(says(with(&ok.replace(OLD, ""))).contains("没有状态"));
        assert!(says(with(&ok).replace("CLBD", "CLAV")).contains("期末余额（CLBD）"));
        assert!(says(with(&ok).replace("6228 0001 2345", "")).contains("没有账号"));
        assert!(says("<Document><CstmrPmtStsRpt/></Document>".into()).contains("<CstmrPmtStsRpt>"));
        assert!(says("<html><body/></html>".into()).contains("<html>"));
        assert!(says(with(&ok).replace("<Document", "<!DOCTYPE x><Document")).contains("DOCTYPE"));
    }
}
