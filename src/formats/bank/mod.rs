//! Files to and from the paying bank.

pub mod book;
pub mod iso20022;
pub mod layout;
pub mod neutral;
pub mod standard;
pub mod treasury;
