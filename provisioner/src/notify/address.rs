//! The address of a receiver, which is a secret: whoever knows it can write there. So it is read from where a login is, and
//! neither printed nor followed anywhere else.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use latchkey_sinks::transport::{Address, is_loopback};
use zeroize::Zeroizing;

/// A receiver's address: whose it is, and the rest, which a request begins with.
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) path: Zeroizing<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({})", self.address.host())
    }
}

/// Why nothing is sent to an address. None of it says more than the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("does not contain an address that begins with `https://`")]
    Form,
    #[error("contains an address on `{0}`, which is not a public host")]
    NotPublic(String),
}

impl Target {
    /// Reads an address. Hosts that are not public are for `allowed` ones only: this machine and its network may trust
    /// whoever can reach them. Plain http is for this machine.
    pub(super) fn parse(text: &str, allowed: &[String]) -> Result<Self, TargetError> {
        let start = text.find("://").ok_or(TargetError::Form)? + 3;
        let end = text[start..].find(['/', '?']).map_or(text.len(), |length| start + length);
        let (origin, rest) = text.split_at(end);
        let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'"'));
        let address = Address::parse(origin).ok().filter(|_| is_plain).ok_or(TargetError::Form)?;
        if !is_allowed(address.host(), allowed) && !is_public(address.host()) {
            return Err(TargetError::NotPublic(address.host().to_owned()));
        }
        let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        Ok(Self { address, path: Zeroizing::new(path) })
    }
}

/// Whether whoever runs this has named a host, with brackets or without where it is an IPv6 address.
fn is_allowed(host: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| bare(allowed).eq_ignore_ascii_case(bare(host)))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether a host is on the public network, as far as its spelling tells.
fn is_public(host: &str) -> bool {
    if let Ok(address) = bare(host).parse::<IpAddr>() {
        return is_public_address(address);
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    // Resolvers take other spellings of IPv4 addresses too: `127.1`, `0x7f000001`.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x");
    let is_inside = matches!(last, "localhost" | "local" | "internal" | "lan" | "home" | "corp" | "arpa");
    host.contains('.') && !is_number && !is_inside && !is_loopback(host)
}

fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // 0.0.0.0/8 is this host, 100.64.0.0/10 a carrier's own network, 192.0.0.0/24 and 198.18.0.0/15 are for protocols and
    // tests, 240.0.0.0/4 is reserved.
    let special = first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || address.octets().starts_with(&[192, 0, 0]);
    !(special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // What is global is in 2000::/3; 2001::/32 and 2002::/16 lead to IPv4 addresses.
    let is_global = parts[0] & 0xe000 == 0x2000;
    let leads_elsewhere = parts[0] == 0x2002 || (parts[0] == 0x2001 && (parts[1] == 0 || parts[1] == 0xdb8));
    is_global && !leads_elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, String), TargetError> {
        let target = Target::parse(text, &[])?;
        Ok((target.address.to_string(), target.path.as_str().to_owned()))
    }

    #[test]
    fn an_address_is_a_public_host_and_what_follows_it() {
        for (text, origin, path) in [
            ("https://hooks.example.com/a/b?c=d", "https://hooks.example.com", "/a/b?c=d"),
            ("https://hooks.example.com:8443?c=d", "https://hooks.example.com:8443", "/?c=d"),
            ("https://hooks.example.com", "https://hooks.example.com", "/"),
            ("https://93.184.215.14/x", "https://93.184.215.14", "/x"),
            ("https://[2606:2800::1]/x", "https://[2606:2800::1]", "/x"),
        ] {
            assert_eq!(parsed(text), Ok((origin.to_owned(), path.to_owned())), "{text}");
        }
    }

    #[test]
    fn nothing_is_sent_to_this_machine_or_its_network_unless_that_is_allowed() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fd00::1]",
            "[fe80::1]",
            "localhost",
            "api.localhost",
            "printer.local",
            "metadata.google.internal",
            "intranet",
        ] {
            let text = format!("https://{host}/x");
            assert_eq!(parsed(&text), Err(TargetError::NotPublic(host.to_owned())), "{host}");
            let allowed = [bare(host).to_owned()];
            assert!(Target::parse(&text, &allowed).is_ok(), "{host}");
        }
        let allowed = ["127.0.0.1".to_owned()];
        assert!(Target::parse("http://127.0.0.1:80/x", &allowed).is_ok());
        for text in ["http://127.0.0.1:80/x", "https://127.0.0.2/x"] {
            assert!(Target::parse(text, &["localhost".to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn what_two_parsers_might_read_differently_is_no_address() {
        for text in [
            "",
            "hooks.example.com/x",
            "http://hooks.example.com/x",
            "https://user:password@hooks.example.com/x",
            "https://hooks.example.com\\@evil.example/x",
            "https://hooks.example.com/x y",
            "https://hooks.example.com/x#y",
            "https://hooks.example.com/x\r\nX-Other: y",
            "file:///etc/passwd",
        ] {
            assert_eq!(parsed(text), Err(TargetError::Form), "{text}");
        }
    }

    #[test]
    fn an_address_is_never_printed() {
        let target = Target::parse("https://hooks.example.com/secret?key=secret", &[]).unwrap();
        assert_eq!(format!("{target:?}"), "Target(hooks.example.com)");
        let error = Target::parse("https://10.0.0.1/secret", &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
