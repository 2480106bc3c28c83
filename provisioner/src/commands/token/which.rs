//! Which token a command means: by name, or by an id, which reaches tokens that ended too.

use latchkey::name::{TokenName, UserName};
use latchkey::token::{Token, TokenState};

use super::super::arguments::Which;
use super::super::exit::Fault;
use super::super::open;
use crate::plan::minute;
use crate::service::Client;

/// The token that is meant, in whatever state.
pub(super) async fn any(client: &Client, which: &Which) -> Result<Token, Fault> {
    let Some(id) = &which.id else {
        let user = open::user(client, which.whose.or_me()).await?;
        let Some(name) = &which.name else {
            return Err(Fault::new("no token is named").hint("pass its name or `--id ID`"));
        };
        return client.show(&user, name).await?.ok_or_else(|| no_token(&user, name));
    };
    let found = client.find(id).await?.ok_or_else(|| {
        Fault::new(format!("there is no token with the id `{id}` that you may see"))
            .hint("ids are in `provision token list`; those of other users need the permission `admin:tokens`")
    })?;
    // What is said twice has to agree.
    let user = match &which.whose.user {
        Some(user) => Some(open::name_of(client, user)?),
        None => None,
    };
    let other_user = user.as_ref().is_some_and(|user| *user != found.user);
    let other_name = which.name.as_ref().is_some_and(|name| *name != found.name);
    if other_user || other_name {
        return Err(Fault::new(format!("the id `{id}` is that of `{}/{}`", found.user, found.name))
            .hint("pass the id alone, or the name alone"));
    }
    Ok(found)
}

/// The same, refused where it has ended.
pub(super) async fn active(client: &Client, which: &Which) -> Result<Token, Fault> {
    let token = any(client, which).await?;
    if token.state(client.now()) == TokenState::Active {
        return Ok(token);
    }
    Err(Fault::new(format!("`{}/{}` {}; nothing was changed", token.user, token.name, how_it_ended(client, &token)))
        .hint("a token that has ended stays so; create another: `provision token create NAME`"))
}

/// How a token ended, for a sentence: `was deleted at .. by ..`.
pub(super) fn how_it_ended(client: &Client, token: &Token) -> String {
    let verb = if token.state(client.now()) == TokenState::Deleted { "was " } else { "" };
    format!("{verb}{}", ended(client, token))
}

/// The same alone: `deleted at .. by ..`.
pub(super) fn ended(client: &Client, token: &Token) -> String {
    let at = token.ended.as_ref().map(|ended| ended.at).or_else(|| token.ends_at());
    let at = at.map_or_else(String::new, |at| format!(" at {}", minute(at)));
    let by =
        token.ended.as_ref().and_then(|ended| ended.by.as_ref()).map_or_else(String::new, |by| format!(" by `{by}`"));
    match token.state(client.now()) {
        TokenState::Active => "active".to_owned(),
        TokenState::Deleted => format!("deleted{at}{by}"),
        TokenState::Expired => format!("expired{at}"),
    }
}

fn no_token(user: &UserName, name: &TokenName) -> Fault {
    Fault::new(format!("there is no active token `{user}/{name}`"))
        .hint(format!("see `provision token list --user {user}`; `--id ID` reaches deleted and expired ones"))
}
