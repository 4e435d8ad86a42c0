//! Parse, start logging, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use fafang::cli::Cli;
use tracing_subscriber::EnvFilter;

/// One command at a time needs no more than one thread of its own; SQLite brings another.
/// SQLite's thread allocates what ours frees, row by row: glibc makes the two wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // The driver warns of statements over a second: true of a year-end, and nothing a clerk can use.
    let usual = if cli.is_watching() { "warn,sqlx=error,fafang=info" } else { "warn,sqlx=error" };
    let filter = EnvFilter::try_from_env("FAFANG_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    ExitCode::from(cli.run().await)
}
