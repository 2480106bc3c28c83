//! `provision token roles`.

use latchkey::service::Edit;
use latchkey::token::{Token, TokenState};
use serde_json::json;

use super::super::arguments::TokenRoles;
use super::super::exit::{Code, Fault};
use super::create::add_first;
use super::{roles_words, which};
use crate::output::{Format, Printer};
use crate::service::{Client, ServiceError};

/// Shows or replaces the roles of a token.
pub(super) async fn roles(printer: Printer, client: &Client, arguments: &TokenRoles) -> Result<Code, Fault> {
    let changes = arguments.none || !arguments.set.is_empty();
    let mut token = if changes {
        which::active(client, &arguments.which).await?
    } else {
        which::any(client, &arguments.which).await?
    };
    if changes {
        let edit = Edit { roles: Some(arguments.set.clone()), ..Edit::default() };
        token = client.edit(&token, &edit).await.map_err(|error| match error {
            ServiceError::Refused(refusal) if refusal.code == "role_not_held" => {
                Fault { hint: add_first(&token.user, &refusal), ..Fault::new(refusal.to_string()) }
            }
            error => error.into(),
        })?;
    }
    let Token { user, name, .. } = &token;
    let is_active = token.state(client.now()) == TokenState::Active;
    // What has ended allows nothing, whatever its roles allow others.
    let texts: Vec<String> = if is_active {
        client.permissions_of(&token).await?.iter().map(ToString::to_string).collect()
    } else {
        Vec::new()
    };
    if printer.format == Format::Json {
        let (roles, id) = (&token.roles, &token.id);
        printer.json(&json!({ "user": user, "name": name, "id": id, "roles": roles, "permissions": texts }))?;
        return Ok(Code::Done);
    }
    if !is_active {
        let ended = which::how_it_ended(client, &token);
        printer.result(&format!("`{user}/{name}` {ended}; it had {}", roles_words(&token.roles)))?;
        return Ok(Code::Done);
    }
    printer.result(&format!("`{user}/{name}` has {}", roles_words(&token.roles)))?;
    for text in texts {
        printer.result(&format!("  {text}"))?;
    }
    Ok(Code::Done)
}
