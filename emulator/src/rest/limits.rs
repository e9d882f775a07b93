//! Allocations of the org: `GET /limits`, and the count of API requests.

use http::{Method, StatusCode};
use serde_json::json;

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;

impl Org {
    /// Counts one API request.
    pub(super) fn count_request(&self) -> Result<(), ApiError> {
        let limit = self.scenario.limits.daily_api_requests;
        match self.usage.api_requests.count(self.now(), limit) {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(ApiError::new(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
            }
        }
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
        Ok(Answer::ok(&json!({
            "DailyApiRequests": entry(limits.daily_api_requests, requests),
            "DailyAsyncApexExecutions": entry(250_000, 0),
            "DailyBulkApiBatches": entry(15_000, 0),
            "DailyBulkV2QueryFileStorageMB": entry(976_562, 0),
            "DailyBulkV2QueryJobs": entry(limits.daily_bulk_query_jobs, jobs),
            "DailyStreamingApiEvents": entry(1_000_000, 0),
            "DataStorageMB": entry(10_240, 0),
            "FileStorageMB": entry(10_240, 0),
            "MassEmail": entry(5_000, 0),
            "SingleEmail": entry(5_000, 0),
        })))
    }
}
