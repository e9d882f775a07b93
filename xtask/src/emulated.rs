//! An emulated org as a program beside a chore: `orgtide emulator`, gone when dropped.

use std::path::{Path, PathBuf};

use crate::{Failure, bench::memory, json, leash::Leashed};

/// A running emulated org and where it listens.
#[derive(Debug)]
pub(crate) struct EmulatedOrg {
    program: Leashed,
    /// Plain HTTP on loopback.
    pub(crate) plain: String,
    /// The org's real-looking address, `https://….my.salesforce.com`.
    pub(crate) url: String,
    /// The socket address of the TLS endpoint.
    pub(crate) tls: String,
    /// The CONNECT proxy that answers for Salesforce names.
    pub(crate) proxy: String,
    /// The certificate authority of the TLS endpoint, PEM.
    pub(crate) ca: PathBuf,
}

impl EmulatedOrg {
    /// Starts `program emulator` with a scenario and waits for the line that says where it listens.
    pub(crate) fn start(program: &Path, scenario: &Path, folder: &Path) -> Result<Self, Failure> {
        let arguments = ["emulator", "--json", "--scenario"].map(str::to_owned).into_iter();
        let arguments: Vec<String> = arguments.chain([scenario.display().to_string()]).collect();
        let mut program = Leashed::program(program.as_os_str(), &arguments, folder)?;
        let line = program.next_line()?.ok_or_else(|| Failure::new("the emulator ended before it listened"))?;
        let field = |name: &str| {
            json::text(&line, name).ok_or_else(|| Failure::new(format!("the emulator did not say its {name}: {line}")))
        };
        let (plain, url, tls, proxy) = (field("plain")?, field("url")?, field("tls")?, field("proxy")?);
        let ca = field("ca")?.into();
        Ok(Self { program, plain, url, tls, proxy, ca })
    }

    /// The most KiB that its process has had resident.
    pub(crate) fn peak_kib(&self) -> Result<u64, Failure> {
        memory::peak(self.program.program_id()?)
    }
}
