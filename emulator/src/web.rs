//! What a person meets in a browser: an app's request for authorization, the login page, verification codes, consent,
//! and refusals. The pages belong to the world, because a generic host learns the org from who signs in.

mod authorization;
mod authorize;
mod bounded;
mod browser;
mod connect;
mod consent;
mod failure;
mod login;
mod page;
mod scope;
mod start_url;
mod verification;
mod visitor;

use http::{Method, StatusCode};
use url::Url;

use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::Parameters;
use crate::route::WebRoute;
use crate::scenario::PolicyRefusals;
use crate::world::World;
use authorization::Authorization;
use failure::Failure;
use start_url::StartUrl;
use visitor::Visitor;

pub(crate) use authorization::PendingAuthorizations;
pub(crate) use bounded::Bounded;
pub(crate) use browser::Browsers;
pub(crate) use scope::granted as granted_scopes;

/// What fuzzing feeds: a request that is refused at its callback, and the page where a person would go on.
pub(crate) fn read_redirects(parameters: &Parameters, callback: &str) {
    let request = Authorization::of(parameters, "key", callback);
    request.callback_origin();
    Failure::denied().answer(&request, PolicyRefusals::Callback);
    let Some(start) = StartUrl::of(parameters) else { return };
    let here = Url::parse("https://login.salesforce.com/").expect("the address is well-formed");
    let there = here.join(start.as_str()).expect("a start address is a path");
    assert_eq!(there.host_str(), here.host_str(), "a start address leads to another host");
}

/// Larger forms are none of ours.
const MAX_FORM: usize = 64 << 10;

impl World {
    /// `GET|POST /services/oauth2/authorize`.
    pub(crate) fn authorize(&self, call: &Call) -> Answer {
        match self.refuse_web(call) {
            Some(refusal) => refusal,
            None => self.visit(call, Visitor::authorize),
        }
    }

    /// Answers for one of the pages.
    pub(crate) fn web(&self, call: &Call, page: WebRoute) -> Answer {
        if page == WebRoute::Style {
            return page::style();
        }
        if let Some(refusal) = self.refuse_web(call) {
            return refusal;
        }
        if !matches!(call.method, Method::GET | Method::POST) {
            return Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        match page {
            WebRoute::Login => self.visit(call, Visitor::login),
            WebRoute::Verification => self.visit(call, Visitor::verification),
            WebRoute::Consent => self.visit(call, Visitor::consent),
            WebRoute::Connect => self.visit(call, Visitor::connect),
            WebRoute::Logout => self.visit(call, Visitor::log_out),
            WebRoute::Error => failure::error_page(call),
            WebRoute::Style => page::style(),
        }
    }

    fn visit<'a>(&'a self, call: &'a Call, answer: impl FnOnce(&mut Visitor<'a>) -> Answer) -> Answer {
        let mut visitor = Visitor::of(self, call);
        let answer = answer(&mut visitor);
        visitor.finish(answer)
    }

    /// Hosts without pages for people, and forms that are too large.
    fn refuse_web(&self, call: &Call) -> Option<Answer> {
        if !call.site.signs_in() {
            return Some(Answer::html(StatusCode::NOT_FOUND, "<h1>URL No Longer Exists</h1>"));
        }
        (call.body.len() > MAX_FORM).then(|| Answer::empty(StatusCode::PAYLOAD_TOO_LARGE))
    }
}
