//! What a mapping makes of a few records, before anything runs. Nothing is written, and no checkpoint moves.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, StringArray, cast::AsArray};
use arrow_select::concat::concat_batches;
use salesforce::{Client, query::Deleted};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    batch::{Batch, Misfit},
    checkpoint::Position,
    mapping::{CompiledMapping, Mapped, RowProblem},
    read::{IdRange, IdReader, Phase, Question, ReadChoice, ReadError, ReadOptions, Reader},
    shown,
};

/// Which records are looked at.
#[derive(Debug, Clone, Copy)]
pub enum Looked<'a> {
    /// The first ones that the mapping would read, at most so many.
    First(u64),
    /// Those of these Ids that the mapping would read.
    Ids(&'a [String]),
}

/// A record, and what the mapping makes of it.
#[derive(Debug, Clone, Serialize)]
pub struct Previewed {
    pub record_id: String,
    /// What was read, by path.
    pub record: Map<String, Value>,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The row, in the columns of the table; none when it becomes no row.
    #[serde(skip)]
    pub rows: RecordBatch,
}

/// The rows of these records, in the columns of the table.
pub fn rows<'a>(mapping: &CompiledMapping, records: impl IntoIterator<Item = &'a Previewed>) -> RecordBatch {
    let rows = records.into_iter().map(|record| &record.rows);
    concat_batches(&mapping.table.arrow_schema(), rows).expect("rows of one mapping have the columns of its table")
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// A row.
    Ready {
        /// By column.
        row: Map<String, Value>,
        /// Values that no cell can hold.
        misfits: Vec<Unfit>,
    },
    /// No row.
    Rejected { problems: Vec<RowProblem> },
}

/// A value whose cell is null, because it fits no type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfit {
    pub field: String,
    pub raw: String,
}

/// Reads these records and maps them.
///
/// # Errors
/// What Salesforce, or the way to it, refuses.
pub async fn preview(
    client: &Client,
    mapping: &CompiledMapping,
    looked: Looked<'_>,
) -> Result<Vec<Previewed>, ReadError> {
    let batches = match looked {
        Looked::First(number) => first(client, mapping, number).await?,
        Looked::Ids(ids) => {
            let mut batches = Vec::new();
            let mut reader = IdReader::new(client, mapping, ids);
            while let Some(batch) = reader.next().await? {
                batches.push(batch);
            }
            batches
        }
    };
    let judged = batches.iter().flat_map(|batch| judged(mapping, batch));
    Ok(match looked {
        // Objects that are asked for parent by parent answer with more.
        Looked::First(number) => judged.take(usize::try_from(number).unwrap_or(usize::MAX)).collect(),
        Looked::Ids(_) => judged.collect(),
    })
}

async fn first(client: &Client, mapping: &CompiledMapping, number: u64) -> Result<Vec<Batch>, ReadError> {
    let mut limited = mapping.clone();
    limited.limit = Some(mapping.limit.map_or(number, |limit| limit.min(number)));
    let question = Question {
        client: client.clone(),
        mapping: Arc::new(limited),
        from: None,
        range: IdRange::default(),
        deleted: Deleted::Excluded,
        deletions: None,
        listener: Arc::new(|_: Phase| {}),
    };
    let options = ReadOptions { choice: ReadChoice::Query, ..ReadOptions::default() };
    let mut reader = Reader::open(question, &Position::Start, client.version(), options).await?.reader;
    let mut batches: Vec<Batch> = Vec::new();
    let mut read = 0;
    while read < number {
        let Some(piece) = reader.next().await? else { break };
        read += piece.batch.as_ref().map_or(0, |batch| batch.records.num_rows() as u64);
        batches.extend(piece.batch);
    }
    Ok(batches)
}

/// Each record by itself, so that what is said of it is its own.
fn judged(mapping: &CompiledMapping, batch: &Batch) -> Vec<Previewed> {
    (0..batch.records.num_rows()).map(|row| judge(mapping, &batch.records.slice(row, 1), &batch.misfits)).collect()
}

fn judge(mapping: &CompiledMapping, record: &RecordBatch, unread: &[Misfit]) -> Previewed {
    let Mapped { rows, rejected, misfits } = mapping.apply(record);
    let ids: &StringArray = record.column(mapping.record_id).as_string();
    let record_id = if ids.is_valid(0) { ids.value(0).to_owned() } else { String::new() };
    let verdict = match rejected.into_iter().next() {
        Some(rejected) => Verdict::Rejected { problems: rejected.problems },
        None => {
            let own = unread.iter().filter(|misfit| misfit.id == record_id).cloned().chain(misfits);
            let misfits = own.map(|Misfit { field, raw, .. }| Unfit { field, raw }).collect();
            let is_row = rows.upserts.num_rows() > 0;
            let row = if is_row { shown::row(&mapping.table, &rows.upserts, 0) } else { Map::new() };
            Verdict::Ready { row, misfits }
        }
    };
    let record = serde_json::from_str(&mapping.record(record, 0)).unwrap_or_default();
    Previewed { record_id, record, verdict, rows: rows.upserts }
}
