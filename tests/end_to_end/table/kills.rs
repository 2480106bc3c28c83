//! Processes that are killed while they write to one file. `LATCHKEY_KILLS_OF_TABLE` says how often.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use latchkey::table::engine::Engine as _;
use tests::workload::check;

use super::{everything, open};

/// Four processes write at once, and are killed one after another in the middle of it. What one of them was answered is
/// there, a transaction is there whole or not at all, and no lock is left in anybody's way.
#[tokio::test]
async fn a_process_that_is_killed_takes_no_answer_with_it_and_leaves_no_lock() {
    let rounds = std::env::var("LATCHKEY_KILLS_OF_TABLE").ok().and_then(|many| many.parse().ok()).unwrap_or(6_u64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    let (mut answered, mut seeds, mut killed) = (BTreeSet::new(), Vec::new(), 0);
    for round in 0..rounds {
        let mut children = Vec::new();
        for process in 0..4 {
            let seed = round * 4 + process;
            seeds.push(seed);
            let mut command = Command::new(env!("CARGO_BIN_EXE_workload"));
            command.arg(&path).args([seed.to_string(), "1000000".to_owned()]);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let said = child.stdout.take().unwrap();
            // Lines are read as they come: a pipe that is full would stop it.
            let reading = std::thread::spawn(move || {
                let lines = BufReader::new(said).lines().map_while(Result::ok);
                lines.filter_map(|line| line.parse().ok()).map(|number: u64| (seed, number)).collect::<Vec<_>>()
            });
            children.push((child, reading));
        }
        // Each at another moment: their own speed and this shift them.
        for (shift, (child, _)) in (1..).zip(&mut children) {
            tokio::time::sleep(Duration::from_millis(20 + (round * 7 + shift * 13) % 60)).await;
            child.kill().unwrap();
        }
        for (mut child, reading) in children {
            let ended = child.wait().unwrap();
            assert!(ended.code().is_none(), "it ended by itself: {ended}");
            killed += 1;
            answered.extend(reading.join().unwrap());
        }
        let items = everything(&path).await;
        let found: BTreeSet<(u64, u64)> = check(&seeds, &items).unwrap().into_iter().collect();
        let lost: Vec<_> = answered.difference(&found).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        // Who comes next writes at once.
        let table = open(&path).unwrap();
        table.transact(&format!("after-{round}"), &tests::workload::write_of(9_000 + round, 0)).await.unwrap();
        seeds.push(9_000 + round);
    }
    println!("{killed} processes killed, {} answers there", answered.len());
    assert!(answered.len() as u64 > rounds * 20, "{} answers are hardly a test", answered.len());
}
