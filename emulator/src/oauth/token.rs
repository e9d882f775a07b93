//! `POST /services/oauth2/token`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use http::{Method, StatusCode};
use ring::hmac;

use super::OAuthError;
use super::form::{ClientCredentials, Encoding, Fields, Parameters};
use super::grant::{DeviceAnswer, GrantType, Granted, Request, refuse_exchange};
use super::headless::check_guest;
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::scenario::{AppSpec, Setup, UserSpec};
use crate::session::{InProcess, Session, TokenFormat};
use crate::sign_in::Entry;

impl Org {
    /// Answers a token request. With `hangs` it stays in process until it is released.
    pub(crate) async fn token(&self, call: &Call, hangs: bool) -> Answer {
        let parameters = Parameters::of(call);
        let encoding = Encoding::wanted(call, &parameters, Encoding::Json);
        match self.redeem(call, &parameters, hangs).await {
            Ok(Redeemed::Token(issued)) => issued.into_answer(encoding),
            Ok(Redeemed::DeviceCodes(codes)) => codes.into_answer(encoding),
            Err(error) => error.into_answer(encoding),
        }
    }

    /// The checks in their order: method, grant type, host, client, its state, its secret, then the grant's own.
    async fn redeem(&self, call: &Call, parameters: &Parameters, hangs: bool) -> Result<Redeemed, OAuthError> {
        if call.method != Method::POST {
            return Err(OAuthError::new("invalid_request", "must use HTTP POST"));
        }
        let grant_type = GrantType::of(parameters).ok_or_else(OAuthError::unsupported_grant_type)?;
        grant_type.check_site(call.site)?;
        let setup = self.setup(call);
        let credentials = ClientCredentials::of(call, parameters)?;
        if credentials.id.is_none() && grant_type == GrantType::JwtBearer {
            return Err(OAuthError::invalid_assertion());
        }
        let app = self.usable_app(call, &setup, credentials.id.as_deref())?;
        self.check_client(call, &app, &credentials, grant_type.proof(&app))?;
        check_guest(call)?;
        let request = Request { call, setup: &setup, app: &app, parameters, hangs };
        if grant_type != GrantType::RefreshToken {
            self.shared.hang_if(hangs).await;
        }
        let granted = match grant_type {
            GrantType::AuthorizationCode => self.grant_authorization_code(&request),
            GrantType::Device => self.grant_device(&request),
            GrantType::DeviceStart => return self.start_device_flow(&request).map(Redeemed::DeviceCodes),
            GrantType::ClientCredentials => self.grant_client_credentials(&request),
            GrantType::JwtBearer => self.grant_jwt_bearer(&request),
            GrantType::Password => self.grant_password(&request),
            GrantType::RefreshToken => self.grant_refresh(&request).await,
            GrantType::TokenExchange => Err(refuse_exchange(&request)),
        }?;
        Ok(Redeemed::Token(self.issue(&request, granted)))
    }

    pub(super) fn issue(&self, request: &Request<'_>, granted: Granted<'_>) -> Issued {
        let Request { call, setup, app, .. } = *request;
        let now = self.now();
        let (format, minutes) = token_life(setup, app, granted.user);
        let entry = granted.entry;
        let scope = shows_scope(entry).then(|| granted.scopes.join(" "));
        let session = Session {
            username: granted.user.username.clone(),
            consumer_key: Some(app.consumer_key.clone()),
            scopes: granted.scopes,
            level: granted.level,
            password_expired: false,
            runs_as: entry == Entry::ClientCredentials,
            format,
            issued: now,
            last_used: now,
            timeout: TimeDelta::minutes(i64::from(minutes)),
            approval: granted.approval,
        };
        let access_token = match format {
            TokenFormat::Opaque => self.new_access_token(),
            TokenFormat::Jwt => self.jwt_access_token(&session, call.arrival),
        };
        let id_token = shows_id_token(&session, entry)
            .then(|| self.id_token(app, granted.user, granted.nonce.as_deref(), &access_token, now, call.arrival));
        self.sessions.open(access_token.clone(), session);
        let id = self.identity_url(&granted.user.username, call.arrival);
        let issued_at = now.timestamp_millis().to_string();
        let signed = entry != Entry::JwtBearer;
        let signature = signed.then(|| sign(app, &id, &issued_at));
        let is_jwt = format == TokenFormat::Jwt;
        let names_api_instance = is_jwt || entry == Entry::ClientCredentials;
        let fields = Fields::new()
            .with("access_token", access_token)
            .with_some("refresh_token", granted.refresh_token)
            .with_some("signature", signature)
            .with_some("scope", scope)
            .with_some("id_token", id_token)
            .with("instance_url", self.instance_url(call.arrival))
            .with("id", id)
            .with("token_type", "Bearer")
            .with_some("issued_at", signed.then_some(issued_at))
            .with_some("api_instance_url", names_api_instance.then(|| "https://api.salesforce.com".to_owned()))
            .with_some("token_format", is_jwt.then(|| "jwt".to_owned()));
        Issued { fields, in_process: granted.in_process }
    }

    /// Base of the data API for a client that came by `arrival`: scheme and host, no path.
    pub(crate) fn instance_url(&self, arrival: Arrival) -> String {
        let plain = self.shared.http_url.get().filter(|_| arrival == Arrival::Plain);
        match plain {
            Some(url) if self.is_primary => url.clone(),
            Some(url) => format!("http://{}.localhost:{}", self.scenario.org.my_domain, port_of(url)),
            None => format!("https://{}", self.hosts.my_domain()),
        }
    }

    /// Base of the generic login host `name`, for a client that came by `arrival`.
    pub(super) fn login_url(&self, arrival: Arrival, name: &str) -> String {
        let plain = self.shared.http_url.get().filter(|_| arrival == Arrival::Plain);
        plain.map_or_else(
            || format!("https://{name}.salesforce.com"),
            |url| format!("http://{name}.localhost:{}", port_of(url)),
        )
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

/// The port of `http://address:port`.
fn port_of(url: &str) -> &str {
    url.rsplit_once(':').map_or("", |(_, port)| port)
}

/// Format and life in minutes of an access token. A JWT lives as long as a session unless the app says otherwise.
fn token_life(setup: &Setup, app: &AppSpec, user: &UserSpec) -> (TokenFormat, u32) {
    let of_session = setup.session_timeout_minutes(Some(app), user);
    if app.named_user_jwt {
        return (TokenFormat::Jwt, app.named_user_jwt_minutes.unwrap_or(of_session));
    }
    (TokenFormat::Opaque, of_session)
}

/// The flows in which a person signed in come with an ID token, and so do their renewals.
fn shows_id_token(session: &Session, entry: Entry) -> bool {
    matches!(entry, Entry::WebServer | Entry::Device | Entry::Refresh) && session.has_scope(&["openid"])
}

/// The username-password flow alone shows no scopes.
fn shows_scope(entry: Entry) -> bool {
    entry != Entry::Password
}

/// What a request to the token endpoint gives.
enum Redeemed {
    Token(Issued),
    DeviceCodes(DeviceAnswer),
}

/// The fields of a token answer.
pub(super) struct Issued {
    fields: Fields,
    in_process: Option<InProcess>,
}

impl Issued {
    /// The fields as the fragment of an address.
    pub(super) fn into_fragment(self) -> String {
        self.fields.url_encoded()
    }

    /// The refresh token counts as being processed until the answer has been sent.
    fn into_answer(self, encoding: Encoding) -> Answer {
        let answer = encoding.answer(StatusCode::OK, &self.fields);
        match self.in_process {
            Some(mark) => answer.holding(Box::new(mark)),
            None => answer,
        }
    }
}
