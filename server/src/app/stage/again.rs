//! Certain records once more: those that were put right in Salesforce, and those that are to be written before the others.

use std::sync::Arc;

use serde::Serialize;
use sync::{
    checkpoint::Epoch,
    reread::{Reread, RereadReport, reread},
    run::{Outcome, Progress},
};
use tokio::sync::watch;

use super::{
    super::import::{
        Watcher, chosen,
        execute::{Errand, OpenRun, failed},
        mirror::{Mirror, stored},
    },
    App, StageProgress, StageTarget,
};
use crate::{
    error::Error,
    store::{
        runs::{Ending, Purpose, Reading, RunState},
        staged::{StagedState, Which},
        streams::Stream,
    },
};

/// What came of reading certain records again.
#[derive(Debug, Serialize)]
pub struct Again {
    pub object: String,
    pub table: String,
    /// Records that are fine now: written, or ready where they are staged.
    pub fine: u64,
    /// Records that still become no row.
    pub rejected: u64,
    /// Records that the org has no more, or that no longer meet the mapping's filter.
    pub gone: u64,
}

/// Where records that are read again go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Into {
    Table,
    Stage,
}

impl App {
    /// Reads rejected records again, writes those that are fine now, and keeps the others: all of a connection or of some
    /// objects, or those of the named Ids.
    ///
    /// # Errors
    /// Nothing is remembered of what is named; a run is under way; whatever stopped it.
    pub async fn retry_rejected(
        &self,
        connection: &str,
        objects: &[String],
        ids: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<Again>, Error> {
        let connection = self.store.connection(connection).await?;
        self.refuse_paused(&connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let calls = self.calls_of_runs(&connection);
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Retry, watcher, stop, give_way: None };
        let mut all = Vec::new();
        for stream in streams {
            let known = self.store.rejected_ids(&stream.id).await?;
            let mut wanted: Vec<String> = known.into_iter().filter(|id| ids.is_empty() || ids.contains(id)).collect();
            wanted.sort_unstable();
            if !wanted.is_empty() {
                all.push(self.read_again(&errand, &stream, &wanted, Into::Table).await?);
            }
        }
        Ok(all)
    }

    /// Reads staged records again and judges them anew: the named ones, or all that cannot be imported.
    ///
    /// # Errors
    /// As [`App::retry_rejected`]; the stream is not staged.
    pub async fn retry_staged(
        &self,
        connection: &str,
        object: &str,
        ids: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Again, Error> {
        let (connection, stream, _) = self.staged_stream(connection, object).await?;
        let ids = self.staged_ids(&stream, ids, &Which::Of(StagedState::Rejected)).await?;
        let calls = self.calls_of_runs(&connection);
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Retry, watcher, stop, give_way: None };
        self.read_again(&errand, &stream, &ids, Into::Stage).await
    }

    /// Writes staged records: the named ones, or the selected ones. They are read anew, as they are in the org now.
    ///
    /// # Errors
    /// As [`App::retry_rejected`]; the stream is not staged.
    pub async fn write_staged(
        &self,
        connection: &str,
        object: &str,
        ids: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Again, Error> {
        let (connection, stream, _) = self.staged_stream(connection, object).await?;
        let ids = self.staged_ids(&stream, ids, &Which::Selected).await?;
        let calls = self.calls_of_runs(&connection);
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Retry, watcher, stop, give_way: None };
        self.read_again(&errand, &stream, &ids, Into::Table).await
    }

    /// The named Ids, or else those of the staged records that are meant.
    async fn staged_ids(&self, stream: &Stream, ids: &[String], which: &Which) -> Result<Vec<String>, Error> {
        if !ids.is_empty() {
            return Ok(ids.to_owned());
        }
        let mut all: Vec<String> = Vec::new();
        loop {
            let after = all.last().cloned().unwrap_or_default();
            let page = self.store.staged(&stream.id, which, &after, super::PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page.into_iter().map(|staged| staged.record_id));
        }
    }

    async fn read_again(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        ids: &[String],
        into: Into,
    ) -> Result<Again, Error> {
        self.refuse_paused(errand.connection).await?;
        let open = self.open_run(errand.connection, stream, errand.purpose).await?;
        let result = match into {
            Into::Table => self.again_into_table(errand, stream, ids, &open).await,
            Into::Stage => self.again_into_stage(errand, stream, ids, &open).await,
        };
        let ending = result.as_ref().map_or_else(failed, ending);
        let settled = match (&result, into) {
            (Ok(report), Into::Table) => [report.written.as_slice(), &report.gone].concat(),
            (Ok(_), Into::Stage) | (Err(_), _) => Vec::new(),
        };
        let closed = self.close_run(open, errand.calls, ending, &settled, false).await;
        let report = result?;
        closed?;
        Ok(Again {
            object: stream.object.clone(),
            table: stream.table.clone(),
            fine: report.written.len() as u64,
            rejected: report.counts.rejected,
            gone: report.gone.len() as u64,
        })
    }

    async fn again_into_table(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        ids: &[String],
        open: &OpenRun,
    ) -> Result<RereadReport, Error> {
        let Errand { connection, calls, watcher, stop, .. } = *errand;
        let mapping = Arc::new(self.fitting(connection, &calls.client, stream, false).await?);
        let progress: Arc<dyn Progress> = Arc::new(Mirror::open(self, stream, open, watcher, &calls.client).await?);
        let settings = self.settings(&stream.destination)?;
        let mut destination = destinations::open(&settings).map_err(Error::destination)?;
        let result = reread(Reread {
            client: calls.client.clone(),
            calls_before: calls.before(),
            mapping,
            ids,
            stream: stream.key(connection, &self.store),
            destination: &mut *destination,
            progress,
            epoch: Epoch(open.lease.epoch),
            stop: stop.clone(),
        })
        .await;
        let closed = destination.close().await;
        let report = result.map_err(|source| Error::Run { object: stream.object.clone(), source: Box::new(source) })?;
        closed.map_err(Error::destination)?;
        if self.store.stage(&stream.id).await?.is_some() {
            self.store.mark_written(&stream.id, &report.written, &open.lease).await?;
        }
        Ok(report)
    }

    async fn again_into_stage(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        ids: &[String],
        open: &OpenRun,
    ) -> Result<RereadReport, Error> {
        let Errand { connection, calls, watcher, stop, .. } = *errand;
        let mapping = Arc::new(self.compiled_by(connection, &calls.client, &stream.mapping).await?);
        let progress: Arc<dyn Progress> = Arc::new(StageProgress::new(self, stream, &open.lease, watcher));
        let mut target = StageTarget::part(&self.store, stream, &open.lease);
        let result = reread(Reread {
            client: calls.client.clone(),
            calls_before: calls.before(),
            mapping,
            ids,
            stream: stream.key(connection, &self.store),
            destination: &mut target,
            progress,
            epoch: Epoch(open.lease.epoch),
            stop: stop.clone(),
        })
        .await;
        let report = result.map_err(|source| Error::Run { object: stream.object.clone(), source: Box::new(source) })?;
        let gone = crate::store::staged::StageStep { gone: &report.gone, ..Default::default() };
        self.store.save_stage(&stream.id, &gone, &open.lease).await?;
        Ok(report)
    }
}

fn ending(report: &RereadReport) -> Ending {
    let state = match report.outcome {
        Outcome::Complete => RunState::Completed,
        Outcome::Stopped => RunState::Stopped,
        Outcome::GaveWay => RunState::GaveWay,
    };
    Ending { state, reading: Reading::default(), counts: stored(report.counts), error: None }
}
