//! Process rules and approvals of an org that has none, and quick actions of one that has none.
//!
//! Source: REST API guide v66, "Process Rules" and "Process Approvals", for the shapes. That a request for approval is refused
//! in its result, and that work items which do not exist are invalid references, is inferred.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::typed_body;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::route::AppRoute;

#[derive(Deserialize)]
struct Approvals {
    requests: Vec<Approval>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    action_type: String,
    context_id: Option<String>,
}

/// `POST /process/rules`, `POST /process/approvals`, `POST /quickActions/{action}`.
pub(super) fn answer(call: &Call, part: AppRoute) -> Result<Answer, ApiError> {
    match part {
        AppRoute::ProcessRules => {
            typed_body::<serde_json::Map<String, Value>>(call)?;
            Ok(Answer::ok(&json!({"errors": null, "success": true})))
        }
        AppRoute::ProcessApprovals => {
            let approvals: Approvals = typed_body(call)?;
            let results: Vec<Value> = approvals.requests.iter().map(refused).collect();
            Ok(Answer::json(StatusCode::OK, &results))
        }
        _ => Err(ApiError::not_found()),
    }
}

fn refused(approval: &Approval) -> Value {
    let (code, message) = match approval.action_type.as_str() {
        "Submit" => ("NO_APPLICABLE_PROCESS", "No applicable approval process was found."),
        _ => ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
    };
    json!({
        "actorIds": null,
        "entityId": approval.context_id,
        "errors": [{"fields": [], "message": message, "statusCode": code}],
        "instanceId": null,
        "instanceStatus": null,
        "newWorkitemIds": null,
        "success": false,
    })
}
