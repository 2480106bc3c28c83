//! Questions to a person.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::{Hidden, Printer, gate};

/// How soon a question notices that it is not to be answered any more.
const ANSWER_PAUSE: Duration = Duration::from_millis(100);

impl Printer {
    /// Whether stdin is a terminal, so that a person can answer.
    pub fn is_answered(self) -> bool {
        io::stdin().is_terminal()
    }

    /// Asks a person on stderr and answers what was typed, without the blanks around it.
    ///
    /// # Errors
    /// When stdin cannot be read.
    pub fn ask(self, question: &str) -> io::Result<String> {
        put_question(question);
        read_answer()
    }

    /// The same for a yes or no; anything but a yes is a no.
    ///
    /// # Errors
    /// When stdin cannot be read.
    pub fn confirm(self, question: &str) -> io::Result<bool> {
        Ok(matches!(self.ask(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// The same where a signal is watched for, which sets `stop`.
    ///
    /// # Errors
    /// When stdin cannot be read, and [`io::ErrorKind::Interrupted`] once `stop` is set.
    pub fn ask_until(self, question: &str, stop: &AtomicBool) -> io::Result<String> {
        put_question(question);
        let stdin = io::stdin();
        let pause = Timespec::try_from(ANSWER_PAUSE).map_err(io::Error::other)?;
        // A terminal is readable once a whole line was typed.
        while poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&pause)).unwrap_or(0) == 0 {
            if stop.load(Ordering::Relaxed) {
                let _ = writeln!(anstream::stderr().lock());
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        let answer = read_answer()?;
        if stop.load(Ordering::Relaxed) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(answer) }
    }

    /// Asks for a secret, which is not shown while it is typed.
    ///
    /// # Errors
    /// When there is no terminal, and [`io::ErrorKind::Interrupted`] at Ctrl-C.
    pub fn ask_hidden(self, question: &str) -> io::Result<Zeroizing<String>> {
        Hidden::begin()?.secret(question)
    }
}

/// What was typed as an answer, without the blanks around it.
fn read_answer() -> io::Result<String> {
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

fn put_question(question: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{}", gate::tame(&gate::line(question)));
    let _ = stderr.flush();
}
