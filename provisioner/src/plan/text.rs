//! A plan as lines for people. `plan` and `apply` print the same ones.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use latchkey::place::{Place, PlaceId};

use super::causes;
use super::{Blocked, Change, Field, Note, Plan, Reason, TokenPlan, minute};
use crate::observe::finding::Finding;
use crate::plural::{count, noun_for};
use crate::sinks;

/// What kind of line, which colour may underline but never carry alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something is made.
    Create,
    Change,
    Delete,
    /// A detail of the line above.
    Detail,
    /// Something to know.
    Note,
    /// Something that cannot be done.
    Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub tone: Tone,
    /// What it says.
    pub text: String,
}

impl Line {
    /// The line without colour.
    pub fn plain(&self) -> String {
        let mark = match self.tone {
            Tone::Create => "  + ",
            Tone::Change => "  ~ ",
            Tone::Delete => "  - ",
            Tone::Detail => "      ",
            Tone::Note => "    . ",
            Tone::Problem => "  ! ",
        };
        format!("{mark}{}", self.text)
    }
}

/// How places are named.
#[derive(Debug)]
pub struct Labels {
    folder: Option<PathBuf>,
    machine: String,
}

impl Labels {
    /// For people: paths relative to the manifest's folder.
    pub fn new(folder: &Path, machine: &str) -> Self {
        Self { folder: Some(folder.to_owned()), machine: machine.to_owned() }
    }

    /// By id, the same wherever the manifest stands.
    pub(super) fn ids() -> Self {
        Self { folder: None, machine: String::new() }
    }

    /// A place's name.
    pub fn of(&self, place: &Place) -> String {
        match &self.folder {
            Some(folder) => format!("`{}`", sinks::label(place, folder, &self.machine)),
            None => place.id().to_string(),
        }
    }
}

/// All lines of a plan, tokens without changes left out unless there is something to know.
pub fn lines(plan: &Plan, labels: &Labels) -> Vec<Line> {
    let mut lines = Vec::new();
    for role in &plan.roles {
        let (tone, verb) = if role.new { (Tone::Create, "create") } else { (Tone::Change, "change") };
        lines.push(Line { tone, text: format!("role `{}`: {verb}", role.name) });
        let mut detail = |text: String| lines.push(Line { tone: Tone::Detail, text });
        if !role.gains.is_empty() {
            detail(format!("permits: {}", role.gains.join(", ")));
        }
        if !role.losses.is_empty() {
            detail(format!("no longer permits: {}", role.losses.join(", ")));
        }
        if role.taken_over {
            detail("made by hand until now, belongs to this manifest from now on".to_owned());
        }
    }
    for user in &plan.users {
        let (tone, verb) = if user.new { (Tone::Create, "create") } else { (Tone::Change, "change") };
        lines.push(Line { tone, text: format!("user `{}`: {verb}", user.name) });
        fields(&mut lines, &user.fields, user.new);
        if user.taken_over {
            let text = "made by hand until now, belongs to this manifest from now on".to_owned();
            lines.push(Line { tone: Tone::Detail, text });
        }
    }
    for token in &plan.tokens {
        token_lines(&mut lines, token, labels);
    }
    lines.extend(causes::causes(plan).into_iter().map(|text| Line { tone: Tone::Note, text }));
    for guard in &plan.guards {
        lines.push(Line { tone: Tone::Problem, text: guard.to_string() });
        lines.push(help_line(&guard.hint()));
    }
    lines
}

fn fields(lines: &mut Vec<Line>, fields: &[Field], new: bool) {
    for field in fields {
        let Field { name, from, to } = field;
        let text = if new { format!("{name}: {to}") } else { format!("{name}: {from} -> {to}") };
        lines.push(Line { tone: Tone::Detail, text });
    }
}

/// The lines of one token.
pub(super) fn token_lines(lines: &mut Vec<Line>, token: &TokenPlan, labels: &Labels) {
    let place = names(token, labels);
    for change in &token.changes {
        change_lines(lines, token, change, &subject(token), &place);
    }
    for remark in remarks(token, labels) {
        lines.push(Line { tone: remark.tone, text: remark.sentence() });
        lines.extend(remark.help.as_deref().map(help_line));
    }
}

fn subject(token: &TokenPlan) -> String {
    format!("token `{}/{}`", token.user, token.name)
}

/// What the places are called that a plan of one token is about.
fn names(token: &TokenPlan, labels: &Labels) -> impl Fn(&PlaceId) -> String {
    let names: HashMap<PlaceId, String> = token
        .places
        .iter()
        .chain(token.findings.iter().map(|(place, _)| place))
        .map(|place| (place.id(), labels.of(place)))
        .collect();
    move |id| names.get(id).cloned().unwrap_or_else(|| id.to_string())
}

fn help_line(help: &str) -> Line {
    Line { tone: Tone::Detail, text: format!("help: {help}") }
}

/// What there is to say about a token besides its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// [`Tone::Problem`] or [`Tone::Note`].
    pub tone: Tone,
    /// The token, as lines name it.
    pub subject: String,
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Consumers lose their access unless somebody acts.
    pub is_urgent: bool,
}

impl Remark {
    /// The whole of it but the advice.
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.subject, self.text)
    }
}

/// The problems and notes of one token.
pub fn remarks(token: &TokenPlan, labels: &Labels) -> Vec<Remark> {
    let place = names(token, labels);
    let problems = token.blocked.iter().map(|blocked| {
        let (text, help) = blocked_text(blocked, &place);
        Remark { tone: Tone::Problem, subject: subject(token), text, help, is_urgent: false }
    });
    let notes = token.notes.iter().map(|note| {
        let (text, is_urgent) = (note_text(token, note, &place), matches!(note, Note::Expires { .. }));
        Remark { tone: Tone::Note, subject: subject(token), text, help: None, is_urgent }
    });
    problems.chain(notes).collect()
}

fn change_lines(
    lines: &mut Vec<Line>,
    token: &TokenPlan,
    change: &Change,
    subject: &str,
    place: &dyn Fn(&PlaceId) -> String,
) {
    let mut line = |tone: Tone, text: String| lines.push(Line { tone, text });
    let all = || token.places.iter().map(|declared| pushed(token, &declared.id(), place));
    let next = token.record.as_ref().map_or(1, |record| record.highest + 1);
    match change {
        Change::Create => {
            line(Tone::Create, format!("{subject}: create"));
            let roles: Vec<&str> = token.roles.iter().map(latchkey::name::RoleName::as_str).collect();
            let roles = if roles.is_empty() { "none, so it permits nothing".to_owned() } else { roles.join(", ") };
            line(Tone::Detail, format!("roles: {roles}"));
            token.about.iter().for_each(|text| line(Tone::Detail, text.clone()));
            all().for_each(|name| line(Tone::Detail, format!("push version 1 to {name}")));
        }
        Change::Rename { from } => line(Tone::Change, format!("{subject}: rename, it was `{from}`")),
        Change::TakeOver => {
            line(Tone::Change, format!("{subject}: take over, it was made by hand until now"));
        }
        Change::Update(changed) => {
            line(Tone::Change, format!("{subject}: change"));
            if changed.iter().any(|field| field.name == "leaving") {
                line(Tone::Detail, "declared again, so it stays".to_owned());
            }
            for field in changed.iter().filter(|field| !matches!(field.name, "places" | "leaving")) {
                line(Tone::Detail, format!("{}: {} -> {}", field.name, field.from, field.to));
            }
            if changed.iter().any(|field| field.name == "places") {
                let declared = |id: &PlaceId| {
                    let record = token.record.as_ref().and_then(|record| record.places.get(id));
                    record.is_some_and(|record| record.declared)
                };
                for added in token.places.iter().filter(|added| !declared(&added.id())) {
                    line(Tone::Detail, format!("new place: {}", place(&added.id())));
                }
                let before = token.record.iter().flat_map(|record| &record.places);
                for (id, _) in
                    before.filter(|(id, record)| record.declared && !token.places.iter().any(|kept| kept.id() == **id))
                {
                    line(Tone::Detail, format!("no longer declared: {}", place(id)));
                }
            }
        }
        Change::NewVersion(reason) => {
            line(Tone::Change, format!("{subject}: rotate to version {next}, {}", reason_text(reason, place)));
            all().for_each(|name| line(Tone::Detail, format!("push version {next} to {name}")));
        }
        Change::Resume { number, to, .. } => {
            line(Tone::Change, format!("{subject}: go on with version {number}, which an earlier run left staged"));
            for id in to {
                line(Tone::Detail, format!("push version {number} to {}", place(id)));
            }
        }
        Change::Mend { number, from, to, found } => {
            let known = token.record.as_ref().is_some_and(|record| record.places.contains_key(to));
            let staged = token.record.as_ref().and_then(|record| record.current()).map(|current| current.number)
                != Some(*number);
            match found {
                // Selected sinks only: it becomes current once it is everywhere.
                _ if staged => line(Tone::Change, format!("{subject}: carry on to {}", place(to))),
                Finding::Absent if !known => line(Tone::Change, format!("{subject}: push to {}", place(to))),
                Finding::Absent => line(Tone::Change, format!("{subject}: mend {}, it is missing there", place(to))),
                found => line(Tone::Change, format!("{subject}: mend {}, {} there", place(to), found.words())),
            }
            line(Tone::Detail, format!("push version {number}, read from {}", place(from)));
        }
        Change::Retire { number } => {
            line(
                Tone::Delete,
                format!("{subject}: retire version {number}, its overlap is over and no place holds it"),
            );
        }
        Change::Remove { place: id } => {
            line(Tone::Delete, format!("{subject}: remove the entry {}, no longer declared", place(id)));
        }
        Change::Forget { place: id } => {
            let ours = |find: &Finding| {
                matches!(find, Finding::Current | Finding::Other { number: Some(_), .. } | Finding::Unknown(_))
            };
            let asked = token.findings.iter().any(|(place, find)| place.id() == *id && ours(find));
            let why = if asked { "as asked; its entry stays" } else { "which holds nothing of it" };
            line(Tone::Change, format!("{subject}: forget {}, {why}", place(id)));
        }
        Change::Leave => {
            let overlap = token.record.as_ref().and_then(|record| record.terms).map(|terms| terms.overlap);
            let overlap = overlap.map_or_else(String::new, |overlap| format!(" after its overlap of {overlap}"));
            line(Tone::Delete, format!("{subject}: prune, no longer declared; it ends{overlap}"));
        }
        Change::Delete => line(Tone::Delete, format!("{subject}: delete, no longer declared and its overlap is over")),
    }
}

/// A place that is pushed to, and what is lost there.
fn pushed(token: &TokenPlan, id: &PlaceId, place: &dyn Fn(&PlaceId) -> String) -> String {
    let adopted = token.findings.iter().any(|(found, find)| found.id() == *id && matches!(find, Finding::Foreign));
    let name = place(id);
    if adopted { format!("{name}, replacing a value that Latchkey did not put there") } else { name }
}

fn reason_text(reason: &Reason, place: &dyn Fn(&PlaceId) -> String) -> String {
    match reason {
        Reason::Asked => "as asked".to_owned(),
        Reason::Compromised => "as its secret has leaked; older versions end at once".to_owned(),
        Reason::Due(since) => format!("due since {}", minute(*since)),
        Reason::Durations => "as its durations changed".to_owned(),
        Reason::Expired => "as no version of it works any more".to_owned(),
        Reason::NeverDelivered => "as no version has reached its places yet".to_owned(),
        Reason::TakenOver => "as nobody can read back a secret made by hand".to_owned(),
        Reason::NoSource(id, found) => {
            format!("as {} is {found} and no place can be read that has the current version", place(id))
        }
        Reason::LostStaged(number) => {
            format!("as version {number} was left staged and its secret is nowhere to be read")
        }
    }
}

fn blocked_text(blocked: &Blocked, place: &dyn Fn(&PlaceId) -> String) -> (String, Option<String>) {
    match blocked {
        Blocked::Foreign(id) => (
            format!("{} holds a value that Latchkey did not put there; it is left as it is", place(id)),
            Some("write `adopt = true` in the push to replace it, or choose another name".to_owned()),
        ),
        Blocked::Unreachable(id, reason, hint) => (
            format!("held up, as nobody can tell what {} holds: {reason}", place(id)),
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
            format!("{} is not forgotten yet, as a write that was announced may still arrive there", place(id)),
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
                |reason| format!("it needs a new version, {}", reason_text(reason, place)),
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

fn note_text(token: &TokenPlan, note: &Note, place: &dyn Fn(&PlaceId) -> String) -> String {
    match note {
        Note::RetiresFrom { number, from } => {
            format!("version {number} goes on working until {} at least", minute(*from))
        }
        Note::StillUsed { number, last, until } => {
            let (last, until) = (minute(*last), minute(*until));
            format!("version {number} is still used, last at {last}, so it is not retired before {until}")
        }
        Note::NotRetired { number, place: id } => {
            format!("version {number} is not retired, as {} is out of sight", place(id))
        }
        Note::Lagging { number, place: id, reason } => {
            format!("version {number} is not retired, as consumers of {} may still read it: {reason}", place(id))
        }
        Note::StaysWhileLagging { place: id, reason } => format!(
            "{} stays, as its consumers may still read an older version: {reason}; `--forget {id}` lets it be",
            place(id)
        ),
        Note::Leaving { place: id, number, expires } => {
            let version = number.map_or_else(|| "a version".to_owned(), |number| format!("version {number}"));
            let until = expires.map_or_else(String::new, |at| format!(", which works until {}", minute(at)));
            format!(
                "{} is no longer declared and still holds {version}{until}; `--prune` removes it, `--forget {id}` lets it be",
                place(id)
            )
        }
        Note::OutOfSight(id, reason) => format!("{} is out of sight: {reason}", place(id)),
        Note::Expires { number, at } => {
            format!("version {number} is in use and stops working at {}", minute(*at))
        }
        Note::NotDeclared => {
            let places = token.record.as_ref().map_or(0, |record| record.places.len());
            format!("no longer declared, left as it is with {}; `--prune` ends it", count(places, "place"))
        }
        Note::EndsAfter(at) => format!("leaving, ends after {}", minute(*at)),
        Note::WaitsForAll(Some(reason)) => {
            format!("is to get a new version, {}; that takes a run without `--sink`", reason_text(reason, place))
        }
        Note::WaitsForAll(None) => {
            "a version that an earlier run left staged becomes current in a run without `--sink`".to_owned()
        }
    }
}

/// The last line of a plan: how much there is to do.
pub fn summary(plan: &Plan) -> String {
    let changes = || plan.tokens.iter().flat_map(|token| &token.changes);
    let number_of = |wanted: fn(&Change) -> bool| changes().filter(|change| wanted(change)).count();
    let create = number_of(|change| matches!(change, Change::Create))
        + plan.roles.iter().filter(|role| role.new).count()
        + plan.users.iter().filter(|user| user.new).count();
    let change = number_of(|change| {
        matches!(change, Change::Rename { .. } | Change::TakeOver | Change::Update(_) | Change::Forget { .. })
    }) + plan.roles.iter().filter(|role| !role.new).count()
        + plan.users.iter().filter(|user| !user.new).count();
    let rotate = number_of(|change| matches!(change, Change::NewVersion(_) | Change::Resume { .. }));
    let mend = number_of(|change| matches!(change, Change::Mend { .. }));
    let retire = number_of(|change| matches!(change, Change::Retire { .. }));
    let delete = number_of(|change| matches!(change, Change::Remove { .. } | Change::Leave | Change::Delete));
    let blocked = plan.tokens.iter().filter(|token| !token.blocked.is_empty()).count();
    let parts = [
        (create, "to create"),
        (change, "to change"),
        (rotate, "to rotate"),
        (mend, "to mend"),
        (retire, "to retire"),
        (delete, "to delete"),
        (blocked, "held up"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, words)| format!("{number} {words}")).collect();
    let tokens = plan.tokens.iter().filter(|token| token.declaration.is_some()).count();
    let left = plan.left_out.filter(|left| left.tokens + left.others > 0).map_or_else(String::new, |left| {
        let others = match left.others {
            0 => String::new(),
            others => format!(" and {} or {}", count(others, "role"), noun_for(others, "user")),
        };
        format!("; not selected and left as they are: {}{others}", count(left.tokens, "token"))
    });
    if parts.is_empty() {
        let tokens = tokens - plan.left_out.map_or(0, |left| left.tokens.min(tokens));
        return format!("No changes: {} of `{}` as declared{left}", count(tokens, "token"), plan.manifest);
    }
    format!("Plan: {}{left}", parts.join(", "))
}
