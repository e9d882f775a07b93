//! Running streams by themselves, in `orgtide serve`.
//!
//! Each process looks into the store every few seconds and takes what is due, as far as it has workers left: customers in
//! turn ([`turn`]), and in one org no more runs at once than `serve.runs_per_org` over all processes. A slot of an org is a
//! lease, and so is the run of a stream; a killed process loses both within a minute, and what it was doing is still due.
//! While all workers are taken and another customer waits, the run that has had its worker for longest gives it up.
//! Pure parts: [`when`] says at which moments, [`turn`] in which order, and what comes of a run.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use salesforce::Timestamp;
use sync::run::{Outcome, Report};
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
};

use crate::{
    app::{
        App,
        import::{
            RunEvent, Watcher,
            heartbeat::{Heartbeat, LEASE_TERM},
        },
    },
    error::Error,
    store::{
        StoreError,
        lease::Lease,
        schedules::{Due, Needs, Trouble, Turn},
        streams,
    },
};

pub mod turn;
pub mod verifying;
pub mod when;

use turn::{Next, UnderWay};
use verifying::Verifier;

/// How often a process looks for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// More of a connection than this many streams over its org's slots need not be looked at: those before them are due, too.
const BESIDE_SLOTS: usize = 4;

// A process that was killed right after a sign of life is replaced within a minute.
const _: () = assert!(LEASE_TERM.as_secs() + LOOK_EVERY.as_secs() < 60);

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    pub stream_id: String,
    pub connection: String,
    pub object: String,
    pub result: Result<Report, Error>,
    pub next: Next,
}

/// What one process runs by schedules.
pub struct Workers {
    app: Arc<App>,
    stop: watch::Receiver<bool>,
    runs: JoinSet<Result<Ended, StoreError>>,
    under_way: HashMap<Id, Running>,
    /// A run has given its worker up to other customers, and nothing has begun since.
    is_given_up: bool,
}

struct Running {
    run: UnderWay,
    give_way: watch::Sender<bool>,
}

/// What became of a stream that was due.
enum Begun {
    Here,
    /// It runs already, or another process has taken it.
    Elsewhere,
    OrgIsFull,
}

impl App {
    /// Runs streams by their schedules, and verifies copies while nothing else is due, until `stop` becomes true; then the runs under way stop at their next checkpoint.
    pub async fn keep_running(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let timer = Arc::clone(&self.config().http.timer);
        let mut verifier = Verifier::new(Arc::clone(&self), stop.clone());
        let mut workers = Workers::new(self, stop.clone());
        loop {
            if let Err(error) = workers.look().await {
                tracing::warn!(%error, "what is due cannot be found out now");
            }
            if let Err(error) = verifier.look().await {
                tracing::warn!(%error, "which copies are to be verified cannot be found out now");
            }
            tokio::select! {
                () = timer.sleep(LOOK_EVERY) => {}
                () = workers.is_free_again() => {}
                // Whoever could tell is gone: then so is the program.
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        while workers.ended().await.is_some() {}
        verifier.ended().await;
    }
}

impl Workers {
    pub fn new(app: Arc<App>, stop: watch::Receiver<bool>) -> Self {
        Self { app, stop, runs: JoinSet::new(), under_way: HashMap::new(), is_given_up: false }
    }

    /// Begins to run what is due, as far as there are workers and slots; where there are no workers, a run may be asked to
    /// give way.
    ///
    /// # Errors
    /// The store cannot be had. What was begun goes on.
    pub async fn look(&mut self) -> Result<(), Error> {
        let serve = &self.app.config().serve;
        let workers = serve.workers;
        // One org leaves a worker to the others.
        let slots = serve.runs_per_org.min(workers - 1).max(1);
        let at_most = u32::try_from(slots + BESIDE_SLOTS).unwrap_or(u32::MAX);
        if self.runs.len() >= workers {
            return self.make_room(at_most, slots).await;
        }
        let mut due = turn::in_order(self.app.store().due(at_most).await?);
        if std::mem::take(&mut self.is_given_up) {
            due = turn::others_first(due, &self.here());
        }
        let mut full = HashSet::new();
        let mut asked = HashMap::new();
        for due in due {
            if self.runs.len() >= workers || *self.stop.borrow() {
                break;
            }
            let may_run = turn::may_run(&due, self.app.now()) && !full.contains(&due.org_id);
            if !may_run || self.under_way.values().any(|running| running.run.stream_id == due.stream_id) {
                continue;
            }
            if !self.has_calls(&due.org_id, &mut asked).await? {
                continue;
            }
            match self.begin(&due, slots).await? {
                Begun::Here | Begun::Elsewhere => {}
                Begun::OrgIsFull => {
                    full.insert(due.org_id);
                }
            }
        }
        Ok(())
    }

    /// True when the org's budget leaves calls for another run; asked once a look.
    async fn has_calls(&self, org_id: &str, asked: &mut HashMap<String, bool>) -> Result<bool, Error> {
        if let Some(known) = asked.get(org_id) {
            return Ok(*known);
        }
        let has_calls = self.app.holds_runs_back(org_id).await?.is_none();
        asked.insert(org_id.to_owned(), has_calls);
        Ok(has_calls)
    }

    /// Asks a run to give way when a customer waits who has none here.
    async fn make_room(&mut self, at_most: u32, slots: usize) -> Result<(), Error> {
        let (now, here) = (self.app.now(), self.here());
        if !turn::could_give_way(&here, now) {
            return Ok(());
        }
        let (mut customers, mut asked) = (HashSet::new(), HashMap::new());
        for due in turn::waiting(self.app.store().due(at_most).await?, &here, now) {
            let has_calls = self.has_calls(&due.org_id, &mut asked).await?;
            if !customers.contains(&due.customer_id) && has_calls && self.could_begin(&due, slots).await? {
                customers.insert(due.customer_id);
            }
            let Some(asked) = turn::gives_way(&here, customers.len(), now) else { continue };
            if let Some(running) = self.under_way.values_mut().find(|it| it.run.stream_id == asked.stream_id) {
                running.run.asked_at = Some(now);
                running.give_way.send_replace(true);
                tracing::info!(stream.id = asked.stream_id, "a run is asked to give way to other customers");
            }
            break;
        }
        Ok(())
    }

    fn here(&self) -> Vec<UnderWay> {
        self.under_way.values().map(|running| running.run.clone()).collect()
    }

    /// True when nothing but a worker lacks: nobody runs the stream, and the org bears another run.
    async fn could_begin(&self, due: &Due, slots: usize) -> Result<bool, Error> {
        let store = self.app.store();
        for taken in [streams::lease_name(&due.object, &due.stream_id), turn_lease(&due.stream_id)] {
            if store.lease_holder(&taken).await?.is_some() {
                return Ok(false);
            }
        }
        for number in 1..=slots {
            if store.lease_holder(&slot_lease(number, &due.org_id)).await?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn begin(&mut self, due: &Due, slots: usize) -> Result<Begun, Error> {
        let store = self.app.store();
        if store.lease_holder(&streams::lease_name(&due.object, &due.stream_id)).await?.is_some() {
            return Ok(Begun::Elsewhere);
        }
        let Some(slot) = Held::slot(&self.app, &due.org_id, slots).await? else { return Ok(Begun::OrgIsFull) };
        // Until what came of the run is recorded: the lease of the stream itself is given back before that.
        let Some(alone) = Held::take(&self.app, &turn_lease(&due.stream_id)).await? else {
            slot.give_back().await;
            return Ok(Begun::Elsewhere);
        };
        let Some(turn) = store.take_turn(due).await? else {
            slot.give_back().await;
            alone.give_back().await;
            return Ok(Begun::Elsewhere);
        };
        let run = UnderWay {
            stream_id: due.stream_id.clone(),
            customer_id: due.customer_id.clone(),
            since: self.app.now(),
            asked_at: None,
        };
        let (give_way, others_wait) = watch::channel(false);
        let (app, due, stop) = (Arc::clone(&self.app), due.clone(), self.stop.clone());
        let task = self.runs.spawn(async move {
            let ended = carry_out(&app, due, turn, slot, stop, others_wait).await;
            alone.give_back().await;
            ended
        });
        self.under_way.insert(task.id(), Running { run, give_way });
        Ok(Begun::Here)
    }

    /// How many runs are under way here.
    pub fn under_way(&self) -> usize {
        self.runs.len()
    }

    /// Waits for the end of a run; `None` when none is under way.
    pub async fn ended(&mut self) -> Option<Ended> {
        loop {
            match self.runs.join_next_with_id().await? {
                Ok((id, Ok(ended))) => {
                    self.under_way.remove(&id);
                    self.is_given_up |= ended.gave_way();
                    return Some(ended);
                }
                Ok((id, Err(error))) => {
                    let stream = self.under_way.remove(&id).map(|running| running.run.stream_id);
                    tracing::warn!(stream.id = stream, %error, "what came of a run is not recorded; it is still due");
                }
                Err(error) => {
                    let stream = self.under_way.remove(&error.id()).map(|running| running.run.stream_id);
                    tracing::error!(stream.id = stream, %error, "a run ended without a word");
                }
            }
        }
    }

    /// Waits until a worker is free and there may be something to do for it. What is still due waits for the next look.
    async fn is_free_again(&mut self) {
        loop {
            match self.ended().await {
                Some(ended) if ended.next == Next::StillDue && !ended.gave_way() => {}
                Some(_) => return,
                None => std::future::pending().await,
            }
        }
    }
}

impl Ended {
    /// True when it was ended because other customers waited.
    fn gave_way(&self) -> bool {
        matches!(&self.result, Ok(report) if report.outcome == Outcome::GaveWay)
    }

    fn tell(&self) {
        let Self { stream_id, connection, object, result, next } = self;
        match result {
            Ok(report) => {
                let (rows, what) = (report.counts.rows, told(report.outcome));
                tracing::info!(connection.name = connection, stream.id = stream_id, object, rows, "{what}");
            }
            Err(error) if error.over_budget().is_some() => {
                tracing::info!(connection.name = connection, stream.id = stream_id, object, %error, "a run waits");
            }
            Err(error) => {
                tracing::warn!(connection.name = connection, stream.id = stream_id, object, %error, ?next, "a run failed");
            }
        }
    }
}

/// Runs a stream, and records what comes of it.
async fn carry_out(
    app: &App,
    due: Due,
    turn: Turn,
    slot: Held,
    stop: watch::Receiver<bool>,
    give_way: watch::Receiver<bool>,
) -> Result<Ended, StoreError> {
    let unwatched: Arc<dyn Watcher> = Arc::new(Unwatched);
    let outcome = app.run_stream(&due.stream_id, &unwatched, &stop, &give_way).await;
    slot.give_back().await;
    let result = outcome.and_then(|outcome| outcome.result);
    let next = match &result {
        Ok(Report { outcome: Outcome::Complete, .. }) => Next::OnSchedule,
        Ok(Report { outcome: Outcome::Stopped | Outcome::GaveWay, .. }) => Next::StillDue,
        // The connection may have ended over it: that is no failure of the stream.
        Err(_) if !turn::is_ready(&app.store().connection(&due.connection).await?.state, app.now()) => Next::StillDue,
        Err(error) => turn::after(error, due.failures),
    };
    record(app, &due, turn, next, result.as_ref().err()).await?;
    let Due { stream_id, connection, object, .. } = due;
    let ended = Ended { stream_id, connection, object, result, next };
    if ended.gave_way() {
        app.store().give_up_turn(&ended.stream_id).await?;
    }
    ended.tell();
    Ok(ended)
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "a stream has run",
        Outcome::Stopped => "a run has stopped, and is still due",
        Outcome::GaveWay => "a run gave way to other customers, and goes on when its turn comes",
    }
}

async fn record(app: &App, due: &Due, turn: Turn, next: Next, error: Option<&Error>) -> Result<(), StoreError> {
    let now = app.now();
    let (needs, next_at): (Option<Needs>, Option<Timestamp>) = match next {
        Next::StillDue => return Ok(()),
        Next::OnSchedule => {
            let schedule = due.schedule.slowed(app.slowed(&due.org_id).await?);
            (None, schedule.next(now, &due.stream_id))
        }
        Next::Wait { wait } => (None, Some(now.after(wait))),
        Next::Retry { wait } => (Some(Needs::Time), Some(now.after(wait))),
        Next::Person { wait } => (Some(Needs::Person), Some(now.after(wait))),
        Next::Stop => (Some(Needs::Restart), None),
    };
    let since = due.trouble.as_ref().map_or(now, |trouble| trouble.since);
    let message = error.map(ToString::to_string).unwrap_or_default();
    let trouble = needs.map(|needs| Trouble { needs, message, since });
    let failures = if trouble.is_some() { due.failures.saturating_add(1) } else { 0 };
    app.store().end_turn(&due.stream_id, turn, next_at, failures, trouble.as_ref()).await
}

/// Nobody looks on; what happens stands in the record of the run.
struct Unwatched;

impl Watcher for Unwatched {
    fn event(&self, _event: RunEvent<'_>) {}
}

/// The lease of a stream from the moment that its turn is taken until what came of it is recorded.
fn turn_lease(stream_id: &str) -> String {
    format!("turn of {stream_id}")
}

/// The lease of one of the runs that an org bears at once.
fn slot_lease(number: usize, org_id: &str) -> String {
    format!("run {number} in org {org_id}")
}

/// A lease that a run needs beside that of its stream.
struct Held {
    app: Arc<App>,
    lease: Lease,
    _heartbeat: Heartbeat,
}

impl Held {
    /// `None` while another run has it.
    async fn take(app: &Arc<App>, name: &str) -> Result<Option<Self>, StoreError> {
        match app.acquire_lease(name).await {
            Ok((lease, heartbeat)) => Ok(Some(Self { app: Arc::clone(app), lease, _heartbeat: heartbeat })),
            Err(StoreError::Leased { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The right to one of the runs that an org bears at once; `None` when all are taken.
    async fn slot(app: &Arc<App>, org_id: &str, slots: usize) -> Result<Option<Self>, StoreError> {
        for number in 1..=slots {
            if let Some(slot) = Self::take(app, &slot_lease(number, org_id)).await? {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    async fn give_back(self) {
        // A lease that cannot be given back lapses.
        let _ = self.app.store().release_lease(&self.lease).await;
    }
}
