//! The one route table. Functions, the local server, the template and the `OpenAPI` document are held against it.

use std::fmt;

/// The functions of the service, one concern each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// Makes tokens.
    Create,
    /// Lists tokens, usage and events.
    List,
    /// Ends tokens.
    Delete,
    /// Edits tokens, their roles, roles and users.
    Roles,
    /// Stages, announces, promotes and retires versions.
    Versions,
    /// What a declarative run needs beyond single tokens.
    Manifests,
    /// Tells a trusted caller about a token.
    Introspect,
    /// An authorizer for its users' own APIs; it has no route.
    Authorize,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::List,
        Self::Delete,
        Self::Roles,
        Self::Versions,
        Self::Manifests,
        Self::Introspect,
        Self::Authorize,
    ];

    /// Its name, which its binary has too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Roles => "roles",
            Self::Versions => "versions",
            Self::Manifests => "manifests",
            Self::Introspect => "introspect",
            Self::Authorize => "authorize",
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the summaries in the table say what each does")]
pub enum Action {
    CreateToken,
    ListTokens,
    ShowToken,
    TokenUsage,
    TokenEvents,
    UserUsage,
    Events,
    WhoAmI,
    OpenApi,
    DeleteToken,
    DeleteOwnToken,
    EditToken,
    TokenRoles,
    SetTokenRoles,
    ListRoles,
    ShowRole,
    PutRole,
    DeleteRole,
    ListUsers,
    ShowUser,
    PutUser,
    DeleteUser,
    StageVersion,
    DeliverVersion,
    PromoteVersion,
    RetireVersion,
    ManifestTokens,
    ShowManifest,
    PublishManifest,
    LookUp,
    Confirm,
    SetGrant,
    TakeLease,
    FreeLease,
    Introspect,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{names}`.
    pub path: &'static str,
    /// The function that serves it.
    pub function: Function,
    /// What it does.
    pub action: Action,
    /// What it does, in a sentence, for the document.
    pub summary: &'static str,
}

const fn route(
    method: &'static str,
    path: &'static str,
    function: Function,
    action: Action,
    summary: &'static str,
) -> Route {
    Route { method, path, function, action, summary }
}

impl Route {
    /// The parameters that its query may have.
    pub fn parameters(&self) -> &'static [&'static str] {
        match self.action {
            Action::ListTokens => &["state", "limit", "cursor"],
            Action::TokenUsage => &["from", "to", "id"],
            Action::TokenEvents => &["id", "month", "limit", "cursor"],
            Action::UserUsage => &["from", "to", "cursor"],
            Action::Events => &["user", "month", "limit", "cursor"],
            Action::DeleteToken => &["id", "looked_at", "revision"],
            Action::RetireVersion => &["id", "looked_at", "revision", "force", "compromised"],
            Action::ManifestTokens => &["limit", "cursor"],
            Action::FreeLease => &["holder"],
            _ => &[],
        }
    }
}

/// All routes.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/users/{user}/tokens",
        Function::Create,
        Action::CreateToken,
        "Makes a token and shows its secret, this once",
    ),
    route(
        "GET",
        "/v1/users/{user}/tokens",
        Function::List,
        Action::ListTokens,
        "Lists a user's tokens: active ones by name, deleted and expired ones newest first",
    ),
    route("GET", "/v1/users/{user}/tokens/{name}", Function::List, Action::ShowToken, "Shows an active token"),
    route(
        "GET",
        "/v1/users/{user}/tokens/{name}/usage",
        Function::List,
        Action::TokenUsage,
        "How often a token was used, by day",
    ),
    route(
        "GET",
        "/v1/users/{user}/tokens/{name}/events",
        Function::List,
        Action::TokenEvents,
        "What was done to a token, newest first",
    ),
    route(
        "GET",
        "/v1/users/{user}/usage",
        Function::List,
        Action::UserUsage,
        "How often a user's active tokens were used, by day",
    ),
    route("GET", "/v1/events", Function::List, Action::Events, "Audit events of one month, newest first"),
    route("GET", "/v1/me", Function::List, Action::WhoAmI, "Who the caller is, with which token, and what it permits"),
    route("GET", "/v1/openapi.json", Function::List, Action::OpenApi, "This document"),
    route(
        "DELETE",
        "/v1/users/{user}/tokens/{name}",
        Function::Delete,
        Action::DeleteToken,
        "Ends a token: no secret of it is valid once this returns",
    ),
    route("DELETE", "/v1/me/token", Function::Delete, Action::DeleteOwnToken, "Ends the token in hand"),
    route(
        "PATCH",
        "/v1/users/{user}/tokens/{name}",
        Function::Roles,
        Action::EditToken,
        "Changes a token, but not its secret",
    ),
    route(
        "GET",
        "/v1/users/{user}/tokens/{name}/roles",
        Function::Roles,
        Action::TokenRoles,
        "A token's roles and what they permit",
    ),
    route(
        "PUT",
        "/v1/users/{user}/tokens/{name}/roles",
        Function::Roles,
        Action::SetTokenRoles,
        "Replaces a token's roles",
    ),
    route("GET", "/v1/roles", Function::Roles, Action::ListRoles, "Lists all roles"),
    route("GET", "/v1/roles/{role}", Function::Roles, Action::ShowRole, "Shows a role"),
    route("PUT", "/v1/roles/{role}", Function::Roles, Action::PutRole, "Defines a role, or changes what it permits"),
    route("DELETE", "/v1/roles/{role}", Function::Roles, Action::DeleteRole, "Deletes a role that nobody holds"),
    route("GET", "/v1/users", Function::Roles, Action::ListUsers, "Lists all users"),
    route("GET", "/v1/users/{user}", Function::Roles, Action::ShowUser, "Shows a user"),
    route("PUT", "/v1/users/{user}", Function::Roles, Action::PutUser, "Makes a user, or changes one"),
    route("DELETE", "/v1/users/{user}", Function::Roles, Action::DeleteUser, "Deletes a user without active tokens"),
    route(
        "POST",
        "/v1/users/{user}/tokens/{name}/versions",
        Function::Versions,
        Action::StageVersion,
        "Stages a version and shows its secret, this once",
    ),
    route(
        "PUT",
        "/v1/users/{user}/tokens/{name}/versions/{version}/deliveries/{place}",
        Function::Versions,
        Action::DeliverVersion,
        "Announces that a version is about to be written to a place, or reports that it arrived",
    ),
    route(
        "POST",
        "/v1/users/{user}/tokens/{name}/versions/{version}/promote",
        Function::Versions,
        Action::PromoteVersion,
        "Makes a staged version current",
    ),
    route(
        "DELETE",
        "/v1/users/{user}/tokens/{name}/versions/{version}",
        Function::Versions,
        Action::RetireVersion,
        "Retires an older version, after a look that found it nowhere; or ends one that has leaked, at once",
    ),
    route("GET", "/v1/manifests/{manifest}", Function::Manifests, Action::ShowManifest, "What is known of a manifest"),
    route(
        "PUT",
        "/v1/manifests/{manifest}",
        Function::Manifests,
        Action::PublishManifest,
        "Notes a revision that is applied, or publishes the manifest for the scheduled job",
    ),
    route(
        "GET",
        "/v1/manifests/{manifest}/tokens",
        Function::Manifests,
        Action::ManifestTokens,
        "The records of a manifest's tokens",
    ),
    route(
        "POST",
        "/v1/manifests/{manifest}/lookup",
        Function::Manifests,
        Action::LookUp,
        "The users, roles, tokens and token ids that a plan refers to",
    ),
    route(
        "POST",
        "/v1/manifests/{manifest}/confirm",
        Function::Manifests,
        Action::Confirm,
        "Which version of a token has a digest",
    ),
    route(
        "PUT",
        "/v1/manifests/{manifest}/grant",
        Function::Manifests,
        Action::SetGrant,
        "Says what a manifest may hand out",
    ),
    route(
        "PUT",
        "/v1/manifests/{manifest}/lease",
        Function::Manifests,
        Action::TakeLease,
        "Takes or renews a manifest's lease",
    ),
    route("DELETE", "/v1/manifests/{manifest}/lease", Function::Manifests, Action::FreeLease, "Gives a lease back"),
    route("POST", "/v1/introspect", Function::Introspect, Action::Introspect, "Token introspection, RFC 7662"),
];

/// The values of a path's `{names}`, decoded.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// What the table says about a method and a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A route.
    Route(&'static Route, Parameters),
    /// The path is there with these methods only.
    Method(Vec<&'static str>),
    /// No such path.
    Nothing,
}

/// Finds a route.
pub(super) fn find(method: &str, path: &str) -> Found {
    let mut others = Vec::new();
    // A literal beats a name, as in `/v1/me`: routes with names in the same place differ in length or in other words.
    for route in ROUTES {
        if let Some(parameters) = matches(route.path, path) {
            if route.method == method {
                return Found::Route(route, parameters);
            }
            others.push(route.method);
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::Method(others) }
}

fn matches(pattern: &'static str, path: &str) -> Option<Parameters> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(word), Some(part)) => match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
                Some(name) => parameters.push((name, decode(part).filter(|text| !text.is_empty())?)),
                None if word == part => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// Percent-decodes one segment; `None` when it is not UTF-8 or badly encoded.
pub(super) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}
