//! What a run is told to do.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use latchkey_sinks::reading::Allowances;
use provisioner::manifest::{Manifest, parse};
use provisioner::plan::{Options, Rotate};

/// What a run is told to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "what a run is told are flags")]
pub(crate) struct Doing {
    /// The tokens that the manifest declares, each with its sinks.
    pub(crate) tokens: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) rotate: bool,
    pub(crate) prune: bool,
    /// Shorter durations than usual.
    pub(crate) short: bool,
    /// What is due waits for an hour at night.
    pub(crate) windowed: bool,
    /// It is AWS that rotates the secret of the first token's first place, step by step, with what was published.
    pub(crate) by_aws: bool,
    /// Each of those steps comes twice.
    pub(crate) doubly: bool,
    /// It is the scheduled job: that is what was published, not what the run declares.
    pub(crate) by_job: bool,
}

impl Doing {
    pub(crate) fn one(sinks: &[&'static str]) -> Self {
        Self { tokens: vec![("api", sinks.to_vec())], ..Self::default() }
    }

    /// Two tokens in the same sinks.
    pub(crate) fn two(sinks: &[&'static str]) -> Self {
        Self { tokens: vec![("api", sinks.to_vec()), ("web", sinks.to_vec())], ..Self::one(sinks) }
    }

    pub(crate) fn rotating(&self) -> Self {
        Self { rotate: true, ..self.clone() }
    }

    pub(crate) fn pruning(&self) -> Self {
        Self { prune: true, ..self.clone() }
    }

    pub(crate) fn windowed(&self) -> Self {
        Self { windowed: true, ..self.clone() }
    }

    /// The scheduled job, for which this was published.
    pub(crate) fn by_job(&self) -> Self {
        Self { by_job: true, ..self.clone() }
    }

    /// A rotation by AWS, for which this was published.
    pub(crate) fn by_aws(&self) -> Self {
        Self { by_aws: true, ..self.clone() }
    }

    /// The same, of which each step comes twice.
    pub(crate) fn doubly(&self) -> Self {
        Self { doubly: true, ..self.by_aws() }
    }

    fn text(&self) -> String {
        let (life, every) = if self.short { ("20d", "10d") } else { ("90d", "30d") };
        let mut text = format!(
            "manifest = \"acme\"\n[defaults]\nuser = \"ci\"\nexpires_in = \"{life}\"\nrotate_every = \"{every}\"\n\
            overlap = \"24h\"\n[roles.reader]\npermissions = [\"documents:read\"]\n[users.ci]\nkind = \"service\"\n\
            roles = [\"reader\"]\n"
        );
        if self.windowed {
            text.push_str("[rotation]\nwindow = \"03:00-04:00 UTC\"\n");
        }
        for sink in ["a", "b", "c"] {
            write!(text, "[sinks.{sink}]\ntype = \"dotenv\"\npath = \"{sink}.env\"\n").unwrap();
        }
        for (name, sinks) in &self.tokens {
            // `next` stands where `api` stood.
            let entry = if *name == "web" { "WEB" } else { "API" };
            let pushes: Vec<String> =
                sinks.iter().map(|sink| format!("{{ sink = \"{sink}\", name = \"{entry}\" }}")).collect();
            write!(text, "[tokens.{name}]\npush = [{}]\n", pushes.join(", ")).unwrap();
        }
        text
    }

    /// The manifest; read once on each thread.
    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        thread_local! {
            static READ: RefCell<HashMap<String, Arc<Manifest>>> = RefCell::default();
        }
        let text = self.text();
        READ.with_borrow_mut(|read| {
            let parsed = |text: &str| match parse(Path::new("t.toml"), Path::new("/r"), text, &Allowances::default()) {
                Ok((manifest, _)) => Arc::new(manifest),
                Err(faults) => panic!("{}", faults.render(false)),
            };
            read.entry(text).or_insert_with_key(|text| parsed(text)).clone()
        })
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            rotate: if self.rotate { Rotate::All } else { Rotate::Due },
            prune: self.prune,
            allow_deletes: Some(9),
            prune_used: true,
            ..Options::default()
        }
    }
}
