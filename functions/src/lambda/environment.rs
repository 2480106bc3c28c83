//! What a function is told by its environment.

use std::fmt;

/// What has to be set for a function to start.
pub(super) struct Environment {
    pub(super) table: String,
    pub(super) region: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) roots: Roots,
    /// Where the Runtime API listens, `host:port`.
    pub(super) runtime: String,
}

impl fmt::Debug for Environment {
    // The rest is a login.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Environment({} in {})", self.table, self.region)
    }
}

/// Whom to trust.
#[derive(Debug)]
pub(super) enum Roots {
    /// Amazon's roots.
    Pinned,
    /// Those of the system.
    Native,
    /// Amazon's and more, in PEM.
    PinnedAnd(Vec<u8>),
}

/// A variable that is missing, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentError {
    #[error("the environment variable `{0}` is not set")]
    Missing(&'static str),
    #[error("`LATCHKEY_ROOTS` names the file `{path}`, which cannot be read: {source}")]
    Roots { path: String, source: std::io::Error },
}

impl Environment {
    /// Reads it; `variable` is the process's environment outside tests.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let needed = |name: &'static str| given(name).ok_or(EnvironmentError::Missing(name));
        let roots = match given("LATCHKEY_ROOTS") {
            None => Roots::Pinned,
            Some(word) if word == "pinned" => Roots::Pinned,
            Some(word) if word == "native" => Roots::Native,
            Some(path) => match std::fs::read(&path) {
                Ok(pem) => Roots::PinnedAnd(pem),
                Err(source) => return Err(EnvironmentError::Roots { path, source }),
            },
        };
        Ok(Self {
            table: needed("LATCHKEY_TABLE")?,
            region: needed("AWS_REGION")?,
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
            session_token: given("AWS_SESSION_TOKEN"),
            endpoint: given("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| given("AWS_ENDPOINT_URL")),
            roots,
            runtime: needed("AWS_LAMBDA_RUNTIME_API")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        Environment::read(|name| variables.iter().find(|(held, _)| *held == name).map(|(_, value)| (*value).to_owned()))
    }

    const LEAST: &[(&str, &str)] = &[
        ("LATCHKEY_TABLE", "latchkey"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
    ];

    #[test]
    fn what_lambda_sets_and_the_table_is_enough() {
        let environment = read(LEAST).unwrap();
        assert_eq!(environment.endpoint, None);
        assert!(matches!(environment.roots, Roots::Pinned));
    }

    #[test]
    fn a_missing_variable_is_named() {
        for (missing, _) in LEAST {
            let others: Vec<_> = LEAST.iter().filter(|(name, _)| name != missing).copied().collect();
            assert!(read(&others).unwrap_err().to_string().contains(missing));
        }
    }

    #[test]
    fn the_endpoint_of_the_service_beats_the_general_one() {
        let both = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://table")];
        let environment = read(&[LEAST, &both].concat()).unwrap();
        assert_eq!(environment.endpoint.as_deref(), Some("http://table"));
        let environment = read(&[LEAST, &both[..1]].concat()).unwrap();
        assert_eq!(environment.endpoint.as_deref(), Some("http://all"));
    }

    #[test]
    fn native_roots_are_a_word_and_a_file_that_is_missing_is_named() {
        assert!(matches!(read(&[LEAST, &[("LATCHKEY_ROOTS", "native")]].concat()).unwrap().roots, Roots::Native));
        let error = read(&[LEAST, &[("LATCHKEY_ROOTS", "/nowhere.pem")]].concat()).unwrap_err();
        assert!(error.to_string().contains("/nowhere.pem"));
    }
}
