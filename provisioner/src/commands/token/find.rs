//! `provision token find`: whose a secret is that turned up somewhere, and what state it is in.

use jiff::Timestamp;
use jiff::ToSpan as _;
use latchkey::secret::Fingerprint;
use latchkey::service::Event;
use latchkey::token::{Token, TokenState, VersionState};
use latchkey::user::User;
use serde_json::{Value, json};

use super::super::arguments::Piped;
use super::super::exit::{Code, Fault};
use super::super::open::{self, IfMissing};
use super::super::when;
use super::inspect::{INPUT_MAX, form, lines};
use super::presented::{self, Presented};
use super::{as_json, expires, input, labelled, which};
use crate::output::{Format, Printer};
use crate::plan::minute;
use crate::service::Client;

/// How many months are searched for who retired a version: each is a query or more.
const MONTHS: usize = 3;

/// Finds the token of what is on stdin. Only the id in it is asked for; fingerprints are compared here.
pub(super) async fn find(printer: Printer, service: Option<&str>, arguments: &Piped) -> Result<Code, Fault> {
    // Whatever keeps it from finding out is 2, never "unknown".
    let unclear = |fault: Fault| fault.code(Code::Changes);
    input::refuse_words(&arguments.given, "find").map_err(unclear)?;
    let text = input::read(printer, (INPUT_MAX, "find")).map_err(unclear)?;
    let presented = presented::read(&text);
    drop(text);
    let (id, fingerprint) = match &presented {
        Presented::Secret(secret) => (secret.token_id(), Some(secret.fingerprint())),
        Presented::Mistyped(public) | Presented::Cut(public, _) | Presented::Masked(public) => {
            (public.id.clone(), None)
        }
        Presented::Id(id) => (id.clone(), None),
        Presented::Foreign(_) | Presented::Unknown => return not_ours(printer, &presented).map_err(unclear),
        Presented::TooShort | Presented::Several(_) | Presented::Empty => {
            let sentence = lines(&presented, &[]).remove(0);
            return Err(unclear(Fault::new(sentence).hint("pass as much of one secret as there is")));
        }
    };
    let client = open::nearest(service, IfMissing::Fail).await.map_err(unclear)?;
    let Some(token) = client.find(&id).await.map_err(|error| unclear(error.into()))? else {
        return not_found(printer, &presented).map_err(unclear);
    };
    let found = Found::of(&client, token, &presented, fingerprint.as_ref()).await;
    found.print(printer, &client).map_err(|error| unclear(error.into()))?;
    Ok(if found.is_active() { Code::Done } else { Code::Error })
}

fn not_ours(printer: Printer, presented: &Presented) -> Result<Code, Fault> {
    if printer.format == Format::Json {
        let service = if let Presented::Foreign(service) = presented { Some(service) } else { None };
        printer.json(&json!({ "found": false, "form": form(presented), "service": service }))?;
    } else {
        for line in lines(presented, &[]) {
            printer.result(&line)?;
        }
    }
    Ok(Code::Error)
}

/// Whether it is nobody's or somebody else's, whoever asks does not learn.
fn not_found(printer: Printer, presented: &Presented) -> Result<Code, Fault> {
    if printer.format == Format::Json {
        printer.json(&json!({ "found": false, "form": form(presented) }))?;
        return Ok(Code::Error);
    }
    printer.result(&lines(presented, &[]).remove(0))?;
    printer.result("It belongs to no token here, or to one that you are not allowed to see")?;
    Ok(Code::Error)
}

/// What a secret is of the token whose id it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Valid, of a token that is active.
    Live(u32, VersionState),
    /// One that expired, whose overlap has ended, or that was retired.
    Retired(u32),
    /// The last one that is known of a token that has ended.
    Ended(u32),
    /// None that is known: retired long ago, or made up.
    None,
    /// Nobody can tell from a part of a secret.
    Untold,
}

struct Found {
    token: Token,
    form: &'static str,
    /// What is wrong with the secret as it is here.
    flaw: Option<String>,
    version: Version,
    /// The event by which the version was retired.
    retired: Option<Event>,
    user: Option<User>,
    now: Timestamp,
}

impl Found {
    async fn of(client: &Client, token: Token, presented: &Presented, fingerprint: Option<&Fingerprint>) -> Self {
        let is_whole = matches!(presented, Presented::Secret(_) | Presented::Id(_));
        let flaw = (!is_whole).then(|| lines(presented, &[]).remove(0));
        let form = form(presented);
        let now = client.now();
        let version = version(&token, fingerprint, now);
        let retired = match version {
            Version::Retired(number) => retirement(client, &token, number).await,
            _ => None,
        };
        // Who may see a token may not see its user: then nothing is said of a suspension.
        let user = client.user(&token.user).await.ok().flatten();
        Self { token, form, flaw, version, retired, user, now }
    }

    fn is_active(&self) -> bool {
        let active = self.token.state(self.now) == TokenState::Active;
        active && matches!(self.version, Version::Live(..) | Version::Untold)
    }

    /// The word for it.
    fn state(&self) -> &'static str {
        match (self.token.state(self.now), self.version) {
            (TokenState::Active, Version::Live(_, state)) => state.as_str(),
            (TokenState::Active, Version::Retired(_)) => "retired",
            (TokenState::Active, Version::None) => "unknown",
            (state, _) => state.as_str(),
        }
    }

    fn sentence(&self) -> String {
        let Token { user, name, .. } = &self.token;
        let token = format!("`{user}/{name}`");
        let ended = self.token.state(self.now) != TokenState::Active;
        match self.version {
            _ if ended && self.version == Version::None => {
                format!("No version of {token} that is known, which has ended")
            }
            Version::Ended(number) => format!("Version {number} of {token}, which has ended"),
            Version::Untold if self.form == "id" && ended => format!("The token {token}, which has ended"),
            Version::Untold if self.form == "id" => format!("The token {token}, which is active"),
            Version::Untold if ended => format!("A secret of {token}, which has ended"),
            Version::Live(number, VersionState::Current) => format!("Version {number} of {token}, which is valid"),
            Version::Live(number, VersionState::Staged) => {
                format!("Version {number} of {token}, valid and not yet current")
            }
            Version::Live(number, VersionState::Retiring) => {
                format!("Version {number} of {token}, replaced by a newer one and still valid")
            }
            Version::Retired(number) => {
                format!("Version {number} of {token}, which was replaced and is no longer valid")
            }
            Version::None => format!("No version of {token} that is known: retired long ago, or never one"),
            Version::Untold => format!("A secret of {token}, which is active; a part does not tell of which version"),
        }
    }

    fn print(&self, printer: Printer, client: &Client) -> std::io::Result<()> {
        if printer.format == Format::Json {
            return printer.json(&self.as_json(client));
        }
        if let Some(flaw) = &self.flaw {
            printer.result(flaw)?;
        }
        printer.result(&self.sentence())?;
        printer.facts(&self.rows(client))?;
        Ok(())
    }

    fn as_json(&self, client: &Client) -> Value {
        let number = match self.version {
            Version::Live(number, _) | Version::Retired(number) | Version::Ended(number) => Some(number),
            Version::None | Version::Untold => None,
        };
        let places: Vec<Value> = self
            .token
            .places
            .values()
            .map(|record| json!({ "place": labelled(record), "version": record.version, "declared": record.declared }))
            .collect();
        let retired = self.retired.as_ref().map(|event| json!({ "at": event.at, "by": event.actor }));
        json!({
            "found": true, "active": self.is_active(), "form": self.form, "state": self.state(), "version": number,
            "retired": retired, "suspended": self.user.as_ref().map(|user| user.suspended), "places": places,
            "last_address": self.last_use(number).and_then(|used| used.ip.clone()),
            "ends_with": self.commands(), "token": as_json(client, &self.token),
        })
    }

    fn last_use(&self, number: Option<u32>) -> Option<&latchkey::token::Use> {
        match number {
            Some(number) => self.token.uses.get(&number.to_string()),
            None => self.token.uses.values().max_by_key(|used| used.last),
        }
    }

    fn rows(&self, client: &Client) -> Vec<Vec<String>> {
        let token = &self.token;
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut row = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
        row("token id", token.id.to_string());
        if token.state(self.now) == TokenState::Active {
            row("state", self.state().to_owned());
        } else {
            row("state", which::ended(client, token));
        }
        if let Some(event) = &self.retired {
            row("retired", format!("{} by `{}` (`{}`)", minute(event.at), event.actor, event.action));
        }
        if self.is_active() && self.user.as_ref().is_some_and(|user| user.suspended) {
            row("suspended", format!("`{}` is suspended: all secrets are refused until that is lifted", token.user));
        }
        if let Some(description) = &token.description {
            row("description", description.clone());
        }
        if let Some(manifest) = &token.managed_by {
            row("manifest", manifest.to_string());
        }
        let number = match self.version {
            Version::Live(number, _) => {
                let until = token.version(number).map(|version| token.deadline(version));
                if let Some(until) = until {
                    row("valid until", expires(self.now, until));
                }
                Some(number)
            }
            Version::Retired(number) | Version::Ended(number) => Some(number),
            Version::None | Version::Untold => None,
        };
        let used = self.last_use(number).map_or_else(
            || {
                if matches!(self.version, Version::Retired(_)) {
                    "no longer recorded".to_owned()
                } else {
                    "never".to_owned()
                }
            },
            |used| {
                let from = used.ip.as_ref().map_or_else(String::new, |ip| format!(" from {ip}"));
                format!("{}{from}", minute(used.last))
            },
        );
        row("last use", used);
        for record in token.places.values() {
            let version = record.version.map_or_else(|| "nothing yet".to_owned(), |number| format!("version {number}"));
            row("place", format!("{}: {version} delivered", labelled(record)));
        }
        for command in self.commands() {
            row("end it with", format!("`{command}`"));
        }
        rows
    }

    /// What ends it, first what also replaces it. What has ended needs nothing.
    fn commands(&self) -> Vec<String> {
        let Token { user, name, managed_by, .. } = &self.token;
        if !self.is_active() {
            return Vec::new();
        }
        let replace = match managed_by {
            Some(_) => format!("provision rotate --compromised {name}"),
            None => format!("provision token rotate {name} --user {user} --compromised"),
        };
        vec![replace, format!("provision token delete {name} --user {user}")]
    }
}

/// Which version a fingerprint is.
fn version(token: &Token, fingerprint: Option<&Fingerprint>, now: Timestamp) -> Version {
    let Some(fingerprint) = fingerprint else { return Version::Untold };
    let Some(number) = token.number_of(fingerprint) else { return Version::None };
    let live = token.live(now).find(|version| version.number == number);
    match live {
        _ if token.state(now) != TokenState::Active => Version::Ended(number),
        Some(version) => Version::Live(number, version.state),
        None => Version::Retired(number),
    }
}

/// The event by which a version was retired, as far as the last months have one. By time there is none.
async fn retirement(client: &Client, token: &Token, number: u32) -> Option<Event> {
    let is_it = |event: &Event| {
        let detail = event.detail.as_deref().and_then(|detail| detail.strip_prefix(&format!("version {number}")));
        let same = detail.is_some_and(|rest| !rest.starts_with(|character: char| character.is_ascii_digit()));
        same && matches!(event.action.as_str(), "version.retire" | "version.compromised")
    };
    let mut month = when::date(client.now());
    for _ in 0..MONTHS {
        let events = client.events_of(token, month, usize::MAX).await.ok()?;
        if let Some(event) = events.into_iter().find(is_it) {
            return Some(event);
        }
        month = month.first_of_month().checked_sub(1.day()).ok()?;
        if month < when::date(token.created) {
            return None;
        }
    }
    None
}
