//! For pull requests: Markdown, annotations and step summaries.

use tests::provision::{DAY, World, secrets_in};

use super::{START, TWO, applied, assert_told};

const ACTIONS: (&str, &str) = ("GITHUB_ACTIONS", "true");

#[test]
fn plan_apply_and_status_are_pages() {
    let world = World::with(&format!("{START}{TWO}"));
    let mut said = String::new();
    for command in ["plan", "apply", "status", "plan --at 2099-01-01 --only build-api", "check", "plan --offline"] {
        if command.starts_with("plan --at") {
            world.run(&format!("plan --at {} --format markdown", world.date(31))).exits(0);
            continue;
        }
        let ran = world.run(&format!("{command} --format markdown")).exits(0);
        said.push_str(&ran.stdout);
    }
    assert_eq!(secrets_in(&said), Vec::<String>::new());
    assert_told!(world);
    for command in ["token list -u ci", "user list", "role list"] {
        world.run(&format!("{command} --format markdown")).exits(1);
    }
}

#[test]
fn nothing_that_a_manifest_says_is_markup() {
    let world = World::with(&format!("{START}{TWO}"));
    world.edit(
        "[tokens.build-api]",
        "[tokens.build-api]\ndescription = \"<img src=x> | `code` @everyone ![x](http://example.org) </details>\"",
    );
    let page = world.run("plan --format markdown").exits(0).stdout;
    let (table, lines) = page.split_once("<details>").unwrap();
    for markup in ["<img", "![", "@everyone", "http://"] {
        assert!(!table.contains(markup), "{markup}: {table}");
    }
    // The rest is in a block that nothing leaves.
    let (_, block) = lines.split_once("```text\n").unwrap();
    assert!(block.contains("</details>") && block.matches("```").count() == 1, "{block}");
}

#[test]
fn a_job_of_github_gets_annotations_groups_and_a_summary() {
    let world = World::with(&format!("{START}{TWO}"));
    let summary = world.path("summary.md");
    let folder = world.folder().display().to_string();
    let environment =
        [ACTIONS, ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()), ("GITHUB_WORKSPACE", folder.as_str())];
    let run = |words: &str, code: i32| world.run_in(&environment, words).exits(code);
    run("apply", 0);
    assert!(world.read("summary.md").contains("### Run of <code>acme</code>\n\n**Done: 4 changed**"));
    world.write("summary.md", "");
    let _ = world.told();
    world.edit(r#"name = "DEPLOY_TOKEN""#, r#"name = "DEPLOY""#);
    world.write(".env", &format!("{}DEPLOY=foreign\n", world.read(".env")));
    run("plan", 1);
    world.edit("user = \"ci\"", "usr = \"ci\"");
    run("check", 1);
    assert_told!(world);
    let summed = world.read("summary.md");
    assert!(
        summed.contains("**blocked**") && summed.contains("### Problems in <code>tokens&#46;toml</code>"),
        "{summed}"
    );
    world.edit("usr = \"ci\"", "user = \"ci\"");
    let stale = world.run_in(&environment, "apply --plan-id 0123").exits(5);
    assert!(stale.stderr.contains("::error title=provision::the plan is "), "{}", stale.stderr);
    assert_eq!(secrets_in(&world.read("summary.md")), Vec::<String>::new());
    // What a manifest says is no command to the runner, in neither of its forms.
    world.edit("[tokens.build-api]", "[tokens.build-api]\ndescription = \"##[add-mask]a ::add-mask::b\"");
    let tame = world.run_in(&environment, "plan").exits(1);
    assert!(tame.stdout.contains("## [add-mask]a ::add-mask::b"), "{}", tame.stdout);
    assert!(tame.stdout.lines().all(|line| !line.trim_start().starts_with("::add-mask")));
    world.edit("[tokens.build-api]\ndescription", "[tokens.build-api]\ndescriptio");
    // Elsewhere there is none of that.
    let plain = world.run_in(&[("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())], "check").exits(1);
    assert!(!plain.stderr.contains("::error"), "{}", plain.stderr);
}

#[test]
fn no_secret_is_printed_even_to_be_masked() {
    let world = applied();
    let mut said = String::new();
    for words in ["rotate --all", "plan", "status --format markdown", "rotate --compromised build-api --yes"] {
        let ran = world.run_in(&[ACTIONS], words).exits(0);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    assert!(!said.contains("add-mask"));
    assert_eq!(secrets_in(&said), Vec::<String>::new());
}

#[test]
fn a_version_that_will_stop_working_is_a_warning_of_the_job() {
    let world = World::with(&format!("{START}{TWO}").replace(
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }]",
        "push = [{ sink = \"dev\", name = \"BUILD_TOKEN\" }, { sink = \"far\", name = \"BUILD_TOKEN\" }]\n[sinks.far]\ntype = \"dotenv\"\npath = \"far/.env\"",
    ));
    std::fs::create_dir(world.path("far")).unwrap();
    world.run("apply").exits(0);
    std::fs::rename(world.path("far"), world.path("away")).unwrap();
    world.clock(80 * DAY);
    let ran = world.run_in(&[ACTIONS], "plan --only build-api").exits(1);
    assert!(ran.stderr.contains("::warning file="), "{}", ran.stderr);
    assert!(ran.stderr.contains("expires at"), "{}", ran.stderr);
}
