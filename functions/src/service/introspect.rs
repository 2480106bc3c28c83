//! Introspection: what a trusted caller may know of somebody's secret, its own secret checked in the same read.

use std::fmt;
use std::net::IpAddr;

use super::{Caller, Service, Verdict};
use crate::secret::{Secret, TokenId};
use crate::table::{TableError, keys};

/// A secret as somebody presents it.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The secret.
    pub secret: &'a str,
    /// From which address, where that is known.
    pub from: Option<IpAddr>,
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Presented").field("from", &self.from).finish_non_exhaustive()
    }
}

/// What one read found out about a caller and a subject.
#[derive(Debug)]
#[non_exhaustive]
pub struct Introspection {
    /// Whoever asks.
    pub caller: Verdict,
    /// The secret that was asked about; `None` when the caller is not valid or may not ask.
    pub subject: Option<Verdict>,
}

impl Service {
    /// Checks a caller's secret and, if that allows `tokens:introspect`, another one. Both are read at once, 1 read
    /// unit each; what is malformed costs none. Counts no use.
    ///
    /// # Errors
    /// When the table does not answer. Callers must fail closed.
    pub async fn introspect(&self, caller: Presented<'_>, subject: Presented<'_>) -> Result<Introspection, TableError> {
        let (caller_from, subject_from) = (caller.from, subject.from);
        let caller = match self.read_secret(caller.secret).await? {
            Ok(secret) => secret,
            Err(invalid) => return Ok(Introspection { caller: Verdict::Invalid(invalid), subject: None }),
        };
        let subject = self.read_secret(subject.secret).await?;
        let mut wanted = vec![keys::verification(&caller.token_id())];
        wanted.extend(subject.as_ref().ok().map(|secret| keys::verification(&secret.token_id())));
        let items = self.table.get_many(&wanted).await?;
        let item_of = |id: &TokenId| {
            let key = keys::verification(id);
            items.iter().find(|item| keys::Key::of(item).as_ref() == Some(&key)).cloned()
        };
        let verdict = async |secret: &Secret, from| self.verdict(item_of(&secret.token_id()), secret, from).await;
        let caller = verdict(&caller, caller_from).await?;
        let may_ask = |verdict: &Verdict| matches!(verdict, Verdict::Valid(valid) if Caller::token(valid, caller_from).may_introspect().is_ok());
        if !may_ask(&caller) {
            return Ok(Introspection { caller, subject: None });
        }
        let subject = match &subject {
            Err(invalid) => Verdict::Invalid(*invalid),
            Ok(secret) => verdict(secret, subject_from).await?,
        };
        Ok(Introspection { caller, subject: Some(subject) })
    }
}
