//! Entries that are there already, for whoever moves in: what they are called, and never what they contain.

#![warn(missing_docs)]

use crate::SinkError;
use crate::vercel::Environment;

/// How a person names where entries of a type are, `heroku:APP?login=VARIABLE`, and what that is in the settings of a sink.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceForm {
    /// What stands before the colon.
    pub word: &'static str,
    /// The setting that follows; `None` where it is what the names of entries begin with.
    pub setting: Option<&'static str>,
    /// Whether that is the path of a file: then nothing needs to stand before it.
    pub is_path: bool,
    /// Settings that may be added, `?NAME=VALUE`; a `login` is a variable of the environment.
    pub options: &'static [&'static str],
    /// The variable that has the login, unless an option names another.
    pub login: Option<&'static str>,
}

/// An entry as its vendor lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedEntry {
    /// Its name there, as it is: whoever may write there chose it.
    pub name: String,
    /// For Vercel: which of the project's environments reads it.
    pub environment: Option<Environment>,
    /// Why no push can replace its value as it is, a clause about it.
    pub obstacle: Option<String>,
}

impl ListedEntry {
    /// The obstacle of an entry that would be refused.
    pub(crate) fn obstacle(refused: &SinkError) -> String {
        match refused.hint() {
            Some(hint) => format!("{refused}; {hint}"),
            None => refused.to_string(),
        }
    }

    /// An entry without anything particular.
    pub fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), environment: None, obstacle: None }
    }
}
