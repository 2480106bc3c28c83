//! Reading the field `login`, and others that say where a secret of a sink's own is. A manifest is untrusted: what
//! it could make this machine hand over is bounded here.

use toml::Spanned;
use toml::de::DeValue;

use super::Login;
use crate::reading::{Fault, Fields, Reading, Text, is_plain, listed, shown, wrong_type};

/// Where logins of manifests stand in Secrets Manager: below it, a folder a manifest.
const LOGINS: &str = "latchkey/logins/";

const FORMS: &str = "write `{ env = \"NAME\" }`, `{ file = \"PATH\" }`, `{ command = [\"PROGRAM\", ..] }` or \
                     `{ secret = \"NAME\" }`";

impl Login {
    /// Reads a field such as `login = { .. }`. `own` are the environment variables that the type's own tools read:
    /// others could contain anything.
    pub fn read(fields: &mut Fields<'_>, name: &'static str, own: &[&str], reading: &mut Reading<'_>) -> Option<Self> {
        let value = fields.value(name)?;
        let Some(table) = value.get_ref().as_table() else {
            // A text here may well be a login: it has a fault of its own, which does not show it.
            if !value.get_ref().is_str() && !value.get_ref().is_array() {
                reading.add(wrong_type("a table", name, value).hint(FORMS));
            }
            return None;
        };
        let mut inner = Fields::new(table, format!("`{name}`"), value.span());
        let env = inner.text("env", reading);
        let file = inner.text("file", reading);
        let command = inner.value("command");
        let secret = inner.text("secret", reading);
        inner.finish(reading);
        let given = [env.is_some(), file.is_some(), command.is_some(), secret.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            let message = format!("`{name}` takes exactly one field: where the credentials are");
            reading.add(Fault::error("bad-login", value.span(), message).hint(FORMS));
            return None;
        }
        match (env, file, command, secret) {
            (Some(env), ..) => variable(&env, own, reading),
            (_, Some(file), ..) => reading.file(&file, "file").map(|file| Self::File { file }),
            (_, _, Some(command), _) => words(command, reading),
            (.., Some(secret)) => stored(&secret, reading),
            _ => None,
        }
    }
}

fn variable(found: &Text<'_>, own: &[&str], reading: &mut Reading<'_>) -> Option<Login> {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if found.text.is_empty() || !found.text.bytes().all(part) {
        let message = format!("`{}` cannot be an environment variable", shown(found.text));
        reading.add(Fault::error("bad-login", found.span.clone(), message));
        return None;
    }
    let allowed = reading.allowances.variables.iter().any(|allowed| allowed == found.text);
    if allowed || own.contains(&found.text) {
        return Some(Login::Env { env: found.text.to_owned() });
    }
    let message = format!("`{}` is not an environment variable for credentials of this type", shown(found.text));
    let usual = if own.is_empty() { String::new() } else { format!("; the usual one is {}", listed(own)) };
    let hint =
        format!("pass `--allow-env {}` to allow it: its value would be sent to the vendor{usual}", shown(found.text));
    reading.add(Fault::error("foreign-variable", found.span.clone(), message).hint(hint));
    None
}

fn words(found: &Spanned<DeValue<'_>>, reading: &mut Reading<'_>) -> Option<Login> {
    let texts: Option<Vec<&str>> =
        found.get_ref().as_array().and_then(|array| array.iter().map(|entry| entry.get_ref().as_str()).collect());
    let Some(words) = texts.filter(|words| words.first().is_some_and(|word| !word.is_empty())) else {
        let fault = Fault::error("bad-login", found.span(), "`command` is a list: the program and its arguments");
        reading.add(fault.hint("no shell reads it, for instance `command = [\"op\", \"read\", \"op://vault/item\"]`"));
        return None;
    };
    if !words.iter().all(|word| is_plain(word)) {
        reading.add(Fault::error("bad-login", found.span(), "`command` contains a control character"));
        return None;
    }
    if !reading.allowances.commands {
        let message = "this manifest would run a command on this machine";
        let hint = "pass `--allow-commands` to allow it, if you trust everybody who can change the file";
        reading.add(Fault::error("command", found.span(), message).hint(hint));
        return None;
    }
    Some(Login::Command { command: words.into_iter().map(str::to_owned).collect() })
}

fn stored(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<Login> {
    let folder = format!("{LOGINS}{}/", reading.manifest);
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    let rest = found.text.strip_prefix(&folder).unwrap_or_default();
    if rest.is_empty() || !rest.bytes().all(part) || found.text.len() > 512 {
        let message = format!("`{}` does not belong to this manifest", shown(found.text));
        let hint = format!(
            "store credentials in Secrets Manager below `{}`: other secrets are never sent to a vendor",
            shown(&folder)
        );
        reading.add(Fault::error("foreign-secret", found.span.clone(), message).hint(hint));
        return None;
    }
    Some(Login::Secret { secret: found.text.to_owned() })
}
