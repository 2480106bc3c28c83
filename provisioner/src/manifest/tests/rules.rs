//! Rules that are easier told one by one than shown.

use latchkey::lifetime::Seconds;

use super::*;
use latchkey_sinks::SinkSettings;
use latchkey_sinks::login::Login;

const SINK: &str = "manifest = \"acme\"\nsinks.dev = { type = \"dotenv\", path = \".env\" }\n";

/// A secret that was never anybody's.
const SECRET: &str = "lk_0123456789abcdef_NotATokenNotATokenNotATokenNotATokenNotATok1oT2Hr";

fn with_endpoint(endpoint: &str) -> String {
    format!(
        "manifest = \"acme\"\nsinks.vault = {{ type = \"aws-secrets-manager\", endpoint = \"{endpoint}\" }}\n\
         [tokens.prod-api]\nuser = \"ci\"\npush = [{{ sink = \"vault\", name = \"p/a\" }}]\n"
    )
}

#[test]
fn a_manifest_without_tokens_is_good() {
    let (manifest, warnings) = read("manifest = \"acme\"").unwrap();
    assert!(manifest.tokens.is_empty() && warnings.is_empty());
    assert_eq!(manifest.service, None);
}

#[test]
fn what_is_not_said_comes_from_the_defaults() {
    let text = format!(
        "{SINK}[defaults]\nuser = \"ci\"\noverlap = \"2h\"\n\
         [tokens.prod-api]\nexpires_in = \"60d\"\npush = [{{ sink = \"dev\", name = \"A\" }}]\n"
    );
    let (manifest, _) = read(&text).unwrap();
    let token = &manifest.tokens[0];
    assert_eq!(token.user.as_str(), "ci");
    assert_eq!(&text[token.user_span.clone()], "\"ci\"");
    let terms = Terms { expires_in: Seconds::days(60), rotate_every: Seconds::days(30), overlap: Seconds::hours(2) };
    assert_eq!(token.terms, terms);
    assert_eq!(token.roles, None);
}

#[test]
fn tokens_stand_in_the_order_of_the_file() {
    let push = |name| format!("user = \"ci\"\npush = [{{ sink = \"dev\", name = \"{name}\" }}]\n");
    let text = format!("{SINK}[tokens.zeta-api]\n{}[tokens.alpha-api]\n{}", push("Z"), push("A"));
    let (manifest, _) = read(&text).unwrap();
    let names: Vec<&str> = manifest.tokens.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["zeta-api", "alpha-api"]);
    assert_eq!(&text[manifest.tokens[0].span.clone()], "[tokens.zeta-api]");
    assert_eq!(&text[manifest.tokens[1].pushes[0].name_span.clone()], "\"A\"");
}

#[test]
fn no_secret_and_no_login_is_ever_shown() {
    let broken = [
        format!("manifest = \"{SECRET}\""),
        format!("manifest = \"acme\" # {SECRET}"),
        format!("manifest = \"{SECRET}"),
        format!("manifest = {SECRET}"),
        format!("{SECRET} = 1"),
        format!("[users.\"{SECRET}\"]\n[users.\"{SECRET}\"]"),
        format!("{SINK}[tokens.prod-api]\nuser = \"{SECRET}\"\nroles = [\"{SECRET}\", \"{SECRET}\"]"),
        format!("{SINK}[tokens.prod-api]\nuser = \"ci\"\npush = [{{ sink = \"{SECRET}\", name = \"x y {SECRET}\" }}]"),
        format!("{SINK}[tokens.prod-api]\nexpires_in = \"{SECRET}\"\nallowed_ips = [\"{SECRET}\"]"),
        format!("[sinks.dev]\ntype = \"{SECRET}\"\npath = \"../{SECRET}\"\nlogin = \"{SECRET}\""),
        format!("[sinks.dev]\ntype = \"dotenv\"\npath = \"../{SECRET}\""),
        format!("[service]\nurl = \"http://{SECRET}.example.com/{SECRET}\"\nregion = \"{SECRET}\""),
        with_endpoint(&format!("https://{SECRET}.example.com")),
    ];
    for text in broken {
        let faults = read(&text).expect_err(&text);
        let all = format!("{faults} {faults:?} {}", faults.render(true));
        assert!(!all.contains(&SECRET[3..]), "{all}");
        assert!(!all.to_lowercase().contains(&SECRET[3..].to_lowercase()), "{all}");
        assert!(!snippet::render(&faults.faults, STATED, &text, false).contains(&SECRET[3..]));
    }
    let logins = [
        "login = \"hunter2\"",
        "login = 'hunter2'",
        "login = \"hunter2",
        "login = hunter2",
        "login = \"x\"hunter2\"",
        "login = \"x\\\"hunter2\" # hunter",
        "login = \"\"\"\nhunter2\n\"\"\"",
        "login = \"\"\"\nhunter2\n",
        "login = [\"hunter2\"]",
        "\"login\" = \"hunter2\"",
        "web = { type = \"vercel\", login = \"hunter2\", app = \"x\" }",
        "web = [{ login = \"hunter2\" ]",
        "web.login = \"hunter2\"",
        "login\t=\t\"hunter2\"",
        "login =\n\"hunter2\"",
        "login = [\n\"hunter2\"\n",
        "deploy_hook = \"https://api.vercel.com/v1/hunter2\"",
        "deploy_hook = \"https://api.vercel.com/v1/hunter2",
        "deploy_hook = https://api.vercel.com/v1/hunter2",
        "web = { type = \"vercel\", deploy_hook = 'hunter2' }",
    ];
    for login in logins {
        let text = format!("manifest = \"acme\"\n[sinks.web]\n{login}\nunknown = 1");
        let faults = read(&text).expect_err(login);
        let all = format!("{faults} {faults:?} {}", faults.render(false));
        assert!(!all.contains("hunter2"), "{all}");
    }
}

#[test]
fn a_named_login_is_no_plain_one() {
    let text = "manifest = \"acme\"\n[sinks.web]\ntype = \"vercel\"\nlogin = { env = \"VERCEL_TOKEN\" }";
    assert_eq!(codes(text), ["missing-field"]);
    let whole = text.replace("type", "project = \"web\"\ntype");
    let login = |text: &str| match &read(text).unwrap().0.sinks["web"].settings {
        SinkSettings::Vercel(vercel) => vercel.login.clone(),
        other => panic!("another type: {other:?}"),
    };
    assert_eq!(login(&whole), Login::Env { env: "VERCEL_TOKEN".to_owned() });
    let stored = whole.replace("env = \"VERCEL_TOKEN\"", "secret = \"latchkey/logins/acme/vercel\"");
    assert_eq!(login(&stored), Login::Secret { secret: "latchkey/logins/acme/vercel".to_owned() });
}

#[test]
fn whoever_applies_may_allow_what_a_login_needs() {
    let with = |login: &str| {
        format!("manifest = \"acme\"\n[sinks.worker]\ntype = \"heroku\"\napp = \"acme\"\nlogin = {login}")
    };
    let read = |login: &str, allowances: &Allowances| {
        parse(Path::new(STATED), Path::new("/repo"), &with(login), allowances).is_ok()
    };
    let (none, env, outside) = ("{ env = \"OTHER_KEY\" }", "{ command = [\"op\", \"read\"] }", "{ file = \"../key\" }");
    for refused in [none, env, outside] {
        assert!(!read(refused, &Allowances::default()), "{refused}");
    }
    let variables = vec!["OTHER_KEY".to_owned()];
    let all = Allowances { variables, commands: true, outside: true, ..Allowances::default() };
    for allowed in [none, env, outside] {
        assert!(read(allowed, &all), "{allowed}");
    }
    assert!(!read("{ env = \"ANOTHER_KEY\" }", &all), "another variable than the one that is allowed");
}

#[test]
fn an_endpoint_is_the_vendors_or_allowed_also_on_loopback() {
    for good in [
        "https://secretsmanager.eu-west-1.amazonaws.com",
        "https://secretsmanager-fips.us-gov-west-1.amazonaws.com",
        "https://secretsmanager.cn-north-1.amazonaws.com.cn",
        "https://vpce-1-a.secretsmanager.eu-west-1.vpce.amazonaws.com",
    ] {
        assert_eq!(codes(&with_endpoint(good)), Vec::<&str>::new(), "{good}");
    }
    // Any user of this machine may listen there.
    for (local, host) in [
        ("http://localhost:4566", "localhost"),
        ("http://127.0.0.1:4566", "127.0.0.1"),
        ("http://[::1]:4566", "::1"),
        ("https://[::1]:4566", "[::1]"),
    ] {
        assert_eq!(codes(&with_endpoint(local)), ["foreign-host"], "{local}");
        let allowances = Allowances { hosts: vec![host.to_owned()], ..Allowances::default() };
        assert!(parse(Path::new(STATED), Path::new("/repo"), &with_endpoint(local), &allowances).is_ok(), "{local}");
    }
    for foreign in [
        "https://secretsmanager.eu-west-1.amazonaws.com.evil.example",
        "https://secretsmanager.s3.amazonaws.com",
        "https://evil.s3.eu-west-1.amazonaws.com",
        "https://evil.execute-api.eu-west-1.amazonaws.com",
        "https://dynamodb.eu-west-1.amazonaws.com",
        "https://evilamazonaws.com",
        "https://localhost.example.com",
        "https://0.0.0.0",
        "https://[::2]",
    ] {
        assert_eq!(codes(&with_endpoint(foreign)), ["foreign-host"], "{foreign}");
    }
    for bad in [
        "ftp://localhost",
        "localhost",
        "https://",
        "https://a@localhost",
        "https://localhost?x",
        "https://localhost.",
        "https://lo calhost",
    ] {
        assert_eq!(codes(&with_endpoint(bad)), ["bad-address"], "{bad}");
    }
    let text = with_endpoint("https://Vault.example.com:8443");
    let allowances = Allowances { hosts: vec!["vault.example.com".to_owned()], ..Allowances::default() };
    assert!(parse(Path::new(STATED), Path::new("/repo"), &text, &allowances).is_ok());
    let text = with_endpoint("http://vault.example.com");
    assert!(parse(Path::new(STATED), Path::new("/repo"), &text, &allowances).is_err());
}

#[test]
fn a_path_outside_needs_leave_and_is_then_absolute() {
    let text = SINK.replace(".env", "../other/.env")
        + "[tokens.prod-api]\nuser = \"ci\"\npush = [{ sink = \"dev\", name = \"A\" }]";
    assert_eq!(codes(&text), ["outside-folder"]);
    let allowances = Allowances { outside: true, ..Allowances::default() };
    let (manifest, _) = parse(Path::new(STATED), Path::new("/repo"), &text, &allowances).unwrap();
    assert_eq!(manifest.sinks["dev"].settings.facts().file().unwrap().path, Path::new("/other/.env"));
}

#[test]
fn a_push_never_writes_into_the_services_own_file() {
    let check = |table: &str, path: &str| {
        let rest = "[tokens.prod-api]\nuser = \"ci\"\npush = [{ sink = \"dev\", name = \"A\" }]";
        codes(&format!("{}service.embedded = \"{table}\"\n{rest}", SINK.replace(".env", path)))
    };
    for path in ["./table", "table-wal", "table.old"] {
        assert_eq!(check("table", path), ["same-place"], "{path}");
    }
    assert_eq!(check("table", "tables"), Vec::<&str>::new());
    // By its end it is no such file, whatever the table is called.
    assert_eq!(check("latchkey.db", "./latchkey.db"), ["bad-path"]);
    assert_eq!(check("table", "table.acme.lock"), ["bad-path"]);
}

#[test]
fn two_accounts_are_two_places() {
    let vault =
        |name, account| format!("sinks.{name} = {{ type = \"aws-secrets-manager\", account = \"{account}\" }}\n");
    let text = format!(
        "manifest = \"acme\"\n{}{}[tokens.prod-api]\nuser = \"ci\"\n\
         push = [{{ sink = \"one\", name = \"p/a\" }}, {{ sink = \"two\", name = \"p/a\" }}]\n",
        vault("one", "111111111111"),
        vault("two", "222222222222"),
    );
    assert_eq!(codes(&text), Vec::<&str>::new());
}

#[test]
fn control_characters_of_the_file_never_reach_the_screen() {
    let text = "manifest = \"acme\"\n\"\\u001b[31mred\\u202e\" = 1\n# \u{1b}[2J\n";
    let shown = read(text).unwrap_err().render(false);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
}

#[test]
fn positions_count_characters_from_one() {
    let text = "a\nüber = 1";
    assert_eq!(snippet::position(text, 0), snippet::Position { line: 1, column: 1 });
    assert_eq!(snippet::position(text, text.find('b').unwrap()), snippet::Position { line: 2, column: 2 });
    assert_eq!(snippet::position(text, 1000), snippet::Position { line: 2, column: 9 });
}

#[test]
fn lines_that_end_as_on_windows_are_shown_alike() {
    let text = "manifest = 7\nunknown = 1\n";
    assert_eq!(read(&text.replace('\n', "\r\n")).unwrap_err().render(false), read(text).unwrap_err().render(false));
}

#[test]
fn far_spots_are_shown_apart_and_many_faults_in_part() {
    let filler = "# nothing\n".repeat(200);
    let text = format!(
        "{SINK}[tokens.one-api]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"A\" }}]\n{filler}\
         [tokens.two-api]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"A\" }}]\n"
    );
    let shown = read(&text).unwrap_err().render(false);
    assert!(shown.contains("--> tokens.toml:208:9\n") && shown.contains("::: tokens.toml:5:9\n"), "{shown}");
    assert!(shown.lines().count() < 15, "{shown}");
    let many: String = std::array::from_fn::<_, 150, _>(|number| format!("field-{number} = 1\n")).concat();
    assert!(read(&many).unwrap_err().render(false).ends_with("\n\nand 51 more\n"));
}

#[test]
fn whatever_stands_at_the_path_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let load = |name: &str| load(&at(name), &Allowances::default());
    let write = |name: &str, bytes: &[u8]| {
        std::io::Write::write_all(&mut std::fs::File::create(at(name)).unwrap(), bytes).unwrap();
    };
    let missing = load("tokens.toml").unwrap_err();
    assert!(missing.to_string().starts_with("no manifest at `"), "{missing}");
    assert_eq!(missing.hint(), Some("`provision init` writes a starter"));
    assert!(matches!(load("."), Err(LoadError::File(ReadError::NotAFile(_)))));
    write("latin", b"a = 1\n# gr\xfc\xdfe");
    assert!(matches!(load("latin"), Err(LoadError::NotUtf8 { line: 2, .. })));
    write("large", &vec![b'\n'; usize::try_from(SIZE_MAX).unwrap() + 1]);
    assert!(matches!(load("large"), Err(LoadError::File(ReadError::TooLarge(_)))));
    write("wrong", b"");
    assert!(matches!(load("wrong"), Err(LoadError::Faults(_))));
    write("tokens.toml", starter("acme").as_bytes());
    let (manifest, _) = load("tokens.toml").unwrap();
    assert_eq!(manifest.folder, folder.path().canonicalize().unwrap());
}

#[test]
fn what_moves_as_a_whole_moves_with_every_role_user_and_token_under_its_name() {
    let text = format!(
        "{}[roles.reader]\npermissions = []\nmoved_from = \"other\"\n[users.ci]\nkind = \"service\"\n\
         [tokens.a-api]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"A\" }}]\nmoved_to = \"third\"\n\
         [tokens.b-api]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"B\" }}]\nmoved_from = \"old-api\"\n\
         [tokens.c-api]\nuser = \"ci\"\npush = [{{ sink = \"dev\", name = \"C\" }}]\n\
         moved_from = {{ manifest = \"other\", name = \"d-api\" }}\n",
        SINK.replacen('\n', "\nmoved_from = \"former\"\nmoved_to = \"next\"\n", 1)
    );
    let (manifest, _) = read(&text).unwrap();
    let words = |moves: &Moves| (moves.from.as_ref().unwrap().to_string(), moves.to.as_ref().unwrap().to_string());
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(words(&manifest.roles.values().next().unwrap().moves), pair("other", "next"));
    assert_eq!(words(&manifest.users.values().next().unwrap().moves), pair("former", "next"));
    let token = |token: &TokenDeclaration| {
        let former = token.taken_from.as_ref().unwrap();
        format!("{}/{} {}", former.manifest, former.name, token.moved_to.as_ref().unwrap())
    };
    let tokens: Vec<String> = manifest.tokens.iter().map(token).collect();
    assert_eq!(tokens, ["former/a-api third", "former/b-api next", "other/d-api next"]);
    assert_eq!(manifest.tokens[1].moved_from.as_ref().unwrap().1.as_str(), "old-api", "its own former name stays");
}

/// One sentence for all tokens that the window is too narrow for.
#[test]
fn a_window_that_is_closed_longer_than_tokens_can_wait_is_one_fault_at_the_window() {
    let text = |window: &str| {
        format!(
            "manifest = \"acme\"\n[defaults]\nuser = \"ci\"\nexpires_in = \"35d\"\n[rotation]\nwindow = \"{window}\"\n\
             [sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n[tokens.billing-api]\npush = [{{ sink = \"dev\", name = \"A\" }}]\n\
             [tokens.mail-api]\npush = [{{ sink = \"dev\", name = \"B\" }}]\n"
        )
    };
    // They can wait for 35 days less 30 and 1: a weekend is short enough, a week is not.
    assert!(read(&text("Mon-Fri 09:00-16:00 Europe/Berlin")).is_ok());
    let found = faults(&text("Wed 09:00-16:00 UTC"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].message,
        "the window stays closed for up to 6d17h, and `billing-api` and 1 other token can wait 4d at most"
    );
    for (window, code) in [("Wed 9-16 UTC", "bad-window"), ("09:00-16:00", "bad-window")] {
        assert_eq!(faults(&text(window))[0].code, code);
    }
    let none = text("Wed 09:00-16:00 UTC").replace("window = \"Wed 09:00-16:00 UTC\"", "max_restarts = 0");
    assert_eq!(faults(&none)[0].code, "bad-number");
}
