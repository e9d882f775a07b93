//! Salesforce Help, "OAuth 2.0 Refresh Token Flow for Renewed Sessions", with rotation and replay detection.

use super::{Granted, Request, refuse_scope};
use crate::oauth::OAuthError;
use crate::org::Org;
use crate::session::Refusal;
use crate::sign_in::{Entry, Visit};

impl Org {
    pub(in crate::oauth) async fn grant_refresh<'a>(&self, request: &Request<'a>) -> Result<Granted<'a>, OAuthError> {
        let expired = || OAuthError::invalid_grant("expired access/refresh token");
        let Request { app, setup, call, parameters, .. } = *request;
        refuse_scope(parameters)?;
        let token = parameters.get("refresh_token").ok_or_else(expired)?;
        if !self.signs_in_at(setup, call.site) {
            return Err(expired());
        }
        let in_process = self
            .approvals
            .claim(token)
            .ok_or_else(|| OAuthError::invalid_grant("token request is already being processed"))?;
        self.shared.hang_if(request.hangs).await;
        let now = self.now();
        let policy = app.refresh_token_policy;
        let redeemed = self.approvals.present(token, &app.consumer_key, policy, now).map_err(|refusal| {
            if let Refusal::Replayed(approval) = refusal {
                self.sessions.end_approval(approval);
            }
            expired()
        })?;
        let user = setup.user(&redeemed.username).ok_or_else(expired)?;
        let visit = Visit { level: redeemed.level, ..request.visit(user, Entry::Refresh) };
        self.admit(&visit)?;
        let successor = app.refresh_token_rotation.then(|| self.new_refresh_token());
        self.approvals.used(redeemed.approval, token, successor.as_deref(), now);
        Ok(Granted {
            level: redeemed.level,
            approval: Some(redeemed.approval),
            refresh_token: successor,
            in_process: Some(in_process),
            ..Granted::session(user, Entry::Refresh, redeemed.scopes)
        })
    }
}
