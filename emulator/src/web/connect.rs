//! The activation page of the device flow: a person confirms the code that a device shows, and allows or denies what
//! it asks for (Salesforce Help, "OAuth 2.0 Device Flow for IoT Integration").

use url::form_urlencoded;

use super::authorize::check_state;
use super::failure::Failure;
use super::page::{self, ConnectPage, DevicePage, Message};
use super::scope;
use super::start_url::StartUrl;
use super::visitor::{Person, Visitor};
use crate::answer::Answer;
use crate::oauth::{DeviceApproval, DeviceRequest, plain_user_code};
use crate::route::WebRoute;
use crate::scenario::{AppSpec, LevelAction, UserSpec};
use crate::sign_in::{Entry, Visit};

const WRONG: &str = "The code is invalid or has expired. Check the code on your device, or let it show a new one.";
const ALLOWED: &str = "You can go back to your device now. This page can be closed.";
const DENIED: &str = "The device gets no access. This page can be closed.";

/// A code that a person may answer.
struct Case {
    person: Person,
    user: UserSpec,
    app: AppSpec,
    scopes: Vec<String>,
    user_code: String,
}

impl Visitor<'_> {
    pub(super) fn connect(&mut self) -> Answer {
        let written = self.parameters.get("user_code").unwrap_or_default();
        let user_code = plain_user_code(written);
        let start = connect_url(&user_code);
        let (_, own) = self.world.locate(&self.call.host, self.call.arrival);
        let person = self.person().filter(|person| own.as_ref().is_none_or(|org| org.id == person.org.id));
        let Some(person) = person else { return page::redirect(&start.after(WebRoute::Login)) };
        if !self.is_post() {
            return self.connect_page(&person, &user_code, None);
        }
        if !self.form_is_genuine() {
            return self.form_is_stale();
        }
        let request = self.world.shared.device_codes.waiting(&user_code, self.now());
        let request = request.filter(|request| request.org.is_none_or(|org| org == person.org.id));
        let Some(request) = request else { return self.connect_page(&person, &user_code, Some(WRONG)) };
        let decision = self.parameters.get("decision").map(str::to_owned);
        if decision.as_deref() == Some("deny") {
            return self.deny_device(&user_code);
        }
        match self.case(person, request) {
            Ok(Next::Raise(person)) => self.raise(&person, start),
            Ok(Next::Answer(case)) if decision.is_some() => self.allow_device(*case),
            Ok(Next::Answer(case)) => self.device_page(&case),
            Err(failure) => failure.answer_on_page(),
        }
    }

    /// App and org agree, and the user may come in.
    fn case(&mut self, person: Person, request: DeviceRequest) -> Result<Next, Failure> {
        let DeviceRequest { consumer_key, scopes, admitted, user_code, .. } = request;
        let user = person.user().cloned().ok_or_else(Failure::denied)?;
        let app = person.org.app(self.call, &person.setup, &consumer_key).ok_or_else(Failure::unknown_client)?;
        check_state(&app)?;
        if !app.device_flow {
            return Err(Failure::page("invalid_grant", "device flow is not enabled for the app"));
        }
        let scopes = scope::granted(&app, scopes.as_deref())
            .map_err(|description| Failure::page("invalid_scope", description))?;
        let app = app.into_owned();
        let level = person.session.level;
        if level < app.required_session_level && app.level_action == LevelAction::RaiseSessionLevel {
            return Ok(Next::Raise(person));
        }
        if admitted != Some((person.org.id, user.username.clone())) {
            let visit = Visit { setup: &person.setup, app: Some(&app), user: &user, entry: Entry::Device, level };
            person.org.admit(&visit)?;
            self.world.shared.device_codes.admit(&user_code, person.org.id, &user.username, self.now());
        }
        Ok(Next::Answer(Box::new(Case { person, user, app, scopes, user_code })))
    }

    fn allow_device(&self, case: Case) -> Answer {
        let Case { person, user, app, scopes, user_code } = case;
        let (org, username, level) = (person.org.id, user.username.clone(), person.session.level);
        let approval = DeviceApproval { org, username, scopes: scopes.clone(), level };
        if !self.world.shared.device_codes.answer(&user_code, Some(approval), self.now()) {
            return self.request_is_gone();
        }
        person.org.approvals.consent(&app.consumer_key, &user.username, &scopes, self.now());
        Message { heading: "You're connected", text: ALLOWED, link: None }.answer()
    }

    fn deny_device(&self, user_code: &str) -> Answer {
        if !self.world.shared.device_codes.answer(user_code, None, self.now()) {
            return self.request_is_gone();
        }
        Message { heading: "Access denied", text: DENIED, link: None }.answer()
    }

    fn connect_page(&self, person: &Person, user_code: &str, problem: Option<&str>) -> Answer {
        let log_out = connect_url(user_code).after(WebRoute::Logout);
        let username = &person.session.username;
        ConnectPage { frame: self.frame_of(None), problem, user_code, username, log_out: &log_out }.answer()
    }

    fn device_page(&self, case: &Case) -> Answer {
        DevicePage {
            frame: self.frame_of(None),
            app: &case.app.name,
            org: &case.person.setup.org.name,
            full_name: &case.user.full_name(),
            username: &case.user.username,
            lines: scope::lines(&case.scopes),
            user_code: &case.user_code,
            log_out: &connect_url(&case.user_code).after(WebRoute::Logout),
        }
        .answer()
    }
}

/// What a code needs next.
enum Next {
    /// A second factor, for the session level that the app asks for.
    Raise(Person),
    Answer(Box<Case>),
}

/// The page itself, with a code filled in.
fn connect_url(user_code: &str) -> StartUrl {
    let path = WebRoute::Connect.path();
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("user_code", user_code).finish();
    let with_code = StartUrl::parse(&format!("{path}?{query}")).filter(|_| !user_code.is_empty());
    with_code.unwrap_or_else(|| StartUrl::parse(path).expect("it is a path"))
}
