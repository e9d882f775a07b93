//! `getUpdated()` and `getDeleted()`, which REST has as well.

use std::sync::Arc;

use super::Ask;
use super::fault::Fault;
use super::json::Json;
use super::rows::zulu;
use super::writer::Elements;
use crate::org::Org;

impl Org {
    pub(super) async fn soap_updated(self: &Arc<Self>, ask: &Ask<'_>) -> Result<String, Fault> {
        let changes = self.replicated(ask, "updated").await?;
        let mut out = Elements::default();
        out.within("result", |result| {
            for id in changes.get("ids").map(Json::items).unwrap_or_default() {
                result.put("ids", id.as_text().unwrap_or_default());
            }
            date(&changes, "latestDateCovered", result);
        });
        Ok(out.0)
    }

    pub(super) async fn soap_deleted(self: &Arc<Self>, ask: &Ask<'_>) -> Result<String, Fault> {
        let changes = self.replicated(ask, "deleted").await?;
        let mut out = Elements::default();
        out.within("result", |result| {
            for deletion in changes.get("deletedRecords").map(Json::items).unwrap_or_default() {
                result.within("deletedRecords", |record| {
                    date(deletion, "deletedDate", record);
                    record.put("id", deletion.get("id").and_then(Json::as_text).unwrap_or_default());
                });
            }
            date(&changes, "earliestDateAvailable", result);
            date(&changes, "latestDateCovered", result);
        });
        Ok(out.0)
    }

    async fn replicated(self: &Arc<Self>, ask: &Ask<'_>, kind: &str) -> Result<Json, Fault> {
        let operation = &ask.message.operation;
        let object = self.soap_object(ask, operation.text_of("sObjectType").trim())?;
        let time = |name| operation.text_of(name).trim();
        let parameters = [("start", time("startDate")), ("end", time("endDate"))];
        let resource = format!("sobjects/{}/{kind}", object.name);
        let answer = self.ask_inside(ask.call, &ask.caller, &resource, &parameters, &[]).await?;
        let body = answer.body.in_memory().and_then(|body| std::str::from_utf8(body).ok());
        Ok(body.and_then(Json::parse).unwrap_or(Json::Null))
    }
}

fn date(of: &Json, name: &str, out: &mut Elements) {
    out.put(name, &zulu(of.get(name).and_then(Json::as_text).unwrap_or_default()));
}
