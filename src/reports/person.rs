//! The whole story of one person over all schemes: what they are entitled to and why, who changed what, what
//! waits, what holds them, and month by month what was owed and what became of it.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::payment_sheet::Numbers;
use super::roster::status;
use super::table::{Column, Report, Sheet, Value};
use crate::calculation::claim::{Claim, certified_until, claim, first_claim_period, monthly};
use crate::calculation::payable::payable;
use crate::domain::bank::BankBook;
use crate::domain::change::Change;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::enrolment::{Enrolment, EventKind, StopReason, SuspensionCause};
use crate::domain::money::Money;
use crate::domain::payment::{OutcomeKind, PaymentState};
use crate::domain::period::{Period, date_from_number};
use crate::domain::scheme::Scheme;
use crate::domain::text::{mask_long_numbers, mask_middle};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::change_request::{self, StoredRequest};
use crate::storage::cover::SentCover;
use crate::storage::engine::Tx;
use crate::storage::enrolment_event::StoredEvent;
use crate::storage::hold::StoredHold;
use crate::storage::payment::StoredOutcome;
use crate::storage::{cover, enrolment, enrolment_event, hold};

/// One enrolment with everything that belongs to it.
struct Chapter {
    scheme: Scheme,
    enrolment: Enrolment,
    events: Vec<StoredEvent>,
    covers: Vec<SentCover>,
    covered: BTreeMap<Period, Money>,
}

/// The story of a person, over all schemes or in one.
///
/// # Errors
/// When the number is none, or nobody of it is enrolled.
pub async fn person(
    office: &Office,
    citizen_number: &str,
    scheme: Option<&str>,
    numbers: Numbers,
) -> Result<Report, Failure> {
    let mut tx = office.read().await?;
    let agency = office.agency_code.as_str();
    let today = office.business_date();
    let number = CitizenNumber::parse_any(citizen_number, today)
        .map_err(|e| Failure::refused(e.code(), format!("公民身份号码: {e}")))?;
    let mut places = enrolment::of_person(&mut tx, agency, number.as_str()).await?;
    places.retain(|(code, _)| scheme.is_none_or(|wanted| wanted == code));
    let known = enrolment::person(&mut tx, agency, number.as_str()).await?;
    let Some(known) = known.filter(|_| !places.is_empty()) else {
        let place = scheme.map_or_else(String::new, |code| format!("项目 {code} 的"));
        return Err(Failure::refused("UNKNOWN_PERSON", format!("{place}名册中没有 {number}"))
            .hint("fafang roster list --scheme 项目 列出名册；等待复核的新增见 fafang change list"));
    };
    let mut chapters = Vec::with_capacity(places.len());
    for (code, enrolment_no) in places {
        chapters.push(Chapter::read(&mut tx, office, &code, enrolment_no).await?);
    }
    let holds = hold::of_person(&mut tx, agency, known.beneficiary_no).await?;
    let requests = change_request::pending(&mut tx, agency).await?;
    let waiting: Vec<StoredRequest> = requests.into_iter().filter(|r| concerns(r, &number, &chapters, today)).collect();
    let shown = |text: &str| match numbers {
        Numbers::Whole => text.to_string(),
        Numbers::Masked => mask_long_numbers(text),
    };
    let (own_number, phone, born) = match numbers {
        Numbers::Whole => (number.as_str().to_string(), known.phone, number.born_on()),
        Numbers::Masked => (number.masked(), mask_middle(&known.phone, 3, 4), None),
    };
    let born = born.map_or_else(String::new, |day| format!("    出生: {day}"));
    let retired = known.retired_on.map_or_else(String::new, |day| day.to_string());
    Ok(Report {
        code: "person",
        title: format!("{} {own_number}", known.name),
        subtitle: vec![
            format!("单位: {}    截至 {today}{born}", office.agency_name),
            format!("原工作单位: {}    退休日期: {retired}    联系电话: {phone}", known.former_unit),
        ],
        sheets: vec![
            enrolments(&chapters, &office.banks, numbers, Period::of(today)),
            events(&chapters, &shown),
            requests_sheet(&waiting, &shown),
            holds_sheet(&holds, &shown)?,
            months(&chapters, Period::of(today), &shown)?,
            overpaid(&chapters, Period::of(today)),
        ],
        notes: Vec::new(),
    })
}

impl Chapter {
    async fn read(tx: &mut Tx, office: &Office, code: &str, enrolment_no: i64) -> Result<Chapter, Failure> {
        let agency = office.agency_code.as_str();
        Ok(Chapter {
            scheme: office.scheme(tx, code).await?.0,
            enrolment: enrolment::by_no(tx, agency, enrolment_no).await?,
            events: enrolment_event::events(tx, agency, enrolment_no).await?,
            covers: cover::sent_of_enrolment(tx, agency, enrolment_no).await?,
            covered: cover::covered_of(tx, agency, enrolment_no).await?,
        })
    }

    /// The months to tell: from the first claim to now, and every month with a cover. Of a row of months
    /// that owe nothing for one reason, the first is enough.
    fn months(&self, now: Period) -> Vec<(Period, Claim)> {
        let first = first_claim_period(&self.scheme, &self.enrolment.entitlement);
        let mut months: Vec<Period> = first.through(now).chain(self.covers.iter().map(|c| c.period)).collect();
        months.sort_unstable();
        months.dedup();
        let mut told: Vec<(Period, Claim)> = Vec::with_capacity(months.len());
        let mut last = None;
        for month in months {
            let claim = claim(&self.scheme, &self.enrolment.entitlement, month);
            let is_over = matches!(claim, Claim::PaidOnce | Claim::LimitReached | Claim::Ended(_) | Claim::SchemeEnded);
            let is_covered = self.covers.iter().any(|c| c.period == month);
            if !is_over || is_covered || last != Some(claim) {
                told.push((month, claim));
            }
            last = Some(claim);
        }
        told
    }
}

/// Whether a request that waits speaks of this person. A roster is not opened: one of a scheme of theirs may.
fn concerns(request: &StoredRequest, number: &CitizenNumber, chapters: &[Chapter], today: NaiveDate) -> bool {
    if request.kind == "roster" {
        return chapters.iter().any(|c| c.scheme.code == request.scheme_code);
    }
    let content: serde_json::Value = serde_json::from_str(&request.content).unwrap_or_default();
    // Entered as changes, or as what follows from a hit of a comparison list.
    let of = |list: &serde_json::Value| serde_json::from_value::<Vec<Change>>(list.clone()).unwrap_or_default();
    let changes = [of(&content["changes"]), of(&content["comparison"]["changes"])].concat();
    changes.iter().any(|c| CitizenNumber::parse_any(&c.citizen_number, today).is_ok_and(|n| n == *number))
}

fn day_text(number: i64) -> String {
    date_from_number(number).map_or_else(String::new, |day| day.to_string())
}

fn sheet(name: &str, columns: Vec<Column>, rows: Vec<Vec<Value>>) -> Sheet {
    let notes = if rows.is_empty() { vec!["无".to_string()] } else { Vec::new() };
    Sheet { name: name.into(), columns, rows, total: None, notes }
}

fn enrolments(chapters: &[Chapter], banks: &BankBook, numbers: Numbers, now: Period) -> Sheet {
    let row = |c: &Chapter| -> Vec<Value> {
        let Enrolment { entitlement, account, .. } = &c.enrolment;
        let account_number = match numbers {
            Numbers::Whole => account.number.as_str().to_string(),
            Numbers::Masked => account.number.masked(),
        };
        let certified = entitlement.certified.last().map_or_else(String::new, ToString::to_string);
        vec![
            c.scheme.code.clone().into(),
            entitlement.last_category().into(),
            entitlement.first.to_string().into(),
            entitlement.last.map_or_else(String::new, |last| last.to_string()).into(),
            status(&c.enrolment).into(),
            monthly(&c.scheme, entitlement, now).map_or(Value::Empty, Value::Money),
            certified.into(),
            certified_until(&c.scheme, entitlement).map_or_else(String::new, |until| until.to_string()).into(),
            banks.bank(&account.bank_code).map_or(account.bank_code.as_str(), |b| b.name.as_str()).into(),
            account_number.into(),
            account.holder.clone().into(),
        ]
    };
    let columns = vec![
        Column::text("scheme", "项目"),
        Column::text("category", "人员类别"),
        Column::text("first_period", "起始月"),
        Column::text("last_period", "终止月"),
        Column::text("status", "状态"),
        Column::money("monthly", "月待遇"),
        Column::text("certified_on", "最近认证"),
        Column::text("certified_until", "认证有效至"),
        Column::text("bank", "开户银行"),
        Column::text("account", "银行账号"),
        Column::text("holder", "户名"),
    ];
    sheet("待遇资格", columns, chapters.iter().map(row).collect())
}

fn events(chapters: &[Chapter], shown: &impl Fn(&str) -> String) -> Sheet {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for c in chapters {
        for event in &c.events {
            let undone_by = c.events.iter().find(|e| e.undoes_seq == Some(event.seq_no));
            rows.push(vec![
                c.scheme.code.clone().into(),
                event.seq_no.into(),
                EventKind::parse(&event.kind)
                    .map_or_else(|| event.kind.clone(), |kind| kind.title().to_string())
                    .into(),
                shown(&what(event)).into(),
                shown(&event.reason).into(),
                shown(&event.evidence).into(),
                event.made_by.clone().into(),
                day_text(event.made_on).into(),
                event.accepted_by.clone().unwrap_or_default().into(),
                undone_by.map_or_else(String::new, |e| format!("已由第 {} 号撤销", e.seq_no)).into(),
            ]);
        }
    }
    let columns = vec![
        Column::text("scheme", "项目"),
        Column::count("event_no", "编号"),
        Column::text("kind", "变更"),
        Column::text("what", "内容"),
        Column::text("reason", "原因"),
        Column::text("evidence", "依据"),
        Column::text("made_by", "办理人"),
        Column::text("made_on", "日期"),
        Column::text("accepted_by", "复核人"),
        Column::text("undone", "撤销"),
    ];
    sheet("变更", columns, rows)
}

/// What an event says: the values before and after, and of its other facts those that the values leave out.
fn what(event: &StoredEvent) -> String {
    let cause = match EventKind::parse(&event.kind) {
        Some(EventKind::Stopped) => StopReason::parse(&event.cause).map(StopReason::title),
        _ => SuspensionCause::parse(&event.cause).map(SuspensionCause::title),
    };
    let month = event.period.and_then(|p| Period::from_number(p).ok());
    let back_paid = event.back_paid.map(|paid| if paid == 1 { "补发暂停月份" } else { "暂停月份不补发" });
    let values = match (event.old_value.as_str(), event.new_value.as_str()) {
        ("", one) | (one, "") => one.to_string(),
        (old, new) => format!("{old} → {new}"),
    };
    let facts = [
        event.undoes_seq.map(|no| format!("第 {no} 号")),
        cause.map(str::to_string),
        month.map(|m| m.to_string()),
        event.on_date.map(day_text),
        back_paid.map(str::to_string),
    ];
    let mut words: Vec<String> = facts.into_iter().flatten().filter(|fact| !values.contains(fact)).collect();
    words.push(values);
    words.join(" ").trim().to_string()
}

fn requests_sheet(waiting: &[StoredRequest], shown: &impl Fn(&str) -> String) -> Sheet {
    let row = |r: &StoredRequest| -> Vec<Value> {
        let kind = if r.kind == "roster" { "名册（可能含此人）" } else { "变更" };
        vec![
            r.request_no.into(),
            r.scheme_code.clone().into(),
            kind.into(),
            shown(&r.summary).into(),
            r.made_by.clone().into(),
            day_text(r.made_on).into(),
        ]
    };
    let columns = vec![
        Column::count("request_no", "编号"),
        Column::text("scheme", "项目"),
        Column::text("kind", "种类"),
        Column::text("summary", "内容"),
        Column::text("made_by", "提出人"),
        Column::text("made_on", "日期"),
    ];
    sheet("等待复核", columns, waiting.iter().map(row).collect())
}

fn holds_sheet(holds: &[StoredHold], shown: &impl Fn(&str) -> String) -> Result<Sheet, Failure> {
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(holds.len());
    for h in holds {
        rows.push(vec![
            h.hold_no.into(),
            hold::hold_reason(&h.reason_class)?.title().into(),
            shown(&h.note).into(),
            day_text(h.opened_on).into(),
            h.opened_by.clone().into(),
            h.cleared_on.map_or_else(|| "未解除".to_string(), day_text).into(),
            h.cleared_by.clone().unwrap_or_default().into(),
            shown(h.resolution.as_deref().unwrap_or_default()).into(),
        ]);
    }
    let columns = vec![
        Column::count("hold_no", "编号"),
        Column::text("reason", "原因"),
        Column::text("note", "情况"),
        Column::text("opened_on", "自"),
        Column::text("opened_by", "登记人"),
        Column::text("cleared_on", "解除"),
        Column::text("cleared_by", "解除人"),
        Column::text("resolution", "处理结果"),
    ];
    Ok(sheet("暂停支付", columns, rows))
}

fn months(chapters: &[Chapter], now: Period, shown: &impl Fn(&str) -> String) -> Result<Sheet, Failure> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for c in chapters {
        for (month, claim) in c.months(now) {
            let mut head: Vec<Value> = vec![
                c.scheme.code.clone().into(),
                month.to_string().into(),
                claim.amount().into(),
                claim.reason().into(),
            ];
            for cover in c.covers.iter().filter(|cover| cover.period == month) {
                let mut row = head;
                row.push(cover.amount.into());
                row.extend(sent(cover, shown)?);
                rows.push(row);
                // The claim stands once, so that the column can be added up.
                head = vec![c.scheme.code.clone().into(), month.to_string().into(), Value::Empty, Value::Empty];
            }
            if !c.covers.iter().any(|cover| cover.period == month) {
                rows.push(head);
            }
        }
    }
    let columns = vec![
        Column::text("scheme", "项目"),
        Column::text("period", "所属期"),
        Column::money("claim", "应发"),
        Column::text("reason", "不发原因"),
        Column::money("amount", "发放"),
        Column::text("run", "批次"),
        Column::text("line_no", "序号"),
        Column::text("file", "支付文件"),
        Column::text("state", "结果"),
        Column::text("on", "日期"),
        Column::text("answer", "银行说明"),
        Column::text("history", "经过"),
    ];
    Ok(sheet("按月发放", columns, rows))
}

/// Run, line, file, outcome, day, the bank's words, and what went before when there is more than one outcome.
fn sent(cover: &SentCover, shown: &impl Fn(&str) -> String) -> Result<Vec<Value>, Failure> {
    let told = &cover.outcomes;
    let mut steps: Vec<(&str, String, String)> = Vec::with_capacity(told.len() + 1);
    let kinds = told.iter().map(StoredOutcome::kind).collect::<Result<Vec<_>, _>>()?;
    // An answered file means credited unless a row says otherwise; a late return says nothing of the answer.
    let is_credited_by_file = cover.answered_on.is_some() && kinds.iter().all(|k| *k == OutcomeKind::Returned);
    if is_credited_by_file {
        steps.push((
            PaymentState::Credited.title(),
            cover.answered_on.map(day_text).unwrap_or_default(),
            String::new(),
        ));
    }
    for (kind, o) in kinds.iter().zip(told) {
        let words = format!("{} {}", o.reason_code, shown(&o.reason_text)).trim().to_string();
        steps.push((PaymentState::from(*kind).title(), day_text(o.outcome_on), words));
    }
    let (on, answer) = steps.last().map(|(_, on, words)| (on.clone(), words.clone())).unwrap_or_default();
    let history: Vec<String> =
        steps.iter().map(|(title, on, words)| format!("{title} {on} {words}").trim().to_string()).collect();
    Ok(vec![
        cover.run_code.clone().into(),
        cover.line_no.to_string().into(),
        cover.file.clone().unwrap_or_default().into(),
        cover.state.title().into(),
        on.into(),
        answer.into(),
        if history.len() > 1 { history.join("；").into() } else { Value::Empty },
    ])
}

fn overpaid(chapters: &[Chapter], now: Period) -> Sheet {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for c in chapters {
        for o in payable(&c.scheme, &c.enrolment.entitlement, &c.covered, now).overpaid {
            rows.push(vec![
                c.scheme.code.clone().into(),
                o.period.to_string().into(),
                o.claim.into(),
                o.cover.into(),
                o.amount().into(),
            ]);
        }
    }
    let columns = vec![
        Column::text("scheme", "项目"),
        Column::text("period", "所属期"),
        Column::money("claim", "应发"),
        Column::money("cover", "已发和在途"),
        Column::money("overpaid", "多发"),
    ];
    let mut sheet = sheet("多发", columns, rows);
    if !sheet.rows.is_empty() {
        sheet.total_of_columns("合计");
    }
    sheet
}
