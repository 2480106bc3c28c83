//! Which file it is: links, files that a path led to before, and files that are not to be opened.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::former;
use super::*;
use crate::bounds::Bounds;
use crate::files;
use crate::sink::Delivered;

fn held(seen: Seen) -> crate::SeenEntry {
    let Seen::Holds(held) = seen else { panic!("{seen:?}") };
    held
}

/// A folder of releases, each with a `.env` of its own behind the link `current`.
struct Releases(Bench);

impl Releases {
    fn new() -> Self {
        let bench = Bench::new();
        fs::create_dir(bench.folder.path().join("releases")).unwrap();
        Self(bench)
    }

    fn at(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.0.folder.path()).unwrap().join(path)
    }

    fn deploy(&self, number: usize) {
        fs::create_dir_all(self.at(&format!("releases/{number}"))).unwrap();
        let _ = fs::remove_file(self.at("current"));
        symlink(format!("releases/{number}"), self.at("current")).unwrap();
    }

    fn place(&self) -> Place {
        place(MACHINE, &self.at("current/.env"), "A")
    }

    async fn look(&self) -> Seen {
        only(self.0.sink.look(&[&self.place()]).await).unwrap()
    }

    async fn deliver(&self, secret: &Secret) {
        let (place, marker, seen) = (self.place(), marker(secret), self.look().await);
        only(self.0.sink.write(&[write(&place, secret, &marker, &seen)], soon()).await).unwrap();
    }
}

#[tokio::test]
async fn a_path_through_a_link_is_one_place_that_knows_where_it_led_before() {
    let releases = Releases::new();
    releases.deploy(1);
    let (place, first, second) = (releases.place(), mint(), mint());
    releases.deliver(&first).await;
    assert_eq!(held(releases.look().await).former, []);
    releases.deploy(2);
    assert_eq!(releases.place(), place);
    assert_eq!(releases.look().await, Seen::Absent);
    // What the former file has is there to be read back.
    let read = releases.0.sink.read(&place, &marker(&first)).await.unwrap().unwrap();
    assert_eq!(read.expose(), first.expose());
    assert!(releases.0.sink.read(&place, &marker(&second)).await.unwrap().is_none());
    releases.deliver(&second).await;
    let seen = held(releases.look().await);
    assert_eq!((seen.fingerprint, seen.former), (Some(second.fingerprint()), vec![first.fingerprint()]));
    assert!(fs::read_to_string(releases.at("releases/1/.env")).unwrap().contains(first.expose()), "left as it is");
    // Back to the former one, and the newer one is where it may lead again.
    releases.deploy(1);
    let seen = held(releases.look().await);
    assert_eq!((seen.fingerprint, seen.former), (Some(first.fingerprint()), vec![second.fingerprint()]));
    fs::remove_dir_all(releases.at("releases/2")).unwrap();
    assert_eq!(held(releases.look().await).former, [], "what is gone is not looked at");
}

#[test]
fn files_where_a_link_led_before_are_the_newest_of_those_beside_it() {
    let releases = Releases::new();
    for number in 1..=25 {
        releases.deploy(number);
        put(&releases.at(&format!("releases/{number}/.env")), b"A=1\n");
    }
    symlink("25", releases.at("releases/latest")).unwrap();
    let found = former::files(&releases.at("current/.env"));
    assert_eq!(found.len(), 20);
    assert!(!found.contains(&releases.at("releases/25/.env")));
    assert_eq!(former::files(&releases.at("releases/25/.env")), Vec::<PathBuf>::new(), "no link, no other file");
    // The folder that changes may be further up.
    for color in ["blue", "green"] {
        fs::create_dir_all(releases.at(&format!("{color}/app/conf"))).unwrap();
        put(&releases.at(&format!("{color}/app/conf/.env")), b"A=1\n");
    }
    symlink("blue/app", releases.at("live")).unwrap();
    assert_eq!(former::files(&releases.at("live/conf/.env")), [releases.at("green/app/conf/.env")]);
    // A link to a file may have led to those that are named alike.
    for name in [".env.41", ".env.42", "notes"] {
        put(&releases.at(name), b"A=1\n");
    }
    symlink(".env.42", releases.at(".env")).unwrap();
    assert_eq!(former::files(&releases.at(".env")), [releases.at(".env.41")]);
}

#[tokio::test]
async fn a_link_stays_and_two_paths_to_one_file_are_one_entry() {
    let (bench, other) = (Bench::new(), Bench::with("A=1\n"));
    symlink(other.path(), bench.path()).unwrap();
    let secret = mint();
    bench.write("API_TOKEN", &secret, &Seen::Absent).await.unwrap();
    assert!(fs::symlink_metadata(bench.path()).unwrap().is_symlink());
    assert_eq!(other.text(), format!("A=1\nAPI_TOKEN={}\n", secret.expose()));
    let real = place(MACHINE, &files::resolve(&other.path()), "A");
    assert_eq!(bench.sink.leads_to(&bench.place("A")), Some(real.clone()));
    assert_eq!(bench.sink.leads_to(&real), None);
    assert_eq!(bench.sink.unit(&bench.place("A")), bench.sink.unit(&real));
}

#[tokio::test]
async fn nothing_outside_the_folder_is_opened_whether_named_or_linked() {
    let (inside, outside) = (Bench::with("A=1\n"), Bench::with("A=2\n"));
    let folder = fs::canonicalize(inside.folder.path()).unwrap();
    let bounds = Bounds { folder: Some(folder.clone()), reserved: vec![folder.join("tokens")] };
    let sink = Dotenv::of_machine(MACHINE).within(bounds, Vec::new());
    let secret = mint();
    let refused = async |place: &Place, wanted: &str| {
        let seen = Seen::Absent;
        for error in [
            only(sink.prepare(&[place]).await).unwrap_err(),
            only(sink.look(&[place]).await).unwrap_err(),
            sink.read(place, &marker(&secret)).await.unwrap_err(),
            only(sink.write(&[write(place, &secret, &marker(&secret), &seen)], soon()).await).unwrap_err(),
            only(sink.remove(&[Removal { place, seen: &seen }], soon()).await).unwrap_err(),
        ] {
            assert!(error.to_string().contains(wanted) && error.hint().is_some(), "{error}");
        }
    };
    only(sink.look(&[&place(MACHINE, &folder.join(".env"), "A")]).await).unwrap();
    let elsewhere = place(MACHINE, &fs::canonicalize(outside.folder.path()).unwrap().join(".env"), "A");
    refused(&elsewhere, "is outside the manifest's folder, so it was not opened").await;
    symlink(outside.folder.path(), folder.join("link")).unwrap();
    refused(&place(MACHINE, &folder.join("link/.env"), "A"), "which is a link, is outside the manifest's folder").await;
    // The same where a link stands in the place of a file that was there.
    fs::remove_file(folder.join(".env")).unwrap();
    symlink(outside.path(), folder.join(".env")).unwrap();
    refused(&place(MACHINE, &folder.join(".env"), "A"), "is outside the manifest's folder").await;
    for path in ["tokens", "tokens-wal"] {
        refused(&place(MACHINE, &folder.join(path), "A"), "belongs to the manifest or to the service's table").await;
    }
    fs::create_dir(folder.join(".git")).unwrap();
    symlink(".git", folder.join("conf")).unwrap();
    refused(&place(MACHINE, &folder.join("conf/config"), "A"), "is in `.git`, where a program keeps files").await;
    assert_eq!(outside.text(), "A=2\n");
}

#[tokio::test]
async fn a_missing_entry_on_another_file_system_is_not_taken_for_a_deleted_one() {
    let bench = Bench::with("B=1\n");
    let place = bench.place("A");
    let note = |receipt: &str| bench.sink.went_to(&[Delivered { place: &place, receipt: Some(receipt) }]);
    // As earlier versions wrote it.
    note("0123456789ab");
    assert_eq!(bench.look("A").await.unwrap(), Seen::Absent);
    note("0123456789ab@00000000");
    let error = bench.look("A").await.unwrap_err();
    assert!(matches!(&error, SinkError::OtherFiles { hint, .. } if hint.contains("LATCHKEY_MACHINE")), "{error}");
    // An entry that is there is what it is, wherever it went before.
    let receipt = bench.write("A", &mint(), &Seen::Absent).await.unwrap();
    let seen = bench.look("A").await.unwrap();
    assert_eq!(held(seen.clone()).receipt, receipt);
    bench.remove("A", &seen).await.unwrap();
    note(&receipt.0);
    assert_eq!(bench.look("A").await.unwrap(), Seen::Absent);
}
