//! The text of a `.env` file, edited without touching anything else in it.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

pub use super::scan::DotenvError;
use super::scan::{Assignment, Line, line_ending, lines};

/// A parsed `.env` text. What is not edited stays byte for byte: comments, blank lines, order, quotes, line endings,
/// a byte order mark. Its memory is wiped when it is dropped, and `Debug` shows none of it.
#[derive(Default)]
pub struct Document {
    byte_order_mark: bool,
    lines: Vec<Line>,
    /// The lines in which each name is assigned, in their order.
    names: BTreeMap<String, Vec<usize>>,
}

/// Why an entry cannot be written so that every reader sees the same. Holds no value.
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
    /// A shell joins the entry to the line above.
    #[error("line {line} ends with a backslash, so a shell would join it with the line below")]
    Continuation {
        /// The line above, counted from 1.
        line: usize,
    },
}

impl SetError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name { .. } => "use letters, digits and `_`, and start with a letter or `_`",
            Self::Value => "use letters, digits and `_./:@%+,=-` only",
            Self::Duplicate { .. } => "delete the wrong line",
            Self::ByteOrderMark { .. } => "save the file without a byte order mark",
            Self::Continuation { .. } => "put the value of that line in quotes",
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
        let mut document = Self { byte_order_mark: unmarked.is_some(), lines, names: BTreeMap::new() };
        document.index();
        Ok(document)
    }

    /// The value of `name`, quotes and escapes resolved; where it is set twice, the last. Variables in it are not
    /// expanded.
    pub fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        self.names.get(name)?.last().and_then(|at| self.value(*at))
    }

    /// Whether every reader would see one and the same `name`, as it is or once it is [set](Self::set).
    ///
    /// # Errors
    /// When the name cannot be a variable's, or the text around it is read differently by different readers.
    pub fn check(&self, name: &str) -> Result<(), SetError> {
        if !is_variable(name) {
            return Err(SetError::Name { name: name.to_owned() });
        }
        self.check_duplicates(name)?;
        let end = [self.lines.len()];
        let targets = self.names.get(name).map_or(&end[..], Vec::as_slice);
        if self.byte_order_mark && targets.contains(&0) {
            return Err(SetError::ByteOrderMark { name: name.to_owned() });
        }
        let mut above = targets.iter().filter_map(|at| at.checked_sub(1));
        match above.find(|above| continues(&self.lines[*above])) {
            Some(above) => Err(SetError::Continuation { line: self.last_number(above) }),
            None => Ok(()),
        }
    }

    /// Whether `name` has one value, however often it is set.
    ///
    /// # Errors
    /// [`SetError::Duplicate`] when it is set to different values.
    pub fn check_duplicates(&self, name: &str) -> Result<(), SetError> {
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

    /// Sets `name` to a value that needs no quotes. An entry that is there keeps its place, indentation, `export`,
    /// inline comment and line ending, and loses quotes and blanks around `=`, which not every reader takes; a new
    /// one goes to the end, with the line ending that most lines have.
    ///
    /// # Errors
    /// When not every reader would see the same; nothing is changed then. See [`Self::check`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        self.check(name)?;
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte)) {
            return Err(SetError::Value);
        }
        if let Some(lines) = self.names.get(name) {
            for at in lines {
                rewrite(&mut self.lines[*at], value);
            }
        } else {
            self.append(name, value);
        }
        Ok(())
    }

    /// Removes every line that assigns `name`, inline comments included; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.names.contains_key(name) {
            return false;
        }
        self.lines.retain(|line| line.assignment.as_ref().is_none_or(|assignment| assignment.name != name));
        self.index();
        true
    }

    /// The whole text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mark = if self.byte_order_mark { "\u{feff}" } else { "" };
        join(&std::iter::once(mark).chain(self.lines.iter().map(|line| line.text.as_str())).collect::<Vec<_>>())
    }

    fn append(&mut self, name: &str, value: &str) {
        let ending = self.usual_ending();
        if let Some(last) = self.lines.last_mut().filter(|last| line_ending(&last.text).is_empty()) {
            last.text = join(&[&last.text, ending]);
        }
        let start = name.len() + 1;
        let assignment = Assignment { name: name.to_owned(), lead: 0, value: start..start + value.len(), quote: None };
        self.names.entry(name.to_owned()).or_default().push(self.lines.len());
        self.lines.push(Line { text: join(&[name, "=", value, ending]), assignment: Some(assignment) });
    }

    fn usual_ending(&self) -> &'static str {
        let endings = |wanted: &str| self.lines.iter().filter(|line| line_ending(&line.text) == wanted).count();
        if endings("\r\n") > endings("\n") { "\r\n" } else { "\n" }
    }

    fn index(&mut self) {
        self.names.clear();
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(assignment) = &line.assignment {
                self.names.entry(assignment.name.clone()).or_default().push(at);
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

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

fn continues(line: &Line) -> bool {
    let text = line.text.strip_suffix('\n').unwrap_or(&line.text);
    let end = line.assignment.as_ref().map_or(0, |assignment| assignment.value.end);
    text.ends_with('\\') && !text[end..].trim_start().starts_with('#')
}

fn rewrite(line: &mut Line, value: &str) {
    let Some(assignment) = &mut line.assignment else { return };
    let mut tail = &line.text[assignment.value.end..];
    if tail.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        // Blanks at the end are part of the value to some readers.
        tail = line_ending(tail);
    }
    // Without a blank a comment would become part of the value, now that the quotes go.
    let gap = if tail.starts_with('#') { " " } else { "" };
    let text = join(&[&line.text[..assignment.lead], &assignment.name, "=", value, gap, tail]);
    let start = assignment.lead + assignment.name.len() + 1;
    assignment.value = start..start + value.len();
    assignment.quote = None;
    line.text = text;
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
