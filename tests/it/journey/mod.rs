//! Stories of the office. Every one ends with the doctor finding nothing.

mod changes;
mod clean_year;
mod entitlements;
mod evidence;
mod files;
mod money;
mod person;
mod publicity;
mod recovery;
mod returns;
mod rosters;
mod signatures;
mod todo;
