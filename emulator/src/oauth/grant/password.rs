//! Salesforce Help, "OAuth 2.0 Username-Password Flow for Special Scenarios".

use super::{Granted, Request};
use crate::oauth::OAuthError;
use crate::org::Org;
use crate::scenario::{AppKind, UserSpec};
use crate::sign_in::{Entry, PasswordForm, Refusal};

impl Org {
    /// Failures of the person read the same, whatever they are; the reason is for the org's login history only.
    pub(in crate::oauth) fn grant_password<'a>(&self, request: &Request<'a>) -> Result<Granted<'a>, OAuthError> {
        let username = request.parameters.get("username").unwrap_or_default();
        let user = self.user_by_password(request, username).map_err(|refusal| {
            self.note_refusal(username, Some(request.app), Entry::Password, refusal);
            OAuthError::from(refusal)
        })?;
        self.admit(&request.visit(user, Entry::Password)).map_err(unspecific)?;
        Ok(Granted::session(user, Entry::Password, request.app.scopes.clone()))
    }

    fn user_by_password<'a>(&self, request: &Request<'a>, username: &str) -> Result<&'a UserSpec, Refusal> {
        let Request { app, setup, call, parameters, .. } = *request;
        let open = setup.org.username_password_flow && app.kind == AppKind::ConnectedApp;
        if !open || !self.signs_in_at(setup, call.site) {
            return Err(Refusal::FlowClosed);
        }
        let password = parameters.get("password").unwrap_or_default();
        self.check_password(setup, username, password, PasswordForm::WithToken)
    }
}

/// Neither the state of the user nor the place nor the time is told.
fn unspecific(refusal: Refusal) -> OAuthError {
    match refusal {
        Refusal::Inactive | Refusal::RestrictedIp | Refusal::RestrictedHours => {
            OAuthError::invalid_grant("authentication failure")
        }
        other => other.into(),
    }
}
