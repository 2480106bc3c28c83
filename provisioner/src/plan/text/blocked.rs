//! What cannot be done, and what to do about it.

use super::Names;
use super::changes::reason_text;
use crate::plan::{Blocked, minute};

pub(super) fn text(blocked: &Blocked, names: &Names) -> (String, Option<String>) {
    match blocked {
        Blocked::Foreign(id) => (
            format!("{} contains a value that Latchkey did not write, and is left as it is", names.of(id)),
            Some("set `adopt = true` in the push to replace it, or choose another name".to_owned()),
        ),
        Blocked::Unreachable(id, reason, hint) => (
            format!("cannot read {}: {reason}", names.of(id)),
            Some(hint.clone().unwrap_or_else(|| {
                format!(
                    "try again when it is reachable; if it is gone for good and no longer declared here, run \
                     `provision apply --forget {id}`"
                )
            })),
        ),
        Blocked::NoPlace(push, reason, hint) => {
            (format!("cannot determine the place of `{push}`: {reason}"), hint.clone())
        }
        Blocked::Renamed { from, user } => (
            format!("the token `{user}/{from}` is no longer declared and is delivered to the same place"),
            Some(format!("if it was renamed, set `moved_from = \"{from}\"`; if it is to be deleted, pass `--prune`")),
        ),
        Blocked::OtherUser(user) => (
            format!("`moved_from` names a token of `{user}`, and a token cannot move to another user"),
            Some("remove `moved_from`, and pass `--prune` to delete the former token".to_owned()),
        ),
        Blocked::TooManyVersions { live, until } => {
            let when =
                until.map_or_else(String::new, |until| format!("; the next one can be created at {}", minute(until)));
            (
                format!("{live} versions of it are valid already, and no more are allowed{when}"),
                Some(
                    "see `provision status` for who uses what; `--force-retire` retires versions that are in use"
                        .to_owned(),
                ),
            )
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
