//! A request for authorization, from its parameters to the moment it is answered.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::bounded::Bounded;
use crate::oauth::{CodeChallenge, Parameters};
use crate::org::random_text;

/// How long a person may take, which is ours to choose.
const LIFE: TimeDelta = TimeDelta::hours(2);
/// Requests that may wait for a person at a time; beyond it the oldest are forgotten.
const CAPACITY: usize = 2000;

/// What an app asks for (Salesforce Help, "OAuth 2.0 Web Server Flow" and "OAuth 2.0 User-Agent Flow").
#[derive(Clone)]
pub(crate) struct Authorization {
    pub(super) consumer_key: String,
    pub(super) redirect_uri: String,
    pub(super) response: ResponseType,
    /// Absent: every scope of the app.
    pub(super) scopes: Option<Vec<String>>,
    pub(super) state: Option<String>,
    pub(super) challenge: Option<CodeChallenge>,
    pub(super) nonce: Option<String>,
    pub(super) prompt: Prompt,
    /// Nobody may be asked anything.
    pub(super) immediate: bool,
    pub(super) display: Display,
    pub(super) login_hint: Option<String>,
    /// What has happened since.
    pub(super) progress: Progress,
}

/// What comes back to the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseType {
    Code,
    /// The token itself, in the fragment.
    Token,
    TokenAndIdToken,
    /// Hybrid and headless flows, and what does not exist.
    Unsupported,
}

impl ResponseType {
    fn of(parameters: &Parameters) -> Self {
        match parameters.get("response_type") {
            Some("code") => Self::Code,
            Some("token") => Self::Token,
            Some("token id_token" | "id_token token") => Self::TokenAndIdToken,
            _ => Self::Unsupported,
        }
    }

    /// Whether answers stand behind the `#`.
    pub(super) fn in_fragment(self) -> bool {
        matches!(self, Self::Token | Self::TokenAndIdToken)
    }
}

/// What the person is asked in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) login: bool,
    pub(super) consent: bool,
    pub(super) select_account: bool,
}

/// How much room the page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Display {
    Page,
    Small,
}

/// How far a request has come.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// Number of the browser that it belongs to.
    pub(super) browser: u64,
    pub(super) since: DateTime<Utc>,
    /// The person has signed in, or chosen an account, for this request.
    pub(super) signed_in_anew: bool,
    /// The user who has been let in.
    pub(super) admitted: Option<String>,
}

impl Authorization {
    /// Reads a request whose client and callback are known.
    pub(super) fn of(parameters: &Parameters, consumer_key: &str, redirect_uri: &str) -> Self {
        let text = |name: &str| parameters.get(name).map(str::to_owned);
        let scopes = parameters.get("scope").map(|scopes| scopes.split_whitespace().map(str::to_owned).collect());
        let prompts = parameters.get("prompt").unwrap_or_default();
        let asks = |word: &str| prompts.split_whitespace().any(|prompt| prompt == word);
        Self {
            consumer_key: consumer_key.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            response: ResponseType::of(parameters),
            scopes: scopes.filter(|scopes: &Vec<String>| !scopes.is_empty()),
            state: text("state"),
            challenge: None,
            nonce: text("nonce"),
            prompt: Prompt { login: asks("login"), consent: asks("consent"), select_account: asks("select_account") },
            immediate: parameters.get("immediate") == Some("true"),
            display: match parameters.get("display") {
                Some("popup" | "touch" | "mobile") => Display::Small,
                _ => Display::Page,
            },
            login_hint: text("login_hint"),
            progress: Progress::default(),
        }
    }

    /// Whether a session that the browser has already is not enough.
    pub(super) fn wants_login(&self) -> bool {
        (self.prompt.login || self.prompt.select_account) && !self.progress.signed_in_anew
    }

    /// Scheme and host of the callback, as a content security policy names it.
    pub(super) fn callback_origin(&self) -> String {
        match url::Url::parse(&self.redirect_uri) {
            Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
            Ok(url) => format!("{}:", url.scheme()),
            Err(_) => String::new(),
        }
    }

    /// The callback with an answer, in the query or in the fragment.
    pub(super) fn callback_with(&self, encoded: &str) -> String {
        let uri = &self.redirect_uri;
        match self.response.in_fragment() {
            true => format!("{uri}#{encoded}"),
            false if uri.contains('?') => format!("{uri}&{encoded}"),
            false => format!("{uri}?{encoded}"),
        }
    }
}

/// The requests that wait for a person, by a random name that stands in the address of the consent page.
pub(crate) struct PendingAuthorizations {
    waiting: Mutex<Bounded<Authorization>>,
}

impl Default for PendingAuthorizations {
    fn default() -> Self {
        Self { waiting: Mutex::new(Bounded::new(CAPACITY)) }
    }
}

impl PendingAuthorizations {
    pub(super) fn add(&self, mut authorization: Authorization, browser: u64, now: DateTime<Utc>) -> String {
        let name = random_text(32);
        authorization.progress = Progress { browser, since: now, ..Progress::default() };
        self.lock().insert(name.clone(), authorization);
        name
    }

    /// A request of a browser that has not been answered and is not too old.
    pub(super) fn find(&self, name: &str, browser: u64, now: DateTime<Utc>) -> Option<Authorization> {
        let waiting = self.lock();
        let authorization = waiting.get(name)?;
        let progress = &authorization.progress;
        (progress.browser == browser && now - progress.since < LIFE).then(|| authorization.clone())
    }

    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Progress)) {
        if let Some(authorization) = self.lock().get_mut(name) {
            change(&mut authorization.progress);
        }
    }

    /// Takes a request away: it is answered once. Whether it was there.
    pub(super) fn close(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Bounded<Authorization>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
