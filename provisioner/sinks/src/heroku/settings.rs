//! The settings of a sink of type `heroku`.

use schemars::JsonSchema;

use crate::login::Login;
use crate::reading::{Fault, Fields, Reading, Text, shown};

/// What Heroku's own tools read.
const VARIABLES: &[&str] = &["HEROKU_API_KEY"];
const HOSTS: &[&str] = &["api.heroku.com"];

/// The config vars of a Heroku app, or of a pipeline's stage.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields, description = "")] // Described in `SinkSettings`.
pub struct Settings {
    #[schemars(flatten, with = "TargetFields")]
    pub target: Target,
    /// Where the API key is; `HEROKU_API_KEY` by default.
    #[schemars(with = "Option<Login>")]
    pub login: Login,
    /// Endpoint to use instead of Heroku's own.
    pub endpoint: Option<String>,
}

/// What config vars belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An app's id or name.
    App(String),
    /// A pipeline's stage, for CI runs and review apps.
    Pipeline {
        /// The pipeline's id, a UUID.
        id: String,
        stage: Stage,
    },
}

// A target as a manifest spells it. No doc comment: it would become a part of the description.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes the form")]
struct TargetFields {
    /// The app's id or name.
    #[schemars(length(min = 3, max = 36))]
    app: Option<String>,
    /// The pipeline's id, a UUID, in place of an app.
    #[schemars(length(min = 36, max = 36))]
    pipeline: Option<String>,
    /// The pipeline's stage: `test` or `review`.
    stage: Option<Stage>,
}

/// A stage that has config vars in a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Stage {
    /// CI runs.
    Test,
    /// Review apps.
    Review,
}

impl Stage {
    /// All of them: the other stages are apps.
    const ALL: [Self; 2] = [Self::Test, Self::Review];

    /// Its name, for Heroku and in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Review => "review",
        }
    }
}

impl Settings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let target = Target::read(&mut fields, reading);
        let endpoint = fields.text("endpoint", reading);
        let endpoint = reading.vendor(endpoint, "Heroku", HOSTS);
        let login = Login::read(&mut fields, "login", VARIABLES, reading);
        let login = login.unwrap_or_else(|| Login::Env { env: VARIABLES[0].to_owned() });
        fields.finish(reading);
        let target = target.filter(|_| reading.faults.len() == faults)?;
        Some(Self { target, login, endpoint })
    }
}

impl Target {
    fn read(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let found_app = fields.text("app", reading);
        let found_pipeline = fields.text("pipeline", reading);
        let found_stage = fields.text("stage", reading);
        match (found_app, found_pipeline, found_stage) {
            (Some(found), None, None) => app(&found, reading),
            (None, Some(id), Some(stage)) => pipeline(&id, &stage, reading),
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
                    let hint = "declare two sinks";
                    reading.add(Fault::error("app-or-pipeline", last.span.clone(), message).hint(hint));
                }
                None
            }
        }
    }
}

/// The id, or the name by the schema of Heroku's API: `^[a-z][a-z0-9-]{1,28}[a-z0-9]$`.
fn app(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<Target> {
    let bytes = found.text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = (3..=30).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.last().is_some_and(part)
        && bytes.iter().all(|byte| part(byte) || *byte == b'-');
    if is_name || is_uuid(found.text) {
        return Some(Target::App(found.text.to_owned()));
    }
    let message = format!("`{}` is not a Heroku app", shown(found.text));
    let rule = "write the app's id, or its name: 3 to 30 of `a-z`, `0-9` and `-`, from a letter to a letter or digit";
    reading.add(Fault::error("bad-app", found.span.clone(), message).hint(rule));
    None
}

fn pipeline(id: &Text<'_>, stage: &Text<'_>, reading: &mut Reading<'_>) -> Option<Target> {
    let id_is_good = is_uuid(id.text);
    if !id_is_good {
        let message = format!("`{}` is not a pipeline's id", shown(id.text));
        let hint = "write the id, a UUID in lower case: see `heroku pipelines:info NAME --json`";
        reading.add(Fault::error("bad-pipeline", id.span.clone(), message).hint(hint));
    }
    let Some(known) = Stage::ALL.into_iter().find(|known| known.name() == stage.text) else {
        let message = format!("`{}` is not a stage with config vars of its own", shown(stage.text));
        let hint = "a pipeline has them for `test` (CI) and `review` (review apps); other stages are apps: use `app`";
        reading.add(Fault::error("bad-stage", stage.span.clone(), message).hint(hint));
        return None;
    };
    id_is_good.then(|| Target::Pipeline { id: id.text.to_owned(), stage: known })
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| group.bytes().all(hex))
}
