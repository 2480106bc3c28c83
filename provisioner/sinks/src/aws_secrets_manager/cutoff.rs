//! What stands between a write and the network: the deadline, and a body that no log line can show.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::Full;

use crate::deadline::Deadline;

/// Lets no attempt of one write start after its deadline. Retries are the SDK's, so this stands inside them.
#[derive(Debug, Clone)]
pub(super) struct Cutoff {
    deadline: Deadline,
    sent: Arc<AtomicU32>,
}

impl Cutoff {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self { deadline, sent: Arc::default() }
    }

    /// How many attempts were let through.
    pub(super) fn sent(&self) -> u32 {
        self.sent.load(Ordering::SeqCst)
    }
}

/// The deadline passed before an attempt.
#[derive(Debug)]
pub(super) struct DeadlinePassed;

impl fmt::Display for DeadlinePassed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the time allowed for this write ran out")
    }
}

impl std::error::Error for DeadlinePassed {}

#[dyn_dispatch_hint]
impl Intercept for Cutoff {
    fn name(&self) -> &'static str {
        "Guard"
    }

    /// The SDK logs requests at the level `trace`, bodies that lie in memory included: behind a stream they are not
    /// shown. The request is signed by now.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        if let Some(bytes) = body.bytes().map(<[u8]>::to_vec) {
            *body = SdkBody::retryable(move || SdkBody::from_body_1_x(Full::from(bytes.clone())));
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.deadline.has_passed() {
            return Err(DeadlinePassed.into());
        }
        self.sent.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
