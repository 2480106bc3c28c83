//! What is written into `.env` files, as the readers of such files elsewhere see it: each of them sees exactly what was
//! written and all else as before, or the file is refused. And what a reader takes for a secret, a look does not overlook.

mod fragments;
mod kinds;
mod shapes;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use latchkey_sinks::dotenv::{Document, SetError};
use tests::readers::{Reader, Values};
use tests::skip;

const NAME: &str = "API_TOKEN";
/// A secret that is there before.
const OLD: &str = "lk_amc7q7333nwjw2wt_00000000000000000000000000000000000000000000vFuxk";
const NEW: &str = "lk_zzc7q7333nwjw2wt_AZaz09zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// A file, and its text once the secret is set.
struct Case {
    kind: &'static str,
    before: String,
    after: Result<String, SetError>,
    /// What a look says that the name holds.
    held: Result<Option<String>, SetError>,
}

impl Case {
    fn new(kind: &'static str, text: &str) -> Self {
        let before = text.replace("OLD", OLD);
        let parsed = Document::parse(&before);
        let held = match &parsed {
            Ok(document) => document.held(NAME).map(|held| held.map(|held| held.value.to_string())),
            Err(error) => Err((*error).into()),
        };
        let after = parsed.map_err(SetError::from).and_then(|mut document| {
            document.set(NAME, NEW)?;
            Ok(document.to_text().to_string())
        });
        Self { kind, before, after, held }
    }
}

impl Case {
    /// What a reader is asked about: both texts, but for one that nothing can be learnt from.
    fn texts(&self) -> [&str; 2] {
        let matters = self.after.is_ok() || self.before.contains(OLD);
        [if matters { &self.before } else { "" }, self.after.as_deref().unwrap_or_default()]
    }
}

/// `LATCHKEY_READER_FILES=20000` tries that many random files.
fn cases(random: usize) -> Vec<Case> {
    let asked = std::env::var("LATCHKEY_READER_FILES").ok().and_then(|files| files.parse().ok());
    let random = if random == 0 { 0 } else { asked.unwrap_or(random) };
    let mut cases: Vec<Case> = kinds::KINDS.iter().map(|(kind, text, _)| Case::new(kind, text)).collect();
    cases.extend(shapes::SHAPES.iter().map(|text| Case::new("shapes of public projects", text)));
    cases.extend(fragments::files(random).iter().map(|text| Case::new("random files", text)));
    cases
}

/// Whether a reader that gives a whole file up, aloud, may do so after the write as it did before. Shells may not: they go
/// on without the rest of the file.
fn may_give_up(reader: Reader) -> bool {
    matches!(reader, Reader::PhpDotenv | Reader::RubyDotenv | Reader::Docker | Reader::Compose)
}

/// What a reader makes of a file that was written.
enum Verdict {
    SeenExactly,
    /// It gives the file up, aloud, as it did before.
    GivenUp,
    /// systemd takes no notice of a line with `export`, before and after.
    NoExport,
    Fault(String),
}

fn verdict(reader: Reader, case: &Case, after: &str, read: (&Values, &Values)) -> Verdict {
    let (before, Some(seen)) = read else {
        let same = read.0.is_none() && may_give_up(reader);
        return if same { Verdict::GivenUp } else { Verdict::Fault("gives the file up".to_owned()) };
    };
    let is_systemd = matches!(reader, Reader::Systemd | Reader::SystemdRulesBefore254 | Reader::SystemdRulesSince254);
    let changed = before.as_ref().and_then(|before| changed(case, after, before, seen));
    match (changed, token(seen)) {
        (Some(name), _) => Verdict::Fault(format!("reads `{name}` otherwise")),
        (None, Some(NEW)) => Verdict::SeenExactly,
        (None, None) if is_systemd && after.contains("export API_TOKEN=") => Verdict::NoExport,
        (None, other) => Verdict::Fault(format!("sees {other:?}")),
    }
}

type Seen = BTreeMap<String, Option<String>>;

fn token(seen: &Seen) -> Option<&str> {
    seen.get(NAME).and_then(Option::as_deref)
}

/// Another name that is not read as before, but for two kinds: its value has something of ours, as it refers to the token
/// or had our line in it; and it is set below our line, which ran into the lines there until now.
fn changed(case: &Case, after: &str, before: &Seen, seen: &Seen) -> Option<String> {
    let held = case.held.as_ref().ok().and_then(Option::as_deref);
    let ran_on = token(before).unwrap_or_default() != held.unwrap_or_default();
    let below = after.split_once(NEW).map_or("", |(_, below)| below);
    let is_ours = |value: &str| value.contains(NAME) || value.contains(NEW) || value.contains(OLD);
    let is_variable = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let differs = |name: &&String| {
        let (was, is) = (before.get(*name), seen.get(*name));
        let ours = [was, is].into_iter().flatten().flatten().any(|value| is_ours(value));
        was != is && !ours && !(ran_on && below.contains(name.as_str()))
    };
    // Node 20 takes whole lines for names.
    before.keys().chain(seen.keys()).filter(|name| *name != NAME && is_variable(name)).find(differs).cloned()
}

/// Holds a reader against all cases; `Err` says why it is not to be had.
fn check(reader: Reader, random: usize) -> Result<(), String> {
    let cases = cases(random);
    let texts: Vec<&str> = cases.iter().flat_map(Case::texts).collect();
    let values = reader.read(&texts)?;
    let (mut faults, mut table) = (String::new(), BTreeMap::<&str, [usize; 4]>::new());
    for (case, read) in cases.iter().zip(values.chunks(2)) {
        let verdict = case.after.as_ref().ok().map(|after| verdict(reader, case, after, (&read[0], &read[1])));
        if let Some(Verdict::Fault(fault)) = &verdict {
            let _ = writeln!(faults, "{reader:?} {fault} in {:?}\n  of {:?}", case.after, case.before);
        }
        let column = match verdict {
            Some(Verdict::SeenExactly | Verdict::Fault(_)) => 0,
            Some(Verdict::GivenUp) => 1,
            Some(Verdict::NoExport) => 2,
            None => 3,
        };
        table.entry(case.kind).or_default()[column] += 1;
        let overlooked = matches!(&case.held, Ok(held) if held.as_deref() != Some(OLD));
        if overlooked && read[0].as_ref().and_then(token) == Some(OLD) {
            let _ = writeln!(faults, "{reader:?} sees a secret that a look overlooks in {:?}", case.before);
        }
    }
    for (kind, [seen, given_up, no_export, refused]) in table {
        println!("{reader:?} | {kind} | {seen} | {given_up} | {no_export} | {refused}");
    }
    assert!(faults.is_empty(), "{faults}");
    Ok(())
}

macro_rules! readers {
    ($($test:ident: $reader:ident, $random:expr;)*) => {$(
        #[test]
        fn $test() {
            if let Err(why) = check(Reader::$reader, $random) {
                skip!("{why}");
            }
        }
    )*};
}

readers! {
    node_reads_what_is_written: Node, 400;
    node_24_reads_what_is_written: Node24, 400;
    dotenv_reads_what_is_written: Dotenv, 400;
    dotenv_16_reads_what_is_written: Dotenv16, 400;
    python_dotenv_reads_what_is_written: PythonDotenv, 400;
    ruby_dotenv_reads_what_is_written: RubyDotenv, 400;
    phpdotenv_reads_what_is_written: PhpDotenv, 400;
    bash_reads_what_is_written: Bash, 400;
    dash_reads_what_is_written: Dash, 400;
    systemd_reads_what_is_written: Systemd, 400;
    systemd_before_254_reads_what_is_written: SystemdRulesBefore254, 400;
    systemd_since_254_reads_what_is_written: SystemdRulesSince254, 400;
    // These are asked again for each file that they give up.
    docker_reads_what_is_written: Docker, 0;
    compose_reads_what_is_written: Compose, 0;
}

/// Older than 254 or not, systemd's own parser agrees with one form of the port.
#[test]
fn the_port_of_the_rules_of_systemd_is_faithful() {
    let files = fragments::files(400);
    let texts: Vec<&str> =
        files.iter().map(String::as_str).chain(kinds::KINDS.iter().map(|(_, text, _)| *text)).collect();
    let Ok(real) = Reader::Systemd.read(&texts) else { skip!("needs systemd's library") };
    let ports = [Reader::SystemdRulesBefore254, Reader::SystemdRulesSince254].map(|port| port.read(&texts).unwrap());
    let differs = |port: &Vec<Values>| {
        texts.iter().zip(&real).zip(port).find(|((_, real), port)| real != port).map(|found| format!("{found:?}"))
    };
    let found = ports.each_ref().map(differs);
    assert!(found.iter().any(Option::is_none), "{found:?}");
}

#[test]
fn each_kind_is_written_or_refused_with_its_line() {
    let mut faults = String::new();
    for (kind, text, line) in kinds::KINDS {
        let said = Case::new(kind, text).after.err().map(|error| (error.to_string(), error.hint()));
        let right = match (&said, line) {
            (None, None) => true,
            (Some((said, hint)), Some(line)) => said.contains(&format!("line {line}")) && !hint.is_empty(),
            _ => false,
        };
        if !right {
            let _ = writeln!(faults, "{kind}: {text:?}: {line:?} wanted, {said:?}");
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
