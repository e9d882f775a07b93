//! Faults that a person is likely to want, and where.

use crate::database::StatusCode;
use crate::faults::{Effect, Fault};

/// Something that goes wrong at real orgs.
pub(super) struct TypicalFault {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    effect: fn() -> Effect,
}

/// Requests that faults are likely to be wanted for.
pub(super) struct TypicalRoute {
    pub(super) pattern: &'static str,
    pub(super) name: &'static str,
}

pub(super) const EFFECTS: [TypicalFault; 24] = [
    fault("expire", "The session has expired (401 INVALID_SESSION_ID)", || Effect::ExpireSession),
    fault("unavailable", "Too busy (503 with Retry-After: 1)", || Effect::Unavailable { retry_after: 1 }),
    fault("limit", "The day's requests are used up (403 REQUEST_LIMIT_EXCEEDED)", || {
        error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    }),
    fault("internal", "Internal error (500 UNKNOWN_EXCEPTION)", || {
        error(
            500,
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support",
        )
    }),
    fault("maintenance", "Maintenance page in HTML (503)", || Effect::Maintenance { status: 503 }),
    fault("maintenance-200", "Maintenance page in HTML with status 200", || Effect::Maintenance { status: 200 }),
    fault("lost", "The work is done, the answer is lost", || Effect::LostAnswer),
    fault("cut", "The answer breaks off after 100 bytes", || Effect::CutBody { after: 100 }),
    fault("slow", "The answer trickles, 200 bytes a second", || Effect::SlowBody { bytes_per_second: 200 }),
    fault("hang", "No answer until released", || Effect::Hang),
    fault("grant", "Sign-in refused (400 invalid_grant, expired access/refresh token)", || {
        refused("invalid_grant", "expired access/refresh token")
    }),
    fault("rate", "Sign-in refused (400 invalid_grant, login rate exceeded)", || {
        refused("invalid_grant", "login rate exceeded")
    }),
    fault("stuck-job", "A Bulk job that is created never ends", || Effect::StuckJob),
    fault("slow-job", "A Bulk job that is created takes an hour", || Effect::SlowJob { seconds: 3600 }),
    fault("tired-job", "A Bulk job that is created fails after 15 retries", || Effect::FailedJob {
        message: "InternalServerError : Job failed after it was retried more than 15 times".to_owned(),
    }),
    fault("aborted-job", "Somebody aborts the Bulk job", || Effect::AbortedJob),
    fault("expired-job", "The Bulk job has expired (404 NOT_FOUND)", || Effect::ExpiredJob),
    fault("expired-locator", "The locator has expired (400 INVALID_QUERY_LOCATOR)", || Effect::ExpiredLocator),
    fault("failed-job", "A Bulk job that is created fails", || Effect::FailedJob {
        message: "InternalServerError : Unexpected exception".to_owned(),
    }),
    fault("locked-rows", "The first 10 rows of a Bulk job are locked (UNABLE_TO_LOCK_ROW)", || Effect::FailedRows {
        rows: 10,
        code: "UNABLE_TO_LOCK_ROW".to_owned(),
        message: "unable to obtain exclusive access to this record".to_owned(),
    }),
    fault("half-done-job", "A Bulk job fails after 100 rows", || Effect::HalfDoneJob {
        after: 100,
        message: "TooManyLockFailure : too many lock failures".to_owned(),
    }),
    fault("cut-upload", "An upload breaks off after 100 bytes", || Effect::CutUpload { after: 100 }),
    fault("short-page", "A Bulk result page lacks its last row", || Effect::ShortPage { rows: 1 }),
    fault("locked-row", "A row that is written is locked (UNABLE_TO_LOCK_ROW)", || Effect::RefusedRow {
        status_code: StatusCode::UnableToLockRow,
        message: "unable to obtain exclusive access to this record".to_owned(),
        fields: Vec::new(),
    }),
];

pub(super) const ROUTES: [TypicalRoute; 15] = [
    route("*", "Any request"),
    route("* /services/data/*", "Any data request"),
    route("POST /services/oauth2/token", "Token endpoint"),
    route("GET /services/oauth2/authorize", "Authorize page"),
    route("GET /services/oauth2/userinfo", "User info"),
    route("GET /services/data/vXX.X/query", "Query"),
    route("GET /services/data/vXX.X/query/*", "Next page of a query"),
    route("GET /services/data/vXX.X/sobjects/{object}/describe", "Describe of an object"),
    route("* /services/data/vXX.X/sobjects/{object}/{id}", "A record"),
    route("POST /services/data/vXX.X/jobs/query", "Bulk job: create"),
    route("GET /services/data/vXX.X/jobs/query/{id}", "Bulk job: state"),
    route("GET /services/data/vXX.X/jobs/query/{id}/results", "Bulk job: results"),
    route("POST /services/data/vXX.X/jobs/ingest", "Bulk ingest: create"),
    route("PUT /services/data/vXX.X/jobs/ingest/{id}/batches", "Bulk ingest: upload"),
    route("POST /services/async/{version}/job/{id}/batch", "Bulk 1.0: batch"),
];

const fn fault(id: &'static str, name: &'static str, effect: fn() -> Effect) -> TypicalFault {
    TypicalFault { id, name, effect }
}

const fn route(pattern: &'static str, name: &'static str) -> TypicalRoute {
    TypicalRoute { pattern, name }
}

fn error(status: u16, code: &str, message: &str) -> Effect {
    Effect::Error { status, code: code.to_owned(), message: message.to_owned() }
}

/// An error in the shape of the token endpoint.
fn refused(error: &str, description: &str) -> Effect {
    let body = serde_json::json!({"error": error, "error_description": description}).to_string();
    Effect::Answer { status: 400, content_type: "application/json;charset=UTF-8".to_owned(), body }
}

/// The effect of a typical fault.
pub(super) fn effect(id: &str) -> Option<Effect> {
    EFFECTS.iter().find(|fault| fault.id == id).map(|fault| (fault.effect)())
}

/// A fault in a person's words; one that is not typical by the name of its effect.
pub(super) fn described(fault: &Fault) -> String {
    let typical = EFFECTS.iter().find(|typical| (typical.effect)() == fault.effect);
    typical.map_or_else(|| fault.effect.name().replace('_', " "), |typical| typical.name.to_owned())
}

/// When a fault that waits will strike.
pub(super) fn due(fault: &Fault) -> String {
    match fault.nth {
        0 | 1 => "at the next such request".to_owned(),
        more => format!("at such request number {more} from now"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn every_typical_fault_is_found_and_told_in_its_words() {
        for typical in &EFFECTS {
            let effect = effect(typical.id).unwrap();
            let fault = Fault { on: Pattern::from("*"), nth: 1, effect };
            assert_eq!(described(&fault), typical.name);
        }
    }
}
