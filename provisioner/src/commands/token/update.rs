//! `provision token update`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::lifetime::Terms;
use latchkey::service::Edit;
use latchkey::token::Token;
use serde_json::{Value, json};

use super::super::arguments::TokenUpdate;
use super::super::exit::{Code, Fault};
use super::super::{clock, when};
use super::create::{expiry_hint, labels};
use super::{as_json, which};
use crate::output::{Format, Printer};
use crate::plan::expiry;
use crate::service::{Client, ServiceError};

/// Changes a token as it was read, and shows what changed.
pub(super) async fn update(printer: Printer, client: &Client, arguments: TokenUpdate) -> Result<Code, Fault> {
    if wants_nothing(&arguments) {
        return Err(Fault::new("nothing to change was passed").hint("see `provision token update --help`"));
    }
    clock::accept(printer, client, &arguments.clock).await?;
    let old = which::active(client, &arguments.which).await?;
    let edit = edit(&old, &arguments, client.now())?;
    let new = client.update(&old, &edit).await.map_err(|error| not_updated(client, &old, error))?;
    let changes = changes(&old, &new);
    if let Some(manifest) = &new.managed_by {
        printer.warning_with(
            &format!("`{manifest}` declares this token: its next apply restores what the manifest says"),
            "change the manifest too",
        );
    }
    if printer.format == Format::Json {
        let mut value = as_json(client, &new);
        let of = |(field, old, new): &Change| json!({ "field": field, "old": old, "new": new });
        value["changed"] = Value::Array(changes.iter().map(of).collect());
        printer.json(&value)?;
        return Ok(Code::Done);
    }
    if changes.is_empty() {
        printer.result(&format!("No changes: `{}/{}` is as wanted", new.user, new.name))?;
        return Ok(Code::Done);
    }
    printer.result(&format!("Changed `{}/{}`", new.user, new.name))?;
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    for (field, old, new) in &changes {
        printer.result(&format!("  {field}: {} -> {}", shown(old), shown(new)))?;
    }
    Ok(Code::Done)
}

fn wants_nothing(arguments: &TokenUpdate) -> bool {
    let TokenUpdate { rename, description, expires_at, rotate_every, overlap, allow_any_ip, .. } = arguments;
    let lists = arguments.labels.len() + arguments.remove_labels.len() + arguments.allowed_ips.len();
    let texts = rename.is_none() && description.is_none() && expires_at.is_none();
    texts && rotate_every.is_none() && overlap.is_none() && !allow_any_ip && lists == 0
}

/// What is to change. What the service would take, and a run of the manifest would turn into something else, is refused.
fn edit(old: &Token, arguments: &TokenUpdate, now: Timestamp) -> Result<Edit, Fault> {
    let Token { user, name, .. } = old;
    let changes_terms = arguments.rotate_every.is_some() || arguments.overlap.is_some();
    let terms = match (old.terms, changes_terms) {
        (_, false) => None,
        (Some(terms), true) => Some(Terms {
            rotate_every: arguments.rotate_every.unwrap_or(terms.rotate_every),
            overlap: arguments.overlap.unwrap_or(terms.overlap),
            ..terms
        }),
        (None, true) => {
            return Err(Fault::new(format!(
                "no manifest declares `{user}/{name}`, so nothing rotates it by itself; nothing was changed"
            ))
            .hint(format!(
                "rotate it with `provision token rotate {name} --user {user}`, or declare it in a manifest"
            )));
        }
    };
    if let (Some(manifest), Some(new)) = (&old.managed_by, &arguments.rename) {
        return Err(Fault::new(format!(
            "`{manifest}` declares `{user}/{name}`, and would create another one in its place; nothing was changed"
        ))
        .hint(format!("rename it in the manifest: `[tokens.{new}]` with `moved_from = \"{name}\"`")));
    }
    let changes_labels = !arguments.labels.is_empty() || !arguments.remove_labels.is_empty();
    let networks = arguments.allow_any_ip || !arguments.allowed_ips.is_empty();
    Ok(Edit {
        name: arguments.rename.clone(),
        description: arguments.description.clone(),
        labels: if changes_labels { Some(relabelled(old, arguments)?) } else { None },
        expires_at: arguments.expires_at.as_deref().map(|text| when::until(text, now)).transpose()?,
        terms,
        allowed_ips: networks.then(|| arguments.allowed_ips.clone()),
        ..Edit::default()
    })
}

fn relabelled(old: &Token, arguments: &TokenUpdate) -> Result<BTreeMap<String, String>, Fault> {
    let mut all = old.labels.clone();
    for key in &arguments.remove_labels {
        if all.remove(key).is_none() {
            let has: Vec<String> = old.labels.keys().map(|key| format!("`{key}`")).collect();
            let has = if has.is_empty() { "it has none".to_owned() } else { format!("it has {}", has.join(", ")) };
            return Err(
                Fault::new(format!("`{}/{}` has no label `{key}`; nothing was changed", old.user, old.name)).hint(has)
            );
        }
    }
    all.extend(labels(&arguments.labels)?);
    Ok(all)
}

fn not_updated(client: &Client, token: &Token, error: ServiceError) -> Fault {
    let Token { user, name, .. } = token;
    match error {
        ServiceError::Gone(message) => {
            Fault::new(message).hint("it was changed or ended since it was read; look at it and try again")
        }
        ServiceError::Refused(refusal) if refusal.is_about("/expires_at") => {
            let hint = match &token.managed_by {
                Some(_) => "change `expires_in` in the manifest and apply it; it acts on later versions".to_owned(),
                None => expiry_hint(client, &refusal),
            };
            Fault::new(refusal.to_string()).hint(hint)
        }
        ServiceError::Refused(refusal) if refusal.code == "name_taken" => {
            Fault::new(refusal.to_string()).hint(format!("choose another name; `{user}/{name}` keeps its own"))
        }
        error => error.into(),
    }
}

/// A field, and what it was and is.
type Change = (String, Option<String>, Option<String>);

/// What differs, field by field, as people call it.
fn changes(old: &Token, new: &Token) -> Vec<Change> {
    let networks = |token: &Token| {
        let texts: Vec<String> = token.allowed_ips.iter().map(ToString::to_string).collect();
        Some(texts.join(", ")).filter(|text| !text.is_empty())
    };
    let every = |token: &Token| token.terms.map(|terms| terms.rotate_every.to_string());
    let overlap = |token: &Token| token.terms.map(|terms| terms.overlap.to_string());
    let of = |field: &str, read: &dyn Fn(&Token) -> Option<String>| (field.to_owned(), read(old), read(new));
    let mut all = vec![
        of("name", &|token| Some(token.name.to_string())),
        of("description", &|token| token.description.clone()),
        of("expires", &|token| token.ends_at().map(expiry)),
        of("rotated every", &every),
        of("overlap", &overlap),
        of("allowed from", &networks),
    ];
    let mut keys: Vec<&String> = old.labels.keys().chain(new.labels.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    all.extend(keys.into_iter().map(|key| of(&format!("label {key}"), &|token| token.labels.get(key).cloned())));
    all.retain(|(_, old, new)| old != new);
    all
}
