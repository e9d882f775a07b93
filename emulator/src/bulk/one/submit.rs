//! `POST /job/{id}/batch`.

use std::sync::Arc;

use http::{StatusCode, header};

use super::batch::{Batch, Origin, Sent};
use super::job::{Content, Job, Purpose, State};
use super::wire::{Problem, Wire};
use crate::answer::Answer;
use crate::bulk::fate::Fate;
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;

/// Bytes of a batch (Bulk API guide v66, limits).
const MAX_BATCH: usize = 10_000_000;
/// Source: `jsforce/jsforce`, issue 545.
const NOTHING_SENT: &str = "Unable to find any data to create batch";

impl Org {
    pub(super) fn submit_batch(
        self: &Arc<Self>,
        call: &Call,
        job: &Arc<Job>,
        wire: Wire,
        effect: Option<&Effect>,
    ) -> Result<Answer, Problem> {
        if job.state() != State::Open {
            let message = format!("A batch cannot be added to a job in the state {}", job.state().name());
            return Err(Problem::new("InvalidJobState", message));
        }
        check_media(call, job)?;
        let body = unpacked(call)?;
        if body.trim_ascii().is_empty() {
            return Err(Problem::new("ClientInputError", NOTHING_SENT));
        }
        let limit = self.scenario.limits.daily_bulk_batches;
        let counted = self.usage.bulk_batches.count(self.now(), limit);
        counted.map_err(|_| Problem::new("ExceededQuota", "ApiBatchItems Limit exceeded."))?;
        let sent = Sent {
            request: self.jobs.disk().store(body).map_err(|error| Problem::new("Unknown", error.to_string()))?,
            media: call.header(header::CONTENT_TYPE).unwrap_or_else(|| job.content().media()).to_owned(),
            origin: Origin::Client,
            fate: Fate::of(effect, self.now()),
        };
        let batch = self.add_batch(job, sent);
        let answer = wire.object(StatusCode::CREATED, "batchInfo", &batch.items());
        self.start_batch(Arc::clone(job), batch);
        Ok(answer)
    }

    pub(super) fn add_batch(&self, job: &Job, sent: Sent) -> Arc<Batch> {
        let batch = Arc::new(Batch::new(self.jobs.next_batch_id(), job.id, self.now(), sent));
        job.add(Arc::clone(&batch));
        batch
    }
}

/// Rows have to come in the format of the job; a query is a text, whatever it says that it is. The text is inferred.
fn check_media(call: &Call, job: &Job) -> Result<(), Problem> {
    let fits = match job.content() {
        Content::Csv => call.has_media_type("text/csv"),
        Content::Xml => call.has_media_type("application/xml") || call.has_media_type("text/xml"),
        Content::Json => call.has_media_type("application/json"),
    };
    if fits || matches!(job.order.purpose, Purpose::Select { .. }) {
        return Ok(());
    }
    let message = format!("The content type of the batch is not that of the job, {}", job.content().name());
    Err(Problem::new("InvalidBatch", message))
}

/// The body; one that is larger than a batch may be, its compression taken away, is refused.
fn unpacked(call: &Call) -> Result<&[u8], Problem> {
    let body = call.body.as_ref();
    if body.len() > MAX_BATCH {
        let size = body.len();
        let message = format!("Exceeded max size limit of {MAX_BATCH} with response size {size}");
        return Err(Problem::new("ClientInputError", message));
    }
    Ok(body)
}
