//! What `apply` would refuse, found out before it is promised: rights, writability and the manifest's grant. Nothing is
//! written.

use std::io;

use latchkey_sinks::files::FileError;
use latchkey_sinks::{ManifestSinks, files};

use super::exit::Fault;
use crate::manifest::{Manifest, ServiceAddress};
use crate::observe::Observation;
use crate::observe::preparing::refusals;
use crate::plan::granted::{self, Granting};
use crate::plan::{self, Plan, TokenPlan};
use crate::service::{Client, ServiceError};

/// Takes what would be refused out of a plan, and blocks what depends on it.
pub(super) async fn keep(
    plan: &mut Plan,
    (client, sinks): (&Client, &ManifestSinks),
    (manifest, observation): (&Manifest, &Observation),
) -> Result<(), Fault> {
    let refused = refusals(sinks, plan.tokens.iter().flat_map(TokenPlan::targets)).await;
    plan::refuse(plan, &refused);
    keep_grant(plan, client, (manifest, observation)).await
}

/// The same for the manifest's grant alone, which no place is asked for.
pub(super) async fn keep_grant(
    plan: &mut Plan,
    client: &Client,
    (manifest, observation): (&Manifest, &Observation),
) -> Result<(), Fault> {
    if let Some(granting) = granting(client, manifest).await? {
        granted::refuse(plan, manifest, observation, &granting);
    }
    Ok(())
}

/// What allows this caller to grant; `None` for an operator, and where the caller may not see it.
async fn granting(client: &Client, manifest: &Manifest) -> Result<Option<Granting>, Fault> {
    let Some((own, until)) = client.own_rights() else { return Ok(None) };
    match client.manifest(&manifest.name).await {
        Ok(found) => {
            let grant = found.and_then(|found| found.grant).unwrap_or_default();
            Ok(Some(Granting { grant, own: own.clone(), until }))
        }
        Err(ServiceError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Demands that an embedded table that does not exist yet can be created.
pub(super) fn can_be_created(address: &ServiceAddress) -> Result<(), Fault> {
    use rustix::fs::Access;
    let ServiceAddress::Embedded(path) = address else { return Ok(()) };
    let path = files::resolve(path);
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let Some(folder) = path.parent() else { return Ok(()) };
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        let error = FileError::from_io("write", folder, &io::Error::from(error));
        Fault::new(format!("the table `{}` cannot be created: {error}", path.display())).hint(error.hint())
    })
}
