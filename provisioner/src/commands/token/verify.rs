//! `provision token verify`.

use std::io::Read;

use jiff::Timestamp;
use latchkey::api::wire::Me;
use latchkey::clock::{Clock, SystemClock};
use latchkey::secret::SECRET_MAX;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::exit::{Code, Fault};
use super::super::open::{self, IfMissing};
use super::super::server;
use super::role_list;
use crate::manifest::ServiceAddress;
use crate::output::{Format, Mark, Printer};
use crate::plan::{distance, minute};

/// Verifies a secret from stdin. Whatever keeps it from finding out is exit 2, never 1.
pub(super) async fn verify(printer: Printer, service: Option<&str>) -> Result<Code, Fault> {
    let unclear = |fault: Fault| fault.code(Code::Changes);
    let presented =
        read_secret(printer).map_err(|fault| if fault.code == Code::Interrupted { fault } else { unclear(fault) })?;
    let (verdict, now) = match open::nearest_address(service).map_err(unclear)? {
        ServiceAddress::Url { url, by } => {
            let verdict = server::who_is(&url, by, &presented).await.map_err(unclear)?;
            (verdict, SystemClock.now())
        }
        address => {
            let client = open::client(&address, IfMissing::Fail).await.map_err(unclear)?;
            (client.verify(&presented).await.map_err(|error| unclear(error.into()))?, client.now())
        }
    };
    match verdict {
        Ok(valid) => {
            if printer.format == Format::Json {
                printer.json(&valid_json(&valid)).map_err(|error| unclear(error.into()))?;
            } else {
                let text = valid_text(now, &valid);
                let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
                let first = first.strip_prefix("Valid").unwrap_or(first);
                printer.judged(Mark::Good, "Valid", first).map_err(|error| unclear(error.into()))?;
                printer.block(rest).map_err(|error| unclear(error.into()))?;
            }
            Ok(Code::Done)
        }
        Err(invalid) => {
            if printer.format == Format::Json {
                let value = json!({ "valid": false, "reason": invalid });
                printer.json(&value).map_err(|error| unclear(error.into()))?;
            } else {
                printer
                    .judged(Mark::Bad, "Not valid", &format!(": {invalid}"))
                    .map_err(|error| unclear(error.into()))?;
            }
            Ok(Code::Error)
        }
    }
}

fn read_secret(printer: Printer) -> Result<Zeroizing<String>, Fault> {
    if printer.is_answered() {
        return Ok(printer.ask_hidden("Secret: ")?);
    }
    // Longer input is no secret; it need not be read to its end to know that.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4 * SECRET_MAX));
    std::io::stdin()
        .take(4 * SECRET_MAX as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::new(format!("cannot read stdin: {error}")))?;
    if bytes.is_empty() {
        return Err(
            Fault::new("stdin is empty").hint("pipe the secret in: `printenv API_TOKEN | provision token verify`")
        );
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned()))
}

fn valid_json(valid: &Me) -> Value {
    json!({
        "valid": true,
        "user": valid.user,
        "name": valid.token,
        "id": valid.id,
        "version": valid.version,
        "fingerprint": valid.fingerprint,
        "roles": valid.roles,
        "permissions": valid.permissions,
        "expires": valid.works_until,
        "managed_by": valid.managed_by,
    })
}

fn valid_text(now: Timestamp, valid: &Me) -> String {
    let permissions: Vec<String> = valid.permissions.iter().map(ToString::to_string).collect();
    let allowed = if permissions.is_empty() { "nothing".to_owned() } else { permissions.join(", ") };
    let expires = distance(now, valid.works_until);
    [
        format!("Valid: `{}/{}`, version {}", valid.user, valid.token, valid.version),
        format!("  id       {}", valid.id),
        format!("  roles    {}", role_list(&valid.roles)),
        format!("  allows   {allowed}"),
        format!("  expires  {} ({expires})", minute(valid.works_until)),
    ]
    .join("\n")
}
