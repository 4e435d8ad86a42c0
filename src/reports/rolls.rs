//! The rolls, examined: what no constraint of the database can refuse, since people stand in pages of lines.

use std::collections::HashMap;

use super::doctor::Check;
use crate::failure::Failure;
use crate::storage::engine::Tx;
use crate::storage::error::StorageError;
use crate::storage::roll::{self, Roll};

const TITLE: &str = "名册各行可读；每人每项目一行；身份号码索引、变更、暂停、追回、比对都指向名册中的人";

/// What stands for a citizen number while all of them are compared: its key, and its last character or, of a number that
/// both together do not tell, where it stands among such numbers. Two are equal where the numbers are, and only there.
type Print = (i64, usize);

/// The numbers that their key and last character do not tell.
#[derive(Default)]
struct Others(HashMap<String, usize>);

impl Others {
    fn print(&mut self, citizen_number: &str) -> Print {
        let other = || {
            let next = usize::from(u8::MAX) + 1 + self.0.len();
            *self.0.entry(citizen_number.to_string()).or_insert(next)
        };
        let rest = roll::beside_key(citizen_number).map_or_else(other, usize::from);
        (roll::key(citizen_number), rest)
    }
}

/// Everything of the rolls that can be compared.
#[derive(Default)]
struct Seen {
    /// Citizen number and enrolment, as the lines have them.
    lines: Vec<(Print, i64)>,
    /// The same, with person and place of the scheme's code: sorted, the enrolments of a person lie together.
    people: Vec<(Print, i64, i64, usize)>,
    schemes: Vec<String>,
}

/// Everybody can be read, stands once in a scheme and is found by citizen number, and whatever refers to a person or an
/// enrolment refers to one that there is.
///
/// # Errors
/// Only when the database cannot be read.
pub(super) async fn rolls(tx: &mut Tx, agency: &str) -> Result<Check, Failure> {
    let mut result = Check { code: "ROLLS", title: TITLE, examined: 0, problems: Vec::new() };
    match examine(tx, agency, &mut result).await {
        Err(error @ StorageError::Inconsistent { .. }) => result.problems.push(error.to_string()),
        other => other?,
    }
    Ok(result)
}

async fn examine(tx: &mut Tx, agency: &str, result: &mut Check) -> Result<(), StorageError> {
    let (mut seen, mut others) = (Seen::default(), Others::default());
    let mut everybody = Roll::of_agency(agency);
    while let Some(stretch) = everybody.next(tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            enrolled.began()?;
            let (line, print) = (enrolled.line, others.print(enrolled.line.citizen_number()));
            let scheme = seen.schemes.iter().position(|code| code == enrolled.scheme());
            let scheme = scheme.unwrap_or_else(|| {
                seen.schemes.push(enrolled.scheme().to_string());
                seen.schemes.len() - 1
            });
            seen.people.push((print, line.no, line.beneficiary_no, scheme));
        }
    }
    result.examined = seen.people.len();
    if !seen.people.windows(2).all(|pair| pair[0].1 < pair[1].1) {
        result.problems.push("名册的页有重叠".into());
    }
    seen.people.sort_unstable();
    seen.lines.extend(seen.people.iter().map(|(print, no, ..)| (*print, *no)));
    for enrolments in seen.people.chunk_by(|a, b| a.0 == b.0) {
        let first = enrolments[0].1;
        for (at, (_, no, person, scheme)) in enrolments.iter().enumerate() {
            if *person != first {
                result.problems.push(format!("资格 {no}: 人员编号是 {person}，应为此人第一项资格的编号 {first}"));
            }
            if enrolments[..at].iter().any(|other| other.3 == *scheme) {
                result.problems.push(format!("资格 {no}: 同一人在项目 {} 中登记了两次", seen.schemes[*scheme]));
            }
        }
    }
    let mut indexed = Vec::with_capacity(seen.lines.len());
    roll::each_indexed(tx, agency, |number, no| indexed.push((others.print(number), no))).await?;
    indexed.sort_unstable();
    if indexed != seen.lines {
        result.problems.push("身份号码索引与名册不符".into());
    }
    let mut numbers: Vec<i64> = seen.people.iter().map(|(_, no, ..)| *no).collect();
    numbers.sort_unstable();
    for (table, no) in roll::referred(tx, agency).await? {
        if numbers.binary_search(&no).is_err() {
            result.problems.push(format!("{table} 中的编号 {no} 不在名册中"));
        }
    }
    Ok(())
}
