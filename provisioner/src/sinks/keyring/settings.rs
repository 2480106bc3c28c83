//! A sink of type `keyring`.

use crate::manifest::{KeyringConfig, SinkConfig};
use crate::reading::{Fields, Reading};

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let service = fields.required_text("service", reading).and_then(|found| reading.one_line("service", 128, &found));
    let allow_ci = fields.boolean("allow_ci", reading).unwrap_or(false);
    fields.finish(reading);
    let service = service.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::Keyring(KeyringConfig { service, allow_ci }))
}
