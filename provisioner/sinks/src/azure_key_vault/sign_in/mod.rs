//! Signing in to Azure: a token for Key Vault, and for nothing else, kept until shortly before it ends.
//!
//! The ways are tried in a fixed order, and the first that the environment has is the one: half a set of variables is an
//! error that names the rest, never a reason to try the next as somebody else. Where a token is asked for depends on the
//! cloud and the environment alone, never on the manifest's endpoint nor on what the vault says.

mod az;
mod granted;
mod identity;
mod methods;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};
use zeroize::Zeroizing;

use self::methods::Method;
use super::cloud;
use super::network::Network;
use super::settings::{Cloud, SignInMethod};
use crate::SinkError;
use crate::login::{Keeper, Login};

/// A token is renewed so long before it ends, so that no request meets its end on the way.
const BEFORE: Duration = Duration::from_mins(5);

/// The environment variables that a sign-in reads.
#[derive(Clone)]
pub enum Variables {
    /// Those of this process.
    Process,
    /// These: for tests.
    These(BTreeMap<String, String>),
}

impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Variables")
    }
}

impl Variables {
    /// The value of one; an empty one counts as none.
    fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        let value = match self {
            Self::Process => std::env::var(name).ok(),
            Self::These(these) => these.get(name).cloned(),
        };
        value.map(|value| Zeroizing::new(value.trim().to_owned())).filter(|value| !value.is_empty())
    }
}

/// A token with the time at which another is asked for.
struct Token {
    text: Zeroizing<String>,
    until: Duration,
}

/// The sign-in of one sink.
pub(super) struct SignIn {
    cloud: Cloud,
    wanted: Option<SignInMethod>,
    login: Option<Keeper>,
    variables: Variables,
    network: Network,
    method: OnceCell<Method>,
    token: Mutex<Option<Token>>,
}

impl SignIn {
    /// Nothing is read or asked yet.
    pub(super) fn new(
        cloud: Cloud,
        wanted: Option<SignInMethod>,
        login: Option<Login>,
        variables: Variables,
        network: Network,
    ) -> Self {
        let login = login.map(Keeper::new);
        Self { cloud, wanted, login, variables, network, method: OnceCell::new(), token: Mutex::default() }
    }

    /// Where sign-ins of this cloud go.
    pub(super) fn authority(&self) -> Result<crate::transport::Address, SinkError> {
        cloud::authority(self.cloud, self.variables.get("AZURE_AUTHORITY_HOST").as_deref().map(String::as_str))
    }

    /// The tenant that the environment signs in to, where it is told by its id.
    pub(super) async fn tenant(&self) -> Result<Option<String>, SinkError> {
        let method = self.method().await?;
        Ok(method.tenant().filter(|tenant| cloud::is_id(tenant)).map(str::to_owned))
    }

    /// A token that works for some minutes yet.
    pub(super) async fn token(&self) -> Result<Zeroizing<String>, SinkError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| (self.network.elapsed)() < token.until) {
            return Ok(token.text.clone());
        }
        self.renew(&mut kept).await
    }

    /// Another one, after `refused` was.
    pub(super) async fn refresh_after_refusal(&self, refused: &str) -> Result<Zeroizing<String>, SinkError> {
        let mut kept = self.token.lock().await;
        if let Some(other) = kept.as_ref().filter(|kept| kept.text.as_str() != refused) {
            return Ok(other.text.clone());
        }
        self.renew(&mut kept).await
    }

    /// In few words how it is signed in, for messages.
    pub(super) fn words(&self) -> &'static str {
        self.method.get().map_or("the sign-in", Method::words)
    }

    async fn renew(&self, kept: &mut Option<Token>) -> Result<Zeroizing<String>, SinkError> {
        *kept = None;
        let asked = (self.network.elapsed)();
        let authority = self.authority()?;
        let granted = Box::pin(self.method().await?.token(self.cloud, &authority, &self.network)).await?;
        // It becomes a header.
        if !granted.text.bytes().all(|byte| byte.is_ascii_graphic()) || granted.text.is_empty() {
            return Err(SinkError::Login {
                reason: format!("{} returned something that is not a token", self.words()),
                hint: "sign in again".to_owned(),
            });
        }
        let usable = granted.lasts.saturating_sub(BEFORE).max(granted.lasts / 2);
        *kept = Some(Token { text: granted.text.clone(), until: asked + usable });
        Ok(granted.text)
    }

    async fn method(&self) -> Result<&Method, SinkError> {
        let choose =
            || Box::pin(methods::choose(self.wanted, self.login.as_ref(), &self.variables, &self.network, self.cloud));
        self.method.get_or_try_init(choose).await
    }
}
