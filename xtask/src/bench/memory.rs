//! A program's peak memory while it runs.

use std::{
    fs,
    process::{Child, ExitStatus},
    thread,
    time::Duration,
};

use crate::Failure;

/// The high-water mark only grows, so what is missed is what is added in the last moment before the end.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits for the end of a program; returns its status and the most KiB that were resident at any time.
pub(super) fn wait(child: &mut Child) -> Result<(ExitStatus, u64), Failure> {
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Ok(text) = fs::read_to_string(&status_file) {
            peak = peak.max(high_water(&text).unwrap_or(0));
        }
        if let Some(status) = child.try_wait()? {
            return Ok((status, peak));
        }
        #[expect(clippy::disallowed_methods, reason = "another process is watched in real time")]
        thread::sleep(INTERVAL);
    }
}

/// The most KiB that a running program has had resident.
pub(crate) fn peak(pid: u32) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    high_water(&status).ok_or_else(|| Failure::new(format!("process {pid} has no memory any more")))
}

/// `VmHWM` of `/proc/<pid>/status`, in KiB (proc(5)).
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_high_water_mark_of_a_program_is_seen() {
        assert_eq!(high_water("Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n"), Some(12345));
        let mut child = Command::new("sh").args(["-c", "sleep 0.1"]).spawn().unwrap();
        let (status, peak) = wait(&mut child).unwrap();
        assert!(status.success());
        assert!(peak > 100, "{peak} KiB");
    }
}
