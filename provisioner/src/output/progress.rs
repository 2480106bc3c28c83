//! Progress: a bar on a terminal, plain lines elsewhere.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use super::Printer;
use crate::apply::{Failure, Reporter};

/// Tells of a run's progress on stderr.
#[derive(Debug)]
pub struct Progress {
    printer: Printer,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Progress through `printer`.
    #[must_use]
    pub fn new(printer: Printer) -> Self {
        Self { printer, bar: Mutex::new(None) }
    }

    fn bar(&self) -> Option<ProgressBar> {
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
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
        if !self.printer.watched() || tokens == 0 {
            return;
        }
        let bar = ProgressBar::new(tokens as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} tokens {msg}") {
            bar.set_style(style);
        }
        *self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(bar);
    }

    fn done(&self, subject: &str, words: &str) {
        match self.bar() {
            Some(bar) => {
                bar.inc(1);
                bar.set_message(format!("{subject}: {words}"));
            }
            None => self.printer.talk(&format!("done {subject}: {words}")),
        }
    }

    fn remark(&self, text: &str) {
        match self.bar() {
            Some(bar) => bar.suspend(|| self.printer.talk(text)),
            None => self.printer.talk(text),
        }
    }

    fn failed(&self, failure: &Failure) {
        match self.bar() {
            Some(bar) => bar.suspend(|| self.printer.failure(failure)),
            None => self.printer.failure(failure),
        }
    }
}
