//! What a connection reads, as the permissions that it needs.

use salesforce::OrgUrl;
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
};

use super::App;
use crate::{error::Error, guide::access::Access};

/// What a connection reads.
#[derive(Debug)]
pub struct Mapped {
    pub org: OrgUrl,
    pub access: Access,
    /// What could not be asked, or does not fit what the user sees today.
    pub warnings: Vec<String>,
}

impl App {
    /// What the streams of a connection read, and what further mappings would read.
    ///
    /// The org is asked for its describes. What it does not answer, or does not show to this user yet, is taken from the
    /// mappings as they are written, and said in a warning: the permission set may be what cures it.
    ///
    /// # Errors
    /// When there is no such connection.
    pub async fn mapped_access(&self, connection: &str, further: &[Mapping]) -> Result<Mapped, Error> {
        let (connection, streams, client) = self.speak_for(connection).await?;
        let mut mappings = Vec::new();
        let mut catalogue = Catalogue::default();
        let mut warnings = Vec::new();
        for mapping in streams.iter().map(|stream| &stream.mapping).chain(further) {
            let mut mapping = mapping.clone();
            match Catalogue::load(&client, &mapping).await {
                Ok(loaded) => {
                    spell_out(&mut mapping, &loaded, &mut warnings);
                    catalogue.merge(loaded);
                }
                Err(error) => {
                    let error = Error::api(&connection.name, error);
                    warnings.push(format!("{}: its fields are taken as they are written ({error})", mapping.object));
                }
            }
            mappings.push(mapping);
        }
        Ok(Mapped { org: connection.org, access: Access::of(&mappings, &catalogue), warnings })
    }
}

/// A mapping of all fields gets a column for each that is read today: one that is created later is not read by itself.
fn spell_out(mapping: &mut Mapping, catalogue: &Catalogue, warnings: &mut Vec<String>) {
    match mapping.compile(catalogue) {
        Ok(compiled) if mapping.columns.is_empty() => {
            mapping.columns = compiled.fields.into_iter().map(|field| ColumnMapping::field(field.path)).collect();
        }
        Ok(_) => {}
        Err(problems) => {
            let problems = problems.iter().map(|problem| format!("{}: {problem}", mapping.object));
            warnings.extend(problems.collect::<Vec<_>>());
        }
    }
}
