//! Networks as they are typed.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads a network; an address is that one alone, as by URL.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let read = text.parse::<IpNet>().ok().or_else(address);
    read.map(|network| network.trunc()).ok_or_else(|| "pass a network such as `192.0.2.0/24`, or an address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_or_one_address_is_read_and_a_slip_is_told_what_to_pass() {
        for (text, network_of) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), network_of);
        }
        for slip in ["", "nonsense", "10.0.0.0/33", "10.0.0/8", "localhost"] {
            assert!(network(slip).unwrap_err().contains("192.0.2.0/24"), "{slip}");
        }
    }
}
