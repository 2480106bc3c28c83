//! What the writer of files promises.

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

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs the named test of this module again, in a process of its own that is somebody else: `who` is for `unshare`.
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
    drop(Replacement::prepare(&path, b"three", 0o600).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn the_mode_is_the_one_asked_for_and_never_wider_than_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_atomic(&path, b"", 0o644).unwrap();
    assert_eq!(mode(&path), Some(0o644));
    write_atomic(&path, b"", 0o600).unwrap();
    assert_eq!(mode(&path), Some(0o600));
    write_atomic(&path, b"", 0o644).unwrap();
    assert_eq!(mode(&path), Some(0o600));
}

#[test]
fn the_owner_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    let me = rustix::process::geteuid();
    // Only root gives files to others; whoever is in a second group gives them to that.
    let groups = rustix::process::getgroups().unwrap();
    let second = groups.into_iter().find(|group| *group != rustix::process::getegid()).map(rustix::fs::Gid::as_raw);
    let Some((uid, gid)) = me.is_root().then_some((4321, 8765)).or(second.map(|group| (me.as_raw(), group))) else {
        return println!("SKIPPED: needs root or a second group");
    };
    chown(&path, Some(uid), Some(gid)).unwrap();
    write_atomic(&path, b"new", 0o640).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), fs::read(&path).unwrap()), (uid, gid, b"new".to_vec()));
}

#[test]
fn a_link_stays_a_link() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, target) = (folder.path().join("link"), other.path().join("target"));
    symlink(&target, &link).unwrap();
    // Also one that leads nowhere yet.
    for content in [b"one", b"two"] {
        write_atomic(&link, content, 0o600).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), target);
        assert_eq!(fs::read(&target).unwrap(), content);
    }
    assert_eq!(names(folder.path()), ["link"]);
}

#[test]
fn links_are_resolved_where_they_exist() {
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap();
    fs::create_dir_all(root.join("real/deep")).unwrap();
    symlink("real/deep", root.join("short")).unwrap();
    symlink("../nowhere/file", root.join("real/dangling")).unwrap();
    symlink("circle", root.join("circle")).unwrap();
    let check = |path: &str, wanted: &str| assert_eq!(resolve(&root.join(path)), root.join(wanted));
    check("short/new", "real/deep/new");
    check("short/../new", "real/new");
    check("real/./dangling", "nowhere/file");
    check("missing/../short/x/../y", "real/deep/y");
    check("circle", "circle");
}

#[test]
fn every_obstacle_has_its_own_error_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let (file, root) = (folder.path().join("file"), fs::canonicalize(folder.path()).unwrap());
    put(&file, b"old");
    let check = |path: &Path, wanted: &str| {
        let error = write_atomic(path, b"new", 0o600).unwrap_err();
        assert_eq!(error.to_string(), wanted);
        assert_eq!(check_writable(path).unwrap_err().to_string(), wanted);
        assert!(!error.hint().is_empty());
    };
    check(&file.join("below"), &format!("the folder `{}` does not exist", root.join("file").display()));
    check(&folder.path().join("no/a"), &format!("the folder `{}` does not exist", root.join("no").display()));
    check(folder.path(), &format!("`{}` is not a regular file", root.display()));
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn a_read_only_file_system_is_told_and_the_old_file_stays() {
    let Some(disk) = Disk::mount("a_read_only_file_system_is_told_and_the_old_file_stays") else { return };
    let path = disk.0.path().join("a");
    put(&path, b"old");
    disk.remount("ro");
    assert!(matches!(check_writable(&path), Err(FileError::ReadOnly { .. })));
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
fn a_write_protected_folder_or_file_is_told() {
    if rustix::process::geteuid().is_root() {
        // Nothing is write-protected for root.
        return run_again("a_write_protected_folder_or_file_is_told", &["--map-user=65534"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(matches!(write_atomic(&path, b"new", 0o600), Err(FileError::Denied { .. })));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
    assert!(matches!(write_atomic(&path, b"new", 0o600), Err(FileError::Denied { .. })));
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn reading_tells_missing_too_large_and_irregular_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    assert!(read(&path, 10).unwrap().is_none());
    put(&path, b"0123456789");
    assert_eq!(*read(&path, 10).unwrap().unwrap().bytes, b"0123456789");
    assert!(matches!(read(&path, 9), Err(FileError::TooLarge { .. })));
    assert!(matches!(read(folder.path(), 9), Err(FileError::NotRegular { .. })));
    assert!(matches!(read(&path.join("b"), 9), Err(FileError::NoFolder { .. })));
    assert!(matches!(read(&folder.path().join("no/b"), 9), Err(FileError::NoFolder { .. })));
}

#[test]
fn a_folders_lock_is_held_by_one_at_a_time_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let lock = lock_folder(folder.path(), Duration::ZERO).unwrap();
    let error = lock_folder(folder.path(), Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, FileError::Held { .. }));
    drop(lock);
    drop(lock_folder(folder.path(), Duration::ZERO).unwrap());
    assert!(matches!(lock_folder(&folder.path().join("no"), Duration::ZERO), Err(FileError::NoFolder { .. })));
    assert!(names(folder.path()).is_empty());
}
