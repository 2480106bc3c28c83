//! The loop of a function.

use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};

use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::value::RawValue;

use super::environment::Environment;
use super::extension;
use super::function::{Authorizer, EventHandler, Failure, Output, Routes, Running};
use super::log::{self, Level};
use super::warnings;
use crate::api::Function;
use crate::clock::{Clock, SystemClock};

/// Serves a function's routes until Lambda ends it.
///
/// It reads `LATCHKEY_TABLE`, Lambda's own variables, `AWS_ENDPOINT_URL_DYNAMODB` for another table than AWS's, and
/// `LATCHKEY_ROOTS`: `native` to trust the system's certificates, or a PEM file to trust as well.
///
/// # Panics
/// When Lambda's own variables are missing.
pub async fn serve(function: Function) -> ExitCode {
    run(Routes(function)).await
}

/// Answers API Gateway's authorizers until Lambda ends it. The environment is that of [`serve`].
///
/// # Panics
/// When Lambda's own variables are missing.
pub async fn authorize() -> ExitCode {
    run(Authorizer).await
}

async fn run<H: EventHandler + 'static>(handler: H) -> ExitCode {
    let function = handler.function();
    warnings::pass_on(function);
    let environment = match Environment::read(|name| std::env::var(name).ok()) {
        Ok(environment) => environment,
        Err(error) => return failed(function, "the function cannot start", &error.to_string()),
    };
    let running = Rc::new(Running::new(handler, &environment));
    // Without the extension nobody says when the end comes; the counts are written at intervals all the same.
    let _ = extension::register(&environment.runtime).await;
    running.warm().await;
    let answering = running.clone();
    let answer = move |event: LambdaEvent<Box<RawValue>>| respond(answering.clone(), event);
    let runtime = Runtime::new(service_fn(answer)).layer(Afterwards(running.clone()));
    tokio::select! {
        ended = runtime.run() => match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(function, "the Runtime API failed", &error.to_string()),
        },
        () = extension::end() => {
            running.end().await;
            ExitCode::SUCCESS
        }
    }
}

async fn respond<H: EventHandler>(
    running: Rc<Running<H>>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Output, Diagnostic> {
    let output = running.answer(event.payload.get(), &event.context.request_id).await;
    output.map_err(|failure: Failure| Diagnostic {
        error_type: format!("{failure:?}"),
        error_message: failure.to_string(),
    })
}

pub(super) fn failed(function: Function, message: &str, internal: &str) -> ExitCode {
    log::write(log::note(SystemClock.now(), Level::Error, function, message, internal));
    ExitCode::FAILURE
}

/// Does what is left to do between a reply and the next poll: nobody waits then, and the process still runs.
struct Afterwards<H>(Rc<Running<H>>);

impl<H, S> Layer<S> for Afterwards<H> {
    type Service = ThenAfterwards<H, S>;

    fn layer(&self, inner: S) -> ThenAfterwards<H, S> {
        ThenAfterwards { inner, running: self.0.clone() }
    }
}

struct ThenAfterwards<H, S> {
    inner: S,
    running: Rc<Running<H>>,
}

impl<H, S> Service<LambdaInvocation> for ThenAfterwards<H, S>
where
    H: EventHandler + 'static,
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let replied = self.inner.call(invocation);
        let running = self.running.clone();
        Box::pin(async move {
            replied.await?;
            running.afterwards().await;
            Ok(())
        })
    }
}
