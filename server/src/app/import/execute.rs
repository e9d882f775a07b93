//! One run of one stream, whoever asks for it.

use std::{sync::Arc, time::Duration};

use sync::{
    checkpoint::Epoch,
    destination::Destination,
    mapping::CompiledMapping,
    read::ReadOptions,
    run::{self, Outcome, Report, RunError, RunOptions, Sweep},
};
use tokio::sync::watch;

use super::{
    App, RunEvent, StreamOutcome, Watcher,
    calls::Calls,
    heartbeat::{Heartbeat, LEASE_TERM},
    mirror::{Mirror, stored},
};
use crate::{
    error::Error,
    store::{
        connections::Connection,
        lease::Lease,
        runs::{Ending, Purpose, Reading, Run, RunCounts, RunFault, RunState},
        streams::Stream,
    },
};

/// So often a run goes on with fresh describes when the org's fields change under it.
const SCHEMA_ATTEMPTS: u32 = 3;

/// A stream that is to be run.
pub(in crate::app) struct Order {
    pub(in crate::app) stream: Stream,
    /// Somebody imports it anew, and agrees to the fields that the org has now.
    pub(in crate::app) is_agreed: bool,
}

/// What the runs of one command share.
#[derive(Clone, Copy)]
pub(in crate::app) struct Errand<'a> {
    pub(in crate::app) connection: &'a Connection,
    pub(in crate::app) calls: &'a Calls,
    pub(in crate::app) purpose: Purpose,
    pub(in crate::app) watcher: &'a Arc<dyn Watcher>,
    pub(in crate::app) stop: &'a watch::Receiver<bool>,
    /// Becomes true when other customers wait; `None`: a person asks for these runs, and nobody else waits for them.
    pub(in crate::app) give_way: Option<&'a watch::Receiver<bool>>,
}

/// A run whose lease is held and whose record is open.
pub(in crate::app) struct OpenRun {
    pub(in crate::app) lease: Lease,
    pub(in crate::app) record: Run,
    heartbeat: Heartbeat,
}

impl App {
    /// Brings one remembered stream up to date, under its lease and with a record of its run; until it is to `stop`, or to
    /// `give_way` and has come further.
    ///
    /// # Errors
    /// There is no such stream, it is staged and not imported, or its connection is paused. Whatever happens to the run
    /// stands in its outcome; one that another process does already is
    /// [`StoreError::Leased`](crate::store::StoreError::Leased) there.
    pub async fn run_stream(
        &self,
        stream_id: &str,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
        give_way: &watch::Receiver<bool>,
    ) -> Result<StreamOutcome, Error> {
        let stream = self.store.stream(stream_id).await?;
        let connection = self.store.connection_of_id(&stream.connection_id).await?;
        self.refuse_paused(&connection).await?;
        if self.store.drafts(&connection.id).await?.contains(&stream.id) {
            return Err(Error::NotImported { connection: connection.name, object: stream.object });
        }
        let calls = self.calls_of_runs(&connection);
        let errand = Errand {
            connection: &connection,
            calls: &calls,
            purpose: Purpose::Sync,
            watcher,
            stop,
            give_way: Some(give_way),
        };
        Ok(self.carry_out(&errand, Order { stream, is_agreed: false }).await)
    }

    /// Runs one stream to its end, and tells the watcher how that was.
    pub(in crate::app) async fn carry_out(&self, errand: &Errand<'_>, order: Order) -> StreamOutcome {
        let stream = order.stream.clone();
        let started_at = self.clock.now();
        let result = self.run_alone(errand, order).await;
        let outcome = StreamOutcome { stream, result, started_at, ended_at: self.clock.now() };
        errand.watcher.event(RunEvent::Ended { outcome: &outcome });
        outcome
    }

    /// Runs under the stream's lease, with a record in the store from the first question on.
    async fn run_alone(&self, errand: &Errand<'_>, order: Order) -> Result<Report, Error> {
        let open = self.open_run(errand.connection, &order.stream, errand.purpose).await?;
        let stream = order.stream.clone();
        errand.watcher.event(RunEvent::Started { stream: &order.stream });
        let mirror = Mirror::open(self, &order.stream, &open, errand.watcher, &errand.calls.client).await;
        let (result, settled, ending) = match mirror {
            Ok(progress) => {
                let progress = Arc::new(progress);
                let is_limited = order.stream.mapping.limit.is_some();
                let result = self.run_under(&open.lease, errand, order, &progress).await;
                let result = self.as_waiting(&stream, &progress, result).await;
                let settled = progress.settled(!is_limited && result.as_ref().is_ok_and(has_read_everything));
                let ending = ending(&result, &progress);
                (result, settled, ending)
            }
            Err(error) => {
                let error = Error::from(error);
                let ending = failed(&error);
                (Err(error), Vec::new(), ending)
            }
        };
        let ends_stage = errand.purpose == Purpose::Import && ending.state == RunState::Completed;
        let ended = self.close_run(open, errand.calls, ending, &settled, ends_stage).await;
        // The run's own error says more than the one of its record.
        match (result, ended) {
            (Ok(_), Err(error)) => Err(error),
            (result, _) => result,
        }
    }

    /// What came of a run; where the org's budget ended it, with how many records of the stream are read by now.
    async fn as_waiting(
        &self,
        stream: &Stream,
        progress: &Mirror,
        result: Result<Report, Error>,
    ) -> Result<Report, Error> {
        let Err(error) = result else { return result };
        let before = self.read_before(&stream.id).await.unwrap_or_default();
        Err(error.waiting(&stream.object, before + progress.so_far().0.read))
    }

    /// Takes the stream's lease and opens the record of a run.
    ///
    /// # Errors
    /// Another process runs it; or the connection is one of another org since it was read.
    pub(in crate::app) async fn open_run(
        &self,
        connection: &Connection,
        stream: &Stream,
        purpose: Purpose,
    ) -> Result<OpenRun, Error> {
        let lease = self.store.acquire_lease(&stream.lease_name(), &self.holder, LEASE_TERM).await?;
        let heartbeat = Heartbeat::start(Arc::clone(&self.store), Arc::clone(&self.config.http.timer), lease.clone());
        let begun = match self.refuse_replaced(connection).await {
            Ok(()) => self.store.begin_run(stream, purpose, &self.holder, &lease).await.map_err(Error::from),
            Err(error) => Err(error),
        };
        match begun {
            Ok(record) => Ok(OpenRun { lease, record, heartbeat }),
            Err(error) => {
                let _ = self.store.release_lease(&lease).await;
                Err(error)
            }
        }
    }

    /// Closes the record of a run, with all that was asked for it, and the stream's stage when it is imported now, and
    /// gives the lease back.
    pub(in crate::app) async fn close_run(
        &self,
        open: OpenRun,
        calls: &Calls,
        mut ending: Ending,
        settled: &[String],
        ends_stage: bool,
    ) -> Result<(), Error> {
        (ending.counts.api_calls, ending.counts.bulk_jobs) = calls.take();
        let mut ended = self.store.end_run(&open.record, &ending, settled, &open.lease).await;
        if ends_stage && ended.is_ok() {
            ended = self.store.end_stage(&open.record.stream_id, &open.lease).await;
        }
        calls.settle().await;
        drop(open.heartbeat);
        // A lease that cannot be given back lapses.
        let _ = self.store.release_lease(&open.lease).await;
        Ok(ended?)
    }

    async fn run_under(
        &self,
        lease: &Lease,
        errand: &Errand<'_>,
        order: Order,
        progress: &Arc<Mirror>,
    ) -> Result<Report, Error> {
        let Order { stream, is_agreed } = order;
        if is_agreed {
            self.agree_to_everything(errand.connection, &errand.calls.client, &stream).await?;
        }
        let mut mapping = self.fitting(errand.connection, &errand.calls.client, &stream, false).await?;
        let settings = self.settings(&stream.destination)?;
        let mut destination = destinations::open(&settings).map_err(Error::destination)?;
        let mut result = self.run_once(lease, errand, &stream, mapping.clone(), &mut *destination, progress).await;
        for _ in 0..SCHEMA_ATTEMPTS {
            let is_outdated =
                matches!(&result, Err(Error::Run { source, .. }) if matches!(**source, RunError::Outdated { .. }));
            if !is_outdated {
                break;
            }
            // A field has gone since the describe: what is there still is read, from where the run stopped.
            let fresh = self.fitting(errand.connection, &errand.calls.client, &stream, true).await?;
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
        let Errand { connection, calls, purpose, stop, give_way, .. } = *errand;
        let mut options = self.run_options(stream, purpose);
        let could_wait = options.refresh.is_some() || (options.sweep.is_some() && purpose != Purpose::Sweep);
        if could_wait && self.is_for_another_day(connection).await? {
            options.refresh = None;
            options.sweep = options.sweep.filter(|_| purpose == Purpose::Sweep);
        }
        let ended = run::run(run::Run {
            client: calls.client.clone(),
            calls_before: calls.before(),
            mapping: Arc::new(mapping),
            stream: stream.key(connection, &self.store),
            destination,
            progress: Arc::clone(progress) as Arc<dyn run::Progress>,
            epoch: Epoch(lease.epoch),
            options,
            stop: stop.clone(),
            give_way: give_way.cloned(),
        })
        .await;
        ended.map_err(|source| Error::Run { object: stream.object.clone(), source: Box::new(source) })
    }

    pub(in crate::app) fn run_options(&self, stream: &Stream, purpose: Purpose) -> RunOptions {
        let is_sync = matches!(purpose, Purpose::Sync | Purpose::Sweep);
        RunOptions {
            read: ReadOptions { choice: stream.read, bulk_from: self.config.bulk_threshold, ..ReadOptions::default() },
            overlap: self.config.overlap,
            deletions_every: self.config.deletions_every,
            refresh: self.config.refresh.filter(|_| is_sync),
            sweep: match purpose {
                // A person asks for it: whenever the last one was, to its end.
                Purpose::Sweep => Some(Sweep {
                    every: Duration::ZERO,
                    below_percent: 100,
                    turn: Duration::MAX,
                    range_rows: self.config.sweep_range_rows,
                }),
                _ => self.config.sweep.filter(|_| is_sync),
            },
            full: match purpose {
                Purpose::Import | Purpose::Test | Purpose::Stage => true,
                Purpose::Sync | Purpose::Sweep | Purpose::Retry | Purpose::Verify => false,
            },
        }
    }
}

/// Nothing was left out of what there is.
fn has_read_everything(report: &Report) -> bool {
    report.outcome == Outcome::Complete && report.window.from.is_none() && !report.resumed
}

/// The record of a run that ended well.
pub(in crate::app) fn ending_of(report: &Report) -> Ending {
    Ending {
        state: match report.outcome {
            Outcome::Complete => RunState::Completed,
            Outcome::Stopped => RunState::Stopped,
            Outcome::GaveWay => RunState::GaveWay,
        },
        reading: Reading { mode: report.mode, is_resumed: report.resumed, window: Some(report.window) },
        counts: stored(report.counts),
        error: None,
    }
}

/// How a run ended, for its record.
fn ending(result: &Result<Report, Error>, progress: &Mirror) -> Ending {
    match result {
        Ok(report) => ending_of(report),
        Err(error) => {
            let (counts, reading) = progress.so_far();
            Ending { reading, counts: stored(counts), ..failed(error) }
        }
    }
}

/// The end of a run that failed before anything was done, or that waits for API calls.
pub(in crate::app) fn failed(error: &Error) -> Ending {
    let state = if error.over_budget().is_some() { RunState::Waiting } else { RunState::Failed };
    let error = Some(RunFault { code: error.code().to_owned(), message: error.to_string() });
    Ending { state, reading: Reading::default(), counts: RunCounts::default(), error }
}
