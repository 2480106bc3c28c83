//! `provision events`: who changed what, newest first, over months and users.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use latchkey::name::UserName;
use latchkey::secret::TokenId;
use latchkey::service::{EVENTS_KEPT, Event};
use latchkey_sinks::plural::count;

use super::arguments::Events;
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::when;
use crate::output::{Format, Printer, SERVICE, events, events_json};
use crate::service::{Client, ServiceError};

/// The most users whose events are looked through together.
const USERS_MAX: usize = 100;
/// The most pages that are read of one user.
const PAGES_MAX: usize = 50;

/// What is looked through, and what of it is shown.
struct Query<'a> {
    wanted: &'a Events,
    since: Timestamp,
    now: Timestamp,
    /// The tokens that the wanted manifest declares.
    declared: BTreeSet<TokenId>,
}

/// Runs the command.
pub(super) async fn run(printer: Printer, service: Option<&str>, wanted: &Events) -> Result<Code, Fault> {
    let client = open::nearest(service, IfMissing::Fail).await?;
    let now = client.now();
    let since = when::since(&wanted.since, now)?.max(EVENTS_KEPT.before(now));
    let mut query = Query { wanted, since, now, declared: BTreeSet::new() };
    let (subjects, left_out) = query.subjects(&client).await?;
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let (mut found, mut older) = (Vec::new(), false);
    for subject in &subjects {
        let (of_subject, more) = query.read(&client, subject.as_ref(), limit).await?;
        older |= more;
        found.extend(of_subject);
    }
    // What was of one millisecond stays in the order of its partition.
    found.sort_by_key(|event| std::cmp::Reverse(event.at));
    older |= found.len() > limit;
    found.truncate(limit);
    match printer.format {
        Format::Json => printer.json(&events_json(&found, older))?,
        _ if found.is_empty() => printer.result(&format!("No events since {}", when::date(query.since)))?,
        _ => printer.table(&events(&found))?,
    }
    if older {
        printer.talk(&format!("there are older events since {}: pass `--limit` for more", when::date(query.since)));
    }
    if wanted.user.is_none() && left_out.is_none() {
        printer.talk("events of deleted users are not among these: pass `--user NAME` for those of one");
    }
    if let Some(left_out) = left_out {
        printer.warning_with(&left_out, "pass `--user NAME` for the events of one user");
    }
    Ok(Code::Done)
}

impl Query<'_> {
    /// Whose events are looked through, `None` for those about no user, and what is left out.
    async fn subjects(&mut self, client: &Client) -> Result<(Vec<Option<UserName>>, Option<String>), Fault> {
        if let Some(user) = &self.wanted.user {
            return Ok((vec![Some(user.clone())], None));
        }
        if let Some(manifest) = &self.wanted.manifest {
            let tokens = client.managed_tokens(manifest).await?.tokens;
            self.declared = tokens.iter().map(|token| token.id.clone()).collect();
            let users: BTreeSet<UserName> = tokens.into_iter().map(|token| token.user).collect();
            return Ok(Self::bounded(users.into_iter().collect()));
        }
        match client.all_users().await {
            Ok(users) => Ok(Self::bounded(users.into_iter().map(|user| user.name).collect())),
            Err(ServiceError::Refused(refusal)) if refusal.code == "insufficient_scope" => {
                let left_out = "events of users are not shown, as this token is not allowed to list them".to_owned();
                Ok((vec![None], Some(left_out)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn bounded(users: Vec<UserName>) -> (Vec<Option<UserName>>, Option<String>) {
        let many = users.len();
        let left_out = many
            .checked_sub(USERS_MAX + 1)
            .map(|_| format!("events of the first {USERS_MAX} of {} are shown", count(many, "user")));
        let users = users.into_iter().take(USERS_MAX).map(Some);
        (std::iter::once(None).chain(users).collect(), left_out)
    }

    /// The newest events of a subject that match, one more than `limit` at the most, and whether there may be older ones
    /// that were not looked at.
    async fn read(
        &self,
        client: &Client,
        subject: Option<&UserName>,
        limit: usize,
    ) -> Result<(Vec<Event>, bool), Fault> {
        let (mut found, mut pages) = (Vec::new(), 0);
        let mut month = self.now.to_zoned(TimeZone::UTC).first_of_month().map_or(self.now, |first| first.timestamp());
        loop {
            let mut cursor = None;
            loop {
                if pages == PAGES_MAX {
                    return Ok((found, true));
                }
                pages += 1;
                let page = client.event_page(subject, month, cursor).await?;
                let past = page.events.iter().any(|event| event.at < self.since);
                found.extend(page.events.into_iter().filter(|event| self.matches(event)));
                if found.len() > limit {
                    return Ok((found, true));
                }
                cursor = page.next;
                if cursor.is_none() || past {
                    break;
                }
            }
            if month <= self.since {
                return Ok((found, false));
            }
            let before = month.to_zoned(TimeZone::UTC).checked_sub(1.month());
            let Ok(before) = before else { return Ok((found, false)) };
            month = before.timestamp();
        }
    }

    fn matches(&self, event: &Event) -> bool {
        let Events { token, id, manifest, kind, .. } = self.wanted;
        let of_type = |kind: &String| {
            event.action.strip_prefix(kind.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        event.at >= self.since
            && token.as_ref().is_none_or(|name| event.token.as_ref() == Some(name))
            && id.as_ref().is_none_or(|id| event.id.as_ref() == Some(id))
            && kind.as_ref().is_none_or(of_type)
            && manifest.as_ref().is_none_or(|name| self.is_of(event, name.as_str()))
    }

    /// Whether an event is about a manifest, or about a token that it declares.
    fn is_of(&self, event: &Event, manifest: &str) -> bool {
        if event.user != SERVICE {
            return event.id.as_ref().is_some_and(|id| self.declared.contains(id));
        }
        let named = event.detail.as_deref().unwrap_or_default().split([' ', ':', ';', ',']).next();
        event.action.starts_with("manifest.") && named == Some(manifest)
    }
}
