//! One receiver, ready to be sent to: what it is reached with is read once a turn, and connections are kept.

use std::fmt;
use std::time::Duration;

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use latchkey::notice::NoticeKind;
use latchkey_sinks::aws::{self, As};
use latchkey_sinks::login::{Keeper, Login};
use latchkey_sinks::transport::{Address, Http, Incoming, Outgoing, Transport as _};
use tokio::sync::OnceCell;

use super::address::Target;
use super::failure::Failure;
use super::message::Message;
use super::receiver::{Receiver, Way};
use super::webhook::SigningKey;
use super::{email, eventbridge, slack, webhook};
use email::To;

/// How long a receiver may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What became of a notice that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The receiver has it.
    Now,
    /// It goes to nobody: the token's owner has no address, and there is no other.
    NobodyAddressed,
}

/// One receiver.
pub struct Sender {
    receiver: Receiver,
    /// Hosts that are not public and may be sent to.
    allowed: Vec<String>,
    web: OnceCell<Web>,
    cloud: OnceCell<Cloud>,
}

/// A receiver with an address of its own.
struct Web {
    target: Target,
    key: Option<SigningKey>,
    http: Http,
}

/// A service of AWS.
struct Cloud {
    address: Address,
    region: String,
    credentials: Credentials,
    http: Http,
}

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender to a receiver. Nothing is read yet, and nothing sent. `allowed` are hosts that are not public.
    pub fn new(receiver: Receiver, allowed: &[String]) -> Self {
        Self { receiver, allowed: allowed.to_vec(), web: OnceCell::new(), cloud: OnceCell::new() }
    }

    /// Whether it is to be told of such a notice.
    pub fn wants(&self, kind: NoticeKind) -> bool {
        self.receiver.on.contains(&kind)
    }

    /// Whether it sends mails to the owners of tokens.
    pub fn wants_owner(&self) -> bool {
        matches!(&self.receiver.way, Way::Email(settings) if settings.owners)
    }

    /// Whether there is anybody that it sends to beside the owners of tokens.
    pub fn has_own(&self) -> bool {
        !matches!(&self.receiver.way, Way::Email(settings) if settings.to.is_empty())
    }

    /// How it sends mails, where it does.
    pub(super) fn mails(&self) -> Option<&email::Settings> {
        match &self.receiver.way {
            Way::Email(settings) => Some(settings),
            Way::Webhook(_) | Way::Slack(_) | Way::EmailOf(_) | Way::EventBridge(_) => None,
        }
    }

    /// Reads what it is reached with, as sending does, and sends nothing.
    ///
    /// # Errors
    /// When that is missing, cannot be read, or leads where nothing is sent.
    pub async fn prepare(&self) -> Result<(), Failure> {
        match &self.receiver.way {
            Way::Webhook(settings) => self.web(&settings.url, Some(&settings.secret)).await.map(drop),
            Way::Slack(settings) => self.web(&settings.url, None).await.map(drop),
            Way::Email(settings) => {
                self.cloud(email::HOST, "SESv2", (&settings.region, &settings.endpoint)).await.map(drop)
            }
            Way::EventBridge(settings) => {
                self.cloud(eventbridge::HOST, "EventBridge", (&settings.region, &settings.endpoint)).await.map(drop)
            }
            Way::EmailOf(name) => Err(no_such(name)),
        }
    }

    /// Sends a notice, once.
    ///
    /// # Errors
    /// When it is not certain that the receiver took it.
    pub async fn send(&self, message: &Message, to: To<'_>, now: Timestamp) -> Result<Taken, Failure> {
        let link = self.receiver.link.as_ref();
        match &self.receiver.way {
            Way::Webhook(settings) => {
                let web = self.web(&settings.url, Some(&settings.secret)).await?;
                let Some(key) = &web.key else { return Err(unnamed()) };
                web.post(webhook::request(web.target.path.to_string(), message, link, (key, now))).await?;
            }
            Way::Slack(settings) => {
                let web = self.web(&settings.url, None).await?;
                web.post(slack::request(web.target.path.to_string(), message, link)).await?;
            }
            Way::Email(settings) => {
                let Some(request) = email::request(settings, message, link, to) else {
                    return Ok(Taken::NobodyAddressed);
                };
                let cloud = self.cloud(email::HOST, "SESv2", (&settings.region, &settings.endpoint)).await?;
                cloud.post(request, email::SIGNED_AS, now).await?;
            }
            Way::EventBridge(settings) => {
                let cloud =
                    self.cloud(eventbridge::HOST, "EventBridge", (&settings.region, &settings.endpoint)).await?;
                let request = eventbridge::request(settings, message, link);
                let answer = cloud.post(request, eventbridge::SIGNED_AS, now).await?;
                if let Some(code) = eventbridge::refused(&answer.body) {
                    return Err(Failure::Refused { host: cloud.address.host().to_owned(), code });
                }
            }
            Way::EmailOf(name) => return Err(no_such(name)),
        }
        Ok(Taken::Now)
    }

    fn web<'a>(&'a self, url: &'a Login, secret: Option<&'a Login>) -> BoxFuture<'a, Result<&'a Web, Failure>> {
        Box::pin(self.web.get_or_try_init(move || self.open(url, secret)))
    }

    async fn open(&self, url: &Login, secret: Option<&Login>) -> Result<Web, Failure> {
        let wrong = |login: &Login, what: String, hint: &str| Failure::Login {
            reason: format!("{} {what}", login.source()),
            hint: hint.to_owned(),
        };
        let text = Keeper::new(url.clone()).get().await?;
        let target = Target::parse(&text, &self.allowed).map_err(|error| {
            let hint = "store the whole address there; for a host on your own network pass `--allow-host HOST`";
            wrong(url, error.to_string(), hint)
        })?;
        let key = match secret {
            None => None,
            Some(secret) => {
                let text = Keeper::new(secret.clone()).get().await?;
                let key = SigningKey::parse(&text).map_err(|error| {
                    let hint = "store `whsec_` and 24 to 64 random bytes in base64, for example from `openssl rand -base64 32`";
                    wrong(secret, error.to_string(), hint)
                })?;
                Some(key)
            }
        };
        let http = Http::new(target.address.clone());
        Ok(Web { target, key, http })
    }

    fn cloud<'a>(
        &'a self,
        host: &'a str,
        service: &'static str,
        (region, endpoint): (&'a Option<String>, &'a Option<String>),
    ) -> BoxFuture<'a, Result<&'a Cloud, Failure>> {
        let open = move || Cloud::open(host, service, (region.as_deref(), endpoint.as_deref()));
        Box::pin(self.cloud.get_or_try_init(open))
    }
}

impl Web {
    async fn post(&self, outgoing: Outgoing) -> Result<(), Failure> {
        post(&self.http, &self.target.address, outgoing).await.map(drop)
    }
}

impl Cloud {
    async fn open(
        host: &str,
        service: &'static str,
        (region, endpoint): (Option<&str>, Option<&str>),
    ) -> Result<Self, Failure> {
        let wrong = |reason: &str, hint: &str| Failure::Login { reason: reason.to_owned(), hint: hint.to_owned() };
        let region = match region {
            Some(region) => Some(Region::new(region.to_owned())),
            None => aws::region(None).await,
        };
        let region = region
            .ok_or_else(|| wrong("no AWS region is set", "set `region = \"..\"` in the receiver, or `AWS_REGION`"))?;
        let config = aws::sdk_config(&region, As::default()).await;
        let endpoint = endpoint.map(str::to_owned).or_else(|| aws::endpoint_of(service, &config));
        let address = endpoint.unwrap_or_else(|| own_endpoint(host, region.as_ref()));
        let address = Address::parse(&address)
            .map_err(|_| wrong("the endpoint is not an address", "write `https://` and a host"))?;
        let credentials = match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await.ok(),
            None => None,
        };
        let credentials = credentials.ok_or_else(|| {
            wrong(
                "no AWS credentials were found",
                "log in as AWS's own tools do: `AWS_PROFILE`, `aws sso login`, or keys in the environment",
            )
        })?;
        let http = Http::new(address.clone());
        Ok(Self { address, region: region.to_string(), credentials, http })
    }

    async fn post(&self, outgoing: Outgoing, signed_as: &str, now: Timestamp) -> Result<Incoming, Failure> {
        let signed =
            super::signing::signed(outgoing, &self.address, (&self.region, signed_as), (&self.credentials, now));
        let signed = signed.map_err(|_| Failure::Silent { host: self.address.host().to_owned() })?;
        post(&self.http, &self.address, signed).await
    }
}

/// The address of a service in a region of AWS.
fn own_endpoint(host: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{host}.{region}.{domain}")
}

/// Sends a request once. Only a status of 2xx is success; what a connection says of its failure could name the address.
async fn post(http: &Http, address: &Address, outgoing: Outgoing) -> Result<Incoming, Failure> {
    let host = || address.host().to_owned();
    match tokio::time::timeout(ANSWER_WITHIN, http.send(&outgoing)).await {
        Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(answer),
        Ok(Ok(answer)) => Err(Failure::Status { host: host(), status: answer.status }),
        Ok(Err(_)) | Err(_) => Err(Failure::Silent { host: host() }),
    }
}

/// That a manifest names a receiver of the settings that is not there.
fn no_such(name: &str) -> Failure {
    Failure::Login {
        reason: format!("the service's settings have no receiver `{name}` of type `email`"),
        hint: format!("an admin creates it: `provision settings set notify.{name} ..`"),
    }
}

/// That a webhook has no signing key, which its reading lets through for none.
fn unnamed() -> Failure {
    Failure::Login { reason: "there is no signing secret".to_owned(), hint: "set `secret` in the receiver".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_aws_is_in_its_region() {
        assert_eq!(own_endpoint("email", "eu-west-1"), "https://email.eu-west-1.amazonaws.com");
        assert_eq!(own_endpoint("events", "cn-north-1"), "https://events.cn-north-1.amazonaws.com.cn");
    }
}
