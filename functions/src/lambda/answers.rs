//! What a function answers. Routes and the authorizer are types of their own, so that the binary of one holds nothing of
//! the other.

use serde::Serialize;
use serde_json::Value;

use super::authorizer;
use super::events::{self, EventError, Reply};
use super::front::Opening;
use crate::api::{Authorized, Function, Handled, Handlers, Record};
use crate::service::Verdict;

/// How a function answers.
pub(super) trait Answers {
    /// Which function it is.
    fn function(&self) -> Function;

    /// The handlers that it has.
    fn handlers(&self) -> Handlers;

    /// Answers an event.
    async fn answer(&self, opening: &Opening, event: &str) -> Done;
}

/// The routes of a function.
pub(super) struct Routes(pub(super) Function, pub(super) Handlers);

/// The authorizer.
pub(super) struct Authorizer;

/// What the runtime is given.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Reply(Reply),
    Verdict(Value),
}

/// Why an invocation failed, in the words that the gateway gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The word that API Gateway turns into a 401.
    #[error("Unauthorized")]
    Unauthorized,
    #[error("the table does not answer")]
    Unavailable,
    #[error("the event is not one that this function reads")]
    Event,
}

/// An answer, and what the log says about it.
pub(super) struct Done {
    pub(super) answer: Result<Answer, Failure>,
    pub(super) record: Record,
    pub(super) request_id: String,
    pub(super) status: Option<u16>,
    pub(super) outcome: &'static str,
}

impl Answers for Routes {
    fn function(&self) -> Function {
        self.0
    }

    fn handlers(&self) -> Handlers {
        self.1
    }

    async fn answer(&self, opening: &Opening, event: &str) -> Done {
        let request = match events::request(event) {
            Ok(request) => request,
            Err(error) => return Done::unreadable(&error),
        };
        let request_id = request.id.clone();
        let Handled { response, record } = match opening.api().await {
            Ok(api) => api.handle(Some(self.0), request).await,
            Err(trouble) => Handled::without_service(trouble, &request_id),
        };
        let status = Some(response.status);
        Done { answer: Ok(Answer::Reply(response.into())), record, request_id, status, outcome: "ok" }
    }
}

impl Answers for Authorizer {
    fn function(&self) -> Function {
        Function::Authorize
    }

    fn handlers(&self) -> Handlers {
        Handlers::NONE
    }

    async fn answer(&self, opening: &Opening, event: &str) -> Done {
        let question = match authorizer::question(event) {
            Ok(question) => question,
            Err(error) => return Done::unreadable(&error),
        };
        let Authorized { verdict, record } = match opening.api().await {
            Ok(api) => api.authorize(&question.presented, question.source).await,
            Err(trouble) => Authorized::without_service(trouble),
        };
        let (answer, outcome) = match &verdict {
            Ok(Verdict::Valid(valid)) => (authorizer::answer(&question, Some(valid)), "allowed"),
            Ok(Verdict::Invalid(_)) => (authorizer::answer(&question, None), "refused"),
            Err(_) => {
                let answer = Err(Failure::Unavailable);
                return Done { answer, record, request_id: question.id, status: None, outcome: "unavailable" };
            }
        };
        let answer = answer.map(Answer::Verdict).ok_or(Failure::Unauthorized);
        Done { answer, record, request_id: question.id, status: None, outcome }
    }
}

impl Done {
    fn unreadable(error: &EventError) -> Self {
        let record = Record { internal: Some(error.to_string()), ..Record::default() };
        let answer = Err(Failure::Event);
        Self { answer, record, request_id: String::new(), status: None, outcome: "unreadable" }
    }
}
