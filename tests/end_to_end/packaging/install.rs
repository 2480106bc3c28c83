//! `packaging/install.sh`: what it installs, and all that it refuses.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tests::programs::missing;
use tests::provision::{Ran, World};
use tests::release::{Release, TARGET};

use super::packaging;

struct Scene {
    world: World,
    release: Release,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let release = Release::of(world.command([""; 0]).get_program().as_ref());
        let scene = Self { world, release };
        scene.is_a("Linux", "x86_64");
        scene
    }

    /// What `uname` tells of this machine.
    fn is_a(&self, system: &str, processor: &str) {
        std::fs::create_dir_all(self.world.path("programs")).unwrap();
        self.world
            .write("programs/uname", &format!("#!/bin/sh\n[ \"$1\" = -m ] && echo {processor} || echo {system}\n"));
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.world.path("programs/uname"), executable).unwrap();
    }

    fn install_from(&self, releases: Option<&str>, words: &[&str]) -> Ran {
        let mut command = Command::new("sh");
        self.world.prepare(command.arg(packaging("install.sh")).args(words));
        let path = format!("{}:{}", self.world.path("programs").display(), std::env::var("PATH").unwrap());
        command
            .env("PATH", path)
            .env("TMPDIR", self.world.folder())
            .envs(releases.map(|url| ("LATCHKEY_RELEASES", url)));
        Ran::from(command.output().unwrap())
    }

    fn install(&self, words: &[&str]) -> Ran {
        self.install_from(Some(self.release.url()), words)
    }

    /// It was refused for this reason, and nothing was written.
    fn is_refused(&self, ran: Ran, why: &str) {
        let ran = ran.exits(1);
        assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        let left: Vec<_> =
            std::fs::read_dir(self.world.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["programs"], "{why}");
        assert!(!self.world.path("../home/.local").exists(), "{why}");
    }
}

macro_rules! scene {
    () => {{
        if let Some(why) = missing(&["curl", "tar", "sha256sum"]) {
            tests::skip!("{why}");
        }
        Scene::new()
    }};
}

#[test]
fn it_installs_the_command_for_oneself_or_into_a_folder_and_leaves_nothing_else() {
    let scene = scene!();
    let ran = scene.install(&[]).exits(0);
    let home = scene.world.path("../home").canonicalize().unwrap();
    let command = home.join(".local/bin/provision");
    assert!(ran.stderr.contains(&format!("Installed `{}`", command.display())), "{}", ran.stderr);
    assert!(ran.stderr.contains(&scene.release.sum()) && ran.stderr.contains("is not in your PATH"), "{}", ran.stderr);
    scene.install(&["--to", "there", "--sha256", &scene.release.sum()]).exits(0);
    for command in [command, scene.world.path("there/provision")] {
        assert_eq!(std::fs::metadata(&command).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(command.parent().unwrap()).unwrap().count(), 1);
        let mut version = Command::new(command);
        scene.world.prepare(version.arg("--version"));
        assert!(Ran::from(version.output().unwrap()).exits(0).stdout.starts_with("provision "));
    }
    assert_eq!(std::fs::read_dir(scene.world.folder()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn an_archive_with_another_checksum_is_never_unpacked_and_what_was_installed_stays() {
    let scene = scene!();
    let good = scene.release.sum();
    let mut tampered = std::fs::read(scene.release.path(&Release::archive())).unwrap();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 1;
    scene.release.write(&Release::archive(), tampered);
    scene.is_refused(scene.install(&["--to", "there"]), "the checksum of `latchkey-0.1.0-");
    // Who replaces the release as a whole also writes the sums: then only a sum from elsewhere helps.
    scene.release.sum_up();
    scene.is_refused(scene.install(&["--to", "there", "--sha256", &good]), &format!("expected {good}, found "));
    std::fs::create_dir(scene.world.path("there")).unwrap();
    scene.world.write("there/provision", "the former");
    scene.install(&["--to", "there", "--sha256", &good]).exits(1);
    assert_eq!(scene.world.read("there/provision"), "the former");
}

#[test]
fn a_release_that_lacks_a_file_or_has_no_archive_of_ours_installs_nothing() {
    let scene = scene!();
    let sums = format!("{}  {}\n", scene.release.sum(), Release::archive());
    let beside = Release::archive().replace("latchkey-", "latchkey-/../");
    for (written, why) in [
        (String::new(), "has no archive for"),
        (sums.replace("x86_64", "riscv64"), "has no archive for"),
        (sums.replace(&Release::archive(), &beside), "has no archive for"),
        (sums.replace("  ", "  ../"), "has no archive for"),
        (sums[1..].to_owned(), "has no archive for"),
        (sums.repeat(2), "more than one archive"),
        (sums.replace("0.1.0", "0.2.0"), "cannot download"),
    ] {
        scene.release.write("SHA256SUMS", written);
        scene.is_refused(scene.install(&[]), why);
    }
    std::fs::remove_file(scene.release.path("SHA256SUMS")).unwrap();
    scene.is_refused(scene.install(&[]), "cannot download");
    // An archive of something else, with the right sum.
    scene.world.write("programs/other", "");
    let mut pack = Command::new("tar");
    pack.arg("-czf").arg(scene.release.path(&Release::archive())).arg("-C").arg(scene.world.path("programs"));
    assert!(pack.arg("other").status().unwrap().success());
    scene.release.sum_up();
    scene.is_refused(scene.install(&[]), "does not contain `provision`");
}

#[test]
fn each_machine_gets_its_own_archive_and_one_that_nothing_is_built_for_is_told_so() {
    let scene = scene!();
    for (system, processor, target) in [
        ("Linux", "aarch64", "aarch64-unknown-linux-musl"),
        ("Linux", "arm64", "aarch64-unknown-linux-musl"),
        ("Darwin", "arm64", "aarch64-apple-darwin"),
        ("Darwin", "x86_64", "x86_64-apple-darwin"),
    ] {
        scene.is_a(system, processor);
        assert_ne!(target, TARGET);
        scene.is_refused(scene.install(&[]), &format!("has no archive for `{target}`"));
    }
    for (system, processor) in [("Linux", "riscv64"), ("FreeBSD", "x86_64")] {
        scene.is_a(system, processor);
        scene.is_refused(
            scene.install(&[]),
            &format!("no release is built for this machine: `{system}` on `{processor}`"),
        );
    }
}

#[test]
fn it_downloads_from_a_named_release_only_and_never_in_the_open() {
    let scene = scene!();
    scene.is_refused(scene.install_from(None, &[]), "LATCHKEY_RELEASES is not set");
    let url = scene.release.url();
    for open in [
        &url.replace("127.0.0.1", "192.0.2.1"),
        "http://127.0.0.1.example/",
        "http://localhost.example",
        "ftp://127.0.0.1/",
        "/tmp",
    ] {
        scene.is_refused(scene.install_from(Some(open), &[]), "does not begin with `https://`");
    }
    let user = "http://127.0.0.1:80@releases.example/v0.1.0";
    scene.is_refused(scene.install_from(Some(user), &[]), "LATCHKEY_RELEASES contains `@`");
    scene.is_refused(scene.install(&["--to"]), "`--to` needs a value");
    scene.is_refused(scene.install(&["--force"]), "unknown argument `--force`");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let scene = scene!();
    scene.world.write("file", "");
    let ran = scene.install(&["--to", "file/there"]).exits(1);
    assert!(ran.stderr.contains("cannot create `file/there`; nothing was installed"), "{}", ran.stderr);
}
