//! Several writers at once.

use std::fs;
use std::process::Command;

use tokio::runtime::Builder;

use super::super::document::Document;
use super::{Bench, mint, put, soon};
use crate::files;
use crate::{Seen, SinkError};

#[test]
fn concurrent_writers_lose_nothing() {
    let bench = Bench::with("# kept\r\nOTHER='x\r\ny'\r\n");
    let last = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let bench = &bench;
                scope.spawn(move || {
                    let name = format!("TOKEN_{number}");
                    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                    let mut fingerprint = None;
                    for _ in 0..20 {
                        let secret = mint();
                        let seen = runtime.block_on(bench.look(&name)).unwrap();
                        runtime.block_on(bench.write(&name, &secret, &seen)).unwrap();
                        fingerprint = Some(secret.fingerprint());
                    }
                    (name, fingerprint)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(bench.text().starts_with("# kept\r\nOTHER='x\r\ny'\r\n"));
    assert_eq!(bench.text().lines().count(), 3 + 8);
    let runtime = Builder::new_current_thread().build().unwrap();
    for (name, fingerprint) in last {
        let Seen::Holds(held) = runtime.block_on(bench.look(&name)).unwrap() else { panic!("`{name}` was lost") };
        assert_eq!(held.fingerprint, fingerprint);
    }
    assert!(bench.litter().is_empty());
}

#[tokio::test]
async fn of_two_runs_that_saw_the_same_only_one_writes() {
    let bench = Bench::with("A=1\n");
    let (first, second) = (mint(), mint());
    let seen = bench.look("API_TOKEN").await.unwrap();
    bench.write("API_TOKEN", &first, &seen).await.unwrap();
    let error = bench.write("API_TOKEN", &second, &seen).await.unwrap_err();
    assert!(matches!(error, SinkError::Changed));
    // The same value a second time is success, whatever was seen.
    bench.write("API_TOKEN", &first, &seen).await.unwrap();
    assert_eq!(*Document::parse(&bench.text()).unwrap().get("API_TOKEN").unwrap(), first.expose());
}

#[tokio::test]
async fn an_edit_by_hand_between_look_and_write_is_kept() {
    let bench = Bench::with("API_TOKEN=one\nA=1\n");
    let seen = bench.look("API_TOKEN").await.unwrap();
    bench.put("API_TOKEN=mine\nA=1\n");
    assert!(matches!(bench.write("API_TOKEN", &mint(), &seen).await, Err(SinkError::Changed)));
    assert!(matches!(bench.remove("API_TOKEN", &seen).await, Err(SinkError::Changed)));
    assert_eq!(bench.text(), "API_TOKEN=mine\nA=1\n");
    // An edit elsewhere in the file is no conflict.
    bench.put("API_TOKEN=one\nA=2\n");
    bench.remove("API_TOKEN", &seen).await.unwrap();
    assert_eq!(bench.text(), "A=2\n");
}

#[tokio::test]
async fn a_writer_that_is_killed_leaves_a_file_that_the_next_one_removes() {
    let bench = Bench::with("A=1\n");
    let leftover = bench.folder.path().join(".env.Ab12Cd34.latchkey-tmp");
    let others = bench.folder.path().join(".env.local.Ab12Cd34.latchkey-tmp");
    put(&leftover, b"A=half");
    put(&others, b"B=half");
    bench.write("API_TOKEN", &mint(), &Seen::Absent).await.unwrap();
    assert!(!leftover.exists());
    assert!(others.exists());
}

#[tokio::test]
async fn a_writer_waits_for_another_process_that_holds_the_folders_lock_as_earlier_releases_do() {
    let bench = Bench::with("A=1\n");
    // `flock` of util-linux stands for any other program.
    let folder = bench.folder.path();
    let (ready, script) = (folder.join("ready"), "touch \"$1/ready\"; sleep 0.3; echo B=2 >> \"$1/.env\"");
    let child = Command::new("flock").arg(folder).args(["sh", "-c", script, "sh"]).arg(folder).spawn();
    let mut child = child.expect("`flock` is there, see tests/debian.txt");
    while !ready.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let secret = mint();
    bench.write("API_TOKEN", &secret, &Seen::Absent).await.unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(bench.text(), format!("A=1\nB=2\nAPI_TOKEN={}\n", secret.expose()));
}

#[tokio::test]
async fn a_lock_that_is_held_past_the_deadline_stops_the_write() {
    let bench = Bench::with("A=1\n");
    let path = fs::canonicalize(bench.folder.path()).unwrap().join(".env");
    let lock = files::Site::open(&path).unwrap().lock(std::time::Duration::ZERO).unwrap();
    let deadline = crate::deadline::Deadline::after(std::time::Duration::from_millis(30));
    let error = bench.write_by("API_TOKEN", &mint(), &Seen::Absent, deadline).await.unwrap_err();
    assert_eq!(error.to_string(), format!("another process holds the lock on `{}`", path.display()));
    drop(lock);
    bench.write_by("API_TOKEN", &mint(), &Seen::Absent, soon()).await.unwrap();
}

#[tokio::test]
async fn a_stranger_who_holds_the_folders_lock_delays_a_write_and_stops_none() {
    let bench = Bench::with("A=1\n");
    let stranger = fs::File::open(bench.folder.path()).unwrap();
    stranger.lock().unwrap();
    bench.write("API_TOKEN", &mint(), &Seen::Absent).await.unwrap();
    drop(stranger);
}
