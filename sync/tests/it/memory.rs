//! A destination that keeps its rows in memory and fails where it is told to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray, cast::AsArray, types::*};
use arrow_schema::{DataType, TimeUnit};
use futures_util::future::BoxFuture;
use sync::{
    Timestamp,
    checkpoint::{Checkpoint, Epoch, Position},
    destination::{Destination, DestinationError, Written},
    table::{ColumnType, DeleteMode, Held, StreamKey, TableBatch, TableSchema},
};

/// Rows that are read back at once.
const PAGE: usize = 100;

/// One row: every cell as text, by column name.
pub(crate) type Row = BTreeMap<String, Option<String>>;

/// What has been made durable; survives the destination that wrote it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Durable {
    pub(crate) rows: BTreeMap<String, Row>,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) epoch: Option<Epoch>,
    /// Writes that were made durable.
    pub(crate) writes: u64,
    /// Records taken in all writes; more than there are records when some came twice.
    pub(crate) taken: u64,
}

/// A moment of a write at which the process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Before anything of write number `n` is durable.
    Before(u64),
    /// After write number `n` is durable and before anybody hears of it.
    After(u64),
}

/// Writes to a [`Durable`] shared with the test.
pub(crate) struct MemoryDestination {
    pub(crate) durable: Arc<Mutex<Durable>>,
    pub(crate) crash: Option<Crash>,
    table: Option<TableSchema>,
}

impl MemoryDestination {
    pub(crate) fn new(durable: &Arc<Mutex<Durable>>, crash: Option<Crash>) -> Self {
        Self { durable: Arc::clone(durable), crash, table: None }
    }

    fn died() -> DestinationError {
        DestinationError::Other { place: "memory".into(), reason: "the process died".into() }
    }
}

impl Destination for MemoryDestination {
    fn prepare<'a>(
        &'a mut self,
        _stream: &'a StreamKey,
        table: &'a TableSchema,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>> {
        Box::pin(async move {
            let mut durable = self.durable.lock().unwrap();
            if let Some(current) = durable.epoch.filter(|current| *current > epoch) {
                return Err(DestinationError::Fenced { place: "memory".into(), ours: epoch.0, current: current.0 });
            }
            durable.epoch = Some(epoch);
            self.table = Some(table.clone());
            Ok(durable.checkpoint.clone())
        })
    }

    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>> {
        Box::pin(async move {
            let table = self.table.clone().expect("prepared");
            let mut durable = self.durable.lock().unwrap();
            if let Some(current) = durable.epoch.filter(|current| *current > epoch) {
                return Err(DestinationError::Fenced { place: "memory".into(), ours: epoch.0, current: current.0 });
            }
            let number = durable.writes;
            if self.crash == Some(Crash::Before(number)) {
                return Err(Self::died());
            }
            durable.writes += 1;
            durable.taken += batch.upserts.num_rows() as u64;
            apply(&mut durable.rows, &table, &batch, resume.sweep);
            mark(&mut durable.rows, &batch, resume.sweep);
            patch(&mut durable.rows, &table, &batch);
            let swept = match resume.sweep {
                Some(generation) if resume.at == Position::Complete => {
                    assert!(table.sweeps, "the table is made ready for a sweep");
                    sweep(&mut durable.rows, &table, generation)
                }
                _ => 0,
            };
            durable.checkpoint = Some(resume.clone());
            if self.crash == Some(Crash::After(number)) {
                return Err(Self::died());
            }
            Ok(Written { swept, ..Written::default() })
        })
    }

    fn read<'a>(
        &'a mut self,
        after: Option<&'a str>,
        columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>> {
        Box::pin(async move {
            let table = self.table.as_ref().expect("prepared");
            let durable = self.durable.lock().unwrap();
            let behind = durable.rows.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
            let rows: Vec<&Row> = behind.map(|(_, row)| row).take(PAGE).collect();
            Ok(held(table, columns, &rows))
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        Box::pin(async { Ok(()) })
    }
}

fn apply(rows: &mut BTreeMap<String, Row>, table: &TableSchema, batch: &TableBatch, generation: Option<i64>) {
    let version_of = |row: &Row| table.version.and_then(|index| row[&table.columns[index].name].clone());
    for index in 0..batch.upserts.num_rows() {
        let mut row: Row = table
            .columns
            .iter()
            .zip(batch.upserts.columns())
            .map(|(column, array)| (column.name.clone(), cell(array, index)))
            .collect();
        let id = row[&table.columns[table.id].name].clone().expect("every record has an Id");
        if batch.overrules || rows.get(&id).is_none_or(|old| version_of(&row) >= version_of(old)) {
            row.insert("_deleted".into(), Some("false".into()));
            // A column that is not mapped any more keeps its last value.
            rows.entry(id.clone()).or_default().extend(row);
        }
        if let (Some(generation), Some(row)) = (generation, rows.get_mut(&id)) {
            row.insert("_generation".into(), Some(generation.to_string()));
        }
    }
    for deletion in &batch.deletes {
        let stale = rows
            .get(&deletion.id)
            .is_some_and(|row| deletion.version.is_some_and(|version| Some(version.to_string()) < version_of(row)));
        match table.deletes {
            _ if stale => {}
            DeleteMode::Remove => drop(rows.remove(&deletion.id)),
            DeleteMode::Flag => {
                if let Some(row) = rows.get_mut(&deletion.id) {
                    row.insert("_deleted".into(), Some("true".into()));
                }
            }
        }
    }
}

/// Fills columns of rows that are there and not newer.
fn patch(rows: &mut BTreeMap<String, Row>, table: &TableSchema, batch: &TableBatch) {
    let Some(patch) = &batch.patch else { return };
    let name = |index: usize| table.columns[index].name.as_str();
    for index in 0..patch.rows.num_rows() {
        let cells: Row = patch
            .columns
            .iter()
            .zip(patch.rows.columns())
            .map(|(column, array)| (name(*column).to_owned(), cell(array, index)))
            .collect();
        let id = cells[name(table.id)].clone().expect("every record has an Id");
        let Some(row) = rows.get_mut(&id) else { continue };
        let version = table.version.map(name);
        if version.is_none_or(|version| cells[version] >= row[version]) {
            let is_filled = |column: &String| Some(column.as_str()) != version;
            row.extend(cells.into_iter().filter(|(column, _)| is_filled(column)));
        }
    }
}

/// Deletes the rows that a whole reading did not name.
/// Marks rows that the reading has named and leaves as they are.
fn mark(rows: &mut BTreeMap<String, Row>, batch: &TableBatch, generation: Option<i64>) {
    for key in &batch.named {
        if let (Some(generation), Some(row)) = (generation, rows.get_mut(key)) {
            row.insert("_generation".into(), Some(generation.to_string()));
        }
    }
}

fn sweep(rows: &mut BTreeMap<String, Row>, table: &TableSchema, generation: i64) -> u64 {
    let mark = Some(generation.to_string());
    let is_named = |row: &Row| row.get("_generation").is_some_and(|named| *named == mark);
    let gone: Vec<String> = rows.iter().filter(|(_, row)| !is_named(row)).map(|(id, _)| id.clone()).collect();
    let mut swept = 0;
    for id in gone {
        match table.deletes {
            DeleteMode::Remove => swept += u64::from(rows.remove(&id).is_some()),
            DeleteMode::Flag => {
                let flagged = rows.get_mut(&id).and_then(|row| row.insert("_deleted".into(), Some("true".into())));
                swept += u64::from(flagged != Some(Some("true".into())));
            }
        }
    }
    swept
}

fn held(table: &TableSchema, columns: &[usize], rows: &[&Row]) -> Held {
    let mut spoiled: Vec<usize> = Vec::new();
    let arrays = columns.iter().map(|column| {
        let column = &table.columns[*column];
        let cells: Vec<Option<&str>> = rows.iter().map(|row| row.get(&column.name)?.as_deref()).collect();
        let array = typed(column.kind, &cells);
        spoiled.extend((0..cells.len()).filter(|row| cells[*row].is_some() && array.is_null(*row)));
        array
    });
    let arrays: Vec<ArrayRef> = arrays.collect();
    spoiled.sort_unstable();
    let schema = std::sync::Arc::new(table.arrow_schema().project(columns).unwrap());
    let deleted: Vec<bool> = rows.iter().map(|row| row["_deleted"].as_deref() == Some("true")).collect();
    Held { rows: RecordBatch::try_new(schema, arrays).unwrap(), deleted: deleted.into(), spoiled }
}

/// The reverse of [`cell`]; what is no value of the type is null.
fn typed(kind: ColumnType, cells: &[Option<&str>]) -> ArrayRef {
    fn parsed<T: ArrowPrimitiveType>(cells: &[Option<&str>], kind: ColumnType) -> ArrayRef
    where
        T::Native: std::str::FromStr,
    {
        let values = cells.iter().map(|cell| cell.and_then(|text| text.parse::<T::Native>().ok()));
        Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(kind.data_type()))
    }
    match kind {
        ColumnType::Text | ColumnType::Json => Arc::new(StringArray::from_iter(cells.iter().copied())),
        ColumnType::Boolean => {
            Arc::new(BooleanArray::from_iter(cells.iter().map(|cell| cell.and_then(|text| text.parse::<bool>().ok()))))
        }
        ColumnType::Integer => parsed::<Int64Type>(cells, kind),
        ColumnType::Decimal => parsed::<Decimal128Type>(cells, kind),
        ColumnType::Date => parsed::<Date32Type>(cells, kind),
        ColumnType::Time => parsed::<Time32MillisecondType>(cells, kind),
        ColumnType::Timestamp => {
            let values = cells.iter().map(|cell| cell.and_then(Timestamp::parse).map(|stamp| stamp.0));
            let array = PrimitiveArray::<TimestampMillisecondType>::from_iter(values);
            Arc::new(array.with_data_type(kind.data_type()))
        }
    }
}

/// A cell as text, decimals in full scale.
pub(crate) fn cell(array: &ArrayRef, index: usize) -> Option<String> {
    if array.is_null(index) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(index).to_owned(),
        DataType::Boolean => array.as_boolean().value(index).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(index).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(index).to_string(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(index).to_string(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Timestamp(array.as_primitive::<TimestampMillisecondType>().value(index)).to_string()
        }
        DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().value(index).to_string(),
        other => panic!("no column is of type {other}"),
    })
}
