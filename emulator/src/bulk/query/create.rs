//! `POST /jobs/query`.

use std::sync::Arc;

use serde::Deserialize;

use super::job::{Job, Operation, Order, Question};
use crate::answer::{Answer, ApiError};
use crate::bulk::dialect::{ColumnDelimiter, ContentType, Format, LineEnd};
use crate::bulk::fate::Fate;
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::rest::{Caller, json_body};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    operation: Operation,
    query: String,
    #[serde(default)]
    content_type: ContentType,
    #[serde(default)]
    column_delimiter: ColumnDelimiter,
    #[serde(default)]
    line_ending: LineEnd,
}

impl Org {
    pub(in crate::bulk) fn create_query_job(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        let wanted: Wanted = serde_json::from_value(json_body(call)?)
            .map_err(|error| ApiError::bad_request("INVALIDJOB", error.to_string()))?;
        let ContentType::Csv = wanted.content_type;
        let (plan, snapshot) = self.plan(&wanted.query, caller, wanted.operation.scope()).map_err(as_bulk_words_it)?;
        if let Some(refusal) = plan.bulk_refusal() {
            return Err(refusal.into());
        }
        self.refuse_object(&plan.object().name)?;
        self.count_job()?;
        let question =
            Question { query: wanted.query, access: caller.access.clone(), schema: Arc::clone(snapshot.schema()) };
        let order = Order {
            operation: wanted.operation,
            version: caller.version,
            format: Format { delimiter: wanted.column_delimiter, line_ending: wanted.line_ending },
            plan,
            question,
            fate: Fate::of(effect, self.now()),
        };
        let job = Arc::new(Job::new(self.jobs.next_job_id(), caller.user_id, self.now(), order));
        self.jobs.query.add(Arc::clone(&job));
        let answer = Answer::ok(&job.summary());
        self.start_query_job(job);
        Ok(answer)
    }

    /// Refuses the objects that the scenario keeps from Bulk.
    pub(in crate::bulk) fn refuse_object(&self, name: &str) -> Result<(), ApiError> {
        let refused = &self.scenario.bulk.refused_objects;
        if refused.iter().any(|refused| refused.eq_ignore_ascii_case(name)) {
            let message = format!("Entity '{name}' is not supported by the Bulk API.");
            return Err(ApiError::bad_request("INVALIDENTITY", message));
        }
        Ok(())
    }

    fn count_job(&self) -> Result<(), ApiError> {
        let limit = self.scenario.limits.daily_bulk_query_jobs;
        let counted = self.usage.bulk_query_jobs.count(self.now(), limit);
        counted.map(|_| ()).map_err(|_| {
            let message = format!("Max bulk v2 query jobs ({limit}) per 24 hrs has been reached");
            ApiError::bad_request("LIMIT_EXCEEDED", message)
        })
    }
}

/// An object that needs a filter is refused with the code of all that Bulk does not support.
fn as_bulk_words_it(error: ApiError) -> ApiError {
    if error.message.starts_with("Implementation restriction") {
        return ApiError::bad_request("API_ERROR", error.message);
    }
    error
}
