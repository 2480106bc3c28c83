//! A terminal that shows nothing of what is typed: for a secret, and for the question before it, as who pastes is faster
//! than any question. It shows again what is typed once this goes, whichever way the process ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use latchkey::mutex::Mutex;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::gate;

const TERMINAL: &str = "/dev/tty";
/// The longest line that is read. More is no secret and no answer.
const LINE_MAX: usize = 4096;
/// A special character that is switched off.
const NONE: u8 = 0;
const CTRL_C: u8 = 3;
const END: u8 = 4;
const BACKSPACES: [u8; 2] = [8, 127];
const ERASE_LINE: u8 = 21;
/// What answers a question with yes.
const YES: [&str; 2] = ["y", "yes"];
const ANSWERS: [&str; 2] = ["yes", "no"];

/// How the terminal was, while it is silent.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static WATCHED: AtomicBool = AtomicBool::new(false);

/// The terminal, silent until this goes.
#[derive(Debug)]
pub struct Hidden {
    terminal: File,
}

impl Hidden {
    /// Makes the terminal silent, within a runtime.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn begin() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
        let before = tcgetattr(&terminal)?;
        watch();
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
        // Whoever suspends the process would go on typing into a terminal that shows it.
        silent.special_codes[SpecialCodeIndex::VSUSP] = NONE;
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        *BEFORE.lock() = Some(before);
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(Self { terminal })
    }

    /// Asks for a yes or no; anything but a yes is a no. What is no answer is not shown.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn confirm(&mut self, question: &str) -> io::Result<bool> {
        let typed =
            self.line(question, |line| ANSWERS.iter().any(|answer| answer.starts_with(&line.to_ascii_lowercase())))?;
        Ok(YES.contains(&typed.trim().to_ascii_lowercase().as_str()))
    }

    /// Asks for a secret and answers it without the blanks around it.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn secret(&mut self, question: &str) -> io::Result<Zeroizing<String>> {
        let typed = self.line(question, |_| false)?;
        Ok(Zeroizing::new(typed.trim().to_owned()))
    }

    fn put_question(&mut self, question: &str) -> io::Result<()> {
        self.terminal.write_all(gate::tame(&gate::line(question)).as_bytes())?;
        self.terminal.flush()
    }

    /// One line and no key more: what comes after it may be the answer to the next question. It is shown as far as it may be.
    /// Whoever presses Ctrl-C as soon as the question is there is answered too.
    fn line(&mut self, question: &str, may_be_shown: impl Fn(&str) -> bool) -> io::Result<Zeroizing<String>> {
        self.signals(false)?;
        let line = self.put_question(question).and_then(|()| self.keys(may_be_shown));
        self.signals(true)?;
        line
    }

    /// Whether Ctrl-C is a signal, or a key: while a question is open whoever asks says what was not done.
    fn signals(&mut self, are: bool) -> io::Result<()> {
        let mut modes = tcgetattr(&self.terminal)?;
        modes.local_modes.set(LocalModes::ISIG, are);
        Ok(tcsetattr(&self.terminal, OptionalActions::Now, &modes)?)
    }

    fn keys(&mut self, may_be_shown: impl Fn(&str) -> bool) -> io::Result<Zeroizing<String>> {
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_MAX));
        let mut shown = 0;
        let mut key = [0];
        loop {
            if self.terminal.read(&mut key)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match key[0] {
                b'\n' | b'\r' => break,
                CTRL_C => {
                    let _ = self.terminal.write_all(b"\n");
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted by Ctrl-C"));
                }
                END if line.is_empty() => break,
                ERASE_LINE => line.clear(),
                key if BACKSPACES.contains(&key) => erase(&mut line),
                key if key >= b' ' && line.len() < LINE_MAX => line.push(key),
                _ => {}
            }
            let text = std::str::from_utf8(&line).unwrap_or_default();
            let wanted = if may_be_shown(text) { text.len() } else { shown.min(text.len()) };
            if wanted < shown {
                self.terminal.write_all("\u{8} \u{8}".repeat(shown - wanted).as_bytes())?;
            } else {
                self.terminal.write_all(&text.as_bytes()[shown..wanted])?;
            }
            shown = wanted;
        }
        // The line's end was not shown either.
        self.terminal.write_all(b"\n")?;
        Ok(Zeroizing::new(String::from_utf8_lossy(&line).into_owned()))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        restore(&self.terminal);
    }
}

/// Takes the last character back.
fn erase(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

fn restore(terminal: &File) {
    if let Some(before) = BEFORE.lock().take() {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(terminal, OptionalActions::Now, &before);
    }
}

/// From now on a signal that ends the process lets the terminal show again what is typed first.
fn watch() {
    if WATCHED.swap(true, Ordering::Relaxed) {
        return;
    }
    let signals = [
        (SignalKind::interrupt(), 130),
        (SignalKind::terminate(), 143),
        (SignalKind::hangup(), 129),
        (SignalKind::quit(), 131),
    ];
    for (kind, code) in signals {
        let Ok(mut came) = signal(kind) else { continue };
        tokio::spawn(async move {
            came.recv().await;
            end(code);
        });
    }
}

#[expect(clippy::exit, reason = "a signal was sent that ends the process")]
fn end(code: i32) -> ! {
    if let Ok(terminal) = OpenOptions::new().read(true).write(true).open(TERMINAL) {
        restore(&terminal);
        let _ = (&terminal).write_all(b"\n");
    }
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_erased_as_a_whole() {
        let mut line = "a\u{e9}\u{65e5}".as_bytes().to_vec();
        erase(&mut line);
        assert_eq!(line, "a\u{e9}".as_bytes());
        erase(&mut line);
        erase(&mut line);
        erase(&mut line);
        assert!(line.is_empty());
    }
}
