//! What a run over unchanged tokens costs: calls to the table, time, CPU and memory. `cargo bench -p tests --bench
//! unchanged [-- TOKENS]`; 10,000 tokens by default. The measured run is a process of its own.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::service::Service;
use provisioner::manifest::{Manifest, ServiceAddress};
use provisioner::service::Client;
use tests::{meter, runs};

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
        let manifest = runs::manifest(folder.path(), "bench", tokens);
        println!("{tokens} tokens");
        runtime.block_on(first(&manifest));
        let this = std::env::current_exe().expect("this program");
        let status = Command::new(this).arg("measure").arg(folder.path()).status().expect("the measured run");
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn client(manifest: &Manifest) -> Client {
    let Some(ServiceAddress::Embedded(path)) = &manifest.service else { panic!("an embedded service") };
    let table = provisioner::embedded::open(path).expect("a table");
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.expect("a service");
    Client::operator(service, "bench")
}

async fn first(manifest: &Manifest) {
    let begun = Instant::now();
    let client = client(manifest).await;
    let changed = runs::once(manifest, &client).await;
    let counted = client.operated().expect("the table is here").0.table().counted();
    println!("  first apply: {changed} created in {:.2?}, {} calls", begun.elapsed(), counted.calls);
}

async fn measure(folder: &Path) {
    let begun = Instant::now();
    let manifest = runs::load(folder);
    let loaded = begun.elapsed();
    let client = client(&manifest).await;
    let changed = runs::once(&manifest, &client).await;
    assert_eq!(changed, 0, "nothing has changed");
    let counted = client.operated().expect("the table is here").0.table().counted();
    let this = i32::try_from(std::process::id()).expect("a process");
    println!(
        "  unchanged apply: {:.2?} ({loaded:.2?} of it to read the manifest), {} calls, CPU {:.2} s, peak memory {:.1} MiB",
        begun.elapsed(),
        counted.calls,
        meter::cpu(this).as_secs_f64(),
        meter::peak_memory(this)
    );
}
