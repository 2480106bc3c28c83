//! The settings of a sink of type `dotenv`.

use std::path::PathBuf;

use schemars::JsonSchema;

use crate::reading::{Fields, Reading};

/// A `.env` file.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The file, relative to the manifest's folder.
    #[schemars(length(min = 1))]
    pub path: PathBuf,
}

impl Settings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let found = fields.text("path", reading);
        if !fields.has("path") {
            fields.missing_fault("path", |fault| fault.hint("for instance `path = \".env\"`"));
        }
        let path = found.and_then(|found| reading.file(&found, "path"));
        fields.finish(reading);
        path.map(|path| Self { path })
    }
}
