//! Titles: one file = one report as a value ([`table::Report`]); `render` turns it into bytes.
//!
//! Reports read storage in one reading transaction, so that all their figures are of one moment.
//! They write nothing and know nobody who asks.

pub mod doctor;
pub mod render;
pub mod table;
