//! Files to and from the paying bank.

pub mod book;
pub mod layout;
pub mod neutral;
