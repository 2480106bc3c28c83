//! One push a place: two would overwrite each other for ever.

use std::collections::HashMap;
use std::path::Path;

use super::agreement::Parts;
use super::{Environment, PushDeclaration, ServiceAddress, SinkConfig};
use crate::reading::{Fault, Reading, Span, shown};

/// Reports pushes that meet, as far as the file alone can tell.
pub(super) fn check_places(parts: &Parts<'_>, reading: &mut Reading<'_>) {
    check_sinks(parts, reading);
    check_branches(parts, reading);
    let mut places: HashMap<Place<'_>, Vec<Entry<'_>>> = HashMap::new();
    for push in parts.tokens.iter().flat_map(|token| &token.pushes) {
        let Some(config) = parts.sinks.get(&push.sink).and_then(|sink| sink.config.as_ref()) else { continue };
        if is_service_file(parts.service, config) {
            let message = "this push would write into the service's own file";
            reading.add(Fault::error("same-place", push.span.clone(), message));
        }
        let (place, entry) = place(config, push);
        let entries = places.entry(place).or_default();
        if let Some(fault) = entries.iter().find_map(|earlier| earlier.clash(&entry)) {
            reading.add(fault);
        }
        entries.push(entry);
    }
}

/// Two sinks of one app would restart it twice a run, as each sends its own change; two of one project list it twice.
fn check_sinks(parts: &Parts<'_>, reading: &mut Reading<'_>) {
    let mut found: HashMap<String, (&str, Span)> = HashMap::new();
    let mut sinks: Vec<_> = parts.sinks.iter().collect();
    sinks.sort_by_key(|(_, sink)| sink.span.start);
    for (name, sink) in sinks {
        let (what, key) = match &sink.config {
            Some(SinkConfig::Heroku(heroku)) => ("app", format!("{:?} {:?}", heroku.endpoint, heroku.target)),
            Some(SinkConfig::Vercel(vercel)) => {
                ("project", format!("{:?} {:?} {}", vercel.endpoint, vercel.team, vercel.project))
            }
            _ => continue,
        };
        let Some((first, span)) = found.get(&key) else {
            found.insert(key, (name, sink.span.clone()));
            continue;
        };
        let message = format!("the sinks `{}` and `{}` are one {what}", shown(first), shown(name));
        let fault = match what {
            "app" => Fault::error("same-app", sink.span.clone(), message)
                .hint("push to the first: changes of one sink go in one request, and so in one restart"),
            _ => Fault::warning("same-project", sink.span.clone(), message)
                .hint("one is enough, unless each needs a login or a deploy hook of its own"),
        };
        reading.add(fault.related(span.clone(), "the first"));
    }
}

/// A row for one branch stands over the row for all previews: right where it is meant, puzzling where it is not.
fn check_branches(parts: &Parts<'_>, reading: &mut Reading<'_>) {
    let previews = || {
        let pushes = parts.tokens.iter().flat_map(|token| &token.pushes);
        pushes.filter_map(|push| match &push.environment {
            Some(Environment::Preview { branch }) => Some((push, branch.as_deref())),
            _ => None,
        })
    };
    let general: HashMap<(&str, &str), Span> = previews()
        .filter(|(_, branch)| branch.is_none())
        .map(|(push, _)| ((push.sink.as_str(), push.name.as_str()), push.span.clone()))
        .collect();
    for (push, branch) in previews() {
        let Some((branch, first)) = branch.zip(general.get(&(push.sink.as_str(), push.name.as_str()))) else {
            continue;
        };
        let message = format!("previews of `{}` read this secret, and all others another one", shown(branch));
        let fault = Fault::warning("over-previews", push.span.clone(), message);
        reading.add(fault.related(first.clone(), "what the other previews read"));
    }
}

fn is_service_file(service: Option<&ServiceAddress>, config: &SinkConfig) -> bool {
    match (service, config) {
        (Some(ServiceAddress::Embedded(file)), SinkConfig::Dotenv { path }) => file == path,
        _ => false,
    }
}

/// What two pushes share when they meet.
#[derive(PartialEq, Eq, Hash)]
enum Place<'a> {
    Variable {
        path: &'a Path,
        name: &'a str,
    },
    Secret {
        region: Option<&'a str>,
        endpoint: Option<&'a str>,
        name: &'a str,
    },
    /// Of any other type: what it belongs to, and its name as the vendor compares it.
    Entry {
        kind: &'static str,
        of: String,
        name: String,
    },
}

/// A push, with what may yet keep it apart from another at the same place.
struct Entry<'a> {
    push: &'a PushDeclaration,
    account: Option<&'a str>,
    is_secret: bool,
}

fn place<'a>(config: &'a SinkConfig, push: &'a PushDeclaration) -> (Place<'a>, Entry<'a>) {
    match config {
        SinkConfig::Dotenv { path } => {
            (Place::Variable { path, name: &push.name }, Entry { push, account: None, is_secret: false })
        }
        SinkConfig::AwsSecretsManager { region, account, endpoint, .. } => (
            Place::Secret { region: region.as_deref(), endpoint: endpoint.as_deref(), name: &push.name },
            Entry { push, account: account.as_deref(), is_secret: true },
        ),
        other => (elsewhere(other, push), Entry { push, account: None, is_secret: false }),
    }
}

fn elsewhere<'a>(config: &SinkConfig, push: &PushDeclaration) -> Place<'a> {
    let (kind, of, name) = match config {
        SinkConfig::Vercel(vercel) => {
            let of = format!("{:?} {} {:?} {:?}", vercel.endpoint, vercel.project, vercel.team, push.environment);
            ("vercel", of, push.name.clone())
        }
        SinkConfig::Heroku(heroku) => {
            ("heroku", format!("{:?} {:?}", heroku.endpoint, heroku.target), push.name.clone())
        }
        SinkConfig::AzureKeyVault(azure) => {
            let of = format!("{:?} {}.{}", azure.endpoint, azure.vault, azure.cloud.vaults());
            ("azure-key-vault", of, push.name.to_ascii_lowercase())
        }
        SinkConfig::Keyring(keyring) => ("keyring", keyring.service.clone(), push.name.clone()),
        SinkConfig::Dotenv { .. } | SinkConfig::AwsSecretsManager { .. } => ("", String::new(), push.name.clone()),
    };
    Place::Entry { kind, of, name }
}

impl Entry<'_> {
    /// The fault of a later push to the same place.
    fn clash(&self, later: &Self) -> Option<Fault> {
        let apart = matches!((self.account, later.account), (Some(one), Some(other)) if one != other);
        if apart {
            return None;
        }
        let (message, hint) = match (&self.push.json_key, &later.push.json_key) {
            (Some(one), Some(other)) if one != other => return None,
            (Some(_), None) | (None, Some(_)) if self.is_secret => (
                "one push takes the whole secret, another a `json_key` in it",
                "give every push to it a `json_key`, or none",
            ),
            _ => ("two pushes go to one place", self.hint(later)),
        };
        let first: Span = self.push.span.clone();
        Some(Fault::error("same-place", later.push.span.clone(), message).hint(hint).related(first, "the first"))
    }

    fn hint(&self, later: &Self) -> &'static str {
        if self.is_secret && self.push.sink != later.push.sink {
            "give one another name, or say `account` in both sinks if these are two accounts"
        } else if self.push.name != later.push.name {
            "their names differ only in upper and lower case, which this type does not tell apart"
        } else {
            "each would overwrite the other; give one another name"
        }
    }
}
