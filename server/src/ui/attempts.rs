//! The page of an attempt: its checklist while it goes on, then what it came to.

use askama::Template;
use axum::response::IntoResponse;
use http::StatusCode;
use qrcode::{EcLevel, QrCode, render::svg};

use super::{
    attempt::{Attempt, DeviceCode, Line, Outcome, Subject, Waiting},
    call::{Answer, Call, go_to},
    connect,
    findings::FindingView,
    frame::Frame,
    problem::Problem,
    words::Moment,
};

#[derive(Template)]
#[template(path = "ui/attempt.html")]
struct Page {
    frame: Frame,
    live: Live,
    device: Option<DeviceView>,
}

/// The part that changes.
#[derive(Template)]
#[template(path = "ui/attempt_live.html")]
struct Live {
    id: String,
    version: u64,
    is_over: bool,
    status: String,
    lines: Vec<Line>,
    waiting: Option<Waiting>,
    form_token: String,
    is_device: bool,
}

struct DeviceView {
    user_code: String,
    address: String,
    prefilled: String,
    expires: Moment,
}

/// What an attempt came to.
#[derive(Template)]
#[template(path = "ui/outcome.html")]
struct OutcomePage {
    frame: Frame,
    connected: Option<ConnectedView>,
    findings: Vec<FindingView>,
    lines: Vec<Line>,
    /// Where to try again.
    again: Option<(String, &'static str)>,
}

struct ConnectedView {
    connection: String,
    org: String,
    username: String,
    again: bool,
    warnings: Vec<String>,
    may_import: bool,
}

pub(super) async fn show(call: Call) -> Answer {
    let attempt = found(&call)?;
    let (outcome, live) = {
        let now = attempt.now();
        (now.outcome.clone(), live(&call, &attempt, &now))
    };
    if call.is_live {
        return live_part(&call, live);
    }
    match outcome {
        None => {
            let device = attempt.device.as_ref().map(|device| device_view(&call, device));
            let page = Page { frame: frame(&call, &attempt), live, device };
            call.changing_page(&page, true)
        }
        Some(outcome) => over(&call, &attempt, outcome, live.lines).await,
    }
}

fn found(call: &Call) -> Result<std::sync::Arc<Attempt>, Problem> {
    let found = call.console.attempts.find(call.part("id"), &call.caller()?.user.id);
    found.ok_or_else(|| {
        Problem::not_found(
            "This attempt is not known any more: it is more than an hour old, the server was started again, or \
             somebody else began it. What it has saved stays.",
        )
    })
}

/// Nothing when the page shows the newest already, and the whole page when there is nothing more to wait for.
fn live_part(call: &Call, live: Live) -> Answer {
    if live.is_over {
        return Ok([("hx-refresh", "true")].into_response());
    }
    if call.query.text("seen") == live.version.to_string() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    call.page(&live)
}

fn frame(call: &Call, attempt: &Attempt) -> Frame {
    let (title, above) = match &attempt.subject {
        Subject::Connect(_) if attempt.device.is_some() => ("Waiting for the code", None),
        Subject::Connect(_) => ("Save & Check", None),
        Subject::Callback { .. } => ("Signing in with Salesforce", None),
        Subject::Check { connection } => ("Checking", Some(connection)),
    };
    let frame = call.frame(title).below("Integrations", "/integrations");
    match above {
        Some(connection) => frame.below(connection.clone(), format!("/connections/{connection}")),
        None => frame,
    }
}

fn live(call: &Call, attempt: &Attempt, now: &super::attempt::Now) -> Live {
    let status = match (&now.outcome, &now.waiting) {
        (Some(_), _) => "Done.".to_owned(),
        (None, Some(_)) => "Waiting: this may be a change in Setup that does not work yet.".to_owned(),
        (None, None) if attempt.device.is_some() && now.lines.is_empty() => "Waiting for the code.".to_owned(),
        (None, None) => "Checking. Nothing is saved until the essentials pass.".to_owned(),
    };
    Live {
        id: attempt.id.clone(),
        version: now.version,
        is_over: now.outcome.is_some(),
        status,
        lines: now.lines.clone(),
        waiting: now.waiting.clone(),
        form_token: call.visitor().map(|caller| caller.session.form_token()).unwrap_or_default(),
        is_device: attempt.device.is_some(),
    }
}

fn device_view(call: &Call, device: &DeviceCode) -> DeviceView {
    DeviceView {
        user_code: device.user_code.clone(),
        address: device.address.clone(),
        prefilled: device.prefilled.clone(),
        expires: Moment::of(device.expires_at, call.console.app.now()),
    }
}

async fn over(call: &Call, attempt: &Attempt, outcome: Outcome, lines: Vec<Line>) -> Answer {
    match outcome {
        Outcome::Connected { connection, org, username, again, warnings, findings } => {
            let may_import = call.has_role(crate::auth::Role::Admin);
            call.page(&OutcomePage {
                frame: call.frame("Connected").below("Integrations", "/integrations"),
                connected: Some(ConnectedView { connection, org, username, again, warnings, may_import }),
                findings: findings.into_iter().filter(|finding| !finding.is_good()).collect(),
                lines,
                again: None,
            })
        }
        Outcome::Stopped => match &attempt.subject {
            Subject::Connect(form) => connect::refused_form(call, form, Vec::new()).await,
            Subject::Callback { .. } | Subject::Check { .. } => go_to("/integrations"),
        },
        Outcome::Checked => match &attempt.subject {
            Subject::Check { connection } => go_to(&format!("/connections/{connection}?done=checked")),
            _ => go_to("/integrations"),
        },
        Outcome::Failed(findings) => match &attempt.subject {
            Subject::Connect(form) | Subject::Callback { form: Some(form) } => {
                connect::refused_form(call, form, findings).await
            }
            Subject::Callback { form: None } => call.page(&OutcomePage {
                frame: call.frame("Not connected").below("Integrations", "/integrations"),
                connected: None,
                findings,
                lines,
                again: Some(("/integrations".to_owned(), "Back to the integrations")),
            }),
            Subject::Check { connection } => call.page(&OutcomePage {
                frame: call.frame("Not checked").below("Integrations", "/integrations"),
                connected: None,
                findings,
                lines,
                again: Some((format!("/connections/{connection}"), "Back to the connection")),
            }),
        },
    }
}

/// The code as a picture, for the camera of another device.
pub(super) async fn picture(call: Call) -> Answer {
    let attempt = found(&call)?;
    let device = attempt.device.as_ref().ok_or_else(|| Problem::not_found("This attempt has no code."))?;
    let code = QrCode::with_error_correction_level(&device.prefilled, EcLevel::M)
        .map_err(|_| Problem::not_found("The address is too long for a QR code."))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(240, 240).quiet_zone(true).build();
    Ok(([(http::header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

/// The person does not want to wait for a change in Setup to take effect.
pub(super) async fn stop(call: Call) -> Answer {
    let attempt = found(&call)?;
    attempt.stop();
    if attempt.device.is_some() {
        attempt.end(Outcome::Stopped);
    }
    go_to(&format!("/attempts/{}", attempt.id))
}
