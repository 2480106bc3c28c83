//! Plain files: neither links nor what only looks like a file.

use super::*;

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
