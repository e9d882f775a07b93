//! Looking for rows whose records are gone though nobody has said so: deleted for good longer ago than the org remembers,
//! or hidden from the user that reads.
//!
//! The copy's keys are walked in ranges; of each the org is asked for the Ids alone, and what only one side has is looked up
//! once more. The place is committed with what was found, so that a run goes on where another one ended, and a range is the
//! most that is read twice. A range in which very much seems gone is left alone: that may be a permission that was lost.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use arrow_array::{Array, BooleanArray, RecordBatch, StringArray, cast::AsArray};
use arrow_select::filter::filter_record_batch;
use salesforce::{Timestamp, ids::is_record_id, query::Deleted};

use super::{IdSweepReport, Judged, Outcome, Report, Run, RunError, Sweep, writing::asked_to_stop};
use crate::{
    checkpoint::{Checkpoint, IdSweep, Position, Swept},
    idle::is_idle,
    mapping::CompiledMapping,
    read::{IdRange, IdReader, Question, Reader},
    strategy,
    table::{Deletion, Held, TableBatch},
};

/// So few are believed to be gone whatever their share of a range is, and so many never.
const BELIEVED: std::ops::RangeInclusive<usize> = 100..=20_000;

/// A part of the copy.
struct Range {
    ids: IdRange,
    /// Keys of the rows whose records live, as far as the copy knows.
    keys: HashSet<String>,
    /// The last key, from which the next range goes on; `None`: there is no further row.
    end: Option<String>,
}

/// What the org does not have of a range, and the copy has not.
struct Difference {
    only_here: BTreeSet<String>,
    only_there: BTreeSet<String>,
}

/// Why Ids cannot tell which rows are gone, or need not.
fn is_suited(mapping: &CompiledMapping) -> bool {
    let object = &mapping.object;
    let is_sliced = strategy::slices(object, mapping.filter.as_deref()).is_some();
    let is_read_whole = mapping.cursor.is_none();
    let is_sample = mapping.limit.is_some();
    mapping.is_keyed_by_record() && strategy::is_ordered(object) && !is_sliced && !is_read_whole && !is_sample
}

impl Run<'_> {
    /// Goes on with a sweep, or begins one that is due, while the org has calls to spare and nobody waits.
    pub(super) async fn sweep_ids(&mut self, report: &mut Report, checkpoint: Checkpoint) -> Result<(), RunError> {
        let Some(sweep) = self.options.sweep.filter(|_| is_suited(&self.mapping)) else { return Ok(()) };
        let mut checkpoint = with_sweep(checkpoint, sweep);
        let begun = self.client.timer().instant();
        let mut is_first = true;
        while let Some(under_way) = checkpoint.id_sweep.clone() {
            let is_over = self.client.timer().instant().saturating_duration_since(begun) >= sweep.turn && !is_first;
            let others_wait = self.give_way.as_ref().is_some_and(|others_wait| *others_wait.borrow());
            if is_over || others_wait || !is_idle(&self.client, sweep.below_percent) {
                return Ok(());
            }
            let mut stop = self.stop.clone();
            tokio::select! {
                biased;
                () = asked_to_stop(&mut stop) => {
                    report.outcome = Outcome::Stopped;
                    return Ok(());
                }
                swept = self.sweep_range(report, &mut checkpoint, *under_way, sweep.range_rows) => swept?,
            }
            is_first = false;
        }
        Ok(())
    }

    /// Holds one range against the org, and commits what was found together with the place behind it.
    async fn sweep_range(
        &mut self,
        report: &mut Report,
        checkpoint: &mut Checkpoint,
        under_way: IdSweep,
        range_rows: usize,
    ) -> Result<(), RunError> {
        let range = self.range_after(under_way.after, range_rows).await?;
        let mut found = under_way.found;
        let rows = range.keys.len();
        found.rows += rows as u64;
        let Difference { mut only_here, mut only_there } = self.difference(report, &range).await?;
        let most = (rows / 2).clamp(*BELIEVED.start(), *BELIEVED.end());
        for seemingly in [&mut only_here, &mut only_there] {
            if seemingly.len() > most {
                found.left += seemingly.len() as u64;
                seemingly.clear();
            }
        }
        found.missing += self.write_missing(report, checkpoint, only_there).await?;
        let deletes = self.gone(only_here).await?;
        found.gone += deletes.len() as u64;
        match range.end {
            Some(end) => checkpoint.id_sweep = Some(Box::new(IdSweep { after: Some(end), found })),
            None => (checkpoint.id_sweep, checkpoint.swept) = (None, Some(found)),
        }
        report.swept = Some(IdSweepReport { found, is_whole: checkpoint.id_sweep.is_none() });
        report.counts.deletes += deletes.len() as u64;
        let batch = TableBatch { deletes, ..TableBatch::empty(&self.mapping.table) };
        self.commit(report, checkpoint, batch).await
    }

    /// The rows behind a key. Those that somebody else has put there, under keys that are no Ids, are passed over.
    async fn range_after(&mut self, after: Option<String>, range_rows: usize) -> Result<Range, RunError> {
        let mut ids = IdRange { after, up_to: None };
        let (mut keys, mut place) = (HashSet::new(), ids.after.clone());
        loop {
            let Held { rows, deleted, .. } = self.destination.read(place.as_deref(), &[self.mapping.table.id]).await?;
            let read: &StringArray = rows.column(0).as_string();
            let Some(last) = read.len().checked_sub(1) else {
                ids.up_to = None;
                return Ok(Range { ids, keys, end: None });
            };
            for row in 0..read.len() {
                let key = read.value(row);
                if !is_record_id(key) {
                    continue;
                }
                ids.up_to = Some(key.to_owned());
                if !deleted.value(row) {
                    keys.insert(key.to_owned());
                }
            }
            place = Some(read.value(last).to_owned());
            if keys.len() >= range_rows {
                return Ok(Range { end: ids.up_to.clone(), ids, keys });
            }
        }
    }

    /// Reads the Ids that the org has in a range, of living records that become rows.
    async fn difference(&mut self, report: &mut Report, range: &Range) -> Result<Difference, RunError> {
        let mapping = Arc::new(self.mapping.stamps());
        let question = Question {
            range: range.ids.clone(),
            // Archived records are shown by nothing else; deleted ones are told from them.
            deleted: Deleted::Included,
            ..self.question_of(&mapping)
        };
        let failed = |error| RunError::read(&mapping.object, error);
        let opened = Reader::open(question, &Position::Start, self.client.version(), self.options.read).await;
        let mut reader = opened.map_err(failed)?.reader;
        let mut only_here: HashSet<&str> = range.keys.iter().map(String::as_str).collect();
        let mut only_there = BTreeSet::new();
        while let Some(piece) = reader.next().await.map_err(failed)? {
            report.counts.wire_bytes += piece.wire_bytes;
            let Some(batch) = piece.batch else { continue };
            report.counts.read += batch.records.num_rows() as u64;
            let mapped = mapping.apply(&batch.records);
            // The copy may have any version of a record that becomes no row now, or none.
            mapped.rejected.iter().for_each(|rejected| _ = only_here.remove(rejected.id.as_str()));
            let Some(patch) = mapped.rows.patch else { continue };
            let place = patch.columns.iter().position(|column| *column == mapping.table.id);
            let ids: &StringArray = patch.rows.column(place.expect("a patch has the key")).as_string();
            for id in ids.iter().flatten().filter(|id| !only_here.remove(*id) && !range.keys.contains(*id)) {
                only_there.insert(id.to_owned());
            }
        }
        Ok(Difference { only_here: only_here.into_iter().map(str::to_owned).collect(), only_there })
    }

    /// Those that the org does not name when it is asked for them once more.
    async fn gone(&mut self, seemingly: BTreeSet<String>) -> Result<Vec<Deletion>, RunError> {
        let ids: Vec<String> = seemingly.iter().cloned().collect();
        let mut gone = seemingly;
        let mapping = self.mapping.stamps();
        let mut reader = IdReader::new(&self.client, &mapping, &ids);
        while let Some(batch) = reader.next().await.map_err(|error| RunError::read(&mapping.object, error))? {
            let deleted: HashSet<String> =
                mapping.apply(&batch.records).rows.deletes.into_iter().map(|deletion| deletion.id).collect();
            let read: &StringArray = batch.records.column(mapping.record_id).as_string();
            read.iter().flatten().filter(|id| !deleted.contains(*id)).for_each(|id| _ = gone.remove(id));
        }
        Ok(gone.into_iter().map(|id| Deletion { id, version: None }).collect())
    }

    /// Reads the records that have no row, and writes those that should have had one; how many these are. What was made
    /// since is read by the next window.
    async fn write_missing(
        &mut self,
        report: &mut Report,
        checkpoint: &Checkpoint,
        seemingly: BTreeSet<String>,
    ) -> Result<u64, RunError> {
        let as_of = checkpoint.as_of(self.options.overlap);
        let ids: Vec<String> = seemingly.into_iter().collect();
        let (client, mapping) = (self.client.clone(), Arc::clone(&self.mapping));
        let mut reader = IdReader::new(&client, &mapping, &ids);
        let mut missing = 0;
        while let Some(batch) = reader.next().await.map_err(|error| RunError::read(&mapping.object, error))? {
            let mut mapped = mapping.apply(&batch.records);
            mapped.misfits.extend(batch.misfits);
            let upserts = of_old(&mapping, &mapped.rows.upserts, as_of);
            let keys: &StringArray = upserts.column(mapping.table.id).as_string();
            self.progress.keep(Judged { ids: keys, rejected: &[], misfits: &mapped.misfits }).await?;
            missing += upserts.num_rows() as u64;
            report.counts.rows += upserts.num_rows() as u64;
            let batch = TableBatch { upserts, ..TableBatch::empty(&mapping.table) };
            self.commit(report, checkpoint, batch).await?;
        }
        Ok(missing)
    }

    async fn commit(
        &mut self,
        report: &mut Report,
        checkpoint: &Checkpoint,
        batch: TableBatch,
    ) -> Result<(), RunError> {
        let written = self.destination.write(batch, checkpoint, self.epoch).await?;
        report.counts.add(written);
        report.counts.api_calls = self.client.usage().calls.saturating_sub(self.calls_before);
        self.progress.save(checkpoint, report.counts).await?;
        Ok(())
    }
}

/// The checkpoint with the sweep that is under way, or with one that begins, if it is due.
fn with_sweep(checkpoint: Checkpoint, sweep: Sweep) -> Checkpoint {
    let now = checkpoint.window.until;
    let age = |swept: Swept| u128::try_from(now.0.saturating_sub(swept.as_of.0)).unwrap_or(0);
    let is_due = checkpoint.swept.is_none_or(|swept| age(swept) >= sweep.every.as_millis());
    if checkpoint.id_sweep.is_some() || !is_due {
        return checkpoint;
    }
    let begun = IdSweep { after: None, found: Swept::beginning(now) };
    Checkpoint { id_sweep: Some(Box::new(begun)), ..checkpoint }
}

/// The rows whose records were not stamped after `as_of`.
fn of_old(mapping: &CompiledMapping, rows: &RecordBatch, as_of: Timestamp) -> RecordBatch {
    let Some(version) = mapping.table.version else { return rows.clone() };
    let stamps = rows.column(version).as_primitive::<arrow_array::types::TimestampMillisecondType>();
    let is_old: BooleanArray = stamps.iter().map(|stamp| Some(stamp.is_none_or(|stamp| stamp <= as_of.0))).collect();
    filter_record_batch(rows, &is_old).expect("one flag a row")
}
