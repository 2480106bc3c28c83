//! What is done to a token.

use latchkey::name::RoleName;
use latchkey::place::{Place, PlaceId};

use super::{Line, Names, Tone};
use crate::observe::finding::Finding;
use crate::plan::{Change, Field, Reason, TokenField, TokenPlan, minute};

/// The lines of all changes of a token.
pub(super) fn lines(lines: &mut Vec<Line>, token: &TokenPlan, subject: &str, names: &Names) {
    let mut page = Page { lines, token, subject, names };
    token.changes.iter().for_each(|change| page.change(change));
}

/// Where the changes of one token are written down.
struct Page<'a> {
    lines: &'a mut Vec<Line>,
    token: &'a TokenPlan,
    subject: &'a str,
    names: &'a Names,
}

impl Page<'_> {
    fn line(&mut self, tone: Tone, text: &str) {
        self.lines.push(Line { tone, text: format!("{}: {text}", self.subject) });
    }

    fn detail(&mut self, text: String) {
        self.lines.push(Line { tone: Tone::Detail, text });
    }

    fn change(&mut self, change: &Change) {
        let (token, names) = (self.token, self.names);
        match change {
            Change::Create => self.create(),
            Change::Rename { from } => self.line(Tone::Change, &format!("rename from `{from}`")),
            Change::Move { from, name } => {
                let called = if *name == token.name { String::new() } else { format!(", where it is called `{name}`") };
                self.line(Tone::Change, &format!("move here from the manifest `{from}`{called}"));
            }
            Change::TakeOver => self.line(Tone::Change, "take over, it was created by hand"),
            Change::Update(changed) => self.update(changed),
            Change::NewVersion(reason) => {
                let next = token.record.as_ref().map_or(1, |record| record.highest + 1);
                self.line(Tone::Change, &format!("rotate to version {next}, {}", reason_text(reason, names)));
                self.pushes(next);
            }
            Change::Resume { number, to, .. } => {
                self.line(Tone::Change, &format!("continue with version {number}, which an earlier run left staged"));
                for id in to {
                    self.push(*number, id);
                }
            }
            Change::Mend { number, from, to, found } => {
                self.mend(*number, to, found);
                self.detail(format!("push version {number}, read back from {}", names.of(from)));
            }
            Change::Retire { number } => {
                let text = format!("retire version {number}, as its overlap has ended and no place contains it");
                self.line(Tone::Delete, &text);
            }
            Change::Remove { place } => {
                self.line(Tone::Delete, &format!("remove the entry {}, no longer declared", names.of(place)));
            }
            Change::Forget { place } => self.forget(place),
            Change::Merge { from, into } => self.line(
                Tone::Change,
                &format!("{} and {} are the same entry; track it once", names.of(&from.id()), names.of(into)),
            ),
            Change::Leave => {
                let overlap = token.record.as_ref().and_then(|record| record.terms).map(|terms| terms.overlap);
                let overlap = overlap.map_or_else(String::new, |overlap| format!(" after its overlap of {overlap}"));
                self.line(Tone::Delete, &format!("prune, no longer declared; the token is revoked{overlap}"));
            }
            Change::Delete => self.line(Tone::Delete, "delete, no longer declared and its overlap has ended"),
        }
    }

    fn create(&mut self) {
        let token = self.token;
        self.line(Tone::Create, "create");
        let roles: Vec<&str> = token.roles.iter().map(RoleName::as_str).collect();
        let roles = if roles.is_empty() { "none, so it allows nothing".to_owned() } else { roles.join(", ") };
        self.detail(format!("roles: {roles}"));
        token.about.iter().for_each(|text| self.detail(text.clone()));
        self.pushes(1);
    }

    /// A version that goes to every declared place, and what is lost there.
    fn pushes(&mut self, number: u32) {
        for id in self.token.places.iter().map(Place::id) {
            self.push(number, &id);
        }
    }

    fn push(&mut self, number: u32, id: &PlaceId) {
        let lost = replaced(self.token, id).map_or_else(String::new, |lost| format!(", replacing {lost}"));
        self.detail(format!("push version {number} to {}{lost}", self.names.of(id)));
    }

    fn update(&mut self, changed: &[Field<TokenField>]) {
        let (token, names) = (self.token, self.names);
        self.line(Tone::Change, "change");
        let changes = |wanted: TokenField| changed.iter().any(|field| field.name == wanted);
        if changes(TokenField::Leaving) {
            self.detail("declared again, so it stays".to_owned());
        }
        let told = |field: &&Field<TokenField>| !matches!(field.name, TokenField::Places | TokenField::Leaving);
        for Field { name, from, to } in changed.iter().filter(told) {
            self.detail(format!("{}: {from} -> {to}", name.as_str()));
        }
        if !changes(TokenField::Places) {
            return;
        }
        let before = |id: &PlaceId| token.record.as_ref().and_then(|record| record.places.get(id));
        let ids: Vec<PlaceId> = token.places.iter().map(Place::id).collect();
        for added in ids.iter().filter(|id| !before(id).is_some_and(|record| record.declared)) {
            self.detail(format!("new place: {}", names.of(added)));
        }
        let recorded = token.record.iter().flat_map(|record| &record.places);
        for (id, _) in recorded.filter(|(id, record)| record.declared && !ids.contains(id)) {
            self.detail(format!("no longer declared: {}", names.of(id)));
        }
    }

    fn mend(&mut self, number: u32, to: &PlaceId, found: &Finding) {
        let (record, name) = (self.token.record.as_ref(), self.names.of(to));
        let known = record.is_some_and(|record| record.places.contains_key(to));
        let staged = record.and_then(|record| record.current()).map(|current| current.number) != Some(number);
        let lost = replaced(self.token, to).map_or_else(String::new, |lost| format!(", replacing {lost}"));
        let text = match found {
            // Selected sinks only: it becomes current once it is everywhere.
            _ if staged => format!("push the staged version to {name}{lost}"),
            Finding::Absent if !known => format!("push to {name}"),
            Finding::Foreign => format!("adopt {name}{lost}"),
            found if !known && is_anothers(found) => format!("push to {name}{lost}"),
            found => format!("repair {name} ({})", found.words()),
        };
        self.line(Tone::Change, &text);
    }

    fn forget(&mut self, id: &PlaceId) {
        let ours = |find: &Finding| matches!(find, Finding::Unknown(_)) || find.is_ours();
        let find = self.token.findings.iter().find(|(place, _)| place.id() == *id).map(|(_, find)| find);
        let why = match find {
            Some(find) if ours(find) => "as requested; its entry stays",
            Some(Finding::Edited | Finding::Overwritten) => "which was changed outside Latchkey; its entry stays",
            _ => "which contains nothing of the token",
        };
        self.line(Tone::Change, &format!("forget {}, {why}", self.names.of(id)));
    }
}

/// Whose value a push to a place replaces, and whether anybody can have it back; nothing where there is none or it is the
/// token's own.
pub fn replaced(token: &TokenPlan, id: &PlaceId) -> Option<String> {
    let (_, find) = token.findings.iter().find(|(place, _)| place.id() == *id)?;
    let place = token.places.iter().find(|place| place.id() == *id);
    match find {
        Finding::Foreign => {
            let then = place.and_then(latchkey_sinks::replaced).map_or_else(String::new, |then| format!(", {then}"));
            Some(format!("a value that Latchkey did not write{then}"))
        }
        find if is_anothers(find) => Some(ANOTHERS.to_owned()),
        _ => None,
    }
}

/// What is lost where a version is written over another token's.
const ANOTHERS: &str = "the secret of another token of this manifest";

fn is_anothers(find: &Finding) -> bool {
    matches!(find, Finding::Other { number: None, live: true })
}

/// Why a token gets a new version.
pub(super) fn reason_text(reason: &Reason, names: &Names) -> String {
    match reason {
        Reason::Asked => "as requested".to_owned(),
        Reason::Compromised => "as its secret has leaked; older versions are revoked at once".to_owned(),
        Reason::Due(since) => format!("due since {}", minute(*since)),
        Reason::Durations => "as its durations changed".to_owned(),
        Reason::Expired => "as it has no valid version".to_owned(),
        Reason::Ahead(latest) => {
            format!("as its record has times in the future, up to {}, which are set to now", minute(*latest))
        }
        Reason::NeverDelivered => "as no version has been delivered everywhere yet".to_owned(),
        Reason::TakenOver => "as a secret that was created by hand cannot be read back".to_owned(),
        Reason::NoSource(id, found) => {
            format!("as {} lacks the current version ({found}) and no readable place has it", names.of(id))
        }
        Reason::LostStaged(number) => {
            format!("as version {number} was left staged and its secret cannot be read back")
        }
    }
}
