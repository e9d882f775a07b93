//! Clients that nobody here wrote, unmodified, against the emulated org.
//!
//! Where one of them disagrees with the emulator, the client is right: it works with real orgs.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Failure,
    command::{cargo, succeed},
    emulated::EmulatedOrg,
    json::quoted,
    runner::SELECTION,
    setup::Tools,
};

/// What the scenario of the clients contains, for the clients' tests.
const KNOWN: [(&str, &str); 8] = [
    ("client_id", "orgtide-clients"),
    ("client_secret", "a secret that only this scenario knows"),
    ("jwt_client_id", "orgtide-clients-by-jwt"),
    ("run_as", "integration@acme.example"),
    ("username", "ada@acme.example"),
    ("password", "correct horse"),
    ("security_token", "battery staple"),
    ("domain", "acme.my"),
];

pub(crate) fn run(root: &Path, tools: &Tools) -> Result<(), Failure> {
    let org = EmulatedOrg::start(&orgtide(root)?, &root.join("tests/clients/scenario.toml"), root)?;
    let mut failures = Vec::new();
    if let Some(npm) = &tools.npm {
        let mut node = without_proxy("node");
        node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
        node.args(
            ["jsforce", "jsforce-sign-in", "jsforce-session"].map(|name| format!("tests/clients/{name}.test.mjs")),
        );
        node.env("NODE_EXTRA_CA_CERTS", &org.ca);
        failures.extend(against(&mut node, root, &org, npm).err());
    }
    if let Some(packages) = &tools.python {
        for tests in ["simple_salesforce", "simple_salesforce_session", "authlib"] {
            let mut python = without_proxy("python3");
            python.args([&format!("tests/clients/test_{tests}.py"), "--verbose"]);
            python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
            python.env("REQUESTS_CA_BUNDLE", &org.ca).env("HTTPS_PROXY", &org.proxy);
            failures.extend(against(&mut python, root, &org, packages).err());
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(failures.into_iter().map(|failure| failure.0).collect::<Vec<_>>().join("; "))),
    }
}

/// Runs one client's tests with the org's addresses.
fn against(tests: &mut Command, root: &Path, org: &EmulatedOrg, packages: &Path) -> Result<(), Failure> {
    tests.current_dir(root).stdin(Stdio::null()).env("ORGTIDE_CLIENTS", known_to_clients(org, packages));
    succeed(tests)
}

fn known_to_clients(org: &EmulatedOrg, packages: &Path) -> String {
    let host = org.url.trim_start_matches("https://").to_owned();
    let npm = packages.display().to_string();
    let addresses = [("plain", &org.plain), ("url", &org.url), ("proxy", &org.proxy), ("host", &host), ("npm", &npm)];
    let members = KNOWN.iter().map(|(name, value)| (*name, quoted(value)));
    let members = members.chain(addresses.iter().map(|(name, value)| (*name, quoted(value))));
    let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The program under test, built now.
pub(crate) fn orgtide(root: &Path) -> Result<PathBuf, Failure> {
    // The selection of the tests: another one would build the dependencies again, with other features.
    succeed(cargo(root).arg("build").args(SELECTION))?;
    built_beside_us("orgtide")
}

/// The machine's own proxy knows nothing of an emulated org.
pub(crate) fn without_proxy(program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command
}

/// A program of the same build as this one: they lie in one folder, whatever the target directory is.
pub(crate) fn built_beside_us(name: &str) -> Result<PathBuf, Failure> {
    let program = env::current_exe()?.with_file_name(name);
    if program.is_file() { Ok(program) } else { Err(Failure::new(format!("{} was not built", program.display()))) }
}
