//! What a bank's core system refuses: each text with which it refuses a line, each with which it refuses a whole
//! file, and what it means for us. A text that is not exactly one of them is unknown.

use super::*;

/// What a rejected row with this text means.
fn class_of(text: &str) -> ReasonClass {
    let found = read("city-bank-core", &gbk(&CITY_RETURN.replace("已销户", text))).unwrap();
    layout("city-bank-core").reason_class(&found.rows[1].reason_code)
}

macro_rules! refusals {
    ($($name:ident: $text:literal => $class:ident,)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(class_of($text), ReasonClass::$class);
            }
        )*

        #[test]
        fn a_text_that_is_no_refusal_of_the_core_system_is_unknown() {
            for text in ["银行新加的说法", "没有已销户", "已销户。", ""] {
                assert_eq!(class_of(text), ReasonClass::Unknown, "{text}");
            }
            $(assert_eq!(class_of(concat!("不是", $text)), ReasonClass::Unknown);)*
        }
    };
}

refusals! {
    line_refused_holder_differs: "户名不符,原户名为[张东]" => NameMismatch,
    line_refused_unit_wrong_or_card_missing: "单位编号错误或者卡号不存在" => AccountNotFound,
    line_refused_account_not_looked_up: "查找账号[6299000000000000009]信息错" => AccountNotFound,
    line_refused_medium_abnormal: "介质状态异常" => AccountBlocked,
    line_refused_account_abnormal: "账号状态异常" => AccountBlocked,
    line_refused_freeze_abnormal: "冻结状态异常" => AccountBlocked,
    line_refused_account_closed: "已销户" => AccountClosed,
    line_refused_wholly_frozen: "完全冻结" => AccountBlocked,
    line_refused_takes_in_only: "只进不出" => AccountBlocked,
    line_refused_no_settlement_account: "该户为非结算户,不能转帐" => NotSettlement,
    line_refused_closed_frozen_and_lost: "销户,完全冻结和挂失" => AccountBlocked,
    line_refused_balance_of_the_account: "账面可用余额不足" => Funds,
    line_refused_time_of_the_day: "代理次数错误！应该为[2]" => Technical,
    line_refused_new_account_without_number: "新开户,证件号码不能为空" => NameMismatch,
    line_refused_agency_number_missing: "代理编号不存在" => Technical,
    line_refused_duplicate: "未处理记录重复" => Duplicate,
    line_refused_papers_missing: "客户证件信息不存在" => AccountDormant,
    file_refused_unit_number: "单位编号不符" => Technical,
    file_refused_date: "批量日期不是银行当日" => Technical,
    file_refused_sum: "明细合计与总金额不符" => Technical,
    file_refused_count: "明细笔数与总笔数不符" => Technical,
    file_refused_paying_account: "付款账户状态异常" => Technical,
    file_refused_balance: "付款账户余额不足" => Funds,
}
