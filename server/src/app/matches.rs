//! Which rows of the vendor's own the records stand for, and what people decide about it.

use destinations::{
    DestinationSettings,
    matching::{self, Comparison, Decider, Decision, Match, MatchError, MatchStatus},
};
use serde::Serialize;
use serde_json::json;
use sync::{destination::Written, table::StreamKey};

use super::{App, import::chosen};
use crate::{
    error::Error,
    store::{journal::Actor, streams::Stream},
};

/// A stream's links.
#[derive(Debug, Serialize)]
pub struct MatchesOfStream {
    pub object: String,
    pub table: String,
    /// The vendor's table.
    pub matched_with: String,
    pub matches: Vec<Match>,
}

/// What came of trying again.
#[derive(Debug, Clone, Serialize)]
pub struct Retried {
    pub object: String,
    pub table: String,
    pub matched: u64,
    pub unmatched: u64,
    pub ambiguous: u64,
}

/// A stream's place in its destination.
struct Place {
    settings: DestinationSettings,
    key: StreamKey,
}

impl App {
    /// The links of a connection's streams that have one of these statuses: at most `at_most` of each.
    ///
    /// # Errors
    /// Nothing is remembered of what is named, no stream of it is matched, or the destination cannot be read.
    pub async fn matches(
        &self,
        connection: &str,
        objects: &[String],
        statuses: &[MatchStatus],
        at_most: u32,
    ) -> Result<Vec<MatchesOfStream>, Error> {
        let mut all = Vec::new();
        for (stream, place) in self.matched_streams(connection, objects).await? {
            let mut matches = Vec::new();
            for status in statuses {
                matches.extend(matching::list(&place.settings, &place.key, Some(*status), at_most).await?);
            }
            matches.truncate(at_most as usize);
            let matched_with = stream.mapping.matching.map(|matching| matching.table).unwrap_or_default();
            all.push(MatchesOfStream { object: stream.object, table: stream.table, matched_with, matches });
        }
        Ok(all)
    }

    /// One record beside the rows that it may stand for. Personal data.
    ///
    /// # Errors
    /// As [`App::matches`]; or there is no such record.
    pub async fn compared(&self, connection: &str, object: &str, record: &str) -> Result<Comparison, Error> {
        let (_, place) = self.matched_stream(connection, object).await?;
        Ok(matching::compare(&place.settings, &place.key, record).await?)
    }

    /// Keeps a person's decision about a record.
    ///
    /// # Errors
    /// As [`App::compared`]; or there is no row with the key.
    pub async fn decide_match(
        &self,
        connection: &str,
        object: &str,
        record: &str,
        decision: Decision,
        actor: &Actor,
    ) -> Result<Comparison, Error> {
        let (stream, place) = self.matched_stream(connection, object).await?;
        let key = match &decision {
            Decision::Link(key) => Some(key.clone()),
            Decision::Ignore => None,
        };
        let name = actor.text();
        let decider = Decider { name: &name, at: self.now() };
        let compared = matching::decide(&place.settings, &place.key, record, decision, decider).await?;
        let detail = json!({ "object": stream.object, "table": stream.table, "record": record, "key": key });
        self.store.note(Some(&place.key.connection), actor, "match-decided", detail).await?;
        Ok(compared)
    }

    /// Applies the rules again: to what is unmatched or ambiguous, or to these records, whatever was decided of them.
    ///
    /// # Errors
    /// As [`App::compared`].
    pub async fn retry_matches(
        &self,
        connection: &str,
        objects: &[String],
        records: &[String],
    ) -> Result<Vec<Retried>, Error> {
        let mut all = Vec::new();
        for (stream, place) in self.matched_streams(connection, objects).await? {
            let written = matching::retry(&place.settings, &place.key, records, self.now()).await?;
            let Written { matched, unmatched, ambiguous, swept: _ } = written;
            all.push(Retried { object: stream.object, table: stream.table, matched, unmatched, ambiguous });
        }
        Ok(all)
    }

    /// The streams that are meant and matched.
    async fn matched_streams(&self, connection: &str, objects: &[String]) -> Result<Vec<(Stream, Place)>, Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let named = streams.first().map(|stream| stream.table.clone()).unwrap_or_default();
        let mut matched = Vec::new();
        for stream in streams.into_iter().filter(|stream| stream.mapping.matching.is_some()) {
            let settings = stream.destination.parse().map_err(Error::destination)?;
            let key = stream.key(&connection, &self.store);
            matched.push((stream, Place { settings, key }));
        }
        if matched.is_empty() {
            return Err(MatchError::NotMatching { table: named }.into());
        }
        Ok(matched)
    }

    /// The one matched stream of an object, or into a table.
    async fn matched_stream(&self, connection: &str, object: &str) -> Result<(Stream, Place), Error> {
        let mut streams = self.matched_streams(connection, &[object.to_owned()]).await?;
        Ok(streams.swap_remove(0))
    }
}
