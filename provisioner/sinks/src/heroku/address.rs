//! Where Heroku's API is: at its own address, unless whoever runs this says another.

use std::ffi::OsStr;

use crate::transport::{Address, AddressError};

/// Heroku's own address.
pub const HOST: &str = "https://api.heroku.com";

/// The environment variable that names another, for a proxy or a stand-in. It is no part of a place: what was delivered
/// through it is where it would be without. A manifest has `endpoint`, which is.
pub const VARIABLE: &str = "LATCHKEY_HEROKU_URL";

/// The address that this process reaches Heroku at.
///
/// # Errors
/// When the variable names none: Heroku's own is not taken instead.
pub fn address() -> Result<Address, AddressError> {
    named(std::env::var_os(VARIABLE).as_deref())
}

/// Unset and empty are the same, as in CI.
fn named(variable: Option<&OsStr>) -> Result<Address, AddressError> {
    let Some(named) = variable.filter(|named| !named.is_empty()) else { return Address::parse(HOST) };
    Address::parse(named.to_str().ok_or(AddressError::Form)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_would_show_credentials_is_refused_and_never_replaced_by_herokus_own() {
        let of = |text: &str| named(Some(OsStr::new(text)));
        for bad in ["http://heroku.example.com", "http://169.254.169.254", "http://127.0.0.1.example.com"] {
            assert_eq!(of(bad), Err(AddressError::Plain), "{bad}");
        }
        for bad in ["heroku.example.com", "https://key@heroku.example.com", "ftp://127.0.0.1", " "] {
            assert_eq!(of(bad), Err(AddressError::Form), "{bad}");
        }
        for good in ["http://127.0.0.1:4000", "http://[::1]:4000", "https://heroku.example.com/proxy"] {
            assert_eq!(of(good).unwrap().to_string(), good);
        }
        for none in [named(None), of("")] {
            assert_eq!(none.unwrap().to_string(), HOST);
        }
    }
}
