//! Files that git knows.

use std::process::Command;

use super::super::warnings as warnings_for;
use super::{Bench, mint, put};
use crate::files::Mode;
use crate::git::index;
use crate::{Seen, Sink as _, SinkError};

fn warnings(path: &std::path::Path) -> Vec<String> {
    warnings_for(path, Mode::AtMost(0o600))
}

/// Runs git in the bench's folder.
fn git(bench: &Bench, arguments: &[&str]) {
    let output = Command::new("git").arg("-C").arg(bench.folder.path()).args(arguments).output();
    let output = output.expect("`git` is there, see tests/debian.txt");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn tracked(answer: Result<impl Sized, SinkError>) {
    let Err(SinkError::Refused { reason, hint }) = answer else { panic!("not refused") };
    assert_eq!(reason, "`.env` is tracked by git, so its secrets would be committed");
    assert_eq!(hint, "run `git rm --cached .env` and add it to `.gitignore`");
}

#[tokio::test]
async fn a_tracked_file_is_refused_and_left_as_it_is() {
    let bench = Bench::with("A=1\n");
    git(&bench, &["init", "--quiet"]);
    bench.prepare("API_TOKEN").await.unwrap();
    git(&bench, &["add", ".env"]);
    tracked(bench.prepare("API_TOKEN").await);
    // Also when it was added after it was prepared.
    tracked(bench.write("API_TOKEN", &mint(), &Seen::Absent).await);
    assert_eq!(bench.text(), "A=1\n");
    assert_eq!(bench.look("API_TOKEN").await.unwrap(), Seen::Absent);
    let held = bench.look("A").await.unwrap();
    bench.remove("A", &held).await.unwrap();
    git(&bench, &["rm", "--quiet", "--cached", "-f", ".env"]);
    bench.prepare("API_TOKEN").await.unwrap();
    bench.write("API_TOKEN", &mint(), &Seen::Absent).await.unwrap();
}

#[tokio::test]
async fn a_name_that_looks_like_a_pattern_is_taken_literally() {
    let bench = Bench::new();
    put(&bench.folder.path().join("a.env"), b"");
    git(&bench, &["init", "--quiet"]);
    git(&bench, &["add", "a.env"]);
    let place = super::place(super::MACHINE, &bench.folder.path().join("*.env"), "A");
    super::only(bench.sink.prepare(&[&place]).await).unwrap();
}

#[tokio::test]
async fn a_repository_that_git_does_not_read_is_refused() {
    let bench = Bench::with("A=1\n");
    put(&bench.folder.path().join(".git"), b"gitdir: nowhere\n");
    git(&bench, &["version"]);
    assert!(matches!(bench.prepare("API_TOKEN").await, Err(SinkError::Refused { .. })));
}

#[test]
fn a_file_that_git_would_add_is_warned_of() {
    let bench = Bench::with("A=1\n");
    assert!(warnings(&bench.path()).iter().all(|warning| !warning.contains("git")));
    git(&bench, &["init", "--quiet"]);
    assert!(warnings(&bench.path())[0].ends_with("is not ignored by git: add it to `.gitignore`"));
    put(&bench.folder.path().join(".gitignore"), b".env*\n");
    assert!(warnings(&bench.path()).iter().all(|warning| !warning.contains("git")));
}

#[test]
fn the_index_is_read_without_git_or_not_at_all() {
    let bench = Bench::with("A=1\n");
    assert_eq!(index::has(&bench.path()), None, "no repository");
    git(&bench, &["init", "--quiet"]);
    assert_eq!(index::has(&bench.path()), Some(false), "no index yet");
    for name in ["a.env", "b", "link", "x.env"] {
        put(&bench.folder.path().join(name), b"");
    }
    git(&bench, &["add", "a.env", "b", "link", "x.env"]);
    git(&bench, &["add", "--intent-to-add", ".env"]);
    let path = |name: &str| bench.folder.path().join(name);
    for name in [".env", "a.env", "b", "link", "x.env"] {
        assert_eq!(index::has(&path(name)), Some(true), "{name}");
    }
    for name in ["env", "c.env", "b/.env"] {
        assert_eq!(index::has(&path(name)), Some(false), "{name}");
    }
    git(&bench, &["rm", "--quiet", "--cached", "-f", ".env"]);
    assert_eq!(index::has(&bench.path()), Some(false));
    git(&bench, &["update-index", "--index-version", "4"]);
    assert_eq!(index::has(&bench.path()), None, "another form");
    git(&bench, &["update-index", "--index-version", "2"]);
    assert_eq!(index::has(&bench.path()), Some(false));
    git(&bench, &["update-index", "--split-index"]);
    assert_eq!(index::has(&bench.path()), None, "in two files");
}
