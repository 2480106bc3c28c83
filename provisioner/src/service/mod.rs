//! The service as the tool sees it: the operations that plans, applies and commands need, with failures distinguished
//! by what the tool does about them. It is in this process, on a table, with the rights of an operator; or it is a
//! server, asked over HTTP with a token's rights. Nothing above knows which.

mod administration;
mod direct;
mod error;
mod protocol;
mod records;
pub mod remote;
mod time;

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use latchkey::name::UserName;
use latchkey::role::Permissions;
use latchkey::service::{Caller, Service};

use direct::Direct;
use latchkey_sinks::deadline::{Elapsed, since_boot};
use remote::Remote;

pub use administration::{
    Administration, EventAdministration, LookupCost, ManifestAdministration, PublicationAdministration,
    RoleAdministration, SettingsAdministration, TokenAdministration, TokenLookup, UserAdministration,
};
pub use error::{Refusal, ServiceError};
pub use latchkey::service::Issued;
pub use protocol::{Announced, Breadth, Granted, Protocol, Records};
pub use records::{History, LeaseHolder, Managed, Take};
pub use time::ServerTime;

/// A way to the service: what runs ask of it, and what people ask by hand.
pub trait Connection: Protocol + Administration + Debug {
    /// The user of the token in hand, where a token is; an operator is none.
    fn me(&self) -> Option<&UserName> {
        None
    }

    /// What the token in hand allows and when it expires, where a token is.
    fn own_rights(&self) -> Option<(&Permissions, Timestamp)> {
        None
    }

    /// The service itself and who asks it, where it is in this process: for what only its operator does.
    fn operated(&self) -> Option<(&Arc<Service>, &Caller)> {
        None
    }
}

/// The service, reached as somebody. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Connection>);

impl Client {
    /// The service in this process, with all rights of an operator.
    pub fn operator(service: Service, name: &str) -> Self {
        Self::operator_by(since_boot, service, name)
    }

    /// The same, with another clock for deadlines.
    pub fn operator_by(elapsed: Elapsed, service: Service, name: &str) -> Self {
        Self(Arc::new(Direct { service: Arc::new(service), caller: Caller::operator(name), elapsed }))
    }

    /// The same, of a service that others work with too.
    pub fn operator_of(service: Arc<Service>, name: &str) -> Self {
        Self(Arc::new(Direct { service, caller: Caller::operator(name), elapsed: since_boot }))
    }

    pub fn remote(remote: Remote) -> Self {
        Self(Arc::new(remote))
    }

    /// What a run works with.
    pub fn protocol(&self) -> &dyn Protocol {
        &*self.0
    }

    /// What a publisher works with.
    pub fn publishing(&self) -> &dyn PublicationAdministration {
        &*self.0
    }
}

impl Deref for Client {
    type Target = dyn Connection;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
