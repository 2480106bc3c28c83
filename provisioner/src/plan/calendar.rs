//! The calendar: everything that falls due until an instant, if nothing but time changes. Pure.

use jiff::Timestamp;
use latchkey::lifetime::Terms;
use latchkey::name::{TokenName, UserName};
use latchkey::token::{Token, VersionState};

use super::Options;
use crate::manifest::{Manifest, Rotation};
use crate::observe::Observation;

/// What a calendar takes for granted, one sentence each.
pub const ASSUMPTIONS: [&str; 3] = [
    "the manifest, its tokens and their durations stay as they are",
    "whatever falls due is done at that moment, or when the window opens, by a run of `provision rotate`, and reaches every \
     place; limits of restarts are not counted",
    "an older version is retired once its overlap ends, no place contains it and nobody uses it, which may be later",
];

/// One date of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Date {
    pub at: Timestamp,
    pub user: UserName,
    pub name: TokenName,
    /// What falls due.
    pub what: What,
    /// It rests on something that has not happened yet; otherwise it is on record.
    pub assumed: bool,
}

/// What falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A token that does not exist yet is created, with version 1.
    Made,
    /// A new version becomes current.
    Rotates { to: u32 },
    /// The overlap of an older version ends.
    OverlapEnds { version: u32 },
    /// A version expires, whoever uses it.
    Expires { version: u32 },
    /// A token that is no longer declared may be deleted, with `--prune`.
    MayEnd,
}

impl What {
    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Rotates { .. } => "rotates",
            Self::OverlapEnds { .. } => "overlap_ends",
            Self::Expires { .. } => "expires",
            Self::MayEnd => "may_end",
        }
    }

    /// The version it is about.
    pub fn version(self) -> Option<u32> {
        match self {
            Self::Rotates { to } => Some(to),
            Self::OverlapEnds { version } | Self::Expires { version } => Some(version),
            Self::Made | Self::MayEnd => None,
        }
    }

    /// In few words, for people.
    pub fn words(self) -> String {
        match self {
            Self::Made => "is created, with version 1".to_owned(),
            Self::Rotates { to } => format!("rotates to version {to}"),
            Self::OverlapEnds { version } => format!("overlap of version {version} ends"),
            Self::Expires { version } => format!("version {version} expires at the latest"),
            Self::MayEnd => "may be deleted, with `--prune`".to_owned(),
        }
    }
}

/// All dates until an instant, that instant included, by time.
pub fn calendar(manifest: &Manifest, observation: &Observation, options: &Options, until: Timestamp) -> Vec<Date> {
    let mut dates = Vec::new();
    let selected = |user: &UserName, name: &TokenName| {
        options.only.is_empty() || options.only.contains(&(user.clone(), name.clone()))
    };
    for (declaration, observed) in manifest.tokens.iter().zip(&observation.tokens) {
        // One that has left, or that cannot come yet, is not rotated here.
        let moves = observed.record.is_none() && observed.moving.is_some();
        if selected(&declaration.user, &declaration.name) && !moves {
            let book = Book { user: &declaration.user, name: &declaration.name, until, dates: &mut dates };
            declared(book, observed.record.as_deref(), (declaration.terms, &manifest.rotation), observation.at);
        }
    }
    let moved = |token: &Token| {
        let from = Some((token.user.clone(), token.name.clone()));
        manifest.tokens.iter().any(|declaration| declaration.moved_from == from)
    };
    for token in observation.undeclared.iter().filter(|token| !moved(token) && selected(&token.user, &token.name)) {
        let mut book = Book { user: &token.user, name: &token.name, until, dates: &mut dates };
        recorded(&mut book, token, observation.at);
        if let Some(since) = token.leaving {
            let ends = token.terms.map_or(since, |terms| terms.overlap.after(since));
            book.note(ends.max(observation.at), What::MayEnd, false);
        }
    }
    dates.sort_by(|one, other| {
        (one.at, &one.user, &one.name, one.what).cmp(&(other.at, &other.user, &other.name, other.what))
    });
    dates
}

/// Where the dates of one token are noted.
struct Book<'a> {
    user: &'a UserName,
    name: &'a TokenName,
    until: Timestamp,
    dates: &'a mut Vec<Date>,
}

impl Book<'_> {
    fn note(&mut self, at: Timestamp, what: What, assumed: bool) {
        if at <= self.until {
            let (user, name) = (self.user.clone(), self.name.clone());
            self.dates.push(Date { at, user, name, what, assumed });
        }
    }
}

/// The dates that are on record.
fn recorded(book: &mut Book<'_>, token: &Token, now: Timestamp) {
    for version in token.live(now) {
        book.note(token.deadline(version), What::Expires { version: version.number }, false);
        if let Some(ends) = version.overlap_ends.filter(|ends| *ends > now && version.state != VersionState::Current) {
            book.note(ends, What::OverlapEnds { version: version.number }, false);
        }
    }
}

fn declared(mut book: Book<'_>, token: Option<&Token>, (terms, rotation): (Terms, &Rotation), now: Timestamp) {
    let Some(token) = token else {
        book.note(now, What::Made, true);
        return rotations(&mut book, (terms, rotation), (now, 1));
    };
    recorded(&mut book, token, now);
    let current = token.current().filter(|current| token.deadline(current) > now);
    let due = current.and_then(|current| {
        let due = terms.due(current.promoted?, token.deadline(current));
        if token.ahead(now).is_some() {
            return Some(now);
        }
        // Changed durations act on a new version, which is due at once.
        let due = if current.terms == Some(terms) { due.max(now) } else { now };
        Some(rotation.waits_until(due, token.deadline(current), terms).unwrap_or(due))
    });
    let (first, next) = (due.unwrap_or(now), token.highest + 1);
    book.note(first, What::Rotates { to: next }, false);
    if let Some(current) = current {
        book.note(terms.overlap.after(first), What::OverlapEnds { version: current.number }, true);
    }
    if first <= book.until {
        rotations(&mut book, (terms, rotation), (first, next));
    }
}

/// The rotations after one at `at` that made `number` current, each at the moment when it is due, or when the window
/// opens.
fn rotations(book: &mut Book<'_>, (terms, rotation): (Terms, &Rotation), (mut at, mut number): (Timestamp, u32)) {
    loop {
        let expiry = terms.expires_in.after(at);
        let due = terms.due(at, expiry);
        let next = rotation.waits_until(due, expiry, terms).unwrap_or(due);
        // Durations that contradict each other could stand still.
        if next <= at || next > book.until {
            return;
        }
        book.note(next, What::Rotates { to: number + 1 }, true);
        book.note(terms.overlap.after(next), What::OverlapEnds { version: number }, true);
        (at, number) = (next, number + 1);
    }
}
