//! Locators of result pages: opaque to clients, and the same page for the same locator while the job lives.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::ids::RecordId;

/// The locator of the page of a job that starts at a row.
pub(super) fn encode(job: RecordId, row: u64) -> String {
    STANDARD_NO_PAD.encode(format!("{row}:{}", job.short()))
}

/// The row that a locator of this job points to.
pub(super) fn decode(job: RecordId, locator: &str) -> Option<u64> {
    let bytes = STANDARD_NO_PAD.decode(locator.trim_end_matches('=')).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (row, of) = text.split_once(':')?;
    (of == job.short()).then(|| row.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job(ordinal: u64) -> RecordId {
        RecordId::new(crate::ids::KeyPrefix::parse("750").unwrap(), ordinal)
    }

    proptest! {
        #[test]
        fn a_locator_points_to_its_row_in_its_job_only(row: u64, ordinal in 1_u64..1000) {
            let locator = encode(job(ordinal), row);
            prop_assert_eq!(decode(job(ordinal), &locator), Some(row));
            prop_assert_eq!(decode(job(ordinal + 1), &locator), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            let _ = decode(job(1), &text);
        }
    }
}
