//! The Tooling API: the data API over the objects of Setup, under a path of its own.
//!
//! Source: Tooling API guide, "REST Resources". Apex cannot be run here; how that is refused is inferred.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::route::ToolingRoute;
use crate::schema::Api;
use crate::soql::RowScope;

/// Resources that the root lists.
const RESOURCES: [&str; 11] = [
    "apexManifest",
    "completions",
    "executeAnonymous",
    "query",
    "queryAll",
    "recent",
    "runTests",
    "runTestsAsynchronous",
    "runTestsSynchronous",
    "search",
    "sobjects",
];

impl Caller {
    /// The same caller by way of the Tooling API.
    fn of_tooling(&self) -> Self {
        Self { access: self.access.clone().by(Api::Tooling), ..self.clone() }
    }
}

impl Org {
    pub(super) async fn tooling(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: ToolingRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        let caller = &caller.of_tooling();
        match route {
            ToolingRoute::Root => tooling_root(call, caller),
            ToolingRoute::Objects => self.describe_global(call, caller),
            ToolingRoute::Object(object) => {
                allow(call, &[Method::GET])?;
                self.object(call, caller, &object)
            }
            ToolingRoute::Describe(object) => self.describe(call, caller, &object),
            ToolingRoute::Record { object, id } => {
                allow(call, &[Method::GET])?;
                self.record(call, caller, &object, &id)
            }
            ToolingRoute::Query => self.query(call, caller, RowScope::Live).await,
            ToolingRoute::QueryAll => self.query(call, caller, RowScope::All).await,
            ToolingRoute::QueryMore(locator) => self.query_more(call, caller, &locator, effect).await,
            ToolingRoute::Apex => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "INSUFFICIENT_ACCESS",
                "insufficient access rights on cross-reference id",
            )),
        }
    }
}

fn tooling_root(call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
    allow(call, &[Method::GET])?;
    let root = caller.root();
    let resources: Map<String, Value> =
        RESOURCES.iter().map(|name| ((*name).to_owned(), json!(format!("{root}/{name}")))).collect();
    Ok(Answer::ok(&resources))
}
