//! The manifest over the fleet.

use std::fmt::Write as _;

use super::Fleet;

/// A token of the fleet's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub name: String,
    /// The name of its entries.
    pub entry: String,
    /// The sinks that it goes to.
    pub sinks: Vec<&'static str>,
}

/// Whose the tokens are.
pub(super) const USER: &str = "fleet@example.com";

impl Fleet {
    /// So many tokens: the first goes everywhere, the others to a few sinks each, in turn.
    pub fn declared(&self, count: usize) -> Vec<Declared> {
        let names = self.names();
        let sinks_of = |index: usize| {
            if index == 0 {
                return names.clone();
            }
            let take = 1 + index % 3;
            (0..take).map(|more| names[(index + more * 2) % names.len()]).fold(Vec::new(), |mut sinks, name| {
                if !sinks.contains(&name) {
                    sinks.push(name);
                }
                sinks
            })
        };
        let token = |index: usize| Declared {
            name: format!("service-{index:02}"),
            entry: format!("SERVICE_{index:02}_TOKEN"),
            sinks: sinks_of(index),
        };
        (0..count).map(token).collect()
    }

    /// The manifest's text.
    pub fn manifest(&self, tokens: &[Declared]) -> String {
        let mut text = format!(
            "manifest = \"fleet\"\n\n[service]\nembedded = \"latchkey.db\"\n\n[defaults]\nuser = \"{USER}\"\n\
             expires_in = \"90d\"\nrotate_every = \"30d\"\noverlap = \"24h\"\n\n[roles.reader]\n\
             permissions = [\"documents:read\"]\n\n[users.\"{USER}\"]\nkind = \"service\"\nroles = [\"reader\"]\n\
             max_tokens = 100\n"
        );
        for member in &self.members {
            let url = member.proxy.as_ref().map(crate::chaos::Proxy::url).unwrap_or_default();
            let _ = write!(text, "\n[sinks.{}]\n{}", member.name, member.bench.declaration(&url));
        }
        for token in tokens {
            let pushes: Vec<String> = token.sinks.iter().map(|sink| self.push(sink, token)).collect();
            let _ = write!(text, "\n[tokens.{}]\npush = [\n{}]\n", token.name, pushes.concat());
        }
        text
    }

    fn push(&self, sink: &str, token: &Declared) -> String {
        let push = self.member(sink).bench.push(&token.entry);
        let environment = match &push.environment {
            None => String::new(),
            Some(provisioner::sinks::vercel::Environment::Production) => ", targets = [\"production\"]".to_owned(),
            Some(other) => panic!("{other:?} is not spelled out here"),
        };
        format!("  {{ sink = \"{sink}\", name = \"{}\"{environment} }},\n", push.name)
    }
}
