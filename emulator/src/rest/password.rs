//! `/sobjects/User/{id}/password` (REST API guide, "sObject User Password"): whether it has expired, a new one, and a new
//! one that the org makes up.

use http::{Method, StatusCode};
use serde_json::json;

use super::caller::Caller;
use super::{allow, json_body};
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::scenario::Right;

impl Org {
    pub(super) fn user_password(&self, call: &Call, caller: &Caller, id: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::POST, Method::DELETE])?;
        let setup = self.configuration.saved();
        let user = self.user_named(&setup.users, id).ok_or_else(ApiError::not_found)?;
        let is_own = self.user_id(&user.username) == caller.user_id;
        if !is_own && !caller.access.may(Right::Edit, "User") {
            let message = "insufficient access rights on cross-reference id";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "INSUFFICIENT_ACCESS", message));
        }
        match call.method {
            Method::POST => {
                let body = json_body(call)?;
                let password = body["NewPassword"].as_str().unwrap_or_default();
                self.set_password(&user.username, password)
                    .map_err(|refusal| ApiError::bad_request("INVALID_NEW_PASSWORD", refusal))?;
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            Method::DELETE => Ok(Answer::ok(&json!({"NewPassword": self.reset_password(&user.username)}))),
            _ => Ok(Answer::ok(&json!({"IsExpired": user.password_expired}))),
        }
    }
}
