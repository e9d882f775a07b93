//! The control interface over HTTP, on the plain listener only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Control, ControlError};
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::database::Record;
use crate::faults::{Fault, FaultRate};
use crate::org::Org;
use crate::tree::Unknown;

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobAdvance {
    advance: crate::scenario::Advance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    records: Vec<Record>,
    /// Whether objects and fields that the org lacks are declared.
    #[serde(default)]
    declare: bool,
}

/// Answers a control request.
pub(crate) async fn answer(org: &Arc<Org>, call: &Call) -> Answer {
    let control = Control::new(Arc::clone(org));
    let call = call.clone();
    // Steps of jobs and loads of records take their time.
    let work = tokio::task::spawn_blocking(move || control.route(&call).unwrap_or_else(|refusal| refusal));
    work.await.unwrap_or_else(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "the control request failed"))
}

impl Control {
    fn route(&self, call: &Call) -> Result<Answer, Answer> {
        let segments: Vec<&str> = call.path.trim_start_matches(PREFIX).split('/').collect();
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["clock"]) => Ok(clock(self)),
            ("POST", ["clock"]) => {
                let advance: Advance = body(call)?;
                self.advance(Duration::from_secs(advance.seconds));
                Ok(clock(self))
            }
            ("GET", ["journal"]) => Ok(Answer::ok(&self.journal())),
            ("DELETE", ["sessions"]) => done(self.expire_sessions()),
            (_, ["faults", rest @ ..]) => self.faults_route(call, rest),
            (_, ["jobs", rest @ ..]) => self.jobs_route(call, rest),
            (_, ["records", rest @ ..]) => self.records_route(call, rest),
            _ => Err(no_route()),
        }
    }

    fn faults_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(&self.unused_faults())),
            ("POST", []) => done(self.push_fault(body::<Fault>(call)?)),
            ("DELETE", []) => done(self.clear_faults()),
            ("PUT", ["rate"]) => done(self.set_fault_rate(body::<FaultRate>(call)?)),
            ("POST", ["release"]) => done(self.release()),
            _ => Err(no_route()),
        }
    }

    fn jobs_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("POST", ["step"]) => done(self.step_jobs()),
            ("PUT", []) => {
                let wanted: JobAdvance = body(call)?;
                done(self.set_job_advance(wanted.advance))
            }
            _ => Err(no_route()),
        }
    }

    fn records_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Answer> {
        match (call.method.as_str(), rest) {
            ("POST", ["tree"]) => {
                let tree: Tree = body(call)?;
                let unknown = if tree.declare { Unknown::Declare } else { Unknown::Refuse };
                let loaded = self.load_tree(&tree.records, unknown).map_err(refused)?;
                let ids: Vec<String> = loaded.iter().map(|(_, id)| id.to_string()).collect();
                Ok(Answer::json(StatusCode::CREATED, &json!({"ids": ids})))
            }
            ("POST", [object]) => {
                let id = self.insert(object, body::<Value>(call)?).map_err(refused)?;
                Ok(Answer::json(StatusCode::CREATED, &json!({"id": id.to_string()})))
            }
            ("PATCH", [_, id]) => self.update(id, body::<Value>(call)?).map_err(refused).and_then(done),
            ("DELETE", [_, id]) => self.delete(id).map_err(refused).and_then(done),
            ("POST", [_, id, "undelete"]) => self.undelete(id).map_err(refused).and_then(done),
            ("POST", [_, id, "purge"]) => self.purge(id).map_err(refused).and_then(done),
            _ => Err(no_route()),
        }
    }
}

fn refused(error: ControlError) -> Answer {
    problem(StatusCode::BAD_REQUEST, error.to_string())
}

fn no_route() -> Answer {
    problem(StatusCode::NOT_FOUND, "there is no such control route for this method")
}

fn clock(control: &Control) -> Answer {
    Answer::ok(&json!({"now": control.now()}))
}

/// 204, after the work.
fn done((): ()) -> Result<Answer, Answer> {
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn problem(status: StatusCode, message: impl Into<String>) -> Answer {
    Answer::json(status, &json!({"problem": message.into()}))
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Answer> {
    serde_json::from_slice(&call.body)
        .map_err(|error| problem(StatusCode::BAD_REQUEST, format!("the body is not valid: {error}")))
}
