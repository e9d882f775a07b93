//! DuckDB, which writes the floor's Parquet files and reads those of both sides.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::columns::{self, Contents};
use crate::{Failure, command::output_of, json, setup};

/// DuckDB of the pinned packages.
pub(super) struct DuckDb {
    script: PathBuf,
    packages: PathBuf,
}

impl DuckDb {
    /// Installs the packages where they are missing.
    pub(super) fn install(root: &Path) -> Result<Self, Failure> {
        Ok(Self { script: root.join("tests/parquet/bench.py"), packages: setup::python_packages(root, "parquet")? })
    }

    /// Pages of CSV into one Parquet file with types, compressed by Zstandard; returns how long that took, without the start
    /// of Python.
    pub(super) fn load(&self, pages: &[String], target: &Path, folder: &Path) -> Result<Duration, Failure> {
        let took = output_of(self.python("load").arg(target).args(pages).current_dir(folder))?;
        let seconds = took.trim().parse().map_err(|_| Failure::new(format!("no number of seconds: {took:?}")))?;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// Rows and checksum of all values in files of a pattern.
    pub(super) fn contents(&self, files: &Path) -> Result<Contents, Failure> {
        let found = output_of(self.python("contents").arg(files))?;
        let (rows, checksum) = found.split_once(' ').unwrap_or((&found, ""));
        Contents::new(rows, checksum)
    }

    fn python(&self, verb: &str) -> Command {
        let columns: Vec<String> =
            columns::of_duckdb().map(|(name, kind)| format!("{}:{}", json::quoted(name), json::quoted(kind))).collect();
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &self.packages).env("PYTHONDONTWRITEBYTECODE", "1");
        python.arg(&self.script).args([verb, &format!("{{{}}}", columns.join(","))]);
        python
    }
}
