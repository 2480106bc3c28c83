//! Which environments of a Vercel project a push goes to.

use crate::manifest::fault::Fault;
use crate::manifest::fields::Fields;
use crate::manifest::reading::Reading;
use crate::manifest::{Environment, Span};

/// The environments of one push.
pub(super) struct Environments {
    /// Each of them; empty where the sink has none, or none could be read.
    pub(super) all: Vec<Environment>,
    /// Whether nobody may read the value back.
    pub(super) sensitive: bool,
}

/// Reads `targets`, `environments`, `branch` and `sensitive`, which are Vercel's alone.
pub(super) fn read(
    fields: &mut Fields<'_>,
    kind: Option<&str>,
    _push: Span,
    reading: &mut Reading<'_>,
) -> Environments {
    let targets = fields.texts("targets", reading);
    let custom = fields.texts("environments", reading);
    let branch = fields.text("branch", reading);
    let sensitive = fields.boolean("sensitive", reading);
    if let Some(kind) = kind.filter(|kind| *kind != "vercel") {
        for name in ["targets", "environments", "branch", "sensitive"] {
            if let Some(span) = fields.key_span(name) {
                let message = format!("`{name}` is for `vercel` only");
                let hint = format!("an entry of `{kind}` has no environments");
                reading.add(Fault::error("needs-vercel", span, message).hint(hint));
            }
        }
    }
    let mut all = Vec::new();
    for target in targets.iter().flatten() {
        match target.text {
            "production" => all.push(Environment::Production),
            "preview" => {
                all.push(Environment::Preview { branch: branch.as_ref().map(|branch| branch.text.to_owned()) });
            }
            "development" => all.push(Environment::Development),
            _ => {}
        }
    }
    all.extend(custom.iter().flatten().map(|slug| Environment::Custom(slug.text.to_owned())));
    Environments { all, sensitive: sensitive.unwrap_or(true) }
}
