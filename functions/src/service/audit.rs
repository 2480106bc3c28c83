//! Audit: every change, written in the same transaction as the change.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::notices::News;
use super::{Caller, Service};
use crate::event::EventKind;
use crate::lifetime::Seconds;
use crate::mutex::Mutex;
use crate::name::{ManifestName, TokenName, UserName};
use crate::secret::TokenId;
use crate::table::keys::{self, Key};
use crate::table::{Item, TableError, Value, Write, count, decode, encode, number, with_key};
use crate::token::{Token, TokenRef};

/// How long events are kept.
pub const EVENTS_KEPT: Seconds = Seconds::days(400);
/// The attribute that says when an event was.
const AT: &str = "at";
/// The partition of events about roles; no user can have this name.
const ROLES: &str = ":roles";

/// How many refusals of one caller a process records in an hour.
const REFUSALS_MAX: u32 = 20;

/// Refusals by caller, of the hour that is.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<(i64, BTreeMap<String, u32>)>);

impl Refusals {
    /// Counts one more of a caller's.
    fn count(&self, actor: &str, now: Timestamp) -> u32 {
        let hour = now.as_second().div_euclid(3600);
        let mut counted = self.0.lock();
        if counted.0 != hour {
            *counted = (hour, BTreeMap::new());
        }
        let count = counted.1.entry(actor.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "api", schemars(rename = "EventRecord"))]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it: `operator:NAME` on the table itself, `USER/TOKEN`, or `expiry`.
    pub actor: String,
    /// From which address, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The kind of event, such as `token.create`.
    pub action: String,
    /// The user that it is about, or whose token; `:roles` for roles, manifests and the service as a whole.
    pub user: String,
    /// The name of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenName>,
    /// The id of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TokenId>,
    // Never a secret.
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A page of events.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<Event>,
    /// The sort key to go on from; `None` when this was the last page.
    pub next: Option<String>,
}

/// The manifest that declares something, and the one that may take it.
pub(super) type Owned<'a> = (Option<&'a ManifestName>, Option<&'a ManifestName>);

/// What an event tells of a role or user that moves from one manifest to another.
pub(super) fn moved(old: Option<Owned<'_>>, (owner, moved_to): Owned<'_>) -> String {
    let Some((was_owner, was_moved_to)) = old else { return String::new() };
    match (was_owner, owner) {
        (Some(from), None) => format!("; released from `{from}`"),
        (Some(from), Some(to)) if from != to => format!("; moved from `{from}` to `{to}`"),
        _ if was_moved_to != moved_to => format!("; moved_to {}", moved_to.map_or("none", ManifestName::as_str)),
        _ => String::new(),
    }
}

impl Event {
    fn of(caller: &Caller, kind: EventKind, user: &str, at: Timestamp) -> Self {
        Self {
            at,
            actor: caller.actor.clone(),
            from: caller.from.map(|address| address.to_string()),
            action: kind.as_str().to_owned(),
            user: user.to_owned(),
            token: None,
            id: None,
            detail: None,
        }
    }

    /// A change of a user.
    pub(super) fn on_user(caller: &Caller, kind: EventKind, user: &UserName, at: Timestamp) -> Self {
        Self::of(caller, kind, user.as_str(), at)
    }

    /// A change of a role.
    pub(super) fn on_role(caller: &Caller, kind: EventKind, role: &str, at: Timestamp) -> Self {
        Self::of(caller, kind, ROLES, at).with(role)
    }

    /// A change of the service as a whole, told beside those of roles.
    pub(super) fn on_service(caller: &Caller, kind: EventKind, at: Timestamp) -> Self {
        Self::of(caller, kind, ROLES, at)
    }

    /// A change of a token.
    pub(super) fn on_token(caller: &Caller, kind: EventKind, token: &Token, at: Timestamp) -> Self {
        let mut event = Self::of(caller, kind, token.user.as_str(), at);
        event.token = Some(token.name.clone());
        event.id = Some(token.id.clone());
        event
    }

    /// A use of a token, by the token itself.
    pub(super) fn on_use(kind: EventKind, token: &TokenRef, from: Option<IpAddr>, at: Timestamp) -> Self {
        Self {
            at,
            actor: token.key.to_string(),
            from: from.map(|address| address.to_string()),
            action: kind.as_str().to_owned(),
            user: token.key.user.to_string(),
            token: Some(token.key.name.clone()),
            id: Some(token.id.clone()),
            detail: None,
        }
    }

    /// The same with a detail.
    pub(super) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Its item. The table counts milliseconds where JSON has RFC 3339.
    fn to_item(&self) -> Result<Item, TableError> {
        let mut item = encode(self)?;
        item.insert(AT.to_owned(), count(self.at.as_millisecond()));
        Ok(item)
    }

    pub(super) fn from_item(mut item: Item) -> Result<Self, TableError> {
        let stored = number(&item, AT).and_then(|at| Timestamp::from_millisecond(at).ok());
        let at = stored.ok_or_else(|| TableError::Codec("an event without its time".to_owned()))?;
        item.insert(AT.to_owned(), Value::S(at.to_string()));
        decode(item)
    }
}

impl Service {
    /// The write that records an event.
    pub(super) fn event(&self, event: &Event) -> Result<Write, TableError> {
        self.event_with(event, None)
    }

    /// The write that records an event and, where notices are on, queues the notice that it is.
    pub(super) fn event_with(&self, event: &Event, news: Option<&News>) -> Result<Write, TableError> {
        let mut random = [0_u8; 10];
        self.entropy.fill(&mut random).map_err(|error| TableError::Unreachable(error.to_string()))?;
        let mut bytes = [0_u8; 16];
        bytes[6..].copy_from_slice(&random);
        let millis = event.at.as_millisecond().unsigned_abs();
        let ulid = ulid::Ulid::from_parts(millis, u128::from_be_bytes(bytes)).to_string();
        let key: Key = keys::event(&event.user, event.at, &ulid);
        let mut item = event.to_item()?;
        if let Some(news) = news.filter(|_| self.queues_notices()) {
            item.extend(news.queued(&ulid, event.at)?);
        }
        let ttl = EVENTS_KEPT.after(event.at).as_second();
        item.insert("ttl".to_owned(), count(ttl));
        Ok(Write::new_item(with_key(item, &key)))
    }

    /// Records that a caller tried to gain something and was refused.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn note_refusal(
        &self,
        caller: &Caller,
        user: Option<&UserName>,
        token: Option<&TokenName>,
        detail: &str,
    ) -> Result<(), TableError> {
        let now = self.now();
        let last = match self.refusals.count(&caller.actor, now) {
            count if count < REFUSALS_MAX => "",
            REFUSALS_MAX => "; more refusals of this caller within the hour are not recorded",
            _ => return Ok(()),
        };
        // Nobody fills the history of a user who is not there.
        let subject = match user {
            Some(user) if self.user(user).await?.is_some() => user.as_str(),
            _ => ROLES,
        };
        let mut event = Event::of(caller, EventKind::Refused, subject, now).with(format!("{detail}{last}"));
        event.token = token.cloned();
        let mut transaction = crate::table::Transaction::default();
        transaction.add(self.event(&event)?);
        match self.table.transact(transaction).await {
            Ok(()) => Ok(()),
            Err(crate::table::TransactError::Table(error)) => Err(error),
            Err(crate::table::TransactError::Cancelled(_)) => Err(TableError::Busy("the event is there".to_owned())),
        }
    }

    /// A page of the events of a user, or about roles and manifests, in the month of `at`, newest first, from after
    /// `from`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn event_page(
        &self,
        user: Option<&UserName>,
        at: Timestamp,
        limit: i32,
        from: Option<String>,
    ) -> Result<EventPage, TableError> {
        let subject = user.map_or(ROLES, UserName::as_str);
        let partition = keys::events_partition(subject, at);
        let mut range = crate::table::Range::of(partition.clone(), None);
        range.backwards = true;
        range.limit = Some(limit);
        range.start = from.map(|sk| Key { pk: partition, sk }.item());
        let page = self.table.query(&range).await?;
        let next = page.next.as_ref().and_then(Key::of).map(|key| key.sk);
        Ok(EventPage { events: page.items.into_iter().map(Event::from_item).collect::<Result<_, _>>()?, next })
    }

    /// The events of a user in the month of `at`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn events(&self, user: &str, at: Timestamp, limit: i32) -> Result<Vec<Event>, TableError> {
        let mut range = crate::table::Range::of(keys::events_partition(user, at), None);
        range.backwards = true;
        range.limit = Some(limit);
        self.table.query(&range).await?.items.into_iter().map(Event::from_item).collect()
    }

    /// The events about roles in the month of `at`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn role_events(&self, at: Timestamp, limit: i32) -> Result<Vec<Event>, TableError> {
        self.events(ROLES, at, limit).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What deployments hold must be read by every later version, and what replies show is a promise too.
    #[test]
    fn an_event_is_stored_and_shown_as_it_always_was() {
        let text = |text: &str| Value::S(text.to_owned());
        let stored = Item::from([
            ("at".to_owned(), Value::N("1772366400123".to_owned())),
            ("actor".to_owned(), text("ana/laptop")),
            ("from".to_owned(), text("192.0.2.1")),
            ("action".to_owned(), text("version.retire")),
            ("user".to_owned(), text("ci")),
            ("token".to_owned(), text("deploy")),
            ("id".to_owned(), text("0123456789abcdef")),
            ("detail".to_owned(), text("version 1")),
        ]);
        let event = Event::from_item(stored.clone()).unwrap();
        assert_eq!(event.to_item().unwrap(), stored);
        let shown = json!({
            "at": "2026-03-01T12:00:00.123Z", "actor": "ana/laptop", "from": "192.0.2.1", "action": "version.retire",
            "user": "ci", "token": "deploy", "id": "0123456789abcdef", "detail": "version 1",
        });
        assert_eq!(serde_json::to_value(&event).unwrap(), shown);
        assert_eq!(serde_json::from_value::<Event>(shown).unwrap(), event);
        for broken in [text("2026-03-01T12:00:00Z"), Value::N("soon".to_owned())] {
            let mut item = stored.clone();
            item.insert("at".to_owned(), broken);
            assert!(matches!(Event::from_item(item), Err(TableError::Codec(_))));
        }
    }
}
