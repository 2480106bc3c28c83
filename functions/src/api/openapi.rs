//! The function `list`, for the document that describes the API: everybody may read it.

use serde_json::json;

use super::document::{Document, Operation};
use super::forms::ReplyForm;
use super::http::Response;
use super::routes::{Handler, Route};

/// The document as it is committed.
const DOCUMENT: &str = include_str!("../../openapi.json");

pub(super) static ROUTES: &[Route] = &[Route {
    method: "GET",
    path: "/v1/openapi.json",
    operation: "openApi",
    handler: Handler::Open(|_, _, _| Box::pin(async { Ok(serve()) })),
}];

pub(super) fn describe(document: &mut Document) {
    let body = Some(json!({ "type": "object" }));
    for row in ROUTES {
        let replies = vec![ReplyForm { status: 200, description: "Done", body: body.clone() }];
        let summary = "This document";
        document.insert(
            row,
            Operation { summary, needs: None, parameters: vec![], body: None, replies, problems: vec![431] },
        );
    }
}

fn serve() -> Response {
    let headers =
        vec![("content-type", "application/json".to_owned()), ("cache-control", "public, max-age=300".to_owned())];
    Response { status: 200, headers, body: DOCUMENT.as_bytes().to_vec() }
}
