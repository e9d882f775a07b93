//! A private store that speaks S3 for the tests, on 127.0.0.1 and a free port, gone when dropped.

use std::{ffi::OsStr, path::Path};

use crate::{Failure, leash::Leashed};

/// Tests that want a bucket read its address from this variable, and skip themselves without it.
pub(crate) const VARIABLE: &str = "ORGTIDE_TEST_S3";

/// Tests that want DuckDB and pyarrow read where their packages are from this variable.
pub(crate) const READERS: &str = "ORGTIDE_TEST_READERS";

/// The store; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Store {
    _server: Leashed,
    address: String,
}

impl Store {
    /// Starts the store of the pinned packages and waits until it has a bucket.
    pub(crate) fn start(root: &Path, packages: &Path) -> Result<Self, Failure> {
        let script = root.join("tests/parquet/store.py").display().to_string();
        let path = format!("PYTHONPATH={}", packages.display());
        let arguments = [path, "PYTHONDONTWRITEBYTECODE=1".to_owned(), "python3".to_owned(), script];
        let mut server = Leashed::program(OsStr::new("env"), &arguments, root)?;
        match server.next_line()? {
            Some(address) => Ok(Self { _server: server, address }),
            None => Err(Failure::new("the store does not start; its log stands above")),
        }
    }

    /// What tests need to be told of it. It takes any credentials.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        let any = || "orgtide".to_owned();
        [(VARIABLE, self.address.clone()), ("AWS_ACCESS_KEY_ID", any()), ("AWS_SECRET_ACCESS_KEY", any())]
    }
}
