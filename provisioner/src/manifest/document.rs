//! The file as it is written, type by type: what editors learn from its JSON Schema.
//!
//! These types only describe the form, and their comments are what an editor shows: each field has one.
//! [`parse`](super::parse) reads by hand, because it goes on after a fault; tests hold it to the fields that stand here.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::sinks::{SinkSettings, aws_secrets_manager, vercel};

const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

/// The tokens of a team: who has them, what they may do, and where their secrets go.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "tokens.toml")]
pub struct Document {
    /// The manifest's name. It owns what the file declares: other manifests cannot change it.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub manifest: String,
    /// Where the service is.
    pub service: Option<Service>,
    /// What holds for every token that does not say otherwise.
    #[schemars(default)]
    pub defaults: Defaults,
    /// Named sets of permissions.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,63}$" }))]
    pub roles: BTreeMap<String, Role>,
    /// Whoever owns tokens.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9._@+-]{0,127}$" }))]
    pub users: BTreeMap<String, User>,
    /// Places that hold secrets.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,63}$" }))]
    pub sinks: BTreeMap<String, SinkSettings>,
    /// The tokens, by name.
    #[schemars(default)]
    pub tokens: BTreeMap<String, Token>,
}

/// Where the service is: in a file, in a DynamoDB table or behind a URL.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
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
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
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
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Role {
    /// What it permits: `resource:action`; `*` may stand for every action.
    #[schemars(length(max = 100), inner(regex(pattern = "^[a-z][a-z0-9-]*:([a-z][a-z0-9-]*|\\*)$")))]
    pub permissions: Vec<String>,
}

/// Whoever owns tokens.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct User {
    /// A person or a program.
    pub kind: Kind,
    /// The roles it holds. None means that it may do nothing.
    #[schemars(default, length(max = 20))]
    pub roles: Vec<String>,
    /// The most active tokens it may have, by hand or by manifest; the service's default is 10.
    pub max_tokens: Option<u32>,
}

/// A person or a program.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody.
    Person,
    /// A program.
    Service,
}

/// A token: one named grant of a user.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
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
    /// Free labels.
    #[schemars(default, extend("propertyNames" = { "minLength": 1, "maxLength": 64 }, "maxProperties" = 20))]
    pub labels: BTreeMap<String, String>,
    /// The networks it may be used from, as CIDRs; from everywhere when there is none.
    #[schemars(default, length(max = 20))]
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
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Push {
    /// The sink.
    pub sink: String,
    /// The entry's name there.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// Take over an entry that somebody else made; counts before the first delivery only.
    #[schemars(default)]
    pub adopt: bool,
    #[schemars(flatten)]
    pub aws_secrets_manager: aws_secrets_manager::PushFields,
    #[schemars(flatten)]
    pub vercel: vercel::PushFields,
}

/// The name that a token had before, and its user if that was another.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
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
