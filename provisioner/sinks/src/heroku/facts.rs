//! What is known of config vars without asking Heroku.

use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::{Heroku, KIND, Settings, Stage, Target};
use crate::facts::{DeclaredFile, ENDPOINT, RunFiles, SinkFacts, Spot, Twin, TypeFacts};
use crate::host::Queues;
use crate::listing::SourceForm;
use crate::login::Login;
use crate::push::PushDeclaration;
use crate::reading::{Fault, Reading, Severity, Text, shown};
use crate::rights::{LeastRights, PushedEntry};
use crate::sink::{DeclaredSink, Sink};

const SOURCE: SourceForm = SourceForm {
    word: "heroku",
    setting: Some("app"),
    is_path: false,
    options: &["endpoint", "login"],
    login: Some("HEROKU_API_KEY"),
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
        check_name(name, false, reading);
    }

    fn check_together(&self, _: &[&PushDeclaration], _: &mut Reading<'_>) {}

    fn label(&self, place: &Place, _: &Path, _: &str) -> String {
        let part = |name: &str| place.part(name).unwrap_or("?");
        match place.part("app") {
            Some(app) => format!("Heroku {app} {}", part("name")),
            None => format!("Heroku pipeline {} {} ({})", part("pipeline"), part("name"), part("stage")),
        }
    }

    fn effect(&self, place: &Place) -> Option<String> {
        let part = |name: &str| place.part(name).unwrap_or("?");
        Some(match place.part("app") {
            Some(app) => {
                format!("one release of Heroku app `{app}`, which restarts it; older releases keep their values")
            }
            None => {
                format!(
                    "takes effect with the next app created in Heroku pipeline `{}` ({})",
                    part("pipeline"),
                    part("stage")
                )
            }
        })
    }

    fn replaced(&self, place: &Place) -> &'static str {
        match place.part("app") {
            Some(_) => "which only older releases of the app still have",
            None => "which cannot be brought back",
        }
    }

    /// A pipeline's config vars restart nothing: new apps take them up.
    fn restarts(&self, place: &Place) -> Option<String> {
        place.part("app").map(|app| format!("Heroku app `{app}`"))
    }

    /// Review apps keep their copy.
    fn absence_hides_deployments(&self, place: &Place) -> bool {
        place.part("stage") == Some(Stage::Review.name())
    }

    /// It is told by the value.
    fn receipts_are_unique(&self) -> bool {
        false
    }

    fn undeclared(&self, _: &str, _: &RunFiles<'_>) -> Option<Arc<dyn Sink>> {
        None
    }
}

impl Settings {
    /// What config vars belong to, as text.
    fn owner(&self) -> String {
        format!("{:?} {:?}", self.endpoint, self.target)
    }
}

impl SinkFacts for Settings {
    fn logins(&self) -> Vec<(&'static str, &Login)> {
        vec![("login", &self.login)]
    }

    fn file(&self) -> Option<DeclaredFile<'_>> {
        None
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    fn check_name(&self, name: &Text<'_>, reading: &mut Reading<'_>) {
        check_name(name, matches!(self.target, Target::Pipeline { .. }), reading);
    }

    fn spot(&self, push: &PushDeclaration) -> Spot {
        Spot { owner: self.owner(), name: push.name.clone(), apart: None }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        let mut parts = match &self.target {
            Target::App(app) => vec![("app", Some(app.clone()))],
            Target::Pipeline { id, stage } => {
                vec![("pipeline", Some(id.clone())), ("stage", Some(stage.name().to_owned()))]
            }
        };
        parts.push(("name", Some(push.name.clone())));
        parts.extend(self.endpoint.clone().map(|endpoint| ("endpoint", Some(endpoint))));
        parts
    }

    fn unpublishable(&self) -> Option<String> {
        let endpoint = self.endpoint.as_ref().map(|_| ENDPOINT.to_owned());
        endpoint.or_else(|| self.login.unpublishable("login"))
    }

    /// Two would restart it twice a run, as each sends its own change.
    fn twin(&self) -> Option<Twin> {
        Some(Twin {
            key: self.owner(),
            what: "app",
            severity: Severity::Error,
            code: "same-app",
            hint: "push to the first one only: changes of one sink take one request, and so one restart",
        })
    }

    fn rights(&self, _: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Words(
            "an authorization with the scope `write-protected` (`heroku authorizations:create --scope write-protected`), \
             of an account that is allowed to deploy the app, and for a pipeline's stage `review` also its review apps",
        )
    }

    fn connect(&self, _: &str, queues: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        // Commands and the job refuse an address that is none before they come here.
        Some(Arc::new(Heroku::new(self, super::address().ok()?, queues).ok()?))
    }
}

/// <https://devcenter.heroku.com/articles/config-vars>, and the schemas of Heroku's API.
fn check_name(name: &Text<'_>, is_pipeline: bool, reading: &mut Reading<'_>) {
    let mut add = |message: String, rule: &str| {
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    };
    let more: &[u8] = if is_pipeline { b"_.:[]" } else { b"_" };
    let part = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
    if name.text.is_empty() || name.text.len() > 256 || !name.text.bytes().all(part) {
        let rule = if is_pipeline {
            "a config var of a pipeline is letters, digits and `_.:[]`"
        } else {
            "a config var is letters, digits and `_`"
        };
        add(format!("`{}` cannot be a config var", shown(name.text)), rule);
    } else if name.text.starts_with("HEROKU_") {
        add(format!("`{}` is one of Heroku's own", shown(name.text)), "a config var does not start with `HEROKU_`");
    } else if name.text.starts_with("__") {
        let rule = "a config var does not start with `__`";
        add(format!("`{}` cannot be a config var", shown(name.text)), rule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Review apps keep their copy of an entry that is gone; an app has nothing but its entries.
    #[test]
    fn only_a_stage_of_review_apps_hides_what_was_copied_before_its_entry_went() {
        let stage = |stage: &str| Place::new(KIND, &[("pipeline", "p"), ("stage", stage), ("name", "API")], true);
        assert!(Type.absence_hides_deployments(&stage("review")));
        assert!(!Type.absence_hides_deployments(&stage("test")));
        assert!(!Type.absence_hides_deployments(&Place::new(KIND, &[("app", "acme"), ("name", "API")], true)));
    }
}
