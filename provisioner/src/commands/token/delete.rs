//! `provision token delete`.

use latchkey::token::Token;

use super::super::arguments::TokenDelete;
use super::super::consent::{asked, declined};
use super::super::exit::{Code, Fault};
use super::{as_json, labelled, which};
use crate::output::{Format, Printer};
use crate::plan::minute;
use crate::service::Client;
use latchkey_sinks::plural::count;

/// Deletes a token, after what breaks by that was shown and a person has agreed.
pub(super) async fn delete(printer: Printer, client: &Client, arguments: &TokenDelete) -> Result<Code, Fault> {
    let token = which::active(client, &arguments.which).await?;
    let Token { user, name, .. } = &token;
    if let Some(manifest) = &token.managed_by {
        printer.warning(&format!(
            "`{manifest}` declares this token: its next apply creates another one and delivers it to the same places"
        ));
    }
    if !arguments.yes {
        let breaks = breaks(client, &token);
        let untold = if printer.is_answered() {
            for line in &breaks {
                printer.talk(line);
            }
            Vec::new()
        } else {
            breaks
        };
        let question = format!("Delete `{user}/{name}`? Its secrets are revoked at once, for good");
        let agreed = asked(printer, false, &question, &format!("`{user}/{name}` was not deleted"));
        if !agreed.map_err(|fault| fault.details(untold))? {
            return declined(printer);
        }
    }
    let gone = client
        .delete(&token)
        .await
        .map_err(|error| Fault::new(error.to_string()).hint("if it is still listed, try again"))?;
    if printer.format == Format::Json {
        printer.json(&as_json(client, &gone))?;
    } else {
        printer.result(&format!("Deleted `{user}/{name}`; all its secrets are revoked"))?;
    }
    Ok(Code::Done)
}

/// What stops working with a token: who used it last, and where its secrets are.
fn breaks(client: &Client, token: &Token) -> Vec<String> {
    let last = token.uses.values().max_by_key(|used| used.last);
    let used = last.map_or_else(
        || "it was never used".to_owned(),
        |used| {
            let from = used.ip.as_ref().map_or_else(String::new, |ip| format!(" from {ip}"));
            format!("it was last used at {}{from}; whatever uses it is refused from then on", minute(used.last))
        },
    );
    let valid = count(token.live(client.now()).count(), "valid secret");
    let mut lines = vec![format!("it has {valid}"), used];
    let places = token.places.values().filter(|record| record.version.is_some());
    lines
        .extend(places.map(|record| {
            format!("its secret is in {}, where whatever reads it fails from then on", labelled(record))
        }));
    lines
}
