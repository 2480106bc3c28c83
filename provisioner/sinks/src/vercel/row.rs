//! Rows of a project: one environment variable each, with the environments that read it.

use std::collections::BTreeMap;

use latchkey::place::Place;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::environments::Environment;
use super::marker::{Comment, claimed};
use crate::{ListedEntry, Receipt, Seen, SeenEntry, SinkError};

/// A row as Vercel lists it. Its value is never read here: for most types it is a ciphertext.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) id: Option<String>,
    pub(super) key: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    target: Option<Targets>,
    #[serde(default)]
    pub(super) git_branch: Option<String>,
    #[serde(default)]
    custom_environment_ids: Option<Vec<String>>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    pub(super) updated_at: Option<i64>,
    #[serde(default)]
    created_at: Option<i64>,
    #[serde(default)]
    visibility: Option<String>,
    #[serde(default)]
    configuration_id: Option<IgnoredAny>,
    #[serde(default)]
    edge_config_id: Option<IgnoredAny>,
    #[serde(default)]
    vsm_value: Option<IgnoredAny>,
    #[serde(default)]
    content_hint: Option<IgnoredAny>,
    #[serde(default)]
    internal_content_hint: Option<IgnoredAny>,
    #[serde(default)]
    system: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Targets {
    One(String),
    Many(Vec<String>),
}

/// The environment of a place, as rows name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reader {
    /// `production`, `preview`, `development`, or a custom environment's slug.
    pub(super) target: String,
    /// The branch whose previews it is.
    pub(super) branch: Option<String>,
    /// The id, where it is a custom environment.
    pub(super) custom: Option<String>,
}

impl Row {
    fn targets(&self) -> &[String] {
        match &self.target {
            None => &[],
            Some(Targets::One(target)) => std::slice::from_ref(target),
            Some(Targets::Many(targets)) => targets,
        }
    }

    fn custom(&self) -> &[String] {
        self.custom_environment_ids.as_deref().unwrap_or_default()
    }

    /// Whether that environment reads it under that name.
    pub(super) fn is_read_by(&self, name: &str, reader: &Reader) -> bool {
        let read = match &reader.custom {
            Some(id) => self.custom().contains(id),
            None => self.targets().contains(&reader.target) && self.git_branch == reader.branch,
        };
        self.key == name && read
    }

    /// Whether previews of `branch` read it in place of `general`, which is for all branches.
    pub(super) fn stands_before(&self, general: &Self, branch: &str) -> bool {
        let preview = |row: &Self| row.targets().iter().any(|target| target == "preview");
        self.key == general.key && self.git_branch.as_deref() == Some(branch) && preview(self) && preview(general)
    }

    /// Whether it was there before that time, in milliseconds.
    pub(super) fn made_before(&self, at: i64) -> bool {
        self.created_at.is_some_and(|created| created < at)
    }

    /// Whether nobody may read its value back. `visibility` decides where it is there.
    pub(super) fn is_sensitive(&self) -> bool {
        self.visibility.as_deref().map_or(self.kind == "sensitive", |visibility| visibility == "secret")
    }

    /// When it was changed last, in milliseconds.
    pub(super) fn changed(&self) -> i64 {
        self.updated_at.or(self.created_at).unwrap_or(0)
    }

    /// What its comment says, as long as nothing changed the row since.
    pub(super) fn comment(&self) -> Option<Comment> {
        Comment::parse(self.comment.as_deref()?).filter(|comment| comment.is_true_of(self.changed()))
    }

    /// Which row in which state: it changes with every change of the row.
    pub(super) fn receipt(&self) -> Receipt {
        Receipt(format!("{} {} {}", self.id.as_deref().unwrap_or("-"), self.changed(), self.kind))
    }

    /// What it holds, as far as the row alone tells. Where it tells nothing, no version may be taken for gone.
    pub(super) fn seen(&self) -> SeenEntry {
        match self.comment() {
            Some(comment) => SeenEntry {
                fingerprint: Some(comment.marker.fingerprint),
                token_id: Some(comment.marker.token_id),
                receipt: self.receipt(),
                former: Vec::new(),
                lagging: None,
            },
            None => SeenEntry {
                fingerprint: None,
                token_id: self.comment.as_deref().and_then(claimed),
                receipt: self.receipt(),
                former: Vec::new(),
                lagging: Some("its value is unknown, as something else changed the variable last".to_owned()),
            },
        }
    }

    pub(super) fn has_custom(&self) -> bool {
        !self.custom().is_empty()
    }

    /// As a list shows it: an entry for each environment that reads it. `slugs` are those of custom environments, by id.
    pub(super) fn listed(&self, slugs: &BTreeMap<&str, &str>) -> Vec<ListedEntry> {
        let standard = self.targets().iter().filter_map(|target| match target.as_str() {
            "production" => Some(Environment::Production),
            "preview" => Some(Environment::Preview { branch: self.git_branch.clone() }),
            "development" => Some(Environment::Development),
            _ => None,
        });
        let custom = self.custom().iter().filter_map(|id| slugs.get(id.as_str()));
        let environments = standard.chain(custom.map(|slug| Environment::Custom((*slug).to_owned())));
        let listed = environments.map(|environment| {
            let obstacle = self.refused_for(environment.parts().0).as_ref().map(ListedEntry::obstacle);
            ListedEntry { name: self.key.clone(), environment: Some(environment), obstacle }
        });
        listed.collect()
    }

    /// Why we may not write or remove it, if so.
    pub(super) fn refused(&self, place: &Place) -> Option<SinkError> {
        self.refused_for(place.part("target").unwrap_or_default())
    }

    /// The same, of the environment that is meant.
    fn refused_for(&self, ours: &str) -> Option<SinkError> {
        let name = &self.key;
        let is_linked = self.configuration_id.is_some()
            || self.edge_config_id.is_some()
            || self.vsm_value.is_some()
            || self.content_hint.is_some()
            || self.internal_content_hint.is_some();
        if is_linked {
            return Some(SinkError::Refused {
                reason: format!("the variable `{name}` belongs to an integration, which would overwrite it"),
                hint: "rename the push, or remove the integration from the project".to_owned(),
            });
        }
        if self.kind == "system" || self.system == Some(true) {
            return Some(SinkError::Refused {
                reason: format!("`{name}` is one of Vercel's own variables"),
                hint: "rename the push".to_owned(),
            });
        }
        if self.targets().len() + self.custom().len() > 1 {
            let others: Vec<&str> =
                self.targets().iter().map(String::as_str).filter(|target| *target != ours).collect();
            let more = match (others.as_slice(), self.custom().len()) {
                ([], _) => "custom environments".to_owned(),
                (others, 0) => others.join(" and "),
                (others, _) => format!("{} and custom environments", others.join(", ")),
            };
            return Some(SinkError::Refused {
                reason: format!(
                    "the variable `{name}` is also set for {more}, so a write would change more than {ours}"
                ),
                hint: format!(
                    "split it on Vercel: remove {ours} from that variable; the next run creates a separate one"
                ),
            });
        }
        None
    }
}

/// Whether two looks found one and the same state.
pub(super) fn is_same_state(one: &Seen, other: &Seen) -> bool {
    match (one, other) {
        (Seen::Absent, Seen::Absent) => true,
        (Seen::Holds(one), Seen::Holds(other)) => one.receipt == other.receipt,
        _ => false,
    }
}
