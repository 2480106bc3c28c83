//! The text of a `.env` file, edited without touching anything else in it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::node::{self, GUARD};
pub use super::scan::DotenvError;
use super::scan::{Assignment, Line, line_ending, lines};
use super::{agreement, shell, spelling};

/// A parsed `.env` text. What is not edited stays byte for byte: comments, blank lines, order, quotes, line endings,
/// a byte order mark. Its memory is wiped when it is dropped, and `Debug` shows none of it.
#[derive(Default)]
pub struct Document {
    byte_order_mark: bool,
    lines: Vec<Line>,
    /// The lines in which each name is assigned, in their order.
    names: BTreeMap<String, Vec<usize>>,
    /// The lines that are not [as we write them](spelling::is_as_written), in their order. Few: what readers differ on is
    /// looked for in them only.
    others: Vec<usize>,
}

/// What an entry holds.
#[derive(PartialEq, Eq)]
pub struct Held {
    /// The value that all readers see, or the secret that some see.
    pub value: Zeroizing<String>,
    /// The line, counted from 1, in which other readers see another value.
    pub doubtful: Option<usize>,
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Held").field("doubtful", &self.doubtful).finish_non_exhaustive()
    }
}

/// Why an entry cannot be written or told so that every reader sees the same. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Not a name that a shell can assign.
    #[error("`{name}` cannot be a variable's name")]
    Name { name: String },
    /// The value has characters that need quotes, and readers differ on quotes.
    #[error("the value has characters that `.env` readers do not all read the same way")]
    Value,
    /// Some readers take the first, others the last.
    #[error("`{name}` is set in line {first} and in line {last} to different values")]
    Duplicate {
        name: String,
        /// One line, counted from 1.
        first: usize,
        /// A later line with another value.
        last: usize,
    },
    /// Some readers take a byte order mark as part of the first name.
    #[error("`{name}` would directly follow a byte order mark, which some readers take as part of the name")]
    ByteOrderMark { name: String },
    /// The name stands where some readers take it for an entry.
    #[error("line {line}: some readers may take it for one that sets or unsets `{name}`")]
    Elsewhere {
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// Some reader may see a secret there that does not stand in the line.
    #[error("line {line}: readers see different values of `{name}`")]
    Doubtful {
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// Readers do not come to the end of a line together.
    #[error(transparent)]
    Line(#[from] DotenvError),
}

impl SetError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => {
                "use letters, digits and `_`, start with a letter or `_`, and choose no name of a shell's own variable"
                    .into()
            }
            Self::Value => "use letters, digits and `_./:@%+,=-` only".into(),
            Self::Duplicate { .. } => "delete the line that is wrong".into(),
            Self::ByteOrderMark { .. } => "save the file without a byte order mark".into(),
            Self::Elsewhere { name, .. } => {
                format!("delete the line or make it a comment; to set `{name}`, write `{name}=` in a line of its own")
            }
            Self::Doubtful { name, .. } => {
                format!("write `{name}=` and the plain value, or nothing, and put a comment in a line of its own")
            }
            Self::Line(error) => error.hint(),
        }
    }
}

impl Document {
    /// Reads `.env` text; the empty text is a document too.
    ///
    /// # Errors
    /// When it cannot be told where a line ends: an open quote, text behind a closing one, a lone carriage return.
    pub fn parse(text: &str) -> Result<Self, DotenvError> {
        let unmarked = text.strip_prefix('\u{feff}');
        let lines = lines(unmarked.unwrap_or(text))?;
        let mut document =
            Self { byte_order_mark: unmarked.is_some(), lines, names: BTreeMap::new(), others: Vec::new() };
        document.index();
        Ok(document)
    }

    /// The value of `name`, quotes and escapes resolved; where it is set twice, the last. Variables in it are not
    /// expanded.
    pub fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        self.names.get(name)?.last().and_then(|at| self.value(*at))
    }

    /// The names that are assigned, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Whether every reader would see one and the same `name` once it is [set](Self::set).
    ///
    /// # Errors
    /// When the name cannot be a variable's, or the text around it is read differently by different readers.
    pub fn check(&self, name: &str) -> Result<(), SetError> {
        if !shell::is_variable(name) || shell::is_own(name) {
            return Err(SetError::Name { name: name.to_owned() });
        }
        self.held(name)?;
        let end = [self.end()];
        let known = self.names.get(name).map_or(&[][..], Vec::as_slice);
        let targets = if known.is_empty() { &end[..] } else { known };
        if self.byte_order_mark && targets.contains(&0) {
            return Err(SetError::ByteOrderMark { name: name.to_owned() });
        }
        Ok(agreement::check(&self.lines, &self.others, self.byte_order_mark, known)?)
    }

    /// What `name` holds, as far as readers can agree on it; `None` when it does not stand there.
    ///
    /// # Errors
    /// When it stands there with different values, in a spelling that only some readers take, or with a value that may
    /// be a secret which does not stand in the line.
    pub fn held(&self, name: &str) -> Result<Option<Held>, SetError> {
        if let Some(at) = self.others.iter().find(|at| spelling::may_set(&self.lines[**at], name)) {
            return Err(SetError::Elsewhere { name: name.to_owned(), line: self.number(*at) });
        }
        self.check_duplicates(name)?;
        let Some(last) = self.names.get(name).and_then(|lines| lines.last()) else { return Ok(None) };
        match spelling::value(&self.lines, *last) {
            spelling::Value::Plain => Ok(self.value(*last).map(|value| Held { value, doubtful: None })),
            spelling::Value::Secret(value) => Ok(Some(Held { value, doubtful: Some(self.number(*last)) })),
            spelling::Value::Unknown => Err(SetError::Doubtful { name: name.to_owned(), line: self.number(*last) }),
        }
    }

    fn check_duplicates(&self, name: &str) -> Result<(), SetError> {
        let Some((first, others)) = self.names.get(name).and_then(|lines| lines.split_first()) else { return Ok(()) };
        let value = self.value(*first);
        match others.iter().find(|other| self.value(**other) != value) {
            None => Ok(()),
            Some(other) => Err(SetError::Duplicate {
                name: name.to_owned(),
                first: self.number(*first),
                last: self.number(*other),
            }),
        }
    }

    /// Sets `name` to a value that needs no quotes, as every reader takes it: `NAME=value` or `export NAME=value`, with
    /// no blank before it and a line feed behind it. An entry that is there keeps its place and its `export`; a comment
    /// in its line goes to a line above. A new entry goes to the end, or above the `set +a` that ends what is exported.
    ///
    /// # Errors
    /// When not every reader would see the same; nothing is changed then. See [`Self::check`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        self.check(name)?;
        if !value.bytes().all(spelling::is_plain) {
            return Err(SetError::Value);
        }
        // From the last one on, so that the numbers of those above stay right.
        for at in self.names.get(name).cloned().unwrap_or_default().into_iter().rev() {
            let note = matches!(spelling::value(&self.lines, at), spelling::Value::Secret(_));
            let entry = Entry::instead_of(&self.lines[at], name, value, note);
            self.put(at..at + 1, entry);
        }
        if !self.names.contains_key(name) {
            self.add(Entry { comment: None, line: entry("", name, value, "\n") });
        }
        Ok(())
    }

    /// Removes every line that assigns `name`, comments in them included; whether there was one.
    ///
    /// # Errors
    /// When a line above ends with a backslash, so that another line would be joined to it.
    pub fn remove(&mut self, name: &str) -> Result<bool, SetError> {
        let Some(targets) = self.names.get(name).cloned() else { return Ok(false) };
        let above = |at: &usize| at.checked_sub(1).filter(|above| agreement::joins_next(&self.lines[*above]));
        if let Some(above) = targets.iter().find_map(above) {
            return Err(SetError::Line(agreement::joined(self.last_number(above))));
        }
        for at in targets.into_iter().rev() {
            let guarded = at > 0 && *self.lines[at - 1].text == GUARD;
            self.lines.drain(at - usize::from(guarded)..=at);
        }
        self.index();
        Ok(true)
    }

    /// The whole text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mark = if self.byte_order_mark { "\u{feff}" } else { "" };
        join(&std::iter::once(mark).chain(self.lines.iter().map(|line| line.text.as_str())).collect::<Vec<_>>())
    }

    /// Where a new entry goes.
    fn end(&self) -> usize {
        let ends = self.others.iter().rev().find(|at| shell::ends_export(&self.lines[**at].text));
        ends.copied().unwrap_or(self.lines.len())
    }

    fn add(&mut self, entry: Entry) {
        let end = self.end();
        if let Some(last) = self.lines.last_mut().filter(|last| line_ending(&last.text).is_empty()) {
            // A shell would take a carriage return for a part of that line's value.
            last.text = join(&[&last.text, "\n"]);
        }
        self.put(end..end, entry);
    }

    fn put(&mut self, place: Range<usize>, entry: Entry) {
        let runs_on =
            node::position(&self.lines, &self.others, place.start, self.byte_order_mark) == node::Position::RunsOn;
        let guard = runs_on.then(|| plain(join(&[GUARD])));
        let (at, count) = (place.start, self.lines.len());
        let moves = at < count && (guard.is_some() || entry.comment.is_some() || place.is_empty());
        self.lines.splice(place, guard.into_iter().chain(entry.comment).chain([entry.line]));
        if moves {
            self.index();
            return;
        }
        // No line has another number than before.
        let end = if at < count { at + 1 } else { self.lines.len() };
        self.others.retain(|other| *other != at);
        (at..end).for_each(|new| self.index_line(new));
        self.others.sort_unstable();
    }

    fn index(&mut self) {
        self.names.clear();
        self.others.clear();
        (0..self.lines.len()).for_each(|at| self.index_line(at));
    }

    fn index_line(&mut self, at: usize) {
        let line = &self.lines[at];
        if (self.byte_order_mark && at == 0) || !spelling::is_as_written(line) {
            self.others.push(at);
        }
        if let Some(assignment) = &line.assignment {
            let known = self.names.entry(assignment.name.clone()).or_default();
            if let Err(place) = known.binary_search(&at) {
                known.insert(place, at);
            }
        }
    }

    fn value(&self, at: usize) -> Option<Zeroizing<String>> {
        let line = &self.lines[at];
        let assignment = line.assignment.as_ref()?;
        Some(unquote(&line.text[assignment.value.clone()], assignment.quote))
    }

    fn number(&self, at: usize) -> usize {
        1 + self.lines[..at].iter().map(|line| line.text.matches('\n').count()).sum::<usize>()
    }

    /// The number of the last line that the value at `at` spans.
    fn last_number(&self, at: usize) -> usize {
        self.number(at) + self.lines[at].text.trim_end_matches('\n').matches('\n').count()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even names: half a value that was pasted by mistake can look like one.
        write!(formatter, "Document({} lines)", self.lines.len())
    }
}

/// What takes the place of an entry, or is added.
struct Entry {
    comment: Option<Line>,
    line: Line,
}

impl Entry {
    /// With `note`, a `#` in the value starts a comment: what stands before it is a secret to some readers.
    fn instead_of(line: &Line, name: &str, value: &str, note: bool) -> Self {
        let Some(assignment) = &line.assignment else {
            return Self { comment: None, line: entry("", name, value, "\n") };
        };
        let export = if line.text[..assignment.lead].trim().is_empty() { "" } else { "export " };
        let old = &assignment.value;
        let end = line.text[old.clone()].find('#').filter(|_| note).map_or(old.end, |at| old.start + at);
        let tail = &line.text[end..];
        let ending = line_ending(tail);
        let comment = tail.strip_suffix(ending).unwrap_or(tail).trim_matches([' ', '\t']);
        let comment_ending = if ending.is_empty() { "\n" } else { ending };
        Self {
            comment: (!comment.is_empty()).then(|| plain(join(&[comment, comment_ending]))),
            line: entry(export, name, value, if ending.is_empty() { "" } else { "\n" }),
        }
    }
}

fn plain(text: Zeroizing<String>) -> Line {
    Line { text, assignment: None }
}

fn entry(export: &str, name: &str, value: &str, ending: &str) -> Line {
    let start = export.len() + name.len() + 1;
    let assignment =
        Assignment { name: name.to_owned(), lead: export.len(), value: start..start + value.len(), quote: None };
    Line { text: join(&[export, name, "=", value, ending]), assignment: Some(assignment) }
}

/// Joins texts without a reallocation, which would leave a copy behind in memory.
fn join(parts: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        text.push_str(part);
    }
    text
}

/// The value that the dotenv libraries read: single quotes know two escapes, double quotes a few, backticks none.
fn unquote(raw: &str, quote: Option<char>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(raw.len()));
    let body = if quote.is_some() { &raw[1..raw.len() - 1] } else { raw };
    let mut characters = body.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.peek().filter(|_| character == '\\').and_then(|next| unescape(quote, *next));
        if escaped.is_some() {
            characters.next();
        }
        text.push(escaped.unwrap_or(character));
    }
    text
}

fn unescape(quote: Option<char>, escaped: char) -> Option<char> {
    match (quote?, escaped) {
        ('\'' | '"', '\\' | '\'') => Some(escaped),
        ('"', '"') => Some('"'),
        ('"', 'n') => Some('\n'),
        ('"', 'r') => Some('\r'),
        ('"', 't') => Some('\t'),
        ('"', 'a') => Some('\u{7}'),
        ('"', 'b') => Some('\u{8}'),
        ('"', 'f') => Some('\u{c}'),
        ('"', 'v') => Some('\u{b}'),
        _ => None,
    }
}
