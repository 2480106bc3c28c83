//! Moving in: what is there already becomes a manifest, and one run puts it under Latchkey.

use serde_json::{Value, json};
use tests::engines::{Person, StrictSecretsManager};
use tests::provision::{Ran, World};
use tests::sinks::heroku::Heroku;
use tests::sinks::vendor::Listening;
use tests::sinks::vercel::Vercel;

use super::assert_told;

const APP: &str = "acme-worker";
const REGION: &str = "eu-west-1";
const ENV: &str = "# Shared by all.\r\nDATABASE_URL=\"postgres://u:canary-1@db/x\"\nBILLING_API_TOKEN=canary-2\nexport SEARCH_API_TOKEN='canary-3'\nREPORTS_API_KEY=canary-4\nMAIL_API_TOKEN=canary-5\nPORT=3000\nLAST='no newline at the end'";
const HEROKU: [&str; 5] =
    ["BILLING_API_TOKEN", "SEARCH_API_TOKEN", "REPORTS_API_KEY", "QUEUE_API_TOKEN", "EXPORT_API_TOKEN"];
const HEROKU_OTHERS: [&str; 3] = ["STRIPE_SECRET_KEY", "SECRET_KEY_BASE", "WEB_CONCURRENCY"];
const VERCEL: [(&str, &str); 5] = [
    ("BILLING_API_TOKEN", "production"),
    ("BILLING_API_TOKEN", "preview"),
    ("SEARCH_API_TOKEN", "production"),
    ("WEB_API_TOKEN", "production"),
    ("WEB_API_TOKEN", "preview"),
];
const AWS: [&str; 5] = [
    "prod/billing-api-token",
    "prod/search/api-token",
    "prod/worker_api_token",
    "prod/export-api-key",
    "prod/mail/token",
];
const AWS_OTHERS: [&str; 3] = ["prod/database-url", "prod/stripe-api-key", "staging/billing-api-token"];

/// A team's entries, before it has heard of Latchkey.
struct Team {
    world: World,
    heroku: Listening<Heroku>,
    vercel: Listening<Vercel>,
    manager: StrictSecretsManager,
    person: Person,
}

impl Team {
    async fn new() -> Self {
        let world = World::new();
        world.write(".env", ENV);
        let heroku = Heroku::new("heroku-login", &[APP]).serve().await;
        for name in HEROKU.iter().chain(&HEROKU_OTHERS) {
            heroku.vendor().by_hand(APP, name, Some(&format!("canary-{name}")));
        }
        let vercel = Vercel::new("vercel-login").serve().await;
        for (name, target) in VERCEL.iter().chain(&[("DATABASE_URL", "production")]) {
            vercel.vendor().by_hand(name, target, None, &format!("canary-{name}-{target}"));
        }
        vercel.vendor().foreign(&json!({
            "key": "SHARED_API_TOKEN", "target": ["production", "preview"], "value": "canary-shared", "type": "encrypted"
        }));
        let manager = StrictSecretsManager::start().await;
        let person = manager.person(REGION);
        for name in AWS.iter().chain(&AWS_OTHERS) {
            let made = json!({ "Name": name, "SecretString": format!("canary-{name}") });
            assert!(person.call("CreateSecret", made).await.status.is_success(), "{name}");
        }
        Self { world, heroku, vercel, manager, person }
    }

    fn run(&self, words: &str) -> Ran {
        let logins = [
            ("HEROKU_API_KEY", "heroku-login"),
            ("VERCEL_TOKEN", "vercel-login"),
            ("AWS_ACCESS_KEY_ID", "AKIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "login"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ];
        let ran = self.world.run_in(&logins, words);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!all.contains("canary") && !all.contains("-login"), "no value and no login is printed: {all}");
        ran
    }

    fn import(&self, more: &str) -> Ran {
        let (heroku, vercel, aws) = (self.heroku.url(), self.vercel.url(), self.manager.url());
        self.run(&format!(
            "import .env heroku:{APP}?endpoint={heroku} vercel:acme-web?endpoint={vercel} \
             aws:prod/?region={REGION}&endpoint={aws} {more}"
        ))
    }

    async fn secret(&self, name: &str) -> Value {
        let mut value = self.person.call("GetSecretValue", json!({ "SecretId": name })).await.value();
        value["SecretString"].take()
    }

    /// Every entry that is no token of theirs, as it is.
    async fn others(&self) -> Vec<String> {
        let mut others: Vec<String> = Vec::new();
        let (heroku, vercel) = (self.heroku.vendor(), self.vercel.vendor());
        others.extend(HEROKU_OTHERS.map(|name| format!("{name} {:?}", heroku.value(APP, name))));
        for (name, target) in
            [("DATABASE_URL", "production"), ("SHARED_API_TOKEN", "production"), ("SHARED_API_TOKEN", "preview")]
        {
            others.push(format!("{name} {target} {:?} {:?}", vercel.value(name, target, None), vercel.ids(name)));
        }
        for name in AWS_OTHERS {
            others.push(format!("{name} {}", self.secret(name).await));
        }
        others
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nineteen_entries_in_four_sinks_move_in_with_one_import_and_one_apply_and_nothing_else_changes() {
    let team = Team::new().await;
    let others = team.others().await;
    team.import("--out tokens.toml --name acme").exits(0);
    team.world.run("check").exits(0);
    assert_eq!((team.heroku.changes(), team.vercel.changes()), (0, 0), "an import writes nowhere else");
    assert!(!team.manager.operations().iter().any(|asked| asked.contains("GetSecretValue")), "no value is read");
    let text = team.world.read("tokens.toml");
    assert!(!text.contains("canary") && !text.contains("-login") && !text.contains("adopt = "), "{text}");
    let urls = [(team.heroku.url(), "HEROKU"), (team.vercel.url(), "VERCEL"), (team.manager.url(), "AWS")];
    let shown = urls.iter().fold(text, |text, (url, name)| text.replace(url.as_str(), name));
    insta::assert_snapshot!("imported", shown);
    let plan = team.run("plan --adopt-all").exits(0).stdout;
    assert_eq!(plan.matches("replacing a value that Latchkey did not write").count(), 19, "{plan}");
    for fate in [
        "which cannot be brought back",
        "which only older releases of the app still have",
        "which stays there as `AWSPREVIOUS` until the next change",
    ] {
        assert!(plan.contains(fate), "{fate}: {plan}");
    }
    team.run("apply --adopt-all").exits(0);
    let mut entries: Vec<String> = Vec::new();
    for name in ["BILLING_API_TOKEN", "SEARCH_API_TOKEN", "REPORTS_API_KEY", "MAIL_API_TOKEN"] {
        entries.push(
            team.world
                .read(".env")
                .lines()
                .find_map(|line| Some(line.split_once(&format!("{name}="))?.1.to_owned()))
                .unwrap(),
        );
    }
    entries.extend(HEROKU.map(|name| team.heroku.vendor().value(APP, name).unwrap()));
    entries.extend(VERCEL.map(|(name, target)| team.vercel.vendor().value(name, target, None).unwrap()));
    for name in AWS {
        entries.push(team.secret(name).await.as_str().unwrap().to_owned());
    }
    assert_eq!(entries.len(), 19);
    let distinct: std::collections::BTreeSet<&String> = entries.iter().collect();
    for secret in &distinct {
        assert!(team.world.is_valid(secret));
    }
    assert_eq!(distinct.len(), 12, "a name that is in several places is one token");
    // All others, byte for byte.
    assert_eq!(team.others().await, others);
    let kept = |text: &str| {
        let ours = |line: &&str| {
            !["BILLING_API", "SEARCH_API", "REPORTS_API", "MAIL_API"].iter().any(|name| line.contains(name))
        };
        text.split_inclusive('\n').filter(ours).collect::<String>()
    };
    assert_eq!(kept(&team.world.read(".env")), kept(ENV));
    team.run("plan --detailed-exitcode").exits(0);
    for (vendor, complaints) in [("Heroku", team.heroku.complaints()), ("Vercel", team.vercel.complaints())] {
        assert!(complaints.is_empty(), "{vendor}'s own contract: {complaints:?}");
    }
}

#[test]
fn what_is_printed_can_be_added_to_a_manifest_and_a_file_is_never_overwritten() {
    let world = World::new();
    world.write(".env", ENV);
    world.write("web.env", "WEB_API_TOKEN=canary-9\n");
    world.run("import .env --out tokens.toml --name acme").exits(0);
    let text = world.read("tokens.toml");
    world.run("import web.env --out tokens.toml").exits(1);
    assert_eq!(world.read("tokens.toml"), text);
    let more = world.run("import web.env --pushes").exits(0).stdout;
    world.write("tokens.toml", &format!("{text}\n{more}"));
    world.run("check").exits(0);
    world.run("import missing.env").exits(1);
    world.run("import heroku:Bad_App").exits(1);
    world.run("import heroku:acme-web").exits(1);
    world.run("import heroku:acme-web?login=OTHER_KEY").exits(1);
    world.run("import vercel:web?project=other").exits(1);
    world.run("import keyring:acme").exits(1);
    assert_told!(world);
    let outside = world.run("import ../.env").exits(1).stderr;
    assert!(outside.contains("is outside the manifest's folder") && outside.contains("--allow-outside"), "{outside}");
    assert!(!world.path("latchkey.db").exists());
}

/// Whoever may set a config var or a line chooses its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_break_out_of_lines_are_spelled_out_and_none_of_them_gets_into_the_manifest_as_code() {
    let world = World::new();
    let vercel = Vercel::new("vercel-login").serve().await;
    let hostile = [
        "API_TOKEN\"\n[service]\nurl = \"https://evil.example\"\n#",
        "\u{1b}]0;owned\u{7}_TOKEN",
        "\u{202e}NEKOT_API_TOKEN",
        "::add-mask::X_TOKEN",
        "lk_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_TOKEN",
    ];
    for name in hostile {
        vercel.vendor().by_hand(name, "production", None, "canary");
    }
    vercel.vendor().by_hand("GOOD_API_TOKEN", "production", None, "canary");
    let words = format!("import vercel:acme-web?endpoint={} --out tokens.toml --name acme", vercel.url());
    world.run_in(&[("VERCEL_TOKEN", "vercel-login"), ("GITHUB_ACTIONS", "true")], &words).exits(0);
    world.run("check").exits(0);
    let text = world.read("tokens.toml").replace(&vercel.url(), "VERCEL");
    assert!(!text.contains(|character: char| character.is_control() && character != '\n'), "{text:?}");
    assert_eq!(text.matches("[service]\n").count(), 1, "{text}");
    insta::assert_snapshot!("hostile", text);
}
