//! A sink of type `azure-key-vault`.

use super::aws_secrets_manager::one_line;
use crate::manifest::fields::Fields;
use crate::manifest::reading::Reading;
use crate::manifest::{AzureKeyVaultConfig, SinkConfig};

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let vault = fields.required_text("vault", reading).and_then(|found| one_line("vault", 127, found, reading));
    let endpoint = fields.text("endpoint", reading);
    let endpoint = reading.vendor(endpoint, "Azure Key Vault", &[]);
    fields.finish(reading);
    let vault = vault.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::AzureKeyVault(AzureKeyVaultConfig { vault, endpoint }))
}
