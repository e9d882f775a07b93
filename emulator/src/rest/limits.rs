//! Allocations of the org: `GET /limits`, and the count of API requests.

use http::{Method, StatusCode};
use serde_json::json;

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::schema::Access;

/// The API version that counts records first. Source: REST API guide, "Record Count".
const RECORD_COUNT_FROM: u16 = 40;

impl Org {
    /// Counts one API request.
    pub(crate) fn count_request(&self) -> Result<(), ApiError> {
        let limit = self.scenario.limits.daily_api_requests;
        let counted = self.usage.api_requests.count(self.now(), limit);
        counted.map(drop).map_err(|_| exceeded("TotalRequests Limit exceeded."))
    }

    /// Counts one API request, for the caller's app as well where it has a quota.
    pub(crate) fn count_request_of(&self, caller: &Caller) -> Result<(), ApiError> {
        if let Some((app, quota)) = self.app_quota(caller) {
            let counted = self.usage.of_app(app).count(self.now(), quota);
            counted.map_err(|_| exceeded("ConnectedAppRequests Limit exceeded."))?;
        }
        self.count_request()
    }

    /// Refuses a request while too many others have been running for long.
    pub(super) fn check_concurrency(&self, call: &Call) -> Result<(), ApiError> {
        let long = self.usage.running.long_beside(call.number, self.now());
        if long < self.scenario.limits.concurrent_long_requests {
            return Ok(());
        }
        Err(exceeded("ConcurrentRequests (Concurrent API Requests) Limit exceeded."))
    }

    /// The app of a caller and its quota, where it has one.
    fn app_quota<'a>(&self, caller: &'a Caller) -> Option<(&'a str, u64)> {
        let app = caller.app.as_deref()?;
        Some((app, *self.scenario.limits.daily_api_requests_per_app.get(app)?))
    }

    /// `Sforce-Limit-Info`. Source: REST API guide, "Limit Info Header"; the form with an app from simple-salesforce.
    pub(super) fn limit_info(&self, caller: Option<&Caller>) -> String {
        let now = self.now();
        let used = self.usage.api_requests.used(now);
        let usage = format!("api-usage={used}/{}", self.scenario.limits.daily_api_requests);
        match caller.and_then(|caller| self.app_quota(caller)) {
            None => usage,
            Some((app, quota)) => {
                let used = self.usage.of_app(app).used(now);
                format!("{usage}; per-app-api-usage={used}/{quota}(appName={app})")
            }
        }
    }

    /// `GET /limits/recordCount?sObjects=A,B`, or of all objects. Objects that there are not are left out.
    ///
    /// Source: REST API guide v66, "Record Count". Counts there are approximate; these are exact.
    pub(super) fn record_count(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        if caller.version < RECORD_COUNT_FROM {
            return Err(ApiError::not_found());
        }
        let named = call.parameter("sObjects").filter(|names| !names.is_empty());
        let wanted = |name: &str| {
            named.as_ref().is_none_or(|names| names.split(',').any(|wanted| wanted.trim().eq_ignore_ascii_case(name)))
        };
        let snapshot = self.snapshot();
        let objects = snapshot.schema().objects().iter().enumerate();
        let visible = objects.filter(|(_, object)| caller.access.reads(object) && wanted(&object.name));
        let counts: Vec<_> = visible
            .map(|(index, object)| json!({"count": snapshot.table(index).live_rows(), "name": object.name}))
            .collect();
        Ok(Answer::ok(&json!({"sObjects": counts})))
    }

    /// `GET /limits`, for users with View Setup and Configuration (REST API guide, "Limits").
    pub(super) fn limits(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        if !caller.access.view_setup {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "INSUFFICIENT_ACCESS",
                "insufficient access rights on cross-reference id",
            ));
        }
        let now = self.now();
        let limits = &self.scenario.limits;
        let entry = |max: u64, used: u64| json!({"Max": max, "Remaining": max.saturating_sub(used)});
        let requests = self.usage.api_requests.used(now);
        let jobs = self.usage.bulk_query_jobs.used(now);
        let stored = self.snapshot().storage_kilobytes() / 1024;
        let batches = self.usage.bulk_batches.used(now);
        Ok(Answer::ok(&json!({
            "DailyApiRequests": entry(limits.daily_api_requests, requests),
            "DailyAsyncApexExecutions": entry(250_000, 0),
            "DailyBulkApiBatches": entry(limits.daily_bulk_batches, batches),
            "DailyBulkV2QueryFileStorageMB": entry(976_562, 0),
            "DailyBulkV2QueryJobs": entry(limits.daily_bulk_query_jobs, jobs),
            "DailyStreamingApiEvents": entry(1_000_000, 0),
            "DataStorageMB": entry(limits.data_storage_megabytes.unwrap_or(10_240), stored),
            "FileStorageMB": entry(10_240, 0),
            "MassEmail": entry(5_000, 0),
            "SingleEmail": entry(5_000, 0),
        })))
    }
}

fn exceeded(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", message)
}
