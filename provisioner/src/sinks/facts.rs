//! What an entry may be called in each type of sink.

use crate::manifest::{HerokuConfig, HerokuTarget, SinkConfig};
use crate::reading::{Fault, Reading, Text, is_plain, shown};

/// What Vercel keeps for itself, <https://vercel.com/docs/environment-variables/reserved-environment-variables>.
const RESERVED: &[&str] = &[
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_SECRET_KEY",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "NOW_REGION",
    "TZ",
];

/// Reports a name that the type would refuse. `config` is the sink's, where it could be read.
pub(super) fn check(kind: &str, config: Option<&SinkConfig>, name: &Text<'_>, reading: &mut Reading<'_>) {
    match kind {
        "dotenv" => check_variable(name, reading),
        "aws-secrets-manager" => check_secret_name(name, reading),
        "vercel" => check_vercel(name, reading),
        "heroku" => {
            let is_pipeline =
                matches!(config, Some(SinkConfig::Heroku(HerokuConfig { target: HerokuTarget::Pipeline { .. }, .. })));
            check_heroku(name, is_pipeline, reading);
        }
        "azure-key-vault" => check_vault_entry(name, reading),
        "keyring" => check_account(name, reading),
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

fn check_vercel(name: &Text<'_>, reading: &mut Reading<'_>) {
    let mut add = |message: String, rule: &str| {
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    };
    let bytes = name.text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if !(1..=256).contains(&bytes.len()) || !bytes.iter().all(part) || !bytes[0].is_ascii_alphabetic() {
        let rule = "a name there is 1 to 256 letters, digits and `_`, and starts with a letter";
        add(format!("`{}` cannot be a variable on Vercel", shown(name.text)), rule);
    } else if RESERVED.contains(&name.text) || name.text.starts_with("VERCEL_") {
        add(format!("`{}` is one of Vercel's own variables", shown(name.text)), "give it another name");
    } else if ["NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_", "PUBLIC_", "GATSBY_"]
        .iter()
        .any(|prefix| name.text.starts_with(prefix))
    {
        let message = format!("`{}` would be built into pages that everybody can read", shown(name.text));
        let hint = "frameworks show variables with such a prefix to browsers; give it another name";
        reading.add(Fault::warning("public-name", name.span.clone(), message).hint(hint));
    }
}

/// <https://devcenter.heroku.com/articles/config-vars>, and the schemas of Heroku's API.
fn check_heroku(name: &Text<'_>, is_pipeline: bool, reading: &mut Reading<'_>) {
    let mut add = |message: String, rule: &str| {
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    };
    let more: &[u8] = if is_pipeline { b"_.:[]" } else { b"_" };
    let part = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
    if name.text.is_empty() || name.text.len() > 256 || !name.text.bytes().all(part) {
        let rule = if is_pipeline {
            "a name in a pipeline is letters, digits and `_.:[]`"
        } else {
            "a name there is letters, digits and `_`"
        };
        add(format!("`{}` cannot be a config var", shown(name.text)), rule);
    } else if name.text.starts_with("HEROKU_") {
        add(format!("`{}` is one of Heroku's own", shown(name.text)), "a config var does not start with `HEROKU_`");
    } else if name.text.starts_with("__") {
        let rule = "a config var does not start with `__`";
        add(format!("`{}` cannot be a config var", shown(name.text)), rule);
    }
}

fn check_vault_entry(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=127).contains(&name.text.len()) && name.text.bytes().all(is_part) {
        return;
    }
    let message = format!("`{}` cannot be a name in Key Vault", shown(name.text));
    let near: String =
        name.text.chars().map(|found| if matches!(found, '_' | '.' | '/' | ' ') { '-' } else { found }).collect();
    let hint = if (1..=127).contains(&near.len()) && near.bytes().all(is_part) {
        format!("a name there is 1 to 127 letters, digits and `-`, for instance `{}`", shown(&near))
    } else {
        "a name there is 1 to 127 letters, digits and `-`".to_owned()
    };
    reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(hint));
}

fn check_account(name: &Text<'_>, reading: &mut Reading<'_>) {
    if !(1..=128).contains(&name.text.chars().count()) || !is_plain(name.text) || name.text.trim() != name.text {
        let message = format!("`{}` cannot be a name in a keyring", shown(name.text));
        let rule = "a name there is 1 to 128 characters, without control characters and spaces at its ends";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    }
}
