//! The login, the region, the account: who is asked, and as whom.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager::Client;
use futures_util::future::BoxFuture;

use super::Settings;
use super::failure::Asked;
use super::identity::Identity;
use super::profile::{missing_profile, missing_profile_of_environment};
use crate::SinkError;
use crate::aws::{self, As};

const ATTEMPTS: u32 = 5;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The name of the service in `AWS_ENDPOINT_URL_<service>`, where spaces become underscores.
const SERVICE: &str = "Secrets Manager";

/// Creates the client, and asks once whose credentials they are.
pub(super) fn connect<'a>(
    settings: &'a Settings,
    credentials: Option<&'a SharedCredentialsProvider>,
) -> BoxFuture<'a, Result<(Client, Identity), SinkError>> {
    Box::pin(connected(settings, credentials))
}

async fn connected(
    settings: &Settings,
    credentials: Option<&SharedCredentialsProvider>,
) -> Result<(Client, Identity), SinkError> {
    // Before the region, which is in the profile too.
    if let Some(name) = settings.profile.as_deref().filter(|_| credentials.is_none())
        && let Some(missing) = missing_profile(name, "the sink").await
    {
        return Err(missing);
    }
    let region = match region(settings).await {
        Ok(region) => region,
        Err(error) => return Err(missing_profile_of_environment().await.unwrap_or(error)),
    };
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let by = As { profile: settings.profile.as_deref(), credentials, retries: Some(retries) };
    let config = aws::sdk_config(&region, by).await;
    let mut builder = aws_sdk_secretsmanager::config::Builder::from(&config);
    builder.set_endpoint_url(settings.endpoint.clone().or_else(|| aws::endpoint_of(SERVICE, &config)));
    let mut identity = Identity {
        account: settings.account.clone().unwrap_or_else(|| "-".to_owned()),
        region: region.as_ref().to_owned(),
        endpoint: settings.endpoint.clone().or_else(|| aws::endpoint_of(SERVICE, &config)).as_deref().and_then(foreign),
        rotation_function: settings.rotation_function().to_owned(),
    };
    // Behind an endpoint of AWS's own the login may be anybody's, as behind none.
    if settings.endpoint.as_deref().and_then(foreign).is_none() {
        identity.account = match checked_account(settings, &config, &identity).await {
            Ok(account) => account,
            Err(error @ SinkError::Login { .. }) => {
                return Err(missing_profile_of_environment()
                    .await
                    .filter(|_| settings.profile.is_none())
                    .unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
    }
    Ok((Client::from_conf(builder.build()), identity))
}

/// From the settings, the environment, or the profile.
async fn region(settings: &Settings) -> Result<Region, SinkError> {
    if let Some(region) = &settings.region {
        return Ok(Region::new(region.clone()));
    }
    aws::region(settings.profile.as_deref()).await.ok_or_else(|| SinkError::Login {
        reason: "no AWS region is set".to_owned(),
        hint: "set `region = \"..\"` in the sink, or `AWS_REGION`".to_owned(),
    })
}

/// The endpoint as a part of a place. AWS's own others (FIPS, dual stack, inside a VPC) lead to the same secrets.
fn foreign(endpoint: &str) -> Option<String> {
    const AWS: &[&str] = &[".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    let endpoint = endpoint.trim_end_matches('/');
    let host = endpoint.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase));
    let aws = host.is_some_and(|host| AWS.iter().any(|domain| host.ends_with(domain)));
    (!aws).then(|| endpoint.to_owned())
}

async fn checked_account(settings: &Settings, config: &SdkConfig, identity: &Identity) -> Result<String, SinkError> {
    let asked = Asked { identity, action: "sts:GetCallerIdentity", name: "the credentials", value: None, guard: None };
    let answer = aws::caller_identity(config).await.map_err(|error| asked.failed(&error))?;
    let account = answer.account().unwrap_or("-");
    match &settings.account {
        Some(wanted) if wanted != account => Err(SinkError::Login {
            reason: format!("the credentials belong to account `{account}`, but the sink is set to account `{wanted}`"),
            hint: "use credentials of that account, or set its `profile` in the sink".to_owned(),
        }),
        _ => Ok(account.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_aws_itself_make_no_other_place() {
        for own in ["https://secretsmanager-fips.us-east-1.amazonaws.com", "https://x.vpce.amazonaws.com/"] {
            assert_eq!(foreign(own), None, "{own}");
        }
        for other in ["http://127.0.0.1:5000", "https://amazonaws.com.example.org", "https://xamazonaws.com"] {
            assert_eq!(foreign(&format!("{other}/")).as_deref(), Some(other));
        }
    }
}
