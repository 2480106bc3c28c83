//! Runs of the tool in this process, on whatever table a service has: observe, plan, apply.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use latchkey_sinks::ManifestSinks;
use latchkey_sinks::files::write_atomic;
use latchkey_sinks::reading::Allowances;
use provisioner::apply::{self, Failure, Reporter, Run};
use provisioner::manifest::{self, Manifest};
use provisioner::observe::observe;
use provisioner::plan::{self, Labels, Options};
use provisioner::service::Client;

/// Tokens of one user, and of one file.
const PER_USER: usize = 100;

/// Writes a `tokens.toml` of so many tokens, each with a push to a `.env` file, and reads it.
///
/// # Panics
/// When it cannot be written.
pub fn manifest(folder: &Path, name: &str, tokens: usize) -> Manifest {
    let mut text = format!(
        "manifest = \"{name}\"\n[service]\nembedded = \"latchkey.db\"\n[roles.{name}-reader]\npermissions = [\"documents:read\"]\n"
    );
    for user in 0..tokens.div_ceil(PER_USER) {
        let _ = write!(
            text,
            "[users.{name}-{user}]\nkind = \"service\"\nroles = [\"{name}-reader\"]\nmax_tokens = {PER_USER}\n\
             [sinks.env-{user}]\ntype = \"dotenv\"\npath = \"{user}.env\"\n"
        );
    }
    for token in 0..tokens {
        let user = token / PER_USER;
        let _ = writeln!(
            text,
            "[tokens.service-{token}-api]\nuser = \"{name}-{user}\"\npush = [{{ sink = \"env-{user}\", name = \"TOKEN_{token}\" }}]"
        );
    }
    write_atomic(&folder.join("tokens.toml"), text.as_bytes(), 0o600).expect("a manifest");
    load(folder)
}

/// Reads the `tokens.toml` of a folder.
///
/// # Panics
/// When it is wrong.
pub fn load(folder: &Path) -> Manifest {
    manifest::load(&folder.join("tokens.toml"), &Allowances::default()).expect("a good manifest").0
}

/// Observes, plans and applies once; answers how many tokens had changes.
///
/// # Panics
/// When anything fails.
pub async fn once(manifest: &Manifest, client: &Client) -> usize {
    let sinks = ManifestSinks::new(&manifest.sinks, "bench", &manifest.bounds);
    let options = Options::default();
    let labels = Labels::new(&manifest.folder, "bench");
    let observation = observe(client.protocol(), &sinks, manifest).await.expect("an observation");
    assert!(plan::faults(manifest, &observation).is_empty(), "the manifest is good");
    let plan = plan::plan(manifest, &observation, &options);
    let stop = AtomicBool::new(false);
    let client = client.protocol();
    let run =
        Run { client, sinks: &sinks, manifest, options: &options, labels: &labels, reporter: &Strict, stop: &stop };
    let outcome = apply::apply(&run, &plan, &observation).await.expect("a run");
    assert!(outcome.failures.is_empty(), "nothing fails");
    plan.tokens.iter().filter(|token| !token.changes.is_empty()).count()
}

/// Whatever fails, fails.
#[derive(Debug)]
struct Strict;

impl Reporter for Strict {
    fn begin(&self, _: usize) {}
    fn done(&self, _: &str, _: &str) {}
    fn remark(&self, _: &str) {}
    fn failed(&self, failure: &Failure) {
        panic!("{}: {}", failure.subject, failure.message);
    }
}
