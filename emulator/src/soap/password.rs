//! Users, their passwords and their sessions, and the time.
//!
//! Source: SOAP API guide, `getUserInfo()`, `setPassword()`, `changeOwnPassword()`, `resetPassword()`,
//! `invalidateSessions()`, `getServerTimestamp()`. The password policy is that of a new org: eight characters with a letter
//! and a digit; the words of its refusals are inferred.

use super::Ask;
use super::fault::Fault;
use super::writer::Elements;
use crate::org::{Org, random_text};
use crate::scenario::{Right, UserSpec};
use crate::secret::Secret;
use crate::value::Timestamp;

const SHORTEST: usize = 8;
const TEMPORARY: usize = 12;

/// What becomes of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// The user has chosen it.
    None,
    /// It is to be changed at the next login.
    AtNextLogin,
}

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
        check_new(password)?;
        self.store_password(&user.username, password, Expiry::None);
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
        check_new(password)?;
        self.store_password(&user.username, password, Expiry::None);
        Ok("<result/>".to_owned())
    }

    /// A new password that the caller is told; it is to be changed when it is used.
    pub(super) fn soap_reset_password(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let user = self.user_asked(ask)?;
        let password = format!("{}a1", random_text(TEMPORARY));
        self.store_password(&user.username, &password, Expiry::AtNextLogin);
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

    /// Stores a password at once, without the delay that other changes have.
    fn store_password(&self, username: &str, password: &str, expiry: Expiry) {
        self.configuration.amend(|setup| {
            if let Some(user) = setup.user_mut(username) {
                user.password = Some(Secret::new(password));
                user.password_expired = expiry == Expiry::AtNextLogin;
            }
        });
        self.attempts.password_was_right(username);
        if expiry == Expiry::None {
            self.sessions.renew_password(username);
        }
    }
}

fn unknown_user() -> Fault {
    Fault::call("INVALID_ID_FIELD", "invalid user id")
}

fn check_new(password: &str) -> Result<(), Fault> {
    let refuse = |message: &'static str| Err(Fault::call("INVALID_NEW_PASSWORD", message));
    if password.chars().count() < SHORTEST {
        return refuse("Your password must be at least 8 characters long.");
    }
    if !password.chars().any(char::is_alphabetic) || !password.chars().any(|c| c.is_ascii_digit()) {
        return refuse("Your password must have a mix of letters and numbers.");
    }
    Ok(())
}
