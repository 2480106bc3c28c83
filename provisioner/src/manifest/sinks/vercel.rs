//! A sink of type `vercel`.

use super::aws_secrets_manager::one_line;
use super::login::login;
use crate::manifest::fields::Fields;
use crate::manifest::reading::Reading;
use crate::manifest::{Login, SinkConfig, VercelConfig};

/// What Vercel's own tools read.
const VARIABLES: &[&str] = &["VERCEL_TOKEN"];
const HOOKS: &[&str] = &["VERCEL_DEPLOY_HOOK"];
const HOSTS: &[&str] = &["api.vercel.com"];

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let project = fields.required_text("project", reading);
    let project = project.and_then(|found| one_line("project", 128, found, reading));
    let team = fields.text("team", reading).and_then(|found| one_line("team", 128, found, reading));
    let endpoint = fields.text("endpoint", reading);
    let endpoint = reading.vendor(endpoint, "Vercel", HOSTS);
    let deploy_hook = login(&mut fields, "deploy_hook", HOOKS, reading);
    let login = login(&mut fields, "login", VARIABLES, reading);
    let login = login.unwrap_or_else(|| Login::Env(VARIABLES[0].to_owned()));
    fields.finish(reading);
    let project = project.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::Vercel(VercelConfig { project, team, login, endpoint, deploy_hook }))
}
