//! Why the control store did not do what it was asked.

use salesforce::{Recovery, Timestamp};

use super::lease::Holder;
use crate::vault::VaultError;

/// Why the control store did not do what it was asked, by cause.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the control store {place} cannot be opened: {reason}")]
    Unusable { place: String, reason: String },
    #[error("the control store {place} cannot be reached: {reason}")]
    Unreachable { place: String, reason: String },
    #[error("the control store {place} is full: {reason}")]
    Full { place: String, reason: String },
    #[error(
        "the control store {place} was written by a newer version of orgtide: its schema is version {found}, and this \
         program knows versions up to {known}"
    )]
    Newer { place: String, found: i64, known: i64 },
    #[error("{place} is not a control store of orgtide: {reason}")]
    Foreign { place: String, reason: String },
    #[error("there is a {kind} named {name:?} already")]
    NameTaken { kind: &'static str, name: String },
    #[error("there is no {kind} named {name:?}{}", known_names(known))]
    Unknown { kind: &'static str, name: String, known: Vec<String> },
    #[error("{name} is in use by {holder}, since {since}")]
    Leased { name: String, holder: Box<Holder>, since: Timestamp },
    #[error("{name}: another process has taken over (epoch {epoch} is not the current one)")]
    Fenced { name: String, epoch: i64 },
    #[error(
        "this machine's clock is {} s {} that of the control store {place}, so that leases cannot be relied on",
        seconds.abs(),
        if *seconds > 0 { "ahead of" } else { "behind" }
    )]
    ClockSkew { place: String, seconds: i64 },
    #[error("the keyring does not open the control store {place}: {source}")]
    WrongKeyring { place: String, source: VaultError },
    #[error("the control store holds a secret that does not open: {0}")]
    Vault(#[from] VaultError),
    #[error("the control store does not hold what this program wrote: {reason}")]
    Corrupt { reason: String },
    #[error("the control store {place}: {reason}")]
    Other { place: String, reason: String },
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (there is: {})", known.join(", ")) }
}

impl StoreError {
    pub(super) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt { reason: reason.into() }
    }

    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Unreachable { .. } | Self::Leased { .. } => Recovery::Retry { after: None },
            Self::Unusable { .. }
            | Self::Full { .. }
            | Self::Newer { .. }
            | Self::Foreign { .. }
            | Self::NameTaken { .. }
            | Self::Unknown { .. }
            | Self::ClockSkew { .. }
            | Self::WrongKeyring { .. }
            | Self::Vault(_) => Recovery::Configure,
            Self::Fenced { .. } | Self::Corrupt { .. } | Self::Other { .. } => Recovery::Bug,
        }
    }

    /// What a person does about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unusable { .. } => {
                "give a directory that this user may write, with --data-dir or ORGTIDE_DATA_DIR".into()
            }
            Self::Unreachable { .. } => {
                "check that the database runs and that database_url names it, then try again".into()
            }
            Self::Full { .. } => "free some space, then run the same command again".into(),
            Self::Newer { .. } => {
                "run the newer version of orgtide, or give another data directory; nothing was changed".into()
            }
            Self::Foreign { .. } => "give another data directory or database; nothing was changed".into(),
            Self::NameTaken { .. } => "choose another name".into(),
            Self::Unknown { kind: "connection", .. } => {
                "see `orgtide status` for the names, or create it with `orgtide connect`".into()
            }
            Self::Unknown { .. } => "see `orgtide status` for what there is".into(),
            Self::Leased { .. } => "wait until it ends, or end that process; then run the same command again".into(),
            Self::Fenced { .. } => {
                "nothing is lost: see `orgtide status` for the run that took over, and start again after it".into()
            }
            Self::ClockSkew { .. } => "set both clocks by NTP, then run the same command again; nothing was changed".into(),
            Self::WrongKeyring { .. } => {
                "give the keyring that this store was used with before (key.file, key.command, ORGTIDE_KEY, or the file \
                 `keyring` of the data directory from a backup); nothing was changed. If it is lost for good, `orgtide key \
                 give-up` forgets the sealed secrets, and each connection needs a new sign-in"
                    .into()
            }
            Self::Vault(error) => error.remedy().into(),
            Self::Corrupt { .. } | Self::Other { .. } => {
                "run the command again with --log-level debug and report what it says".into()
            }
        }
    }
}
