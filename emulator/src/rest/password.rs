//! Passwords of users: `/sobjects/User/{id}/password`.
//!
//! Source: REST API guide v66, "sObject User Password". That a new password needs eight characters, and the texts of
//! refusals, are inferred.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::allow;
use super::body::typed_body;
use super::caller::Caller;
use super::records::record_id;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::{Org, random_text};
use crate::scenario::{Right, Setup, UserSpec};
use crate::secret::Secret;

const SHORTEST: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewPassword {
    new_password: String,
}

impl Org {
    /// `GET` says whether the password has expired, `POST` sets one, `DELETE` makes one up.
    pub(super) fn password(&self, call: &Call, caller: &Caller, id: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::POST, Method::DELETE])?;
        let id = record_id(id)?;
        let setup = self.setup(call);
        let user =
            setup.users.iter().find(|user| self.user_id(&user.username) == id).ok_or_else(ApiError::not_found)?;
        if call.method != Method::POST && call.method != Method::DELETE {
            return Ok(Answer::ok(&json!({"isExpired": user.password_expired})));
        }
        if caller.user_id != id && !caller.access.may(Right::Edit, "User") {
            let message = "insufficient access rights on cross-reference id";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "INSUFFICIENT_ACCESS", message));
        }
        if call.method == Method::DELETE {
            let password = random_text(12);
            self.set_password(user, password.clone())?;
            return Ok(Answer::ok(&json!({"NewPassword": password})));
        }
        let NewPassword { new_password } = typed_body(call)?;
        if new_password.chars().count() < SHORTEST {
            let message = format!("Your password must be at least {SHORTEST} characters long.");
            return Err(ApiError::bad_request("INVALID_NEW_PASSWORD", message));
        }
        self.set_password(user, new_password)?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    fn set_password(&self, user: &UserSpec, password: String) -> Result<(), ApiError> {
        self.configuration.change(self.now(), |setup: &Setup| {
            let mut setup = setup.clone();
            let known = setup.users.iter_mut().find(|known| known.username == user.username);
            let known = known.ok_or_else(ApiError::not_found)?;
            (known.password, known.password_expired) = (Some(Secret::new(password)), false);
            Ok(setup)
        })
    }
}
