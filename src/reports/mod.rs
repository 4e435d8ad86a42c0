//! Titles: one file = one report as a value ([`table::Report`]); `render` turns it into bytes, and
//! likewise a [`letter::Letter`] to one person.
//!
//! Reports read storage in one reading transaction, so that all their figures are of one moment.
//! They write nothing and know nobody who asks.

pub mod audit;
pub mod bank_reconciliation;
pub mod budget;
pub mod certification;
pub mod comparison;
pub mod doctor;
mod examined_deliveries;
mod examined_people;
mod examined_runs;
pub mod exchange;
pub mod kept_figures;
pub mod ledger;
pub mod letter;
pub mod month;
pub mod payment_sheet;
pub mod person;
pub mod publicity;
pub mod reconciliation;
pub mod recoveries;
pub mod recovery_notice;
pub mod render;
mod rolls;
pub mod roster;
pub mod run_difference;
pub mod runs;
pub mod screening;
pub mod table;
pub mod todo;
pub mod worklist;
pub mod year_end;

/// A report that can be asked for by name.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// Name on the command line.
    pub code: &'static str,
    /// Title.
    pub title: &'static str,
    /// What it must be told.
    pub needs: &'static str,
}

/// Every report, in the order of the office's year. A new report is a file here and a line below.
pub const REPORTS: &[Listed] = &[
    Listed { code: "payments", title: "发放清册（含大写合计）", needs: "--run 批次" },
    Listed {
        code: "publicity",
        title: "公示名单（号码掩码，不含账号）",
        needs: "--run 批次（监督电话写在配置里；其余见 publicity export）",
    },
    Listed { code: "month", title: "月度发放情况表", needs: "--scheme 项目 --period 所属期" },
    Listed {
        code: "bank-reconciliation",
        title: "存款余额调节表（每个付款账户，含未达账项）",
        needs: "--period 月份（可加 --bank 银行代码）",
    },
    Listed { code: "recoveries", title: "多发追回台账", needs: "可加 --scheme 项目" },
    Listed {
        code: "year-end",
        title: "年终对账（指标、按月、人员、未发放成功、多发）",
        needs: "--scheme 项目 --year 年度",
    },
    Listed { code: "screening", title: "核查清单", needs: "可加 --scheme 项目" },
    Listed { code: "certification", title: "资格认证到期情况", needs: "--scheme 项目" },
    Listed {
        code: "comparison", title: "比对命中及处理（名单、此后已发月数和金额）", needs: "不需要参数"
    },
];
