//! The HTTP API: requests in, replies out, on any front. It knows the service below and no Lambda, no socket.
//!
//! A front (a Lambda function, the local server) hands a [`Request`] to [`Api::handle`]; the authorizer asks
//! [`Api::check`]. Every request is checked inside the function that serves it, so a deleted token is refused at once.

mod authorize;
mod http;
mod problem;
mod routes;
pub mod wire;

pub use authorize::Authorized;
pub use http::{BODY_MAX, Request, Response};
pub use problem::{FieldFault, Problem};
pub use routes::{Action, Function, ROUTES, Route};

use std::sync::Arc;

use crate::secret::TokenId;
use crate::service::Service;

/// The API on one service.
#[derive(Debug, Clone)]
pub struct Api {
    service: Arc<Service>,
}

/// A reply, and what a log says about it.
#[derive(Debug)]
pub struct Handled {
    /// The reply.
    pub response: Response,
    /// For the log; no secret is in it.
    pub record: Record,
}

/// What a log says about a request.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The route, for instance `GET /v1/me`.
    pub route: Option<String>,
    /// Who asked.
    pub caller: Option<String>,
    /// With which token.
    pub token: Option<TokenId>,
    /// What a check of a secret found: `valid`, or why not.
    pub check: Option<&'static str>,
    /// The code of the problem, if there was one.
    pub code: Option<&'static str>,
    /// What only the log may know of it.
    pub internal: Option<String>,
}

impl Api {
    /// The API on a service.
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    /// The service below.
    #[must_use]
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Answers a request. A function answers its own routes only; `None` answers all.
    pub async fn handle(&self, function: Option<Function>, request: Request) -> Handled {
        let _ = function;
        let problem = Problem::internal("not yet".to_owned());
        Handled { response: problem.response(&request.id), record: Record::default() }
    }
}
