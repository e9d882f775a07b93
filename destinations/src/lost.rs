//! What a table turned out to lack although a checkpoint says that it was written: somebody has altered it by hand.

use sync::{
    checkpoint::{Asked, Checkpoint},
    table::TableSchema,
};

/// Columns that a table lacked, and that are empty in the rows that were there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Names of mapped columns. Those whose values may have been cut by a narrower type are among them.
    pub(crate) columns: Vec<String>,
    /// The version is among them: rows cannot be told to be older than what is read for them.
    pub(crate) version: bool,
    /// Rows do not say any more which stream they are of.
    pub(crate) stream: bool,
    /// Rows do not say any more that the reading which is under way has named them.
    pub(crate) generation: bool,
}

impl Lost {
    /// The table has everything that it is to have.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// A column has been given another type, in which its values are what the former one had left of them.
    pub(crate) fn retyped(&mut self, table: &TableSchema, column: usize) {
        if column != table.id {
            self.columns.push(table.columns[column].name.clone());
            self.version |= table.version == Some(column);
        }
    }

    /// The checkpoint as it holds for the table as it is: a mapped column that it counts as filled is forgotten, so that
    /// the next run fills it alone; where rows have lost more than that, everything is read anew. `None`: it holds as it is.
    pub(crate) fn revise(&self, checkpoint: &Checkpoint, is_named: bool) -> Option<Checkpoint> {
        let counts_as_filled = |column: &&String| checkpoint.asked.columns.contains_key(*column);
        let is_in_a_sweep = checkpoint.sweep.is_some();
        let anew = (self.version && self.columns.iter().any(|column| counts_as_filled(&column)))
            || (self.stream && is_named)
            || (self.generation && is_in_a_sweep);
        let mut revised = checkpoint.clone();
        if anew {
            revised.asked = Asked::default();
            revised.backfill = None;
        }
        revised.asked.columns.retain(|column, _| !self.columns.contains(column));
        if revised.backfill.as_ref().is_some_and(|fill| fill.columns.iter().any(|name| self.columns.contains(name))) {
            revised.backfill = None;
        }
        (revised != *checkpoint).then_some(revised)
    }
}
