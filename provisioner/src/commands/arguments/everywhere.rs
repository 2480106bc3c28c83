//! Options of every command, and the grammar as it is read: where an option would mean nothing it is not offered.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, Args, Command, CommandFactory as _, FromArgMatches as _};

use super::{Arguments, GLOBAL};
use crate::output::Colour;

/// The commands that ask no service: they contact nothing, or name their tables themselves.
const WITHOUT_SERVICE: &[&str] = &["init", "check", "schema", "copy", "accounts", "completions", "man"];
const SERVICE: &str = "service";

#[derive(Debug, Args)]
pub(in crate::commands) struct Everywhere {
    /// Service: `embedded:FILE`, `table:NAME` or a server's URL [default: from the nearest `tokens.toml`]
    #[arg(long, global = true, value_name = "ADDRESS", env = "LATCHKEY_SERVICE", help_heading = GLOBAL)]
    pub(in crate::commands) service: Option<String>,
    /// Run as if started in this folder; paths in other arguments are relative to it
    #[arg(long, short = 'C', global = true, value_name = "FOLDER", help_heading = GLOBAL)]
    pub(in crate::commands) directory: Option<PathBuf>,
    /// Print results, warnings and errors only: no progress and no notes
    #[arg(long, short = 'q', global = true, conflicts_with = "verbose", help_heading = GLOBAL)]
    pub(in crate::commands) quiet: bool,
    /// List every note and warning, also those of one kind
    #[arg(long, short = 'v', global = true, help_heading = GLOBAL)]
    pub(in crate::commands) verbose: bool,
    /// When to print in colour
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, help_heading = GLOBAL)]
    pub(in crate::commands) color: Colour,
}

/// The colour that a command line asks for. It is known before the line is read, as errors in it are coloured too.
pub(in crate::commands) fn colour(words: &[OsString]) -> Colour {
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).take_while(|word| *word != "--").collect();
    let named = words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix("--color")? {
        "" => words.get(at + 1).copied(),
        rest => rest.strip_prefix('='),
    });
    named.and_then(|named| <Colour as clap::ValueEnum>::from_str(named, false).ok()).unwrap_or_default()
}

/// The grammar of the command line.
pub(in crate::commands) fn grammar() -> Command {
    let hidden = || Arg::new(SERVICE).long(SERVICE).num_args(1).hide(true);
    let without = |grammar: Command, name: &&str| grammar.mut_subcommand(name, |command| command.arg(hidden()));
    WITHOUT_SERVICE.iter().fold(Arguments::command(), without)
}

/// Reads a command line.
pub(in crate::commands) fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut grammar = grammar();
    let matches = grammar.try_get_matches_from_mut(words)?;
    if let Some(name) = matches.subcommand_name().filter(|name| WITHOUT_SERVICE.contains(name))
        && matches.value_source(SERVICE) == Some(ValueSource::CommandLine)
    {
        let message = format!("`--service` means nothing to `provision {name}`, which asks no service");
        return Err(grammar.error(clap::error::ErrorKind::ArgumentConflict, message));
    }
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colour_before_the_end_of_options_counts() {
        let of = |line: &str| colour(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("provision plan"), Colour::Auto);
        assert_eq!(of("provision --color never plan --color=always"), Colour::Always);
        assert_eq!(of("provision plan --color --color never"), Colour::Never);
        assert_eq!(of("provision plan -- --color never"), Colour::Auto);
    }
}
