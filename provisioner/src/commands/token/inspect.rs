//! `provision token inspect`: what a string is, without asking anybody.

use latchkey::secret::Secret;
use serde_json::{Value, json};

use super::super::arguments::Piped;
use super::super::exit::{Code, Fault};
use super::input;
use super::presented::{self, Presented, Public};
use crate::output::{Format, Printer};
use latchkey_sinks::plural::count;

/// How much of stdin is read.
pub(super) const INPUT_MAX: usize = 64 * 1024;

/// Tells what is on stdin. Nothing that could be secret is printed.
pub(super) fn inspect(printer: Printer, arguments: &Piped) -> Result<Code, Fault> {
    let unclear = |fault: Fault| fault.code(Code::Changes);
    input::refuse_words(&arguments.given, "inspect").map_err(unclear)?;
    let text = input::read(printer, (INPUT_MAX, "inspect")).map_err(unclear)?;
    let presented = presented::read(&text);
    let around = match &presented {
        Presented::Secret(secret) => presented::around(&text, secret),
        _ => Vec::new(),
    };
    let is_known = matches!(presented, Presented::Secret(_) | Presented::Id(_));
    if printer.format == Format::Json {
        printer.json(&as_json(&presented, &around)).map_err(|error| unclear(error.into()))?;
    } else {
        for line in lines(&presented, &around) {
            printer.result(&line).map_err(|error| unclear(error.into()))?;
        }
    }
    Ok(if is_known { Code::Done } else { Code::Error })
}

/// The word for what it is.
pub(super) fn form(presented: &Presented) -> &'static str {
    match presented {
        Presented::Secret(_) => "secret",
        Presented::Mistyped(_) => "mistyped",
        Presented::Cut(..) => "cut",
        Presented::Masked(_) => "masked",
        Presented::TooShort => "too_short",
        Presented::Id(_) => "id",
        Presented::Several(_) => "several",
        Presented::Foreign(_) => "foreign",
        Presented::Empty => "empty",
        Presented::Unknown => "unknown",
    }
}

fn as_json(presented: &Presented, around: &[&str]) -> Value {
    let mut value = json!({ "form": form(presented), "around": around });
    match presented {
        Presented::Secret(secret) => {
            value["prefix"] = json!(secret.prefix());
            value["id"] = json!(secret.token_id());
            value["fingerprint"] = json!(secret.fingerprint());
        }
        Presented::Mistyped(public) | Presented::Cut(public, _) | Presented::Masked(public) if public.is_shown() => {
            value["prefix"] = json!(public.prefix);
            value["id"] = json!(public.id);
        }
        Presented::Several(number) => value["secrets"] = json!(number),
        Presented::Foreign(service) => value["service"] = json!(service),
        _ => {}
    }
    value
}

/// What a string is, in a sentence, and what more there is to say of it.
pub(super) fn lines(presented: &Presented, around: &[&str]) -> Vec<String> {
    let mut lines = vec![sentence(presented)];
    match presented {
        Presented::Secret(secret) => lines.extend(parts(secret)),
        Presented::Mistyped(public) | Presented::Cut(public, _) | Presented::Masked(public) => lines.push(of(public)),
        _ => {}
    }
    if !around.is_empty() {
        lines.push(format!("  around       {}: take them off before it is used", around.join(", ")));
    }
    if matches!(presented, Presented::Secret(_)) {
        lines.push("Whether it is valid only its service knows: `provision token verify` or `token find`".to_owned());
    }
    lines
}

fn sentence(presented: &Presented) -> String {
    match presented {
        Presented::Secret(_) => "A whole secret of Latchkey; its checksum is right".to_owned(),
        Presented::Mistyped(_) => {
            "A secret of Latchkey that was mistyped: it is long enough, and its checksum is wrong".to_owned()
        }
        Presented::Cut(_, missing) => {
            format!("A secret of Latchkey that was cut off: {} of its end are missing", count(*missing, "character"))
        }
        Presented::Masked(_) => "A secret of Latchkey of which a part is masked".to_owned(),
        Presented::TooShort => "The beginning of a secret of Latchkey, too short to tell which".to_owned(),
        Presented::Id(_) => "The form of a token's id, which is public: 16 characters, no secret".to_owned(),
        Presented::Several(number) => format!("{} of Latchkey: pass one at a time", count(*number, "secret")),
        Presented::Foreign(service) => {
            format!("No secret of Latchkey: it has the form of a secret of another service, {service}")
        }
        Presented::Empty => "Nothing but blanks".to_owned(),
        Presented::Unknown => "No secret of Latchkey, nor a form that is known of another service".to_owned(),
    }
}

fn parts(secret: &Secret) -> [String; 3] {
    [
        format!("  prefix       {}", secret.prefix()),
        format!("  token id     {}", secret.token_id()),
        format!("  fingerprint  {}", secret.fingerprint()),
    ]
}

/// The public part; no checksum vouches that it is one.
fn of(public: &Public) -> String {
    if public.is_shown() {
        return format!("  token id     {}", public.id);
    }
    "  token id     not shown, as no checksum tells that this is Latchkey's; `provision token find` looks it up"
        .to_owned()
}
