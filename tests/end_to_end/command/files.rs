//! Which file it is: what a replaced file would lose is kept or refused before anything is staged, and no file is written
//! that the manifest does not mean.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::process::{Command, Stdio};

use tests::provision::{DAY, HOUR, Ran, World, finish};

use super::{START, TWO, applied, assert_told};

fn manifest() -> String {
    format!("{START}{TWO}")
}

/// How many versions a token has had so far.
fn versions(world: &World, name: &str) -> u64 {
    let told = world.run(&format!("token show {name} --user ci --format json"));
    if told.code != Some(0) {
        return 0;
    }
    let token = told.json();
    let versions = token["versions"].as_array().expect("versions");
    versions.iter().filter_map(|version| version["version"].as_u64()).max().unwrap_or(0)
}

/// Runs a script in a mount namespace of its own, where `$PROVISION` is the command; a place for a test that may not mount.
fn in_mounts(world: &World, script: &str) -> Option<Ran> {
    let inner = world.command(["x"]);
    let mut command = Command::new("unshare");
    world.prepare(&mut command);
    command.args(["--mount", "--map-root-user", "sh", "-c", script]).env("PROVISION", inner.get_program());
    let ran = finish(command.stdin(Stdio::null()).spawn().expect("`unshare` is there"), None);
    if ran.stderr.contains("mount:") || ran.stderr.starts_with("unshare:") {
        tests::skip!("needs leave to mount: {}", ran.stderr.trim());
    }
    world.note(&format!("# {script}"), &ran);
    Some(ran)
}

#[test]
fn a_file_that_is_mounted_by_itself_is_refused_and_no_version_is_used_up() {
    let world = World::with(&manifest());
    world.write(".env", "PORT=1\n");
    world.write("host.env", "PORT=2\n");
    let script = "mount --bind host.env .env || exit 99
        for run in 1 2 3 4 5; do \"$PROVISION\" apply >said 2>&1; echo \"exit $?\"; done
        cat said; \"$PROVISION\" doctor; \"$PROVISION\" plan";
    let Some(ran) = in_mounts(&world, script) else { return };
    assert!(ran.stdout.starts_with(&format!("exit 3\n{}", "exit 1\n".repeat(4))), "{}", ran.stdout);
    for said in ["is a mount point, so it cannot be replaced", "mount its folder instead of the file"] {
        assert!(ran.stdout.contains(said), "{}", ran.stdout);
    }
    assert_told!(world);
    assert_eq!((world.read(".env"), world.read("host.env")), ("PORT=1\n".to_owned(), "PORT=2\n".to_owned()));
    assert_eq!(versions(&world, "build-api"), 0, "nothing was staged");
    // With the mount gone it goes on as if nothing had been.
    world.run("apply").exits(0);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
    assert_eq!(versions(&world, "build-api"), 1);
}

#[test]
fn what_a_folder_of_its_name_means_is_told() {
    let world = World::with(&manifest());
    fs::create_dir(world.path(".env")).unwrap();
    for words in ["plan", "doctor"] {
        let ran = world.run(words).exits(1);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("is a folder, not a file") && said.contains("as Docker leaves one"), "{said}");
        assert!(!said.contains("accessible to others") && !said.contains("for its owner only"), "{said}");
    }
    world.run("apply").exits(3);
    fs::remove_dir(world.path(".env")).unwrap();
    world.run("apply").exits(0);
}

#[test]
fn a_group_that_reads_the_file_still_does_or_it_is_refused() {
    let world = World::with(&manifest());
    world.write(".env", "PORT=1\n");
    let group = chown(world.path(".env"), None, Some(33))
        .map_or_else(|_| fs::metadata(world.path(".env")).unwrap().gid(), |()| 33);
    fs::set_permissions(world.path(".env"), Permissions::from_mode(0o640)).unwrap();
    let refused = world.run("apply").exits(3);
    assert!(refused.stdout.contains("set `mode = \"0640\"` in its sink"), "{}", refused.stdout);
    assert_eq!(world.read(".env"), "PORT=1\n");
    assert_eq!(versions(&world, "build-api"), 0, "nothing was staged");
    world.edit("path = \".env\"", "path = \".env\"\nmode = \"0640\"");
    world.run("apply").exits(0);
    world.run("rotate tokens.toml --all").exits(0);
    let found = fs::metadata(world.path(".env")).unwrap();
    assert_eq!((found.gid(), found.mode() & 0o777), (group, 0o640));
    if !rustix::process::geteuid().is_root() {
        tests::skip!("needs root to read as another user");
    }
    // The folders of a test are for one user; the web server's is told where it is by a mount.
    let script = "mount --bind .env /etc/hostname && setpriv --reuid 33 --regid 33 --clear-groups cat /etc/hostname";
    let read =
        Command::new("unshare").args(["--mount", "sh", "-c", script]).current_dir(world.folder()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&read.stdout), world.read(".env"), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn a_file_with_a_second_name_is_refused_and_told_how_to_part_them() {
    let world = applied();
    let secret = world.entry(".env", "BUILD_TOKEN");
    fs::create_dir(world.path("app")).unwrap();
    fs::hard_link(world.path(".env"), world.path("app/.env")).unwrap();
    world.run("plan").exits(0);
    world.run("rotate tokens.toml --all").exits(1);
    world.run("doctor").exits(1);
    assert_told!(world);
    assert_eq!(world.entry("app/.env", "BUILD_TOKEN"), secret);
    assert_eq!(versions(&world, "build-api"), 1, "nothing was staged");
    fs::copy(world.path(".env"), world.path(".env.new")).unwrap();
    fs::rename(world.path(".env.new"), world.path(".env")).unwrap();
    world.run("rotate tokens.toml --all").exits(0);
}

#[test]
fn what_is_no_env_file_is_refused_by_its_path_and_through_links() {
    let world = World::new();
    for path in [
        ".git/config",
        ".GIT/hooks/pre-commit",
        "sub/.git/config",
        ".ssh/authorized_keys",
        "package.json",
        ".bashrc",
        "latchkey.db",
        "latchkey.db-journal",
        "latchkey.db-wal",
        "latchkey.db.acme.lock",
        "tokens.toml",
        "plan.json",
    ] {
        world.write("tokens.toml", &manifest().replace("path = \".env\"", &format!("path = \"{path}\"")));
        let told = world.run("check --format json").exits(1).json();
        let codes = told["faults"].as_array().unwrap().iter().map(|fault| fault["code"].as_str().unwrap().to_owned());
        let codes: Vec<String> = codes.collect();
        assert!(
            codes.iter().all(|code| code == "bad-path" || code == "same-place") && !codes.is_empty(),
            "{path}: {codes:?}"
        );
    }
    world.write("tokens.toml", &manifest());
    world.run("apply").exits(0);
    fs::remove_file(world.path(".env")).unwrap();
    fs::create_dir(world.path(".git")).unwrap();
    world.write(".git/config", "[core]\n");
    world.write("package.json", "{}\n");
    let before = fs::read(world.path("latchkey.db")).unwrap();
    for target in [".git/config", "package.json", "latchkey.db", "tokens.toml", "latchkey.db-wal"] {
        let _ = fs::remove_file(world.path(".env"));
        symlink(target, world.path(".env")).unwrap();
        let refused = world.run("apply").exits(1);
        assert!(refused.stdout.contains("so it was not opened"), "{target}: {}", refused.stdout);
    }
    assert_eq!((world.read(".git/config"), world.read("package.json")), ("[core]\n".to_owned(), "{}\n".to_owned()));
    assert!(fs::read(world.path("latchkey.db")).unwrap().starts_with(&before[..16]));
}

#[test]
fn a_copied_folder_leaves_the_original_alone() {
    let world = applied();
    let copy = world.path("../copy");
    assert!(Command::new("cp").arg("-a").arg(world.folder()).arg(&copy).status().unwrap().success());
    let original = world.read(".env");
    let within = |words: &str| {
        let mut command = world.command(words.split(' '));
        let ran = finish(
            command
                .current_dir(&copy)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
            None,
        );
        world.note(&format!("provision {words} # in the copy"), &ran);
        ran
    };
    within("apply").exits(0);
    within("apply --prune").exits(0);
    within("rotate tokens.toml --all");
    // Nothing is declared any more, and still nothing of the original is removed.
    let text = fs::read_to_string(copy.join("tokens.toml")).unwrap();
    let (declared, _) = text.split_once("[tokens.").unwrap();
    let mut file = fs::File::create(copy.join("tokens.toml")).unwrap();
    std::io::Write::write_all(&mut file, declared.as_bytes()).unwrap();
    world.clock(2 * DAY);
    within("apply --prune --allow-deletes 5");
    assert_eq!(world.read(".env"), original);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")), "the original's own table");
    assert_told!(world);
}

#[test]
fn a_recorded_place_outside_the_folder_is_opened_only_where_that_is_allowed() {
    let world = World::with(&manifest().replace("path = \".env\"", "path = \"../home/.env\""));
    world.run("apply --allow-outside").exits(0);
    let before = world.read("../home/.env");
    world.edit("path = \"../home/.env\"", "path = \".env\"");
    world.clock(2 * HOUR);
    for words in ["apply --prune", "status"] {
        let said = world.run(words).stdout;
        assert!(said.contains("is outside the manifest's folder, so it was not opened"), "{said}");
    }
    assert_eq!(world.read("../home/.env"), before, "neither opened nor written");
    world.run("apply --allow-outside").exits(0);
    world.run("apply --prune").exits(0);
    assert_eq!(world.read("../home/.env"), before, "neither opened nor written");
    world.run("apply --prune --allow-outside").exits(0);
    assert!(!world.read("../home/.env").contains("BUILD_TOKEN"));
}

#[test]
fn a_machines_name_on_two_file_systems_is_noticed_and_the_first_goes_on() {
    let world = World::with(&manifest().replace("path = \".env\"", "path = \"config/.env\""));
    fs::create_dir(world.path("config")).unwrap();
    world.run("apply").exits(0);
    let first = world.entry("config/.env", "BUILD_TOKEN");
    let place = |told: &str| told.split("--forget ").nth(1).unwrap()[..16].to_owned();
    // The second container: the same name, the same path, a file of its own.
    let other = "mount -t tmpfs tmpfs config || exit 99; \"$PROVISION\" apply; echo \"exit $?\"; ls -A config";
    let Some(ran) = in_mounts(&world, other) else { return };
    assert!(ran.stdout.ends_with("exit 1\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("is on another file system than the one it was delivered to"), "{}", ran.stdout);
    assert!(ran.stdout.contains("LATCHKEY_MACHINE"), "{}", ran.stdout);
    assert_eq!(versions(&world, "build-api"), 1, "nothing was staged");
    world.clock(26 * HOUR);
    in_mounts(&world, other);
    world.run("apply").exits(0);
    assert!(world.is_valid(&first));
    // The first file system is gone for good: a person says so.
    let lost: Vec<String> = ran.stdout.lines().filter(|line| line.contains("--forget ")).map(place).collect();
    let flags = lost.iter().map(|id| format!("--forget {id}")).collect::<Vec<_>>().join(" ");
    let script = format!(
        "mount -t tmpfs tmpfs config || exit 99; \"$PROVISION\" apply {flags}; echo \"exit $?\"; cat config/.env"
    );
    let Some(ran) = in_mounts(&world, &script) else { return };
    assert!(ran.stdout.contains("exit 0\n") && ran.stdout.contains("BUILD_TOKEN=lk_"), "{}", ran.stdout);
    // An entry that somebody deleted where it was is created again, as ever.
    let world = applied();
    fs::remove_file(world.path(".env")).unwrap();
    world.run("apply").exits(0);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
}

/// What a deployment does: a new release, and the link to it.
fn deploy(world: &World, number: usize) {
    fs::create_dir_all(world.path(&format!("releases/{number}"))).unwrap();
    let _ = fs::remove_file(world.path("current"));
    symlink(format!("releases/{number}"), world.path("current")).unwrap();
}

#[test]
fn a_path_through_a_moving_link_is_one_place_and_going_back_a_release_finds_a_version_that_works() {
    let world = World::with(&manifest().replace("path = \".env\"", "path = \"current/.env\""));
    for number in 1..=25 {
        deploy(&world, number);
        world.run("apply").exits(0);
        let secret = world.entry(&format!("releases/{number}/.env"), "BUILD_TOKEN");
        assert!(world.is_valid(&secret), "release {number}");
    }
    assert_eq!(versions(&world, "build-api"), 1, "each release got the same version");
    let told = world.run("status --format json").exits(0).stdout;
    assert!(told.contains("current/.env") && !told.contains("releases/"), "{told}");
    let first = world.entry("releases/24/.env", "BUILD_TOKEN");
    world.run("rotate tokens.toml --all").exits(0);
    let second = world.entry("releases/25/.env", "BUILD_TOKEN");
    // Long after the overlap a release that is still there keeps its version valid.
    world.clock(3 * DAY);
    world.run("apply").exits(0);
    assert!(world.is_valid(&first) && world.is_valid(&second) && first != second);
    deploy(&world, 24);
    assert!(world.is_valid(&world.entry("current/.env", "BUILD_TOKEN")));
    world.run("apply").exits(0);
    assert_eq!(world.entry("current/.env", "BUILD_TOKEN"), second, "the next run brings the current one");
    for number in 1..=23 {
        fs::remove_dir_all(world.path(&format!("releases/{number}"))).unwrap();
    }
    world.clock(6 * DAY);
    world.run("apply").exits(0);
    assert!(!world.is_valid(&first), "no release has it any more");
    world.run("plan --detailed-exitcode").exits(0);
}

#[test]
fn two_paths_to_one_file_are_one_place_and_pruning_one_leaves_the_other() {
    let world = World::with(&manifest());
    fs::create_dir(world.path("real")).unwrap();
    symlink("real", world.path("link")).unwrap();
    world.edit("path = \".env\"", "path = \"link/.env\"");
    world.run("apply").exits(0);
    let secret = world.entry("real/.env", "BUILD_TOKEN");
    world.edit("path = \"link/.env\"", "path = \"real/.env\"");
    world.run("apply").exits(0);
    world.clock(2 * HOUR);
    world.run("apply --prune").exits(0);
    assert_eq!(world.entry("real/.env", "BUILD_TOKEN"), secret);
    world.run("apply --prune").exits(0);
    assert_eq!(world.entry("real/.env", "BUILD_TOKEN"), secret);
    // Two pushes that meet behind a link overwrite each other.
    world.edit("[sinks.dev]", "[sinks.other]\ntype = \"dotenv\"\npath = \"link/.env\"\n\n[sinks.dev]");
    world.edit("sink = \"dev\", name = \"DEPLOY_TOKEN\"", "sink = \"other\", name = \"BUILD_TOKEN\"");
    let refused = world.run("plan").exits(1);
    assert!(refused.stderr.contains("two pushes write to the same place"), "{}", refused.stderr);
}

#[test]
fn nothing_is_created_or_written_behind_a_link_that_somebody_left() {
    let world = World::with(&manifest());
    symlink("../home/lock", world.path("latchkey.db.acme.lock")).unwrap();
    world.run("apply").exits(1);
    assert!(!world.path("../home/lock").exists());
    fs::remove_file(world.path("latchkey.db.acme.lock")).unwrap();
    world.write("../home/notes", "mine\n");
    symlink("../home/notes", world.path("plan.json")).unwrap();
    world.run("plan --out plan.json").exits(1);
    assert_eq!(world.read("../home/notes"), "mine\n");
}
