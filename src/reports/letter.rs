//! A letter as a value: what the office writes to one person or to another office. What it looks
//! like on paper or on a screen is decided by `render`.

use chrono::{Datelike, NaiveDate};

use super::table::Sheet;

/// A letter, from its title to its date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The title: 追缴养老补贴通知书.
    pub title: String,
    /// The office's number of the letter, under the title; may be empty.
    pub number: String,
    /// Whom it is for, without the colon.
    pub addressee: String,
    /// What it says, paragraph by paragraph, without indents.
    pub paragraphs: Vec<String>,
    /// The figures it speaks of. Its notes stand under it.
    pub table: Option<Sheet>,
    /// The last sentence: 特此通知。 May be empty.
    pub closing: String,
    /// Who signs, line by line: the office, or lines to be signed by hand.
    pub signatures: Vec<String>,
    /// The date it bears.
    pub date: NaiveDate,
}

impl Letter {
    /// The date as letters write it: `2026年3月5日`.
    #[must_use]
    pub fn date_in_words(&self) -> String {
        format!("{}年{}月{}日", self.date.year(), self.date.month(), self.date.day())
    }
}
