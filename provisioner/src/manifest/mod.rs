//! Manifests: `tokens.toml`, read with spans, all faults at once.

mod agreement;
pub mod document;
mod durations;
pub(crate) mod granted;
mod links;
mod load;
mod moving;
mod parse;
mod places;
mod plain_file;
mod pushes;
mod roles;
pub mod rotation;
mod schema;
mod service;
mod sinks;
mod starter;
pub(crate) mod stored;
mod tokens;
mod users;

#[cfg(test)]
pub(crate) mod tests;

pub use links::leaving;
pub use load::{LoadError, load};
pub use moving::{Former, Moves};
pub use parse::parse;
pub use plain_file::{ReadError, RefusedTarget, SIZE_MAX};
pub use rotation::Rotation;
pub use schema::schema;
pub use starter::starter;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use latchkey::lifetime::Terms;
use latchkey::name::{ManifestName, RoleName, TokenName, UserName};
use latchkey::role::Permissions;
use latchkey::token::TokenKey;

use crate::notify::Receiver;
use latchkey_sinks::reading::Span;
use latchkey_sinks::{Bounds, PushDeclaration, SinkDeclaration};

/// A manifest without faults, its defaults filled in.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its name, which owns what it declares.
    pub name: ManifestName,
    /// The file, as it was named.
    pub path: PathBuf,
    /// The folder that contains it, links resolved: relative paths start there.
    pub folder: PathBuf,
    /// The file's text, for snippets.
    pub text: String,
    /// Where the service is, if the file sets it.
    pub service: Option<ServiceAddress>,
    /// The roles it declares.
    pub roles: BTreeMap<RoleName, RoleDeclaration>,
    /// The users it declares.
    pub users: BTreeMap<UserName, UserDeclaration>,
    /// The sinks it declares.
    pub sinks: BTreeMap<String, SinkDeclaration>,
    /// The tokens it declares, in the file's order.
    pub tokens: Vec<TokenDeclaration>,
    /// When what is due is rotated.
    pub rotation: Rotation,
    /// Who is told of notices about its tokens, by name.
    pub notify: BTreeMap<String, Receiver>,
    /// Which files its sinks may open.
    pub bounds: Bounds,
}

/// Where the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAddress {
    /// An embedded table in this file.
    Embedded(PathBuf),
    /// A DynamoDB table.
    Table {
        name: String,
        /// Its region; `None` takes that of the AWS environment.
        region: Option<String>,
        /// An endpoint other than AWS's own.
        endpoint: Option<String>,
    },
    Url {
        url: String,
        by: NamedBy,
    },
}

/// Who named a server. A manifest may be anybody's, so that one alone is sent no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    Manifest,
    /// On the command line or in the environment of this run.
    Person,
    /// The login that is used where nothing else names a server.
    Login,
}

/// A declared role.
#[derive(Debug, Clone)]
pub struct RoleDeclaration {
    /// The permissions that it allows.
    pub permissions: Permissions,
    /// Whether it moves from or to another manifest.
    pub moves: Moves,
    /// Where its header is.
    pub span: Span,
}

/// A declared user.
#[derive(Debug, Clone)]
pub struct UserDeclaration {
    /// `person` or `service`.
    pub service: bool,
    /// The roles it has.
    pub roles: Vec<RoleName>,
    /// The most active tokens; `None` takes the service's default.
    pub max_tokens: Option<u32>,
    /// Whether it moves from or to another manifest.
    pub moves: Moves,
    /// Where its header is.
    pub span: Span,
    /// Where its roles are named, one span per role.
    pub role_spans: Vec<Span>,
    /// Where `max_tokens` is.
    pub max_tokens_span: Option<Span>,
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
    /// The user and name that it had before in this manifest.
    pub moved_from: Option<(UserName, TokenName)>,
    /// The token of another manifest that it is.
    pub taken_from: Option<Former>,
    /// The manifest that may take it.
    pub moved_to: Option<ManifestName>,
    /// Where its header is.
    pub span: Span,
    /// Where its user is named.
    pub user_span: Span,
    /// Where its roles are named, one span per role; empty when `roles` is `None`.
    pub role_spans: Vec<Span>,
    /// Where `moved_from` is.
    pub moved_from_span: Option<Span>,
}

impl TokenDeclaration {
    /// The token by name.
    pub fn key(&self) -> TokenKey {
        TokenKey::new(self.user.clone(), self.name.clone())
    }
}
