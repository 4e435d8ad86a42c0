//! Account statements of banks (对账单): camt.053 and camt.054, MT940, and tables by their titles.
//!
//! What a file is, is told from its bytes and never from its name. All statements of a file are read, or none:
//! a file of which one cannot be believed may be incomplete in the others too.

mod camt;
mod mt940;
mod table;

pub use table::StatementTable;

use super::bank::neutral::seeming_kind;
use super::charset::{self, CharsetError};
use super::table::{TableError, is_workbook};
use crate::domain::money::{Money, MoneyError};
use crate::domain::statement::{Statement, StatementError};

/// Why a file is no statement that can be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes are no text.
    #[error("{0}")]
    Charset(#[from] CharsetError),
    /// No table that can be read.
    #[error("{0}")]
    Table(#[from] TableError),
    /// XML that may not be read.
    #[error("{0}")]
    Xml(#[from] super::xml::XmlError),
    /// XML, but no statement.
    #[error("文件是 XML，但不是账户对账单（camt.053）或收支通知（camt.054），最外层是 <{0}>")]
    NotAStatement(String),
    /// No statement in the file.
    #[error("文件里没有对账单")]
    Empty,
    /// Something in a line that is not as it must be.
    #[error("第 {line} 行 {what}")]
    Line {
        /// Line of the file, from 1.
        line: usize,
        /// What was found and what was expected.
        what: String,
    },
    /// Columns that are not there.
    #[error("没有找到对账单的表头，缺 {0}")]
    Columns(String),
    /// A statement that is not believed.
    #[error("第 {line} 行起的对账单 {number}: {error}")]
    Statement {
        /// Line where it begins.
        line: usize,
        /// Its number.
        number: String,
        /// Why.
        error: StatementError,
    },
}

impl ReadError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ReadError::Charset(error) => error.code(),
            ReadError::Table(error) => error.code(),
            ReadError::Xml(error) => error.code(),
            ReadError::NotAStatement(_) => "STATEMENT_KIND",
            ReadError::Empty => "STATEMENT_EMPTY",
            ReadError::Line { .. } => "STATEMENT_LINE",
            ReadError::Columns(_) => "STATEMENT_COLUMNS",
            ReadError::Statement { error, .. } => error.code(),
        }
    }
}

fn wrong(line: usize, what: impl Into<String>) -> ReadError {
    ReadError::Line { line, what: what.into() }
}

/// An amount of a statement, which may be a balance: as large as a total.
fn amount(line: usize, what: &str, read: Result<Money, MoneyError>) -> Result<Money, ReadError> {
    read.map_err(|error| wrong(line, format!("{what}: {error}")))
}

/// Reads a file of whatever kind. `table` says how tables are read.
///
/// # Errors
/// The first thing that makes it unbelievable.
pub fn read_statements(name: &str, bytes: &[u8], table: &StatementTable) -> Result<Vec<Statement>, ReadError> {
    let statements = if is_workbook(bytes) {
        vec![table::read(name, bytes, table)?]
    } else if super::xml::seems_xml(bytes) {
        camt::read(bytes)?
    } else {
        let (text, _) = charset::decode(bytes, None)?;
        if mt940::seems(&text) { mt940::read(&text)? } else { vec![table::read(name, bytes, table)?] }
    };
    if statements.is_empty() { Err(ReadError::Empty) } else { Ok(statements) }
}

/// True when the bytes say that they are a statement, also one that cannot be believed: a camt message, MT940, or a table
/// with titles that no answer to a payment file has.
#[must_use]
pub fn seems_statement(name: &str, bytes: &[u8], table: &StatementTable) -> bool {
    if is_workbook(bytes) {
        table::seems(name, bytes, table)
    } else if super::xml::seems_xml(bytes) {
        camt::seems(bytes)
    } else {
        // Answers in our own layout are told by their first letter; they are the largest.
        let is_mt940 = || match charset::decode(bytes, None) {
            Ok((text, _)) => mt940::seems(&text),
            // Cut in the middle of a character it is still one, and is told so.
            Err(_) => mt940::seems(&String::from_utf8_lossy(bytes)),
        };
        seeming_kind(bytes).is_none() && (is_mt940() || table::seems(name, bytes, table))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLES: [&str; 3] = [
        "{1:F01X}{4:\r\n:20:X\r\n:25:622800012345CNY\r\n:28C:7/1\r\n:60F:C260119CNY100,\r\n:61:2601200120RDY40,5NTRF652827-202601-1-1//A\r\n\
         :86:166?00退票?20EREF+652827-202601-1-1?31 62170?32阿依\r\n?33古丽\r\n:62F:C260121CNY140,50\r\n-}",
        "<Document><BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><IBAN>6228</IBAN></Id></Acct><Bal><Tp><CdOrPrtry><Cd>PRCD</Cd></CdOrPrtry></Tp>\
         <Amt Ccy=\"CNY\">1</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-01-01</Dt></Dt></Bal><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>\
         <Amt Ccy=\"CNY\">2</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><DtTm>2026-01-31T00:00:00Z</DtTm></Dt></Bal><Ntry><Amt>3</Amt>\
         <CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-01-20</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>a</EndToEndId>\
         </Refs><Amt>1</Amt></TxDtls><TxDtls><Amt>2</Amt></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>",
        "账号:,622800012345\n起止日期: 20260101-20260131\n交易日期,借方,贷方,余额,摘要\n20260105,,\"1,000.00\",1000.5,拨款\n2026-01-06,-3,,1003.5,冲\n",
    ];

    fn read(bytes: &[u8]) -> Result<Vec<Statement>, ReadError> {
        read_statements("x", bytes, &StatementTable::default())
    }

    fn seems(bytes: &[u8]) -> bool {
        seems_statement("x", bytes, &StatementTable::default())
    }

    #[test]
    fn the_kind_is_told_from_the_bytes() {
        for sample in SAMPLES {
            let statements = read(sample.as_bytes()).unwrap();
            assert_eq!(statements.len(), 1, "{sample}");
            assert!(!statements[0].entries.is_empty() && statements[0].balances.is_some());
            let cut = (sample.len() * 3 / 4..sample.len()).find(|at| sample.is_char_boundary(*at)).unwrap();
            assert!(seems(sample.as_bytes()) && seems(&sample.as_bytes()[..cut]), "also a broken one");
        }
        // A notice, a report of payments, a return in our layout, a bank's returns as tables.
        for other in [
            "",
            "系统升级通知",
            "<html/>",
            "<Document><CstmrPmtStsRpt/></Document>",
            "<MOF/>",
            "R|1|652827|交易日期|借方|贷方|余额\n",
            "顺序编号|客户姓名|金额|账号|处理结果|失败原因\n1|王|1.00|6299|成功|\n",
            "交易日期,账号,户名,金额,处理结果\n20260115,6299,王,1.00,成功\n",
        ] {
            assert!(!seems(other.as_bytes()), "{other}");
        }
        assert_eq!(read(b"").unwrap_err().code(), "FILE_EMPTY");
        assert_eq!(read(b"<html/>").unwrap_err().code(), "STATEMENT_KIND");
        assert_eq!(read("你好".as_bytes()).unwrap_err().code(), "STATEMENT_COLUMNS");
    }

    proptest! {
        #[test]
        fn no_bytes_bring_a_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        /// Files that are nearly right go deeper than noise does.
        #[test]
        fn nor_does_a_file_that_is_damaged(
            sample in 0..SAMPLES.len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..3), 1..6),
            end in any::<prop::sample::Index>(),
        ) {
            let mut bytes = SAMPLES[sample].as_bytes().to_vec();
            for (at, byte, how) in changes {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => {
                        bytes.remove(at);
                    }
                }
            }
            for bytes in [&bytes[..], &bytes[..end.index(bytes.len())]] {
                for statement in read(bytes).unwrap_or_default() {
                    // What is believed foots.
                    if let Some(balances) = statement.balances {
                        let sum: Money = statement.entries.iter().map(|e| e.amount).sum();
                        prop_assert_eq!(balances.opening + sum, balances.closing);
                    }
                }
            }
        }
    }
}
