//! The end of a turn: what no change tells is told, and notices that wait are sent.

use latchkey::name::ManifestName;
use latchkey::service::{Caller, Service};
use latchkey::token::TokenKey;

use super::{Job, Trouble};
use crate::notify::{Failed, Post, Sent, tell};
use crate::service::ServiceError;

impl Job<'_> {
    /// Tells what is to be told of tokens, once all that could be done to them was done.
    pub(super) async fn tell(
        &self,
        of: (&Service, &Caller),
        tokens: &[TokenKey],
        troubles: &[Trouble],
    ) -> Result<(), ServiceError> {
        let failed = tokens.iter().filter_map(|token| {
            let trouble = troubles.iter().find(|trouble| trouble.is_of(token))?;
            Some(Failed { token: token.clone(), reason: trouble.reason.clone() })
        });
        tell(of, tokens, &failed.collect::<Vec<_>>()).await?;
        Ok(())
    }

    /// Sends what waits, also for those of the manifests that have published.
    pub(super) async fn send(&self, service: &Service, published: &[ManifestName]) -> Result<Sent, ServiceError> {
        let post = Post { service, at_hand: None, published, allowances: self.allowances, stop: self.stop };
        Ok(post.turn().await?)
    }
}
