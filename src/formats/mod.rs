//! Files of the world outside: bytes ⇄ domain values, pure. Nothing here opens a path or knows
//! the database. Reading collects every fault of a file; writing refuses before the first byte.

pub mod bank;
pub mod budget;
pub mod calendar;
pub mod certification;
pub mod change;
pub mod charset;
pub mod comparison;
mod container;
mod faults;
mod list;
pub mod roster;
pub mod scheme;
pub mod statement;
pub mod table;
pub mod xml;
