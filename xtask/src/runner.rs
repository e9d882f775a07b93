//! The test runner: cargo-nextest where it is installed, else what comes with cargo.

use std::{path::Path, process::Command};

use crate::{
    Failure,
    command::{self, Stream},
};

/// Every step that builds uses this one selection; another one would build the dependencies again.
pub(crate) const SELECTION: [&str; 2] = ["--workspace", "--all-targets"];

/// What runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    Nextest,
    CargoTest,
}

/// How many tests ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) run: u64,
    pub(crate) passed: u64,
}

impl Runner {
    pub(crate) fn installed() -> Self {
        if command::find("cargo-nextest").is_some() { Self::Nextest } else { Self::CargoTest }
    }

    /// Runs all tests, with `variables` set, and counts them. A run of no tests is a failure.
    pub(crate) fn run_all(self, root: &Path, variables: &[(&str, String)]) -> Result<Count, Failure> {
        let mut cargo = command::cargo(root);
        cargo.envs(variables.iter().map(|(name, value)| (name, value)));
        let stream = match self {
            Self::Nextest => {
                cargo.args(["nextest", "run"]).args(SELECTION).args(["--no-fail-fast", "--status-level", "slow"]);
                Stream::Error
            }
            Self::CargoTest => {
                cargo.arg("test").args(SELECTION).arg("--no-fail-fast");
                Stream::Output
            }
        };
        self.counted(&mut cargo, stream)
    }

    /// Runs the tests whose path contains `filter`, one after the other, and hands over every line they print.
    pub(crate) fn run_aloud(
        self,
        root: &Path,
        filter: &str,
        variables: &[(&str, String)],
        hear: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let mut cargo = command::cargo(root);
        cargo.envs(variables.iter().map(|(name, value)| (name, value)));
        match self {
            Self::Nextest => {
                cargo.args(["nextest", "run"]).args(SELECTION).args(["--no-fail-fast", "--no-capture", filter])
            }
            Self::CargoTest => cargo.arg("test").args(SELECTION).args(["--no-fail-fast", filter]).args([
                "--",
                "--nocapture",
                "--test-threads=1",
            ]),
        };
        command::listen(&mut cargo, Stream::Output, hear)
    }

    fn counted(self, cargo: &mut Command, stream: Stream) -> Result<Count, Failure> {
        let mut count = Count::default();
        let ended = command::listen(cargo, stream, |line| {
            if let Some(part) = count_in(line) {
                count.run += part.run;
                count.passed += part.passed;
            }
        });
        ended?;
        if count.run == 0 { Err(Failure::new("no test ran")) } else { Ok(count) }
    }
}

/// Reads nextest's `Summary [ 0.1s] 12 tests run: 12 passed, 0 skipped` or cargo's
/// `test result: ok. 12 passed; 0 failed; …`.
fn count_in(line: &str) -> Option<Count> {
    if let Some((before, after)) = line.split_once(" run: ") {
        let tests = before.strip_suffix(" tests").or_else(|| before.strip_suffix(" test"))?;
        // `3/12` when a run was cut short.
        let run = tests.rsplit([' ', ']']).next()?.split('/').next()?.parse().ok()?;
        return Some(Count { run, passed: number_before(after, " passed").unwrap_or(0) });
    }
    let result = line.strip_prefix("test result: ")?;
    let passed = number_before(result, " passed")?;
    Some(Count { run: passed + number_before(result, " failed")?, passed })
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    text.split_once(word)?.0.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_either_runner_is_understood() {
        let count = |run, passed| Some(Count { run, passed });
        assert_eq!(count_in("     Summary [   0.005s] 1 test run: 1 passed, 0 skipped"), count(1, 1));
        assert_eq!(
            count_in("     Summary [   9.5s] 412 tests run: 410 passed (3 slow), 2 failed, 0 skipped"),
            count(412, 410)
        );
        assert_eq!(count_in("     Summary [   9.5s] 3/12 tests run: 2 passed, 1 failed, 0 skipped"), count(3, 2));
        assert_eq!(count_in("     Summary [   0.1s] 2 tests run: 0 passed, 2 failed, 0 skipped"), count(2, 0));
        assert_eq!(count_in("test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured"), count(13, 12));
        assert_eq!(count_in("running 12 tests"), None);
        assert_eq!(count_in("        PASS [   0.005s] xtask tests::a_test_run: it passed"), None);
    }

    #[test]
    fn a_run_of_no_tests_fails() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 0 passed; 0 failed; 0 ignored'"]);
        let error = Runner::CargoTest.counted(&mut command, Stream::Output).unwrap_err();
        assert_eq!(error.0, "no test ran");
    }
}
