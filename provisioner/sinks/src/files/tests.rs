//! What the writer of files promises.

mod access;
mod lock;
mod plain;
mod site;

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

fn put(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

fn check(path: &Path) -> Result<(), FileError> {
    Site::open(path)?.check_replaceable(Mode::AtMost(0o600))
}

/// What is written and checked in the same way: refused before anything is written, and the file as it was.
#[track_caller]
fn refused(path: &Path, mode: Mode) -> FileError {
    let site = Site::open(path).unwrap();
    let before = (fs::read(path).ok(), fs::metadata(path).unwrap().ino());
    let error = site.check_replaceable(mode).unwrap_err();
    let again = Replacement::prepare(&site, b"new", mode).unwrap_err();
    assert_eq!(error.to_string(), again.to_string());
    assert!(!error.hint().is_empty());
    assert_eq!((fs::read(path).ok(), fs::metadata(path).unwrap().ino()), before);
    error
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs the named test, by its path below this module, again, in a process of its own that is somebody else: `who` is for `unshare`.
fn run_again(test: &str, who: &[&str]) {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new("unshare");
    command.args(who).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).env(SEEN_BY_ONE, "1");
    let output = command.output().expect("`unshare` is there, see tests/debian.txt");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if let Some(why) = said.lines().find(|line| line.starts_with("unshare:") || line.contains(NO_LEAVE)) {
        return println!("SKIPPED: needs a user namespace: {why}");
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Names, in its environment, the process that sees mounts of its own.
const SEEN_BY_ONE: &str = "LATCHKEY_TEST_OWN_MOUNTS";
const NO_LEAVE: &str = "no leave to mount";

/// A small file system of its own, which ends with the one process that sees it.
struct Disk(TempDir);

impl Disk {
    /// In a process that may mount, a disk; in any other `None`, and the named test is run in one that may.
    fn mount(test: &str) -> Option<Self> {
        if std::env::var_os(SEEN_BY_ONE).is_none() {
            run_again(test, &["--mount", "--map-root-user"]);
            return None;
        }
        let disk = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(disk.path()).output();
        let mounted = mounted.expect("`mount` is there, see tests/debian.txt");
        assert!(mounted.status.success(), "{NO_LEAVE}: {}", String::from_utf8_lossy(&mounted.stderr));
        Some(Self(disk))
    }

    fn remount(&self, options: &str) {
        let output = Command::new("mount").args(["-o", &format!("remount,bind,{options}")]).arg(self.0.path()).output();
        assert!(output.unwrap().status.success());
    }
}

#[test]
fn a_file_is_replaced_in_one_step_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_atomic(&path, b"one", 0o600).unwrap();
    let first = fs::metadata(&path).unwrap().ino();
    write_atomic(&path, b"two", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_ne!(fs::metadata(&path).unwrap().ino(), first);
    drop(Replacement::prepare(&Site::open(&path).unwrap(), b"three", Mode::AtMost(0o600)).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn every_obstacle_has_its_own_error_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let (file, root) = (folder.path().join("file"), fs::canonicalize(folder.path()).unwrap());
    put(&file, b"old");
    let meets = |path: &Path, wanted: &str| {
        let error = write_atomic(path, b"new", 0o600).unwrap_err();
        assert_eq!(error.to_string(), wanted);
        assert_eq!(check(path).unwrap_err().to_string(), wanted);
        assert!(!error.hint().is_empty());
    };
    meets(&file.join("below"), &format!("the folder `{}` does not exist", root.join("file").display()));
    meets(&folder.path().join("no/a"), &format!("the folder `{}` does not exist", root.join("no").display()));
    meets(folder.path(), &format!("`{}` is a folder, not a file", root.display()));
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    meets(&folder.path().join("pipe"), &format!("`{}` is not a regular file", root.join("pipe").display()));
    fs::remove_file(folder.path().join("pipe")).unwrap();
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn a_read_only_file_system_is_told_and_the_old_file_stays() {
    let Some(disk) = Disk::mount("a_read_only_file_system_is_told_and_the_old_file_stays") else { return };
    let path = disk.0.path().join("a");
    put(&path, b"old");
    disk.remount("ro");
    assert!(matches!(check(&path), Err(FileError::ReadOnly { .. })));
    assert!(matches!(write_atomic(&path, b"new", 0o600), Err(FileError::ReadOnly { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_full_disk_is_told_and_the_old_file_stays() {
    let Some(disk) = Disk::mount("a_full_disk_is_told_and_the_old_file_stays") else { return };
    let path = disk.0.path().join("a");
    put(&path, b"old");
    let error = write_atomic(&path, &vec![b'x'; 1 << 20], 0o600).unwrap_err();
    assert!(matches!(error, FileError::Full { .. }), "{error}");
    assert!(error.hint().contains("is unchanged"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(disk.0.path()), ["a"]);
}

#[test]
fn reading_tells_missing_too_large_and_irregular_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    assert!(read(&path, 10).unwrap().is_none());
    put(&path, b"0123456789");
    assert_eq!(*read(&path, 10).unwrap().unwrap().bytes, b"0123456789");
    assert!(matches!(read(&path, 9), Err(FileError::TooLarge { .. })));
    assert!(matches!(read(folder.path(), 9), Err(FileError::Folder { .. })));
    assert!(matches!(read(&path.join("b"), 9), Err(FileError::NoFolder { .. })));
    assert!(matches!(read(&folder.path().join("no/b"), 9), Err(FileError::NoFolder { .. })));
}
