//! Requests to one vault. The first one carries no token: the vault says what it wants one for, and only where that is
//! right does it ever get one.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::bundle::{Bundle, Page};
use super::cloud::Challenge;
use super::failure::{Asked, codes, rejects};
use super::life::Expires;
use super::marker::Tags;
use super::settings::Cloud;
use super::sign_in::SignIn;
use crate::SinkError;
use crate::bearer::date;
use crate::deadline::Deadline;
use crate::host::{Ask, Effect, Host, Unanswered};
use crate::transport::{Address, Incoming};

/// Of these, the one that all clouds have had for years.
const VERSION: &str = "api-version=7.4";
/// What a person sees as the type of the value, unless the sink says otherwise.
const CONTENT_TYPE: &str = "text/plain";
/// Pages of 25: more secrets than any vault is meant for.
const PAGES_MAX: usize = 10_000;

pub(super) struct Calls {
    pub(super) vault: String,
    pub(super) cloud: Cloud,
    pub(super) address: Address,
    pub(super) host: Host,
    pub(super) sign_in: SignIn,
    pub(super) challenged: OnceCell<()>,
    /// The vault's time as its last answer told, in seconds since 1970.
    pub(super) told: AtomicI64,
    pub(super) expires: Option<Expires>,
    pub(super) content_type: Option<String>,
}

/// What a secret is, as far as the vault tells.
pub(super) enum Got {
    There(Bundle),
    Missing,
    /// Nobody can read it, and the vault does not say what it is.
    Disabled,
}

/// How a PUT ended that was answered.
pub(super) enum Put {
    Done(Bundle),
    /// The name belongs to a secret that was deleted, and can be recovered.
    Deleted,
    /// The name is on its way out or back: a moment later it can be told.
    Busy,
}

#[derive(Serialize)]
struct SetSecret<'a> {
    value: &'a str,
    tags: &'a Tags,
    #[serde(rename = "contentType")]
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Lifetime>,
}

#[derive(Serialize)]
struct Lifetime {
    /// In seconds since 1970.
    exp: i64,
}

#[derive(Serialize)]
struct Update<'a> {
    attributes: Enabled,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a Tags>,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

impl Calls {
    /// The current version, its value too: there is no other answer to what a consumer reads, as lists of versions are
    /// in no order and their times in whole seconds.
    pub(super) async fn get(&self, name: &str) -> Result<Got, SinkError> {
        self.got(name, &format!("/secrets/{name}?{VERSION}")).await
    }

    pub(super) async fn get_version(&self, name: &str, version: &str) -> Result<Got, SinkError> {
        self.got(name, &format!("/secrets/{name}/{}?{VERSION}", checked(version)?)).await
    }

    async fn got(&self, name: &str, target: &str) -> Result<Got, SinkError> {
        let answer = self.ask(|| Ask::read(target)).await?;
        match answer.status {
            200 => Ok(Got::There(self.parse(&answer)?)),
            404 => Ok(Got::Missing),
            403 if codes(&answer).inner == "SecretDisabled" => Ok(Got::Disabled),
            _ => Err(self.asked("read", name).failed(&answer)),
        }
    }

    /// The secret of that name that was deleted and can be recovered. `None` also where this sign-in may not ask.
    pub(super) async fn deleted(&self, name: &str) -> Result<Option<Bundle>, SinkError> {
        let answer = self.ask(|| Ask::read(format!("/deletedsecrets/{name}?{VERSION}"))).await?;
        match answer.status {
            200 => Ok(Some(self.parse(&answer)?)),
            403 | 404 => Ok(None),
            _ => Err(self.asked("read what was deleted of", name).failed(&answer)),
        }
    }

    /// All versions, without values, in no order.
    pub(super) async fn versions(&self, name: &str) -> Result<Vec<Bundle>, SinkError> {
        let mut found = Vec::new();
        let first = format!("/secrets/{name}/versions?{VERSION}&maxresults=25");
        self.pages(first, ("list the versions of", name), |page| {
            found.extend(page);
            true
        })
        .await?;
        Ok(found)
    }

    /// All secrets of the vault as lists show them, page by page while `more` wants them.
    pub(super) async fn secrets(&self, more: impl FnMut(Vec<Bundle>) -> bool + Send) -> Result<(), SinkError> {
        self.pages(format!("/secrets?{VERSION}&maxresults=25"), ("list", ""), more).await
    }

    /// The names that were deleted and can be recovered. Empty where this sign-in may not ask.
    pub(super) async fn deleted_names(&self) -> Result<Vec<String>, SinkError> {
        let mut names = Vec::new();
        let first = format!("/deletedsecrets?{VERSION}&maxresults=25");
        let listed = self.pages(first, ("list what was deleted of", ""), |page| {
            names.extend(page.iter().map(Bundle::name));
            true
        });
        match listed.await {
            Ok(()) | Err(SinkError::Denied { .. }) => Ok(names),
            Err(error) => Err(error),
        }
    }

    /// Makes a new version. Sent once: whoever gets no answer looks before trying again.
    pub(super) async fn put(&self, name: &str, value: &str, tags: &Tags, deadline: Deadline) -> Result<Put, SinkError> {
        let content_type = self.content_type.as_deref().unwrap_or(CONTENT_TYPE);
        let attributes = self.expiry()?.map(|exp| Lifetime { exp });
        let body = SetSecret { value, tags, content_type, attributes };
        let target = format!("/secrets/{name}?{VERSION}");
        let answer = self.ask(|| Ask::new("PUT", &*target, Effect::Once(deadline)).json(&body)).await?;
        let codes = codes(&answer);
        match (answer.status, codes.inner.as_str()) {
            (200, _) => Ok(Put::Done(self.parse(&answer)?)),
            (409, "ObjectIsDeletedButRecoverable") => Ok(Put::Deleted),
            (409, "ObjectIsBeingDeleted" | "ObjectIsBeingRecovered") => Ok(Put::Busy),
            _ => {
                let error = self.asked("set", name).failed(&answer);
                Err(if answer.sent == 1 && rejects(&answer) { error.rejected() } else { error })
            }
        }
    }

    /// Lets nobody read a version any more, and says why in its tags.
    pub(super) async fn disable(
        &self,
        name: &str,
        version: &str,
        tags: Option<&Tags>,
        deadline: Deadline,
    ) -> Result<(), SinkError> {
        let body = Update { attributes: Enabled { enabled: false }, tags };
        let target = format!("/secrets/{name}/{}?{VERSION}", checked(version)?);
        let answer = self.ask(|| Ask::new("PATCH", &*target, Effect::Repeatable(deadline)).json(&body)).await?;
        match answer.status {
            200 | 404 => Ok(()),
            _ => Err(self.asked("disable", name).failed(&answer)),
        }
    }

    /// Deletes a secret with all its versions; it can be recovered for a time that the vault sets.
    pub(super) async fn delete(&self, name: &str, deadline: Deadline) -> Result<(), SinkError> {
        let target = format!("/secrets/{name}?{VERSION}");
        let answer = self.ask(|| Ask::new("DELETE", &*target, Effect::Repeatable(deadline))).await?;
        match (answer.status, codes(&answer).inner.as_str()) {
            (200 | 404, _) | (409, "ObjectIsBeingDeleted") => Ok(()),
            _ => Err(self.asked("delete", name).failed(&answer)),
        }
    }

    /// Starts to bring a deleted secret back. It takes a while.
    pub(super) async fn recover(&self, name: &str, deadline: Deadline) -> Result<(), SinkError> {
        let target = format!("/deletedsecrets/{name}/recover?{VERSION}");
        let answer = self.ask(|| Ask::new("POST", &*target, Effect::Repeatable(deadline))).await?;
        match (answer.status, codes(&answer).inner.as_str()) {
            (200 | 404, _) | (409, "ObjectIsBeingRecovered" | "ObjectIsBeingDeleted") => Ok(()),
            (403, _) => match self.asked("recover", name).failed(&answer) {
                SinkError::Denied { reason, hint } => Err(SinkError::Denied {
                    reason: format!("{reason}, and Key Vault keeps the name of a deleted secret until it is recovered"),
                    hint,
                }),
                other => Err(other),
            },
            _ => Err(self.asked("recover", name).failed(&answer)),
        }
    }

    /// The vault's time, as far as an answer has told it.
    pub(super) fn now(&self) -> Option<i64> {
        Some(self.told.load(Ordering::Relaxed)).filter(|told| *told > i64::MIN)
    }

    /// When what is written now ends for Azure.
    ///
    /// # Errors
    /// When that has passed.
    pub(super) fn expiry(&self) -> Result<Option<i64>, SinkError> {
        self.expires.map(|expires| expires.from(self.now())).transpose()
    }

    fn asked<'a>(&'a self, action: &'static str, name: &'a str) -> Asked<'a> {
        Asked { vault: &self.vault, signed_in: self.sign_in.words(), action, name }
    }

    fn parse<T: DeserializeOwned>(&self, answer: &Incoming) -> Result<T, SinkError> {
        serde_json::from_slice(&answer.body).map_err(|_| SinkError::Unreachable {
            reason: format!("`{}` does not answer like a key vault", self.host.name()),
        })
    }

    async fn pages(
        &self,
        first: String,
        (action, name): (&'static str, &str),
        mut more: impl FnMut(Vec<Bundle>) -> bool + Send,
    ) -> Result<(), SinkError> {
        let mut target = first;
        for _ in 0..PAGES_MAX {
            let answer = self.ask(|| Ask::read(&*target)).await?;
            if answer.status != 200 {
                return Err(self.asked(action, name).failed(&answer));
            }
            let page: Page = self.parse(&answer)?;
            let wanted = more(page.value.unwrap_or_default());
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) if wanted => {
                    let next = self.own_target(&link)?;
                    if next == target {
                        break;
                    }
                    target = next;
                }
                _ => return Ok(()),
            }
        }
        Err(SinkError::Unreachable { reason: format!("the list of secrets from `{}` does not end", self.host.name()) })
    }

    /// The next page, which has to be the same vault's: the request carries the token.
    fn own_target(&self, link: &str) -> Result<String, SinkError> {
        let own = link.parse::<http::Uri>().ok().and_then(|uri| {
            let base = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
            let same = Address::parse(&base).ok()?.to_string() == self.address.to_string();
            let target = uri.path_and_query()?.as_str().to_owned();
            (same && (target.starts_with("/secrets") || target.starts_with("/deletedsecrets"))).then_some(target)
        });
        own.ok_or_else(|| SinkError::Refused {
            reason: format!("`{}` redirects to another host for the rest of a list", self.host.name()),
            hint: "check `endpoint`: a real vault does not do that".to_owned(),
        })
    }

    /// Sends a request with a token, and once more with another after a 401.
    async fn ask(&self, build: impl Fn() -> Ask + Send + Sync) -> Result<Incoming, SinkError> {
        self.challenged.get_or_try_init(|| Box::pin(self.challenge())).await?;
        let token = self.sign_in.token().await?;
        let answer = self.send(build(), &token).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let fresh = self.sign_in.refresh_after_refusal(&token).await?;
        self.send(build(), &fresh).await
    }

    async fn send(&self, ask: Ask, token: &Zeroizing<String>) -> Result<Incoming, SinkError> {
        let ask =
            ask.header("accept", "application/json").header("authorization", format!("Bearer {}", token.as_str()));
        let answer = self.host.ask(&ask).await.map_err(unanswered)?;
        if let Some(told) = date(&answer) {
            self.told.store(told, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Asks without a token what the vault wants one for.
    async fn challenge(&self) -> Result<(), SinkError> {
        let authority = self.sign_in.authority()?;
        let ask = Ask::read(format!("/secrets?{VERSION}&maxresults=1")).header("accept", "application/json");
        let answer = self.host.ask(&ask).await.map_err(unanswered)?;
        if answer.status != 401 {
            let failed = self.asked("list", "").failed(&answer);
            return Err(match failed {
                SinkError::Denied { .. } | SinkError::Unreachable { .. } => failed,
                _ => SinkError::Refused {
                    reason: format!("no token was sent: `{}` does not ask for one, as a vault would", self.host.name()),
                    hint: "check `vault` and `endpoint`".to_owned(),
                },
            });
        }
        let challenge = answer.header("www-authenticate").and_then(Challenge::parse);
        let challenge = challenge.ok_or_else(|| SinkError::Refused {
            reason: format!("no token was sent: `{}` does not say which one it needs", self.host.name()),
            hint: "check `endpoint`".to_owned(),
        })?;
        challenge.check(self.cloud, self.host.name(), &authority)?;
        match (challenge.tenant(), self.sign_in.tenant().await?) {
            (Some(its), Some(ours)) if !its.eq_ignore_ascii_case(&ours) => Err(SinkError::Login {
                reason: format!(
                    "the vault `{}` belongs to tenant `{its}`, but the sign-in to tenant `{ours}`",
                    self.vault
                ),
                hint: "sign in to that tenant, or check `vault`".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

fn unanswered(error: Unanswered) -> SinkError {
    match error {
        Unanswered::Late => SinkError::Late,
        Unanswered::Silent(reason) => SinkError::Unreachable { reason },
    }
}

/// A version's id, which becomes a part of a path.
fn checked(version: &str) -> Result<&str, SinkError> {
    let good = (1..=64).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then_some(version)
        .ok_or_else(|| SinkError::Unreachable { reason: "the vault returned an invalid version id".to_owned() })
}
