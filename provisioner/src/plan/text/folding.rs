//! What many tokens have in common, as one line: notes of one kind, and a sink that is down.

use std::collections::BTreeMap;

use latchkey::protocol::Keeps;
use latchkey_sinks::plural::count;

use super::{Labels, Line, Remark, Tone, remarks};
use crate::plan::{Blocked, Note, Plan, TokenPlan, minute};

/// So many notes of one kind are still told one by one.
const EACH: usize = 2;
/// So many tokens are named.
const NAMED: usize = 3;

/// What has a line of its own for all that it is about, by where that line is to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Kept,
    NotLookedAt,
    Waits,
    LoginMayNot,
    /// Places contain secrets of no valid token.
    Strangers,
    /// A sink that could not be read, and why.
    Down(String, String),
}

/// One thing that may be folded.
struct One<'p> {
    token: &'p TokenPlan,
    remark: Remark,
    until: Option<jiff::Timestamp>,
}

impl One<'_> {
    /// Whether its advice is how to give up its own place.
    fn can_be_given_up(&self) -> bool {
        self.remark.help.as_ref().is_some_and(|help| help.contains("--forget"))
    }
}

/// What is folded of a plan: the lines instead, and what they stand for.
pub(super) struct Folds {
    lines: BTreeMap<Kind, (usize, Vec<Line>)>,
}

impl Folds {
    /// Folds nothing.
    pub(super) fn none() -> Self {
        Self { lines: BTreeMap::new() }
    }

    /// Finds what there is more than twice.
    pub(super) fn of(plan: &Plan, labels: &Labels) -> Self {
        let mut found: BTreeMap<Kind, (usize, Vec<One<'_>>)> = BTreeMap::new();
        for (index, token) in plan.tokens.iter().enumerate() {
            for (remark, kind, until) in kinds(plan, token, labels) {
                let Some(kind) = kind else { continue };
                found.entry(kind).or_insert((index, Vec::new())).1.push(One { token, remark, until });
            }
        }
        let lines = found.into_iter().filter_map(|(kind, (index, all))| {
            // Two places that can be given up are told with how.
            let least = if matches!(kind, Kind::Down(..)) && !all.iter().any(One::can_be_given_up) { 1 } else { EACH };
            (all.len() > least).then(|| {
                let lines = lines(&kind, &all);
                (kind, (index, lines))
            })
        });
        Self { lines: lines.collect() }
    }

    /// What is told of a token, by its index in the plan: what is its own, then what begins with it.
    pub(super) fn remarks(&self, plan: &Plan, index: usize, labels: &Labels) -> (Vec<Remark>, Vec<Line>) {
        let token = &plan.tokens[index];
        if self.lines.is_empty() {
            return (remarks(token, labels), Vec::new());
        }
        let own = kinds(plan, token, labels)
            .into_iter()
            .filter(|(_, kind, _)| !kind.as_ref().is_some_and(|kind| self.lines.contains_key(kind)));
        let common = self.lines.values().filter(|(first, _)| *first == index).flat_map(|(_, lines)| lines.clone());
        (own.map(|(remark, ..)| remark).collect(), common.collect())
    }
}

/// The remarks of a token with what each is one of.
fn kinds(plan: &Plan, token: &TokenPlan, labels: &Labels) -> Vec<(Remark, Option<Kind>, Option<jiff::Timestamp>)> {
    let problems = token.blocked.iter().map(|blocked| match blocked {
        Blocked::Unreachable { place, reason, .. } => {
            (plan.sinks.get(place).map(|sink| Kind::Down(sink.clone(), reason.clone())), None)
        }
        _ => (None, None),
    });
    let notes = token.notes.iter().map(|note| match note {
        Note::Kept { why: Keeps::Overlap { until } | Keeps::Announced { until }, .. } => {
            (Some(Kind::Kept), Some(*until))
        }
        Note::NotLookedAt { is_declared: true, .. } => (Some(Kind::NotLookedAt), None),
        Note::WaitsForWindow { .. } | Note::WaitsForRestarts { .. } => (Some(Kind::Waits), None),
        Note::LoginMayNot { .. } => (Some(Kind::LoginMayNot), None),
        Note::UnknownToken { .. } => (Some(Kind::Strangers), None),
        Note::OutOfSight { place, reason, .. } => {
            (plan.sinks.get(place).map(|sink| Kind::Down(sink.clone(), reason.clone())), None)
        }
        _ => (None, None),
    });
    let kinds: Vec<_> = problems.chain(notes).collect();
    let with = |(remark, (kind, until)): (Remark, (Option<Kind>, _))| (remark, kind, until);
    remarks(token, labels).into_iter().zip(kinds).map(with).collect()
}

fn lines(kind: &Kind, all: &[One<'_>]) -> Vec<Line> {
    let note = |text: String| vec![Line { tone: Tone::Note, text }];
    let tokens = tokens(all);
    let names = named(&tokens);
    match kind {
        Kind::Kept => {
            let until = all.iter().filter_map(|one| one.until).max().map(minute).unwrap_or_default();
            note(format!(
                "{} in their overlap stay valid, the last until at least {until}: {names}",
                count(all.len(), "older version")
            ))
        }
        Kind::NotLookedAt => {
            let places = count(all.len(), "place");
            note(format!("{places} of {} were not looked at: {names}", count(tokens.len(), "token")))
        }
        Kind::Waits => {
            let verb = if all.len() == 1 { "waits" } else { "wait" };
            note(format!("{} due and {verb} for a window or a later run: {names}", count(all.len(), "rotation")))
        }
        Kind::LoginMayNot => note(format!(
            "this login cannot write {} of {}; `provision apply` needs one that can: {names}",
            count(all.len(), "place"),
            count(tokens.len(), "token")
        )),
        Kind::Strangers => {
            let text = all.first().map_or("", |one| &one.remark.text);
            let text = format!("warning: {}: {text}: {names}", count(tokens.len(), "token"));
            vec![Line { tone: Tone::Warning, text }]
        }
        Kind::Down(sink, reason) => {
            let is_blocked = all.iter().any(|one| one.remark.tone == Tone::Problem);
            let (places, count_of) = (count(all.len(), "place"), count(tokens.len(), "token"));
            let text = format!("sink `{sink}`: {reason}; {count_of} and {places} wait: {names}");
            let tone = if is_blocked { Tone::Problem } else { Tone::Note };
            let first = all.first().and_then(|one| one.remark.help.as_deref()).map(|help| {
                let first = help.split("; if the place is gone for good").next().unwrap_or(help);
                format!("{first}; if a place is gone for good, `--verbose` shows how to give it up")
            });
            let common = all.iter().find_map(|one| one.remark.help.clone());
            let advice = if all.iter().any(One::can_be_given_up) { first } else { common };
            let mut lines = vec![Line { tone, text }];
            lines.extend(advice.filter(|_| is_blocked).map(|advice| Line::help(&advice)));
            lines
        }
    }
}

fn tokens(all: &[One<'_>]) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for one in all {
        let name = format!("`{}/{}`", one.token.user, one.token.name);
        if !tokens.contains(&name) {
            tokens.push(name);
        }
    }
    tokens
}

/// Some names with how many more there are.
pub fn named(names: &[String]) -> String {
    let some = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}
