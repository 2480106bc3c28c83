//! `provision help environment` and `provision help exit-codes`: the one list of all variables, and of all codes.

use std::ffi::OsString;

use super::exit::Code;

/// What can be read about beside the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Environment variables.
    Environment,
    /// Exit codes.
    ExitCodes,
}

/// Each variable that the command reads, by what it is for. Tests hold it against the sources.
const VARIABLES: &[(&str, &[(&str, &str)])] = &[
    (
        "Service and login",
        &[
            ("LATCHKEY_SERVICE", "service to ask, as `--service` names it"),
            ("LATCHKEY_URL", "server that the token in `LATCHKEY_TOKEN` is for"),
            ("LATCHKEY_TOKEN", "token to ask a server with, before any login"),
        ],
    ),
    (
        "Runs",
        &[
            (
                "LATCHKEY_ALLOW_HOSTS",
                "hosts that a manifest may use as endpoints, as `--allow-host`; commas or spaces between",
            ),
            ("LATCHKEY_MACHINE", "name of this machine in places of files and keyrings [default: the host's name]"),
            ("LATCHKEY_LOG", "what to log on stderr, such as `info` or `provisioner=debug` [default: error]"),
        ],
    ),
    (
        "Output",
        &[
            ("NO_COLOR", "print no colour, whatever it is set to; `--color` goes first"),
            ("CLICOLOR_FORCE", "print colour also where stdout or stderr is not a terminal"),
            ("LATCHKEY_COMPLETE", "shell that asks for completions; `provision completions` prints what sets it"),
            ("TERM", "`dumb` for a terminal that shows neither colour nor progress"),
        ],
    ),
    (
        "Files",
        &[
            ("XDG_CONFIG_HOME", "folder of the list of logins [default: `~/.config`]"),
            ("XDG_STATE_HOME", "folder of what is remembered from day to day [default: `~/.local/state`]"),
            ("HOME", "where both are by default"),
        ],
    ),
    (
        "AWS",
        &[
            ("AWS_PROFILE", "profile of AWS's own files; all other variables of AWS's tools are read too"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "another DynamoDB than AWS's"),
        ],
    ),
    (
        "Heroku",
        &[(
            "LATCHKEY_HEROKU_URL",
            "where Heroku's API is reached, such as a proxy; gets credentials and secrets; places stay the same",
        )],
    ),
    (
        "Other vendors, where a sink's `login` names none",
        &[
            ("HEROKU_API_KEY", "Heroku's API key"),
            ("VERCEL_TOKEN", "Vercel's access token"),
            ("VERCEL_DEPLOY_HOOK", "URL of a deploy hook, where a sink names this variable"),
            ("AZURE_TENANT_ID", "tenant to sign in to"),
            ("AZURE_CLIENT_ID", "application, or user-assigned identity"),
            ("AZURE_CLIENT_SECRET", "secret of that application"),
            ("AZURE_FEDERATED_TOKEN_FILE", "file with the token of a workload identity"),
            ("AZURE_AUTHORITY_HOST", "where to sign in, for other clouds"),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "address of the metadata service"),
            ("IDENTITY_ENDPOINT", "address of a managed identity's tokens"),
            ("IDENTITY_HEADER", "what that address wants to be sent"),
            ("DBUS_SESSION_BUS_ADDRESS", "bus of the keyring [default: the one in `XDG_RUNTIME_DIR`]"),
            ("XDG_RUNTIME_DIR", "folder of that bus"),
        ],
    ),
    (
        "CI",
        &[
            ("CI", "a keyring is not used where this is set"),
            ("GITHUB_ACTIONS", "`true` for annotations, groups and the step's summary"),
            ("GITHUB_STEP_SUMMARY", "file of that summary"),
            ("GITHUB_WORKSPACE", "folder that annotations name files from"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "where a job gets a token for Azure, where a sink says so"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "what that is asked with"),
        ],
    ),
];

/// What a shell answers for a command that a signal has ended.
const SIGNALS: &[(u8, &str)] = &[(143, "ended by SIGTERM"), (129, "ended by SIGHUP")];

impl Topic {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Environment, Self::ExitCodes];

    /// As `provision help` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::ExitCodes => "exit-codes",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Environment => "Environment variables of provision",
            Self::ExitCodes => "Exit codes of provision",
        }
    }

    /// Its parts, each with a heading and rows.
    pub fn parts(self) -> Vec<(&'static str, Vec<(String, String)>)> {
        match self {
            Self::Environment => {
                let row = |(name, words): &(&str, &str)| ((*name).to_owned(), (*words).to_owned());
                VARIABLES.iter().map(|(head, variables)| (*head, variables.iter().map(row).collect())).collect()
            }
            Self::ExitCodes => {
                let codes = Code::ALL.iter().map(|code| (code.number().to_string(), code.meaning().to_owned()));
                let signals = SIGNALS.iter().map(|(number, words)| (number.to_string(), (*words).to_owned()));
                vec![("All commands", codes.chain(signals).collect())]
            }
        }
    }

    /// For a terminal.
    pub(super) fn text(self) -> String {
        let mut lines = vec![self.title().to_owned()];
        for (head, rows) in self.parts() {
            lines.extend([String::new(), format!("{head}:")]);
            for (name, words) in rows {
                lines.extend([format!("  {name}"), format!("      {words}")]);
            }
        }
        lines.join("\n")
    }

    /// As a manual page.
    pub(super) fn manual(self) -> String {
        let spelled = |text: &str| text.replace('\\', "\\\\").replace('-', "\\-").replace('`', "\\(ga");
        let mut lines = vec![
            format!(".TH provision\\-{} 7", spelled(self.name())),
            ".SH NAME".to_owned(),
            format!("provision\\-{} \\- {}", spelled(self.name()), spelled(self.title())),
        ];
        for (head, rows) in self.parts() {
            lines.push(format!(".SH {}", spelled(&head.to_uppercase())));
            for (name, words) in rows {
                lines.extend([".TP".to_owned(), format!("\\fB{}\\fR", spelled(&name)), spelled(&words)]);
            }
        }
        lines.join("\n") + "\n"
    }
}

/// The topic that a command line asks for: `help NAME`.
pub(super) fn asked(words: &[OsString]) -> Option<Topic> {
    let mut words = words.iter().skip(1).filter(|word| !word.to_string_lossy().starts_with('-'));
    if words.next()? != "help" {
        return None;
    }
    let name = words.next()?;
    Topic::ALL.into_iter().find(|topic| name == topic.name()).filter(|_| words.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use regex::Regex;

    use super::*;

    /// Variables of the functions on AWS, which this command does not read, and those that only tests set.
    const OTHERS: &str = "^(LATCHKEY_(TEST_|TABLE$|ROOTS$|OPENAPI$|CHECK_TOKEN$)|AWS_|CARGO_)";

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("topics.rs") {
                found.push(path);
            }
        }
    }

    /// All names in the sources that are read as variables, or are constants for it.
    #[test]
    fn every_variable_that_the_command_reads_is_listed_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in ["src", "sinks/src"] {
            sources(&root.join(folder), &mut files);
        }
        let read = Regex::new(
            r#"(?:var(?:_os)?\(|variables\.get\(|folder\(|absolute\(|VARIABLE: &str = |(?:const [A-Z_]+: &str = ))"([A-Z][A-Z_]+)"|"(LATCHKEY_[A-Z_]+)""#,
        );
        let read = read.unwrap();
        let others = Regex::new(OTHERS).unwrap();
        let listed: BTreeSet<&str> =
            VARIABLES.iter().flat_map(|(_, rows)| rows.iter().map(|(name, _)| *name)).collect();
        let mut all = String::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            // Tests have variables of their own, and what a build was given is in it.
            let text = text.split("#[cfg(test)]").next().unwrap();
            let text = &*text.replace("env!(\"LATCHKEY_VERSION\")", "");
            all.push_str(text);
            if file.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            for found in read.captures_iter(text) {
                let name = found.get(1).or(found.get(2)).unwrap().as_str();
                let is_one = name.contains('_') || ["CI", "TERM", "HOME"].contains(&name);
                assert!(
                    !is_one || others.is_match(name) || listed.contains(name),
                    "{}: `{name}` is not listed",
                    file.display()
                );
            }
        }
        // What libraries read stands nowhere here.
        let theirs = ["NO_COLOR", "CLICOLOR_FORCE", "AWS_ENDPOINT_URL_DYNAMODB"];
        for name in listed.iter().filter(|name| !theirs.contains(name)) {
            assert!(
                all.contains(&format!("\"{name}\"")) || all.contains(&format!("{name}\"")),
                "nothing reads `{name}`"
            );
        }
    }

    #[test]
    fn a_topic_is_asked_for_by_its_name_alone() {
        let of = |line: &str| asked(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("provision help environment"), Some(Topic::Environment));
        assert_eq!(of("provision --color never help exit-codes"), None);
        assert_eq!(of("provision help exit-codes"), Some(Topic::ExitCodes));
        assert_eq!(of("provision help plan"), None);
        assert_eq!(of("provision help environment plan"), None);
    }

    #[test]
    fn manual_pages_keep_each_line_a_line() {
        for topic in Topic::ALL {
            let page = topic.manual();
            assert!(page.starts_with(".TH ") && !page.contains("\n\n"), "{page}");
            assert!(!page.lines().any(|line| line.starts_with('\'') || line.contains('`')), "{page}");
        }
    }
}
