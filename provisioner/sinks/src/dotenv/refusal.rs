//! Which paths are no `.env` file's, whatever a manifest says: what a line `NAME=value` would destroy, and what others
//! run or trust.

use std::path::Path;

/// Folders whose files belong to one program: its history, its keys, its logins.
const FOLDERS: [&str; 10] = [".git", ".hg", ".svn", ".bzr", ".jj", ".pijul", ".ssh", ".gnupg", ".aws", ".kube"];
/// Files that a program runs or trusts.
const FILES: [&str; 32] = [
    "authorized_keys",
    "authorized_keys2",
    "known_hosts",
    "dockerfile",
    "makefile",
    "crontab",
    "passwd",
    "shadow",
    "sudoers",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".gitconfig",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".dockerignore",
];
/// Ends of names of files in another format.
const FORMATS: [&str; 37] = [
    "json",
    "jsonc",
    "json5",
    "toml",
    "yaml",
    "yml",
    "xml",
    "html",
    "css",
    "js",
    "cjs",
    "mjs",
    "jsx",
    "ts",
    "tsx",
    "py",
    "rb",
    "php",
    "go",
    "rs",
    "java",
    "c",
    "h",
    "cpp",
    "lock",
    "db",
    "db-wal",
    "db-shm",
    "db-journal",
    "sqlite",
    "sqlite3",
    "pem",
    "key",
    "crt",
    "log",
    "latchkey-tmp",
    "latchkey-lock",
];

/// Why the file at a path is not to be written, as the rest of a sentence about it. Where the manifest's `folder` is,
/// whoever put it there knows.
pub(super) fn of(path: &Path, folder: Option<&Path>) -> Option<String> {
    let path = folder.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
    let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().to_ascii_lowercase()).collect();
    let (name, folders) = parts.split_last()?;
    // `.git` is a file in a work tree that was added.
    if let Some(folder) = folders.iter().chain([name]).find_map(|part| FOLDERS.into_iter().find(|own| own == part)) {
        return Some(format!("is in `{folder}`, where a program keeps files of its own"));
    }
    if FILES.contains(&name.as_str()) {
        return Some("is a file that a program runs or trusts".to_owned());
    }
    let format = name.rsplit_once('.').map(|(_, end)| end)?;
    FORMATS.contains(&format).then(|| format!("is a file in another format (`.{format}`)"))
}

/// What to do about it.
pub(super) const HINT: &str = "name a file of lines `NAME=value`, for instance `.env`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_env_file_is_refused_and_every_usual_name_taken() {
        for path in [
            "/p/.git/config",
            "/p/.GIT/hooks/pre-commit",
            "/p/.git",
            "/home/a/.ssh/authorized_keys",
            "/p/package.json",
            "/p/latchkey.db-journal",
            "/p/latchkey.db",
            "/p/tokens.TOML",
            "/p/plan.json",
            "/home/a/.bashrc",
            "/p/.env.abcdefgh.latchkey-tmp",
            "/p/.env.latchkey-lock",
        ] {
            assert!(of(Path::new(path), None).is_some(), "{path}");
        }
        for path in [
            "/p/.env",
            "/p/.env.local",
            "/p/.envrc",
            "/p/prod.env",
            "/etc/default/app",
            "/p/env",
            "/p/app.conf",
            "/p/.git-crypt/.env",
            "/p/releases.db/.env",
            "/p/env.sh",
        ] {
            assert_eq!(of(Path::new(path), None), None, "{path}");
        }
        assert_eq!(of(Path::new("/p/.git/.env"), Some(Path::new("/p/.git"))), None);
    }
}
