//! Which records are gone for good: getDeleted names them, and each is looked up before its row is deleted.

use std::collections::BTreeMap;

use salesforce::{ApiError, ErrorCode, Timestamp, changes::DeletedIn, query::DeletionsAsked};
use serde::Deserialize;
use serde_json::Value;

use super::{Question, ReadError, soql};
use crate::table::Deletion;

/// Records looked up in one query: one page of an answer, and far from the longest query.
pub(crate) const LOOKED_UP: usize = 1000;

/// The org forgets deletions after this long (REST guide, "Get a List of Deleted Records Within a Given Timeframe").
const REMEMBERED_DAYS: i64 = 15;
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// The time that deletions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) since: Timestamp,
    pub(crate) now: Timestamp,
}

impl Span {
    /// getDeleted ignores seconds, and wants more than a minute between the ends.
    pub(super) fn asked<'a>(&self, object: &'a str) -> DeletionsAsked<'a> {
        let minute = |time: Timestamp| time.0.div_euclid(MINUTE_MS) * MINUTE_MS;
        let end = minute(self.now);
        let start = minute(self.since).min(end - 2 * MINUTE_MS);
        DeletionsAsked { object, start: Timestamp(start), end: Timestamp(end) }
    }

    fn is_remembered(&self) -> bool {
        self.now.0 - self.since.0 < (REMEMBERED_DAYS - 1) * DAY_MS
    }
}

/// What getDeleted made known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It was not asked.
    Nothing,
    /// Ids of records that were deleted, some of which may have come back, and up to when everything is committed.
    Deleted { ids: Vec<String>, settled: Timestamp },
    /// Deletions since the last look are forgotten: only a whole reading finds them.
    Forgotten,
    /// The org does not say.
    Refused { reason: String },
}

impl Heard {
    pub(super) fn of(answer: Option<Result<DeletedIn, ApiError>>, span: Option<Span>) -> Self {
        match (answer, span) {
            (None, _) | (_, None) => Self::Nothing,
            (Some(Ok(answer)), Some(span)) if answer.earliest_date_available > span.since => Self::Forgotten,
            (Some(Ok(answer)), Some(_)) => Self::Deleted {
                ids: answer.deleted_records.into_iter().map(|record| record.id).collect(),
                settled: answer.latest_date_covered,
            },
            (Some(Err(error)), Some(span))
                if error.code() == Some(&ErrorCode::InvalidReplicationDate) && !span.is_remembered() =>
            {
                Self::Forgotten
            }
            (Some(Err(error)), Some(_)) => Self::Refused { reason: error.to_string() },
        }
    }
}

#[derive(Deserialize)]
struct State {
    #[serde(rename = "Id")]
    id: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Those of `ids` that are not there any more, or only in the recycle bin; one that has come back is not among them.
pub(crate) async fn gone(question: &Question, ids: &[String]) -> Result<Vec<Deletion>, ReadError> {
    let mapping = &question.mapping;
    let named: Vec<&str> = ids.iter().map(String::as_str).filter(|id| is_id(id)).collect();
    let soql = soql::look_up(mapping, &named);
    let there: Vec<State> = question.client.query_with(&soql, salesforce::query::Deleted::Included).await?;
    let there: BTreeMap<&str, &State> = there.iter().map(|state| (state.id.as_str(), state)).collect();
    let stamp = mapping.cursor.map(|index| mapping.fields[index].path.as_str());
    let deletion = |id: &&str| match there.get(*id) {
        None => Some(Deletion { id: (*id).to_owned(), version: None }),
        Some(state) if state.rest.get("IsDeleted") == Some(&Value::Bool(true)) => {
            let version = stamp.and_then(|stamp| Timestamp::parse(state.rest.get(stamp)?.as_str()?));
            Some(Deletion { id: (*id).to_owned(), version })
        }
        Some(_) => None,
    };
    Ok(named.iter().filter_map(deletion).collect())
}

/// Nothing else is put between the quotes of a query.
pub(super) fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_030_000);

    fn answer(earliest: i64) -> Option<Result<DeletedIn, ApiError>> {
        let (earliest_date_available, latest_date_covered) = (Timestamp(earliest), NOW);
        Some(Ok(DeletedIn { deleted_records: Vec::new(), earliest_date_available, latest_date_covered }))
    }

    #[test]
    fn a_span_has_whole_minutes_and_two_of_them_at_least() {
        let asked = |since| {
            let asked = Span { since: Timestamp(since), now: NOW }.asked("Contact");
            (asked.start.0, asked.end.0)
        };
        assert_eq!(asked(NOW.0 - 1), (1_799_999_880_000, 1_800_000_000_000));
        assert_eq!(asked(NOW.0 - 600_000), (1_799_999_400_000, 1_800_000_000_000));
    }

    #[test]
    fn a_log_that_does_not_reach_back_to_the_last_look_has_forgotten() {
        let span = Some(Span { since: Timestamp(NOW.0 - 600_000), now: NOW });
        assert_eq!(Heard::of(answer(NOW.0 - 1), span), Heard::Forgotten);
        let heard = Heard::of(answer(0), span);
        assert_eq!(heard, Heard::Deleted { ids: Vec::new(), settled: NOW });
        assert_eq!(Heard::of(None, span), Heard::Nothing);
    }
}
