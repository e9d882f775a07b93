//! Ending a connection.

use askama::Template;

use super::{
    call::{Answer, Call},
    frame::Frame,
    problem::{Problem, capital},
    words::grouped,
};
use crate::{
    app::disconnect::{Data, Disconnected, Revocation},
    auth::Role,
    store::journal::Actor,
};

#[derive(Template)]
#[template(path = "ui/disconnect.html")]
struct Page {
    frame: Frame,
    name: String,
    /// There is data, and the caller may decide about it.
    asks_about_data: bool,
    streams: Vec<String>,
}

#[derive(Template)]
#[template(path = "ui/disconnected.html")]
struct DonePage {
    frame: Frame,
    name: String,
    is_revoked: bool,
    text: String,
    remedy: Option<String>,
    removed: Vec<String>,
    left: Option<String>,
}

pub(super) async fn ask(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    is_allowed(&call, &name).await?;
    let (_, status) = call.console.app.one_status(&name).await?;
    let streams: Vec<String> = status.streams.into_iter().map(|stream| stream.object).collect();
    let frame = call
        .frame("Disconnect")
        .below("Integrations", "/integrations")
        .below(name.clone(), format!("/connections/{name}"));
    let asks_about_data = call.has_role(Role::Admin) && !streams.is_empty();
    call.page(&Page { frame, name, asks_about_data, streams })
}

/// Admins, and whoever's own sign-in it is.
async fn is_allowed(call: &Call, name: &str) -> Result<(), Problem> {
    let caller = call.caller()?;
    let (connection, _) = call.console.app.one_status(name).await?;
    let is_own = connection.owner.as_ref() == Some(&caller.user.id);
    if is_own || call.has_role(Role::Admin) { Ok(()) } else { Err(Problem::forbidden(caller.clone(), Role::Admin)) }
}

pub(super) async fn end(call: Call) -> Answer {
    let name = call.part("name").to_owned();
    is_allowed(&call, &name).await?;
    let data = match call.form.text("data") {
        "delete" if call.has_role(Role::Admin) => Data::Delete,
        _ => Data::Keep,
    };
    let actor = Actor::User(call.caller()?.user.email.clone());
    let ended = call.console.app.disconnect(&name, data, &actor).await?;
    call.page(&done(&call, name, ended))
}

fn done(call: &Call, name: String, ended: Disconnected) -> DonePage {
    let (is_revoked, text, remedy) = match ended.revocation {
        Revocation::Done => (true, "It is revoked at Salesforce, and its secrets are forgotten.".to_owned(), None),
        Revocation::Before => {
            (true, "There was nothing left to revoke at Salesforce. Its secrets are forgotten.".to_owned(), None)
        }
        Revocation::Failed { reason, remedy } => (
            false,
            format!("Its secrets are forgotten here, but it is not revoked at Salesforce. {}", capital(&reason)),
            Some(capital(&remedy)),
        ),
    };
    let removed = |removed: &crate::app::disconnect::Removed| {
        format!("{}: {} rows are removed.", removed.object, grouped(removed.rows))
    };
    DonePage {
        frame: call.frame("Disconnected").below("Integrations", "/integrations"),
        name,
        is_revoked,
        text,
        remedy,
        removed: ended.removed.iter().map(removed).collect(),
        left: ended.left_in_the_org,
    }
}
