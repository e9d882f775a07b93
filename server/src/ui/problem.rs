//! Pages that say why there is no other page.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    call::{Call, html},
    frame::Frame,
};
use crate::{
    app::accounts::Caller,
    auth::{AuthError, Role},
    error::Error,
    store::StoreError,
};

/// Why a page is not shown.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    title: &'static str,
    text: String,
    remedy: Option<String>,
    /// Where to sign in first; nothing else is shown then.
    sign_in: Option<String>,
    caller: Option<Box<Caller>>,
}

#[derive(Template)]
#[template(path = "ui/problem.html")]
struct Page {
    frame: Frame,
    text: String,
    remedy: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into()).filter(|remedy| !remedy.is_empty());
        Self { status, title, text: text.into(), remedy, sign_in: None, caller: None }
    }

    /// Nobody is signed in; after signing in the browser comes back to `place`.
    pub(super) fn sign_in_first(place: &str) -> Self {
        let address = if matches!(place, "" | "/") {
            "/sign-in".to_owned()
        } else {
            format!("/sign-in?to={}", utf8_percent_encode(place, NON_ALPHANUMERIC))
        };
        Self { sign_in: Some(address), ..Self::new(StatusCode::SEE_OTHER, "Sign in", "", "") }
    }

    pub(super) fn forbidden(caller: Caller, role: Role) -> Self {
        let text = format!("This page is for the role {role}, and you are signed in as {}.", caller.user.role);
        Self {
            caller: Some(Box::new(caller)),
            ..Self::new(StatusCode::FORBIDDEN, "Not allowed", text, "Ask an owner of this installation.")
        }
    }

    pub(super) fn foreign_form() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This form is out of date",
            "The form was opened before you signed in, or was sent from another site. Nothing was changed.",
            "Go back, load the page again, and send the form once more.",
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Too large",
            "What was sent is larger than any form of this console. Nothing was changed.",
            "",
        )
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", what, "Go back to the integrations.")
    }

    /// The caller, so that the page keeps its menu.
    pub(super) fn seen_by(mut self, caller: Option<Caller>) -> Self {
        self.caller = self.caller.or(caller.map(Box::new));
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let remedy = error.remedy().map(|remedy| capital(&remedy)).unwrap_or_default();
        let text = capital(&error.to_string());
        match &error {
            Error::Store(StoreError::Unknown { .. }) => Self::new(StatusCode::NOT_FOUND, "Not found", text, remedy),
            Error::Store(StoreError::Leased { .. }) => Self::new(StatusCode::CONFLICT, "Busy", text, remedy),
            Error::Auth(AuthError::TooManyAttempts { .. }) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", text, remedy)
            }
            Error::Auth(AuthError::NotAllowed(_)) => Self::new(StatusCode::FORBIDDEN, "Not allowed", text, remedy),
            Error::Auth(AuthError::LinkGone) => {
                Self::new(StatusCode::GONE, "This link does not work any more", text, remedy)
            }
            Error::Auth(_) | Error::Host(_) | Error::Name { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "That cannot be done", text, remedy)
            }
            _ => match error.recovery() {
                salesforce::Recovery::Bug => {
                    tracing::error!(%error, "a page failed");
                    Self::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "Something is wrong here",
                        "This is a fault of Orgtide. Its cause is in the log of the server.",
                        "Try again; if it happens again, tell whoever runs the server.",
                    )
                }
                salesforce::Recovery::Retry { .. } => {
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, "Try again later", text, remedy)
                }
                salesforce::Recovery::Reauthorize | salesforce::Recovery::Configure | salesforce::Recovery::Reject => {
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "That cannot be done", text, remedy)
                }
            },
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(address) = self.sign_in {
            let address = HeaderValue::from_str(&address).unwrap_or(HeaderValue::from_static("/sign-in"));
            return (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response();
        }
        let frame = Frame::of(self.caller.as_deref(), self.title.to_owned(), "");
        html(self.status, &Page { frame, text: self.text, remedy: self.remedy })
    }
}

pub(super) async fn no_such_page(call: Call) -> Problem {
    Problem::not_found("There is no page at this address.").seen_by(call.visitor().cloned())
}

/// A sentence from a message. A host, an address or a name keeps its first letter.
pub(super) fn capital(text: &str) -> String {
    let first_word = text.split(' ').next().unwrap_or_default();
    let is_name = first_word.trim_end_matches(['.', ',', ':']).contains(['.', '@', '_', '/']);
    let is_version = first_word.starts_with('v') && first_word[1..].starts_with(|c: char| c.is_ascii_digit());
    let mut chars = text.chars();
    let text = match chars.next() {
        Some(first) if !is_name && !is_version => format!("{}{}", first.to_uppercase(), chars.as_str()),
        _ => text.to_owned(),
    };
    if text.is_empty() || text.ends_with(['.', '!', '?', ':']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_sentences_and_names_stay_as_they_are() {
        for (message, sentence) in [
            ("the secret is wrong", "The secret is wrong."),
            ("acme.my.salesforce.com refuses", "acme.my.salesforce.com refuses."),
            ("ada@acme.example signs in.", "ada@acme.example signs in."),
            ("v60.0 is supported", "v60.0 is supported."),
            ("über alles?", "Über alles?"),
            ("", ""),
        ] {
            assert_eq!(capital(message), sentence);
        }
    }
}
