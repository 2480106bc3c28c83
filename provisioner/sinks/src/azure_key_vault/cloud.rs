//! The hosts of Azure's clouds, and whether a vault that asks for a sign-in asks for the right one.

use super::settings::Cloud;
use crate::SinkError;
use crate::transport::{Address, is_loopback};

/// Where tokens are given out, the host that is asked first; the others are older names of the same.
fn login_hosts(cloud: Cloud) -> &'static [&'static str] {
    match cloud {
        Cloud::Public => &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com"],
        Cloud::China => &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
        Cloud::UsGovernment => &["login.microsoftonline.us"],
    }
}

/// What a token is for: never taken from what a server says.
pub(super) fn resource(cloud: Cloud) -> String {
    format!("https://{}", cloud.vaults())
}

/// Where sign-ins go: the cloud's own host, unless `AZURE_AUTHORITY_HOST` names another of its hosts or this machine.
pub(super) fn authority(cloud: Cloud, named: Option<&str>) -> Result<Address, SinkError> {
    let own = format!("https://{}", login_hosts(cloud)[0]);
    let address = Address::parse(named.unwrap_or(&own)).ok();
    let known = |address: &Address| login_hosts(cloud).contains(&address.host());
    address.filter(|address| known(address) || is_loopback(address.host())).ok_or_else(|| SinkError::Login {
        reason: format!("`AZURE_AUTHORITY_HOST` is not a host of the Azure cloud `{}`", cloud.name()),
        hint: format!("unset it, or set it to `{own}`"),
    })
}

/// What a vault asks for in its 401, RFC 6750 section 3.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    authorization: String,
    resource: String,
}

impl Challenge {
    /// Reads a `WWW-Authenticate`; `None` when it does not ask for what Key Vault asks for.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let rest = header.trim();
        let (scheme, rest) = rest.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut authorization, mut resource) = (None, None);
        for part in rest.split(',') {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"').to_owned();
            let slot = match name.trim().to_ascii_lowercase().as_str() {
                "authorization" | "authorization_uri" => &mut authorization,
                "resource" | "scope" => &mut resource,
                _ => continue,
            };
            // Two answers to one question: whoever wrote that is up to something.
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(Self { authorization: authorization?, resource: resource? })
    }

    /// Whether a token of this cloud may be sent to whoever asks this. A server that wants one for something else would
    /// use it there.
    pub(super) fn check(&self, cloud: Cloud, vault: &str, authority: &Address) -> Result<(), SinkError> {
        let resource = self.resource.trim_end_matches("/.default").trim_end_matches('/');
        if !resource.eq_ignore_ascii_case(&self::resource(cloud)) {
            return Err(strange(
                format!("`{vault}` asks for a token for `{}`, not for `{}`", plain(resource), cloud.vaults()),
                cloud,
            ));
        }
        let address = Address::parse(&self.authorization).ok();
        let is_login = |address: &Address| login_hosts(cloud).contains(&address.host()) && address.is_secure();
        // What stands for Azure on this machine answers for its own sign-ins, too.
        let is_named =
            |address: &Address| is_loopback(address.host()) && address.to_string().starts_with(&authority.to_string());
        if !address.is_some_and(|address| is_login(&address) || is_named(&address)) {
            return Err(strange(
                format!(
                    "`{vault}` sends sign-ins to `{}`, which is not one of Azure's hosts",
                    plain(&self.authorization)
                ),
                cloud,
            ));
        }
        Ok(())
    }

    /// The tenant that the vault belongs to, where it says.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.authorization.trim_end_matches('/').rsplit('/').next().filter(|tenant| is_id(tenant))
    }
}

/// Whether a text is a tenant's id, not one of its domains.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(120).collect()
}

fn strange(reason: String, cloud: Cloud) -> SinkError {
    SinkError::Refused {
        reason: format!("no token was sent: {reason}"),
        hint: format!("check `endpoint`, and `cloud` (it is `{}`)", cloud.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn checked(header: &str, cloud: Cloud) -> Result<(), SinkError> {
        let authority = authority(cloud, None).unwrap();
        Challenge::parse(header).ok_or(SinkError::Changed)?.check(cloud, "https://acme.vault.azure.net", &authority)
    }

    #[test]
    fn each_cloud_asks_for_its_own_tokens() {
        for cloud in Cloud::ALL {
            let resource = resource(cloud);
            for host in login_hosts(cloud) {
                let header = format!("Bearer authorization=\"https://{host}/{TENANT}\", resource=\"{resource}\"");
                checked(&header, cloud).unwrap();
                assert_eq!(Challenge::parse(&header).unwrap().tenant(), Some(TENANT));
                for other in Cloud::ALL.into_iter().filter(|other| *other != cloud) {
                    assert!(checked(&header, other).is_err(), "{header} for {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_server_that_wants_a_token_for_something_else_gets_none() {
        let login = format!("https://login.microsoftonline.com/{TENANT}");
        for resource in [
            "https://management.azure.com",
            "https://graph.microsoft.com",
            "https://vault.azure.net.evil.test",
            "https://evil.test/vault.azure.net",
            "https://evilvault.azure.net",
            "http://vault.azure.net",
            "vault.azure.net",
            "",
        ] {
            let header = format!("Bearer authorization=\"{login}\", resource=\"{resource}\"");
            assert!(checked(&header, Cloud::Public).is_err(), "{resource}");
        }
        for login in [
            "https://login.microsoftonline.com.evil.test/x",
            "https://evil.test/login.microsoftonline.com",
            "http://login.microsoftonline.com/x",
            "http://127.0.0.1:9/x",
            "https://user@login.microsoftonline.com/x",
            "",
        ] {
            let header = format!("Bearer authorization=\"{login}\", resource=\"https://vault.azure.net\"");
            assert!(checked(&header, Cloud::Public).is_err(), "{login}");
        }
    }

    #[test]
    fn what_is_no_challenge_or_two_of_them_is_none() {
        for header in [
            "",
            "Bearer",
            "Basic realm=\"x\"",
            "Bearer resource=\"https://vault.azure.net\"",
            "Bearer authorization=\"a\", resource=\"b\", resource=\"c\"",
            "Bearer authorization=\"a\", authorization_uri=\"b\", resource=\"c\"",
        ] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }

    #[test]
    fn sign_ins_go_to_the_clouds_own_hosts_or_this_machine() {
        for good in ["https://login.microsoftonline.com/", "https://login.windows.net", "http://127.0.0.1:8080"] {
            assert!(authority(Cloud::Public, Some(good)).is_ok(), "{good}");
        }
        for bad in ["https://evil.test", "http://login.microsoftonline.com", "https://login.microsoftonline.us", ""] {
            assert!(matches!(authority(Cloud::Public, Some(bad)), Err(SinkError::Login { .. })), "{bad}");
        }
    }
}
