//! The page as a function: it has no table, no client and nothing to count.

use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

use super::events::{self, GatewayReply};
use super::run::failed;
use super::warnings;
use crate::api::{Function, Problem, Response};
use crate::page;

/// Serves the page until Lambda ends it. It reads nothing of the environment but Lambda's own variables.
///
/// # Panics
/// When Lambda's own variables are missing.
pub async fn page() -> ExitCode {
    warnings::pass_on(Function::DASHBOARD);
    let answer = async |event: LambdaEvent<Box<RawValue>>| reply(event.payload.get());
    match Runtime::new(service_fn(answer)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(Function::DASHBOARD, "the Runtime API failed", &error.to_string()),
    }
}

fn reply(event: &str) -> Result<GatewayReply, Diagnostic> {
    let request = events::request(event)
        .map_err(|error| Diagnostic { error_type: "Event".to_owned(), error_message: error.to_string() })?;
    if let (Some(origin), true) = (&request.origin, request.path.is_empty()) {
        // Whatever the page names stands beside it.
        let headers = vec![("location", format!("{origin}/"))];
        return Ok(Response { status: 308, headers, body: Vec::new() }.into());
    }
    let found: Option<Response> = page::answer(&request).filter(|_| request.method == "GET");
    Ok(found.unwrap_or_else(|| Problem::not_found().response(&request.id)).into())
}
