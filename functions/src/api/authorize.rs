//! What `authorize` asks: whether a secret is valid, for somebody else's API.

use std::net::IpAddr;

use super::{Api, Record};
use crate::service::Verdict;
use crate::table::TableError;

/// A verdict on a secret, and what a log says about it.
#[derive(Debug)]
pub struct Authorized {
    /// The verdict; on trouble with the table none, and then nobody may be let in.
    pub verdict: Result<Verdict, TableError>,
    /// For the log; no secret is in it.
    pub record: Record,
}

impl Authorized {
    /// No verdict, as there is no service: its table is in trouble.
    pub fn without_service(trouble: TableError) -> Self {
        let record = Record { check: Some("failed"), internal: Some(trouble.to_string()), ..Record::default() };
        Self { verdict: Err(trouble), record }
    }
}

impl Api {
    /// Checks a secret that came from `from`, and counts the use: one read, and none for a malformed secret.
    pub async fn authorize(&self, presented: &str, from: Option<IpAddr>) -> Authorized {
        let verdict = match self.service.verify(presented, from).await {
            Ok(verdict) => verdict,
            Err(trouble) => return Authorized::without_service(trouble),
        };
        let mut record = Record::default();
        match &verdict {
            Verdict::Valid(valid) => {
                self.note(valid, from).await;
                record.caller = Some(valid.user.to_string());
                record.token = Some(valid.id.clone());
                record.check = Some("valid");
            }
            Verdict::Invalid(invalid) => record.check = Some(invalid.code()),
        }
        Authorized { verdict: Ok(verdict), record }
    }
}
