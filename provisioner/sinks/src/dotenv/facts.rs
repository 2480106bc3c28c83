//! What is known of `.env` files without opening any.

use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::shell::{is_own, is_variable};
use super::{Dotenv, KIND, Settings, warnings};
use crate::facts::{DeclaredFile, RunFiles, SinkFacts, Spot, Twin, TypeFacts};
use crate::host::Queues;
use crate::listing::SourceForm;
use crate::login::Login;
use crate::push::PushDeclaration;
use crate::reading::{Fault, Reading, Text, shown};
use crate::rights::{LeastRights, PushedEntry};
use crate::sink::{DeclaredSink, Sink};

const SOURCE: SourceForm =
    SourceForm { word: "dotenv", setting: Some("path"), is_path: true, options: &[], login: None };

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

    fn label(&self, place: &Place, folder: &Path, machine: &str) -> String {
        let part = |name: &str| place.part(name).unwrap_or("?");
        let path = Path::new(part("path"));
        let shown = path.strip_prefix(folder).unwrap_or(path).display();
        let elsewhere = if part("machine") == machine { String::new() } else { format!(" on {}", part("machine")) };
        format!("{shown} {}{elsewhere}", part("name"))
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

    fn undeclared(&self, machine: &str, files: &RunFiles<'_>) -> Option<Arc<dyn Sink>> {
        let modes = files.declared.iter().filter_map(|file| Some((file.path.to_owned(), file.mode?))).collect();
        Some(Arc::new(Dotenv::of_machine(machine).within(files.bounds.clone(), modes)))
    }
}

impl SinkFacts for Settings {
    fn logins(&self) -> Vec<(&'static str, &Login)> {
        Vec::new()
    }

    fn file(&self) -> Option<DeclaredFile<'_>> {
        Some(DeclaredFile { path: &self.path, mode: self.mode })
    }

    fn warnings(&self) -> Vec<String> {
        warnings(&self.path, self.file_mode())
    }

    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>) {
        check_name(name, reading);
    }

    fn spot(&self, push: &PushDeclaration) -> Spot {
        Spot { owner: crate::files::resolve(&self.path).display().to_string(), name: push.name.clone(), apart: None }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        vec![("machine", None), ("path", Some(path.to_string_lossy().into_owned())), ("name", Some(push.name.clone()))]
    }

    fn unpublishable(&self) -> Option<String> {
        Some("it is a file of one machine".to_owned())
    }

    fn twin(&self) -> Option<Twin> {
        None
    }

    fn rights(&self, _: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Words("permission to write the file and its folder")
    }

    fn connect(&self, machine: &str, _: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        Some(Arc::new(Dotenv::of_file(machine, self.path.clone())))
    }
}

fn check_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    if is_own(name.text) {
        let message = format!("`{}` is a variable that a shell sets itself", shown(name.text));
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint("choose another name"));
    } else if !is_variable(name.text) {
        let message = format!("`{}` cannot be a variable's name in a `.env` file", shown(name.text));
        let rule = "a variable's name is letters, digits and `_`, and does not start with a digit";
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    }
}
