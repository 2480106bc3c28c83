//! The manifest that `provision init` writes.

/// A manifest to start from, commented line by line. `name` is the manifest's name, which must follow
/// [`ManifestName::RULE`](latchkey::name::ManifestName::RULE).
pub fn starter(name: &str) -> String {
    STARTER.replace("{name}", name)
}

const STARTER: &str = r#"# Tokens: who owns them, and where their secrets go. `provision plan tokens.toml` shows what would change,
# `provision apply tokens.toml` does it. For completion in editors, write the schema beside this file with
# `provision schema > tokens.schema.json` and start this file with `#:schema ./tokens.schema.json`.

manifest = "{name}"  # owns what is declared below: other manifests cannot change that

[service]
embedded = "latchkey.db"  # the service in one file, without any setup
# table = "latchkey"      # or in a DynamoDB table, in
# region = "eu-west-1"
# url = "https://tokens.example.com"  # or behind a URL

[defaults]
expires_in = "90d"    # how long a secret is valid
rotate_every = "30d"  # how often a new secret replaces the current one
overlap = "24h"       # how long the older secret stays valid after that

[roles.documents-reader]
permissions = ["documents:read"]  # resource:action

[users.report-service]
kind = "service"              # a program; a human is a "person"
roles = ["documents-reader"]  # its tokens have these, unless they name fewer

[sinks.dev]
type = "dotenv"
path = ".env"  # relative to this file's folder; keep it out of version control

# [sinks.vault]
# type = "aws-secrets-manager"
# region = "eu-west-1"
# account = "123456789012"  # a guard against the wrong account

[tokens.report-service-dev]
user = "report-service"
description = "Reads documents for the monthly report"
push = [
  { sink = "dev", name = "DOCUMENTS_TOKEN" },
  # { sink = "vault", name = "dev/report-service/documents-token" },
]
"#;
