//! ID tokens (Salesforce Help, "OpenID Connect" and "ID tokens"): who signed in, told to the app.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::digest;
use serde_json::json;

use crate::call::Arrival;
use crate::jwt;
use crate::org::Org;
use crate::scenario::{AppSpec, UserSpec};

impl Org {
    /// The ID token that comes with an access token whose scopes include `openid`. The `nonce` is the one of the
    /// authorization request.
    pub(super) fn id_token(
        &self,
        app: &AppSpec,
        user: &UserSpec,
        nonce: Option<&str>,
        access_token: &str,
        now: DateTime<Utc>,
        arrival: Arrival,
    ) -> String {
        let expires = now + TimeDelta::minutes(i64::from(app.id_token_minutes));
        let mut claims = json!({
            "iss": self.instance_url(arrival),
            "sub": self.identity_url(&user.username, arrival),
            "aud": app.consumer_key,
            "iat": now.timestamp(),
            "exp": expires.timestamp(),
            "at_hash": access_token_hash(access_token),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        jwt::sign(&json!({}), &claims)
    }
}

/// The left half of the SHA-256 of the access token (OpenID Connect Core 1.0 §3.1.3.6).
fn access_token_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_example_in_the_specification() {
        // OpenID Connect Core 1.0, §A.3 ("Example using response_type=id_token token").
        assert_eq!(access_token_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
