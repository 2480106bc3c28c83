//! Logins: a token in the system's keyring from `login` to `logout`.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tests::provision::{DAY, HOUR, Ran, finish};
use tests::remote::Proxy;
use tests::sinks::keyring::PrivateKeyring;

use super::Remote;

/// A server with two people's tokens, and a desktop with a keyring.
pub(super) struct Desk {
    pub(super) remote: Remote,
    pub(super) keyring: PrivateKeyring,
    pub(super) ana: String,
    pub(super) bob: String,
}

impl Desk {
    pub(super) fn start() -> Option<Self> {
        let keyring = PrivateKeyring::start()?;
        let remote = Remote::start();
        let token = |user: &str| {
            let table = "--service embedded:latchkey.db";
            remote.world.run(&format!("user set {user} --roles job {table}")).exits(0);
            let made = remote.world.run(&format!("token set laptop --user {user} {table}")).exits(0);
            made.stdout.trim().to_owned()
        };
        let (ana, bob) = (token("ana"), token("bob"));
        std::fs::remove_file(remote.world.path("tokens.toml")).unwrap();
        let _ = remote.world.told();
        Some(Self { remote, keyring, ana, bob })
    }

    /// The server as people name it.
    pub(super) fn server(&self) -> &str {
        self.remote.url.trim_start_matches("http://")
    }

    pub(super) fn bus(&self) -> (&str, &str) {
        ("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    pub(super) fn run(&self, words: &str) -> Ran {
        self.remote.world.run_in(&[self.bus()], words)
    }

    pub(super) fn log_in(&self, token: &str, more: &str) -> Ran {
        let words = format!("login --with-token --server {} {more}", self.server());
        self.remote.world.pipe_in(&[self.bus()], &words, &format!("{token}\n"))
    }

    pub(super) fn stored(&self, account: &str) -> Option<String> {
        self.keyring.lookup_of(&format!("latchkey:{}", self.server()), account)
    }

    /// The list of logins.
    fn list(&self) -> PathBuf {
        self.remote.world.folder().with_file_name("home/.config/latchkey/logins.json")
    }

    fn whoami(&self) -> serde_json::Value {
        self.run("whoami --format json").exits(0).json()
    }

    fn told(&self) -> String {
        self.remote.world.told()
    }
}

/// Whether any file below a folder contains a text.
fn is_anywhere(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_anywhere(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_token_is_stored_used_switched_and_removed_and_is_in_no_file() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
    desk.run("whoami").exits(0);
    desk.run("token list").exits(0);
    desk.log_in(&desk.bob, "").exits(0);
    desk.run("accounts").exits(0);
    assert_eq!(desk.whoami()["user"], "bob");
    desk.run("switch").exits(0);
    assert_eq!(desk.whoami()["user"], "ana");
    desk.run("switch carol").exits(1);
    let home = desk.remote.world.folder().with_file_name("home");
    for secret in [&desk.ana, &desk.bob] {
        assert!(!is_anywhere(&home, secret));
    }
    // Nobody confirms.
    desk.run("logout").exits(4);
    assert!(desk.stored("ana").is_some());
    desk.run("logout --yes").exits(0);
    assert_eq!(desk.stored("ana"), None);
    assert!(desk.remote.is_valid(&desk.ana));
    assert_eq!(desk.whoami()["user"], "bob");
    desk.run(&format!("token remove --server {} --yes --revoke", desk.server())).exits(0);
    assert_eq!(desk.stored("bob"), None);
    assert!(!desk.remote.is_valid(&desk.bob));
    desk.run("accounts").exits(0);
    desk.run("whoami").exits(1);
    desk.run("logout").exits(1);
    insta::assert_snapshot!(desk.told());
}

#[test]
fn the_environment_comes_before_the_keyring_and_both_say_so() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    let url = desk.remote.url.clone();
    let world = &desk.remote.world;
    let both = [desk.bus(), ("LATCHKEY_URL", &url), ("LATCHKEY_TOKEN", &desk.bob)];
    let who = world.run_in(&both, "whoami --format json").exits(0).json();
    assert_eq!((who["user"].as_str(), who["login"]["from"].as_str()), (Some("bob"), Some("environment")));
    let who = world.run_in(&both[..2], "whoami --format json").exits(0).json();
    assert_eq!((who["user"].as_str(), who["login"]["from"].as_str()), (Some("ana"), Some("keyring")));
    // The environment's token is for another server: the login of this one is used.
    let elsewhere = [desk.bus(), ("LATCHKEY_URL", "https://other.invalid"), ("LATCHKEY_TOKEN", &desk.bob)];
    let who = world.run_in(&elsewhere, &format!("whoami --format json --service {url}")).exits(0).json();
    assert_eq!(who["user"], "ana");
    let again = world.pipe_in(&both, &format!("login --with-token --server {}", desk.server()), &desk.ana).exits(0);
    assert!(again.stderr.contains("`LATCHKEY_TOKEN` is set"), "{}", again.stderr);
}

#[test]
fn two_tokens_of_one_user_are_two_accounts() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    desk.log_in(&desk.remote.admin, "--account ana-admin").exits(0);
    assert_eq!(desk.whoami()["user"], "root");
    desk.run("switch ana").exits(0);
    assert_eq!(desk.whoami()["login"]["account"], "ana");
    assert_eq!(desk.stored("ana-admin").as_deref(), Some(desk.remote.admin.as_str()));
    desk.run("logout --yes --account ana-admin").exits(0);
    assert_eq!((desk.stored("ana-admin"), desk.whoami()["user"].as_str()), (None, Some("ana")));
}

#[test]
fn a_token_revoked_meanwhile_is_told_with_the_way_back() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    desk.remote.world.run("token delete laptop --user ana --yes --service embedded:latchkey.db").exits(0);
    let _ = desk.told();
    let ran = desk.run("token list").exits(1);
    assert!(
        ran.stderr.contains("does not accept the token of `ana` in the system's keyring (request "),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains(&format!("`provision login --server {}`", desk.server())), "{}", ran.stderr);
    let refused = desk.log_in(&desk.ana, "").exits(1);
    assert!(refused.stderr.contains("nothing was stored"), "{}", refused.stderr);
    // A server that does not accept a token may do so for its address, so nobody can say that it is revoked.
    let ran = desk.run("logout --yes --revoke").exits(1);
    assert!(ran.stderr.contains("the token was neither revoked nor removed: `"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`provision token delete laptop --user ana`"), "{}", ran.stderr);
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
    desk.run("logout --yes").exits(0);
    assert_eq!(desk.stored("ana"), None);
    // Whoever cleared the keyring by hand is told too.
    desk.log_in(&desk.bob, "").exits(0);
    desk.keyring.clear(&format!("latchkey:{}", desk.server()), "bob");
    let ran = desk.run("token list").exits(1);
    assert!(ran.stderr.contains("is no longer in the system's keyring"), "{}", ran.stderr);
    desk.run("logout --yes").exits(0);
}

#[test]
fn a_token_that_had_expired_is_removed_and_not_said_to_be_revoked() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    desk.log_in(&desk.bob, "").exits(0);
    desk.remote.world.clock(32 * DAY);
    let listed = desk.run("accounts").exits(0).stdout;
    assert!(listed.contains("  expired 24 hours ago  "), "{listed}");
    let told = desk.run("logout --yes --revoke --format json").exits(0).json();
    assert_eq!((told["revoked"].as_bool(), told["expired"].as_bool()), (Some(false), Some(true)));
    let told = desk.run("logout --yes --revoke").exits(0);
    assert!(told.stdout.contains("; `laptop` had expired"), "{}", told.stdout);
    assert_eq!((desk.stored("ana"), desk.stored("bob")), (None, None));
}

#[test]
fn a_login_that_fails_leaves_the_former_one_as_it_was() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    let list = desk.list();
    let whole = std::fs::read(&list).unwrap();
    let proxy = Proxy::before(&desk.remote.url);
    // What cannot be stored is not sent.
    put(&list, b"{");
    for server in [desk.server(), &proxy.url()] {
        let words = format!("login --with-token --account ana --server {server}");
        let ran = desk.remote.world.pipe_in(&[desk.bus()], &words, &desk.bob).exits(1);
        assert!(ran.stderr.contains("cannot be read as the list of logins"), "{}", ran.stderr);
    }
    assert!(proxy.sent().is_empty());
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
    // Nor is anything lost where the list breaks while the server is asked.
    put(&list, &whole);
    let before = is_answered_after(&desk.remote.url, move || put(&list, b"{"));
    let login = format!("login --with-token --account ana --server {before}");
    let (service, pipe) =
        (format!("latchkey:{before}"), |token: &str| desk.remote.world.pipe_in(&[desk.bus()], &login, token));
    let ran = pipe(&desk.bob).exits(1);
    assert!(ran.stderr.contains("nothing was stored"), "{}", ran.stderr);
    assert_eq!(desk.keyring.lookup_of(&service, "ana"), None);
    put(&desk.list(), &whole);
    desk.keyring.store_of(&service, "ana", &desk.ana);
    let ran = pipe(&desk.bob).exits(1);
    assert!(ran.stderr.contains("nothing was stored; the login of `ana` is as it was"), "{}", ran.stderr);
    assert_eq!(desk.keyring.lookup_of(&service, "ana").as_deref(), Some(desk.ana.as_str()));
}

fn put(list: &Path, bytes: &[u8]) {
    latchkey_sinks::files::write_atomic(list, bytes, 0o600).unwrap();
}

/// A server that does something before it answers each request as another server does.
fn is_answered_after(url: &str, first: impl Fn() + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let behind = url.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            first();
            let mut server = TcpStream::connect(&behind).unwrap();
            let (mut from, mut to) = (connection.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let _ = std::io::copy(&mut server, &mut connection);
        }
    });
    address
}

#[test]
fn what_was_revoked_and_not_removed_is_said_to_be_revoked() {
    let Some(desk) = Desk::start() else { return };
    let breaks = Arc::new(AtomicBool::new(false));
    let (list, broken) = (desk.list(), Arc::clone(&breaks));
    let before = is_answered_after(&desk.remote.url, move || {
        if broken.load(Ordering::SeqCst) {
            put(&list, b"{");
        }
    });
    desk.remote.world.pipe_in(&[desk.bus()], &format!("login --with-token --server {before}"), &desk.ana).exits(0);
    // What could not be removed is not revoked.
    let whole = std::fs::read(desk.list()).unwrap();
    put(&desk.list(), b"{");
    desk.run("logout --yes --revoke").exits(1);
    assert!(desk.remote.is_valid(&desk.ana));
    put(&desk.list(), &whole);
    breaks.store(true, Ordering::SeqCst);
    let ran = desk.run("logout --yes --revoke").exits(1);
    assert!(ran.stderr.contains("`laptop` is revoked, but its login was not removed"), "{}", ran.stderr);
    assert!(!desk.remote.is_valid(&desk.ana));
}

#[test]
fn a_login_that_replaces_another_token_says_so_and_that_it_stays_valid() {
    let Some(desk) = Desk::start() else { return };
    let made = desk.remote.world.run("token set l2 --user ana --service embedded:latchkey.db").exits(0);
    let second = made.stdout.trim().to_owned();
    let _ = desk.told();
    let first = desk.log_in(&desk.ana, "").exits(0);
    let again = desk.log_in(&desk.ana, "").exits(0);
    assert!(!first.stderr.contains("replaces") && !again.stderr.contains("replaces"), "{}", again.stderr);
    for (token, more, replaced) in [(&second, "", "ana/laptop"), (&desk.bob, "--account ana", "ana/l2")] {
        let ran = desk.log_in(token, more).exits(0);
        let warned = format!("this replaces `{replaced}`, which stays valid until ");
        assert!(ran.stderr.contains(&warned) && ran.stderr.contains("--account NAME"), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_revoked_is_not_removed() {
    let Some(mut desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    desk.remote.served.end();
    let ran = desk.run("logout --yes --revoke").exits(1);
    assert!(ran.stderr.contains("neither revoked nor removed"), "{}", ran.stderr);
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
    desk.run("logout --yes").exits(0);
    assert_eq!(desk.stored("ana"), None);
}

#[test]
fn without_a_keyring_nothing_is_sent_or_stored_and_it_is_said_why() {
    let Some(mut desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    let proxy = Proxy::before(&desk.remote.url);
    let login = format!("login --with-token --server {}", proxy.url());
    let _ = desk.told();
    desk.remote.world.pipe(&login, &desk.ana).exits(1);
    desk.remote.world.run("token list").exits(1);
    desk.keyring.lock();
    desk.remote.world.pipe_in(&[desk.bus()], &login, &desk.ana).exits(1);
    desk.run("token list").exits(1);
    desk.run("logout --yes").exits(1);
    desk.run("logout --yes --forget").exits(0);
    assert!(proxy.sent().is_empty());
    assert!(desk.run("accounts").exits(0).stdout.starts_with("No logins"));
    insta::assert_snapshot!(desk.told());
}

#[test]
fn a_file_is_used_only_if_asked_for_and_only_while_nobody_else_can_read_it() {
    let Some(desk) = Desk::start() else { return };
    let world = &desk.remote.world;
    let login = format!("login --with-token --insecure-storage --server {}", desk.server());
    let said = world.pipe(&login, &desk.ana).exits(0);
    assert!(said.stderr.contains("stored unencrypted in `"), "{}", said.stderr);
    let folder = world.folder().with_file_name("home").join(".config/latchkey");
    let names = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let file = names.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "token")).unwrap();
    assert_eq!(latchkey_sinks::files::mode(&file), Some(0o600));
    let who = world.run("whoami --format json").exits(0).json();
    assert_eq!(who["login"]["from"], "file");
    let told = world.run("whoami").exits(0).stdout;
    assert!(told.contains(&format!("the unencrypted file `{}`", file.display())), "{told}");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let ran = world.run("whoami").exits(1);
    assert!(ran.stderr.contains("its mode is 0640") && ran.stderr.contains("chmod 600"), "{}", ran.stderr);
    // A login into the keyring leaves no copy behind.
    desk.log_in(&desk.ana, "").exits(0);
    assert!(!file.exists());
    assert_eq!(desk.whoami()["login"]["from"], "keyring");
    assert_eq!(latchkey_sinks::files::mode(&folder.join("logins.json")), Some(0o600));
}

#[test]
fn without_a_home_the_environment_is_enough_and_a_login_says_what_is_missing() {
    let Some(desk) = Desk::start() else { return };
    let without_home = |words: &str, more: &[(&str, &str)], stdin: &str| {
        let mut command = desk.remote.world.command(words.split_whitespace());
        command.env_remove("HOME").envs([desk.bus()]).envs(more.iter().copied()).stdin(std::process::Stdio::piped());
        finish(command.spawn().unwrap(), Some(stdin))
    };
    let both = [("LATCHKEY_URL", desk.remote.url.as_str()), ("LATCHKEY_TOKEN", desk.ana.as_str())];
    without_home("whoami", &both, "").exits(0);
    let none = without_home("whoami", &both[..1], "").exits(1);
    assert!(none.stderr.contains("no token is set for"), "{}", none.stderr);
    let login = without_home(&format!("login --with-token --server {}", desk.server()), &[], &desk.ana).exits(1);
    assert!(login.stderr.contains("`HOME` is not set"), "{}", login.stderr);
    assert_eq!(desk.stored("ana"), None);
}

#[test]
fn a_token_that_ends_within_a_week_is_warned_of_once_a_day() {
    let Some(desk) = Desk::start() else { return };
    let world = &desk.remote.world;
    desk.log_in(&desk.ana, "").exits(0);
    let warns = |environment: &[(&str, &str)]| {
        let ran = world.run_in(environment, "token list --format json").exits(0);
        assert!(ran.json()["active"].is_array());
        ran.stderr.contains("warning: the token `ana/laptop` for `")
    };
    let bus = desk.bus();
    assert!(!warns(&[bus]));
    world.clock(23 * DAY);
    assert!(!warns(&[bus]), "eight days are left");
    world.clock(25 * DAY);
    assert_eq!([warns(&[bus]), warns(&[bus])], [true, false]);
    // A server's time is known to the second only.
    world.clock(26 * DAY + HOUR);
    assert_eq!([warns(&[bus]), warns(&[bus])], [true, false]);
    // What cannot be remembered does no harm.
    let nowhere = [bus, ("XDG_STATE_HOME", "/proc/nowhere")];
    assert_eq!([warns(&nowhere), warns(&nowhere)], [true, true]);
}
