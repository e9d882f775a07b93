//! What ends a transaction.

use sync::destination::DestinationError;

use super::fault::fault;

/// An error of SQLite's, not yet judged, or one of ours.
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Destination(DestinationError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<DestinationError> for Failure {
    fn from(error: DestinationError) -> Self {
        Self::Destination(error)
    }
}

impl Failure {
    /// What it means for the stream that writes to `table`.
    pub(crate) fn resolve(self, place: &str, table: &str) -> DestinationError {
        match self {
            Self::Sqlite(error) => fault(place, table, &error),
            Self::Destination(error) => error,
        }
    }
}
