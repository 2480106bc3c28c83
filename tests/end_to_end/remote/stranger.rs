//! Servers of strangers: what a manifest of theirs, or a server itself, gets of somebody's login.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use tests::provision::World;
use tests::remote::{Proxy, Trouble};

use super::login::Desk;
use super::manifest;

/// All commands that ask a service.
const ASKING: [&str; 8] = ["plan", "apply", "status", "rotate --all", "token list", "role list", "user list", "whoami"];

#[test]
fn a_server_that_only_a_manifest_names_gets_no_token_and_no_request() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    let world = &desk.remote.world;
    let evil = Proxy::before(&desk.remote.url);
    world.write("tokens.toml", &manifest(&format!("url = \"{}\"", evil.url())));
    let url = desk.remote.url.clone();
    let with_url = [desk.bus(), ("LATCHKEY_URL", &url), ("LATCHKEY_TOKEN", &desk.bob)];
    let alone = [desk.bus(), ("LATCHKEY_TOKEN", &desk.bob)];
    for words in ASKING {
        for environment in [&with_url[..1], &with_url, &alone] {
            world.run_in(environment, words).exits(1);
        }
    }
    for words in ["login", "login --with-token"] {
        let ran = world.pipe_in(&[desk.bus()], words, &desk.bob).exits(4);
        assert!(ran.stderr.contains("no token was read or sent"), "{}", ran.stderr);
    }
    world.pipe_in(&[desk.bus()], "token verify", &desk.bob).exits(2);
    let sent = evil.sent();
    assert!(sent.is_empty(), "{sent:?}");
    // Whoever logs in there, or names it for this run, trusts it.
    world.run_in(&alone, &format!("token list --service {}", evil.url())).exits(0);
    let sent = evil.sent();
    assert!(!sent.is_empty() && sent.iter().all(|sent| sent.head.contains(&desk.bob)), "{sent:?}");
    world.pipe_in(&[desk.bus()], &format!("login --with-token --server {}", evil.url()), &desk.ana).exits(0);
    assert_eq!(world.run_in(&[desk.bus()], "whoami --format json").exits(0).json()["user"], "ana");
    assert!(evil.sent().iter().all(|sent| !sent.head.contains(&desk.bob)));
}

#[test]
fn a_sink_of_a_manifest_never_writes_a_login() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    let world = &desk.remote.world;
    for service in [format!("latchkey:{}", desk.server()), "Latchkey:x".to_owned(), " latchkey:x".to_owned()] {
        let sink = format!("[sinks.desk]\ntype = \"keyring\"\nservice = \"{service}\"\n");
        let token = "[tokens.a]\nuser = \"ci\"\npush = [{ sink = \"desk\", name = \"ana\", adopt = true }]\n";
        world.write("tokens.toml", &format!("manifest = \"evil\"\n{sink}{token}"));
        let ran = world.run_in(&[desk.bus()], "apply --service embedded:other.db").exits(1);
        assert!(ran.stderr.contains("names of that form are Latchkey's own logins"), "{}", ran.stderr);
    }
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
}

#[test]
fn a_server_that_only_the_manifest_of_the_folder_names_is_not_passed_over() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    desk.log_in(&desk.bob, "").exits(0);
    desk.remote.world.write("tokens.toml", &manifest("url = \"https://other.invalid\""));
    for words in ["logout --yes", "switch"] {
        let ran = desk.run(words).exits(1);
        let told = "you are not logged in to `other.invalid`, the server in `";
        assert!(ran.stderr.contains(told) && ran.stderr.contains("pass `--server HOST`"), "{}", ran.stderr);
    }
    assert!(desk.stored("ana").is_some() && desk.stored("bob").is_some());
    desk.run(&format!("logout --yes --server {}", desk.server())).exits(0);
    assert!(desk.stored("bob").is_none());
}

#[test]
fn without_a_server_in_the_manifest_the_login_is_asked_by_what_needs_no_manifest() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    let whole = manifest("url = \"x\"").replace("[service]\nurl = \"x\"\n", "");
    assert!(!whole.contains("[service]"), "{whole}");
    desk.remote.world.write("tokens.toml", &whole);
    assert_eq!(desk.run("whoami --format json").exits(0).json()["user"], "ana");
    let ran = desk.run("plan").exits(1);
    assert!(ran.stderr.contains("no service is configured"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("pass `--service {}`", desk.remote.url)), "{}", ran.stderr);
}

#[test]
fn a_variable_names_a_server_as_a_person_does() {
    let Some(desk) = Desk::start() else { return };
    let world = &desk.remote.world;
    let named = [desk.bus(), ("LATCHKEY_URL", desk.server()), ("LATCHKEY_TOKEN", desk.ana.as_str())];
    assert_eq!(world.run_in(&named, "whoami --format json").exits(0).json()["user"], "ana");
    world.pipe_in(&named[..2], "login --with-token", &desk.bob).exits(0);
    assert_eq!(world.run_in(&named[..2], "whoami --format json").exits(0).json()["user"], "bob");
    for words in ["whoami", "login --with-token", "accounts", "logout --yes"] {
        let broken = [desk.bus(), ("LATCHKEY_URL", "a b"), ("LATCHKEY_TOKEN", desk.ana.as_str())];
        let ran = world.run_in(&broken, words);
        let is_told = ran.stderr.contains("`LATCHKEY_URL` is not the address of a server");
        assert!(is_told == (words != "accounts"), "{words}: {}", ran.stderr);
    }
}

#[test]
fn the_server_of_the_last_login_gets_no_token_of_the_environment() {
    let Some(desk) = Desk::start() else { return };
    let proxy = Proxy::before(&desk.remote.url);
    let world = &desk.remote.world;
    world.pipe_in(&[desk.bus()], &format!("login --with-token --server {}", proxy.url()), &desk.ana).exits(0);
    let _ = proxy.sent();
    let alone = [desk.bus(), ("LATCHKEY_TOKEN", desk.bob.as_str())];
    // The variable names no server, so it is for nobody; the login is for this one.
    assert_eq!(world.run_in(&alone, "whoami --format json").exits(0).json()["user"], "ana");
    world.write("tokens.toml", &manifest(&format!("url = \"{}\"", proxy.url())));
    assert_eq!(world.run_in(&alone, "whoami --format json").exits(0).json()["user"], "ana");
    let sent = proxy.sent();
    assert!(!sent.is_empty() && sent.iter().all(|sent| sent.head.contains(&desk.ana)), "{sent:?}");
    world.run_in(&[desk.bus()], "logout --yes").exits(0);
    let ran = world.run_in(&alone, "whoami").exits(1);
    assert!(ran.stderr.contains("help: unset `LATCHKEY_TOKEN`"), "{}", ran.stderr);
    assert!(proxy.sent().is_empty());
}

#[test]
fn a_login_follows_no_redirect() {
    let Some(desk) = Desk::start() else { return };
    let proxy = Proxy::before(&desk.remote.url);
    proxy.trouble("GET", "/v1/me", Trouble::Redirected, 9);
    let login = format!("login --with-token --server {}", proxy.url());
    let ran = desk.remote.world.pipe_in(&[desk.bus()], &login, &desk.ana).exits(1);
    assert!(
        ran.stderr.contains("a token is not sent on") && ran.stderr.contains("nothing was stored"),
        "{}",
        ran.stderr
    );
    assert_eq!(proxy.sent().len(), 1);
    assert!(desk.run("accounts").exits(0).stdout.starts_with("No logins"));
}

/// A server that answers every request with this.
fn saying(body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut lines = BufReader::new(&connection).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = (&connection).write_all(answer.as_bytes());
        }
    });
    address.to_string()
}

#[test]
fn what_a_server_says_of_a_user_is_read_as_a_name_or_not_at_all() {
    let Some(desk) = Desk::start() else { return };
    let good = serde_json::json!({
        "user": "eve", "kind": "person", "token": "t", "id": "da048wyt53rcasq3", "version": 1,
        "fingerprint": "0123456789ab", "works_until": "2099-01-01T00:00:00Z", "roles": [], "permissions": [],
    });
    let login = |server: &str| {
        let words = format!("login --with-token --server {server}");
        desk.remote.world.pipe_in(&[desk.bus()], &words, &desk.ana)
    };
    for (field, value) in
        [("user", "\u{1b}]0;x\u{7}"), ("user", "../../x"), ("token", "a\u{202e}b"), ("works_until", "soon")]
    {
        let mut odd = good.clone();
        odd[field] = value.into();
        let ran = login(&saying(&odd.to_string())).exits(1);
        assert!(
            ran.stderr.contains("not as Latchkey does") && ran.stderr.contains("nothing was stored"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{:?}", ran.stderr);
    }
    login(&saying(&good.to_string())).exits(0);
}

#[test]
fn what_is_no_server_or_no_list_is_told_without_harm() {
    let world = World::new();
    for server in ["http://tokens.example.com", "ana@host", "a b", "ftp://x", "", "h\u{1b}[2J"] {
        let mut command = world.command(["login", "--with-token", "--server", server]);
        command.stdin(std::process::Stdio::piped());
        let ran = tests::provision::finish(command.spawn().unwrap(), Some("x")).exits(1);
        assert!(ran.stderr.contains("not the address of a server") && !ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    }
    let table = world.run("login --service embedded:latchkey.db").exits(1);
    assert!(table.stderr.contains("a table needs no login"), "{}", table.stderr);
    let folder = world.folder().with_file_name("home").join(".config/latchkey");
    std::fs::create_dir_all(&folder).unwrap();
    let mut file = std::fs::File::create(folder.join("logins.json")).unwrap();
    file.write_all(b"{\"servers\":{\"\x1b[2J\":{}}}").unwrap();
    for words in ["accounts", "switch", "logout", "whoami", "token list"] {
        let ran = world.run(words).exits(1);
        assert!(ran.stderr.contains("cannot be read as the list of logins"), "{words}: {}", ran.stderr);
        assert!(ran.stderr.contains("the tokens themselves stay stored"), "{words}: {}", ran.stderr);
    }
    world.write("tokens.toml", "manifest = 1");
    std::fs::remove_file(folder.join("logins.json")).unwrap();
    for words in ["switch", "logout"] {
        let ran = world.run(words).exits(1);
        assert!(ran.stderr.contains("pass `--server HOST`"), "{words}: {}", ran.stderr);
    }
}

#[test]
fn a_token_is_taken_as_it_was_copied_and_an_empty_stdin_is_told_as_such() {
    let Some(desk) = Desk::start() else { return };
    let empty = desk.log_in("", "").exits(1);
    assert!(empty.stderr.contains("stdin was empty; nothing was sent or stored"), "{}", empty.stderr);
    desk.log_in(&format!("Bearer {}", desk.ana), "").exits(0);
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
    // A table in the environment is meant for other commands.
    let table = [desk.bus(), ("LATCHKEY_SERVICE", "embedded:latchkey.db")];
    desk.remote.world.run_in(&table, "logout --yes").exits(0);
    assert_eq!(desk.stored("ana"), None);
}
