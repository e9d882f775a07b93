//! Documents that anybody may read: OpenID Connect discovery and the login page's configuration.

use serde_json::{Value, json};

use crate::answer::{Answer, ApiError};
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::site::Site;

/// The scopes of the document at `login.salesforce.com` and of Salesforce Help, "OAuth Tokens and Scopes".
const SCOPES: &[&str] = &[
    "cdp_ingest_api",
    "custom_permissions",
    "cdp_segment_api",
    "content",
    "cdp_api",
    "chatbot_api",
    "cdp_identityresolution_api",
    "interaction_api",
    "wave_api",
    "einstein_gpt_api",
    "cdp_calculated_insight_api",
    "pwdless_login_api",
    "id",
    "api",
    "eclair_api",
    "lightning",
    "data_cloud_user_claims",
    "mcp_api",
    "email",
    "pardot_api",
    "visualforce",
    "cdp_query_api",
    "sfap_api",
    "offline_access",
    "address",
    "openid",
    "profile",
    "cdp_profile_api",
    "refresh_token",
    "user_registration_api",
    "scrt_api",
    "phone",
    "forgot_password",
    "full",
    "chatter_api",
    "web",
];

/// Members that name an address, and its path.
const ENDPOINTS: [(&str, &str); 5] = [
    ("authorization_endpoint", "/services/oauth2/authorize"),
    ("token_endpoint", "/services/oauth2/token"),
    ("revocation_endpoint", "/services/oauth2/revoke"),
    ("introspection_endpoint", "/services/oauth2/introspect"),
    ("jwks_uri", "/id/keys"),
];

impl Org {
    /// `GET /.well-known/openid-configuration`; a My Domain answers with itself as the issuer.
    pub(crate) fn openid_configuration(&self, call: &Call) -> Answer {
        self.provider(
            call,
            json!({
                "userinfo_endpoint": format!("{}/services/oauth2/userinfo", self.issuer(call)),
                "registration_endpoint": format!("{}/services/oauth2/register", self.issuer(call)),
                "response_types_supported": ["code", "token", "token id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "display_values_supported": ["page", "popup", "touch"],
            }),
        )
    }

    /// A description of the org as a provider of tokens: what every such document says, and `more`.
    fn provider(&self, call: &Call, mut more: Value) -> Answer {
        let issuer = self.issuer(call);
        for (name, path) in ENDPOINTS {
            more[name] = json!(format!("{issuer}{path}"));
        }
        more["issuer"] = json!(issuer);
        more["scopes_supported"] = json!(SCOPES);
        more["token_endpoint_auth_methods_supported"] =
            json!(["client_secret_post", "client_secret_basic", "private_key_jwt"]);
        Answer::ok(&more)
    }

    /// The host that was asked, as an issuer.
    fn issuer(&self, call: &Call) -> String {
        match (call.arrival, call.site) {
            (Arrival::Tls, Site::Login | Site::Test) => format!("https://{}", call.host),
            _ => self.instance_url(call.arrival),
        }
    }

    /// `GET /.well-known/oauth-authorization-server` (RFC 8414). The login hosts have none; a My Domain answers as
    /// `api.salesforce.com` does, for clients that can do nothing but authorization code with PKCE and refresh.
    pub(crate) fn authorization_server(&self, call: &Call) -> Answer {
        if call.site != Site::MyDomain {
            return ApiError::not_found().into();
        }
        self.provider(
            call,
            json!({
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "code_challenge_methods_supported": ["S256"],
            }),
        )
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
