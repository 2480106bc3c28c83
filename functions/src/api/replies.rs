//! What handlers answer with: types that know their status, so that the document says what is sent.

use std::io::{self, Write};

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use zeroize::Zeroize;

use super::forms::ReplyForm;
use super::http::Response;
use super::problem::Problem;

/// A reply of a handler.
pub(super) trait IntoResponse {
    /// The reply as it is sent.
    fn into_response(self) -> Result<Response, Problem>;

    /// The replies that there may be.
    fn describe(schemas: &mut SchemaGenerator) -> Vec<ReplyForm>;
}

/// A JSON body that nobody may keep.
pub(super) struct Json<T, const STATUS: u16 = 200> {
    body: T,
    headers: Vec<(&'static str, String)>,
}

/// The same, of something that is new.
pub(super) type Created<T> = Json<T, 201>;

/// Done, and nothing to say about it.
pub(super) struct NoContent;

impl<T, const STATUS: u16> Json<T, STATUS> {
    pub(super) fn new(body: T) -> Self {
        Self { body, headers: Vec::new() }
    }

    /// The same with a header more.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with the revision of what it shows.
    pub(super) fn etag(self, revision: u64) -> Self {
        self.with("etag", format!("\"{revision}\""))
    }
}

impl<T: Serialize + JsonSchema, const STATUS: u16> IntoResponse for Json<T, STATUS> {
    fn into_response(self) -> Result<Response, Problem> {
        let mut body = WipedBuffer::default();
        serde_json::to_writer(&mut body, &self.body).map_err(|error| Problem::internal(error.to_string()))?;
        let mut headers =
            vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
        headers.extend(self.headers);
        Ok(Response { status: STATUS, headers, body: std::mem::take(&mut body.0) })
    }

    fn describe(schemas: &mut SchemaGenerator) -> Vec<ReplyForm> {
        let description = if STATUS == 201 { "Created" } else { "Done" };
        vec![ReplyForm { status: STATUS, description, body: Some(schemas.subschema_for::<T>().to_value()) }]
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Result<Response, Problem> {
        Ok(Response { status: 204, headers: vec![("cache-control", "no-store".to_owned())], body: Vec::new() })
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<ReplyForm> {
        vec![ReplyForm { status: 204, description: "Done", body: None }]
    }
}

/// JSON on its way into a reply. The body may hold a secret, so that no part of it stays behind where it has moved from.
#[derive(Default)]
struct WipedBuffer(Vec<u8>);

impl Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()).max(1024));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WipedBuffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_outgrows_its_buffer_is_whole() {
        let long = vec!["word"; 1000];
        let response = Json::<_, 200>::new(&long).into_response().unwrap();
        assert_eq!(response.body, serde_json::to_vec(&long).unwrap());
    }
}
