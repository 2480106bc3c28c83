//! The deploy hook of a project: an address that starts a deployment, and a secret, as whoever knows it can start one.

use crate::SinkError;
use crate::login::{Keeper, Login};
use crate::transport::{Address, Http, Outgoing, Transport as _};

use zeroize::Zeroizing;

use super::HOST;

/// Where the hook stands, and whose it must be.
#[derive(Debug)]
pub(super) struct Hook {
    keeper: Keeper,
    endpoint: Address,
    project: String,
}

impl Hook {
    pub(super) fn new(from: Login, endpoint: Address, project: String) -> Self {
        Self { keeper: Keeper::new(from), endpoint, project }
    }

    /// Starts a deployment, once. Answers what happened, for people.
    pub(super) async fn call(&self) -> Result<String, SinkError> {
        let text = self.keeper.get().await?;
        let (address, target) = self.split(&text).ok_or_else(|| SinkError::Login {
            reason: format!("{} does not contain a deploy hook of Vercel", self.keeper.source()),
            hint: "a deploy hook is an address on `api.vercel.com`, from the project's settings under Git".to_owned(),
        })?;
        let outgoing = Outgoing { method: "POST", target, headers: Vec::new(), body: Zeroizing::default() };
        let answer = Http::new(address).send(&outgoing).await;
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                Ok(format!("started a deployment of `{}`, which reads what was written", self.project))
            }
            Ok(answer) => Err(SinkError::Refused {
                reason: format!("Vercel answered the deploy hook of `{}` with {}", self.project, answer.status),
                hint: "deploy by hand, and create a new hook in the project's settings".to_owned(),
            }),
            // What a connection says of its failure could name the address.
            Err(_) => Err(SinkError::Unreachable {
                reason: format!("the deploy hook of `{}` was called but did not answer", self.project),
            }),
        }
    }

    /// The host and the rest of the address, where it is Vercel's own or the endpoint's.
    fn split(&self, text: &str) -> Option<(Address, String)> {
        let scheme = text.find("://")? + 3;
        let path = scheme + text[scheme..].find('/')?;
        let (host, target) = text.split_at(path);
        let plain = target.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b'"'));
        let address = Address::parse(host).ok()?;
        let own = Address::parse(HOST).ok()?;
        let known = address == own || address.origin() == self.endpoint.origin();
        (plain && known && target.len() > 1).then_some((address, target.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(endpoint: &str) -> Hook {
        Hook::new(
            Login::Env { env: "VERCEL_DEPLOY_HOOK".to_owned() },
            Address::parse(endpoint).unwrap(),
            "web".to_owned(),
        )
    }

    #[test]
    fn only_the_vendor_and_the_endpoint_are_ever_called() {
        let vendor = hook(HOST);
        let (address, target) =
            vendor.split("https://api.vercel.com/v1/integrations/deploy/prj_1/x?buildCache=false").unwrap();
        assert_eq!(
            (address.to_string().as_str(), target.as_str()),
            (HOST, "/v1/integrations/deploy/prj_1/x?buildCache=false")
        );
        for foreign in [
            "https://evil.example/v1/integrations/deploy/prj_1/x",
            "https://api.vercel.com.evil.example/v1/x",
            "https://api.vercel.com@evil.example/v1/x",
            "https://api.vercel.com:8443/v1/x",
            "http://api.vercel.com/v1/x",
            "https://evil.example\\.vercel.com/x",
            "https://api.vercel.com",
            "https://api.vercel.com/",
            "https://api.vercel.com/v1 x",
            "http://127.0.0.1:1/x",
            "",
        ] {
            assert!(vendor.split(foreign).is_none(), "{foreign}");
        }
        let fake = hook("http://127.0.0.1:8080/vercel");
        assert!(fake.split("http://127.0.0.1:8080/v1/x").is_some());
        assert!(fake.split("http://127.0.0.1:8081/v1/x").is_none());
    }
}
