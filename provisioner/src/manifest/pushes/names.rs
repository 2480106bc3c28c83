//! What an entry may be called in each type of sink.

use crate::manifest::fault::Fault;
use crate::manifest::fields::Text;
use crate::manifest::masking::shown;
use crate::manifest::reading::Reading;

/// Reports a name that the type would refuse.
pub(super) fn check(kind: &str, name: &Text<'_>, reading: &mut Reading<'_>) {
    match kind {
        "dotenv" => check_variable(name, reading),
        "aws-secrets-manager" => check_secret_name(name, reading),
        // The rules of the other types stand here too.
        _ => {}
    }
}

fn check_variable(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = name.text.bytes().all(is_part) && name.text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if !good {
        let message = format!("`{}` cannot be a variable in a dotenv file", shown(name.text));
        let rule = "a variable is letters, digits and `_`, and does not start with a digit";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    }
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>
fn check_secret_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    if !(1..=512).contains(&name.text.len()) || !name.text.bytes().all(is_part) {
        let message = format!("`{}` cannot be a name in Secrets Manager", shown(name.text));
        let rule = "a name there is 1 to 512 letters, digits and `/_+=.@-`";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
        return;
    }
    let bytes = name.text.as_bytes();
    let looks_like_arn = bytes.len() > 7
        && bytes[bytes.len() - 7] == b'-'
        && bytes[bytes.len() - 6..].iter().all(u8::is_ascii_alphanumeric);
    if looks_like_arn {
        let message = format!("`{}` ends in a hyphen and six characters, as the ends of ARNs do", shown(name.text));
        let hint = "AWS advises against it: a look-up by a part of the ARN may find the wrong secret";
        reading.add(Fault::warning("arn-like-name", name.span.clone(), message).hint(hint));
    }
}
