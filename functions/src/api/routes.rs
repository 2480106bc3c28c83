//! Routes: what a row comes to, and which one a request belongs to.

use std::fmt;
use std::pin::Pin;

use super::http::{Request, Response};
use super::path::{PathValues, matches};
use super::problem::Problem;
use super::request::VerifiedRequest;
use super::{Api, Record};

/// One route.
#[derive(Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{names}`.
    pub path: &'static str,
    /// What it is called in the document.
    pub operation: &'static str,
    pub(super) handler: Handler,
}

/// A reply on its way. On the heap: what all handlers together keep over their waits is large.
pub(super) type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>;

/// What answers a route.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// For callers that are verified.
    Verified(for<'a> fn(&'a Api, &'a VerifiedRequest<'a>) -> ResponseFuture<'a>),
    /// For whoever presents what may be a token, with a check of its own.
    Presented(for<'a> fn(&'a Api, &'a Request, &'a mut Record) -> ResponseFuture<'a>),
    /// For anybody; its body is not read.
    Open(for<'a> fn(&'a Api, &'a Request, &'a mut Record) -> ResponseFuture<'a>),
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Route({self})")
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// What routes say about a method and a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A route.
    Route(&'static Route, PathValues),
    /// The path is there with these methods only.
    Method(Vec<&'static str>),
    /// No such path.
    Nothing,
}

/// Finds a route.
pub(super) fn find(routes: impl Iterator<Item = &'static Route>, method: &str, path: &str) -> Found {
    let mut others = Vec::new();
    // No path has the form of two: names in the same place are followed by other words, or by none.
    for route in routes {
        if let Some(values) = matches(route.path, path) {
            if route.method == method {
                return Found::Route(route, values);
            }
            others.push(route.method);
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::Method(others) }
}
