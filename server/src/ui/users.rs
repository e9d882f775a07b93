//! Who may use the console.

use askama::Template;
use http::StatusCode;

use super::{
    call::{Answer, Call, go_to, html},
    frame::Frame,
    problem::{Problem, capital},
    words::Moment,
};
use crate::{
    auth::{Purpose, Role, Token, role},
    error::Error,
};

#[derive(Template)]
#[template(path = "ui/users.html")]
struct Page {
    frame: Frame,
    is_owner: bool,
    users: Vec<Row>,
    invitations: Vec<Invitation>,
    roles: Vec<(&'static str, &'static str)>,
    /// A link that was just made: for whom, and its address. It is shown once.
    made: Option<Made>,
    email: String,
    problem: Option<String>,
}

struct Row {
    id: String,
    email: String,
    role: &'static str,
    is_caller: bool,
    /// The caller may give this user a new password.
    may_reset: bool,
    signed_in: Option<Moment>,
}

struct Invitation {
    email: String,
    text: String,
    expires: Moment,
}

struct Made {
    email: String,
    what: &'static str,
    address: String,
}

pub(super) async fn show(call: Call) -> Answer {
    let page = page(&call).await?;
    call.page(&page)
}

async fn page(call: &Call) -> Result<Page, Problem> {
    let caller = &call.caller()?.user;
    let now = call.console.app.now();
    let (users, links) = call.console.app.people().await?;
    let row = |user: crate::store::users::User| Row {
        is_caller: user.id == caller.id,
        may_reset: user.role <= caller.role && user.id != caller.id,
        role: user.role.name(),
        signed_in: user.signed_in_at.map(|at| Moment::of(at, now)),
        id: user.id,
        email: user.email,
    };
    let invitation = |link: crate::store::users::Link| {
        let text = match link.purpose {
            Purpose::Invitation(role) => format!("Invited as {role}"),
            Purpose::Password => "May set a new password".to_owned(),
            Purpose::FirstStart | Purpose::SignIn => return None,
        };
        Some(Invitation { email: link.email?, text, expires: Moment::of(link.expires_at, now) })
    };
    Ok(Page {
        frame: call.frame("People"),
        is_owner: caller.role == Role::Owner,
        users: users.into_iter().map(row).collect(),
        invitations: links.into_iter().filter_map(invitation).collect(),
        roles: roles_below(caller.role),
        made: None,
        email: String::new(),
        problem: None,
    })
}

/// The roles that somebody may give, and what each may do.
fn roles_below(highest: Role) -> Vec<(&'static str, &'static str)> {
    let meaning = |role| match role {
        Role::Member => "sees what is connected; signs in to Salesforce for an app of the server",
        Role::Admin => "connects orgs, imports, disconnects, invites",
        Role::Owner => "does everything, and gives roles",
    };
    Role::ALL.into_iter().filter(|role| *role <= highest).map(|role| (role.name(), meaning(role))).collect()
}

pub(super) async fn invite(call: Call) -> Answer {
    let email = call.form.text("email");
    let wanted = role(call.form.text("role")).unwrap_or(Role::Member);
    match call.console.app.invite(call.caller()?, email, wanted).await {
        Ok(token) => {
            let made = made(&call, email.to_lowercase(), "An invitation", &token);
            call.page(&Page { made: Some(made), ..page(&call).await? })
        }
        Err(Error::Auth(error)) => {
            let problem = Some(format!("{} {}", capital(&error.to_string()), capital(error.remedy())));
            let page = Page { problem, email: email.to_owned(), ..page(&call).await? };
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(error) => Err(Problem::from(error)),
    }
}

fn made(call: &Call, email: String, what: &'static str, token: &Token) -> Made {
    Made { email, what, address: format!("{}/link?token={}", call.console.site.origin, token.expose()) }
}

pub(super) async fn password_link(call: Call) -> Answer {
    let (user, token) = call.console.app.password_link(call.caller()?, call.part("id")).await?;
    let made = made(&call, user.email, "A link that sets a new password", &token);
    call.page(&Page { made: Some(made), ..page(&call).await? })
}

pub(super) async fn withdraw(call: Call) -> Answer {
    call.console.app.withdraw(call.caller()?, call.form.text("email")).await?;
    go_to("/users?done=withdrawn")
}

pub(super) async fn change_role(call: Call) -> Answer {
    let wanted = role(call.form.text("role")).ok_or_else(|| Problem::not_found("There is no such role."))?;
    call.console.app.change_role(call.caller()?, call.part("id"), wanted).await?;
    go_to("/users?done=role")
}

pub(super) async fn remove(call: Call) -> Answer {
    call.console.app.remove_user(call.caller()?, call.part("id")).await?;
    go_to("/users?done=removed")
}
