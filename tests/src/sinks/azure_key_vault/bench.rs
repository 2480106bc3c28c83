//! The fake as the conformance suite sees it.

use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use latchkey::clock::{Clock as _, SystemClock};
use latchkey::place::Place;
use latchkey_sinks::azure_key_vault::{AzureKeyVault, Cloud, Network, Settings, SignInMethod, Variables};
use latchkey_sinks::conformance::{Bench, On, Trouble};
use latchkey_sinks::deadline::Elapsed;
use latchkey_sinks::host::Queues;
use latchkey_sinks::{DeclaredSink, PushDeclaration, SinkFacts};

use super::super::{Nap, ToolBench, elapsed};
use super::{CLIENT_SECRET, KeyVault};

/// A vault, and a sink that signs in with a client secret.
#[derive(Debug)]
pub struct KeyVaultBench {
    /// What stands behind it.
    pub vault: KeyVault,
}

/// The present time, whatever naps there were.
fn now() -> i64 {
    SystemClock.now().as_second()
}

impl KeyVaultBench {
    /// An empty vault.
    pub async fn start() -> Self {
        Self { vault: KeyVault::start(now).await }
    }

    /// The sink of a run with other settings or another environment.
    pub fn sink_with(&self, settings: Settings, variables: Variables) -> AzureKeyVault {
        let network = Network { queues: Queues::default(), sleep: SharedAsyncSleep::new(Nap), elapsed };
        AzureKeyVault::new(settings, variables, network)
    }

    /// What a manifest says of the fake.
    pub fn settings(&self, sign_in: Option<SignInMethod>) -> Settings {
        Settings {
            vault: "acme".to_owned(),
            cloud: Cloud::Public,
            sign_in,
            login: None,
            endpoint: Some(self.vault.url()),
            expires: None,
            content_type: None,
        }
    }
}

fn name(place: &Place) -> &str {
    place.part("name").expect("a place has a name")
}

#[async_trait]
impl Bench for KeyVaultBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(self.sink_with(self.settings(None), Variables::These(self.vault.variables())))
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        Some(Box::new(self.settings(None)))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration::plain("box", &name.replace('_', "-"))
    }

    async fn value(&self, place: &Place) -> Option<String> {
        let newest = self.vault.versions(name(place)).pop()?;
        newest.enabled.then_some(newest.value)
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        self.vault.set_by_hand(name(place), value, &[]);
    }

    async fn removed_by_hand(&self, place: &Place) {
        self.vault.delete_by_hand(name(place));
    }

    fn trouble(&self, trouble: Trouble, on: On) -> bool {
        self.vault.trouble(trouble, on);
        true
    }

    async fn changes(&self) -> usize {
        self.vault.changes()
    }

    fn spoken(&self) -> String {
        let said = self.vault.said();
        assert!(!said.contains(CLIENT_SECRET), "the login was said where no secret belongs");
        said
    }

    fn clock(&self) -> Elapsed {
        elapsed
    }
}

#[async_trait]
impl ToolBench for KeyVaultBench {
    fn url(&self) -> Option<String> {
        Some(self.vault.url())
    }

    fn declaration(&self, url: &str) -> String {
        format!("type = \"azure-key-vault\"\nvault = \"acme\"\nendpoint = \"{url}\"\n")
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.vault.variables().into_iter().collect()
    }
}
