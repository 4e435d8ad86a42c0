//! What the office must be able to rely on, told as stories on both engines.
//!
//! One binary, so that it links once. `support` builds a whole office on SQLite or PostgreSQL;
//! `journey` holds the stories; `storage` and `house` keep the schema's and the code's own rules.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::large_futures, reason = "a story is one long future, and runs once")]

mod support;

mod cli;
mod fuzz;
mod house;
mod journey;
mod life;
mod storage;
mod years;
