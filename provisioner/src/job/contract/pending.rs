//! The version that AWS named, as the steps of its rotation meet it.

use async_trait::async_trait;
use latchkey::secret::Secret;
use latchkey_sinks::SinkError;
use latchkey_sinks::aws_secrets_manager::{PendingValue, Rotated, Stage};
use latchkey_sinks::deadline::Deadline;

/// The version that AWS named, and the secret of which it is one. [`Rotated`] is it; so can a test be, which then controls
/// every call.
#[async_trait]
pub trait PendingVersion: Send + Sync {
    /// The secret's name.
    fn name(&self) -> &str;

    /// The version's id.
    fn id(&self) -> &str;

    /// Where the version was when the step began.
    fn stage(&self) -> Stage;

    /// What it contains now.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn value(&self) -> Result<PendingValue, SinkError>;

    /// The same of a version that was put: AWS may show it late, so it is waited for.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn value_that_was_put(&self) -> Result<PendingValue, SinkError>;

    /// What consumers read.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn current_value(&self) -> Result<PendingValue, SinkError>;

    /// Puts it under AWSPENDING, where no consumer reads it yet.
    ///
    /// # Errors
    /// As of [`Rotated::put`].
    async fn put(&self, secret: &Secret, deadline: Deadline) -> Result<(), SinkError>;

    /// Takes AWSPENDING off it, if it is there.
    ///
    /// # Errors
    /// When that is refused, or not answered.
    async fn end(&self, deadline: Deadline) -> Result<(), SinkError>;
}

#[async_trait]
impl PendingVersion for Rotated {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn id(&self) -> &str {
        Self::id(self)
    }

    fn stage(&self) -> Stage {
        Self::stage(self)
    }

    async fn value(&self) -> Result<PendingValue, SinkError> {
        Self::value(self).await
    }

    async fn value_that_was_put(&self) -> Result<PendingValue, SinkError> {
        Self::value_that_was_put(self).await
    }

    async fn current_value(&self) -> Result<PendingValue, SinkError> {
        Self::current_value(self).await
    }

    async fn put(&self, secret: &Secret, deadline: Deadline) -> Result<(), SinkError> {
        Self::put(self, secret, deadline).await
    }

    async fn end(&self, deadline: Deadline) -> Result<(), SinkError> {
        Self::end(self, deadline).await
    }
}
