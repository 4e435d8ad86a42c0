//! Stories of the office. Every one ends with the doctor finding nothing.

mod audit_findings;
mod bank_layouts;
mod changes;
mod clean_year;
mod comparisons;
mod entitlements;
mod evidence;
mod exclusions;
mod files;
mod iso20022;
mod layout_year;
mod money;
mod move_office;
mod person;
mod publicity;
mod recovery;
mod returns;
mod rosters;
mod rush;
mod signatures;
mod todo;
mod vouchers;
