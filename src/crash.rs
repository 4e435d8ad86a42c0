//! Crash points: where a test kills the process to see that a step happened or did not.
//!
//! Only in debug builds, and only when `FAFANG_CRASH_AT` names the point, e.g.
//! `run.approve:before-commit`. A release build has none.

/// Kills the process without any clean-up if the environment asks for this point.
pub fn point(action: &str, place: &str) {
    if cfg!(debug_assertions) && std::env::var("FAFANG_CRASH_AT").is_ok_and(|at| at == format!("{action}:{place}")) {
        std::process::abort();
    }
}
