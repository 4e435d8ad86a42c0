//! Stories of the office. Every one ends with the doctor finding nothing.

mod clean_year;
mod entitlements;
mod evidence;
mod files;
mod money;
mod recovery;
mod returns;
mod rosters;
mod signatures;
