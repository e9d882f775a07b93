//! The control interface over HTTP, on the plain listener only.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Control, ControlError, Writer};
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::database::{OpenTransaction, Record, TransactionId};
use crate::history::History;
use crate::metadata::DeployError;
use crate::org::PopulateError;
use crate::scenario::{AppSpec, OrgSpec, ScenarioError, UserSpec};
use crate::tree::Unknown;
use crate::world::World;

const PREFIX: &str = "/__emulator/";

/// Whether a call may reach what is the emulator's own: by the plain listener, under a loopback name, so that no web
/// page can reach it by a name of its own.
pub(crate) fn is_within_reach(call: &Call) -> bool {
    let host = call.host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    call.arrival == Arrival::Plain && loopback
}

/// Whether a path is one of the control interface, provided that the call may reach it at all.
pub(crate) fn is_control(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// The refusal of a change that a browser sends for another site's page. Programs send neither header
/// (W3C, "Fetch Metadata Request Headers"; RFC 6454).
pub(crate) fn refuse_cross_site(call: &Call) -> Option<Answer> {
    let from_our_page = match (call.header("sec-fetch-site"), call.header(header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => call.header(header::HOST).is_some_and(|host| origin == format!("http://{host}")),
        (None, None) => true,
    };
    if from_our_page || matches!(call.method, Method::GET | Method::HEAD) {
        return None;
    }
    let message = "another site's page may not change this emulator".to_owned();
    Some(Problem { status: StatusCode::FORBIDDEN, message }.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Caller {
    address: IpAddr,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    /// The records that lose.
    records: Vec<String>,
    /// What is written into the master.
    #[serde(default)]
    fields: Record,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Walk {
    seed: u64,
    steps: usize,
    objects: Vec<String>,
    /// Whether the transactions that it leaves open are committed at the end.
    #[serde(default)]
    settle: bool,
    /// Whether fields come, go, change and are hidden in between.
    #[serde(default)]
    shapes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Emptying {
    #[serde(default)]
    older_than_seconds: u64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The org id that comes; any that no org has, without it.
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployment {
    /// A source-format folder on the machine of the emulator.
    folder: PathBuf,
}

/// Why a control request is refused.
struct Problem {
    status: StatusCode,
    message: String,
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: error.to_string() }
    }
}

impl From<ScenarioError> for Problem {
    fn from(error: ScenarioError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: error.to_string() }
    }
}

impl From<PopulateError> for Problem {
    fn from(error: PopulateError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: error.to_string() }
    }
}

impl From<DeployError> for Problem {
    fn from(error: DeployError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: error.to_string() }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::json(problem.status, &json!({"problem": problem.message}))
    }
}

/// Answers a control request.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Answer {
    let control = Control::new(Arc::clone(world), world.primary());
    let call = call.clone();
    // Steps of jobs and loads of records take their time.
    let work = tokio::task::spawn_blocking(move || control.route(&call).unwrap_or_else(Answer::from));
    work.await.unwrap_or_else(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
}

impl Control {
    fn route(&self, call: &Call) -> Result<Answer, Problem> {
        let segments: Vec<&str> = call.path.trim_start_matches(PREFIX).split('/').collect();
        match segments.as_slice() {
            ["orgs", my_domain, rest @ ..] => self.org(my_domain).ok_or_else(no_route)?.route_of_org(call, rest),
            all => self.route_of_org(call, all),
        }
    }

    fn route_of_org(&self, call: &Call, segments: &[&str]) -> Result<Answer, Problem> {
        match (call.method.as_str(), segments) {
            ("GET", ["clock"]) => Ok(self.clock()),
            ("POST", ["clock"]) => {
                let advance: Advance = body(call)?;
                self.advance(Duration::from_secs(advance.seconds));
                Ok(self.clock())
            }
            ("GET", ["journal"]) => Ok(Answer::ok(&self.journal())),
            ("GET", ["mailbox"]) => Ok(Answer::ok(&self.mailbox())),
            ("GET", ["logins"]) => Ok(Answer::ok(&self.login_history())),
            ("PUT", ["caller"]) => {
                self.set_caller_address(body::<Caller>(call)?.address);
                Ok(done())
            }
            ("PUT", ["org"]) => {
                let org: OrgSpec = body(call)?;
                self.change_setup(|setup| setup.org = org)?;
                Ok(done())
            }
            ("PUT", ["users"]) => {
                let user: UserSpec = body(call)?;
                self.change_setup(|setup| setup.put_user(user))?;
                Ok(done())
            }
            ("PUT", ["apps"]) => {
                let app: AppSpec = body(call)?;
                self.change_setup(|setup| setup.put_app(app))?;
                Ok(done())
            }
            ("DELETE", ["apps", key]) => {
                self.change_setup(|setup| setup.apps.retain(|app| app.consumer_key != *key))?;
                Ok(done())
            }
            ("POST", ["deploy"]) => {
                self.deploy(&body::<Deployment>(call)?.folder)?;
                Ok(done())
            }
            ("POST", ["refresh"]) => {
                let refresh = if call.body.is_empty() { Refresh::default() } else { body(call)? };
                let refreshed = self.refresh_sandbox(refresh.id.as_deref())?;
                Ok(Answer::ok(&json!({"id": refreshed.org_id()})))
            }
            ("DELETE", ["sessions"]) => {
                self.expire_sessions();
                Ok(done())
            }
            (_, ["faults", rest @ ..]) => self.faults_route(call, rest),
            (_, ["jobs", rest @ ..]) => self.jobs_route(call, rest),
            ("GET", ["records", object]) => Ok(Answer::ok(&self.records(object))),
            ("GET", ["records", object, "deleted"]) => Ok(Answer::ok(&self.binned_records(object))),
            (_, ["records", rest @ ..]) => self.records_route(call, rest),
            ("POST", ["wander"]) => {
                let walk: Walk = body(call)?;
                let objects: Vec<&str> = walk.objects.iter().map(String::as_str).collect();
                let mut history = History::new(walk.seed, &objects);
                if walk.shapes {
                    history = history.changing_shapes();
                }
                let steps = self.wander(&mut history, walk.steps);
                if walk.settle {
                    self.settle(&mut history);
                }
                Ok(Answer::ok(&steps))
            }
            (_, ["schema", rest @ ..]) => self.schema_route(call, rest),
            (_, ["transactions", rest @ ..]) => self.transactions_route(call, rest),
            ("POST", ["recycle-bin", "empty"]) => {
                let age = Duration::from_secs(body::<Emptying>(call)?.older_than_seconds);
                Ok(Answer::ok(&json!({"rows": self.empty_recycle_bin(age)})))
            }
            _ => Err(no_route()),
        }
    }

    fn clock(&self) -> Answer {
        Answer::ok(&json!({"now": self.now()}))
    }

    fn faults_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Problem> {
        match (call.method.as_str(), rest) {
            ("GET", []) => return Ok(Answer::ok(&self.unused_faults())),
            ("POST", []) => self.push_fault(body(call)?),
            ("DELETE", []) => self.clear_faults(),
            ("PUT", ["rate"]) => self.set_fault_rate(body(call)?),
            ("POST", ["release"]) => self.release(),
            _ => return Err(no_route()),
        }
        Ok(done())
    }

    fn jobs_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Problem> {
        match (call.method.as_str(), rest) {
            ("POST", ["step"]) => self.step_jobs(),
            ("PUT", []) => self.set_job_advance(body::<JobAdvance>(call)?.advance),
            _ => return Err(no_route()),
        }
        Ok(done())
    }

    fn records_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Problem> {
        if (call.method.as_str(), rest) != ("POST", &["tree"]) {
            return write_route(&self.writer(), call, rest);
        }
        let tree: Tree = body(call)?;
        let unknown = if tree.declare { Unknown::Declare } else { Unknown::Refuse };
        let loaded = self.load_tree(&tree.records, unknown)?;
        let ids: Vec<String> = loaded.iter().map(|(_, id)| id.to_string()).collect();
        Ok(Answer::json(StatusCode::CREATED, &json!({"ids": ids})))
    }

    fn schema_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Problem> {
        match (call.method.as_str(), rest) {
            ("POST", []) => self.declare_object(&body(call)?)?,
            ("POST", [object, "hide"]) => self.hide_object(object)?,
            ("POST", [object, "show"]) => self.show_object(object)?,
            ("POST", [object, "fields"]) => self.declare_field(object, &body(call)?)?,
            ("PUT", [object, "fields"]) => self.retype_field(object, &body(call)?)?,
            ("DELETE", [object, "fields", field]) => self.remove_field(object, field)?,
            ("POST", [object, "fields", field, "rename"]) => {
                self.rename_field(object, field, &body::<Rename>(call)?.name)?;
            }
            ("POST", [object, "fields", field, "hide"]) => self.hide_field(object, field)?,
            ("POST", [object, "fields", field, "show"]) => self.show_field(object, field)?,
            _ => return Err(no_route()),
        }
        Ok(done())
    }

    fn transactions_route(&self, call: &Call, rest: &[&str]) -> Result<Answer, Problem> {
        let named = |id: &str| id.parse().map(TransactionId).map_err(|_| no_route());
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                let shown = |open: &OpenTransaction| json!({"id": open.id, "started": DateTime::<Utc>::from(open.started), "rows": open.rows});
                Ok(Answer::ok(&self.open_transactions().iter().map(shown).collect::<Vec<_>>()))
            }
            ("POST", []) => Ok(Answer::json(StatusCode::CREATED, &json!({"id": self.begin()}))),
            ("POST", [id, "commit"]) => {
                self.commit(named(id)?)?;
                Ok(done())
            }
            ("DELETE", [id]) => {
                self.roll_back(named(id)?)?;
                Ok(done())
            }
            (_, [id, "records", rest @ ..]) => write_route(&self.in_transaction(named(id)?), call, rest),
            _ => Err(no_route()),
        }
    }
}

/// What can be done to records, at once and in a transaction.
fn write_route(writer: &Writer, call: &Call, rest: &[&str]) -> Result<Answer, Problem> {
    match (call.method.as_str(), rest) {
        ("POST", [object]) => {
            let id = writer.insert(object, body(call)?)?;
            return Ok(Answer::json(StatusCode::CREATED, &json!({"id": id.to_string()})));
        }
        ("PATCH", [_, id]) => writer.update(id, body(call)?)?,
        ("DELETE", [_, id]) => writer.delete(id)?,
        ("POST", [_, id, "undelete"]) => writer.undelete(id)?,
        ("POST", [_, id, "purge"]) => writer.purge(id)?,
        ("POST", [_, id, "archive"]) => writer.archive(id)?,
        ("POST", [_, id, "touch"]) => writer.touch(id)?,
        ("POST", [_, id, "merge"]) => {
            let merge: Merge = body(call)?;
            let losers: Vec<&str> = merge.records.iter().map(String::as_str).collect();
            writer.merge(id, &losers, merge.fields.into())?;
        }
        _ => return Err(no_route()),
    }
    Ok(done())
}

fn done() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}

fn no_route() -> Problem {
    let message = "there is no such control route for this method".to_owned();
    Problem { status: StatusCode::NOT_FOUND, message }
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    serde_json::from_slice(&call.body).map_err(|error| Problem {
        status: StatusCode::BAD_REQUEST,
        message: format!("the body is not valid: {error}"),
    })
}
