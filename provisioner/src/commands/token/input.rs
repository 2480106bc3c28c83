//! What is read from stdin: a secret, or something that was one.

use std::ffi::OsString;
use std::io::Read;

use zeroize::Zeroizing;

use super::super::exit::Fault;
use crate::output::Printer;

/// Reads stdin, or asks a person without showing what is typed. Nothing is read past `most` bytes.
pub(super) fn read(printer: Printer, (most, command): (usize, &str)) -> Result<Zeroizing<String>, Fault> {
    if printer.is_answered() {
        return Ok(printer.ask_hidden("Secret: ")?);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    std::io::stdin()
        .take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::new(format!("cannot read stdin: {error}")))?;
    if bytes.is_empty() {
        return Err(Fault::new("stdin is empty")
            .hint(format!("pipe the secret in: `printenv API_TOKEN | provision token {command}`")));
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Refuses words where only stdin is read. They may be secrets in a form that nothing knows, so they are not repeated.
pub(super) fn refuse_words(given: &[OsString], command: &str) -> Result<(), Fault> {
    if given.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!(
        "`provision token {command}` takes no argument: other users of the machine can see arguments"
    ))
    .hint(format!(
        "pipe it in: `printenv API_TOKEN | provision token {command}`; if what was passed is a secret, replace it"
    )))
}
