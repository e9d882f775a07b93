//! Describe: which objects there are, and what their fields are like.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::schema::{Access, Object, describe_global_entry};

/// How many lately used records the basic information of an object names; the number is inferred.
const RECENT_ITEMS: usize = 20;

impl Org {
    /// `GET /sobjects`.
    pub(super) fn describe_global(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        self.since_modified(call, || {
            let schema = Arc::clone(self.snapshot().schema());
            schema.describe_global(&caller.access, &caller.version_name())
        })
    }

    /// `GET /sobjects/{object}`: the entry of describe global and the records that the caller has used lately.
    pub(super) fn basic_information(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        let object = self.visible_object(caller, name)?;
        let entry = describe_global_entry(&object, &caller.access, &caller.version_name());
        let recent = self.recent_items(caller, |of| of.name == object.name, RECENT_ITEMS);
        self.since_modified(call, || json!({"objectDescribe": entry, "recentItems": recent}))
    }

    /// `GET /sobjects/{object}/describe`.
    pub(super) fn describe(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let object = self.visible_object(caller, name)?;
        self.since_modified(call, || {
            let schema = Arc::clone(self.snapshot().schema());
            let instance = self.instance_url(call.arrival);
            schema.describe_at(&instance, &object, &caller.access, &caller.version_name())
        })
    }

    /// The object, when it exists for the caller.
    pub(super) fn visible_object(&self, caller: &Caller, name: &str) -> Result<Arc<Object>, ApiError> {
        let snapshot = self.snapshot();
        let found = snapshot.schema().find(name).map(|(_, object)| Arc::clone(object));
        found.filter(|object| caller.access.reads(object)).ok_or_else(ApiError::not_found)
    }

    /// Answers with the time of the last change of the schema, and without a body when the client knows that state.
    fn since_modified(&self, call: &Call, body: impl FnOnce() -> Value) -> Result<Answer, ApiError> {
        let changed = SystemTime::from(self.schema_changed());
        let known = call.header(header::IF_MODIFIED_SINCE).and_then(|value| httpdate::parse_http_date(value).ok());
        let answer = match known {
            Some(known) if httpdate::fmt_http_date(changed) == httpdate::fmt_http_date(known) || known > changed => {
                Answer::empty(StatusCode::NOT_MODIFIED)
            }
            _ => {
                let body = body();
                let text = body.to_string();
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                Answer::json_text(StatusCode::OK, text).with(header::ETAG, &format!("\"{:x}\"", hasher.finish()))
            }
        };
        Ok(answer.with(header::LAST_MODIFIED, &httpdate::fmt_http_date(changed)))
    }
}
