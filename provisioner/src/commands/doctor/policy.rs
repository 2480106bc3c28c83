//! The least rights that a manifest needs: AWS's as an IAM policy, others' in words. It names exactly what the code calls;
//! a test holds the two to each other.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::place::Place;
use serde_json::{Value, json};

use crate::commands::exit::{Code, Fault};
use crate::manifest::{Login, Manifest, ServiceAddress, SinkConfig};
use crate::output::{Format, Printer, markdown};
use crate::sinks::SinkSet as _;
use crate::sinks::aws_secrets_manager::WORTH_A_LIST;
use crate::sinks::registry::ManifestSinks;

/// What every push needs: look, read back, make, put beside, make current.
const DELIVER: [&str; 5] = [
    "secretsmanager:CreateSecret",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
];
/// What a look at many secrets at once needs; AWS restricts it to no secret.
const LIST: [&str; 1] = ["secretsmanager:ListSecrets"];
/// What a sink's login that is itself a secret needs.
const LOGIN: [&str; 1] = ["secretsmanager:GetSecretValue"];
/// What only `--prune` needs, of secrets that hold nothing else.
const PRUNE: [&str; 1] = ["secretsmanager:DeleteSecret"];
/// What creating a secret with tags needs.
const TAG: [&str; 1] = ["secretsmanager:TagResource"];
/// What a key of one's own needs.
const KEY: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
/// Whose login it is: a place is named by its account.
const WHO: [&str; 1] = ["sts:GetCallerIdentity"];
/// A table on AWS, as its operator.
const TABLE: [&str; 7] = [
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
];

/// What a manifest needs.
#[derive(Debug, Default)]
pub(super) struct Rights {
    statements: Vec<Value>,
    /// Rights that no IAM policy gives.
    words: Vec<String>,
}

/// Collects the rights of all sinks and of the service.
pub(super) async fn rights(manifest: &Manifest, sinks: &ManifestSinks, address: &ServiceAddress) -> Rights {
    let mut rights = Rights::default();
    let mut logins = BTreeSet::new();
    for (name, sink) in &manifest.sinks {
        let mut secrets: BTreeMap<Secret, bool> = BTreeMap::new();
        for push in manifest.tokens.iter().flat_map(|token| &token.pushes).filter(|push| push.sink == *name) {
            let place = sinks.place(manifest, push).await;
            let secret = Secret::of(&sink.config, place.as_ref().ok(), &push.name);
            let whole = secrets.entry(secret).or_default();
            *whole |= push.json_key.is_none();
        }
        if let SinkConfig::AwsSecretsManager { kms_key_id, tags, .. } = &sink.config {
            rights.aws(&secrets, kms_key_id.as_deref(), !tags.is_empty());
        } else if let Some(words) = in_words(&sink.config) {
            rights.words.push(format!("sink `{name}`: {words}"));
        }
        logins.extend(
            stored_logins(&sink.config)
                .into_iter()
                .map(|login| Secret { region: "*".to_owned(), account: "*".to_owned(), name: login.to_owned() }.arn()),
        );
    }
    if !logins.is_empty() {
        rights.allow("Logins", &LOGIN, &logins, None);
    }
    if let ServiceAddress::Table { name, region, .. } = address {
        rights.table(name, region.as_deref());
    }
    if !rights.statements.is_empty() {
        rights.allow("WhoAmI", &WHO, &BTreeSet::from(["*".to_owned()]), None);
    }
    if let ServiceAddress::Url(_) = address {
        rights.words.push(format!(
            "the server: a token with a role that permits `manifests:{0}`, and `provision manifest grant {0}`",
            manifest.name
        ));
    }
    rights
}

/// A secret by account and region.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Secret {
    region: String,
    account: String,
    name: String,
}

impl Secret {
    /// As the login tells, else as the manifest does; `*` where nobody does.
    fn of(config: &SinkConfig, place: Option<&Place>, name: &str) -> Self {
        let (region, account) = if let SinkConfig::AwsSecretsManager { region, account, .. } = config {
            (region.clone(), account.clone())
        } else {
            (None, None)
        };
        let told = |part: &str| place.and_then(|place| place.part(part)).filter(|text| *text != "-").map(str::to_owned);
        let any = || "*".to_owned();
        Self {
            region: told("region").or(region).unwrap_or_else(any),
            account: told("account").or(account).unwrap_or_else(any),
            name: name.to_owned(),
        }
    }

    /// AWS puts six characters behind the name.
    fn arn(&self) -> String {
        let Self { region, account, name } = self;
        format!("arn:{}:secretsmanager:{region}:{account}:secret:{name}-??????", partition(region))
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl Rights {
    /// Of one sink; `secrets` tells of each whether it holds one token and nothing else.
    fn aws(&mut self, secrets: &BTreeMap<Secret, bool>, key: Option<&str>, tagged: bool) {
        if secrets.is_empty() {
            return;
        }
        let all: BTreeSet<String> = secrets.keys().map(Secret::arn).collect();
        let whole: BTreeSet<String> =
            secrets.iter().filter(|(_, whole)| **whole).map(|(secret, _)| secret.arn()).collect();
        self.allow("Deliver", &DELIVER, &all, None);
        if secrets.len() >= WORTH_A_LIST {
            self.allow("List", &LIST, &BTreeSet::from(["*".to_owned()]), None);
        }
        if tagged {
            self.allow("Tag", &TAG, &all, None);
        }
        if !whole.is_empty() {
            self.allow("Prune", &PRUNE, &whole, None);
        }
        if let (Some(key), Some((secret, _))) = (key, secrets.first_key_value()) {
            self.key(key, secret);
        }
    }

    fn key(&mut self, key: &str, secret: &Secret) {
        let Secret { region, account, .. } = secret;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let mut condition = json!({ "StringLike": { "kms:ViaService": format!("secretsmanager.{region}.{suffix}") } });
        let keys = |id: &str| format!("arn:{}:kms:{region}:{account}:key/{id}", partition(region));
        // A policy cannot name an alias as a resource.
        let alias = key.find("alias/").map(|at| &key[at..]);
        let resource = match alias {
            Some(alias) => {
                condition["ForAnyValue:StringEquals"] = json!({ "kms:ResourceAliases": alias });
                keys("*")
            }
            None if key.starts_with("arn:") => key.to_owned(),
            None => keys(key),
        };
        self.allow("Key", &KEY, &BTreeSet::from([resource]), Some(condition));
    }

    fn table(&mut self, name: &str, region: Option<&str>) {
        let region = region.unwrap_or("*");
        let table = format!("arn:{}:dynamodb:{region}:*:table/{name}", partition(region));
        let resources = BTreeSet::from([format!("{table}/index/managed"), table]);
        self.allow("Table", &TABLE, &resources, None);
    }

    fn allow(&mut self, sid: &str, actions: &[&str], resources: &BTreeSet<String>, condition: Option<Value>) {
        let same = self.statements.iter().filter(|statement| {
            statement["Sid"].as_str().is_some_and(|other| other.trim_end_matches(char::is_numeric) == sid)
        });
        let sid = match same.count() {
            0 => sid.to_owned(),
            before => format!("{sid}{}", before + 1),
        };
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        self.statements.push(statement);
    }

    fn policy(&self) -> Option<Value> {
        (!self.statements.is_empty()).then(|| json!({ "Version": "2012-10-17", "Statement": self.statements }))
    }
}

/// The logins of a sink that are secrets themselves.
fn stored_logins(config: &SinkConfig) -> Vec<&str> {
    let stored = config.logins().into_iter();
    stored.filter_map(|login| if let Login::Secret(name) = login { Some(&**name) } else { None }).collect()
}

/// What a login of a sink without IAM needs.
fn in_words(config: &SinkConfig) -> Option<&'static str> {
    Some(match config {
        SinkConfig::AwsSecretsManager { .. } => return None,
        SinkConfig::Vercel(_) => {
            "a token, scoped to the team and no wider, of a member who may read the project and its deployments and change \
             its environment variables"
        }
        SinkConfig::Heroku(_) => {
            "an authorisation with the scope `write-protected` (`heroku authorizations:create --scope write-protected`), of \
             an account that may deploy the app"
        }
        SinkConfig::AzureKeyVault(_) => {
            "the role Key Vault Secrets Officer on the vault (get, list, set, delete, recover and update of secrets), for the \
             identity that signs in"
        }
        SinkConfig::Keyring { .. } => "an unlocked keyring of this login; nothing else",
        SinkConfig::Dotenv { .. } => "the right to write the file and its folder",
    })
}

/// Prints the rights: a policy to be piped on, and the words beside it.
pub(super) fn print(printer: Printer, rights: &Rights) -> Result<Code, Fault> {
    let policy = rights.policy();
    match printer.format {
        Format::Json => printer.json(&json!({ "policy": policy, "others": rights.words }))?,
        Format::Markdown => {
            let policy = policy.map(|policy| format!("{policy:#}")).map(|text| markdown::block(&text));
            let words: Vec<String> = rights.words.iter().map(|line| format!("- {}", markdown::text(line))).collect();
            printer.markdown(&markdown::page(&[
                "### Least rights".to_owned(),
                policy.unwrap_or_else(|| "No rights on AWS".to_owned()),
                words.join("\n"),
            ]))?;
        }
        Format::Text => {
            if let Some(policy) = policy {
                printer.json(&policy)?;
            }
            // On stderr, so that what is piped on is a policy.
            rights.words.iter().for_each(|line| printer.talk(line));
        }
    }
    Ok(Code::Done)
}
