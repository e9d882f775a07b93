//! PostgreSQL's errors, by what cures them.

use std::error::Error as _;

use sync::destination::DestinationError;
use tokio_postgres::{Error, error::SqlState};

use super::schema::Target;

/// What a transaction was ended by.
#[derive(Debug)]
pub(super) enum Fault {
    Postgres(Error),
    Destination(DestinationError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<DestinationError> for Fault {
    fn from(error: DestinationError) -> Self {
        Self::Destination(error)
    }
}

impl Fault {
    /// The server has undone the transaction because of another one; the same again is safe, and likely to pass.
    pub(super) fn is_collision(&self) -> bool {
        match self {
            Self::Postgres(error) => error.code().is_some_and(|code| {
                [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
            }),
            Self::Destination(_) => false,
        }
    }

    /// What it means for the stream that writes to `target`.
    pub(super) fn resolve(self, target: &Target) -> DestinationError {
        match self {
            Self::Postgres(error) => classified(&target.place, Some(target), &error),
            Self::Destination(error) => error,
        }
    }
}

/// The words in which the server refuses a row: a value that a type or a constraint does not take.
///
/// # Errors
/// The fault, when it is of another kind.
pub(super) fn refusal(fault: Fault) -> Result<String, Fault> {
    match fault {
        // Data exceptions, broken constraints, exceptions of somebody's own.
        Fault::Postgres(error) if ["22", "23", "P0"].contains(&class(&error)) => Ok(reason(&error)),
        other => Err(other),
    }
}

/// What kind of error it is: the first two signs of its code; empty where the server has sent none.
fn class(error: &Error) -> &str {
    error.code().and_then(|code| code.code().get(..2)).unwrap_or_default()
}

/// What a failed connection means.
pub(super) fn unconnected(place: &str, error: &Error) -> DestinationError {
    classified(place, None, error)
}

fn classified(place: &str, target: Option<&Target>, error: &Error) -> DestinationError {
    let place = place.to_owned();
    let Some(code) = error.code() else { return without_code(place, error) };
    let because = |advice: &str| format!("{}; {advice}", reason(error));
    let incompatible = |advice: &str| match target {
        Some(target) => target.incompatible(because(advice)),
        None => DestinationError::Unusable { place: place.clone(), reason: because(advice) },
    };
    match *code {
        SqlState::DISK_FULL => DestinationError::Full { place, reason: reason(error) },
        SqlState::TOO_MANY_CONNECTIONS => DestinationError::Unreachable {
            place,
            reason: because("each running stream needs one connection: raise max_connections, or run fewer at once"),
        },
        SqlState::INSUFFICIENT_PRIVILEGE => {
            DestinationError::Denied { place, reason: because("docs/destinations.md lists the grants that are needed") }
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => DestinationError::Denied {
            place,
            reason: because("check the user in the address, its password, and pg_hba.conf"),
        },
        SqlState::INVALID_CATALOG_NAME => {
            DestinationError::Unusable { place, reason: because("create it first: createdb --encoding UTF8") }
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => DestinationError::Unusable {
            place,
            reason: because(
                "a standby or a read-only session takes no rows: name the primary, or all servers with \
                 target_session_attrs=read-write",
            ),
        },
        SqlState::LOCK_NOT_AVAILABLE => DestinationError::Unreachable {
            place,
            reason: because("another program holds a lock on the table for long"),
        },
        SqlState::QUERY_CANCELED => DestinationError::Unreachable {
            place,
            reason: because("somebody or a statement_timeout has stopped it; raise that for the user of the address"),
        },
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_COLUMN
        | SqlState::INVALID_COLUMN_REFERENCE
        | SqlState::DATATYPE_MISMATCH => {
            incompatible("somebody has changed the table meanwhile; the next run makes it ready again")
        }
        SqlState::PROGRAM_LIMIT_EXCEEDED | SqlState::TOO_MANY_COLUMNS | SqlState::STATEMENT_TOO_COMPLEX => {
            incompatible("a row has to fit into one page of PostgreSQL's: leave fields out of the mapping")
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => DestinationError::Unusable {
            place,
            reason: because("the database is damaged: restore a backup, or import again into another one"),
        },
        _ => match code.code().get(..2).unwrap_or_default() {
            // Connection exceptions, and the server's end or beginning.
            "08" | "57" => DestinationError::Unreachable { place, reason: reason(error) },
            "40" => DestinationError::Unreachable { place, reason: because("another program writes the same rows") },
            // Insufficient resources; system errors such as a failing disk.
            "53" | "58" => DestinationError::Unreachable { place, reason: reason(error) },
            "28" => DestinationError::Denied { place, reason: reason(error) },
            "23" => incompatible("drop the constraint that refuses the rows, or choose another table name"),
            // A trigger of somebody's.
            "P0" | "09" | "27" | "38" => {
                incompatible("drop the trigger that refuses the rows, or choose another table name")
            }
            // Data that a changed column refuses, names that are taken, dependent views, features a table lacks.
            "0A" | "22" | "2B" | "42" | "54" | "55" => {
                incompatible("change what the message names, or choose another table name")
            }
            _ => DestinationError::Other { place, reason: reason(error) },
        },
    }
}

/// Errors that the server did not send.
fn without_code(place: String, error: &Error) -> DestinationError {
    let reason = reason(error);
    if reason.contains("password missing") {
        let advice = "the server wants a password: put it into ~/.pgpass, or into an environment variable that the \
                      address names (?password_env=NAME)";
        return DestinationError::Denied { place, reason: advice.to_owned() };
    }
    if reason.contains("invalid configuration") || reason.contains("TLS") {
        return DestinationError::Unusable { place, reason };
    }
    DestinationError::Unreachable { place, reason }
}

/// PostgreSQL's own words, with what they are about. Never the detail of a refused row: it repeats values.
fn reason(error: &Error) -> String {
    let Some(answer) = error.as_db_error() else {
        // The error itself says only which step failed; its cause says why.
        return error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    };
    let mut reason = answer.message().to_owned();
    let is_about_rows = answer.code().code().starts_with("23") || answer.code().code().starts_with("22");
    if let Some(detail) = answer.detail().filter(|_| !is_about_rows) {
        reason.push_str(&format!(" ({detail})"));
    }
    for (what, name) in [("column", answer.column()), ("constraint", answer.constraint())] {
        if let Some(name) = name.filter(|name| !reason.contains(*name)) {
            reason.push_str(&format!(" ({what} {name:?})"));
        }
    }
    reason
}
