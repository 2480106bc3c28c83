//! What cannot be done, and what to do about it.

use latchkey::place::PlaceId;

use super::Names;
use super::changes::reason_text;
use crate::plan::{Blocked, TokenPlan, Tracked, minute};

/// How a place that cannot be read is read again, or given up. One that is declared and may be back by itself is not given
/// up for that.
pub(super) fn way_out(id: &PlaceId, hint: Option<&str>, tracked: &Tracked, passes: bool) -> String {
    let first = hint.unwrap_or("try again when it is reachable");
    match tracked {
        Tracked::New => first.to_owned(),
        Tracked::Declared if passes => first.to_owned(),
        Tracked::Declared => format!(
            "{first}; if the place is gone for good, remove its push from the manifest, then run \
             `provision apply --forget {id}`"
        ),
        Tracked::Recorded => format!("{first}; if the place is gone for good, run `provision apply --forget {id}`"),
        Tracked::Elsewhere { machine } => format!(
            "if that machine is gone for good or was renamed, run `provision apply --forget {id}`, or \
             `--forget-machine {machine}` for all of its places; if it is still in use, give each machine a token of \
             its own"
        ),
    }
}

pub(super) fn text(token: &TokenPlan, blocked: &Blocked, names: &Names) -> (String, Option<String>) {
    match blocked {
        Blocked::Foreign(id) => (
            format!("{} contains a value that Latchkey did not write, and is left as it is", names.of(id)),
            Some(format!(
                "to replace it, run `provision plan --adopt {0}`, then `provision apply --adopt {0}` once; or choose \
                 another name",
                token.key()
            )),
        ),
        Blocked::OtherManifest { place: id, manifest, user, name } => (
            format!(
                "{} contains the secret of the token `{user}/{name}` of the manifest `{manifest}`, and is left as it is",
                names.of(id)
            ),
            Some(format!(
                "remove the push here, or remove it from `{manifest}` and run `provision apply --prune` there; to have \
                 that token here, move it: `moved_from = {{ manifest = \"{manifest}\", name = \"{name}\" }}`; if it is a \
                 leftover that nobody uses, delete the entry"
            )),
        ),
        Blocked::HiddenManifest(id) => (
            format!(
                "{} contains the secret of a valid token of another manifest, and is left as it is; this manifest is not \
                 allowed to see whose it is",
                names.of(id)
            ),
            Some(
                "remove the push here, or have the other manifest give up that entry; if it is a leftover that nobody \
                 uses, delete it"
                    .to_owned(),
            ),
        ),
        Blocked::NotAgreed { here, manifest, user, name, to } => {
            let instead = to.as_ref().map_or_else(String::new, |to| format!(", but to move it to `{to}`"));
            let it = if (user, name) == (&token.user, &token.name) {
                "it belongs to"
            } else {
                &*format!("`moved_from` names `{user}/{name}` of")
            };
            (
                format!("{it} the manifest `{manifest}`, which has not agreed to move it to `{here}`{instead}"),
                Some(format!(
                    "set `moved_to = \"{here}\"` in the declaration of `{name}` in `{manifest}`, or at the top of that \
                     manifest for all that it declares, and run `provision apply` there, then here again"
                )),
            )
        }
        Blocked::MovesWhole(manifest) => (
            format!("it moves here from the manifest `{manifest}`, with all of its places"),
            Some("run without `--sink`".to_owned()),
        ),
        Blocked::Unreachable { place: id, reason, hint, tracked, passes } => {
            (format!("cannot read {}: {reason}", names.of(id)), Some(way_out(id, hint.as_deref(), tracked, *passes)))
        }
        Blocked::Unwritable { place: id, reason, hint, .. } => {
            let help = hint.as_deref().unwrap_or("try again when it is reachable");
            (format!("cannot write {}: {reason}", names.of(id)), Some(help.to_owned()))
        }
        Blocked::NotGranted { missing, cure } => {
            (format!("the manifest is not allowed to grant {}", missing.join(", ")), Some(cure.clone()))
        }
        Blocked::NoPlace { push, reason, hint, .. } => {
            let help =
                hint.as_deref().unwrap_or("try again when it is reachable, or remove the push from the manifest");
            (format!("cannot determine the place of `{push}`: {reason}"), Some(help.to_owned()))
        }
        Blocked::Renamed { from, user } => {
            let stays = if *user == token.user {
                format!("if it was renamed, set `moved_from = \"{from}\"`")
            } else {
                format!("a token cannot move to another user: set `user = \"{user}\"` again to keep it")
            };
            (
                format!("the token `{user}/{from}` is no longer declared and is delivered to the same place"),
                Some(format!("{stays}; if it is to be deleted, pass `--prune`")),
            )
        }
        Blocked::OtherUser(user) => (
            format!("`moved_from` names a token of `{user}`, and a token cannot move to another user"),
            Some("remove `moved_from`, and pass `--prune` to delete the former token".to_owned()),
        ),
        Blocked::TooManyVersions { live, until, forceable } => {
            let when =
                until.map_or_else(String::new, |until| format!("; the next one can be created at {}", minute(until)));
            let help = match until {
                _ if *forceable => {
                    "see `provision status` for who uses what; `--force-retire` retires versions that are in use"
                        .to_owned()
                }
                Some(until) => format!("run `provision apply` again after {}; no flag ends it sooner", minute(*until)),
                None => "repair the places that contain an older version; `provision status` shows them".to_owned(),
            };
            (format!("{live} versions of it are valid already, and no more are allowed{when}"), Some(help))
        }
        Blocked::NotQuiet { place: id, until } => (
            format!("cannot forget {} yet, as an announced write may still arrive there", names.of(id)),
            Some(format!("try again after {}", minute(*until))),
        ),
        Blocked::UsedLately { number, last, ip, within } => {
            let from = ip.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
            let last = minute(*last);
            (
                format!("not pruned, as version {number} was used at {last}{from}, within the last {within}"),
                Some("to delete it all the same, pass `--prune-used`".to_owned()),
            )
        }
        Blocked::Everywhere { reason, sinks } => {
            let why = reason.as_ref().map_or_else(
                || "it does not exist yet".to_owned(),
                |reason| format!("it needs a new version, {}", reason_text(reason, names)),
            );
            let (also, flags) = if sinks.is_empty() {
                ("; some are no longer declared".to_owned(), String::new())
            } else {
                let names: Vec<String> = sinks.iter().map(|sink| format!("`{sink}`")).collect();
                let flags: Vec<String> = sinks.iter().map(|sink| format!("--sink {sink}")).collect();
                (format!(", also those of {}", names.join(", ")), format!(", or add `{}`", flags.join(" ")))
            };
            (
                format!("{why}, and a new version goes to all of its places at once{also}"),
                Some(format!("run without `--sink`{flags}")),
            )
        }
        Blocked::UserLeftOut(user) => (
            format!("it needs roles that `{user}` does not have yet, and other tokens depend on that user"),
            Some("run without `--only` and `--sink`, so that the user changes too".to_owned()),
        ),
    }
}
