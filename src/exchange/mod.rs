//! Files to and from the outside: how bytes reach a folder whole or not at all.

pub mod folder;
