//! All that the command prints: results to stdout, messages to stderr, colour and bars on a terminal only.

pub mod actions;
pub mod calendar;
mod json;
pub mod markdown;
mod progress;
mod table;

use std::io::{self, IsTerminal, Write};

use zeroize::Zeroizing;

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
        let _ = write!(stderr, "{}", actions::tamed(question));
        let _ = stderr.flush();
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// The same for a secret, which is not shown while it is typed.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn ask_hidden(self, question: &str) -> io::Result<Zeroizing<String>> {
        let typed = Zeroizing::new(rpassword::prompt_password(question)?);
        Ok(Zeroizing::new(typed.trim().to_owned()))
    }

    /// Part of the result, on stdout.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn result(self, text: &str) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    /// The result as JSON, on stdout.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn json(self, value: &serde_json::Value) -> io::Result<()> {
        self.result(&serde_json::to_string_pretty(value)?)
    }

    /// A message, on stderr. A closed stderr is no error.
    pub fn talk(self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{}", actions::tamed(text));
    }

    /// An error and what to do about it, on stderr.
    pub fn error(self, message: &str, hint: Option<&str>) {
        self.talk(&format!("{RED}{BOLD}error{PLAIN}: {message}"));
        if let Some(hint) = hint {
            self.talk(&format!("  {BOLD}help{PLAIN}: {hint}"));
        }
    }

    /// A warning, on stderr.
    pub fn warning(self, message: &str) {
        self.talk(&format!("{YELLOW}{BOLD}warning{PLAIN}: {message}"));
    }

    /// A page, on stdout and, in GitHub Actions, in the step's summary.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn markdown(self, page: &str) -> io::Result<()> {
        actions::summarise(page);
        self.result(page)
    }

    /// Lines of a plan, on stdout.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn lines(self, lines: &[Line]) -> io::Result<()> {
        for line in lines {
            let colour = match line.tone {
                Tone::Create => GREEN,
                Tone::Change => YELLOW,
                Tone::Delete | Tone::Problem => RED,
                Tone::Detail => "",
                Tone::Note => DIM,
            };
            self.result(&format!("{colour}{}{PLAIN}", actions::tamed(&line.plain())))?;
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
