//! Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration".

use super::{Granted, Request};
use crate::jwt::Unverified;
use crate::oauth::OAuthError;
use crate::org::Org;
use crate::scenario::{AppKind, Distribution, PermittedUsers, UserSpec};
use crate::sign_in::{Entry, Refusal};

impl Org {
    /// The checks in the order in which an org under construction meets their errors: the app, the assertion, its
    /// audience, its time, the approval, the scopes.
    pub(in crate::oauth) fn grant_jwt_bearer<'a>(&self, request: &Request<'a>) -> Result<Granted<'a>, OAuthError> {
        let app = request.app;
        let local = app.kind == AppKind::ExternalClientApp && app.distribution == Distribution::Local;
        if local && request.call.site.is_generic() {
            return Err(OAuthError::app_not_found());
        }
        let username = self.asserted_username(request)?;
        let user = self.preapproved_user(request, &username).map_err(|refusal| {
            self.note_refusal(&username, Some(app), Entry::JwtBearer, refusal);
            OAuthError::invalid_grant("user hasn't approved this consumer")
        })?;
        self.admit(&request.visit(user, Entry::JwtBearer)).map_err(|refusal| match refusal {
            Refusal::AppNotInstalled => scope_or_installation_missing(),
            other => other.into(),
        })?;
        if !app.has_refresh_scope() {
            return Err(scope_or_installation_missing());
        }
        let mut scopes = app.scopes.clone();
        scopes.retain(|scope| !matches!(scope.as_str(), "refresh_token" | "offline_access"));
        Ok(Granted::session(user, Entry::JwtBearer, scopes))
    }

    /// The user name in an assertion that the app signed, for this org, and that has neither expired nor been used.
    fn asserted_username(&self, request: &Request<'_>) -> Result<String, OAuthError> {
        let invalid = OAuthError::invalid_assertion;
        let Request { app, call, parameters, .. } = *request;
        let assertion = parameters.get("assertion").and_then(Unverified::parse).ok_or_else(invalid)?;
        let certificate = app.certificate.as_deref().ok_or_else(invalid)?;
        self.check_assertion(call, app, certificate, &assertion)?;
        Ok(assertion.claims().username().ok_or_else(invalid)?.to_owned())
    }

    /// The user, when nobody has to be asked: an admin approved the app for its users, or the user once approved it and
    /// that approval has not aged out under the refresh token policy.
    fn preapproved_user<'a>(&self, request: &Request<'a>, username: &str) -> Result<&'a UserSpec, Refusal> {
        let Request { app, setup, call, .. } = *request;
        let here = self.signs_in_at(setup, call.site);
        let user = setup.user(username).filter(|_| here).ok_or(Refusal::UnknownUser)?;
        let policy = app.refresh_token_policy;
        let has_approved = || self.approvals.use_consent(&app.consumer_key, &user.username, &[], policy, self.now());
        match app.permitted_users {
            PermittedUsers::All if !has_approved() => Err(Refusal::NotAdminApproved),
            PermittedUsers::All | PermittedUsers::AdminApproved => Ok(user),
        }
    }
}

fn scope_or_installation_missing() -> OAuthError {
    let text = "refresh_token scope is required and the connected app should be installed and preauthorized";
    OAuthError::new("invalid_request", text)
}
