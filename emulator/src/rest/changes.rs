//! getUpdated and getDeleted (REST API guide, "Get a List of Updated Records" and "… Deleted Records").

use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::Snapshot;
use crate::org::Org;
use crate::schema::{Object, ObjectIndex};
use crate::value::Timestamp;

const UPDATED_REACH: TimeDelta = TimeDelta::days(30);
const DELETED_REACH: TimeDelta = TimeDelta::days(15);
const MAX_IDS: usize = 600_000;
const MINUTE_MS: i64 = 60_000;

/// A span of whole minutes.
struct Span {
    start: Timestamp,
    end: Timestamp,
    /// The minute in which it is asked for.
    asked: Timestamp,
}

impl Span {
    /// Up to when the answer is complete. What a transaction that is still open has written may be stamped since its start.
    fn covered(&self, snapshot: &Snapshot) -> Timestamp {
        let covered = self.end.min(self.asked).max(self.start);
        snapshot.oldest_transaction().map_or(covered, |started| covered.min(whole_minutes(started)))
    }
}

impl Org {
    /// `GET /sobjects/{object}/updated?start=…&end=…`.
    pub(super) fn updated(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let (object, span) = self.replication(call, caller, name, UPDATED_REACH)?;
        let snapshot = self.snapshot();
        let ids = snapshot.updated(object, span.start, span.end);
        if ids.len() > MAX_IDS {
            return Err(ApiError::bad_request("EXCEEDED_ID_LIMIT", "exceeded 600000 ids"));
        }
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        Ok(Answer::ok(&json!({"ids": ids, "latestDateCovered": rest_time(span.covered(&snapshot))})))
    }

    /// `GET /sobjects/{object}/deleted?start=…&end=…`.
    pub(super) fn deleted(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let (object, span) = self.replication(call, caller, name, DELETED_REACH)?;
        let snapshot = self.snapshot();
        let records: Vec<Value> = snapshot
            .deleted(object, span.start, span.end)
            .iter()
            .map(|deletion| json!({"id": deletion.id.to_string(), "deletedDate": rest_time(deletion.at)}))
            .collect();
        let reach = Timestamp::from(self.now() - DELETED_REACH);
        let earliest = snapshot.delete_log_begins(object).unwrap_or(reach).max(reach);
        Ok(Answer::ok(&json!({
            "deletedRecords": records,
            "earliestDateAvailable": rest_time(earliest),
            "latestDateCovered": rest_time(span.covered(&snapshot)),
        })))
    }

    fn replication(
        &self,
        call: &Call,
        caller: &Caller,
        name: &str,
        reach: TimeDelta,
    ) -> Result<(ObjectIndex, Span), ApiError> {
        let object = self.visible_object(caller, name)?;
        check_replicateable(&object)?;
        let span = self.span(call, reach)?;
        let snapshot = self.snapshot();
        let (index, _) = snapshot.schema().find(&object.name).ok_or_else(ApiError::not_found)?;
        Ok((index, span))
    }

    /// The span of a request. Seconds are ignored; what the current minute may still bring is not covered.
    fn span(&self, call: &Call, reach: TimeDelta) -> Result<Span, ApiError> {
        let refused = |message: String| ApiError::bad_request("INVALID_REPLICATION_DATE", message);
        let time = |name: &str| {
            let text = call.parameter(name).ok_or_else(|| refused(format!("{name} is missing")))?;
            let parsed = Timestamp::parse(&text);
            parsed.ok_or_else(|| refused(format!("{name}: '{text}' is not a valid value for the type xsd:dateTime")))
        };
        let (start, end) = (whole_minutes(time("start")?), whole_minutes(time("end")?));
        let now = self.now();
        if end.0 - start.0 < MINUTE_MS {
            return Err(refused("endDate must be at least one minute greater than startDate".into()));
        }
        if start < whole_minutes(Timestamp::from(now - reach)) {
            return Err(refused(format!("startDate cannot be more than {} days ago", reach.num_days())));
        }
        Ok(Span { start, end, asked: whole_minutes(Timestamp::from(now)) })
    }
}

fn check_replicateable(object: &Object) -> Result<(), ApiError> {
    if object.can.replicateable {
        return Ok(());
    }
    let message = format!("Entity type {} cannot be replicated", object.name);
    Err(ApiError::bad_request("INVALID_TYPE", message))
}

fn whole_minutes(time: Timestamp) -> Timestamp {
    Timestamp(time.0.div_euclid(MINUTE_MS) * MINUTE_MS)
}

fn rest_time(time: Timestamp) -> String {
    let mut text = Vec::new();
    time.write_rest(&mut text);
    String::from_utf8(text).expect("times are ASCII")
}
