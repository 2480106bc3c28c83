//! Links in the path of a manifest, and what is no plain file.

use std::fs::{create_dir_all, remove_file, rename};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A folder `repo` with a good manifest in each of its folders, and files outside it.
struct Checkout {
    _temporary: tempfile::TempDir,
    root: PathBuf,
}

impl Checkout {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        for file in [
            "repo/other.toml",
            "repo/sub/tokens.toml",
            "repo/sub/.git/tokens.toml",
            "repo/.git/tokens.toml",
            "repo/.git/config",
            "outside/tokens.toml",
            "outside/credentials",
        ] {
            put(&root.join(file), starter("acme").as_bytes());
        }
        Self { _temporary: temporary, root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Puts a link in a folder that may not be there yet.
    fn link(&self, target: &str, path: &str) {
        create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
    }

    fn load(&self, path: &str) -> Result<Manifest, LoadError> {
        load(&self.at(path), &Allowances::default()).map(|(manifest, _)| manifest)
    }

    /// What was refused of a link.
    fn refused(&self, path: &str) -> Option<RefusedTarget> {
        match self.load(path) {
            Err(LoadError::File(ReadError::Link { target, .. })) => Some(target),
            Err(error) => panic!("{path}: {error}"),
            Ok(_) => None,
        }
    }
}

fn put(path: &Path, bytes: &[u8]) {
    create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_link_is_followed_only_to_the_same_name_in_or_below_its_folder() {
    use RefusedTarget::{Git, OtherName, Outside};
    for (target, expected) in [
        ("sub/tokens.toml", None),
        ("./sub/../sub/tokens.toml", None),
        ("other.toml", Some(OtherName)),
        (".git/tokens.toml", Some(Git)),
        (".git/config", Some(Git)),
        ("sub/.git/tokens.toml", Some(Git)),
        ("../outside/tokens.toml", Some(Outside)),
        ("../outside/credentials", Some(Outside)),
        ("../outside/nothing", Some(Outside)),
        ("/proc/self/environ", Some(Outside)),
        ("/dev/zero", Some(Outside)),
    ] {
        let checkout = Checkout::new();
        checkout.link(target, "repo/tokens.toml");
        assert_eq!(checkout.refused("repo/tokens.toml"), expected, "{target}");
    }
}

#[test]
fn a_chain_of_links_counts_by_its_end() {
    let checkout = Checkout::new();
    checkout.link("hop", "repo/tokens.toml");
    checkout.link("sub/tokens.toml", "repo/hop");
    assert_eq!(checkout.refused("repo/tokens.toml"), None);
    remove_file(checkout.at("repo/hop")).unwrap();
    checkout.link("sub/away/tokens.toml", "repo/hop");
    checkout.link("../../outside", "repo/sub/away");
    assert_eq!(checkout.refused("repo/tokens.toml"), Some(RefusedTarget::Outside));
}

#[test]
fn a_mounted_config_map_is_read_and_its_paths_start_at_the_link() {
    let checkout = Checkout::new();
    put(&checkout.at("mounted/..2026_11_26/tokens.toml"), starter("acme").as_bytes());
    checkout.link("..2026_11_26", "mounted/..data");
    checkout.link("..data/tokens.toml", "mounted/tokens.toml");
    assert_eq!(checkout.load("mounted/tokens.toml").unwrap().folder, checkout.at("mounted"));
}

#[test]
fn a_folder_may_be_reached_through_a_link_but_not_that_of_git() {
    let checkout = Checkout::new();
    checkout.link("../outside", "repo/shared");
    assert_eq!(checkout.load("repo/shared/tokens.toml").unwrap().folder, checkout.at("outside"));
    checkout.link(".git", "repo/conf");
    assert_eq!(checkout.refused("repo/conf/config"), Some(RefusedTarget::Git));
    // Whoever names it has it.
    assert_eq!(checkout.refused("repo/.git/config"), None);
}

#[test]
fn a_link_that_ends_nowhere_is_no_missing_manifest() {
    let checkout = Checkout::new();
    checkout.link("gone/tokens.toml", "repo/tokens.toml");
    assert!(matches!(checkout.load("repo/tokens.toml"), Err(LoadError::File(ReadError::DanglingLink(_)))));
    checkout.link("tokens.toml", "circle/tokens.toml");
    assert!(matches!(checkout.load("circle/tokens.toml"), Err(LoadError::File(ReadError::Unreadable { .. }))));
}

#[test]
fn what_is_no_plain_file_is_not_read_and_a_pipe_not_waited_for() {
    let checkout = Checkout::new();
    let made = std::process::Command::new("mkfifo").arg(checkout.at("repo/pipe.toml")).status();
    assert!(made.unwrap().success());
    std::os::unix::net::UnixListener::bind(checkout.at("repo/socket.toml")).unwrap();
    for path in ["repo/pipe.toml", "repo/socket.toml", "repo", "/dev/zero", "/dev/tty", "repo/.."] {
        let loaded = checkout.load(path);
        assert!(matches!(loaded, Err(LoadError::File(ReadError::NotAFile(_)))), "{path}: {loaded:?}");
    }
    for path in ["/proc/self/environ", "/proc/self/status", "/proc/self/mounts"] {
        let loaded = checkout.load(path);
        assert!(matches!(loaded, Err(LoadError::File(ReadError::NoSize(_)))), "{path}: {loaded:?}");
    }
    // An empty file is one.
    put(&checkout.at("repo/empty.toml"), b"");
    assert!(matches!(checkout.load("repo/empty.toml"), Err(LoadError::Faults(_))));
}

#[test]
fn what_is_read_is_what_was_judged() {
    let checkout = Checkout::new();
    let (path, stop) = (checkout.at("repo/tokens.toml"), AtomicBool::new(false));
    put(&checkout.at("outside/credentials"), b"manifest = \"stolen\"");
    put(&path, starter("acme").as_bytes());
    let mut refused = 0;
    std::thread::scope(|scope| {
        // Swaps the file for a link that leads out and back, as fast as it can.
        scope.spawn(|| {
            let (kept, link) = (checkout.at("repo/kept"), checkout.at("repo/link"));
            symlink("../outside/credentials", &link).unwrap();
            while !stop.load(Ordering::Relaxed) {
                rename(&path, &kept).unwrap();
                rename(&link, &path).unwrap();
                rename(&path, &link).unwrap();
                rename(&kept, &path).unwrap();
            }
        });
        for _ in 0..3000 {
            match checkout.load("repo/tokens.toml") {
                Ok(manifest) => assert_eq!(manifest.name.as_str(), "acme"),
                Err(LoadError::File(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(refused > 0, "the swapping was never met");
}

#[test]
fn a_saved_plan_is_told_from_a_manifest() {
    let checkout = Checkout::new();
    put(&checkout.at("repo/plan.json"), b"{\n  \"latchkey_plan\": 1,\n  \"manifest\": \"acme\"\n}\n");
    assert!(matches!(checkout.load("repo/plan.json"), Err(LoadError::SavedPlan(_))));
    put(&checkout.at("repo/other.json"), b"{\"manifest\": \"acme\"}");
    assert!(matches!(checkout.load("repo/other.json"), Err(LoadError::Faults(_))));
}
