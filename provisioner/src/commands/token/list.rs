//! `provision token list`.

use jiff::Timestamp;
use latchkey::name::{RoleName, UserName};
use latchkey::token::{Token, TokenState};
use serde_json::{Value, json};

use super::super::arguments::{State, TokenList};
use super::super::exit::{Code, Fault};
use super::super::{open, when};
use super::{as_json, expires};
use crate::output::{Format, Printer};
use crate::plan::minute;
use crate::service::{Client, LookupCost, ServiceError};
use latchkey_sinks::plural::count;

/// Lists tokens of one user or of all.
pub(super) async fn list(printer: Printer, client: &Client, arguments: &TokenList) -> Result<Code, Fault> {
    let filter = Filter::read(arguments, client.now())?;
    let mut sheet = Sheet::new(printer, client, arguments.all_users);
    if arguments.all_users {
        // Which state is asked for decides what the service reads, so it filters by that; all else is read anyway.
        let mut cost = LookupCost::default();
        for state in states(&arguments.state, &[State::Active]) {
            let of_state = client.everybody(state, &mut |token| sheet.add_if(&filter, &token)).await?;
            cost.requests += of_state.requests;
            cost.users += of_state.users;
        }
        return sheet.print(None, Some(cost));
    }
    let user = open::user(client, arguments.whose.or_me()).await?;
    let wanted = states(&arguments.state, &[State::Active, State::Deleted, State::Expired]);
    let is_wanted = |token: &Token| wanted.contains(&token.state(client.now()));
    if wanted.contains(&TokenState::Active) || wanted.contains(&TokenState::Expired) {
        // What expired is among the active ones until something moves it.
        let held = client.active(&user).await.map_err(|error| not_listed(&user, error))?;
        held.iter().filter(|token| is_wanted(token)).for_each(|token| sheet.add_if(&filter, token));
    }
    if arguments.ended > 0 && (wanted.contains(&TokenState::Deleted) || wanted.contains(&TokenState::Expired)) {
        let ended = client.ended(&user, arguments.ended).await.map_err(|error| not_listed(&user, error))?;
        ended.iter().filter(|token| is_wanted(token)).for_each(|token| sheet.add_if(&filter, token));
    }
    sheet.print(Some(&user), None)
}

fn states(asked: &[State], usual: &[State]) -> Vec<TokenState> {
    let mut states: Vec<TokenState> = Vec::new();
    for state in if asked.is_empty() { usual } else { asked } {
        let state = TokenState::from(*state);
        if !states.contains(&state) {
            states.push(state);
        }
    }
    states
}

/// What a token has to be to be listed, besides its state.
struct Filter {
    expiring: Option<Timestamp>,
    unused: Option<Timestamp>,
    labels: Vec<(String, Option<String>)>,
    now: Timestamp,
}

impl Filter {
    fn read(arguments: &TokenList, now: Timestamp) -> Result<Self, Fault> {
        let label = |text: &String| match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        };
        Ok(Self {
            expiring: arguments.expiring.as_deref().map(|text| when::until(text, now)).transpose()?,
            unused: arguments.unused.as_deref().map(|text| when::since(text, now)).transpose()?,
            labels: arguments.labels.iter().map(label).collect(),
            now,
        })
    }

    fn lets_through(&self, token: &Token) -> bool {
        // What has ended expires no more.
        let active = token.state(self.now) == TokenState::Active;
        let expires = |until: Timestamp| active && token.ends_at().is_some_and(|end| end <= until);
        let is_unused = |since: Timestamp| token.last_used().unwrap_or(token.created) <= since;
        let has = |(key, value): &(String, Option<String>)| {
            token.labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        self.expiring.is_none_or(expires) && self.unused.is_none_or(is_unused) && self.labels.iter().all(has)
    }
}

/// What is to be printed. Only that is kept of a token, so that a long list is in memory once.
struct Sheet<'a> {
    printer: Printer,
    client: &'a Client,
    of_all: bool,
    now: Timestamp,
    active: Vec<Entry>,
    ended: Vec<(Option<Timestamp>, Entry)>,
}

/// One token of the list, in the form that is asked for.
enum Entry {
    Row(Vec<String>),
    Json(Value),
}

impl<'a> Sheet<'a> {
    fn new(printer: Printer, client: &'a Client, of_all: bool) -> Self {
        Self { printer, client, of_all, now: client.now(), active: Vec::new(), ended: Vec::new() }
    }

    fn add_if(&mut self, filter: &Filter, token: &Token) {
        if !filter.lets_through(token) {
            return;
        }
        let is_active = token.state(self.now) == TokenState::Active;
        let entry = match self.printer.format {
            Format::Json => Entry::Json(as_json(self.client, token)),
            _ if is_active => Entry::Row(self.row(token, active_row(self.now, token))),
            _ => Entry::Row(self.row(token, ended_row(self.now, token))),
        };
        if is_active {
            self.active.push(entry);
        } else {
            self.ended.push((ended_at(token), entry));
        }
    }

    fn row(&self, token: &Token, mut cells: Vec<String>) -> Vec<String> {
        if self.of_all {
            cells.insert(0, token.user.to_string());
        }
        cells
    }

    fn print(mut self, user: Option<&UserName>, cost: Option<LookupCost>) -> Result<Code, Fault> {
        let printer = self.printer;
        // Those of all users come user by user.
        self.ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let ended = self.ended.into_iter().map(|(_, entry)| entry);
        if printer.format == Format::Json {
            let values = |entries: &mut dyn Iterator<Item = Entry>| {
                let value = |entry| if let Entry::Json(value) = entry { Some(value) } else { None };
                entries.filter_map(value).collect::<Vec<_>>()
            };
            let (active, ended) = (values(&mut self.active.into_iter()), values(&mut { ended }));
            let mut list = json!({ "user": user, "active": active, "ended": ended });
            if let Some(LookupCost { requests, users }) = cost {
                list["cost"] = json!({ "requests": requests, "users": users });
            }
            printer.json(&list)?;
            return Ok(Code::Done);
        }
        let rows = |entries: &mut dyn Iterator<Item = Entry>| {
            let row = |entry| if let Entry::Row(row) = entry { Some(row) } else { None };
            entries.filter_map(row).collect::<Vec<_>>()
        };
        let (active, ended) = (rows(&mut self.active.into_iter()), rows(&mut { ended }));
        let whose = user.map_or_else(|| "all users".to_owned(), |user| format!("`{user}`"));
        let head = |cells: &[&str]| {
            let user = if self.of_all { Some("USER") } else { None };
            user.into_iter().chain(cells.iter().copied()).map(str::to_owned).collect::<Vec<_>>()
        };
        match user {
            Some(user) if active.is_empty() && ended.is_empty() => {
                printer
                    .result(&format!("`{user}` has no such tokens; create one with `provision token create NAME`"))?;
            }
            _ => printer.result(&format!("Active tokens of {whose}: {}", active.len()))?,
        }
        if !active.is_empty() {
            let heads = head(&["NAME", "ID", "ROLES", "EXPIRES", "LAST USE", "DESCRIPTION"]);
            printer.table(&[vec![heads], active].concat())?;
        }
        if !ended.is_empty() {
            printer.block("\nDeleted and expired tokens, newest first")?;
            printer.table(&[vec![head(&["NAME", "ID", "STATE", "WHEN", "BY"])], ended].concat())?;
        }
        if let Some(cost) = cost {
            printer.talk(&cost_words(cost));
        }
        Ok(Code::Done)
    }
}

fn cost_words(LookupCost { requests, users }: LookupCost) -> String {
    let queries = format!("{} of the table, one for each user and state", count(users, "query"));
    if requests == 0 {
        format!("This took {queries}")
    } else {
        format!("This took {}: {queries}", count(requests, "request"))
    }
}

fn ended_at(token: &Token) -> Option<Timestamp> {
    token.ended.as_ref().map(|ended| ended.at).or_else(|| token.ends_at())
}

fn active_row(now: Timestamp, token: &Token) -> Vec<String> {
    let roles: Vec<&str> = token.roles.iter().map(RoleName::as_str).collect();
    vec![
        token.name.to_string(),
        token.id.to_string(),
        if roles.is_empty() { "-".to_owned() } else { roles.join(", ") },
        token.ends_at().map_or_else(|| "never".to_owned(), |at| expires(now, at)),
        token.last_used().map_or_else(|| "never".to_owned(), minute),
        token.description.clone().unwrap_or_default(),
    ]
}

fn ended_row(now: Timestamp, token: &Token) -> Vec<String> {
    let by = token.ended.as_ref().and_then(|ended| ended.by.clone());
    vec![
        token.name.to_string(),
        token.id.to_string(),
        token.state(now).as_str().to_owned(),
        ended_at(token).map_or_else(|| "-".to_owned(), minute),
        by.unwrap_or_else(|| "-".to_owned()),
    ]
}

/// A service account's token sees no list of tokens, not even of its own user's.
fn not_listed(user: &UserName, error: ServiceError) -> Fault {
    match error {
        ServiceError::Refused(refusal) if matches!(refusal.code.as_str(), "not_found" | "insufficient_scope") => {
            let request = refusal.request.map(|id| format!(" (request {id})")).unwrap_or_default();
            Fault::new(format!("this token is not allowed to list the tokens of `{user}`{request}"))
                .hint("a person's token lists that person's tokens; for all others use one with `admin:tokens`")
        }
        error => error.into(),
    }
}
