//! One-time links: the first start, invitations, new passwords. Opening one changes nothing; its form uses it up.

use askama::Template;
use http::StatusCode;

use super::{
    call::{Answer, Call, go_to, html, with_session},
    frame::Frame,
    problem::{Problem, capital},
    words::Moment,
};
use crate::{
    auth::{AuthError, Purpose, Token, password},
    error::Error,
    store::users::Link,
};

#[derive(Template)]
#[template(path = "ui/link.html")]
struct Page {
    frame: Frame,
    token: String,
    is_first_start: bool,
    is_sign_in: bool,
    explanation: String,
    button: &'static str,
    email: String,
    expires: Moment,
    shortest: usize,
    problem: Option<String>,
}

pub(super) async fn show(call: Call) -> Answer {
    let text = call.query.text("token");
    let link = call.console.app.open_link(&Token::presented(text)).await?;
    let email = link.email.clone().unwrap_or_default();
    call.page(&page(&call, &link, text, email, None))
}

pub(super) async fn follow(call: Call) -> Answer {
    let text = call.form.text("token");
    let token = Token::presented(text);
    let link = call.console.app.open_link(&token).await?;
    let email = call.form.text("email");
    let password = call.form.secret("password");
    let followed = call.console.app.follow_link(&token, Some(email), password, call.presented.as_ref()).await;
    match followed {
        Ok(caller) => with_session(go_to("/integrations"), &call.console, Some(&caller.session)),
        Err(Error::Auth(error @ (AuthError::NoEmail(_) | AuthError::ShortPassword(_) | AuthError::LongPassword))) => {
            let problem = format!("{} {}", capital(&error.to_string()), capital(error.remedy()));
            let email = link.email.clone().unwrap_or_else(|| email.to_owned());
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page(&call, &link, text, email, Some(problem))))
        }
        Err(error) => Err(Problem::from(error)),
    }
}

fn page(call: &Call, link: &Link, token: &str, email: String, problem: Option<String>) -> Page {
    let (title, explanation, button) = match link.purpose {
        Purpose::FirstStart => (
            "Welcome to Orgtide",
            "You are the first one here. Make yourself the owner of this installation: an owner connects orgs, invites \
             others and gives them roles."
                .to_owned(),
            "Create the owner's account",
        ),
        Purpose::Invitation(role) => {
            ("You are invited", format!("Choose a password, and you are in. Your role: {role}."), "Create my account")
        }
        Purpose::Password => (
            "Set a new password",
            "Your sessions in other browsers end when you save it.".to_owned(),
            "Save the password and sign in",
        ),
        Purpose::SignIn => (
            "The console of the demonstration",
            "An emulated org and this console run on this machine, and nowhere else.".to_owned(),
            "Open the console",
        ),
    };
    Page {
        frame: Frame::of(None, title.into(), ""),
        token: token.to_owned(),
        is_first_start: link.purpose == Purpose::FirstStart,
        is_sign_in: link.purpose == Purpose::SignIn,
        explanation,
        button,
        email,
        expires: Moment::of(link.expires_at, call.console.app.now()),
        shortest: password::SHORTEST,
        problem,
    }
}
