//! Running streams: the first import, and every sync after it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use destinations::DestinationSettings;
use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{ApiError, Client, Timestamp, http::Timer};
use sync::{
    batch::Misfit,
    catalogue::Catalogue,
    checkpoint::{Checkpoint, Epoch, Position},
    mapping::{CompiledMapping, Mapping, RejectedRow},
    read::{Phase, ReadChoice, ReadOptions},
    run::{self, Counts, Outcome, ProgressError, Report, RunOptions},
    table::StreamKey,
};
use tokio::sync::watch;

use super::App;
use crate::{
    clock::SharedClock,
    error::Error,
    store::{
        Store,
        connections::Connection,
        lease::Lease,
        runs::{Run, RunCounts, RunState},
        streams::{NewStream, Stream},
    },
};

/// A stream's lease is held this long without a sign of life.
const LEASE_TERM: Duration = Duration::from_secs(60);
/// Signs of life; three may be lost.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The mirror of a run's progress is written no more often than this.
const MIRROR_EVERY_MILLIS: i64 = 1000;
/// A run keeps at most this many of the values it rejects; all are counted.
const KEPT_REJECTED: u64 = 1000;

/// What is to be imported.
#[derive(Debug)]
pub struct ImportRequest {
    pub connection: String,
    pub mappings: Vec<Mapping>,
    /// As it was given; `None`: a file of the connection's name in the data directory.
    pub destination: Option<String>,
    pub read: ReadChoice,
}

/// What happens while streams run.
#[derive(Debug)]
pub enum RunEvent<'a> {
    Started {
        stream: &'a Stream,
    },
    Phase {
        stream: &'a Stream,
        phase: Phase,
    },
    /// Rows up to here are durable.
    Progress {
        stream: &'a Stream,
        counts: Counts,
        org_used: Option<u64>,
        org_max: Option<u64>,
    },
    Ended {
        outcome: &'a StreamOutcome,
    },
}

/// Is told what happens while streams run. Must return at once.
pub trait Watcher: Send + Sync {
    fn event(&self, event: RunEvent<'_>);
}

/// How one stream's run ended.
#[derive(Debug)]
pub struct StreamOutcome {
    pub stream: Stream,
    pub result: Result<Report, Error>,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
}

/// A stream that is ready to run: its mapping fits the org.
struct Ready {
    stream: Stream,
    mapping: Arc<CompiledMapping>,
    destination: DestinationSettings,
}

/// What the runs of one command share.
#[derive(Clone, Copy)]
struct Errand<'a> {
    connection: &'a Connection,
    client: &'a Client,
    /// Everything is read, not only what has changed.
    full: bool,
    watcher: &'a Arc<dyn Watcher>,
    stop: &'a watch::Receiver<bool>,
}

impl App {
    /// Imports objects whole, and remembers them as streams. An import that was interrupted goes on where it stopped.
    ///
    /// # Errors
    /// A mapping that does not fit, or a destination that cannot be, is an error before anything runs. What happens to
    /// one stream later stands in its outcome, and the others go on.
    pub async fn import(
        &self,
        request: &ImportRequest,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        let connection = self.store.connection(&request.connection).await?;
        self.refuse_paused(&connection).await?;
        let client = self.client(&connection);
        let destination = self.destination(&connection, request.destination.as_deref())?;
        let mut compiled = Vec::new();
        for mapping in &request.mappings {
            compiled.push((mapping, compile(&connection, &client, mapping).await?));
        }
        let mut ready = Vec::new();
        for (mapping, compiled) in compiled {
            let new = NewStream {
                connection_id: &connection.id,
                destination: &destination.to_string(),
                object: &compiled.object,
                table: &compiled.table.name,
                mapping,
                read: request.read,
            };
            let stream = self.store.remember_stream(&new).await?;
            ready.push(Ready { stream, mapping: Arc::new(compiled), destination: destination.clone() });
        }
        Ok(self.run_all(&Errand { connection: &connection, client: &client, full: true, watcher, stop }, ready).await)
    }

    /// Brings remembered streams up to date: all, or those of the named objects.
    pub async fn sync(
        &self,
        connection: &str,
        objects: &[String],
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        let connection = self.store.connection(connection).await?;
        self.refuse_paused(&connection).await?;
        let streams = chosen(&connection, self.store.streams(&connection.id).await?, objects)?;
        let client = self.client(&connection);
        let mut ready = Vec::new();
        for stream in streams {
            let mapping = Arc::new(compile(&connection, &client, &stream.mapping).await?);
            let destination = stream.destination.parse().map_err(Error::destination)?;
            ready.push(Ready { stream, mapping, destination });
        }
        Ok(self.run_all(&Errand { connection: &connection, client: &client, full: false, watcher, stop }, ready).await)
    }

    fn destination(&self, connection: &Connection, given: Option<&str>) -> Result<DestinationSettings, Error> {
        let default = || format!("sqlite:{}", self.config.default_database(&connection.name).display());
        let text = given.map_or_else(default, str::to_owned);
        let settings: DestinationSettings = text.parse().map_err(Error::destination)?;
        // Remembered, so it has to mean the same from any working directory.
        Ok(match settings {
            DestinationSettings::Sqlite(mut sqlite) => {
                sqlite.path = std::path::absolute(&sqlite.path).unwrap_or(sqlite.path);
                DestinationSettings::Sqlite(sqlite)
            }
        })
    }

    async fn run_all(&self, errand: &Errand<'_>, ready: Vec<Ready>) -> Vec<StreamOutcome> {
        let mut outcomes = Vec::new();
        for ready in ready {
            if *errand.stop.borrow() && !outcomes.is_empty() {
                break;
            }
            let stream = ready.stream.clone();
            let started_at = self.clock.now();
            let result = self.run_one(errand, ready).await;
            let outcome = StreamOutcome { stream, result, started_at, ended_at: self.clock.now() };
            errand.watcher.event(RunEvent::Ended { outcome: &outcome });
            outcomes.push(outcome);
        }
        outcomes
    }

    /// One run under the stream's lease, with its record in the store.
    async fn run_one(&self, errand: &Errand<'_>, ready: Ready) -> Result<Report, Error> {
        let lease = self.store.acquire_lease(&ready.stream.lease_name(), &self.holder, LEASE_TERM).await?;
        let heartbeat = Heartbeat::start(Arc::clone(&self.store), Arc::clone(&self.config.http.timer), lease.clone());
        let outcome = self.run_under(&lease, errand, ready).await;
        drop(heartbeat);
        // A lease that cannot be given back lapses.
        let _ = self.store.release_lease(&lease).await;
        outcome
    }

    async fn run_under(&self, lease: &Lease, errand: &Errand<'_>, ready: Ready) -> Result<Report, Error> {
        let Errand { connection, client, full, watcher, stop } = *errand;
        let object = ready.stream.object.clone();
        watcher.event(RunEvent::Started { stream: &ready.stream });
        let record = self.store.begin_run(&ready.stream.id, lease).await?;
        let progress = Arc::new(Mirror::new(self, &ready.stream, &record, lease, watcher, client));
        let mut destination = destinations::open(&ready.destination).map_err(Error::destination)?;
        let result = run::run(run::Run {
            client: client.clone(),
            mapping: ready.mapping,
            stream: StreamKey {
                connection: connection.name.clone(),
                object: object.clone(),
                table: ready.stream.table.clone(),
            },
            destination: &mut *destination,
            progress: Arc::clone(&progress) as Arc<dyn run::Progress>,
            epoch: Epoch(lease.epoch),
            options: RunOptions {
                read: ReadOptions {
                    choice: ready.stream.read,
                    bulk_from: self.config.bulk_threshold,
                    ..ReadOptions::default()
                },
                overlap: self.config.overlap,
                full,
            },
            stop: stop.clone(),
        })
        .await;
        let result = match (result, destination.close().await) {
            (Ok(_), Err(source)) => Err(Error::destination(source)),
            (result, _) => result.map_err(|source| Error::Run { object, source: Box::new(source) }),
        };
        self.record_end(&record, &result, &progress, lease).await?;
        result
    }

    async fn record_end(
        &self,
        record: &Run,
        result: &Result<Report, Error>,
        progress: &Mirror,
        lease: &Lease,
    ) -> Result<(), Error> {
        let (state, counts, error) = match result {
            Ok(report) => {
                let state = match report.outcome {
                    Outcome::Complete => RunState::Completed,
                    Outcome::Stopped => RunState::Stopped,
                };
                (state, report.counts, None)
            }
            Err(error) => (RunState::Failed, progress.last_counts(), Some(error.to_string())),
        };
        let ended = self.store.end_run(record, state, &stored(counts), error.as_deref(), lease).await;
        match (ended, result) {
            // The run's own error says more than the one of its record.
            (Err(error), Ok(_)) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

async fn compile(connection: &Connection, client: &Client, mapping: &Mapping) -> Result<CompiledMapping, Error> {
    let api = |source: ApiError| Error::api(&connection.name, source);
    let catalogue = Catalogue::load(client, mapping).await.map_err(api)?;
    mapping.compile(&catalogue).map_err(|problems| Error::Mapping { object: mapping.object.clone(), problems })
}

/// The streams of the named objects; all when none is named.
fn chosen(connection: &Connection, streams: Vec<Stream>, objects: &[String]) -> Result<Vec<Stream>, Error> {
    if streams.is_empty() {
        return Err(Error::NoStreams { connection: connection.name.clone() });
    }
    let is_named = |stream: &Stream, object: &str| stream.object.eq_ignore_ascii_case(object);
    for object in objects {
        if !streams.iter().any(|stream| is_named(stream, object)) {
            let known = streams.iter().map(|stream| stream.object.clone()).collect();
            return Err(Error::UnknownStream { connection: connection.name.clone(), object: object.clone(), known });
        }
    }
    let wanted = |stream: &Stream| objects.is_empty() || objects.iter().any(|object| is_named(stream, object));
    Ok(streams.into_iter().filter(wanted).collect())
}

fn stored(counts: Counts) -> RunCounts {
    RunCounts {
        rows: counts.rows,
        deleted_rows: counts.deletes,
        rejected_values: counts.misfits,
        read_bytes: counts.wire_bytes,
        api_calls: counts.api_calls,
    }
}

/// Keeps a lease alive while a run works. A lease that is lost stops nothing by itself: the places of effect refuse
/// its epoch.
struct Heartbeat {
    task: tokio::task::JoinHandle<()>,
}

impl Heartbeat {
    fn start(store: Arc<Store>, timer: Arc<dyn Timer>, lease: Lease) -> Self {
        let task = tokio::spawn(async move {
            loop {
                timer.sleep(HEARTBEAT).await;
                if let Err(error) = store.renew_lease(&lease, LEASE_TERM).await {
                    tracing::warn!(lease = lease.name, %error, "the lease is not renewed");
                }
            }
        });
        Self { task }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Mirrors a run's progress in the control store, and tells the watcher.
struct Mirror {
    store: Arc<Store>,
    clock: SharedClock,
    stream: Stream,
    run: Run,
    lease: Lease,
    watcher: Arc<dyn Watcher>,
    client: Client,
    state: Mutex<Mirrored>,
}

struct Mirrored {
    counts: Counts,
    kept: u64,
    saved_at: Timestamp,
}

impl Mirror {
    fn new(app: &App, stream: &Stream, run: &Run, lease: &Lease, watcher: &Arc<dyn Watcher>, client: &Client) -> Self {
        Self {
            store: Arc::clone(&app.store),
            clock: app.clock.clone(),
            stream: stream.clone(),
            run: run.clone(),
            lease: lease.clone(),
            watcher: Arc::clone(watcher),
            client: client.clone(),
            state: Mutex::new(Mirrored { counts: Counts::default(), kept: 0, saved_at: Timestamp(0) }),
        }
    }

    fn last_counts(&self) -> Counts {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// What of this progress is to be written now: the ordinal of its first kept value and how many of them; `None`
    /// when the last write is too recent and nothing would be lost.
    fn due(&self, resume: &Checkpoint, counts: Counts, misfits: usize) -> Option<(u64, usize)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts = counts;
        let now = self.clock.now();
        let is_old = now.0 - state.saved_at.0 >= MIRROR_EVERY_MILLIS;
        if misfits == 0 && !is_old && resume.at != Position::Complete {
            return None;
        }
        let first = state.kept;
        let room = usize::try_from(KEPT_REJECTED - first).unwrap_or(usize::MAX);
        let kept = misfits.min(room);
        state.kept += kept as u64;
        state.saved_at = now;
        Some((first, kept))
    }
}

impl run::Progress for Mirror {
    fn phase(&self, phase: Phase) {
        self.watcher.event(RunEvent::Phase { stream: &self.stream, phase });
    }

    fn save<'a>(
        &'a self,
        resume: &'a Checkpoint,
        counts: Counts,
        misfits: &'a [Misfit],
        _rejected: &'a [RejectedRow],
    ) -> BoxFuture<'a, Result<(), ProgressError>> {
        let usage = self.client.usage();
        self.watcher.event(RunEvent::Progress {
            stream: &self.stream,
            counts,
            org_used: usage.org_used,
            org_max: usage.org_max,
        });
        async move {
            let Some((first, kept)) = self.due(resume, counts, misfits.len()) else { return Ok(()) };
            let misfits = misfits.get(..kept).unwrap_or(misfits);
            self.store
                .save_run_progress(&self.run, &stored(counts), Some(resume), misfits, first, &self.lease)
                .await
                .map_err(|error| ProgressError { reason: error.to_string() })
        }
        .boxed()
    }
}
