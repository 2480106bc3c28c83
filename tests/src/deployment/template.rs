//! `infra/template.yaml` as data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::calls::Access;

/// The reader of cfn-lint knows the short forms, such as `!Sub`, and gives them as JSON.
const READ: &str = "import json, sys, cfnlint.decode
template, faults = cfnlint.decode.decode(sys.argv[1])
sys.exit(str(faults)) if faults else print(json.dumps(template))";

/// A CloudFormation template.
#[derive(Debug)]
pub struct Template(Value);

/// What one statement of a policy allows, for one action and one pattern of leading keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// The statement's place in the policy.
    pub statement: usize,
    /// The action, for instance `GetItem`.
    pub action: String,
    /// The index; the table itself when `None`.
    pub index: Option<String>,
    /// What the leading keys must be like.
    pub keys: String,
    /// What each attribute that is named must be like; any where there are none.
    pub attributes: Vec<String>,
}

impl Allowed {
    /// Whether an attribute is one of those that it may name.
    pub fn names(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|own| like(own, attribute))
    }

    /// The requests that no role with these would be allowed, by what they ask for.
    pub fn refused(allowed: &[Self], made: &BTreeSet<Access>) -> Vec<BTreeSet<String>> {
        let mut requests: BTreeMap<u64, Vec<&Access>> = BTreeMap::new();
        for access in made {
            requests.entry(access.request).or_default().push(access);
        }
        let is_refused = |accesses: &Vec<&Access>| {
            // All keys of a batch must be like those of one statement.
            let together = accesses.iter().any(|access| access.action.starts_with("Batch"));
            let covered = |statement: Option<usize>, access: &Access| {
                let mut held = allowed.iter().filter(|held| statement.is_none_or(|number| held.statement == number));
                held.any(|held| held.covers(access))
            };
            let missing = |statement| accesses.iter().any(|access| !covered(statement, access));
            if together { allowed.iter().all(|held| missing(Some(held.statement))) } else { missing(None) }
        };
        let refused = requests.into_values().filter(is_refused);
        refused.map(|accesses| accesses.into_iter().map(Access::told).collect()).collect()
    }

    /// Whether it covers a call.
    pub fn covers(&self, access: &Access) -> bool {
        let may_name = |name: &String| self.attributes.is_empty() || self.attributes.iter().any(|own| like(own, name));
        self.action == access.action
            && self.index == access.index
            && like(&self.keys, &access.key)
            && access.attributes.iter().all(may_name)
    }
}

/// A pattern of `StringLike` with a `*` at its end or none.
fn like(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |start| text.starts_with(start))
}

impl Template {
    /// Reads a template.
    pub fn read(file: &Path) -> Self {
        let output = Command::new(super::engine("python")).args(["-c", READ]).arg(file).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// A top-level part.
    pub fn part(&self, name: &str) -> &Value {
        &self.0[name]
    }

    /// All resources of a type, with their names.
    pub fn of_type(&self, wanted: &str) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.0["Resources"].as_object().expect("resources").iter();
        all.filter(move |(_, resource)| resource["Type"] == wanted)
            .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
    }

    pub fn resource(&self, name: &str) -> &Value {
        self.0["Resources"].get(name).unwrap_or_else(|| panic!("the template has no `{name}`"))
    }

    /// What the role of a function allows on the table. Each statement must be held to leading keys.
    pub fn allowed(&self, function: &str) -> Vec<Allowed> {
        let role = self.resource(&format!("{}Role", capitalized(function)));
        let policies = role["Properties"]["Policies"].as_array().expect("policies");
        // A function without one may do nothing there.
        let Some(on_table) = policies.iter().find(|policy| policy["PolicyName"] == "table") else { return Vec::new() };
        let statements = on_table["PolicyDocument"]["Statement"].as_array().expect("statements");
        let mut all = Vec::new();
        for (statement, value) in statements.iter().enumerate() {
            assert_eq!(value["Effect"], "Allow");
            let arn = value["Resource"]["Fn::Sub"].as_str().expect("one resource");
            let table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}";
            let index = arn.strip_prefix(table).expect("the one table");
            let index = index.strip_prefix("/index/").map(str::to_owned);
            let keys = texts(&value["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]);
            let attributes = texts(&value["Condition"]["ForAllValues:StringLike"]["dynamodb:Attributes"]);
            assert!(!keys.is_empty(), "`{function}` has a statement that is not held to leading keys: {value}");
            for action in texts(&value["Action"]) {
                let action = action.strip_prefix("dynamodb:").expect("an action on the table").to_owned();
                for keys in &keys {
                    let (action, index, keys) = (action.clone(), index.clone(), keys.clone());
                    all.push(Allowed { statement, action, index, keys, attributes: attributes.clone() });
                }
            }
        }
        all
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().map(|text| text.as_str().expect("a text").to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// `create` is `Create` in the names of resources.
pub(super) fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
