//! The own account: password, and signing out everywhere.

use askama::Template;
use http::StatusCode;

use super::{
    call::{Answer, Call, go_to, html, with_session},
    frame::Frame,
    problem::{Problem, capital},
};
use crate::{auth::password, error::Error};

#[derive(Template)]
#[template(path = "ui/account.html")]
struct Page {
    frame: Frame,
    email: String,
    role: &'static str,
    shortest: usize,
    problem: Option<String>,
}

pub(super) async fn show(call: Call) -> Answer {
    call.page(&page(&call, None)?)
}

fn page(call: &Call, problem: Option<String>) -> Result<Page, Problem> {
    let user = &call.caller()?.user;
    Ok(Page {
        frame: call.frame("Your account"),
        email: user.email.clone(),
        role: user.role.name(),
        shortest: password::SHORTEST,
        problem,
    })
}

pub(super) async fn change_password(call: Call) -> Answer {
    let (current, wanted) = (call.form.secret("current"), call.form.secret("password"));
    match call.console.app.change_password(call.caller()?, current, wanted).await {
        Ok(()) => go_to("/account?done=password"),
        Err(Error::Auth(error)) => {
            let problem = format!("{} {}", capital(&error.to_string()), capital(error.remedy()));
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&call, Some(problem))?))
        }
        Err(error) => Err(Problem::from(error)),
    }
}

pub(super) async fn sign_out_everywhere(call: Call) -> Answer {
    call.console.app.sign_out_everywhere(call.caller()?).await?;
    with_session(go_to("/sign-in?done=signed-out-everywhere"), &call.console, None)
}
