//! Whoever is signed in with the Azure CLI. The program is named here, never by a manifest, and gets no secret; it is
//! looked for in `PATH` alone.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use super::granted::Granted;
use crate::SinkError;

const WITHIN: Duration = Duration::from_mins(1);
const PRINTED_MAX: usize = 64 * 1024;
/// It gives out what it has kept, which works for five minutes at the least; it is asked again before that.
const LASTS: Duration = Duration::from_mins(4);

#[derive(Deserialize)]
struct Printed {
    #[serde(rename = "accessToken")]
    access_token: String,
}

pub(super) async fn token(resource: &str) -> Result<Granted, SinkError> {
    let run = async {
        let mut child = tokio::process::Command::new("az")
            .args(["account", "get-access-token", "--output", "json", "--resource", resource])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => {
                    failed("there are no Azure credentials in the environment, and `az` is not installed")
                }
                kind => failed(&format!("`az` could not be started: {kind}")),
            })?;
        let mut printed = Zeroizing::new(Vec::with_capacity(PRINTED_MAX + 1));
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(PRINTED_MAX as u64).read_to_end(&mut printed).await;
            read.map_err(|_| failed("the output of `az` cannot be read"))?;
        }
        let status = child.wait().await.map_err(|_| failed("`az` failed"))?;
        if !status.success() {
            return Err(failed("`az account get-access-token` failed: nobody is signed in"));
        }
        let printed: Printed =
            serde_json::from_slice(&printed).map_err(|_| failed("`az account get-access-token` printed no token"))?;
        Ok(Granted { text: Zeroizing::new(printed.access_token), lasts: LASTS })
    };
    tokio::time::timeout(WITHIN, run)
        .await
        .unwrap_or_else(|_| Err(failed(&format!("`az` did not finish within {} s", WITHIN.as_secs()))))
}

fn failed(what: &str) -> SinkError {
    SinkError::Login {
        reason: what.to_owned(),
        hint: "run `az login`, or set `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`".to_owned(),
    }
}
