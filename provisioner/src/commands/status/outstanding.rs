//! What is not as it should be, counted: only where nothing is open, everything is in sync.

use jiff::Timestamp;
use latchkey::protocol::QUIET;
use latchkey::token::Token;

use super::cell::{Cell, Mark};
use crate::observe::finding::Finding;
use crate::plan::{Change, Note, Plan, TokenField, TokenPlan};

/// How much there is of each.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Declared tokens that do not exist yet.
    missing: usize,
    /// Declared tokens with a version that a run has begun to deliver.
    unfinished: usize,
    /// Roles, users and tokens that differ from the manifest.
    changed: usize,
    /// Places that should contain the current version and do not.
    drifted: usize,
    /// Tokens to be rotated.
    due: usize,
    /// Tokens for which something that is needed cannot be done.
    blocked: usize,
    /// Places whose consumers may still read an older version.
    waiting: usize,
    unreachable: usize,
    /// Declared places with a value of somebody else's.
    foreign: usize,
    /// Places of other machines.
    elsewhere: usize,
    /// Places that are no longer declared and not forgotten yet.
    leaving: usize,
    /// Tokens that are no longer declared.
    undeclared: usize,
    /// Tokens of which a place contains a version that is no longer valid, or that have no valid one.
    expired: usize,
    /// Tokens that expire unless somebody acts.
    expiring: usize,
    /// Tokens that another manifest may take.
    moving: usize,
    /// Declared tokens that are another manifest's.
    moved: usize,
    /// Tokens whose record has times that are still to come.
    ahead: usize,
    /// Tokens of which a place contains a version that the table does not know.
    unknown: usize,
    /// Whether the clock is far behind what the table has seen.
    pub(super) clock_behind: bool,
}

impl Outstanding {
    /// Counts one token and its places.
    pub(super) fn count<'a>(&mut self, token: &TokenPlan, cells: impl Iterator<Item = &'a Cell>, now: Timestamp) {
        let record = token.record.as_deref();
        let is_declared = token.declaration.is_some();
        let one = |is: bool| usize::from(is);
        let mut dead = record.is_some_and(|record| record.live(now).next().is_none());
        for cell in cells {
            let is_foreign = cell.is_declared && cell.mark == Mark::Foreign;
            self.foreign += one(is_foreign);
            self.drifted += one(cell.drift && !is_foreign);
            self.waiting += one(cell.lagging.is_some());
            self.unreachable += one(cell.mark == Mark::Unknown);
            self.elsewhere += one(cell.mark == Mark::Away);
            dead |= matches!(cell.mark, Mark::Dead | Mark::Expired);
        }
        let any = |wanted: fn(&Note) -> bool| token.notes.iter().any(wanted);
        let has_left = any(|note| matches!(note, Note::Left { .. }));
        self.missing += one(is_declared && record.is_none() && !has_left);
        self.unfinished += one(unfinished(token, now).is_some());
        self.changed += one(differs(token));
        self.moved += one(has_left);
        self.moving += one(any(|note| matches!(note, Note::MovesTo { .. })));
        self.due += one(is_declared && record.is_some_and(|record| is_due(record, now)));
        self.blocked += one(!token.blocked.is_empty());
        self.undeclared += one(!is_declared);
        let leaves = |note: &&Note| matches!(note, Note::Leaving { .. } | Note::StaysWhileLagging { .. });
        self.leaving += token.notes.iter().filter(leaves).count();
        self.expired += one(dead || any(|note| matches!(note, Note::Expired { .. })));
        self.expiring += one(any(|note| matches!(note, Note::Expires { .. })));
        self.ahead += one(any(|note| matches!(note, Note::Ahead { .. })));
        self.unknown += one(any(|note| matches!(note, Note::UnknownVersion { .. })));
    }

    /// Counts what differs of roles and users, after the tokens: with those that are not created yet theirs are created.
    pub(super) fn count_others(&mut self, plan: &Plan) {
        let is_open = |new: bool| !new || self.missing == 0;
        let roles = plan.roles.iter().filter(|role| is_open(role.new)).count();
        self.changed += roles + plan.users.iter().filter(|user| is_open(user.new)).count();
    }

    /// What there is, with how much of it. What consumers feel first comes first.
    fn counts(&self) -> [(usize, &'static str); 18] {
        [
            (self.missing, "not created"),
            (self.unfinished, "with an unfinished delivery"),
            (self.expired, "expired"),
            (self.expiring, "about to expire"),
            (self.unreachable, "unreachable"),
            (self.waiting, "waiting for a deployment"),
            (self.foreign, "foreign"),
            (self.leaving, "leaving"),
            (self.blocked, "blocked"),
            (self.drifted, "drifted"),
            (self.due, "due"),
            (self.changed, "changed in the manifest"),
            (self.unknown, "with an unknown version"),
            (self.ahead, "recorded ahead of the clock"),
            (self.undeclared, "not declared"),
            (self.moving, "moving to another manifest"),
            (self.moved, "moved to another manifest"),
            (self.elsewhere, "on another machine"),
        ]
    }

    /// In words, nothing when nothing is open.
    pub(super) fn words(&self) -> Vec<String> {
        let counts = self.counts();
        let counted = counts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}"));
        self.clock_behind.then(|| "the clock is behind".to_owned()).into_iter().chain(counted).collect()
    }

    /// Whether somebody should look. What another machine has may be as it should be there.
    pub(super) fn needs_attention(&self) -> bool {
        let open: usize = self.counts().iter().map(|(count, _)| count).sum();
        self.clock_behind || open > self.elsewhere
    }
}

/// The version of a declared token that a run has begun to deliver, and that is not current yet.
pub(in crate::commands) fn unfinished(token: &TokenPlan, now: Timestamp) -> Option<u32> {
    let record = token.record.as_deref().filter(|_| token.declaration.is_some())?;
    let version = record.staged().filter(|version| record.deadline(version) > now)?;
    let Some(current) = record.current() else { return Some(version.number) };
    // One that is in no place, where no write of it can arrive any more, makes way for the next, which is of no concern
    // where another is current.
    let announced = version.announced?;
    let may_be = |(_, find): &(_, Finding)| find.is_version(version.number, Some(current.number)) || find.is_unknown();
    (now < QUIET.after(announced) || token.findings.iter().any(may_be)).then_some(version.number)
}

/// Whether a token's record is to become as the manifest declares it. Places are counted one by one, by what they contain.
pub(in crate::commands) fn differs(token: &TokenPlan) -> bool {
    let is_edit = |change: &Change| match change {
        Change::Rename { .. } | Change::Move { .. } | Change::TakeOver => true,
        Change::Update(fields) => fields.iter().any(|field| field.name != TokenField::Places),
        _ => false,
    };
    token.declaration.is_some() && token.changes.iter().any(is_edit)
}

/// Whether a rotation is due: also where the time of the last one is still to come.
fn is_due(record: &Token, now: Timestamp) -> bool {
    due(record, now).is_some_and(|due| due <= now)
}

/// When a rotation is due.
pub(super) fn due(record: &Token, now: Timestamp) -> Option<Timestamp> {
    if record.ahead(now).is_some() { Some(now) } else { record.due() }
}
