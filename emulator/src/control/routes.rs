//! The control interface over HTTP, on the plain listener only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Control;
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::faults::{Fault, FaultRate};
use crate::org::Org;

const PREFIX: &str = "/__emulator/";

/// Whether a call is for the control interface. It is reachable under a loopback name only, so that no web page can
/// reach it by a name of its own.
pub(crate) fn is_control(call: &Call) -> bool {
    let host = call.host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    call.arrival == Arrival::Plain && loopback && call.path.starts_with(PREFIX)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

/// Answers a control request.
pub(crate) async fn answer(org: &Arc<Org>, call: &Call) -> Answer {
    let control = Control::new(Arc::clone(org));
    let segments: Vec<&str> = call.path.trim_start_matches(PREFIX).split('/').collect();
    let method = &call.method;
    let result = match segments.as_slice() {
        ["clock"] if *method == Method::GET => Ok(clock(&control)),
        ["clock"] if *method == Method::POST => body(call).map(|advance: Advance| {
            control.advance(Duration::from_secs(advance.seconds));
            clock(&control)
        }),
        ["faults"] if *method == Method::GET => Ok(Answer::ok(&control.unused_faults())),
        ["faults"] if *method == Method::POST => body(call).map(|fault: Fault| {
            control.push_fault(fault);
            done()
        }),
        ["faults"] if *method == Method::DELETE => {
            control.clear_faults();
            Ok(done())
        }
        ["faults", "rate"] if *method == Method::PUT => body(call).map(|rate: FaultRate| {
            control.set_fault_rate(rate);
            done()
        }),
        ["faults", "release"] if *method == Method::POST => {
            control.release();
            Ok(done())
        }
        ["journal"] if *method == Method::GET => Ok(Answer::ok(&control.journal())),
        ["sessions"] if *method == Method::DELETE => {
            control.expire_sessions();
            Ok(done())
        }
        _ => Err(problem(StatusCode::NOT_FOUND, "there is no such control route for this method")),
    };
    result.unwrap_or_else(|refusal| refusal)
}

fn clock(control: &Control) -> Answer {
    Answer::ok(&json!({"now": control.now()}))
}

fn done() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}

fn problem(status: StatusCode, message: impl Into<String>) -> Answer {
    Answer::json(status, &json!({"problem": message.into()}))
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Answer> {
    serde_json::from_slice(&call.body)
        .map_err(|error| problem(StatusCode::BAD_REQUEST, format!("the body is not valid: {error}")))
}
