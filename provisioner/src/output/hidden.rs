//! A secret that somebody types.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

const TERMINAL: &str = "/dev/tty";

/// Asks on the terminal, without the blanks around the answer. What is typed from the question on is not shown: the crate
/// that reads it turns that off only afterwards, and whoever pastes is faster.
pub(super) fn ask(question: &str) -> io::Result<Zeroizing<String>> {
    let mut quiet = Quiet::begin()?;
    quiet.terminal.write_all(question.as_bytes())?;
    quiet.terminal.flush()?;
    let typed = Zeroizing::new(rpassword::read_password()?);
    Ok(Zeroizing::new(typed.trim().to_owned()))
}

/// A terminal that shows nothing of what is typed, until this goes.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
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
