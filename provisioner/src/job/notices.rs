//! The end of a turn: what no change tells is told, and notices that wait are sent.

use std::collections::BTreeMap;

use latchkey::name::ManifestName;
use latchkey::service::{Caller, Service};
use latchkey::token::{Token, TokenKey};

use super::{Job, Trouble};
use crate::notify::{Failed, Post, Sent, tell, tell_failed};
use crate::service::ServiceError;

/// How many tokens are told of before it is asked whether the turn has to stop.
const CHUNK: usize = 100;

impl Job<'_> {
    /// Tells what is to be told of tokens, once all that could be done to them was done. A turn that had to stop tells what
    /// failed: to the others it may not have come, and the next one tells.
    pub(super) async fn tell(
        &self,
        of: (&Service, &Caller),
        tokens: &[Token],
        troubles: &[Trouble],
    ) -> Result<(), ServiceError> {
        let failed = troubles.iter().map(|Trouble { token, reason, .. }| (token, reason)).rev();
        // Of several troubles of a token the first.
        let failed: BTreeMap<&TokenKey, &String> = failed.collect();
        let failed: Vec<Failed> =
            failed.into_iter().map(|(token, reason)| Failed { token: token.clone(), reason: reason.clone() }).collect();
        for tokens in tokens.chunks(CHUNK) {
            if self.is_stopped() {
                tell_failed(of, tokens, &failed).await?;
            } else {
                tell(of, tokens, &failed).await?;
            }
        }
        Ok(())
    }

    /// Sends what waits, also for those of the manifests that have published.
    pub(super) async fn send(&self, service: &Service, published: &[ManifestName]) -> Result<Sent, ServiceError> {
        let post = Post { service, at_hand: None, published, allowances: self.allowances, stop: self.stop };
        Ok(post.turn().await?)
    }
}
