//! `provision token verify`.

use jiff::Timestamp;
use latchkey::api::wire::Me;
use latchkey::clock::{Clock, SystemClock};
use latchkey::secret::SECRET_MAX;
use serde_json::{Value, json};

use super::super::exit::{Code, Fault};
use super::super::open::{self, IfMissing};
use super::super::server;
use super::{expires, input, role_list};
use crate::manifest::ServiceAddress;
use crate::output::{Format, Mark, Printer};

/// Verifies a secret from stdin. Whatever keeps it from finding out is exit 2, never 1.
pub(super) async fn verify(printer: Printer, service: Option<&str>) -> Result<Code, Fault> {
    let unclear = |fault: Fault| fault.code(Code::Changes);
    // Longer input is no secret; it need not be read to its end to know that.
    let read = input::read(printer, (4 * SECRET_MAX, "verify"))
        .map_err(|fault| if fault.code == Code::Interrupted { fault } else { unclear(fault) })?;
    let presented = read.trim();
    let (verdict, now) = match open::nearest_address(service).map_err(unclear)? {
        ServiceAddress::Url { url, by } => {
            let verdict = server::who_is(&url, by, presented).await.map_err(unclear)?;
            (verdict, SystemClock.now())
        }
        address => {
            let client = open::client(&address, IfMissing::Fail).await.map_err(unclear)?;
            (client.verify(presented).await.map_err(|error| unclear(error.into()))?, client.now())
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
    [
        format!("Valid: `{}/{}`, version {}", valid.user, valid.token, valid.version),
        format!("  id       {}", valid.id),
        format!("  roles    {}", role_list(&valid.roles)),
        format!("  allows   {allowed}"),
        format!("  expires  {}", expires(now, valid.works_until)),
    ]
    .join("\n")
}
