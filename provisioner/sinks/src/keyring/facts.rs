//! What is known of entries of a keyring without opening it.

use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::{KIND, Keyring, Session, Settings};
use crate::facts::{DeclaredFile, RunFiles, SinkFacts, Spot, Twin, TypeFacts};
use crate::host::Queues;
use crate::listing::SourceForm;
use crate::login::Login;
use crate::push::PushDeclaration;
use crate::reading::{Fault, Reading, Text, is_plain, shown};
use crate::rights::{LeastRights, PushedEntry};
use crate::sink::{DeclaredSink, Sink};

/// The type.
pub(crate) struct Type;

impl TypeFacts for Type {
    fn name(&self) -> &'static str {
        KIND
    }

    /// Libraries call what names an entry by many names.
    fn source(&self) -> Option<&'static SourceForm> {
        None
    }

    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>) {
        check_name(name, reading);
    }

    fn check_together(&self, _: &[&PushDeclaration], _: &mut Reading<'_>) {}

    fn label(&self, place: &Place, _: &Path, machine: &str) -> String {
        let part = |name: &str| place.part(name).unwrap_or("?");
        let elsewhere = if part("machine") == machine { String::new() } else { format!(" on {}", part("machine")) };
        format!("keyring {}/{}{elsewhere}", part("service"), part("name"))
    }

    fn effect(&self, _: &Place) -> Option<String> {
        None
    }

    fn replaced(&self, _: &Place) -> &'static str {
        "which cannot be brought back"
    }

    fn restarts(&self, _: &Place) -> Option<String> {
        None
    }

    fn absence_hides_deployments(&self, _: &Place) -> bool {
        false
    }

    /// It is told by the value.
    fn receipts_are_unique(&self) -> bool {
        false
    }

    fn undeclared(&self, _: &str, _: &RunFiles<'_>) -> Option<Arc<dyn Sink>> {
        None
    }
}

impl SinkFacts for Settings {
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
        Spot { owner: self.service.clone(), name: push.name.clone(), apart: None }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("machine", None),
            ("user", None),
            ("service", Some(self.service.clone())),
            ("name", Some(push.name.clone())),
        ]
    }

    fn unpublishable(&self) -> Option<String> {
        Some("it is the keyring of one machine".to_owned())
    }

    fn twin(&self) -> Option<Twin> {
        None
    }

    fn rights(&self, _: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Words("an unlocked keyring of this user; nothing else")
    }

    fn connect(&self, machine: &str, _: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        Some(Arc::new(Keyring::new(self.clone(), Session::of_process(machine))))
    }
}

fn check_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    if !(1..=128).contains(&name.text.chars().count()) || !is_plain(name.text) || name.text.trim() != name.text {
        let message = format!("`{}` cannot be the name of an entry in a keyring", shown(name.text));
        let rule = "the name of an entry is 1 to 128 characters, without control characters or spaces at its ends";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    }
}
