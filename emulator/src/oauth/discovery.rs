//! Documents that anybody may read: OpenID Connect discovery and the login page's configuration.

use serde_json::json;

use crate::answer::{Answer, ApiError};
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::site::Site;

const SCOPES: [&str; 15] = [
    "cdp_ingest_api",
    "id",
    "api",
    "web",
    "full",
    "chatter_api",
    "visualforce",
    "refresh_token",
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
    "custom_permissions",
];

impl Org {
    /// `GET /.well-known/openid-configuration`; a My Domain answers with itself as the issuer.
    pub(crate) fn openid_configuration(&self, call: &Call) -> Answer {
        let issuer = match (call.arrival, call.site) {
            (Arrival::Tls, Site::Login | Site::Test) => format!("https://{}", call.host),
            _ => self.instance_url(call.arrival),
        };
        let oauth = |name: &str| format!("{issuer}/services/oauth2/{name}");
        Answer::ok(&json!({
            "issuer": issuer,
            "authorization_endpoint": oauth("authorize"),
            "token_endpoint": oauth("token"),
            "revocation_endpoint": oauth("revoke"),
            "userinfo_endpoint": oauth("userinfo"),
            "jwks_uri": format!("{issuer}/id/keys"),
            "registration_endpoint": oauth("register"),
            "introspection_endpoint": oauth("introspect"),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code", "token", "token id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "display_values_supported": ["page", "popup", "touch"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        }))
    }

    /// `GET /.well-known/auth-configuration`, on the My Domain only.
    pub(crate) fn auth_configuration(&self, call: &Call) -> Answer {
        if call.site != Site::MyDomain {
            return ApiError::not_found().into();
        }
        let url = self.instance_url(call.arrival);
        Answer::ok(&json!({
            "OrgId": self.id.to_string(),
            "Url": url,
            "MobileSDK": {
                "UseiOSNativeBrowserForAuthentication": false,
                "UseAndroidNativeBrowserForAuthentication": false,
                "shareBrowserSessionIOS": false,
                "shareBrowserSessionAndroid": false,
            },
            "LoginPage": {"LoginPageUrl": url, "UsernamePasswordDisplayed": true},
            "SamlProviders": [],
            "AuthProviders": [],
            "CertificateLogin": {"CertificateLoginUrl": null},
            "LoginPageType": "Standard",
            "LoginPageTypeConfigs": {},
        }))
    }
}
