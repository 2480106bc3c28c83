//! What is known of secrets without asking AWS.

use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::{AwsSecretsManager, KIND, Settings, rights};
use crate::facts::{Apart, DeclaredFile, ENDPOINT, RunFiles, SinkFacts, Spot, Twin, TypeFacts};
use crate::host::Queues;
use crate::listing::SourceForm;
use crate::login::Login;
use crate::push::PushDeclaration;
use crate::reading::{Fault, Reading, Text, shown};
use crate::rights::{LeastRights, PushedEntry};
use crate::sink::{DeclaredSink, Sink};

const SOURCE: SourceForm = SourceForm {
    word: "aws",
    setting: None,
    is_path: false,
    options: &["region", "account", "profile", "endpoint"],
    login: None,
};

/// The type.
pub(crate) struct Type;

impl TypeFacts for Type {
    fn name(&self) -> &'static str {
        KIND
    }

    fn source(&self) -> Option<&'static SourceForm> {
        Some(&SOURCE)
    }

    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>) {
        check_name(name, reading);
    }

    fn check_together(&self, _: &[&PushDeclaration], _: &mut Reading<'_>) {}

    fn label(&self, place: &Place, _: &Path, _: &str) -> String {
        let part = |name: &str| place.part(name).unwrap_or("?");
        let key = place.part("json_key").map(|key| format!(" key {key}")).unwrap_or_default();
        format!("Secrets Manager {}{key} ({})", part("name"), part("region"))
    }

    fn effect(&self, _: &Place) -> Option<String> {
        None
    }

    fn replaced(&self, _: &Place) -> &'static str {
        "which stays there as `AWSPREVIOUS` until the next change"
    }

    fn restarts(&self, _: &Place) -> Option<String> {
        None
    }

    fn absence_hides_deployments(&self, _: &Place) -> bool {
        false
    }

    /// A version of ours has the same id in every secret that it goes to.
    fn receipts_are_unique(&self) -> bool {
        false
    }

    fn undeclared(&self, _: &str, _: &RunFiles<'_>) -> Option<Arc<dyn Sink>> {
        None
    }
}

impl SinkFacts for Settings {
    /// AWS's own tools find the login.
    fn logins(&self) -> Vec<(&'static str, &Login)> {
        Vec::new()
    }

    fn file(&self) -> Option<DeclaredFile<'_>> {
        None
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>) {
        check_name(name, reading);
    }

    fn spot(&self, push: &PushDeclaration) -> Spot {
        Spot {
            owner: format!("{:?} {:?}", self.region, self.endpoint),
            name: push.name.clone(),
            apart: Some(Apart { account: self.account.clone(), json_key: push.json_key.clone() }),
        }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        let mut parts = vec![("account", self.account.clone()), ("region", self.region.clone())];
        parts.extend(self.endpoint.clone().map(|endpoint| ("endpoint", Some(endpoint))));
        parts.push(("name", Some(push.name.clone())));
        parts.extend(push.json_key.clone().map(|key| ("json_key", Some(key))));
        parts
    }

    fn unpublishable(&self) -> Option<String> {
        match (&self.endpoint, &self.profile) {
            (Some(_), _) => Some(ENDPOINT.to_owned()),
            (None, Some(profile)) => Some(format!("its `profile` is `{profile}`, and the job has no profiles")),
            (None, None) => None,
        }
    }

    fn twin(&self) -> Option<Twin> {
        None
    }

    fn rights(&self, entries: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Statements(rights::of_sink(self, entries))
    }

    fn connect(&self, _: &str, _: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        Some(Arc::new(AwsSecretsManager::new(self.clone())))
    }
}

fn check_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    if !(1..=512).contains(&name.text.len()) || !name.text.bytes().all(is_part) {
        let message = format!("`{}` cannot be a secret's name in Secrets Manager", shown(name.text));
        let rule = "a secret's name is 1 to 512 letters, digits and `/_+=.@-`";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
        return;
    }
    let bytes = name.text.as_bytes();
    let looks_like_arn = bytes.len() > 7
        && bytes[bytes.len() - 7] == b'-'
        && bytes[bytes.len() - 6..].iter().all(u8::is_ascii_alphanumeric);
    if looks_like_arn {
        let message = format!("`{}` ends in a hyphen and six characters, as ARNs do", shown(name.text));
        let hint = "AWS advises against it: a lookup by partial ARN may find the wrong secret";
        reading.add(Fault::warning("arn-like-name", name.span.clone(), message).hint(hint));
    }
}
