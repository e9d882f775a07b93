//! `query()`, `queryAll()`, `queryMore()`, `retrieve()` and `search()`.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Ask;
use super::fault::Fault;
use super::json::Json;
use super::rows::Rows;
use super::writer::Elements;
use crate::answer::{Answer, ApiError};
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::org::Org;
use crate::schema::Object;
use crate::soql::{Projection, RowWriter};

/// Rows of a page unless `QueryOptions` asks for others (SOAP API guide, "QueryOptions").
const BATCH: &str = "500";
/// SOAP API guide, `retrieve()`.
const MOST_RETRIEVED: usize = 2000;
const BATCH_HEADER: &str = "sforce-query-options";

impl Org {
    /// `query()` and `queryAll()`, which are REST resources of the same names.
    pub(super) async fn soap_query(self: &Arc<Self>, ask: &Ask<'_>, resource: &str) -> Result<String, Fault> {
        let soql = ask.message.operation.argument("queryString");
        self.queried(ask, resource, &[("q", soql)]).await
    }

    pub(super) async fn soap_query_more(self: &Arc<Self>, ask: &Ask<'_>) -> Result<String, Fault> {
        let locator = ask.message.operation.text_of("queryLocator").trim();
        if locator.is_empty() {
            return Err(Fault::call("INVALID_QUERY_LOCATOR", "invalid query locator"));
        }
        // Whatever a client sends stays one segment of the path.
        let locator = utf8_percent_encode(locator, NON_ALPHANUMERIC);
        self.queried(ask, &format!("query/{locator}"), &[]).await
    }

    async fn queried(
        self: &Arc<Self>,
        ask: &Ask<'_>,
        resource: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, Fault> {
        let batch = ask.message.headers.batch_size.as_deref().unwrap_or(BATCH);
        let headers = [(BATCH_HEADER, format!("batchSize={batch}"))];
        let answer = self.ask_inside(ask.call, &ask.caller, resource, parameters, &headers).await?;
        let page = json_of(&answer)?;
        let data = self.snapshot();
        let mut out = Elements::default();
        Rows { api: ask.api, data: &data }.query_result("result", &page, &mut out);
        Ok(out.0)
    }

    /// `search()`: the REST resource of that name, where the org has it.
    pub(super) async fn soap_search(self: &Arc<Self>, ask: &Ask<'_>) -> Result<String, Fault> {
        let sosl = ask.message.operation.argument("searchString");
        let answer = self.ask_inside(ask.call, &ask.caller, "search", &[("q", sosl)], &[]).await.map_err(not_there)?;
        let page = json_of(&answer)?;
        let found = page.get("searchRecords").unwrap_or(&page);
        let data = self.snapshot();
        let rows = Rows { api: ask.api, data: &data };
        let mut out = Elements::default();
        out.within("result", |result| {
            result.put("queryId", "");
            for record in found.items() {
                result.within("searchRecords", |found| rows.record("record", record, found));
            }
        });
        Ok(out.0)
    }

    /// Records in the order of their ids in the message; nil for those that the caller cannot see.
    pub(super) fn soap_retrieve(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let operation = &ask.message.operation;
        let object = self.soap_object(ask, operation.text_of("sObjectType").trim())?;
        let ids = operation.texts_of("ids");
        if ids.len() > MOST_RETRIEVED {
            return Err(Fault::call(
                "EXCEEDED_ID_LIMIT",
                format!("cannot retrieve more than {MOST_RETRIEVED} records"),
            ));
        }
        let data = self.snapshot();
        let fields = operation.text_of("fieldList").split(',').map(str::trim).filter(|name| !name.is_empty());
        let fields: Vec<&str> = fields.collect();
        let position = data.schema().find(&object.name).map(|(index, _)| index);
        let index = position.ok_or_else(|| Fault::from(ApiError::not_found()))?;
        let projection = Projection::of_record(data.schema(), index, &ask.caller.access, Some(&fields))
            .map_err(|error| Fault::from(ApiError::from(error)))?;
        let rows = Rows { api: ask.api, data: &data };
        let mut out = Elements::default();
        for id in &ids {
            let record = read_record(&data, &object, &projection, &ask.caller.version_name(), id)?;
            // Source: SOAP API guide v66, `MruHeader`: calls count that return one record.
            if ids.len() == 1
                && matches!(record, Json::Object(_))
                && let Ok(id) = RecordId::parse(id)
            {
                self.note_use(&ask.caller, id);
            }
            rows.record("result", &record, &mut out);
        }
        Ok(out.0)
    }
}

fn read_record(
    data: &Snapshot,
    object: &Object,
    projection: &Projection,
    version: &str,
    id: &str,
) -> Result<Json, Fault> {
    let id = RecordId::parse(id).map_err(|error| Fault::call("MALFORMED_ID", error.to_string()))?;
    let row = data.row(id).filter(|row| !row.is_deleted() && object.key_prefix == Some(id.prefix()));
    let Some(row) = row else { return Ok(Json::Null) };
    let mut body = Vec::new();
    RowWriter::new(projection, data, version).write_json(&row, &mut body);
    Ok(std::str::from_utf8(&body).ok().and_then(Json::parse).unwrap_or(Json::Null))
}

fn json_of(answer: &Answer) -> Result<Json, Fault> {
    let body = answer.body.in_memory().and_then(|body| std::str::from_utf8(body).ok());
    body.and_then(Json::parse).ok_or_else(|| Fault::call("UNKNOWN_EXCEPTION", "An unexpected error occurred"))
}

/// An org without searches.
fn not_there(error: ApiError) -> Fault {
    match error.code.as_ref() {
        "NOT_FOUND" => Fault::call("INVALID_OPERATION", "search() is not available in this org"),
        _ => error.into(),
    }
}
