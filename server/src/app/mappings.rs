//! The mappings of streams: checked, changed, and as they were.

use std::collections::BTreeSet;

use serde::Serialize;
use sync::{
    checkpoint::Asked,
    mapping::{CompiledMapping, Mapping},
};

use super::{App, import::chosen};
use crate::{
    error::Error,
    store::{connections::Connection, journal::Actor, mappings::MappingVersion, streams::Stream},
};

/// What a run reads because the mapping is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rereads", rename_all = "snake_case")]
pub enum Rereads {
    /// The stream has not been read yet, or what concerns every row has changed.
    Everything,
    /// These columns are filled in the rows that are there.
    Columns {
        columns: Vec<String>,
    },
    Nothing,
}

impl Rereads {
    fn of(stream: &Stream, compiled: &CompiledMapping) -> Self {
        let Some(Asked { scope, columns: made }) = stream.checkpoint.as_ref().map(|checkpoint| &checkpoint.asked)
        else {
            return Self::Everything;
        };
        if *scope != compiled.asked.scope {
            return Self::Everything;
        }
        let others = compiled.asked.columns.iter().filter(|(name, print)| made.get(*name) != Some(print));
        match others.map(|(name, _)| name.clone()).collect::<BTreeSet<_>>() {
            columns if columns.is_empty() => Self::Nothing,
            columns => Self::Columns { columns: columns.into_iter().collect() },
        }
    }
}

/// What becomes of a stream with another mapping.
#[derive(Debug, Serialize)]
pub struct MappingChange {
    pub object: String,
    pub table: String,
    /// The version that it is, or would be.
    pub version: i64,
    #[serde(flatten)]
    pub rereads: Rereads,
}

impl App {
    /// Checks a mapping against the org as it is now.
    ///
    /// # Errors
    /// [`Error::Mapping`] with every problem, its place and a suggestion.
    pub async fn check_mapping(&self, connection: &str, mapping: &Mapping) -> Result<CompiledMapping, Error> {
        let connection = self.store.connection(connection).await?;
        self.compiled(&connection, mapping).await
    }

    /// The mappings that a stream has had, the newest first.
    ///
    /// # Errors
    /// [`Error::UnknownStream`].
    pub async fn mapping_versions(
        &self,
        connection: &str,
        stream: &str,
    ) -> Result<(Stream, Vec<MappingVersion>), Error> {
        let connection = self.store.connection(connection).await?;
        let stream = self.stream_named(&connection, stream).await?;
        let versions = self.store.mapping_versions(&stream.id).await?;
        Ok((stream, versions))
    }

    /// Gives the stream of a mapping's object (and table, where it names one) this mapping from its next run on. `dry`: only
    /// says what would be read anew.
    ///
    /// # Errors
    /// [`Error::Mapping`]; [`Error::UnknownStream`]; the mapping has changed meanwhile.
    pub async fn set_mapping(
        &self,
        connection: &str,
        mapping: &Mapping,
        dry: bool,
        actor: &Actor,
        note: Option<&str>,
    ) -> Result<MappingChange, Error> {
        let connection = self.store.connection(connection).await?;
        let compiled = self.compiled(&connection, mapping).await?;
        let streams = self.store.streams(&connection.id).await?;
        let is_meant =
            |stream: &&Stream| stream.table == compiled.table.name && stream.mapping.stream == mapping.stream;
        let streams = chosen(&connection, streams, std::slice::from_ref(&compiled.object))?;
        let Some(stream) = streams.iter().find(is_meant) else {
            let known = streams.iter().map(|stream| format!("{} in {}", stream.object, stream.table)).collect();
            let object = format!("{} in {}", compiled.object, compiled.table.name);
            return Err(Error::UnknownStream { connection: connection.name, object, known });
        };
        let is_same = stream.mapping == *mapping;
        let version = stream.mapping_version + i64::from(!is_same);
        if !dry && !is_same && !self.store.set_mapping(&connection.name, stream, mapping, actor, note).await? {
            return Err(Error::Unreadable {
                what: format!("the mapping of {}", stream.object),
                reason: "somebody else has changed it at the same time".into(),
            });
        }
        let rereads = Rereads::of(stream, &compiled);
        Ok(MappingChange { object: stream.object.clone(), table: stream.table.clone(), version, rereads })
    }

    /// The stream of that object or table.
    pub(super) async fn stream_named(&self, connection: &Connection, name: &str) -> Result<Stream, Error> {
        let streams = self.store.streams(&connection.id).await?;
        if let Some(stream) = streams.iter().find(|stream| stream.table == name) {
            return Ok(stream.clone());
        }
        let mut streams = chosen(connection, streams, &[name.to_owned()])?;
        Ok(streams.remove(0))
    }
}
