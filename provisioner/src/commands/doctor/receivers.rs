//! Receivers of notices: whether what they are reached with is there. Nothing is sent.

use std::sync::atomic::AtomicBool;

use latchkey_sinks::reading::Allowances;

use super::Diagnosis;
use crate::manifest::Manifest;
use crate::notify::{Failure, Post, Sender};
use crate::service::Client;

/// Those of the manifest, and those of the settings where the table is at hand.
pub(super) async fn check(client: Option<&Client>, manifest: &Manifest, allowances: &Allowances) -> Vec<Diagnosis> {
    let prepared = if let Some((service, _)) = client.and_then(|client| client.operated()) {
        let stop = AtomicBool::new(false);
        let post = Post { service, at_hand: Some(manifest), published: &[], allowances, stop: &stop };
        // The service is a check of its own.
        post.prepare().await.unwrap_or_default()
    } else {
        let mut prepared = Vec::new();
        for (name, receiver) in &manifest.notify {
            let ready = Sender::new(receiver.clone(), &allowances.hosts).prepare().await;
            prepared.push((format!("{}/{name}", manifest.name), ready));
        }
        prepared
    };
    prepared.into_iter().map(|(name, ready)| diagnosis(&name, &ready)).collect()
}

fn diagnosis(name: &str, ready: &Result<(), Failure>) -> Diagnosis {
    let what = format!("receiver `{name}`");
    let short = name.rsplit('/').next().unwrap_or(name);
    match ready {
        Ok(()) => Diagnosis::good(
            what,
            format!("what it is reached with is there; `provision notify test {short}` sends it one"),
        ),
        Err(failure) => Diagnosis::problem(what, failure.to_string(), failure.hint()),
    }
}
