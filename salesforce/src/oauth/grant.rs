//! What is posted to the token endpoint; pure.

use bytes::Bytes;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::ClientApp;
use crate::{
    error::{OAuthError, Stage},
    host::OrgUrl,
    http::Replay,
    secret::{Assertion, AuthorizationCode, CodeVerifier, DeviceCode, Password, RefreshToken, SecurityToken},
};

/// What a token is asked for with.
#[derive(Debug, Clone)]
pub enum Grant {
    ClientCredentials,
    Password {
        username: String,
        password: Password,
        security_token: Option<SecurityToken>,
    },
    Refresh {
        refresh_token: RefreshToken,
    },
    /// `redirect_uri` and `verifier` are those of the request that the code answers.
    AuthorizationCode {
        code: AuthorizationCode,
        redirect_uri: String,
        verifier: CodeVerifier,
    },
    /// One poll; see [`super::start_device`].
    Device {
        device_code: DeviceCode,
    },
    JwtBearer {
        assertion: Assertion,
    },
}

impl Grant {
    /// Whether this grant can be posted to `login` at all.
    pub(super) fn check(&self, login: &OrgUrl, app: &ClientApp) -> Result<(), OAuthError> {
        match self {
            Self::ClientCredentials if login.is_generic() => {
                Err(OAuthError::GenericHost { host: login.host().to_owned() })
            }
            Self::ClientCredentials if app.secret().is_none() => {
                Err(OAuthError::SecretMissing { grant: "client credentials" })
            }
            Self::Password { .. } if app.secret().is_none() => {
                Err(OAuthError::SecretMissing { grant: "the password flow" })
            }
            Self::ClientCredentials
            | Self::Password { .. }
            | Self::Refresh { .. }
            | Self::AuthorizationCode { .. }
            | Self::Device { .. }
            | Self::JwtBearer { .. } => Ok(()),
        }
    }

    /// What repeating this grant does. Codes and assertions are good once: the answer to a second use tells nothing.
    pub(super) fn replay(&self) -> Replay {
        match self {
            Self::ClientCredentials | Self::Password { .. } => Replay::Harmless,
            Self::Refresh { .. } | Self::AuthorizationCode { .. } | Self::Device { .. } | Self::JwtBearer { .. } => {
                Replay::OnlyIfNotSeen
            }
        }
    }

    /// How a refusal of this grant is read.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::ClientCredentials | Self::Password { .. } | Self::Refresh { .. } | Self::AuthorizationCode { .. } => {
                Stage::Token
            }
            Self::Device { .. } => Stage::Device,
            Self::JwtBearer { .. } => Stage::Assertion,
        }
    }

    /// The form of the token endpoint (help pages "OAuth 2.0 … Flow"; table of parameters by grant).
    pub(super) fn form(&self, app: &ClientApp) -> Bytes {
        let mut form = Serializer::new(String::new());
        match self {
            Self::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            Self::Password { username, password, security_token } => {
                form.append_pair("grant_type", "password").append_pair("username", username);
                form.append_pair("password", &with_token(password, security_token.as_ref()));
            }
            Self::Refresh { refresh_token } => {
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", refresh_token.expose());
            }
            Self::AuthorizationCode { code, redirect_uri, verifier } => {
                form.append_pair("grant_type", "authorization_code").append_pair("code", code.expose());
                form.append_pair("redirect_uri", redirect_uri).append_pair("code_verifier", verifier.expose());
            }
            Self::Device { device_code } => {
                form.append_pair("grant_type", "device").append_pair("code", device_code.expose());
            }
            // The assertion names the app by itself, and no secret is involved.
            Self::JwtBearer { assertion } => {
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                return form.append_pair("assertion", assertion.expose()).finish().into();
            }
        }
        app.append_to(&mut form);
        form.finish().into()
    }
}

impl ClientApp {
    /// Names the app, and proves it if it has a secret: one that is sent is checked even where none is needed.
    pub(super) fn append_to(&self, form: &mut Serializer<'_, String>) {
        form.append_pair("client_id", &self.client_id);
        if let Some(secret) = self.secret() {
            form.append_pair("client_secret", secret.expose());
        }
    }
}

/// The password as Salesforce wants it: the security token directly follows.
pub(super) fn with_token(password: &Password, security_token: Option<&SecurityToken>) -> Zeroizing<String> {
    Zeroizing::new(format!("{}{}", password.expose(), security_token.map_or("", SecurityToken::expose)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostRules;

    fn app() -> ClientApp {
        ClientApp { client_id: "key".to_owned(), client_secret: Some("s&cret".to_owned().into()) }
    }

    fn secret<T: From<String>>(text: &str) -> T {
        text.to_owned().into()
    }

    fn refresh() -> Grant {
        Grant::Refresh { refresh_token: secret("5Aep") }
    }

    fn password() -> Grant {
        let (password, security_token) = (secret("p w"), Some(secret("TOKEN")));
        Grant::Password { username: "a+b@acme.test".to_owned(), password, security_token }
    }

    fn code() -> Grant {
        let redirect_uri = "https://app.example/callback".to_owned();
        Grant::AuthorizationCode { code: secret("aPrx=="), redirect_uri, verifier: secret("word") }
    }

    #[test]
    fn each_grant_posts_its_own_parameters_and_no_scope() {
        let device = Grant::Device { device_code: secret("d/1") };
        let assertion = Grant::JwtBearer { assertion: secret("a.b.c") };
        for (grant, form) in [
            (Grant::ClientCredentials, "grant_type=client_credentials&client_id=key&client_secret=s%26cret"),
            (
                password(),
                "grant_type=password&username=a%2Bb%40acme.test&password=p+wTOKEN&client_id=key&client_secret=s%26cret",
            ),
            (refresh(), "grant_type=refresh_token&refresh_token=5Aep&client_id=key&client_secret=s%26cret"),
            (
                code(),
                "grant_type=authorization_code&code=aPrx%3D%3D&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&\
                 code_verifier=word&client_id=key&client_secret=s%26cret",
            ),
            (device, "grant_type=device&code=d%2F1&client_id=key&client_secret=s%26cret"),
            (assertion, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c"),
        ] {
            assert_eq!(grant.form(&app()), form);
        }
    }

    #[test]
    fn a_public_app_sends_no_secret() {
        for client_secret in [None, Some(secret(""))] {
            let app = ClientApp { client_id: "key".to_owned(), client_secret };
            assert!(!String::from_utf8_lossy(&code().form(&app)).contains("client_secret"));
            assert!(
                Grant::ClientCredentials.check(&OrgUrl::parse("acme", HostRules::default()).unwrap(), &app).is_err()
            );
        }
    }

    #[test]
    fn client_credentials_are_not_sent_to_a_generic_host() {
        for host in ["login.salesforce.com", "test.salesforce.com"] {
            let login = OrgUrl::parse(host, HostRules::default()).unwrap();
            let refused = Grant::ClientCredentials.check(&login, &app()).unwrap_err();
            assert!(matches!(&refused, OAuthError::GenericHost { host: named } if named == host));
            assert!(refused.to_string().contains("My Domain"));
            assert!(refresh().check(&login, &app()).is_ok());
        }
    }

    #[test]
    fn what_is_good_once_must_not_be_sent_twice() {
        assert_eq!(refresh().replay(), Replay::OnlyIfNotSeen);
        assert_eq!(code().replay(), Replay::OnlyIfNotSeen);
        assert_eq!(Grant::ClientCredentials.replay(), Replay::Harmless);
    }
}
