//! Which way to sign in the environment has, and the exchange of what it holds for a token.

use std::path::PathBuf;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::granted::Granted;
use super::identity::{Identity, near_machine};
use super::{Variables, az};
use crate::SinkError;
use crate::azure_key_vault::cloud::resource;
use crate::azure_key_vault::network::Network;
use crate::azure_key_vault::settings::{Cloud, SignInMethod};
use crate::host::{Ask, Effect};
use crate::login::Keeper;
use crate::transport::{Address, Incoming, percent_encode};

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// What the other issuer's token must be for. <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
const AUDIENCE: &str = "api://AzureADTokenExchange";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_MAX: usize = 64 * 1024;

/// An application in a tenant.
struct Application {
    tenant: String,
    client: String,
}

enum Kind {
    /// Its token of another issuer stands in a file, which somebody renews.
    File(Application, PathBuf),
    /// GitHub gives one out to each job that may have one.
    GitHub(Application, String, Zeroizing<String>),
    Secret(Application, Zeroizing<String>),
    Identity(Identity),
    Az,
}

/// One way to sign in, with all that it needs.
pub(super) struct Method(Kind);

/// The first way that the environment has, or the one that is wanted.
pub(super) async fn choose(
    wanted: Option<SignInMethod>,
    login: Option<&Keeper>,
    variables: &Variables,
    network: &Network,
    cloud: Cloud,
) -> Result<Method, SinkError> {
    let wanted = wanted.or_else(|| login.map(|_| SignInMethod::ClientSecret));
    let has = |name: &str| variables.get(name).is_some();
    let kind = match wanted {
        Some(SignInMethod::WorkloadIdentity) => workload(variables)?,
        Some(SignInMethod::ClientSecret) => secret(login, variables).await?,
        Some(SignInMethod::ManagedIdentity) => Kind::Identity(Identity::named(variables)?),
        None if has(FILE) => workload(variables)?,
        // These two stand in every job that may sign in anywhere: alone they say nothing of Azure.
        None if (has(GITHUB_URL) || has(GITHUB_TOKEN)) && (has(TENANT) || has(CLIENT)) => workload(variables)?,
        None if has(SECRET) => secret(login, variables).await?,
        None if has(TENANT) => return Err(unfinished(variables)),
        None if Identity::is_named(variables) => Kind::Identity(Identity::named(variables)?),
        None if near_machine(variables, network, cloud).await => Kind::Identity(Identity::of_machine(variables)?),
        Some(SignInMethod::Az) | None => Kind::Az,
    };
    Ok(Method(kind))
}

fn workload(variables: &Variables) -> Result<Kind, SinkError> {
    if let Some(file) = variables.get(FILE) {
        return Ok(Kind::File(application(FILE, variables)?, PathBuf::from(file.as_str())));
    }
    let (because, names) = match (variables.get(GITHUB_URL), variables.get(GITHUB_TOKEN)) {
        (Some(url), Some(token)) => {
            return Ok(Kind::GitHub(application(GITHUB_URL, variables)?, url.as_str().to_owned(), token));
        }
        (Some(_), None) => (GITHUB_URL, [GITHUB_TOKEN, TENANT, CLIENT]),
        (None, Some(_)) => (GITHUB_TOKEN, [GITHUB_URL, TENANT, CLIENT]),
        (None, None) => {
            let error = SinkError::Login {
                reason: "no workload identity was found".to_owned(),
                hint: format!("set `{FILE}`, or in GitHub Actions give the job `permissions: id-token: write`"),
            };
            return Err(also(error, &absent(&[TENANT, CLIENT], variables)));
        }
    };
    Err(missing(&absent(&names, variables), because))
}

async fn secret(login: Option<&Keeper>, variables: &Variables) -> Result<Kind, SinkError> {
    let found = match login {
        Some(login) => login.get().await.map(|secret| ("login", secret)),
        None => variables.get(SECRET).map(|secret| (SECRET, secret)).ok_or_else(|| SinkError::Login {
            reason: format!("the environment variable `{SECRET}` is unset or empty"),
            hint: format!("set `{SECRET}`, in CI from its secrets, or set where it is: `login = {{ .. }}`"),
        }),
    };
    let (because, secret) = found.map_err(|error| also(error, &absent(&[TENANT, CLIENT], variables)))?;
    Ok(Kind::Secret(application(because, variables)?, secret))
}

fn application(because: &str, variables: &Variables) -> Result<Application, SinkError> {
    let (Some(tenant), Some(client)) = (variables.get(TENANT), variables.get(CLIENT)) else {
        return Err(missing(&absent(&[TENANT, CLIENT], variables), because));
    };
    // It becomes a part of a path: nothing in it may lead elsewhere.
    if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) || tenant.starts_with('.') {
        return Err(SinkError::Login {
            reason: format!("`{TENANT}` is neither the id nor a domain of a tenant"),
            hint: "`az account show --query tenantId` prints the id".to_owned(),
        });
    }
    Ok(Application { tenant: tenant.to_string(), client: client.to_string() })
}

/// Those of the variables that are unset or empty: all are named at once, so that nobody learns of the next one only
/// when the first is set.
fn absent<'a>(names: &[&'a str], variables: &Variables) -> Vec<&'a str> {
    names.iter().copied().filter(|name| variables.get(name).is_none()).collect()
}

fn missing(names: &[&str], because: &str) -> SinkError {
    let (all, are) = all_of(names);
    SinkError::Login {
        reason: format!("incomplete Azure credentials: `{because}` is set, but {all} {are} not"),
        hint: format!("set {all} too, or choose the way to sign in: `sign_in = \"az\"`"),
    }
}

/// The error, and what else is missing beside it.
fn also(error: SinkError, names: &[&str]) -> SinkError {
    match error {
        SinkError::Login { reason, hint } if !names.is_empty() => {
            let (all, are) = all_of(names);
            SinkError::Login {
                reason: format!("{reason}, and {all} {are} not set"),
                hint: format!("{hint}; set {all} too"),
            }
        }
        error => error,
    }
}

/// The names in one phrase, and the verb that follows them.
fn all_of(names: &[&str]) -> (String, &'static str) {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => (last.clone(), "is"),
        Some((last, rest)) => (format!("{} and {last}", rest.join(", ")), "are"),
        None => (String::new(), "are"),
    }
}

fn unfinished(variables: &Variables) -> SinkError {
    let neither = format!("neither `{SECRET}` nor `{FILE}` is");
    let (reason, set) = match variables.get(CLIENT) {
        Some(_) => (format!("`{TENANT}` and `{CLIENT}` are set, but {neither}"), "set one of them".to_owned()),
        None => (
            format!("`{TENANT}` is set, but `{CLIENT}` is not, and {neither}"),
            format!("set `{CLIENT}` and one of the two"),
        ),
    };
    SinkError::Login {
        reason: format!("incomplete Azure credentials: {reason}"),
        hint: format!("{set}, or choose the way to sign in: `sign_in = \"managed-identity\"`"),
    }
}

impl Method {
    pub(super) fn words(&self) -> &'static str {
        match &self.0 {
            Kind::File(..) | Kind::GitHub(..) => "the workload identity",
            Kind::Secret(..) => "the client secret",
            Kind::Identity(_) => "the managed identity",
            Kind::Az => "the Azure CLI",
        }
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        match &self.0 {
            Kind::File(application, _) | Kind::GitHub(application, ..) | Kind::Secret(application, _) => {
                Some(&application.tenant)
            }
            Kind::Identity(_) | Kind::Az => None,
        }
    }

    pub(super) async fn token(
        &self,
        cloud: Cloud,
        authority: &Address,
        network: &Network,
    ) -> Result<Granted, SinkError> {
        let scope = format!("{}/.default", resource(cloud));
        match &self.0 {
            Kind::File(application, path) => {
                let assertion = from_file(path.clone()).await?;
                let proof = [("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
                exchange(application, &proof, &scope, authority, network).await
            }
            Kind::GitHub(application, url, bearer) => {
                let assertion = from_github(url, bearer, network).await?;
                let proof = [("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
                exchange(application, &proof, &scope, authority, network).await
            }
            Kind::Secret(application, secret) => {
                exchange(application, &[("client_secret", secret)], &scope, authority, network).await
            }
            Kind::Identity(identity) => identity.token(&resource(cloud), network).await,
            Kind::Az => az::token(&resource(cloud)).await,
        }
    }
}

async fn from_file(path: PathBuf) -> Result<Zeroizing<String>, SinkError> {
    let failed = |what: &str| SinkError::Login {
        reason: format!("the file in `{FILE}` {what}"),
        hint: "the platform that runs this job writes it; check its workload identity".to_owned(),
    };
    let read = tokio::task::spawn_blocking(move || crate::files::read(&path, ASSERTION_MAX)).await;
    let contents =
        read.ok().and_then(Result::ok).flatten().ok_or_else(|| failed("does not exist or cannot be read"))?;
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| failed("is not text"))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

#[derive(Deserialize)]
struct Issued {
    value: String,
}

async fn from_github(url: &str, bearer: &str, network: &Network) -> Result<Zeroizing<String>, SinkError> {
    let failed = |what: String| SinkError::Login {
        reason: format!("GitHub issued no token for this job: {what}"),
        hint: "give the job `permissions: id-token: write`".to_owned(),
    };
    let (address, mut target) =
        Address::parse_near_with_target(url).ok_or_else(|| failed(format!("`{GITHUB_URL}` is not an address")))?;
    target.push_str(if target.contains('?') { "&audience=" } else { "?audience=" });
    percent_encode(AUDIENCE, &mut target);
    let ask = Ask::read(target)
        .header("authorization", format!("Bearer {bearer}"))
        .header("accept", "application/json; api-version=2.0");
    let answer = network.host(&address).ask(&ask).await.map_err(|error| failed(error.to_string()))?;
    if answer.status != 200 {
        return Err(failed(format!("it answered {}", answer.status)));
    }
    let issued: Issued =
        serde_json::from_slice(&answer.body).map_err(|_| failed("the answer contains no token".to_owned()))?;
    Ok(Zeroizing::new(issued.value))
}

/// The OAuth 2.0 client credentials flow: an application proves who it is.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
async fn exchange(
    application: &Application,
    proof: &[(&str, &str)],
    scope: &str,
    authority: &Address,
    network: &Network,
) -> Result<Granted, SinkError> {
    let fields = [("grant_type", "client_credentials"), ("client_id", application.client.as_str()), ("scope", scope)];
    let length: usize = fields.iter().chain(proof).map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    // It never grows, so that no copy of a secret is left behind.
    let mut form = Zeroizing::new(String::with_capacity(length));
    for (name, value) in fields.iter().chain(proof) {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        percent_encode(value, &mut form);
    }
    // It changes nothing there.
    let mut ask = Ask::new("POST", format!("/{}/oauth2/v2.0/token", application.tenant), Effect::None)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json");
    ask.outgoing.body = Zeroizing::new(form.as_bytes().to_vec());
    let host = network.host(authority);
    let answer = host.ask(&ask).await.map_err(|error| SinkError::Unreachable { reason: error.to_string() })?;
    Granted::read(&answer).ok_or_else(|| refused(&answer, host.name(), application))
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// Texts of the answer are not shown: they say what was sent. Codes are:
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
fn refused(answer: &Incoming, host: &str, application: &Application) -> SinkError {
    if answer.status >= 500 || answer.status == 429 {
        return SinkError::Unreachable { reason: format!("`{host}` answered {} to the sign-in", answer.status) };
    }
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = refusal.error_codes.first().copied().unwrap_or_default();
    let (what, hint) = match code {
        7_000_215 => ("the client secret is wrong", "set the secret's value, not its id"),
        7_000_222 => ("the client secret has expired", "create a new one for the application"),
        700_016 => ("there is no such application in that tenant", "check `AZURE_CLIENT_ID` and `AZURE_TENANT_ID`"),
        90_002 | 900_023 => ("there is no such tenant", "check `AZURE_TENANT_ID`, and `cloud` in the manifest"),
        70_021 | 700_213 | 700_211 | 700_212 => (
            "no federated credential of the application matches this job",
            "add one with the issuer, subject and audience of this job",
        ),
        700_024 => ("the token of the other issuer has expired", "check the clock, and run again"),
        _ => ("it was refused", "sign in by hand with the same variables: `az login --service-principal`"),
    };
    let error: String = refusal.error.chars().filter(char::is_ascii_graphic).take(40).collect();
    let code = if code == 0 { format!("{error} {}", answer.status) } else { format!("AADSTS{code}") };
    SinkError::Login {
        reason: format!("could not sign in as `{}`: {what} (`{}`)", shown(&application.client), code.trim()),
        hint: hint.to_owned(),
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(64).collect()
}
