//! Which handlers answer which routes. Each function gets its own only, so that its binary holds no others.

use std::fmt;
use std::pin::Pin;

use super::callers::Verified;
use super::http::{Request, Response};
use super::problem::Problem;
use super::reading::Asked;
use super::routes::{Action, Function, ROUTES};
use super::{Api, Record};

/// A reply on its way. On the heap: what all handlers together keep over their waits is large.
type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>;
/// Answers routes that check their callers in a way of their own, or not at all; `None` for others.
type Open = for<'a> fn(&'a Api, Action, &'a Request, &'a mut Record) -> Option<Answering<'a>>;
/// Answers routes whose caller is checked.
type Act = for<'a> fn(&'a Api, Action, &'a Verified, &'a Asked<'a>) -> Answering<'a>;

/// The handlers of one function, or of all.
#[derive(Clone, Copy)]
pub struct Handlers {
    pub(super) open: Open,
    pub(super) act: Act,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Handlers")
    }
}

impl Handlers {
    /// Those of `create`.
    pub const CREATE: Self = Self { open: closed, act: create };
    /// Those of `list`.
    pub const LIST: Self = Self { open: document, act: list };
    /// Those of `delete`.
    pub const DELETE: Self = Self { open: closed, act: delete };
    /// Those of `roles`.
    pub const ROLES: Self = Self { open: closed, act: roles };
    /// Those of `versions`.
    pub const VERSIONS: Self = Self { open: closed, act: versions };
    /// Those of `manifests`.
    pub const MANIFESTS: Self = Self { open: closed, act: manifests };
    /// That of `introspect`.
    pub const INTROSPECT: Self = Self { open: introspect, act: nothing };
    /// None, for `authorize`.
    pub const NONE: Self = Self { open: closed, act: nothing };
    /// All of them, for a server that answers every route.
    pub const ALL: Self = Self { open: every_open, act: every };
}

fn closed<'a>(_: &'a Api, _: Action, _: &'a Request, _: &'a mut Record) -> Option<Answering<'a>> {
    None
}

fn document<'a>(_: &'a Api, action: Action, _: &'a Request, _: &'a mut Record) -> Option<Answering<'a>> {
    (action == Action::OpenApi).then(|| Box::pin(async { Ok(Api::openapi()) }) as Answering<'a>)
}

fn introspect<'a>(api: &'a Api, action: Action, request: &'a Request, record: &'a mut Record) -> Option<Answering<'a>> {
    (action == Action::Introspect).then(|| Box::pin(api.introspect(request, record)) as Answering<'a>)
}

fn every_open<'a>(api: &'a Api, action: Action, request: &'a Request, record: &'a mut Record) -> Option<Answering<'a>> {
    if action == Action::Introspect {
        return introspect(api, action, request, record);
    }
    document(api, action, request, record)
}

/// The route is another function's.
fn elsewhere() -> Result<Response, Problem> {
    Err(Problem::internal("this function does not answer the route".to_owned()))
}

fn nothing<'a>(_: &'a Api, _: Action, _: &'a Verified, _: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async { elsewhere() })
}

fn create<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async move {
        match action {
            Action::CreateToken => api.create_token(by, asked).await,
            _ => elsewhere(),
        }
    })
}

fn list<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async move {
        match action {
            Action::ListTokens => api.list_tokens(by, asked).await,
            Action::ShowToken => api.show_token(by, asked).await,
            Action::TokenUsage => api.token_usage(by, asked).await,
            Action::TokenEvents => api.token_events(by, asked).await,
            Action::UserUsage => api.user_usage(by, asked).await,
            Action::Events => api.events(by, asked).await,
            Action::WhoAmI => Api::who_am_i(by),
            _ => elsewhere(),
        }
    })
}

fn delete<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async move {
        match action {
            Action::DeleteToken => api.delete_token(by, asked).await,
            Action::DeleteOwnToken => api.delete_own_token(by).await,
            _ => elsewhere(),
        }
    })
}

fn roles<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async move {
        match action {
            Action::EditToken => api.edit_token(by, asked).await,
            Action::TokenRoles => api.token_roles(by, asked).await,
            Action::SetTokenRoles => api.set_token_roles(by, asked).await,
            Action::ListRoles => api.list_roles(by).await,
            Action::ShowRole => api.show_role(by, asked).await,
            Action::PutRole => api.put_role(by, asked).await,
            Action::DeleteRole => api.delete_role(by, asked).await,
            Action::ListUsers => api.list_users(by).await,
            Action::ShowUser => api.show_user(by, asked).await,
            Action::PutUser => api.put_user(by, asked).await,
            Action::DeleteUser => api.delete_user(by, asked).await,
            _ => elsewhere(),
        }
    })
}

fn versions<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async move {
        match action {
            Action::StageVersion => api.stage_version(by, asked).await,
            Action::DeliverVersion => api.deliver_version(by, asked).await,
            Action::PromoteVersion => api.promote_version(by, asked).await,
            Action::RetireVersion => api.retire_version(by, asked).await,
            _ => elsewhere(),
        }
    })
}

fn manifests<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    Box::pin(async move {
        match action {
            Action::ManifestTokens => api.manifest_tokens(by, asked).await,
            Action::ShowManifest => api.show_manifest(by, asked).await,
            Action::PublishManifest => api.publish_manifest(by, asked).await,
            Action::LookUp => api.look_up(by, asked).await,
            Action::Confirm => api.confirm(by, asked).await,
            Action::SetGrant => api.set_grant(by, asked).await,
            Action::TakeLease => api.take_lease(by, asked).await,
            Action::FreeLease => api.free_lease(by, asked).await,
            _ => elsewhere(),
        }
    })
}

fn every<'a>(api: &'a Api, action: Action, by: &'a Verified, asked: &'a Asked<'a>) -> Answering<'a> {
    let route = ROUTES.iter().find(|route| route.action == action);
    let act = match route.map(|route| route.function) {
        Some(Function::Create) => create,
        Some(Function::List) => list,
        Some(Function::Delete) => delete,
        Some(Function::Roles) => roles,
        Some(Function::Versions) => versions,
        Some(Function::Manifests) => manifests,
        Some(Function::Introspect | Function::Authorize) | None => nothing,
    };
    act(api, action, by, asked)
}
