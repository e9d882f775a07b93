//! `orgtide connect` with a browser: on this machine, or a code on any device.

use std::io::IsTerminal;

use std::time::Duration;

use futures_util::future::{Either, select};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde_json::json;

use super::loopback::{Loopback, Page};
use crate::{
    app::{
        App,
        connect::{ConnectRequest, Connected, device::DevicePoll, web_server::LIFE},
    },
    cli::{
        open_browser,
        terminal::{Terminal, short},
    },
    diagnose::Checklist,
    error::Error,
};

/// Who begins a sign-in on the command line: this process alone.
fn this_process() -> String {
    format!("command line, process {}", std::process::id())
}

/// Sends a person to Salesforce and waits for their browser to come back to this machine.
pub(super) async fn sign_in(
    app: &App,
    request: ConnectRequest,
    callback: &str,
    opens_browser: bool,
    checklist: &dyn Checklist,
    terminal: &Terminal,
) -> Result<Connected, Error> {
    let mut loopback = Loopback::listen(callback).await?;
    let begin = async || app.begin_web_server(request.clone(), callback, &this_process()).await;
    let begun = app.patiently(checklist, begin).await?;
    terminal.document(&json!({ "event": "open", "url": begun.url.as_str(), "callback": callback }));
    terminal.say(format!("Callback URL, to be registered in the app exactly so: {callback}"));
    terminal.say(format!("Sign in to Salesforce in a browser on this machine:\n\n  {}\n", begun.url));
    if opens_browser && !terminal.is_json() {
        open_browser(begun.url.as_str());
    }
    terminal.say(format!("Waiting for the browser to come back until {} (Ctrl-C ends) …", short(begun.expires_at)));
    let mut over = Box::pin(over(app, checklist));
    loop {
        let came_back = match select(std::pin::pin!(loopback.callback()), over).await {
            Either::Left((came_back, rest)) => {
                over = rest;
                came_back
            }
            Either::Right(_) => return Err(Error::SignInOver),
        };
        let outcome = app.finish_web_server(&came_back.query, &this_process(), checklist).await;
        came_back.answer(page(&outcome));
        match outcome {
            // Somebody else's callback does not end the wait for ours.
            Err(Error::Callback { connection: None, source }) => terminal.warning(&source.to_string()),
            outcome => {
                // The page first: with the process, its answer would be gone.
                let closed = std::pin::pin!(loopback.close());
                select(closed, app.http().timer().sleep(Duration::from_secs(5))).await;
                return outcome;
            }
        }
    }
}

/// The end of the wait for a browser: half an hour, or when whoever waits stops.
async fn over(app: &App, checklist: &dyn Checklist) {
    for _ in 0..LIFE.as_secs() {
        if checklist.is_stopped() {
            return;
        }
        app.http().timer().sleep(Duration::from_secs(1)).await;
    }
}

fn page(outcome: &Result<Connected, Error>) -> Page {
    match outcome {
        Ok(Connected { connection, user, .. }) => Page {
            is_connected: true,
            headline: "Connected".to_owned(),
            words: format!("{} is connected as {}.", connection.instance.host(), user.preferred_username),
            remedy: None,
        },
        Err(error) => Page {
            is_connected: false,
            headline: "Not connected".to_owned(),
            words: error.to_string(),
            remedy: error.remedy(),
        },
    }
}

/// Shows a code, and asks until the person has decided.
pub(super) async fn show_code(
    app: &App,
    request: ConnectRequest,
    checklist: &dyn Checklist,
    terminal: &Terminal,
) -> Result<Connected, Error> {
    let begin = async || app.begin_device(request.clone(), &this_process()).await;
    let begun = app.patiently(checklist, begin).await?;
    terminal.document(&json!({
        "event": "code",
        "user_code": begun.user_code,
        "verification_uri": begun.verification_uri.as_str(),
        "prefilled_uri": begun.prefilled_uri.as_str(),
        "expires_at": begun.expires_at,
    }));
    if let Some(code) = qr_code(begun.prefilled_uri.as_str()).filter(|_| std::io::stdout().is_terminal()) {
        terminal.say(code);
    }
    terminal.say(format!("On any device, open  {}", begun.verification_uri));
    terminal.say(format!("and enter the code   {}", begun.user_code));
    terminal.say(format!("Waiting until {} (Ctrl-C ends) …", short(begun.expires_at)));
    let mut wait = begun.interval;
    loop {
        app.http().timer().sleep(wait).await;
        if checklist.is_stopped() {
            return Err(Error::SignInOver);
        }
        match app.poll_device(&begun.id, &this_process(), checklist).await? {
            DevicePoll::Connected(connected) => return Ok(*connected),
            DevicePoll::Pending { again_in } => wait = again_in,
        }
    }
}

/// A code for a phone's camera, in half blocks; dark on light as cameras expect it.
fn qr_code(link: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_code_that_fits_a_terminal() {
        let code = qr_code("https://acme.my.salesforce.com/setup/connect?user_code=08T3AY9D").unwrap();
        let widths: Vec<usize> = code.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0] && *width <= 60), "{widths:?}");
    }
}
