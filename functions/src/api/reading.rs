//! Reading bodies and their fields, with all their faults at once.

use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::http::Request;
use super::problem::{FieldFault, Problem};
use super::wire::DeclaredTerms;
use crate::lifetime::{Terms, parse_expiry};

/// The longest list in a request.
const LIST_MAX: usize = 500;

/// A JSON body. Unknown fields are refused.
pub(super) fn read_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let kind = request.header("content-type")?.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(415, "unsupported_media_type", "send the body as `content-type: application/json`"));
    }
    read_json(&request.body)
}

pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde takes a list for a struct.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'[') {
        return Err(Problem::field("", "expected an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut reader);
    let read = read.map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => Problem::field(pointer, said(&inner)),
            _ => Problem::invalid_request(format!("the body is not JSON: {}", said(&inner))),
        }
    })?;
    reader.end().map_err(|_| Problem::invalid_request("the body has more text after its JSON"))?;
    Ok(read)
}

/// What the parser said. It quotes values of the wrong type, and a secret may be one.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let quotes = ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "];
    match quotes.into_iter().find(|words| text.contains(words)) {
        Some(words) => {
            let wanted = text.rsplit_once("expected ").map_or("another type", |(_, wanted)| wanted);
            let missing = if words == "unknown field " { "no such field; " } else { "" };
            format!("{missing}expected {wanted}")
        }
        None => text.to_owned(),
    }
}

/// A field's name as it may be shown. Whoever puts a secret in a wrong place may have put it here.
pub(super) fn shown(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    if name.len() <= 32 && name.bytes().all(plain) { name } else { "?" }
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(shown(key));
            }
            Segment::Unknown => pointer.push_str("/?"),
        }
    }
    pointer
}

/// Collects the faults of fields.
#[derive(Debug, Default)]
pub(super) struct Fields {
    faults: Vec<FieldFault>,
}

impl Fields {
    /// Reads one text.
    pub(super) fn one<T: FromStr<Err: std::fmt::Display>>(&mut self, pointer: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(pointer, error.to_string());
                None
            }
        }
    }

    /// Reads a text that may be absent.
    pub(super) fn maybe<T: FromStr<Err: std::fmt::Display>>(&mut self, pointer: &str, text: Option<&str>) -> Option<T> {
        text.and_then(|text| self.one(pointer, text))
    }

    /// Reads a list of texts.
    pub(super) fn list<T: FromStr<Err: std::fmt::Display>>(&mut self, pointer: &str, texts: &[String]) -> Vec<T> {
        if texts.len() > LIST_MAX {
            self.fault(pointer, format!("has at most {LIST_MAX} entries"));
            return Vec::new();
        }
        let read = |(index, text): (usize, &String)| self.one(&format!("{pointer}/{index}"), text);
        texts.iter().enumerate().filter_map(read).collect()
    }

    /// Reads networks; an address alone is a network of one.
    pub(super) fn networks(&mut self, pointer: &str, texts: &[String]) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
            match text.parse::<IpNet>().ok().or_else(address) {
                Some(network) => networks.push(network.trunc()),
                None => self.fault(&format!("{pointer}/{index}"), "is not a network such as `192.0.2.0/24`"),
            }
        }
        networks
    }

    /// Reads an instant, or a date, which means its end.
    pub(super) fn expiry(&mut self, pointer: &str, text: Option<&str>) -> Option<Timestamp> {
        let text = text?;
        match parse_expiry(text) {
            Ok(expiry) => Some(expiry),
            Err(error) => {
                self.fault(pointer, error.to_string());
                None
            }
        }
    }

    /// Reads durations.
    pub(super) fn terms(&mut self, terms: Option<&DeclaredTerms>) -> Option<Terms> {
        let terms = terms?;
        let expires_in = self.one("/terms/expires_in", &terms.expires_in);
        let rotate_every = self.one("/terms/rotate_every", &terms.rotate_every);
        let overlap = self.one("/terms/overlap", &terms.overlap);
        Some(Terms { expires_in: expires_in?, rotate_every: rotate_every?, overlap: overlap? })
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, pointer: &str, detail: impl Into<String>) {
        self.faults.push(FieldFault { pointer: pointer.to_owned(), detail: detail.into() });
    }

    /// All faults, if there is one.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::fields(self.faults)) }
    }
}
