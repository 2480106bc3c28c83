//! Addresses in a manifest: which hosts may be spoken to, and how.

use std::net::IpAddr;

use http::Uri;

use super::fault::Fault;
use super::fields::Text;
use super::masking::shown;
use super::reading::Reading;

/// The parts of Amazon's host names that stand for a service.
pub(super) const DYNAMODB: &[&str] = &["dynamodb", "dynamodb-fips"];
/// The same for Secrets Manager.
pub(super) const SECRETS_MANAGER: &[&str] = &["secretsmanager", "secretsmanager-fips"];

const AMAZON: &[&str] = &[".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

impl Reading<'_> {
    /// An endpoint in place of AWS's own: it gets signed requests, and secrets, so its host must be the vendor's,
    /// loopback or allowed by whoever runs this.
    pub(super) fn endpoint(&mut self, found: Option<Text<'_>>, services: &[&str]) -> Option<String> {
        let found = found?;
        let host = self.address(&found)?;
        let allowed = self.allowances.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host));
        if allowed || is_loopback(&host) || is_amazon(&host, services) {
            return Some(found.text.to_owned());
        }
        let message = format!("`{}` is neither AWS's own host nor loopback", shown(&host));
        self.add(Fault::error("foreign-host", found.span.clone(), message).hint(format!(
            "`--allow-host {}` permits it, if you trust it with every secret of this manifest",
            shown(&host)
        )));
        None
    }

    /// An endpoint in place of a vendor's own, with the same rule: it gets logins, and secrets.
    pub(super) fn vendor(&mut self, found: Option<Text<'_>>, vendor: &str, own: &[&str]) -> Option<String> {
        let found = found?;
        let host = self.address(&found)?;
        let listed = self.allowances.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host));
        if listed || is_loopback(&host) || own.iter().any(|own| own.eq_ignore_ascii_case(&host)) {
            return Some(found.text.trim_end_matches('/').to_owned());
        }
        let message = format!("`{}` is neither {vendor}'s own host nor loopback", shown(&host));
        self.add(Fault::error("foreign-host", found.span.clone(), message).hint(format!(
            "`--allow-host {}` permits it, if you trust it with this sink's login and its secrets",
            shown(&host)
        )));
        None
    }

    /// The address of a Latchkey server.
    pub(super) fn server(&mut self, found: &Text<'_>) -> Option<String> {
        self.address(found).map(|_| found.text.trim_end_matches('/').to_owned())
    }

    /// The host of an address that is `https`, or `http` on this machine.
    fn address(&mut self, found: &Text<'_>) -> Option<String> {
        let Some((scheme, host)) = parts(found.text) else {
            let message = format!("`{}` is not an address", shown(found.text));
            let hint = "write `https://`, a host, and a port or path where needed; no login, no `?`, no `#`";
            self.add(Fault::error("bad-address", found.span.clone(), message).hint(hint));
            return None;
        };
        if scheme == "http" && !is_loopback(&host) {
            let message = format!("plain `http` to `{}` would show secrets to the network", shown(&host));
            self.add(
                Fault::error("plain-http", found.span.clone(), message).hint("use `https`; `http` is for loopback"),
            );
            return None;
        }
        Some(host)
    }
}

/// Scheme and host of an address, the host as it is written. Anything that two parsers might read differently is none.
pub(crate) fn parts(text: &str) -> Option<(String, String)> {
    let strange = |character: char| !character.is_ascii_graphic() || matches!(character, '\\' | '@' | '?' | '#' | '"');
    if text.contains(strange) {
        return None;
    }
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let host = uri.host()?.to_owned();
    let named = !host.is_empty() && !host.starts_with('.') && !host.ends_with('.');
    let port_is_good = !uri.authority()?.as_str().ends_with(':');
    (matches!(scheme.as_str(), "http" | "https") && named && port_is_good).then_some((scheme, host))
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
pub(super) fn is_region(text: &str) -> bool {
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
    pub(super) fn region(&mut self, found: Option<Text<'_>>) -> Option<String> {
        let found = found?;
        if is_region(found.text) {
            return Some(found.text.to_owned());
        }
        let message = format!("`{}` is not an AWS region", shown(found.text));
        self.add(Fault::error("bad-region", found.span.clone(), message).hint("a region reads like `eu-west-1`"));
        None
    }
}
