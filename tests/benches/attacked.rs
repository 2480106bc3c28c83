//! What checks cost while others attack: `provision serve` that may open 256 files, quiet, and under callers that never
//! come to an end, are slow, or send too much. `cargo bench -p tests --bench attacked [-- CHECKS]`; 2,000 by default.
//! Each check has a connection of its own; one that is closed for others is made again, which counts to its time.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::attack::{Attack, Kind};
use tests::client::Client;
use tests::provision::World;
use tests::remote::Served;
use tokio::runtime::Runtime;

/// What the server may open.
const FILES: u32 = 256;
/// How many times as long as a quiet one the slowest checks may take.
const RATIO_MAX: f64 = 10.0;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let checks: usize = arguments.next().map_or(2_000, |count| count.parse().expect("a number of checks"));
    // Attackers have a thread of their own.
    let attackers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let attackers = attackers.expect("a runtime");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if runtime.expect("a runtime").block_on(compare(checks, &attackers)) < RATIO_MAX {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Prints what each attack does to checks, and answers the ratio of the 99th percentiles under all of them.
async fn compare(checks: usize, attackers: &Runtime) -> f64 {
    let world = World::new();
    let secret = world.run("bootstrap --user root --service embedded:latchkey.db").exits(0).stdout;
    let served = Served::start_with_files(&world, "latchkey.db", FILES);
    let (url, secret) = (served.url(), secret.trim());
    measure(url, secret, checks / 4).await;
    let quiet = measure(url, secret, checks).await;
    println!(
        "{checks} checks, {FILES} files\n{:<32} {:>9} {:>9} {:>9} {:>6} {:>6}",
        "", "median", "99 %", "longest", "ratio", "again"
    );
    print("quiet", &quiet, 1.0);
    let (half, slow, huge) = ((Kind::HalfOpen, 300), (Kind::Slow, 300), (Kind::Huge, 4));
    let mut ratio = 0.0;
    for (name, kinds) in [
        ("300 half-open", &[half][..]),
        ("300 slow", &[slow]),
        ("4 huge", &[huge]),
        ("all of them", &[half, slow, huge]),
    ] {
        let attack = {
            let _entered = attackers.enter();
            Attack::on(url, kinds)
        };
        // Until all connections that the server may have are in use.
        measure(url, secret, checks / 4).await;
        let times = measure(url, secret, checks).await;
        ratio = percentile(&times, 99).as_secs_f64() / percentile(&quiet, 99).as_secs_f64();
        print(&format!("{name} ({} connections)", attack.connections()), &times, ratio);
        attack.end().await;
    }
    let again = measure(url, secret, checks).await;
    print("quiet again", &again, percentile(&again, 99).as_secs_f64() / percentile(&quiet, 99).as_secs_f64());
    ratio
}

/// What so many checks took, each, sorted; and how often one had to begin again.
struct Measured {
    times: Vec<Duration>,
    again: usize,
}

async fn measure(url: &str, secret: &str, checks: usize) -> Measured {
    let body = json!({"token": secret});
    let (mut times, mut again) = (Vec::with_capacity(checks), 0);
    for _ in 0..checks {
        let begun = Instant::now();
        let (status, answer) = loop {
            match Client::of(url, secret).try_ask("POST", "/v1/introspect", Some(&body)).await {
                Ok(answer) => break answer,
                Err(_) => again += 1,
            }
        };
        times.push(begun.elapsed());
        assert!(status == 200 && answer["active"] == true, "{status}: {answer}");
    }
    times.sort_unstable();
    Measured { times, again }
}

fn percentile(measured: &Measured, percent: usize) -> Duration {
    let times = &measured.times;
    times[(times.len() * percent).div_ceil(100).clamp(1, times.len()) - 1]
}

fn print(name: &str, measured: &Measured, ratio: f64) {
    let [median, most, longest] =
        [50, 99, 100].map(|percent| format!("{:.2} ms", 1000.0 * percentile(measured, percent).as_secs_f64()));
    println!("{name:<32} {median:>9} {most:>9} {longest:>9} {ratio:>6.2} {:>6}", measured.again);
}
