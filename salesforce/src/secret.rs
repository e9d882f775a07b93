//! Secrets as types that cannot be printed, compared by accident, or serialised.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

macro_rules! secret {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Returns the secret itself, for the one place that sends or seals it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            /// True when nothing was given.
            pub fn is_empty(&self) -> bool {
                self.expose().is_empty()
            }
        }

        impl From<String> for $name {
            fn from(secret: String) -> Self {
                Self(secret.into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    )*};
}

secret! {
    /// What a data request is authorised with; opaque, lives minutes to hours.
    AccessToken;
    /// What a new access token is bought with; the most precious secret of a connection.
    RefreshToken;
    /// The secret of a client app, called Consumer Secret in Setup.
    ClientSecret;
    /// A Salesforce user's password.
    Password;
    /// What Salesforce appends to a password from an untrusted network (personal settings, *Reset My Security Token*).
    SecurityToken;
    /// What a browser brings back from signing in; good once, for 15 minutes.
    AuthorizationCode;
    /// What proves that a code is redeemed by whoever asked for it (RFC 7636); one for each attempt.
    CodeVerifier;
    /// What a device asks for its tokens with, while a person confirms the user code; good for ten minutes.
    DeviceCode;
    /// A signed statement of an app about who signs in (RFC 7523); good for minutes.
    Assertion;
}

impl AccessToken {
    /// Whether it is a JWT: three parts, of which the first begins as a JSON object does (RFC 7519, section 3). An
    /// opaque token holds a `!` behind the org's id.
    pub fn is_jwt(&self) -> bool {
        self.expose().starts_with("eyJ") && self.expose().split('.').count() == 3
    }
}
