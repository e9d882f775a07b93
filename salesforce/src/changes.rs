//! What changed within a window of time: getUpdated and getDeleted.

use serde::Deserialize;

use crate::{
    client::Client,
    error::ApiError,
    http::{Answer, Request},
    query::{DeletionsAsked, encode},
    time::Timestamp,
};

/// The records that changed in a window.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Updated {
    /// 18-character ids.
    #[serde(default)]
    pub ids: Vec<String>,
    /// The next window starts here, not at this window's end: it is pulled back to the start of the oldest transaction
    /// that still runs.
    pub latest_date_covered: Timestamp,
}

/// A deleted record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecord {
    /// 18 characters.
    pub id: String,
    pub deleted_date: Timestamp,
}

/// The records that were deleted in a window.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedIn {
    #[serde(default)]
    pub deleted_records: Vec<DeletedRecord>,
    /// Deletions before this moment are forgotten. Later than the last sync: only a full comparison finds them.
    pub earliest_date_available: Timestamp,
    pub latest_date_covered: Timestamp,
}

impl Client {
    /// The records of `object` that changed between `start` and `end`. One call.
    ///
    /// Seconds are ignored, `start` is at most 30 days ago and more than a minute before `end`, and the object is
    /// `replicateable` (REST guide, "Get a List of Updated Records Within a Given Timeframe").
    ///
    /// # Errors
    /// `INVALID_REPLICATION_DATE` for a window outside these bounds, `EXCEEDED_ID_LIMIT` for more than 600,000 ids.
    pub async fn updated(&self, object: &str, start: Timestamp, end: Timestamp) -> Result<Updated, ApiError> {
        self.changes(object, "updated", start, end).await?.json()
    }

    /// The records of `object` that were deleted between `start`, at most 15 days ago, and `end`. One call.
    ///
    /// # Errors
    /// As [`Client::updated`] (REST guide, "Get a List of Deleted Records Within a Given Timeframe").
    pub async fn deleted(&self, object: &str, start: Timestamp, end: Timestamp) -> Result<DeletedIn, ApiError> {
        self.changes(object, "deleted", start, end).await?.json()
    }

    async fn changes(&self, object: &str, kind: &str, start: Timestamp, end: Timestamp) -> Result<Answer, ApiError> {
        let path = self.changes_path(object, kind, start, end);
        let doing = format!("asking which records of {object} were {kind}");
        self.call(&Request::get("/services/data/{version}/sobjects/{object}/{changes}", path, doing)).await
    }

    /// Where to ask for deletions.
    pub(crate) fn deleted_path(&self, asked: DeletionsAsked<'_>) -> String {
        self.changes_path(asked.object, "deleted", asked.start, asked.end)
    }

    fn changes_path(&self, object: &str, kind: &str, start: Timestamp, end: Timestamp) -> String {
        let (start, end) = (with_offset(start), with_offset(end));
        self.data_path(&format!("sobjects/{}/{kind}/?start={start}&end={end}", encode(object)))
    }
}

/// `2015-05-05T00:00:00+00:00`, encoded; the `+` is not to become a blank.
fn with_offset(moment: Timestamp) -> String {
    let text = moment.to_string();
    let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
    encode(&format!("{seconds}+00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pitfall 59.
    #[test]
    fn the_plus_of_an_offset_is_sent_encoded() {
        assert_eq!(with_offset(Timestamp(1_430_784_000_000)), "2015-05-05T00%3A00%3A00%2B00%3A00");
    }

    #[test]
    fn the_documented_answers_are_read() {
        let updated: Updated = serde_json::from_str(
            r#"{"ids":["a00D0000008pQRAIA2"],"latestDateCovered":"2015-08-19T08:17:00.000+0000"}"#,
        )
        .unwrap();
        assert_eq!(updated.ids, ["a00D0000008pQRAIA2"]);
        let deleted: DeletedIn = serde_json::from_str(
            r#"{"deletedRecords":[{"id":"a00D0000008pQRAIA2","deletedDate":"2013-05-07T22:07:19.000+0000"}],
                "earliestDateAvailable":"2013-05-03T15:57:00.000+0000","latestDateCovered":"2013-05-08T21:20:00.000+0000"}"#,
        )
        .unwrap();
        assert!(deleted.earliest_date_available < deleted.deleted_records[0].deleted_date);
        assert!(deleted.deleted_records[0].deleted_date < deleted.latest_date_covered);
    }
}
