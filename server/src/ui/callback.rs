//! Coming back from Salesforce, and what to make of a page of Salesforce's from which nobody comes back.

use std::sync::Arc;

use askama::Template;
use salesforce::oauth::read_error_page;

use super::{
    attempt::Subject,
    call::{Answer, Call, go_to},
    findings::FindingView,
    frame::Frame,
};

/// Ends the sign-in in the background, so that the code does not stay in the browser's address.
pub(super) async fn arrive(call: Call) -> Answer {
    let caller = call.caller()?;
    let binding = caller.session.binding();
    let form = call.console.attempts.take_form(&binding);
    let now = call.console.app.now();
    let attempt = call.console.attempts.begin(&caller.user.id, Subject::Callback { form }, None, now);
    let (app, ours, query) = (Arc::clone(&call.console.app), Arc::clone(&attempt), call.raw_query.clone());
    tokio::spawn(async move {
        let concluded = app.finish_web_server(&query, &binding, &*ours).await;
        ours.concluded(concluded);
    });
    go_to(&format!("/attempts/{}", attempt.id))
}

#[derive(Template)]
#[template(path = "ui/error_page.html")]
struct Page {
    frame: Frame,
    pasted: String,
    findings: Vec<FindingView>,
    is_read: bool,
}

pub(super) async fn ask(call: Call) -> Answer {
    call.page(&page(&call, String::new(), Vec::new()))
}

/// What a person pastes of an error page.
pub(super) async fn explain(call: Call) -> Answer {
    let pasted = call.form.text("page");
    let findings = read_error_page(pasted).map(FindingView::of_refusal).unwrap_or_default();
    call.page(&page(&call, pasted.to_owned(), findings))
}

fn page(call: &Call, pasted: String, findings: Vec<FindingView>) -> Page {
    Page {
        frame: call.frame("A page of Salesforce's").below("Integrations", "/integrations"),
        is_read: !pasted.is_empty(),
        pasted,
        findings,
    }
}
