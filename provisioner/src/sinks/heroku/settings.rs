//! A sink of type `heroku`.

use super::login::login;
use crate::manifest::{HerokuConfig, HerokuTarget, Login, SinkConfig};
use crate::reading::{Fault, Fields, Reading, Text, shown};

/// What Heroku's own tools read.
const VARIABLES: &[&str] = &["HEROKU_API_KEY"];
const HOSTS: &[&str] = &["api.heroku.com"];
/// The stages whose config vars a pipeline holds; the others are apps.
const STAGES: &[&str] = &["review", "test"];

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let app = fields.text("app", reading);
    let pipeline = fields.text("pipeline", reading);
    let stage = fields.text("stage", reading);
    let target = match (app, pipeline, stage) {
        (Some(app), None, None) => self::app(&app, reading),
        (None, Some(pipeline), Some(stage)) => self::pipeline(&pipeline, &stage, reading),
        (None, Some(_), None) if !fields.has("stage") => {
            fields.missing_fault("stage", |fault| fault.hint("`stage` is `test` or `review`"));
            None
        }
        (None, None, None) if !["app", "pipeline", "stage"].iter().any(|name| fields.has(name)) => {
            fields.missing_fault("app", |fault| {
                fault.hint("`app = \"NAME\"`, or `pipeline = \"UUID\"` with `stage = \"test\"` or `\"review\"`")
            });
            None
        }
        (app, pipeline, stage) => {
            // What is of a wrong type has its own fault.
            let given: Vec<Text<'_>> = [app, pipeline, stage].into_iter().flatten().collect();
            if let Some(last) = given.last().filter(|_| reading.faults.len() == faults) {
                let message = "a sink is an `app`, or a `pipeline` with its `stage`, not both";
                let hint = "make two sinks of it";
                reading.add(Fault::error("app-or-pipeline", last.span.clone(), message).hint(hint));
            }
            None
        }
    };
    let endpoint = fields.text("endpoint", reading);
    let endpoint = reading.vendor(endpoint, "Heroku", HOSTS);
    let login = login(&mut fields, "login", VARIABLES, reading);
    let login = login.unwrap_or_else(|| Login::Env(VARIABLES[0].to_owned()));
    fields.finish(reading);
    let target = target.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::Heroku(HerokuConfig { target, login, endpoint }))
}

/// The id, or the name by the schema of Heroku's API: `^[a-z][a-z0-9-]{1,28}[a-z0-9]$`.
fn app(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<HerokuTarget> {
    let bytes = found.text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = (3..=30).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.last().is_some_and(part)
        && bytes.iter().all(|byte| part(byte) || *byte == b'-');
    if is_name || is_uuid(found.text) {
        return Some(HerokuTarget::App(found.text.to_owned()));
    }
    let message = format!("`{}` is not an app of Heroku", shown(found.text));
    let rule = "an app is its id, or its name: 3 to 30 of `a-z`, `0-9` and `-`, from a letter to a letter or digit";
    reading.add(Fault::error("bad-app", found.span.clone(), message).hint(rule));
    None
}

fn pipeline(id: &Text<'_>, stage: &Text<'_>, reading: &mut Reading<'_>) -> Option<HerokuTarget> {
    let id_is_good = is_uuid(id.text);
    if !id_is_good {
        let message = format!("`{}` is not a pipeline's id", shown(id.text));
        let hint = "its config vars are found by the id only, a UUID in small letters: see `heroku pipelines:info NAME --json`";
        reading.add(Fault::error("bad-pipeline", id.span.clone(), message).hint(hint));
    }
    if !STAGES.contains(&stage.text) {
        let message = format!("`{}` is not a stage with config vars of its own", shown(stage.text));
        let hint =
            "a pipeline holds those of `test` (CI) and `review` (review apps); other stages are apps, with `app`";
        reading.add(Fault::error("bad-stage", stage.span.clone(), message).hint(hint));
        return None;
    }
    id_is_good.then(|| HerokuTarget::Pipeline { id: id.text.to_owned(), stage: stage.text.to_owned() })
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| group.bytes().all(hex))
}
