//! One push of a token, as a manifest declares it.

#![warn(missing_docs)]

use super::vercel::Environment;
use crate::reading::Span;

/// One push of a token.
#[derive(Debug, Clone)]
pub struct PushDeclaration {
    /// The sink's name in the manifest.
    pub sink: String,
    /// The entry's name there.
    pub name: String,
    /// For Secrets Manager: the key in a JSON object that the secret contains.
    pub json_key: Option<String>,
    /// For Vercel: which of the project's environments reads it. A push to several is one of these each.
    pub environment: Option<Environment>,
    /// For Vercel: the branches whose deployments count as consumers, where not all of them do.
    pub branches: Option<Vec<String>>,
    /// For Vercel: whether nobody may read it back.
    pub sensitive: bool,
    /// Take over an entry that somebody else created; counts only before the first delivery.
    pub adopt: bool,
    /// Where it is in the file.
    pub span: Span,
    /// Where its name is.
    pub name_span: Span,
}

impl PushDeclaration {
    /// A push without anything particular, which is in no file.
    pub fn plain(sink: &str, name: &str) -> Self {
        Self {
            sink: sink.to_owned(),
            name: name.to_owned(),
            json_key: None,
            environment: None,
            branches: None,
            sensitive: true,
            adopt: false,
            span: 0..0,
            name_span: 0..0,
        }
    }
}
