//! A quota of CPU time, as Lambda gives a function its share of a core: so much of every 20 ms.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

/// The length of Lambda's periods, in microseconds.
const PERIOD: u32 = 20_000;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A control group with a quota, gone with this value.
#[derive(Debug)]
pub struct Quota(PathBuf);

impl Quota {
    /// A share of one core, in percent.
    ///
    /// # Errors
    /// When this process may not make control groups.
    pub fn new(percent: u32) -> io::Result<Self> {
        let name = format!("latchkey-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let share = PERIOD * percent / 100;
        let first = Path::new("/sys/fs/cgroup/cpu");
        if first.join("cpu.cfs_quota_us").exists() {
            let group = Self(first.join(name));
            fs::create_dir(&group.0)?;
            group.set("cpu.cfs_period_us", &PERIOD.to_string())?;
            group.set("cpu.cfs_quota_us", &share.to_string())?;
            return Ok(group);
        }
        let group = Self(Path::new("/sys/fs/cgroup").join(name));
        fs::create_dir(&group.0)?;
        group.set("cpu.max", &format!("{share} {PERIOD}"))?;
        Ok(group)
    }

    #[expect(clippy::disallowed_methods, reason = "a control file takes one write and cannot be replaced")]
    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.0.join(file), value)
    }

    /// A program that stops before its first instruction, so that it runs all of it under the quota.
    pub(super) fn command(program: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""]).arg(program);
        command
    }

    /// Lets a program begin that [`Self::command`] stopped; when that was.
    pub(super) async fn begin(&self, id: u32) -> Instant {
        let status = format!("/proc/{id}/stat");
        while !fs::read_to_string(&status).is_ok_and(|status| status.contains(") T ")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.set("cgroup.procs", &id.to_string()).expect("a group takes a child");
        let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("an id");
        let begun = Instant::now();
        kill_process(id, Signal::CONT).expect("one's own child can go on");
        begun
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // The kernel takes a moment to see that the last process is gone.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
