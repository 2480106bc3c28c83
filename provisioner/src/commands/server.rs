//! Servers: which one a token may be sent to, and as whom it is asked.

use std::sync::Arc;

use latchkey::api::wire::Me;
use latchkey::secret::Secret;
use zeroize::Zeroizing;

use super::exit::Fault;
use crate::service::remote::{Remote, is_unauthorized};
use crate::service::{Client, ServiceError};
use latchkey_sinks::deadline::since_boot;
use latchkey_sinks::transport::{Address, Http};

/// Names the server that the token in the environment is for.
pub(super) const URL: &str = "LATCHKEY_URL";
/// Contains the token.
const TOKEN: &str = "LATCHKEY_TOKEN";

/// A server, asked with the token that we have for it.
pub(super) async fn connect(url: &str) -> Result<Client, Fault> {
    let address = address(url)?;
    let secret = login(&address)?;
    let name = address.to_string();
    let remote = Remote::connect(&name, Arc::new(Http::new(address)), &secret, since_boot).await;
    remote.map(Client::remote).map_err(|error| match error {
        ServiceError::Refused(refusal) if is_unauthorized(&refusal.code) => {
            let request = refusal.request.map(|id| format!(" (request {id})")).unwrap_or_default();
            Fault::new(format!("`{name}` does not accept the token in `{TOKEN}`{request}"))
                .hint("it has expired, was revoked, or is not allowed from this address; if it was the last admin's, `provision bootstrap --replace` on the service's table creates another")
        }
        error => error.into(),
    })
}

/// Asks a server who a secret is, with nothing but the secret itself.
pub(super) async fn who_is(url: &str, presented: &str) -> Result<Result<Me, String>, Fault> {
    let address = address(url)?;
    demand_trust(&address)?;
    let name = address.to_string();
    Ok(Remote::who_is(&name, Arc::new(Http::new(address)), presented, since_boot).await?)
}

fn address(url: &str) -> Result<Address, Fault> {
    // The address is not repeated: credentials may be part of it.
    Address::parse(url).map_err(|error| Fault::new("the service's URL is invalid").hint(error.to_string()))
}

/// The token for a server. A manifest may be anybody's and name any server, so the environment's token goes only to the
/// one that the environment names. Tokens of a login will be found here too.
fn login(address: &Address) -> Result<Secret, Fault> {
    let held = std::env::var(TOKEN).ok().map(Zeroizing::new).filter(|text| !text.trim().is_empty());
    let Some(held) = held else {
        return Err(Fault::new(format!("no token is set for `{address}`"))
            .hint(format!("set `{TOKEN}` to a token of that server, and `{URL}={address}`")));
    };
    demand_trust(address)?;
    Secret::parse(held.trim()).map_err(|error| {
        Fault::new(format!("`{TOKEN}` is not a Latchkey token ({error})"))
            .hint("it was not sent; check how the variable is set")
    })
}

fn demand_trust(address: &Address) -> Result<(), Fault> {
    let named = std::env::var(URL).ok().filter(|url| !url.trim().is_empty());
    let Some(named) = named else {
        return Err(Fault::new(format!("refusing to send your token to `{address}`: `{URL}` is not set"))
            .hint(format!("if you trust that server with your token, set `{URL}={address}`")));
    };
    let trusted = Address::parse(named.trim())
        .map_err(|error| Fault::new(format!("`{URL}` is not a valid URL")).hint(error.to_string()))?;
    if trusted == *address {
        return Ok(());
    }
    Err(Fault::new(format!(
        "refusing to send your token to `{address}`: it is not the server in `{URL}`, which is `{trusted}`"
    ))
    .hint("a token is only sent to the server in `LATCHKEY_URL`; change that variable or the service"))
}
