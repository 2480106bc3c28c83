//! Requests of verified callers: first with the values of their path, then with the types that their route declares.

use std::marker::PhantomData;

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::callers::VerifiedCaller;
use super::http::Request;
use super::parameters::{Parameters, QueryValues};
use super::path::{Path, PathValues, Placeholder};
use super::problem::Problem;
use super::reading::read_body;
use crate::name::UserName;
use crate::service::{Caller, Valid};

/// A request of a verified caller.
#[derive(Debug)]
pub(super) struct VerifiedRequest<'a> {
    request: &'a Request,
    path: PathValues,
    by: VerifiedCaller,
}

/// The same for a handler: the types of its path, its parameters and its body say what its route takes.
pub(super) struct RoutedRequest<'a, P = (), Q = (), B = NoBody> {
    verified: &'a VerifiedRequest<'a>,
    /// What was given besides path and body.
    pub(super) given: Q,
    types: PhantomData<fn() -> (P, B)>,
}

/// What a route takes as its body.
pub(super) trait RequestBody {
    fn describe(schemas: &mut SchemaGenerator) -> Option<Value>;
}

/// Of a route that takes none.
pub(super) struct NoBody;

impl RequestBody for NoBody {
    fn describe(_: &mut SchemaGenerator) -> Option<Value> {
        None
    }
}

impl<T: DeserializeOwned + JsonSchema> RequestBody for T {
    fn describe(schemas: &mut SchemaGenerator) -> Option<Value> {
        Some(schemas.subschema_for::<T>().to_value())
    }
}

impl<'a> VerifiedRequest<'a> {
    pub(super) fn new(request: &'a Request, mut path: PathValues, by: VerifiedCaller) -> Self {
        // No user is called `me`.
        path.replace(UserName::NAME, "me", by.valid.user.as_str());
        Self { request, path, by }
    }

    /// Whoever asks, as the service knows it.
    pub(super) fn caller(&self) -> &Caller {
        &self.by.caller
    }

    /// A name in the path, if it is there and can be one.
    pub(super) fn named<T: Placeholder>(&self) -> Option<T> {
        self.path.read()
    }

    /// The request as a handler takes it. Parameters that its route does not declare are refused.
    pub(super) fn routed<P: Path, Q: Parameters, B>(&'a self) -> Result<RoutedRequest<'a, P, Q, B>, Problem> {
        let mut query = QueryValues::read(&self.request.query, Q::QUERY)?;
        Ok(RoutedRequest { verified: self, given: Q::take(self.request, &mut query), types: PhantomData })
    }
}

impl<P: Path, Q, B> RoutedRequest<'_, P, Q, B> {
    /// Whoever asks, as the service knows it.
    pub(super) fn caller(&self) -> &Caller {
        &self.verified.by.caller
    }

    /// The token in hand.
    pub(super) fn token(&self) -> &Valid {
        &self.verified.by.valid
    }

    /// The names in the path. One that cannot be a name names nothing.
    pub(super) fn path(&self) -> Result<P, Problem> {
        P::read(&self.verified.path).ok_or_else(Problem::not_found)
    }

    /// The body, JSON. Unknown fields are refused.
    pub(super) fn body(&self) -> Result<B, Problem>
    where
        B: DeserializeOwned,
    {
        read_body(self.verified.request)
    }
}
