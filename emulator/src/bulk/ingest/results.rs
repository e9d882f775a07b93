//! What became of the rows of a job: `successfulResults`, `failedResults` and `unprocessedrecords`.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::job::{Job, State};
use crate::answer::{Answer, ApiError};
use crate::bulk::file::{CSV, Stored, csv_answer, lost_results, without_last_lines};
use crate::call::Call;
use crate::faults::Effect;
use crate::payload::Payload;
use crate::route::RowSet;

/// The rows of a job that is over.
#[derive(Clone, Debug)]
pub(super) struct Results {
    /// The names of the upload as it has them.
    pub(super) header: Bytes,
    pub(super) written: Option<Written>,
    /// The upload, and where in it the rows begin that were not looked at.
    pub(super) rest: Option<(Arc<Stored>, u64)>,
}

/// The rows that were looked at.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) successful: Arc<Stored>,
    pub(super) failed: Arc<Stored>,
}

impl Results {
    /// Those of a job of which no row was looked at: everything is unprocessed, header and all.
    pub(super) fn untouched(upload: Option<Arc<Stored>>) -> Self {
        Self { header: Bytes::new(), written: None, rest: upload.map(|upload| (upload, 0)) }
    }
}

impl Job {
    /// The columns are those of the guide: `sf__Id` and what became of the row in front of the uploaded ones
    /// (Bulk API 2.0 guide v66, "Get Job Successful Record Results" and the two behind it).
    pub(super) fn results(&self, call: &Call, rows: RowSet, effect: Option<&Effect>) -> Result<Answer, ApiError> {
        let results = match self.state() {
            State::Over(_, results) => results,
            other => {
                let message = format!("Results are not available in the state {}", other.name());
                return Err(ApiError::bad_request("INVALIDJOBSTATE", message));
            }
        };
        let separator = self.order.format.dialect();
        let names: &[&str] = match rows {
            RowSet::Successful => &["\"sf__Id\"", "\"sf__Created\""],
            RowSet::Failed => &["\"sf__Id\"", "\"sf__Error\""],
            RowSet::Unprocessed => &[],
        };
        let mut head = Vec::new();
        for name in names.iter().map(|name| name.as_bytes()).chain([results.header.as_ref()]) {
            if !head.is_empty() && !name.is_empty() {
                head.push(separator.delimiter);
            }
            head.extend_from_slice(name);
        }
        if !head.is_empty() {
            head.extend_from_slice(separator.line_ending.as_bytes());
        }
        let (file, from) = match (rows, results.written, results.rest) {
            (RowSet::Successful, Some(written), _) => (written.successful, 0),
            (RowSet::Failed, Some(written), _) => (written.failed, 0),
            (RowSet::Unprocessed, _, Some((upload, from))) => (upload, from),
            _ => return Ok(Answer::typed(StatusCode::OK, CSV, Payload::bytes(head))),
        };
        let lacking = match effect {
            Some(Effect::ShortPage { rows }) => *rows,
            _ => 0,
        };
        let end = without_last_lines(&file, from, lacking).map_err(lost_results)?;
        Ok(csv_answer(call, head.into(), file, from..end))
    }
}
