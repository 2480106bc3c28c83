//! What git knows about a file: asked of git itself, which alone reads every form of its index, where it is installed.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use super::index;

/// Whether git has a file in its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    Tracked,
    /// It has not, or there is no repository.
    Untracked,
    /// There is a repository that git does not read.
    Unknown,
    /// There is a repository, no git is installed, and the index cannot be read without it.
    NoGit,
}

/// Whether the file at the resolved `path` is in git's index.
pub(super) fn tracking(path: &Path) -> Tracking {
    if !inside_work_tree(path) {
        return Tracking::Untracked;
    }
    match ask(path, &["--literal-pathspecs", "ls-files", "--error-unmatch"]) {
        Answer::Code(0) => Tracking::Tracked,
        Answer::Code(1) => Tracking::Untracked,
        Answer::Code(_) => Tracking::Unknown,
        Answer::NoGit => match index::has(path) {
            Some(true) => Tracking::Tracked,
            Some(false) => Tracking::Untracked,
            None => Tracking::NoGit,
        },
    }
}

/// Why git may offer the file to be added, if it may: it is in a work tree, and no pattern ignores it.
pub(super) fn may_be_added(path: &Path) -> Option<String> {
    if !inside_work_tree(path) {
        return None;
    }
    let path_shown = path.display();
    match ask(path, &["check-ignore", "--quiet"]) {
        Answer::Code(1) => Some(format!("`{path_shown}` is not ignored by git: add it to `.gitignore`")),
        Answer::Code(_) => None,
        Answer::NoGit => Some(format!("cannot tell whether git ignores `{path_shown}`, as `git` is not installed")),
    }
}

/// Spares most files outside of repositories a process.
fn inside_work_tree(path: &Path) -> bool {
    path.ancestors().skip(1).any(|folder| folder.join(".git").symlink_metadata().is_ok())
}

enum Answer {
    Code(i32),
    NoGit,
}

fn ask(path: &Path, question: &[&str]) -> Answer {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Answer::NoGit };
    let status = Command::new("git")
        // The file's own repository, whatever a hook that we may run in has set.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_COMMON_DIR")
        // A repository's configuration may name programs: none of them is to run, and nothing is to be written.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .args(["-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit", "-C"])
        .arg(folder)
        .args(question)
        .arg("--")
        // Keeps `check-ignore`, which knows no literal paths, from reading a leading `:` as an instruction.
        .arg(Path::new(".").join(name))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) => Answer::Code(status.code().unwrap_or(-1)),
        Err(error) if error.kind() == ErrorKind::NotFound => Answer::NoGit,
        Err(_) => Answer::Code(-1),
    }
}
