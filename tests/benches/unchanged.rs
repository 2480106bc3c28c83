//! What a run over unchanged tokens costs: calls to the table, time, CPU and memory. `cargo bench -p tests --bench
//! unchanged [-- TOKENS]`; 10,000 tokens by default. The measured run is a process of its own.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::service::Service;
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::reading::Allowances;
use provisioner::apply::{self, Failure, Reporter, Run};
use provisioner::manifest::{self, Manifest, ServiceAddress};
use provisioner::observe::observe;
use provisioner::plan::{self, Labels, Options};
use provisioner::service::Client;

/// Tokens of one user.
const PER_USER: usize = 100;

#[derive(Debug)]
struct Quiet;

impl Reporter for Quiet {
    fn begin(&self, _: usize) {}
    fn done(&self, _: &str, _: &str) {}
    fn remark(&self, _: &str) {}
    fn failed(&self, failure: &Failure) {
        eprintln!("{}: {}", failure.subject, failure.message);
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if let [word, folder] = arguments.as_slice()
        && word == "measure"
    {
        runtime.block_on(measure(Path::new(folder)));
        return ExitCode::SUCCESS;
    }
    let tokens: usize = arguments.first().map_or(10_000, |count| count.parse().expect("a number of tokens"));
    for tokens in [tokens / 10, tokens] {
        let folder = tempfile::tempdir().expect("a folder");
        write_manifest(folder.path(), tokens);
        println!("{tokens} tokens");
        runtime.block_on(first(folder.path()));
        let this = std::env::current_exe().expect("this program");
        let status = Command::new(this).arg("measure").arg(folder.path()).status().expect("the measured run");
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn write_manifest(folder: &Path, tokens: usize) {
    let mut text = String::from(
        "manifest = \"bench\"\n[service]\nembedded = \"latchkey.db\"\n[roles.reader]\npermissions = [\"documents:read\"]\n",
    );
    for user in 0..tokens.div_ceil(PER_USER) {
        let _ =
            writeln!(text, "[users.user-{user}]\nkind = \"service\"\nroles = [\"reader\"]\nmax_tokens = {PER_USER}");
        let _ = writeln!(text, "[sinks.env-{user}]\ntype = \"dotenv\"\npath = \"{user}.env\"");
    }
    for token in 0..tokens {
        let user = token / PER_USER;
        let _ = writeln!(
            text,
            "[tokens.service-{token}-api]\nuser = \"user-{user}\"\npush = [{{ sink = \"env-{user}\", name = \"TOKEN_{token}\" }}]"
        );
    }
    File::create(folder.join("tokens.toml")).and_then(|mut file| file.write_all(text.as_bytes())).expect("a manifest");
}

async fn client(manifest: &Manifest) -> Client {
    let Some(ServiceAddress::Embedded(path)) = &manifest.service else { panic!("an embedded service") };
    let table = provisioner::embedded::open(path).expect("a table");
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.expect("a service");
    Client::operator(service, "bench")
}

fn load(folder: &Path) -> Manifest {
    manifest::load(&folder.join("tokens.toml"), &Allowances::default()).expect("a good manifest").0
}

/// Observes, plans and applies once; answers how many tokens had changes.
async fn once(manifest: &Manifest, client: &Client) -> usize {
    let sinks = ManifestSinks::new(&manifest.sinks, "bench", &manifest.bounds);
    let options = Options::default();
    let labels = Labels::new(&manifest.folder, "bench");
    let observation = observe(client.protocol(), &sinks, manifest).await.expect("an observation");
    assert!(plan::faults(manifest, &observation).is_empty(), "the manifest is good");
    let plan = plan::plan(manifest, &observation, &options);
    let stop = AtomicBool::new(false);
    let client = client.protocol();
    let run =
        Run { client, sinks: &sinks, manifest, options: &options, labels: &labels, reporter: &Quiet, stop: &stop };
    let outcome = apply::apply(&run, &plan, &observation).await.expect("a run");
    assert!(outcome.failures.is_empty(), "nothing fails");
    plan.tokens.iter().filter(|token| !token.changes.is_empty()).count()
}

async fn first(folder: &Path) {
    let begun = Instant::now();
    let manifest = load(folder);
    let client = client(&manifest).await;
    let changed = once(&manifest, &client).await;
    let counted = client.operated().expect("the table is here").0.table().counted();
    println!(
        "  first apply: {changed} made in {:.2?}, {} calls, {} units",
        begun.elapsed(),
        counted.calls,
        counted.units
    );
}

async fn measure(folder: &Path) {
    let begun = Instant::now();
    let manifest = load(folder);
    let loaded = begun.elapsed();
    let client = client(&manifest).await;
    let changed = once(&manifest, &client).await;
    assert_eq!(changed, 0, "nothing has changed");
    let counted = client.operated().expect("the table is here").0.table().counted();
    println!(
        "  unchanged apply: {:.2?} ({loaded:.2?} of it to read the manifest), {} calls, {} units, CPU {:.2} s, peak memory {:.1} MiB",
        begun.elapsed(),
        counted.calls,
        counted.units,
        cpu_seconds(),
        peak_memory()
    );
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) as f64 / 1024.0
}

/// User and system time of this process, from the kernel's ticks of 10 ms.
#[expect(clippy::cast_precision_loss, reason = "ticks of one process")]
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
