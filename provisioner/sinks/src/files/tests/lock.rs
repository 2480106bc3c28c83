//! Whoever writes a file holds its lock, and no stranger does.

use super::*;

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
