//! Salesforce Help, "OAuth 2.0 Client Credentials Flow".

use super::{Granted, Request, refuse_scope};
use crate::oauth::OAuthError;
use crate::org::Org;
use crate::scenario::AppState;
use crate::sign_in::{Entry, Refusal};

/// Scopes that the flow takes away from the app's.
const STRIPPED: [&str; 6] = ["full", "web", "refresh_token", "offline_access", "visualforce", "openid"];

impl Org {
    pub(in crate::oauth) fn grant_client_credentials<'a>(
        &self,
        request: &Request<'a>,
    ) -> Result<Granted<'a>, OAuthError> {
        let Request { app, setup, .. } = *request;
        if app.state == AppState::NotInstalled {
            return Err(Refusal::AppNotInstalled.into());
        }
        let flow = app
            .client_credentials
            .as_ref()
            .ok_or_else(|| OAuthError::invalid_grant("client credentials flow not enabled"))?;
        let run_as = flow.run_as.as_ref().and_then(|run_as| setup.user(run_as));
        let user = run_as.ok_or_else(|| OAuthError::invalid_grant("no client credentials user enabled"))?;
        self.admit(&request.visit(user, Entry::ClientCredentials))?;
        refuse_scope(request.parameters)?;
        let mut scopes = app.scopes.clone();
        scopes.retain(|scope| !STRIPPED.contains(&scope.as_str()));
        if scopes.is_empty() {
            return Err(OAuthError::invalid_grant("no valid scopes defined"));
        }
        Ok(Granted::session(user, Entry::ClientCredentials, scopes))
    }
}
