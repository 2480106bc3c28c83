//! Progress: on a terminal a bar that names what is waited for, below a line per token; elsewhere those lines alone, or,
//! where there are many, a count now and then.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use latchkey::mutex::Mutex;
use latchkey_sinks::waiting;

use super::volume::{Volume, volume};
use super::{Printer, gate, screen};
use crate::apply::{Failure, Reporter};

/// Up to so many tokens each has a line of its own.
const EACH: usize = 25;
/// With more, a line comes after so many parts of a hundred, or after so long, whichever is first.
const SHARE: usize = 10;
const PAUSE: Duration = Duration::from_secs(10);
/// How often a bar is drawn again.
const TICK: Duration = Duration::from_millis(120);
/// What is done before a plan is there.
pub const LOOKING: &str = "looking at places";
/// What is waited for no longer than this is not named.
const WAITED_MIN: Duration = Duration::from_millis(500);
/// What a bar takes beside what is waited for: a narrow screen shows less of that, and no line more.
const BAR_WIDTH: usize = 50;

/// Reports a run's progress on stderr.
#[derive(Debug)]
pub struct Progress {
    printer: Printer,
    bar: Mutex<Option<ProgressBar>>,
    count: Mutex<Count>,
    any: AtomicBool,
    failed: Arc<AtomicUsize>,
}

/// How far a run has come.
#[derive(Debug)]
struct Count {
    of: usize,
    done: usize,
    failed: usize,
    told: usize,
    told_at: Instant,
}

impl Count {
    /// Whether each token has a line of its own.
    fn is_short(&self) -> bool {
        self.of <= EACH
    }

    /// The line that is due, if one is.
    fn line(&mut self, now: Instant) -> Option<String> {
        let reached = self.done + self.failed;
        let share = (reached - self.told) * 100 >= self.of * SHARE;
        if reached < self.of && !share && now.duration_since(self.told_at) < PAUSE {
            return None;
        }
        (self.told, self.told_at) = (reached, now);
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        Some(format!("{reached} of {} tokens{failed}", self.of))
    }
}

impl Progress {
    /// Progress through `printer`.
    pub fn new(printer: Printer) -> Self {
        let count = Count { of: 0, done: 0, failed: 0, told: 0, told_at: Instant::now() };
        Self {
            printer,
            bar: Mutex::new(None),
            count: Mutex::new(count),
            any: AtomicBool::new(false),
            failed: Arc::default(),
        }
    }

    fn bar(&self) -> Option<ProgressBar> {
        self.bar.lock().clone()
    }

    /// Counts a token, and reports how far it is if that is due.
    fn count(&self, add: impl FnOnce(&mut Count)) {
        let line = {
            let mut count = self.count.lock();
            add(&mut count);
            if count.is_short() { None } else { count.line(Instant::now()) }
        };
        if let Some(line) = line {
            self.printer.talk(&line);
        }
    }

    fn is_short(&self) -> bool {
        self.count.lock().is_short()
    }

    /// Whether anything was done.
    pub fn has_done(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = self.bar() {
            bar.finish_and_clear();
        }
    }
}

impl Reporter for Progress {
    fn begin(&self, tokens: usize) {
        // Roles and users were reported one by one, and are not counted.
        let fresh = Count { of: tokens, done: 0, failed: 0, told: 0, told_at: Instant::now() };
        *self.count.lock() = fresh;
        if !is_shown() || tokens == 0 {
            return;
        }
        let bar = ProgressBar::new(tokens as u64);
        bar.set_style(style("{spinner} {bar:20} {pos}/{len} tokens{failed}{waiting}", Some(self.failed.clone())));
        bar.tick();
        bar.enable_steady_tick(TICK);
        *self.bar.lock() = Some(bar);
    }

    fn done(&self, subject: &str, words: &str) {
        self.any.store(true, Ordering::Relaxed);
        let line = format!("done {subject}: {words}");
        if let Some(bar) = self.bar() {
            bar.inc(1);
            return bar.suspend(|| self.printer.talk(&line));
        }
        if self.is_short() {
            self.printer.talk(&line);
        }
        self.count(|count| count.done += 1);
    }

    fn remark(&self, text: &str) {
        match self.bar() {
            Some(bar) => bar.suspend(|| self.printer.talk(text)),
            None => self.printer.talk(text),
        }
    }

    fn failed(&self, failure: &Failure) {
        if let Some(bar) = self.bar() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            bar.inc(1);
            return bar.suspend(|| self.printer.failure(failure));
        }
        self.printer.failure(failure);
        self.count(|count| count.failed += 1);
    }
}

/// Whether progress is drawn: on a terminal that can redraw a line, for whoever wants more than results.
fn is_shown() -> bool {
    screen::redraws() && volume() > Volume::Quiet
}

/// How a bar looks, with how many tokens failed.
fn style(template: &str, failed: Option<Arc<AtomicUsize>>) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let failed = move |_: &ProgressState, out: &mut dyn Write| {
        let number = failed.as_ref().map_or(0, |failed| failed.load(Ordering::Relaxed));
        let _ = if number == 0 { Ok(()) } else { write!(out, ", {number} failed") };
    };
    style.with_key("failed", failed).with_key("waiting", |_: &ProgressState, out: &mut dyn Write| {
        let _ = out.write_str(&awaited());
    })
}

/// What is waited for, as far as the screen has room for it.
fn awaited() -> String {
    let Some((what, length)) = waiting::longest().filter(|(_, length)| *length >= WAITED_MIN) else {
        return String::new();
    };
    let room = screen::stderr_width().unwrap_or(80).saturating_sub(BAR_WIDTH);
    let seconds = length.as_secs();
    let time = if seconds == 0 { String::new() } else { format!(", {seconds} s") };
    let what = screen::cut(&gate::line(&what), room.saturating_sub(time.len() + 2));
    if what.chars().count() < 4 { String::new() } else { format!("  {what}{time}") }
}

/// A spinner on a terminal until it is dropped; elsewhere nothing is shown. What takes no time shows none.
#[derive(Debug)]
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Starts to turn, if stderr is a terminal.
    pub fn start(_: Printer) -> Self {
        if !is_shown() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(style("{spinner} {msg}{waiting}", None));
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Turns while work goes on, with what it is.
    pub async fn during<T>(printer: Printer, words: &str, work: impl Future<Output = T>) -> T {
        let spinner = Self::start(printer);
        spinner.show(words.to_owned());
        work.await
    }

    /// Shows how far it is.
    pub fn show(&self, words: String) {
        self.0.set_message(words);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_by_share_or_by_time_and_the_last_one_always() {
        let start = Instant::now();
        let mut count = Count { of: 100, done: 0, failed: 0, told: 0, told_at: start };
        let mut told = Vec::new();
        for done in 1..=100 {
            if done == 95 {
                count.failed += 1;
            } else {
                count.done += 1;
            }
            // The first twelve take long.
            let now = start + Duration::from_secs(u64::min(done, 12) * 6);
            told.extend(count.line(now));
        }
        insta::assert_snapshot!(told[..4].join(", "), @"2 of 100 tokens, 4 of 100 tokens, 6 of 100 tokens, 8 of 100 tokens");
        insta::assert_snapshot!(told[told.len() - 2..].join(", "), @"92 of 100 tokens, 100 of 100 tokens, 1 failed");
    }
}
