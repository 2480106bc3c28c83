//! What git knows about a file: asked of git itself, which alone reads every form of its index, where it is installed.

pub(crate) mod index;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether git has a file in its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    Tracked,
    /// It has not, or there is no repository.
    Untracked,
    /// There is a repository that git does not read.
    Unknown,
    /// There is a repository, no git is installed, and the index cannot be read without it.
    NoGit,
}

/// Whether the file at the resolved `path` is in git's index.
pub(crate) fn tracking(path: &Path) -> Tracking {
    if !inside_work_tree(path) {
        return Tracking::Untracked;
    }
    match code(path, &["--literal-pathspecs", "ls-files", "--error-unmatch"]) {
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
pub fn may_be_added(path: &Path) -> Option<String> {
    if !inside_work_tree(path) {
        return None;
    }
    let path_shown = path.display();
    match code(path, &["check-ignore", "--quiet"]) {
        Answer::Code(1) => Some(format!("`{path_shown}` is not ignored by git: add it to `.gitignore`")),
        Answer::Code(_) => None,
        Answer::NoGit => Some(format!("cannot tell whether git ignores `{path_shown}`, as `git` is not installed")),
    }
}

/// Spares most files outside of repositories a process.
fn inside_work_tree(path: &Path) -> bool {
    path.ancestors().skip(1).any(|folder| folder.join(".git").symlink_metadata().is_ok())
}

/// The first of these files of one folder that is in git's index, whether it is on the disk or not. Where git reads no
/// repository there, the index itself is read.
///
/// # Errors
/// The file of which that cannot be found out.
pub fn first_tracked(files: &[PathBuf]) -> Result<Option<&Path>, &Path> {
    let Some(first) = files.first().filter(|first| inside_work_tree(first)) else { return Ok(None) };
    let names: Vec<&Path> = files.iter().filter_map(|file| file.file_name().map(Path::new)).collect();
    let listed = first.parent().and_then(|folder| {
        let listed = ask(folder, &["--literal-pathspecs", "ls-files", "-z"], &names).ok()?;
        listed.status.success().then_some(listed.stdout)
    });
    if let Some(listed) = listed {
        let is_listed = |file: &&PathBuf| {
            let name = file.file_name().unwrap_or_default().as_encoded_bytes();
            listed.split(|byte| *byte == 0).any(|listed| listed == name)
        };
        return Ok(files.iter().find(is_listed).map(PathBuf::as_path));
    }
    for file in files {
        if index::has(file).ok_or(file.as_path())? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Whether a pattern of the repository that it is in has git ignore the file; `None` where there is no repository. What
/// only its user's own settings ignore is not: others have other ones.
pub fn is_ignored(path: &Path) -> Option<bool> {
    if !inside_work_tree(path) {
        return None;
    }
    match code(path, &["-c", "core.excludesFile=", "check-ignore", "--quiet", "--no-index"]) {
        Answer::Code(code) => Some(code == 0),
        Answer::NoGit => Some(false),
    }
}

enum Answer {
    Code(i32),
    NoGit,
}

fn code(path: &Path, question: &[&str]) -> Answer {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Answer::NoGit };
    match ask(folder, question, &[Path::new(name)]) {
        Ok(output) => Answer::Code(output.status.code().unwrap_or(-1)),
        Err(error) if error.kind() == ErrorKind::NotFound => Answer::NoGit,
        Err(_) => Answer::Code(-1),
    }
}

/// Asks git about files of a folder.
fn ask(folder: &Path, question: &[&str], names: &[&Path]) -> std::io::Result<Output> {
    Command::new("git")
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
        .args(names.iter().map(|name| Path::new(".").join(name)))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
}
