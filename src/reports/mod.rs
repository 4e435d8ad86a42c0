//! Titles: one file = one report as a value ([`table::Report`]); `render` turns it into bytes.

pub mod render;
pub mod table;
