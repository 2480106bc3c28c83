//! Secrets that are in a manifest: found, and kept out of everything that is shown.

use latchkey::secret::{SECRET_MAX, Secret};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Span};

/// The fields whose values are secrets of a sink's own: what stands there is a place where the secret is found.
pub const LOGINS: &[&str] = &["login", "deploy_hook"];

/// The fields of `[notify.NAME]` that are secrets too: elsewhere a `url` is only an address.
const NOTIFY_LOGINS: &[&str] = &["url", "secret"];
/// What the signing secrets of Standard Webhooks begin with.
const SIGNING_SECRET: &str = "whsec_";

/// The most characters of the file that a message repeats.
const SHOWN_MAX: usize = 80;

/// A piece of the file as a message may repeat it: secrets masked, control characters spelled out, not too long.
pub fn shown(text: &str) -> String {
    // A name may be as long as the file and be shown with every fault. What is shown of a secret stands before the end.
    let end = text.char_indices().nth(SHOWN_MAX + SECRET_MAX + 1).map_or(text.len(), |(end, _)| end);
    let text = &text[..end];
    let masked = mask(text, &secrets(text));
    let mut shown: String = masked.chars().take(SHOWN_MAX).flat_map(visible).collect();
    if masked.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("..");
    }
    shown
}

/// A text with the secrets of tokens in it masked, to the end.
pub fn masked(text: &str) -> String {
    mask(text, &secrets(text))
}

fn visible(character: char) -> Vec<char> {
    // Marks that turn the direction of text could make a message read as another.
    let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if turns || character.is_control() { character.escape_default().collect() } else { vec![character] }
}

/// Replaces what stands at `spans`, byte by byte, so that every other span still holds.
pub(super) fn mask(text: &str, spans: &[Span]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for span in joined(spans) {
        masked.push_str(text.get(end..span.start).unwrap_or_default());
        let hidden = text.get(span.clone()).unwrap_or_default();
        masked.extend(hidden.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }));
        end = span.end;
    }
    masked.push_str(text.get(end..).unwrap_or_default());
    masked
}

fn joined(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_by_key(|span| (span.start, span.end));
    let mut joined: Vec<Span> = Vec::with_capacity(sorted.len());
    for span in sorted {
        match joined.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

/// Everything in the text that must not be shown: what the faults say, and what looks like it even where the file
/// cannot be read as TOML.
pub(super) fn spans(text: &str, faults: &[Fault]) -> Vec<Span> {
    let mut spans = secrets(text);
    spans.extend(plain_logins(text));
    spans.extend(plain_notify_logins(text));
    spans.extend(signing_secrets(text));
    spans.extend(faults.iter().filter(|fault| fault.secret).map(|fault| fault.span.clone()));
    spans
}

/// Where Latchkey secrets stand in a text, whatever stands around them.
fn secrets(text: &str) -> Vec<Span> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    let mut spans = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        if !is_part(bytes[start]) {
            start += 1;
            continue;
        }
        let length = bytes[start..].iter().take_while(|byte| is_part(**byte)).count();
        if text.get(start..start + length).is_some_and(|run| Secret::parse(run).is_ok()) {
            spans.push(start..start + length);
        }
        start += length;
    }
    spans
}

/// Where a plain value follows `login =` or the like, found without a parser: a snippet of a file with a slip in its syntax must
/// not show it either.
fn plain_logins(text: &str) -> Vec<Span> {
    LOGINS.iter().flat_map(|word| plain_values(text, word)).collect()
}

/// The same for the fields of receivers, in the lines that belong to one.
fn plain_notify_logins(text: &str) -> Vec<Span> {
    let (mut spans, mut at, mut inside) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let words = line.trim_start();
        if words.starts_with('[') {
            inside = words.trim_start_matches(['[', ' ', '"', '\'']).starts_with("notify");
        }
        if inside || words.starts_with("notify") {
            let found = NOTIFY_LOGINS.iter().flat_map(|word| plain_values(line, word));
            let found = found.filter(|span| !is_reference(&line[..span.start]));
            spans.extend(found.map(|span| at + span.start..at + span.end));
        }
        at += line.len();
    }
    spans
}

/// Whether a value that follows is the name of a secret: `{ secret = "NAME" }`.
fn is_reference(before: &str) -> bool {
    let field = before.trim_end().strip_suffix('=').and_then(|before| before.trim_end().strip_suffix("secret"));
    field.is_some_and(|before| before.trim_end().ends_with('{'))
}

/// Signing secrets, wherever they are.
fn signing_secrets(text: &str) -> Vec<Span> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let found = text.match_indices(SIGNING_SECRET).map(|(start, _)| {
        let length = text.as_bytes()[start..].iter().take_while(|byte| is_part(byte)).count();
        start..start + length
    });
    found.filter(|span| span.len() > SIGNING_SECRET.len()).collect()
}

fn plain_values(text: &str, word: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find(word) {
        let start = from + found;
        from = start + word.len();
        if let Some(span) = plain_login(text, start, from) {
            // Never back over what is masked: a file made for it would take quadratic time.
            from = span.end.max(from);
            spans.push(span);
        }
    }
    spans
}

fn plain_login(text: &str, start: usize, end: usize) -> Option<Span> {
    let before = text[..start].chars().next_back();
    if before.is_some_and(|character| character.is_alphanumeric() || matches!(character, '_' | '-')) {
        return None;
    }
    let rest = text[end..].trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let value = rest.trim_start();
    if value.starts_with('{') {
        return None;
    }
    let from = text.len() - value.len();
    Some(from..from + value_length(value))
}

fn value_length(value: &str) -> usize {
    for fence in ["\"\"\"", "'''"] {
        if let Some(inner) = value.strip_prefix(fence) {
            return inner.find(fence).map_or(value.len(), |length| length + 2 * fence.len());
        }
    }
    if value.starts_with('[') {
        return value.find(']').map_or(value.len(), |end| end + 1);
    }
    let line = &value[..value.find(['\n', '\r']).unwrap_or(value.len())];
    // Without a clean end, all of the line: better too much than too little.
    string_length(line).unwrap_or(line.len())
}

/// The length of the string that a line starts with, if nothing but the end of a value follows it.
fn string_length(line: &str) -> Option<usize> {
    let quote = line.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let mut escaped = false;
    let (end, _) = line.char_indices().skip(1).find(|(_, character)| {
        let closes = *character == quote && !escaped;
        escaped = quote == '"' && *character == '\\' && !escaped;
        closes
    })?;
    let rest = line[end + 1..].trim_start();
    (rest.is_empty() || rest.starts_with([',', '}', ']', '#'])).then_some(end + 1)
}

/// A fault for each secret and each plain login in the file.
pub fn faults(text: &str, root: &DeTable<'_>) -> Vec<Fault> {
    let mut found: Vec<Fault> = secrets(text).into_iter().map(secret_fault).collect();
    search_table(root, &mut found);
    // A value is found both as it is written and as it is meant.
    found.sort_by_key(|fault| (fault.span.start, std::cmp::Reverse(fault.span.end)));
    found.dedup_by(|later, earlier| later.span.start < earlier.span.end);
    found
}

fn secret_fault(span: Span) -> Fault {
    Fault::error("secret-in-file", span, "the manifest contains a token's secret")
        .hint("remove it and rotate its token: everybody who can read this file has it")
        .secret()
}

fn login_fault(field: &str, span: Span) -> Fault {
    let (message, example) = match field {
        "deploy_hook" => {
            ("a deploy hook must not be in the manifest", "deploy_hook = { env = \"VERCEL_DEPLOY_HOOK\" }")
        }
        _ => ("credentials must not be in the manifest", "login = { env = \"VERCEL_TOKEN\" }"),
    };
    let hint = format!("refer to it instead, for instance `{example}`, and revoke what was exposed");
    Fault::error("plain-login", span, message).hint(hint).secret()
}

fn search_table(table: &DeTable<'_>, found: &mut Vec<Fault>) {
    for (key, value) in table {
        if !secrets(key.get_ref()).is_empty() {
            found.push(secret_fault(key.span()));
        }
        let field: &str = key.get_ref();
        if LOGINS.contains(&field) && matches!(value.get_ref(), DeValue::String(_) | DeValue::Array(_)) {
            found.push(login_fault(field, value.span()));
        } else {
            search(value, found);
        }
    }
}

fn search(value: &Spanned<DeValue<'_>>, found: &mut Vec<Fault>) {
    match value.get_ref() {
        DeValue::String(text) if !secrets(text).is_empty() => found.push(secret_fault(value.span())),
        DeValue::Table(table) => search_table(table, found),
        DeValue::Array(array) => array.iter().for_each(|entry| search(entry, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use latchkey::entropy::SystemEntropy;
    use latchkey::secret::{Prefix, TokenId};

    use super::*;

    #[test]
    fn a_secret_where_a_long_text_is_cut_is_masked_and_the_rest_is_not_looked_at() {
        let id = TokenId::mint(&SystemEntropy).unwrap();
        let secret = Secret::mint(&Prefix::default(), &id, &SystemEntropy).unwrap();
        let secret = secret.expose();
        for before in [0, SHOWN_MAX - 1, SHOWN_MAX] {
            let text = format!("{} {secret} {}", "x".repeat(before), "y".repeat(1 << 20));
            assert!(!shown(&text).contains("lk_"), "{before}");
        }
        assert_eq!(shown(&"x".repeat(1 << 20)), format!("{}..", "x".repeat(SHOWN_MAX)));
    }

    #[test]
    fn what_a_receiver_is_reached_with_is_masked_even_where_nothing_can_be_parsed() {
        let text = "[service]\nurl = \"https://shown.example\"\n[notify.ops]\nurl = \"https://hidden.example/T0\"\n\
                    secret = 'hidden-too\nlink = \"https://shown.example\"\nnotify.b = { url = \"https://hidden.example\"\n\
                    url = { secret = \"latchkey/logins/shown\" }\n[sinks.x]\nx = whsec_c2VjcmV0+/hidden=\n";
        let masked = mask(text, &spans(text, &[]));
        assert!(!masked.contains("hidden"), "{masked}");
        assert_eq!(masked.matches("shown").count(), 3, "{masked}");
        assert_eq!(masked.len(), text.len());
    }
}
