//! What is known of rows of a project without asking Vercel.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;

use super::{Environment, KIND, Settings, Vercel};
use crate::facts::{DeclaredFile, ENDPOINT, RunFiles, SinkFacts, Spot, Twin, TypeFacts};
use crate::host::Queues;
use crate::listing::SourceForm;
use crate::login::Login;
use crate::push::PushDeclaration;
use crate::reading::{Fault, Reading, Severity, Span, Text, shown};
use crate::rights::{LeastRights, PushedEntry};
use crate::sink::{DeclaredSink, Sink};

/// What Vercel keeps for itself, <https://vercel.com/docs/environment-variables/reserved-environment-variables>.
const RESERVED: &[&str] = &[
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_SECRET_KEY",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "NOW_REGION",
    "TZ",
];

const SOURCE: SourceForm = SourceForm {
    word: "vercel",
    setting: Some("project"),
    is_path: false,
    options: &["team", "endpoint", "login"],
    login: Some("VERCEL_TOKEN"),
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

    /// A row for one branch stands over the row for all previews: right where it is meant, puzzling where it is not.
    fn check_together(&self, pushes: &[&PushDeclaration], reading: &mut Reading<'_>) {
        let previews = || {
            pushes.iter().filter_map(|push| match &push.environment {
                Some(Environment::Preview { branch }) => Some((push, branch.as_deref())),
                _ => None,
            })
        };
        let general: HashMap<(&str, &str), Span> = previews()
            .filter(|(_, branch)| branch.is_none())
            .map(|(push, _)| ((push.sink.as_str(), push.name.as_str()), push.span.clone()))
            .collect();
        for (push, branch) in previews() {
            let Some((branch, first)) = branch.zip(general.get(&(push.sink.as_str(), push.name.as_str()))) else {
                continue;
            };
            let message = format!("previews of `{}` read this secret, all other previews another one", shown(branch));
            let fault = Fault::warning("over-previews", push.span.clone(), message);
            reading.add(fault.related(first.clone(), "what the other previews read"));
        }
    }

    fn label(&self, place: &Place, _: &Path, _: &str) -> String {
        let part = |name: &str| place.part(name).unwrap_or("?");
        let branch = place.part("branch").map(|branch| format!(" of {branch}")).unwrap_or_default();
        format!("Vercel {}{} {} ({}{branch})", team(place), part("project"), part("name"), part("target"))
    }

    fn effect(&self, place: &Place) -> Option<String> {
        let part = |name: &str| place.part(name).unwrap_or("?");
        let branch = place.part("branch").map_or_else(String::new, |branch| format!(", branch {branch}"));
        Some(format!(
            "takes effect with the next deployment of Vercel project `{}{}` ({}{branch})",
            team(place),
            part("project"),
            part("target")
        ))
    }

    fn replaced(&self, _: &Place) -> &'static str {
        "which cannot be brought back"
    }

    fn restarts(&self, _: &Place) -> Option<String> {
        None
    }

    /// A deployment keeps what it was made with.
    fn absence_hides_deployments(&self, _: &Place) -> bool {
        true
    }

    /// A row has an id of its own.
    fn receipts_are_unique(&self) -> bool {
        true
    }

    fn undeclared(&self, _: &str, _: &RunFiles<'_>) -> Option<Arc<dyn Sink>> {
        None
    }
}

/// The team of a place, as a part of what is shown.
fn team(place: &Place) -> String {
    place.part("team").map(|team| format!("{team}/")).unwrap_or_default()
}

impl SinkFacts for Settings {
    fn logins(&self) -> Vec<(&'static str, &Login)> {
        let hook = self.deploy_hook.as_ref().map(|hook| ("deploy hook", hook));
        std::iter::once(("login", &self.login)).chain(hook).collect()
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
        let owner = format!("{:?} {} {:?} {:?}", self.endpoint, self.project, self.team, push.environment);
        Spot { owner, name: push.name.clone(), apart: None }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        let mut parts: Vec<_> = self.team.clone().map(|team| ("team", Some(team))).into_iter().collect();
        let (target, branch) = push.environment.as_ref().map_or((None, None), |environment| {
            let (target, branch) = environment.parts();
            (Some(target.to_owned()), branch.map(str::to_owned))
        });
        parts.extend([("project", Some(self.project.clone())), ("name", Some(push.name.clone())), ("target", target)]);
        parts.extend(branch.map(|branch| ("branch", Some(branch))));
        parts.extend(self.endpoint.clone().map(|endpoint| ("endpoint", Some(endpoint))));
        parts
    }

    fn unpublishable(&self) -> Option<String> {
        let hook = || self.deploy_hook.as_ref().and_then(|hook| hook.unpublishable("deploy_hook"));
        let endpoint = self.endpoint.as_ref().map(|_| ENDPOINT.to_owned());
        endpoint.or_else(|| self.login.unpublishable("login")).or_else(hook)
    }

    /// Two list one project twice.
    fn twin(&self) -> Option<Twin> {
        Some(Twin {
            key: format!("{:?} {:?} {}", self.endpoint, self.team, self.project),
            what: "project",
            severity: Severity::Warning,
            code: "same-project",
            hint: "one is enough, unless each needs its own credentials or deploy hook",
        })
    }

    fn rights(&self, _: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Words(
            "a token, scoped to the team and no wider, of a member who is allowed to read the project and its \
             deployments, and to change its environment variables",
        )
    }

    fn connect(&self, _: &str, queues: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        Some(Arc::new(Vercel::new(self, queues).ok()?))
    }
}

fn check_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    let mut add = |message: String, rule: &str| {
        reading.add(Fault::error("bad-push-name", name.span.clone(), message).hint(rule));
    };
    let bytes = name.text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if !(1..=256).contains(&bytes.len()) || !bytes.iter().all(part) || !bytes[0].is_ascii_alphabetic() {
        let rule = "a variable's name is 1 to 256 letters, digits and `_`, and starts with a letter";
        add(format!("`{}` cannot be a variable's name on Vercel", shown(name.text)), rule);
    } else if RESERVED.contains(&name.text) || name.text.starts_with("VERCEL_") {
        add(format!("`{}` is one of Vercel's own variables", shown(name.text)), "give it another name");
    } else if ["NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_", "PUBLIC_", "GATSBY_"]
        .iter()
        .any(|prefix| name.text.starts_with(prefix))
    {
        let message = format!("`{}` would be built into pages that everybody can read", shown(name.text));
        let hint = "frameworks show variables with such a prefix to browsers; give it another name";
        reading.add(Fault::warning("public-name", name.span.clone(), message).hint(hint));
    }
}
