//! Signing in at a terminal: what is asked, and that nothing secret is shown.

use tests::terminal::Terminal;

use super::login::Desk;

impl Desk {
    fn at_a_terminal(&self, words: &str) -> Option<Terminal> {
        let mut command = self.remote.world.command(words.split_whitespace());
        command.envs([self.bus()]);
        Terminal::start(&command)
    }

    fn declare_server(&self) {
        self.remote.world.write("tokens.toml", &super::manifest(&format!("url = \"{}\"", self.remote.url)));
    }
}

#[test]
fn every_question_is_asked_and_the_token_is_never_shown() {
    let Some(desk) = Desk::start() else { return };
    desk.declare_server();
    let server = desk.server();
    let Some(mut terminal) = desk.at_a_terminal("login") else { return };
    terminal.wait_for(&format!("Log in to `{server}`, the server in `"));
    terminal.wait_for("[y/N] ");
    terminal.types("y");
    terminal.wait_for(&format!("Token for {server} (not shown): "));
    terminal.types(&desk.ana);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains(&format!("Logged in to `{server}` as `ana`")), "{screen}");
    assert!(!screen.contains(&desk.ana) && tests::provision::secrets_in(&screen).is_empty(), "{screen}");
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));

    let mut terminal = desk.at_a_terminal("logout").unwrap();
    terminal.wait_for(&format!("Are you sure you want to remove the token for {server}? [y/N] "));
    terminal.types("n");
    let (code, screen) = terminal.end();
    assert!(code == Some(4) && screen.contains("Nothing was changed") && !screen.contains("error"), "{screen}");
    // A no to the list, an empty line and the end of input keep it too; Ctrl-C ends the command.
    for (words, keys) in
        [("logout --forget", "n\n"), ("logout", "\n"), ("logout --forget", "\u{4}"), ("logout", "\u{4}")]
    {
        let mut terminal = desk.at_a_terminal(words).unwrap();
        terminal.wait_for("Are you sure you want to remove the token");
        terminal.presses(keys);
        let (code, screen) = terminal.end();
        assert!(code == Some(4) && screen.contains("Nothing was changed"), "{words} {keys:?}: {screen}");
    }
    let mut terminal = desk.at_a_terminal("logout").unwrap();
    terminal.wait_for("Are you sure");
    terminal.presses("\u{3}");
    assert!(matches!(terminal.end().0, None | Some(130)));
    assert!(desk.stored("ana").is_some() && desk.remote.is_valid(&desk.ana));
    let mut terminal = desk.at_a_terminal("logout").unwrap();
    terminal.wait_for("Are you sure");
    terminal.types("yes");
    terminal.wait_for("Revoke `ana/laptop` too, so that no copy of it is valid? [y/N] ");
    terminal.types("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("`laptop` is revoked"), "{screen}");
    assert!(desk.stored("ana").is_none() && !desk.remote.is_valid(&desk.ana));
}

#[test]
fn a_token_is_revoked_with_its_login_only_after_a_yes_of_its_own() {
    let Some(desk) = Desk::start() else { return };
    for (keys, code, is_stored) in
        [("n\r", Some(0), false), ("\r", Some(0), false), ("\u{4}", Some(0), false), ("\u{3}", None, true)]
    {
        desk.log_in(&desk.ana, "").exits(0);
        let Some(mut terminal) = desk.at_a_terminal("logout") else { return };
        terminal.wait_for("Are you sure");
        terminal.types("y");
        terminal.wait_for("Revoke `");
        terminal.wait_for("[y/N] ");
        terminal.presses(keys);
        let (ended, screen) = terminal.end();
        // Ctrl-C ends it by its signal.
        assert_eq!(ended, code, "{keys:?}: {screen}");
        assert!(!screen.contains("is revoked") && tests::provision::secrets_in(&screen).is_empty(), "{screen}");
        assert!(desk.remote.is_valid(&desk.ana), "{keys:?}: {screen}");
        assert_eq!(desk.stored("ana").is_some(), is_stored, "{keys:?}: {screen}");
    }
}

#[test]
fn a_token_that_is_pasted_with_the_answer_before_it_is_not_shown() {
    let Some(desk) = Desk::start() else { return };
    desk.declare_server();
    let Some(mut terminal) = desk.at_a_terminal("login") else { return };
    terminal.wait_for("[y/N] ");
    terminal.types(&format!("y\n{}", desk.ana));
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("[y/N] y\r\n") && tests::provision::secrets_in(&screen).is_empty(), "{screen}");
    assert_eq!(desk.stored("ana").as_deref(), Some(desk.ana.as_str()));
    // Nor is one that is pasted instead of the answer.
    let mut terminal = desk.at_a_terminal("login").unwrap();
    terminal.wait_for("[y/N] ");
    terminal.types(&desk.ana);
    let (code, screen) = terminal.end();
    assert!(code == Some(4) && !screen.contains(&desk.ana[..12]), "{screen}");
}

#[test]
fn another_token_of_an_account_is_replaced_only_after_a_yes() {
    let Some(desk) = Desk::start() else { return };
    desk.log_in(&desk.ana, "").exits(0);
    for (answer, code, stored) in [("n", 4, &desk.ana), ("y", 0, &desk.bob)] {
        let words = format!("login --account ana --server {}", desk.server());
        let Some(mut terminal) = desk.at_a_terminal(&words) else { return };
        terminal.wait_for("(not shown): ");
        terminal.types(&desk.bob);
        terminal.wait_for("Replace `ana/laptop`, which stays valid until ");
        terminal.wait_for("? [y/N] ");
        terminal.types(answer);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, Some(code), "{screen}");
        assert_eq!(screen.contains("the login of `ana` is as it was"), code == 4, "{screen}");
        assert_eq!(desk.stored("ana").as_ref(), Some(stored));
    }
}

#[test]
fn a_no_a_slip_and_an_empty_line_send_and_store_nothing() {
    let Some(desk) = Desk::start() else { return };
    desk.declare_server();
    let proxy = tests::remote::Proxy::before(&desk.remote.url);
    let Some(mut terminal) = desk.at_a_terminal("login") else { return };
    terminal.wait_for("[y/N] ");
    terminal.types("");
    assert_eq!(terminal.end().0, Some(4));
    let cut = &desk.ana[..desk.ana.len() - 3];
    for (typed, words) in [("", "no token was given"), (cut, "that is not a Latchkey token")] {
        let mut terminal = desk.at_a_terminal(&format!("login --server {}", proxy.url())).unwrap();
        terminal.wait_for("(not shown): ");
        terminal.types(typed);
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(1), "{screen}");
        assert!(screen.contains(words) && screen.contains("nothing was sent or stored"), "{screen}");
        assert!(typed.is_empty() || !screen.contains(typed), "{screen}");
    }
    // Whoever thinks better of it gets their terminal back.
    let mut terminal = desk.at_a_terminal(&format!("login --server {}", proxy.url())).unwrap();
    terminal.wait_for("(not shown): ");
    terminal.types("\u{3}");
    let (code, screen, shows) = terminal.end_with_mode();
    assert!(code == Some(130) && screen.contains("interrupted by Ctrl-C; nothing was sent or stored"), "{screen}");
    assert!(shows, "the terminal stays silent");
    assert!(proxy.sent().is_empty());
    assert!(desk.run("accounts").exits(0).stdout.starts_with("No logins"));
}
