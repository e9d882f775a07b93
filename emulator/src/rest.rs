//! The data API below `/services/data`.

mod access;
mod app;
mod apps;
mod body;
mod caller;
mod changes;
mod composite;
mod conditional;
mod describe;
mod format;
mod frames;
mod inside;
mod limits;
mod options;
mod password;
mod platform;
mod process;
mod query;
mod recent;
mod records;
mod related;
mod search;
mod tokens;
mod tooling;
mod versions;

use std::sync::Arc;

use http::{HeaderName, Method, StatusCode, header};

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::ids::RecordId;
use crate::org::Org;
use crate::route::{DataRoute, Version};
use crate::scenario::DeprecatedVersions;
use crate::site::Site;
use crate::soql::RowScope;

use format::Format;

pub(crate) use body::json_body;
pub(crate) use caller::Caller;
pub(crate) use frames::{compact_layout, compact_layouts};
pub(crate) use options::{Recency, RequestOptions};
pub(crate) use query::Cursors;
pub(crate) use recent::RecentlyUsed;
pub(crate) use search::search_layout;
pub(crate) use versions::versions;

/// Versions up to here are deprecated from Summer '27 and retired in Summer '28. Source: end-of-life policy.
const LAST_DEPRECATED: u16 = 40;
const RETIREMENT: &str = "It is retired in the Summer '28 release.";
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
            Err(refusal) => return self.finished(call, None, version, refusal.into()),
        };
        let (own_format, template) = (format::has_a_format_of_its_own(&route), route.template());
        let answer = match Format::wanted(call, &route) {
            None if !own_format => format::unacceptable(),
            wanted => {
                let answer = self.resource(call, &caller, route, effect).await.unwrap_or_else(Answer::from);
                format::formatted(answer, wanted.unwrap_or(Format::Json), call, template)
            }
        };
        self.finished(call, Some(&caller), version, answer)
    }

    /// `/services/apexrest/…`: the org has no Apex class that answers (text from field reports).
    pub(crate) fn apex_rest(&self, call: &Call) -> Answer {
        let admitted = check_site(call.site).and_then(|()| self.caller(call, crate::route::NEWEST_VERSION));
        let refusal = admitted
            .err()
            .unwrap_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Could not find a match for URL"));
        refusal.into()
    }

    fn admit_call(&self, call: &Call, version: Version) -> Result<Caller, ApiError> {
        check_site(call.site)?;
        let version = supported(version)?;
        let caller = self.caller(call, version)?;
        self.check_concurrency(call)?;
        self.count_request_of(&caller)?;
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
            DataRoute::ExternalId { object, field, value } if self.names_record(&object, &field) => {
                self.related(call, caller, [&object, &field], &[value]).await
            }
            DataRoute::Related { object, id, path } => self.related(call, caller, [&object, &id], &path).await,
            DataRoute::Frame(frame) => self.frame(call, caller, &frame),
            DataRoute::App(part) => self.app_resource(call, caller, part),
            DataRoute::Search(route) => self.search_resource(call, caller, route).await,
            DataRoute::Recent => self.recent(call, caller),
            DataRoute::RecordCount => self.record_count(call, caller),
            DataRoute::ExternalId { object, field, value } => {
                self.by_external_id(call, caller, [&object, &field, &value])
            }
            DataRoute::Updated(object) => self.updated(call, caller, &object),
            DataRoute::Deleted(object) => self.deleted(call, caller, &object),
            DataRoute::Query => self.query(call, caller, RowScope::Live).await,
            DataRoute::QueryAll => self.query(call, caller, RowScope::All).await,
            DataRoute::QueryMore(locator) => self.query_more(call, caller, &locator, effect).await,
            DataRoute::Composite(route) => self.composite_resource(call, caller, route).await,
            DataRoute::Bulk(_) if caller.by_jwt => Err(ApiError::invalid_session()),
            DataRoute::Bulk(route) => self.bulk(call, caller, route, effect).await,
            DataRoute::Platform(route) => self.platform(call, caller, route, effect).await,
            DataRoute::Unknown => Err(ApiError::not_found()),
        }
    }

    /// What every answer of the data API carries.
    fn finished(&self, call: &Call, caller: Option<&Caller>, version: Version, answer: Answer) -> Answer {
        let answer = answer.with(LIMIT_INFO, &self.limit_info(caller));
        let warns = self.scenario.rest.deprecated_versions == DeprecatedVersions::Warned;
        match version {
            Version::Supported(number @ ..=LAST_DEPRECATED) if warns && call.site == Site::MyDomain => {
                let text = format!("299 - \"API version v{number}.0 is deprecated. {RETIREMENT}\"");
                answer.with(header::WARNING, &text)
            }
            _ => answer,
        }
    }

    /// Whether the third segment of a path is the id of a record of the object.
    fn names_record(&self, object: &str, segment: &str) -> bool {
        let snapshot = self.snapshot();
        let prefix = snapshot.schema().find(object).and_then(|(_, object)| object.key_prefix);
        prefix.is_some() && RecordId::parse(segment).is_ok_and(|id| prefix == Some(id.prefix()))
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
    Err(ApiError::method_not_allowed(call.method.as_str(), &names.join(", ")))
}
