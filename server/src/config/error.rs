//! What is wrong with a configuration.

use std::path::PathBuf;

use salesforce::Recovery;

/// What is wrong with a configuration, by cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{} is no TOML: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
    #[error("{origin}: there is no setting {name:?}{}", meant(suggestion.as_deref()))]
    Unknown { origin: String, name: String, suggestion: Option<String> },
    #[error("{origin}: the setting {name:?} cannot be used: {reason}")]
    Invalid { origin: String, name: String, reason: String },
    #[error("no data directory is given, and there is no home directory to put one in")]
    NoHome,
    #[error(
        "there is no keyring {} any more, and the control store {store} holds secrets that were sealed with it",
        path.display()
    )]
    KeyringLost { path: PathBuf, store: String },
    #[error("the keyring has no new key, and this program cannot add one to it, as it comes from elsewhere")]
    KeyNotAdded,
    #[error("the keyring is given twice")]
    TwoKeys,
    #[error("hosts are mapped, which is refused in production mode")]
    MappedInProduction,
    #[error("webhooks may go to http:// addresses, which is refused in production mode")]
    PlainWebhooksInProduction,
    #[error("no keyring is given, which is required in production mode")]
    NoKeyInProduction,
    #[error("the keyring {} lies in the data directory, which is refused in production mode", path.display())]
    KeyBesideDataInProduction { path: PathBuf },
    #[error("the keyring cannot be had from {origin}: {reason}")]
    Keyring { origin: String, reason: String },
    #[error("the data directory {} cannot be used: {reason}", path.display())]
    DataDirectory { path: PathBuf, reason: String },
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; {name:?} is meant, perhaps")).unwrap_or_default()
}

impl ConfigError {
    /// What cures it: always a person.
    pub fn recovery(&self) -> Recovery {
        Recovery::Configure
    }

    /// What a person does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path and that this user may read it",
            Self::Syntax { .. } | Self::Unknown { .. } | Self::Invalid { .. } => {
                "`orgtide settings` shows every setting with its default"
            }
            Self::NoHome => "give one with --data-dir or ORGTIDE_DATA_DIR",
            Self::TwoKeys => "give one of key.file, key.command and ORGTIDE_KEY",
            Self::MappedInProduction => {
                "mapped hosts are for emulated orgs: remove them (ORGTIDE_MAPPED_HOSTS), or do not set production"
            }
            Self::PlainWebhooksInProduction => "remove webhook.allow_http, or do not set production",
            Self::NoKeyInProduction => {
                "give one from outside the data directory: key.file, key.command, or ORGTIDE_KEY; a keyring is one line, \
                 `1 $(openssl rand -base64 32)`"
            }
            Self::KeyBesideDataInProduction { .. } => {
                "move it elsewhere: whoever copies the data directory must not get the key with it"
            }
            Self::Keyring { .. } => {
                "a keyring has one line a key: a number, a space, and 32 random bytes in base64, such as `1 \
                 $(openssl rand -base64 32)`"
            }
            Self::KeyringLost { .. } => {
                "put the file back from its backup; nothing was changed, and no other keyring was made. If it is lost for \
                 good, `orgtide key give-up` forgets the sealed secrets, and each connection needs a new sign-in"
            }
            Self::KeyNotAdded => {
                "add a line with a higher number to it, such as `2 $(openssl rand -base64 32)`, keep the old line, and run \
                 this again"
            }
            Self::DataDirectory { .. } => {
                "give a directory that this user may write, with --data-dir or ORGTIDE_DATA_DIR"
            }
        }
    }
}
