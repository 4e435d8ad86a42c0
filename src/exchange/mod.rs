//! Files to and from the outside: how bytes reach a folder, or a bank's place, whole or not at all.
//!
//! A place is a folder or a server; [`place::Connection`] hides which. Whether a file goes, and what a file that
//! came means, is decided elsewhere.

pub mod folder;
#[cfg(feature = "sftp")]
pub mod known_host;
pub mod place;
pub mod seal;
#[cfg(feature = "sftp")]
pub mod sftp;
