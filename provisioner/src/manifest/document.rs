//! The file as it is written, type by type: what editors read from its JSON Schema.
//!
//! These types only describe the form, and their comments are what an editor shows: each field has one.
//! [`parse`](super::parse) reads by hand, because it continues after a fault; tests compare it with the fields here.

use std::collections::BTreeMap;

use latchkey::notice::NoticeKind;
use schemars::JsonSchema;

use latchkey_sinks::{SinkSettings, aws_secrets_manager, vercel};

const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

/// The tokens of a team: who owns them, what they allow, and where their secrets go.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "tokens.toml")]
pub struct Document {
    /// Name of the manifest. It owns what the file declares: other manifests cannot change that.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub manifest: String,
    /// Manifest that everything declared here is taken from, once it has agreed with `moved_to`. For a manifest that gets
    /// another name.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_from: Option<String>,
    /// Manifest that may take everything declared here, which sets `moved_from`. Until then nothing else changes.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_to: Option<String>,
    /// Address of the service.
    pub service: Option<Service>,
    /// Defaults for all tokens.
    #[schemars(default)]
    pub defaults: Defaults,
    /// When tokens that are due are rotated.
    #[schemars(default)]
    pub rotation: Rotation,
    /// Who is told of notices about the tokens.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,63}$" }))]
    pub notify: BTreeMap<String, Receiver>,
    /// Named sets of permissions.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,63}$" }))]
    pub roles: BTreeMap<String, Role>,
    /// A person or a program that owns tokens.
    #[schemars(default, extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9._@+-]{0,127}$" }))]
    pub users: BTreeMap<String, User>,
    /// Where secrets are delivered to: vaults, projects, apps, files, keyrings.
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
    /// In a file beside the manifest, without any setup.
    Embedded {
        /// The file, relative to the manifest's folder.
        #[schemars(length(min = 1))]
        embedded: String,
    },
    /// In a DynamoDB table, as its operator.
    Table {
        /// Name of the table.
        #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{3,255}$"))]
        table: String,
        /// Region of the table; default: from the AWS environment.
        region: Option<String>,
        /// Endpoint to use instead of AWS's own.
        endpoint: Option<String>,
    },
    /// Behind a URL, with a token of that server.
    Url {
        /// URL of the server, `https` except on this machine.
        #[schemars(regex(pattern = "^https?://"))]
        url: String,
    },
}

/// Defaults for all tokens.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Defaults {
    /// How long a secret is valid; default: 90d.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub expires_in: Option<String>,
    /// How often a new secret replaces the current one; default: 30d.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub rotate_every: Option<String>,
    /// How long the older secret stays valid after that; default: 24h. At least 1h.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub overlap: Option<String>,
    /// Owner of the tokens.
    pub user: Option<String>,
}

/// When tokens that are due are rotated.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rotation {
    /// Hours in which tokens that are due are rotated, `Mon-Fri 09:00-16:00 Europe/Berlin`; default: any time. What would
    /// expire before the next opening is rotated outside it; so is what is named, leaked or expired.
    #[schemars(regex(pattern = "^([A-Za-z,-]+ )?[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2} [A-Za-z0-9/_+-]+$"))]
    pub window: Option<String>,
    /// Limit of apps that one run restarts for tokens that are due; the others follow in later runs. Default: no limit.
    #[schemars(range(min = 1))]
    pub max_restarts: Option<u32>,
}

/// Who is told of notices, and how.
#[derive(Debug, JsonSchema)]
#[schemars(tag = "type", rename_all = "lowercase")]
pub enum Receiver {
    /// A webhook in the form of Standard Webhooks.
    Webhook(Webhook),
    /// An incoming webhook of Slack.
    Slack(Slack),
    /// Mails by Amazon SES.
    Email(Email),
    /// A bus of Amazon EventBridge.
    EventBridge(EventBridge),
}

/// A webhook in the form of Standard Webhooks.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Webhook {
    #[schemars(flatten)]
    pub told: Told,
    /// Where the address is: `https`, on a public host.
    pub url: ReceiverLogin,
    /// Where the signing secret is: `whsec_` and base64, or a text of at least 24 bytes.
    pub secret: ReceiverLogin,
}

/// An incoming webhook of Slack.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Slack {
    #[schemars(flatten)]
    pub told: Told,
    /// Where the address is: `https`, on a public host.
    pub url: ReceiverLogin,
}

/// Mails by Amazon SES.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Email {
    #[schemars(flatten)]
    pub told: Told,
    /// Name of the receiver in the service's settings whose addresses get the mails.
    #[schemars(rename = "use", regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub used: String,
}

/// A bus of Amazon EventBridge.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EventBridge {
    #[schemars(flatten)]
    pub told: Told,
    /// Name or ARN of the bus; `default` is the account's own.
    #[schemars(length(min = 1, max = 1600))]
    pub bus: String,
    /// Region of the bus; default: from the AWS environment.
    pub region: Option<String>,
    /// Endpoint to use instead of AWS's own.
    pub endpoint: Option<String>,
}

// What every receiver has. No doc comment: it would become a part of each description.
#[derive(Debug, JsonSchema)]
pub struct Told {
    /// What it is told of; default: all but `created` and `deleted`.
    #[schemars(length(min = 1))]
    pub on: Option<Vec<NoticeKind>>,
    /// Where a token is seen: an address with `{user}` and `{name}` in it.
    #[schemars(regex(pattern = "^https?://"), length(max = 500))]
    pub link: Option<String>,
}

/// Where the address or the secret of a receiver is; neither is ever in the file itself.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
pub enum ReceiverLogin {
    /// In an environment variable.
    Env {
        /// The variable's name.
        env: String,
    },
    /// In a file.
    File {
        /// The file, relative to the manifest's folder.
        file: String,
    },
    /// In Secrets Manager, below `latchkey/logins/` and the manifest's name.
    Secret {
        /// The secret's name.
        secret: String,
    },
}

/// A named set of permissions.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Role {
    /// Permissions that the role allows, `resource:action`; the action `*` means every action.
    #[schemars(length(max = 100), inner(regex(pattern = "^[a-z][a-z0-9-]*:([a-z][a-z0-9-]*|\\*)$")))]
    pub permissions: Vec<String>,
    /// Manifest that the role is taken from, once it has agreed with `moved_to`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_from: Option<String>,
    /// Manifest that may take the role.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_to: Option<String>,
}

/// A person or a program that owns tokens.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct User {
    /// A person or a program.
    pub kind: Kind,
    /// Roles of the user. Without any, the user is allowed nothing.
    #[schemars(default, length(max = 20))]
    pub roles: Vec<String>,
    /// Limit of active tokens, by hand or by manifest; the service's default is 10.
    pub max_tokens: Option<u32>,
    /// Manifest that the user is taken from, once it has agreed with `moved_to`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_from: Option<String>,
    /// Manifest that may take the user.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_to: Option<String>,
}

/// A person or a program.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    Person,
    /// A program.
    Service,
}

/// A token: one named grant of a user.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Token {
    /// Name of the token; default: the key. For two users who need the same name.
    #[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"), length(max = 64))]
    pub name: Option<String>,
    /// Owner of the token; default: the user in `[defaults]`.
    pub user: Option<String>,
    /// What the token is for.
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// Roles of the token, among those of its user; default: all of them.
    #[schemars(length(max = 20))]
    pub roles: Option<Vec<String>>,
    /// Labels of your choice.
    #[schemars(default, extend("propertyNames" = { "minLength": 1, "maxLength": 64 }, "maxProperties" = 20))]
    pub labels: BTreeMap<String, String>,
    /// Networks that the token may be used from, as CIDRs; default: any.
    #[schemars(default, length(max = 20))]
    pub allowed_ips: Vec<String>,
    /// How long a secret is valid; default: that of `[defaults]`.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub expires_in: Option<String>,
    /// How often a new secret replaces the current one; default: that of `[defaults]`.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub rotate_every: Option<String>,
    /// How long the older secret stays valid after that; default: that of `[defaults]`.
    #[schemars(regex(pattern = DURATION), length(min = 2))]
    pub overlap: Option<String>,
    /// Where the secret is delivered.
    #[schemars(length(min = 1))]
    pub push: Vec<Push>,
    /// Former name of the token, so that a new name is a rename and not a second token; with `manifest`, the token of
    /// another manifest that has agreed with `moved_to`.
    pub moved_from: Option<MovedFrom>,
    /// Manifest that may take the token, with its secrets and places. Until then it is rotated and repaired here.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub moved_to: Option<String>,
}

/// One entry in one sink.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Push {
    /// Name of the sink.
    pub sink: String,
    /// Name of the entry in the sink.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// Take over an entry that Latchkey did not write; only counts before the first delivery.
    #[schemars(default)]
    pub adopt: bool,
    #[schemars(flatten)]
    pub aws_secrets_manager: aws_secrets_manager::PushFields,
    #[schemars(flatten)]
    pub vercel: vercel::PushFields,
}

/// The name that a token had before, and where that was.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
pub enum MovedFrom {
    /// The former name, of the same user.
    Name(String),
    /// The former name, and its manifest or user.
    UserAndName {
        /// The manifest that declares the token today; default: this one.
        #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
        manifest: Option<String>,
        /// The former user; default: the same user.
        user: Option<String>,
        /// The former name.
        name: String,
    },
}
