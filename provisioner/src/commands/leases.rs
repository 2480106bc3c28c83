//! The leases of a run that takes tokens from other manifests: theirs too, in the order of names, so that two such runs
//! never wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latchkey::name::ManifestName;
use latchkey::token::TokenKey;

use super::arguments::RunFlags;
use super::exit::Fault;
use super::lock::{Lease, lease};
use crate::manifest::ServiceAddress;
use crate::output::Printer;
use crate::service::{Client, Take};

/// The leases of several manifests.
#[derive(Debug, Default)]
pub(super) struct Leases(Vec<Lease>);

impl Leases {
    /// Waits for the lease of a manifest and of those that it takes tokens from, each named with one of the tokens.
    pub(super) async fn take(
        printer: Printer,
        (address, client): (&ServiceAddress, &Client),
        (manifest, sources): (&ManifestName, &BTreeMap<ManifestName, TokenKey>),
        how: &RunFlags,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let mut wanted: BTreeMap<&ManifestName, Take<'_>> =
            sources.iter().map(|(source, token)| (source, Take::ToMove(token))).collect();
        wanted.insert(manifest, Take::Own { steal: how.steal });
        let mut leases = Self::default();
        for (manifest, take) in wanted {
            match lease(printer, (address, client), (manifest, take), how, stop).await {
                Ok(lease) => leases.0.push(lease),
                Err(fault) => {
                    leases.free().await;
                    return Err(fault);
                }
            }
        }
        Ok(leases)
    }

    /// Gives them back, so that other runs need not wait.
    pub(super) async fn free(self) {
        for lease in self.0 {
            lease.free().await;
        }
    }
}
