//! A secret of Secrets Manager that is another sink's login.

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use super::calls::{Calls, Which};
use super::{Settings, connection};
use crate::SinkError;

/// The login that is stored under `name`, in the account and region of the AWS environment.
///
/// # Errors
/// When it cannot be read, or is not there.
pub(crate) fn login(name: &str) -> BoxFuture<'_, Result<Zeroizing<String>, SinkError>> {
    Box::pin(read(name))
}

async fn read(name: &str) -> Result<Zeroizing<String>, SinkError> {
    let (client, identity) = connection::connect(&Settings::default(), None).await?;
    let calls = Calls::new(client, identity, (None, Vec::new()), SharedAsyncSleep::new(TokioSleep::new()));
    let found = calls.value(name, Which::Current).await?;
    let text = found.and_then(|found| found.text);
    text.ok_or_else(|| SinkError::Login {
        reason: format!("there is no secret `{name}` with a text in {}", calls.identity.service()),
        hint: "store the credentials there, or check `AWS_REGION`".to_owned(),
    })
}
