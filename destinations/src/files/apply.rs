//! What one write makes of rows that are there: row groups in the order of their keys go in and come out, column by
//! column. The rules are those of [`sync::destination::Destination`].

mod arrival;
mod version;

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, cast::AsArray,
    new_empty_array, new_null_array,
};
use arrow_select::interleave::interleave;

pub(super) use self::arrival::{Change, Ending, Event};
use self::{arrival::Op, version::Version};
use super::shape::{DELETED, GENERATION, STREAM};

/// Rows as they are, with the columns that decide what becomes of them.
struct Held<'a> {
    keys: &'a StringArray,
    version: Option<&'a ArrayRef>,
    marks: Marks<'a>,
}

/// The columns of ours, as far as there are such.
struct Marks<'a> {
    deleted: Option<&'a BooleanArray>,
    stream: Option<&'a StringArray>,
    generation: Option<&'a Int64Array>,
}

impl<'a> Marks<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        Self {
            deleted: batch.column_by_name(DELETED).map(AsArray::as_boolean),
            stream: batch.column_by_name(STREAM).map(AsArray::as_string),
            generation: batch.column_by_name(GENERATION).map(AsArray::as_primitive),
        }
    }

    fn stream(&self, row: usize) -> Option<&'a str> {
        self.stream.filter(|names| !names.is_null(row)).map(|names| names.value(row))
    }

    fn generation(&self, row: usize) -> Option<i64> {
        self.generation.filter(|marks| !marks.is_null(row)).map(|marks| marks.value(row))
    }

    fn deleted(&self, row: usize) -> bool {
        self.deleted.is_some_and(|flags| flags.value(row))
    }
}

/// A row on its way: where its cells come from, and what is marked on it.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    /// The row that arrives; `None`: what is held.
    upsert: Option<usize>,
    held: Option<usize>,
    patch: Option<usize>,
    /// The deletion whose version the row has taken.
    moved: Option<usize>,
    deleted: bool,
    stream: Option<&'a str>,
    generation: Option<i64>,
}

/// What came of a row group.
pub(super) struct Applied {
    pub(super) rows: RecordBatch,
    /// Rows that the end of a whole reading has deleted.
    pub(super) ended: u64,
}

/// The arrays that a column is put together from, by their place.
const HELD: usize = 0;
const UPSERT: usize = 1;
const PATCH: usize = 2;
const DELETION: usize = 3;
const NOTHING: usize = 4;

impl Change {
    /// The rows of a row group, or of none, after these events, which are in the order of their keys.
    pub(super) fn apply(&self, group: Option<&RecordBatch>, events: &[Event]) -> Applied {
        if group.is_none()
            && self.ending.is_none()
            && let Some(rows) = self.as_they_arrive(events)
        {
            return Applied { rows, ended: 0 };
        }
        let held = group.map(|group| Held {
            keys: group.column(1 + self.key).as_string(),
            version: self.version.map(|version| group.column(1 + version)),
            marks: Marks::of(group),
        });
        let held_rows = held.as_ref().map_or(0, |held| held.keys.len());
        let mut rows = Vec::with_capacity(held_rows + events.len());
        let (mut at, mut next, mut ended) = (0, 0, 0);
        loop {
            let held_key = held.as_ref().filter(|_| at < held_rows).map(|held| held.keys.value(at));
            let event_key = events.get(next).map(|event| self.key_of(event));
            let Some(key) = [held_key, event_key].into_iter().flatten().min() else { break };
            let mut row = None;
            if let Some(held) = held.as_ref().filter(|_| held_key == Some(key)) {
                row = Some(Row::held(held, at));
                at += 1;
            }
            while let Some(event) = events.get(next).filter(|event| self.key_of(event) == key) {
                row = self.step(held.as_ref(), row, event);
                next += 1;
            }
            if let Some(mut row) = row {
                let (stays, counts) = self.end(&mut row);
                ended += u64::from(counts);
                if stays {
                    rows.push(row);
                }
            }
        }
        Applied { rows: self.gather(group, &rows), ended }
    }

    /// Whether the end of a reading does anything to these rows, of which only the columns of ours are needed.
    pub(super) fn ends_any(&self, group: &RecordBatch) -> bool {
        let marks = Marks::of(group);
        (0..group.num_rows()).any(|at| self.end(&mut Row::marked(&marks, at)).1)
    }

    fn step<'a>(&'a self, held: Option<&Held<'_>>, row: Option<Row<'a>>, event: &Event) -> Option<Row<'a>> {
        let at = event.row;
        let Some(mut row) = row else {
            let ours = self.stream.as_deref();
            let made = Row {
                upsert: Some(at),
                held: None,
                patch: None,
                moved: None,
                deleted: false,
                stream: ours,
                generation: self.sweep,
            };
            return (event.op == Op::Upsert).then_some(made);
        };
        let current = || self.version_of(held, &row);
        match event.op {
            Op::Upsert if self.overrules || self.is_newer(self.upsert_version(at), current()) => {
                let generation = self.sweep.or(row.generation);
                let stream = self.stream.as_deref();
                let upsert = Some(at);
                row = Row { upsert, patch: None, moved: None, deleted: false, stream, generation, ..row };
            }
            Op::Upsert | Op::Named => {
                if self.sweep.is_some() && self.is_ours(&row) {
                    row.generation = self.sweep;
                }
            }
            Op::Patch if self.is_ours_or_nobodys(&row) && self.is_newer(self.patch_version(at), current()) => {
                row.patch = Some(at);
            }
            Op::Delete if self.is_ours_or_nobodys(&row) && self.is_newer(self.deletion_version(at), current()) => {
                if self.removes {
                    return None;
                }
                row.deleted = true;
                if self.deletion_version(at).is_some() {
                    row.moved = Some(at);
                }
            }
            Op::Patch | Op::Delete => {}
        }
        Some(row)
    }

    /// Whether the row stays when the reading ends, and whether it counts as deleted by that.
    fn end(&self, row: &mut Row<'_>) -> (bool, bool) {
        match self.ending {
            Some(Ending::Everything) if self.is_ours(row) => (false, true),
            Some(Ending::Sweep(generation)) if self.is_ours(row) && row.generation != Some(generation) => {
                if self.removes {
                    return (false, true);
                }
                let was_there = !row.deleted;
                row.deleted = true;
                (true, was_there)
            }
            _ => (true, false),
        }
    }

    fn is_ours(&self, row: &Row<'_>) -> bool {
        !self.shape.stream || row.stream == self.stream.as_deref()
    }

    /// A row that was written before streams had names is anybody's.
    fn is_ours_or_nobodys(&self, row: &Row<'_>) -> bool {
        self.is_ours(row) || row.stream.is_none()
    }

    /// The guard against older versions. A version that is missing on either side decides nothing.
    fn is_newer(&self, arriving: Option<Version<'_>>, current: Option<Version<'_>>) -> bool {
        match (arriving, current) {
            (Some(arriving), Some(current)) => arriving >= current,
            _ => true,
        }
    }

    fn version_of<'v>(&'v self, held: Option<&Held<'v>>, row: &Row<'_>) -> Option<Version<'v>> {
        match (row.moved, row.upsert, row.held) {
            (Some(deletion), _, _) => self.deletion_version(deletion),
            (None, Some(upsert), _) => self.upsert_version(upsert),
            (None, None, Some(at)) => Version::at(held?.version?, at),
            (None, None, None) => None,
        }
    }

    /// The rows, column by column.
    fn gather(&self, group: Option<&RecordBatch>, rows: &[Row<'_>]) -> RecordBatch {
        let places = |place: &dyn Fn(&Row<'_>) -> (usize, usize)| rows.iter().map(place).collect::<Vec<_>>();
        let mapped = |row: &Row<'_>| match (row.upsert, row.held) {
            (Some(at), _) => (UPSERT, at),
            (None, Some(at)) => (HELD, at),
            (None, None) => (NOTHING, 0),
        };
        let of_mapped = places(&mapped);
        let of_others = places(&|row| row.held.map_or((NOTHING, 0), |at| (HELD, at)));
        let of_patched = places(&|row| row.patch.map_or_else(|| mapped(row), |at| (PATCH, at)));
        let of_version = places(&|row| row.moved.map_or_else(|| mapped(row), |at| (DELETION, at)));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        columns.push(self.connection_column(rows.len()));
        for (index, column) in self.shape.columns.iter().enumerate() {
            let kind = column.kind.data_type();
            let empty = new_empty_array(&kind);
            let nothing = new_null_array(&kind, 1);
            let held = group.map_or(&empty, |group| group.column(1 + index));
            let upserts = self.upserts[index].as_ref().unwrap_or(&empty);
            let patch = self.patched(index);
            let deletions = self.deletion_versions.as_ref().filter(|_| self.version == Some(index)).unwrap_or(&empty);
            let arrays = [held, upserts, patch.unwrap_or(&empty), deletions, &nothing].map(|array| &**array);
            let places = match (self.upserts[index].is_some(), patch.is_some(), self.version == Some(index)) {
                (_, true, _) => &of_patched,
                (_, _, true) => &of_version,
                (true, ..) => &of_mapped,
                (false, ..) => &of_others,
            };
            columns.push(interleave(&arrays, places).expect("the arrays of a column have its type"));
        }
        self.add_marks(rows, &mut columns);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).expect("the columns are the schema's")
    }

    fn add_marks(&self, rows: &[Row<'_>], columns: &mut Vec<ArrayRef>) {
        if self.shape.deleted {
            columns.push(Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.deleted)))));
        }
        if self.shape.stream {
            columns.push(Arc::new(StringArray::from_iter(rows.iter().map(|row| row.stream))));
        }
        if self.shape.generation {
            columns.push(Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.generation))));
        }
    }
}

impl<'a> Row<'a> {
    fn held(held: &Held<'a>, at: usize) -> Self {
        Self { held: Some(at), ..Self::marked(&held.marks, at) }
    }

    fn marked(marks: &Marks<'a>, at: usize) -> Self {
        Self {
            upsert: None,
            held: None,
            patch: None,
            moved: None,
            deleted: marks.deleted(at),
            stream: marks.stream(at),
            generation: marks.generation(at),
        }
    }
}
