//! What a route is asked with besides path and body: parameters of its query, and headers. A handler gets what its row
//! declares and nothing else, by types that the document reads too.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::forms::ParameterForm;
use super::http::{RepeatedHeader, Request};
use super::path::decode;
use super::problem::Problem;

/// What a route may be asked with besides path and body.
pub(super) trait Parameters: Sized {
    /// The names that its query may have.
    const QUERY: &'static [&'static str];

    /// Takes what was given; nothing is read yet.
    fn take(request: &Request, query: &mut QueryValues) -> Self;

    fn describe(schemas: &mut SchemaGenerator) -> Vec<ParameterForm>;
}

impl Parameters for () {
    const QUERY: &'static [&'static str] = &[];

    fn take(_: &Request, _: &mut QueryValues) -> Self {}

    fn describe(_: &mut SchemaGenerator) -> Vec<ParameterForm> {
        Vec::new()
    }
}

/// Declares the parameters of a query. A field is a parameter; its type says whether it has to be there, and how it
/// reads; its comment is for the document.
macro_rules! query {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $field:ident: $kind:ty,)+ }) => {
        $(#[doc = $about])+
        struct $name {
            $($field: $kind,)+
        }

        impl $crate::api::parameters::Parameters for $name {
            const QUERY: &'static [&'static str] = &[$(stringify!($field)),+];

            fn take(
                _: &$crate::api::http::Request,
                query: &mut $crate::api::parameters::QueryValues,
            ) -> Self {
                Self { $($field: query.take(stringify!($field)),)+ }
            }

            fn describe(schemas: &mut schemars::SchemaGenerator) -> Vec<$crate::api::forms::ParameterForm> {
                vec![$(<$kind as $crate::api::parameters::Parameter>::describe(
                    stringify!($field), concat!($($doc),+), schemas,
                )),+]
            }
        }
    };
}
pub(super) use query;

/// A parameter of a query.
pub(super) trait Parameter: Sized {
    /// What it is read as.
    type Kind: JsonSchema;
    /// Whether it has to be there.
    const REQUIRED: bool;

    fn of(name: &'static str, text: Option<String>) -> Self;

    fn describe(name: &'static str, description: &'static str, schemas: &mut SchemaGenerator) -> ParameterForm {
        let schema = schemas.subschema_for::<Self::Kind>();
        ParameterForm { from: "query", name, description, required: Self::REQUIRED, schema }
    }
}

/// A parameter that may be absent. It is read when it is needed, so that who may ask is decided before.
pub(super) struct Given<T> {
    name: &'static str,
    text: Option<String>,
    kind: PhantomData<fn() -> T>,
}

/// A parameter that has to be there.
pub(super) struct Needed<T>(Given<T>);

impl<T: JsonSchema> Parameter for Given<T> {
    type Kind = T;
    const REQUIRED: bool = false;

    fn of(name: &'static str, text: Option<String>) -> Self {
        Self { name, text, kind: PhantomData }
    }
}

impl<T: JsonSchema> Parameter for Needed<T> {
    type Kind = T;
    const REQUIRED: bool = true;

    fn of(name: &'static str, text: Option<String>) -> Self {
        Self(Given::of(name, text))
    }
}

impl<T> Given<T> {
    /// As it came.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// A fault of this parameter.
    pub(super) fn fault(&self, detail: impl Into<String>) -> Problem {
        Problem::field(format!("?{}", self.name), detail)
    }

    /// Reads it as something else than what the document says.
    pub(super) fn read_as<U: FromStr>(&self, rule: &str) -> Result<Option<U>, Problem> {
        self.text().map(|text| text.parse().map_err(|_| self.fault(rule))).transpose()
    }

    fn missing(&self) -> Problem {
        self.fault("is missing")
    }
}

impl<T: FromStr> Given<T> {
    /// Reads it; `rule` says what it has to be.
    pub(super) fn read(&self, rule: &str) -> Result<Option<T>, Problem> {
        self.read_as(rule)
    }

    /// Reads it where it has to be there after all.
    pub(super) fn demand(&self, rule: &str) -> Result<T, Problem> {
        self.read(rule)?.ok_or_else(|| self.missing())
    }
}

impl<T: FromStr> Needed<T> {
    /// Reads it; `rule` says what it has to be.
    pub(super) fn read(&self, rule: &str) -> Result<T, Problem> {
        self.0.demand(rule)
    }
}

/// The length of a page.
pub(super) struct Limit<const MOST: i32>;

impl<const MOST: i32> JsonSchema for Limit<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST })
    }
}

impl<const MOST: i32> Given<Limit<MOST>> {
    /// The length that was asked for, else this one.
    pub(super) fn or(&self, usual: i32) -> Result<i32, Problem> {
        let rule = format!("is a number from 1 to {MOST}");
        let limit = self.read_as(&rule)?.unwrap_or(usual);
        if (1..=MOST).contains(&limit) { Ok(limit) } else { Err(self.fault(rule)) }
    }
}

/// The revision that a change is guarded by: `If-Match`, RFC 9110 section 13.1.1.
pub(super) struct IfMatch(Result<Option<String>, RepeatedHeader>);

impl Parameters for IfMatch {
    const QUERY: &'static [&'static str] = &[];

    fn take(request: &Request, _: &mut QueryValues) -> Self {
        Self(request.header("if-match").map(|text| text.map(str::to_owned)))
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<ParameterForm> {
        vec![ParameterForm {
            from: "header",
            name: "If-Match",
            description: "The `ETag` of what is to be changed; 412 if that has changed since",
            required: false,
            schema: json_schema!({ "type": "string" }),
        }]
    }
}

impl IfMatch {
    /// The revision, if one is asked for.
    pub(super) fn revision(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = self.0.as_ref().map_err(|repeated| Problem::from(repeated.clone()))? else { return Ok(None) };
        if text.trim() == "*" {
            return Ok(None);
        }
        let number = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let number = number.and_then(|text| text.parse().ok());
        let refuse = || Problem::new(412, "precondition_failed", "`If-Match` is not an `ETag` of this service");
        number.map(Some).ok_or_else(refuse)
    }
}

/// The names and values of a query.
pub(super) struct QueryValues(Vec<(String, String)>);

impl QueryValues {
    /// Splits a query, and holds its names against those that the route declares.
    pub(super) fn read(text: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let read = |text: &str| decode(&text.replace('+', " "));
            let (Some(name), Some(value)) = (read(name), read(value)) else {
                return Err(Problem::invalid_request("the query is badly encoded"));
            };
            if !known.contains(&name.as_str()) {
                let hint = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Problem::field(format!("?{name}"), format!("no such parameter; known ones: {hint}")));
            }
            if pairs.iter().any(|(held, _)| *held == name) {
                return Err(Problem::field(format!("?{name}"), "is given more than once"));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Takes one out.
    pub(super) fn take<P: Parameter>(&mut self, name: &'static str) -> P {
        let found = self.0.iter().position(|(held, _)| held == name);
        P::of(name, found.map(|index| self.0.swap_remove(index).1))
    }
}
