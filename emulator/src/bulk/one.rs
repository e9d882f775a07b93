//! Bulk API 1.0: `/services/async/<version>` (Bulk API guide v66).
//!
//! Jobs hold batches, and each batch is worked on by itself. Everything is XML or JSON; rows may be CSV too.

mod batch;
mod chunking;
mod create;
mod job;
mod records;
mod results;
mod run;
mod select;
mod submit;
mod wire;

use std::sync::Arc;

use http::{Method, StatusCode};

pub(super) use job::{Entry, Job};
pub(super) use records::read_any;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::rest::Caller;
use crate::route::{AsyncRoute, NEWEST_VERSION, OLDEST_VERSION};
use batch::Batch;
use wire::{Problem, Wire};

impl Org {
    /// Any call below `/services/async/<version>`.
    pub(crate) async fn bulk_one(
        self: &Arc<Self>,
        call: &Call,
        version: Option<u16>,
        route: AsyncRoute,
        effect: Option<&Effect>,
    ) -> Answer {
        let caller = match self.admit_to_bulk_one(call, version) {
            Ok(caller) => caller,
            Err(problem) => return problem.into_answer(Wire::of(call, None)),
        };
        let wire = match (&route, self.job_of(&caller, &route)) {
            (AsyncRoute::Jobs | AsyncRoute::Job(_) | AsyncRoute::Spec(_), job) => Wire::of(call, job.as_deref()),
            (_, Some(job)) => Wire::of_batches(call, &job),
            (_, None) => Wire::of(call, None),
        };
        let org = Arc::clone(self);
        let (call, effect) = (call.clone(), effect.cloned());
        // Reading ten megabytes of rows is no work for the event loop.
        let answering = tokio::task::spawn_blocking(move || {
            let answer = org.answer_of_bulk_one(&call, &caller, &route, wire, effect.as_ref());
            answer.unwrap_or_else(|problem| problem.into_answer(wire))
        });
        answering.await.unwrap_or_else(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The caller, by the header of this API alone. A wrong version is told first, as it is there.
    fn admit_to_bulk_one(&self, call: &Call, version: Option<u16>) -> Result<Caller, Problem> {
        let served = |version: &u16| (OLDEST_VERSION..=NEWEST_VERSION).contains(version);
        let version = version.filter(served).ok_or(Problem::new("InvalidVersion", "Unsupported API version"))?;
        let token = call.header("x-sfdc-session");
        let token = token.ok_or(Problem::new("InvalidSessionId", "Unable to find session id"))?;
        let caller = self.caller_by(call, token, version).map_err(worded)?;
        if caller.by_jwt {
            return Err(worded(ApiError::invalid_session()));
        }
        if !self.scenario.bulk.enabled {
            return Err(Problem::new("FeatureNotEnabled", "Async API not enabled"));
        }
        self.count_request().map_err(|error| Problem::new("ExceededQuota", error.message))?;
        Ok(caller)
    }

    /// The job that a route names, as far as it exists; it decides between XML and JSON.
    fn job_of(&self, caller: &Caller, route: &AsyncRoute) -> Option<Arc<Job>> {
        let id = match route {
            AsyncRoute::Job(job) | AsyncRoute::Spec(job) | AsyncRoute::Batches(job) => job,
            AsyncRoute::Batch { job, .. } | AsyncRoute::BatchRequest { job, .. } => job,
            AsyncRoute::BatchResults { job, .. } | AsyncRoute::BatchResult { job, .. } => job,
            AsyncRoute::Jobs | AsyncRoute::Unknown => return None,
        };
        self.jobs.one.find(id, caller.user_id, self.now())
    }

    fn answer_of_bulk_one(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: &AsyncRoute,
        wire: Wire,
        effect: Option<&Effect>,
    ) -> Result<Answer, Problem> {
        match route {
            AsyncRoute::Jobs => {
                allow(call, &[Method::POST])?;
                self.create_job_one(call, caller, wire, effect)
            }
            AsyncRoute::Job(_) => {
                allow(call, &[Method::GET, Method::POST])?;
                let job = self.met_job(caller, route, effect)?;
                if call.method == Method::POST {
                    self.change_job_one(call, &job)?;
                }
                Ok(wire.object(StatusCode::OK, "jobInfo", &job.items()))
            }
            AsyncRoute::Spec(_) => {
                self.met_job(caller, route, effect)?;
                Err(Problem::new("FeatureNotEnabled", "Transformation specs are not available in this org"))
            }
            AsyncRoute::Batches(_) => {
                allow(call, &[Method::GET, Method::POST])?;
                let job = self.met_job(caller, route, effect)?;
                if call.method == Method::POST {
                    return self.submit_batch(call, &job, wire, effect);
                }
                let batches: Vec<_> = job.batches().iter().map(|batch| batch.items()).collect();
                Ok(wire.list("batchInfoList", "batchInfo", &batches))
            }
            AsyncRoute::Batch { batch, .. }
            | AsyncRoute::BatchRequest { batch, .. }
            | AsyncRoute::BatchResults { batch, .. }
            | AsyncRoute::BatchResult { batch, .. } => {
                allow(call, &[Method::GET])?;
                let job = self.met_job(caller, route, effect)?;
                let unknown = || Problem::new("InvalidBatch", format!("Batch {batch} does not exist in this job"));
                let batch = job.batch(batch).ok_or_else(unknown)?;
                self.answer_of_batch(call, &job, batch, route, wire, effect)
            }
            AsyncRoute::Unknown => Err(Problem::new("InvalidUrl", format!("Destination URL not found: {}", call.path))),
        }
    }

    /// The job that a route names, after a fault has had its way with it.
    fn met_job(&self, caller: &Caller, route: &AsyncRoute, effect: Option<&Effect>) -> Result<Arc<Job>, Problem> {
        let job = self.job_of(caller, route).ok_or_else(Problem::no_job)?;
        job.expire(self.now());
        match effect {
            Some(Effect::ExpiredJob) => {
                self.jobs.one.remove(job.id);
                return Err(Problem::no_job());
            }
            Some(Effect::AbortedJob) => job.abort(self.now()),
            _ => {}
        }
        Ok(job)
    }

    fn answer_of_batch(
        self: &Arc<Self>,
        call: &Call,
        job: &Arc<Job>,
        batch: Arc<Batch>,
        route: &AsyncRoute,
        wire: Wire,
        effect: Option<&Effect>,
    ) -> Result<Answer, Problem> {
        match route {
            AsyncRoute::BatchRequest { .. } => Ok(batch.request_answer(call)),
            AsyncRoute::BatchResults { .. } => batch.results_answer(call, job, wire, effect),
            AsyncRoute::BatchResult { result, .. } => batch.result_answer(call, job, result, effect),
            _ => {
                if batch.is_ripe(self.now()) {
                    self.start_batch(Arc::clone(job), Arc::clone(&batch));
                }
                Ok(wire.object(StatusCode::OK, "batchInfo", &batch.items()))
            }
        }
    }
}

/// A refusal of the data API in the words of this one.
fn worded(error: ApiError) -> Problem {
    match error.code.as_ref() {
        "INVALID_SESSION_ID" => Problem::new("InvalidSessionId", "Invalid session id"),
        "API_CURRENTLY_DISABLED" => Problem::new("FeatureNotEnabled", "Async API not enabled"),
        _ => Problem::new("InvalidUser", error.message),
    }
}

fn allow(call: &Call, allowed: &[Method]) -> Result<(), Problem> {
    if allowed.contains(&call.method) {
        return Ok(());
    }
    Err(Problem { status: StatusCode::METHOD_NOT_ALLOWED, ..Problem::new("InvalidOperation", "Method not allowed") })
}
