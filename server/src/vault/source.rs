//! Where the keyring comes from: a file, a command, the environment, or a file of our own in the data directory.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{KeyringSource, Stamp, Vault};
use crate::config::{Config, ConfigError, KeySource};

/// What the configuration leads to.
#[derive(Debug)]
pub enum Loaded {
    Ready(Vault),
    /// There is no keyring yet in the data directory, or not any more.
    Absent(PathBuf),
}

/// Loads the keyring that the configuration names. Makes nothing.
///
/// # Errors
/// [`ConfigError::Keyring`] names where it should have come from.
pub fn load(config: &Config) -> Result<Loaded, ConfigError> {
    let origin = Origin::of(config);
    if let (KeySource::DataDirectory, Origin::File(path)) = (&config.key, &origin)
        && !path.exists()
    {
        return Ok(Loaded::Absent(path.clone()));
    }
    vault(origin).map(Loaded::Ready)
}

/// Loads the keyring, and writes a fresh one into the data directory first where there is none; tells the file that
/// was written.
///
/// # Errors
/// As those of [`load`].
pub fn load_or_create(config: &Config) -> Result<(Vault, Option<PathBuf>), ConfigError> {
    match load(config)? {
        Loaded::Ready(vault) => Ok((vault, None)),
        Loaded::Absent(path) => {
            let created = create_if_absent(&path).map_err(|error| failure(&path, &error))?;
            Ok((vault(Origin::of(config))?, created.then_some(path)))
        }
    }
}

/// Adds a fresh key to a keyring that is a file of ours, which seals from then on. False for a keyring that comes from
/// elsewhere.
///
/// # Errors
/// The file cannot be replaced; it is as it was then.
pub fn add_key(config: &Config) -> Result<bool, ConfigError> {
    let Origin::File(path) = Origin::of(config) else { return Ok(false) };
    let failed = |error: &io::Error| failure(&path, error);
    let mut text = read(&path)?;
    let ring = Vault::from_keyring(&text)
        .map_err(|error| ConfigError::Keyring { origin: path.display().to_string(), reason: error.to_string() })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&Vault::fresh_line(ring.newest().saturating_add(1)));
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::Builder::new().prefix(".keyring-").tempfile_in(directory).map_err(|error| failed(&error))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all());
    written.map_err(|error| failed(&error))?;
    file.persist(&path).map_err(|error| failed(&error.error))?;
    Ok(true)
}

/// Where the keyring is.
enum Origin {
    File(PathBuf),
    Command(Vec<String>),
    Environment(Zeroizing<String>),
}

impl Origin {
    fn of(config: &Config) -> Self {
        match &config.key {
            KeySource::Keyring(keyring) => Self::Environment(Zeroizing::new(keyring.expose_secret().to_owned())),
            KeySource::File(path) => Self::File(path.clone()),
            KeySource::Command(words) => Self::Command(words.clone()),
            KeySource::DataDirectory => Self::File(config.data_dir.join("keyring")),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Command(_) => "the command key.command".to_owned(),
            Self::Environment(_) => "the environment variable ORGTIDE_KEY".to_owned(),
        }
    }

    fn text(&self) -> Result<Zeroizing<String>, ConfigError> {
        match self {
            Self::File(path) => read(path),
            Self::Command(words) => run(words),
            Self::Environment(keyring) => Ok(keyring.clone()),
        }
    }
}

impl KeyringSource for Origin {
    fn read(&self) -> Result<Zeroizing<String>, String> {
        self.text().map_err(|error| error.to_string())
    }

    fn stamp(&self) -> Option<Stamp> {
        let Self::File(path) = self else { return None };
        let metadata = path.metadata().ok()?;
        let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
        Some(Stamp(i128::try_from(changed).ok()?, metadata.len(), identity(&metadata)))
    }
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn identity(_metadata: &std::fs::Metadata) -> u64 {
    0
}

fn vault(origin: Origin) -> Result<Vault, ConfigError> {
    // Read once for an error that names the place.
    let (name, text) = (origin.name(), origin.text()?);
    let unusable = |reason| ConfigError::Keyring { origin: name.clone(), reason };
    Vault::from_keyring(&text).map_err(|error| unusable(error.to_string()))?;
    // A program may be slow, or ask somebody: it is run again only when a key is missing.
    Vault::of_source(Box::new(Once { origin, first: Mutex::new(Some(text)) })).map_err(unusable)
}

/// An origin that was read already.
struct Once {
    origin: Origin,
    first: Mutex<Option<Zeroizing<String>>>,
}

impl KeyringSource for Once {
    fn read(&self) -> Result<Zeroizing<String>, String> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.map_or_else(|| self.origin.read(), Ok)
    }

    fn stamp(&self) -> Option<Stamp> {
        self.origin.stamp()
    }
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
