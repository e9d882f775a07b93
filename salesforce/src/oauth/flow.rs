//! The ways to connect, as a person meets them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A way to connect an org. It says how the first session is obtained; [`Flow::renewal`] says how the next ones are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// A person signs in in a browser (authorization code with PKCE; help page `remoteaccess_oauth_web_server_flow`).
    WebServer,
    /// A person enters a code on another device (help page `remoteaccess_oauth_device_flow`).
    Device,
    /// The app signs in as its Run As user (help page `remoteaccess_oauth_client_credentials_flow`).
    ClientCredentials,
    /// A signed assertion speaks for a user who approved the app (help page `remoteaccess_oauth_jwt_flow`).
    JwtBearer,
    /// A user's password and security token (help page `remoteaccess_oauth_username_password_flow`); ending.
    Password,
    /// SOAP `login()`, without any client app (SOAP API guide, `login()`; help article 005132110); ending.
    SoapLogin,
    /// A refresh token that another tool obtained.
    RefreshToken,
}

/// How a connection gets its next session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// By its refresh token, which may rotate.
    RefreshToken,
    /// By the same credentials once more; nothing is used up.
    SameCredentials,
}

impl Flow {
    pub const ALL: [Self; 7] = [
        Self::WebServer,
        Self::Device,
        Self::ClientCredentials,
        Self::JwtBearer,
        Self::Password,
        Self::SoapLogin,
        Self::RefreshToken,
    ];

    /// The stable name, as settings, documents and the command line spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebServer => "web-server",
            Self::Device => "device",
            Self::ClientCredentials => "client-credentials",
            Self::JwtBearer => "jwt-bearer",
            Self::Password => "password",
            Self::SoapLogin => "soap-login",
            Self::RefreshToken => "refresh-token",
        }
    }

    /// What it is called among people.
    pub fn title(self) -> &'static str {
        match self {
            Self::WebServer => "Sign in with Salesforce",
            Self::Device => "Code on another device",
            Self::ClientCredentials => "Client credentials",
            Self::JwtBearer => "Certificate (JWT bearer)",
            Self::Password => "User name and password",
            Self::SoapLogin => "SOAP login()",
            Self::RefreshToken => "Refresh token from another tool",
        }
    }

    /// How a connection that was made this way gets its next session.
    pub fn renewal(self) -> Renewal {
        match self {
            Self::WebServer | Self::Device | Self::RefreshToken => Renewal::RefreshToken,
            Self::ClientCredentials | Self::JwtBearer | Self::Password | Self::SoapLogin => Renewal::SameCredentials,
        }
    }

    /// True when repeating a refused sign-in can lock a user out: what was refused is not sent again before it changes.
    pub fn has_password(self) -> bool {
        matches!(self, Self::Password | Self::SoapLogin)
    }

    /// Why this way is ending, with dates; `None` for a way that stays.
    ///
    /// Sources: help page `remoteaccess_disable_username_password_flow_ca`, help articles 005228017 and 005132110.
    pub fn ending(self) -> Option<&'static str> {
        match self {
            Self::Password => Some(
                "The username-password flow is ending: orgs created since Summer '23 block it, External Client Apps do \
                 not offer it, and new Connected Apps can no longer be created",
            ),
            Self::SoapLogin => Some(
                "SOAP login() is ending: it does not exist in API 65.0 and later, API 31.0 to 64.0 stop with Summer \
                 '27, and new orgs have it switched off",
            ),
            Self::WebServer | Self::Device | Self::ClientCredentials | Self::JwtBearer | Self::RefreshToken => None,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A name that no flow has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no way to connect")]
pub struct UnknownFlow(pub String);

impl FromStr for Flow {
    type Err = UnknownFlow;

    fn from_str(name: &str) -> Result<Self, UnknownFlow> {
        Self::ALL.into_iter().find(|flow| flow.name() == name).ok_or_else(|| UnknownFlow(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flow_is_read_back_from_its_name() {
        for flow in Flow::ALL {
            assert_eq!(flow.name().parse(), Ok(flow));
            assert_eq!(serde_json::to_value(flow).unwrap(), flow.name());
        }
        assert_eq!("Password".parse::<Flow>(), Err(UnknownFlow("Password".into())));
    }
}
