//! "Sign in with Salesforce": a person's own sign-in, with a client app of the server configuration.

use askama::Template;
use http::StatusCode;

use super::{
    call::{Answer, Call, go_to, html},
    findings::FindingView,
    frame::Frame,
};

#[derive(Template)]
#[template(path = "ui/outcome_own.html")]
struct Page {
    frame: Frame,
    findings: Vec<FindingView>,
}

pub(super) async fn begin(call: Call) -> Answer {
    let caller = call.caller()?;
    let (org, name) = (call.form.text("org"), call.form.given("name"));
    let (callback, binding) = (call.console.site.callback_url(), caller.session.binding());
    match call.console.app.begin_own_sign_in(caller, org, name, &callback, &binding).await {
        Ok(begun) => go_to(begun.url.as_str()),
        Err(error) => {
            let frame = call.frame("Not signed in").below("Integrations", "/integrations");
            let page = Page { frame, findings: FindingView::of_error(&error) };
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
    }
}
