//! A sink of type `keyring`.

use super::aws_secrets_manager::one_line;
use crate::manifest::fields::Fields;
use crate::manifest::reading::Reading;
use crate::manifest::{KeyringConfig, SinkConfig};

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let service = fields.required_text("service", reading).and_then(|found| one_line("service", 128, found, reading));
    let allow_ci = fields.boolean("allow_ci", reading).unwrap_or(false);
    fields.finish(reading);
    let service = service.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::Keyring(KeyringConfig { service, allow_ci }))
}
