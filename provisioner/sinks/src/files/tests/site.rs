//! Where a file is: links, mounts and volumes.

use super::*;

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
fn a_mounted_file_is_refused_before_anything_is_written() {
    let test = "site::a_mounted_file_is_refused_before_anything_is_written";
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
    let test = "site::a_volume_is_the_same_from_run_to_run_and_another_where_another_is_mounted";
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
    let Some(disk) = Disk::mount("site::a_file_below_an_overlay_is_no_mount_point") else { return };
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
