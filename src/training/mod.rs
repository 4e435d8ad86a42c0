//! For training and tests only: invented people and a simulated bank. Nothing here is used when
//! real money moves.

pub mod county_year;
pub mod people;
pub mod simulated_answer;
pub mod simulated_bank;
