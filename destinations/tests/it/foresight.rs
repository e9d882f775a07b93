//! What is foreseen of rows, and whether it comes true when they are written.

use std::collections::BTreeMap;

use destinations::matching::{self, Filling, Foreseen, Foresight, Match, MatchError, MatchStatus};
use serde_json::Value;
use sync::{
    matching::Matching,
    table::{StreamKey, TableSchema},
};

use crate::{
    case::Place,
    rows::{Row, record_batch},
};

/// Looks ahead at rows; asserts that nothing is written by it.
pub(crate) async fn look(
    place: &dyn Place,
    (stream, table): (&StreamKey, &TableSchema),
    rows: &[Row],
) -> Result<Vec<Foreseen>, MatchError> {
    let before = place.everything();
    let foreseen = matching::foresee(&place.settings(), table, stream, &record_batch(table, rows)).await;
    assert_eq!(place.everything(), before, "looking ahead writes nothing on {}", place.name());
    foreseen
}

/// What is expected of a write.
pub(crate) struct Ahead {
    matching: Matching,
    foreseen: Vec<Foreseen>,
    theirs: Vec<Texts>,
}

/// A row of theirs, each value as text.
type Texts = BTreeMap<String, Option<String>>;

impl Ahead {
    /// `None`: there is nothing to match.
    pub(crate) async fn of(
        place: &dyn Place,
        (stream, table): (&StreamKey, &TableSchema),
        rows: &[Row],
    ) -> Option<Self> {
        let matching = table.matching.clone()?;
        let foreseen = look(place, (stream, table), rows).await.unwrap();
        let theirs = theirs(place, &matching);
        Some(Self { matching, foreseen, theirs })
    }

    /// The rows have been written: their links and the rows that they fill are as foreseen.
    pub(crate) async fn assert_came_true(&self, place: &dyn Place, stream: &StreamKey, step: usize) {
        let links = matching::list(&place.settings(), stream, None, 1000).await.unwrap();
        let links: BTreeMap<&str, &Match> = links.iter().map(|link| (link.record.as_str(), link)).collect();
        for Foreseen { record, outcome, .. } in &self.foreseen {
            let link = links.get(record.as_str());
            let is = link.map_or(MatchStatus::Unmatched, |link| link.status);
            let foreseen = match outcome {
                Foresight::Matched { .. } | Foresight::Stays { .. } | Foresight::Linked { .. } => MatchStatus::Matched,
                Foresight::Ignored { .. } => MatchStatus::Ignored,
                Foresight::Ambiguous { .. } => MatchStatus::Ambiguous,
                Foresight::Unmatched => MatchStatus::Unmatched,
            };
            let at = format!("{record} at step {step} on {}", place.name());
            assert_eq!(is, foreseen, "{at}");
            assert_eq!(link.and_then(|link| link.their_key.as_deref()), outcome.their_key(), "{at}");
            if let Foresight::Ambiguous { candidates, .. } = outcome {
                assert_eq!(&link.unwrap().candidates, candidates, "{at}");
            }
        }
        let after = theirs(place, &self.matching);
        for (was, is) in self.theirs.iter().zip(&after) {
            let key = was[&self.matching.key].clone().unwrap();
            if let Some(expected) = self.filled(&key, was) {
                assert_eq!(is, &expected, "row {key} at step {step} on {}", place.name());
            }
        }
    }

    /// The row with the changes that are foreseen; `None`: no record stands for it.
    fn filled(&self, key: &str, was: &Texts) -> Option<Texts> {
        let mut stands = self.foreseen.iter().filter(|foreseen| foreseen.outcome.their_key() == Some(key)).peekable();
        stands.peek()?;
        let mut row = was.clone();
        for foreseen in stands {
            let Some(Filling::Changes { changes }) = &foreseen.filling else { continue };
            for change in changes {
                assert_eq!(was[&change.column], change.was, "{foreseen:?}");
                row.insert(change.column.clone(), change.becomes.clone());
            }
        }
        Some(row)
    }
}

fn theirs(place: &dyn Place, matching: &Matching) -> Vec<Texts> {
    let rows = place.rows(&matching.table, std::slice::from_ref(&matching.key), &BTreeMap::new());
    rows.iter().map(|row| row.iter().map(|(name, value)| (name.clone(), text(value))).collect()).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
