//! Streams: one object of a connection into one table, remembered between runs.

use salesforce::Timestamp;
use sync::{checkpoint::Checkpoint, mapping::Mapping, read::ReadChoice, table::StreamKey};

use super::{
    Store,
    connections::Connection,
    database::{Change, Committed, DatabaseError, Row},
    error::StoreError,
    fresh_id,
    journal::Actor,
};

/// A remembered stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    pub id: String,
    pub connection_id: String,
    /// Where the table is: `sqlite:/path/to/file.db`.
    pub destination: String,
    pub object: String,
    pub table: String,
    pub mapping: Mapping,
    /// Counts up whenever the mapping changes.
    pub mapping_version: i64,
    pub read: ReadChoice,
    /// The mirror of the destination's checkpoint.
    pub checkpoint: Option<Checkpoint>,
    pub checkpoint_at: Option<Timestamp>,
}

impl Stream {
    /// Whose rows, in the destination, as a stream of this connection and control store.
    pub fn key(&self, connection: &Connection, store: &Store) -> StreamKey {
        store.stream_key(connection, &self.object, &self.table, self.mapping.stream.as_deref())
    }

    /// The name of the lease that a run of this stream holds: one run a table, whoever asks for it.
    pub fn lease_name(&self) -> String {
        lease_name(&self.object, &self.id)
    }
}

/// The name of the lease of a stream of that object and id.
pub(crate) fn lease_name(object: &str, id: &str) -> String {
    format!("stream {object} of {id}")
}

/// A stream to be remembered.
#[derive(Debug)]
pub struct NewStream<'a> {
    pub connection_id: &'a str,
    pub destination: &'a str,
    pub object: &'a str,
    pub table: &'a str,
    pub mapping: &'a Mapping,
    pub read: ReadChoice,
}

const OF_CONNECTION: &str = "SELECT id, connection_id, destination, object, table_name, mapping, mapping_version, \
     read_mode, checkpoint, checkpoint_at FROM streams WHERE connection_id = $1 ORDER BY created_at, object, id";

const BY_ID: &str = "SELECT id, connection_id, destination, object, table_name, mapping, mapping_version, \
     read_mode, checkpoint, checkpoint_at FROM streams WHERE id = $1";

const AT: &str = "SELECT id, connection_id, destination, object, table_name, mapping, mapping_version, \
     read_mode, checkpoint, checkpoint_at FROM streams \
     WHERE connection_id = $1 AND destination = $2 AND place = $3";

impl Store {
    /// Whose rows, in a destination, those of an object in a table are.
    pub fn stream_key(&self, connection: &Connection, object: &str, table: &str, stream: Option<&str>) -> StreamKey {
        StreamKey {
            connection: connection.name.clone(),
            org: connection.org_id.clone(),
            installation: self.installation().to_owned(),
            object: object.to_owned(),
            table: table.to_owned(),
            stream: stream.map(str::to_owned),
        }
    }

    /// The streams of a connection, oldest first.
    pub async fn streams(&self, connection_id: &str) -> Result<Vec<Stream>, StoreError> {
        self.database.query(OF_CONNECTION, [connection_id.into()]).await?.into_iter().map(stream).collect()
    }

    /// The stream of that id.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when it is not remembered any more.
    pub async fn stream(&self, id: &str) -> Result<Stream, StoreError> {
        let row = self.database.query_first(BY_ID, [id.into()]).await?;
        let unknown = || StoreError::Unknown { kind: "stream", name: id.to_owned(), known: Vec::new() };
        row.map(stream).transpose()?.ok_or_else(unknown)
    }

    /// Remembers a stream. The same table again keeps its identity; a mapping that differs is a further version.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] when the table holds another object.
    pub async fn remember_stream(&self, new: &NewStream<'_>) -> Result<Stream, StoreError> {
        const REMEMBER: &str = "INSERT INTO streams (id, connection_id, destination, object, place, table_name, mapping, \
             mapping_version, read_mode, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9) \
             ON CONFLICT (connection_id, destination, place) DO UPDATE SET \
             mapping_version = streams.mapping_version + \
             (CASE WHEN streams.mapping = excluded.mapping THEN 0 ELSE 1 END), \
             mapping = excluded.mapping, read_mode = excluded.read_mode \
             WHERE streams.object = excluded.object";
        const KEEP: &str = "INSERT INTO mapping_versions (stream_id, version, mapping, author, note, made_at) \
             SELECT id, mapping_version, mapping, CAST($4 AS TEXT), 'by an import', CAST($5 AS BIGINT) FROM streams \
             WHERE connection_id = $1 AND destination = $2 AND place = $3 ON CONFLICT (stream_id, version) DO NOTHING";
        let mapping = serde_json::to_string(new.mapping).expect("a mapping is plain data");
        let (place, now) = (place(new.table, new.mapping), self.clock.now());
        let remember = vec![
            fresh_id("str").into(),
            new.connection_id.into(),
            new.destination.into(),
            new.object.into(),
            (&place).into(),
            new.table.into(),
            mapping.into(),
            choice_name(new.read).into(),
            now.into(),
        ];
        let author = Actor::Orgtide.text();
        let keep = [new.connection_id.into(), new.destination.into(), (&place).into(), author.into(), now.into()];
        let changes = vec![Change::exactly_one(REMEMBER, remember), Change::new(KEEP, keep)];
        match self.database.commit(changes).await.map_err(DatabaseError::unexpected)? {
            Committed::Done(_) => {}
            Committed::Undone => return Err(StoreError::NameTaken { kind: "table", name: new.table.to_owned() }),
        }
        let at = [new.connection_id.into(), new.destination.into(), place.into()];
        let row = self.database.query_first(AT, at).await?;
        row.map(stream).transpose()?.ok_or_else(|| StoreError::corrupt("a stream vanished while it was remembered"))
    }
}

/// Where rows go within a destination: the table, and which of the streams that fill it.
pub(super) fn place(table: &str, mapping: &Mapping) -> String {
    match &mapping.stream {
        Some(stream) => format!("{table}\n{stream}"),
        None => table.to_owned(),
    }
}

pub(crate) fn choice_name(choice: ReadChoice) -> &'static str {
    match choice {
        ReadChoice::Auto => "auto",
        ReadChoice::Query => "query",
        ReadChoice::Bulk => "bulk",
    }
}

fn choice(name: &str) -> Result<ReadChoice, StoreError> {
    match name {
        "auto" => Ok(ReadChoice::Auto),
        "query" => Ok(ReadChoice::Query),
        "bulk" => Ok(ReadChoice::Bulk),
        other => Err(StoreError::corrupt(format!("a stream is read by {other:?}"))),
    }
}

fn stream(mut row: Row) -> Result<Stream, StoreError> {
    Ok(Stream {
        id: row.text()?,
        connection_id: row.text()?,
        destination: row.text()?,
        object: row.text()?,
        table: row.text()?,
        mapping: row.document()?,
        mapping_version: row.integer()?,
        read: choice(&row.text()?)?,
        checkpoint: row
            .optional_text()?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| StoreError::corrupt(format!("a checkpoint cannot be read: {error}")))?,
        checkpoint_at: row.optional_integer()?.map(Timestamp),
    })
}
