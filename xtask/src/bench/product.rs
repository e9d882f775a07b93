//! The product as a person runs it: its release build, its command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use super::{columns, memory, wire};
use crate::{
    Failure,
    command::{describe, succeed},
    emulated::EmulatedOrg,
    json,
};

/// A finished import.
pub(super) struct Import {
    pub(super) database: PathBuf,
    pub(super) ended: Instant,
    pub(super) peak_kib: u64,
    pub(super) api_calls: u64,
}

/// The release build lies beside the folder of the build that we are.
pub(super) fn release_build() -> Result<PathBuf, Failure> {
    let ours = env::current_exe()?;
    let target = ours.parent().and_then(Path::parent);
    let program = target.ok_or_else(|| Failure::new("this program lies nowhere"))?.join("release/orgtide");
    if program.is_file() { Ok(program) } else { Err(Failure::new(format!("{} was not built", program.display()))) }
}

/// Connects the emulated org, then imports its contacts into a fresh SQLite file.
pub(super) fn import(program: &Path, org: &EmulatedOrg, folder: &Path) -> Result<Import, Failure> {
    let host = org.url.trim_start_matches("https://");
    let database = folder.join("orgtide.db");
    let orgtide = || {
        let mut orgtide = Command::new(program);
        orgtide.current_dir(folder).stdin(Stdio::null());
        orgtide.env("ORGTIDE_DATA_DIR", folder.join("data"));
        orgtide.env("ORGTIDE_MAPPED_HOSTS", format!("{host}={}", org.tls));
        orgtide.env("ORGTIDE_MAPPED_HOSTS_CA", &org.ca);
        // Both sides fetch the same pages, as they are.
        orgtide.env("ORGTIDE_COMPRESSION", "false");
        orgtide.env("ORGTIDE_CLIENT_SECRET", wire::CLIENT_SECRET);
        orgtide
    };
    let mut connect = orgtide();
    connect.args(["connect", "bench", "--org", host, "--client-id", wire::CLIENT_ID]);
    succeed(connect.stdout(Stdio::null()))?;

    let mut import = orgtide();
    import.args(["import", "bench", "Contact", "--read", "bulk", "--json", "--fields"]);
    import.arg(columns::names().collect::<Vec<_>>().join(","));
    import.arg("--to").arg(format!("sqlite:{}", database.display()));
    // A file takes any amount of output while nobody reads.
    let answer = folder.join("import.json");
    import.stdout(fs::File::create(&answer)?);
    let line = describe(&import);
    let mut child = import.spawn()?;
    let (status, peak_kib) = memory::wait(&mut child)?;
    let ended = Instant::now();
    let summary = fs::read_to_string(answer)?;
    if !status.success() {
        return Err(Failure::new(format!("`{line}` ended with {status}: {summary}")));
    }
    let api_calls = json::number(&summary, "api_calls");
    let api_calls =
        api_calls.ok_or_else(|| Failure::new(format!("the import did not count its API calls: {summary}")))?;
    Ok(Import { database, ended, peak_kib, api_calls })
}
