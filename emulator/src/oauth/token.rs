//! `POST /services/oauth2/token`.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use http::{Method, StatusCode};
use ring::hmac;

use super::OAuthError;
use super::form::{ClientCredentials, Encoding, Fields, Parameters};
use super::grant::{GrantType, Granted};
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::scenario::{AppSpec, AppState, PermittedUsers, UserSpec};
use crate::session::Session;
use crate::site::Site;

/// A token request whose client and flow have passed all checks.
pub(super) struct Request<'a> {
    pub(super) app: &'a AppSpec,
    pub(super) site: Site,
    pub(super) parameters: Parameters,
    /// A fault keeps this request from being answered for now.
    pub(super) hangs: bool,
}

impl Org {
    /// Answers a token request. With `hangs` it stays in process until it is released.
    pub(crate) async fn token(self: &Arc<Self>, call: &Call, hangs: bool) -> Answer {
        let parameters = Parameters::of(call);
        let encoding = Encoding::wanted(call, &parameters, Encoding::Json);
        match self.grant(call, parameters, hangs).await {
            Ok(granted) => self.issue(call, granted, encoding),
            Err(error) => error.into_answer(encoding),
        }
    }

    /// The checks in their order: method, grant type, host, client, its state, its secret, then the grant's own.
    async fn grant<'a>(&'a self, call: &Call, parameters: Parameters, hangs: bool) -> Result<Granted<'a>, OAuthError> {
        if call.method != Method::POST {
            return Err(OAuthError::new("invalid_request", "must use HTTP POST"));
        }
        let grant_type = GrantType::of(&parameters).ok_or_else(OAuthError::unsupported_grant_type)?;
        check_site(call.site, grant_type)?;
        let credentials = ClientCredentials::of(call, &parameters);
        let app = self.usable_app(credentials.id.as_deref())?;
        check_secret(app, grant_type, credentials.secret.as_deref())?;
        let request = Request { app, site: call.site, parameters, hangs };
        let granted = match grant_type {
            GrantType::ClientCredentials => self.grant_client_credentials(&request).await,
            GrantType::Password => self.grant_password(&request).await,
            GrantType::RefreshToken => self.grant_refresh(&request).await,
        }?;
        Ok(granted)
    }

    fn usable_app(&self, consumer_key: Option<&str>) -> Result<&AppSpec, OAuthError> {
        let unknown = || OAuthError::new("invalid_client_id", "client identifier invalid");
        let app = consumer_key.and_then(|key| self.scenario.app(key)).ok_or_else(unknown)?;
        match app.state {
            AppState::Enabled => Ok(app),
            AppState::NotInstalled => {
                Err(OAuthError::new("app_not_found", "External client app is not installed in this org"))
            }
            AppState::Disabled => {
                Err(OAuthError::new("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled."))
            }
            AppState::Blocked => Err(OAuthError::new("app_blocked", "this app is blocked by admin")),
        }
    }

    /// The user, when they may sign in.
    pub(super) fn active_user(&self, username: &str) -> Result<&UserSpec, OAuthError> {
        let user = self.scenario.user(username).filter(|user| user.active);
        user.ok_or_else(|| OAuthError::invalid_grant("inactive user"))
    }

    /// *Permitted Users*: with admin approval, a profile or permission set must be assigned to user and app.
    pub(super) fn check_permitted(&self, app: &AppSpec, user: &UserSpec) -> Result<(), OAuthError> {
        let assigned = || {
            app.profiles.contains(&user.profile)
                || user.permission_sets.iter().any(|set| app.permission_sets.contains(set))
        };
        match app.permitted_users {
            PermittedUsers::All => Ok(()),
            PermittedUsers::AdminApproved if assigned() => Ok(()),
            PermittedUsers::AdminApproved => {
                Err(OAuthError::new("invalid_app_access", "user is not admin approved to access this app"))
            }
        }
    }

    fn issue(&self, call: &Call, granted: Granted<'_>, encoding: Encoding) -> Answer {
        let now = self.clock.now();
        let app = granted.app;
        let access_token = self.new_access_token();
        let minutes = app.session_timeout_minutes.unwrap_or(self.scenario.org.session_timeout_minutes);
        let session = Session {
            username: granted.user.username.clone(),
            consumer_key: app.consumer_key.clone(),
            scopes: granted.scopes.clone(),
            issued: now,
            last_used: now,
            timeout: TimeDelta::minutes(i64::from(minutes)),
            approval: granted.approval,
        };
        self.sessions.open(access_token.clone(), session);
        let id = self.identity_url(&granted.user.username, call.arrival);
        let issued_at = now.timestamp_millis().to_string();
        let signature = sign(app, &id, &issued_at);
        let shape = granted.shape;
        let scope = shape.shows_scope.then(|| granted.scopes.join(" "));
        let api_instance = shape.shows_api_instance.then(|| "https://api.salesforce.com".to_owned());
        let fields = Fields::new()
            .with("access_token", access_token)
            .with_some("refresh_token", granted.refresh_token)
            .with("signature", signature)
            .with_some("scope", scope)
            .with("instance_url", self.instance_url(call.arrival))
            .with("id", id)
            .with("token_type", "Bearer")
            .with("issued_at", issued_at)
            .with_some("api_instance_url", api_instance);
        let answer = encoding.answer(StatusCode::OK, &fields);
        match granted.in_process {
            Some(mark) => answer.holding(Box::new(mark)),
            None => answer,
        }
    }

    /// Base of the data API for a client that came by `arrival`: scheme and host, no path.
    pub(crate) fn instance_url(&self, arrival: Arrival) -> String {
        match (arrival, self.http_url.get()) {
            (Arrival::Plain, Some(url)) => url.clone(),
            _ => format!("https://{}", self.hosts.my_domain()),
        }
    }

    /// The identity URL of a user. It names the generic login host, whatever host was called.
    ///
    /// A client of the plain listener gets an address there: it follows the URL, and could reach no other.
    pub(crate) fn identity_url(&self, username: &str, arrival: Arrival) -> String {
        let user = self.user_id(username);
        let base = match arrival {
            Arrival::Plain => self.instance_url(arrival),
            Arrival::Tls => format!("https://{}", self.hosts.generic()),
        };
        format!("{base}/id/{}/{user}", self.id)
    }
}

/// Base64 of HMAC-SHA256 over `id` and `issued_at` with the consumer secret (Salesforce Help, "OAuth 2.0 Web Server Flow").
fn sign(app: &AppSpec, id: &str, issued_at: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, app.consumer_secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
    STANDARD.encode(tag.as_ref())
}

fn check_site(site: Site, grant_type: GrantType) -> Result<(), OAuthError> {
    match site {
        Site::MyDomain => Ok(()),
        Site::Login | Site::Test => match grant_type {
            GrantType::ClientCredentials => Err(OAuthError::wrong_domain()),
            GrantType::Password | GrantType::RefreshToken => Ok(()),
        },
        Site::Setup => Err(OAuthError::wrong_domain()),
        Site::Lightning | Site::Unknown => Err(OAuthError::unsupported_grant_type()),
    }
}

/// A secret that is sent is checked even where none is required.
fn check_secret(app: &AppSpec, grant_type: GrantType, sent: Option<&str>) -> Result<(), OAuthError> {
    let required = match grant_type {
        GrantType::ClientCredentials | GrantType::Password => true,
        GrantType::RefreshToken => app.secret_required_for_refresh,
    };
    let passes = match sent {
        Some(secret) => app.consumer_secret.matches(secret),
        None => !required,
    };
    if passes { Ok(()) } else { Err(OAuthError::new("invalid_client", "invalid client credentials")) }
}
