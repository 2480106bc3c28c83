//! Power cuts: what a process wrote and synced, cut at any point, opens, and every answer that was given is in it.
//!
//! The writes and syncs of a real process are recorded by `strace` and replayed: what was synced is there; of what was
//! not, each write is there, missing or torn, in sectors of 512 bytes. `LATCHKEY_CUTS` says at how many points.

#![expect(clippy::disallowed_methods, reason = "files as a disk has them after a cut")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::chaos::Random;
use tests::programs;
use tests::workload::check;

use super::everything;

const SECTOR: usize = 512;

/// What a process did, as far as a disk or an onlooker notices.
#[derive(Debug)]
enum Deed {
    Made(PathBuf),
    Wrote(PathBuf, usize, Vec<u8>),
    Cut(PathBuf, usize),
    Synced(PathBuf),
    Removed(PathBuf),
    /// It said that so many more are answered.
    Said(Vec<u64>),
}

/// A file: what is safe, and what may or may not be.
#[derive(Debug, Default, Clone)]
struct File {
    safe: Vec<u8>,
    loose: Vec<Loose>,
}

#[derive(Debug, Clone)]
enum Loose {
    Write(usize, Vec<u8>),
    Cut(usize),
}

fn write(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    if bytes.len() < at + what.len() {
        bytes.resize(at + what.len(), 0);
    }
    bytes[at..at + what.len()].copy_from_slice(what);
}

impl File {
    fn settle(&mut self) {
        for loose in std::mem::take(&mut self.loose) {
            match loose {
                Loose::Write(at, what) => write(&mut self.safe, at, &what),
                Loose::Cut(length) => self.safe.truncate(length),
            }
        }
    }

    /// What a disk may have of it after a cut.
    fn after_cut(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        for loose in &self.loose {
            match (loose, random.below(4)) {
                (_, 0) => {}
                (Loose::Cut(length), _) => bytes.truncate(*length),
                (Loose::Write(at, what), 1) => {
                    for (index, sector) in what.chunks(SECTOR).enumerate() {
                        if random.below(2) == 0 {
                            write(&mut bytes, at + index * SECTOR, sector);
                        }
                    }
                }
                (Loose::Write(at, what), _) => write(&mut bytes, *at, what),
            }
        }
        bytes
    }
}

/// A text as `strace -xx` spells it.
fn spelled(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits.map(|two| u8::from_str_radix(&two[..2], 16).expect("two digits")).collect()
}

fn quoted(arguments: &str) -> Vec<u8> {
    let (_, rest) = arguments.split_once('"').expect("a text");
    spelled(rest.split_once('"').expect("its end").0)
}

fn number(text: &str) -> usize {
    text.trim().parse().unwrap_or_else(|_| panic!("a number, not `{text}`"))
}

/// What the recording tells of the files in a folder.
fn deeds(recording: &str, folder: &Path) -> Vec<Deed> {
    let mut open: BTreeMap<usize, PathBuf> = BTreeMap::new();
    let mut begun: BTreeMap<&str, String> = BTreeMap::new();
    let mut deeds = Vec::new();
    for line in recording.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        // What another thread interrupted in the recording is put together again where it ended.
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, first.to_owned());
            continue;
        }
        let whole = match call.strip_prefix("<... ") {
            Some(rest) => {
                let (_, rest) = rest.split_once(" resumed>").expect("how it goes on");
                begun.remove(process).expect("how it began") + rest
            }
            None => call.to_owned(),
        };
        let Some((call, result)) = whole.rsplit_once(" = ") else { continue };
        let result = result.split_whitespace().next().unwrap_or_default();
        let Some((name, arguments)) = call.split_once('(') else { continue };
        let arguments = arguments.trim_end().trim_end_matches(')');
        if result.starts_with('-') {
            continue;
        }
        let descriptor = || number(arguments.split(',').next().unwrap_or_default());
        match name {
            "openat" | "open" => {
                let path = PathBuf::from(String::from_utf8_lossy(&quoted(arguments)).into_owned());
                if path.starts_with(folder) {
                    if arguments.contains("O_CREAT") {
                        deeds.push(Deed::Made(path.clone()));
                    }
                    open.insert(number(result), path);
                }
            }
            "close" => {
                open.remove(&descriptor());
            }
            "pwrite64" => {
                if let Some(path) = open.get(&descriptor()) {
                    let at = number(arguments.rsplit(',').next().unwrap_or_default());
                    deeds.push(Deed::Wrote(path.clone(), at, quoted(arguments)));
                }
            }
            "write" if descriptor() == 1 => {
                let said = String::from_utf8(quoted(arguments)).expect("lines");
                deeds.push(Deed::Said(said.lines().map(|line| line.parse().expect("a number")).collect()));
            }
            "ftruncate" => {
                if let Some(path) = open.get(&descriptor()) {
                    deeds.push(Deed::Cut(path.clone(), number(arguments.rsplit(',').next().unwrap_or_default())));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(path) = open.get(&descriptor()) {
                    deeds.push(Deed::Synced(path.clone()));
                }
            }
            "unlink" | "unlinkat" => {
                deeds.push(Deed::Removed(PathBuf::from(String::from_utf8_lossy(&quoted(arguments)).into_owned())));
            }
            _ => {}
        }
    }
    deeds
}

/// What is on the disk when the power goes after the first `count` deeds, and what was answered by then.
fn cut(deeds: &[Deed], random: &mut Random) -> (BTreeMap<PathBuf, Vec<u8>>, BTreeSet<u64>) {
    let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
    // Files that were removed, until their folder is synced.
    let mut removed: BTreeMap<PathBuf, File> = BTreeMap::new();
    let mut answered = BTreeSet::new();
    for deed in deeds {
        match deed {
            Deed::Made(path) => {
                files.entry(path.clone()).or_default();
            }
            Deed::Wrote(path, at, what) => {
                files.entry(path.clone()).or_default().loose.push(Loose::Write(*at, what.clone()));
            }
            Deed::Cut(path, length) => files.entry(path.clone()).or_default().loose.push(Loose::Cut(*length)),
            Deed::Synced(path) => {
                if let Some(file) = files.get_mut(path) {
                    file.settle();
                }
                removed.retain(|gone, _| gone.parent() != Some(path));
            }
            Deed::Removed(path) => {
                if let Some(file) = files.remove(path) {
                    removed.insert(path.clone(), file);
                }
            }
            Deed::Said(numbers) => answered.extend(numbers),
        }
    }
    for (path, file) in removed {
        if random.below(2) == 0 {
            files.entry(path).or_insert(file);
        }
    }
    // What is shared between processes is memory, gone with the power.
    files.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
    (files.into_iter().map(|(path, file)| (path, file.after_cut(random))).collect(), answered)
}

#[tokio::test]
async fn a_power_cut_loses_no_answer_and_leaves_a_file_that_opens() {
    if let Some(missing) = programs::missing(&["strace"]) {
        tests::skip!("{missing}");
    }
    let cuts = std::env::var("LATCHKEY_CUTS").ok().and_then(|many| many.parse().ok()).unwrap_or(60_usize);
    let folder = tempfile::tempdir().unwrap();
    let (here, recording) = (folder.path().join("table"), folder.path().join("recording"));
    std::fs::create_dir(&here).unwrap();
    let path = here.join("latchkey.db");
    let (seed, writes) = (7, 1500);
    let ran = Command::new(programs::find("strace").unwrap())
        .args(["-f", "-qq", "-xx", "-s", "1000000", "-e", "signal=none", "-o"])
        .arg(&recording)
        .args(["-e", "trace=openat,open,close,pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat"])
        .arg(env!("CARGO_BIN_EXE_workload"))
        .arg(&path)
        .args([seed.to_string(), writes.to_string()])
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&ran.stderr).into_owned();
    if trouble.contains("ptrace") || trouble.contains("PTRACE") {
        tests::skip!("nobody may look on here: {trouble}");
    }
    assert!(ran.status.success(), "{trouble}");
    let recording = std::fs::read_to_string(&recording).unwrap();
    let deeds = deeds(&recording, &here);
    let syncs = deeds.iter().filter(|deed| matches!(deed, Deed::Synced(_))).count();
    let said = deeds.iter().filter(|deed| matches!(deed, Deed::Said(_))).count();
    assert!(said >= writes && syncs > 20, "{said} answers and {syncs} syncs were recorded");
    assert!(syncs < writes, "one sync serves many: {syncs} for {writes}");
    let mut random = Random::seeded();
    let (mut answers, mut loose) = (0, 0);
    for round in 0..cuts {
        let many = random.below(deeds.len() + 1);
        let (files, answered) = cut(&deeds[..many], &mut random);
        let there = folder.path().join(format!("cut-{round}"));
        std::fs::create_dir(&there).unwrap();
        for (file, bytes) in &files {
            std::fs::write(there.join(file.file_name().unwrap()), bytes).unwrap();
        }
        let found = check(&[seed], &everything(&there.join("latchkey.db")).await);
        let found: BTreeSet<u64> = match found {
            Ok(found) => found.into_iter().map(|(_, number)| number).collect(),
            Err(why) => panic!("after {many} of {} deeds: {why}", deeds.len()),
        };
        let lost: Vec<&u64> = answered.difference(&found).collect();
        assert!(lost.is_empty(), "after {many} of {} deeds answers are lost: {lost:?}", deeds.len());
        answers += answered.len();
        loose += found.len() - answered.len();
        std::fs::remove_dir_all(&there).unwrap();
    }
    println!("{cuts} cuts in {} deeds: {answers} answers there, {loose} writes that nobody had heard of", deeds.len());
    assert!(answers > cuts, "{answers} answers are hardly a test");
}
