//! What a check, a create and an apply cost, in one run and as ratios: `cargo build --release --bin provision`, then
//! `cargo bench -p tests --bench speed [-- PART..]`. CPU is the kernel's count of the server's or the command's own processes,
//! so that what else runs here changes little of it; wall times hold on a quiet machine only. Medians of five rounds, in
//! which all that is compared takes turns. Ends with 1 where a bar fails.
//!
//! `LATCHKEY_PROVISION=PATH` measures another build. `LATCHKEY_PEERS=all`, or some of them, installs others into
//! `target/engines/peers` and measures them beside it. `LATCHKEY_TOKENS=1000000` lets tables grow as far. PART is any of
//! `requests`, `applies`, `secrets-manager`, `growth` and `units`; all of them by default.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]

mod applies;
mod growth;
mod load;
mod ours;
mod peers;
mod requests;
mod secrets_manager;
mod table;

use std::process::ExitCode;

use tests::engines::Moto;

use ours::Ours;
use peers::Asked;
use table::Table;

const ROUNDS: usize = 5;
const PARTS: [&str; 5] = ["requests", "applies", "secrets-manager", "growth", "units"];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(word) = words.iter().find(|word| !PARTS.contains(&word.as_str())) {
        eprintln!("there is no part `{word}`\nhelp: {}", PARTS.join(", "));
        return ExitCode::FAILURE;
    }
    let (ours, asked) = match Ours::find().and_then(|ours| Ok((ours, Asked::read()?))) {
        Ok(found) => found,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    asked.install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    println!("measured: {}", ours.about);
    let mut table = Table::begin();
    let wants = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    if wants("requests") {
        let (servers, missing) = peers::servers(&asked);
        for (name, why) in missing {
            table.skip(name, &why);
        }
        requests::rows(&ours, &servers, &mut table);
    }
    if wants("applies") {
        applies::rows(&ours, &asked, &mut table);
    }
    if wants("secrets-manager") {
        let moto = runtime.block_on(Moto::start());
        secrets_manager::rows(&ours, &asked, &moto, &mut table);
    }
    if wants("growth") {
        growth::on_a_file(&ours, &mut table);
    }
    if wants("units") {
        runtime.block_on(growth::in_dynamodb());
    }
    if table.end("target/bench/speed.json", &ours.about) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    let middle = numbers.len() / 2;
    *numbers.select_nth_unstable_by(middle, f64::total_cmp).1
}
