//! What is known of secrets of a vault without asking Azure.

use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::{AzureKeyVault, KIND, Network, Settings, Variables};
use crate::facts::{DeclaredFile, ENDPOINT, RunFiles, SinkFacts, Spot, Twin, TypeFacts};
use crate::host::Queues;
use crate::listing::SourceForm;
use crate::login::Login;
use crate::push::PushDeclaration;
use crate::reading::{Fault, Reading, Text, shown};
use crate::rights::{LeastRights, PushedEntry};
use crate::sink::{DeclaredSink, Sink};

const SOURCE: SourceForm = SourceForm {
    word: "azure",
    setting: Some("vault"),
    is_path: false,
    options: &["cloud", "endpoint", "login"],
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
        let vault = part("vault").split('.').next().unwrap_or("?");
        format!("Key Vault {} ({vault})", part("name"))
    }

    fn effect(&self, _: &Place) -> Option<String> {
        None
    }

    fn replaced(&self, _: &Place) -> &'static str {
        "which stays there as an older version"
    }

    fn restarts(&self, _: &Place) -> Option<String> {
        None
    }

    fn absence_hides_deployments(&self, _: &Place) -> bool {
        false
    }

    /// A version of ours has the same one in every vault.
    fn receipts_are_unique(&self) -> bool {
        false
    }

    fn undeclared(&self, _: &str, _: &RunFiles<'_>) -> Option<Arc<dyn Sink>> {
        None
    }
}

impl SinkFacts for Settings {
    fn logins(&self) -> Vec<(&'static str, &Login)> {
        self.login.iter().map(|login| ("login", login)).collect()
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

    /// Names are compared without case.
    fn spot(&self, push: &PushDeclaration) -> Spot {
        let owner = format!("{:?} {}", self.endpoint, self.host());
        Spot { owner, name: push.name.to_ascii_lowercase(), apart: None }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        let mut parts = vec![("vault", Some(self.host()))];
        parts.extend(self.endpoint.clone().map(|endpoint| ("endpoint", Some(endpoint))));
        // Names are compared without case, as where they land.
        parts.push(("name", Some(push.name.to_ascii_lowercase())));
        parts
    }

    fn unpublishable(&self) -> Option<String> {
        if self.endpoint.is_some() {
            return Some(ENDPOINT.to_owned());
        }
        match &self.login {
            Some(login) => login.unpublishable("login"),
            None => Some("it has no `login`: the job has no identity at Azure of its own".to_owned()),
        }
    }

    fn twin(&self) -> Option<Twin> {
        None
    }

    fn rights(&self, _: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Words(
            "the role Key Vault Secrets Officer on the vault (get, list, set, delete, recover and update of secrets), for the \
             identity that signs in",
        )
    }

    fn connect(&self, _: &str, queues: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        Some(Arc::new(AzureKeyVault::new(self.clone(), Variables::Process, Network::new(queues))))
    }
}

fn check_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=127).contains(&name.text.len()) && name.text.bytes().all(is_part) {
        return;
    }
    let message = format!("`{}` cannot be a secret's name in Key Vault", shown(name.text));
    let near: String =
        name.text.chars().map(|found| if matches!(found, '_' | '.' | '/' | ' ') { '-' } else { found }).collect();
    let hint = if (1..=127).contains(&near.len()) && near.bytes().all(is_part) {
        format!("a secret's name is 1 to 127 letters, digits and `-`, for instance `{}`", shown(&near))
    } else {
        "a secret's name is 1 to 127 letters, digits and `-`".to_owned()
    };
    reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(hint));
}
