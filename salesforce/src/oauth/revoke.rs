//! Ends tokens at Salesforce.

use url::form_urlencoded::Serializer;

use super::post;
use crate::{
    error::{OAuthCause, OAuthError, Stage},
    host::OrgUrl,
    http::{Answer, Http, Replay, Request},
    secret::{AccessToken, RefreshToken},
};

/// A token that Salesforce issued.
#[derive(Debug, Clone, Copy)]
pub enum IssuedToken<'a> {
    Access(&'a AccessToken),
    Refresh(&'a RefreshToken),
}

impl IssuedToken<'_> {
    pub(super) fn expose(&self) -> &str {
        match self {
            Self::Access(token) => token.expose(),
            Self::Refresh(token) => token.expose(),
        }
    }
}

/// When a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Now,
    /// Salesforce does not know it, or not any more.
    Before,
}

/// Revokes `token` at `host`, which is best the org's own. A refresh token takes its access tokens with it, an access
/// token ends alone (help page `remoteaccess_revoke_token`). No app has to prove itself.
///
/// A token that has ended already counts as done.
///
/// # Errors
/// Any other refusal, or why there was no usable answer: then the token may live on.
pub async fn revoke(http: &Http, host: &OrgUrl, token: IssuedToken<'_>) -> Result<Revoked, OAuthError> {
    let form = Serializer::new(String::new()).append_pair("token", token.expose()).finish();
    let request = Request::oauth("/services/oauth2/revoke", form.into(), Replay::Harmless);
    match post(http, host, &request, Stage::Token).await {
        Ok(Answer { .. }) => Ok(Revoked::Now),
        Err(error) if error.cause() == Some(OAuthCause::TokenDead) => Ok(Revoked::Before),
        // Salesforce repeats the token in its text.
        Err(error) => Err(error.without(token.expose())),
    }
}
