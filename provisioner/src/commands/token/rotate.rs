//! `provision token rotate`: a new secret for a token that was created by hand.

use latchkey::lifetime::Seconds;
use latchkey::protocol::VersionError;
use latchkey::token::Token;
use serde_json::json;

use super::super::arguments::TokenRotate;
use super::super::clock;
use super::super::exit::{Code, Fault};
use super::which;
use crate::output::{Format, Printer};
use crate::plan::expiry;
use crate::service::{Client, Issued, ServiceError};

/// Stages a version, prints its secret, and promotes it once it is printed: until then nothing has changed for whatever
/// uses the token, and a secret that nobody got is replaced by the next one.
pub(super) async fn rotate(printer: Printer, client: &Client, arguments: &TokenRotate) -> Result<Code, Fault> {
    clock::accept(printer, client, &arguments.clock).await?;
    let token = which::active(client, &arguments.which).await?;
    refuse_declared(&token)?;
    let overlap = if arguments.compromised { Seconds::default() } else { arguments.overlap };
    let issued = client.stage(&token).await.map_err(|error| not_staged(&token, error))?;
    print(printer, &issued, overlap).map_err(|error| not_printed(&token, issued.number, &error))?;
    let number = issued.number;
    let rotated = client
        .promote_by_hand(&issued.token, number, overlap)
        .await
        .map_err(|error| not_promoted(&token, number, &error))?;
    let Token { user, name, .. } = &rotated;
    let ends = rotated.ends_at().map_or_else(|| "never".to_owned(), expiry);
    printer.talk(&format!("Rotated `{user}/{name}` to version {number}; it expires {ends}"));
    if arguments.compromised {
        revoke_older(printer, client, rotated, number).await?;
    } else {
        tell_of_older(printer, client, &rotated, number);
    }
    printer.talk("The secret is shown only once: store it now");
    Ok(Code::Done)
}

fn print(printer: Printer, issued: &Issued, overlap: Seconds) -> std::io::Result<()> {
    if printer.format != Format::Json {
        return printer.secret(issued.secret.expose());
    }
    let Token { id, user, name, .. } = &issued.token;
    printer.secret_json(&json!({
        "user": user, "name": name, "id": id, "version": issued.number, "fingerprint": issued.secret.fingerprint(),
        "overlap": overlap.to_string(), "expires": issued.token.expires_at, "secret": issued.secret.expose(),
    }))
}

/// A run has to deliver each version of what is declared, and of what is in places.
fn refuse_declared(token: &Token) -> Result<(), Fault> {
    let Token { user, name, .. } = token;
    let why = match &token.managed_by {
        Some(manifest) => format!("`{manifest}` declares `{user}/{name}`, and its runs deliver each version"),
        None if !token.places.is_empty() => format!("`{user}/{name}` is in places that a run delivers each version to"),
        None => return Ok(()),
    };
    Err(Fault::new(format!("{why}; nothing was changed")).hint(format!(
        "where the manifest is: `provision rotate {name}`, or `provision rotate --compromised {name}` if it leaked"
    )))
}

/// Until when the older versions stay valid.
fn tell_of_older(printer: Printer, client: &Client, token: &Token, number: u32) {
    let older: Vec<_> = token.live(client.now()).filter(|version| version.number < number).collect();
    for version in &older {
        let until = expiry(token.deadline(version));
        printer.talk(&format!("Version {} stays valid until {until}, and ends then by itself", version.number));
    }
    if older.is_empty() {
        printer.talk("No older version is valid any more");
    }
}

/// Revokes what has leaked, those of earlier rotations too.
async fn revoke_older(printer: Printer, client: &Client, mut token: Token, number: u32) -> Result<(), Fault> {
    let older: Vec<u32> = token.versions.iter().map(|version| version.number).filter(|older| *older < number).collect();
    for version in older {
        token = client.end_compromised(&token, version, false).await.map_err(|error| {
            let Token { user, name, .. } = &token;
            Fault::new(format!(
                "version {number} of `{user}/{name}` is current, but version {version} was not revoked: {error}"
            ))
            .hint(format!("`provision token rotate {name} --user {user} --compromised` again revokes it"))
        })?;
    }
    printer.talk("All older versions are revoked");
    Ok(())
}

fn not_staged(token: &Token, error: ServiceError) -> Fault {
    let ServiceError::Version(VersionError::TooManyVersions { .. }) = error else { return error.into() };
    let first =
        token.versions.iter().filter(|version| version.overlap_ends.is_some()).map(|version| token.deadline(version));
    let first = first.min().map_or_else(String::new, |at| format!("; the first of them ends at {}", expiry(at)));
    Fault::new(format!("{error}; nothing was changed")).hint(format!("create another token, or wait{first}"))
}

fn not_printed(token: &Token, number: u32, error: &std::io::Error) -> Fault {
    let Token { user, name, .. } = token;
    Fault::new(format!("`{user}/{name}` was not rotated: the new secret could not be printed: {error}")).hint(format!(
        "its present secret stays valid; `provision token rotate {name} --user {user}` again replaces version {number}, which \
         nobody has"
    ))
}

fn not_promoted(token: &Token, number: u32, error: &ServiceError) -> Fault {
    let Token { user, name, .. } = token;
    Fault::new(format!("version {number} of `{user}/{name}` is printed, but not current: {error}")).hint(format!(
        "its former secret stays valid, and the printed one ends within a day: `provision token rotate {name} --user {user}` \
         again, and use what that prints"
    ))
}
