//! What the operating system says of this process: the `process_*` metrics.
//!
//! Source: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>

use keyward_telemetry::Process;
use std::fs;

/// Clock ticks in a second: `USER_HZ`, which is 100 in every Linux ABI.
const TICKS_PER_SECOND: f64 = 100.0;

/// Zeros where the system does not say.
pub(crate) fn read(start_time_seconds: f64) -> Process {
    Process {
        resident_bytes: resident_bytes().unwrap_or_default(),
        cpu_seconds: cpu_seconds().unwrap_or_default(),
        open_fds: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        max_fds: max_fds().unwrap_or_default(),
        start_time_seconds,
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// <https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html>
fn max_fds() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; fields are counted behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks = |text: Option<&str>| text?.parse::<f64>().ok();
    Some((ticks(fields.next())? + ticks(fields.next())?) / TICKS_PER_SECOND)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_running_process_has_memory_and_files() {
        let process = super::read(1.0);
        assert!(process.resident_bytes > 100_000);
        assert!(process.open_fds > 2 && process.open_fds <= process.max_fds);
        assert!(process.cpu_seconds >= 0.0);
    }
}
