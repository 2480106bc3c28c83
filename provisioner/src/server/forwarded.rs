//! Who asks, where a proxy stands between: what it forwards is believed of the networks that were named, and of nobody
//! else.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::http::uri::Authority;
use ipnet::IpNet;

/// Which header a proxy writes. Only one is read: the other comes from whoever asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Header {
    /// `X-Forwarded-For`
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) header: Header,
}

impl Proxies {
    /// Whether an address is one of theirs.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The address of whoever asked: the right-most hop that is not one of the proxies. `None` where a proxy does not say
    /// it, or says it in words; nothing that is bound to networks is valid from there.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if !self.contain(peer) {
            return Some(peer);
        }
        let name = match self.header {
            Header::XForwardedFor => "x-forwarded-for",
            Header::Forwarded => "forwarded",
        };
        // Lines of one name are one list (RFC 9110, section 5.3).
        let lines: Option<Vec<&str>> = headers.get_all(name).iter().map(|line| line.to_str().ok()).collect();
        let hops: Vec<Option<IpAddr>> = match self.header {
            Header::XForwardedFor => {
                lines?.iter().flat_map(|line| line.split(',')).map(|hop| address(hop.trim())).collect()
            }
            Header::Forwarded => lines?
                .iter()
                .flat_map(|line| split(line, ','))
                .map(|hop| parameter(hop, "for").and_then(address))
                .collect(),
        };
        let mut first = None;
        for hop in hops.into_iter().rev() {
            let address = hop?;
            if !self.contain(address) {
                return Some(address);
            }
            first = Some(address);
        }
        // Every hop is a proxy of ours: the first of them asks for itself.
        Some(first.unwrap_or(peer))
    }
}

impl Proxies {
    /// The scheme and the host that whoever asked has in its address. A proxy's word counts where its address for `for`
    /// does; of a list its last entry, which the nearest proxy wrote. Proxies that say nothing have a certificate: this
    /// server speaks plain HTTP with nobody else.
    pub(super) fn origin(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        (encrypted, host): (bool, Option<&str>),
    ) -> Option<(&'static str, String)> {
        let by_proxy = self.contain(peer);
        let last = |name: &str, separator: char| -> Option<&str> {
            let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
            split(line, separator).last().map(str::trim)
        };
        let (scheme, forwarded) = match self.header {
            _ if !by_proxy => (None, None),
            Header::XForwardedFor => (last("x-forwarded-proto", ','), last("x-forwarded-host", ',')),
            Header::Forwarded => {
                let hop = last("forwarded", ',').unwrap_or_default();
                (parameter(hop, "proto"), parameter(hop, "host"))
            }
        };
        let scheme = match scheme {
            Some(named) if named.eq_ignore_ascii_case("http") => "http",
            Some(_) => "https",
            None if encrypted || by_proxy => "https",
            None => "http",
        };
        let host: Authority = forwarded.or(host)?.parse().ok()?;
        (!host.as_str().contains('@')).then(|| (scheme, host.as_str().to_ascii_lowercase()))
    }
}

/// Splits a list where it is not quoted.
fn split(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    line.split(move |character| {
        let now = quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == separator && !now
    })
}

/// A parameter of one hop.
fn parameter<'a>(hop: &'a str, wanted: &str) -> Option<&'a str> {
    let mut found = None;
    for pair in split(hop, ';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case(wanted) {
            // Twice in one hop is not a form that means anything.
            if found.is_some() {
                return None;
            }
            let value = value.trim();
            found = Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value));
        }
    }
    found
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']')?;
            if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
                return None;
            }
            inside
        }
        None => match text.split_once(':') {
            // With more than one colon it is an IPv6 address as some proxies write it.
            Some((host, port)) if !port.contains(':') => is_port(port).then_some(host)?,
            _ => text,
        },
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: Header) -> Proxies {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()).to_vec();
        Proxies { networks, header }
    }

    fn client(header: Header, peer: &str, lines: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        proxies(header).client(peer.parse().unwrap(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn the_address_that_people_see_is_the_proxys_word_and_nobody_elses() {
        let ask = |header, peer: &str, lines: &[(&'static str, &str)], encrypted| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            }
            let told = proxies(header).origin(peer.parse().unwrap(), &headers, (encrypted, Some("inner:8787")));
            told.map(|(scheme, host)| format!("{scheme}://{host}"))
        };
        let x = [("x-forwarded-proto", "http, https"), ("x-forwarded-host", "evil.example, Tokens.example.com")];
        let forwarded =
            [("forwarded", "host=evil.example, for=192.0.2.7;host=\"tokens.example.com:8443\";proto=https")];
        let (plain, listed) = (Header::XForwardedFor, Header::Forwarded);
        for (header, peer, lines, encrypted, wanted) in [
            (plain, "10.0.0.1", &x[..], false, Some("https://tokens.example.com")),
            (plain, "10.0.0.1", &x[..1], false, Some("https://inner:8787")),
            (plain, "10.0.0.1", &[], false, Some("https://inner:8787")),
            (plain, "127.0.0.1", &x[..], false, Some("http://inner:8787")),
            (plain, "127.0.0.1", &x[..], true, Some("https://inner:8787")),
            (plain, "10.0.0.1", &forwarded[..], false, Some("https://inner:8787")),
            (listed, "10.0.0.1", &forwarded[..], false, Some("https://tokens.example.com:8443")),
            (listed, "10.0.0.1", &x[..], false, Some("https://inner:8787")),
            (plain, "10.0.0.1", &[("x-forwarded-host", "a@b")], false, None),
            (plain, "10.0.0.1", &[("x-forwarded-host", "a/b")], false, None),
        ] {
            assert_eq!(ask(header, peer, lines, encrypted).as_deref(), wanted, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_asks() {
        let plain = |peer, value| client(Header::XForwardedFor, peer, &[("x-forwarded-for", value)]);
        for (value, wanted) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("203.0.113.9, 192.0.2.7", Some("192.0.2.7")),
            ("203.0.113.9, 192.0.2.7, 10.1.2.3", Some("192.0.2.7")),
            ("192.0.2.7:4711", Some("192.0.2.7")),
            ("[2001:db8:2::1]:443", Some("2001:db8:2::1")),
            ("2001:db8:2::1", Some("2001:db8:2::1")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("10.9.9.9, 10.1.2.3", Some("10.9.9.9")),
            // What is not an address is nobody's, whatever stands left of it.
            ("192.0.2.7, unknown", None),
            ("192.0.2.7, ", None),
            ("192.0.2.7, 10.1.2.3, _hidden", None),
        ] {
            assert_eq!(plain("10.0.0.1", value).as_deref(), wanted, "{value}");
        }
        assert_eq!(plain("192.0.2.1", "10.0.0.9").as_deref(), Some("192.0.2.1"), "nobody else is believed");
        assert_eq!(plain("::ffff:10.0.0.1", "192.0.2.7").as_deref(), Some("192.0.2.7"));
        let two = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(client(Header::XForwardedFor, "10.0.0.1", &two).as_deref(), Some("192.0.2.7"));
        assert_eq!(client(Header::XForwardedFor, "10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
    }

    /// The examples of RFC 7239, section 4 and 6, and what may pass for another hop.
    #[test]
    fn forwarded_is_read_as_its_rfc_has_it() {
        let of = |value| client(Header::Forwarded, "10.0.0.1", &[("forwarded", value)]);
        for (value, wanted) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
            ("For=\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
            ("for=192.0.2.43, for=198.51.100.17", Some("198.51.100.17")),
            ("for=192.0.2.43, for=\"_gazonk\"", None),
            ("for=\"a, for=192.0.2.1\", for=192.0.2.2", Some("192.0.2.2")),
            ("for=192.0.2.43;for=10.0.0.2", None),
            ("by=203.0.113.43", None),
            ("for=192.0.2.43;by=\";for=198.51.100.1\"", Some("192.0.2.43")),
        ] {
            assert_eq!(of(value).as_deref(), wanted, "{value}");
        }
        let forged = [("x-forwarded-for", "10.5.5.5"), ("forwarded", "for=192.0.2.43")];
        assert_eq!(client(Header::Forwarded, "10.0.0.1", &forged).as_deref(), Some("192.0.2.43"));
        assert_eq!(
            client(Header::XForwardedFor, "10.0.0.1", &[("forwarded", "for=192.0.2.43")]).as_deref(),
            Some("10.0.0.1")
        );
    }

    proptest! {
        /// Whatever whoever asks writes left of what the proxy adds changes nothing.
        #[test]
        fn what_stands_left_of_a_proxy_s_word_is_not_read(forged in "[ -~]{0,60}", last in any::<[u8; 4]>()) {
            let client_address = IpAddr::from(last);
            prop_assume!(!proxies(Header::XForwardedFor).contain(client_address));
            let line = format!("{forged}, {client_address}");
            let found = client(Header::XForwardedFor, "10.0.0.1", &[("x-forwarded-for", &line)]);
            prop_assert_eq!(found, Some(client_address.to_string()));
        }
    }
}
