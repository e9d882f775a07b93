//! Asks Salesforce what a token is good for, and how long.

use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{ClientApp, post, revoke::IssuedToken};
use crate::{
    error::{OAuthError, Stage},
    host::OrgUrl,
    http::{Answer, Http, Replay, Request},
    time::Timestamp,
};

/// What Salesforce says about a token. Only `active` is always known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introspection {
    /// False for a token that has ended, and for one of another app.
    pub active: bool,
    pub scopes: Vec<String>,
    pub client_id: Option<String>,
    pub username: Option<String>,
    /// When the session ends if it is not used; the only way to learn it (access tokens are opaque).
    pub expires_at: Option<Timestamp>,
    pub issued_at: Option<Timestamp>,
}

/// The answer (RFC 7662, section 2.2). Times are seconds, as numbers or as texts.
#[derive(Deserialize)]
struct IntrospectionAnswer {
    active: bool,
    scope: Option<String>,
    client_id: Option<String>,
    username: Option<String>,
    #[serde(default)]
    exp: Value,
    #[serde(default)]
    iat: Value,
}

/// Asks about a token of `app` (help page `remoteaccess_oidc_token_introspection`). The app has to prove itself by its
/// secret, and sees its own tokens only, unless it is set to "Introspect All Tokens".
///
/// # Errors
/// The refusal with its cause, a missing secret, or why there was no usable answer.
pub async fn introspect(
    http: &Http,
    host: &OrgUrl,
    app: &ClientApp,
    token: IssuedToken<'_>,
) -> Result<Introspection, OAuthError> {
    if app.secret().is_none() {
        return Err(OAuthError::SecretMissing { grant: "asking about tokens" });
    }
    let kind = match token {
        IssuedToken::Access(_) => "access_token",
        IssuedToken::Refresh(_) => "refresh_token",
    };
    let form = {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token.expose()).append_pair("token_type_hint", kind);
        app.append_to(&mut form);
        form.finish()
    };
    let request = Request::oauth("/services/oauth2/introspect", form.into(), Replay::Harmless);
    let answer = post(http, host, &request, Stage::Token).await.map_err(|error| error.without(token.expose()))?;
    read(&answer).map_err(|reason| OAuthError::Unexpected { host: host.host().to_owned(), reason })
}

fn read(answer: &Answer) -> Result<Introspection, String> {
    let read: IntrospectionAnswer = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("no state of a token in line {} column {}", error.line(), error.column()))?;
    Ok(Introspection {
        active: read.active,
        scopes: read.scope.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        client_id: read.client_id,
        username: read.username,
        expires_at: moment(&read.exp),
        issued_at: moment(&read.iat),
    })
}

fn moment(seconds: &Value) -> Option<Timestamp> {
    let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.trim().parse().ok())?;
    Some(Timestamp(seconds.checked_mul(1000)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_as_numbers_and_as_texts() {
        for (seconds, expected) in [
            (json!(1_755_172_801), Some(Timestamp(1_755_172_801_000))),
            (json!("1755172801"), Some(Timestamp(1_755_172_801_000))),
            (json!(null), None),
            (json!("soon"), None),
            (json!(i64::MAX), None),
        ] {
            assert_eq!(moment(&seconds), expected, "{seconds}");
        }
    }
}
