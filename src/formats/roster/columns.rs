//! The columns of a roster and their titles: which there are depends on the scheme.

use crate::domain::scheme::{AmountRule, Payees, Release, Scheme};
use crate::formats::list::{Common, IGNORED_TITLES, ListColumn, NAME_TITLES, NUMBER_TITLES};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Name,
    Number,
    Account,
    Bank,
    Holder,
    Relation,
    Category,
    First,
    Last,
    EndedOn,
    StopReason,
    Status,
    SuspendedFrom,
    SuspensionCause,
    /// The monthly amount: to be taken where amounts are individual, else to be compared with the standard.
    Monthly,
    CertifiedOn,
    FormerUnit,
    RetiredOn,
    Phone,
    Note,
    Ignored,
}

impl ListColumn for Column {
    fn number(self) -> usize {
        self as usize
    }
}

pub const COMMON: Common<Column> = Common {
    list: "名册",
    one_row: "一行一个领取人",
    name: Column::Name,
    number: Column::Number,
    ignored: Column::Ignored,
};

type Titles = &'static [&'static str];

const NAME_OF_UNIT: Titles = &["单位名称", "单位", "领取单位", "单位全称", "名称", "姓名"];
const NUMBER_OF_UNIT: Titles = &["统一社会信用代码", "社会信用代码", "统一信用代码", "信用代码", "证件号码"];
const ACCOUNT: Titles = &[
    "银行账号",
    "银行帐号",
    "社保卡银行账号",
    "社保卡银行帐号",
    "一卡通账号",
    "一卡通帐号",
    "卡号",
    "银行卡号",
    "账号",
    "帐号",
];
const BANK: Titles = &["开户银行", "开户行", "银行", "银行名称", "发放银行"];
const HOLDER: Titles = &["户名", "账户名", "开户名", "账户名称"];
const RELATION: Titles = &["户名关系", "与领取人关系", "账户人关系"];
const CATEGORY: Titles = &["人员类别", "类别"];
const CATEGORY_OF_UNIT: Titles = &["单位类别", "类别", "人员类别"];
const FIRST: Titles = &["享受起始月", "起始月", "开始月份", "享受起始年月", "起始年月", "享受起始日期", "起始日期"];
const LAST: Titles = &["享受终止月", "终止月", "终止年月", "享受终止年月", "截止月"];
const ENDED_ON: Titles =
    &["待遇终止日期", "终止日期", "停发日期", "享受终止日期", "待遇终止时间", "终止时间", "停发时间"];
const STOP_REASON: Titles = &["停发原因", "终止原因", "待遇终止原因"];
const STATUS: Titles = &["发放状态", "待遇状态", "待遇发放状态", "领取状态", "享受状态"];
const SUSPENDED_FROM: Titles = &["暂停起始月", "暂停月", "暂停月份", "暂停起始年月", "暂停开始月"];
const SUSPENSION_CAUSE: Titles = &["暂停原因", "暂停发放原因"];
const STANDARD: Titles = &["月标准", "补贴标准", "发放标准", "月发放标准", "标准"];
const AMOUNT: Titles = &[
    "月待遇",
    "月待遇金额",
    "月标准",
    "月发放标准",
    "月金额",
    "金额",
    "发放金额",
    "待遇金额",
    "养老金",
    "月养老金",
    "基本养老金",
    "退休费",
    "月退休费",
    "补贴标准",
    "发放标准",
    "标准",
];
/// What a single payment is called where money is released once.
const AMOUNT_ONCE: Titles =
    &["发放金额", "金额", "补助金额", "奖励金额", "待遇金额", "月待遇", "月标准", "补贴标准", "发放标准", "标准"];
const CERTIFIED_ON: Titles = &["最近认证日期", "认证日期", "资格认证日期", "最近认证时间", "认证时间"];
const FORMER_UNIT: Titles = &["原工作单位", "单位", "原单位", "工作单位"];
const RETIRED_ON: Titles = &["退休日期", "退休时间"];
const PHONE: Titles = &["联系电话", "电话", "手机号"];
const NOTE: Titles = &["备注"];

/// Titles as they are compared: without blanks, brackets' remarks dropped. The first is ours.
pub fn titles(scheme: &Scheme) -> Vec<(Column, Titles)> {
    let of_units = scheme.payees == Payees::Units;
    let monthly = match scheme.amount {
        AmountRule::Standard => STANDARD,
        AmountRule::Individual if scheme.release == Release::Once => AMOUNT_ONCE,
        AmountRule::Individual => AMOUNT,
    };
    let mut titles = vec![
        (Column::Name, if of_units { NAME_OF_UNIT } else { NAME_TITLES }),
        (Column::Number, if of_units { NUMBER_OF_UNIT } else { NUMBER_TITLES }),
        (Column::Account, ACCOUNT),
        (Column::Bank, BANK),
        (Column::Holder, HOLDER),
        (Column::Relation, RELATION),
        (Column::Category, if of_units { CATEGORY_OF_UNIT } else { CATEGORY }),
        (Column::First, FIRST),
        (Column::Last, LAST),
        (Column::EndedOn, ENDED_ON),
        (Column::StopReason, STOP_REASON),
        (Column::Status, STATUS),
        (Column::SuspendedFrom, SUSPENDED_FROM),
        (Column::SuspensionCause, SUSPENSION_CAUSE),
        (Column::Monthly, monthly),
    ];
    if scheme.certification.is_some() {
        titles.push((Column::CertifiedOn, CERTIFIED_ON));
    }
    if !of_units {
        titles.extend([(Column::FormerUnit, FORMER_UNIT), (Column::RetiredOn, RETIRED_ON)]);
    }
    titles.extend([(Column::Phone, PHONE), (Column::Note, NOTE), (Column::Ignored, IGNORED_TITLES)]);
    titles
}

/// Columns without which no row can be read.
pub fn required(scheme: &Scheme) -> Vec<Column> {
    let mut columns = vec![Column::Name, Column::Number, Column::Account, Column::Bank];
    if scheme.amount == AmountRule::Individual {
        columns.push(Column::Monthly);
    }
    columns
}
