//! The address of a server: to whom a token may be sent.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// A server's address: `https`, or `http` on this machine, a host, a port, and a path before all routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of that form.
    #[error(
        "write `https://`, a host, and a port or path where needed; no credentials, no `?`, no `#`, and in the path no `..`, \
         `//` or `%`"
    )]
    Form,
    /// Plain http to another machine.
    #[error("plain `http` would expose secrets to the network; use `https`, `http` is for loopback")]
    Plain,
}

impl Address {
    /// Reads an address. What two parsers might read differently is refused.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::read(text, is_loopback)
    }

    /// The same, where plain http may also go to `169.254.0.0/16`, which no router passes on (RFC 3927): clouds answer
    /// there for a machine's own identity. Never for an address that a manifest names.
    pub fn parse_near(text: &str) -> Result<Self, AddressError> {
        let link = |host: &str| host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_link_local());
        Self::read(text, |host| is_loopback(host) || link(host))
    }

    /// Such an address apart from the path and the query that follow it, with which a request begins.
    pub fn parse_near_with_target(url: &str) -> Option<(Self, String)> {
        let uri: Uri = url.parse().ok()?;
        let base = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let target = uri.path_and_query().map_or_else(|| "/".to_owned(), |found| found.as_str().to_owned());
        Some((Self::parse_near(&base).ok()?, target))
    }

    fn read(text: &str, plain: impl Fn(&str) -> bool) -> Result<Self, AddressError> {
        let (scheme, host) = scheme_and_host(text).ok_or(AddressError::Form)?;
        let secure = scheme == "https";
        if !secure && !plain(&host) {
            return Err(AddressError::Plain);
        }
        let uri: Uri = text.parse().map_err(|_| AddressError::Form)?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path().strip_suffix('/').unwrap_or(uri.path()).to_owned();
        Ok(Self { secure, host: host.to_ascii_lowercase(), port, path })
    }

    /// Whether requests are encrypted; where not, they stay on this machine.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Scheme, host and port: whom it names, whatever path follows.
    pub fn origin(&self) -> (bool, &str, u16) {
        (self.secure, &self.host, self.port)
    }

    /// The host, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The whole address of a target, which starts with `/`.
    pub fn join(&self, target: &str) -> String {
        format!("{self}{target}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(formatter, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(formatter, ":{}", self.port)?;
        }
        formatter.write_str(&self.path)
    }
}

/// Scheme and host of an address, the host as it is written. Anything that two parsers might read differently is none.
pub fn scheme_and_host(text: &str) -> Option<(String, String)> {
    let strange = |character: char| !character.is_ascii_graphic() || matches!(character, '\\' | '@' | '?' | '#' | '"');
    if text.contains(strange) {
        return None;
    }
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let host = uri.host()?.to_owned();
    let named = !host.starts_with('.') && !host.ends_with('.') && is_host(&host);
    let port_is_good = !uri.authority()?.as_str().ends_with(':');
    let good = named && port_is_good && is_plain_path(uri.path());
    (matches!(scheme.as_str(), "http" | "https") && good).then_some((scheme, host))
}

/// Whether a path names one place, whoever reads it: a proxy may resolve `..`, join what `//` separates or decode `%2e`, and
/// so send a token for one server to its neighbour on the same host.
fn is_plain_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$+!*'(),:=&".contains(&byte);
    let is_word = |word: &str| !matches!(word, "" | "." | "..") && word.bytes().all(plain);
    match path.strip_suffix('/').unwrap_or(path) {
        "" => true,
        path => path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_word)),
    }
}

/// A name, an IPv4 address or, in brackets, an IPv6 address: the crate that reads URIs takes brackets anywhere.
fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_address_however_it_is_written() {
        let one = Address::parse("https://API.example.com").unwrap();
        for same in ["https://api.example.com/", "https://api.example.com:443", "HTTPS://api.example.com:443/"] {
            assert_eq!(Address::parse(same).unwrap(), one, "{same}");
        }
        for other in ["https://api.example.com/v1", "https://api.example.com:8443", "https://api.example.com.evil.test"]
        {
            assert_ne!(Address::parse(other).unwrap(), one, "{other}");
        }
        assert_eq!(one.join("/v1/me"), "https://api.example.com/v1/me");
        let below = Address::parse("https://api.example.com/team/tokens/").unwrap();
        assert_eq!(below, Address::parse("https://api.example.com/team/tokens").unwrap());
        assert_eq!(below.join("/v1/me"), "https://api.example.com/team/tokens/v1/me");
        let staged = Address::parse("https://x.execute-api.eu-west-1.amazonaws.com/prod/").unwrap();
        assert_eq!(staged.join("/v1/me"), "https://x.execute-api.eu-west-1.amazonaws.com/prod/v1/me");
    }

    #[test]
    fn only_what_is_near_may_be_plain() {
        for near in ["http://169.254.169.254", "http://127.0.0.1:4141/msi", "https://api.example.com"] {
            assert!(Address::parse_near(near).is_ok(), "{near}");
        }
        for far in ["http://169.255.0.1", "http://10.0.0.1", "http://169.254.169.254.example.com"] {
            assert_eq!(Address::parse_near(far), Err(AddressError::Plain), "{far}");
        }
        assert_eq!(Address::parse("http://169.254.169.254"), Err(AddressError::Plain));
    }

    #[test]
    fn what_would_show_a_token_is_no_address() {
        assert_eq!(Address::parse("http://api.example.com"), Err(AddressError::Plain));
        assert_eq!(Address::parse("http://127.0.0.1.example.com"), Err(AddressError::Plain));
        for bad in ["https://a[:]", "https://[a]", "https://a%20b", "https://a$b"] {
            assert_eq!(Address::parse(bad), Err(AddressError::Form), "{bad}");
        }
        for bad in ["api.example.com", "https://user@api.example.com", "https://a\\b", "ftp://a.b", "https://a?b=c", ""]
        {
            assert_eq!(Address::parse(bad), Err(AddressError::Form), "{bad}");
        }
        for path in
            ["//", "/a//", "//a", "/a//b", "/.", "/..", "/a/../b", "/a/%2e%2e/b", "/a%2fb", "/a;x", "/a;/../b", "/[a]"]
        {
            assert_eq!(Address::parse(&format!("https://a.b{path}")), Err(AddressError::Form), "{path}");
            assert_eq!(scheme_and_host(&format!("https://a.b{path}")), None, "{path}");
        }
        for good in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"] {
            assert!(!Address::parse(good).unwrap().is_secure(), "{good}");
        }
    }
}
