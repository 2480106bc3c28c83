//! What processes have used so far, as the kernel counts it.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// How often the memory of a command that runs is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The CPU time of all threads of a process, ended ones too.
pub fn cpu(process: i32) -> Duration {
    known_cpu(process).expect("a process of one's own")
}

/// The same of a process and all that it has started, as long as they run.
pub fn cpu_of_tree(process: i32) -> Duration {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for found in std::fs::read_dir("/proc").expect("the kernel tells of processes").flatten() {
        let Some(child) = found.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended meanwhile has no parent.
        let Some(parent) = parent(child) else { continue };
        children.entry(parent).or_default().push(child);
    }
    let (mut tree, mut sum) = (vec![process], Duration::ZERO);
    while let Some(process) = tree.pop() {
        sum += known_cpu(process).unwrap_or_default();
        tree.extend(children.remove(&process).into_iter().flatten());
    }
    sum
}

fn known_cpu(process: i32) -> Option<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(process)).ok()?;
    clock_gettime(clock).ok().map(Duration::from)
}

fn parent(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it may contain anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The most memory that a process has had resident, in MiB.
pub fn peak_memory(process: i32) -> f64 {
    known_peak_memory(process).expect("a process of one's own")
}

fn known_peak_memory(process: i32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

/// What a command has used that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Its CPU time, and that of all that it has started and waited for.
    pub cpu: Duration,
    /// How long it took.
    pub wall: Duration,
    /// The most memory that it has had resident by itself, in MiB, as far as it was seen.
    pub peak: f64,
}

/// Runs a command to its end. No other child of this process may be waited for meanwhile.
///
/// # Panics
/// When it does not start, or does not succeed.
pub fn spent(command: &mut Command) -> Spent {
    let (before, begun) = (cpu_of_ended(), Instant::now());
    let child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    let id = i32::try_from(child.id()).expect("a process");
    let (ended, peak) = std::thread::scope(|scope| {
        let (stop, told) = std::sync::mpsc::channel::<()>();
        let watched = scope.spawn(move || {
            let mut peak = 0.0;
            loop {
                peak = known_peak_memory(id).unwrap_or(peak);
                if told.recv_timeout(LOOK) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    return peak;
                }
            }
        });
        let ended = child.wait_with_output().expect("one's own child can be waited for");
        drop(stop);
        (ended, watched.join().expect("it only looks"))
    });
    let wall = begun.elapsed();
    assert!(
        ended.status.success(),
        "{} did not succeed: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&ended.stderr)
    );
    Spent { cpu: cpu_of_ended().saturating_sub(before), wall, peak }
}

/// CPU time of all that this process has started and waited for.
fn cpu_of_ended() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    let time = |time: TimeVal| {
        let micros = u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).expect("a time that was spent");
        Duration::from_micros(micros)
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// The size of a file, in MB.
#[expect(clippy::cast_precision_loss, reason = "megabytes")]
pub fn size(file: &Path) -> f64 {
    std::fs::metadata(file).expect("the file").len() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_a_command_spends_is_counted_with_what_it_has_started() {
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let idle = spent(Command::new("sh").args(["-c", "sleep 0.2"]));
        let own = spent(Command::new("sh").args(["-c", busy]));
        let started = spent(Command::new("sh").args(["-c", &format!("sh -c '{busy}'; true")]));
        assert!(idle.wall >= Duration::from_millis(200) && idle.cpu < Duration::from_millis(100), "{idle:?}");
        for spent in [own, started] {
            assert!(spent.cpu > 3 * idle.cpu && spent.cpu <= 2 * spent.wall && spent.peak > 0.2, "{spent:?} {idle:?}");
        }
    }

    #[test]
    fn the_cpu_of_a_tree_is_that_of_all_its_processes() {
        let mut command = Command::new("sh");
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; read line";
        command.args(["-c", &format!("sh -c '{busy}'; true")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let (one, all) = (cpu(id), cpu_of_tree(id));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(line == "done\n" && all > one + Duration::from_millis(20), "{one:?} {all:?}");
    }
}
