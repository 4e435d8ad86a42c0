//! Round after round until somebody says stop: a signal ends the wait at once, and a round between two files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use super::super::{Answer, Desk, exit_code};
use super::{pull, push};
use crate::domain::place::Place;
use crate::failure::Failure;

pub async fn watch(desk: &Desk, places: &[Place], every: Duration, with_push: bool) -> Answer {
    let (is_stopped, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (flag, told) = (Arc::clone(&is_stopped), Arc::clone(&stop));
    let listener = tokio::spawn(async move {
        signal().await;
        flag.store(true, Ordering::Relaxed);
        told.notify_one();
    });
    let stopped = || is_stopped.load(Ordering::Relaxed);
    tracing::info!(seconds = every.as_secs(), push = with_push, places = places.len(), "watching");
    let mut rounds = 0_u64;
    while !stopped() {
        rounds += 1;
        if let Err(failure) = round(desk, places, with_push, &stopped).await {
            // Whoever may not do it will not be allowed later; anything else may pass.
            if rounds == 1 {
                listener.abort();
                return Err(failure);
            }
            tracing::error!(code = failure.code, message = failure.message, "round failed");
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.notified() => {}
        }
    }
    listener.abort();
    tracing::info!(rounds, "stopped");
    desk.out.answer(|| json!({ "rounds": rounds, "stopped": true }), || format!("已停止，共看了 {rounds} 次"));
    Ok(exit_code::DONE)
}

async fn round(desk: &Desk, places: &[Place], with_push: bool, stopped: &dyn Fn() -> bool) -> Result<(), Failure> {
    if with_push {
        let pushed = push::push(desk, places, stopped).await?;
        if pushed.is_news() {
            tracing::info!(exit_code = pushed.exit_code(), "pushed\n{}", pushed.words());
        }
    }
    if !stopped() {
        let pulled = pull::pull(desk, places, stopped).await?;
        if pulled.is_news() {
            tracing::info!(exit_code = pulled.exit_code(), "pulled\n{}", pulled.words());
        }
    }
    Ok(())
}

/// Waits for Ctrl-C, or for what a service manager sends.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
