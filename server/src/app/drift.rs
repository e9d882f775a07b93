//! What becomes of streams when the org's fields change.

use salesforce::{Client, Timestamp};
use serde::Serialize;
use sync::{
    catalogue::Catalogue,
    drift::{Change, Shape, diff, fitted},
    mapping::{self, CompiledMapping},
};

use super::{App, import::chosen};
use crate::{
    error::Error,
    store::{connections::Connection, drifts::DriftState, journal::Actor, streams::Stream},
};

/// So many differences of a connection are shown, the newest first.
const SHOWN: u32 = 100;

/// A difference that a stream has met.
#[derive(Debug, Serialize)]
pub struct DriftEntry {
    pub object: String,
    pub table: String,
    pub state: DriftState,
    pub found_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Actor>,
    pub changes: Vec<Change>,
    /// The changes in words.
    pub words: Vec<String>,
}

impl App {
    /// The mapping of a stream as it can be run now, compiled. What has changed in the org since it was agreed to is kept,
    /// and dealt with as the mapping says. `fresh`: whatever is remembered of the org is asked anew.
    ///
    /// # Errors
    /// [`Error::Drifted`] where the mapping says to stop, or nothing is left to read; [`Error::Mapping`].
    pub(super) async fn fitting(
        &self,
        connection: &Connection,
        client: &Client,
        stream: &Stream,
        fresh: bool,
    ) -> Result<CompiledMapping, Error> {
        if !fresh {
            self.recall_describes(connection, &stream.mapping).await?;
        }
        let (catalogue, is_remembered) = self.look_up(connection, client, &[&stream.mapping], fresh).await?;
        match self.fit(connection, stream, &catalogue, is_remembered).await? {
            Some(compiled) => Ok(compiled),
            // What is remembered may be older than what was agreed.
            None => {
                let (catalogue, _) = self.look_up(connection, client, &[&stream.mapping], true).await?;
                let compiled = self.fit(connection, stream, &catalogue, false).await?;
                Ok(compiled.expect("what the org says now is acted upon"))
            }
        }
    }

    /// `None`: describes that may be outdated tell of a difference or of a problem, and nothing was done about it.
    async fn fit(
        &self,
        connection: &Connection,
        stream: &Stream,
        catalogue: &Catalogue,
        is_remembered: bool,
    ) -> Result<Option<CompiledMapping>, Error> {
        let mapping = &stream.mapping;
        let known = self.store.shape(&stream.id).await?;
        let Some(now) = Shape::of(mapping, catalogue) else {
            if is_remembered {
                return Ok(None);
            }
            let gone = Change::ObjectGone { object: stream.object.clone() };
            self.keep_pending(connection, stream, vec![gone], &known.unwrap_or_default()).await?;
            return compiled(mapping, mapping, catalogue).map(Some);
        };
        let agreed = match known {
            None => {
                self.store.agree(&stream.id, &now).await?;
                now.clone()
            }
            Some(agreed) if is_remembered && diff(mapping, &agreed, &now).iter().any(Change::matters) => {
                return Ok(None);
            }
            Some(agreed) => self.settled(connection, stream, agreed, &now).await?,
        };
        let Some(fitted) = fitted(mapping, &agreed, &now) else {
            let changes = diff(mapping, &agreed, &now).iter().map(ToString::to_string).collect();
            return Err(drifted(connection, stream, changes));
        };
        match compiled(mapping, &fitted, catalogue) {
            Err(_) if is_remembered => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// What is agreed after the mapping's policy has dealt with the differences.
    async fn settled(
        &self,
        connection: &Connection,
        stream: &Stream,
        agreed: Shape,
        now: &Shape,
    ) -> Result<Shape, Error> {
        let changes = diff(&stream.mapping, &agreed, now);
        let agreeing = agreed.with(now);
        if !changes.iter().any(Change::matters) {
            let is_pending =
                self.store.unagreed_drift(&stream.id).await?.is_some_and(|drift| drift.state == DriftState::Pending);
            if agreeing != agreed || is_pending {
                self.store.agree(&stream.id, &agreeing).await?;
            }
            return Ok(agreeing);
        }
        match stream.mapping.drift {
            mapping::Drift::Apply => {
                let name = &connection.name;
                self.store.found_drift(name, stream, DriftState::Applied, &changes, &agreeing).await?;
                Ok(agreeing)
            }
            mapping::Drift::Ask => {
                self.keep_pending(connection, stream, changes, &agreeing).await?;
                Ok(agreed)
            }
            mapping::Drift::Stop => {
                let words = changes.iter().map(ToString::to_string).collect();
                match self.keep_pending(connection, stream, changes, &agreeing).await? {
                    DriftState::Rejected => Ok(agreed),
                    _ => Err(drifted(connection, stream, words)),
                }
            }
        }
    }

    /// Keeps differences for somebody to decide on; returns what was decided where these very ones were kept before.
    async fn keep_pending(
        &self,
        connection: &Connection,
        stream: &Stream,
        changes: Vec<Change>,
        shape: &Shape,
    ) -> Result<DriftState, Error> {
        match self.store.unagreed_drift(&stream.id).await? {
            Some(known) if known.changes == changes => Ok(known.state),
            _ => {
                let name = &connection.name;
                self.store.found_drift(name, stream, DriftState::Pending, &changes, shape).await?;
                Ok(DriftState::Pending)
            }
        }
    }

    /// Agrees to whatever the org has now.
    pub(super) async fn agree_to_everything(
        &self,
        connection: &Connection,
        client: &Client,
        stream: &Stream,
    ) -> Result<(), Error> {
        let (catalogue, _) = self.look_up(connection, client, &[&stream.mapping], false).await?;
        if let Some(now) = Shape::of(&stream.mapping, &catalogue) {
            let agreed = self.store.shape(&stream.id).await?.unwrap_or_default();
            self.store.agree(&stream.id, &agreed.with(&now)).await?;
        }
        Ok(())
    }

    /// The differences that the streams of a connection have met: of the named objects, or all; the newest first.
    ///
    /// # Errors
    /// [`Error::NoStreams`] and [`Error::UnknownStream`].
    pub async fn drifts(&self, connection: &str, objects: &[String]) -> Result<Vec<DriftEntry>, Error> {
        let connection = self.store.connection(connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let drifts = self.store.drifts(&connection.id, SHOWN).await?;
        let entries = drifts.into_iter().filter_map(|drift| {
            let stream = streams.iter().find(|stream| stream.id == drift.stream_id)?;
            Some(DriftEntry {
                object: stream.object.clone(),
                table: stream.table.clone(),
                state: drift.state,
                found_at: drift.found_at,
                decided_at: drift.decided_at,
                decided_by: drift.decided_by,
                words: drift.changes.iter().map(ToString::to_string).collect(),
                changes: drift.changes,
            })
        });
        Ok(entries.collect())
    }

    /// Accepts or rejects what is pending: of the named objects, or all. Returns the objects that were decided on.
    ///
    /// # Errors
    /// [`Error::NoStreams`] and [`Error::UnknownStream`]; nothing is changed.
    pub async fn decide_drifts(
        &self,
        connection: &str,
        objects: &[String],
        accept: bool,
        actor: &Actor,
    ) -> Result<Vec<String>, Error> {
        let connection = self.store.connection(connection).await?;
        let mut decided = Vec::new();
        for stream in chosen(&connection, self.store.streams(&connection.id).await?, objects)? {
            let Some(drift) = self.store.unagreed_drift(&stream.id).await? else { continue };
            if drift.state == DriftState::Pending
                && self.store.decide_drift(&connection.name, &stream.object, &drift, accept, actor).await?
            {
                decided.push(stream.object);
            }
        }
        Ok(decided)
    }
}

fn compiled(
    written: &mapping::Mapping,
    fitted: &mapping::Mapping,
    catalogue: &Catalogue,
) -> Result<CompiledMapping, Error> {
    fitted.compile(catalogue).map_err(|problems| Error::Mapping { object: written.object.clone(), problems })
}

fn drifted(connection: &Connection, stream: &Stream, changes: Vec<String>) -> Error {
    Error::Drifted { connection: connection.name.clone(), object: stream.object.clone(), changes }
}
