//! What the sink does to one file: every step here blocks, and is short but for the wait for the lock and for git.

use std::path::{Path, PathBuf};

use latchkey::secret::{Digest, Fingerprint, Secret};

use super::document::{Document, Held, SetError};
use super::reach::{Files, Recorded, receipt};
use crate::deadline::Deadline;
use crate::files::{Mode, Replacement, Site, Stamp};
use crate::git::{Tracking, tracking};
use crate::{Seen, SeenEntry, SinkError};

/// More than any `.env` file that is one.
const FILE_MAX: usize = 1 << 20;

/// One entry to be set (`value`) or removed (none).
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) name: &'a str,
    pub(super) seen: &'a Seen,
    pub(super) value: Option<&'a Secret>,
}

/// Whether each name could be written.
pub(super) fn prepare(files: &Files, path: &Path, names: &[String]) -> Vec<Result<(), SinkError>> {
    let prepare = || {
        let site = files.open(path)?;
        site.check_replaceable(files.mode(site.path()))?;
        check_untracked(site.path())?;
        open(&site)
    };
    each(names, prepare(), |name, opened| opened.document.check(name).map_err(|error| unset(path, &error)))
}

/// The names of all entries.
pub(super) fn names(files: &Files, path: &Path) -> Result<Vec<String>, SinkError> {
    let opened = open(&files.open(path)?)?;
    if opened.stamp.is_none() {
        return Err(SinkError::Refused {
            reason: format!("`{}` does not exist", path.display()),
            hint: "pass a `.env` file that is there".to_owned(),
        });
    }
    Ok(opened.document.names().map(str::to_owned).collect())
}

/// What each name holds.
pub(super) fn look(files: &Files, path: &Path, entries: &[(String, Option<Recorded>)]) -> Vec<Result<Seen, SinkError>> {
    let opened = files.open(path).and_then(|site| Ok((open(&site)?, site)));
    let former = opened.as_ref().map_or_else(|_| Vec::new(), |_| former(files, path));
    let look = |(name, recorded): &(String, Option<Recorded>)| {
        let (opened, site) = match &opened {
            Ok(opened) => opened,
            Err(error) => return Err(error.clone()),
        };
        match seen(path, opened, name)? {
            Seen::Absent if recorded.as_ref().is_some_and(|recorded| recorded.is_elsewhere(site)) => {
                Err(Recorded::elsewhere(path))
            }
            Seen::Holds(held) => Ok(Seen::Holds(SeenEntry { former: formerly(&former, name), ..held })),
            seen => Ok(seen),
        }
    };
    entries.iter().map(look).collect()
}

/// The secret with a fingerprint, if `name` holds it, here or where the path led before.
pub(super) fn read(
    files: &Files,
    path: &Path,
    (name, wanted): &(String, Fingerprint),
) -> Result<Option<Secret>, SinkError> {
    let held = open(&files.open(path)?)?.document.held(name).map_err(|error| unset(path, &error))?;
    let former = former(files, path).into_iter().filter_map(|document| document.held(name).ok()?);
    let secrets = held.into_iter().chain(former).filter_map(|held| Secret::parse(&held.value).ok());
    Ok(secrets.into_iter().find(|secret| secret.fingerprint() == *wanted))
}

/// The files that the path led to before, as far as they can be read.
fn former(files: &Files, path: &Path) -> Vec<Document> {
    let open = |file: &PathBuf| Some(open(&files.open(file).ok()?).ok()?.document);
    super::former::files(path).iter().filter_map(open).collect()
}

/// What a name has in them.
fn formerly(former: &[Document], name: &str) -> Vec<Fingerprint> {
    let held = former.iter().filter_map(|document| document.held(name).ok()?);
    held.filter(|held| !held.value.is_empty()).map(|held| Digest::of(held.value.as_bytes()).fingerprint()).collect()
}

/// Makes all edits in one step, each of them only if its entry still is what was seen. Only under the file's lock.
pub(super) fn apply(site: &Site, edits: &[Edit<'_>], mode: Mode, deadline: Deadline) -> Vec<Result<(), SinkError>> {
    let mut opened = match open(site) {
        Ok(opened) => opened,
        Err(error) => return edits.iter().map(|_| Err(error.clone())).collect(),
    };
    site.remove_leftovers();
    let made: Vec<_> = edits.iter().map(|edit| edit.make(site.path(), &mut opened)).collect();
    if !made.iter().any(|change| matches!(change, Ok(true))) {
        return made.into_iter().map(|change| change.map(|_| ())).collect();
    }
    let replaced = replace(site, &opened, mode, deadline);
    made.into_iter().map(|change| if change? { replaced.clone() } else { Ok(()) }).collect()
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
    fn make(&self, path: &Path, opened: &mut Opened) -> Result<bool, SinkError> {
        let now = seen(path, opened, self.name)?;
        let document = &mut opened.document;
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
    volume: Option<String>,
}

fn open(site: &Site) -> Result<Opened, SinkError> {
    let (path, volume) = (site.path(), site.volume());
    let Some(contents) = site.read(FILE_MAX)? else {
        return Ok(Opened { document: Document::default(), stamp: None, volume });
    };
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| SinkError::Refused {
        reason: format!("`{}` is not UTF-8 text", path.display()),
        hint: "save it as UTF-8".to_owned(),
    })?;
    let document = Document::parse(text).map_err(|error| unset(path, &error.into()))?;
    Ok(Opened { document, stamp: Some(contents.stamp), volume })
}

fn replace(site: &Site, opened: &Opened, mode: Mode, deadline: Deadline) -> Result<(), SinkError> {
    // Before it is renamed nobody sees it.
    let replacement = Replacement::prepare(site, opened.document.to_text().as_bytes(), mode);
    let replacement = replacement.map_err(|error| SinkError::from(error).rejected())?;
    // Editors take no lock: this leaves them no more than the moment of the renaming.
    if site.stamp() != opened.stamp {
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

fn seen(path: &Path, opened: &Opened, name: &str) -> Result<Seen, SinkError> {
    let document = &opened.document;
    let held = document.held(name).map_err(|error| unset(path, &error))?;
    let Some(Held { value, doubtful }) = held.filter(|held| !held.value.is_empty()) else { return Ok(Seen::Absent) };
    // Of all that stands there, so that a repair is a change.
    let whole = document.get(name).unwrap_or_default();
    Ok(Seen::Holds(SeenEntry {
        receipt: receipt(Digest::of(whole.as_bytes()).fingerprint().as_str(), opened.volume.as_deref()),
        fingerprint: Some(Digest::of(value.as_bytes()).fingerprint()),
        token_id: Secret::parse(&value).ok().map(|secret| secret.token_id()),
        former: Vec::new(),
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
