//! Connecting: the address, the ways, the form of one way beside its guide, and Save & Check.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use salesforce::{host::OrgUrl, oauth::Flow};

use super::{
    attempt::{Attempt, DeviceCode, Subject},
    call::{Answer, Call, go_to, html},
    connect_form::{ConnectForm, FieldView, carried},
    findings::FindingView,
    frame::Frame,
    guides,
    problem::{Problem, capital},
    ways,
    words::address,
};
use crate::app::connect::{ConnectRequest, device::DevicePoll};

/// The page that asks for the address, and then shows the ways.
#[derive(Template)]
#[template(path = "ui/connect.html")]
struct Page {
    frame: Frame,
    /// As it was typed.
    org: String,
    problem: Option<String>,
    read: Option<ReadAddress>,
    /// What the link said beside the org.
    carried: Vec<(&'static str, String)>,
}

/// What an address was read as.
struct ReadAddress {
    host: String,
    kind: &'static str,
    ways: Vec<Way>,
}

struct Way {
    title: &'static str,
    /// Of the form.
    address: String,
    for_whom: &'static str,
    ending: Option<&'static str>,
    is_recommended: bool,
}

/// The form of one way.
#[derive(Template)]
#[template(path = "ui/connect_form.html")]
struct FormPage {
    frame: Frame,
    form: ConnectForm,
    fields: Vec<FieldView>,
    is_org_missing: bool,
    title: &'static str,
    ending: Option<&'static str>,
    callback: Option<String>,
    button: &'static str,
    guide: String,
    findings: Vec<FindingView>,
    problem: Option<String>,
    /// The certificate of the key that signs in.
    certificate: Option<guides::Certificate>,
}

pub(super) async fn show(call: Call) -> Answer {
    let typed = call.query.text("org").to_owned();
    let (read, problem) = match call.console.app.read_address(&typed) {
        _ if typed.is_empty() => (None, None),
        Ok(org) => (Some(read_address(&call, &org)), None),
        Err(error) => (None, Some(capital(&error.to_string()))),
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = Page {
        frame: call.frame("Connect Salesforce").below("Integrations", "/integrations"),
        org: typed,
        problem,
        read,
        carried: carried(&call.query).into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
    };
    Ok(html(status, &page))
}

fn read_address(call: &Call, org: &OrgUrl) -> ReadAddress {
    let query: Vec<(&str, &str)> = std::iter::once(("org", org.host())).chain(carried(&call.query)).collect();
    let way = |(index, flow): (usize, Flow)| Way {
        title: flow.title(),
        address: address(&format!("/connect/{flow}"), &query),
        for_whom: ways::for_whom(flow),
        ending: flow.ending(),
        is_recommended: index == 0,
    };
    ReadAddress {
        host: org.host().to_owned(),
        kind: kind_of(org),
        ways: ways::in_order(org.is_generic()).into_iter().enumerate().map(way).collect(),
    }
}

/// What a host name says of its org (Salesforce Help, *My Domain URL Formats*).
fn kind_of(org: &OrgUrl) -> &'static str {
    let host = org.host();
    if org.is_generic() {
        return if host.starts_with("test.") {
            "the sign-in host of all sandboxes"
        } else {
            "the sign-in host of all orgs"
        };
    }
    match host {
        _ if host.contains(".sandbox.") => "a sandbox",
        _ if host.contains(".scratch.") => "a scratch org",
        _ if host.contains(".develop.") || host.contains("-dev-ed.") => "a Developer Edition org",
        _ if host.contains(".trailblaze.") => "a Trailhead playground",
        _ => "a production org",
    }
}

fn flow_of(call: &Call) -> Result<Flow, Problem> {
    call.part("flow").parse().map_err(|_| Problem::not_found("There is no such way to connect."))
}

pub(super) async fn show_form(call: Call) -> Answer {
    let form = ConnectForm::read(flow_of(&call)?, &call.query);
    let page = form_page(&call, form, &[], Vec::new()).await?;
    call.page(&page)
}

async fn form_page(
    call: &Call,
    form: ConnectForm,
    missing: &[&str],
    findings: Vec<FindingView>,
) -> Result<FormPage, Problem> {
    let flow = form.flow;
    let said: Vec<(&str, &str)> = std::iter::once(("org", form.org.as_str())).chain(form.carried()).collect();
    let ways = address("/connect", &said);
    let problem = (!missing.is_empty()).then(|| "Something that is needed was left empty.".to_owned());
    Ok(FormPage {
        frame: call.frame(flow.title()).below("Integrations", "/integrations").below("Connect Salesforce", ways),
        fields: form.fields(missing),
        is_org_missing: missing.contains(&"org"),
        title: flow.title(),
        ending: flow.ending(),
        callback: (flow == Flow::WebServer).then(|| call.console.site.callback_url()),
        button: match flow {
            Flow::WebServer => "Sign in with Salesforce",
            Flow::Device => "Show the code",
            _ => "Save & Check",
        },
        guide: guides::beside(call, &form),
        certificate: guides::certificate(call, &form).await?,
        findings,
        problem,
        form,
    })
}

/// Save & Check: begins the attempt, and leads to its page.
pub(super) async fn begin(call: Call) -> Answer {
    let flow = flow_of(&call)?;
    let form = ConnectForm::read(flow, &call.form);
    let missing = form.missing(&call.form);
    if !missing.is_empty() {
        let page = form_page(&call, form, &missing, Vec::new()).await?;
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    if let Err(error) = form.first_import() {
        let problem =
            Some(format!("{} Write none, every 15 minutes, hourly, or daily at 03:00 UTC.", sentence(&error)));
        let page = FormPage { problem, ..form_page(&call, form, &[], Vec::new()).await? };
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let request = form.request(&call)?;
    match flow {
        Flow::WebServer => begin_web_server(&call, form, request).await,
        Flow::Device => begin_device(&call, form, request).await,
        _ => {
            let offered = form.offered(&call.form);
            let offered = offered.ok_or_else(|| Problem::not_found("There is no such way to connect."))?;
            let attempt = begin_attempt(&call, Subject::Connect(form), None)?;
            let (app, ours) = (Arc::clone(&call.console.app), Arc::clone(&attempt));
            tokio::spawn(async move {
                let concluded = app.connect(request, offered, &*ours).await;
                ours.concluded(concluded);
            });
            go_to(&format!("/attempts/{}", attempt.id))
        }
    }
}

fn sentence(error: &impl ToString) -> String {
    format!("{}.", capital(&error.to_string()))
}

fn begin_attempt(call: &Call, subject: Subject, device: Option<DeviceCode>) -> Result<Arc<Attempt>, Problem> {
    let user_id = &call.caller()?.user.id;
    Ok(call.console.attempts.begin(user_id, subject, device, call.console.app.now()))
}

async fn begin_web_server(call: &Call, form: ConnectForm, request: ConnectRequest) -> Answer {
    let binding = call.caller()?.session.binding();
    let callback = call.console.site.callback_url();
    match call.console.app.begin_web_server(request, &callback, &binding).await {
        Ok(begun) => {
            call.console.attempts.remember_form(&binding, form, call.console.app.now());
            go_to(begun.url.as_str())
        }
        Err(error) => {
            let findings = FindingView::of_error(&error);
            let page = form_page(call, form, &[], findings).await?;
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
    }
}

async fn begin_device(call: &Call, form: ConnectForm, request: ConnectRequest) -> Answer {
    let binding = call.caller()?.session.binding();
    let begun = match call.console.app.begin_device(request, &binding).await {
        Ok(begun) => begun,
        Err(error) => {
            let findings = FindingView::of_error(&error);
            let page = form_page(call, form, &[], findings).await?;
            return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page));
        }
    };
    let device = DeviceCode {
        user_code: begun.user_code,
        address: begun.verification_uri.to_string(),
        prefilled: begun.prefilled_uri.to_string(),
        expires_at: begun.expires_at,
    };
    let attempt = begin_attempt(call, Subject::Connect(form), Some(device))?;
    let (app, ours) = (Arc::clone(&call.console.app), Arc::clone(&attempt));
    tokio::spawn(async move {
        let mut pause = begun.interval;
        loop {
            app.http().timer().sleep(pause).await;
            if ours.is_stopped() {
                return;
            }
            match app.poll_device(&begun.id, &binding, &*ours).await {
                Ok(DevicePoll::Pending { again_in }) => pause = again_in,
                Ok(DevicePoll::Connected(connected)) => return ours.concluded(Ok(*connected)),
                Err(error) => return ours.concluded(Err(error)),
            }
        }
    });
    go_to(&format!("/attempts/{}", attempt.id))
}

/// The form of an attempt that failed, with what was found.
pub(super) async fn refused_form(call: &Call, form: &ConnectForm, findings: Vec<FindingView>) -> Answer {
    let page = form_page(call, form.clone(), &[], findings).await?;
    call.page(&page)
}
