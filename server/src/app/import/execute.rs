//! One run of one stream, whoever asks for it.

use std::sync::Arc;

use salesforce::Client;
use sync::{
    checkpoint::Epoch,
    destination::Destination,
    mapping::CompiledMapping,
    read::ReadOptions,
    run::{self, Outcome, Report, RunError, RunOptions},
};
use tokio::sync::watch;

use super::{
    App, RunEvent, StreamOutcome, Watcher,
    heartbeat::{Heartbeat, LEASE_TERM},
    mirror::{Mirror, stored},
};
use crate::{
    error::Error,
    store::{
        connections::Connection,
        lease::Lease,
        runs::{Ending, Purpose, Reading, RunFault, RunState},
        streams::Stream,
    },
};

/// So often a run goes on with fresh describes when the org's fields change under it.
const SCHEMA_ATTEMPTS: u32 = 3;

/// A stream that is to be run.
pub(super) struct Order {
    pub(super) stream: Stream,
    /// `None`: still to be described and compiled, under the lease.
    pub(super) mapping: Option<Arc<CompiledMapping>>,
}

/// What the runs of one command share.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) connection: &'a Connection,
    pub(super) client: &'a Client,
    pub(super) purpose: Purpose,
    pub(super) watcher: &'a Arc<dyn Watcher>,
    pub(super) stop: &'a watch::Receiver<bool>,
}

impl App {
    /// Brings one remembered stream up to date, under its lease and with a record of its run.
    ///
    /// # Errors
    /// There is no such stream, or its connection is paused. Whatever happens to the run stands in its outcome; one that
    /// another process does already is [`StoreError::Leased`](crate::store::StoreError::Leased) there.
    pub async fn run_stream(
        &self,
        stream_id: &str,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<StreamOutcome, Error> {
        let stream = self.store.stream(stream_id).await?;
        let connection = self.store.connection_of_id(&stream.connection_id).await?;
        self.refuse_paused(&connection).await?;
        let client = self.client(&connection);
        let errand = Errand { connection: &connection, client: &client, purpose: Purpose::Sync, watcher, stop };
        Ok(self.carry_out(&errand, Order { stream, mapping: None }).await)
    }

    /// Runs one stream to its end, and tells the watcher how that was.
    pub(super) async fn carry_out(&self, errand: &Errand<'_>, order: Order) -> StreamOutcome {
        let stream = order.stream.clone();
        let started_at = self.clock.now();
        let result = self.run_alone(errand, order).await;
        let outcome = StreamOutcome { stream, result, started_at, ended_at: self.clock.now() };
        errand.watcher.event(RunEvent::Ended { outcome: &outcome });
        outcome
    }

    /// Takes the stream's lease for one run.
    async fn run_alone(&self, errand: &Errand<'_>, order: Order) -> Result<Report, Error> {
        let lease = self.store.acquire_lease(&order.stream.lease_name(), &self.holder, LEASE_TERM).await?;
        let heartbeat = Heartbeat::start(Arc::clone(&self.store), Arc::clone(&self.config.http.timer), lease.clone());
        let result = self.run_recorded(&lease, errand, order).await;
        drop(heartbeat);
        // A lease that cannot be given back lapses.
        let _ = self.store.release_lease(&lease).await;
        result
    }

    /// Runs, with a record in the store from the first question on.
    async fn run_recorded(&self, lease: &Lease, errand: &Errand<'_>, order: Order) -> Result<Report, Error> {
        errand.watcher.event(RunEvent::Started { stream: &order.stream });
        let record = self.store.begin_run(&order.stream, errand.purpose, &self.holder, lease).await?;
        let progress = Mirror::open(self, &order.stream, &record, lease, errand.watcher, errand.client).await?;
        let progress = Arc::new(progress);
        let is_limited = order.stream.mapping.limit.is_some();
        let result = self.run_under(lease, errand, order, &progress).await;
        let settled = progress.settled(!is_limited && result.as_ref().is_ok_and(has_read_everything));
        let ended = self.store.end_run(&record, &ending(&result, &progress), &settled, lease).await;
        // The run's own error says more than the one of its record.
        match (result, ended) {
            (Ok(_), Err(error)) => Err(error.into()),
            (result, _) => result,
        }
    }

    async fn run_under(
        &self,
        lease: &Lease,
        errand: &Errand<'_>,
        order: Order,
        progress: &Arc<Mirror>,
    ) -> Result<Report, Error> {
        let Order { stream, mapping } = order;
        if mapping.is_some() {
            // Whoever imports anew agrees to what the org has now.
            self.agree_to_everything(errand.connection, &stream).await?;
        }
        let mut mapping = self.fitting(errand.connection, &stream, false).await?;
        let settings = stream.destination.parse().map_err(Error::destination)?;
        let mut destination = destinations::open(&settings).map_err(Error::destination)?;
        let mut result = self.run_once(lease, errand, &stream, mapping.clone(), &mut *destination, progress).await;
        for _ in 0..SCHEMA_ATTEMPTS {
            let is_outdated =
                matches!(&result, Err(Error::Run { source, .. }) if matches!(**source, RunError::Outdated { .. }));
            if !is_outdated {
                break;
            }
            // A field has gone since the describe: what is there still is read, from where the run stopped.
            let fresh = self.fitting(errand.connection, &stream, true).await?;
            if fresh.fields == mapping.fields && fresh.asked == mapping.asked {
                break;
            }
            mapping = fresh;
            result = self.run_once(lease, errand, &stream, mapping.clone(), &mut *destination, progress).await;
        }
        match (result, destination.close().await) {
            (Ok(_), Err(source)) => Err(Error::destination(source)),
            (result, _) => result,
        }
    }

    async fn run_once(
        &self,
        lease: &Lease,
        errand: &Errand<'_>,
        stream: &Stream,
        mapping: CompiledMapping,
        destination: &mut dyn Destination,
        progress: &Arc<Mirror>,
    ) -> Result<Report, Error> {
        let Errand { connection, client, purpose, stop, .. } = *errand;
        let ended = run::run(run::Run {
            client: client.clone(),
            mapping: Arc::new(mapping),
            stream: stream.key(&connection.name),
            destination,
            progress: Arc::clone(progress) as Arc<dyn run::Progress>,
            epoch: Epoch(lease.epoch),
            options: self.run_options(stream, purpose),
            stop: stop.clone(),
        })
        .await;
        ended.map_err(|source| Error::Run { object: stream.object.clone(), source: Box::new(source) })
    }

    fn run_options(&self, stream: &Stream, purpose: Purpose) -> RunOptions {
        RunOptions {
            read: ReadOptions { choice: stream.read, bulk_from: self.config.bulk_threshold, ..ReadOptions::default() },
            overlap: self.config.overlap,
            full: match purpose {
                Purpose::Import | Purpose::Test | Purpose::Stage => true,
                Purpose::Sync | Purpose::Retry => false,
            },
            ..RunOptions::default()
        }
    }
}

/// Nothing was left out of what there is.
fn has_read_everything(report: &Report) -> bool {
    report.outcome == Outcome::Complete && report.window.from.is_none() && !report.resumed
}

/// How a run ended, for its record.
fn ending(result: &Result<Report, Error>, progress: &Mirror) -> Ending {
    match result {
        Ok(report) => Ending {
            state: match report.outcome {
                Outcome::Complete => RunState::Completed,
                Outcome::Stopped => RunState::Stopped,
            },
            reading: Reading { mode: report.mode, is_resumed: report.resumed, window: Some(report.window) },
            counts: stored(report.counts),
            error: None,
        },
        Err(error) => {
            let (counts, reading) = progress.so_far();
            let error = Some(RunFault { code: error.code().to_owned(), message: error.to_string() });
            Ending { state: RunState::Failed, reading, counts: stored(counts), error }
        }
    }
}
