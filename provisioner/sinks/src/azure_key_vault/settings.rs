//! The settings of a sink of type `azure-key-vault`.

use schemars::JsonSchema;

use super::life::Expires;
use crate::login::Login;
use crate::reading::{Fault, Fields, Reading, Text, is_plain, listed, shown};

/// What Azure's own tools read.
const VARIABLES: &[&str] = &["AZURE_CLIENT_SECRET"];

/// Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The vault's name.
    // In lower case.
    #[schemars(regex(pattern = "^[A-Za-z][0-9A-Za-z-]*[0-9A-Za-z]$"), length(min = 3, max = 24))]
    pub vault: String,
    /// Which of Azure's clouds it is in; `public` by default.
    #[schemars(with = "Option<Cloud>")]
    pub cloud: Cloud,
    /// The only way to sign in that is tried; by default the first one that the environment has.
    pub sign_in: Option<SignInMethod>,
    /// Where the client secret is; `AZURE_CLIENT_SECRET` by default.
    pub login: Option<Login>,
    /// Endpoint to use instead of Azure's own.
    pub endpoint: Option<String>,
    /// When a secret expires in the vault, as a policy may demand: `90d` from each write, or a date; by default, never.
    // Longer than the rotation, or consumers see a secret that is over.
    #[schemars(with = "Option<String>")]
    pub expires: Option<Expires>,
    /// The content type of secrets; `text/plain` by default.
    #[schemars(length(min = 1, max = 255))]
    pub content_type: Option<String>,
}

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(rename = "AzureCloud", rename_all = "kebab-case")]
pub enum Cloud {
    /// The global one, which most use.
    #[default]
    Public,
    /// The one in China.
    China,
    /// The one of the US government.
    UsGovernment,
}

impl Cloud {
    /// All of them: each has hosts of its own.
    pub const ALL: [Self; 3] = [Self::Public, Self::China, Self::UsGovernment];

    /// Its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::China => "china",
            Self::UsGovernment => "us-government",
        }
    }

    /// The domain of its vaults.
    pub(super) fn vaults(self) -> &'static str {
        match self {
            Self::Public => "vault.azure.net",
            Self::China => "vault.azure.cn",
            Self::UsGovernment => "vault.usgovcloudapi.net",
        }
    }
}

/// A way to sign in to Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename = "AzureSignIn", rename_all = "kebab-case")]
pub enum SignInMethod {
    /// A token of another issuer, from a file or from GitHub Actions, is exchanged.
    WorkloadIdentity,
    /// An application's secret.
    ClientSecret,
    /// The identity of the machine that this runs on.
    ManagedIdentity,
    /// Whoever is signed in with the Azure CLI.
    Az,
}

impl SignInMethod {
    /// All of them, in the order in which they are tried.
    const ALL: [Self; 4] = [Self::WorkloadIdentity, Self::ClientSecret, Self::ManagedIdentity, Self::Az];

    /// Its name in a manifest.
    fn name(self) -> &'static str {
        match self {
            Self::WorkloadIdentity => "workload-identity",
            Self::ClientSecret => "client-secret",
            Self::ManagedIdentity => "managed-identity",
            Self::Az => "az",
        }
    }
}

impl Settings {
    /// The vault's host.
    pub(super) fn host(&self) -> String {
        host(&self.vault, self.cloud)
    }

    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let faults = reading.faults.len();
        let vault = fields.required_text("vault", reading);
        let cloud = fields.text("cloud", reading);
        let sign_in = fields.text("sign_in", reading);
        let endpoint = fields.text("endpoint", reading);
        let expires = fields.text("expires", reading).and_then(|found| Expires::read(&found, reading));
        let content_type = fields.text("content_type", reading).and_then(|found| content_type(&found, reading));
        let has_login = fields.has("login");
        let login = Login::read(&mut fields, "login", VARIABLES, reading);
        fields.finish(reading);
        let cloud = match cloud {
            Some(found) => one_of(&found, "cloud", "cloud of Azure", Cloud::ALL, Cloud::name, reading)?,
            None => Cloud::default(),
        };
        let vault = vault.and_then(|found| vault_name(&found, cloud, reading));
        let method = sign_in.as_ref().and_then(|found| {
            one_of(found, "sign_in", "way to sign in", SignInMethod::ALL, SignInMethod::name, reading)
        });
        if let (Some(method), Some(found), true) = (method, &sign_in, has_login)
            && method != SignInMethod::ClientSecret
        {
            let message = format!("`login` names a client secret, which `{}` does not need", method.name());
            let fault = Fault::error("needless-login", found.span.clone(), message);
            reading.add(fault.hint("remove `login`, or set `sign_in = \"client-secret\"`"));
        }
        let own = vault.as_ref().map(|vault| host(vault, cloud));
        let own: Vec<&str> = own.as_deref().into_iter().collect();
        let endpoint = reading.vendor(endpoint, "this vault", &own);
        let vault = vault.filter(|_| reading.faults.len() == faults)?;
        Some(Self { vault, cloud, sign_in: method, login, endpoint, expires, content_type })
    }
}

/// <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-contenttype>
fn content_type(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    if (1..=255).contains(&found.text.chars().count()) && is_plain(found.text) {
        return Some(found.text.to_owned());
    }
    let message = "a `content_type` is 1 to 255 characters without control characters";
    reading.add(Fault::error("bad-content-type", found.span.clone(), message));
    None
}

fn host(vault: &str, cloud: Cloud) -> String {
    format!("{vault}.{}", cloud.vaults())
}

/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault>. It
/// becomes the first part of a host's name.
fn vault_name(found: &Text<'_>, cloud: Cloud, reading: &mut Reading<'_>) -> Option<String> {
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
        format!("write the name alone: `{}`", shown(first))
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
    let hint = match reading.nearest(found.text, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`{field}` is one of {}", listed(&names)),
    };
    let message = format!("`{}` is not a {what}", shown(found.text));
    reading.add(Fault::error("bad-choice", found.span.clone(), message).hint(hint));
    None
}
