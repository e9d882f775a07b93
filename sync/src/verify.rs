//! Holding a copy against its source: counts and checksums by month, from fresh reads of both sides, and repair of exactly
//! what differs.
//!
//! No counter of any run is believed. The source is read as an import would read it, and the destination's rows are read
//! back. Where sums differ, the rows of those parts are compared one by one, and each suspect is read from the org once
//! more, by its Id: what is left then is a difference.

mod certificate;
mod digest;
mod suspects;

use std::{collections::HashSet, sync::Arc, time::Duration};

use arrow_array::{RecordBatch, cast::AsArray};
use salesforce::{Client, Recovery, Timestamp, query::Deleted};
use tokio::sync::watch;

pub use self::certificate::{Certificate, Depth, Difference, DifferenceKind, Differences, Month, Repaired, Slice, Sum};
use self::{
    digest::{Digested, Rows, Sums, differing, rows_in, slices},
    suspects::Suspects,
};
use crate::{
    checkpoint::{Checkpoint, Epoch, Position},
    destination::Destination,
    mapping::{CompiledMapping, Mapped},
    read::{IdRange, Listener, Question, ReadMode, ReadOptions, Reader},
    run::{Counts, Progress, RunError},
    table::{Held, StreamKey, TableBatch},
};

/// Of records that have changed since the copy was made, so many are told apart.
const MOST_CHANGED: usize = 500_000;
/// Parts whose sums differ are compared row by row when they hold no more rows than this.
const MOST_ROWS: u64 = 500_000;
/// So many suspects are looked up.
const MOST_SUSPECTS: usize = 20_000;

/// What a comparison needs.
pub struct Verification<'a> {
    pub client: Client,
    /// As in [`Run`](crate::run::Run).
    pub calls_before: u64,
    pub mapping: Arc<CompiledMapping>,
    pub stream: StreamKey,
    pub destination: &'a mut dyn Destination,
    pub progress: Arc<dyn Progress>,
    pub epoch: Epoch,
    pub read: ReadOptions,
    /// As in [`RunOptions`](crate::run::RunOptions): so late a record may show with an older stamp.
    pub overlap: Duration,
    pub depth: Depth,
    /// What differs is put right, and compared again.
    pub repair: bool,
    /// Becomes true when it is to end.
    pub stop: watch::Receiver<bool>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("{object} cannot be verified: {reason}")]
    Unsuited { object: String, reason: String },
    #[error("{object} is not copied whole yet: {reason}")]
    Unfinished { object: String, reason: String },
    #[error("{object}: {differing} rows or more differ, too many to be put right one by one; import it anew")]
    TooDifferent { object: String, differing: u64 },
    #[error("the comparison was stopped")]
    Stopped,
}

impl VerifyError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Run(error) => error.recovery(),
            Self::Unsuited { .. } | Self::Unfinished { .. } | Self::TooDifferent { .. } => Recovery::Configure,
            Self::Stopped => Recovery::Retry { after: None },
        }
    }
}

/// Compares, and repairs when asked to.
///
/// # Errors
/// Whatever stopped it; a repair that was begun is done again by the next one. [`RunError::Outdated`] asks for a mapping
/// that is compiled against a new describe.
pub async fn verify(mut work: Verification<'_>) -> Result<Certificate, VerifyError> {
    work.check_suited()?;
    let checkpoint = work.finished_copy().await?;
    let mut comparison = Comparison { work, checkpoint, counts: Counts::default() };
    let mut compared = comparison.compare().await?;
    if comparison.work.repair && !compared.certificate.is_equal() {
        let repaired = comparison.put_right(&compared).await?;
        compared = comparison.compare().await?;
        compared.certificate.repaired = Some(repaired);
    }
    compared.certificate.api_calls = comparison.calls();
    Ok(compared.certificate)
}

/// A comparison that is under way.
struct Comparison<'a> {
    work: Verification<'a>,
    /// Where the copy stands, which no comparison changes.
    checkpoint: Checkpoint,
    counts: Counts,
}

/// A certificate, and what a repair needs to know beside it.
struct Compared {
    certificate: Certificate,
    suspects: Option<Suspects>,
    differing_rows: u64,
}

/// What one pass over the source made known.
struct Source {
    sums: Sums,
    mode: ReadMode,
    /// Keys of records that have changed since, or that become no row: the copy may have any version of them, or none.
    left_out: HashSet<String>,
    changed_since: u64,
    rejected: u64,
}

impl Verification<'_> {
    fn check_suited(&self) -> Result<(), VerifyError> {
        let reason = if self.mapping.limit.is_some() {
            "its mapping has a limit, so the table is a sample of the object"
        } else if !self.mapping.is_keyed_by_record() {
            "its rows are not the object's records: the mapping has a key of its own"
        } else {
            return Ok(());
        };
        Err(VerifyError::Unsuited { object: self.mapping.object.clone(), reason: reason.to_owned() })
    }

    /// Where the copy stands, when it is whole.
    async fn finished_copy(&mut self) -> Result<Checkpoint, VerifyError> {
        let prepared = self.destination.prepare(&self.stream, &self.mapping.table, self.epoch).await;
        let stored = prepared.map_err(RunError::from)?;
        let unfinished =
            |reason: &str| VerifyError::Unfinished { object: self.mapping.object.clone(), reason: reason.to_owned() };
        let checkpoint = stored.ok_or_else(|| unfinished("nothing was imported"))?;
        if checkpoint.at != Position::Complete || checkpoint.backfill.is_some() {
            return Err(unfinished("its last run stopped before its end"));
        }
        if checkpoint.asked != self.mapping.asked {
            return Err(unfinished("its mapping, or the object's fields, have changed since the last run"));
        }
        Ok(checkpoint)
    }
}

impl Comparison<'_> {
    /// Whatever is stamped up to here is in the copy.
    fn as_of(&self) -> Timestamp {
        self.checkpoint.as_of(self.work.overlap)
    }

    async fn compare(&mut self) -> Result<Compared, VerifyError> {
        let as_of = self.as_of();
        let mapping = match self.work.depth {
            Depth::Content => Arc::clone(&self.work.mapping),
            Depth::Versions => Arc::new(self.work.mapping.stamps()),
        };
        let columns = self.compared_columns();
        let mut source = self.read_source(&mapping, &columns, as_of).await?;
        let mut copy = Sums::default();
        self.read_copy(&columns, |rows, row, is_spoiled| {
            if !source.left_out.contains(rows.key(row)) {
                copy.add(spoilt_if(is_spoiled, rows.digest(row)));
            }
        })
        .await?;
        let cells = differing(&source.sums, &copy);
        let differing_rows = rows_in(&cells, &source.sums, &copy);
        let mut differences = Differences::default();
        let mut suspects = None;
        if differing_rows > MOST_ROWS {
            differences.too_many = true;
        } else if !cells.is_empty() {
            let found = Suspects::find(self, &mapping, &columns, &cells, &source.left_out).await?;
            match found {
                None => differences.too_many = true,
                Some(mut found) => {
                    differences = found.look_up(self, as_of).await?;
                    source.sums.replace(&cells, found.source_rows());
                    copy.replace(&cells, found.copy_rows());
                    suspects = Some(found);
                }
            }
        }
        let certificate = Certificate {
            object: self.work.mapping.object.clone(),
            table: self.work.stream.table.clone(),
            depth: self.work.depth,
            as_of,
            mode: source.mode,
            slices: slices(&source.sums, &copy),
            changed_since: source.changed_since,
            rejected: source.rejected,
            differences,
            repaired: None,
            api_calls: self.calls(),
        };
        Ok(Compared { certificate, suspects, differing_rows })
    }

    /// Writes what is missing or altered, and deletes what is left over.
    async fn put_right(&mut self, compared: &Compared) -> Result<Repaired, VerifyError> {
        let Some(suspects) = &compared.suspects else {
            let (object, differing) = (self.work.mapping.object.clone(), compared.differing_rows);
            return Err(VerifyError::TooDifferent { object, differing });
        };
        for rows in suspects.to_write() {
            let upserts = rows.clone();
            let batch = TableBatch { upserts, overrules: true, ..TableBatch::empty(&self.work.mapping.table) };
            self.work.destination.write(batch, &self.checkpoint, self.work.epoch).await.map_err(RunError::from)?;
        }
        let deletes = suspects.to_delete();
        if !deletes.is_empty() {
            let batch = TableBatch { deletes, ..TableBatch::empty(&self.work.mapping.table) };
            self.work.destination.write(batch, &self.checkpoint, self.work.epoch).await.map_err(RunError::from)?;
        }
        let Differences { missing, extra, altered, .. } = compared.certificate.differences;
        Ok(Repaired { missing, extra, altered })
    }

    /// Indexes of the table's columns that are compared, the key and the stamp among them.
    fn compared_columns(&self) -> Vec<usize> {
        let table = &self.work.mapping.table;
        match self.work.depth {
            Depth::Content => (0..table.columns.len()).collect(),
            Depth::Versions => {
                (0..table.columns.len()).filter(|index| *index == table.id || Some(*index) == table.version).collect()
            }
        }
    }

    async fn read_source(
        &mut self,
        mapping: &Arc<CompiledMapping>,
        columns: &[usize],
        as_of: Timestamp,
    ) -> Result<Source, VerifyError> {
        let mut sums = Sums::default();
        let mut left_out = HashSet::new();
        let (mut changed_since, mut rejected) = (0, 0);
        let object = self.work.mapping.object.clone();
        let mode = self
            .each_source_batch(mapping, columns, None, |rows, mapped| {
                let is_later = |version: Option<Timestamp>| version.is_some_and(|version| version > as_of);
                for row in 0..rows.len() {
                    if is_later(rows.version(row)) {
                        changed_since += u64::from(left_out.insert(rows.key(row).to_owned()));
                    } else {
                        sums.add(rows.digest(row));
                    }
                }
                for deletion in mapped.rows.deletes.iter().filter(|deletion| is_later(deletion.version)) {
                    changed_since += u64::from(left_out.insert(deletion.id.clone()));
                }
                rejected += mapped.rejected.len() as u64;
                left_out.extend(mapped.rejected.iter().map(|row| row.id.clone()));
                match left_out.len() > MOST_CHANGED {
                    true => Err(VerifyError::Unfinished {
                        object: object.clone(),
                        reason: format!("more than {MOST_CHANGED} records have changed since its last run"),
                    }),
                    false => Ok(()),
                }
            })
            .await?;
        Ok(Source { sums, mode, left_out, changed_since, rejected })
    }

    /// Reads the records that are stamped after `from`, deleted ones among them, and hands over what becomes of them.
    async fn each_source_batch(
        &mut self,
        mapping: &Arc<CompiledMapping>,
        columns: &[usize],
        from: Option<Timestamp>,
        mut take: impl FnMut(&mut Rows<'_>, &Mapped) -> Result<(), VerifyError>,
    ) -> Result<ReadMode, VerifyError> {
        let progress = Arc::clone(&self.work.progress);
        let listener: Listener = Arc::new(move |phase| progress.phase(phase));
        let question = Question {
            client: self.work.client.clone(),
            mapping: Arc::clone(mapping),
            from,
            range: IdRange::default(),
            deleted: Deleted::Included,
            deletions: None,
            listener,
        };
        let object = self.work.mapping.object.clone();
        let failed = |error| VerifyError::Run(RunError::read(&object, error));
        let opened = Reader::open(question, &Position::Start, self.work.client.version(), self.work.read).await;
        let mut reader = opened.map_err(failed)?.reader;
        while let Some(piece) = reader.next().await.map_err(failed)? {
            if *self.work.stop.borrow() {
                return Err(VerifyError::Stopped);
            }
            self.counts.wire_bytes += piece.wire_bytes;
            self.counts.api_calls = self.calls();
            let Some(batch) = piece.batch else { continue };
            self.counts.read += batch.records.num_rows() as u64;
            self.work.progress.save(&self.checkpoint, self.counts).await.map_err(RunError::from)?;
            let mapped = mapping.apply(&batch.records);
            let made = match &mapped.rows.patch {
                Some(patch) => picked(&patch.rows, &patch.columns, columns),
                None => mapped.rows.upserts.clone(),
            };
            take(&mut self.rows(&made, columns), &mapped)?;
        }
        Ok(reader.mode())
    }

    /// Reads the rows whose records live, and hands over each; the last argument says that a cell of it holds no value of
    /// its column's type.
    async fn read_copy(
        &mut self,
        columns: &[usize],
        mut take: impl FnMut(&mut Rows<'_>, usize, bool),
    ) -> Result<(), VerifyError> {
        let key = self.key_among(columns);
        let mut after: Option<String> = None;
        loop {
            let read = self.work.destination.read(after.as_deref(), columns).await;
            let Held { rows, deleted, spoiled } = read.map_err(RunError::from)?;
            if *self.work.stop.borrow() {
                return Err(VerifyError::Stopped);
            }
            let Some(last) = rows.num_rows().checked_sub(1) else { return Ok(()) };
            let mut digested = self.rows(&rows, columns);
            for row in (0..rows.num_rows()).filter(|row| !deleted.value(*row)) {
                take(&mut digested, row, spoiled.binary_search(&row).is_ok());
            }
            after = Some(rows.column(key).as_string::<i32>().value(last).to_owned());
        }
    }

    fn rows<'b>(&self, batch: &'b RecordBatch, columns: &[usize]) -> Rows<'b> {
        let table = &self.work.mapping.table;
        let kinds: Vec<_> = columns.iter().map(|index| table.columns[*index].kind).collect();
        let version = table.version.and_then(|version| columns.iter().position(|index| *index == version));
        Rows::new(batch, &kinds, self.key_among(columns), version)
    }

    fn key_among(&self, columns: &[usize]) -> usize {
        let key = columns.iter().position(|index| *index == self.work.mapping.table.id);
        key.expect("the key is among the columns that are compared")
    }

    fn calls(&self) -> u64 {
        self.work.client.usage().calls.saturating_sub(self.work.calls_before)
    }
}

/// A row with a cell that cannot be read is like no record's.
fn spoilt_if(is_spoiled: bool, row: Digested) -> Digested {
    if is_spoiled { Digested { digest: !row.digest, ..row } } else { row }
}

/// The wanted columns of a patch; `there` says which of the table's columns it has.
fn picked(rows: &RecordBatch, there: &[usize], wanted: &[usize]) -> RecordBatch {
    let places: Vec<usize> =
        wanted.iter().filter_map(|wanted| there.iter().position(|index| index == wanted)).collect();
    rows.project(&places).expect("a patch has the columns that it names")
}
