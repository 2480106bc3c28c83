//! All that the command prints: results to stdout, messages to stderr, colour and bars on a terminal only.

pub mod actions;
mod asking;
pub mod calendar;
mod events;
pub mod gate;
mod hidden;
mod json;
pub mod markdown;
mod progress;
pub mod screen;
mod table;
mod volume;

use std::io::{self, IsTerminal, Write};

pub use events::{SERVICE, event_line, events, events_json, subject};
pub use hidden::Hidden;
pub use json::{outcome as outcome_json, plan as plan_json};
pub use progress::{LOOKING, Progress, Spinner};
pub use table::{Cell, Mark, Row, natural_width};
pub use volume::{Colour, Volume, set_colour, set_volume};

use crate::apply::Failure;
use crate::plan::{self, Labels, Line, Plan, Tone};

/// The output format of results: text for people, JSON for programs, Markdown for pull requests and job summaries.
///
/// Its values have no comments of their own, as clap would then print the long form of every help page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

/// Prints everything that the command prints.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// The output format of results.
    pub format: Format,
}

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";
/// How much further in a line goes on.
const INDENT: usize = 4;
/// The same for a finding, behind its word.
const FINDING_INDENT: usize = 9;

/// A line of a log for programs, on stdout, as it is.
///
/// # Errors
/// When it cannot be written.
pub fn log_line(line: &[u8]) -> io::Result<()> {
    io::stdout().lock().write_all(line)
}

impl Printer {
    /// Whether messages may have colour: not with `NO_COLOR`, and not in a pipe.
    pub fn colour(self) -> bool {
        anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
    }

    /// Whether stderr is a terminal.
    pub fn watched(self) -> bool {
        io::stderr().is_terminal()
    }

    /// A line of the result, on stdout. Whoever reads it may have seen enough: a closed pipe is no error.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn result(self, line: &str) -> io::Result<()> {
        unless_closed(put(&gate::tame(&screen::wrapped(&gate::line(line), screen::stdout_width(), INDENT))))
    }

    /// A line of the result that begins with how something is.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn judged(self, mark: Mark, word: &str, rest: &str) -> io::Result<()> {
        let line = format!("{word}{rest}");
        let line = gate::line(&line);
        let wrapped = screen::wrapped(&line, screen::stdout_width(), FINDING_INDENT);
        let word = gate::line(word);
        let rest = wrapped.strip_prefix(&*word).unwrap_or_default();
        unless_closed(put(&gate::tame(&format!("{}{rest}", paint(&word, mark)))))
    }

    /// A line of the result that ends with how all is.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn ending(self, first: &str, state: &str, mark: Mark) -> io::Result<()> {
        if state.is_empty() {
            return self.result(first);
        }
        let line = screen::wrapped(&gate::line(&format!("{first}{state}")), screen::stdout_width(), INDENT);
        let (first, state) = line.split_at(gate::line(first).len().min(line.len()));
        unless_closed(put(&gate::tame(&format!("{first}{}", paint(state, mark)))))
    }

    /// More of a finding, as far in as what is behind its word.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn finding(self, line: &str) -> io::Result<()> {
        let line = screen::wrapped(&gate::line(line), screen::stdout_width(), FINDING_INDENT + INDENT);
        unless_closed(put(&gate::tame(&line)))
    }

    /// Columns, as wide as the terminal at most; the first row are their heads.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn table(self, rows: &[Vec<String>]) -> io::Result<()> {
        let cells = |row: &Vec<String>| Row::Cells(row.iter().map(|text| Cell::of_word(text)).collect());
        self.rows(&rows.iter().map(cells).collect::<Vec<_>>())
    }

    /// Names and values, a line each; a long value goes on below itself.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn facts(self, rows: &[Vec<String>]) -> io::Result<()> {
        let width = rows.iter().filter_map(|row| row.first()).map(|name| screen::columns(name)).max().unwrap_or(0);
        for row in rows {
            let [name, value] = &row[..] else { continue };
            let line = format!("{}  {}", screen::padded(&gate::line(name), width), gate::line(value));
            let line = screen::wrapped(line.trim_end(), screen::stdout_width(), width + 2);
            unless_closed(put(&gate::tame(&line)))?;
        }
        Ok(())
    }

    /// The same as [`Printer::table`] with lines between the rows, and with marks.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn rows(self, rows: &[Row]) -> io::Result<()> {
        let lines = table::lines(rows, screen::stdout_width(), paint);
        unless_closed(lines.iter().try_for_each(|line| put(&gate::tame(line))))
    }

    /// Lines of the result, on stdout.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn block(self, text: &str) -> io::Result<()> {
        unless_closed(put(&gate::tame(&gate::lines(text))))
    }

    /// A secret, on stdout. Nobody else has it, so a closed pipe loses it.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn secret(self, text: &str) -> io::Result<()> {
        put(text)
    }

    /// JSON with a secret, on stdout, see [`Printer::secret`].
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn secret_json(self, value: &serde_json::Value) -> io::Result<()> {
        put(&gate::json(&serde_json::to_string_pretty(value)?))
    }

    /// The result as JSON, on stdout.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn json(self, value: &serde_json::Value) -> io::Result<()> {
        unless_closed(self.secret_json(value))
    }

    /// A message, on stderr, unless only results are wanted. A closed stderr is no error.
    pub fn talk(self, line: &str) {
        if volume::volume() > Volume::Quiet {
            self.tell(line);
        }
    }

    /// The same for what is told at any rate, such as what state things are in.
    pub fn tell(self, line: &str) {
        say(&gate::tame(&screen::wrapped(&gate::line(line), screen::stderr_width(), INDENT)));
    }

    /// A message of several lines that is coloured already.
    pub fn rendered(self, text: &str) {
        say(&gate::tame(&gate::coloured(text)));
    }

    /// An error and what to do about it, on stderr.
    pub fn error(self, message: &str, hint: Option<&str>) {
        self.headed("error", RED, message);
        self.help(hint);
    }

    /// An error with lines of details, on stderr.
    pub fn error_with(self, message: &str, details: &[String], hint: Option<&str>) {
        self.error(message, None);
        for line in details {
            self.tell(&format!("  {line}"));
        }
        self.help(hint);
    }

    fn help(self, hint: Option<&str>) {
        if let Some(hint) = hint {
            self.headed("  help", "", hint);
        }
    }

    /// A warning, on stderr.
    pub fn warning(self, message: &str) {
        self.headed("warning", YELLOW, message);
    }

    fn headed(self, head: &str, colour: &str, message: &str) {
        let line = format!("{head}: {}", gate::line(message));
        let line = screen::wrapped(&line, screen::stderr_width(), INDENT);
        let (indent, word) = head.split_at(head.len() - head.trim_start().len());
        self.rendered(&format!("{indent}{colour}{BOLD}{word}{PLAIN}{}", line.strip_prefix(head).unwrap_or_default()));
    }

    /// A warning and what to do about it, on stderr.
    pub fn warning_with(self, message: &str, hint: &str) {
        self.warning(message);
        self.help(Some(hint));
    }

    /// A page, on stdout and, in GitHub Actions, in the step's summary.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn markdown(self, page: &str) -> io::Result<()> {
        actions::summarise(page);
        self.block(page)
    }

    /// Lines of a plan, on stdout.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn lines(self, lines: &[Line]) -> io::Result<()> {
        let width = screen::stdout_width();
        let notes = volume::volume() > Volume::Quiet;
        for line in lines.iter().filter(|line| notes || line.tone != Tone::Note) {
            let colour = match line.tone {
                Tone::Create => GREEN,
                Tone::Change | Tone::Warning => YELLOW,
                Tone::Delete | Tone::Problem => RED,
                Tone::Detail => "",
                Tone::Note => DIM,
            };
            let plain = line.plain();
            let plain = gate::line(&plain);
            let indent = plain.len() - plain.trim_start().len() + INDENT;
            let text = screen::wrapped(&plain, width, indent);
            unless_closed(put(&format!("{colour}{}{PLAIN}", gate::tame(&text))))?;
        }
        Ok(())
    }

    /// The lines of a plan that people read first, or all of them.
    pub fn lines_of(self, plan: &Plan, labels: &Labels) -> Vec<Line> {
        if self.lists_all() { plan::lines(plan, labels) } else { plan::folded(plan, labels) }
    }

    /// Whether each of many notes of one kind has a line.
    pub fn lists_all(self) -> bool {
        volume::volume() == Volume::Verbose
    }

    /// What failed in a run, on stderr.
    pub fn failure(self, failure: &Failure) {
        self.error(
            &format!("token `{}`: {}", failure.subject, failure.message),
            Some(&format!("{}; {}", failure.state, failure.hint)),
        );
    }
}

/// A text in the colour of a mark.
fn paint(text: &str, mark: Mark) -> String {
    let colour = match mark {
        Mark::Good => GREEN,
        Mark::Unsure => YELLOW,
        Mark::Bad => RED,
    };
    format!("{colour}{text}{PLAIN}")
}

/// Puts a line on stdout as it is.
fn put(line: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Puts a line on stderr as it is.
fn say(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// What a command is for goes on, and its exit code is that of the work, when nobody reads on.
fn unless_closed(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}
