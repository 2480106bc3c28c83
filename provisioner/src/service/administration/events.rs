//! Audit events, as people ask for them.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use latchkey::api::wire::EventList;
use latchkey::name::UserName;
use latchkey::service::EventPage;

use crate::service::ServiceError;
use crate::service::direct::Direct;
use crate::service::remote::Remote;
use crate::service::remote::call::Call;

/// The longest page that the API gives.
const EVENTS_PAGE: i32 = 200;

/// Audit events, as people ask for them.
#[async_trait]
pub trait EventAdministration: Send + Sync {
    /// A page of the events of a user, or of roles, manifests and settings, in the month of `month`, newest first.
    async fn event_page(
        &self,
        user: Option<&UserName>,
        month: Timestamp,
        cursor: Option<String>,
    ) -> Result<EventPage, ServiceError>;
}

#[async_trait]
impl EventAdministration for Direct {
    async fn event_page(
        &self,
        user: Option<&UserName>,
        month: Timestamp,
        cursor: Option<String>,
    ) -> Result<EventPage, ServiceError> {
        Ok(self.service.event_page(user, month, EVENTS_PAGE, cursor).await?)
    }
}

#[async_trait]
impl EventAdministration for Remote {
    async fn event_page(
        &self,
        user: Option<&UserName>,
        month: Timestamp,
        cursor: Option<String>,
    ) -> Result<EventPage, ServiceError> {
        let month = month.to_zoned(TimeZone::UTC).strftime("%Y-%m");
        let mut call = Call::new("GET", "/v1/events").query("month", month).query("limit", EVENTS_PAGE);
        if let Some(user) = user {
            call = call.query("user", user);
        }
        if let Some(cursor) = cursor {
            call = call.query("cursor", cursor);
        }
        let EventList { events, next } = self.line.repeat(call).await?;
        Ok(EventPage { events, next })
    }
}
