//! Which machine this is: places in files and keyrings are on one machine only.

use latchkey::secret::Digest;

/// The environment variable that names the machine, for containers and CI whose host names come and go.
pub const VARIABLE: &str = "LATCHKEY_MACHINE";

/// A name for this machine that stays the same from run to run: `LATCHKEY_MACHINE`, or the host name and a short hash
/// of the system's machine id.
pub fn name() -> String {
    if let Some(name) = std::env::var(VARIABLE).ok().filter(|name| !name.trim().is_empty()) {
        return name.trim().chars().filter(|character| !character.is_control()).take(64).collect();
    }
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let id = id();
    match id {
        // The id itself is meant to stay on the machine.
        Some(id) => format!("{host}-{}", &Digest::of(id.as_bytes()).fingerprint().as_str()[..6]),
        None => host,
    }
}

/// The system's id of this machine, where it has one.
pub(crate) fn id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
}
