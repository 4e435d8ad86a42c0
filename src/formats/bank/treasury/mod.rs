//! Electronic vouchers of the treasury (国库集中支付): one payment file holds the voucher of direct payment (5201)
//! and its list of people (8207); the answer is the list with what became of everyone (8207 回单), and money that comes
//! back later is the notice of the receiving bank (2252).
//!
//! [`envelope`] is what all vouchers travel in, [`payment`] writes, [`answer`] compares a return with the very
//! vouchers that were sent, as the receiving systems of the treasury do, and refuses it whole where they differ. Fields,
//! lengths in bytes and checks: published programs that handle these vouchers; no province has confirmed them.

pub mod answer;
pub mod envelope;
pub mod payment;

#[cfg(test)]
mod tests;

/// The voucher of direct payment (财政直接支付凭证).
pub const PAYMENT: &str = "5201";
/// Its list of people (财政批量业务支付明细).
pub const LIST: &str = "8207";
/// The notice that money came back (收款银行退款通知).
pub const REFUND: &str = "2252";

/// Elements with what a clerk calls them.
const TITLES: [(&str, &str); 38] = [
    ("AdmDivCode", "行政区划"),
    ("StYear", "业务年度"),
    ("VoucherNo", "凭证号"),
    ("VouDate", "凭证日期"),
    ("TreCode", "国库主体代码"),
    ("FinOrgCode", "财政机关代码"),
    ("OriginalVtCode", "主凭证类型编号"),
    ("OriginalVoucherNo", "主支付凭证编号"),
    ("FundTypeCode", "资金性质编码"),
    ("FundTypeName", "资金性质名称"),
    ("BgtTypeCode", "预算类型编码"),
    ("BgtTypeName", "预算类型名称"),
    ("PayTypeCode", "支付方式编码"),
    ("PayTypeName", "支付方式名称"),
    ("FileNoCode", "指标文号"),
    ("FileNoName", "指标文号"),
    ("SupDepCode", "一级预算单位编码"),
    ("SupDepName", "一级预算单位名称"),
    ("AgencyCode", "基层预算单位编码"),
    ("AgencyName", "基层预算单位名称"),
    ("ExpFuncCode", "功能科目编码"),
    ("ExpFuncName", "功能科目名称"),
    ("ExpEcoCode", "经济科目编码"),
    ("ExpEcoName", "经济科目名称"),
    ("DepProName", "项目名称"),
    ("PayBankCode", "代理银行编码"),
    ("PayBankName", "代理银行名称"),
    ("PayAcctNo", "付款人账号"),
    ("PayAcctName", "付款人名称"),
    ("PayAcctBankName", "付款人银行"),
    ("PayeeAcctNo", "收款人账号"),
    ("PayeeAcctName", "收款人名称"),
    ("PayeeAcctBankName", "收款人银行"),
    ("PaySummaryName", "用途"),
    ("PayAmt", "支付金额"),
    ("SumAmt", "汇总支付金额"),
    ("BusinessTypeCode", "业务类型编码"),
    ("BusinessTypeName", "业务类型名称"),
];

/// What a clerk calls an element; its own name where it has no other.
fn title(element: &'static str) -> &'static str {
    TITLES.iter().find(|(known, _)| *known == element).map_or(element, |(_, title)| title)
}
