//! A table on AWS: the credentials that AWS's own tools take, and the table's clock.
//!
//! The clock is DynamoDB's, by the `Date` of its answers, so that two machines agree on what has ended.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::Intercept;
use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;
use latchkey::clock::{Clock, SystemClock};
use latchkey::table::{Table, TableError};

use crate::service::ServerTime;
use latchkey_sinks::aws::{As, caller_identity, endpoint_of, region as region_of, sdk_config};
use latchkey_sinks::aws_secrets_manager::missing_profile_of_environment;
use latchkey_sinks::deadline::since_boot;

/// How far this machine's clock may be from the table's, in seconds.
const SKEW_MAX: i64 = 60;

/// A table on AWS, ready to be asked.
#[derive(Debug)]
pub struct Opened {
    pub table: Table,
    pub clock: Arc<TableClock>,
    /// The ARN of whoever is logged in; `None` behind an endpoint of its own where nobody can be asked for it.
    pub operator: Option<String>,
}

/// Why a table on AWS could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// No region is set anywhere.
    #[error("no AWS region is set")]
    Region,
    /// Who is logged in could not be found out.
    #[error("cannot find out who is logged in to AWS: {0}")]
    Login(String),
    /// The profile that the environment names is not there.
    #[error("{reason}")]
    Profile { reason: String, hint: String },
    /// Two clocks that should agree do not.
    #[error("this machine's clock and the table's are {0} s apart")]
    Skew(i64),
    #[error(transparent)]
    Table(TableError),
}

impl DynamoDbError {
    /// What to do.
    pub fn hint(&self) -> &str {
        match self {
            Self::Region => "set `region = \"..\"` in `[service]`, or `AWS_REGION`",
            Self::Login(_) => {
                "log in as AWS's own tools do: `AWS_PROFILE`, `aws sso login`, or keys in the environment"
            }
            Self::Profile { hint, .. } => hint,
            Self::Skew(_) => "nothing was changed; set the clock of this machine, for example by NTP",
            Self::Table(TableError::Missing(_)) => "check name, region and account; the template in `infra` creates it",
            Self::Table(TableError::Denied(_)) => "the credentials may not read or write the table, or have expired",
            Self::Table(_) => "nothing was lost; try again",
        }
    }
}

/// Opens a table. Nothing is read from it yet; AWS is asked who is logged in.
pub async fn open(name: &str, region: Option<&str>, endpoint: Option<&str>) -> Result<Opened, DynamoDbError> {
    let region = match region {
        Some(region) => Region::new(region.to_owned()),
        None => match region_of(None).await {
            Some(region) => region,
            None => return Err(missing_profile().await.unwrap_or(DynamoDbError::Region)),
        },
    };
    let config = sdk_config(&region, As::default()).await;
    let endpoint = endpoint.map(str::to_owned).or_else(|| endpoint_of("DynamoDB", &config));
    let clock = Arc::new(TableClock { time: ServerTime::new(since_boot) });
    // The table tries again by itself.
    let mut builder = aws_sdk_dynamodb::config::Builder::from(&config)
        .retry_config(RetryConfig::disabled())
        .interceptor(Dates(clock.clone()));
    builder.set_endpoint_url(endpoint.clone());
    let table = Table::new(aws_sdk_dynamodb::Client::from_conf(builder.build()), name);
    let elsewhere = endpoint.is_some() && endpoint_of("STS", &config).is_none();
    // Behind an endpoint of its own the table is not AWS's, and AWS knows nobody there.
    let operator = if elsewhere { None } else { caller(&config, endpoint.is_some()).await? };
    Ok(Opened { table, clock, operator })
}

async fn caller(config: &SdkConfig, elsewhere: bool) -> Result<Option<String>, DynamoDbError> {
    match caller_identity(config).await {
        Ok(answer) => Ok(answer.arn.filter(|arn| !arn.is_empty())),
        Err(_) if elsewhere => Ok(None),
        Err(error) => {
            let missing = missing_profile().await;
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            Err(missing.unwrap_or_else(|| DynamoDbError::Login(cause.to_string())))
        }
    }
}

/// That the profile which the environment names is not there, if that is so.
async fn missing_profile() -> Option<DynamoDbError> {
    let error = missing_profile_of_environment().await?;
    Some(DynamoDbError::Profile { reason: error.to_string(), hint: error.hint().unwrap_or_default().to_owned() })
}

/// The table's clock, and this machine's until the table has answered.
#[derive(Debug)]
pub struct TableClock {
    time: ServerTime,
}

impl Clock for TableClock {
    fn now(&self) -> Timestamp {
        self.time.now().unwrap_or_else(|| SystemClock.now())
    }
}

impl TableClock {
    /// Whether this machine's clock agrees with the table's: deadlines and dates that people write depend on both.
    ///
    /// # Errors
    /// [`DynamoDbError::Skew`].
    pub fn check(&self) -> Result<(), DynamoDbError> {
        let apart = self.time.now().map_or(0, |now| (SystemClock.now().as_second() - now.as_second()).abs());
        if apart > SKEW_MAX { Err(DynamoDbError::Skew(apart)) } else { Ok(()) }
    }
}

/// Reads the `Date` of every answer, refusals included.
#[derive(Debug)]
struct Dates(Arc<TableClock>);

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "Dates"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.time.note_header(date);
        }
        Ok(())
    }
}
