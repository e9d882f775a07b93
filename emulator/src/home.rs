//! The emulator's own page, for a person who develops against it: how to connect, the apps and users of the scenario
//! with their secrets, what happens, and buttons for what programs do by [`crate::Control`].
//!
//! It shows emulated secrets, so it is reachable as the control routes are: on the plain listener, under a loopback
//! name. It is rendered here, works without script, and its script only keeps it up to date.

mod actions;
mod faults;
mod live;
mod org;
mod page;
mod words;

use std::sync::Arc;

use askama::Template;
use http::{Method, StatusCode, header};

use crate::answer::Answer;
use crate::call::Call;
use crate::payload::Payload;
use crate::world::World;

const PREFIX: &str = "/__emulator/page/";

const STYLE: &str = concat!(include_str!("../assets/palette.css"), include_str!("../assets/home/home.css"));
const SCRIPT: &str = include_str!("../assets/home/home.js");
const ICON: &str = include_str!("../assets/home/icon.svg");

/// Nothing from elsewhere, nothing inline, in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a call is for the page, provided that it may reach the page at all.
pub(crate) fn is_home(call: &Call) -> bool {
    let is_read = matches!(call.method, Method::GET | Method::HEAD);
    (is_read && matches!(call.path.as_str(), "/" | "/ca.pem")) || call.path.starts_with(PREFIX)
}

/// Answers a request for the page or one of its buttons.
pub(crate) fn answer(world: &Arc<World>, call: &Call) -> Answer {
    let part = call.path.strip_prefix(PREFIX).unwrap_or(&call.path);
    let answer = match (call.method.as_str(), part) {
        ("GET" | "HEAD", "/") => page(world, call),
        ("GET" | "HEAD", "/ca.pem") => authority(world),
        ("GET" | "HEAD", "home.css") => file("text/css;charset=UTF-8", STYLE),
        ("GET" | "HEAD", "home.js") => file("text/javascript;charset=UTF-8", SCRIPT),
        ("GET" | "HEAD", "icon.svg") => file("image/svg+xml", ICON),
        ("GET", "events") => events(world),
        ("POST", button) => actions::press(world, button, &call.body),
        ("GET" | "HEAD", _) => Answer::text(StatusCode::NOT_FOUND, "There is no such page here.\n"),
        _ => Answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    };
    protected(answer)
}

fn page(world: &Arc<World>, call: &Call) -> Answer {
    let notice = call.parameter("done").and_then(|code| actions::Notice::named(&code));
    Answer::html(StatusCode::OK, rendered(&page::Page::of(world, notice)))
}

/// Templates are filled from memory, into memory.
fn rendered(template: &impl Template) -> String {
    template.render().expect("a template of plain values can be written to a string")
}

fn authority(world: &World) -> Answer {
    let pem = world.shared.listeners.get().map_or("", |listeners| listeners.ca_pem.as_str());
    file("application/x-pem-file", pem)
}

fn file(media: &str, text: &str) -> Answer {
    Answer::typed(StatusCode::OK, media, Payload::bytes(text.to_owned()))
}

fn events(world: &Arc<World>) -> Answer {
    Answer::typed(StatusCode::OK, "text/event-stream", live::events(Arc::clone(world)))
}

fn protected(answer: Answer) -> Answer {
    answer
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with(header::REFERRER_POLICY, "same-origin")
        .with(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin")
        .with(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin")
        .with(header::CACHE_CONTROL, "no-store")
}
