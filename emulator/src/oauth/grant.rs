//! The grants: what is presented, and what it gives.

use super::OAuthError;
use super::form::Parameters;
use super::token::Request;
use crate::org::Org;
use crate::scenario::{AppKind, AppSpec, UserSpec};
use crate::session::{ApprovalId, InProcess, Refusal};
use crate::site::Site;

/// The grant types that this org redeems. The others of Salesforce's catalogue get `unsupported_grant_type`, as an org
/// answers for flows that are not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrantType {
    ClientCredentials,
    Password,
    RefreshToken,
}

impl GrantType {
    pub(super) fn of(parameters: &Parameters) -> Option<Self> {
        match parameters.get("grant_type")? {
            "client_credentials" => Some(Self::ClientCredentials),
            "password" => Some(Self::Password),
            "refresh_token" => Some(Self::RefreshToken),
            _ => None,
        }
    }
}

/// What a grant gives.
pub(super) struct Granted<'a> {
    pub(super) app: &'a AppSpec,
    pub(super) user: &'a UserSpec,
    pub(super) scopes: Vec<String>,
    pub(super) approval: Option<ApprovalId>,
    /// A refresh token to hand out.
    pub(super) refresh_token: Option<String>,
    pub(super) shape: Shape,
    pub(super) in_process: Option<InProcess>,
}

/// Which optional fields the answer to a grant has.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) shows_scope: bool,
    pub(super) shows_api_instance: bool,
}

/// Scopes that the client credentials flow takes away from the app's.
const STRIPPED: [&str; 6] = ["full", "web", "refresh_token", "offline_access", "visualforce", "openid"];

impl Org {
    /// Salesforce Help, "OAuth 2.0 Client Credentials Flow".
    pub(super) async fn grant_client_credentials<'a>(
        &'a self,
        request: &Request<'a>,
    ) -> Result<Granted<'a>, OAuthError> {
        self.hang_if(request.hangs).await;
        let app = request.app;
        let flow = app
            .client_credentials
            .as_ref()
            .ok_or_else(|| OAuthError::invalid_grant("client credentials flow not enabled"))?;
        let run_as =
            flow.run_as.as_ref().ok_or_else(|| OAuthError::invalid_grant("no client credentials user enabled"))?;
        let user = self.active_user(run_as)?;
        let governed = match app.kind {
            AppKind::ExternalClientApp => self.scenario.org.run_as_needs_assignment,
            AppKind::ConnectedApp => false,
        };
        if governed {
            self.check_permitted(app, user)?;
        }
        refuse_scope(&request.parameters)?;
        let mut scopes = app.scopes.clone();
        scopes.retain(|scope| !STRIPPED.contains(&scope.as_str()));
        if scopes.is_empty() {
            return Err(OAuthError::invalid_grant("no valid scopes defined"));
        }
        Ok(Granted {
            app,
            user,
            scopes,
            approval: None,
            refresh_token: None,
            shape: Shape { shows_scope: true, shows_api_instance: true },
            in_process: None,
        })
    }

    /// Salesforce Help, "OAuth 2.0 Username-Password Flow". Every failure reads the same; the reason is for the org's
    /// login history only.
    pub(super) async fn grant_password<'a>(&'a self, request: &Request<'a>) -> Result<Granted<'a>, OAuthError> {
        self.hang_if(request.hangs).await;
        let failure = || OAuthError::invalid_grant("authentication failure");
        let app = request.app;
        let open = self.scenario.org.username_password_flow && app.kind == AppKind::ConnectedApp;
        if !open || !self.signs_in_at(request.site) {
            return Err(failure());
        }
        let parameters = &request.parameters;
        let username = parameters.get("username").ok_or_else(failure)?;
        let password = parameters.get("password").ok_or_else(failure)?;
        let user = self.scenario.user(username).ok_or_else(failure)?;
        if !self.password_fits(user, password) {
            return Err(failure());
        }
        let user = self.active_user(username)?;
        self.check_permitted(app, user)?;
        Ok(Granted {
            app,
            user,
            scopes: app.scopes.clone(),
            approval: None,
            refresh_token: None,
            shape: Shape { shows_scope: false, shows_api_instance: false },
            in_process: None,
        })
    }

    /// Salesforce Help, "OAuth 2.0 Refresh Token Flow", with rotation and replay detection.
    pub(super) async fn grant_refresh<'a>(&'a self, request: &Request<'a>) -> Result<Granted<'a>, OAuthError> {
        let expired = || OAuthError::invalid_grant("expired access/refresh token");
        let app = request.app;
        refuse_scope(&request.parameters)?;
        let token = request.parameters.get("refresh_token").ok_or_else(expired)?;
        if !self.signs_in_at(request.site) {
            return Err(expired());
        }
        let in_process = self
            .approvals
            .claim(token)
            .ok_or_else(|| OAuthError::invalid_grant("token request is already being processed"))?;
        self.hang_if(request.hangs).await;
        let now = self.clock.now();
        let policy = app.refresh_token_policy;
        let redeemed = self.approvals.present(token, &app.consumer_key, policy, now).map_err(|refusal| {
            if let Refusal::Replayed(approval) = refusal {
                self.sessions.end_approval(approval);
            }
            expired()
        })?;
        let user = self.active_user(&redeemed.username)?;
        self.check_permitted(app, user)?;
        let successor = app.refresh_token_rotation.then(|| self.new_refresh_token());
        self.approvals.used(redeemed.approval, token, successor.as_deref(), now);
        Ok(Granted {
            app,
            user,
            scopes: redeemed.scopes,
            approval: Some(redeemed.approval),
            refresh_token: successor,
            shape: Shape { shows_scope: true, shows_api_instance: false },
            in_process: Some(in_process),
        })
    }

    /// Whether this org's users sign in at a host: at its My Domain, and at its generic host unless that is closed.
    fn signs_in_at(&self, site: Site) -> bool {
        let org = &self.scenario.org;
        match site {
            Site::MyDomain => true,
            Site::Login => org.generic_login && !org.kind.is_sandbox(),
            Site::Test => org.generic_login && org.kind.is_sandbox(),
            Site::Lightning | Site::Setup | Site::Unknown => false,
        }
    }

    /// The password is followed immediately by the security token, unless the caller is in a trusted network.
    fn password_fits(&self, user: &UserSpec, sent: &str) -> bool {
        let Some(rest) = user.password.as_ref().and_then(|password| sent.strip_prefix(password.expose())) else {
            return false;
        };
        let token_fits = user.security_token.as_ref().is_some_and(|token| token.matches(rest));
        token_fits || (rest.is_empty() && self.scenario.org.trusted_network)
    }
}

fn refuse_scope(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("scope") {
        Some(_) => Err(OAuthError::new("invalid_request", "scope parameter not supported")),
        None => Ok(()),
    }
}
