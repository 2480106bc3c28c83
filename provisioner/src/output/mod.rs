//! All that the command prints: results to stdout, messages to stderr, colour and bars on a terminal only.

pub mod actions;
pub mod calendar;
mod events;
pub mod gate;
mod hidden;
mod json;
pub mod markdown;
mod progress;
mod table;

use std::io::{self, IsTerminal, Write};

use zeroize::Zeroizing;

pub use events::{SERVICE, event_line, events, events_json, subject};
pub use json::{outcome as outcome_json, plan as plan_json};
pub use progress::{Progress, Spinner};
pub use table::table;

use crate::apply::Failure;
use crate::plan::{Line, Tone};

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

impl Printer {
    /// Whether messages may have colour: not with `NO_COLOR`, and not in a pipe.
    pub fn colour(self) -> bool {
        anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
    }

    /// Whether stderr is a terminal.
    pub fn watched(self) -> bool {
        io::stderr().is_terminal()
    }

    /// Whether stdin is a terminal, so that a person can answer.
    pub fn is_answered(self) -> bool {
        io::stdin().is_terminal()
    }

    /// Asks a person on stderr and answers what was typed, without the blanks around it.
    ///
    /// # Errors
    /// When stdin cannot be read.
    pub fn ask(self, question: &str) -> io::Result<String> {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{}", gate::tame(&gate::line(question)));
        let _ = stderr.flush();
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// The same for a yes or no; anything but a yes is a no.
    ///
    /// # Errors
    /// When stdin cannot be read.
    pub fn confirm(self, question: &str) -> io::Result<bool> {
        Ok(matches!(self.ask(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// The same for a secret, which is not shown while it is typed.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn ask_hidden(self, question: &str) -> io::Result<Zeroizing<String>> {
        hidden::ask(&gate::tame(&gate::line(question)))
    }

    /// A line of the result, on stdout. Whoever reads it may have seen enough: a closed pipe is no error.
    ///
    /// # Errors
    /// When stdout is full.
    pub fn result(self, line: &str) -> io::Result<()> {
        unless_closed(put(&gate::tame(&gate::line(line))))
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

    /// A message, on stderr. A closed stderr is no error.
    pub fn talk(self, line: &str) {
        say(&gate::tame(&gate::line(line)));
    }

    /// A message of several lines, of which every part went through [`gate::line`].
    pub fn talk_block(self, text: &str) {
        say(&gate::tame(&gate::lines(text)));
    }

    /// A message of several lines that is coloured already.
    pub fn rendered(self, text: &str) {
        say(&gate::tame(&gate::coloured(text)));
    }

    /// An error and what to do about it, on stderr.
    pub fn error(self, message: &str, hint: Option<&str>) {
        self.rendered(&format!("{RED}{BOLD}error{PLAIN}: {}", gate::line(message)));
        self.help(hint);
    }

    /// An error with lines of details, on stderr.
    pub fn error_with(self, message: &str, details: &[String], hint: Option<&str>) {
        self.error(message, None);
        for line in details {
            self.talk(&format!("  {line}"));
        }
        self.help(hint);
    }

    fn help(self, hint: Option<&str>) {
        if let Some(hint) = hint {
            self.rendered(&format!("  {BOLD}help{PLAIN}: {}", gate::line(hint)));
        }
    }

    /// A warning, on stderr.
    pub fn warning(self, message: &str) {
        self.rendered(&format!("{YELLOW}{BOLD}warning{PLAIN}: {}", gate::line(message)));
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
        for line in lines {
            let colour = match line.tone {
                Tone::Create => GREEN,
                Tone::Change => YELLOW,
                Tone::Delete | Tone::Problem => RED,
                Tone::Detail => "",
                Tone::Note => DIM,
            };
            let plain = line.plain();
            unless_closed(put(&format!("{colour}{}{PLAIN}", gate::tame(&gate::line(&plain)))))?;
        }
        Ok(())
    }

    /// What failed in a run, on stderr.
    pub fn failure(self, failure: &Failure) {
        self.error(
            &format!("token `{}`: {}", failure.subject, failure.message),
            Some(&format!("{}; {}", failure.state, failure.hint)),
        );
    }
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
