//! Installs what the tests need and the machine does not have.
//!
//! Debian packages come by apt; packages of npm and PyPI, pinned by `tests/clients/`, `tests/browser/`, `tests/parquet/` and
//! `tests/postgres-13/`, go to folders of the same names in `target/` and nowhere else. What cannot be installed is said, with what is skipped for
//! it; it is not a failure.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Failure,
    command::{self, succeed},
    postgres,
};

/// What the machine has after setting up; `None` for what it cannot have.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    pub(crate) postgres: Option<PathBuf>,
    /// The oldest PostgreSQL that rows are written to.
    pub(crate) oldest_postgres: Option<PathBuf>,
    /// The folder that holds `node_modules` of the pinned npm packages.
    pub(crate) npm: Option<PathBuf>,
    /// The folder for Python's search path with the pinned PyPI packages.
    pub(crate) python: Option<PathBuf>,
    /// The same with what reads Parquet files, and a store that speaks S3.
    pub(crate) parquet: Option<PathBuf>,
    pub(crate) browser: Option<Browser>,
    /// One sentence for each thing that is missing.
    pub(crate) missing: Vec<String>,
}

/// A browser and what drives it.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) program: PathBuf,
    /// The folder that holds `node_modules` of the pinned packages.
    pub(crate) packages: PathBuf,
}

/// A program and the Debian package that brings it.
struct Needed {
    package: &'static str,
    present: fn() -> bool,
}

const NEEDED: [Needed; 6] = [
    Needed { package: "postgresql", present: || postgres::programs().is_some() },
    Needed { package: "sqlite3", present: || command::find("sqlite3").is_some() },
    Needed { package: "curl", present: || command::find("curl").is_some() },
    Needed { package: "nodejs", present: || command::find("node").is_some() },
    Needed { package: "npm", present: || command::find("npm").is_some() },
    Needed { package: "python3-pip", present: has_pip },
];

/// Apart from the others: where a distribution has no such package, apt refuses the whole list.
const BROWSER: [Needed; 1] = [Needed { package: "chromium", present: || command::find("chromium").is_some() }];

/// Installs what is missing and says what could not be installed.
pub(crate) fn install(root: &Path) -> Tools {
    let mut tools = Tools::default();
    install_debian_packages(&NEEDED, &mut tools);
    install_debian_packages(&BROWSER, &mut tools);
    tools.postgres = postgres::programs();
    if tools.postgres.is_none() {
        tools.missing.push(format!("PostgreSQL is not here: tests that read {} skip themselves", postgres::VARIABLE));
    }
    match npm_packages(root, "postgres-13").and_then(|packages| postgres::linked(&packages)) {
        Ok(programs) => tools.oldest_postgres = Some(programs),
        Err(Failure(reason)) => tools.missing.push(format!("no table is written to PostgreSQL 13: {reason}")),
    }
    match npm_packages(root, "clients") {
        Ok(folder) => tools.npm = Some(folder),
        Err(Failure(reason)) => tools.missing.push(format!("jsforce is skipped: {reason}")),
    }
    match python_packages(root, "parquet") {
        Ok(folder) => tools.parquet = Some(folder),
        Err(Failure(reason)) => tools.missing.push(format!("Parquet files are neither in a bucket nor read: {reason}")),
    }
    match python_packages(root, "clients") {
        Ok(folder) => tools.python = Some(folder),
        Err(Failure(reason)) => tools.missing.push(format!("simple-salesforce and authlib are skipped: {reason}")),
    }
    match browser(root) {
        Ok(browser) => tools.browser = Some(browser),
        Err(Failure(reason)) => tools.missing.push(format!("the pages are not tried in a browser: {reason}")),
    }
    for sentence in &tools.missing {
        println!("{sentence}");
    }
    tools
}

fn install_debian_packages(needed: &[Needed], tools: &mut Tools) {
    let packages: Vec<&str> = needed.iter().filter(|needed| !(needed.present)()).map(|needed| needed.package).collect();
    if packages.is_empty() {
        return;
    }
    println!("Debian packages to install: {}", packages.join(", "));
    let installed = apt(&["update", "-q"])
        .and_then(|()| apt(&[&["install", "-q", "-y", "--no-install-recommends"], packages.as_slice()].concat()));
    if let Err(Failure(reason)) = installed {
        tools.missing.push(format!(
            "not installed: {} ({reason}); install them yourself, or run this as root or with password-free sudo",
            packages.join(", ")
        ));
    }
}

fn apt(arguments: &[&str]) -> Result<(), Failure> {
    if command::find("apt-get").is_none() {
        return Err(Failure::new("this machine has no apt-get"));
    }
    let mut command = if postgres::is_root() {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    succeed(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()))
}

/// Chromium, and the last playwright-core that runs on the Node of Debian 12.
fn browser(root: &Path) -> Result<Browser, Failure> {
    let program = command::find("chromium").ok_or_else(|| Failure::new("Chromium is not here"))?;
    Ok(Browser { program, packages: npm_packages(root, "browser")? })
}

/// `npm ci` in `target/<tests>/npm`, from the lock file that is committed in `tests/<tests>`.
fn npm_packages(root: &Path, tests: &str) -> Result<PathBuf, Failure> {
    let (folder, pinned) = (root.join("target").join(tests).join("npm"), root.join("tests").join(tests));
    fresh(&folder, &[pinned.join("package.json"), pinned.join("package-lock.json")], |folder| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
        succeed(npm.current_dir(folder).stdin(Stdio::null()))
    })
}

/// `pip install --target target/<tests>/python`, of the versions that are pinned in `tests/<tests>`.
pub(crate) fn python_packages(root: &Path, tests: &str) -> Result<PathBuf, Failure> {
    let folder = root.join("target").join(tests).join("python");
    fresh(&folder, &[root.join("tests").join(tests).join("requirements.txt")], |folder| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ])
        .args(["--root-user-action=ignore", "--requirement", "requirements.txt", "--target", "."]);
        succeed(pip.current_dir(folder).stdin(Stdio::null()))
    })
}

fn has_pip() -> bool {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    pip.status().is_ok_and(|status| status.success())
}

/// Fills `folder` by `install` unless an earlier run filled it from the same pins.
///
/// The stamp is written last: a folder without it is one whose installation did not come to its end.
fn fresh(
    folder: &Path,
    pins: &[PathBuf],
    install: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let stamp = folder.join("installed-from");
    let mut wanted = Vec::new();
    for pin in pins {
        wanted.extend(fs::read(pin).map_err(|error| Failure::new(format!("{}: {error}", pin.display())))?);
    }
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder.to_owned());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for pin in pins {
        fs::copy(pin, folder.join(pin.file_name().expect("a pin is a file")))?;
    }
    install(folder)?;
    fs::write(stamp, wanted)?;
    Ok(folder.to_owned())
}
