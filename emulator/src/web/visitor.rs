//! One request of a browser: who it is, and what its forms may do.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, header};

use super::authorization::Authorization;
use super::browser::{Browser, SignedIn};
use super::page::{self, Message};
use super::start_url::StartUrl;
use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::Parameters;
use crate::org::Org;
use crate::route::WebRoute;
use crate::scenario::{Setup, UserSpec};
use crate::world::World;

/// A browser at one of the pages.
pub(super) struct Visitor<'a> {
    pub(super) world: &'a World,
    pub(super) call: &'a Call,
    pub(super) parameters: Parameters,
    pub(super) browser: Browser,
    tells_name: bool,
}

/// A person who is signed in, in the org as it is now.
pub(super) struct Person {
    pub(super) org: Arc<Org>,
    pub(super) setup: Arc<Setup>,
    pub(super) session: SignedIn,
}

impl Person {
    pub(super) fn user(&self) -> Option<&UserSpec> {
        self.setup.user(&self.session.username)
    }
}

impl<'a> Visitor<'a> {
    pub(super) fn of(world: &'a World, call: &'a Call) -> Self {
        let known = world.shared.browsers.find(call);
        let tells_name = known.is_none();
        let browser = known.unwrap_or_else(|| world.shared.browsers.open());
        Self { world, call, parameters: Parameters::of(call), browser, tells_name }
    }

    /// Adds what the browser has to know from now on.
    pub(super) fn finish(&self, answer: Answer) -> Answer {
        match self.tells_name {
            true => answer.with(header::SET_COOKIE, &self.browser.cookie(self.call.arrival)),
            false => answer,
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.world.shared.clock.now()
    }

    pub(super) fn is_post(&self) -> bool {
        self.call.method == Method::POST
    }

    /// Whether a form was filled in on a page that this browser was shown.
    pub(super) fn form_is_genuine(&self) -> bool {
        self.is_post() && !self.tells_name && self.parameters.get("token") == Some(&self.browser.form_token)
    }

    /// For a form that was not: it came from elsewhere, or cookies do not come back.
    pub(super) fn form_is_stale(&self) -> Answer {
        Message {
            heading: "This page is no longer valid",
            text: "The form belongs to another browser session. Allow cookies for this site, go back to the app and \
                   start again.",
            link: None,
        }
        .answer_refusal()
    }

    pub(super) fn request_is_gone(&self) -> Answer {
        Message {
            heading: "This request is no longer open",
            text: "It was answered already, belongs to another browser, or has waited too long. Go back to the app \
                   and start again.",
            link: None,
        }
        .answer_refusal()
    }

    /// Notes what has changed about the browser.
    pub(super) fn store(&self) {
        self.world.shared.browsers.store(&self.browser);
    }

    /// The person who is signed in here, unless the session has ended. Being asked for counts as use.
    pub(super) fn person(&mut self) -> Option<Person> {
        let mut session = self.browser.signed_in.clone()?;
        let org = self.world.org_that(|org| org.id == session.org)?;
        let setup = org.setup(self.call);
        let idle = TimeDelta::minutes(i64::from(setup.org.session_timeout_minutes));
        let now = self.now();
        if now - session.last_used >= idle || setup.user(&session.username).is_none() {
            self.browser.signed_in = None;
            self.store();
            return None;
        }
        session.last_used = now;
        self.browser.signed_in = Some(session.clone());
        self.store();
        Some(Person { org, setup, session })
    }

    /// Signs a person in, under a new name of the browser.
    pub(super) fn open_session(&mut self, session: SignedIn, remembers_user: bool) {
        self.browser.remembered = remembers_user.then(|| session.username.clone());
        self.browser.signed_in = Some(session);
        self.browser.challenge = None;
        self.world.shared.browsers.rename(&mut self.browser);
        self.tells_name = true;
    }

    pub(super) fn end_session(&mut self) {
        self.browser.signed_in = None;
        self.browser.challenge = None;
        self.store();
    }

    /// The request for authorization that a person is on the way to.
    pub(super) fn pending(&self, start: Option<&StartUrl>) -> Option<(String, Authorization)> {
        let source = start?.source()?;
        let found = self.world.shared.pending.find(&source, self.browser.number, self.now());
        found.map(|authorization| (source, authorization))
    }

    /// `logout.jsp`: ends the session; who was on the way somewhere signs in anew.
    pub(super) fn log_out(&mut self) -> Answer {
        self.end_session();
        match StartUrl::of(&self.parameters) {
            Some(start) => page::redirect(&start.after(WebRoute::Login)),
            None => Message {
                heading: "You are logged out",
                text: "The session in this browser has ended. Apps that you allowed access keep it.",
                link: Some((WebRoute::Login.path(), "Log in again")),
            }
            .answer(),
        }
    }
}
