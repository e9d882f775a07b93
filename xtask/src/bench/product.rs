//! The product as a person runs it: its release build, its command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{memory, wire};
use crate::{
    Failure,
    command::{describe, succeed},
    emulated::EmulatedOrg,
    json,
};

/// A finished import.
pub(super) struct Import {
    pub(super) ended: Instant,
    pub(super) peak_kib: u64,
    pub(super) api_calls: u64,
}

/// A finished certificate.
pub(super) struct Verified {
    pub(super) took: Duration,
    pub(super) peak_kib: u64,
    pub(super) api_calls: u64,
}

/// A command that has ended well.
struct Measured {
    took: Duration,
    ended: Instant,
    peak_kib: u64,
    api_calls: u64,
}

/// The release build lies beside the folder of the build that we are.
pub(super) fn release_build() -> Result<PathBuf, Failure> {
    let ours = env::current_exe()?;
    let target = ours.parent().and_then(Path::parent);
    let program = target.ok_or_else(|| Failure::new("this program lies nowhere"))?.join("release/orgtide");
    if program.is_file() { Ok(program) } else { Err(Failure::new(format!("{} was not built", program.display()))) }
}

/// Orgtide with its data in `folder`.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) program: &'a Path,
    pub(super) org: &'a EmulatedOrg,
    pub(super) folder: &'a Path,
    /// Both sides fetch pages alike, as they are or packed.
    pub(super) is_packed: bool,
}

impl Product<'_> {
    fn host(&self) -> &str {
        self.org.url.trim_start_matches("https://")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut orgtide = Command::new(self.program);
        orgtide.args(arguments).current_dir(self.folder).stdin(Stdio::null());
        orgtide.env("ORGTIDE_DATA_DIR", self.folder.join("data"));
        orgtide.env("ORGTIDE_MAPPED_HOSTS", format!("{}={}", self.host(), self.org.tls));
        orgtide.env("ORGTIDE_MAPPED_HOSTS_CA", &self.org.ca);
        orgtide.env("ORGTIDE_COMPRESSION", self.is_packed.to_string());
        orgtide.env("ORGTIDE_CLIENT_SECRET", wire::CLIENT_SECRET);
        orgtide
    }

    /// Connects the emulated org.
    pub(super) fn connect(&self) -> Result<(), Failure> {
        let mut connect = self.command(&["connect", "bench", "--org", self.host(), "--client-id", wire::CLIENT_ID]);
        succeed(connect.stdout(Stdio::null()))
    }

    /// Imports an object, which comes first among the arguments, into a destination.
    pub(super) fn import(&self, arguments: &[&str], to: &str) -> Result<Import, Failure> {
        let import = self.command(&[&["import", "bench", "--json", "--to", to], arguments].concat());
        let Measured { ended, peak_kib, api_calls, .. } = self.measured(import)?;
        Ok(Import { ended, peak_kib, api_calls })
    }

    /// Compares the copy of an object with the org; a difference is a failure.
    pub(super) fn verify(&self, object: &str, depth: &str) -> Result<Verified, Failure> {
        let verify = self.command(&["verify", "bench", object, "--depth", depth, "--json"]);
        let Measured { took, peak_kib, api_calls, .. } = self.measured(verify)?;
        Ok(Verified { took, peak_kib, api_calls })
    }

    fn measured(&self, mut command: Command) -> Result<Measured, Failure> {
        // A file takes any amount of output while nobody reads.
        let answer = self.folder.join("answer.json");
        command.stdout(fs::File::create(&answer)?);
        let line = describe(&command);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let (status, peak_kib) = memory::wait(&mut child)?;
        let ended = Instant::now();
        let summary = fs::read_to_string(answer)?;
        if !status.success() {
            return Err(Failure::new(format!("`{line}` ended with {status}: {summary}")));
        }
        let api_calls = json::number(&summary, "api_calls");
        let api_calls =
            api_calls.ok_or_else(|| Failure::new(format!("`{line}` did not count its API calls: {summary}")))?;
        Ok(Measured { took: ended - started, ended, peak_kib, api_calls })
    }

    /// Brings everything up to date; returns the CPU time that it took, its start and end included.
    pub(super) fn sync(&self) -> Result<Duration, Failure> {
        let sync = self.command(&["sync", "bench", "--json"]);
        let mut timed = Command::new("bash");
        // Bash tells the times that the kernel has counted for the program, user and system, in milliseconds.
        timed.args(["-c", "TIMEFORMAT='%U %S'; { time \"$@\" >sync.json 2>sync.log; } 2>times", "bash"]);
        timed.arg(sync.get_program()).args(sync.get_args()).current_dir(self.folder).stdin(Stdio::null());
        timed.envs(sync.get_envs().filter_map(|(name, value)| Some((name, value?))));
        succeed(&mut timed)?;
        let times = fs::read_to_string(self.folder.join("times"))?;
        let seconds: Option<Vec<f64>> = times.split_whitespace().map(|time| time.parse().ok()).collect();
        let seconds = seconds.filter(|times| times.len() == 2);
        let seconds = seconds.ok_or_else(|| Failure::new(format!("the shell told no times: {times:?}")))?;
        Ok(Duration::from_secs_f64(seconds.iter().sum()))
    }
}
