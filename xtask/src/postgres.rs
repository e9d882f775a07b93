//! A private PostgreSQL server for the tests, on 127.0.0.1 and a free port, gone when dropped.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, command, leash::Leashed};

/// Tests that want PostgreSQL read its address from this variable, and skip themselves without it.
pub(crate) const VARIABLE: &str = "ORGTIDE_TEST_POSTGRES";

/// Another program can take the free port before the server does.
const ATTEMPTS: usize = 3;

/// The server; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    _server: Leashed,
    url: String,
}

impl Postgres {
    /// Makes an empty cluster, starts it and waits until it accepts connections.
    pub(crate) fn start(programs: &Path) -> Result<Self, Failure> {
        for _ in 0..ATTEMPTS {
            let mut server = Leashed::shell(script(programs, free_port()?))?;
            if let Some(url) = server.next_line()? {
                return Ok(Self { _server: server, url });
            }
        }
        Err(Failure::new("PostgreSQL does not start; its log stands above"))
    }

    /// Where the server is, with its password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The folder with `initdb` and `postgres`: Debian's newest, else the search path's.
pub(crate) fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin).or_else(|| command::find("initdb")?.parent().map(Path::to_owned))
}

/// PostgreSQL refuses to run as root, so root runs it as the user that its package made.
fn script(programs: &Path, port: u16) -> Command {
    let shell = ["-c", include_str!("postgres.sh"), "postgres.sh"];
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]).args(shell);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(shell);
        command
    };
    command.args([programs.as_os_str(), OsStr::new(&port.to_string())]);
    command.current_dir("/").env_remove("TMPDIR");
    command
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
