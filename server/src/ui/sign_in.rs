//! Signing in and out of the console.

use askama::Template;
use http::StatusCode;

use super::{
    call::{Answer, Call, go_to, html, own_path, with_session},
    frame::Frame,
};
use crate::{
    app::accounts::Attempt,
    auth::AuthError,
    error::Error,
    ui::problem::{Problem, capital},
};

#[derive(Template)]
#[template(path = "ui/sign_in.html")]
struct Page {
    frame: Frame,
    /// Where to go afterwards.
    to: String,
    email: String,
    problem: Option<String>,
    /// There is no account yet.
    is_first_start: bool,
}

pub(super) async fn show(call: Call) -> Answer {
    if call.visitor().is_some() {
        return go_to(own_path(call.query.text("to")));
    }
    let to = own_path(call.query.text("to")).to_owned();
    let is_first_start = !call.console.app.is_started().await?;
    call.page(&Page { frame: call.frame("Sign in"), to, email: String::new(), problem: None, is_first_start })
}

pub(super) async fn enter(call: Call) -> Answer {
    let email = call.form.text("email");
    let address = call.address.to_string();
    let attempt =
        Attempt { email, password: call.form.secret("password"), address: &address, replaced: call.presented.as_ref() };
    let to = own_path(call.form.text("to"));
    match call.console.app.sign_in(attempt).await {
        Ok(caller) => with_session(go_to(to), &call.console, Some(&caller.session)),
        Err(Error::Auth(error)) => {
            let status = match &error {
                AuthError::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::FORBIDDEN,
            };
            let page = Page {
                frame: Frame::of(None, "Sign in".into(), ""),
                to: to.to_owned(),
                email: email.to_owned(),
                problem: Some(format!("{} {}", capital(&error.to_string()), capital(error.remedy()))),
                is_first_start: false,
            };
            Ok(html(status, &page))
        }
        Err(error) => Err(Problem::from(error)),
    }
}

pub(super) async fn leave(call: Call) -> Answer {
    call.console.app.sign_out(call.caller()?).await?;
    with_session(go_to("/sign-in?done=signed-out"), &call.console, None)
}
