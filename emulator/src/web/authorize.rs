//! `/services/oauth2/authorize`: what can be said about a request before anybody has signed in, in the order that
//! decides which error a client meets.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use url::Url;

use super::authorization::{Authorization, ResponseType};
use super::failure::Failure;
use super::page;
use super::scope;
use super::start_url::StartUrl;
use super::visitor::Visitor;
use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::{CodeChallenge, Parameters};
use crate::org::Org;
use crate::scenario::{AppKind, AppSpec, AppState, Distribution, PolicyRefusals, Setup};

/// The address for apps that have none (RFC 8252 and Salesforce both refuse it).
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

impl Visitor<'_> {
    pub(super) fn authorize(&mut self) -> Answer {
        match self.read_request() {
            Ok((authorization, org)) => self.begin(authorization, org.as_deref()),
            Err(failure) => failure.answer_on_page(),
        }
    }

    /// The request, once client and callback are proven, and the org when the host tells it.
    fn read_request(&self) -> Result<(Authorization, Option<Arc<Org>>), Failure> {
        if !matches!(self.call.method, Method::GET | Method::POST) {
            return Err(Failure::page("invalid_request", "must use HTTP GET"));
        }
        let key = self.parameters.get("client_id").ok_or_else(Failure::unknown_client)?;
        let (_, org) = self.world.locate(&self.call.host, self.call.arrival);
        let apps = self.apps(key, org.as_ref());
        if apps.is_empty() {
            return Err(Failure::unknown_client());
        }
        let uri = self.parameters.get("redirect_uri");
        let uri = uri.ok_or_else(|| Failure::page("redirect_uri_missing", "missing redirect_uri"))?;
        if uri == OUT_OF_BAND {
            return Err(Failure::page("invalid_request", "out-of-band not supported"));
        }
        if !apps.iter().any(|app| is_registered(app, uri)) {
            return Err(Failure::wrong_callback());
        }
        if !is_safe_callback(uri) {
            return Err(Failure::page("invalid_request", "callback must use HTTPS"));
        }
        Ok((Authorization::of(&self.parameters, key, uri), org))
    }

    /// The apps that a consumer key may mean at this host: one at a My Domain, at a generic host those of every org.
    fn apps(&self, key: &str, org: Option<&Arc<Org>>) -> Vec<AppSpec> {
        let known_to = |org: &Arc<Org>| org.app(self.call, &org.setup(self.call), key).map(Cow::into_owned);
        match org {
            Some(org) => known_to_my_domain(org, self.call, key).into_iter().collect(),
            None => self.world.orgs().iter().filter_map(known_to).collect(),
        }
    }

    /// Keeps a request that stands every check so far, and sends the person on.
    fn begin(&mut self, mut authorization: Authorization, org: Option<&Org>) -> Answer {
        let setup = org.map(|org| org.setup(self.call));
        let policies = setup.as_ref().map_or(PolicyRefusals::default(), |setup| setup.org.policy_refusals);
        let checked = read_challenge(&self.parameters).and_then(|challenge| {
            authorization.challenge = challenge;
            self.check_early(&authorization, org.zip(setup.as_deref()))
        });
        if let Err(failure) = checked {
            return failure.answer(&authorization, policies);
        }
        let source = self.world.shared.pending.add(authorization, self.browser.number, self.now());
        page::redirect(StartUrl::consent(&source).as_str())
    }

    /// At a generic host only what holds for the app in every org is looked at; the rest follows once the org is known.
    fn check_early(&self, authorization: &Authorization, place: Option<(&Org, &Setup)>) -> Result<(), Failure> {
        if let Some((org, setup)) = place {
            return check_app(org, setup, self.call, authorization).map(drop);
        }
        check_response_type(authorization)?;
        let apps = self.apps(&authorization.consumer_key, None);
        if authorization.challenge.is_none() && apps.iter().all(AppSpec::requires_pkce) {
            return Err(challenge_missing());
        }
        let granted = |app: &AppSpec| scope::granted(app, authorization.scopes.as_deref()).map(drop);
        let refused = apps.iter().map(granted).find(Result::is_ok).or_else(|| apps.first().map(granted));
        refused.unwrap_or(Ok(())).map_err(|description| Failure::callback("invalid_scope", description))
    }
}

/// The app as an org's My Domain knows it: a Local External Client App of another org is unknown there.
fn known_to_my_domain(org: &Org, call: &Call, key: &str) -> Option<AppSpec> {
    let setup = org.setup(call);
    let app = org.app(call, &setup, key)?;
    let is_foreign = setup.app(key).is_none();
    let is_local = app.kind == AppKind::ExternalClientApp && app.distribution == Distribution::Local;
    (!is_foreign || !is_local).then(|| app.into_owned())
}

/// Everything that app and org decide about a request, whoever signs in. Gives the app and the scopes.
pub(super) fn check_app<'a>(
    org: &Org,
    setup: &'a Setup,
    call: &Call,
    authorization: &Authorization,
) -> Result<(Cow<'a, AppSpec>, Vec<String>), Failure> {
    let app = org.app(call, setup, &authorization.consumer_key).ok_or_else(Failure::unknown_client)?;
    check_state(&app)?;
    if !is_registered(&app, &authorization.redirect_uri) {
        return Err(Failure::wrong_callback());
    }
    check_response_type(authorization)?;
    if authorization.response.in_fragment() && !setup.org.user_agent_flow {
        return Err(unsupported_response_type());
    }
    let is_code = authorization.response == ResponseType::Code;
    if is_code && authorization.challenge.is_none() && (setup.org.pkce_required || app.requires_pkce()) {
        return Err(challenge_missing());
    }
    let refused = |description| match setup.org.missing_scope_is_generic_error {
        true => Failure::generic(),
        false => Failure::callback("invalid_scope", description),
    };
    let scopes = scope::granted(&app, authorization.scopes.as_deref()).map_err(refused)?;
    Ok((app, scopes))
}

pub(super) fn check_state(app: &AppSpec) -> Result<(), Failure> {
    match (app.state, app.kind) {
        (AppState::Enabled, _) | (AppState::NotInstalled, AppKind::ConnectedApp) => Ok(()),
        (AppState::NotInstalled, AppKind::ExternalClientApp) => Err(Failure::not_in_this_org()),
        (AppState::Blocked, _) => Err(Failure::blocked()),
        (AppState::Disabled, _) => {
            Err(Failure::callback("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled."))
        }
    }
}

fn check_response_type(authorization: &Authorization) -> Result<(), Failure> {
    match authorization.response {
        ResponseType::Code | ResponseType::Token | ResponseType::TokenAndIdToken => Ok(()),
        ResponseType::Unsupported => Err(unsupported_response_type()),
    }
}

fn unsupported_response_type() -> Failure {
    Failure::callback("unsupported_response_type", "response type not supported")
}

fn challenge_missing() -> Failure {
    Failure::Bare(crate::oauth::OAuthError::new("invalid_request", "missing required code challenge"))
}

fn read_challenge(parameters: &Parameters) -> Result<Option<CodeChallenge>, Failure> {
    let Some(value) = parameters.get("code_challenge") else { return Ok(None) };
    let challenge = CodeChallenge::new(parameters.get("code_challenge_method"), value);
    let refused = || Failure::callback("invalid_request", "invalid code challenge method");
    challenge.ok_or_else(refused).map(Some)
}

/// Callbacks are compared to the letter, port and trailing slash included.
fn is_registered(app: &AppSpec, uri: &str) -> bool {
    app.callback_urls.iter().any(|known| known == uri)
}

/// Callbacks use HTTPS or a scheme of an app of its own; plain HTTP leads to this machine only.
fn is_safe_callback(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    if matches!(url.scheme(), "javascript" | "data" | "vbscript") {
        return false;
    }
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() != "http" || is_loopback
}
