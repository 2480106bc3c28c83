//! What blocks a token, and that what its line advises ends it.

use std::sync::atomic::AtomicBool;

use latchkey_sinks::ManifestSinks;
use latchkey_sinks::reading::Allowances;
use provisioner::apply::{Run, Silent, apply};
use provisioner::manifest::{Manifest, load};
use provisioner::observe::{Observation, observe};
use provisioner::plan::{Labels, Options, plan};
use provisioner::service::Client;
use tests::provision::{DAY, HOUR, World};

use super::{START, TWO, applied, assert_told};

const BUILD: &str = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }]"#;

/// The id that a text tells to forget.
fn forgettable(text: &str) -> String {
    let (_, rest) = text.split_once("--forget ").unwrap_or_else(|| panic!("no id in {text}"));
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

#[test]
fn a_moved_folder_shows_at_once_what_waits_for_it_and_how_to_end_it() {
    let world = World::new();
    std::fs::create_dir(world.path("a")).unwrap();
    world.write("a/tokens.toml", &format!("{START}{TWO}"));
    world.run("apply a/tokens.toml").exits(0);
    std::fs::rename(world.path("a"), world.path("b")).unwrap();
    world.run("apply b/tokens.toml").exits(0);
    let _ = world.told();
    let plan = world.run("plan b/tokens.toml").exits(0).stdout;
    assert!(plan.contains("does not exist; the rotation that is due at"), "{plan}");
    let status = world.run("status b/tokens.toml").exits(0).stdout;
    assert!(status.contains("2 unreachable") && !status.contains("in sync"), "{status}");
    assert!(status.contains(&forgettable(&plan)), "the id is shown: {status}");
    world.run("doctor b/tokens.toml").exits(1);
    world.run("rotate b/tokens.toml --all").exits(1);
    assert_told!(world);
    world.clock(HOUR);
    for _ in 0..2 {
        let id = forgettable(&world.run("plan b/tokens.toml").exits(0).stdout);
        world.run(&format!("apply b/tokens.toml --forget {id}")).exits(0);
    }
    world.run("rotate b/tokens.toml --all").exits(0);
    assert!(world.run("status b/tokens.toml").exits(0).stdout.contains("all in sync"));
    world.run("doctor b/tokens.toml").exits(0);
}

#[test]
fn one_of_two_places_that_are_gone_can_be_forgotten_while_the_other_blocks() {
    let push =
        r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "x", name = "A" }, { sink = "y", name = "A" }]"#;
    let sinks = "[sinks.x]\ntype = \"dotenv\"\npath = \"x/.env\"\n[sinks.y]\ntype = \"dotenv\"\npath = \"y/.env\"\n";
    let world = World::with(&format!("{START}{sinks}{}", TWO.replace(BUILD, push)));
    for folder in ["x", "y"] {
        std::fs::create_dir(world.path(folder)).unwrap();
    }
    world.run("apply").exits(0);
    for folder in ["x", "y"] {
        std::fs::remove_dir_all(world.path(folder)).unwrap();
    }
    world.edit(push, BUILD);
    world.clock(31 * DAY);
    for left in [1, 0] {
        let plan = world.run("plan").exits(1).stdout;
        world.run(&format!("apply --forget {}", forgettable(&plan))).exits(if left == 0 { 0 } else { 3 });
    }
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn a_declared_place_that_is_gone_is_first_taken_out_of_the_manifest() {
    let push = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "far", name = "BUILD_TOKEN" }]"#;
    let far = "[sinks.far]\ntype = \"dotenv\"\npath = \"far/.env\"\n";
    let world = World::with(&format!("{START}{far}{}", TWO.replace(BUILD, push)));
    std::fs::create_dir(world.path("far")).unwrap();
    world.run("apply").exits(0);
    std::fs::remove_dir_all(world.path("far")).unwrap();
    world.clock(31 * DAY);
    let _ = world.told();
    let plan = world.run("plan").exits(1).stdout;
    let id = forgettable(&plan);
    // Forgetting what is declared is refused, and not ignored.
    let before = world.read(".env");
    world.run(&format!("apply --forget {id}")).exits(1);
    world.run(&format!("plan --forget {id}")).exits(1);
    assert_eq!(world.read(".env"), before);
    assert_told!(world);
    world.edit(push, BUILD);
    world.run(&format!("apply --forget {id} --only deploy-api")).exits(1);
    world.run(&format!("apply --forget {id}")).exits(0);
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn a_machine_that_is_gone_is_forgotten_with_all_its_places() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run_in(&[("LATCHKEY_MACHINE", "old-laptop")], "apply").exits(0);
    let secret = world.entry(".env", "BUILD_TOKEN");
    // One of its tokens is not declared any more.
    let (kept, _) = TWO.split_once("[tokens.deploy-api]").unwrap();
    world.write("tokens.toml", &format!("{START}{kept}"));
    world.clock(HOUR);
    let _ = world.told();
    let status = world.run("status").exits(0).stdout;
    assert!(status.contains("2 on another machine") && !status.contains("in sync"), "{status}");
    world.run("apply --forget-machine old-laptpo").exits(1);
    world.run("apply --forget-machine elsewhere").exits(1);
    world.run("apply --forget-machine test-machine").exits(1);
    world.run("rotate tokens.toml --all").exits(1);
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), secret);
    world.run("plan --forget-machine old-laptop --out saved").exits(0);
    world.run("apply --plan saved").exits(0);
    let _ = world.run("plan").exits(0);
    assert_told!(world);
    let json = world.run("status --format json").exits(0).json();
    let places: Vec<usize> =
        json["tokens"].as_array().unwrap().iter().map(|token| token["places"].as_array().unwrap().len()).collect();
    assert_eq!(places, [1, 0]);
    world.run("rotate tokens.toml --all").exits(0);
    let alone = world.run("apply --forget-machine old-laptop").exits(1).stderr;
    assert!(alone.contains("all places are on this machine"), "{alone}");
}

#[test]
fn what_is_forgotten_with_a_valid_version_shows_until_when_it_is_valid() {
    let both = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "dev", name = "OLD" }]"#;
    let world = World::with(&format!("{START}{}", TWO.replace(BUILD, both)));
    world.run("apply").exits(0);
    world.edit(both, BUILD);
    world.run("apply").exits(0);
    world.clock(HOUR);
    let id = forgettable(&world.run("plan").exits(0).stdout);
    let shown = world.run(&format!("plan --forget {id}")).exits(0).stdout;
    assert!(shown.contains("forget `.env OLD`, as requested; its entry stays"), "{shown}");
    assert!(
        shown.contains("`.env OLD` keeps version 1, which is not replaced there any more and expires at"),
        "{shown}"
    );
}

#[test]
fn as_many_versions_as_allowed_advise_the_flag_only_where_it_helps() {
    let world = applied();
    for _ in 0..3 {
        world.run("rotate build-api").exits(0);
    }
    let full = world.run("rotate build-api").exits(3).stdout;
    assert!(full.contains("4 versions of it are valid already"), "{full}");
    assert!(full.contains("no flag ends it sooner") && !full.contains("--force-retire"), "{full}");
    // It continues by itself.
    world.clock(25 * HOUR);
    world.run("rotate build-api").exits(0);
}

#[tokio::test]
async fn versions_that_are_kept_by_their_use_are_retired_with_the_flag() {
    let world = applied();
    let mut secrets = vec![world.entry(".env", "BUILD_TOKEN")];
    for _ in 0..3 {
        world.run("rotate build-api").exits(0);
        secrets.push(world.entry(".env", "BUILD_TOKEN"));
    }
    world.clock(25 * HOUR);
    for secret in &secrets[..3] {
        super::vault::note_use(&world, secret).await;
    }
    let full = world.run("rotate build-api").exits(3).stdout;
    assert!(full.contains("`--force-retire` retires versions that are in use"), "{full}");
    world.run("rotate build-api --force-retire").exits(0);
}

/// Another manifest of the same service, with a token in the same file.
fn second(push: &str) -> String {
    format!(
        "manifest = \"umbrella\"\n[service]\nembedded = \"latchkey.db\"\n[sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n[tokens.other-api]\nuser = \"ci\"\nroles = [\"reader\"]\npush = [{push}]\n"
    )
}

#[test]
fn the_secret_of_another_manifests_token_is_not_adopted_and_the_other_one_is_named() {
    let both = r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "dev", name = "SHARED" }]"#;
    let world = World::with(&format!("{START}{}", TWO.replace(BUILD, both)));
    world.run("apply").exits(0);
    let secret = world.entry(".env", "SHARED");
    let adopts = r#"{ sink = "dev", name = "SHARED", adopt = true }, { sink = "dev", name = "OTHER" }"#;
    world.write("second.toml", &second(adopts));
    let _ = world.told();
    world.run("plan second.toml").exits(1);
    world.run("apply second.toml").exits(1);
    assert_eq!(world.entry(".env", "SHARED"), secret);
    assert_told!(world);
    // What the line advises: the other manifest gives it up.
    world.edit(both, BUILD);
    world.run("apply --prune").exits(0);
    world.run("apply second.toml").exits(0);
    assert_ne!(world.entry(".env", "SHARED"), secret);
    world.run("plan second.toml --detailed-exitcode").exits(0);
}

#[test]
fn a_place_that_another_manifest_took_is_not_taken_back() {
    let world = applied();
    world.write("second.toml", &second(r#"{ sink = "dev", name = "OTHER" }"#));
    world.run("apply second.toml").exits(0);
    let (ours, theirs) = (world.entry(".env", "BUILD_TOKEN"), world.entry(".env", "OTHER"));
    world.write(".env", &world.read(".env").replace(&format!("BUILD_TOKEN={ours}"), &format!("BUILD_TOKEN={theirs}")));
    let plan = world.run("apply").exits(1).stdout;
    assert!(plan.contains("contains the secret of the token `ci/other-api` of the manifest `umbrella`"), "{plan}");
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), theirs);
    // What the line advises: this one gives it up.
    world.edit(BUILD, r#"push = [{ sink = "dev", name = "MINE" }]"#);
    world.clock(HOUR);
    world.run("apply").exits(0);
    world.run("apply").exits(0);
    assert_eq!(world.entry(".env", "BUILD_TOKEN"), theirs);
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}

#[test]
fn a_former_secret_of_another_manifests_token_is_not_adopted_until_its_entry_is_deleted() {
    let world = applied();
    let former = world.entry(".env", "BUILD_TOKEN");
    world.run("rotate build-api").exits(0);
    world.clock(26 * HOUR);
    world.run("apply").exits(0);
    assert!(!world.is_valid(&former));
    let current = world.read(".env");
    world.write(".env", &format!("{current}OTHER={former}\n"));
    world.write("second.toml", &second(r#"{ sink = "dev", name = "OTHER", adopt = true }"#));
    let plan = world.run("apply second.toml").exits(1).stdout;
    assert!(plan.contains("contains the secret of the token `ci/build-api` of the manifest `acme`"), "{plan}");
    assert!(plan.contains("if it is a leftover that nobody uses, delete the entry"), "{plan}");
    assert_eq!(world.entry(".env", "OTHER"), former);
    world.write(".env", &current);
    world.run("apply second.toml").exits(0);
}

#[test]
fn a_place_that_two_manifests_declare_stays_with_the_first_that_delivered() {
    let world = applied();
    world.write("second.toml", &second(r#"{ sink = "dev", name = "OTHER" }"#));
    world.run("apply second.toml").exits(0);
    let theirs = world.entry(".env", "OTHER");
    world.edit(
        BUILD,
        r#"push = [{ sink = "dev", name = "BUILD_TOKEN" }, { sink = "dev", name = "OTHER", adopt = true }]"#,
    );
    for words in ["apply", "rotate build-api", "apply --sink dev"] {
        let plan = world.run(words).exits(1).stdout;
        assert!(plan.contains("contains the secret of the token `ci/other-api` of the manifest `umbrella`"), "{plan}");
    }
    assert_eq!(world.entry(".env", "OTHER"), theirs);
    world.run("plan second.toml --detailed-exitcode").exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_manifests_that_adopt_one_entry_at_once_the_slower_leaves_it_to_the_other() {
    let adopts = r#"{ sink = "dev", name = "SHARED", adopt = true }"#;
    let world = World::with(&format!("{START}{}", TWO.replace(BUILD, &format!("push = [{adopts}]"))));
    world.write(".env", "SHARED=by-hand\n");
    world.run("apply --only deploy-api").exits(0);
    world.write("second.toml", &second(adopts));
    // The slower one has looked and planned when the other one begins.
    let slow = Slow::look(&world).await;
    world.run("apply second.toml").exits(0);
    let theirs = world.entry(".env", "SHARED");
    let failures = slow.apply().await;
    assert_eq!(world.entry(".env", "SHARED"), theirs);
    assert!(world.is_valid(&theirs));
    assert!(failures.len() == 1 && failures[0].contains("was written by somebody else meanwhile"), "{failures:?}");
}

/// A run in this process that has looked at everything.
struct Slow {
    manifest: Manifest,
    client: Client,
    sinks: ManifestSinks,
    observation: Observation,
}

impl Slow {
    async fn look(world: &World) -> Self {
        let (manifest, _) = load(&world.path("tokens.toml"), &Allowances::default()).unwrap();
        let client = Client::operator(world.service("latchkey.db").await, "slow");
        let sinks = ManifestSinks::new(&manifest.sinks, "test-machine", &manifest.bounds);
        let observation = observe(client.protocol(), &sinks, &manifest).await.unwrap();
        Self { manifest, client, sinks, observation }
    }

    /// Does what it planned, and returns what failed.
    async fn apply(&self) -> Vec<String> {
        let Self { manifest, client, sinks, observation } = self;
        let (options, labels) = (Options::default(), Labels::new(&manifest.folder, "test-machine"));
        let (client, stop) = (client.protocol(), AtomicBool::new(false));
        let plan = plan(manifest, observation, &options);
        let run = Run { client, sinks, manifest, options: &options, labels: &labels, reporter: &Silent, stop: &stop };
        let outcome = apply(&run, &plan, observation).await.unwrap();
        outcome.failures.into_iter().map(|failure| failure.message).collect()
    }
}

#[test]
fn a_token_given_to_another_user_is_not_told_to_have_moved_from_itself() {
    let world = applied();
    world.edit("[users.ci]", "[users.bob]\nkind = \"service\"\nroles = [\"reader\"]\n\n[users.ci]");
    world.edit("[tokens.build-api]\nuser = \"ci\"", "[tokens.build-api]\nuser = \"bob\"");
    let plan = world.run("plan").exits(1).stdout;
    assert!(plan.contains("a token cannot move to another user: set `user = \"ci\"` again to keep it"), "{plan}");
    assert!(!plan.contains("moved_from"), "{plan}");
    world.run("apply --prune").exits(0);
    assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
}
