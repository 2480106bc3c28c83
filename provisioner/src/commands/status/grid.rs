//! Tokens by sinks: which version each place contains, and what a cell is too small for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use latchkey::place::Place;
use latchkey::token::{Token, Version, VersionState};

use crate::manifest::Manifest;
use crate::observe::Observation;
use crate::observe::finding::Finding;
use crate::plan::{Blocked, Labels, Note, Plan, Stop, TokenPlan, remarks};

use super::cell::{Cell, drifted};
use super::outstanding::{Outstanding, due, unfinished};
use latchkey_sinks::plural::count;

/// The column of places that are in no declared sink.
const ELSEWHERE: &str = "elsewhere";

pub(super) struct Grid {
    pub(super) manifest: String,
    /// The sinks that contain anything, by name.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// What a cell is too small for: drift, what is unreachable and what is blocked.
    pub(super) below: Vec<String>,
    /// Which of these lines are about places of a sink that cannot be read.
    pub(super) down: Vec<Down>,
    /// Which are about tokens whose places contain secrets of no valid token, and what is told of each.
    pub(super) strangers: Vec<(usize, String)>,
    outstanding: Outstanding,
}

/// A place of a sink that cannot be read.
pub(super) struct Down {
    /// Its line below the table.
    pub(super) line: usize,
    pub(super) sink: String,
    pub(super) why: String,
    pub(super) token: String,
}

pub(super) struct Row {
    pub(super) user: String,
    pub(super) name: String,
    pub(super) version: String,
    /// One a column.
    pub(super) cells: Vec<String>,
    pub(super) due: String,
    pub(super) expires: String,
    pub(super) used: String,
}

/// The sink that a place is in, by its name in the manifest: where a push of the token lands there, or, for one that is
/// no longer declared, the one that has other places of the same vault. `None` for a place elsewhere.
pub(super) fn sink_of(
    manifest: &Manifest,
    observation: &Observation,
    token: &TokenPlan,
    place: &Place,
) -> Option<String> {
    let pushes = |index: usize| manifest.tokens[index].pushes.iter().zip(&observation.tokens[index].places);
    let lands = |found: &Place| found == place;
    let own = token.declaration.into_iter().flat_map(pushes).find(|(_, found)| found.as_ref().is_ok_and(lands));
    let vault = |place: &Place| -> Vec<(String, String)> {
        let own = ["name", "json_key", "target", "branch"];
        let parts = place.parts.iter().filter(|(part, _)| !own.contains(&part.as_str()));
        parts.map(|(part, value)| (part.clone(), value.clone())).collect()
    };
    let same = |found: &Place| found.kind == place.kind && vault(found) == vault(place);
    let any = || {
        let mut all = (0..manifest.tokens.len()).flat_map(pushes);
        all.find(|(_, found)| found.as_ref().is_ok_and(same))
    };
    own.or_else(any).map(|(push, _)| push.sink.clone())
}

impl Grid {
    pub(super) fn new(manifest: &Manifest, observation: &Observation, plan: &Plan, labels: &Labels) -> Self {
        let mut used: BTreeSet<String> =
            manifest.tokens.iter().flat_map(|token| token.pushes.iter().map(|push| push.sink.clone())).collect();
        let placed: Vec<Vec<(String, Cell, String)>> = plan
            .tokens
            .iter()
            .map(|token| {
                let places = token.findings.iter().map(|(place, find)| {
                    let sink = sink_of(manifest, observation, token, place).unwrap_or_else(|| ELSEWHERE.to_owned());
                    (sink, Cell::of(token, place, find, observation), labels.of(place))
                });
                places.collect()
            })
            .collect();
        used.extend(placed.iter().flatten().map(|(sink, ..)| sink.clone()));
        let mut columns: Vec<String> = manifest.sinks.keys().filter(|sink| used.contains(*sink)).cloned().collect();
        if used.contains(ELSEWHERE) && !columns.iter().any(|column| column == ELSEWHERE) {
            columns.push(ELSEWHERE.to_owned());
        }
        let mut grid = Self {
            manifest: manifest.name.to_string(),
            columns,
            rows: Vec::new(),
            below: Vec::new(),
            down: Vec::new(),
            strangers: Vec::new(),
            outstanding: Outstanding::default(),
        };
        if let Some(stop) = observation.clock.map(Stop::Clock) {
            grid.outstanding.clock_behind = true;
            grid.below.push(format!("warning  {stop}; {}", stop.hint()));
        }
        for (token, placed) in plan.tokens.iter().zip(&placed) {
            grid.add(token, placed, observation.at, labels);
        }
        grid.outstanding.count_others(plan);
        // A user's tokens are together, users and tokens in the manifest's order.
        let mut users: Vec<String> = Vec::new();
        for row in &grid.rows {
            if !users.contains(&row.user) {
                users.push(row.user.clone());
            }
        }
        grid.rows.sort_by_key(|row| users.iter().position(|user| *user == row.user));
        grid
    }

    fn add(&mut self, token: &TokenPlan, placed: &[(String, Cell, String)], now: Timestamp, labels: &Labels) {
        let record = token.record.as_deref();
        let cells = self.columns.iter().map(|column| {
            let cells: Vec<String> =
                placed.iter().filter(|(sink, ..)| sink == column).map(|(_, held, _)| held.cell()).collect();
            if cells.is_empty() { "-".to_owned() } else { cells.join(" ") }
        });
        let cells = cells.collect();
        // Nothing rotates a token that is not declared.
        let due = record.filter(|_| token.declaration.is_some()).and_then(|record| due(record, now));
        let current = record.and_then(|record| record.current().map(|current| record.deadline(current)));
        self.outstanding.count(token, placed.iter().map(|(_, held, _)| held), now);
        self.tell(token, placed, labels);
        let name =
            if token.declaration.is_some() { token.name.to_string() } else { format!("{} (not declared)", token.name) };
        self.rows.push(Row {
            user: token.user.to_string(),
            name,
            version: match record {
                Some(record) => versions(record, unfinished(token, now), now),
                None if token.notes.iter().any(|note| matches!(note, Note::Left { .. })) => "moved".to_owned(),
                None => "none yet".to_owned(),
            },
            cells,
            due: due.map_or_else(|| "-".to_owned(), |due| when(now, due)),
            expires: current.map_or_else(|| "-".to_owned(), |at| when(now, at)),
            used: record.and_then(Token::last_used).map_or_else(|| "never".to_owned(), |at| when(now, at)),
        });
    }

    /// What a cell is too small for, place by place, and what the plan says of the token.
    fn tell(&mut self, token: &TokenPlan, placed: &[(String, Cell, String)], labels: &Labels) {
        let subject = format!("`{}/{}`", token.user, token.name);
        for (_, held, place) in placed {
            if held.drift {
                self.below.push(format!("drift    {subject}: {place} {}", drifted(held)));
            }
            if let Some(why) = &held.lagging {
                self.below.push(format!("waiting  {subject}: {place}: {why}"));
            }
        }
        for ((place, find), (sink, ..)) in token.findings.iter().zip(placed) {
            let Finding::Unknown(error) = find else { continue };
            let (line, sink, why) = (self.below.len(), sink.clone(), error.to_string());
            self.below.push(format!("unknown  {subject}: {} ({}): {why}", labels.of(place), place.id()));
            self.down.push(Down { line, sink, why, token: subject.clone() });
        }
        let remarks = remarks(token, labels);
        let (problems, notes) = remarks.split_at(token.blocked.len());
        for (blocked, remark) in token.blocked.iter().zip(problems) {
            // That a place is unreachable was said of the place.
            if matches!(blocked, Blocked::Unreachable { .. }) {
                continue;
            }
            let id = blocked.place().map_or_else(String::new, |id| format!(" ({id})"));
            self.below.push(format!("blocked  {subject}: {}{id}", remark.text));
        }
        for (note, remark) in token.notes.iter().zip(notes) {
            let word = match note {
                Note::Leaving { .. } => "leaving",
                note if note.is_urgent() => "warning",
                Note::MovesTo { .. } => "moving",
                Note::Left { .. } => "moved",
                _ => continue,
            };
            if matches!(note, Note::UnknownToken { .. }) {
                self.strangers.push((self.below.len(), remark.text.clone()));
            }
            self.below.push(format!("{word:<8} {subject}: {}", remark.text));
        }
    }

    /// Whether somebody should look.
    pub(super) fn needs_attention(&self) -> bool {
        self.outstanding.needs_attention()
    }

    /// How things are as a whole.
    pub(super) fn sum(&self) -> String {
        if self.rows.is_empty() {
            return [vec!["No tokens".to_owned()], self.outstanding.words()].concat().join(", ");
        }
        let sum = format!("{} in {}", count(self.rows.len(), "token"), count(self.columns.len(), "sink"));
        match self.outstanding.words() {
            words if words.is_empty() => format!("{sum}, all in sync"),
            words => format!("{sum}, {}", words.join(", ")),
        }
    }

    /// What the marks in the cells mean, those that are there.
    pub(super) fn legend(&self) -> Vec<String> {
        let cells = || self.rows.iter().flat_map(|row| &row.cells).flat_map(|cell| cell.split(' '));
        let versions = || self.rows.iter().flat_map(|row| row.version.split(' '));
        let marks: [(bool, &str); 7] = [
            (versions().any(|part| part.starts_with('+')), "+N: version N is being delivered"),
            (versions().any(|part| part.starts_with('-') && part.len() > 1), "-N: version N is still valid"),
            (cells().any(|cell| cell.ends_with('!')), "N!: not the current version, still valid"),
            (cells().any(|cell| cell.ends_with('x')), "Nx: expired or revoked"),
            (cells().any(|cell| cell.ends_with('~')), "N~: waiting for a deployment"),
            (cells().any(|cell| cell == "?"), "?: could not be reached"),
            (cells().any(|cell| cell == "away"), "away: on another machine"),
        ];
        marks.iter().filter(|(there, _)| *there).map(|(_, words)| (*words).to_owned()).collect()
    }
}

/// The current version, the one that is being delivered and those that are still valid. What was staged and is none of them
/// was overtaken or given up: nobody delivers it any more.
fn versions(record: &Token, delivering: Option<u32>, now: Timestamp) -> String {
    let is_first = record.current().is_none();
    let part = |version: &Version| match version.state {
        VersionState::Current => (0, format!("{}", version.number)),
        VersionState::Staged if is_first || delivering == Some(version.number) => (1, format!("+{}", version.number)),
        VersionState::Staged | VersionState::Retiring => (2, format!("-{}", version.number)),
    };
    let mut parts: Vec<(u8, String)> = record.live(now).map(part).collect();
    // Those of a kind stay in their order.
    parts.sort_by_key(|(kind, _)| *kind);
    let parts: Vec<String> = parts.into_iter().map(|(_, part)| part).collect();
    if parts.is_empty() { "expired".to_owned() } else { parts.join(" ") }
}

/// How far an instant is away, in a cell: `in 30d`, `2h ago`.
fn when(now: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let length = seconds.unsigned_abs();
    let nearest = |unit: u64| (length + unit / 2) / unit;
    let text = match length {
        0..=119 => format!("{length}s"),
        120..=7_199 => format!("{}m", nearest(60)),
        7_200..=172_799 => format!("{}h", nearest(3600)),
        _ => format!("{}d", nearest(86_400)),
    };
    if seconds < 0 { format!("{text} ago") } else { format!("in {text}") }
}

#[cfg(test)]
mod tests {
    use latchkey::place::Place;
    use latchkey::protocol::Arrival;
    use latchkey::secret::Digest;
    use latchkey::token::TokenKey;

    use super::*;

    #[test]
    fn what_was_overtaken_is_not_told_as_being_delivered() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let key = TokenKey::new("ci".parse().unwrap(), "api".parse().unwrap());
        let mut token = Token::new("0123456789abcdef".parse().unwrap(), key, "ci/job", now);
        let place = Place::new("dotenv", &[("name", "API")], true);
        token.declare_places(std::slice::from_ref(&place)).unwrap();
        for (number, wanted) in [(1, "+1"), (2, "+1 +2"), (3, "2 +3 -1")] {
            token.stage(Digest::of(&[number]), now).unwrap();
            token.announce(number.into(), &place.id(), now).unwrap();
            let delivering = token.staged().map(|staged| staged.number);
            assert_eq!(versions(&token, delivering, now), wanted);
            if number == 2 {
                token.deliver(2, &Arrival::new(&place.id(), "receipt"), now).unwrap();
                token.promote(2, now).unwrap();
            }
        }
    }
}
