//! Manifests: what was applied, what they may grant, and who applies them now.

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::api::wire::{
    Applied, LeaseRecord, ManifestEntry, ManifestList, ManifestView, PutGrant, PutManifest, TakeLease,
};
use latchkey::name::ManifestName;
use latchkey::service::{Grant, LeaseError};

use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;
use crate::service::remote::plans::manifest_path;
use crate::service::{LeaseHolder, ServiceError, Take};

/// The longest page of manifests that the API gives.
const PAGE: i32 = 50;

/// Manifests: what was applied, what they may grant, and who applies them now.
#[async_trait]
pub trait ManifestAdministration: Send + Sync {
    /// The highest revision of a manifest that was applied.
    async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError>;

    /// In which hours what is due of a manifest is rotated, as far as that was recorded.
    async fn window(&self, manifest: &ManifestName) -> Result<Option<String>, ServiceError>;

    /// Records that a manifest is about to be applied.
    async fn note_applied(&self, manifest: &ManifestName, applied: Applied) -> Result<(), ServiceError>;

    /// What is known of every manifest, by name.
    async fn all_manifests(&self) -> Result<Vec<ManifestEntry>, ServiceError>;

    /// What is known of a manifest.
    async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError>;

    /// Sets what a manifest is allowed to grant when it is applied with a token.
    async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError>;

    /// Takes or renews the lease of a manifest for a minute, or returns who has it.
    ///
    /// # Errors
    /// For a manifest that the caller does not run and that has not agreed to move a token to it.
    async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        how: Take<'_>,
    ) -> Result<Result<(), LeaseHolder>, ServiceError>;

    /// Releases a lease.
    async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError>;
}

#[async_trait]
impl ManifestAdministration for Direct {
    async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        Ok(self.service.manifest(manifest).await?.and_then(|record| record.applied))
    }

    async fn window(&self, manifest: &ManifestName) -> Result<Option<String>, ServiceError> {
        Ok(self.service.manifest(manifest).await?.and_then(|record| record.window))
    }

    async fn note_applied(&self, manifest: &ManifestName, applied: Applied) -> Result<(), ServiceError> {
        let Applied { revision, window } = applied;
        Ok(self.service.note_applied(&self.caller, manifest, revision, window.as_deref()).await?)
    }

    async fn all_manifests(&self) -> Result<Vec<ManifestEntry>, ServiceError> {
        let (mut manifests, mut after) = (Vec::new(), None);
        loop {
            let page = self.service.manifest_page(PAGE, after.as_ref()).await?;
            manifests.extend(page.manifests.into_iter().map(ManifestEntry::from));
            after = page.next;
            if after.is_none() {
                return Ok(manifests);
            }
        }
    }

    async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        let (record, publication) = (self.service.manifest(name).await?, self.service.publication(name).await?);
        if record.is_none() && publication.is_none() {
            return Ok(None);
        }
        let lease = self.service.lease(name).await?;
        Ok(Some(ManifestView::of(name, record, lease, publication.as_ref())))
    }

    async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError> {
        self.service.set_grant(&self.caller, name, grant).await?;
        Ok(())
    }

    async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        how: Take<'_>,
    ) -> Result<Result<(), LeaseHolder>, ServiceError> {
        let taken = match how {
            Take::Own { steal } => self.service.take_lease(&self.caller, manifest, holder, steal).await,
            Take::ToMove(token) => self.service.take_lease_to_move(&self.caller, manifest, holder, token).await,
        };
        match taken {
            Ok(_) => Ok(Ok(())),
            Err(LeaseError::Held(lease)) => Ok(Err(LeaseHolder { by: lease.by, until: Some(lease.until) })),
            Err(error) => Err(error.into()),
        }
    }

    async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError> {
        match self.service.free_lease(&self.caller, manifest, holder).await {
            Ok(()) | Err(LeaseError::Held(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl ManifestAdministration for Remote {
    async fn applied(&self, manifest: &ManifestName) -> Result<Option<u64>, ServiceError> {
        Ok(self.view(manifest).await?.and_then(|view| view.applied))
    }

    async fn window(&self, manifest: &ManifestName) -> Result<Option<String>, ServiceError> {
        Ok(self.view(manifest).await?.and_then(|view| view.window))
    }

    async fn note_applied(&self, manifest: &ManifestName, applied: Applied) -> Result<(), ServiceError> {
        let put = PutManifest { applied };
        self.line.repeat_for_nothing(Call::new("PUT", manifest_path(manifest, "")).body(&put)).await
    }

    async fn all_manifests(&self) -> Result<Vec<ManifestEntry>, ServiceError> {
        let (mut manifests, mut after): (Vec<ManifestEntry>, Option<ManifestName>) = (Vec::new(), None);
        loop {
            let call = Call::new("GET", "/v1/manifests").query("limit", PAGE);
            let call = after.iter().fold(call, |call, after| call.query("cursor", after));
            let page: ManifestList = self.line.repeat(call).await?;
            manifests.extend(page.manifests);
            after = page.next;
            if after.is_none() {
                return Ok(manifests);
            }
        }
    }

    async fn manifest(&self, name: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        self.view(name).await
    }

    async fn set_grant(&self, name: &ManifestName, grant: &Grant) -> Result<(), ServiceError> {
        let wanted = PutGrant::from(grant);
        self.line.repeat_for_nothing(Call::new("PUT", manifest_path(name, "/grant")).body(&wanted)).await
    }

    async fn take_lease(
        &self,
        manifest: &ManifestName,
        holder: &str,
        how: Take<'_>,
    ) -> Result<Result<(), LeaseHolder>, ServiceError> {
        let (steal, token) = match how {
            Take::Own { steal } => (steal, None),
            Take::ToMove(token) => (false, Some(token.clone())),
        };
        let take = TakeLease { holder: holder.to_owned(), steal, token };
        match self.line.repeat::<LeaseRecord>(Call::new("PUT", manifest_path(manifest, "/lease")).body(&take)).await {
            Ok(_) => Ok(Ok(())),
            Err(ServiceError::Refused(refusal)) if refusal.code == "lease_held" => {
                let until = refusal.text("until").and_then(|until| until.parse::<Timestamp>().ok());
                Ok(Err(LeaseHolder { by: refusal.text("by").unwrap_or("somebody").to_owned(), until }))
            }
            Err(error) => Err(error),
        }
    }

    async fn free_lease(&self, manifest: &ManifestName, holder: &str) -> Result<(), ServiceError> {
        self.line
            .repeat_for_nothing(Call::new("DELETE", manifest_path(manifest, "/lease")).query("holder", holder))
            .await
    }
}

impl Remote {
    async fn view(&self, manifest: &ManifestName) -> Result<Option<ManifestView>, ServiceError> {
        match self.line.repeat(Call::new("GET", manifest_path(manifest, ""))).await {
            Ok(view) => Ok(Some(view)),
            Err(ServiceError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
