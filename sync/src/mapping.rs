//! Which fields become which columns.
//!
//! A [`Mapping`] is data that a person writes; [`Mapping::compile`] checks it against the org's describe and names
//! every problem at once, before anything runs.

mod cast;
mod column;
mod compile;
mod currency;
mod differences;
mod expression;
mod make;
mod path;
mod record;
pub(crate) mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use arrow_array::{Array, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray};
use arrow_select::filter::filter_record_batch;
use salesforce::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    batch::{Misfit, ReadField},
    checkpoint::Asked,
    decode::capped,
    matching::Matching,
    table::{DeleteMode, Deletion, Patch, TableBatch, TableSchema},
};

use make::{Make, MakeSource, Trouble, TroubleKind};

pub(crate) use cast::is_possible;
pub use column::{Case, ColumnMapping, Constant, Misfitting, Other, Source, Target};
pub use currency::Currencies;
pub use differences::{Difference, differences};
pub use path::MAX_HOPS;
pub(crate) use path::{column_type, nearest};

/// A stream's mapping, as data; `docs/mapping.md` has an example of each key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub object: String,
    /// The table's name; the object's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// This stream's name among several that fill one table; the table then tells whose a row is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// A SOQL condition, as it would stand after `WHERE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// At most this many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(default)]
    pub deletes: DeleteMode,
    #[serde(default, skip_serializing_if = "Drift::is_default")]
    pub drift: Drift,
    /// What tells the rows apart; the record's own Id when absent. With a path to a parent's Id the rows are the
    /// parents': many records may make one row, and a record that is deleted deletes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Besides `columns`, every other readable field under its own name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rest: bool,
    /// Empty: every readable field under its own name, except compound addresses and locations, whose components are
    /// fields of their own, and base64 bodies, each of which costs a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnMapping>,
    /// Rows that are there already, and that records stand for.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<Matching>,
}

/// What a stream does when the org's fields are others than its mapping was compiled against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Goes on with the fields that are there.
    #[default]
    Apply,
    /// Goes on as before with what is still there, and waits for somebody to accept the rest.
    Ask,
    /// Does not run until somebody has accepted it.
    Stop,
}

impl Drift {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Something in a mapping that the org or the destination cannot serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingProblem {
    /// Where in the mapping: `object`, `columns[2].field`, …
    pub place: String,
    pub message: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for MappingProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)?;
        match &self.suggestion {
            Some(name) => write!(out, " Did you mean {name:?}?"),
            None => Ok(()),
        }
    }
}

/// A mapping that fits the org: what to read, and how it becomes a table.
#[derive(Debug, Clone)]
pub struct CompiledMapping {
    /// As the schema spells it.
    pub object: String,
    /// What is read, each field once, in the order of the SELECT list: what the columns need, then what only the
    /// pipeline does.
    pub fields: Vec<ReadField>,
    pub table: TableSchema,
    pub filter: Option<String>,
    pub limit: Option<u64>,
    /// Index of the record's own Id in `fields`.
    pub record_id: usize,
    /// Index of the stamp in `fields` that moves with every change; `None`: the object has none that can be filtered,
    /// and is read whole each time.
    pub cursor: Option<usize>,
    /// Index of the parent's stamp in `fields`, where the rows are the parents: what has changed is what either stamp
    /// says.
    pub parent_cursor: Option<usize>,
    /// Index of `IsDeleted` in `fields`.
    deleted: Option<usize>,
    /// How each column of the table is made.
    makes: Vec<Make>,
    /// The columns of the table that a patch consists of; `None`: whole rows are made.
    patch: Option<Vec<usize>>,
    /// The org keeps a log of this object's deletions, which getDeleted reads.
    pub replicateable: bool,
    /// False when a field is read that Bulk refuses.
    pub bulk_readable: bool,
    pub asked: Asked,
    /// Names of columns whose values change without moving the record's stamp.
    pub volatile: BTreeSet<String>,
    /// What works, and is probably not what was meant.
    pub warnings: Vec<MappingProblem>,
}

/// Rows as they are to be written, and what of the records cannot be.
#[derive(Debug)]
pub struct Mapped {
    pub rows: TableBatch,
    pub rejected: Vec<RejectedRow>,
    /// Values that a conversion could not take; their cells are null.
    pub misfits: Vec<Misfit>,
}

/// A record that becomes no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The record's Id.
    pub id: String,
    pub problems: Vec<RowProblem>,
    /// What was read of it, as a JSON object.
    pub record: String,
}

/// Why a record becomes no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowProblem {
    pub column: String,
    pub message: String,
}

impl Mapping {
    /// Every path to a field that this mapping reads by name, as it is written.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let mut paths = Vec::new();
        for column in &self.columns {
            match &column.source {
                Source::Field(path) => paths.push(path.clone()),
                Source::Compute(text) => {
                    // An expression that cannot be read is named when the mapping is compiled.
                    let names = expression::parse(text).map(|term| term.names()).unwrap_or_default();
                    paths.extend(names.into_iter().map(|(name, _)| name));
                }
                Source::Value(_) => {}
            }
            if let (Some(path), Some(_)) = (column.path(), &column.currency) {
                paths.push(compile::currency_path(path));
            }
        }
        if let Some(key) = &self.key {
            paths.extend([key.clone()].into_iter().chain(parent_of(key)));
        }
        paths.into_iter()
    }

    /// Whether amounts are converted, for which the org's rates are needed.
    pub fn converts_currencies(&self) -> bool {
        self.columns.iter().any(|column| column.currency.is_some())
    }
}

/// `Owner.Id` of `OwnerId`, `Lead__r.Id` of `Lead__c`: the parent that a key of references leads to.
fn parent_of(reference: &str) -> Option<String> {
    let custom = reference.strip_suffix("__c").map(|name| format!("{name}__r.Id"));
    custom.or_else(|| {
        reference
            .strip_suffix("Id")
            .filter(|name| !name.is_empty() && !name.ends_with('.'))
            .map(|name| format!("{name}.Id"))
    })
}

impl CompiledMapping {
    /// Turns records into rows: the columns in table order, and the deletions among them.
    ///
    /// A deleted record is a deletion and no row, so that what a table holds does not depend on when it was read: one
    /// that was never read alive leaves nothing. Every other record is a row or a rejected one.
    ///
    /// A mapping of [`Self::only`] some columns makes a patch instead, of deleted records too.
    pub fn apply(&self, records: &RecordBatch) -> Mapped {
        let every: Vec<usize>;
        let columns = match &self.patch {
            Some(columns) => columns,
            None => {
                every = (0..self.makes.len()).collect();
                &every
            }
        };
        let mut arrays = Vec::with_capacity(columns.len());
        let mut trouble = Vec::new();
        for column in columns {
            let (array, found) = self.makes[*column].make(records);
            arrays.push(array);
            trouble.extend(found.into_iter().map(|found| (*column, found)));
        }
        let schema = self.table.arrow_schema().project(columns).expect("indexes of the table's columns");
        let rows = RecordBatch::try_new(Arc::new(schema), arrays).expect("each column is made in its type");
        self.sorted_out(records, columns, rows, trouble)
    }

    /// This mapping, reading only what these columns need, and making a patch of them. `None` when the table has none
    /// of these columns.
    pub fn only(&self, columns: &BTreeSet<String>) -> Option<Self> {
        self.reading(columns, false)
    }

    fn reading(&self, columns: &BTreeSet<String>, deletions: bool) -> Option<Self> {
        let deleted = self.deleted.filter(|_| deletions);
        let indexes = || 0..self.table.columns.len();
        let is_named = |index: &usize| columns.contains(&self.table.columns[*index].name);
        if !indexes().any(|index| is_named(&index)) {
            return None;
        }
        let is_stamp = |index: &usize| *index == self.table.id || Some(*index) == self.table.version;
        let made: Vec<usize> = indexes().filter(|index| is_named(index) || is_stamp(index)).collect();
        let needed: BTreeSet<usize> = made
            .iter()
            .flat_map(|column| self.makes[*column].reads())
            .chain([self.record_id])
            .chain(self.cursor)
            .chain(self.parent_cursor)
            .chain(deleted)
            .collect();
        let place = |field: usize| needed.iter().position(|needed| *needed == field);
        Some(Self {
            fields: needed.iter().map(|field| self.fields[*field].clone()).collect(),
            record_id: place(self.record_id)?,
            cursor: self.cursor.and_then(place),
            parent_cursor: self.parent_cursor.and_then(place),
            deleted: deleted.and_then(place),
            makes: self.makes.iter().map(|make| make.moved(&place)).collect(),
            patch: Some(made),
            ..self.clone()
        })
    }

    /// This mapping, reading no more than what tells which rows there are and of which version: the key, the stamp, whether
    /// a record is deleted, and what may have it rejected. It makes patches, and names deletions.
    pub fn stamps(&self) -> Self {
        let rejecting = (0..self.makes.len()).filter(|column| self.makes[*column].may_reject());
        let columns = rejecting.chain([self.table.id]).map(|column| self.table.columns[column].name.clone()).collect();
        self.reading(&columns, true).expect("the key is one of the columns")
    }

    /// Takes the records that are deleted or rejected out of the rows.
    fn sorted_out(
        &self,
        records: &RecordBatch,
        columns: &[usize],
        made: RecordBatch,
        trouble: Vec<(usize, Trouble)>,
    ) -> Mapped {
        let deleted = self.deleted.map(|index| records.column(index).as_boolean());
        let is_deleted = |row: usize| deleted.is_some_and(|flags| flags.is_valid(row) && flags.value(row));
        let deletes = deleted.map_or_else(Vec::new, |flags| self.deletions(records, flags));
        let key = columns.iter().position(|column| *column == self.table.id).map(|place| made.column(place).clone());
        let mut problems: BTreeMap<usize, Vec<RowProblem>> = BTreeMap::new();
        let mut misfits = Vec::new();
        for (column, Trouble { row, kind }) in trouble.into_iter().filter(|(_, trouble)| !is_deleted(trouble.row)) {
            match kind {
                TroubleKind::Misfit(raw) => misfits.push((row, column, raw)),
                TroubleKind::Reject(message) => {
                    let column = self.table.columns[column].name.clone();
                    problems.entry(row).or_default().push(RowProblem { column, message });
                }
            }
        }
        for row in
            key.iter().filter(|key| key.null_count() > 0).flat_map(|key| (0..key.len()).filter(|row| key.is_null(*row)))
        {
            let column = self.table.columns[self.table.id].name.clone();
            let message = "The record has nothing that tells its row apart.".to_owned();
            problems.entry(row).or_default().push(RowProblem { column, message });
        }
        misfits.retain(|(row, ..)| !problems.contains_key(row));
        let misfits = misfits.into_iter().map(|(row, column, raw)| Misfit {
            id: self.id_of(records, row),
            field: self.source_of(column),
            raw: capped(raw.as_bytes()),
        });
        let misfits = misfits.collect();
        let rows = if deletes.is_empty() && problems.is_empty() {
            made
        } else {
            let is_row = |row: &usize| !is_deleted(*row) && !problems.contains_key(row);
            let kept = BooleanArray::from_iter((0..made.num_rows()).map(|row| Some(is_row(&row))));
            filter_record_batch(&made, &kept).expect("one flag per record")
        };
        let keys = key.as_ref().map(|key| key.as_string::<i32>());
        let named = keys.map_or_else(Vec::new, |keys| {
            problems.keys().filter(|row| keys.is_valid(**row)).map(|row| keys.value(*row).to_owned()).collect()
        });
        let rejected = problems.into_iter().map(|(row, problems)| RejectedRow {
            id: self.id_of(records, row),
            problems,
            record: self.record(records, row),
        });
        let rejected = rejected.collect();
        let rows = match &self.patch {
            None => TableBatch { upserts: rows, deletes, named, ..TableBatch::empty(&self.table) },
            Some(columns) => {
                let patch = Some(Patch { columns: columns.clone(), rows });
                TableBatch { patch, deletes, ..TableBatch::empty(&self.table) }
            }
        };
        Mapped { rows, rejected, misfits }
    }

    fn id_of(&self, records: &RecordBatch, row: usize) -> String {
        let ids: &StringArray = records.column(self.record_id).as_string();
        if ids.is_valid(row) { ids.value(row).to_owned() } else { String::new() }
    }

    /// The paths of the fields that a column is made of; none: it is the same in every row.
    pub fn sources(&self, column: usize) -> Vec<&str> {
        self.makes[column].reads().into_iter().map(|field| self.fields[field].path.as_str()).collect()
    }

    /// What was read of a record, as a JSON object by path. Numbers keep all their digits.
    pub(crate) fn record(&self, records: &RecordBatch, row: usize) -> String {
        record::json(&self.fields, records, row)
    }

    /// What a column is made of: a field's path, or the column's own name.
    fn source_of(&self, column: usize) -> String {
        match self.makes[column].source {
            MakeSource::Field(field) => self.fields[field].path.clone(),
            MakeSource::Constant(_) | MakeSource::Computed(_) => self.table.columns[column].name.clone(),
        }
    }

    /// True when the rows' key is the record's Id, by which the org names what is deleted.
    pub fn is_keyed_by_record(&self) -> bool {
        self.makes[self.table.id].as_field() == Some(self.record_id)
    }

    /// What tells of a record whether it is there: its Id and, where the object has them, the deletion flag and the stamp.
    pub(crate) fn state_fields(&self) -> Vec<&str> {
        let indexes = [Some(self.record_id), self.deleted, self.cursor];
        indexes.into_iter().flatten().map(|index| self.fields[index].path.as_str()).collect()
    }

    fn deletions(&self, records: &RecordBatch, flags: &BooleanArray) -> Vec<Deletion> {
        if flags.true_count() == 0 {
            return Vec::new();
        }
        let ids: &StringArray = records.column(self.record_id).as_string();
        let versions: Option<&TimestampMillisecondArray> =
            self.cursor.map(|index| records.column(index).as_primitive());
        let version = |row| versions.filter(|stamps| stamps.is_valid(row)).map(|stamps| Timestamp(stamps.value(row)));
        flags
            .iter()
            .enumerate()
            .filter(|(_, flag)| *flag == Some(true))
            .map(|(row, _)| Deletion { id: ids.value(row).to_owned(), version: version(row) })
            .collect()
    }
}

#[cfg(test)]
mod tests;
