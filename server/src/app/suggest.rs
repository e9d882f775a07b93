//! Which fields probably belong into which columns.

use destinations::{DeclaredColumn, DestinationSettings};
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
    preview::{Looked, preview},
    suggest::{Draft, Samples, Wanted},
    table::StreamKey,
};

use super::{App, preview::unread};
use crate::{error::Error, store::connections::Connection};

/// So many records are looked at.
const SAMPLED: u64 = 50;

/// What a mapping is to fill.
#[derive(Debug)]
pub enum Targets {
    /// Whatever the object has.
    Anything,
    Columns(Vec<Wanted>),
    /// The columns of a table that is there.
    Table {
        table: String,
        /// As it was given; `None`: a file of the connection's name in the data directory.
        destination: Option<String>,
    },
}

impl App {
    /// Proposes a mapping of an object by what describe says, and what a few records hold. Changes nothing.
    ///
    /// # Errors
    /// There is no such object for this user, or no such table; what Salesforce, or the way to it, refuses.
    pub async fn suggest_mapping(&self, connection: &str, object: &str, targets: &Targets) -> Result<Draft, Error> {
        let connection = self.store.connection(connection).await?;
        let wanted = self.wanted(&connection, targets).await?;
        let plain = Mapping { object: object.to_owned(), ..Mapping::default() };
        let compiled = self.compiled(&connection, &plain).await?;
        let mut catalogue = self.catalogue(&connection, &[&plain], false).await?;
        if !wanted.is_empty() {
            let with_parents = Mapping { columns: parents(&catalogue, object), ..plain };
            catalogue = self.catalogue(&connection, &[&with_parents], false).await?;
        }
        let records = preview(&self.client(&connection), &compiled, Looked::First(SAMPLED)).await;
        let records = records.map_err(|source| unread(&compiled, source))?;
        let samples = Samples::of(records.iter().map(|record| &record.record));
        Draft::new(&catalogue, object, &samples, &wanted).ok_or_else(|| Error::Unreadable {
            what: format!("the description of {object}"),
            reason: "it has just been taken away from this user".to_owned(),
        })
    }

    async fn wanted(&self, connection: &Connection, targets: &Targets) -> Result<Vec<Wanted>, Error> {
        match targets {
            Targets::Anything => Ok(Vec::new()),
            Targets::Columns(wanted) => Ok(wanted.clone()),
            Targets::Table { table, destination } => {
                let settings = self.destination(connection, destination.as_deref())?;
                // Of no object yet.
                columns(&settings, &self.store.stream_key(connection, "", table, None)).await
            }
        }
    }
}

async fn columns(settings: &DestinationSettings, key: &StreamKey) -> Result<Vec<Wanted>, Error> {
    let columns = destinations::columns(settings, key).await.map_err(Error::destination)?;
    if columns.is_empty() {
        let reason = format!("{settings} has none of this name");
        return Err(Error::Unreadable { what: format!("the table {}", key.table), reason });
    }
    let wanted = |column: DeclaredColumn| Wanted { kind: column.kind(), name: column.name };
    // Orgtide's own columns begin so.
    Ok(columns.into_iter().filter(|column| !column.name.starts_with('_')).map(wanted).collect())
}

/// A path to each parent, by which its description is asked for.
fn parents(catalogue: &Catalogue, object: &str) -> Vec<ColumnMapping> {
    let fields = catalogue.object(object).map(|describe| describe.fields.as_slice()).unwrap_or_default();
    let links = fields.iter().filter(|field| field.reference_to.len() == 1);
    links.filter_map(|link| Some(ColumnMapping::field(format!("{}.Id", link.relationship_name.as_ref()?)))).collect()
}
