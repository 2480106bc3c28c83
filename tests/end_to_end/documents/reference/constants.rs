//! Constants as the sources have them, also those that are nobody else's to use: a file and a name.

use latchkey::lifetime::Seconds;
use regex::Regex;

use super::root;

/// What a constant of the sources is set to.
fn set(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let constant = Regex::new(&format!(r"\bconst {name}: [^=]+ = ([^;]+);")).unwrap();
    let mut found = constant.captures_iter(&text);
    let first = found.next().unwrap_or_else(|| panic!("{file} has no constant `{name}`"));
    assert!(found.next().is_none(), "{file} has two constants `{name}`");
    first[1].to_owned()
}

/// A number, or a product or a shift of numbers.
fn number(text: &str) -> u64 {
    let plain =
        |text: &str| text.trim().replace('_', "").parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no number"));
    match text.split_once("<<") {
        Some((one, bits)) => plain(one) << plain(bits),
        None => text.split('*').map(plain).product(),
    }
}

/// A number of something.
pub(super) fn count(file: &str, name: &str) -> String {
    number(&set(file, name)).to_string()
}

/// A size in bytes.
pub(super) fn size(file: &str, name: &str) -> String {
    bytes(number(&set(file, name)))
}

pub(super) fn bytes(size: u64) -> String {
    match size {
        0 => "0 bytes".to_owned(),
        size if size % (1 << 20) == 0 => format!("{} MiB", size >> 20),
        size if size % (1 << 10) == 0 => format!("{} KiB", size >> 10),
        size => format!("{size} bytes"),
    }
}

/// A length of time.
pub(super) fn time(file: &str, name: &str) -> String {
    let text = set(file, name);
    let form = Regex::new(r"^(?:Seconds|Duration)(?:::(?:from_)?([a-z]+))?\((\d+)\)$").unwrap();
    let found = form.captures(&text).unwrap_or_else(|| panic!("{file}: `{text}` is no length of time"));
    let amount = number(&found[2]);
    let seconds = match found.get(1).map_or("secs", |unit| unit.as_str()) {
        "secs" => amount,
        "mins" | "minutes" => amount * 60,
        "hours" => amount * 3600,
        "days" => amount * 86_400,
        other => panic!("{file}: {other}"),
    };
    span(Seconds(seconds))
}

/// A length of time in words.
pub(super) fn span(time: Seconds) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (unit, word) =
        units.into_iter().find(|(unit, _)| time.0 > 0 && time.0.is_multiple_of(*unit)).unwrap_or((1, "second"));
    latchkey_sinks::plural::count(time.0 / unit, word)
}

#[test]
fn constants_are_read_as_the_compiler_reads_them() {
    assert_eq!([number("4 * 1024 * 1024"), number("1 << 20"), number("65_536")], [4 << 20, 1 << 20, 65_536]);
    assert_eq!([bytes(4 << 20), bytes(64 << 10), bytes(680)], ["4 MiB", "64 KiB", "680 bytes"]);
    assert_eq!(count("functions/src/bounds.rs", "PLACES_MAX"), latchkey::bounds::PLACES_MAX.to_string());
    assert_eq!(size("functions/src/api/body.rs", "BODY_MAX"), bytes(latchkey::api::BODY_MAX as u64));
    assert_eq!(time("functions/src/protocol.rs", "QUIET"), span(latchkey::protocol::QUIET));
    assert_eq!(span(Seconds::minutes(90)), "90 minutes");
}
