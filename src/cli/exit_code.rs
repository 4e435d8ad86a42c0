//! Exit codes, each with one meaning. Usage errors (2) are clap's own.

use crate::failure::Kind;

/// Done.
pub const DONE: u8 = 0;
/// Refused by a rule of the office, or differences found.
pub const REFUSED: u8 = 1;
/// The input file is wrong.
pub const INPUT: u8 = 3;
/// Someone else was first.
pub const CONFLICT: u8 = 4;
/// Configuration.
pub const CONFIGURATION: u8 = 5;
/// A fault of the program or its machine.
pub const INTERNAL: u8 = 70;

/// The code of a failure.
pub fn of(kind: Kind) -> u8 {
    match kind {
        Kind::Refused => REFUSED,
        Kind::Input => INPUT,
        Kind::Conflict => CONFLICT,
        Kind::Configuration => CONFIGURATION,
        Kind::Internal => INTERNAL,
    }
}
