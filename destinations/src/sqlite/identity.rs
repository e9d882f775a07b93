//! Whether the file that is open is still the one that its path names.

use std::{fs, path::Path};

use sync::destination::DestinationError;

/// Which file a path named when it was opened. SQLite goes on writing into a file that was removed, where nobody finds
/// the rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl FileIdentity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let file = fs::metadata(path).ok()?;
        Some(Self { device_and_inode: (file.dev(), file.ino()) })
    }

    /// Elsewhere a file that is open can be neither removed nor replaced.
    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|_| Self {})
    }

    /// The file that has just been opened.
    pub(crate) fn opened(path: &Path, place: &str) -> Result<Self, DestinationError> {
        Self::of(path).ok_or_else(|| gone(place))
    }

    /// Refuses a path that names another file, or none.
    pub(crate) fn check(&self, path: &Path, place: &str) -> Result<(), DestinationError> {
        if self.is_at(path) { Ok(()) } else { Err(gone(place)) }
    }

    pub(crate) fn is_at(&self, path: &Path) -> bool {
        Self::of(path).as_ref() == Some(self)
    }
}

fn gone(place: &str) -> DestinationError {
    let reason = "the file was moved, replaced or removed while rows were written to it. Put it back and run the same \
                  command again; without it everything is imported anew";
    DestinationError::Unreachable { place: place.to_owned(), reason: reason.to_owned() }
}
