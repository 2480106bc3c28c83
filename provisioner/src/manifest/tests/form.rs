//! The schema and the starter: what editors and beginners are told is what the parser takes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// Each table of the file: a manifest with `@` in it, and where the schema describes it.
const TABLES: &[(&str, &str)] = &[
    ("@\nmanifest = \"acme\"", ""),
    ("manifest = \"acme\"\n[service]\n@", "/$defs/Service"),
    ("manifest = \"acme\"\n[defaults]\n@", "/$defs/Defaults"),
    ("manifest = \"acme\"\n[rotation]\n@", "/$defs/Rotation"),
    ("manifest = \"acme\"\n[notify.ops]\ntype = \"webhook\"\n@", "/$defs/Receiver/oneOf/0"),
    ("manifest = \"acme\"\n[notify.ops]\ntype = \"slack\"\n@", "/$defs/Receiver/oneOf/1"),
    ("manifest = \"acme\"\n[notify.ops]\ntype = \"email\"\n@", "/$defs/Receiver/oneOf/2"),
    ("manifest = \"acme\"\n[notify.ops]\ntype = \"eventbridge\"\n@", "/$defs/Receiver/oneOf/3"),
    ("manifest = \"acme\"\n[roles.reader]\n@", "/$defs/Role"),
    ("manifest = \"acme\"\n[users.ci]\n@", "/$defs/User"),
    ("manifest = \"acme\"\n[sinks.dev]\ntype = \"dotenv\"\n@", "/$defs/Sink/oneOf/0"),
    ("manifest = \"acme\"\n[sinks.vault]\ntype = \"aws-secrets-manager\"\n@", "/$defs/Sink/oneOf/1"),
    ("manifest = \"acme\"\n[sinks.web]\ntype = \"vercel\"\n@", "/$defs/Sink/oneOf/2"),
    ("manifest = \"acme\"\n[sinks.worker]\ntype = \"heroku\"\n@", "/$defs/Sink/oneOf/3"),
    ("manifest = \"acme\"\n[sinks.box]\ntype = \"azure-key-vault\"\n@", "/$defs/Sink/oneOf/4"),
    ("manifest = \"acme\"\n[sinks.desk]\ntype = \"keyring\"\n@", "/$defs/Sink/oneOf/5"),
    ("manifest = \"acme\"\n[tokens.prod]\n@", "/$defs/Token"),
    (
        "manifest = \"acme\"\nsinks.vault.type = \"aws-secrets-manager\"\n[[tokens.prod.push]]\nsink = \"vault\"\n@",
        "/$defs/Push",
    ),
    ("manifest = \"acme\"\n[tokens.prod.moved_from]\n@", "/$defs/MovedFrom"),
];

fn described(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let table = schema.pointer(pointer).unwrap();
    let alone = std::slice::from_ref(table);
    let variants = table["anyOf"].as_array().map_or(alone, Vec::as_slice);
    variants
        .iter()
        .filter_map(|variant| variant["properties"].as_object())
        .flat_map(|fields| fields.keys().cloned())
        .collect()
}

/// The fields that the parser names in its hint on one that is like no other.
fn parsed(template: &str) -> BTreeSet<String> {
    let faults = faults(&template.replace('@', "zzzzzzzzzzzzzzz = 1"));
    let hint = faults.iter().find(|fault| fault.code == "unknown-field").unwrap().hint.clone().unwrap();
    hint.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_and_the_parser_know_the_same_fields() {
    let schema = schema();
    for (template, pointer) in TABLES {
        assert_eq!(parsed(template), described(&schema, pointer), "{pointer}");
    }
}

#[test]
fn the_schema_knows_the_types_that_can_be_pushed_to() {
    let schema = schema();
    let types: BTreeSet<&str> = schema["$defs"]["Sink"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["properties"]["type"]["const"].as_str().unwrap())
        .collect();
    assert_eq!(types, latchkey_sinks::Kind::ALL.map(|kind| kind.facts().name()).into());
}

#[test]
fn the_schema_is_closed_and_has_no_null() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for (_, pointer) in TABLES {
        let table = schema.pointer(pointer).unwrap();
        let closed = |table: &Value| table["additionalProperties"] == false || table["type"] == "string";
        match table["anyOf"].as_array() {
            Some(variants) => assert!(variants.iter().all(closed), "{pointer}"),
            None => assert!(closed(table), "{pointer}"),
        }
    }
    assert!(!schema.to_string().contains("null"), "{schema:#}");
}

#[test]
fn the_starter_has_neither_faults_nor_warnings() {
    let text = starter("acme-platform");
    let (manifest, warnings) = read(&text).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    assert_eq!(warnings, []);
    assert_eq!(manifest.name.as_str(), "acme-platform");
    assert_eq!(manifest.service, Some(ServiceAddress::Embedded("/repo/latchkey.db".into())));
    assert_eq!(manifest.tokens.len(), 1);
    assert!(text.lines().all(|line| line.len() <= 120));
    validator::check(&schema(), &text).unwrap();
}

#[test]
fn what_the_starter_comments_out_is_right_too() {
    let on =
        ["# [sinks.vault]", "# type = ", "# region = \"eu-west-1\"\n# account", "# account", "# { sink = \"vault\""];
    let text = on.iter().fold(starter("acme"), |text, line| text.replacen(line, line.replace("# ", "").as_str(), 1));
    let (manifest, warnings) = read(&text).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    assert_eq!(warnings, []);
    assert_eq!(manifest.tokens[0].pushes.len(), 2);
    assert_eq!(manifest.sinks.len(), 2);
}

/// The file that samples name in their first line, and that an editor reads.
#[test]
fn the_schema_beside_the_samples_is_the_one_that_the_command_prints() {
    let beside = include_str!("../../../../samples/tokens.schema.json");
    let printed = serde_json::to_string_pretty(&schema()).unwrap();
    assert_eq!(beside.trim_end(), printed, "write it anew: `provision schema > samples/tokens.schema.json`");
}

#[test]
fn the_samples_have_neither_faults_nor_warnings() {
    for text in [include_str!("../../../../samples/tokens.toml"), include_str!("../../../../samples/aws.toml")] {
        let (_, warnings) = read(text).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        assert_eq!(warnings, []);
        validator::check(&schema(), text).unwrap();
    }
}
