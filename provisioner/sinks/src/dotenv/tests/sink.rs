//! The sink, one step at a time.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use latchkey::secret::Digest;

use super::super::{place, warnings as warnings_for};
use super::*;
use crate::SeenEntry;
use crate::files::{Mode, Site, Stamp};

fn held(seen: Seen) -> SeenEntry {
    let Seen::Holds(held) = seen else { panic!("absent") };
    held
}

fn warnings(path: &Path) -> Vec<String> {
    warnings_for(path, Mode::AtMost(0o600))
}

fn stamp(path: &Path) -> Option<Stamp> {
    Site::open(path).unwrap().stamp()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_secret_is_written_found_read_back_and_removed() {
    let before = "# deploy\r\nA='x y' # why\r\n\r\nPEM=\"1\r\n2\"\r\n";
    let bench = Bench::with(before);
    let secret = mint();
    bench.prepare("API_TOKEN").await.unwrap();
    assert_eq!(bench.look("API_TOKEN").await.unwrap(), Seen::Absent);
    let receipt = bench.write("API_TOKEN", &secret, &Seen::Absent).await.unwrap();
    assert_eq!(bench.text(), format!("{before}API_TOKEN={}\n", secret.expose()));
    let seen = bench.look("API_TOKEN").await.unwrap();
    let found = held(seen.clone());
    assert_eq!(found.fingerprint, Some(secret.fingerprint()));
    assert_eq!(found.token_id, Some(secret.token_id()));
    assert_eq!(found.receipt, receipt);
    let read = bench.sink.read(&bench.place("API_TOKEN"), &marker(&secret)).await.unwrap().unwrap();
    assert_eq!(read.expose(), secret.expose());
    assert!(bench.sink.read(&bench.place("API_TOKEN"), &marker(&mint())).await.unwrap().is_none());
    bench.remove("API_TOKEN", &seen).await.unwrap();
    assert_eq!(bench.text(), before);
    bench.remove("API_TOKEN", &seen).await.unwrap();
    assert!(bench.litter().is_empty());
}

#[tokio::test]
async fn a_new_file_is_for_its_owner_only_and_a_wider_one_is_tightened() {
    let bench = Bench::new();
    assert_eq!(bench.look("API_TOKEN").await.unwrap(), Seen::Absent);
    bench.write("API_TOKEN", &mint(), &Seen::Absent).await.unwrap();
    assert_eq!(mode(&bench.path()), 0o600);
    for (before, after) in [(0o664, 0o600), (0o400, 0o400)] {
        fs::set_permissions(bench.path(), Permissions::from_mode(before)).unwrap();
        assert_eq!(warnings(&bench.path()).is_empty(), before == 0o400);
        let seen = bench.look("API_TOKEN").await.unwrap();
        // A file that its owner made read-only is written by root alone.
        if bench.write("API_TOKEN", &mint(), &seen).await.is_ok() {
            assert_eq!(mode(&bench.path()), after);
        }
    }
}

#[tokio::test]
async fn a_foreign_value_is_told_by_its_fingerprint_and_an_empty_one_is_absent() {
    let bench = Bench::with("A=\"se cret\"\nB=\nC='' # todo\n");
    let found = held(bench.look("A").await.unwrap());
    assert_eq!(found.fingerprint, Some(Digest::of(b"se cret").fingerprint()));
    assert_eq!(found.token_id, None);
    assert_eq!(bench.look("B").await.unwrap(), Seen::Absent);
    let secret = mint();
    bench.write("C", &secret, &Seen::Absent).await.unwrap();
    assert_eq!(bench.text(), format!("A=\"se cret\"\nB=\n# todo\nC={}\n", secret.expose()));
    bench.remove("B", &Seen::Absent).await.unwrap();
    assert!(bench.text().contains("B=\n"));
}

#[tokio::test]
async fn one_write_serves_a_whole_batch_and_one_conflict_stops_only_itself() {
    let bench = Bench::with("B=other\n");
    let (first, second, third) = (mint(), mint(), mint());
    let places = ["A", "B", "C"].map(|name| bench.place(name));
    let markers = [&first, &second, &third].map(marker);
    let writes = [
        write(&places[0], &first, &markers[0], &Seen::Absent),
        write(&places[1], &second, &markers[1], &Seen::Absent),
        write(&places[2], &third, &markers[2], &Seen::Absent),
    ];
    let answers = bench.sink.write(&writes, soon()).await;
    assert!(matches!(answers[..], [Ok(_), Err(SinkError::Changed), Ok(_)]));
    assert_eq!(bench.text(), format!("B=other\nA={}\nC={}\n", first.expose(), third.expose()));
}

#[tokio::test]
async fn a_second_write_of_the_same_value_leaves_the_file_alone() {
    let bench = Bench::new();
    let secret = mint();
    bench.put(&format!("API_TOKEN = '{}'\n", secret.expose()));
    let before = stamp(&bench.path());
    let receipt = bench.write("API_TOKEN", &secret, &Seen::Absent).await.unwrap();
    assert_eq!(receipt.0.split_once('@').unwrap().0, secret.fingerprint().as_str());
    assert_eq!(stamp(&bench.path()), before);
}

#[tokio::test]
async fn nothing_is_written_after_the_deadline() {
    let bench = Bench::with("A=1\n");
    let error = bench.write_by("API_TOKEN", &mint(), &Seen::Absent, Deadline::after(Duration::ZERO)).await;
    assert!(matches!(error, Err(SinkError::Late)));
    assert_eq!(bench.text(), "A=1\n");
    assert!(bench.litter().is_empty());
}

#[tokio::test]
async fn a_place_of_another_machine_is_elsewhere_for_everything() {
    let bench = Bench::with("A=1\n");
    let (place, secret) = (place("server", &bench.path(), "A"), mint());
    let (marker, seen) = (marker(&secret), Seen::Absent);
    let elsewhere = |error: Option<SinkError>| {
        assert!(matches!(error, Some(SinkError::OtherMachine { machine }) if machine == "server"));
    };
    elsewhere(only(bench.sink.prepare(&[&place]).await).err());
    elsewhere(only(bench.sink.look(&[&place]).await).err());
    elsewhere(bench.sink.read(&place, &marker).await.err());
    elsewhere(only(bench.sink.write(&[write(&place, &secret, &marker, &seen)], soon()).await).err());
    elsewhere(only(bench.sink.remove(&[Removal { place: &place, seen: &seen }], soon()).await).err());
}

#[tokio::test]
async fn answers_stand_in_the_order_of_the_questions() {
    let (one, two) = (Bench::with("A=1\nB=2\n"), Bench::with("A='"));
    let places = [one.place("B"), two.place("A"), place("server", &one.path(), "A"), one.place("A"), one.place("C")];
    let answers = one.sink.look(&places.iter().collect::<Vec<_>>()).await;
    let fingerprint = |value: &str| Some(Digest::of(value.as_bytes()).fingerprint());
    assert_eq!(held(answers[0].clone().unwrap()).fingerprint, fingerprint("2"));
    assert!(matches!(answers[1], Err(SinkError::Refused { .. })));
    assert!(matches!(answers[2], Err(SinkError::OtherMachine { .. })));
    assert_eq!(held(answers[3].clone().unwrap()).fingerprint, fingerprint("1"));
    assert_eq!(answers[4].clone().unwrap(), Seen::Absent);
    assert_eq!(one.sink.unit(&places[0]), one.sink.unit(&places[3]));
    assert_ne!(one.sink.unit(&places[0]), one.sink.unit(&places[1]));
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_anything_is_staged() {
    let check = async |text: &str, name: &str, wanted: &str| {
        let bench = Bench::with(text);
        let error = bench.prepare(name).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(error.hint().is_some());
        assert!(bench.write(name, &mint(), &Seen::Absent).await.is_err());
        assert_eq!(bench.text(), text);
        assert!(bench.litter().is_empty());
    };
    check("A=1\nB='open\n", "API_TOKEN", "line 2: a quote opens the value and is never closed").await;
    check("A=1\n", "API-TOKEN", "`API-TOKEN` cannot be a variable's name").await;
    check("A=1\nB=2\nA=3", "A", "`A` is set in line 1 and in line 3 to different values").await;
    check("\u{feff}A=\n", "A", "byte order mark").await;
    check("A=\\\n", "API_TOKEN", "line 1: it ends with a backslash").await;
    check("B=1\nA: x\n", "A", "line 2: some readers may take it for one that sets or unsets `A`").await;
    check("B=1\nA=it's\n", "B", "line 2: a shell reads on in the lines below").await;
}

#[tokio::test]
async fn a_file_that_is_no_text_file_is_refused() {
    let bench = Bench::new();
    put(&bench.path(), b"A=\xff\n");
    assert!(bench.prepare("A").await.unwrap_err().to_string().ends_with("is not UTF-8 text"));
    fs::remove_file(bench.path()).unwrap();
    fs::create_dir(bench.path()).unwrap();
    assert!(bench.prepare("A").await.unwrap_err().to_string().ends_with("is a folder, not a file"));
    assert!(bench.look("A").await.is_err());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error_and_not_an_absent_entry() {
    let bench = Bench::new();
    let place = place(MACHINE, &bench.folder.path().join("config/.env"), "A");
    for error in [
        only(bench.sink.prepare(&[&place]).await).unwrap_err(),
        only(bench.sink.look(&[&place]).await).unwrap_err(),
        only(bench.sink.remove(&[Removal { place: &place, seen: &Seen::Absent }], soon()).await).unwrap_err(),
    ] {
        assert!(error.to_string().ends_with("config` does not exist"), "{error}");
    }
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_a_value() {
    let canary = mint();
    let value = canary.expose();
    let texts = [
        format!("A={value}\nA=x\n"),
        format!("A='{value}\n"),
        format!("A='x\n{value}'{value}\n"),
        format!("A={value}\\\nAPI_TOKEN=x"),
        format!("{value}\r"),
        format!("A={value}\n"),
    ];
    for text in texts {
        let bench = Bench::with(&text);
        let mut shown = Vec::new();
        for name in ["A", "API_TOKEN"] {
            shown.push(format!("{:?} {:?}", bench.prepare(name).await, bench.look(name).await));
            shown.push(format!("{:?}", bench.sink.read(&bench.place(name), &marker(&canary)).await));
            shown.push(format!("{:?}", bench.remove(name, &Seen::Absent).await));
            shown.push(format!("{:?}", bench.write(name, &canary, &Seen::Absent).await));
        }
        let shown = shown.concat();
        assert!(!shown.contains(value), "{shown}");
    }
}
