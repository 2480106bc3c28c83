//! The HTTP API: requests in, replies out, on any front. It knows the service below and no Lambda, no socket.
//!
//! A front (a Lambda function, the local server) hands a [`Request`] to [`Api::handle`]; the authorizer asks
//! [`Api::authorize`]. Every request is checked inside the function that serves it, so a deleted token is refused at once.

mod authorize;
mod body;
mod callers;
mod codes;
mod create;
mod dashboard;
mod delete;
mod document;
mod failure;
mod forms;
mod functions;
mod history;
mod http;
mod introspect;
mod list;
mod manifests;
mod me;
mod needs;
mod object;
mod openapi;
mod parameters;
mod path;
mod problem;
mod publication;
mod reading;
mod replies;
mod request;
mod roles;
mod routes;
mod rows;
mod settings;
mod versions;
pub mod wire;

pub use authorize::Authorized;
pub use body::{BODY_MAX, BodyFault, BodyFuture, IncomingBody};
pub use codes::ProblemCode;
pub use functions::{Function, document};
pub use http::{Request, Response};
pub use introspect::METADATA;
pub use problem::{FieldFault, Problem};
pub use routes::Route;

use std::sync::Arc;

use body::{ArrivedBody, PRESENTED_BODY_MAX};
use callers::{asking, check_form, in_scheme};
use request::VerifiedRequest;
use routes::{Found, Handler, ResponseFuture};

use crate::name::{TokenName, UserName};
use crate::secret::TokenId;
use crate::service::Service;
use crate::table::TableError;

/// The API on one service.
#[derive(Debug, Clone)]
pub struct Api {
    service: Arc<Service>,
    function: Function,
    first_use: FirstUse,
}

/// A reply, and what a log says about it.
#[derive(Debug)]
pub struct Reply {
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

/// When the first use of a version is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstUse {
    BeforeReply,
    AfterReply,
}

impl Reply {
    /// The reply where there is no service, as its table is in trouble.
    pub fn without_service(trouble: TableError, request_id: &str) -> Self {
        Self::new(Err(trouble.into()), Record::default(), request_id)
    }

    fn new(answered: Result<Response, Problem>, mut record: Record, request_id: &str) -> Self {
        let response = answered.unwrap_or_else(|problem| {
            record.code = Some(problem.code);
            record.internal.clone_from(&problem.internal);
            problem.response(request_id)
        });
        Self { response: response.with("x-request-id", request_id), record }
    }
}

impl Api {
    /// The API on a service, with all its routes.
    pub fn new(service: Arc<Service>) -> Self {
        Self::with(service, Function::SERVER)
    }

    /// The API on a service, as far as one function answers it.
    pub fn with(service: Arc<Service>, function: Function) -> Self {
        Self { service, function, first_use: FirstUse::BeforeReply }
    }

    /// The same for a front that calls [`Service::write_first_uses`] after each reply, so that no reply waits for that.
    #[must_use]
    pub fn noting_after_reply(self) -> Self {
        Self { first_use: FirstUse::AfterReply, ..self }
    }

    /// The service below.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Answers a request that is here as a whole.
    pub async fn handle(&self, mut request: Request) -> Reply {
        let mut body = ArrivedBody(std::mem::take(&mut request.body));
        self.handle_incoming(request, &mut body).await
    }

    /// Answers a request whose body is still to come. It is asked for once the caller's token is known to be valid; where
    /// the body says what to check with it, once the token has the form of one, and for 8 KiB at the most. Who presents
    /// no token can make no front keep a body.
    pub async fn handle_incoming(&self, mut request: Request, body: &mut dyn IncomingBody) -> Reply {
        let mut record = Record::default();
        let answered = self.answer(&mut request, body, &mut record).await;
        Reply::new(answered, record, &request.id)
    }

    fn answer<'a>(
        &'a self,
        request: &'a mut Request,
        body: &'a mut dyn IncomingBody,
        record: &'a mut Record,
    ) -> ResponseFuture<'a> {
        Box::pin(self.answer_by_route(request, body, record))
    }

    async fn answer_by_route(
        &self,
        request: &mut Request,
        body: &mut dyn IncomingBody,
        record: &mut Record,
    ) -> Result<Response, Problem> {
        let (route, path) = match routes::find(self.function.routes(), &request.method, &request.path) {
            Found::Route(route, path) => (route, path),
            Found::Method(methods) => {
                let refused = Problem::new(405, "method_not_allowed", "this path has no such method");
                return Err(Problem { allow: Some(methods.join(", ")), ..refused });
            }
            Found::Nothing => {
                return Err(Problem { detail: "there is no such path".to_owned(), ..Problem::not_found() });
            }
        };
        record.route = Some(route.to_string());
        let length: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if length > HEADERS_MAX {
            let detail = format!("the headers have at most {HEADERS_MAX} bytes together");
            return Err(Problem::new(431, "headers_too_large", detail));
        }
        let answer = match route.handler {
            Handler::Open(answer) => return answer(self, request, record).await,
            Handler::Presented(answer) => {
                let answered = async {
                    check_form(&asking(request)?, record)?;
                    receive(request, body, PRESENTED_BODY_MAX).await?;
                    answer(self, request, record).await
                };
                let answered = answered.await;
                return answered.map_err(|problem| in_scheme(request, problem));
            }
            Handler::Verified(answer) => answer,
        };
        let by = self.caller(request, record).await?;
        receive(request, body, BODY_MAX).await?;
        let verified = VerifiedRequest::new(request, path, by);
        let answered = answer(self, &verified).await;
        if let Err(problem) = &answered {
            self.audit(&verified, route, problem).await;
        }
        answered
    }

    /// Writes an event about an attempt to gain something. Failing to write it does not let the attempt through.
    async fn audit(&self, verified: &VerifiedRequest<'_>, route: &Route, problem: &Problem) {
        if !AUDITED.contains(&problem.code) {
            return;
        }
        let (user, name): (Option<UserName>, Option<TokenName>) = (verified.named(), verified.named());
        let detail = format!("{route}: {}: {}", problem.code, problem.detail);
        if let Err(error) = self.service.note_refusal(verified.caller(), user.as_ref(), name.as_ref(), &detail).await {
            tracing::error!(%error, code = problem.code, "a refusal was not recorded");
        }
    }
}

async fn receive(request: &mut Request, body: &mut dyn IncomingBody, max: usize) -> Result<(), Problem> {
    request.body = body.read(max).await.map_err(|fault| fault.problem(max))?;
    Ok(())
}

/// Refusals that somebody has to hear of.
const AUDITED: [&str; 7] = [
    "insufficient_scope",
    "reserved",
    "role_not_held",
    "gain_refused",
    "not_granted",
    "not_by_manifest",
    "token_replaced",
];
/// All headers together; the gateway's own limit is 10 KB.
const HEADERS_MAX: usize = 16 * 1024;
