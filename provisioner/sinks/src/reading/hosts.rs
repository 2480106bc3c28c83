//! Addresses in a manifest: which hosts may be spoken to, and how.

use super::context::Reading;
use super::fault::Fault;
use super::masking::shown;
use super::text::Text;
use crate::transport::{AddressError, is_loopback, scheme_and_host};

const AMAZON: &[&str] = &[".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

impl Reading<'_> {
    /// An endpoint in place of AWS's own: it gets signed requests, and secrets, so its host must be the vendor's, or allowed
    /// by whoever runs this; any user of a machine may listen on its loopback. `services` are the parts of Amazon's host names that stand for a service.
    pub fn endpoint(&mut self, found: Option<Text<'_>>, services: &[&str]) -> Option<String> {
        let found = found?;
        let host = self.address(&found)?;
        if self.is_allowed(&host) || is_amazon(&host, services) {
            return Some(found.text.to_owned());
        }
        let message = format!("`{}` is not AWS's own host", shown(&host));
        self.add(Fault::error("foreign-host", found.span.clone(), message).hint(format!(
            "pass `--allow-host {}` to allow it, if you trust it with every secret of this manifest",
            shown(&host)
        )));
        None
    }

    /// An endpoint in place of a vendor's own, with the same rule: it gets logins, and secrets. The vendor's own address
    /// spelled out is no other endpoint, and so none at all.
    pub fn vendor(&mut self, found: Option<Text<'_>>, vendor: &str, own: &[&str]) -> Option<String> {
        let found = found?;
        let host = self.address(&found)?;
        if self.is_allowed(&host) || own.iter().any(|own| own.eq_ignore_ascii_case(&host)) {
            let endpoint = found.text.trim_end_matches('/');
            let spelled = own.iter().any(|own| endpoint.eq_ignore_ascii_case(&format!("https://{own}")));
            return (!spelled).then(|| endpoint.to_owned());
        }
        let message = format!("`{}` is not {vendor}'s own host", shown(&host));
        self.add(Fault::error("foreign-host", found.span.clone(), message).hint(format!(
            "pass `--allow-host {}` to allow it, if you trust it with this sink's credentials and secrets",
            shown(&host)
        )));
        None
    }

    /// Whether the command or its environment names a host, with brackets or without where it is an IPv6 address.
    fn is_allowed(&self, host: &str) -> bool {
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        self.allowances.hosts.iter().any(|allowed| bare(allowed) == bare(host))
    }

    /// The address of a Latchkey server.
    pub fn server(&mut self, found: &Text<'_>) -> Option<String> {
        self.address(found).map(|_| found.text.trim_end_matches('/').to_owned())
    }

    /// The host of an address that is `https`, or `http` on this machine.
    fn address(&mut self, found: &Text<'_>) -> Option<String> {
        let Some((scheme, host)) = scheme_and_host(found.text) else {
            let message = format!("`{}` is not an address", shown(found.text));
            self.add(Fault::error("bad-address", found.span.clone(), message).hint(AddressError::Form.to_string()));
            return None;
        };
        if scheme == "http" && !is_loopback(&host) {
            let message = format!("plain `http` to `{}` would expose secrets to the network", shown(&host));
            self.add(
                Fault::error("plain-http", found.span.clone(), message).hint("use `https`; `http` is for loopback"),
            );
            return None;
        }
        Some(host)
    }
}

/// Whether a host is the service itself. A suffix would not do: anyone can have a bucket, a load balancer or an API
/// below `amazonaws.com`.
fn is_amazon(host: &str, services: &[&str]) -> bool {
    let host = host.to_ascii_lowercase();
    let Some(labels) = AMAZON.iter().find_map(|suffix| host.strip_suffix(suffix)) else { return false };
    let labels: Vec<&str> = labels.split('.').collect();
    match labels.as_slice() {
        [service, region] | [_, service, region, "vpce"] => services.contains(service) && is_region(region),
        _ => false,
    }
}

/// Whether a text has the form of an AWS region. The SDK builds a host from it.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let number = |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 32
        && parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(word)
        && parts.last().is_some_and(number)
}

impl Reading<'_> {
    /// An AWS region.
    pub fn region(&mut self, found: Option<Text<'_>>) -> Option<String> {
        let found = found?;
        if is_region(found.text) {
            return Some(found.text.to_owned());
        }
        let message = format!("`{}` is not an AWS region", shown(found.text));
        self.add(Fault::error("bad-region", found.span.clone(), message).hint("a region looks like `eu-west-1`"));
        None
    }
}
