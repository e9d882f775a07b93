//! The grants: what is presented, and what it gives.

mod authorization_code;
mod client_credentials;
mod device;
mod jwt_bearer;
mod password;
mod refresh;
mod token_exchange;

pub(super) use device::DeviceAnswer;
pub(super) use token_exchange::refuse_exchange;

use super::OAuthError;
use super::client::Proof;
use super::form::Parameters;
use crate::call::Call;
use crate::scenario::{AppSpec, SessionLevel, Setup, UserSpec};
use crate::session::{ApprovalId, InProcess};
use crate::sign_in::{Entry, Visit};
use crate::site::Site;

/// The grant types that this org knows. The others of Salesforce's catalogue (`hybrid_auth_code`, `hybrid_refresh`, the
/// SAML bearer assertion) get `unsupported_grant_type`, as an org answers for flows that are not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantType {
    AuthorizationCode,
    ClientCredentials,
    Device,
    /// No grant yet: a device asks for its codes.
    DeviceStart,
    JwtBearer,
    Password,
    RefreshToken,
    TokenExchange,
}

impl GrantType {
    pub(super) fn of(parameters: &Parameters) -> Option<Self> {
        let Some(grant_type) = parameters.get("grant_type") else {
            let starts_device_flow = parameters.get("response_type") == Some("device_code");
            return starts_device_flow.then_some(Self::DeviceStart);
        };
        match grant_type {
            "authorization_code" => Some(Self::AuthorizationCode),
            "client_credentials" => Some(Self::ClientCredentials),
            "device" => Some(Self::Device),
            "password" => Some(Self::Password),
            "refresh_token" => Some(Self::RefreshToken),
            "urn:ietf:params:oauth:grant-type:token-exchange" => Some(Self::TokenExchange),
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => Some(Self::JwtBearer),
            _ => None,
        }
    }

    /// Whether a host serves the grant at all (Salesforce Help, "OAuth Endpoints"; field reports for the errors).
    pub(super) fn check_site(self, site: Site) -> Result<(), OAuthError> {
        match site {
            Site::MyDomain => Ok(()),
            Site::Login | Site::Test => match self {
                Self::ClientCredentials => Err(OAuthError::wrong_domain()),
                Self::AuthorizationCode
                | Self::Device
                | Self::DeviceStart
                | Self::JwtBearer
                | Self::Password
                | Self::RefreshToken
                | Self::TokenExchange => Ok(()),
            },
            Site::Setup => Err(OAuthError::wrong_domain()),
            Site::Lightning | Site::Unknown => Err(OAuthError::unsupported_grant_type()),
        }
    }

    /// Whether an app has to prove itself for the grant.
    pub(super) fn proof(self, app: &AppSpec) -> Proof {
        let required = match self {
            Self::AuthorizationCode | Self::Device => app.secret_required_for_web_server,
            Self::DeviceStart => false,
            Self::ClientCredentials | Self::Password => true,
            Self::RefreshToken => app.secret_required_for_refresh,
            Self::TokenExchange => app.secret_required_for_token_exchange,
            Self::JwtBearer => false,
        };
        if required { Proof::Required } else { Proof::Optional }
    }
}

/// A token request whose client has passed all checks.
pub(super) struct Request<'a> {
    pub(super) call: &'a Call,
    pub(super) setup: &'a Setup,
    pub(super) app: &'a AppSpec,
    pub(super) parameters: &'a Parameters,
    /// A fault keeps this request from being answered for now.
    pub(super) hangs: bool,
}

impl<'a> Request<'a> {
    /// A user who comes in by this request, with a session of standard level.
    pub(super) fn visit(&self, user: &'a UserSpec, entry: Entry) -> Visit<'a> {
        Visit { setup: self.setup, app: Some(self.app), user, entry, level: SessionLevel::Standard }
    }
}

/// What a grant gives.
pub(super) struct Granted<'a> {
    pub(super) user: &'a UserSpec,
    pub(super) scopes: Vec<String>,
    pub(super) level: SessionLevel,
    pub(super) entry: Entry,
    pub(super) approval: Option<ApprovalId>,
    /// The `nonce` of the authorization request, for the ID token.
    pub(super) nonce: Option<String>,
    /// A refresh token to hand out.
    pub(super) refresh_token: Option<String>,
    pub(super) in_process: Option<InProcess>,
}

impl<'a> Granted<'a> {
    /// A session of standard level without a refresh token.
    pub(super) fn session(user: &'a UserSpec, entry: Entry, scopes: Vec<String>) -> Self {
        let level = SessionLevel::Standard;
        Self { user, scopes, level, entry, approval: None, nonce: None, refresh_token: None, in_process: None }
    }
}

/// Refuses the parameter `scope` where a grant decides the scopes itself.
fn refuse_scope(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("scope") {
        Some(_) => Err(OAuthError::new("invalid_request", "scope parameter not supported")),
        None => Ok(()),
    }
}
