//! Whom a change of a role reaches: its users, and the tokens that have it.

use latchkey::name::{RoleName, UserName};
use latchkey_sinks::plural::count;
use serde_json::{Value, json};

use super::exit::Fault;
use crate::service::{Client, ServiceError};

/// The most users whose tokens are counted.
const USERS_MAX: usize = 100;
/// The most users that are named.
const NAMED_MAX: usize = 10;

/// Whom a role reaches.
#[derive(Debug)]
pub(super) struct Reach {
    /// How many users have it.
    pub(super) holders: u32,
    /// Who they are; `None` where the token in hand does not see users.
    pub(super) users: Option<Vec<UserName>>,
    /// How many of their active tokens have it; `None` where they are too many, or not seen.
    pub(super) tokens: Option<usize>,
}

/// What a refusal of a question beside the matter comes to: then it is not known.
fn known<T>(answer: Result<T, ServiceError>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ServiceError::Refused(_) | ServiceError::Gone(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whom a role reaches.
pub(super) async fn of_role(client: &Client, role: &RoleName, holders: u32) -> Result<Reach, Fault> {
    if holders == 0 {
        return Ok(Reach { holders, users: Some(Vec::new()), tokens: Some(0) });
    }
    let Some(users) = known(client.all_users().await)? else {
        return Ok(Reach { holders, users: None, tokens: None });
    };
    let has = |roles: &[RoleName]| roles.contains(role);
    let users: Vec<UserName> =
        users.into_iter().filter(|user| has(&user.roles) || has(&user.losing)).map(|user| user.name).collect();
    let mut tokens = (users.len() <= USERS_MAX).then_some(0);
    for user in users.iter().take(USERS_MAX) {
        let Some(so_far) = tokens else { break };
        let held = known(client.active(user).await)?;
        tokens = held.map(|held| so_far + held.iter().filter(|token| has(&token.roles)).count());
    }
    Ok(Reach { holders, users: Some(users), tokens })
}

impl Reach {
    /// "2 users (ana, bob) and 5 tokens".
    pub(super) fn words(&self) -> String {
        let users = count(self.holders, "user");
        let named = match self.users.as_deref() {
            Some(names) if !names.is_empty() => format!(" ({})", listed(names)),
            _ => String::new(),
        };
        let tokens = self.tokens.map_or_else(|| "their tokens".to_owned(), |tokens| count(tokens, "token"));
        if self.holders == 0 { "no user".to_owned() } else { format!("{users}{named} and {tokens}") }
    }

    /// The same for programs.
    pub(super) fn as_json(&self) -> Value {
        json!({ "holders": self.holders, "users": self.users, "tokens": self.tokens })
    }
}

/// Names, the first few of many.
pub(super) fn listed<T: ToString>(names: &[T]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    if names.len() > NAMED_MAX {
        shown.push(format!("{} more", names.len() - NAMED_MAX));
    }
    shown.join(", ")
}
