//! One entry by two names: a project by name and by id, an app by name and by UUID, a secret by two spellings of an
//! endpoint, a file by a link. The entry that is declared is never removed, whichever name leaves.

use latchkey::token::TokenKey;
use tests::provision::{DAY, HOUR, Ran, World};
use tests::sinks::heroku::Heroku;
use tests::sinks::vendor::Listening;
use tests::sinks::vercel::{PROJECT, PROJECT_ID, Vercel};

const APP: &str = "acme-worker";

struct Shell {
    world: World,
    vercel: Listening<Vercel>,
    heroku: Listening<Heroku>,
}

const HEAD: &str = r#"manifest = "acme"

[service]
embedded = "latchkey.db"

[roles.reader]
permissions = ["documents:read"]

[users.ci]
kind = "service"
roles = ["reader"]
"#;

fn token(pushes: &[(&str, &str)]) -> String {
    let one = |(sink, more): &(&str, &str)| format!("{{ sink = \"{sink}\", name = \"API_TOKEN\"{more} }}");
    let pushes: Vec<String> = pushes.iter().map(one).collect();
    format!("\n[tokens.api]\nuser = \"ci\"\npush = [{}]\n", pushes.join(", "))
}

const PRODUCTION: &str = ", targets = [\"production\"]";

impl Shell {
    async fn new() -> Self {
        let vercel = Vercel::new("vercel-login").serve().await;
        let heroku = Heroku::new("heroku-login", &[APP]).serve().await;
        Self { world: World::new(), vercel, heroku }
    }

    fn web(&self, sink: &str, project: &str) -> String {
        format!("\n[sinks.{sink}]\ntype = \"vercel\"\nproject = \"{project}\"\nendpoint = \"{}\"\n", self.vercel.url())
    }

    fn worker(&self, sink: &str, app: &str) -> String {
        format!("\n[sinks.{sink}]\ntype = \"heroku\"\napp = \"{app}\"\nendpoint = \"{}\"\n", self.heroku.url())
    }

    fn manifest(&self, parts: &[String]) {
        self.world.write("tokens.toml", &format!("{HEAD}{}", parts.concat()));
    }

    fn run(&self, words: &str) -> Ran {
        self.world.run_in(&[("VERCEL_TOKEN", "vercel-login"), ("HEROKU_API_KEY", "heroku-login")], words)
    }

    fn row(&self) -> Option<String> {
        self.vercel.vendor().value("API_TOKEN", "production", None)
    }

    fn var(&self) -> Option<String> {
        self.heroku.vendor().value(APP, "API_TOKEN")
    }

    /// How many places are recorded.
    async fn places(&self) -> usize {
        let key = TokenKey::new("ci".parse().unwrap(), "api".parse().unwrap());
        let service = self.world.service("latchkey.db").await;
        service.holder(&key).await.unwrap().unwrap().places.len()
    }

    /// Whether a run with `--prune`, now and when nothing can arrive any more, leaves all as it is but for the record.
    async fn is_pruned_of_nothing_but_a_name(&self, holds: impl Fn(&Self) -> Option<String>) {
        let before = holds(self);
        assert!(before.is_some());
        for hours in [0, 1, 2] {
            self.world.clock(hours * HOUR);
            let ran = self.run("apply --prune").exits(0);
            assert!(!ran.stdout.contains("remove the entry") && !ran.stdout.contains("rotate"), "{}", ran.stdout);
            assert_eq!(holds(self), before, "after {hours} h");
        }
        assert_eq!(self.places().await, 1);
        let plan = self.run("plan --detailed-exitcode");
        assert_eq!(plan.code, Some(0), "{}", plan.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_by_name_and_by_id_is_one_and_its_row_is_not_pruned() {
    let shell = Shell::new().await;
    let (by_name, by_id) = (shell.web("web", PROJECT), shell.web("again", PROJECT_ID));
    shell.manifest(&[by_name.clone(), token(&[("web", PRODUCTION)])]);
    shell.run("apply").exits(0);
    // As the way out of an unreachable place advises: the former sink stays declared for one run.
    shell.manifest(&[by_name, by_id, token(&[("again", PRODUCTION)])]);
    shell.is_pruned_of_nothing_but_a_name(Shell::row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_named_otherwise_blocks_no_rotation() {
    let shell = Shell::new().await;
    shell.manifest(&[shell.web("web", PROJECT), token(&[("web", PRODUCTION)])]);
    shell.run("apply").exits(0);
    shell.manifest(&[shell.web("web", PROJECT_ID), token(&[("web", PRODUCTION)])]);
    let plan = shell.run("plan").exits(0).stdout;
    assert!(!plan.contains("blocked") && !plan.contains("unreachable"), "{plan}");
    let first = shell.row();
    shell.run("rotate api").exits(0);
    assert_ne!(shell.row(), first);
    assert!(shell.world.is_valid(&shell.row().unwrap()));
    shell.world.clock(HOUR);
    shell.run("apply").exits(0);
    assert_eq!(shell.places().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_by_name_and_by_uuid_is_one_and_its_var_is_not_pruned() {
    let shell = Shell::new().await;
    let uuid = shell.heroku.vendor().id(APP);
    let (by_name, by_id) = (shell.worker("worker", APP), shell.worker("again", &uuid));
    shell.manifest(&[by_name.clone(), token(&[("worker", "")])]);
    shell.run("apply").exits(0);
    shell.manifest(&[by_name, by_id, token(&[("again", "")])]);
    shell.is_pruned_of_nothing_but_a_name(Shell::var).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pushes_to_one_entry_by_two_names_are_a_fault_before_anything_is_written() {
    let shell = Shell::new().await;
    let sinks = [shell.web("web", PROJECT), shell.web("again", PROJECT_ID)];
    let pushes = token(&[("web", PRODUCTION), ("again", PRODUCTION)]);
    shell.manifest(&[sinks.concat(), pushes]);
    shell.run("check").exits(0);
    for command in ["plan", "apply"] {
        let ran = shell.run(command).exits(1);
        assert!(ran.stderr.contains("same-place") || ran.stderr.contains("lands in the same place"), "{}", ran.stderr);
    }
    assert_eq!((shell.vercel.changes(), shell.row()), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undeclared_token_takes_nothing_from_one_that_is_declared_and_cannot_be_delivered_yet() {
    let shell = Shell::new().await;
    let (by_name, by_id) = (shell.web("web", PROJECT), shell.web("again", PROJECT_ID));
    let dev = "\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n".to_owned();
    shell.manifest(&[by_name.clone(), token(&[("web", PRODUCTION)])]);
    shell.run("apply").exits(0);
    let first = shell.row();
    let other = token(&[("again", PRODUCTION), ("dev", "")]).replace("tokens.api", "tokens.other");
    shell.manifest(&[by_name, by_id, dev, other]);
    shell.world.write(".env", "API_TOKEN=by-hand\n");
    // Nothing of the other one is staged while a place of it is foreign, and until then consumers have what there is.
    let ran = shell.run("apply --prune").exits(3);
    assert!(ran.stdout.contains("blocked") && !ran.stdout.contains("remove the entry"), "{}", ran.stdout);
    assert_eq!(shell.row(), first);
    shell.world.write(".env", "");
    shell.run("apply --prune").exits(0);
    shell.world.clock(2 * DAY);
    shell.run("apply --prune").exits(0);
    let second = shell.row().unwrap();
    assert!(Some(&second) != first.as_ref() && shell.world.is_valid(&second));
}

#[test]
fn a_file_by_the_folder_that_it_moved_to_is_one_and_its_entry_is_not_pruned() {
    let world = World::new();
    std::fs::create_dir(world.path("old")).unwrap();
    let manifest = |path: &str| {
        world.write(
            "tokens.toml",
            &format!("{HEAD}\n[sinks.dev]\ntype = \"dotenv\"\npath = \"{path}/.env\"\n{}", token(&[("dev", "")])),
        );
    };
    manifest("old");
    world.run("apply").exits(0);
    let secret = world.entry("old/.env", "API_TOKEN");
    std::fs::rename(world.path("old"), world.path("new")).unwrap();
    std::os::unix::fs::symlink("new", world.path("old")).unwrap();
    manifest("new");
    for hours in [0, 1] {
        world.clock(hours * HOUR);
        let ran = world.run("apply --prune").exits(0);
        assert!(!ran.stdout.contains("remove the entry") && !ran.stdout.contains("rotate"), "{}", ran.stdout);
        assert_eq!(world.entry("new/.env", "API_TOKEN"), secret);
    }
    assert_eq!(world.run("plan --detailed-exitcode").exits(0).code, Some(0));
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn two_sinks_that_lead_to_one_file_by_a_link_are_told_before_anything_runs() {
    let world = World::new();
    std::os::unix::fs::symlink(".env", world.path("link.env")).unwrap();
    let sinks = ["a", "b"].map(|name| {
        let path = if name == "a" { ".env" } else { "link.env" };
        format!("\n[sinks.{name}]\ntype = \"dotenv\"\npath = \"{path}\"\n")
    });
    world.write("tokens.toml", &format!("{HEAD}{}{}", sinks.concat(), token(&[("a", ""), ("b", "")])));
    let told = world.run("check").exits(1);
    assert!(told.stderr.contains("two pushes write to the same place"), "{}", told.stderr);
}
