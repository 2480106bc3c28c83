//! The scheduled job: what it goes by is what was published, and everything else is as it is recorded.

use latchkey::token::{Token, TokenKey};
use latchkey_sinks::SinkSet;
use provisioner::job::{declared, is_as_applied};
use provisioner::manifest::{Manifest, TokenDeclaration};
use provisioner::publication::Readable;

/// What the job works on, and with which manifest: of the tokens that were published those that are as they were applied.
pub(crate) async fn work(published: &Manifest, tokens: &[Token], sinks: &dyn SinkSet) -> (Manifest, Vec<TokenKey>) {
    let pushes = published.tokens.iter().map(|token| (token.key(), token.pushes.clone()));
    let readable = Readable {
        rotation: published.rotation.clone(),
        sinks: published.sinks.clone(),
        pushes: pushes.collect(),
        refused: std::collections::BTreeMap::new(),
    };
    let mut manifest = declared(&published.name, readable, tokens);
    let mut kept = Vec::new();
    for declaration in std::mem::take(&mut manifest.tokens) {
        let record = tokens.iter().find(|token| token.key() == declaration.key());
        if let Some(record) = record
            && is_as_applied(sinks, &declaration, record).await.is_ok_and(|is| is)
        {
            kept.push(declaration);
        }
    }
    manifest.tokens = kept;
    let keys = manifest.tokens.iter().map(TokenDeclaration::key).collect();
    (manifest, keys)
}
