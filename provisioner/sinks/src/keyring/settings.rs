//! The settings of a sink of type `keyring`.

use schemars::JsonSchema;

use super::entries::is_of_logins;
use crate::reading::{Fault, Fields, Reading, shown};

/// The keyring of this machine's user.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The service that entries are stored under.
    #[schemars(length(min = 1, max = 128))]
    pub service: String,
    /// Whether it is used where `CI` is set, too: a machine for jobs rarely has a keyring that lasts.
    #[schemars(default)]
    pub allow_ci: bool,
}

impl Settings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let service = fields.required_text("service", reading);
        if let Some(found) = service.as_ref().filter(|found| is_of_logins(found.text)) {
            let message = format!("`{}` cannot be the service of a sink", shown(found.text));
            let fault = Fault::error("bad-text", found.span.clone(), message);
            reading.add(fault.hint("names of that form are Latchkey's own logins; choose another one"));
        }
        let service = service.and_then(|found| reading.one_line("service", 128, &found));
        let allow_ci = fields.boolean("allow_ci", reading).unwrap_or(false);
        fields.finish(reading);
        let service = service.filter(|_| reading.faults.len() == faults)?;
        Some(Self { service, allow_ci })
    }
}
