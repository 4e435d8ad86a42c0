//! Titles: one file = one report as a value ([`table::Report`]); `render` turns it into bytes.
//!
//! Reports read storage in one reading transaction, so that all their figures are of one moment.
//! They write nothing and know nobody who asks.

pub mod audit;
pub mod budget;
pub mod certification;
pub mod comparison;
pub mod doctor;
pub mod ledger;
pub mod month;
pub mod payment_sheet;
pub mod reconciliation;
pub mod render;
pub mod roster;
pub mod run_difference;
pub mod runs;
pub mod screening;
pub mod table;
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
    Listed { code: "month", title: "月度发放情况表", needs: "--scheme 项目 --period 所属期" },
    Listed {
        code: "year-end",
        title: "年终对账（指标、按月、人员、未发放成功、多发）",
        needs: "--scheme 项目 --year 年度",
    },
    Listed {
        code: "comparison", title: "比对命中及处理（名单、此后已发月数和金额）", needs: "不需要参数"
    },
];
