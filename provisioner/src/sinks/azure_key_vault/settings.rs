//! A sink of type `azure-key-vault`.

use super::login::login;
use crate::manifest::{AzureCloud, AzureKeyVaultConfig, AzureSignIn, SinkConfig};
use crate::reading::{Fault, Fields, Reading, Text, listed, nearest, shown};

/// What Azure's own tools read.
const VARIABLES: &[&str] = &["AZURE_CLIENT_SECRET"];

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<SinkConfig> {
    let faults = reading.faults.len();
    let vault = fields.required_text("vault", reading);
    let cloud = fields.text("cloud", reading);
    let sign_in = fields.text("sign_in", reading);
    let endpoint = fields.text("endpoint", reading);
    let has_login = fields.has("login");
    let login = login(&mut fields, "login", VARIABLES, reading);
    fields.finish(reading);
    let cloud = match cloud {
        Some(found) => one_of(&found, "cloud", "cloud of Azure", AzureCloud::ALL, AzureCloud::name, reading)?,
        None => AzureCloud::Public,
    };
    let vault = vault.and_then(|found| vault_name(&found, cloud, reading));
    let way = match &sign_in {
        Some(found) => one_of(found, "sign_in", "way to sign in", AzureSignIn::ALL, AzureSignIn::name, reading),
        None => None,
    };
    if let (Some(way), Some(found), true) = (way, &sign_in, has_login)
        && way != AzureSignIn::ClientSecret
    {
        let message = format!("`login` says where a client secret stands, and `{}` needs none", way.name());
        let fault = Fault::error("needless-login", found.span.clone(), message);
        reading.add(fault.hint("leave `login` out, or write `sign_in = \"client-secret\"`"));
    }
    let own = vault.as_ref().map(|vault| format!("{vault}.{}", cloud.vaults()));
    let own: Vec<&str> = own.as_deref().into_iter().collect();
    let endpoint = reading.vendor(endpoint, "this vault", &own);
    let vault = vault.filter(|_| reading.faults.len() == faults)?;
    Some(SinkConfig::AzureKeyVault(AzureKeyVaultConfig { vault, cloud, sign_in: way, login, endpoint }))
}

/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault>. It
/// becomes the first part of a host's name.
fn vault_name(found: &Text<'_>, cloud: AzureCloud, reading: &mut Reading<'_>) -> Option<String> {
    let bytes = found.text.as_bytes();
    let good = (3..=24).contains(&bytes.len())
        && bytes[0].is_ascii_alphabetic()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !found.text.ends_with('-')
        && !found.text.contains("--");
    if good {
        return Some(found.text.to_ascii_lowercase());
    }
    let message = format!("`{}` cannot be a vault's name", shown(found.text));
    let first = found.text.trim_start_matches("https://").split('.').next().unwrap_or_default();
    let hint = if found.text.contains(cloud.vaults()) {
        format!("the name alone: `{}`", shown(first))
    } else {
        "a vault's name is 3 to 24 letters, digits and single hyphens, and starts with a letter".to_owned()
    };
    reading.add(Fault::error("bad-vault", found.span.clone(), message).hint(hint));
    None
}

fn one_of<T: Copy, const N: usize>(
    found: &Text<'_>,
    field: &str,
    what: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
    reading: &mut Reading<'_>,
) -> Option<T> {
    if let Some(known) = all.into_iter().find(|known| name(*known) == found.text) {
        return Some(known);
    }
    let names = all.map(name);
    let hint = match nearest(found.text, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`{field}` is one of {}", listed(&names)),
    };
    let message = format!("`{}` is no {what}", shown(found.text));
    reading.add(Fault::error("bad-choice", found.span.clone(), message).hint(hint));
    None
}
