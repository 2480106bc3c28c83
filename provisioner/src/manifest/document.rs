//! The file as it is written, type by type: what editors learn from its JSON Schema.
//!
//! These types only describe the form. [`parse`](super::parse) reads by hand, because it goes on after a fault; a test
//! holds it to the fields that stand here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

/// The tokens of a team: who has them, what they may do, and where their secrets go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokens.toml")]
pub struct Document {
    /// The manifest's name. It owns what the file declares: other manifests cannot change it.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub manifest: String,
    /// Where the service is.
    pub service: Option<Service>,
    /// What holds for every token that does not say otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// Named sets of permissions.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,63}$" }))]
    pub roles: BTreeMap<String, Role>,
    /// Whoever owns tokens.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9._@+-]{0,127}$" }))]
    pub users: BTreeMap<String, User>,
    /// Places that hold secrets.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,63}$" }))]
    pub sinks: BTreeMap<String, Sink>,
    /// The tokens, by name.
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
}

/// Where the service is: in a file, in a DynamoDB table or behind a URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Service {
    /// In a file beside the manifest: no set-up at all.
    Embedded {
        /// The file, from the manifest's folder on.
        #[schemars(length(min = 1))]
        embedded: String,
    },
    /// In a DynamoDB table, as its operator.
    Table {
        /// The table's name.
        #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{3,255}$"))]
        table: String,
        /// The table's region, unless the AWS environment says.
        region: Option<String>,
        /// An endpoint in place of AWS's own.
        endpoint: Option<String>,
    },
    /// Behind a URL, with a token of one's own.
    Url {
        /// The server's address, `https` except on this machine.
        #[schemars(regex(pattern = "^https?://"))]
        url: String,
    },
}

/// What holds for every token that does not say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// How long a secret lasts; 90d unless said.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub expires_in: Option<String>,
    /// How often a new secret takes over; 30d unless said.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub rotate_every: Option<String>,
    /// How long an older secret goes on working after that; 24h unless said, at least 1h.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub overlap: Option<String>,
    /// Whose the tokens are.
    pub user: Option<String>,
}

/// A named set of permissions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// What it permits: `resource:action`; `*` may stand for every action.
    #[schemars(length(max = 100), inner(regex(pattern = "^[a-z][a-z0-9-]*:([a-z][a-z0-9-]*|\\*)$")))]
    pub permissions: Vec<String>,
}

/// Whoever owns tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// A person or a program.
    pub kind: Kind,
    /// The roles it holds. None means that it may do nothing.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub roles: Vec<String>,
    /// The most active tokens it may have, by hand or by manifest; the service's default is 10.
    pub max_tokens: Option<u32>,
}

/// A person or a program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Person,
    Service,
}

/// A place that holds secrets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sink {
    /// A `.env` file.
    Dotenv {
        /// The file, from the manifest's folder on.
        #[schemars(length(min = 1))]
        path: String,
    },
    /// AWS Secrets Manager.
    AwsSecretsManager {
        /// The region, unless the AWS environment says.
        region: Option<String>,
        /// The account that the login must belong to: a guard against the wrong one.
        #[schemars(regex(pattern = "^[0-9]{12}$"))]
        account: Option<String>,
        /// A profile of the AWS configuration.
        #[schemars(length(min = 1, max = 128))]
        profile: Option<String>,
        /// An endpoint in place of AWS's own.
        endpoint: Option<String>,
        /// The KMS key for secrets that are created.
        #[schemars(length(min = 1, max = 2048))]
        kms_key_id: Option<String>,
        /// Tags for secrets that are created.
        #[serde(default)]
        #[schemars(extend("propertyNames" = { "minLength": 1, "maxLength": 128 }, "maxProperties" = 50))]
        tags: BTreeMap<String, String>,
    },
    /// A project of Vercel.
    Vercel {
        /// Its id or name.
        #[schemars(length(min = 1, max = 128))]
        project: String,
        /// The team's id or slug, where it is a team's.
        #[schemars(length(min = 1, max = 128))]
        team: Option<String>,
        /// Where the token of Vercel's API stands; `VERCEL_TOKEN` unless said.
        login: Option<Login>,
        /// An endpoint in place of Vercel's own.
        endpoint: Option<String>,
        /// Where the address stands that starts a deployment after a run has written.
        deploy_hook: Option<Login>,
    },
    /// The config vars of a Heroku app, or of a pipeline's stage.
    Heroku {
        /// The app's id or name.
        #[schemars(length(min = 3, max = 36))]
        app: Option<String>,
        /// The pipeline's id, a UUID, in place of an app.
        #[schemars(length(min = 36, max = 36))]
        pipeline: Option<String>,
        /// The pipeline's stage: `test` or `review`.
        stage: Option<Stage>,
        /// Where the API key stands; `HEROKU_API_KEY` unless said.
        login: Option<Login>,
        /// An endpoint in place of Heroku's own.
        endpoint: Option<String>,
    },
    /// Azure Key Vault.
    AzureKeyVault {
        /// The vault's name.
        #[schemars(regex(pattern = "^[A-Za-z][0-9A-Za-z-]*[0-9A-Za-z]$"), length(min = 3, max = 24))]
        vault: String,
        /// Which of Azure's clouds it is in; `public` unless said.
        cloud: Option<AzureCloud>,
        /// The one way to sign in that is tried; the first that the environment has unless said.
        sign_in: Option<AzureSignIn>,
        /// Where the client secret stands; `AZURE_CLIENT_SECRET` unless said.
        login: Option<Login>,
        /// An endpoint in place of Azure's own.
        endpoint: Option<String>,
    },
    /// The keyring of this machine's user.
    Keyring {
        /// The service that entries stand under.
        #[schemars(length(min = 1, max = 128))]
        service: String,
        /// Whether it is used where `CI` is set, too: a machine for jobs rarely has a keyring that lasts.
        #[serde(default)]
        allow_ci: bool,
    },
}

/// A stage whose config vars a pipeline holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Test,
    Review,
}

/// One of Azure's clouds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AzureCloud {
    /// The one that most use.
    Public,
    /// The one in China.
    China,
    /// The one of the US government.
    UsGovernment,
}

/// A way to sign in to Azure.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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

/// Where a login stands; it never stands in the file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Login {
    /// In an environment variable.
    Env { env: String },
    /// In a file.
    File {
        /// The file, from the manifest's folder on.
        file: String,
    },
    /// A command prints it.
    Command {
        /// The program and its arguments; no shell reads them.
        #[schemars(length(min = 1))]
        command: Vec<String>,
    },
    /// In Secrets Manager, below `latchkey/logins/` and the manifest's name.
    Secret {
        /// The secret's name.
        secret: String,
    },
}

/// A token: one named grant of a user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its name, where the key cannot be it because two users need the same one.
    #[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"), length(max = 64))]
    pub name: Option<String>,
    /// Whose it is; else the user in `[defaults]`.
    pub user: Option<String>,
    /// What it is for.
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// Its roles, among those of its user; all of them when it does not say.
    #[schemars(length(max = 20))]
    pub roles: Option<Vec<String>>,
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "minLength": 1, "maxLength": 64 }, "maxProperties" = 20))]
    pub labels: BTreeMap<String, String>,
    /// The networks it may be used from, as CIDRs; from everywhere when there is none.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub allowed_ips: Vec<String>,
    /// How long a secret of it lasts.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub expires_in: Option<String>,
    /// How often a new secret takes over.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub rotate_every: Option<String>,
    /// How long an older secret goes on working after that.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub overlap: Option<String>,
    /// Where its secret goes.
    #[schemars(length(min = 1))]
    pub push: Vec<Push>,
    /// What it was called before, so that a new name is a rename and not a second token.
    pub moved_from: Option<MovedFrom>,
}

/// One entry in one sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub sink: String,
    /// The entry's name there.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// Take over an entry that somebody else made; counts before the first delivery only.
    #[serde(default)]
    pub adopt: bool,
    /// For `aws-secrets-manager`: the key in a JSON object that the secret holds.
    #[schemars(length(min = 1, max = 128))]
    pub json_key: Option<String>,
    /// For `vercel`: `production`, `preview`, `development`.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// For `vercel`: custom environments, by slug.
    #[serde(default)]
    pub environments: Vec<String>,
    /// For `vercel`: the branch whose previews read it; those of all branches when it is not given.
    #[schemars(length(min = 1, max = 250))]
    pub branch: Option<String>,
    /// For `vercel`: whether nobody may read the value back; `true` unless said.
    pub sensitive: Option<bool>,
}

/// An environment that every project of Vercel has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// What the public sees.
    Production,
    /// Deployments of branches.
    Preview,
    /// People's own machines.
    Development,
}

/// The name that a token had before, and its user if that was another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum MovedFrom {
    /// The former name, of the same user.
    Name(String),
    /// The former name and user.
    UserAndName {
        /// The former user; the same when it is not given.
        user: Option<String>,
        /// The former name.
        name: String,
    },
}
