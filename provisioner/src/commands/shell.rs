//! `provision completions` and `provision man`: from the arguments themselves, so that they cannot differ from them.

use std::path::Path;

use clap_complete::Shell;

use super::arguments::grammar;
use super::completing;
use super::exit::{Code, Fault};
use super::topics::Topic;
use crate::output::Printer;
use latchkey_sinks::files;
use latchkey_sinks::plural::count;

/// Prints a shell's completions.
pub(super) fn completions(printer: Printer, shell: Shell) -> Result<Code, Fault> {
    printer.block(completing::script(shell)?.trim_end())?;
    Ok(Code::Done)
}

/// Prints the manual page of the whole command, or writes one page per command to a folder.
pub(super) fn man(printer: Printer, out: Option<&Path>) -> Result<Code, Fault> {
    let command = grammar();
    let Some(folder) = out else {
        let page = render(command)?;
        printer.block(String::from_utf8_lossy(&page).trim_end())?;
        return Ok(Code::Done);
    };
    let mut written = 0;
    write(&command, "provision", folder, &mut written)?;
    for topic in Topic::ALL {
        put(&folder.join(format!("provision-{}.7", topic.name())), topic.manual().as_bytes())?;
        written += 1;
    }
    printer.result(&format!("Wrote {} to `{}`", count(written, "page"), folder.display()))?;
    Ok(Code::Done)
}

/// Writes the page of a command and those of the commands in it.
fn write(command: &clap::Command, name: &str, folder: &Path, written: &mut usize) -> Result<(), Fault> {
    let path = folder.join(format!("{name}.1"));
    let page = render(command.clone().display_name(name.to_owned()).bin_name(name.replace('-', " ")))?;
    put(&path, &page)?;
    *written += 1;
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        write(inner, &format!("{name}-{}", inner.get_name()), folder, written)?;
    }
    Ok(())
}

fn put(path: &Path, page: &[u8]) -> Result<(), Fault> {
    files::write_atomic(path, page, 0o644).map_err(|error| {
        let hint = error.hint().to_owned();
        Fault::new(error.to_string()).hint(hint)
    })
}

fn render(command: clap::Command) -> Result<Vec<u8>, Fault> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Fault::new(format!("cannot render the page: {error}")))?;
    Ok(page)
}
