//! Reading certain records again, and writing those that are fine now. Beside the windows of a stream: it moves no
//! checkpoint.

use std::{collections::BTreeSet, sync::Arc};

use arrow_array::{StringArray, cast::AsArray};
use salesforce::Client;
use tokio::sync::watch;

use crate::{
    checkpoint::{Checkpoint, Epoch, Position, Window},
    destination::Destination,
    mapping::{CompiledMapping, RejectedRow},
    read::IdReader,
    run::{Counts, Judged, Outcome, Progress, RunError},
    table::StreamKey,
};

/// What reading again needs.
pub struct Reread<'a> {
    pub client: Client,
    /// As in [`Run`](crate::run::Run).
    pub calls_before: u64,
    pub mapping: Arc<CompiledMapping>,
    /// Ids of records.
    pub ids: &'a [String],
    pub stream: StreamKey,
    pub destination: &'a mut dyn Destination,
    pub progress: Arc<dyn Progress>,
    pub epoch: Epoch,
    /// Becomes true when it is to end after the records at hand.
    pub stop: watch::Receiver<bool>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct RereadReport {
    pub outcome: Outcome,
    pub counts: Counts,
    /// Ids of the records that are rows now.
    pub written: Vec<String>,
    /// Ids that the org has no more, or that no longer meet the mapping's filter.
    pub gone: Vec<String>,
}

/// Reads the records of these Ids, and writes those that become rows.
///
/// The destination's checkpoint stays as it is: what has changed in the org since is read by the next run all the same.
///
/// # Errors
/// Whatever stopped it; rows that were written stay, and doing it again is harmless.
pub async fn reread(work: Reread<'_>) -> Result<RereadReport, RunError> {
    let Reread { client, calls_before, mapping, ids, stream, destination, progress, epoch, stop } = work;
    let stored = destination.prepare(&stream, &mapping.table, epoch).await?;
    let checkpoint = match stored {
        Some(checkpoint) => checkpoint,
        // Nothing was read yet, and the first run begins at the beginning.
        None => {
            let window = Window { from: None, until: client.server_time().await? };
            Checkpoint::new(window, mapping.asked.clone(), client.version(), Position::Start)
        }
    };
    let mut gone: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let mut report =
        RereadReport { outcome: Outcome::Complete, counts: Counts::default(), written: Vec::new(), gone: Vec::new() };
    let mut reader = IdReader::new(&client, &mapping, ids);
    while let Some(batch) = reader.next().await.map_err(|error| RunError::read(&mapping.object, error))? {
        let mut mapped = mapping.apply(&batch.records);
        mapped.misfits.extend(batch.misfits);
        let read: &StringArray = batch.records.column(mapping.record_id).as_string();
        read.iter().flatten().for_each(|id| _ = gone.remove(id));
        progress.keep(Judged { ids: read, rejected: &mapped.rejected, misfits: &mapped.misfits }).await?;
        report.written.extend(fine(read, &mapped.rejected));
        let counts = &mut report.counts;
        counts.read += batch.records.num_rows() as u64;
        counts.rows += mapped.rows.upserts.num_rows() as u64;
        counts.misfits += mapped.misfits.len() as u64;
        counts.rejected += mapped.rejected.len() as u64;
        counts.wire_bytes = reader.wire_bytes;
        destination.write(mapped.rows, &checkpoint, epoch).await?;
        counts.api_calls = client.usage().calls.saturating_sub(calls_before);
        progress.save(&checkpoint, *counts).await?;
        if *stop.borrow() {
            report.outcome = Outcome::Stopped;
            return Ok(report);
        }
    }
    report.counts.api_calls = client.usage().calls.saturating_sub(calls_before);
    report.gone = gone.into_iter().map(str::to_owned).collect();
    Ok(report)
}

/// The Ids that are not among the rejected ones.
fn fine(read: &StringArray, rejected: &[RejectedRow]) -> Vec<String> {
    let is_rejected = |id: &str| rejected.iter().any(|row| row.id == id);
    read.iter().flatten().filter(|id| !is_rejected(id)).map(str::to_owned).collect()
}
