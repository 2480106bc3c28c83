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
    drop(Replacement::prepare(&Site::open(&path).unwrap(), b"three", Mode::AtMost(0o600)).unwrap());
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
        let site = Site::open(&link).unwrap();
        Replacement::prepare(&site, content, Mode::AtMost(0o600)).unwrap().commit().unwrap();
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
    assert!(matches!(read(folder.path(), 9), Err(FileError::Folder { .. })));
    assert!(matches!(read(&path.join("b"), 9), Err(FileError::NoFolder { .. })));
    assert!(matches!(read(&folder.path().join("no/b"), 9), Err(FileError::NoFolder { .. })));
}

#[test]
fn a_files_lock_is_held_by_one_at_a_time_and_stays_as_an_empty_file_of_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let (path, lock) = (folder.path().join("a"), folder.path().join("a.latchkey-lock"));
    let take = |wait| Site::open(&path).unwrap().lock(wait);
    let held = take(Duration::ZERO).unwrap();
    assert!(matches!(take(Duration::from_millis(20)).unwrap_err(), FileError::Held { .. }));
    drop(Site::open(&folder.path().join("b")).unwrap().lock(Duration::ZERO).unwrap());
    drop(held);
    let first = fs::metadata(&lock).unwrap();
    assert_eq!((first.mode() & 0o7777, first.len()), (0o600, 0));
    // What others could open, they could hold.
    fs::set_permissions(&lock, Permissions::from_mode(0o666)).unwrap();
    drop(take(Duration::ZERO).unwrap());
    let second = fs::metadata(&lock).unwrap();
    assert_eq!((second.mode() & 0o7777, second.ino()), (0o600, first.ino()));
    assert_eq!(names(folder.path()), ["a.latchkey-lock", "b.latchkey-lock"]);
}

#[test]
fn a_folders_lock_that_a_stranger_holds_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let stranger = File::open(folder.path()).unwrap();
    stranger.lock().unwrap();
    let lock = Site::open(&path).unwrap().lock(Duration::from_millis(80)).unwrap();
    drop(stranger);
    drop(lock);
    // An earlier release takes that lock, and waits for who has both.
    let lock = Site::open(&path).unwrap().lock(Duration::ZERO).unwrap();
    assert!(File::open(folder.path()).unwrap().try_lock().is_err());
    drop(lock);
    File::open(folder.path()).unwrap().try_lock().unwrap();
}

#[test]
fn what_somebody_put_in_the_place_of_a_lock_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (path, lock, other) = (folder.path().join("a"), folder.path().join("a.latchkey-lock"), folder.path().join("b"));
    let refused = || Site::open(&path).unwrap().lock(Duration::ZERO).unwrap_err();
    symlink(&other, &lock).unwrap();
    assert!(matches!(refused(), FileError::Link { .. }));
    assert!(!other.exists());
    fs::remove_file(&lock).unwrap();
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    assert!(matches!(refused(), FileError::NotRegular { .. }));
    fs::remove_file(&lock).unwrap();
    put(&other, b"other");
    fs::set_permissions(&other, Permissions::from_mode(0o644)).unwrap();
    fs::hard_link(&other, &lock).unwrap();
    assert!(matches!(refused(), FileError::HardLinks { .. }));
    assert_eq!(mode(&other), Some(0o644));
    fs::remove_file(&lock).unwrap();
    if chown(&other, Some(4321), None).is_err() {
        return println!("SKIPPED: needs root for a file of another user");
    }
    fs::rename(&other, &lock).unwrap();
    assert!(matches!(refused(), FileError::OtherOwner { .. }));
    assert_eq!(fs::metadata(&lock).unwrap().uid(), 4321);
}

#[test]
fn a_lock_that_root_makes_belongs_to_the_owner_of_the_file_or_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    if chown(folder.path(), Some(4321), Some(8765)).is_err() {
        return println!("SKIPPED: needs root for a folder of another user");
    }
    let owner = |name: &str| {
        let lock = fs::metadata(folder.path().join(name)).unwrap();
        (lock.uid(), lock.gid(), lock.mode() & 0o7777)
    };
    let (path, mine) = (folder.path().join("a"), folder.path().join("b"));
    drop(Site::open(&path).unwrap().lock(Duration::ZERO).unwrap());
    assert_eq!(owner("a.latchkey-lock"), (4321, 8765, 0o600));
    put(&mine, b"");
    drop(Site::open(&mine).unwrap().lock(Duration::ZERO).unwrap());
    assert_eq!(owner("b.latchkey-lock").0, rustix::process::geteuid().as_raw());
    // The file is given to its user later.
    chown(&mine, Some(4321), Some(8765)).unwrap();
    drop(Site::open(&mine).unwrap().lock(Duration::ZERO).unwrap());
    assert_eq!(owner("b.latchkey-lock"), (4321, 8765, 0o600));
}

#[test]
fn a_plain_file_is_neither_read_nor_written_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    symlink("target", &link).unwrap();
    for _ in 0..2 {
        assert!(matches!(write_atomic(&link, b"new", 0o600), Err(FileError::Link { .. })));
        assert!(matches!(read_plain(&link, 9), Err(FileError::Link { .. })));
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("target"));
        assert!(fs::read(&target).map_or(true, |content| content == b"old"));
        put(&target, b"old");
    }
    assert_eq!(*read_plain(&target, 9).unwrap().unwrap().bytes, b"old");
    // Folders on the way may be links.
    symlink(folder.path(), folder.path().join("here")).unwrap();
    write_atomic(&folder.path().join("here/target"), b"new", 0o600).unwrap();
    assert_eq!(*read_plain(&folder.path().join("here/target"), 9).unwrap().unwrap().bytes, b"new");
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_content_and_no_size_is_no_file() {
    for path in ["/proc/self/environ", "/proc/self/status"] {
        assert!(matches!(read(Path::new(path), 1 << 20), Err(FileError::NotRegular { .. })), "{path}");
    }
}

#[test]
fn a_mounted_file_is_refused_before_anything_is_written() {
    let test = "a_mounted_file_is_refused_before_anything_is_written";
    let Some(disk) = Disk::mount(test) else { return };
    let (host, path) = (disk.0.path().join("host"), disk.0.path().join("a"));
    put(&host, b"host");
    put(&path, b"old");
    check(&path).unwrap();
    let bound = Command::new("mount").arg("--bind").arg(&host).arg(&path).status().unwrap();
    assert!(bound.success());
    // The same file system: only the mount tells.
    assert_eq!(fs::metadata(&path).unwrap().dev(), fs::metadata(disk.0.path()).unwrap().dev());
    let error = refused(&path, Mode::AtMost(0o600));
    assert!(matches!(error, FileError::MountPoint { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"host");
    // One that is mounted with its folder is a file like any other.
    check(&host).unwrap();
}

#[test]
fn a_file_with_other_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a"), folder.path().join("b"));
    put(&path, b"old");
    fs::hard_link(&path, &other).unwrap();
    let error = refused(&path, Mode::Exactly(0o600));
    assert!(
        error.to_string().ends_with("has 1 other name (hard links), which a new version would not reach"),
        "{error}"
    );
    fs::remove_file(other).unwrap();
    write_atomic(&path, b"new", 0o600).unwrap();
}

#[test]
fn a_file_that_only_its_group_may_read_too_is_refused_or_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    for mode in [0o640, 0o660, 0o750] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(matches!(refused(&path, Mode::AtMost(0o600)), FileError::Readers { .. }), "{mode:o}");
    }
    for mode in [0o640, 0o600, 0o660] {
        let site = Site::open(&path).unwrap();
        Replacement::prepare(&site, b"new", Mode::Exactly(mode)).unwrap().commit().unwrap();
        assert_eq!(super::mode(&path), Some(mode));
    }
    // What everybody may read shows no reader: most users' files are so.
    for (before, after) in [(0o644, 0o600), (0o664, 0o600), (0o604, 0o600), (0o620, 0o600)] {
        fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(super::mode(&path), Some(after));
    }
    if chown(&path, None, Some(8765)).is_err() {
        return println!("SKIPPED: needs root for a file of another group");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(refused(&path, Mode::AtMost(0o600)), FileError::Readers { group: 8765, .. }));
    let site = Site::open(&path).unwrap();
    Replacement::prepare(&site, b"new", Mode::Exactly(0o640)).unwrap().commit().unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.gid(), metadata.mode() & 0o777), (8765, 0o640));
}

#[test]
fn a_group_that_a_file_cannot_be_given_to_is_refused_before_anything_is_written() {
    if rustix::process::geteuid().is_root() {
        // Root gives files to anybody.
        return run_again(
            "a_group_that_a_file_cannot_be_given_to_is_refused_before_anything_is_written",
            &["--map-user=65534"],
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    let mine = rustix::process::getegid().as_raw();
    assert!(super::check::may_give_to(mine));
    assert!(!super::check::may_give_to(8765));
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let site = Site::open(&path).unwrap();
    Replacement::prepare(&site, b"new", Mode::Exactly(0o640)).unwrap().commit().unwrap();
    assert_eq!(super::mode(&path), Some(0o640));
}

/// An access list as `setfacl` writes it: entries of tag, permissions and id.
#[cfg(target_os = "linux")]
fn access_list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

#[cfg(target_os = "linux")]
#[test]
fn whom_an_access_list_names_still_reads_the_file_and_attributes_stay() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    const LIST: &str = "system.posix_acl_access";
    const NONE: u32 = u32::MAX;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    let list = access_list(&[(1, 6, NONE), (2, 4, 4321), (4, 0, NONE), (16, 4, NONE), (32, 4, NONE)]);
    if let Err(error) = setxattr(&path, LIST, &list, XattrFlags::empty()) {
        return println!("SKIPPED: needs a file system with access lists: {error}");
    }
    setxattr(&path, "user.origin", b"here", XattrFlags::empty()).unwrap();
    write_atomic(&path, b"new", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    let value = |name: &str| {
        let mut value: Vec<u8> = Vec::with_capacity(1000);
        getxattr(&path, name, rustix::buffer::spare_capacity(&mut value)).map(|_| value)
    };
    // Whom it names keep what they have; others have nothing any more.
    let after = access_list(&[(1, 6, NONE), (2, 4, 4321), (4, 0, NONE), (16, 4, NONE), (32, 0, NONE)]);
    assert_eq!(value(LIST).unwrap(), after);
    assert_eq!(value("user.origin").unwrap(), b"here");
    // Its own group is somebody's, as without a list.
    let list = access_list(&[(1, 6, NONE), (2, 4, 4321), (4, 4, NONE), (16, 4, NONE), (32, 0, NONE)]);
    setxattr(&path, LIST, &list, XattrFlags::empty()).unwrap();
    assert!(matches!(refused(&path, Mode::AtMost(0o600)), FileError::Readers { .. }));
    let site = Site::open(&path).unwrap();
    Replacement::prepare(&site, b"newer", Mode::Exactly(0o640)).unwrap().commit().unwrap();
    assert_eq!(value(LIST).unwrap(), list);
    // What no new file can be given is refused.
    if setxattr(&path, "trusted.mark", b"x", XattrFlags::empty()).is_ok() {
        assert!(refused(&path, Mode::Exactly(0o640)).to_string().contains("`trusted.mark`"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folders_list_for_new_files_gives_no_one_a_file_that_had_none() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    const NONE: u32 = u32::MAX;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let list = access_list(&[(1, 7, NONE), (2, 7, 4321), (4, 7, NONE), (16, 7, NONE), (32, 7, NONE)]);
    if let Err(error) = setxattr(folder.path(), "system.posix_acl_default", &list, XattrFlags::empty()) {
        return println!("SKIPPED: needs a file system with access lists: {error}");
    }
    let site = Site::open(&path).unwrap();
    Replacement::prepare(&site, b"new", Mode::Exactly(0o640)).unwrap().commit().unwrap();
    let mut value: Vec<u8> = Vec::with_capacity(1000);
    let found = getxattr(&path, "system.posix_acl_access", rustix::buffer::spare_capacity(&mut value));
    assert_eq!(found, Err(rustix::io::Errno::NODATA));
    assert_eq!(super::mode(&path), Some(0o640));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_or_folder_marked_as_immutable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    put(&path, b"old");
    let mark = |flag: &str, path: &Path| Command::new("chattr").arg(flag).arg(path).output().unwrap().status.success();
    for (marked, flag) in [(path.clone(), "+i"), (path.clone(), "+a"), (folder.path().to_owned(), "+i")] {
        if !mark(flag, &marked) {
            return println!("SKIPPED: needs root and a file system with `chattr`");
        }
        let refused = check(&path);
        assert!(mark(&flag.replace('+', "-"), &marked));
        assert!(matches!(refused, Err(FileError::Immutable { .. })), "{flag}: {refused:?}");
    }
    check(&path).unwrap();
}

#[test]
fn a_folder_that_is_swapped_meanwhile_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let [here, gone, other] = ["here", "gone", "other"].map(|name| folder.path().join(name));
    for made in [&here, &other] {
        fs::create_dir(made).unwrap();
        put(&made.join("a"), b"old");
    }
    let site = Site::open(&here.join("a")).unwrap();
    let replacement = Replacement::prepare(&site, b"new", Mode::AtMost(0o600)).unwrap();
    fs::rename(&here, &gone).unwrap();
    symlink(&other, &here).unwrap();
    let lock = site.lock(Duration::ZERO).unwrap();
    let again = |folder: &Path| Site::open(&folder.join("a")).unwrap().lock(Duration::ZERO);
    assert!(matches!(again(&gone), Err(FileError::Held { .. })), "the folder that was opened");
    drop(again(&other).unwrap());
    fs::remove_file(other.join("a.latchkey-lock")).unwrap();
    replacement.commit().unwrap();
    drop(lock);
    assert_eq!(fs::read(gone.join("a")).unwrap(), b"new");
    assert_eq!((fs::read(other.join("a")).unwrap(), names(&other)), (b"old".to_vec(), vec!["a".to_owned()]));
    assert_eq!(*site.read(9).unwrap().unwrap().bytes, b"new");
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a"), folder.path().join("b"));
    put(&path, b"old");
    put(&other, b"other");
    let site = Site::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&other, &path).unwrap();
    assert!(site.read(9).is_err());
    assert!(site.check_replaceable(Mode::AtMost(0o600)).is_err());
}

#[test]
fn a_volume_is_the_same_from_run_to_run_and_another_where_another_is_mounted() {
    let test = "a_volume_is_the_same_from_run_to_run_and_another_where_another_is_mounted";
    let Some(disk) = Disk::mount(test) else { return };
    let volume = |folder: &Path| Site::open(&folder.join("a")).unwrap().volume().unwrap();
    let (one, two) = (disk.0.path().join("one"), disk.0.path().join("two"));
    for made in [&one, &two] {
        fs::create_dir(made).unwrap();
    }
    let before = volume(&one);
    assert_eq!((volume(&one), volume(&two)), (before.clone(), before.clone()));
    // A folder that is made anew is on the same file system.
    fs::remove_dir(&one).unwrap();
    fs::create_dir(&one).unwrap();
    assert_eq!(volume(&one), before);
    // Two folders of one file system, mounted at one path in two containers.
    assert!(Command::new("mount").arg("--bind").args([&two, &one]).status().unwrap().success());
    assert_ne!(volume(&one), before);
    assert!(Command::new("umount").arg(&one).status().unwrap().success());
    assert!(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&one).status().unwrap().success());
    assert_ne!(volume(&one), before);
}

/// In a container's own file system files are on other devices than their folders.
#[test]
fn a_file_below_an_overlay_is_no_mount_point() {
    let Some(disk) = Disk::mount("a_file_below_an_overlay_is_no_mount_point") else { return };
    let lower = tempfile::tempdir().unwrap();
    put(&lower.path().join("a"), b"old");
    let [upper, work, merged] = ["upper", "work", "merged"].map(|name| disk.0.path().join(name));
    for made in [&upper, &work, &merged] {
        fs::create_dir(made).unwrap();
    }
    let [lower, upper, work] = [lower.path(), &upper, &work].map(|folder| folder.display().to_string());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work},xino=off,userxattr");
    let mounted =
        Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(&merged).output().unwrap();
    assert!(mounted.status.success(), "{NO_LEAVE}: {}", String::from_utf8_lossy(&mounted.stderr));
    let path = merged.join("a");
    assert_ne!(fs::metadata(&path).unwrap().dev(), fs::metadata(&merged).unwrap().dev());
    check(&path).unwrap();
    write_atomic(&path, b"new", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}
