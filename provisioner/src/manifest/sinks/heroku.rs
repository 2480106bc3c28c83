//! A sink of type `heroku`.

use super::aws_secrets_manager::one_line;
use super::login::login;
use crate::manifest::fields::Fields;
use crate::manifest::reading::Reading;
use crate::manifest::{HerokuConfig, HerokuTarget, Login, SinkConfig};

/// What Heroku's own tools read.
const VARIABLES: &[&str] = &["HEROKU_API_KEY"];
const HOSTS: &[&str] = &["api.heroku.com"];

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let app = fields.required_text("app", reading).and_then(|found| one_line("app", 64, found, reading));
    let endpoint = fields.text("endpoint", reading);
    let endpoint = reading.vendor(endpoint, "Heroku", HOSTS);
    let login = login(&mut fields, "login", VARIABLES, reading);
    let login = login.unwrap_or_else(|| Login::Env(VARIABLES[0].to_owned()));
    fields.finish(reading);
    let app = app.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::Heroku(HerokuConfig { target: HerokuTarget::App(app), login, endpoint }))
}
