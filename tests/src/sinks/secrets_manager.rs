//! Secrets Manager: moto behind the layer that is as strict as AWS.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use hyper::StatusCode;
use latchkey::place::Place;
use latchkey_sinks::aws_secrets_manager::{AwsSecretsManager, Settings};
use latchkey_sinks::conformance::{Bench, On, Trouble};
use latchkey_sinks::{DeclaredSink, PushDeclaration, SinkFacts};
use serde_json::{Value, json};

use super::{Nap, ToolBench};
use crate::engines::{Fault, Person, StrictSecretsManager};

const REGION: &str = "eu-west-1";
/// The secret that several tokens share.
const SHARED: &str = "conformance/shared";

/// A Secrets Manager with one secret an entry, or with one secret for all.
#[derive(Debug)]
pub struct SecretsManagerBench {
    manager: StrictSecretsManager,
    person: Person,
    shared: bool,
}

impl SecretsManagerBench {
    /// One secret an entry.
    pub async fn plain() -> Self {
        let manager = StrictSecretsManager::start().await;
        let person = manager.person(REGION);
        Self { manager, person, shared: false }
    }

    /// One secret whose value is an object with a key an entry.
    pub async fn shared() -> Self {
        let bench = Self { shared: true, ..Self::plain().await };
        let empty = json!({ "Name": SHARED, "SecretString": "{}" });
        assert!(bench.person.call("CreateSecret", empty).await.status.is_success(), "a secret for all");
        bench
    }

    /// How many requests came from the sink, its first questions about the login apart.
    pub fn requests(&self) -> usize {
        ["ListSecrets", "DescribeSecret", "GetSecretValue"].map(|target| self.manager.count(target)).iter().sum()
    }

    /// The next list is refused, as to a login without that right.
    pub fn refuses_lists(&self) {
        let message = "User is not authorized to perform: secretsmanager:ListSecrets".to_owned();
        self.manager.fail("ListSecrets", 1, Fault::Refuse(StatusCode::BAD_REQUEST, "AccessDeniedException", message));
    }

    async fn string(&self, name: &str) -> Option<String> {
        let answer =
            self.person.call("GetSecretValue", json!({ "SecretId": name, "VersionStage": "AWSCURRENT" })).await;
        answer.value()["SecretString"].as_str().map(str::to_owned)
    }

    async fn object(&self) -> BTreeMap<String, Value> {
        let text = self.string(SHARED).await.unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn settings(&self) -> Settings {
        Settings { region: Some(REGION.to_owned()), endpoint: Some(self.manager.url()), ..Settings::default() }
    }

    async fn put(&self, name: &str, value: &str) {
        let body = json!({ "SecretId": name, "SecretString": value });
        let answer = self.person.call("PutSecretValue", body).await;
        if answer.is_error("ResourceNotFoundException") {
            let created = self.person.call("CreateSecret", json!({ "Name": name, "SecretString": value })).await;
            assert!(created.status.is_success(), "{:?}", created.value());
        }
    }
}

#[async_trait]
impl Bench for SecretsManagerBench {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        let login = Credentials::new("key", "login", None, None, "tests");
        Arc::new(AwsSecretsManager::with_credentials(self.settings(), login).with_sleep(Nap))
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        Some(Box::new(self.settings()))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        if self.shared {
            return PushDeclaration { json_key: Some(name.to_owned()), ..PushDeclaration::plain("vault", SHARED) };
        }
        PushDeclaration::plain("vault", &format!("conformance/{name}"))
    }

    async fn value(&self, place: &Place) -> Option<String> {
        match place.part("json_key") {
            Some(key) => self.object().await.get(key).and_then(Value::as_str).map(str::to_owned),
            None => self.string(place.part("name")?).await,
        }
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        let Some(key) = place.part("json_key") else { return self.put(place.part("name").unwrap_or("?"), value).await };
        let mut object = self.object().await;
        object.insert(key.to_owned(), json!(value));
        self.put(SHARED, &json!(object).to_string()).await;
    }

    async fn removed_by_hand(&self, place: &Place) {
        let Some(key) = place.part("json_key") else {
            self.person.call("DeleteSecret", json!({ "SecretId": place.part("name") })).await;
            return;
        };
        let mut object = self.object().await;
        object.remove(key);
        self.put(SHARED, &json!(object).to_string()).await;
    }

    fn trouble(&self, trouble: Trouble, on: On) -> bool {
        let fault = match trouble {
            Trouble::Throttled(None) => Fault::Throttle,
            // Secrets Manager says no time.
            Trouble::Throttled(Some(_)) => return false,
            Trouble::Broken(500) => Fault::ServerError,
            Trouble::Broken(_) => {
                Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "try again".to_owned())
            }
            Trouble::Unheard => Fault::LoseRequest,
            Trouble::Unanswered => Fault::LoseReply,
            Trouble::LoginExpired => {
                let message = "The security token included in the request is expired".to_owned();
                Fault::Refuse(StatusCode::BAD_REQUEST, "ExpiredTokenException", message)
            }
            Trouble::Forbidden => {
                let message = "User is not authorized to perform this".to_owned();
                Fault::Refuse(StatusCode::BAD_REQUEST, "AccessDeniedException", message)
            }
        };
        let target = match (on, self.shared, trouble) {
            (On::Read, true, _) => "GetSecretValue",
            (On::Read, false, _) => "DescribeSecret",
            // These come while an entry that is there is written.
            (On::Write, false, Trouble::Forbidden) if self.manager.pending("CreateSecret") > 0 => "CreateSecret",
            (On::Write, false, trouble) if !matches!(trouble, Trouble::LoginExpired | Trouble::Forbidden) => {
                "CreateSecret"
            }
            (On::Write, ..) => "PutSecretValue",
        };
        // One after another.
        self.manager.fail(target, self.manager.pending(target) + 1, fault);
        true
    }

    async fn changes(&self) -> usize {
        let listed =
            self.person.call("ListSecrets", json!({ "IncludePlannedDeletion": true, "MaxResults": 100 })).await;
        let listed = listed.value();
        assert!(listed["NextToken"].is_null(), "one page holds them all");
        let mut changes = 0;
        for secret in listed["SecretList"].as_array().into_iter().flatten() {
            let body = json!({ "SecretId": secret["Name"], "IncludeDeprecated": true });
            let versions = self.person.call("ListSecretVersionIds", body).await;
            changes += versions.value()["Versions"].as_array().map_or(0, Vec::len);
            changes += usize::from(!secret["DeletedDate"].is_null());
        }
        changes
    }
}

#[async_trait]
impl ToolBench for SecretsManagerBench {
    fn url(&self) -> Option<String> {
        Some(self.manager.url())
    }

    fn declaration(&self, url: &str) -> String {
        format!("type = \"aws-secrets-manager\"\nregion = \"{REGION}\"\nendpoint = \"{url}\"\n")
    }

    fn environment(&self) -> Vec<(String, String)> {
        [("AWS_ACCESS_KEY_ID", "tests"), ("AWS_SECRET_ACCESS_KEY", "tests"), ("AWS_EC2_METADATA_DISABLED", "true")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}
