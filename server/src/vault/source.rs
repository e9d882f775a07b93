//! Where the keyring comes from: a file, a command, the environment, or a file of our own in the data directory.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::Vault;
use crate::config::{Config, ConfigError, KeySource};

/// A keyring that is ready, and the file it was created in, when it was.
#[derive(Debug)]
pub struct LoadedVault {
    pub vault: Vault,
    /// A fresh keyring was written here; a person should know.
    pub created: Option<PathBuf>,
}

/// Loads the keyring that the configuration names.
///
/// # Errors
/// [`ConfigError::Keyring`] names where it should have come from.
pub fn load(config: &Config) -> Result<LoadedVault, ConfigError> {
    let (origin, text, created) = match &config.key {
        KeySource::Keyring(keyring) => (
            "the environment variable ORGTIDE_KEY".to_owned(),
            Zeroizing::new(keyring.expose_secret().to_owned()),
            None,
        ),
        KeySource::File(path) => (path.display().to_string(), read(path)?, None),
        KeySource::Command(words) => ("the command key.command".to_owned(), run(words)?, None),
        KeySource::DataDirectory => {
            let path = config.data_dir.join("keyring");
            let created = create_if_absent(&path).map_err(|error| failure(&path, &error))?;
            (path.display().to_string(), read(&path)?, created.then_some(path))
        }
    };
    let vault =
        Vault::from_keyring(&text).map_err(|error| ConfigError::Keyring { origin, reason: error.to_string() })?;
    Ok(LoadedVault { vault, created })
}

fn failure(path: &Path, error: &io::Error) -> ConfigError {
    ConfigError::Keyring { origin: path.display().to_string(), reason: error.to_string() }
}

fn read(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    warn_if_others_may_read(path);
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| failure(path, &error))
}

#[cfg(unix)]
fn warn_if_others_may_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let others = path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0);
    if others {
        tracing::warn!(file = %path.display(), "every user of this machine may read the keyring: chmod o= it");
    }
}

#[cfg(not(unix))]
fn warn_if_others_may_read(_path: &Path) {}

fn run(words: &[String]) -> Result<Zeroizing<String>, ConfigError> {
    let failed = |reason: String| ConfigError::Keyring { origin: "the command key.command".into(), reason };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("it is empty".into()))?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("{program} cannot be run: {error}")))?;
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("{program} ended with {}", output.status)));
    }
    let text = std::str::from_utf8(&printed).map_err(|_| failed(format!("{program} printed no text")))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Writes a fresh keyring unless there is one; true when this call wrote it. It appears whole or not at all, also when
/// several processes start at once.
fn create_if_absent(path: &Path) -> io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    // Created for its owner alone (mode 0600).
    let mut file = tempfile::Builder::new().prefix(".keyring-").tempfile_in(directory)?;
    file.write_all(Vault::fresh_keyring().as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}
