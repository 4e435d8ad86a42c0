//! Stories of the office. Every one ends with the doctor finding nothing.

mod audit_findings;
mod clean_year;
mod comparisons;
mod entitlements;
mod evidence;
mod exclusions;
mod files;
mod money;
mod returns;
mod rosters;
mod signatures;
