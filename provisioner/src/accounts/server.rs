//! What a server is called where people name it: `old.server.com:8080`.

use std::fmt;
use std::str::FromStr;

use latchkey_sinks::transport::{Address, AddressError};

/// A server, by the one address that it has however it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server(Address);

impl Server {
    pub(crate) fn of(address: &Address) -> Self {
        Self(address.clone())
    }

    pub(crate) fn address(&self) -> &Address {
        &self.0
    }
}

impl FromStr for Server {
    type Err = AddressError;

    /// Reads a URL, or a host with a port where needed: by `https`, on this machine by `http`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.contains("://") {
            return Address::parse(text).map(Self);
        }
        let plain = Address::parse(&format!("http://{text}"));
        plain.or_else(|_| Address::parse(&format!("https://{text}"))).map(Self)
    }
}

impl fmt::Display for Server {
    /// As it is read again: without its scheme where that is clear.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.to_string();
        let bare = whole.split_once("://").map_or(whole.as_str(), |(_, bare)| bare);
        let is_clear = bare.parse::<Self>().is_ok_and(|read| read == *self);
        formatter.write_str(if is_clear { bare } else { &whole })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_server_is_named_by_host_and_port_and_read_again_from_its_name() {
        let cases = [
            ("old.server.com:8080", "old.server.com:8080", "https://old.server.com:8080"),
            ("HTTPS://API.example.com:443/", "api.example.com", "https://api.example.com"),
            ("https://api.example.com/prod", "api.example.com/prod", "https://api.example.com/prod"),
            ("localhost:8787", "localhost:8787", "http://localhost:8787"),
            ("https://localhost:8443", "https://localhost:8443", "https://localhost:8443"),
            ("[::1]:8787", "[::1]:8787", "http://[::1]:8787"),
            ("127.0.0.1.example.com", "127.0.0.1.example.com", "https://127.0.0.1.example.com"),
        ];
        for (typed, name, address) in cases {
            let server: Server = typed.parse().unwrap();
            assert_eq!(
                (server.to_string().as_str(), server.address().to_string().as_str()),
                (name, address),
                "{typed}"
            );
        }
        assert_eq!("http://api.example.com".parse::<Server>(), Err(AddressError::Plain));
        for bad in ["", "a b", "ana@host", "host\\x", "host?x", "h\u{f6}st", "host\u{1b}[2J", "ftp://host"] {
            assert_eq!(bad.parse::<Server>(), Err(AddressError::Form), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_server_has_a_name_that_means_it(text in "(https?://)?[a-zA-Z0-9.:\\[\\]/-]{1,24}") {
            if let Ok(server) = text.parse::<Server>() {
                prop_assert_eq!(server.to_string().parse::<Server>(), Ok(server));
            }
        }
    }
}
