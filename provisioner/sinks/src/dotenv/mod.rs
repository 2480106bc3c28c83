//! `.env` files on this machine.
//!
//! An entry contains the whole secret, so that its fingerprint tells which version it is; there is no marker. An empty
//! value (`NAME=`) counts as absent, because people keep such placeholders: a write fills it in. Writers lock the
//! file, compare what is there with what was seen, and replace the file in one step.

mod agreement;
mod document;
mod facts;
mod file;
mod former;
mod node;
mod reach;
mod refusal;
mod scan;
mod settings;
mod shell;
mod spelling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey::secret::Secret;
use tokio::task::spawn_blocking;

pub use self::document::{Document, DotenvError, Held, SetError};
pub(super) use self::facts::Type;
use self::file::Edit;
use self::reach::{Files, receipt};
pub use self::settings::Settings;
use super::{
    Capabilities, DeclaredSink, ListedEntry, Marker, PushDeclaration, Receipt, Removal, Seen, Sink, SinkError, Write,
};
use crate::bounds::Bounds;
use crate::deadline::Deadline;
use crate::files::{self, FileError, FileLock, Mode, Site};
use crate::git;
use crate::sink::Delivered;

/// The sink's type, in manifests and places.
pub const KIND: &str = "dotenv";

/// How long a writer waits for another process that writes to the same file.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// All `.env` files of one machine, whichever of them pushes go to.
#[derive(Debug, Clone)]
pub struct Dotenv {
    machine: String,
    /// The file that pushes go to, where one is declared.
    file: Option<PathBuf>,
    files: Arc<Files>,
}

/// The place of the entry `name` in the file at `path`, which is made absolute. Its links stay in it: one that is moved
/// at each deployment is still one place.
///
/// A path that is not Unicode text names no file that exists: [`Sink::prepare`] reports it.
pub fn place(machine: &str, path: &Path, name: &str) -> Place {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Place::new(KIND, &[("machine", machine), ("path", &path.to_string_lossy()), ("name", name)], true)
}

/// Why git has the file at the resolved `path` or may offer it to be added: what is wrong, `: ` and what to do. Runs git.
pub fn git_warning(path: &Path) -> Option<String> {
    match file::check_untracked(path) {
        // Git calls no file ignored that it tracks.
        Err(error) => Some(format!("{error}: {}", error.hint().unwrap_or_default())),
        Ok(()) => git::may_be_added(path),
    }
}

/// What the owner of the file at `path` should know before a secret goes there, one sentence each. Runs git.
fn warnings(path: &Path, mode: Mode) -> Vec<String> {
    let path = files::resolve(path);
    let mut warnings = Vec::new();
    warnings.extend(git_warning(&path));
    match Site::open(&path).and_then(|site| site.check_replaceable(mode)) {
        // What every look tells.
        Err(FileError::NoFolder { .. } | FileError::Folder { .. } | FileError::NotRegular { .. }) => return warnings,
        Err(error) => {
            warnings.push(format!("{error}: {}", error.hint()));
            return warnings;
        }
        Ok(()) => {}
    }
    let (Mode::Exactly(wanted) | Mode::AtMost(wanted)) = mode;
    if let Some(mode) = files::mode(&path).filter(|mode| mode & 0o077 & !wanted != 0) {
        warnings.push(format!(
            "`{}` is accessible to others (mode {mode:04o}): the next write sets it to {wanted:04o}",
            path.display()
        ));
    }
    warnings
}

impl Dotenv {
    /// The files of the machine that this process runs on; no push goes to any.
    pub fn of_machine(machine: &str) -> Self {
        Self { machine: machine.to_owned(), file: None, files: Arc::default() }
    }

    /// The same, and pushes go to this file.
    pub fn of_file(machine: &str, file: PathBuf) -> Self {
        Self { machine: machine.to_owned(), file: Some(file), files: Arc::default() }
    }

    /// The same, and opens only what `bounds` allow; files in `modes` get those permissions.
    #[must_use]
    pub fn within(mut self, bounds: Bounds, modes: Vec<(PathBuf, u32)>) -> Self {
        self.files = Arc::new(Files::new(bounds, modes));
        self
    }

    fn address<'a>(&self, place: &'a Place) -> Result<(&'a Path, &'a str), SinkError> {
        let parts = (place.part("machine"), place.part("path").map(Path::new), place.part("name"));
        match parts {
            (Some(machine), Some(path), Some(name)) if place.kind == KIND && path.is_absolute() => {
                if machine == self.machine {
                    Ok((path, name))
                } else {
                    Err(SinkError::OtherMachine { machine: machine.to_owned() })
                }
            }
            _ => Err(SinkError::Refused {
                reason: "the place is not a variable in a `.env` file".to_owned(),
                hint: "a place of the type `dotenv` has a machine, an absolute path and a name".to_owned(),
            }),
        }
    }

    /// Sorts places by file; those that this machine does not have are answered at once.
    fn sort<'a, T>(&self, places: impl Iterator<Item = &'a Place>) -> (ByFile<'a>, Answers<T>) {
        let mut files = ByFile::new();
        let answers = places
            .enumerate()
            .map(|(at, place)| match self.address(place) {
                Ok((path, name)) => {
                    files.entry(path).or_default().push((at, name));
                    None
                }
                Err(error) => Some(Err(error)),
            })
            .collect();
        (files, Answers(answers))
    }

    /// Asks each file once about its entries, away from the threads that drive other requests.
    async fn ask<E: Send + 'static, T: Send + 'static>(
        &self,
        places: &[&Place],
        entry: impl Fn(&Place, &str) -> E,
        question: Question<E, T>,
    ) -> Vec<Result<T, SinkError>> {
        let (by_file, mut answers) = self.sort(places.iter().copied());
        for (path, entries) in by_file {
            let (owned, files) = (path.to_owned(), self.files.clone());
            let asked: Vec<E> = entries.iter().map(|(at, name)| entry(places[*at], name)).collect();
            let result = blocking(path, move || question(&files, &owned, &asked)).await;
            answers.fill(&entries, result);
        }
        answers.finish()
    }

    /// Answers each edit with the file system that it was made on.
    async fn change(
        &self,
        edits: Vec<(&Place, Edit<'_>)>,
        deadline: Deadline,
    ) -> Vec<Result<Option<String>, SinkError>> {
        let (by_file, mut answers) = self.sort(edits.iter().map(|(place, _)| *place));
        let mut edits: Vec<_> = edits.into_iter().map(|(_, edit)| Some(edit)).collect();
        for (path, entries) in by_file {
            let edits: Vec<_> = entries.iter().filter_map(|(at, _)| edits[*at].take()).collect();
            answers.fill(&entries, self.change_file(path, &edits, deadline).await);
        }
        answers.finish()
    }

    /// Waits for git and for the lock elsewhere; the edit itself is done here, in a few milliseconds, so that no secret
    /// is copied to another thread. Lock and edit are of the folder that was opened first.
    async fn change_file(
        &self,
        path: &Path,
        edits: &[Edit<'_>],
        deadline: Deadline,
    ) -> Result<Vec<Result<Option<String>, SinkError>>, SinkError> {
        if deadline.has_passed() {
            return Err(SinkError::Late);
        }
        let (owned, files) = (path.to_owned(), self.files.clone());
        let writes = edits.iter().any(|edit| edit.value.is_some());
        let (site, mode, _lock) = blocking(path, move || {
            let site = files.open(&owned)?;
            let lock: FileLock = site.lock(LOCK_WAIT.min(deadline.left()))?;
            // Somebody may have added the file since it was prepared. What only leaves it may leave a tracked one too.
            if writes {
                file::check_untracked(site.path())?;
            }
            let mode = files.mode(site.path());
            Ok::<_, SinkError>((site, mode, lock))
        })
        .await??;
        if deadline.has_passed() {
            return Err(SinkError::Late);
        }
        let volume = site.volume();
        let made = file::apply(&site, edits, mode, deadline);
        Ok(made.into_iter().map(|made| made.map(|()| volume.clone())).collect())
    }
}

async fn blocking<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> Result<T, SinkError> {
    spawn_blocking(work)
        .await
        .map_err(|_| SinkError::Unreachable { reason: format!("work on `{}` was interrupted", path.display()) })
}

/// Each file's entries: where they stand among what was asked, and their names.
type ByFile<'a> = BTreeMap<&'a Path, Vec<(usize, &'a str)>>;

/// What a file answers about each of these entries.
type Question<E, T> = fn(&Files, &Path, &[E]) -> Vec<Result<T, SinkError>>;

/// Answers in the order of what was asked.
struct Answers<T>(Vec<Option<Result<T, SinkError>>>);

impl<T> Answers<T> {
    fn fill(&mut self, entries: &[(usize, &str)], result: Result<Vec<Result<T, SinkError>>, SinkError>) {
        match result {
            Ok(found) => {
                for ((at, _), answer) in entries.iter().zip(found) {
                    self.0[*at] = Some(answer);
                }
            }
            Err(error) => {
                for (at, _) in entries {
                    self.0[*at] = Some(Err(error.clone()));
                }
            }
        }
    }

    fn finish(self) -> Vec<Result<T, SinkError>> {
        let unanswered = || Err(SinkError::Unreachable { reason: "the file gave no result".to_owned() });
        self.0.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }
}

#[async_trait]
impl DeclaredSink for Dotenv {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        let file = self.file.as_ref().ok_or_else(|| SinkError::Refused {
            reason: "no `.env` file is declared for this push".to_owned(),
            hint: "set `path` in its sink".to_owned(),
        })?;
        Ok(place(&self.machine, file, &push.name))
    }

    async fn reaches(&self, place: &Place) -> bool {
        place.kind == KIND
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        let Some(path) = self.file.clone() else { return Ok(Vec::new()) };
        let files = self.files.clone();
        let names = blocking(&path.clone(), move || file::names(&files, &path)).await??;
        Ok(names.into_iter().filter(|name| name.starts_with(prefix)).map(ListedEntry::plain).collect())
    }
}

#[async_trait]
impl Sink for Dotenv {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: KIND,
            readable: true,
            marker: false,
            conditional: true,
            restarts: false,
            redeploys: false,
            surveys: false,
            local: true,
            batch: 200,
            value_max: 65_536,
        }
    }

    fn unit(&self, place: &Place) -> String {
        files::resolve(Path::new(place.part("path").unwrap_or_default())).to_string_lossy().into_owned()
    }

    fn leads_to(&self, found: &Place) -> Option<Place> {
        let (path, name) = self.address(found).ok()?;
        let real = files::resolve(path);
        let led =
            Place::new(KIND, &[("machine", &self.machine), ("path", &real.to_string_lossy()), ("name", name)], true);
        (real != path).then_some(led)
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        self.ask(places, |_, name| name.to_owned(), file::prepare).await
    }

    fn went_to(&self, delivered: &[Delivered<'_>]) {
        self.files.note(delivered);
    }

    /// A file that does not exist holds nothing. A folder that does not exist is an error: its disk may not be
    /// mounted. Nor is an entry absent where it was delivered to a file of that name on another file system.
    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.ask(places, |place, name| (name.to_owned(), self.files.recorded(place)), file::look).await
    }

    /// The file that a path leads to by now: a folder may have become a link.
    async fn identities(&self, places: &[&Place]) -> Vec<Option<String>> {
        let identity = |place: &&Place| {
            let (path, name) = self.address(place).ok()?;
            Some(format!("{} {} {name}", self.machine, files::resolve(path).display()))
        };
        places.iter().map(identity).collect()
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let (path, name) = self.address(place)?;
        let (owned, files) = (path.to_owned(), self.files.clone());
        let asked = (name.to_owned(), wanted.fingerprint.clone());
        blocking(path, move || file::read(&files, &owned, &asked)).await?
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let edits = writes.iter().map(|write| {
            let name = write.place.part("name").unwrap_or_default();
            (write.place, Edit { name, seen: write.seen, value: Some(write.secret) })
        });
        let answers = self.change(edits.collect(), deadline).await;
        let receipt = |(answer, write): (Result<Option<String>, SinkError>, &Write<'_>)| {
            answer.map(|volume| receipt(write.secret.fingerprint().as_str(), volume.as_deref()))
        };
        answers.into_iter().zip(writes).map(receipt).collect()
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        let edits = removals.iter().map(|removal| {
            let name = removal.place.part("name").unwrap_or_default();
            (removal.place, Edit { name, seen: removal.seen, value: None })
        });
        self.change(edits.collect(), deadline).await.into_iter().map(|made| made.map(drop)).collect()
    }
}
