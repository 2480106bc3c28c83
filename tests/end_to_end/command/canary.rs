//! No secret leaves the places that it is for: not in what is printed, logged or stored, nor where other users of the
//! machine can look.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use latchkey::entropy::SystemEntropy;
use latchkey::secret::{Prefix, Secret, TokenId};
use tests::provision::{DAY, Ran, World, finish, secrets_in};

use super::{START, TWO};

/// The part of a secret that nobody may guess.
fn random(secret: &str) -> &str {
    &secret[secret.len() - 49..]
}

/// Everything that was seen of one world but its `.env`.
#[derive(Default)]
struct Seen {
    secrets: BTreeSet<String>,
    texts: Vec<(String, Vec<u8>)>,
}

impl Seen {
    fn collect(&mut self, world: &World) {
        if let Ok(text) = fs::read_to_string(world.path(".env")) {
            self.secrets.extend(secrets_in(&text));
        }
    }

    fn run(&mut self, world: &World, words: &str) -> Ran {
        let ran = world.run_in(&[("LATCHKEY_LOG", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")], words);
        self.texts.push((format!("stdout of {words}"), ran.stdout.clone().into_bytes()));
        self.texts.push((format!("stderr of {words}"), ran.stderr.clone().into_bytes()));
        self.collect(world);
        // Between runs, so that a page that is overwritten later is seen too.
        self.files(world.folder());
        self.files(&world.folder().with_file_name("home"));
        ran
    }

    fn files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else if path.file_name().is_some_and(|name| name != ".env") {
                self.texts.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }

    #[track_caller]
    fn assert_clean(&self) {
        for secret in &self.secrets {
            for (name, bytes) in &self.texts {
                let found = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
                // A part is as bad as the whole.
                assert!(!found(&random(secret)[..20]) && !found(&random(secret)[23..43]), "{name} holds a secret");
            }
        }
    }
}

#[test]
fn no_secret_is_printed_logged_or_stored() {
    let world = World::with(&format!("{START}{TWO}"));
    let mut seen = Seen::default();
    seen.run(&world, "plan").exits(0);
    seen.run(&world, "apply --format json").exits(0);
    seen.run(&world, "rotate tokens.toml --all").exits(0);
    seen.run(&world, "plan --format json").exits(0);
    seen.run(&world, "status").exits(0);
    seen.run(&world, "status --format json").exits(0);
    seen.run(&world, "token show build-api -u ci").exits(0);
    seen.run(&world, "token show build-api -u ci --format json").exits(0);
    seen.run(&world, "token list -u ci --format json").exits(0);
    for words in ["user show ci", "role show reader", "settings show", "events --limit 100", "manifest list"] {
        seen.run(&world, words).exits(0);
        seen.run(&world, &format!("{words} --format json")).exits(0);
    }
    // What goes wrong: a place that was edited, one that moved, a file that cannot be parsed.
    world.edit("path = \".env\"", "path = \"other.env\"");
    seen.run(&world, "plan").exits(0);
    world.edit("path = \"other.env\"", "path = \".env\"");
    let text = world.read(".env");
    world.write(".env", &format!("{text}OPEN=\"{}", text.lines().next().unwrap()));
    seen.run(&world, "apply").exits(1);
    world.write(".env", &text.replace("BUILD_TOKEN", "MOVED"));
    seen.run(&world, "apply").exits(0);
    world.clock(2 * DAY);
    seen.run(&world, "rotate --format json").exits(0);
    world.clock(100 * DAY);
    seen.run(&world, "apply").exits(0);
    seen.run(&world, "token delete build-api -u ci --yes").exits(0);
    assert!(seen.secrets.len() >= 7, "{} secrets were collected", seen.secrets.len());
    let logged = seen
        .texts
        .iter()
        .any(|(name, bytes)| name.starts_with("stderr") && String::from_utf8_lossy(bytes).contains("TRACE"));
    assert!(logged, "the log was on");
    seen.assert_clean();
    // The check itself finds what is there.
    seen.texts.push(("canary".to_owned(), world.read(".env").into_bytes()));
    assert!(std::panic::catch_unwind(|| seen.assert_clean()).is_err());
}

#[test]
fn a_running_command_shows_no_secret_to_other_users() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let mut child = world.command(["rotate", "tokens.toml", "--all"]).spawn().unwrap();
    let mut looks = Vec::new();
    while child.try_wait().unwrap().is_none() {
        for file in ["cmdline", "environ"] {
            looks.extend(fs::read(format!("/proc/{}/{file}", child.id())).ok().filter(|bytes| !bytes.is_empty()));
        }
    }
    finish(child, None).exits(0);
    assert!(looks.iter().any(|look| String::from_utf8_lossy(look).contains("tokens.toml")), "it was looked at");
    for secret in secrets_in(&world.read(".env")) {
        for look in &looks {
            assert!(!String::from_utf8_lossy(look).contains(random(&secret)));
        }
    }
    // Nor does anything that it leaves behind for children: git is asked, with the environment of its caller only.
    let mut command = world.command(["token", "verify"]);
    let ran =
        finish(command.stdin(Stdio::piped()).spawn().unwrap(), Some(&secrets_in(&world.read(".env"))[0])).exits(0);
    assert_eq!(secrets_in(&format!("{}{}", ran.stdout, ran.stderr)), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_panic_or_a_log_would_print_of_a_secret_is_nothing() {
    use latchkey_sinks::{Marker, Seen as Look, Write};
    let id = TokenId::mint(&SystemEntropy).unwrap();
    let secret = Secret::mint(&Prefix::default(), &id, &SystemEntropy).unwrap();
    let marker = Marker { token_id: id, version: 1, fingerprint: secret.fingerprint() };
    let place = latchkey_sinks::dotenv::place("test-machine", Path::new("/x/.env"), "T");
    let write = Write {
        place: &place,
        secret: &secret,
        marker: &marker,
        token_name: "build",
        manifest: "acme",
        seen: &Look::Absent,
    };
    let world = super::applied();
    let service = world.service("latchkey.db").await;
    let caller = latchkey::service::Caller::operator("tests");
    let created = service.create(&caller, tests::world::new_token("ci", "other-api")).await.unwrap();
    let exposed = created.secret.expose().to_owned();
    let printed = format!("{secret:?} {secret:#?} {write:?} {write:#?} {created:?} {created:#?} {service:?}");
    for secret in [secret.expose(), &exposed] {
        assert!(!printed.contains(&random(secret)[..20]) && !printed.contains(&random(secret)[23..43]), "{printed}");
    }
}

#[test]
fn no_secret_that_is_asked_about_is_printed_or_logged() {
    let world = World::with(&format!("{START}{TWO}"));
    world.run("apply").exits(0);
    let secret = world.entry(".env", "BUILD_TOKEN");
    let log = [("LATCHKEY_LOG", "trace"), ("RUST_BACKTRACE", "1")];
    let broken = format!("{}\n{}", &secret[..40], &secret[40..]);
    let flipped = format!("{}{}", &secret[..secret.len() - 1], if secret.ends_with('A') { "B" } else { "A" });
    let texts = [secret.clone(), format!("API_TOKEN='{secret}'"), broken, flipped, secret[..60].to_owned()];
    for command in
        ["token find", "token find --format json", "token inspect", "token inspect --format json", "token verify"]
    {
        for text in &texts {
            let ran = world.pipe_in(&log, command, text);
            for seen in [&ran.stdout, &ran.stderr] {
                assert!(
                    !seen.contains(&random(&secret)[..20]) && !seen.contains(&random(&secret)[23..39]),
                    "{command}: {seen}"
                );
            }
        }
    }
    world.run("token create laptop").exits(0);
    let rotated = world.run_in(&log, "token rotate laptop").exits(0);
    let made = secrets_in(&rotated.stdout);
    assert_eq!(rotated.stdout, format!("{}\n", made[0]));
    assert!(!rotated.stderr.contains(&random(&made[0])[..20]), "{}", rotated.stderr);
}
