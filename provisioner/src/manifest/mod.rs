//! Manifests: `tokens.toml`, read with spans, all faults at once.

mod agreement;
pub mod document;
mod durations;
pub mod fault;
mod fields;
mod hosts;
mod links;
mod load;
mod masking;
mod nearest;
mod parse;
mod places;
mod plain_file;
mod pushes;
mod reading;
mod roles;
mod schema;
mod service;
mod sinks;
pub mod snippet;
mod starter;
mod syntax;
mod tokens;
mod users;

#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults, Severity};
pub(crate) use hosts::{is_loopback, parts as address_parts};
pub use links::leaving;
pub use load::{LoadError, load};
pub(crate) use nearest::nearest;
pub use parse::parse;
pub use plain_file::{ReadError, RefusedTarget, SIZE_MAX};
pub use reading::Allowances;
pub use schema::schema;
pub use starter::starter;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use ipnet::IpNet;
use latchkey::lifetime::Terms;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::role::Permissions;

/// Bytes of the manifest's text.
pub type Span = Range<usize>;

/// A manifest without faults, its defaults filled in.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its name, which owns what it declares.
    pub name: ManifestName,
    /// The file, as it was named.
    pub path: PathBuf,
    /// The folder it stands in, links resolved: relative paths start there.
    pub folder: PathBuf,
    /// The file's text, for snippets.
    pub text: String,
    /// Where the service is, if the file says.
    pub service: Option<ServiceAddress>,
    /// The roles it declares.
    pub roles: BTreeMap<RoleName, RoleDeclaration>,
    /// The users it declares.
    pub users: BTreeMap<UserName, UserDeclaration>,
    /// The sinks it declares.
    pub sinks: BTreeMap<String, SinkDeclaration>,
    /// The tokens it declares, in the file's order.
    pub tokens: Vec<TokenDeclaration>,
}

/// Where the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAddress {
    /// An embedded table in this file.
    Embedded(PathBuf),
    /// A DynamoDB table.
    Table {
        name: String,
        /// Its region, unless the AWS environment says.
        region: Option<String>,
        /// An endpoint other than AWS's own.
        endpoint: Option<String>,
    },
    Url(String),
}

/// A declared role.
#[derive(Debug, Clone)]
pub struct RoleDeclaration {
    /// What it permits.
    pub permissions: Permissions,
    /// Where its header stands.
    pub span: Span,
}

/// A declared user.
#[derive(Debug, Clone)]
pub struct UserDeclaration {
    /// `person` or `service`.
    pub service: bool,
    /// The roles it holds.
    pub roles: Vec<RoleName>,
    /// The most active tokens, unless the service's default holds.
    pub max_tokens: Option<u32>,
    /// Where its header stands.
    pub span: Span,
    /// Where its roles are named, one span a role.
    pub role_spans: Vec<Span>,
    /// Where `max_tokens` stands.
    pub max_tokens_span: Option<Span>,
}

/// A declared sink.
#[derive(Debug, Clone)]
pub struct SinkDeclaration {
    /// Its type and settings.
    pub config: SinkConfig,
    /// Where its header stands.
    pub span: Span,
}

/// A sink's type and settings.
#[derive(Debug, Clone)]
pub enum SinkConfig {
    /// A `.env` file.
    Dotenv {
        /// The file, absolute.
        path: PathBuf,
    },
    /// AWS Secrets Manager.
    AwsSecretsManager {
        /// The region, unless the AWS environment says.
        region: Option<String>,
        /// The account that the login must belong to.
        account: Option<String>,
        /// A profile of the AWS configuration.
        profile: Option<String>,
        /// An endpoint other than AWS's own.
        endpoint: Option<String>,
        /// The KMS key for secrets that are created.
        kms_key_id: Option<String>,
        /// Tags for secrets that are created.
        tags: BTreeMap<String, String>,
    },
    /// A project of Vercel.
    Vercel(VercelConfig),
    /// An app or a pipeline of Heroku.
    Heroku(HerokuConfig),
    /// A vault of Azure Key Vault.
    AzureKeyVault(AzureKeyVaultConfig),
    /// The keyring of this machine's user.
    Keyring(KeyringConfig),
}

impl SinkConfig {
    /// The logins that it names.
    pub fn logins(&self) -> Vec<&Login> {
        match self {
            Self::Vercel(vercel) => std::iter::once(&vercel.login).chain(&vercel.deploy_hook).collect(),
            Self::Heroku(heroku) => vec![&heroku.login],
            Self::AzureKeyVault(azure) => azure.login.iter().collect(),
            Self::Dotenv { .. } | Self::AwsSecretsManager { .. } | Self::Keyring(_) => Vec::new(),
        }
    }
}

/// A project of Vercel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VercelConfig {
    /// Its id or name.
    pub project: String,
    /// The team's id or slug; a personal account when `None`.
    pub team: Option<String>,
    /// Where the token of Vercel's API stands.
    pub login: Login,
    /// An endpoint other than Vercel's own.
    pub endpoint: Option<String>,
    /// Where the address stands that starts a deployment; the address is a secret.
    pub deploy_hook: Option<Login>,
}

/// An app or a pipeline of Heroku.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HerokuConfig {
    pub target: HerokuTarget,
    /// Where the API key stands.
    pub login: Login,
    /// An endpoint other than Heroku's own.
    pub endpoint: Option<String>,
}

/// What config vars belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HerokuTarget {
    /// An app's id or name.
    App(String),
    /// A pipeline's stage, for CI runs and review apps.
    Pipeline {
        /// The pipeline's id, a UUID.
        id: String,
        /// `test` or `review`.
        stage: String,
    },
}

/// A vault of Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureKeyVaultConfig {
    /// Its name, in lower case.
    pub vault: String,
    /// Which of Azure's clouds it is in.
    pub cloud: AzureCloud,
    /// The one way to sign in that is tried; the first that the environment has when `None`.
    pub sign_in: Option<AzureSignIn>,
    /// Where the client secret stands, if not in `AZURE_CLIENT_SECRET`.
    pub login: Option<Login>,
    /// An endpoint other than Azure's own.
    pub endpoint: Option<String>,
}

/// One of Azure's clouds: each has hosts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AzureCloud {
    /// The one that most use.
    #[default]
    Public,
    /// The one in China.
    China,
    /// The one of the US government.
    UsGovernment,
}

impl AzureCloud {
    /// All of them.
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
    pub fn vaults(self) -> &'static str {
        match self {
            Self::Public => "vault.azure.net",
            Self::China => "vault.azure.cn",
            Self::UsGovernment => "vault.usgovcloudapi.net",
        }
    }
}

/// A way to sign in to Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AzureSignIn {
    /// A token of another issuer, from a file or from GitHub Actions, is exchanged.
    WorkloadIdentity,
    /// An application's secret.
    ClientSecret,
    /// The identity of the machine that this runs on.
    ManagedIdentity,
    /// Whoever is signed in with the Azure CLI.
    Az,
}

impl AzureSignIn {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::WorkloadIdentity, Self::ClientSecret, Self::ManagedIdentity, Self::Az];

    /// Its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkloadIdentity => "workload-identity",
            Self::ClientSecret => "client-secret",
            Self::ManagedIdentity => "managed-identity",
            Self::Az => "az",
        }
    }
}

/// The keyring of this machine's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringConfig {
    /// The service that entries stand under.
    pub service: String,
    /// Whether it is used where `CI` is set, too.
    pub allow_ci: bool,
}

/// Where a sink's login stands: never in the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
    /// A command prints it: a program and its arguments, no shell.
    Command(Vec<String>),
    /// In Secrets Manager, under this name.
    Secret(String),
}

/// A declared token.
#[derive(Debug, Clone)]
pub struct TokenDeclaration {
    pub name: TokenName,
    /// Whose it is.
    pub user: UserName,
    /// What it is for.
    pub description: Option<String>,
    /// Its roles; all of its user's when `None`.
    pub roles: Option<Vec<RoleName>>,
    pub labels: BTreeMap<String, String>,
    /// The addresses that it may be used from; everywhere when empty.
    pub allowed_ips: Vec<IpNet>,
    pub terms: Terms,
    /// Where its secret goes: at least one place.
    pub pushes: Vec<PushDeclaration>,
    /// The user and name that it had before.
    pub moved_from: Option<(UserName, TokenName)>,
    /// Where its header stands.
    pub span: Span,
    /// Where its user is named.
    pub user_span: Span,
    /// Where its roles are named, one span a role; empty when `roles` is `None`.
    pub role_spans: Vec<Span>,
    /// Where `moved_from` stands.
    pub moved_from_span: Option<Span>,
}

/// One push of a token.
#[derive(Debug, Clone)]
pub struct PushDeclaration {
    /// The sink's name in the manifest.
    pub sink: String,
    /// The entry's name there.
    pub name: String,
    /// For Secrets Manager: the key in a JSON object that the secret holds.
    pub json_key: Option<String>,
    /// For Vercel: which of the project's environments reads it. A push to several is one of these each.
    pub environment: Option<Environment>,
    /// For Vercel: whether nobody may read it back.
    pub sensitive: bool,
    /// Take over an entry that somebody else made; counts only before the first delivery.
    pub adopt: bool,
    /// Where it stands.
    pub span: Span,
    /// Where its name stands.
    pub name_span: Span,
}

/// One environment of a project of Vercel: one row each, so that rows never have to be split.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    Production,
    /// Previews, of one branch or of all.
    Preview {
        branch: Option<String>,
    },
    /// Development: read by people's own machines.
    Development,
    /// A custom environment, by its slug.
    Custom(String),
}
