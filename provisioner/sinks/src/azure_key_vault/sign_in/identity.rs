//! Managed identities: what a machine of Azure's is, by itself. <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>

use std::time::Duration;

use zeroize::Zeroizing;

use super::Variables;
use super::granted::Granted;
use crate::SinkError;
use crate::azure_key_vault::cloud::resource;
use crate::azure_key_vault::network::Network;
use crate::azure_key_vault::settings::Cloud;
use crate::host::Ask;
use crate::transport::{Address, percent_encode};

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
/// Which of several identities.
const CLIENT: &str = "AZURE_CLIENT_ID";
/// The name that Azure's own libraries have for another address of the machine's metadata.
const METADATA_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
const METADATA: &str = "http://169.254.169.254";
/// Metadata is a step away: a machine that is none of Azure's should not be kept waiting.
const PROBE_WITHIN: Duration = Duration::from_secs(1);

/// Where a machine's identity gives out tokens.
pub(super) struct Identity {
    address: Address,
    target: String,
    client: Option<String>,
    /// App Service and its like ask for this; a virtual machine for `Metadata: true`.
    header: Option<Zeroizing<String>>,
}

impl Identity {
    /// Whether the environment says that there is one, as App Service, Functions and Container Apps do.
    pub(super) fn is_named(variables: &Variables) -> bool {
        variables.get(ENDPOINT).is_some() || variables.get(HEADER).is_some()
    }

    /// The one that the environment names, else the virtual machine's.
    pub(super) fn named(variables: &Variables) -> Result<Self, SinkError> {
        let half = |there: &str, missing: &str| SinkError::Login {
            reason: format!("incomplete Azure credentials: `{there}` is set, but `{missing}` is not"),
            hint: format!("set `{missing}` too, or unset `{there}`; Azure Arc is not supported"),
        };
        match (variables.get(ENDPOINT), variables.get(HEADER)) {
            (None, None) => Self::of_machine(variables),
            (Some(_), None) => Err(half(ENDPOINT, HEADER)),
            (None, Some(_)) => Err(half(HEADER, ENDPOINT)),
            (Some(endpoint), Some(header)) => {
                let (address, target) =
                    Address::parse_near_with_target(&endpoint).ok_or_else(|| bad_address(ENDPOINT))?;
                let target = format!("{target}?api-version=2019-08-01");
                Ok(Self { address, target, client: client(variables), header: Some(header) })
            }
        }
    }

    /// The virtual machine's.
    pub(super) fn of_machine(variables: &Variables) -> Result<Self, SinkError> {
        let named = variables.get(METADATA_HOST);
        let address = Address::parse_near(named.as_deref().map_or(METADATA, String::as_str));
        let address = address.map_err(|_| bad_address(METADATA_HOST))?;
        let target = "/metadata/identity/oauth2/token?api-version=2018-02-01".to_owned();
        Ok(Self { address, target, client: client(variables), header: None })
    }

    pub(super) async fn token(&self, resource: &str, network: &Network) -> Result<Granted, SinkError> {
        let host = network.host(&self.address);
        let failed = |what: String| SinkError::Login {
            reason: format!("the machine's managed identity returned no token: {what}"),
            hint: "assign one to the machine, or set `AZURE_CLIENT_ID` if it has several; elsewhere `sign_in = \"az\"`"
                .to_owned(),
        };
        let answer = host.ask(&self.ask(resource)).await.map_err(|error| failed(error.to_string()))?;
        Granted::read(&answer).ok_or_else(|| failed(format!("`{}` answered {}", host.name(), answer.status)))
    }

    fn ask(&self, resource: &str) -> Ask {
        let mut target = format!("{}&resource=", self.target);
        percent_encode(resource, &mut target);
        if let Some(client) = &self.client {
            target.push_str("&client_id=");
            percent_encode(client, &mut target);
        }
        let ask = Ask::read(target);
        match &self.header {
            Some(header) => ask.header("x-identity-header", header.as_str()),
            None => ask.header("metadata", "true"),
        }
    }
}

/// Whether this is a machine of Azure's: asked once, and for a second.
pub(super) async fn near_machine(variables: &Variables, network: &Network, cloud: Cloud) -> bool {
    let Ok(identity) = Identity::of_machine(variables) else { return true };
    let resource = resource(cloud);
    let probe = identity.token(&resource, network);
    tokio::time::timeout(PROBE_WITHIN, probe).await.is_ok_and(|granted| granted.is_ok())
}

fn client(variables: &Variables) -> Option<String> {
    variables.get(CLIENT).map(|client| client.as_str().to_owned())
}

fn bad_address(name: &str) -> SinkError {
    SinkError::Login {
        reason: format!("`{name}` is neither a local address nor an `https` address"),
        hint: format!("unset or fix `{name}`"),
    }
}
