//! Banks, their layouts' settings and their reason codes, as data from `config/banks/*.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bank_form::{Field, Form};

/// A paying bank of the office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bank {
    /// Short code used in file names and payment rows: `RCC`.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Other names found in rosters.
    pub aliases: Vec<String>,
    /// Numbers of digits that its accounts have; empty: not checked beyond 8–32.
    pub account_lengths: Vec<usize>,
    /// True where all its accounts are cards: one that fails its check digit is an error.
    pub card_check: bool,
    /// Code of the layout its files are written in.
    pub layout: String,
    /// What else the layout needs, by the name of its key: account that pays, number of the office …
    pub values: BTreeMap<&'static str, String>,
}

impl Bank {
    /// What the office says of this bank under the key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// True where the office says that this bank's amounts are 分.
    pub fn amounts_in_fen(&self) -> bool {
        self.value("amount_unit") == Some("fen")
    }
}

/// What a reason means for us: who must act, and whether the same payment may simply be paid again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonClass {
    /// 户名不符: compare with the identity card.
    NameMismatch,
    /// 无此账户: a new number is needed.
    AccountNotFound,
    /// 已销户: a new card is needed; may hint at a death.
    AccountClosed,
    /// 冻结、挂失: the person must go to the bank.
    AccountBlocked,
    /// 长期不动户、证件过期: the person must go to the bank; may hint at a death.
    AccountDormant,
    /// 非结算户: another account is needed.
    NotSettlement,
    /// 重复业务: investigate before anything is paid again.
    Duplicate,
    /// 账户余额不足: fund the account, then pay again.
    Funds,
    /// 系统忙、超时 with a definite "not done": may be paid again unchanged.
    Technical,
    /// 退票: money is back; correct before paying again.
    ReturnedLater,
    /// A code that is not in the list: a clerk decides.
    Unknown,
}

impl ReasonClass {
    /// Every class.
    pub const ALL: [ReasonClass; 11] = [
        ReasonClass::NameMismatch,
        ReasonClass::AccountNotFound,
        ReasonClass::AccountClosed,
        ReasonClass::AccountBlocked,
        ReasonClass::AccountDormant,
        ReasonClass::NotSettlement,
        ReasonClass::Duplicate,
        ReasonClass::Funds,
        ReasonClass::Technical,
        ReasonClass::ReturnedLater,
        ReasonClass::Unknown,
    ];

    /// Stored form.
    pub fn code(self) -> &'static str {
        match self {
            ReasonClass::NameMismatch => "name_mismatch",
            ReasonClass::AccountNotFound => "account_not_found",
            ReasonClass::AccountClosed => "account_closed",
            ReasonClass::AccountBlocked => "account_blocked",
            ReasonClass::AccountDormant => "account_dormant",
            ReasonClass::NotSettlement => "not_settlement",
            ReasonClass::Duplicate => "duplicate",
            ReasonClass::Funds => "funds",
            ReasonClass::Technical => "technical",
            ReasonClass::ReturnedLater => "returned_later",
            ReasonClass::Unknown => "unknown",
        }
    }

    /// Printed form.
    pub fn title(self) -> &'static str {
        match self {
            ReasonClass::NameMismatch => "户名不符",
            ReasonClass::AccountNotFound => "账户不存在",
            ReasonClass::AccountClosed => "已销户",
            ReasonClass::AccountBlocked => "冻结或挂失",
            ReasonClass::AccountDormant => "长期不动户",
            ReasonClass::NotSettlement => "非结算账户",
            ReasonClass::Duplicate => "重复业务",
            ReasonClass::Funds => "账户余额不足",
            ReasonClass::Technical => "银行系统原因",
            ReasonClass::ReturnedLater => "退票",
            ReasonClass::Unknown => "原因不明",
        }
    }

    /// What the clerk must do.
    pub fn advice(self) -> &'static str {
        match self {
            ReasonClass::NameMismatch => "与身份证核对姓名和户名，更正后解除暂停",
            ReasonClass::AccountNotFound => "请本人提供正确账号，用 change account 更正",
            ReasonClass::AccountClosed => "请本人提供新卡，用 change account 更正；同时核实是否健在",
            ReasonClass::AccountBlocked => "请本人到银行解除冻结或挂失，再解除暂停",
            ReasonClass::AccountDormant => "请本人到银行激活账户，再解除暂停；同时核实是否健在",
            ReasonClass::NotSettlement => "请本人提供可结算账户，用 change account 更正",
            ReasonClass::Duplicate => "先与银行查明是否已入账，再解除暂停",
            ReasonClass::Funds => "补足付款账户资金后，下一批次自动补发",
            ReasonClass::Technical => "银行确认未入账，下一批次自动补发",
            ReasonClass::ReturnedLater => "资金已退回，查明原因并更正后解除暂停",
            ReasonClass::Unknown => "向银行查询原因代码，处理后解除暂停",
        }
    }

    /// True when the person is put on hold until a clerk has corrected something.
    pub fn needs_correction(self) -> bool {
        !matches!(self, ReasonClass::Funds | ReasonClass::Technical)
    }

    /// True when a new account number answers the reason.
    pub fn is_answered_by_new_account(self) -> bool {
        matches!(
            self,
            ReasonClass::AccountNotFound
                | ReasonClass::AccountClosed
                | ReasonClass::AccountBlocked
                | ReasonClass::AccountDormant
                | ReasonClass::NotSettlement
                | ReasonClass::NameMismatch
                | ReasonClass::ReturnedLater
        )
    }
}

/// One reason code of a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The bank's code: `3031`.
    pub code: String,
    /// The bank's text: 账号户名不符.
    pub text: String,
    /// What it means for us.
    pub class: ReasonClass,
}

/// The banks, layouts and reason codes of the office.
#[derive(Debug, Clone, Default)]
pub struct BankBook {
    /// Banks by code.
    pub banks: Vec<Bank>,
    /// Layouts by code, those of the office among them.
    pub layouts: Vec<Layout>,
    /// Further layouts, each read when it is first asked for: an office uses one or two of many.
    pub others: Option<OtherLayouts>,
}

/// Layouts that come with the program.
#[derive(Debug, Clone, Copy)]
pub struct OtherLayouts {
    /// All codes, those that were read too.
    pub codes: fn() -> Vec<&'static str>,
    /// Reads one.
    pub read: fn(&str) -> Option<&'static Layout>,
}

/// Files that the program writes and reads itself, because no form describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standard {
    /// Our own layout.
    #[default]
    Neutral,
    /// ISO 20022: pain.001 out, pain.002 in.
    Iso20022,
    /// Vouchers of the treasury (国库集中支付): 5201 with 8207 out, 8207 and 2252 in.
    Treasury,
}

impl Standard {
    /// Every standard.
    pub const ALL: [Standard; 3] = [Standard::Neutral, Standard::Iso20022, Standard::Treasury];

    /// As a layout file writes it.
    pub fn code(self) -> &'static str {
        match self {
            Standard::Neutral => "neutral",
            Standard::Iso20022 => "iso20022",
            Standard::Treasury => "treasury",
        }
    }

    /// Most rows that a file of it may have.
    pub fn row_limit(self) -> usize {
        match self {
            Standard::Neutral | Standard::Iso20022 => usize::MAX,
            // 明细条数必须小于 500.
            Standard::Treasury => 499,
        }
    }

    /// Names of what the office's own entry of the bank must say.
    pub fn needs_of_bank(self) -> &'static [&'static str] {
        match self {
            Standard::Neutral => &[],
            Standard::Iso20022 => &["payer_account", "payer_name", "payer_bank_no"],
            Standard::Treasury => &[
                "payer_account",
                "payer_name",
                "payer_bank",
                "TreCode",
                "FundTypeCode",
                "FundTypeName",
                "PayBankCode",
                "PayBankName",
                "AgencyCode",
                "AgencyName",
            ],
        }
    }

    /// What its answers may say of a payment, for a clerk.
    pub fn known_statuses(self) -> &'static str {
        match self {
            Standard::Neutral => "S、F 或 P",
            Standard::Iso20022 => "ACSC、ACCC（已入账）、RJCT（失败）或 ACCP、ACSP、ACTC、ACWC、PDNG、RCVD（未决）",
            Standard::Treasury => "实付等于应付，或者实付为 0 并写明失败原因",
        }
    }
}

/// Settings of one file layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Code: `neutral`.
    pub code: String,
    /// Title.
    pub title: String,
    /// Most rows in one file.
    pub row_limit: usize,
    /// Longest account name in bytes of the file's charset.
    pub name_bytes: usize,
    /// Reason codes.
    pub reasons: Vec<Reason>,
    /// The bank's own files; none where the program writes them itself.
    pub form: Option<Form>,
    /// What it writes then.
    pub standard: Standard,
}

impl Layout {
    /// Fewest rows in one file.
    pub fn row_least(&self) -> usize {
        self.form.as_ref().map_or(1, |form| form.row_least)
    }

    /// How many rows each file gets: as few files as the limit allows. Where the bank wants a least number, the
    /// last file is filled up from the one before; `None` where all rows together are fewer than that.
    pub fn parts(&self, rows: usize) -> Option<Vec<usize>> {
        let (limit, least) = (self.row_limit.max(1), self.row_least());
        if rows < least {
            return None;
        }
        let mut parts = vec![limit; rows / limit];
        match (rows % limit, parts.last_mut()) {
            (0, _) => {}
            (rest, Some(before)) if rest < least => {
                *before -= least - rest;
                parts.push(least);
            }
            (rest, _) => parts.push(rest),
        }
        Some(parts)
    }

    /// Names of what the office's own entry of the bank must say.
    pub fn needs_of_bank(&self) -> Vec<&'static str> {
        self.form.as_ref().map_or_else(|| self.standard.needs_of_bank().to_vec(), Form::needs_of_bank)
    }

    /// What its answers may say of a payment, for a clerk.
    pub fn known_statuses(&self) -> String {
        let form = self.form.as_ref();
        form.map_or_else(|| self.standard.known_statuses().to_string(), |form| form.answer.status_texts().join("、"))
    }

    /// Looks a reason code up. A code that is not in the list is [`ReasonClass::Unknown`].
    pub fn reason_class(&self, code: &str) -> ReasonClass {
        self.reasons.iter().find(|r| r.code == code).map_or(ReasonClass::Unknown, |r| r.class)
    }

    /// The reason with this text, where the bank gives no codes; `*` in a text of the list stands for anything.
    pub fn reason_of_text(&self, text: &str) -> Option<&Reason> {
        self.reasons.iter().find(|reason| match reason.text.split_once('*') {
            None => reason.text == text,
            Some((start, end)) => {
                text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
            }
        })
    }

    /// True when the bank reads the file's date in it: such a file is good for that day only.
    pub fn bears_date(&self) -> bool {
        self.form.as_ref().is_none_or(|form| form.templates().any(|template| template.has(Field::PayDate)))
    }

    /// True when the code is in the layout's list.
    pub fn knows_reason(&self, code: &str) -> bool {
        self.reasons.iter().any(|r| r.code == code)
    }
}

impl BankBook {
    /// The bank with this code.
    pub fn bank(&self, code: &str) -> Option<&Bank> {
        self.banks.iter().find(|b| b.code == code)
    }

    /// The bank that a roster means: by code, full name or alias, exactly.
    pub fn find(&self, text: &str) -> Option<&Bank> {
        let wanted = super::text::folded(text);
        self.banks.iter().find(|b| {
            b.code.eq_ignore_ascii_case(&wanted) || b.name == wanted || b.aliases.iter().any(|alias| *alias == wanted)
        })
    }

    /// The layouts that the banks use.
    pub fn layouts_in_use(&self) -> impl Iterator<Item = &Layout> {
        self.banks.iter().filter_map(|bank| self.layout(&bank.layout))
    }

    /// The layout with this code.
    pub fn layout(&self, code: &str) -> Option<&Layout> {
        self.layouts.iter().find(|l| l.code == code).or_else(|| (self.others?.read)(code))
    }

    /// Every layout: those of the program in their order, then those that only the office has.
    pub fn all_layouts(&self) -> Vec<&Layout> {
        let codes = self.others.map(|others| (others.codes)()).unwrap_or_default();
        let own = self.layouts.iter().filter(|layout| !codes.contains(&layout.code.as_str()));
        codes.iter().filter_map(|code| self.layout(code)).chain(own).collect()
    }

    /// True when files for the bank `code` are paid from this account of the office, kept at the bank `at_bank`: where the
    /// office has said which account pays them, from that one alone.
    pub fn is_paid_from(&self, code: &str, account: &str, at_bank: &str) -> bool {
        match self.payer_account(code) {
            Some(payer) => payer == account,
            None => code == at_bank,
        }
    }

    /// The account that pays a bank's files, in its plain form, where the office has said it.
    pub fn payer_account(&self, code: &str) -> Option<String> {
        let said = self.bank(code)?.value("payer_account").filter(|account| !account.is_empty())?;
        Some(super::statement::plain_account(said))
    }
}
