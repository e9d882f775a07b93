//! REST queries: `query`, `queryAll`, and the pages that follow.

mod cursor;

use std::sync::Arc;

use http::Method;
use serde_json::json;

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::Snapshot;
use crate::faults::Effect;
use crate::org::Org;
use crate::schema::FieldType;
use crate::soql::{Plan, Projection, QueryError, ResultSet, RowScope, RowWriter};
use crate::value::Timestamp;

pub(crate) use cursor::Cursors;

/// SOQL reference, "SOQL and SOSL Limits".
const MAX_QUERY: usize = 100_000;
/// REST API guide, "Query Options Header".
const MIN_BATCH: usize = 200;
const MAX_BATCH: usize = 2000;
/// A text field that is longer is a long text area.
const LONG_TEXT: u32 = 255;

impl Org {
    /// `GET /query?q=…` and `GET /queryAll?q=…`: the first page.
    pub(super) async fn query(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        scope: RowScope,
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let query = call
            .parameter("q")
            .ok_or_else(|| ApiError::bad_request("MALFORMED_QUERY", "A query string has to be specified"))?
            .into_owned();
        let batch = batch_size(call);
        let (org, caller) = (Arc::clone(self), caller.clone());
        blocking(move || {
            let (plan, snapshot) = org.plan(&query, &caller, scope)?;
            let results = Arc::new(plan.execute(snapshot));
            Ok(org.first_page(&caller, results, batch))
        })
        .await
    }

    /// Compiles a query for a caller, and the view of the data that it is bound to.
    pub(crate) fn plan(
        &self,
        query: &str,
        caller: &Caller,
        scope: RowScope,
    ) -> Result<(Arc<Plan>, Snapshot), ApiError> {
        if query.chars().count() > MAX_QUERY {
            let message = "SOQL statements can not be longer than 100000 characters";
            return Err(ApiError::bad_request("MALFORMED_QUERY", message));
        }
        let snapshot = self.snapshot();
        let now = Timestamp::from(self.now());
        let plan = Plan::compile(query, snapshot.schema(), &caller.access, scope, now)?;
        Ok((Arc::new(plan), snapshot))
    }

    /// `GET /query/{locator}`: the page that starts at the locator's offset.
    pub(super) async fn query_more(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        locator: &str,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        if effect == Some(&Effect::ExpiredLocator) {
            self.cursors.close(locator);
        }
        let now = self.now();
        let (cursor, offset) = self.cursors.find(locator, caller.user_id, now).ok_or_else(invalid_locator)?;
        let (org, caller, batch) = (Arc::clone(self), caller.clone(), batch_size(call));
        blocking(move || {
            if offset >= cursor.results.total() {
                return Err(invalid_locator());
            }
            Ok(org.page(&caller, &cursor.results, &cursor.id, offset, batch))
        })
        .await
    }

    fn first_page(&self, caller: &Caller, results: Arc<ResultSet>, batch: Option<usize>) -> Answer {
        let Some(projection) = results.plan().projection() else {
            return Answer::ok(&json!({"totalSize": results.total(), "done": true, "records": []}));
        };
        let fits = self.page_rows(results.plan(), projection, batch) as u64 >= results.total();
        let id = match fits {
            true => String::new(),
            false => self.cursors.open(Arc::clone(&results), caller.user_id, self.now()),
        };
        self.page(caller, &results, &id, 0, batch)
    }

    fn page(&self, caller: &Caller, results: &ResultSet, cursor: &str, offset: u64, batch: Option<usize>) -> Answer {
        let total = results.total();
        let mut records = Vec::new();
        let mut next = total;
        if let Some(projection) = results.plan().projection() {
            let rows = self.page_rows(results.plan(), projection, batch);
            next = offset.saturating_add(rows as u64);
            let mut writer = RowWriter::new(projection, results.snapshot(), &caller.version_name());
            for (index, row) in results.rows(offset).take(rows).enumerate() {
                if index > 0 {
                    records.push(b',');
                }
                writer.write_json(&row, &mut records);
            }
        }
        let done = next >= total;
        let mut body = format!("{{\"totalSize\":{total},\"done\":{done}").into_bytes();
        if !done {
            let root = caller.root();
            body.extend_from_slice(format!(",\"nextRecordsUrl\":\"{root}/query/{cursor}-{next}\"").as_bytes());
        }
        body.extend_from_slice(b",\"records\":[");
        body.append(&mut records);
        body.extend_from_slice(b"]}");
        Answer::json_text(http::StatusCode::OK, body)
    }

    /// Rows of a page: what the client asks for is a hint, and wide rows make pages smaller.
    fn page_rows(&self, plan: &Plan, projection: &Projection, batch: Option<usize>) -> usize {
        let pages = &self.scenario.pages;
        let asked = batch.unwrap_or(pages.rows);
        let is_long = |name: &str| {
            let field = plan.object().find(name).map(|(_, field)| field);
            field.is_some_and(|field| field.kind == FieldType::TextArea && (field.html || field.length > LONG_TEXT))
        };
        let is_wide = projection.columns().count() >= pages.wide_from_columns;
        if is_wide || projection.columns().any(is_long) {
            return asked.min(pages.rows_with_long_text);
        }
        asked
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::bad_request(error.code.as_str(), error.message)
    }
}

fn invalid_locator() -> ApiError {
    ApiError::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator")
}

/// `Sforce-Query-Options: batchSize=N`, forced between the documented bounds; `None` without a number.
fn batch_size(call: &Call) -> Option<usize> {
    let options = call.header("sforce-query-options")?;
    let number = options.split(',').find_map(|option| {
        let (name, value) = option.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("batchSize");
        named.then(|| value.trim().parse::<usize>().ok()).flatten()
    })?;
    Some(number.clamp(MIN_BATCH, MAX_BATCH))
}

/// Reads many rows without holding up other connections.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("reading rows does not panic")
}
