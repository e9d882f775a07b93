//! The pages themselves. They work without scripts, and their content security policy allows none.

use askama::Template;
use http::{StatusCode, header};

use super::scope::Line;
use crate::answer::Answer;
use crate::payload::Payload;
use crate::route::WebRoute;

const STYLE: &str = concat!(include_str!("../../assets/palette.css"), include_str!("../../assets/web/web.css"));

/// What surrounds every form.
pub(super) struct Frame {
    /// Proves that the form was shown to the browser that sends it.
    pub(super) token: String,
    /// Where the form may lead besides this host; empty for nowhere.
    pub(super) callback: String,
    pub(super) is_small: bool,
}

#[derive(Template)]
#[template(path = "web/login.html")]
pub(super) struct LoginPage<'a> {
    pub(super) frame: Frame,
    pub(super) org: Option<&'a str>,
    pub(super) problem: Option<&'a str>,
    pub(super) username: &'a str,
    pub(super) remembers: bool,
    pub(super) start_url: &'a str,
}

#[derive(Template)]
#[template(path = "web/account.html")]
pub(super) struct AccountPage<'a> {
    pub(super) frame: Frame,
    pub(super) username: &'a str,
    pub(super) org: &'a str,
    pub(super) start_url: &'a str,
    pub(super) other: &'a str,
}

#[derive(Template)]
#[template(path = "web/verification.html")]
pub(super) struct VerificationPage<'a> {
    pub(super) frame: Frame,
    pub(super) address: &'a str,
    pub(super) problem: Option<&'a str>,
    pub(super) news: Option<&'a str>,
    /// Whether the browser can be remembered as verified.
    pub(super) may_remember: bool,
    pub(super) back: &'a str,
}

#[derive(Template)]
#[template(path = "web/consent.html")]
pub(super) struct ConsentPage<'a> {
    pub(super) frame: Frame,
    pub(super) app: &'a str,
    pub(super) org: &'a str,
    pub(super) full_name: &'a str,
    pub(super) username: &'a str,
    pub(super) lines: Vec<Line>,
    pub(super) source: &'a str,
    pub(super) callback: &'a str,
    pub(super) log_out: &'a str,
}

#[derive(Template)]
#[template(path = "web/connect.html")]
pub(super) struct ConnectPage<'a> {
    pub(super) frame: Frame,
    pub(super) problem: Option<&'a str>,
    pub(super) user_code: &'a str,
    pub(super) username: &'a str,
    pub(super) log_out: &'a str,
}

#[derive(Template)]
#[template(path = "web/device.html")]
pub(super) struct DevicePage<'a> {
    pub(super) frame: Frame,
    pub(super) app: &'a str,
    pub(super) org: &'a str,
    pub(super) full_name: &'a str,
    pub(super) username: &'a str,
    pub(super) lines: Vec<Line>,
    pub(super) user_code: &'a str,
    pub(super) log_out: &'a str,
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "web/message.html")]
pub(super) struct Message<'a> {
    pub(super) heading: &'a str,
    pub(super) text: &'a str,
    /// Address and text of a link.
    pub(super) link: Option<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "web/error.html")]
struct ErrorPage<'a> {
    description: &'a str,
    code: &'a str,
}

/// The answer of each page with a frame. Its form leads where the frame says.
macro_rules! answers {
    ($($page:ident)*) => {$(
        impl $page<'_> {
            pub(super) fn answer(&self) -> Answer {
                page(StatusCode::OK, self, &self.frame.callback)
            }
        }
    )*};
}

answers!(LoginPage AccountPage VerificationPage ConsentPage ConnectPage DevicePage);

impl Message<'_> {
    pub(super) fn answer(&self) -> Answer {
        page(StatusCode::OK, self, "")
    }

    pub(super) fn answer_refusal(&self) -> Answer {
        page(StatusCode::BAD_REQUEST, self, "")
    }
}

/// An OAuth error in the words of its description; `code` is the same as `error=…&error_description=…`, escaped.
pub(super) fn error(status: StatusCode, description: &str, code: &str) -> Answer {
    page(status, &ErrorPage { description, code }, "")
}

/// Sends the browser on, with a GET.
pub(super) fn redirect(location: &str) -> Answer {
    unkept(Answer::empty(StatusCode::FOUND)).with(header::LOCATION, location)
}

pub(super) fn style() -> Answer {
    Answer::typed(StatusCode::OK, "text/css;charset=UTF-8", Payload::bytes(STYLE))
        .with(header::CACHE_CONTROL, "max-age=60")
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// A page nobody may frame, whose form leads to this host, and by its redirect to `callback`.
fn page(status: StatusCode, template: &impl Template, callback: &str) -> Answer {
    let text = template.render().expect("a page is written to memory");
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {callback}; base-uri 'none'; frame-ancestors 'none'"
    );
    unkept(Answer::html(status, text))
        .with(header::CONTENT_SECURITY_POLICY, &policy)
        .with(header::X_FRAME_OPTIONS, "DENY")
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// Addresses and pages hold codes and form tokens: no cache and no referrer gets them.
fn unkept(answer: Answer) -> Answer {
    answer.with(header::CACHE_CONTROL, "no-cache, no-store").with(header::REFERRER_POLICY, "no-referrer")
}
