//! A proposal as a whole mapping.

use serde::Serialize;

use super::{Samples, Suggestion, Wanted, for_columns, tidy};
use crate::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping},
};

/// A mapping that is proposed.
#[derive(Debug, Clone, Serialize)]
pub struct Draft {
    /// How many records were looked at.
    pub sampled: usize,
    pub mapping: Mapping,
    /// For each wanted column; none when no columns were given.
    pub suggestions: Vec<Suggestion>,
    /// Fields without a column, because they are empty in the records that were looked at.
    pub left_out: Vec<String>,
}

impl Draft {
    /// Proposes a mapping of an object: for these columns, or a tidy one of all its fields. `None`: the catalogue does not
    /// have the object.
    pub fn new(catalogue: &Catalogue, object: &str, samples: &Samples, wanted: &[Wanted]) -> Option<Self> {
        let describe = catalogue.object(object)?;
        let suggestions = for_columns(catalogue, describe, samples, wanted);
        let (columns, left_out) = match wanted {
            [] => tidy(describe, samples),
            _ => (suggestions.iter().filter_map(Suggestion::column).collect(), Vec::new()),
        };
        let mapping = Mapping { object: describe.name.clone(), columns, ..Mapping::default() };
        Some(Self { sampled: samples.records(), mapping, suggestions, left_out })
    }
}

impl Suggestion {
    /// The column as a mapping has it.
    pub fn column(&self) -> Option<ColumnMapping> {
        let proposal = self.proposed.as_ref()?;
        Some(ColumnMapping {
            column: Some(self.column.clone()),
            target: proposal.target,
            ..ColumnMapping::field(&proposal.field)
        })
    }
}
