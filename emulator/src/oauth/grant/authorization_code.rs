//! Salesforce Help, "OAuth 2.0 Web Server Flow for Web App Integration".

use super::{Granted, Request};
use crate::oauth::OAuthError;
use crate::org::Org;
use crate::scenario::{AppSpec, RefreshTokenPolicy, SessionLevel, UserSpec};
use crate::session::{Authorized, Unusable};
use crate::sign_in::{Entry, check_org};

/// A code of another app or of another host reads as one that never was.
impl From<Unusable> for OAuthError {
    fn from(unusable: Unusable) -> Self {
        Self::invalid_grant(match unusable {
            Unusable::Expired => "expired authorization code",
            Unusable::Unknown => "invalid authorization code",
        })
    }
}

impl Org {
    pub(in crate::oauth) fn grant_authorization_code<'a>(
        &self,
        request: &Request<'a>,
    ) -> Result<Granted<'a>, OAuthError> {
        let Request { app, setup, call, parameters, .. } = *request;
        let code = parameters.get("code").filter(|_| self.signs_in_at(setup, call.site)).ok_or(Unusable::Unknown)?;
        let authorized = self.codes.redeem(code, self.now(), |authorized| check(request, authorized))?;
        check_org(setup)?;
        let user = setup.user(&authorized.username).filter(|user| user.may_sign_in());
        let user = user.ok_or_else(|| OAuthError::invalid_grant("inactive user"))?;
        Ok(self.grant_authorized(app, user, authorized))
    }

    /// What a user has let an app have by a code.
    pub(in crate::oauth) fn grant_authorized<'a>(
        &self,
        app: &AppSpec,
        user: &'a UserSpec,
        authorized: Authorized,
    ) -> Granted<'a> {
        let Authorized { scopes, level, nonce, .. } = authorized;
        Granted { nonce, ..self.grant_approved(app, user, Entry::WebServer, scopes, level) }
    }

    /// A session for what a user approved, with a refresh token where scope and policy allow one.
    pub(in crate::oauth) fn grant_approved<'a>(
        &self,
        app: &AppSpec,
        user: &'a UserSpec,
        entry: Entry,
        scopes: Vec<String>,
        level: SessionLevel,
    ) -> Granted<'a> {
        let renews = scopes.iter().any(|scope| matches!(scope.as_str(), "refresh_token" | "offline_access"));
        let mut granted = Granted { level, ..Granted::session(user, entry, scopes) };
        if renews && app.refresh_token_policy != RefreshTokenPolicy::Zero {
            let (token, scopes) = (self.new_refresh_token(), granted.scopes.clone());
            let approval =
                self.approvals.grant(token.clone(), &app.consumer_key, &user.username, scopes, level, self.now());
            if let Some(displaced) = approval.displaced {
                self.sessions.end_approval(displaced);
            }
            granted.approval = Some(approval.id);
            granted.refresh_token = Some(token);
        }
        granted
    }
}

/// The app must be the one that asked, for the same callback, with the verifier that it promised. A verifier without a
/// challenge is surplus. That a failure leaves the code usable is inferred.
fn check(request: &Request<'_>, authorized: &Authorized) -> Result<(), OAuthError> {
    if authorized.consumer_key != request.app.consumer_key {
        return Err(Unusable::Unknown.into());
    }
    match request.parameters.get("redirect_uri") {
        None => return Err(OAuthError::new("redirect_uri_missing", "missing redirect_uri")),
        Some(uri) if uri != authorized.redirect_uri => {
            return Err(OAuthError::new("redirect_uri_mismatch", "redirect_uri must match configuration"));
        }
        Some(_) => {}
    }
    let verifier = request.parameters.get("code_verifier");
    match &authorized.challenge {
        Some(challenge) if !challenge.is_met_by(verifier.unwrap_or_default()) => {
            let is_documented = request.setup.org.wrong_verifier_is_invalid_request && verifier.is_some();
            let error = if is_documented { "invalid_request" } else { "invalid_grant" };
            Err(OAuthError::new(error, "invalid code verifier"))
        }
        _ => Ok(()),
    }
}
