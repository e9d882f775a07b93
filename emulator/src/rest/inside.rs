//! The data API from within the org: what SOAP has in common with REST is asked there.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::form_urlencoded;

use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::route::{Route, Version};
use crate::session::Session;

impl Org {
    /// The caller behind a session that has been let in; counts as one API request.
    pub(crate) fn admit_session(&self, call: &Call, session: &Session, version: u16) -> Result<Caller, ApiError> {
        let caller = self.caller_of(call, session, version)?;
        self.count_request_of(&caller)?;
        Ok(caller)
    }

    /// Gets a resource of the data API, named from the version's root on, as a request of its own that counts for
    /// nothing.
    pub(crate) async fn ask_inside(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        resource: &str,
        parameters: &[(&str, &str)],
        headers: &[(&'static str, String)],
    ) -> Result<Answer, ApiError> {
        let path = format!("{}/{resource}", caller.root());
        let Route::Data(Version::Supported(_), route) = Route::parse(&path) else { return Err(ApiError::not_found()) };
        let mut inner_headers = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                inner_headers.insert(HeaderName::from_static(name), value);
            }
        }
        let inner = Call {
            method: Method::GET,
            path,
            query: form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish(),
            headers: inner_headers,
            body: bytes::Bytes::new(),
            ..call.clone()
        };
        Box::pin(self.resource(&inner, caller, route, None)).await
    }
}
