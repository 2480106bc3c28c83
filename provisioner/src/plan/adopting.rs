//! Which entries of others a run may take over.

use std::collections::BTreeSet;

use latchkey::name::{TokenName, UserName};

use crate::manifest::TokenDeclaration;
use latchkey_sinks::PushDeclaration;

/// Whose pushes replace values that Latchkey did not write. What it allows beyond the manifest is for this run alone, and
/// like `adopt` in a push it counts only before the first delivery to a place: later such a value is a change by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Adopt {
    /// Those that have `adopt = true`.
    #[default]
    Declared,
    /// All pushes of these tokens too.
    Tokens(BTreeSet<(UserName, TokenName)>),
    /// All pushes of the manifest.
    All,
}

impl Adopt {
    /// Whether that push of that token does.
    pub fn covers(&self, token: &TokenDeclaration, push: &PushDeclaration) -> bool {
        let asked = match self {
            Self::Declared => false,
            Self::Tokens(tokens) => tokens.contains(&(token.user.clone(), token.name.clone())),
            Self::All => true,
        };
        asked || push.adopt
    }
}
