//! The settings of a sink of type `vercel`.

use schemars::JsonSchema;

use crate::login::Login;
use crate::reading::{Fault, Fields, Reading, Text, shown};

/// What Vercel's own tools read.
const VARIABLES: &[&str] = &["VERCEL_TOKEN"];
const HOOKS: &[&str] = &["VERCEL_DEPLOY_HOOK"];
const HOSTS: &[&str] = &["api.vercel.com"];

/// A project of Vercel.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The project's id or name.
    #[schemars(length(min = 1, max = 128))]
    pub project: String,
    /// The team's id or slug, where it is a team's.
    #[schemars(length(min = 1, max = 128))]
    pub team: Option<String>,
    /// Where the token of Vercel's API is; `VERCEL_TOKEN` by default.
    #[schemars(with = "Option<Login>")]
    pub login: Login,
    /// Endpoint to use instead of Vercel's own.
    pub endpoint: Option<String>,
    /// Where the address is that starts a deployment after a run has written.
    // The address is a secret: whoever knows it can start one.
    pub deploy_hook: Option<Login>,
}

impl Settings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let project = fields.required_text("project", reading).and_then(|found| project(&found, reading));
        let team = fields.text("team", reading).and_then(|found| team(&found, reading));
        let endpoint = fields.text("endpoint", reading);
        let endpoint = reading.vendor(endpoint, "Vercel", HOSTS);
        let deploy_hook = Login::read(&mut fields, "deploy_hook", HOOKS, reading);
        let login = Login::read(&mut fields, "login", VARIABLES, reading);
        let login = login.unwrap_or_else(|| Login::Env { env: VARIABLES[0].to_owned() });
        fields.finish(reading);
        let project = project.filter(|_| reading.faults.len() == faults)?;
        Some(Self { project, team, login, endpoint, deploy_hook })
    }
}

/// <https://vercel.com/docs/projects/overview>: the id, or the name. Both stand in paths of requests.
fn project(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_name = (1..=100).contains(&found.text.len())
        && found.text.bytes().all(part)
        && found.text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && !found.text.contains("---");
    if is_name || is_id(found.text, "prj_") {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not a Vercel project", shown(found.text));
    let rule = "write the project's id, `prj_..`, or its name: 1 to 100 of `a-z`, `0-9` and `._-`, without `---`";
    reading.add(Fault::error("bad-project", found.span.clone(), message).hint(rule));
    None
}

fn team(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let is_slug = (1..=64).contains(&found.text.len()) && found.text.bytes().all(part);
    if (is_slug && !found.text.starts_with("team_")) || is_id(found.text, "team_") {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` is not a Vercel team", shown(found.text));
    let rule = "write the team's id, `team_..`, or its slug, as in the address of its dashboard";
    reading.add(Fault::error("bad-team", found.span.clone(), message).hint(rule));
    None
}

fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
