//! Several requests in one: `POST /composite`, which also carries queries that are too long for a URL, and its relatives.

mod batch;
mod collections;
mod graph;
mod retrieve;
mod subrequest;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::allow;
use super::body::{or_default, typed_body};
use super::caller::Caller;
use super::options::Ledger;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::route::{CompositeRoute, DataRoute, Route};

use subrequest::{Subrequest, Subresponse};

const MAX_SUBREQUESTS: usize = 25;
/// REST API guide, "Composite": queries and collections among the subrequests.
const MAX_QUERIES: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    #[serde(default, deserialize_with = "or_default")]
    all_or_none: bool,
    composite_request: Vec<Subrequest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Responses {
    composite_response: Vec<Subresponse>,
}

/// What becomes of the subrequests beside one that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Atomicity {
    AllOrNone,
    EachByItself,
}

/// The answers to some subrequests, and whether one of them failed and undid them all.
struct Outcome {
    responses: Vec<Subresponse>,
    undone: bool,
}

impl Org {
    /// Whatever takes many records or requests at once.
    pub(super) async fn composite_resource(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: CompositeRoute,
    ) -> Result<Answer, ApiError> {
        if caller.version < route.since() {
            return Err(ApiError::not_found());
        }
        match route {
            CompositeRoute::Composite => self.composite(call, caller).await,
            CompositeRoute::Batch => self.batch(call, caller).await,
            CompositeRoute::Graph => self.graphs(call, caller).await,
            CompositeRoute::Tree(object) => self.tree(call, caller, &object),
            CompositeRoute::Records => self.collection(call, caller),
            CompositeRoute::RecordsOf(object) => self.retrieve(call, caller, &object),
            CompositeRoute::RecordsByKey { object, field } => self.upsert_collection(call, caller, &object, &field),
        }
    }

    /// Runs the subrequests one after the other. With `allOrNone` the first failure undoes all of them.
    /// `collateSubrequests` changes nothing that a client could see.
    async fn composite(self: &Arc<Self>, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::POST])?;
        if call.method != Method::POST {
            return Ok(Answer::ok(&composite_resources(caller)));
        }
        let composite: Composite = typed_body(call)?;
        let subrequests = composite.composite_request;
        check_number(subrequests.len())?;
        subrequest::check_names(caller, subrequests.iter())?;
        let queries = subrequests.iter().filter(|subrequest| is_query_or_collection(&subrequest.url)).count();
        if queries > MAX_QUERIES {
            let message = format!("Limit of {MAX_QUERIES} query and collection subrequests exceeded: {queries}");
            return Err(ApiError::bad_request("LIMIT_EXCEEDED", message));
        }
        let atomicity = if composite.all_or_none { Atomicity::AllOrNone } else { Atomicity::EachByItself };
        let outcome = self.run(call, caller, subrequests, atomicity).await;
        Ok(Answer::ok(&Responses { composite_response: outcome.responses }))
    }

    /// Runs subrequests in order; each may name values from the answers before it.
    async fn run(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        subrequests: Vec<Subrequest>,
        atomicity: Atomicity,
    ) -> Outcome {
        let ledger = Ledger::default();
        let mut caller = caller.clone();
        if atomicity == Atomicity::AllOrNone {
            caller.options.ledger = Some(ledger.clone());
        }
        let mut responses = Vec::with_capacity(subrequests.len());
        let mut results = HashMap::new();
        let mut waiting = subrequests.into_iter();
        while let Some(subrequest) = waiting.next() {
            let expects_all = subrequest.expects_all();
            let response = self.subrequest(call, &caller, subrequest, &results).await;
            let body = serde_json::from_str::<Value>(response.body.get()).unwrap_or_default();
            let failed = response.http_status_code >= 400 || expects_all && has_failure(&body);
            results.insert(response.reference_id.clone(), body);
            responses.push(response);
            if failed && atomicity == Atomicity::AllOrNone {
                self.write(|database, _| ledger.take_back(database));
                return Outcome { responses: subrequest::halted(responses, waiting), undone: true };
            }
        }
        Outcome { responses, undone: false }
    }
}

fn check_number(number: usize) -> Result<(), ApiError> {
    if number <= MAX_SUBREQUESTS {
        return Ok(());
    }
    let message = format!("Limit of {MAX_SUBREQUESTS} subrequests exceeded: {number}");
    Err(ApiError::bad_request("LIMIT_EXCEEDED", message))
}

fn is_query_or_collection(url: &str) -> bool {
    let route = Route::parse(&subrequest::path_of(url));
    let Route::Data(_, route) = route else { return false };
    matches!(
        route,
        DataRoute::Query
            | DataRoute::QueryAll
            | DataRoute::QueryMore(_)
            | DataRoute::Composite(
                CompositeRoute::Records | CompositeRoute::RecordsOf(_) | CompositeRoute::RecordsByKey { .. }
            )
    )
}

/// Whether a row of a collection failed.
fn has_failure(body: &Value) -> bool {
    body.as_array().is_some_and(|rows| rows.iter().any(|row| row["success"] == json!(false)))
}

/// `GET /composite`: the resources there are.
fn composite_resources(caller: &Caller) -> Value {
    let root = format!("{}/composite", caller.root());
    json!({
        "tree": format!("{root}/tree"),
        "batch": format!("{root}/batch"),
        "sobjects": format!("{root}/sobjects"),
        "graph": format!("{root}/graph"),
    })
}
