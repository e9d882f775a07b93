//! What fails in a folder, a bucket or a file, by what cures it.

use std::io;

use parquet::errors::ParquetError;
use sync::destination::DestinationError;

/// What a failed operation on a folder means.
pub(super) fn io_fault(place: &str, doing: &str, error: &io::Error) -> DestinationError {
    use io::ErrorKind::{
        AlreadyExists, FileTooLarge, NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem,
        StorageFull,
    };
    let place = place.to_owned();
    let because = |advice: &str| format!("{doing}: {error}; {advice}");
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            DestinationError::Full { place, reason: format!("{doing}: {error}") }
        }
        PermissionDenied | ReadOnlyFilesystem => {
            DestinationError::Denied { place, reason: because("the folder and what is in it have to be writable") }
        }
        NotADirectory | AlreadyExists => DestinationError::Unusable {
            place,
            reason: because("something else is in the way: move it away, or name another folder"),
        },
        NotFound => DestinationError::Unreachable {
            place,
            reason: because("the folder was moved or removed meanwhile: put it back and run the same command again"),
        },
        _ => DestinationError::Unreachable { place, reason: format!("{doing}: {error}") },
    }
}

/// What a failed request to a bucket means. A store's answer may name keys: its code is all that is kept of it.
pub(super) fn store_fault(place: &str, doing: &str, error: &object_store::Error) -> DestinationError {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let place = place.to_owned();
    let text = chain(error);
    let code = code(&text);
    match (code, error) {
        (Some("NoSuchBucket"), _) => {
            let reason = format!("{doing}: there is no such bucket; make it, or correct the address");
            DestinationError::Unusable { place, reason }
        }
        (Some("RequestTimeTooSkewed"), _) => {
            let reason = format!("{doing}: this machine's clock differs from the store's by minutes; set it right");
            DestinationError::Denied { place, reason }
        }
        (Some("QuotaExceeded" | "XMinioStorageFull"), _) => DestinationError::Full { place, reason: doing.to_owned() },
        (Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"), _) => {
            let reason =
                format!("{doing}: the bucket is in another region; say so with region=<region> in the address");
            DestinationError::Unusable { place, reason }
        }
        (Some(code @ ("SlowDown" | "InternalError" | "ServiceUnavailable")), _) => {
            DestinationError::Unreachable { place, reason: format!("{doing}: {code}") }
        }
        (code, PermissionDenied { .. } | Unauthenticated { .. }) => {
            let code = code.unwrap_or("access denied");
            let reason = format!(
                "{doing}: {code}. Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), and that they \
                 may list, read, write and delete under this prefix"
            );
            DestinationError::Denied { place, reason }
        }
        (code, NotFound { .. }) => {
            let code = code.unwrap_or("not found");
            DestinationError::Unreachable { place, reason: format!("{doing}: {code}") }
        }
        (Some(code), _) => DestinationError::Unreachable { place, reason: format!("{doing}: {code}") },
        (None, _) if text.contains("169.254.169.254") || text.contains("credential") => DestinationError::Denied {
            place,
            reason: format!(
                "{doing}: there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
            ),
        },
        (None, _) => {
            let plain = text.split(['<', '\n']).next().unwrap_or_default();
            DestinationError::Unreachable { place, reason: format!("{doing}: {plain}") }
        }
    }
}

/// An error with its causes, as text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// The code of S3's error document.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

/// What it means that a data file cannot be read.
pub(super) fn file_fault(place: &str, name: &str, error: ParquetError) -> DestinationError {
    if let Some(error) = cause(&error) {
        return io_fault(place, &format!("data/{name}"), error);
    }
    DestinationError::Unusable {
        place: place.to_owned(),
        reason: format!("data/{name} cannot be read: {error}; {DAMAGED}"),
    }
}

/// What a file that is being written failed with.
pub(super) fn write_fault(place: &str, error: ParquetError) -> DestinationError {
    match cause(&error) {
        Some(error) => io_fault(place, "writing a file", error),
        None => DestinationError::Other { place: place.to_owned(), reason: error.to_string() },
    }
}

/// A file that the manifest names is not there.
pub(super) fn missing(place: &str, name: &str) -> DestinationError {
    DestinationError::Unusable {
        place: place.to_owned(),
        reason: format!("data/{name} is missing, and the table's rows with it; {DAMAGED}"),
    }
}

/// A file is not as it was written.
pub(super) fn damaged(place: &str, name: &str, reason: &str) -> DestinationError {
    let reason = format!("data/{name} cannot be read: {reason}; {DAMAGED}");
    DestinationError::Unusable { place: place.to_owned(), reason }
}

/// What cures a table that lacks a file or has a damaged one.
const DAMAGED: &str = "put it back from a backup, or move the table's whole folder away: the next run makes \
                                  the table again and imports everything";

fn cause(error: &ParquetError) -> Option<&io::Error> {
    match error {
        ParquetError::External(source) => source.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_full_and_one_that_is_read_only_are_told_apart() {
        let fault = |kind: io::ErrorKind| io_fault("Parquet folder /x", "writing", &kind.into());
        assert!(matches!(fault(io::ErrorKind::StorageFull), DestinationError::Full { .. }));
        assert!(matches!(fault(io::ErrorKind::ReadOnlyFilesystem), DestinationError::Denied { .. }));
        assert!(matches!(fault(io::ErrorKind::NotADirectory), DestinationError::Unusable { .. }));
        assert!(matches!(fault(io::ErrorKind::TimedOut), DestinationError::Unreachable { .. }));
    }

    #[test]
    fn a_stores_answer_is_told_by_its_code_and_nothing_else_of_it_is_repeated() {
        let answer = |code: &str| {
            let text = format!("<Error><Code>{code}</Code><AWSAccessKeyId>AKIAX</AWSAccessKeyId></Error>");
            let source = Box::<dyn std::error::Error + Send + Sync>::from(text);
            store_fault("s3://rows", "listing", &object_store::Error::Generic { store: "S3", source })
        };
        for (code, words) in [
            ("NoSuchBucket", "no such bucket"),
            ("RequestTimeTooSkewed", "clock"),
            ("AuthorizationHeaderMalformed", "region=<region>"),
            ("SlowDown", "SlowDown"),
            ("OddCode", "OddCode"),
        ] {
            let said = answer(code).to_string();
            assert!(said.contains(words) && !said.contains("AKIAX"), "{said}");
        }
    }
}
