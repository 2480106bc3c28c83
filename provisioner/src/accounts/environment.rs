//! The login in the environment: of jobs, and of whoever wants it for one command.

use latchkey_sinks::transport::AddressError;
use zeroize::Zeroizing;

use super::Server;

/// Names the server that the token in the environment is for.
pub(crate) const URL: &str = "LATCHKEY_URL";
/// Contains the token.
pub(crate) const TOKEN: &str = "LATCHKEY_TOKEN";

/// The server, where one is named; written as people name one.
pub(crate) fn server() -> Result<Option<Server>, AddressError> {
    let named = std::env::var(URL).ok();
    let named = named.as_deref().map(str::trim).filter(|named| !named.is_empty());
    named.map(str::parse).transpose()
}

/// Whether it is the environment that names a service, not whoever typed the command.
pub(crate) fn names_service(service: &str) -> bool {
    std::env::var("LATCHKEY_SERVICE").is_ok_and(|named| named == service)
}

/// The token, where there is one.
pub(super) fn token() -> Option<Zeroizing<String>> {
    std::env::var(TOKEN).ok().map(Zeroizing::new).filter(|text| !text.trim().is_empty())
}
