//! Sessions of a grant that is known already.

use super::{ClientApp, Grant, TOKEN_ENDPOINT, TokenAnswer, TokenSet, post};
use crate::{
    error::OAuthError,
    host::{HostError, OrgUrl},
    http::{Http, MaySend, Replay, Request},
};

/// The answer to a renewal. What it does not say stays as it was known.
#[derive(Debug, Clone)]
pub struct Renewed {
    pub tokens: TokenSet,
    /// The answer names an API base that is not admitted: its session must not be used. Its refresh token is good all
    /// the same, and the one before it may be spent.
    pub instance_refused: Option<HostError>,
}

/// Posts `grant` to the token endpoint of `login` for another session of a connection whose API base is `known`.
///
/// What must not be sent twice is sent once, and only if `may_send` says yes when the connection stands: the caller
/// decides whether it is sent again. An answer whose API base is
/// missing or is not admitted is an answer nevertheless, since with it the refresh token that was sent may be spent.
///
/// # Errors
/// As those of [`super::exchange`].
pub async fn renew(
    http: &Http,
    login: &OrgUrl,
    app: &ClientApp,
    grant: &Grant,
    known: &OrgUrl,
    may_send: MaySend,
) -> Result<Renewed, OAuthError> {
    grant.check(login, app)?;
    let http = if grant.replay() == Replay::OnlyIfNotSeen { http.once() } else { http.clone() };
    let request = Request::oauth(TOKEN_ENDPOINT, grant.form(app), grant.replay()).only_if(may_send);
    let answer = post(&http, login, &request, grant.stage()).await?;
    read(&http, login, known, &answer.body)
}

fn read(http: &Http, login: &OrgUrl, known: &OrgUrl, body: &[u8]) -> Result<Renewed, OAuthError> {
    let read = TokenAnswer::read(login, body)?;
    let named = read.instance_url.as_deref().filter(|url| !url.is_empty());
    let named = named.map(|url| OrgUrl::from_instance_url(url, http.host_rules())).transpose();
    let (instance_url, instance_refused) = match named {
        Ok(named) => (named.unwrap_or_else(|| known.clone()), None),
        Err(refused) => (known.clone(), Some(refused)),
    };
    Ok(Renewed { tokens: read.into_tokens(instance_url), instance_refused })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::HostRules, http::HttpConfig};

    fn renewed(body: &str) -> Renewed {
        let http = Http::new(HttpConfig::default()).unwrap();
        let org = |host| OrgUrl::parse(host, HostRules::default()).unwrap();
        read(&http, &org("acme"), &org("acme--old.sandbox"), body.as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_without_an_address_keeps_the_known_one() {
        let renewed = renewed(r#"{"access_token":"a","refresh_token":"r"}"#);
        assert_eq!(renewed.tokens.instance_url.host(), "acme--old.sandbox.my.salesforce.com");
        assert!(renewed.instance_refused.is_none() && renewed.tokens.scopes.is_empty());
    }

    #[test]
    fn an_answer_with_an_address_that_is_not_admitted_still_brings_its_refresh_token() {
        for url in
            ["https://acme.example", "https://acme.my.salesforce.com.evil.example", "http://acme.my.salesforce.com"]
        {
            let body = format!(r#"{{"access_token":"a","refresh_token":"r","instance_url":"{url}"}}"#);
            let renewed = renewed(&body);
            assert!(renewed.instance_refused.is_some(), "{url}");
            assert_eq!(renewed.tokens.refresh_token.unwrap().expose(), "r");
            assert_eq!(renewed.tokens.instance_url.host(), "acme--old.sandbox.my.salesforce.com");
        }
    }
}
