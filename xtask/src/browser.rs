//! The emulated org's pages and the console in a real browser: `tests/browser/`, driven by playwright-core.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{
    Failure,
    clients::{orgtide, without_proxy},
    command::succeed,
    emulated::EmulatedOrg,
    json::quoted,
    setup::Browser,
};

pub(crate) fn run(root: &Path, browser: &Browser) -> Result<(), Failure> {
    let folder = root.join("tests/browser");
    let orgtide = orgtide(root)?;
    let org = EmulatedOrg::start(&orgtide, &folder.join("scenario.toml"), root)?;
    let mut node = without_proxy("node");
    // One after the other: they share one org, its clock and its faults.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]).args(test_files(&folder)?);
    node.env("ORGTIDE_BROWSER", known_to_tests(&orgtide, &org, browser));
    succeed(node.current_dir(root).stdin(Stdio::null()))
}

fn test_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.ends_with(".test.mjs")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn known_to_tests(orgtide: &Path, org: &EmulatedOrg, browser: &Browser) -> String {
    let (chromium, packages) = (browser.program.display().to_string(), browser.packages.display().to_string());
    let program = orgtide.display().to_string();
    let members = [
        ("program", &program),
        ("plain", &org.plain),
        ("url", &org.url),
        ("proxy", &org.proxy),
        ("chromium", &chromium),
        ("packages", &packages),
    ];
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{}", quoted(value))).collect();
    format!("{{{}}}", members.join(","))
}
