//! What cannot be done, and what to do about it.

use super::Names;
use super::changes::reason_text;
use crate::plan::{Blocked, minute};

pub(super) fn text(blocked: &Blocked, names: &Names) -> (String, Option<String>) {
    match blocked {
        Blocked::Foreign(id) => (
            format!("{} holds a value that Latchkey did not put there; it is left as it is", names.of(id)),
            Some("write `adopt = true` in the push to replace it, or choose another name".to_owned()),
        ),
        Blocked::Unreachable(id, reason, hint) => (
            format!("held up, as nobody can tell what {} holds: {reason}", names.of(id)),
            Some(hint.clone().unwrap_or_else(|| {
                format!(
                    "try again when it can be reached; if it is gone for good and no longer declared here, `provision apply --forget {id}`"
                )
            })),
        ),
        Blocked::NoPlace(push, reason, hint) => {
            (format!("held up, as nobody can tell where `{push}` lands: {reason}"), hint.clone())
        }
        Blocked::Renamed { from, user } => (
            format!("not made: the token `{user}/{from}` is no longer declared and goes to the same place"),
            Some(format!("if it was renamed, write `moved_from = \"{from}\"`; if it is to end, say `--prune`")),
        ),
        Blocked::OtherUser(user) => (
            format!("`moved_from` names a token of `{user}`, and a token stays with its user"),
            Some("remove `moved_from`, and let `--prune` end the former token".to_owned()),
        ),
        Blocked::TooManyVersions { live, until } => {
            let when = until.map_or_else(String::new, |until| format!("; it can go on at {}", minute(until)));
            (
                format!("{live} versions of it work already, and no more may{when}"),
                Some("see `provision status` for who uses what; `--force-retire` ends versions in use".to_owned()),
            )
        }
        Blocked::NotQuiet { place: id, until } => (
            format!("{} is not forgotten yet, as a write that was announced may still arrive there", names.of(id)),
            Some(format!("try again after {}", minute(*until))),
        ),
        Blocked::UsedLately { number, last, ip, within } => {
            let from = ip.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
            (
                format!("not pruned: version {number} was used at {}{from}, within the last {within}", minute(*last)),
                Some("say `--prune-used` if it is to end all the same".to_owned()),
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
                format!("held up: {why}, and that goes to all its places at once{also}"),
                Some(format!("run without `--sink`{flags}")),
            )
        }
        Blocked::UserLeftOut(user) => (
            format!("held up: it needs roles that `{user}` does not hold yet, and others rest on that user"),
            Some("run without `--only` and `--sink`, so that the user changes too".to_owned()),
        ),
    }
}
