//! Nouns of the office, pure: no database, no files, no clock, no printing.
//!
//! Every other layer uses these; they use nothing of ours. A value that was constructed is valid:
//! a [`citizen_number::CitizenNumber`] has a right check digit, a [`money::Money`] is whole fen.

pub mod actor;
pub mod appropriation;
pub mod bank;
pub mod bank_account;
pub mod bank_book;
pub mod bank_form;
pub mod baseline;
pub mod calendar;
pub mod change;
pub mod citizen_number;
pub mod comparison;
pub mod credit;
pub mod credit_code;
pub mod delivery;
pub mod document;
pub mod enrolment;
pub mod entitlement;
pub mod finding;
pub mod hold;
pub mod money;
pub mod pay_day;
pub mod payment;
pub mod period;
pub mod person_name;
pub mod place;
pub mod publicity;
pub mod recovery;
pub mod roll;
pub mod run;
pub mod scheme;
pub mod statement;
pub mod text;
