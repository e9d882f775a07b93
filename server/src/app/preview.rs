//! What a mapping makes of real records, before anything runs.

use serde::Serialize;
use sync::{
    mapping::{CompiledMapping, Mapping, MappingProblem},
    preview::{Looked, Previewed, preview},
    read::ReadError,
    run::RunError,
    table::ColumnType,
};

use super::App;
use crate::error::Error;

/// Records, and what a mapping makes of them.
#[derive(Debug, Serialize)]
pub struct Preview {
    pub object: String,
    pub table: String,
    pub columns: Vec<PreviewedColumn>,
    pub records: Vec<Previewed>,
    /// Ids that were asked for, and that no record has which the mapping would read.
    pub not_found: Vec<String>,
    /// What works, and is probably not what was meant.
    #[serde(skip)]
    pub warnings: Vec<MappingProblem>,
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
    /// Reads a few records and maps them. Writes nothing, and needs no stream.
    ///
    /// # Errors
    /// [`Error::Mapping`] with every problem; what Salesforce, or the way to it, refuses.
    pub async fn preview(&self, connection: &str, mapping: &Mapping, looked: Looked<'_>) -> Result<Preview, Error> {
        let connection = self.store.connection(connection).await?;
        let compiled = self.compiled(&connection, mapping).await?;
        let client = self.client(&connection);
        let records = preview(&client, &compiled, looked).await.map_err(|source| unread(&compiled, source))?;
        let not_found = match looked {
            Looked::First(_) => Vec::new(),
            Looked::Ids(ids) => ids.iter().filter(|id| !records.iter().any(|record| is(record, id))).cloned().collect(),
        };
        Ok(Preview {
            columns: columns(&compiled),
            object: compiled.object,
            table: compiled.table.name,
            records,
            not_found,
            warnings: compiled.warnings,
        })
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
