//! A sink of type `dotenv`.

use crate::manifest::SinkConfig;
use crate::reading::{Fields, Reading};

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let found = fields.text("path", reading);
    if !fields.has("path") {
        fields.missing_fault("path", |fault| fault.hint("for instance `path = \".env\"`"));
    }
    let path = found.and_then(|found| reading.file(&found, "path"));
    fields.finish(reading);
    path.map(|path| SinkConfig::Dotenv { path })
}
