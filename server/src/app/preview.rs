//! What a mapping makes of real records, before anything runs.

use destinations::{
    DestinationSettings,
    matching::{self, Foreseen},
};
use serde::Serialize;
use sync::{
    mapping::{CompiledMapping, Mapping, MappingProblem},
    matching::{Matching, Unmatched},
    preview::{self, Looked, Previewed, Verdict},
    read::ReadError,
    run::RunError,
    table::{ColumnType, StreamKey},
};

use super::App;
use crate::{
    error::Error,
    store::{connections::Connection, streams::Stream},
};

/// Records, and what a mapping makes of them.
#[derive(Debug, Serialize)]
pub struct Preview {
    pub object: String,
    pub table: String,
    pub columns: Vec<PreviewedColumn>,
    /// `None`: the mapping matches nothing.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matched_with: Option<MatchedWith>,
    pub records: Vec<PreviewedRecord>,
    /// Ids that were asked for, and that no record has which the mapping would read.
    pub not_found: Vec<String>,
    /// What works, and is probably not what was meant.
    #[serde(skip)]
    pub warnings: Vec<MappingProblem>,
}

/// The vendor's table in which the records are looked up.
#[derive(Debug, Serialize)]
pub struct MatchedWith {
    pub table: String,
    pub destination: String,
    /// What becomes of records that no row is found for.
    pub unmatched: Unmatched,
    /// Why it is not known what the records stand for.
    #[serde(skip)]
    pub error: Option<Error>,
}

/// A record, what the mapping makes of it, and which row of the vendor's it would stand for.
#[derive(Debug, Serialize)]
pub struct PreviewedRecord {
    #[serde(flatten)]
    pub previewed: Previewed,
    /// `None`: it becomes no row, the mapping matches nothing, or it is not known.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub foreseen: Option<Foreseen>,
}

/// A column, and what it is made of.
#[derive(Debug, Serialize)]
pub struct PreviewedColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Paths of fields; none: it is the same in every row.
    pub from: Vec<String>,
}

impl App {
    /// Reads a few records, maps them, and looks up which rows of the vendor's they would stand for: in the destination that
    /// is given, else in that of the table's stream, else in a file of the connection's name in the data directory. Writes
    /// nothing, and needs no stream.
    ///
    /// # Errors
    /// [`Error::Mapping`] with every problem; what Salesforce, or the way to it, refuses; a destination that there cannot be.
    /// What keeps the lookup from being made stands in [`MatchedWith`].
    pub async fn preview(
        &self,
        connection: &str,
        mapping: &Mapping,
        looked: Looked<'_>,
        destination: Option<&str>,
    ) -> Result<Preview, Error> {
        let connection = self.store.connection(connection).await?;
        let compiled = self.compiled(&connection, mapping).await?;
        let place = self.place(&connection, &compiled, destination).await?;
        let client = self.client(&connection);
        let records = preview::preview(&client, &compiled, looked).await.map_err(|source| unread(&compiled, source))?;
        let not_found = match looked {
            Looked::First(_) => Vec::new(),
            Looked::Ids(ids) => ids.iter().filter(|id| !records.iter().any(|record| is(record, id))).cloned().collect(),
        };
        let (matched_with, records) = match &compiled.table.matching {
            Some(matching) => foresee(&compiled, matching, &place, records).await,
            None => (None, records.into_iter().map(|record| with_match(&compiled, record, &[])).collect()),
        };
        Ok(Preview {
            columns: columns(&compiled),
            object: compiled.object,
            table: compiled.table.name,
            matched_with,
            records,
            not_found,
            warnings: compiled.warnings,
        })
    }

    /// Where a mapping's table is, or would be made.
    async fn place(
        &self,
        connection: &Connection,
        mapping: &CompiledMapping,
        given: Option<&str>,
    ) -> Result<Place, Error> {
        let streams = self.store.streams(&connection.id).await?;
        let table = &mapping.table;
        let fills = |stream: &&Stream| stream.table == table.name && stream.mapping.stream == table.stream;
        let given = given.or_else(|| streams.iter().find(fills).map(|stream| stream.destination.as_str()));
        let key = self.store.stream_key(connection, &mapping.object, &table.name, table.stream.as_deref());
        Ok(Place { settings: self.destination(connection, given)?, key })
    }

    /// The mapping of the stream of that object or table; where there is none, the one that takes every field.
    ///
    /// # Errors
    /// There is no such connection.
    pub async fn mapping_of_object(&self, connection: &str, object: &str) -> Result<Mapping, Error> {
        let connection = self.store.connection(connection).await?;
        match self.stream_named(&connection, object).await {
            Ok(stream) => Ok(stream.mapping),
            Err(Error::NoStreams { .. } | Error::UnknownStream { .. }) => {
                Ok(Mapping { object: object.to_owned(), ..Mapping::default() })
            }
            Err(error) => Err(error),
        }
    }
}

/// Where a table is.
struct Place {
    settings: DestinationSettings,
    key: StreamKey,
}

/// Looks up which rows of the vendor's the records would stand for; what prevents it is told beside them.
async fn foresee(
    mapping: &CompiledMapping,
    matching: &Matching,
    place: &Place,
    records: Vec<Previewed>,
) -> (Option<MatchedWith>, Vec<PreviewedRecord>) {
    let rows = preview::rows(mapping, &records);
    let (foreseen, error) = match matching::foresee(&place.settings, &mapping.table, &place.key, &rows).await {
        Ok(foreseen) => (foreseen, None),
        Err(error) => (Vec::new(), Some(Error::Match(error))),
    };
    let matched_with = MatchedWith {
        table: matching.table.clone(),
        destination: place.settings.to_string(),
        unmatched: matching.unmatched,
        error,
    };
    let records = records.into_iter().map(|record| with_match(mapping, record, &foreseen)).collect();
    (Some(matched_with), records)
}

fn with_match(mapping: &CompiledMapping, previewed: Previewed, foreseen: &[Foreseen]) -> PreviewedRecord {
    let key = match &previewed.verdict {
        Verdict::Ready { row, .. } => row.get(&mapping.table.columns[mapping.table.id].name),
        Verdict::Rejected { .. } => None,
    };
    let key = key.and_then(|key| key.as_str());
    let foreseen = foreseen.iter().find(|foreseen| Some(foreseen.record.as_str()) == key).cloned();
    PreviewedRecord { previewed, foreseen }
}

pub(super) fn unread(mapping: &CompiledMapping, source: ReadError) -> Error {
    Error::Run { object: mapping.object.clone(), source: Box::new(RunError::Read(source)) }
}

fn columns(mapping: &CompiledMapping) -> Vec<PreviewedColumn> {
    let columns = mapping.table.columns.iter().enumerate();
    let column = columns.map(|(index, column)| PreviewedColumn {
        name: column.name.clone(),
        kind: column.kind,
        from: mapping.sources(index).into_iter().map(str::to_owned).collect(),
    });
    column.collect()
}

/// People name records by 15 signs or by 18, of which the last three repeat what the others say.
fn is(record: &Previewed, id: &str) -> bool {
    let short = |id: &str| id.get(..15).unwrap_or(id).to_owned();
    short(&record.record_id) == short(id)
}
