//! The fuzz targets of the emulated org, by cargo-fuzz. No sanitizer: nothing here is `unsafe`, and without one the
//! stable compiler serves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Failure,
    command::{self, Stream, cargo, succeed},
};

const VERSION: &str = "0.13.2";
/// Inputs tried for each target.
const RUNS: u64 = 1_000_000;
/// The longest input in bytes; certificates and metadata files are about as long.
const MAX_LENGTH: u32 = 4096;

/// Runs every target over its corpus and what follows from it; the name and the number of inputs of each.
pub(crate) fn run(root: &Path, seed: u64) -> Result<Vec<(String, u64)>, Failure> {
    let program = installed(root)?;
    let folder = root.join("emulator/fuzz");
    let mut targets: Vec<String> = fs::read_dir(folder.join("corpus"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    targets.sort();
    targets.into_iter().map(|target| Ok((target.clone(), run_target(root, &program, &target, seed)?))).collect()
}

/// Fails when the target does: libFuzzer then says which input it was, and keeps it below `target/fuzz`.
fn run_target(root: &Path, program: &Path, target: &str, seed: u64) -> Result<u64, Failure> {
    let work = root.join("target/fuzz");
    let (found, failed) = (work.join("corpus").join(target), work.join("failed"));
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&failed)?;
    let mut fuzz = Command::new(program);
    fuzz.current_dir(root.join("emulator")).args(["fuzz", "run", "--sanitizer", "none", "--target-dir"]);
    fuzz.arg(&work).arg(target).arg(&found).arg(root.join("emulator/fuzz/corpus").join(target)).arg("--");
    fuzz.args([format!("-runs={RUNS}"), format!("-seed={}", seed.max(1)), format!("-max_len={MAX_LENGTH}")]);
    // libFuzzer joins the prefix and the name of the file without a slash of its own.
    fuzz.arg(format!("-artifact_prefix={}/{target}-", failed.display()));
    let mut runs = None;
    command::listen(&mut fuzz, Stream::Error, |line| runs = runs.or(runs_in(line)))?;
    runs.ok_or_else(|| Failure::new(format!("the fuzz target {target} did not say how many inputs it tried")))
}

/// Reads `Done 1000000 runs in 12 second(s)`.
fn runs_in(line: &str) -> Option<u64> {
    line.strip_prefix("Done ")?.split_once(" runs")?.0.parse().ok()
}

/// cargo-fuzz from the search path, or else in `target/tools`, where it is installed when it is not there yet.
fn installed(root: &Path) -> Result<PathBuf, Failure> {
    if let Some(program) = command::find("cargo-fuzz") {
        return Ok(program);
    }
    let tools = root.join("target/tools");
    let program = tools.join("bin/cargo-fuzz");
    if !program.is_file() {
        succeed(cargo(root).args(["install", "cargo-fuzz", "--version", VERSION, "--locked", "--root"]).arg(&tools))?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_inputs_is_read_from_the_last_line() {
        assert_eq!(runs_in("Done 1000000 runs in 12 second(s)"), Some(1_000_000));
        assert_eq!(runs_in("#1000000 DONE   cov: 512"), None);
    }
}
