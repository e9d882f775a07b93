//! The resources of Bulk API 2.0 below `/services/data/vXX.0/jobs`, and of Bulk API 1.0.

/// A resource of Bulk API 2.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BulkRoute {
    QueryJobs,
    QueryJob(String),
    QueryResults(String),
    QueryResultPages(String),
    IngestJobs,
    IngestJob(String),
    IngestUpload(String),
    IngestResults(String, RowSet),
}

impl BulkRoute {
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match segments {
            ["query"] => Self::QueryJobs,
            ["query", id] => Self::QueryJob(owned(id)),
            ["query", id, "results"] => Self::QueryResults(owned(id)),
            // The guide's own follow-up links are in lower case.
            ["query", id, pages] if pages.eq_ignore_ascii_case("resultPages") => Self::QueryResultPages(owned(id)),
            ["ingest"] => Self::IngestJobs,
            ["ingest", id] => Self::IngestJob(owned(id)),
            ["ingest", id, "batches"] => Self::IngestUpload(owned(id)),
            ["ingest", id, rows] => Self::IngestResults(owned(id), RowSet::parse(rows)?),
            _ => return None,
        })
    }

    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::QueryJobs => "/services/data/vXX.X/jobs/query",
            Self::QueryJob(_) => "/services/data/vXX.X/jobs/query/{id}",
            Self::QueryResults(_) => "/services/data/vXX.X/jobs/query/{id}/results",
            Self::QueryResultPages(_) => "/services/data/vXX.X/jobs/query/{id}/resultPages",
            Self::IngestJobs => "/services/data/vXX.X/jobs/ingest",
            Self::IngestJob(_) => "/services/data/vXX.X/jobs/ingest/{id}",
            Self::IngestUpload(_) => "/services/data/vXX.X/jobs/ingest/{id}/batches",
            Self::IngestResults(_, RowSet::Successful) => "/services/data/vXX.X/jobs/ingest/{id}/successfulResults",
            Self::IngestResults(_, RowSet::Failed) => "/services/data/vXX.X/jobs/ingest/{id}/failedResults",
            Self::IngestResults(_, RowSet::Unprocessed) => "/services/data/vXX.X/jobs/ingest/{id}/unprocessedrecords",
        }
    }
}

/// What became of the rows of an ingest job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowSet {
    Successful,
    Failed,
    Unprocessed,
}

impl RowSet {
    /// The guide writes the last of them in lower case and clients do not, and a slash may follow.
    fn parse(segment: &str) -> Option<Self> {
        [Self::Successful, Self::Failed, Self::Unprocessed]
            .into_iter()
            .find(|rows| segment.eq_ignore_ascii_case(rows.segment()))
    }

    fn segment(self) -> &'static str {
        match self {
            Self::Successful => "successfulResults",
            Self::Failed => "failedResults",
            Self::Unprocessed => "unprocessedrecords",
        }
    }
}

/// A resource below `/services/async/<version>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AsyncRoute {
    Jobs,
    Job(String),
    /// A mapping of names in uploads to fields.
    Spec(String),
    Batches(String),
    Batch {
        job: String,
        batch: String,
    },
    BatchRequest {
        job: String,
        batch: String,
    },
    BatchResults {
        job: String,
        batch: String,
    },
    BatchResult {
        job: String,
        batch: String,
        result: String,
    },
    Unknown,
}

impl AsyncRoute {
    pub(super) fn parse(segments: &[&str]) -> Self {
        let owned = |text: &str| text.to_owned();
        match segments {
            ["job"] => Self::Jobs,
            ["job", job] => Self::Job(owned(job)),
            ["job", job, "spec"] => Self::Spec(owned(job)),
            ["job", job, "batch"] => Self::Batches(owned(job)),
            ["job", job, "batch", batch] => Self::Batch { job: owned(job), batch: owned(batch) },
            ["job", job, "batch", batch, "request"] => Self::BatchRequest { job: owned(job), batch: owned(batch) },
            ["job", job, "batch", batch, "result"] => Self::BatchResults { job: owned(job), batch: owned(batch) },
            ["job", job, "batch", batch, "result", result] => {
                Self::BatchResult { job: owned(job), batch: owned(batch), result: owned(result) }
            }
            _ => Self::Unknown,
        }
    }

    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::Jobs => "/services/async/{version}/job",
            Self::Job(_) => "/services/async/{version}/job/{id}",
            Self::Spec(_) => "/services/async/{version}/job/{id}/spec",
            Self::Batches(_) => "/services/async/{version}/job/{id}/batch",
            Self::Batch { .. } => "/services/async/{version}/job/{id}/batch/{id}",
            Self::BatchRequest { .. } => "/services/async/{version}/job/{id}/batch/{id}/request",
            Self::BatchResults { .. } => "/services/async/{version}/job/{id}/batch/{id}/result",
            Self::BatchResult { .. } => "/services/async/{version}/job/{id}/batch/{id}/result/{id}",
            Self::Unknown => "/services/async/{version}",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_pages_are_found_in_either_spelling() {
        for spelling in ["resultPages", "resultpages"] {
            let expected = BulkRoute::QueryResultPages("750x".into());
            assert_eq!(BulkRoute::parse(&["query", "750x", spelling]), Some(expected));
        }
    }

    #[test]
    fn rows_of_a_job_are_found_in_any_spelling() {
        for (spelling, rows) in [
            ("successfulResults", RowSet::Successful),
            ("failedresults", RowSet::Failed),
            ("unprocessedRecords", RowSet::Unprocessed),
            ("unprocessedrecords", RowSet::Unprocessed),
        ] {
            let expected = BulkRoute::IngestResults("750x".into(), rows);
            assert_eq!(BulkRoute::parse(&["ingest", "750x", spelling]), Some(expected));
        }
        assert_eq!(BulkRoute::parse(&["ingest", "750x", "results"]), None);
    }
}
