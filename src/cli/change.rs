//! `fafang change`: one person's stop, suspension, resumption, account.

use chrono::NaiveDate;
use serde_json::json;

use super::{Answer, Desk, date_argument, exit_code, period_argument};
use crate::domain::enrolment::StopReason;
use crate::domain::period::Period;
use crate::workflow::change_enrolment::{Changed, NewAccount, Person, change_account, resume, stop, suspend};

#[derive(Debug, clap::Args)]
pub struct Who {
    /// 公民身份号码
    citizen_number: String,
    /// 项目编码（此人在多个项目中时必须指明）
    #[arg(long)]
    scheme: Option<String>,
}

impl Who {
    fn person(&self) -> Person<'_> {
        Person { citizen_number: &self.citizen_number, scheme: self.scheme.as_deref() }
    }
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
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
        /// 原因: 未认证、疑似丧失资格、服刑等
        #[arg(long)]
        reason: String,
    },
    /// 恢复（暂停月份是否补发由项目规定）
    Resume {
        #[command(flatten)]
        who: Who,
        /// 恢复的第一个月
        #[arg(long, value_parser = period_argument)]
        period: Period,
        /// 原因: 已认证等
        #[arg(long)]
        reason: String,
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
    },
}

fn stop_reason(text: &str) -> Result<StopReason, String> {
    StopReason::parse(text).filter(|r| *r != StopReason::Roster).ok_or_else(|| {
        format!("“{text}”不是停发原因，应为 death 死亡、moved 迁出、ineligible 不再符合条件、other 其他")
    })
}

pub async fn run(command: Command, desk: &Desk) -> Answer {
    let office = &desk.office;
    let changed = match &command {
        Command::Stop { who, reason, date, evidence } => stop(office, who.person(), *reason, *date, evidence).await?,
        Command::Suspend { who, period, reason } => suspend(office, who.person(), *period, reason).await?,
        Command::Resume { who, period, reason } => resume(office, who.person(), *period, reason).await?,
        Command::Account { who, account, bank, holder, relation, reason } => {
            let new = NewAccount { number: account, bank: bank.as_deref(), holder: holder.as_deref(), relation };
            change_account(office, who.person(), new, reason).await?
        }
    };
    desk.out.answer(|| document(&changed), || words(&changed));
    Ok(exit_code::DONE)
}

fn document(changed: &Changed) -> serde_json::Value {
    json!({
        "name": changed.name, "citizen_number": changed.citizen_number, "change": changed.what,
        "overpaid": changed.overpaid.iter().map(|o| json!({ "period": o.period, "overpaid_fen": o.amount() })).collect::<Vec<_>>(),
        "cleared_holds": changed.cleared_holds,
    })
}

fn words(changed: &Changed) -> String {
    let mut lines = vec![format!("{} {}: {}", changed.name, changed.citizen_number, changed.what)];
    for o in &changed.overpaid {
        lines.push(format!("  {} 已发 {} 元，应发 {} 元，多发 {} 元，应追回", o.period, o.cover, o.claim, o.amount()));
    }
    for no in &changed.cleared_holds {
        lines.push(format!("  第 {no} 号暂停支付已解除"));
    }
    lines.join("\n")
}
