//! The settings of a sink of type `dotenv`.

use std::path::PathBuf;

use schemars::JsonSchema;

use super::refusal;
use crate::files::Mode;
use crate::reading::{Fault, Fields, Reading, Text, shown};

/// A `.env` file.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The file, relative to the manifest's folder.
    #[schemars(length(min = 1))]
    pub path: PathBuf,
    /// The file's permissions: `"0600"` for its owner alone, `"0640"` if its group reads it too, such as the web server's,
    /// or `"0660"`. The file keeps its owner and its group; a new one gets those of the user who runs the command. By
    /// default a new file gets 0600 and permissions of others are removed, but a file that only its group may read too,
    /// or that belongs to another group than its owner's own, is refused until this is set: somebody reads it.
    #[schemars(with = "Option<String>", regex(pattern = "^0?6[046]0$"))]
    pub mode: Option<u32>,
}

impl Settings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let found = fields.text("path", reading);
        if !fields.has("path") {
            fields.missing_fault("path", |fault| fault.hint("for instance `path = \".env\"`"));
        }
        let path = found.and_then(|found| {
            let path = reading.file(&found, "path")?;
            let Some(why) = refusal::of(&path, Some(reading.folder)) else { return Some(path) };
            let message = format!("`{}` {why}", shown(found.text));
            reading.add(Fault::error("bad-path", found.span.clone(), message).hint(refusal::HINT));
            None
        });
        let mode = fields.text("mode", reading).map(|found| mode(&found, reading));
        fields.finish(reading);
        let mode = match mode {
            Some(mode) => Some(mode?),
            None => None,
        };
        Some(Self { path: path?, mode })
    }

    /// The permissions that its file gets.
    pub(super) fn file_mode(&self) -> Mode {
        self.mode.map_or(Mode::AtMost(0o600), Mode::Exactly)
    }
}

fn mode(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<u32> {
    let digits = found.text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(found.text);
    match digits {
        "600" => Some(0o600),
        "640" => Some(0o640),
        "660" => Some(0o660),
        _ => {
            let message = format!("`mode` cannot be `{}`", shown(found.text));
            let hint = "`\"0600\"` for its owner alone, `\"0640\"` if its group reads it, or `\"0660\"`";
            reading.add(Fault::error("bad-mode", found.span.clone(), message).hint(hint));
            None
        }
    }
}
