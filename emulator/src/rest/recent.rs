//! Records that users have used lately: `GET /recent`, and `recentItems` of an object.
//!
//! Source: REST API guide v66, "Recently Viewed Items" and "MRU Header": requests count when the header asks for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use http::Method;
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use super::options::Recency;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::schema::{Access, Object};

/// Source: REST API guide v66, "Recently Viewed Items": at most 200.
const KEPT: usize = 200;

/// What the users of an org have used lately, latest first.
#[derive(Default)]
pub(crate) struct RecentlyUsed(Mutex<HashMap<RecordId, VecDeque<RecordId>>>);

impl RecentlyUsed {
    fn note(&self, user: RecordId, id: RecordId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = all.entry(user).or_default();
        used.retain(|known| *known != id);
        used.push_front(id);
        used.truncate(KEPT);
    }

    fn of(&self, user: RecordId) -> Vec<RecordId> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&user).map(|used| used.iter().copied().collect()).unwrap_or_default()
    }
}

impl Org {
    /// Notes that a caller has used a record.
    pub(crate) fn note_use(&self, caller: &Caller, id: RecordId) {
        if caller.options.recent == Recency::Noted {
            self.recently_used.note(caller.user_id, id);
        }
    }

    /// `GET /recent?limit=N`.
    pub(super) fn recent(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let limit = call.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(KEPT);
        Ok(Answer::ok(&self.recent_items(caller, |_| true, limit)))
    }

    /// Lately used records of some objects that the caller still sees.
    pub(super) fn recent_items(&self, caller: &Caller, wanted: impl Fn(&Object) -> bool, limit: usize) -> Vec<Value> {
        let snapshot = self.snapshot();
        let ids = self.recently_used.of(caller.user_id);
        let rows = ids.iter().filter_map(|id| snapshot.row(*id)).filter(|row| !row.is_deleted());
        let seen = rows.filter(|row| wanted(row.object()) && caller.access.reads(row.object()));
        let item = |row: crate::table::Row<'_>| {
            let object = row.object();
            let name = object.fields().iter().position(|field| field.name_field);
            let name = name.map(|field| row.value(field));
            let name = name.as_ref().map_or(Value::Null, |name| match name {
                crate::value::Value::Text(text) => json!(text),
                _ => Value::Null,
            });
            let url = format!("{}/sobjects/{}/{}", caller.root(), object.name, row.id());
            json!({"attributes": {"type": object.name, "url": url}, "Id": row.id().to_string(), "Name": name})
        };
        seen.take(limit).map(item).collect()
    }
}
