//! The data API below `/services/data`.

mod access;
mod caller;
mod changes;
mod composite;
mod describe;
mod limits;
mod query;
mod records;
mod versions;

use std::sync::Arc;

use http::{HeaderName, Method, StatusCode};
use serde_json::Value;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::route::{DataRoute, Version};
use crate::site::Site;
use crate::soql::RowScope;

pub(crate) use caller::Caller;
pub(crate) use query::Cursors;
pub(crate) use versions::versions;

const LIMIT_INFO: HeaderName = HeaderName::from_static("sforce-limit-info");

impl Org {
    /// Answers a call of the data API: host, version, session, permission and limit are checked in this order.
    pub(crate) async fn data(
        self: &Arc<Self>,
        call: &Call,
        version: Version,
        route: DataRoute,
        effect: Option<&Effect>,
    ) -> Answer {
        let caller = match self.admit_call(call, version) {
            Ok(caller) => caller,
            Err(refusal) => return self.with_usage(refusal.into()),
        };
        let answer = self.resource(call, &caller, route, effect).await;
        self.with_usage(answer.unwrap_or_else(Answer::from))
    }

    fn admit_call(&self, call: &Call, version: Version) -> Result<Caller, ApiError> {
        check_site(call.site)?;
        let version = supported(version)?;
        let caller = self.caller(call, version)?;
        self.count_request()?;
        Ok(caller)
    }

    async fn resource(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: DataRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        match route {
            DataRoute::Root => self.resources(call, caller),
            DataRoute::Limits => self.limits(call, caller),
            DataRoute::Sobjects => self.describe_global(call, caller),
            DataRoute::Object(object) => self.object(call, caller, &object),
            DataRoute::Describe(object) => self.describe(call, caller, &object),
            DataRoute::Record { object, id } => self.record(call, caller, &object, &id),
            DataRoute::ExternalId { object, field, value } => {
                self.by_external_id(call, caller, [&object, &field, &value])
            }
            DataRoute::Updated(object) => self.updated(call, caller, &object),
            DataRoute::Deleted(object) => self.deleted(call, caller, &object),
            DataRoute::Query => self.query(call, caller, RowScope::Live).await,
            DataRoute::QueryAll => self.query(call, caller, RowScope::All).await,
            DataRoute::QueryMore(locator) => self.query_more(call, caller, &locator, effect).await,
            DataRoute::Composite => self.composite(call, caller).await,
            DataRoute::Jobs | DataRoute::Job(_) | DataRoute::JobResults(_) | DataRoute::JobResultPages(_)
                if caller.by_jwt =>
            {
                Err(ApiError::invalid_session())
            }
            DataRoute::Jobs | DataRoute::Job(_) | DataRoute::JobResults(_) | DataRoute::JobResultPages(_) => {
                self.bulk(call, caller, route, effect).await
            }
            DataRoute::Unknown => Err(ApiError::not_found()),
        }
    }

    fn with_usage(&self, answer: Answer) -> Answer {
        let used = self.usage.api_requests.used(self.now());
        let limit = self.scenario.limits.daily_api_requests;
        answer.with(LIMIT_INFO, &format!("api-usage={used}/{limit}"))
    }
}

/// Only the My Domain serves data; the login hosts say that the caller has not moved on to it.
fn check_site(site: Site) -> Result<(), ApiError> {
    match site {
        Site::MyDomain => Ok(()),
        site if site.is_generic() => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "URL_NOT_RESET",
            "Destination URL not reset. The URL returned from login must be set",
        )),
        _ => Err(ApiError::not_found()),
    }
}

fn supported(version: Version) -> Result<u16, ApiError> {
    match version {
        Version::Supported(number) => Ok(number),
        Version::Retired => {
            Err(ApiError::new(StatusCode::GONE, "GONE", "This API version is retired. Use a supported version."))
        }
        Version::Unknown => Err(ApiError::not_found()),
    }
}

/// Refuses methods that a resource does not have.
pub(crate) fn allow(call: &Call, allowed: &[Method]) -> Result<(), ApiError> {
    let reads = allowed.contains(&Method::GET) && call.method == Method::HEAD;
    if reads || allowed.contains(&call.method) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    Err(ApiError::method_not_allowed(&names.join(", ")))
}

/// The JSON of a request body.
pub(crate) fn json_body(call: &Call) -> Result<Value, ApiError> {
    if !call.has_media_type("application/json") {
        let message = "The HTTP entity body is in a format that is not supported; send application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    serde_json::from_slice(&call.body).map_err(|error| ApiError::bad_request("JSON_PARSER_ERROR", error.to_string()))
}
