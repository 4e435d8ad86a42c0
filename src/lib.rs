//! 发放 (fafang): pays social-insurance benefits to people, month after month, and proves it.
//!
//! The modules in the order data flows. `ARCHITECTURE.md` tells the story; a test
//! (`tests/it/house.rs`) keeps the arrows between them true.

pub mod calculation;
pub mod cli;
pub mod clock;
pub mod crash;
pub mod domain;
pub mod exchange;
pub mod failure;
pub mod formats;
pub mod office;
pub mod progress;
pub mod reports;
pub mod storage;
pub mod training;
pub mod workflow;
