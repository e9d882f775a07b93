//! Access tokens in JWT format, of apps that issue them ("Issue JSON Web Token (JWT)-based access tokens for named
//! users").

use serde_json::json;

use crate::call::Arrival;
use crate::jwt;
use crate::org::Org;
use crate::session::Session;

/// The token counts from a little before its issue, so that clocks behind the org's accept it.
const LEEWAY_SECONDS: i64 = 15;

impl Org {
    /// The token of a session, with the members that `forcedotcom/SalesforceMobileSDK-Android` reads (`JwtAccessToken`)
    /// and those of the samples in its tests.
    pub(super) fn jwt_access_token(&self, session: &Session, arrival: Arrival) -> String {
        let header = json!({"tty": "sfdc-core-token", "tnk": format!("core/emulated/{}", self.id), "ver": "1.0"});
        let issuer = self.instance_url(arrival);
        let issued = session.issued.timestamp();
        let claims = json!({
            "iss": issuer,
            "aud": [issuer],
            "sub": format!("uid:{}", self.user_id(&session.username)),
            "scp": session.scopes.join(" "),
            "client_id": session.consumer_key,
            "iat": issued,
            "nbf": issued - LEEWAY_SECONDS,
            "exp": session.expires().timestamp(),
            "mty": "oauth",
            "roles": [],
            "hsc": false,
        });
        jwt::sign(&header, &claims)
    }
}
