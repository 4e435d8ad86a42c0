//! How far a long step is: one line on the terminal, drawn anew in place and wiped when the step has ended.
//!
//! Nothing is drawn during the first second, so short steps show nothing; and nothing at all where nobody
//! waits at a terminal. Counting costs one atomic addition.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Steps that end sooner show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(250);

/// Whether somebody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    is_shown: bool,
}

impl Progress {
    /// On standard error, if that is a terminal.
    pub fn on_terminal() -> Progress {
        Progress { is_shown: true }
    }

    /// A stretch of work begins: what it is, how many there are if that is known, and what is counted.
    pub fn begin(self, what: &'static str, total: Option<usize>, unit: &'static str) -> Bar {
        let total = total.and_then(|n| u64::try_from(n).ok());
        if !self.is_shown {
            return Bar::default();
        }
        let bar = Bar::new(what, total, unit, ProgressDrawTarget::stderr());
        // Hidden by itself when standard error is no terminal.
        if !bar.0.is_hidden() {
            bar.0.enable_steady_tick(TICK);
        }
        bar
    }
}

/// A stretch of work; dropped when it has ended, which wipes its line.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Default for Bar {
    fn default() -> Bar {
        Bar(ProgressBar::hidden())
    }
}

impl Bar {
    fn new(what: &'static str, total: Option<u64>, unit: &'static str, target: ProgressDrawTarget) -> Bar {
        let bar = ProgressBar::with_draw_target(total, target);
        let line = move |state: &ProgressState, out: &mut dyn Write| {
            if state.elapsed() >= PATIENCE {
                let so_far = SoFar { total, done: state.pos(), elapsed: state.elapsed() };
                let _ = out.write_str(&so_far.in_words(what, unit));
            }
        };
        if let Ok(style) = ProgressStyle::with_template("{line}") {
            bar.set_style(style.with_key("line", line));
        }
        Bar(bar)
    }

    /// So many more are done.
    pub fn advance(&self, count: usize) {
        self.0.inc(u64::try_from(count).unwrap_or_default());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What the line is made of.
struct SoFar {
    total: Option<u64>,
    done: u64,
    elapsed: Duration,
}

impl SoFar {
    fn in_words(&self, what: &str, unit: &str) -> String {
        let used = format!("已用 {}", in_time(self.elapsed));
        if self.done == 0 {
            return format!("{what}，{used}");
        }
        let (done, milliseconds) = (u128::from(self.done), self.elapsed.as_millis().max(1));
        let rate = u64::try_from(done * 1000 / milliseconds).unwrap_or(u64::MAX);
        let rate = format!("每秒 {} {unit}", HumanCount(rate));
        let Some(total) = self.total else {
            return format!("{what} {} {unit}，{rate}，{used}", HumanCount(self.done));
        };
        let left = u128::from(total.saturating_sub(self.done)) * milliseconds / done;
        let left = in_time(Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)));
        format!("{what} {} / {} {unit}，{rate}，还需 {left}", HumanCount(self.done), HumanCount(total))
    }
}

/// `45 秒`, `3 分 05 秒`, `2 时 07 分`; what has begun counts as whole.
fn in_time(time: Duration) -> String {
    let whole = time.as_millis().div_ceil(1000);
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} 秒"),
        (0, minutes, seconds) => format!("{minutes} 分 {seconds:02} 秒"),
        (hours, minutes, _) => format!("{hours} 时 {minutes:02} 分"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that remembers the line on which it stands, and all that ever stood there.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<(String, String)>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            let mut screen = self.0.lock().unwrap();
            screen.0.push_str(text);
            screen.1.push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            self.0.lock().unwrap().0.clear();
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        /// A bar on this screen that has been at work for some time.
        fn bar(&self, elapsed: Duration) -> Bar {
            let bar = Bar::new("计算应发", Some(1_000), "人", ProgressDrawTarget::term_like(Box::new(self.clone())));
            bar.0.set_elapsed(elapsed);
            bar
        }

        fn now(&self) -> String {
            self.0.lock().unwrap().0.trim().to_string()
        }

        fn ever(&self) -> String {
            self.0.lock().unwrap().1.trim().to_string()
        }
    }

    fn so_far(total: Option<u64>, done: u64, seconds: u64) -> String {
        SoFar { total, done, elapsed: Duration::from_secs(seconds) }.in_words("计算应发", "人")
    }

    #[test]
    fn the_line_tells_how_far_how_fast_and_how_long_still() {
        assert_eq!(so_far(Some(100_000), 37_500, 3), "计算应发 37,500 / 100,000 人，每秒 12,500 人，还需 5 秒");
        assert_eq!(so_far(Some(100), 40, 80), "计算应发 40 / 100 人，每秒 0 人，还需 2 分 00 秒");
        assert_eq!(so_far(None, 12_375, 75), "计算应发 12,375 人，每秒 165 人，已用 1 分 15 秒", "no end in sight");
        assert_eq!(so_far(Some(10), 12, 2), "计算应发 12 / 10 人，每秒 6 人，还需 0 秒", "more than there were");
    }

    #[test]
    fn before_the_first_is_done_only_the_time_is_known() {
        assert_eq!(so_far(Some(100_000), 0, 7_620), "计算应发，已用 2 时 07 分");
        assert_eq!(so_far(None, 0, 2), "计算应发，已用 2 秒");
    }

    #[test]
    fn the_line_is_drawn_in_place_and_wiped_at_the_end() {
        let screen = Screen::default();
        let bar = screen.bar(Duration::from_secs(4));
        bar.advance(250);
        bar.0.force_draw();
        assert!(screen.now().starts_with("计算应发 250 / 1,000 人，每秒"), "{}", screen.now());
        drop(bar);
        assert_eq!(screen.now(), "");
    }

    #[test]
    fn a_short_step_shows_nothing() {
        let screen = Screen::default();
        let bar = screen.bar(Duration::ZERO);
        bar.advance(1_000);
        bar.0.force_draw();
        drop(bar);
        assert_eq!(screen.ever(), "");
    }

    #[test]
    fn nobody_waits_where_nobody_said_so() {
        let bar = Progress::default().begin("计算应发", Some(1_000), "人");
        bar.advance(1_000);
        assert!(bar.0.is_hidden());
    }
}
