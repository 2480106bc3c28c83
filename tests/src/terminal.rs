//! A person at a terminal: a command on a pseudo-terminal of its own, what it shows, and what is typed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::programs;

/// High enough for all that a test shows.
const ROWS: u16 = 100;
/// How long a question may take.
const WITHIN: Duration = Duration::from_mins(1);

/// A command on a terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    screen: String,
    /// How much of the screen was looked at.
    read: usize,
}

impl Terminal {
    /// The same on a terminal of so many columns that can show colours and redraw lines, as `TERM` says.
    pub fn start_wide(command: &Command, columns: u16) -> Option<Self> {
        Self::start_with(command, Some(columns))
    }

    /// Starts a command on a terminal that it is the leader of, so that `/dev/tty` is that one. It has no size.
    pub fn start(command: &Command) -> Option<Self> {
        Self::start_with(command, None)
    }

    fn start_with(command: &Command, columns: Option<u16>) -> Option<Self> {
        if let Some(why) = programs::missing(&["setsid"]) {
            crate::skip!("{why}");
        }
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&near).and_then(|()| unlockpt(&near)).expect("it is ours");
        if let Some(columns) = columns {
            let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            tcsetwinsize(&near, size).expect("a terminal has a size");
        }
        let name = ptsname(&near, Vec::new()).expect("it has a name");
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let far = OpenOptions::new().read(true).write(true).open(path).expect("its other side");
        let end = || Stdio::from(far.try_clone().expect("another handle"));
        let mut leader = Command::new("setsid");
        leader.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        leader.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        leader.current_dir(command.get_current_dir().expect("a folder"));
        let child = leader.stdin(end()).stdout(end()).stderr(end()).spawn().expect("`setsid` starts");
        // What the command holds of `Command` are handles too: with the last one the terminal ends.
        drop((leader, far));
        let keys = File::from(near);
        let mut screen = keys.try_clone().expect("another handle");
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            // The end of a terminal is an error.
            while let Ok(length @ 1..) = screen.read(&mut some) {
                if send.send(some[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, keys, shown, screen: String::new(), read: 0 })
    }

    /// Waits until this is shown, after all that was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        loop {
            if let Some(at) = self.screen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            match self.shown.recv_timeout(WITHIN) {
                Ok(some) => self.screen.push_str(&String::from_utf8_lossy(&some)),
                Err(error) => panic!("`{text}` is not shown ({error}): {}", self.screen),
            }
        }
    }

    /// Waits for a line with this text, after all that was waited for before, and answers the rest of it.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) -> String {
        self.wait_for(text);
        let begins = self.read;
        self.wait_for("\r\n");
        self.screen[begins..self.read].trim_end().to_owned()
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).expect("the terminal is there");
    }

    /// Presses keys, without an end of line.
    pub fn presses(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Sends a signal to the command.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for the command's end: its exit code, and what the screen shows then, without the blanks at ends of lines.
    pub fn end_on_screen(self, columns: u16) -> (Option<i32>, String) {
        let (code, stream) = self.end();
        let mut screen = vt100::Parser::new(ROWS, columns, 0);
        screen.process(stream.as_bytes());
        let shown = screen.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect::<Vec<_>>();
        (code, shown.join("\n").trim_end().to_owned())
    }

    /// Waits for the command's end: its exit code, and all that was ever on the screen.
    pub fn end(self) -> (Option<i32>, String) {
        let (code, screen, _) = self.end_with_mode();
        (code, screen)
    }

    /// The same, and whether the terminal shows again what is typed.
    pub fn end_with_mode(mut self) -> (Option<i32>, String, bool) {
        while let Ok(some) = self.shown.recv_timeout(WITHIN) {
            self.screen.push_str(&String::from_utf8_lossy(&some));
        }
        let code = self.child.wait().expect("one's own child can be waited for").code();
        let modes = tcgetattr(&self.keys).expect("the terminal is there").local_modes;
        (code, self.screen, modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG))
    }
}
