//! A job that may only plan: what it says by the records alone, what it never says, and what it does not stop at.

use std::net::TcpListener;

use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{ManifestSinks, SinkSet as _};
use tests::provision::{Ran, World};

use super::{Remote, head};

impl Remote {
    /// A token that may read `acme` for planning, and nothing else.
    fn planner(&self) -> String {
        let direct = "--service embedded:latchkey.db";
        self.world.run(&format!("role set planner -p manifests-read:acme {direct}")).exits(0);
        self.world.run(&format!("user set planner --kind service --roles planner {direct}")).exits(0);
        let made = self.world.run(&format!("token set pull-requests --user planner {direct}")).exits(0);
        let _ = self.world.told();
        made.stdout.trim().to_owned()
    }
}

/// Nothing is claimed of what nobody saw.
#[track_caller]
fn claims_nothing(ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    for claim in ["in sync", "no changes", "as declared", "plan id", "still contains", "cannot read"] {
        assert!(!said.contains(claim), "{claim}: {said}");
    }
}

/// One token in a place of every type of sink, at addresses where `listener` hears.
fn everywhere(listener: &TcpListener) -> String {
    let endpoint = format!("endpoint = \"http://{}\"", listener.local_addr().unwrap());
    format!(
        r#"
[sinks.desk]
type = "keyring"
service = "acme"

[sinks.web]
type = "vercel"
project = "acme-web"
team = "acme"
{endpoint}

[sinks.worker]
type = "heroku"
app = "acme-worker"
{endpoint}

[sinks.box]
type = "azure-key-vault"
vault = "acme"
{endpoint}

[sinks.vault]
type = "aws-secrets-manager"
region = "eu-west-1"
{endpoint}

[tokens.everywhere-api]
user = "ci"
push = [
  {{ sink = "dev", name = "API" }},
  {{ sink = "desk", name = "api" }},
  {{ sink = "web", name = "API", targets = ["production", "preview"] }},
  {{ sink = "worker", name = "API" }},
  {{ sink = "box", name = "api" }},
  {{ sink = "vault", name = "prod/api", json_key = "API" }},
]
"#
    )
}

/// A file that whoever opens it waits for, for ever.
fn nobody_opens(world: &World, name: &str) {
    let path = world.path(name);
    let _ = std::fs::remove_file(&path);
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
}

#[test]
fn a_right_to_read_is_enough_and_no_login_no_file_and_no_vendor_is_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let remote = Remote::with(&format!("{}{}", head("url = \"URL\""), everywhere(&listener)));
    let planner = remote.planner();
    nobody_opens(&remote.world, ".env");
    let plan = remote.run_as(&planner, "plan --no-sinks --verbose").exits(0);
    claims_nothing(&plan);
    let first = plan.stdout.lines().next().unwrap();
    assert!(first.contains("places were not looked at"), "{first}");
    assert!(plan.stdout.contains("Plan by the records: 3 to create; 7 places were not looked at"), "{}", plan.stdout);
    for place in [
        "`.env API`",
        "`keyring acme/api`",
        "`Vercel acme/acme-web API (production)`",
        "`Vercel acme/acme-web API (preview)`",
        "`Heroku acme-worker API`",
        "`Key Vault api (acme)`",
        "`Secrets Manager prod/api key API (eu-west-1)`",
    ] {
        let line = format!("{place} was not looked at; nothing was delivered there so far");
        assert!(plan.stdout.contains(&line), "{line}: {}", plan.stdout);
    }
    let json = remote.run_as(&planner, "plan --no-sinks --format json").exits(0).json();
    assert_eq!((&json["places_looked_at"], &json["has_changes"]), (&false.into(), &true.into()));
    assert_eq!((&json["plan_id"], json["tokens"][0]["notes"].as_array().unwrap().len()), (&().into(), 7));
    assert!(json["notes"][0].as_str().unwrap().contains("places were not looked at"), "{json}");
    let page = remote.run_as(&planner, "plan --no-sinks --format markdown").exits(0);
    claims_nothing(&page);
    assert!(page.stdout.contains("places were not looked at"), "{}", page.stdout);
    let asked = listener.accept();
    assert!(asked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "a vendor was asked");
    // Nothing else is allowed to it.
    let refused = remote.run_as(&planner, "apply").exits(1);
    assert!(refused.stderr.contains("not found, or this token is not allowed"), "{}", refused.stderr);
    remote.run_as(&planner, "token list --user ci").exits(1);
}

/// What settings tell of a place is what a run makes of it: else a delivered place would be planned as a new one.
#[tokio::test]
async fn the_parts_that_settings_tell_are_those_of_the_place() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::with(&format!("{}{}", crate::command::START, everywhere(&listener)));
    let allowances = Allowances { hosts: vec!["127.0.0.1".to_owned()], ..Allowances::default() };
    let Ok((manifest, _)) = provisioner::manifest::load(&world.path("tokens.toml"), &allowances) else {
        panic!("the manifest is good")
    };
    let sinks = ManifestSinks::new(&manifest.sinks, "here", &manifest.bounds);
    let mut kinds = std::collections::BTreeSet::new();
    for push in &manifest.tokens[0].pushes {
        let settings = &manifest.sinks[&push.sink].settings;
        // Only a login tells which account a Secrets Manager of AWS's own is in, and here is another one's.
        let Ok(place) = sinks.place(push).await else { continue };
        let told = settings.facts().parts(push);
        let names: Vec<_> = told.iter().map(|(part, _)| *part).collect();
        assert_eq!(names, place.parts.iter().map(|(part, _)| part.as_str()).collect::<Vec<_>>());
        for ((part, told), (_, value)) in told.iter().zip(place.parts.iter()) {
            assert!(told.as_ref().is_none_or(|told| told == value), "{}: {part}: {told:?}, {value}", place.kind);
        }
        kinds.insert(place.kind);
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

#[test]
fn what_nobody_looked_at_is_never_called_unchanged() {
    let remote = Remote::start();
    let planner = remote.planner();
    remote.run("apply").exits(0);
    let plan = remote.run_as(&planner, "plan --no-sinks").exits(0);
    claims_nothing(&plan);
    let sum = "By the records, nothing to do for 2 tokens of `acme`; 2 places were not looked at";
    assert!(plan.stdout.contains(sum), "{}", plan.stdout);
    assert!(
        plan.stdout.contains("`.env BUILD_TOKEN` was not looked at; version 1 was delivered there last"),
        "{}",
        plan.stdout
    );
    let json = remote.run_as(&planner, "plan --no-sinks --format json").exits(0).json();
    assert_eq!((&json["has_changes"], &json["plan_id"]), (&().into(), &().into()), "{json}");
    let looked = remote.run("plan --format json").exits(0).json();
    assert_eq!((&looked["has_changes"], &looked["places_looked_at"]), (&false.into(), &true.into()));
    // What somebody did there is not seen, and not denied.
    nobody_opens(&remote.world, ".env");
    let plan = remote.run_as(&planner, "plan --no-sinks").exits(0);
    assert!(plan.stdout.contains(sum), "{}", plan.stdout);
    // Another checkout on another machine means the same places.
    std::fs::create_dir(remote.world.path("checkout")).unwrap();
    remote.world.write("checkout/tokens.toml", &remote.world.read("tokens.toml"));
    let elsewhere =
        [("LATCHKEY_URL", remote.url.as_str()), ("LATCHKEY_TOKEN", &planner), ("LATCHKEY_MACHINE", "runner")];
    let plan = remote.world.run_in(&elsewhere, "plan checkout/tokens.toml --no-sinks").exits(0);
    assert!(plan.stdout.contains(sum), "{}", plan.stdout);
}

#[test]
fn what_the_records_show_to_change_is_planned() {
    let remote = Remote::start();
    let planner = remote.planner();
    remote.run("apply").exits(0);
    nobody_opens(&remote.world, ".env");
    // A push more gets the current version, a token less is told of, another duration rotates.
    remote.world.edit(
        "name = \"BUILD_TOKEN\" }]",
        "name = \"BUILD_TOKEN\" }, { sink = \"dev\", name = \"BUILD_TOO\" }]\ndescription = \"Builds\"",
    );
    let plan = remote.run_as(&planner, "plan --no-sinks").exits(0);
    claims_nothing(&plan);
    assert!(
        plan.stdout.contains("push to `.env BUILD_TOO`") && plan.stdout.contains("description: "),
        "{}",
        plan.stdout
    );
    assert!(plan.stdout.contains("Plan by the records: 1 to change, 1 to repair; 3 places"), "{}", plan.stdout);
    let text = remote.world.read("tokens.toml");
    remote.world.write("tokens.toml", text.split_once("[tokens.deploy-api]").unwrap().0);
    remote.world.edit("rotate_every = \"30d\"", "rotate_every = \"20d\"");
    let plan = remote.run_as(&planner, "plan --no-sinks --prune").exits(0);
    claims_nothing(&plan);
    assert!(plan.stdout.contains("rotate to version 2, as its durations changed"), "{}", plan.stdout);
    assert!(plan.stdout.contains("`ci/deploy-api`: prune, no longer declared"), "{}", plan.stdout);
    // A place less, whose entry nobody saw.
    remote.world.edit("{ sink = \"dev\", name = \"BUILD_TOKEN\" }, ", "");
    let plan = remote.run_as(&planner, "plan --no-sinks").exits(0);
    claims_nothing(&plan);
    assert!(plan.stdout.contains("`.env BUILD_TOKEN` is no longer declared and was not looked at"), "{}", plan.stdout);
}

#[test]
fn no_run_takes_up_a_plan_that_saw_nothing() {
    let remote = Remote::start();
    let refused = remote.run("plan --no-sinks --out plan.json").exits(1);
    assert!(refused.stderr.contains("`apply` must not run what looked at no place"), "{}", refused.stderr);
    assert!(!remote.world.path("plan.json").exists());
    for words in [
        "--offline",
        "--at 2090-01-01",
        "--sink dev",
        "--detailed-exitcode",
        "--forget x",
        "--forget-branch x",
        "--forget-machine x",
    ] {
        let refused = remote.run(&format!("plan --no-sinks {words}")).exits(1);
        assert!(refused.stderr.contains("cannot be used with"), "{words}: {}", refused.stderr);
    }
}

#[test]
fn what_the_grant_lacks_is_a_note_to_who_can_only_plan_and_stops_who_can_apply() {
    let remote = Remote::start();
    let planner = remote.planner();
    remote.world.edit("documents:read", "documents:write");
    for words in ["plan", "plan --no-sinks"] {
        let note = remote.run_as(&planner, words).exits(0).stdout;
        assert!(note.contains("needs a wider grant: the manifest is not allowed to grant `documents:write`"), "{note}");
        assert!(note.contains("ask an admin to run `provision manifest grant acme"), "{note}");
        assert!(!note.contains("blocked"), "{note}");
        let stop = remote.run(words).exits(1).stdout;
        assert!(stop.contains("the manifest `acme` is not allowed to grant `documents:write`"), "{stop}");
        assert!(!stop.contains("needs a wider grant"), "{stop}");
    }
    let json = remote.run_as(&planner, "plan --format json").exits(0).json();
    assert_eq!((&json["guards"], json["notes"].as_array().unwrap().len()), (&serde_json::json!([]), 1), "{json}");
}

#[test]
fn a_role_of_others_beyond_the_grant_is_a_note_to_who_can_only_plan() {
    let remote = Remote::start();
    let planner = remote.planner();
    remote.declare_role_beyond_the_grant();
    let note = remote.run_as(&planner, "plan").exits(0).stdout;
    let told = "`ana/ana-api`: `provision apply` with a token needs a wider grant: the manifest is not allowed to grant \
                `audits:read`";
    assert!(note.contains(told), "{note}");
    assert!(note.contains("Plan: 5 to create") && !note.contains("blocked"), "{note}");
    let stop = remote.run("plan").exits(1).stdout;
    assert!(stop.contains("`ana/ana-api`: blocked: the manifest is not allowed to grant `audits:read`"), "{stop}");
    // What no login could write stays blocked to both.
    remote.world.write("other.env", "PORT=1\n");
    std::fs::hard_link(remote.world.path("other.env"), remote.world.path(".env")).unwrap();
    for token in [&planner, &remote.job] {
        let blocked = remote.run_as(token, "plan").exits(1).stdout;
        assert!(blocked.contains("blocked: cannot write `.env BUILD_TOKEN`"), "{blocked}");
    }
}
