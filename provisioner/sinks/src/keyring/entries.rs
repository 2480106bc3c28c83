//! Entries of a keyring for whoever is no sink: the tool's own logins.

use zeroize::Zeroizing;

use super::{KeyringError, Question, Session, Settings, Store, WITHIN, confirm};

/// What the services of logins begin with; no sink's does.
const LOGINS: &str = "latchkey:";

/// Whether a service is, or could be taken for, one of the tool's own logins.
pub(super) fn is_of_logins(service: &str) -> bool {
    service.trim().get(..LOGINS.len()).is_some_and(|start| start.eq_ignore_ascii_case(LOGINS))
}

/// The entries of one service in the keyring of this process's user.
#[derive(Debug, Clone)]
pub struct KeyringEntries {
    settings: Settings,
    session: Session,
}

impl KeyringEntries {
    /// The entries of the logins at a server. Nothing is opened yet.
    pub fn of_logins(server: &str) -> Self {
        // A machine for jobs whose user keeps a login in a keyring has one that lasts.
        let settings = Settings { service: format!("{LOGINS}{server}"), allow_ci: true };
        Self { settings, session: Session { machine: String::new(), in_ci: false, bus: None } }
    }

    /// Opens the keyring, and asks nothing of it.
    ///
    /// # Errors
    /// What keeps it shut.
    pub async fn open(&self) -> Result<(), KeyringError> {
        self.ask(Box::new(|_| Ok(()))).await
    }

    /// The value of an entry.
    ///
    /// # Errors
    /// When the keyring is shut, or has several such entries.
    pub async fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let name = name.to_owned();
        self.ask(Box::new(move |store| store.get(&name))).await
    }

    /// Sets the value of an entry and reads it back.
    ///
    /// # Errors
    /// When the keyring is shut, or shows another value than the one that it took.
    pub async fn set(&self, name: &str, value: &[u8], label: &str) -> Result<(), KeyringError> {
        let (name, value, label) = (name.to_owned(), Zeroizing::new(value.to_owned()), label.to_owned());
        self.ask(Box::new(move |store| {
            store.set(&name, &value, &label)?;
            confirm(store, &name, &value)
        }))
        .await
    }

    /// Deletes an entry, and looks whether it is gone; whether there was one.
    ///
    /// # Errors
    /// When the keyring is shut, or still shows the entry.
    pub async fn delete(&self, name: &str) -> Result<bool, KeyringError> {
        let name = name.to_owned();
        self.ask(Box::new(move |store| {
            if store.get(&name)?.is_none() {
                return Ok(false);
            }
            store.delete(&name)?;
            match store.get(&name)? {
                None => Ok(true),
                Some(_) => Err(KeyringError::Otherwise(name)),
            }
        }))
        .await
    }

    async fn ask<T: Send + 'static>(&self, question: Question<T, KeyringError>) -> Result<T, KeyringError> {
        let Self { settings, session } = self.clone();
        in_time(move || question(&Store::open(&settings, &session)?)).await
    }
}

/// Asks on a thread that may wait, but not for ever.
pub(super) async fn in_time<T: Send + 'static, E: From<KeyringError> + Send + 'static>(
    question: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let failed = |reason: String| Err(E::from(KeyringError::Failed(reason)));
    match tokio::time::timeout(WITHIN, tokio::task::spawn_blocking(question)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => failed("the keyring could not be read".to_owned()),
        Err(_) => failed(format!("the keyring did not answer within {} s", WITHIN.as_secs())),
    }
}
