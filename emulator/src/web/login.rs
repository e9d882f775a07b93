//! The login page.

use std::sync::Arc;

use super::authorization::{Authorization, Display};
use super::browser::{Challenge, Purpose, SignedIn};
use super::page::{self, AccountPage, Frame, LoginPage, Message};
use super::start_url::StartUrl;
use super::visitor::Visitor;
use crate::answer::Answer;
use crate::org::Org;
use crate::route::WebRoute;
use crate::scenario::{IdentityVerification, SessionLevel, Setup, UserSpec};
use crate::sign_in::{Entry, PasswordForm, Refusal, Visit};
use crate::site::Site;

/// The one text for whatever is wrong with name and password, as Salesforce words it.
const WRONG: &str =
    "Please check your username and password. If you still can't log in, contact your Salesforce administrator.";
/// For who is right in name and password and may not come in all the same.
const NO_ACCESS: &str = "You can't log in now. Contact your Salesforce administrator.";

/// A user whose name and password are right.
struct Proven {
    org: Arc<Org>,
    setup: Arc<Setup>,
    user: UserSpec,
}

/// Why name and password are not enough, and the org that may note it.
struct TurnedAway {
    org: Option<Arc<Org>>,
    refusal: Refusal,
}

impl Visitor<'_> {
    pub(super) fn login(&mut self) -> Answer {
        if !self.is_post() {
            return self.login_start();
        }
        if !self.form_is_genuine() {
            return self.form_is_stale();
        }
        let start = StartUrl::of(&self.parameters);
        if self.parameters.get("account").is_some() {
            return self.keep_account(start.as_ref());
        }
        let username = self.parameters.get("username").unwrap_or_default().trim().to_owned();
        let password = self.parameters.get("password").unwrap_or_default().to_owned();
        match self.check_name(&username, &password) {
            Ok(proven) => self.sign_in(&proven, start),
            Err(turned_away) => {
                self.note_failure(&turned_away, &username, start.as_ref());
                self.login_page(Some(WRONG), &username)
            }
        }
    }

    fn login_start(&mut self) -> Answer {
        let start = StartUrl::of(&self.parameters);
        let pending = self.pending(start.as_ref());
        let person = self.person();
        let chooses = pending.as_ref().is_some_and(|(_, authorization)| authorization.prompt.select_account);
        match (person, start) {
            (Some(person), None) => Message {
                heading: "You are logged in",
                text: &format!("This browser is logged in as {}.", person.session.username),
                link: Some((WebRoute::Logout.path(), "Log out")),
            }
            .answer(),
            (Some(person), Some(start)) if chooses && self.parameters.get("other").is_none() => {
                let other = format!("{}&other=1", start.after(WebRoute::Login));
                AccountPage {
                    frame: self.frame(),
                    username: &person.session.username,
                    org: &person.setup.org.name,
                    start_url: start.as_str(),
                    other: &other,
                }
                .answer()
            }
            _ => {
                let hint = pending.and_then(|(_, authorization)| authorization.login_hint);
                let hint = hint.filter(|hint| hint.contains('@')).or_else(|| self.browser.remembered.clone());
                self.login_page(None, &hint.unwrap_or_default())
            }
        }
    }

    fn login_page(&self, problem: Option<&str>, username: &str) -> Answer {
        let start = StartUrl::of(&self.parameters);
        let (_, org) = self.world.locate(&self.call.host, self.call.arrival);
        LoginPage {
            frame: self.frame(),
            org: org.as_ref().map(|org| org.scenario.org.name.as_str()),
            problem,
            username,
            remembers: self.browser.remembered.is_some(),
            start_url: start.as_ref().map_or("", StartUrl::as_str),
        }
        .answer()
    }

    /// What surrounds a page: its form token, and where its form may lead.
    pub(super) fn frame(&self) -> Frame {
        let start = StartUrl::of(&self.parameters);
        let of_challenge = || self.browser.challenge.as_ref().and_then(|challenge| challenge.start_url.clone());
        let pending = self.pending(start.or_else(of_challenge).as_ref());
        self.frame_of(pending.as_ref().map(|(_, authorization)| authorization))
    }

    pub(super) fn frame_of(&self, request: Option<&Authorization>) -> Frame {
        Frame {
            token: self.browser.form_token.clone(),
            callback: request.map(Authorization::callback_origin).unwrap_or_default(),
            is_small: request.is_some_and(|request| request.display == Display::Small),
        }
    }

    /// The account in this browser is the one that is wanted.
    fn keep_account(&mut self, start: Option<&StartUrl>) -> Answer {
        let pending = self.pending(start);
        match (self.person(), pending, start) {
            (Some(_), Some((source, authorization)), Some(start)) if !authorization.prompt.login => {
                self.world.shared.pending.change(&source, |progress| progress.signed_in_anew = true);
                page::redirect(start.as_str())
            }
            _ => self.login_page(None, ""),
        }
    }

    /// The user with a name and a password, in the org of the host or, at a generic host, in the user's own.
    fn check_name(&self, username: &str, password: &str) -> Result<Proven, TurnedAway> {
        let (site, own) = self.world.locate(&self.call.host, self.call.arrival);
        let by_name = || self.world.org_that(|org| org.setup(self.call).user(username).is_some());
        let org = own.or_else(by_name).ok_or(TurnedAway { org: None, refusal: Refusal::UnknownUser })?;
        let setup = org.setup(self.call);
        let refused = |refusal| TurnedAway { org: Some(Arc::clone(&org)), refusal };
        if !org.signs_in_at(&setup, site) {
            let is_of_kind = (site == Site::Test) == setup.org.kind.is_sandbox();
            return Err(refused(if is_of_kind { Refusal::HostClosed } else { Refusal::UnknownUser }));
        }
        let user = org.check_password(&setup, username, password, PasswordForm::Alone).map_err(refused)?.clone();
        Ok(Proven { org, setup, user })
    }

    fn note_failure(&self, turned_away: &TurnedAway, username: &str, start: Option<&StartUrl>) {
        let TurnedAway { org: Some(org), refusal } = turned_away else { return };
        let pending = self.pending(start);
        let entry = if pending.is_some() { Entry::WebServer } else { Entry::Browser };
        let setup = org.setup(self.call);
        let app = pending.and_then(|(_, authorization)| setup.app(&authorization.consumer_key).cloned());
        org.note_refusal(username, app.as_ref(), entry, *refusal);
    }

    /// Name and password are right: a code may be needed still.
    fn sign_in(&mut self, proven: &Proven, start: Option<StartUrl>) -> Answer {
        let Proven { org, setup, user } = proven;
        let remembers = self.parameters.get("remember").is_some();
        let (username, level, last_used) = (user.username.clone(), SessionLevel::Standard, self.now());
        let session = SignedIn { org: org.id, username, level, last_used };
        let Some(purpose) = self.code_purpose(org, setup, user) else {
            return self.enter(session, remembers, start);
        };
        self.browser.signed_in = None;
        self.challenge(&session, purpose, user.address(), start, remembers)
    }

    /// Why a code is asked for, when one is (Salesforce Help, "Identity Verification").
    fn code_purpose(&self, org: &Org, setup: &Setup, user: &UserSpec) -> Option<Purpose> {
        if user.second_factor {
            return Some(Purpose::SecondFactor);
        }
        let wanted = match setup.org.identity_verification {
            IdentityVerification::Never => false,
            IdentityVerification::UnknownBrowser => {
                !self.browser.is_verified(org.id, &user.username) && !org.caller_is_trusted(setup, user)
            }
            IdentityVerification::Always => true,
        };
        wanted.then_some(Purpose::VerifyBrowser)
    }

    /// Sends a code and asks for it.
    pub(super) fn challenge(
        &mut self,
        session: &SignedIn,
        purpose: Purpose,
        address: &str,
        start: Option<StartUrl>,
        remembers: bool,
    ) -> Answer {
        let challenge = Challenge::new(session, purpose, start, remembers, self.now());
        self.world.shared.mailbox.send_code(address, challenge.code(), self.now());
        self.browser.challenge = Some(challenge);
        self.store();
        page::redirect(WebRoute::Verification.path())
    }

    /// Opens the session and goes on. On the way to an app the app's policies decide there; without one, the login
    /// page is where a user is let in.
    pub(super) fn enter(&mut self, session: SignedIn, remembers: bool, start: Option<StartUrl>) -> Answer {
        let pending = self.pending(start.as_ref());
        match &pending {
            Some((source, _)) => self.world.shared.pending.change(source, |progress| progress.signed_in_anew = true),
            None if self.is_admitted(&session) => {}
            None => {
                self.end_session();
                return self.login_page(Some(NO_ACCESS), &session.username);
            }
        }
        self.open_session(session, remembers);
        page::redirect(start.as_ref().map_or(WebRoute::Login.path(), StartUrl::as_str))
    }

    fn is_admitted(&self, session: &SignedIn) -> bool {
        let Some(org) = self.world.org_that(|org| org.id == session.org) else { return false };
        let setup = org.setup(self.call);
        let Some(user) = setup.user(&session.username) else { return false };
        let visit = Visit { setup: &setup, app: None, user, entry: Entry::Browser, level: session.level };
        org.admit(&visit).is_ok()
    }
}
