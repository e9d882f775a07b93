//! The consent page, and everything that is decided once it is known who is at the browser.

use url::form_urlencoded;

use super::authorization::{Authorization, ResponseType};
use super::authorize::check_app;
use super::browser::Purpose;
use super::failure::Failure;
use super::page::{self, ConsentPage};
use super::scope;
use super::start_url::StartUrl;
use super::visitor::{Person, Visitor};
use crate::answer::Answer;
use crate::route::WebRoute;
use crate::scenario::{AppSpec, LevelAction, PermittedUsers, PolicyRefusals, UserSpec};
use crate::session::Authorized;
use crate::sign_in::{Entry, Refusal, Visit};

/// What a request needs next.
enum Next {
    SignIn,
    /// A second factor, for the session level that the app asks for.
    Raise(Person),
    Ask(Case),
    Grant(Case),
}

/// A request that a user may answer.
struct Case {
    person: Person,
    user: UserSpec,
    app: AppSpec,
    scopes: Vec<String>,
}

/// What the person has pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

impl Visitor<'_> {
    pub(super) fn consent(&mut self) -> Answer {
        let start = self.parameters.get("source").map(StartUrl::consent);
        let Some((source, request)) = self.pending(start.as_ref()) else { return self.request_is_gone() };
        if self.is_post() && !self.form_is_genuine() {
            return self.form_is_stale();
        }
        let decision = match self.parameters.get("decision").filter(|_| self.is_post()) {
            Some("allow") => Some(Decision::Allow),
            Some(_) => Some(Decision::Deny),
            None => None,
        };
        let policies = self.person().map_or(PolicyRefusals::default(), |person| person.setup.org.policy_refusals);
        let start = StartUrl::consent(&source);
        let answered = self.next(&source, &request).and_then(|next| match (next, decision) {
            (Next::SignIn | Next::Raise(_), _) if request.immediate => Err(immediate_unsuccessful()),
            (Next::SignIn, _) => Ok(page::redirect(&start.after(WebRoute::Login))),
            (Next::Raise(person), _) => Ok(self.raise(&person, start)),
            (Next::Ask(_) | Next::Grant(_), Some(Decision::Deny)) => Err(Failure::denied()),
            (Next::Ask(_), None) if request.immediate => Err(immediate_unsuccessful()),
            (Next::Ask(case), None) => Ok(self.consent_page(&case, &source, &request)),
            (Next::Ask(case), Some(Decision::Allow)) => {
                let Case { app, user, scopes, person } = &case;
                person.org.approvals.consent(&app.consumer_key, &user.username, scopes, self.now());
                self.grant(case, &source, &request)
            }
            (Next::Grant(case), _) => self.grant(case, &source, &request),
        });
        answered.unwrap_or_else(|failure| {
            self.world.shared.pending.close(&source);
            failure.answer(&request, policies)
        })
    }

    /// The checks in their order: somebody is signed in, app and org agree, the user may come in, and has consented.
    fn next(&mut self, source: &str, request: &Authorization) -> Result<Next, Failure> {
        if request.wants_login() {
            return Ok(Next::SignIn);
        }
        let Some(person) = self.person() else { return Ok(Next::SignIn) };
        let Some(user) = person.user().cloned() else { return Ok(Next::SignIn) };
        let (app, scopes) = {
            let (app, scopes) = check_app(&person.org, &person.setup, self.call, request)?;
            (app.into_owned(), scopes)
        };
        let level = person.session.level;
        if level < app.required_session_level && app.level_action == LevelAction::RaiseSessionLevel {
            return Ok(Next::Raise(person));
        }
        if request.progress.admitted.as_ref() != Some(&user.username) {
            let visit = Visit { setup: &person.setup, app: Some(&app), user: &user, entry: Entry::WebServer, level };
            let admitted = person.org.admit(&visit);
            admitted.inspect_err(|refusal| self.end_refused_session(*refusal))?;
            let username = user.username.clone();
            self.world.shared.pending.change(source, |progress| progress.admitted = Some(username));
        }
        let has_consented = app.permitted_users == PermittedUsers::AdminApproved
            || person.org.approvals.use_consent(
                &app.consumer_key,
                &user.username,
                &scopes,
                app.refresh_token_policy,
                self.now(),
            );
        let asks = request.prompt.consent || !has_consented;
        let case = Case { person, user, app, scopes };
        Ok(if asks { Next::Ask(case) } else { Next::Grant(case) })
    }

    /// Who may not come in at all is not signed in either; who may not use the app stays signed in.
    fn end_refused_session(&mut self, refusal: Refusal) {
        if matches!(
            refusal,
            Refusal::OrgLocked
                | Refusal::OrgDeleted
                | Refusal::Inactive
                | Refusal::NotInternal
                | Refusal::BrowserClosed
                | Refusal::RestrictedIp
                | Refusal::RestrictedHours
                | Refusal::RateExceeded
        ) {
            self.end_session();
        }
    }

    pub(super) fn raise(&mut self, person: &Person, start: StartUrl) -> Answer {
        let address = person.user().map(|user| user.address().to_owned()).unwrap_or_default();
        let remembers = self.browser.remembered.is_some();
        self.challenge(&person.session, Purpose::RaiseLevel, &address, Some(start), remembers)
    }

    fn consent_page(&self, case: &Case, source: &str, request: &Authorization) -> Answer {
        let start = StartUrl::consent(source);
        ConsentPage {
            frame: self.frame_of(Some(request)),
            app: &case.app.name,
            org: &case.person.setup.org.name,
            full_name: &case.user.full_name(),
            username: &case.user.username,
            lines: scope::lines(&case.scopes),
            source,
            callback: &request.callback_origin(),
            log_out: &start.after(WebRoute::Logout),
        }
        .answer()
    }

    /// Answers the request with a code or a token. A request is answered once, however often Allow is pressed.
    fn grant(&mut self, case: Case, source: &str, request: &Authorization) -> Result<Answer, Failure> {
        if !self.world.shared.pending.close(source) {
            return Ok(self.request_is_gone());
        }
        let Case { person, user, app, scopes } = case;
        let authorized = Authorized {
            consumer_key: app.consumer_key.clone(),
            redirect_uri: request.redirect_uri.clone(),
            username: user.username.clone(),
            scopes,
            level: person.session.level,
            challenge: request.challenge.clone(),
            nonce: request.nonce.clone(),
            at: self.now(),
        };
        let mut answer = match request.response {
            ResponseType::Token | ResponseType::TokenAndIdToken => {
                person.org.issue_in_fragment(self.call, &person.setup, &app, &user, authorized)
            }
            ResponseType::Code | ResponseType::Unsupported => {
                let code = person.org.codes.issue(authorized);
                form_urlencoded::Serializer::new(String::new()).append_pair("code", &code).finish()
            }
        };
        if let Some(state) = &request.state {
            let state = form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
            answer = format!("{answer}&{state}");
        }
        Ok(page::redirect(&request.callback_with(&answer)))
    }
}

fn immediate_unsuccessful() -> Failure {
    Failure::callback("immediate_unsuccessful", "a login or an approval is needed")
}
