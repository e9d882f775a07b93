//! From a token to a browser session: single access and `frontdoor.jsp` (Salesforce Help, "Generate a Frontdoor URL to
//! Bridge into UI Sessions").

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::{StatusCode, header};
use serde_json::json;
use url::form_urlencoded;

use super::OAuthError;
use super::form::{Encoding, Parameters};
use super::identity::Refusal;
use crate::answer::Answer;
use crate::call::Call;
use crate::org::{Org, random_text};
use crate::session::Session;

/// Scopes with which a browser session may be opened.
const BROWSER_SCOPES: [&str; 5] = ["web", "full", "visualforce", "lightning", "content"];
/// Life of a frontdoor address; reports say about a minute.
const LIFE: TimeDelta = TimeDelta::seconds(60);
/// Where a browser arrives that is not sent anywhere else.
const HOME: &str = "/lightning/page/home";

/// The one-time passwords of frontdoor addresses that nobody has opened yet.
#[derive(Default)]
pub(crate) struct Frontdoors {
    waiting: Mutex<HashMap<String, Waiting>>,
}

struct Waiting {
    session: Session,
    until: DateTime<Utc>,
}

impl Frontdoors {
    fn prepare(&self, password: String, session: Session, now: DateTime<Utc>) {
        let mut waiting = self.lock();
        waiting.retain(|_, other| other.until > now);
        waiting.insert(password, Waiting { session, until: now + LIFE });
    }

    /// The session behind a password, which is used up by asking.
    fn open(&self, password: &str, now: DateTime<Utc>) -> Option<Session> {
        let waiting = self.lock().remove(password)?;
        (waiting.until > now).then_some(waiting.session)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Org {
    /// `GET|POST /services/oauth2/singleaccess`.
    pub(crate) fn single_access(&self, call: &Call) -> Answer {
        let parameters = Parameters::of(call);
        let session = match self.identify(call, &parameters, "access_token") {
            Ok(session) => session,
            Err(refusal) => return refusal.into(),
        };
        if !session.has_scope(&BROWSER_SCOPES) {
            return Refusal::InvalidScope.into();
        }
        let target = parameters.get("redirect_uri");
        if target.is_some_and(|target| !is_relative(target)) {
            return OAuthError::new("invalid_request", "redirect_uri must be a relative path")
                .into_answer(Encoding::Json);
        }
        let password = self.new_access_token();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("otp", &password);
        if let Some(target) = target {
            query.append_pair("startURL", target);
        }
        query.append_pair("cshc", &random_text(17));
        self.frontdoors.prepare(password, session, self.now());
        let base = self.instance_url(call.arrival);
        Answer::ok(&json!({"frontdoor_uri": format!("{base}/secur/frontdoor.jsp?{}", query.finish())}))
    }

    /// `GET|POST /secur/frontdoor.jsp`: opens a browser session and goes to the page that was asked for. A used or
    /// expired address leads to the login page, as a session that has ended does.
    pub(crate) fn frontdoor(&self, call: &Call) -> Answer {
        let parameters = Parameters::of(call);
        let named = ["startURL", "retURL"].into_iter().find_map(|name| parameters.get(name));
        let target = named.filter(|target| is_relative(target));
        let base = self.instance_url(call.arrival);
        let Some(session) = self.bridged_session(&parameters) else {
            let back = form_urlencoded::byte_serialize(target.unwrap_or(HOME).as_bytes()).collect::<String>();
            return redirect(&format!("{base}/?ec=302&startURL={back}"));
        };
        let token = self.new_access_token();
        let cookie = format!("sid={token}; Path=/; HttpOnly; SameSite=Lax");
        let now = self.now();
        self.sessions.open(token, Session { issued: now, last_used: now, ..session });
        redirect(&format!("{base}/{}", target.unwrap_or(HOME).trim_start_matches('/')))
            .with(header::SET_COOKIE, &cookie)
    }

    /// By a one-time password, or by a session id that reaches the browser (Salesforce Help, "Using Frontdoor.jsp to
    /// Bridge an Existing Session Into Salesforce").
    fn bridged_session(&self, parameters: &Parameters) -> Option<Session> {
        let now = self.now();
        if let Some(password) = parameters.get("otp") {
            return self.frontdoors.open(password, now);
        }
        let session = self.sessions.authenticate(parameters.get("sid")?, now)?;
        session.has_scope(&BROWSER_SCOPES).then_some(session)
    }
}

/// Whether a target stays in the org: a path, with or without its first slash, never another host.
fn is_relative(target: &str) -> bool {
    let path = target.strip_prefix('/').unwrap_or(target);
    let first = path.split(['/', '?', '#']).next().unwrap_or_default();
    !path.starts_with(['/', '\\']) && !first.contains([':', '\\']) && !target.contains(char::is_control)
}

fn redirect(to: &str) -> Answer {
    Answer::empty(StatusCode::FOUND).with(header::LOCATION, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_org_are_relative() {
        for path in ["/lightning/o/Account/home", "lightning/setup", "/", "/a?retURL=https://x.example"] {
            assert!(is_relative(path), "{path}");
        }
        for other in ["https://x.example", "//x.example", "/\\x.example", "\\\\x", "javascript:alert(1)", "/a\r\nX: y"]
        {
            assert!(!is_relative(other), "{other}");
        }
    }
}
