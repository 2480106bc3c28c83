//! What an archive contains, the licences of others, and the formula.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use regex::Regex;
use tests::programs::{find, missing};
use tests::provision::World;
use tests::release::{Release, TARGET};

use super::packaging;

fn listed(archive: &Path) -> String {
    let output = Command::new("tar").arg("-tvzf").arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_archive_has_the_command_its_licences_every_manual_page_and_completions_for_every_shell() {
    let world = World::new();
    let release = Release::of(world.command([""; 0]).get_program().as_ref());
    let listed = listed(&release.path(&Release::archive()));
    std::fs::create_dir(world.path("man")).unwrap();
    world.run("man --out man").exits(0);
    let pages = std::fs::read_dir(world.path("man")).unwrap().map(|page| {
        let page = page.unwrap().file_name().into_string().unwrap();
        let (_, section) = page.rsplit_once('.').unwrap();
        format!("man/man{section}/{page}")
    });
    let shells = world.run("completions --help").exits(0).stdout;
    let shells = Regex::new(r"possible values: ([a-z, ]+)\]").unwrap().captures(&shells).unwrap()[1].to_owned();
    let mut wanted: BTreeSet<String> = pages.collect();
    assert!(wanted.len() > 40, "{wanted:?}");
    wanted.extend(["provision", "LICENSE", "THIRD-PARTY.txt"].map(str::to_owned));
    let folder = format!("latchkey-0.1.0-{TARGET}/");
    let mut packed = BTreeSet::new();
    let mut completed = BTreeSet::new();
    for line in listed.lines() {
        let mode =
            if line.ends_with("/provision") && !line.contains("completions") { "-rwxr-xr-x" } else { "-rw-r--r--" };
        assert!(line.starts_with(mode) && line.contains(" 0/0 "), "{line}");
        let (_, path) = line.split_once(&folder).unwrap();
        match path.strip_prefix("completions/") {
            Some(script) => completed.insert(script.split('/').next().unwrap().to_owned()),
            None => packed.insert(path.to_owned()),
        };
    }
    assert_eq!(packed, wanted);
    assert_eq!(completed, shells.split(", ").map(str::to_owned).collect());
}

#[test]
fn an_archive_is_the_same_to_the_last_byte_when_it_is_packed_again() {
    let world = World::new();
    let program = world.command([""; 0]);
    let release = Release::of(program.get_program().as_ref());
    let first = std::fs::read(release.path(&Release::archive())).unwrap();
    let mut pack = Command::new(packaging("archive"));
    pack.args([release.path("provision"), release.path("THIRD-PARTY.txt")]).args(["0.1.0", TARGET]);
    assert!(pack.arg(world.path("again")).stdout(std::process::Stdio::null()).status().unwrap().success());
    assert!(first == std::fs::read(world.path("again").join(Release::archive())).unwrap());
}

#[test]
fn the_licences_of_all_that_is_linked_are_printed_and_of_nothing_that_only_tests() {
    if let Some(why) = missing(&["cargo"]) {
        tests::skip!("{why}");
    }
    let output = Command::new(packaging("licences")).arg("x86_64-unknown-linux-gnu").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (crates, texts) = told.split_once(&"-".repeat(100)).unwrap();
    for (name, licence) in
        [("ring", "Apache-2.0 AND ISC"), ("libsqlite3-sys", "MIT"), ("libdbus-sys", "Apache-2.0/MIT")]
    {
        let line = crates.lines().find(|line| line.starts_with(&format!("  {name} "))).unwrap();
        assert!(line.ends_with(licence), "{line}");
        assert!(texts.contains(&format!("{name} ")), "{name}");
    }
    // Of D-Bus itself, which its crate compiles along.
    assert!(texts.contains("Academic Free License"), "the sources of C have licences of their own");
    for tested in ["insta", "proptest", "rcgen", "vt100", "latchkey", "provisioner"] {
        assert!(!crates.contains(&format!("\n  {tested} ")), "{tested}");
    }
}

fn formula(world: &World, words: &[&str]) -> Output {
    Command::new(packaging("homebrew/formula")).args(words).current_dir(world.folder()).output().unwrap()
}

const TARGETS: [(&str, &str); 4] = [
    ("macos arm", "aarch64-apple-darwin"),
    ("macos intel", "x86_64-apple-darwin"),
    ("linux arm", "aarch64-unknown-linux-musl"),
    ("linux intel", "x86_64-unknown-linux-musl"),
];

/// As much of Homebrew as the formula asks.
const HOMEBREW: &str = r#"
class Formula
  def self.on(kind) = ARGV.include?(kind) && yield
  def self.on_macos(&block) = on("macos", &block)
  def self.on_linux(&block) = on("linux", &block)
  def self.on_arm(&block) = on("arm", &block)
  def self.on_intel(&block) = on("intel", &block)
  def self.url(text) = puts("url #{text}")
  def self.sha256(text) = puts("sha256 #{text}")
  def self.version(text) = puts("version #{text}")
  def self.desc(text) = text.size < 80 || abort("desc is too long")
  def self.homepage(text) = text
  def self.license(text) = text
  def self.test = nil
end
load "./latchkey.rb"
"#;

#[test]
fn the_formula_names_the_archive_and_the_sum_of_each_machine() {
    if let Some(why) = missing(&["ruby"]) {
        tests::skip!("{why}");
    }
    let world = World::new();
    let sum = |number: usize| number.to_string().repeat(64);
    let line = |(number, (_, target)): (usize, &(&str, &str))| {
        format!("{}  latchkey-1.2.3-{target}.tar.gz\n{}  latchkey-1.2.3-{target}.cdx.json\n", sum(number), sum(9))
    };
    world.write("SHA256SUMS", &TARGETS.iter().enumerate().map(line).collect::<Vec<_>>().concat());
    let releases = "https://git.example/latchkey/releases/download/v1.2.3";
    let output = formula(&world, &["1.2.3", "https://git.example/latchkey", releases, "SHA256SUMS"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = String::from_utf8(output.stdout).unwrap();
    assert!(!written.contains('@') && written.starts_with("class Latchkey"), "{written}");
    world.write("latchkey.rb", &written);
    world.write("homebrew.rb", HOMEBREW);
    for (number, (machine, target)) in TARGETS.iter().enumerate() {
        let mut ruby = Command::new(find("ruby").unwrap());
        ruby.arg("homebrew.rb").args(machine.split(' ')).current_dir(world.folder());
        let told = ruby.output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
        let wanted = format!("version 1.2.3\nurl {releases}/latchkey-1.2.3-{target}.tar.gz\nsha256 {}\n", sum(number));
        assert_eq!(told, wanted, "{machine}");
    }
}

#[test]
fn a_formula_that_lacks_a_sum_or_would_have_code_in_it_is_not_written() {
    let world = World::new();
    let sums = TARGETS.map(|(_, target)| format!("{}  latchkey-1.2.3-{target}.tar.gz\n", "a".repeat(64))).concat();
    let refused = |sums: &str, words: [&str; 3], why: &str| {
        world.write("SHA256SUMS", sums);
        let output = formula(&world, &[words[0], words[1], words[2], "SHA256SUMS"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty() && told.contains(why), "{why}: {told}");
    };
    let good = ["1.2.3", "https://git.example/latchkey", "https://git.example/latchkey/v1.2.3"];
    refused(
        &sums.replace("aarch64-apple", "aarch64-other"),
        good,
        "no SHA-256 of `latchkey-1.2.3-aarch64-apple-darwin.tar.gz`",
    );
    refused(&sums.replace(&"a".repeat(64), &"#{x}".repeat(16)), good, "no SHA-256 of");
    refused(&sums, ["1.2.3\"; system \"x", good[1], good[2]], "is not what can stand there");
    refused(&sums, [good[0], "https://git.example/#{x}", good[2]], "is not what can stand there");
    refused(&sums, [good[0], good[1], "http://git.example/latchkey"], "is not what can stand there");
}
