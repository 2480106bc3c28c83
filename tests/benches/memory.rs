//! What a server on an embedded table keeps of many changes: `cargo bench -p tests --bench memory [-- CHANGES]`; 200,000
//! creates and deletes by default. Prints the server's resident memory after each tenth, and fails when it has grown by
//! more than 5 MB since the first. `PROVISION_BIN` names another build of the command.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::process::ExitCode;

use serde_json::json;
use tests::client::Client;
use tests::provision::World;
use tests::remote::Served;

/// How often memory is read.
const PARTS: u32 = 10;
/// By how much it may grow, in MB.
const GROWTH_MAX: f64 = 5.0;
/// How many connections change at once.
const CALLERS: u32 = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let changes: u32 = arguments.next().map_or(200_000, |count| count.parse().expect("a number of changes"));
    let world = World::new();
    let secret = world.run("bootstrap --user root --service embedded:latchkey.db").exits(0).stdout.trim().to_owned();
    world.run("role set reader --permission documents:read --service embedded:latchkey.db").exits(0);
    world.run("user set app --role reader --service embedded:latchkey.db").exits(0);
    let served = Served::start(&world, "latchkey.db");
    let mut callers: Vec<Client> = (0..CALLERS).map(|_| Client::of(served.url(), &secret)).collect();
    println!("{:>9} {:>12}\n{:>9} {:>9.1} MB", "changes", "resident", 0, resident(served.process()));
    let mut after = Vec::new();
    for part in 1..=PARTS {
        let pairs = changes / PARTS / 2 / CALLERS;
        let begin = |(caller, number)| tokio::spawn(create_and_delete(caller, number, pairs));
        let running: Vec<_> = callers.drain(..).zip(0..).map(begin).collect();
        for caller in running {
            callers.push(caller.await.expect("a caller ends"));
        }
        after.push(resident(served.process()));
        println!("{:>9} {:>9.1} MB", part * pairs * 2 * CALLERS, after[after.len() - 1]);
    }
    let growth = after[after.len() - 1] - after[0];
    println!("{growth:+.1} MB since the first of them, at most {GROWTH_MAX}");
    if growth <= GROWTH_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn create_and_delete(mut caller: Client, number: u32, pairs: u32) -> Client {
    for pair in 0..pairs {
        let name = format!("token-{number}-{pair}");
        let (status, answer) = caller.ask("POST", "/v1/users/app/tokens", Some(&json!({"name": name}))).await;
        assert_eq!(status, 201, "{answer}");
        let (status, answer) = caller.ask("DELETE", &format!("/v1/users/app/tokens/{name}"), None).await;
        assert_eq!(status, 204, "{answer}");
    }
    caller
}

/// The memory that a process has resident now, in MB.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024.0 / 1e6
}
