//! Logins: what a sink is reached with. A manifest says where one is, never what it is.

mod keeper;
mod read;

use std::path::PathBuf;

use schemars::JsonSchema;

pub use keeper::Keeper;

/// Where credentials are; they are never in the file itself.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
pub enum Login {
    /// In an environment variable.
    Env {
        /// The variable's name.
        env: String,
    },
    /// In a file.
    File {
        /// The file, relative to the manifest's folder.
        file: PathBuf,
    },
    /// A command prints it.
    Command {
        /// The program and its arguments; no shell reads them.
        #[schemars(length(min = 1))]
        command: Vec<String>,
    },
    /// In Secrets Manager, below `latchkey/logins/` and the manifest's name.
    Secret {
        /// The secret's name.
        secret: String,
    },
}

impl Login {
    /// Where it is read from, for messages.
    pub fn source(&self) -> String {
        match self {
            Self::Env { env } => format!("the environment variable `{env}`"),
            Self::File { file } => format!("the file `{}`", file.display()),
            Self::Command { command } => format!("the command `{}`", command.first().map_or("", String::as_str)),
            Self::Secret { secret } => format!("the secret `{secret}` in Secrets Manager"),
        }
    }

    /// Why the scheduled job cannot read what a sink's `field` says: it reads secrets of Secrets Manager only.
    pub(crate) fn unpublishable(&self, field: &str) -> Option<String> {
        match self {
            Self::Secret { .. } => None,
            Self::Env { .. } | Self::File { .. } | Self::Command { .. } => {
                Some(format!("its `{field}` is {}, not a `secret` in Secrets Manager", self.source()))
            }
        }
    }

    /// What its owner should know before it is used, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let Self::File { file } = self else { return Vec::new() };
        let open = crate::files::mode(file).filter(|mode| mode & 0o077 != 0);
        let warning = |mode| {
            format!(
                "`{}` contains credentials and is accessible to others (mode {mode:04o}): set it to 0600",
                file.display()
            )
        };
        open.map(warning).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        std::fs::File::create(&path).unwrap();
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let warnings = Login::File { file: path.clone() }.warnings();
            assert_eq!(!warnings.is_empty(), warned, "{mode:o}");
            assert!(warnings.iter().all(|warning| warning.contains("set it to 0600")));
        }
        assert!(Login::Env { env: "PATH".to_owned() }.warnings().is_empty());
    }
}
