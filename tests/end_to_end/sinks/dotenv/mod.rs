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

/// A file, and what became of it when the secret was set.
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
            Ok(document) => document.check_value(NAME).map(|()| document.get(NAME).map(|value| value.to_string())),
            Err(error) => Err((*error).into()),
        };
        let after = parsed.map_err(SetError::from).and_then(|mut document| {
            document.set(NAME, NEW)?;
            Ok(document.to_text().to_string())
        });
        Self { kind, before, after, held }
    }
}

fn cases(random: usize) -> Vec<Case> {
    let mut cases: Vec<Case> = kinds::KINDS.iter().map(|(kind, text, _)| Case::new(kind, text)).collect();
    cases.extend(shapes::SHAPES.iter().map(|text| Case::new("shapes of public projects", text)));
    cases.extend(fragments::files(random).iter().map(|text| Case::new("random files", text)));
    cases
}

/// Whether a reader that gives a whole file up, aloud, may do so after the write as it did before. Shells may not: they go
/// on without the rest of the file.
fn may_give_up(reader: Reader) -> bool {
    use Reader::{Bash, Compose, Dash, Docker, PhpDotenv, RubyDotenv};
    match reader {
        PhpDotenv | RubyDotenv | Docker | Compose => true,
        Bash | Dash => false,
        _ => false,
    }
}

/// What is wrong with what a reader sees, if anything is.
fn fault(reader: Reader, case: &Case, after: &str, read: (&Values, &Values)) -> Option<String> {
    let (before, Some(seen)) = read else {
        let same = read.0.is_none() && may_give_up(reader);
        return (!same).then(|| "gives the file up".to_owned());
    };
    let token = seen.get(NAME).cloned().flatten();
    // systemd knows no `export`, before or after.
    let exported = is_systemd(reader) && after.contains("export API_TOKEN=") && token.is_none();
    if token.as_deref() != Some(NEW) && !exported {
        return Some(format!("sees {token:?}"));
    }
    let before = before.as_ref()?;
    let is_other = |name: &&String| !name.contains(NAME) && latchkey_name(name);
    let changed = before.keys().chain(seen.keys()).filter(is_other).find(|name| {
        let (was, is) = (before.get(*name), seen.get(*name));
        let ours = |value: Option<&Option<String>>| {
            value
                .cloned()
                .flatten()
                .is_some_and(|value| value.contains(NAME) || value.contains(NEW) || value.contains(OLD))
        };
        was != is && !ours(was) && !ours(is)
    });
    let _ = case;
    changed.map(|name| format!("reads `{name}` otherwise: {:?}, {:?}", before.get(name), seen.get(name)))
}

fn latchkey_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_systemd(reader: Reader) -> bool {
    matches!(reader, Reader::Systemd | Reader::SystemdRulesBefore254 | Reader::SystemdRulesSince254)
}

/// Holds a reader against all cases; `Err` says why it is not to be had.
fn check(reader: Reader, random: usize) -> Result<(), String> {
    let cases = cases(random);
    let texts: Vec<&str> =
        cases.iter().flat_map(|case| [case.before.as_str(), case.after.as_deref().unwrap_or_default()]).collect();
    let values = reader.read(&texts)?;
    let (mut faults, mut table) = (String::new(), BTreeMap::<&str, [usize; 3]>::new());
    for (case, read) in cases.iter().zip(values.chunks(2)) {
        let row = table.entry(case.kind).or_default();
        match &case.after {
            Err(_) => row[2] += 1,
            Ok(after) => {
                row[usize::from(read[1].is_none())] += 1;
                if let Some(fault) = fault(reader, case, after, (&read[0], &read[1])) {
                    let _ = writeln!(faults, "{reader:?} {fault} in {after:?}\n  of {:?}", case.before);
                }
            }
        }
        let sees = read[0].as_ref().and_then(|values| values.get(NAME).cloned().flatten());
        let overlooked = matches!(&case.held, Ok(held) if held.as_deref() != Some(OLD));
        if sees.as_deref() == Some(OLD) && overlooked {
            let _ = writeln!(faults, "{reader:?} sees a secret that a look overlooks in {:?}", case.before);
        }
    }
    for (kind, [seen, given_up, refused]) in table {
        println!("{reader:?} | {kind}: seen exactly {seen}, given up as before {given_up}, refused {refused}");
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
    docker_reads_what_is_written: Docker, 40;
    compose_reads_what_is_written: Compose, 40;
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
    for (kind, text, line) in kinds::KINDS {
        let case = Case::new(kind, text);
        let refused = case.after.as_ref().err();
        assert_eq!(refused.is_some(), line.is_some(), "{kind}: {text:?} {refused:?}");
        if let (Some(error), Some(line)) = (refused, line) {
            let said = error.to_string();
            assert!(said.contains(&format!("line {line}")), "{kind}: {text:?} {said}");
            assert!(!error.hint().is_empty());
        }
    }
}
