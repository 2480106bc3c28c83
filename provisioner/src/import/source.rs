//! Where entries are, as a person names it: `.env`, `heroku:APP`, `vercel:PROJECT?team=..`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use latchkey_sinks::files::resolve;
use latchkey_sinks::reading::{listed, shown};
use latchkey_sinks::{Kind, SourceForm};

use super::naming::words;

/// The most bytes of a sink's name that is derived.
const NAME_MAX: usize = 48;

/// Where entries are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// As it was named.
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// What its sink is called, unless another one is.
    pub(crate) name: String,
    /// The settings of its sink, in their order.
    pub(crate) settings: Vec<Setting>,
    /// What the names of its entries begin with.
    pub(crate) prefix: String,
    /// Whether it is a file, and its first setting the path.
    is_path: bool,
}

/// A setting of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    Text(&'static str, String),
    /// A credential, by the environment variable that has it.
    Login(String),
}

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("`{}` names nothing behind `{word}:`", shown(.text))]
    Empty { text: String, word: &'static str },
    #[error("`{}` has no option `{}`", shown(.text), shown(.option))]
    Option { text: String, option: String, known: &'static [&'static str] },
    #[error("entries of the type `{0}` cannot be listed")]
    Unlisted(&'static str),
}

impl SourceError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Empty { .. } => {
                "a source is a `.env` file, `heroku:APP`, `vercel:PROJECT`, `aws:PREFIX` or `azure:VAULT`".to_owned()
            }
            Self::Option { known: [], .. } => "a source of this type has no options".to_owned(),
            Self::Option { known, .. } => format!("options of this type: {}", listed(known)),
            Self::Unlisted(_) => "declare its sink and pushes by hand".to_owned(),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (form, kind, rest) = form(text)?;
        let (main, query) = if form.is_path { (rest, "") } else { rest.split_once('?').unwrap_or((rest, "")) };
        if main.is_empty() && form.setting.is_some() {
            return Err(SourceError::Empty { text: text.to_owned(), word: form.word });
        }
        let mut settings: Vec<Setting> =
            form.setting.map(|setting| Setting::Text(setting, main.to_owned())).into_iter().collect();
        let mut login = form.login.map(str::to_owned);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (option, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(option) = form.options.iter().find(|known| **known == option) else {
                let (text, option) = (text.to_owned(), option.to_owned());
                return Err(SourceError::Option { text, option, known: form.options });
            };
            match *option {
                "login" => login = Some(value.to_owned()),
                option => settings.push(Setting::Text(option, value.to_owned())),
            }
        }
        settings.extend(login.map(Setting::Login));
        let last = if form.is_path { main.rsplit('/').next().unwrap_or(main) } else { main };
        let (name, prefix) = match form.setting {
            Some(_) => (sink_name(last, form.word), String::new()),
            None => (words(kind.facts().name()).join("-"), main.to_owned()),
        };
        Ok(Self { text: text.to_owned(), kind, name, settings, prefix, is_path: form.is_path })
    }
}

/// The form that a text has, its type, and what follows the word. Without a word it is a path.
fn form(text: &str) -> Result<(&'static SourceForm, Kind, &str), SourceError> {
    let forms = || Kind::ALL.into_iter().filter_map(|kind| Some((kind.facts().source()?, kind)));
    let (word, rest) = text.split_once(':').unwrap_or(("", text));
    if let Some((form, kind)) = forms().find(|(form, kind)| form.word == word || kind.facts().name() == word) {
        return Ok((form, kind, rest));
    }
    let unlisted = Kind::named(word).map(|kind| kind.facts().name());
    match forms().find(|(form, _)| form.is_path && unlisted.is_none()) {
        Some((form, kind)) => Ok((form, kind, text)),
        None => Err(SourceError::Unlisted(unlisted.unwrap_or_default())),
    }
}

impl Source {
    /// The same for a manifest in `folder`, where its relative paths start.
    #[must_use]
    pub(crate) fn seen_from(mut self, folder: &Path) -> Self {
        if let Some(Setting::Text(_, named)) = self.settings.first_mut().filter(|_| self.is_path) {
            let path = std::path::absolute(&*named).unwrap_or_else(|_| PathBuf::from(&*named));
            // The file may be a link, and keeps its name; the way to it is compared as it is.
            let path = match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => resolve(parent).join(name),
                _ => path,
            };
            *named = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        }
        self
    }
}

/// A sink's name from what it is: a letter, then letters, digits and `-`.
fn sink_name(text: &str, fallback: &str) -> String {
    let name = words(text).join("-");
    let name = name.get(..NAME_MAX).unwrap_or(&name).trim_end_matches('-');
    match name.bytes().next() {
        None => fallback.to_owned(),
        Some(first) if first.is_ascii_lowercase() => name.to_owned(),
        Some(_) => format!("{fallback}-{name}"),
    }
}

/// Gives sources that would be called the same different names.
pub(crate) fn name_apart(sources: &mut [Source]) {
    for at in 1..sources.len() {
        let (before, rest) = sources.split_at_mut(at);
        let is_taken = |name: &str| before.iter().any(|other| other.name == name);
        let first = rest[0].name.clone();
        let numbered = (2_u32..).map(|number| format!("{first}-{number}"));
        if let Some(name) = std::iter::once(first.clone()).chain(numbered).find(|name| !is_taken(name)) {
            rest[0].name = name;
        }
    }
}
