//! SQLite's errors, by what cures them.

use rusqlite::{Error, ErrorCode, ffi};
use sync::destination::DestinationError;

/// What a failed statement means for the stream that writes to `table`.
pub(super) fn fault(place: &str, table: &str, error: &Error) -> DestinationError {
    let place = place.to_owned();
    let Some(code) = error.sqlite_error() else {
        return DestinationError::Other { place, reason: error.to_string() };
    };
    let because = |advice: &str| format!("{}; {advice}", reason(error));
    match code.code {
        ErrorCode::DiskFull => DestinationError::Full { place, reason: reason(error) },
        ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => DestinationError::Denied {
            place,
            reason: because("the file and its folder have to exist and be writable, as SQLite keeps a log beside it"),
        },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            DestinationError::Unreachable { place, reason: because("another program is writing to it for long") }
        }
        // SQLite tells only one of the ways in which a disk has no room left from a disk that fails.
        ErrorCode::SystemIoFailure => DestinationError::Unreachable {
            place,
            reason: because(
                "the disk failed, or a quota or a limit on the size of files is reached: free some space, or raise the limit",
            ),
        },
        ErrorCode::NotADatabase => DestinationError::Unusable {
            place,
            reason: because("move the file away or name another one: it is not SQLite's, or it is encrypted"),
        },
        ErrorCode::DatabaseCorrupt => DestinationError::Unusable {
            place,
            reason: because("the file is damaged: restore a backup, or name another file and import again"),
        },
        ErrorCode::ConstraintViolation => DestinationError::Incompatible {
            place,
            table: table.to_owned(),
            reason: because("drop the constraint or trigger that refuses the rows, or choose another table name"),
        },
        ErrorCode::TooBig => DestinationError::Incompatible {
            place,
            table: table.to_owned(),
            reason: because("a value or row is beyond SQLite's limit: leave the field out"),
        },
        _ if code.extended_code == ffi::SQLITE_ERROR => DestinationError::Incompatible {
            place,
            table: table.to_owned(),
            reason: because(
                "if somebody has changed the table meanwhile, the next run makes it ready again; otherwise change what the \
                 message names, or choose another table name",
            ),
        },
        _ => DestinationError::Other { place, reason: reason(error) },
    }
}

/// SQLite's own words.
fn reason(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
