//! REST queries: `query`, `queryAll`, and the pages that follow; what a query's columns are, and how it would be run.

mod cursor;

use std::sync::Arc;

use http::Method;

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::Snapshot;
use crate::faults::Effect;
use crate::org::Org;
use crate::schema::FieldType;
use crate::soql::{Asked, Cut, Plan, QueryError, ResultSet, RowScope};
use crate::value::Timestamp;

use cursor::Content;
pub(crate) use cursor::Cursors;

/// SOQL reference, "SOQL and SOSL Limits".
const MAX_QUERY: usize = 100_000;
/// REST API guide, "Query Options Header".
const MIN_BATCH: usize = 200;
const MAX_BATCH: usize = 2000;
/// A text field that is longer is a long text area.
const LONG_TEXT: u32 = 255;

impl Org {
    /// `GET /query?q=…` and `GET /queryAll?q=…`: the first page, or with `explain=…` how the query would be run, or
    /// with `columns=true` what its columns are.
    pub(super) async fn query(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        scope: RowScope,
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        if let Some(query) = call.parameter("explain") {
            let (plan, snapshot) = self.plan(&query, caller, scope)?;
            return Ok(Answer::ok(&plan.explain(&snapshot)));
        }
        let query = call
            .parameter("q")
            .ok_or_else(|| ApiError::bad_request("MALFORMED_QUERY", "A query string has to be specified"))?
            .into_owned();
        if call.parameter("columns").is_some_and(|wanted| wanted.eq_ignore_ascii_case("true")) {
            let (plan, snapshot) = self.plan(&query, caller, scope)?;
            return Ok(Answer::ok(&plan.describe_columns(snapshot.schema())));
        }
        let batch = batch_size(call);
        let (org, caller) = (Arc::clone(self), caller.clone());
        blocking(move || {
            let (plan, snapshot) = org.plan(&query, &caller, scope)?;
            let results = Arc::new(plan.execute(snapshot));
            if let Some(refusal) = results.refusal() {
                return Err(refusal.into());
            }
            org.page(&caller, Place { results, cursor: None, offset: 0 }, batch)
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
        let snapshot = self.view(caller, query);
        let now = Timestamp::from(self.now());
        let mut asked = Asked::by(caller.user_id, &snapshot, &caller.access, scope, now);
        asked.version = caller.version;
        let plan = Plan::compile_as(query, &asked)?;
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
            let results = cursor.results();
            if offset >= results.total() {
                return Err(invalid_locator());
            }
            org.page(&caller, Place { results, cursor: Some(cursor.id), offset }, batch)
        })
        .await
    }

    /// One page of a result; the first one opens the cursor when there are more.
    fn page(&self, caller: &Caller, place: Place, batch: Option<usize>) -> Result<Answer, ApiError> {
        let Place { results, cursor, offset } = place;
        let root = caller.root();
        let open = |content: Content| self.cursors.open(content, caller.user_id, self.now());
        let page = results.page(offset, self.cut(results.plan(), batch), &caller.version_name(), &mut |list, next| {
            let children = Content::children(list, results.snapshot().clone());
            format!("{root}/query/{}-{next}", open(children))
        });
        if let Some(refusal) = results.refusal_to_continue(&page) {
            return Err(refusal.into());
        }
        let total = results.total();
        let done = page.next >= total;
        let mut body = format!("{{\"totalSize\":{total},\"done\":{done}").into_bytes();
        if !done {
            let cursor = cursor.unwrap_or_else(|| open(Content::found(Arc::clone(&results))));
            body.extend_from_slice(format!(",\"nextRecordsUrl\":\"{root}/query/{cursor}-{}\"", page.next).as_bytes());
        }
        body.extend_from_slice(b",\"records\":[");
        body.extend_from_slice(&page.records);
        body.extend_from_slice(b"]}");
        Ok(Answer::json_text(http::StatusCode::OK, body))
    }

    /// The size of a page: what the client asks for is a hint, and wide rows make pages smaller.
    fn cut(&self, plan: &Plan, batch: Option<usize>) -> Cut {
        let pages = &self.scenario.pages;
        let asked = batch.unwrap_or(pages.rows);
        let is_long = |name: &str| {
            let field = plan.object().find(name).map(|(_, field)| field);
            field.is_some_and(|field| field.kind == FieldType::TextArea && (field.html || field.length > LONG_TEXT))
        };
        let is_wide = plan.projection().is_some_and(|projection| {
            projection.columns().count() >= pages.wide_from_columns || projection.columns().any(is_long)
        });
        let rows = if is_wide { asked.min(pages.rows_with_long_text) } else { asked };
        Cut { rows, child_rows: rows.min(pages.child_rows) }
    }
}

/// Where in a result a page begins, and the cursor that pages through it already.
struct Place {
    results: Arc<ResultSet>,
    cursor: Option<String>,
    offset: u64,
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
