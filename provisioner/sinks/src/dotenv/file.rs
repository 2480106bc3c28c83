//! What the sink does to one file: every step here blocks, and is short but for the wait for the lock and for git.

use std::path::Path;

use latchkey::secret::{Digest, Secret};

use super::document::{Document, Held, SetError};
use super::git::{Tracking, tracking};
use crate::deadline::Deadline;
use crate::files::{self, FileError, Replacement, Stamp};
use crate::{Receipt, Seen, SeenEntry, SinkError};

/// More than any `.env` file that is one.
const FILE_MAX: usize = 1 << 20;
/// What the owner alone may read and write.
const MODE: u32 = 0o600;

/// One entry to be set (`value`) or removed (none).
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) name: &'a str,
    pub(super) seen: &'a Seen,
    pub(super) value: Option<&'a Secret>,
}

/// Whether each name could be written.
pub(super) fn prepare(path: &Path, names: &[String]) -> Vec<Result<(), SinkError>> {
    let file = check_path(path)
        .and_then(|()| files::check_writable(path).map_err(SinkError::from))
        .and_then(|()| check_untracked(path))
        .and_then(|()| open(path));
    each(names, file, |name, opened| opened.document.check(name).map_err(|error| unset(path, &error)))
}

/// What each name holds.
pub(super) fn look(path: &Path, names: &[String]) -> Vec<Result<Seen, SinkError>> {
    each(names, open(path), |name, opened| seen(path, &opened.document, name))
}

/// The secret that `name` holds, if it holds one.
pub(super) fn read(path: &Path, name: &str) -> Result<Option<Secret>, SinkError> {
    let held = open(path)?.document.held(name).map_err(|error| unset(path, &error))?;
    Ok(held.and_then(|held| Secret::parse(&held.value).ok()))
}

/// Makes all edits in one step, each of them only if its entry still is what was seen. Only under the folder's lock.
pub(super) fn apply(path: &Path, edits: &[Edit<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
    let mut opened = match open(path) {
        Ok(opened) => opened,
        Err(error) => return edits.iter().map(|_| Err(error.clone())).collect(),
    };
    files::remove_leftovers(path);
    let made: Vec<_> = edits.iter().map(|edit| edit.make(path, &mut opened.document)).collect();
    if !made.iter().any(|change| matches!(change, Ok(true))) {
        return made.into_iter().map(|change| change.map(|_| ())).collect();
    }
    let replaced = replace(path, &opened, deadline);
    made.into_iter().map(|change| if change? { replaced.clone() } else { Ok(()) }).collect()
}

/// Whether `path` still leads to itself: a link that was put there since would carry a write to somewhere else.
pub(super) fn check_path(path: &Path) -> Result<(), SinkError> {
    let target = files::resolve(path);
    if target == path {
        return Ok(());
    }
    Err(SinkError::Refused {
        reason: format!("`{}` is now a link to `{}`", path.display(), target.display()),
        hint: "set `path` to that file, or replace the link by a file".to_owned(),
    })
}

/// Refuses a file that the next commit would publish.
pub(super) fn check_untracked(path: &Path) -> Result<(), SinkError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match tracking(path) {
        Tracking::Untracked => Ok(()),
        Tracking::Tracked => Err(SinkError::Refused {
            reason: format!("`{name}` is tracked by git, so its secrets would be committed"),
            hint: format!("run `git rm --cached {name}` and add it to `.gitignore`"),
        }),
        Tracking::Unknown => Err(SinkError::Refused {
            reason: format!("cannot find out whether git tracks `{}`", path.display()),
            hint: "run `git status` in its folder and fix what it reports".to_owned(),
        }),
        Tracking::NoGit => Err(SinkError::Refused {
            reason: format!("cannot tell whether `{}` is tracked by git, as `git` is not installed", path.display()),
            hint: "install `git`, or move the file out of the repository".to_owned(),
        }),
    }
}

impl Edit<'_> {
    /// Edits the document; whether that changed anything.
    fn make(&self, path: &Path, document: &mut Document) -> Result<bool, SinkError> {
        let now = seen(path, document, self.name)?;
        let done = match self.value {
            Some(secret) => {
                document.get(self.name).is_some_and(|value| Digest::of(value.as_bytes()).matches(&secret.digest()))
            }
            None => now == Seen::Absent,
        };
        if done {
            return Ok(false);
        }
        if !agree(self.seen, &now) {
            return Err(SinkError::Changed);
        }
        match self.value {
            Some(secret) => document.set(self.name, secret.expose()).map_err(|error| unset(path, &error))?,
            None => drop(document.remove(self.name).map_err(|error| unset(path, &error))?),
        }
        Ok(true)
    }
}

fn agree(seen: &Seen, now: &Seen) -> bool {
    match (seen, now) {
        (Seen::Absent, Seen::Absent) => true,
        (Seen::Holds(seen), Seen::Holds(now)) => seen.receipt == now.receipt,
        _ => false,
    }
}

/// A file's text and the state it was read in; `None` when there is no file yet.
struct Opened {
    document: Document,
    stamp: Option<Stamp>,
}

fn open(path: &Path) -> Result<Opened, SinkError> {
    let Some(contents) = files::read(path, FILE_MAX)? else {
        return Ok(Opened { document: Document::default(), stamp: None });
    };
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| SinkError::Refused {
        reason: format!("`{}` is not UTF-8 text", path.display()),
        hint: "save it as UTF-8".to_owned(),
    })?;
    let document = Document::parse(text).map_err(|error| unset(path, &error.into()))?;
    Ok(Opened { document, stamp: Some(contents.stamp) })
}

fn replace(path: &Path, opened: &Opened, deadline: Deadline) -> Result<(), SinkError> {
    // Before it is renamed nobody sees it.
    let replacement = Replacement::prepare(path, opened.document.to_text().as_bytes(), MODE);
    let replacement = replacement.map_err(|error| SinkError::from(error).rejected())?;
    // Editors take no lock: this leaves them no more than the moment of the renaming.
    if Stamp::read(path) != opened.stamp {
        return Err(SinkError::Changed);
    }
    if deadline.has_passed() {
        return Err(SinkError::Late);
    }
    replacement.commit().map_err(|error| {
        let had_no_effect = error.is_certain();
        let error = SinkError::from(error);
        if had_no_effect { error.rejected() } else { error }
    })
}

fn seen(path: &Path, document: &Document, name: &str) -> Result<Seen, SinkError> {
    let held = document.held(name).map_err(|error| unset(path, &error))?;
    let Some(Held { value, doubtful }) = held.filter(|held| !held.value.is_empty()) else { return Ok(Seen::Absent) };
    // Of all that stands there, so that a repair is a change.
    let whole = document.get(name).unwrap_or_default();
    Ok(Seen::Holds(SeenEntry {
        receipt: Receipt(Digest::of(whole.as_bytes()).fingerprint().as_str().to_owned()),
        fingerprint: Some(Digest::of(value.as_bytes()).fingerprint()),
        token_id: Secret::parse(&value).ok().map(|secret| secret.token_id()),
        lagging: doubtful.map(|line| format!("readers see different values of `{name}` in line {line}")),
    }))
}

fn each<T>(
    names: &[String],
    file: Result<Opened, SinkError>,
    answer: impl Fn(&str, &Opened) -> Result<T, SinkError>,
) -> Vec<Result<T, SinkError>> {
    match file {
        Ok(opened) => names.iter().map(|name| answer(name, &opened)).collect(),
        Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
    }
}

fn unset(path: &Path, error: &SetError) -> SinkError {
    SinkError::Refused { reason: format!("`{}`: {error}", path.display()), hint: error.hint() }
}

impl From<FileError> for SinkError {
    fn from(error: FileError) -> Self {
        let (reason, hint) = (error.to_string(), error.hint().to_owned());
        match error {
            FileError::NoFolder { .. } | FileError::NotRegular { .. } | FileError::TooLarge { .. } => {
                Self::Refused { reason, hint }
            }
            FileError::Denied { .. }
            | FileError::OtherOwner { .. }
            | FileError::ReadOnly { .. }
            | FileError::Full { .. } => Self::Denied { reason, hint },
            FileError::Busy { .. } | FileError::Held { .. } | FileError::Unsure { .. } | FileError::Io { .. } => {
                Self::Unreachable { reason }
            }
        }
    }
}
