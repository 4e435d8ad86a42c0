//! `fafang change`: what happens to a person: enrol, stop, suspend, resume, account, name, category,
//! amount, corrections, certification; undo; and the second person's say.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde_json::json;

use super::budget::charset_argument;
use super::{Answer, Desk, date_argument, exit_code, period_argument, recovery, roster};
use crate::domain::change::{Change, What};
use crate::domain::enrolment::{StopReason, SuspensionCause};
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::exchange::folder;
use crate::formats::change::parse_changes;
use crate::formats::charset::Charset;
use crate::reports::worklist;
use crate::workflow::change_enrolment::Changed;
use crate::workflow::enter_change::{Accepted, Entered, accept, enter_change, enter_list, reject};

#[derive(Debug, clap::Args)]
pub struct Who {
    /// 公民身份号码
    citizen_number: String,
    /// 项目编码（此人在多个项目中时必须指明）
    #[arg(long)]
    scheme: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Why {
    /// 原因
    #[arg(long, default_value = "")]
    reason: String,
    /// 依据: 证明材料、来函编号
    #[arg(long, default_value = "")]
    evidence: String,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// 导入变更表（CSV、XLSX、XLS），全部正确才生效
    Import {
        /// 变更表
        file: PathBuf,
        /// 项目编码，表中没有“项目”一列时用它
        #[arg(long)]
        scheme: Option<String>,
        /// 文字编码: utf-8 或 gb18030（默认自动识别）
        #[arg(long, value_parser = charset_argument)]
        charset: Option<Charset>,
    },
    /// 新增一人，按名册的列名填写，例如 姓名=张三 银行账号=…
    Enrol {
        /// 公民身份号码
        citizen_number: String,
        /// 项目编码
        #[arg(long)]
        scheme: String,
        /// 列名=内容，可重复
        #[arg(required = true, value_parser = field)]
        fields: Vec<(String, String)>,
        #[command(flatten)]
        why: Why,
    },
    /// 停发: 死亡、迁出、不再符合条件
    Stop {
        #[command(flatten)]
        who: Who,
        /// 原因: death 死亡、moved 迁出、ineligible 不再符合条件、other 其他
        #[arg(long, value_parser = stop_reason)]
        reason: StopReason,
        /// 发生日期
        #[arg(long, value_parser = date_argument)]
        date: NaiveDate,
        /// 依据: 证明材料、来函编号
        #[arg(long, default_value = "")]
        evidence: String,
    },
    /// 暂停
    Suspend {
        #[command(flatten)]
        who: Who,
        /// 暂停的第一个月
        #[arg(long, value_parser = period_argument)]
        period: Period,
        /// 种类: not_certified 未认证、suspected 疑似丧失资格、prison 服刑、missing 失踪、other 其他（默认按原因判断）
        #[arg(long, value_parser = cause)]
        cause: Option<SuspensionCause>,
        /// 原因: 未认证、疑似丧失资格、服刑等
        #[arg(long)]
        reason: String,
        /// 依据
        #[arg(long, default_value = "")]
        evidence: String,
    },
    /// 恢复（暂停月份是否补发由项目规定，也可另行指明）
    Resume {
        #[command(flatten)]
        who: Who,
        /// 恢复的第一个月
        #[arg(long, value_parser = period_argument)]
        period: Period,
        /// 恢复的是哪一种暂停（只有一种时不必写）
        #[arg(long, value_parser = cause)]
        cause: Option<SuspensionCause>,
        /// 是否补发暂停月份: true 或 false（默认按项目规定）
        #[arg(long)]
        back_pay: Option<bool>,
        /// 原因: 已认证等
        #[arg(long)]
        reason: String,
        /// 依据
        #[arg(long, default_value = "")]
        evidence: String,
    },
    /// 换账户；同时解除新账户能解决的暂停支付
    Account {
        #[command(flatten)]
        who: Who,
        /// 新账号
        #[arg(long)]
        account: String,
        /// 开户银行（默认不变）
        #[arg(long)]
        bank: Option<String>,
        /// 户名（默认不变）
        #[arg(long)]
        holder: Option<String>,
        /// 使用他人账户时写明关系
        #[arg(long, default_value = "")]
        relation: String,
        /// 原因
        #[arg(long)]
        reason: String,
        /// 依据
        #[arg(long, default_value = "")]
        evidence: String,
    },
    /// 更正姓名
    Name {
        #[command(flatten)]
        who: Who,
        /// 身份证上的姓名
        #[arg(long)]
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// 变更人员类别
    Category {
        #[command(flatten)]
        who: Who,
        /// 新类别
        #[arg(long)]
        category: String,
        /// 新类别的第一个月
        #[arg(long, value_parser = period_argument)]
        period: Period,
        #[command(flatten)]
        why: Why,
    },
    /// 变更个人月待遇（只用于按人核定待遇的项目）
    Amount {
        #[command(flatten)]
        who: Who,
        /// 月待遇，元
        #[arg(long, value_parser = money)]
        monthly: Money,
        /// 新待遇的第一个月
        #[arg(long, value_parser = period_argument)]
        period: Period,
        #[command(flatten)]
        why: Why,
    },
    /// 更正出生日期
    Birth {
        #[command(flatten)]
        who: Who,
        /// 出生日期
        #[arg(long, value_parser = date_argument)]
        date: NaiveDate,
        #[command(flatten)]
        why: Why,
    },
    /// 更正退休日期
    Retirement {
        #[command(flatten)]
        who: Who,
        /// 退休日期
        #[arg(long, value_parser = date_argument)]
        date: NaiveDate,
        #[command(flatten)]
        why: Why,
    },
    /// 登记一人的资格认证
    Certify {
        #[command(flatten)]
        who: Who,
        /// 认证日期
        #[arg(long, value_parser = date_argument)]
        date: NaiveDate,
        /// 方式: 数据比对、人脸识别、上门等
        #[arg(long, default_value = "")]
        way: String,
        #[command(flatten)]
        why: Why,
    },
    /// 撤销一项登记错的变更（编号见 fafang roster show）
    Undo {
        #[command(flatten)]
        who: Who,
        /// 变更的编号
        #[arg(long)]
        event: i64,
        #[command(flatten)]
        why: Why,
    },
    /// 列出等待复核的变更和名册
    List,
    /// 复核通过，变更生效（须由另一人办理）
    Accept {
        /// 申请的编号
        request: i64,
    },
    /// 退回或撤回，不生效
    Reject {
        /// 申请的编号
        request: i64,
        /// 原因
        #[arg(long)]
        reason: String,
    },
}

fn stop_reason(text: &str) -> Result<StopReason, String> {
    StopReason::parse(text).filter(|r| *r != StopReason::Roster).ok_or_else(|| {
        format!("“{text}”不是停发原因，应为 death 死亡、moved 迁出、ineligible 不再符合条件、other 其他")
    })
}

fn cause(text: &str) -> Result<SuspensionCause, String> {
    SuspensionCause::parse(text).ok_or_else(|| {
        let known = SuspensionCause::ALL.map(|c| format!("{} {}", c.code(), c.title()));
        format!("“{text}”不是暂停种类，应为 {}", known.join("、"))
    })
}

fn field(text: &str) -> Result<(String, String), String> {
    let (title, value) = text.split_once('=').ok_or_else(|| format!("“{text}”应为 列名=内容"))?;
    Ok((title.trim().to_string(), value.trim().to_string()))
}

pub(super) fn money(text: &str) -> Result<Money, String> {
    Money::parse(text).map_err(|e| e.to_string())
}

fn change(who: Who, what: What, reason: String, evidence: String) -> Change {
    Change { citizen_number: who.citizen_number, scheme: who.scheme, what, reason, evidence }
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    let office = &desk.office;
    let change = match command {
        Command::Import { file, scheme, charset } => {
            let bytes = folder::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let list = parse_changes(&name, &bytes, charset, scheme.as_deref(), office.business_date());
            let entered = match list {
                Ok(list) => {
                    desk.out.findings(&list.findings, &name);
                    enter_list(office, list.changes, &name).await
                }
                Err(findings) => Err(crate::workflow::enter_change::unreadable(&name, findings)),
            };
            return Ok(tell(desk, &entered.inspect_err(|failure| desk.out.findings(&failure.findings, &name))?));
        }
        Command::List => {
            desk.out.report(&worklist::requests(office).await?);
            return Ok(exit_code::DONE);
        }
        Command::Accept { request } => return accepted(desk, request).await,
        Command::Reject { request, reason } => {
            reject(office, request, &reason).await?;
            desk.out.answer(
                || json!({ "request": request, "rejected": true }),
                || format!("第 {request} 号申请已退回，没有生效"),
            );
            return Ok(exit_code::DONE);
        }
        Command::Enrol { citizen_number, scheme, mut fields, why } => {
            fields.insert(0, ("公民身份号码".into(), citizen_number.clone()));
            let who = Who { citizen_number, scheme: Some(scheme) };
            change(who, What::Enrol(fields), why.reason, why.evidence)
        }
        Command::Stop { who, reason, date, evidence } => {
            change(who, What::Stop { reason, on: date }, reason.title().into(), evidence)
        }
        Command::Suspend { who, period, cause, reason, evidence } => {
            // The words of a clerk tell the kind, when none is named.
            let cause = cause.unwrap_or_else(|| SuspensionCause::in_words(&reason));
            change(who, What::Suspend { cause, from: period }, reason, evidence)
        }
        Command::Resume { who, period, cause, back_pay, reason, evidence } => {
            change(who, What::Resume { cause, from: period, back_pay }, reason, evidence)
        }
        Command::Account { who, account, bank, holder, relation, reason, evidence } => {
            change(who, What::Account { number: account, bank, holder, relation }, reason, evidence)
        }
        Command::Name { who, name, why } => change(who, What::Name(name), why.reason, why.evidence),
        Command::Category { who, category, period, why } => {
            change(who, What::Category { category, from: period }, why.reason, why.evidence)
        }
        Command::Amount { who, monthly, period, why } => {
            change(who, What::Amount { monthly, from: period }, why.reason, why.evidence)
        }
        Command::Birth { who, date, why } => change(who, What::Born(date), why.reason, why.evidence),
        Command::Retirement { who, date, why } => change(who, What::Retired(date), why.reason, why.evidence),
        Command::Certify { who, date, way, why } => {
            change(who, What::Certify { on: date, way }, why.reason, why.evidence)
        }
        Command::Undo { who, event, why } => change(who, What::Undo(event), why.reason, why.evidence),
    };
    Ok(tell(desk, &enter_change(office, change).await?))
}

fn tell(desk: &Desk, entered: &Entered) -> u8 {
    desk.out.answer(
        || {
            let mut document = match entered.changed.as_slice() {
                [only] => document(only),
                several => json!({ "changes": several.iter().map(document).collect::<Vec<_>>() }),
            };
            document["pending"] = json!(entered.pending);
            document
        },
        || {
            let mut lines: Vec<String> = entered.changed.iter().map(words).collect();
            if let Some(no) = entered.pending {
                lines.push(format!("等待另一人复核，尚未生效: fafang change accept {no}"));
            }
            lines.join("\n")
        },
    );
    exit_code::DONE
}

async fn accepted(desk: &Desk, request: i64) -> Answer {
    match accept(&desk.office, request).await? {
        Accepted::Changes(changed) => desk.out.answer(
            || json!({ "request": request, "accepted": true, "changes": changed.iter().map(document).collect::<Vec<_>>() }),
            || changed.iter().map(words).collect::<Vec<_>>().join("\n"),
        ),
        Accepted::WriteOff(done) => desk.out.answer(
            || {
                let mut document = recovery::document(&done);
                document["request"] = json!(request);
                document["accepted"] = json!(true);
                document
            },
            || recovery::words(&done),
        ),
        Accepted::Roster(imported) => roster::print(desk, &imported, &format!("第 {request} 号申请的名册"), false),
    }
    Ok(exit_code::DONE)
}

pub(super) fn document(changed: &Changed) -> serde_json::Value {
    json!({
        "name": changed.name, "citizen_number": changed.citizen_number, "scheme": changed.scheme, "event": changed.event,
        "change": changed.what, "notices": changed.notices,
        "overpaid": changed.overpaid.iter().map(|o| json!({ "period": o.period, "overpaid_fen": o.amount() })).collect::<Vec<_>>(),
        "cleared_holds": changed.cleared_holds,
    })
}

pub(super) fn words(changed: &Changed) -> String {
    let mut lines = vec![format!("{} {}: {}", changed.name, changed.citizen_number, changed.what)];
    lines.extend(changed.notices.iter().map(|notice| format!("  提示 {notice}")));
    for o in &changed.overpaid {
        lines.push(format!("  {} 已发 {} 元，应发 {} 元，多发 {} 元，应追回", o.period, o.cover, o.claim, o.amount()));
    }
    for no in &changed.cleared_holds {
        lines.push(format!("  第 {no} 号暂停支付已解除"));
    }
    lines.join("\n")
}
