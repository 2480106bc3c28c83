//! What others put beside the files of Latchkey: what git brings, links, files of other users. Nothing of it is opened,
//! written or taken for ours.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use tests::provision::{World, finish};

use super::{START, TWO};

fn manifest() -> String {
    format!("{START}{TWO}")
}

fn git(world: &World, words: &[&str]) {
    let mut command = Command::new("git");
    world.prepare(&mut command);
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words);
    finish(command.spawn().unwrap(), None).exits(0);
}

/// The log of somebody else's table, in which somebody else is the admin.
async fn log_of_a_stranger() -> Vec<u8> {
    let other = World::new();
    let service = other.service("latchkey.db").await;
    other.run("--service embedded:latchkey.db bootstrap --user attacker").exits(0);
    let log = fs::read(other.path("latchkey.db-wal")).unwrap();
    drop(service);
    assert!(log.windows(8).any(|window| window == b"attacker"), "the log has the admin");
    log
}

#[tokio::test]
async fn a_table_or_a_log_that_git_tracks_is_not_opened_and_nothing_is_deleted() {
    let log = log_of_a_stranger().await;
    let world = World::with(&manifest());
    world.run("apply").exits(0);
    git(&world, &["init", "--quiet"]);
    let table = fs::read(world.path("latchkey.db")).unwrap();
    for name in ["latchkey.db-wal", "latchkey.db-shm", "latchkey.db-journal", "latchkey.db"] {
        if name != "latchkey.db" {
            std::io::Write::write_all(&mut File::create(world.path(name)).unwrap(), &log).unwrap();
        }
        git(&world, &["add", "--force", name]);
        for path in [None, Some(world.path("no-git"))] {
            for words in ["user list", "plan", "apply", "status", "--service embedded:latchkey.db token list"] {
                let mut command = world.command(words.split(' '));
                command.envs(path.iter().map(|path| ("PATH", path)));
                let ran = finish(command.stdin(Stdio::null()).spawn().unwrap(), None).exits(1);
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(said.contains(&format!("{name}` is tracked by git")), "{words}: {said}");
                assert!(said.contains("never delete a `-wal` file") && !said.contains("attacker"), "{words}: {said}");
            }
        }
        if name != "latchkey.db" {
            assert_eq!(fs::read(world.path(name)).unwrap(), log, "{name}");
            fs::remove_file(world.path(name)).unwrap();
            // The next checkout would bring it back.
            world.run("user list").exits(1);
        }
        git(&world, &["rm", "--quiet", "--cached", "--force", name]);
    }
    assert_eq!(fs::read(world.path("latchkey.db")).unwrap(), table);
    assert!(world.run("user list").exits(0).stdout.contains("ci"));
    // The lease's lock, and a link that git brings.
    git(&world, &["add", "--force", "latchkey.db.acme.lock"]);
    let refused = world.run("apply").exits(1);
    assert!(refused.stderr.contains("latchkey.db.acme.lock` is tracked by git"), "{}", refused.stderr);
    git(&world, &["rm", "--quiet", "--cached", "--force", "latchkey.db.acme.lock"]);
    fs::create_dir(world.path("elsewhere")).unwrap();
    fs::rename(world.path("latchkey.db"), world.path("elsewhere/latchkey.db")).unwrap();
    symlink("elsewhere/latchkey.db", world.path("latchkey.db")).unwrap();
    let refused = world.run("user list").exits(1);
    assert!(refused.stderr.contains("latchkey.db` is a link"), "{}", refused.stderr);
    git(&world, &["add", "--force", "latchkey.db"]);
    world.run("user list").exits(1);
}

#[test]
fn a_link_or_a_pipe_beside_a_table_is_not_opened() {
    let world = World::with(&manifest());
    world.run("apply").exits(0);
    world.write("notes", "mine\n");
    for name in ["latchkey.db-wal", "latchkey.db-shm", "latchkey.db-journal", "latchkey.db.acme.lock"] {
        let _ = fs::remove_file(world.path(name));
        for target in ["notes", "not-there"] {
            symlink(target, world.path(name)).unwrap();
            let refused = world.run("apply").exits(1);
            assert!(refused.stderr.contains(&format!("{name}` is a link")), "{}", refused.stderr);
            fs::remove_file(world.path(name)).unwrap();
        }
        assert!(Command::new("mkfifo").arg(world.path(name)).status().unwrap().success());
        let refused = world.run("apply").exits(1);
        assert!(refused.stderr.contains(&format!("{name}` is not a regular file")), "{}", refused.stderr);
        fs::remove_file(world.path(name)).unwrap();
    }
    assert_eq!(world.read("notes"), "mine\n");
    assert!(!world.path("not-there").exists());
    world.run("apply").exits(0);
}

#[test]
fn a_table_or_a_log_of_another_user_is_not_opened_but_by_root_and_only_with_what_its_owner_put_there() {
    let world = World::with(&manifest());
    world.run("apply").exits(0);
    File::create(world.path("latchkey.db-wal")).unwrap();
    if chown(world.path("latchkey.db-wal"), Some(4321), None).is_err() {
        tests::skip!("needs root for a file of another user");
    }
    let refused = world.run("user list").exits(1);
    assert!(refused.stderr.contains("latchkey.db-wal` belongs to another user"), "{}", refused.stderr);
    assert!(refused.stderr.contains("never delete a `-wal` file"), "{}", refused.stderr);
    // Root opens what is all of one other user, and leaves it so.
    give(&world, 4321);
    world.run("rotate tokens.toml --all").exits(0);
    for name in ["latchkey.db", "latchkey.db.acme.lock", ".env", ".env.latchkey-lock"] {
        assert_eq!(fs::metadata(world.path(name)).unwrap().uid(), 4321, "{name}");
    }
    // And that user goes on.
    let Some(ran) = run_as(&world, 4321, "rotate tokens.toml --all") else { return };
    ran.exits(0);
    chown(world.path("latchkey.db"), Some(8765), None).unwrap();
    let refused = run_as(&world, 4321, "user list").expect("it ran").exits(1);
    assert!(refused.stderr.contains("latchkey.db` belongs to another user"), "{}", refused.stderr);
}

#[test]
fn one_run_as_root_in_a_users_folder_locks_that_user_out_of_nothing() {
    let world = World::with(&manifest());
    if chown(world.folder(), Some(4321), Some(4321)).is_err() {
        tests::skip!("needs root for a folder of another user");
    }
    world.write(".env", "PORT=1\n");
    world.run("--service embedded:../home/x.db user list");
    chown(world.path(".env"), Some(4321), Some(4321)).unwrap();
    fs::set_permissions(world.path(".env"), Permissions::from_mode(0o600)).unwrap();
    world.run("apply --service embedded:../home/root.db").exits(0);
    assert_eq!(fs::metadata(world.path(".env.latchkey-lock")).unwrap().uid(), 4321);
    give(&world, 4321);
    let Some(ran) = run_as(&world, 4321, "apply --service embedded:../home/root.db") else { return };
    ran.exits(0);
}

/// Gives all that a world has to a user.
fn give(world: &World, user: u32) {
    let root = world.folder().parent().unwrap();
    assert!(Command::new("chown").arg("-R").arg(format!("{user}:{user}")).arg(root).status().unwrap().success());
}

/// Runs the command as another user; `None` where that user cannot reach the command.
fn run_as(world: &World, user: u32, words: &str) -> Option<tests::provision::Ran> {
    let inner = world.command(["x"]);
    let mut command = Command::new("setpriv");
    world.prepare(&mut command);
    command.args(["--reuid", &user.to_string(), "--regid", &user.to_string(), "--clear-groups"]);
    command.arg(inner.get_program()).args(words.split(' ')).stdin(Stdio::null());
    let ran = finish(command.spawn().expect("`setpriv` is there"), None);
    if ran.stderr.starts_with("setpriv:") {
        tests::skip!("needs leave to run as another user: {}", ran.stderr.trim());
    }
    Some(ran)
}

#[test]
fn a_saved_plan_is_neither_written_nor_read_through_a_link_nor_made_up_by_the_system() {
    let world = World::with(&manifest());
    world.write("../home/notes", "mine\n");
    symlink("../home/notes", world.path("plan.json")).unwrap();
    symlink("../home/not-there", world.path("new.json")).unwrap();
    for name in ["plan.json", "new.json"] {
        let refused = world.run(&format!("plan --out {name}")).exits(1);
        assert!(refused.stderr.contains(&format!("{name}` is a link")), "{}", refused.stderr);
    }
    assert_eq!(world.read("../home/notes"), "mine\n");
    assert!(!world.path("../home/not-there").exists());
    world.run("plan --out real.json").exits(0);
    symlink("real.json", world.path("linked.json")).unwrap();
    let refused = world.run("apply --plan linked.json").exits(1);
    assert!(refused.stderr.contains("linked.json` is a link"), "{}", refused.stderr);
    let refused = world.run("apply --plan /proc/self/environ").exits(1);
    assert!(refused.stderr.contains("is not a regular file"), "{}", refused.stderr);
    world.run("apply --plan real.json").exits(0);
}

#[test]
fn no_secret_and_no_page_goes_through_a_link() {
    let world = World::with(&manifest());
    symlink("../home/secret", world.path("admin.txt")).unwrap();
    let refused = world.run("bootstrap --out admin.txt").exits(1).stderr;
    assert!(refused.contains("`admin.txt` exists already, and is left as it is"), "{refused}");
    assert!(!world.path("../home/secret").exists());
    world.write("../home/notes", "mine\n");
    symlink("../home/notes", world.path("summary.md")).unwrap();
    let summary = world.path("summary.md");
    world.run_in(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())], "plan").exits(0);
    fs::create_dir(world.path("man")).unwrap();
    symlink("../../home/notes", world.path("man/provision.1")).unwrap();
    world.run("man --out man").exits(1);
    symlink("../home/tokens", world.path("other.toml")).unwrap();
    world.run("init other.toml").exits(1);
    assert_eq!(world.read("../home/notes"), "mine\n");
    assert!(!world.path("../home/tokens").exists());
}

#[test]
fn a_login_behind_a_link_that_leaves_the_folder_is_not_read() {
    let sink = "[sinks.web]\ntype = \"heroku\"\napp = \"acme\"\nlogin = { file = \"login\" }\n";
    let world = World::with(&format!("{}{sink}", manifest().replace("sink = \"dev\"", "sink = \"web\"")));
    world.write("../home/login", "a-login-of-somebody\n");
    symlink("../home/login", world.path("login")).unwrap();
    for words in ["plan", "apply", "status"] {
        let refused = world.run(words).exits(1);
        assert!(refused.stderr.contains("outside the manifest's folder, through a link"), "{}", refused.stderr);
    }
}

#[test]
fn init_keeps_secrets_and_table_out_of_git_once_and_says_so() {
    let world = World::new();
    // Outside of a repository there is nothing to keep them out of.
    let said = world.run("init").exits(0);
    assert!(!world.path(".gitignore").exists() && !said.stdout.contains("gitignore"), "{}", said.stdout);
    git(&world, &["init", "--quiet"]);
    world.write(".gitignore", "target\n.env");
    let said = world.run("init second.toml").exits(0);
    assert!(said.stdout.contains("Added `latchkey.db*`, `*.latchkey-*` to `.gitignore`\n"), "{}", said.stdout);
    assert_eq!(world.read(".gitignore"), "target\n.env\nlatchkey.db*\n*.latchkey-*\n");
    assert_eq!(fs::metadata(world.path(".gitignore")).unwrap().mode() & 0o777, 0o644);
    let said = world.run("init third.toml").exits(0);
    assert!(!said.stdout.contains("gitignore"), "{}", said.stdout);
    // What is there by another pattern, above it, is not added.
    fs::create_dir(world.path("below")).unwrap();
    world.run("init below/tokens.toml").exits(0);
    assert!(!world.path("below/.gitignore").exists());
    world.run("apply").exits(0);
    git(&world, &["add", "--all"]);
    let mut list = Command::new("git");
    world.prepare(&mut list);
    let listed = finish(list.args(["ls-files"]).spawn().unwrap(), None).exits(0).stdout;
    assert!(!listed.contains("latchkey") && !listed.contains(".env"), "{listed}");
    // A link is left alone, and said.
    fs::rename(world.path(".gitignore"), world.path("../home/ignored")).unwrap();
    world.write("../home/ignored", "");
    symlink("../home/ignored", world.path(".gitignore")).unwrap();
    let said = world.run("init fourth.toml").exits(0);
    assert!(said.stderr.contains(".gitignore` is a link") && said.stderr.contains("yourself"), "{}", said.stderr);
    assert_eq!(world.read("../home/ignored"), "");
}

/// A descriptor of a table that is opened and closed again drops all locks that this process has on it.
#[tokio::test]
async fn a_table_that_is_open_keeps_its_locks_when_it_is_opened_again_and_wide_modes_are_narrowed() {
    let world = World::new();
    let first = world.service("latchkey.db").await;
    first.ensure_person(&latchkey::service::Caller::operator("admin"), &"ana".parse().unwrap()).await.unwrap();
    let names = ["latchkey.db", "latchkey.db-wal", "latchkey.db-shm"];
    for name in names {
        fs::set_permissions(world.path(name), Permissions::from_mode(0o666)).unwrap();
    }
    let before = locks(&world.path("latchkey.db"));
    if before.is_empty() {
        tests::skip!("needs `/proc/locks`");
    }
    let second = world.service("latchkey.db").await;
    assert_eq!(locks(&world.path("latchkey.db")), before);
    for name in names {
        assert_eq!(fs::metadata(world.path(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    drop((first, second));
}

/// The locks that this process has on a table and its companions, as the system lists them.
fn locks(table: &Path) -> Vec<String> {
    let inodes: Vec<String> = ["", "-wal", "-shm"]
        .iter()
        .filter_map(|end| fs::metadata(format!("{}{end}", table.display())).ok())
        .map(|found| format!(":{}", found.ino()))
        .collect();
    let listed = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mine = format!(" {} ", std::process::id());
    let is_ours = |line: &&str| line.contains(&mine) && inodes.iter().any(|inode| line.contains(inode));
    let mut lines: Vec<String> =
        listed.lines().filter(is_ours).filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect();
    lines.sort();
    lines.dedup();
    lines
}

#[test]
fn a_login_goes_to_a_port_of_this_machine_only_where_the_command_or_its_environment_allows_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let called = || match listener.accept() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    };
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    for (kind, settings, variable) in [
        ("vercel", "project = \"acme\"", "VERCEL_TOKEN"),
        ("heroku", "app = \"acme\"", "HEROKU_API_KEY"),
        ("aws-secrets-manager", "region = \"eu-west-1\"", "AWS_SECRET_ACCESS_KEY"),
    ] {
        let targets = if kind == "vercel" { ", targets = [\"production\"]" } else { "" };
        let sink = format!("[sinks.web]\ntype = \"{kind}\"\n{settings}\nendpoint = \"{endpoint}\"\n");
        let push = format!("sink = \"web\"{targets}");
        let world = World::with(&format!("{}{sink}", manifest().replace("sink = \"dev\"", &push)));
        let run = |allowed: Option<&str>, words: &str| {
            let mut command = world.command(words.split(' '));
            command.env_remove("LATCHKEY_ALLOW_HOSTS").env(variable, "login-of-a-vendor");
            command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").envs(allowed.map(|hosts| ("LATCHKEY_ALLOW_HOSTS", hosts)));
            let mut child = command.stdin(Stdio::null()).spawn().unwrap();
            let mut was_called = false;
            while child.try_wait().unwrap().is_none() {
                was_called |= called();
                std::thread::yield_now();
            }
            (finish(child, None), was_called | called())
        };
        for words in ["check", "plan", "status", "apply", "doctor"] {
            for allowed in [None, Some("example.com")] {
                let (ran, was_called) = run(allowed, words);
                let ran = ran.exits(1);
                assert!(!was_called, "{kind}: {words}");
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(said.contains("--allow-host 127.0.0.1"), "{kind}: {words}: {said}");
            }
        }
        assert!(run(None, "plan --allow-host 127.0.0.1").1, "{kind}: by the flag");
        assert!(run(Some("example.com, 127.0.0.1"), "plan").1, "{kind}: by the environment");
        assert_eq!(run(Some("127.0.0.1 example.com"), "check").0.code, Some(0), "{kind}: by the environment");
    }
}
