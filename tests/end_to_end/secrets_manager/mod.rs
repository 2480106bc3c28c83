//! The sink for AWS Secrets Manager, against moto behind the strict layer. Starting moto takes over a second, so a few
//! tests hold many cases, each on secrets of its own.

mod faults;
mod logins;
mod plain;
mod rotated;
mod shared;
mod values;

use std::time::Duration;

use aws_credential_types::Credentials;
use latchkey::entropy::SystemEntropy;
use latchkey::place::Place;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey_sinks::aws_secrets_manager::{AwsSecretsManager, Settings};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::{Delivered, Marker, Receipt, Removal, Seen, SeenEntry, Sink as _, SinkError, Write};
use serde_json::{Value, json};
use tests::engines::{Person, StrictSecretsManager};
use tests::sinks::Nap;

const REGION: &str = "eu-west-1";

/// A Secrets Manager, the sink on it, and somebody at its console.
struct World {
    manager: StrictSecretsManager,
    sink: AwsSecretsManager,
    person: Person,
}

/// One version of a token.
struct Version {
    secret: Secret,
    marker: Marker,
}

impl Version {
    fn first() -> Self {
        Self::of(&TokenId::mint(&SystemEntropy).unwrap(), 1)
    }

    fn next(&self) -> Self {
        Self::of(&self.marker.token_id, self.marker.version + 1)
    }

    fn of(id: &TokenId, version: u32) -> Self {
        let secret = Secret::mint(&Prefix::default(), id, &SystemEntropy).unwrap();
        let marker = Marker { token_id: id.clone(), version, fingerprint: secret.fingerprint() };
        Self { secret, marker }
    }

    /// The id that its version has in Secrets Manager.
    fn id(&self) -> String {
        format!("lk-{}-{}-{}", self.marker.token_id, self.marker.version, self.marker.fingerprint)
    }

    fn to(&self, place: &Place, seen: &Seen) -> OneWrite<'_> {
        OneWrite { version: self, place: place.clone(), seen: seen.clone() }
    }

    /// What a look tells of it.
    fn seen(&self, receipt: &str) -> Seen {
        Seen::Holds(SeenEntry {
            fingerprint: Some(self.marker.fingerprint.clone()),
            token_id: Some(self.marker.token_id.clone()),
            receipt: Receipt(receipt.to_owned()),
            former: Vec::new(),
            lagging: None,
        })
    }
}

struct OneWrite<'a> {
    version: &'a Version,
    place: Place,
    seen: Seen,
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(2))
}

fn settings(endpoint: String) -> Settings {
    Settings { region: Some(REGION.to_owned()), endpoint: Some(endpoint), ..Settings::default() }
}

fn sink(settings: Settings) -> AwsSecretsManager {
    let login = Credentials::new("key", "login", None, None, "tests");
    AwsSecretsManager::with_credentials(settings, login).with_sleep(Nap)
}

impl World {
    async fn start() -> Self {
        let manager = StrictSecretsManager::start().await;
        let sink = sink(settings(manager.url()));
        let person = manager.person(REGION);
        Self { manager, sink, person }
    }

    async fn place(&self, name: &str) -> Place {
        self.sink.place(name, None).await.unwrap()
    }

    async fn key(&self, name: &str, key: &str) -> Place {
        self.sink.place(name, Some(key)).await.unwrap()
    }

    async fn look(&self, place: &Place) -> Result<Seen, SinkError> {
        self.sink.look(&[place]).await.remove(0)
    }

    /// A version of ours went there before.
    fn went_to(&self, place: &Place) {
        self.sink.went_to(&[Delivered { place, receipt: None }]);
    }

    async fn prepare(&self, place: &Place) -> Result<(), SinkError> {
        self.sink.prepare(&[place]).await.remove(0)
    }

    async fn write_all(&self, writes: &[OneWrite<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let writes: Vec<_> = writes
            .iter()
            .map(|OneWrite { version, place, seen }| Write {
                place,
                secret: &version.secret,
                marker: &version.marker,
                token_name: "production-api",
                manifest: "acme",
                seen,
            })
            .collect();
        self.sink.write(&writes, deadline).await
    }

    async fn write(&self, version: &Version, place: &Place, seen: &Seen) -> Result<Receipt, SinkError> {
        self.write_all(&[version.to(place, seen)], soon()).await.remove(0)
    }

    async fn remove(&self, place: &Place, seen: &Seen) -> Result<(), SinkError> {
        self.sink.remove(&[Removal { place, seen }], soon()).await.remove(0)
    }

    /// What a consumer reads.
    async fn value(&self, name: &str) -> Value {
        self.person.call("GetSecretValue", json!({ "SecretId": name })).await.value()["SecretString"].clone()
    }

    async fn described(&self, name: &str) -> Value {
        self.person.call("DescribeSecret", json!({ "SecretId": name })).await.value()
    }

    /// Somebody writes at the console.
    async fn by_hand(&self, name: &str, value: &str) {
        let put = self.person.call("PutSecretValue", json!({ "SecretId": name, "SecretString": value })).await;
        if put.is_error("ResourceNotFoundException") {
            let created = self.person.call("CreateSecret", json!({ "Name": name, "SecretString": value })).await;
            assert!(created.status.is_success(), "{:?}", created.value());
        }
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, SinkError>, wanted: &str) {
    match answer {
        Err(SinkError::Refused { reason, hint } | SinkError::BeingDeleted { reason, hint }) => {
            assert!(reason.contains(wanted), "{reason}");
            assert!(!hint.is_empty());
        }
        other => panic!("should be refused: {other:?}"),
    }
}
