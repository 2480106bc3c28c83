//! Who may read and change a file, before and after it was replaced.

use super::*;

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
fn a_write_protected_folder_or_file_is_told() {
    if rustix::process::geteuid().is_root() {
        // Nothing is write-protected for root.
        return run_again("access::a_write_protected_folder_or_file_is_told", &["--map-user=65534"]);
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
            "access::a_group_that_a_file_cannot_be_given_to_is_refused_before_anything_is_written",
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
