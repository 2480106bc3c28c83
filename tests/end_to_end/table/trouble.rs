//! What goes wrong with a file: each is told in its own words, and nothing that was answered is lost.

#![expect(clippy::disallowed_methods, reason = "files are damaged on purpose")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use latchkey::table::TableError;
use latchkey::table::engine::{Engine as _, Failure};
use latchkey::table::sqlite::{OpenError, Sqlite};
use rusqlite::Connection;
use tests::programs;
use tests::workload::{check, count_first, write_of};

use super::{everything, open};

async fn filled(path: &Path, writes: u64) -> Sqlite {
    let table = open(path).unwrap();
    table.transact("first", &count_first()).await.unwrap();
    for number in 0..writes {
        table.transact(&format!("write-{number}"), &write_of(1, number)).await.unwrap();
    }
    table
}

async fn numbers(path: &Path) -> usize {
    check(&[1, 2], &everything(path).await).unwrap().len()
}

/// Runs the workload while calls of the system fail as `inject` says.
fn injected(path: &Path, inject: &str, writes: u64) -> Output {
    Command::new(programs::find("strace").unwrap())
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,fsync,fdatasync", "-e", inject])
        .arg(env!("CARGO_BIN_EXE_workload"))
        .arg(path)
        .args(["2", &writes.to_string()])
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_disk_that_is_full_or_fails_is_told_and_takes_no_answer_back() {
    if let Some(missing) = programs::missing(&["strace"]) {
        tests::skip!("{missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (number, (inject, words)) in [
        ("inject=pwrite64:error=ENOSPC:when=60+", "the disk is full"),
        ("inject=pwrite64:error=EIO:when=90+", "the disk failed to read or write"),
        ("inject=fdatasync,fsync:error=EIO:when=12+", "may or may not have been done"),
        ("inject=pwrite64:error=EDQUOT:when=120+", "disk"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{number}.db"));
        let ran = injected(&path, inject, 400);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        if told.contains("ptrace") || told.contains("PTRACE") {
            tests::skip!("nobody may look on here: {told}");
        }
        assert!(told.contains(words), "{inject}: {told}");
        let answered: Vec<u64> =
            String::from_utf8(ran.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        assert!(!answered.is_empty() && answered.len() < 400, "{inject}: {} answers", answered.len());
        let table = open(&path).unwrap();
        let items = everything(&path).await;
        let found = check(&[2], &items).unwrap();
        for number in &answered {
            assert!(found.contains(&(2, *number)), "{inject}: {number} was answered and is lost");
        }
        // Once the disk has room again, all goes on.
        table.transact("afterwards", &write_of(1, 1_000_000)).await.unwrap();
        assert_eq!(numbers(&path).await, found.len() + 1);
    }
}

#[tokio::test]
async fn after_a_sync_that_failed_the_file_is_opened_again_before_anything_else() {
    if let Some(missing) = programs::missing(&["strace"]) {
        tests::skip!("{missing}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    drop(filled(&path, 50).await);
    // One sync fails, and those after it do not: whoever waited for it hears so, and all others are answered.
    let ran = injected(&path, "inject=fdatasync,fsync:error=EIO:when=4", 400);
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    if told.contains("ptrace") || told.contains("PTRACE") {
        tests::skip!("nobody may look on here: {told}");
    }
    let unknown = told.lines().filter(|line| line.contains("may or may not have been done")).count();
    assert!(ran.status.success() && (1..=4).contains(&unknown), "{told}");
    let answered = String::from_utf8(ran.stdout).unwrap().lines().count();
    assert_eq!(answered + unknown, 400);
    let found = numbers(&path).await;
    assert!((50 + answered..=50 + 400).contains(&found), "{found} are there");
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    drop(filled(&path, 3).await);
    // Root writes to what is closed to others, so the file system has to say no.
    let shell = format!(
        "mount --bind {0} {0} && mount -o remount,bind,ro {0} && exec {1} {2} 1 5",
        folder.path().display(),
        env!("CARGO_BIN_EXE_workload"),
        path.display()
    );
    let ran = Command::new("unshare").args(["-m", "sh", "-c", &shell]).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    if told.contains("unshare") || told.contains("mount:") {
        tests::skip!("no file system of its own can be mounted here: {told}");
    }
    assert!(!ran.status.success(), "it was written to");
    assert!(
        told.contains("Read-only file system")
            || told.contains("it may only be read")
            || told.contains("it cannot be opened"),
        "{told}"
    );
    assert_eq!(numbers(&path).await, 3);
}

#[tokio::test]
async fn a_file_that_shrank_or_is_damaged_is_told_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    drop(filled(&path, 400).await);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 40_000, "{}", whole.len());
    fs::write(&path, &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    let read = match open(&path) {
        Ok(table) => table.scan(None, None).await.map(drop).map_err(|failure| failure.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let told = read.unwrap_err();
    assert!(told.contains("it is damaged"), "{told}");
    let mut noise = whole.clone();
    noise[100..4096].fill(0x5a);
    fs::write(&path, &noise).unwrap();
    let read = match open(&path) {
        Ok(table) => table.scan(None, None).await.map(drop).map_err(|failure| failure.to_string()),
        Err(error) => Err(error.to_string()),
    };
    assert!(read.is_err());
    assert_eq!(fs::read(&path).unwrap(), noise);
    fs::write(&path, &whole).unwrap();
    assert_eq!(numbers(&path).await, 400);
}

#[tokio::test]
async fn a_database_of_another_program_and_one_of_a_later_version_are_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('x');")
        .unwrap();
    let before = fs::read(&other).unwrap();
    let error = open(&other).unwrap_err();
    assert!(matches!(&error, OpenError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&other).unwrap(), before);
    let later = folder.path().join("later.db");
    drop(filled(&later, 1).await);
    Connection::open(&later).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = open(&later).unwrap_err();
    assert!(matches!(&error, OpenError::Later { version: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn a_link_to_a_table_is_refused_and_a_folder_may_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    drop(filled(&link.join("latchkey.db"), 2).await);
    assert_eq!(numbers(&real.join("latchkey.db")).await, 2);
    let to_it = folder.path().join("to-it.db");
    std::os::unix::fs::symlink(real.join("latchkey.db"), &to_it).unwrap();
    let error = open(&to_it).unwrap_err();
    assert!(error.to_string().contains("is a link"), "{error}");
    let nowhere = folder.path().join("nowhere.db");
    std::os::unix::fs::symlink(folder.path().join("elsewhere.db"), &nowhere).unwrap();
    assert!(open(&nowhere).unwrap_err().to_string().contains("is a link"));
    assert!(!folder.path().join("elsewhere.db").exists(), "nothing was made where it leads");
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_told_when_waiting_has_not_helped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    let table = Arc::new(filled(&path, 1).await);
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = table.transact("while held", &write_of(1, 5)).await.unwrap_err();
    assert!(
        matches!(&refused, Failure::Table(TableError::Busy(words)) if words == "another program holds it"),
        "{refused:?}"
    );
    // Many wait as long as one: it is the same program that all wait for.
    let mut waiting = tokio::task::JoinSet::new();
    for number in 10..60 {
        let table = table.clone();
        waiting.spawn(async move { table.transact(&format!("held-{number}"), &write_of(1, number)).await });
    }
    let all = tokio::time::timeout(Duration::from_secs(30), waiting.join_all());
    for answer in all.await.expect("each waited for itself") {
        assert!(matches!(answer, Err(Failure::Table(TableError::Busy(_)))), "{answer:?}");
    }
    // Whoever reads waits for nobody.
    assert_eq!(numbers(&path).await, 1);
    holder.execute_batch("ROLLBACK").unwrap();
    table.transact("afterwards", &write_of(1, 5)).await.unwrap();
    assert_eq!(numbers(&path).await, 2);
}

#[tokio::test]
async fn a_file_that_others_may_read_is_narrowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    drop(filled(&path, 1).await);
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    let _table = open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
