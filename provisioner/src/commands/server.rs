//! Servers: as whom they are asked, and what to do when there is no login for one.

use std::sync::Arc;

use jiff::Timestamp;
use latchkey::api::wire::Me;
use latchkey::secret::Secret;

use super::exit::Fault;
use crate::accounts::{self, Login, LoginError, SOON, Server, Source, StoreError, TOKEN, URL};
use crate::manifest::NamedBy;
use crate::output::{Format, Printer};
use crate::plan::{distance, expiry};
use crate::service::remote::{Remote, is_unauthorized};
use crate::service::{Client, ServiceError};
use latchkey_sinks::deadline::since_boot;
use latchkey_sinks::transport::{Address, AddressError, Http};

/// A server, asked with the token that we have for it.
pub(super) async fn connect(url: &str, by: NamedBy) -> Result<Client, Fault> {
    let address = address(url)?;
    let login = accounts::login(&address, by).await.map_err(no_login)?;
    let remote = ask(&address, &login).await?;
    let who = remote.who().clone();
    let client = Client::remote(remote);
    warn_of_the_end(&Server::of(&address), &who, &login.source, client.now());
    Ok(client)
}

/// Who a server says that we are, and where the token for it comes from.
pub(super) async fn introduce(url: &str, by: NamedBy) -> Result<(Server, Me, Source), Fault> {
    let address = address(url)?;
    let login = accounts::login(&address, by).await.map_err(no_login)?;
    let who = ask(&address, &login).await?.who().clone();
    Ok((Server::of(&address), who, login.source))
}

/// A server, asked with a token that a login has or is to have.
pub(super) async fn connect_with(server: &Server, secret: &Secret) -> Result<Remote, ServiceError> {
    let address = server.address();
    Remote::connect(&address.to_string(), Arc::new(Http::new(address.clone())), secret, since_boot).await
}

/// Asks a server who a secret is, with nothing but the secret itself.
pub(super) async fn who_is(url: &str, by: NamedBy, presented: &str) -> Result<Result<Me, String>, Fault> {
    let address = address(url)?;
    accounts::demand_trust(&address, by).map_err(no_login)?;
    let name = address.to_string();
    Ok(Remote::who_is(&name, Arc::new(Http::new(address)), presented, since_boot).await?)
}

/// The variable that names a server does not. It is not repeated: credentials may be part of it.
pub(super) fn bad_variable(error: AddressError) -> Fault {
    Fault::new(format!("`{URL}` is not the address of a server")).hint(error.to_string())
}

/// Why logins could not be read or changed.
pub(super) fn no_store(error: StoreError) -> Fault {
    let hint = error.hint();
    Fault::new(error.to_string()).hint(hint)
}

async fn ask(address: &Address, login: &Login) -> Result<Remote, Fault> {
    let asked = connect_with(&Server::of(address), &login.secret).await;
    asked.map_err(|error| match error {
        ServiceError::Refused(refusal) if is_unauthorized(&refusal.code) => {
            let request = refusal.request.map(|id| format!(" (request {id})")).unwrap_or_default();
            let fault = Fault::new(format!("`{address}` does not accept {}{request}", login.source.words()));
            fault.hint(match login.source {
                Source::Environment => {
                    "it has expired, was revoked, or is not allowed from this address; if it was the \
                                        last admin's, `provision bootstrap --replace` on the service's table creates \
                                        another"
                        .to_owned()
                }
                Source::Stored(..) => format!(
                    "it has expired, was revoked, or is not allowed from this address; log in with another one: \
                     `provision login --server {}`",
                    Server::of(address)
                ),
            })
        }
        error => error.into(),
    })
}

fn address(url: &str) -> Result<Address, Fault> {
    // The address is not repeated: credentials may be part of it.
    Address::parse(url).map_err(|error| Fault::new("the service's URL is invalid").hint(error.to_string()))
}

fn no_login(error: LoginError) -> Fault {
    let log_in = |server: &Server| format!("`provision login --server {server}`");
    let hint = match &error {
        LoginError::None(address) => {
            format!(
                "log in: {}; or set `{TOKEN}` to a token of that server, and `{URL}={address}`",
                log_in(&Server::of(address))
            )
        }
        LoginError::Unnamed(address) => {
            format!(
                "unset `{TOKEN}` and log in: {}; or, if that token is for that server, set `{URL}={address}`",
                log_in(&Server::of(address))
            )
        }
        LoginError::Elsewhere { address, .. } => format!(
            "the token in `{TOKEN}` is only sent to the server in `{URL}`; change that variable or the service, or log in \
             there: {}",
            log_in(&Server::of(address))
        ),
        LoginError::BadUrl(error) => error.to_string(),
        LoginError::NotAToken(_) => "it was not sent; check how the variable is set".to_owned(),
        LoginError::Gone { server, .. } | LoginError::Foreign { server, .. } => {
            format!("nothing was sent; log in again: {}", log_in(server))
        }
        LoginError::Store(error) => format!("nothing was sent; {}", error.hint()),
    };
    Fault::new(error.to_string()).hint(hint)
}

/// Warns, once a day, of a token that expires within a week.
fn warn_of_the_end(server: &Server, who: &Me, source: &Source, now: Timestamp) {
    if who.works_until.duration_since(now) > SOON {
        return;
    }
    let what = format!("{server} {} {}", who.id, who.version);
    if !accounts::is_first_today(&what, now) {
        return;
    }
    let again = match (&who.managed_by, source) {
        (Some(manifest), _) => format!("the next `provision apply` of `{manifest}` replaces it where that is due"),
        (None, Source::Environment) => {
            format!("create another with `provision token create NAME`, and set `{TOKEN}` to it")
        }
        (None, Source::Stored(..)) => {
            format!(
                "create another with `provision token create NAME`, and log in with it: `provision login --server {server}`"
            )
        }
    };
    let (until, distance) = (expiry(who.works_until), distance(now, who.works_until));
    let message = format!("the token `{}/{}` for `{server}` expires {distance}, at {until}", who.user, who.token);
    Printer { format: Format::Text }.warning_with(&message, &again);
}
