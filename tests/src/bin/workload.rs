//! Writes to an embedded file as fast as it can, from four tasks: `workload FILE SEED COUNT`. Tests cut it short.
//!
//! Each write is a transaction of two items: one that tells its number and what it must contain, and the count of all.
//! What was answered is said at once, a number a line. What nobody knows the outcome of is told, and the rest goes on.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey::table::engine::{Engine as _, Failure};
use latchkey::table::sqlite::Sqlite;
use tests::workload::{count_first, write_of};

/// How many write at once.
const TASKS: usize = 4;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "its errors, as people read them")]
async fn main() -> std::process::ExitCode {
    match work().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "what nobody knows the outcome of")]
async fn work() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, seed, count] = arguments.as_slice() else { return Err("workload FILE SEED COUNT".into()) };
    let (seed, count): (u64, u64) = (seed.parse()?, count.parse()?);
    let table = Arc::new(Sqlite::open(Path::new(file), Arc::new(latchkey::clock::SystemClock))?);
    match table.transact(&format!("{seed}-first"), &count_first()).await {
        // Another process was here before.
        Ok(()) | Err(Failure::Cancelled(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let (table, next) = (table.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<(), Failure>(());
                }
                match table.transact(&format!("{seed}-{number}"), &write_of(seed, number)).await {
                    Ok(()) => {}
                    Err(error @ Failure::Unknown(_)) => {
                        eprintln!("{number}: {error}");
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                // In one write, so that whoever looks on sees lines.
                let said = format!("{number}\n");
                std::io::stdout().lock().write_all(said.as_bytes()).map_err(|_| Failure::Conflict)?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
