//! Manifests with tokens that go to a `.env` file, to Secrets Manager, or to both.

use std::fmt::Write as _;
use std::path::PathBuf;

use latchkey::name::{TokenName, UserName};

/// The name of every manifest here.
pub const MANIFEST: &str = "chaos";

/// What a manifest declares.
#[derive(Debug, Clone)]
pub struct Layout {
    /// How many tokens.
    pub tokens: usize,
    /// The endpoint of Secrets Manager; without one all tokens go to the `.env` file alone.
    pub endpoint: Option<String>,
    /// What the names of secrets start with.
    pub prefix: String,
    /// Where they go.
    pub shape: Shape,
}

/// Where tokens go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// To one kind of places or to both, some into a secret that several share.
    Mixed,
    /// Each to the `.env` file and to a secret of its own.
    Both,
    /// One to a secret of its own alone, the next to the `.env` file and a shared secret, and so on.
    Apart,
}

/// A token of a manifest.
#[derive(Debug, Clone)]
pub struct DeclaredToken {
    pub user: UserName,
    pub name: TokenName,
    /// Where its secret goes.
    pub spots: Vec<Spot>,
}

/// A place as a consumer knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// A line of the `.env` file in a folder.
    Line { file: PathBuf, name: String },
    /// A secret of its own.
    Secret(String),
    /// A key of a secret that others share.
    Key { secret: String, key: String },
}

impl Layout {
    /// Tokens for the `.env` file and this Secrets Manager.
    pub fn new(shape: Shape, tokens: usize, endpoint: String) -> Self {
        Self { tokens, endpoint: Some(endpoint), prefix: MANIFEST.to_owned(), shape }
    }

    /// Tokens that go to the `.env` file alone.
    pub fn file(tokens: usize) -> Self {
        Self { tokens, endpoint: None, prefix: String::new(), shape: Shape::Mixed }
    }

    /// The secret that several tokens share.
    pub fn shared(&self) -> String {
        format!("{}/shared", self.prefix)
    }

    /// The manifest's text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "manifest = \"{MANIFEST}\"\n\n[service]\nembedded = \"latchkey.db\"\n\n[defaults]\nexpires_in = \"90d\"\n\
             rotate_every = \"30d\"\noverlap = \"24h\"\n\n[roles.reader]\npermissions = [\"documents:read\"]\n\n\
             [sinks.dev]\ntype = \"dotenv\"\npath = \".env\"\n"
        );
        if let Some(endpoint) = &self.endpoint {
            let _ = write!(
                text,
                "\n[sinks.vault]\ntype = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\nendpoint = \"{endpoint}\"\n"
            );
        }
        for user in 0..USERS {
            let user = user_of(user);
            let _ = write!(
                text,
                "\n[users.\"{user}\"]\nkind = \"service\"\nroles = [\"reader\"]\nmax_tokens = {}\n",
                self.tokens.max(1)
            );
        }
        for token in self.declared("".as_ref()) {
            let pushes: Vec<String> = token.spots.iter().map(Spot::push).collect();
            let _ =
                write!(text, "\n[tokens.{}]\nuser = \"{}\"\npush = [{}]\n", token.name, token.user, pushes.join(", "));
        }
        text
    }

    /// The tokens, as applied from `folder`.
    pub fn declared(&self, folder: &std::path::Path) -> Vec<DeclaredToken> {
        (0..self.tokens).map(|index| self.token(index, folder)).collect()
    }

    fn token(&self, index: usize, folder: &std::path::Path) -> DeclaredToken {
        let line = Spot::Line { file: folder.join(".env"), name: format!("WORKER_{index:02}_TOKEN") };
        let secret = Spot::Secret(format!("{}/worker-{index:02}", self.prefix));
        let key = Spot::Key { secret: self.shared(), key: format!("worker_{index:02}") };
        let spots = match (self.shape, index % 5) {
            _ if self.endpoint.is_none() => vec![line],
            (Shape::Apart, _) if index.is_multiple_of(2) => vec![secret],
            (Shape::Apart, _) | (Shape::Mixed, 1) => vec![line, key],
            (Shape::Both, _) | (Shape::Mixed, 0) => vec![line, secret],
            (Shape::Mixed, 2) => vec![line],
            (Shape::Mixed, 3) => vec![secret],
            (Shape::Mixed, _) => vec![key, secret, line],
        };
        let name = format!("worker-{index:02}").parse().expect("it follows the grammar");
        DeclaredToken { user: user_of(index % USERS), name, spots }
    }
}

const USERS: usize = 2;

fn user_of(index: usize) -> UserName {
    format!("fleet-{index}@example.com").parse().expect("it follows the grammar")
}

impl Spot {
    fn push(&self) -> String {
        match self {
            Self::Line { name, .. } => format!("{{ sink = \"dev\", name = \"{name}\" }}"),
            Self::Secret(name) => format!("{{ sink = \"vault\", name = \"{name}\" }}"),
            Self::Key { secret, key } => {
                format!("{{ sink = \"vault\", name = \"{secret}\", json_key = \"{key}\" }}")
            }
        }
    }
}
