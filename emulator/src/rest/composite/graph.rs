//! `POST /composite/graph`: composites side by side, each of which stands or falls as a whole.
//!
//! Source: REST API guide v66, "Composite Graph". Codes and texts of its limits are inferred.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Serialize};

use super::subrequest::{Subrequest, check_names};
use super::{Atomicity, Responses};
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::rest::allow;
use crate::rest::body::typed_body;
use crate::rest::caller::Caller;

const MAX_GRAPHS: usize = 75;
const MAX_NODES: usize = 500;
const MAX_DEPTH: usize = 15;

#[derive(Deserialize)]
struct Graphs {
    graphs: Vec<Graph>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Graph {
    graph_id: String,
    composite_request: Vec<Subrequest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GraphResult {
    graph_id: String,
    graph_response: Responses,
    is_successful: bool,
}

#[derive(Serialize)]
struct GraphResults {
    graphs: Vec<GraphResult>,
}

impl Org {
    pub(super) async fn graphs(self: &Arc<Self>, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::POST])?;
        let asked: Graphs = typed_body(call)?;
        check(&asked)?;
        check_names(caller, asked.graphs.iter().flat_map(|graph| &graph.composite_request))?;
        let mut graphs = Vec::with_capacity(asked.graphs.len());
        for graph in asked.graphs {
            let outcome = self.run(call, caller, graph.composite_request, Atomicity::AllOrNone).await;
            graphs.push(GraphResult {
                graph_id: graph.graph_id,
                is_successful: !outcome.undone,
                graph_response: Responses { composite_response: outcome.responses },
            });
        }
        Ok(Answer::ok(&GraphResults { graphs }))
    }
}

fn check(asked: &Graphs) -> Result<(), ApiError> {
    let nodes: usize = asked.graphs.iter().map(|graph| graph.composite_request.len()).sum();
    let depth = asked.graphs.iter().map(|graph| depth(&graph.composite_request)).max().unwrap_or_default();
    for (what, number, limit) in [
        ("graphs", asked.graphs.len(), MAX_GRAPHS),
        ("nodes", nodes, MAX_NODES),
        ("levels of dependent nodes", depth, MAX_DEPTH),
    ] {
        if number > limit {
            let message = format!("Limit of {limit} {what} exceeded: {number}");
            return Err(ApiError::bad_request("LIMIT_EXCEEDED", message));
        }
    }
    let mut ids = std::collections::HashSet::new();
    match asked.graphs.iter().find(|graph| !ids.insert(graph.graph_id.as_str())) {
        Some(twice) => {
            let message = format!("Duplicate graphId specified: {}", twice.graph_id);
            Err(ApiError::bad_request("INVALID_INPUT", message))
        }
        None => Ok(()),
    }
}

/// The longest chain of nodes that depend on each other.
fn depth(nodes: &[Subrequest]) -> usize {
    let mut levels: HashMap<&str, usize> = HashMap::new();
    for node in nodes {
        let above = node.references().iter().filter_map(|id| levels.get(id.as_str())).max().copied();
        levels.insert(&node.reference_id, above.unwrap_or_default() + 1);
    }
    levels.into_values().max().unwrap_or_default()
}
