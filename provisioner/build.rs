//! Tells `provision --version` which commit it was built from.
//!
//! A debug build asks nobody: each commit would compile the package anew, and all tests behind it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What packagers set where there is no checkout; empty for no commit at all.
const GIVEN: &str = "LATCHKEY_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={GIVEN}");
    let version = variable("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = match variable(GIVEN) {
        Some(given) if given.chars().all(|one| one == ' ' || one.is_ascii_graphic()) => Some(given.trim().to_owned()),
        Some(_) => {
            println!("cargo::error=`{GIVEN}` is more than one line of ASCII: set it to a commit, or to nothing");
            return;
        }
        None if variable("PROFILE").as_deref() == Some("debug") => None,
        None => checked_out(),
    };
    let commit = commit.filter(|commit| !commit.is_empty()).map(|commit| format!(" ({commit})"));
    println!("cargo::rustc-env=LATCHKEY_VERSION={version}{}", commit.unwrap_or_default());
}

/// The commit of the checkout that these sources are in, with its date; `None` without Git, or where they are another's:
/// unpacked from a tarball into some repository, say.
fn checked_out() -> Option<String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).parent()?.canonicalize().ok()?;
    let top = git(&root, &["rev-parse", "--show-toplevel"])?;
    git(&root, &["ls-files", "--error-unmatch", "provisioner/build.rs"])?;
    if PathBuf::from(top).canonicalize().ok()? != root {
        return None;
    }
    watch(&root);
    git(&root, &["log", "-1", "--no-show-signature", "--abbrev=9", "--format=%h %cs"])
}

/// Has the script run again once another commit is checked out. In a worktree `.git` is a file: Git knows where these are.
fn watch(root: &Path) {
    let known = |name: &str| {
        let path = root.join(git(root, &["rev-parse", "--git-path", name])?);
        // One that is not there would have it run each time.
        path.exists().then_some(path)
    };
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    // Each checkout and commit adds a line to the log of HEAD. Without one, the branch is a file of its own, or a line of
    // all of them until it moves.
    let moved = match known("logs/HEAD").or_else(|| known(&branch?)) {
        Some(path) => vec![path],
        None => ["packed-refs", "refs/heads"].into_iter().filter_map(known).collect(),
    };
    for path in known("HEAD").into_iter().chain(moved) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn git(root: &Path, words: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // Whoever builds from a hook has these set, for another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let output = command.arg("-C").arg(root).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
