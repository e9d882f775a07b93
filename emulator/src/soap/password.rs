//! Users, their passwords and their sessions, and the time.
//!
//! Source: SOAP API guide, `getUserInfo()`, `setPassword()`, `changeOwnPassword()`, `resetPassword()`,
//! `invalidateSessions()`, `getServerTimestamp()`.

use super::Ask;
use super::fault::Fault;
use super::writer::Elements;
use crate::org::Org;
use crate::scenario::{Right, UserSpec};
use crate::value::Timestamp;

impl Org {
    pub(super) fn soap_timestamp(&self) -> String {
        let mut text = Vec::new();
        Timestamp::from(self.now()).write_bulk(&mut text);
        let mut out = Elements::default();
        out.within("result", |result| result.put("timestamp", &String::from_utf8_lossy(&text)));
        out.0
    }

    pub(super) fn soap_user_info(&self, ask: &Ask<'_>) -> String {
        let setup = self.setup(ask.call);
        let seconds = ask.session.timeout.num_seconds();
        let fields = setup.user(&ask.session.username).map(|user| self.user_info_fields(&setup, user, seconds));
        format!("<result>{}</result>", fields.unwrap_or_default().0)
    }

    pub(super) fn soap_set_password(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let operation = &ask.message.operation;
        let user = self.user_asked(ask)?;
        let password = operation.text_of("password");
        self.set_password(&user.username, password).map_err(|refusal| Fault::call("INVALID_NEW_PASSWORD", refusal))?;
        Ok("<result/>".to_owned())
    }

    pub(super) fn soap_change_own_password(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let operation = &ask.message.operation;
        let setup = self.configuration.saved();
        let user = setup.user(&ask.session.username).ok_or_else(unknown_user)?;
        if !user.password.as_ref().is_some_and(|password| password.matches(operation.text_of("oldPassword"))) {
            return Err(Fault::call("INVALID_OLD_PASSWORD", "invalid old password"));
        }
        let password = operation.text_of("newPassword");
        self.set_password(&user.username, password).map_err(|refusal| Fault::call("INVALID_NEW_PASSWORD", refusal))?;
        Ok("<result/>".to_owned())
    }

    /// A new password that the caller is told; it is to be changed when it is used.
    pub(super) fn soap_reset_password(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let user = self.user_asked(ask)?;
        let password = self.reset_password(&user.username);
        let mut out = Elements::default();
        out.within("result", |result| result.put("password", &password));
        Ok(out.0)
    }

    /// Ends sessions; one that is none counts as ended (inferred).
    pub(super) fn soap_invalidate_sessions(&self, ask: &Ask<'_>) -> String {
        let mut out = Elements::default();
        for session in ask.message.operation.texts_of("sessionIds") {
            self.sessions.end(&session);
            out.within("result", |result| result.flag("success", true));
        }
        out.0
    }

    /// The user that `userId` names: the caller, or anybody to whoever may change users.
    fn user_asked(&self, ask: &Ask<'_>) -> Result<UserSpec, Fault> {
        let id = ask.message.operation.text_of("userId").trim().to_owned();
        let setup = self.configuration.saved();
        let is_asked = |user: &&UserSpec| {
            let known = self.user_id(&user.username).to_string();
            matches!(id.len(), 15 | 18) && known.get(..15) == id.get(..15)
        };
        let user = setup.users.iter().find(is_asked).ok_or_else(unknown_user)?;
        let is_own = user.username.eq_ignore_ascii_case(&ask.session.username);
        if !is_own && !ask.caller.access.may(Right::Edit, "User") {
            return Err(Fault::call("INSUFFICIENT_ACCESS", "insufficient access rights on cross-reference id"));
        }
        Ok(user.clone())
    }
}

fn unknown_user() -> Fault {
    Fault::call("INVALID_ID_FIELD", "invalid user id")
}
