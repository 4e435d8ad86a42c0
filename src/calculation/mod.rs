//! Laws, pure: facts and rules in, amounts with their reasons out. No clock, no database, no files.

pub mod baseline;
pub mod claim;
pub mod payable;
pub mod recount;
pub mod recovery;
pub mod statement_chain;
pub mod statement_match;
