//! The login in the environment: of jobs, and of whoever wants it for one command.

use zeroize::Zeroizing;

/// Names the server that the token in the environment is for.
pub(crate) const URL: &str = "LATCHKEY_URL";
/// Contains the token.
pub(crate) const TOKEN: &str = "LATCHKEY_TOKEN";

/// The server, where one is named.
pub(crate) fn url() -> Option<String> {
    let named = std::env::var(URL).ok()?;
    (!named.trim().is_empty()).then(|| named.trim().to_owned())
}

/// The token, where there is one.
pub(super) fn token() -> Option<Zeroizing<String>> {
    std::env::var(TOKEN).ok().map(Zeroizing::new).filter(|text| !text.trim().is_empty())
}
