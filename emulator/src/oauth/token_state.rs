//! Introspection (RFC 7662) and revocation (RFC 7009) of tokens, with Salesforce's departures from both.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::OAuthError;
use super::client::Proof;
use super::form::{ClientCredentials, Encoding, Parameters, jsonp};
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::scenario::AppSpec;

impl Org {
    /// `POST /services/oauth2/introspect` (Salesforce Help, "OpenID Connect Token Introspection").
    pub(crate) fn introspect(&self, call: &Call) -> Answer {
        if call.method != Method::POST {
            return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let parameters = Parameters::of(call);
        let setup = self.setup(call);
        let authentic = ClientCredentials::of(call, &parameters).ok().and_then(|credentials| {
            let app = setup.app(credentials.id.as_deref()?)?;
            self.check_client(call, app, &credentials, Proof::Required).is_ok().then_some(app)
        });
        let Some(app) = authentic else {
            return OAuthError::new("invalid_client", "invalid client credentials")
                .with_status(StatusCode::UNAUTHORIZED)
                .into_answer(Encoding::Json);
        };
        let Some(token) = parameters.get("token") else {
            return OAuthError::new("invalid_request", "missing token").into_answer(Encoding::Json);
        };
        Answer::ok(&self.token_state(app, token, call.arrival).unwrap_or_else(|| json!({"active": false})))
    }

    fn token_state(&self, asking: &AppSpec, token: &str, arrival: Arrival) -> Option<Value> {
        let may_see = |key: &str| key == asking.consumer_key || asking.introspects_all_tokens;
        if let Some(session) = self.sessions.look_up(token, self.now()) {
            return session.consumer_key.as_deref().is_some_and(may_see).then(|| {
                json!({
                    "active": true,
                    "scope": session.scopes.join(" "),
                    "client_id": session.consumer_key,
                    "username": session.username,
                    "sub": self.identity_url(&session.username, arrival),
                    "token_type": "access_token",
                    "exp": session.expires().timestamp(),
                    "iat": session.issued.timestamp(),
                    "nbf": session.issued.timestamp(),
                })
            });
        }
        let approval = self.approvals.current(token)?;
        may_see(&approval.consumer_key).then(|| {
            json!({
                "active": true,
                "scope": approval.scopes.join(" "),
                "client_id": approval.consumer_key,
                "username": approval.username,
                "sub": self.identity_url(&approval.username, arrival),
                "token_type": "refresh_token",
                "iat": approval.issued.timestamp(),
                "nbf": approval.issued.timestamp(),
            })
        })
    }

    /// `POST|GET /services/oauth2/revoke`. A refresh token takes its access tokens with it, an access token only itself.
    pub(crate) fn revoke(&self, call: &Call) -> Answer {
        if !matches!(call.method, Method::GET | Method::POST) {
            return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let parameters = Parameters::of(call);
        let token = parameters.get("token").unwrap_or_default();
        let revoked = self.sessions.end(token) || self.revoke_refresh_token(token);
        if let Some(callback) = parameters.get("callback") {
            let (status, body) = match revoked {
                true => (StatusCode::OK, "{}"),
                false => (StatusCode::BAD_REQUEST, r#"{"error":"invalid_token"}"#),
            };
            return jsonp(status, callback, body);
        }
        if revoked {
            return Answer::empty(StatusCode::OK);
        }
        // jsforce reads a failing body as a query string.
        let encoding = Encoding::wanted(call, &parameters, Encoding::UrlEncoded);
        OAuthError::new("unsupported_token_type", format!("invalid token: {token}")).into_answer(encoding)
    }

    fn revoke_refresh_token(&self, token: &str) -> bool {
        // Lists of tokens show another token that revokes (object reference v66, OauthToken).
        let Some(approval) = self.approvals.current_id(token).or_else(|| self.approvals.to_delete(token)) else {
            return false;
        };
        self.approvals.end(approval);
        self.sessions.end_approval(approval);
        true
    }
}
