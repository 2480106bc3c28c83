//! Links beside a manifest: no file that a sink names is read through one that leaves the folder.

use std::path::PathBuf;

use super::*;
use crate::reading::masking::LOGINS;
use crate::sinks::Kind;

/// The fewest settings of a sink of each type, files apart.
fn fewest(kind: Kind) -> &'static str {
    match kind {
        Kind::Dotenv | Kind::AwsSecretsManager => "",
        Kind::Vercel => "project = \"acme\"",
        Kind::Heroku => "app = \"acme\"",
        Kind::AzureKeyVault => "vault = \"acme\"",
        Kind::Keyring => "service = \"acme\"",
    }
}

/// The fields of a type that name a file, as its schema tells, each with `@` where the file stands.
fn files(kind: Kind) -> Vec<(String, &'static str)> {
    let schema = schema();
    let of_kind = |variant: &&serde_json::Value| variant["properties"]["type"]["const"] == kind.facts().name();
    let variant = schema["$defs"]["Sink"]["oneOf"].as_array().unwrap().iter().find(of_kind).unwrap();
    let fields = variant["properties"].as_object().unwrap().iter();
    fields
        .filter_map(|(name, field)| match field["$ref"].as_str() {
            Some("#/$defs/Login") => Some((name.clone(), "{ file = \"@\" }")),
            _ if field["description"].as_str().is_some_and(|words| words.starts_with("The file,")) => {
                Some((name.clone(), "\"@\""))
            }
            _ => None,
        })
        .collect()
}

/// A folder `repo` with a plain file, and with a link to a file outside of it.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let inside = root.join("repo");
    std::fs::create_dir(&inside).unwrap();
    for file in [root.join("outside"), inside.join("plain")] {
        std::fs::File::create(file).unwrap();
    }
    std::os::unix::fs::symlink(root.join("outside"), inside.join("link")).unwrap();
    (folder, inside)
}

#[test]
fn a_login_is_not_read_through_a_link_that_leaves_the_folder() {
    let (_folder, inside) = folder();
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let name = kind.facts().name();
        for (field, form) in files(kind) {
            for (file, expected) in [("link", vec!["path-outside"]), ("plain", vec![])] {
                let value = form.replace('@', file);
                let settings = fewest(kind);
                let text =
                    format!("manifest = \"acme\"\n[sinks.web]\ntype = \"{name}\"\n{settings}\n{field} = {value}\n");
                let (manifest, _) = parse(Path::new(STATED), &inside, &text, &Allowances::default())
                    .unwrap_or_else(|faults| panic!("{}", faults.render(false)));
                let codes: Vec<&str> = leaving(&manifest).iter().map(|fault| fault.code).collect();
                assert_eq!(codes, expected, "`{field}` of `{name}`: does `SinkFacts` tell of it?");
            }
            found.push((name, field));
        }
    }
    for known in [
        ("dotenv", "path"),
        ("vercel", "login"),
        ("vercel", "deploy_hook"),
        ("heroku", "login"),
        ("azure-key-vault", "login"),
    ] {
        assert!(found.iter().any(|(kind, field)| (*kind, field.as_str()) == known), "{known:?} was not tried");
    }
}

/// A login that somebody wrote into the file is masked by the name of its field.
#[test]
fn every_field_for_a_login_is_masked_where_it_holds_one() {
    for kind in Kind::ALL {
        for (field, form) in files(kind) {
            assert!(LOGINS.contains(&field.as_str()) || !form.contains("file"), "{field}");
        }
    }
}
