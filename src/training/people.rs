//! Invented people for training, demonstrations and measurements.
//!
//! Nobody here exists: names are drawn from lists, citizen numbers and accounts are made up with
//! right check digits, the former units never were. Card numbers begin with 6299, which stands for
//! no bank. The same seed gives the same people, and fewer people are the first of more. The mix
//! is that of a county in Bayingolin: Han, Uyghur, Mongol, Kazakh and Hui names, with the rare
//! characters and separators that break payments. Never used when real money moves.

use std::collections::HashSet;

use chrono::{Days, Months, NaiveDate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::domain::bank::{Bank, BankBook};
use crate::domain::bank_account::card_check_digit;
use crate::domain::citizen_number::check_character;
use crate::domain::money::Money;
use crate::domain::period::Period;

/// Someone who does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventedPerson {
    /// Citizen number with a right check character, unique.
    pub citizen_number: String,
    /// Name, also the account holder.
    pub name: String,
    /// Code of a bank of the book.
    pub bank_code: String,
    /// Account number of a length that the bank uses, unique.
    pub account: String,
    /// A unit that never was.
    pub former_unit: String,
    /// Between 1985 and the end of 1995.
    pub retired_on: NaiveDate,
    /// Mobile number.
    pub phone: String,
}

/// 和静县 first, then its neighbours and a few places from which people moved.
const AREAS: &str = "652827 652827 652827 652801 652823 652825 652826 652829 654002";
const HAN_FAMILY: &str =
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎";
const HUI_FAMILY: &str = "马马马丁白哈沙穆金杨";
const HAN_MEN: &str = "建国军华强明德福贵生林海山永志文忠良义平富根宝祥振东";
const HAN_WOMEN: &str = "秀英兰桂芳玉珍梅凤淑华莲翠霞美素云香琴惠丽春菊玲";
/// Four bytes in GB18030, outside GBK, or with `|` as second byte (東, 晐).
const RARE: &str = "䶮𬭎東晐㛃堃喆";
const UYGHUR_MEN: &str = "买买提 吐尔逊 阿不都热合曼 艾合买提 依明 玉素甫 司马义 热合曼 卡德尔 吾斯曼 尼亚孜 肉孜 亚森 库尔班 \
    托合提 阿卜杜克热木 伊力哈木 木合塔尔";
const UYGHUR_WOMEN: &str = "阿依古丽 帕提古丽 古丽巴哈尔 热依汗 阿依夏木 吐尔逊古丽 茹仙古丽 玛依努尔 再努尔 阿孜古丽 布合力其 \
    米热古丽 海丽且木 祖丽胡玛尔";
const MONGOL_MEN: &str = "巴特尔 巴图 道尔吉 才仁 孟克 那木加甫 布仁 乌力吉 巴音 敖其尔 格日勒图 尼玛 策仁道尔吉";
const MONGOL_WOMEN: &str = "其其格 萨仁 乌云 娜仁花 高娃 托娅 才仁其其格 巴音其其格 格日勒 阿拉腾其其格 布鲁根";
const KAZAKH_MEN: &str = "努尔兰 叶尔兰 哈布德力 木拉提 赛力克 巴合提 达吾列提 沙吾列 胡安别克";
const KAZAKH_WOMEN: &str = "古丽娜尔 阿依努尔 巴合提古丽 沙吾烈 加娜尔 努尔古丽 库丽夏";
const UNITS: &str = "和静县红旗毛纺厂 和静县东方红农机修造厂 和静县第二面粉厂 和静县巴音皮革厂 和静县开都河造纸厂 \
    和静县团结砖瓦厂 和静县天山罐头厂 和静县建材综合厂 和静县胜利印刷厂 和静县地方国营酒厂 和静县民族服装厂 \
    和静县巩乃斯木器厂";

/// Invents people; none when the book holds no bank. Cards of 16 digits and more
/// leave room for a million people.
#[must_use]
pub fn invent(count: usize, seed: u64, banks: &BankBook) -> Vec<InventedPerson> {
    if banks.banks.is_empty() {
        return Vec::new();
    }
    let mut inventor = Inventor { dice: ChaCha8Rng::seed_from_u64(seed), taken: HashSet::new() };
    (0..count).map(|_| inventor.person(&banks.banks)).collect()
}

struct Inventor {
    dice: ChaCha8Rng,
    /// Citizen numbers and accounts given out.
    taken: HashSet<String>,
}

impl Inventor {
    /// A number in `0..n`; the bias of 1 in 2³² does not matter here.
    fn below(&mut self, n: u32) -> u32 {
        u32::try_from((u64::from(self.dice.next_u32()) * u64::from(n)) >> 32).unwrap_or_default()
    }

    fn index(&mut self, length: usize) -> usize {
        u32::try_from(length).ok().and_then(|n| usize::try_from(self.below(n)).ok()).unwrap_or_default()
    }

    /// One word of a list separated by blanks.
    fn word<'l>(&mut self, list: &'l str) -> &'l str {
        let at = self.index(list.split(' ').count());
        list.split(' ').nth(at).unwrap_or_default()
    }

    fn character(&mut self, list: &str) -> Option<char> {
        let at = self.index(list.chars().count());
        list.chars().nth(at)
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).filter_map(|_| char::from_digit(self.below(10), 10)).collect()
    }

    fn day_between(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        let days = u32::try_from((last - first).num_days()).unwrap_or_default();
        first + Days::new(u64::from(self.below(days + 1)))
    }

    fn free(&mut self, mut invent: impl FnMut(&mut Self) -> String) -> String {
        loop {
            let number = invent(self);
            if self.taken.insert(number.clone()) {
                return number;
            }
        }
    }

    fn person(&mut self, banks: &[Bank]) -> InventedPerson {
        let is_woman = self.below(2) == 0;
        let born = self.day_between(day(1926, 1, 1), day(1945, 12, 31));
        let citizen_number = self.free(|i| {
            let area = i.word(AREAS);
            // Odd for men, even for women.
            let serial = 2 * i.below(499) + if is_woman { 2 } else { 1 };
            let body = format!("{area}{}{serial:03}", born.format("%Y%m%d"));
            let check = check_character(&body);
            format!("{body}{check}")
        });
        let bank = self.bank(banks);
        InventedPerson {
            citizen_number,
            name: self.name(is_woman),
            bank_code: bank.code.clone(),
            account: self.account(banks, bank),
            former_unit: self.word(UNITS).to_string(),
            retired_on: self.retirement(born, is_woman),
            phone: format!("1990{}", self.digits(7)),
        }
    }

    /// Women from 45, men from 50 (early retirement of a bankrupt enterprise), none after 60.
    fn retirement(&mut self, born: NaiveDate, is_woman: bool) -> NaiveDate {
        let at_age = |years: u32| born + Months::new(12 * years);
        let first = at_age(if is_woman { 45 } else { 50 }).max(day(1985, 1, 1));
        self.day_between(first, at_age(60).min(day(1995, 12, 31)))
    }

    /// Seven of ten at the rural credit cooperative.
    fn bank<'b>(&mut self, banks: &'b [Bank]) -> &'b Bank {
        let rural = banks.iter().find(|b| b.code == "RCC");
        let any = self.index(banks.len());
        rural.filter(|_| self.below(10) < 6).unwrap_or(&banks[any])
    }

    /// A card with a Luhn digit, or, where the bank has 18 digits, for one in three a passbook
    /// without any.
    fn account(&mut self, banks: &[Bank], bank: &Bank) -> String {
        let lengths = &bank.account_lengths;
        let card = lengths.iter().max().map_or(19, |longest| *longest);
        let is_passbook = lengths.contains(&18) && self.below(3) == 0;
        let no = banks.iter().position(|b| b.code == bank.code).unwrap_or_default() % 100;
        self.free(|i| {
            if is_passbook {
                return format!("60{}", i.digits(16));
            }
            let body = format!("6299{no:02}{}", i.digits(card.saturating_sub(7)));
            let check = card_check_digit(&body);
            format!("{body}{check}")
        })
    }

    fn name(&mut self, is_woman: bool) -> String {
        match self.below(100) {
            0..30 => self.two_part(if is_woman { UYGHUR_WOMEN } else { UYGHUR_MEN }, UYGHUR_MEN),
            30..48 => self.word(if is_woman { MONGOL_WOMEN } else { MONGOL_MEN }).to_string(),
            48..53 => self.two_part(if is_woman { KAZAKH_WOMEN } else { KAZAKH_MEN }, KAZAKH_MEN),
            53..60 => self.family_first(HUI_FAMILY, is_woman),
            _ => self.family_first(HAN_FAMILY, is_woman),
        }
    }

    /// Given name and father's name.
    fn two_part(&mut self, given: &str, fathers: &str) -> String {
        format!("{}·{}", self.word(given), self.word(fathers))
    }

    fn family_first(&mut self, families: &str, is_woman: bool) -> String {
        let given = if is_woman { HAN_WOMEN } else { HAN_MEN };
        let middle = if self.below(3) > 0 { self.character(given) } else { None };
        let last = if self.below(40) == 0 { RARE } else { given };
        [self.character(families), middle, self.character(last)].into_iter().flatten().collect()
    }
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
}

/// The people as a roster a clerk would keep: title row, header, one row each, 合计. With
/// `monthly` there is a column 月标准 and its sum.
#[must_use]
pub fn roster_csv(people: &[InventedPerson], banks: &BankBook, first: Period, monthly: Option<Money>) -> String {
    let header = "序号,姓名,公民身份号码,开户银行,银行账号,享受起始月,原工作单位,退休日期,联系电话,备注";
    let columns = header.split(',').count();
    let mut csv = String::new();
    let mut row = |fields: Vec<String>, amount: Option<String>| {
        let fields: Vec<String> = fields.iter().chain(&amount).map(|f| quoted(f)).collect();
        csv.push_str(&fields.join(","));
        csv.push_str("\r\n");
    };
    let padded = |first: &[String]| (0..columns).map(|i| first.get(i).cloned().unwrap_or_default()).collect();
    row(padded(&["发放名册（培训用，人员均为虚构）".to_string()]), monthly.map(|_| String::new()));
    row(header.split(',').map(ToString::to_string).collect(), monthly.map(|_| "月标准".to_string()));
    for (no, person) in (1..).zip(people) {
        let bank = banks.bank(&person.bank_code).map_or(&person.bank_code, |b| &b.name);
        row(
            vec![
                i64::to_string(&no),
                person.name.clone(),
                person.citizen_number.clone(),
                bank.clone(),
                person.account.clone(),
                first.to_string(),
                person.former_unit.clone(),
                person.retired_on.to_string(),
                person.phone.clone(),
                String::new(),
            ],
            monthly.map(|m| m.to_string()),
        );
    }
    let count = i64::try_from(people.len()).unwrap_or_default();
    row(padded(&["合计".to_string(), format!("{count} 人")]), monthly.map(|m| m.times(count).to_string()));
    csv
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::GB18030;

    use super::*;
    use crate::domain::bank_account::AccountNumber;
    use crate::domain::citizen_number::CitizenNumber;
    use crate::domain::person_name::PersonName;
    use crate::formats::bank::book::built_in;

    #[test]
    fn everyone_passes_the_checks_of_a_roster() {
        let banks = built_in().unwrap();
        let people = invent(5_000, 7, &banks);
        for person in &people {
            let number = CitizenNumber::parse(&person.citizen_number, day(2026, 1, 15)).unwrap();
            let born = number.born_on().unwrap();
            let age = person.retired_on.years_since(born).unwrap();
            assert!((day(1926, 1, 1)..=day(1945, 12, 31)).contains(&born) && (45..=60).contains(&age));
            assert!((day(1985, 1, 1)..=day(1995, 12, 31)).contains(&person.retired_on));
            let name = PersonName::parse(&person.name).unwrap();
            assert!(!name.was_normalised && GB18030.encode(&person.name).0.len() <= 60, "{}", person.name);
            let bank = banks.bank(&person.bank_code).unwrap();
            let account = AccountNumber::parse(&person.account, &bank.account_lengths).unwrap();
            assert!(person.account.len() == 18 || !account.breaks_card_check());
        }
        let share = |wanted: &dyn Fn(&InventedPerson) -> bool| people.iter().filter(|p| wanted(p)).count();
        assert!(share(&|p| p.bank_code == "RCC") > 3_000);
        assert!(share(&|p| p.account.len() == 18) > 50);
        assert!(share(&|p| p.name.contains('·')) > 1_000);
        for rare in ['䶮', '𬭎', '東', '晐'] {
            assert!(share(&|p| p.name.contains(rare)) > 0, "{rare}");
        }
        assert!("東晐".chars().all(|c| GB18030.encode(&c.to_string()).0[1] == b'|'));
    }

    #[test]
    fn nobody_twice_and_the_same_seed_gives_the_same_people() {
        let banks = built_in().unwrap();
        let people = invent(30_000, 1, &banks);
        let numbers: HashSet<&str> = people.iter().map(|p| p.citizen_number.as_str()).collect();
        let accounts: HashSet<&str> = people.iter().map(|p| p.account.as_str()).collect();
        assert_eq!((numbers.len(), accounts.len()), (30_000, 30_000));
        assert_eq!(invent(200, 1, &banks), people[..200]);
        assert_ne!(invent(200, 2, &banks), people[..200]);
        assert_eq!(invent(3, 1, &BankBook::default()), []);
    }

    #[test]
    fn the_roster_has_title_header_rows_and_sum() {
        let mut banks = built_in().unwrap();
        banks.banks.truncate(1);
        banks.banks[0].name = "信用社,和静".into();
        let people = invent(2, 1, &banks);
        let csv = roster_csv(&people, &banks, "2026-01".parse().unwrap(), Some(Money(12_000)));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 5);
        assert_eq!((&rows[1][1], &rows[1][10]), ("姓名", "月标准"));
        assert_eq!((&rows[2][1], &rows[2][3], &rows[2][5]), (people[0].name.as_str(), "信用社,和静", "2026-01"));
        assert_eq!((&rows[4][0], &rows[4][1], &rows[4][10]), ("合计", "2 人", "240.00"));
        let plain = roster_csv(&people, &banks, "2026-01".parse().unwrap(), None);
        assert!(plain.lines().nth(1).unwrap().ends_with("联系电话,备注"));
    }
}
