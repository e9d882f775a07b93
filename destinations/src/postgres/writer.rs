//! Batches into the table: one transaction each.

use std::cmp::Ordering;

use arrow_array::{Array, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray};
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt, future::try_join};
use sync::{
    checkpoint::{Checkpoint, Epoch, Position},
    destination::{DestinationError, Written},
    table::{Deletion, Held, Patch, StreamKey, TableBatch, TableSchema},
};
use tokio_postgres::{
    Transaction,
    types::{ToSql, Type},
};

use super::{
    checkpoints,
    copy::Cells,
    fault::Fault,
    matcher::Matcher,
    schema::{Readiness, Target, make_ready},
    session::{Session, Work},
    statements::Statements,
};
use crate::held::{BATCH_ROWS, Cell, HeldBuilder};

/// A stream whose table is ready.
pub(super) struct Stream {
    key: StreamKey,
    table: TableSchema,
    target: Target,
    ready: Readiness,
    /// Rows of this connection were there before the run, so that arriving ones are likely to be there already.
    has_rows: bool,
    matcher: Option<Matcher>,
}

impl Stream {
    /// A batch was committed.
    pub(super) fn committed(&mut self) {
        self.matcher.iter_mut().for_each(Matcher::committed);
    }

    /// The parameter that statements have where the table tells streams apart.
    fn name(&self) -> Option<&(dyn ToSql + Sync)> {
        self.ready.own.stream.then_some(&self.key.stream as &(dyn ToSql + Sync))
    }

    fn misshapen(&self) -> Fault {
        let reason = "a batch arrived whose columns are not those of the table".to_owned();
        DestinationError::Other { place: self.target.place.clone(), reason }.into()
    }
}

/// Makes the table ready and records the epoch; returns the stream with the stored checkpoint.
pub(super) async fn prepare(
    session: &mut Session,
    target: Target,
    key: &StreamKey,
    table: &TableSchema,
    epoch: Epoch,
) -> Result<(Stream, Option<Checkpoint>), Fault> {
    session.forget_statements();
    let work = session.transaction().await?;
    let transaction = &work.transaction;
    let ready = make_ready(transaction, &target, table).await?;
    match &ready.lost {
        None => checkpoints::forget(transaction, &target).await?,
        Some(lost) => checkpoints::revise(transaction, &target, lost).await?,
    }
    let (checkpoint, has_rows) =
        try_join(checkpoints::claim(transaction, &target, key, epoch), has_rows(transaction, &target, key)).await?;
    let matcher = Matcher::prepare(transaction, &target, key, table, ready.own).await?;
    work.commit().await?;
    Ok((Stream { key: key.clone(), table: table.clone(), target, ready, has_rows, matcher }, checkpoint))
}

async fn has_rows(transaction: &Transaction<'_>, target: &Target, key: &StreamKey) -> Result<bool, Fault> {
    let query = format!("SELECT EXISTS (SELECT FROM {} WHERE _connection = $1)", target.quoted());
    Ok(transaction.query_typed_one(&query, &[(&key.connection, Type::TEXT)]).await?.try_get(0)?)
}

/// Writes a batch with its checkpoint, or nothing.
pub(super) async fn write(
    session: &mut Session,
    stream: &Stream,
    batch: &TableBatch,
    resume: &Checkpoint,
    epoch: Epoch,
) -> Result<Written, Fault> {
    let Stream { key, target, table, ready, .. } = stream;
    let text = serde_json::to_string(resume)
        .map_err(|error| DestinationError::Other { place: target.place.clone(), reason: error.to_string() })?;
    let statements = Statements::new(target, table, ready);
    let mut work = session.transaction().await?;
    checkpoints::save(&work.transaction, target, key, epoch, &text).await?;
    if resume.sweep.is_some() && !table.sweeps {
        let reason = "a reading that sweeps writes to a table that was not prepared for it".to_owned();
        return Err(DestinationError::Other { place: target.place.clone(), reason }.into());
    }
    let generation = resume.sweep;
    upsert(&mut work, stream, &statements, (&batch.upserts, batch.overrules), generation).await?;
    if let Some(generation) = generation.filter(|_| !batch.named.is_empty()) {
        mark(&mut work, stream, &statements, &batch.named, generation).await?;
    }
    if let Some(patch) = &batch.patch {
        apply_patch(&mut work, stream, &statements, patch, batch.upserts.num_rows() > 0).await?;
    }
    delete(&mut work, stream, &statements, &batch.deletes).await?;
    let mut written = Written::default();
    if let Some(generation) = generation.filter(|_| resume.at == Position::Complete) {
        let sweep = work.prepared(statements.sweep()).await?;
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&key.connection, &generation];
        parameters.extend(stream.name());
        written.swept = work.transaction.execute(&sweep, &parameters).await?;
    }
    if let Some(matcher) = &stream.matcher {
        let place = (target, key, table);
        let matched = matcher.after(&work.transaction, place, batch, written.swept > 0, resume.window.until).await?;
        written = Written { swept: written.swept, ..matched };
    }
    work.commit().await?;
    Ok(written)
}

/// Writes rows into a table that has none, as [`write()`] would; without a checkpoint, and without matching.
pub(super) async fn write_anew(
    work: &mut Work<'_>,
    target: &Target,
    (key, table): (&StreamKey, &TableSchema),
    ready: Readiness,
    rows: &RecordBatch,
) -> Result<(), Fault> {
    let (key, table, target) = (key.clone(), table.clone(), target.clone());
    let stream = Stream { key, table, target, ready, has_rows: false, matcher: None };
    let statements = Statements::new(&stream.target, &stream.table, &stream.ready);
    work.transaction.batch_execute(&statements.stage()).await?;
    upsert(work, &stream, &statements, (rows, false), None).await
}

/// Rows of the prepared stream, as [`Destination::read`] says.
///
/// [`Destination::read`]: sync::destination::Destination::read
pub(super) async fn read(
    session: &mut Session,
    stream: &Stream,
    after: Option<&str>,
    columns: &[usize],
) -> Result<Held, Fault> {
    let sql = Statements::new(&stream.target, &stream.table, &stream.ready).read(columns, BATCH_ROWS);
    let mut work = session.transaction().await?;
    let statement = work.prepared(sql).await?;
    let after = after.unwrap_or_default();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&stream.key.connection, &after];
    parameters.extend(stream.name());
    let mut rows = std::pin::pin!(work.transaction.query_raw(&statement, parameters).await?);
    let mut held = HeldBuilder::new(&stream.table, columns);
    while let Some(row) = rows.try_next().await? {
        held.row(row.try_get(0)?, |index, push| {
            let text: Option<&str> = row.try_get(index + 1)?;
            push(text.map_or(Cell::Null, |text| Cell::Text(text.as_bytes())));
            Ok::<(), tokio_postgres::Error>(())
        })?;
        if held.is_full() {
            break;
        }
    }
    Ok(held.finish())
}

async fn upsert(
    work: &mut Work<'_>,
    stream: &Stream,
    statements: &Statements<'_>,
    (rows, overrules): (&RecordBatch, bool),
    generation: Option<i64>,
) -> Result<(), Fault> {
    if rows.num_rows() == 0 {
        return Ok(());
    }
    let table = &stream.table;
    let columns: Vec<usize> = (0..table.columns.len()).collect();
    let staged = stage(work, stream, statements, &columns, rows).await?;
    let merge = work.prepared(statements.merge(stream.has_rows, generation.is_some(), overrules)).await?;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&stream.key.connection];
    parameters.extend(stream.name());
    parameters.extend(generation.as_ref().map(|generation| generation as &(dyn ToSql + Sync)));
    let merged = work.transaction.execute(&merge, &parameters).await?;
    if let Some(generation) = generation.filter(|_| merged < staged) {
        let mark = work.prepared(statements.mark()).await?;
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&stream.key.connection, &generation];
        parameters.extend(stream.name());
        work.transaction.execute(&mark, &parameters).await?;
    }
    Ok(())
}

/// Marks rows that the reading has named and leaves as they are.
async fn mark(
    work: &mut Work<'_>,
    stream: &Stream,
    statements: &Statements<'_>,
    keys: &[String],
    generation: i64,
) -> Result<(), Fault> {
    let mark = work.prepared(statements.mark_named()).await?;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&stream.key.connection, &generation, &keys];
    parameters.extend(stream.name());
    work.transaction.execute(&mark, &parameters).await?;
    Ok(())
}

async fn apply_patch(
    work: &mut Work<'_>,
    stream: &Stream,
    statements: &Statements<'_>,
    patch: &Patch,
    is_staging_used: bool,
) -> Result<(), Fault> {
    let table = &stream.table;
    let has = |wanted: usize| patch.columns.contains(&wanted);
    let is_known = patch.columns.iter().all(|index| *index < table.columns.len());
    if !is_known || !has(table.id) || !table.version.is_none_or(has) {
        return Err(stream.misshapen());
    }
    let Some(sql) = statements.patch(&patch.columns).filter(|_| patch.rows.num_rows() > 0) else { return Ok(()) };
    if is_staging_used {
        work.transaction.batch_execute(&Statements::empty_staging()).await?;
    }
    stage(work, stream, statements, &patch.columns, &patch.rows).await?;
    let patch = work.prepared(sql).await?;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&stream.key.connection];
    parameters.extend(stream.name());
    work.transaction.execute(&patch, &parameters).await?;
    Ok(())
}

async fn delete(
    work: &mut Work<'_>,
    stream: &Stream,
    statements: &Statements<'_>,
    deletes: &[Deletion],
) -> Result<(), Fault> {
    if deletes.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = deletes.iter().map(|deletion| deletion.id.as_str()).collect();
    let versions: Vec<Option<String>> =
        deletes.iter().map(|deletion| deletion.version.map(|version| version.to_string())).collect();
    let delete = work.prepared(statements.delete()).await?;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&stream.key.connection, &ids, &versions];
    parameters.extend(stream.name());
    work.transaction.execute(&delete, &parameters).await?;
    Ok(())
}

/// Copies rows of these columns into the staging table, each id once; returns how many.
async fn stage(
    work: &mut Work<'_>,
    stream: &Stream,
    statements: &Statements<'_>,
    columns: &[usize],
    rows: &RecordBatch,
) -> Result<u64, Fault> {
    let table = &stream.table;
    let kinds: Option<Vec<_>> = columns.iter().map(|index| Some(table.columns.get(*index)?.kind)).collect();
    let cells = kinds.and_then(|kinds| Cells::new(rows, kinds.into_iter()));
    let ids = columns.iter().position(|index| *index == table.id);
    let ids = ids.and_then(|index| rows.columns().get(index)?.as_string_opt::<i32>());
    let (Some(cells), Some(ids)) = (cells, ids) else {
        return Err(stream.misshapen());
    };
    let versions = columns.iter().position(|index| Some(*index) == table.version);
    let versions = versions.and_then(|index| rows.column(index).as_primitive_opt());
    if cells.has_nul() {
        let table = stream.target.name();
        tracing::warn!(table, "a text has a NUL, which PostgreSQL cannot hold; U+FFFD stands in its place");
    }
    let order = last_of_each(ids, versions);
    work.stage(statements.stage()).await?;
    let copy = work.prepared(Statements::copy(columns.iter().copied())).await?;
    let mut sink = std::pin::pin!(work.transaction.copy_in::<_, Bytes>(&copy).await?);
    for piece in cells.stream(&order) {
        sink.send(piece).await?;
    }
    Ok(sink.finish().await?)
}

/// The rows in the order of their ids, each id once. One statement cannot touch a row twice; of several rows of one id
/// that one counts which would be left if they were written one after the other.
fn last_of_each(ids: &StringArray, versions: Option<&TimestampMillisecondArray>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    if (1..ids.len()).any(|row| ids.value(row - 1) > ids.value(row)) {
        order.sort_by_key(|row| ids.value(*row));
    }
    let is_older = |later: usize, earlier: usize| {
        versions.is_some_and(|versions| {
            !versions.is_null(later)
                && !versions.is_null(earlier)
                && versions.value(later).cmp(&versions.value(earlier)) == Ordering::Less
        })
    };
    order.dedup_by(|later, kept| {
        let is_same = ids.value(*later) == ids.value(*kept);
        if is_same && !is_older(*later, *kept) {
            *kept = *later;
        }
        is_same
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rows_with_one_id_the_last_stays_unless_it_is_older() {
        let ids = StringArray::from(vec!["b", "a", "b", "c", "a", "a"]);
        assert_eq!(last_of_each(&ids, None), [5, 2, 3]);
        let versions = TimestampMillisecondArray::from(vec![Some(1), Some(2), Some(1), Some(1), Some(1), None]);
        assert_eq!(last_of_each(&ids, Some(&versions)), [5, 2, 3]);
        let versions = TimestampMillisecondArray::from(vec![Some(1), Some(2), Some(0), Some(1), Some(1), Some(1)]);
        assert_eq!(last_of_each(&ids, Some(&versions)), [1, 0, 3]);
        assert_eq!(last_of_each(&StringArray::from(vec!["1", "2"]), None), [0, 1]);
    }
}
