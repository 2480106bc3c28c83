//! A secret that somebody types.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};

use rpassword::{ConfigBuilder, read_password_with_config};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

const TERMINAL: &str = "/dev/tty";
const CTRL_C: u8 = 3;

/// Asks on the terminal, without the blanks around the answer. What is typed from the question on is not shown: the crate
/// that reads it would turn that off only afterwards, and whoever pastes is faster. At Ctrl-C that crate ends the process
/// and leaves the terminal silent, so here it is an error.
pub(super) fn ask(question: &str) -> io::Result<Zeroizing<String>> {
    let mut quiet = Quiet::begin()?;
    quiet.terminal.write_all(question.as_bytes())?;
    quiet.terminal.flush()?;
    let keys = Keys(quiet.terminal.try_clone()?);
    let typed = read_password_with_config(ConfigBuilder::new().input_reader(keys).output_discard().build());
    // The line's end was not shown either.
    let _ = quiet.terminal.write_all(b"\n");
    Ok(Zeroizing::new(Zeroizing::new(typed?).trim().to_owned()))
}

/// A terminal that shows nothing of what is typed and hands on every key, until this goes.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// What is typed, up to Ctrl-C.
struct Keys(File);

impl Read for Keys {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.0.read(into)?;
        if into[..length].contains(&CTRL_C) {
            return Err(io::Error::other("interrupted by Ctrl-C"));
        }
        Ok(length)
    }
}
